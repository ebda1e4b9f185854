/* SPDX-License-Identifier: Apache-2.0
 *
 * art_decode.c: from logits to tokens, and from tokens to events; see art_session.h for the state.
 *
 * One step draws a token as if there were no constraint, offers it to the matcher, and only when that refuses computes a mask and
 * draws again (art_sample.h says why that is exact). A taken token goes to the transcript and its bytes, by the matcher's spans, to the
 * text channels. Then come the tokens that are forced, in one go: they are evaluated together with the drawn one.
 *
 * Closing. With close_early this holds after every token: the tokens that are left suffice for a shortest valid completion. A drawn
 * token that would break it is taken back, and that completion is written instead. */
#include "art_session.h"

#include "art_bits.h"
#include "art_vocab.h"

#define TOKEN_RESERVE 256u               /* bytes of a token; longer ones grow the buffer */
#define FORCED_BYTES 512u                /* asked of the matcher at once */
#define COMPLETION_MAX ((size_t)1 << 26) /* bytes */
#define TRAIL_KEEP 4096u                 /* more than any marker that a dialogue holds back */

static bool reserve(art_session *s, uint8_t **buf, size_t *cap, size_t need) {
    void *p = *buf;
    bool ok = arti_vec_reserve(&s->mem, &p, cap, need, 1);
    *buf = p;
    return ok;
}

static uint32_t tokens_left(const art_session *s, const art_generate_params *p, size_t n_tokens) {
    size_t room = s->n_ctx - n_tokens;
    size_t left = p->max_tokens ? p->max_tokens - s->usage.completion_tokens : SIZE_MAX;
    return (uint32_t)(left < room ? left : room);
}

static uint32_t left_now(const art_session *s) {
    return tokens_left(s, &s->p, s->n_tokens);
}

/* The reason of a matcher's failure, or `what` when it knows none. */
static art_status matcher_failed(art_session *s, art_status st, const char *what, art_error *err) {
    art_status known = art_matcher_error(s->matcher, err);
    return known != ART_OK ? known : arti_fail(err, st < ART_E_ARG ? ART_E_STATE : st, 0, "%s", what);
}

/* ------------------------------------------------------------------ closing */

/* s->bytes: a shortest completion, *len bytes. */
static art_status write_completion(art_session *s, size_t *len, art_error *err) {
    *len = art_matcher_shortest_len(s->matcher);
    if (*len > COMPLETION_MAX) return matcher_failed(s, ART_E_LIMIT, "the shortest completion is too long", err);
    if (!reserve(s, &s->bytes, &s->bytes_cap, *len + 1)) return arti_mem_fail(&s->mem, err);
    art_status st = art_matcher_shortest(s->matcher, s->bytes, s->bytes_cap, len);
    return st == ART_OK ? st : matcher_failed(s, st, "the constraint can not be completed", err);
}

/* Do `left` tokens suffice? A token has at least one byte, so most of the time the length in bytes says yes. Where it does not, the
 * longest tokens are tried before the engine is asked, which takes much longer. */
static art_status completion_fits(art_session *s, size_t left, bool *fits, art_error *err) {
    *fits = true;
    s->completion_len = art_matcher_shortest_len(s->matcher);
    if (s->completion_len <= left) return ART_OK;
    size_t len;
    art_status st = write_completion(s, &len, err);
    if (st == ART_OK) st = arti_spell_longest(s->vocab, &s->mem, s->bytes, len, &s->ids, err);
    if (st != ART_OK || s->ids.n <= left) return st;
    st = arti_spell(s->model, s->vocab, &s->mem, &s->spell_memo, s->bytes, len, &s->ids, err);
    *fits = s->ids.n <= left;
    return st;
}

/* s->ids: the tokens of a shortest completion as the model would spell it, or in fewer when there is no room for that. */
static art_status spell_completion(art_session *s, size_t left, art_error *err) {
    size_t len;
    art_status st = write_completion(s, &len, err);
    if (st == ART_OK) st = arti_spell(s->model, s->vocab, &s->mem, &s->spell_memo, s->bytes, len, &s->ids, err);
    if (st != ART_OK || s->ids.n <= left) return st;
    return arti_spell_longest(s->vocab, &s->mem, s->bytes, len, &s->ids, err);
}

