/* The same work as the benchmarks of physical memory in Java, over DPDK's memory; prints its figures. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "../memory.h"
#include "../program.h"

#define MEMORY_MIB "256"
#define LOOK_UPS 1024
#define BLOCKS 100000
#define BLOCK_BYTES 512
#define CACHE_LINE 64
#define ADDRESSED_BLOCKS 16384
#define ADDRESSED_BYTES 4096

static void require(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, rte_strerror(rte_errno));
        exit(1);
    }
}

/* Memory without devices, of this process alone, on any processor; physical addresses, not virtual ones. */
static void begin(const char *mebibytes) {
    char lcores[64];
    snprintf(lcores, sizeof lcores, "0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
    char *arguments[] = {
        "dpdk", "--in-memory", "--no-pci", "--no-telemetry", "--iova-mode=pa", "--log-level=error",
        "--lcores", lcores, "-m", (char *) mebibytes, NULL};
    int count = sizeof arguments / sizeof *arguments - 1;
    require(rte_eal_init(mebibytes ? count : count - 2, arguments) >= 0, "rte_eal_init");
}

/* Repeats a piece of work, a certain number of operations each time. */
static double nanos_each(void (*work)(void), uint64_t operations, long millis) {
    uint64_t times = 0;
    uint64_t before = now_nanos();
    uint64_t end = before + millis * 1000000ull;
    uint64_t now;
    do {
        work();
        times += operations;
        now = now_nanos();
    } while (now < end);
    return (double) (now - before) / times;
}

static void measure(void (*work)(void), uint64_t operations) {
    nanos_each(work, operations, number_argument("warmup"));
    print_figure("NANOS", nanos_each(work, operations, number_argument("millis")));
}

/* ---- addresses ---- */

static char *memory;
static uint64_t mask;
static uint64_t state = 1;

static uint64_t next_offset(void) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 20 & mask;
}

/* The look-up that rte_malloc_virt2iova makes, for a byte anywhere. */
static void of_segment(void) {
    uint64_t sum = 0;
    for (int i = 0; i < LOOK_UPS; i++) {
        char *at = memory + next_offset();
        const struct rte_memseg *segment = rte_mem_virt2memseg(at, NULL);
        sum += segment->iova + RTE_PTR_DIFF(at, segment->addr);
    }
    use(sum);
}

/* The function for any address: it asks the kernel. */
static void of_page_map(void) {
    uint64_t sum = 0;
    for (int i = 0; i < LOOK_UPS; i++) {
        sum += rte_mem_virt2iova(memory + next_offset());
    }
    use(sum);
}

static void run_addresses(void (*work)(void)) {
    uint64_t bytes = number_argument("bytes");
    char mebibytes[32];
    snprintf(mebibytes, sizeof mebibytes, "%lu", (unsigned long) (bytes >> 20) + 4);
    begin(mebibytes);
    memory = rte_malloc(NULL, bytes, CACHE_LINE);
    require(memory != NULL, "rte_malloc");
    /* A segment is a page, of 2 MiB or 1 GiB. */
    const struct rte_memseg *first = rte_mem_virt2memseg(memory, NULL);
    require(first->iova + RTE_PTR_DIFF(memory, first->addr) == rte_mem_virt2iova(memory), "two ways to an address");
    mask = bytes - 1;
    measure(work, LOOK_UPS);
}

static void *addressed[ADDRESSED_BLOCKS];

static void of_block(void) {
    uint64_t sum = 0;
    for (int i = 0; i < LOOK_UPS; i++) {
        sum += rte_malloc_virt2iova(addressed[next_offset()]);
    }
    use(sum);
}

static void run_block_address(void) {
    begin(MEMORY_MIB);
    for (int i = 0; i < ADDRESSED_BLOCKS; i++) {
        addressed[i] = rte_malloc(NULL, ADDRESSED_BYTES, CACHE_LINE);
        require(addressed[i] != NULL, "rte_malloc");
    }
    mask = ADDRESSED_BLOCKS - 1;
    measure(of_block, LOOK_UPS);
}

/* ---- preparing ---- */

static uint64_t prepared_bytes;

/* Nothing is preallocated, so the heap takes the pages from the system and releases them. */
static void prepare(void) {
    void *block = rte_malloc(NULL, prepared_bytes, 0);
    require(block != NULL, "rte_malloc");
    use(rte_malloc_virt2iova(block));
    rte_free(block);
}

static void run_prepare_heap(void) {
    begin(NULL);
    /* With the heap's own bytes, as many pages as the block in Java. */
    prepared_bytes = number_argument("bytes") - ADDRESSED_BYTES;
    measure(prepare, 1);
}

/* ---- blocks ---- */

static struct rte_mempool *pool;
static void *blocks[BLOCKS];

static void many_of_heap(void) {
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = rte_malloc(NULL, BLOCK_BYTES, CACHE_LINE);
        require(blocks[i] != NULL, "rte_malloc");
        put(blocks[i], i);
    }
    for (int i = 0; i < BLOCKS; i++) {
        rte_free(blocks[i]);
    }
}

static void many_of_pool(void) {
    for (int i = 0; i < BLOCKS; i++) {
        require(rte_mempool_get(pool, &blocks[i]) == 0, "rte_mempool_get");
        put(blocks[i], i);
    }
    for (int i = 0; i < BLOCKS; i++) {
        rte_mempool_put(pool, blocks[i]);
    }
}

static void run_many_heap(void) {
    begin(MEMORY_MIB);
    measure(many_of_heap, BLOCKS);
}

static void run_many_pool(void) {
    begin(MEMORY_MIB);
    pool = rte_mempool_create(
        "blocks", BLOCKS + RTE_MEMPOOL_CACHE_MAX_SIZE, BLOCK_BYTES, RTE_MEMPOOL_CACHE_MAX_SIZE, 0,
        NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
    require(pool != NULL, "rte_mempool_create");
    measure(many_of_pool, BLOCKS);
}

int main(int count, char **values) {
    const char *work = count > 1 ? values[1] : "";
    take_arguments(count, values);
    if (strcmp(work, "version") == 0) {
        printf("%s\n", rte_version());
    } else if (strcmp(work, "segment-address") == 0) {
        run_addresses(of_segment);
    } else if (strcmp(work, "page-map-address") == 0) {
        run_addresses(of_page_map);
    } else if (strcmp(work, "block-address") == 0) {
        run_block_address();
    } else if (strcmp(work, "prepare") == 0) {
        run_prepare_heap();
    } else if (strcmp(work, "many-heap") == 0) {
        run_many_heap();
    } else if (strcmp(work, "many-pool") == 0) {
        run_many_pool();
    } else {
        fprintf(stderr, "usage: dpdk work key=value ...\n");
        return 2;
    }
    return 0;
}
