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

int main(void) {
    test_members();
    test_sizes();
    test_unknown();
    return 0;
}
