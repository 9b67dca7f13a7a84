/** Values that describe the physical location of memory: addresses, frames, and guarantees. */
@NullMarked
package dev.kernelalloc.physical;

import org.jspecify.annotations.NullMarked;
