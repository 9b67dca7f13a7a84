package dev.kernelalloc.cli;

import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

import java.io.PrintStream;
import java.io.PrintWriter;

/** A bar on the standard error output, where a person looks at it; nothing otherwise. */
final class Progress implements AutoCloseable {

    private final boolean isShown = Terminal.showsProgress();
    private final int width = Terminal.progressColumns() - 1;
    private final PrintStream err = System.err;
    private final ProgressBar bar;

    /**
     * Creates a bar.
     *
     * @param task the task that it shows
     * @param most the number of steps; negative if unknown
     */
    Progress(String task, long most) {
        bar =
                new ProgressBarBuilder()
                        .setTaskName(task)
                        .setInitialMax(most)
                        .setStyle(ProgressBarStyle.ASCII)
                        .setUpdateIntervalMillis(200)
                        .hideEta()
                        .clearDisplayOnFinish()
                        .setConsumer(
                                isShown
                                        ? new ConsoleProgressBarConsumer(err, width)
                                        : new DelegatingProgressBarConsumer(_ -> {}, width))
                        .build();
    }

    boolean isShown() {
        return isShown;
    }

    void step() {
        bar.step();
    }

    void stepTo(long steps, String message) {
        bar.stepTo(steps);
        bar.setExtraMessage(message);
    }

    /** Prints a line on another output, which may be the same terminal: the bar makes room. */
    void print(PrintWriter out, String line) {
        if (isShown) {
            err.print("\r" + " ".repeat(width) + "\r");
            err.flush();
        }
        out.println(line);
        out.flush();
    }

    @Override
    public void close() {
        bar.close();
    }
}
