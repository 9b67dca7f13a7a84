// Reads pages of kernel memory with a BPF program. The program is written as instructions, so
// nothing but a C compiler and the kernel's headers is needed. One thread at a time.

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

// The context of a run, copied to the kernel and back.
struct request {
    uint64_t address;  // in: the first byte to read
    int64_t result;    // out: 0, or the negative error of bpf_probe_read_kernel
    uint64_t context;  // out: where the kernel keeps its copy of this request, of kmalloc
};

static int program = -1;
static unsigned char *page = MAP_FAILED;
static char log_[1 << 14];

static long bpf(int command, union bpf_attr *attributes) {
    return syscall(__NR_bpf, command, attributes, sizeof *attributes);
}

// An array of one page, which the program writes and this process maps.
static int page_map(void) {
    union bpf_attr map = {
        .map_type = BPF_MAP_TYPE_ARRAY,
        .key_size = sizeof(uint32_t),
        .value_size = PAGE_BYTES,
        .max_entries = 1,
        .map_flags = BPF_F_MMAPABLE,
    };
    return bpf(BPF_MAP_CREATE, &map);
}

#define MOVE(to, from) {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from}
#define MOVE_NUMBER(to, number) {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = number}
#define LOAD(to, field) \
    {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = to, .src_reg = BPF_REG_6, \
     .off = offsetof(struct request, field)}
#define STORE(field, from) \
    {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = from, \
     .off = offsetof(struct request, field)}
#define MAP_VALUE(to, map) \
    {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = to, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map}, \
    {0}

static int load(int map) {
    const struct bpf_insn instructions[] = {
        MOVE(BPF_REG_6, BPF_REG_1),
        STORE(context, BPF_REG_6),
        MAP_VALUE(BPF_REG_1, map),
        MOVE_NUMBER(BPF_REG_2, PAGE_BYTES),
        LOAD(BPF_REG_3, address),
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
        STORE(result, BPF_REG_0),
        MOVE_NUMBER(BPF_REG_0, 0),
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {
        .prog_type = BPF_PROG_TYPE_SYSCALL,
        .insns = (uintptr_t)instructions,
        .insn_cnt = sizeof instructions / sizeof *instructions,
        .license = (uintptr_t) "GPL",  // the helper demands it
        .prog_flags = BPF_F_SLEEPABLE,
        .log_buf = (uintptr_t)log_,
        .log_size = sizeof log_,
        .log_level = 1,
    };
    return bpf(BPF_PROG_LOAD, &load);
}

static int run(struct request *request) {
    union bpf_attr run = {
        .test = {
            .prog_fd = program,
            .ctx_in = (uintptr_t)request,
            .ctx_size_in = sizeof *request,
        },
    };
    return bpf(BPF_PROG_TEST_RUN, &run);
}

static int failed(const char *what, char *why, size_t bytes) {
    snprintf(why, bytes, "%s: %s %s", what, strerror(errno), log_);
    return -1;
}

void direct_map_close(void) {
    if (page != MAP_FAILED) munmap(page, PAGE_BYTES);
    if (program >= 0) close(program);
    page = MAP_FAILED;
    program = -1;
}

// Loads the program. Returns 0, or -1 with the reason as a string.
int direct_map_open(char *why, size_t bytes) {
    int map = page_map();
    if (map < 0) return failed("BPF_MAP_CREATE", why, bytes);
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    program = page == MAP_FAILED ? -1 : load(map);
    int result = page == MAP_FAILED ? failed("mmap of a BPF map", why, bytes)
        : program < 0 ? failed("BPF_PROG_LOAD", why, bytes)
        : run(&(struct request){0}) < 0 ? failed("BPF_PROG_TEST_RUN", why, bytes)
        : 0;
    close(map);  // the program and the mapping hold it
    if (result < 0) direct_map_close();
    return result;
}

// An address of the kernel's direct map: that of a block of kmalloc. 0 if the program cannot run.
uint64_t direct_map_anchor(void) {
    struct request request = {0};
    return run(&request) < 0 ? 0 : request.context;
}

// Copies a page at a kernel address. Returns 0, or the negative error of the read.
int64_t direct_map_read(uint64_t address, void *into) {
    struct request request = {.address = address, .result = -EIO};
    memset(page, 0, PAGE_BYTES);
    if (run(&request) < 0) return -errno;
    if (request.result == 0) memcpy(into, page, PAGE_BYTES);
    return request.result;
}
