package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.Mapping;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Provenance;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Locks, pins and resolves memory of the program, and returns it as it was. Conditions that need
 * neither lock nor pin are checked before those. Safe to use from any thread.
 */
final class Adoptions {

    private static final long GIANT_BYTES = 1L << 30;

    private final OperatingSystem os;
    private final Pages pages;
    private final Preflight preflight;
    private final Frames frames;

    Adoptions(OperatingSystem os, Pages pages, Preflight preflight, Frames frames) {
        this.os = os;
        this.pages = pages;
        this.preflight = preflight;
        this.frames = frames;
    }

    /**
     * Populates, locks, pins and resolves memory that the program has mapped, in place.
     *
     * @param memory that begins and ends at pages, of at least one
     * @param request of which the size, and how pages are obtained, is not looked at
     * @throws Refusal if the memory does not meet the request; it is as before then, but populated
     */
    Adoption adopt(MemorySegment memory, PhysicalRequest request) throws Refusal {
        AdoptedLocks.Claim claim =
                AdoptedLocks.OF_PROCESS.claim(memory, request.least().contains(Guarantee.LOCKED));
        try {
            return adopt(memory, request, claim);
        } catch (Refusal | RuntimeException | Error e) {
            AdoptedLocks.OF_PROCESS.end(claim);
            throw e;
        }
    }

