/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_format.h"
#include "art_unicode.h"
#include "art_utf8.h"

static harness heap;
static art_alloc alloc;

typedef struct example {
    const char *format, *yes, *no; /* texts; NULL: none */
} example;

/* Edges that the RFCs draw and that a rough pattern would miss. */
static const example examples[] = {
    {"date", "2024-02-29", "2023-02-29"},
    {"date", "2000-02-29", "1900-02-29"},
    {"date", "0000-02-29", "2024-2-29"},
    {"date", "2024-12-31", "2024-04-31"},
    {"date-time", "1998-12-31T23:59:60Z", "1998-12-31T23:58:60Z"},
    {"date-time", "2024-01-01t00:00:00.5+23:59", "2024-01-01T00:00:00+24:00"},
    {"date-time", "2024-01-01T00:00:00-00:00", "2024-01-01 00:00:00Z"},
    {"time", "00:29:60-23:30", "23:59:60-00:30"},
    {"time", "01:29:60.123+01:30", "01:29:60.+01:30"},
    {"time", "23:29:60+23:30", "22:59:60Z"},
    {"time", "00:00:60+00:01", "00:00:60-00:01"},
    {"time", "08:30:06z", "08:30:06"},
    {"duration", "P1Y2M3DT4H5M6S", "P1Y2D"},
    {"duration", "P3W", "P1WT1H"},
    {"duration", "PT0S", "PT"},
    {"email", "\"a b\"@[IPv6:::1]", "a..b@c"},
    {"email", "a+b@c-d.e", "a@-c"},
    {"hostname", "a-1.b", "a_b"},
    {"hostname", "1.2.3.4", "a."},
    {"hostname", "a.xn--bcher-kva.de", "xn--X"},
    {"hostname", "XN--BCHER-KVA", "xn--example-"},
    {"hostname", "a.xn--4dbc5h", "1a.xn--4dbc5h"}, /* a label from right to left: the others follow its rule */
    {"idn-email", "a@xn--tda", "a@xn--ta"},
    {"idn-email", "\xCE\xB1@\xCE\xB2.c", "\xCE\xB1"},
    {"idn-hostname", "l\xC2\xB7l", "a\xC2\xB7l"},
    {"idn-hostname", "\xD7\x90\xE3\x80\x82\xD7\x91", "a\xD7\x90"},
    {"idn-hostname", "\xC3\xA9", "e\xCC\x81"}, /* NFC */
    {"idn-hostname", "xn--9ca", "xn--e-xbb"},
    {"hostname", "xn--9ca", "xn--e-xbb"},
    {"idn-email", "e\xCC\x81@e\xCC\x81", "a@xn--e-xbb"}, /* as the official test suite has it */
    {"ipv4", "255.255.255.255", "256.1.1.1"},
    {"ipv4", "0.0.0.0", "01.2.3.4"},
    {"ipv6", "1::", "1::2::3"},
    {"ipv6", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4"},
    {"ipv6", "::", ":::"},
    {"iri", "http://\xC6\x92/?\xEE\x80\x80", "http://\xC6\x92/\xEE\x80\x80"},
    {"iri-reference", "\xC6\x92", "\\"},
    {"json-pointer", "/~0~1//", "/~2"},
    {"json-pointer", "", "a"},
    {"regex", "^(?:[a-z-]{2,3}|(?<n>\\d)\\k<n>)*?$", "(a"},
    {"regex", "(((())))", "[z-a]"},
    {"regex", "[]", "a{3,2}"},
    {"regex", "(?=a)*", "(?<=a)*"},
    {"regex", "\\u{1F600}", "\\Z"},
    {"relative-json-pointer", "10#", "01"},
    {"relative-json-pointer", "0/a", "/a"},
    {"uri", "a:", "a"},
    {"uri", "http://u@[v1.x]:80/?#", "http://[1]"},
    {"uri-reference", "a/b:c", "1:c"},
    {"uri-template", "{+a.b:9999,c*}", "{a:10000}"},
    {"uuid", "98d80576-482e-427f-8434-7F86890AB222", "98d80576482e427f84347f86890ab222"},
};

static bool accepts(arti_re_ctx *c, arti_re t, const char *text) {
    const arti_re_state s = arti_re_run(c, arti_re_start(c, t), (const uint8_t *)text, strlen(text));
    assert(s != ARTI_RE_FAIL);
    return arti_re_accepts(c, s);
}

/* A random text of the language, byte by byte; 0 when it had to be given up at `cap` bytes. */
static size_t random_text(arti_re_ctx *c, arti_re t, uint64_t *seed, uint8_t *text, size_t cap) {
    arti_re_state q = arti_re_start(c, t);
    for (size_t n = 0; n < cap; n++) {
        arti_re_bytes live;
        if (n && arti_re_accepts(c, q) && harness_random(seed) % 8 == 0) return n;
        assert(arti_re_live_bytes(c, q, &live) == ART_OK);
        uint8_t b = (uint8_t)(harness_random(seed) >> 20);
        if (n % 3) b &= 0x7Fu;
        while (!(live.bits[b / 64] >> (b % 64) & 1u)) b++;
        text[n] = b;
        q = arti_re_step(c, q, b);
    }
    return arti_re_accepts(c, q) ? cap : 0;
}

/* As validation has it. */
static bool fits(arti_re_ctx *c, arti_re t, arti_re plain, arti_mem *mem, const char *text) {
    bool holds;
    assert(arti_format_labels_hold(c, mem, (const uint8_t *)text, strlen(text), &holds, NULL) == ART_OK);
    return accepts(c, holds ? t : plain, text);
}

/* The check says yes to all that can be generated. */
static void test_plain_labels(void) {
    static const char *const names[] = {"hostname", "idn-hostname", "idn-email"};
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        arti_mem mem;
        arti_re_ctx *c;
        arti_re t, plain;
        arti_mem_init(&mem, &alloc, 0);
        assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
        assert(arti_format(c, names[i], strlen(names[i]), &t, &plain, NULL) == ART_OK && t != plain);
        for (uint32_t k = 0; k < 60; k++) {
            uint8_t text[64];
            const size_t len = random_text(c, plain, &seed, text, sizeof text);
            bool holds = true;
            if (len) assert(arti_format_labels_hold(c, &mem, text, len, &holds, NULL) == ART_OK);
            assert(holds);
        }
        arti_re_ctx_free(c);
    }
}

