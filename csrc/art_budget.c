/* SPDX-License-Identifier: Apache-2.0
 *
 * A budget that many objects share: an allocator that counts (public in art.h).
 *
 * Threads   any number at a time; the total is atomic.
 * Owns      itself until it has been freed by its owner and nothing that was allocated through it is left. */
#include "art_mem.h"

#include <stdatomic.h>

struct art_budget {
    art_alloc outer; /* where the memory comes from */
    art_alloc own;   /* what art_budget_alloc() lends */
    size_t max;
    atomic_size_t used; /* bytes, and HELD */
};

/* Added to `used` while the owner holds the budget, so that the last one to go is known from one number. */
#define HELD ((size_t)1 << (sizeof(size_t) * 8u - 1u))

static void destroy(art_budget *b) {
    const art_alloc outer = b->outer;
    outer.fn(outer.ud, b, sizeof *b, 0);
}

static bool reserve(art_budget *b, size_t more) {
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    do {
        const size_t now = used & ~HELD;
        if (more > b->max || now > b->max - more) return false;
    } while (!atomic_compare_exchange_weak_explicit(&b->used, &used, used + more, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void release(art_budget *b, size_t less) {
    if (atomic_fetch_sub_explicit(&b->used, less, memory_order_acq_rel) == less) destroy(b);
}

void *arti_budget_fn(void *ud, void *ptr, size_t old_size, size_t new_size) {
    art_budget *b = ud;
    if (new_size > old_size && !reserve(b, new_size - old_size)) return NULL;
    void *p = b->outer.fn(b->outer.ud, ptr, old_size, new_size);
    if (new_size && !p) {
        if (new_size > old_size) release(b, new_size - old_size);
        return NULL;
    }
    if (new_size < old_size) release(b, old_size - new_size);
    return p;
}

size_t arti_budget_max(const void *ud) {
    return ((const art_budget *)ud)->max;
}

art_status art_budget_new(size_t max, const art_alloc *alloc, art_budget **out, art_error *err) {
    *out = NULL;
    if (max == 0 || max >= HELD) return arti_fail(err, ART_E_ARG, 0, "a budget of %zu bytes", max);
    const art_alloc outer = arti_alloc_or_default(alloc);
    art_budget *b = outer.fn(outer.ud, NULL, 0, sizeof *b);
    if (!b) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    b->outer = outer;
    b->own = (art_alloc){arti_budget_fn, b};
    b->max = max;
    atomic_init(&b->used, HELD);
    *out = b;
    return ART_OK;
}

void art_budget_free(art_budget *b) {
    if (b) release(b, HELD);
}

const art_alloc *art_budget_alloc(const art_budget *b) {
    return &b->own;
}

size_t art_budget_used(const art_budget *b) {
    return atomic_load_explicit((atomic_size_t *)&b->used, memory_order_relaxed) & ~HELD;
}
