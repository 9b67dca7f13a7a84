package dev.kernelalloc.netty.probe;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.buffer.ByteBuf;

/** Uses a buffer after its release, in a process whose checks of Netty are switched off. */
public final class ChecksOff {

    private ChecksOff() {}

    /** Prints how each late use ends. */
    public static void main(String[] args) {
        KernelByteBufAllocator allocator = new KernelByteBufAllocator(PoolAllocator.create());
        ByteBuf buffer = allocator.directBuffer(64);
        buffer.release();
        print("read", () -> buffer.getLong(0));
        print("write", () -> buffer.setInt(8, 1));
        print("copy", () -> buffer.getBytes(0, new byte[8]));
        print("view", () -> buffer.nioBuffer(0, 8));
    }

    private static void print(String what, Runnable use) {
        try {
            use.run();
            System.out.println(what + ": done");
        } catch (RuntimeException e) {
            System.out.println(what + ": " + e.getClass().getSimpleName());
        }
    }
}
