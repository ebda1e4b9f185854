/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_unicode.h"

static bool has(arti_unicode_kind kind, const char *name, uint32_t cp) {
    arti_unicode_set set;
    uint32_t lo, hi;
    assert(arti_unicode_find(kind, name, strlen(name), &set));
    while (arti_unicode_next(&set, &lo, &hi))
        if (cp >= lo && cp <= hi) return true;
    return false;
}

static size_t size_of(arti_unicode_kind kind, const char *name) {
    arti_unicode_set set;
    uint32_t lo, hi, end = 0;
    size_t n = 0;
    assert(arti_unicode_find(kind, name, strlen(name), &set));
    while (arti_unicode_next(&set, &lo, &hi)) {
        assert(lo <= hi && hi <= 0x10FFFF);
        assert(n == 0 || lo > end + 1 || (end == 0xD7FF && lo == 0xE000)); /* in order, disjoint, not adjacent */
        assert(hi < 0xD800 || lo > 0xDFFF);
        end = hi;
        n += hi - lo + 1;
    }
    return n;
}

static void test_members(void) {
    assert(has(ARTI_UNICODE_CATEGORY, "Lu", 'A') && !has(ARTI_UNICODE_CATEGORY, "Lu", 'a'));
    assert(has(ARTI_UNICODE_CATEGORY, "Uppercase_Letter", 0xC4));
    assert(has(ARTI_UNICODE_CATEGORY, "L", 0x4E2D) && has(ARTI_UNICODE_CATEGORY, "Letter", 0x10FFF0) == false);
    assert(has(ARTI_UNICODE_CATEGORY, "Nd", 0x660) && !has(ARTI_UNICODE_CATEGORY, "Nd", 0xB2));
    assert(has(ARTI_UNICODE_SCRIPT, "Grek", 0x3B1) && has(ARTI_UNICODE_SCRIPT, "Greek", 0x3B1));
    assert(!has(ARTI_UNICODE_SCRIPT, "Hiragana", 0x30FC) && has(ARTI_UNICODE_SCRIPT_EXTENSIONS, "Hiragana", 0x30FC));
    assert(has(ARTI_UNICODE_BINARY, "Emoji", 0x1F600) && has(ARTI_UNICODE_BINARY, "White_Space", ' '));
    assert(has(ARTI_UNICODE_BINARY, "ID_Start", 'z') && !has(ARTI_UNICODE_BINARY, "IDS", '1'));
    assert(has(ARTI_UNICODE_IDNA, "PVALID", 0xDF) && !has(ARTI_UNICODE_IDNA, "PVALID", 'A'));
    assert(has(ARTI_UNICODE_IDNA, "Virama", 0x94D) && has(ARTI_UNICODE_IDNA, "Join_D", 0x628));
    assert(has(ARTI_UNICODE_IDNA, "Bidi_R", 0x5D0) && has(ARTI_UNICODE_IDNA, "Bidi_AN", 0x660));
}

static void test_sizes(void) {
    const size_t scalars = 0x110000 - 0x800;
    assert(size_of(ARTI_UNICODE_BINARY, "Any") == scalars);
    assert(size_of(ARTI_UNICODE_BINARY, "ASCII") == 128);
    assert(size_of(ARTI_UNICODE_CATEGORY, "Cs") == 0); /* surrogates are no scalar values */
    size_t sum = 0;
    static const char *const groups[] = {"L", "M", "N", "P", "S", "Z", "C"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) sum += size_of(ARTI_UNICODE_CATEGORY, groups[i]);
    assert(sum == scalars);
    assert(size_of(ARTI_UNICODE_CATEGORY, "Cn") + size_of(ARTI_UNICODE_BINARY, "Assigned") == scalars);
}

static void test_unknown(void) {
    arti_unicode_set set;
    assert(!arti_unicode_find(ARTI_UNICODE_CATEGORY, "lu", 2, &set));
    assert(!arti_unicode_find(ARTI_UNICODE_CATEGORY, "Lux", 3, &set));
    assert(!arti_unicode_find(ARTI_UNICODE_CATEGORY, "", 0, &set));
    assert(!arti_unicode_find(ARTI_UNICODE_SCRIPT, "Lu", 2, &set));
    assert(arti_unicode_find(ARTI_UNICODE_CATEGORY, "Lux", 2, &set)); /* the length decides */
}

/* Of all characters: parts and whole are inverse to each other, and the ranges of classes are those of the characters. */
static void test_normalisation(void) {
    size_t n_wholes = 0, n_marks = 0, n_in_ranges = 0;
    for (uint32_t cp = 0; cp <= 0x10FFFFu; cp++) {
        uint32_t first, second, n = 1;
        n_marks += arti_unicode_class(cp) > 0;
        if (!arti_unicode_parts(cp, &first, &second)) continue;
        n_wholes++;
        assert(arti_unicode_whole(first, second) == cp && arti_unicode_class(cp) == 0);
        assert(has(ARTI_UNICODE_IDNA, "PVALID", cp) && has(ARTI_UNICODE_IDNA, "PVALID", second));
        do {
            uint32_t rest, more;
            assert(!arti_unicode_parts(second, &rest, &more));
            n++;
        } while (arti_unicode_parts(first, &first, &second));
        assert(n <= ARTI_UNICODE_PARTS_MAX && arti_unicode_class(first) == 0);
    }
    assert(n_wholes > 490);
    uint32_t lo, hi, class, end = 0;
    for (size_t i = 0; arti_unicode_class_range(i, &lo, &hi, &class); i++) {
        assert(lo >= end && hi >= lo && class > 0);
        for (uint32_t cp = lo; cp <= hi; cp++) assert(arti_unicode_class(cp) == class);
        n_in_ranges += hi - lo + 1;
        end = hi + 1;
    }
    assert(n_marks == n_in_ranges && n_marks > 930);
    assert(arti_unicode_class(0x301) == 230 && arti_unicode_class(0x323) == 220 && arti_unicode_class('a') == 0);
    assert(arti_unicode_whole('e', 0x301) == 0xE9 && arti_unicode_whole('E', 0x301) == 0); /* not PVALID */
    assert(arti_unicode_whole(0x301, 'e') == 0 && !arti_unicode_parts('e', &lo, &hi));
}

int main(void) {
    test_members();
    test_sizes();
    test_unknown();
    test_normalisation();
    return 0;
}
