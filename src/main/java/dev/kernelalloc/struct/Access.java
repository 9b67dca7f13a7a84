package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * How a member is read and written where its memory is shared with other threads, other processes
 * or a device. It stands on a member that one machine instruction can access, and that is aligned.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Access {

    /** The mode of every access through the accessors of the member. */
    AccessMode value();
}
