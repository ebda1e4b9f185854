/* SPDX-License-Identifier: Apache-2.0
 *
 * Most formats are patterns after the grammar of their RFC, put together from named pieces that need no lookarounds,
 * so that the results are cheap to run. Leap seconds are a machine: which offset makes second 60 right depends on
 * hour and minute, and spelling that out would take hundreds of alternatives. */
#include "art_format.h"
#include "art_idna.h"
#include "art_regex_impl.h"
#include "art_unicode.h"

#include <stdio.h>

/* ------------------------------------------------------------------ dates and times: RFC 3339 */

#define LEAP_YEAR "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
#define DATE                                                                                                           \
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"              \
    "02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define HOUR "(?:[01][0-9]|2[0-3])"
#define MINUTE "[0-5][0-9]"
#define PLAIN_TIME HOUR ":" MINUTE ":" MINUTE "(?:\\.[0-9]+)?(?:[Zz]|[+-]" HOUR ":" MINUTE ")"

/* "hh:mm:60", a fraction, and the offset by which that is 23:59:60 in UTC. A state is a place and a number: digits
 * read so far, the minute of the day, or the offset that must be written. */
enum {
    LEAP_START,
    LEAP_HOUR,   /* tens of the hour */
    LEAP_COLON,  /* hour; ':' */
    LEAP_MINUTE, /* hour */
    LEAP_ONES,   /* hour * 10 + tens of the minute */
    LEAP_COLON2, /* from here to LEAP_DIGITS: minute of the day */
    LEAP_SIX,
    LEAP_ZERO,
    LEAP_END,    /* '.', or the offset */
    LEAP_DIGIT,  /* first digit of the fraction */
    LEAP_DIGITS, /* more, or the offset */
    LEAP_OFFSET, /* from here on: the offset in minutes; five characters of it are to come .. */
    LEAP_DONE = LEAP_OFFSET + 5
};

#define DAY_MINUTES 1440u
#define LAST_MINUTE (DAY_MINUTES - 1)

static uint32_t leap_at(uint32_t place, uint32_t number) {
    return place << 16 | number;
}

static uint32_t leap_end(uint32_t minute, char symbol) {
    switch (symbol) {
    case 'Z':
    case 'z': return minute == LAST_MINUTE ? leap_at(LEAP_DONE, 0) : RE_NIL;
    case '+': /* local time is later than UTC */ return leap_at(LEAP_OFFSET, (minute + 1) % DAY_MINUTES);
    case '-': return leap_at(LEAP_OFFSET, LAST_MINUTE - minute);
    default: return RE_NIL;
    }
}

static uint32_t leap_step(uint32_t state, char symbol) {
    const uint32_t place = state >> 16, n = state & 0xFFFFu;
    const bool is_digit = symbol >= '0' && symbol <= '9';
    const uint32_t digit = is_digit ? (uint32_t)(symbol - '0') : 0;
    switch (place) {
    case LEAP_START: return is_digit && digit <= 2 ? leap_at(LEAP_HOUR, digit) : RE_NIL;
    case LEAP_HOUR: return is_digit && n * 10 + digit < 24 ? leap_at(LEAP_COLON, n * 10 + digit) : RE_NIL;
    case LEAP_COLON: return symbol == ':' ? leap_at(LEAP_MINUTE, n) : RE_NIL;
    case LEAP_MINUTE: return is_digit && digit < 6 ? leap_at(LEAP_ONES, n * 10 + digit) : RE_NIL;
    case LEAP_ONES: return is_digit ? leap_at(LEAP_COLON2, n / 10 * 60 + n % 10 * 10 + digit) : RE_NIL;
    case LEAP_COLON2: return symbol == ':' ? leap_at(LEAP_SIX, n) : RE_NIL;
    case LEAP_SIX: return symbol == '6' ? leap_at(LEAP_ZERO, n) : RE_NIL;
    case LEAP_ZERO: return symbol == '0' ? leap_at(LEAP_END, n) : RE_NIL;
    case LEAP_END: return symbol == '.' ? leap_at(LEAP_DIGIT, n) : leap_end(n, symbol);
    case LEAP_DIGIT: return is_digit ? leap_at(LEAP_DIGITS, n) : RE_NIL;
    case LEAP_DIGITS: return is_digit ? state : leap_end(n, symbol);
    case LEAP_DONE: return RE_NIL;
    default: { /* the offset, character by character */
        char text[8];
        snprintf(text, sizeof text, "%02u:%02u", n / 60 % 24, n % 60);
        return symbol == text[place - LEAP_OFFSET] ? leap_at(place + 1, n) : RE_NIL;
    }
    }
}

