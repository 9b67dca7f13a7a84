package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalAddress;

import org.jspecify.annotations.Nullable;

/** Whether physical addresses are a guest's: read once, as soon as that succeeds. */
final class AddressScope {

    private final OperatingSystem os;

    /** A benign race: every thread finds the same. */
    private PhysicalAddress.@Nullable Scope found;

    AddressScope(OperatingSystem os) {
        this.os = os;
        now();
    }

    PhysicalAddress.Scope now() {
        PhysicalAddress.Scope known = found;
        if (known == null) {
            try {
                known =
                        switch (os.machine()) {
                            case PHYSICAL -> PhysicalAddress.Scope.HOST;
                            case VIRTUAL -> PhysicalAddress.Scope.GUEST;
                            case UNKNOWN -> PhysicalAddress.Scope.UNKNOWN;
                        };
                found = known;
            } catch (Refusal unreadableAtThisMoment) {
                return PhysicalAddress.Scope.UNKNOWN;
            }
        }
        return known;
    }
}
