/** Finds owners that can no longer be closed, and records events. */
@NullMarked
package dev.kernelalloc.leak;

import org.jspecify.annotations.NullMarked;
