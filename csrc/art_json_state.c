/* SPDX-License-Identifier: Apache-2.0
 *
 * Regions and persistent sets. */
#include "art_json_state.h"

#define BLOCK_SIZE 4096u
#define BLOCK_HEADER ((sizeof(arti_region_block) + 7u) & ~(size_t)7u)

void arti_region_init(arti_region *r, arti_mem *mem) {
    *r = (arti_region){.mem = mem};
}

void arti_region_free(arti_region *r) {
    arti_region_block *b = r->first;
    while (b) {
        arti_region_block *next = b->next;
        arti_free(r->mem, b, b->size);
        b = next;
    }
    arti_region_init(r, r->mem);
}

static void use_block(arti_region *r, arti_region_block *b) {
    r->block = b;
    r->pos = (uint8_t *)b + BLOCK_HEADER;
    r->end = (uint8_t *)b + b->size;
}

void *arti_region_grow(arti_region *r, size_t size) {
    while (r->block && r->block->next) { /* blocks kept from before */
        r->used += r->block->size;
        use_block(r, r->block->next);
        if (size <= (size_t)(r->end - r->pos)) {
            void *p = r->pos;
            r->pos += size;
            return p;
        }
    }
    if (size > SIZE_MAX / 2) return NULL;
    size_t want = r->block ? r->block->size * 2 : BLOCK_SIZE;
    if (want > 64 * BLOCK_SIZE) want = 64 * BLOCK_SIZE;
    if (want < size + BLOCK_HEADER) want = size + BLOCK_HEADER;
    arti_region_block *b = arti_realloc(r->mem, NULL, 0, want);
    if (!b) return NULL;
    b->next = NULL;
    b->size = want;
    if (r->block) {
        r->block->next = b;
        r->used += r->block->size;
    } else {
        r->first = b;
    }
    use_block(r, b);
    void *p = r->pos;
    r->pos += size;
    return p;
}

void arti_region_reset_to(arti_region *r, arti_region_mark m) {
    if (m.block) {
        r->block = m.block;
        r->pos = m.pos;
        r->end = (uint8_t *)m.block + m.block->size;
        r->used = m.used;
    } else if (r->first) {
        r->used = 0;
        use_block(r, r->first);
    }
}

size_t arti_region_used(const arti_region *r) {
    return r->used + (r->block ? (size_t)(r->pos - (const uint8_t *)r->block) : 0);
}

bool arti_hset_has(const arti_hset *t, uint64_t hash) {
    while (t && t->hash != hash) t = hash < t->hash ? t->left : t->right;
    return t != NULL;
}

const arti_hset *arti_hset_add(arti_region *r, const arti_hset *t, uint64_t hash) {
    arti_hset *root = NULL;
    const arti_hset **link = (const arti_hset **)&root;
    while (t) { /* copy the path */
        arti_hset *copy = arti_region_get(r, sizeof *copy);
        if (!copy) return NULL;
        *copy = *t;
        copy->moved = NULL;
        *link = copy;
        link = hash < t->hash ? &copy->left : &copy->right;
        t = *link;
    }
    arti_hset *leaf = arti_region_get(r, sizeof *leaf);
    if (!leaf) return NULL;
    *leaf = (arti_hset){.hash = hash};
    *link = leaf;
    return root;
}

size_t arti_frame_size(const arti_frame *f) {
    size_t words;
    if (f->is_object) {
        const arti_object_machine *m = f->machine;
        words = (size_t)m->n_live_words + m->n_seen_words + (m->has_some ? (m->n_alts + 1) / 2 : 0);
    } else {
        const arti_array_machine *m = f->machine;
        words = (size_t)m->n_live_words + (m->n_counts + 1) / 2;
    }
    return sizeof *f + words * sizeof *f->bits;
}
