package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddress.Scope;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.Verification;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

class WatchTest {

    private static final Verification FINE =
            new Verification(512, List.of(), List.of(), Optional.empty());

    private final StringWriter printed = new StringWriter();

    @Test
    void pagesThatStayAreNoNews() throws InterruptedException {
        assertThat(watch(3, () -> FINE)).isEqualTo(Tool.DONE);
        assertThat(printed.toString())
                .contains("look 3: CONFIRMED, 512 pages, 0 elsewhere")
                .contains("looked 3 times: no page has moved");
    }

    @Test
    void aPageThatIsElsewhereIsShown() throws InterruptedException {
        Drift drift =
                new Drift(
                        0x7000,
                        new PhysicalAddress(0x1000, Scope.HOST),
                        new PhysicalAddress(0x2000, Scope.HOST),
                        false,
                        "moved");
        Verification found = new Verification(512, List.of(drift), List.of(), Optional.empty());
        assertThat(watch(1, () -> found)).isEqualTo(Tool.DRIFTED);
        assertThat(printed.toString())
                .contains("0x0000000000007000 was at 0x0000000000001000, is at 0x0000000000002000")
                .contains("1 page was found elsewhere");
    }

    @Test
    void aLostGuaranteeIsShownOnceAndCounts() throws InterruptedException {
        LostGuarantee lost = new LostGuarantee(Guarantee.LOCKED, 0x7000, 3, "unlocked");
        Verification found = new Verification(512, List.of(), List.of(lost), Optional.empty());
        assertThat(watch(2, () -> found)).isEqualTo(Tool.DRIFTED);
        assertThat(printed.toString())
                .containsOnlyOnce("0x0000000000007000 lost LOCKED, 3 pages: unlocked")
                .contains("look 2: BROKEN", "1 guarantee was lost, 0 pages were found elsewhere");
    }

    @Test
    void aPageWithoutAKnownPlaceIsShownAsThat() throws InterruptedException {
        Drift drift =
                new Drift(0x7000, null, new PhysicalAddress(0x2000, Scope.HOST), false, "appeared");
        Verification found = new Verification(512, List.of(drift), List.of(), Optional.empty());
        assertThat(watch(1, () -> found)).isEqualTo(Tool.DRIFTED);
        assertThat(printed.toString()).contains("was at no known frame, is at 0x0000000000002000");
    }

    @Test
    void aPinnedPageThatMovedEndsNothing() throws InterruptedException {
        Supplier<Verification> look =
                () -> {
                    throw new PhysicalAddressException(
                            PhysicalAddressException.Reason.MOVED, "pinned, and gone");
                };
        assertThat(watch(2, look)).isEqualTo(Tool.DRIFTED);
        assertThat(printed.toString()).contains("look 1: pinned, and gone", "2 pages were found");
    }

    @Test
    void whatCannotBeSeenIsNotCalledFine() throws InterruptedException {
        Verification hidden = new Verification(0, List.of(), List.of(), Optional.of("no right"));
        assertThat(watch(1, () -> hidden)).isEqualTo(Tool.DONE);
        assertThat(printed.toString())
                .contains("NOT_VERIFIABLE", "nothing is known: no right")
                .doesNotContain("no page has moved");
    }

    @Test
    void itEndsWhenNobodyReadsAnyMore() throws InterruptedException {
        Writer gone =
                new Writer() {
                    @Override
                    public void write(char[] text, int offset, int length) throws IOException {
                        throw new IOException("Broken pipe");
                    }

                    @Override
                    public void flush() {}

                    @Override
                    public void close() {}
                };
        int exitCode = new Watch(() -> FINE, Duration.ofMillis(1), 0, new PrintWriter(gone)).run();
        assertThat(exitCode).isEqualTo(Tool.DONE);
    }

    private int watch(int times, Supplier<Verification> look) throws InterruptedException {
        return new Watch(look, Duration.ofMillis(1), times, new PrintWriter(printed)).run();
    }
}
