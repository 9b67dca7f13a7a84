package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Raises the alignment of a member. {@code __attribute__((aligned(n)))} or {@code _Alignas(n)} in
 * C.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Align {

    /**
     * Returns the alignment in bytes, a power of two.
     *
     * @return the alignment
     */
    long value();
}