/* What two characters compose to is in NFC, they are not, and are not generated. */
static void test_compositions(void) {
    arti_mem mem;
    arti_re_ctx *c = NULL;
    arti_re t, plain;
    uint32_t n = 0, n_plain = 0;
    for (uint32_t cp = 0; cp <= 0x10FFFFu; cp++) {
        uint32_t first, second;
        if (!arti_unicode_parts(cp, &first, &second)) continue;
        if (n++ % 32 == 0) { /* so that its states stay few */
            if (c) arti_re_ctx_free(c);
            arti_mem_init(&mem, &alloc, 0);
            assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
            assert(arti_format(c, "idn-hostname", 12, &t, &plain, NULL) == ART_OK);
        }
        char whole[16], parts[16];
        whole[arti_u8_put((uint8_t *)whole, cp)] = 0;
        const size_t len = arti_u8_put((uint8_t *)parts, first);
        parts[len + arti_u8_put((uint8_t *)parts + len, second)] = 0;
        assert(!fits(c, t, plain, &mem, parts) && !accepts(c, plain, parts));
        const bool is_label = accepts(c, t, whole); /* no mark */
        assert(is_label == fits(c, t, plain, &mem, whole) && is_label == accepts(c, plain, whole));
        n_plain += is_label;
    }
    assert(n > 490 && n_plain > 400);
    arti_re_ctx_free(c);
}

