package dev.kernelalloc.testing;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;

/** What a Linux process says of itself to the kernel: prctl(2). */
@SuppressWarnings("restricted")
public final class ProcessSettings {

    private static final int PR_SET_DUMPABLE = 4;
    private static final int PR_SET_THP_DISABLE = 41;
    private static final int PR_SET_MEMORY_MERGE = 67;

    private static final MethodHandle PRCTL =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("prctl"),
                            FunctionDescriptor.of(
                                    JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                            Linker.Option.firstVariadicArg(1));

    private ProcessSettings() {}

    /** Its page map may be opened again, after it has changed its user. */
    public static boolean allowDumps() {
        return set(PR_SET_DUMPABLE, 1);
    }

    /** It gets no transparent huge pages. */
    public static boolean forbidHugePages() {
        return set(PR_SET_THP_DISABLE, 1);
    }

    /** It gets transparent huge pages again. */
    public static boolean allowHugePages() {
        return set(PR_SET_THP_DISABLE, 0);
    }

    /** All its mappings that can be are merged with equal pages, now and later; since Linux 6.4. */
    public static boolean mergeEverything() {
        return set(PR_SET_MEMORY_MERGE, 1);
    }

    /** Whether the kernel knows the setting. */
    private static boolean set(int option, long value) {
        try {
            return (int) PRCTL.invokeExact(option, value, 0L, 0L, 0L) == 0;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
