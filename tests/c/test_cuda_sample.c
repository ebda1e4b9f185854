/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of csrc/cuda on the CPU against docs/sampling.md, in a definition of its own that sorts everything, and against the CPU's
 * sampler: random rows of all types, alignments, masks and parameters. Greedy tokens are identical; others are among those that the
 * filters keep, with their frequencies (chi-square); a row gives the same token wherever it lies and however it is launched.
 *
 *   test_cuda_sample [cases [seed]] */
#include "harness.h"

#include "art_bits.h"
#include "art_cuda_cpu.h"
#include "art_sample.h"
#include <math.h>

enum { ROWS = 4, VOCAB = 20000, HISTORY = 40, BIASES = 24 };

static harness h;
static arti_mem mem;
static uint64_t seed_ = 1;

static uint32_t below(uint32_t n) {
    return (uint32_t)(harness_random(&seed_) >> 11) % n;
}

static float real(void) { /* in [0, 1) */
    return (float)(harness_random(&seed_) >> 40) * 0x1p-24f;
}

static bool chance(uint32_t one_in) {
    return below(one_in) == 0;
}

/* ------------------------------------------------------------------ types */

static uint32_t size_of(uint32_t dtype) {
    return dtype == ART_CUDA_F32 ? 4 : 2;
}

static void put(void *at, uint32_t dtype, float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint16_t half;
    if (dtype == ART_CUDA_F32) {
        memcpy(at, &bits, 4);
        return;
    }
    if (dtype == ART_CUDA_BF16) { /* cut off; a NaN keeps its upper fraction */
        half = (uint16_t)(bits >> 16);
    } else if (isnan(x)) {
        half = 0x7E00;
    } else {
        uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
        float a = fabsf(x);
        if (a >= 65520.0f) {
            half = (uint16_t)(sign | 0x7C00u);
        } else if (a < 0x1p-14f) {
            half = (uint16_t)(sign | (uint16_t)(a * 0x1p24f));
        } else {
            int e;
            float f = frexpf(a, &e); /* f in [0.5, 1) */
            half = (uint16_t)(sign | (uint16_t)((e + 14) << 10 | ((int)(f * 2048.0f) & 1023)));
        }
    }
    memcpy(at, &half, 2);
}

static float get(const void *at, uint32_t dtype) {
    float x;
    uint16_t half;
    if (dtype == ART_CUDA_F32) {
        memcpy(&x, at, 4);
        return x;
    }
    memcpy(&half, at, 2);
    if (dtype == ART_CUDA_BF16) {
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&x, &bits, 4);
        return x;
    }
    int e = half >> 10 & 31, f = half & 1023;
    x = e == 31 ? (f ? NAN : INFINITY) : e ? ldexpf((float)(1024 + f), e - 25) : ldexpf((float)f, -24);
    return half & 0x8000 ? -x : x;
}

/* ------------------------------------------------------------------ a case */

typedef struct row_case {
    float x[VOCAB]; /* as the type holds them */
    art_cuda_row p;
    art_bias bias[BIASES];
    uint32_t n_bias;
    int32_t history[HISTORY]; /* oldest first */
    uint32_t n_history;
    bool masked; /* by `mask` */
    int32_t mask_row;
    uint32_t mask[VOCAB / 32 + 1];
    uint64_t step;
} row_case;

typedef struct batch_case {
    uint32_t n_rows, n_vocab, dtype, history_cap;
    bool has_masks, ids_64;
    row_case row[ROWS];
} batch_case;

typedef struct result {
    int64_t id;
    float logprob;
} result;

static uint32_t random_vocab(void) {
    if (chance(600)) return 1 + below(VOCAB);
    if (chance(30)) return 1 + below(3000);
    if (chance(4)) return 1 + below(600);
    return 1 + below(60);
}

