/* SPDX-License-Identifier: Apache-2.0
 *
 * art_values.h: how many different values there are, and which (private to csrc).
 *
 * Purpose   items of an array with "uniqueItems" run out when there are only so many values for them. This module lists the values of a
 *           conjunction, or the ways in which a container that is partly written may end, by their digests: all of them, or as many
 *           as matter. What has no end (a free string, numbers between bounds) is known without listing.
 * Owns      lists of conjunctions lie in the schema's arena and are kept; others belong to the caller (arti_values_free).
 * Threads   under the schema's lock.
 * Errors    the schema's fault; a list is then of no use.
 * Limits    ARTI_VALUES_MAX values are listed, ARTI_VALUES_STEPS_MAX steps taken for one question, ARTI_VALUES_DEPTH_MAX values looked
 *           at within each other. Beyond, a list holds less than there is, and arti_count.cut says so: every value in it is real.
 * Cost      proportional to what is listed; nothing for conjunctions that were listed before. */
#ifndef ART_VALUES_H
#define ART_VALUES_H

#include "art_empty.h"

#define ARTI_VALUES_MAX 4096u
#define ARTI_VALUES_STEPS_MAX 20000u
#define ARTI_VALUES_DEPTH_MAX 32u

typedef struct arti_values {
    uint64_t *at;    /* digests, all different; `few`, or on the heap */
    uint32_t *slots; /* of a table that finds them: index + 1; NULL with `few` */
    uint32_t n, cap; /* cap: a power of two; twice as many slots */
    uint64_t few[4];
    uint32_t at_least; /* there are so many, listed or not; UINT32_MAX: no end of them */
    uint32_t known;    /* of a conjunction that is being listed: at_least, as it was found for fewer that were wanted */
    uint32_t enough;   /* so many will do; 0: as many as are wanted of conjunctions */
    uint32_t busy_at;  /* of a conjunction that is being listed: how deep */
    /* Of a conjunction that was listed as far as another list, which is still being made, let it: norm->n_found behind that and what was wanted
     * then, and the depth and the number of the other one. 0: it was not. */
    uint64_t found_at, cut_by;
    uint32_t want, cut;
    bool is_all;      /* of a conjunction: there are no others */
    bool is_given_up; /* .. there may be, but no more are looked for */
    bool is_kept;     /* lies in the schema's arena */
} arti_values;

typedef struct arti_count { /* one question */
    art_schema *s;
    uint32_t want; /* more values of anything than this need not be told apart */
    uint32_t steps;
    uint32_t cut; /* the least busy_at of a list that was used unfinished; 0: something was left out for good */
} arti_count;

/* A value that fits none of the digests that are listed anywhere. */
#define ARTI_DIGEST_OTHER UINT64_C(0x9d39247e33776d41)

arti_count arti_count_of(art_schema *s, uint32_t want);
void arti_values_free(art_schema *s, arti_values *v);
void arti_values_add(arti_count *k, arti_values *v, uint64_t digest);
static inline bool arti_values_any(const arti_values *v) {
    return v->n || v->at_least;
}
/* More than need be told apart. */
static inline bool arti_values_many(const arti_count *k, const arti_values *v) {
    return v->at_least >= k->want || v->n >= k->want;
}
/* Nothing more has to be found. */
static inline bool arti_values_enough(const arti_count *k, const arti_values *v) {
    const uint32_t enough = v->enough ? v->enough : k->want;
    return v->at_least >= enough || v->n >= enough || k->steps == 0 || arti_faulted(k->s);
}

typedef struct arti_turn { /* one of several places that values may come from */
    uint32_t steps, given, cut;
} arti_turn;
/* is_brief: first each place is looked at briefly, so that one that has none does not use up the steps of those that have some. */
void arti_turn_begin(arti_count *k, arti_turn *t, bool is_brief);
/* Was that too brief? */
bool arti_turn_end(arti_count *k, const arti_turn *t);

/* Values of a conjunction; never NULL. */
const arti_values *arti_conj_values(arti_count *k, arti_conj c);

/* Texts that go on from digest `hash`: those listed in a set state (art_goals.h), with `room` characters (UINT32_MAX: any number), and of a
 * language's state with lo to hi characters. */
void arti_set_values(arti_count *k, const arti_key *set, uint64_t q, arti_values *out);
void arti_free_values(arti_count *k, uint32_t lo, uint32_t hi, uint64_t hash, arti_values *out);
void arti_language_values(arti_count *k, arti_re_state q, uint32_t lo, uint32_t hi, uint64_t hash, arti_values *out);
/* Numbers that begin with what was read. plain: without fraction and exponent. */
void arti_number_values(arti_count *k, const arti_num_rule *r, bool plain, const arti_num *n, const uint8_t *text,
                        arti_values *out);

/* Objects that go on from *at; base: their digest so far. The lengths of arti_object_deps must be decided. */
void arti_object_values(arti_count *k, arti_object_shape *o, const arti_object_at *at, uint64_t base, arti_values *out);

typedef struct arti_array_at { /* how far an array is */
    uint32_t n;
    uint32_t counts[ARTI_CONTAINS_MAX];
    bool has_equal;
    uint64_t base;                                /* its digest so far */
    bool (*has)(const void *ud, uint64_t digest); /* is an equal item there? NULL: there is none */
    const void *ud;
    uint64_t last; /* besides, the item before */
} arti_array_at;
void arti_array_values(arti_count *k, arti_array_shape *a, const arti_array_at *at, arti_values *out);

#endif
