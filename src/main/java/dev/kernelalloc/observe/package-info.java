/**
 * The management bean of an allocator.
 *
 * <p>Needs the module {@code java.management}; the rest of the library does not.
 */
@NullMarked
package dev.kernelalloc.observe;

import org.jspecify.annotations.NullMarked;
