/* Blocks as the benchmarks in Java use them: see Memory.java and Blocks.java, whose loops these are. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NATURAL_ALIGNMENT 16

static inline void *allocate(size_t size, size_t alignment) {
    void *block = alignment <= NATURAL_ALIGNMENT
        ? malloc(size)
        : aligned_alloc(alignment, (size + alignment - 1) & -alignment);
    if (!block) {
        fprintf(stderr, "no memory: size=%zu alignment=%zu\n", size, alignment);
        exit(1);
    }
    return block;
}

static inline uint64_t get(const char *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void put(char *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

/* Everything written to the block before has to be there; what is known of it may still be used, as in Java. */
static inline void keep_writes(void *block) {
    __asm__ volatile("" : : "r"(block) : "memory");
}

static inline void touch(char *block, size_t size, uint64_t value) {
    put(block, value);
    put(block + size - sizeof value, value);
}

static inline void *allocate_touched(size_t size, size_t alignment, uint64_t value) {
    char *block = allocate(size, alignment);
    touch(block, size, value);
    keep_writes(block);
    return block;
}

static inline uint64_t read_and_free(void *block) {
    uint64_t value = get(block);
    free(block);
    return value;
}

/* Marsaglia's xorshift, as Xorshift.java has it. */
typedef struct { uint64_t state; } Random;

static inline Random random_of(uint64_t seed) {
    return (Random) {(seed + 1) * 0x9E3779B97F4A7C15u | 1};
}

static inline uint64_t next(Random *random) {
    uint64_t x = random->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return random->state = x;
}

static inline uint32_t below(Random *random, uint32_t bound) {
    return (uint32_t) ((next(random) >> 33) * bound >> 31);
}

/* A result that the compiler must believe somebody wants. */
static inline void use(uint64_t value) {
    __asm__ volatile("" : : "r"(value));
}

#endif
