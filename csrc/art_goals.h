/* SPDX-License-Identifier: Apache-2.0
 *
 * art_goals.h: what is asked of one value at run time (private to csrc).
 *
 * Purpose   while a value is being written, several conjunctions may be asked of it side by side: its *goals*. Each type's
 *           alternatives (goal, shape) are gathered in a *machine* that reads the value: numbers, texts, arrays, objects.
 * Owns      everything lies in the schema's arena; goals are interned, so equal sets are one object.
 * Threads   under the schema's lock.
 * Errors    NULL with the schema's fault set; NULL without a fault: no conjunction has an instance.
 * Limits    ARTI_JSON_GOALS_MAX goals, ARTI_KEY_PARTS_MAX languages for the keys of one object, ARTI_CELLS_MAX (alternative, name)
 *           pairs. */
#ifndef ART_GOALS_H
#define ART_GOALS_H

#include "art_empty.h"
#include "art_json_run.h"

#define ARTI_KEY_PARTS_MAX 64u
#define ARTI_CELLS_MAX ((size_t)1 << 22)
#define ARTI_ACCEPT_WORDS (ARTI_JSON_GOALS_MAX / 64u)

/* ------------------------------------------------------------------ texts
 *
 * A text machine runs several languages side by side over decoded bytes. The state of one part is a number, 0 when dead; the state
 * of the machine is the array of them. */

typedef enum arti_part_kind { ARTI_PART_FREE, ARTI_PART_SET, ARTI_PART_TERM } arti_part_kind;

typedef struct arti_part {
    uint8_t kind;
    uint32_t lo, hi;    /* code points; hi UINT32_MAX: none */
    arti_re term;       /* what is generated */
    arti_worlds worlds; /* TERM: what is validated */
    bool only_checked;  /* TERM: nothing can be generated, see arti_text_shape */
    const arti_key *set;
    uint32_t n_set;
} arti_part;

typedef enum arti_world { ARTI_WORLD_BOTH, ARTI_WORLD_YES, ARTI_WORLD_NO } arti_world; /* see arti_worlds */

/* State of a set: the strings lo .. hi - 1 begin with the depth bytes read so far. */
static inline uint64_t arti_set_state(uint32_t lo, uint32_t hi, uint32_t depth) {
    return (uint64_t)depth << 48 | (uint64_t)lo << 24 | hi;
}
static inline uint32_t arti_set_lo(uint64_t q) {
    return (uint32_t)(q >> 24) & 0xFFFFFFu;
}
static inline uint32_t arti_set_hi(uint64_t q) {
    return (uint32_t)q & 0xFFFFFFu;
}
static inline uint32_t arti_set_depth(uint64_t q) {
    return (uint32_t)(q >> 48);
}
#define ARTI_SET_MAX 0xFFFFFFu
#define ARTI_SET_DEPTH_MAX 0xFFFFu

uint64_t arti_set_step(const arti_key *set, uint64_t q, uint8_t byte);
/* Index of the string that is complete, UINT32_MAX: none. */
static inline uint32_t arti_set_whole(const arti_key *set, uint64_t q) {
    return q && set[arti_set_lo(q)].len == arti_set_depth(q) ? arti_set_lo(q) : UINT32_MAX;
}

/* Bytes that a string of the state may go on with, as bits; *ends: one is complete. */
void arti_set_next_bytes(const arti_key *set, uint64_t q, uint64_t bits[4], bool *ends);

bool arti_fault_unchecked(art_schema *s); /* a text that is only_checked was to be written; returns false */
/* BOTH: to generate; a fault when only checked texts fit. */
bool arti_part_start(art_schema *s, const arti_part *p, arti_world world, uint64_t *q);
/* false: fault. n_cp: characters begun; inside: in the middle of the last one. */
bool arti_part_step(art_schema *s, const arti_part *p, uint64_t *q, uint8_t byte);
/* Can the part still accept, with the lengths it has? (A fault counts as no.) */
bool arti_part_alive(art_schema *s, const arti_part *p, uint64_t q, uint32_t n_cp, bool inside);
bool arti_part_accepts(art_schema *s, const arti_part *p, uint64_t q, uint32_t n_cp);

/* ------------------------------------------------------------------ machines */

typedef struct arti_alt_ref { /* one alternative */
    uint32_t goal;            /* index into the goals */
    arti_shape *shape;
} arti_alt_ref;

typedef struct arti_text_machine {
    arti_part *parts;
    uint32_t n_parts, n_alts;
    const uint32_t *part_of; /* per alternative */
    bool bounded;            /* some part has lengths */
    bool is_checked;         /* of some part, validation needs to know the text when it begins */
    bool all_free;           /* every part is FREE */
} arti_text_machine;

typedef struct arti_cell { /* what one alternative asks of the value of one name */
    arti_conj conj;
    uint32_t some;
} arti_cell;

#define ARTI_ASKS_MAX 16u

