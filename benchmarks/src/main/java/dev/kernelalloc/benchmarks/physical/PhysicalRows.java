package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.CProgram;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PagePolicy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The rows of physical memory. They need Linux, a lock limit, and for addresses the right to see
 * frames.
 */
public final class PhysicalRows {

    private static final double TWO_MICROSECONDS = 2000;

    /** The free memory required by the rows that take much of it. */
    private static final long ROOM_BYTES = 4L << 30;

    private static final long POOL_BYTES = 512L << 20;

    private PhysicalRows() {}

    /**
     * Returns the rows.
     *
     * @param allocators those for C; what the C program does here uses none
     */
    public static List<Row> all(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        for (int size : new int[] {64, 4096}) {
            Case physical = block("physical", size);
            rows.add(
                    Row.time(
                            "one locked block of " + size + " B, beside the heap's",
                            physical,
                            Reference.to(block("pool", size)),
                            Bar.atMost(1.2)));
            rows.add(
                    Row.time(
                            "one locked block of " + size + " B, beside mmap, mlock, pread, munmap",
                            physical,
                            Reference.to(block("systemCalls", size)),
                            Bar.atMost(0.01)));
        }
        rows.add(
                Row.time(
                        "physical address of a byte, beside a table of two loads",
                        address("addressOf"),
                        Reference.to(address("plainTable")),
                        Bar.atMost(3.0)));
        rows.add(
                Row.figure(
                        "Java heap for a physical address",
                        address("addressOf"),
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.01)));
        rows.add(
                Row.figure(
                        "physical address of a byte, and the virtual one of that",
                        address("virtualAddressOf"),
                        Figure.NANOS,
                        Bar.REPORTED));
        rows.add(
                Row.figure(
                        "Java heap for 1,024 extents of 64 MiB, to a visitor",
                        address("extentsVisited"),
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.5)));
        rows.add(
                Row.time(
                        "one of 100,000 live locked blocks of 512 B, beside the heap's",
                        JmhCase.of(ManyBlocksBenchmark.class, "physical", Map.of()),
                        Reference.to(JmhCase.of(ManyBlocksBenchmark.class, "pool", Map.of())),
                        Bar.REPORTED));
        for (PagePolicy policy : List.of(PagePolicy.BASE, PagePolicy.HUGE_2M)) {
            for (long bytes : new long[] {64L << 10, 2L << 20, 64L << 20}) {
                if (policy == PagePolicy.BASE || bytes >= 2L << 20) {
                    addPreparing(rows, policy, bytes);
                }
            }
        }
        rows.add(
                Row.figure(
                        "extents of 64 MiB of huge pages",
                        address("extents"),
                        Figure.NANOS,
                        Bar.atMost(TWO_MICROSECONDS)));
        rows.add(
                Row.figure(
                        "verify 64 MiB of huge pages",
                        address("verify"),
                        Figure.NANOS,
                        Bar.REPORTED));
        addResolving(rows, PagePolicy.BASE, "base pages", 50);
        addResolving(rows, PagePolicy.HUGE_ONLY, "huge pages", 15);
        addLookUp(rows, allocators, 64L << 20);
        long inPool = poolBytes();
        if (inPool >= POOL_BYTES) {
            addBesideC(rows, allocators, "pool", PagePolicy.HUGE_2M, POOL_BYTES, 1.3);
        } else {
            System.err.printf(
                    "skipped: the row of the pool needs %d bytes in it (vm.nr_hugepages), and there"
                            + " are %d%n",
                    POOL_BYTES, inPool);
        }
        if (hasRoom()) {
            addLookUp(rows, allocators, ROOM_BYTES);
            if (inPool == 0) { // or its pages would be taken
                addBesideC(rows, allocators, "transparent", PagePolicy.HUGE_2M, ROOM_BYTES, 1.2);
            }
            rows.add(
                    Row.time(
                            "1 GiB of huge pages populated, locked, pinned and resolved, beside"
                                    + " memset over fresh ones (aim 1.5)",
                            JmhCase.of(GibibyteBenchmark.class, "prepared", Map.of()),
                            Reference.to(JmhCase.of(GibibyteBenchmark.class, "memset", Map.of())),
                            Bar.REPORTED));
            rows.add(
                    Row.time(
                            "random load from 256 MiB of huge pages, beside base pages (aim 0.77)",
                            load("huge pages", PagePolicy.HUGE_ONLY),
                            Reference.to(load("base pages", PagePolicy.BASE)),
                            Bar.REPORTED));
        }
        return rows;
    }

    private static void addLookUp(List<Row> rows, List<CAllocator> allocators, long bytes) {
        Map<String, String> parameters = Map.of("bytes", String.valueOf(bytes));
        rows.add(
                Row.time(
                        "physical address at a random place of "
                                + (bytes >> 20)
                                + " MiB of huge pages, beside a table as of SPDK in C",
                        JmhCase.of(LookUpBenchmark.class, "addressOf", parameters),
                        inC(allocators, "translate", "bytes=" + bytes),
                        Bar.atMost(1.3)));
    }

    private static void addBesideC(
            List<Row> rows,
            List<CAllocator> allocators,
            String pages,
            PagePolicy policy,
            long bytes,
            double most) {
        rows.add(
                Row.time(
                        "prepare "
                                + (bytes >> 20)
                                + " MiB of "
                                + pages
                                + " huge pages, beside mmap, populate, mlock, one pread, munmap in"
                                + " C",
                        prepare("allocate", policy, bytes),
                        inC(allocators, "prepare", "pages=" + pages, "bytes=" + bytes),
                        Bar.atMost(most)));
    }

    private static Reference inC(List<CAllocator> allocators, String... arguments) {
        List<Case> cases =
                allocators.stream()
                        .filter(CAllocator::isSystem)
                        .map(allocator -> (Case) new CProgram(allocator, List.of(arguments)))
                        .toList();
        return new Reference.Best("C", cases);
    }

    private static long poolBytes() {
        try {
            return Platform.current().hugePools().stream()
                    .filter(pool -> pool.pageBytes() == 2L << 20)
                    .mapToLong(pool -> pool.availablePages() * pool.pageBytes())
                    .sum();
        } catch (Refusal e) {
            return 0;
        }
    }

    private static void addPreparing(List<Row> rows, PagePolicy policy, long bytes) {
        String pages = policy == PagePolicy.BASE ? "base pages" : "huge pages";
        rows.add(
                Row.time(
                        "prepare "
                                + (bytes >> 10)
                                + " KiB of "
                                + pages
                                + ", beside mmap, populate, mlock, one pread, munmap (aim 1.3)",
                        prepare("allocate", policy, bytes),
                        Reference.to(prepare("systemCalls", policy, bytes)),
                        Bar.REPORTED));
    }

    private static Case prepare(String method, PagePolicy policy, long bytes) {
        return JmhCase.of(
                PrepareBenchmark.class,
                method,
                Map.of("policy", policy.name(), "bytes", String.valueOf(bytes)));
    }

    /** A page of 4 KiB each. */
    private static void addResolving(
            List<Row> rows, PagePolicy policy, String pages, double nanos) {
        Case slab = resolve("asOneSlab", policy);
        rows.add(
                Row.figure(
                        "resolve a slab of " + pages + ", for 4 KiB",
                        slab,
                        Figure.NANOS,
                        Bar.atMost(nanos)));
        rows.add(
                Row.time(
                        "resolve a slab of " + pages + ", beside one pread for 4 KiB",
                        slab,
                        Reference.to(resolve("pageByPage", policy)),
                        Bar.REPORTED));
    }

    private static boolean hasRoom() {
        try {
            long free = Platform.current().availableBytes();
            if (free >= ROOM_BYTES) {
                return true;
            }
            System.err.printf(
                    "skipped: rows of large physical memory need %d bytes free, and there are %d%n",
                    ROOM_BYTES, free);
        } catch (Refusal e) {
            System.err.println("skipped: rows of large physical memory: " + e.getMessage());
        }
        return false;
    }

    private static Case block(String method, int size) {
        return JmhCase.of(LockedBlockBenchmark.class, method, Map.of("size", String.valueOf(size)));
    }

    private static Case address(String method) {
        return JmhCase.of(AddressBenchmark.class, method, Map.of());
    }

    private static Case resolve(String method, PagePolicy policy) {
        return JmhCase.of(ResolveBenchmark.class, method, Map.of("policy", policy.name()));
    }

    private static Case load(String label, PagePolicy policy) {
        return new JmhCase(
                label,
                RandomAccessBenchmark.class,
                "load",
                Map.of("policy", policy.name()),
                List.of());
    }
}
