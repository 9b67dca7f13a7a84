package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.physical.PhysicalAddressException;

import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.ColorScheme;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/** The program {@code kernel-alloc}: {@code java -jar kernel-alloc-cli.jar}. */
@Command(
        name = "kernel-alloc",
        description =
                "Native memory of this host: its capabilities, and the physical layout of memory.",
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done, and every stated need is met",
            "1:an allocation failed, a need is not met, or something cannot be written",
            "2:wrong usage",
            "3:a page was found elsewhere (map --watch)"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  kernel-alloc doctor --need pinned,huge",
            "  kernel-alloc map --size 8M --contiguous --picture map.svg",
            "  kernel-alloc struct io_uring_sqe",
            "  kernel-alloc stress --seconds 10 --threads 4",
            "  source <(kernel-alloc generate-completion)"
        },
        subcommands = {
            DoctorCommand.class,
            DemoCommand.class,
            MapCommand.class,
            StressCommand.class,
            StructCommand.class,
            TopCommand.class,
            ProfileCommand.class,
            GenerateCompletion.class,
            HelpCommand.class
        })
public final class Tool implements Runnable {

    static final int DONE = 0;
    static final int NOT_HAD = 1;
    static final int USAGE = 2;
    static final int DRIFTED = 3;

    /** The least width that picocli accepts. */
    private static final int LEAST_HELP_COLUMNS = 55;

    private static final int MOST_HELP_COLUMNS = 100;

    @Spec private CommandSpec spec;

    private Tool() {}

    /**
     * Runs a command and ends the process with its exit code.
     *
     * @param arguments as typed at the shell
     */
    public static void main(String[] arguments) {
        System.setProperty("java.awt.headless", "true");
        StandardOutput output = new StandardOutput();
        PrintWriter out = new PrintWriter(output, true);
        CommandLine line = commandLine().setOut(out);
        int exitCode = line.execute(arguments);
        out.flush();
        Optional<IOException> failure = output.failure();
        if (failure.isPresent()) {
            line.getErr()
                    .println(
                            "kernel-alloc: cannot write the results: "
                                    + failure.get().getMessage());
        }
        System.exit(failure.isPresent() && exitCode == DONE ? NOT_HAD : exitCode);
    }

    static CommandLine commandLine() {
        ColorScheme colours =
                CommandLine.Help.defaultColorScheme(
                        Terminal.showsColours()
                                ? CommandLine.Help.Ansi.ON
                                : CommandLine.Help.Ansi.OFF);
        return new CommandLine(new Tool())
                .setErr(new PrintWriter(new FileOutputStream(FileDescriptor.err), true))
                .setColorScheme(colours)
                .setUsageHelpWidth(
                        Math.clamp(Terminal.outputColumns(), LEAST_HELP_COLUMNS, MOST_HELP_COLUMNS))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .registerConverter(ByteCount.class, ByteCount::parse)
                .registerConverter(Duration.class, Seconds::parse)
                .registerConverter(Pid.class, Pid::parse)
                .setParameterExceptionHandler((e, _) -> misused(e))
                .setExecutionExceptionHandler((e, line, _) -> explained(e, line));
    }

    /** Explains refusals of the library; any other exception is a bug of this program. */
    private static int explained(Exception e, CommandLine line) throws Exception {
        switch (e) {
            case AllocationException _, PhysicalAddressException _, IllegalCallerException _ ->
                    line.getErr().println("kernel-alloc: " + e.getMessage());
            case UncheckedIOException _ ->
                    line.getErr().println("kernel-alloc: " + e.getCause().getMessage());
            default -> throw e;
        }
        return NOT_HAD;
    }

    /** The mistake, what may have been meant, and how it is written; help is one word away. */
    private static int misused(ParameterException e) {
        CommandLine line = e.getCommandLine();
        PrintWriter err = line.getErr();
        err.println(line.getColorScheme().errorText("kernel-alloc: " + e.getMessage()));
        CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
        err.print("Usage: " + line.getHelp().synopsis("Usage: ".length()));
        err.println(
                String.format(
                        Locale.ROOT, "Try '%s --help'.", line.getCommandSpec().qualifiedName()));
        err.flush();
        return USAGE;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Missing a command");
    }

    static final class Version implements IVersionProvider {

        @Override
        public String[] getVersion() {
            return new String[] {"kernel-alloc " + number()};
        }

        /** As the jar's manifest has it. */
        static String number() {
            String version = Tool.class.getPackage().getImplementationVersion();
            return version == null ? "(not from its jar)" : version;
        }
    }
}
