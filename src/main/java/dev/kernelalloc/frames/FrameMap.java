package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PhysicalSlab;
import dev.kernelalloc.physical.Provenance;
import dev.kernelalloc.physical.Verification;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Where the slabs of one allocator lie in physical memory, and what holds of their pages. Safe to
 * use from any thread.
 */
public final class FrameMap {

    private final OperatingSystem os;
    private final Pages pages;
    private final FrameTable table;
    private final AddressScope scope;
    private final Verifier verifier;
    private volatile Runnable withdrawal = () -> {};

    FrameMap(OperatingSystem os, Pages pages, FrameTable table, FrameListener listener) {
        this.os = os;
        this.pages = pages;
        this.table = table;
        this.scope = new AddressScope(os);
        this.verifier = new Verifier(os, pages, table, listener, scope);
    }

    static boolean isNeverSwapped(Backing way) {
        return switch (way) {
            case POOL_1G, POOL_2M, LARGE_PAGES, KERNEL_REGION -> true;
            case HELD_RUN, TRANSPARENT_HUGE, BASE_PAGES -> false;
        };
    }

    PhysicalSlab described(FrameSlab slab) {
        return new PhysicalSlab(
                NativeMemory.segment(slab.address(), slab.bytes()),
                slab.guarantees(),
                slab.provenance(),
                slab.translation().extents(scope.now()));
    }

    /** All slabs, as they are now. */
    public List<PhysicalSlab> slabs() {
        return table.all().stream().map(this::described).toList();
    }

    // ---- physical addresses --------------------------------------------------------------------

    /**
     * Returns the physical address of a byte, as resolved when its slab was prepared; does not
     * enter the kernel.
     *
     * @param bytes the number of bytes that must be in the same slab, at least 1
     * @throws PhysicalAddressException if the address is unknown
     * @throws IllegalArgumentException if the memory is not from here
     */
    public PhysicalAddress addressOf(long address, long bytes) {
        long physical = table.addressInHugePage(address, bytes);
        return new PhysicalAddress(physical > 0 ? physical : ofSlab(address, bytes), scope.now());
    }

    private long ofSlab(long address, long bytes) {
        return addressOf(slabOf(address, bytes), address);
    }

    /** Returns the physical address of a byte of a slab, in the table or not. */
    PhysicalAddress located(FrameSlab slab, long address) {
        return new PhysicalAddress(addressOf(slab, address), scope.now());
    }

    private long addressOf(FrameSlab slab, long address) {
        long physical = slab.physicalAddressOf(address);
        return physical >= 0 ? physical : translated(slab, address);
    }

    /** The same for an address that only the translation has, or that may be known now. */
    private long translated(FrameSlab slab, long address) {
        Translation frames = translation(slab);
        long physical = frames.addressOf(address - slab.address());
        if (physical == Translation.UNKNOWN) {
            throw unknown(slab, frames, address);
        }
        return physical;
    }

    /** Returns the translation; reads it again if it was unreadable when the slab was made. */
    private Translation translation(FrameSlab slab) {
        Translation known = slab.translation();
        return known.isTemporarilyUnreadable() ? verifier.readAgain(slab) : known;
    }

    private PhysicalAddressException unknown(FrameSlab slab, Translation frames, long address) {
        int page = (int) ((address - slab.address()) / os.pageBytes());
        return frames.unknown(page, pageOf(address));
    }

    /** Returns the physical location of memory, split as {@link Translation#extents} does. */
    public List<PhysicalExtent> extents(long address, long bytes, long longest, long boundary) {
        List<PhysicalExtent> extents = new ArrayList<>();
        PhysicalAddress.Scope now = scope.now();
        extents(
                address,
                bytes,
                longest,
                boundary,
                (at, length) ->
                        extents.add(new PhysicalExtent(new PhysicalAddress(at, now), length)));
        return extents;
    }

    /** Visits the same extents; none if a page has no address. */
    public void extents(
            long address, long bytes, long longest, long boundary, ExtentVisitor visitor) {
        extents(slabOf(address, bytes), address, bytes, longest, boundary, visitor);
    }

    /** Visits the extents of a part of a slab, in the table or not. */
    void extents(
            FrameSlab slab,
            long address,
            long bytes,
            long longest,
            long boundary,
            ExtentVisitor visitor) {
        Translation frames = translation(slab);
        long offset = address - slab.address();
        if (!frames.isKnown()) {
            int last = (int) ((offset + bytes - 1) / os.pageBytes());
            int unknown = frames.firstUnknown((int) (offset / os.pageBytes()), last + 1);
            if (unknown >= 0) {
                throw unknown(slab, frames, slab.address() + unknown * os.pageBytes());
            }
        }
        frames.extents(offset, bytes, longest, boundary, visitor);
    }

    /** The virtual address of the byte at a physical one, if it came from here. */
    public OptionalLong virtualAddressOf(long physical) {
        return table.addressAt(physical, verifier::readAgain);
    }

    /** Reads where the pages of a new slab lie once more, as {@link Verifier#resolveAgain}. */
    List<Drift> resolveAgain(FrameSlab slab) {
        return verifier.resolveAgain(slab);
    }

