/* SPDX-License-Identifier: Apache-2.0
 *
 * Vocabulary files: a good file with any bytes changed and its checksum put right again is either refused or can be used without
 * touching memory that is not its own. The input is a list of changes: three bytes of place, one byte of value. */
#undef NDEBUG
#define _GNU_SOURCE 1
#include "../../csrc/art_vocab.c" /* for checksum() and the layout */

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static art_vocab *make(void) {
    static const char *const words[] = {"a",    "b",      "\"",  "\\", "\":", "a\"}", "\\n", "\xc3\xa9",        "\xc3",
                                        "\xa9", "\x80\"", "{\"", " ",  "12",  "}",    "x y", "\xf0\x9f\x98\x80"};
    uint8_t bytes[256];
    uint32_t offsets[64], n = 0, at = 0, eos = 0;
    offsets[n++] = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        offsets[n++] = at;
        memcpy(bytes + at, words[i], strlen(words[i]));
        at += (uint32_t)strlen(words[i]);
    }
    for (uint8_t c = 'a'; c <= 'z'; c++) { /* a node with many children and more below them has a list */
        const uint8_t word[] = {'q', c, 'e', 'r'};
        offsets[n++] = at;
        memcpy(bytes + at, word, sizeof word);
        at += (uint32_t)sizeof word;
    }
    offsets[n] = at;
    art_vocab *v;
    assert(art_vocab_new(bytes, offsets, n, &eos, 1, NULL, &v, NULL) == ART_OK);
    assert(v->kid_first[1] > 0 && v->kid_first[2] > v->kid_first[1]); /* the root's list, and that one */
    return v;
}

static void use(art_vocab *v) {
    static const char *const schemas[] = {"true", "{\"type\":\"string\",\"maxLength\":70}",
                                          "{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}",
                                          "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}"};
    uint32_t *words = malloc(v->n_words * sizeof *words);
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas && words; i++) {
        art_schema *s;
        art_constraint *c;
        art_matcher *m;
        assert(art_schema_compile(schemas[i], strlen(schemas[i]), NULL, NULL, &s, NULL) == ART_OK);
        assert(art_constraint_new(s, v, NULL, NULL, &c, NULL) == ART_OK && art_matcher_new(c, &m, NULL) == ART_OK);
        for (int step = 0; step < 6; step++) {
            assert(art_matcher_fill_mask(m, words, v->n_words, NULL, NULL) == ART_OK);
            uint32_t id = 0;
            while (id < v->n_tokens && !arti_bits_test(words, id)) id++;
            if (id == v->n_tokens || art_matcher_accept(m, id) != ART_OK) break;
        }
        art_matcher_free(m);
        art_constraint_free(c);
        art_schema_free(s);
    }
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    art_vocab *v = make(), *back;
    size_t n = v->image_size;
    uint8_t *image = malloc(n);
    assert(image);
    memcpy(image, v->image, n);
    for (size_t i = 0; i + 4 <= size && i < 64; i += 4)
        image[((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % n] ^= data[i + 3];
    arti_vocab_header *h = (arti_vocab_header *)(void *)image;
    h->checksum = checksum(h, n);
    int fd = memfd_create("vocab", 0);
    assert(fd >= 0 && write(fd, image, n) == (ssize_t)n);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    art_error err;
    art_status s = art_vocab_open(path, NULL, &back, &err);
    assert(s == ART_OK || s == ART_E_FORMAT);
    if (s == ART_OK) use(back);
    art_vocab_free(back);
    close(fd);
    free(image);
    art_vocab_free(v);
    return 0;
}
