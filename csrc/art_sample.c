/* SPDX-License-Identifier: Apache-2.0 */
#include "art_sample.h"

#include "art_bits.h"
#include "art_simd.h"
#include <float.h>
#include <math.h>

void art_sample_defaults(art_sample_params *p) {
    *p = (art_sample_params){.temperature = 0.0f,
                             .top_k = 0,
                             .top_p = 1.0f,
                             .min_p = 0.0f,
                             .repetition_penalty = 1.0f,
                             .penalty_last_n = 64};
}

void arti_sampler_init(arti_sampler *s, arti_mem *mem, uint32_t n_vocab) {
    *s = (arti_sampler){.mem = mem, .n_vocab = n_vocab};
}

static void free_row(arti_sampler *s, void *row) {
    arti_free(s->mem, row, (size_t)s->n_vocab * 4);
}

void arti_sampler_free(arti_sampler *s) {
    free_row(s, s->adjusted);
    free_row(s, s->weight);
    free_row(s, s->gathered);
    free_row(s, s->kept);
    free_row(s, s->heap);
    free_row(s, s->count);
    arti_free(s->mem, s->bias, s->bias_cap * sizeof *s->bias);
    *s = (arti_sampler){.mem = s->mem, .n_vocab = s->n_vocab};
}

static bool has_filters(const art_sample_params *p) {
    return p->top_k > 0 || p->top_p < 1.0f || p->min_p > 0.0f;
}

static bool has_penalties(const art_sample_params *p) {
    return p->penalty_last_n > 0 &&
           (p->repetition_penalty != 1.0f || p->frequency_penalty != 0.0f || p->presence_penalty != 0.0f);
}

art_status arti_sample_check(const art_sample_params *p, uint32_t n_vocab, art_error *err) {
    const char *what = NULL;
    if (!(p->temperature >= 0.0f && p->temperature <= 100.0f))
        what = "temperature must be in 0 .. 100";
    else if (p->top_k < 0)
        what = "top_k must not be negative";
    else if (!(p->top_p > 0.0f && p->top_p <= 1.0f))
        what = "top_p must be in (0, 1]";
    else if (!(p->min_p >= 0.0f && p->min_p <= 1.0f))
        what = "min_p must be in 0 .. 1";
    else if (!(p->repetition_penalty > 0.0f && p->repetition_penalty <= 100.0f))
        what = "repetition_penalty must be in (0, 100]";
    else if (!(fabsf(p->frequency_penalty) <= 100.0f))
        what = "frequency_penalty must be in -100 .. 100";
    else if (!(fabsf(p->presence_penalty) <= 100.0f))
        what = "presence_penalty must be in -100 .. 100";
    else if (p->n_bias > ART_BIAS_MAX)
        what = "there are more logit biases than ART_BIAS_MAX";
    if (what) return arti_fail(err, ART_E_ARG, 0, "%s", what);
    for (size_t i = 0; i < p->n_bias; i++) {
        float b = p->bias[i].bias;
        if (p->bias[i].token >= n_vocab)
            return arti_fail(err, ART_E_ARG, i, "logit bias for token %u, which is not in the vocabulary",
                             p->bias[i].token);
        if (!(fabsf(b) <= 1e6f) && b != -INFINITY)
            return arti_fail(err, ART_E_ARG, i, "logit bias of token %u is out of range", p->bias[i].token);
    }
    return ART_OK;
}

static bool need_row(arti_sampler *s, void *row_ptr, bool needed) {
    void **row = row_ptr;
    if (!needed || *row) return true;
    *row = arti_calloc(s->mem, (size_t)s->n_vocab * 4);
    return *row != NULL;
}

art_status arti_sampler_start(arti_sampler *s, const art_sample_params *p, art_error *err) {
    art_status st = arti_sample_check(p, s->n_vocab, err);
    if (st != ART_OK) return st;
    bool random = p->temperature > 0.0f, filters = random && has_filters(p);
    if (!need_row(s, &s->adjusted, has_penalties(p) || p->n_bias) || !need_row(s, &s->count, has_penalties(p)) ||
        !need_row(s, &s->weight, random) || !need_row(s, &s->gathered, filters) || !need_row(s, &s->kept, filters) ||
        !need_row(s, &s->heap, filters))
        return arti_mem_fail(s->mem, err);
    void *bias = s->bias;
    bool ok = arti_vec_reserve(s->mem, &bias, &s->bias_cap, p->n_bias, sizeof *s->bias);
    s->bias = bias;
    if (!ok) return arti_mem_fail(s->mem, err);
    if (p->n_bias) memcpy(s->bias, p->bias, p->n_bias * sizeof *s->bias);
    s->p = *p;
    s->p.bias = s->bias;
    s->counter = 0;
    return ART_OK;
}

