/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_fold.h"

#include "art_mask_open.h"

/* Where json.dumps writes a space: after a comma or a colon. */
static bool is_spaced_place(const arti_state *st) {
    return st->mode == ARTI_M_KEY || (st->mode == ARTI_M_VALUE && st->top);
}

arti_fold arti_fold_from(arti_walk *w, const arti_lex_trie *t, const arti_state *st) {
    const arti_jctx *x = w->x;
    arti_fold f = {.w = w, .t = t, .spaced = x->spaced, .lead = UINT8_MAX, .run = UINT8_MAX};
    if (t == &w->v->lex->tail) f.base = w->m->depth_cap / 2;
    if (x->spaced)
        f.lead = is_spaced_place(st) && st->n_space == 0;
    else if (x->space_max != UINT8_MAX)
        f.lead = (uint8_t)(x->space_max - st->n_space), f.run = x->space_max;
    return f;
}

void arti_fold_set_entries(const arti_fold *f, const uint32_t *ids, const arti_lex_space *spaces, uint32_t n) {
    if (f->run == UINT8_MAX && !f->spaced && !f->tails) {
        arti_walk_set_ids(f->w, ids, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (arti_fold_is_spelled(f, spaces[i])) arti_fold_set_one(f, ids[i]);
}

void arti_fold_set(const arti_fold *f, uint32_t from, uint32_t to) {
    if (to > from) arti_fold_set_entries(f, f->t->ids + from, f->t->spaces + from, to - from);
}

/* Steps a state over a byte of a folded trie: the spaces that must stand before it count as written. */
static bool folded_step(const arti_fold *f, arti_state *st, uint8_t byte) {
    if (f->spaced && is_spaced_place(st)) st->n_space = 1;
    return arti_state_step(f->w->x, st, byte);
}

static bool is_digit(uint8_t b) {
    return b >= '0' && b <= '9';
}

/* The next sibling of a digit that is none. */
static uint32_t behind_digits(const arti_lex_trie *t, uint32_t i, uint32_t end) {
    const uint16_t depth = t->node[i].depth;
    while (i < end && t->node[i].depth == depth && is_digit(t->node[i].byte)) i = t->node[i].next;
    return i;
}

/* Which tails may follow the closing quote, where state *after is reached: adds them to zeroed bits. */
static bool walk_tails(arti_walk *w, const arti_state *after, uint64_t *tails) {
    arti_fold f = arti_fold_from(w, &w->v->lex->tail, after);
    f.tails = tails;
    arti_fold_set(&f, f.t->node[0].tok, f.t->node[1].tok);
    return arti_fold_walk(&f, 1, f.t->n_nodes, after);
}

/* The same, remembered by what *after is: one slot holds a digest and the bits. */
bool arti_fold_tails(arti_walk *w, const arti_state *after, uint64_t *tails) {
    arti_mask_memo *m = w->m;
    const size_t n_words = (w->v->lex->n_tails + 63u) / 64u, slot_size = 1 + n_words;
    uint64_t key = arti_hash_mix(arti_frame_id(after->top), after->mode | (uint64_t)w->x->in_order << 8);
    key = arti_hash_mix(key, after->goals ? after->goals->id + 1u : 0);
    if (!m->tails) {
        m->tails = arti_walk_work(w, ARTI_MASK_TAILS * slot_size * sizeof *m->tails);
        if (!m->tails) return false;
        memset(m->tails, 0, ARTI_MASK_TAILS * slot_size * sizeof *m->tails);
        m->tails_size = ARTI_MASK_TAILS * slot_size * sizeof *m->tails;
    }
    uint64_t *slot = m->tails + key % ARTI_MASK_TAILS * slot_size;
    if (slot[0] == key) {
        memcpy(tails, slot + 1, n_words * sizeof *tails);
        return true;
    }
    memset(tails, 0, n_words * sizeof *tails);
    if (!walk_tails(w, after, tails)) return false;
    slot[0] = key;
    memcpy(slot + 1, tails, n_words * sizeof *tails);
    return true;
}

/* In a string of which only listed texts are left: the bytes that go on with one, and those that end or escape. */
static void find_next(const arti_state *st, arti_next_bytes *next) {
    next->is_known = false;
    if ((st->mode != ARTI_M_TEXT && st->mode != ARTI_M_KEY_TEXT) || st->text.escape != ARTI_ESC_NONE ||
        st->text.u8 != ARTI_U8_0)
        return;
    bool ends;
    if (st->mode == ARTI_M_KEY_TEXT) {
        if (st->text.offer_other) return;
        arti_key_name_bytes(st, next->bits, &ends);
    } else {
        const arti_text_machine *m = st->text.machine;
        if (m->n_parts != 1 || m->parts[0].kind != ARTI_PART_SET) return;
        arti_set_next_bytes(m->parts[0].set, st->text.q.one, next->bits, &ends);
    }
    next->bits['"' / 64] |= UINT64_C(1) << ('"' % 64);
    next->bits['\\' / 64] |= UINT64_C(1) << ('\\' % 64);
    next->is_known = true;
}

/* Nodes i .. end - 1, siblings and all below them, whose parent is reached in state *from. Not nested deeper than once: only the
 * first opening quote of a path is an open. */
bool arti_fold_walk(const arti_fold *f, uint32_t i, uint32_t end, const arti_state *from) {
    if (i >= end) return true;
    arti_jctx *x = f->w->x;
    const arti_lex_trie *t = f->t;
    arti_state *states = f->w->m->states + f->base;
    arti_region_mark *marks = f->w->m->marks + f->base;
    const uint32_t top = t->node[i].depth - 1u;
    arti_next_bytes *next = f->w->m->next + f->base;
    states[top] = *from;
    marks[top] = arti_region_mark_now(x->region);
    find_next(from, &next[top]);
    while (i < end) {
        const arti_lex_node *node = &t->node[i];
        const uint32_t d = node->depth;
        arti_state *to = &states[d];
        if (next[d - 1].is_known && !(next[d - 1].bits[node->byte / 64] >> (node->byte % 64) & 1u)) {
            i = node->next;
            continue;
        }
        f->w->work++;
        arti_region_reset(x->region, marks[d - 1]);
        *to = states[d - 1];
        if (!folded_step(f, to, node->byte)) {
            if (arti_faulted(x->s)) return false;
            const bool rest_too = is_digit(node->byte) && arti_number_is_beyond(&states[d - 1], node->byte);
            i = rest_too ? behind_digits(t, i, end) : node->next;
            continue;
        }
        marks[d] = arti_region_mark_now(x->region);
        const bool opens = node->open != UINT32_MAX, is_open = opens && arti_open_is_free(f->w, to);
        if (is_open || (opens && arti_open_is_language(f->w, to))) {
            const arti_state at = *to;
            if (!(is_open ? arti_open_free(f, i, &at, false) : arti_open_language(f, i, &at))) return false;
            i = node->next;
            continue;
        }
        if (node->digits && to->mode == ARTI_M_NUMBER && arti_number_is_settled(f->w->v, to, node->digits - 1u)) {
            arti_fold_set(f, node->tok, t->node[node->next].tok);
            i = node->next;
            continue;
        }
        arti_fold_set(f, node->tok, t->node[i + 1].tok);
        if (node->next > i + 1) find_next(to, &next[d]);
        i++;
    }
    arti_region_reset(x->region, marks[top]);
    return true;
}