static void random_logits(row_case *r, uint32_t n, uint32_t dtype) {
    uint32_t kind = below(8);
    float spread = kind == 0 ? 0.0f : kind == 1 ? 300.0f : kind == 2 ? 1.0f : 12.0f, shift = (real() - 0.5f) * 60.0f;
    for (uint32_t i = 0; i < n; i++) {
        float v = real() + real() + real() - 1.5f;
        v = v * spread + shift;
        if (kind == 3) v = floorf(v);
        if (kind == 4) v = v > shift + 8.0f ? v * 3.0f : v;
        if (kind == 5) v = (float)below(3) - 1.0f;
        if (kind == 6 && chance(2)) v = -INFINITY;
        r->x[i] = v;
    }
    if (chance(60))
        for (uint32_t i = 0; i < n; i++) r->x[i] = -INFINITY;
    if (chance(10)) r->x[below(n)] = 60000.0f;
    if (chance(10)) r->x[below(n)] = -0.0f;
    if (chance(10)) r->x[below(n)] = 1e-6f;
    if (chance(50)) r->x[below(n)] = NAN;
    if (chance(50)) r->x[below(n)] = INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t space;
        put(&space, dtype, r->x[i]);
        r->x[i] = get(&space, dtype);
    }
}

static void random_params(row_case *r, uint32_t n) {
    static const float temps[] = {0.0f, 0.01f, 0.3f, 0.7f, 1.0f, 1.0f, 2.5f, 100.0f, 1e-39f};
    static const float ps[] = {1.0f, 1.0f, 0.95f, 0.9f, 0.5f, 0.1f, 1e-6f};
    static const float mins[] = {0.0f, 0.0f, 0.0f, 0.05f, 0.3f, 1.0f};
    art_cuda_row *p = &r->p;
    *p = (art_cuda_row){.top_p = 1.0f, .repetition_penalty = 1.0f, .penalty_last_n = HISTORY};
    p->temperature = temps[below(9)];
    p->top_p = ps[below(7)];
    p->min_p = mins[below(6)];
    p->top_k = chance(2) ? 0 : chance(20) ? INT32_MAX : (int32_t)below(chance(2) ? 8 : n + 4);
    p->seed = harness_random(&seed_);
    r->step = chance(3) ? below(5) : harness_random(&seed_);
    r->n_history = chance(2) ? 0 : below(HISTORY + 1);
    for (uint32_t i = 0; i < r->n_history; i++) r->history[i] = (int32_t)(chance(2) ? below(n) : below(n < 4 ? n : 4));
    if (chance(2)) p->penalty_last_n = below(HISTORY + 10);
    if (chance(3)) p->repetition_penalty = 0.5f + real();
    if (chance(3)) p->frequency_penalty = real() * 2.0f - 1.0f;
    if (chance(3)) p->presence_penalty = real() * 2.0f - 1.0f;
    r->n_bias = chance(3) ? below(BIASES + 1) : 0;
    for (uint32_t i = 0; i < r->n_bias; i++) {
        r->bias[i].token = chance(2) ? below(n) : below(n < 4 ? n : 4);
        r->bias[i].bias = chance(3) ? -INFINITY : real() * 8.0f - 4.0f;
    }
    if (chance(80)) { /* something a row may not ask for */
        switch (below(9)) {
        case 0: p->temperature = chance(2) ? NAN : -1.0f; break;
        case 1: p->top_p = chance(2) ? 0.0f : 1.5f; break;
        case 2: p->min_p = chance(2) ? NAN : 1.5f; break;
        case 3: p->top_k = -1; break;
        case 4: p->repetition_penalty = chance(2) ? 0.0f : 101.0f; break;
        case 5: p->frequency_penalty = INFINITY; break;
        case 6: p->presence_penalty = NAN; break;
        case 7: r->bias[r->n_bias = 1, 0] = (art_bias){n, 1.0f}; break;
        default: r->bias[r->n_bias = 1, 0] = (art_bias){0, chance(2) ? NAN : INFINITY};
        }
    }
}

static void random_mask(row_case *r, uint32_t n) {
    uint32_t kind = below(6), words = (n + 31) / 32;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t a = (uint32_t)(harness_random(&seed_) >> 20), b = (uint32_t)(harness_random(&seed_) >> 20);
        r->mask[i] = kind == 0 ? 0 : kind == 1 ? UINT32_MAX : kind == 2 ? a & b & a >> 7 : kind == 3 ? a : a | b;
    }
    if (kind == 5) memset(r->mask, 0, words * 4);
    if (kind == 5 || chance(4)) arti_bits_set(r->mask, below(n));
    if (!chance(3)) r->mask[words - 1] &= UINT32_MAX >> (31 - (n - 1) % 32); /* else garbage behind the end */
}

