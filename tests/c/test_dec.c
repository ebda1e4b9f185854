/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_dec.h"

static harness heap;
static arti_mem mem;
static arti_arena arena;

static arti_dec dec(const char *text) {
    arti_dec d;
    art_error err;
    art_status s = arti_dec_parse(&arena, text, strlen(text), &d, &err);
    assert(s == ART_OK);
    return d;
}

static void test_parse(void) {
    static const char *const bad[] = {"", "-", "1.", "1e", "01", "1x", "1e+", ".5", "+1", " 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arti_dec d;
        assert(arti_dec_parse(&arena, bad[i], strlen(bad[i]), &d, NULL) == ART_E_SYNTAX);
    }
    static const struct {
        const char *text, *written;
    } good[] = {{"0", "0"},
                {"-0.0", "0"},
                {"1.50", "1.5"},
                {"-12e1", "-120"},
                {"1e308", "1e308"},
                {"0.00012", "0.00012"},
                {"1e-400", "1e-400"},
                {"123456789012345678901234567890", "12345678901234567890123456789e1"},
                {"1000000000000000000", "1e18"},
                {"0.000000000012345678901", "1.2345678901e-11"},
                {"100.25", "100.25"},
                {"7000000000", "7e9"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char buf[64];
        arti_dec d = dec(good[i].text);
        size_t n = arti_dec_write(&d, buf, sizeof buf);
        arti_dec back;
        assert(arti_dec_parse(&arena, buf, n, &back, NULL) == ART_OK && arti_dec_cmp(&d, &back) == 0);
        if (i != 7) assert(n == strlen(good[i].written) && memcmp(buf, good[i].written, n) == 0);
    }
    char big[1200];
    memset(big, '7', sizeof big);
    arti_dec d;
    assert(arti_dec_parse(&arena, big, ARTI_DEC_DIGITS_MAX, &d, NULL) == ART_OK);
    assert(arti_dec_parse(&arena, big, ARTI_DEC_DIGITS_MAX + 1, &d, NULL) == ART_E_LIMIT);
    assert(arti_dec_parse(&arena, "1e1099", 6, &d, NULL) == ART_OK &&
           arti_dec_parse(&arena, "1e1100", 6, &d, NULL) == ART_E_LIMIT);
    assert(arti_dec_parse(&arena, "1e-1100", 7, &d, NULL) == ART_OK &&
           arti_dec_parse(&arena, "1e-1101", 7, &d, NULL) == ART_E_LIMIT);
    assert(arti_dec_parse(&arena, "0e99999", 7, &d, NULL) == ART_OK && d.n == 0);
}

static void test_compare(void) {
    static const char *const sorted[] = {"-1e308",
                                         "-123456789012345678901234567890.1",
                                         "-123456789012345678901234567890",
                                         "-2",
                                         "-1.5",
                                         "-1e-400",
                                         "0",
                                         "1e-400",
                                         "1e-399",
                                         "0.1",
                                         "0.10000000000000000000000000000000001",
                                         "0.9",
                                         "1",
                                         "1.5",
                                         "10",
                                         "999999999",
                                         "1000000000",
                                         "1000000000.5",
                                         "123456789012345678901234567890",
                                         "1e308"};
    enum { N = sizeof sorted / sizeof *sorted };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            arti_dec a = dec(sorted[i]), b = dec(sorted[j]);
            assert(arti_dec_cmp(&a, &b) == (i > j) - (i < j));
            arti_dec na = arti_dec_negate(&a), nb = arti_dec_negate(&b);
            assert(arti_dec_cmp(&na, &nb) == (i < j) - (i > j));
        }
}