    private Adoption adopt(MemorySegment memory, PhysicalRequest request, AdoptedLocks.Claim claim)
            throws Refusal {
        long address = memory.address();
        long bytes = memory.byteSize();
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            List<Mapping> mappings = mappings(address, bytes);
            boolean pooled = mappings.getFirst().isOfHugePool();
            boolean shared = mappings.getFirst().shared();
            requireOneKind(mappings);
            if (pooled) {
                os.populate(memory, callState); // set aside: nothing to look at
            } else {
                pages.requireMemory(address, bytes, shared, request, callState);
                pages.populate(memory, request, callState);
            }
            boolean huge =
                    pooled
                            ? ((address | bytes) & Pages.HUGE_BYTES - 1) == 0
                            : pages.isHuge(address, bytes, callState);
            Backing way =
                    pooled ? pool(mappings) : huge ? Backing.TRANSPARENT_HUGE : Backing.BASE_PAGES;
            Set<Guarantee> reached = reachable(request, huge, pooled);
            Frames.requireReached(request, reached);
            frames.requireNode(request, address, callState);
            requireAlignment(request, address);
            requirePlacement(request, pages.resolve(address, bytes, shared, callState), bytes);
            Mapped mapped =
                    new Mapped(new Reservation(address, 0, false, 0), address, bytes, way, huge);
            int[] pins = {};
            try {
                if (reached.contains(Guarantee.LOCKED) && !pooled) {
                    lock(mappings, claim, callState);
                }
                if (reached.contains(Guarantee.PINNED)) {
                    pins = frames.pin(mapped, callState);
                }
                Translation found = pages.resolve(address, bytes, shared, callState);
                requirePlacement(request, found, bytes); // a lock or a pin may move pages
                FrameSlab.Use.Adopted use = new FrameSlab.Use.Adopted(shared);
                FrameSlab slab =
                        new FrameSlab(
                                mapped,
                                request,
                                Set.copyOf(reached),
                                new Provenance(way, List.of(), frames.pinMethod(pins)),
                                pins,
                                use,
                                found);
                return new Adoption(this, frames.map(), slab, use, claim);
            } catch (Refusal | RuntimeException | Error e) {
                pages.unpin(pins, pins.length, callState);
                throw e;
            }
        }
    }

    /** Those of a range; where they are unknown, it is one that is private and not locked. */
    private List<Mapping> mappings(long address, long bytes) throws Refusal {
        List<Mapping> found;
        try {
            found = os.mappings(address, address + bytes);
        } catch (Refusal.NotSupported unknown) {
            found = List.of(new Mapping(address, address + bytes, false, os.pageBytes(), Set.of()));
        }
        if (found.stream().mapToLong(Mapping::bytes).sum() != bytes) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "%d bytes at 0x%x are not all mapped: %s",
                            bytes,
                            address,
                            found));
        }
        return found;
    }

    /** Its pages are audited by one rule. */
    private static void requireOneKind(List<Mapping> mappings) throws Refusal {
        Mapping first = mappings.getFirst();
        for (Mapping mapping : mappings) {
            if (mapping.isOfDevice()) {
                throw new Refusal.NotSupported(
                        "a device is mapped there, whose pages are not memory: " + mapping);
            }
            if (mapping.shared() != first.shared()
                    || mapping.isOfHugePool() != first.isOfHugePool()
                    || mapping.pageBytes() != first.pageBytes()) {
                throw new Refusal.NotSupported(
                        "mappings of two kinds, adopt each by itself: "
                                + first
                                + " and "
                                + mapping);
            }
        }
    }

    private static Backing pool(List<Mapping> mappings) throws Refusal {
        long pageBytes = mappings.getFirst().pageBytes();
        if (pageBytes == Pages.HUGE_BYTES) {
            return Backing.POOL_2M;
        }
        if (pageBytes == GIANT_BYTES) {
            return Backing.POOL_1G;
        }
        throw new Refusal.NotSupported(
                "the pool's pages are of " + pageBytes + " bytes, and 2 MiB and 1 GiB are known");
    }

    /** The guarantees of the request that lock and pin will give, or that the memory has. */
    private static Set<Guarantee> reachable(PhysicalRequest request, boolean huge, boolean pooled) {
        Set<Guarantee> reached = EnumSet.of(Guarantee.RESIDENT);
        if (pooled || request.least().contains(Guarantee.LOCKED)) {
            reached.add(Guarantee.LOCKED);
        }
        if (request.least().contains(Guarantee.PINNED)) {
            reached.add(Guarantee.PINNED);
        }
        if (huge) {
            reached.add(Guarantee.HUGE);
        }
        if (request.contiguous()) {
            reached.add(Guarantee.CONTIGUOUS); // or it is refused
        }
        return reached;
    }

    /** Locks do not nest: what the program has locked keeps its lock. */
    private void lock(List<Mapping> mappings, AdoptedLocks.Claim claim, MemorySegment callState)
            throws Refusal {
        for (Mapping mapping : mappings) {
            if (!mapping.isLocked()) {
                AdoptedLocks.Lock lock =
                        new AdoptedLocks.Lock(mapping.start(), mapping.bytes(), os, preflight);
                preflight.requireLockable(lock.bytes());
                AdoptedLocks.OF_PROCESS.add(claim, lock);
                try {
                    pages.lock(claim.memory(lock), callState);
                } catch (Refusal | RuntimeException | Error e) {
                    AdoptedLocks.OF_PROCESS.remove(claim, lock);
                    throw e;
                }
            }
        }
    }

    private static void requireAlignment(PhysicalRequest request, long address) throws Refusal {
        if (!Alignment.isAligned(address, request.alignment())) {
            throw new Refusal.Fragmented(
                    String.format(
                            Locale.ROOT,
                            "the memory is mapped at 0x%x, and an alignment of %d bytes was asked"
                                    + " for: map it there",
                            address,
                            request.alignment()));
        }
    }

    private void requirePlacement(PhysicalRequest request, Translation found, long bytes)
            throws Refusal {
        if (!request.contiguous()) {
            return;
        }
        if (found.isHidden()) {
            throw new Refusal.NotPermitted(
                    "memory of the program is contiguous only if its frames say so, and they are"
                            + " hidden from this process: run with CAP_SYS_ADMIN");
        }
        Placement asked = Placement.of(request, os.pageBytes());
        Placement placement =
                new Placement(
                        bytes,
                        asked.alignment(),
                        asked.lowest(),
                        asked.highest(),
                        asked.boundary());
        long start = found.addressOf(0);
        if (!found.isContiguous(0, bytes) || placement.firstFit(start, bytes) != start) {
            throw new Refusal.Fragmented(
                    String.format(
                            Locale.ROOT,
                            "of %d bytes the longest run is of %d, and they begin at 0x%x",
                            bytes,
                            found.longestRunBytes(),
                            start));
        }
    }

    /** Ends what {@link #adopt} has begun. */
    void end(FrameSlab slab, AdoptedLocks.Claim claim, MemorySegment callState) {
        pages.unpin(slab.pins(), slab.pins().length, callState);
        AdoptedLocks.OF_PROCESS.end(claim);
        frames.adoptionEnded();
    }
}
