/** Hash maps in native memory: {@link dev.kernelalloc.map.NativeMap} is the place to start. */
@NullMarked
package dev.kernelalloc.map;

import org.jspecify.annotations.NullMarked;
