/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_engine.h: an inference engine without a model, for the tests of sessions and of the decode loop.
 *
 * Its tokens are the 256 bytes, some words, two control tokens and an end of turn. What it "says" is a script: a text that is the
 * likeliest continuation of any prompt, token by token as its tokenizer cuts it; after that, the end of turn. Other tokens get
 * small logits that depend on the position, so that a refused choice falls back to something definite. It holds the caller
 * to the vtable's contract: positions without holes, batches within bounds, no call after the end. */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "harness.h"

#include <time.h>

static const char *const fake_words[] = {
    "Hello", " world", "{\"", "\":", "\": \"", "name", "\"name\"", "\",",    " \"", "true",
    "12",    "END",    "\"}", "}",   "na",     "me\"", "<tool",    "_call>", "  ",  "\n",
};
enum {
    FAKE_WORDS = sizeof fake_words / sizeof *fake_words,
    FAKE_BOS = 256 + FAKE_WORDS,
    FAKE_MARK, /* a control token in the middle of a text */
    FAKE_EOS,
    FAKE_VOCAB
};
static const char *const fake_controls[] = {"<bos>", "<mark>", "<eos>"};

typedef struct fake_model {
    art_alloc alloc;
    const char *script;
    int32_t prompt_len; /* the script starts after so many tokens */
    bool can_copy, can_drop, many_contexts, can_abort, add_bos;
    bool prefix_space;  /* the tokenizer puts a space before every text, as SentencePiece does */
    size_t split_below; /* texts shorter than this are split into bytes: how a text is cut depends on all of it */
    float script_logit;
    int fail_eval; /* the n-th eval from now fails; 0: none */
    int eval_us;   /* busy time a token */
    int n_contexts, n_evals, n_tokens;
    bool freed;
} fake_model;

typedef struct fake_ctx {
    fake_model *m;
    uint32_t n_ctx, n_batch;
    size_t n_past;
    int32_t *tokens;
    float *logits;
    bool valid;
    int (*abort_fn)(void *ud);
    void *abort_ud;
} fake_ctx;

static inline size_t fake_bytes(int32_t id, bool special, char out[16]) {
    if (id < 256) {
        out[0] = (char)id;
        return 1;
    }
    const char *s = id < FAKE_BOS ? fake_words[id - 256] : special ? fake_controls[id - FAKE_BOS] : "";
    memcpy(out, s, strlen(s));
    return strlen(s);
}

static void fake_model_free(void *h) {
    fake_model *m = h;
    assert(!m->freed && m->n_contexts == 0);
    m->freed = true;
}

static art_status fake_caps(void *h, art_engine_caps *caps, art_error *err) {
    (void)err;
    fake_model *m = h;
    *caps = (art_engine_caps){.n_vocab = FAKE_VOCAB,
                              .n_ctx_train = 64,
                              .bos = FAKE_BOS,
                              .eos = FAKE_EOS,
                              .eot = -1,
                              .can_copy = m->can_copy,
                              .can_save = m->can_copy,
                              .can_drop = m->can_drop,
                              .can_abort = m->can_abort,
                              .many_contexts = m->many_contexts,
                              .add_bos = m->add_bos};
    return ART_OK;
}

static art_status fake_tokenize(void *h, const char *text, size_t len, int special, int32_t *ids, size_t cap, size_t *n,
                                art_error *err) {
    (void)err;
    fake_model *m = h;
    *n = 0;
    if (m->prefix_space && len) {
        if (*n < cap) ids[*n] = ' ';
        (*n)++;
    }
    for (size_t at = 0; at < len;) {
        size_t best = 1;
        int32_t id = (unsigned char)text[at];
        for (int32_t t = len < m->split_below ? FAKE_VOCAB : 256; t < FAKE_VOCAB; t++) {
            char b[16];
            size_t k = fake_bytes(t, true, b);
            if ((t >= FAKE_BOS && !special) || k <= best || k > len - at || memcmp(b, text + at, k) != 0) continue;
            best = k;
            id = t;
        }
        if (*n < cap) ids[*n] = id;
        (*n)++;
        at += best;
    }
    return ART_OK;
}

static art_status fake_token_bytes(void *h, int32_t id, int special, uint8_t *buf, size_t cap, size_t *len) {
    (void)h;
    char b[16];
    if (id < 0 || id >= FAKE_VOCAB) return ART_E_ARG;
    *len = fake_bytes(id, special != 0, b);
    if (*len <= cap && *len) memcpy(buf, b, *len);
    return ART_OK;
}

static int fake_is_eog(void *h, int32_t id) {
    (void)h;
    return id == FAKE_EOS;
}

static int fake_is_control(void *h, int32_t id) {
    (void)h;
    return id >= FAKE_BOS && id < FAKE_VOCAB;
}

