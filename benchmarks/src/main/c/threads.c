#include "threads.h"

#include <stdio.h>
#include <stdlib.h>

#include "program.h"

atomic_bool stop;

typedef struct {
    Worker worker;
    pthread_barrier_t *ready;
    pthread_barrier_t *start;
    uint64_t operations;
    pthread_t thread;
} Member;

pthread_t start_thread(void *(*function)(void *), void *state) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, state) != 0) {
        fprintf(stderr, "no thread\n");
        exit(1);
    }
    return thread;
}

static void *member_main(void *state) {
    Member *member = state;
    pthread_barrier_wait(member->ready);
    pthread_barrier_wait(member->start);
    member->operations = member->worker.work(member->worker.state);
    return NULL;
}

double run_crew(const Worker *workers, int count, long millis) {
    Member *members = calloc(count, sizeof *members);
    pthread_barrier_t ready;
    pthread_barrier_t start;
    pthread_barrier_init(&ready, NULL, count + 1);
    pthread_barrier_init(&start, NULL, count + 1);
    atomic_store(&stop, false);
    for (int i = 0; i < count; i++) {
        members[i] = (Member) {.worker = workers[i], .ready = &ready, .start = &start};
        members[i].thread = start_thread(member_main, &members[i]);
    }
    pthread_barrier_wait(&ready);
    uint64_t before = now_nanos(); /* before they start: among many threads this one may wait long for its turn */
    pthread_barrier_wait(&start);
    sleep_millis(millis);
    atomic_store(&stop, true);
    uint64_t operations = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(members[i].thread, NULL);
        operations += members[i].operations;
    }
    uint64_t nanos = now_nanos() - before;
    pthread_barrier_destroy(&ready);
    pthread_barrier_destroy(&start);
    free(members);
    return (double) nanos / operations;
}

static void *piece_main(void *state) {
    Member *member = state;
    member->operations = member->worker.work(member->worker.state);
    return NULL;
}

uint64_t run_in_thread(Work work, void *state) {
    Member member = {.worker = {work, state}};
    pthread_join(start_thread(piece_main, &member), NULL);
    return member.operations;
}
