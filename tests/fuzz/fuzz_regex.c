/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a pattern (or the name of a format) and a text. Checked properties:
 *   a text is in a language or in its complement, never in both
 *   a state is live exactly when it has a continuation; the shortest one has the length that is claimed
 *   witnesses are accepted, are within the bounds asked for, and as short as these allow
 *   what is said of bytes, of closed and of universal states is what stepping shows
 *
 * Input: one byte (below 236: a pattern follows; else a format), two bytes for bounds, the pattern up to a zero byte,
 * the text. */
#include "art_format.h"
#include "art_utf8.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define TEXT_MAX 4096u

static const char *const names[] = {
    "date", "date-time", "duration",      "email",         "hostname",     "idn-email", "idn-hostname",
    "ipv4", "ipv6",      "iri",           "iri-reference", "json-pointer", "regex",     "relative-json-pointer",
    "time", "uri",       "uri-reference", "uri-template",  "uuid"};

static uint32_t next_random(void *ud) {
    uint64_t *x = ud;
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*x >> 32);
}

/* Only these may stop an operation on states. */
static bool gave_up(const arti_re_ctx *c) {
    const art_status s = arti_re_error(c, NULL);
    CHECK(s == ART_E_LIMIT || s == ART_E_NOMEM);
    return true;
}

static bool gave_up_with(art_status s) {
    return s == ART_E_LIMIT || s == ART_E_NOMEM;
}

/* Characters of a text that begins in state u8; false when it is not well formed or ends inside a character. */
static bool count(uint8_t u8, const uint8_t *text, size_t len, uint32_t *n) {
    *n = u8 != ARTI_U8_0;
    for (size_t i = 0; i < len; i++) {
        if (u8 == ARTI_U8_0) ++*n;
        u8 = arti_u8_next(u8, text[i]);
        if (u8 == ARTI_U8_BAD) return false;
    }
    return u8 == ARTI_U8_0;
}

static bool check_witness(arti_re_ctx *c, arti_re_state s, uint8_t u8, uint32_t lo, uint32_t hi, uint64_t *seed) {
    static uint8_t text[TEXT_MAX];
    size_t len;
    uint32_t claimed, n;
    const art_status in = arti_re_length_in(c, s, lo, hi, &claimed);
    if (gave_up_with(in)) return false;
    CHECK(in == ART_OK || in == ART_REJECTED);
    const art_status found = arti_re_witness(c, s, lo, hi, text, sizeof text, &len);
    if (gave_up_with(found)) return false;
    CHECK(found == in);
    if (found != ART_OK) return true;
    CHECK(claimed >= lo && claimed <= hi);
    arti_re_state end = arti_re_run(c, s, text, len);
    if (end == ARTI_RE_FAIL) return !gave_up(c);
    CHECK(end != ARTI_RE_DEAD && arti_re_accepts(c, end));
    CHECK(count(u8, text, len, &n) && n == claimed);
    const art_status random = arti_re_random_witness(c, s, lo, hi, next_random, seed, text, sizeof text, &len);
    if (gave_up_with(random)) return false;
    CHECK(random == ART_OK);
    end = arti_re_run(c, s, text, len);
    if (end == ARTI_RE_FAIL) return !gave_up(c);
    CHECK(end != ARTI_RE_DEAD && arti_re_accepts(c, end));
    CHECK(count(u8, text, len, &n) && n >= claimed && n <= hi);
    return true;
}

static bool check_bytes(arti_re_ctx *c, arti_re_state s, uint8_t u8) {
    arti_re_bytes live, loop;
    if (arti_re_live_bytes(c, s, &live) != ART_OK || arti_re_loop_bytes(c, s, &loop) != ART_OK) return !gave_up(c);
    for (unsigned b = 0; b < 256; b++) {
        const arti_re_state to = arti_re_step(c, s, (uint8_t)b);
        if (to == ARTI_RE_FAIL) return !gave_up(c);
        const bool is_live = live.bits[b / 64] >> (b % 64) & 1, is_loop = loop.bits[b / 64] >> (b % 64) & 1;
        CHECK(is_live == (to != ARTI_RE_DEAD));
        if (u8 == ARTI_U8_0 && b < 128) CHECK(is_loop == (to == s && s != ARTI_RE_DEAD));
        if (b >= 128 && is_loop) {
            /* The smallest and the largest character with this lead byte. */
            for (int large = 0; large < 2; large++) {
                arti_re_state at = to;
                uint8_t left = arti_u8_next(u8, (uint8_t)b);
                while (left != ARTI_U8_0) {
                    int byte = large ? 0xBF : 0x80;
                    while (arti_u8_next(left, (uint8_t)byte) == ARTI_U8_BAD) byte += large ? -1 : 1;
                    at = arti_re_step(c, at, (uint8_t)byte);
                    if (at == ARTI_RE_FAIL) return !gave_up(c);
                    left = arti_u8_next(left, (uint8_t)byte);
                }
                CHECK(at == s);
            }
        }
    }
    return true;
}

