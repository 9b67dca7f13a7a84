/**
 * Typed native memory whose place can be known, locked and trusted.
 *
 * <p>Start at {@link dev.kernelalloc.NativeBox} and {@link dev.kernelalloc.KernelAllocator};
 * describe the contents of the memory with {@link dev.kernelalloc.struct.StructType}.
 *
 * <p>The module calls native functions: run with {@code --enable-native-access=dev.kernelalloc}, or
 * {@code --enable-native-access=ALL-UNNAMED} when it is on the class path.
 */
module dev.kernelalloc {
    requires static transitive jdk.jfr;
    requires static transitive org.jspecify;
    requires static transitive java.management; // for observe alone, at run time

    exports dev.kernelalloc;
    exports dev.kernelalloc.call;
    exports dev.kernelalloc.event;
    exports dev.kernelalloc.map;
    exports dev.kernelalloc.observe;
    exports dev.kernelalloc.physical;
    exports dev.kernelalloc.primitive;
    exports dev.kernelalloc.source;
    exports dev.kernelalloc.struct;
}