static art_status fake_meta(void *h, const char *key, char *buf, size_t cap, size_t *len) {
    (void)h;
    *len = strcmp(key, "general.name") == 0 ? 4 : 0;
    if (*len && cap > 4) memcpy(buf, "fake", 5);
    return ART_OK;
}

static void fake_ctx_free(void *ctx) {
    fake_ctx *c = ctx;
    art_alloc a = c->m->alloc;
    c->m->n_contexts--;
    if (c->tokens) a.fn(a.ud, c->tokens, c->n_ctx * sizeof *c->tokens, 0);
    if (c->logits) a.fn(a.ud, c->logits, FAKE_VOCAB * sizeof *c->logits, 0);
    a.fn(a.ud, c, sizeof *c, 0);
}

static art_status fake_ctx_new(void *h, const art_context_params *p, void **ctx, art_error *err) {
    fake_model *m = h;
    art_alloc a = m->alloc;
    assert(p->n_ctx && p->n_batch && p->n_batch <= p->n_ctx && p->n_threads);
    fake_ctx *c = a.fn(a.ud, NULL, 0, sizeof *c);
    *ctx = NULL;
    if (!c) {
        if (err) *err = (art_error){.code = ART_E_NOMEM};
        return ART_E_NOMEM;
    }
    *c = (fake_ctx){.m = m, .n_ctx = p->n_ctx, .n_batch = p->n_batch};
    m->n_contexts++;
    c->tokens = a.fn(a.ud, NULL, 0, c->n_ctx * sizeof *c->tokens);
    c->logits = a.fn(a.ud, NULL, 0, FAKE_VOCAB * sizeof *c->logits);
    if (!c->tokens || !c->logits) {
        fake_ctx_free(c);
        if (err) *err = (art_error){.code = ART_E_NOMEM};
        return ART_E_NOMEM;
    }
    *ctx = c;
    return ART_OK;
}

static uint32_t fake_ctx_size(void *ctx) {
    return ((fake_ctx *)ctx)->n_ctx;
}

/* The script's token after `said` bytes were said; the bytes said so far need not be the script's. */
static inline int32_t fake_script_token(fake_model *m, size_t n_said) {
    int32_t ids[512];
    size_t n;
    fake_tokenize(m, m->script, strlen(m->script), 1, ids, 512, &n, NULL);
    assert(n <= 512);
    size_t skip = m->prefix_space ? 1 : 0;
    return n_said + skip < n ? ids[n_said + skip] : FAKE_EOS;
}

static art_status fake_eval(void *ctx, const int32_t *ids, size_t n, size_t n_past, art_error *err) {
    fake_ctx *c = ctx;
    fake_model *m = c->m;
    assert(n > 0 && n <= c->n_batch && n_past <= c->n_past && n_past + n <= c->n_ctx);
    assert(m->can_drop || n_past == c->n_past || n_past == 0);
    m->n_evals++;
    c->valid = false;
    c->n_past = n_past;
    if (m->fail_eval && --m->fail_eval == 0) {
        if (err) {
            *err = (art_error){.code = ART_E_ENGINE};
            snprintf(err->msg, sizeof err->msg, "the fake engine failed");
        }
        return ART_E_ENGINE;
    }
    for (size_t i = 0; i < n; i++) {
        assert(ids[i] >= 0 && ids[i] < FAKE_VOCAB);
        if (m->can_abort && c->abort_fn && c->abort_fn(c->abort_ud)) {
            if (err) *err = (art_error){.code = ART_E_CANCELLED};
            return ART_E_CANCELLED;
        }
        if (m->eval_us) {
            struct timespec t = {0, m->eval_us * 1000L};
            nanosleep(&t, NULL);
        }
        c->tokens[n_past + i] = ids[i];
    }
    m->n_tokens += (int)n;
    c->n_past = n_past + n;
    for (int32_t t = 0; t < FAKE_VOCAB; t++)
        c->logits[t] = -5.0f + (float)((t * 7 + (int32_t)c->n_past * 13) % 97) * 0.01f;
    if ((int32_t)c->n_past >= m->prompt_len)
        c->logits[fake_script_token(m, c->n_past - (size_t)m->prompt_len)] = m->script_logit;
    c->valid = true;
    return ART_OK;
}

static const float *fake_logits(void *ctx) {
    fake_ctx *c = ctx;
    assert(c->valid);
    return c->logits;
}

static art_status fake_kv_drop(void *ctx, size_t n_past, art_error *err) {
    fake_ctx *c = ctx;
    if (!c->m->can_drop && n_past) {
        if (err) *err = (art_error){.code = ART_E_STATE};
        return ART_E_STATE;
    }
    if (n_past < c->n_past) c->n_past = n_past;
    c->valid = false;
    return ART_OK;
}

