/* SPDX-License-Identifier: Apache-2.0
 *
 * Sampling: the drawn distribution is the defined one (chi-square), with and without filters, penalties and a constraint that
 * refuses first; same seed, same tokens; ties go to the smallest id. The reference here sorts everything, in doubles. */
#include "harness.h"

#include "art_bits.h"
#include "art_sample.h"
#include <math.h>

enum { N = 40, DRAWS = 20000 };

static harness h;
static arti_mem mem;

/* Greatest value of chi-square with n degrees of freedom that we put up with: Wilson and Hilferty's approximation at 1e-6. */
static double chi_square_max(int n) {
    double z = 4.7534, a = 2.0 / (9.0 * n), c = 1.0 - a + z * sqrt(a);
    return n * c * c * c;
}

typedef struct reference {
    double p[N];
    bool kept[N];
} reference;

static int by_rank(const void *a, const void *b, const float *x) {
    int i = *(const int *)a, j = *(const int *)b;
    if (x[i] != x[j]) return x[i] > x[j] ? -1 : 1;
    return i - j;
}

/* docs/sampling.md, word for word. */
static void filtered(const float *x, const art_sample_params *sp, const uint32_t *mask, reference *r) {
    int order[N], n = 0;
    double w[N];
    for (int i = 0; i < N; i++) {
        r->kept[i] = false;
        r->p[i] = 0;
        if ((!mask || arti_bits_test(mask, (size_t)i)) && x[i] > -INFINITY) order[n++] = i;
    }
    for (int i = 1; i < n; i++) { /* insertion sort by rank */
        int item = order[i], k = i;
        for (; k > 0 && by_rank(&item, &order[k - 1], x) < 0; k--) order[k] = order[k - 1];
        order[k] = item;
    }
    double total = 0;
    if (sp->top_k && n > sp->top_k) n = sp->top_k;
    for (int i = 0; i < n; i++)
        total += w[i] = exp(((double)x[order[i]] - (double)x[order[0]]) / (double)sp->temperature);
    int m = n;
    if (sp->top_p < 1.0f) {
        double sum = 0;
        for (m = 0; m < n && sum < (double)sp->top_p * total; m++) sum += w[m];
    }
    while (m > 1 && w[m - 1] < (double)sp->min_p) m--;
    total = 0;
    for (int i = 0; i < m; i++) total += w[i];
    for (int i = 0; i < m; i++) {
        r->kept[order[i]] = true;
        r->p[order[i]] = w[i] / total;
    }
}

static void constrained(const float *x, const art_sample_params *sp, const uint32_t *mask, reference *r) {
    filtered(x, sp, NULL, r);
    double total = 0;
    for (int i = 0; i < N; i++) {
        if (mask && !arti_bits_test(mask, (size_t)i)) r->p[i] = 0;
        total += r->p[i];
    }
    if (total == 0)
        filtered(x, sp, mask, r);
    else
        for (int i = 0; i < N; i++) r->p[i] /= total;
}

static int64_t draw(arti_sampler *s, const float *x, const uint32_t *mask) {
    int64_t id = arti_sampler_draw(s, x, NULL, 0);
    if (mask && id >= 0 && !arti_bits_test(mask, (size_t)id)) id = arti_sampler_redraw(s, mask);
    assert(id < 0 || !mask || arti_bits_test(mask, (size_t)id));
    return id;
}

