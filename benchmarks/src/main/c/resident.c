/* Memory that stays, and memory that is wasted: Retained.java, Churn.java and Waste.java. */
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "program.h"
#include "threads.h"

static double resident_mebibytes(void) {
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    long kibibytes = -1;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %ld", &kibibytes) == 1) {
            break;
        }
    }
    if (kibibytes < 0) {
        fprintf(stderr, "no VmRSS in /proc/self/status\n");
        exit(1);
    }
    fclose(file);
    return kibibytes / 1024.0;
}

/* ---- retained -------------------------------------------------------------------------------- */

#define THREADS 4
#define BYTES_A_THREAD ((1ul << 30) / THREADS)
#define WARMING_BYTES (1ul << 20)
#define WARMING_TIMES 100
#define STRIDE 7919
#define NEXT_CALL_MILLIS 200

enum freeing { BUSY, IDLE, DEAD };

static enum freeing freeing;
static pthread_barrier_t together;

typedef struct {
    Random random;
    void **blocks;
} Owner;

static size_t allocate_all(Owner *owner, size_t bytes) {
    size_t count = 0;
    for (size_t taken = 0; taken < bytes; count++) {
        uint32_t size = mix_sizes[next(&owner->random) & (MIX_DRAWS - 1)];
        owner->blocks[count] = allocate_touched(size, NATURAL_ALIGNMENT, count);
        taken += size;
    }
    if (count % STRIDE == 0) {
        free(owner->blocks[--count]);
    }
    return count;
}

static void free_all(Owner *owner, size_t count) {
    for (size_t i = 0; i < count; i++) {
        use(read_and_free(owner->blocks[i * STRIDE % count]));
    }
}

static void *retain(void *state) {
    Owner *owner = state;
    for (int i = 0; i < WARMING_TIMES; i++) {
        free_all(owner, allocate_all(owner, WARMING_BYTES));
    }
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    size_t count = allocate_all(owner, BYTES_A_THREAD);
    pthread_barrier_wait(&together);
    free_all(owner, count);
    pthread_barrier_wait(&together);
    switch (freeing) {
    case DEAD:
        break;
    case IDLE:
        while (!stopped()) {
            pause();
        }
        break;
    case BUSY:
        while (!stopped()) {
            free(allocate_touched(64, NATURAL_ALIGNMENT, 0));
        }
        break;
    }
    return NULL;
}

static enum freeing read_freeing(void) {
    const char *text = text_argument("freeing");
    return strcmp(text, "BUSY") == 0 ? BUSY : strcmp(text, "IDLE") == 0 ? IDLE : DEAD;
}

/* Tables that malloc does not see, and that are resident from the start, as in the fixed heap of a JVM. */
static void *table(size_t bytes) {
    void *pages = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED) {
        fprintf(stderr, "no memory for tables\n");
        exit(1);
    }
    return pages;
}

void run_retained(void) {
    Owner owners[THREADS];
    pthread_t threads[THREADS];
    read_mix();
    freeing = read_freeing();
    pthread_barrier_init(&together, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        owners[i] = (Owner) {random_of(i), table(BYTES_A_THREAD / 128 * sizeof(void *))};
        threads[i] = start_thread(retain, &owners[i]);
    }
    pthread_barrier_wait(&together); /* warm */
    trim_allocator();
    double start = resident_mebibytes();
    pthread_barrier_wait(&together); /* begin */
    pthread_barrier_wait(&together); /* all alive */
    pthread_barrier_wait(&together); /* all free */
    for (int i = 0; i < THREADS && freeing == DEAD; i++) {
        pthread_join(threads[i], NULL);
    }
    sleep_millis(number_argument("settle"));
    print_figure("RETAINED", resident_mebibytes() - start);
    trim_allocator();
    sleep_millis(NEXT_CALL_MILLIS);
    print_figure("TRIMMED", resident_mebibytes() - start);
    atomic_store(&stop, true);
}

/* ---- churn ----------------------------------------------------------------------------------- */

#define CHURN_THREADS 1000
#define CHURN_TIMES 10
#define CHURN_AT_ONCE 8
#define CHURN_BLOCKS 100
#define CHURN_SETTLE_MILLIS 500

static void *allocate_and_free(void *seed) {
    Random random = random_of((uintptr_t) seed);
    void *blocks[CHURN_BLOCKS];
    for (int slot = 0; slot < CHURN_BLOCKS; slot++) {
        uint32_t size = mix_sizes[next(&random) & (MIX_DRAWS - 1)];
        blocks[slot] = allocate_touched(size, NATURAL_ALIGNMENT, slot);
    }
    for (int slot = 0; slot < CHURN_BLOCKS; slot++) {
        use(read_and_free(blocks[slot]));
    }
    return NULL;
}

static void live(uintptr_t count) {
    pthread_t alive[CHURN_AT_ONCE];
    for (uintptr_t i = 0; i < count; i += CHURN_AT_ONCE) {
        for (uintptr_t j = 0; j < CHURN_AT_ONCE; j++) {
            alive[j] = start_thread(allocate_and_free, (void *) (i + j));
        }
        for (int j = 0; j < CHURN_AT_ONCE; j++) {
            pthread_join(alive[j], NULL);
        }
    }
}

