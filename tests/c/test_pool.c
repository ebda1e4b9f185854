/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_bits.h"
#include "art_mem.h"
#include "art_pool.h"

#include <pthread.h>

enum { N = 37, WORDS = 9, STRIDE = 11 };

static harness heap;
static art_alloc alloc;

static art_vocab *make_vocab(void) {
    uint8_t bytes[256];
    uint32_t offsets[258], n = 0, eos = 256;
    for (; n < 256; n++) {
        offsets[n] = n;
        bytes[n] = (uint8_t)n;
    }
    offsets[256] = offsets[257] = 256;
    art_vocab *v;
    return art_vocab_new(bytes, offsets, 257, &eos, 1, &alloc, &v, NULL) == ART_OK ? v : NULL;
}

static art_constraint *make(art_vocab *v) {
    static const char text[] =
        "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"],\"maxLength\":5},\"maxItems\":9}";
    art_schema *s;
    art_constraint *c;
    assert(art_schema_compile(text, strlen(text), NULL, &alloc, &s, NULL) == ART_OK);
    assert(art_constraint_new(s, v, NULL, &alloc, &c, NULL) == ART_OK);
    art_schema_free(s);
    return c;
}

/* Matchers in different places; some rows are free. */
static void make_matchers(art_constraint *c, art_matcher **m) {
    static const char *const places[] = {"", "[", "[1", "[1,", "[\"", "[\"abcde", "[\"a\",", "[]"};
    for (size_t i = 0; i < N; i++) {
        m[i] = NULL;
        if (i % 9 == 8) continue;
        size_t n, len = strlen(places[i % 8]);
        assert(art_matcher_new(c, &m[i], NULL) == ART_OK);
        assert(art_matcher_accept_bytes(m[i], (const uint8_t *)places[i % 8], len, &n) == ART_OK);
    }
}

static void check_rows(art_matcher **m, const uint32_t *words, const uint32_t *n_allowed) {
    for (size_t i = 0; i < N; i++) {
        uint32_t alone[WORDS], n = 2;
        memset(alone, 0xFF, sizeof alone);
        if (m[i]) assert(art_matcher_fill_mask(m[i], alone, WORDS, &n, NULL) == ART_OK);
        assert(memcmp(words + i * STRIDE, alone, sizeof alone) == 0 && n_allowed[i] == n);
        for (size_t k = WORDS; k < STRIDE; k++) assert(words[i * STRIDE + k] == 0xABABABAB);
    }
}

static void test_same_as_one_by_one(uint32_t n_threads) {
    art_vocab *v = make_vocab();
    art_constraint *c = make(v);
    art_matcher *m[N];
    art_mask_pool *p;
    uint32_t words[N * STRIDE], n_allowed[N];
    make_matchers(c, m);
    assert(art_mask_pool_new(n_threads, &alloc, &p, NULL) == ART_OK);
    assert(n_threads == 0 || art_mask_pool_threads(p) == n_threads);
    for (int round = 0; round < 200; round++) {
        memset(words, 0xAB, sizeof words);
        size_t n = round % 3 == 2 ? (size_t)(round % N) : N, failed_at = 0;
        assert(art_mask_pool_fill(p, m, n, words, STRIDE, WORDS, n_allowed, &failed_at, NULL) == ART_OK);
        assert(failed_at == SIZE_MAX);
        if (n == N) check_rows(m, words, n_allowed);
    }
    art_mask_pool_free(p);
    for (size_t i = 0; i < N; i++) art_matcher_free(m[i]);
    art_constraint_free(c);
    art_vocab_free(v);
}