static void check_distribution(const float *x, const art_sample_params *sp, const uint32_t *mask) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    assert(arti_sampler_start(&s, sp, NULL) == ART_OK);
    reference r;
    constrained(x, sp, mask, &r);
    unsigned count[N] = {0};
    unsigned long before = h.n_allocations;
    for (int i = 0; i < DRAWS; i++) {
        int64_t id = draw(&s, x, mask);
        assert(id >= 0 && id < N);
        count[id]++;
    }
    assert(h.n_allocations == before); /* nothing is allocated per token */
    double chi = 0, rest_p = 0, rest_n = 0;
    int n = -1;
    for (int i = 0; i < N; i++) {
        double wanted = r.p[i] * DRAWS;
        if (r.p[i] == 0) {
            assert(count[i] == 0);
        } else if (wanted < 10) { /* too few for the test: put together */
            rest_p += wanted;
            rest_n += count[i];
        } else {
            chi += (count[i] - wanted) * (count[i] - wanted) / wanted;
            n++;
        }
    }
    if (rest_p >= 10) {
        chi += (rest_n - rest_p) * (rest_n - rest_p) / rest_p;
        n++;
    }
    if (n > 0 && chi > chi_square_max(n)) {
        fprintf(stderr, "T %g k %d p %g min %g: chi-square %g with %d degrees\n", (double)sp->temperature, sp->top_k,
                (double)sp->top_p, (double)sp->min_p, chi, n);
        abort();
    }
    arti_sampler_free(&s);
}

static void make_logits(float *x, uint64_t *seed, float spread) {
    for (int i = 0; i < N; i++) x[i] = spread * (float)((double)(harness_random(seed) >> 11) * 0x1p-53 - 0.5);
    x[7] = x[3]; /* a tie */
}

static void test_distributions(void) {
    uint64_t seed = 12345678901234567u;
    static const float temps[] = {0.3f, 1.0f, 2.5f};
    static const int ks[] = {0, 1, 5, 100};
    static const float ps[] = {1.0f, 0.9f, 0.3f};
    static const float mins[] = {0.0f, 0.1f};
    int round = 0;
    for (size_t t = 0; t < 3; t++)
        for (size_t k = 0; k < 4; k++)
            for (size_t p = 0; p < 3; p++)
                for (size_t m = 0; m < 2; m++) {
                    float x[N];
                    make_logits(x, &seed, round % 2 ? 6.0f : 40.0f);
                    if (round % 5 == 0) x[11] = -INFINITY;
                    uint32_t mask[2] = {(uint32_t)harness_random(&seed), (uint32_t)harness_random(&seed) & 0xFFu};
                    mask[0] |= 1u;
                    art_sample_params sp;
                    art_sample_defaults(&sp);
                    sp.temperature = temps[t];
                    sp.top_k = ks[k];
                    sp.top_p = ps[p];
                    sp.min_p = mins[m];
                    sp.seed = (uint64_t)round++;
                    check_distribution(x, &sp, round % 3 == 0 ? NULL : mask);
                }
}

/* The filters at the size of a vocabulary: what is kept is what a full sort keeps. */
static void test_filters_large(void) {
    enum { BIG = 5000 };
    static float x[BIG];
    uint64_t seed = 99;
    arti_sampler s;
    arti_sampler_init(&s, &mem, BIG);
    for (int round = 0; round < 60; round++) {
        float spread = round % 3 == 0 ? 0.5f : round % 3 == 1 ? 8.0f : 200.0f;
        for (int i = 0; i < BIG; i++) x[i] = spread * (float)((double)(harness_random(&seed) >> 11) * 0x1p-53);
        if (round % 4 == 0)
            for (int i = 0; i < BIG; i++) x[i] = floorf(x[i]); /* ties everywhere */
        art_sample_params sp;
        art_sample_defaults(&sp);
        sp.temperature = 0.8f;
        sp.top_k = (int32_t)(harness_random(&seed) % 300);
        sp.top_p = round % 2 ? 0.7f : 1.0f;
        if (!sp.top_k && sp.top_p == 1.0f) sp.min_p = 0.02f;
        assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
        assert(arti_sampler_draw(&s, x, NULL, 0) >= 0);
        assert(!s.all && s.n_kept > 0);
        /* the kept ones are the n first by rank */
        float least = INFINITY;
        for (uint32_t i = 0; i < s.n_kept; i++)
            if (x[s.kept[i]] < least) least = x[s.kept[i]];
        uint32_t last = 0;
        for (uint32_t i = 0; i < s.n_kept; i++)
            if (x[s.kept[i]] == least) last = s.kept[i];
        uint32_t n_before = 0;
        for (uint32_t i = 0; i < BIG; i++) n_before += x[i] > least || (x[i] == least && i <= last);
        assert(n_before == s.n_kept);
        if (sp.top_k) assert(s.n_kept <= (uint32_t)sp.top_k);
        if (sp.top_k && sp.top_p == 1.0f && sp.min_p == 0.0f) assert(s.n_kept == (uint32_t)sp.top_k);
    }
    arti_sampler_free(&s);
}

