/* SPDX-License-Identifier: Apache-2.0
 *
 * art_vocab.h: what is known of a tokenizer's tokens before any schema is (private to csrc; art_vocab_* is public, see art.h).
 *
 * Purpose   a trie over the tokens' bytes in depth-first order with subtree skips, and the token sets that follow from JSON's
 *           strings alone.
 * Owns      one block (the image) that holds everything, or a mapped file with the same bytes.
 * Threads   immutable after creation; reference counted.
 * Errors    ART_E_ARG, ART_E_LIMIT, ART_E_NOMEM; files: ART_E_IO, ART_E_FORMAT.
 * Limits    ART_VOCAB_TOKENS_MAX tokens of ART_TOKEN_LEN_MAX bytes, ARTI_VOCAB_BYTES_MAX bytes in all (so nodes fit 32 bits).
 * Cost      build O(total bytes): tens of milliseconds for 128k tokens; memory about 90 bytes a token. A file opens in a few
 *           milliseconds: its checksum and every index in it are verified, so that a damaged file can not lead anywhere. A file
 *           that shrinks while it is mapped is beyond that (art_vocab_save() replaces files as a whole).
 *
 * String positions. Inside a JSON string a matcher is in one of ARTI_U8_STATES states (art_utf8.h): ARTI_U8_0 is "between
 * characters", the others are "in the middle of a character". For each of them the tokens are split into
 *   stay    bytes that may all lie inside the string: no quote, no backslash, no control character, valid UTF-8 (it may end in
 *           the middle of a character);
 *   leave   the same, then an unescaped quote, then anything: kept as (token, code points before the quote, suffix);
 *   escape  a backslash is met before the first unescaped quote: to be walked one by one;
 *   other   never possible there.
 * Code points are counted by their first byte, so a token that starts in the middle of a character does not count that one. */
#ifndef ART_VOCAB_H
#define ART_VOCAB_H

#include "art_mem.h"
#include "art_utf8.h"
#include <stdatomic.h>

#define ARTI_VOCAB_BYTES_MAX ((size_t)1 << 26)
#define ARTI_STAY_ROWS 64u
#define ARTI_KIDS_MIN 8u   /* children of a node that are worth a list, */
#define ARTI_KIDS_NEAR 48u /* .. if it has more nodes below it: others lie close together */

/* ------------------------------------------------------------------ character atoms */

/* The characters that may stand unescaped in a JSON string, cut into ranges that regular expressions tend to respect. Atom i is
 * the code points arti_atoms[i].lo .. hi; bit i of an atom set stands for it. The special bits above say what else is met. */
typedef struct arti_atom {
    uint32_t lo, hi;
} arti_atom;
#define ARTI_N_ATOMS 60u
#define ARTI_GROUP_ATOMS (ARTI_N_ATOMS + 1u) /* and one for a piece of a character */
extern const arti_atom arti_atoms[ARTI_N_ATOMS];
#define ARTI_ATOM_QUOTE (UINT64_C(1) << 60)
#define ARTI_ATOM_BACKSLASH (UINT64_C(1) << 61)
#define ARTI_ATOM_CONTROL (UINT64_C(1) << 62) /* below U+0020 */
#define ARTI_ATOM_PARTIAL (UINT64_C(1) << 63) /* invalid UTF-8, or cut in the middle of a character */
#define ARTI_ATOM_SPECIAL (ARTI_ATOM_QUOTE | ARTI_ATOM_BACKSLASH | ARTI_ATOM_CONTROL | ARTI_ATOM_PARTIAL)
uint32_t
arti_atom_of(uint32_t code_point); /* index; code_point is neither control nor quote nor backslash nor surrogate */

/* ------------------------------------------------------------------ the vocabulary */

/* Nodes stand in depth-first order, the root first; a node's first child is the next node unless `next` says that there is
 * none. Tokens sorted by bytes stand in `order`: node i's own tokens are order[node[i].tok .. node[i + 1].tok), those of its
 * subtree order[node[i].tok .. node[node[i].next].tok). There is a sentinel behind the last node. Walking a trie pruned:
 *
 *     for (i = 1; i < n_nodes;) { d = node[i].depth;   // depth of the root's children is 1
 *         state[d] = step(state[d - 1], node[i].byte);
 *         if (dead(state[d])) { i = node[i].next; continue; }
 *         allow tokens order[node[i].tok .. node[i + 1].tok);  i++; } */
