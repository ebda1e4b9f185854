/* SPDX-License-Identifier: Apache-2.0 */
#include "art_llama.h"

#include "art_dl.h"
#include "art_gguf.h"
#include "art_mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ what is used of libllama */

typedef struct blob { /* a parameter struct of unknown size */
    _Alignas(16) uint8_t b[1024];
} blob;

typedef struct batch { /* llama_batch */
    int32_t n_tokens;
    int32_t *token;
    float *embd;
    int32_t *pos;
    int32_t *n_seq_id;
    int32_t **seq_id;
    int8_t *logits;
} batch;

enum { GGML_DEBUG = 1, GGML_INFO = 2, GGML_WARN = 3, GGML_ERROR = 4, GGML_CONT = 5 };
typedef void log_fn(int level, const char *text, void *ud);

#define REQUIRED(X)                                                                                                    \
    X(void, llama_backend_init, (void))                                                                                \
    X(void, llama_log_set, (log_fn *, void *))                                                                         \
    X(blob, llama_model_default_params, (void))                                                                        \
    X(blob, llama_context_default_params, (void))                                                                      \
    X(void *, llama_model_load_from_file, (const char *, blob))                                                        \
    X(void, llama_model_free, (void *))                                                                                \
    X(const void *, llama_model_get_vocab, (const void *))                                                             \
    X(int32_t, llama_model_n_ctx_train, (const void *))                                                                \
    X(int32_t, llama_model_meta_val_str, (const void *, const char *, char *, size_t))                                 \
    X(void *, llama_init_from_model, (void *, blob))                                                                   \
    X(void, llama_free, (void *))                                                                                      \
    X(uint32_t, llama_n_ctx, (const void *))                                                                           \
    X(uint32_t, llama_n_batch, (const void *))                                                                         \
    X(uint32_t, llama_n_seq_max, (const void *))                                                                       \
    X(void, llama_set_n_threads, (void *, int32_t, int32_t))                                                           \
    X(void, llama_set_abort_callback, (void *, bool (*)(void *), void *))                                              \
    X(int32_t, llama_decode, (void *, batch))                                                                          \
    X(float *, llama_get_logits_ith, (void *, int32_t))                                                                \
    X(void *, llama_get_memory, (const void *))                                                                        \
    X(void, llama_memory_clear, (void *, bool))                                                                        \
    X(bool, llama_memory_seq_rm, (void *, int32_t, int32_t, int32_t))                                                  \
    X(int32_t, llama_memory_seq_pos_min, (void *, int32_t))                                                            \
    X(size_t, llama_state_seq_get_size, (void *, int32_t))                                                             \
    X(size_t, llama_state_seq_get_data, (void *, uint8_t *, size_t, int32_t))                                          \
    X(size_t, llama_state_seq_set_data, (void *, const uint8_t *, size_t, int32_t))                                    \
    X(int32_t, llama_tokenize, (const void *, const char *, int32_t, int32_t *, int32_t, bool, bool))                  \
    X(int32_t, llama_token_to_piece, (const void *, int32_t, char *, int32_t, int32_t, bool))                          \
    X(int32_t, llama_vocab_n_tokens, (const void *))                                                                   \
    X(int32_t, llama_vocab_bos, (const void *))                                                                        \
    X(int32_t, llama_vocab_eos, (const void *))                                                                        \
    X(int32_t, llama_vocab_eot, (const void *))                                                                        \
    X(bool, llama_vocab_get_add_bos, (const void *))                                                                   \
    X(bool, llama_vocab_is_eog, (const void *, int32_t))                                                               \
    X(bool, llama_vocab_is_control, (const void *, int32_t))

#define OPTIONAL(X)                                                                                                    \
    X(const char *, llama_version, (void))                                                                             \
    X(bool, llama_supports_gpu_offload, (void))                                                                        \
    X(void, llama_log_get, (log_fn **, void **))                                                                       \
    X(const char *, llama_load_mode_name, (int))                                                                       \
    X(bool, llama_model_is_recurrent, (const void *))                                                                  \
    X(bool, llama_model_is_hybrid, (const void *))                                                                     \
    X(bool, llama_model_has_decoder, (const void *))                                                                   \
    X(int32_t, llama_model_n_swa, (const void *))                                                                      \
    X(void, ggml_backend_load_all_from_path, (const char *))                                                           \
    X(void *, ggml_backend_load_cpu_from_path, (const char *))                                                         \
    X(size_t, ggml_backend_dev_count, (void))                                                                          \
    X(void *, ggml_backend_dev_get, (size_t))                                                                          \
    X(const char *, ggml_backend_dev_name, (void *))                                                                   \
    X(const char *, ggml_backend_dev_description, (void *))                                                            \
    X(int, ggml_backend_dev_type, (void *))                                                                            \
    X(void, ggml_backend_dev_memory, (void *, size_t *, size_t *))

