/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_text.h: strings within states (private to art_json_text.c and art_json_step.c).
 *
 * Purpose   the part of arti_state_step() that reads strings, and the two calls back into containers that it needs.
 * Threads   under the schema's lock. */
#ifndef ART_JSON_TEXT_H
#define ART_JSON_TEXT_H

#include "art_json_state.h"

/* After the opening quote of a value or a key. */
bool arti_text_begin(arti_jctx *x, arti_state *st);
bool arti_key_begin(arti_jctx *x, arti_state *st);
bool arti_text_step(arti_jctx *x, arti_state *st, uint8_t byte);
/* The same in the usual case, quicker: false, and nothing is done, when this is another. *alive: the byte was taken. */
bool arti_text_step_plain(arti_jctx *x, arti_state *st, uint8_t byte, bool *alive);

/* A value has ended that meets the goals in acc; hash is its canonical digest (only used where containers ask for it). */
bool arti_value_end(arti_jctx *x, arti_state *st, const arti_accept *acc, uint64_t hash);
/* A key of the innermost object has ended. */
bool arti_object_key(arti_jctx *x, arti_state *st, uint32_t name, uint64_t matches, uint64_t hash);

#endif
