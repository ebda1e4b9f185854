/* SPDX-License-Identifier: Apache-2.0 */
#include "art_json_run.h"

#include "art_bits.h"
#include "art_conflict.h"
#include "art_json_close.h"
#include "art_mask_walk.h"
#include "art_prepare.h"
#include "art_undo.h"

#define COMPACT_MIN                                                                                                    \
    ((size_t)256 << 10) /* a run's memory is compacted when it has grown to twice what was live, and to this */

struct arti_json_constraint {
    art_schema *schema;
    art_vocab *vocab;
    arti_mem mem; /* of the constraint itself and its memo of masks */
    arti_conj root;
    bool in_order, spaced;
    uint8_t space_max;
    arti_mask_memo memo;
};

/* ------------------------------------------------------------------ constraint */

void arti_json_constraint_free(arti_json_constraint *c) {
    if (!c) return;
    arti_mask_memo_free(&c->memo);
    art_vocab_free(c->vocab);
    art_schema *s = c->schema;
    arti_free(&c->mem, c, sizeof *c);
    art_schema_free(s);
}

/* The masks that outputs begin with: the first one, which is asked for at once, and the one behind a first `{"`, which most tokenizers have as
 * one token. What goes wrong here is told when a run asks for them. */
static void prepare_masks(arti_json_constraint *c, arti_jctx *x) {
    arti_state st;
    uint32_t *words = arti_region_get(x->region, (c->vocab->n_words + 1u) * sizeof *words);
    bool ok = words && arti_state_start(x, c->root, &st) && arti_mask_fill(x, &c->memo, c->vocab, &st, NULL, words);
    ok = ok && arti_state_step(x, &st, '{') && arti_state_step(x, &st, '"');
    if (ok) arti_mask_fill(x, &c->memo, c->vocab, &st, NULL, words);
    arti_fault_take(c->schema, NULL);
}

static void prepare_outputs(arti_json_constraint *c) {
    arti_region region;
    arti_region_init(&region, &c->mem);
    arti_jctx x = {.s = c->schema,
                   .region = &region,
                   .keep = &region,
                   .style = ARTI_NUM_USUAL,
                   .in_order = c->in_order,
                   .spaced = c->spaced,
                   .finite = true,
                   .space_max = c->space_max};
    arti_walk w = {.x = &x, .m = &c->memo, .v = c->vocab};
    const arti_prepared p = arti_prepare(c->schema, c->root, ARTI_PREPARE_STEPS_MAX, c->vocab ? &w : NULL);
    if (c->vocab && !p.is_refused) prepare_masks(c, &x);
    arti_region_free(&region);
}

static art_status prepare(arti_json_constraint *c, art_error *err) {
    art_schema *s = c->schema;
    arti_lit root = s->root;
    c->root = arti_conj_of(s, &root, 1);
    if (c->root == ARTI_CONJ_FAIL) return arti_fault_take(s, err);
    const uint32_t len = arti_conj_len(s, c->root);
    if (len == ARTI_LEN_NONE && !arti_faulted(s)) arti_conflict_fault(s);
    if (!arti_faulted(s)) prepare_outputs(c);
    return arti_fault_take(s, err);
}

art_status arti_json_constraint_new(art_schema *schema, art_vocab *vocab, const art_constraint_opts *opts,
                                    const art_alloc *alloc, arti_json_constraint **out, art_error *err) {
    static const art_constraint_opts defaults;
    const art_constraint_opts *o = opts ? opts : &defaults;
    *out = NULL;
    if (o->property_order != ART_ORDER_ANY && o->property_order != ART_ORDER_SCHEMA)
        return arti_fail(err, ART_E_ARG, 0, "property_order is neither ART_ORDER_ANY nor ART_ORDER_SCHEMA");
    if (o->whitespace > UINT8_MAX && o->whitespace != ART_WS_SPACED)
        return arti_fail(err, ART_E_ARG, 0, "whitespace allows at most %u characters in a row", UINT8_MAX - 1);
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    arti_json_constraint *c = arti_calloc(&mem, sizeof *c);
    if (!c) return arti_mem_fail(&mem, err);
    c->mem = mem;
    c->schema = arti_schema_ref(schema);
    c->vocab = vocab ? arti_vocab_ref(vocab) : NULL;
    c->in_order = o->property_order == ART_ORDER_SCHEMA;
    c->spaced = o->whitespace == ART_WS_SPACED;
    c->space_max = o->whitespace == ART_WS_ANY ? UINT8_MAX : c->spaced ? 1 : (uint8_t)(o->whitespace - 1);
    arti_mask_memo_init(&c->memo, alloc, o->cache_memory_max ? o->cache_memory_max : ART_CACHE_MEMORY_DEFAULT);
    pthread_mutex_lock(&schema->lock);
    const art_status st = prepare(c, err);
    pthread_mutex_unlock(&schema->lock);
    if (st != ART_OK) {
        arti_json_constraint_free(c);
        return st;
    }
    *out = c;
    return ART_OK;
}

