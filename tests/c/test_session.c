/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions on a fake engine: prefix reuse, batches, stops, limits, cancel, guards, copies and files; no constraint here. */
#include "fake_engine.h"

#include "art_session.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static harness h;
static art_alloc alloc;

static art_session *open_session(fake_model *fm, art_model **m, uint32_t n_ctx, uint32_t n_batch) {
    art_session *s;
    art_context_params cp = {.n_ctx = n_ctx, .n_batch = n_batch, .n_threads = 1};
    assert(art_model_new(&fake_engine, fm, &alloc, m, NULL) == ART_OK);
    assert(art_session_new(*m, &cp, &alloc, &s, NULL) == ART_OK);
    return s;
}

static void start(art_session *s, fake_model *fm, const char *prompt, const art_generate_params *p) {
    int32_t ids[512];
    size_t n = fake_prompt(fm, prompt, ids, 512);
    assert(art_session_start(s, ids, n, p, NULL) == ART_OK);
}

static void test_plain(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 8);
    art_model_free(m); /* the session keeps it alive */
    start(s, &fm, "<bos>abcdefghij", NULL);
    fake_result r;
    fake_run(s, &r);
    assert(r.status == ART_DONE && r.stop == ART_STOP_EOS && strcmp(r.text, "Hello world") == 0);
    assert(r.n_events == 2 && r.n_tokens == 3); /* the end of turn counts, and is in the transcript */
    assert(r.n_more == 1);                      /* 11 prompt tokens in batches of 8 */
    art_usage u;
    art_session_usage(s, &u);
    assert(u.prompt_tokens == 11 && u.cached_tokens == 0 && u.completion_tokens == 3 && u.forced_tokens == 0);
    assert(u.prefill_ms >= 0 && u.decode_ms >= 0 && u.total_ms >= u.prefill_ms + u.decode_ms);
    size_t n;
    const int32_t *tokens = art_session_tokens(s, &n);
    assert(n == 14 && tokens[0] == FAKE_BOS && tokens[11] == 256 && tokens[13] == FAKE_EOS);
    assert(fm.n_tokens == 13); /* the end of turn is not evaluated */
    art_event ev;
    art_error err;
    assert(art_session_reset(s, &err) == ART_OK);
    assert(art_session_next(s, &ev, &err) == ART_E_STATE);
    art_session_free(s);
    assert(fm.freed && h.live == 0);
}

