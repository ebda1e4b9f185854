/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_regex.h"

#include <pthread.h>

static harness heap;
static art_alloc alloc;
static arti_mem mem;

static arti_re_ctx *open_ctx(size_t max) {
    arti_re_ctx *c;
    arti_mem_init(&mem, &alloc, max);
    assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
    return c;
}

static void close_ctx(arti_re_ctx *c) {
    arti_re_ctx_free(c);
    assert(mem.used == 0 && heap.live == 0);
}

static arti_re pattern(arti_re_ctx *c, const char *text) {
    const arti_re t = arti_re_pattern(c, text, strlen(text));
    if (t == ARTI_RE_FAIL) {
        art_error err;
        arti_re_error(c, &err);
        fprintf(stderr, "%s\n%*s %s\n", text, (int)err.pos + 1, "^", err.msg);
        assert(0);
    }
    return t;
}

static arti_re_state run(arti_re_ctx *c, arti_re t, const char *text) {
    const arti_re_state s = arti_re_run(c, arti_re_start(c, t), (const uint8_t *)text, strlen(text));
    assert(s != ARTI_RE_FAIL);
    return s;
}

static bool accepts(arti_re_ctx *c, arti_re t, const char *text) {
    return arti_re_accepts(c, run(c, t, text));
}

/* ------------------------------------------------------------------ patterns */

