/**
 * Exports the statistics of allocators as meters of Micrometer: {@link
 * dev.kernelalloc.micrometer.AllocatorMetrics} and {@link dev.kernelalloc.micrometer.LeakMetrics}.
 */
@NullMarked
package dev.kernelalloc.micrometer;

import org.jspecify.annotations.NullMarked;
