/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_bits.h"
#include "art_vocab.h"

#include <pthread.h>

static harness heap;
static art_alloc alloc;

enum { TOKEN_EOS, TOKEN_EOS2, TOKEN_CONTROL, FIRST_TEXT };

static art_vocab *make_vocab(const art_alloc *a) {
    static const char *const words[] = {"{\"", "\":",  "\",\"", "\"}",    "}",    "{}", "true", "false", "nul", "12",
                                        "0.",  "name", "a\"",   "\": \"", "\\\"", "[]", "],",   "  ",    "\n"};
    uint8_t bytes[1024];
    uint32_t offsets[400], n = 0, at = 0;
    for (; n < FIRST_TEXT; n++) offsets[n] = 0;
    for (int c = 0; c < 256; c++) {
        offsets[n++] = at;
        bytes[at++] = (uint8_t)c;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        offsets[n++] = at;
        memcpy(bytes + at, words[i], strlen(words[i]));
        at += (uint32_t)strlen(words[i]);
    }
    offsets[n] = at;
    art_vocab *v;
    uint32_t eos[] = {TOKEN_EOS2, TOKEN_EOS};
    return art_vocab_new(bytes, offsets, n, eos, 2, a, &v, NULL) == ART_OK ? v : NULL;
}

static uint32_t byte_token(char c) {
    return FIRST_TEXT + (uint8_t)c;
}

static art_constraint *make(const char *schema, art_vocab *v, const art_alloc *a) {
    art_schema *s;
    art_constraint *c;
    art_error err;
    if (art_schema_compile(schema, strlen(schema), NULL, a, &s, &err) != ART_OK) return NULL;
    art_status st = art_constraint_new(s, v, NULL, a, &c, &err);
    art_schema_free(s); /* the constraint keeps it */
    return st == ART_OK ? c : NULL;
}

static size_t accept_text(art_matcher *m, const char *text) {
    size_t n;
    art_matcher_accept_bytes(m, (const uint8_t *)text, strlen(text), &n);
    return n;
}

static void test_end_of_sequence(art_vocab *v) {
    art_constraint *c = make("{\"type\":\"boolean\"}", v, &alloc);
    art_matcher *m;
    uint32_t words[16], n;
    assert(c && art_constraint_memory(c) > 0 && art_matcher_new(c, &m, NULL) == ART_OK);
    art_constraint_free(c);
    assert(art_matcher_is_complete(m) == 0 && art_matcher_accept(m, TOKEN_EOS) == ART_REJECTED);
    assert(accept_text(m, "tru") == 3 && art_matcher_shortest_len(m) == 1);
    size_t len;
    uint8_t buf[8];
    assert(art_matcher_shortest(m, buf, sizeof buf, &len) == ART_OK && len == 1 && buf[0] == 'e');
    assert(art_matcher_shortest(m, buf, 0, &len) == ART_E_LIMIT && len == 1);
    assert(art_matcher_forced(m, buf, sizeof buf, &len) == ART_OK && len == 1);
    assert(art_matcher_forced(m, buf, 0, &len) == ART_OK && len == 0);
    assert(art_matcher_accept(m, byte_token('e')) == ART_OK);
    const art_span *s = art_matcher_spans(m, &len);
    assert(len == 1 && s->kind == ART_SPAN_VALUE && s->start == 0 && s->len == 1 && art_matcher_held(m) == 0);
    assert(art_matcher_is_complete(m) == 1 && art_matcher_is_closed(m) == 1 && !art_matcher_is_ended(m));
    assert(art_matcher_fill_mask(m, words, 16, &n, NULL) == ART_OK && n == 2);
    assert(arti_bits_test(words, TOKEN_EOS) && arti_bits_test(words, TOKEN_EOS2) &&
           !arti_bits_test(words, TOKEN_CONTROL));
    assert(art_matcher_accept(m, TOKEN_EOS2) == ART_OK && art_matcher_is_ended(m) && art_matcher_is_complete(m) == 0);
    assert(art_matcher_fill_mask(m, words, 16, &n, NULL) == ART_OK && n == 0 && arti_bits_count(words, 16) == 0);
    assert(art_matcher_accept(m, TOKEN_EOS) == ART_REJECTED && art_matcher_allows(m, byte_token(' ')) == ART_REJECTED);
    assert(accept_text(m, " ") == 0 && art_matcher_shortest_len(m) == 0);
    assert(art_matcher_rollback(m, 1) == ART_OK && !art_matcher_is_ended(m) && art_matcher_is_complete(m) == 1);
    assert(art_matcher_accept(m, TOKEN_EOS) == ART_OK);
    assert(art_matcher_rollback(m, 3) == ART_OK && accept_text(m, "false") == 5); /* the end, "e" and "tru" */
    assert(art_matcher_rollback(m, 2) == ART_E_ARG);
    assert(art_matcher_reset(m) == ART_OK && art_matcher_rollback(m, 1) == ART_E_ARG && accept_text(m, "x") == 0);
    art_matcher_free(m);
    art_matcher_free(NULL);
    art_constraint_free(NULL);
}

