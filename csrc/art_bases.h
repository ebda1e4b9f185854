/* SPDX-License-Identifier: Apache-2.0
 *
 * art_bases.h: what masks of languages are put together from (private to csrc).
 *
 * Purpose   a vocabulary's groups (art_vocab.h) as arrays, so that all of them are judged in a few microseconds; *bases*: rows of the
 *           tokens that are made of certain atoms only, as a mask begins with the base that it differs least from; and the tokens that
 *           are so long that they are better run one by one.
 * Owns      its arrays.
 * Threads   immutable after creation.
 * Errors    NULL when the allocator refuses.
 * Cost      build: less than a millisecond for 128k tokens. Memory: a row for each base, 10 bytes a group. */
#ifndef ART_BASES_H
#define ART_BASES_H

#include "art_vocab.h"

#define ARTI_BASES 13u

#define ARTI_LONG_MIN 24u

typedef struct arti_long {
    uint32_t id;
    uint16_t n_cp;
    uint16_t shared; /* bytes that it has in common with the one before it */
} arti_long;

typedef struct arti_bases {
    arti_mem mem;
    arti_arena arena;
    uint32_t n_sets;
    const uint64_t *sets;               /* the different sets `rest` of groups */
    const uint32_t *set_of;             /* by group */
    const uint16_t *n, *cost;           /* by group: tokens, and steps to set or clear them; saturated */
    const uint8_t *max_cp;              /* by group; saturated */
    const uint64_t *groups[ARTI_BASES]; /* by base: its groups, as bits */
    const uint32_t *rows[ARTI_BASES];   /* .. and their tokens */
    uint32_t n_long;                    /* tokens that stay in a string and have more than ARTI_LONG_MIN characters, */
    const arti_long *longs;             /* .. ascending by bytes */
    uint32_t n_long_others;             /* tokens that do not, and have more than ARTI_LONG_MIN bytes */
    const uint32_t *long_others;
} arti_bases;

#define ARTI_BASE_ROW_COST 400u /* of combining two rows, in tokens set one by one */

arti_bases *arti_bases_new(const art_vocab *v, const art_alloc *alloc);
void arti_bases_free(arti_bases *b);
size_t arti_bases_memory(const arti_bases *b);

#endif
