/** Makes the project's site: pages from Markdown, charts from the results of the benchmarks. */
@NullMarked
package dev.kernelalloc.site;

import org.jspecify.annotations.NullMarked;