static void test_refusals(art_vocab *v) {
    art_constraint *c = make("{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", v, &alloc);
    art_matcher *m, *copy;
    art_error err;
    uint32_t words[32];
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    assert(art_matcher_accept(m, v->n_tokens) == ART_REJECTED && art_matcher_allows(m, UINT32_MAX) == ART_REJECTED);
    assert(art_matcher_accept(m, TOKEN_CONTROL) == ART_REJECTED &&
           art_matcher_allows(m, TOKEN_CONTROL) == ART_REJECTED);
    assert(art_matcher_fill_mask(m, words, v->n_words - 1, NULL, &err) == ART_E_ARG);
    memset(words, 0xFF, sizeof words);
    assert(art_matcher_fill_mask(m, words, 32, NULL, &err) == ART_OK);
    for (size_t i = v->n_tokens; i < 32 * 32; i++) assert(!arti_bits_test(words, i));
    assert(accept_text(m, "[1,x") == 3);
    uint32_t before[32], after[32];
    assert(art_matcher_fill_mask(m, before, 32, NULL, &err) == ART_OK);
    assert(art_matcher_accept(m, byte_token('x')) == ART_REJECTED);
    assert(art_matcher_fill_mask(m, after, 32, NULL, &err) == ART_OK && memcmp(before, after, sizeof before) == 0);
    assert(art_matcher_copy(m, &copy, &err) == ART_OK);
    assert(accept_text(copy, "23]") == 3 && art_matcher_is_complete(copy) == 1 && art_matcher_is_complete(m) == 0);
    assert(art_matcher_rollback(copy, 2) == ART_OK && accept_text(copy, "[") == 1);
    art_matcher_free(copy);
    assert(art_matcher_error(m, &err) == ART_OK);
    art_matcher_free(m);
    art_constraint_free(c);
}

/* How many tokens a mask allows, as far as that is told; masks that are too short. */
static void test_fill(art_vocab *v) {
    art_constraint *c = make("{\"type\":\"boolean\"}", v, &alloc);
    art_matcher *m;
    art_error err = {0};
    uint32_t words[32], n = 9;
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    assert(art_matcher_fill_mask(m, words, 32, &n, NULL) == ART_OK && n == 2);
    assert(accept_text(m, "tru") == 3 && art_matcher_fill_mask(m, words, 32, &n, &err) == ART_OK && n == 1);
    assert(art_matcher_fill_mask(m, words, v->n_words - 1, &n, NULL) == ART_E_ARG);
    assert(art_matcher_fill_mask(m, words, v->n_words - 1, &n, &err) == ART_E_ARG);
    assert(err.code == ART_E_ARG && strstr(err.msg, "words"));
    assert(accept_text(m, "e") == 1 && art_matcher_accept(m, TOKEN_EOS) == ART_OK);
    assert(art_matcher_fill_mask(m, words, 32, &n, &err) == ART_OK && n == 0);
    art_matcher_free(m);
    art_constraint_free(c);
}

static void test_without_vocabulary(void) {
    art_constraint *c = make("{\"const\":{\"a\":[1,2]}}", NULL, &alloc);
    art_matcher *m;
    art_error err;
    uint32_t words[1];
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    art_constraint_free(c);
    assert(art_matcher_fill_mask(m, words, 1, NULL, &err) == ART_E_STATE && art_matcher_accept(m, 0) == ART_E_STATE);
    assert(art_matcher_error(m, &err) == ART_E_STATE && err.msg[0]);
    assert(art_matcher_fill_mask(m, words, 1, NULL, &err) == ART_E_STATE && err.code == ART_E_STATE);
    assert(accept_text(m, "{ \"a\" : [1 ,2.0] }") == 18 && art_matcher_is_complete(m) == 1);
    art_matcher_free(m);
}

/* --- one constraint, many threads: each gets what one thread alone gets */

static const char busy_schema[] =
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"pattern\":\"^[a-z]{2,9}$\"},"
    "\"n\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10},\"t\":{\"type\":\"string\",\"format\":\"date\"},"
    "\"k\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"maxItems\":2}},\"required\":[\"name\"]}";

typedef struct job {
    art_constraint *c;
    uint64_t seed, digest;
} job;