static bool leap_accepts(uint32_t state) {
    return state >> 16 == LEAP_DONE;
}

static void leap_lengths(uint32_t state, uint32_t *shortest, uint32_t *longest) {
    const uint32_t place = state >> 16, n = state & 0xFFFFu;
    if (place >= LEAP_OFFSET) {
        *shortest = *longest = LEAP_DONE - place;
        return;
    }
    /* "Z" if 23:59 is still possible, else sign and offset. */
    bool utc = n == LAST_MINUTE;
    if (place == LEAP_START) utc = true;
    if (place == LEAP_HOUR) utc = n == 2;
    if (place == LEAP_COLON || place == LEAP_MINUTE) utc = n == 23;
    if (place == LEAP_ONES) utc = n == 235;
    *shortest = (place <= LEAP_END ? LEAP_END - place : LEAP_DIGITS - place) + (utc ? 1u : 6u);
    *longest = ARTI_RE_UNBOUNDED;
}

static arti_re leap_shape(arti_re_ctx *c, uint32_t state) {
    uint32_t shortest, longest;
    leap_lengths(state, &shortest, &longest);
    if (longest != ARTI_RE_UNBOUNDED) return re_loop(c, RE_ANY_CHAR, shortest, longest);
    /* Up to the end of "hh:mm:60", then with or without a fraction; inside one, more digits; then "Z" or the offset. */
    const uint32_t place = state >> 16, before = place <= LEAP_END ? LEAP_END - place : LEAP_DIGITS - place;
    const uint32_t offset = shortest - before;
    const arti_re digits = re_loop(c, RE_ANY_CHAR, place <= LEAP_END ? 2 : 0, ARTI_RE_UNBOUNDED);
    const arti_re fraction = place <= LEAP_END ? re_or2(c, ARTI_RE_EMPTY, digits) : digits;
    const arti_re end = re_or2(c, re_loop(c, RE_ANY_CHAR, offset, offset), re_loop(c, RE_ANY_CHAR, 6, 6));
    return re_concat(c, re_loop(c, RE_ANY_CHAR, before, before), re_concat(c, fraction, end));
}

/* One of the characters in a list of ranges, each given by its two ends. */
static arti_re one_of(arti_re_ctx *c, const char *ends) {
    re_ranges_reset(c);
    for (; *ends; ends += 2)
        if (!re_ranges_add(c, (uint8_t)ends[0], (uint8_t)ends[1])) return ARTI_RE_FAIL;
    return re_ranges_finish(c);
}

/* The same with any minute of the day and any offset. */
static arti_re leap_cover(arti_re_ctx *c, uint32_t state) {
    static const char *const time[LEAP_END] = {"02", "09", "::", "05", "09", "::", "66", "00"};
    static const char *const offset[] = {"02", "09", "::", "05", "09"};
    const uint32_t place = state >> 16, read = place < LEAP_OFFSET ? 0 : place - LEAP_OFFSET;
    arti_re rest = ARTI_RE_EMPTY;
    for (uint32_t i = LEAP_DONE - LEAP_OFFSET; i-- > read;) rest = re_concat(c, one_of(c, offset[i]), rest);
    if (place >= LEAP_OFFSET) return rest;
    rest = re_or2(c, one_of(c, "ZZzz"), re_concat(c, one_of(c, "++--"), rest));
    const arti_re digit = one_of(c, "09");
    if (place == LEAP_DIGITS) return re_concat(c, re_loop(c, digit, 0, ARTI_RE_UNBOUNDED), rest);
    const arti_re digits = re_loop(c, digit, 1, ARTI_RE_UNBOUNDED);
    if (place == LEAP_DIGIT) return re_concat(c, digits, rest);
    rest = re_concat(c, re_or2(c, ARTI_RE_EMPTY, re_concat(c, one_of(c, ".."), digits)), rest);
    for (uint32_t i = LEAP_END; i-- > place;) rest = re_concat(c, one_of(c, time[i]), rest);
    return rest;
}

static const re_machine leap_second = {"0123456789:.+-Zz", leap_step,  leap_accepts,
                                       leap_lengths,       leap_shape, leap_cover};

#define SECONDS "[0-9]+S"
#define MINUTES "[0-9]+M(?:" SECONDS ")?"
#define HOURS "[0-9]+H(?:" MINUTES ")?"
#define DUR_TIME "T(?:" HOURS "|" MINUTES "|" SECONDS ")"
#define DAYS "[0-9]+D"
#define MONTHS "[0-9]+M(?:" DAYS ")?"
#define YEARS "[0-9]+Y(?:" MONTHS ")?"
#define DURATION "P(?:(?:" YEARS "|" MONTHS "|" DAYS ")(?:" DUR_TIME ")?|" DUR_TIME "|[0-9]+W)"

