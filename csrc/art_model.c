/* SPDX-License-Identifier: Apache-2.0 */
#include "art_model.h"

#include "art_vocab.h"
#include <unistd.h>

void art_model_defaults(art_model_params *p) {
    *p = (art_model_params){.use_mmap = 1};
}

art_status art_model_new(const art_engine *engine, void *handle, const art_alloc *alloc, art_model **out,
                         art_error *err) {
    *out = NULL;
    if (engine->abi != ART_ENGINE_ABI) {
        engine->model_free(handle);
        return arti_fail(err, ART_E_ENGINE, 0, "engine interface %u is not %u", engine->abi, ART_ENGINE_ABI);
    }
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_model *m = arti_calloc(&mem, sizeof *m);
    if (!m) {
        engine->model_free(handle);
        return arti_mem_fail(&mem, err);
    }
    m->mem = mem;
    m->engine = engine;
    m->handle = handle;
    m->pid = (int64_t)getpid();
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->lock, NULL);
    art_status st = engine->model_caps(handle, &m->caps, err);
    if (st == ART_OK && (m->caps.n_vocab == 0 || m->caps.n_vocab > ART_VOCAB_TOKENS_MAX))
        st = arti_fail(err, ART_E_LIMIT, 0, "a vocabulary of %u tokens is outside 1 .. ART_VOCAB_TOKENS_MAX",
                       m->caps.n_vocab);
    if (st != ART_OK) {
        art_model_free(m);
        return st;
    }
    *out = m;
    return ART_OK;
}

art_model *arti_model_ref(art_model *m) {
    atomic_fetch_add(&m->refs, 1);
    return m;
}

bool arti_model_forked(const art_model *m) {
    return m->pid != (int64_t)getpid();
}

void art_model_free(art_model *m) {
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1) return;
    if (!arti_model_forked(m)) m->engine->model_free(m->handle);
    art_vocab_free(m->vocab);
    pthread_mutex_destroy(&m->lock);
    arti_mem mem = m->mem;
    arti_free(&mem, m, sizeof *m);
}

const char *art_model_engine(const art_model *m) {
    return m->engine->name;
}

art_status art_model_caps(art_model *m, art_engine_caps *caps, art_error *err) {
    (void)err;
    *caps = m->caps;
    return ART_OK;
}

typedef struct gather { /* all tokens' bytes, on their way to art_vocab_new */
    uint8_t *bytes;
    size_t n_bytes, cap;
    uint32_t *offsets; /* n_vocab + 1 */
    uint32_t *eos;
    size_t n_eos, eos_cap;
} gather;

static art_status gather_tokens(art_model *m, gather *g, art_error *err) {
    const art_engine *e = m->engine;
    void *p;
    for (uint32_t id = 0; id < m->caps.n_vocab; id++) {
        g->offsets[id] = (uint32_t)g->n_bytes;
        size_t len = 0;
        if (e->token_is_eog(m->handle, (int32_t)id)) {
            p = g->eos;
            bool ok = arti_vec_reserve(&m->mem, &p, &g->eos_cap, g->n_eos + 1, sizeof *g->eos);
            g->eos = p;
            if (!ok) return arti_mem_fail(&m->mem, err);
            g->eos[g->n_eos++] = id;
            continue;
        }
        for (int again = 0;; again = 1) {
            art_status st = e->token_bytes(m->handle, (int32_t)id, 0, g->bytes ? g->bytes + g->n_bytes : NULL,
                                           g->cap - g->n_bytes, &len);
            if (st != ART_OK) return arti_fail(err, st, id, "the engine can not spell token %u", id);
            if (len <= g->cap - g->n_bytes) break;
            if (again || len > ART_TOKEN_LEN_MAX)
                return arti_fail(err, ART_E_LIMIT, id, "token %u is longer than ART_TOKEN_LEN_MAX", id);
            p = g->bytes;
            bool ok = arti_vec_reserve(&m->mem, &p, &g->cap, g->n_bytes + len, 1);
            g->bytes = p;
            if (!ok) return arti_mem_fail(&m->mem, err);
        }
        g->n_bytes += len;
        if (g->n_bytes > UINT32_MAX / 2) return arti_fail(err, ART_E_LIMIT, id, "the vocabulary's tokens are too long");
    }
    g->offsets[m->caps.n_vocab] = (uint32_t)g->n_bytes;
    return ART_OK;
}