static void random_case(batch_case *c) {
    c->n_rows = 1 + below(ROWS);
    c->n_vocab = random_vocab();
    c->dtype = below(3);
    c->has_masks = !chance(4);
    c->ids_64 = chance(2);
    c->history_cap = chance(4) ? 1 + below(HISTORY) : HISTORY;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        row_case *r = &c->row[i];
        random_logits(r, c->n_vocab, c->dtype);
        random_params(r, c->n_vocab);
        random_mask(r, c->n_vocab);
        r->masked = c->has_masks && !chance(4);
        r->mask_row = r->masked ? (int32_t)(ROWS - 1 - i) : -1 - (int32_t)below(3);
        if (r->masked && chance(200)) r->mask_row = ROWS; /* not there */
    }
}

/* ------------------------------------------------------------------ running it */

typedef struct placed { /* exact allocations, so that a sanitizer sees every access past them */
    unsigned char *logits, *end;
    int64_t stride;
    uint32_t *masks;
    int64_t masks_stride;
} placed;

/* The rows' elements lie at any address that their type allows; the last row ends where the allocation does. */
static placed place_rows(const batch_case *c) {
    placed p;
    uint32_t size = size_of(c->dtype), words = (c->n_vocab + 31) / 32;
    p.stride = (int64_t)c->n_vocab + (chance(2) ? 0 : below(20));
    if (chance(3)) p.stride = (p.stride + 15) / 16 * 16;
    size_t span = ((size_t)(c->n_rows - 1) * (size_t)p.stride + c->n_vocab) * size;
    size_t before = chance(3) ? below(16) * (size_t)size : 0;
    unsigned char *block = malloc(before + span);
    assert(block);
    memset(block, 0xFF, before + span); /* NaN */
    p.logits = block + before;
    p.end = block;
    for (uint32_t i = 0; i < c->n_rows; i++)
        for (uint32_t k = 0; k < c->n_vocab; k++)
            put(p.logits + ((size_t)i * (size_t)p.stride + k) * size, c->dtype, c->row[i].x[k]);
    p.masks_stride = words + below(3);
    p.masks = malloc(((size_t)(ROWS - 1) * (size_t)p.masks_stride + words) * 4);
    assert(p.masks);
    for (uint32_t i = 0; i < c->n_rows; i++)
        memcpy(p.masks + (int64_t)(ROWS - 1 - i) * p.masks_stride, c->row[i].mask, (size_t)words * 4);
    return p;
}

