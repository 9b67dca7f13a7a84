package dev.kernelalloc.cli;

import java.util.Arrays;
import java.util.List;

/**
 * One line of the doctor's.
 *
 * @param topic that it belongs to
 * @param name of what was looked at; the same on every host
 * @param state of it
 * @param fact that the state rests on, with its numbers
 * @param source where the fact was read
 * @param remedies commands and container flags that change it, each complete; may be none
 */
record Finding(
        Topic topic, String name, State state, String fact, String source, List<String> remedies) {

    /** How good that is for native memory. */
    enum State {
        /** As good as it gets. */
        OK,
        /** Something would be better otherwise. */
        WARN,
        /** Something does not work. */
        BAD,
        /** It cannot be determined. */
        UNKNOWN
    }

    /** The topic of a line, in the order of printing. */
    enum Topic {
        JAVA("Java"),
        SYSTEM("System"),
        PAGES("Pages"),
        LOCKS("Locks and pins"),
        RIGHTS("Rights"),
        LIMITS("Limits"),
        MOVES("What moves or merges pages"),
        GUARANTEES("Guarantees, each tried by an allocation");

        private final String heading;

        Topic(String heading) {
            this.heading = heading;
        }

        String heading() {
            return heading;
        }
    }

    Finding(Topic topic, String name, State state, String fact, String source, String... remedies) {
        this(topic, name, state, fact, source, Arrays.asList(remedies));
    }

    /** Keeps a copy of the remedies. */
    Finding {
        remedies = List.copyOf(remedies);
    }
}
