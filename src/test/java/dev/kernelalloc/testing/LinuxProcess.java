package dev.kernelalloc.testing;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What Linux says of this process, read from /proc without the library: the tests' second opinion.
 */
public final class LinuxProcess {

    private static final long PAGE_BYTES = 4096;
    private static final int CAP_SYS_ADMIN = 21;

    private LinuxProcess() {}

    /** Whether this process runs on Linux. */
    public static boolean isThis() {
        return System.getProperty("os.name").equals("Linux");
    }

    /** Whether the kernel shows it frame numbers. */
    public static boolean seesFrames() {
        long effective = Long.parseUnsignedLong(status("CapEff"), 16);
        return (effective >>> CAP_SYS_ADMIN & 1) != 0;
    }

    /** Whether the processor says that a hypervisor runs it. */
    public static boolean isGuest() {
        return lines("/proc/cpuinfo").stream()
                .anyMatch(line -> line.startsWith("flags") && line.contains(" hypervisor"));
    }

    /** Bytes locked now. */
    public static long lockedBytes() {
        return Long.parseLong(status("VmLck").split(" ")[0]) * 1024;
    }

    /** Bytes pinned now. */
    public static long pinnedBytes() {
        return Long.parseLong(status("VmPin").split(" ")[0]) * 1024;
    }

    /** Bytes of transparent huge pages and of the pool in the mapping of an address. */
    public static long hugeBytes(long address) {
        return mapping(address).orElseThrow().stream()
                .filter(line -> line.matches("(AnonHugePages|Shared_Hugetlb|Private_Hugetlb):.*"))
                .mapToLong(line -> Long.parseLong(line.split("\\s+")[1]) * 1024)
                .sum();
    }

    /** What may be done at an address, for example {@code rw-p}. */
    public static String permissions(long address) {
        return mapping(address).orElseThrow().getFirst().split(" ")[1];
    }

    /** Pages of 2 MiB in the pool that nobody uses or was promised. */
    public static long freePoolPages() {
        Path pool = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB");
        return Files.isDirectory(pool)
                ? number(pool.resolve("free_hugepages")) - number(pool.resolve("resv_hugepages"))
                : 0;
    }

    private static long number(Path file) {
        return Long.parseLong(lines(file.toString()).getFirst());
    }

    /** What the kernel says of a frame in one of its files of records. */
    public static long frameRecord(String file, long frame) {
        try (RandomAccessFile records = new RandomAccessFile(file, "r")) {
            records.seek(frame * Long.BYTES);
            return Long.reverseBytes(records.readLong());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether an address belongs to a mapping. */
    public static boolean isMapped(long address) {
        return mapping(address).isPresent();
    }

    /** Bytes in memory of the mapping of an address. */
    public static long residentBytes(long address) {
        return mapping(address).orElseThrow().stream()
                .filter(line -> line.startsWith("Rss:"))
                .mapToLong(line -> Long.parseLong(line.split("\\s+")[1]) * 1024)
                .findFirst()
                .orElseThrow();
    }

    /**
     * Bytes of mappings that a child made by fork(2) does not get: nobody but the library has any.
     */
    public static long bytesKeptFromChildren() {
        List<String> lines = lines("/proc/self/smaps");
        long bytes = 0;
        long mapping = 0;
        for (String line : lines) {
            if (line.startsWith("Size:")) {
                mapping = Long.parseLong(line.split("\\s+")[1]) * 1024;
            } else if (line.startsWith("VmFlags:") && line.contains(" dc")) {
                bytes += mapping;
            }
        }
        return bytes;
    }

    /** Whether a file of that name, or one that begins so, is mapped. */
    public static boolean hasLoaded(String library) {
        return lines("/proc/self/maps").stream().anyMatch(line -> line.contains("/" + library));
    }

    /** The two-letter flags of the mapping of an address, as in proc_pid_smaps(5). */
    public static List<String> mappingFlags(long address) {
        List<String> mapping = mapping(address).orElseThrow();
        return mapping.stream()
                .filter(line -> line.startsWith("VmFlags:"))
                .flatMap(line -> Arrays.stream(line.split("\\s+")).skip(1))
                .toList();
    }

    /** The physical address of a byte of a page that is present. */
    public static long physicalAddress(long address) {
        long entry = pageMapEntry(address);
        if (entry >= 0) {
            throw new AssertionError("page of 0x%x is not present".formatted(address));
        }
        return (entry & (1L << 55) - 1) * PAGE_BYTES + address % PAGE_BYTES;
    }

    /** Whether a page has a frame, also when its number is hidden. */
    public static boolean isPresent(long address) {
        return pageMapEntry(address) < 0;
    }

    /** What the kernel reads of this process for whoever asks it to; empty where it cannot. */
    public static Optional<byte[]> readByKernel(long address, int bytes) {
        try (RandomAccessFile memory = new RandomAccessFile("/proc/self/mem", "r")) {
            byte[] read = new byte[bytes];
            memory.seek(address);
            memory.readFully(read);
            return Optional.of(read);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static long pageMapEntry(long address) {
        try (RandomAccessFile pageMap = new RandomAccessFile("/proc/self/pagemap", "r")) {
            pageMap.seek(address / PAGE_BYTES * Long.BYTES);
            return Long.reverseBytes(pageMap.readLong());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Optional<List<String>> mapping(long address) {
        List<String> lines = lines("/proc/self/smaps");
        for (int i = 0; i < lines.size(); i++) {
            if (isHeader(lines.get(i))) {
                String[] range = lines.get(i).split(" ")[0].split("-");
                long start = Long.parseUnsignedLong(range[0], 16);
                long end = Long.parseUnsignedLong(range[1], 16);
                if (Long.compareUnsigned(start, address) <= 0
                        && Long.compareUnsigned(address, end) < 0) {
                    int next = i + 1;
                    while (next < lines.size() && !isHeader(lines.get(next))) {
                        next++;
                    }
                    return Optional.of(lines.subList(i, next));
                }
            }
        }
        return Optional.empty();
    }

    private static boolean isHeader(String line) {
        return line.matches("[0-9a-f]+-[0-9a-f]+ .*");
    }

    private static String status(String field) {
        return lines("/proc/self/status").stream()
                .filter(line -> line.startsWith(field + ":"))
                .map(line -> line.substring(field.length() + 1).strip())
                .findFirst()
                .orElseThrow();
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