typedef struct api {
#define FIELD(ret, name, args) ret(*name) args;
    REQUIRED(FIELD)
    OPTIONAL(FIELD)
#undef FIELD
} api;

/* ------------------------------------------------------------------ the library and its log */

#define LINE_MAX_ 1024u

typedef struct log_ring { /* whole lines, oldest first */
    pthread_mutex_t lock;
    size_t head, len; /* of ring */
    int level;        /* of the line being put together */
    size_t line_len;
    char line[LINE_MAX_];
    char error[256]; /* the first error line since it was cleared: it has the reason, later ones the consequences */
    char ring[ART_LLAMA_LOG_BYTES];
} log_ring;

struct art_llama {
    atomic_uint refs;
    arti_mem mem;
    api f;
    char *backend_dir;
    size_t backend_dir_size;
    pthread_mutex_t
        load_lock; /* model loading and backend loading, so that `log.error` belongs to the load that fails */
    bool cpu_loaded, all_loaded;
    log_ring log;
};

static void ring_drop_line(log_ring *g) {
    while (g->len) {
        char c = g->ring[g->head];
        g->head = (g->head + 1) % sizeof g->ring;
        g->len--;
        if (c == '\n') break;
    }
}

static void ring_put(log_ring *g, const char *s, size_t n) {
    size_t at = (g->head + g->len) % sizeof g->ring, first = sizeof g->ring - at < n ? sizeof g->ring - at : n;
    memcpy(g->ring + at, s, first);
    memcpy(g->ring, s + first, n - first);
    g->len += n;
}

static void log_end_line(log_ring *g) {
    static const char names[] = "IDIWEI";
    size_t n = g->line_len;
    while (n && (g->line[n - 1] == ' ' || g->line[n - 1] == '\r')) n--;
    g->line_len = 0;
    if (!n) return;
    if (g->level == GGML_ERROR && !g->error[0]) {
        size_t keep = n < sizeof g->error - 1 ? n : sizeof g->error - 1;
        memcpy(g->error, g->line, keep);
        g->error[keep] = 0;
    }
    while (g->len + n + 3 > sizeof g->ring) ring_drop_line(g);
    char head[2] = {names[g->level >= 0 && g->level <= GGML_CONT ? g->level : GGML_INFO], ':'};
    ring_put(g, head, 2);
    ring_put(g, g->line, n);
    ring_put(g, "\n", 1);
}

static void on_log(int level, const char *text, void *ud) {
    log_ring *g = ud;
    pthread_mutex_lock(&g->lock);
    if (level != GGML_CONT) {
        if (g->line_len) log_end_line(g);
        g->level = level;
    }
    for (; *text; text++) {
        if (*text == '\n') {
            log_end_line(g);
        } else if (g->line_len < LINE_MAX_) {
            g->line[g->line_len++] = *text;
        }
    }
    pthread_mutex_unlock(&g->lock);
}

static void log_nothing(int level, const char *text, void *ud) {
    (void)level;
    (void)text;
    (void)ud;
}

void art_llama_log(art_llama *l, char *buf, size_t cap, size_t *len) {
    log_ring *g = &l->log;
    size_t out = 0;
    pthread_mutex_lock(&g->lock);
    while (g->len) {
        size_t n = 1;
        while (g->ring[(g->head + n - 1) % sizeof g->ring] != '\n') n++;
        if (n > cap - out) {
            if (out || cap > LINE_MAX_ + 3) break;
            ring_drop_line(g); /* the buffer is smaller than any long line: it can never be taken */
            continue;
        }
        for (size_t i = 0; i < n; i++) buf[out++] = g->ring[(g->head + i) % sizeof g->ring];
        ring_drop_line(g);
    }
    pthread_mutex_unlock(&g->lock);
    *len = out;
}

static const char *first_error(art_llama *l) { /* load_lock is held */
    return l->log.error[0] ? l->log.error : "no reason was given";
}

static int32_t i32_at(const blob *p, size_t at) {
    int32_t v;
    memcpy(&v, p->b + at, sizeof v);
    return v;
}

static void set_i32(blob *p, size_t at, int32_t v) {
    memcpy(p->b + at, &v, sizeof v);
}

enum { /* stable places */
       MODEL_N_GPU_LAYERS = 16,
       CTX_N_CTX = 0,
       CTX_N_BATCH = 4,
       CTX_N_UBATCH = 8,
       CTX_N_SEQ_MAX = 12,
};