/* ------------------------------------------------------------------ addresses: RFC 2673, 4291, 3986 */

#define HEX "[0-9A-Fa-f]"
#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IPV4 OCTET "(?:\\." OCTET "){3}"
#define H16 HEX "{1,4}"
#define LS32 "(?:" H16 ":" H16 "|" IPV4 ")"
#define IPV6                                                                                                           \
    "(?:(?:" H16 ":){6}" LS32 "|::(?:" H16 ":){5}" LS32 "|(?:" H16 ")?::(?:" H16 ":){4}" LS32 "|(?:(?:" H16            \
    ":){0,1}" H16 ")?::(?:" H16 ":){3}" LS32 "|(?:(?:" H16 ":){0,2}" H16 ")?::(?:" H16 ":){2}" LS32 "|(?:(?:" H16      \
    ":){0,3}" H16 ")?::" H16 ":" LS32 "|(?:(?:" H16 ":){0,4}" H16 ")?::" LS32 "|(?:(?:" H16 ":){0,5}" H16 ")?::" H16   \
    "|(?:(?:" H16 ":){0,6}" H16 ")?::)"
#define UUID HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}"

/* ------------------------------------------------------------------ URI and IRI: RFC 3986, 3987 */

#define UCS                                                                                                            \
    "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF\\u{10000}-\\u{1FFFD}\\u{20000}-\\u{2FFFD}\\u{30000}-\\u{3FFFD}"     \
    "\\u{40000}-\\u{4FFFD}\\u{50000}-\\u{5FFFD}\\u{60000}-\\u{6FFFD}\\u{70000}-\\u{7FFFD}\\u{80000}-\\u{8FFFD}"        \
    "\\u{90000}-\\u{9FFFD}\\u{A0000}-\\u{AFFFD}\\u{B0000}-\\u{BFFFD}\\u{C0000}-\\u{CFFFD}\\u{D0000}-\\u{DFFFD}"        \
    "\\u{E1000}-\\u{EFFFD}"
#define PRIVATE "\\uE000-\\uF8FF\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}"
#define PCT "%" HEX "{2}"
#define SUB "!$&'()*+,;="
#define SCHEME "[A-Za-z][A-Za-z0-9+.-]*"

/* RFC 6570 */
#define TEMPLATE_VARNAME "(?:[A-Za-z0-9_]|" PCT ")(?:\\.?(?:[A-Za-z0-9_]|" PCT "))*"
#define TEMPLATE_VAR TEMPLATE_VARNAME "(?::[1-9][0-9]{0,3}|\\*)?"
#define TEMPLATE                                                                                                       \
    "(?:[!#$&'(-;=?-\\[\\]_a-z~" UCS PRIVATE "]|" PCT "|\\{[+#./;?&=,!@|]?" TEMPLATE_VAR "(?:," TEMPLATE_VAR ")*\\})*"

/* RFC 6901, draft-handrews-relative-json-pointer */
#define POINTER "(?:/(?:[^~/]|~[01])*)*"
#define RELATIVE_POINTER "(?:0|[1-9][0-9]*)(?:#|" POINTER ")"

/* ------------------------------------------------------------------ host names and mail: RFC 1123, 5321, 5890 */

#define AN "[A-Za-z0-9]"
#define LDH "[A-Za-z0-9-]"
#define HOST_LABEL AN "(?:" LDH "{0,61}" AN ")?"
/* The same without those that begin with "xn--"; as a pattern, because languages that are complements are slower to run. */
#define PLAIN_LABEL                                                                                                    \
    "(?:[A-WYZa-wyz0-9](?:" LDH "{0,61}" AN ")?|[Xx](?:[A-MO-Za-mo-z0-9-]" LDH "{0,60}" AN "|[A-MO-Za-mo-z0-9]|[Nn]"   \
    "(?:" AN "(?:" LDH "{0,59}" AN ")?|-" AN "(?:" LDH "{0,58}" AN ")?)?)?)"
#define HOST(label) label "(?:\\." label ")*"
#define HOST_LENGTH "[^]{1,253}"
#define ATOM(u) "[A-Za-z0-9!#$%&'*+/=?^_`{|}~" u "-]+"
#define LOCAL(u) "(?:" ATOM(u) "(?:\\." ATOM(u) ")*|\"(?:[ !#-\\[\\]-~" u "]|\\\\[ -~])*\")"
#define LITERAL "\\[(?:" IPV4 "|[Ii][Pp][Vv]6:" IPV6 ")\\]"
#define EMAIL(u) LOCAL(u) "@(?:" HOST(HOST_LABEL) "|" LITERAL ")"
#define NON_ASCII "\\u0080-\\u{10FFFF}"

