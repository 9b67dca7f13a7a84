package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The offset of a member from the start of its struct, in bytes, for layouts that come from a data
 * sheet. The next member follows this one. Members may not overlap; that is what a {@link Union} is
 * for.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Offset {

    /**
     * The offset in bytes: a multiple of the alignment of the member, unless the struct is packed.
     */
    long value();
}
