/**
 * Blocks: where they come from ({@link dev.kernelalloc.heap.BlockSource}) and which are alive
 * ({@link dev.kernelalloc.heap.LiveBlocks}). One for all allocators. Internal.
 */
@NullMarked
package dev.kernelalloc.heap;

import org.jspecify.annotations.NullMarked;