static void test_examples(void) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const example *e = &examples[i];
        arti_mem mem;
        arti_re_ctx *c;
        arti_re t, plain;
        arti_mem_init(&mem, &alloc, 0);
        assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
        assert(arti_format_is_defined(e->format, strlen(e->format)));
        assert(arti_format(c, e->format, strlen(e->format), &t, &plain, NULL) == ART_OK);
        const bool yes = fits(c, t, plain, &mem, e->yes), no = fits(c, t, plain, &mem, e->no);
        if (!yes || no) {
            fprintf(stderr, "%s: \"%s\" %d, \"%s\" %d\n", e->format, e->yes, yes, e->no, no);
            assert(0);
        }
        uint8_t text[64];
        size_t len;
        assert(arti_re_witness(c, arti_re_start(c, t), 1, 40, text, sizeof text, &len) == ART_OK && len > 0);
        arti_re_ctx_free(c);
        assert(mem.used == 0);
    }
}

/* A leap second falls on 23:59 UTC: for each local minute exactly the offset that says so is right. */
static void test_leap_seconds(void) {
    arti_mem mem;
    arti_re_ctx *c;
    arti_re t, plain;
    arti_mem_init(&mem, &alloc, 0);
    assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK && arti_format(c, "time", 4, &t, &plain, NULL) == ART_OK);
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        const int minute = (int)(harness_random(&seed) % 1440), sign = harness_random(&seed) % 2 ? 1 : -1;
        int offset = (int)(harness_random(&seed) % 1440);
        if (i % 2) offset = ((minute - 1439) * sign % 1440 + 1440) % 1440; /* half of them right */
        char text[64];
        snprintf(text, sizeof text, "%02d:%02d:60%c%02d:%02d", minute / 60, minute % 60, sign > 0 ? '+' : '-',
                 offset / 60, offset % 60);
        const bool is_last = ((minute - sign * offset) % 1440 + 1440) % 1440 == 1439;
        assert(accepts(c, t, text) == is_last);
    }
    /* Lengths at the start: 9 (Z), 11 and more (fraction), 14 (offset); never 10. */
    uint32_t len;
    const arti_re_state s = arti_re_start(c, t);
    assert(arti_re_length_in(c, s, 0, 8, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, s, 10, 10, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, s, 10, 20, &len) == ART_OK && len == 11);
    const arti_re_state leap = arti_re_run(c, s, (const uint8_t *)"12:00:60", 8);
    assert(arti_re_length_in(c, leap, 0, 5, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, leap, 7, 7, &len) == ART_REJECTED && arti_re_length_in(c, leap, 7, 9, &len) == ART_OK);
    arti_re_ctx_free(c);
}

static void test_names(void) {
    arti_mem mem;
    arti_re_ctx *c;
    arti_re t = 77, plain;
    arti_mem_init(&mem, &alloc, 0);
    assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
    assert(arti_format(c, "colour", 6, &t, &plain, NULL) == ART_REJECTED && t == 77);
    assert(arti_format(c, "dat", 3, &t, &plain, NULL) == ART_REJECTED &&
           arti_format(c, "dates", 5, &t, &plain, NULL) == ART_REJECTED);
    assert(!arti_format_is_defined("", 0));
    arti_re a, b;
    assert(arti_format(c, "uri", 3, &a, &plain, NULL) == ART_OK &&
           arti_format(c, "uri", 3, &b, &plain, NULL) == ART_OK && a == b);
    arti_re_ctx_free(c);
}

static bool build_all(const char *name) {
    arti_mem mem;
    arti_re_ctx *c;
    arti_re t, plain;
    art_error err;
    arti_mem_init(&mem, &alloc, 0);
    if (arti_re_ctx_new(&mem, &c, &err) != ART_OK) {
        assert(err.code == ART_E_NOMEM);
        return false;
    }
    const art_status s = arti_format(c, name, strlen(name), &t, &plain, &err);
    assert(s == ART_OK || (s == ART_E_NOMEM && err.code == ART_E_NOMEM));
    arti_re_ctx_free(c);
    return s == ART_OK;
}

static void test_allocations(void) {
    static const char *const names[] = {"date-time", "idn-hostname", "regex", "iri"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) FAIL_EVERY_ALLOCATION(&heap, build_all(names[i]));
}

int main(void) {
    alloc = harness_alloc(&heap);
    test_examples();
    test_plain_labels();
    test_compositions();
    test_leap_seconds();
    test_names();
    test_allocations();
    assert(heap.live == 0);
    return 0;
}
