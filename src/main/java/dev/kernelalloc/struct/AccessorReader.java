package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/** Finds out what the abstract methods of an interface do to their members. */
final class AccessorReader {

    private final Mistakes mistakes;
    private final Class<?> struct;

    AccessorReader(Mistakes mistakes, Class<?> struct) {
        this.mistakes = mistakes;
        this.struct = struct;
    }

    /** Whether a method is a setter, by its shape. */
    static boolean writes(Method method) {
        return method.getReturnType() == void.class;
    }

    /** Checks that a method has the parameters of a getter or a setter. */
    void checkParameters(Method method) {
        if (writes(method) && method.getParameterCount() == 0) {
            mistakes.add(
                    struct,
                    method.getName(),
                    "reads and writes nothing: a getter returns its value, a setter takes it");
            return;
        }
        if (!IntStream.range(0, indexes(method))
                .allMatch(i -> isIndex(method.getParameterTypes()[i]))) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                                    Locale.ROOT,
                                    "%s is neither a getter nor a setter: a getter takes int or"
                                            + " long indexes and returns the value,",
                                    method.toGenericString())
                            + " a setter takes them before the value and returns void;"
                            + " an operation is marked @Atomic, anything else is a default method");
        }
    }

    /**
     * Checks an accessor that a sub-interface has declared again with another type. It may give a
     * type parameter its type. But what extends a struct must begin as that does.
     *
     * @param typed the accessors with the types that hold
     */
    void checkNarrowed(InheritedMethod bridged, List<Method> typed) {
        for (Method declaration : bridged.declarations()) {
            Type type = valueType(declaration);
            if (!declaration.isBridge() && !mentionsVariable(type)) {
                mistakes.add(
                        struct,
                        bridged.name(),
                        String.format(
                                Locale.ROOT,
                                "has the type %s in %s; no sub-interface can change it",
                                type.getTypeName(),
                                declaration.getDeclaringClass().getSimpleName()));
            }
        }
        if (typed.isEmpty()) {
            mistakes.add(struct, bridged.name(), "has a body, and no type");
        }
    }

    private static boolean mentionsVariable(Type type) {
        return switch (type) {
            case TypeVariable<?> _ -> true;
            case GenericArrayType array -> mentionsVariable(array.getGenericComponentType());
            case ParameterizedType parameterized ->
                    Arrays.stream(parameterized.getActualTypeArguments())
                            .anyMatch(AccessorReader::mentionsVariable);
            default -> false;
        };
    }

    /** Returns the Java type of a member, from its most specific accessor. */
    static Shape shape(List<Method> accessors) {
        Method mostSpecific = mostSpecific(accessors);
        return Shape.of(valueType(mostSpecific), indexes(mostSpecific));
    }

    /**
     * Returns the most specific accessor: a slice of a whole array does not show the type of its
     * elements, nor does a type parameter.
     */
    private static Method mostSpecific(List<Method> accessors) {
        return accessors.stream()
                .max(
                        Comparator.comparing(
                                        (Method method) -> !mentionsVariable(valueType(method)))
                                .thenComparing(method -> indexes(method) > 0))
                .orElseThrow();
    }

    /**
     * Reads the accessors of a member, and all operations that belong to it.
     *
     * @param all the accessors that describe the member
     * @param generated those of them that have no body
     */
    List<Accessor> read(
            MemberDescription member,
            List<Method> all,
            List<Method> generated,
            List<Method> operations) {
        List<Accessor> found = new ArrayList<>();
        Shape shape = shape(all);
        for (Method method : all) {
            checkTarget(method, shape);
            Optional<Accessor> accessor = accessor(member, method);
            if (generated.contains(method)) {
                accessor.ifPresent(found::add);
            }
        }
        for (Method method : operations) {
            operation(member, method).ifPresent(found::add);
        }
        return found;
    }

    /** Accessors with pointers to different structs have one class, and disagree all the same. */
    private void checkTarget(Method method, Shape shape) {
        Shape own = Shape.of(valueType(method), 0);
        if (own.leaf() == shape.leaf()
                && !own.genericLeaf().equals(shape.genericLeaf())
                && !mentionsVariable(own.genericLeaf())) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                            Locale.ROOT,
                            "accessors disagree: %s and %s",
                            own.genericLeaf().getTypeName(),
                            shape.genericLeaf().getTypeName()));
        }
    }

    /** How many of the parameters of a getter or a setter are indexes. */
    private static int indexes(Method accessor) {
        return writes(accessor) ? accessor.getParameterCount() - 1 : accessor.getParameterCount();
    }

    private static Type valueType(Method accessor) {
        return writes(accessor)
                ? accessor.getGenericParameterTypes()[accessor.getParameterCount() - 1]
                : accessor.getGenericReturnType();
    }

    private static Class<?> rawValueType(Method accessor) {
        return writes(accessor)
                ? accessor.getParameterTypes()[accessor.getParameterCount() - 1]
                : accessor.getReturnType();
    }

    private static boolean isIndex(Class<?> parameter) {
        return parameter == int.class || parameter == long.class;
    }

    private Optional<Accessor> accessor(MemberDescription member, Method method) {
        boolean writes = writes(method);
        int dimensions = member.lengths().length;
        Class<?> value = rawValueType(method);
        Class<?> carrier = member.element().carrier();
        if (indexes(method) == dimensions && value == carrier) {
            return Optional.of(
                    new Accessor(method, writes ? Accessor.Ordinary.SET : Accessor.Ordinary.GET));
        }
        if (indexes(method) == 0 && dimensions > 0) {
            if (value == MemorySegment.class && !writes) {
                return Optional.of(new Accessor(method, Accessor.Ordinary.SLICE));
            }
            if (value == arrayOf(carrier, dimensions) && member.flexible()) {
                mistakes.add(
                        struct,
                        method.getName(),
                        "a flexible array has no length to copy; give its accessors an index, or"
                                + " return its MemorySegment");
                return Optional.empty();
            }
            if (value == arrayOf(carrier, dimensions) && !member.fitsInJavaArrays()) {
                mistakes.add(struct, method.getName(), MemberDescription.TOO_LONG_TO_COPY);
                return Optional.empty();
            }
            if (value == arrayOf(carrier, dimensions)) {
                return Optional.of(
                        new Accessor(
                                method,
                                writes
                                        ? Accessor.Ordinary.SET_ARRAY
                                        : Accessor.Ordinary.GET_ARRAY));
            }
        }
        mistakes.add(
                struct,
                method.getName(),
                String.format(
                        Locale.ROOT,
                        "accessors disagree: %s, the others have %s%s",
                        method.toGenericString(),
                        carrier.getSimpleName(),
                        dimensions == 0
                                ? ""
                                : String.format(Locale.ROOT, " with %d index(es)", dimensions)));
        return Optional.empty();
    }

    private static Class<?> arrayOf(Class<?> element, int dimensions) {
        Class<?> array = element;
        for (int i = 0; i < dimensions; i++) {
            array = array.arrayType();
        }
        return array;
    }

    private Optional<Accessor> operation(MemberDescription member, Method method) {
        Optional<VarHandle.AccessMode> mode =
                Arrays.stream(VarHandle.AccessMode.values())
                        .filter(m -> method.getName().startsWith(m.methodName()))
                        .max(Comparator.comparingInt(m -> m.methodName().length()));
        if (mode.isEmpty()) {
            mistakes.add(
                    struct,
                    method.getName(),
                    "begins with no operation of VarHandle, such as compareAndSet, getAndAdd or"
                            + " setRelease");
            return Optional.empty();
        }
        if (!(member.element() instanceof Element.Plain plain) || member.bits() > 0) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                            Locale.ROOT,
                            "%s is no primitive or pointer, which alone have atomic operations",
                            member.name()));
            return Optional.empty();
        }
        VarHandle handle = plain.layout().varHandle();
        if (!handle.isAccessModeSupported(mode.get())) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                            Locale.ROOT,
                            "%s is not possible on %s %s",
                            mode.get().methodName(),
                            plain.carrier().getSimpleName(),
                            member.name()));
            return Optional.empty();
        }
        MethodType wanted = handle.accessModeType(mode.get());
        List<Class<?>> parameters = List.of(method.getParameterTypes());
        int indexes = member.lengths().length;
        List<Class<?>> arguments = wanted.parameterList().subList(2, wanted.parameterCount());
        boolean fits =
                parameters.size() == indexes + arguments.size()
                        && parameters.subList(0, indexes).stream().allMatch(AccessorReader::isIndex)
                        && parameters.subList(indexes, parameters.size()).equals(arguments)
                        && method.getReturnType() == wanted.returnType();
        if (!fits) {
            mistakes.add(
                    struct,
                    method.getName(),
                    String.format(
                            Locale.ROOT,
                            "%s on %s takes %s%s and returns %s",
                            mode.get().methodName(),
                            member.name(),
                            indexes == 0 ? "" : indexes + " index(es), then ",
                            arguments.stream().map(Class::getSimpleName).toList(),
                            wanted.returnType().getSimpleName()));
            return Optional.empty();
        }
        return Optional.of(new Accessor(method, new Accessor.Operation(mode.get())));
    }
}
