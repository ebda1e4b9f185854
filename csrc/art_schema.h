/* SPDX-License-Identifier: Apache-2.0
 *
 * art_schema.h: JSON Schema documents as positions (private to csrc; art_schema_* is public, see art.h).
 *
 * Purpose   parse documents of drafts 4 to 2020-12, find identifiers and anchors, resolve references, and present every sub-schema
 *           as a *position*: one record with the keywords of all drafts in one form. What the positions mean together is
 *           art_norm.h's business.
 * Owns      the texts, trees, positions, and (for the layers above) the regex context, the lock and the memory budget.
 * Threads   everything below art_schema is read and written under `lock` only; the lock is taken by art_schema_* and by the runs.
 * Errors    a function that fails sets `fault` (see arti_fault) and returns false, NULL or ARTI_LIT_FAIL; callers pass that on.
 * Limits    ART_SCHEMA_BYTES_MAX a document, ART_SCHEMA_DEPTH_MAX nesting, memory_max for all that hangs on the schema.
 * Cost      linear in the documents that are reached.
 *
 * A *literal* is a position that must hold (even) or must not hold (odd) of a value. */
#ifndef ART_SCHEMA_H
#define ART_SCHEMA_H

#include "art_format.h"
#include "art_json.h"
#include "art_mem.h"
#include "art_regex.h"
#include <pthread.h>

typedef uint32_t arti_pos;
typedef uint32_t arti_lit;
#define ARTI_LIT_TRUE 0u /* position 0 holds of everything */
#define ARTI_LIT_FALSE 1u
#define ARTI_LIT_NONE UINT32_MAX        /* keyword absent */
#define ARTI_LIT_FAIL (UINT32_MAX - 1u) /* fault was set */
#define ARTI_LIT_NOT(l) ((l) ^ 1u)
#define ARTI_LIT_POS(l) ((l) >> 1)
#define ARTI_LIT_IS_NEG(l) ((l) & 1u)

typedef enum arti_type { /* JSON types as alternatives see them */
                         ARTI_T_NULL,
                         ARTI_T_BOOL,
                         ARTI_T_NUMBER,
                         ARTI_T_STRING,
                         ARTI_T_ARRAY,
                         ARTI_T_OBJECT,
                         ARTI_N_TYPES
} arti_type;
#define ARTI_TYPES_ALL 0x3Fu
#define ARTI_TYPE_INTEGER 0x40u /* in arti_kw.types: "integer" was listed */

typedef struct arti_key { /* a member name, or one of listed texts */
    const char *ptr;
    uint32_t len;
    uint64_t digest; /* of a listed text (art_digest.h), which is the same whatever of it was read */
} arti_key;

typedef struct arti_prop {
    arti_key key;
    arti_lit lit;
} arti_prop;

typedef struct arti_pattern_prop {
    arti_re term;
    arti_lit lit;
} arti_pattern_prop;

/* What one schema object says about members: names, else patterns (all that match, names too), else the rest. */
typedef struct arti_members {
    const arti_prop *props; /* in declared order */
    const uint32_t *sorted; /* indexes into props by key */
    const arti_pattern_prop *patterns;
    uint32_t n_props, n_patterns;
    arti_lit rest; /* ARTI_LIT_TRUE when nothing is said */
    bool has_rest; /* the keyword is there (it evaluates the rest, for unevaluatedProperties) */
} arti_members;

typedef struct arti_dependency {
    arti_key key;
    arti_lit schema;       /* or ARTI_LIT_NONE */
    const arti_key *names; /* required when key is there */
    uint32_t n_names;
} arti_dependency;

