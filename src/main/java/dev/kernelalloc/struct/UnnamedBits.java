package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Stands at the member that follows an unnamed bit-field: {@code int : 5;} leaves a gap of five
 * bits, and {@code int : 0;} makes the next member begin in a new unit.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface UnnamedBits {

    /** The width in bits; 0 ends the current unit. */
    int value();

    /**
     * The declared type: {@code boolean}, {@code byte}, {@code short}, {@code char}, {@code int} or
     * {@code long}.
     */
    Class<?> type() default int.class;
}
