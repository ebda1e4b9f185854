/* SPDX-License-Identifier: Apache-2.0
 *
 * How long from a pattern to the first answer, and how fast is a step after that?
 *
 *   bench_regex [FILE]     patterns, one a line; without FILE a dozen that schemas really use
 *
 * For each pattern, with a fresh context: microseconds to the first state, to a shortest text with the automaton walked along it, and
 * the bytes then held; in the end quantiles, and nanoseconds for each byte of a warm walk. Patterns that are refused are printed.
 * Not measured: masks, and whatever the matcher does around this. */
#include "art_regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const builtin[] = {
    "^[a-z0-9]+(?:-[a-z0-9]+)*$",
    "^\\d{4}-\\d{2}-\\d{2}$",
    "^#[0-9a-fA-F]{6}$",
    "^[^\\s@]+@[^\\s@]+\\.[^\\s@]+$",
    "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?$",
    "^(?=.*[a-z])(?=.*[A-Z])(?=.*\\d)[A-Za-z\\d]{8,64}$",
    "^((?!\\b(?:the|and|or)\\b).)*$",
    "^$|(^(?:\\S+\\s+){0,99}\\S+$)",
    "^(?!.*://)(?=.{1,255}$)((.{1,63}\\.){1,127}(?![0-9]*$)[a-z0-9-]+\\.?)$",
    "^\\p{Lu}\\p{L}{0,49}$",
    "colou?r",
    "^(.*a.{12}b|c)$",
};

typedef struct sample {
    double state, text, bytes;
} sample;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* false when the pattern is refused */
static bool measure(const char *pattern, size_t len, sample *out, double *warm_ns, size_t *warm_bytes) {
    static uint8_t text[1 << 16];
    arti_mem mem;
    arti_re_ctx *c;
    size_t n = 0;
    const double begin = now_us();
    arti_mem_init(&mem, NULL, (size_t)64 << 20);
    if (arti_re_ctx_new(&mem, &c, NULL) != ART_OK) return false;
    const arti_re_state s = arti_re_start(c, arti_re_pattern(c, pattern, len));
    const double state = now_us();
    art_status status =
        s == ARTI_RE_FAIL ? arti_re_error(c, NULL) : arti_re_witness(c, s, 0, ARTI_RE_UNBOUNDED, text, sizeof text, &n);
    const arti_re_state end = status == ART_OK ? arti_re_run(c, s, text, n) : s;
    if (status == ART_OK && (end == ARTI_RE_FAIL || !arti_re_accepts(c, end))) status = ART_E_STATE;
    *out = (sample){state - begin, now_us() - state, (double)mem.used};
    if (status == ART_OK) {
        const double warm = now_us();
        for (int i = 0; i < 100; i++) (void)arti_re_run(c, s, text, n);
        *warm_ns += (now_us() - warm) * 1e3;
        *warm_bytes += 100 * n;
    } else {
        art_error err = {0};
        if (status != ART_REJECTED) arti_re_error(c, &err);
        printf("refused: %.*s\n         %s\n", (int)len, pattern, err.msg);
    }
    arti_re_ctx_free(c);
    return status == ART_OK || status == ART_REJECTED;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *v, size_t n) {
    qsort(v, n, sizeof *v, ascending);
    printf("%-28s p50 %9.1f   p99 %9.1f   max %9.1f\n", what, v[n / 2], v[n * 99 / 100], v[n - 1]);
}

int main(int argc, char **argv) {
    enum { PATTERNS_MAX = 100000 };
    static char line[1 << 17];
    static double state[PATTERNS_MAX], text[PATTERNS_MAX], bytes[PATTERNS_MAX];
    size_t n = 0, n_refused = 0, warm_bytes = 0;
    double warm_ns = 0;
    sample one;
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (argc > 1 && !f) return perror(argv[1]), 1;
    for (size_t i = 0; n < PATTERNS_MAX; i++) {
        const char *pattern = line;
        if (!f && i == sizeof builtin / sizeof *builtin) break;
        if (!f)
            pattern = builtin[i];
        else if (!fgets(line, sizeof line, f))
            break;
        if (!measure(pattern, strcspn(pattern, "\n"), &one, &warm_ns, &warm_bytes)) {
            n_refused++;
            continue;
        }
        state[n] = one.state;
        text[n] = one.text;
        bytes[n++] = one.bytes;
    }
    if (f) fclose(f);
    printf("%zu patterns, %zu refused\n", n, n_refused);
    if (n == 0) return 1;
    report("first state, us", state, n);
    report("shortest text walked, us", text, n);
    report("bytes held", bytes, n);
    printf("%-28s %.2f\n", "warm step, ns a byte", warm_bytes ? warm_ns / (double)warm_bytes : 0.0);
    return 0;
}
