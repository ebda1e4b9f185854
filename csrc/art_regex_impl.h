/* SPDX-License-Identifier: Apache-2.0
 *
 * art_regex_impl.h: what the files of the regular-language module share (private to art_regex*.c).
 *
 *   art_regex.c        context, character classes, terms and their simplification
 *   art_regex_parse.c  patterns to terms
 *   art_regex_dfa.c    derivatives, partitions of the alphabet, byte states
 *   art_regex_query.c  what may follow a state: liveness, lengths, witnesses
 *   art_regex_safe.c   what whole ranges of characters do
 *   art_regex_digest.c digests of terms
 *
 * A term is read in two ways. As a *language* it is a set of whole texts. Inside a concatenation or a loop it is a
 * *relation*: the pairs of places (i, j) of a text between which it matches. The two zero-width atoms need the second
 * reading:
 *
 *   AHEAD(p)   matches at i when the text from i to its end belongs to p
 *   BEHIND(q)  matches at i when the text from where the term began up to i belongs to q
 *
 * so `^` is BEHIND(EMPTY), `$` is AHEAD(EMPTY), and `(?!x)` is AHEAD(NOT(x ANY)). After one character, what BEHIND(q)
 * asks of the text still to come is BEHIND(derivative of q): taking a derivative *shifts* all BEHIND atoms of what is
 * left. AND and NOT always hold languages. */
#ifndef ART_REGEX_IMPL_H
#define ART_REGEX_IMPL_H

#include "art_regex.h"
#include "art_utf8.h"

#define RE_CODE_POINT_MAX 0x10FFFFu
#define RE_NIL UINT32_MAX

/* ------------------------------------------------------------------ interning */

/* A hash index over things that are numbered 0, 1, 2 .. elsewhere. */
typedef struct re_slot {
    uint32_t hash, id; /* id RE_NIL: free */
} re_slot;

typedef struct re_index {
    re_slot *slots;
    uint32_t size, used; /* size is a power of two, or 0 */
} re_index;

/* Next candidate with this hash: *at starts as the hash and is advanced; RE_NIL at the end. */
static inline uint32_t re_index_next(const re_index *ix, uint32_t hash, uint32_t *at) {
    if (!ix->size) return RE_NIL;
    for (;;) {
        const re_slot *s = &ix->slots[*at & (ix->size - 1)];
        ++*at;
        if (s->id == RE_NIL) return RE_NIL;
        if (s->hash == hash) return s->id;
    }
}

static inline uint32_t re_mix(uint32_t h, uint32_t v) {
    h = (h ^ v) * 0x9E3779B1u;
    return h ^ (h >> 15);
}

/* ------------------------------------------------------------------ classes and terms */

typedef struct re_class {        /* a set of scalar values; never empty */
    const arti_re_range *ranges; /* sorted, disjoint, not adjacent, without surrogates */
    uint32_t n;
    uint32_t hash;
    uint64_t ascii[2];
} re_class;

#define RE_CLASS_FULL 0u /* the class of all scalar values */
#define RE_ANY_CHAR 3u   /* its term */

typedef enum re_kind {
    RE_NONE,
    RE_EMPTY,
    RE_ANY,
    RE_CLASS,   /* a: class */
    RE_MACHINE, /* a: number of the machine, b: its state */
    RE_CONCAT,  /* a: not a CONCAT, b */
    RE_LOOP,    /* a, min, max */
    RE_OR,      /* kids, sorted, at least two, none of them an OR */
    RE_AND,     /* kids, sorted, at least two, none of them an AND */
    RE_NOT,     /* a */
    RE_AHEAD,   /* a */
    RE_BEHIND   /* a */
} re_kind;

