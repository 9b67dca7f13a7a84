/** Compares the library's API with a baseline. */
@NullMarked
package dev.kernelalloc.compatibility;

import org.jspecify.annotations.NullMarked;
