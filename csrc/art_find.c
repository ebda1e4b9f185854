/* SPDX-License-Identifier: Apache-2.0 */
#include "art_find.h"

#include "art_bits.h"

#if !defined(ART_NO_SIMD) && defined(__x86_64__) && defined(__GNUC__)
#define USE_AVX2 1
#include <immintrin.h>
#else
#define USE_AVX2 0
#endif

/* Place of the byte that texts have least often, as far as the most usual letters tell. */
static size_t rarest_of(const uint8_t *word, size_t len) {
    static const char usual[] = "etaoinsr lcdhumpgf"; /* the earlier, the more often */
    size_t best = 0, best_rank = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = word[i] ? strchr(usual, word[i]) : NULL;
        const size_t rank = at ? (size_t)(at - usual) + 1 : sizeof usual;
        if (rank <= best_rank) continue;
        best = i;
        best_rank = rank;
    }
    return best;
}

size_t arti_find_portable(const uint8_t *text, size_t n, size_t from, const uint8_t *word, size_t len) {
    const size_t k = rarest_of(word, len);
    while (len <= n && from <= n - len) {
        const uint8_t *at = memchr(text + from + k, word[k], n - len - from + 1);
        if (!at) break;
        if (memcmp(at - k, word, len) == 0) return (size_t)(at - k - text);
        from = (size_t)(at - k - text) + 1;
    }
    return SIZE_MAX;
}

#if USE_AVX2

/* First and last byte are compared in 32 places at a time (W. Mula, "SIMD-friendly algorithms for substring searching"). */
__attribute__((target("avx2"))) static size_t find_avx2(const uint8_t *text, size_t n, size_t from, const uint8_t *word,
                                                        size_t len) {
    const __m256i first = _mm256_set1_epi8((char)word[0]), last = _mm256_set1_epi8((char)word[len - 1]);
    for (; len <= n && from + len + 31 <= n; from += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(text + from));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(text + from + len - 1));
        const __m256i both = _mm256_and_si256(_mm256_cmpeq_epi8(a, first), _mm256_cmpeq_epi8(b, last));
        for (uint32_t bits = (uint32_t)_mm256_movemask_epi8(both); bits; bits &= bits - 1) {
            const size_t at = from + arti_bits_lowest(bits);
            if (memcmp(text + at, word, len) == 0) return at;
        }
    }
    return arti_find_portable(text, n, from, word, len);
}

bool arti_find_is_fast(void) {
    return __builtin_cpu_supports("avx2");
}

size_t arti_find(const uint8_t *text, size_t n, size_t from, const uint8_t *word, size_t len) {
    return (arti_find_is_fast() ? find_avx2 : arti_find_portable)(text, n, from, word, len);
}

#else

bool arti_find_is_fast(void) {
    return false;
}

size_t arti_find(const uint8_t *text, size_t n, size_t from, const uint8_t *word, size_t len) {
    return arti_find_portable(text, n, from, word, len);
}

#endif
