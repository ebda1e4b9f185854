/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_cuda.c: a stand-in for libcuda.so.1 that runs agentrt's kernels on the processor, for tests on machines without a GPU.
 *
 * What is real   the rules that callers have to keep. Work given to a stream is queued and runs when somebody synchronises (or calls
 *                fake_flush), so that arguments and host memory that are used too early or too late show. While a stream is captured,
 *                work is recorded instead, and calls that CUDA refuses then are refused. Addresses are looked up: an argument of a
 *                kernel that does not lie in live memory of its device is a violation, when it is queued and again when it runs.
 * What is not    times, parallel streams (all work runs in the order of submission), real machine code: an image is the text
 *                "FAKECUBIN sm_NN", or "FAKECUBIN sm_NN part P" with that part of the kernels alone, and kernels run through the CPU
 *                build of csrc/cuda.
 * Control        fake_* functions, and the environment: FAKE_CUDA_DEVICES, FAKE_CUDA_VERSION, FAKE_CUDA_INIT (a CUresult), FAKE_CUDA_SM. */
#include "fake_cuda.h"
#include "../../csrc/cuda/art_cuda_abi.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OK = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY = 209,
    INVALID_PTX = 218,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_IMPLICIT = 906
};
enum { HOST = 1, DEVICE = 2 };
enum {
    BLOCKS_MAX = 65536,
    CONTEXTS_MAX = 64,
    MODULES_MAX = 256,
    OPS_MAX = 1 << 16,
    GRAPHS_MAX = 64,
    GUARD = 64,
    ARGS_MAX = 4096
};

typedef struct block {
    uint8_t *base; /* what malloc gave; the caller's part begins GUARD bytes later */
    size_t size;
    int type, device;
    bool live;
    bool adopted; /* has no guards */
} block;

typedef struct context {
    int device;
    unsigned long long id;
    bool live, primary;
} context;

typedef struct module {
    context *ctx;
    bool live;
    int part; /* of the kernels; -1: all */
} module;

typedef struct function {
    module *owner;
    const char *name;
    size_t args;
} function;

typedef struct op {
    enum { LAUNCH, COPY } kind;
    context *ctx;
    function *f;
    unsigned grid_x, grid_y, block_x, shared;
    uint64_t dst, src;
    size_t n;
    bool snapshot; /* src was pageable: `bytes` has its content */
    uint8_t *bytes;
} op;

typedef struct graph {
    op *ops;
    size_t n;
} graph;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool started;
static block blocks[BLOCKS_MAX];
static size_t n_blocks;
static context contexts[CONTEXTS_MAX];
static size_t n_contexts;
static module modules[MODULES_MAX];
static size_t n_modules;
static function functions[MODULES_MAX * 16];
static size_t n_functions;
static op queue[OPS_MAX];
static size_t n_queue;
static graph graphs[GRAPHS_MAX];
static size_t n_graphs;
static bool capturing;
static void *capture_stream;
static char violations[1 << 14];
static struct {
    char name[64];
    int result, after;
} fail_next;
static struct {
    const char *name;
    int n;
} counts[128];
static size_t n_counts;
static _Thread_local context *stack[16];
static _Thread_local int depth;

static int env(const char *name, int otherwise) {
    const char *s = getenv(name);
    return s && *s ? atoi(s) : otherwise;
}

static void violation(const char *fmt, ...) {
    size_t n = strlen(violations);
    va_list args;
    va_start(args, fmt);
    vsnprintf(violations + n, sizeof violations - n, fmt, args);
    va_end(args);
    n = strlen(violations);
    if (n + 1 < sizeof violations) memcpy(violations + n, "\n", 2);
}

/* Counts a call; the error it was told to fail with. */
static int enter(const char *name) {
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < n_counts && strcmp(counts[i].name, name) != 0) i++;
    if (i == n_counts) counts[n_counts++].name = name;
    counts[i].n++;
    if (strcmp(fail_next.name, name) == 0 && fail_next.after-- == 0) {
        fail_next.name[0] = 0;
        return fail_next.result;
    }
    return OK;
}

static int leave(int result) {
    pthread_mutex_unlock(&lock);
    return result;
}

#define ENTER(name)                                                                                                    \
    do {                                                                                                               \
        int failed_ = enter(name);                                                                                     \
        if (failed_) return leave(failed_);                                                                            \
    } while (0)

static context *current(void) {
    return depth ? stack[depth - 1] : NULL;
}