static void test_patterns(void) {
    static const struct {
        const char *pattern, *yes, *no;
    } cases[] = {
        {"", "", NULL},
        {"a", "xax", "x"},
        {"^a$", "a", "a\n"},
        {"^a|b$", "ax", "xbx"},
        {"^.$", "\xE2\x80\xA7", "\xE2\x80\xA8"}, /* U+2027 is no line end, U+2028 is */
        {"^[^]$", "\n", ""},
        {"[]", NULL, "a"},
        {"^\\s$", "\xEF\xBB\xBF", "\xE1\xA0\x8E"}, /* U+FEFF is, U+180E is not */
        {"^\\d$", "0", "\xD9\xA0"},
        {"^\\w$", "_", "\xC3\xA9"},
        {"^\\u00e9\\xe9\\u{e9}$", "\xC3\xA9\xC3\xA9\xC3\xA9", "\xC3\xA9"},
        {"^\\ud83d\\ude00$", "\xF0\x9F\x98\x80", ""},
        {"^\\cJ\\0$", NULL, "\n"},
        {"^[\\b\\-\\]]$", "\b", "b"},
        {"^[\\w-.]$", "-", ","},
        {"^[^\\W\\d]$", "a", "1"},
        {"^a{,2}$", "a{,2}", "aa"},
        {"^{$", "{", "}"},
        {"^]}$", "]}", ""},
        {"^\\_\\-\\/\\@$", "_-/@", ""},
        {"^(?<name>a)$", "a", "b"},
        {"^(?=a)*b$", "b", "a"},
        {"^((?!foo).)*$", "fo fo", "a foo"},
        {"^(?:(?=a)|b){2}a$", "bba", "b"},
        {"(?:^|a){2}b", "ab", "xab"},
        {"(?<!a)b", "cb", "ab"},
        {"(?<=^|,)x(?=,|$)", "a,x", "a,xb"},
        {"(?<=\\d{3})z$", "123z", "12z"},
        {"^\\p{Lu}\\P{Lu}$", "Aa", "AA"},
        {"^\\p{Script=Greek}\\p{sc=Grek}\\p{scx=Greek}\\p{gc=Ll}$", "\xCE\xB1\xCE\xB1\xCE\xB1\xCE\xB1", "aaaa"},
        {"^[\\uD800-\\uDFFF]?$", "", "a"}, /* no text has a lone surrogate */
        {"^\\bfoo\\B", "foob", "foo"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arti_re_ctx *c = open_ctx(0);
        const arti_re t = pattern(c, cases[i].pattern), not = arti_re_not(c, t);
        const bool right = (!cases[i].yes || (accepts(c, t, cases[i].yes) && !accepts(c, not, cases[i].yes))) &&
                           (!cases[i].no || (!accepts(c, t, cases[i].no) && accepts(c, not, cases[i].no)));
        if (!right) fprintf(stderr, "wrong: %s\n", cases[i].pattern);
        assert(right);
        close_ctx(c);
    }
}

static void test_errors(void) {
    static const struct {
        const char *pattern;
        art_status code;
        size_t pos;
    } bad[] = {
        {"a(b", ART_E_PATTERN, 1},
        {"a)b", ART_E_PATTERN, 1},
        {"ab[c", ART_E_PATTERN, 2},
        {"[b-a]", ART_E_PATTERN, 1},
        {"*a", ART_E_PATTERN, 0},
        {"a|+", ART_E_PATTERN, 2},
        {"a**", ART_E_PATTERN, 2},
        {"a*+", ART_E_PATTERN, 2},
        {"(?<=a)*", ART_E_PATTERN, 6},
        {"^*", ART_E_PATTERN, 1},
        {"{2}", ART_E_PATTERN, 0},
        {"a{3,2}", ART_E_PATTERN, 1},
        {"a\\", ART_E_PATTERN, 1},
        {"a\\Z", ART_E_PATTERN, 1},
        {"\\a", ART_E_PATTERN, 0},
        {"\\00", ART_E_PATTERN, 0},
        {"x\\x4", ART_E_PATTERN, 1},
        {"x\\u12", ART_E_PATTERN, 1},
        {"\\u{110000}", ART_E_PATTERN, 0},
        {"\\u{}", ART_E_PATTERN, 0},
        {"\\c1", ART_E_PATTERN, 0},
        {"[a\\B]", ART_E_PATTERN, 2},
        {"\\p{Nonsense}", ART_E_PATTERN, 0},
        {"\\p{sc=Lu}", ART_E_PATTERN, 0},
        {"\\p{Lu", ART_E_PATTERN, 0},
        {"\\pL", ART_E_PATTERN, 0},
        {"a(?i)b", ART_E_PATTERN, 1},
        {"(?P<a>b)", ART_E_PATTERN, 0},
        {"(?>a)", ART_E_PATTERN, 0},
        {"(?<>a)", ART_E_PATTERN, 3},
        {"(?<1>a)", ART_E_PATTERN, 3},
        {"(?<a", ART_E_PATTERN, 3},
        {"(?<a>b)(?<a>c)", ART_E_PATTERN, 10},
        {"\\1(a", ART_E_UNSUPPORTED, 0},
        {"(a)b\\1", ART_E_UNSUPPORTED, 4},
        {"(a)\\2", ART_E_PATTERN, 3},
        {"(?<n>a)\\k<n>", ART_E_UNSUPPORTED, 7},
        {"\\k", ART_E_PATTERN, 0},
        {"a(?<=b$)", ART_E_UNSUPPORTED, 1},
        {"a\xFF", ART_E_PATTERN, 1},
        {"\\\xC3", ART_E_PATTERN, 1},
        {"ab{1000001}", ART_E_LIMIT, 2},
        {"((a{1000}){1000}){2000}", ART_E_LIMIT, 17},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arti_re_ctx *c = open_ctx(0);
        art_error err;
        const arti_re t = arti_re_pattern(c, bad[i].pattern, strlen(bad[i].pattern));
        const art_status code = arti_re_error(c, &err);
        if (t != ARTI_RE_FAIL || code != bad[i].code || err.pos != bad[i].pos) {
            fprintf(stderr, "%s\n%*s expected %d at %zu, got %d at %zu: %s\n", bad[i].pattern, (int)bad[i].pos + 1, "^",
                    bad[i].code, bad[i].pos, code, err.pos, err.msg);
            assert(0);
        }
        assert(err.msg[0]);
        close_ctx(c);
    }
}

/* ------------------------------------------------------------------ terms */

static void test_terms(void) {
    arti_re_ctx *c = open_ctx(0);
    const arti_re a = arti_re_literal(c, "a", 1), b = arti_re_literal(c, "b", 1);
    assert(arti_re_and(c, NULL, 0) == ARTI_RE_ANY && arti_re_or(c, NULL, 0) == ARTI_RE_NONE);
    assert(arti_re_not(c, arti_re_not(c, a)) == a && arti_re_not(c, ARTI_RE_NONE) == ARTI_RE_ANY);
    assert(arti_re_or2(c, a, b) == arti_re_or2(c, b, a));
    assert(arti_re_or2(c, a, b) == arti_re_class(c, &(arti_re_range){'a', 'b'}, 1));
    assert(arti_re_and2(c, a, b) == ARTI_RE_NONE && arti_re_or2(c, a, arti_re_not(c, a)) == ARTI_RE_ANY);
    assert(arti_re_concat(c, a, arti_re_concat(c, b, a)) == arti_re_concat(c, arti_re_concat(c, a, b), a));
    assert(arti_re_literal(c, "", 0) == ARTI_RE_EMPTY && arti_re_prefix(c, "", 0) == ARTI_RE_ANY);
    assert(arti_re_repeat(c, a, 0, 0) == ARTI_RE_EMPTY && arti_re_repeat(c, a, 1, 1) == a);
    assert(arti_re_repeat(c, ARTI_RE_ANY, 2, 9) == ARTI_RE_ANY);
    /* [a-c] in pieces, out of order, with surrogates between */
    const arti_re_range pieces[] = {{'c', 'c'}, {0xD800, 0xDFFF}, {'a', 'b'}, {'b', 'c'}};
    assert(arti_re_class(c, pieces, 4) == arti_re_class(c, &(arti_re_range){'a', 'c'}, 1));
    assert(arti_re_class(c, pieces + 1, 1) == ARTI_RE_NONE);
    /* failures pass through */
    assert(arti_re_not(c, ARTI_RE_FAIL) == ARTI_RE_FAIL && arti_re_or2(c, a, ARTI_RE_FAIL) == ARTI_RE_FAIL);
    assert(arti_re_concat(c, ARTI_RE_FAIL, a) == ARTI_RE_FAIL && arti_re_start(c, ARTI_RE_FAIL) == ARTI_RE_FAIL);
    assert(arti_re_literal(c, "a\xC0", 2) == ARTI_RE_FAIL && arti_re_error(c, NULL) == ART_E_ARG);
    assert(arti_re_repeat(c, a, 3, 2) == ARTI_RE_FAIL && arti_re_error(c, NULL) == ART_E_ARG);
    assert(arti_re_concat(c, pattern(c, "a(?!b)"), b) == ARTI_RE_FAIL && arti_re_error(c, NULL) == ART_E_UNSUPPORTED);
    /* Boolean combinations */
    const arti_re both[] = {arti_re_prefix(c, "ab", 2), arti_re_suffix(c, "ba", 2), arti_re_not(c, pattern(c, "c"))};
    const arti_re t = arti_re_and(c, both, 3);
    assert(accepts(c, t, "aba") && accepts(c, t, "abba") && !accepts(c, t, "ab") && !accepts(c, t, "abcba"));
    assert(run(c, t, "abc") == ARTI_RE_DEAD);
    close_ctx(c);
}

/* ------------------------------------------------------------------ states */

static void test_states(void) {
    arti_re_ctx *c = open_ctx(0);
    assert(arti_re_start(c, ARTI_RE_NONE) == ARTI_RE_DEAD);
    assert(arti_re_start(c, pattern(c, "^(?=a)b")) == ARTI_RE_DEAD);
    assert(arti_re_step(c, ARTI_RE_DEAD, 'a') == ARTI_RE_DEAD && !arti_re_accepts(c, ARTI_RE_DEAD));
    arti_re_lengths l;
    uint32_t len;
    assert(arti_re_get_lengths(c, ARTI_RE_DEAD, &l) == ART_REJECTED);
    assert(arti_re_length_in(c, ARTI_RE_DEAD, 0, 9, &len) == ART_REJECTED);
    assert(!arti_re_is_closed(c, ARTI_RE_DEAD) && !arti_re_is_universal(c, ARTI_RE_DEAD));

    /* Every byte sequence that is not UTF-8 dies at the byte that shows it. */
    static const char *const wrong[] = {"\x80",     "\xC0", "\xC1", "\xE0\x80", "\xED\xA0",  "\xF0\x80",
                                        "\xF4\x90", "\xF5", "\xFF", "\xC3(",    "\xE2\x82(", "\xF0\x9F\x98("};
    const arti_re_state any = arti_re_start(c, ARTI_RE_ANY);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const size_t n = strlen(wrong[i]);
        assert(arti_re_run(c, any, (const uint8_t *)wrong[i], n - 1) != ARTI_RE_DEAD);
        assert(arti_re_run(c, any, (const uint8_t *)wrong[i], n) == ARTI_RE_DEAD);
    }
    assert(arti_re_is_universal(c, any) && arti_re_is_closed(c, any));
    const arti_re_state inside = arti_re_run(c, any, (const uint8_t *)"\xF0\x9F", 2);
    assert(!arti_re_accepts(c, inside) && arti_re_is_universal(c, inside));
    assert(arti_re_get_lengths(c, inside, &l) == ART_OK && l.shortest == 1 && l.longest == ARTI_RE_UNBOUNDED);

    /* A first byte is dead when no character that begins with it fits. */
    const arti_re_state greek = arti_re_start(c, pattern(c, "^[\\u03b1-\\u03c9]$"));
    assert(arti_re_step(c, greek, 0xCD) == ARTI_RE_DEAD && arti_re_step(c, greek, 0xCE) != ARTI_RE_DEAD);
    assert(arti_re_run(c, greek, (const uint8_t *)"\xCE\xB0", 2) == ARTI_RE_DEAD);
    assert(arti_re_accepts(c, arti_re_run(c, greek, (const uint8_t *)"\xCF\x89", 2)));
    assert(arti_re_run(c, greek, (const uint8_t *)"\xCF\x8A", 2) == ARTI_RE_DEAD);

    /* peek knows what was stepped, and only that */
    const arti_re_state s = arti_re_start(c, pattern(c, "^ab$"));
    assert(arti_re_peek(c, s, 'a') == ARTI_RE_UNKNOWN && arti_re_peek(c, s, 0xFF) == ARTI_RE_DEAD);
    assert(!arti_re_peek_lengths(c, s, &l));
    const arti_re_state next = arti_re_step(c, s, 'a');
    assert(arti_re_peek(c, s, 'a') == next);
    assert(arti_re_get_lengths(c, s, &l) == ART_OK && arti_re_peek_lengths(c, s, &l) && l.shortest == 2 &&
           l.longest == 2);
    close_ctx(c);
}

