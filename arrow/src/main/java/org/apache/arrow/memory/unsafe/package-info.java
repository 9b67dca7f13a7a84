/** Holds the one class that Arrow finds by its name, where it would find that of its own module. */
@NullMarked
package org.apache.arrow.memory.unsafe;

import org.jspecify.annotations.NullMarked;
