/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of whole ranges of characters, against random texts run character by character. */
#include "harness.h"

#include "art_regex.h"
#include "art_utf8.h"

static const arti_re_range ranges[] = {{' ', ' '},       {'-', '-'},       {'.', '.'},       {'/', '/'},
                                       {'0', '9'},       {'@', '@'},       {'A', 'Z'},       {'a', 'f'},
                                       {'g', 'z'},       {0x80, 0xFF},     {0x100, 0x3FF},   {0x1000, 0x1FFF},
                                       {0x2000, 0x206F}, {0x3000, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}};
enum { N_RANGES = sizeof ranges / sizeof *ranges };
static const uint16_t weights[N_RANGES] = {600, 40, 50, 30, 70, 6, 800, 900, 900, 20, 20, 10, 40, 60, 10, 5};

static const char *const patterns[] = {
    "^[a-z]*$",
    "^[a-z]{8}-[a-z]{4}$",
    "^[a-z0-9]{1,200}$",
    "^[a-m]+x?$",
    "^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)*$",
    "^(?:\\S+\\s+){0,40}\\S+$",
    "^(?:\\S+\\s+){0,3}\\S+$",
    "^\\w+( \\w+){0,6}\\.$",
    "foo",
    "[a-z]{3}$",
    "^(?!.*--)[a-z-]{2,20}$",
    "^(?=.*[0-9])[a-z0-9]{4,}$",
    "^((ab){3}|(cd){70}|e*)$",
    "^(a*|a*b{60})$",
    "^[\\u0080-\\u00bf]*\\u{1f600}?$",
    "^(([a-z]+\\.)+[a-z]{2,6}/?|-)$",
    "^.{0,50}$",
    "^([a-z]{2,90}[.-]){1,30}[0-9]{30,31}$",
    "^(([a-f]{26}-?){0,40}|[^a-z]{0,55}@)*$",
    "^(?!.*://)(?=.{1,255}$)((.{1,63}\\.){1,127}(?![0-9]*$)[a-z0-9-]+\\.?)$",
    "^(?=.{1,70}$)(?!.*xx)([a-z]{1,40}-)*[0-9]{30,}$",
    "^(?=[a-z]{0,60}$)(?=.{30,90}$).*m",
    "^(?=.{0,40}$)(?!.*a.{30}b)([a-c]{0,200}|.{0,35}[0-9]{9})$",
    "^\\[\\^?-?([a-l]|a-[b-l]|b-[c-l]|c-[d-l]|[d-k]-l)*-?\\]$",
    "^(<?[a-z]|(@[0-9])?[0-9a-z])+(x|y[0-9]|z-)?[a-z]*$",
    "^([01]?[0-9]|2[0-3]):[0-5][0-9]$",
    "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$",
    "^$",
};

static uint64_t seed = 77;

static uint32_t pick(uint32_t n) {
    return (uint32_t)(harness_random(&seed) % n);
}

static arti_re_state step(arti_re_ctx *c, arti_re_state s, uint32_t cp) {
    uint8_t bytes[4];
    return arti_re_run(c, s, bytes, arti_u8_put(bytes, cp));
}

/* A character of range i, its ends most often. */
static uint32_t some_of(uint32_t i) {
    const uint32_t n = ranges[i].hi - ranges[i].lo;
    return ranges[i].lo + (pick(3) == 0 ? 0 : pick(3) == 0 ? n : pick(n + 1));
}

static uint32_t some_in(uint64_t set) {
    uint32_t i = pick(N_RANGES);
    while (!(set >> i & 1u)) i = (i + 1) % N_RANGES;
    return some_of(i);
}