typedef struct arti_node {
    uint32_t next; /* index just behind the subtree */
    uint32_t tok;
    uint16_t depth;
    uint8_t byte;
    uint8_t height; /* bytes of the longest path below it that stays in a string; saturates */
} arti_node;

typedef struct arti_leave { /* a token that leaves the string it begins in; the quote is byte n_byte of it */
    uint32_t token;
    uint16_t n_cp;   /* code points that begin before the quote */
    uint16_t n_byte; /* bytes before the quote */
    uint32_t head;   /* the text before the quote: index into heads. Only for tokens that leave from ARTI_U8_0 */
} arti_leave;

typedef struct arti_head { /* what several tokens that leave from ARTI_U8_0 begin with */
    uint32_t bytes;        /* offset into token bytes */
    uint16_t len, n_cp;
} arti_head;

typedef enum arti_escaped_kind {
    ARTI_ESCAPED_STAYS, /* all of it lies inside the string */
    ARTI_ESCAPED_CUT,   /* the token ends within an escape, which begins at byte `tail` */
    ARTI_ESCAPED_LEAVES /* the quote is the byte before `tail` */
} arti_escaped_kind;

typedef struct arti_escaped { /* a token with an escape, possible from ARTI_U8_0: what it says */
    uint32_t token;
    uint32_t text; /* offset into escape_text: the characters before the unfinished escape, or the quote, decoded */
    uint16_t len, n_cp; /* of the text, which may end in the middle of a character */
    uint16_t tail;      /* byte of the token */
    uint16_t kind;      /* arti_escaped_kind */
} arti_escaped;

typedef struct
    arti_suffix {      /* tokens that leave with the same bytes after the quote; bytes are those of any of its tokens */
    uint32_t first, n; /* into `leave` */
    uint32_t bytes;    /* offset into token bytes */
    uint32_t len;      /* 0: the token ends with the quote */
} arti_suffix;

typedef struct arti_group { /* stay tokens from ARTI_U8_0 that are alike in their atoms */
    uint64_t rest; /* exactly the atoms of the characters behind the first one; ARTI_ATOM_PARTIAL: the last is cut */
    uint32_t first, n; /* into group_ids / group_cps, ascending by code points */
    int32_t row;       /* index of a dense row of all its tokens, or -1 */
    uint16_t max_cp;   /* of any of its tokens */
    uint16_t atom;     /* of the first character; ARTI_N_ATOMS: the token is a piece of one character */
} arti_group;

typedef struct arti_u8_sets { /* per string state */
    uint32_t stay,
        n_stay; /* into stay_ids / stay_cps, ascending by code points. For ARTI_U8_0, whose stay tokens are in the rows,
                                  only those of more than ARTI_STAY_ROWS - 2 code points */
    uint32_t suffix, n_suffix; /* into suffixes */
    uint32_t escape, n_escape; /* into escape_ids */
} arti_u8_sets;

typedef struct arti_vocab_header arti_vocab_header; /* of the image; private to art_vocab.c */

struct art_vocab {
    atomic_uint refs;
    arti_mem mem;
    arti_vocab_header *image;
    size_t image_size;
    bool is_mapped;
    struct arti_lex *lex;     /* art_lex.h: not part of the image */
    struct arti_bases *bases; /* art_bases.h: likewise */
    struct arti_rows *rows;   /* art_rows.h: the only part that changes */

