/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_fold.h: walks over tries without whitespace (private to the art_mask*.c modules).
 *
 * Purpose   sets the tokens that a state allows outside strings and numbers, or that go on with a number, by the tries of art_lex.h. Strings that
 *           open within a token are read on a stack of language states, or known by a row; those that the same languages have share what
 *           follows their quote.
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
/* Sets the entries from .. to - 1 of the trie, as far as they are spelled as the constraint wants. */
void arti_fold_set(const arti_fold *f, uint32_t from, uint32_t to);
/* May plain characters of any number and kind follow in the string? Then what closes it decides about the rest. */
bool arti_fold_is_open(const arti_walk *w, const arti_state *st);
/* Below node i, the opening quote of a string that is open; st: behind the quote. has_stay: tokens that stay in it are set. */
bool arti_fold_open(const arti_fold *f, uint32_t i, const arti_state *st, bool has_stay);
/* Nodes i .. end - 1, siblings and all below them, whose parent is reached in state *from. */
bool arti_fold_walk(const arti_fold *f, uint32_t i, uint32_t end, const arti_state *from);
/* Which tails of art_lex.h may follow a closing quote, where state *after is reached: writes bits of all of them. */
bool arti_fold_tails(arti_walk *w, const arti_state *after, uint64_t *tails);

#endif
