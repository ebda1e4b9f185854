/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_walk.h: masks computed anew (private to the art_mask*.c modules).
 *
 * Purpose   sets the bits of all tokens that a state allows, by the cheapest way for its kind of place: structure and numbers by the
 *           few bytes that can come, strings by whole rows or by a narrow walk that steps languages only.
 * Owns      working memory and tables in the memo.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set. */
#ifndef ART_MASK_WALK_H
#define ART_MASK_WALK_H

#include "art_lex.h"
#include "art_mask.h"

#define ARTI_WORK_DEAR 200u /* steps from which on a mask is kept at once */

typedef struct arti_walk {
    arti_jctx *x;
    arti_mask_memo *m;
    const art_vocab *v;
    const arti_exit *exit;
    uint32_t *words;
    const arti_mask_row *under; /* the row of the memo that `words` was begun with; NULL: none, */
    arti_basis basis;           /* .. but the vocabulary's, see arti_walk_copy; or those that are closest to it */
    bool tracks;                /* from arti_walk_copy() on, words are changed by arti_walk_set() and its like alone */
    uint32_t *touched;          /* those words, perhaps repeatedly: ARTI_MASK_PATCHES_MAX */
    uint32_t n_touched;         /* more: they are not known */
    uint32_t work;              /* steps taken, roughly: what it would cost to compute the mask again */
    uint32_t nodes_max;         /* of the trie that may still be looked at for rows of languages; 0: all */
    uint32_t n_made;            /* rows of languages that were known nowhere */
} arti_walk;

/* Begins the mask with a row of the vocabulary, or with zeros (NULL). */
static inline void arti_walk_copy(arti_walk *w, const uint32_t *row) {
    w->under = NULL;
    w->basis = (arti_basis){row, NULL};
    arti_basis_copy(w->basis, w->words, w->v->n_words);
    w->n_touched = w->tracks ? 0 : UINT32_MAX;
}

/* The mask was begun with a row of the memo (NULL: it was not kept). */
static inline void arti_walk_begun(arti_walk *w, const arti_mask_row *row) {
    w->under = row;
    w->basis = row && row->row.patches ? row->row.basis : (arti_basis){NULL, NULL}; /* not what the memo itself has */
    w->n_touched = w->tracks && row ? 0 : UINT32_MAX;
}

/* Adds a row. */
static inline void arti_walk_or(arti_walk *w, const uint32_t *row) {
    arti_bits_or(w->words, row, w->v->n_words);
    w->n_touched = UINT32_MAX;
}

static inline void arti_walk_touch(arti_walk *w, uint32_t id) {
    if (w->n_touched < ARTI_MASK_PATCHES_MAX)
        w->touched[w->n_touched++] = id / 32;
    else
        w->n_touched = UINT32_MAX;
}

static inline void arti_walk_set(arti_walk *w, uint32_t id) {
    arti_bits_set(w->words, id);
    arti_walk_touch(w, id);
}

static inline void arti_walk_clear(arti_walk *w, uint32_t id) {
    arti_bits_clear(w->words, id);
    arti_walk_touch(w, id);
}

static inline void arti_walk_set_ids(arti_walk *w, const uint32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) arti_walk_set(w, ids[i]);
}

/* Working memory of the memo, NULL on a fault. */
void *arti_walk_work(arti_walk *w, size_t size);
bool arti_walk_begin(arti_walk *w);
bool arti_walk_state(arti_walk *w, const arti_state *st); /* writes all words */
bool arti_walk_text(arti_walk *w, const arti_state *st);  /* *st is in mode TEXT; writes all words */
bool arti_walk_key(arti_walk *w, const arti_state *st);   /* *st is in mode KEY_TEXT; writes all words */
/* Walks the subtree of node i, whose parent is reached in state *from. */
bool arti_walk_subtree(arti_walk *w, uint32_t i, const arti_state *from);
/* Sets the tokens below node i that end the value after `depth` bytes and go on with something the surroundings allow. */
void arti_walk_exit(arti_walk *w, uint32_t i, uint32_t depth);
/* Does the token's tail, from byte `at` on, lead somewhere from *st? Ends of embedded values included. */
bool arti_walk_tail(arti_walk *w, const arti_state *st, const uint8_t *bytes, size_t len);
void arti_walk_tables_free(arti_mask_memo *m);

/* A number that any token of digits may go on: nothing but whole numbers is asked for, or nothing at all, and it is far from the
 * most digits that are written. */
bool arti_number_is_open(const art_vocab *v, const arti_state *st);
/* Is whatever a token adds to the number's digits fine, and may it end there? Then the mask does not depend on those that are written, as far as
 * they are digits before or behind a point. false: not known. */
bool arti_number_is_covered(const art_vocab *v, const arti_state *st);
/* Is the number alive whatever up to `levels` more digits follow? false: not known. */
bool arti_number_is_settled(const art_vocab *v, const arti_state *st, uint32_t levels);
/* Behind the number's digits, would this one take it past its bounds for good? Then larger ones do as well. */
bool arti_number_is_beyond(const arti_state *st, uint8_t digit);
/* In a key: may any characters follow? */
bool arti_key_is_wide(const arti_state *st);
/* Digest of some key that is neither there nor declared: the same for all places, as a rule. */
uint64_t arti_key_other_hash(const arti_state *st);
/* Bytes that a declared name may go on with, as bits; *ends: a name ends here. */
void arti_key_name_bytes(const arti_state *st, uint64_t bits[4], bool *ends);

/* ------------------------------------------------------------------ strings: what values and keys have in common */

#define ARTI_QUOTES 8u /* different ways to leave a string that are remembered in one walk */
#define ARTI_SUFFIX_WORDS_MAX 256u

typedef struct arti_quote { /* one way to leave a string: which languages accept at the quote, and what may come then */
    uint64_t accepts;
    bool closes;      /* the quote is allowed */
    bool is_scarce;   /* of keys that must differ: what may come depends on the key, too */
    arti_state after; /* behind the quote */
    bool has_suffixes;
    uint64_t suffixes[ARTI_SUFFIX_WORDS_MAX /
                      2]; /* of the vocabulary's suffixes (tails in art_lex.h): those that may follow */
} arti_quote;

/* Fills in `suffixes`. They are remembered in the memo for states that are alike. */
bool arti_walk_suffixes(arti_walk *w, arti_quote *quote);
/* Writes the mask of a string that admits everything and that all tokens leave alike, whose suffixes are known, but for tokens with
 * escapes that leave. row: key_row or text_row of art_lex.h. */
void arti_walk_alike(arti_walk *w, const arti_quote *quote, const uint32_t *row);
/* Does a suffix hold a bracket that closes? */
bool arti_suffix_ends_container(const art_vocab *v, const arti_suffix *sf);

/* Bytes that can come at all, where that is known before trying them. */
typedef struct arti_next_bytes {
    bool is_known;
    uint64_t bits[4];
} arti_next_bytes;

/* One entry of the stack of the narrow walk. */
typedef struct arti_text_level {
    bool is_full; /* the state is in memo->states; else q, n_cp, u8 hold all of it */
    uint8_t u8;
    uint32_t n_cp;
    uint64_t hash;
    uint64_t *q;
} arti_text_level;

#endif
