/* SPDX-License-Identifier: Apache-2.0
 *
 * The public face of constraints and matchers: tokens to bytes, end of sequence, undo across it, and who may be inside. */
#include "art_bits.h"
#include "art_json_run.h"
#include "art_mem.h"
#include "art_vocab.h"

/* ------------------------------------------------------------------ constraints */

typedef struct json_constraint {
    art_constraint base;
    arti_json_constraint *json;
    arti_mem mem; /* of this object alone */
} json_constraint;

static art_status json_run_new(art_constraint *c, bool embedded, arti_run **out, art_error *err) {
    return arti_json_run_new(((json_constraint *)c)->json, embedded, out, err);
}

static size_t json_memory(const art_constraint *c) {
    return arti_json_constraint_memory(((const json_constraint *)c)->json) + sizeof(json_constraint);
}

static void json_free(art_constraint *c) {
    json_constraint *j = (json_constraint *)c;
    arti_mem mem = j->mem;
    arti_json_constraint_free(j->json);
    arti_free(&mem, j, sizeof *j);
}

static const arti_constraint_ops json_ops = {json_run_new, json_memory, json_free};

art_status art_constraint_new(art_schema *schema, art_vocab *vocab, const art_constraint_opts *opts,
                              const art_alloc *alloc, art_constraint **out, art_error *err) {
    *out = NULL;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    json_constraint *j = arti_calloc(&mem, sizeof *j);
    if (!j) return arti_mem_fail(&mem, err);
    art_status s = arti_json_constraint_new(schema, vocab, opts, alloc, &j->json, err);
    if (s != ART_OK) {
        arti_free(&mem, j, sizeof *j);
        return s;
    }
    j->base.ops = &json_ops;
    atomic_init(&j->base.refs, 1u);
    j->base.vocab = vocab;
    j->base.alloc = mem.alloc;
    j->mem = mem;
    *out = &j->base;
    return ART_OK;
}

art_constraint *arti_constraint_ref(art_constraint *c) {
    atomic_fetch_add_explicit(&c->refs, 1u, memory_order_relaxed);
    return c;
}

void art_constraint_free(art_constraint *c) {
    if (c && atomic_fetch_sub_explicit(&c->refs, 1u, memory_order_acq_rel) == 1) c->ops->free(c);
}

size_t art_constraint_memory(const art_constraint *c) {
    return c->ops->memory(c);
}

/* ------------------------------------------------------------------ matchers */

#define EOS_FEW 8u

struct art_matcher {
    art_constraint *c;
    arti_run *run;
    arti_mem mem;
    atomic_flag busy;
    bool is_ended;
    bool end_is_step; /* the run took the end as a step */
    uint32_t n_steps; /* of the run; saturates at ART_ROLLBACK_MAX */
    art_status failed;
    size_t last_len; /* bytes of the last accept */
    art_span span;   /* for runs without spans of their own */
};

static bool enter(art_matcher *m) {
    return !atomic_flag_test_and_set_explicit(&m->busy, memory_order_acquire);
}
static void leave(art_matcher *m) {
    atomic_flag_clear_explicit(&m->busy, memory_order_release);
}

/* Leaves, and keeps what art_matcher_error() is to say. */
static art_status leave_with(art_matcher *m, art_status s) {
    m->failed = s >= ART_E_ARG ? s : ART_OK;
    leave(m);
    return s;
}

static art_matcher *new_handle(art_constraint *c) {
    arti_mem mem;
    arti_mem_init(&mem, &c->alloc, 0);
    art_matcher *m = arti_calloc(&mem, sizeof *m);
    if (!m) return NULL;
    m->mem = mem;
    m->c = arti_constraint_ref(c);
    leave(m);
    return m;
}

art_status art_matcher_new(art_constraint *c, art_matcher **out, art_error *err) {
    *out = NULL;
    art_matcher *m = new_handle(c);
    if (!m) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    art_status s = c->ops->run_new(c, false, &m->run, err);
    if (s != ART_OK) {
        art_matcher_free(m);
        return s;
    }
    *out = m;
    return ART_OK;
}

art_status art_matcher_copy(const art_matcher *m, art_matcher **out, art_error *err) {
    *out = NULL;
    art_matcher *from = (art_matcher *)m; /* the busy flag is not part of its value */
    if (!enter(from)) return arti_fail(err, ART_E_BUSY, 0, "the matcher is in use by another thread");
    art_matcher *copy = new_handle(m->c);
    art_status s = copy ? m->run->ops->copy(m->run, &copy->run) : ART_E_NOMEM;
    if (s == ART_OK) {
        copy->is_ended = m->is_ended;
        copy->end_is_step = m->end_is_step;
        copy->n_steps = m->n_steps;
        *out = copy;
    } else {
        art_matcher_free(copy);
        arti_fail(err, s, 0, "the matcher can not be copied");
    }
    leave(from);
    return s;
}