void run_churn(void) {
    read_mix();
    live(CHURN_THREADS);
    sleep_millis(CHURN_SETTLE_MILLIS);
    double few = resident_mebibytes();
    live(CHURN_THREADS * CHURN_TIMES);
    sleep_millis(CHURN_SETTLE_MILLIS);
    print_figure("GROWN", resident_mebibytes() - few);
}

/* ---- mixes ----------------------------------------------------------------------------------- */

#define MIXES_LIVE_BYTES (24ul << 20)
#define MIXES_TURNOVERS 3
#define MIXES_WARMING_SHARE 8 /* as in Java, where it compiles */
#define MIXES_LEAST_BYTES 16
#define MIXES_SETTLE_MILLIS 1000
#define MIXES_MOST_BLOCKS (MIXES_LIVE_BYTES / MIXES_LEAST_BYTES + 1)

static const int mixes_shifts[] = {0, 6, 1, 7, 2, 8, 3, 5, 0, 8, 4, 1, 7, 3};

typedef struct {
    void *block;
    uint32_t size;
} Sized;

static double worst_of_mixes(Random *random, Sized *blocks, size_t most, double start) {
    uint32_t count = 0;
    size_t live = 0;
    double worst = 0;
    for (size_t i = 0; i < sizeof mixes_shifts / sizeof *mixes_shifts; i++) {
        uint32_t least = MIXES_LEAST_BYTES << mixes_shifts[i];
        for (size_t allocated = 0; allocated < MIXES_TURNOVERS * most;) {
            uint32_t size = (least + below(random, 3 * least)) & -8;
            while (live + size > most) {
                uint32_t at = below(random, count);
                live -= blocks[at].size;
                use(read_and_free(blocks[at].block));
                blocks[at] = blocks[--count];
            }
            blocks[count] = (Sized) {allocate_touched(size, NATURAL_ALIGNMENT, count), size};
            count++;
            live += size;
            allocated += size;
        }
        double resident = resident_mebibytes() - start;
        double ratio = resident * (1 << 20) / most;
        worst = ratio > worst ? ratio : worst;
    }
    while (count > 0) {
        use(read_and_free(blocks[--count].block));
    }
    trim_allocator();
    sleep_millis(MIXES_SETTLE_MILLIS);
    return worst;
}

void run_mixes(void) {
    Random random = random_of(0);
    Sized *blocks = table(MIXES_MOST_BLOCKS * sizeof *blocks);
    worst_of_mixes(&random, blocks, MIXES_LIVE_BYTES / MIXES_WARMING_SHARE, 0);
    double start = resident_mebibytes();
    print_figure("SPREAD", worst_of_mixes(&random, blocks, MIXES_LIVE_BYTES, start));
    print_figure("TRIMMED", resident_mebibytes() - start);
}

/* ---- waste ----------------------------------------------------------------------------------- */

#define WASTE_MOST_BYTES (256ul << 10)
#define WASTE_SMALL_BYTES 1024
#define WASTE_BLOCKS 64

static int compare(const void *a, const void *b) {
    uintptr_t left = *(const uintptr_t *) a;
    uintptr_t right = *(const uintptr_t *) b;
    return (left > right) - (left < right);
}

static double waste(size_t size, size_t alignment) {
    uintptr_t addresses[WASTE_BLOCKS];
    uintptr_t gaps[WASTE_BLOCKS - 1];
    for (int i = 0; i < WASTE_BLOCKS; i++) {
        addresses[i] = (uintptr_t) allocate(size, alignment);
    }
    qsort(addresses, WASTE_BLOCKS, sizeof *addresses, compare);
    for (int i = 0; i + 1 < WASTE_BLOCKS; i++) {
        gaps[i] = addresses[i + 1] - addresses[i];
    }
    qsort(gaps, WASTE_BLOCKS - 1, sizeof *gaps, compare);
    for (int i = 0; i < WASTE_BLOCKS; i++) {
        free((void *) addresses[i]);
    }
    size_t least = (size + alignment - 1) & -alignment;
    size_t occupied = gaps[(WASTE_BLOCKS - 1) / 2];
    return ((double) occupied - least) / (size > alignment ? size : alignment);
}

void run_waste(void) {
    static const size_t alignments[] = {16, 64, 4096};
    double small = 0;
    double large = 0;
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        for (size_t size = 16; size <= WASTE_MOST_BYTES;
             size = size < 256 ? size + 1 : size + size / 65 + 1) {
            double wasted = waste(size, alignments[i]);
            double *most = size > WASTE_SMALL_BYTES ? &large : &small;
            *most = wasted > *most ? wasted : *most;
        }
    }
    print_figure("WASTE", 100 * (small > large ? small : large));
    print_figure("WASTE_ABOVE_1K", 100 * large);
}
