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
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The methods of an interface and of all interfaces that it extends, in the order of the source.
 * Reflection promises no order, so it is taken from the class files, where compilers keep it.
 *
 * @param abstractMethods those that some interface declares without a body, in the order of the
 *     first such declaration, super-interfaces first
 * @param bodies the other declarations: those of methods that no interface leaves abstract
 * @param ordered whether the order is known: all class files could be read
 */
record InterfaceMethods(
        List<InheritedMethod> abstractMethods, List<Method> bodies, boolean ordered) {

    static InterfaceMethods of(Class<?> type) {
        boolean ordered = true;
        // By signature: all declarations, and the signatures that are abstract somewhere.
        Map<String, List<Method>> declarations = new LinkedHashMap<>();
        Set<String> abstractSignatures = new LinkedHashSet<>();
        List<Method> bodies = new ArrayList<>();
        for (Class<?> declaring : hierarchy(type)) {
            Optional<List<Method>> inOrder = inOrderOfSource(declaring);
            ordered &= inOrder.isPresent();
            for (Method method : inOrder.orElseGet(() -> declared(declaring))) {
                if (Modifier.isStatic(method.getModifiers())) {
                    bodies.add(method); // not inherited
                    continue;
                }
                String signature = signature(method);
                declarations.computeIfAbsent(signature, _ -> new ArrayList<>()).add(method);
                if (Modifier.isAbstract(method.getModifiers())) {
                    abstractSignatures.add(signature);
                }
            }
        }
        List<InheritedMethod> inherited =
                abstractSignatures.stream()
                        .map(declarations::remove)
                        .map(InheritedMethod::new)
                        .toList();
        declarations.values().forEach(bodies::addAll);
        return new InterfaceMethods(inherited, bodies, ordered);
    }

    /**
     * The interfaces that a type extends or implements, and itself; each behind those it extends.
     */
    static Set<Class<?>> hierarchy(Class<?> type) {
        Set<Class<?>> hierarchy = new LinkedHashSet<>();
        addSuperInterfacesFirst(type, hierarchy);
        return hierarchy;
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

    private static List<Method> declared(Class<?> type) {
        return Arrays.stream(type.getDeclaredMethods())
                .filter(method -> !Modifier.isPrivate(method.getModifiers()))
                .toList();
    }

    /** Empty if the class file cannot be read, or is another class's. */
    private static Optional<List<Method>> inOrderOfSource(Class<?> type) {
        String resource = type.getName().substring(type.getName().lastIndexOf('.') + 1) + ".class";
        try (InputStream stream = type.getResourceAsStream(resource)) {
            if (stream == null) {
                return Optional.empty();
            }
            Map<String, Method> bySignature =
                    declared(type).stream()
                            .collect(
                                    Collectors.toMap(
                                            InterfaceMethods::signature, method -> method));
            ClassModel file = ClassFile.of().parse(stream.readAllBytes());
            List<Method> ordered =
                    file.methods().stream()
                            .filter(method -> !method.flags().has(AccessFlag.PRIVATE))
                            .map(
                                    method ->
                                            method.methodName().stringValue()
                                                    + method.methodType().stringValue())
                            .filter(bySignature::containsKey)
                            .map(bySignature::get)
                            .toList();
            return ordered.size() == bySignature.size() ? Optional.of(ordered) : Optional.empty();
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
