/* SPDX-License-Identifier: Apache-2.0
 *
 * art_unicode.h: properties of code points, by name (private to csrc).
 *
 * Purpose   the property expressions of ECMA 262 (\p{..}), and what internationalised domain names and their normalisation need
 *           to know of a character. art_unicode_data.h names the versions of Unicode.
 * Threads   constant tables.
 * Cost      a look-up is a binary search; a set unpacks one range after the other. */
#ifndef ART_UNICODE_H
#define ART_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum arti_unicode_kind {
    ARTI_UNICODE_CATEGORY, /* General_Category=name */
    ARTI_UNICODE_SCRIPT,
    ARTI_UNICODE_SCRIPT_EXTENSIONS,
    ARTI_UNICODE_BINARY, /* a binary property */
    ARTI_UNICODE_IDNA /* derived property, joining type, direction or what composes, by the names of tools/gen_unicode.py */
} arti_unicode_kind;

typedef struct arti_unicode_set { /* an iterator; copy it to start again */
    const uint8_t *at;
    uint32_t n_left; /* ranges still to come */
    uint32_t cp;     /* end of the last range + 1 */
} arti_unicode_set;

/* false when there is no such property. Names are matched exactly, long and short ones. */
bool arti_unicode_find(arti_unicode_kind kind, const char *name, size_t len, arti_unicode_set *out);

/* The next range, in order, disjoint and not adjacent; false at the end. */
bool arti_unicode_next(arti_unicode_set *s, uint32_t *lo, uint32_t *hi);

/* What normalisation needs to know of characters that are PVALID in domain names; of others nothing is told. */

#define ARTI_UNICODE_PARTS_MAX 4u /* that a character is made of at most */

/* Canonical combining class; 0: not a mark. */
uint32_t arti_unicode_class(uint32_t cp);

/* Range number i of marks that have one class; false: there are no more. */
bool arti_unicode_class_range(size_t i, uint32_t *lo, uint32_t *hi, uint32_t *class);

/* What a character is made of, one step; false: it is not. `second` is made of nothing else. */
bool arti_unicode_parts(uint32_t cp, uint32_t *first, uint32_t *second);

/* What two characters compose to; 0: nothing. */
uint32_t arti_unicode_whole(uint32_t first, uint32_t second);

#endif
