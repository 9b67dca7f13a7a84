/**
 * A command line for native memory: the capabilities of this host, and the physical layout of
 * memory.
 */
@NullMarked
package dev.kernelalloc.cli;

import org.jspecify.annotations.NullMarked;
