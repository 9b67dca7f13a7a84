package dev.kernelalloc.struct;

import java.lang.invoke.VarHandle;
import java.lang.reflect.Method;

/** One abstract method of an interface, and what it does to its member. */
record Accessor(Method method, Action action) {

    sealed interface Action {}

    /** An action that every member has. */
    enum Ordinary implements Action {
        /** Reads one value; the parameters are indexes. */
        GET,
        /** Writes one value, the last parameter, behind the indexes. */
        SET,
        /** Copies a whole array out. */
        GET_ARRAY,
        /** Copies a whole array in. */
        SET_ARRAY,
        /** The memory of a whole array. */
        SLICE
    }

    /** An operation of {@link VarHandle}; the parameters are indexes, then its arguments. */
    record Operation(VarHandle.AccessMode mode) implements Action {}
}