/* ------------------------------------------------------------------ building */

/* The whole text is a match. */
static arti_re whole(arti_re_ctx *c, const char *pattern) {
    char text[8192];
    const int n = snprintf(text, sizeof text, "^(?:%s)$", pattern);
    if (n < 0 || (size_t)n >= sizeof text) return re_refuse(c, ART_E_LIMIT, 0, "pattern of a format is too long");
    return arti_re_pattern(c, text, (size_t)n);
}

/* One of the characters of a URI's parts: unreserved, sub-delimiters, `more`, or a percent-encoded one. */
static arti_re uri_char(arti_re_ctx *c, const char *more, const char *ucs) {
    char pattern[1024];
    snprintf(pattern, sizeof pattern, "[A-Za-z0-9._~" SUB "%s%s-]|%s", more, ucs, PCT);
    return whole(c, pattern);
}

static arti_re any_number(arti_re_ctx *c, arti_re t) {
    return arti_re_repeat(c, t, 0, ARTI_RE_UNBOUNDED);
}
static arti_re maybe(arti_re_ctx *c, arti_re t) {
    return arti_re_repeat(c, t, 0, 1);
}

static arti_re concat3(arti_re_ctx *c, arti_re x, arti_re y, arti_re z) {
    return arti_re_concat(c, x, arti_re_concat(c, y, z));
}

/* ucs, private: characters beyond ASCII, the second in queries only. */
static arti_re uri(arti_re_ctx *c, const char *ucs, const char *private, bool is_reference) {
    const arti_re pchar = uri_char(c, ":@", ucs), slash = whole(c, "/");
    const arti_re literal = whole(c, "\\[(?:" IPV6 "|[Vv]" HEX "+\\.[A-Za-z0-9._~" SUB ":-]+)\\]");
    const arti_re host = arti_re_or2(c, literal, any_number(c, uri_char(c, "", ucs)));
    const arti_re user = arti_re_concat(c, any_number(c, uri_char(c, ":", ucs)), whole(c, "@"));
    const arti_re authority = concat3(c, maybe(c, user), host, whole(c, "(?::[0-9]*)?"));
    const arti_re segment = arti_re_repeat(c, pchar, 1, ARTI_RE_UNBOUNDED);
    const arti_re segments = any_number(c, arti_re_concat(c, slash, any_number(c, pchar)));
    const arti_re rooted[] = {
        concat3(c, whole(c, "//"), authority, segments),
        arti_re_concat(c, slash, maybe(c, arti_re_concat(c, segment, segments))),
        ARTI_RE_EMPTY,
    };
    const arti_re hier = arti_re_or2(c, arti_re_or(c, rooted, 3), arti_re_concat(c, segment, segments));
    const arti_re no_colon = arti_re_repeat(c, uri_char(c, "@", ucs), 1, ARTI_RE_UNBOUNDED);
    const arti_re relative = arti_re_or2(c, arti_re_or(c, rooted, 3), arti_re_concat(c, no_colon, segments));
    const arti_re fragment_char = arti_re_or2(c, pchar, whole(c, "[/?]"));
    const arti_re query_char = *private ? arti_re_or2(c, fragment_char, uri_char(c, "", private)) : fragment_char;
    const arti_re query = maybe(c, arti_re_concat(c, whole(c, "\\?"), any_number(c, query_char)));
    const arti_re fragment = maybe(c, arti_re_concat(c, whole(c, "#"), any_number(c, fragment_char)));
    const arti_re absolute = arti_re_concat(c, whole(c, SCHEME ":"), hier);
    return concat3(c, is_reference ? arti_re_or2(c, absolute, relative) : absolute, query, fragment);
}

static arti_re build_uri(arti_re_ctx *c) {
    return uri(c, "", "", false);
}
static arti_re build_uri_reference(arti_re_ctx *c) {
    return uri(c, "", "", true);
}
static arti_re build_iri(arti_re_ctx *c) {
    return uri(c, UCS, PRIVATE, false);
}
static arti_re build_iri_reference(arti_re_ctx *c) {
    return uri(c, UCS, PRIVATE, true);
}

static arti_re build_time(arti_re_ctx *c) {
    const arti_re plain = whole(c, PLAIN_TIME);
    return plain == ARTI_RE_FAIL ? plain
                                 : arti_re_or2(c, plain, re_machine_term(c, &leap_second, leap_at(LEAP_START, 0)));
}

