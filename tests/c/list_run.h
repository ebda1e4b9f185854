/* SPDX-License-Identifier: Apache-2.0
 *
 * list_run.h: a constraint for tests that admits exactly the strings of a list, in the simplest way there is: every question is
 * answered by looking at all of them. */
#ifndef LIST_RUN_H
#define LIST_RUN_H

#include "harness.h"

#include "art_bits.h"
#include "art_mem.h"
#include "art_run.h"
#include "art_vocab.h"

enum { LIST_LEN = 256, LIST_STEPS = 256 };

typedef struct list_constraint {
    art_constraint base;
    arti_mem mem;
    const char *const *strings;
    size_t n;
} list_constraint;

typedef struct list_run {
    arti_run base;
    list_constraint *c;
    size_t len;
    uint8_t text[LIST_LEN];
    uint16_t steps[LIST_STEPS];
    size_t n_steps;
} list_run;

static bool list_has(const list_run *r, const uint8_t *more, size_t n, bool whole) {
    for (size_t i = 0; i < r->c->n; i++) {
        const char *s = r->c->strings[i];
        size_t k = strlen(s);
        if (k < r->len + n || (whole && k != r->len + n)) continue;
        if (memcmp(s, r->text, r->len) == 0 && (n == 0 || memcmp(s + r->len, more, n) == 0)) return true;
    }
    return false;
}

static void list_free(arti_run *base) {
    list_run *r = (list_run *)base;
    arti_mem mem;
    arti_mem_init(&mem, &r->c->mem.alloc, 0);
    arti_free(&mem, r, sizeof *r);
}

static art_status list_new(art_constraint *c, bool embedded, arti_run **out, art_error *err);

static art_status list_copy(const arti_run *base, arti_run **out) {
    const list_run *r = (const list_run *)base;
    art_status st = list_new(&r->c->base, false, out, NULL);
    if (st == ART_OK) memcpy(*out, r, sizeof *r);
    return st;
}

static art_status list_reset(arti_run *base) {
    list_run *r = (list_run *)base;
    r->len = r->n_steps = 0;
    return ART_OK;
}

static art_status list_step(arti_run *base, const uint8_t *bytes, size_t len, size_t *taken) {
    list_run *r = (list_run *)base;
    for (*taken = 0; *taken < len && list_has(r, bytes + *taken, 1, false); ++*taken) r->text[r->len++] = bytes[*taken];
    if (*taken) {
        assert(r->n_steps < LIST_STEPS);
        r->steps[r->n_steps++] = (uint16_t)*taken;
    }
    return *taken == len ? ART_OK : ART_REJECTED;
}

static bool list_allows(arti_run *base, const uint8_t *bytes, size_t len) {
    return list_has((list_run *)base, bytes, len, false);
}

static art_status list_undo(arti_run *base, size_t n) {
    list_run *r = (list_run *)base;
    while (n--) r->len -= r->steps[--r->n_steps];
    return ART_OK;
}

static art_status list_fill(arti_run *base, uint32_t *words, const arti_exit *exit, art_error *err) {
    (void)exit;
    (void)err;
    const art_vocab *v = ((list_run *)base)->c->base.vocab;
    arti_bits_zero(words, v->n_words);
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        size_t n;
        const uint8_t *b = arti_vocab_bytes(v, id, &n);
        if (n && list_allows(base, b, n)) arti_bits_set(words, id);
    }
    return ART_OK;
}

static bool list_complete(arti_run *base) {
    return list_has((list_run *)base, NULL, 0, true);
}

static size_t list_shortest_of(const list_run *r, const char **best) {
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < r->c->n; i++) {
        const char *s = r->c->strings[i];
        size_t k = strlen(s);
        if (k < r->len || memcmp(s, r->text, r->len) != 0 || k - r->len >= least) continue;
        least = k - r->len;
        *best = s + r->len;
    }
    return least;
}

static bool list_closed(arti_run *base) {
    uint8_t any[256];
    for (int i = 0; i < 256; i++) any[i] = (uint8_t)i;
    for (int i = 0; i < 256; i++)
        if (list_allows(base, &any[i], 1)) return false;
    return list_complete(base);
}

static art_status list_forced(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    list_run *r = (list_run *)base, at = *r;
    for (*len = 0; *len < cap && !list_complete(&at.base); ++*len) {
        uint8_t next = 0;
        int n = 0;
        for (int i = 0; i < 256; i++) {
            uint8_t b = (uint8_t)i;
            if (list_allows(&at.base, &b, 1)) next = b, n++;
        }
        if (n != 1) break;
        buf[*len] = next;
        at.text[at.len++] = next;
    }
    return ART_OK;
}

static art_status list_shortest(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    const char *best = NULL;
    *len = list_shortest_of((list_run *)base, &best);
    if (*len > cap) return ART_E_LIMIT;
    if (*len) memcpy(buf, best, *len);
    return ART_OK;
}

static size_t list_shortest_len(arti_run *base) {
    const char *best;
    return list_shortest_of((list_run *)base, &best);
}

static const arti_run_ops list_ops = {
    .free = list_free,
    .copy = list_copy,
    .reset = list_reset,
    .step = list_step,
    .allows = list_allows,
    .undo = list_undo,
    .fill = list_fill,
    .forced = list_forced,
    .is_complete = list_complete,
    .is_closed = list_closed,
    .shortest = list_shortest,
    .shortest_len = list_shortest_len,
};

static art_status list_new(art_constraint *c, bool embedded, arti_run **out, art_error *err) {
    (void)embedded;
    *out = NULL;
    list_constraint *l = (list_constraint *)c;
    arti_mem mem;
    arti_mem_init(&mem, &l->mem.alloc, 0);
    list_run *r = arti_calloc(&mem, sizeof *r);
    if (!r) return arti_mem_fail(&mem, err);
    r->base.ops = &list_ops;
    r->c = l;
    *out = &r->base;
    return ART_OK;
}

static size_t list_memory(const art_constraint *c) {
    (void)c;
    return sizeof(list_constraint);
}

static void list_constraint_free(art_constraint *c) {
    list_constraint *l = (list_constraint *)c;
    arti_mem mem = l->mem;
    arti_free(&mem, l, sizeof *l);
}

static const arti_constraint_ops list_constraint_ops = {list_new, list_memory, list_constraint_free};

/* The vocabulary is lent: it must outlive the constraint. */
static inline art_constraint *list_constraint_new(const char *const *strings, size_t n, art_vocab *v,
                                                  const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    list_constraint *l = arti_calloc(&mem, sizeof *l);
    if (!l) return NULL;
    l->base = (art_constraint){.ops = &list_constraint_ops, .vocab = v, .alloc = mem.alloc};
    atomic_init(&l->base.refs, 1u);
    l->mem = mem;
    l->strings = strings;
    l->n = n;
    return &l->base;
}

#endif
