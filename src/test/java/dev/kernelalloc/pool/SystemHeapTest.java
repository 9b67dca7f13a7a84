package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.CFunctions;

import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;

class SystemHeapTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PoolAllocator.systemHeap();
    }

    @Override
    protected boolean isClosable() {
        return false;
    }

    @Override
    protected boolean refusesSimultaneousFrees() {
        return true;
    }

    @Test
    void whatCodeInCHasAllocatedCanBeFreedAfterAdoption() {
        PoolAllocator heap = PoolAllocator.systemHeap();
        MemorySegment text = heap.allocateFrom("from C");
        MemorySegment fromC = CFunctions.strdup(text);
        heap.free(text);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> heap.adopt(fromC))
                .withMessageContaining("reinterpret");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> heap.adopt(CFunctions.withSize(MemorySegment.NULL, 7)))
                .withMessageContaining("NULL");
        MemorySegment block = heap.adopt(CFunctions.withSize(fromC, 7));
        assertThat(block.getString(0)).isEqualTo("from C");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> heap.adopt(block))
                .withMessageContaining("live block of this allocator already");
        heap.free(block);
    }

    @Test
    void aDisownedBlockIsForCodeInCToFree() {
        PoolAllocator heap = PoolAllocator.systemHeap();
        MemorySegment block = heap.allocate(100, 8);
        heap.disown(block);
        assertThatIllegalArgumentException().isThrownBy(() -> heap.free(block));
        CFunctions.free(block);
    }

    @Test
    void onlyTheSystemHeapSharesBlocksWithCodeInC() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            MemorySegment block = pool.allocate(8, 8);
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> pool.adopt(block))
                    .withMessageContaining("systemHeap()");
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> pool.disown(block));
            pool.free(block);
        }
    }
}
