package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Modifies the layout of a record or an interface where the rules of C alone do not determine it.
 * Default values change nothing, so a struct laid out by the rules alone needs no annotation.
 *
 * @see Union
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Struct {

    /**
     * Returns the minimum alignment in bytes, a power of two; 0 for the alignment that follows from
     * the members. {@code __attribute__((aligned(n)))} in C.
     *
     * @return the alignment
     */
    long align() default 0;

    /**
     * Returns the size in bytes, if it is larger than the members need, such as that of a block of
     * device registers in a data sheet; 0 for the size that follows from the members.
     *
     * @return the size
     */
    long size() default 0;

    /**
     * Returns whether members are placed without padding and with alignment 1, and bit-fields
     * without regard to their units. {@code __attribute__((packed))} in C. A nested struct keeps
     * its own inner layout.
     *
     * @return true for a packed struct
     */
    boolean packed() default false;

    /**
     * Returns the byte order of members without an {@link Order} of their own. Nested structs do
     * not inherit it.
     *
     * @return the order
     */
    Endian order() default Endian.NATIVE;
}
