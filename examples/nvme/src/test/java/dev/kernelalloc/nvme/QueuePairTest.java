package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/** Tests rings, phases and identifiers with a scripted controller in memory. */
class QueuePairTest {

    private static final int DEPTH = 4;
    private static final Namespace NAMESPACE = new Namespace(1, 1000, 512);

    private Arena arena;
    private FakeDma dma;
    private QueuePair pair;
    private SimulatedController controller;
    private MemorySegment buffer;

    @BeforeEach
    void open() {
        arena = Arena.ofConfined();
        dma = new FakeDma();
        MemorySegment bar = SimulatedController.bar(arena);
        pair = new QueuePair(1, DEPTH, bar, 4, dma, dma, 1 << 20);
        controller = SimulatedController.of(bar, pair);
        buffer = arena.allocate(512, 4096);
    }

    @AfterEach
    void close() {
        pair.close();
        dma.close();
        arena.close();
    }

    @Test
    @DisplayName("through many rounds of both rings every completion is taken, once")
    void poll_manyRounds_takesEachCompletionOnce() {
        List<Integer> results = new ArrayList<>();
        int submitted = 0;
        for (int round = 0; round < 10 * DEPTH; round++) {
            int now = 1 + round % (DEPTH - 1);
            for (int i = 0; i < now; i++) {
                pair.read(NAMESPACE, 0, buffer, (_, result) -> results.add(result));
            }
            assertThat(pair.poll()).as("nothing has completed").isZero();
            for (int id : List.copyOf(controller.fetch())) {
                controller.complete(id, 0, submitted++);
            }
            assertThat(pair.poll()).isEqualTo(now);
            assertThat(pair.poll()).as("entries of the last round are not new").isZero();
            assertThat(controller.completionHead()).isEqualTo(controller.completionTail());
        }
        assertThat(results).hasSize(submitted).isSorted().doesNotHaveDuplicates();
    }

    @Test
    @DisplayName("commands may complete in any order; each completion reaches its own")
    void poll_outOfOrder_callsTheRightCompletion() {
        List<String> told = new ArrayList<>();
        for (int i = 0; i < DEPTH - 1; i++) {
            String name = "command " + i;
            pair.read(NAMESPACE, i, buffer, (_, result) -> told.add(name + "=" + result));
        }
        List<Integer> ids = List.copyOf(controller.fetch());
        controller.complete(ids.get(2), 0, 2);
        controller.complete(ids.get(0), 0, 0);
        controller.complete(ids.get(1), 0, 1);
        pair.poll();
        assertThat(told).containsExactly("command 2=2", "command 0=0", "command 1=1");
        assertThat(pair.inFlight()).isZero();
    }

    @Test
    @DisplayName(
            "a full queue refuses, changes nothing, and takes commands again once one completed")
    void submit_fullQueue_isRefused() {
        for (int i = 0; i < DEPTH - 1; i++) {
            pair.read(NAMESPACE, 0, buffer, Completion.MUST_SUCCEED);
        }
        assertThatIllegalStateException()
                .isThrownBy(() -> pair.flush(NAMESPACE, Completion.MUST_SUCCEED))
                .withMessageContaining("inFlight=3");
        assertThat(controller.fetch()).hasSize(DEPTH - 1);
        controller.complete(controller.fetch().peek(), 0, 0);
        pair.poll();
        pair.flush(NAMESPACE, Completion.MUST_SUCCEED);
        assertThat(controller.fetch()).hasSize(DEPTH - 1);
    }

    @Test
    @DisplayName("a status other than 0 reaches the completion")
    void poll_failedCommand_givesItsStatus() {
        pair.write(NAMESPACE, 0, buffer, Completion.MUST_SUCCEED);
        controller.complete(controller.fetch().peek(), 0x280, 0);
        assertThatExceptionOfType(NvmeException.class)
                .isThrownBy(pair::poll)
                .withMessageContaining("write fault")
                .satisfies(e -> assertThat(e.status()).isEqualTo(0x280));
        assertThat(pair.inFlight()).isZero();
        assertThat(controller.completionHead()).isEqualTo(1);
    }

    @Test
    @DisplayName("a completion may submit the next command")
    void poll_completionSubmits_isTakenUp() {
        Completion again = (_, _) -> pair.read(NAMESPACE, 2, buffer, Completion.MUST_SUCCEED);
        pair.read(NAMESPACE, 1, buffer, again);
        controller.complete(controller.fetch().peek(), 0, 0);
        assertThat(pair.poll()).isEqualTo(1);
        assertThat(controller.fetch()).hasSize(1);
        assertThat(pair.inFlight()).isEqualTo(1);
    }

    @Test
    @DisplayName("the completion of a command that is not in flight is reported")
    void poll_unknownCommand_throws() {
        controller.complete(2, 0, 0);
        assertThatIllegalStateException().isThrownBy(pair::poll).withMessageContaining("command=2");
        controller.complete(0x1234, 0, 0);
        assertThatIllegalStateException().isThrownBy(pair::poll);
    }

    @Test
    @DisplayName("a buffer that is not of whole blocks is refused, and nothing is submitted")
    void submit_partialBlock_isRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pair.read(NAMESPACE, 0, buffer.asSlice(0, 500), (_, _) -> {}))
                .withMessageContaining("blockBytes=512");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pair.read(NAMESPACE, 0, buffer.asSlice(0, 0), (_, _) -> {}));
        assertThat(controller.fetch()).isEmpty();
    }

    @Test
    @DisplayName("drain gives up after its time, and the commands stay in flight")
    void drain_noCompletion_throws() {
        pair.flush(NAMESPACE, Completion.MUST_SUCCEED);
        assertThatIllegalStateException()
                .isThrownBy(() -> pair.drain(Duration.ZERO))
                .withMessageContaining("inFlight=1");
        assertThat(pair.inFlight()).isEqualTo(1);
    }

    @Test
    @DisplayName("another thread is refused")
    void submit_byAnotherThread_isRefused() throws InterruptedException {
        AtomicReference<RuntimeException> thrown = new AtomicReference<>();
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                pair.flush(NAMESPACE, Completion.MUST_SUCCEED);
                            } catch (RuntimeException e) {
                                thrown.set(e);
                            }
                        });
        thread.start();
        thread.join();
        assertThat(thrown.get()).isInstanceOf(WrongThreadException.class);
        assertThat(controller.fetch()).isEmpty();
    }
}
