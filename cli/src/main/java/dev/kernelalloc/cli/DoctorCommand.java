package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;

@Command(
        name = "doctor",
        description = {
            "Reports which kinds of native memory this host allows, and the commands that would"
                    + " change it.",
            "Each line has a state, a fact, and the source of the fact; below every line that is"
                    + " not ok are the commands, or flags of a container, that change it."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:every stated need is met", "1:one is not", "2:wrong usage"})
final class DoctorCommand implements Callable<Integer> {

    private static final List<String> NOTHING = List.of();

    /** Before a fact: the state and the gaps, beside the name. */
    private static final int HEAD_COLUMNS = 13;

    /** With less room than this, facts are below the names. */
    private static final int LEAST_FACT_COLUMNS = 30;

    private static final int NARROW_INDENT = 4;

    @Option(
            names = "--need",
            split = ",",
            paramLabel = "NEED",
            description =
                    "What a program needs here, separated by commas: ${COMPLETION-CANDIDATES}")
    private Set<Need> needs = EnumSet.noneOf(Need.class);

    @Option(names = "--json", description = "For machines: one JSON object.")
    private boolean json;

    @Option(names = "--all", description = "Prints the commands below every line.")
    private boolean all;

    @Spec private CommandSpec spec;

    /** The object printed by {@code --json}. */
    private record Report(
            String version, List<Line> findings, List<Outcome> guarantees, boolean needsMet) {}

    private record Line(
            String topic,
            String name,
            String state,
            String fact,
            String source,
            List<String> remedies) {}

    private record Outcome(
            String need, boolean needed, boolean met, String found, List<String> declined) {}

    @Override
    public Integer call() {
        Examination examination = Examination.ofThisMachine();
        List<Trial> unmet =
                needs.stream().map(examination.trials()::get).filter(t -> !t.isMet()).toList();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(toJson(examination, unmet.isEmpty()));
        } else {
            print(examination, out);
            printNeeds(unmet, out);
        }
        out.flush();
        return unmet.isEmpty() ? Tool.DONE : Tool.NOT_HAD;
    }

    private String toJson(Examination examination, boolean met) {
        List<Line> lines = new ArrayList<>();
        for (Finding finding : examination.findings()) {
            lines.add(
                    new Line(
                            Names.lower(finding.topic()),
                            finding.name(),
                            Names.lower(finding.state()),
                            finding.fact(),
                            finding.source(),
                            finding.remedies()));
        }
        List<Outcome> outcomes = new ArrayList<>();
        for (Trial trial : examination.trials().values()) {
            outcomes.add(
                    new Outcome(
                            trial.need().toString(),
                            needs.contains(trial.need()),
                            trial.isMet(),
                            trial.found(),
                            trial.declined()));
        }
        return Json.of(new Report(Tool.Version.number(), lines, outcomes, met));
    }

    private void print(Examination examination, PrintWriter out) {
        int widest =
                examination.findings().stream().mapToInt(f -> f.name().length()).max().orElse(0);
        for (Topic topic : Topic.values()) {
            List<Finding> findings =
                    examination.findings().stream().filter(f -> f.topic() == topic).toList();
            if (!findings.isEmpty()) {
                out.println(coloured("bold", topic.heading()));
            }
            for (Finding finding : findings) {
                print(finding, widest, out);
            }
        }
        printSummary(examination.findings(), out);
    }

    private void printSummary(List<Finding> findings, PrintWriter out) {
        out.println(
                Stream.of(State.values())
                        .map(
                                state ->
                                        findings.stream().filter(f -> f.state() == state).count()
                                                + " "
                                                + Names.lower(state))
                        .collect(Collectors.joining(", ")));
    }

    private void print(Finding finding, int widest, PrintWriter out) {
        String colour =
                switch (finding.state()) {
                    case OK -> "green";
                    case WARN -> "yellow";
                    case BAD -> "red";
                    case UNKNOWN -> "faint";
                };
        String head =
                String.format(
                        Locale.ROOT,
                        "  %s  %s",
                        coloured(
                                colour,
                                String.format(Locale.ROOT, "%-7s", Names.lower(finding.state()))),
                        String.format(Locale.ROOT, "%-" + widest + "s", finding.name()));
        int columns = Terminal.lineColumns();
        int indent = widest + HEAD_COLUMNS;
        if (columns - indent < LEAST_FACT_COLUMNS) {
            out.println(head.stripTrailing());
            printFact(finding, " ".repeat(NARROW_INDENT), NARROW_INDENT, columns, out);
        } else {
            printFact(finding, head + "  ", indent, columns, out);
        }
        for (String remedy : all || finding.state() != State.OK ? finding.remedies() : NOTHING) {
            // Never broken, so that it can be copied.
            out.println(
                    " ".repeat(columns - indent < LEAST_FACT_COLUMNS ? NARROW_INDENT : indent)
                            + coloured("cyan", "-> " + remedy));
        }
    }

    /** Prints the fact and its source, in as many lines as they need beside the indent. */
    private void printFact(Finding finding, String head, int indent, int columns, PrintWriter out) {
        String fact = finding.fact();
        String text = fact + " [" + finding.source() + "]";
        String margin = head;
        int printed = 0;
        for (String line : Paragraph.lines(text, Math.max(1, columns - indent))) {
            int ofFact = Math.clamp(fact.length() + 1L - printed, 0, line.length());
            out.println(
                    margin + line.substring(0, ofFact) + coloured("faint", line.substring(ofFact)));
            printed += line.length() + 1;
            margin = " ".repeat(indent);
        }
    }

    private void printNeeds(List<Trial> unmet, PrintWriter out) {
        if (needs.isEmpty()) {
            return;
        }
        out.println(coloured("bold", "Needs"));
        for (Need need : EnumSet.copyOf(needs)) {
            boolean met = unmet.stream().noneMatch(trial -> trial.need() == need);
            out.println(
                    String.format(
                            Locale.ROOT,
                            "  %s  %s",
                            coloured(met ? "green" : "red", met ? "met    " : "not met"),
                            need));
        }
    }

    private String coloured(String style, String text) {
        Ansi ansi = spec.commandLine().getColorScheme().ansi();
        return ansi.enabled() && !text.isEmpty()
                ? ansi.new Text("@|" + style + " " + escaped(text) + "|@").toString()
                : text;
    }

    /** Picocli's markup ends at a bar and an at-sign, which no fact has; it is kept so. */
    private static String escaped(String text) {
        return text.replace("|@", "| @");
    }
}
