/* SPDX-License-Identifier: Apache-2.0 */
#include "art_rows.h"

#include <pthread.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#define WAYS 4u /* rows among which a digest chooses its place */

typedef struct row {
    uint64_t digest[2];
    uint32_t *data; /* NULL: free. The ends, then the patches or n_words words */
    arti_basis basis;
    uint32_t n_patches; /* UINT32_MAX: words */
    uint32_t used;      /* time of the last use */
} row;

struct arti_rows {
    arti_mem mem;
    pthread_mutex_t lock; /* everything below */
    uint64_t key[2];
    bool has_key;
    uint32_t n_words, n_ends, now;
    row rows[ARTI_ROWS_MAX];
};

arti_rows *arti_rows_new(uint32_t n_words, uint32_t n_ends, const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, ARTI_ROWS_BYTES_MAX);
    arti_rows *r = arti_calloc(&mem, sizeof *r);
    if (!r) return NULL;
    r->mem = mem;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        arti_free(&mem, r, sizeof *r);
        return NULL;
    }
    r->n_words = n_words;
    r->n_ends = n_ends;
    r->has_key = getentropy(r->key, sizeof r->key) == 0;
    return r;
}

static size_t data_size(const arti_rows *r, const row *at) {
    const size_t words = r->n_ends * sizeof *at->data;
    if (at->n_patches == UINT32_MAX) return words + r->n_words * sizeof *at->data;
    return words + at->n_patches * sizeof(arti_bits_patch);
}

static void release(arti_rows *r, row *at) {
    if (at->data) arti_free(&r->mem, at->data, data_size(r, at));
    at->data = NULL;
}

void arti_rows_free(arti_rows *r) {
    if (!r) return;
    for (uint32_t i = 0; i < ARTI_ROWS_MAX; i++) release(r, &r->rows[i]);
    pthread_mutex_destroy(&r->lock);
    arti_mem mem = r->mem;
    arti_free(&mem, r, sizeof *r);
}

size_t arti_rows_memory(arti_rows *r) {
    pthread_mutex_lock(&r->lock);
    const size_t used = r->mem.used;
    pthread_mutex_unlock(&r->lock);
    return used;
}

const uint64_t *arti_rows_key(const arti_rows *r) {
    return r->has_key ? r->key : NULL; /* written before r was given away */
}

static row *set_of(arti_rows *r, const uint64_t digest[2]) {
    return r->rows + digest[0] % (ARTI_ROWS_MAX / WAYS) * WAYS;
}

static row *find(arti_rows *r, const uint64_t digest[2]) {
    row *set = set_of(r, digest);
    for (uint32_t i = 0; i < WAYS; i++)
        if (set[i].data && set[i].digest[0] == digest[0] && set[i].digest[1] == digest[1]) return &set[i];
    return NULL;
}

bool arti_rows_get(arti_rows *r, const uint64_t digest[2], uint32_t *words, uint32_t *ends, arti_row *out,
                   arti_bits_patch *patches) {
    pthread_mutex_lock(&r->lock);
    row *at = find(r, digest);
    if (at && !words && at->n_patches == UINT32_MAX) at = NULL;
    if (at) {
        at->used = ++r->now;
        *out = (arti_row){.basis = at->basis, .patches = patches, .n_patches = at->n_patches};
        memcpy(ends, at->data, r->n_ends * sizeof *ends);
        if (at->n_patches == UINT32_MAX)
            arti_bits_copy(words, at->data + r->n_ends, r->n_words);
        else if (at->n_patches)
            memcpy(patches, at->data + r->n_ends, at->n_patches * sizeof *patches);
    }
    pthread_mutex_unlock(&r->lock);
    if (at && words && out->n_patches != UINT32_MAX) arti_row_copy(out, words, r->n_words);
    return at != NULL;
}

/* Of a set, a place that is free or, else, that was not used for longest; only_taken: the latter, if there is any. */
static row *oldest(row *set, bool only_taken) {
    row *to = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (!set[i].data && only_taken) continue;
        if (!set[i].data) return &set[i];
        if (!to || set[i].used < to->used) to = &set[i];
    }
    return to;
}

void arti_rows_put(arti_rows *r, const uint64_t digest[2], const uint32_t *words, const uint32_t *ends,
                   const arti_row *from) {
    row fresh = {{digest[0], digest[1]}, NULL, from->basis, from->n_patches, 0}, *set = set_of(r, digest);
    pthread_mutex_lock(&r->lock);
    if (!find(r, digest)) {
        row *to = oldest(set, false);
        release(r, to);
        fresh.data = arti_realloc(&r->mem, NULL, 0, data_size(r, &fresh));
        for (uint32_t k = 0; !fresh.data && r->mem.over_limit && k < ARTI_ROWS_MAX / WAYS;) {
            row *old = oldest(r->rows + (size_t)(set - r->rows + k * WAYS) % ARTI_ROWS_MAX, true);
            if (!old) { /* then of the next set, and so on */
                k++;
                continue;
            }
            release(r, old);
            r->mem.over_limit = false;
            fresh.data = arti_realloc(&r->mem, NULL, 0, data_size(r, &fresh));
        }
        if (fresh.data) {
            memcpy(fresh.data, ends, r->n_ends * sizeof *ends);
            if (from->n_patches == UINT32_MAX)
                arti_bits_copy(fresh.data + r->n_ends, words, r->n_words);
            else if (from->n_patches)
                memcpy(fresh.data + r->n_ends, from->patches, from->n_patches * sizeof *from->patches);
            fresh.used = ++r->now;
            *to = fresh;
        }
        r->mem.over_limit = false;
    }
    pthread_mutex_unlock(&r->lock);
}
