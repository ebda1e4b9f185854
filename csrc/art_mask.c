/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask.h"

#include "art_lex.h"
#include "art_mask_walk.h"

#include <assert.h>

/* ------------------------------------------------------------------ memo */

void arti_mask_memo_init(arti_mask_memo *m, const art_alloc *alloc, size_t max) {
    *m = (arti_mask_memo){0};
    arti_mem_init(&m->mem, alloc, max);
    arti_arena_init(&m->arena, &m->mem);
}

static void memo_clear(arti_mask_memo *m) {
    arti_arena_free(&m->arena);
    arti_free(&m->mem, m->slots, m->size * sizeof *m->slots);
    arti_free(&m->mem, m->blocks, m->blocks_cap * sizeof *m->blocks);
    m->slots = NULL;
    m->blocks = NULL;
    m->n = m->size = m->blocks_cap = 0;
    m->n_clears++;
}

void arti_mask_memo_free(arti_mask_memo *m) {
    memo_clear(m);
    arti_free(&m->mem, m->recent, ARTI_MASK_RECENT * sizeof *m->recent);
    arti_walk_tables_free(m);
}

static arti_mask_row *row_of(const arti_mask_memo *m, uint32_t row) {
    return &m->blocks[(row - 1) / ARTI_MASK_BLOCK][(row - 1) % ARTI_MASK_BLOCK];
}

/* The slot of a key, or the free one where it belongs. There is one. */
static arti_mask_slot *memo_slot(const arti_mask_memo *m, const uint64_t key[2]) {
    const uint32_t tag = (uint32_t)key[0];
    for (size_t i = tag & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        arti_mask_slot *slot = &m->slots[i];
        if (!slot->row) return slot;
        if (slot->tag != tag) continue;
        const arti_mask_row *r = row_of(m, slot->row);
        if (r->key[0] == key[0] && r->key[1] == key[1]) return slot;
    }
}

const arti_mask_row *arti_mask_memo_find(const arti_mask_memo *m, const uint64_t key[2]) {
    if (!m->size) return NULL;
    const arti_mask_slot *slot = memo_slot(m, key);
    return slot->row ? row_of(m, slot->row) : NULL;
}

const arti_mask_row *arti_mask_memo_get(const arti_mask_memo *m, const uint64_t key[2], uint32_t *words,
                                        uint32_t n_words) {
    const arti_mask_row *r = arti_mask_memo_find(m, key);
    if (!r) return NULL;
    arti_row_copy(r->under ? &r->under->row : &r->row, words, n_words);
    for (uint32_t i = 0; i < r->row.n_patches && r->under; i++) words[r->row.patches[i].at] = r->row.patches[i].word;
    return r;
}

static bool memo_grow(arti_mask_memo *m) {
    const size_t size = m->size ? m->size * 2 : 512;
    if (size > UINT32_MAX) return false;
    arti_mask_slot *slots = arti_calloc(&m->mem, size * sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < m->size; i++) {
        if (!m->slots[i].row) continue;
        size_t to = m->slots[i].tag & (size - 1);
        while (slots[to].row) to = (to + 1) & (size - 1);
        slots[to] = m->slots[i];
    }
    arti_free(&m->mem, m->slots, m->size * sizeof *slots);
    m->slots = slots;
    m->size = size;
    return true;
}

/* Room for one more row. */
static bool memo_reserve(arti_mask_memo *m) {
    if ((m->n + 1) * 2 > m->size && !memo_grow(m)) return false;
    if (m->n % ARTI_MASK_BLOCK) return true;
    const size_t block = m->n / ARTI_MASK_BLOCK;
    if (!arti_vec_reserve(&m->mem, (void **)&m->blocks, &m->blocks_cap, block + 1, sizeof *m->blocks)) return false;
    return (m->blocks[block] = arti_arena_get(&m->arena, ARTI_MASK_BLOCK * sizeof **m->blocks)) != NULL;
}

