/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_groups.h: the tokens that one language leaves in a string, group by group (private to art_mask_*.c).
 *
 * Purpose   a vocabulary's groups hold tokens with the same atom in front and the same set of atoms behind it (art_vocab.h). A language
 *           is asked, for each atom, where it is after one such character, and from there which atoms can do no harm and which are no
 *           use: a *plan*. Plans decide nearly all groups as a whole (art_mask_groups.c); what they leave is run token by token, or
 *           walked down the trie (art_mask_left.c).
 * Owns      nothing: an arti_lang lies on its caller's stack, its arrays in the walk's region.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set; arti_left_run() also without one, where w->nodes_max was reached.
 * Cost      arti_groups_set: a few microseconds, where the language's plans are known. arti_left_run: a step for each byte that is run. */
#ifndef ART_MASK_GROUPS_H
#define ART_MASK_GROUPS_H

#include "art_mask_walk.h"

#define ARTI_ALL_ATOMS ((UINT64_C(1) << ARTI_N_ATOMS) - 1)
#define ARTI_JUDGED 4u /* plans whose verdicts on sets of atoms are at hand */

typedef enum arti_verdict {
    ARTI_REJECTED,
    ARTI_ACCEPTED,
    ARTI_SINGLY, /* accepted, but not by rows */
    ARTI_LEFT
} arti_verdict;

typedef struct arti_atom_plan { /* what is known of the tokens with one first atom */
    uint8_t is;                 /* ARTI_REJECTED: no character of the atom is alive; ARTI_LEFT: the trie is walked */
    bool ends;                  /* no token of `in` with more than room + 1 characters is alive */
    bool is_partly_dead;        /* so are some characters of the atom: nothing is accepted as a whole */
    uint32_t room;              /* behind the first character; UINT32_MAX: any */
    uint32_t low, top;          /* tokens of `in` with so many characters are alive */
    uint64_t in, out;           /* as arti_re_safe's, with ARTI_ATOM_PARTIAL */
    arti_re_state after;        /* the only state behind a character of the atom; ARTI_RE_DEAD: there are several */
} arti_atom_plan;

typedef struct arti_lang { /* a row being made. The caller fills in what comes before `plans` */
    arti_walk *w;
    const arti_part *part; /* whose lengths are asked for; may be NULL without bounds */
    uint32_t *row;
    arti_re_state q; /* between characters, not dead */
    uint32_t n_cp;   /* characters read */
    bool has_bounds;
    uint32_t room;  /* characters that may still come; UINT32_MAX: any number */
    uint32_t reach; /* .. and so many of them make no difference */
    uint32_t owed;  /* characters that must still come, where the language does not see to that by itself; else 0 */
    arti_atom_plan plans[ARTI_GROUP_ATOMS];
    uint64_t wide;      /* atoms beyond ASCII; */
    uint64_t many;      /* .. and those that many tokens go on with */
    uint8_t *verdicts;  /* by group: arti_verdict */
    uint64_t *accepted; /* groups that rows set, as bits; */
    uint64_t *todo;     /* .. and those with tokens that have to be looked at */
    uint32_t common;    /* accepted tokens of up to so many characters are set by rows */
    arti_basis basis;   /* what the row was begun with */
    bool clears; /* tokens whose first atom is left to the trie are set, and those that are dead have to be cleared */
    uint64_t search_work;                      /* that was done on arti_lang_search() */
    const arti_atom_plan *judged[ARTI_JUDGED]; /* whose verdicts on sets of atoms by_set holds */
    uint32_t n_judged;
    uint8_t *by_set;
} arti_lang;

/* Writes all of l->row, with the tokens that groups decide; leaves in `plans`, `verdicts` and `todo` what is to be looked at. */
bool arti_groups_set(arti_lang *l);
/* Sets those of the others that are alive. */
bool arti_left_run(arti_lang *l);
/* Adds to a row what the language has more than it, where that may be little; *done: it was. Without tokens with escapes. */
bool arti_left_add(arti_lang *l, bool *done);

/* Writes all of l->row where the language shows words without which no token is dead, and few tokens have them; *done: so it was. */
bool arti_words_set(arti_lang *l, bool *done);
/* Where most tokens are alive (l->clears), and the language shows words without which none is dead: takes those out that are. *done: it was. */
bool arti_words_clear(arti_lang *l, bool *done);

/* Searches take long for some languages, and as much is lost without them, so only so much work is done on them for a row. */
bool arti_lang_may_search(const arti_lang *l);
/* arti_re_get_safe() of a state. */
bool arti_lang_search(arti_lang *l, arti_re_state q, arti_re_safe *out);

/* Place in the group's tokens of the first one with more than n characters. */
uint32_t arti_group_longer(const art_vocab *v, const arti_group *g, uint32_t n);

/* Most characters of a token that may be alive though it is longer than what is known to be. */
static inline uint32_t arti_plan_most(const arti_lang *l, const arti_atom_plan *p) {
    return p->ends && p->room < l->room ? p->room + 1 : l->room;
}

#endif
