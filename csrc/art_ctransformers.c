/* SPDX-License-Identifier: Apache-2.0 */
#include "art_ctransformers.h"

#include "art_dl.h"
#include "art_gguf.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPECIAL_MAX 65536u /* control tokens that are recognised in text */
#define N_CTX_DEFAULT 2048u

typedef struct config { /* of ctransformers_llm_create, by value */
    int context_length, gpu_layers;
    bool mmap, mlock;
} config;

#define SYMBOLS(X)                                                                                                     \
    X(void *, create, (const char *, const char *, config))                                                            \
    X(void, delete, (void *))                                                                                          \
    X(int, tokenize, (void *, const char *, bool, int *))                                                              \
    X(const char *, detokenize, (void *, int))                                                                         \
    X(bool, is_eos_token, (void *, int))                                                                               \
    X(int, eos_token_id, (void *))                                                                                     \
    X(int, bos_token_id, (void *))                                                                                     \
    X(int, vocab_size, (void *))                                                                                       \
    X(int, context_length, (void *))                                                                                   \
    X(bool, batch_eval, (void *, const int *, int, int, int, int))                                                     \
    X(const float *, logits_data, (void *))                                                                            \
    X(int, logits_size, (void *))

typedef struct api {
#define FIELD(ret, name, args) ret(*name) args;
    SYMBOLS(FIELD)
#undef FIELD
} api;

static const arti_dl_symbol symbols[] = {
#define NEEDED(ret, name, args) {"ctransformers_llm_" #name, offsetof(api, name), false},
    SYMBOLS(NEEDED)
#undef NEEDED
};

static const arti_dl library = {.code = ART_E_ENGINE,
                                .absent = "can not be loaded",
                                .hint = "",
                                .unfit = "not the libctransformers that agentrt knows",
                                .symbols = symbols,
                                .n_symbols = sizeof symbols / sizeof *symbols};

struct art_ctransformers {
    atomic_uint refs;
    arti_mem mem;
    pthread_mutex_t load_lock; /* standard error is redirected during a load */
    api f;
};

static void release(art_ctransformers *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return;
    pthread_mutex_destroy(&c->load_lock);
    arti_mem mem = c->mem;
    arti_free(&mem, c, sizeof *c);
}

art_status art_ctransformers_open(const char *lib_path, const art_alloc *alloc, art_ctransformers **out,
                                  art_error *err) {
    *out = NULL;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_ctransformers *c = arti_calloc(&mem, sizeof *c);
    if (!c) return arti_mem_fail(&mem, err);
    c->mem = mem;
    atomic_init(&c->refs, 1);
    pthread_mutex_init(&c->load_lock, NULL);
    art_status st = arti_dl_open(&library, lib_path, &c->f, err);
    if (st != ART_OK) {
        release(c);
        return st;
    }
    *out = c;
    return ART_OK;
}

void art_ctransformers_free(art_ctransformers *c) {
    release(c);
}

const char *art_ctransformers_variant(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
    if (__builtin_cpu_supports("avx")) return "avx";
#endif
    return "basic";
}

/* ------------------------------------------------------------------ model */

typedef struct special { /* a token that plain text can not produce */
    const uint8_t *text; /* in meta */
    size_t len;
    int32_t id;
    bool control; /* adds nothing to the text */
    bool eog;
} special;

typedef struct model {
    art_ctransformers *lib; /* one reference */
    arti_mem mem;
    void *llm;
    uint32_t n_vocab, n_ctx;
    arti_gguf_meta meta; /* empty for a GGML file */
    special *specials;   /* ascending by id */
    size_t n_specials, specials_cap;
    /* the context */
    size_t n_past;
    int n_threads;
    const float *logits;
} model;

static void model_free(void *handle) {
    model *m = handle;
    if (!m) return;
    if (m->llm) m->lib->f.delete(m->llm);
    release(m->lib);
    arti_mem mem = m->mem;
    arti_gguf_unload(&mem, &m->meta);
    arti_free(&mem, m->specials, m->specials_cap * sizeof *m->specials);
    arti_free(&mem, m, sizeof *m);
}

