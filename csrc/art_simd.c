/* SPDX-License-Identifier: Apache-2.0
 *
 * All passes go over blocks of 32 values, one word of the mask: empty words are skipped. */
#include "art_simd.h"

#include <math.h>
#include <string.h>

#if !defined(ART_NO_SIMD) && defined(__x86_64__) && defined(__GNUC__)
#define USE_AVX2 1
#include <immintrin.h>
#else
#define USE_AVX2 0
#endif

/* The mask word of block b, without the bits past n. */
static inline uint32_t block_mask(const uint32_t *mask, size_t b, size_t n) {
    uint32_t w = mask ? mask[b] : UINT32_MAX;
    size_t left = n - b * 32;
    return left >= 32 ? w : w & ((UINT32_C(1) << left) - 1);
}

static inline unsigned lowest_bit(uint32_t w) { /* w is not 0 */
#if defined(__GNUC__)
    return (unsigned)__builtin_ctz(w);
#else
    unsigned i = 0;
    for (; !(w & 1u); w >>= 1) i++;
    return i;
#endif
}

/* ------------------------------------------------------------------ portable */

int64_t arti_argmax_portable(const float *x, size_t n, const uint32_t *mask) {
    float best = -INFINITY;
    int64_t at = -1;
    for (size_t b = 0; b * 32 < n; b++)
        for (uint32_t w = block_mask(mask, b, n); w; w &= w - 1) {
            size_t i = b * 32 + lowest_bit(w);
            if (x[i] != x[i]) return -1;
            if (x[i] > best) best = x[i], at = (int64_t)i;
        }
    return at;
}

/* exp(v) for v <= 0: 2^k * e^r with |r| <= ln(2) / 2, e^r by its Taylor polynomial of degree 7 (error below 1e-8). */
#define EXP_LOWEST -87.0f
#define LOG2_E 1.44269504088896341f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
static const float exp_coef[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

static inline float exp_negative(float v) {
    if (v < EXP_LOWEST) return 0.0f;
    int32_t k = (int32_t)(v * LOG2_E - 0.5f); /* truncation rounds up: v is not positive */
    float kf = (float)k, r = v - kf * LN2_HIGH - kf * LN2_LOW;
    float p = exp_coef[0];
    for (size_t i = 1; i < sizeof exp_coef / sizeof *exp_coef; i++) p = p * r + exp_coef[i];
    uint32_t bits = (uint32_t)(k + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

double arti_softmax_portable(float *out, const float *x, size_t n, const uint32_t *mask, float max, float scale) {
    double sum = 0;
    bool bad = false;
    for (size_t b = 0; b * 32 < n; b++) {
        uint32_t w = block_mask(mask, b, n);
        size_t end = b * 32 + 32 < n ? b * 32 + 32 : n;
        for (size_t i = b * 32; i < end; i++, w >>= 1) {
            float d = (x[i] - max) * scale;
            if (!(w & 1u)) {
                out[i] = 0;
                continue;
            }
            bad |= d != d;
            out[i] = d <= 0 ? exp_negative(d) : 1.0f;
            sum += (double)out[i];
        }
    }
    return bad ? (double)NAN : sum;
}

size_t arti_select_ge_portable(const float *x, size_t n, const uint32_t *mask, float threshold, uint32_t *ids,
                               size_t cap) {
    size_t found = 0;
    for (size_t b = 0; b * 32 < n; b++)
        for (uint32_t w = block_mask(mask, b, n); w; w &= w - 1) {
            size_t i = b * 32 + lowest_bit(w);
            if (!(x[i] >= threshold)) continue;
            if (found < cap) ids[found] = (uint32_t)i;
            found++;
        }
    return found;
}

/* ------------------------------------------------------------------ AVX2 */

#if USE_AVX2

static inline bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* Lanes whose bit is set among the low 8 bits of w. */
__attribute__((target("avx2,fma"))) static inline __m256 lanes(uint32_t w) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i v = _mm256_and_si256(_mm256_set1_epi32((int)w), bit);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(v, bit));
}

/* Largest allowed value of all whole blocks; *nan when an allowed one is NaN. */
__attribute__((target("avx2,fma"))) static float max_avx2(const float *x, size_t n_blocks, const uint32_t *mask,
                                                          bool *nan) {
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 m0 = lowest, m1 = lowest, m2 = lowest, m3 = lowest, bad = _mm256_setzero_ps();
    for (size_t b = 0; b < n_blocks; b++) {
        uint32_t w = mask ? mask[b] : UINT32_MAX;
        if (w == 0) continue;
        const float *p = x + b * 32;
        __m256 a = _mm256_loadu_ps(p), c = _mm256_loadu_ps(p + 8), d = _mm256_loadu_ps(p + 16),
               e = _mm256_loadu_ps(p + 24);
        if (w != UINT32_MAX) {
            a = _mm256_blendv_ps(lowest, a, lanes(w));
            c = _mm256_blendv_ps(lowest, c, lanes(w >> 8));
            d = _mm256_blendv_ps(lowest, d, lanes(w >> 16));
            e = _mm256_blendv_ps(lowest, e, lanes(w >> 24));
        }
        bad = _mm256_or_ps(bad, _mm256_or_ps(_mm256_cmp_ps(a, c, _CMP_UNORD_Q), _mm256_cmp_ps(d, e, _CMP_UNORD_Q)));
        m0 = _mm256_max_ps(m0, a);
        m1 = _mm256_max_ps(m1, c);
        m2 = _mm256_max_ps(m2, d);
        m3 = _mm256_max_ps(m3, e);
    }
    *nan = _mm256_movemask_ps(bad) != 0;
    float lane[8], best = -INFINITY;
    _mm256_storeu_ps(lane, _mm256_max_ps(_mm256_max_ps(m0, m1), _mm256_max_ps(m2, m3)));
    for (int i = 0; i < 8; i++) best = lane[i] > best ? lane[i] : best;
    return best;
}

/* Bits of a block's values for which the comparison with v holds. */
#define COMPARE_BLOCK(p, v, op)                                                                                        \
    ((uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(p), v, op)) |                                          \
     (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps((p) + 8), v, op)) << 8 |                               \
     (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps((p) + 16), v, op)) << 16 |                             \
     (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps((p) + 24), v, op)) << 24)

