/* What the parts of this program know of each other. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>

#define MIX_DRAWS 1024

/* The arguments, key=value each after the name of the work; the program ends where one is missing. */
void take_arguments(int count, char **values);
const char *text_argument(const char *key);
long number_argument(const char *key);

/* The sizes that SizeMix.java has told, to be drawn by ten bits. */
extern uint32_t mix_sizes[MIX_DRAWS];
void read_mix(void);

/* A figure, named as in Figure.java. */
void print_figure(const char *name, double value);

uint64_t now_nanos(void);
void sleep_millis(long millis);

/* Work on one thread (single.c). */
void run_one(void);
void run_ring(void);
void run_burst(void);
void run_replace(void);
void run_batch(void);

/* A vector that grows (growth.c). */
void run_grow(void);

/* Work of several threads (threads.c, classics.c). */
void run_larson(void);
void run_xmalloc(void);
void run_cache_scratch(void);
void run_mstress(void);
void run_scaling(void);

/* Memory instead of time (resident.c). */
void run_retained(void);
void run_churn(void);
void run_mixes(void);
void run_waste(void);

/* Physical memory (physical.c). */
void run_translate(void);
void run_prepare(void);

/* Which allocator this is (version.c). */
void run_version(void);
void trim_allocator(void);

#endif