enum {
    RE_NULLABLE = 1,   /* matches the empty rest at the beginning of the text */
    RE_HAS_AHEAD = 2,  /* an AHEAD that sees what follows this term */
    RE_HAS_BEHIND = 4, /* a BEHIND anywhere inside */
    RE_LOOKS = RE_HAS_AHEAD | RE_HAS_BEHIND,
    RE_EXACT = 8,        /* built without AND, NOT and lookarounds: not empty, and the lengths are exact */
    RE_CONTIGUOUS = 16,  /* EXACT, and the lengths have no gaps */
    RE_HAS_MACHINE = 32, /* a MACHINE that re_cover() replaces */
    RE_STRETCHES = 64    /* EXACT, and whatever is alive ends in any number of characters of one class */
};

/* A language that is easier to step through than to spell out. Every state must lead to acceptance. */
typedef struct re_machine {
    const char *symbols;                           /* the characters it knows, ASCII; any other one leads nowhere */
    uint32_t (*step)(uint32_t state, char symbol); /* RE_NIL: nowhere */
    bool (*accepts)(uint32_t state);
    void (*lengths)(uint32_t state, uint32_t *shortest, uint32_t *longest);
    arti_re (*shape)(arti_re_ctx *c, uint32_t state); /* see re_shape() */
    arti_re (*cover)(arti_re_ctx *c, uint32_t state); /* see re_cover() */
} re_machine;

#define RE_REACHES 3u

typedef struct re_node {
    uint8_t kind; /* re_kind */
    uint8_t flags;
    uint8_t counters; /* see re_near() */
    uint32_t a, b;    /* OR and AND: b is the number of kids */
    uint32_t min, max;
    uint32_t shortest, longest;       /* bounds of the lengths; exact with RE_EXACT */
    uint32_t vertex;                  /* RE_NIL: none so far */
    arti_re shape, cover;             /* RE_NIL: not computed so far */
    arti_re near[RE_REACHES];         /* likewise, by how far re_near() looks */
    uint32_t farthest;                /* see arti_re_get_farthest(); RE_NIL: not computed so far */
    uint32_t mark_first, mark_behind; /* epochs of the walk that collects first classes */
    const uint32_t *kids;
} re_node;

/* ------------------------------------------------------------------ alphabet, vertices, byte states */

/* How a byte goes on from a byte state. */
typedef enum re_move_kind {
    RE_MOVE_DEAD,  /* not UTF-8 here */
    RE_MOVE_CHAR,  /* ends a character of block `value` */
    RE_MOVE_BLOCK, /* all characters that begin like this are of block `value`; a fixed split reads the rest of them */
    RE_MOVE_MIXED, /* characters of several blocks begin like this, the first of them being `value` */
    RE_MOVE_TAIL,  /* the term is known already; a fixed split reads the rest of the character */
    RE_MOVE_END    /* the same, and this was its last byte */
} re_move_kind;

typedef struct re_move {
    uint8_t kind; /* re_move_kind */
    uint8_t u8;   /* ARTI_U8_* after the byte */
    uint32_t value;
} re_move;

/* Sorts the 256 bytes that may come next into classes of equal moves. */
typedef struct re_split {
    uint8_t byte_class[256];
    const re_move *moves; /* by byte class */
    uint32_t n_moves;
    uint32_t part;   /* partition; RE_NIL for the fixed splits, which read the rest of a character and nothing else */
    uint32_t base;   /* bits of the character that are known; 0 at its beginning */
    uint32_t lo, hi; /* characters that are possible */
    uint8_t u8;      /* ARTI_U8_* before the byte; ARTI_U8_0 at the beginning of a character */
} re_split;

/* The alphabet cut into blocks that a set of classes does not tell apart. */
typedef struct re_part {
    const uint32_t *classes; /* sorted */
    uint32_t n_classes;
    uint32_t n_blocks, n_cuts;
    const uint32_t *cut;       /* first code points of the stretches, sorted; cut[0] is 0 */
    const uint32_t *cut_block; /* block of each stretch; RE_NIL for the surrogates. Neighbours differ. */
    const uint32_t *sample;    /* by block: its most readable character */
    const uint32_t *by_taste;  /* blocks, most readable first */
    uint32_t root;             /* split */
    const uint64_t *touch;     /* by block: the context's ranges that it has characters of; NULL until asked */
} re_part;

