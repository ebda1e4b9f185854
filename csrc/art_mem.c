/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *default_fn(void *ud, void *ptr, size_t old_size, size_t new_size) {
    (void)ud;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

art_alloc arti_alloc_or_default(const art_alloc *alloc) {
    if (alloc && alloc->fn) return *alloc;
    return (art_alloc){default_fn, NULL};
}

void arti_mem_init(arti_mem *m, const art_alloc *alloc, size_t max) {
    *m = (arti_mem){.alloc = arti_alloc_or_default(alloc), .max = max};
}

void *arti_realloc(arti_mem *m, void *ptr, size_t old_size, size_t new_size) {
    if (new_size > old_size && m->max && new_size - old_size > m->max - m->used) {
        m->over_limit = true;
        m->n_refused++;
        return NULL;
    }
    if (new_size == 0) { /* counted first: m itself may lie in what is freed */
        m->used -= old_size;
        m->alloc.fn(m->alloc.ud, ptr, old_size, 0);
        return NULL;
    }
    void *p = m->alloc.fn(m->alloc.ud, ptr, old_size, new_size);
    if (!p) {
        m->n_refused++;
        return NULL;
    }
    m->used = m->used - old_size + new_size;
    return p;
}

void *arti_calloc(arti_mem *m, size_t size) {
    void *p = arti_realloc(m, NULL, 0, size);
    if (p) memset(p, 0, size);
    return p;
}

/* *m may lie in the block that is freed: it is not touched afterwards. */
void arti_free(arti_mem *m, void *ptr, size_t size) {
    if (!ptr) return;
    m->used -= size;
    m->alloc.fn(m->alloc.ud, ptr, size, 0);
}

art_status arti_mem_fail(arti_mem *m, art_error *err) {
    if (m->over_limit) {
        m->over_limit = false;
        return arti_fail(err, ART_E_LIMIT, 0, "memory limit of %zu bytes reached (memory_max)", m->max);
    }
    if (m->alloc.fn == arti_budget_fn)
        return arti_fail(err, ART_E_LIMIT, 0, "memory limit of %zu bytes for all objects together reached (art_budget)",
                         arti_budget_max(m->alloc.ud));
    return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
}

struct arti_arena_block {
    arti_arena_block *prev;
    size_t size; /* of the whole block, header included */
};

#define ARENA_HEADER ((sizeof(arti_arena_block) + 15u) & ~(size_t)15u)
#define ARENA_FIRST 4096u
#define ARENA_BLOCK_MAX ((size_t)64 << 10) /* larger ones cost the usual malloc a system call each */

void arti_arena_init(arti_arena *a, arti_mem *mem) {
    *a = (arti_arena){.mem = mem, .next_size = ARENA_FIRST};
}

void arti_arena_free(arti_arena *a) {
    arti_arena_block *b = a->head;
    while (b) {
        arti_arena_block *prev = b->prev;
        arti_free(a->mem, b, b->size);
        b = prev;
    }
    if (a->mem) arti_arena_init(a, a->mem);
}

/* Slow path of arti_arena_get: `size` is already rounded. A big request gets a block of its own behind the current one,
 * so that the rest of the current block is not lost. */
void *arti_arena_grow(arti_arena *a, size_t size) {
    if (size > SIZE_MAX - ARENA_HEADER) return NULL;
    bool own = size + ARENA_HEADER > a->next_size / 2 && a->head;
    size_t block_size = own || size + ARENA_HEADER > a->next_size ? size + ARENA_HEADER : a->next_size;
    arti_arena_block *b = arti_realloc(a->mem, NULL, 0, block_size);
    if (!b) return NULL;
    b->size = block_size;
    uint8_t *data = (uint8_t *)b + ARENA_HEADER;
    if (own) {
        b->prev = a->head->prev;
        a->head->prev = b;
        return data;
    }
    b->prev = a->head;
    a->head = b;
    a->pos = data + size;
    a->end = (uint8_t *)b + block_size;
    if (a->next_size < ARENA_BLOCK_MAX) a->next_size *= 2;
    return data;
}

bool arti_vec_reserve(arti_mem *m, void **ptr, size_t *cap, size_t need, size_t item) {
    if (need <= *cap) return true;
    size_t n = *cap ? *cap : 8;
    while (n < need) {
        if (n > SIZE_MAX / 2) return false;
        n *= 2;
    }
    if (n > SIZE_MAX / item) return false;
    void *p = arti_realloc(m, *ptr, *cap * item, n * item);
    if (!p) return false;
    *ptr = p;
    *cap = n;
    return true;
}

art_status arti_fail(art_error *err, art_status code, size_t pos, const char *fmt, ...) {
    if (!err) return code;
    err->code = code;
    err->pos = pos;
    err->draft = 0;
    err->keyword[0] = 0;
    err->path[0] = 0;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

void arti_fail_at(art_error *err, const char *path, size_t path_len, const char *keyword) {
    if (!err) return;
    const size_t cap = sizeof err->path - 1;
    if (path_len <= cap) {
        memcpy(err->path, path, path_len);
        err->path[path_len] = 0;
    } else {
        size_t keep = cap - 3, from = path_len - keep;
        while (from < path_len && ((uint8_t)path[from] & 0xC0u) == 0x80u) from++; /* not inside a character */
        memcpy(err->path, "...", 3);
        memcpy(err->path + 3, path + from, path_len - from);
        err->path[3 + path_len - from] = 0;
    }
    snprintf(err->keyword, sizeof err->keyword, "%s", keyword ? keyword : "");
}
