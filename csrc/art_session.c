/* SPDX-License-Identifier: Apache-2.0 */
#include "art_session.h"

#include "art_bits.h"
#include <time.h>

/* An engine that can not be interrupted gets little at once. */
#define BATCH_WITHOUT_ABORT 32u
/* llama.cpp asks after every node of its graph, a thousand times a token: not every time is worth a look at the clock. */
#define CLOCK_EVERY 16u

double arti_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void art_generate_defaults(art_generate_params *p) {
    *p = (art_generate_params){.poll_ms = 50, .close_early = 1, .fast_forward = 1};
    art_sample_defaults(&p->sample);
}

/* ------------------------------------------------------------------ life */

static void release(art_session *s) {
    arti_model_ctx_free(s->model, s->ctx);
    art_matcher_free(s->matcher);
    arti_sampler_free(&s->sampler);
    arti_text_free(&s->text);
    arti_ids_free(&s->mem, &s->ids);
    arti_free(&s->mem, s->tokens, (size_t)s->n_ctx * sizeof *s->tokens);
    arti_free(&s->mem, s->mask, s->n_words * sizeof *s->mask);
    arti_free(&s->mem, s->bytes, s->bytes_cap);
    arti_free(&s->mem, s->trail, s->trail_cap);
    arti_free(&s->mem, s->name, s->name_cap);
    art_model_free(s->model);
    arti_mem mem = s->mem;
    arti_free(&mem, s, sizeof *s);
}

static int on_abort(void *ud) {
    art_session *s = ud;
    if (atomic_load_explicit(&s->cancel, memory_order_relaxed)) return 1;
    if (!s->p.poll || (s->p.poll_ms && ++s->n_abort_calls % CLOCK_EVERY)) return 0;
    double now = arti_now_ms();
    if (now - s->polled_ms < (double)s->p.poll_ms) return 0;
    s->polled_ms = now;
    if (!s->p.poll(s->p.poll_ud)) return 0;
    atomic_store(&s->cancel, true);
    return 1;
}

art_status art_session_new(art_model *m, const art_context_params *p, const art_alloc *alloc, art_session **out,
                           art_error *err) {
    *out = NULL;
    art_context_params cp = p ? *p : (art_context_params){0};
    const art_engine_caps *caps = &m->caps;
    if (cp.n_ctx == 0) {
        cp.n_ctx = caps->n_ctx_train && caps->n_ctx_train < ART_N_CTX_DEFAULT ? caps->n_ctx_train : ART_N_CTX_DEFAULT;
    }
    if (cp.n_ctx < 8 || cp.n_ctx > (1u << 28))
        return arti_fail(err, ART_E_ARG, 0, "a context of %u tokens is outside 8 .. 2^28", cp.n_ctx);
    if (cp.n_batch == 0) cp.n_batch = ART_N_BATCH_DEFAULT;
    if (cp.n_batch > cp.n_ctx) cp.n_batch = cp.n_ctx;
    if (cp.n_threads == 0) cp.n_threads = art_cpu_count();

    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_session *s = arti_calloc(&mem, sizeof *s);
    if (!s) return arti_mem_fail(&mem, err);
    s->mem = mem;
    s->model = arti_model_ref(m);
    atomic_flag_clear(&s->busy);
    atomic_init(&s->cancel, false);
    arti_sampler_init(&s->sampler, &s->mem, caps->n_vocab);
    arti_text_init(&s->text, &s->mem);
    art_status st = arti_model_ctx_new(m, &cp, &s->ctx, err);
    if (st != ART_OK) goto fail;
    uint32_t n_ctx = m->engine->ctx_size(s->ctx);
    s->tokens = arti_calloc(&s->mem, (size_t)n_ctx * sizeof *s->tokens);
    if (!s->tokens) {
        st = arti_mem_fail(&s->mem, err);
        goto fail;
    }
    s->n_ctx = n_ctx;
    s->n_batch = cp.n_batch < n_ctx ? cp.n_batch : n_ctx;
    if (!caps->can_abort && s->n_batch > BATCH_WITHOUT_ABORT) s->n_batch = BATCH_WITHOUT_ABORT;
    if (m->engine->set_abort) m->engine->set_abort(s->ctx, on_abort, s);
    *out = s;
    return ART_OK;
fail:
    release(s);
    return st;
}

void art_session_free(art_session *s) {
    if (s) release(s);
}

uint32_t art_session_n_ctx(const art_session *s) {
    return s->n_ctx;
}

/* ------------------------------------------------------------------ the guard */

