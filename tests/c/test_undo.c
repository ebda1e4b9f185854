/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of undo records: what is kept after many steps, with undoing in between, and copies. */
#include "harness.h"

#include "art_undo.h"

static harness heap;

static bool push(arti_mem *m, arti_undo *u, uint32_t v) {
    return arti_undo_push(m, u, &v);
}

static uint32_t at(const arti_undo *u, size_t i) {
    return *(const uint32_t *)arti_undo_at(u, i);
}

static void check(const arti_undo *u, size_t n, uint32_t last) {
    assert(u->n == n);
    for (size_t i = 0; i < n; i++) assert(at(u, i) == last - (n - 1 - i));
}

static bool copy_once(void) {
    const art_alloc alloc = {harness_fn, &heap};
    arti_mem m;
    arti_mem_init(&m, &alloc, 0);
    arti_undo u = {.size = sizeof(uint32_t)}, twin = {.size = sizeof(uint32_t)};
    bool ok = true;
    for (uint32_t i = 0; ok && i < 40; i++) {
        const size_t n = u.n;
        ok = push(&m, &u, i);
        assert(u.n == n + ok);
    }
    ok = ok && arti_undo_copy(&m, &twin, &u);
    if (ok) check(&twin, 40, 39);
    arti_undo_free(&m, &u);
    arti_undo_free(&m, &twin);
    assert(m.used == 0);
    return ok;
}

int main(void) {
    const art_alloc alloc = harness_alloc(&heap);
    arti_mem m;
    arti_mem_init(&m, &alloc, 0);
    arti_undo u = {.size = sizeof(uint32_t)}, twin = {.size = sizeof(uint32_t)};
    arti_undo_reset(&u);
    uint32_t next = 0;
    for (; next < ART_ROLLBACK_MAX; next++) assert(push(&m, &u, next));
    check(&u, ART_ROLLBACK_MAX, next - 1);
    for (uint32_t i = 0; i < ART_ROLLBACK_MAX + 77; i++) assert(push(&m, &u, next++)); /* wraps */
    check(&u, ART_ROLLBACK_MAX, next - 1);
    for (uint32_t i = 0; i < 1000; i++) assert(*(const uint32_t *)arti_undo_pop(&u) == --next);
    check(&u, ART_ROLLBACK_MAX - 1000, next - 1);
    assert(arti_undo_copy(&m, &twin, &u));
    for (uint32_t i = 0; i < 1500; i++) {
        assert(push(&m, &u, next));
        assert(push(&m, &twin, next++));
    }
    check(&u, ART_ROLLBACK_MAX, next - 1);
    check(&twin, ART_ROLLBACK_MAX, next - 1);
    assert(u.cap == ART_ROLLBACK_MAX);
    arti_undo_reset(&u);
    assert(push(&m, &u, 5));
    check(&u, 1, 5);
    arti_undo_free(&m, &u);
    arti_undo_free(&m, &twin);
    assert(m.used == 0);
    FAIL_EVERY_ALLOCATION(&heap, copy_once());
    assert(heap.live == 0);
    return 0;
}
