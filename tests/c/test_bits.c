/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_bits.h"
#include "art_find.h"
#include "art_simd.h"

#include <math.h>

enum { N_MAX = 70 };

static uint64_t seed = 0x123456789abcdefu;

static void random_row(uint32_t *w, size_t n) {
    uint64_t density = harness_random(&seed) % 4;
    for (size_t i = 0; i < n; i++) {
        w[i] = (uint32_t)harness_random(&seed);
        for (uint64_t k = 0; k < density; k++) w[i] &= (uint32_t)harness_random(&seed);
        if (harness_random(&seed) % 8 == 0) w[i] = density ? 0 : UINT32_MAX;
    }
}

static void test_rows(void) {
    for (size_t n = 0; n <= N_MAX; n++) {
        uint32_t a[N_MAX + 1], b[N_MAX + 1], x[N_MAX + 1], y[N_MAX + 1];
        random_row(a, N_MAX + 1), random_row(b, N_MAX + 1);
        static void (*const fast[])(uint32_t *, const uint32_t *, size_t) = {arti_bits_or, arti_bits_and,
                                                                             arti_bits_andnot};
        static void (*const plain[])(uint32_t *, const uint32_t *, size_t) = {
            arti_bits_or_portable, arti_bits_and_portable, arti_bits_andnot_portable};
        for (int k = 0; k < 3; k++) {
            memcpy(x, a, sizeof a), memcpy(y, a, sizeof a);
            fast[k](x, b, n), plain[k](y, b, n);
            assert(memcmp(x, y, sizeof x) == 0 && x[n] == a[n]);
            for (size_t i = 0; i < n; i++) {
                uint32_t want = k == 0 ? a[i] | b[i] : k == 1 ? a[i] & b[i] : a[i] & ~b[i];
                assert(x[i] == want);
            }
        }
        size_t count = 0;
        for (size_t i = 0; i < n * 32; i++) count += arti_bits_test(a, i);
        assert(arti_bits_count(a, n) == count && arti_bits_count_portable(a, n) == count);
        assert(arti_bits_count_to_two(a, n) == (count < 2 ? count : 2));
        memset(x, 0, sizeof x);
        assert(arti_bits_count_to_two(x, n) == 0);
        for (size_t i = 0; i < n * 32; i += 7) {
            arti_bits_set(x, i);
            assert(arti_bits_count_to_two(x, n) == 1);
            arti_bits_clear(x, i);
        }
        if (n > 1) {
            arti_bits_set_ids(x, (const uint32_t[]){3, (uint32_t)n * 32 - 1}, 2);
            assert(arti_bits_count_to_two(x, n) == 2 && arti_bits_count(x, n) == 2 && !arti_bits_equal(x, a, n));
            assert(arti_bits_equal(a, a, n));
        }
    }
}

static void test_copy(void) {
    uint32_t from[N_MAX + 8], to[N_MAX + 16];
    random_row(from, N_MAX + 8);
    for (size_t n = 0; n <= N_MAX; n++)
        for (size_t at = 0; at < 8; at++) {
            memset(to, 0x5A, sizeof to);
            arti_bits_copy(to + at, from + 7 - at, n);
            assert(memcmp(to + at, from + 7 - at, n * sizeof *to) == 0);
            assert(to[at + n] == 0x5A5A5A5A && (at == 0 || to[at - 1] == 0x5A5A5A5A));
            arti_bits_copy_and(to + at, from + 7 - at, from, n);
            for (size_t i = 0; i < n; i++) assert(to[at + i] == (from[7 - at + i] & from[i]));
            assert(to[at + n] == 0x5A5A5A5A && (at == 0 || to[at - 1] == 0x5A5A5A5A));
        }
}

static void check_diff(const uint32_t *a, const uint32_t *b, const uint32_t *within, uint32_t n) {
    arti_bits_patch fast[N_MAX + 1], plain[N_MAX + 1];
    uint32_t row[N_MAX + 1] = {0};
    const uint32_t found = arti_bits_diff(a, b, within, n, fast, N_MAX);
    assert(found <= n && found == arti_bits_diff_portable(a, b, within, n, plain, N_MAX));
    for (uint32_t i = 0; i < n && b; i++) row[i] = b[i] & (within ? within[i] : UINT32_MAX);
    for (uint32_t i = 0; i < found; i++) {
        assert(fast[i].at == plain[i].at && fast[i].word == plain[i].word && row[fast[i].at] != fast[i].word);
        assert(i == 0 || fast[i].at > fast[i - 1].at);
        row[fast[i].at] = fast[i].word;
    }
    assert(memcmp(row, a, n * sizeof *row) == 0);
    if (found == 0) return;
    fast[found - 1].word = 77;
    assert(arti_bits_diff(a, b, within, n, fast, found - 1) == UINT32_MAX && fast[found - 1].word == 77);
    assert(arti_bits_diff_portable(a, b, within, n, plain, found - 1) == UINT32_MAX);
}

