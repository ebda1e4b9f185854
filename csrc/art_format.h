/* SPDX-License-Identifier: Apache-2.0
 *
 * art_format.h: the values of JSON Schema's `format` keyword as languages (private to csrc).
 *
 * Purpose   gives the term of a format by its name.
 * Threads   as art_regex.h.
 * Errors    ART_REJECTED for a name that is not defined: the keyword is an annotation then. Otherwise as art_regex.h.
 * Cost      the term is built at each call (5 to 100 us; regex and idn-*, 400 us); hash-consing gives the same term again.
 *
 * Exact are all formats that are regular: date, date-time (leap years), time (leap seconds only where UTC has them),
 * duration, email, ipv4, ipv6, uri, uri-reference, iri, iri-reference, uuid, json-pointer, relative-json-pointer,
 * uri-template. Not regular, and how they are held:
 *   hostname       Punycode is arithmetic, so what A-labels ("xn--..") stand for, and how long the A-label of another label would
 *   idn-hostname   be, is asked of the whole text: two languages, one where the answer is yes, and a smaller one (`plain`) where it
 *   idn-email      is no; they agree on texts without such labels. The rules of IDNA 2008 on characters, joiners, digits and
 *                  direction hold of all labels; that they are in NFC is asked of the whole text, too, but not of
 *                  the labels of an address that are no A-labels.
 *   regex          the patterns that ECMA 262 has with or without flag `u`, groups ARTI_FORMAT_REGEX_DEPTH deep.
 *                  Names of groups and the order of escaped ends of a range are not compared. */
#ifndef ART_FORMAT_H
#define ART_FORMAT_H

#include "art_regex.h"

#define ARTI_FORMAT_REGEX_DEPTH 4u

/* *out: the format's texts, as far as a regular language can tell; *plain: those of them that belong to it whatever
 * arti_format_labels_hold() says, a subset, mostly the same. Both are set on ART_OK only. */
art_status arti_format(arti_re_ctx *c, const char *name, size_t len, arti_re *out, arti_re *plain, art_error *err);

/* Do the A-labels of a text (a domain name, or an address with one) stand for labels that IDNA 2008 allows, and have its other
 * labels A-labels that are short enough? Then it belongs to a format if it belongs to *out, else if it belongs to *plain. */
art_status arti_format_labels_hold(arti_re_ctx *c, arti_mem *mem, const uint8_t *text, size_t len, bool *holds,
                                   art_error *err);

/* Is this the name of a defined format? */
bool arti_format_is_defined(const char *name, size_t len);

#endif
