package dev.kernelalloc.benchmarks.physical;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Memory of a program without an allocator: mapped, used, and unmapped. */
@SuppressWarnings("restricted")
final class OwnMapping {

    private static final long PAGE_BYTES = 4096;
    private static final long HUGE_BYTES = 2L << 20;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_NOHUGEPAGE = 15;
    private static final int MADV_POPULATE_WRITE = 23;
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MMAP =
            link(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG));
    private static final MethodHandle MUNMAP =
            link("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            link("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MLOCK =
            link("mlock", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PREAD =
            link(
                    "pread",
                    FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));

    private final MemorySegment entry = Arena.global().allocate(ValueLayout.JAVA_LONG);
    private final int pageMap = open();

    private static MethodHandle link(String name, FunctionDescriptor type) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type);
    }

    private static int open() {
        MethodHandle open =
                LINKER.downcallHandle(
                        LINKER.defaultLookup().findOrThrow("open"),
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
                        Linker.Option.firstVariadicArg(2));
        try (Arena arena = Arena.ofConfined()) {
            return (int) open.invokeExact(arena.allocateFrom("/proc/self/pagemap"), 0);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * The page map entry of a page that was mapped and locked for it, read from a page map that is
     * open already.
     */
    long once() {
        try {
            long address = (long) MMAP.invokeExact(0L, PAGE_BYTES, 3, 0x22, -1, 0L);
            int locked = (int) MLOCK.invokeExact(address, PAGE_BYTES);
            long read =
                    (long) PREAD.invokeExact(pageMap, entry, 8L, address / PAGE_BYTES * Long.BYTES);
            int unmapped = (int) MUNMAP.invokeExact(address, PAGE_BYTES);
            if (locked != 0 || read != Long.BYTES || unmapped != 0) {
                throw new IllegalStateException("a system call failed");
            }
            return entry.get(ValueLayout.JAVA_LONG, 0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * The sum of the page map's entries of that many bytes of fresh pages, which were mapped,
     * populated, locked, read in one call and unmapped for it.
     */
    long prepared(long bytes, boolean huge, MemorySegment entries) {
        try {
            long mapped = (long) MMAP.invokeExact(0L, bytes + HUGE_BYTES, 3, 0x22, -1, 0L);
            long address = mapped + HUGE_BYTES - 1 & -HUGE_BYTES;
            int advice = huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
            int advised = (int) MADVISE.invokeExact(address, bytes, advice);
            int populated = (int) MADVISE.invokeExact(address, bytes, MADV_POPULATE_WRITE);
            int locked = (int) MLOCK.invokeExact(address, bytes);
            long length = bytes / PAGE_BYTES * Long.BYTES;
            long read =
                    (long)
                            PREAD.invokeExact(
                                    pageMap, entries, length, address / PAGE_BYTES * Long.BYTES);
            long sum = 0;
            for (long i = 0; i < length; i += Long.BYTES) {
                sum += entries.get(ValueLayout.JAVA_LONG, i);
            }
            int unmapped = (int) MUNMAP.invokeExact(mapped, bytes + HUGE_BYTES);
            if ((advised | populated | locked | unmapped) != 0 || read != length) {
                throw new IllegalStateException("a system call failed");
            }
            return sum;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Zeros, written to that many bytes of fresh transparent huge pages; the address of them. */
    long filled(long bytes) {
        try {
            long mapped = (long) MMAP.invokeExact(0L, bytes + HUGE_BYTES, 3, 0x22, -1, 0L);
            long address = mapped + HUGE_BYTES - 1 & -HUGE_BYTES;
            int advised = (int) MADVISE.invokeExact(address, bytes, MADV_HUGEPAGE);
            MemorySegment.ofAddress(address).reinterpret(bytes).fill((byte) 0);
            int unmapped = (int) MUNMAP.invokeExact(mapped, bytes + HUGE_BYTES);
            if (advised != 0 || unmapped != 0) {
                throw new IllegalStateException("a system call failed");
            }
            return address;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