/* n_threads: 0, or the threads of a block whose warps run at once. */
static void run_case(const batch_case *c, uint32_t n_threads, result out[ROWS]) {
    placed at = place_rows(c);
    uint32_t n = c->n_rows, n_sm = 1 + below(64), n_patches = 0, n_bias = 0;
    art_cuda_row rows[ROWS];
    uint64_t steps[ROWS];
    uint32_t history_n[ROWS];
    art_cuda_bias *bias = malloc((ROWS * BIASES + 1) * sizeof *bias);
    int32_t *history = malloc((size_t)n * c->history_cap * 4), mask_rows[ROWS];
    int64_t *ids = malloc(n * sizeof *ids);
    float *logprobs = malloc(n * sizeof *logprobs);
    uint64_t bytes = art_cuda_workspace_bytes(n, c->n_vocab, n_sm);
    unsigned char *workspace = malloc(bytes);
    assert(bias && history && ids && logprobs && workspace);
    memset(workspace, 0xCD, bytes);
    memset(workspace, 0, ART_CUDA_TICKET_BYTES);
    uint32_t wrapped = below(3) * c->history_cap; /* the ring has gone round before */
    for (uint32_t i = 0; i < n; i++) {
        const row_case *r = &c->row[i];
        rows[i] = r->p;
        rows[i].bias_begin = n_bias;
        for (uint32_t k = 0; k < r->n_bias; k++) bias[n_bias++] = (art_cuda_bias){r->bias[k].token, r->bias[k].bias};
        rows[i].bias_end = n_bias;
        steps[i] = r->step;
        uint32_t kept = r->n_history < c->history_cap ? r->n_history : c->history_cap;
        history_n[i] = (kept == c->history_cap ? wrapped : 0) + kept;
        memset(history + i * c->history_cap, 0x7F, (size_t)c->history_cap * 4); /* no token of any vocabulary */
        for (uint32_t k = 0; k < kept; k++)
            history[i * c->history_cap + (history_n[i] - kept + k) % c->history_cap] =
                r->history[r->n_history - kept + k];
        mask_rows[i] = r->mask_row;
        if (kept + r->n_bias > n_patches) n_patches = kept + r->n_bias;
    }
    art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)at.logits,
                              .logits_stride = at.stride,
                              .masks = c->has_masks ? (uint64_t)(uintptr_t)at.masks : 0,
                              .masks_stride = at.masks_stride,
                              .mask_rows = (uint64_t)(uintptr_t)mask_rows,
                              .rows = (uint64_t)(uintptr_t)rows,
                              .steps = (uint64_t)(uintptr_t)steps,
                              .bias = (uint64_t)(uintptr_t)bias,
                              .history = (uint64_t)(uintptr_t)history,
                              .history_n = (uint64_t)(uintptr_t)history_n,
                              .ids = (uint64_t)(uintptr_t)ids,
                              .logprobs = (uint64_t)(uintptr_t)logprobs,
                              .workspace = (uint64_t)(uintptr_t)workspace,
                              .n_rows = n,
                              .n_vocab = c->n_vocab,
                              .n_masks = ROWS,
                              .dtype = c->dtype,
                              .history_cap = c->history_cap,
                              .ids_64 = c->ids_64};
    art_cuda_launch launches[ART_CUDA_LAUNCHES_MAX];
    uint32_t n_launches = art_cuda_plan_sample(n, c->n_vocab, c->dtype, n_patches, n_sm, launches);
    for (uint32_t i = 0; i < n_launches; i++) {
        if (n_threads) launches[i].block_x = n_threads;
        assert((n_threads ? art_cuda_cpu_launch_threaded(&launches[i], &a)
                          : art_cuda_cpu_launch_shuffled(&launches[i], harness_random(&seed_), &a)) == 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        const row_case *r = &c->row[i];
        int32_t small;
        memcpy(&small, (char *)ids + (size_t)i * 4, 4);
        out[i] = (result){c->ids_64 ? ids[i] : small, logprobs[i]};
        uint32_t kept = r->n_history < c->history_cap ? r->n_history : c->history_cap;
        uint32_t told = (kept == c->history_cap ? wrapped : 0) + kept;
        bool chosen = out[i].id >= 0;
        assert(steps[i] == r->step + chosen && history_n[i] == told + chosen);
        if (chosen) assert(history[i * c->history_cap + told % c->history_cap] == out[i].id);
    }
    for (uint32_t i = 0; i < ART_CUDA_TICKET_BYTES; i++) assert(workspace[i] == 0);
    free(at.end);
    free(at.masks);
    free(bias);
    free(history);
    free(ids);
    free(logprobs);
    free(workspace);
}

/* ------------------------------------------------------------------ the definition */

static const float *rank_x;

static int by_rank(const void *a, const void *b) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    if (rank_x[i] != rank_x[k]) return rank_x[i] > rank_x[k] ? -1 : 1;
    return i < k ? -1 : i > k;
}

/* What the filters keep of the tokens in `mask`. A filter's edge may be moved by rounding: `kept` surely is, `possible` perhaps. */
typedef struct kept_set {
    uint32_t order[VOCAB];
    double w[VOCAB];
    uint32_t n, kept, possible; /* beginnings of `order` */
} kept_set;

static void filter(const float *x, uint32_t n, const uint32_t *mask, const art_cuda_row *p, kept_set *k) {
    k->n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (x[i] > -INFINITY && (!mask || arti_bits_test(mask, i))) k->order[k->n++] = i;
    rank_x = x;
    qsort(k->order, k->n, sizeof *k->order, by_rank);
    uint32_t first = p->top_k > 0 && (uint32_t)p->top_k < k->n ? (uint32_t)p->top_k : k->n;
    double total = 0;
    for (uint32_t i = 0; i < k->n; i++) {
        k->w[i] = exp(((double)x[k->order[i]] - (double)x[k->order[0]]) / (double)p->temperature);
        if (i < first) total += k->w[i];
    }
    double sum = 0, slack = 4e-6, limit = (double)p->top_p * total, least = (double)p->min_p;
    k->kept = k->possible = 0;
    bool sure = true;
    for (uint32_t i = 0; i < first; i++) {
        if (i && p->min_p > 0.0f && k->w[i] < least * (1 - slack)) break;
        if (i && p->top_p < 1.0f && sum > limit * (1 + slack) + 1e-12 * total) break;
        if (i && p->min_p > 0.0f && k->w[i] < least * (1 + slack) && k->w[i] != 1.0) sure = false;
        if (i && p->top_p < 1.0f && sum >= limit * (1 - slack)) sure = false;
        sum += k->w[i];
        k->possible = i + 1;
        if (sure) k->kept = i + 1;
    }
}