static void check_fan(arti_re_ctx *c, arti_re_state s) {
    arti_re_fan fan;
    assert(arti_re_get_fan(c, s, &fan) == ART_OK);
    for (uint32_t i = 0; i < N_RANGES; i++) {
        bool dead = false, alive = false;
        for (int k = 0; k < 60; k++) {
            const arti_re_state to = step(c, s, some_of(i));
            dead |= to == ARTI_RE_DEAD;
            alive |= to != ARTI_RE_DEAD;
            if (to == ARTI_RE_DEAD) continue;
            bool found = fan.to[i][ARTI_RE_FAN - 1] == ARTI_RE_UNKNOWN;
            for (uint32_t n = 0; n < ARTI_RE_FAN; n++) found |= to == fan.to[i][n];
            assert(found);
        }
        const bool none = fan.to[i][0] == ARTI_RE_DEAD && fan.to[i][ARTI_RE_FAN - 1] == ARTI_RE_DEAD,
                   partly = fan.partly >> i & 1u;
        assert(!(none && alive) && !(dead && alive && !partly) && !(partly && none));
        if (alive) assert(arti_re_alive_between(c, s, ranges[i].lo, ranges[i].hi));
        if (none) assert(!arti_re_alive_between(c, s, ranges[i].lo, ranges[i].hi));
    }
}

static void check_safe(arti_re_ctx *c, arti_re_state s) {
    arti_re_safe safe;
    assert(arti_re_get_safe(c, s, pick(2), &safe) == ART_OK);
    for (int k = 0; k < 60; k++) {
        arti_re_state at = s;
        const uint32_t longest = safe.room < 70 ? safe.room : 70, n = safe.in ? pick(longest + 1) : 0;
        for (uint32_t i = 0; i < n; i++) at = step(c, at, some_in(safe.in));
        assert(at != ARTI_RE_DEAD);
        arti_re_state close = s;
        for (uint32_t i = safe.near_in ? pick((safe.near < 70 ? safe.near : 70) + 1) : 0; i > 0; i--)
            close = step(c, close, some_in(safe.near_in));
        assert(close != ARTI_RE_DEAD);
        for (uint32_t i = 0; i < N_RANGES; i++)
            if (step(c, at, some_of(i)) != ARTI_RE_DEAD) assert((safe.in | safe.out) >> i & 1u);
        if (safe.ends && n == safe.room && safe.in) assert(step(c, at, some_in(safe.in)) == ARTI_RE_DEAD);
        if (!safe.has_lengths) continue;
        arti_re_lengths l;
        assert(arti_re_get_lengths(c, at, &l) == ART_OK && l.shortest <= safe.need);
        assert(safe.span == ARTI_RE_UNBOUNDED || n + l.shortest <= safe.span);
        if (safe.stretches) assert(l.contiguous && l.longest == ARTI_RE_UNBOUNDED);
    }
}

/* A search answers for states on the way, too, but not all that is true of the start is true of those. */
static void test_safe_on_the_way(arti_mem *mem) {
    static const char pattern[] = "^(([a-f]|-)[a-z-][a-z]*|[g-z]-?([a-z][a-z])*)$";
    static const char *const texts[] = {"", "g", "g-", "ga", "a", "a-"};
    arti_re_ctx *c;
    assert(arti_re_ctx_new(mem, &c, NULL) == ART_OK);
    arti_re_set_ranges(c, ranges, weights, N_RANGES);
    const arti_re_state start = arti_re_start(c, arti_re_pattern(c, pattern, sizeof pattern - 1));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_safe(c, arti_re_run(c, start, (const uint8_t *)texts[i], strlen(texts[i])));
    arti_re_ctx_free(c);
}

/* A text that keeps the language alive; NULL state at its end when there is none. */
static arti_re_state wander(arti_re_ctx *c, arti_re_state s, uint32_t n) {
    for (uint32_t i = 0, tries = 0; i < n && tries < 400; tries++) {
        const arti_re_state to = step(c, s, some_in(UINT64_MAX));
        if (to != ARTI_RE_DEAD) s = to, i++;
    }
    return s;
}

