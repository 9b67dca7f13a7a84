package dev.kernelalloc.soak;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Verification;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Random physical requests while the kernel moves, merges, collapses and ages pages. Contents are
 * always checked. When nothing disturbs, the addresses and guarantees that the library reports are
 * compared with the kernel's page map and flags: {@code verify} must report every broken guarantee,
 * and no other.
 *
 * <p>As root it takes the lock of the host tests, adds a few huge pages to the pool, and switches
 * the merging of equal pages on in some rounds; all is changed back at the end.
 */
final class Requests implements Scenario {

    private static final int STEPS = 150;
    private static final int MOST_HELD = 60;
    private static final long FRAGMENTED_BYTES = 128L << 20;
    private static final int POOL_PAGES = 8;
    private static final long MOST_AUDIT_NANOS = 2_000_000_000L;
    private static final long MOST_MERGE_NANOS = 2_000_000_000L;

    /** Instead of a physical address. */
    private static final long UNKNOWN = -1;

    private static final Path HOST_LOCK = Path.of("/run/kernel-alloc-host-tests.lock");
    private static final String POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    private static final String KSM = "/sys/kernel/mm/ksm/";

    private final Kernel kernel = new Kernel();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final boolean mayMerge;

    private final Map<String, Integer> disturbances = new TreeMap<>();
    private final Map<AllocationException.Reason, Integer> refused =
            new EnumMap<>(AllocationException.Reason.class);
    private long allocated;
    private long moved;
    private long audited;

    Requests() {
        boolean isRoot = Kernel.mayCompact();
        if (isRoot) {
            lockHost();
            if (Setting.isWritable(POOL)) {
                Setting pool = new Setting(POOL);
                opened.add(pool);
                pool.set(pool.number() + POOL_PAGES);
            }
        } else {
            System.out.println("not root: nothing is compacted or merged, and no frames are seen");
        }
        mayMerge = isRoot && Setting.isWritable(KSM + "run");
        if (mayMerge) {
            for (String name : List.of("run", "sleep_millisecs", "pages_to_scan")) {
                opened.add(new Setting(KSM + name));
            }
        }
    }

