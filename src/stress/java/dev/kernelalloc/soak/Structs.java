package dev.kernelalloc.soak;

import dev.kernelalloc.soak.Leaf.Step;
import dev.kernelalloc.soak.Shape.Kind;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Random structs, written and read in every way: by a view, by a record, by a handle of {@code
 * StructType}, and as bytes at the offset in the model. The model is an array of bytes; after every
 * write all of the memory, and its surroundings, are compared with it.
 */
final class Structs implements Scenario {

    private static final int SHAPES = 10;
    private static final int STEPS = 400;
    private static final int AROUND_BYTES = 64;
    private static final byte AROUND = 0x5A;

    private long shapes;
    private long steps;

    @Override
    public void round(long seed) throws Exception {
        Random random = Scenario.random(seed);
        List<Shape> all = new ArrayList<>();
        for (int i = 0; i < SHAPES; i++) {
            all.add(Shape.random(random, "S" + i));
        }
        String source = Declaration.source(all);
        Declaration.compiled(
                source,
                loader -> {
                    MethodHandles.Lookup lookup =
                            (MethodHandles.Lookup)
                                    loader.loadClass("Generated").getMethod("lookup").invoke(null);
                    for (Shape shape : all) {
                        try {
                            new Trial(shape, lookup, random).run();
                        } catch (Exception e) {
                            Mismatch of = new Mismatch(shape.name() + ": " + e + "\n" + source);
                            of.initCause(e);
                            throw of;
                        }
                        shapes++;
                    }
                });
    }

    @Override
    public String summary() {
        return "%d structs, %d steps".formatted(shapes, steps);
    }

    /** How a value is reached. */
    private enum Way {
        VIEW,
        HANDLE,
        VAR_HANDLE,
        RECORD,
        BYTES
    }

    /** The handles of a value, each null where there is none. */
    private record Handles(MethodHandle getter, MethodHandle setter, VarHandle variable) {

        static Handles of(StructType<?> type, Leaf leaf) {
            String path = leaf.path();
            boolean isRaw = leaf.kind() instanceof Kind.Raw;
            return new Handles(
                    isRaw ? null : type.getter(path),
                    isRaw ? null : type.setter(path),
                    leaf.kind() instanceof Kind.One ? type.varHandle(path) : null);
        }
    }

    /** One struct in two places. */
    private final class Trial {

        private final Shape shape;
        private final Random random;
        private final List<Leaf> leaves;
        private final StructType<Object> views;

        /** Null where there is a union. */
        private final StructType<Object> records;

        private final List<Place> places;
        private final Map<Leaf, Handles> handles = new IdentityHashMap<>();

        Trial(Shape shape, MethodHandles.Lookup lookup, Random random) throws Exception {
            this.shape = shape;
            this.random = random;
            this.leaves = Leaf.of(shape);
            this.views = type(lookup, "V");
            this.records = shape.hasUnion() ? null : type(lookup, "R");
            Arena arena = Arena.ofAuto();
            this.places = List.of(new Place(arena), new Place(arena));
            for (StructType<?> type : records == null ? List.of(views) : List.of(views, records)) {
                Mismatch.requireEqual(shape.byteSize(), type.byteSize(), "the size of " + type);
                Mismatch.requireEqual(
                        shape.byteAlignment(), type.byteAlignment(), "the alignment of " + type);
            }
        }

        @SuppressWarnings("unchecked")
        private StructType<Object> type(MethodHandles.Lookup lookup, String prefix)
                throws Exception {
            return (StructType<Object>)
                    StructType.of(lookup, lookup.findClass("Generated$" + prefix + shape.name()));
        }

        /** Memory and its contents by the model. */
        private final class Place {

            final MemorySegment memory;
            final long offset;
            final MemorySegment struct;
            final byte[] image;