/* Takes a row in, with a copy of `size` bytes at `data`: its patches, or (is_base) the row that it is. */
static const arti_mask_row *memo_add(arti_mask_memo *m, arti_mask_row r, const void *data, size_t size, bool is_base) {
    void *own = memo_reserve(m) ? arti_arena_get(&m->arena, size ? size : 1) : NULL;
    m->mem.over_limit = false;
    if (!own) return NULL;
    memcpy(own, data, size);
    if (is_base)
        r.row.basis.base = own;
    else
        r.row.patches = own;
    const uint32_t row = (uint32_t)++m->n;
    arti_mask_row *to = row_of(m, row);
    *to = r;
    *memo_slot(m, r.key) = (arti_mask_slot){(uint32_t)r.key[0], row};
    return to;
}

/* As a copy of its words. */
static const arti_mask_row *put_words(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                      uint32_t n_words) {
    const arti_mask_row r = {.key = {key[0], key[1]}};
    const arti_mask_row *to = memo_add(m, r, words, n_words * sizeof *words, true);
    if (to) return to;
    memo_clear(m);
    return memo_add(m, r, words, n_words * sizeof *words, true);
}

/* As patches of rows that outlive the memo. */
static const arti_mask_row *put_patches(arti_mask_memo *m, const uint64_t key[2], const arti_row *row) {
    const arti_mask_row r = {.key = {key[0], key[1]}, .row = *row};
    const size_t size = row->n_patches * sizeof *row->patches;
    const arti_mask_row *to = memo_add(m, r, row->patches, size, false);
    if (to) return to;
    memo_clear(m);
    return memo_add(m, r, row->patches, size, false);
}

const arti_mask_row *arti_mask_memo_put_row(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                            uint32_t n_words, const arti_row *row) {
    return row->n_patches == UINT32_MAX ? put_words(m, key, words, n_words) : put_patches(m, key, row);
}

const arti_mask_row *arti_mask_memo_put(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                        uint32_t n_words) {
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    const arti_row row = arti_row_from(words, n_words, (arti_basis){NULL, NULL}, patches);
    return arti_mask_memo_put_row(m, key, words, n_words, &row);
}

void arti_mask_memo_put_changed(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                const arti_mask_row *under, arti_basis basis, const uint32_t *changed, uint32_t n) {
    arti_bits_patch patches[ARTI_MASK_PATCHES_MAX];
    arti_mask_row r = {.key = {key[0], key[1]}, .under = under};
    r.row.basis = basis;
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || changed[i] != changed[i - 1])
            patches[r.row.n_patches++] = (arti_bits_patch){changed[i], words[changed[i]]};
    if (!memo_add(m, r, patches, r.row.n_patches * sizeof *patches, false)) memo_clear(m);
}

#define ASKED_BITS 2u /* of a slot; the rest are the key's */
#define ASKED_OFTEN ((UINT64_C(1) << ASKED_BITS) - 1)

/* Was the mask asked for several times lately? Counts this time. */
static bool is_asked_often(arti_mask_memo *m, const uint64_t key[2]) {
    if (!m->recent) m->recent = arti_calloc(&m->mem, ARTI_MASK_RECENT * sizeof *m->recent);
    if (!m->recent) {
        m->mem.over_limit = false;
        return true;
    }
    uint64_t *slot = &m->recent[key[0] % ARTI_MASK_RECENT];
    if ((*slot ^ key[1]) >> ASKED_BITS) *slot = key[1] & ~ASKED_OFTEN;
    if ((*slot & ASKED_OFTEN) == ASKED_OFTEN) return true;
    ++*slot;
    return false;
}

/* ------------------------------------------------------------------ keys of states */

