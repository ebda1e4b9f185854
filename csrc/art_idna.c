/* SPDX-License-Identifier: Apache-2.0 */
#include "art_idna.h"

#include "art_unicode.h"
#include "art_utf8.h"

#include <stdbool.h>
#include <string.h>

#define LABEL_MAX 63u
#define PREFIX_LEN 4u /* of "xn--" */

/* ------------------------------------------------------------------ Punycode */

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 0x80 };

static uint32_t adapt(uint32_t delta, uint32_t n_points, bool is_first) {
    delta = is_first ? delta / DAMP : delta / 2;
    delta += delta / n_points;
    uint32_t k = 0;
    for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE) delta /= BASE - T_MIN;
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias) {
    return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

static uint32_t digit_of(uint8_t c) { /* lower case; BASE: none */
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a');
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 26u;
    return BASE;
}

/* Code points of the text that `in` (lower case, at most LABEL_MAX bytes) encodes; 0: none. */
static uint32_t decode(const uint8_t *in, size_t len, uint32_t out[LABEL_MAX]) {
    size_t at = len;
    while (at > 0 && in[at - 1] != '-') at--; /* behind the last delimiter */
    uint32_t n_out = 0;
    if (at > 1)
        for (; n_out + 1 < at; n_out++) out[n_out] = in[n_out];
    else
        at = 0;
    uint32_t n = FIRST_N, bias = FIRST_BIAS, i = 0;
    while (at < len) {
        const uint32_t before = i;
        uint32_t weight = 1;
        for (uint32_t k = BASE;; k += BASE) {
            const uint32_t digit = at < len ? digit_of(in[at++]) : BASE;
            if (digit == BASE || digit > (UINT32_MAX - i) / weight) return 0;
            i += digit * weight;
            const uint32_t t = threshold(k, bias);
            if (digit < t) break;
            if (weight > UINT32_MAX / (BASE - t)) return 0;
            weight *= BASE - t;
        }
        bias = adapt(i - before, n_out + 1, before == 0);
        if (i / (n_out + 1) > 0x10FFFFu - n || n_out == LABEL_MAX) return 0;
        n += i / (n_out + 1);
        if (n >= 0xD800u && n < 0xE000u) return 0;
        i %= n_out + 1;
        memmove(out + i + 1, out + i, (n_out - i) * sizeof *out);
        out[i++] = n;
        n_out++;
    }
    return n_out;
}

/* Punycode of a text; its length, or LABEL_MAX + 1 when it is longer than that. */
static size_t encode(const uint32_t *in, uint32_t n_in, uint8_t out[LABEL_MAX]) {
    size_t len = 0;
    for (uint32_t i = 0; i < n_in; i++)
        if (in[i] < FIRST_N) {
            if (len == LABEL_MAX) return LABEL_MAX + 1;
            out[len++] = (uint8_t)in[i];
        }
    uint32_t done = (uint32_t)len, n = FIRST_N, bias = FIRST_BIAS, delta = 0;
    const uint32_t n_basic = done;
    if (n_basic) {
        if (len == LABEL_MAX) return LABEL_MAX + 1;
        out[len++] = '-';
    }
    while (done < n_in) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 0; i < n_in; i++)
            if (in[i] >= n && in[i] < next) next = in[i];
        delta += (next - n) * (done + 1); /* at most 0x10FFFF * 64 in all */
        n = next;
        for (uint32_t i = 0; i < n_in; i++) {
            if (in[i] < n) delta++;
            if (in[i] != n) continue;
            uint32_t q = delta;
            for (uint32_t k = BASE;; k += BASE) {
                const uint32_t t = threshold(k, bias);
                const uint32_t digit = q < t ? q : t + (q - t) % (BASE - t);
                if (len == LABEL_MAX) return LABEL_MAX + 1;
                out[len++] = (uint8_t)(digit < 26 ? 'a' + digit : '0' + digit - 26);
                if (q < t) break;
                q = (q - t) / (BASE - t);
            }
            bias = adapt(delta, done + 1, done == n_basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    return len;
}

/* ------------------------------------------------------------------ normalisation */

/* Is this text in NFC, if its characters are PVALID? It is taken apart, its marks are ordered, and it is put together again (UAX #15): whether
 * a mark composes can depend on what the character before is made of. */
static bool is_normal(const uint32_t *in, uint32_t n_in) {
    uint32_t parts[LABEL_MAX * ARTI_UNICODE_PARTS_MAX], n = 0;
    for (uint32_t i = 0; i < n_in; i++) {
        uint32_t seconds[ARTI_UNICODE_PARTS_MAX], n_seconds = 0, one = in[i];
        while (arti_unicode_parts(one, &one, &seconds[n_seconds])) n_seconds++;
        for (;; one = seconds[--n_seconds]) {
            const uint32_t class = arti_unicode_class(one);
            uint32_t at = n++;
            for (; class > 0 && at > 0 && arti_unicode_class(parts[at - 1]) > class; at--) parts[at] = parts[at - 1];
            parts[at] = one;
            if (n_seconds == 0) break;
        }
    }
    uint32_t n_out = 0, starter = UINT32_MAX, before = 0; /* the class of the last part that stayed */
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t one = parts[i], class = arti_unicode_class(one);
        const bool is_next = starter != UINT32_MAX && (starter + 1 == n_out || before < class);
        const uint32_t whole = is_next ? arti_unicode_whole(parts[starter], one) : 0;
        if (whole) {
            parts[starter] = whole;
            continue;
        }
        if (class == 0) starter = n_out;
        before = class;
        parts[n_out++] = one;
    }
    return n_out == n_in && memcmp(parts, in, n_in * sizeof *in) == 0;
}

/* ------------------------------------------------------------------ labels and names */

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_a_label(const uint8_t *s, size_t len) {
    return len >= PREFIX_LEN && lower(s[0]) == 'x' && lower(s[1]) == 'n' && s[2] == '-' && s[3] == '-';
}

/* Writes what an A-label stands for; false: it stands for nothing. */
static bool expand(const uint8_t *label, size_t len, uint8_t *out, size_t *out_len) {
    uint8_t code[LABEL_MAX], again[LABEL_MAX];
    uint32_t points[LABEL_MAX];
    if (len > LABEL_MAX) return false;
    const size_t code_len = len - PREFIX_LEN;
    for (size_t i = 0; i < code_len; i++) code[i] = lower(label[PREFIX_LEN + i]);
    const uint32_t n = decode(code, code_len, points);
    if (n == 0 || encode(points, n, again) != code_len || memcmp(code, again, code_len) != 0) return false;
    bool is_unicode = false;
    for (uint32_t i = 0; i < n; i++) {
        is_unicode |= points[i] >= FIRST_N;
        *out_len += arti_u8_put(out + *out_len, points[i]);
    }
    return is_unicode && is_normal(points, n);
}

/* A label that needs an A-label is in NFC, if that is asked, and the A-label has at most LABEL_MAX octets. */
static bool is_encodable(const uint8_t *label, size_t len, bool normal) {
    uint32_t points[LABEL_MAX], n = 0;
    bool is_unicode = false;
    for (size_t at = 0, size; at < len; at += size) {
        if (n == LABEL_MAX) return false;
        points[n] = arti_u8_get(label + at, &size);
        is_unicode |= points[n++] >= FIRST_N;
    }
    uint8_t code[LABEL_MAX];
    return !is_unicode || ((!normal || is_normal(points, n)) && encode(points, n, code) <= LABEL_MAX - PREFIX_LEN);
}

static bool is_dot(uint32_t cp) { /* RFC 3490, section 3.1 */
    return cp == '.' || cp == 0x3002u || cp == 0xFF0Eu || cp == 0xFF61u;
}

arti_idna arti_idna_expand(const uint8_t *text, size_t len, uint8_t *out, size_t *out_len) {
    size_t begin = len;
    while (begin > 0 && text[begin - 1] != '@') begin--;
    const bool normal = begin == 0;
    *out_len = 0;
    bool expanded = false;
    for (size_t at = begin, size = 0;; at += size) {
        const bool end = at >= len;
        if (!end && !is_dot(arti_u8_get(text + at, &size))) continue;
        if (is_a_label(text + begin, at - begin)) {
            if (!expand(text + begin, at - begin, out, out_len)) return ARTI_IDNA_WRONG;
            expanded = true;
        } else {
            if (!is_encodable(text + begin, at - begin, normal)) return ARTI_IDNA_WRONG;
            memcpy(out + *out_len, text + begin, at - begin);
            *out_len += at - begin;
        }
        if (end) return expanded ? ARTI_IDNA_EXPANDED : ARTI_IDNA_PLAIN;
        out[(*out_len)++] = '.';
        begin = at + size;
    }
}
