/** C structs out of debug information, and declarations in Java for them. */
@NullMarked
package dev.kernelalloc.cli.ctypes;

import org.jspecify.annotations.NullMarked;
