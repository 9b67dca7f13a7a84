package dev.kernelalloc.nvme;

/** Receives the result of a command. */
@FunctionalInterface
public interface Completion {

    /**
     * Called by {@link QueuePair#poll()}, once for each command; may submit others.
     *
     * @param status 0 for success; otherwise as {@link NvmeException} explains
     * @param result the result, whose meaning depends on the command
     */
    void completed(int status, int result);

    /** A completion that throws {@link NvmeException} unless the command succeeded. */
    Completion MUST_SUCCEED = (status, result) -> NvmeException.requireSuccess(status);
}