static void expect_lengths(const char *text, uint32_t shortest, uint32_t longest, bool contiguous) {
    arti_re_ctx *c = open_ctx(0);
    arti_re_lengths l;
    assert(arti_re_get_lengths(c, arti_re_start(c, pattern(c, text)), &l) == ART_OK);
    if (l.shortest != shortest || l.longest != longest || l.contiguous != contiguous) {
        fprintf(stderr, "%s: %u..%u %d\n", text, l.shortest, l.longest, l.contiguous);
        assert(0);
    }
    close_ctx(c);
}

static void test_lengths(void) {
    const uint32_t unbounded = ARTI_RE_UNBOUNDED;
    expect_lengths("^$", 0, 0, true);
    expect_lengths("^a{2,1000}$", 2, 1000, true);
    expect_lengths("^(?:ab){2,5}$", 4, 10, false);
    expect_lengths("^(?:abc?){2,5}$", 4, 15, true);
    expect_lengths("^(?:a|bcd)$", 1, 3, false);
    expect_lengths("^(?:a|bc|def)$", 1, 3, true);
    expect_lengths("^(?:ab)*$", 0, unbounded, false);
    expect_lengths("^(?:ab)*c*$", 0, unbounded, true);
    expect_lengths("x", 1, unbounded, true);
    expect_lengths("^(?!aa)[ab]{2,4}$", 2, 4, true); /* needs a search */
    expect_lengths("^(?=(?:...)*$)a+b?$", 3, unbounded, false);
    expect_lengths("^(?=.{3,7}$)a+$", 3, 7, true);
    expect_lengths("^(?!.{3,7}$)a+$", 1, unbounded, false);
}

