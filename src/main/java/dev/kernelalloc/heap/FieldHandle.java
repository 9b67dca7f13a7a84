package dev.kernelalloc.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** Looks up the handles of fields that are accessed atomically, for static constants. */
final class FieldHandle {

    private FieldHandle() {}

    /**
     * Returns the handle of a field.
     *
     * @param lookup the lookup of the class that has or inherits the field
     * @param type the declared type of the field
     */
    static VarHandle of(MethodHandles.Lookup lookup, String name, Class<?> type) {
        try {
            return lookup.findVarHandle(lookup.lookupClass(), name, type);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }
}
