/* SPDX-License-Identifier: Apache-2.0
 *
 * art_norm.h: the normal form of a schema (private to csrc).
 *
 * Purpose   a *conjunction* is a set of literals that all hold of one value, hash-consed to a number. Its *facet* for a JSON type
 *           is a list of *shapes*: alternatives, each with merged assertions and child conjunctions. A facet also knows the length
 *           of a shortest instance; ARTI_LEN_NONE means that there is no instance.
 * Owns      everything lies in the schema's arena and lives as long as the schema.
 * Threads   under the schema's lock.
 * Errors    NULL, false or ARTI_CONJ_FAIL with the schema's fault set. Nothing half done is kept: the call may be repeated.
 * Limits    ARTI_BRANCHES_MAX alternatives and ARTI_STEPS_MAX rule applications a facet; ARTI_SOME_MAX existential conditions and
 *           ARTI_CONTAINS_MAX `contains` in one shape, ARTI_EXTRA_PATTERNS_MAX name patterns there that meet in
 *           ARTI_EXTRA_CLASSES_MAX ways; more is ART_E_LIMIT.
 * Cost      nothing is expanded before it is asked for; results are kept.
 *
 * Expansion is a tableau: literals become atoms (assertions) or clauses (disjunctions), negation is pushed inwards, clauses are
 * split last, and only over alternatives that are neither contradicted nor implied by what is known. `oneOf` needs the negation of
 * its other branches only where two branches overlap.
 * Source for the complements of keywords: L. Attouche et al., "Witness Generation for JSON Schema", VLDB 2022. */
#ifndef ART_NORM_H
#define ART_NORM_H

#include "art_dec.h"
#include "art_schema.h"

typedef uint32_t arti_conj; /* a conjunction */
#define ARTI_CONJ_ANY 0u    /* no condition */
#define ARTI_CONJ_NEVER 1u  /* no value */
#define ARTI_CONJ_FAIL UINT32_MAX
#define ARTI_CONJ_UNSET (UINT32_MAX - 1u)

#define ARTI_LEN_NONE UINT32_MAX         /* no instance */
#define ARTI_LEN_MAX ((uint32_t)1 << 30) /* longer shortest instances saturate */

#define ARTI_BRANCHES_MAX 4096u
#define ARTI_STEPS_MAX 400000u
#define ARTI_SOME_MAX 8u
#define ARTI_CONTAINS_MAX 6u
#define ARTI_EXTRA_PATTERNS_MAX 64u
#define ARTI_EXTRA_CLASSES_MAX 512u

/* ------------------------------------------------------------------ shapes */

typedef struct arti_text_shape {
    uint32_t lo, hi;     /* code points; hi UINT32_MAX: none */
    arti_re term;        /* ARTI_RE_ANY: no pattern; not used with a set */
    arti_worlds worlds;  /* with a term: what it stands for; `term` is `both` */
    bool only_checked;   /* .. or `yes` or `no`, as nothing belongs to `both`; set when the length is decided */
    const arti_key *set; /* sorted by bytes; NULL: none. Lengths and patterns were applied to it */
    uint32_t n_set;
    uint8_t *witness; /* of a term: decoded text of the shortest instance */
    uint32_t witness_len;
} arti_text_shape;

typedef struct arti_name { /* a member name that a shape mentions */
    arti_key key;
    bool required;
    uint32_t rank;  /* declared order */
    arti_conj conj; /* of its value; ARTI_CONJ_UNSET until asked */
    uint32_t some;  /* bits of existential conditions that its value may meet; valid once conj is set */
} arti_name;

typedef enum arti_some_kind { ARTI_SOME_REST, ARTI_SOME_PATTERN, ARTI_SOME_NAME } arti_some_kind;

typedef struct arti_some { /* some member's value (or name) satisfies a literal */
    uint8_t kind;
    const arti_members *group; /* REST: a member that is in none of the group's names and patterns */
    arti_re term;              /* PATTERN: members whose name matches; NAME: likewise, with lit TRUE */
    arti_lit lit;
} arti_some;

