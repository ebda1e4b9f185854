/* SPDX-License-Identifier: Apache-2.0 */
#include "art_bits.h"

#if !defined(ART_NO_SIMD) && defined(__x86_64__) && defined(__GNUC__)
#define USE_AVX2 1
#include <immintrin.h>
#else
#define USE_AVX2 0
#endif

static void copy_portable(uint32_t *dst, const uint32_t *src, size_t n_words) {
    memcpy(dst, src, n_words * sizeof *dst);
}

static void copy_and_portable(uint32_t *dst, const uint32_t *a, const uint32_t *b, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) dst[i] = a[i] & b[i];
}

void arti_bits_or_portable(uint32_t *dst, const uint32_t *src, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) dst[i] |= src[i];
}

void arti_bits_and_portable(uint32_t *dst, const uint32_t *src, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) dst[i] &= src[i];
}

void arti_bits_andnot_portable(uint32_t *dst, const uint32_t *src, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) dst[i] &= ~src[i];
}

static inline uint32_t count_word(uint32_t w) {
    w -= (w >> 1) & 0x55555555u;
    w = (w & 0x33333333u) + ((w >> 2) & 0x33333333u);
    w = (w + (w >> 4)) & 0x0F0F0F0Fu;
    return (w * 0x01010101u) >> 24;
}

size_t arti_bits_count_portable(const uint32_t *w, size_t n_words) {
    size_t n = 0;
    for (size_t i = 0; i < n_words; i++) n += count_word(w[i]);
    return n;
}

#define BLOCK 32u /* words that are compared at once */
static const uint32_t zeros[BLOCK];

/* Where the rows of arti_bits_diff() stand, `at` words on. */
static inline const uint32_t *block_at(const uint32_t *row, size_t at) {
    return row ? row + at : zeros;
}

/* The differences of up to BLOCK words, the first of which is word `at` of its row. */
static inline bool diff_block(const uint32_t *a, const uint32_t *b, const uint32_t *within, size_t at, size_t n,
                              arti_bits_patch *out, uint32_t *n_out, uint32_t cap) {
    for (size_t i = 0; i < n; i++) {
        if (a[i] == (within ? b[i] & within[i] : b[i])) continue;
        if (*n_out == cap) return false;
        out[(*n_out)++] = (arti_bits_patch){(uint32_t)(at + i), a[i]};
    }
    return true;
}

uint32_t arti_bits_diff_portable(const uint32_t *a, const uint32_t *b, const uint32_t *within, size_t n_words,
                                 arti_bits_patch *out, uint32_t cap) {
    uint32_t n_out = 0;
    for (size_t i = 0; i < n_words; i += BLOCK) {
        const size_t n = n_words - i < BLOCK ? n_words - i : BLOCK;
        if (!within && memcmp(a + i, block_at(b, i), n * sizeof *a) == 0) continue;
        if (!diff_block(a + i, block_at(b, i), within ? within + i : NULL, i, n, out, &n_out, cap)) return UINT32_MAX;
    }
    return n_out;
}

#if USE_AVX2

static inline bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

/* dst[i] = dst[i] op src[i] over whole vectors; the portable twin does the rest. */
#define DEFINE_AVX2(name, expression)                                                                                  \
    __attribute__((target("avx2"))) static void name##_avx2(uint32_t *dst, const uint32_t *src, size_t n_words) {      \
        size_t i = 0;                                                                                                  \
        for (; i + 16 <= n_words; i += 16) {                                                                           \
            __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(dst + i));                                  \
            __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(src + i));                                  \
            __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(dst + i + 8));                              \
            __m256i d = _mm256_loadu_si256((const __m256i *)(const void *)(src + i + 8));                              \
            _mm256_storeu_si256((__m256i *)(void *)(dst + i), expression(b, a));                                       \
            _mm256_storeu_si256((__m256i *)(void *)(dst + i + 8), expression(d, c));                                   \
        }                                                                                                              \
        name##_portable(dst + i, src + i, n_words - i);                                                                \
    }
DEFINE_AVX2(arti_bits_or, _mm256_or_si256)
DEFINE_AVX2(arti_bits_and, _mm256_and_si256)
DEFINE_AVX2(arti_bits_andnot, _mm256_andnot_si256)
#undef DEFINE_AVX2

__attribute__((target("popcnt"))) static size_t count_popcnt(const uint32_t *w, size_t n_words) {
    size_t n = 0, i = 0;
    for (; i + 2 <= n_words; i += 2) {
        uint64_t pair;
        memcpy(&pair, w + i, sizeof pair);
        n += (size_t)_mm_popcnt_u64(pair);
    }
    return i < n_words ? n + count_word(w[i]) : n;
}