size_t arti_json_constraint_memory(arti_json_constraint *c) {
    pthread_mutex_lock(&c->schema->lock);
    const size_t n = c->mem.used + c->memo.mem.used;
    pthread_mutex_unlock(&c->schema->lock);
    return n;
}

art_schema *arti_json_constraint_schema(arti_json_constraint *c) {
    return c->schema;
}
art_vocab *arti_json_constraint_vocab(arti_json_constraint *c) {
    return c->vocab;
}

/* ------------------------------------------------------------------ run */

typedef struct json_run {
    arti_run base;
    arti_json_constraint *c;
    arti_mem mem;
    arti_region heap, scratch, brief;
    arti_state now;
    arti_undo past;   /* states before the last steps */
    size_t live_size; /* of the heap after the last compaction */
    bool embedded;
    art_error error;
} json_run;

static json_run *run_of(arti_run *r) {
    return (json_run *)(void *)r;
}
static const json_run *run_of_const(const arti_run *r) {
    return (const json_run *)(const void *)r;
}

static arti_jctx ctx_of(json_run *r, bool scratch) {
    return (arti_jctx){.s = r->c->schema,
                       .region = scratch ? &r->scratch : &r->heap,
                       .keep = &r->heap,
                       .brief = &r->brief,
                       .style = ARTI_NUM_USUAL,
                       .in_order = r->c->in_order,
                       .embedded = r->embedded,
                       .space_max = r->c->space_max};
}

/* The same, held to what is wanted written: numbers that parsers hold, and ART_WS_SPACED. */
static arti_jctx writing_ctx_of(json_run *r) {
    arti_jctx x = ctx_of(r, true);
    x.spaced = r->c->spaced;
    x.finite = true;
    return x;
}

static void lock(json_run *r) {
    pthread_mutex_lock(&r->c->schema->lock);
    r->error.code = ART_OK;
}

/* Takes the fault, if any, into the run's error, and unlocks. */
static art_status unlock(json_run *r) {
    art_schema *s = r->c->schema;
    r->error.code = ART_OK;
    const art_status st = arti_fault_take(s, &r->error);
    pthread_mutex_unlock(&s->lock);
    return st;
}

art_status arti_json_run_error(const arti_run *r, art_error *err) {
    if (err) *err = run_of_const(r)->error;
    return run_of_const(r)->error.code;
}

/* ------------------------------------------------------------------ compaction */

typedef struct mover {
    arti_region to;
    const arti_hset ***links; /* pointers to sets that still have to be moved */
    size_t n, cap;
    void **trail; /* old objects that are marked as moved: where the mark is */
    size_t n_trail, trail_cap;
    arti_mem *mem;
    bool ok;
} mover;

static bool leave_mark(mover *m, void *mark) {
    if (!arti_vec_reserve(m->mem, (void **)&m->trail, &m->trail_cap, m->n_trail + 1, sizeof *m->trail))
        return m->ok = false;
    m->trail[m->n_trail++] = mark;
    return true;
}

static void *move_bytes(mover *m, const void *from, size_t size) {
    void *p = m->ok ? arti_region_get(&m->to, size) : NULL;
    if (p)
        memcpy(p, from, size);
    else
        m->ok = false;
    return p;
}

static void move_set(mover *m, const arti_hset **root) {
    m->n = 0;
    for (const arti_hset **link = root; m->ok;) {
        if (*link) {
            arti_hset *old = (arti_hset *)*link;
            if (old->moved) {
                *link = old->moved;
            } else {
                arti_hset *copy = move_bytes(m, old, sizeof *copy);
                if (!copy || !leave_mark(m, &old->moved) ||
                    !arti_vec_reserve(m->mem, (void **)&m->links, &m->cap, m->n + 2, sizeof *m->links)) {
                    m->ok = false;
                    return;
                }
                old->moved = copy;
                *link = copy;
                m->links[m->n++] = &copy->left;
                m->links[m->n++] = &copy->right;
            }
        }
        if (m->n == 0) return;
        link = m->links[--m->n];
    }
}

