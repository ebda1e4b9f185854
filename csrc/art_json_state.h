/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_state.h: configurations of a JSON text that is being written (private to the art_json_* modules and art_mask.c).
 *
 * Purpose   a *state* is a small struct; open containers hang from it as a chain of immutable *frames*. Reading a byte makes a new
 *           state from an old one and leaves the old one valid, so nothing has to be undone while a trie is walked.
 * Owns      frames and what they point to live in a *region*: the run's own (kept, compacted now and then) or a scratch one
 *           (thrown away after a walk).
 * Threads   under the schema's lock.
 * Errors    a step returns false when the byte is not allowed or when the schema's fault is set.
 *
 *     state ──top──> frame of the innermost container ──parent──> ... ──> NULL
 *       │               live alternatives, names seen, counters, pending key
 *       └─ mode; goals of the value being read; the string's or number's own state
 *
 * A frame is replaced by a newer version when a key or a value in it ends. */
#ifndef ART_JSON_STATE_H
#define ART_JSON_STATE_H

#include "art_digest.h"
#include "art_goals.h"

/* ------------------------------------------------------------------ regions */

typedef struct arti_region_block {
    struct arti_region_block *next;
    size_t size; /* header included */
} arti_region_block;

typedef struct arti_region { /* bump memory with marks; blocks are kept for reuse after a reset */
    arti_mem *mem;
    arti_region_block *first, *block; /* block: the one in use */
    uint8_t *pos, *end;
    size_t used; /* bytes in blocks before the one in use */
} arti_region;

typedef struct arti_region_mark {
    arti_region_block *block;
    uint8_t *pos;
    size_t used;
} arti_region_mark;

void arti_region_init(arti_region *r, arti_mem *mem);
void arti_region_free(arti_region *r);
void *arti_region_grow(arti_region *r, size_t size);
void arti_region_reset_to(arti_region *r, arti_region_mark m);
size_t arti_region_used(const arti_region *r);

static inline arti_region_mark arti_region_mark_now(const arti_region *r) {
    return (arti_region_mark){r->block, r->pos, r->used};
}

static inline void arti_region_reset(arti_region *r, arti_region_mark m) {
    if (m.block && m.block == r->block)
        r->pos = m.pos;
    else
        arti_region_reset_to(r, m);
}

/* Uncleared, aligned to 8 bytes; NULL when refused. */
static inline void *arti_region_get(arti_region *r, size_t size) {
    size = (size + 7u) & ~(size_t)7u;
    if (size <= (size_t)(r->end - r->pos)) {
        void *p = r->pos;
        r->pos += size;
        return p;
    }
    return arti_region_grow(r, size);
}

/* ------------------------------------------------------------------ sets of hashes */

typedef struct arti_hset { /* persistent search tree over 64-bit hashes; NULL is the empty set */
    uint64_t hash;
    const struct arti_hset *left, *right;
    const struct arti_hset *moved;
} arti_hset;

bool arti_hset_has(const arti_hset *t, uint64_t hash);
const arti_hset *arti_hset_add(arti_region *r, const arti_hset *t, uint64_t hash); /* NULL: out of memory */

/* ------------------------------------------------------------------ frames and states */

/* What was found out about items that must differ, where the frame is the innermost one (art_unique.c). A new version of a frame begins
 * without. */
typedef enum arti_known { ARTI_NOT_ASKED, ARTI_NO, ARTI_YES } arti_known;
typedef struct arti_unique_known {
    uint64_t many_of;  /* goals of the pending value: as bits, for `many` */
    uint64_t other_of; /* likewise, for `other` */
    uint32_t want;     /* so many values differ from all others; 0: not asked */
    uint8_t first;     /* nothing is there that could be repeated */
    uint8_t without, with,
        many, /* the container can end: as it is; with any pending value; with many that meet goals many_of; */
        other; /* .. with one that meets goals other_of and is like no item. Not where that depends on the value (`scarce`) */
    uint8_t scarce, opens; /* see arti_clash */
} arti_unique_known;

typedef struct arti_frame {
    const struct arti_frame *parent;
    const arti_goals *goals; /* what the container itself is asked */
    void *machine;           /* arti_object_machine or arti_array_machine */
    const arti_hset *set;    /* keys that are no names of the machine; items of a unique array */
    const arti_hset *
        heads; /* objects whose other keys are in languages: at least all beginnings of the keys in `set`. Where items must
                              * differ, also what is known of such keys in finished items: see arti_unique_note_key() */
    const arti_hset *own_set; /* has_bars: `set` without what is barred */
    const struct arti_frame *moved;
    uint32_t *costs;  /* per goal of the pending value: bytes to the end of the text after it; NULL until asked */
    uint64_t set_sum; /* order-free digest of the set */
    uint64_t own_sum; /* .. of own_set */
    uint64_t hash;    /* of the members or items so far, where a unique array needs it */
    uint64_t key_hash, matches; /* pending key: digest, and languages it belongs to */
    uint64_t id;                /* digest of this frame and its parents; 0 until asked */
    uint32_t n;                 /* finished members or items */
    uint32_t key;               /* pending key: index of a name, UINT32_MAX for others */
    uint32_t next_rank;         /* order ART_ORDER_SCHEMA: names before this one are barred */
    arti_unique_known unique;
    uint32_t depth;
    bool is_object, hashing;
    bool has_bars;  /* `set` holds names that must not come next, besides those that are there (art_unique.c) */
    bool has_equal; /* arrays that are asked for unique items: two were equal */
    uint64_t bits
        []; /* live alternatives; objects: names seen, then 32-bit masks of conditions met; arrays: 32-bit counters */
} arti_frame;