static art_status check_layout(art_llama *l, const char *path, art_error *err) {
    blob c = l->f.llama_context_default_params(), m = l->f.llama_model_default_params();
    static const uint8_t null_pointers[16];
    int32_t layers = i32_at(&m, MODEL_N_GPU_LAYERS);
    if (i32_at(&c, CTX_N_CTX) != 512 || i32_at(&c, CTX_N_BATCH) != 2048 || i32_at(&c, CTX_N_UBATCH) != 512 ||
        i32_at(&c, CTX_N_SEQ_MAX) != 1 || memcmp(m.b, null_pointers, sizeof null_pointers) != 0 ||
        (layers != 0 && layers != -1 && layers != 999))
        return arti_fail(err, ART_E_ENGINE, 0, "%s: this build's parameters have a layout that agentrt does not know",
                         path);
    return ART_OK;
}

/* Where the rarely needed fields are, as far as this build's defaults tell; 0: unknown. Three layouts exist. */
static size_t vocab_only_at(const art_llama *l, const blob *m) {
    if (!l->f.llama_load_mode_name) /* booleans vocab_only, use_mmap behind seven 8-byte slots */
        return m->b[64] == 0 && m->b[65] == 1 ? 64 : 0;
    if (i32_at(m, 28) == 0) return m->b[64] == 0 ? 64 : 0; /* load_mode at 24, main_gpu at 28 */
    return i32_at(m, 28) == 1 && m->b[72] == 0 ? 72 : 0;   /* load_mode at 24, lazy_mode at 28, main_gpu at 32 */
}

static bool set_no_mmap(const art_llama *l, blob *m) {
    size_t at = vocab_only_at(l, m);
    if (!at) return false;
    if (l->f.llama_load_mode_name) {
        set_i32(m, 24, 0);
    } else {
        m->b[at + 1] = 0;
    }
    return true;
}

static const arti_dl_symbol symbols[] = {
#define NEEDED(ret, name, args) {#name, offsetof(api, name), false},
#define WELCOME(ret, name, args) {#name, offsetof(api, name), true},
    REQUIRED(NEEDED) OPTIONAL(WELCOME)
#undef WELCOME
#undef NEEDED
};

static const arti_dl library = {.code = ART_E_ENGINE,
                                .absent = "can not be loaded",
                                .hint = "",
                                .unfit = "not a libllama that agentrt can use",
                                .symbols = symbols,
                                .n_symbols = sizeof symbols / sizeof *symbols};

static char *copy_dir(arti_mem *mem, const char *dir, const char *lib_path, size_t *size) {
    size_t n;
    if (dir) {
        n = strlen(dir);
    } else {
        const char *slash = strrchr(lib_path, '/');
        dir = slash ? lib_path : ".";
        n = slash ? (size_t)(slash - lib_path) : 1;
        if (!n) n = 1; /* "/libllama.so" */
    }
    char *copy = arti_realloc(mem, NULL, 0, n + 1);
    if (!copy) return NULL;
    memcpy(copy, dir, n);
    copy[n] = 0;
    *size = n + 1;
    return copy;
}

static void release(art_llama *l) {
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1) return;
    if (l->f.llama_log_set) {
        log_fn *now = on_log;
        void *ud = &l->log;
        if (l->f.llama_log_get) l->f.llama_log_get(&now, &ud);
        if (ud == &l->log) l->f.llama_log_set(log_nothing, NULL);
    }
    pthread_mutex_destroy(&l->load_lock);
    pthread_mutex_destroy(&l->log.lock);
    arti_mem mem = l->mem;
    arti_free(&mem, l->backend_dir, l->backend_dir_size);
    arti_free(&mem, l, sizeof *l);
}

art_status art_llama_open(const char *lib_path, const char *backend_dir, const art_alloc *alloc, art_llama **out,
                          art_error *err) {
    *out = NULL;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_llama *l = arti_calloc(&mem, sizeof *l);
    if (!l) return arti_mem_fail(&mem, err);
    l->mem = mem;
    atomic_init(&l->refs, 1);
    pthread_mutex_init(&l->load_lock, NULL);
    pthread_mutex_init(&l->log.lock, NULL);
    art_status st;
    l->backend_dir = copy_dir(&l->mem, backend_dir, lib_path, &l->backend_dir_size);
    if (!l->backend_dir) {
        st = arti_mem_fail(&l->mem, err);
        goto fail;
    }
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT")) setenv("OMP_WAIT_POLICY", "passive", 0);
    st = arti_dl_open(&library, lib_path, &l->f, err);
    if (st == ART_OK) st = check_layout(l, lib_path, err);
    if (st != ART_OK) {
        l->f.llama_log_set = NULL;
        goto fail;
    }
    l->f.llama_log_set(on_log, &l->log);
    l->f.llama_backend_init();
    *out = l;
    return ART_OK;
fail:
    release(l);
    return st;
}

void art_llama_free(art_llama *l) {
    release(l);
}

const char *art_llama_version(const art_llama *l) {
    return l->f.llama_version ? l->f.llama_version() : "";
}

