/** Values that say where memory lies: addresses, frames, and what is promised of them. */
@NullMarked
package dev.kernelalloc.physical;

import org.jspecify.annotations.NullMarked;
