/**
 * Netty's buffers in memory of a {@link dev.kernelalloc.KernelAllocator}.
 *
 * <p>The module reads and writes memory by its address: run with {@code
 * --enable-native-access=dev.kernelalloc,dev.kernelalloc.netty}, or {@code
 * --enable-native-access=ALL-UNNAMED} when it is on the class path.
 */
module dev.kernelalloc.netty {
    requires transitive dev.kernelalloc;
    requires transitive io.netty.buffer;
    requires io.netty.common;
    requires static transitive org.jspecify;

    exports dev.kernelalloc.netty;
}