/* ------------------------------------------------------------------ random numbers */

/* The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). */
static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* In [0, 1), from seed and counter alone. */
static double next_uniform(arti_sampler *s) {
    uint64_t key = mix(s->p.seed + UINT64_C(0x9E3779B97F4A7C15));
    uint64_t z = mix(key + ++s->counter * UINT64_C(0x9E3779B97F4A7C15));
    return (double)(z >> 11) * 0x1p-53;
}

/* ------------------------------------------------------------------ penalties and bias */

static const float *adjust(arti_sampler *s, const float *logits, const int32_t *recent, size_t n_recent) {
    const art_sample_params *p = &s->p;
    bool penalties = has_penalties(p);
    if (!penalties && !p->n_bias) return logits;
    float *x = s->adjusted;
    memcpy(x, logits, (size_t)s->n_vocab * sizeof *x);
    if (penalties) {
        if (n_recent > p->penalty_last_n) {
            recent += n_recent - p->penalty_last_n;
            n_recent = p->penalty_last_n;
        }
        for (size_t i = 0; i < n_recent; i++) s->count[recent[i]]++;
        for (size_t i = 0; i < n_recent; i++) {
            uint32_t id = (uint32_t)recent[i], n = s->count[id];
            if (!n) continue;
            s->count[id] = 0;
            x[id] = x[id] > 0.0f ? x[id] / p->repetition_penalty : x[id] * p->repetition_penalty;
            x[id] -= (float)n * p->frequency_penalty + p->presence_penalty;
        }
    }
    for (size_t i = 0; i < p->n_bias; i++) x[s->bias[i].token] += s->bias[i].bias;
    return x;
}

/* ------------------------------------------------------------------ the candidates */

/* The order of candidates: larger logit first, of equals the smaller id. */
static bool before(const float *x, uint32_t a, uint32_t b) {
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

static void sift_down(const float *x, uint32_t *heap, size_t n, size_t i) {
    uint32_t item = heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && before(x, heap[child + 1], heap[child])) child++;
        if (!before(x, heap[child], item)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = item;
}

static void heap_make(const float *x, uint32_t *heap, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(x, heap, n, i);
}

static uint32_t heap_pop(const float *x, uint32_t *heap, size_t *n) {
    uint32_t top = heap[0];
    heap[0] = heap[--*n];
    if (*n) sift_down(x, heap, *n, 0);
    return top;
}

static double weight_of(const arti_sampler *s, float logit) {
    return exp(((double)logit - (double)s->max) / (double)s->p.temperature);
}

/* Pops the candidates in order until a filter says stop. `last` is the last one kept. false: the filters would keep more than the
 * candidates at hand. total: weight of everything that top_p refers to; negative: of the top_k, whose number is then known to be at hand. */
static bool last_kept(arti_sampler *s, size_t n, double total, bool complete, uint32_t *last) {
    const art_sample_params *p = &s->p;
    size_t limit = p->top_k > 0 ? (size_t)p->top_k : SIZE_MAX, popped = 0;
    memcpy(s->heap, s->kept, n * sizeof *s->heap);
    heap_make(s->logits, s->heap, n);
    if (total < 0.0) { /* first pass over the top_k for their weight */
        total = 0.0;
        size_t left = n;
        for (size_t i = 0; i < limit && left; i++)
            total += weight_of(s, s->logits[heap_pop(s->logits, s->heap, &left)]);
        memcpy(s->heap, s->kept, n * sizeof *s->heap);
        heap_make(s->logits, s->heap, n);
    }
    double sum = 0.0;
    while (n && popped < limit) {
        uint32_t id = heap_pop(s->logits, s->heap, &n);
        double w = weight_of(s, s->logits[id]);
        if (popped && w < (double)p->min_p) return true;
        *last = id;
        popped++;
        sum += w;
        if (p->top_p < 1.0f && sum >= (double)p->top_p * total) return true;
    }
    return popped == limit || complete;
}

/* Fills kept/weight with the candidates that pass the filters; `mask` limits what there is to begin with. s->max is set. */
static void filter(arti_sampler *s, const uint32_t *mask) {
    const art_sample_params *p = &s->p;
    const float *x = s->logits;
    float scale = 1.0f / p->temperature;
    double total = 0.0;
    if (p->top_p < 1.0f && !p->top_k) total = arti_softmax(s->weight, x, s->n_vocab, mask, s->max, scale);
    if (p->top_p < 1.0f && p->top_k) total = -1.0;
    /* Look at the likeliest only: those within `gap` of the largest, and more when that was not enough. */
    size_t n = 0;
    uint32_t last = 0;
    for (float gap = 8.0f;; gap *= 4.0f) {
        bool complete = gap > 1000.0f;
        float threshold = complete ? -FLT_MAX : s->max - gap * p->temperature;
        if (p->min_p > 0.0f && (double)p->min_p >= exp(-(double)gap)) complete = true; /* min_p ends inside the gap */
        n = arti_select_ge(x, s->n_vocab, mask, threshold, s->kept, s->n_vocab);
        if (p->top_k && n < (size_t)p->top_k && !complete) continue;
        if (last_kept(s, n, total, complete, &last)) break;
    }
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = s->kept[i];
        if (id != last && before(x, last, id)) continue;
        s->gathered[m] = x[id];
        s->kept[m++] = id;
    }
    arti_softmax(s->weight, s->gathered, m, NULL, s->max, scale);
    s->n_kept = (uint32_t)m;
}