typedef enum arti_mode {
    ARTI_M_VALUE,
    ARTI_M_FIRST_VALUE, /* after '[' */
    ARTI_M_FIRST_KEY,   /* after '{' */
    ARTI_M_KEY,         /* after ',' in an object */
    ARTI_M_COLON,
    ARTI_M_AFTER, /* after a value in a container */
    ARTI_M_TEXT,
    ARTI_M_KEY_TEXT,
    ARTI_M_NUMBER,
    ARTI_M_WORD,
    ARTI_M_DONE
} arti_mode;

typedef enum arti_escape { /* within a string */
                           ARTI_ESC_NONE,
                           ARTI_ESC_BACKSLASH,
                           ARTI_ESC_HEX0, /* \u read, no digit yet; HEX0 + k: k digits */
                           ARTI_ESC_HEX3 = ARTI_ESC_HEX0 + 3,
                           ARTI_ESC_LOW_BACKSLASH, /* a high surrogate was read */
                           ARTI_ESC_LOW_U,
                           ARTI_ESC_LOW_HEX0,
                           ARTI_ESC_LOW_HEX3 = ARTI_ESC_LOW_HEX0 + 3
} arti_escape;

typedef struct arti_text_state {
    const void *machine; /* TEXT: arti_text_machine; KEY_TEXT: arti_object_machine */
    union {
        uint64_t one;         /* state of the only part */
        const uint64_t *many; /* of all parts */
    } q;
    const uint64_t *offer;  /* KEY_TEXT, KEY, FIRST_KEY: names that may come; NULL: none */
    const uint64_t *others; /* likewise: alternatives that may take another name; NULL: all live ones that take any */
    const arti_hset *heads; /* KEY_TEXT: what the frame's will be with this key */
    uint64_t hash;
    uint32_t n_cp;
    uint16_t unit, high;
    uint8_t u8, escape;
    bool offer_other; /* KEY_TEXT, KEY, FIRST_KEY: other names may come */
} arti_text_state;

typedef struct arti_state {
    const arti_frame *top;
    const arti_goals *goals; /* of the value that is being read or comes next; NULL: no value possible (FIRST_VALUE) */
    uint8_t mode, n_space;
    uint8_t word, word_len; /* WORD: first letter, letters read */
    union {
        arti_text_state text;
        struct {
            arti_num num;
            const uint8_t *text; /* its bytes, where a rule or a digest may need them; else NULL */
        } number;
    };
} arti_state;

typedef struct arti_accept { /* goals that a finished value meets */
    uint64_t w[ARTI_ACCEPT_WORDS];
} arti_accept;

typedef struct arti_jctx { /* what a step needs besides the state */
    art_schema *s;
    arti_region *region; /* new frames go here */
    arti_region *keep;   /* what is remembered on frames goes here: lives as long as the frames that are kept */
    arti_region *brief;  /* .. on frames that are only there for one completion: for arti_close_write() */
    arti_num_style style;
    bool in_order; /* property order of the schema */
    bool embedded;
    bool spaced;          /* the one spelling of ART_WS_SPACED */
    bool finite;          /* numbers that doubles hold, as far as the schema lets them be such */
    uint8_t space_max;    /* whitespace in a row; UINT8_MAX: any */
    const uint8_t *ahead; /* validation: the text from the byte on that is being read; else NULL */
    size_t n_ahead;
} arti_jctx;

#define ARTI_RANK_OTHERS (UINT32_MAX - 1u) /* next_rank once an unmentioned key was written */

/* A new version of a frame, in the region; NULL: fault. */
arti_frame *arti_frame_copy(arti_jctx *x, const arti_frame *f);
/* The state before the first byte; false: fault, or nothing fits. */
bool arti_state_start(arti_jctx *x, arti_conj root, arti_state *out);
/* Reads one byte: *st is changed only when true is returned. */
bool arti_state_step(arti_jctx *x, arti_state *st, uint8_t byte);
/* The bytes so far are a whole text. */
bool arti_state_is_complete(const arti_state *st);

