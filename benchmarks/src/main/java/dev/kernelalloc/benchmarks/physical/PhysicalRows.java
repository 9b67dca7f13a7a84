package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.CProgram;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Dpdk;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JavaProgram;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PagePolicy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The rows of physical memory. They need Linux, a lock limit, and for addresses the right to see
 * frames.
 */
public final class PhysicalRows {

    private static final double TWO_MICROSECONDS = 2000;

    /** The longest time of all but one in 10,000 allocations once memory is reserved. */
    private static final double TAIL_MICROSECONDS = 100;

    /** The free memory required by the rows that take much of it. */
    private static final long ROOM_BYTES = 4L << 30;

    private static final long POOL_BYTES = 512L << 20;

    /** What the row of a large look-up translates; the pool must have it. */
    private static final long LARGE_BYTES = 16L << 30;

    private PhysicalRows() {}

    /**
     * Returns the rows.
     *
     * @param allocators those for C; what the C program does here uses none
     * @param dpdk if it is installed
     */
    public static List<Row> all(List<CAllocator> allocators, Optional<Dpdk> dpdk) {
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
        addTail(rows);
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
        for (PagePolicy policy : List.of(PagePolicy.BASE, PagePolicy.HUGE_2M)) {
            rows.add(
                    Row.figure(
                            "verify 64 MiB of " + pages(policy) + ", for 4 KiB",
                            resolve("verified", policy),
                            Figure.NANOS,
                            Bar.REPORTED));
        }
        addResolving(rows, PagePolicy.BASE, "base pages", 50);
        addResolving(rows, PagePolicy.HUGE_ONLY, "huge pages", 15);
        addLookUp(rows, allocators, 64L << 20);
        long inPool = poolBytes();
        if (inPool >= LARGE_BYTES) {
            addLookUp(rows, allocators, LARGE_BYTES);
        } else {
            System.err.printf(
                    "skipped: the look-up over %d bytes needs them in the pool (vm.nr_hugepages),"
                            + " and there are %d%n",
                    LARGE_BYTES, inPool);
        }
        if (inPool >= POOL_BYTES) {
            addBesideC(rows, allocators, "pool", PagePolicy.HUGE_2M, POOL_BYTES, 1.3);
            addBesideDpdk(rows, dpdk);
        } else {
            System.err.printf(
                    "skipped: the rows of the pool, and those beside DPDK, need %d bytes in it"
                            + " (vm.nr_hugepages), and there are %d%n",
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

    /** DPDK has memory of the pool only, so every row here takes that. */
    private static void addBesideDpdk(List<Row> rows, Optional<Dpdk> dpdk) {
        String bytes = "bytes=" + (64L << 20);
        Case anywhere =
                JmhCase.of(
                        LookUpBenchmark.class,
                        "addressOf",
                        Map.of("bytes", String.valueOf(64L << 20)));
        Case prepared = prepare("allocate", PagePolicy.HUGE_2M, POOL_BYTES);
        Case many = JmhCase.of(ManyBlocksBenchmark.class, "pool2M", Map.of());
        String place = "physical address at a random place of 64 MiB of huge pages, beside ";
        String block = "physical address of a block, beside rte_malloc_virt2iova";
        String preparing = "prepare 512 MiB of pool pages, beside rte_malloc, rte_free";
        String live = "one of 100,000 live locked blocks of 512 B of pool pages, beside ";
        rows.add(
                besideDpdk(
                        place + "rte_mem_virt2memseg", anywhere, dpdk, "segment-address", bytes));
        rows.add(
                besideDpdk(place + "rte_mem_virt2iova", anywhere, dpdk, "page-map-address", bytes));
        rows.add(
                besideDpdk(
                        block,
                        JmhCase.of(BlockAddressBenchmark.class, "addressOf", Map.of()),
                        dpdk,
                        "block-address"));
        rows.add(besideDpdk(preparing, prepared, dpdk, "prepare", "bytes=" + POOL_BYTES));
        rows.add(besideDpdk(live + "rte_malloc, rte_free", many, dpdk, "many-heap"));
        rows.add(besideDpdk(live + "rte_mempool_get, _put", many, dpdk, "many-pool"));
    }

    private static Row besideDpdk(
            String work, Case subject, Optional<Dpdk> dpdk, String... arguments) {
        List<Case> cases = dpdk.stream().map(one -> one.running(arguments)).toList();
        return Row.time(work, subject, new Reference.Best("C DPDK", cases), Bar.REPORTED);
    }

    private static void addTail(List<Row> rows) {
        for (boolean reserved : new boolean[] {true, false}) {
            Case tail =
                    new JavaProgram(
                            reserved ? "reserved" : "not reserved",
                            List.of(),
                            List.of("tail", "reserved=" + reserved));
            String work = "allocate(4096), up to 120 MiB alive, ";
            Bar bar = reserved ? Bar.atMost(TAIL_MICROSECONDS) : Bar.REPORTED;
            rows.add(Row.figure(work + "median", tail, Figure.MEDIAN, Bar.REPORTED));
            rows.add(Row.figure(work + "99.99th percentile", tail, Figure.TAIL, bar));
            rows.add(Row.figure(work + "longest", tail, Figure.LONGEST, Bar.REPORTED));
        }
    }

    private static String pages(PagePolicy policy) {
        return policy == PagePolicy.BASE ? "base pages" : "huge pages";
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
        String pages = pages(policy);
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
