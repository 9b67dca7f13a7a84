/**
 * Netty's buffers in memory of a {@link dev.kernelalloc.KernelAllocator}: {@link
 * dev.kernelalloc.netty.KernelByteBufAllocator}.
 */
@NullMarked
package dev.kernelalloc.netty;

import org.jspecify.annotations.NullMarked;