__attribute__((target("avx2,fma"))) static int64_t argmax_avx2(const float *x, size_t n, const uint32_t *mask) {
    size_t blocks = n / 32;
    bool nan;
    float best = max_avx2(x, blocks, mask, &nan);
    if (nan) return -1;
    size_t rest = blocks * 32;
    int64_t tail = -1;
    if (rest < n) {
        for (size_t i = rest; i < n; i++)
            if ((!mask || (mask[i >> 5] >> (i & 31u) & 1u)) && x[i] != x[i]) return -1;
        tail = arti_argmax_portable(x + rest, n - rest, mask ? mask + blocks : NULL);
        if (tail >= 0 && x[rest + (size_t)tail] > best) return (int64_t)rest + tail;
    }
    if (best == -INFINITY) return -1;
    const __m256 v = _mm256_set1_ps(best);
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w = mask ? mask[b] : UINT32_MAX;
        if (w == 0) continue;
        w &= COMPARE_BLOCK(x + b * 32, v, _CMP_EQ_OQ);
        if (w) return (int64_t)(b * 32 + lowest_bit(w));
    }
    return -1;
}

__attribute__((target("avx2,fma"))) static inline __m256 exp_avx2(__m256 v) {
    __m256 under = _mm256_cmp_ps(v, _mm256_set1_ps(EXP_LOWEST), _CMP_LT_OQ);
    v = _mm256_max_ps(v, _mm256_set1_ps(EXP_LOWEST));
    __m256 k = _mm256_round_ps(_mm256_mul_ps(v, _mm256_set1_ps(LOG2_E)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(LN2_HIGH), v);
    r = _mm256_fnmadd_ps(k, _mm256_set1_ps(LN2_LOW), r);
    __m256 p = _mm256_set1_ps(exp_coef[0]);
    for (size_t i = 1; i < sizeof exp_coef / sizeof *exp_coef; i++)
        p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(exp_coef[i]));
    __m256i e = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127)), 23);
    return _mm256_andnot_ps(under, _mm256_mul_ps(p, _mm256_castsi256_ps(e)));
}