art_status arti_decode_start(art_session *s, size_t n, const art_generate_params *p, art_error *err) {
    s->trail_len = s->name_len = 0;
    s->forced_asked = !s->matcher || !p->fast_forward;
    if (!reserve(s, &s->bytes, &s->bytes_cap, TOKEN_RESERVE)) return arti_mem_fail(&s->mem, err);
    if (!s->matcher) return ART_OK;
    art_vocab *vocab;
    art_status st = arti_model_vocab(s->model, &vocab, err);
    if (st != ART_OK) return st;
    s->vocab = vocab;
    if (!s->mask) {
        size_t n_words = arti_bits_words(art_vocab_size(vocab));
        s->mask = arti_calloc(&s->mem, n_words * sizeof *s->mask);
        if (!s->mask) return arti_mem_fail(&s->mem, err);
        s->n_words = n_words;
    }
    if (!reserve(s, &s->bytes, &s->bytes_cap, FORCED_BYTES) || !reserve(s, &s->trail, &s->trail_cap, 3 * TRAIL_KEEP) ||
        !reserve(s, &s->name, &s->name_cap, TOKEN_RESERVE))
        return arti_mem_fail(&s->mem, err);
    if (!p->close_early) return ART_OK;
    size_t room = s->n_ctx - n, left = p->max_tokens && p->max_tokens < room ? p->max_tokens : room;
    bool fits;
    st = completion_fits(s, left, &fits, err);
    if (st == ART_OK && !fits)
        return arti_fail(err, ART_E_LIMIT, 0,
                         "the shortest output that the constraint allows has %zu tokens, but only %zu may be written",
                         s->ids.n, left);
    return st;
}

/* ------------------------------------------------------------------ bytes to events */

static art_status feed_span(art_session *s, const art_span *span, const uint8_t *bytes) {
    arti_text *t = &s->text;
    switch (span->kind) {
    case ART_SPAN_TEXT: return arti_text_feed(t, ART_EV_TEXT, 0, bytes, span->len, true);
    case ART_SPAN_VALUE: return arti_text_feed(t, ART_EV_TEXT, 0, bytes, span->len, false);
    case ART_SPAN_REASONING: return arti_text_feed(t, ART_EV_REASONING, 0, bytes, span->len, false);
    case ART_SPAN_ARGS: return arti_text_feed(t, ART_EV_CALL_ARGS, span->tool, bytes, span->len, false);
    case ART_SPAN_NAME:
        if (!reserve(s, &s->name, &s->name_cap, s->name_len + span->len)) return ART_E_NOMEM;
        memcpy(s->name + s->name_len, bytes, span->len);
        s->name_len += span->len;
        return ART_OK;
    case ART_SPAN_CALL_START: {
        size_t len = s->name_len;
        s->name_len = 0;
        return arti_text_mark(t, ART_EV_CALL_START, span->tool, s->name, len);
    }
    case ART_SPAN_CALL_END: return arti_text_mark(t, ART_EV_CALL_END, span->tool, NULL, 0);
    default: return ART_OK; /* markup */
    }
}

/* The spans of the accept that just happened, whose own bytes these are. */
static art_status feed_spans(art_session *s, const uint8_t *bytes, size_t len, art_error *err) {
    if (s->trail_len > 2 * TRAIL_KEEP) {
        memmove(s->trail, s->trail + s->trail_len - TRAIL_KEEP, TRAIL_KEEP);
        s->trail_len = TRAIL_KEEP;
    }
    if (!reserve(s, &s->trail, &s->trail_cap, s->trail_len + len)) return arti_mem_fail(&s->mem, err);
    size_t held = art_matcher_held(s->matcher), n_spans;
    if (held > s->trail_len) return arti_fail(err, ART_E_LIMIT, 0, "a marker is longer than %u bytes", TRAIL_KEEP);
    const uint8_t *first = s->trail + s->trail_len - held;
    if (len) memcpy(s->trail + s->trail_len, bytes, len);
    s->trail_len += len;
    const art_span *spans = art_matcher_spans(s->matcher, &n_spans);
    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].start > held + len || spans[i].len > held + len - spans[i].start)
            return arti_fail(err, ART_E_STATE, 0, "the matcher's spans lie outside of what was written");
        if (feed_span(s, &spans[i], first + spans[i].start) != ART_OK) return arti_mem_fail(&s->mem, err);
    }
    return ART_OK;
}