/* Builds with the backends linked in have devices at once; the others load them from files. */
static void load_backends(art_llama *l, bool all) { /* load_lock is held */
    const api *f = &l->f;
    if (all && !l->all_loaded) {
        if (f->ggml_backend_load_all_from_path) f->ggml_backend_load_all_from_path(l->backend_dir);
        l->all_loaded = l->cpu_loaded = true;
    }
    if (!l->cpu_loaded) {
        bool have = f->ggml_backend_dev_count && f->ggml_backend_dev_count() > 0;
        if (!have && f->ggml_backend_load_cpu_from_path)
            have = f->ggml_backend_load_cpu_from_path(l->backend_dir) != NULL;
        if (!have && f->ggml_backend_load_all_from_path) f->ggml_backend_load_all_from_path(l->backend_dir);
        l->cpu_loaded = true;
    }
}

art_status art_llama_devices(art_llama *l, int all, art_device *devices, size_t cap, size_t *n, art_error *err) {
    *n = 0;
    const api *f = &l->f;
    pthread_mutex_lock(&l->load_lock);
    load_backends(l, all != 0);
    pthread_mutex_unlock(&l->load_lock);
    if (!f->ggml_backend_dev_count || !f->ggml_backend_dev_get || !f->ggml_backend_dev_name ||
        !f->ggml_backend_dev_description || !f->ggml_backend_dev_type || !f->ggml_backend_dev_memory)
        return arti_fail(err, ART_E_ENGINE, 0, "this libllama does not list its devices");
    *n = f->ggml_backend_dev_count();
    for (size_t i = 0; i < *n && i < cap; i++) {
        void *dev = f->ggml_backend_dev_get(i);
        size_t free_bytes = 0, total = 0;
        f->ggml_backend_dev_memory(dev, &free_bytes, &total);
        devices[i] = (art_device){.is_gpu = f->ggml_backend_dev_type(dev) == 1 || f->ggml_backend_dev_type(dev) == 2,
                                  .memory_free = free_bytes,
                                  .memory_total = total};
        snprintf(devices[i].name, sizeof devices[i].name, "%s", f->ggml_backend_dev_name(dev));
        snprintf(devices[i].description, sizeof devices[i].description, "%s", f->ggml_backend_dev_description(dev));
    }
    return ART_OK;
}

/* ------------------------------------------------------------------ model */

typedef struct model {
    art_llama *lib; /* one reference */
    arti_mem mem;
    void *llama;
    const void *vocab;
    uint32_t n_vocab;
} model;

static void model_free(void *handle) {
    model *m = handle;
    if (!m) return;
    if (m->llama) m->lib->f.llama_model_free(m->llama);
    release(m->lib);
    arti_mem mem = m->mem;
    arti_free(&mem, m, sizeof *m);
}

/* llama.cpp takes these for granted: it ends the process, or reads past an array, when they do not hold. */
#define LAYERS_MAX 512u

static uint64_t hash_of(const uint8_t *s, size_t len) { /* FNV-1a; never 0 */
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < len; i++) h = (h ^ s[i]) * UINT64_C(0x100000001B3);
    return h ? h : 1;
}

/* No two tokens may have the same text. Hashes of 64 bits stand for the texts. */
static art_status check_unique(const char *path, const arti_gguf_value *tokens, arti_mem *mem, art_error *err) {
    size_t cap = 16;
    while (cap < 2 * tokens->n) cap *= 2;
    uint64_t *seen = arti_calloc(mem, cap * sizeof *seen);
    if (!seen) return arti_mem_fail(mem, err);
    art_status st = ART_OK;
    const uint8_t *at = tokens->data;
    for (uint64_t i = 0; i < tokens->n && st == ART_OK; i++) {
        size_t len;
        const uint8_t *s = arti_gguf_next_string(&at, &len);
        if (!len) continue;
        uint64_t h = hash_of(s, len);
        size_t k = (size_t)(h ^ h >> 32) & (cap - 1);
        while (seen[k] && seen[k] != h) k = (k + 1) & (cap - 1);
        if (seen[k])
            st = arti_fail(err, ART_E_FORMAT, 0, "%s: damaged GGUF file: token %llu has the text of an earlier one",
                           path, (unsigned long long)i);
        seen[k] = h;
    }
    arti_free(mem, seen, cap * sizeof *seen);
    return st;
}

