/** Allocators, and the boxes that own what they hand out. */
@NullMarked
package dev.kernelalloc;

import org.jspecify.annotations.NullMarked;
