/* SPDX-License-Identifier: Apache-2.0
 *
 * art_empty.h: is there an instance, and which is a shortest one (private to csrc).
 *
 * Purpose   arti_facet_decide() and arti_conj_decide() of art_norm.h: the least fixpoint of "has an instance" with the length of a
 *           shortest one; and *plans*: what a container that is partly written still needs to become whole at the least cost.
 * Owns      a plan is the caller's; its array is freed by arti_plan_free().
 * Threads   under the schema's lock.
 * Errors    ARTI_LEN_NONE means "not possible"; when the schema's fault is set it means nothing.
 * Limits    ARTI_EXTRA_WORDS_MAX invented member names in one object, ARTI_ARRAY_STATES_MAX states of `contains` counters.
 * Cost      a decision looks at what instances must contain only: required members, items up to minItems, counted items. */
#ifndef ART_EMPTY_H
#define ART_EMPTY_H

#include "art_norm.h"

#define ARTI_EXTRA_WORDS_MAX 256u
#define ARTI_ARRAY_STATES_MAX 65536u

typedef struct arti_step { /* one more member, or a run of items */
    arti_key key;          /* members */
    arti_conj conj;        /* of the value */
    uint32_t count;        /* items */
} arti_step;

typedef struct arti_plan {
    arti_mem *mem;
    arti_step *steps;
    size_t n, cap;
} arti_plan;

void arti_plan_free(arti_plan *p);

typedef enum arti_name_state { ARTI_NAME_FREE, ARTI_NAME_SEEN, ARTI_NAME_BARRED } arti_name_state;

/* How far an object is. The questions are asked about indexes of the shape's names and about texts of other names. */
typedef struct arti_object_at {
    uint32_t n;        /* members so far */
    uint32_t met;      /* existential conditions met so far */
    uint32_t at_least; /* members there must be in the end, besides the shape's own minimum */
    uint32_t taken;    /* index of a name that counts as seen, UINT32_MAX: none */
    arti_name_state (*name)(const void *ud, uint32_t name);
    bool (*has_extra)(const void *ud, const char *key, uint32_t len);
    const void *ud;
} arti_object_at;

extern const arti_object_at arti_object_start;

/* Bytes that complete an object's members (without the brace, a comma before each but the object's first), ARTI_LEN_NONE when that
 * is not possible. The lengths of arti_object_deps() must be decided. plan may be NULL. */
uint32_t arti_object_best(art_schema *s, arti_object_shape *o, const arti_object_at *at, arti_plan *plan);

/* The same for an array with n items, of which counts[i] were counted by contains[i] (saturated, see arti_contains_cap). has_equal: two of
 * them were equal. */
uint32_t arti_array_best(art_schema *s, arti_array_shape *a, uint32_t n, const uint32_t *counts, bool has_equal,
                         arti_plan *plan);

/* Counters need not count further than this. */
static inline uint32_t arti_contains_cap(const arti_contains *c) {
    return c->max == UINT32_MAX ? c->min : c->max;
}

/* Conjunction of an item that is counted by the conditions in `counted` and, where that matters, not by the others. */
arti_conj arti_item_counted(art_schema *s, arti_array_shape *a, uint32_t i, uint32_t counted);
/* Conditions of `contains` that item i can be counted by. */
uint32_t arti_item_watched(const arti_array_shape *a, uint32_t i, const uint32_t *counts);
/* Conjunction and existential conditions of a set of bits. */
arti_conj arti_some_conj(art_schema *s, const arti_object_shape *o, arti_conj c, uint32_t bits);

/* Classes of unmentioned names that may come. NULL on a fault. */
const arti_class_list *arti_object_open_classes(art_schema *s, arti_object_shape *o);
/* Has the class infinitely many names? false: fault. */
bool arti_class_is_endless(art_schema *s, const arti_extra_class *c, bool *endless);
/* The i-th invented name of a class. NULL: there are not that many, or a fault. */
const arti_key *arti_class_word(art_schema *s, const arti_object_shape *o, arti_extra_class *c, uint32_t i);

/* Decides all that arti_object_best or arti_array_best look at for any state of this shape. */
bool arti_shape_settle(art_schema *s, arti_shape *sh);

#endif