static void check_rest(arti_re_ctx *c, arti_re_state s) {
    uint32_t farthest, len;
    arti_re_lengths l;
    arti_re_state bound;
    assert(arti_re_get_farthest(c, s, &farthest) == ART_OK);
    for (int k = 0; k < 12; k++) {
        assert(arti_re_get_lengths(c, wander(c, s, pick(30)), &l) == ART_OK && l.shortest <= farthest);
        const uint32_t lo = pick(4), hi = lo + pick(5);
        assert(arti_re_bind(c, s, lo, hi, &bound) == ART_OK);
        const art_status any = arti_re_length_in(c, s, lo, hi, &len);
        assert((any == ART_OK) == (bound != ARTI_RE_DEAD));
        arti_re_state at = s;
        for (uint32_t n = 0; n <= hi + 1 && at != ARTI_RE_DEAD; n++) {
            const bool in = n >= lo && n <= hi && arti_re_accepts(c, at);
            assert((bound != ARTI_RE_DEAD && arti_re_accepts(c, bound)) == in);
            const uint32_t cp = some_in(UINT64_MAX);
            at = step(c, at, cp);
            bound = bound == ARTI_RE_DEAD ? bound : step(c, bound, cp);
        }
    }
    if (arti_re_is_open(c, s))
        for (int k = 0; k < 40; k++) {
            arti_re_state at = s;
            for (int n = 0; n < 12; n++) at = step(c, at, some_in(UINT64_MAX));
            assert(at != ARTI_RE_DEAD);
        }
}

/* What stretches has texts of every length from its shortest one on, and so has whatever keeps it alive. */
static void check_stretches(arti_re_ctx *c, arti_re_state s, uint32_t *n) {
    if (!arti_re_stretches(c, s)) return;
    ++*n;
    for (int k = 0; k < 12; k++) {
        arti_re_lengths l;
        const arti_re_state at = wander(c, s, pick(20));
        assert(arti_re_stretches(c, at) && arti_re_get_lengths(c, at, &l) == ART_OK);
        assert(l.longest == ARTI_RE_UNBOUNDED && l.contiguous);
    }
}

/* The near state does as s does within reach. Texts are such as keep s alive, with a character now and then that may not. */
static void check_near(arti_re_ctx *c, arti_re_state s) {
    arti_re_state near, again;
    uint32_t reach, farther;
    assert(arti_re_get_near(c, s, &near, &reach) == ART_OK);
    assert((near == s) == (reach == ARTI_RE_UNBOUNDED) && (near == s || reach <= ARTI_RE_REACH_MAX));
    assert(arti_re_get_near(c, near, &again, &farther) == ART_OK && (again == near || farther != reach));
    for (int k = 0; k < 30; k++) {
        arti_re_state a = s, b = near;
        for (uint32_t n = 0; n < reach && n < ARTI_RE_REACH_MAX && b != ARTI_RE_DEAD; n++) {
            const uint32_t cp = some_in(UINT64_MAX), other = some_in(UINT64_MAX);
            const bool dies = step(c, b, cp) == ARTI_RE_DEAD && pick(8) > 0;
            a = step(c, a, dies ? other : cp);
            b = step(c, b, dies ? other : cp);
            assert((a == ARTI_RE_DEAD) == (b == ARTI_RE_DEAD));
            assert(a == ARTI_RE_DEAD || arti_re_accepts(c, a) == arti_re_accepts(c, b));
        }
    }
}

static arti_re_state state_of(arti_re_ctx *c, const char *pattern) {
    return arti_re_start(c, arti_re_pattern(c, pattern, strlen(pattern)));
}