static void *walk(void *arg) {
    job *j = arg;
    uint64_t seed = j->seed, digest = 1469598103934665603u;
    art_matcher *m;
    uint32_t words[16], n;
    assert(art_matcher_new(j->c, &m, NULL) == ART_OK);
    for (int round = 0; round < 12; round++) {
        assert(art_matcher_reset(m) == ART_OK);
        for (int step = 0; step < 60; step++) {
            assert(art_matcher_fill_mask(m, words, 16, &n, NULL) == ART_OK && n > 0);
            for (int i = 0; i < 16; i++) digest = (digest ^ words[i]) * 1099511628211u;
            uint32_t id;
            do id = (uint32_t)(harness_random(&seed) % 512);
            while (!arti_bits_test(words, id));
            assert(art_matcher_accept(m, id) == ART_OK);
            if (art_matcher_is_ended(m)) break;
        }
        if (!art_matcher_is_ended(m)) {
            uint8_t buf[512];
            size_t len, taken;
            assert(art_matcher_shortest(m, buf, sizeof buf, &len) == ART_OK);
            assert(art_matcher_accept_bytes(m, buf, len, &taken) == ART_OK && art_matcher_is_complete(m) == 1);
        }
    }
    art_matcher_free(m);
    j->digest = digest;
    return NULL;
}

static void test_threads(art_vocab *v) {
    enum { N = 4 };
    job alone[N], shared[N];
    pthread_t thread[N];
    for (int i = 0; i < N; i++) {
        alone[i] = (job){make(busy_schema, v, NULL), 77u + (uint64_t)i, 0};
        walk(&alone[i]);
        art_constraint_free(alone[i].c);
    }
    art_constraint *c = make(busy_schema, v, NULL);
    for (int i = 0; i < N; i++) {
        shared[i] = (job){c, 77u + (uint64_t)i, 0};
        assert(pthread_create(&thread[i], NULL, walk, &shared[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        assert(pthread_join(thread[i], NULL) == 0);
        assert(shared[i].digest == alone[i].digest);
    }
    art_constraint_free(c);
}

/* --- one matcher, two threads: busy, never broken */

static void *hammer(void *arg) {
    art_matcher *m = arg;
    uint32_t words[16];
    size_t n_busy = 0;
    for (int i = 0; i < 3000; i++) {
        art_error err;
        art_status s = art_matcher_fill_mask(m, words, 16, NULL, &err);
        assert(s == ART_OK || (s == ART_E_BUSY && err.code == ART_E_BUSY));
        n_busy += s == ART_E_BUSY;
        s = art_matcher_accept(m, byte_token('1'));
        assert(s == ART_OK || s == ART_REJECTED || s == ART_E_BUSY);
        int complete = art_matcher_is_complete(m);
        assert(complete >= -1 && complete <= 1);
        s = art_matcher_rollback(m, 1);
        assert(s == ART_OK || s == ART_E_ARG || s == ART_E_BUSY);
    }
    return (void *)n_busy;
}

static void test_busy(art_vocab *v) {
    art_constraint *c = make("{\"type\":\"integer\"}", v, NULL);
    art_matcher *m;
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    pthread_t other;
    assert(pthread_create(&other, NULL, hammer, m) == 0);
    hammer(m);
    assert(pthread_join(other, NULL) == 0);
    art_matcher_free(m);
    art_constraint_free(c);
}

static bool whole_life(void) {
    art_vocab *v = make_vocab(&alloc);
    art_constraint *c = v ? make(busy_schema, v, &alloc) : NULL;
    art_matcher *m = NULL, *copy = NULL;
    uint32_t words[16];
    uint8_t buf[256];
    size_t n;
    static const char text[] = "{\"name\": \"abc\", \"n\": 1.5, \"k\": [{\"name\":\"zz\"}, ";
    bool ok = c && art_matcher_new(c, &m, NULL) == ART_OK;
    for (size_t i = 0; ok && text[i]; i++)
        ok = art_matcher_fill_mask(m, words, 16, NULL, NULL) == ART_OK &&
             art_matcher_accept(m, byte_token(text[i])) == ART_OK;
    ok = ok && art_matcher_copy(m, &copy, NULL) == ART_OK && art_matcher_rollback(copy, 20) == ART_OK &&
         art_matcher_shortest(m, buf, sizeof buf, &n) == ART_OK && art_matcher_forced(m, buf, sizeof buf, &n) == ART_OK;
    art_matcher_free(copy);
    art_matcher_free(m);
    art_constraint_free(c);
    art_vocab_free(v);
    return ok;
}

int main(void) {
    alloc = harness_alloc(&heap);
    art_vocab *v = make_vocab(&alloc);
    test_end_of_sequence(v);
    test_refusals(v);
    test_fill(v);
    test_without_vocabulary();
    test_threads(v);
    test_busy(v);
    art_vocab_free(v);
    assert(heap.live == 0);
    FAIL_EVERY_ALLOCATION(&heap, whole_life());
    for (art_status s = ART_OK; s <= ART_E_CANCELLED; s++) assert(art_status_name(s)[0]);
    assert(art_version()[0]);
    return 0;
}
