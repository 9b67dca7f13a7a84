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

        /** Contiguous blocks, page by page. */
        record Runs(TakenPages taken) implements Use {}
    }

    private static final VarHandle PAGE_ADDRESS = MethodHandles.arrayElementVarHandle(long[].class);

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
     * The addresses of the translation: here, because every load between an address and its answer
     * counts. The element of a page that has moved is rewritten.
     */
    private final long[] pageAddresses;

    /** A shift, because a division takes longer than all the rest. */
    private final int pageShift;

    private final long pageMask;

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
        this.pageAddresses = translation.addresses();
        this.pageShift = Long.numberOfTrailingZeros(bytes / translation.pages());
        this.pageMask = (1L << pageShift) - 1;
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
    void lose(LostGuarantee one) {
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
        translation = found;
        for (int page = 0; page < pageAddresses.length; page++) {
            PAGE_ADDRESS.setRelease(pageAddresses, page, found.pageAddress(page));
        }
    }

    /** Returns the physical address of a byte of this slab; negative if unknown. */
    long physicalAddressOf(long byteAddress) {
        long offset = byteAddress - address;
        long page = (long) PAGE_ADDRESS.getOpaque(pageAddresses, (int) (offset >>> pageShift));
        return page + (offset & pageMask);
    }

    /** Whether those bytes, at least 1, lie in it. */
    boolean covers(long from, long length) {
        long offset = from - address;
        return offset >= 0 && offset <= bytes - length;
    }
}