/* Which languages have a near state in common. */
static void test_near(arti_mem *mem) {
    static const struct {
        const char *a, *b;
        uint32_t reach; /* of a; 0: unlimited */
        bool same;
    } cases[] = {
        {"^[a-z]{0,28}$", "^[a-z]{0,29}$", 28, true},
        {"^[a-z]{0,55}$", "^[a-z]{0,28}$", 28, true},
        {"^[a-z]{0,56}$", "^[a-z]{0,99}$", 56, true},
        {"^[a-z]{0,128}$", "^[a-z]{0,999}$", 128, true},
        {"^[a-z]{0,27}$", "^[a-z]{0,28}$", 0, false},
        {"^[a-z]{30,}$", "^[a-z]{40}$", 28, true},
        {"^[a-z]{28,}$", "^[a-z]{40}$", 0, false},
        {"^[a-z]{3,90}$", "^[a-z]{3,57}$", 56, true},
        {"^[a-z]{3,90}$", "^[a-z]{4,90}$", 56, false},
        {"^(\\S+\\s+){0,65}x$", "^(\\S+\\s+){0,99}x$", 128, true},
        {"^(\\S+\\s+){0,14}x$", "^(\\S+\\s+){0,13}x$", 0, false},
        {"^([a-z]{0,200}|[0-9]{0,60})$", "^([a-z]{0,90}|[0-9]{0,58})$", 56, true},
        {"^(([ab]{30}c){40}d?){50}$", "^(([ab]{31}c){41}d?){51}$", 28, true},
        /* Texts must fit two languages: what is near is less than what the counters allow. */
        {"^(?=.{1,255}$)(?!x).*z$", "^(?=.{1,180}$)(?!x).*z$", 127, true},
        {"^(?!.*//)(.{1,63}\\.){1,127}[a-z]+$", "^(?!.*//)(.{1,60}\\.){1,99}[a-z]+$", 53, true},
        {"^(?=.{1,50}$)(?!x)[^z]*abcde$", "^(?=.{1,50}$)(?!x)[^z]*abcde$", 0, true}, /* too little is left of 28 */
        {"^(?=[a-z]{40})(?!x).*$", "^(?=[a-z]{50})(?!x).*$", 0, false},              /* as much is needed */
        {"^(?!.*a.{99}b).*$", "^(?!.*a.{98}b).*$", 0, false},                        /* a counter of what may not be */
    };
    arti_re_ctx *c;
    assert(arti_re_ctx_new(mem, &c, NULL) == ART_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arti_re_state a, b;
        uint32_t reach, other;
        assert(arti_re_get_near(c, state_of(c, cases[i].a), &a, &reach) == ART_OK);
        assert(arti_re_get_near(c, state_of(c, cases[i].b), &b, &other) == ART_OK);
        assert(reach == (cases[i].reach ? cases[i].reach : ARTI_RE_UNBOUNDED) && (a == b) == cases[i].same);
    }
    arti_re_ctx_free(c);
}

