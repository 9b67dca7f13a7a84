/**
 * Copying, filling and comparing memory of any size, with safepoint polls in between; and the room
 * that first uses need. Internal, and below everything else: it needs only {@code java.base}.
 */
@NullMarked
package dev.kernelalloc.bulk;

import org.jspecify.annotations.NullMarked;