/* ------------------------------------------------------------------ control */

const char *fake_violations(void) {
    return violations;
}

void fake_fail(const char *name, int result, int after) {
    pthread_mutex_lock(&lock);
    snprintf(fail_next.name, sizeof fail_next.name, "%s", name);
    fail_next.result = result;
    fail_next.after = after;
    pthread_mutex_unlock(&lock);
}

int fake_count(const char *name) {
    int n = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_counts; i++)
        if (strcmp(counts[i].name, name) == 0) n = counts[i].n;
    pthread_mutex_unlock(&lock);
    return n;
}

int fake_is_live(uint64_t address) {
    int live = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_blocks; i++) {
        uint64_t begin = (uint64_t)(uintptr_t)(blocks[i].base + GUARD);
        if (blocks[i].live && address >= begin && address < begin + blocks[i].size) live = 1;
    }
    pthread_mutex_unlock(&lock);
    return live;
}

/* ------------------------------------------------------------------ memory */

static block *find(uint64_t address) {
    for (size_t i = n_blocks; i-- > 0;) {
        uint64_t begin = (uint64_t)(uintptr_t)(blocks[i].base + GUARD);
        if (blocks[i].live && address >= begin && address < begin + blocks[i].size) return &blocks[i];
    }
    return NULL;
}

static int allocate(uint64_t *out, size_t n, int type, int device) {
    if (!n) return INVALID_VALUE;
    if (n_blocks == BLOCKS_MAX || n > (size_t)1 << 33) return OUT_OF_MEMORY;
    uint8_t *base = aligned_alloc(256, (n + 2 * GUARD + 255 + 256) / 256 * 256);
    if (!base) return OUT_OF_MEMORY;
    base += 256 - GUARD; /* the caller's part is aligned to 256 bytes */
    memset(base, 0xA5, n + 2 * GUARD);
    blocks[n_blocks++] = (block){base, n, type, device, true, false};
    *out = (uint64_t)(uintptr_t)(base + GUARD);
    return OK;
}

static void check_guard(const block *b) {
    for (size_t i = 0; i < GUARD; i++)
        if (b->base[i] != 0xA5 || b->base[GUARD + b->size + i] != 0xA5) {
            violation("written outside a block of %zu bytes", b->size);
            return;
        }
}