static void test_length_in(void) {
    arti_re_ctx *c = open_ctx(0);
    uint32_t len;
    const arti_re_state even = arti_re_start(c, pattern(c, "^(?:ab)*$"));
    assert(arti_re_length_in(c, even, 0, 0, &len) == ART_OK && len == 0);
    assert(arti_re_length_in(c, even, 7, 7, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, even, 7, 8, &len) == ART_OK && len == 8);
    assert(arti_re_length_in(c, even, 99999, ARTI_RE_UNBOUNDED, &len) == ART_OK && len == 100000);
    assert(arti_re_length_in(c, even, 5, 4, &len) == ART_REJECTED);
    /* 6 and 9 make everything from 24 on but not 23 (in threes), found beyond any state's own knowledge */
    const arti_re_state coins = arti_re_start(c, pattern(c, "^(?:a{6}|b{9})+$"));
    assert(arti_re_length_in(c, coins, 10, 11, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, coins, 10, 20, &len) == ART_OK && len == 12);
    assert(arti_re_length_in(c, coins, 1000000000, ARTI_RE_UNBOUNDED, &len) == ART_OK && len == 1000000002);
    const arti_re_state both = arti_re_start(c, pattern(c, "^(?=(?:...)*$)(?=(?:.....)*$)a+$"));
    assert(arti_re_length_in(c, both, 16, 29, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, both, 16, 30, &len) == ART_OK && len == 30);
    /* inside a character, which counts one */
    const arti_re_state pair = arti_re_start(c, pattern(c, "^(?:\\u03b1bb|[\\u03b2-\\u03bf]b{5})$"));
    const arti_re_state inside = arti_re_step(c, pair, 0xCE);
    assert(arti_re_length_in(c, inside, 0, ARTI_RE_UNBOUNDED, &len) == ART_OK && len == 3);
    assert(arti_re_length_in(c, inside, 4, 5, &len) == ART_REJECTED);
    assert(arti_re_length_in(c, inside, 4, 6, &len) == ART_OK && len == 6);
    assert(arti_re_length_in(c, inside, 0, 0, &len) == ART_REJECTED);
    close_ctx(c);
}

static void test_probes(void) {
    arti_re_ctx *c = open_ctx(0);
    const arti_re_state search = arti_re_start(c, pattern(c, "foo|bar"));
    assert(arti_re_is_closed(c, search) && !arti_re_is_universal(c, search));
    assert(arti_re_is_universal(c, run(c, pattern(c, "foo|bar"), "xfoo")));
    assert(arti_re_is_universal(c, arti_re_start(c, pattern(c, "^(?:.|\\s)*$"))));
    assert(!arti_re_is_closed(c, arti_re_start(c, pattern(c, "^.*$"))));
    assert(arti_re_is_closed(c, arti_re_start(c, pattern(c, "^[^]*a$"))));
    assert(!arti_re_is_closed(c, arti_re_start(c, pattern(c, "^[^]{0,9}$"))));
    const arti_re names = pattern(c, "^(?:alpha|beta|gamma)$");
    const arti_re_state other = arti_re_start(c, arti_re_not(c, names));
    assert(arti_re_is_closed(c, other) && !arti_re_is_universal(c, other));
    arti_re_lengths l;
    assert(arti_re_get_lengths(c, other, &l) == ART_OK && l.longest == ARTI_RE_UNBOUNDED && l.contiguous);

    arti_re_bytes bytes;
    const arti_re_state word = arti_re_start(c, pattern(c, "^[a-z\\u0100-\\u{10FFFF}]*$"));
    assert(arti_re_loop_bytes(c, word, &bytes) == ART_OK);
    for (uint32_t b = 0; b < 256; b++) {
        const bool loops = (b >= 'a' && b <= 'z') || (b >= 0xC4 && b <= 0xF4);
        assert((bytes.bits[b / 64] >> (b % 64) & 1) == loops);
    }
    assert(arti_re_live_bytes(c, word, &bytes) == ART_OK);
    assert(!(bytes.bits[0] >> ' ' & 1) && !(bytes.bits[0xC3 / 64] >> (0xC3 % 64) & 1) &&
           bytes.bits[0xC4 / 64] >> (0xC4 % 64) & 1);
    close_ctx(c);
}

