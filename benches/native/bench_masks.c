/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_masks.c: how long do masks take without Python?
 *
 *     bench_masks VOCAB CASES [order]
 *
 * VOCAB is a file of art_vocab_save(); CASES holds lines {"schema": ..., "tests": [[id, ...], ...]} (benches/mask_cases.py writes
 * both). For every schema: compile, constraint and first mask (TTFM); then, for every token of every instance, one mask and one accept,
 * each timed alone: wall clock, or the thread's processor time where that is less, so that a preemption does not count. "order" takes
 * properties in schema order. Not measured: the model, sampling, Python.
 *
 * The first line says which instructions the rows of masks are handled with. AVX2 is chosen at run time where the processor has it; to
 * measure the portable code, as a processor without AVX2 runs it, build a second time:
 *
 *     cmake -B build/simd     -G Ninja -DART_BENCH=ON                 && cmake --build build/simd     --target bench_masks
 *     cmake -B build/portable -G Ninja -DART_BENCH=ON -DART_SIMD=OFF  && cmake --build build/portable --target bench_masks
 */
#include "art_bits.h"
#include "art_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct series {
    double *v;
    size_t n, cap;
} series;

static double clock_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

typedef struct watch {
    double cpu, wall;
} watch;

static watch watch_start(void) {
    const double cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);
    return (watch){cpu, clock_us(CLOCK_MONOTONIC)};
}

static double watch_us(watch w) {
    const double wall = clock_us(CLOCK_MONOTONIC) - w.wall, cpu = clock_us(CLOCK_THREAD_CPUTIME_ID) - w.cpu;
    return wall < cpu ? wall : cpu;
}

static void add(series *s, double v) {
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->v = realloc(s->v, s->cap * sizeof *s->v);
        if (!s->v) exit(1);
    }
    s->v[s->n++] = v;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, series *s) {
    if (s->n == 0) return;
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += s->v[i];
    qsort(s->v, s->n, sizeof *s->v, compare);
    printf("%-12s n %8zu  avg %9.2f  p50 %8.2f  p90 %8.2f  p99 %9.2f  p99.9 %9.2f  max %10.2f us\n", name, s->n,
           sum / (double)s->n, s->v[s->n / 2], s->v[(size_t)((double)(s->n - 1) * 0.9)],
           s->v[(size_t)((double)(s->n - 1) * 0.99)], s->v[(size_t)((double)(s->n - 1) * 0.999)], s->v[s->n - 1]);
}

static char *read_file(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t cap = 1u << 20, n = 0;
    char *p = malloc(cap);
    while (p) {
        n += fread(p + n, 1, cap - n, f);
        if (n < cap) break;
        p = realloc(p, cap *= 2);
    }
    fclose(f);
    *len = n;
    return p;
}

typedef struct totals {
    series ttfm, mask, accept, both;
    size_t n_refused, n_rejected;
} totals;

static void run_tests(art_constraint *c, const arti_json *tests, uint32_t *words, size_t n_words, totals *t) {
    for (uint32_t i = 0; i < tests->n; i++) {
        art_matcher *m;
        if (art_matcher_new(c, &m, NULL) != ART_OK) exit(1);
        const arti_json *ids = &tests->items[i];
        for (uint32_t k = 0; k <= ids->n; k++) {
            watch start = watch_start();
            if (art_matcher_fill_mask(m, words, n_words, NULL, NULL) != ART_OK) break;
            const double mask = watch_us(start);
            add(&t->mask, mask);
            uint32_t id;
            if (k == ids->n || !arti_json_to_count(&ids->items[k], &id)) break;
            start = watch_start();
            art_status s = art_matcher_accept(m, id);
            const double accept = watch_us(start);
            add(&t->accept, accept);
            add(&t->both, mask + accept);
            if (s != ART_OK) {
                t->n_rejected++;
                break;
            }
        }
        art_matcher_free(m);
    }
}

static void run_case(const arti_json *doc, const char *line, art_vocab *v, const art_constraint_opts *opts,
                     uint32_t *words, size_t n_words, totals *t) {
    const arti_json *schema_text = arti_json_get(doc, "schema", 6), *tests = arti_json_get(doc, "tests", 5);
    if (!schema_text || !tests) return;
    const watch start = watch_start();
    art_schema *schema;
    art_constraint *c = NULL;
    art_matcher *m = NULL;
    art_status s =
        art_schema_compile(line + schema_text->pos, schema_text->end - schema_text->pos, NULL, NULL, &schema, NULL);
    if (s == ART_OK) s = art_constraint_new(schema, v, opts, NULL, &c, NULL);
    if (s == ART_OK) s = art_matcher_new(c, &m, NULL);
    if (s == ART_OK) s = art_matcher_fill_mask(m, words, n_words, NULL, NULL);
    if (s == ART_OK) {
        add(&t->ttfm, watch_us(start));
        run_tests(c, tests, words, n_words, t);
    } else {
        t->n_refused++;
    }
    art_matcher_free(m);
    art_constraint_free(c);
    art_schema_free(schema);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: bench_masks VOCAB CASES [order]\n");
        return 2;
    }
    art_error err;
    art_vocab *v;
    if (art_vocab_open(argv[1], NULL, &v, &err) != ART_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    size_t len, n_words = (art_vocab_size(v) + 31) / 32;
    char *text = read_file(argv[2], &len);
    uint32_t *words = malloc(n_words * sizeof *words);
    if (!text || !words) return 1;
    art_constraint_opts opts = {.property_order = argc > 3 ? ART_ORDER_SCHEMA : ART_ORDER_ANY};
    totals t = {0};
    arti_mem mem;
    arti_mem_init(&mem, NULL, 0);
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + len - line));
        if (!end) break;
        arti_arena arena;
        arti_arena_init(&arena, &mem);
        const arti_json *doc;
        if (arti_json_parse(&arena, &mem, line, (size_t)(end - line), ARTI_JSON_DEPTH_MAX, &doc, NULL) == ART_OK)
            run_case(doc, line, v, &opts, words, n_words, &t);
        arti_arena_free(&arena);
    }
    printf("instructions: %s\n", arti_bits_variant());
    report("ttfm", &t.ttfm);
    report("mask", &t.mask);
    report("accept", &t.accept);
    report("mask+accept", &t.both);
    printf("refused %zu schemas; %zu instances not taken\n", t.n_refused, t.n_rejected);
    art_vocab_free(v);
    free(words);
    free(text);
    return 0;
}
