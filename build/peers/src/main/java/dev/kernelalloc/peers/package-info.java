/** What peers of the library do, as docs/peers.md compares them. */
@NullMarked
package dev.kernelalloc.peers;

import org.jspecify.annotations.NullMarked;
