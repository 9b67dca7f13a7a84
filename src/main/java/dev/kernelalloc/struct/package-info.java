/**
 * The layout of values in native memory: C structs described by Java records and interfaces.
 *
 * <p>Start at {@link dev.kernelalloc.struct.StructType}. The annotations express what a Java
 * declaration cannot: lengths, alignments, bit-fields, byte order.
 *
 * <p>Unless a method states otherwise, a null argument throws a {@link NullPointerException}.
 */
@NullMarked
package dev.kernelalloc.struct;

import org.jspecify.annotations.NullMarked;