/* The keywords of one schema object. Numbers stay as text; counts saturate at UINT32_MAX, which as a maximum means none. */
typedef struct arti_kw {
    uint8_t types; /* bit 1 << arti_type, ARTI_TYPE_INTEGER; number without its own bit: integers only */
    bool unique;
    bool plain_integer;      /* draft 4: 1.0 is no integer */
    bool contains_evaluates; /* contains counts for unevaluatedItems (2020-12) */
    bool is_nothing;         /* no assertion at all */
    bool only_ref;           /* nothing but `ref` */
    bool only_not;           /* nothing but `not_` */
    bool one_or_more;        /* `one` is taken as `any` for now (art_conflict.h) */
    const arti_json *enum_, *const_;
    const arti_json *minimum, *maximum, *above, *below, *multiple;
    uint32_t min_len, max_len;
    arti_re pattern; /* ARTI_RE_ANY: none */
    const arti_json *format;
    const arti_members *group; /* NULL: none of its keywords */
    arti_lit names;            /* propertyNames */
    const arti_key *required;
    const arti_dependency *deps;
    uint32_t n_required, n_deps, min_props, max_props;
    const arti_lit *prefix;
    arti_lit rest; /* items behind the prefix; ARTI_LIT_NONE: keyword absent */
    uint32_t n_prefix, min_items, max_items;
    arti_lit contains;
    uint32_t min_contains, max_contains;
    const arti_lit *all, *any, *one;
    uint32_t n_all, n_any, n_one;
    arti_lit not_, if_, then_, else_, ref, dynamic_ref;
    arti_lit uneval_props, uneval_items;
} arti_kw;

/* Languages of formats that need a check of the whole text (see art_format.h): where the check says yes, where it says no, and their
 * intersection, whose texts fit whatever it says. Validation knows the text and picks one of the first two when a string begins; what is
 * generated belongs to the third. */
typedef struct arti_worlds {
    arti_re yes, no, both;
} arti_worlds;
#define ARTI_FORMATS_CHECKED 3u

typedef enum arti_pos_kind { ARTI_POS_ANY, ARTI_POS_SCHEMA, ARTI_POS_CONST, ARTI_POS_OR, ARTI_POS_AND } arti_pos_kind;

typedef struct arti_pos_info {
    uint8_t kind; /* arti_pos_kind */
    uint32_t res, scope;
    const arti_json *json; /* SCHEMA, CONST */
    const arti_lit *lits;  /* OR, AND: sorted, distinct, at least two */
    uint32_t n_lits;
    const arti_kw *kw;         /* SCHEMA once parsed */
    const arti_members *group; /* CONST objects, on demand */
} arti_pos_info;

typedef struct arti_anchor {
    const char *name;
    uint32_t len;
    bool dynamic;
    const arti_json *json;
} arti_anchor;

typedef struct arti_res { /* a schema resource: a document's root or an embedded schema with an identifier */
    const char *uri;      /* absolute as far as known, without fragment */
    uint32_t uri_len;
    uint32_t doc;
    const arti_json *root;
    uint32_t draft;       /* 4, 6, 7, 2019, 2020 */
    bool has_dynamic;     /* dynamic anchors, or a recursive anchor */
    bool recursive;       /* "$recursiveAnchor": true at its root */
    bool no_validation;   /* its meta-schema lacks the validation vocabulary */
    arti_anchor *anchors; /* by name once the document is indexed */
    size_t n_anchors, anchors_cap;
} arti_res;

typedef struct arti_doc {
    const arti_json *root;
    const char *text;
} arti_doc;

typedef struct arti_norm arti_norm;         /* art_norm.h */
typedef struct arti_conflict arti_conflict; /* art_conflict.h */

struct art_schema {
    atomic_uint refs;
    pthread_mutex_t lock;
    bool lock_made;
    arti_mem mem;
    arti_arena arena; /* everything that lives as long as the schema */
    art_error fault;  /* code ART_OK: none */

    uint32_t default_draft;
    art_formats formats;
    art_resource *registry; /* texts in the arena */
    uint32_t *registry_res; /* resource of each, UINT32_MAX: not loaded */
    size_t n_registry;

    arti_doc *docs;
    size_t n_docs, docs_cap;
    arti_res *res;
    size_t n_res, res_cap;
    uint32_t (*scopes)[2]; /* parent, resource; scope 0 is empty */
    size_t n_scopes, scopes_cap;

