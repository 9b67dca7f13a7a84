package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.JavaHeap;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/**
 * Native code undoes what was promised, and {@code verify} finds it; where nobody does, it is calm.
 */
@EnabledOnOs(OS.LINUX)
class GuaranteeAuditTest {

    private static final long PAGE_BYTES = 4096;

    // ---- what is broken is found --------------------------------------------------------------

    @Test
    @DisplayName("With rights, each broken guarantee is found, and stays lost")
    void verify_asRoot_findsEveryBrokenGuarantee() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(
                            LinuxProcess.seesFrames(),
                            "skipped: frames are hidden from this process");
                    String output = damage(ChildJvm.onModulePath());
                    assertThat(output)
                            .contains("empty: CONFIRMED []", "calm: CONFIRMED []")
                            .contains("dropped: DRIFTED []", "dropped, later: DRIFTED []")
                            .contains(
                                    "dropped, touched: DRIFTED []", "touched, later: CONFIRMED []")
                            .contains("closed, next: CONFIRMED []");
                    if (output.contains("replaced: ")) {
                        assertThat(output)
                                .contains("replaced: MOVED, 16 pinned pages have moved")
                                .contains(
                                        "replaced: BROKEN [PINNED 16]",
                                        "replaced, before unknown: 16")
                                .contains("replaced, touched: BROKEN [PINNED 16]")
                                .contains(
                                        "replaced, later: BROKEN [PINNED 16] has [RESIDENT,"
                                                + " LOCKED]");
                    }
                });
    }

    @Test
    @DisplayName("Without rights, what a process may know of itself is enough for most")
    void verify_asNobody_findsWhatItMaySee() throws Exception {
        String output = damage(ChildJvm.onModulePath().unprivileged());
        assertThat(output)
                .contains("empty: NOT_VERIFIABLE []", "calm: NOT_VERIFIABLE []")
                .contains("closed, next: NOT_VERIFIABLE []");
    }

    private static String damage(ChildJvm child) throws Exception {
        String output = child.withNativeAccess().outputOf(Damage.class);
        assertThat(output)
                .contains("unlocked: BROKEN [LOCKED 1] has [RESIDENT] told 1")
                .contains("unlocked, later: BROKEN [LOCKED 1] has [RESIDENT] told 1")
                .contains("all unlocked: BROKEN [LOCKED 16]")
                .contains("its slab unlocked: BROKEN")
                .contains("blocks from then on: all locked, none in that slab");
        assumeTrue(output.contains("split: "), "skipped: no transparent huge pages: " + output);
        assertThat(output)
                .containsPattern("split: BROKEN \\[HUGE 512\\] has \\[RESIDENT")
                .contains("split: lost from byte 2097152 on");
        assumeTrue(output.contains("closed: "), "skipped: pins are refused: " + output);
        assertThat(output).contains("closed: BROKEN [PINNED 16] has [RESIDENT, LOCKED] told 1");
        return output;
    }

    /** Does to its own pages what any native library could. */
    @SuppressWarnings("restricted")
    static final class Damage {

        private static final int MADV_DONTNEED_LOCKED = 24;
        private static final long BYTES = 16 * PAGE_BYTES;
        private static final long HUGE_BYTES = 2L << 20;

        private final List<LostGuarantee> told = new ArrayList<>();
        private final List<Drift> drifts = new ArrayList<>();
        private final PhysicalAllocator physical =
                PhysicalAllocator.builder().onGuaranteeLost(told::add).onDrift(drifts::add).build();

        private Damage() {}

        static void main(String[] none) throws Throwable {
            new Damage().report("empty", null);
            new Damage().leaveAlone();
            new Damage().unlock();
            new Damage().unlockAll();
            new Damage().unlockASlab();
            new Damage().split();
            new Damage().dropOnePage();
            new Damage().replace();
            new Damage().closeRing();
        }

        private void leaveAlone() {
            report("calm", base());
        }

        private void unlock() throws Throwable {
            MemorySegment block = base();
            call("munlock", block.address() + PAGE_BYTES, PAGE_BYTES);
            report("unlocked", block);
            report("unlocked, later", block);
        }

        private void unlockAll() throws Throwable {
            MemorySegment block = base();
            call("munlockall");
            report("all unlocked", block);
        }

        /** Blocks of that size are cut from slabs, and lie at hand for each thread. */
        private void unlockASlab() throws Throwable {
            List<MemorySegment> old = new ArrayList<>(some());
            try (ExecutorService other = Executors.newSingleThreadExecutor()) {
                old.addAll(other.submit(this::some).get());
                long first = old.stream().mapToLong(MemorySegment::address).min().orElseThrow();
                call("munlock", first & -PAGE_BYTES, PAGE_BYTES);
                report("its slab unlocked", old.getFirst());
                Set<Long> broken = new TreeSet<>();
                old.stream()
                        .filter(block -> !isLocked(block))
                        .forEach(block -> broken.add(block.address()));
                physical.free(old.removeFirst());

                List<MemorySegment> fresh = new ArrayList<>(some());
                fresh.addAll(other.submit(this::some).get());
                try (Arena arena = physical.arena();
                        NativeBox<MemorySegment> box =
                                NativeBox.zeroed(physical, StructType.of(ValueLayout.JAVA_LONG))) {
                    fresh.add(arena.allocate(64));
                    fresh.add(box.segment());
                    boolean allLocked = fresh.stream().allMatch(this::isLocked);
                    boolean anyBroken =
                            fresh.stream().anyMatch(block -> broken.contains(block.address()));
                    IO.println(
                            "blocks from then on: "
                                    + (allLocked ? "all locked" : "some unlocked")
                                    + (anyBroken ? ", some" : ", none")
                                    + " in that slab");
                }
            }
        }

        private List<MemorySegment> some() {
            return Stream.generate(() -> physical.allocate(64, 64)).limit(100).toList();
        }

        private boolean isLocked(MemorySegment block) {
            return physical.guarantee(block).contains(Guarantee.LOCKED);
        }

        private void split() throws Throwable {
            // A page of the pool, which policies of huge pages prefer, cannot be split.
            MemorySegment block = physical.allocate(request(2 * HUGE_BYTES).build());
            if (!physical.guarantee(block).contains(Guarantee.HUGE)) {
                IO.println("no huge page: " + physical.provenance(block));
                return;
            }
            call("mprotect", block.address() + HUGE_BYTES + PAGE_BYTES, PAGE_BYTES, 1);
            call("mprotect", block.address() + HUGE_BYTES + PAGE_BYTES, PAGE_BYTES, 3);
            report("split", block);
            long at = told.getFirst().virtualAddress() - block.address();
            IO.println("split: lost from byte " + at + " on");
        }

        /** The page comes back, with zeros, when it is touched. */
        private void dropOnePage() throws Throwable {
            MemorySegment block = base();
            call("madvise", block.address() + PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED_LOCKED);
            report("dropped", block);
            report("dropped, later", block);
            block.fill((byte) 1);
            report("dropped, touched", block);
            report("dropped, touched, later", block);
        }

        private void replace() throws Throwable {
            MemorySegment block = pinned();
            if (block == null || !LinuxProcess.seesFrames()) {
                return;
            }
            call("madvise", block.address(), block.byteSize(), MADV_DONTNEED_LOCKED);
            report("replaced", block);
            report("replaced", block);
            block.fill((byte) 1);
            drifts.clear();
            report("replaced, touched", block);
            long unknown = drifts.stream().filter(drift -> drift.before() == null).count();
            IO.println("replaced, before unknown: " + unknown);
            report("replaced, later", block);
        }

        private void closeRing() throws Throwable {
            MemorySegment block = pinned();
            if (block == null) {
                return;
            }
            call("close", ring());
            report("closed", block);
            Damage next = new Damage();
            next.report("closed, next", next.pinned());
        }

        private static PhysicalRequest.Builder request(long bytes) {
            return PhysicalRequest.ofBytes(bytes);
        }

        private MemorySegment base() {
            return physical.allocate(request(BYTES).pages(PagePolicy.BASE).build());
        }

        /** Null where pins are refused. */
        private MemorySegment pinned() {
            try {
                return physical.allocate(
                        request(BYTES)
                                .pages(PagePolicy.BASE)
                                .atLeast(Guarantee.NEVER_MOVED)
                                .build());
            } catch (AllocationException e) {
                IO.println(e.getMessage());
                return null;
            }
        }

        /** Prints the verdict, the lost guarantees with their pages, and those that are left. */
        private void report(String scene, MemorySegment block) {
            Verification found;
            try {
                found = physical.verify();
            } catch (PhysicalAddressException e) {
                IO.println(scene + ": " + e.reason() + ", " + e.getMessage());
                return;
            }
            List<String> lost =
                    found.lost().stream().map(one -> one.guarantee() + " " + one.pages()).toList();
            Set<Guarantee> left =
                    block == null ? Set.of() : new TreeSet<>(physical.guarantee(block));
            IO.println(
                    "%s: %s %s has %s told %d"
                            .formatted(scene, found.verdict(), lost, left, told.size()));
        }

        private static int ring() throws IOException {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
                for (Path file : files) {
                    if (Files.isSymbolicLink(file)
                            && Files.readSymbolicLink(file).toString().contains("io_uring")) {
                        return Integer.parseInt(file.getFileName().toString());
                    }
                }
            }
            throw new IllegalStateException("no io_uring is open");
        }

        private static void call(String function, Object... arguments) throws Throwable {
            int result = CFunctions.call(function, arguments);
            if (result != 0) {
                throw new IllegalStateException(function + " returned " + result);
            }
        }
    }

    // ---- what is not broken is not called so --------------------------------------------------

    @Test
    @DisplayName("Five audits of 70,000 pages of every kind in use lose no guarantee")
    void verify_seventyThousandPagesInUse_noFalseAlarm() throws Exception {
        List<LostGuarantee> told = new ArrayList<>();
        try (PhysicalAllocator physical =
                PhysicalAllocator.builder().onGuaranteeLost(told::add).build()) {
            List<MemorySegment> blocks = new ArrayList<>();
            try {
                for (PhysicalRequest.Builder request : manyPages()) {
                    blocks.add(physical.allocate(request.build()));
                }
            } catch (AllocationException e) {
                blocks.forEach(physical::free);
                assumeTrue(false, "skipped: " + e.getMessage());
            }
            AtomicBoolean ended = new AtomicBoolean();
            Thread user = Thread.ofPlatform().start(() -> use(physical, ended));
            try {
                for (int round = 0; round < 5; round++) {
                    Verification found = physical.verify();
                    assertThat(found.lost()).isEmpty();
                    assertThat(found.drifts()).allMatch(GuaranteeAuditTest::isTrue);
                    if (LinuxProcess.seesFrames()) {
                        assertThat(found.checkedPages()).isGreaterThan(70_000);
                        assertThat(found.unverifiable()).isEmpty();
                    }
                }
            } finally {
                ended.set(true);
                user.join();
                blocks.forEach(physical::free);
            }
        }
        assertThat(told).isEmpty();
    }

    @Test
    @DisplayName(
            "An audit needs no more of the Java heap for more pages, however scattered they are")
    void verify_ofManyScatteredPages_needsAsMuchJavaHeapAsOfFew() throws Exception {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block;
            try {
                block =
                        physical.allocate(
                                PhysicalRequest.ofBytes(64 << 20).pages(PagePolicy.BASE).build());
            } catch (AllocationException e) {
                assumeTrue(false, "skipped: " + e.getMessage());
                return;
            }
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 10; i++) {
                long before = JavaHeap.allocatedBytes();
                physical.verify();
                least = Math.min(least, JavaHeap.allocatedBytes() - before);
            }
            physical.free(block);
            assertThat(least).isLessThan(400 << 10);
        }
    }

    @Test
    @DisplayName("A slab that is mapped during an audit loses no guarantee by it")
    void verify_whileSlabsAreMapped_noFalseAlarm() throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .unprivileged()
                        .withNativeAccess()
                        .outputOf(AuditRace.class, "LOCKED");
        assumeTrue(!output.contains("refused: "), "skipped: " + output);
        assertThat(output).contains("broken audits: 0");
    }

    private static List<PhysicalRequest.Builder> manyPages() {
        List<PhysicalRequest.Builder> requests = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            requests.add(PhysicalRequest.ofBytes(32 << 20).pages(PagePolicy.BASE));
            requests.add(PhysicalRequest.ofBytes(36 << 20));
        }
        for (int i = 0; i < 64; i++) {
            requests.add(PhysicalRequest.ofBytes(4 * PAGE_BYTES).guarded());
            requests.add(PhysicalRequest.ofBytes(4 * PAGE_BYTES).contiguous().guarded());
            requests.add(PhysicalRequest.ofBytes(4 * PAGE_BYTES).contiguous());
        }
        return requests;
    }

    /** The kernel may move a locked page while this runs, as others compact memory. */
    private static boolean isTrue(Drift drift) {
        return drift.after() != null && !drift.after().equals(drift.before());
    }

    /** Slabs and blocks come and go while others are audited. */
    private static void use(PhysicalAllocator physical, AtomicBoolean ended) {
        PhysicalRequest whole = PhysicalRequest.ofBytes(3 * PAGE_BYTES).build();
        while (!ended.get()) {
            MemorySegment small = physical.allocate(64, 8);
            MemorySegment block = physical.allocate(whole);
            physical.free(small);
            physical.free(block);
        }
    }
}
