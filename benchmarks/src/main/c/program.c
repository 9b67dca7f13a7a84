/* What every work needs: its arguments, its figures, the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program.h"

static int argument_count;
static char **arguments;

void take_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}

const char *text_argument(const char *key) {
    size_t length = strlen(key);
    for (int i = 2; i < argument_count; i++) {
        if (strncmp(arguments[i], key, length) == 0 && arguments[i][length] == '=') {
            return arguments[i] + length + 1;
        }
    }
    fprintf(stderr, "no argument %s=\n", key);
    exit(2);
}

long number_argument(const char *key) {
    return strtol(text_argument(key), NULL, 10);
}

uint32_t mix_sizes[MIX_DRAWS];

void read_mix(void) {
    const char *at = text_argument("mix");
    unsigned filled = 0;
    while (*at) {
        char *end;
        unsigned size = strtoul(at, &end, 10);
        unsigned weight = strtoul(end + 1, &end, 10);
        for (unsigned i = 0; i < weight && filled < MIX_DRAWS; i++) {
            mix_sizes[filled++] = size;
        }
        at = *end ? end + 1 : end;
    }
    if (filled != MIX_DRAWS) {
        fprintf(stderr, "mix= has %u sizes\n", filled);
        exit(2);
    }
}

void print_figure(const char *name, double value) {
    printf("%s %.6f\n", name, value);
}

uint64_t now_nanos(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

void sleep_millis(long millis) {
    struct timespec time = {millis / 1000, millis % 1000 * 1000000};
    nanosleep(&time, NULL);
}
