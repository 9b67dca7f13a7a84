package dev.kernelalloc.struct;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The parts that the package of boxes provides for the classes of boxes generated here.
 *
 * @param type their superclass, whose constructor has the parameters of {@link StructType#newBox}
 * @param access turns {@code (MemorySegment, long offset, …)} into {@code (type, long offset, …)},
 *     which accepts as many offsets, from 0 on
 */
record BoxBase(Class<?> type, BiFunction<MethodHandle, Long, MethodHandle> access) {

    /**
     * Whether a class can be a box and a view of a struct at once: no method of the interface, not
     * even one with a body, has the name, parameters and result of a method of boxes.
     */
    boolean hasNoNameOf(StructModel model) {
        if (!model.isView()) {
            return true;
        }
        Set<String> own =
                Stream.<Class<?>>iterate(type, Objects::nonNull, Class::getSuperclass)
                        .flatMap(declaring -> Arrays.stream(declaring.getDeclaredMethods()))
                        .map(BoxBase::signature)
                        .collect(Collectors.toSet());
        return Stream.concat(
                        Arrays.stream(model.type().getMethods()),
                        model.members().stream()
                                .flatMap(member -> member.description().accessors().stream())
                                .map(Accessor::method))
                .map(BoxBase::signature)
                .noneMatch(own::contains);
    }

    /**
     * Returns whether the superclass of what a lookup defines is this one. From then on it is: the
     * JVM asks a class loader for a name once.
     */
    boolean isSeenBy(MethodHandles.Lookup lookup) {
        try {
            return lookup.findClass(type.getName()) == type;
        } catch (ClassNotFoundException | IllegalAccessException | LinkageError e) {
            return false;
        }
    }

    private static String signature(Method method) {
        return method.getName()
                + MethodType.methodType(method.getReturnType(), method.getParameterTypes());
    }
}
