package dev.kernelalloc.physical;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.ProcessSettings;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A program that asks for everything once and prints what it got or why not, and at last what is
 * left. Tests run it in processes that lack a right or a kind of memory.
 */
final class EveryKindOfRequest {

    /** An argument: the kernel is to make no huge pages for this process. */
    static final String WITHOUT_HUGE_PAGES = "without-huge-pages";

    /** What it prints at last when nothing was lost. */
    static final String NOTHING_LEFT =
            "left: 0 blocks, 0 bytes, 0 locked, 0 pinned, 0 kept from children";

    private static final long PAGE_BYTES = 4096;

    private final PhysicalAllocator physical = PhysicalAllocator.create();
    private final List<MemorySegment> blocks = new ArrayList<>();

    private EveryKindOfRequest() {}

    static void main(String[] arguments) {
        if (List.of(arguments).contains(WITHOUT_HUGE_PAGES) && ProcessSettings.forbidHugePages()) {
            IO.println("huge pages are off");
        }
        new EveryKindOfRequest().run();
    }

    private void run() {
        attempt("64 bytes", () -> located(physical.allocate(64, 64)));
        attempt("1 MiB", () -> located(physical.allocate(1 << 20, 8)));
        attempt("16 MiB", () -> located(physical.allocate(16 << 20, 8)));
        attempt(
                "resident",
                () -> guarantees(PhysicalRequest.ofBytes(PAGE_BYTES).atLeast(Guarantee.IN_MEMORY)));
        attempt("huge", () -> guarantees(PhysicalRequest.ofBytes(1).pages(PagePolicy.HUGE_ONLY)));
        attempt("one page", () -> located(contiguous(PAGE_BYTES)));
        attempt("contiguous", () -> located(contiguous(10 * PAGE_BYTES)));
        attempt("guarded", () -> guarantees(PhysicalRequest.ofBytes(PAGE_BYTES).guarded()));
        attempt(
                "pinned",
                () ->
                        guarantees(
                                PhysicalRequest.ofBytes(PAGE_BYTES)
                                        .atLeast(Guarantee.NEVER_MOVED)));
        attempt(
                "window",
                () ->
                        guarantees(
                                PhysicalRequest.ofBytes(1)
                                        .contiguous()
                                        .atLeast(Guarantee.IN_MEMORY)
                                        .within(0, 1L << 50)));
        IO.println("verify: " + physical.verify().verdict());
        blocks.forEach(physical::free);
        AllocatorStats left = physical.stats();
        physical.close();
        IO.println(
                "left: %d blocks, %d bytes, %d locked, %d pinned, %d kept from children"
                        .formatted(
                                left.liveBlocks(),
                                left.liveBytes(),
                                LinuxProcess.lockedBytes(),
                                LinuxProcess.pinnedBytes(),
                                LinuxProcess.bytesKeptFromChildren()));
    }

    private static void attempt(String what, Supplier<String> attempt) {
        try {
            IO.println(what + ": " + attempt.get());
        } catch (AllocationException e) {
            IO.println(what + ": " + e.reason() + ", " + e.getMessage());
        }
    }

    private MemorySegment contiguous(long bytes) {
        MemorySegment block =
                physical.allocate(PhysicalRequest.ofBytes(bytes).contiguous().build());
        try {
            if (physical.extents(block).size() != 1) {
                throw new AssertionError("not in one piece: " + physical.extents(block));
            }
        } catch (PhysicalAddressException hidden) {
            IO.println("by " + physical.provenance(block).backing());
        }
        return block;
    }

    private MemorySegment kept(MemorySegment block) {
        blocks.add(block);
        return block.fill((byte) 1);
    }

    private String guarantees(PhysicalRequest.Builder request) {
        MemorySegment block = kept(physical.allocate(request.build()));
        return physical.guarantee(block).stream()
                        .sorted()
                        .map(Guarantee::name)
                        .collect(Collectors.joining(", "))
                + " by "
                + physical.provenance(block).backing()
                + physical.provenance(block).pin().map(pin -> ", pinned by " + pin).orElse("");
    }

    private String located(MemorySegment block) {
        boolean locked = physical.guarantee(kept(block)).contains(Guarantee.LOCKED);
        try {
            return (locked ? "locked, " : "loose, ") + physical.addressOf(block);
        } catch (PhysicalAddressException e) {
            return (locked ? "locked, " : "loose, ") + e.reason();
        }
    }
}
