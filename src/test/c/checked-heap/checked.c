/*
 * The functions of the C heap as a program gets them that was linked against glibc: those of
 * libc_malloc_debug.so.0, when it is preloaded.
 */
#include <stdlib.h>

void *checked_malloc(size_t bytes) { return malloc(bytes); }
void *checked_calloc(size_t count, size_t bytes) { return calloc(count, bytes); }
void *checked_realloc(void *block, size_t bytes) { return realloc(block, bytes); }
void *checked_aligned_alloc(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }
void checked_free(void *block) { free(block); }
