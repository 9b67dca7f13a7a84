package dev.kernelalloc.peers;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.RootAllocator;
import org.lwjgl.system.MemoryUtil;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.concurrent.Callable;

/**
 * Does what a program should not, with one peer, and prints for each attempt what came of it. In a
 * process of its own, as flags decide, and as it may crash.
 */
final class Facts {

    private static final int SMALL = 64;
    private static final int LARGE = 8 << 20;

    private Facts() {}

    /** Shows one peer, the argument: {@code arena}, {@code netty}, {@code arrow}, {@code lwjgl}. */
    public static void main(String[] arguments) {
        switch (arguments[0]) {
            case "arena" -> arena();
            case "netty" -> netty(new PooledByteBufAllocator(true));
            case "arrow" -> arrow();
            case "lwjgl" -> lwjgl();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void show(String attempt, Callable<Object> body) {
        String result;
        try {
            result = "" + body.call();
        } catch (Exception | OutOfMemoryError e) {
            result = "throws " + e.getClass().getName();
        }
        System.out.println(attempt + ": " + result);
    }

    private static void arena() {
        show(
                "access after free",
                () -> {
                    Arena arena = Arena.ofConfined();
                    MemorySegment block = arena.allocate(SMALL);
                    arena.close();
                    return block.get(ValueLayout.JAVA_BYTE, 0);
                });
        show(
                "double free",
                () -> {
                    Arena arena = Arena.ofConfined();
                    arena.close();
                    arena.close();
                    return "done";
                });
        show("8 MiB of ofAuto", () -> Arena.ofAuto().allocate(LARGE).byteSize());
        show(
                "8 MiB of ofConfined",
                () -> {
                    try (Arena arena = Arena.ofConfined()) {
                        return arena.allocate(LARGE).byteSize();
                    }
                });
    }

    private static void netty(ByteBufAllocator allocator) {
        show("Unsafe", PlatformDependent::hasUnsafe);
        show(
                "count",
                () -> {
                    ByteBuf buffer = allocator.directBuffer(SMALL).retain();
                    buffer.release();
                    int kept = buffer.refCnt();
                    buffer.release();
                    return kept + " then " + buffer.refCnt();
                });
        show(
                "access after free",
                () -> {
                    ByteBuf buffer = allocator.directBuffer(SMALL);
                    buffer.release();
                    buffer.getByte(0);
                    return "read";
                });
        show(
                "double free",
                () -> {
                    ByteBuf buffer = allocator.directBuffer(SMALL);
                    buffer.release();
                    return buffer.release();
                });
        show("8 MiB", () -> allocator.directBuffer(LARGE).capacity());
    }

    private static void arrow() {
        RootAllocator allocator = new RootAllocator(LARGE / 2);
        show("8 MiB", () -> allocator.buffer(LARGE).capacity());
        show(
                "and then",
                () -> {
                    try (ArrowBuf buffer = allocator.buffer(SMALL)) {
                        return buffer.capacity();
                    }
                });
        show(
                "access after free",
                () -> {
                    ArrowBuf buffer = allocator.buffer(SMALL);
                    buffer.close();
                    buffer.getByte(0);
                    return "read";
                });
        show(
                "double free",
                () -> {
                    ArrowBuf buffer = allocator.buffer(SMALL);
                    buffer.close();
                    buffer.close();
                    return "done";
                });
        show("totals", () -> allocator.getAllocatedMemory() + ", " + allocator.getLimit());
        show(
                "leak",
                () -> {
                    RootAllocator leaking = new RootAllocator(LARGE);
                    leaking.buffer(SMALL);
                    leaking.close();
                    return "closed";
                });
    }

    /** The double free comes last: glibc may end the process. */
    private static void lwjgl() {
        show(
                "access after free",
                () -> {
                    ByteBuffer buffer = MemoryUtil.memAlloc(SMALL);
                    MemoryUtil.memFree(buffer);
                    buffer.get(0);
                    return "read";
                });
        show("leak", () -> MemoryUtil.memAlloc(SMALL).capacity());
        show(
                "double free",
                () -> {
                    ByteBuffer buffer = MemoryUtil.memAlloc(SMALL);
                    MemoryUtil.memFree(buffer);
                    MemoryUtil.memFree(buffer);
                    return "done";
                });
    }
}
