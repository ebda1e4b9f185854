/* SPDX-License-Identifier: Apache-2.0
 *
 * art_sample.h: choosing the next token (private to csrc; docs/sampling.md is the definition).
 *
 * Purpose   draw first, look at the constraint afterwards: arti_sampler_draw() chooses as if there were none; only when that choice
 *           is refused, arti_sampler_redraw() is given the mask. Together they draw exactly from the constrained distribution.
 * Owns      scratch rows of n_vocab entries, those that the parameters need, allocated by arti_sampler_start().
 * Threads   one caller at a time.
 * Errors    ART_E_ARG for parameters out of range; ART_E_NOMEM; a negative token when nothing can be chosen.
 * Cost      greedy: one vectorised pass. Temperature: two more. Filters: a heap of the likeliest candidates, no sort of the
 *           vocabulary. Nothing is allocated per token. */
#ifndef ART_SAMPLE_H
#define ART_SAMPLE_H

#include "art_mem.h"

typedef struct arti_sampler {
    arti_mem *mem;
    uint32_t n_vocab;
    art_sample_params p;
    art_bias *bias; /* copy of p.bias */
    size_t bias_cap;
    uint64_t counter; /* random numbers used since start */

    const float *raw;    /* logits of the present step, lent */
    const float *logits; /* the same with penalties and bias; == raw when there are none */
    float max;           /* largest of `logits` */
    bool all;            /* the candidates are the whole vocabulary: weight[id] */
    uint32_t n_kept;     /* else kept[0 .. n_kept) ascending, with weight[i] */

    /* rows of n_vocab entries; NULL when the parameters do not need them */
    float *adjusted, *weight, *gathered;
    uint32_t *kept, *heap, *count;
} arti_sampler;

/* ART_E_ARG when a parameter is out of its range. */
art_status arti_sample_check(const art_sample_params *p, uint32_t n_vocab, art_error *err);
void arti_sampler_init(arti_sampler *s, arti_mem *mem, uint32_t n_vocab);
void arti_sampler_free(arti_sampler *s);
art_status arti_sampler_start(arti_sampler *s, const art_sample_params *p, art_error *err);
/* The choice without a constraint. recent: the transcript's last tokens, for the penalties. -1: a NaN among the logits, or all of them
 * are -INFINITY. `logits` must stay valid until the last redraw of this step. */
int64_t arti_sampler_draw(arti_sampler *s, const float *logits, const int32_t *recent, size_t n_recent);
/* The choice after the drawn one was refused. -1: the mask is empty or only NaN is left. */
int64_t arti_sampler_redraw(arti_sampler *s, const uint32_t *mask);

#endif
