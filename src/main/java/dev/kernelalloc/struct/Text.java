package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Sets how a fixed-length character array is read and written as a {@code String}. Without this
 * annotation it is {@code UTF-8} with a terminator.
 *
 * <p>Reading stops at the first NUL, or at the end of the array. Writing fills the rest of the
 * array with NULs; a string that contains NUL, has a character outside the charset, or is too long
 * is refused with an {@link IllegalArgumentException}, and the memory is unchanged.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Text {

    /**
     * Returns the name of the charset. In {@code UTF-16} and {@code UTF-32} a character takes 2 and
     * 4 bytes in the byte order of the member, without a byte order mark; in all others it takes at
     * least one byte.
     *
     * @return the name
     */
    String charset() default "UTF-8";

    /**
     * Returns whether a NUL must follow the text, as C string functions expect.
     *
     * @return true for a terminated text
     */
    boolean terminated() default true;
}
