package dev.kernelalloc.cli;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;

/** The JVM that this program runs on: a program run by the same launcher finds the same. */
final class JavaChecks {

    /** Beyond that share of memory a full Java heap leaves too little beside it. */
    private static final int MOST_PERCENT_FOR_THE_HEAP = 75;

    private JavaChecks() {}

    static List<Finding> of(Host host) {
        return List.of(
                new Finding(
                        Topic.JAVA,
                        "runtime",
                        State.OK,
                        String.format(
                                Locale.ROOT,
                                "%s, %s, %s",
                                Runtime.version(),
                                System.getProperty("java.vendor"),
                                System.getProperty("java.vm.name")),
                        "Runtime.version()"),
                nativeAccess(),
                heap(Runtime.getRuntime().maxMemory(), LimitChecks.memoryLimit(host)),
                flags());
    }

    private static Finding nativeAccess() {
        boolean enabled = KernelAllocator.class.getModule().isNativeAccessEnabled();
        return new Finding(
                Topic.JAVA,
                "native access",
                enabled ? State.OK : State.WARN,
                enabled ? "enabled" : "not enabled: the JVM warns, and will refuse one day",
                "Module.isNativeAccessEnabled()",
                "java --enable-native-access=ALL-UNNAMED",
                "java --enable-native-access=dev.kernelalloc (on the module path)",
                "manifest of a jar run by java -jar: Enable-Native-Access: ALL-UNNAMED");
    }

    static Finding heap(long heapBytes, long limitBytes) {
        boolean much = heapBytes / 100.0 * 100 > limitBytes / 100.0 * MOST_PERCENT_FOR_THE_HEAP;
        return new Finding(
                Topic.JAVA,
                "heap",
                much ? State.WARN : State.OK,
                String.format(
                        Locale.ROOT,
                        "may grow to %s of %s, which leaves %s for everything else",
                        ByteCount.text(heapBytes),
                        ByteCount.text(limitBytes),
                        ByteCount.text(Math.max(0, limitBytes - heapBytes))),
                "Runtime.maxMemory(), /proc/meminfo, control groups",
                "java -Xmx<size>",
                "java -XX:MaxRAMPercentage=<percent>");
    }

    private static Finding flags() {
        List<String> flags = ManagementFactory.getRuntimeMXBean().getInputArguments();
        return new Finding(
                Topic.JAVA,
                "flags",
                State.OK,
                flags.isEmpty() ? "none" : String.join(" ", flags),
                "RuntimeMXBean.getInputArguments()",
                "JAVA_TOOL_OPTIONS=<flags> (of every java)");
    }
}
