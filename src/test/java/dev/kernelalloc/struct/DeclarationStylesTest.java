package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.lang.classfile.Annotation;
import java.lang.classfile.AnnotationElement;
import java.lang.classfile.AnnotationValue;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** However a struct is declared, its members are those that C has, or it is refused. */
class DeclarationStylesTest {

    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();

    // ---- names ----------------------------------------------------------------------------------

    interface Counter {
        long getValue();

        void setValue(long value);

        int getFlags();

        @C(CType.UNSIGNED_INT)
        boolean isOpen();

        void setOpen(boolean value);

        short getURL();

        @Length(2)
        byte getCells(int index);

        void setCells(int index, byte value);

        @Atomic("value")
        long getAndAddValue(long delta);
    }

    @Test
    @DisplayName("getX, isX and setX are accessors of one member where all are named so")
    void beanAccessors_areOneMember() {
        StructType<Counter> type = StructType.of(LOOKUP, Counter.class);
        assertThat(names(type)).containsExactly("value", "flags", "open", "URL", "cells");
        assertThat(type.byteSize()).isEqualTo(24);
        Counter counter = type.get(Arena.ofAuto().allocate(type.layout()));
        counter.setValue(7);
        counter.setOpen(true);
        counter.setCells(1, (byte) 3);
        assertThat(counter.getAndAddValue(1)).isEqualTo(7);
        assertThat(counter.getValue()).isEqualTo(8);
        assertThat(counter.isOpen()).isTrue();
        assertThat(counter.getCells(1)).isEqualTo((byte) 3);
        assertThat(type.varHandle("value").get(((StructView) counter).asSegment(), 0L))
                .isEqualTo(8L);
    }

    interface Operations {
        MemorySegment open();

        MemorySegment get_page();

        MemorySegment set_policy();

        int is_open();

        int island();

        int settle();

        void settle(int value);

        int get();

        boolean isReady();

        void isReady(boolean value);
    }

    @Test
    @DisplayName("Names that only look like getters are the members' own")
    void plainNames_thatBeginWithGetSetOrIs_areKept() {
        assertThat(names(StructType.of(LOOKUP, Operations.class)))
                .containsExactly(
                        "open",
                        "get_page",
                        "set_policy",
                        "is_open",
                        "island",
                        "settle",
                        "get",
                        "isReady");
    }

    /** The descriptors of a member's accessors, as class files may have them. */
    private static final List<List<String>> FORMS =
            List.of(
                    List.of("()I", "(I)V"),
                    List.of("(I)V"),
                    List.of("()I"),
                    List.of("(I)I", "(II)V"),
                    List.of("()Ljava/lang/String;", "(Ljava/lang/String;)V"),
                    List.of("(Ljava/lang/String;)V"));

    @ParameterizedTest
    @MethodSource("inheritedNames")
    @DisplayName("A member named like a method of every object or view works, or is refused")
    void members_namedLikeInheritedMethods_workOrAreRefused(String name) throws Throwable {
        int works = 0;
        for (List<String> form : FORMS) {
            InMemory loader = new InMemory(name, form);
            MethodHandles.Lookup lookup =
                    (MethodHandles.Lookup)
                            loader.loadClass("Uses").getMethod("lookup").invoke(null);
            Class<?> named = loader.loadClass("Named");
            try {
                StructType<?> type = StructType.of(lookup, named);
                assertThat(names(type)).containsExactly("first", name, "last");
                assertThat(write(type, lookup.in(named), name, form)).isTrue();
                works++;
            } catch (StructDefinitionException e) {
                assertThat(e.mistakes())
                        .allMatch(
                                mistake ->
                                        mistake.startsWith("Named." + name + ": is a method of")
                                                || mistake.startsWith("Named.getClass: is named"));
            }
        }
        List<String> never = List.of("equals", "hashCode", "toString", "asSegment");
        int most = name.equals("getClass") ? FORMS.size() - 1 : FORMS.size();
        assertThat(works).isEqualTo(never.contains(name) ? 0 : most);
    }

