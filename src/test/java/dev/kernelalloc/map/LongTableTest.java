package dev.kernelalloc.map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

class LongTableTest {

    private static final StructType<MemorySegment> VALUE = StructType.of(ValueLayout.JAVA_INT);
    private static final long CAPACITY = 1000;
    private static final long SEED = 0x1234_5678_9ABC_DEF0L;
    private static final long FACTOR = 0xDA94_2042_E4DD_58B5L;

    private final LongTable table = table(CAPACITY);

    private static LongTable table(long capacity) {
        long bytes = LongTable.slots(capacity) * LongTable.slot(VALUE).byteSize();
        return LongTable.create(
                VALUE, Arena.ofAuto().allocate(bytes, Long.BYTES), capacity, SEED, FACTOR);
    }

    private boolean add(long key) {
        return table.insert(key, ~table.find(key));
    }

    @Test
    @DisplayName("A hash is a bijection: it leads back to its key")
    void key_ofItsHash_isTheKey() {
        for (long hash : new long[] {0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 0xABCDEF}) {
            assertThat(table.hash(table.key(hash))).isEqualTo(hash);
        }
    }

    @Test
    @DisplayName("The key whose hash marks an empty slot is absent, and refused")
    void insert_keyThatHashesToEmpty_isRefused() {
        long key = table.key(LongTable.EMPTY);
        assertThat(table.find(key)).isNegative();
        assertThat(add(key)).isFalse();
        table.checkInvariants(0);
    }

    @Test
    @DisplayName(
            "Entries that run past the last home find their slots there, and are refused at the"
                    + " end")
    void insert_clusterAtTheEnd_spillsAndIsThenRefused() {
        long entries = 0;
        while (add(table.key(entries + 1))) { // the smallest hashes: all have the last home
            entries++;
            table.checkInvariants(entries);
        }
        assertThat(entries).isBetween(128L, 130L);
        for (long hash = 1; hash <= entries; hash += 2) {
            table.remove(table.find(table.key(hash)));
        }
        table.checkInvariants(entries / 2);
    }

    @Test
    @DisplayName("A cluster of one home keeps every entry, in whichever order they come and go")
    void remove_fromTheMiddleOfACluster_movesTheRestBack() {
        long middle = Long.MAX_VALUE;
        for (int i = 0; i < 300; i++) {
            assertThat(add(table.key(middle + i * 7919L % 300))).isTrue();
        }
        table.checkInvariants(300);
        for (int i = 0; i < 300; i++) {
            table.remove(table.find(table.key(middle + i * 104_729L % 300)));
            table.checkInvariants(299 - i);
        }
    }

    @Test
    @DisplayName("A full table of regular keys has short searches")
    void insert_regularKeys_spreadOverTheTable() {
        for (long key = 0; key < CAPACITY; key++) {
            assertThat(add(key * 4096)).isTrue();
        }
        table.checkInvariants(CAPACITY);
        long probes = 0;
        for (long key = 0; key < CAPACITY; key++) {
            probes += table.probes(key * 4096);
        }
        assertThat(probes).isLessThan(8 * CAPACITY); // 3.5 are expected of random hashes
    }
}
