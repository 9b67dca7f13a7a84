/** The blocks behind every allocator, their owners and the registry of allocators. */
@NullMarked
package dev.kernelalloc.core;

import org.jspecify.annotations.NullMarked;
