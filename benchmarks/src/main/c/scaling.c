/* What more threads bring: Scaling.java. */
#include "memory.h"
#include "program.h"
#include "threads.h"

#define REPEATS 5
#define MANY 64
#define LIVE 64
#define BYTES 64
#define STEPS 20

static uint64_t replace(void *state) {
    (void) state;
    void *slots[LIVE];
    for (int slot = 0; slot < LIVE; slot++) {
        slots[slot] = allocate_touched(BYTES, NATURAL_ALIGNMENT, slot);
    }
    uint64_t operations = 0;
    while (!stopped()) {
        uint64_t slot = operations & (LIVE - 1);
        use(read_and_free(slots[slot]));
        slots[slot] = allocate_touched(BYTES, NATURAL_ALIGNMENT, operations);
        operations++;
    }
    for (int slot = 0; slot < LIVE; slot++) {
        use(read_and_free(slots[slot]));
    }
    return operations;
}

static uint64_t draw(void *state) {
    (void) state;
    Random random = random_of(0);
    uint64_t operations = 0;
    while (!stopped()) {
        for (int i = 0; i < STEPS; i++) {
            use(next(&random));
        }
        operations++;
    }
    return operations;
}

static double throughput(Work work, int threads, long millis) {
    Worker workers[MANY];
    for (int i = 0; i < threads; i++) {
        workers[i] = (Worker) {work, NULL};
    }
    return 1 / run_crew(workers, threads, millis);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *) a;
    double right = *(const double *) b;
    return (left > right) - (left < right);
}

static double median(double *values) {
    qsort(values, REPEATS, sizeof *values, compare);
    return values[REPEATS / 2];
}

void run_scaling(void) {
    long phase = number_argument("millis") / 4;
    double scaling[REPEATS];
    double many[REPEATS];
    for (int i = -1; i < REPEATS; i++) { /* the first time to warm up */
        double one = throughput(replace, 1, phase);
        double two = throughput(replace, 2, phase);
        double one_of_arithmetic = throughput(draw, 1, phase);
        double two_of_arithmetic = throughput(draw, 2, phase);
        double all = throughput(replace, MANY, phase);
        if (i >= 0) {
            scaling[i] = two / one / (two_of_arithmetic / one_of_arithmetic);
            many[i] = all / two;
        }
    }
    print_figure("SCALING", median(scaling));
    print_figure("MANY_THREADS", median(many));
}
