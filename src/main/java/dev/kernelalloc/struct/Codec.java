package dev.kernelalloc.struct;

import static java.lang.invoke.MethodType.methodType;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;

/**
 * How a value gets out of memory and into it, as handles that generated code loads as constants:
 * the compiler then sees through them. The value is a primitive, or erased to {@code Object}.
 *
 * @param getter {@code (MemorySegment, long offset)value}
 * @param setter {@code (MemorySegment, long offset, value)void}
 */
record Codec(MethodHandle getter, MethodHandle setter) {

    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();

    /** Reads an object: {@code (MemorySegment, long)Object}. */
    static final MethodType OBJECT_GETTER =
            methodType(Object.class, MemorySegment.class, long.class);

    private static final MethodType OBJECT_SETTER =
            methodType(void.class, MemorySegment.class, long.class, Object.class);
    private static final MethodType LONG_GETTER = OBJECT_GETTER.changeReturnType(long.class);
    private static final MethodType LONG_SETTER = OBJECT_SETTER.changeParameterType(2, long.class);

    /** C takes any integer but 0 for true: {@code (long)boolean}. */
    private static final MethodHandle IS_NOT_ZERO;

    static {
        try {
            IS_NOT_ZERO =
                    LOOKUP.findStatic(
                            Codec.class, "isNotZero", methodType(boolean.class, long.class));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static boolean isNotZero(long value) {
        return value != 0;
    }

    /** The codec of one value of a member: of an array, of one element. */
    static Codec ofElement(Member member) {
        return switch (member.element()) {
            case Element.Plain plain -> {
                Codec exact = storage(member.accessLayout(plain.layout()), member.mode());
                yield plain.isPointer()
                        ? new Codec(
                                exact.getter.asType(OBJECT_GETTER),
                                exact.setter.asType(OBJECT_SETTER))
                        : exact;
            }
            case Element.Integral integral -> {
                Codec longs = integer(member, integral.layout(), integral.signed());
                Class<?> carrier = integral.carrier();
                MethodHandle getter =
                        carrier == boolean.class
                                ? MethodHandles.filterReturnValue(longs.getter, IS_NOT_ZERO)
                                : MethodHandles.explicitCastArguments(
                                        longs.getter, LONG_GETTER.changeReturnType(carrier));
                yield new Codec(
                        getter,
                        MethodHandles.explicitCastArguments(
                                longs.setter, LONG_SETTER.changeParameterType(2, carrier)));
            }
            case Element.Enumerated enumerated -> {
                Codec longs = ofStored(member);
                EnumTable table = enumerated.table();
                yield new Codec(
                        MethodHandles.filterReturnValue(
                                longs.getter,
                                bind(table, "constant", methodType(Object.class, long.class))),
                        MethodHandles.filterArguments(
                                longs.setter,
                                2,
                                bind(table, "value", methodType(long.class, Object.class))));
            }
            case Element.Characters characters ->
                    of(characters.text(), OBJECT_GETTER, OBJECT_SETTER);
            case Element.Bytes bytes ->
                    of(
                            new InlineBytes(member.name(), bytes.layout().byteSize()),
                            OBJECT_GETTER,
                            OBJECT_SETTER);
            case Element.Nested nested ->
                    of(nested.model().structType(), OBJECT_GETTER, OBJECT_SETTER);
            case Element.Reference reference ->
                    of(
                            new PointerCodec(
                                    reference.target(), address(member, reference.layout())),
                            OBJECT_GETTER,
                            OBJECT_SETTER);
            case Element.TextPointer text ->
                    of(
                            new TextPointerCodec(
                                    text.struct(), member.name(), address(member, text.layout())),
                            OBJECT_GETTER,
                            OBJECT_SETTER);
        };
    }

    /** The codec of a whole array. */
    static Codec ofArray(Member member) {
        Codec codec = ofElement(member);
        Class<?> arrayType = member.element().carrier().arrayType();
        long stride = member.element().layout().byteSize();
        long[] lengths = member.lengths();
        for (int dimension = lengths.length - 1; dimension >= 0; dimension--) {
            int length = Math.toIntExact(lengths[dimension]);
            InlineArray.Values values =
                    member.element() instanceof Element.Plain plain
                                    && dimension == lengths.length - 1
                                    && plain.carrier().isPrimitive()
                                    && plain.carrier() != boolean.class
                            ? new InlineArray.Bulk(plain.layout().withByteAlignment(1))
                            : InlineArray.Single.of(codec, arrayType);
            MethodHandle newArray =
                    MethodHandles.arrayConstructor(arrayType)
                            .asType(methodType(Object.class, int.class));
            codec =
                    of(
                            new InlineArray(member.name(), length, stride, newArray, values),
                            OBJECT_GETTER,
                            OBJECT_SETTER);
            arrayType = arrayType.arrayType();
            stride *= length;
        }
        return codec;
    }

    /** Copies the bytes of a view: {@code (MemorySegment, long offset, Object view)void}. */
    static MethodHandle ofView(StructModel model) {
        return bind(new ViewBytes(model), "set", OBJECT_SETTER);
    }

    /** Shows the struct at a place: {@code (MemorySegment, long offset)String}. */
    static MethodHandle ofText(StructModel model) {
        return bind(model, "show", OBJECT_GETTER.changeReturnType(String.class));
    }

    /** The codec of the integer that an enum is stored in, as a {@code long}. */
    static Codec ofStored(Member member) {
        Element.Enumerated enumerated = (Element.Enumerated) member.element();
        return integer(member, enumerated.layout(), enumerated.signed());
    }

    private static Codec integer(Member member, ValueLayout layout, boolean signed) {
        if (member.bits() > 0) {
            int firstBit = (int) (member.bitOffset() % 8);
            IntegerRange range = new IntegerRange(member.name(), member.bits(), signed);
            return of(new BitField(firstBit, range, member.order()), LONG_GETTER, LONG_SETTER);
        }
        Codec raw = storage(member.accessLayout(layout), member.mode());
        MethodHandle getter = MethodHandles.explicitCastArguments(raw.getter, LONG_GETTER);
        MethodHandle setter = MethodHandles.explicitCastArguments(raw.setter, LONG_SETTER);
        IntegerRange range =
                new IntegerRange(member.name(), Math.toIntExact(layout.byteSize() * 8), signed);
        if (range.bits() == 64) {
            return new Codec(getter, setter);
        }
        MethodType unary = methodType(long.class, long.class);
        return new Codec(
                MethodHandles.filterReturnValue(getter, bind(range, "widen", unary)),
                MethodHandles.filterArguments(setter, 2, bind(range, "check", unary)));
    }

    private static AddressCodec address(Member member, AddressLayout layout) {
        ValueLayout number =
                ValueLayout.JAVA_LONG
                        .withOrder(layout.order())
                        .withByteAlignment(layout.byteAlignment());
        return new AddressCodec(member.accessLayout(number).varHandle(), member.mode());
    }

    private static Codec storage(ValueLayout layout, MemoryOrder mode) {
        VarHandle handle = layout.varHandle();
        return new Codec(
                handle.toMethodHandle(mode.reading()), handle.toMethodHandle(mode.writing()));
    }

    private static Codec of(Object receiver, MethodType getter, MethodType setter) {
        return new Codec(bind(receiver, "get", getter), bind(receiver, "set", setter));
    }

    private static MethodHandle bind(Object receiver, String method, MethodType type) {
        Class<?> declaring =
                receiver instanceof StructType<?> ? StructType.class : receiver.getClass();
        try {
            return LOOKUP.findVirtual(declaring, method, type).bindTo(receiver);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(declaring + "." + method + type, e);
        }
    }

    /**
     * The shape of a step that copies one element: {@code (MemorySegment, long, array, int
     * index)void}.
     */
    static MethodType arrayStep(Class<?> arrayType) {
        return methodType(void.class, MemorySegment.class, long.class, arrayType, int.class);
    }

    /**
     * Handles declare {@code Throwable}; nothing reached through them throws a checked exception.
     */
    static RuntimeException unchecked(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            return exception;
        }
        throw new LinkageError("a checked exception out of a codec", thrown);
    }
}
