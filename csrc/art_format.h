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
 *   hostname       what follows "xn--" is any letters, digits and hyphens: Punycode is arithmetic.
 *   idn-hostname   the same; the rules of IDNA 2008 on characters, joiners, digits and direction hold of all labels
 *   idn-email      not in Punycode. Normalisation (NFC) and the length of a label's Punycode are not looked at.
 *   regex          the patterns that ECMA 262 has with or without flag `u`, groups ARTI_FORMAT_REGEX_DEPTH deep.
 *                  Names of groups and the order of escaped ends of a range are not compared. */
#ifndef ART_FORMAT_H
#define ART_FORMAT_H

#include "art_regex.h"

#define ARTI_FORMAT_REGEX_DEPTH 4u

/* *out is set on ART_OK only. */
art_status arti_format(arti_re_ctx *c, const char *name, size_t len, arti_re *out, art_error *err);

/* Is this the name of a defined format? */
bool arti_format_is_defined(const char *name, size_t len);

#endif
