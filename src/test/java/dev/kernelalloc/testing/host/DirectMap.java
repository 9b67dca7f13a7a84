package dev.kernelalloc.testing.host;

import static org.junit.jupiter.api.Assumptions.abort;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.testing.CLibrary;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Reads physical memory through the kernel's own mapping of it, the direct map, by a BPF program:
 * an oracle that shares nothing with the page map or the library, and needs no {@code /dev/mem}.
 *
 * <p>The direct map begins at {@code page_offset_base}, a random multiple of 1 GiB that most
 * kernels do not export. It is derived: the program learns the address of one block of kmalloc,
 * which lies in the direct map, so the base is one of the multiples below. Only at the right one
 * are the bytes of the kernel's code found where {@code /proc/iomem} says that it lies in physical
 * memory.
 */
public final class DirectMap implements AutoCloseable {

    /** The unit of a read. */
    public static final int PAGE_BYTES = 4096;

    private static final long GIB = 1L << 30;
    private static final int COMPARED_PAGES = 16;
    private static final int REASON_BYTES = 16384;

    /** Static keys rewrite the code now and then. */
    private static final int MOST_ATTEMPTS = 10;

    private final Arena arena = Arena.ofConfined();
    private final MethodHandle read;
    private final MethodHandle close;
    private final MemorySegment page = arena.allocate(PAGE_BYTES, Long.BYTES);
    private final long base;

    private DirectMap() {
        try {
            requireX64();
            CLibrary library = CLibrary.compile(source(), arena);
            MethodHandle open =
                    library.function(
                            "direct_map_open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
            MethodHandle anchor =
                    library.function("direct_map_anchor", FunctionDescriptor.of(JAVA_LONG));
            read =
                    library.function(
                            "direct_map_read",
                            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, ADDRESS));
            close = library.function("direct_map_close", FunctionDescriptor.ofVoid());
            MemorySegment reason = arena.allocate(REASON_BYTES);
            if ((int) open.invokeExact(reason, (long) REASON_BYTES) != 0) {
                throw skipped("the kernel refuses a BPF program: " + reason.getString(0));
            }
            base = base(KernelCode.ofThisKernel(), (long) anchor.invokeExact());
        } catch (Throwable e) {
            arena.close();
            throw rethrown(e);
        }
    }

    /** Loads the program; aborts the test, with a printed reason, where the kernel forbids it. */
    public static DirectMap open() {
        return new DirectMap();
    }

    /**
     * Reads a page.
     *
     * @param physicalAddress of a byte of it
     * @return its bytes; empty when the kernel has no mapping of it
     */
    public Optional<byte[]> read(long physicalAddress) {
        return readKernel(base + (physicalAddress & -PAGE_BYTES));
    }

    /** Returns where the kernel maps physical address 0. */
    public long base() {
        return base;
    }

    @Override
    public void close() {
        try {
            close.invokeExact();
        } catch (Throwable e) {
            throw rethrown(e);
        } finally {
            arena.close();
        }
    }

    private Optional<byte[]> readKernel(long address) {
        long result;
        try {
            result = (long) read.invokeExact(address, page);
        } catch (Throwable e) {
            throw rethrown(e);
        }
        if (result == 0) {
            return Optional.of(page.toArray(ValueLayout.JAVA_BYTE));
        }
        if (result != -14) { // EFAULT: not mapped
            throw new AssertionError("the BPF program cannot run: errno " + -result);
        }
        return Optional.empty();
    }

    /** The one multiple of 1 GiB below the anchor at which the kernel's code is found. */
    private long base(KernelCode code, long anchor) {
        for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
            List<Long> found = new ArrayList<>();
            // Nothing but memory lies between the base and the anchor; below it nothing is mapped.
            for (long candidate = anchor & -GIB;
                    Long.compareUnsigned(anchor - candidate, code.endOfMemory()) <= 0;
                    candidate -= GIB) {
                if (isAt(candidate, code)) {
                    found.add(candidate);
                }
            }
            if (found.size() == 1) {
                return found.getFirst();
            }
        }
        throw skipped("the code of this kernel is not found in its direct map");
    }

    private boolean isAt(long candidate, KernelCode code) {
        for (long offset : code.offsets(COMPARED_PAGES)) {
            Optional<byte[]> executed = readKernel(code.virtual() + offset);
            Optional<byte[]> mapped = readKernel(candidate + code.physical() + offset);
            if (executed.isEmpty()
                    || mapped.isEmpty()
                    || !Arrays.equals(executed.get(), mapped.get())) {
                return false;
            }
        }
        return true;
    }

    /**
     * Where the kernel's code lies.
     *
     * @param virtual address of its first byte, by {@code /proc/kallsyms}
     * @param physical address of the same, by {@code /proc/iomem}
     * @param bytes of it
     * @param endOfMemory no frame of memory has a higher physical address
     */
    private record KernelCode(long virtual, long physical, long bytes, long endOfMemory) {

        static KernelCode ofThisKernel() {
            List<String> map = lines("/proc/iomem");
            long[] code = range(map, ": Kernel code");
            long virtual =
                    lines("/proc/kallsyms").stream()
                            .filter(line -> line.endsWith(" _text"))
                            .mapToLong(line -> Long.parseUnsignedLong(line.split(" ")[0], 16))
                            .findFirst()
                            .orElse(0);
            if (virtual == 0 || code[1] == 0) {
                throw skipped(
                        "/proc/kallsyms and /proc/iomem hide where the kernel's code lies:"
                                + " kernel.kptr_restrict, or no CAP_SYS_ADMIN");
            }
            return new KernelCode(
                    virtual, code[0], code[1] - code[0], range(map, ": System RAM")[1]);
        }

        /** The last range of that name. */
        private static long[] range(List<String> map, String name) {
            return map.stream()
                    .filter(line -> line.endsWith(name))
                    .map(line -> line.strip().split(" ")[0].split("-"))
                    .map(ends -> new long[] {parsed(ends[0]), parsed(ends[1])})
                    .reduce((_, last) -> last)
                    .orElseGet(() -> new long[2]);
        }

        private static long parsed(String hexadecimal) {
            return Long.parseUnsignedLong(hexadecimal, 16);
        }

        /** Offsets of whole pages, evenly spread. */
        List<Long> offsets(int pages) {
            long step = bytes / pages & -PAGE_BYTES;
            return Stream.iterate(0L, offset -> offset + step).limit(pages).toList();
        }
    }

    private static void requireX64() {
        String architecture = System.getProperty("os.arch");
        if (!architecture.equals("amd64")) {
            throw skipped("it knows the direct map of x86-64 alone, not of " + architecture);
        }
    }

    private static String source() throws IOException {
        return Files.readString(
                Path.of(
                        System.getProperty("project.basedir"),
                        "src/test/c/direct-map/direct_map.c"));
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static RuntimeException skipped(String why) {
        return abort("skipped: " + why);
    }

    private static RuntimeException rethrown(Throwable e) {
        return switch (e) {
            case RuntimeException unchecked -> unchecked;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }
}
