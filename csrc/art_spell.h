/* SPDX-License-Identifier: Apache-2.0
 *
 * art_spell.h: tokens for bytes that must be written exactly (private to csrc).
 *
 * Purpose   what a constraint forces is known as bytes; the model has to be fed tokens. The engine's own tokenizer is asked first, as the
 *           model knows its spelling best; when that does not give these bytes back (SentencePiece's leading space, bytes that are no
 *           text) the longest token that fits is taken, again and again.
 * Threads   pure, apart from the list.
 * Errors    ART_E_NOMEM; ART_E_ENGINE when the vocabulary has no token for some byte. */
#ifndef ART_SPELL_H
#define ART_SPELL_H

#include "art_model.h"

typedef struct arti_ids {
    int32_t *ids;
    size_t n, cap;
} arti_ids;

void arti_ids_free(arti_mem *mem, arti_ids *ids);
/* ids->n tokens of v whose bytes are exactly these. */
art_status arti_spell(art_model *m, const art_vocab *v, arti_mem *mem, const uint8_t *bytes, size_t len, arti_ids *ids,
                      art_error *err);
/* Is there a token that begins with these bytes and is longer? Then the last token of a spelling that ends here is not certain. */
bool arti_spell_may_grow(const art_vocab *v, const uint8_t *bytes, size_t len);

#endif
