/**
 * Hash maps in native memory: {@link dev.kernelalloc.map.NativeMap} is the place to start.
 *
 * <p>Unless a method states otherwise, a null argument throws a {@link NullPointerException}.
 */
@NullMarked
package dev.kernelalloc.map;

import org.jspecify.annotations.NullMarked;