static art_status check_entries(const char *path, const arti_gguf_info *info, const arti_gguf_meta *meta, arti_mem *mem,
                                art_error *err) {
    char key[96];
    arti_gguf_value v, tokens;
    snprintf(key, sizeof key, "%s.block_count", info->architecture);
    if (arti_gguf_find(meta, key, &v) && !v.is_array && v.type == ARTI_GGUF_U32) {
        uint32_t n =
            (uint32_t)v.data[0] | (uint32_t)v.data[1] << 8 | (uint32_t)v.data[2] << 16 | (uint32_t)v.data[3] << 24;
        if (n == 0 || n > LAYERS_MAX)
            return arti_fail(err, ART_E_FORMAT, 0, "%s: damaged GGUF file: %u layers", path, n);
    }
    if (!arti_gguf_find(meta, "tokenizer.ggml.tokens", &tokens)) return ART_OK;
    if (!tokens.is_array || tokens.type != ARTI_GGUF_STRING || tokens.n > ART_VOCAB_TOKENS_MAX)
        return arti_fail(err, ART_E_FORMAT, 0, "%s: damaged GGUF file: tokenizer.ggml.tokens is no list of tokens",
                         path);
    static const struct {
        const char *key;
        uint32_t type;
    } beside[] = {{"tokenizer.ggml.scores", ARTI_GGUF_F32}, {"tokenizer.ggml.token_type", ARTI_GGUF_I32}};
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        if (arti_gguf_find(meta, beside[i].key, &v) && (!v.is_array || v.type != beside[i].type || v.n < tokens.n))
            return arti_fail(err, ART_E_FORMAT, 0, "%s: damaged GGUF file: %s does not go with the tokens", path,
                             beside[i].key);
    }
    return check_unique(path, &tokens, mem, err);
}

/* llama.cpp itself would quietly stay on the processor. */
static art_status check_gpu(const art_llama *l, int32_t n_gpu_layers, art_error *err) {
    const api *f = &l->f;
    bool has = f->llama_supports_gpu_offload && f->llama_supports_gpu_offload();
    if (!f->llama_supports_gpu_offload) {
        if (!f->ggml_backend_dev_count || !f->ggml_backend_dev_get || !f->ggml_backend_dev_type) return ART_OK;
        for (size_t i = 0; i < f->ggml_backend_dev_count() && !has; i++) {
            int type = f->ggml_backend_dev_type(f->ggml_backend_dev_get(i));
            has = type == 1 || type == 2;
        }
    }
    if (has) return ART_OK;
    return arti_fail(
        err, ART_E_ENGINE, 0,
        "n_gpu_layers is %d, but this libllama has no GPU: it was built without a GPU backend, or the backend "
        "finds no device (backends are looked for in %s); docs/engines.md says how to build one",
        n_gpu_layers, l->backend_dir);
}

static art_status check_file(const char *path, const art_alloc *alloc, arti_gguf_info *info, art_error *err) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    arti_gguf_meta meta;
    art_status st = arti_gguf_check(path, info, err);
    if (st == ART_OK) st = arti_gguf_load(path, info, &mem, &meta, err);
    if (st != ART_OK) return st;
    st = check_entries(path, info, &meta, &mem, err);
    arti_gguf_unload(&mem, &meta);
    return st;
}

art_status art_llama_model_load(art_llama *l, const char *path, const art_model_params *p, const art_alloc *alloc,
                                art_model **out, art_error *err) {
    *out = NULL;
    arti_gguf_info info;
    art_status st = check_file(path, alloc, &info, err);
    if (st != ART_OK) return st;
    art_model_params defaults;
    art_model_defaults(&defaults);
    if (!p) p = &defaults;

    blob params = l->f.llama_model_default_params();
    set_i32(&params, MODEL_N_GPU_LAYERS, p->n_gpu_layers < 0 ? 9999 : p->n_gpu_layers);
    if (p->vocab_only) {
        size_t at = vocab_only_at(l, &params);
        if (!at)
            return arti_fail(err, ART_E_ENGINE, 0,
                             "this libllama's parameters have no place for vocab_only that is known");
        params.b[at] = 1;
    }
    if (!p->use_mmap && !set_no_mmap(l, &params))
        return arti_fail(err, ART_E_ENGINE, 0, "this libllama's parameters have no place for mmap that is known");

    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    model *m = arti_calloc(&mem, sizeof *m);
    if (!m) return arti_mem_fail(&mem, err);
    m->mem = mem;
    m->lib = l;
    atomic_fetch_add(&l->refs, 1);

    pthread_mutex_lock(&l->load_lock);
    load_backends(l, p->n_gpu_layers != 0);
    if (p->n_gpu_layers) st = check_gpu(l, p->n_gpu_layers, err);
    l->log.error[0] = 0;
    if (st == ART_OK) m->llama = l->f.llama_model_load_from_file(path, params);
    if (st == ART_OK && !m->llama)
        st = arti_fail(err, ART_E_ENGINE, 0, "%s: llama.cpp can not load this %s model: %s", path,
                       info.architecture[0] ? info.architecture : "(no architecture)", first_error(l));
    pthread_mutex_unlock(&l->load_lock);
    if (st == ART_OK) {
        m->vocab = l->f.llama_model_get_vocab(m->llama);
        int32_t n = l->f.llama_vocab_n_tokens(m->vocab);
        if (n <= 0 || (uint32_t)n > ART_VOCAB_TOKENS_MAX)
            st = arti_fail(err, ART_E_FORMAT, 0, "%s: the model has no usable vocabulary (%d tokens)", path, (int)n);
        else
            m->n_vocab = (uint32_t)n;
    }
    if (st != ART_OK) {
        model_free(m);
        return st;
    }
    return art_model_new(&arti_llama_engine, m, alloc, out, err);
}

