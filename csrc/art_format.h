/* SPDX-License-Identifier: Apache-2.0
 *
 * art_format.h: the values of JSON Schema's `format` keyword as languages (private to csrc).
 *
 * Purpose   gives the term of a format by its name.
 * Threads   as art_regex.h.
 * Errors    ART_REJECTED for a name that is not defined: the keyword is an annotation then. Otherwise what art_regex.h
 * gives. Cost      the term is built at each call (tens of microseconds); hash-consing gives the same term again.
 *
 * Exact are all formats that are regular: date-time, date (leap years), time (leap seconds only where UTC has them),
 * duration, email, ipv4, ipv6, uri, uri-reference, iri, iri-reference, uuid, json-pointer, relative-json-pointer,
 * uri-template. Of the others the language is hostname, idn-hostname, idn-email  right but for the Punycode of "xn--"
 * labels, which is arithmetic, and for normalisation to NFC: both are accepted unseen; regex the patterns that
 * arti_re_pattern() parses, with groups nested at most ARTI_FORMAT_REGEX_DEPTH deep (balanced parentheses are not
 * regular): always a subset of the right ones. */
#ifndef ART_FORMAT_H
#define ART_FORMAT_H

#include "art_regex.h"

#define ARTI_FORMAT_REGEX_DEPTH 4u

/* *out is set on ART_OK only. */
art_status arti_format(arti_re_ctx *c, const char *name, size_t len, arti_re *out, art_error *err);

/* Is this the name of a defined format? */
bool arti_format_is_defined(const char *name, size_t len);

#endif
