/**
 * The operating system behind one small interface, {@link dev.kernelalloc.os.OperatingSystem}: one
 * class a platform, chosen once. Internal.
 *
 * <p>Every native call of the library is made here, and so is every restricted one. Addresses are
 * plain {@code long}s, sizes are bytes, and a call that the system refuses throws a {@link
 * dev.kernelalloc.os.Refusal} that says what was asked, what was found and what to do.
 */
@NullMarked
package dev.kernelalloc.os;

import org.jspecify.annotations.NullMarked;
