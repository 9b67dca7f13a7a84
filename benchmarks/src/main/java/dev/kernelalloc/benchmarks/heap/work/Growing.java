package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.NativeVec;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.struct.StructType;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;

/**
 * Ten million structs of 16 bytes, added one by one to an empty container. Resident memory is
 * measured after the first time; then it is repeated, and timed.
 */
final class Growing {

    /** The containers. */
    enum Way {
        VEC,
        LIST
    }

    /** 16 bytes in C. */
    record Pair(long a, long b) {}

    private static final StructType<Pair> PAIR = StructType.of(MethodHandles.lookup(), Pair.class);
    private static final int ADDS = 10_000_000;
    private static final int WARMING_ADDS = 100_000;
    private static final int WARMING_TIMES = 20;

    private Growing() {}

    static void run(Way way, int warmUpMillis, int millis) throws IOException {
        for (int i = 0; i < WARMING_TIMES; i++) {
            fill(way, WARMING_ADDS); // what the JVM itself needs is there then
        }
        double start = Resident.mebibytes();
        Report.print(Figure.RESIDENT, fill(way, ADDS) - start);
        time(way, warmUpMillis);
        Report.print(Figure.NANOS, time(way, millis));
    }

    private static double time(Way way, int millis) throws IOException {
        long before = System.nanoTime();
        long times = 0;
        do {
            fill(way, ADDS);
            times++;
        } while (System.nanoTime() - before < millis * 1_000_000L);
        return (double) (System.nanoTime() - before) / times / ADDS;
    }

    /** Returns what is resident while all are alive. */
    private static double fill(Way way, int adds) throws IOException {
        return switch (way) {
            case VEC -> {
                try (NativeVec<Pair> vec = vec(adds)) {
                    double resident = Resident.mebibytes();
                    check(vec.get(adds - 1), adds);
                    yield resident;
                }
            }
            case LIST -> {
                List<Pair> list = list(adds);
                double resident = Resident.mebibytes();
                check(list.getLast(), adds);
                yield resident;
            }
        };
    }

    private static NativeVec<Pair> vec(int adds) {
        NativeVec<Pair> vec = NativeVec.create(PAIR);
        for (int i = 0; i < adds; i++) {
            vec.add(new Pair(i, ~i));
        }
        return vec;
    }

    private static List<Pair> list(int adds) {
        List<Pair> list = new ArrayList<>();
        for (int i = 0; i < adds; i++) {
            list.add(new Pair(i, ~i));
        }
        return list;
    }

    private static void check(Pair last, int adds) {
        if (last.a() != adds - 1) {
            throw new AssertionError(last);
        }
    }
}