static arti_re build_date_time(arti_re_ctx *c) {
    return arti_re_concat(c, whole(c, DATE "[Tt]"), build_time(c));
}

static arti_re build_hostname(arti_re_ctx *c) {
    return arti_re_and2(c, whole(c, HOST(HOST_LABEL)), whole(c, HOST_LENGTH));
}
static arti_re plain_hostname(arti_re_ctx *c) {
    return arti_re_and2(c, whole(c, HOST(PLAIN_LABEL)), whole(c, HOST_LENGTH));
}

/* ------------------------------------------------------------------ internationalised names: RFC 5890 to 5893 */

/* Characters that have one of the properties (up to the first NULL). */
static arti_re idna_class(arti_re_ctx *c, const char *const names[3]) {
    re_begin(c);
    re_ranges_reset(c);
    for (size_t i = 0; i < 3 && names[i]; i++) {
        arti_unicode_set set;
        if (!arti_unicode_find(ARTI_UNICODE_IDNA, names[i], strlen(names[i]), &set))
            return re_refuse(c, ART_E_STATE, 0, "no property %s", names[i]);
        for (uint32_t lo, hi; arti_unicode_next(&set, &lo, &hi);)
            if (!re_ranges_add(c, lo, hi)) return ARTI_RE_FAIL;
    }
    return re_ranges_finish(c);
}

#define CLASS(...) idna_class(c, (const char *const[3]){__VA_ARGS__})

/* RFC 5892, appendix A.1 and A.2: where joiners must not stand. */
static arti_re misplaced_joiners(arti_re_ctx *c) {
    const arti_re after_virama = arti_re_concat(c, ARTI_RE_ANY, CLASS("Virama"));
    const arti_re no_virama = arti_re_not(c, after_virama);
    const arti_re transparent = any_number(c, CLASS("Join_T"));
    const arti_re joins_before = concat3(c, ARTI_RE_ANY, CLASS("Join_L", "Join_D"), transparent);
    const arti_re joins_after = concat3(c, transparent, CLASS("Join_R", "Join_D"), ARTI_RE_ANY);
    const arti_re zwnj = arti_re_literal(c, "\xE2\x80\x8C", 3), zwj = arti_re_literal(c, "\xE2\x80\x8D", 3);
    const arti_re wrong[] = {
        concat3(c, no_virama, zwj, ARTI_RE_ANY),
        concat3(c, arti_re_and2(c, no_virama, arti_re_not(c, joins_before)), zwnj, ARTI_RE_ANY),
        concat3(c, no_virama, zwnj, arti_re_not(c, joins_after)),
    };
    return arti_re_or(c, wrong, sizeof wrong / sizeof *wrong);
}

/* RFC 5891, section 4.2.3, and RFC 5892, appendix A.3 to A.9: what a label must not contain. */
#define WRONG_LABEL                                                                                                    \
    "^-|-$|^..--|^\\p{M}|^\\u00B7|[^l]\\u00B7|\\u00B7$|\\u00B7[^l]|\\u0375$|\\u0375\\P{sc=Greek}|"                     \
    "^[\\u05F3\\u05F4]|\\P{sc=Hebrew}[\\u05F3\\u05F4]|[\\u0660-\\u0669][^]*[\\u06F0-\\u06F9]|"                         \
    "[\\u06F0-\\u06F9][^]*[\\u0660-\\u0669]"

static arti_re unicode_label(arti_re_ctx *c) {
    const arti_re by_rule =
        whole(c, "[\\u00B7\\u0375\\u05F3\\u05F4\\u30FB\\u200C\\u200D\\u0660-\\u0669\\u06F0-\\u06F9]");
    const arti_re letters = arti_re_repeat(c, arti_re_or2(c, CLASS("PVALID"), by_rule), 1, 63);
    const arti_re middle_dot = whole(c, "[^]*\\u30FB[^]*");
    const arti_re kana = whole(c, "[^]*[\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Hani}][^]*");
    const arti_re wrong[] = {
        arti_re_pattern(c, WRONG_LABEL, sizeof WRONG_LABEL - 1),
        arti_re_and2(c, middle_dot, arti_re_not(c, kana)),
        misplaced_joiners(c),
    };
    return arti_re_and2(c, letters, arti_re_not(c, arti_re_or(c, wrong, sizeof wrong / sizeof *wrong)));
}

