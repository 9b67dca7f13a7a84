package dev.kernelalloc.testing.host;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Private anonymous pages of a test, mapped without the library.
 *
 * @param address of the first page
 * @param bytes of all
 */
@SuppressWarnings("restricted")
public record Mapping(long address, long bytes) implements AutoCloseable {

    /** The size of a page. */
    public static final long PAGE_BYTES = 4096;

    /** Give back; see madvise(2). */
    public static final int DONTNEED = 4;

    /** Merge with equal pages. */
    public static final int MERGEABLE = 12;

    private static final int HUGEPAGE = 14;
    private static final int NOHUGEPAGE = 15;
    private static final int POPULATE_WRITE = 23;
    private static final int READ_WRITE = 3;
    private static final int PRIVATE_ANONYMOUS = 0x22;

    private static final MethodHandle MMAP =
            function(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            function("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

    /** Maps and populates base pages, never huge ones. */
    public static Mapping of(long bytes) {
        return of(bytes, NOHUGEPAGE);
    }

    /** Maps and populates transparent huge pages, where the kernel has them. */
    public static Mapping ofTransparentHugePages(long bytes) {
        return of(bytes, HUGEPAGE);
    }

    private static Mapping of(long bytes, int advice) {
        Mapping mapping = new Mapping(map(bytes, 0), bytes);
        mapping.advise(0, bytes, advice);
        mapping.advise(0, bytes, POPULATE_WRITE);
        return mapping;
    }

    private static final int HUGETLB_2_MIB = 0x40000 | 21 << 26;

    /** Maps pages of the pool of {@link HugePages}, and touches each. */
    public static Mapping ofHugePages(long pages) {
        long bytes = pages * HugePages.BYTES;
        Mapping mapping = new Mapping(map(bytes, HUGETLB_2_MIB), bytes);
        mapping.advise(0, bytes, POPULATE_WRITE);
        return mapping;
    }

    private static long map(long bytes, int flags) {
        try {
            long address =
                    (long)
                            MMAP.invokeExact(
                                    0L, bytes, READ_WRITE, PRIVATE_ANONYMOUS | flags, -1, 0L);
            if (address == -1) {
                throw new AssertionError("mmap of %d bytes, flags 0x%x".formatted(bytes, flags));
            }
            return address;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Gives advice for a part. */
    public void advise(long offset, long length, int advice) {
        try {
            if ((int) MADVISE.invokeExact(address + offset, length, advice) != 0) {
                throw new AssertionError("madvise of " + length + " bytes, advice " + advice);
            }
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Its bytes. */
    public MemorySegment segment() {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    @Override
    public void close() {
        try {
            if ((int) MUNMAP.invokeExact(address, bytes) != 0) {
                throw new AssertionError("munmap of " + bytes + " bytes");
            }
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
}