/* Pieces of steps that masks and completions use as well. */
static inline uint32_t arti_text_parts(const arti_state *st) {
    return st->mode == ARTI_M_TEXT ? ((const arti_text_machine *)st->text.machine)->n_parts
                                   : 1 + ((const arti_object_machine *)st->text.machine)->n_parts;
}
static inline const uint64_t *arti_text_q(const arti_state *st) {
    return arti_text_parts(st) == 1 ? &st->text.q.one : st->text.q.many;
}
static inline bool arti_live(const arti_frame *f, uint32_t alt) {
    return f->bits[alt / 64] >> (alt % 64) & 1u;
}
/* Masks of conditions met, per alternative. */
static inline const uint32_t *arti_frame_met(const arti_frame *f) {
    const arti_object_machine *m = f->machine;
    return (const uint32_t *)(f->bits + m->n_live_words + m->n_seen_words);
}
static inline const uint32_t *arti_frame_counts(const arti_frame *f) {
    return (const uint32_t *)(f->bits + ((const arti_array_machine *)f->machine)->n_live_words);
}
/* In a key: may the alternative take a name that is not declared? For those whose extra_part is not ARTI_EXTRA_NONE. */
static inline bool arti_takes_other(const arti_state *st, uint32_t alt) {
    return arti_live(st->top, alt) && (!st->text.others || st->text.others[alt / 64] >> (alt % 64) & 1u);
}
/* Is any other name possible? */
static inline bool arti_takes_any_name(const arti_state *st) {
    const arti_object_machine *m = st->top->machine;
    for (uint32_t a = 0; st->text.offer_other && m->any_free && a < m->n_alts; a++)
        if (m->alts[a].extra_part == ARTI_EXTRA_FREE && arti_takes_other(st, a)) return true;
    return false;
}
/* In a key: can some other name still come of one of the languages, whose states are q[1 ..]? */
static inline bool arti_key_has_language(const arti_state *st, const uint64_t *q) {
    const arti_object_machine *m = st->top->machine;
    for (uint32_t a = 0; st->text.offer_other && a < m->n_alts; a++)
        if (m->alts[a].extra_part < ARTI_KEY_PARTS_MAX && q[1 + m->alts[a].extra_part] && arti_takes_other(st, a))
            return true;
    return false;
}
/* In a key: the languages of other keys that some alternative takes and that are alive, as bits over the parts behind the declared names. */
static inline uint64_t arti_key_live_parts(const arti_state *st) {
    const arti_object_machine *m = st->text.machine;
    uint64_t parts = 0;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        const uint32_t p = m->alts[a].extra_part;
        if (p < ARTI_KEY_PARTS_MAX && arti_takes_other(st, a) && arti_text_q(st)[1 + p]) parts |= UINT64_C(1) << p;
    }
    return parts;
}
static inline bool arti_seen(const arti_frame *f, uint32_t name) {
    const arti_object_machine *m = f->machine;
    return f->bits[m->n_live_words + name / 64] >> (name % 64) & 1u;
}
size_t arti_frame_size(const arti_frame *f);

typedef struct arti_member {
    uint32_t name; /* of the machine; UINT32_MAX: another one */
    uint64_t hash; /* digest of another one's key; 0: one of very many */
} arti_member;

/* How far an alternative of an object frame is, for arti_object_best. The view must outlive *at. */
typedef struct arti_object_view {
    const arti_frame *frame;
    uint32_t alt;
    arti_member member; /* that is pending, or to be taken */
    bool in_order;
} arti_object_view;
void arti_object_view_init(arti_object_view *v, arti_object_at *at, const arti_jctx *x, const arti_frame *f,
                           uint32_t alt);
/* Counts the view's member as one that is there and met `met`. */
void arti_object_view_take(const arti_object_view *v, arti_object_at *at, uint32_t met);

/* The text's parts that accept now, as goals; false when none does. */
bool arti_text_accepts(arti_jctx *x, const arti_state *st, arti_accept *acc);
/* Goals that the container would meet if it ended now; false: none. */
bool arti_frame_accepts(arti_jctx *x, const arti_frame *f, arti_accept *acc);
/* What the pending key of an object frame asks of its value for an alternative: *pending are the conditions it may meet as well. */
bool arti_frame_cell(arti_jctx *x, const arti_frame *f, uint32_t alt, arti_conj *conj, uint32_t *pending);
/* Is some name, or another key, possible that begins with what was read? */
bool arti_key_alive(arti_jctx *x, const arti_state *st);
bool arti_key_alive_at(arti_jctx *x, const arti_state *st, const uint64_t *q, uint64_t hash); /* q, hash: the text's */
/* Has language q a word that is neither a declared name nor a key that is there? name, hash: of what was read before. Of a finite
 * language it looks at one word more than those are; without `word` it ends where no such key goes on alike. *word (may be NULL): digest
 * of the word, left alone where there are any number of them. */
bool arti_has_fresh_word(arti_jctx *x, const arti_frame *f, arti_re_state q, uint64_t name, uint64_t hash,
                         uint64_t *word);
/* Ends a number in a container where it stands; false: it can not end there. */
bool arti_number_end(arti_jctx *x, arti_state *st);
/* Behind '{': goes on with the alternatives that meet this goal alone. false: there are none (or a fault). */
bool arti_object_aim(arti_jctx *x, arti_state *st, uint32_t goal);
/* Is the string alive in the middle of an escape? */
bool arti_text_alive(arti_jctx *x, const arti_state *st);
/* Between characters of a string: may one come that has no spelling but an escape? */
bool arti_text_may_escape(arti_jctx *x, const arti_state *st);

#endif
