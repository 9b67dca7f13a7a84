package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Sets the offset of a member from the start of its struct, in bytes, for layouts from a data
 * sheet. The next member follows this one. Members must not overlap; use a {@link Union} for that.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Offset {

    /**
     * Returns the offset in bytes: a multiple of the alignment of the member, unless the struct is
     * packed.
     *
     * @return the offset
     */
    long value();
}
