package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Declares an unnamed bit-field in front of a member: {@code int : 5;} leaves a gap of five bits,
 * and {@code int : 0;} makes the member begin in a new unit.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface UnnamedBits {

    /**
     * Returns the width in bits; 0 ends the current unit.
     *
     * @return the width
     */
    int value();

    /**
     * Returns the declared type: {@code boolean}, {@code byte}, {@code short}, {@code char}, {@code
     * int} or {@code long}.
     *
     * @return the type
     */
    Class<?> type() default int.class;
}
