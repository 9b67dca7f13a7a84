package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Every kind of mistake in a description is found, with the member's name and what would be right.
 */
class StructMistakesTest {

    record Point(int x, int y) {}

    record Self(int a, Self self) {}

    record Ping(Pong pong) {}

    record Pong(Ping ping) {}

    interface SelfView {
        SelfView inside();
    }

    interface Disagree {
        int value();

        void value(long value);
    }

    interface DisagreeOnAnnotation {
        @Align(8)
        int value();

        @Align(16)
        void value(int value);
    }

    interface Verb {
        int value();

        boolean act(String with);
    }

    interface Nothing {
        void act();
    }

    interface Clash {
        int asSegment();
    }

    interface HashCode {
        int id();

        @Override
        int hashCode();
    }

    interface ToStringMember {
        @Length(8)
        @Override
        String toString();
    }

    interface SetToString {
        @Override
        String toString();

        @Length(8)
        void toString(String value);
    }

    interface EqualsMember {
        int equals(int index);
    }

    interface Mixture {
        int getFirst();

        int second();
    }

    interface WithoutName {
        int get();

        void set(int value);
    }

    interface SetterAlone {
        int getFirst();

        void setSecond(int value);
    }

    interface UnderscoreSetter {
        int get_first();

        void set_second(int value);
    }

    interface TwoGetters {
        boolean isOpen();

        boolean getOpen();
    }

    interface BeanTypes {
        int getValue();

        void setValue(long value);
    }

    interface Any {
        Number any();
    }

    interface Narrower extends Any {
        @Override
        Integer any();
    }

    interface FirstBranch {
        int value();
    }

    interface SecondBranch {
        default int value() {
            return 1;
        }
    }

    interface DisagreeingFirst {
        @Align(8)
        int value();
    }

    interface DisagreeingSecond {
        @Align(16)
        int value();
    }

    interface Disagreeing extends DisagreeingFirst, DisagreeingSecond {}

    interface Parameter<E> {
        int id();

        E value();
    }

    interface Argument extends Parameter<Point> {}

    interface AnnotatedBody {
        int id();

        @Align(8)
        default int twice() {
            return 2 * id();
        }
    }

    interface AnnotatedStatic {
        int id();

        @Align(8)
        static int one() {
            return 1;
        }
    }

    interface AnnotatedOperation {
        int count();

        @Align(8)
        @Atomic("count")
        int getAndAddCount(int delta);
    }

    interface ScalaVar {
        int value();

        void value_$eq(int value);
    }

    interface OtherTargets {
        Pointer<Point> next();

        void next(Pointer<Ping> value);
    }

    @Struct(order = Endian.BIG)
    interface BigEndian {
        int id();
    }

    interface LosesOrder extends BigEndian {
        int more();
    }

    @Union
    interface Either {
        int bits();

        float real();
    }

    interface LosesUnion extends Either {
        int more();
    }

    record AnnotatedMethod(int id) {
        @Align(8)
        int twice() {
            return 2 * id;
        }
    }

    record ContradictingAccessor(@Align(8) int id) {
        @Align(16)
        @Override
        public int id() {
            return id;
        }
    }

    record ShortTruth(@C(CType.UNSIGNED_SHORT) boolean value) {}

    interface Empty {}

    record EmptyRecord() {}

    record NoLength(int[] values) {}

    record WrongDimensions(@Length({2, 3}) int[] values) {}

    record LengthWithoutArray(@Length(2) int value) {}

    record NegativeLength(@Length(-1) int[] values) {}

    record NoLengths(@Length({}) int[] values) {}

    record Overflow(
            @Length({2_000_000_000, 2_000_000_000}) Point[][] values,
            @Length({2_000_000_000, 2_000_000_000}) Point[][] more) {}

    record TooLong(@Length(3_000_000_000L) byte[] values) {}

    record TooManyBytes(@Length(3_000_000_000L) MemorySegment bytes) {}

    interface TooLongCopy {
        @Length(3_000_000_000L)
        byte values(long index);

        byte[] values();
    }

    record Unsupported(Integer boxed, List<String> list, Object any) {}

    interface Box<E> {
        int value();
    }

    record Generic(Box<String> box) {}

    record RawPointer(@SuppressWarnings("rawtypes") Pointer pointer) {}

    record WildPointer(Pointer<?> pointer) {}

    record NoTextLength(String text) {}

    record NoCharset(@Length(4) @Text(charset = "none such") String text) {}

    record TextOnInt(@Text int value) {}

    record CtypeOnFloat(@C(CType.LONG) float value) {}

    record Narrow(@C(CType.LONG) int value) {}

