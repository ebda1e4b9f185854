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

static uint32_t base[N_WORDS], within[N_WORDS];

/* The row of key k: few bits, many, or nearly those of a basis. */
static arti_basis make_row(uint64_t k, uint32_t *words) {
    const arti_basis basis = k % 3 == 1 ? (arti_basis){base, NULL}
                             : k % 3    ? (arti_basis){base, within}
                                        : (arti_basis){NULL, NULL};
    arti_basis_copy(basis, words, N_WORDS);
    for (uint32_t i = 0; i < N_WORDS * 32; i++)
        if (k % 5 == 0 ? (i * 2654435761u ^ k) % 3 == 0 : (i + k) % 970 == 0) words[i / 32] ^= 1u << i % 32;
    return basis;
}

static void put(arti_rows *r, const uint64_t digest[2], const uint32_t *words, const uint32_t *ends, arti_basis basis) {
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    const arti_row row = arti_row_from(words, N_WORDS, basis, patches);
    arti_rows_put(r, digest, words, ends, &row);
}

/* Whether it is there; then it is `want`, as words and as changes. */
static bool get(arti_rows *r, const uint64_t digest[2], const uint32_t *want, const uint32_t *want_ends) {
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    uint32_t words[N_WORDS], again[N_WORDS], ends[N_ENDS];
    arti_row row;
    if (!arti_rows_get(r, digest, words, ends, &row, patches)) return false;
    assert(memcmp(words, want, sizeof words) == 0 && memcmp(ends, want_ends, sizeof ends) == 0);
    if (row.n_patches != UINT32_MAX) {
        arti_row_copy(&row, again, N_WORDS);
        assert(memcmp(again, want, sizeof again) == 0);
    }
    return true;
}

static void *use_rows(void *ud) {
    arti_rows *r = ud;
    uint64_t seed = (uint64_t)(uintptr_t)&seed | 1u;
    uint32_t want[N_WORDS], found = 0;
    for (int i = 0; i < 20000; i++) {
        const uint64_t k = harness_random(&seed) % N_KEYS, digest[2] = {k * UINT64_C(0x9E3779B97F4A7C15), k};
        const uint32_t want_ends[N_ENDS] = {(uint32_t)k, 7, (uint32_t)k * 3};
        const arti_basis basis = make_row(k, want);
        if (get(r, digest, want, want_ends))
            found++;
        else
            put(r, digest, want, want_ends, basis);
    }
    assert(found > 0);
    return NULL;
}

static void test_rows(void) {
    arti_rows *r = arti_rows_new(N_WORDS, N_ENDS, NULL);
    assert(r && arti_rows_key(r));
    for (uint32_t i = 0; i < N_WORDS; i++) base[i] = i * 2654435761u, within[i] = ~(i * 40503u << 9);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert(pthread_create(&threads[i], NULL, use_rows, r) == 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert(arti_rows_memory(r) <= ARTI_ROWS_BYTES_MAX);
    arti_rows *other = arti_rows_new(N_WORDS, N_ENDS, NULL);
    assert(memcmp(arti_rows_key(r), arti_rows_key(other), 16) != 0);
    arti_rows_free(other);
    arti_rows_free(r);
    arti_rows_free(NULL);
}

/* Rows of more bytes than there may be: the newest are there, and older ones make room. */
static void test_large(void) {
    enum { WORDS = 4000, KEYS = 3000 };
    static uint32_t words[WORDS], found[WORDS];
    const uint32_t ends[N_ENDS] = {1, 2, 3};
    arti_rows *r = arti_rows_new(WORDS, N_ENDS, NULL);
    uint32_t n_there = 0;
    for (uint64_t k = 0; k < KEYS; k++) {
        arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
        const uint64_t digest[2] = {k * UINT64_C(0x9E3779B97F4A7C15) >> 7, k};
        uint32_t got[N_ENDS];
        for (uint32_t i = 0; i < WORDS; i++) words[i] = (uint32_t)k + i;
        arti_row row = arti_row_from(words, WORDS, (arti_basis){NULL, NULL}, patches);
        assert(row.n_patches == UINT32_MAX);
        arti_rows_put(r, digest, words, ends, &row);
        n_there += arti_rows_get(r, digest, found, got, &row, patches);
        if (k < 400) assert(n_there == k + 1 && memcmp(found, words, sizeof words) == 0);
        assert(arti_rows_memory(r) <= ARTI_ROWS_BYTES_MAX);
    }
    assert(n_there == KEYS);
    arti_rows_free(r);
}

/* Without memory nothing is kept, and nothing is lost but that. */
static void test_refused(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    arti_rows *r = arti_rows_new(N_WORDS, N_ENDS, &alloc);
    uint32_t words[N_WORDS];
    const uint32_t ends[N_ENDS] = {1, 2, 3};
    const uint64_t digest[2] = {1, 2};
    const arti_basis basis = make_row(3, words);
    h.budget = 0;
    put(r, digest, words, ends, basis);
    assert(!get(r, digest, words, ends));
    h.budget = -1;
    put(r, digest, words, ends, basis);
    assert(get(r, digest, words, ends));
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
    test_large();
    test_refused();
    test_digests();
    return 0;
}
