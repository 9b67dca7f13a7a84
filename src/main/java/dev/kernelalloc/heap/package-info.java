/**
 * The engine: {@link dev.kernelalloc.heap.SlabHeap} and its parts, hardened heaps, limits ({@link
 * dev.kernelalloc.heap.Budget}), the table of blocks that come straight from the C heap or the
 * kernel ({@link dev.kernelalloc.heap.LiveBlocks}), and the library's threads. Shared by all
 * allocators. Internal.
 */
@NullMarked
package dev.kernelalloc.heap;

import org.jspecify.annotations.NullMarked;