/* RFC 5893, section 2. */
static arti_re directed_label(arti_re_ctx *c) {
    const arti_re l = CLASS("Bidi_L"), r = CLASS("Bidi_R"), an = CLASS("Bidi_AN"), en = CLASS("Bidi_EN");
    const arti_re marks = any_number(c, CLASS("Bidi_NSM")), neutral = CLASS("Bidi_Neutral", "Bidi_NSM");
    const arti_re no_en[] = {r, an, neutral}, no_an[] = {r, en, neutral}, ltr[] = {l, en, neutral};
    const arti_re rtl_end[] = {r, en, an};
    const arti_re rtl_inside =
        arti_re_or2(c, any_number(c, arti_re_or(c, no_en, 3)), any_number(c, arti_re_or(c, no_an, 3)));
    const arti_re parts[] = {
        arti_re_and2(c, arti_re_concat(c, r, rtl_inside), concat3(c, ARTI_RE_ANY, arti_re_or(c, rtl_end, 3), marks)),
        arti_re_and2(c, arti_re_concat(c, l, any_number(c, arti_re_or(c, ltr, 3))),
                     concat3(c, ARTI_RE_ANY, arti_re_or2(c, l, en), marks)),
    };
    return arti_re_or(c, parts, 2);
}

static arti_re dotted(arti_re_ctx *c, arti_re label, const char *dots) {
    return arti_re_concat(c, label, any_number(c, arti_re_concat(c, whole(c, dots), label)));
}

#define IDN_DOTS "[.\\u3002\\uFF0E\\uFF61]"

static arti_re any_label(arti_re_ctx *c) {
    return arti_re_or2(c, whole(c, HOST_LABEL), unicode_label(c));
}

/* Labels whose A-label is surely short enough: a character beyond ASCII takes at most seven digits of Punycode, six in a label of
 * nine characters. */
static arti_re short_label(arti_re_ctx *c) {
    const arti_re few = whole(c, "[\\0-\\x7F]*(?:[^\\0-\\x7F][\\0-\\x7F]*){0,4}");
    return arti_re_or2(c, whole(c, "[^]{1,9}"), arti_re_and2(c, few, whole(c, "[^]{1,34}")));
}

/* Marks of this class; 0: all marks. */
static arti_re marks_of(arti_re_ctx *c, uint32_t class) {
    re_begin(c);
    re_ranges_reset(c);
    uint32_t lo, hi, is;
    for (size_t i = 0; arti_unicode_class_range(i, &lo, &hi, &is); i++)
        if ((class == 0 || is == class) && !re_ranges_add(c, lo, hi)) return ARTI_RE_FAIL;
    return re_ranges_finish(c);
}

/* Labels of PVALID characters that are not in NFC, and few others: where something stands behind what it may compose with, or two marks
 * stand side by side, but for pairs that many labels have, which are in order and do not compose. */
static arti_re maybe_not_normal(arti_re_ctx *c) {
    static const uint32_t pairs[][2] = {
        {7, 9}, {103, 107}, {118, 122}}; /* nukta and virama; Thai, Lao: vowel and tone */
    enum { N_PAIRS = sizeof pairs / sizeof *pairs };
    const arti_re mark = marks_of(c, 0), composing = CLASS("After_M");
    arti_re others = mark, wrong[N_PAIRS + 3];
    size_t n = 0;
    for (size_t i = 0; i < N_PAIRS; i++) {
        const arti_re first = marks_of(c, pairs[i][0]), second = marks_of(c, pairs[i][1]);
        wrong[n++] = arti_re_concat(c, first, arti_re_and2(c, mark, arti_re_not(c, second)));
        others = arti_re_and2(c, others, arti_re_not(c, first));
    }
    wrong[n++] = arti_re_concat(c, others, mark);
    wrong[n++] = arti_re_concat(c, arti_re_or2(c, mark, CLASS("Before_M")), composing);
    wrong[n++] = arti_re_concat(c, CLASS("Before_S"), CLASS("After_S"));
    return concat3(c, ARTI_RE_ANY, arti_re_or(c, wrong, n), ARTI_RE_ANY);
}

/* No A-labels, and none that is too long as one or has not the further property. */
static arti_re plain_label(arti_re_ctx *c, arti_re further) {
    const arti_re surely[] = {unicode_label(c), short_label(c), further};
    return arti_re_or2(c, whole(c, PLAIN_LABEL), arti_re_and(c, surely, 3));
}

static arti_re idn_hostname(arti_re_ctx *c, arti_re label) {
    /* A name with characters that run from right to left: the rule holds of all its labels. */
    const arti_re rtl = arti_re_or2(c, CLASS("Bidi_R"), CLASS("Bidi_AN"));
    const arti_re without = arti_re_not(c, concat3(c, ARTI_RE_ANY, rtl, ARTI_RE_ANY));
    const arti_re parts[] = {
        dotted(c, label, IDN_DOTS),
        arti_re_or2(c, without, dotted(c, directed_label(c), IDN_DOTS)),
        whole(c, HOST_LENGTH),
    };
    return arti_re_and(c, parts, 3);
}

