/*
 * The same under their own names, for dlsym(3), which passes those of libc_malloc_debug.so.0 over:
 * they carry an old version. To be preloaded behind it.
 */
#include <stddef.h>

void *checked_malloc(size_t bytes);
void *checked_calloc(size_t count, size_t bytes);
void *checked_realloc(void *block, size_t bytes);
void *checked_aligned_alloc(size_t alignment, size_t bytes);
void checked_free(void *block);

void *malloc(size_t bytes) { return checked_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return checked_calloc(count, bytes); }
void *realloc(void *block, size_t bytes) { return checked_realloc(block, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return checked_aligned_alloc(alignment, bytes); }
void free(void *block) { checked_free(block); }
