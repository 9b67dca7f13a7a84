/**
 * Exports the statistics of allocators as meters of Micrometer.
 *
 * <p>Native access is that of the library: {@code --enable-native-access=dev.kernelalloc}, or
 * {@code --enable-native-access=ALL-UNNAMED} when it is on the class path.
 */
module dev.kernelalloc.micrometer {
    requires transitive dev.kernelalloc;
    requires transitive micrometer.core;
    requires static transitive org.jspecify;

    exports dev.kernelalloc.micrometer;
}