static bool ends_turn(const uint8_t *text, size_t len) {
    static const char *const names[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",
                                        "<|end|>",    "</s>",          "<end_of_turn>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0) return true;
    }
    return false;
}

enum { TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4 };

static art_status find_specials(model *m, art_error *err) {
    arti_gguf_value tokens, types;
    if (!arti_gguf_find(&m->meta, "tokenizer.ggml.tokens", &tokens) || !tokens.is_array ||
        tokens.type != ARTI_GGUF_STRING || !arti_gguf_find(&m->meta, "tokenizer.ggml.token_type", &types) ||
        !types.is_array || types.type != ARTI_GGUF_I32)
        return ART_OK;
    const uint8_t *at = tokens.data;
    for (uint64_t i = 0; i < tokens.n && i < types.n && m->n_specials < SPECIAL_MAX; i++) {
        size_t len;
        const uint8_t *text = arti_gguf_next_string(&at, &len);
        uint8_t type = types.data[i * 4];
        if ((type != TYPE_CONTROL && type != TYPE_USER_DEFINED) || !len) continue;
        void *p = m->specials;
        bool ok = arti_vec_reserve(&m->mem, &p, &m->specials_cap, m->n_specials + 1, sizeof *m->specials);
        m->specials = p;
        if (!ok) return arti_mem_fail(&m->mem, err);
        m->specials[m->n_specials++] = (special){.text = text,
                                                 .len = len,
                                                 .id = (int32_t)i,
                                                 .control = type == TYPE_CONTROL,
                                                 .eog = type == TYPE_CONTROL && ends_turn(text, len)};
    }
    return ART_OK;
}