static void move_state(mover *m, arti_state *st) {
    for (const arti_frame **link = &st->top; m->ok && *link;) {
        arti_frame *old = (arti_frame *)*link;
        if (old->moved) {
            *link = old->moved;
            break;
        }
        arti_frame *copy = move_bytes(m, old, arti_frame_size(old));
        if (!copy || !leave_mark(m, &old->moved)) return;
        copy->costs = NULL;
        old->moved = copy;
        *link = copy;
        move_set(m, &copy->set);
        move_set(m, &copy->heads);
        move_set(m, &copy->own_set);
        link = &copy->parent;
    }
    const bool text = st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT;
    if (text && arti_text_parts(st) > 1)
        st->text.q.many = move_bytes(m, st->text.q.many, arti_text_parts(st) * sizeof(uint64_t));
    const bool keys = st->mode == ARTI_M_KEY_TEXT || st->mode == ARTI_M_KEY || st->mode == ARTI_M_FIRST_KEY;
    if (keys) {
        const arti_object_machine *om = st->top->machine;
        if (st->text.offer) st->text.offer = move_bytes(m, st->text.offer, om->n_seen_words * sizeof(uint64_t));
        if (st->text.others) st->text.others = move_bytes(m, st->text.others, om->n_live_words * sizeof(uint64_t));
    }
    if (st->mode == ARTI_M_KEY_TEXT) move_set(m, &st->text.heads);
    if (st->mode == ARTI_M_NUMBER && st->number.text) {
        const uint32_t n = st->number.num.len < ARTI_NUM_TEXT_MAX ? st->number.num.len : ARTI_NUM_TEXT_MAX;
        st->number.text = move_bytes(m, st->number.text, n);
    }
}

/* Copies what the given states need into a new region; their old objects are unmarked again. */
static bool move_all(mover *m, arti_state *now, arti_state *past, size_t n_past) {
    for (size_t i = 0; i < n_past && m->ok; i++) move_state(m, &past[i]);
    if (m->ok) move_state(m, now);
    for (size_t i = 0; i < m->n_trail; i++) memset(m->trail[i], 0, sizeof(void *));
    arti_free(m->mem, m->trail, m->trail_cap * sizeof *m->trail);
    arti_free(m->mem, m->links, m->cap * sizeof *m->links);
    return m->ok;
}

static arti_state *past_at(const json_run *r, size_t i) {
    return arti_undo_at(&r->past, i);
}

static void compact(json_run *r) {
    const size_t size = (r->past.n + 1) * sizeof(arti_state);
    arti_state *copy = arti_realloc(&r->mem, NULL, 0, size);
    if (!copy) return; /* later, perhaps */
    for (size_t i = 0; i < r->past.n; i++) copy[i] = *past_at(r, i);
    mover m = {.mem = &r->mem, .ok = true};
    arti_region_init(&m.to, &r->mem);
    arti_state now = r->now;
    if (move_all(&m, &now, copy, r->past.n)) {
        for (size_t i = 0; i < r->past.n; i++) *past_at(r, i) = copy[i];
        r->now = now;
        arti_region_free(&r->heap);
        r->heap = m.to;
        r->live_size = arti_region_used(&r->heap);
    } else {
        arti_region_free(&m.to);
    }
    arti_free(&r->mem, copy, size);
}

/* ------------------------------------------------------------------ operations */

static void run_free(arti_run *base) {
    json_run *r = run_of(base);
    if (!r) return;
    arti_region_free(&r->heap);
    arti_region_free(&r->scratch);
    arti_region_free(&r->brief);
    arti_undo_free(&r->mem, &r->past);
    arti_mem mem = r->mem;
    arti_free(&mem, r, sizeof *r);
}

static art_status run_reset(arti_run *base) {
    json_run *r = run_of(base);
    lock(r);
    arti_region_reset(&r->heap, (arti_region_mark){0});
    arti_undo_reset(&r->past);
    r->live_size = 0;
    arti_jctx x = ctx_of(r, false);
    arti_state st;
    if (arti_state_start(&x, r->c->root, &st)) r->now = st;
    return unlock(r);
}