static void test_multiples(void) {
    static const struct {
        const char *a, *m;
        bool yes;
    } c[] = {{"0.3", "0.1", true},
             {"0.35", "0.1", false},
             {"1e308", "1e-400", true},
             {"1e308", "0.123456789", false},
             {"1e308", "1e309", false},
             {"0", "3", true},
             {"-9", "3", true},
             {"10", "4", false},
             {"1e2", "4", true},
             {"4.02", "0.01", true},
             {"123456789012345678901234567890", "9", true},
             {"123456789012345678901234567891", "9", false},
             {"7.5", "2.5", true},
             {"0.0075", "0.0001", true},
             {"0.00751", "0.0001", false},
             {"1e400", "3", false},
             {"3e400", "3", true},
             {"1", "0.3", false},
             {"12391239123912391239", "12391239123912391239", true},
             {"24782478247824782478", "12391239123912391239", true},
             {"24782478247824782479", "12391239123912391239", false},
             {"1e30", "1024", true},
             {"1e9", "1024", false},
             {"15e-2", "5e-2", true}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        arti_dec a = dec(c[i].a), m = dec(c[i].m);
        if (arti_dec_is_multiple(&a, &m) != c[i].yes) {
            fprintf(stderr, "%s %s\n", c[i].a, c[i].m);
            assert(0);
        }
    }
    static const char *const lcm[][3] = {
        {"2", "3", "6"},
        {"0.1", "0.25", "0.5"},
        {"1", "0.01", "1"},
        {"1.5", "1", "3"},
        {"6", "4", "12"},
        {"1e-400", "7", "7"},
        {"12345678901234567890", "98765432109876543210", "135480701249809480070999996000"},
        {"1000000007", "1000000009", "1000000016000000063"}};
    for (size_t i = 0; i < sizeof lcm / sizeof *lcm; i++) {
        arti_dec a = dec(lcm[i][0]), b = dec(lcm[i][1]), want = dec(lcm[i][2]), got;
        assert(arti_dec_lcm(&arena, &a, &b, &got, NULL) == ART_OK);
        if (i != 6) assert(arti_dec_cmp(&got, &want) == 0);
        assert(arti_dec_is_multiple(&got, &a) && arti_dec_is_multiple(&got, &b));
    }
}

/* ------------------------------------------------------------------ rules against brute force
 *
 * An independent model: every number text of at most six bytes over a few digits, its value in units of 10^-9 as an integer. */

enum { UNIT_EXP = 9 };

typedef struct model {
    bool has_lo, has_hi, lo_open, hi_open;
    int64_t lo, hi, step, not_step, not_value; /* step 0: none; not_value INT64_MAX: none */
    bool is_long;
} model;

static bool exact_units(const char *t, size_t len,
                        int64_t *out) { /* false: the unit is too coarse or the value too big */
    int64_t m = 0, e = UNIT_EXP, w = 0;
    bool neg = false, frac = false, exp = false, exp_neg = false;
    for (size_t i = 0; i < len; i++) {
        char c = t[i];
        if (c == '-' && !exp)
            neg = true;
        else if (c == '-')
            exp_neg = true;
        else if (c == '.')
            frac = true;
        else if (c == 'e')
            exp = true;
        else if (c >= '0' && c <= '9' && exp)
            w = w * 10 + (c - '0');
        else if (c >= '0' && c <= '9')
            m = m * 10 + (c - '0'), e -= frac;
    }
    if (w > 30) w = 30;
    e += exp_neg ? -w : w;
    if (m == 0) e = 0;
    for (; e > 0; e--) {
        if (m > INT64_MAX / 10) return false;
        m *= 10;
    }
    for (; e < 0; e++) {
        if (m % 10) return false;
        m /= 10;
    }
    *out = neg ? -m : m;
    return true;
}

static bool model_fits(const model *c, const char *t, size_t len, int64_t v) {
    if (c->is_long && !memchr(t, '.', len) && !memchr(t, 'e', len)) return false;
    if (c->has_lo && (v < c->lo || (v == c->lo && c->lo_open))) return false;
    if (c->has_hi && (v > c->hi || (v == c->hi && c->hi_open))) return false;
    if (c->step && v % c->step) return false;
    if (c->not_step && v % c->not_step == 0) return false;
    return v != c->not_value;
}

/* All number texts, in the order of a depth-first walk. */
enum { TEXT_MAX = 5 };
typedef struct word {
    uint8_t len, usual, may_end, known;
    char text[TEXT_MAX];
    int64_t value; /* when known */
} word;
static word *words;
static size_t n_words;

static bool is_usual(const char *t, size_t len) {
    const char *e = memchr(t, 'e', len);
    if (!e) return true;
    if (*t == '-') t++;
    return *t != '0' && (t[1] == '.' || t[1] == 'e');
}

