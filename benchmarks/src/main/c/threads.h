/* Threads that work side by side for some time: Crew.java and Generations.java. */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Tells them to stop. Looked at once an operation or a few. */
extern atomic_bool stop;

static inline bool stopped(void) {
    return atomic_load_explicit(&stop, memory_order_relaxed);
}

/* What one of them does until it is told to stop; returns how many operations it did. */
typedef uint64_t (*Work)(void *state);

typedef struct {
    Work work;
    void *state;
} Worker;

/* Nanoseconds on the clock for an operation of all together. */
double run_crew(const Worker *workers, int count, long millis);

/* A thread of its own for one piece of work, waited for. */
uint64_t run_in_thread(Work work, void *state);

pthread_t start_thread(void *(*function)(void *), void *state);

#endif
