/**
 * The operating system behind one small interface, {@link dev.kernelalloc.os.OperatingSystem}: one
 * class per platform, chosen once. Internal.
 *
 * <p>Every native call of the library is made here, and so is every restricted one. Addresses are
 * plain {@code long}s, sizes are in bytes, and a call that the system refuses throws a {@link
 * dev.kernelalloc.os.Refusal} with the request, the finding and the remedy.
 */
@NullMarked
package dev.kernelalloc.os;

import org.jspecify.annotations.NullMarked;