static void test_greedy_and_ties(void) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    art_sample_params sp;
    art_sample_defaults(&sp);
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    assert(h.live == 0); /* greedy needs no rows */
    float x[N] = {0};
    x[5] = x[9] = x[30] = 2.0f;
    assert(arti_sampler_draw(&s, x, NULL, 0) == 5);
    uint32_t mask[2] = {1u << 30 | 1u << 9, 0};
    assert(arti_sampler_redraw(&s, mask) == 9);
    uint32_t none[2] = {0, 0};
    assert(arti_sampler_redraw(&s, none) == -1);
    x[3] = NAN;
    assert(arti_sampler_draw(&s, x, NULL, 0) == -1);
    for (int i = 0; i < N; i++) x[i] = -INFINITY;
    assert(arti_sampler_draw(&s, x, NULL, 0) == -1);
    sp.temperature = 1.0f;
    sp.top_k = 1;
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    for (int i = 0; i < N; i++) x[i] = 0.0f;
    for (int i = 0; i < 100; i++) assert(arti_sampler_draw(&s, x, NULL, 0) == 0); /* equals: the smallest id is first */
    arti_sampler_free(&s);
}

static void test_seed(void) {
    float x[N];
    uint64_t seed = 5;
    make_logits(x, &seed, 4.0f);
    art_sample_params sp;
    art_sample_defaults(&sp);
    sp.temperature = 1.0f;
    int64_t got[3][64];
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    for (int run = 0; run < 3; run++) {
        sp.seed = run == 2 ? 8 : 7;
        assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
        for (int i = 0; i < 64; i++) got[run][i] = arti_sampler_draw(&s, x, NULL, 0);
    }
    assert(memcmp(got[0], got[1], sizeof got[0]) == 0);
    assert(memcmp(got[0], got[2], sizeof got[0]) != 0);
    arti_sampler_free(&s);
}

static void test_penalties_and_bias(void) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    float x[N] = {0};
    x[1] = 4.0f;
    x[2] = 3.0f;
    x[3] = -1.0f;
    static const int32_t recent[] = {2, 1, 1, 3};
    art_sample_params sp;
    art_sample_defaults(&sp);
    sp.repetition_penalty = 2.0f;
    sp.frequency_penalty = 0.25f;
    sp.presence_penalty = 0.5f;
    art_bias bias[2] = {{4, 1.5f}, {1, 0.125f}};
    sp.bias = bias;
    sp.n_bias = 2;
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    bias[0].token = 39;                       /* it was copied */
    for (int round = 0; round < 2; round++) { /* the counts are back at zero afterwards */
        assert(arti_sampler_draw(&s, x, recent, 4) == 4);
        assert(s.logits[1] == 2.0f - 2 * 0.25f - 0.5f + 0.125f);
        assert(s.logits[2] == 1.5f - 0.25f - 0.5f);
        assert(s.logits[3] == -2.0f - 0.25f - 0.5f);
        assert(s.logits[4] == 1.5f && s.logits[39] == 0.0f && x[1] == 4.0f);
    }
    sp.penalty_last_n = 1;
    sp.n_bias = 0;
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    assert(arti_sampler_draw(&s, x, recent, 4) == 1 && s.logits[1] == 4.0f && s.logits[3] == -2.75f);

    /* A ban does not break the constraint: when it bans all that is allowed, the constraint wins. */
    art_sample_defaults(&sp);
    art_bias ban[2] = {{1, -INFINITY}, {2, -INFINITY}};
    sp.bias = ban;
    sp.n_bias = 2;
    for (int random = 0; random < 2; random++) {
        sp.temperature = random ? 1.0f : 0.0f;
        assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
        int64_t id = arti_sampler_draw(&s, x, NULL, 0);
        assert(id != 1 && id != 2);
        uint32_t one[2] = {1u << 1 | 1u << 5, 0}, two[2] = {1u << 1, 0};
        assert(arti_sampler_redraw(&s, one) == 5);
        assert(arti_sampler_redraw(&s, two) == 1);
    }

    /* Bans that are undone: the filters look at all tokens again, not only at the allowed ones. */
    float y[N] = {0};
    y[1] = 4.0f;
    y[2] = 3.9f;
    y[3] = 3.8f;
    sp.top_k = 2;
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    uint32_t both[2] = {1u << 2 | 1u << 1, 0}, second[2] = {1u << 2 | 1u << 5, 0};
    for (int i = 0; i < 200; i++) {
        int64_t id = arti_sampler_draw(&s, y, NULL, 0);
        assert(id == 0 || id == 3);
        id = arti_sampler_redraw(&s, both);
        assert(id == 1 || id == 2);
    }
    art_bias bans[2] = {{2, -INFINITY}, {5, -INFINITY}};
    sp.bias = bans;
    assert(arti_sampler_start(&s, &sp, NULL) == ART_OK);
    for (int i = 0; i < 200; i++) {
        int64_t id = arti_sampler_draw(&s, y, NULL, 0);
        assert(id == 1 || id == 3);
        assert(arti_sampler_redraw(&s, second) == 2); /* 5 is not among the two first */
    }
    arti_sampler_free(&s);
}

