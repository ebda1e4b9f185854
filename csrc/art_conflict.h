/* SPDX-License-Identifier: Apache-2.0
 *
 * art_conflict.h: which keywords leave a schema without a value (private to csrc; art_schema_conflict() is public, see art.h).
 *
 * Purpose   of a schema that no value fits: a small set of keywords that can not hold together. Keywords are left out, many at
 *           a time and then one by one, as long as still no value fits; what is left at the end is the set. All of it but any one
 *           can hold together. (There may be other sets besides.)
 * Owns      the result lies in the schema's arena and is found once.
 * Threads   under the schema's lock.
 * Errors    NULL with the schema's fault set when memory runs out.
 * Limits    ARTI_CONFLICT_TRIALS_MAX readings of the schema and ARTI_CONFLICT_WORK_MAX rule applications over all of them. Beyond,
 *           no value fits the set either, but it may not be a smallest one: is_minimal is false.
 * Cost      nothing unless no value fits; then each trial reads and decides what is left of the schema.
 *
 * Only what makes a schema weaker is left out. So the insides of `not` and `if`, and of `contains` with a largest count, stay as they
 * are; names in `properties` stay names; and a `oneOf` is one thing until it has turned out that no value fits even when it is read as an
 * `anyOf`. Equal sub-schemas at different places are told apart. */
#ifndef ART_CONFLICT_H
#define ART_CONFLICT_H

#include "art_schema.h"

#define ARTI_CONFLICT_TRIALS_MAX 512u
#define ARTI_CONFLICT_WORK_MAX 400000u

typedef struct arti_candidate { /* a keyword, a name in `required`, or a sub-schema that is `false` */
    const arti_json *json;      /* its value */
    const char *keyword;        /* "" for `false` */
    uint32_t doc;
    uint32_t depth; /* of the values that it is about, in the whole value, as far as its pointer tells */
    bool is_left_out;
    bool is_kept; /* stands where it can not be left out */
} arti_candidate;

struct arti_conflict {
    arti_candidate *items; /* by document and place; those of the set, deepest first, once it is found */
    size_t n, cap;
    bool loose; /* every `oneOf` is read as an `anyOf` */
    bool is_minimal;
};

/* The conflict in a schema that no value fits. */
const arti_conflict *arti_conflict_find(art_schema *s);
/* Sets the fault ART_E_UNSATISFIABLE, with the set in the message and its first member as the place; always false. */
bool arti_conflict_fault(art_schema *s);

/* For the readers of keywords: does this value of a keyword (name, sub-schema) not count for now? */
bool arti_conflict_leaves_out(const art_schema *s, uint32_t res, const arti_json *json);
static inline bool arti_is_left_out(const art_schema *s, uint32_t res, const arti_json *json) {
    return s->without && arti_conflict_leaves_out(s, res, json);
}
static inline bool arti_is_loose(const art_schema *s) {
    return s->without && s->without->loose;
}

#endif
