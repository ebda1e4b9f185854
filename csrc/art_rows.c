/* SPDX-License-Identifier: Apache-2.0 */
#include "art_rows.h"

#include "art_bits.h"

#include <pthread.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#define WAYS 4u /* rows among which a digest chooses its place */
#define SPARSE_MAX 512u

typedef struct row {
    uint64_t digest[2];
    uint32_t *data; /* NULL: free. The ends, then n_words words or n_ids token ids */
    uint32_t n_ids; /* UINT32_MAX: words */
    uint32_t used;  /* time of the last use */
} row;

struct arti_rows {
    arti_mem mem;
    pthread_mutex_t lock; /* everything below */
    uint64_t key[2];
    bool has_key;
    uint32_t n_words, n_ends, n_rows, now;
    row rows[ARTI_ROWS_MAX];
};

arti_rows *arti_rows_new(uint32_t n_words, uint32_t n_ends, const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    arti_rows *r = arti_calloc(&mem, sizeof *r);
    if (!r) return NULL;
    r->mem = mem;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        arti_free(&mem, r, sizeof *r);
        return NULL;
    }
    const size_t fit = n_words ? ARTI_ROWS_BYTES_MAX / (((size_t)n_words + n_ends) * sizeof(uint32_t)) : ARTI_ROWS_MAX;
    r->n_words = n_words;
    r->n_ends = n_ends;
    r->n_rows = fit < ARTI_ROWS_MAX ? (uint32_t)fit / WAYS * WAYS : ARTI_ROWS_MAX;
    r->has_key = getentropy(r->key, sizeof r->key) == 0 && r->n_rows > 0;
    return r;
}

static size_t data_size(const arti_rows *r, const row *at) {
    return (r->n_ends + (size_t)(at->n_ids == UINT32_MAX ? r->n_words : at->n_ids + 1)) * sizeof *at->data;
}

void arti_rows_free(arti_rows *r) {
    if (!r) return;
    for (uint32_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].data) arti_free(&r->mem, r->rows[i].data, data_size(r, &r->rows[i]));
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
    return r->rows + digest[0] % (r->n_rows / WAYS) * WAYS;
}

static row *find(arti_rows *r, const uint64_t digest[2]) {
    row *set = set_of(r, digest);
    for (uint32_t i = 0; i < WAYS; i++)
        if (set[i].data && set[i].digest[0] == digest[0] && set[i].digest[1] == digest[1]) return &set[i];
    return NULL;
}

bool arti_rows_get(arti_rows *r, const uint64_t digest[2], uint32_t *words, uint32_t *ends) {
    pthread_mutex_lock(&r->lock);
    row *at = find(r, digest);
    if (at) {
        at->used = ++r->now;
        arti_bits_copy(ends, at->data, r->n_ends);
        if (at->n_ids == UINT32_MAX) {
            arti_bits_copy(words, at->data + r->n_ends, r->n_words);
        } else {
            arti_bits_zero(words, r->n_words);
            arti_bits_set_ids(words, at->data + r->n_ends, at->n_ids);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return at != NULL;
}

/* Lists the bits that are set; UINT32_MAX: more than SPARSE_MAX. */
static uint32_t list_ids(const uint32_t *words, uint32_t n_words, uint32_t *ids) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_words; i += 2) { /* most are zero */
        uint64_t bits = words[i];
        if (i + 1 < n_words) bits |= (uint64_t)words[i + 1] << 32;
        for (; bits; bits &= bits - 1) {
            if (n == SPARSE_MAX) return UINT32_MAX;
            ids[n++] = i * 32 + arti_bits_lowest64(bits);
        }
    }
    return n;
}

void arti_rows_put(arti_rows *r, const uint64_t digest[2], const uint32_t *words, const uint32_t *ends) {
    uint32_t ids[SPARSE_MAX];
    row fresh = {{digest[0], digest[1]}, NULL, list_ids(words, r->n_words, ids), 0};
    pthread_mutex_lock(&r->lock);
    if (!find(r, digest)) {
        row *set = set_of(r, digest), *to = set;
        for (uint32_t i = 0; i < WAYS && to->data; i++)
            if (!set[i].data || set[i].used < to->used) to = &set[i];
        fresh.data = arti_realloc(&r->mem, to->data, to->data ? data_size(r, to) : 0, data_size(r, &fresh));
        if (fresh.data) {
            arti_bits_copy(fresh.data, ends, r->n_ends);
            if (fresh.n_ids == UINT32_MAX)
                arti_bits_copy(fresh.data + r->n_ends, words, r->n_words);
            else
                memcpy(fresh.data + r->n_ends, ids, fresh.n_ids * sizeof *ids);
            fresh.used = ++r->now;
            *to = fresh;
        }
    }
    pthread_mutex_unlock(&r->lock);
}
