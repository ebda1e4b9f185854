/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_lang.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_mask_groups.h"
#include "art_rows.h"

#define BOUND_MAX 8u /* characters that may still come: then lengths become part of the language */

#define BIT(i) (UINT64_C(1) << (i))

/* Roughly how many tokens use characters of an atom, for arti_re_get_safe(): only the order matters. */
static const uint16_t weights[ARTI_N_ATOMS] = {
    600, 4,  6, 8,  4,   4,   10, 15, 15, 15, 8, 10,  40,  50, 30, 40, 60, 15, 8,  10,
    20,  10, 4, 6,  300, 500, 8,  10, 3,  60, 4, 900, 900, 8,  4,  8,  4,  1,  4,  4,
    40,  8,  4, 20, 60,  60,  4,  20, 1,  20, 1, 10,  4,   20, 40, 60, 40, 4,  20, 10,
};

void arti_lang_begin(arti_re_ctx *re) {
    if (arti_re_has_ranges(re)) return;
    arti_re_range ranges[ARTI_N_ATOMS];
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) ranges[i] = (arti_re_range){arti_atoms[i].lo, arti_atoms[i].hi};
    arti_re_set_ranges(re, ranges, weights, ARTI_N_ATOMS);
}

/* ------------------------------------------------------------------ sets of strings */

typedef struct set_level { /* a node that strings of q lead to */
    uint64_t q;
    uint32_t node;
    uint32_t i; /* strings before it have been followed */
} set_level;

/* Follows the strings down the trie, those with the same next byte together. */
bool arti_lang_add_set(arti_walk *w, const arti_part *part, uint64_t q) {
    const art_vocab *v = w->v;
    set_level *levels = arti_region_get(w->x->region, w->m->depth_cap * sizeof *levels), *at = levels;
    if (!levels) return arti_fault_mem(w->x->s);
    *at = (set_level){q, 0, arti_set_lo(q)};
    for (;;) {
        if (at->i == arti_set_hi(at->q)) {
            if (at == levels) return true;
            at--;
            continue;
        }
        const arti_key *k = &part->set[at->i];
        const uint32_t d = arti_set_depth(at->q);
        if (k->len == d) {
            at->i++;
            continue;
        }
        const uint8_t byte = (uint8_t)k->ptr[d];
        const uint64_t next = arti_set_step(part->set, at->q, byte);
        at->i = arti_set_hi(next);
        const uint32_t node = byte < 0x20 || byte == '"' || byte == '\\' ? 0 : arti_lex_child(v, at->node, byte);
        if (!node) continue;
        arti_walk_set_ids(w, v->order + v->node[node].tok, v->node[node + 1].tok - v->node[node].tok);
        *++at = (set_level){next, node, arti_set_lo(next)};
    }
}

/* ------------------------------------------------------------------ entry */

/* Which of the part's bounds a token can meet. */
static bool find_bounds(arti_lang *l) {
    art_schema *s = l->w->x->s;
    const arti_part *p = l->part;
    if (p->lo <= l->n_cp && p->hi == UINT32_MAX) return true;
    arti_re_lengths len;
    uint32_t farthest;
    if (arti_re_get_lengths(s->re, l->q, &len) != ART_OK || arti_re_get_farthest(s->re, l->q, &farthest) != ART_OK)
        return arti_fault_re(s, NULL, 0, "pattern");
    const uint32_t room = p->hi == UINT32_MAX ? UINT32_MAX : l->n_cp < p->hi ? p->hi - l->n_cp : 0;
    const uint32_t reach = l->w->v->token_len_max; /* characters of a token */
    if (p->lo > l->n_cp + 1 && p->lo - l->n_cp > len.shortest) l->owed = p->lo - l->n_cp;
    if (len.longest > room && !(farthest <= room && room - farthest >= reach)) l->room = room;
    l->has_bounds = l->owed || l->room != UINT32_MAX;
    return true;
}

/* Where few characters may still come, lengths and pattern are better looked at as one language: then it is known which characters are of
 * use at all. Not done where that is too much work. */
