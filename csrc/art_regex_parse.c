/* SPDX-License-Identifier: Apache-2.0
 *
 * ECMA 262 patterns (flag `u`) to terms: one pass, an explicit stack of groups.
 *
 * Captures do not matter and lazy quantifiers have the language of greedy ones. Beyond the grammar of `u` this accepts
 * what schemas in the wild contain and Annex B gives a meaning: escapes of characters that need none (but not of
 * letters and digits, which stand for something else in other dialects), lone `]`, `{` and `}`, quantified lookaheads,
 * and `-` next to a class escape. */
#include "art_regex_impl.h"
#include "art_unicode.h"

typedef enum group_kind { PLAIN, AHEAD, AHEAD_NOT, BEHIND, BEHIND_NOT } group_kind;

typedef struct group { /* items[alts .. seq) are finished alternatives, items[seq ..] is the one being read */
    group_kind kind;
    size_t pos, alts, seq;
} group;

typedef struct parser {
    arti_re_ctx *c;
    const uint8_t *s;
    size_t len, at;
    size_t n_groups; /* capturing ones, in the whole pattern */
    bool can_repeat; /* the last item takes a quantifier */
    size_t depth;
    group stack[ARTI_RE_NESTING_MAX + 1];
} parser;

typedef enum unit { UNIT_CHAR, UNIT_SET, UNIT_BOUNDARY, UNIT_NOT_BOUNDARY, UNIT_BAD } unit;

