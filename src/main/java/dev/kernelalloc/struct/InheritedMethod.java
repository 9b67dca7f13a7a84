package dev.kernelalloc.struct;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.List;

/**
 * A method of an interface with every declaration of it: those that the interface inherits, and its
 * own.
 *
 * @param declarations of one signature, super-interfaces first; at least one is abstract
 */
record InheritedMethod(List<Method> declarations) {

    String name() {
        return declarations.getFirst().getName();
    }

    /** The declarations that no other one overrides. */
    List<Method> nearest() {
        return declarations.stream()
                .filter(method -> declarations.stream().noneMatch(other -> hides(other, method)))
                .toList();
    }

    private static boolean hides(Method other, Method method) {
        return isBelow(other.getDeclaringClass(), method.getDeclaringClass());
    }

    /** Whether a type extends or implements another one, so that its declarations come first. */
    static boolean isBelow(Class<?> type, Class<?> other) {
        return type != other && other.isAssignableFrom(type);
    }

    /** Whether no declaration has a body, so that the generated view implements it. */
    boolean isAbstract() {
        return nearest().stream().allMatch(InheritedMethod::isAbstract);
    }

    /** Whether one interface leaves it abstract or has a body, and another one has a body. */
    boolean isAmbiguous() {
        return nearest().size() > 1 && !isAbstract();
    }

    /** Whether a sub-interface has declared the same method with another type. */
    boolean isBridged() {
        return nearest().stream().allMatch(Method::isBridge);
    }

    /** Returns the nearest declaration without a body, which gives the type of the member. */
    Method accessor() {
        return declarations.stream()
                .filter(InheritedMethod::isAbstract)
                .reduce((_, below) -> below)
                .orElseThrow();
    }

    private static boolean isAbstract(Method method) {
        return Modifier.isAbstract(method.getModifiers());
    }
}
