package dev.kernelalloc.struct;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Makes a method of an interface an atomic operation on a member. The operation is the one of
 * {@link java.lang.invoke.VarHandle} with which the name of the method begins; indexes of an array
 * come first, then the arguments of the operation.
 *
 * {@snippet lang = java :
 * int count();
 * @Atomic("count") int getAndAddCount(int delta);
 * @Atomic("count") boolean compareAndSetCount(int expected, int value);
 * @Atomic("count") void setReleaseCount(int value);
 * }
 *
 * <p>Reads and writes in a mode work on every aligned member of a primitive type or pointer; {@code
 * compareAndSet} and {@code getAndSet} with their kin on {@code int}, {@code long}, {@code float},
 * {@code double} and pointers; {@code getAndAdd} and {@code getAndBitwise…} on {@code int} and
 * {@code long}.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface Atomic {

    /**
     * Returns the name of the member.
     *
     * @return the name
     */
    String value();
}
