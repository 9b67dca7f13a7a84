/* The same work as the benchmarks in Java, over whatever malloc this process has; prints its figures. */
#include <stdio.h>
#include <string.h>

#include "program.h"

static const struct {
    const char *name;
    void (*run)(void);
} works[] = {
    {"one", run_one},
    {"ring", run_ring},
    {"burst", run_burst},
    {"replace", run_replace},
    {"batch", run_batch},
    {"larson", run_larson},
    {"xmalloc", run_xmalloc},
    {"cache-scratch", run_cache_scratch},
    {"mstress", run_mstress},
    {"scaling", run_scaling},
    {"retained", run_retained},
    {"churn", run_churn},
    {"mixes", run_mixes},
    {"waste", run_waste},
    {"grow", run_grow},
    {"translate", run_translate},
    {"prepare", run_prepare},
    {"version", run_version},
};

int main(int count, char **values) {
    take_arguments(count, values);
    for (size_t i = 0; count > 1 && i < sizeof works / sizeof *works; i++) {
        if (strcmp(values[1], works[i].name) == 0) {
            works[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: heap work key=value ...\n");
    return 2;
}
