/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_lang.h: which tokens stay inside a string (private to art_mask_*.c).
 *
 * Purpose   of the tokens that have neither quote nor backslash nor control character, those after which one language of a text is still
 *           alive. It does not depend on where the string stands. Tokens that leave the string are art_mask_text.c's, and so are those
 *           with escapes, but for rows that are kept.
 * Owns      nothing.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set.
 * Cost      most tokens are decided group by group (tokens that use the same ranges of characters), or by rows of the vocabulary; only
 *           what is left is looked at one by one. */
#ifndef ART_MASK_LANG_H
#define ART_MASK_LANG_H

#include "art_mask_walk.h"

/* Before arti_re_get_safe() and the like: the ranges of characters that a regex context is asked about are the atoms. */
void arti_lang_begin(arti_re_ctx *re);
/* Atoms whose characters all lead from state q back to it, with ARTI_ATOM_PARTIAL where those beyond ASCII do. */
bool arti_lang_loops(art_schema *s, arti_re_state q, uint64_t *atoms);
/* Of a pattern in state q between characters, after n_cp characters: the state that knows all that tokens may do, q itself where the part's
 * lengths make no difference to them, or one that has them in it. *out: ARTI_RE_DEAD: there is none, and lengths have to be looked at. */
bool arti_lang_unbounded(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, arti_re_state *out);
/* The same where lengths make a difference to few tokens: *out has all that tokens of at most *reach characters may do, no fewer than
 * ARTI_LONG_MIN. UINT32_MAX: any tokens. */
bool arti_lang_nearly(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, arti_re_state *out,
                      uint32_t *reach);
/* Sets the tokens of an enumeration in state q, besides those that are set. only: of the strings that are left, those that count, as bits
 * from the first one on; NULL: all. */
bool arti_lang_add_set(arti_walk *w, const arti_part *part, uint64_t q, const uint64_t *only);
/* Of other parts: writes all of `row` (w->words, or as many words elsewhere). q: state of the part between characters, not dead; n_cp:
 * characters read. */
bool arti_lang_stay(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row);
/* The same for a pattern whose lengths make no difference, in state q between characters (arti_lang_unbounded()), with the tokens that have escapes and stay in
 * the string or end within an escape. Such a row is kept: in the constraint's memo, and with the vocabulary for other constraints. False without a
 * fault: w->nodes_max was reached. */
bool arti_lang_row(arti_walk *w, arti_re_state q, uint32_t *row);
/* Adds to the mask the tokens without escapes that stay in the string, if few texts go on from the state; *done: so it was. */
bool arti_lang_add_few(arti_walk *w, arti_re_state q, bool *done);
/* Adds the tokens of a row to the mask, if it is kept so that this is less than writing it: as what it changes in no tokens, or whole. */
bool arti_lang_add_kept(arti_walk *w, arti_re_state q);
/* Takes tokens of more than `reach` characters, ARTI_LONG_MIN or more, out of a row of those that stay in a string: those that are not alive in state q, or for
 * which the part's lengths leave no room after n_cp characters; part NULL: any lengths. Walks do not note these changes (arti_walk.tracks). */
bool arti_lang_drop_longer(arti_walk *w, arti_re_state q, uint32_t reach, const arti_part *part, uint32_t n_cp,
                           uint32_t *row);
/* The row, if it is kept as changes of other ones. It lives as long as the memo is not emptied. */
const arti_mask_row *arti_lang_kept(arti_walk *w, arti_re_state q);
/* Adds to a row, where little is missing in it, the tokens without escapes that the pattern has more; *done: it was. */
bool arti_lang_add(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row, bool *done);
/* The ways to leave the string (arti_vocab_end_words) after which the language accepts. Kept like rows, and found with them. */
bool arti_lang_ends(arti_walk *w, arti_re_state q, uint32_t *ends);

#endif
