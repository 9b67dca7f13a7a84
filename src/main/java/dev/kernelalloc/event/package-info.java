/**
 * What the JDK's flight recorder is told of: a class for each kind of thing that happens in an
 * allocator. They are public for programs that read recordings; only the library commits them.
 *
 * <p>The package needs the module {@code jdk.jfr}. The library does not: where that is missing,
 * nothing here is loaded and everything else works.
 */
@NullMarked
package dev.kernelalloc.event;

import org.jspecify.annotations.NullMarked;
