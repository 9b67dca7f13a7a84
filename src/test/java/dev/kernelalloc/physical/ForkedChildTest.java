package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.kernelalloc.AdoptedMemory;
import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.CLibrary;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.host.PagePlaces;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.stream.LongStream;

/**
 * A child of this process, made by fork(2) while it holds blocks: what it finds in them, and what
 * becomes of the parent's pages when the parent writes.
 */
@EnabledOnOs(OS.LINUX)
class ForkedChildTest {

    private static final long PAGE_BYTES = 4096;
    private static final int PAGES = 16;
    private static final int SIGSEGV = 11;
    private static final byte BEFORE = 42;
    private static final byte AFTER = 43;

    /** The child does what a child of a process of many threads may: no more than system calls. */
    private static final String SOURCE =
            """
            #include <signal.h>
            #include <sys/resource.h>
            #include <sys/wait.h>
            #include <unistd.h>

            static int input = -1;

            /* Holds what it has inherited until it is let go. */
            int start_child(void) {
                int ends[2];
                if (pipe(ends) != 0) return -1;
                pid_t child = fork();
                if (child == 0) {
                    char byte;
                    close(ends[1]);
                    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
                }
                close(ends[0]);
                input = ends[1];
                return child;
            }

            int end_child(int child) {
                int status = -1;
                close(input);
                waitpid(child, &status, 0);
                return status;
            }

            /* How a child ends that exits with the byte it finds. */
            int read_in_child(const volatile unsigned char *memory) {
                pid_t child = fork();
                if (child == 0) {
                    struct rlimit none = {0, 0};
                    setrlimit(RLIMIT_CORE, &none);
                    signal(SIGSEGV, SIG_DFL);
                    _exit(*memory);
                }
                int status = -1;
                waitpid(child, &status, 0);
                return status;
            }
            """;

    private final Arena lifetime = Arena.ofShared();
    private MethodHandle startChild;
    private MethodHandle endChild;
    private MethodHandle readInChild;

    @BeforeEach
    void compile() {
        CLibrary c = CLibrary.compile(SOURCE, lifetime);
        startChild = c.function("start_child", FunctionDescriptor.of(JAVA_INT));
        endChild = c.function("end_child", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        readInChild = c.function("read_in_child", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    }

    @AfterEach
    void unload() {
        lifetime.close();
    }

    private static PhysicalRequest request(ForkBehaviour behaviour, Guarantee... guarantees) {
        return PhysicalRequest.ofBytes(PAGES * PAGE_BYTES)
                .pages(PagePolicy.BASE)
                .onFork(behaviour)
                .atLeast(guarantees)
                .build();
    }

    @ParameterizedTest
    @EnumSource
    void aChildFindsWhatWasAskedFor(ForkBehaviour behaviour) throws Throwable {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(request(behaviour, Guarantee.LOCKED));
            block.fill(BEFORE);

            int status = (int) readInChild.invokeExact(block);

            int signal = status & 0x7f;
            int code = status >> 8 & 0xff;
            switch (behaviour) {
                case ABSENT -> assertThat(signal).isEqualTo(SIGSEGV);
                case WIPED -> assertThat(status).isZero();
                case COPIED -> {
                    assertThat(signal).isZero();
                    assertThat(code).isEqualTo(BEFORE);
                }
            }
            assertThat(block.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo(BEFORE);
            physical.free(block);
        }
    }

    /** Memory of the program is copied to a child unless its owner forbids that. */
    @Test
    void anAdoptedPageThatAChildHasTooIsNoAddressToRelyUpon() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(LinuxProcess.seesFrames(), "skipped: frame numbers are hidden");
                    try (PhysicalAllocator physical = PhysicalAllocator.create();
                            Arena arena = Arena.ofShared()) {
                        MemorySegment memory = arena.allocate(PAGES * PAGE_BYTES, PAGE_BYTES);
                        try (AdoptedMemory adopted =
                                physical.adopt(
                                        memory, request(ForkBehaviour.COPIED, Guarantee.LOCKED))) {
                            assertThat(adopted.verify().verdict())
                                    .isEqualTo(Verification.Verdict.CONFIRMED);
                            int child = (int) startChild.invokeExact();
                            assertThat(child).isPositive();
                            int status;
                            try {
                                assertThat(adopted.verify().drifts()).hasSize(PAGES);
                                assertThatExceptionOfType(PhysicalAddressException.class)
                                        .isThrownBy(() -> adopted.addressOf(0));
                            } finally {
                                status = (int) endChild.invokeExact(child);
                            }
                            assertThat(status).isZero();
                        }
                    }
                });
    }

    /** While a child holds the page as well, the writer gets another: unless it is pinned. */
    @Test
    void aWriteAfterAForkMovesALockedPageAndNoPinnedOne() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(LinuxProcess.seesFrames(), "skipped: frame numbers are hidden");
                    try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                        MemorySegment locked =
                                physical.allocate(request(ForkBehaviour.COPIED, Guarantee.LOCKED));
                        MemorySegment absent =
                                physical.allocate(request(ForkBehaviour.ABSENT, Guarantee.LOCKED));
                        MemorySegment pinned = pinned(physical);
                        List<MemorySegment> blocks = List.of(locked, absent, pinned);
                        blocks.forEach(block -> block.fill(BEFORE));
                        List<PagePlaces> places =
                                blocks.stream().map(ForkedChildTest::places).toList();

                        int child = (int) startChild.invokeExact();
                        assertThat(child).isPositive();
                        int status;
                        try {
                            blocks.forEach(block -> block.fill(AFTER));

                            assertThat(places.get(0).moved()).as("locked, copied").hasSize(PAGES);
                            assertThat(places.get(1).moved()).as("locked, absent").isEmpty();
                            assertThat(places.get(2).moved()).as("pinned, copied").isEmpty();
                            assertThat(physical.verify(locked).drifts()).hasSize(PAGES);
                            assertThat(physical.verify(absent).verdict())
                                    .isEqualTo(Verification.Verdict.CONFIRMED);
                            assertThat(physical.verify(pinned).verdict())
                                    .isEqualTo(Verification.Verdict.CONFIRMED);
                        } finally {
                            status = (int) endChild.invokeExact(child);
                        }
                        assertThat(status).isZero();
                        assertThat(blocks)
                                .allMatch(block -> block.get(ValueLayout.JAVA_BYTE, 0) == AFTER)
                                .allMatch(
                                        block ->
                                                physical.addressOf(block).value()
                                                        == LinuxProcess.physicalAddress(
                                                                block.address()));
                        blocks.forEach(physical::free);
                    }
                });
    }

    private static MemorySegment pinned(PhysicalAllocator physical) {
        try {
            return physical.allocate(
                    request(ForkBehaviour.COPIED, Guarantee.NEVER_MOVED.toArray(Guarantee[]::new)));
        } catch (AllocationException e) {
            return abort("skipped: " + e.getMessage());
        }
    }

    private static PagePlaces places(MemorySegment block) {
        return PagePlaces.of(
                LongStream.range(0, PAGES)
                        .mapToObj(page -> block.address() + page * PAGE_BYTES)
                        .toList());
    }
}
