/* SPDX-License-Identifier: Apache-2.0
 *
 * art_session.h: a transcript, the engine's cache of it, and the request that is being answered (private to csrc; art_session_* is
 * public, see art.h).
 *
 * Purpose   art_session.c keeps transcript and cache in step and guards the object; art_decode.c makes tokens and events.
 * Owns      the engine's context, the transcript (n_ctx ids), the request's matcher, sampler and text buffers; a reference to the model.
 * Threads   one at a time: entry points take `busy` without waiting (ART_E_BUSY). cancel is an atomic any thread may set.
 * Errors    a failed start leaves transcript and cache as they were; a failed evaluation ends the request, the transcript stays, and what the
 *           cache still holds is reused by the next start.
 *
 *     tokens  [ prompt ........................ | generated ......... ]
 *             0                          n_prompt               n_tokens
 *     cache   [ evaluated ............................ ]
 *             0                                     n_kv      (n_kv == n_tokens: the logits are the next token's) */
#ifndef ART_SESSION_H
#define ART_SESSION_H

#include "art_model.h"
#include "art_sample.h"
#include "art_spell.h"
#include "art_text.h"

typedef enum arti_phase { ARTI_IDLE, ARTI_RUNNING, ARTI_FINISHED } arti_phase;

struct art_session {
    arti_mem mem;
    art_model *model;
    void *ctx;
    atomic_flag busy;
    atomic_bool cancel;
    uint32_t n_ctx, n_batch;

    int32_t *tokens; /* n_ctx of them have room */
    size_t n_tokens, n_prompt, n_kv;
    bool have_logits; /* the engine's logits are those after token n_kv - 1 */

    /* the request */
    arti_phase phase;
    art_stop stop;
    art_generate_params p;
    art_matcher *matcher;
    const art_vocab *vocab; /* with a matcher */
    uint32_t *mask;         /* n_words, from the first request with a matcher on */
    size_t n_words;
    arti_sampler sampler;
    arti_text text;
    uint32_t n_reported;   /* generated tokens that an event has counted */
    bool forced_asked;     /* forced() was asked since the last commit */
    size_t completion_len; /* bytes of the shortest completion, with close_early */
    uint8_t *bytes;        /* of one token, or forced ones */
    size_t bytes_cap;
    uint8_t *trail; /* bytes of the last accepts, see art_matcher_held() */
    size_t trail_len, trail_cap;
    uint8_t *name; /* of the call that is being written */
    size_t name_len, name_cap;
    arti_spell_memo spell_memo;
    arti_ids ids;
    art_usage usage;
    double started_ms, polled_ms, text_ms;
    uint32_t n_abort_calls;
};

double arti_now_ms(void);

/* art_decode.c */
/* Makes ready for a request with a prompt of n tokens, or says why it can not be met; s->matcher is set already. */
art_status arti_decode_start(art_session *s, size_t n, const art_generate_params *p, art_error *err);
/* The next token and what is forced after it. The logits are there. */
art_status arti_decode_step(art_session *s, art_error *err);
/* Tokens that are forced at the very beginning, before anything is evaluated. */
art_status arti_decode_forced(art_session *s, art_error *err);
art_status arti_decode_finish(art_session *s, art_stop stop, art_error *err);

#endif