    static Stream<String> inheritedNames() {
        return Stream.of(Object.class, StructView.class)
                .flatMap(type -> Stream.of(type.getDeclaredMethods()))
                .filter(method -> !Modifier.isPrivate(method.getModifiers()))
                .map(Method::getName)
                .distinct();
    }

    /** Whether what the setter writes is what the getter reads, where there are both. */
    private static boolean write(
            StructType<?> type, MethodHandles.Lookup lookup, String name, List<String> form)
            throws Throwable {
        Object view = type.get(Arena.ofAuto().allocate(type.layout()));
        List<MethodHandle> accessors = new ArrayList<>();
        for (String descriptor : form) {
            MethodType methodType =
                    MethodType.fromMethodDescriptorString(descriptor, type.type().getClassLoader());
            accessors.add(lookup.findVirtual(type.type(), name, methodType).bindTo(view));
        }
        Object value = form.getFirst().contains("String") ? "abc" : (Object) 42;
        boolean indexed = form.contains("(II)V");
        MethodHandle setter = accessors.getLast();
        if (setter.type().returnType() == void.class) {
            setter.invokeWithArguments(indexed ? List.of(1, value) : List.of(value));
        }
        if (form.size() < 2) {
            return true;
        }
        Object read = accessors.getFirst().invokeWithArguments(indexed ? List.of(1) : List.of());
        return read.equals(value);
    }

    /** Class files that javac would not write. */
    private static final class InMemory extends ClassLoader {

        private final Map<String, byte[]> files = new HashMap<>();

        InMemory(String member, List<String> form) {
            super(StructType.class.getClassLoader());
            files.put("Named", named(member, form));
            files.put("Uses", uses());
        }

        private static byte[] named(String member, List<String> form) {
            return ClassFile.of()
                    .build(
                            ClassDesc.of("Named"),
                            builder -> {
                                builder.withFlags(
                                        ClassFile.ACC_PUBLIC
                                                | ClassFile.ACC_INTERFACE
                                                | ClassFile.ACC_ABSTRACT);
                                accessor(builder, "first", "()I", 0);
                                for (String descriptor : form) {
                                    boolean text = descriptor.contains("String");
                                    boolean indexed = form.contains("(II)V");
                                    accessor(
                                            builder,
                                            member,
                                            descriptor,
                                            text ? 8 : indexed ? 2 : 0);
                                }
                                accessor(builder, "last", "()I", 0);
                            });
        }

        private static void accessor(
                ClassBuilder builder, String name, String descriptor, long length) {
            builder.withMethod(
                    name,
                    MethodTypeDesc.ofDescriptor(descriptor),
                    ClassFile.ACC_PUBLIC | ClassFile.ACC_ABSTRACT,
                    method -> {
                        if (length > 0) {
                            method.with(
                                    RuntimeVisibleAnnotationsAttribute.of(
                                            Annotation.of(
                                                    Length.class.describeConstable().orElseThrow(),
                                                    AnnotationElement.of(
                                                            "value",
                                                            AnnotationValue.ofArray(
                                                                    AnnotationValue.ofLong(
                                                                            length))))));
                        }
                    });
        }

        private static byte[] uses() {
            ClassDesc lookup = MethodHandles.Lookup.class.describeConstable().orElseThrow();
            MethodTypeDesc type = MethodTypeDesc.of(lookup);
            return ClassFile.of()
                    .build(
                            ClassDesc.of("Uses"),
                            builder ->
                                    builder.withFlags(ClassFile.ACC_PUBLIC)
                                            .withMethodBody(
                                                    "lookup",
                                                    type,
                                                    ClassFile.ACC_PUBLIC | ClassFile.ACC_STATIC,
                                                    code ->
                                                            code.invokestatic(
                                                                            MethodHandles.class
                                                                                    .describeConstable()
                                                                                    .orElseThrow(),
                                                                            "lookup",
                                                                            type)
                                                                    .areturn()));
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] file = files.get(name);
            if (file == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, file, 0, file.length);
        }