static art_status model_caps(void *handle, art_engine_caps *caps, art_error *err) {
    (void)err;
    model *m = handle;
    const api *f = &m->lib->f;
    bool recurrent = (f->llama_model_is_recurrent && f->llama_model_is_recurrent(m->llama)) ||
                     (f->llama_model_is_hybrid && f->llama_model_is_hybrid(m->llama));
    int32_t n_ctx_train = f->llama_model_n_ctx_train(m->llama);
    *caps = (art_engine_caps){
        .n_vocab = m->n_vocab,
        .n_ctx_train = n_ctx_train > 0 ? (uint32_t)n_ctx_train : 0,
        .bos = f->llama_vocab_bos(m->vocab),
        .eos = f->llama_vocab_eos(m->vocab),
        .eot = f->llama_vocab_eot(m->vocab),
        .can_copy = 1,
        .can_save = 1,
        .can_drop = !recurrent,
        .can_abort = 1,
        .many_contexts = 1,
        .add_bos = f->llama_vocab_get_add_bos(m->vocab),
    };
    return ART_OK;
}

static art_status model_tokenize(void *handle, const char *text, size_t len, int special, int32_t *ids, size_t cap,
                                 size_t *n, art_error *err) {
    model *m = handle;
    *n = 0;
    if (len > INT32_MAX / 2) return arti_fail(err, ART_E_ARG, 0, "text of %zu bytes is too long", len);
    int32_t none;
    int32_t got = m->lib->f.llama_tokenize(m->vocab, text, (int32_t)len, cap ? ids : &none,
                                           cap > INT32_MAX ? INT32_MAX : (int32_t)cap, false, special != 0);
    if (got == INT32_MIN) return arti_fail(err, ART_E_ENGINE, 0, "llama.cpp can not tokenize this text");
    *n = got < 0 ? (size_t)-got : (size_t)got;
    return ART_OK;
}

static art_status model_token_bytes(void *handle, int32_t id, int special, uint8_t *buf, size_t cap, size_t *len) {
    model *m = handle;
    *len = 0;
    if (id < 0 || (uint32_t)id >= m->n_vocab) return ART_E_ARG;
    int32_t got = m->lib->f.llama_token_to_piece(m->vocab, id, (char *)buf, cap > INT32_MAX ? INT32_MAX : (int32_t)cap,
                                                 0, special != 0);
    *len = got < 0 ? (size_t)-got : (size_t)got;
    return ART_OK;
}

static int model_token_is_eog(void *handle, int32_t id) {
    model *m = handle;
    return id >= 0 && (uint32_t)id < m->n_vocab && m->lib->f.llama_vocab_is_eog(m->vocab, id);
}

static int model_token_is_control(void *handle, int32_t id) {
    model *m = handle;
    return id >= 0 && (uint32_t)id < m->n_vocab && m->lib->f.llama_vocab_is_control(m->vocab, id);
}

static art_status model_meta(void *handle, const char *key, char *buf, size_t cap, size_t *len) {
    model *m = handle;
    int32_t got = m->lib->f.llama_model_meta_val_str(m->llama, key, buf, cap);
    *len = got < 0 ? 0 : (size_t)got;
    return ART_OK;
}

/* ------------------------------------------------------------------ context */

typedef struct context {
    model *m; /* kept alive by the session, which holds its art_model */
    arti_mem mem;
    void *llama;
    void *memory;
    uint32_t n_ctx, n_batch;
    size_t n_past; /* tokens held */
    const float *logits;
    int (*abort_fn)(void *ud);
    void *abort_ud;
    batch batch;  /* arrays for n_batch tokens in `arrays` */
    int32_t zero; /* the sequence that every token belongs to */
    void *arrays;
    size_t arrays_size;
} context;

static bool on_abort(void *ud) {
    context *c = ud;
    return c->abort_fn && c->abort_fn(c->abort_ud) != 0;
}

static void ctx_free(void *ctx) {
    context *c = ctx;
    if (!c) return;
    if (c->llama) c->m->lib->f.llama_free(c->llama);
    arti_mem mem = c->mem;
    arti_free(&mem, c->arrays, c->arrays_size);
    arti_free(&mem, c, sizeof *c);
}