static art_status enter(art_session *s, art_error *err) {
    if (arti_model_forked(s->model))
        return arti_fail(err, ART_E_FORKED, 0,
                         "the session was made by another process: load the model again after the fork");
    if (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
        return arti_fail(err, ART_E_BUSY, 0, "the session is in use by another thread");
    return ART_OK;
}

static art_status leave(art_session *s, art_status st) {
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
    return st;
}

void art_session_cancel(art_session *s) {
    atomic_store(&s->cancel, true);
}

/* ------------------------------------------------------------------ transcript and cache */

/* Cuts the cache to its first n tokens, or to none when the model can not do that. */
static art_status cut(art_session *s, size_t n, art_error *err) {
    const art_engine *e = s->model->engine;
    if (n >= s->n_kv) return ART_OK;
    s->have_logits = false;
    if (n && (!s->model->caps.can_drop || e->kv_drop(s->ctx, n, NULL) != ART_OK)) n = 0;
    art_status st = n ? ART_OK : e->kv_drop(s->ctx, 0, err);
    if (st == ART_OK) s->n_kv = n;
    return st;
}

art_status art_session_reset(art_session *s, art_error *err) {
    art_status st = enter(s, err);
    if (st != ART_OK) return st;
    art_matcher_free(s->matcher);
    s->matcher = NULL;
    s->phase = ARTI_IDLE;
    s->n_tokens = s->n_prompt = 0;
    return leave(s, cut(s, 0, err));
}

static art_status check_prompt(const art_session *s, const int32_t *ids, size_t n, art_error *err) {
    if (n == 0) return arti_fail(err, ART_E_ARG, 0, "a prompt needs at least one token");
    if (n >= s->n_ctx)
        return arti_fail(err, ART_E_CONTEXT, 0, "the prompt of %zu tokens leaves no room in the context of %u", n,
                         s->n_ctx);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= s->model->caps.n_vocab)
            return arti_fail(err, ART_E_ARG, i, "token %d at %zu is not in the vocabulary", (int)ids[i], i);
    }
    return ART_OK;
}

static art_status start(art_session *s, const int32_t *ids, size_t n, const art_generate_params *p, art_error *err) {
    art_status st = check_prompt(s, ids, n, err);
    if (st == ART_OK) st = arti_sampler_start(&s->sampler, &p->sample, err);
    if (st == ART_OK) st = arti_text_start(&s->text, p->stops, p->n_stops, err);
    if (st == ART_OK) st = arti_decode_start(s, n, p, err);
    if (st != ART_OK) return st;

    size_t common = 0, most = n < s->n_kv ? n : s->n_kv;
    while (common < most && s->tokens[common] == ids[common]) common++;
    if (common == n && !(s->have_logits && s->n_kv == n)) common = n - 1; /* the last token's logits are needed */
    st = cut(s, common, err);
    if (st != ART_OK) return st;
    common = s->n_kv;
    memmove(s->tokens, ids, n * sizeof *ids);
    s->n_tokens = s->n_prompt = n;

    s->p = *p;
    s->p.sample.bias = NULL;
    s->p.stops = NULL;
    s->p.matcher = NULL;
    s->stop = ART_STOP_NONE;
    s->n_reported = 0;
    s->usage = (art_usage){.prompt_tokens = (uint32_t)n, .cached_tokens = (uint32_t)common};
    s->started_ms = s->polled_ms = arti_now_ms();
    s->text_ms = 0.0;
    return ART_OK;
}

art_status art_session_start(art_session *s, const int32_t *ids, size_t n, const art_generate_params *p,
                             art_error *err) {
    art_generate_params defaults;
    if (!p) {
        art_generate_defaults(&defaults);
        p = &defaults;
    }
    art_status st = enter(s, err);
    if (st != ART_OK) {
        art_matcher_free(p->matcher);
        return st;
    }
    atomic_store(&s->cancel, false);
    art_matcher_free(s->matcher);
    s->matcher = p->matcher;
    s->phase = ARTI_IDLE;
    st = start(s, ids, n, p, err);
    if (st == ART_OK) {
        s->phase = ARTI_RUNNING;
    } else {
        art_matcher_free(s->matcher);
        s->matcher = NULL;
    }
    return leave(s, st);
}

/* ------------------------------------------------------------------ the pull */