static void list_words(void) {
    static const char alphabet[] = "-.e+012579";
    words = malloc(400000 * sizeof *words);
    arti_num state[TEXT_MAX + 1] = {0};
    uint8_t at[TEXT_MAX + 1] = {0};
    char text[TEXT_MAX];
    for (size_t depth = 0;;) {
        if (depth == TEXT_MAX || !alphabet[at[depth]]) {
            if (depth == 0) return;
            depth--;
            at[depth]++;
            continue;
        }
        state[depth + 1] = state[depth];
        text[depth] = alphabet[at[depth]];
        if (!arti_num_step(&state[depth + 1], (uint8_t)text[depth])) {
            at[depth]++;
            continue;
        }
        depth++;
        word *w = &words[n_words++];
        assert(n_words < 400000);
        w->len = (uint8_t)depth;
        memcpy(w->text, text, depth);
        w->usual = is_usual(text, depth);
        w->may_end = arti_num_may_end(&state[depth]);
        w->known = w->may_end && exact_units(text, depth, &w->value);
        if (depth <= TEXT_MAX) at[depth < TEXT_MAX ? depth : TEXT_MAX] = 0;
    }
}

static void run_num(const char *t, size_t len, arti_num *n) {
    memset(n, 0, sizeof *n);
    for (size_t i = 0; i < len; i++) assert(arti_num_step(n, (uint8_t)t[i]));
}

static void fail(const char *what, const model *m, const char *t, size_t len, int style) {
    fprintf(stderr, "%s: \"%.*s\" style %d; lo %d %lld%s hi %d %lld%s step %lld not %lld, %lld (units of 1e-9)\n", what,
            (int)len, t, style, m->has_lo, (long long)m->lo, m->lo_open ? "(" : "", m->has_hi, (long long)m->hi,
            m->hi_open ? ")" : "", (long long)m->step, (long long)m->not_step, (long long)m->not_value);
    assert(0);
}

static void check_rule(const arti_num_rule *r, const model *m, arti_num_style style) {
    /* The walk is depth-first, so the extensions of a word are the words right behind it that are longer. */
    for (size_t i = 0; i < n_words; i++) {
        const word *w = &words[i];
        arti_num n;
        run_num(w->text, w->len, &n);
        if (w->known && arti_num_fits(r, &n, (const uint8_t *)w->text) != model_fits(m, w->text, w->len, w->value))
            fail("fits", m, w->text, w->len, style);
        if (style == ARTI_NUM_USUAL && !w->usual) continue;
        size_t best = SIZE_MAX;
        for (size_t j = i; j < n_words && (j == i || words[j].len > w->len); j++) {
            const word *x = &words[j];
            if ((size_t)(x->len - w->len) >= best || !x->known || (style == ARTI_NUM_USUAL && !x->usual) ||
                !model_fits(m, x->text, x->len, x->value))
                continue;
            best = (size_t)(x->len - w->len);
        }
        bool alive = arti_num_alive(r, &n, (const uint8_t *)w->text, style);
        if (best != SIZE_MAX && !alive) fail("dead but has a continuation", m, w->text, w->len, style);
        uint8_t tail[4096];
        size_t len = arti_num_shortest(r, &n, (const uint8_t *)w->text, style, tail, sizeof tail);
        if ((len != SIZE_MAX) != alive) fail("alive and shortest differ", m, w->text, w->len, style);
        if (!alive) continue;
        if (len > best) fail("not the shortest", m, w->text, w->len, style);
        char whole[5000];
        memcpy(whole, w->text, w->len);
        memcpy(whole + w->len, tail, len);
        arti_num end = n;
        for (size_t k = 0; k < len; k++) {
            if (!arti_num_step(&end, tail[k])) fail("shortest is no number", m, whole, w->len + len, style);
            if (!arti_num_alive(r, &end, (const uint8_t *)whole, style))
                fail("a prefix of the shortest is dead", m, whole, w->len + k + 1, style);
        }
        if (!arti_num_fits(r, &end, (const uint8_t *)whole))
            fail("shortest does not fit", m, whole, w->len + len, style);
    }
}

