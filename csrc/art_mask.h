/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask.h: which tokens may come next (private to csrc).
 *
 * Purpose   masks of a state over a vocabulary, and the memo that keeps them.
 * Owns      a memo owns its rows; it is emptied when its budget is used up, and never fails for lack of memory. Most masks change a
 *           few words in rows of the vocabulary, or in another row of the memo, and only those words are kept. A mask of which that is
 *           not true, and that is quick to compute, is kept when it is asked for a fourth time, because most never are.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set, or when the allocator refuses working memory.
 * Cost      inside free strings a copied row and a few set bits; elsewhere a walk over the part of the trie that is alive. */
#ifndef ART_MASK_H
#define ART_MASK_H

#include "art_bits.h"
#include "art_json_state.h"
#include "art_rows.h"
#include "art_run.h"
#include "art_vocab.h"

typedef struct arti_mask_row {
    uint64_t key[2];
    const struct arti_mask_row *under; /* what it changes: this one, which changes no other, or NULL: its basis */
    arti_row row;
} arti_mask_row;

typedef struct arti_mask_slot { /* small, so that the table grows quickly */
    uint32_t tag;               /* of key[0]: the bits below 32 */
    uint32_t row;               /* 1 + number; 0: free */
} arti_mask_slot;

#define ARTI_MASK_PATCHES_MAX ARTI_ROW_PATCHES_MAX
#define ARTI_MASK_BLOCK 64u
#define ARTI_MASK_RECENT 1024u
#define ARTI_MASK_TAILS 64u

typedef struct arti_mask_memo {
    arti_mem mem;
    arti_mask_slot *slots;  /* open addressing */
    arti_mask_row **blocks; /* ARTI_MASK_BLOCK rows each */
    size_t n, size, blocks_cap;
    arti_arena arena;  /* rows, and what they point to */
    uint32_t n_clears; /* how often all rows were dropped */
    uint64_t *tails;   /* what may follow a closing quote, by the state behind it: see art_mask_fold.h */
    size_t tails_size;
    uint64_t *
        recent; /* keys of cheap masks that were computed lately, and how often: ARTI_MASK_RECENT slots; NULL: none yet */
    /* Working memory and small tables of the walks (art_mask_walk.c); not part of the budget. */
    arti_mem work_mem;
    size_t depth_cap;
    arti_state *states; /* stacks, one entry a trie depth */
    arti_region_mark *marks;
    struct arti_text_level *levels;
    struct arti_next_bytes *next;
    arti_region closing; /* states behind closing quotes, for the length of one walk */
} arti_mask_memo;

void arti_mask_memo_init(arti_mask_memo *m, const art_alloc *alloc, size_t max);
void arti_mask_memo_free(arti_mask_memo *m);

/* Writes all words of a row that is kept, and returns it; it lives as long as the memo is not emptied. A 128-bit key stands for what a row
 * depends on. NULL: not there. */
const arti_mask_row *arti_mask_memo_get(const arti_mask_memo *m, const uint64_t key[2], uint32_t *words,
                                        uint32_t n_words);
/* The same without writing it, for a row that changes no other one. */
const arti_mask_row *arti_mask_memo_find(const arti_mask_memo *m, const uint64_t key[2]);
/* Keeps a row, and returns it. Never fails: at worst nothing is kept, and NULL returned. */
const arti_mask_row *arti_mask_memo_put(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                        uint32_t n_words);
/* The same where it is known what the words change in their basis, if that is little (row->n_patches). */
const arti_mask_row *arti_mask_memo_put_row(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                            uint32_t n_words, const arti_row *row);
/* Keeps a row as what it changes in `under`, a row of the memo that changes no other one, or (NULL) in a basis: n words of it at most,
 * whose indexes stand in `changed`, perhaps repeatedly. */
void arti_mask_memo_put_changed(arti_mask_memo *m, const uint64_t key[2], const uint32_t *words,
                                const arti_mask_row *under, arti_basis basis, const uint32_t *changed, uint32_t n);
/* Digest of a frame and its parents: all that masks may depend on. */
uint64_t arti_frame_id(const arti_frame *f);

/* Writes all words of the mask of *st. exit: see art_run.h; NULL for a text that stands alone. */
bool arti_mask_fill(arti_jctx *x, arti_mask_memo *m, const art_vocab *v, const arti_state *st, const arti_exit *exit,
                    uint32_t *words);

#endif
