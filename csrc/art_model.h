/* SPDX-License-Identifier: Apache-2.0
 *
 * art_model.h: an engine's model as sessions see it (private to csrc; art_model_* is public, see art.h).
 *
 * Purpose   share one loaded model between sessions and threads: counted references, its vocabulary built once, the process it belongs to.
 * Owns      the engine's handle; the art_vocab.
 * Threads   any number; building the vocabulary and making contexts are serialised.
 * Errors    ART_E_FORKED in a child process: engines' threads and devices do not survive a fork. There the handle is not freed either.
 * Cost      vocabulary: one engine call a token plus art_vocab_new(), tens of milliseconds for 128k tokens. */
#ifndef ART_MODEL_H
#define ART_MODEL_H

#include "art_mem.h"
#include <pthread.h>
#include <stdatomic.h>

struct art_model {
    atomic_uint refs;
    arti_mem mem;
    const art_engine *engine;
    void *handle;
    art_engine_caps caps;
    int64_t pid;
    pthread_mutex_t lock; /* vocab, n_contexts */
    art_vocab *vocab;
    uint32_t n_contexts;
};

art_model *arti_model_ref(art_model *m); /* one more reference; art_model_free() drops it */
bool arti_model_forked(const art_model *m);
/* art_model_vocab() without a reference for the caller. */
art_status arti_model_vocab(art_model *m, art_vocab **out, art_error *err);
/* A context of the engine, counted; ART_E_STATE when the engine has one only and it is taken. */
art_status arti_model_ctx_new(art_model *m, const art_context_params *p, void **ctx, art_error *err);
void arti_model_ctx_free(art_model *m, void *ctx);

#endif
