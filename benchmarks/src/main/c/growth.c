/* Ten million structs of 16 bytes, added one by one: Growing.java. The room doubles, as it does mostly in C. */
#include <stdlib.h>

#include "memory.h"
#include "program.h"

#define ADDS 10000000

typedef struct {
    int64_t a;
    int64_t b;
} Pair;

static uint64_t fill(void) {
    Pair *pairs = NULL;
    size_t size = 0;
    size_t room = 0;
    for (int64_t i = 0; i < ADDS; i++) {
        if (size == room) {
            room = room ? room * 2 : 4;
            pairs = realloc(pairs, room * sizeof *pairs);
            if (!pairs) {
                abort();
            }
        }
        pairs[size++] = (Pair) {i, ~i};
    }
    keep_writes(pairs);
    uint64_t last = pairs[size - 1].a;
    free(pairs);
    return last;
}

static double nanos_an_add(long millis) {
    uint64_t before = now_nanos();
    uint64_t end = before + millis * 1000000ull;
    uint64_t times = 0;
    uint64_t now;
    do {
        use(fill());
        times++;
        now = now_nanos();
    } while (now < end);
    return (double) (now - before) / times / ADDS;
}

void run_grow(void) {
    nanos_an_add(number_argument("warmup"));
    print_figure("NANOS", nanos_an_add(number_argument("millis")));
}
