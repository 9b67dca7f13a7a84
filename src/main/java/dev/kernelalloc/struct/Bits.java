package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Declares a bit-field. Its declared type is the C type of the Java type, or of {@link C}; it
 * determines the position of the bits, by the rules of the platform (System V or Windows).
 *
 * <p>A value that does not fit into the bits is refused with an {@link IllegalArgumentException}. A
 * write touches no byte outside the bit-field, and it is not atomic with respect to its neighbours
 * in the same byte.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Bits {

    /**
     * Returns the width in bits, from 1 to the size of the declared type.
     *
     * @return the width
     */
    int value();

    /**
     * Returns whether the topmost bit is a sign. A field as wide as its Java type has the sign of
     * the Java type.
     *
     * @return true for a signed field
     */
    boolean signed() default false;
}
