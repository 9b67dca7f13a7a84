package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;
import dev.kernelalloc.os.KernelFiles;
import dev.kernelalloc.physical.PinMethod;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/** How much may be locked and pinned, and whether anything can be pinned at all. */
final class LockChecks {

    static final List<String> MORE_LOCKS =
            List.of(
                    "ulimit -l unlimited",
                    "docker run --ulimit memlock=-1",
                    "docker run --cap-add IPC_LOCK",
                    "systemd unit: LimitMEMLOCK=infinity",
                    "prlimit --memlock=unlimited java ...");

    /** A slab of the library is 64 KiB; a driver's rings and buffers are some dozens of MiB. */
    private static final long LEAST = 64L << 10;

    private static final long ENOUGH = 64L << 20;

    private static final String IO_URING_DISABLED = "/proc/sys/kernel/io_uring_disabled";
    private static final String ALLOW_AF_XDP =
            "docker run --cap-add NET_RAW (pins by AF_XDP sockets instead)";
    private static final List<String> ALLOW_IO_URING =
            List.of(
                    "docker run --security-opt seccomp=<profile that allows io_uring_setup and"
                            + " io_uring_register>",
                    "docker run --security-opt seccomp=unconfined",
                    ALLOW_AF_XDP);

    private LockChecks() {}

    static List<Finding> of(Host host, Optional<Trial> pinned) {
        return List.of(limit(host), usage(host), pins(host, pinned));
    }

    private static Finding limit(Host host) {
        String source = "/proc/self/limits, /proc/self/status CapEff";
        Optional<String> soft =
                host.field("/proc/self/limits", "Max locked memory")
                        .map(values -> values.split("\\s+")[0]);
        if (soft.isEmpty()) {
            return new Finding(
                    Topic.LOCKS, "lock limit", State.UNKNOWN, "unknown", source, MORE_LOCKS);
        }
        boolean exempt =
                Capabilities.effective(host).has(Capabilities.IPC_LOCK)
                        && Capabilities.countEverywhere(host);
        boolean unlimited = soft.get().equals("unlimited");
        long bytes =
                unlimited ? Long.MAX_VALUE : KernelFiles.number(soft.get()).orElse(Long.MAX_VALUE);
        String shown = unlimited ? "unlimited" : ByteCount.text(bytes);
        State state =
                exempt || bytes >= ENOUGH ? State.OK : bytes >= LEAST ? State.WARN : State.BAD;
        return new Finding(
                Topic.LOCKS,
                "lock limit",
                state,
                exempt ? "none, by CAP_IPC_LOCK (without it: " + shown + ")" : shown,
                source,
                MORE_LOCKS);
    }

    private static Finding usage(Host host) {
        OptionalLong locked = host.kilobytes("/proc/self/status", "VmLck:");
        OptionalLong pinned = host.kilobytes("/proc/self/status", "VmPin:");
        boolean told = locked.isPresent() && pinned.isPresent();
        return new Finding(
                Topic.LOCKS,
                "lock usage",
                told ? State.OK : State.UNKNOWN,
                told
                        ? String.format(
                                Locale.ROOT,
                                "%s locked and %s pinned by this process; two budgets, each of the"
                                        + " limit",
                                ByteCount.text(locked.getAsLong()),
                                ByteCount.text(pinned.getAsLong()))
                        : "unknown",
                "/proc/self/status VmLck, VmPin");
    }

    /** Finds the cause of refused pins, which no error code alone shows. */
    static Finding pins(Host host, Optional<Trial> pinned) {
        if (pinned.isEmpty()) {
            return pins(State.UNKNOWN, "not tried", List.of());
        }
        if (pinned.get().isMet() && pinned.get().found().contains(PinMethod.AF_XDP.toString())) {
            return pins(
                    State.OK,
                    "io_uring is refused, and an AF_XDP socket has pinned a page: each pin takes a"
                            + " file descriptor",
                    ALLOW_IO_URING);
        }
        if (pinned.get().isMet()) {
            return pins(
                    State.OK,
                    "io_uring is allowed, and has pinned a page",
                    List.of("sysctl kernel.io_uring_disabled=2 (to forbid it)"));
        }
        OptionalLong disabled = host.number(IO_URING_DISABLED);
        boolean filtered = host.field("/proc/self/status", "Seccomp:").orElse("0").equals("2");
        Reason reason = pinned.get().refusal().orElse(Reason.SYSTEM_ERROR);
        if (reason == Reason.LOCK_LIMIT) {
            return pins(State.BAD, "blocked by the lock limit", MORE_LOCKS);
        }
        if (disabled.orElse(0) == 2 || disabled.orElse(0) == 1 && !mayAnyway(host)) {
            return pins(
                    State.BAD,
                    "io_uring is blocked by sysctl kernel.io_uring_disabled=" + disabled.orElse(0),
                    List.of("sysctl kernel.io_uring_disabled=0", ALLOW_AF_XDP));
        }
        if (filtered) {
            return pins(
                    State.BAD,
                    "io_uring is blocked by a seccomp filter, as of Docker's default profile",
                    ALLOW_IO_URING);
        }
        if (reason == Reason.NOT_SUPPORTED) {
            return pins(
                    State.BAD,
                    "io_uring is absent, or too old: " + pinned.get().found(),
                    List.of("a kernel of 5.19 or newer with CONFIG_IO_URING"));
        }
        return pins(
                State.BAD,
                "neither a sysctl nor seccomp blocks io_uring, but: " + pinned.get().found(),
                List.of());
    }

    private static boolean mayAnyway(Host host) {
        return Capabilities.effective(host).has(Capabilities.SYS_ADMIN)
                && Capabilities.countEverywhere(host);
    }

    private static Finding pins(State state, String fact, List<String> remedies) {
        return new Finding(
                Topic.LOCKS,
                "pins",
                state,
                fact,
                "PhysicalAllocator.allocate, " + IO_URING_DISABLED + ", /proc/self/status Seccomp",
                remedies);
    }
}
