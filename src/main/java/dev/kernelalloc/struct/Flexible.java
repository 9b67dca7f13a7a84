package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Declares a flexible array member, {@code type name[]} in C: the last member of an interface, with
 * as many elements as the memory behind the struct has room for. It adds nothing to the size of the
 * struct; a {@link Length} gives the lengths of its inner dimensions.
 *
 * @see StructType#byteSize(long)
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.RECORD_COMPONENT})
public @interface Flexible {}