static void test_prefix_reuse(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 64);
    fake_result r;
    art_usage u;
    start(s, &fm, "<bos>question", NULL);
    fake_run(s, &r);
    fm.n_tokens = 0;
    start(s, &fm, "<bos>questionHello world<eos>more", NULL); /* the transcript and what is new */
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.prompt_tokens == 16 && u.cached_tokens == 11 && fm.n_tokens == 5 + 2 &&
           strcmp(r.text, "Hello world") == 0);
    start(s, &fm, "<bos>quest", NULL); /* a prefix of it: only the last token again, for its logits */
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 5 && strcmp(r.text, "Hello world") == 0);
    start(s, &fm, "other", NULL);
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 0 && strcmp(r.text, "Hello world") == 0);

    /* The logits of exactly this prompt are there: nothing is evaluated. */
    art_generate_params p;
    art_generate_defaults(&p);
    p.max_tokens = 1;
    start(s, &fm, "abc", &p);
    fake_run(s, &r);
    fm.n_tokens = 0;
    start(s, &fm, "abc", &p);
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 3 && fm.n_tokens == 0 && strcmp(r.text, "Hello") == 0 && r.stop == ART_STOP_LENGTH);
    art_session_free(s);
    art_model_free(m);

    fm = fake_model_init(&alloc, "Hello world"); /* a model whose cache can not be cut */
    fm.can_drop = false;
    s = open_session(&fm, &m, 64, 64);
    start(s, &fm, "<bos>question", NULL);
    fake_run(s, &r);
    start(s, &fm, "<bos>questionHello world<eos>more", NULL);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 11);
    fake_run(s, &r);
    start(s, &fm, "<bos>quest", NULL);
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 0 && strcmp(r.text, "Hello world") == 0);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_stops_and_limits(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world END of it");
    art_model *m;
    art_session *s = open_session(&fm, &m, 32, 8);
    fake_result r;
    art_generate_params p;
    art_generate_defaults(&p);
    art_str stops[] = {{"ld E", 4}};
    p.stops = stops;
    p.n_stops = 1;
    start(s, &fm, "x", &p);
    fake_run(s, &r);
    assert(r.stop == ART_STOP_STRING && strcmp(r.text, "Hello wor") == 0);
    stops[0] = (art_str){"no such", 7};
    p.max_tokens = 2;
    start(s, &fm, "x", &p);
    fake_run(s, &r);
    assert(r.stop == ART_STOP_LENGTH && strcmp(r.text, "Hello world") == 0 && r.n_tokens == 2);
    p.n_stops = 0;
    p.max_tokens = 0;
    start(s, &fm, "abcdefghijabcdefghijabcdefgh", &p); /* 28 of 32 */
    fake_run(s, &r);
    assert(r.stop == ART_STOP_CONTEXT && strcmp(r.text, "Hello world END") == 0 && r.n_tokens == 4);
    art_error err;
    int32_t ids[40];
    size_t n = fake_prompt(&fm, "abcdefghijabcdefghijabcdefghijab", ids, 40), before, after;
    art_session_tokens(s, &before);
    assert(art_session_start(s, ids, n, &p, &err) == ART_E_CONTEXT && strstr(err.msg, "32"));
    assert(art_session_start(s, ids, 0, &p, &err) == ART_E_ARG);
    ids[3] = FAKE_VOCAB;
    assert(art_session_start(s, ids, 5, &p, &err) == ART_E_ARG && err.pos == 3);
    ids[3] = -1;
    assert(art_session_start(s, ids, 5, &p, &err) == ART_E_ARG && err.pos == 3);
    p.sample.top_p = 2.0f;
    assert(art_session_start(s, ids, 3, &p, &err) == ART_E_ARG);
    art_session_tokens(s, &after);
    assert(before == after); /* nothing was lost */
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

/* Characters that are cut by tokens come whole, and text is joined on request. */
static void test_characters(void) {
    fake_model fm = fake_model_init(&alloc, "caf\xC3\xA9 \xF0\x9F\x98\x80");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 8);
    fake_result r;
    art_generate_params p;
    art_generate_defaults(&p);
    start(s, &fm, "x", &p);
    fake_run(s, &r);
    assert(strcmp(r.text, "caf\xC3\xA9 \xF0\x9F\x98\x80") == 0 && r.n_events == 6 && r.n_tokens == 11);
    p.max_tokens = 4; /* in the middle of a character */
    start(s, &fm, "x", &p);
    fake_run(s, &r);
    assert(strcmp(r.text, "caf\xEF\xBF\xBD") == 0);
    p.max_tokens = 0;
    p.flush_ms = 60000;
    start(s, &fm, "x", &p);
    fake_run(s, &r);
    assert(strcmp(r.text, "caf\xC3\xA9 \xF0\x9F\x98\x80") == 0 && r.n_events == 1 && r.n_tokens == 11);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_sampling(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    fm.script_logit = -5.0f; /* hardly likelier than others */
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 8);
    fake_result a, b;
    art_generate_params p;
    art_generate_defaults(&p);
    p.sample.temperature = 1.0f;
    p.sample.seed = 11;
    p.max_tokens = 20;
    start(s, &fm, "x", &p);
    fake_run(s, &a);
    start(s, &fm, "x", &p);
    fake_run(s, &b);
    assert(a.len && a.len == b.len && memcmp(a.text, b.text, a.len) == 0);
    p.sample.seed = 12;
    start(s, &fm, "x", &p);
    fake_run(s, &b);
    assert(a.len != b.len || memcmp(a.text, b.text, a.len) != 0);
    art_bias bias = {'!', 100.0f};
    p.sample.bias = &bias;
    p.sample.n_bias = 1;
    p.max_tokens = 3;
    start(s, &fm, "x", &p);
    fake_run(s, &b);
    assert(strcmp(b.text, "!!!") == 0);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

static int n_polls;
static int poll_third(void *ud) {
    assert(ud == &n_polls);
    return ++n_polls >= 3;
}

static void test_cancel(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 16);
    fake_result r;
    art_usage u;
    art_generate_params p;
    art_generate_defaults(&p);
    start(s, &fm, "x", &p);
    art_event ev;
    assert(art_session_next(s, &ev, NULL) == ART_OK);
    art_session_cancel(s);
    fake_run(s, &r);
    assert(r.stop == ART_STOP_CANCELLED && r.len == 0);
    start(s, &fm, "x", &p); /* cleared by the next start */
    fake_run(s, &r);
    assert(r.stop == ART_STOP_EOS && strcmp(r.text, "Hello world") == 0);
    p.poll = poll_third; /* in the middle of the second batch of a prefill: the first one stays cached */
    p.poll_ud = &n_polls;
    p.poll_ms = 0;
    n_polls = -17;
    start(s, &fm, "abcdefghijabcdefghijabcdefghijabcdefghij", &p);
    fake_run(s, &r);
    assert(r.stop == ART_STOP_CANCELLED && r.len == 0 && n_polls == 3);
    p.poll = NULL;
    start(s, &fm, "abcdefghijabcdefghijabcdefghijabcdefghij", &p);
    fake_run(s, &r);
    art_session_usage(s, &u);
    assert(u.cached_tokens == 16 && strcmp(r.text, "Hello world") == 0);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_engine_failure(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 4);
    fake_result r;
    fm.fail_eval = 2;
    start(s, &fm, "abcdefghij", NULL);
    fake_run(s, &r);
    assert(r.status == ART_E_ENGINE && strstr(r.err.msg, "failed"));
    fake_run(s, &r);
    assert(r.status == ART_E_STATE);
    start(s, &fm, "abcdefghij", NULL);
    fake_run(s, &r);
    art_usage u;
    art_session_usage(s, &u);
    assert(u.cached_tokens == 4 && strcmp(r.text, "Hello world") == 0);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_one_context(void) {
    fake_model fm = fake_model_init(&alloc, "Hello");
    fm.many_contexts = fm.can_copy = fm.can_abort = false;
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 64), *other = (art_session *)&fm;
    art_error err;
    assert(art_session_new(m, NULL, &alloc, &other, &err) == ART_E_STATE && other == NULL && strstr(err.msg, "fake"));
    uint8_t buf[1000];
    size_t len;
    assert(art_session_save(s, buf, sizeof buf, &len, &err) == ART_E_STATE && strstr(err.msg, "fake"));
    assert(art_session_load(s, buf, 0, &err) == ART_E_STATE);
    assert(art_session_fork(s, s, 1, &err) == ART_E_ARG);
    fake_result r;
    start(s, &fm, "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij", NULL); /* no abort: small batches */
    fake_run(s, &r);
    assert(r.n_more == 1 && strcmp(r.text, "Hello") == 0);
    art_session_free(s);
    assert(art_session_new(m, NULL, &alloc, &other, &err) == ART_OK);
    assert(art_session_n_ctx(other) == 64); /* what the model was trained with */
    art_session_free(other);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_fork_and_files(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m, *m2;
    art_session *a = open_session(&fm, &m, 64, 16), *b;
    art_context_params cp = {.n_ctx = 12, .n_threads = 1};
    assert(art_session_new(m, &cp, &alloc, &b, NULL) == ART_OK);
    fake_result r;
    art_usage u;
    art_error err;
    start(a, &fm, "<bos>question", NULL);
    fake_run(a, &r);
    assert(art_session_fork(b, a, 5, &err) == ART_OK);
    size_t n;
    assert(art_session_tokens(b, &n)[1] == 'q' && n == 5);
    start(b, &fm, "<bos>quest", NULL);
    fake_run(b, &r);
    art_session_usage(b, &u);
    assert(u.cached_tokens == 5 && strcmp(r.text, "Hello world") == 0);
    assert(art_session_fork(b, a, 1000, &err) == ART_OK); /* as far as both can hold them */
    art_session_tokens(b, &n);
    assert(n == 11);

    uint8_t buf[512];
    size_t len;
    assert(art_session_save(a, buf, 10, &len, &err) == ART_E_LIMIT && len > 10 && len < sizeof buf);
    assert(art_session_save(a, buf, sizeof buf, &len, &err) == ART_OK);
    assert(art_session_load(b, buf, len, &err) == ART_OK);
    start(b, &fm, "<bos>questio", NULL);
    art_session_usage(b, &u);
    assert(u.cached_tokens == 7);
    fake_run(b, &r);
    assert(strcmp(r.text, "Hello world") == 0);
    for (size_t i = 0; i < len; i++) { /* damage is noticed wherever it is, and the session stays usable */
        buf[i] ^= 0x10;
        art_status st = art_session_load(b, buf, len, &err);
        assert(st == ART_E_FORMAT);
        buf[i] ^= 0x10;
        assert(art_session_load(b, buf, i, &err) == ART_E_FORMAT);
    }
    assert(art_session_load(b, buf, len, &err) == ART_OK);
    art_context_params small = {.n_ctx = 8, .n_threads = 1};
    art_session *c;
    assert(art_session_new(m, &small, &alloc, &c, NULL) == ART_OK);
    assert(art_session_load(c, buf, len, &err) == ART_E_CONTEXT);
    art_session_free(c);

    fake_model fm2 = fake_model_init(&alloc, "");
    c = open_session(&fm2, &m2, 64, 16);
    assert(art_session_fork(c, a, 5, &err) == ART_E_ARG);
    art_session_free(c);
    art_model_free(m2);
    art_session_free(a);
    art_session_free(b);
    art_model_free(m);
    assert(h.live == 0);
}

static void test_forked_process(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world");
    art_model *m;
    art_session *s = open_session(&fm, &m, 64, 16);
    start(s, &fm, "x", NULL);
    fflush(NULL);
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        art_event ev;
        art_error err;
        art_session *other;
        int32_t id = 'x';
        bool ok = art_session_next(s, &ev, &err) == ART_E_FORKED && err.code == ART_E_FORKED &&
                  art_session_start(s, &id, 1, NULL, &err) == ART_E_FORKED &&
                  art_session_new(m, NULL, &alloc, &other, &err) == ART_E_FORKED;
        art_session_free(s); /* leaves the engine's part alone */
        art_model_free(m);
        _exit(ok && !fm.freed ? 0 : 1);
    }
    int status;
    assert(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fake_result r;
    fake_run(s, &r);
    assert(strcmp(r.text, "Hello world") == 0);
    art_session_free(s);
    art_model_free(m);
    assert(h.live == 0);
}

/* ---- threads: the default allocator, as the harness counts without locks */

typedef struct shared {
    art_session *s;
    atomic_int n_busy, n_ok;
    atomic_bool stop;
} shared;

static void *hammer(void *arg) {
    shared *sh = arg;
    while (!atomic_load(&sh->stop)) {
        art_event ev;
        art_error err;
        art_status st = art_session_next(sh->s, &ev, &err);
        assert(st == ART_OK || st == ART_MORE || st == ART_DONE || st == ART_E_BUSY);
        if (st == ART_E_BUSY)
            atomic_fetch_add(&sh->n_busy, 1);
        else
            atomic_fetch_add(&sh->n_ok, 1);
        if (st == ART_DONE) break;
    }
    return NULL;
}

static void *run_own(void *arg) {
    fake_result r;
    fake_run(arg, &r);
    assert(r.status == ART_DONE && (r.stop == ART_STOP_CANCELLED || strcmp(r.text, "Hello world") == 0));
    return NULL;
}

static void test_threads(void) {
    art_alloc plain = arti_alloc_or_default(NULL);
    fake_model fm = fake_model_init(&plain, "Hello world");
    fm.eval_us = 200;
    art_model *m;
    assert(art_model_new(&fake_engine, &fm, NULL, &m, NULL) == ART_OK);
    art_context_params cp = {.n_ctx = 512, .n_batch = 64, .n_threads = 1};
    art_session *s;
    assert(art_session_new(m, &cp, NULL, &s, NULL) == ART_OK);

    /* Two threads in one session: one works, the other is told so; nothing breaks. */
    shared sh = {.s = s};
    int32_t ids[100];
    for (int i = 0; i < 100; i++) ids[i] = 'a';
    fm.prompt_len = 100;
    assert(art_session_start(s, ids, 100, NULL, NULL) == ART_OK);
    pthread_t t[4];
    for (int i = 0; i < 2; i++) assert(pthread_create(&t[i], NULL, hammer, &sh) == 0);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    assert(atomic_load(&sh.n_busy) > 0 && atomic_load(&sh.n_ok) > 0);

    /* Cancel from another thread in the middle of a prefill: at once, not after the batch. */
    fm.eval_us = 20000;
    ids[0] = 'b';
    assert(art_session_start(s, ids, 64, NULL, NULL) == ART_OK);
    double before = arti_now_ms();
    assert(pthread_create(&t[0], NULL, run_own, s) == 0);
    struct timespec wait = {0, 30000000};
    nanosleep(&wait, NULL);
    art_session_cancel(s);
    pthread_join(t[0], NULL);
    assert(arti_now_ms() - before < 1000.0); /* the batch alone takes 1280 */
    fm.eval_us = 0;
    art_session_free(s);

    /* Sessions of one model side by side. */
    art_session *many[4];
    fm.prompt_len = 5;
    for (int i = 0; i < 4; i++) {
        assert(art_session_new(m, &cp, NULL, &many[i], NULL) == ART_OK);
        assert(art_session_start(many[i], ids, 5, NULL, NULL) == ART_OK);
    }
    fake_model copies[4]; /* the fake's counters are not made for threads: give each session its own */
    for (int i = 0; i < 4; i++) {
        copies[i] = fm;
        ((fake_ctx *)many[i]->ctx)->m = &copies[i];
    }
    for (int i = 0; i < 4; i++) assert(pthread_create(&t[i], NULL, run_own, many[i]) == 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) {
        ((fake_ctx *)many[i]->ctx)->m = &fm;
        art_session_free(many[i]);
    }
    art_model_free(m);
    assert(fm.freed);
}

static bool try_all(void) {
    fake_model fm = fake_model_init(&alloc, "Hello world END");
    art_model *m = NULL;
    art_session *s = NULL;
    bool ok = false;
    art_context_params cp = {.n_ctx = 64, .n_threads = 1};
    if (art_model_new(&fake_engine, &fm, &alloc, &m, NULL) == ART_OK &&
        art_session_new(m, &cp, &alloc, &s, NULL) == ART_OK) {
        art_generate_params p;
        art_generate_defaults(&p);
        art_str stop = {"END", 3};
        p.stops = &stop;
        p.n_stops = 1;
        p.sample.temperature = 0.1f;
        p.sample.top_k = 1;
        p.sample.repetition_penalty = 1.1f;
        int32_t ids[8];
        size_t n = fake_prompt(&fm, "abc", ids, 8);
        if (art_session_start(s, ids, n, &p, NULL) == ART_OK) {
            fake_result r;
            fake_run(s, &r);
            ok = r.status == ART_DONE;
            assert(ok || r.status == ART_E_NOMEM);
            assert(!ok || strcmp(r.text, "Hello world ") == 0);
        }
    }
    art_session_free(s);
    art_model_free(m);
    assert(fm.freed);
    return ok;
}

static void test_model(void) {
    fake_model fm = fake_model_init(&alloc, "");
    art_model *m;
    art_error err;
    assert(art_model_new(&fake_engine, &fm, &alloc, &m, &err) == ART_OK);
    uint8_t buf[8];
    size_t len;
    assert(strcmp(art_model_engine(m), "fake") == 0);
    assert(art_model_token_bytes(m, 257, 0, buf, 8, &len, &err) == ART_OK && len == 6 && memcmp(buf, " world", 6) == 0);
    assert(art_model_token_bytes(m, FAKE_VOCAB, 0, buf, 8, &len, &err) == ART_E_ARG && len == 0);
    assert(art_model_token_bytes(m, -1, 0, buf, 8, &len, &err) == ART_E_ARG);
    assert(art_model_token_bytes(m, FAKE_EOS, 0, buf, 8, &len, &err) == ART_OK && len == 0);
    assert(art_model_token_bytes(m, FAKE_EOS, 1, buf, 8, &len, &err) == ART_OK && len == 5);
    char text[8];
    assert(art_model_meta(m, "general.name", text, 8, &len, &err) == ART_OK && len == 4);
    assert(art_model_meta(m, "absent", text, 8, &len, &err) == ART_OK && len == 0);
    art_context_params cp = {.n_ctx = 4};
    art_session *s;
    assert(art_session_new(m, &cp, &alloc, &s, &err) == ART_E_ARG && s == NULL);
    art_model_free(m);
    assert(fm.freed);

    fm.freed = false;
    art_engine wrong = fake_engine;
    wrong.abi = 999;
    assert(art_model_new(&wrong, &fm, &alloc, &m, &err) == ART_E_ENGINE && m == NULL &&
           fm.freed); /* taken over all the same */
    art_session_free(NULL);
    art_model_free(NULL);
    assert(art_cpu_count() >= 1);
    assert(h.live == 0);
}

int main(void) {
    alloc = harness_alloc(&h);
    test_model();
    test_plain();
    test_prefix_reuse();
    test_stops_and_limits();
    test_characters();
    test_sampling();
    test_cancel();
    test_engine_failure();
    test_one_context();
    test_fork_and_files();
    test_forked_process();
    FAIL_EVERY_ALLOCATION(&h, try_all());
    test_threads();
    return 0;
}
