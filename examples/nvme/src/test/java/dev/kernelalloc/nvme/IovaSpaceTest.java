package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Tests the assignment of device addresses. */
class IovaSpaceTest {

    private static final long MIB = 1 << 20;

    @Test
    @DisplayName("large memory is aligned to 2 MiB, small memory fills what that leaves")
    void take_largeThenSmall_wastesNothing() {
        IovaSpace space = new IovaSpace();
        space.add(MIB, 8 * MIB);
        assertThat(space.take(2 * MIB)).isEqualTo(2 * MIB);
        assertThat(space.take(MIB)).isEqualTo(MIB);
        assertThat(space.take(4 * MIB)).isEqualTo(4 * MIB);
        assertThatIllegalStateException()
                .isThrownBy(() -> space.take(4096))
                .withMessageContaining("bytes=4096");
    }

    @Test
    @DisplayName("nothing crosses from one range to the next, unless they touch")
    void take_severalRanges_staysWithinOne() {
        IovaSpace space = new IovaSpace();
        space.add(0, MIB);
        space.add(2 * MIB, 3 * MIB);
        assertThatIllegalStateException().isThrownBy(() -> space.take(MIB + 4096));
        space.add(MIB, 2 * MIB);
        assertThat(space.take(3 * MIB)).isZero();
    }

    @Test
    @DisplayName("addresses in use never overlap, and all of them are free again in the end")
    void take_randomly_neverOverlaps() {
        Random random = new Random(1);
        IovaSpace space = new IovaSpace();
        space.add(MIB, 64 * MIB);
        List<long[]> taken = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            if (taken.size() > 20 || !taken.isEmpty() && random.nextBoolean()) {
                long[] range = taken.remove(random.nextInt(taken.size()));
                space.add(range[0], range[1]);
            } else {
                long bytes = 4096L << random.nextInt(10);
                long start = space.take(bytes);
                assertThat(start).isGreaterThanOrEqualTo(MIB);
                assertThat(start + bytes).isLessThanOrEqualTo(64 * MIB);
                assertThat(taken).noneMatch(t -> t[0] < start + bytes && start < t[1]);
                taken.add(new long[] {start, start + bytes});
            }
        }
        taken.forEach(range -> space.add(range[0], range[1]));
        assertThat(space.take(62 * MIB)).isEqualTo(2 * MIB);
    }
}
