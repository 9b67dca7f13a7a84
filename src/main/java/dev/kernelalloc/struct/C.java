package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Sets the C type of an integer member if it differs from the one of its Java type: a type whose
 * size depends on the platform, or an unsigned type read into a wider Java type. The Java type must
 * have room for every value of the C type on every platform; writing a value that the C type cannot
 * hold is refused with an {@link IllegalArgumentException}.
 *
 * <p>On a {@code boolean} it is {@link CType#UNSIGNED_INT} or {@link CType#UNSIGNED_CHAR}, for the
 * truth values of C code that does not use {@code _Bool}: any value but 0 reads as true, and true
 * is written as 1.
 *
 * <p>On an enum it is the type that the enum is stored in ({@code int} without this annotation), on
 * a bit-field its declared type.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface C {

    /**
     * Returns the C type.
     *
     * @return the type
     */
    CType value();
}
