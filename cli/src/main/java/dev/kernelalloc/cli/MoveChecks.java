package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** Checks the mechanisms that move pages in use to other frames, unless they are pinned. */
final class MoveChecks {

    private MoveChecks() {}

    static List<Finding> of(Host host) {
        return List.of(
                setting(
                        host,
                        "merging",
                        "/sys/kernel/mm/ksm/run",
                        "equal pages are not merged (KSM is off)",
                        "KSM merges equal pages that were marked; the library's never are",
                        "echo 0 > /sys/kernel/mm/ksm/run"),
                setting(
                        host,
                        "compaction",
                        "/proc/sys/vm/compact_unevictable_allowed",
                        "it does not move locked pages",
                        "it moves locked pages, too: only pinned ones never move",
                        "sysctl vm.compact_unevictable_allowed=0"),
                setting(
                        host,
                        "compaction at idle",
                        "/proc/sys/vm/compaction_proactiveness",
                        "only when a large piece is needed",
                        "in advance, too, so that large pieces are ready",
                        "sysctl vm.compaction_proactiveness=0"),
                setting(
                        host,
                        "numa balancing",
                        "/proc/sys/kernel/numa_balancing",
                        "pages do not follow threads to other nodes",
                        "pages follow threads to other nodes",
                        "sysctl kernel.numa_balancing=0"));
    }

    private static Finding setting(
            Host host, String name, String file, String atZero, String otherwise, String remedy) {
        OptionalLong value = host.number(file);
        boolean zero = value.orElse(1) == 0;
        return new Finding(
                Topic.MOVES,
                name,
                value.isEmpty() ? State.UNKNOWN : zero ? State.OK : State.WARN,
                value.isEmpty()
                        ? "the kernel does not show it"
                        : String.format(
                                Locale.ROOT,
                                "%d: %s",
                                value.getAsLong(),
                                zero ? atZero : otherwise),
                file,
                remedy);
    }
}