static const arti_re_range digits[] = {{'0', '9'}};
static const arti_re_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const arti_re_range spaces[] = {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                       {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                       {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
static const arti_re_range line_ends[] = {{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}};

static bool refuse(parser *p, art_status code, size_t pos, const char *why) {
    re_refuse(p->c, code, pos, "pattern: %s", why);
    return false;
}

static bool bad(parser *p, size_t pos, const char *why) {
    return refuse(p, ART_E_PATTERN, pos, why);
}

static bool next_is(const parser *p, char ch) {
    return p->at < p->len && p->s[p->at] == (uint8_t)ch;
}

static bool next_are(const parser *p, const char *text) {
    const size_t n = strlen(text);
    return p->len - p->at >= n && memcmp(p->s + p->at, text, n) == 0;
}

static bool take(parser *p, const char *text) {
    if (!next_are(p, text)) return false;
    p->at += strlen(text);
    return true;
}

static bool push(parser *p, arti_re t, bool can_repeat) {
    p->can_repeat = can_repeat;
    return t != ARTI_RE_FAIL && re_push(p->c, &p->c->items, t);
}

/* ------------------------------------------------------------------ characters and escapes */

/* Adds sorted ranges, or the gaps between them, to the class being made. */
static bool add_ranges(parser *p, const arti_re_range *r, size_t n, bool negated) {
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (!negated && !re_ranges_add(p->c, r[i].lo, r[i].hi)) return false;
        if (negated && r[i].lo > from && !re_ranges_add(p->c, from, r[i].lo - 1)) return false;
        from = r[i].hi + 1;
    }
    return !negated || re_ranges_add(p->c, from, RE_CODE_POINT_MAX);
}

static bool add_property(parser *p, arti_unicode_set set, bool negated) {
    uint32_t from = 0, lo, hi;
    while (arti_unicode_next(&set, &lo, &hi)) {
        if (!negated && !re_ranges_add(p->c, lo, hi)) return false;
        if (negated && lo > from && !re_ranges_add(p->c, from, lo - 1)) return false;
        from = hi + 1;
    }
    return !negated || from > RE_CODE_POINT_MAX || re_ranges_add(p->c, from, RE_CODE_POINT_MAX);
}

static arti_re set_term(parser *p, const arti_re_range *r, size_t n, bool negated) {
    re_ranges_reset(p->c);
    return add_ranges(p, r, n, negated) ? re_ranges_finish(p->c) : ARTI_RE_FAIL;
}

static int hex_digit(uint8_t ch) {
    if (ch >= '0' && ch <= '9') return ch - '0';
    if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F') return ch - 'A' + 10;
    return -1;
}

/* Exactly n hexadecimal digits at p->at. */
static bool take_hex(parser *p, size_t n, uint32_t *out) {
    uint32_t v = 0;
    if (p->len - p->at < n) return false;
    for (size_t i = 0; i < n; i++) {
        const int d = hex_digit(p->s[p->at + i]);
        if (d < 0) return false;
        v = v << 4 | (uint32_t)d;
    }
    p->at += n;
    *out = v;
    return true;
}

/* After `\u`. */
static unit take_unicode_escape(parser *p, size_t pos, uint32_t *cp) {
    if (take(p, "{")) {
        uint32_t v = 0;
        const size_t first = p->at;
        for (int d; p->at < p->len && (d = hex_digit(p->s[p->at])) >= 0; p->at++) {
            v = v << 4 | (uint32_t)d;
            if (v > RE_CODE_POINT_MAX) return bad(p, pos, "\\u{...} is above 10FFFF"), UNIT_BAD;
        }
        if (p->at == first || !take(p, "}")) return bad(p, pos, "\\u{...} needs hexadecimal digits"), UNIT_BAD;
        *cp = v;
        return UNIT_CHAR;
    }
    if (!take_hex(p, 4, cp)) return bad(p, pos, "\\u needs four hexadecimal digits"), UNIT_BAD;
    if (*cp >= 0xD800u && *cp <= 0xDBFFu && next_are(p, "\\u")) {
        const size_t back = p->at;
        uint32_t low;
        p->at += 2;
        if (take_hex(p, 4, &low) && low >= 0xDC00u && low <= 0xDFFFu)
            *cp = 0x10000u + ((*cp - 0xD800u) << 10) + (low - 0xDC00u);
        else
            p->at = back;
    }
    return UNIT_CHAR;
}

/* After `\p` or `\P`. */
static unit take_property(parser *p, size_t pos, bool negated) {
    if (!take(p, "{")) return bad(p, pos, "\\p needs a property in braces"), UNIT_BAD;
    const size_t first = p->at;
    size_t equals = 0, end;
    while (p->at < p->len && p->s[p->at] != '}') {
        if (p->s[p->at] == '=' && !equals) equals = p->at;
        p->at++;
    }
    end = p->at;
    if (!take(p, "}")) return bad(p, pos, "\\p{...} is not closed"), UNIT_BAD;
    const char *name = (const char *)p->s + first;
    arti_unicode_set set;
    bool found;
    if (equals) {
        const size_t n = equals - first;
        const char *value = (const char *)p->s + equals + 1;
        const size_t value_len = end - equals - 1;
#define NAMED(text) (n == sizeof text - 1 && memcmp(name, text, n) == 0)
        if (NAMED("General_Category") || NAMED("gc"))
            found = arti_unicode_find(ARTI_UNICODE_CATEGORY, value, value_len, &set);
        else if (NAMED("Script") || NAMED("sc"))
            found = arti_unicode_find(ARTI_UNICODE_SCRIPT, value, value_len, &set);
        else if (NAMED("Script_Extensions") || NAMED("scx"))
            found = arti_unicode_find(ARTI_UNICODE_SCRIPT_EXTENSIONS, value, value_len, &set);
        else
            found = false;
#undef NAMED
    } else {
        found = arti_unicode_find(ARTI_UNICODE_CATEGORY, name, end - first, &set) ||
                arti_unicode_find(ARTI_UNICODE_BINARY, name, end - first, &set);
    }
    if (!found) return bad(p, pos, "unknown property in \\p{...}"), UNIT_BAD;
    return add_property(p, set, negated) ? UNIT_SET : UNIT_BAD;
}

/* The escape whose backslash is at p->at. A set goes into the class being made. */
static unit take_escape(parser *p, bool in_class, uint32_t *cp) {
    const size_t pos = p->at++;
    if (p->at == p->len) return bad(p, pos, "\\ at the end"), UNIT_BAD;
    const uint8_t ch = p->s[p->at];
    if (ch >= 0x80u) {
        const size_t n = re_decode(p->s + p->at, p->len - p->at, cp);
        if (n == 0) return bad(p, p->at, "not UTF-8"), UNIT_BAD;
        p->at += n;
        return UNIT_CHAR;
    }
    p->at++;
    switch (ch) {
    case 'd': return add_ranges(p, digits, 1, false) ? UNIT_SET : UNIT_BAD;
    case 'D': return add_ranges(p, digits, 1, true) ? UNIT_SET : UNIT_BAD;
    case 'w': return add_ranges(p, words, 4, false) ? UNIT_SET : UNIT_BAD;
    case 'W': return add_ranges(p, words, 4, true) ? UNIT_SET : UNIT_BAD;
    case 's': return add_ranges(p, spaces, sizeof spaces / sizeof *spaces, false) ? UNIT_SET : UNIT_BAD;
    case 'S': return add_ranges(p, spaces, sizeof spaces / sizeof *spaces, true) ? UNIT_SET : UNIT_BAD;
    case 'p': return take_property(p, pos, false);
    case 'P': return take_property(p, pos, true);
    case 'u': return take_unicode_escape(p, pos, cp);
    case 't': *cp = '\t'; return UNIT_CHAR;
    case 'n': *cp = '\n'; return UNIT_CHAR;
    case 'v': *cp = '\v'; return UNIT_CHAR;
    case 'f': *cp = '\f'; return UNIT_CHAR;
    case 'r': *cp = '\r'; return UNIT_CHAR;
    case 'x':
        if (!take_hex(p, 2, cp)) return bad(p, pos, "\\x needs two hexadecimal digits"), UNIT_BAD;
        return UNIT_CHAR;
    case 'c':
        if (p->at < p->len && ((p->s[p->at] | 0x20) >= 'a' && (p->s[p->at] | 0x20) <= 'z')) {
            *cp = p->s[p->at++] & 0x1Fu;
            return UNIT_CHAR;
        }
        return bad(p, pos, "\\c needs a letter"), UNIT_BAD;
    case 'b':
        if (!in_class) return UNIT_BOUNDARY;
        *cp = '\b';
        return UNIT_CHAR;
    case 'B':
        if (!in_class) return UNIT_NOT_BOUNDARY;
        return bad(p, pos, "\\B in a character class"), UNIT_BAD;
    case '0':
        if (p->at < p->len && p->s[p->at] >= '0' && p->s[p->at] <= '9') return bad(p, pos, "octal escape"), UNIT_BAD;
        *cp = 0;
        return UNIT_CHAR;
    case 'k':
        if (!in_class && next_is(p, '<'))
            return refuse(p, ART_E_UNSUPPORTED, pos, "a back-reference is no regular language"), UNIT_BAD;
        return bad(p, pos, "\\k needs a group name"), UNIT_BAD;
    case 'A':
    case 'Z':
    case 'z': return bad(p, pos, "\\A, \\Z and \\z are not ECMA 262; use ^ and $"), UNIT_BAD;
    default: break;
    }
    if (ch >= '1' && ch <= '9') {
        size_t n = ch - '0';
        while (p->at < p->len && p->s[p->at] >= '0' && p->s[p->at] <= '9' && n <= ARTI_RE_PATTERN_BYTES_MAX)
            n = n * 10 + (p->s[p->at++] - '0');
        if (!in_class && n <= p->n_groups)
            return refuse(p, ART_E_UNSUPPORTED, pos, "a back-reference is no regular language"), UNIT_BAD;
        return bad(p, pos,
                   in_class ? "a digit is escaped in a character class"
                            : "back-reference to a group that does not exist"),
               UNIT_BAD;
    }
    if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'))
        return bad(p, pos, "this escape is not ECMA 262"), UNIT_BAD;
    *cp = ch;
    return UNIT_CHAR;
}

/* A character or an escape. */
static unit take_unit(parser *p, bool in_class, uint32_t *cp) {
    if (p->s[p->at] == '\\') return take_escape(p, in_class, cp);
    const size_t n = re_decode(p->s + p->at, p->len - p->at, cp);
    if (n == 0) return bad(p, p->at, "not UTF-8"), UNIT_BAD;
    p->at += n;
    return UNIT_CHAR;
}

/* The class whose bracket is at p->at. */
static bool take_class(parser *p) {
    const size_t open = p->at++;
    const bool negated = take(p, "^");
    re_ranges_reset(p->c);
    for (;;) {
        if (p->at == p->len) return bad(p, open, "character class is not closed");
        if (take(p, "]")) break;
        const size_t pos = p->at;
        uint32_t lo, hi;
        const unit first = take_unit(p, true, &lo);
        if (first == UNIT_BAD) return false;
        const bool range = next_is(p, '-') && p->at + 1 < p->len && p->s[p->at + 1] != ']';
        if (!range) {
            if (first == UNIT_CHAR && !re_ranges_add(p->c, lo, lo)) return false;
            continue;
        }
        p->at++;
        const unit second = take_unit(p, true, &hi);
        if (second == UNIT_BAD) return false;
        if (first == UNIT_CHAR && second == UNIT_CHAR) {
            if (lo > hi) return bad(p, pos, "range in a character class is out of order");
            if (!re_ranges_add(p->c, lo, hi)) return false;
        } else { /* Annex B: both, and a hyphen */
            if (!re_ranges_add(p->c, '-', '-')) return false;
            if (first == UNIT_CHAR && !re_ranges_add(p->c, lo, lo)) return false;
            if (second == UNIT_CHAR && !re_ranges_add(p->c, hi, hi)) return false;
        }
    }
    if (negated && !re_ranges_invert(p->c)) return false;
    return push(p, re_ranges_finish(p->c), true);
}

/* ------------------------------------------------------------------ assertions */

/* \b: a word character on one side only. */
static arti_re boundary(parser *p, bool negated) {
    arti_re_ctx *c = p->c;
    const arti_re w = set_term(p, words, 4, false);
    if (w == ARTI_RE_FAIL) return w;
    const arti_re before = re_concat(c, ARTI_RE_ANY, w), after = re_concat(c, w, ARTI_RE_ANY);
    if (before == ARTI_RE_FAIL || after == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    const arti_re was = re_behind(c, before), was_not = re_behind(c, re_not(c, before));
    const arti_re is = re_ahead(c, after), is_not = re_ahead(c, re_not(c, after));
    return re_or2(c, re_concat(c, was, negated ? is : is_not), re_concat(c, was_not, negated ? is_not : is));
}

/* ------------------------------------------------------------------ sequences and groups */

/* items[from ..] as one concatenation. */
static arti_re fold_sequence(parser *p, size_t from) {
    re_vec *items = &p->c->items;
    arti_re t = ARTI_RE_EMPTY;
    while (items->n > from && t != ARTI_RE_FAIL) t = re_concat(p->c, items->at[--items->n], t);
    return t;
}

static bool end_alternative(parser *p) {
    group *g = &p->stack[p->depth];
    const arti_re t = fold_sequence(p, g->seq);
    if (t == ARTI_RE_FAIL || !re_push(p->c, &p->c->items, t)) return false;
    g->seq++;
    p->can_repeat = false;
    return true;
}

static bool copy_to_tmp(arti_re_ctx *c, size_t from) {
    for (size_t i = from; i < c->items.n; i++)
        if (!re_push(c, &c->tmp, c->items.at[i])) return false;
    return true;
}

static bool in_set(arti_unicode_set set, uint32_t cp) {
    for (uint32_t lo, hi; arti_unicode_next(&set, &lo, &hi) && lo <= cp;)
        if (cp <= hi) return true;
    return false;
}

/* `<name>` at p->at. No two groups may have the same name. */
static bool take_group_name(parser *p) {
    const size_t first = ++p->at;
    arti_unicode_set start, rest;
    if (!arti_unicode_find(ARTI_UNICODE_BINARY, "ID_Start", 8, &start) ||
        !arti_unicode_find(ARTI_UNICODE_BINARY, "ID_Continue", 11, &rest))
        return false;
    for (;;) {
        uint32_t cp;
        const size_t pos = p->at;
        if (pos == p->len) return bad(p, first, "group name is not closed");
        if (p->s[pos] == '>') break;
        if (next_are(p, "\\u")) {
            p->at += 2;
            if (take_unicode_escape(p, pos, &cp) == UNIT_BAD) return false;
        } else {
            const size_t n = re_decode(p->s + pos, p->len - pos, &cp);
            if (n == 0) return bad(p, pos, "not UTF-8");
            p->at += n;
        }
        const bool joiner = cp == 0x200Cu || cp == 0x200Du;
        if (cp != '_' && cp != '$' && !(pos > first && joiner) && !in_set(pos == first ? start : rest, cp))
            return bad(p, pos, "group name with a character that names do not have");
    }
    const size_t n = p->at - first;
    if (n == 0) return bad(p, first, "group without a name");
    for (size_t i = 0; i + n + 4 <= first - 1; i++) { /* earlier `(?<name>` */
        if (p->s[i] == '\\') {
            i++;
        } else if (p->s[i] == '(' && memcmp(p->s + i, "(?<", 3) == 0 &&
                   memcmp(p->s + i + 3, p->s + first, n + 1) == 0) {
            return bad(p, first, "two groups have this name");
        }
    }
    if (!re_spend(p->c, (uint32_t)(first / 16))) return false;
    p->at++;
    return true;
}

static bool open_group(parser *p) {
    const size_t pos = p->at++;
    group_kind kind = PLAIN;
    if (take(p, "?")) {
        if (take(p, ":"))
            kind = PLAIN;
        else if (take(p, "="))
            kind = AHEAD;
        else if (take(p, "!"))
            kind = AHEAD_NOT;
        else if (take(p, "<="))
            kind = BEHIND;
        else if (take(p, "<!"))
            kind = BEHIND_NOT;
        else if (next_is(p, '<')) {
            if (!take_group_name(p)) return false;
        } else {
            return bad(p, pos, "this kind of group is not ECMA 262");
        }
    }
    if (p->depth == ARTI_RE_NESTING_MAX) {
        re_refuse(p->c, ART_E_LIMIT, pos, "pattern: more than %u groups within each other (ARTI_RE_NESTING_MAX)",
                  ARTI_RE_NESTING_MAX);
        return false;
    }
    const size_t n = p->c->items.n;
    p->stack[++p->depth] = (group){.kind = kind, .pos = pos, .alts = n, .seq = n};
    p->can_repeat = false;
    return true;
}

static bool close_group(parser *p) {
    arti_re_ctx *c = p->c;
    if (p->depth == 0) return bad(p, p->at, "unmatched )");
    if (!end_alternative(p)) return false;
    p->at++;
    const group g = p->stack[p->depth--];
    const size_t base = c->tmp.n;
    if (!copy_to_tmp(c, g.alts)) return false;
    c->items.n = g.alts;
    arti_re t = re_or(c, base);
    if (t == ARTI_RE_FAIL) return false;
    switch (g.kind) {
    case PLAIN: return push(p, t, true);
    case AHEAD:
    case AHEAD_NOT:
        t = re_close_end(c, re_concat(c, t, ARTI_RE_ANY));
        return push(p, re_ahead(c, g.kind == AHEAD ? t : re_not(c, t)), true);
    case BEHIND:
    case BEHIND_NOT:
        if (c->nodes[t].flags & RE_HAS_AHEAD)
            return refuse(p, ART_E_UNSUPPORTED, g.pos, "a lookbehind with a lookahead, $ or \\b inside");
        t = re_close(c, re_concat(c, ARTI_RE_ANY, t));
        return push(p, re_behind(c, g.kind == BEHIND ? t : re_not(c, t)), false);
    }
    return false;
}

/* ------------------------------------------------------------------ quantifiers */

/* Digits at *at; values above ARTI_RE_REPEAT_MAX become one more than it. */
static bool take_count(const parser *p, size_t *at, uint32_t *out) {
    const size_t first = *at;
    uint32_t v = 0;
    for (; *at < p->len && p->s[*at] >= '0' && p->s[*at] <= '9'; ++*at) {
        v = v * 10 + (p->s[*at] - (uint32_t)'0');
        if (v > ARTI_RE_REPEAT_MAX) v = ARTI_RE_REPEAT_MAX + 1;
    }
    *out = v;
    return *at > first;
}

/* {n}, {n,} or {n,m} at p->at; anything else is no quantifier. */
static bool take_braces(parser *p, uint32_t *min, uint32_t *max) {
    size_t at = p->at + 1;
    if (!take_count(p, &at, min)) return false;
    *max = *min;
    if (at < p->len && p->s[at] == ',') {
        at++;
        if (!take_count(p, &at, max)) *max = ARTI_RE_UNBOUNDED;
    }
    if (at == p->len || p->s[at] != '}') return false;
    p->at = at + 1;
    return true;
}

/* *taken tells whether there is a quantifier at p->at. */
static bool take_quantifier(parser *p, bool *taken) {
    arti_re_ctx *c = p->c;
    const size_t pos = p->at;
    uint32_t min = 0, max = ARTI_RE_UNBOUNDED;
    *taken = true;
    switch (p->s[pos]) {
    case '*': p->at++; break;
    case '+': p->at++, min = 1; break;
    case '?': p->at++, max = 1; break;
    case '{':
        if (take_braces(p, &min, &max)) break;
        *taken = false;
        return true;
    default: *taken = false; return true;
    }
    if (!p->can_repeat) return bad(p, pos, "nothing to repeat");
    if (min > max) return bad(p, pos, "numbers out of order in a quantifier");
    if (min > ARTI_RE_REPEAT_MAX || (max > ARTI_RE_REPEAT_MAX && max != ARTI_RE_UNBOUNDED)) {
        re_refuse(c, ART_E_LIMIT, pos, "pattern: more than %u repetitions (ARTI_RE_REPEAT_MAX)", ARTI_RE_REPEAT_MAX);
        return false;
    }
    take(p, "?"); /* lazy: the same language */
    const arti_re t = re_loop(c, c->items.at[c->items.n - 1], min, max);
    if (t == ARTI_RE_FAIL) {
        if (c->err.code == ART_E_LIMIT) c->err.pos = pos;
        return false;
    }
    c->items.at[c->items.n - 1] = t;
    p->can_repeat = false;
    return true;
}

/* ------------------------------------------------------------------ patterns */

/* Capturing groups of the whole pattern: those that a back-reference may name. */
static size_t count_groups(const parser *p) {
    size_t n = 0;
    bool in_class = false;
    for (size_t i = 0; i < p->len; i++) {
        const uint8_t ch = p->s[i];
        if (ch == '\\')
            i++;
        else if (in_class)
            in_class = ch != ']';
        else if (ch == '[')
            in_class = true;
        else if (ch == '(')
            n += i + 1 == p->len || p->s[i + 1] != '?' ||
                 (p->len - i > 3 && p->s[i + 2] == '<' && p->s[i + 3] != '=' && p->s[i + 3] != '!');
    }
    return n;
}

static bool take_term(parser *p) {
    arti_re_ctx *c = p->c;
    bool quantified;
    uint32_t cp;
    if (!take_quantifier(p, &quantified)) return false;
    if (quantified) return true;
    switch (p->s[p->at]) {
    case '|': p->at++; return end_alternative(p);
    case '(': return open_group(p);
    case ')': return close_group(p);
    case '[': return take_class(p);
    case '^': p->at++; return push(p, re_behind(c, ARTI_RE_EMPTY), false);
    case '$': p->at++; return push(p, re_ahead(c, ARTI_RE_EMPTY), false);
    case '.': p->at++; return push(p, set_term(p, line_ends, sizeof line_ends / sizeof *line_ends, true), true);
    default: break;
    }
    re_ranges_reset(c);
    switch (take_unit(p, false, &cp)) {
    case UNIT_CHAR: return re_ranges_add(c, cp, cp) && push(p, re_ranges_finish(c), true);
    case UNIT_SET: return push(p, re_ranges_finish(c), true);
    case UNIT_BOUNDARY: return push(p, boundary(p, false), false);
    case UNIT_NOT_BOUNDARY: return push(p, boundary(p, true), false);
    case UNIT_BAD: break;
    }
    return false;
}

/* The texts that contain a match of one of the alternatives items[0 ..]. */
static arti_re search(parser *p) {
    arti_re_ctx *c = p->c;
    c->tmp.n = 0;
    /* An alternation with lookarounds is taken apart, so that its anchors meet the ends of the text. */
    for (size_t i = 0; i < c->items.n; i++) {
        const re_node *x = &c->nodes[c->items.at[i]];
        if (x->kind != RE_OR || !(x->flags & RE_LOOKS)) continue;
        const uint32_t n = x->b, *kids = x->kids;
        c->items.at[i] = kids[0];
        for (uint32_t k = 1; k < n; k++)
            if (!re_push(c, &c->items, kids[k])) return ARTI_RE_FAIL;
    }
    for (size_t i = 0; i < c->items.n; i++) {
        const arti_re t = re_close(c, re_concat(c, ARTI_RE_ANY, re_concat(c, c->items.at[i], ARTI_RE_ANY)));
        if (t == ARTI_RE_FAIL || !re_push(c, &c->tmp, t)) return ARTI_RE_FAIL;
    }
    return re_or(c, 0);
}

arti_re arti_re_pattern(arti_re_ctx *c, const char *pattern, size_t len) {
    parser p = {.c = c, .s = (const uint8_t *)pattern, .len = len};
    re_begin(c);
    c->tmp.n = c->keys.n = c->items.n = 0;
    if (len > ARTI_RE_PATTERN_BYTES_MAX)
        return re_refuse(c, ART_E_LIMIT, 0, "pattern of more than %u bytes (ARTI_RE_PATTERN_BYTES_MAX)",
                         ARTI_RE_PATTERN_BYTES_MAX);
    p.n_groups = count_groups(&p);
    p.stack[0] = (group){.kind = PLAIN};
    while (p.at < len)
        if (!take_term(&p)) return ARTI_RE_FAIL;
    if (p.depth > 0) return bad(&p, p.stack[p.depth].pos, "group is not closed"), ARTI_RE_FAIL;
    return end_alternative(&p) ? search(&p) : ARTI_RE_FAIL;
}
