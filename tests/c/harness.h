/* SPDX-License-Identifier: Apache-2.0
 *
 * harness.h: what the C tests share.
 *
 * A checking allocator: guard bytes around every block, the old size is verified, leaks are counted, and the n-th allocation
 * (and every later one) can be made to fail. `FAIL_EVERY_ALLOCATION(h, expr)` runs expr with budget 0, 1, 2 ... until it gives true. */
#ifndef HARNESS_H
#define HARNESS_H

#undef NDEBUG
#include "art.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct harness {
    long budget; /* allocations that still succeed; negative: no limit */
    long live;   /* blocks not yet freed */
    size_t bytes;
    unsigned long n_allocations;
} harness;

enum { HARNESS_GUARD = 16 };

static inline void *harness_fn(void *ud, void *ptr, size_t old_size, size_t new_size) {
    harness *h = ud;
    unsigned char *old = ptr ? (unsigned char *)ptr - HARNESS_GUARD : NULL;
    assert(ptr || old_size == 0);
    if (old) {
        size_t stored;
        memcpy(&stored, old, sizeof stored);
        assert(stored == old_size);
        for (int i = 0; i < HARNESS_GUARD; i++) assert(old[HARNESS_GUARD + old_size + (size_t)i] == 0xA5);
    }
    if (new_size == 0) {
        if (old) h->live--, h->bytes -= old_size;
        free(old);
        return NULL;
    }
    if (h->budget == 0) return NULL;
    if (h->budget > 0) h->budget--;
    h->n_allocations++;
    unsigned char *p = malloc(new_size + 2 * HARNESS_GUARD);
    assert(p);
    memcpy(p, &new_size, sizeof new_size);
    memset(p + HARNESS_GUARD, 0xCD, new_size);
    memset(p + HARNESS_GUARD + new_size, 0xA5, HARNESS_GUARD);
    if (old) {
        memcpy(p + HARNESS_GUARD, old + HARNESS_GUARD, old_size < new_size ? old_size : new_size);
        free(old);
    } else {
        h->live++;
    }
    h->bytes += new_size - old_size;
    return p + HARNESS_GUARD;
}

static inline art_alloc harness_alloc(harness *h) {
    *h = (harness){.budget = -1};
    return (art_alloc){harness_fn, h};
}

/* expr gives true on success; on a refused allocation it must clean up and give false. */
#define FAIL_EVERY_ALLOCATION(h, expr)                                                                                 \
    do {                                                                                                               \
        for (long budget_ = 0;; budget_++) {                                                                           \
            (h)->budget = budget_;                                                                                     \
            bool done_ = (expr);                                                                                       \
            assert((h)->live == 0);                                                                                    \
            if (done_) {                                                                                               \
                assert((h)->budget >= 0);                                                                              \
                break;                                                                                                 \
            }                                                                                                          \
            assert((h)->budget == 0);                                                                                  \
        }                                                                                                              \
        (h)->budget = -1;                                                                                              \
    } while (0)

/* xorshift: the same numbers on every machine */
static inline uint64_t harness_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