uint64_t arti_frame_id(const arti_frame *f) {
    /* From the outermost frame without an identity inwards. */
    if (!f) return 1;
    while (!f->id) {
        const arti_frame *at = f;
        while (at->parent && !at->parent->id) at = at->parent;
        uint64_t h = arti_hash_mix(at->parent ? at->parent->id : 1, (uint64_t)(uintptr_t)at->machine);
        h = arti_hash_mix(h, (uint64_t)at->goals->id << 32 | at->key);
        h = arti_hash_mix(h, at->matches);
        h = arti_hash_mix(h, at->set_sum);
        h = arti_hash_mix(h, at->has_equal);
        if (at->hashing) h = arti_hash_mix(h, at->hash);
        if (at->key == UINT32_MAX) h = arti_hash_mix(h, at->key_hash); /* it will be a duplicate later */
        uint32_t n = at->n;
        size_t words;
        if (at->is_object) {
            const arti_object_machine *m = at->machine;
            const uint32_t cap = m->counts_matter ? m->count_cap : 0;
            if (n > cap)
                n = cap + 1 - (cap == 0); /* with no counts, only whether there was a member, which the mode tells */
            h = arti_hash_mix(h, at->next_rank);
        } else {
            const arti_array_machine *m = at->machine;
            if (n > m->index_cap + 1) n = m->index_cap + 1;
        }
        h = arti_hash_mix(h, n);
        words = (arti_frame_size(at) - sizeof *at) / sizeof *at->bits;
        for (size_t i = 0; i < words; i++) h = arti_hash_mix(h, at->bits[i]);
        ((arti_frame *)at)->id = h ? h : 1;
    }
    return f->id;
}

static bool is_hashed(const arti_state *st) {
    const arti_frame *f = st->top;
    return f && (f->hashing || (!f->is_object && ((const arti_array_machine *)f->machine)->unique));
}

/* Lengths so far that make no difference to one another share a number: far from both bounds of every part. */
static uint64_t length_class(const arti_text_state *t) {
    const arti_text_machine *m = t->machine;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const arti_part *p = &m->parts[i];
        if (p->kind == ARTI_PART_SET) continue;
        const bool far = p->hi == UINT32_MAX || p->hi - t->n_cp > ART_TOKEN_LEN_MAX;
        if (!far || t->n_cp < p->lo) return t->n_cp;
    }
    return UINT32_MAX;
}

/* Adds what the mask depends on within a number. */
static bool number_key(const art_vocab *v, const arti_state *st, uint64_t *h) {
    const arti_num *n = &st->number.num;
    if (is_hashed(st)) return false;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    const bool any = gt->n_alts == 1 && gt->alts[0].shape->number.is_any, open = arti_number_is_open(v, st);
    *h = arti_hash_mix(*h, (uint64_t)n->lex | (uint64_t)(n->n_int > 1) << 8 | (uint64_t)n->neg << 9 |
                               (uint64_t)n->exp_neg << 10);
    if (any || open) {
        if (any) { /* how large it is makes a difference, for the exponent */
            *h = arti_hash_mix(*h, n->n_sig ? (uint64_t)n->n_sig - n->n_frac : UINT32_MAX);
            *h = arti_hash_mix(*h, (uint64_t)n->n_exp << 32 | n->exp);
        }
        if (!open && n->lex < ARTI_NUM_E) *h = arti_hash_mix(*h, (uint64_t)n->n_int << 32 | n->n_frac);
        return true;
    }
    if (arti_number_is_covered(v, st)) return true;
    if (n->n_sig > 18) return false;
    *h = arti_hash_mix(*h, (uint64_t)n->n_frac << 32 | n->n_sig);
    *h = arti_hash_mix(*h, (uint64_t)n->n_exp << 32 | n->exp);
    *h = arti_hash_mix(*h, (uint64_t)n->n_int);
    *h = arti_hash_mix(*h, n->sig);
    return true;
}