static arti_dec dec_units(int64_t v) {
    char text[40];
    sprintf(text, "%llde-%d", (long long)v, UNIT_EXP);
    return dec(text);
}

static void test_rules(void) {
    static const int64_t U = 1000000000;
    const int64_t values[] = {0,       1,        U,      -U,    10 * U,    12 * U,   -7 * U,
                              99 * U,  100 * U,  U / 2,  U / 4, 3 * U / 2, U / 1000, 5 * U + U / 100,
                              -U / 10, 1000 * U, 20 * U, 2 * U, 7 * U,     25 * U};
    const int64_t steps[] = {0,      0,     U,       U,     2 * U,   5 * U,      7 * U,
                             U / 10, U / 4, U / 100, 3 * U, 100 * U, 3 * U / 10, 12 * U};
    enum { NV = sizeof values / sizeof *values, NS = sizeof steps / sizeof *steps };
    uint64_t seed = 88172645463325252u;
    list_words();
    for (int round = 0; round < 90; round++) {
        model m = {.not_value = INT64_MAX};
        uint64_t x = harness_random(&seed);
        m.has_lo = x & 1, m.has_hi = x >> 1 & 1, m.lo_open = x >> 2 & 1, m.hi_open = x >> 3 & 1;
        m.lo = values[(x >> 8) % NV], m.hi = values[(x >> 16) % NV];
        if (m.has_lo && m.has_hi && m.lo > m.hi) {
            int64_t t = m.lo;
            m.lo = m.hi, m.hi = t;
        }
        m.step = steps[(x >> 24) % NS];
        if ((x >> 4 & 3) == 0) m.not_step = steps[(x >> 32) % NS];
        if ((x >> 6 & 3) == 0) m.not_value = values[(x >> 40) % NV];
        m.is_long = round >= 60;
        arti_dec lo = dec_units(m.lo), hi = dec_units(m.hi), step = dec_units(m.step), not_step = dec_units(m.not_step),
                 not_value = {0};
        if (m.not_value != INT64_MAX) not_value = dec_units(m.not_value);
        arti_num_rule r = {.lo = m.has_lo ? &lo : NULL,
                           .hi = m.has_hi ? &hi : NULL,
                           .lo_open = m.lo_open,
                           .hi_open = m.hi_open,
                           .step = m.step ? &step : NULL,
                           .not_step = &not_step,
                           .n_not_step = m.not_step != 0,
                           .not_value = &not_value,
                           .n_not_value = m.not_value != INT64_MAX,
                           .is_long = m.is_long};
        arti_num_rule_finish(&r);
        arti_num start = {0};
        uint8_t text[64];
        assert((arti_num_shortest(&r, &start, NULL, ARTI_NUM_ANY_STYLE, text, sizeof text) == SIZE_MAX) ==
               arti_num_rule_is_empty(&r));
        if (r.is_any) continue;
        check_rule(&r, &m, round & 1 ? ARTI_NUM_USUAL : ARTI_NUM_ANY_STYLE);
    }
    free(words);
}

static void expect_alive(const arti_num_rule *r, const char *t, arti_num_style style, bool want, const char *shortest) {
    arti_num n;
    run_num(t, strlen(t), &n);
    uint8_t buf[2048];
    bool alive = arti_num_alive(r, &n, (const uint8_t *)t, style);
    size_t len = arti_num_shortest(r, &n, (const uint8_t *)t, style, buf, sizeof buf);
    if (alive != want || (want && (len != strlen(shortest) || memcmp(buf, shortest, len) != 0))) {
        fprintf(stderr, "\"%s\": alive %d, shortest \"%.*s\"\n", t, alive, len == SIZE_MAX ? 0 : (int)len, buf);
        assert(0);
    }
}

