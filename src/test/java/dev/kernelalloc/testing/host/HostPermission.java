package dev.kernelalloc.testing.host;

import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Decides whether a {@link HostTest} may run, and holds the lock while it does. */
final class HostPermission implements ExecutionCondition, BeforeAllCallback, BeforeEachCallback {

    private static final String VARIABLE = "KERNELALLOC_HOST_TESTS";
    private static final String CONSENT = "this-machine-is-mine";
    private static final Path SETTINGS = Path.of("/proc/sys/vm/compact_memory");

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        return refusal()
                .map(why -> ConditionEvaluationResult.disabled("skipped: " + why))
                .orElseGet(() -> ConditionEvaluationResult.enabled("this machine may be changed"));
    }

    private static Optional<String> refusal() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return Optional.of("it changes settings of Linux");
        }
        if (!Boolean.getBoolean("tests.host")) {
            return Optional.of("it changes the machine: run Maven with -Phost");
        }
        if (!CONSENT.equals(System.getenv(VARIABLE))) {
            return Optional.of("it changes the machine: set " + VARIABLE + "=" + CONSENT);
        }
        if (!System.getProperty("user.name").equals("root")) {
            return Optional.of("only root can change the machine");
        }
        if (!LinuxProcess.seesFrames()) {
            return Optional.of("frame numbers are hidden, this process lacks CAP_SYS_ADMIN");
        }
        if (!Files.isWritable(SETTINGS)) {
            return Optional.of(SETTINGS + " cannot be written: a container without privileges?");
        }
        return Optional.empty();
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        holdLock(context);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        holdLock(context);
    }

    /** For a marked class until its last test, otherwise for the one test. */
    private static void holdLock(ExtensionContext context) {
        context.getStore(Namespace.create(HostPermission.class))
                .getOrComputeIfAbsent(HostLock.class, _ -> HostLock.take());
    }
}
