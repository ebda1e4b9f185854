/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_open.h: tokens that open a string (private to the art_mask*.c modules).
 *
 * Purpose   below the opening quote of a string, at a node of a trie without whitespace: sets the tokens that stay in the string, and those that close
 *           it and go on. A string is known by a row of its language, or read on a stack of language states; those that the same
 *           languages have share what follows their quote.
 * Owns      nothing.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set. */
#ifndef ART_MASK_OPEN_H
#define ART_MASK_OPEN_H

#include "art_mask_fold.h"

/* May plain characters of any number and kind follow in the string? Then what closes it decides about the rest. */
bool arti_open_is_free(const arti_walk *w, const arti_state *st);
/* Below node i, the opening quote of such a string; st: behind the quote. has_stay: tokens that stay in it are set. */
bool arti_open_free(const arti_fold *f, uint32_t i, const arti_state *st, bool has_stay);
/* Is the string one that languages limit, and whose ends are alike but for which of them have it? */
bool arti_open_is_language(const arti_walk *w, const arti_state *st);
/* Below node i, the opening quote of such a string; st: behind the quote. */
bool arti_open_language(const arti_fold *f, uint32_t i, const arti_state *st);

#endif
