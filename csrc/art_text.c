/* SPDX-License-Identifier: Apache-2.0 */
#include "art_text.h"

#include "art_utf8.h"

#define OUT_RESERVE 4096u
#define PIECES_RESERVE 32u

void arti_text_init(arti_text *t, arti_mem *mem) {
    *t = (arti_text){.mem = mem};
}

void arti_text_free(arti_text *t) {
    arti_free(t->mem, t->out, t->out_cap);
    arti_free(t->mem, t->pieces, t->pieces_cap * sizeof *t->pieces);
    arti_free(t->mem, t->stop_bytes, t->stop_bytes_cap);
    arti_free(t->mem, t->held, t->held_cap);
    arti_text_init(t, t->mem);
}

static bool reserve_bytes(arti_text *t, uint8_t **buf, size_t *cap, size_t need) {
    void *p = *buf;
    bool ok = arti_vec_reserve(t->mem, &p, cap, need, 1);
    *buf = p;
    return ok;
}

static bool reserve_pieces(arti_text *t, size_t need) {
    void *p = t->pieces;
    bool ok = arti_vec_reserve(t->mem, &p, &t->pieces_cap, need, sizeof *t->pieces);
    t->pieces = p;
    return ok;
}

art_status arti_text_start(arti_text *t, const art_str *stops, size_t n_stops, art_error *err) {
    if (n_stops > ART_STOPS_MAX)
        return arti_fail(err, ART_E_ARG, 0, "more than ART_STOPS_MAX (%u) stop strings", ART_STOPS_MAX);
    size_t total = 0;
    for (size_t i = 0; i < n_stops; i++) {
        if (stops[i].len == 0 || stops[i].len > ART_STOP_LEN_MAX)
            return arti_fail(err, ART_E_ARG, i, "stop string %zu has %zu bytes, not 1 .. ART_STOP_LEN_MAX (%u)", i,
                             stops[i].len, ART_STOP_LEN_MAX);
        total += stops[i].len;
    }
    if (!reserve_bytes(t, &t->out, &t->out_cap, OUT_RESERVE) || !reserve_pieces(t, PIECES_RESERVE) ||
        (n_stops && (!reserve_bytes(t, &t->stop_bytes, &t->stop_bytes_cap, total) ||
                     !reserve_bytes(t, &t->held, &t->held_cap, 2 * ART_STOP_LEN_MAX))))
        return arti_mem_fail(t->mem, err);
    total = 0;
    for (size_t i = 0; i < n_stops; i++) {
        memcpy(t->stop_bytes + total, stops[i].ptr, stops[i].len);
        t->stops[i].start = total;
        t->stops[i].len = stops[i].len;
        total += stops[i].len;
    }
    t->n_stops = n_stops;
    t->out_len = t->n_pieces = t->next_piece = 0;
    t->kind = t->tool = 0;
    t->n_partial = 0;
    t->state = ARTI_U8_0;
    t->n_held = 0;
    t->stopped = false;
    return ART_OK;
}

/* Room for `len` more bytes of the channel and their piece, which is the last one. What was taken is let go of first. */
static arti_piece *open_piece(arti_text *t, uint32_t kind, uint32_t tool, size_t len, bool join) {
    if (t->next_piece && t->next_piece == t->n_pieces) t->out_len = t->n_pieces = t->next_piece = 0;
    if (!reserve_bytes(t, &t->out, &t->out_cap, t->out_len + len) || !reserve_pieces(t, t->n_pieces + 1)) return NULL;
    arti_piece *last = t->n_pieces > t->next_piece ? &t->pieces[t->n_pieces - 1] : NULL;
    if (join && last && last->kind == kind && last->tool == tool) return last;
    last = &t->pieces[t->n_pieces++];
    *last = (arti_piece){kind, tool, t->out_len, 0};
    return last;
}

