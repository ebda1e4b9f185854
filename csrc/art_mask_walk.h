/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_walk.h: masks computed anew (private to art_mask.c and art_mask_walk.c, art_mask_text.c).
 *
 * Purpose   sets the bits of all tokens that a state allows, by the cheapest way for its kind of place: structure and numbers by the
 *           few bytes that can come, strings by whole rows or by a narrow walk that steps languages only.
 * Owns      working memory and tables in the memo.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set. */
#ifndef ART_MASK_WALK_H
#define ART_MASK_WALK_H

#include "art_mask.h"

typedef struct arti_walk {
    arti_jctx *x;
    arti_mask_memo *m;
    const art_vocab *v;
    const arti_exit *exit;
    uint32_t *words; /* zeroed before */
} arti_walk;

bool arti_walk_begin(arti_walk *w);
bool arti_walk_state(arti_walk *w, const arti_state *st);
/* Strings; *st is in mode TEXT or KEY_TEXT. */
bool arti_walk_text(arti_walk *w, const arti_state *st);
/* Walks the subtree of node i, whose parent is reached in state *from. */
bool arti_walk_subtree(arti_walk *w, uint32_t i, const arti_state *from);
/* Does the token's tail, from byte `at` on, lead somewhere from *st? Ends of embedded values included. */
bool arti_walk_tail(arti_walk *w, const arti_state *st, const uint8_t *bytes, size_t len);
void arti_walk_tables_free(arti_mask_memo *m);

/* A number under a rule that only asks for whole numbers, or for nothing, before any fraction or exponent. */
bool arti_number_is_open(const arti_state *st);

/* One entry of the stack of the narrow walk. */
typedef struct arti_text_level {
    bool is_full; /* the state is in memo->states; else q, n_cp, u8 hold all of it */
    uint8_t u8;
    uint32_t n_cp;
    uint64_t hash;
    uint64_t *q;
} arti_text_level;

#endif