static art_status eval_some(art_session *s, art_error *err) {
    size_t n = s->n_tokens - s->n_kv;
    if (n > s->n_batch) n = s->n_batch;
    s->have_logits = false;
    double before = arti_now_ms();
    art_status st = s->model->engine->eval(s->ctx, s->tokens + s->n_kv, n, s->n_kv, err);
    double took = arti_now_ms() - before;
    if (s->n_kv < s->n_prompt)
        s->usage.prefill_ms += took;
    else
        s->usage.decode_ms += took;
    if (st != ART_OK) return st;
    s->n_kv += n;
    s->have_logits = true;
    return ART_OK;
}

static art_status work(art_session *s, art_error *err) {
    if (on_abort(s)) return arti_decode_finish(s, ART_STOP_CANCELLED, err);
    if (!s->forced_asked) {
        art_status st = arti_decode_forced(s, err);
        if (st != ART_OK || arti_text_ready(&s->text) || s->phase == ARTI_FINISHED) return st;
    }
    if (s->n_kv < s->n_tokens) {
        art_status st = eval_some(s, err);
        if (st == ART_E_CANCELLED) return arti_decode_finish(s, ART_STOP_CANCELLED, err);
        if (st != ART_OK || s->n_kv < s->n_tokens) return st;
    }
    return arti_decode_step(s, err);
}

/* Should waiting text be handed out, or joined with more? */
static bool is_due(art_session *s) {
    if (!arti_text_ready(&s->text)) return false;
    if (!s->p.flush_ms || s->phase == ARTI_FINISHED || s->text.n_pieces - s->text.next_piece > 1) return true;
    double now = arti_now_ms();
    if (s->text_ms == 0.0) s->text_ms = now;
    return now - s->text_ms >= (double)s->p.flush_ms;
}

static void take_event(art_session *s, art_event *ev) {
    arti_piece piece;
    arti_text_take(&s->text, &piece, &ev->data);
    ev->kind = piece.kind;
    ev->tool = piece.tool;
    ev->len = piece.len;
    ev->n_tokens = s->usage.completion_tokens - s->n_reported;
    s->n_reported = s->usage.completion_tokens;
    s->text_ms = 0.0;
}

static art_status next(art_session *s, art_event *ev, art_error *err) {
    *ev = (art_event){0};
    if (s->phase == ARTI_IDLE) return arti_fail(err, ART_E_STATE, 0, "no request was started, or the last one failed");
    if (s->phase == ARTI_RUNNING && !is_due(s)) {
        art_status st = work(s, err);
        if (st != ART_OK) {
            s->phase = ARTI_IDLE;
            return st;
        }
    }
    if (is_due(s)) {
        take_event(s, ev);
        return ART_OK;
    }
    if (s->phase == ARTI_RUNNING) return ART_MORE;
    ev->kind = ART_EV_DONE;
    ev->stop = s->stop;
    ev->n_tokens = s->usage.completion_tokens - s->n_reported;
    s->n_reported = s->usage.completion_tokens;
    return ART_DONE;
}

art_status art_session_next(art_session *s, art_event *ev, art_error *err) {
    art_status st = enter(s, err);
    return st == ART_OK ? leave(s, next(s, ev, err)) : st;
}

const int32_t *art_session_tokens(const art_session *s, size_t *n) {
    *n = s->n_tokens;
    return s->tokens;
}

void art_session_usage(const art_session *s, art_usage *u) {
    *u = s->usage;
    if (s->phase == ARTI_RUNNING) u->total_ms = arti_now_ms() - s->started_ms;
}

/* ------------------------------------------------------------------ copies and files */

static art_status fork_cache(art_session *dst, art_session *src, size_t n, art_error *err) {
    if (dst->model != src->model) return arti_fail(err, ART_E_ARG, 0, "the sessions are of two models");
    if (!src->model->caps.can_copy)
        return arti_fail(err, ART_E_STATE, 0, "the %s engine can not copy a session's cache", src->model->engine->name);
    if (n > src->n_kv) n = src->n_kv;
    if (n > dst->n_ctx) n = dst->n_ctx;
    dst->phase = ARTI_IDLE;
    dst->have_logits = false;
    dst->n_kv = dst->n_tokens = dst->n_prompt = 0;
    art_status st = src->model->engine->kv_copy(dst->ctx, src->ctx, n, err);
    if (st != ART_OK) {
        src->model->engine->kv_drop(dst->ctx, 0, NULL);
        return st;
    }
    memcpy(dst->tokens, src->tokens, n * sizeof *src->tokens);
    dst->n_kv = dst->n_tokens = n;
    return ART_OK;
}