static void test_named_rules(void) {
    arti_dec one = dec("1"), ten = dec("10"), huge = dec("123456789012345678901234567890"), cent = dec("0.01"),
             tiny = dec("1e-400"), top = dec("1e308"), zero = dec("0"), half = dec("0.5");
    arti_num_rule int_1_10 = {.lo = &one, .hi = &ten, .step = &one};
    arti_num_rule_finish(&int_1_10);
    assert(int_1_10.is_small);
    expect_alive(&int_1_10, "50", ARTI_NUM_USUAL, false, "");
    expect_alive(&int_1_10, "50", ARTI_NUM_ANY_STYLE, true, "e-1");
    expect_alive(&int_1_10, "10", ARTI_NUM_USUAL, true, "");
    expect_alive(&int_1_10, "0", ARTI_NUM_USUAL, false, "");
    expect_alive(&int_1_10, "3.", ARTI_NUM_USUAL, true, "0");
    expect_alive(&int_1_10, "3.0", ARTI_NUM_USUAL, true, "");
    expect_alive(&int_1_10, "3.1", ARTI_NUM_USUAL, false, "");
    expect_alive(&int_1_10, "-", ARTI_NUM_USUAL, false, "");
    arti_num_rule exactly = {.lo = &huge, .hi = &huge, .step = &one};
    arti_num_rule_finish(&exactly);
    expect_alive(&exactly, "12345678901234567890123", ARTI_NUM_USUAL, true, "4567890");
    expect_alive(&exactly, "12345678901234567890124", ARTI_NUM_USUAL, false, "");
    expect_alive(&exactly, "1.2", ARTI_NUM_USUAL, true, "345678901234567890123456789e29");
    expect_alive(&exactly, "123456789012345678901234567890", ARTI_NUM_USUAL, true, "");
    arti_num_rule money = {.lo = &zero, .step = &cent};
    arti_num_rule_finish(&money);
    expect_alive(&money, "17.12", ARTI_NUM_USUAL, true, "");
    expect_alive(&money, "17.125", ARTI_NUM_USUAL, false, "");
    arti_num_rule wide = {.lo = &top, .step = &tiny};
    arti_num_rule_finish(&wide);
    expect_alive(&wide, "1e30", ARTI_NUM_USUAL, true, "8");
    expect_alive(&wide, "1e3", ARTI_NUM_ANY_STYLE, true, "08");
    expect_alive(&wide, "1e4", ARTI_NUM_USUAL, true, "00");
    expect_alive(&wide, "9e", ARTI_NUM_USUAL, true, "308");
    expect_alive(&wide, "9e-", ARTI_NUM_USUAL, false, "");
    arti_num_rule below_half = {.lo = &zero, .lo_open = true, .hi = &half, .hi_open = true};
    arti_num_rule_finish(&below_half);
    expect_alive(&below_half, "1", ARTI_NUM_USUAL, true, "e-1");
    expect_alive(&below_half, "0.5", ARTI_NUM_USUAL, false, "");
    expect_alive(&below_half, "0.49999999999999999999999999999999", ARTI_NUM_USUAL, true, "");
    expect_alive(&below_half, "0.0000", ARTI_NUM_USUAL, true, "1");
    arti_dec five = dec("5"), three_halves = dec("1.5");
    arti_num_rule not_fives = {.step = &one, .not_step = &five, .n_not_step = 1};
    arti_num_rule_finish(&not_fives);
    expect_alive(&not_fives, "1234567890", ARTI_NUM_USUAL, true, "1");
    expect_alive(&not_fives, "-12345678901234567890", ARTI_NUM_ANY_STYLE, true, "1");
    arti_num_rule not_halves = {.step = &one, .not_step = &three_halves, .n_not_step = 1};
    arti_num_rule_finish(&not_halves);
    expect_alive(&not_halves, "12345678900", ARTI_NUM_ANY_STYLE, true, "1");
    arti_num_rule none = {.lo = &ten, .hi = &ten, .hi_open = true};
    arti_num_rule_finish(&none);
    assert(arti_num_rule_is_empty(&none));
    arti_num_rule clash = {.step = &ten, .not_step = &one, .n_not_step = 1};
    arti_num_rule_finish(&clash);
    assert(arti_num_rule_is_empty(&clash));
    arti_num_rule only_zero = {.lo = &zero, .hi = &zero};
    arti_num_rule_finish(&only_zero);
    expect_alive(&only_zero, "-0.00", ARTI_NUM_USUAL, true, "");
    expect_alive(&only_zero, "0e12345678901234567890", ARTI_NUM_ANY_STYLE, true, "");
    expect_alive(&only_zero, "1", ARTI_NUM_ANY_STYLE, false, "");
}