art_status arti_model_vocab(art_model *m, art_vocab **out, art_error *err) {
    *out = NULL;
    art_status st = ART_OK;
    pthread_mutex_lock(&m->lock);
    if (!m->vocab) {
        gather g = {0};
        size_t offsets_size = ((size_t)m->caps.n_vocab + 1) * sizeof *g.offsets;
        g.offsets = arti_realloc(&m->mem, NULL, 0, offsets_size);
        st = g.offsets ? gather_tokens(m, &g, err) : arti_mem_fail(&m->mem, err);
        if (st == ART_OK)
            st = art_vocab_new(g.bytes, g.offsets, m->caps.n_vocab, g.eos, (uint32_t)g.n_eos, &m->mem.alloc, &m->vocab,
                               err);
        arti_free(&m->mem, g.bytes, g.cap);
        arti_free(&m->mem, g.offsets, offsets_size);
        arti_free(&m->mem, g.eos, g.eos_cap * sizeof *g.eos);
    }
    *out = m->vocab;
    pthread_mutex_unlock(&m->lock);
    return st;
}

art_status art_model_vocab(art_model *m, art_vocab **out, art_error *err) {
    art_status st = arti_model_vocab(m, out, err);
    if (st == ART_OK) arti_vocab_ref(*out);
    return st;
}

art_status art_model_tokenize(art_model *m, const char *text, size_t len, int special, int32_t *ids, size_t cap,
                              size_t *n, art_error *err) {
    return m->engine->tokenize(m->handle, text, len, special, ids, cap, n, err);
}

art_status art_model_token_bytes(art_model *m, int32_t id, int special, uint8_t *buf, size_t cap, size_t *len,
                                 art_error *err) {
    *len = 0;
    if (id < 0 || (uint32_t)id >= m->caps.n_vocab)
        return arti_fail(err, ART_E_ARG, 0, "token %d is not in the vocabulary", (int)id);
    art_status st = m->engine->token_bytes(m->handle, id, special, buf, cap, len);
    return st == ART_OK ? st : arti_fail(err, st, 0, "the engine can not spell token %d", (int)id);
}

art_status art_model_meta(art_model *m, const char *key, char *buf, size_t cap, size_t *len, art_error *err) {
    art_status st = m->engine->meta(m->handle, key, buf, cap, len);
    return st == ART_OK ? st : arti_fail(err, st, 0, "the engine can not read \"%s\"", key);
}

art_status arti_model_ctx_new(art_model *m, const art_context_params *p, void **ctx, art_error *err) {
    *ctx = NULL;
    if (arti_model_forked(m))
        return arti_fail(err, ART_E_FORKED, 0, "the model was loaded by another process: load it again after the fork");
    art_status st = ART_OK;
    pthread_mutex_lock(&m->lock);
    if (m->n_contexts && !m->caps.many_contexts)
        st = arti_fail(err, ART_E_STATE, 0, "the %s engine has one session a model, and it is taken", m->engine->name);
    if (st == ART_OK) st = m->engine->ctx_new(m->handle, p, ctx, err);
    if (st == ART_OK) m->n_contexts++;
    pthread_mutex_unlock(&m->lock);
    return st;
}

void arti_model_ctx_free(art_model *m, void *ctx) {
    if (!ctx || arti_model_forked(m)) return;
    pthread_mutex_lock(&m->lock);
    m->engine->ctx_free(ctx);
    m->n_contexts--;
    pthread_mutex_unlock(&m->lock);
}
