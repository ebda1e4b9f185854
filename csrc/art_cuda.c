/* SPDX-License-Identifier: Apache-2.0 */
#include "art_cuda.h"

#include "art_dl.h"
#include <stdio.h>
#include <unistd.h>

enum {
    ATTR_MAJOR = 75,
    ATTR_MINOR = 76,
    ATTR_SM = 16,
    FUNCTION_DYNAMIC_SHARED = 8,
    LINK_INPUT_PTX = 1,
    EVENT_WITHOUT_TIMES = 2
};
enum { JIT_ERROR_LOG = 5, JIT_ERROR_LOG_BYTES = 6 }; /* CUjit_option */

#define SHARED_WITHOUT_ASKING 48u * 1024u

/* ------------------------------------------------------------------ the driver */

art_status arti_cuda_fail(const art_cuda *c, art_error *err, int result, const char *what) {
    const char *name = NULL, *words = NULL;
    if (c->f.error_name(result, &name) != CU_OK || !name) name = "unknown error";
    if (c->f.error_string(result, &words) != CU_OK || !words) words = "";
    if (result >= CU_STREAM_CAPTURE_FIRST && result <= CU_STREAM_CAPTURE_LAST)
        return arti_fail(err, ART_E_STATE, 0, "%s: not while a graph is captured: %s (%d)", what, name, result);
    return arti_fail(err, result == CU_OUT_OF_MEMORY ? ART_E_NOMEM : ART_E_DEVICE, 0, "%s: %s (%d)%s%s", what, name,
                     result, *words ? ": " : "", words);
}

art_cuda *arti_cuda_ref(art_cuda *c) {
    atomic_fetch_add_explicit(&c->refs, 1u, memory_order_relaxed);
    return c;
}

static void release(art_cuda *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1u, memory_order_acq_rel) != 1) return;
    if (c->pid == (int64_t)getpid()) {
        for (uint32_t i = 0; i < c->n_contexts; i++) { /* a context that is gone took its modules along */
            const arti_cuda_kernels *k = &c->kernels[i];
            unsigned long long id = 0;
            if (c->f.ctx_id && c->f.ctx_id(k->ctx, &id) == CU_OK && id == k->ctx_id && c->f.ctx_push(k->ctx) == CU_OK) {
                void *popped;
                for (uint32_t part = 0; part < ART_CUDA_N_PARTS; part++)
                    if (k->module[part]) c->f.module_unload(k->module[part]);
                c->f.ctx_pop(&popped);
            }
        }
    }
    for (art_cuda_array *a = c->kept, *next; a; a = next) {
        next = a->next;
        arti_cuda_scope scope;
        if (arti_cuda_enter(c, a->device, &scope, NULL) == ART_OK) {
            c->f.mem_free(a->address);
            arti_cuda_leave(&scope);
        }
        arti_free(&c->mem, a, sizeof *a);
    }
    for (uint32_t i = 0; i < c->n_devices; i++) {
        if (c->dev[i].primary && c->pid == (int64_t)getpid()) c->f.primary_release(c->dev[i].handle);
        for (uint32_t part = 0; part < ART_CUDA_N_PARTS; part++)
            arti_free(&c->mem, c->dev[i].part[part].code, c->dev[i].part[part].len);
    }
    pthread_mutex_destroy(&c->load_lock);
    pthread_mutex_destroy(&c->lock);
    arti_mem mem = c->mem;
    arti_free(&mem, c, sizeof *c);
}

#define NEEDED(name, field, args) {#name, offsetof(TABLE, field), false},
#define WELCOME(name, field, args) {#name, offsetof(TABLE, field), true},

static const arti_dl_symbol driver_symbols[] = {
#define TABLE arti_cuda_api
    ARTI_CUDA_REQUIRED(NEEDED) ARTI_CUDA_OPTIONAL(WELCOME)
#undef TABLE
};

