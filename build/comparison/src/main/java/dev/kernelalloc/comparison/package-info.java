/** Compares this library with its peers: one JMH benchmark, run for each of them in turn. */
@NullMarked
package dev.kernelalloc.comparison;

import org.jspecify.annotations.NullMarked;