static void test_diff(void) {
    for (uint32_t n = 0; n <= N_MAX; n++) {
        uint32_t a[N_MAX + 1], b[N_MAX + 1], within[N_MAX + 1];
        random_row(a, N_MAX + 1);
        memcpy(b, a, sizeof a);
        check_diff(a, b, NULL, n);
        check_diff(a, NULL, NULL, n);
        for (uint32_t k = 0; k < 9 && n; k++) b[harness_random(&seed) % n] ^= 1u << harness_random(&seed) % 32;
        check_diff(a, b, NULL, n);
        random_row(b, N_MAX + 1);
        check_diff(a, b, NULL, n);
        random_row(within, N_MAX + 1);
        check_diff(a, b, within, n);
        for (uint32_t i = 0; i < n; i++) a[i] = b[i] & within[i];
        check_diff(a, b, within, n);
    }
}

static double exact_sum(const float *x, size_t n, const uint32_t *mask, float max, float scale) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!mask || arti_bits_test(mask, i)) sum += exp(((double)x[i] - (double)max) * (double)scale);
    return sum;
}

static void test_logits(void) {
    enum { N = 1003 };
    static float x[N], out[N], twin[N];
    uint32_t row[(N + 31) / 32], ids[N], ids2[N];
    for (int round = 0; round < 400; round++) {
        size_t n = harness_random(&seed) % (N + 1);
        const uint32_t *mask = NULL;
        if (round % 3) {
            random_row(row, arti_bits_words(N));
            mask = row;
        }
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)((int64_t)(harness_random(&seed) % 4001) - 2000) / 50.0f;
            if (harness_random(&seed) % 16 == 0) x[i] = -INFINITY;
        }
        int64_t at = art_argmax(x, n, mask), want = -1;
        for (size_t i = 0; i < n; i++)
            if ((!mask || arti_bits_test(mask, i)) && x[i] > -INFINITY && (want < 0 || x[i] > x[want]))
                want = (int64_t)i;
        assert(at == want && arti_argmax_portable(x, n, mask) == want);
        if (at < 0) continue;
        float scale = round % 5 ? 1.0f / 0.7f : 3.0f;
        double sum = arti_softmax(out, x, n, mask, x[at], scale),
               sum2 = arti_softmax_portable(twin, x, n, mask, x[at], scale);
        double exact = exact_sum(x, n, mask, x[at], scale);
        assert(fabs(sum - exact) <= 1e-5 * exact && fabs(sum2 - exact) <= 1e-5 * exact);
        assert(sum == arti_softmax(out, x, n, mask, x[at], scale));
        for (size_t i = 0; i < n; i++) {
            bool on = !mask || arti_bits_test(mask, i);
            double e = on ? exp((double)((x[i] - x[at]) * scale)) : 0;
            if (e < 1e-37) e = 0;
            assert(fabs((double)out[i] - e) <= 3e-7 * e + 1e-37 && fabs((double)twin[i] - e) <= 3e-7 * e + 1e-37);
        }
        float threshold = x[at] - (float)(harness_random(&seed) % 40);
        size_t cap = round % 4 ? N : 5;
        size_t k = arti_select_ge(x, n, mask, threshold, ids, cap),
               k2 = arti_select_ge_portable(x, n, mask, threshold, ids2, cap), k3 = 0;
        for (size_t i = 0; i < n; i++) k3 += (!mask || arti_bits_test(mask, i)) && x[i] >= threshold;
        assert(k == k3 && k2 == k3 && memcmp(ids, ids2, (k < cap ? k : cap) * sizeof *ids) == 0);
        size_t bad = harness_random(&seed) % n;
        float keep = x[bad];
        x[bad] = NAN;
        bool seen = !mask || arti_bits_test(mask, bad);
        assert((art_argmax(x, n, mask) == -1) ==
               (seen || want < 0 || ((size_t)want == bad && art_argmax(x, n, mask) == -1)));
        if (seen) assert(arti_argmax_portable(x, n, mask) == -1 && isnan(arti_softmax(out, x, n, mask, keep, 1)));
    }
    assert(art_argmax(x, 0, NULL) == -1);
}

/* Words in texts of few letters, where all but the last byte is often met. */
static void test_find(void) {
    for (int round = 0; round < 20000; round++) {
        uint8_t text[130], word[40];
        const size_t n = harness_random(&seed) % sizeof text, len = 1 + harness_random(&seed) % (round % 2 ? 3 : 39);
        const size_t from = harness_random(&seed) % (n + 2);
        const uint64_t letters = 1 + harness_random(&seed) % 3;
        for (size_t i = 0; i < n; i++) text[i] = (uint8_t)('a' + harness_random(&seed) % letters);
        for (size_t i = 0; i < len; i++) word[i] = (uint8_t)('a' + harness_random(&seed) % letters);
        if (n >= len && round % 3) memcpy(text + harness_random(&seed) % (n - len + 1), word, len);
        size_t want = from;
        while (want + len <= n && memcmp(text + want, word, len) != 0) want++;
        if (want + len > n) want = SIZE_MAX;
        uint8_t *exact = malloc(n + 1); /* so that a read behind the text is found */
        assert(exact);
        memcpy(exact + 1, text, n);
        assert(arti_find(exact + 1, n, from, word, len) == want);
        assert(arti_find_portable(exact + 1, n, from, word, len) == want);
        free(exact);
    }
}

int main(void) {
    test_find();
    test_rows();
    test_copy();
    test_diff();
    test_logits();
    return 0;
}