static bool in_memory(const char *what, uint64_t address, uint64_t n, int device, bool host_too) {
    const block *b = find(address);
    uint64_t begin = b ? (uint64_t)(uintptr_t)(b->base + GUARD) : 0;
    if (!b || address + n > begin + b->size) {
        violation("%s: %llu bytes that are not allocated", what, (unsigned long long)n);
        return false;
    }
    if (b->type == HOST ? !host_too : b->device != device) {
        violation("%s: memory of another place", what);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ work */

static uint64_t span(uint32_t rows, int64_t stride, uint64_t row, uint64_t item) {
    return ((uint64_t)(rows - 1) * (uint64_t)stride + row) * item;
}

static bool check_args(const op *o) {
    int device = o->ctx->device;
    bool ok = true;
    if (strncmp(o->f->name, "art_sample", 10) == 0) {
        const art_cuda_sample_args *a = (const void *)o->bytes;
        uint64_t item = a->dtype == 0 ? 4 : 2, words = (a->n_vocab + 31u) / 32u;
        ok &= in_memory("logits", a->logits, span(a->n_rows, a->logits_stride, a->n_vocab, item), device, false);
        if (a->masks) ok &= in_memory("masks", a->masks, span(a->n_masks, a->masks_stride, words, 4), device, false);
        if (a->mask_rows) ok &= in_memory("mask_rows", a->mask_rows, a->n_rows * 4u, device, true);
        ok &= in_memory("rows", a->rows, a->n_rows * sizeof(art_cuda_row), device, false);
        ok &= in_memory("steps", a->steps, a->n_rows * 8u, device, false);
        ok &= in_memory("ids", a->ids, a->n_rows * (a->ids_64 ? 8u : 4u), device, false);
        ok &= in_memory("logprobs", a->logprobs, a->n_rows * 4u, device, false);
    } else if (strncmp(o->f->name, "art_masks", 9) == 0) {
        const art_cuda_mask_args *a = (const void *)o->bytes;
        uint64_t item = a->dtype == 0 ? 4 : 2, words = (a->n_vocab + 31u) / 32u;
        ok &= in_memory("logits", a->logits, span(a->n_rows, a->logits_stride, a->n_vocab, item), device, false);
        ok &= in_memory("masks", a->masks, span(a->n_masks, a->masks_stride, words, 4), device, true);
        if (a->mask_rows) ok &= in_memory("mask_rows", a->mask_rows, a->n_rows * 4u, device, true);
    } else {
        const art_cuda_set_args *a = (const void *)o->bytes;
        ok &= a->n <= ART_CUDA_SET_ROWS_MAX;
        ok &= in_memory("rows", a->rows, (a->first + a->n) * sizeof(art_cuda_row), device, false);
        ok &= in_memory("steps", a->steps, (a->first + a->n) * 8u, device, false);
    }
    return ok;
}

static void run(const op *o) {
    if (o->kind == COPY) {
        const block *to = find(o->dst);
        if (!to || !in_memory("copy to", o->dst, o->n, to->device, true)) return;
        if (!o->snapshot) {
            const block *from = find(o->src);
            if (!from || !in_memory("copy from", o->src, o->n, from->device, true)) return;
        }
        memcpy((void *)(uintptr_t)o->dst, o->snapshot ? (const void *)o->bytes : (const void *)(uintptr_t)o->src, o->n);
    } else if (check_args(o)) {
        int r = art_cuda_cpu_launch(o->f->name, o->grid_x, o->grid_y, 1, o->block_x, 1, 1, o->shared, o->bytes);
        if (r) violation("%s: the kernel failed with %d", o->f->name, r);
    }
}

static void flush(void) {
    for (size_t i = 0; i < n_queue; i++) {
        run(&queue[i]);
        free(queue[i].bytes);
    }
    n_queue = 0;
    for (size_t i = 0; i < n_blocks; i++)
        if (blocks[i].live && !blocks[i].adopted) check_guard(&blocks[i]);
}

void fake_adopt(uint64_t address, uint64_t n_bytes, int device) {
    pthread_mutex_lock(&lock);
    uint8_t *base = (uint8_t *)(uintptr_t)address - GUARD;
    size_t at = n_blocks;
    for (size_t i = 0; i < n_blocks; i++) { /* what was there before is gone */
        block *b = &blocks[i];
        if (!b->adopted) continue;
        if (b->live && b->base < base + n_bytes && base < b->base + b->size) b->live = false;
        if (!b->live) at = i;
    }
    if (at < BLOCKS_MAX) blocks[at] = (block){base, n_bytes, device < 0 ? HOST : DEVICE, device, true, true};
    if (at == n_blocks && n_blocks < BLOCKS_MAX) n_blocks++;
    pthread_mutex_unlock(&lock);
}

void fake_flush(void) {
    pthread_mutex_lock(&lock);
    flush();
    pthread_mutex_unlock(&lock);
}

static int submit(op o, void *stream) {
    bool joins = capturing && stream == capture_stream;
    if (joins) {
        graph *g = &graphs[n_graphs];
        op *ops = realloc(g->ops, (g->n + 1) * sizeof *ops);
        if (!ops) return OUT_OF_MEMORY;
        g->ops = ops;
        g->ops[g->n++] = o;
        return OK;
    }
    if (capturing && (uintptr_t)stream <= 1) return CAPTURE_IMPLICIT;
    if (n_queue == OPS_MAX) flush();
    queue[n_queue++] = o;
    return OK;
}

void fake_capture_begin(void *stream) {
    pthread_mutex_lock(&lock);
    capturing = true;
    capture_stream = stream;
    graphs[n_graphs] = (graph){NULL, 0};
    pthread_mutex_unlock(&lock);
}

int fake_capture_end(void) {
    pthread_mutex_lock(&lock);
    capturing = false;
    int made = (int)n_graphs;
    if (n_graphs + 1 < GRAPHS_MAX) n_graphs++;
    pthread_mutex_unlock(&lock);
    return made;
}

int fake_graph_size(int which) {
    return (int)graphs[which].n;
}

void fake_graph_launch(int which) {
    pthread_mutex_lock(&lock);
    flush();
    for (size_t i = 0; i < graphs[which].n; i++) run(&graphs[which].ops[i]);
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ the driver's functions */

int cuInit(unsigned flags) {
    ENTER("cuInit");
    (void)flags;
    int r = env("FAKE_CUDA_INIT", OK);
    if (r == OK && env("FAKE_CUDA_DEVICES", 2) == 0) r = NO_DEVICE;
    if (r == OK) started = true;
    return leave(r);
}

int cuDriverGetVersion(int *version) {
    ENTER("cuDriverGetVersion");
    *version = env("FAKE_CUDA_VERSION", 12080);
    return leave(OK);
}

int cuGetErrorName(int result, const char **name) {
    switch (result) {
    case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return OK;
    case INVALID_IMAGE: *name = "CUDA_ERROR_INVALID_IMAGE"; return OK;
    case NO_BINARY: *name = "CUDA_ERROR_NO_BINARY_FOR_GPU"; return OK;
    case INVALID_HANDLE: *name = "CUDA_ERROR_INVALID_HANDLE"; return OK;
    case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; return OK;
    case LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; return OK;
    case CAPTURE_UNSUPPORTED: *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; return OK;
    default: *name = NULL; return INVALID_VALUE;
    }
}

int cuGetErrorString(int result, const char **words) {
    *words = result == LAUNCH_FAILED ? "unspecified launch failure" : NULL;
    return *words ? OK : INVALID_VALUE;
}

int cuDeviceGetCount(int *n) {
    ENTER("cuDeviceGetCount");
    *n = env("FAKE_CUDA_DEVICES", 2);
    return leave(started ? OK : NOT_INITIALIZED);
}

int cuDeviceGet(int *device, int ordinal) {
    ENTER("cuDeviceGet");
    *device = ordinal;
    return leave(ordinal >= 0 && ordinal < env("FAKE_CUDA_DEVICES", 2) ? OK : INVALID_DEVICE);
}

int cuDeviceGetName(char *name, int cap, int device) {
    snprintf(name, (size_t)cap, "Fake GPU %d", device);
    return OK;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    int sm = env("FAKE_CUDA_SM", 90);
    *value = attribute == 75 ? sm / 10 : attribute == 76 ? sm % 10 : attribute == 16 ? 4 : 0;
    return OK;
}

int cuDeviceTotalMem_v2(size_t *n, int device) {
    (void)device;
    *n = (size_t)1 << 33;
    return OK;
}

static context *new_context(int device, bool primary) {
    static unsigned long long ids;
    if (n_contexts == CONTEXTS_MAX) return NULL;
    contexts[n_contexts] = (context){device, ++ids, true, primary};
    return &contexts[n_contexts++];
}

int cuDevicePrimaryCtxRetain(void **ctx, int device) {
    ENTER("cuDevicePrimaryCtxRetain");
    for (size_t i = 0; i < n_contexts; i++)
        if (contexts[i].live && contexts[i].primary && contexts[i].device == device) {
            *ctx = &contexts[i];
            return leave(OK);
        }
    *ctx = new_context(device, true);
    return leave(*ctx ? OK : OUT_OF_MEMORY);
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    (void)device;
    return OK;
}

void *fake_context_new(int device) {
    pthread_mutex_lock(&lock);
    void *made = new_context(device, false);
    pthread_mutex_unlock(&lock);
    return made;
}

int cuCtxGetCurrent(void **ctx) {
    *ctx = current();
    return OK;
}

int cuCtxGetDevice(int *device) {
    if (!current()) return INVALID_CONTEXT;
    *device = current()->device;
    return OK;
}

int cuCtxGetId(void *ctx, unsigned long long *id) {
    const context *c = ctx ? ctx : current();
    if (!c) return INVALID_CONTEXT;
    *id = c->id;
    return OK;
}

int cuCtxPushCurrent_v2(void *ctx) {
    ENTER("cuCtxPushCurrent");
    if (depth == 16) return leave(INVALID_CONTEXT);
    stack[depth++] = ctx;
    return leave(OK);
}

int cuCtxPopCurrent_v2(void **ctx) {
    ENTER("cuCtxPopCurrent");
    if (!depth) return leave(INVALID_CONTEXT);
    *ctx = stack[--depth];
    return leave(OK);
}

int fake_depth(void) {
    return depth;
}

static int refuse_in_capture(const char *name) {
    if (!capturing) return OK;
    violation("%s while a stream is captured", name);
    return CAPTURE_UNSUPPORTED;
}

int cuCtxSynchronize(void) {
    ENTER("cuCtxSynchronize");
    int r = current() ? refuse_in_capture("cuCtxSynchronize") : INVALID_CONTEXT;
    if (r == OK) flush();
    return leave(r);
}

int cuModuleLoadData(void **out, const void *image) {
    ENTER("cuModuleLoadData");
    int sm = 0, part = -1, r = current() ? refuse_in_capture("cuModuleLoadData") : INVALID_CONTEXT;
    if (r == OK && sscanf(image, "FAKECUBIN sm_%d part %d\n", &sm, &part) < 1) r = INVALID_IMAGE;
    if (r == OK && sm != env("FAKE_CUDA_SM", 90)) r = NO_BINARY;
    if (r == OK && n_modules == MODULES_MAX) r = OUT_OF_MEMORY;
    if (r == OK) {
        modules[n_modules] = (module){current(), true, part};
        *out = &modules[n_modules++];
    }
    return leave(r);
}

int cuModuleUnload(void *m) {
    ENTER("cuModuleUnload");
    ((module *)m)->live = false;
    return leave(OK);
}

int cuModuleGetFunction(void **out, void *m, const char *name) {
    ENTER("cuModuleGetFunction");
    const module *in = m;
    for (uint32_t i = 0; i < ART_CUDA_N_KERNELS; i++) {
        const char *known = art_cuda_kernel_name(i);
        if (strcmp(known, name) != 0 || (in->part >= 0 && (uint32_t)in->part != art_cuda_part_of(i))) continue;
        size_t args = strncmp(name, "art_sample", 10) == 0 ? sizeof(art_cuda_sample_args)
                      : strncmp(name, "art_masks", 9) == 0 ? sizeof(art_cuda_mask_args)
                                                           : sizeof(art_cuda_set_args);
        functions[n_functions] = (function){m, known, args};
        *out = &functions[n_functions++];
        return leave(OK);
    }
    return leave(NOT_FOUND);
}

int cuFuncSetAttribute(void *f, int attribute, int value) {
    (void)f, (void)attribute, (void)value;
    return OK;
}

int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **params, void **extra) {
    ENTER("cuLaunchKernel");
    function *fn = f;
    if (!current() || fn->owner->ctx != current() || !fn->owner->live) return leave(INVALID_CONTEXT);
    if (!gx || !gy || gz != 1 || !bx || bx > 1024 || by != 1 || bz != 1 || extra) return leave(INVALID_VALUE);
    op o = {.kind = LAUNCH, .ctx = current(), .f = fn, .grid_x = gx, .grid_y = gy, .block_x = bx, .shared = shared};
    o.bytes = malloc(fn->args);
    if (!o.bytes) return leave(OUT_OF_MEMORY);
    memcpy(o.bytes, params[0], fn->args);
    check_args(&o);
    return leave(submit(o, stream));
}

int cuMemAlloc_v2(uint64_t *out, size_t n) {
    ENTER("cuMemAlloc");
    int r = current() ? refuse_in_capture("cuMemAlloc") : INVALID_CONTEXT;
    return leave(r == OK ? allocate(out, n, DEVICE, current()->device) : r);
}

int cuMemHostAlloc(void **out, size_t n, unsigned flags) {
    ENTER("cuMemHostAlloc");
    (void)flags;
    uint64_t address = 0;
    int r = allocate(&address, n, HOST, -1);
    *out = (void *)(uintptr_t)address;
    return leave(r);
}

static int free_block(uint64_t address) {
    block *b = find(address);
    if (!b || address != (uint64_t)(uintptr_t)(b->base + GUARD)) return INVALID_VALUE;
    flush();         /* as the real one waits */
    b->live = false; /* never handed out again: what still uses it is seen */
    memset(b->base + GUARD, 0xDD, b->size);
    return OK;
}

int cuMemFree_v2(uint64_t address) {
    ENTER("cuMemFree");
    int r = current() ? refuse_in_capture("cuMemFree") : INVALID_CONTEXT;
    return leave(r == OK ? free_block(address) : r);
}

int cuMemFreeHost(void *p) {
    ENTER("cuMemFreeHost");
    return leave(free_block((uint64_t)(uintptr_t)p));
}

int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t n) {
    ENTER("cuMemcpyHtoD");
    int r = current() ? refuse_in_capture("cuMemcpyHtoD") : INVALID_CONTEXT;
    if (r == OK) {
        flush();
        if (in_memory("cuMemcpyHtoD", to, n, current()->device, false)) memcpy((void *)(uintptr_t)to, from, n);
    }
    return leave(r);
}

int cuMemcpyAsync(uint64_t to, uint64_t from, size_t n, void *stream) {
    ENTER("cuMemcpyAsync");
    if (!current()) return leave(INVALID_CONTEXT);
    op o = {.kind = COPY, .ctx = current(), .dst = to, .src = from, .n = n};
    if (!find(from)) { /* ordinary memory: taken at once */
        if (capturing && stream == capture_stream) return leave(CAPTURE_UNSUPPORTED);
        o.snapshot = true;
        o.bytes = malloc(n);
        if (!o.bytes) return leave(OUT_OF_MEMORY);
        memcpy(o.bytes, (const void *)(uintptr_t)from, n);
    }
    return leave(submit(o, stream));
}

int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t n) {
    ENTER("cuMemsetD8");
    int r = current() ? refuse_in_capture("cuMemsetD8") : INVALID_CONTEXT;
    if (r == OK) {
        flush();
        if (in_memory("cuMemsetD8", to, n, current()->device, false)) memset((void *)(uintptr_t)to, value, n);
    }
    return leave(r);
}