/* What a state refuses by what it contains is told by words: each text that leads to the dead state has one. */
static void test_forbidden(arti_mem *mem) {
    static const struct {
        const char *pattern, *behind; /* a text that the state is reached by */
        uint32_t n;                   /* words */
    } cases[] = {
        {"^(?!.*abc)", "", 1},
        {"^(?!.*abc)", "ab", 2},
        {"^(?!.*abc)(?!.*--)(?!b+cc)(?!aab)", "", 4},
        {"^(?!.*(ab|ba{3}c|-c))", "b", 4},
        {"^(?!.*a[bc]+ca-b)", "", 1},
        {"^(?!.*(é-|é{2}))", "a", 2},
        {"^(?!(a|b-c))", "", 2},
        {"^(?!.*a.*b)", "", 0},         /* no two letters stand together */
        {"^(?!.*ab)[a-c]*$", "", 0},    /* other texts are refused, too */
        {"^(?=[^]*ab)(?!.*c-)", "", 1}, /* what must come can come behind any text */
        {"^(?=[^]*ab)(?!.*c-)", "a", 1},
        {"^(?=[^]*ab)(?!.*c-)", "c", 2},
        {"^(?=[^]*ab)(?=[^]*ca)(?!.*--)(?!.*bb)", "", 0}, /* .. if it is one thing */
        {"^(?=[^]*ab{99})(?!.*--)", "", 0},
        {"^(?=[^]*ab-)(?!.*ab)", "", 0}, /* .. or can not */
        {"^(?=[^]*ab$)(?!.*c-)", "", 1},
        {"^(?=a*b)(?!.*c-)", "", 0},
        {"^(?=.*ab)(?!.*c-)", "", 0}, /* not behind a newline */
        {"^(?!.*[ab]c)", "", 0},
        {"abc", "", 0},
        {"^(?!.*(abcabcabcabcabcabcabcabcabcabcabc))", "", 1},
    };
    static const char *const letters[] = {"a", "b", "c", "-", "é", "ab", "ca-b"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arti_re_ctx *c;
        arti_re_word words[ARTI_RE_FORBIDDEN_MAX];
        assert(arti_re_ctx_new(mem, &c, NULL) == ART_OK);
        const arti_re_state s =
            arti_re_run(c, state_of(c, cases[i].pattern), (const uint8_t *)cases[i].behind, strlen(cases[i].behind));
        const uint32_t n = arti_re_forbidden(c, s, words);
        if (n != cases[i].n) fprintf(stderr, "%s: %u words\n", cases[i].pattern, n);
        assert(n == cases[i].n);
        uint32_t n_refused = 0;
        for (int round = 0; round < 4000 && n; round++) {
            char text[64] = "";
            for (uint32_t k = pick(9); k > 0; k--) strcat(text, letters[pick(sizeof letters / sizeof *letters)]);
            const size_t len = strlen(text);
            const arti_re_state to = arti_re_run(c, s, (const uint8_t *)text, len);
            bool has = false;
            for (uint32_t k = 0; k < n; k++) {
                char word[sizeof words->bytes + 1] = "";
                memcpy(word, words[k].bytes, words[k].len);
                has |= words[k].at_start ? strncmp(text, word, words[k].len) == 0 : strstr(text, word) != NULL;
            }
            assert(has || to != ARTI_RE_DEAD);
            n_refused += to == ARTI_RE_DEAD;
        }
        assert(n == 0 || n_refused > 0 || strlen(cases[i].pattern) > 40);
        arti_re_ctx_free(c);
    }
}

int main(void) {
    arti_mem mem;
    arti_mem_init(&mem, NULL, 0);
    uint32_t n_in = 0, n_ends = 0, n_far = 0, n_stretch = 0;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        arti_re_ctx *c;
        assert(arti_re_ctx_new(&mem, &c, NULL) == ART_OK);
        assert(!arti_re_has_ranges(c));
        arti_re_set_ranges(c, ranges, weights, N_RANGES);
        assert(arti_re_has_ranges(c));
        const arti_re_state start = arti_re_start(c, arti_re_pattern(c, patterns[p], strlen(patterns[p])));
        for (int round = 0; round < 8; round++) {
            const arti_re_state s = wander(c, start, round * 2);
            check_fan(c, s);
            check_safe(c, s);
            check_rest(c, s);
            check_near(c, s);
            check_stretches(c, s, &n_stretch);
            arti_re_safe safe;
            uint32_t farthest;
            assert(arti_re_get_safe(c, s, false, &safe) == ART_OK && arti_re_get_farthest(c, s, &farthest) == ART_OK);
            n_in += safe.in != 0;
            n_ends += safe.ends;
            n_far += farthest != ARTI_RE_UNBOUNDED;
        }
        arti_re_safe dead;
        assert(arti_re_get_safe(c, ARTI_RE_DEAD, true, &dead) == ART_REJECTED);
        arti_re_ctx_free(c);
    }
    test_safe_on_the_way(&mem);
    test_near(&mem);
    test_forbidden(&mem);
    assert(n_in > 60 && n_ends > 10 && n_far > 60 &&
           n_stretch > 20); /* answers that say nothing would pass everything above */
    assert(mem.used == 0);
    return 0;
}
