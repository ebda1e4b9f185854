/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows shared by the constraints of a vocabulary: what is put comes back or is gone, from several threads at once; digests of languages
 * agree between contexts exactly where the languages are built alike. */
#include "harness.h"

#include "art_bits.h"
#include "art_regex.h"
#include "art_rows.h"

#include <pthread.h>

enum { N_WORDS = 40, N_ENDS = 3, N_KEYS = 3000 };

/* The row of key k: sparse for even ones. */
static void make_row(uint64_t k, uint32_t *words) {
    memset(words, 0, N_WORDS * sizeof *words);
    for (uint32_t i = 0; i < N_WORDS * 32; i++)
        if (k % 2 ? (i * 2654435761u ^ k) % 3 : (i + k) % 97 == 0) arti_bits_set(words, i);
}

static void *use_rows(void *ud) {
    arti_rows *r = ud;
    uint64_t seed = (uint64_t)(uintptr_t)&seed | 1u;
    uint32_t words[N_WORDS], want[N_WORDS], ends[N_ENDS], found = 0;
    for (int i = 0; i < 20000; i++) {
        const uint64_t k = harness_random(&seed) % N_KEYS, digest[2] = {k * UINT64_C(0x9E3779B97F4A7C15), k};
        const uint32_t want_ends[N_ENDS] = {(uint32_t)k, 7, (uint32_t)k * 3};
        make_row(k, want);
        if (arti_rows_get(r, digest, words, ends)) {
            assert(memcmp(words, want, sizeof want) == 0 && memcmp(ends, want_ends, sizeof ends) == 0);
            found++;
        } else {
            arti_rows_put(r, digest, want, want_ends);
        }
    }
    assert(found > 0);
    return NULL;
}

static void test_rows(void) {
    arti_rows *r = arti_rows_new(N_WORDS, N_ENDS, NULL);
    assert(r && arti_rows_key(r));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert(pthread_create(&threads[i], NULL, use_rows, r) == 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert(arti_rows_memory(r) <= ARTI_ROWS_MAX * ((N_WORDS + N_ENDS) * 4 + 64));
    arti_rows *other = arti_rows_new(N_WORDS, N_ENDS, NULL);
    assert(memcmp(arti_rows_key(r), arti_rows_key(other), 16) != 0);
    arti_rows_free(other);
    arti_rows_free(r);
    arti_rows_free(NULL);
}

/* Without memory nothing is kept, and nothing is lost but that. */
static void test_refused(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    arti_rows *r = arti_rows_new(N_WORDS, N_ENDS, &alloc);
    uint32_t words[N_WORDS], ends[N_ENDS] = {1, 2, 3};
    const uint64_t digest[2] = {1, 2};
    make_row(3, words);
    h.budget = 0;
    arti_rows_put(r, digest, words, ends);
    assert(!arti_rows_get(r, digest, words, ends));
    h.budget = -1;
    arti_rows_put(r, digest, words, ends);
    assert(arti_rows_get(r, digest, words, ends));
    arti_rows_free(r);
    assert(h.live == 0);
}

static void digest_of(const char *before, const char *pattern, const char *text, const uint64_t key[2],
                      uint64_t out[2]) {
    arti_mem mem;
    arti_mem_init(&mem, NULL, 0);
    arti_re_ctx *c;
    assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
    arti_re_start(c, arti_re_pattern(c, before, strlen(before))); /* so that terms have other numbers */
    const arti_re_state s = arti_re_run(c, arti_re_start(c, arti_re_pattern(c, pattern, strlen(pattern))),
                                        (const uint8_t *)text, strlen(text));
    assert(arti_re_digest(c, s, key, out));
    uint64_t again[2];
    const uint64_t other_key[2] = {key[0] + 1, key[1]};
    assert(arti_re_digest(c, s, other_key, again) && (again[0] != out[0] || again[1] != out[1]));
    assert(arti_re_digest(c, s, key, again) && again[0] == out[0] && again[1] == out[1]);
    assert(!arti_re_digest(c, ARTI_RE_DEAD, key, again));
    arti_re_ctx_free(c);
}

static void test_digests(void) {
    static const char *const patterns[] = {
        "^[a-z]+$",          "^[a-z]*$",         "^[a-y]+$",           "^(foo|bar)x{2,5}$",
        "^(foo|bar)x{2,6}$", "^(?!ab)[a-c]{3}$", "^(?=.*a)(?=.*b).*$", "^(?=.*a)(?=.*c).*$",
        "a|b|ccc",           "^(a|b|ccc)$",      "\\bword\\b",         "(?<=a)b",
        "(?<!a)b",           "^(ab|ba)*$",       "^(ab)*(ba)*$"};
    enum { N = sizeof patterns / sizeof *patterns };
    const uint64_t key[2] = {0x1234, 0x5678};
    uint64_t digests[N][2], again[2];
    for (size_t i = 0; i < N; i++) {
        digest_of("^x$", patterns[i], "", key, digests[i]);
        for (size_t k = 0; k < i; k++) assert(memcmp(digests[i], digests[k], sizeof again) != 0);
        digest_of("^(q|[0-9]{3,}|(?!no)[b-y]*)$", patterns[i], "", key, again);
        assert(memcmp(digests[i], again, sizeof again) == 0);
    }
    digest_of("x", "^[a-z]+$", "q", key, again); /* what may follow is another language by its other name */
    assert(memcmp(again, digests[1], sizeof again) == 0);
}

int main(void) {
    test_rows();
    test_refused();
    test_digests();
    return 0;
}
