/** What this host can do for native memory, and where memory comes to lie, at the shell. */
@NullMarked
package dev.kernelalloc.cli;

import org.jspecify.annotations.NullMarked;
