/**
 * Arrow's buffers in memory of a {@link dev.kernelalloc.KernelAllocator}: {@link
 * dev.kernelalloc.arrow.KernelAllocationManagerFactory}.
 */
@NullMarked
package dev.kernelalloc.arrow;

import org.jspecify.annotations.NullMarked;
