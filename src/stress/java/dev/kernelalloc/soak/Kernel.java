package dev.kernelalloc.soak;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Linux's own reports on the pages of this process, and operations on them, without the library.
 */
@SuppressWarnings("restricted")
final class Kernel implements AutoCloseable {

    static final int PAGE_BYTES = 4096;
    static final int HUGE_BYTES = 2 << 20;

    /** See madvise(2). */
    static final int DONTNEED = 4;

    static final int NOHUGEPAGE = 15;
    static final int COLD = 20;
    static final int PAGEOUT = 21;
    static final int POPULATE_WRITE = 23;
    static final int COLLAPSE = 25;

    private static final int PR_SET_THP_DISABLE = 41;
    private static final int PR_SET_MEMORY_MERGE = 67;

    /** Bits of an entry of the page map. */
    private static final long PRESENT = 1L << 63;

    private static final long FRAME = (1L << 55) - 1;

    /** Bits of an entry of /proc/kpageflags. */
    private static final int KPF_HUGE = 17;

    private static final int KPF_KSM = 21;
    private static final int KPF_MLOCKED = 33;

    /** See PAGEMAP_SCAN in linux/fs.h. */
    private static final long PAGEMAP_SCAN = 0xC0606610L;

    private static final long SCAN_BYTES = 96;
    private static final long REGION_BYTES = 24;
    private static final long IS_HUGE = 1 << 6;

    private static final Path COMPACT = Path.of("/proc/sys/vm/compact_memory");

    private static final MethodHandle MADVISE =
            function("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MMAP =
            function(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PRCTL =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("prctl"),
                            FunctionDescriptor.of(
                                    JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                            Linker.Option.firstVariadicArg(1));

    private static final MethodHandle IOCTL =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("ioctl"),
                            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
                            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle OPEN =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("open"),
                            FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
                            Linker.Option.firstVariadicArg(2));

    private final RandomAccessFile pageMap;

    /** Identifies the page map, too: Java does not show the descriptor of its own. */
    private final int descriptor;

    /** Null where it cannot be read. */
    private final RandomAccessFile frames;

    Kernel() {
        try {
            pageMap = new RandomAccessFile("/proc/self/pagemap", "r");
            descriptor = opened("/proc/self/pagemap");
            Path flags = Path.of("/proc/kpageflags");
            frames = Files.isReadable(flags) ? new RandomAccessFile(flags.toFile(), "r") : null;
        } catch (IOException e) {
            throw new IllegalStateException("this soak needs Linux", e);
        }
    }

    private static int opened(String file) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.invokeExact(arena.allocateFrom(file), 0);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns whether places and kinds of pages are shown to this process. */
    boolean showsFrames(long address) {
        return frames != null && places(address, 1)[0] > 0;
    }

    /** Returns the physical address of each page, negative for one that is not present. */
    long[] places(long address, int pages) {
        ByteBuffer entries = ByteBuffer.allocate(pages * Long.BYTES).order(ByteOrder.nativeOrder());
        try {
            pageMap.seek(address / PAGE_BYTES * Long.BYTES);
            pageMap.readFully(entries.array());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        long[] places = new long[pages];
        for (int i = 0; i < pages; i++) {
            long entry = entries.getLong(i * Long.BYTES);
            places[i] = (entry & PRESENT) == 0 ? -1 : (entry & FRAME) * PAGE_BYTES;
        }
        return places;
    }

    /** Returns whether a page is mapped as a part of a huge one. */
    boolean isHuge(long page) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = arena.allocate(REGION_BYTES, Long.BYTES);
            MemorySegment scan = arena.allocate(SCAN_BYTES, Long.BYTES);
            long[] fields = {
                SCAN_BYTES,
                0,
                page,
                page + PAGE_BYTES,
                0,
                found.address(),
                1,
                1,
                0,
                IS_HUGE,
                0,
                IS_HUGE
            };
            MemorySegment.copy(fields, 0, scan, JAVA_LONG, 0, fields.length);
            return scan(scan) == 1;
        }
    }

    private int scan(MemorySegment arguments) {
        try {
            int regions = (int) IOCTL.invokeExact(descriptor, PAGEMAP_SCAN, arguments);
            if (regions < 0) {
                throw new IllegalStateException("PAGEMAP_SCAN: the kernel is older than 6.7");
            }
            return regions;
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns whether a page is merged with others: a write would give it another frame. */
    boolean isMerged(long place) {
        return (flags(place) >> KPF_KSM & 1) != 0;
    }

    /** Returns whether the kernel marks a frame as one that never leaves memory. */
    boolean isLocked(long place) {
        long flags = flags(place);
        return (flags >> KPF_MLOCKED & 1 | flags >> KPF_HUGE & 1) != 0;
    }

    /**
     * Returns the ends of the locked mappings by their starts: of a huge page that is mapped in
     * part, the kernel marks the mapping alone.
     */
    static NavigableMap<Long, Long> lockedMappings() {
        NavigableMap<Long, Long> locked = new TreeMap<>();
        String[] ends = {};
        for (String line : lines("/proc/self/smaps")) {
            if (line.startsWith("VmFlags:")) {
                if (line.contains(" lo")) {
                    locked.put(
                            Long.parseUnsignedLong(ends[0], 16),
                            Long.parseUnsignedLong(ends[1], 16));
                }
            } else if (Character.digit(line.charAt(0), 16) >= 0 && line.indexOf('-') > 0) {
                ends = line.split("[- ]", 3);
            }
        }
        return locked;
    }

    /** Returns the flags of a frame, see /proc/kpageflags. */
    long flags(long place) {
        try {
            frames.seek(place / PAGE_BYTES * Long.BYTES);
            return Long.reverseBytes(frames.readLong());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns the bytes of a line of /proc/self/status, such as VmLck. */
    static long status(String name) {
        return lines("/proc/self/status").stream()
                .filter(line -> line.startsWith(name + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D+", "")) * 1024)
                .findFirst()
                .orElseThrow();
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns whether the kernel took the advice. */
    static boolean advise(long address, long bytes, int advice) {
        try {
            return (int) MADVISE.invokeExact(address, bytes, advice) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Maps base pages and populates them. */
    static long map(long bytes) {
        try {
            long address = (long) MMAP.invokeExact(0L, bytes, 3, 0x22, -1, 0L);
            if (address == -1) {
                throw new IllegalStateException("mmap of " + bytes + " bytes");
            }
            advise(address, bytes, NOHUGEPAGE);
            advise(address, bytes, POPULATE_WRITE);
            return address;
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static void unmap(long address, long bytes) {
        try {
            if ((int) MUNMAP.invokeExact(address, bytes) != 0) {
                throw new IllegalStateException("munmap of " + bytes + " bytes");
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether transparent huge pages are forbidden to this process from now on. */
    static void forbidHugePages(boolean forbidden) {
        control(PR_SET_THP_DISABLE, forbidden ? 1 : 0);
    }

    /** Whether all memory of this process, present and future, may be merged with equal pages. */
    static boolean mergeEverything(boolean merged) {
        return control(PR_SET_MEMORY_MERGE, merged ? 1 : 0);
    }

    private static boolean control(int option, long value) {
        try {
            return (int) PRCTL.invokeExact(option, value, 0L, 0L, 0L) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static boolean mayCompact() {
        return Files.isWritable(COMPACT);
    }

    static void compact() {
        try {
            Files.writeString(COMPACT, "1");
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }

    @Override
    public void close() {
        try {
            pageMap.close();
            if (frames != null) {
                frames.close();
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
