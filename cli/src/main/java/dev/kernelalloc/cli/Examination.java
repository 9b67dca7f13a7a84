package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Everything that the doctor has found.
 *
 * @param findings in the order of printing
 * @param trials of every need
 */
record Examination(List<Finding> findings, Map<Need, Trial> trials) {

    /** Looks at this machine, and asks the library for memory of every kind. */
    static Examination ofThisMachine() {
        Map<Need, Trial> trials = new EnumMap<>(Need.class);
        OptionalLong resident = OptionalLong.empty();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            for (Need need : Need.values()) {
                trials.put(need, Trial.of(physical, need));
            }
            physical.trim(); // so that what is counted below is not the trials'
            Host host = Host.ofThisMachine();
            Optional<MemorySegment> block = resident(physical);
            if (block.isPresent()) {
                resident = OptionalLong.of(block.get().address());
            }
            try {
                return new Examination(findings(host, trials, resident), trials);
            } finally {
                block.ifPresent(physical::free);
            }
        }
    }

    private static Optional<MemorySegment> resident(PhysicalAllocator physical) {
        try {
            return Optional.of(physical.allocate(Need.RESIDENT.request()));
        } catch (AllocationException e) {
            return Optional.empty(); // its trial has the reason
        }
    }

    /**
     * Looks at a host.
     *
     * @param trials what came of asking, as far as was asked
     * @param residentAddress of memory that has a frame now
     */
    static List<Finding> findings(
            Host host, Map<Need, Trial> trials, OptionalLong residentAddress) {
        List<Finding> findings = new ArrayList<>(JavaChecks.of(host));
        if (host.isLinux()) {
            findings.addAll(SystemChecks.of(host));
            findings.addAll(PageChecks.of(host));
            findings.addAll(LockChecks.of(host, Optional.ofNullable(trials.get(Need.PINNED))));
            findings.addAll(RightsChecks.of(host, residentAddress));
            findings.addAll(LimitChecks.of(host));
            findings.addAll(MoveChecks.of(host));
        } else {
            findings.add(
                    new Finding(
                            Topic.SYSTEM,
                            "kernel",
                            State.UNKNOWN,
                            System.getProperty("os.name")
                                    + " has no equivalent of Linux's /proc and /sys",
                            "/proc/self/status"));
        }
        trials.values().forEach(trial -> findings.add(trial.finding(host)));
        return findings;
    }
}
