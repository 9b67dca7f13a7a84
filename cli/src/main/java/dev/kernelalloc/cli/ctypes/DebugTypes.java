package dev.kernelalloc.cli.ctypes;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** The structs and unions that a file of debug information describes. */
public sealed interface DebugTypes permits Btf, Dwarf {

    /** Returns the names of all structs and unions that have one, sorted. */
    List<String> names();

    /**
     * Returns a struct or a union by its name.
     *
     * @throws IOException if its description is damaged, or is not in the file
     */
    Optional<CType.Compound> find(String name) throws IOException;
}