    private void lockHost() {
        try {
            FileChannel channel =
                    FileChannel.open(
                            HOST_LOCK, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            opened.add(channel);
            channel.lock();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void round(long seed) throws Exception {
        new Round(Scenario.random(seed)).run();
    }

    @Override
    public String summary() {
        return "%d blocks, %d pages audited, %d found moved; refused %s; disturbed by %s"
                .formatted(allocated, audited, moved, refused, disturbances);
    }

    @Override
    public synchronized void close() {
        for (AutoCloseable setting : opened.reversed()) {
            try {
                setting.close();
            } catch (Exception e) {
                System.err.println("not changed back: " + e);
            }
        }
        opened.clear();
    }

    /** The disturbances of a round. */
    private enum Disturbance {
        COMPACT,
        COLLAPSE,
        PAGEOUT,
        COLD,
        MERGE
    }

    private final class Round {

        private final Random random;
        private final PhysicalAllocator physical;
        private final List<Held> held = new ArrayList<>();
        private final NavigableMap<Long, MemorySegment> slabs = new ConcurrentSkipListMap<>();
        private final boolean merging;
        private final boolean withoutHugePages;

        /** Read at most once in an audit; null until then. */
        private NavigableMap<Long, Long> lockedMappings;

        /** Whether something was done that splits huge pages. */
        private boolean mayBeSplit;

        Round(Random random) {
            this.random = random;
            this.merging = mayMerge && random.nextInt(4) == 0;
            this.withoutHugePages = random.nextInt(4) == 0;
            this.physical =
                    PhysicalAllocator.builder()
                            .onSlabMapped(slab -> slabs.put(slab.memory().address(), slab.memory()))
                            .onSlabUnmapped(slab -> slabs.remove(slab.memory().address()))
                            .build();
        }

        void run() throws Exception {
            long locked = Kernel.status("VmLck");
            long pinned = Kernel.status("VmPin");
            long fragmented = fragmented();
            Storm storm = random.nextInt(3) == 0 ? new Storm() : null;
            Kernel.forbidHugePages(withoutHugePages);
            try {
                for (int step = 0; step < STEPS; step++) {
                    step();
                }
            } finally {
                Kernel.forbidHugePages(false);
                if (storm != null) {
                    storm.end();
                }
                if (merging) {
                    Kernel.mergeEverything(false);
                }
                Kernel.unmap(fragmented, FRAGMENTED_BYTES);
            }
            audit();
            held.forEach(one -> physical.free(one.block()));
            physical.close();
            Mismatch.requireEqual(locked, Kernel.status("VmLck"), "bytes locked at the end");
            Mismatch.requireEqual(pinned, Kernel.status("VmPin"), "bytes pinned at the end");
        }

        /** Every eighth page stays: compaction has pages to move, and places for them. */
        private long fragmented() {
            long address = Kernel.map(FRAGMENTED_BYTES);
            long group = 8L * Kernel.PAGE_BYTES;
            for (long at = 0; at < FRAGMENTED_BYTES; at += group) {
                Kernel.advise(
                        address + at + Kernel.PAGE_BYTES,
                        group - Kernel.PAGE_BYTES,
                        Kernel.DONTNEED);
            }
            return address;
        }

        private void step() {
            int dice = random.nextInt(20);
            try {
                if (dice < 10 && held.size() < MOST_HELD) {
                    hold(random.nextBoolean() ? request() : null);
                } else if (dice < 15 && !held.isEmpty()) {
                    end(held.remove(random.nextInt(held.size())));
                } else if (dice < 18) {
                    disturb(Disturbance.values()[random.nextInt(Disturbance.values().length)]);
                } else if (dice == 18) {
                    audit();
                } else {
                    physical.trim();
                }
            } catch (AllocationException e) {
                refused.merge(e.reason(), 1, Integer::sum);
            }
        }

        // ---- blocks -----------------------------------------------------------------------------

        private PhysicalRequest request() {
            long bytes = 1 + random.nextInt(1 << random.nextInt(22));
            PhysicalRequest.Builder wanted =
                    PhysicalRequest.ofBytes(bytes)
                            .aligned(1L << random.nextInt(17))
                            .pages(PagePolicy.values()[random.nextInt(PagePolicy.values().length)]);
            if (random.nextBoolean()) {
                wanted.contiguous();
                if (random.nextBoolean()) {
                    wanted.boundary(Long.highestOneBit(bytes) * 2);
                }
            }
            if (random.nextInt(4) == 0) {
                wanted.guarded();
            }
            switch (random.nextInt(4)) {
                case 0 -> wanted.atLeast(Guarantee.NEVER_MOVED);
                case 1 -> wanted.atLeast(Guarantee.IN_MEMORY);
                default -> {}
            }
            return wanted.build();
        }

        private void hold(PhysicalRequest request) {
            MemorySegment block =
                    request == null
                            ? physical.allocate(
                                    1 + random.nextInt(1 << random.nextInt(18)),
                                    1L << random.nextInt(13))
                            : physical.allocate(request);
            keep(block, request);
        }

        private void keep(MemorySegment block, PhysicalRequest request) {
            long stamp = merging ? random.nextInt(2) : random.nextLong();
            Set<Guarantee> promised = physical.guarantee(block);
            Set<Guarantee> broken = EnumSet.noneOf(Guarantee.class);
            Held one = new Held(block, stamp, request, promised, new long[0], merging, broken);
            one.write();
            Held known =
                    new Held(
                            block,
                            stamp,
                            request,
                            promised,
                            kernel.places(one.firstPage(), one.pages()),
                            merging,
                            broken);
            held.add(known);
            allocated++;
            if (request != null) {
                Mismatch.require(
                        promised.containsAll(request.least()), "less was promised of " + known);
                if (request.contiguous() && isShown(known)) {
                    Mismatch.require(
                            promised.contains(Guarantee.CONTIGUOUS), "not contiguous: " + known);
                    requirePlace(known);
                }
            }
        }

        private boolean isShown(Held one) {
            return kernel.showsFrames(one.firstPage());
        }

        /** By the library; {@link #audit} compares that with the kernel's page map. */
        private void requirePlace(Held one) {
            PhysicalRequest request = one.request();
            List<PhysicalExtent> extents = physical.extents(one.block());
            Mismatch.requireEqual(1, extents.size(), "pieces of " + one);
            long start = extents.getFirst().start().value();
            Mismatch.requireEqual(0, start % request.alignment(), "the alignment of " + one);
            if (request.boundary() != 0) {
                Mismatch.requireEqual(
                        start / request.boundary(),
                        (start + request.size() - 1) / request.boundary(),
                        "the boundary of " + one);
            }
        }

        private void end(Held one) {
            one.check(one.block());
            if (random.nextInt(5) == 0) {
                long bytes = 1 + random.nextInt(100_000);
                MemorySegment other;
                try {
                    other = physical.reallocate(one.block(), bytes, 8);
                } catch (AllocationException e) {
                    one.check(one.block());
                    held.add(one);
                    throw e;
                }
                one.check(other);
                keep(other, one.request() == null ? null : one.request().of(bytes, 8));
            } else {
                physical.free(one.block());
            }
        }

        // ---- disturbances -----------------------------------------------------------------------

        private void disturb(Disturbance disturbance) {
            boolean done =
                    switch (disturbance) {
                        case COMPACT -> {
                            if (Kernel.mayCompact()) {
                                Kernel.compact();
                            }
                            yield Kernel.mayCompact();
                        }
                        case COLLAPSE -> adviseOne(Kernel.COLLAPSE, Kernel.HUGE_BYTES);
                        case PAGEOUT -> adviseOne(Kernel.PAGEOUT, Kernel.PAGE_BYTES);
                        case COLD -> adviseOne(Kernel.COLD, Kernel.PAGE_BYTES);
                        case MERGE -> merging && merge();
                    };
            mayBeSplit |= done && disturbance != Disturbance.COMPACT;
            disturbances.merge(disturbance + (done ? "" : " refused"), 1, Integer::sum);
        }

        /** For the whole units of a block. */
        private boolean adviseOne(int advice, long unit) {
            if (held.isEmpty()) {
                return false;
            }
            Held one = held.get(random.nextInt(held.size()));
            long from = one.firstPage() + unit - 1 & -unit;
            long end = one.firstPage() + (long) one.pages() * Kernel.PAGE_BYTES & -unit;
            return from < end && Kernel.advise(from, end - from, advice);
        }

        /** Until the kernel has looked at everything twice, but not for long. */
        private boolean merge() {
            Setting scans = new Setting(KSM + "full_scans");
            long seen = scans.number();
            new Setting(KSM + "sleep_millisecs").set(1);
            new Setting(KSM + "pages_to_scan").set(50_000);
            new Setting(KSM + "run").set(1);
            boolean asked = Kernel.mergeEverything(true);
            long end = System.nanoTime() + MOST_MERGE_NANOS;
            while (scans.number() < seen + 2 && System.nanoTime() < end) {
                Thread.onSpinWait();
            }
            new Setting(KSM + "run").set(0);
            return asked;
        }

        // ---- what is said, and what is ----------------------------------------------------------

        /**
         * Repeated while the kernel moves pages between the looks. It moves them in batches, of
         * which none is present until all are copied: on a busy machine that takes a while.
         */
        private void audit() {
            for (Held one : held) {
                one.check(one.block());
            }
            long end = System.nanoTime() + MOST_AUDIT_NANOS;
            while (true) {
                try {
                    auditOnce();
                    return;
                } catch (Mismatch e) {
                    if (System.nanoTime() >= end) {
                        throw e;
                    }
                }
            }
        }

        private void auditOnce() {
            lockedMappings = null;
            Set<Long> movedPages = new HashSet<>();
            Set<Long> mergedPages = new HashSet<>();
            for (Held one : held) {
                if (isShown(one)) {
                    compare(one, movedPages, mergedPages);
                }
            }
            Verification found;
            try {
                found = physical.verify();
            } catch (PhysicalAddressException e) {
                throw new Mismatch("verify() reports a pinned page that is where it was: " + e);
            }
            moved += movedPages.size();
            requireDrifts(found, movedPages, mergedPages);
            requireLosses(found);
            for (Held one : held) {
                if (isShown(one)) {
                    requireSamePlaces(one);
                }
            }
        }

        /**
         * Exactly the pages that have moved are reported, of those that are known here; merged ones
         * may be reported once or always.
         */
        private void requireDrifts(
                Verification found, Set<Long> movedPages, Set<Long> mergedPages) {
            Set<Long> told = new HashSet<>();
            for (Drift drift : found.drifts()) {
                told.add(drift.virtualAddress());
                Mismatch.require(
                        movedPages.contains(drift.virtualAddress())
                                || mergedPages.contains(drift.virtualAddress())
                                || held.stream().noneMatch(h -> h.covers(drift.virtualAddress())),
                        "verify() reports a page that is where it was: " + drift);
            }
            for (long page : movedPages) {
                Mismatch.require(
                        told.contains(page),
                        "verify() does not report the moved page 0x%x: %s".formatted(page, found));
            }
        }

        /**
         * A broken guarantee is no longer reported. Nothing here undoes a lock or a pin, and huge
         * pages are only split by the disturbances.
         */
        private void requireLosses(Verification found) {
            for (Held one : held) {
                Set<Guarantee> now = physical.guarantee(one.block());
                for (Guarantee guarantee : one.broken()) {
                    Mismatch.require(
                            !now.contains(guarantee),
                            "%s does not hold and is promised: %s, %s"
                                    .formatted(guarantee, one, found.lost()));
                }
                Mismatch.require(
                        now.contains(Guarantee.CONTIGUOUS)
                                || !one.promised().contains(Guarantee.CONTIGUOUS)
                                || one.broken().contains(Guarantee.CONTIGUOUS)
                                || !isSlabContiguous(one),
                        "CONTIGUOUS holds and is promised no more: %s, %s"
                                .formatted(one, found.lost()));
            }
            for (LostGuarantee lost : found.lost()) {
                Mismatch.require(
                        lost.guarantee() == Guarantee.HUGE && mayBeSplit
                                || lost.guarantee() == Guarantee.CONTIGUOUS,
                        "verify() reports what nobody has undone: " + lost);
            }
        }

        /**
         * A guarantee is one of the whole slab: it is lost even if the kernel has merged only pages
         * of the slab that no block uses.
         */
        private boolean isSlabContiguous(Held one) {
            MemorySegment slab = slabs.floorEntry(one.block().address()).getValue();
            int pages = (int) (slab.byteSize() / Kernel.PAGE_BYTES);
            return isContiguous(kernel.places(slab.address(), pages));
        }

        private static boolean isContiguous(long[] places) {
            for (int i = 1; i < places.length; i++) {
                if (places[i] != places[i - 1] + Kernel.PAGE_BYTES) {
                    return false;
                }
            }
            return true;
        }

        /** Adds the pages that lie elsewhere, and notes what does not hold. */
        private void compare(Held one, Set<Long> movedPages, Set<Long> mergedPages) {
            Set<Guarantee> promised = physical.guarantee(one.block());
            boolean isRegion = physical.provenance(one.block()).backing() == Backing.KERNEL_REGION;
            long[] now = kernel.places(one.firstPage(), one.pages());
            for (int i = 0; i < now.length; i++) {
                long page = one.firstPage() + (long) i * Kernel.PAGE_BYTES;
                audited++;
                Mismatch.require(now[i] >= 0, "0x%x of %s is not present".formatted(page, one));
                if (one.promised().contains(Guarantee.PINNED)) {
                    Mismatch.requireEqual(
                            one.places()[i], now[i], "the place of a pinned page of " + one);
                }
                boolean isMerged = kernel.isMerged(now[i]);
                long known = knownPlace(one, i);
                if (isMerged) {
                    mergedPages.add(page);
                }
                if (known != now[i] && !(isMerged && known == UNKNOWN)) {
                    movedPages.add(page);
                }
                if (promised.contains(Guarantee.HUGE) && !kernel.isHuge(page)) {
                    one.broken().add(Guarantee.HUGE);
                }
                if (promised.contains(Guarantee.LOCKED) && !isRegion && !isLocked(page, now[i])) {
                    one.broken().add(Guarantee.LOCKED);
                }
            }
            if (!isContiguous(now)) {
                one.broken().add(Guarantee.CONTIGUOUS);
            }
        }

        private boolean isLocked(long page, long place) {
            if (kernel.isLocked(place)) {
                return true;
            }
            if (lockedMappings == null) {
                lockedMappings = Kernel.lockedMappings();
            }
            Map.Entry<Long, Long> mapping = lockedMappings.floorEntry(page);
            return mapping != null && page < mapping.getValue();
        }

        /** A merged page, which a write would move, need not have a known address. */
        private void requireSamePlaces(Held one) {
            long[] now = kernel.places(one.firstPage(), one.pages());
            for (int i = 0; i < now.length; i++) {
                long known = knownPlace(one, i);
                if (known != UNKNOWN || !kernel.isMerged(now[i])) {
                    Mismatch.requireEqual(
                            now[i], known, "the place of page %d of %s".formatted(i, one));
                }
            }
        }

        /** Returns the library's address of the page's first byte in the block. */
        private long knownPlace(Held one, int page) {
            long start = one.firstPage() + (long) page * Kernel.PAGE_BYTES;
            long offset = Math.max(0, start - one.block().address());
            try {
                return physical.addressOf(one.block(), offset).value() & -Kernel.PAGE_BYTES;
            } catch (PhysicalAddressException e) {
                return UNKNOWN;
            }
        }
    }

    /** A thread that lets the kernel compact over and over. */
    private static final class Storm {

        private volatile boolean over;
        private final Thread thread = Thread.ofPlatform().daemon().start(this::blow);

        private void blow() {
            while (!over && Kernel.mayCompact()) {
                Kernel.compact();
            }
        }

        void end() throws InterruptedException {
            over = true;
            thread.join();
        }
    }
}
