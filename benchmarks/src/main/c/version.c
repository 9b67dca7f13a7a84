/* Which malloc this process has got, and how it is asked to give memory back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* Function pointers come from dlsym as object pointers, which C alone does not convert. */
#define FUNCTION(type, name) (*(type *) &(void *) {dlsym(RTLD_DEFAULT, name)})

typedef int (*MimallocVersion)(void);
typedef void (*MimallocCollect)(bool force);
typedef int (*JemallocControl)(
    const char *name, void *old, size_t *old_length, void *new, size_t new_length);
typedef const char *(*TcmallocVersion)(int *major, int *minor, const char **patch);
typedef void (*TcmallocRelease)(void);

void run_version(void) {
    MimallocVersion mimalloc = FUNCTION(MimallocVersion, "mi_version");
    JemallocControl jemalloc = FUNCTION(JemallocControl, "mallctl");
    TcmallocVersion tcmalloc = FUNCTION(TcmallocVersion, "tc_version");
    if (mimalloc) {
        int version = mimalloc();
        printf("mimalloc %d.%d.%d\n", version / 100, version / 10 % 10, version % 10);
    } else if (tcmalloc) {
        int major;
        int minor;
        const char *patch;
        tcmalloc(&major, &minor, &patch);
        printf("tcmalloc %d.%d%s\n", major, minor, patch ? patch : "");
    } else if (jemalloc) {
        const char *version = "";
        size_t length = sizeof version;
        jemalloc("version", &version, &length, NULL, 0);
        printf("jemalloc %.*s\n", (int) strcspn(version, "-"), version);
    } else {
        printf("glibc %s\n", gnu_get_libc_version());
    }
}

void trim_allocator(void) {
    MimallocCollect mimalloc = FUNCTION(MimallocCollect, "mi_collect");
    TcmallocRelease tcmalloc = FUNCTION(TcmallocRelease, "MallocExtension_ReleaseFreeMemory");
    JemallocControl jemalloc = FUNCTION(JemallocControl, "mallctl");
    if (mimalloc) {
        mimalloc(true);
    } else if (tcmalloc) {
        tcmalloc();
    } else if (jemalloc) {
        /* MALLCTL_ARENAS_ALL as jemalloc 5 has it. */
        jemalloc("arena.4096.purge", NULL, NULL, NULL, 0);
    } else {
        malloc_trim(0);
    }
}
