package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.MemorySegment;

/** What the allocators do in a process without capabilities and with little to lock. */
@EnabledOnOs(OS.LINUX)
class UnprivilegedTest {

    private static final long LIMIT_BYTES = 64 << 10;

    @Test
    void lockedMemoryWorksUpToTheLimitAndAddressesAreAbsent() throws Exception {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        String output =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=" + LIMIT_BYTES)
                        .unprivileged()
                        .withNativeAccess()
                        .outputOf(UseAll.class);
        assertThat(output)
                .contains("guarantee: 2 of 2")
                .contains("address: HIDDEN, no physical address")
                .contains("inspect: HIDDEN, no physical address")
                .contains("CAP_SYS_ADMIN")
                .contains("over the limit: LOCK_LIMIT")
                .contains("locking 61440 bytes")
                .contains("has locked 8192 bytes and may lock 65536")
                .contains("ulimit -l", "LimitMEMLOCK=", "--ulimit memlock", "CAP_IPC_LOCK")
                .contains("below it again: 57344 bytes")
                .contains("left: 0 blocks, 0 bytes");
    }

    static final class UseAll {
        private UseAll() {}

        static void main() {
            PhysicalAllocator physical = PhysicalAllocator.create();
            MemorySegment block = physical.allocate(8192, 8);
            IO.println("guarantee: " + physical.guarantee(block).size() + " of 2");
            try {
                IO.println("address: " + physical.addressOf(block));
            } catch (PhysicalAddressException e) {
                IO.println("address: " + e.reason() + ", " + e.getMessage());
            }
            try {
                IO.println("inspect: " + physical.inspect(block));
            } catch (PhysicalAddressException e) {
                IO.println("inspect: " + e.reason() + ", " + e.getMessage());
            }
            try {
                IO.println("over the limit: " + physical.allocate(61_440, 8));
            } catch (AllocationException e) {
                IO.println("over the limit: " + e.reason() + ", " + e.getMessage());
            }
            MemorySegment rest = physical.allocate(57_344, 8);
            IO.println("below it again: " + rest.byteSize() + " bytes");
            physical.free(rest);
            physical.free(block);
            AllocatorStats left = physical.stats();
            IO.println(
                    "left: %d blocks, %d bytes".formatted(left.liveBlocks(), left.capacityBytes()));
            physical.close();
        }
    }
}
