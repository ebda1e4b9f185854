/* SPDX-License-Identifier: Apache-2.0
 *
 * art_spell.h: tokens for bytes that must be written exactly (private to csrc).
 *
 * Purpose   what a constraint forces is known as bytes; the model has to be fed tokens. The engine's own tokenizer is asked first, as the
 *           model knows its spelling best; when that does not give these bytes back (SentencePiece's leading space, bytes that are no
 *           text) the longest token that fits is taken, again and again.
 * Cost      some 100 us in the engine's tokenizer; what was spelled lately comes from a memo.
 * Threads   pure, apart from the list and the memo.
 * Errors    ART_E_NOMEM; ART_E_ENGINE when the vocabulary has no token for some byte. */
#ifndef ART_SPELL_H
#define ART_SPELL_H

#include "art_model.h"

typedef struct arti_ids {
    int32_t *ids;
    size_t n, cap;
} arti_ids;

#define ARTI_SPELL_SLOTS 64u
#define ARTI_SPELL_LEN_MAX 62u /* longer texts are not kept */
#define ARTI_SPELL_IDS_MAX 32u

typedef struct arti_spell_memo { /* direct-mapped; zero-initialised: empty. For one model and vocabulary */
    struct {
        uint8_t len, n; /* len 0: empty */
        uint8_t bytes[ARTI_SPELL_LEN_MAX];
        int32_t ids[ARTI_SPELL_IDS_MAX];
    } slot[ARTI_SPELL_SLOTS];
} arti_spell_memo;

void arti_ids_free(arti_mem *mem, arti_ids *ids);
/* ids->n tokens of v whose bytes are exactly these. */
art_status arti_spell(art_model *m, const art_vocab *v, arti_mem *mem, arti_spell_memo *memo, const uint8_t *bytes,
                      size_t len, arti_ids *ids, art_error *err);
/* The same by the longest tokens that fit, in a few us; mostly as many as the engine takes, sometimes more or fewer. */
art_status arti_spell_longest(const art_vocab *v, arti_mem *mem, const uint8_t *bytes, size_t len, arti_ids *ids,
                              art_error *err);
/* Is there a token that begins with these bytes and is longer? Then the last token of a spelling that ends here is not certain. */
bool arti_spell_may_grow(const art_vocab *v, const uint8_t *bytes, size_t len);

#endif