static void adjust(const row_case *r, uint32_t n, uint32_t history_cap, float *x) {
    memcpy(x, r->x, n * sizeof *x);
    uint32_t told = r->n_history < history_cap ? r->n_history : history_cap;
    if (told > r->p.penalty_last_n) told = r->p.penalty_last_n;
    const int32_t *recent = r->history + r->n_history - told;
    const art_cuda_row *p = &r->p;
    bool active = p->repetition_penalty != 1.0f || p->frequency_penalty != 0.0f || p->presence_penalty != 0.0f;
    for (uint32_t i = 0; i < told && active; i++) {
        uint32_t count = 0;
        bool seen = false;
        for (uint32_t k = 0; k < told; k++) {
            count += recent[k] == recent[i];
            seen = seen || (k < i && recent[k] == recent[i]);
        }
        if (seen) continue;
        float *v = &x[recent[i]];
        *v = *v > 0.0f ? *v / p->repetition_penalty : *v * p->repetition_penalty;
        *v -= (float)count * p->frequency_penalty + p->presence_penalty;
    }
    for (uint32_t i = 0; i < r->n_bias; i++) x[r->bias[i].token] += r->bias[i].bias;
}

static bool is_bad(const row_case *r, uint32_t n) {
    const art_cuda_row *p = &r->p;
    bool ok = p->temperature >= 0 && p->top_p > 0 && p->top_p <= 1 && p->min_p >= 0 && p->min_p <= 1 && p->top_k >= 0 &&
              p->repetition_penalty > 0 && p->repetition_penalty <= 100 && fabsf(p->frequency_penalty) <= 100 &&
              fabsf(p->presence_penalty) <= 100 && !(r->masked && r->mask_row >= ROWS);
    for (uint32_t i = 0; i < r->n_bias; i++)
        ok = ok && r->bias[i].token < n && (r->bias[i].bias == -INFINITY || fabsf(r->bias[i].bias) <= 1e6f);
    return !ok;
}

static bool is_in(const kept_set *k, uint32_t n, const uint32_t *mask, int64_t id) {
    for (uint32_t i = 0; i < n; i++)
        if (k->order[i] == id) return !mask || arti_bits_test(mask, k->order[i]);
    return false;
}

static uint32_t count_in(const kept_set *k, uint32_t n, const uint32_t *mask) {
    uint32_t c = 0;
    for (uint32_t i = 0; i < n; i++) c += !mask || arti_bits_test(mask, k->order[i]);
    return c;
}

/* The CPU's sampler, as a session uses it. */
static int64_t cpu_choice(const row_case *r, uint32_t n, uint32_t history_cap, const uint32_t *mask) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, n);
    art_sample_params p;
    art_sample_defaults(&p);
    p.temperature = 0.0f;
    p.repetition_penalty = r->p.repetition_penalty;
    p.frequency_penalty = r->p.frequency_penalty;
    p.presence_penalty = r->p.presence_penalty;
    p.penalty_last_n = r->p.penalty_last_n;
    p.bias = r->bias;
    p.n_bias = r->n_bias;
    assert(arti_sampler_start(&s, &p, NULL) == ART_OK);
    uint32_t told = r->n_history < history_cap ? r->n_history : history_cap;
    int64_t id = arti_sampler_draw(&s, r->x, r->history + r->n_history - told, told);
    if (id < 0 || (mask && !arti_bits_test(mask, (size_t)id))) {
        static uint32_t all[VOCAB / 32 + 1];
        memset(all, 0xFF, sizeof all);
        id = arti_sampler_redraw(&s, mask ? mask : all);
    }
    arti_sampler_free(&s);
    return id;
}

static unsigned long n_chosen, n_refused, n_fallback, n_undone, n_sure;