static const arti_dl driver_library = {.code = ART_E_DEVICE,
                                       .absent = "no CUDA driver",
                                       .hint = "; it comes with NVIDIA's display driver",
                                       .unfit = "no CUDA driver, or one that is too old (CUDA 11.2 is needed)",
                                       .symbols = driver_symbols,
                                       .n_symbols = sizeof driver_symbols / sizeof *driver_symbols};

static art_status read_device(art_cuda *c, int ordinal, art_error *err) {
    arti_cuda_dev *d = &c->dev[ordinal];
    int major = 0, minor = 0, n_sm = 0;
    size_t memory = 0;
    int r = c->f.device_get(&d->handle, ordinal);
    if (r == CU_OK) r = c->f.device_name(d->info.name, (int)sizeof d->info.name, d->handle);
    if (r == CU_OK) r = c->f.device_attribute(&major, ATTR_MAJOR, d->handle);
    if (r == CU_OK) r = c->f.device_attribute(&minor, ATTR_MINOR, d->handle);
    if (r == CU_OK) r = c->f.device_attribute(&n_sm, ATTR_SM, d->handle);
    if (r == CU_OK) r = c->f.device_memory(&memory, d->handle);
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "a CUDA device can not be read");
    d->info.name[sizeof d->info.name - 1] = 0;
    d->info.major = (uint32_t)major;
    d->info.minor = (uint32_t)minor;
    d->info.n_sm = (uint32_t)n_sm;
    d->info.memory_total = memory;
    return ART_OK;
}

static art_status start(art_cuda *c, const char *path, art_error *err) {
    art_status st = arti_dl_open(&driver_library, path, &c->f, err);
    if (st != ART_OK) return st;
    int version = 0, n = 0, r = c->f.driver_version(&version);
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "the CUDA driver does not say its version");
    if (version < ARTI_CUDA_DRIVER_MIN)
        return arti_fail(err, ART_E_DEVICE, 0, "the CUDA driver is too old: it serves CUDA %d.%d, and 11.2 is needed",
                         version / 1000, version % 1000 / 10);
    c->driver_version = (uint32_t)version;
    r = c->f.init(0);
    if (r == CU_NO_DEVICE)
        return arti_fail(err, ART_E_DEVICE, 0, "there is a CUDA driver, but no CUDA device that this process may use");
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "the CUDA driver does not start");
    r = c->f.device_count(&n);
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "CUDA devices can not be counted");
    if (n <= 0)
        return arti_fail(err, ART_E_DEVICE, 0, "there is a CUDA driver, but no CUDA device that this process may use");
    c->n_devices = (uint32_t)n < ARTI_CUDA_DEVICES_MAX ? (uint32_t)n : ARTI_CUDA_DEVICES_MAX;
    for (uint32_t i = 0; i < c->n_devices && st == ART_OK; i++) st = read_device(c, (int)i, err);
    return st;
}

art_status art_cuda_open(const char *driver_path, const art_alloc *alloc, art_cuda **out, art_error *err) {
    *out = NULL;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_cuda *c = arti_calloc(&mem, sizeof *c);
    if (!c) return arti_mem_fail(&mem, err);
    c->mem = mem;
    c->pid = (int64_t)getpid();
    atomic_init(&c->refs, 1u);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->load_lock, NULL);
    art_status st = start(c, driver_path ? driver_path : "libcuda.so.1", err);
    if (st != ART_OK) {
        release(c);
        return st;
    }
    *out = c;
    return ART_OK;
}

void art_cuda_free(art_cuda *c) {
    release(c);
}

uint32_t art_cuda_driver_version(const art_cuda *c) {
    return c->driver_version;
}

uint32_t art_cuda_device_count(const art_cuda *c) {
    return c->n_devices;
}

static art_status check_device(const art_cuda *c, uint32_t device, art_error *err) {
    if (device < c->n_devices) return ART_OK;
    return arti_fail(err, ART_E_DEVICE, 0, "there is no CUDA device %u: this process has %u", device, c->n_devices);
}

