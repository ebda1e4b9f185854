/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mem.h: allocation (private to csrc).
 *
 * Purpose   the allocator hook with accounting, a bump arena, and a growing array.
 * Owns      an arena owns its blocks; arti_arena_free() releases all of them at once.
 * Threads   none of these is synchronised; an arti_mem may be shared only under its owner's lock.
 * Errors    NULL or ART_E_NOMEM when the hook refuses, ART_E_LIMIT when the budget is used up (arti_mem.over_limit is set).
 * Limits    arti_mem.max bytes; 0 means none. */
#ifndef ART_MEM_H
#define ART_MEM_H

#include "art.h"
#include <stdbool.h>
#include <string.h>

typedef struct arti_mem { /* an allocator with a running total; embedded in the object whose memory it counts */
    art_alloc alloc;
    size_t used;
    size_t max;
    bool over_limit;
    uint32_t n_refused; /* requests so far, by `max` or by the allocator */
} arti_mem;

void arti_mem_init(arti_mem *m, const art_alloc *alloc, size_t max);
/* Same contract as art_alloc.fn; returned memory is not cleared. */
void *arti_realloc(arti_mem *m, void *ptr, size_t old_size, size_t new_size);
void *arti_calloc(arti_mem *m, size_t size);
void arti_free(arti_mem *m, void *ptr, size_t size); /* also for the object that holds *m */
/* ART_E_LIMIT or ART_E_NOMEM for the refusal that just happened, with a message. */
art_status arti_mem_fail(arti_mem *m, art_error *err);

/* The allocator of an art_budget, and its size. */
void *arti_budget_fn(void *ud, void *ptr, size_t old_size, size_t new_size);
size_t arti_budget_max(const void *ud);

/* The hook itself, for objects that free themselves: *alloc or malloc's. */
art_alloc arti_alloc_or_default(const art_alloc *alloc);

typedef struct arti_arena_block arti_arena_block;
typedef struct arti_arena {
    arti_mem *mem;
    arti_arena_block *head;
    uint8_t *pos, *end;
    size_t next_size;
} arti_arena;

void arti_arena_init(arti_arena *a, arti_mem *mem);
void arti_arena_free(arti_arena *a);
void *arti_arena_grow(arti_arena *a, size_t size);

/* Uncleared memory, aligned to 16 bytes; NULL when refused. */
static inline void *arti_arena_get(arti_arena *a, size_t size) {
    size = (size + 15u) & ~(size_t)15u;
    if (size <= (size_t)(a->end - a->pos)) {
        void *p = a->pos;
        a->pos += size;
        return p;
    }
    return arti_arena_grow(a, size);
}

static inline void *arti_arena_zero(arti_arena *a, size_t size) {
    void *p = arti_arena_get(a, size);
    if (p) memset(p, 0, size);
    return p;
}

/* Grows an array so that it can hold `need` items of `item` bytes: doubles *cap. false when refused (nothing changes). */
bool arti_vec_reserve(arti_mem *m, void **ptr, size_t *cap, size_t need, size_t item);

/* ------------------------------------------------------------------ errors */

#if defined(__GNUC__)
#define ARTI_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define ARTI_PRINTF(a, b)
#endif

/* Fills *err (may be NULL) and returns code. path, keyword and draft are cleared. */
art_status arti_fail(art_error *err, art_status code, size_t pos, const char *fmt, ...) ARTI_PRINTF(4, 5);
/* Adds the schema position to an error that was just set. path is a whole JSON Pointer. */
void arti_fail_at(art_error *err, const char *path, size_t path_len, const char *keyword);

#endif
