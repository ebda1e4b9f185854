/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the kernels of csrc/cuda draw each token: as docs/sampling.md says (chi-square), over seeds and over steps; without filters
 * the same seed and step mean the token that the CPU's sampler draws. Filters at the size of a vocabulary keep what a sort keeps.
 *
 *   test_cuda_draws [draws of each distribution] */
#include "harness.h"

#include "art_bits.h"
#include "art_cuda_cpu.h"
#include "art_sample.h"
#include <math.h>

enum { ROWS = 250, VOCAB = 6000 };

static harness h;
static arti_mem mem;
static uint64_t seed_ = 4711;

static float real(void) {
    return (float)(harness_random(&seed_) >> 40) * 0x1p-24f;
}

static uint32_t below(uint32_t n) {
    return (uint32_t)(harness_random(&seed_) >> 11) % n;
}

typedef struct row_setup {
    float x[VOCAB];
    uint32_t n, mask[VOCAB / 32 + 1];
    bool masked;
    art_cuda_row p;
} row_setup;

/* One draw a row, all rows being the same but for seed and step; n_sm decides how many blocks share one. */
static void draw_rows(const row_setup *r, const uint64_t *seeds, uint64_t *steps, uint32_t n_rows, uint32_t n_sm,
                      int32_t *ids) {
    static art_cuda_row rows[ROWS];
    static int32_t mask_rows[ROWS];
    assert(n_rows <= ROWS);
    for (uint32_t i = 0; i < n_rows; i++) {
        rows[i] = r->p;
        rows[i].seed = seeds[i];
        mask_rows[i] = r->masked ? 0 : -1;
    }
    uint64_t bytes = art_cuda_workspace_bytes(n_rows, r->n, n_sm);
    void *workspace = calloc(1, bytes);
    assert(workspace);
    art_cuda_sample_args a = {.logits = (uint64_t)(uintptr_t)r->x,
                              .masks = (uint64_t)(uintptr_t)r->mask,
                              .mask_rows = (uint64_t)(uintptr_t)mask_rows,
                              .rows = (uint64_t)(uintptr_t)rows,
                              .steps = (uint64_t)(uintptr_t)steps,
                              .ids = (uint64_t)(uintptr_t)ids,
                              .workspace = (uint64_t)(uintptr_t)workspace,
                              .n_rows = n_rows,
                              .n_vocab = r->n,
                              .n_masks = 1,
                              .dtype = ART_CUDA_F32};
    art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
    uint32_t n = art_cuda_plan_sample(n_rows, r->n, ART_CUDA_F32, 0, n_sm, l);
    for (uint32_t i = 0; i < n; i++) assert(art_cuda_cpu_launch_shuffled(&l[i], harness_random(&seed_), &a) == 0);
    free(workspace);
}

/* ------------------------------------------------------------------ distributions */

static const float *rank_x;

static int by_rank(const void *a, const void *b) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    if (rank_x[i] != rank_x[k]) return rank_x[i] > rank_x[k] ? -1 : 1;
    return i < k ? -1 : i > k;
}

/* The chances after the filters over the tokens in `mask`; false: a filter's edge is where rounding may decide. */
static bool filter(const row_setup *r, const uint32_t *mask, double *chance) {
    static uint32_t order[VOCAB];
    static double w[VOCAB];
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        chance[i] = 0;
        if (r->x[i] > -INFINITY && (!mask || arti_bits_test(mask, i))) order[n++] = i;
    }
    rank_x = r->x;
    qsort(order, n, sizeof *order, by_rank);
    if (r->p.top_k && n > (uint32_t)r->p.top_k) n = (uint32_t)r->p.top_k;
    double total = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++)
        total += w[i] = exp(((double)r->x[order[i]] - (double)r->x[order[0]]) / (double)r->p.temperature);
    for (; kept < n; kept++) {
        double limit = (double)r->p.top_p * total, least = (double)r->p.min_p;
        if (r->p.top_p < 1.0f && fabs(sum - limit) < 1e-5 * total) return false;
        if (kept && least > 0 && fabs(w[kept] - least) < 1e-5) return false;
        if (kept && ((r->p.top_p < 1.0f && sum >= limit) || w[kept] < least)) break;
        sum += w[kept];
    }
    for (uint32_t i = 0; i < kept; i++) chance[order[i]] = w[i] / sum;
    return true;
}