            Place(Arena arena) {
                long alignment = Math.max(AROUND_BYTES, shape.byteAlignment());
                offset = alignment;
                memory = arena.allocate(2 * alignment + shape.byteSize(), alignment);
                memory.fill(AROUND);
                struct = memory.asSlice(offset, shape.byteSize());
                image = new byte[shape.byteSize()];
                random.nextBytes(image);
                leaves.forEach(leaf -> leaf.randomize(image, random));
                struct.copyFrom(MemorySegment.ofArray(image));
            }

            Object view() {
                return random.nextBoolean() ? views.get(memory, offset) : views.get(struct);
            }

            void check(String what) {
                Mismatch.require(
                        struct.mismatch(MemorySegment.ofArray(image)) < 0,
                        what
                                + ": the bytes differ at "
                                + struct.mismatch(MemorySegment.ofArray(image)));
                for (long i = 0; i < offset; i++) {
                    long behind = offset + shape.byteSize() + i;
                    Mismatch.require(
                            memory.get(ValueLayout.JAVA_BYTE, i) == AROUND
                                    && memory.get(ValueLayout.JAVA_BYTE, behind) == AROUND,
                            what + ": a byte around the struct was written");
                }
            }
        }

        void run() throws Exception {
            for (int i = 0; i < STEPS; i++) {
                Place place = places.get(random.nextInt(2));
                String what = step(place, places.get(random.nextInt(2)));
                place.check(what);
                Leaf leaf = leaves.get(random.nextInt(leaves.size()));
                for (Way way : Way.values()) {
                    if (isPossible(way, leaf)) {
                        Mismatch.requireEqual(
                                leaf.normal(place.image),
                                read(place, leaf, way),
                                "%s read by %s after %s".formatted(leaf.path(), way, what));
                    }
                }
                steps++;
            }
        }

        private String step(Place place, Place other) throws Exception {
            switch (random.nextInt(12)) {
                case 0 -> {
                    views.set(place.struct, other.view());
                    System.arraycopy(other.image, 0, place.image, 0, place.image.length);
                    return "a copy of a view";
                }
                case 1 -> {
                    views.clear(place.memory.asSlice(place.offset));
                    Arrays.fill(place.image, (byte) 0);
                    leaves.forEach(
                            leaf -> {
                                leaf.randomize(place.image, random); // 0 is no color
                            });
                    place.struct.copyFrom(MemorySegment.ofArray(place.image));
                    return "clear";
                }
                case 2 -> {
                    if (records != null) {
                        records.set(place.memory, place.offset, records.get(other.struct));
                        leaves.forEach(leaf -> leaf.copy(other.image, place.image));
                    }
                    return "a copy of a record";
                }
                default -> {
                    Leaf leaf = leaves.get(random.nextInt(leaves.size()));
                    Way way;
                    do {
                        way = Way.values()[random.nextInt(Way.values().length)];
                    } while (!isPossible(way, leaf));
                    leaf.randomize(place.image, random);
                    write(place, leaf, way);
                    return "%s written by %s".formatted(leaf.path(), way);
                }
            }
        }

        /** There is no VarHandle of bits or strings, and no record of a union. */
        private boolean isPossible(Way way, Leaf leaf) {
            return switch (way) {
                case RECORD -> records != null;
                case VAR_HANDLE -> leaf.kind() instanceof Kind.One;
                case HANDLE -> !(leaf.kind() instanceof Kind.Raw);
                default -> true;
            };
        }

        private Object read(Place place, Leaf leaf, Way way) throws Exception {
            return switch (way) {
                case VIEW -> {
                    Object value = call(owner(place, leaf), leaf.steps().getLast(), null);
                    yield Records.found(leaf, value);
                }
                case HANDLE -> Records.found(leaf, invoked(() -> handleGet(leaf, place)));
                case VAR_HANDLE -> {
                    VarHandle handle = handles(leaf).variable;
                    Object value = handle.get(place.memory, place.offset);
                    long bits = ((Number) number(value)).longValue();
                    int width = Shape.bytesOf(leaf.kind()) * Byte.SIZE;
                    yield ((Kind.One) leaf.kind()).scalar().normalOf(bits & Scalar.mask(width));
                }
                case RECORD -> Records.value(records.get(place.memory, place.offset), leaf);
                case BYTES -> leaf.normal(place.struct.toArray(ValueLayout.JAVA_BYTE));
            };
        }