/* Aborts with a description when the row's result is not one that the definition allows. */
static void check_row(const batch_case *c, uint32_t i, result got) {
    static float x[VOCAB];
    static kept_set all, ok;
    const row_case *r = &c->row[i];
    uint32_t n = c->n_vocab;
    const uint32_t *mask = r->masked ? r->mask : NULL;
    const char *wrong = NULL;
    int64_t wanted = 0;
    if (is_bad(r, n)) {
        wanted = ART_CUDA_ROW_PARAM;
        if (got.id != wanted) wrong = "a bad parameter";
        n_refused++;
    } else {
        adjust(r, n, c->history_cap, x);
        bool nan = false, some = false;
        float max = -INFINITY;
        for (uint32_t k = 0; k < n; k++) {
            nan = nan || isnan(r->x[k]) || isnan(x[k]) || x[k] == INFINITY;
            some = some || (x[k] > -INFINITY && (!mask || arti_bits_test(mask, k)));
        }
        if (!some && !nan) { /* undone */
            memcpy(x, r->x, n * sizeof *x);
            n_undone++;
            for (uint32_t k = 0; k < n; k++) some = some || (x[k] > -INFINITY && (!mask || arti_bits_test(mask, k)));
        }
        if (nan || !some) {
            wanted = nan ? ART_CUDA_ROW_NAN : ART_CUDA_ROW_EMPTY;
            if (got.id != wanted) wrong = "NaN, or nothing to choose";
            n_refused++;
        } else if (r->p.temperature == 0.0f) {
            wanted = cpu_choice(r, n, c->history_cap, mask);
            if (got.id != wanted) wrong = "greedy";
        } else {
            filter(x, n, NULL, &r->p, &all);
            bool empty = !count_in(&all, all.possible, mask), sure = count_in(&all, all.kept, mask) > 0;
            bool fine = is_in(&all, all.possible, mask, got.id);
            if (!sure) {
                filter(x, n, mask, &r->p, &ok);
                fine = fine || is_in(&ok, ok.possible, mask, got.id);
                n_fallback += empty;
            }
            n_sure += all.kept == all.possible;
            if (!fine) wrong = "not among what the filters keep";
        }
        if (!wrong && got.id >= 0) {
            double sum = 0, scale = 1.0 / (r->p.temperature > 0.0f ? (double)r->p.temperature : 1.0);
            for (uint32_t k = 0; k < n; k++) max = x[k] > max ? x[k] : max;
            for (uint32_t k = 0; k < n; k++) sum += x[k] > -INFINITY ? exp(((double)x[k] - (double)max) * scale) : 0.0;
            double p = ((double)x[got.id] - (double)max) * scale - log(sum);
            if (p > -1e30 && fabs(p - (double)got.logprob) > 2e-5 + 4e-6 * fabs(p)) {
                wrong = "log-probability";
                fprintf(stderr, "%g instead of %g\n", (double)got.logprob, p);
            }
            n_chosen++;
        }
    }
    if (!wrong && (got.id < 0) != isnan(got.logprob)) wrong = "log-probability of an error";
    if (!wrong) return;
    const art_cuda_row *p = &r->p;
    fprintf(
        stderr,
        "%s: %lld (wanted %lld) row %u of %u, vocabulary %u, type %u, T %g k %d p %g min %g penalties %g %g %g of %u, "
        "%u biases, history %u of %u, mask %d\n",
        wrong, (long long)got.id, (long long)wanted, i, c->n_rows, n, c->dtype, (double)p->temperature, p->top_k,
        (double)p->top_p, (double)p->min_p, (double)p->repetition_penalty, (double)p->frequency_penalty,
        (double)p->presence_penalty, p->penalty_last_n, r->n_bias, r->n_history, c->history_cap, r->mask_row);
    abort();
}

/* The only row of a case, `offset` elements past a multiple of 16 bytes, in memory of exactly its size. */
static result sample_at(const row_case *r, uint32_t n, uint32_t dtype, uint32_t offset) {
    uint32_t size = size_of(dtype), words = (n + 31) / 32, n_sm = 1 + below(64);
    unsigned char *block = malloc((offset + n) * (size_t)size);
    uint32_t *mask = malloc(words * sizeof *mask);
    uint64_t bytes = art_cuda_workspace_bytes(1, n, n_sm), steps = r->step;
    void *workspace = calloc(1, bytes);
    assert(block && mask && workspace && ((uintptr_t)block & 15u) == 0);
    memset(block, 0xFF, offset * (size_t)size); /* NaN */
    for (uint32_t k = 0; k < n; k++) put(block + (offset + k) * (size_t)size, dtype, r->x[k]);
    memcpy(mask, r->mask, words * sizeof *mask);
    art_cuda_row row = r->p;
    result out = {0};
    art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)(block + offset * (size_t)size),
                              .masks = r->masked ? (uint64_t)(uintptr_t)mask : 0,
                              .rows = (uint64_t)(uintptr_t)&row,
                              .steps = (uint64_t)(uintptr_t)&steps,
                              .ids = (uint64_t)(uintptr_t)&out.id,
                              .logprobs = (uint64_t)(uintptr_t)&out.logprob,
                              .workspace = (uint64_t)(uintptr_t)workspace,
                              .n_rows = 1,
                              .n_vocab = n,
                              .n_masks = 1,
                              .dtype = dtype,
                              .ids_64 = 1};
    art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
    art_cuda_plan_sample(1, n, dtype, 0, n_sm, l);
    assert(art_cuda_cpu_launch_shuffled(l, harness_random(&seed_), &a) == 0);
    free(block);
    free(mask);
    free(workspace);
    return out;
}

