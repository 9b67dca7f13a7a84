package dev.kernelalloc.netty;

import java.lang.foreign.MemorySegment;

/** All memory as one segment, reached by address: the only restricted call of this module. */
final class AllMemory {

    private AllMemory() {}

    /**
     * Returns a segment that starts at address 0 and spans all others.
     *
     * @throws IllegalCallerException when native access is denied; the message names the flag
     */
    @SuppressWarnings("restricted")
    static MemorySegment segment() {
        try {
            return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
        } catch (IllegalCallerException e) {
            Module module = AllMemory.class.getModule();
            throw new IllegalCallerException(
                    "Netty's buffers need native access: add --enable-native-access="
                            + (module.isNamed()
                                    ? "dev.kernelalloc," + module.getName()
                                    : "ALL-UNNAMED"),
                    e);
        }
    }
}
