package dev.kernelalloc.os;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;

/**
 * Pages from mmap(2) and its family. Numbers that differ between the systems come from the
 * implementing class.
 */
interface Posix extends CHeap {

    int PROT_NONE = 0;
    int PROT_READ = 1;
    int PROT_WRITE = 2;
    long MAP_FAILED = -1;

    int EPERM = 1;
    int ENOENT = 2;
    int ENOMEM = 12;
    int EACCES = 13;
    int EINVAL = 22;

    @Override
    default boolean hasAlignedRealloc() {
        return true;
    }

    @Override
    default long alignedRealloc(long address, long bytes) throws Refusal {
        return realloc(address, bytes);
    }

    @Override
    PosixCalls calls();

    /** The flags of a private anonymous mapping. */
    int anonymous();

    /** The names of this system's error codes. */
    Map<Integer, String> errorNames();

    @Override
    default void alignedFree(long address) {
        calls().free(address);
    }

    @Override
    default MethodHandle alignedFreeHandle() {
        return HeapCalls.Free.handle();
    }

    /**
     * Reserves enough for an aligned range at any address, and releases the excess. Inaccessible
     * pages are not charged, so a commit is refused if the system promises no more memory than it
     * has.
     */
    @Override
    default long reserve(long bytes, long alignment, MemorySegment callState) throws Refusal {
        String what = "reserving " + bytes + " bytes at a multiple of " + alignment;
        long surplus = alignment - pageBytes();
        if (bytes > Long.MAX_VALUE - surplus) {
            throw new Refusal.OutOfMemory(what + ": there is no address space of that size");
        }
        long mapped = calls().mmap(0, bytes + surplus, PROT_NONE, anonymous(), callState);
        if (mapped == MAP_FAILED) {
            throw refused(what, callState);
        }
        long start = Alignment.down(mapped + surplus, alignment);
        long head = start - mapped;
        if (head > 0 && calls().munmap(mapped, head, callState) != 0) {
            Refusal refusal = refused(what, callState);
            calls().munmap(mapped, bytes + surplus, callState);
            throw refusal;
        }
        long tail = surplus - head;
        if (tail > 0 && calls().munmap(start + bytes, tail, callState) != 0) {
            Refusal refusal = refused(what, callState);
            calls().munmap(start, bytes + tail, callState);
            throw refusal;
        }
        return start;
    }

    @Override
    default void commit(long address, long bytes, MemorySegment callState) throws Refusal {
        check(
                calls().mprotect(address, bytes, PROT_READ | PROT_WRITE, callState),
                "committing",
                address,
                bytes,
                callState);
    }

    @Override
    default void protect(long address, long bytes, Access access, MemorySegment callState)
            throws Refusal {
        int protection =
                switch (access) {
                    case NONE -> PROT_NONE;
                    case READ -> PROT_READ;
                    case READ_WRITE -> PROT_READ | PROT_WRITE;
                };
        check(
                calls().mprotect(address, bytes, protection, callState),
                "protecting",
                address,
                bytes,
                callState);
    }

    @Override
    default void release(long address, long bytes, MemorySegment callState) throws Refusal {
        check(calls().munmap(address, bytes, callState), "releasing", address, bytes, callState);
    }

    @Override
    default void unlock(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls().munlock(memory, callState) != 0) {
            throw refused(Posix.range("unlocking", memory), callState);
        }
    }

    default void check(int result, String verb, long address, long bytes, MemorySegment callState)
            throws Refusal {
        if (result != 0) {
            throw refused(range(verb, address, bytes), callState);
        }
    }

    static String range(String verb, long address, long bytes) {
        return verb + " " + bytes + " bytes at 0x" + Long.toHexString(address);
    }

    static String range(String verb, MemorySegment memory) {
        return range(verb, memory.address(), memory.byteSize());
    }

    default ErrorCode error(MemorySegment callState) {
        int errno = CallState.read(callState, "errno");
        return new ErrorCode(errno, errorNames().getOrDefault(errno, "errno"));
    }

    /** Explains the captured error of a call on pages. */
    default Refusal refused(String what, MemorySegment callState) {
        ErrorCode error = error(callState);
        return switch (error.number()) {
            case ENOMEM -> new Refusal.OutOfMemory(what + ": " + error + ", " + outOfPages());
            case EPERM, EACCES ->
                    new Refusal.NotPermitted(
                            what + ": " + error + ", the system's policy forbids it");
            default -> new Refusal.SystemError(what + ": " + error, error);
        };
    }

    /** Why this system has no more pages or mappings, and what to do. */
    String outOfPages();
}
