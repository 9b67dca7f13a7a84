/**
 * Arrays of numbers in native memory, one class for each primitive type: {@link
 * dev.kernelalloc.primitive.PrimitiveArray} is the place to start.
 */
@NullMarked
package dev.kernelalloc.primitive;

import org.jspecify.annotations.NullMarked;