static arti_re build_idn_hostname(arti_re_ctx *c) {
    return idn_hostname(c, any_label(c));
}
static arti_re plain_idn_hostname(arti_re_ctx *c) {
    return idn_hostname(c, plain_label(c, arti_re_not(c, maybe_not_normal(c))));
}

static arti_re idn_email(arti_re_ctx *c, arti_re label) {
    const arti_re domain = arti_re_or2(c, dotted(c, label, "\\."), whole(c, LITERAL));
    return arti_re_concat(c, whole(c, LOCAL(NON_ASCII) "@"), domain);
}

static arti_re build_idn_email(arti_re_ctx *c) {
    return idn_email(c, any_label(c));
}
static arti_re plain_idn_email(arti_re_ctx *c) {
    return idn_email(c, plain_label(c, ARTI_RE_ANY));
}

/* ------------------------------------------------------------------ patterns: ECMA 262 */

#define RE_PROPERTY                                                                                                    \
    "[pP]\\{(?:(?:(?:gc|General_Category)=)?(?:L[ultmoC]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfosn]?)|"    \
    "(?:sc|scx|Script|Script_Extensions)=(?:Arabic|Cyrillic|Devanagari|Greek|Han|Hangul|Hebrew|Hiragana|Katakana|"     \
    "Latin|Thai)|ASCII|Alphabetic|Any|Emoji|ID_Continue|ID_Start|Letter|Lowercase|Number|Punctuation|Symbol|"          \
    "Uppercase|White_Space)\\}"
#define RE_HEX_ESCAPE "x" HEX "{2}|u(?:" HEX "{4}|\\{0*(?:" HEX "{1,5}|10" HEX "{4})\\})|c[A-Za-z]"
#define RE_SET_ESCAPE "\\\\(?:[dDsSwW]|" RE_PROPERTY ")"
#define RE_CHAR_ESCAPE "\\\\(?:[0bfnrtv]|" RE_HEX_ESCAPE "|[^A-Za-z0-9])"
#define RE_NAME "[A-Za-z_$][A-Za-z0-9_$]*"

/* Ranges x-y of plain characters in order, and of escapes in any. */
static arti_re class_ranges(arti_re_ctx *c) {
    arti_re ranges[128];
    size_t n = 0;
    ranges[n++] = whole(c, RE_CHAR_ESCAPE "-" RE_CHAR_ESCAPE);
    for (uint32_t lo = ' '; lo <= '~'; lo++) {
        if (lo == '-' || lo == '\\' || lo == ']' || lo == '^') continue;
        char pattern[64];
        snprintf(pattern, sizeof pattern, "\\u%04X-[^\\u0000-\\u%04X\\]\\\\]", lo, lo - 1);
        ranges[n++] = whole(c, pattern);
    }
    return arti_re_or(c, ranges, n);
}

/* A quantifier; of {n,m} those in order. */
static arti_re quantifier(arti_re_ctx *c) {
    arti_re kinds[32];
    size_t n = 0;
    kinds[n++] = whole(c, "(?:[*+?]|\\{[0-9]+,?\\})");
    kinds[n++] = whole(c, "\\{(?:[0-9],[1-9][0-9]{1,3}|[1-9][0-9],[1-9][0-9]{2,3}|[1-9][0-9]{2},[1-9][0-9]{3})\\}");
    for (int d = 0; d <= 9; d++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "\\{%d,[%d-9]\\}", d, d);
        kinds[n++] = whole(c, pattern);
        if (d == 0) continue;
        snprintf(pattern, sizeof pattern, "\\{%d0,%d[0-9]\\}", d, d);
        kinds[n++] = whole(c, pattern);
        if (d == 9) continue;
        snprintf(pattern, sizeof pattern, "\\{%d[0-9],[%d-9][0-9]\\}", d, d + 1);
        kinds[n++] = whole(c, pattern);
    }
    return arti_re_concat(c, arti_re_or(c, kinds, n), whole(c, "\\??"));
}

