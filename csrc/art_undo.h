/* SPDX-License-Identifier: Apache-2.0
 *
 * art_undo.h: what undoing the last steps of a run needs (private to csrc).
 *
 * Purpose   a ring of records, one a step, of which the last ART_ROLLBACK_MAX are kept.
 * Owns      the records' memory; the caller gives the same arti_mem each time.
 * Threads   those of the run it belongs to.
 * Errors    a push that gets no memory returns false and leaves the ring as it was.
 * Cost      a copy of the record; memory grows with the number of steps, up to the cap. */
#ifndef ART_UNDO_H
#define ART_UNDO_H

#include "art_mem.h"

typedef struct arti_undo { /* zero-initialise, and set `size` */
    size_t size;           /* of a record */
    uint8_t *items;
    size_t n, cap;
    size_t first; /* of the ring; not 0 only once all slots are there */
} arti_undo;

/* The record of the i-th step that is kept, 0 the oldest. */
static inline void *arti_undo_at(const arti_undo *u, size_t i) {
    return u->items + (u->first + i) % ART_ROLLBACK_MAX * u->size;
}

static inline bool arti_undo_push(arti_mem *mem, arti_undo *u, const void *record) {
    if (u->n == ART_ROLLBACK_MAX) { /* the oldest one goes */
        u->first = (u->first + 1) % ART_ROLLBACK_MAX;
        u->n--;
    } else if (u->first == 0 && !arti_vec_reserve(mem, (void **)&u->items, &u->cap, u->n + 1, u->size)) {
        return false;
    }
    memcpy(arti_undo_at(u, u->n++), record, u->size);
    return true;
}

/* Takes the last record off; it stays readable until the next push. */
static inline const void *arti_undo_pop(arti_undo *u) {
    return arti_undo_at(u, --u->n);
}

static inline void arti_undo_reset(arti_undo *u) {
    u->n = u->first = 0;
}

/* The same records, oldest first, in an empty ring of the same record size. */
static inline bool arti_undo_copy(arti_mem *mem, arti_undo *to, const arti_undo *from) {
    if (from->n && !arti_vec_reserve(mem, (void **)&to->items, &to->cap, from->n, from->size)) return false;
    for (size_t i = 0; i < from->n; i++) memcpy(to->items + i * from->size, arti_undo_at(from, i), from->size);
    to->n = from->n;
    return true;
}

static inline void arti_undo_free(arti_mem *mem, arti_undo *u) {
    arti_free(mem, u->items, u->cap * u->size);
    *u = (arti_undo){.size = u->size};
}

#endif