int cuPointerGetAttributes(unsigned n, const int *what, void **into, uint64_t address) {
    ENTER("cuPointerGetAttributes");
    const block *b = find(address);
    for (unsigned i = 0; i < n; i++) {
        switch (what[i]) {
        case 2: *(int *)into[i] = b ? b->type : 0; break;
        case 3: *(uint64_t *)into[i] = b ? address : 0; break;
        case 4: *(uint64_t *)into[i] = b && b->type == HOST ? address : 0; break;
        case 9: *(int *)into[i] = b && b->type == DEVICE ? b->device : -2; break;
        default: return leave(INVALID_VALUE);
        }
    }
    return leave(OK);
}

int cuStreamIsCapturing(void *stream, int *status) {
    ENTER("cuStreamIsCapturing");
    *status = capturing && stream == capture_stream;
    return leave(capturing && (uintptr_t)stream <= 1 && stream != capture_stream ? CAPTURE_IMPLICIT : OK);
}

int cuStreamSynchronize(void *stream) {
    ENTER("cuStreamSynchronize");
    (void)stream;
    int r = refuse_in_capture("cuStreamSynchronize");
    if (r == OK) flush();
    return leave(r);
}

/* All work runs in the order of submission, so waiting is only counted. */
int cuEventCreate(void **event, unsigned flags) {
    ENTER("cuEventCreate");
    (void)flags;
    *event = malloc(1);
    return leave(*event ? OK : OUT_OF_MEMORY);
}

