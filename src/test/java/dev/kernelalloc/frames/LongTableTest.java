package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

class LongTableTest {

    @Property
    @Label("A table agrees with a map after any puts and removals")
    void table_afterAnyChanges_agreesWithAMap(
            @ForAll @Size(max = 400) List<@IntRange(min = -60, max = 60) Integer> changes) {
        LongTable table = new LongTable();
        Map<Long, Long> map = new HashMap<>();
        long value = 1;
        for (int change : changes) {
            long key = Math.abs(change) * 0x10001L + 1;
            if (change >= 0) {
                table.put(key, value);
                map.put(key, value++);
            } else {
                table.remove(key, map.getOrDefault(key, 1L));
                map.remove(key);
            }
        }
        assertThat(table.size()).isEqualTo(map.size());
        for (int i = 0; i <= 60; i++) {
            long key = i * 0x10001L + 1;
            assertThat(table.get(key)).isEqualTo(map.getOrDefault(key, 0L));
        }
    }

    @Test
    @DisplayName("A removal leaves an entry that has another value since")
    void remove_ofAReplacedValue_keepsTheEntry() {
        LongTable table = new LongTable();
        table.put(5, 100);
        table.put(5, 200);
        table.remove(5, 100);
        assertThat(table.get(5)).isEqualTo(200);
        table.remove(5, 200);
        assertThat(table.get(5)).isZero();
        assertThat(table.get(0)).isZero();
    }
}
