package dev.kernelalloc.os;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;

/**
 * Whether this module may call native functions. Decided once, and never by a failing class
 * initializer: the second caller gets the same explanation as the first.
 */
final class NativeAccess {

    private static volatile @Nullable Boolean granted;

    private NativeAccess() {}

    static synchronized boolean isGranted() {
        Boolean known = granted;
        if (known == null) {
            known = request();
            granted = known;
        }
        return known;
    }

    static IllegalCallerException denied() {
        return new IllegalCallerException(
                "Kernel-Alloc needs native access, and this JVM denies it"
                        + " (--illegal-native-access=deny): run java with "
                        + flag());
    }

    /**
     * Makes one harmless restricted call, which is how a JVM answers: it may warn, and then allows;
     * or it throws.
     */
    @SuppressWarnings("restricted")
    private static boolean request() {
        if (NativeAccess.class.getModule().isNativeAccessEnabled()) {
            return true;
        }
        System.getLogger("dev.kernelalloc")
                .log(
                        System.Logger.Level.WARNING,
                        "Kernel-Alloc calls native functions, and native access is not enabled for"
                                + " it: run java with "
                                + flag());
        try {
            MemorySegment.NULL.reinterpret(0);
            return true;
        } catch (IllegalCallerException denied) {
            return false;
        }
    }

    private static String flag() {
        Module module = NativeAccess.class.getModule();
        return "--enable-native-access=" + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
    }
}