__attribute__((target("avx2"))) static inline __m256i load(const uint32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

__attribute__((target("avx2"))) static inline void store(uint32_t *p, __m256i v) {
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

__attribute__((target("avx2"))) static void copy_avx2(uint32_t *dst, const uint32_t *src, size_t n_words) {
    size_t i = 0;
    if (n_words >= BLOCK) { /* to where dst is aligned */
        store(dst, load(src));
        i = (32 - (uintptr_t)dst % 32) / sizeof *dst;
    }
    for (; i + BLOCK <= n_words; i += BLOCK) {
        const __m256i a = load(src + i), b = load(src + i + 8), c = load(src + i + 16), d = load(src + i + 24);
        store(dst + i, a);
        store(dst + i + 8, b);
        store(dst + i + 16, c);
        store(dst + i + 24, d);
    }
    copy_portable(dst + i, src + i, n_words - i);
}

__attribute__((target("avx2"))) static void copy_and_avx2(uint32_t *dst, const uint32_t *a, const uint32_t *b,
                                                          size_t n_words) {
    size_t i = 0;
    for (; i + 16 <= n_words; i += 16) {
        const __m256i x = _mm256_and_si256(load(a + i), load(b + i)),
                      y = _mm256_and_si256(load(a + i + 8), load(b + i + 8));
        store(dst + i, x);
        store(dst + i + 8, y);
    }
    copy_and_portable(dst + i, a + i, b + i, n_words - i);
}

__attribute__((target("avx2"))) static inline __m256i differing(const uint32_t *a, const uint32_t *b,
                                                                const uint32_t *within) {
    return _mm256_xor_si256(load(a), within ? _mm256_and_si256(load(b), load(within)) : load(b));
}

__attribute__((target("avx2"))) static uint32_t diff_avx2(const uint32_t *a, const uint32_t *b, const uint32_t *within,
                                                          size_t n_words, arti_bits_patch *out, uint32_t cap) {
    uint32_t n_out = 0;
    size_t i = 0;
    for (; i + BLOCK <= n_words; i += BLOCK) { /* most blocks are equal */
        const uint32_t *x = a + i, *y = block_at(b, i), *in = within ? within + i : NULL;
        const __m256i d0 = differing(x, y, in), d1 = differing(x + 8, y + 8, in ? in + 8 : NULL),
                      d2 = differing(x + 16, y + 16, in ? in + 16 : NULL),
                      d3 = differing(x + 24, y + 24, in ? in + 24 : NULL);
        const __m256i any = _mm256_or_si256(_mm256_or_si256(d0, d1), _mm256_or_si256(d2, d3));
        if (_mm256_testz_si256(any, any)) continue;
        const __m256i zero = _mm256_setzero_si256();
        const uint32_t e0 = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(d0, zero)));
        const uint32_t e1 = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(d1, zero)));
        const uint32_t e2 = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(d2, zero)));
        const uint32_t e3 = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(d3, zero)));
        for (uint32_t bits = ~(e0 | e1 << 8 | e2 << 16 | e3 << 24); bits; bits &= bits - 1) {
            if (n_out == cap) return UINT32_MAX;
            const size_t at = i + arti_bits_lowest(bits);
            out[n_out++] = (arti_bits_patch){(uint32_t)at, a[at]};
        }
    }
    if (!diff_block(a + i, block_at(b, i), within ? within + i : NULL, i, n_words - i, out, &n_out, cap))
        return UINT32_MAX;
    return n_out;
}

#define DISPATCH(simd, portable) (has_avx2() ? simd : portable)
#else
#define DISPATCH(simd, portable) portable
#endif

void arti_bits_copy(uint32_t *dst, const uint32_t *src, size_t n_words) {
    DISPATCH(copy_avx2, copy_portable)(dst, src, n_words);
}

void arti_bits_copy_and(uint32_t *dst, const uint32_t *a, const uint32_t *b, size_t n_words) {
    DISPATCH(copy_and_avx2, copy_and_portable)(dst, a, b, n_words);
}

void arti_bits_or(uint32_t *dst, const uint32_t *src, size_t n_words) {
    DISPATCH(arti_bits_or_avx2, arti_bits_or_portable)(dst, src, n_words);
}

void arti_bits_and(uint32_t *dst, const uint32_t *src, size_t n_words) {
    DISPATCH(arti_bits_and_avx2, arti_bits_and_portable)(dst, src, n_words);
}

void arti_bits_andnot(uint32_t *dst, const uint32_t *src, size_t n_words) {
    DISPATCH(arti_bits_andnot_avx2, arti_bits_andnot_portable)(dst, src, n_words);
}

uint32_t arti_bits_diff(const uint32_t *a, const uint32_t *b, const uint32_t *within, size_t n_words,
                        arti_bits_patch *out, uint32_t cap) {
    return DISPATCH(diff_avx2, arti_bits_diff_portable)(a, b, b ? within : NULL, n_words, out, cap);
}

size_t arti_bits_count(const uint32_t *w, size_t n_words) {
    return DISPATCH(count_popcnt, arti_bits_count_portable)(w, n_words);
}

uint32_t arti_bits_count_to_two(const uint32_t *w, size_t n_words) {
    uint32_t n = 0;
    size_t i = 0;
    while (i < n_words && n < 2) {
        uint64_t block = 0; /* skip runs of empty words quickly */
        for (; i + 8 <= n_words; i += 8) {
            block = 0;
            for (size_t k = 0; k < 8; k++) block |= w[i + k];
            if (block) break;
        }
        size_t end = i + 8 < n_words ? i + 8 : n_words;
        for (; i < end && n < 2; i++)
            if (w[i]) n += w[i] & (w[i] - 1) ? 2 : 1;
    }
    return n < 2 ? n : 2;
}

bool arti_bits_equal(const uint32_t *a, const uint32_t *b, size_t n_words) {
    return memcmp(a, b, n_words * sizeof *a) == 0;
}

void arti_bits_set_ids(uint32_t *w, const uint32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) arti_bits_set(w, ids[i]);
}

const char *arti_bits_variant(void) {
#if USE_AVX2
    if (has_avx2()) return "AVX2";
#endif
    return "portable";
}