/* ------------------------------------------------------------------ witnesses */

static void expect_witness(const char *text, uint32_t lo, uint32_t hi, const char *expected) {
    arti_re_ctx *c = open_ctx(0);
    uint8_t buf[64];
    size_t len;
    const art_status s = arti_re_witness(c, arti_re_start(c, pattern(c, text)), lo, hi, buf, sizeof buf, &len);
    assert(s == (expected ? ART_OK : ART_REJECTED));
    if (expected && (len != strlen(expected) || memcmp(buf, expected, len) != 0)) {
        fprintf(stderr, "%s: %.*s\n", text, (int)len, (char *)buf);
        assert(0);
    }
    close_ctx(c);
}

static uint32_t next_random(void *ud) {
    return (uint32_t)harness_random(ud);
}

static void test_witnesses(void) {
    expect_witness("^\\w{3}-\\d$", 0, ARTI_RE_UNBOUNDED, "aaa-0");
    expect_witness("foo", 5, 5, "aafoo");
    expect_witness("^(?:ab)*$", 3, 4, "abab");
    expect_witness("^(?:ab)*$", 3, 3, NULL);
    expect_witness("^(?=.*\\d)(?!a)[a-z0-9]+$", 2, 2, "b0");
    expect_witness("^[\\x00-\\x1f\\u00ff]$", 0, 9, "\xC3\xBF"); /* visible rather than a control character */
    arti_re_ctx *c = open_ctx(0);
    const arti_re t = pattern(c, "^(?:[a-z]{2,4}|\\p{L}\\d*)(?<!ab)$");
    uint64_t seed = 7;
    bool seen[20] = {false};
    for (int i = 0; i < 300; i++) {
        uint8_t buf[128];
        size_t len;
        const arti_re_state s = arti_re_start(c, t);
        assert(arti_re_random_witness(c, s, 2, 6, next_random, &seed, buf, sizeof buf, &len) == ART_OK);
        assert(arti_re_accepts(c, arti_re_run(c, s, buf, len)));
        size_t n = 0;
        for (size_t k = 0; k < len; k++) n += (buf[k] & 0xC0u) != 0x80;
        assert(n >= 2 && n <= 6);
        seen[n] = true;
    }
    assert(seen[2] && seen[3] && seen[4] && seen[5] && seen[6]);
    /* too small a buffer tells the size */
    uint8_t buf[4];
    size_t len;
    assert(arti_re_witness(c, arti_re_start(c, pattern(c, "^a{9}$")), 0, 9, buf, sizeof buf, &len) == ART_E_LIMIT &&
           len == 9);
    close_ctx(c);
}

/* ------------------------------------------------------------------ against brute force */

