package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SequenceLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.List;

/** A declaration is compared with the layout of the same struct that jextract generates. */
class LayoutComparisonTest {

    /** As jextract 25 writes {@code struct timespec}. */
    private static final GroupLayout TIMESPEC =
            MemoryLayout.structLayout(JAVA_LONG.withName("tv_sec"), JAVA_LONG.withName("tv_nsec"))
                    .withName("timespec");

    /**
     * As jextract 25 writes {@code struct msg { unsigned char kind; struct timespec when; union {
     * int number; float ratio; }; char name[16]; struct timespec history[2]; void *next; unsigned
     * flags : 3; short port; }}.
     */
    private static final GroupLayout MESSAGE =
            MemoryLayout.structLayout(
                            JAVA_BYTE.withName("kind"),
                            MemoryLayout.paddingLayout(7),
                            TIMESPEC.withName("when"),
                            MemoryLayout.unionLayout(
                                            JAVA_INT.withName("number"),
                                            JAVA_FLOAT.withName("ratio"))
                                    .withName("$anon$4:5"),
                            MemoryLayout.sequenceLayout(16, JAVA_BYTE).withName("name"),
                            MemoryLayout.paddingLayout(4),
                            MemoryLayout.sequenceLayout(2, TIMESPEC).withName("history"),
                            ADDRESS.withName("next_message"),
                            MemoryLayout.paddingLayout(2), // flags
                            JAVA_SHORT.withName("port"),
                            MemoryLayout.paddingLayout(4))
                    .withName("msg");

    private record Time(long seconds, long nanoseconds) {}

    @Union
    private interface Either {
        int whole();

        float fraction();
    }

    private interface Message {
        byte kind();

        Time when();

        Either either();

        @Length(16)
        String name();

        @Length(2)
        Time history(int index);

        MemorySegment nextMessage();

        @Bits(3)
        int flags();

        @Order(Endian.BIG)
        char port();
    }

    private static List<String> differences(Class<?> type, MemoryLayout layout) {
        return StructType.of(MethodHandles.lookup(), type).differences(layout);
    }

    @Test
    @DisplayName("Names of Java, flattened unions, texts, bit-fields and byte orders are accepted")
    void differences_sameStruct_none() {
        assertThat(differences(Time.class, TIMESPEC)).isEmpty();
        assertThat(differences(Message.class, MESSAGE)).isEmpty();
        assertThat(StructType.of(MESSAGE).differences(MESSAGE)).isEmpty();
    }

    @Test
    @DisplayName("Every struct is as its own layout is")
    void differences_ownLayout_none() {
        for (Class<?> type : List.of(Time.class, Either.class, Message.class)) {
            StructType<?> own = StructType.of(MethodHandles.lookup(), type);
            assertThat(own.differences(own.layout())).isEmpty();
        }
    }

    @Test
    @DisplayName("Members that are exchanged are found, although the places are the same")
    void differences_exchanged_haveBothOffsets() {
        record Point(int y, int x) {}
        GroupLayout c = MemoryLayout.structLayout(JAVA_INT.withName("x"), JAVA_INT.withName("y"));
        assertThat(differences(Point.class, c))
                .containsExactly(
                        "x: int at 0 in the layout, x: int at 4 in Point",
                        "y: int at 4 in the layout, y: int at 0 in Point");
    }

    @Test
    @DisplayName("A wrong type moves the members behind it; each line has both offsets")
    void differences_wrongType_namesAllThatMoved() {
        record Wrong(int tvSec, int tvNsec) {}
        assertThat(differences(Wrong.class, TIMESPEC))
                .containsExactly(
                        "size: 16 in the layout, 8 in Wrong",
                        "alignment: 8 in the layout, 4 in Wrong",
                        "tv_sec: long at 0 in the layout, tvSec: int at 0 in Wrong",
                        "tv_nsec: long at 8 in the layout, tvNsec: int at 4 in Wrong");
    }

    @Test
    @DisplayName("A missing member, and one of another kind or length, are named")
    void differences_otherMembers_areNamed() {
        record Short(long seconds) {}
        assertThat(differences(Short.class, TIMESPEC))
                .containsExactly(
                        "size: 16 in the layout, 8 in Short",
                        "tv_nsec: long at 8 in the layout, nothing in Short");
        record Real(double seconds, long nanoseconds) {}
        assertThat(differences(Real.class, TIMESPEC))
                .containsExactly("tv_sec: long at 0 in the layout, seconds: double at 0 in Real");
        record Halves(@Length(4) short[] values) {}
        SequenceLayout ints = MemoryLayout.sequenceLayout(2, JAVA_INT);
        assertThat(differences(Halves.class, MemoryLayout.structLayout(ints.withName("values"))))
                .containsExactly(
                        "alignment: 4 in the layout, 2 in Halves",
                        "values: int[2] at 0 in the layout, values: short[4] at 0 in Halves");
    }

    @Test
    @DisplayName("A difference in a nested struct, or in an element of an array, has its path")
    void differences_nested_haveTheirPath() {
        record Swapped(long tv_nsec, long tv_sec) {}
        record Outer(Swapped when, @Length(2) Swapped[] history) {}
        GroupLayout c =
                MemoryLayout.structLayout(
                        TIMESPEC.withName("when"),
                        MemoryLayout.sequenceLayout(2, TIMESPEC).withName("history"));
        assertThat(differences(Outer.class, c))
                .containsExactly(
                        "when.tv_sec: long at 0 in the layout, when.tv_sec: long at 8 in Outer",
                        "when.tv_nsec: long at 8 in the layout, when.tv_nsec: long at 0 in Outer",
                        "history[0].tv_sec: long at 16 in the layout,"
                                + " history[0].tv_sec: long at 24 in Outer",
                        "history[0].tv_nsec: long at 24 in the layout,"
                                + " history[0].tv_nsec: long at 16 in Outer");
    }

    @Test
    @DisplayName("A layout that is no group is the only member; one too deep is refused")
    void differences_otherLayouts() {
        record One(double value) {}
        assertThat(differences(One.class, JAVA_DOUBLE)).isEmpty();
        assertThat(differences(One.class, JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN)))
                .containsExactly("value: long at 0 in the layout, value: double at 0 in One");
        MemoryLayout deep = JAVA_LONG;
        for (int i = 0; i < 100; i++) {
            deep = MemoryLayout.structLayout(deep);
        }
        MemoryLayout tooDeep = deep;
        assertThatIllegalArgumentException()
                .isThrownBy(() -> differences(One.class, tooDeep))
                .withMessageContaining("levels");
    }
}
