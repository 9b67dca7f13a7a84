package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of a program, {@code key=value} each.
 *
 * @param values the values by key
 */
record Arguments(Map<String, String> values) {

    static Arguments of(List<String> line) {
        Map<String, String> values = new HashMap<>();
        for (String argument : line) {
            int equals = argument.indexOf('=');
            values.put(argument.substring(0, equals), argument.substring(equals + 1));
        }
        return new Arguments(values);
    }

    String text(String key) {
        String value = values.get(key);
        if (value == null) {
            throw new IllegalArgumentException("no argument " + key + "= in " + values);
        }
        return value;
    }

    int number(String key) {
        return Integer.parseInt(text(key));
    }

    Peer peer() {
        return Peer.valueOf(text("peer"));
    }
}