static art_status run_step(arti_run *base, const uint8_t *bytes, size_t len, size_t *taken) {
    json_run *r = run_of(base);
    lock(r);
    arti_jctx x = ctx_of(r, false);
    arti_state st = r->now;
    size_t n = 0;
    while (n < len && arti_state_step(&x, &st, bytes[n])) n++;
    art_status status = ART_OK;
    *taken = 0;
    if (!arti_faulted(x.s) && n > 0) {
        if (!arti_undo_push(&r->mem, &r->past, &r->now)) {
            arti_fault_mem(x.s);
        } else {
            r->now = st;
            *taken = n;
        }
    }
    const bool over = r->embedded && n < len && (st.mode == ARTI_M_DONE || arti_state_is_complete(&st));
    if (*taken && arti_region_used(&r->heap) > COMPACT_MIN && arti_region_used(&r->heap) / 2 > r->live_size) compact(r);
    status = unlock(r);
    if (status != ART_OK) return status;
    return n == len || over ? ART_OK : ART_REJECTED;
}

static bool run_allows(arti_run *base, const uint8_t *bytes, size_t len) {
    json_run *r = run_of(base);
    lock(r);
    arti_region_reset(&r->scratch, (arti_region_mark){0});
    arti_jctx x = writing_ctx_of(r);
    arti_state st = r->now;
    size_t n = 0;
    while (n < len && arti_state_step(&x, &st, bytes[n])) n++;
    return unlock(r) == ART_OK && n == len;
}

static art_status run_undo(arti_run *base, size_t n) {
    json_run *r = run_of(base);
    if (n > r->past.n) return ART_E_ARG;
    if (n == 0) return ART_OK;
    r->past.n -= n - 1;
    r->now = *(const arti_state *)arti_undo_pop(&r->past);
    return ART_OK;
}

static art_status run_fill(arti_run *base, uint32_t *words, const arti_exit *exit, art_error *err) {
    json_run *r = run_of(base);
    if (!r->c->vocab) return arti_fail(err, ART_E_STATE, 0, "the constraint has no vocabulary");
    lock(r);
    arti_region_reset(&r->scratch, (arti_region_mark){0});
    arti_jctx x = writing_ctx_of(r);
    const bool ok = arti_mask_fill(&x, &r->c->memo, r->c->vocab, &r->now, exit, words);
    art_status st = unlock(r);
    if (st == ART_OK && !ok) st = ART_E_NOMEM;
    if (st != ART_OK && err) *err = r->error;
    return st;
}

static art_status run_forced(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    json_run *r = run_of(base);
    lock(r);
    arti_region_reset(&r->scratch, (arti_region_mark){0});
    arti_jctx x = writing_ctx_of(r);
    *len = arti_forced(&x, &r->now, buf, cap);
    return unlock(r);
}

static bool run_is_complete(arti_run *base) {
    json_run *r = run_of(base);
    if (r->now.mode == ARTI_M_DONE) return true;
    if (r->now.mode != ARTI_M_NUMBER || r->now.top) return false;
    lock(r);
    const bool done = arti_state_is_complete(&r->now);
    return unlock(r) == ART_OK && done;
}

static bool run_is_closed(arti_run *base) {
    json_run *r = run_of(base);
    if (r->now.mode == ARTI_M_DONE) return true;
    if (!run_is_complete(base)) return false;
    static const uint8_t more[] = "0123456789.eE";
    for (size_t i = 0; i + 1 < sizeof more; i++)
        if (run_allows(base, &more[i], 1)) return false;
    return true;
}

static art_status run_shortest(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    json_run *r = run_of(base);
    lock(r);
    arti_region_reset(&r->scratch, (arti_region_mark){0});
    arti_jctx x = ctx_of(r, true);
    arti_out out = {buf, cap, 0};
    const bool ok = arti_close_write(&x, &r->now, &out);
    const art_status st = unlock(r);
    *len = out.len;
    if (st != ART_OK) return st;
    if (!ok) return arti_fail(&r->error, ART_E_STATE, 0, "no text was found that ends what is written");
    return out.len > cap ? ART_E_LIMIT : ART_OK;
}

