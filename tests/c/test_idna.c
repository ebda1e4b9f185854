/* SPDX-License-Identifier: Apache-2.0
 *
 * A-labels: the examples of RFC 3492, section 7.1, and what is refused. */
#include "harness.h"

#include "art_idna.h"

typedef struct example {
    const char *name, *expanded; /* NULL: wrong */
} example;

static const example examples[] = {
    /* RFC 3492: (A) Arabic (Egyptian), (B) Chinese (simplified), (D) Czech, (E) Hebrew, (I) Russian (without its capital), (L) */
    {"xn--egbpdaj6bu4bxfgehfvwxn",
     "\xD9\x84\xD9\x8A\xD9\x87\xD9\x85\xD8\xA7\xD8\xA8\xD8\xAA\xD9\x83\xD9\x84\xD9\x85\xD9\x88"
     "\xD8\xB4\xD8\xB9\xD8\xB1\xD8\xA8\xD9\x8A\xD8\x9F"},
    {"xn--ihqwcrb4cv8a8dqg056pqjye",
     "\xE4\xBB\x96\xE4\xBB\xAC\xE4\xB8\xBA\xE4\xBB\x80\xE4\xB9\x88\xE4\xB8\x8D\xE8\xAF\xB4\xE4"
     "\xB8\xAD\xE6\x96\x87"},
    {"xn--4dbcagdahymbxekheh6e0a7fei0b",
     "\xD7\x9C\xD7\x9E\xD7\x94\xD7\x94\xD7\x9D\xD7\xA4\xD7\xA9\xD7\x95\xD7\x98\xD7\x9C\xD7\x90\xD7"
     "\x9E\xD7\x93\xD7\x91\xD7\xA8\xD7\x99\xD7\x9D\xD7\xA2\xD7\x91\xD7\xA8\xD7\x99\xD7\xAA"},
    {"xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
     "\xD0\xBF\xD0\xBE\xD1\x87\xD0\xB5\xD0\xBC\xD1\x83\xD0\xB6\xD0\xB5\xD0\xBE\xD0\xBD\xD0\xB8\xD0\xBD\xD0"
     "\xB5\xD0\xB3\xD0\xBE\xD0\xB2\xD0\xBE\xD1\x80\xD1\x8F\xD1\x82\xD0\xBF\xD0\xBE\xD1\x80\xD1\x83\xD1\x81\xD1\x81\xD0"
     "\xBA\xD0\xB8"},
    {"a.XN--BCHER-KVA.de", "a.b\xC3\xBC"
                           "cher.de"},
    {"x@xn--bcher-kva", "b\xC3\xBC"
                        "cher"},
    {"b\xC3\xBC"
     "cher\xE3\x80\x82xn--tda",
     "b\xC3\xBC"
     "cher.\xC3\xBC"},
    {"xn--", NULL},         /* nothing */
    {"xn--example-", NULL}, /* only ASCII */
    {"xn--bcher-kv", NULL} /* cut in the middle of a number */,
    {"xn---9uc", NULL}, /* not what its text is encoded as */
    {"xn--a-_", NULL},
    {"xn--99999999", NULL}, /* beyond Unicode */
    {"xn--9999999999999999999999999999", NULL},
};

static const char *const plain[] = {"", ".", "a.b", "xn-a", "axn--bcher-kva", "\xC3\xBC.de", "a@b"};

int main(void) {
    uint8_t out[1024];
    size_t len;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const example *e = &examples[i];
        const arti_idna got = arti_idna_expand((const uint8_t *)e->name, strlen(e->name), out, &len);
        if (got != (e->expanded ? ARTI_IDNA_EXPANDED : ARTI_IDNA_WRONG))
            fprintf(stderr, "%s: %d %.*s\n", e->name, (int)got, (int)len, (char *)out);
        assert(got == (e->expanded ? ARTI_IDNA_EXPANDED : ARTI_IDNA_WRONG));
        assert(!e->expanded || (len == strlen(e->expanded) && memcmp(out, e->expanded, len) == 0));
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert(arti_idna_expand((const uint8_t *)plain[i], strlen(plain[i]), out, &len) == ARTI_IDNA_PLAIN);
    /* 59 octets of Punycode are the most: with 57 such letters they are reached. */
    char text[256];
    for (size_t n = 1; n <= 63; n++) {
        for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, "\xC3\xBC", 2);
        const bool fits = arti_idna_expand((const uint8_t *)text, 2 * n, out, &len) == ARTI_IDNA_PLAIN;
        assert(fits == (n <= 57));
    }
    memset(text, 'a', 100);
    memcpy(text, "xn--", 4);
    assert(arti_idna_expand((const uint8_t *)text, 100, out, &len) == ARTI_IDNA_WRONG);
    return 0;
}
