/** Pages of known place: mapped, populated, locked and resolved; a source of blocks. Internal. */
@NullMarked
package dev.kernelalloc.frames;

import org.jspecify.annotations.NullMarked;