typedef struct arti_extra_class { /* names that are not mentioned, by the patterns they match */
    uint64_t matches;             /* bit i: pats[i] */
    arti_conj conj;
    uint32_t some;
    arti_re names;   /* the class as a language; set by arti_object_classes */
    arti_key *words; /* names of the class, invented one after the other */
    uint32_t n_words;
    bool exhausted; /* there are no more */
    arti_re left;   /* names of the class that are not in words */
    struct arti_extra_class *next;
} arti_extra_class;

typedef struct arti_class_list { /* the classes that have a name */
    arti_extra_class **at;
    uint32_t n;
} arti_class_list;

typedef struct arti_object_shape {
    const arti_members **groups;
    uint32_t n_groups, n_names, n_required, n_pats, n_some;
    arti_name *names;   /* sorted by key */
    arti_re *pats;      /* distinct: patterns of the groups and of the existential conditions */
    arti_re names_term; /* what every name belongs to */
    uint32_t min, max;
    arti_some some[ARTI_SOME_MAX];
    arti_extra_class *classes;
    const arti_class_list *all_classes; /* NULL until asked */
    bool extra_known;
    arti_re extra;         /* names not mentioned that may appear; ARTI_RE_NONE: none */
    bool extra_is_free;    /* every name that is not mentioned may appear */
    bool is_simple;        /* no counts beyond the required members, no existential conditions */
    bool depends_on_class; /* which names may still come depends on the conditions that are owed: not held to */
} arti_object_shape;

typedef struct arti_items_group {
    const arti_lit *prefix;
    uint32_t n_prefix;
    arti_lit rest;
} arti_items_group;

typedef struct arti_contains {
    arti_lit lit;
    uint32_t start, min, max; /* items from `start` on count */
} arti_contains;

typedef struct arti_array_shape {
    arti_items_group *groups;
    uint32_t n_groups, n_prefix, n_contains;
    uint32_t min, max;
    bool not_unique;  /* two items are equal */
    arti_conj *items; /* n_prefix + 1: the last one stands for all that follow */
    arti_contains contains[ARTI_CONTAINS_MAX];
    bool unique;
    bool is_filled; /* there are enough different values for its items; only asked where two are needed (art_empty.c) */
} arti_array_shape;

typedef struct arti_shape {
    uint8_t type;  /* arti_type */
    bool plain;    /* NUMBER: written without fraction and exponent */
    uint8_t bools; /* BOOL: bit 0 false allowed, bit 1 true allowed */
    uint32_t len;  /* of a shortest instance, once the facet is decided */
    uint32_t n_deps;
    const arti_conj *deps; /* containers: conjunctions that `len` depends on; NULL until asked */
    union {
        arti_num_rule number;
        arti_text_shape text;
        arti_array_shape array;
        arti_object_shape object;
    };
} arti_shape;

/* ------------------------------------------------------------------ conjunctions */

typedef struct arti_facet {
    uint8_t is_expanded, is_busy, is_decided;
    uint8_t queued; /* 1 + depth of the decision that waits for it */
    uint32_t len;   /* shortest instance; ARTI_LEN_NONE until decided otherwise */
    uint32_t n_shapes, n_all;
    uint64_t decided_at; /* number of the decision */
    arti_shape **shapes; /* n_all; once decided, n_shapes are those with an instance, which come first */
} arti_facet;

typedef struct arti_conj_info {
    const arti_lit *lits;
    uint32_t n_lits;
    uint32_t len; /* over all types, once is_decided */
    bool is_decided;
    struct arti_values *values; /* art_values.c; NULL until asked */
    arti_facet facet[ARTI_N_TYPES];
} arti_conj_info;

struct arti_norm {
    arti_conj_info **conj; /* they never move */
    size_t n_conj, conj_cap;
    uint32_t *map;
    size_t map_size;
    bool has_unique;      /* some array of unique items was met */
    uint32_t n_listing;   /* art_values.c: lists that are being made, within each other */
    uint64_t n_found;     /* .. values that were added to any of them */
    uint64_t n_listings;  /* .. lists that were begun */
    uint64_t listing[33]; /* .. by depth (ARTI_VALUES_DEPTH_MAX): the number of the one that is being made; 0: none */
    uint64_t n_decided;   /* art_empty.c: decisions so far */
    struct arti_fresh_way *fresh_way; /* art_json_text.c */
    uint8_t *endless;     /* art_unique.c: by state of a language, 1 endless, 2 perhaps not; NULL: none asked for */
    uint32_t *n_texts;    /* art_values.c: likewise, how many texts it accepts; 0: not known */
    struct arti_text_of { /* by position: its strings as a language (arti_lit_text_term) */
        arti_re term;
        uint8_t state;
    } *text_of;
    size_t text_of_cap;
    uint32_t depth;            /* nested decisions */
    uint64_t n_steps;          /* of all expansions so far */
    uint64_t steps_end;        /* no expansion goes on beyond these (art_prepare.h); UINT64_MAX else */
    struct arti_goals **goals; /* art_goals.h */
    size_t n_goals, goals_cap;
    uint32_t *goals_map;
    size_t goals_map_size;
};