typedef struct
    arti_asks { /* alternatives by what they ask of the value of one name: often there are many of them, and few things they ask */
    uint32_t n;
    arti_conj conj[ARTI_ASKS_MAX]; /* ARTI_CONJ_NEVER: they do not take the name */
    uint64_t *known;               /* bits over the alternatives: those that were looked at, */
    uint64_t *alts[ARTI_ASKS_MAX]; /* .. and of them those that ask this */
} arti_asks;

typedef struct arti_object_machine {
    uint32_t n_alts, n_names, n_parts, n_live_words, n_seen_words;
    const arti_key *names;   /* over all alternatives, sorted */
    const uint32_t *rank;    /* declared order of each name */
    const uint32_t *by_rank; /* name of each rank */
    arti_part *parts;        /* languages of other keys */
    struct arti_object_alt {
        arti_object_shape *shape;
        const uint32_t *to_set;   /* per name of the shape: index into names */
        const uint64_t *required; /* bits over names */
        const uint8_t *pat_part;  /* per pattern of the shape: index into parts */
        uint32_t extra_part;      /* index into parts; ARTI_EXTRA_FREE, ARTI_EXTRA_NONE */
        arti_cell *cells;         /* per name; conj ARTI_CONJ_UNSET until asked */
        uint64_t *never;          /* bits over names: asked, and not taken; NULL with cells */
        bool is_settled;
    } *alts;
    bool has_some, all_simple, any_free, counts_matter;
    uint32_t count_cap; /* member counts beyond this make no difference */
    const struct arti_goals *
        *name_goals; /* one alternative without existential conditions: goals of each name, NULL until asked */
    const struct arti_goals **class_goals; /* likewise for n_parts == 0 extras: [0] */
    arti_asks **asks; /* of each name and of others; NULL where cells are looked at, or until asked */
    const uint64_t *
        endless; /* names, and behind them others, with values without end in every alternative, as bits; NULL until asked */
} arti_object_machine;
#define ARTI_EXTRA_FREE UINT32_MAX
#define ARTI_EXTRA_NONE (UINT32_MAX - 1u)

typedef struct arti_array_machine {
    uint32_t n_alts, n_live_words;
    struct arti_array_alt {
        arti_array_shape *shape;
        bool is_settled;
    } *alts;
    uint32_t n_counts;        /* counters over all alternatives */
    const uint32_t *count_at; /* per alternative: its first counter */
    uint32_t index_cap;       /* positions from here on are alike, where no minimum or maximum matters */
    bool unique;
    const struct arti_goals **item_goals; /* one alternative without contains: goals per position up to index_cap */
} arti_array_machine;

typedef struct arti_goal_type {
    bool built;
    uint32_t n_alts;
    const arti_alt_ref *alts;
    void *machine; /* by type: arti_text_machine, arti_object_machine, arti_array_machine; NULL until asked */
} arti_goal_type;

typedef struct arti_goals {
    uint32_t id;
    uint32_t n;
    bool is_met;           /* by the preparation that is going on (art_prepare.c) */
    bool must_differ;      /* .. as items of an array */
    const arti_conj *conj; /* ascending; every one has an instance */
    arti_goal_type type[ARTI_N_TYPES];
} arti_goals;

/* The goals of n conjunctions (sorted in place; those without an instance are left out). */
const arti_goals *arti_goals_of(art_schema *s, arti_conj *conj, uint32_t n);
/* Index of a conjunction, UINT32_MAX: not there. */
static inline uint32_t arti_goals_find(const arti_goals *g, arti_conj c) {
    if (g->n == 1) return g->conj[0] == c ? 0 : UINT32_MAX;
    uint32_t lo = 0, hi = g->n;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (g->conj[mid] == c) return mid;
        if (g->conj[mid] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

/* Alternatives of a type; NULL on a fault. n_alts 0: no value of this type fits. */
const arti_goal_type *arti_goals_type(art_schema *s, const arti_goals *g, arti_type t);
const arti_text_machine *arti_goals_text(art_schema *s, const arti_goals *g);
arti_object_machine *arti_goals_object(art_schema *s, const arti_goals *g);
arti_array_machine *arti_goals_array(art_schema *s, const arti_goals *g);

const arti_cell *arti_object_cell_make(art_schema *s, arti_object_machine *m, uint32_t alt, uint32_t i);
/* What alternative `alt` asks of the value of name `i`; NULL on a fault. */
static inline const arti_cell *arti_object_cell(art_schema *s, arti_object_machine *m, uint32_t alt, uint32_t i) {
    const arti_cell *cells = m->alts[alt].cells;
    return cells && cells[i].conj != ARTI_CONJ_UNSET ? &cells[i] : arti_object_cell_make(s, m, alt, i);
}
/* What the alternatives in `live` (bits), among others, ask of the value of a name, or of one that is not declared (UINT32_MAX). NULL: there are too many
 * different things, patterns matter, or there is little to gain: cells say it; or a fault. */
const arti_asks *arti_object_asks(art_schema *s, arti_object_machine *m, uint32_t name, const uint64_t *live);
/* Index of a key among the names, UINT32_MAX. */
uint32_t arti_object_machine_find(const arti_object_machine *m, const char *key, uint32_t len);

#endif
