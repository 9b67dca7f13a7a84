/** Arenas over the blocks of an allocator. */
@NullMarked
package dev.kernelalloc.arena;

import org.jspecify.annotations.NullMarked;
