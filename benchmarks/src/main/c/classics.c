/* Larson.java, Xmalloc.java, CacheScratch.java and Mstress.java, whose comments say what they are. */
#define _GNU_SOURCE
#include <errno.h>
#include <time.h>

#include "memory.h"
#include "program.h"
#include "threads.h"

static void measure(void (*begin)(Worker *workers, int threads)) {
    int threads = number_argument("threads");
    long millis = number_argument("millis");
    Worker *workers = calloc(threads, sizeof *workers);
    begin(workers, threads);
    run_crew(workers, threads, millis / 2); /* to warm up */
    begin(workers, threads);
    print_figure("NANOS", run_crew(workers, threads, millis));
}

static void *mixed(Random *random, uint64_t value) {
    uint32_t size = mix_sizes[next(random) & (MIX_DRAWS - 1)];
    return allocate_touched(size, NATURAL_ALIGNMENT, value);
}

/* One thread after another, each with its share of the work. */
typedef struct {
    Work share;
    void *state;
} Generations;

static uint64_t generations(void *state) {
    Generations *all = state;
    uint64_t operations = 0;
    while (!stopped()) {
        operations += run_in_thread(all->share, all->state);
    }
    return operations;
}

static Worker generations_of(Work share, void *state) {
    Generations *all = malloc(sizeof *all);
    *all = (Generations) {share, state};
    return (Worker) {generations, all};
}

/* ---- larson ---------------------------------------------------------------------------------- */

#define CONNECTION_SLOTS 1000
#define CONNECTION_LEAST_BYTES 16
#define CONNECTION_MOST_BYTES 1000
#define CONNECTION_REPLACEMENTS 50000

typedef struct {
    Random random;
    void *blocks[CONNECTION_SLOTS];
} Connection;

static size_t connection_size(Connection *connection) {
    return CONNECTION_LEAST_BYTES
        + below(&connection->random, CONNECTION_MOST_BYTES - CONNECTION_LEAST_BYTES + 1);
}

static uint64_t serve(void *state) {
    Connection *connection = state;
    int done = 0;
    while (done < CONNECTION_REPLACEMENTS && !stopped()) {
        uint32_t slot = below(&connection->random, CONNECTION_SLOTS);
        uint64_t value = read_and_free(connection->blocks[slot]);
        connection->blocks[slot] =
            allocate_touched(connection_size(connection), 8, value + 1);
        done++;
    }
    return done;
}

static void begin_larson(Worker *workers, int threads) {
    for (int i = 0; i < threads; i++) {
        if (workers[i].work) {
            continue; /* it goes on with the blocks it has */
        }
        Connection *connection = calloc(1, sizeof *connection);
        connection->random = random_of(i);
        for (int slot = 0; slot < CONNECTION_SLOTS; slot++) {
            connection->blocks[slot] = allocate_touched(connection_size(connection), 8, slot);
        }
        workers[i] = generations_of(serve, connection);
    }
}

void run_larson(void) {
    measure(begin_larson);
}

/* ---- xmalloc --------------------------------------------------------------------------------- */

#define BATCH 1024
#define BATCHES_A_PAIR 8
#define LOOK_AGAIN_NANOS 5000000

static const uint16_t batch_sizes[16] = {
    16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 32, 48, 64, 96, 128
};

typedef struct {
    void *blocks[BATCH];
} Batch;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    int first;
    int count;
    Batch *batches[BATCHES_A_PAIR];
} Handover;

typedef struct {
    Random random;
    Handover empty;
    Handover full;
} Pair;

static void put_batch(Handover *handover, Batch *batch) {
    pthread_mutex_lock(&handover->lock);
    handover->batches[(handover->first + handover->count++) % BATCHES_A_PAIR] = batch;
    pthread_cond_signal(&handover->not_empty);
    pthread_mutex_unlock(&handover->lock);
}

/* NULL when told to stop. */
static Batch *take_batch(Handover *handover) {
    Batch *batch = NULL;
    pthread_mutex_lock(&handover->lock);
    while (!batch && !stopped()) {
        if (handover->count > 0) {
            batch = handover->batches[handover->first];
            handover->first = (handover->first + 1) % BATCHES_A_PAIR;
            handover->count--;
        } else {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += LOOK_AGAIN_NANOS;
            if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
            }
            pthread_cond_timedwait(&handover->not_empty, &handover->lock, &until);
        }
    }
    pthread_mutex_unlock(&handover->lock);
    return batch;
}

