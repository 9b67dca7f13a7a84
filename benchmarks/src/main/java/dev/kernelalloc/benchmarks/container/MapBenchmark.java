package dev.kernelalloc.benchmarks.container;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Look-ups and exchanges of random keys in a {@code NativeMap} and in a {@code HashMap} of the same
 * entries. One operation is one key, in another random order than that of the insertions.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class MapBenchmark {

    /** As a value. */
    record Pair(int a, int b) {}

    /** As a view. */
    interface Cell {
        int a();

        void a(int value);

        int b();
    }

    private static final Lookup HERE = MethodHandles.lookup();
    private static final StructType<Pair> PAIR = StructType.of(HERE, Pair.class);
    private static final StructType<Cell> CELL = StructType.of(HERE, Cell.class);

    @Param({"1000", "1000000"})
    int entries;

    private long[] keys;
    private int next;
    private NativeMap<Pair> records;
    private NativeMap<Cell> views;
    private Map<Long, Pair> objects;

    public MapBenchmark() {}

    @Setup
    public void fill() {
        Random random = new Random(1);
        keys = random.longs(entries).toArray();
        records = NativeMap.create(KernelAllocator.global(), PAIR);
        views = NativeMap.create(KernelAllocator.global(), CELL);
        objects = new HashMap<>();
        for (long key : keys) {
            records.put(key, new Pair((int) key, 1));
            views.getOrAdd(key).a((int) key);
            objects.put(key, new Pair((int) key, 1));
        }
        for (int i = entries - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            long key = keys[i];
            keys[i] = keys[other];
            keys[other] = key;
        }
    }

    @TearDown
    public void close() {
        records.close();
        views.close();
    }

    private long nextKey() {
        next = next + 1 == entries ? 0 : next + 1;
        return keys[next];
    }

    @Benchmark
    public int hashMapHit() {
        Pair pair = objects.get(nextKey());
        return pair.a() ^ pair.b();
    }

    @Benchmark
    public int recordHit() {
        Pair pair = records.get(nextKey());
        return pair.a() ^ pair.b();
    }

    @Benchmark
    public int viewHit() {
        Cell cell = views.get(nextKey());
        return cell.a() ^ cell.b();
    }

    @Benchmark
    public boolean hashMapMiss() {
        return objects.containsKey(~nextKey());
    }

    @Benchmark
    public boolean miss() {
        return records.containsKey(~nextKey());
    }

    /** Removes a key and adds another; both are back after two rounds over all keys. */
    @Benchmark
    public boolean hashMapExchange() {
        int at = next;
        long key = nextKey();
        objects.remove(key);
        keys[next] = ~key;
        return objects.put(~key, new Pair(at, 1)) == null;
    }

    @Benchmark
    public boolean exchange() {
        int at = next;
        long key = nextKey();
        records.remove(key);
        keys[next] = ~key;
        return records.put(~key, new Pair(at, 1));
    }
}