bool arti_norm_new(art_schema *s);
void arti_norm_free(art_schema *s);

/* The conjunction of n literals (sorted in place); ARTI_CONJ_FAIL on a fault. */
arti_conj arti_conj_of(art_schema *s, arti_lit *lits, uint32_t n);
/* Follows schema objects that are nothing but a reference, a negation or nothing at all, so that equal conjunctions become equal sets. What
 * the literal evaluates is lost on the way. ARTI_LIT_FAIL: fault. */
arti_lit arti_lit_target(art_schema *s, arti_lit lit);
/* The conjunction c and one more literal. */
arti_conj arti_conj_and(art_schema *s, arti_conj c, arti_lit lit);

/* Gives a fault without a place that of the first schema object in the conjunction. */
void arti_conj_locate_fault(art_schema *s, const arti_conj_info *c);
/* Expands a facet: shapes are there, their emptiness is not known. */
bool arti_facet_expand(art_schema *s, arti_conj c, arti_type t);
/* Decides a facet or all facets of a conjunction. */
bool arti_facet_decide(art_schema *s, arti_conj c, arti_type t);
bool arti_conj_decide(art_schema *s, arti_conj c);
/* Is it certain that no value of type t fits? false also when that can not be told at this point (a decision about it is under
 * way further up). Sets no fault for lack of an answer. */
bool arti_conj_is_surely_empty(art_schema *s, arti_conj c, arti_type t);

static inline const arti_conj_info *arti_conj_get(const art_schema *s, arti_conj c) {
    return s->norm->conj[c];
}
/* Length of a shortest instance, ARTI_LEN_NONE: none (or a fault). */
static inline uint32_t arti_conj_len(art_schema *s, arti_conj c) {
    if (!s->norm->conj[c]->is_decided && !arti_conj_decide(s, c)) return ARTI_LEN_NONE;
    return s->norm->conj[c]->len;
}

/* ------------------------------------------------------------------ questions to shapes */

/* A conjunction's strings as one language. ARTI_RE_FAIL on a fault. */
arti_re arti_conj_text_term(art_schema *s, arti_conj c);
/* Conjunction of the value of names[i]; ARTI_CONJ_FAIL on a fault. */
arti_conj arti_object_name_conj(art_schema *s, arti_object_shape *o, uint32_t i);
/* Index of a mentioned name or UINT32_MAX. */
uint32_t arti_object_find(const arti_object_shape *o, const char *key, uint32_t len);
/* Class of unmentioned names that match exactly these patterns. NULL on a fault. */
arti_extra_class *arti_object_extra_class(art_schema *s, arti_object_shape *o, uint64_t matches);
/* All classes that have a name: how the patterns can meet in one that is not mentioned. NULL on a fault. */
const arti_class_list *arti_object_classes(art_schema *s, arti_object_shape *o);
/* Fills extra and extra_is_free. */
bool arti_object_know_extra(art_schema *s, arti_object_shape *o);
/* Conjunction of item i. */
arti_conj arti_array_item_conj(art_schema *s, arti_array_shape *a, uint32_t i);
/* Text of a key as it is written, quotes included: its length. */
uint32_t arti_key_quoted_len(const char *key, uint32_t len);

static inline uint32_t arti_len_add(uint32_t a, uint32_t b) {
    if (a == ARTI_LEN_NONE || b == ARTI_LEN_NONE) return ARTI_LEN_NONE;
    return a + b < ARTI_LEN_MAX ? a + b : ARTI_LEN_MAX;
}

#endif
