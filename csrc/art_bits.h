/* SPDX-License-Identifier: Apache-2.0
 *
 * art_bits.h: rows of bits, as token masks are (private to csrc).
 *
 * Purpose   copy, or, and, count over rows of 32-bit words. Bit i is bit i % 32 of word i / 32.
 * Threads   pure functions.
 * Cost      16 KB rows: about 0.3 us for copy and or. AVX2 is chosen at run time; the portable twins are plain loops that
 *           compilers turn into SSE2 or NEON. ART_NO_SIMD builds only the portable twins, which tests compare with the others. */
#ifndef ART_BITS_H
#define ART_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline size_t arti_bits_words(size_t n_bits) {
    return (n_bits + 31u) / 32u;
}
static inline void arti_bits_set(uint32_t *w, size_t i) {
    w[i >> 5] |= UINT32_C(1) << (i & 31u);
}
static inline void arti_bits_clear(uint32_t *w, size_t i) {
    w[i >> 5] &= ~(UINT32_C(1) << (i & 31u));
}
static inline bool arti_bits_test(const uint32_t *w, size_t i) {
    return (w[i >> 5] >> (i & 31u)) & 1u;
}

static inline void arti_bits_zero(uint32_t *dst, size_t n_words) {
    memset(dst, 0, n_words * sizeof *dst);
}

/* Index of the lowest set bit; v is not 0. */
static inline uint32_t arti_bits_lowest(uint32_t v) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctz(v);
#else
    uint32_t bit = 0;
    while (!(v >> bit & 1u)) bit++;
    return bit;
#endif
}

static inline uint32_t arti_bits_lowest64(uint64_t v) {
    const uint32_t low = (uint32_t)v;
    return low ? arti_bits_lowest(low) : 32 + arti_bits_lowest((uint32_t)(v >> 32));
}

static inline uint32_t arti_bits_count64(uint64_t v) {
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (uint32_t)(v * UINT64_C(0x0101010101010101) >> 56);
}

/* Is one of bits lo .. hi - 1 set? */
static inline bool arti_bits_any_in64(const uint64_t *bits, uint32_t lo, uint32_t hi) {
    for (uint32_t w = lo / 64; w * 64 < hi; w++) {
        uint64_t v = bits[w];
        if (w == lo / 64) v &= UINT64_MAX << (lo % 64);
        if (hi - w * 64 < 64) v &= (UINT64_C(1) << (hi - w * 64)) - 1;
        if (v) return true;
    }
    return false;
}

/* Memory that will be read soon. */
static inline void arti_prefetch(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#else
    (void)p;
#endif
}

/* Rows do not overlap. Not memcpy, which on some processors takes twenty times as long where the addresses lie badly to one another. */
void arti_bits_copy(uint32_t *dst, const uint32_t *src, size_t n_words);
void arti_bits_copy_and(uint32_t *dst, const uint32_t *a, const uint32_t *b, size_t n_words); /* dst = a & b */
void arti_bits_or(uint32_t *dst, const uint32_t *src, size_t n_words);                        /* dst |= src */
void arti_bits_and(uint32_t *dst, const uint32_t *src, size_t n_words);                       /* dst &= src */
void arti_bits_andnot(uint32_t *dst, const uint32_t *src, size_t n_words);                    /* dst &= ~src */
size_t arti_bits_count(const uint32_t *w, size_t n_words);
/* 0, 1 or 2; 2 stands for "two or more". Stops early: about nothing for dense rows. */
uint32_t arti_bits_count_to_two(const uint32_t *w, size_t n_words);
bool arti_bits_equal(const uint32_t *a, const uint32_t *b, size_t n_words);
/* Where a row differs from `b & within`: writes pairs of a word's index and its value in `a`, ascending; b NULL: a row of zeros, within
 * NULL: of ones. Returns how many, or UINT32_MAX when there are more than `cap`. */
typedef struct arti_bits_patch {
    uint32_t at, word;
} arti_bits_patch;
uint32_t arti_bits_diff(const uint32_t *a, const uint32_t *b, const uint32_t *within, size_t n_words,
                        arti_bits_patch *out, uint32_t cap);
/* Sets bits ids[0 .. n). */
void arti_bits_set_ids(uint32_t *w, const uint32_t *ids, size_t n);

/* What the functions above run on: "AVX2" or "portable". */
const char *arti_bits_variant(void);

/* The portable twins, for tests. */
void arti_bits_or_portable(uint32_t *dst, const uint32_t *src, size_t n_words);
void arti_bits_and_portable(uint32_t *dst, const uint32_t *src, size_t n_words);
void arti_bits_andnot_portable(uint32_t *dst, const uint32_t *src, size_t n_words);
size_t arti_bits_count_portable(const uint32_t *w, size_t n_words);
uint32_t arti_bits_diff_portable(const uint32_t *a, const uint32_t *b, const uint32_t *within, size_t n_words,
                                 arti_bits_patch *out, uint32_t cap);

#endif