static size_t run_shortest_len(arti_run *base) {
    json_run *r = run_of(base);
    if (r->now.mode == ARTI_M_DONE) return 0;
    lock(r);
    arti_region_reset(&r->scratch, (arti_region_mark){0});
    arti_jctx x = ctx_of(r, true);
    const size_t n = arti_close_len(&x, &r->now);
    unlock(r);
    return n;
}

static art_status run_copy(const arti_run *base, arti_run **out);

static const arti_run_ops ops = {
    .free = run_free,
    .copy = run_copy,
    .reset = run_reset,
    .step = run_step,
    .allows = run_allows,
    .undo = run_undo,
    .fill = run_fill,
    .forced = run_forced,
    .is_complete = run_is_complete,
    .is_closed = run_is_closed,
    .shortest = run_shortest,
    .shortest_len = run_shortest_len,
    .error = arti_json_run_error,
};

static json_run *run_alloc(arti_json_constraint *c, bool embedded) {
    arti_mem mem;
    arti_mem_init(&mem, &c->mem.alloc, 0);
    json_run *r = arti_realloc(&mem, NULL, 0, sizeof *r);
    if (!r) return NULL;
    memset(r, 0, sizeof *r);
    r->base.ops = &ops;
    r->past.size = sizeof(arti_state);
    r->c = c;
    r->mem = mem;
    r->embedded = embedded;
    arti_region_init(&r->heap, &r->mem);
    arti_region_init(&r->scratch, &r->mem);
    arti_region_init(&r->brief, &r->mem);
    return r;
}

art_status arti_json_run_new(arti_json_constraint *c, bool embedded, arti_run **out, art_error *err) {
    *out = NULL;
    json_run *r = run_alloc(c, embedded);
    if (!r) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    const art_status st = run_reset(&r->base);
    if (st != ART_OK) {
        if (err) *err = r->error;
        run_free(&r->base);
        return st;
    }
    *out = &r->base;
    return ART_OK;
}

/* A copy shares nothing with the original. */
static art_status run_copy(const arti_run *base, arti_run **out) {
    json_run *from = run_of((arti_run *)(uintptr_t)base);
    *out = NULL;
    json_run *r = run_alloc(from->c, from->embedded);
    if (!r) return ART_E_NOMEM;
    if (!arti_undo_copy(&r->mem, &r->past, &from->past)) {
        run_free(&r->base);
        return ART_E_NOMEM;
    }
    lock(from);
    r->now = from->now;
    mover m = {.mem = &r->mem, .ok = true};
    arti_region_init(&m.to, &r->mem);
    const bool ok = move_all(&m, &r->now, (arti_state *)(void *)r->past.items, r->past.n); /* oldest first */
    pthread_mutex_unlock(&from->c->schema->lock);
    r->heap = m.to;
    r->live_size = arti_region_used(&r->heap);
    if (!ok) {
        run_free(&r->base);
        return ART_E_NOMEM;
    }
    *out = &r->base;
    return ART_OK;
}

/* ------------------------------------------------------------------ validation */

art_status art_schema_validate(art_schema *s, const uint8_t *json, size_t len, art_error *err) {
    arti_mem mem;
    arti_mem_init(&mem, &s->mem.alloc, 0);
    arti_region region;
    arti_region_init(&region, &mem);
    arti_jctx x = {.s = s, .region = &region, .keep = &region, .style = ARTI_NUM_ANY_STYLE, .space_max = UINT8_MAX};
    pthread_mutex_lock(&s->lock);
    arti_lit root = s->root;
    const arti_conj c = arti_conj_of(s, &root, 1);
    arti_state st;
    size_t n = 0;
    bool ok = c != ARTI_CONJ_FAIL && arti_state_start(&x, c, &st);
    if (ok) {
        for (; n < len; n++) {
            x.ahead = json + n;
            x.n_ahead = len - n;
            if (!arti_state_step(&x, &st, json[n])) break;
        }
        ok = n == len && arti_state_is_complete(&st);
    }
    const art_status fault = arti_fault_take(s, err);
    pthread_mutex_unlock(&s->lock);
    arti_region_free(&region);
    if (fault != ART_OK) return fault;
    if (ok) return ART_OK;
    return arti_fail(err, ART_REJECTED, n,
                     n == len ? "the text ends too early" : "no valid document has this byte here");
}
