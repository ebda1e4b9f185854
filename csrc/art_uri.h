/* SPDX-License-Identifier: Apache-2.0
 *
 * art_uri.h: references as JSON Schema uses them (private to csrc).
 *
 * Purpose   resolve a URI reference against a base (RFC 3986 section 5.2), and decode percent escapes.
 * Owns      nothing.
 * Threads   pure functions.
 * Errors    none: any bytes are taken as they come.
 * Cost      linear. */
#ifndef ART_URI_H
#define ART_URI_H

#include <stddef.h>

/* Writes the target of `ref`, seen from `base`, without its fragment: at most base_len + ref_len + 2 bytes. *fragment is the
 * offset in `ref` behind '#', or ref_len when there is none. Returns the length. */
size_t arti_uri_resolve(char *out, const char *base, size_t base_len, const char *ref, size_t ref_len,
                        size_t *fragment);

/* Decodes %XX; malformed ones stay. out holds len bytes. Returns the length. */
size_t arti_uri_unescape(char *out, const char *text, size_t len);

#endif
