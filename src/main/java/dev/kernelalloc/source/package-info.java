/**
 * Memory that a program supplies to an allocator: see {@link dev.kernelalloc.source.MemorySource}.
 */
@NullMarked
package dev.kernelalloc.source;

import org.jspecify.annotations.NullMarked;
