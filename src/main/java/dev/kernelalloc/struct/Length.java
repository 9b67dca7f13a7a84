package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The lengths of an inline array, outermost dimension first, in elements; every length is positive.
 *
 * <p>In a record the member is a Java array of as many dimensions. In an interface it is either a
 * Java array, which is a copy, or a pair of accessors that take one {@code int} or {@code long}
 * index for each dimension and touch one element:
 *
 * {@snippet lang = java :
 * @Length({3, 4}) float cell(int row, int column);
 * void cell(int row, int column, float value);
 * }
 *
 * <p>A {@code String} takes one dimension more than its Java type shows, the number of characters;
 * so does a {@code MemorySegment} of inline bytes. A {@code MemorySegment} with no dimension to
 * spare is a pointer: {@code @Length(4) MemorySegment[]} are four pointers, {@code @Length({4, 16})
 * MemorySegment[]} are four times sixteen bytes.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Length {

    /**
     * Returns the lengths, in elements.
     *
     * @return the lengths
     */
    long[] value();
}