art_status art_cuda_device_info(const art_cuda *c, uint32_t device, art_cuda_device *out, art_error *err) {
    art_status st = check_device(c, device, err);
    if (st == ART_OK) *out = c->dev[device].info;
    return st;
}

/* ------------------------------------------------------------------ contexts */

static art_status primary_of(art_cuda *c, arti_cuda_dev *d, void **ctx, art_error *err) {
    int r = CU_OK;
    pthread_mutex_lock(&c->lock);
    if (!d->primary) r = c->f.primary_retain(&d->primary, d->handle);
    if (r != CU_OK) d->primary = NULL;
    *ctx = d->primary;
    pthread_mutex_unlock(&c->lock);
    return r == CU_OK ? ART_OK : arti_cuda_fail(c, err, r, "the device's primary context can not be had");
}

art_status arti_cuda_enter(art_cuda *c, uint32_t device, arti_cuda_scope *scope, art_error *err) {
    *scope = (arti_cuda_scope){.cuda = c};
    if (c->pid != (int64_t)getpid())
        return arti_fail(err, ART_E_FORKED, 0, "CUDA was opened by another process: it does not work after a fork");
    art_status st = check_device(c, device, err);
    if (st != ART_OK) return st;
    scope->dev = &c->dev[device];
    int current = -1;
    if (c->f.ctx_current(&scope->ctx) == CU_OK && scope->ctx && c->f.ctx_device(&current) == CU_OK &&
        current == scope->dev->handle)
        return ART_OK;
    st = primary_of(c, scope->dev, &scope->ctx, err);
    if (st != ART_OK) return st;
    int r = c->f.ctx_push(scope->ctx);
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "the device's context can not be made current");
    scope->pushed = true;
    return ART_OK;
}

void arti_cuda_leave(arti_cuda_scope *scope) {
    void *popped;
    if (scope->pushed) scope->cuda->f.ctx_pop(&popped);
    scope->pushed = false;
}

int art_cuda_is_capturing(art_cuda *c, uint32_t device, uint64_t stream) {
    arti_cuda_scope scope;
    if (arti_cuda_enter(c, device, &scope, NULL) != ART_OK) return -1;
    int status = 0, r = c->f.stream_is_capturing((void *)(uintptr_t)stream, &status);
    arti_cuda_leave(&scope);
    if (r == CU_STREAM_CAPTURE_IMPLICIT) return 1;
    return r == CU_OK ? status != 0 : -1;
}

art_status art_cuda_synchronize(art_cuda *c, uint32_t device, art_error *err) {
    arti_cuda_scope scope;
    art_status st = arti_cuda_enter(c, device, &scope, err);
    if (st != ART_OK) return st;
    int r = c->f.ctx_synchronize();
    arti_cuda_leave(&scope);
    return r == CU_OK ? ART_OK : arti_cuda_fail(c, err, r, "the device can not be waited for");
}

art_status art_cuda_order(art_cuda *c, uint32_t device, uint64_t first, uint64_t then, art_error *err) {
    arti_cuda_scope scope;
    art_status st = arti_cuda_enter(c, device, &scope, err);
    if (st != ART_OK) return st;
    void *event = NULL;
    int r = c->f.event_create(&event, EVENT_WITHOUT_TIMES);
    if (r == CU_OK) r = c->f.event_record(event, (void *)(uintptr_t)first);
    if (r == CU_OK) r = c->f.stream_wait((void *)(uintptr_t)then, event, 0);
    if (event) c->f.event_destroy(event);
    arti_cuda_leave(&scope);
    return r == CU_OK ? ART_OK : arti_cuda_fail(c, err, r, "a stream can not be made to wait for another one");
}

