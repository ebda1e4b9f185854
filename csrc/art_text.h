/* SPDX-License-Identifier: Apache-2.0
 *
 * art_text.h: from the bytes of tokens to pieces of text that a caller may be shown (private to csrc).
 *
 * Purpose   cut a stream of (channel, bytes) into events: whole UTF-8 characters only, and nothing that may be the beginning of a stop
 *           string. Bytes that can not be UTF-8 become U+FFFD, one for each maximal part of a character (Unicode 15, section 3.9).
 * Owns      the bytes of the pieces that are ready, and a queue of them.
 * Threads   one caller at a time.
 * Errors    ART_E_NOMEM; ART_E_ARG for stop strings out of range.
 * Limits    ART_STOPS_MAX stop strings of ART_STOP_LEN_MAX bytes.
 * Cost      O(bytes + bytes * stop strings); buffers are reserved once and grow only for longer tokens than they have seen. */
#ifndef ART_TEXT_H
#define ART_TEXT_H

#include "art_mem.h"

typedef struct arti_piece {
    uint32_t kind, tool; /* art_event_kind */
    size_t start, len;   /* bytes in arti_text.out */
} arti_piece;

typedef struct arti_text {
    arti_mem *mem;
    /* Ready for the caller. */
    uint8_t *out;
    size_t out_len, out_cap;
    arti_piece *pieces;
    size_t n_pieces, pieces_cap, next_piece;
    /* The channel that bytes come from. */
    uint32_t kind, tool;
    uint8_t partial[4]; /* a character that is not whole */
    uint32_t n_partial;
    uint8_t state; /* what its next byte must be, see art_utf8.h */
    /* Stop strings. `held` is a suffix of the text that begins one of them. */
    uint8_t *stop_bytes;
    size_t stop_bytes_cap;
    struct {
        size_t start, len;
    } stops[ART_STOPS_MAX];
    size_t n_stops;
    uint8_t *held;
    size_t n_held, held_cap;
    bool stopped; /* a stop string was met; what follows is swallowed */
} arti_text;

void arti_text_init(arti_text *t, arti_mem *mem);
void arti_text_free(arti_text *t);
/* Forgets everything and takes the stop strings (copied). */
art_status arti_text_start(arti_text *t, const art_str *stops, size_t n_stops, art_error *err);
/* More bytes of a channel. Stop strings are looked for in ART_EV_TEXT when `stoppable`. */
art_status arti_text_feed(arti_text *t, uint32_t kind, uint32_t tool, const uint8_t *bytes, size_t len, bool stoppable);
/* Ends the channel: what is held back comes out. */
art_status arti_text_end(arti_text *t);
/* Ends the channel and queues a piece of its own, for example a call's start. */
art_status arti_text_mark(arti_text *t, uint32_t kind, uint32_t tool, const uint8_t *bytes, size_t len);
/* Takes the next piece; its bytes stay until the next feed. */
bool arti_text_take(arti_text *t, arti_piece *piece, const char **data);
static inline bool arti_text_ready(const arti_text *t) {
    return t->next_piece < t->n_pieces;
}

#endif
