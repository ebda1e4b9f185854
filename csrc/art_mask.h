/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask.h: which tokens may come next (private to csrc).
 *
 * Purpose   masks of a state over a vocabulary, and the memo that keeps them.
 * Owns      a memo owns its rows; it is emptied when its budget is used up, and never fails for lack of memory.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set, or when the allocator refuses working memory.
 * Cost      inside free strings a copied row and a few set bits; elsewhere a walk over the part of the trie that is alive. */
#ifndef ART_MASK_H
#define ART_MASK_H

#include "art_json_state.h"
#include "art_run.h"
#include "art_vocab.h"

typedef struct arti_mask_row {
    uint64_t key[2];
    uint32_t *data; /* NULL: slot free. dense: n_words words; else n_ids token ids */
    uint32_t n_ids; /* UINT32_MAX: dense */
} arti_mask_row;

typedef struct arti_mask_memo {
    arti_mem mem;
    arti_mask_row *rows; /* open addressing */
    size_t n, size;
    uint32_t n_words;
    uint32_t *row;      /* working row */
    arti_state *states; /* working stack, one a trie depth */
    arti_region_mark *marks;
    size_t depth_cap;
} arti_mask_memo;

void arti_mask_memo_init(arti_mask_memo *m, const art_alloc *alloc, size_t max);
void arti_mask_memo_free(arti_mask_memo *m);

/* Writes all words of the mask of *st. exit: see art_run.h; NULL for a text that stands alone. */
bool arti_mask_fill(arti_jctx *x, arti_mask_memo *m, const art_vocab *v, const arti_state *st, const arti_exit *exit,
                    uint32_t *words);

#endif
