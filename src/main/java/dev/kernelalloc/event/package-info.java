/**
 * Events of the JDK's flight recorder: a class for each kind of event of an allocator. They are
 * public for programs that read recordings; only the library commits them.
 *
 * <p>The package needs the module {@code jdk.jfr}. The library does not: without the module,
 * nothing here is loaded and everything else works.
 */
@NullMarked
package dev.kernelalloc.event;

import org.jspecify.annotations.NullMarked;
