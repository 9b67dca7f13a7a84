import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.buffer.ByteBuf;

import java.nio.charset.StandardCharsets;

/** The program of the README. */
class TenLines {

    public static void main(String[] args) {
        try (PoolAllocator memory = PoolAllocator.builder().tag("io").limit(256 << 20).build()) {
            KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);
            // bootstrap.childOption(ChannelOption.ALLOCATOR, allocator);
            ByteBuf buffer = allocator.buffer(16); // a block of the pool
            buffer.writeCharSequence("hello", StandardCharsets.UTF_8);
            String text = buffer.toString(StandardCharsets.UTF_8);
            System.out.println(text + ", " + memory.stats().liveBlocks() + " live block");
            buffer.release(); // on any thread
            System.out.println(memory.stats().liveBlocks() + " live blocks");
        }
    }
}
