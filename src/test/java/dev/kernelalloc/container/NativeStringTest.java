package dev.kernelalloc.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.testing.CFunctions;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

class NativeStringTest {

    private static final String TEXT = "größe €uro 𝄞 end";

    // ---- making -------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void aTextComesBackAsItWas(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    for (String text : List.of("", "a", TEXT, "x".repeat(100_000), "a\0b")) {
                        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                        try (NativeString string = NativeString.of(allocator, text);
                                NativeString same = NativeString.ofUtf8(allocator, bytes)) {
                            assertThat(string.toString()).isEqualTo(text);
                            assertThat(string).isEqualTo(same).hasSameHashCodeAs(same);
                            assertThat(string.byteLength()).isEqualTo(bytes.length);
                            assertThat(string.isEmpty()).isEqualTo(text.isEmpty());
                            assertThat(string.codePointCount())
                                    .isEqualTo(text.codePointCount(0, text.length()));
                            assertThat(string.segment().toArray(ValueLayout.JAVA_BYTE))
                                    .isEqualTo(bytes);
                        }
                    }
                });
    }

    @Test
    void codeInCGetsTheTextWithANulOrWithItsLength() {
        try (NativeString string = NativeString.of(TEXT);
                Arena arena = Arena.ofConfined()) {
            long length = string.byteLength();
            assertThat(string.cString().byteSize()).isEqualTo(length + 1);
            assertThat(string.cString().getString(0)).isEqualTo(TEXT);
            MemorySegment copied = CFunctions.strdup(string.cString());
            assertThat(CFunctions.withSize(copied, length + 1).getString(0)).isEqualTo(TEXT);
            CFunctions.free(copied);
            MemorySegment prefixed = string.lengthPrefixed();
            assertThat(prefixed.address() % 8).isZero();
            assertThat(prefixed.byteSize()).isEqualTo(8 + length);
            assertThat(prefixed.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(length);
            assertThat(prefixed.asSlice(8).mismatch(string.segment())).isEqualTo(-1);
            for (MemorySegment segment :
                    List.of(string.segment(), string.cString(), string.lengthPrefixed())) {
                assertThat(segment.isReadOnly()).isTrue();
            }
            try (NativeString back =
                    NativeString.ofCString(PoolAllocator.shared(), arena.allocateFrom(TEXT))) {
                assertThat(back).isEqualTo(string);
            }
        }
    }

    @Test
    void aNulInsideIsTextButNotForC() {
        try (NativeString string = NativeString.of("ab\0cd")) {
            assertThat(string.byteLength()).isEqualTo(5);
            assertThat(string.indexOf("\0")).isEqualTo(2);
            assertThat(string.toString()).isEqualTo("ab\0cd");
            assertThatIllegalStateException()
                    .isThrownBy(string::cString)
                    .withMessageContaining("a NUL at offset 2 of 5");
        }
        MemorySegment endless = MemorySegment.ofArray(new byte[] {1, 2, 3});
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeString.ofCString(PoolAllocator.shared(), endless))
                .withMessageContaining("no NUL among 3 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\uD83D", "a\uD83Db", "ab\uDE00", "\uDE00\uD83D", "\uD83D\uD83D\uDE00"})
    void aSurrogateAloneIsRefusedWithItsPlace(String text) {
        long live = PoolAllocator.shared().stats().liveBlocks();
        int place = text.indexOf(text.chars().filter(c -> c >= 0xD800).findFirst().orElseThrow());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeString.of(text))
                .withMessageContaining(" at index " + place + ": UTF-8");
        try (NativeString.Builder builder = NativeString.builder().append("kept");
                NativeString string = NativeString.of("x")) {
            assertThatIllegalArgumentException().isThrownBy(() -> builder.append(text));
            assertThatIllegalArgumentException().isThrownBy(() -> string.indexOf(text));
            assertThatIllegalArgumentException().isThrownBy(() -> string.contentEquals(text));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.appendCodePoint(text.charAt(place)));
            assertThat(builder.build())
                    .satisfies(
                            built -> {
                                assertThat(built.toString()).isEqualTo("kept");
                                built.close();
                            });
        }
        assertThat(PoolAllocator.shared().stats().liveBlocks()).isEqualTo(live);
    }

    /** The JDK's decoder is the judge. */
    @Test
    void bytesAreTextWhereTheJdkSaysSoToo() {
        Random random = new Random(11);
        byte[] interesting = {
            0,
            0x7F,
            (byte) 0x80,
            (byte) 0x8F,
            (byte) 0x90,
            (byte) 0x9F,
            (byte) 0xA0,
            (byte) 0xBF,
            (byte) 0xC0,
            (byte) 0xC1,
            (byte) 0xC2,
            (byte) 0xDF,
            (byte) 0xE0,
            (byte) 0xE1,
            (byte) 0xED,
            (byte) 0xEE,
            (byte) 0xEF,
            (byte) 0xF0,
            (byte) 0xF1,
            (byte) 0xF3,
            (byte) 0xF4,
            (byte) 0xF5,
            (byte) 0xFF
        };
        int refused = 0;
        int accepted = 0;
        try (PoolAllocator allocator = PoolAllocator.create()) {
            for (int i = 0; i < 200_000; i++) {
                byte[] bytes = new byte[random.nextInt(7)];
                for (int j = 0; j < bytes.length; j++) {
                    bytes[j] = interesting[random.nextInt(interesting.length)];
                }
                if (i % 2 == 0) { // more than eight, ASCII before
                    byte[] longer = new byte[bytes.length + 12];
                    Arrays.fill(longer, (byte) 'a');
                    System.arraycopy(bytes, 0, longer, 5, bytes.length);
                    bytes = longer;
                }
                if (isText(bytes)) {
                    NativeString.ofUtf8(allocator, bytes).close();
                    accepted++;
                } else {
                    byte[] wrong = bytes;
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> NativeString.ofUtf8(allocator, wrong))
                            .withMessageContaining("not UTF-8 at offset ");
                    refused++;
                }
            }
        }
        assertThat(accepted).isGreaterThan(5000);
        assertThat(refused).isGreaterThan(5000);
    }

    private static boolean isText(byte[] bytes) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    @Test
    void theFirstOffsetThatIsNoTextIsNamed() {
        byte[] bytes = "größe und mehr".getBytes(StandardCharsets.UTF_8);
        bytes[9] = (byte) 0xC0;
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeString.ofUtf8(bytes))
                .withMessageContaining("offset 9: 0xc0");
    }

    @Test
    void aTextWithoutRoomForItsNulIsRefused() {
        MemorySegment everything = NativeMemory.segment(4096, Long.MAX_VALUE);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NativeString.ofUtf8(KernelAllocator.global(), everything))
                .withMessageContaining("a text of 9223372036854775807 bytes");
    }

    // ---- comparing and searching --------------------------------------------------------------

    @Property
    void itComparesAndSearchesAsStringsDo(
            @ForAll("texts") String one, @ForAll("texts") String other) {
        try (NativeString first = NativeString.of(one);
                NativeString second = NativeString.of(other)) {
            assertThat(first.equals(second)).isEqualTo(one.equals(other));
            assertThat(Integer.signum(first.compareTo(second)))
                    .isEqualTo(
                            Integer.signum(
                                    Arrays.compare(
                                            one.codePoints().toArray(),
                                            other.codePoints().toArray())));
            if (one.equals(other)) {
                assertThat(first).hasSameHashCodeAs(second);
            }
            assertThat(first.contentEquals(other)).isEqualTo(one.equals(other));
            assertThat(first.startsWith(other)).isEqualTo(one.startsWith(other));
            assertThat(first.endsWith(other)).isEqualTo(one.endsWith(other));
            assertThat(first.contains(other)).isEqualTo(one.contains(other));
            assertThat(first.indexOf(other)).isEqualTo(bytesBefore(one, one.indexOf(other)));
            assertThat(first.indexOf(second)).isEqualTo(first.indexOf(other));
            assertThat(first.lastIndexOf(other))
                    .isEqualTo(bytesBefore(one, one.lastIndexOf(other)));
            long found = first.indexOf(other);
            if (found >= 0) {
                int next = one.indexOf(other, one.indexOf(other) + 1);
                assertThat(first.indexOf(second, found + 1))
                        .isEqualTo(
                                other.isEmpty() ? nextByte(first, found) : bytesBefore(one, next));
            }
        }
    }

    private static long nextByte(NativeString text, long offset) {
        return offset < text.byteLength() ? offset + 1 : -1;
    }

    private static long bytesBefore(String text, int index) {
        return index < 0 ? -1 : text.substring(0, index).getBytes(StandardCharsets.UTF_8).length;
    }

    /** Few different characters, so that texts repeat themselves and each other. */
    @Provide
    Arbitrary<String> texts() {
        return Arbitraries.of("a", "b", "ß", "€", "\uFFFF", "𝄞", "\0")
                .list()
                .ofMaxSize(12)
                .map(characters -> String.join("", characters));
    }

    @Provide
    Arbitrary<List<String>> parts() {
        return texts().list().ofMaxSize(20);
    }

    @Test
    void searchesOutsideFindNothing() {
        try (NativeString string = NativeString.of("abc")) {
            assertThat(string.indexOf("c", 3)).isEqualTo(-1);
            assertThat(string.indexOf("", 3)).isEqualTo(3);
            assertThat(string.indexOf("", 4)).isEqualTo(-1);
            assertThat(string.indexOf("a", Long.MAX_VALUE)).isEqualTo(-1);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> string.indexOf("a", -1))
                    .withMessageContaining("from=-1");
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> string.byteAt(3));
            assertThat(string).isNotEqualTo("abc");
        }
    }

    // ---- the builder --------------------------------------------------------------------------

    @Property
    void aBuilderDoesWhatAStringBuilderDoes(
            @ForAll EveryAllocator allocators, @ForAll("parts") List<String> parts)
            throws Exception {
        allocators.use(
                allocator -> {
                    StringBuilder model = new StringBuilder();
                    try (NativeString.Builder builder = NativeString.builder(allocator)) {
                        for (int i = 0; i < parts.size(); i++) {
                            String part = parts.get(i);
                            switch (i % 5) {
                                case 0 -> {
                                    model.append(part.repeat(50));
                                    builder.append(part.repeat(50));
                                }
                                case 1 -> {
                                    model.append(part.length());
                                    builder.append(part.length());
                                }
                                case 2 -> {
                                    int codePoint = part.isEmpty() ? 'x' : part.codePointAt(0);
                                    model.appendCodePoint(codePoint);
                                    builder.appendCodePoint(codePoint);
                                }
                                case 3 -> {
                                    try (NativeString text = NativeString.of(part)) {
                                        model.append(part);
                                        builder.append(text);
                                    }
                                }
                                default -> {
                                    int kept = model.length() / 2;
                                    if (kept > 0
                                            && Character.isHighSurrogate(model.charAt(kept - 1))) {
                                        kept--;
                                    }
                                    model.setLength(kept);
                                    builder.truncate(
                                            model.toString()
                                                    .getBytes(StandardCharsets.UTF_8)
                                                    .length);
                                }
                            }
                            assertThat(
                                            new String(
                                                    builder.segment()
                                                            .toArray(ValueLayout.JAVA_BYTE),
                                                    StandardCharsets.UTF_8))
                                    .isEqualTo(model.toString());
                        }
                        try (NativeString built = builder.build()) {
                            assertThat(built.toString()).isEqualTo(model.toString());
                            assertThat(built.lengthPrefixed().get(ValueLayout.JAVA_LONG, 0))
                                    .isEqualTo(built.byteLength());
                        }
                    }
                });
    }

    @Test
    void whatIsBuiltIsHandedOverWithoutCopying() {
        try (PoolAllocator allocator = PoolAllocator.create()) {
            NativeString.Builder builder = NativeString.builder(allocator);
            assertThat(allocator.stats().liveBlocks()).isZero();
            builder.append("text").append(42L).reserve(100);
            long address = builder.segment().address();
            MemorySegment old = builder.segment();
            NativeString string = builder.build();
            assertThat(string.segment().address()).isEqualTo(address);
            assertThat(string.cString().getString(0)).isEqualTo("text42");
            assertThatIllegalStateException().isThrownBy(() -> builder.append("more"));
            assertThatIllegalStateException().isThrownBy(builder::build);
            assertThatIllegalStateException().isThrownBy(() -> old.get(ValueLayout.JAVA_BYTE, 0));
            assertThat(builder.toString()).contains("handed over");
            builder.close();
            assertThat(string.toString()).isEqualTo("text42");
            string.close();
            NativeString empty = NativeString.builder(allocator).build();
            assertThat(empty.cString().getString(0)).isEmpty();
            empty.close();
        }
    }

    @Test
    void aBuilderRefusesWhatCannotBeAndStaysAsItWas() {
        try (NativeString.Builder builder = NativeString.builder().append("aß")) {
            assertThatIllegalArgumentException().isThrownBy(() -> builder.truncate(2));
            assertThatIllegalArgumentException().isThrownBy(() -> builder.truncate(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> builder.reserve(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> builder.reserve(Long.MAX_VALUE));
            assertThatIllegalArgumentException().isThrownBy(() -> builder.appendCodePoint(-1));
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> builder.reserve(Long.MAX_VALUE / 4));
            assertThat(builder.byteLength()).isEqualTo(3);
            assertThat(builder.toString()).contains("\"aß\"");
        }
    }

    @Test
    void aRefusalAtAnyStepOfGrowthLeavesTheTextAsItWas() {
        int refusals = 0;
        for (int nth = 1; nth <= 30; nth++) {
            FakeOperatingSystem os = new FakeOperatingSystem();
            os.refuse(Operation.MALLOC).onNth(nth);
            PoolAllocator allocator = PackageAccess.systemHeap(os);
            StringBuilder model = new StringBuilder();
            try (NativeString.Builder builder = NativeString.builder(allocator)) {
                for (int i = 0; i < 2000; i++) {
                    String text = "€" + i;
                    try {
                        builder.append(text);
                    } catch (AllocationException e) {
                        refusals++;
                        assertThat(builder.byteLength())
                                .isEqualTo(
                                        model.toString().getBytes(StandardCharsets.UTF_8).length);
                        builder.append(text);
                    }
                    model.append(text);
                }
                try (NativeString built = builder.build()) {
                    assertThat(built.contentEquals(model.toString())).isTrue();
                }
            }
            os.assertNothingLeaked();
        }
        assertThat(refusals).isGreaterThan(15);
    }

    @Test
    void aStringDescribesItselfBriefly() {
        try (NativeString text = NativeString.of("€".repeat(100));
                NativeString small = NativeString.of("small")) {
            assertThat(text.describe())
                    .startsWith("NativeString[\"" + "€".repeat(21) + "…\", at 0x")
                    .endsWith(", 309 bytes]");
            assertThat(small.describe()).startsWith("NativeString[\"small\", at 0x");
        }
    }
}