/* A row gives the same bits at every address that its type allows, whatever is left over of its last tile. */
static void test_alignments(unsigned long cases) {
    static batch_case c;
    row_case *r = &c.row[0];
    for (unsigned long n = 0; n < cases;) {
        uint32_t dtype = below(3), tiles = ART_CUDA_TILE * below(3), around = below(41);
        uint32_t vocab = tiles + around > 20 ? tiles + around - 20 : 1 + around;
        c.n_rows = 1;
        c.n_vocab = vocab;
        c.dtype = dtype;
        c.history_cap = 0;
        random_logits(r, vocab, dtype);
        random_params(r, vocab);
        random_mask(r, vocab);
        r->masked = !chance(3);
        r->mask_row = 0;
        r->n_bias = r->n_history = 0;
        result first = sample_at(r, vocab, dtype, 0);
        check_row(&c, 0, first);
        for (uint32_t offset = 1; offset < 16 / size_of(dtype); offset++, n++) {
            result other = sample_at(r, vocab, dtype, offset);
            assert(first.id == other.id && memcmp(&first.logprob, &other.logprob, sizeof first.logprob) == 0);
        }
    }
}

static void test_random_cases(unsigned long cases) {
    static batch_case c;
    for (unsigned long n = 0; n < cases;) {
        uint64_t before = seed_;
        random_case(&c);
        result first[ROWS], again[ROWS];
        run_case(&c, 0, first);
        for (uint32_t i = 0; i < c.n_rows; i++, n++) check_row(&c, i, first[i]);
        if (chance(4)) { /* placed, launched and shuffled differently */
            run_case(&c, chance(10) ? 64u << below(3) : 0, again);
            for (uint32_t i = 0; i < c.n_rows; i++)
                if (first[i].id != again[i].id || (first[i].id >= 0 && first[i].logprob != again[i].logprob)) {
                    fprintf(stderr, "row %u of the case with state %llu: %lld, then %lld\n", i,
                            (unsigned long long)before, (long long)first[i].id, (long long)again[i].id);
                    abort();
                }
        }
    }
    /* The generator reaches what it is for. */
    assert(n_chosen > cases / 2 && n_refused > cases / 100 && n_fallback > cases / 200 && n_undone > 0 &&
           n_sure > cases / 4);
}

