/* SPDX-License-Identifier: Apache-2.0
 *
 * art_metaschema.h: the meta-schemas of the drafts (private to csrc).
 *
 * Purpose   gives the published meta-schemas of drafts 4, 6, 7, 2019-09 and 2020-12, and the vocabulary documents of the last two,
 *           by their address, so that schemas that refer to them need no registry.
 * Owns      constant texts; nothing is read before it is asked for.
 * Threads   pure.
 * Errors    none.
 * Cost      a binary search. */
#ifndef ART_METASCHEMA_H
#define ART_METASCHEMA_H

#include <stddef.h>

/* JSON text of the document at an address (absolute, without fragment); NULL when it is none of these. Drafts 4, 6 and 7 are
 * found with "https:" as well, as their site serves them. */
const char *arti_metaschema_find(const char *uri, size_t uri_len, size_t *len);

#endif
