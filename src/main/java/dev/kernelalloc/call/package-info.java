/**
 * What calls of C functions need beside {@link java.lang.foreign.Linker}: memory for out-parameters
 * with the type of what C writes there.
 *
 * <p>The guide {@code docs/calling-c.md} shows calls of C libraries with structs of {@link
 * dev.kernelalloc.struct}.
 *
 * <p>Unless a method states otherwise, a null argument throws a {@link NullPointerException}.
 */
@NullMarked
package dev.kernelalloc.call;

import org.jspecify.annotations.NullMarked;
