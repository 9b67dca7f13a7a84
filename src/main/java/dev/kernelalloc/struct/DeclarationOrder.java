package dev.kernelalloc.struct;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.reflect.AccessFlag;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The abstract methods of an interface in the order of its source. Reflection promises no order, so
 * it is taken from the class file, where compilers write methods as they stand.
 */
final class DeclarationOrder {

    private DeclarationOrder() {}

    /**
     * The abstract methods, those of super-interfaces first.
     *
     * @return empty if the class file of one of the interfaces cannot be read
     */
    static Optional<List<Method>> abstractMethods(Class<?> type) {
        Set<Class<?>> hierarchy = new LinkedHashSet<>();
        addSuperInterfacesFirst(type, hierarchy);
        List<Method> methods = new ArrayList<>();
        for (Class<?> declaring : hierarchy) {
            Optional<List<Method>> declared = declaredMethods(declaring);
            if (declared.isEmpty()) {
                return Optional.empty();
            }
            methods.addAll(declared.get());
        }
        return Optional.of(methods.stream().filter(method -> isAbstractIn(type, method)).toList());
    }

    /** The abstract methods in no particular order. */
    static List<Method> unordered(Class<?> type) {
        return Arrays.stream(type.getMethods())
                .filter(
                        method ->
                                isAbstractIn(type, method)
                                        && method.getDeclaringClass() != StructView.class)
                .toList();
    }

    private static void addSuperInterfacesFirst(Class<?> type, Set<Class<?>> into) {
        if (type == StructView.class) {
            return;
        }
        for (Class<?> parent : type.getInterfaces()) {
            addSuperInterfacesFirst(parent, into);
        }
        into.add(type);
    }

    /**
     * Whether the method is left to implement: abstract, not overridden below, not one of Object's.
     */
    private static boolean isAbstractIn(Class<?> type, Method method) {
        if (!Modifier.isAbstract(method.getModifiers()) || isMethodOfObject(method)) {
            return false;
        }
        if (method.getDeclaringClass() == type) {
            return true;
        }
        try {
            return type.getMethod(method.getName(), method.getParameterTypes()).equals(method);
        } catch (NoSuchMethodException e) {
            return true;
        }
    }

    /** Interfaces may repeat these three, which every object has. */
    private static boolean isMethodOfObject(Method method) {
        return switch (method.getName()) {
            case "toString", "hashCode" -> method.getParameterCount() == 0;
            case "equals" ->
                    Arrays.equals(method.getParameterTypes(), new Class<?>[] {Object.class});
            default -> false;
        };
    }

    private static Optional<List<Method>> declaredMethods(Class<?> type) {
        String resource = type.getName().substring(type.getName().lastIndexOf('.') + 1) + ".class";
        try (InputStream stream = type.getResourceAsStream(resource)) {
            if (stream == null) {
                return Optional.empty();
            }
            Map<String, Method> bySignature =
                    Arrays.stream(type.getDeclaredMethods())
                            .collect(
                                    Collectors.toMap(
                                            DeclarationOrder::signature, Function.identity()));
            ClassModel file = ClassFile.of().parse(stream.readAllBytes());
            List<Method> ordered =
                    file.methods().stream()
                            .filter(method -> method.flags().has(AccessFlag.ABSTRACT))
                            .map(
                                    method ->
                                            method.methodName().stringValue()
                                                    + method.methodType().stringValue())
                            .filter(bySignature::containsKey)
                            .map(bySignature::get)
                            .toList();
            return Optional.of(ordered);
        } catch (IOException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static String signature(Method method) {
        StringBuilder descriptor = new StringBuilder(method.getName()).append('(');
        for (Class<?> parameter : method.getParameterTypes()) {
            descriptor.append(parameter.descriptorString());
        }
        return descriptor.append(')').append(method.getReturnType().descriptorString()).toString();
    }
}