static void expect_finite(const arti_num_rule *r, const char *t, bool want) {
    arti_num n;
    run_num(t, strlen(t), &n);
    assert(arti_num_alive(r, &n, (const uint8_t *)t, ARTI_NUM_USUAL));
    if (arti_num_stays_finite(r, &n, (const uint8_t *)t, ARTI_NUM_USUAL) != want) {
        fprintf(stderr, "\"%s\" should %s\n", t, want ? "stay finite" : "be too large");
        assert(0);
    }
}

static void test_finite(void) {
    arti_dec zero = dec("0"), one = dec("1"), big_one = dec("1e307"), step = dec("1e250");
    char nines[400];
    memset(nines, '9', sizeof nines);
    nines[ARTI_NUM_MAGNITUDE_MAX + 1] = 0;
    arti_num_rule any = {0}, whole = {.step = &one}, positive = {.lo = &zero, .lo_open = true},
                  large = {.lo = &big_one}, coarse = {.lo = &one, .step = &step};
    arti_num_rule_finish(&any);
    arti_num_rule_finish(&whole);
    arti_num_rule_finish(&positive);
    arti_num_rule_finish(&large);
    arti_num_rule_finish(&coarse);
    assert(any.is_any && whole.is_wide && positive.is_wide && !large.is_wide && !coarse.is_wide);
    const arti_num_rule *both[] = {&any, &whole};
    for (size_t i = 0; i < 2; i++) {
        expect_finite(both[i], "9e307", true);
        expect_finite(both[i], "-1e308", false);
        expect_finite(both[i], "9.5e3", true);
        expect_finite(both[i], "1e309", false);
        expect_finite(both[i], nines, false);
        expect_finite(both[i], nines + 1, true);
    }
    expect_finite(&any, "9e-300", true);
    expect_finite(&any, "9e-301", false);
    expect_finite(&any, "0e999", true);
    expect_finite(&any, "0e9999", false);
    expect_finite(&positive, "1e-300", true);
    expect_finite(&positive, "1e-301", false);
    expect_finite(&large, "1e999", true);
    expect_finite(&coarse, "1e999", true);
}

static bool parse_once(void) {
    arti_mem m;
    arti_arena a;
    art_alloc alloc = {harness_fn, &heap};
    arti_mem_init(&m, &alloc, 0);
    arti_arena_init(&a, &m);
    arti_dec x, y, z;
    bool ok = arti_dec_parse(&a, "12345678901234567890", 20, &x, NULL) == ART_OK &&
              arti_dec_parse(&a, "0.7", 3, &y, NULL) == ART_OK && arti_dec_lcm(&a, &x, &y, &z, NULL) == ART_OK;
    arti_arena_free(&a);
    return ok;
}

/* ------------------------------------------------------------------ what digits do */

/* All ways to go on with up to `levels` digits: are they alive in every style, and if they may end there, do they fit? */
static void check_digits(const arti_num_rule *r, const char *t, uint32_t levels, bool settled, bool covered) {
    uint32_t n_ways = 1;
    for (uint32_t k = 0; k <= levels; k++, n_ways *= 10) {
        for (uint32_t i = 0; i < n_ways; i++) {
            char text[40];
            const int len = k ? sprintf(text, "%s%0*u", t, (int)k, i) : sprintf(text, "%s", t);
            arti_num n;
            run_num(text, (size_t)len, &n);
            for (int style = ARTI_NUM_ANY_STYLE; style <= ARTI_NUM_USUAL; style++)
                assert(!settled || arti_num_alive(r, &n, (const uint8_t *)text, (arti_num_style)style));
            assert(!settled || arti_num_stays_finite(r, &n, (const uint8_t *)text, ARTI_NUM_USUAL));
            assert(!covered || arti_num_fits(r, &n, (const uint8_t *)text));
        }
    }
}