    uint32_t n_tokens, n_words, n_nodes, n_eos, n_order, n_groups, n_dense, n_suffixes, n_heads, n_escapes;
    uint32_t n_escapes_stay; /* of `escapes`; those that leave stand behind them */
    uint32_t token_len_max;  /* bytes; no node is deeper */
    uint32_t stay_cp_max;    /* most code points of a stay token from ARTI_U8_0 */
    const uint8_t *bytes;
    const uint32_t *offsets; /* n_tokens + 1 */
    const uint32_t *eos;     /* ids, ascending */
    const arti_node *node;   /* n_nodes + 1 */
    const uint64_t *below;   /* per node: atoms and special bits of all bytes below it; for nodes between characters */
    const uint32_t *order;   /* token ids with bytes (end-of-sequence ones left out), sorted by bytes */
    const uint32_t *root_child; /* 256: the root's child with that byte, 0 for none */
    /* Children of the nodes that have many (ARTI_KIDS_MIN, ARTI_KIDS_NEAR): bit i of kid_mark stands for node i, and of the marked nodes,
     * which kid_rank counts before each word, the k-th one has kid_first[k] .. kid_first[k + 1] - 1. */
    const uint64_t *kid_mark;
    const uint32_t *kid_rank, *kid_first, *kid_node;
    const uint8_t *kid_byte; /* ascending for each parent */

    /* Row k < ARTI_STAY_ROWS - 1: tokens that stay from ARTI_U8_0 with at most k code points; the last row: all that stay. */
    const uint32_t *stay_rows; /* ARTI_STAY_ROWS rows of n_words */
    const arti_u8_sets *u8;    /* ARTI_U8_STATES */
    const uint32_t *stay_ids;
    const uint16_t *stay_cps;
    const arti_suffix *suffixes; /* per state ascending by bytes */
    const arti_leave *leave;     /* within a suffix ascending by n_cp */
    const uint32_t *escape_ids;
    const arti_head *heads;      /* ascending by bytes */
    const arti_escaped *escapes; /* those escape tokens of ARTI_U8_0 that some string admits */
    const uint8_t *escape_text;

    const arti_group *groups; /* ascending by their first atom */
    const uint32_t
        *group_of; /* ARTI_GROUP_ATOMS + 1: groups whose first atom is i are group_of[i] .. group_of[i + 1] - 1 */
    const uint32_t *group_ids;
    const uint16_t *group_cps;
    const uint32_t *dense_rows; /* n_dense rows of n_words */

    const uint32_t *space_row; /* only JSON whitespace */
    const uint32_t *digit_row; /* only 0..9 */
    const uint32_t *text_row;  /* every token of `order` */
    const uint32_t *free_row;  /* those that stay in a string which admits everything, from ARTI_U8_0 */
    const uint32_t *eos_row;
};

/* Ways to leave a string that is between characters: bit h stands for head h, and behind the heads bit i for escape n_escapes_stay + i. */
static inline uint32_t arti_vocab_end_words(const art_vocab *v) {
    return (v->n_heads + v->n_escapes - v->n_escapes_stay + 31u) / 32u;
}

art_vocab *arti_vocab_ref(art_vocab *v); /* one more reference; art_vocab_free() drops it */

static inline const uint8_t *arti_vocab_bytes(const art_vocab *v, uint32_t id, size_t *len) {
    *len = v->offsets[id + 1] - v->offsets[id];
    return v->bytes + v->offsets[id];
}
/* Nothing but \\ or \\u: any character can be written like that. */
static inline bool arti_escape_is_bare(const art_vocab *v, const arti_escaped *e) {
    return e->kind == ARTI_ESCAPED_CUT && e->len == 0 && v->offsets[e->token + 1] - v->offsets[e->token] <= 2;
}
/* The row of tokens that stay in a string between characters and begin at most `room` code points there; NULL when there is no such
 * row because room lies between the rows and stay_cp_max: then arti_vocab_copy_stay() puts it together. */
static inline const uint32_t *arti_vocab_stay(const art_vocab *v, uint32_t room) {
    if (room >= v->stay_cp_max) return v->stay_rows + (size_t)(ARTI_STAY_ROWS - 1u) * v->n_words;
    return room < ARTI_STAY_ROWS - 1u ? v->stay_rows + (size_t)room * v->n_words : NULL;
}
void arti_vocab_copy_stay(const art_vocab *v, uint32_t room, uint32_t *words); /* the same, copied; for any room */

#endif