    record TooWide(@Bits(33) int value) {}

    record NoBits(@Bits(0) int value) {}

    record BitArray(@Bits(3) @Length(2) int[] values) {}

    record BitFloat(@Bits(3) float value) {}

    record BitBoolean(@Bits(2) boolean value) {}

    record BitOffset(@Bits(2) @Offset(4) int value) {}

    record GapOfFloat(@UnnamedBits(value = 0, type = float.class) int value) {}

    record GapTooWide(@UnnamedBits(33) int value) {}

    record OddAlign(@Align(3) int value) {}

    @Struct(align = 3)
    record OddStructAlign(int value) {}

    @Struct(size = 2)
    record TooSmall(int value) {}

    @Struct(size = 6)
    record UnevenSize(int value) {}

    record NegativeOffset(@Offset(-4) int value) {}

    record OddOffset(@Offset(2) int value) {}

    record Overlap(long a, @Offset(4) int b) {}

    @Union
    record UnionRecord(int a, float b) {}

    @Union
    interface OffsetInUnion {
        @Offset(0)
        int a();
    }

    record FlexibleRecord(int a, @Flexible int[] values) {}

    interface FlexibleFirst {
        @Flexible
        int values(int index);

        int after();
    }

    interface FlexibleAlone {
        @Flexible
        int values(int index);
    }

    interface FlexibleCopy {
        int a();

        @Flexible
        int[] values();
    }

    interface Tail {
        int a();

        @Flexible
        int values(int index);
    }

    interface HoldsTail {
        Tail tail();
    }

    record VolatileStruct(@Access(MemoryOrder.VOLATILE) Point point) {}

    record VolatileBits(@Access(MemoryOrder.VOLATILE) @Bits(3) int value) {}

    @Struct(packed = true)
    record PackedVolatile(byte a, @Access(MemoryOrder.VOLATILE) int b) {}

    record HasVolatile(byte a, @Access(MemoryOrder.OPAQUE) int b) {}

    @Struct(packed = true)
    record PackedAround(byte a, HasVolatile inner) {}

    interface AtomicOnNothing {
        int a();

        @Atomic("b")
        int getAndAddB(int delta);
    }

    interface AtomicUnknown {
        int a();

        @Atomic("a")
        int incrementA();
    }

    interface AtomicShape {
        int a();

        @Atomic("a")
        int getAndAddA(long delta);
    }

    interface AtomicOnByte {
        byte a();

        @Atomic("a")
        boolean compareAndSetA(byte expected, byte value);
    }

    interface AtomicOnStruct {
        Point a();

        @Atomic("a")
        Point getVolatileA();
    }

    @Struct(packed = true)
    interface AtomicPacked {
        byte a();

        int b();

        @Atomic("b")
        int getAndAddB(int delta);
    }

    enum Bare {
        @EnumValue(1)
        ONE,
        TWO
    }

    enum Twice {
        @EnumValue(1)
        ONE,
        @EnumValue(1)
        UNO
    }

    enum Large {
        @EnumValue(256)
        LARGE
    }

    record BareEnum(Bare value) {}

    record TwiceEnum(Twice value) {}

    record LargeEnum(@C(CType.UNSIGNED_CHAR) Large value) {}

    sealed interface Sealed {
        int a();
    }

    static final class Permitted implements Sealed {
        @Override
        public int a() {
            return 0;
        }
    }

    @interface Note {
        int value();
    }

