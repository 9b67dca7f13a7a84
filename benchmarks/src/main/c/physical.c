/* Physical memory as C programs have it: the table of SPDK, and the system calls that prepare memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "program.h"

#define HUGE_SHIFT 21
#define GIB_SHIFT 30
#define ADDRESS_BITS 48
#define UNKNOWN UINT64_MAX
#define LOOK_UPS 1024
#define PAGE_BYTES 4096

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* As spdk_mem_map_translate: a table of 1 GiB each, with an entry of 2 MiB each; every step is checked. */
static uint64_t *by_gib[1 << (ADDRESS_BITS - GIB_SHIFT)];

__attribute__((noinline)) static uint64_t translate(uint64_t address) {
    if (address >> ADDRESS_BITS) {
        return UNKNOWN;
    }
    uint64_t *by_huge_page = by_gib[address >> GIB_SHIFT];
    if (!by_huge_page) {
        return UNKNOWN;
    }
    uint64_t start = by_huge_page[address >> HUGE_SHIFT & 511];
    return start == UNKNOWN ? UNKNOWN : start + (address & ((1ull << HUGE_SHIFT) - 1));
}

/* The same random numbers as LookUpBenchmark.java; which frames the table has makes no difference. */
static double nanos_a_look_up(uint64_t base, uint64_t bytes, long millis) {
    uint64_t random = 1;
    uint64_t sum = 0;
    uint64_t times = 0;
    uint64_t before = now_nanos();
    uint64_t end = before + millis * 1000000ull;
    uint64_t now;
    do {
        for (int i = 0; i < LOOK_UPS; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            sum += translate(base + (random >> 20 & (bytes - 1)));
        }
        times += LOOK_UPS;
        now = now_nanos();
    } while (now < end);
    use(sum);
    return (double) (now - before) / times;
}

void run_translate(void) {
    uint64_t bytes = number_argument("bytes");
    uint64_t base = 0x7f1240000000;
    for (uint64_t at = 0; at < bytes; at += 1ull << HUGE_SHIFT) {
        uint64_t address = base + at;
        if (!by_gib[address >> GIB_SHIFT]) {
            by_gib[address >> GIB_SHIFT] = malloc(512 * sizeof(uint64_t));
            memset(by_gib[address >> GIB_SHIFT], 0xff, 512 * sizeof(uint64_t));
        }
        by_gib[address >> GIB_SHIFT][address >> HUGE_SHIFT & 511] = 0x100000000 + at;
    }
    nanos_a_look_up(base, bytes, number_argument("warmup"));
    print_figure("NANOS", nanos_a_look_up(base, bytes, number_argument("millis")));
}

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* Maps, populates and locks memory, and reads its page map. */
static void prepare(uint64_t bytes, int pool, uint64_t *entries) {
    int flags = pool ? MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB : MAP_PRIVATE | MAP_ANONYMOUS;
    uint64_t surplus = pool ? 0 : 1ull << HUGE_SHIFT;
    char *mapped = mmap(NULL, bytes + surplus, PROT_READ | PROT_WRITE, flags, -1, 0);
    require(mapped != MAP_FAILED, "mmap");
    uint64_t start = ((uint64_t) mapped + surplus) & -(1ull << HUGE_SHIFT);
    require(pool || madvise((void *) start, bytes, MADV_HUGEPAGE) == 0, "madvise");
    require(madvise((void *) start, bytes, MADV_POPULATE_WRITE) == 0, "populate");
    require(mlock((void *) start, bytes) == 0, "mlock");
    int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    size_t length = bytes / PAGE_BYTES * sizeof *entries;
    require(pread(map, entries, length, start / PAGE_BYTES * sizeof *entries) == (ssize_t) length, "pread");
    close(map);
    require(munmap(mapped, bytes + surplus) == 0, "munmap");
}

static double nanos_a_preparation(uint64_t bytes, int pool, uint64_t *entries, long millis) {
    uint64_t times = 0;
    uint64_t before = now_nanos();
    uint64_t end = before + millis * 1000000ull;
    uint64_t now;
    do {
        prepare(bytes, pool, entries);
        times++;
        now = now_nanos();
    } while (now < end);
    return (double) (now - before) / times;
}

void run_prepare(void) {
    uint64_t bytes = number_argument("bytes");
    int pool = strcmp(text_argument("pages"), "pool") == 0;
    uint64_t *entries = malloc(bytes / PAGE_BYTES * sizeof *entries);
    nanos_a_preparation(bytes, pool, entries, number_argument("warmup"));
    print_figure("NANOS", nanos_a_preparation(bytes, pool, entries, number_argument("millis")));
}
