/**
 * Gives each JUnit test an allocator of its own, and fails the tests that leak.
 *
 * <p>Native access is that of the library: {@code --enable-native-access=dev.kernelalloc}, or
 * {@code --enable-native-access=ALL-UNNAMED} when it is on the class path.
 */
module dev.kernelalloc.junit {
    requires transitive dev.kernelalloc;
    requires transitive org.junit.jupiter.api;
    requires static transitive org.jspecify;

    exports dev.kernelalloc.junit;
}