static bool expect(const row_setup *r, double *chance) {
    if (!filter(r, NULL, chance)) return false;
    double total = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->masked && !arti_bits_test(r->mask, i)) chance[i] = 0;
        total += chance[i];
    }
    if (total == 0) return filter(r, r->mask, chance);
    for (uint32_t i = 0; i < r->n; i++) chance[i] /= total;
    return true;
}

/* Greatest value of chi-square with n degrees of freedom that we put up with: Wilson and Hilferty's approximation at 1e-6. */
static double chi_square_max(int n) {
    double z = 4.7534, a = 2.0 / (9.0 * n), c = 1.0 - a + z * sqrt(a);
    return n * c * c * c;
}

static unsigned n_checked, n_draws = 750;

static void check_distribution(const row_setup *r) {
    static double chance[VOCAB];
    static uint32_t count[VOCAB];
    if (!expect(r, chance)) return;
    memset(count, 0, sizeof count);
    uint64_t seeds[ROWS], steps[ROWS];
    int32_t ids[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        seeds[i] = i % 5; /* few seeds, many steps */
        steps[i] = i / 5u * n_draws;
    }
    unsigned total = 0;
    for (; total < n_draws; total += ROWS) {
        draw_rows(r, seeds, steps, ROWS, 1 + below(4) * 500, ids);
        for (uint32_t i = 0; i < ROWS; i++) {
            assert(ids[i] >= 0 && (uint32_t)ids[i] < r->n);
            count[ids[i]]++;
        }
    }
    double chi = 0, rest_p = 0, rest_n = 0;
    int freedom = -1;
    for (uint32_t i = 0; i < r->n; i++) {
        double wanted = chance[i] * total;
        if (chance[i] == 0) assert(count[i] == 0);
        if (wanted < 10) { /* too few for the test: put together */
            rest_p += wanted;
            rest_n += count[i];
        } else {
            chi += (count[i] - wanted) * (count[i] - wanted) / wanted;
            freedom++;
        }
    }
    if (rest_p >= 10) {
        chi += (rest_n - rest_p) * (rest_n - rest_p) / rest_p;
        freedom++;
    }
    n_checked++;
    if (freedom > 0 && chi > chi_square_max(freedom)) {
        fprintf(stderr, "vocabulary %u, T %g k %d p %g min %g: chi-square %g with %d degrees\n", r->n,
                (double)r->p.temperature, r->p.top_k, (double)r->p.top_p, (double)r->p.min_p, chi, freedom);
        abort();
    }
}

static void make_row(row_setup *r, uint32_t n, float spread) {
    r->n = n;
    r->p = (art_cuda_row){.temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f};
    for (uint32_t i = 0; i < n; i++) r->x[i] = (real() + real() + real() - 1.5f) * spread;
    r->x[n / 2] = r->x[n / 3]; /* a tie */
    for (uint32_t i = 0; i <= n / 32; i++) r->mask[i] = (uint32_t)(harness_random(&seed_) >> 16);
    arti_bits_set(r->mask, n / 5);
}