static bool check_state(arti_re_ctx *c, arti_re_state s, uint8_t u8, const uint8_t *bounds, uint64_t *seed) {
    arti_re_lengths l;
    const art_status got = arti_re_get_lengths(c, s, &l);
    if (gave_up_with(got)) return false;
    CHECK(got == (s == ARTI_RE_DEAD ? ART_REJECTED : ART_OK));
    if (got == ART_OK) {
        uint32_t n;
        CHECK(l.shortest <= l.longest);
        CHECK((l.shortest == 0) == arti_re_accepts(c, s));
        art_status in = arti_re_length_in(c, s, 0, ARTI_RE_UNBOUNDED, &n);
        if (gave_up_with(in)) return false;
        CHECK(in == ART_OK && n == l.shortest);
        if (l.longest != ARTI_RE_UNBOUNDED) {
            in = arti_re_length_in(c, s, l.longest + 1, ARTI_RE_UNBOUNDED, &n);
            if (gave_up_with(in)) return false;
            CHECK(in == ART_REJECTED);
            if (l.contiguous) CHECK(arti_re_length_in(c, s, l.longest, l.longest, &n) == ART_OK);
        }
    }
    const uint32_t lo = bounds[0] % 32u, hi = bounds[1] > 250 ? ARTI_RE_UNBOUNDED : lo + bounds[1] % 16u;
    return check_witness(c, s, u8, 0, ARTI_RE_UNBOUNDED, seed) && check_witness(c, s, u8, lo, hi, seed) &&
           check_bytes(c, s, u8);
}

static void check(arti_re_ctx *c, arti_re t, const uint8_t *bounds, const uint8_t *text, size_t len) {
    uint64_t seed = len;
    arti_re_state s = arti_re_start(c, t), other = arti_re_start(c, arti_re_not(c, t));
    uint8_t u8 = ARTI_U8_0;
    bool closed = false, universal = false;
    for (size_t i = 0;; i++) {
        if (s == ARTI_RE_FAIL || other == ARTI_RE_FAIL) {
            gave_up(c);
            return;
        }
        if (u8 == ARTI_U8_BAD) {
            CHECK(s == ARTI_RE_DEAD && other == ARTI_RE_DEAD);
            return;
        }
        if (u8 == ARTI_U8_0)
            CHECK(arti_re_accepts(c, s) != arti_re_accepts(c, other));
        else
            CHECK(!arti_re_accepts(c, s) && !arti_re_accepts(c, other));
        if (closed) CHECK(s != ARTI_RE_DEAD);
        if (universal) CHECK(u8 != ARTI_U8_0 || arti_re_accepts(c, s));
        closed = closed || arti_re_is_closed(c, s);
        universal = universal || arti_re_is_universal(c, s);
        if (i < 6 || i == len) {
            if (!check_state(c, s, u8, bounds, &seed)) return;
        }
        if (i == len) return;
        u8 = arti_u8_next(u8, text[i]);
        s = arti_re_step(c, s, text[i]);
        other = arti_re_step(c, other, text[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    const uint8_t *pattern = data + 3, *end = memchr(pattern, 0, size - 3);
    const size_t pattern_len = end ? (size_t)(end - pattern) : size - 3;
    const uint8_t *text = end ? end + 1 : pattern + pattern_len;
    arti_mem mem;
    arti_re_ctx *c;
    arti_re t = ARTI_RE_FAIL;
    arti_mem_init(&mem, NULL, (size_t)8 << 20);
    if (arti_re_ctx_new(&mem, &c, NULL) != ART_OK) return 0;
    if (data[0] < 236) {
        t = arti_re_pattern(c, (const char *)pattern, pattern_len);
    } else {
        const char *name = names[(data[0] - 236u) % (sizeof names / sizeof *names)];
        arti_re plain;
        CHECK(arti_format(c, name, strlen(name), &t, &plain, NULL) == ART_OK);
        if (data[1] & 1u) t = plain;
    }
    if (t == ARTI_RE_FAIL) {
        art_error err;
        arti_re_error(c, &err);
        CHECK(err.code == ART_E_PATTERN || err.code == ART_E_UNSUPPORTED || err.code == ART_E_LIMIT);
        CHECK(err.pos <= pattern_len);
    } else {
        check(c, t, data + 1, text, (size_t)(data + size - text));
    }
    arti_re_ctx_free(c);
    CHECK(mem.used == 0);
    return 0;
}
