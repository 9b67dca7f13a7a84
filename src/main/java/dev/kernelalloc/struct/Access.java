package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Sets how a member is read and written if its memory is shared with other threads, other processes
 * or a device. The member must be one that a single machine instruction can access, and aligned.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Access {

    /**
     * Returns the mode of every access through the accessors of the member.
     *
     * @return the mode
     */
    MemoryOrder value();
}