enum { RE_MAYBE = 0, RE_YES = 1, RE_NO = 2 };

typedef struct re_vertex { /* a term as a state over characters */
    arti_re term;
    uint32_t part;
    arti_re *next;                  /* by block; RE_NIL: not computed so far */
    uint32_t shortest, longest;     /* when has_shortest, has_longest */
    uint32_t mark, parent, n_tried; /* of the search under way (arti_re_ctx.queue) */
    uint32_t mark_path;             /* of the walk under way (arti_re_ctx.path) */
    uint32_t set;                   /* the set of this vertex alone; RE_NIL: none so far */
    uint32_t mark_reach, distance;  /* of the search in art_regex_safe.c */
    uint64_t alive_all, alive_some; /* when has_alive: the context's ranges that are alive, wholly or in part */
    const arti_re_safe *safe;       /* NULL until asked */
    uint8_t live, universal, closed, contiguous; /* RE_MAYBE, RE_YES, RE_NO */
    bool has_shortest, has_longest, has_alive;
    bool is_hard; /* its longest length was too much work to find */
} re_vertex;

typedef struct re_info { /* what belongs to a byte state besides its row */
    arti_re term;
    uint32_t split;
    arti_re_lengths lengths;
    _Atomic uint32_t has_lengths;
    const arti_re_bytes *live_bytes; /* NULL until asked */
} re_info;

/* A set of vertices that texts of one length lead to: the automaton over lengths, made deterministic. */
typedef struct re_set {
    const uint32_t *vertices; /* sorted, live */
    uint32_t n;
    uint32_t next; /* set one character later, RE_NIL: not computed so far */
    uint32_t mark;
    bool accepts;
} re_set;

/* ------------------------------------------------------------------ context */

typedef struct re_digest { /* both 0: not computed so far */
    uint64_t word[2];
} re_digest;

enum { RE_OP_DERIVE, RE_OP_SHIFT, RE_OP_CONSUME, RE_OP_ASSUME };

typedef struct re_memo { /* results of the derivative under way */
    uint64_t key;
    uint32_t epoch;
    arti_re result;
} re_memo;

typedef struct re_vec { /* growing array of uint32_t used as a stack */
    uint32_t *at;
    size_t n, cap;
} re_vec;

typedef struct re_vec64 {
    uint64_t *at;
    size_t n, cap;
} re_vec64;

struct arti_re_ctx {
    arti_re_head head;
    arti_mem *mem;
    arti_arena arena;
    art_error err;
    uint32_t work;        /* left for this call */
    uint32_t work_max;    /* of a call */
    uint64_t work_before; /* done by the calls before it */
    uint32_t epoch;

    re_class *classes;
    size_t classes_cap;
    uint32_t n_classes;
    re_index class_index;

    re_node *nodes;
    size_t nodes_cap;
    uint32_t n_nodes;
    re_index node_index;

    const re_machine *machines[4];
    uint32_t n_machines;

    re_memo *memo;
    size_t memo_size, memo_used;
    uint32_t memo_epoch;
    uint32_t cp;   /* character of the derivative under way */
    re_vec64 todo; /* pending derivatives */

    re_part *parts;
    size_t parts_cap;
    uint32_t n_parts;
    re_index part_index;

    re_split **splits; /* they stay where they are: rows point into them */
    size_t splits_cap;
    uint32_t n_splits;
    re_index split_index;

    re_vertex *vertices;
    size_t vertices_cap;
    uint32_t n_vertices;

    re_info *info_pages[ARTI_RE_STATES_MAX / ARTI_RE_PAGE];
    uint32_t n_states;
    re_index state_index;

    re_set *sets;
    size_t sets_cap;
    uint32_t n_sets;
    re_index set_index;

    arti_re_range ranges[ARTI_RE_RANGES_MAX]; /* see arti_re_set_ranges() */
    uint16_t range_weights[ARTI_RE_RANGES_MAX];
    uint32_t n_ranges;
    uint32_t n_unsettled; /* searches of re_farthest() that were too much work */

