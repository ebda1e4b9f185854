/* SPDX-License-Identifier: Apache-2.0
 *
 * Text channels: however bytes are cut, the events are whole characters, stop strings never show, nothing is lost. */
#include "harness.h"

#include "art_text.h"

static harness h;
static arti_mem mem;

typedef struct out {
    char text[4096]; /* pieces with their kind before each change of it, and "|" between pieces when `cuts` */
    size_t len;
    bool cuts;
    uint32_t kind;
} out;

static bool is_utf8(const char *s, size_t n) {
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n;) {
        size_t k = p[i] < 0x80             ? 1
                   : (p[i] & 0xE0) == 0xC0 ? 2
                   : (p[i] & 0xF0) == 0xE0 ? 3
                   : (p[i] & 0xF8) == 0xF0 ? 4
                                           : 0;
        if (!k || i + k > n) return false;
        for (size_t j = 1; j < k; j++)
            if ((p[i + j] & 0xC0) != 0x80) return false;
        i += k;
    }
    return true;
}

static void drain(arti_text *t, out *o) {
    arti_piece piece;
    const char *data;
    while (arti_text_take(t, &piece, &data)) {
        assert(is_utf8(data, piece.len));
        if (piece.kind != o->kind) {
            o->kind = piece.kind;
            o->len += (size_t)snprintf(o->text + o->len, sizeof o->text - o->len, "<%u>", piece.kind);
        }
        memcpy(o->text + o->len, data, piece.len);
        o->len += piece.len;
        if (o->cuts) o->text[o->len++] = '|';
    }
    o->text[o->len] = 0;
}

/* Feeds text cut into pieces of `step` bytes. */
static void run(const char *text, size_t len, size_t step, const char *const *stops, size_t n_stops, out *o,
                bool *stopped) {
    arti_text t;
    arti_text_init(&t, &mem);
    art_str strs[ART_STOPS_MAX];
    for (size_t i = 0; i < n_stops; i++) strs[i] = (art_str){stops[i], strlen(stops[i])};
    assert(arti_text_start(&t, strs, n_stops, NULL) == ART_OK);
    *o = (out){.kind = ART_EV_TEXT, .cuts = o->cuts};
    for (size_t i = 0; i < len; i += step) {
        size_t n = len - i < step ? len - i : step;
        assert(arti_text_feed(&t, ART_EV_TEXT, 0, (const uint8_t *)text + i, n, true) == ART_OK);
        drain(&t, o);
    }
    assert(arti_text_end(&t) == ART_OK);
    drain(&t, o);
    *stopped = t.stopped;
    arti_text_free(&t);
}

static void expect(const char *text, size_t len, const char *const *stops, size_t n_stops, const char *wanted,
                   bool wanted_stop) {
    for (size_t step = 1; step <= len + 1; step++) {
        out o = {0};
        bool stopped;
        run(text, len, step, stops, n_stops, &o, &stopped);
        if (strcmp(o.text, wanted) != 0 || stopped != wanted_stop) {
            fprintf(stderr, "step %zu of \"%s\": \"%s\", not \"%s\"\n", step, text, o.text, wanted);
            abort();
        }
    }
}
#define EXPECT(text, wanted) expect(text, sizeof(text) - 1, NULL, 0, wanted, false)

static void test_utf8(void) {
    EXPECT("plain", "plain");
    EXPECT("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
#define R "\xEF\xBF\xBD"
    EXPECT("a\xFFz", "a" R "z");
    EXPECT("\x80", R);
    EXPECT("\xC3", R);          /* cut off at the end */
    EXPECT("\xE2\x82", R);      /* one for the maximal part of a character */
    EXPECT("\xE2\x82z", R "z"); /* the byte that breaks it is looked at again */
    EXPECT("\xE2\xE2\x82\xAC", R "\xE2\x82\xAC");
    EXPECT("\xED\xA0\x80", R R R);       /* a surrogate */
    EXPECT("\xC0\xAF", R R);             /* overlong */
    EXPECT("\xF4\x90\x80\x80", R R R R); /* above U+10FFFF */
    EXPECT("\xF0\x9F\x98\xF0\x9F\x98\x80", R "\xF0\x9F\x98\x80");
}

static void test_stops(void) {
    static const char *const end[] = {"</s>"};
    expect("one</s>two", 10, end, 1, "one", true);
    expect("one</st", 7, end, 1, "one</st", false);
    expect("<</s>", 5, end, 1, "<", true);
    expect("a<</</s>b", 9, end, 1, "a<</", true);
    static const char *const two[] = {"abcd", "bc"};
    expect("xabcd", 5, two, 2, "xa", true); /* complete first counts */
    static const char *const nested[] = {"STOP", "TO"};
    expect("STxSTOP", 7, nested, 2, "STxS", true);
    static const char *const self[] = {"aab"};
    expect("aaaab", 5, self, 1, "aa", true);
    static const char *const euro[] = {"\xE2\x82\xAC"};
    expect("5 \xE2\x82\xAC x", 8, euro, 1, "5 ", true);
    expect("5 \xE2\x82z", 5, euro, 1, "5 " R "z", false);
}

/* Against a naive search over the whole text, with small alphabets so that prefixes overlap a lot. */
static void test_stops_random(void) {
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[24], stop_text[3][6];
        const char *stops[3];
        size_t len = harness_random(&seed) % 24, n_stops = 1 + harness_random(&seed) % 3;
        for (size_t i = 0; i < len; i++) text[i] = (char)('a' + harness_random(&seed) % 2);
        for (size_t k = 0; k < n_stops; k++) {
            size_t n = 1 + harness_random(&seed) % 5;
            for (size_t i = 0; i < n; i++) stop_text[k][i] = (char)('a' + harness_random(&seed) % 2);
            stop_text[k][n] = 0;
            stops[k] = stop_text[k];
        }
        size_t cut = len; /* first end of a stop string; the longest one that ends there */
        bool found = false;
        for (size_t end = 1; end <= len && !found; end++) {
            for (size_t k = 0; k < n_stops; k++) {
                size_t n = strlen(stops[k]);
                if (n <= end && memcmp(text + end - n, stops[k], n) == 0) {
                    if (!found || end - n < cut) cut = end - n;
                    found = true;
                }
            }
        }
        size_t step = 1 + harness_random(&seed) % 6;
        out o = {0};
        bool stopped;
        run(text, len, step, stops, n_stops, &o, &stopped);
        assert(stopped == found && o.len == cut && memcmp(o.text, text, cut) == 0);
    }
}