static bool bind_bounds(arti_lang *l) {
    art_schema *s = l->w->x->s;
    if (!l->has_bounds || l->room > BOUND_MAX) return true;
    arti_re_state q;
    const art_status st = arti_re_bind(s->re, l->q, l->owed, l->room, &q);
    if (st == ART_E_NOMEM) return arti_fault_re(s, NULL, 0, "pattern");
    if (st != ART_OK) return true;
    l->q = q;
    l->room = UINT32_MAX;
    l->owed = 0;
    l->has_bounds = false;
    return true;
}

bool arti_lang_is_unbounded(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, bool *out) {
    arti_lang l = {.w = w, .part = part, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    if (!find_bounds(&l)) return false;
    *out = !l.has_bounds;
    return true;
}

bool arti_lang_stay(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row) {
    if (part->kind == ARTI_PART_FREE) {
        arti_vocab_copy_stay(w->v, part->hi == UINT32_MAX ? UINT32_MAX : n_cp < part->hi ? part->hi - n_cp : 0, row);
        return true;
    }
    arti_lang l = {.w = w, .part = part, .row = row, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    return find_bounds(&l) && bind_bounds(&l) && arti_groups_set(&l) && arti_left_run(&l);
}

bool arti_lang_add(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row, bool *done) {
    arti_lang l = {.w = w, .part = part, .row = row, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    *done = false;
    if (part->kind != ARTI_PART_TERM) return true;
    return find_bounds(&l) && (l.has_bounds || arti_left_add(&l, done));
}

/* ------------------------------------------------------------------ escapes, and rows that are kept */

static uint32_t hex_digit(uint8_t c) {
    return c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - 'a' + 10;
}

/* The code units that n hexadecimal digits begin. */
static void unit_range(const uint8_t *digits, size_t n, uint32_t *lo, uint32_t *hi) {
    *lo = *hi = 0;
    for (size_t i = 0; i < 4; i++) {
        *lo = *lo << 4 | (i < n ? hex_digit(digits[i]) : 0);
        *hi = *hi << 4 | (i < n ? hex_digit(digits[i]) : 15);
    }
}

/* Is some character of lo .. hi alive, each of these code units being one of its own? */
static bool is_unit_alive(arti_re_ctx *re, arti_re_state q, uint32_t lo, uint32_t hi) {
    return lo <= hi && arti_re_alive_between(re, q, lo, hi);
}

/* The same for a pair of a high surrogate of first .. last with a low one of lo .. hi; either first is last, or any low one will do. */
static bool is_pair_alive(arti_re_ctx *re, arti_re_state q, uint32_t first, uint32_t last, uint32_t lo, uint32_t hi) {
    if (first < 0xD800) first = 0xD800;
    if (last > 0xDBFF) last = 0xDBFF;
    if (lo < 0xDC00) lo = 0xDC00;
    if (hi > 0xDFFF) hi = 0xDFFF;
    return first <= last && is_unit_alive(re, q, 0x10000 + ((first - 0xD800) << 10) + (lo - 0xDC00),
                                          0x10000 + ((last - 0xD800) << 10) + (hi - 0xDC00));
}

/* Is some character alive in state q whose escape begins with these bytes, but is longer? */
static bool is_cut_alive(arti_re_ctx *re, arti_re_state q, const uint8_t *cut, size_t len) {
    uint32_t lo, hi, first, last;
    if (len <= 2)
        return arti_re_alive_between(re, q, 0, 0x10FFFF); /* \\ or \\u: any character can be written like that */
    unit_range(cut + 2, len - 2, &first, &last);
    if (len <= 6) { /* high surrogates stand for what lies beyond U+FFFF; low ones can not come first */
        return is_unit_alive(re, q, first, last < 0xD7FF ? last : 0xD7FF) ||
               is_unit_alive(re, q, first > 0xE000 ? first : 0xE000, last) ||
               is_pair_alive(re, q, first, last, 0xDC00, 0xDFFF);
    }
    unit_range(cut + 8, len > 8 ? len - 8 : 0, &lo, &hi);
    return is_pair_alive(re, q, first, last, lo, hi);
}

/* Tokens with escapes that stay in the string, or end within an escape; those that say `from` characters or more. */
static bool set_escapes(arti_walk *w, arti_re_state first, uint32_t from, uint32_t *row) {
    const art_vocab *v = w->v;
    art_schema *s = w->x->s;
    for (uint32_t i = 0; i < v->n_escapes_stay; i++) {
        const arti_escaped *e = &v->escapes[i];
        if (e->n_cp < from) continue;
        const arti_re_state q = arti_re_run(s->re, first, v->escape_text + e->text, e->len);
        if (q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "pattern");
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        if (q != ARTI_RE_DEAD &&
            (e->kind == ARTI_ESCAPED_STAYS || is_cut_alive(s->re, q, bytes + e->tail, len - e->tail)))
            arti_bits_set(row, e->token);
        else
            arti_bits_clear(row, e->token);
    }
    return true;
}

static bool set_if_accepted(arti_walk *w, arti_re_state q, uint32_t *ends, uint32_t i) {
    if (q == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
    if (arti_re_accepts(w->x->s->re, q))
        arti_bits_set(ends, i);
    else
        arti_bits_clear(ends, i);
    return true;
}

/* After which heads, and which escapes before a quote, is the text complete? Those of `from` characters or more. */
static bool find_ends(arti_walk *w, arti_re_state first, uint32_t from, uint32_t *ends) {
    const art_vocab *v = w->v;
    arti_re_ctx *re = w->x->s->re;
    if (from == 0) arti_bits_zero(ends, arti_vocab_end_words(v));
    for (uint32_t i = 0; i < v->n_heads; i++) {
        const arti_head *h = &v->heads[i];
        if (h->n_cp >= from && !set_if_accepted(w, arti_re_run(re, first, v->bytes + h->bytes, h->len), ends, i))
            return false;
    }
    for (uint32_t i = v->n_escapes_stay; i < v->n_escapes; i++) {
        const arti_escaped *e = &v->escapes[i];
        const uint32_t at = v->n_heads + i - v->n_escapes_stay;
        if (e->n_cp >= from && !set_if_accepted(w, arti_re_run(re, first, v->escape_text + e->text, e->len), ends, at))
            return false;
    }
    return true;
}

/* What the row and the ends of a state are kept under. */
typedef struct row_keys {
    bool is_shared; /* with other constraints, as */
    uint64_t digest[2];
    uint64_t row[2], ends[2]; /* in the memo */
} row_keys;

static row_keys keys_of(arti_walk *w, arti_re_state q) {
    const uint64_t *secret = arti_rows_key(w->v->rows);
    row_keys k = {.row = {arti_hash_mix(UINT64_C(0x6c616e67), q), q},
                  .ends = {arti_hash_mix(UINT64_C(0x656e6473), q), q}};
    k.is_shared = secret && arti_re_digest(w->x->s->re, q, secret, k.digest);
    return k;
}

/* Takes tokens of more than `reach` characters out that are not alive in state q. They are run in the order of their bytes, each from
 * where it leaves the one before. */
static bool drop_longer(arti_walk *w, arti_re_state q, uint32_t reach, uint32_t *row) {
    const arti_bases *b = w->v->bases;
    arti_re_ctx *re = w->x->s->re;
    arti_re_lengths lengths;
    if (reach >= w->v->stay_cp_max) return true;
    arti_re_state *after =
        arti_region_get(w->x->region, (w->v->token_len_max + 1u) * sizeof *after); /* so many bytes */
    if (!after) return arti_fault_mem(w->x->s);
    if (arti_re_get_lengths(re, q, &lengths) != ART_OK) return arti_fault_re(w->x->s, NULL, 0, "pattern");
    uint32_t known = 0;
    after[0] = q;
    for (uint32_t i = 0; i < b->n_long; i++) {
        const arti_long *t = &b->longs[i];
        if (t->shared < known) known = t->shared;
        if (t->n_cp <= reach || !arti_bits_test(row, t->id)) continue;
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(w->v, t->id, &len);
        while (known < len && after[known] != ARTI_RE_DEAD && t->n_cp <= lengths.longest) {
            const arti_re_state to = arti_re_step(re, after[known], bytes[known]);
            if (to == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
            after[++known] = to;
        }
        if (t->n_cp > lengths.longest || after[known] == ARTI_RE_DEAD) arti_bits_clear(row, t->id);
    }
    return true;
}

static void keep_in_memo(arti_walk *w, const row_keys *k, uint32_t *row, const uint32_t *ends, const uint32_t **base) {
    arti_mask_memo_put(w->m, k->row, row, w->v->n_words);
    arti_mask_memo_put(w->m, k->ends, ends, arti_vocab_end_words(w->v));
    if (base) arti_mask_memo_get(w->m, k->row, row, w->v->n_words, base); /* masks differ little from it */
}

/* Is the row kept, here or with the vocabulary? */
static bool take_kept(arti_walk *w, const row_keys *k, uint32_t *row, uint32_t *ends, const uint32_t **base) {
    const art_vocab *v = w->v;
    if (arti_mask_memo_get(w->m, k->row, row, v->n_words, base))
        return arti_mask_memo_get(w->m, k->ends, ends, arti_vocab_end_words(v), NULL);
    if (!k->is_shared || !arti_rows_get(v->rows, k->digest, row, ends)) return false;
    keep_in_memo(w, k, row, ends, base);
    return true;
}

static bool make_row(arti_walk *w, arti_re_state q, uint32_t *row, uint32_t *ends) {
    arti_lang l = {.w = w, .row = row, .q = q, .room = UINT32_MAX};
    return arti_groups_set(&l) && arti_left_run(&l) && set_escapes(w, q, 0, row) && find_ends(w, q, 0, ends);
}

/* A row is made of the near state, which many states have in common, and then corrected. */
static bool find_row(arti_walk *w, arti_re_state q, uint32_t *row, uint32_t *ends, const uint32_t **base) {
    const art_vocab *v = w->v;
    const row_keys k = keys_of(w, q);
    if (take_kept(w, &k, row, ends, base)) return true;
    arti_re_state near;
    uint32_t reach;
    if (arti_re_get_near(w->x->s->re, q, &near, &reach) != ART_OK) return arti_fault_re(w->x->s, NULL, 0, "pattern");
    const row_keys near_k = near == q ? k : keys_of(w, near);
    if (near == q || !take_kept(w, &near_k, row, ends, base)) {
        if (!make_row(w, near, row, ends)) return false;
        if (near_k.is_shared) arti_rows_put(v->rows, near_k.digest, row, ends);
        keep_in_memo(w, &near_k, row, ends, base);
    }
    if (near == q) return true;
    if (!drop_longer(w, q, reach, row) || !set_escapes(w, q, reach, row) || !find_ends(w, q, reach + 1, ends))
        return false;
    if (k.is_shared && reach < v->stay_cp_max) arti_rows_put(v->rows, k.digest, row, ends);
    arti_mask_memo_put(w->m, k.ends, ends, arti_vocab_end_words(v));
    return true;
}

bool arti_lang_row(arti_walk *w, arti_re_state q, uint32_t *row) {
    uint32_t *ends = arti_region_get(w->x->region, (arti_vocab_end_words(w->v) + 1u) * sizeof *ends);
    return ends ? find_row(w, q, row, ends, row == w->words ? &w->base : NULL) : arti_fault_mem(w->x->s);
}

bool arti_lang_ends(arti_walk *w, arti_re_state q, uint32_t *ends) {
    const row_keys k = keys_of(w, q);
    if (arti_mask_memo_get(w->m, k.ends, ends, arti_vocab_end_words(w->v), NULL)) return true;
    if (!find_ends(w, q, 0, ends)) return false;
    arti_mask_memo_put(w->m, k.ends, ends, arti_vocab_end_words(w->v));
    return true;
}