void art_matcher_free(art_matcher *m) {
    if (!m) return;
    if (m->run) m->run->ops->free(m->run);
    art_constraint_free(m->c);
    arti_mem mem = m->mem;
    arti_free(&mem, m, sizeof *m);
}

art_status art_matcher_reset(art_matcher *m) {
    if (!enter(m)) return ART_E_BUSY;
    art_status s = m->run->ops->reset(m->run);
    if (s == ART_OK) {
        m->is_ended = false;
        m->n_steps = 0;
        m->last_len = 0;
    }
    return leave_with(m, s);
}

static art_status fill(art_matcher *m, uint32_t *words, size_t n_words, uint32_t *n_allowed, art_error *err) {
    const art_vocab *v = m->c->vocab;
    if (!v) return arti_fail(err, ART_E_STATE, 0, "the constraint has no vocabulary");
    if (n_words < v->n_words)
        return arti_fail(err, ART_E_ARG, 0, "the mask has %zu words, %u are needed", n_words, v->n_words);
    if (n_words > v->n_words) arti_bits_zero(words + v->n_words, n_words - v->n_words);
    if (m->is_ended) {
        arti_bits_zero(words, v->n_words);
    } else {
        art_status s = m->run->ops->fill(m->run, words, NULL, err);
        if (s != ART_OK) return s;
        if (m->run->ops->is_complete(m->run))
            for (uint32_t i = 0; i < v->n_eos; i++) arti_bits_set(words, v->eos[i]);
    }
    if (n_allowed) *n_allowed = arti_bits_count_to_two(words, v->n_words);
    return ART_OK;
}

art_status art_matcher_fill_mask(art_matcher *m, uint32_t *words, size_t n_words, uint32_t *n_allowed, art_error *err) {
    if (!enter(m)) return arti_fail(err, ART_E_BUSY, 0, "the matcher is in use by another thread");
    return leave_with(m, fill(m, words, n_words, n_allowed, err));
}

/* A few ids lie in one line of the cache; the row's line would be read for this alone. */
static bool is_eos(const art_vocab *v, uint32_t token) {
    if (v->n_eos > EOS_FEW) return arti_bits_test(v->eos_row, token);
    bool is = false;
    for (uint32_t i = 0; i < v->n_eos; i++) is |= v->eos[i] == token;
    return is;
}

static art_status allows(art_matcher *m, uint32_t token) {
    const art_vocab *v = m->c->vocab;
    if (!v) return ART_E_STATE;
    if (token >= v->n_tokens || m->is_ended) return ART_REJECTED;
    const arti_run_ops *ops = m->run->ops;
    if (is_eos(v, token)) return ops->is_complete(m->run) ? ART_OK : ART_REJECTED;
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(v, token, &len);
    if (len) {
        if (ops->allows(m->run, bytes, len)) return ART_OK;
        const art_status fault = ops->error ? ops->error(m->run, NULL) : ART_OK;
        return fault == ART_OK ? ART_REJECTED : fault;
    }
    if (!ops->step_token) return ART_REJECTED;
    art_status s = ops->step_token(m->run, token);
    return s == ART_OK ? ops->undo(m->run, 1) : s;
}

art_status art_matcher_allows(art_matcher *m, uint32_t token) {
    if (!enter(m)) return ART_E_BUSY;
    return leave_with(m, allows(m, token));
}

static void count_step(art_matcher *m, size_t len) {
    if (m->n_steps < ART_ROLLBACK_MAX) m->n_steps++;
    m->last_len = len;
}

static art_status accept(art_matcher *m, uint32_t token) {
    const art_vocab *v = m->c->vocab;
    if (!v) return ART_E_STATE;
    if (token >= v->n_tokens || m->is_ended) return ART_REJECTED;
    const arti_run_ops *ops = m->run->ops;
    art_status s;
    if (is_eos(v, token)) {
        if (!ops->is_complete(m->run)) return ART_REJECTED;
        if (ops->end && (s = ops->end(m->run)) != ART_OK) return s;
        m->is_ended = true;
        m->end_is_step = ops->end != NULL;
        m->last_len = 0;
        if (m->end_is_step) count_step(m, 0);
        return ART_OK;
    }
    size_t len, taken = 0;
    const uint8_t *bytes = arti_vocab_bytes(v, token, &len);
    if (len == 0) {
        if (!ops->step_token) return ART_REJECTED;
        s = ops->step_token(m->run, token);
        if (s == ART_OK) count_step(m, 0);
        return s;
    }
    s = ops->step(m->run, bytes, len, &taken);
    if (s != ART_OK) {
        art_status undone = taken ? ops->undo(m->run, 1) : ART_OK;
        return undone != ART_OK ? undone : s;
    }
    count_step(m, len);
    return ART_OK;
}