static void test_failures(void) {
    art_vocab *v = make_vocab();
    art_constraint *c = make(v), *none = make(NULL);
    art_matcher *m[4] = {0};
    art_mask_pool *p;
    art_error err;
    uint32_t words[4 * WORDS], n_allowed[4];
    size_t at;
    assert(art_mask_pool_new(3, &alloc, &p, NULL) == ART_OK);
    assert(art_matcher_new(c, &m[0], NULL) == ART_OK && art_matcher_new(none, &m[1], NULL) == ART_OK);
    assert(art_matcher_new(none, &m[2], NULL) == ART_OK && art_matcher_new(c, &m[3], NULL) == ART_OK);
    memset(words, 0, sizeof words);
    art_status st = art_mask_pool_fill(p, m, 4, words, WORDS, WORDS, n_allowed, &at, &err);
    assert(st >= ART_E_ARG && err.code == st && at == 1 && err.msg[0]);
    assert(arti_bits_test(words, '[') && arti_bits_test(words + 3 * WORDS, '['));
    assert(art_mask_pool_fill(p, m, 4, words, WORDS, WORDS - 1, NULL, &at, &err) == ART_E_ARG && at == 0);
    assert(art_mask_pool_fill(p, m, 4, words, WORDS - 1, WORDS, NULL, NULL, &err) == ART_E_ARG);
    assert(art_mask_pool_fill(p, m, 0, words, WORDS, WORDS, NULL, NULL, NULL) == ART_OK);
    art_mask_pool_free(p);
    art_mask_pool_free(NULL);
    assert(art_mask_pool_new(ART_MASK_THREADS_MAX + 1, &alloc, &p, &err) == ART_E_LIMIT && !p);
    for (size_t i = 0; i < 4; i++) art_matcher_free(m[i]);
    art_constraint_free(c);
    art_constraint_free(none);
    art_vocab_free(v);
}

/* --- a pool that two threads use: one of them is told that it is busy */

typedef struct user {
    art_mask_pool *pool;
    art_matcher *m[8];
    size_t n_busy, n_ok;
} user;

static void *use(void *arg) {
    user *u = arg;
    uint32_t words[8 * WORDS];
    for (int i = 0; i < 2000; i++) {
        art_status st = art_mask_pool_fill(u->pool, u->m, 8, words, WORDS, WORDS, NULL, NULL, NULL);
        assert(st == ART_OK || st == ART_E_BUSY);
        if (st == ART_OK)
            u->n_ok++;
        else
            u->n_busy++;
    }
    return NULL;
}

static void test_busy(void) {
    art_vocab *v = make_vocab();
    art_constraint *c = make(v);
    art_mask_pool *p;
    user users[2] = {0};
    pthread_t thread[2];
    assert(art_mask_pool_new(2, &alloc, &p, NULL) == ART_OK);
    for (int k = 0; k < 2; k++) {
        users[k].pool = p;
        for (int i = 0; i < 8; i++) assert(art_matcher_new(c, &users[k].m[i], NULL) == ART_OK);
    }
    for (int k = 0; k < 2; k++) assert(pthread_create(&thread[k], NULL, use, &users[k]) == 0);
    for (int k = 0; k < 2; k++) assert(pthread_join(thread[k], NULL) == 0);
    assert(users[0].n_ok + users[1].n_ok > 0);
    art_mask_pool_free(p);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 8; i++) art_matcher_free(users[k].m[i]);
    art_constraint_free(c);
    art_vocab_free(v);
}

static bool whole_life(void) {
    art_mask_pool *p = NULL;
    bool ok = art_mask_pool_new(3, &alloc, &p, NULL) == ART_OK;
    art_mask_pool_free(p);
    return ok;
}

/* malloc's own locks make an allocator that may be called from any thread; the harness counts on one. */
int main(void) {
    alloc = harness_alloc(&heap);
    FAIL_EVERY_ALLOCATION(&heap, whole_life());
    assert(heap.live == 0);
    alloc = arti_alloc_or_default(NULL);
    test_same_as_one_by_one(1);
    test_same_as_one_by_one(2);
    test_same_as_one_by_one(5);
    test_same_as_one_by_one(0);
    test_failures();
    test_busy();
    return 0;
}