static art_status fake_kv_copy(void *dst, void *src, size_t n, art_error *err) {
    (void)err;
    fake_ctx *d = dst, *s = src;
    assert(n <= s->n_past && n <= d->n_ctx);
    memcpy(d->tokens, s->tokens, n * sizeof *s->tokens);
    d->n_past = n;
    d->valid = false;
    return ART_OK;
}

static size_t fake_state_size(void *ctx) {
    return ((fake_ctx *)ctx)->n_past * sizeof(int32_t);
}

static art_status fake_state_save(void *ctx, uint8_t *buf, size_t cap, size_t *len, art_error *err) {
    (void)err;
    fake_ctx *c = ctx;
    *len = fake_state_size(c);
    assert(cap >= *len);
    memcpy(buf, c->tokens, *len);
    return ART_OK;
}

static art_status fake_state_load(void *ctx, const uint8_t *buf, size_t len, size_t n_tokens, art_error *err) {
    fake_ctx *c = ctx;
    c->n_past = 0;
    c->valid = false;
    if (len != n_tokens * sizeof(int32_t) || n_tokens > c->n_ctx) {
        if (err) *err = (art_error){.code = ART_E_ENGINE};
        return ART_E_ENGINE;
    }
    memcpy(c->tokens, buf, len);
    c->n_past = n_tokens;
    return ART_OK;
}

static void fake_set_abort(void *ctx, int (*fn)(void *ud), void *ud) {
    fake_ctx *c = ctx;
    c->abort_fn = fn;
    c->abort_ud = ud;
}

static const art_engine fake_engine = {
    .abi = ART_ENGINE_ABI,
    .name = "fake",
    .model_free = fake_model_free,
    .model_caps = fake_caps,
    .tokenize = fake_tokenize,
    .token_bytes = fake_token_bytes,
    .token_is_eog = fake_is_eog,
    .token_is_control = fake_is_control,
    .meta = fake_meta,
    .ctx_new = fake_ctx_new,
    .ctx_free = fake_ctx_free,
    .ctx_size = fake_ctx_size,
    .eval = fake_eval,
    .logits = fake_logits,
    .kv_drop = fake_kv_drop,
    .kv_copy = fake_kv_copy,
    .state_size = fake_state_size,
    .state_save = fake_state_save,
    .state_load = fake_state_load,
    .set_abort = fake_set_abort,
};

static inline fake_model fake_model_init(const art_alloc *alloc, const char *script) {
    return (fake_model){.alloc = *alloc,
                        .script = script,
                        .can_copy = true,
                        .can_drop = true,
                        .many_contexts = true,
                        .can_abort = true,
                        .script_logit = 10.0f};
}

/* Tokens of a prompt; the script begins behind it. */
static inline size_t fake_prompt(fake_model *m, const char *text, int32_t *ids, size_t cap) {
    size_t n;
    bool prefix = m->prefix_space;
    m->prefix_space = false;
    fake_tokenize(m, text, strlen(text), 1, ids, cap, &n, NULL);
    m->prefix_space = prefix;
    assert(n <= cap);
    m->prompt_len = (int32_t)n;
    return n;
}

typedef struct fake_result { /* all events of a request, with their kinds as in "<1>text<3>name" */
    char text[8192];
    size_t len;
    uint32_t kind;
    uint32_t n_events, n_more, n_tokens;
    art_stop stop;
    art_status status;
    art_error err;
} fake_result;

static inline void fake_run(art_session *s, fake_result *r) {
    *r = (fake_result){.kind = ART_EV_TEXT};
    art_event ev;
    for (;;) {
        r->status = art_session_next(s, &ev, &r->err);
        if (r->status == ART_MORE) {
            r->n_more++;
            continue;
        }
        r->n_tokens += ev.n_tokens;
        if (r->status != ART_OK) break;
        r->n_events++;
        if (ev.kind != r->kind || ev.kind == ART_EV_CALL_START || ev.kind == ART_EV_CALL_END) {
            r->kind = ev.kind;
            r->len += (size_t)snprintf(r->text + r->len, sizeof r->text - r->len, "<%u:%u>", ev.kind, ev.tool);
        }
        assert(r->len + ev.len < sizeof r->text);
        if (ev.len) memcpy(r->text + r->len, ev.data, ev.len);
        r->len += ev.len;
    }
    r->text[r->len] = 0;
    if (r->status == ART_DONE) {
        assert(ev.kind == ART_EV_DONE);
        r->stop = (art_stop)ev.stop;
        assert(art_session_next(s, &ev, NULL) == ART_DONE && ev.kind == ART_EV_DONE &&
               ev.n_tokens == 0); /* again the same */
    }
}

#endif