/* token, pos, n_seq_id (int32 each), seq_id (pointer), logits (byte), for n tokens in one block. */
static bool batch_init(context *c, size_t n) {
    c->arrays_size = n * (sizeof(int32_t *) + 3 * sizeof(int32_t) + 1);
    uint8_t *p = c->arrays = arti_calloc(&c->mem, c->arrays_size);
    if (!p) return false;
    c->batch.seq_id = (int32_t **)(void *)p;
    c->batch.token = (int32_t *)(void *)(p + n * sizeof(int32_t *));
    c->batch.pos = c->batch.token + n;
    c->batch.n_seq_id = c->batch.pos + n;
    c->batch.logits = (int8_t *)(c->batch.n_seq_id + n);
    for (size_t i = 0; i < n; i++) {
        c->batch.n_seq_id[i] = 1;
        c->batch.seq_id[i] = &c->zero;
    }
    return true;
}

static art_status ctx_new(void *handle, const art_context_params *p, void **ctx, art_error *err) {
    *ctx = NULL;
    model *m = handle;
    const api *f = &m->lib->f;
    if (f->llama_model_has_decoder && !f->llama_model_has_decoder(m->llama))
        return arti_fail(err, ART_E_ENGINE, 0, "this model can not generate text: it has no decoder");
    if (p->n_ctx > INT32_MAX || p->n_batch > INT32_MAX || p->n_threads > 4096)
        return arti_fail(err, ART_E_ARG, 0, "context size, batch size or thread count is out of range");
    arti_mem mem = m->mem;
    mem.used = 0;
    context *c = arti_calloc(&mem, sizeof *c);
    if (!c) return arti_mem_fail(&mem, err);
    c->mem = mem;
    c->m = m;

    blob params = f->llama_context_default_params();
    uint32_t n_batch = p->n_batch < p->n_ctx ? p->n_batch : p->n_ctx;
    set_i32(&params, CTX_N_CTX, (int32_t)p->n_ctx);
    set_i32(&params, CTX_N_BATCH, (int32_t)n_batch);
    set_i32(&params, CTX_N_UBATCH, (int32_t)n_batch);
    set_i32(&params, CTX_N_SEQ_MAX, 1);
    art_status st = ART_OK;
    pthread_mutex_lock(&m->lib->load_lock);
    m->lib->log.error[0] = 0;
    c->llama = f->llama_init_from_model(m->llama, params);
    if (!c->llama)
        st = arti_fail(err, ART_E_ENGINE, 0, "llama.cpp can not make a context of %u tokens: %s", p->n_ctx,
                       first_error(m->lib));
    pthread_mutex_unlock(&m->lib->load_lock);
    if (st != ART_OK) goto fail;
    c->n_ctx = f->llama_n_ctx(c->llama);
    c->n_batch = f->llama_n_batch(c->llama);
    if (c->n_ctx < p->n_ctx || c->n_ctx > p->n_ctx + 4096 || c->n_batch < n_batch || c->n_batch > n_batch + 4096 ||
        f->llama_n_seq_max(c->llama) != 1) {
        st = arti_fail(err, ART_E_ENGINE, 0, "this libllama did not take its parameters where agentrt put them");
        goto fail;
    }
    c->n_ctx = p->n_ctx;
    c->n_batch = n_batch;
    if (!batch_init(c, n_batch)) {
        st = arti_mem_fail(&c->mem, err);
        goto fail;
    }
    c->memory = f->llama_get_memory(c->llama);
    f->llama_set_n_threads(c->llama, (int32_t)p->n_threads, (int32_t)p->n_threads);
    f->llama_set_abort_callback(c->llama, on_abort, c);
    *ctx = c;
    return ART_OK;
fail:
    ctx_free(c);
    return st;
}

static uint32_t ctx_size(void *ctx) {
    return ((context *)ctx)->n_ctx;
}

static art_status kv_drop(void *ctx, size_t n_past, art_error *err) {
    context *c = ctx;
    const api *f = &c->m->lib->f;
    if (n_past >= c->n_past) return ART_OK;
    c->logits = NULL;
    if (n_past > 0) {
        /* Sliding-window layers may have let go of positions that the remaining tokens would look back to. */
        int32_t window = f->llama_model_n_swa ? f->llama_model_n_swa(c->m->llama) : 0;
        int32_t first = f->llama_memory_seq_pos_min(c->memory, 0);
        bool lost = window > 0 && first > 0 && (int64_t)first > (int64_t)n_past - window;
        if (lost || !f->llama_memory_seq_rm(c->memory, 0, (int32_t)n_past, -1))
            return arti_fail(err, ART_E_STATE, 0, "this model's cache can not be cut back to %zu tokens", n_past);
    } else {
        f->llama_memory_clear(c->memory, false);
    }
    c->n_past = n_past;
    return ART_OK;
}

/* After a failed evaluation: back to what was held before it. */
static void restore(context *c, size_t n_past) {
    const api *f = &c->m->lib->f;
    c->logits = NULL;
    if (n_past == 0 || !f->llama_memory_seq_rm(c->memory, 0, (int32_t)n_past, -1)) {
        f->llama_memory_clear(c->memory, false);
        n_past = 0;
    }
    c->n_past = n_past;
}

