/** Facts about peers of the library, for docs/peers.md. */
@NullMarked
package dev.kernelalloc.peers;

import org.jspecify.annotations.NullMarked;
