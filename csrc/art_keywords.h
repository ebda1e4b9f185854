/* SPDX-License-Identifier: Apache-2.0
 *
 * art_keywords.h: the keywords of one schema object (private to art_schema.c and art_keywords.c).
 *
 * Purpose   arti_pos_kw() of art_schema.h: reads a schema object by the rules of its draft into an arti_kw. Unknown keywords, and
 *           keywords of later drafts, are ignored as the drafts demand; a known keyword with a wrong value is ART_E_SCHEMA.
 * Threads   under the schema's lock. */
#ifndef ART_KEYWORDS_H
#define ART_KEYWORDS_H

#include "art_schema.h"

typedef enum arti_holds { /* where sub-schemas lie under a keyword, in any draft */
                          ARTI_HOLDS_NONE,
                          ARTI_HOLDS_SCHEMA, /* a schema, or an array of them */
                          ARTI_HOLDS_MAP     /* an object of them (members that are no schemas are skipped) */
} arti_holds;

arti_holds arti_keyword_holds(const char *key, uint32_t len);

/* The name of a keyword that counts where it stands, in the schema object at *p; NULL for any other member. */
const char *arti_keyword_of(const art_schema *s, const arti_pos_info *p, const arti_json_member *m);

typedef enum arti_ref_kind { ARTI_REF_STATIC, ARTI_REF_DYNAMIC, ARTI_REF_RECURSIVE } arti_ref_kind;

/* Literal of a sub-schema; *parent is a copy, since positions move. */
arti_lit arti_lit_sub(art_schema *s, const arti_json *json, const arti_pos_info *parent);
arti_lit arti_lit_ref(art_schema *s, const arti_json *ref, const arti_pos_info *from, arti_ref_kind kind);
bool arti_members_sort(art_schema *s, arti_members *g); /* fills g->sorted */

#endif
