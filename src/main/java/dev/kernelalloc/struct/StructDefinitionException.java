package dev.kernelalloc.struct;

import java.util.List;
import java.util.Locale;

/**
 * Thrown if a record or an interface does not describe a struct. All mistakes are reported
 * together, each with its member and the remedy.
 */
public final class StructDefinitionException extends IllegalArgumentException {

    private static final long serialVersionUID = 1;

    private final transient List<String> mistakes;

    StructDefinitionException(Class<?> type, List<String> mistakes) {
        super(
                String.format(
                        Locale.ROOT,
                        "%s does not describe a struct, for %s:%n  %s",
                        type.getTypeName(),
                        mistakes.size() == 1 ? "one reason" : mistakes.size() + " reasons",
                        String.join(System.lineSeparator() + "  ", mistakes)));
        this.mistakes = List.copyOf(mistakes);
    }

    /**
     * Returns the mistakes, in the order of the members: {@code "Vmxon.data: …"}.
     *
     * @return the mistakes, at least one
     */
    public List<String> mistakes() {
        return mistakes;
    }
}
