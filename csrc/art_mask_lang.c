/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_lang.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_mask_groups.h"
#include "art_rows.h"
#include "art_utf8.h"

/* A row that took more work is not shared: what was found out about its language on the way, rows further on would have to find out at once. */
#define SHARED_WORK_MAX 2000u

#define BOUND_MAX 8u /* characters that may still come: then lengths become part of the language */

#define LONG_MANY 4096u /* tokens that are too many to be looked at one by one */

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

bool arti_lang_loops(art_schema *s, arti_re_state q, uint64_t *atoms) {
    arti_re_fan fan;
    arti_lang_begin(s->re);
    *atoms = 0;
    if (arti_re_get_fan(s->re, q, &fan) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
    bool wide = true;
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) {
        const bool one = fan.to[i][1] == ARTI_RE_DEAD && fan.to[i][ARTI_RE_FAN - 1] == ARTI_RE_DEAD;
        const bool loops = fan.to[i][0] == q && one && !(fan.partly >> i & 1u);
        *atoms |= (uint64_t)loops << i;
        wide = wide && (loops || arti_atoms[i].lo < 0x80);
    }
    if (wide) *atoms |= ARTI_ATOM_PARTIAL;
    return true;
}

/* ------------------------------------------------------------------ sets of strings */

typedef struct
    set_level { /* a node that strings lo .. hi - 1 lead to, which are `depth` bytes longer than the text so far */
    uint32_t node, lo, hi, depth;
} set_level;

/* Follows the strings down the trie, those with the same next byte together, byte by byte: nodes lie anywhere in memory, and are fetched
 * while the others are found. */
bool arti_lang_add_set(arti_walk *w, const arti_part *part, uint64_t q, const uint64_t *only) {
    const art_vocab *v = w->v;
    const size_t cap = (size_t)(arti_set_hi(q) - arti_set_lo(q)) + 1; /* no more than strings, as they share none */
    const uint32_t first = arti_set_lo(q);
    set_level *now = arti_region_get(w->x->region, 2 * cap * sizeof *now);
    if (!now) return arti_fault_mem(w->x->s);
    set_level *next = now + cap;
    now[0] = (set_level){0, first, arti_set_hi(q), arti_set_depth(q)};
    for (size_t n = 1; n;) {
        size_t n_next = 0;
        for (size_t i = 0; i < n; i++) arti_prefetch(&v->order[v->node[now[i].node].tok]);
        for (size_t i = 0; i < n; i++) {
            set_level at = now[i];
            if (at.node)
                arti_walk_set_ids(w, v->order + v->node[at.node].tok, v->node[at.node + 1].tok - v->node[at.node].tok);
            at.lo += part->set[at.lo].len == at.depth; /* the shortest comes first */
            while (at.lo < at.hi) {
                const uint8_t byte = (uint8_t)part->set[at.lo].ptr[at.depth];
                uint32_t end = at.lo + 1;
                while (end < at.hi && (uint8_t)part->set[end].ptr[at.depth] == byte) end++;
                const bool counts = !only || arti_bits_any_in64(only, at.lo - first, end - first);
                const bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\';
                const uint32_t node = counts && is_plain ? arti_lex_child(v, at.node, byte) : 0;
                if (node) {
                    arti_prefetch(&v->node[node]);
                    next[n_next++] = (set_level){node, at.lo, end, at.depth + 1};
                }
                at.lo = end;
            }
        }
        set_level *t = now;
        now = next, next = t;
        n = n_next;
    }
    return true;
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
    if (p->lo > l->n_cp + 1 && p->lo - l->n_cp > len.shortest && !arti_re_stretches(s->re, l->q))
        l->owed = p->lo - l->n_cp;
    if (len.longest > room) {
        l->reach = farthest <= room ? room - farthest : 0;
        if (l->reach < reach) l->room = room;
    }
    l->has_bounds = l->owed || l->room != UINT32_MAX;
    return true;
}