static void test_distributions(void) {
    static const float temps[] = {0.4f, 1.0f};
    static const int ks[] = {0, 6, 45};
    static const float ps[] = {1.0f, 0.95f, 0.4f};
    static const float mins[] = {0.0f, 0.1f};
    static row_setup r;
    unsigned round = 0;
    for (size_t t = 0; t < 2; t++)
        for (size_t k = 0; k < 3; k++)
            for (size_t p = 0; p < 3; p++)
                for (size_t m = 0; m < 2; m++, round++) {
                    make_row(&r, round % 3 == 0 ? 700 : 40 + below(40), round % 2 ? 4.0f : 12.0f);
                    r.masked = round % 5 != 0;
                    r.p.temperature = temps[t];
                    r.p.top_k = ks[k];
                    r.p.top_p = ps[p];
                    r.p.min_p = mins[m];
                    check_distribution(&r);
                }
    /* What is allowed is far below the rest: nothing of it is kept, and its own weights decide. */
    make_row(&r, 600, 6.0f);
    r.masked = true;
    for (uint32_t i = 0; i < 600; i++)
        if (arti_bits_test(r.mask, i)) r.x[i] -= 200.0f;
    check_distribution(&r);
    r.p.top_p = 0.9f;
    check_distribution(&r);
    r.p.top_k = 20;
    check_distribution(&r);
    assert(n_checked > 30);
}

/* ------------------------------------------------------------------ the same numbers as on the CPU */

static void test_seed(void) {
    static row_setup r;
    arti_sampler s;
    uint32_t n_same = 0, n_all = 0;
    for (int round = 0; round < 8; round++) {
        make_row(&r, 50 + below(3000), 10.0f);
        r.masked = false;
        art_sample_params p;
        art_sample_defaults(&p);
        p.temperature = r.p.temperature = 0.8f;
        p.seed = harness_random(&seed_);
        arti_sampler_init(&s, &mem, r.n);
        assert(arti_sampler_start(&s, &p, NULL) == ART_OK);
        uint64_t seeds[ROWS], steps[ROWS], again[ROWS];
        int32_t ids[ROWS], one;
        for (uint32_t i = 0; i < ROWS; i++) {
            seeds[i] = p.seed;
            again[i] = steps[i] = i;
        }
        draw_rows(&r, seeds, steps, ROWS, 8, ids);
        for (uint32_t i = 0; i < ROWS; i++, n_all++) {
            n_same += arti_sampler_draw(&s, r.x, NULL, 0) == ids[i];
            assert(steps[i] == i + 1u);
            if (i % 10) continue;
            draw_rows(&r, seeds + i, again + i, 1, 64, &one); /* alone, shared by blocks */
            assert(one == ids[i]);
        }
        arti_sampler_free(&s);
    }
    assert(n_same > n_all - n_all / 500); /* weights are rounded differently */
}

/* ------------------------------------------------------------------ filters at the size of a vocabulary */

static void test_filters_large(void) {
    static row_setup r;
    static double chance[VOCAB];
    uint64_t seeds[ROWS], steps[ROWS] = {0};
    int32_t ids[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) seeds[i] = harness_random(&seed_);
    for (unsigned round = 0; round < 30; round++) {
        static const float spreads[] = {0.0f, 0.05f, 8.0f, 200.0f};
        make_row(&r, 2000 + below(VOCAB - 2000), spreads[round % 4]);
        if (round % 3 == 0)
            for (uint32_t i = 0; i < r.n; i++) r.x[i] = floorf(r.x[i]); /* ties everywhere */
        r.masked = round % 2;
        r.p.top_k = round % 5 == 0 ? 0 : (int32_t)(round % 5 == 1 ? 1 + below(3000) : 1 + below(100));
        r.p.top_p = round % 7 == 0 ? 1.0f : 0.05f + 0.9f * real();
        r.p.min_p = round % 11 == 0 ? 0.3f : 0.0f;
        if (!expect(&r, chance)) continue;
        draw_rows(&r, seeds, steps, 10, 1 + below(300), ids);
        for (uint32_t i = 0; i < 10; i++) assert(ids[i] >= 0 && chance[ids[i]] > 0);
    }
}

int main(int argc, char **argv) {
    art_alloc alloc = harness_alloc(&h);
    arti_mem_init(&mem, &alloc, 0);
    if (argc > 1) n_draws = (unsigned)strtoul(argv[1], NULL, 10);
    test_seed();
    test_filters_large();
    test_distributions();
    assert(h.live == 0);
    return 0;
}
