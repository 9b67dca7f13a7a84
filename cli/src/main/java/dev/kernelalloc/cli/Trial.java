package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.Provenance;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The outcome of an allocation from the library.
 *
 * @param need the need that was tried
 * @param isMet whether the allocation succeeded
 * @param found what was obtained, or the reason of the failure
 * @param declined better backings that were not taken, with reasons
 * @param refusal the kind of refusal; empty if it succeeded, or if there is no kind for it
 */
record Trial(
        Need need,
        boolean isMet,
        String found,
        List<String> declined,
        Optional<AllocationException.Reason> refusal) {

    /** Keeps a copy of the list. */
    Trial {
        declined = List.copyOf(declined);
    }

    static Trial of(PhysicalAllocator physical, Need need) {
        return switch (need) {
            case HIDDEN -> hidden();
            case ADDRESSES -> addresses(physical);
            default -> guarantee(physical, need);
        };
    }

    private static Trial guarantee(PhysicalAllocator physical, Need need) {
        MemorySegment block;
        try {
            block = physical.allocate(need.request());
        } catch (AllocationException e) {
            return new Trial(need, false, e.getMessage(), List.of(), Optional.of(e.reason()));
        }
        try {
            Provenance provenance = physical.provenance(block);
            String found =
                    String.format(
                            Locale.ROOT,
                            "%s from %s%s",
                            Guarantees.text(physical.guarantee(block)),
                            provenance.backing(),
                            provenance.pin().map(pin -> ", pinned by " + pin).orElse(""));
            List<String> declined =
                    provenance.declined().stream().map(Provenance.Declined::toString).toList();
            return new Trial(need, true, found, declined, Optional.empty());
        } finally {
            physical.free(block);
        }
    }

    private static Trial hidden() {
        try (SecretMemory secret = SecretMemory.allocate(1)) {
            return switch (secret.obtained()) {
                case SecretMemory.Obtained.Hidden _ ->
                        new Trial(
                                Need.HIDDEN,
                                true,
                                Guarantees.text(secret.guarantees()) + " from memfd_secret(2)",
                                List.of(),
                                Optional.empty());
                case SecretMemory.Obtained.Locked(var reason, var why) ->
                        new Trial(Need.HIDDEN, false, why, List.of(), Optional.of(reason));
            };
        } catch (AllocationException e) {
            return new Trial(
                    Need.HIDDEN, false, e.getMessage(), List.of(), Optional.of(e.reason()));
        }
    }

    private static Trial addresses(PhysicalAllocator physical) {
        MemorySegment block;
        try {
            block = physical.allocate(Need.RESIDENT.request());
        } catch (AllocationException e) {
            return new Trial(
                    Need.ADDRESSES, false, e.getMessage(), List.of(), Optional.of(e.reason()));
        }
        try {
            PhysicalAddress address = physical.addressOf(block);
            String found =
                    String.format(
                            Locale.ROOT,
                            "virtual 0x%016x is physical %s%s",
                            block.address(),
                            address,
                            address.scope() == PhysicalAddress.Scope.GUEST ? ", of a guest" : "");
            return new Trial(Need.ADDRESSES, true, found, List.of(), Optional.empty());
        } catch (PhysicalAddressException e) {
            return new Trial(Need.ADDRESSES, false, e.getMessage(), List.of(), Optional.empty());
        } finally {
            physical.free(block);
        }
    }

    /** The same as a line of the doctor's. */
    Finding finding(Host host) {
        return new Finding(
                Finding.Topic.GUARANTEES,
                need.toString(),
                isMet ? Finding.State.OK : Finding.State.BAD,
                need.text() + ": " + found,
                need == Need.HIDDEN
                        ? "SecretMemory.allocate"
                        : need == Need.ADDRESSES
                                ? "PhysicalAllocator.addressOf"
                                : "PhysicalAllocator.allocate",
                isMet ? List.of() : remedies(host));
    }

    private List<String> remedies(Host host) {
        if (refusal.filter(reason -> reason == AllocationException.Reason.LOCK_LIMIT).isPresent()) {
            return LockChecks.MORE_LOCKS;
        }
        return switch (need) {
            case RESIDENT -> List.of();
            case LOCKED -> LockChecks.MORE_LOCKS;
            case HUGE ->
                    List.of(
                            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
                            "sysctl vm.nr_hugepages=64");
            case PINNED -> LockChecks.pins(host, Optional.of(this)).remedies();
            case CONTIGUOUS ->
                    List.of(
                            "echo 1 > /proc/sys/vm/compact_memory",
                            "sysctl vm.nr_hugepages=64",
                            "kernel command line: hugepagesz=1G hugepages=2");
            case HIDDEN ->
                    List.of("kernel command line: secretmem.enable=1 (Linux 5.14 and newer)");
            case ADDRESSES -> RightsChecks.SHOW_FRAMES;
        };
    }
}
