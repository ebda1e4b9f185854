/* SPDX-License-Identifier: Apache-2.0
 *
 * art_rows.h: token sets that the constraints of one vocabulary share (private to csrc).
 *
 * Purpose   the same patterns and formats come up in schema after schema: which tokens one of their languages allows is found once. A row is
 *           known by a digest of the language (art_regex.h) under a key of this cache's own.
 * Owns      copies of the rows; the least recently used of a few candidates makes room for a new one.
 * Threads   any, at any time: a lock is held while a row is copied.
 * Errors    new: NULL when the allocator refuses. Later a refusal only means that nothing is kept.
 * Limits    ARTI_ROWS_MAX rows and ARTI_ROWS_BYTES_MAX bytes. */
#ifndef ART_ROWS_H
#define ART_ROWS_H

#include "art_mem.h"

#define ARTI_ROWS_MAX 512u
#define ARTI_ROWS_BYTES_MAX ((size_t)8 << 20)

typedef struct arti_rows arti_rows;

/* A row is n_words words, of which few or most bits may be set, and n_ends words more. */
arti_rows *arti_rows_new(uint32_t n_words, uint32_t n_ends, const art_alloc *alloc);
void arti_rows_free(arti_rows *r);
size_t arti_rows_memory(arti_rows *r);
/* What digests are to be made with: secret, and different for every cache. NULL: the system gave no random numbers, nothing is shared. */
const uint64_t *arti_rows_key(const arti_rows *r);
/* Writes all words; false: not there. */
bool arti_rows_get(arti_rows *r, const uint64_t digest[2], uint32_t *words, uint32_t *ends);
void arti_rows_put(arti_rows *r, const uint64_t digest[2], const uint32_t *words, const uint32_t *ends);

#endif