    arti_pos_info *pos;
    size_t n_pos, pos_cap;
    uint32_t *pos_map; /* hash table of positions, 0 empty */
    size_t pos_map_size;
    struct arti_id_map { /* schema objects that begin a resource */
        const arti_json *json;
        uint32_t res;
    } *ids;
    size_t n_ids, ids_cap;

    arti_re_ctx *re;
    struct arti_term_cache { /* patterns and formats by their JSON value */
        const arti_json *json;
        arti_re term;
    } *terms;
    size_t n_terms, terms_cap;
    arti_worlds
        worlds[2 * ARTI_FORMATS_CHECKED]; /* of those formats and their complements, as far as they were asked for */
    uint32_t n_worlds;

    const arti_json *root_json;
    uint32_t root_res;
    arti_lit root;
    arti_norm *norm;
    const arti_conflict *without;  /* keywords that do not count for now, NULL: all of them do */
    const arti_conflict *conflict; /* why no value fits; NULL until that was asked */
};

/* What is made of the documents by reading them, so that they can be read in another way for a while. */
typedef struct arti_reading {
    arti_arena arena;
    arti_pos_info *pos;
    size_t n_pos, pos_cap;
    uint32_t *pos_map;
    size_t pos_map_size;
    arti_lit root;
    arti_norm *norm;
} arti_reading;

/* Begins a reading in memory of its own: positions, the root's literal and an empty normal form; the one before is moved to *saved.
 * arti_reading_end(), due also after a fault, drops it and goes back. */
bool arti_reading_begin(art_schema *s, arti_reading *saved);
void arti_reading_end(art_schema *s, const arti_reading *saved);

/* One more reference; art_schema_free() drops it. */
art_schema *arti_schema_ref(art_schema *s);

/* Records the first fault since the last arti_fault_take; always returns false. json (may be NULL): the place. */
bool arti_fault(art_schema *s, art_status code, const arti_json *json, uint32_t res, const char *keyword,
                const char *fmt, ...) ARTI_PRINTF(6, 7);
bool arti_fault_mem(art_schema *s); /* after a refused allocation; returns false */
bool arti_fault_re(art_schema *s, const arti_json *json, uint32_t res, const char *keyword); /* after ARTI_RE_FAIL */
static inline bool arti_faulted(const art_schema *s) {
    return s->fault.code != ART_OK;
}
/* Moves the fault into *err (may be NULL) and clears it. */
art_status arti_fault_take(art_schema *s, art_error *err);

/* Arena memory; NULL sets the fault. */
void *arti_schema_get(art_schema *s, size_t size);
void *arti_schema_zero(art_schema *s, size_t size);

/* The literal of "equals this value". */
arti_lit arti_lit_const(art_schema *s, const arti_json *json, uint32_t res);
/* Disjunction or conjunction of literals; simplified. lits is sorted in place. */
arti_lit arti_lit_or(art_schema *s, arti_lit *lits, uint32_t n);
arti_lit arti_lit_and(art_schema *s, arti_lit *lits, uint32_t n);
/* Keywords of a SCHEMA position; NULL sets the fault. */
const arti_kw *arti_pos_kw(art_schema *s, arti_pos p);
/* Members of an object that a CONST position demands; NULL sets the fault. */
const arti_members *arti_pos_const_group(art_schema *s, arti_pos p);
/* Index of a name in a group, UINT32_MAX when it is not there. */
uint32_t arti_members_find(const arti_members *g, const char *key, uint32_t len);
/* Term of a format (where a check is needed, that of `yes`); *asserted false when it is an annotation. */
bool arti_schema_format(art_schema *s, const arti_json *format, uint32_t res, arti_re *term, bool *asserted);
/* The languages that a term stands for: three times the same, unless it is a checked format's or the complement of one. */
arti_worlds arti_schema_worlds(const art_schema *s, arti_re term);
/* Says the check yes to a text? 1, 0, or -1: fault. */
int arti_schema_check(art_schema *s, const uint8_t *text, size_t len);

static inline int arti_key_cmp(const char *a, uint32_t a_len, const char *b, uint32_t b_len) {
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : (a_len > b_len) - (a_len < b_len);
}

#endif
