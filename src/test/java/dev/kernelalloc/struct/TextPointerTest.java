package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;

/** Members that point to text, and arithmetic on pointers. */
class TextPointerTest {

    record Name(@CString @Nullable String text) {}

    record Person(byte kind, Name name, @CString @Length(3) @Nullable String[] titles, int age) {}

    interface Label {
        @CString
        @Nullable String text();

        void text(@Nullable String value);

        @CString
        @Access(MemoryOrder.VOLATILE)
        @Nullable String other();

        void other(@Nullable String value);
    }

    /** {@code struct passwd} of Linux. */
    record User(
            @CString String name,
            @CString String password,
            int user,
            int group,
            @CString String comment,
            @CString String home,
            @CString String shell) {}

    static final StructType<Name> NAME = StructType.of(MethodHandles.lookup(), Name.class);
    static final StructType<Person> PERSON = StructType.of(MethodHandles.lookup(), Person.class);
    static final StructType<Label> LABEL = StructType.of(MethodHandles.lookup(), Label.class);
    static final StructType<User> USER = StructType.of(MethodHandles.lookup(), User.class);

    @Property
    @net.jqwik.api.Label("Texts that are allocated with a value are read again, in C's encoding")
    void allocate_text_isReadAgain(@ForAll String any) {
        String text =
                new String(
                        any.replace("\0", "").getBytes(java.nio.charset.StandardCharsets.UTF_8),
                        java.nio.charset.StandardCharsets.UTF_8);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = NAME.allocate(arena, new Name(text));
            assertThat(NAME.get(name)).isEqualTo(new Name(text));
            MemorySegment pointer = name.get(ValueLayout.ADDRESS, 0);
            assertThat(pointer.address()).isNotZero();
        }
    }

    @Test
    @DisplayName("Nested structs and arrays of pointers get their texts from the same allocator")
    void allocate_nestedTexts_areReadAgain() {
        Person person =
                new Person((byte) 1, new Name("Ada"), new String[] {"Dr", null, "größte"}, 36);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = PERSON.allocate(arena, person);
            Person read = PERSON.get(memory);
            assertThat(read).usingRecursiveComparison().isEqualTo(person);
            assertThat(PERSON.byteSize()).isEqualTo(8 + 8 + 3 * 8 + 8);
            assertThat(PERSON.describe()).contains("char *").contains("titles[3]");
            assertThat(PERSON.toString(memory)).contains("0x").doesNotContain("Ada");
        }
    }

    @Test
    @DisplayName("Without an allocator only null is written")
    void set_text_refusedWithoutAllocator() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = NAME.allocate(arena, new Name("kept"));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NAME.set(name, new Name("new")))
                    .withMessageContaining("text: \"new\"")
                    .withMessageContaining("allocate");
            assertThat(NAME.get(name).text()).isEqualTo("kept");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NAME.allocate(arena, new Name("a\0b")))
                    .withMessageContaining("NUL");
            NAME.set(name, new Name(null));
            assertThat(NAME.get(name).text()).isNull();
            assertThat(name.get(ValueLayout.ADDRESS, 0).address()).isZero();
        }
    }

    @Test
    @DisplayName("A text in the Java heap has no address: it is refused, never a wild pointer")
    void allocate_inTheJavaHeap_refusesTexts() {
        SegmentAllocator heap =
                SegmentAllocator.slicingAllocator(MemorySegment.ofArray(new long[100]));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NAME.allocate(heap, new Name("text")))
                .withMessageContainingAll("text", "Java heap", "pass an Arena");
        assertThat(NAME.get(NAME.allocate(heap, new Name(null)))).isEqualTo(new Name(null));
    }

    @Test
    @DisplayName("A view reads the pointer of the moment, also in an access mode")
    void view_pointerChanges_readsTheNewText() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = LABEL.allocate(arena);
            Label label = LABEL.get(memory);
            assertThat(label.text()).isNull();
            LABEL.varHandle("text").set(memory, 0L, arena.allocateFrom("one"));
            LABEL.varHandle("other").setVolatile(memory, 0L, arena.allocateFrom("two"));
            assertThat(label.text()).isEqualTo("one");
            assertThat(label.other()).isEqualTo("two");
            label.text(null);
            label.other(null);
            assertThat(label.text()).isNull();
            assertThat(label.other()).isNull();
        }
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "struct passwd is that of Linux")
    @DisplayName("The C library's strings arrive: user 0 of the password database")
    @SuppressWarnings("restricted")
    void get_structOfTheCLibrary_readsItsStrings() throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle getpwuid =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("getpwuid"),
                        FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        MemorySegment found = (MemorySegment) getpwuid.invokeExact(0);
        User user = new Pointer<>(USER, found.address()).get();
        assertThat(user.name()).isEqualTo("root");
        assertThat(user.user()).isZero();
        assertThat(user.home()).isEqualTo("/root");
        assertThat(user.shell()).startsWith("/");
    }

    record Node(Pointer<Node> next) {}

    record Padded(long first, int last) {}

    static final StructType<Node> NODE = StructType.of(MethodHandles.lookup(), Node.class);
    static final StructType<Padded> PADDED = StructType.of(MethodHandles.lookup(), Padded.class);

    record OnInt(@CString int value) {}

    record WithLength(@CString @Length(4) String value) {}

    record WithText(@CString @Text String value) {}

    @Test
    @DisplayName("@CString on anything but a String without a length is a mistake, named")
    void of_wrongCString_isAMistake() {
        for (Class<?> wrong : new Class<?>[] {OnInt.class, WithLength.class, WithText.class}) {
            assertThatExceptionOfType(StructDefinitionException.class)
                    .isThrownBy(() -> StructType.of(MethodHandles.lookup(), wrong))
                    .withMessageContaining(wrong.getSimpleName() + ".value")
                    .withMessageContaining("@CString");
        }
    }

    @Test
    @DisplayName("A layout without a name is shown as C shows an anonymous struct")
    void describe_layoutWithoutName_hasNoName() {
        StructType<MemorySegment> type =
                StructType.of(MemoryLayout.structLayout(ValueLayout.JAVA_INT.withName("x")));
        assertThat(type).hasToString("struct (4 bytes)");
        assertThat(type.describe()).startsWith("struct {\n");
        assertThat(StructType.of(ValueLayout.JAVA_INT).describe()).startsWith("struct {\n");
        assertThat(StructType.of(ValueLayout.JAVA_INT.withName("count")).describe())
                .startsWith("struct count {\n");
    }

    @Test
    @DisplayName("Owners that are not initialized begin with null pointers where blocks are reused")
    void uninitialized_pointers_areNull() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            try (NativeArray<Name> array = NativeArray.uninitialized(pool, NAME, 100)) {
                array.segment().fill((byte) -1);
            }
            for (int i = 0; i < 1000; i++) {
                pool.free(pool.allocate(NAME.byteSize(), 8).fill((byte) -1));
                try (NativeBox<Name> box = NativeBox.uninitialized(pool, NAME)) {
                    assertThat(box.get().text()).isNull();
                    box.segment().fill((byte) -1);
                }
                try (NativeBox<Node> box = NativeBox.uninitialized(pool, NODE)) {
                    assertThat(box.get().next().isNull()).isTrue();
                    box.segment().fill((byte) -1);
                }
                SharedBox<Name> shared = SharedBox.uninitialized(pool, NAME);
                try (Lease<Name> lease = shared.lease()) {
                    assertThat(lease.get().text()).isNull();
                    lease.segment().fill((byte) -1);
                }
                shared.close();
            }
            try (NativeArray<Name> array = NativeArray.uninitialized(pool, NAME, 100)) {
                assertThat(array).allMatch(name -> name.text() == null);
            }
        }
        assertThat(PERSON.followsPointers()).isTrue();
        assertThat(PADDED.followsPointers()).isFalse();
    }

    // ---- Pointer --------------------------------------------------------------------------------

    @Test
    @DisplayName("plus moves by whole elements as C does, and touches nothing")
    void plus_movesByElements() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment three = arena.allocate(48, 8);
            Pointer<Padded> first = Pointer.to(PADDED, three);
            assertThat(first.plus(2).address()).isEqualTo(three.address() + 32);
            assertThat(first.plus(2).plus(-2)).isEqualTo(first);
            assertThat(first.segment(3).byteSize()).isEqualTo(48);
            three.set(ValueLayout.JAVA_INT, 16 + 8, 77);
            assertThat(first.plus(1).get().last()).isEqualTo(77);
            assertThat(first.asSegment()).isEqualTo(MemorySegment.ofAddress(three.address()));
            assertThat(first.asSegment().byteSize()).isZero();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> first.plus(Long.MAX_VALUE / 8))
                    .withMessageContaining("elements=1152921504606846975 of 16 bytes each")
                    .withMessageContaining("beyond the address space");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> first.segment(-1))
                    .withMessage("elements=-1 must not be negative");
            assertThatNullPointerException().isThrownBy(() -> Pointer.nullPointer(PADDED).plus(1));
        }
    }
}