    re_digest *digests; /* by term, the first n_digests */
    uint32_t n_digests;
    uint64_t digest_key[2];

    re_vec items;             /* of the pattern being read */
    re_vec tmp;               /* operands of the constructors under way */
    re_vec wide;              /* unions that the derivative under way has gone through */
    re_vec walk;              /* of collect_classes */
    re_vec queue;             /* of the searches for liveness and shortest lengths */
    re_vec64 heap;            /* .. and what is nearest to acceptance */
    re_vec reach;             /* of the search in art_regex_safe.c */
    re_vec path;              /* of the walks in art_regex_query.c that call these searches */
    re_vec work_area;         /* of re_part_of */
    re_vec64 keys;            /* alternatives being merged */
    re_vec64 sort;            /* ranges being sorted */
    arti_re_range *range_buf; /* the class being made */
    size_t range_n, range_cap;
};

/* Sets the context's error; returns ARTI_RE_FAIL. */
uint32_t re_refuse(arti_re_ctx *c, art_status code, size_t pos, const char *fmt, ...) ARTI_PRINTF(4, 5);
uint32_t re_refuse_memory(arti_re_ctx *c);
/* Takes n from this call's work; false (with the error set) when it is used up. */
bool re_spend_slow(arti_re_ctx *c);
static inline bool re_spend(arti_re_ctx *c, uint32_t n) {
    if (c->work < n) return re_spend_slow(c);
    c->work -= n;
    return true;
}
static inline void re_begin(arti_re_ctx *c) {
    c->work_before += c->work_max - c->work;
    c->work = c->work_max;
}

bool re_index_add(arti_re_ctx *c, re_index *ix, uint32_t hash, uint32_t id);
bool re_push(arti_re_ctx *c, re_vec *v, uint32_t x);
bool re_push64(arti_re_ctx *c, re_vec64 *v, uint64_t x);
void re_sort(uint32_t *a, size_t n);
void re_sort64(uint64_t *a, size_t n);
/* Next number for marks and memos of one walk. */
uint32_t re_next_epoch(arti_re_ctx *c);

/* Classes are made in range_buf: add ranges in any order, then finish. */
static inline void re_ranges_reset(arti_re_ctx *c) {
    c->range_n = 0;
}
bool re_ranges_add(arti_re_ctx *c, uint32_t lo, uint32_t hi);
bool re_ranges_add_class(arti_re_ctx *c, uint32_t cls);
bool re_ranges_normalise(arti_re_ctx *c);
bool re_ranges_invert(arti_re_ctx *c);    /* normalises first */
arti_re re_ranges_finish(arti_re_ctx *c); /* NONE, or a CLASS term */
bool re_class_has(const re_class *k, uint32_t cp);

/* Constructors without a new allowance of work. Operands of re_or and re_and are tmp[base ..], which they take off. */
arti_re re_machine_term(arti_re_ctx *c, const re_machine *m, uint32_t state);
arti_re re_class_term(arti_re_ctx *c, uint32_t cls);
arti_re re_concat(arti_re_ctx *c, arti_re a, arti_re b);
arti_re re_loop(arti_re_ctx *c, arti_re a, uint32_t min, uint32_t max);
arti_re re_or(arti_re_ctx *c, size_t base);
arti_re re_and(arti_re_ctx *c, size_t base);
arti_re re_or2(arti_re_ctx *c, arti_re a, arti_re b);
arti_re re_and2(arti_re_ctx *c, arti_re a, arti_re b);
arti_re re_not(arti_re_ctx *c, arti_re a);
arti_re re_ahead(arti_re_ctx *c, arti_re p);
arti_re re_behind(arti_re_ctx *c, arti_re q);
/* The term with every class widened to all characters: of the same lengths, and much smaller. t itself where that is
 * not known to hold: t must be RE_EXACT, or an intersection of such terms of which one at most says more than
 * lengths. */
arti_re re_shape(arti_re_ctx *c, arti_re t);
/* A language that has all texts of t, with machines replaced by simpler terms that take more: where no text fits the cover none fits
 * t, and that is found without going through the machine's states. t itself where it has no machine. */