static uint64_t produce(void *state) {
    Pair *pair = state;
    Batch *batch;
    while ((batch = take_batch(&pair->empty))) {
        for (int slot = 0; slot < BATCH; slot++) {
            batch->blocks[slot] = allocate_touched(batch_sizes[next(&pair->random) & 15], 8, slot);
        }
        put_batch(&pair->full, batch);
    }
    return 0; /* a block is done when it has been freed */
}

static uint64_t consume(void *state) {
    Pair *pair = state;
    uint64_t operations = 0;
    Batch *batch;
    while ((batch = take_batch(&pair->full))) {
        for (int slot = 0; slot < BATCH; slot++) {
            use(read_and_free(batch->blocks[slot]));
        }
        operations += BATCH;
        put_batch(&pair->empty, batch);
    }
    return operations;
}

static void begin_handover(Handover *handover) {
    pthread_mutex_init(&handover->lock, NULL);
    pthread_cond_init(&handover->not_empty, NULL);
}

static void begin_xmalloc(Worker *workers, int threads) {
    for (int i = 0; i + 1 < threads; i += 2) {
        if (workers[i].work) {
            continue;
        }
        Pair *pair = calloc(1, sizeof *pair);
        pair->random = random_of(i / 2);
        begin_handover(&pair->empty);
        begin_handover(&pair->full);
        for (int batch = 0; batch < BATCHES_A_PAIR; batch++) {
            put_batch(&pair->empty, calloc(1, sizeof(Batch)));
        }
        workers[i] = (Worker) {produce, pair};
        workers[i + 1] = (Worker) {consume, pair};
    }
}

void run_xmalloc(void) {
    measure(begin_xmalloc);
}

/* ---- cache-scratch --------------------------------------------------------------------------- */

#define SCRATCH_BYTES 8
#define SCRATCH_WRITES 100

static uint64_t scratch(void *handed_out) {
    use(read_and_free(handed_out));
    uint64_t operations = 0;
    while (!stopped()) {
        char *block = allocate_touched(SCRATCH_BYTES, 8, operations);
        for (int i = 0; i < SCRATCH_WRITES; i++) {
            put(block, i);
            keep_writes(block);
        }
        use(read_and_free(block));
        operations++;
    }
    return operations;
}

static void begin_cache_scratch(Worker *workers, int threads) {
    for (int i = 0; i < threads; i++) {
        workers[i] = (Worker) {scratch, allocate_touched(SCRATCH_BYTES, 8, i)};
    }
}

void run_cache_scratch(void) {
    measure(begin_cache_scratch);
}

/* ---- mstress --------------------------------------------------------------------------------- */

#define PACKET 16
#define PACKETS_A_THREAD 64
#define COMMON_PACKETS 64
#define PACKETS_A_LIFE 3000
#define EXCHANGED_ONE_IN 4

typedef struct {
    void *blocks[PACKET];
} Packet;

static Packet *_Atomic common[COMMON_PACKETS];

static Packet *new_packet(Random *random) {
    Packet *packet = malloc(sizeof *packet);
    for (int slot = 0; slot < PACKET; slot++) {
        packet->blocks[slot] = mixed(random, slot);
    }
    return packet;
}

static uint64_t life(void *state) {
    Random *random = state;
    Packet *packets[PACKETS_A_THREAD];
    for (int i = 0; i < PACKETS_A_THREAD; i++) {
        packets[i] = new_packet(random);
    }
    uint64_t operations = PACKETS_A_THREAD * PACKET;
    for (int i = 0; i < PACKETS_A_LIFE && !stopped(); i++) {
        uint32_t index = below(random, PACKETS_A_THREAD);
        Packet *packet = packets[index];
        for (int slot = 0; slot < PACKET; slot++) {
            use(read_and_free(packet->blocks[slot]));
            packet->blocks[slot] = mixed(random, slot);
        }
        operations += PACKET;
        if (below(random, EXCHANGED_ONE_IN) == 0) {
            packets[index] = atomic_exchange(&common[below(random, COMMON_PACKETS)], packet);
        }
    }
    for (int i = 0; i < PACKETS_A_THREAD; i++) {
        for (int slot = 0; slot < PACKET; slot++) {
            use(read_and_free(packets[i]->blocks[slot]));
        }
        free(packets[i]);
    }
    return operations;
}

static void begin_mstress(Worker *workers, int threads) {
    if (workers[0].work) {
        return;
    }
    Random random = random_of(threads);
    for (int i = 0; i < COMMON_PACKETS; i++) {
        common[i] = new_packet(&random);
    }
    for (int i = 0; i < threads; i++) {
        Random *own = aligned_alloc(64, 64); /* no line that two threads write */
        *own = random_of(i);
        workers[i] = generations_of(life, own);
    }
}

void run_mstress(void) {
    read_mix();
    measure(begin_mstress);
}