    static Stream<Arguments> mistakes() {
        return Stream.of(
                of(
                        Self.class,
                        "Self.self: Self contains itself (Self in Self); a Pointer can close the"
                                + " circle"),
                of(Ping.class, "Pong.ping: Ping contains itself (Ping in Pong in Ping)"),
                of(SelfView.class, "SelfView.inside: SelfView contains itself"),
                of(Disagree.class, "Disagree.value: accessors disagree"),
                of(DisagreeOnAnnotation.class, "accessors disagree on @Align; one is enough"),
                of(
                        Verb.class,
                        "Verb.act: public abstract boolean",
                        "is neither a getter nor a setter"),
                of(Nothing.class, "Nothing.act: reads and writes nothing"),
                of(
                        Clash.class,
                        "Clash.asSegment: is a method of every view (StructView); choose another"
                                + " name"),
                of(HashCode.class, "HashCode.hashCode: is a method of every object"),
                of(ToStringMember.class, "ToStringMember.toString: is a method of every object"),
                of(SetToString.class, "SetToString.toString: is a method of every object"),
                of(EqualsMember.class, "EqualsMember.equals: is a method of every object"),
                of(
                        Mixture.class,
                        "Mixture.getFirst: is named with get, set or is, and second is not; name"
                                + " all accessors one way"),
                of(
                        WithoutName.class,
                        "WithoutName.set: and get or is would be two members, one read and one"
                                + " written"),
                of(SetterAlone.class, "SetterAlone.setSecond: has no getter"),
                of(UnderscoreSetter.class, "UnderscoreSetter.set_second: has no getter"),
                of(TwoGetters.class, "TwoGetters.isOpen: and getOpen are getters of one member"),
                of(BeanTypes.class, "BeanTypes.setValue: accessors disagree"),
                of(
                        Narrower.class,
                        "Narrower.any: has the type java.lang.Number in Any; no sub-interface can"
                                + " change it"),
                of(Disagreeing.class, "accessors disagree on @Align; one is enough"),
                of(Argument.class, "Argument.value: E has no place in C memory"),
                of(AnnotatedBody.class, "AnnotatedBody.twice: has a body, so its @Align"),
                of(AnnotatedStatic.class, "AnnotatedStatic.one: has a body, so its @Align"),
                of(
                        AnnotatedOperation.class,
                        "AnnotatedOperation.getAndAddCount: @Align belongs to the accessors"),
                of(ScalaVar.class, "ScalaVar.value_$eq: is the setter of a var of Scala"),
                of(OtherTargets.class, "OtherTargets.next: accessors disagree"),
                of(
                        LosesOrder.class,
                        "LosesOrder: extends BigEndian, whose @Struct is not inherited; repeat it"),
                of(LosesUnion.class, "LosesUnion: extends the @Union Either, and is none"),
                of(
                        AnnotatedMethod.class,
                        "AnnotatedMethod.twice: is no component, so its @Align describes no"
                                + " member"),
                of(ContradictingAccessor.class, "accessors disagree on @Align; one is enough"),
                of(ShortTruth.class, "boolean cannot hold every value of unsigned short"),
                of(Empty.class, "Empty: has no members"),
                of(EmptyRecord.class, "EmptyRecord: has no members"),
                of(
                        NoLength.class,
                        "NoLength.values: an inline array needs a length for each dimension:"
                                + " @Length"),
                of(WrongDimensions.class, "has 1 dimension(s) in Java and 2 by its @Length"),
                of(LengthWithoutArray.class, "has 0 dimension(s) in Java and 1 by its @Length"),
                of(NegativeLength.class, "@Length(-1) is not positive"),
                of(NoLengths.class, "@Length has no lengths"),
                of(Overflow.class, "Overflow: is larger than memory can be"),
                of(TooLong.class, "TooLong.values: is longer than a Java array can be"),
                of(TooManyBytes.class, "TooManyBytes.bytes: is longer than a Java array can be"),
                of(TooLongCopy.class, "TooLongCopy.values: is longer than a Java array can be"),
                of(
                        Unsupported.class,
                        "Unsupported.boxed: java.lang.Integer has no place in C memory",
                        "Unsupported.list: java.util.List<java.lang.String> has no place in C"
                                + " memory",
                        "Unsupported.any: java.lang.Object has no place in C memory"),
                of(Generic.class, "is generic, a struct is not"),
                of(RawPointer.class, "does not name the struct it points to: Pointer<S>"),
                of(WildPointer.class, "does not name the struct it points to: Pointer<S>"),
                of(NoTextLength.class, "give its length in characters with @Length"),
                of(NoCharset.class, "there is no charset \"none such\""),
                of(TextOnInt.class, "@Text belongs to a String"),
                of(CtypeOnFloat.class, "@C belongs to an integer or an enum, not to float"),
                of(Narrow.class, "int cannot hold every value of long; use a wider Java type"),
                of(TooWide.class, "int cannot hold every value of 33 bits"),
                of(NoBits.class, "@Bits(0) is not within 1 and 32"),
                of(BitArray.class, "C has no arrays of bit-fields"),
                of(BitFloat.class, "a bit-field is an integer, a boolean or an enum"),
                of(BitBoolean.class, "boolean cannot hold every value of 2 bits"),
                of(BitOffset.class, "the place of a bit-field follows from the ones before it"),
                of(GapOfFloat.class, "@UnnamedBits has the type float; use an integer type"),
                of(GapTooWide.class, "@UnnamedBits(33) is not within 0 and 32"),
                of(OddAlign.class, "OddAlign.value: @Align(3) is no power of two"),
                of(OddStructAlign.class, "@Struct(align = 3) is no power of two"),
                of(TooSmall.class, "size 2 is not possible: its members need 4 bytes"),
                of(UnevenSize.class, "size 6 is not possible"),
                of(NegativeOffset.class, "@Offset(-4) is negative"),
                of(OddOffset.class, "offset 2 is no multiple of its alignment 4"),
                of(
                        Overlap.class,
                        "Overlap.b: offset 4 is inside a, which ends at 8; overlapping members"
                                + " belong in a @Union"),
                of(UnionRecord.class, "a record copies every member, so it cannot be a @Union"),
                of(OffsetInUnion.class, "a member of a @Union begins at offset 0"),
                of(FlexibleRecord.class, "a record cannot copy a flexible array"),
                of(FlexibleFirst.class, "only the last member of a struct can be @Flexible"),
                of(FlexibleAlone.class, "a @Flexible member needs another in front of it"),
                of(FlexibleCopy.class, "a flexible array has no length to copy"),
                of(HoldsTail.class, "Tail ends in a flexible array, so nothing can contain it"),
                of(
                        VolatileStruct.class,
                        "@Access(VOLATILE) needs a member that one instruction accesses"),
                of(
                        VolatileBits.class,
                        "@Access(VOLATILE) needs a member that one instruction accesses"),
                of(
                        PackedVolatile.class,
                        "PackedVolatile.b: its access mode needs alignment 4, but it is at offset"
                                + " 1"),
                of(
                        PackedAround.class,
                        "PackedAround.inner: its access mode needs alignment 4, but it is at"
                                + " offset 1"),
                of(
                        AtomicOnNothing.class,
                        "AtomicOnNothing.getAndAddB: @Atomic(\"b\") names no member"),
                of(AtomicUnknown.class, "begins with no operation of VarHandle"),
                of(AtomicShape.class, "getAndAdd on a takes [int] and returns int"),
                of(AtomicOnByte.class, "compareAndSet is not possible on byte a"),
                of(
                        AtomicOnStruct.class,
                        "a is no primitive or pointer, which alone have atomic operations"),
                of(AtomicPacked.class, "AtomicPacked.b: its access mode needs alignment 4"),
                of(BareEnum.class, "BareEnum.value: Bare.TWO has no @EnumValue"),
                of(TwiceEnum.class, "Twice.ONE and UNO have the same value 1"),
                of(LargeEnum.class, "Large.LARGE = 256 does not fit in 8 unsigned bits"),
                of(Sealed.class, "Sealed is sealed, so a view cannot implement it"),
                of(String.class, "String: is neither a record nor an interface"),
                of(Note.class, "Note: is neither a record nor an interface"),
                of(MemorySegment.class, "StructType.of(MemoryLayout) returns structs as segments"));
    }

