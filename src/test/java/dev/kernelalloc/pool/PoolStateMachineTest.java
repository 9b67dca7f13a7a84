package dev.kernelalloc.pool;

import dev.kernelalloc.pool.PoolModel.Burst;
import dev.kernelalloc.pool.PoolModel.Kind;
import dev.kernelalloc.pool.PoolModel.Step;
import dev.kernelalloc.testing.Workers;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.lifecycle.AfterContainer;

import java.util.List;

/**
 * Random uses of a pool by several threads, one after the other and at once, compared with a model
 * at every quiet point.
 *
 * <p>A try is a number of histories, so that the tries of all properties, which one setting scales,
 * make enough of them here.
 */
class PoolStateMachineTest {

    /**
     * The life of a pool.
     *
     * @param closedEarly whether it is closed while blocks are alive
     */
    record History(List<Burst> bursts, boolean closedEarly) {}

    private static final Workers WORKERS = new Workers();

    @AfterContainer
    static void endWorkers() {
        WORKERS.close();
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void aPoolDoesWhatItsModelDoes(@ForAll("twentyHistories") List<History> histories) {
        histories.forEach(history -> replay(history, new PoolModel(WORKERS, false)));
    }

    @Property(edgeCases = EdgeCasesMode.NONE)
    void aHardenedPoolDoesWhatItsModelDoes(@ForAll("fourHistories") List<History> histories) {
        histories.forEach(history -> replay(history, new PoolModel(WORKERS, true)));
    }

    private static void replay(History history, PoolModel model) {
        try {
            history.bursts().forEach(model::perform);
            if (history.closedEarly()) {
                model.endByClosingEarly();
            } else {
                model.endWithAllFreed();
            }
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("in " + history, e);
        }
    }

    @Provide
    Arbitrary<List<History>> twentyHistories() {
        return histories().list().ofSize(20);
    }

    @Provide
    Arbitrary<List<History>> fourHistories() {
        return histories().list().ofSize(4);
    }

    private static Arbitrary<History> histories() {
        Arbitrary<Step> steps =
                Combinators.combine(
                                Arbitraries.frequencyOf(
                                        Tuple.of(3, Arbitraries.of(Kind.ALLOCATE)),
                                        Tuple.of(3, Arbitraries.of(Kind.ALLOCATE_ZEROED)),
                                        Tuple.of(5, Arbitraries.of(Kind.FREE)),
                                        Tuple.of(3, Arbitraries.of(Kind.REALLOCATE)),
                                        Tuple.of(9, Arbitraries.of(Kind.class))),
                                Arbitraries.integers().between(0, Workers.COUNT - 1),
                                Arbitraries.integers().between(0, 1000),
                                sizes(),
                                alignments())
                        .as(Step::new);
        Arbitrary<Boolean> refusing = Arbitraries.frequency(Tuple.of(9, false), Tuple.of(1, true));
        Arbitrary<Burst> alone =
                Combinators.combine(refusing, steps.list().ofSize(1)).as(Burst::new);
        Arbitrary<Burst> together =
                Combinators.combine(refusing, steps.list().ofMinSize(2).ofMaxSize(16))
                        .as(Burst::new);
        Arbitrary<List<Burst>> bursts =
                Arbitraries.frequencyOf(Tuple.of(2, alone), Tuple.of(1, together))
                        .list()
                        .ofMaxSize(16);
        return Combinators.combine(bursts, Arbitraries.of(true, false)).as(History::new);
    }

    /** Mostly small; now and then of every other kind that the engine knows. */
    private static Arbitrary<Long> sizes() {
        return Arbitraries.frequencyOf(
                Tuple.of(60, Arbitraries.longs().between(0, 256)),
                Tuple.of(30, Arbitraries.longs().between(257, 4096)),
                Tuple.of(12, Arbitraries.longs().between(4097, 70_000)),
                Tuple.of(4, Arbitraries.longs().between(70_001, 2 << 20)),
                Tuple.of(1, Arbitraries.longs().between(2 << 20, 20 << 20)));
    }

    private static Arbitrary<Long> alignments() {
        return Arbitraries.frequencyOf(
                        Tuple.of(10, Arbitraries.integers().between(0, 4)),
                        Tuple.of(4, Arbitraries.integers().between(5, 12)),
                        Tuple.of(1, Arbitraries.integers().between(13, 20)))
                .map(bit -> 1L << bit);
    }
}