/* Writes a random pattern over a, b and anything. */
static size_t write_pattern(char *out, uint64_t *seed, unsigned depth) {
    static const char *const atoms[] = {"a", "b", "[ab]", "[^a]", ".", "[^]", "ab"};
    static const char *const opens[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!"};
    static const char *const repeats[] = {"", "*", "+", "?", "{2}", "{1,3}", "{2,}"};
    static const char *const ends[] = {"^", "$", "\\b", "|"};
    size_t n = 0;
    const unsigned pieces = 1 + (unsigned)(harness_random(seed) % 3);
    for (unsigned i = 0; i < pieces; i++) {
        const unsigned kind = (unsigned)(harness_random(seed) % 8);
        if (kind == 0) {
            n += (size_t)sprintf(out + n, "%s", ends[harness_random(seed) % 4]);
        } else if (kind < 4 && depth > 0) {
            const unsigned open = (unsigned)(harness_random(seed) % 5);
            n += (size_t)sprintf(out + n, "%s", opens[open]);
            n += write_pattern(out + n, seed, depth - 1);
            n += (size_t)sprintf(out + n, ")%s", open < 3 ? repeats[harness_random(seed) % 7] : "");
        } else {
            n += (size_t)sprintf(out + n, "%s%s", atoms[harness_random(seed) % 7], repeats[harness_random(seed) % 7]);
        }
    }
    out[n] = 0;
    return n;
}

enum { LENGTHS = 10, FRONTIER = 3000 };

/* Which lengths below LENGTHS occur, by following every state over a, b, a line end, a blank and a letter. false: too
 * many states. */
static bool try_everything(arti_re_ctx *c, arti_re_state s, bool occurs[LENGTHS], bool *all_live, bool *all_accept) {
    static arti_re_state now[FRONTIER], next[FRONTIER];
    size_t n = 1;
    now[0] = s;
    *all_live = *all_accept = true;
    for (size_t len = 0; len < LENGTHS; len++) {
        size_t m = 0;
        occurs[len] = false;
        for (size_t i = 0; i < n; i++) {
            occurs[len] = occurs[len] || arti_re_accepts(c, now[i]);
            *all_accept = *all_accept && arti_re_accepts(c, now[i]);
            for (const char *byte = "ab\n z"; *byte; byte++) {
                const arti_re_state to = arti_re_step(c, now[i], (uint8_t)*byte);
                if (to == ARTI_RE_FAIL || m == FRONTIER) return false;
                if (to == ARTI_RE_DEAD) {
                    *all_live = *all_accept = false;
                    continue;
                }
                size_t k = 0;
                while (k < m && next[k] != to) k++;
                if (k == m) next[m++] = to;
            }
        }
        memcpy(now, next, m * sizeof *now);
        n = m;
    }
    return true;
}

static void test_against_brute_force(void) {
    uint64_t seed = 11;
    unsigned n_live = 0, n_gaps = 0, n_too_hard = 0;
    for (int i = 0; i < 4000; i++) {
        char text[1024];
        bool occurs[LENGTHS], all_live, all_accept;
        size_t len = write_pattern(text + 4, &seed, 3) + 4;
        memcpy(text, i % 2 ? "^(?:" : "(?:b", 4); /* half of them anchored: these have gaps */
        len += (size_t)sprintf(text + len, i % 2 ? ")$" : ")");
        arti_re_ctx *c = open_ctx(0);
        arti_re t = arti_re_pattern(c, text, len);
        if (t != ARTI_RE_FAIL && i % 3 == 0) t = arti_re_not(c, t);
        const arti_re_state s = arti_re_start(c, t);
        if (s == ARTI_RE_FAIL) {
            const art_status why = arti_re_error(c, NULL);
            /* A lookbehind takes no quantifier and sees nothing ahead; some are too hard to tell from an empty language. */
            assert(why == ART_E_PATTERN || why == ART_E_UNSUPPORTED || why == ART_E_LIMIT);
            n_too_hard += why == ART_E_LIMIT;
        } else if (s != ARTI_RE_DEAD && try_everything(c, s, occurs, &all_live, &all_accept)) {
            arti_re_lengths l;
            assert(arti_re_get_lengths(c, s, &l) == ART_OK);
            for (uint32_t lo = 0; lo < LENGTHS; lo++) {
                for (uint32_t hi = lo; hi < LENGTHS; hi++) {
                    uint32_t expected = lo, got = UINT32_MAX;
                    while (expected <= hi && !occurs[expected]) expected++;
                    const art_status found = arti_re_length_in(c, s, lo, hi, &got);
                    if (found != (expected <= hi ? ART_OK : ART_REJECTED) || (found == ART_OK && got != expected)) {
                        fprintf(stderr, "%s: [%u, %u] gave %d, %u\n", text, lo, hi, found, got);
                        assert(0);
                    }
                }
                assert(!occurs[lo] || (l.shortest <= lo && lo <= l.longest));
                if (l.contiguous && lo >= l.shortest && lo <= l.longest) assert(occurs[lo]);
                n_gaps += !occurs[lo] && lo > l.shortest && lo < l.longest;
            }
            if (l.shortest < LENGTHS) assert(occurs[l.shortest]);
            if (arti_re_is_closed(c, s)) assert(all_live);
            if (arti_re_is_universal(c, s)) assert(all_accept);
            n_live++;
        }
        close_ctx(c);
    }
    assert(n_live > 1000 && n_gaps > 20 && n_too_hard < 10);
}

/* ------------------------------------------------------------------ limits */

static art_status status_of(arti_re_ctx *c, const char *text, size_t len) {
    return arti_re_pattern(c, text, len) == ARTI_RE_FAIL ? arti_re_error(c, NULL) : ART_OK;
}

static void test_caps(void) {
    static char text[ARTI_RE_PATTERN_BYTES_MAX + 2];
    arti_re_ctx *c = open_ctx(0);
    memset(text, 'a', sizeof text);
    assert(status_of(c, text, ARTI_RE_PATTERN_BYTES_MAX) == ART_OK);
    assert(status_of(c, text, ARTI_RE_PATTERN_BYTES_MAX + 1) == ART_E_LIMIT);
    close_ctx(c);
    for (size_t over = 0; over < 2; over++) {
        const size_t depth = ARTI_RE_NESTING_MAX + over;
        c = open_ctx(0);
        memset(text, '(', depth);
        text[depth] = 'a';
        memset(text + depth + 1, ')', depth);
        assert(status_of(c, text, 2 * depth + 1) == (over ? ART_E_LIMIT : ART_OK));
        close_ctx(c);
        c = open_ctx(0);
        int n = snprintf(text, sizeof text, "a{%u}", ARTI_RE_REPEAT_MAX + (unsigned)over);
        assert(status_of(c, text, (size_t)n) == (over ? ART_E_LIMIT : ART_OK));
        n = snprintf(text, sizeof text, "^(?:a{32768}){%u}$", 32768 + (unsigned)over);
        assert(status_of(c, text, (size_t)n) ==
               (over ? ART_E_LIMIT : ART_OK)); /* ARTI_RE_LENGTH_MAX is 32768 squared */
        arti_re *many = calloc(ARTI_RE_WIDTH_MAX + 1, sizeof *many);
        for (uint32_t i = 0; i < ARTI_RE_WIDTH_MAX + over; i++) {
            char word[12];
            many[i] = arti_re_literal(c, word, (size_t)snprintf(word, sizeof word, "%u%x", i % 10, i));
        }
        const arti_re t = arti_re_or(c, many, ARTI_RE_WIDTH_MAX + over);
        assert((t == ARTI_RE_FAIL) == (over == 1));
        if (over) assert(arti_re_error(c, NULL) == ART_E_LIMIT);
        free(many);
        close_ctx(c);
    }
    /* memory */
    c = open_ctx((size_t)256 << 10);
    assert(status_of(c, "^(?:[a-z]{1,50}x){1,50}$", 24) == ART_OK);
    uint64_t seed = 3;
    arti_re_state s = arti_re_start(c, pattern(c, "(?:a|b)*a(?:a|b){14}c"));
    while (s != ARTI_RE_FAIL) s = arti_re_step(c, s, harness_random(&seed) % 2 ? 'a' : 'b');
    art_error err;
    assert(arti_re_error(c, &err) == ART_E_LIMIT && strstr(err.msg, "memory"));
    assert(arti_re_start(c, ARTI_RE_ANY) != ARTI_RE_DEAD); /* what there is still works */
    close_ctx(c);
}

/* Nothing hangs: each of these is answered or refused within the work of one call. */
static void test_catastrophes(void) {
    static const char *const patterns[] = {
        "^(a+)+$",
        "^(a|a)*b$",
        "^(a?){50}a{50}$",
        "(x+x+)+y",
        "^((ab)*|(cd)*){3,9}([^]*[^]*[^]*){20}$",
        "^(?=.*a)(?=.*b)(?=.*c)(?=.*d)(?=.*e)(?=.*f)(?=.*g)(?=.*h).{8,20}$",
        "^(?!.*(.)x.{30}y).*$",
        "^(([^]{1,63}\\.){1,127}(?![0-9]*$)[a-z0-9-]+){1,20}$",
        "(?:(?:(?:a{1,30}){1,30}){1,30}){1,30}b",
        "^(?:(?!ab)(?:a|b|(?:(?=c)c)*)){1,100}$",
        "(a{0,300}b{0,300}){0,300}c",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        arti_re_ctx *c = open_ctx((size_t)32 << 20);
        const arti_re t = arti_re_pattern(c, patterns[i], strlen(patterns[i]));
        arti_re_state s = arti_re_start(c, t);
        for (int k = 0; k < 60 && s != ARTI_RE_FAIL && s != ARTI_RE_DEAD; k++) {
            arti_re_lengths l;
            uint32_t len;
            const art_status got = arti_re_get_lengths(c, s, &l);
            assert(got == ART_OK || got == ART_E_LIMIT);
            const art_status in = arti_re_length_in(c, s, 5, 40, &len);
            assert(in == ART_OK || in == ART_REJECTED || in == ART_E_LIMIT);
            s = arti_re_step(c, s, "aabxac"[k % 6]);
        }
        if (s == ARTI_RE_FAIL) assert(arti_re_error(c, NULL) == ART_E_LIMIT);
        close_ctx(c);
    }
}

/* ------------------------------------------------------------------ threads */

typedef struct shared {
    arti_re_ctx *c;
    arti_re_state start;
    pthread_mutex_t lock;
    _Atomic unsigned n_peeked;
} shared;

/* Walks through random texts: by peeks while these know the way, else under the lock. */
static void *walk_states(void *arg) {
    shared *sh = arg;
    uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
    unsigned n_peeked = 0;
    for (int i = 0; i < 2000; i++) {
        arti_re_state s = sh->start;
        for (int k = 0; k < 12 && s != ARTI_RE_DEAD; k++) {
            static const char bytes[] = "abc\xC3\xA9\xCE";
            const uint8_t byte = (uint8_t)bytes[harness_random(&seed) % 6];
            arti_re_lengths l;
            arti_re_state next = arti_re_peek(sh->c, s, byte);
            n_peeked += next != ARTI_RE_UNKNOWN;
            if (next == ARTI_RE_UNKNOWN || !arti_re_peek_lengths(sh->c, s, &l)) {
                pthread_mutex_lock(&sh->lock);
                next = arti_re_step(sh->c, s, byte);
                assert(next != ARTI_RE_FAIL && arti_re_get_lengths(sh->c, s, &l) == ART_OK);
                pthread_mutex_unlock(&sh->lock);
            }
            assert((l.shortest == 0) == arti_re_accepts(sh->c, s));
            s = next;
        }
    }
    sh->n_peeked += n_peeked;
    return NULL;
}

static void test_threads(void) {
    shared sh = {.c = open_ctx(0)};
    sh.start = arti_re_start(sh.c, pattern(sh.c, "^(?:a{1,4}b|[\\u00e9-\\u03b9]{2}|(?!ca)c)*$"));
    pthread_mutex_init(&sh.lock, NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) assert(pthread_create(&threads[i], NULL, walk_states, &sh) == 0);
    for (size_t i = 0; i < 4; i++) assert(pthread_join(threads[i], NULL) == 0);
    assert(sh.n_peeked > 1000);
    pthread_mutex_destroy(&sh.lock);
    close_ctx(sh.c);
}

/* ------------------------------------------------------------------ memory */

static const char hard_pattern[] = "^(?:(?!ab)[a-c\\p{Lu}]{1,4}|(?<=x)y)+(?:\\bz)?$";

/* Everything once; false when an allocation was refused. */
static bool use_everything(void) {
    arti_re_ctx *c;
    art_error err;
    arti_mem_init(&mem, &alloc, 0);
    if (arti_re_ctx_new(&mem, &c, &err) != ART_OK) {
        assert(err.code == ART_E_NOMEM);
        return false;
    }
    arti_re_lengths l;
    arti_re_bytes bytes;
    uint32_t n;
    uint8_t buf[64];
    size_t len;
    bool done = false;
    const arti_re t = arti_re_pattern(c, hard_pattern, sizeof hard_pattern - 1);
    const arti_re_state s = arti_re_start(c, arti_re_or2(c, t, arti_re_not(c, arti_re_prefix(c, "a", 1))));
    if (s == ARTI_RE_FAIL) goto out;
    const arti_re_state end = arti_re_run(c, s, (const uint8_t *)"ac\xC3\x84", 4);
    if (end == ARTI_RE_FAIL) goto out;
    if (arti_re_get_lengths(c, end, &l) != ART_OK || arti_re_length_in(c, s, 7, 9, &n) != ART_OK) goto out;
    if (arti_re_live_bytes(c, s, &bytes) != ART_OK || arti_re_loop_bytes(c, s, &bytes) != ART_OK) goto out;
    if (arti_re_witness(c, end, 3, 9, buf, sizeof buf, &len) != ART_OK) goto out;
    (void)arti_re_is_closed(c, s);
    (void)arti_re_is_universal(c, s);
    done = true;
out:
    if (!done) assert(arti_re_error(c, &err) == ART_E_NOMEM && err.code == ART_E_NOMEM);
    arti_re_ctx_free(c);
    assert(mem.used == 0);
    return done || heap.budget != 0;
}

/* A refused allocation leaves a context that gives the right answers once there is memory again. */
static void test_recovery(void) {
    for (long budget = 0; budget < 200; budget++) {
        arti_re_ctx *c = open_ctx(0);
        heap.budget = budget;
        arti_re t = arti_re_pattern(c, hard_pattern, sizeof hard_pattern - 1);
        arti_re_state s = arti_re_run(c, arti_re_start(c, t), (const uint8_t *)"ac\xC3\x84z", 5);
        arti_re_lengths l;
        if (s != ARTI_RE_FAIL) (void)arti_re_get_lengths(c, s, &l);
        heap.budget = -1;
        t = pattern(c, hard_pattern);
        assert(accepts(c, t, "ac\xC3\x84z") && !accepts(c, t, "acz") && !accepts(c, t, "ab"));
        s = arti_re_start(c, t);
        assert(arti_re_get_lengths(c, s, &l) == ART_OK && l.shortest == 1 && l.longest == ARTI_RE_UNBOUNDED);
        close_ctx(c);
    }
}

int main(void) {
    alloc = harness_alloc(&heap);
    test_patterns();
    test_errors();
    test_terms();
    test_states();
    test_lengths();
    test_length_in();
    test_probes();
    test_witnesses();
    test_against_brute_force();
    test_caps();
    test_catastrophes();
    test_threads();
    FAIL_EVERY_ALLOCATION(&heap, use_everything());
    test_recovery();
    assert(heap.live == 0);
    return 0;
}