    private static Arguments of(Class<?> type, String... mistakes) {
        return Arguments.of(type, List.of(mistakes));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mistakes")
    void isReported(Class<?> type, List<String> mistakes) {
        StructDefinitionException e = refused(MethodHandles.lookup(), type);
        assertThat(e.mistakes()).hasSize(mistakes.size() > 2 ? mistakes.size() : 1);
        mistakes.forEach(mistake -> assertThat(e).hasMessageContaining(mistake));
    }

    @Test
    void allMistakesOfAllStructsAreReportedTogether() {
        record Inner(int[] noLength, @Align(3) int odd) {}
        record Outer(Inner inner, Object any, Pointer<NoTextLength> pointer) {}
        assertThat(refused(MethodHandles.lookup(), Outer.class).mistakes())
                .containsExactly(
                        "Inner.noLength: an inline array needs a length for each dimension:"
                                + " @Length",
                        "Inner.odd: @Align(3) is no power of two",
                        "Outer.any: java.lang.Object has no place in C memory; a member is a"
                            + " primitive, MemorySegment, Pointer, String, an enum, a record, an"
                            + " interface, or an array of these",
                        "NoTextLength.text: a String is a character array: give its length in"
                                + " characters with @Length");
    }

    @Test
    void lookupNeedsFullPrivilege() {
        assertThat(refused(MethodHandles.publicLookup(), Point.class))
                .hasMessageContaining("cannot define classes; pass MethodHandles.lookup()");
        assertThat(
                        refused(
                                MethodHandles.lookup().dropLookupMode(MethodHandles.Lookup.PRIVATE),
                                Point.class))
                .hasMessageContaining("cannot define classes; pass MethodHandles.lookup()");
    }

    @Test
    void aMethodWithAndWithoutABodyIsReported() {
        // javac refuses such an interface; a library that has changed since gives one.
        byte[] both =
                ClassFile.of()
                        .build(
                                ClassDesc.of("dev.kernelalloc.struct.Both"),
                                builder ->
                                        builder.withFlags(
                                                        ClassFile.ACC_INTERFACE
                                                                | ClassFile.ACC_ABSTRACT)
                                                .withInterfaceSymbols(
                                                        classDesc(FirstBranch.class),
                                                        classDesc(SecondBranch.class)));
        Class<?> type = define(both);
        assertThat(refused(MethodHandles.lookup(), type))
                .hasMessageContaining(
                        "Both.value: is inherited with a body and without, or with two bodies;"
                                + " override it in Both");
    }

    private static ClassDesc classDesc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }

