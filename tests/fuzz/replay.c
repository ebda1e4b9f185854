/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds each file named on the command line to a fuzz target once: how the corpus is replayed by compilers without
 * libFuzzer. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), 1;
    size_t n = 0, cap = 1 << 16;
    uint8_t *data = malloc(cap);
    while (data) {
        n += fread(data + n, 1, cap - n, f);
        if (n < cap) break;
        cap *= 2;
        uint8_t *bigger = realloc(data, cap);
        if (!bigger) free(data);
        data = bigger;
    }
    const int failed = !data || ferror(f);
    if (!failed) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees reads past the end */
        if (exact) {
            for (size_t i = 0; i < n; i++) exact[i] = data[i];
            LLVMFuzzerTestOneInput(exact, n);
        }
        free(exact);
    }
    free(data);
    fclose(f);
    if (failed) fprintf(stderr, "%s: can not be read\n", path);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++) failed |= replay(argv[i]);
    return failed;
}
