/**
 * Allocators, and the boxes that own what they hand out.
 *
 * <p>Unless a method states otherwise, a null argument throws a {@link NullPointerException}.
 */
@NullMarked
package dev.kernelalloc;

import org.jspecify.annotations.NullMarked;
