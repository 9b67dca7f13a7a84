package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** Checks the user of this process, and its rights. */
final class RightsChecks {

    static final List<String> SHOW_FRAMES =
            List.of(
                    "sudo java -jar kernel-alloc-cli.jar",
                    "docker run --cap-add SYS_ADMIN (not in a user namespace of its own)");

    private static final String PAGE_MAP = "/proc/self/pagemap";
    private static final String FRAME_FLAGS = "/proc/kpageflags";

    /** Bits of an entry of the page map: the kernel's admin-guide/mm/pagemap. */
    private static final long FRAME_BITS = (1L << 55) - 1;

    private RightsChecks() {}

    /**
     * Looks.
     *
     * @param residentAddress of memory that has a frame now
     */
    static List<Finding> of(Host host, OptionalLong residentAddress) {
        return List.of(
                user(host), capabilities(host), pageMap(host, residentAddress), records(host));
    }

    private static Finding user(Host host) {
        String ids = host.field("/proc/self/status", "Uid:").orElse("");
        String effective = ids.isEmpty() ? "unknown" : ids.split("\\s+")[1];
        boolean initial = Capabilities.countEverywhere(host);
        return new Finding(
                Topic.RIGHTS,
                "user",
                ids.isEmpty() ? State.UNKNOWN : initial ? State.OK : State.WARN,
                String.format(
                        Locale.ROOT,
                        "user id %s, %s",
                        effective,
                        initial
                                ? "in the initial user namespace"
                                : "in a user namespace of its own, where rights over the machine's"
                                        + " memory are not available"),
                "/proc/self/status, /proc/self/ns/user",
                initial ? List.of() : List.of("docker run --userns=host"));
    }

    private static Finding capabilities(Host host) {
        Capabilities effective = Capabilities.effective(host);
        List<String> missing = new ArrayList<>();
        for (int wanted :
                new int[] {Capabilities.IPC_LOCK, Capabilities.SYS_ADMIN, Capabilities.SYS_NICE}) {
            if (!effective.has(wanted)) {
                missing.add("--cap-add " + Capabilities.name(wanted));
            }
        }
        boolean told = host.field("/proc/self/status", "CapEff:").isPresent();
        boolean initial = Capabilities.countEverywhere(host);
        return new Finding(
                Topic.RIGHTS,
                "capabilities",
                !told ? State.UNKNOWN : missing.isEmpty() && initial ? State.OK : State.WARN,
                told
                        ? effective + (initial ? "" : ", but over its own user namespace alone")
                        : "unknown",
                "/proc/self/status CapEff",
                remedies(missing, initial));
    }

    private static List<String> remedies(List<String> missing, boolean initial) {
        if (!initial) {
            return List.of("docker run --userns=host");
        }
        if (missing.isEmpty()) {
            return List.of();
        }
        String flags = String.join(" ", missing);
        return List.of(
                "docker run " + flags,
                "systemd unit: AmbientCapabilities=" + flags.replace("--cap-add ", "CAP_"));
    }

    /** Not what should be, but what the kernel answers. */
    private static Finding pageMap(Host host, OptionalLong address) {
        OptionalLong pageBytes = PageChecks.pageBytes(host);
        if (address.isEmpty() || pageBytes.isEmpty()) {
            return pageMap(State.UNKNOWN, "no memory of a known place to ask for");
        }
        try {
            long entry =
                    word(host, PAGE_MAP, address.getAsLong() / pageBytes.getAsLong() * Long.BYTES);
            if (entry >= 0) { // the highest bit is set if there is a frame
                return pageMap(
                        State.UNKNOWN,
                        String.format(Locale.ROOT, "the entry 0x%x has no frame", entry));
            }
            long frame = entry & FRAME_BITS;
            return frame == 0
                    ? pageMap(
                            State.BAD,
                            "it opens, but frame numbers read 0: CAP_SYS_ADMIN in the initial user"
                                    + " namespace is missing")
                    : pageMap(
                            State.OK,
                            String.format(
                                    Locale.ROOT,
                                    "frame numbers are shown, for example 0x%x",
                                    frame));
        } catch (NoSuchFileException e) {
            return pageMap(State.UNKNOWN, "there is none");
        } catch (AccessDeniedException e) {
            return pageMap(
                    State.BAD,
                    "it does not open: this process is not dumpable (changed its user, or java has"
                            + " file capabilities)");
        } catch (IOException e) {
            return pageMap(State.BAD, "reading it failed: " + e.getMessage());
        }
    }

    private static Finding pageMap(State state, String fact) {
        return new Finding(Topic.RIGHTS, "page map", state, fact, PAGE_MAP, SHOW_FRAMES);
    }

    /** Checks the records that {@code inspect} reads. */
    private static Finding records(Host host) {
        State state;
        String fact;
        try {
            word(host, FRAME_FLAGS, 0);
            state = State.OK;
            fact = "readable: flags and use counts of every frame can be confirmed";
        } catch (NoSuchFileException e) {
            state = State.WARN;
            fact = "the kernel has none (CONFIG_PROC_PAGE_MONITOR)";
        } catch (IOException e) {
            state = State.WARN;
            fact = "not readable: only root sees flags and use counts of frames";
        }
        return new Finding(
                Topic.RIGHTS,
                "frame records",
                state,
                fact,
                FRAME_FLAGS,
                "sudo java -jar kernel-alloc-cli.jar",
                "docker run --user 0");
    }

    private static long word(Host host, String file, long position) throws IOException {
        ByteBuffer word = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder());
        try (FileChannel channel = FileChannel.open(host.at(file), StandardOpenOption.READ)) {
            channel.read(word, position);
        }
        return word.hasRemaining() ? 0 : word.getLong(0);
    }
}
