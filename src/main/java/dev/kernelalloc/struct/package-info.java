/**
 * The layout of values in native memory: C structs described by Java records and interfaces.
 *
 * <p>Start at {@link dev.kernelalloc.struct.StructType}. The annotations express what a Java
 * declaration cannot: lengths, alignments, bit-fields, byte order.
 */
@NullMarked
package dev.kernelalloc.struct;

import org.jspecify.annotations.NullMarked;
