package dev.kernelalloc;

import dev.kernelalloc.os.NativeMemory;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * The accesses that generated code makes to the memory of a box: handles that take the box and
 * check it.
 *
 * <p>Generated classes belong to the modules of their users, whose code can call their private
 * methods and read their fields through a private lookup. They therefore hold no segment of other
 * memory. They hold these handles as class data, which only the original lookup of the class can
 * read, and call them with {@code this}. A handle checks that the box is open and belongs to the
 * calling thread, and that the offset is one that boxes of that class have.
 */
final class BoxAccess {

    private static final MethodHandle AT;

    static {
        try {
            AT =
                    MethodHandles.lookup()
                            .findStatic(
                                    ConfinedBox.class,
                                    "at",
                                    MethodType.methodType(
                                            long.class, ConfinedBox.class, long.class, long.class));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private BoxAccess() {}

    /**
     * Turns an access of a segment into one of a box.
     *
     * @param access {@code (MemorySegment, long offset, …)}; it calls nothing that is not the
     *     library's or the JDK's between the first and the last touch of memory
     * @param offsets that are possible, from 0 on, in a box of the class that will call it
     * @return {@code (ConfinedBox, long offset, …)}
     */
    static MethodHandle of(MethodHandle access, long offsets) {
        MethodHandle absolute = MethodHandles.insertArguments(access, 0, NativeMemory.EVERYTHING);
        return MethodHandles.collectArguments(
                absolute, 0, MethodHandles.insertArguments(AT, 2, offsets));
    }
}
