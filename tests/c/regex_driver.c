/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers questions about one pattern after the other for tests/unit/test_regex_differential.py: a line holds a
 * pattern and texts, all in hexadecimal, separated by spaces (`-` for nothing). The answer is `E code position`, or
 * for each text 1 or 0, then in hexadecimal a shortest and three random texts of the language (`none` when it is
 * empty). */
#include "art_regex.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t next_random(void *ud) {
    uint64_t *x = ud;
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*x >> 32);
}

static size_t from_hex(const char *word, char *out) {
    size_t n = 0;
    for (; word[0] && word[1] && word[0] != '-'; word += 2) {
        const char pair[3] = {word[0], word[1], 0};
        out[n++] = (char)strtol(pair, NULL, 16);
    }
    return n;
}

static void put_hex(const uint8_t *bytes, size_t n) {
    putchar(' ');
    if (n == 0) putchar('-');
    for (size_t i = 0; i < n; i++) printf("%02x", bytes[i]);
}

int main(void) {
    static char line[1 << 20], bytes[1 << 19];
    static uint8_t text[1 << 16];
    uint64_t seed = 1;
    while (fgets(line, sizeof line, stdin)) {
        arti_mem mem;
        arti_re_ctx *c;
        arti_mem_init(&mem, NULL, (size_t)64 << 20);
        if (arti_re_ctx_new(&mem, &c, NULL) != ART_OK) return 1;
        char *word = strtok(line, " \n");
        size_t n = from_hex(word, bytes);
        const arti_re t = arti_re_pattern(c, bytes, n);
        const arti_re_state start = t == ARTI_RE_FAIL ? ARTI_RE_FAIL : arti_re_start(c, t);
        if (start == ARTI_RE_FAIL) {
            art_error err;
            arti_re_error(c, &err);
            printf("E %d %zu", (int)err.code, err.pos);
        } else {
            while ((word = strtok(NULL, " \n"))) {
                n = from_hex(word, bytes);
                const arti_re_state s = arti_re_run(c, start, (const uint8_t *)bytes, n);
                putchar(s != ARTI_RE_FAIL && arti_re_accepts(c, s) ? '1' : '0');
            }
            if (arti_re_witness(c, start, 0, ARTI_RE_UNBOUNDED, text, sizeof text, &n) == ART_OK) {
                put_hex(text, n);
                for (int i = 0; i < 3; i++)
                    if (arti_re_random_witness(c, start, 0, 20, next_random, &seed, text, sizeof text, &n) == ART_OK)
                        put_hex(text, n);
            } else {
                fputs(" none", stdout);
            }
        }
        putchar('\n');
        fflush(stdout);
        arti_re_ctx_free(c);
    }
    return 0;
}
