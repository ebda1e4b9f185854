/* SPDX-License-Identifier: Apache-2.0
 *
 * art_rows.h: token sets that the constraints of one vocabulary share (private to csrc).
 *
 * Purpose   the same patterns and formats come up in schema after schema: which tokens one of their languages allows is found once. A row is
 *           known by a digest of the language (art_regex.h) under a key of this cache's own.
 * Owns      copies of what the rows change in rows of the vocabulary; the least recently used of a few candidates makes room for a new one, and
 *           where bytes are short, those of other places as well.
 * Threads   any, at any time: a lock is held while a row is copied.
 * Errors    new: NULL when the allocator refuses. Later a refusal only means that nothing is kept.
 * Limits    ARTI_ROWS_MAX rows and ARTI_ROWS_BYTES_MAX bytes. */
#ifndef ART_ROWS_H
#define ART_ROWS_H

#include "art_bits.h"
#include "art_mem.h"

#define ARTI_ROWS_MAX 8192u
#define ARTI_ROWS_BYTES_MAX ((size_t)16 << 20)
#define ARTI_ROW_PATCHES_MAX 1024u

/* Rows that live as long as the vocabulary, and that another one is told by: what is in `base` (NULL: nothing) and in `within` (NULL: all
 * tokens are). */
typedef struct arti_basis {
    const uint32_t *base, *within;
} arti_basis;

static inline void arti_basis_copy(arti_basis basis, uint32_t *words, size_t n_words) {
    if (basis.base && basis.within)
        arti_bits_copy_and(words, basis.base, basis.within, n_words);
    else if (basis.base)
        arti_bits_copy(words, basis.base, n_words);
    else
        arti_bits_zero(words, n_words);
}

/* A row as changes of a basis, in the order of the words. Fresh memory costs more to write than rows cost to read, and a row has thousands of words of which a
 * few hundred differ. */
typedef struct arti_row {
    arti_basis basis;
    const arti_bits_patch *patches;
    uint32_t n_patches; /* UINT32_MAX: more than ARTI_ROW_PATCHES_MAX, and not told */
} arti_row;

static inline void arti_row_copy(const arti_row *r, uint32_t *words, size_t n_words) {
    arti_basis_copy(r->basis, words, n_words);
    for (uint32_t i = 0; i < r->n_patches; i++) words[r->patches[i].at] = r->patches[i].word;
}

typedef struct arti_row_reader { /* tests tokens: quickly in ascending order */
    const arti_row *row;
    uint32_t at; /* patches before it are of lower words */
} arti_row_reader;

static inline bool arti_row_test(arti_row_reader *r, uint32_t id) {
    const arti_row *row = r->row;
    if (r->at && row->patches[r->at - 1].at >= id / 32) r->at = 0;
    while (r->at < row->n_patches && row->patches[r->at].at < id / 32) r->at++;
    if (r->at < row->n_patches && row->patches[r->at].at == id / 32) return row->patches[r->at].word >> (id % 32) & 1u;
    const arti_basis b = row->basis;
    return b.base && arti_bits_test(b.base, id) && (!b.within || arti_bits_test(b.within, id));
}

/* The same the other way round; patches: ARTI_ROW_PATCHES_MAX, which the row borrows. */
static inline arti_row arti_row_from(const uint32_t *words, size_t n_words, arti_basis basis,
                                     arti_bits_patch *patches) {
    return (arti_row){.basis = basis,
                      .patches = patches,
                      .n_patches =
                          arti_bits_diff(words, basis.base, basis.within, n_words, patches, ARTI_ROW_PATCHES_MAX)};
}

typedef struct arti_rows arti_rows;

/* A row is n_words words, and n_ends words more. */
arti_rows *arti_rows_new(uint32_t n_words, uint32_t n_ends, const art_alloc *alloc);
void arti_rows_free(arti_rows *r);
size_t arti_rows_memory(arti_rows *r);
/* What digests are to be made with: secret, and different for every cache. NULL: the system gave no random numbers, nothing is shared. */
const uint64_t *arti_rows_key(const arti_rows *r);
/* Writes all words (NULL: is not asked to; then a row whose changes are not told counts as not there), and what they change (patches:
 * ARTI_ROW_PATCHES_MAX, which *row borrows); false: not there. */
bool arti_rows_get(arti_rows *r, const uint64_t digest[2], uint32_t *words, uint32_t *ends, arti_row *row,
                   arti_bits_patch *patches);
/* row: the words as changes. */
void arti_rows_put(arti_rows *r, const uint64_t digest[2], const uint32_t *words, const uint32_t *ends,
                   const arti_row *row);

#endif