art_status art_matcher_accept(art_matcher *m, uint32_t token) {
    if (!enter(m)) return ART_E_BUSY;
    return leave_with(m, accept(m, token));
}

art_status art_matcher_accept_bytes(art_matcher *m, const uint8_t *bytes, size_t len, size_t *n_accepted) {
    size_t taken = 0;
    if (n_accepted) *n_accepted = 0;
    if (!enter(m)) return ART_E_BUSY;
    art_status s = m->is_ended ? ART_REJECTED : ART_OK;
    if (s == ART_OK && len) {
        s = m->run->ops->step(m->run, bytes, len, &taken);
        if (taken) count_step(m, taken);
    }
    if (n_accepted) *n_accepted = taken;
    return leave_with(m, s);
}

static art_status rollback(art_matcher *m, size_t n) {
    if (n == 0) return ART_OK;
    bool plain_end = m->is_ended && !m->end_is_step; /* an end that the run knows nothing of */
    size_t steps = n - plain_end;
    if (steps > m->n_steps) return ART_E_ARG;
    art_status s = steps ? m->run->ops->undo(m->run, steps) : ART_OK;
    if (s != ART_OK) return s;
    m->n_steps -= (uint32_t)steps;
    m->is_ended = false;
    m->last_len = 0;
    return ART_OK;
}

art_status art_matcher_rollback(art_matcher *m, size_t n) {
    if (!enter(m)) return ART_E_BUSY;
    return leave_with(m, rollback(m, n));
}

art_status art_matcher_forced(art_matcher *m, uint8_t *buf, size_t cap, size_t *len) {
    *len = 0;
    if (!enter(m)) return ART_E_BUSY;
    return leave_with(m, m->is_ended || cap == 0 ? ART_OK : m->run->ops->forced(m->run, buf, cap, len));
}

int art_matcher_is_complete(art_matcher *m) {
    if (!enter(m)) return -1;
    bool yes = !m->is_ended && m->run->ops->is_complete(m->run);
    leave(m);
    return yes;
}

int art_matcher_is_closed(art_matcher *m) {
    if (!enter(m)) return -1;
    bool yes = m->is_ended || m->run->ops->is_closed(m->run);
    leave(m);
    return yes;
}

int art_matcher_is_ended(const art_matcher *m) {
    return m->is_ended;
}

art_status art_matcher_shortest(art_matcher *m, uint8_t *buf, size_t cap, size_t *len) {
    *len = 0;
    if (!enter(m)) return ART_E_BUSY;
    return leave_with(m, m->is_ended ? ART_OK : m->run->ops->shortest(m->run, buf, cap, len));
}

size_t art_matcher_shortest_len(art_matcher *m) {
    if (!enter(m)) return SIZE_MAX;
    size_t len = m->is_ended ? 0 : m->run->ops->shortest_len(m->run);
    leave(m);
    return len;
}

art_status art_matcher_error(const art_matcher *m, art_error *err) {
    if (m->failed == ART_OK) return ART_OK;
    art_error e = {0};
    const art_status s = m->run->ops->error ? m->run->ops->error(m->run, &e) : ART_OK;
    if (s != m->failed) return arti_fail(err, m->failed, 0, "%s", art_status_name(m->failed));
    if (err) *err = e;
    return s;
}

const art_span *art_matcher_spans(const art_matcher *m, size_t *n) {
    size_t held;
    if (m->run->ops->spans) return m->run->ops->spans(m->run, n, &held);
    art_matcher *own = (art_matcher *)m; /* the span is scratch, not part of its value */
    own->span = (art_span){ART_SPAN_VALUE, UINT32_MAX, 0, (uint32_t)m->last_len};
    *n = m->last_len > 0;
    return &own->span;
}

size_t art_matcher_held(const art_matcher *m) {
    size_t n, held = 0;
    if (m->run->ops->spans) m->run->ops->spans(m->run, &n, &held);
    return held;
}