art_status art_cuda_device_of(art_cuda *c, uint64_t address, uint32_t *device, art_error *err) {
    int what[2] = {CU_POINTER_MEMORY_TYPE, CU_POINTER_DEVICE_ORDINAL}, type = 0, ordinal = -1;
    void *into[2] = {&type, &ordinal};
    *device = 0;
    if (c->pid != (int64_t)getpid())
        return arti_fail(err, ART_E_FORKED, 0, "CUDA was opened by another process: it does not work after a fork");
    int r = c->f.pointer_attributes(2, what, into, address);
    if (r != CU_OK) { /* perhaps for want of a current context */
        arti_cuda_scope scope;
        art_status st = arti_cuda_enter(c, 0, &scope, err);
        if (st != ART_OK) return st;
        r = c->f.pointer_attributes(2, what, into, address);
        arti_cuda_leave(&scope);
    }
    if (r != CU_OK) return arti_cuda_fail(c, err, r, "an address can not be looked up");
    if (type != CU_MEMORY_DEVICE && type != CU_MEMORY_UNIFIED)
        return arti_fail(err, ART_E_ARG, 0,
                         type ? "in host memory; it has to be on a CUDA device"
                              : "no memory of CUDA's is there: it was freed, or it is ordinary host memory");
    for (uint32_t i = 0; i < c->n_devices; i++)
        if (c->dev[i].handle == ordinal) *device = i;
    return ART_OK;
}

/* ------------------------------------------------------------------ kernels */

static art_status check_part(uint32_t part, art_error *err) {
    if (part < ART_CUDA_N_PARTS) return ART_OK;
    return arti_fail(err, ART_E_ARG, 0, "there is no part %u of the kernels", part);
}

static const char *part_name(uint32_t part) {
    static const char *const names[ART_CUDA_N_PARTS] = {"float32 logits", "float16 logits", "bfloat16 logits", "masks",
                                                        "batches"};
    return names[part];
}

