import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.junit.KernelAllocatorExtension;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

@ExtendWith(KernelAllocatorExtension.class)
class FrameTest {

    @Test
    void isWrittenAndFreed(PoolAllocator allocator) {
        MemorySegment frame = allocator.allocateZeroed(1500, 64);
        frame.set(ValueLayout.JAVA_INT, 0, 42);
        assertEquals(42, frame.get(ValueLayout.JAVA_INT, 0));
        allocator.free(frame);
    }

    @Test
    void leaks(PoolAllocator allocator) {
        allocator.allocate(1500, 64);
    }
}
