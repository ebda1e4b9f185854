/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_fold.h: walks over tries without whitespace (private to the art_mask*.c modules).
 *
 * Purpose   sets the tokens that a state allows outside strings and numbers, or that go on with a number, by the tries of art_lex.h. Strings that
 *           open within a token are art_mask_open.h's.
 * Owns      what may follow a closing quote, remembered in the memo by the state behind it.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set. */
#ifndef ART_MASK_FOLD_H
#define ART_MASK_FOLD_H

#include "art_mask_walk.h"

typedef struct arti_fold { /* a walk over a trie without whitespace */
    arti_walk *w;
    const arti_lex_trie *t;
    uint64_t *tails; /* what to set, by tail; NULL: tokens of the mask */
    size_t base;     /* of the stacks: the tails' own part, as they are walked from within other walks */
    bool spaced;
    uint8_t lead, run; /* whitespace allowed in the beginning (spaced: asked for) and elsewhere */
} arti_fold;

/* A walk that begins in state *st; zeroed but for what the constraint says of whitespace. */
arti_fold arti_fold_from(arti_walk *w, const arti_lex_trie *t, const arti_state *st);
/* Is an entry with this whitespace spelled as the constraint wants? */
static inline bool arti_fold_is_spelled(const arti_fold *f, arti_lex_space s) {
    if (f->spaced) return s.is_spaced && s.lead == f->lead;
    return s.lead <= f->lead && s.run <= f->run;
}
/* Sets a token of the mask, or a tail. */
static inline void arti_fold_set_one(const arti_fold *f, uint32_t id) {
    if (f->tails)
        f->tails[id / 64] |= UINT64_C(1) << (id % 64);
    else
        arti_walk_set(f->w, id);
}
/* Sets those of n of them that are spelled as the constraint wants. */
void arti_fold_set_entries(const arti_fold *f, const uint32_t *ids, const arti_lex_space *spaces, uint32_t n);
/* Sets the entries from .. to - 1 of the trie, as far as they are spelled as the constraint wants. */
void arti_fold_set(const arti_fold *f, uint32_t from, uint32_t to);
/* Nodes i .. end - 1, siblings and all below them, whose parent is reached in state *from. */
bool arti_fold_walk(const arti_fold *f, uint32_t i, uint32_t end, const arti_state *from);
/* Which tails of art_lex.h may follow a closing quote, where state *after is reached: writes bits of all of them. */
bool arti_fold_tails(arti_walk *w, const arti_state *after, uint64_t *tails);

#endif
