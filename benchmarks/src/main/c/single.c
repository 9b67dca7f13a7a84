/* Work on one thread: OneBlockBenchmark, RingBenchmark, ReplaceBenchmark and ArenaBenchmark. */
#include "memory.h"
#include "program.h"

/* The clock is read once for so many operations. */
#define OPERATIONS_A_LOOK 1000

/* A loop that does a number of operations; what it returns is used. */
typedef uint64_t (*Loop)(long operations);

static double nanos_an_operation(Loop loop, long millis, long operations_a_look) {
    uint64_t before = now_nanos();
    uint64_t end = before + millis * 1000000ull;
    uint64_t operations = 0;
    uint64_t now;
    do {
        use(loop(operations_a_look));
        operations += operations_a_look;
        now = now_nanos();
    } while (now < end);
    return (double) (now - before) / operations;
}

static void measure(Loop loop, long operations_a_look) {
    long millis = number_argument("millis");
    nanos_an_operation(loop, millis / 2, operations_a_look); /* to warm up */
    print_figure("NANOS", nanos_an_operation(loop, millis, operations_a_look));
}

/* ---- one block ------------------------------------------------------------------------------- */

static size_t size;
static size_t alignment;
static uint64_t value;

static uint64_t touch_and_free(char *block, size_t block_size) {
    touch(block, block_size, value);
    uint64_t sum = get(block) + get(block + block_size - sizeof value);
    keep_writes(block);
    free(block);
    value++;
    return sum;
}

static uint64_t one(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i++) {
        sum += touch_and_free(allocate(size, alignment), size);
    }
    return sum;
}

static uint64_t one_zeroed(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i++) {
        char *block = calloc(1, size);
        sum += get(block) + get(block + size - sizeof value);
        sum += touch_and_free(block, size);
    }
    return sum;
}

void run_one(void) {
    size = number_argument("size");
    alignment = number_argument("alignment");
    measure(number_argument("zeroed") ? one_zeroed : one, OPERATIONS_A_LOOK);
}

/* ---- live blocks ----------------------------------------------------------------------------- */

#define RING 64

static void **slots;
static uint32_t count;
static Random numbers;

static uint64_t ring(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i++) {
        uint64_t slot = value & (RING - 1);
        sum += read_and_free(slots[slot]);
        slots[slot] = allocate_touched(size, alignment, value++);
    }
    return sum;
}

void run_ring(void) {
    size = number_argument("size");
    alignment = number_argument("alignment");
    slots = calloc(RING, sizeof *slots);
    for (int slot = 0; slot < RING; slot++) {
        slots[slot] = allocate_touched(size, alignment, slot);
    }
    measure(ring, OPERATIONS_A_LOOK);
}

static uint64_t burst(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i += RING) {
        for (int slot = 0; slot < RING; slot++) {
            slots[slot] = allocate_touched(size, alignment, value++);
        }
        for (int slot = 0; slot < RING; slot++) {
            sum += read_and_free(slots[slot]);
        }
    }
    return sum;
}

void run_burst(void) {
    size = number_argument("size");
    alignment = number_argument("alignment");
    slots = calloc(RING, sizeof *slots);
    measure(burst, RING * (OPERATIONS_A_LOOK / RING));
}

static void *mixed(void) {
    return allocate_touched(mix_sizes[next(&numbers) & (MIX_DRAWS - 1)], NATURAL_ALIGNMENT, value++);
}

static uint64_t replace(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i++) {
        uint32_t slot = below(&numbers, count);
        sum += read_and_free(slots[slot]);
        slots[slot] = mixed();
    }
    return sum;
}

void run_replace(void) {
    read_mix();
    count = number_argument("count");
    numbers = random_of(0);
    slots = calloc(count, sizeof *slots);
    for (uint32_t slot = 0; slot < count; slot++) {
        slots[slot] = mixed();
    }
    measure(replace, OPERATIONS_A_LOOK);
}

/* ---- several that are freed together: what C has for an arena ---------------------------------- */

static uint64_t batches(long operations) {
    uint64_t sum = 0;
    for (long i = 0; i < operations; i++) {
        for (uint32_t slot = 0; slot < count; slot++) {
            char *block = calloc(1, size);
            touch(block, size, value);
            sum += get(block) + get(block + size - sizeof value);
            keep_writes(block);
            value++;
            slots[slot] = block;
        }
        for (uint32_t slot = 0; slot < count; slot++) {
            free(slots[slot]);
        }
    }
    return sum;
}

void run_batch(void) {
    count = number_argument("count");
    size = number_argument("size");
    slots = calloc(count, sizeof *slots);
    measure(batches, OPERATIONS_A_LOOK / count);
}
