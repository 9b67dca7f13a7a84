package dev.kernelalloc.cli;

import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.Verification;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** Checks repeatedly whether pages have moved, and reports those that have. */
final class Watch {

    private final Supplier<Verification> look;
    private final Duration interval;
    private final int times;
    private final PrintWriter out;

    private long drifts;
    private final Set<LostGuarantee> known = new LinkedHashSet<>();
    private Optional<String> unverifiable = Optional.empty();

    /**
     * Creates a watch.
     *
     * @param look verifies all pages
     * @param interval the pause before each check
     * @param times the number of checks; 0 for ever
     * @param out the output; the watch ends when its reader is gone
     */
    Watch(Supplier<Verification> look, Duration interval, int times, PrintWriter out) {
        this.look = look;
        this.interval = interval;
        this.times = times;
        this.out = out;
    }

    /** Keeps it; returns the exit code. */
    int run() throws InterruptedException {
        try (Interruption interruption = new Interruption()) {
            return run(interruption);
        }
    }

    private int run(Interruption interruption) throws InterruptedException {
        out.println(
                String.format(
                        Locale.ROOT,
                        "\nlooking every %s%s",
                        seconds(interval),
                        times == 0 ? "" : ", " + times + " times"));
        int looks = 0;
        try (Progress progress = new Progress("looking", times == 0 ? -1 : times)) {
            while ((times == 0 || looks < times)
                    && !out.checkError()
                    && interruption.sleep(interval)) {
                looks++;
                look(looks, progress);
                progress.stepTo(looks, drifts + " drifted");
            }
        }
        out.println(
                String.format(
                        Locale.ROOT,
                        "looked %d time%s: %s",
                        looks,
                        looks == 1 ? "" : "s",
                        summary()));
        out.flush();
        return drifts == 0 && known.isEmpty() ? Tool.DONE : Tool.DRIFTED;
    }

    /** Without a bar there is a line for each look: so a reader that is gone is noticed, too. */
    private void look(int number, Progress progress) {
        try {
            Verification found = look.get();
            unverifiable = found.unverifiable();
            drifts += found.drifts().size();
            for (Drift drift : found.drifts()) {
                progress.print(
                        out,
                        String.format(
                                Locale.ROOT,
                                "look %d: 0x%016x was at %s, is at %s: %s",
                                number,
                                drift.virtualAddress(),
                                drift.before() == null ? "no known frame" : drift.before(),
                                drift.after() == null ? "no frame" : drift.after(),
                                drift.finding()));
            }
            for (LostGuarantee one : found.lost()) {
                if (known.add(one)) {
                    progress.print(
                            out,
                            String.format(
                                    Locale.ROOT,
                                    "look %d: 0x%016x lost %s, %d pages: %s",
                                    number,
                                    one.virtualAddress(),
                                    one.guarantee(),
                                    one.pages(),
                                    one.finding()));
                }
            }
            if (!progress.isShown()) {
                progress.print(
                        out,
                        String.format(
                                Locale.ROOT,
                                "look %d: %s, %d pages, %d elsewhere",
                                number,
                                found.verdict(),
                                found.checkedPages(),
                                found.drifts().size()));
            }
        } catch (PhysicalAddressException moved) { // what was pinned
            drifts++;
            progress.print(
                    out, String.format(Locale.ROOT, "look %d: %s", number, moved.getMessage()));
        }
    }

    private String summary() {
        String moved =
                String.format(
                        Locale.ROOT,
                        "%d page%s found elsewhere",
                        drifts,
                        drifts == 1 ? " was" : "s were");
        if (!known.isEmpty()) {
            return String.format(
                    Locale.ROOT,
                    "%d guarantee%s lost, %s",
                    known.size(),
                    known.size() == 1 ? " was" : "s were",
                    moved);
        }
        if (drifts > 0) {
            return moved;
        }
        return unverifiable.map(why -> "nothing is known: " + why).orElse("no page has moved");
    }

    private static String seconds(Duration time) {
        return time.toMillis() % 1000 == 0 ? time.toSeconds() + " s" : time.toMillis() + " ms";
    }
}