static void test_channels(void) {
    arti_text t;
    arti_text_init(&t, &mem);
    art_str stop = {"END", 3};
    assert(arti_text_start(&t, &stop, 1, NULL) == ART_OK);
    out o = {.cuts = true};
#define FEED(kind, tool, s, stoppable)                                                                                 \
    assert(arti_text_feed(&t, kind, tool, (const uint8_t *)s, sizeof(s) - 1, stoppable) == ART_OK)
    FEED(ART_EV_REASONING, 0, "END is fine here", false);
    FEED(ART_EV_TEXT, 0, "E", true);
    FEED(ART_EV_TEXT, 0, "N", true); /* held back, until the channel changes */
    assert(arti_text_mark(&t, ART_EV_CALL_START, 2, (const uint8_t *)"add", 3) == ART_OK);
    FEED(ART_EV_CALL_ARGS, 2, "{\"a", false);
    FEED(ART_EV_CALL_ARGS, 2, "\":1}", false); /* joined with the piece that still waits */
    FEED(ART_EV_CALL_ARGS, 3, "{}", false);    /* another tool: another piece */
    assert(arti_text_mark(&t, ART_EV_CALL_END, 3, NULL, 0) == ART_OK);
    FEED(ART_EV_TEXT, 0, "a\xC3", true);
    FEED(ART_EV_TEXT, 0,
         "\xA9"
         "END of",
         true);
    FEED(ART_EV_TEXT, 0, "nothing", true);
    drain(&t, &o);
    assert(t.stopped);
    assert(strcmp(o.text, "<2>END is fine here|<1>EN|<3>add|<4>{\"a\":1}|{}|<5>|<1>a\xC3\xA9|") == 0);
    arti_text_free(&t);
}

static void test_limits(void) {
    arti_text t;
    art_error err;
    arti_text_init(&t, &mem);
    char longest[ART_STOP_LEN_MAX + 1];
    memset(longest, 'x', sizeof longest);
    art_str stops[ART_STOPS_MAX + 1];
    for (size_t i = 0; i <= ART_STOPS_MAX; i++) stops[i] = (art_str){longest, ART_STOP_LEN_MAX};
    assert(arti_text_start(&t, stops, ART_STOPS_MAX, &err) == ART_OK);
    assert(arti_text_start(&t, stops, ART_STOPS_MAX + 1, &err) == ART_E_ARG && err.code == ART_E_ARG);
    stops[1].len = ART_STOP_LEN_MAX + 1;
    assert(arti_text_start(&t, stops, 2, &err) == ART_E_ARG && err.pos == 1);
    stops[1].len = 0;
    assert(arti_text_start(&t, stops, 2, &err) == ART_E_ARG && err.pos == 1);
    arti_text_free(&t);
}

static bool try_all(void) {
    arti_text t;
    arti_text_init(&t, &mem);
    art_str stop = {"END", 3};
    static uint8_t big[20000];
    memset(big, 'E', sizeof big);
    bool ok = arti_text_start(&t, &stop, 1, NULL) == ART_OK &&
              arti_text_feed(&t, ART_EV_TEXT, 0, big, sizeof big, true) == ART_OK &&
              arti_text_feed(&t, ART_EV_REASONING, 0, big, sizeof big, false) == ART_OK &&
              arti_text_mark(&t, ART_EV_CALL_START, 0, big, sizeof big) == ART_OK && arti_text_end(&t) == ART_OK;
    arti_text_free(&t);
    return ok;
}

int main(void) {
    art_alloc alloc = harness_alloc(&h);
    arti_mem_init(&mem, &alloc, 0);
    test_utf8();
    test_stops();
    test_stops_random();
    test_channels();
    test_limits();
    FAIL_EVERY_ALLOCATION(&h, try_all());
    assert(h.live == 0 && mem.used == 0);
    return 0;
}