static art_status feed_token(art_session *s, int32_t id, art_error *err) {
    if (s->matcher) {
        size_t len;
        const uint8_t *bytes = art_vocab_token(s->vocab, (uint32_t)id, &len);
        return feed_spans(s, bytes, len, err);
    }
    const art_engine *e = s->model->engine;
    size_t len;
    for (;;) {
        art_status st = e->token_bytes(s->model->handle, id, 0, s->bytes, s->bytes_cap, &len);
        if (st != ART_OK) return arti_fail(err, st, 0, "the engine can not spell token %d", (int)id);
        if (len <= s->bytes_cap) break;
        if (!reserve(s, &s->bytes, &s->bytes_cap, len)) return arti_mem_fail(&s->mem, err);
    }
    if (arti_text_feed(&s->text, ART_EV_TEXT, 0, s->bytes, len, true) != ART_OK) return arti_mem_fail(&s->mem, err);
    return ART_OK;
}

/* Text that the matcher holds back, as it may begin a marker, is text after all when nothing follows. */
static art_status release_held(art_session *s, art_error *err) {
    if (!s->matcher || !s->vocab->n_eos || art_matcher_is_ended(s->matcher) || !art_matcher_is_complete(s->matcher))
        return ART_OK;
    art_status st = art_matcher_accept(s->matcher, s->vocab->eos[0]);
    if (st != ART_OK) return matcher_failed(s, st, "the matcher refuses the end where it is complete", err);
    return feed_spans(s, NULL, 0, err);
}

art_status arti_decode_finish(art_session *s, art_stop stop, art_error *err) {
    art_status st = stop == ART_STOP_STRING ? ART_OK : release_held(s, err);
    if (st != ART_OK) return st;
    if (arti_text_end(&s->text) != ART_OK) return arti_mem_fail(&s->mem, err);
    s->phase = ARTI_FINISHED;
    s->stop = stop;
    s->usage.total_ms = arti_now_ms() - s->started_ms;
    return ART_OK;
}

/* ------------------------------------------------------------------ one token */

/* Is there nothing left to say? */
static art_status finish_if_over(art_session *s, bool eog, art_error *err) {
    if (s->text.stopped) return arti_decode_finish(s, ART_STOP_STRING, err);
    if (eog) return arti_decode_finish(s, ART_STOP_EOS, err);
    if (s->matcher && art_matcher_is_closed(s->matcher)) return arti_decode_finish(s, ART_STOP_COMPLETE, err);
    if (left_now(s) == 0)
        return arti_decode_finish(s, s->n_tokens == s->n_ctx ? ART_STOP_CONTEXT : ART_STOP_LENGTH, err);
    return ART_OK;
}

/* To the transcript and to the text; a matcher has accepted it already. */
static art_status commit(art_session *s, int32_t id, bool forced, art_error *err) {
    s->tokens[s->n_tokens++] = id;
    s->usage.completion_tokens++;
    s->usage.forced_tokens += forced;
    art_status st = feed_token(s, id, err);
    if (st != ART_OK) return st;
    return finish_if_over(s, !forced && s->model->engine->token_is_eog(s->model->handle, id), err);
}

static art_status accept_all(art_session *s, size_t n, art_error *err) {
    for (size_t i = 0; i < n && s->phase != ARTI_FINISHED; i++) {
        int32_t id = s->ids.ids[i];
        art_status st = art_matcher_accept(s->matcher, (uint32_t)id);
        if (st != ART_OK) return matcher_failed(s, st, "the matcher refuses a token that it forces", err);
        st = commit(s, id, true, err);
        if (st != ART_OK) return st;
    }
    return ART_OK;
}