/* What the mask depends on, as 128 bits. false: not worth keeping. */
static bool state_key(const arti_jctx *x, const art_vocab *v, const arti_state *st, const arti_exit *exit,
                      uint64_t key[2]) {
    uint64_t h = arti_hash_mix(arti_frame_id(st->top), (uint64_t)st->mode | (uint64_t)st->word << 8 |
                                                           (uint64_t)st->word_len << 16 | (uint64_t)x->in_order << 24 |
                                                           (uint64_t)x->embedded << 25);
    if (exit) {
        if (exit->key == 0) return false;
        h = arti_hash_mix(h, exit->key);
    }
    if (x->space_max != UINT8_MAX) h = arti_hash_mix(h, st->n_space);
    h = arti_hash_mix(h, st->goals ? st->goals->id + 1u : 0);
    if (st->mode == ARTI_M_NUMBER) {
        if (!number_key(v, st, &h)) return false;
    } else if (st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT) {
        const arti_text_state *t = &st->text;
        const uint32_t n = arti_text_parts(st);
        const uint64_t *q = arti_text_q(st);
        h = arti_hash_mix(h, (uint64_t)(uintptr_t)t->machine);
        for (uint32_t i = 0; i < n; i++) h = arti_hash_mix(h, q[i]);
        h = arti_hash_mix(h, (uint64_t)t->u8 | (uint64_t)t->escape << 8 | (uint64_t)t->unit << 16 |
                                 (uint64_t)t->high << 32);
        const bool key_text = st->mode == ARTI_M_KEY_TEXT;
        if (!key_text && ((const arti_text_machine *)t->machine)->bounded) h = arti_hash_mix(h, length_class(t));
        if (key_text ? t->offer_other && (st->top->set || v->lex->n_twice) : is_hashed(st))
            h = arti_hash_mix(h, t->hash);
    }
    key[0] = h;
    key[1] = arti_hash_mix(h ^ UINT64_C(0x5bd1e9955bd1e995), h >> 7);
    return true;
}

/* ------------------------------------------------------------------ the mask */

#ifndef NDEBUG
/* Do the words differ from what they were begun with only where they are said to? */
static bool knows_changes(const arti_walk *w) {
    uint32_t *begun = arti_region_get(w->x->region, w->v->n_words * sizeof *begun);
    if (!begun) return true;
    arti_basis_copy(w->basis, begun, w->v->n_words);
    if (w->under) arti_row_copy(&w->under->row, begun, w->v->n_words);
    for (uint32_t k = 0; k < w->n_touched; k++) begun[w->touched[k]] = w->words[w->touched[k]];
    return arti_bits_equal(begun, w->words, w->v->n_words);
}
#endif

bool arti_mask_fill(arti_jctx *x, arti_mask_memo *m, const art_vocab *v, const arti_state *st, const arti_exit *exit,
                    uint32_t *words) {
    uint64_t key[2] = {0, 0};
    const bool keep = state_key(x, v, st, exit, key);
    if (keep && arti_mask_memo_get(m, key, words, v->n_words)) return true;
    uint32_t touched[ARTI_MASK_PATCHES_MAX];
    arti_walk w = {.x = x, .m = m, .v = v, .exit = exit, .words = words, .touched = touched, .n_touched = UINT32_MAX};
    const uint32_t n_clears = m->n_clears;
    if (!arti_walk_begin(&w) || !arti_walk_state(&w, st)) return false;
    if (!keep) return true;
    if (w.n_touched <= ARTI_MASK_PATCHES_MAX && (!w.under || m->n_clears == n_clears)) {
        assert(knows_changes(&w));
        arti_mask_memo_put_changed(m, key, words, w.under, w.basis, touched, w.n_touched);
        return true;
    }
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    const arti_row row = arti_row_from(words, v->n_words, w.basis, patches);
    if (row.n_patches != UINT32_MAX || w.work >= ARTI_WORK_DEAR || is_asked_often(m, key))
        arti_mask_memo_put_row(m, key, words, v->n_words, &row);
    return true;
}