static art_status eval(void *ctx, const int32_t *ids, size_t n, size_t n_past, art_error *err) {
    context *c = ctx;
    const api *f = &c->m->lib->f;
    if (n == 0 || n > c->n_batch || n_past > c->n_past)
        return arti_fail(err, ART_E_ARG, 0, "eval of %zu tokens at %zu", n, n_past);
    if (n > c->n_ctx - n_past)
        return arti_fail(err, ART_E_CONTEXT, 0, "%zu tokens do not fit into the context of %u", n_past + n, c->n_ctx);
    art_status st = kv_drop(c, n_past, err);
    if (st != ART_OK) return st;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= c->m->n_vocab)
            return arti_fail(err, ART_E_ARG, i, "token %d is not in the vocabulary", (int)ids[i]);
        c->batch.token[i] = ids[i];
        c->batch.pos[i] = (int32_t)(n_past + i);
        c->batch.logits[i] = i + 1 == n;
    }
    c->batch.n_tokens = (int32_t)n;
    c->logits = NULL;
    int32_t rc = f->llama_decode(c->llama, c->batch);
    if (rc == 0) {
        c->logits = f->llama_get_logits_ith(c->llama, -1); /* waits for the device */
        if (c->logits) {
            c->n_past = n_past + n;
            return ART_OK;
        }
    }
    restore(c, n_past);
    if (rc == 2) return arti_fail(err, ART_E_CANCELLED, 0, "cancelled");
    if (rc == 1) return arti_fail(err, ART_E_CONTEXT, 0, "the context of %u tokens is full", c->n_ctx);
    return arti_fail(err, ART_E_ENGINE, 0, "llama_decode failed with %d", (int)rc);
}

static const float *logits(void *ctx) {
    return ((context *)ctx)->logits;
}

static size_t state_size(void *ctx) {
    context *c = ctx;
    return c->m->lib->f.llama_state_seq_get_size(c->llama, 0);
}

static art_status state_save(void *ctx, uint8_t *buf, size_t cap, size_t *len, art_error *err) {
    context *c = ctx;
    size_t need = state_size(c);
    *len = need;
    if (cap < need) return arti_fail(err, ART_E_LIMIT, 0, "the state needs a buffer of %zu bytes", need);
    *len = c->m->lib->f.llama_state_seq_get_data(c->llama, buf, need, 0);
    return *len ? ART_OK : arti_fail(err, ART_E_ENGINE, 0, "llama.cpp can not save this model's state");
}

static art_status state_load(void *ctx, const uint8_t *buf, size_t len, size_t n_tokens, art_error *err) {
    context *c = ctx;
    const api *f = &c->m->lib->f;
    restore(c, 0);
    if (f->llama_state_seq_set_data(c->llama, buf, len, 0) == 0) {
        restore(c, 0);
        return arti_fail(err, ART_E_ENGINE, 0, "llama.cpp does not accept this state: it is of another model or build");
    }
    c->n_past = n_tokens;
    return ART_OK;
}

static art_status kv_copy(void *dst_ctx, void *src_ctx, size_t n_tokens, art_error *err) {
    context *d = dst_ctx, *s = src_ctx;
    if (n_tokens > s->n_past) return arti_fail(err, ART_E_ARG, 0, "only %zu tokens are there to be copied", s->n_past);
    if (n_tokens > d->n_ctx)
        return arti_fail(err, ART_E_CONTEXT, 0, "%zu tokens do not fit into a context of %u", n_tokens, d->n_ctx);
    size_t size = state_size(s), len = 0;
    uint8_t *buf = arti_realloc(&d->mem, NULL, 0, size);
    if (!buf) return arti_mem_fail(&d->mem, err);
    art_status st = state_save(s, buf, size, &len, err);
    if (st == ART_OK) st = state_load(d, buf, len, s->n_past, err);
    arti_free(&d->mem, buf, size);
    return st == ART_OK ? kv_drop(d, n_tokens, err) : st;
}

static void set_abort(void *ctx, int (*fn)(void *ud), void *ud) {
    context *c = ctx;
    c->abort_fn = fn;
    c->abort_ud = ud;
}

const art_engine arti_llama_engine = {
    .abi = ART_ENGINE_ABI,
    .name = "llama.cpp",
    .model_free = model_free,
    .model_caps = model_caps,
    .tokenize = model_tokenize,
    .token_bytes = model_token_bytes,
    .token_is_eog = model_token_is_eog,
    .token_is_control = model_token_is_control,
    .meta = model_meta,
    .ctx_new = ctx_new,
    .ctx_free = ctx_free,
    .ctx_size = ctx_size,
    .eval = eval,
    .logits = logits,
    .kv_drop = kv_drop,
    .kv_copy = kv_copy,
    .state_size = state_size,
    .state_save = state_save,
    .state_load = state_load,
    .set_abort = set_abort,
};