__attribute__((target("avx2,fma"))) static double softmax_avx2(float *out, const float *x, size_t n,
                                                               const uint32_t *mask, float max, float scale) {
    const __m256 vmax = _mm256_set1_ps(max), vscale = _mm256_set1_ps(scale), zero = _mm256_setzero_ps();
    __m256d s0 = _mm256_setzero_pd(), s1 = s0;
    __m256 bad = zero;
    size_t blocks = n / 32;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w = mask ? mask[b] : UINT32_MAX;
        float *o = out + b * 32;
        if (w == 0) {
            memset(o, 0, 32 * sizeof *o);
            continue;
        }
        for (unsigned k = 0; k < 32; k += 8) {
            __m256 on = lanes(w >> k);
            __m256 d = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + b * 32 + k), vmax), vscale);
            bad = _mm256_or_ps(bad, _mm256_and_ps(on, _mm256_cmp_ps(d, d, _CMP_UNORD_Q)));
            __m256 e = _mm256_and_ps(on, exp_avx2(_mm256_min_ps(d, zero)));
            _mm256_storeu_ps(o + k, e);
            s0 = _mm256_add_pd(s0, _mm256_cvtps_pd(_mm256_castps256_ps128(e)));
            s1 = _mm256_add_pd(s1, _mm256_cvtps_pd(_mm256_extractf128_ps(e, 1)));
        }
    }
    if (_mm256_movemask_ps(bad)) return (double)NAN;
    double lane[4];
    _mm256_storeu_pd(lane, _mm256_add_pd(s0, s1));
    double sum = lane[0] + lane[1] + (lane[2] + lane[3]);
    size_t rest = blocks * 32;
    if (rest < n) sum += arti_softmax_portable(out + rest, x + rest, n - rest, mask ? mask + blocks : NULL, max, scale);
    return sum;
}

__attribute__((target("avx2,fma"))) static size_t select_ge_avx2(const float *x, size_t n, const uint32_t *mask,
                                                                 float threshold, uint32_t *ids, size_t cap) {
    const __m256 v = _mm256_set1_ps(threshold);
    size_t blocks = n / 32, found = 0;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w = mask ? mask[b] : UINT32_MAX;
        if (w == 0) continue;
        w &= COMPARE_BLOCK(x + b * 32, v, _CMP_GE_OQ);
        for (; w; w &= w - 1) {
            if (found < cap) ids[found] = (uint32_t)(b * 32 + lowest_bit(w));
            found++;
        }
    }
    size_t rest = blocks * 32, room = found < cap ? cap - found : 0;
    if (rest == n) return found;
    size_t more =
        arti_select_ge_portable(x + rest, n - rest, mask ? mask + blocks : NULL, threshold, ids + (cap - room), room);
    for (size_t i = 0; i < more && i < room; i++) ids[cap - room + i] += (uint32_t)rest;
    return found + more;
}

#define DISPATCH(simd, portable) (has_avx2() ? simd : portable)
#else
#define DISPATCH(simd, portable) portable
#endif

int64_t art_argmax(const float *logits, size_t n, const uint32_t *mask) {
    return DISPATCH(argmax_avx2, arti_argmax_portable)(logits, n, mask);
}

double arti_softmax(float *out, const float *x, size_t n, const uint32_t *mask, float max, float scale) {
    return DISPATCH(softmax_avx2, arti_softmax_portable)(out, x, n, mask, max, scale);
}

size_t arti_select_ge(const float *x, size_t n, const uint32_t *mask, float threshold, uint32_t *ids, size_t cap) {
    return DISPATCH(select_ge_avx2, arti_select_ge_portable)(x, n, mask, threshold, ids, cap);
}
