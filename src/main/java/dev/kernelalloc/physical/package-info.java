/**
 * Values that describe the physical location of memory: addresses, frames, and guarantees.
 *
 * <p>Unless a method states otherwise, a null argument throws a {@link NullPointerException}.
 */
@NullMarked
package dev.kernelalloc.physical;

import org.jspecify.annotations.NullMarked;