int cuEventRecord(void *event, void *stream) {
    ENTER("cuEventRecord");
    (void)event, (void)stream;
    return leave(current() ? OK : INVALID_CONTEXT);
}

int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
    ENTER("cuStreamWaitEvent");
    (void)stream, (void)event, (void)flags;
    return leave(current() ? OK : INVALID_CONTEXT);
}

int cuEventDestroy_v2(void *event) {
    free(event);
    return OK;
}

/* ------------------------------------------------------------------ PTX */

typedef struct linker {
    char *log;
    size_t log_cap;
    int part;
    char image[64];
} linker;

int cuLinkCreate_v2(unsigned n, int *options, void **values, void **out) {
    ENTER("cuLinkCreate");
    linker *l = calloc(1, sizeof *l);
    if (!l) return leave(OUT_OF_MEMORY);
    for (unsigned i = 0; i < n; i++) {
        if (options[i] == 5) l->log = values[i];
        if (options[i] == 6) l->log_cap = (size_t)(uintptr_t)values[i];
    }
    *out = l;
    return leave(OK);
}

int cuLinkAddData_v2(void *link, int type, void *data, size_t n, const char *name, unsigned n_options, int *options,
                     void **values) {
    ENTER("cuLinkAddData");
    linker *l = link;
    (void)name, (void)n_options, (void)options, (void)values;
    if (type == 1 && n > 8 && memcmp(data, "// PTX", 6) == 0) {
        if (sscanf(data, "// PTX part %d", &l->part) != 1) l->part = -1;
        return leave(OK);
    }
    if (l->log && l->log_cap) snprintf(l->log, l->log_cap, "ptxas fatal: this is no PTX");
    return leave(INVALID_PTX);
}

int cuLinkComplete(void *link, void **image, size_t *n) {
    ENTER("cuLinkComplete");
    linker *l = link;
    *n = (size_t)snprintf(l->image, sizeof l->image, "FAKECUBIN sm_%d part %d\nlinked", env("FAKE_CUDA_SM", 90),
                          l->part);
    *image = l->image;
    return leave(OK);
}

int cuLinkDestroy(void *link) {
    free(link);
    return OK;
}
