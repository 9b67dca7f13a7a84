/**
 * Arrow's buffers in memory of a {@link dev.kernelalloc.KernelAllocator}.
 *
 * <p>Native access is that of the library: {@code --enable-native-access=dev.kernelalloc}, or
 * {@code --enable-native-access=ALL-UNNAMED} when it is on the class path.
 */
module dev.kernelalloc.arrow {
    requires transitive dev.kernelalloc;
    requires transitive org.apache.arrow.memory.core;
    requires static transitive org.jspecify;

    exports dev.kernelalloc.arrow;
    exports org.apache.arrow.memory.unsafe to // where Arrow looks for a factory, by name
            org.apache.arrow.memory.core;
}
