/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_patterns.c: what do masks inside a string under one pattern or format cost?
 *
 *     bench_patterns VOCAB [rounds]
 *
 * VOCAB is a file of art_vocab_save(). For each language three masks at each of a few places in one string, best of `rounds`: the first for
 * this vocabulary, the first of another constraint, and one in another member of the same object. Not measured: compiling, steps. */
#include "art.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *rule;
    const char *at[3]; /* pieces of the string: a mask before each, and one at the end */
} cases[] = {
    {"\"pattern\": \"^[a-z0-9-]*$\"", {"abc", "-1", "x"}},
    {"\"pattern\": \"^[A-Za-z_][A-Za-z0-9_]*$\"", {"ab", "c_", "1"}},
    {"\"pattern\": \"^[0-9A-Za-z]{8}-[0-9A-Za-z]{4}-[0-9A-Za-z]{12}$\"", {"abc", "defgh", "-123"}},
    {"\"pattern\": \"^[\\\\w\\\\s-]+$\"", {"abc", " de", "f"}},
    {"\"pattern\": \"^$|(^(?:\\\\S+\\\\s+){0,99}\\\\S+$)\", \"maxLength\": 5000", {"Hello", " world", " and"}},
    {"\"pattern\": \"[a-zA-Z]{3}\", \"minLength\": 3, \"maxLength\": 3", {"A", "B", "C"}},
    {"\"pattern\": \"^\\\\S+@\\\\S+$\", \"minLength\": 5, \"maxLength\": 96", {"abc", "s@a", "df"}},
    {"\"pattern\": \"^.{1,50}$\"", {"a", "bc", "d"}},
    {"\"pattern\": \"foo|bar\"", {"a", "fo", "o"}},
    {"\"format\": \"email\"", {"abc", "@exa", "mple.com"}},
    {"\"format\": \"uri\"", {"http", "://exam", "ple.com/a"}},
    {"\"format\": \"date-time\"", {"2020", "-01-", "01T"}},
    {"\"format\": \"uuid\"", {"abc", "def12", "-123"}},
    {"\"format\": \"hostname\"", {"abc", ".exa", "mple"}},
    {"\"enum\": [\"alpha\", \"beta\", \"gamma delta\"]", {"gam", "ma", " d"}},
};
enum { PLACES = 4 };

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void accept_text(art_matcher *m, const char *text) {
    size_t n;
    if (art_matcher_accept_bytes(m, (const uint8_t *)text, strlen(text), &n) != ART_OK || n < strlen(text)) {
        fprintf(stderr, "%s: refused at byte %zu\n", text, n);
        exit(1);
    }
}

/* Masks along the string, from `start` on; keeps the best times. */
static void measure(art_constraint *c, const char *start, size_t k, uint32_t *words, size_t n_words, double *best) {
    art_matcher *m;
    if (art_matcher_new(c, &m, NULL) != ART_OK) exit(1);
    accept_text(m, start);
    for (int i = 0; i < PLACES; i++) {
        const double from = now_us();
        if (art_matcher_fill_mask(m, words, n_words, NULL, NULL) != ART_OK) exit(1);
        const double took = now_us() - from;
        if (best[i] == 0 || took < best[i]) best[i] = took;
        if (i + 1 < PLACES) accept_text(m, cases[k].at[i]);
    }
    art_matcher_free(m);
}

static void run_case(const char *path, size_t k, double best[3][PLACES]) {
    char text[512];
    snprintf(text, sizeof text, "{\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\", %s}}",
             cases[k].rule);
    art_vocab *v;
    art_error err;
    if (art_vocab_open(path, NULL, &v, &err) != ART_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    const size_t n_words = (art_vocab_size(v) + 31) / 32;
    uint32_t *words = calloc(n_words, sizeof *words);
    for (int other = 0; other < 2 && words; other++) {
        art_schema *s;
        art_constraint *c;
        if (art_schema_compile(text, strlen(text), NULL, NULL, &s, &err) != ART_OK ||
            art_constraint_new(s, v, NULL, NULL, &c, &err) != ART_OK) {
            fprintf(stderr, "%s: %s\n", text, err.msg);
            exit(1);
        }
        measure(c, "{\"a\": \"", k, words, n_words, best[other]);
        if (other) measure(c, "{\"b\": \"", k, words, n_words, best[2]);
        art_constraint_free(c);
        art_schema_free(s);
    }
    free(words);
    art_vocab_free(v);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: bench_patterns VOCAB [rounds]\n");
        return 2;
    }
    const int rounds = argc > 2 ? atoi(argv[2]) : 5;
    printf("us per mask, at %d places: first | another constraint | another member\n", PLACES);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double best[3][PLACES] = {{0}};
        for (int r = 0; r < rounds; r++) run_case(argv[1], k, best);
        for (int row = 0; row < 3; row++) {
            for (int i = 0; i < PLACES; i++) printf("%7.1f", best[row][i]);
            printf(" |");
        }
        printf("  %s\n", cases[k].rule);
    }
    return 0;
}