/* Bytes of the present channel that no stop string can begin in: whole characters go out. */
static art_status put(arti_text *t, const uint8_t *bytes, size_t len) {
    if (!len) return ART_OK;
    arti_piece *piece = NULL;
    for (size_t i = 0; i < len;) {
        if (!piece) { /* the worst case is three bytes of U+FFFD for each bad one */
            piece = open_piece(t, t->kind, t->tool, 3 * (len - i) + sizeof t->partial, true);
            if (!piece) return ART_E_NOMEM;
        }
        uint8_t *out = t->out + t->out_len;
        uint8_t next = arti_u8_next(t->state, bytes[i]);
        if (next == ARTI_U8_BAD) {
            if (t->state == ARTI_U8_0) i++; /* else the byte is looked at again, as a first one */
            memcpy(out, "\xEF\xBF\xBD", 3);
            t->out_len += 3;
            piece->len += 3;
            t->n_partial = 0;
            t->state = ARTI_U8_0;
            continue;
        }
        t->partial[t->n_partial++] = bytes[i++];
        t->state = next;
        if (next == ARTI_U8_0) {
            memcpy(out, t->partial, t->n_partial);
            t->out_len += t->n_partial;
            piece->len += t->n_partial;
            t->n_partial = 0;
        }
    }
    if (piece->len == 0) t->n_pieces--;
    return ART_OK;
}

/* Length of the longest proper prefix of a stop string that ends the held text. */
static size_t begun_stop(const arti_text *t) {
    size_t longest = 0;
    for (size_t k = 0; k < t->n_stops; k++) {
        const uint8_t *stop = t->stop_bytes + t->stops[k].start;
        size_t n = t->stops[k].len - 1 < t->n_held ? t->stops[k].len - 1 : t->n_held;
        for (; n > longest; n--) {
            if (memcmp(t->held + t->n_held - n, stop, n) == 0) longest = n;
        }
    }
    return longest;
}

/* Start of the first stop string in the held text that ends at its end; SIZE_MAX: none. */
static size_t ended_stop(const arti_text *t) {
    size_t at = SIZE_MAX;
    for (size_t k = 0; k < t->n_stops; k++) {
        size_t n = t->stops[k].len;
        if (n <= t->n_held && memcmp(t->held + t->n_held - n, t->stop_bytes + t->stops[k].start, n) == 0 &&
            t->n_held - n < at)
            at = t->n_held - n;
    }
    return at;
}

/* One byte after the other, so that the stop string that is complete first is the one that counts, however the text was cut. */
static art_status put_stoppable(arti_text *t, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len && !t->stopped; i++) {
        t->held[t->n_held++] = bytes[i];
        size_t at = ended_stop(t);
        size_t go = at;
        if (at == SIZE_MAX) go = t->n_held - begun_stop(t);
        art_status st = put(t, t->held, go);
        if (st != ART_OK) return st;
        t->n_held -= go;
        memmove(t->held, t->held + go, t->n_held);
        if (at != SIZE_MAX) {
            t->stopped = true;
            t->n_held = 0;
        }
    }
    return ART_OK;
}

art_status arti_text_end(arti_text *t) {
    art_status st = put(t, t->held, t->n_held);
    t->n_held = 0;
    if (st == ART_OK && t->n_partial) {
        arti_piece *piece = open_piece(t, t->kind, t->tool, 3, true);
        if (!piece) return ART_E_NOMEM;
        memcpy(t->out + t->out_len, "\xEF\xBF\xBD", 3);
        t->out_len += 3;
        piece->len += 3;
        t->n_partial = 0;
        t->state = ARTI_U8_0;
    }
    return st;
}

art_status arti_text_feed(arti_text *t, uint32_t kind, uint32_t tool, const uint8_t *bytes, size_t len,
                          bool stoppable) {
    if (!len || t->stopped) return ART_OK;
    if (kind != t->kind || tool != t->tool) {
        art_status st = arti_text_end(t);
        if (st != ART_OK) return st;
        t->kind = kind;
        t->tool = tool;
    }
    return stoppable && t->n_stops ? put_stoppable(t, bytes, len) : put(t, bytes, len);
}

art_status arti_text_mark(arti_text *t, uint32_t kind, uint32_t tool, const uint8_t *bytes, size_t len) {
    art_status st = arti_text_end(t);
    if (st != ART_OK || t->stopped) return st;
    arti_piece *piece = open_piece(t, kind, tool, len, false);
    if (!piece) return ART_E_NOMEM;
    if (len) memcpy(t->out + t->out_len, bytes, len);
    t->out_len += len;
    piece->len = len;
    t->kind = 0;
    return ART_OK;
}

bool arti_text_take(arti_text *t, arti_piece *piece, const char **data) {
    if (!arti_text_ready(t)) return false;
    *piece = t->pieces[t->next_piece++];
    *data = (const char *)t->out + piece->start;
    return true;
}
