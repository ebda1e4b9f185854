/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_keys.h: how a key that is being written may end (private to the art_json_* modules).
 *
 * Purpose   the keys that may come, by what they make the text longer: their rest, and the least value behind them.
 * Owns      nothing; costs lie in the region.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set, or without one where there is no such key. */
#ifndef ART_JSON_KEYS_H
#define ART_JSON_KEYS_H

#include "art_json_close.h"

#define ARTI_KEY_MAX 8192u /* bytes of a rest that is written, with its quote */

typedef struct arti_keys { /* those that were not given yet: declared names and one other */
    arti_jctx *x;
    arti_state st;
    uint32_t first, n; /* the names that begin with what is written */
    uint32_t *costs;   /* of each; ARTI_LEN_NONE: given, or not offered */
    uint32_t other_cost;
    arti_state after_other;
    uint8_t other[ARTI_KEY_MAX];
    size_t other_len;
} arti_keys;

/* *st: in a key, between characters. */
bool arti_keys_init(arti_keys *k, arti_jctx *x, const arti_state *st);
/* The next one, the cheapest first: *after it, before the colon. cost: bytes of its rest, the colon and the value; 0 for a required one, without
 * which the text does not get shorter. */
bool arti_keys_next(arti_keys *k, arti_state *after, arti_out *quoted, uint32_t *cost);
/* The first of them; where none is known, some way to an end of the key. */
bool arti_close_key(arti_jctx *x, const arti_state *st, arti_state *after, arti_out *quoted);

#endif
