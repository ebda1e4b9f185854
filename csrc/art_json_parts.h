/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_parts.h: what completions are put together from (private to the art_json_* modules).
 *
 * Purpose   shortest instances, what is lacking where a value stops, and what it costs to end containers.
 * Threads   under the schema's lock.
 * Errors    false, NULL or ARTI_LEN_NONE with the schema's fault set, or without one where there is no such text. */
#ifndef ART_JSON_PARTS_H
#define ART_JSON_PARTS_H

#include "art_json_close.h"

void arti_out_put(arti_out *o, const void *bytes, size_t len);
void arti_out_byte(arti_out *o, uint8_t b);
void arti_out_text(arti_out *o, const uint8_t *text, size_t len);   /* as what is within a JSON string */
void arti_out_quoted(arti_out *o, const uint8_t *text, size_t len); /* as a JSON string */
/* Nothing is written any more: costs will do. */
static inline bool arti_out_counts(const arti_out *o) {
    return o->len >= o->cap;
}

/* The shape of a shortest instance. NULL: there is none. */
arti_shape *arti_close_shape(art_schema *s, arti_conj c);
/* Writes one. */
bool arti_close_conj(arti_jctx *x, arti_conj c, arti_out *out);

typedef struct arti_ending { /* the cheapest way to end a frame's container */
    uint32_t cost;           /* to the end of the text */
    uint32_t alt;
} arti_ending;
/* one_more: with another member or item. */
arti_ending arti_close_frame(arti_jctx *x, const arti_frame *f, bool one_more);
/* Writes the cheapest end of f's container behind a value of it: its bracket and what lacks before. false: it is longer than *out, or a fault. */
bool arti_close_container(arti_jctx *x, const arti_frame *f, arti_out *out);
/* Costs to the end of the text after the value that is pending in f, for each of its goals g. */
const uint32_t *arti_close_costs(arti_jctx *x, const arti_frame *f, const arti_goals *g);
/* Bytes to the end of the text, at the least cost, as if nothing were a repetition. *st is not in a string, number or word; in a key, its
 * quotation mark is what lacks of it. ARTI_LEN_NONE: a fault. */
uint32_t arti_close_least(arti_jctx *x, const arti_state *st);
/* Bytes behind the value that *st is in or before, likewise. */
uint32_t arti_close_least_after(arti_jctx *x, const arti_state *st);
/* The goal that a value which is still to come meets at the least cost; UINT32_MAX: fault. */
uint32_t arti_close_goal(arti_jctx *x, const arti_state *st);

/* Writes a shortest rest of the string, number or word that *st is in; *met: the goal that it meets. */
bool arti_close_scalar(arti_jctx *x, const arti_state *st, arti_out *out, uint32_t *met);
/* Ends the character or the escape that the string is in, and steps *st over it. */
bool arti_close_char(arti_jctx *x, arti_state *st, arti_out *out);
/* A shortest rest of part p in state q, with n_cp characters behind it: decoded bytes in the region, *len of them. NULL: none, or a fault. */
const uint8_t *arti_close_part(arti_jctx *x, const arti_part *p, uint64_t q, uint32_t n_cp, size_t *len);

/* Writes a completion piece by piece, and steps *st over it (art_json_pieces.c). */
bool arti_close_pieces(arti_jctx *x, arti_state *st, arti_out *out);

#endif