/* As many penalties and biases as a row may have, and one more. */
static void test_patches_max(void) {
    enum { N = 9000, MAX = ART_CUDA_PATCHES_MAX };
    static float x[N], wanted[N];
    static art_cuda_bias bias[MAX + 1];
    static int32_t history[MAX + 1];
    for (uint32_t n_told = 0; n_told <= MAX + 1; n_told += (MAX + 1) / 2)
        for (uint32_t more = 0; more < 3; more++) {
            uint32_t n_bias = MAX - (n_told < MAX ? n_told : MAX) + (more == 1), history_n = n_told, n_patches = MAX;
            if (more == 2) n_patches = n_told + n_bias - 1; /* fewer slots than the row needs */
            for (uint32_t i = 0; i < N; i++) wanted[i] = x[i] = real() * 4.0f;
            uint32_t at = below(N);
            for (uint32_t i = 0; i < n_bias; i++) {
                bias[i] = (art_cuda_bias){(at + i * 4u) % N, real() * 4.0f};
                wanted[bias[i].token] += bias[i].bias;
            }
            for (uint32_t i = 0; i < n_told; i++) {
                history[i] = (int32_t)((at + 2u + i / 2u * 8u) % N); /* each twice, and none of them biased */
                if (i % 2 == 0) wanted[history[i]] -= i + 1 < n_told ? 1.0f : 0.5f;
            }
            art_cuda_row row = {.top_p = 1.0f,
                                .repetition_penalty = 1.0f,
                                .frequency_penalty = 0.5f,
                                .penalty_last_n = UINT32_MAX,
                                .bias_end = n_bias};
            uint64_t steps = 0;
            int32_t id = 7;
            art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)x,
                                      .rows = (uint64_t)(uintptr_t)&row,
                                      .steps = (uint64_t)(uintptr_t)&steps,
                                      .bias = (uint64_t)(uintptr_t)bias,
                                      .history = (uint64_t)(uintptr_t)history,
                                      .history_n = (uint64_t)(uintptr_t)&history_n,
                                      .ids = (uint64_t)(uintptr_t)&id,
                                      .n_rows = 1,
                                      .n_vocab = N,
                                      .history_cap = MAX + 1};
            art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
            art_cuda_plan_sample(1, N, ART_CUDA_F32, n_patches, 1, l);
            assert(art_cuda_cpu_launch_shuffled(l, harness_random(&seed_), &a) == 0);
            bool fits =
                n_told + n_bias <= MAX && (more < 2 || l[0].shared_bytes == art_cuda_sample_shared_bytes(N, MAX));
            assert(id == (fits ? art_argmax(wanted, N, NULL) : ART_CUDA_ROW_PARAM));
            assert(steps == fits && history_n == n_told + fits);
        }
    /* A launch without enough shared memory refuses every row. */
    art_cuda_row row = {.top_p = 1.0f, .repetition_penalty = 1.0f};
    uint64_t steps = 0;
    int64_t id = 0;
    art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)x,
                              .rows = (uint64_t)(uintptr_t)&row,
                              .steps = (uint64_t)(uintptr_t)&steps,
                              .ids = (uint64_t)(uintptr_t)&id,
                              .n_rows = 1,
                              .n_vocab = N,
                              .ids_64 = 1};
    art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
    art_cuda_plan_sample(1, N, ART_CUDA_F32, 0, 1, l);
    l[0].shared_bytes -= 4;
    assert(art_cuda_cpu_launch_shuffled(l, 0, &a) == 0 && id == ART_CUDA_ROW_PARAM);
}

/* `step` is added to the row's count; with keep_steps nothing is counted and nothing appended. */
static void test_steps(void) {
    enum { N = 3000, STEPS = 20 };
    static float x[N];
    for (uint32_t i = 0; i < N; i++) x[i] = real();
    art_cuda_row row = {.temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f, .seed = 3};
    int32_t counted[STEPS], given, history[4] = {-7, -7, -7, -7};
    uint64_t steps = 0;
    uint32_t history_n = 0;
    art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)x,
                              .rows = (uint64_t)(uintptr_t)&row,
                              .steps = (uint64_t)(uintptr_t)&steps,
                              .history = (uint64_t)(uintptr_t)history,
                              .history_n = (uint64_t)(uintptr_t)&history_n,
                              .n_rows = 1,
                              .n_vocab = N,
                              .history_cap = 4};
    art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
    art_cuda_plan_sample(1, N, ART_CUDA_F32, 4, 1, l);
    for (uint32_t i = 0; i < STEPS; i++) {
        a.ids = (uint64_t)(uintptr_t)&counted[i];
        assert(art_cuda_cpu_launch_shuffled(l, i, &a) == 0 && steps == i + 1 && history_n == i + 1);
        assert(history[i % 4] == counted[i]);
    }
    a.ids = (uint64_t)(uintptr_t)&given;
    a.keep_steps = 1;
    for (uint32_t i = 0; i < STEPS; i++) {
        steps = STEPS / 2;
        a.step = i - steps; /* modulo 2^64 */
        assert(art_cuda_cpu_launch_shuffled(l, i, &a) == 0 && given == counted[i]);
        assert(steps == STEPS / 2 && history_n == STEPS && history[0] == counted[STEPS - 4]);
    }
}

int main(int argc, char **argv) {
    art_alloc alloc = harness_alloc(&h);
    arti_mem_init(&mem, &alloc, 0);
    unsigned long cases = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    seed_ = argc > 2 ? strtoull(argv[2], NULL, 10) : 88172645463325252u;
    test_patches_max();
    test_steps();
    test_alignments(cases / 4);
    test_random_cases(cases);
    assert(h.live == 0);
    return 0;
}
