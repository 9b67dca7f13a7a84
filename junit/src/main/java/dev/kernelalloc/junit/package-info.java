/**
 * Gives each JUnit test an allocator of its own, and fails the tests that leak: {@link
 * dev.kernelalloc.junit.KernelAllocatorExtension}.
 */
@NullMarked
package dev.kernelalloc.junit;

import org.jspecify.annotations.NullMarked;