static void test_refusals(void) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    art_error err;
    art_sample_params ok, sp;
    art_sample_defaults(&ok);
#define REFUSED(field, value, word)                                                                                    \
    sp = ok;                                                                                                           \
    sp.field = value;                                                                                                  \
    assert(arti_sampler_start(&s, &sp, &err) == ART_E_ARG && strstr(err.msg, word))
    REFUSED(temperature, -0.1f, "temperature");
    REFUSED(temperature, NAN, "temperature");
    REFUSED(temperature, INFINITY, "temperature");
    REFUSED(top_k, -1, "top_k");
    REFUSED(top_p, 0.0f, "top_p");
    REFUSED(top_p, 1.1f, "top_p");
    REFUSED(top_p, NAN, "top_p");
    REFUSED(min_p, -0.1f, "min_p");
    REFUSED(min_p, 1.1f, "min_p");
    REFUSED(repetition_penalty, 0.0f, "repetition");
    REFUSED(frequency_penalty, NAN, "frequency");
    REFUSED(presence_penalty, INFINITY, "presence");
    REFUSED(n_bias, ART_BIAS_MAX + 1, "ART_BIAS_MAX");
    sp = ok;
    art_bias bias[] = {{1, 0.0f}, {N, 1.0f}};
    sp.bias = bias;
    sp.n_bias = 2;
    assert(arti_sampler_start(&s, &sp, &err) == ART_E_ARG && err.pos == 1);
    bias[1] = (art_bias){2, INFINITY};
    assert(arti_sampler_start(&s, &sp, &err) == ART_E_ARG && err.pos == 1);
    bias[1] = (art_bias){2, NAN};
    assert(arti_sampler_start(&s, &sp, &err) == ART_E_ARG && err.pos == 1);
    arti_sampler_free(&s);
    assert(h.live == 0);
}

static bool try_all(void) {
    arti_sampler s;
    arti_sampler_init(&s, &mem, N);
    art_bias bias = {1, 1.0f};
    art_sample_params sp;
    art_sample_defaults(&sp);
    sp.temperature = 1.0f;
    sp.top_k = 5;
    sp.repetition_penalty = 1.1f;
    sp.bias = &bias;
    sp.n_bias = 1;
    bool ok = arti_sampler_start(&s, &sp, NULL) == ART_OK;
    arti_sampler_free(&s);
    return ok;
}

int main(void) {
    art_alloc alloc = harness_alloc(&h);
    arti_mem_init(&mem, &alloc, 0);
    test_greedy_and_ties();
    test_seed();
    test_penalties_and_bias();
    test_refusals();
    test_filters_large();
    test_distributions();
    FAIL_EVERY_ALLOCATION(&h, try_all());
    assert(h.live == 0 && mem.used == 0);
    return 0;
}