    private static Class<?> define(byte[] code) {
        try {
            return MethodHandles.lookup().defineClass(code);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    private static final class Elsewhere {
        private record Hidden(int a) {}
    }

    @Test
    void typeMustBeAccessibleToTheLookup() {
        assertThat(refused(Stranger.LOOKUP, Elsewhere.Hidden.class))
                .hasMessageContaining("the constructor of Hidden is not accessible to")
                .hasMessageContaining("pass the lookup of a class that sees it");
    }

    private static StructDefinitionException refused(MethodHandles.Lookup lookup, Class<?> type) {
        StructDefinitionException e =
                catchThrowableOfType(
                        StructDefinitionException.class, () -> StructType.of(lookup, type));
        assertThat(e).isNotNull();
        return e;
    }
}

/** A class that shares no nest with the test. */
final class Stranger {

    static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();

    private Stranger() {}

    // ---- deep nesting -------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @DisplayName("64 structs nest in each other; more are refused, however many")
    void nesting_beyondTheLimit_isRefused(boolean records, @TempDir Path directory)
            throws Exception {
        try (URLClassLoader loader = chain(600, records, directory)) {
            MethodHandles.Lookup lookup =
                    MethodHandles.privateLookupIn(
                            loader.loadClass("Chain"), MethodHandles.lookup());
            StructType<?> deepest = StructType.of(lookup, loader.loadClass("Chain$S64"));
            assertThat(deepest.byteSize()).isEqualTo(4);
            assertThat(deepest.describe()).contains("struct S1 inner");
            assertThatExceptionOfType(StructDefinitionException.class)
                    .isThrownBy(() -> StructType.of(lookup, loader.loadClass("Chain$S65")))
                    .withMessageContaining("S2.inner: S1 is nested too deep: levels=65 limit=64");
            assertThatExceptionOfType(StructDefinitionException.class)
                    .isThrownBy(() -> StructType.of(lookup, loader.loadClass("Chain$S600")))
                    .withMessageContaining("S537.inner: S536 is nested too deep");
            assertThatExceptionOfType(StructDefinitionException.class)
                    .as("laid out before, as a target of the pointer")
                    .isThrownBy(() -> StructType.of(lookup, loader.loadClass("Chain$Pointing")))
                    .withMessageContaining("Outer.inner: S64 is nested too deep: levels=65");
        }
    }

    /** S1 is an int, each other struct has the one before it; loaded innermost first. */
    private static URLClassLoader chain(int length, boolean records, Path directory)
            throws Exception {
        StringBuilder source =
                new StringBuilder("import dev.kernelalloc.struct.*; class Chain {")
                        .append(declared(records, "S1", "int value"))
                        .append(declared(records, "Pointing", "Pointer<S64> s", "Pointer<Outer> o"))
                        .append(declared(records, "Outer", "S64 inner"));
        for (int i = 2; i <= length; i++) {
            source.append(declared(records, "S" + i, "S" + (i - 1) + " inner"));
        }
        URLClassLoader loader =
                CompilerOracleTest.compileJava("Chain", source.append("}").toString(), directory);
        for (int i = 1; i <= length; i++) {
            loader.loadClass("Chain$S" + i);
        }
        return loader;
    }

    private static String declared(boolean record, String name, String... members) {
        return record
                ? "record " + name + "(" + String.join(", ", members) + ") {}"
                : "interface " + name + " {" + String.join("(); ", members) + "(); }";
    }

    @Test
    @DisplayName("Groups of a layout nest as deep as structs do")
    void layout_nestedBeyondTheLimit_isRefused() {
        MemoryLayout layout = ValueLayout.JAVA_INT.withName("value");
        for (int level = 1; level <= 64; level++) {
            layout = MemoryLayout.structLayout(layout).withName("inner");
        }
        assertThat(StructType.of(layout).byteSize()).isEqualTo(4);
        for (int level = 65; level <= 10_000; level++) {
            layout = MemoryLayout.structLayout(layout).withName("inner");
        }
        MemoryLayout tooDeep = layout;
        assertThatIllegalArgumentException()
                .isThrownBy(() -> StructType.of(tooDeep))
                .withMessageContaining("levels=65 limit=64");
    }
}
