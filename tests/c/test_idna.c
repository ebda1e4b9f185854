/* SPDX-License-Identifier: Apache-2.0
 *
 * A-labels: the examples of RFC 3492, section 7.1, and what is refused. */
#include "harness.h"

#include "art_idna.h"
#include "art_utf8.h"

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
    {"xn--e-xbb", NULL}, /* e, U+0301: not in NFC */
    {"xn--9ca", "\xC3\xA9"},
    {"xn--lsa503l", "\xE1\xBA\xB9\xCC\x81"}, /* U+1EB9, U+0301: which do not compose */
    {"xn--kta988k", NULL},                   /* U+1E0B, U+0323, where the dot below comes first */
    {"e\xCC\x81.de", NULL},
    {"a.\xC3\xA9.e\xCC\x81", NULL},
    {"a@xn--e-xbb", NULL},
};

static const char *const plain[] = {
    "", ".", "a.b", "xn-a", "axn--bcher-kva", "\xC3\xBC.de", "a@b", "e\xCC\x81@e\xCC\x81"}; /* an address */

/* Code points, and whether they are in NFC; 0: the end. */
static const struct {
    uint32_t points[8];
    bool is_normal;
} normal[] = {
    {{0x1EB9, 0x301}, true},
    {{0x65, 0x323, 0x301}, false},
    {{0x1E0B, 0x323}, false},      /* made of d, U+0307: the dot below goes between */
    {{0x1E0D, 0x307}, true},       /* there is no such character */
    {{0x71, 0x307, 0x323}, false}, /* marks out of order */
    {{0x71, 0x323, 0x307}, true},
    {{0x71, 0x301, 0x300, 0x301}, true}, /* of one class: in any order */
    {{0x61, 0x327, 0x301}, false},       /* the acute composes past the cedilla */
    {{0x61, 0x30D, 0x301}, true},        /* and not past what has its class */
    {{0x304B, 0x3099}, false},           /* Hiragana */
    {{0x304B, 0x309A}, true},
    {{0x9C7, 0x9BE}, false}, /* Bengali: no marks, but they compose */
    {{0x995, 0x9BE}, true},
    {{0x9C7, 0x9BC, 0x9BE}, true}, /* what is between keeps them apart */
    {{0xDDD}, true},
    {{0xDDC, 0xDCA}, false},
    {{0xDD9, 0xDCF, 0xDCA}, false},
    {{0xAC00, 0xAC01}, true},    /* Hangul */
    {{0x16D63, 0x16D68}, false}, /* Kirat Rai: the second is made of what composes with the first */
    {{0x16D63, 0x16D63, 0x16D69}, true},
    {{0xE1B, 0xE39, 0xE48}, true}, /* Thai */
    {{0xE1B, 0xE48, 0xE39}, false},
    {{0x5E9, 0x5BC, 0x5C1}, true}, /* Hebrew, in the order of the classes */
    {{0x5E9, 0x5C1, 0x5BC}, false},
    {{0x301, 0x65}, true},   /* a mark first, which no label has */
    {{0x1FB3, 0x301}, true}, /* not PVALID, and nothing is told of it */
};

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
    for (size_t i = 0; i < sizeof normal / sizeof *normal; i++) {
        uint8_t label[64];
        size_t n = 0;
        for (const uint32_t *cp = normal[i].points; *cp; cp++) n += arti_u8_put(label + n, *cp);
        const arti_idna got = arti_idna_expand(label, n, out, &len);
        if ((got == ARTI_IDNA_PLAIN) != normal[i].is_normal)
            fprintf(stderr, "U+%04X ..\n", (unsigned)normal[i].points[0]);
        assert(got == (normal[i].is_normal ? ARTI_IDNA_PLAIN : ARTI_IDNA_WRONG));
    }
    /* The most that 63 characters can be made of. */
    for (size_t n = 1; n <= 63; n++) {
        uint8_t label[256];
        for (size_t i = 0; i < n; i++) arti_u8_put(label + 3 * i, 0xDDD);
        (void)arti_idna_expand(label, 3 * n, out, &len);
    }
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