/* Writes the shortest completion; the budget is used up by it, or nearly. */
static art_status close_now(art_session *s, art_error *err) {
    art_status st = spell_completion(s, left_now(s), err);
    if (st == ART_OK) st = accept_all(s, s->ids.n, err);
    if (st != ART_OK) return st;
    return arti_decode_finish(s, s->n_tokens == s->n_ctx ? ART_STOP_CONTEXT : ART_STOP_LENGTH, err);
}

art_status arti_decode_forced(art_session *s, art_error *err) {
    s->forced_asked = true;
    /* Forced bytes begin every completion. While the shortest one fits byte by byte, it does so after any of them; when it fits only
     * as it is spelled as a whole, spelling it in two parts might take a token more. */
    if (s->p.close_early && s->completion_len > left_now(s)) return ART_OK;
    size_t len = 0;
    art_status st = art_matcher_forced(s->matcher, s->bytes, FORCED_BYTES, &len);
    if (st != ART_OK) return matcher_failed(s, st, "the matcher can not say what it forces", err);
    if (len < 2) return ART_OK;
    st = arti_spell(s->model, s->vocab, &s->mem, &s->spell_memo, s->bytes, len, &s->ids, err);
    if (st != ART_OK) return st;
    /* The tokens at the end may be the beginning of longer ones: those are the model's choice. */
    size_t n = 0, at = 0, left = left_now(s);
    while (n < s->ids.n && n < left && !arti_spell_may_grow(s->vocab, s->bytes + at, len - at)) {
        size_t n_bytes;
        art_vocab_token(s->vocab, (uint32_t)s->ids.ids[n++], &n_bytes);
        at += n_bytes;
    }
    return accept_all(s, n, err);
}

static art_status choose(art_session *s, int32_t *id, art_error *err) {
    size_t last_n = s->sampler.p.penalty_last_n < s->n_tokens ? s->sampler.p.penalty_last_n : s->n_tokens;
    const float *logits = s->model->engine->logits(s->ctx);
    int64_t got = arti_sampler_draw(&s->sampler, logits, s->tokens + s->n_tokens - last_n, last_n);
    art_status st = ART_OK;
    if (s->matcher) {
        st = got < 0 ? ART_REJECTED : art_matcher_allows(s->matcher, (uint32_t)got);
        if (st == ART_OK) st = art_matcher_accept(s->matcher, (uint32_t)got);
        if (st == ART_REJECTED) {
            st = art_matcher_fill_mask(s->matcher, s->mask, s->n_words, NULL, err);
            if (st != ART_OK) return st;
            s->usage.masks_computed++;
            got = arti_sampler_redraw(&s->sampler, s->mask);
            if (got >= 0) st = art_matcher_accept(s->matcher, (uint32_t)got);
        }
        if (st != ART_OK) return matcher_failed(s, st, "the matcher refuses a token of its own mask", err);
    }
    if (got < 0) return arti_fail(err, ART_E_ENGINE, 0, "the model's logits are not numbers");
    *id = (int32_t)got;
    return ART_OK;
}

art_status arti_decode_step(art_session *s, art_error *err) {
    int32_t id = -1;
    art_status st = choose(s, &id, err);
    if (st != ART_OK) return st;
    if (s->matcher && s->p.close_early && !art_matcher_is_ended(s->matcher)) {
        bool fits;
        st = completion_fits(s, left_now(s) - 1, &fits, err);
        if (st != ART_OK) return st;
        if (!fits) {
            st = art_matcher_rollback(s->matcher, 1);
            return st == ART_OK ? close_now(s, err)
                                : matcher_failed(s, st, "the matcher can not take a token back", err);
        }
    }
    st = commit(s, id, false, err);
    if (st != ART_OK || s->phase == ARTI_FINISHED || !s->matcher || !s->p.fast_forward) return st;
    return arti_decode_forced(s, err);
}
