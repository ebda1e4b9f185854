/* SPDX-License-Identifier: Apache-2.0
 *
 * art_simd.h: passes over the logits of a vocabulary (private to csrc; art_argmax is public, see art.h).
 *
 * Purpose   the vector work of a sampler: largest value, exponentials and their sum, values above a threshold.
 * Threads   pure functions.
 * Errors    a NaN among the allowed values is reported, never propagated.
 * Cost      128k floats: argmax about 5 us, softmax about 90 us with AVX2 (chosen at run time). ART_NO_SIMD builds only the portable twins.
 *
 * `mask` is a row of bits as in art_bits.h, NULL for "all allowed"; values whose bit is clear are not looked at. -INFINITY is an
 * ordinary value that is never chosen. */
#ifndef ART_SIMD_H
#define ART_SIMD_H

#include "art.h"
#include <stdbool.h>

/* out[i] = exp((x[i] - max) * scale) for allowed i, else 0. out may be x. Returns the sum (accumulated in double, in a fixed order:
 * the same input gives the same bits on one machine); NaN when an allowed value is NaN or +INFINITY. `max` is the largest
 * allowed value, from art_argmax. Relative error of each exponential below 2e-7. */
double arti_softmax(float *out, const float *x, size_t n, const uint32_t *mask, float max, float scale);
/* Ids of allowed i with x[i] >= threshold, ascending; returns how many there are and writes at most cap of them. */
size_t arti_select_ge(const float *x, size_t n, const uint32_t *mask, float threshold, uint32_t *ids, size_t cap);

/* The portable twins, for tests. */
int64_t arti_argmax_portable(const float *x, size_t n, const uint32_t *mask);
double arti_softmax_portable(float *out, const float *x, size_t n, const uint32_t *mask, float max, float scale);
size_t arti_select_ge_portable(const float *x, size_t n, const uint32_t *mask, float threshold, uint32_t *ids,
                               size_t cap);

#endif
