/* SPDX-License-Identifier: Apache-2.0
 *
 * art_branch.h: the tableau that expands a facet (private to art_norm.c, art_rules.c and art_shape.c).
 *
 * Purpose   a *branch* is a list of entries that must all hold of one value of one JSON type: literals, atoms (assertions that a
 *           shape can hold) and clauses (disjunctions of lists of entries). art_rules.c turns literals into atoms and clauses,
 *           art_norm.c walks the branches, art_shape.c turns a finished branch into a shape.
 * Owns      branches and clauses live in the expansion's own arena, shapes in the schema's.
 * Threads   under the schema's lock. */
#ifndef ART_BRANCH_H
#define ART_BRANCH_H

#include "art_norm.h"

typedef enum arti_entry_kind {
    ARTI_E_LIT,    /* lit; neg_uneval: it holds, but what it leaves unevaluated does not fit its unevaluated* */
    ARTI_E_CLAUSE, /* p: arti_clause */
    ARTI_E_BOOLS,  /* a: mask of allowed values */
    ARTI_E_LOW,    /* json, a: exclusive */
    ARTI_E_HIGH,
    ARTI_E_PLAIN, /* written without fraction and exponent */
    ARTI_E_LONG,  /* written with one of them */
    ARTI_E_STEP,  /* json; NULL: 1 */
    ARTI_E_NOT_STEP,
    ARTI_E_VALUE, /* json: this number */
    ARTI_E_NOT_VALUE,
    ARTI_E_LENGTH,  /* a..b code points */
    ARTI_E_TERM,    /* a: arti_re */
    ARTI_E_STRINGS, /* json: a string, or an array whose strings are meant */
    ARTI_E_NOT_STRINGS,
    ARTI_E_GROUP,     /* p: arti_members */
    ARTI_E_REQUIRED,  /* p: arti_key */
    ARTI_E_LACKS,     /* p: arti_key */
    ARTI_E_HAS,       /* p: arti_key, lit: of its value */
    ARTI_E_IF_HAS,    /* p: arti_key, lit: of its value, if it is there */
    ARTI_E_NAMES,     /* lit: of every name */
    ARTI_E_SOME,      /* p: arti_members, a: pattern index or UINT32_MAX for the rest, lit: of the value */
    ARTI_E_SOME_NAME, /* lit: of some name */
    ARTI_E_MEMBERS,   /* a..b members */
    ARTI_E_ITEMS,     /* p: arti_items_group */
    ARTI_E_AT,        /* item a exists and satisfies lit */
    ARTI_E_COUNT,     /* a..b items */
    ARTI_E_CONTAINS,  /* p: arti_contains; evaluates: for unevaluatedItems */
    ARTI_E_UNIQUE,
    ARTI_E_NOT_UNIQUE,
    ARTI_E_UNEVALUATED /* a: scope */
} arti_entry_kind;

typedef struct arti_entry {
    uint8_t kind;
    bool flag;     /* E_LIT: neg_uneval; E_CONTAINS: evaluates */
    bool resolved; /* E_CLAUSE: dealt with */
    arti_lit lit;
    uint32_t a, b;
    uint32_t scope; /* the innermost schema object with unevaluated* that this was found under; 0: none */
    const void *p;
} arti_entry;

typedef struct arti_clause {
    uint32_t n;
    struct arti_alt {
        uint32_t n;
        arti_entry *entries;
    } *alts;
} arti_clause;

typedef struct arti_scope { /* a schema object with unevaluatedProperties or unevaluatedItems */
    uint32_t parent;
    arti_lit owner; /* the object */
    arti_lit lit;   /* of what it leaves unevaluated */
    bool negated;
} arti_scope;

typedef struct arti_branch {
    arti_entry *entries;
    size_t n, cap, next; /* entries before next have been dealt with, except clauses */
} arti_branch;

typedef struct arti_expansion {
    art_schema *s;
    arti_type type;
    arti_arena arena;
    arti_scope *scopes; /* scopes[0] unused */
    size_t n_scopes, scopes_cap;
    arti_branch *stack;
    size_t n_stack, stack_cap;
    arti_shape **shapes;
    size_t n_shapes, shapes_cap;
    uint32_t n_steps;
} arti_expansion;

typedef enum arti_verdict { ARTI_OPEN, ARTI_DEAD, ARTI_HOLDS, ARTI_ERROR } arti_verdict;

bool arti_branch_add(arti_expansion *x, arti_branch *b, const arti_entry *e); /* false: fault */
/* Applies the rule of a literal entry. ARTI_OPEN: goes on. */
arti_verdict arti_rule(arti_expansion *x, arti_branch *b, const arti_entry *e);
/* The strings that satisfy a literal as one language, where it speaks of them in patterns and formats only; ARTI_RE_FAIL otherwise. Sets no
 * fault but for memory. */
arti_re arti_lit_text_term(art_schema *s, arti_lit lit);
/* Could a value of the type satisfy the literal, as far as its own type keywords tell? */
bool arti_lit_admits(art_schema *s, arti_lit lit, arti_type t);
/* What the branch already says about an entry. */
arti_verdict arti_entry_verdict(arti_expansion *x, const arti_branch *b, const arti_entry *e);
/* The shape of a finished branch: *out NULL when it is contradictory. */
bool arti_shape_of(arti_expansion *x, const arti_branch *b, arti_shape **out);

#endif
