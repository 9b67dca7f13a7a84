package dev.kernelalloc.netty.probe;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.netty.KernelByteBufAllocator;

import io.netty.buffer.ByteBuf;

/** Uses a buffer beyond its end and after its release, where Netty's checks are switched off. */
public final class ChecksOff {

    private ChecksOff() {}

    /** Prints how each late use ends. */
    public static void main(String[] args) {
        KernelByteBufAllocator allocator = new KernelByteBufAllocator(PoolAllocator.create());
        ByteBuf buffer = allocator.directBuffer(64);
        ByteBuf other = allocator.directBuffer(8);
        print("read beyond", () -> buffer.getLong(57));
        print("write beyond", () -> buffer.setMedium(62, 1));
        print("write before", () -> buffer.setByte(-1, 1));
        print("copy beyond", () -> buffer.getBytes(0, new byte[65], 0, 65));
        print("copy to beyond", () -> buffer.getBytes(0, other, 0, 16));
        print("view beyond", () -> buffer.nioBuffer(60, 8));
        print("zero beyond", () -> buffer.setZero(60, 8));
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