static arti_re build_regex(arti_re_ctx *c) {
    const arti_re items[] = {class_ranges(c), whole(c, "[^\\]\\\\-]|" RE_CHAR_ESCAPE "|" RE_SET_ESCAPE "-?")};
    const arti_re set = concat3(c, whole(c, "\\[\\^?-?"), any_number(c, arti_re_or(c, items, 2)), whole(c, "-?\\]"));
    const arti_re escapes = whole(c, "[^\\^$\\\\.*+?()\\[\\]{}|]|\\.|\\\\(?:[0fnrtv]|" RE_HEX_ESCAPE "|k<" RE_NAME
                                     ">|[1-9]|[^A-Za-z0-9])|" RE_SET_ESCAPE);
    const arti_re assertion = whole(c, "[\\^$]|\\\\[bB]");
    const arti_re repeat = arti_re_repeat(c, quantifier(c), 0, 1);
    const arti_re atom = arti_re_or2(c, escapes, set);
    arti_re group = ARTI_RE_NONE, behind = ARTI_RE_NONE; /* a lookbehind takes no quantifier */
    for (uint32_t depth = 0;; depth++) {
        const arti_re repeated = arti_re_concat(c, arti_re_or2(c, atom, group), repeat);
        const arti_re terms = any_number(c, arti_re_or2(c, repeated, arti_re_or2(c, assertion, behind)));
        const arti_re body = arti_re_concat(c, terms, any_number(c, arti_re_concat(c, whole(c, "\\|"), terms)));
        if (depth == ARTI_FORMAT_REGEX_DEPTH) return body;
        const arti_re rest = arti_re_concat(c, body, whole(c, "\\)"));
        group = arti_re_concat(c, whole(c, "\\((?:\\?(?:[:=!]|<" RE_NAME ">))?"), rest);
        behind = arti_re_concat(c, whole(c, "\\(\\?<[=!]"), rest);
    }
}

/* ------------------------------------------------------------------ names */

typedef struct format {
    const char *name;
    const char *pattern; /* or NULL: */
    arti_re (*build)(arti_re_ctx *c);
    arti_re (*plain)(arti_re_ctx *c); /* without what arti_format_labels_hold() has to tell; NULL: the same */
} format;

static const format formats[] = {
    {"date", DATE, NULL, NULL},
    {"date-time", NULL, build_date_time, NULL},
    {"duration", DURATION, NULL, NULL},
    {"email", EMAIL(""), NULL, NULL},
    {"hostname", NULL, build_hostname, plain_hostname},
    {"idn-email", NULL, build_idn_email, plain_idn_email},
    {"idn-hostname", NULL, build_idn_hostname, plain_idn_hostname},
    {"ipv4", IPV4, NULL, NULL},
    {"ipv6", IPV6, NULL, NULL},
    {"iri", NULL, build_iri, NULL},
    {"iri-reference", NULL, build_iri_reference, NULL},
    {"json-pointer", POINTER, NULL, NULL},
    {"regex", NULL, build_regex, NULL},
    {"relative-json-pointer", RELATIVE_POINTER, NULL, NULL},
    {"time", NULL, build_time, NULL},
    {"uri", NULL, build_uri, NULL},
    {"uri-reference", NULL, build_uri_reference, NULL},
    {"uri-template", TEMPLATE, NULL, NULL},
    {"uuid", UUID, NULL, NULL},
};

static const format *find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0) return &formats[i];
    return NULL;
}

bool arti_format_is_defined(const char *name, size_t len) {
    return find(name, len) != NULL;
}

art_status arti_format(arti_re_ctx *c, const char *name, size_t len, arti_re *out, arti_re *plain, art_error *err) {
    const format *f = find(name, len);
    if (!f) return ART_REJECTED;
    const arti_re t = f->pattern ? whole(c, f->pattern) : f->build(c);
    const arti_re p = f->plain && t != ARTI_RE_FAIL ? f->plain(c) : t;
    if (p == ARTI_RE_FAIL) return arti_re_error(c, err);
    *out = t;
    *plain = p;
    return ART_OK;
}

art_status arti_format_labels_hold(arti_re_ctx *c, arti_mem *mem, const uint8_t *text, size_t len, bool *holds,
                                   art_error *err) {
    const size_t room = 4 * len + 1;
    uint8_t *name = arti_realloc(mem, NULL, 0, room);
    if (!name) return arti_mem_fail(mem, err);
    size_t n;
    const arti_idna found = arti_idna_expand(text, len, name, &n);
    art_status st = ART_OK;
    *holds = found == ARTI_IDNA_PLAIN;
    if (found == ARTI_IDNA_EXPANDED) {
        const arti_re_state q = arti_re_run(c, arti_re_start(c, build_idn_hostname(c)), name, n);
        if (q == ARTI_RE_FAIL)
            st = arti_re_error(c, err);
        else
            *holds = arti_re_accepts(c, q);
    }
    arti_free(mem, name, room);
    return st;
}
