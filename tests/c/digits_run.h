/* SPDX-License-Identifier: Apache-2.0
 *
 * digits_run.h: a tiny run for tests of what stands above runs. Its language is `{` digits `}` (closed at the end), or plain digits
 * (complete after one, never closed); undo and exits as art_run.h wants them. */
#ifndef DIGITS_RUN_H
#define DIGITS_RUN_H

#include "art_mem.h"
#include "art_run.h"
#include "art_vocab.h"

typedef struct digits_constraint {
    art_constraint base;
    arti_mem mem;
    bool braces;
} digits_constraint;

typedef struct digits_run {
    arti_run base;
    digits_constraint *c;
    arti_mem mem;
    uint8_t state; /* 0 start, 1 after the brace, 2 after a digit, 3 closed */
    uint8_t *past;
    size_t n_past, cap_past;
} digits_run;

static bool digits_next(const digits_run *r, uint8_t *state, uint8_t c) {
    bool digit = c >= '0' && c <= '9';
    if (r->c->braces && *state == 0 && c == '{') return *state = 1, true;
    if (r->c->braces && *state == 2 && c == '}') return *state = 3, true;
    if (digit && *state != 3 && (*state != 0 || !r->c->braces)) return *state = 2, true;
    return false;
}

static void digits_free(arti_run *b) {
    digits_run *r = (digits_run *)b;
    arti_mem mem = r->mem;
    arti_free(&mem, r->past, r->cap_past);
    arti_free(&mem, r, sizeof *r);
}

static art_status digits_run_new(art_constraint *c, bool embedded, arti_run **out, art_error *err);

static art_status digits_copy(const arti_run *b, arti_run **out) {
    const digits_run *from = (const digits_run *)b;
    art_status s = digits_run_new(&from->c->base, true, out, NULL);
    if (s != ART_OK) return s;
    digits_run *r = (digits_run *)*out;
    if (!arti_vec_reserve(&r->mem, (void **)&r->past, &r->cap_past, from->n_past + 1, 1)) {
        digits_free(*out);
        return ART_E_NOMEM;
    }
    if (from->n_past) memcpy(r->past, from->past, from->n_past);
    r->n_past = from->n_past;
    r->state = from->state;
    return ART_OK;
}

static art_status digits_reset(arti_run *b) {
    digits_run *r = (digits_run *)b;
    r->state = 0;
    r->n_past = 0;
    return ART_OK;
}

static art_status digits_step(arti_run *b, const uint8_t *bytes, size_t len, size_t *taken) {
    digits_run *r = (digits_run *)b;
    uint8_t state = r->state;
    *taken = 0;
    while (*taken < len && digits_next(r, &state, bytes[*taken])) ++*taken;
    if (*taken == 0) return len ? ART_REJECTED : ART_OK;
    if (!arti_vec_reserve(&r->mem, (void **)&r->past, &r->cap_past, r->n_past + 1, 1)) {
        *taken = 0;
        return ART_E_NOMEM;
    }
    r->past[r->n_past++] = r->state;
    r->state = state;
    return *taken < len ? ART_REJECTED : ART_OK;
}

static bool digits_allows(arti_run *b, const uint8_t *bytes, size_t len) {
    uint8_t state = ((digits_run *)b)->state;
    for (size_t i = 0; i < len; i++)
        if (!digits_next((digits_run *)b, &state, bytes[i])) return false;
    return true;
}

static art_status digits_undo(arti_run *b, size_t n) {
    digits_run *r = (digits_run *)b;
    if (n > r->n_past) return ART_E_ARG;
    if (n) r->state = r->past[r->n_past -= n];
    return ART_OK;
}

static bool digits_is_complete(arti_run *b) {
    const digits_run *r = (digits_run *)b;
    return r->state == 3 || (!r->c->braces && r->state == 2);
}

static bool digits_is_closed(arti_run *b) {
    return ((digits_run *)b)->state == 3;
}

static art_status digits_fill(arti_run *b, uint32_t *words, const arti_exit *exit, art_error *err) {
    (void)err;
    digits_run *r = (digits_run *)b;
    const art_vocab *v = r->c->base.vocab;
    memset(words, 0, v->n_words * 4);
    for (uint32_t k = 0; k < v->n_order; k++) {
        size_t len, i = 0;
        const uint8_t *p = arti_vocab_bytes(v, v->order[k], &len);
        uint8_t state = r->state;
        while (i < len && digits_next(r, &state, p[i])) i++;
        bool ends = state == 3 || (!r->c->braces && state == 2);
        if (i == len || (exit && ends && exit->allows(exit->ud, p + i, len - i)))
            words[v->order[k] / 32] |= UINT32_C(1) << v->order[k] % 32;
    }
    return ART_OK;
}

static art_status digits_forced(arti_run *b, uint8_t *buf, size_t cap, size_t *len) {
    digits_run *r = (digits_run *)b;
    *len = 0;
    if (r->c->braces && r->state == 0 && cap) buf[(*len)++] = '{';
    return ART_OK;
}

static art_status digits_shortest(arti_run *b, uint8_t *buf, size_t cap, size_t *len) {
    digits_run *r = (digits_run *)b;
    const char *text = r->state == 3   ? ""
                       : !r->c->braces ? (r->state == 2 ? "" : "0")
                       : r->state == 0 ? "{0}"
                       : r->state == 1 ? "0}"
                                       : "}";
    *len = strlen(text);
    if (cap) memcpy(buf, text, *len < cap ? *len : cap);
    return *len > cap ? ART_E_LIMIT : ART_OK;
}

static size_t digits_shortest_len(arti_run *b) {
    size_t len;
    digits_shortest(b, NULL, 0, &len);
    return len;
}

static const arti_run_ops digits_ops = {
    .free = digits_free,
    .copy = digits_copy,
    .reset = digits_reset,
    .step = digits_step,
    .allows = digits_allows,
    .undo = digits_undo,
    .fill = digits_fill,
    .forced = digits_forced,
    .is_complete = digits_is_complete,
    .is_closed = digits_is_closed,
    .shortest = digits_shortest,
    .shortest_len = digits_shortest_len,
};

static art_status digits_run_new(art_constraint *c, bool embedded, arti_run **out, art_error *err) {
    (void)embedded;
    (void)err;
    arti_mem mem;
    arti_mem_init(&mem, &c->alloc, 0);
    digits_run *r = arti_calloc(&mem, sizeof *r);
    *out = NULL;
    if (!r) return ART_E_NOMEM;
    r->base.ops = &digits_ops;
    r->c = (digits_constraint *)c;
    r->mem = mem;
    *out = &r->base;
    return ART_OK;
}

static size_t digits_memory(const art_constraint *c) {
    (void)c;
    return sizeof(digits_constraint);
}

static void digits_constraint_free(art_constraint *c) {
    digits_constraint *d = (digits_constraint *)c;
    art_vocab_free(d->base.vocab);
    arti_mem mem = d->mem;
    arti_free(&mem, d, sizeof *d);
}

static const arti_constraint_ops digits_constraint_ops = {digits_run_new, digits_memory, digits_constraint_free};

static art_constraint *digits_new(bool braces, art_vocab *v, const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    digits_constraint *d = arti_calloc(&mem, sizeof *d);
    if (!d) return NULL;
    d->base.ops = &digits_constraint_ops;
    atomic_init(&d->base.refs, 1u);
    d->base.vocab = v ? arti_vocab_ref(v) : NULL;
    d->base.alloc = mem.alloc;
    d->mem = mem;
    d->braces = braces;
    return &d->base;
}

#endif
