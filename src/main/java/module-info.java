/**
 * Typed native memory whose place can be known, locked and trusted.
 *
 * <p>The module calls native functions: run with {@code --enable-native-access=dev.kernelalloc}, or
 * {@code --enable-native-access=ALL-UNNAMED} when it stands on the class path.
 */
module dev.kernelalloc {
    requires static transitive org.jspecify;

    exports dev.kernelalloc.struct;
}
