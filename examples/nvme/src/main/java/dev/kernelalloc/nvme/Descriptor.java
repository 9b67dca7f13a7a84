package dev.kernelalloc.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Locale;

/**
 * An open file descriptor, for operations that {@code java.nio} does not provide: ioctl(2), and
 * mmap(2) of a file without a name. None of them is called while requests run.
 *
 * @param number the number assigned by the kernel
 */
record Descriptor(int number) implements AutoCloseable {

    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 0x80000;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(PathElement.groupElement("errno"));

    private static final MethodHandle OPEN = function("open", 2, INT, ValueLayout.ADDRESS, INT);
    private static final MethodHandle CLOSE = function("close", 1, INT, INT);
    private static final MethodHandle IOCTL = function("ioctl", 2, INT, INT, LONG, LONG);
    private static final MethodHandle PREAD =
            function("pread", 4, LONG, INT, ValueLayout.ADDRESS, LONG, LONG);
    private static final MethodHandle PWRITE =
            function("pwrite", 4, LONG, INT, ValueLayout.ADDRESS, LONG, LONG);
    private static final MethodHandle MMAP =
            function("mmap", 6, LONG, LONG, LONG, INT, INT, INT, LONG);
    private static final MethodHandle MUNMAP = function("munmap", 2, INT, LONG, LONG);

    static Descriptor open(String path) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path);
            return new Descriptor(
                    (int)
                            call(
                                    "open " + path,
                                    state ->
                                            (int)
                                                    OPEN.invokeExact(
                                                            state, name, O_RDWR | O_CLOEXEC)));
        }
    }

    /** Calls ioctl(2) with a number, or without an argument. */
    int ioctl(int request, long argument) {
        return (int)
                call(
                        String.format(Locale.ROOT, "ioctl 0x%x", request),
                        state -> (int) IOCTL.invokeExact(state, number, (long) request, argument));
    }

    /** Calls ioctl(2) with a struct, which the kernel may fill. */
    int ioctl(int request, MemorySegment argument) {
        return ioctl(request, argument.address());
    }

    /** Reads exactly as many bytes as the target has. */
    void read(MemorySegment target, long position) {
        requireAll(
                target,
                call(
                        "pread",
                        state ->
                                (long)
                                        PREAD.invokeExact(
                                                state,
                                                number,
                                                target,
                                                target.byteSize(),
                                                position)));
    }

    /** Writes all bytes. */
    void write(MemorySegment source, long position) {
        requireAll(
                source,
                call(
                        "pwrite",
                        state ->
                                (long)
                                        PWRITE.invokeExact(
                                                state,
                                                number,
                                                source,
                                                source.byteSize(),
                                                position)));
    }

    private static void requireAll(MemorySegment wanted, long done) {
        if (done != wanted.byteSize()) {
            throw new IllegalStateException(
                    "incomplete transfer: wanted=" + wanted.byteSize() + " done=" + done);
        }
    }

    /** Maps a part of the file for as long as the arena lives. */
    @SuppressWarnings("restricted")
    MemorySegment map(long position, long bytes, Arena arena) {
        long address =
                call(
                        "mmap",
                        state ->
                                (long)
                                        MMAP.invokeExact(
                                                state,
                                                0L,
                                                bytes,
                                                PROT_READ_WRITE,
                                                MAP_SHARED,
                                                number,
                                                position));
        return MemorySegment.ofAddress(address)
                .reinterpret(
                        bytes,
                        arena,
                        memory ->
                                call(
                                        "munmap",
                                        state -> (int) MUNMAP.invokeExact(state, address, bytes)));
    }

    @Override
    public void close() {
        call("close", state -> (int) CLOSE.invokeExact(state, number));
    }

    private interface Call {
        long invoke(MemorySegment state) throws Throwable;
    }

    private static long call(String name, Call call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            long result = call.invoke(state);
            if (result == -1) {
                throw new SystemCallException(name, (int) ERRNO.get(state, 0L));
            }
            return result;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Links a function of the C library; from {@code variadic} on, its arguments stand for "...".
     */
    @SuppressWarnings("restricted")
    private static MethodHandle function(
            String name, int variadic, ValueLayout result, ValueLayout... arguments) {
        Linker linker = Linker.nativeLinker();
        FunctionDescriptor descriptor = FunctionDescriptor.of(result, arguments);
        MemorySegment address = linker.defaultLookup().findOrThrow(name);
        Linker.Option errno = Linker.Option.captureCallState("errno");
        return variadic < arguments.length
                ? linker.downcallHandle(
                        address, descriptor, errno, Linker.Option.firstVariadicArg(variadic))
                : linker.downcallHandle(address, descriptor, errno);
    }

    /** Thrown when the kernel refuses a call. */
    static final class SystemCallException extends IllegalStateException {

        private static final long serialVersionUID = 1;

        SystemCallException(String call, int errno) {
            super(call + " failed: errno=" + errno + ", see errno(3)");
        }
    }
}