/* Keeps a copy of the code, or none when code is NULL. */
static art_status keep_code(art_cuda *c, arti_cuda_dev *d, uint32_t part, const uint8_t *code, size_t len,
                            art_error *err) {
    art_status st = ART_OK;
    pthread_mutex_lock(&c->lock);
    if (code) {
        uint8_t *copy = arti_realloc(&c->mem, NULL, 0, len + 1);
        if (copy) {
            memcpy(copy, code, len);
            copy[len] = 0; /* a driver that is handed text reads up to a NUL */
            d->part[part].code = copy;
            d->part[part].len = len + 1;
        } else {
            st = arti_mem_fail(&c->mem, err);
        }
    } else {
        arti_free(&c->mem, d->part[part].code, d->part[part].len);
        d->part[part].code = NULL;
        d->part[part].len = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

art_status art_cuda_load(art_cuda *c, uint32_t device, uint32_t part, const uint8_t *code, size_t len, art_error *err) {
    arti_cuda_scope scope;
    const arti_cuda_kernels *kernels;
    art_status st = check_part(part, err);
    if (st == ART_OK) st = arti_cuda_enter(c, device, &scope, err);
    if (st != ART_OK) return st;
    pthread_mutex_lock(&c->load_lock);
    if (!art_cuda_is_loaded(c, device, part)) {
        st = keep_code(c, scope.dev, part, code, len, err);
        if (st == ART_OK) {
            st = arti_cuda_need(&scope, part, false, &kernels, err);
            /* not kernels: the next call may bring better ones */
            if (st != ART_OK) keep_code(c, scope.dev, part, NULL, 0, NULL);
        }
    }
    pthread_mutex_unlock(&c->load_lock);
    arti_cuda_leave(&scope);
    return st;
}

int art_cuda_is_loaded(art_cuda *c, uint32_t device, uint32_t part) {
    if (device >= c->n_devices || part >= ART_CUDA_N_PARTS) return 0;
    pthread_mutex_lock(&c->lock);
    int yes = c->dev[device].part[part].code != NULL;
    pthread_mutex_unlock(&c->lock);
    return yes;
}

static int load_part(const arti_cuda_scope *scope, arti_cuda_kernels *k, uint32_t part) {
    const arti_cuda_api *f = &scope->cuda->f;
    void *module;
    int r = f->module_load(&module, scope->dev->part[part].code);
    if (r != CU_OK) return r;
    for (uint32_t i = 0; i < ART_CUDA_N_KERNELS && r == CU_OK; i++) {
        if (art_cuda_part_of(i) != part) continue;
        r = f->module_function(&k->kernel[i], module, art_cuda_kernel_name(i));
        uint32_t shared = art_cuda_kernel_shared_max(i);
        if (r == CU_OK && shared > SHARED_WITHOUT_ASKING)
            r = f->function_set(k->kernel[i], FUNCTION_DYNAMIC_SHARED, (int)shared);
    }
    if (r == CU_OK)
        k->module[part] = module;
    else
        f->module_unload(module);
    return r;
}

/* The current context's entry, a new one if it has none; NULL: there is no room. The lock is held. */
static arti_cuda_kernels *entry_of(const arti_cuda_scope *scope) {
    art_cuda *c = scope->cuda;
    unsigned long long id = 0;
    if (c->f.ctx_id && c->f.ctx_id(scope->ctx, &id) != CU_OK) id = 0;
    for (uint32_t i = 0; i < c->n_contexts; i++)
        if (c->kernels[i].ctx == scope->ctx && c->kernels[i].ctx_id == id) return &c->kernels[i];
    if (c->n_contexts == ARTI_CUDA_CONTEXTS_MAX) return NULL;
    arti_cuda_kernels *k = &c->kernels[c->n_contexts++];
    *k = (arti_cuda_kernels){.ctx = scope->ctx, .ctx_id = id};
    return k;
}

art_status arti_cuda_need(const arti_cuda_scope *scope, uint32_t part, bool capturing, const arti_cuda_kernels **out,
                          art_error *err) {
    art_cuda *c = scope->cuda;
    art_status st = ART_OK;
    *out = NULL;
    pthread_mutex_lock(&c->lock);
    arti_cuda_kernels *k = entry_of(scope);
    if (!k) {
        st = arti_fail(err, ART_E_LIMIT, 0, "kernels are loaded in ARTI_CUDA_CONTEXTS_MAX contexts already");
    } else if (!k->module[part]) {
        if (!scope->dev->part[part].code) {
            st = arti_fail(err, ART_E_STATE, 0, "the kernels for %s are not loaded for this device", part_name(part));
        } else if (capturing) {
            st = arti_fail(err, ART_E_STATE, 0,
                           "the kernels for %s are not loaded in this context, and can not be while a graph is "
                           "captured: call once before",
                           part_name(part));
        } else {
            int r = load_part(scope, k, part);
            if (r != CU_OK) {
                st = arti_cuda_fail(c, err, r, "the driver does not take the kernels");
                if (st == ART_E_DEVICE) st = ART_E_FORMAT;
                if (err) err->code = st;
            }
        }
    }
    if (st == ART_OK) *out = k;
    pthread_mutex_unlock(&c->lock);
    return st;
}

art_status arti_cuda_launch(const arti_cuda_scope *scope, const arti_cuda_kernels *k, const art_cuda_launch *l,
                            void *args, uint64_t stream, art_error *err) {
    void *params[1] = {args};
    int r = scope->cuda->f.launch(k->kernel[l->kernel], l->grid_x, l->grid_y, 1, l->block_x, 1, 1, l->shared_bytes,
                                  (void *)(uintptr_t)stream, params, NULL);
    return r == CU_OK ? ART_OK : arti_cuda_fail(scope->cuda, err, r, art_cuda_kernel_name(l->kernel));
}

/* ------------------------------------------------------------------ arrays */

/* Which arrays may follow each other in the same memory. Each thread has a per-thread default stream of its own. */
static uint64_t reuse_key(uint64_t stream) {
    return stream == CU_PER_THREAD_STREAM ? (uint64_t)(uintptr_t)pthread_self() ^ stream : stream;
}

static art_cuda_array *take_kept(art_cuda *c, uint32_t device, uint64_t stream, size_t n_bytes) { /* lock is held */
    for (art_cuda_array **at = &c->kept; *at; at = &(*at)->next) {
        art_cuda_array *a = *at;
        if (a->device != device || a->stream != stream || a->n_bytes != n_bytes) continue;
        *at = a->next;
        c->n_kept--;
        return a;
    }
    return NULL;
}

/* The last of the list when there are too many, for the caller to free. */
static art_cuda_array *take_oldest(art_cuda *c) { /* lock is held */
    if (c->n_kept <= ARTI_CUDA_KEPT_MAX) return NULL;
    art_cuda_array **at = &c->kept;
    while ((*at)->next) at = &(*at)->next;
    art_cuda_array *a = *at;
    *at = NULL;
    c->n_kept--;
    return a;
}

art_status art_cuda_array_new(art_cuda *c, uint32_t device, uint64_t stream, size_t n_bytes, art_cuda_array **out,
                              art_error *err) {
    *out = NULL;
    arti_cuda_scope scope;
    art_status st = arti_cuda_enter(c, device, &scope, err);
    if (st != ART_OK) return st;
    n_bytes = n_bytes ? (n_bytes + 255u) / 256u * 256u : 256u;
    stream = reuse_key(stream);
    pthread_mutex_lock(&c->lock);
    art_cuda_array *a = take_kept(c, device, stream, n_bytes), *old = NULL;
    if (!a) {
        old = take_oldest(c);
        a = arti_calloc(&c->mem, sizeof *a);
        if (!a) st = arti_mem_fail(&c->mem, err);
    }
    pthread_mutex_unlock(&c->lock);
    if (old) c->f.mem_free(old->address);
    if (a && !a->address) {
        int r = c->f.mem_alloc(&a->address, n_bytes);
        if (r != CU_OK) st = arti_cuda_fail(c, err, r, "memory on the device");
    }
    arti_cuda_leave(&scope);
    if (old || (a && st != ART_OK)) {
        pthread_mutex_lock(&c->lock);
        if (old) arti_free(&c->mem, old, sizeof *old);
        if (st != ART_OK && a) arti_free(&c->mem, a, sizeof *a);
        pthread_mutex_unlock(&c->lock);
    }
    if (st != ART_OK) return st;
    a->cuda = arti_cuda_ref(c);
    a->device = device;
    a->stream = stream;
    a->n_bytes = n_bytes;
    a->next = NULL;
    atomic_init(&a->refs, 1u);
    *out = a;
    return ART_OK;
}

art_cuda_array *art_cuda_array_ref(art_cuda_array *a) {
    atomic_fetch_add_explicit(&a->refs, 1u, memory_order_relaxed);
    return a;
}

void art_cuda_array_free(art_cuda_array *a) {
    if (!a || atomic_fetch_sub_explicit(&a->refs, 1u, memory_order_acq_rel) != 1) return;
    art_cuda *c = a->cuda;
    pthread_mutex_lock(&c->lock);
    a->cuda = NULL;
    a->next = c->kept;
    c->kept = a;
    c->n_kept++;
    pthread_mutex_unlock(&c->lock);
    release(c);
}

uint64_t art_cuda_array_address(const art_cuda_array *a) {
    return a->address;
}

/* ------------------------------------------------------------------ compilers */

struct art_cuda_code {
    arti_mem mem;
    size_t len;
    uint8_t bytes[];
};

static art_status new_code(const art_alloc *alloc, size_t len, art_cuda_code **out, art_error *err) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_cuda_code *code = arti_calloc(&mem, sizeof *code + len);
    if (!code) return arti_mem_fail(&mem, err);
    code->mem = mem;
    code->len = len;
    *out = code;
    return ART_OK;
}

const uint8_t *art_cuda_code_bytes(const art_cuda_code *code, size_t *len) {
    *len = code->len;
    return code->bytes;
}

void art_cuda_code_free(art_cuda_code *code) {
    if (!code) return;
    arti_mem mem = code->mem;
    arti_free(&mem, code, sizeof *code + code->len);
}

art_status art_cuda_assemble(art_cuda *c, uint32_t device, const uint8_t *ptx, size_t len, char *log, size_t log_cap,
                             art_cuda_code **out, art_error *err) {
    *out = NULL;
    char scratch[256];
    if (!log || !log_cap) {
        log = scratch;
        log_cap = sizeof scratch;
    }
    log[0] = 0;
    arti_cuda_scope scope;
    art_status st = arti_cuda_enter(c, device, &scope, err);
    if (st != ART_OK) return st;
    void *link = NULL, *code = NULL;
    size_t code_len = 0;
    int options[2] = {JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES};
    void *values[2] = {log, (void *)(uintptr_t)log_cap};
    int r = c->f.link_create(2, options, values, &link);
    if (r == CU_OK) r = c->f.link_add(link, LINK_INPUT_PTX, (void *)(uintptr_t)ptx, len, "agentrt.ptx", 0, NULL, NULL);
    if (r == CU_OK) r = c->f.link_complete(link, &code, &code_len);
    log[log_cap - 1] = 0;
    if (r != CU_OK)
        st = arti_cuda_fail(c, err, r, "the driver does not compile the PTX");
    else if ((st = new_code(&c->mem.alloc, code_len, out, err)) == ART_OK)
        memcpy((*out)->bytes, code, code_len);
    if (link) c->f.link_destroy(link);
    arti_cuda_leave(&scope);
    return st;
}

#define NVRTC_REQUIRED(X)                                                                                              \
    X(nvrtcVersion, version, (int *, int *))                                                                           \
    X(nvrtcCreateProgram, create,                                                                                      \
      (void **, const char *, const char *, int, const char *const *, const char *const *))                            \
    X(nvrtcDestroyProgram, destroy, (void **))                                                                         \
    X(nvrtcCompileProgram, compile, (void *, int, const char *const *))                                                \
    X(nvrtcGetProgramLogSize, log_size, (void *, size_t *))                                                            \
    X(nvrtcGetProgramLog, log, (void *, char *))                                                                       \
    X(nvrtcGetCUBINSize, cubin_size, (void *, size_t *))                                                               \
    X(nvrtcGetCUBIN, cubin, (void *, char *))                                                                          \
    X(nvrtcGetPTXSize, ptx_size, (void *, size_t *))                                                                   \
    X(nvrtcGetPTX, ptx, (void *, char *))

#define NVRTC_OPTIONAL(X)                                                                                              \
    X(nvrtcGetNumSupportedArchs, n_archs, (int *))                                                                     \
    X(nvrtcGetSupportedArchs, archs, (int *))

typedef struct nvrtc {
#define FIELD(name, field, args) int(*field) args;
    NVRTC_REQUIRED(FIELD)
    NVRTC_OPTIONAL(FIELD)
#undef FIELD
    const char *(*words)(int);
} nvrtc;

#define NVRTC_ARCHS_MAX 128
#define NVRTC_FILES_MAX 16u

static const arti_dl_symbol nvrtc_symbols[] = {
#define TABLE nvrtc
    NVRTC_REQUIRED(NEEDED) NVRTC_OPTIONAL(WELCOME) NEEDED(nvrtcGetErrorString, words, )
#undef TABLE
};

static art_status open_nvrtc(const char *path, nvrtc *n, art_error *err) {
    static const arti_dl library = {.code = ART_E_DEVICE,
                                    .absent = "no NVRTC",
                                    .hint = "",
                                    .unfit = "no NVRTC that agentrt can use (11.2 or later)",
                                    .symbols = nvrtc_symbols,
                                    .n_symbols = sizeof nvrtc_symbols / sizeof *nvrtc_symbols};
    return arti_dl_open(&library, path, n, err);
}

art_status art_nvrtc_version(const char *path, uint32_t *version, uint32_t *arch_max, art_error *err) {
    *version = *arch_max = 0;
    nvrtc n;
    art_status st = open_nvrtc(path, &n, err);
    if (st != ART_OK) return st;
    int major = 0, minor = 0, n_archs = 0, archs[NVRTC_ARCHS_MAX];
    int r = n.version(&major, &minor);
    if (r != 0) return arti_fail(err, ART_E_DEVICE, 0, "%s does not say its version: %s", path, n.words(r));
    *version = (uint32_t)(major * 1000 + minor * 10);
    if (!n.n_archs || !n.archs || n.n_archs(&n_archs) != 0 || n_archs > NVRTC_ARCHS_MAX || n.archs(archs) != 0)
        return ART_OK;
    for (int i = 0; i < n_archs; i++)
        if (archs[i] > 0 && (uint32_t)archs[i] > *arch_max) *arch_max = (uint32_t)archs[i];
    return ART_OK;
}

/* The compiler's messages, cut to what there is room for. */
static art_status copy_log(const nvrtc *n, void *program, arti_mem *mem, char *log, size_t cap, art_error *err) {
    size_t len = 0;
    if (!log || !cap || n->log_size(program, &len) != 0 || !len) return ART_OK;
    char *whole = arti_calloc(mem, len + 1);
    if (!whole) return arti_mem_fail(mem, err);
    if (n->log(program, whole) == 0) snprintf(log, cap, "%s", whole);
    arti_free(mem, whole, len + 1);
    return ART_OK;
}

art_status art_nvrtc_compile(const char *path, const art_cuda_file *files, size_t n_files, const char *const *options,
                             size_t n_options, int as_ptx, const art_alloc *alloc, char *log, size_t log_cap,
                             art_cuda_code **out, art_error *err) {
    *out = NULL;
    if (log && log_cap) log[0] = 0;
    if (!n_files || n_files > NVRTC_FILES_MAX || n_options > INT32_MAX)
        return arti_fail(err, ART_E_ARG, 0, "between 1 and %u files can be compiled, not %zu", NVRTC_FILES_MAX,
                         n_files);
    nvrtc n;
    art_status st = open_nvrtc(path, &n, err);
    if (st != ART_OK) return st;
    const char *texts[NVRTC_FILES_MAX], *names[NVRTC_FILES_MAX];
    for (size_t i = 1; i < n_files; i++) {
        names[i - 1] = files[i].name;
        texts[i - 1] = files[i].text;
    }
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    void *program = NULL;
    size_t len = 0;
    int r = n.create(&program, files[0].text, files[0].name, (int)(n_files - 1), texts, names);
    if (r != 0) return arti_fail(err, ART_E_DEVICE, 0, "NVRTC does not take the kernels' source: %s", n.words(r));
    r = n.compile(program, (int)n_options, options);
    st = copy_log(&n, program, &mem, log, log_cap, err);
    if (st == ART_OK && r == 0) r = as_ptx ? n.ptx_size(program, &len) : n.cubin_size(program, &len);
    if (st == ART_OK && r == 0) st = new_code(alloc, len, out, err);
    if (st == ART_OK && r == 0)
        r = as_ptx ? n.ptx(program, (char *)(*out)->bytes) : n.cubin(program, (char *)(*out)->bytes);
    if (st == ART_OK && r != 0) {
        art_cuda_code_free(*out);
        *out = NULL;
        st = arti_fail(err, ART_E_DEVICE, 0, "the kernels do not compile: %s", n.words(r));
    }
    n.destroy(&program);
    return st;
}