/* Is the row of a state made of a near one's, which many states have in common? */
static bool has_near(art_schema *s, arti_re_state q, bool *has) {
    arti_re_state near;
    uint32_t reach;
    if (arti_re_get_near(s->re, q, &near, &reach) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
    *has = near != q;
    return true;
}

/* Where few characters may still come, lengths and pattern are better looked at as one language: then it is known which characters are of
 * use at all. So they are where many may come and it is not known how many make no difference, if rows of that language have others in
 * common. Not done where that is too much work. */
static bool bind_bounds(arti_lang *l) {
    art_schema *s = l->w->x->s;
    const bool few = l->room <= BOUND_MAX;
    if (!l->has_bounds || (!few && (l->reach || l->room < ARTI_RE_REACH_MIN))) return true;
    arti_re_state q;
    const art_status st = arti_re_bind(s->re, l->q, l->owed, l->room, &q);
    bool bind = few;
    if (st == ART_E_NOMEM) return arti_fault_re(s, NULL, 0, "pattern");
    if (st != ART_OK) return true;
    if (!few && !has_near(s, q, &bind)) return false;
    if (!bind) return true;
    l->q = q;
    l->room = UINT32_MAX;
    l->owed = 0;
    l->has_bounds = false;
    return true;
}

bool arti_lang_nearly(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, arti_re_state *out,
                      uint32_t *reach) {
    arti_lang l = {.w = w, .part = part, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    if (!find_bounds(&l) || !bind_bounds(&l)) return false;
    const arti_bases *b = w->v->bases;
    const bool is_near =
        l.has_bounds && !l.owed && l.reach >= ARTI_LONG_MIN && b->n_long + b->n_long_others <= LONG_MANY;
    *out = l.has_bounds && !is_near ? ARTI_RE_DEAD : l.q;
    *reach = is_near ? l.reach : UINT32_MAX;
    return true;
}

bool arti_lang_unbounded(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, arti_re_state *out) {
    uint32_t reach;
    if (!arti_lang_nearly(w, part, q, n_cp, out, &reach)) return false;
    if (reach != UINT32_MAX) *out = ARTI_RE_DEAD;
    return true;
}

bool arti_lang_stay(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row) {
    if (part->kind == ARTI_PART_FREE ||
        arti_re_is_universal(w->x->s->re, (arti_re_state)q)) { /* only lengths are left */
        arti_vocab_copy_stay(w->v, part->hi == UINT32_MAX ? UINT32_MAX : n_cp < part->hi ? part->hi - n_cp : 0, row);
        return true;
    }
    arti_lang l = {.w = w, .part = part, .row = row, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    if (!find_bounds(&l) || !bind_bounds(&l) || !arti_groups_set(&l) || !arti_left_run(&l)) return false;
    if (row == w->words) w->basis = l.basis;
    return true;
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

/* Bytes that the escapes' texts begin with and that keep the state alive. */
static bool find_first_bytes(arti_walk *w, arti_re_state q, uint64_t alive[4]) {
    for (uint32_t k = 0; k < 4; k++) {
        alive[k] = 0;
        for (uint64_t bits = w->v->lex->escape_bytes[k]; bits; bits &= bits - 1) {
            const uint32_t bit = arti_bits_lowest64(bits);
            const arti_re_state to = arti_re_step(w->x->s->re, q, (uint8_t)(k * 64 + bit));
            if (to == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
            alive[k] |= (uint64_t)(to != ARTI_RE_DEAD) << bit;
        }
    }
    return true;
}

/* Does no text live that begins like the i-th escape's? */
static bool is_dead_escape(const art_vocab *v, uint32_t i, const uint64_t alive[4]) {
    const uint32_t first = v->lex->escape_first[i];
    return first != ARTI_LEX_NO_TEXT && !(alive[first / 64] >> (first % 64) & 1u);
}

/* Tokens with escapes that stay in the string, or end within an escape; those that say `from` characters or more. None of them is set if
 * that is all. */
static bool set_escapes(arti_walk *w, arti_re_state q, const uint64_t alive[4], uint32_t from, uint32_t *row) {
    const art_vocab *v = w->v;
    arti_re_ctx *re = w->x->s->re;
    for (uint32_t i = 0; i < v->n_escapes_stay; i++) {
        const arti_escaped *e = &v->escapes[i];
        if (e->n_cp < from) continue;
        if (from) arti_bits_clear(row, e->token);
        if (is_dead_escape(v, i, alive)) continue;
        const arti_re_state to = arti_re_run(re, q, v->escape_text + e->text, e->len);
        if (to == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
        if (to == ARTI_RE_DEAD) continue;
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        if (e->kind == ARTI_ESCAPED_STAYS || is_cut_alive(re, to, bytes + e->tail, len - e->tail))
            arti_bits_set(row, e->token);
    }
    return true;
}

/* After which heads is the text complete? Those of `from` characters or more. */
static bool find_head_ends(arti_walk *w, arti_re_state q, uint32_t from, uint32_t *ends) {
    const art_vocab *v = w->v;
    arti_re_ctx *re = w->x->s->re;
    const arti_lex_head *node = v->lex->head_nodes;
    arti_re_state *after =
        arti_region_get(w->x->region, (v->lex->head_len_max + 1u) * sizeof *after); /* so many bytes */
    if (!after) return arti_fault_mem(w->x->s);
    after[0] = q;
    for (uint32_t i = 0; i < v->lex->n_head_nodes;) {
        const uint32_t d = node[i].depth, h = node[i].first;
        if (d) after[d] = arti_re_step(re, after[d - 1], node[i].byte);
        if (after[d] == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
        if (after[d] == ARTI_RE_DEAD) {
            i = node[i].next;
            for (uint32_t dead = h; from && dead < node[i].first; dead++)
                if (v->heads[dead].n_cp >= from) arti_bits_clear(ends, dead);
            continue;
        }
        if (node[i].is_head && v->heads[h].n_cp >= from) {
            if (arti_re_accepts(re, after[d]))
                arti_bits_set(ends, h);
            else
                arti_bits_clear(ends, h);
        }
        i++;
    }
    return true;
}

/* The same, and after which escapes before a quote. */
static bool find_ends(arti_walk *w, arti_re_state q, const uint64_t alive[4], uint32_t from, uint32_t *ends) {
    const art_vocab *v = w->v;
    arti_re_ctx *re = w->x->s->re;
    if (from == 0) arti_bits_zero(ends, arti_vocab_end_words(v));
    for (uint32_t i = v->n_escapes_stay; i < v->n_escapes; i++) {
        const arti_escaped *e = &v->escapes[i];
        const uint32_t at = v->n_heads + i - v->n_escapes_stay;
        if (e->n_cp < from) continue;
        if (from) arti_bits_clear(ends, at);
        if (is_dead_escape(v, i, alive)) continue;
        const arti_re_state to = arti_re_run(re, q, v->escape_text + e->text, e->len);
        if (to == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
        if (arti_re_accepts(re, to)) arti_bits_set(ends, at);
    }
    return find_head_ends(w, q, from, ends);
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

/* They are run in the order of their bytes, each from where it leaves the one before. */
bool arti_lang_drop_longer(arti_walk *w, arti_re_state q, uint32_t reach, const arti_part *part, uint32_t n_cp,
                           uint32_t *row) {
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
            while (known < len && to == after[known - 1] && bytes[known] == bytes[known - 1]) after[++known] = to;
        }
        bool alive = t->n_cp <= lengths.longest && after[known] != ARTI_RE_DEAD;
        if (alive && part)
            alive = arti_part_alive(w->x->s, part, after[known], n_cp + t->n_cp, arti_u8_ends_inside(bytes, len));
        if (!alive) arti_bits_clear(row, t->id);
    }
    return !arti_faulted(w->x->s);
}

/* Keeps a row and its ends, and returns the former in the memo. */
static const arti_mask_row *keep(arti_walk *w, const row_keys *k, const uint32_t *words, const uint32_t *ends,
                                 const arti_row *row) {
    arti_mask_memo_put(w->m, k->ends, ends, arti_vocab_end_words(w->v));
    return arti_mask_memo_put_row(w->m, k->row, words, w->v->n_words, row);
}

/* The row, if it is kept here or with the vocabulary; then it is here. */
static const arti_mask_row *take_kept(arti_walk *w, const row_keys *k, uint32_t *words, uint32_t *ends) {
    const art_vocab *v = w->v;
    const arti_mask_row *kept = arti_mask_memo_get(w->m, k->row, words, v->n_words);
    if (kept) return arti_mask_memo_get(w->m, k->ends, ends, arti_vocab_end_words(v)) ? kept : NULL;
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    arti_row row;
    if (!k->is_shared || !arti_rows_get(v->rows, k->digest, words, ends, &row, patches)) return NULL;
    return keep(w, k, words, ends, &row);
}

static bool make_row(arti_walk *w, arti_re_state q, uint32_t *words, uint32_t *ends, arti_basis *basis) {
    arti_lang l = {.w = w, .row = words, .q = q, .room = UINT32_MAX};
    bool done;
    if (!arti_words_set(&l, &done)) return false;
    if (!done && (!arti_groups_set(&l) || !arti_left_run(&l))) return false;
    *basis = l.basis;
    uint64_t alive[4];
    return find_first_bytes(w, q, alive) && set_escapes(w, q, alive, 0, words) && find_ends(w, q, alive, 0, ends);
}

/* Makes it, and keeps it where other constraints and this one find it. */
static bool make_and_keep(arti_walk *w, arti_re_state q, const row_keys *k, uint32_t *words, uint32_t *ends,
                          const arti_mask_row **kept) {
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    arti_basis basis;
    const uint64_t before = arti_re_work_done(w->x->s->re);
    if (!make_row(w, q, words, ends, &basis)) return false;
    w->n_made++;
    const arti_row row = arti_row_from(words, w->v->n_words, basis, patches);
    if (k->is_shared && arti_re_work_done(w->x->s->re) - before < SHARED_WORK_MAX)
        arti_rows_put(w->v->rows, k->digest, words, ends, &row);
    *kept = keep(w, k, words, ends, &row);
    return true;
}

/* A row is made of the near state, which many states have in common, and then corrected. */
static bool find_row(arti_walk *w, arti_re_state q, uint32_t *words, uint32_t *ends, const arti_mask_row **kept) {
    const art_vocab *v = w->v;
    const row_keys k = keys_of(w, q);
    *kept = take_kept(w, &k, words, ends);
    if (*kept) return true;
    arti_re_state near;
    uint32_t reach;
    if (arti_re_get_near(w->x->s->re, q, &near, &reach) != ART_OK) return arti_fault_re(w->x->s, NULL, 0, "pattern");
    if (near == q) return make_and_keep(w, q, &k, words, ends, kept);
    const row_keys near_k = keys_of(w, near);
    const arti_mask_row *near_row = take_kept(w, &near_k, words, ends);
    if (!near_row && !make_and_keep(w, near, &near_k, words, ends, &near_row)) return false;
    const arti_basis basis = near_row && near_row->row.patches ? near_row->row.basis : (arti_basis){NULL, NULL};
    uint64_t alive[4];
    if (!arti_lang_drop_longer(w, q, reach, NULL, 0, words) || !find_first_bytes(w, q, alive) ||
        !set_escapes(w, q, alive, reach, words) || !find_ends(w, q, alive, reach + 1, ends))
        return false;
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    const arti_row row = arti_row_from(words, v->n_words, basis, patches);
    if (k.is_shared && reach < v->stay_cp_max) arti_rows_put(v->rows, k.digest, words, ends, &row);
    *kept = keep(w, &k, words, ends, &row);
    return true;
}

bool arti_lang_row(arti_walk *w, arti_re_state q, uint32_t *row) {
    uint32_t *ends = arti_region_get(w->x->region, (arti_vocab_end_words(w->v) + 1u) * sizeof *ends);
    const arti_mask_row *kept;
    if (!ends) return arti_fault_mem(w->x->s);
    if (!find_row(w, q, row, ends, &kept)) return false;
    if (row == w->words) arti_walk_begun(w, kept);
    return true;
}

const arti_mask_row *arti_lang_kept(arti_walk *w, arti_re_state q) {
    const row_keys k = keys_of(w, q);
    const arti_mask_row *kept = arti_mask_memo_find(w->m, k.row);
    if (kept) return kept;
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    arti_row row;
    uint32_t *ends = arti_region_get(w->x->region, (arti_vocab_end_words(w->v) + 1u) * sizeof *ends);
    if (!ends || !k.is_shared || !arti_rows_get(w->v->rows, k.digest, NULL, ends, &row, patches)) return NULL;
    return keep(w, &k, NULL, ends, &row);
}

#define FEW_BYTES 4u  /* that a state goes on with, */
#define FEW_NODES 64u /* .. and nodes of the vocabulary's trie, where a language has few texts */

typedef struct few_level {
    uint32_t node;
    arti_re_state q;
} few_level;

bool arti_lang_add_few(arti_walk *w, arti_re_state q, bool *done) {
    const art_vocab *v = w->v;
    arti_re_ctx *re = w->x->s->re;
    few_level stack[FEW_NODES];
    uint32_t n = 0, n_met = 1;
    stack[n++] = (few_level){0, q};
    *done = false;
    while (n) {
        const few_level at = stack[--n];
        arti_re_bytes next;
        uint32_t n_bytes = 0;
        if (arti_re_live_bytes(re, at.q, &next) != ART_OK) return arti_fault_re(w->x->s, NULL, 0, "pattern");
        for (uint32_t i = 0; i < 4; i++) n_bytes += arti_bits_count64(next.bits[i]);
        if (n_bytes > FEW_BYTES) return true;
        for (uint32_t i = 0; i < 4; i++) {
            for (uint64_t bits = next.bits[i]; bits; bits &= bits - 1) {
                const uint8_t byte = (uint8_t)(i * 64 + arti_bits_lowest64(bits));
                const bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\';
                const uint32_t node = is_plain ? arti_lex_child(v, at.node, byte) : 0;
                if (!node) continue;
                if (n_met++ == FEW_NODES) return true;
                const arti_re_state to = arti_re_step(re, at.q, byte);
                if (to == ARTI_RE_FAIL) return arti_fault_re(w->x->s, NULL, 0, "pattern");
                arti_walk_set_ids(w, v->order + v->node[node].tok, v->node[node + 1].tok - v->node[node].tok);
                stack[n++] = (few_level){node, to};
            }
        }
    }
    *done = true;
    return true;
}

bool arti_lang_add_kept(arti_walk *w, arti_re_state q) {
    const arti_mask_row *kept = arti_lang_kept(w, q);
    if (!kept || kept->under) return false;
    const arti_row *row = &kept->row;
    if (row->basis.base) {
        if (row->basis.within || row->n_patches) return false;
        arti_walk_or(w, row->basis.base);
        return true;
    }
    for (uint32_t i = 0; i < row->n_patches; i++) {
        w->words[row->patches[i].at] |= row->patches[i].word;
        arti_walk_touch(w, row->patches[i].at * 32);
    }
    return true;
}

bool arti_lang_ends(arti_walk *w, arti_re_state q, uint32_t *ends) {
    const row_keys k = keys_of(w, q);
    if (arti_mask_memo_get(w->m, k.ends, ends, arti_vocab_end_words(w->v))) return true;
    uint64_t alive[4];
    if (!find_first_bytes(w, q, alive) || !find_ends(w, q, alive, 0, ends)) return false;
    arti_mask_memo_put(w->m, k.ends, ends, arti_vocab_end_words(w->v));
    return true;
}