art_status art_session_fork(art_session *dst, art_session *src, size_t n, art_error *err) {
    if (dst == src) return arti_fail(err, ART_E_ARG, 0, "a session can not be copied onto itself");
    art_status st = enter(dst, err);
    if (st != ART_OK) return st;
    st = enter(src, err);
    if (st == ART_OK) st = leave(src, fork_cache(dst, src, n, err));
    return leave(dst, st);
}

typedef struct saved { /* what a saved session begins with; native byte order */
    char magic[8];
    uint32_t n_vocab, n_ctx_train;
    uint64_t n_tokens, state_len, sum; /* of all that follows */
} saved;

static const char saved_magic[8] = "artsess1";

static uint64_t checksum(const uint8_t *p,
                         size_t n) { /* FNV-1a over 8 bytes at a time: against damage, not against forgery */
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * UINT64_C(0x100000001B3);
        h ^= h >> 29;
    }
    for (; n; n--, p++) h = (h ^ *p) * UINT64_C(0x100000001B3);
    return h;
}

static art_status save(art_session *s, uint8_t *buf, size_t cap, size_t *len, art_error *err) {
    const art_engine *e = s->model->engine;
    if (!s->model->caps.can_save)
        return arti_fail(err, ART_E_STATE, 0, "the %s engine can not save a session", e->name);
    size_t state = e->state_size(s->ctx), ids = s->n_kv * sizeof *s->tokens, need = sizeof(saved) + ids + state;
    *len = need;
    if (cap < need) return arti_fail(err, ART_E_LIMIT, 0, "the session needs a buffer of %zu bytes", need);
    memcpy(buf + sizeof(saved), s->tokens, ids);
    art_status st = e->state_save(s->ctx, buf + sizeof(saved) + ids, state, &state, err);
    if (st != ART_OK) return st;
    saved h = {.n_vocab = s->model->caps.n_vocab,
               .n_ctx_train = s->model->caps.n_ctx_train,
               .n_tokens = s->n_kv,
               .state_len = state,
               .sum = checksum(buf + sizeof h, ids + state)};
    memcpy(h.magic, saved_magic, sizeof h.magic);
    memcpy(buf, &h, sizeof h);
    *len = sizeof h + ids + state;
    return ART_OK;
}

art_status art_session_save(art_session *s, uint8_t *buf, size_t cap, size_t *len, art_error *err) {
    *len = 0;
    art_status st = enter(s, err);
    return st == ART_OK ? leave(s, save(s, buf, cap, len, err)) : st;
}

static art_status load(art_session *s, const uint8_t *buf, size_t len, art_error *err) {
    const art_engine *e = s->model->engine;
    saved h;
    if (!s->model->caps.can_save)
        return arti_fail(err, ART_E_STATE, 0, "the %s engine can not load a session", e->name);
    if (len < sizeof h) return arti_fail(err, ART_E_FORMAT, 0, "not a saved session");
    memcpy(&h, buf, sizeof h);
    if (memcmp(h.magic, saved_magic, sizeof h.magic) != 0)
        return arti_fail(err, ART_E_FORMAT, 0, "not a saved session");
    if (h.n_vocab != s->model->caps.n_vocab || h.n_ctx_train != s->model->caps.n_ctx_train)
        return arti_fail(err, ART_E_FORMAT, 0, "this session was saved from another model");
    size_t room = len - sizeof h;
    if (h.n_tokens > room / sizeof(int32_t) || h.state_len != room - h.n_tokens * sizeof(int32_t) ||
        checksum(buf + sizeof h, room) != h.sum)
        return arti_fail(err, ART_E_FORMAT, 0, "the saved session is damaged");
    if (h.n_tokens > s->n_ctx)
        return arti_fail(err, ART_E_CONTEXT, 0, "the saved session's %llu tokens do not fit into the context of %u",
                         (unsigned long long)h.n_tokens, s->n_ctx);
    size_t ids = (size_t)h.n_tokens * sizeof(int32_t);
    s->phase = ARTI_IDLE;
    s->have_logits = false;
    s->n_kv = s->n_tokens = s->n_prompt = 0;
    art_status st = e->state_load(s->ctx, buf + sizeof h + ids, (size_t)h.state_len, (size_t)h.n_tokens, err);
    if (st != ART_OK) return st;
    memcpy(s->tokens, buf + sizeof h, ids);
    s->n_kv = s->n_tokens = (size_t)h.n_tokens;
    return ART_OK;
}

art_status art_session_load(art_session *s, const uint8_t *buf, size_t len, art_error *err) {
    art_status st = enter(s, err);
    return st == ART_OK ? leave(s, load(s, buf, len, err)) : st;
}
