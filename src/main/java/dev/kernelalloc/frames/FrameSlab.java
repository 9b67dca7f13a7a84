package dev.kernelalloc.frames;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Provenance;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/** Pages that were prepared together: locked, pinned and resolved once. Blocks are cut from it. */
final class FrameSlab {

    /** The use of the slab. */
    sealed interface Use {

        /** One block. */
        Use BLOCK = new Whole();

        /** Blocks of the engine. */
        Use ENGINE = new Whole();

        /** All of it belongs to one. */
        final class Whole implements Use {
            private Whole() {}
        }

        /** Memory of the program, which is in no table and is not released. */
        final class Adopted implements Use {

            private final boolean shared;
            private final AtomicBoolean ended = new AtomicBoolean();

            /** Memory whose pages others may have mapped too, or not. */
            Adopted(boolean shared) {
                this.shared = shared;
            }

            boolean isShared() {
                return shared;
            }

            boolean hasEnded() {
                return ended.get();
            }

            /** Returns false if it had ended before. */
            boolean end() {
                return ended.compareAndSet(false, true);
            }
        }

        /** Contiguous blocks, page by page. */
        record Runs(PageBitmap taken) implements Use {}
    }

    private static final VarHandle ADDRESS = MethodHandles.arrayElementVarHandle(long[].class);

    private final Reservation reservation;
    private final long address;
    private final long bytes;
    private final PhysicalRequest request;

    /** Those that still hold. Only the verifier takes any away. */
    private volatile Set<Guarantee> guarantees;

    private volatile List<LostGuarantee> lost = List.of();
    private final Provenance provenance;
    private final int[] pins;

    private final Use use;

    private volatile Translation translation;

    /**
     * The address of each unit: a huge page if the slab consists of those, otherwise a base page.
     * {@link Translation#UNKNOWN} for one that is not contiguous any more, whose pages only the
     * translation has. Here, because every load between an address and its answer counts.
     */
    private final long[] addresses;

    /** A shift, because a division takes longer than all the rest. */
    private final int unitShift;

    private final long unitMask;

    FrameSlab(
            Mapped mapped,
            PhysicalRequest request,
            Set<Guarantee> guarantees,
            Provenance provenance,
            int[] pins,
            Use use,
            Translation translation) {
        this.reservation = mapped.reservation();
        this.address = mapped.address();
        this.bytes = mapped.bytes();
        this.request = request;
        this.guarantees = guarantees;
        this.provenance = provenance;
        this.pins = pins;
        this.use = use;
        this.translation = translation;
        long unitBytes = unitBytes(translation);
        this.addresses = translation.addressesOfUnits(unitBytes);
        this.unitShift = Long.numberOfTrailingZeros(unitBytes);
        this.unitMask = unitBytes - 1;
    }

    /** Addresses that stay hidden take no room; those unread for the moment will be read. */
    private long unitBytes(Translation translation) {
        boolean neverShown = translation.isHidden() && !translation.isTemporarilyUnreadable();
        return neverShown || translation.consistsOf(Pages.HUGE_BYTES)
                ? Pages.HUGE_BYTES
                : bytes / translation.pages();
    }

    Reservation reservation() {
        return reservation;
    }

    long address() {
        return address;
    }

    long bytes() {
        return bytes;
    }

    /** The request that it was made for. */
    PhysicalRequest request() {
        return request;
    }

    Set<Guarantee> guarantees() {
        return guarantees;
    }

    /** Whether it has every guarantee that was requested; it may have lost others. */
    boolean servesItsRequest() {
        return guarantees.containsAll(request.least());
    }

    /** Guarantees that it had and does not have any more. */
    List<LostGuarantee> lost() {
        return lost;
    }

    /** A guarantee does not hold, and never will again. */
    void recordLost(LostGuarantee one) {
        Set<Guarantee> left = EnumSet.copyOf(guarantees); // RESIDENT is never lost
        left.remove(one.guarantee());
        List<LostGuarantee> all = new ArrayList<>(lost);
        all.add(one);
        guarantees = Set.copyOf(left);
        lost = List.copyOf(all);
    }

    Provenance provenance() {
        return provenance;
    }

    int[] pins() {
        return pins;
    }

    Use use() {
        return use;
    }

    Translation translation() {
        return translation;
    }

    /** Its pages were found elsewhere. */
    void retranslate(Translation found) {
        long[] now = found.addressesOfUnits(unitMask + 1);
        translation = found;
        for (int unit = 0; unit < addresses.length; unit++) {
            ADDRESS.setRelease(addresses, unit, now[unit]);
        }
    }

    /**
     * Returns the address of its first byte in a huge page of address space; {@link
     * Translation#UNKNOWN} unless the slab consists of huge pages and this is one.
     */
    long addressOfHugePage(long window) {
        return unitMask + 1 == Pages.HUGE_BYTES
                ? physicalAddressOf(window * Pages.HUGE_BYTES)
                : Translation.UNKNOWN;
    }

    /** Returns the physical address of a byte of this slab; negative if only its pages have one. */
    long physicalAddressOf(long byteAddress) {
        long offset = byteAddress - address;
        long unit = addresses[(int) (offset >>> unitShift)]; // plain, as in the table
        return unit + (offset & unitMask);
    }

    /** Whether those bytes, at least 1, lie in it. */
    boolean covers(long from, long length) {
        long offset = from - address;
        return offset >= 0 && offset <= bytes - length;
    }
}
