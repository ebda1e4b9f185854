/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_close.h: how a JSON text can be finished, and what must come next (private to the art_json_* modules).
 *
 * Purpose   the length and the bytes of a shortest completion of a state, in canonical spelling (no whitespace, no escapes that are
 *           not needed), and the bytes that every canonical continuation begins with.
 * Threads   under the schema's lock.
 * Errors    SIZE_MAX with the schema's fault set.
 * Cost      length: each open container once, kept on its frame; then O(size of the innermost frame). */
#ifndef ART_JSON_CLOSE_H
#define ART_JSON_CLOSE_H

#include "art_json_state.h"

typedef struct arti_out { /* bytes are counted always and written while they fit */
    uint8_t *buf;
    size_t cap, len;
} arti_out;

/* Bytes of a shortest completion; SIZE_MAX on a fault. */
size_t arti_close_len(arti_jctx *x, const arti_state *st);
/* Writes it; out->len is exactly arti_close_len(). false: fault. */
bool arti_close_write(arti_jctx *x, const arti_state *st, arti_out *out);
/* Of a container that was just opened, or a member whose key just ended: the least length of the rest of the container or the member, and
 * that rest in the region; NULL: fault, or there is none. Neither looks at what a unique array around it holds. */
uint32_t arti_close_begun_len(arti_jctx *x, const arti_state *st);
const uint8_t *arti_close_begun(arti_jctx *x, const arti_state *st, size_t *len);
/* Bytes that every canonical continuation begins with: at most cap. */
size_t arti_forced(arti_jctx *x, const arti_state *st, uint8_t *buf, size_t cap);

#endif
