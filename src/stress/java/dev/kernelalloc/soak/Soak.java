package dev.kernelalloc.soak;

import java.time.Duration;
import java.util.Random;

/**
 * The command line of the long runs: {@code containers|structs|requests [--seconds N] [--seed N]
 * [--rounds N]}. Rounds have successive seeds. The exit code is 0 when the time is over, 1 at the
 * first mismatch, which is printed with the command that repeats its round, and 2 for a wrong
 * command line.
 */
public final class Soak {

    private static final Duration BETWEEN_REPORTS = Duration.ofSeconds(10);

    private Soak() {}

    /**
     * Runs.
     *
     * @param arguments as above
     */
    public static void main(String[] arguments) {
        Options options;
        try {
            options = Options.of(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.err.println(
                    "usage: stress/soak containers|structs|requests [--seconds N] [--seed N]"
                            + " [--rounds N]");
            System.exit(2);
            return;
        }
        System.exit(run(options));
    }

    private static int run(Options options) {
        System.out.println(
                "%s: seed %d, %s"
                        .formatted(
                                options.scenario,
                                options.seed,
                                options.rounds == Long.MAX_VALUE
                                        ? options.seconds + " seconds"
                                        : options.rounds + " rounds"));
        long seed = options.seed;
        Scenario scenario = open(options.scenario);
        Thread restore = new Thread(scenario::close);
        Runtime.getRuntime().addShutdownHook(restore);
        long start = System.nanoTime();
        long end = start + Duration.ofSeconds(options.seconds).toNanos();
        long report = start;
        try {
            for (long round = 0; round < options.rounds && System.nanoTime() < end; round++) {
                if (System.nanoTime() >= report) {
                    // Also for a JVM that crashes: the round is one of those that follow.
                    System.out.println("at seed %d: %s".formatted(seed, scenario.summary()));
                    report += BETWEEN_REPORTS.toNanos();
                }
                scenario.round(seed);
                seed++;
            }
        } catch (Throwable e) {
            System.out.println("FAILED in the round of seed " + seed + ": " + e);
            e.printStackTrace(System.out);
            System.out.println(
                    "to repeat it: stress/soak %s --seed %d --rounds 1"
                            .formatted(options.scenario, seed));
            return 1;
        }
        System.out.println(
                "passed: %d rounds, seeds %d to %d, in %d s: %s"
                        .formatted(
                                seed - options.seed,
                                options.seed,
                                seed - 1,
                                Duration.ofNanos(System.nanoTime() - start).toSeconds(),
                                scenario.summary()));
        return 0;
    }

    private static Scenario open(String name) {
        return switch (name) {
            case "containers" -> new Containers();
            case "structs" -> new Structs();
            default -> new Requests();
        };
    }

    /**
     * The command line.
     *
     * @param scenario one of the three
     * @param seconds the time after which no further round begins
     * @param seed the seed of the first round
     * @param rounds the maximum number of rounds
     */
    private record Options(String scenario, long seconds, long seed, long rounds) {

        static Options of(String[] arguments) {
            if (arguments.length == 0
                    || !arguments[0].matches("containers|structs|requests")
                    || arguments.length % 2 == 0) {
                throw new IllegalArgumentException("no such command");
            }
            long seconds = 600;
            long seed = new Random().nextInt(Integer.MAX_VALUE);
            long rounds = Long.MAX_VALUE;
            for (int i = 1; i < arguments.length; i += 2) {
                long value = Long.parseLong(arguments[i + 1]);
                switch (arguments[i]) {
                    case "--seconds" -> seconds = value;
                    case "--seed" -> seed = value;
                    case "--rounds" -> rounds = value;
                    default -> throw new IllegalArgumentException("no option " + arguments[i]);
                }
            }
            return new Options(arguments[0], seconds, seed, rounds);
        }
    }
}
