package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * How a record or an interface is laid out, where the rules of C alone do not say it. Every value
 * left at its default changes nothing, so a struct laid out by the rules alone needs no annotation.
 *
 * @see Union
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Struct {

    /**
     * Raises the alignment, in bytes: a power of two. 0 leaves the alignment that follows from the
     * members. {@code __attribute__((aligned(n)))} in C.
     */
    long align() default 0;

    /**
     * The size in bytes, where it is larger than the members need: a block of device registers ends
     * where its data sheet says. 0 leaves the size that follows from the members.
     */
    long size() default 0;

    /**
     * Places members without padding and with alignment 1, bit-fields without regard to their
     * units. {@code __attribute__((packed))} in C. A nested struct keeps its own inner layout.
     */
    boolean packed() default false;

    /**
     * The byte order of members without an {@link Order} of their own. Not inherited by nested
     * structs.
     */
    Endian order() default Endian.NATIVE;
}