static void test_digits(void) {
    static const char *const bounds[] = {"0",    "1",     "5",    "-3",  "12",   "99",  "100", "254",
                                         "1000", "65535", "0.01", "2.5", "-7.5", "1e9", "-40", "1e20"};
    static const char *const steps[] = {"1", "1", "0.1", "0.25", "0.3", "2", "0.5"};
    enum { N_BOUNDS = sizeof bounds / sizeof *bounds, N_STEPS = sizeof steps / sizeof *steps };
    static const char *const heads[] = {"1",  "2",  "9",   "12",  "25",  "99",  "654",
                                        "-1", "-7", "-39", "0.0", "2.4", "1.9", "-7.4"};
    uint64_t seed = 2463534242u;
    uint32_t n_settled = 0, n_covered = 0, n_beyond = 0;
    for (int round = 0; round < 1500; round++) {
        const uint64_t x = harness_random(&seed);
        const arti_dec lo = dec(bounds[(x >> 8) % N_BOUNDS]), hi = dec(bounds[(x >> 16) % N_BOUNDS]),
                       step = dec(steps[(x >> 24) % N_STEPS]);
        arti_num_rule r = {.lo = x & 1 ? &lo : NULL,
                           .hi = x & 2 ? &hi : NULL,
                           .lo_open = x >> 2 & 1,
                           .hi_open = x >> 3 & 1,
                           .step = x & 16 ? &step : NULL};
        arti_num_rule_finish(&r);
        if (r.is_any || arti_num_rule_is_empty(&r)) continue;
        arti_num_rule slow = r; /* without 64-bit arithmetic */
        slow.has_small_bounds = slow.is_small = false;
        for (uint32_t h = 0; h < sizeof heads / sizeof *heads; h++) {
            const uint8_t *text = (const uint8_t *)heads[h];
            const size_t len = strlen(heads[h]);
            arti_num n;
            run_num(heads[h], len, &n);
            assert(arti_num_fits(&r, &n, text) == arti_num_fits(&slow, &n, text));
            for (int style = ARTI_NUM_ANY_STYLE; style <= ARTI_NUM_USUAL; style++)
                assert(arti_num_alive(&r, &n, text, (arti_num_style)style) ==
                       arti_num_alive(&slow, &n, text, (arti_num_style)style));
            for (uint32_t levels = 0; levels < 4; levels++) {
                const bool settled = arti_num_is_settled(&r, &n, levels), covered = arti_num_is_covered(&r, &n, levels);
                assert(settled || !covered);
                n_settled += settled, n_covered += covered;
                if (settled) check_digits(&r, heads[h], levels, settled, covered);
            }
            for (uint8_t d = '0'; n.lex == ARTI_NUM_INT && d <= '9'; d++) {
                if (!arti_num_is_beyond(&r, &n, d)) continue;
                n_beyond++;
                for (uint8_t e = d; e <= '9'; e++) {
                    arti_num next = n;
                    char more[8];
                    sprintf(more, "%s%c", heads[h], e);
                    assert(arti_num_step(&next, e));
                    assert(!arti_num_alive(&r, &next, (const uint8_t *)more, ARTI_NUM_USUAL));
                }
            }
        }
    }
    assert(n_settled > 1000 && n_covered > 1000 && n_beyond > 1000);
    /* Bounds far apart, or one alone, settle whatever digits come. */
    const arti_dec lo = dec("1000"), hi = dec("1000000000"), point = dec("0.01");
    arti_num n;
    run_num("7", 1, &n);
    arti_num_rule wide = {.lo = &lo, .hi = &hi}, above = {.lo = &point};
    arti_num_rule_finish(&wide);
    arti_num_rule_finish(&above);
    assert(arti_num_is_settled(&wide, &n, 3) && !arti_num_is_covered(&wide, &n, 3));
    assert(arti_num_is_settled(&above, &n, 3) && arti_num_is_covered(&above, &n, 3));
}

int main(void) {
    art_alloc alloc = harness_alloc(&heap);
    arti_mem_init(&mem, &alloc, 0);
    arti_arena_init(&arena, &mem);
    test_parse();
    test_compare();
    test_multiples();
    test_named_rules();
    test_finite();
    test_rules();
    test_digits();
    arti_arena_free(&arena);
    assert(heap.live == 0);
    FAIL_EVERY_ALLOCATION(&heap, parse_once());
    return 0;
}