/* ------------------------------------------------------------------ drawing */

/* Inverse of the cumulative distribution in ascending order of ids. -1: no weight at all. */
static int64_t pick(arti_sampler *s, const uint32_t *mask) {
    size_t n = s->all ? s->n_vocab : s->n_kept;
    double total = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (mask && !arti_bits_test(mask, s->all ? i : s->kept[i])) continue;
        total += (double)s->weight[i];
    }
    if (!(total > 0.0)) return -1;
    double goal = next_uniform(s) * total, sum = 0.0;
    int64_t last = -1;
    for (size_t i = 0; i < n; i++) {
        size_t id = s->all ? i : s->kept[i];
        if (s->weight[i] <= 0.0f || (mask && !arti_bits_test(mask, id))) continue;
        sum += (double)s->weight[i];
        last = (int64_t)id;
        if (sum > goal) break;
    }
    return last;
}

/* Makes the candidates: of all tokens, or of those in `mask`. -1: there are none, or a NaN; else the first by rank. */
static int64_t prepare(arti_sampler *s, const uint32_t *mask) {
    int64_t best = art_argmax(s->logits, s->n_vocab, mask);
    if (best < 0 || s->p.temperature == 0.0f) return best;
    s->max = s->logits[best];
    s->all = !has_filters(&s->p);
    if (!s->all) {
        filter(s, mask);
    } else if (isnan(arti_softmax(s->weight, s->logits, s->n_vocab, mask, s->max, 1.0f / s->p.temperature))) {
        return -1;
    }
    return best;
}

static int64_t choose(arti_sampler *s, const uint32_t *mask) {
    int64_t best = prepare(s, mask);
    return best < 0 || s->p.temperature == 0.0f ? best : pick(s, NULL);
}

int64_t arti_sampler_draw(arti_sampler *s, const float *logits, const int32_t *recent, size_t n_recent) {
    s->raw = logits;
    s->logits = adjust(s, logits, recent, n_recent);
    return choose(s, NULL);
}

int64_t arti_sampler_redraw(arti_sampler *s, const uint32_t *mask) {
    for (;;) {
        if (s->p.temperature > 0.0f) {
            int64_t id = pick(s, mask); /* of the candidates there were */
            if (id >= 0) return id;
        }
        int64_t id = choose(s, mask);
        if (id >= 0 || s->logits == s->raw) return id;
        s->logits = s->raw; /* the bias bans all that the constraint allows: the constraint wins */
        if (prepare(s, NULL) < 0) return -1;
    }
}