arti_re re_cover(arti_re_ctx *c, arti_re t);
/* A language that agrees with t on texts of at most *reach characters and has all texts of t, without the counters that so few characters do
 * not exhaust. t itself where there are none. */
arti_re re_widen(arti_re_ctx *c, arti_re t, uint32_t *reach);
/* The same, and texts of at most *reach characters are alive in both or in none. t itself, and ARTI_RE_UNBOUNDED, also where t is not RE_EXACT
 * and it would be too much work to see that whatever is alive can be ended soon. (What an exact term has begun can be ended within its bounds; in an
 * intersection, the bounds of one operand may be too narrow for the others.) */
arti_re re_near(arti_re_ctx *c, arti_re t, uint32_t *reach);
/* arti_re_get_farthest() of a term; ARTI_RE_UNBOUNDED: not known. False on ART_E_NOMEM only. */
bool re_farthest(arti_re_ctx *c, arti_re t, uint32_t *n);
/* Length of a shortest text of a live term. */
bool re_shortest(arti_re_ctx *c, arti_re t, uint32_t *n);
/* A relation that spans the whole text, as a language: lookarounds at its two ends are decided. */
arti_re re_close(arti_re_ctx *c, arti_re t);
/* The same at the end only, for what a lookahead asks. */
arti_re re_close_end(arti_re_ctx *c, arti_re t);

/* The language of what may follow character cp. */
arti_re re_derive(arti_re_ctx *c, arti_re t, uint32_t cp);

/* The vertex of a term, RE_NIL on failure. */
uint32_t re_vertex_of(arti_re_ctx *c, arti_re t);
/* The term that vertex v goes to with a character of the block. */
arti_re re_next(arti_re_ctx *c, uint32_t v, uint32_t block);
/* Index of the stretch that cp lies in. */
uint32_t re_cut_of(const re_part *p, uint32_t cp);
/* Bytes still to come in an ARTI_U8_* state. */
static inline uint32_t re_tail(uint8_t u8) {
    static const uint8_t n[ARTI_U8_STATES] = {0, 1, 2, 3, 2, 2, 3, 3};
    return n[u8];
}
/* Smallest and largest character that begins with the bits of base and goes on in state u8. */
void re_span(uint32_t base, uint8_t u8, uint32_t *lo, uint32_t *hi);
/* May a text of term t go on with a character between lo and hi? RE_MAYBE on failure. */
uint8_t re_is_live_between(arti_re_ctx *c, arti_re t, uint32_t lo, uint32_t hi);
/* The state of a term between two characters; ARTI_RE_FAIL gives ARTI_RE_FAIL. */
arti_re_state re_whole_state(arti_re_ctx *c, arti_re t);
/* Of a live term. */
bool re_term_lengths(arti_re_ctx *c, arti_re t, arti_re_lengths *out);
/* The dead state. */
bool re_dfa_init(arti_re_ctx *c);

/* t, or an alternative of it, that is any text and something exact behind it, as in patterns that search; RE_NIL: there is none. */
arti_re re_open_part(const arti_re_ctx *c, arti_re t);

/* RE_YES, RE_NO, or RE_MAYBE when that could not be found out (error set). */
uint8_t re_is_live(arti_re_ctx *c, arti_re t);

static inline re_info *re_info_of(const arti_re_ctx *c, arti_re_state s) {
    return &c->info_pages[s / ARTI_RE_PAGE][s % ARTI_RE_PAGE];
}

/* Decodes one character of untrusted text; its length, or 0 when it is not UTF-8. */
static inline size_t re_decode(const uint8_t *s, size_t len, uint32_t *cp) {
    size_t n = 0;
    uint8_t u8 = ARTI_U8_0;
    do {
        if (n == len) return 0;
        u8 = arti_u8_next(u8, s[n++]);
        if (u8 == ARTI_U8_BAD) return 0;
    } while (u8 != ARTI_U8_0);
    *cp = arti_u8_get(s, &n);
    return n;
}

#endif
