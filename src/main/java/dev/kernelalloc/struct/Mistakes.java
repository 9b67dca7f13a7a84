package dev.kernelalloc.struct;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Everything wrong with a description, collected so that it can be reported at once. */
final class Mistakes {

    private final Set<String> found = new LinkedHashSet<>();

    /** A mistake of a whole struct. */
    void add(Class<?> struct, String what) {
        found.add(struct.getSimpleName() + ": " + what);
    }

    /** A mistake of one member. */
    void add(Class<?> struct, String member, String what) {
        found.add(struct.getSimpleName() + "." + member + ": " + what);
    }

    int count() {
        return found.size();
    }

    void throwIfAny(Class<?> struct) {
        if (!found.isEmpty()) {
            List<String> all = new ArrayList<>(found);
            throw new StructDefinitionException(struct, all);
        }
    }
}