        @Override
        public InputStream getResourceAsStream(String name) {
            byte[] file = files.get(name.replace(".class", ""));
            return file == null ? super.getResourceAsStream(name) : new ByteArrayInputStream(file);
        }
    }

    interface Repeats {
        int id();

        @Override
        boolean equals(Object other);

        @Override
        String toString();
    }

    @Test
    @DisplayName("An interface may repeat what every object has, to say more of it")
    void methodsOfObject_repeated_areNoMembers() {
        assertThat(names(StructType.of(LOOKUP, Repeats.class))).containsExactly("id");
    }

    // ---- hierarchies ----------------------------------------------------------------------------

    interface Header {
        @C(CType.UNSIGNED_SHORT)
        int port();

        @Bits(4)
        int kind();

        @Bits(4)
        int flags();

        @Length(6)
        String name();

        long id();

        void id(long value);
    }

    /** Repeats accessors to document them. */
    interface Documented extends Header {
        @Override
        int port();

        @Override
        int flags();

        @Override
        void id(long value);

        int more();
    }

    interface WithBody extends Header {
        @Override
        default int port() {
            return 80;
        }

        int more();
    }

    interface Wider extends Header {
        @Align(4)
        @Override
        int port();

        @Length(3)
        @Override
        String name();
    }

    interface Left extends Header {
        int left();
    }

    interface Right extends Header {
        int right();

        @Override
        String name();
    }

    interface Diamond extends Left, Right {}

    interface Again extends WithBody {
        @Override
        int port();
    }

    @Test
    @DisplayName("An accessor written again keeps its place and its annotations")
    void accessors_repeated_keepPlaceAndAnnotations() {
        StructType<Documented> type = StructType.of(LOOKUP, Documented.class);
        assertThat(names(type)).containsExactly("port", "kind", "flags", "name", "id", "more");
        assertThat(beginning(type)).isEqualTo(beginning(StructType.of(LOOKUP, Header.class)));
    }

    @Test
    @DisplayName("A body over an accessor takes its code, not its bytes")
    void accessors_overriddenByABody_keepTheirBytes() {
        StructType<WithBody> type = StructType.of(LOOKUP, WithBody.class);
        assertThat(beginning(type)).isEqualTo(beginning(StructType.of(LOOKUP, Header.class)));
        assertThat(type.get(Arena.ofAuto().allocate(type.layout())).port()).isEqualTo(80);
        StructType<Again> again = StructType.of(LOOKUP, Again.class);
        assertThat(names(again)).isEqualTo(names(type));
        assertThat(again.get(Arena.ofAuto().allocate(again.layout())).port()).isZero();
    }

    @Test
    @DisplayName("What a sub-interface says of a member holds, the rest is inherited")
    void annotations_ofSubInterfaces_replaceThoseAbove() {
        StructType<Wider> type = StructType.of(LOOKUP, Wider.class);
        assertThat(type.byteAlignment()).isEqualTo(8);
        assertThat(type.byteSize()).isEqualTo(16);
        assertThat(type.describe()).contains("unsigned short port;").contains("name[3];");
    }

    @Test
    @DisplayName("A member that comes by two ways is one member")
    void diamonds_haveSharedMembersOnce() {
        assertThat(names(StructType.of(LOOKUP, Diamond.class)))
                .containsExactly("port", "kind", "flags", "name", "id", "left", "right");
    }

    interface Linked<N> {
        Pointer<N> next();

        N inner();

        void inner(N value);
    }

    record Point(int x, int y) {}

    interface Resolved extends Linked<Point> {
        @Override
        Pointer<Point> next();

        @Override
        Point inner();

        @Override
        void inner(Point value);

        int last();
    }

    @Test
    @DisplayName("Type parameters are what a sub-interface makes of them")
    void typeParameters_resolvedBySubInterfaces_areUnderstood() {
        StructType<Resolved> type = StructType.of(LOOKUP, Resolved.class);
        assertThat(names(type)).containsExactly("next", "inner", "last");
        Resolved view = type.get(Arena.ofAuto().allocate(type.layout()));
        Linked<Point> general = view;
        general.inner(new Point(3, 4));
        assertThat(view.inner()).isEqualTo(new Point(3, 4));
        assertThat(general.inner()).isEqualTo(new Point(3, 4));
    }

    // ---- records --------------------------------------------------------------------------------

    interface HasName {
        @Length(8)
        String name();
    }

    record Named(String name, int id) implements HasName {
        @Align(16)
        @Override
        public int id() {
            return id;
        }
    }

    @Test
    @DisplayName("Annotations of a record's accessors hold, also of those it implements")
    void records_areAnnotatedOnAccessors() {
        StructType<Named> type = StructType.of(LOOKUP, Named.class);
        assertThat(type.byteSize()).isEqualTo(32);
        assertThat(type.layout().byteOffset(MemoryLayout.PathElement.groupElement("id")))
                .isEqualTo(16);
    }

    // ---- copies of views ------------------------------------------------------------------------

    interface First {
        int first();

        void first(int value);
    }

    interface Second {
        int second();

        void second(int value);
    }

    interface Both extends First, Second {}

    @Test
    @DisplayName("A view of a struct that begins with another one is copied as that one")
    void set_withAViewOfALargerStruct_copiesItsBeginning() {
        StructType<Both> both = StructType.of(LOOKUP, Both.class);
        Both view = both.get(Arena.ofAuto().allocate(both.layout()));
        view.first(1);
        view.second(2);
        StructType<First> first = StructType.of(LOOKUP, First.class);
        MemorySegment target = Arena.ofAuto().allocate(first.layout());
        first.set(target, view);
        assertThat(first.get(target).first()).isEqualTo(1);
    }

    @Test
    @DisplayName("A view of a struct that has the members elsewhere is refused")
    void set_withAViewThatBeginsDifferently_throws() {
        StructType<Both> both = StructType.of(LOOKUP, Both.class);
        Both view = both.get(Arena.ofAuto().allocate(both.layout()));
        StructType<Second> second = StructType.of(LOOKUP, Second.class);
        MemorySegment target = Arena.ofAuto().allocate(second.layout());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> second.set(target, view))
                .withMessage(
                        "Both extends Second, but its members have other offsets: copy them one by"
                                + " one");
    }

    // ---- truth ----------------------------------------------------------------------------------

    record Truth(
            @C(CType.UNSIGNED_INT) boolean word,
            @C(CType.UNSIGNED_CHAR) boolean octet,
            @C(CType.UNSIGNED_INT) @Length(2) boolean[] words) {}

    @Test
    @DisplayName("A boolean in an integer is true unless it is 0, and is written as 1")
    void truthValues_readAnythingButZero_andWriteOne() {
        StructType<Truth> type = StructType.of(LOOKUP, Truth.class);
        assertThat(type.byteSize()).isEqualTo(16);
        MemorySegment memory = Arena.ofAuto().allocate(type.layout());
        for (int bits : new int[] {1, 2, 256, Integer.MIN_VALUE, -1}) {
            memory.set(ValueLayout.JAVA_INT, 0, bits);
            memory.set(ValueLayout.JAVA_INT, 12, bits);
            memory.set(ValueLayout.JAVA_BYTE, 4, (byte) 0x80);
            Truth truth = type.get(memory);
            assertThat(truth.word()).isTrue();
            assertThat(truth.octet()).isTrue();
            assertThat(truth.words()).containsExactly(false, true);
        }
        type.set(memory, new Truth(true, true, new boolean[] {true, false}));
        assertThat(Stream.of(0L, 4L, 8L, 12L).map(at -> memory.get(ValueLayout.JAVA_BYTE, at)))
                .containsExactly((byte) 1, (byte) 1, (byte) 1, (byte) 0);
        assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isEqualTo(1);
        type.set(memory, new Truth(false, false, new boolean[2]));
        assertThat(type.get(memory).word()).isFalse();
        assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isZero();
    }

    // ---- what a struct looks like ---------------------------------------------------------------

    private static List<String> names(StructType<?> type) {
        return type.model().members().stream().map(Member::name).toList();
    }

    /** The members of a header and where they lie. */
    private static List<String> beginning(StructType<?> type) {
        return type.describe().lines().skip(1).limit(6).map(String::strip).toList();
    }
}