        private void write(Place place, Leaf leaf, Way way) throws Exception {
            Object value = leaf.value(place.image);
            switch (way) {
                case VIEW -> {
                    Object owner = owner(place, leaf);
                    Step last = leaf.steps().getLast();
                    if (leaf.kind() instanceof Kind.Raw) {
                        ((MemorySegment) call(owner, last, null))
                                .copyFrom(
                                        (MemorySegment)
                                                Records.argument(MemorySegment.class, value));
                    } else {
                        call(owner, last, value);
                    }
                }
                case HANDLE -> invoked(() -> handleSet(leaf, place, value));
                case VAR_HANDLE -> {
                    VarHandle handle = handles(leaf).variable;
                    long bits = leaf.bits(place.image);
                    handle.set(place.memory, place.offset, carrier(handle.varType(), bits));
                }
                case RECORD ->
                        records.set(place.struct, Records.of(records.type(), shape, place.image));
                case BYTES -> {
                    byte[] bytes = place.struct.toArray(ValueLayout.JAVA_BYTE);
                    leaf.copy(place.image, bytes);
                    place.struct.copyFrom(MemorySegment.ofArray(bytes));
                }
            }
        }

        private Handles handles(Leaf leaf) {
            return handles.computeIfAbsent(leaf, key -> Handles.of(views, key));
        }

        private Object handleGet(Leaf leaf, Place place) throws Throwable {
            return handles(leaf).getter.invoke(place.memory, place.offset);
        }

        private Object handleSet(Leaf leaf, Place place, Object value) throws Throwable {
            MethodHandle setter = handles(leaf).setter;
            setter.invoke(
                    place.memory,
                    place.offset,
                    Records.argument(setter.type().parameterType(2), value));
            return null;
        }

        /** The view that has the last step's accessor. */
        private Object owner(Place place, Leaf leaf) throws Exception {
            Object view = place.view();
            for (Step step : leaf.steps().subList(0, leaf.steps().size() - 1)) {
                view = call(view, step, null);
            }
            return view;
        }
    }

    private interface Invocation {
        Object run() throws Throwable;
    }

    private static Object invoked(Invocation invocation) throws Exception {
        try {
            return invocation.run();
        } catch (Exception | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Calls the getter of a step, or with a value its setter. */
    private static Object call(Object view, Step step, Object value) throws Exception {
        int parameters = step.indexes().size() + (value == null ? 0 : 1);
        String name = step.shape().accessor(step.field(), value != null);
        for (Class<?> declared : view.getClass().getInterfaces()) {
            for (Method method : declared.getMethods()) {
                if (method.getName().equals(name)
                        && method.getParameterCount() == parameters
                        && method.getReturnType() == void.class == (value != null)) {
                    List<Object> arguments = new ArrayList<>(step.indexes());
                    if (value != null) {
                        arguments.add(
                                Records.argument(
                                        method.getParameterTypes()[parameters - 1], value));
                    }
                    return method.invoke(view, arguments.toArray());
                }
            }
        }
        throw new Mismatch("no accessor " + name + " in " + view.getClass());
    }

    /** The raw bits of what a VarHandle has read. */
    private static Object number(Object value) {
        return value instanceof Boolean truth ? truth ? 1 : 0 : Scalar.normal(value);
    }

    private static Object carrier(Class<?> type, long bits) {
        if (type == boolean.class) {
            return bits != 0;
        } else if (type == byte.class) {
            return (byte) bits;
        } else if (type == short.class) {
            return (short) bits;
        } else if (type == char.class) {
            return (char) bits;
        } else if (type == int.class) {
            return (int) bits;
        } else if (type == float.class) {
            return Float.intBitsToFloat((int) bits);
        } else if (type == double.class) {
            return Double.longBitsToDouble(bits);
        } else if (type == MemorySegment.class) {
            return MemorySegment.ofAddress(bits);
        }
        return bits;
    }
}
