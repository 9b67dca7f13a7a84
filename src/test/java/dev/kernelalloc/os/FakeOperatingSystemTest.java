package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.os.FakeOperatingSystem.Call;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.OperatingSystem.Advice;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

class FakeOperatingSystemTest {

    private final FakeOperatingSystem fake = new FakeOperatingSystem();
    private final long page = fake.pageBytes();
    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);

    @Test
    void whatIsNotGivenBackIsALeak() throws Refusal {
        long block = fake.realloc(fake.malloc(10), 20);
        long aligned = fake.alignedAlloc(64, 30);
        assertThat(fake.liveBlocks()).isEqualTo(2);
        assertThat(fake.liveBlockBytes()).isEqualTo(50);
        assertThatThrownBy(fake::assertNothingLeaked).isInstanceOf(AssertionError.class);

        assertThatThrownBy(() -> fake.alignedFree(block)).isInstanceOf(IllegalStateException.class);
        fake.free(block);
        fake.alignedFree(aligned);
        assertThatThrownBy(() -> fake.free(block)).isInstanceOf(IllegalStateException.class);
        fake.assertNothingLeaked();
    }

    @Test
    void aRefusalHasNoEffectAndCanBeForOneCallAlone() throws Refusal {
        fake.refuse(Operation.MALLOC).onNth(2);
        fake.free(fake.malloc(1));
        assertThatThrownBy(() -> fake.malloc(1)).isInstanceOf(Refusal.OutOfMemory.class);
        fake.free(fake.malloc(1));

        fake.refuse(Operation.MALLOC, () -> new Refusal.NotSupported("no"));
        assertThatThrownBy(() -> fake.malloc(1)).isInstanceOf(Refusal.NotSupported.class);
        assertThatThrownBy(() -> fake.malloc(1)).isInstanceOf(Refusal.NotSupported.class);
        fake.allow(Operation.MALLOC);
        fake.free(fake.malloc(1));
        fake.assertNothingLeaked();
        assertThat(fake.count(Operation.MALLOC)).isEqualTo(6);
    }

    @Test
    void pagesAreRealAndFramesAreGivenWhenPopulated() throws Refusal {
        fake.nextFrame(100);
        long address = fake.reserve(3 * page, page, callState);
        assertThatThrownBy(() -> fake.lock(address, page, callState))
                .isInstanceOf(IllegalStateException.class);
        fake.commit(address, 3 * page, callState);
        fake.advise(address, page, Advice.DONT_FORK, callState);
        fake.populate(address, 2 * page, callState);
        fake.pageMapEntry(address + page, 7);
        fake.frameFlags(100, 5);
        NativeMemory.segment(address, 8).set(ValueLayout.JAVA_LONG, 0, 1);

        MemorySegment entries = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 3);
        fake.readPageMap(address, entries, callState);
        assertThat(entries.toArray(ValueLayout.JAVA_LONG))
                .containsExactly(
                        FakeOperatingSystem.PRESENT | FakeOperatingSystem.EXCLUSIVE | 100, 7, 0);
        fake.readFrameFlags(100, entries, callState);
        assertThat(entries.toArray(ValueLayout.JAVA_LONG)).containsExactly(5, 0, 0);
        fake.readFrameCounts(100, entries, callState);
        assertThat(entries.toArray(ValueLayout.JAVA_LONG)).containsExactly(1, 0, 0);
        assertThat(fake.adviceAt(address)).containsExactly(Advice.DONT_FORK);

        assertThatThrownBy(() -> fake.release(address, page, callState))
                .isInstanceOf(IllegalStateException.class);
        fake.release(address, 3 * page, callState);
        fake.assertNothingLeaked();
        assertThat(fake.calls()).endsWith(new Call(Operation.RELEASE, address, 3 * page));
    }

    @Test
    void locksAreCountedOnceAPageAndLimited() throws Refusal {
        fake.lockLimit(2 * page);
        long address = fake.reserve(3 * page, page, callState);
        fake.commit(address, 3 * page, callState);
        fake.lock(address, 2 * page, callState);
        fake.lock(address, page, callState);
        assertThat(fake.lockBudget().remainingBytes()).isZero();
        assertThatThrownBy(() -> fake.lock(address + 2 * page, page, callState))
                .isInstanceOf(Refusal.LockLimit.class);
        fake.unlock(address, page, callState);
        assertThat(fake.lockedBytes()).isEqualTo(page);
        fake.release(address, 3 * page, callState);
        assertThat(fake.lockedBytes()).isZero();
    }
}