static const special *special_of(const model *m, int32_t id) {
    size_t low = 0, high = m->n_specials;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->specials[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n_specials && m->specials[low].id == id ? &m->specials[low] : NULL;
}

/* Why the library would answer NULL; it never says. */
static art_status check_gguf(const char *path, const arti_gguf_info *info, const arti_gguf_meta *meta, art_error *err) {
    arti_gguf_value v;
    const char *missing = NULL;
    if (strcmp(info->architecture, "llama") != 0 && strcmp(info->architecture, "falcon") != 0)
        return arti_fail(err, ART_E_ENGINE, 0, "%s: ctransformers knows llama and falcon GGUF files, not \"%s\"", path,
                         info->architecture);
    if (!arti_gguf_find(meta, "tokenizer.ggml.scores", &v))
        missing = "the entry tokenizer.ggml.scores";
    else if (!arti_gguf_find(meta, "tokenizer.ggml.token_type", &v))
        missing = "the entry tokenizer.ggml.token_type";
    else if (!info->has_output)
        missing = "a tensor output.weight";
    if (missing)
        return arti_fail(
            err, ART_E_ENGINE, 0,
            "%s: ctransformers needs %s, which this file does not have (tools/convert_ctransformers.py converts)", path,
            missing);
    return ART_OK;
}

static void copy_last_line(int fd, char *out, size_t cap) {
    char text[2048];
    off_t end = lseek(fd, 0, SEEK_END), from = end > (off_t)sizeof text ? end - (off_t)sizeof text : 0;
    ssize_t got = end > 0 ? pread(fd, text, sizeof text, from) : 0;
    size_t n = got > 0 ? (size_t)got : 0;
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
    size_t start = n;
    while (start && text[start - 1] != '\n') start--;
    if (n - start > cap - 1) n = start + cap - 1;
    memcpy(out, text + start, n - start);
    out[n - start] = 0;
}

/* The library's complaints go to standard error, which is not ours to write to: while it loads, they are caught in a file. What other
 * threads write there in the meantime is lost. */
static void *create_quietly(art_ctransformers *c, const char *path, const char *type, config cfg, char *reason,
                            size_t cap) {
    reason[0] = 0;
    pthread_mutex_lock(&c->load_lock);
    FILE *caught = tmpfile();
    fflush(stderr);
    int saved = caught ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    if (saved >= 0) dup2(fileno(caught), STDERR_FILENO);
    void *llm = c->f.create(path, type, cfg);
    if (saved >= 0) {
        fflush(stderr);
        dup2(saved, STDERR_FILENO);
        close(saved);
        if (!llm) copy_last_line(fileno(caught), reason, cap);
    }
    if (caught) fclose(caught);
    pthread_mutex_unlock(&c->load_lock);
    return llm;
}

static art_status open_file(model *m, const char *path, bool is_gguf, art_error *err) {
    if (!is_gguf) {
        struct stat sb;
        if (stat(path, &sb) != 0)
            return arti_fail(err, ART_E_IO, 0, "%s: can not be opened: %s", path, strerror(errno));
        return ART_OK;
    }
    arti_gguf_info info;
    art_status st = arti_gguf_check(path, &info, err);
    if (st == ART_OK) st = arti_gguf_load(path, &info, &m->mem, &m->meta, err);
    if (st == ART_OK) st = check_gguf(path, &info, &m->meta, err);
    if (st == ART_OK) st = find_specials(m, err);
    return st;
}

art_status art_ctransformers_model_load(art_ctransformers *c, const char *path, const char *model_type,
                                        const art_model_params *p, const art_alloc *alloc, art_model **out,
                                        art_error *err) {
    *out = NULL;
    art_model_params defaults;
    art_model_defaults(&defaults);
    if (!p) p = &defaults;
    if (p->vocab_only) return arti_fail(err, ART_E_ENGINE, 0, "ctransformers can not load a vocabulary alone");
    if (p->n_gpu_layers)
        return arti_fail(err, ART_E_ENGINE, 0,
                         "n_gpu_layers is %d, but agentrt uses ctransformers on the processor only: take llama.cpp",
                         p->n_gpu_layers);
    uint32_t n_ctx = p->n_ctx ? p->n_ctx : N_CTX_DEFAULT;
    if (n_ctx > 1u << 20) return arti_fail(err, ART_E_ARG, 0, "a context of %u tokens is too large", n_ctx);
    bool is_gguf = !model_type || !model_type[0] || strcmp(model_type, "gguf") == 0;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    model *m = arti_calloc(&mem, sizeof *m);
    if (!m) return arti_mem_fail(&mem, err);
    m->mem = mem;
    m->lib = c;
    atomic_fetch_add(&c->refs, 1);
    art_status st = open_file(m, path, is_gguf, err);
    if (st != ART_OK) goto fail;
    config cfg = {.context_length = (int)n_ctx, .mmap = p->use_mmap};
    char reason[200];
    m->llm = create_quietly(c, path, is_gguf ? "gguf" : model_type, cfg, reason, sizeof reason);
    if (!m->llm) {
        st = arti_fail(err, ART_E_ENGINE, 0, "%s: ctransformers can not load this file as %s: %s", path,
                       is_gguf ? "gguf" : model_type, reason[0] ? reason : "it does not say why");
        goto fail;
    }
    int n_vocab = c->f.vocab_size(m->llm), own_ctx = c->f.context_length(m->llm);
    m->n_vocab = n_vocab > 0 ? (uint32_t)n_vocab : 0;
    m->n_ctx = own_ctx > 0 && (uint32_t)own_ctx < n_ctx ? (uint32_t)own_ctx : n_ctx;
    return art_model_new(&arti_ctransformers_engine, m, alloc, out, err);
fail:
    model_free(m);
    return st;
}

static art_status model_caps(void *handle, art_engine_caps *caps, art_error *err) {
    (void)err;
    model *m = handle;
    const api *f = &m->lib->f;
    arti_gguf_value v;
    bool add_bos = false;
    if (arti_gguf_find(&m->meta, "tokenizer.ggml.add_bos_token", &v) && v.type == ARTI_GGUF_BOOL) {
        add_bos = v.data[0] != 0;
    } else if (arti_gguf_find(&m->meta, "tokenizer.ggml.model", &v) && v.type == ARTI_GGUF_STRING && !v.is_array) {
        size_t len;
        const uint8_t *name = arti_gguf_next_string(&v.data, &len);
        add_bos = len == 5 && memcmp(name, "llama", 5) == 0; /* SentencePiece */
    }
    *caps = (art_engine_caps){
        .n_vocab = m->n_vocab,
        .n_ctx_train = m->n_ctx,
        .bos = f->bos_token_id(m->llm),
        .eos = f->eos_token_id(m->llm),
        .eot = -1,
        .can_drop = 1,
        .add_bos = add_bos,
    };
    return ART_OK;
}

/* Text without control tokens. */
static art_status tokenize_text(model *m, const uint8_t *text, size_t len, int32_t *ids, size_t cap, size_t *n,
                                art_error *err) {
    if (!len) return ART_OK;
    if (memchr(text, 0, len))
        return arti_fail(err, ART_E_ARG, 0, "ctransformers can not tokenize text with a NUL character");
    if (len > INT32_MAX / 16) return arti_fail(err, ART_E_ARG, 0, "text of %zu bytes is too long", len);
    arti_mem mem;
    arti_mem_init(&mem, &m->mem.alloc, 0); /* of this call: others may tokenize at the same time */
    size_t ids_size = (len + 8) * sizeof(int), size = ids_size + len + 1;
    int *out = arti_realloc(&mem, NULL, 0, size); /* the ids, and the text with its NUL */
    if (!out) return arti_mem_fail(&mem, err);
    char *copy = (char *)out + ids_size;
    memcpy(copy, text, len);
    copy[len] = 0;
    int got = m->lib->f.tokenize(m->llm, copy, false, out);
    for (int i = 0; i < got; i++) {
        if (*n < cap) ids[*n] = out[i];
        (*n)++;
    }
    arti_free(&mem, out, size);
    return got >= 0 ? ART_OK : arti_fail(err, ART_E_ENGINE, 0, "ctransformers can not tokenize this text");
}

static art_status model_tokenize(void *handle, const char *text, size_t len, int special_too, int32_t *ids, size_t cap,
                                 size_t *n, art_error *err) {
    model *m = handle;
    const uint8_t *t = (const uint8_t *)text;
    *n = 0;
    size_t from = 0;
    for (size_t at = 0; special_too && at < len;) {
        const special *found = NULL;
        for (size_t i = 0; i < m->n_specials; i++) { /* the longest that stands here */
            const special *s = &m->specials[i];
            if (s->text[0] == t[at] && s->len <= len - at && memcmp(s->text, t + at, s->len) == 0 &&
                (!found || s->len > found->len))
                found = s;
        }
        if (!found) {
            at++;
            continue;
        }
        art_status st = tokenize_text(m, t + from, at - from, ids, cap, n, err);
        if (st != ART_OK) return st;
        if (*n < cap) ids[*n] = found->id;
        (*n)++;
        from = at += found->len;
    }
    return tokenize_text(m, t + from, len - from, ids, cap, n, err);
}

static art_status model_token_bytes(void *handle, int32_t id, int special_too, uint8_t *buf, size_t cap, size_t *len) {
    model *m = handle;
    *len = 0;
    if (id < 0 || (uint32_t)id >= m->n_vocab) return ART_E_ARG;
    const special *s = special_of(m, id);
    const uint8_t *text = s ? s->text : (const uint8_t *)m->lib->f.detokenize(m->llm, id);
    if (!text || (s && s->control && !special_too)) return ART_OK;
    *len = s ? s->len : strlen((const char *)text);
    if (*len && *len <= cap) memcpy(buf, text, *len);
    return ART_OK;
}

static int model_token_is_eog(void *handle, int32_t id) {
    model *m = handle;
    if (id < 0 || (uint32_t)id >= m->n_vocab) return 0;
    const special *s = special_of(m, id);
    return m->lib->f.is_eos_token(m->llm, id) || (s && s->eog);
}

static int model_token_is_control(void *handle, int32_t id) {
    const special *s = special_of(handle, id);
    return s && s->control;
}

static art_status model_meta(void *handle, const char *key, char *buf, size_t cap, size_t *len) {
    model *m = handle;
    *len = 0;
    arti_gguf_value v;
    if (!arti_gguf_find(&m->meta, key, &v) || v.is_array) return ART_OK;
    char number[32];
    const uint8_t *text = (const uint8_t *)number;
    const uint8_t *d = v.data;
    uint32_t u = (uint32_t)d[0] |
                 (v.type == ARTI_GGUF_BOOL ? 0u : (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24);
    float x;
    memcpy(&x, &u, sizeof x);
    size_t n = 0;
    switch (v.type) {
    case ARTI_GGUF_STRING: text = arti_gguf_next_string(&d, &n); break;
    case ARTI_GGUF_U32: snprintf(number, sizeof number, "%u", u); break;
    case ARTI_GGUF_I32: snprintf(number, sizeof number, "%d", (int)u); break;
    case ARTI_GGUF_F32: snprintf(number, sizeof number, "%f", (double)x); break;
    case ARTI_GGUF_BOOL: snprintf(number, sizeof number, "%s", u ? "true" : "false"); break;
    default: return ART_OK;
    }
    if (v.type != ARTI_GGUF_STRING) n = strlen(number);
    *len = n;
    if (cap) {
        size_t keep = n < cap - 1 ? n : cap - 1;
        memcpy(buf, text, keep);
        buf[keep] = 0;
    }
    return ART_OK;
}

/* ------------------------------------------------------------------ context */

static art_status ctx_new(void *handle, const art_context_params *p, void **ctx, art_error *err) {
    model *m = handle;
    *ctx = NULL;
    if (p->n_ctx > m->n_ctx && p->n_ctx != ART_N_CTX_DEFAULT)
        return arti_fail(err, ART_E_ARG, 0,
                         "a context of %u tokens is larger than the model's, which was loaded with %u", p->n_ctx,
                         m->n_ctx);
    m->n_past = 0;
    m->logits = NULL;
    m->n_threads = (int)p->n_threads;
    *ctx = m;
    return ART_OK;
}

static void ctx_free(void *ctx) {
    ((model *)ctx)->n_past = 0;
}

static uint32_t ctx_size(void *ctx) {
    return ((model *)ctx)->n_ctx;
}

static art_status kv_drop(void *ctx, size_t n_past, art_error *err) {
    (void)err;
    model *m = ctx;
    if (n_past < m->n_past) {
        m->n_past = n_past;
        m->logits = NULL;
    }
    return ART_OK;
}

static art_status eval(void *ctx, const int32_t *ids, size_t n, size_t n_past, art_error *err) {
    model *m = ctx;
    if (n == 0 || n > m->n_ctx || n_past > m->n_past)
        return arti_fail(err, ART_E_ARG, 0, "eval of %zu tokens at %zu", n, n_past);
    if (n > m->n_ctx - n_past)
        return arti_fail(err, ART_E_CONTEXT, 0, "%zu tokens do not fit into the context of %u", n_past + n, m->n_ctx);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= m->n_vocab)
            return arti_fail(err, ART_E_ARG, i, "token %d is not in the vocabulary", (int)ids[i]);
    }
    m->n_past = n_past;
    m->logits = NULL;
    if (!m->lib->f.batch_eval(m->llm, (const int *)ids, (int)n, (int)n_past, (int)n, m->n_threads))
        return arti_fail(err, ART_E_ENGINE, 0, "ctransformers failed to evaluate %zu tokens", n);
    int size = m->lib->f.logits_size(m->llm);
    if (size < 0 || (uint32_t)size < m->n_vocab)
        return arti_fail(err, ART_E_ENGINE, 0, "ctransformers gave %d logits for %u tokens", size, m->n_vocab);
    m->logits = m->lib->f.logits_data(m->llm);
    m->n_past = n_past + n;
    return ART_OK;
}

static const float *logits(void *ctx) {
    return ((model *)ctx)->logits;
}

const art_engine arti_ctransformers_engine = {
    .abi = ART_ENGINE_ABI,
    .name = "ctransformers",
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
};
