package dev.kernelalloc.leak;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.os.Refusal;

/** The public reasons of internal refusals. */
public final class Reasons {

    private Reasons() {}

    public static AllocationException.Reason of(Refusal refusal) {
        return switch (refusal) {
            case Refusal.OutOfMemory _ -> AllocationException.Reason.OUT_OF_MEMORY;
            case Refusal.Fragmented _ -> AllocationException.Reason.FRAGMENTED;
            case Refusal.OverBudget _ -> AllocationException.Reason.LIMIT;
            case Refusal.LockLimit _ -> AllocationException.Reason.LOCK_LIMIT;
            case Refusal.NotPermitted _ -> AllocationException.Reason.NOT_PERMITTED;
            case Refusal.NotSupported _ -> AllocationException.Reason.NOT_SUPPORTED;
            case Refusal.Shortage _ -> AllocationException.Reason.SHORTAGE;
            case Refusal.SystemError _ -> AllocationException.Reason.SYSTEM_ERROR;
        };
    }
}
