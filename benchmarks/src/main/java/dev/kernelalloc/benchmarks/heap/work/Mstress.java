package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.SizeMix;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;

/**
 * Everything at once, after the stress test that D. Leijen describes for mimalloc, 2019: threads
 * keep blocks of mixed sizes, replace them, leave some in a common place and take from there what
 * others have left, and end while others go on. Blocks go in packets of 16; every fourth packet is
 * exchanged; a thread ends after 3,000 packets and frees what it has. An operation is one block
 * replaced.
 */
final class Mstress implements Classic {

    private static final int PACKET = 16;
    private static final int PACKETS_A_THREAD = 64;
    private static final int COMMON_PACKETS = 64;
    private static final int PACKETS_A_LIFE = 3000;
    private static final int EXCHANGED_ONE_IN = 4;

    private final Memory memory;
    private final AtomicReferenceArray<Blocks> common = new AtomicReferenceArray<>(COMMON_PACKETS);
    private final List<Crew.Worker> workers;

    Mstress(Memory memory, int threads) {
        this.memory = memory;
        Xorshift random = new Xorshift(threads);
        for (int i = 0; i < COMMON_PACKETS; i++) {
            common.set(i, packet(random));
        }
        workers =
                IntStream.range(0, threads)
                        .mapToObj(Xorshift::new)
                        .map(own -> (Crew.Worker) new Generations(stop -> life(own, stop)))
                        .toList();
    }

    @Override
    public List<Crew.Worker> begin() {
        return workers;
    }

    private long life(Xorshift random, Crew.Signal stop) {
        Blocks[] packets = new Blocks[PACKETS_A_THREAD];
        for (int i = 0; i < packets.length; i++) {
            packets[i] = packet(random);
        }
        long operations = (long) PACKETS_A_THREAD * PACKET;
        for (int i = 0; i < PACKETS_A_LIFE && !stop.isSet(); i++) {
            int index = random.below(PACKETS_A_THREAD);
            Blocks packet = packets[index];
            for (int slot = 0; slot < PACKET; slot++) {
                packet.free(slot);
                allocate(packet, slot, random);
            }
            operations += PACKET;
            if (random.below(EXCHANGED_ONE_IN) == 0) {
                packets[index] = common.getAndSet(random.below(COMMON_PACKETS), packet);
            }
        }
        for (Blocks packet : packets) {
            for (int slot = 0; slot < PACKET; slot++) {
                packet.free(slot);
            }
        }
        return operations;
    }

    private Blocks packet(Xorshift random) {
        Blocks packet = memory.blocks(PACKET);
        for (int slot = 0; slot < PACKET; slot++) {
            allocate(packet, slot, random);
        }
        return packet;
    }

    private static void allocate(Blocks packet, int slot, Xorshift random) {
        packet.allocate(slot, SizeMix.size(random.next()), CFunctions.NATURAL_ALIGNMENT, slot);
    }
}