    /** Tells listeners of pages that have moved. */
    void notifyDrifts(List<Drift> drifts) {
        verifier.notifyDrifts(drifts);
    }

    /** Returns whether a range shares a byte with a slab. */
    public boolean overlaps(long address, long bytes) {
        return table.overlaps(address, bytes);
    }

    /** Returns the guarantees of pages that came from here. */
    public Set<Guarantee> guarantees(long address, long bytes) {
        return slabOf(address, bytes).guarantees();
    }

    /** How they were obtained. */
    public Provenance provenance(long address, long bytes) {
        return slabOf(address, bytes).provenance();
    }

    /** Returns whether the slab of an address has every guarantee that was requested of it. */
    boolean servesItsRequest(long address) {
        FrameSlab slab = table.find(address);
        return slab == null || slab.servesItsRequest();
    }

    /**
     * Sets the action that takes slabs out of use: it runs when an audit finds that some have lost
     * what was requested of them.
     */
    public void onWithdrawal(Runnable engine) {
        withdrawal = engine;
    }

    /** Returns whether an address is in a slab from which the engine does not cut blocks. */
    public boolean isOutsideEngine(long address) {
        FrameSlab slab = table.find(address);
        return slab != null && slab.use() != FrameSlab.Use.ENGINE;
    }

    /** Returns the NUMA node of a byte's page now; empty if the system does not report it. */
    public OptionalInt nodeOf(long address, long bytes) {
        slabOf(address, bytes);
        try (Arena scratch = Arena.ofConfined()) {
            return OptionalInt.of(os.nodeOf(pageOf(address), scratch.allocate(CallState.LAYOUT)));
        } catch (Refusal untold) {
            return OptionalInt.empty();
        }
    }

    /**
     * Returns the kernel's present report on the frame of a byte.
     *
     * @throws PhysicalAddressException if the page map or the frame's records are not readable
     * @throws IllegalArgumentException if the byte's page is not from here
     */
    public FrameReport inspect(long address, long bytes) {
        FrameSlab slab = slabOf(address, bytes);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            long page = pageOf(address);
            MemorySegment answer = scratch.allocate(ValueLayout.JAVA_LONG);
            long[] read = new long[1];
            pages.read(page, read, 1, answer, callState);
            long entry = read[0];
            if (!PageMapEntry.isOwn(entry, isNeverSwapped(slab.provenance().backing()))) {
                throw PageMapEntry.absenceOf(zeroPageMarked(entry, callState), page);
            }
            long frame = entry & PageMapEntry.FRAME_MASK;
            os.readFrameFlags(frame, answer, callState);
            Set<FrameFlag> flags = flags(answer.get(ValueLayout.JAVA_LONG, 0));
            os.readFrameCounts(frame, answer, callState);
            return new FrameReport(
                    new PhysicalAddress(frame * os.pageBytes(), scope.now()),
                    flags,
                    answer.get(ValueLayout.JAVA_LONG, 0));
        } catch (Refusal e) {
            throw Translation.absent(e);
        }
    }

    /** Audits a slab that is not in the table. */
    Verification verify(FrameSlab slab) {
        return verifier.verify(List.of(slab), () -> {});
    }

    PhysicalAddress.Scope scope() {
        return scope.now();
    }

    /** Audits all slabs. */
    public Verification verify() {
        return verifier.verifyAll(withdrawal);
    }

    /**
     * Audits the slab that memory came from.
     *
     * @throws IllegalArgumentException when the memory did not come from here
     */
    public Verification verify(long address, long bytes) {
        return verifier.verify(List.of(slabOf(address, bytes)), withdrawal);
    }

    /** An entry whose frame is not the page's own is marked when that is the page of zeros. */
    private long zeroPageMarked(long entry, MemorySegment callState) {
        if (!PageMapEntry.isShared(entry)) {
            return entry;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment bits = scratch.allocate(ValueLayout.JAVA_LONG);
            os.readFrameFlags(entry & PageMapEntry.FRAME_MASK, bits, callState);
            return flags(bits.get(ValueLayout.JAVA_LONG, 0)).contains(FrameFlag.ZERO_PAGE)
                    ? entry | PageMapEntry.ZERO_PAGE
                    : entry;
        } catch (Refusal e) {
            return entry; // shared it is, with whom cannot be seen
        }
    }

    private FrameSlab slabOf(long address, long bytes) {
        FrameSlab slab = table.find(address, bytes);
        if (slab == null) {
            throw foreign(address, bytes);
        }
        return slab;
    }

    private static IllegalArgumentException foreign(long address, long bytes) {
        return new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "%d bytes at 0x%x are not memory of this allocator",
                        bytes,
                        address));
    }

    private long pageOf(long address) {
        return Alignment.down(address, os.pageBytes());
    }

    private static Set<FrameFlag> flags(long bits) {
        Set<FrameFlag> flags = EnumSet.noneOf(FrameFlag.class);
        for (FrameFlag flag : FrameFlag.values()) {
            if ((bits >>> flag.bit() & 1) != 0) {
                flags.add(flag);
            }
        }
        return flags;
    }
}
