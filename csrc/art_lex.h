/* SPDX-License-Identifier: Apache-2.0
 *
 * art_lex.h: tokens as JSON's lexis sees them (private to csrc).
 *
 * Purpose   what is known of a vocabulary's tokens outside strings, and where they cross a quote: tries in which optional whitespace is
 *           folded away and that hold no token which JSON rules out, decoded forms of tokens with escapes, and look-up of a trie node's
 *           child by its byte.
 * Owns      its arrays; token bytes and nodes are borrowed from the vocabulary that it belongs to.
 * Threads   immutable after creation.
 * Errors    NULL when the allocator refuses.
 * Cost      build: one pass over the trie, a quarter of a millisecond for 128k tokens. Memory: a few hundred kilobytes. */
#ifndef ART_LEX_H
#define ART_LEX_H

#include "art_bits.h"
#include "art_vocab.h"
#include <string.h>

#define ARTI_LEX_NATURALS 2u /* see start_rows */
#define ARTI_LEX_NUMBERS 4u

#define ARTI_LEX_NO_TEXT 256u

/* How a token spells its whitespace, where constraints limit that. Numbers saturate. */
typedef struct arti_lex_space {
    uint8_t lead;   /* whitespace before anything else */
    uint8_t run;    /* the longest other run outside strings */
    bool is_spaced; /* one space after each comma and colon, none elsewhere, `lead` aside (then spaces only) */
} arti_lex_space;

typedef struct arti_lex_node { /* depth first, as arti_node */
    uint32_t next, tok; /* entries of the node are tok .. node[i + 1].tok, of its subtree tok .. node[next].tok */
    uint32_t open;      /* a first opening quote: index into opens; else UINT32_MAX */
    uint16_t depth;
    uint8_t byte;
    uint8_t digits; /* levels of a subtree that holds digits only, this node's included; 0: other bytes are there */
} arti_lex_node;

typedef struct arti_lex_close { /* a node that closes the first string of its path */
    uint32_t node;
    uint32_t text, len;      /* what stands in the string: offset into token bytes. No escapes. */
    uint64_t hash;           /* digest of that, as a key has it */
    uint32_t head;           /* of the vocabulary, the same text; UINT32_MAX: none */
    uint32_t leave, n_leave; /* entries at and below it: into leaves */
    bool may_repeat;         /* below it: another key ends within the token, which may be the same one */
} arti_lex_close;

typedef struct
    arti_lex_stay { /* an entry whose first string is not closed, and has no escapes: what stands in the string */
    uint32_t text;  /* offset into token bytes */
    uint32_t twin;  /* a token that is just that; UINT32_MAX: none */
    uint16_t len;
    uint8_t first; /* byte, which is read more often than the rest */
} arti_lex_stay;

typedef struct arti_lex_odd { /* an entry whose first string has an escape */
    uint32_t entry;
    uint32_t rest, len; /* everything behind the opening quote: offset into token bytes */
    bool stays;         /* the string is not closed; its escapes are sound */
    uint32_t twin;      /* .. a token that is just that; UINT32_MAX: none */
} arti_lex_odd;

typedef struct arti_lex_leave { /* an entry that closes its first string, without escapes in it */
    uint32_t id, tail;          /* tail: number of what stands behind the quote, see arti_lex */
    arti_lex_space space;
} arti_lex_leave;

typedef struct arti_lex_open { /* what lies below an opening quote */
    uint32_t stay, n_stay;     /* into stay_ids, stay_spaces, stays: ascending by twin */
    uint32_t close, n_close;   /* into closes, in the order of nodes */
    uint32_t odd, n_odd;       /* into odds */
} arti_lex_open;

typedef struct arti_lex_head { /* a node of the trie over the vocabulary's heads, depth first */
    uint32_t next;             /* index just behind the subtree */
    uint32_t
        first; /* head: the first one at or below the node. Those of the subtree are first .. node[next].first - 1 */
    uint16_t depth;
    uint8_t byte;
    bool is_head; /* `first` ends here */
} arti_lex_head;

typedef struct arti_lex_trie {
    uint32_t n_nodes, n_entries;
    arti_lex_node *node; /* the root first; a sentinel behind the last */
    uint32_t child[256]; /* of the root; 0: none */
    uint32_t *ids;       /* per entry: token, or suffix (tail) */
    arti_lex_space *spaces;
    arti_lex_open *opens;
    arti_lex_close *closes;
    arti_lex_leave *leaves;
    arti_lex_odd *odds;
    uint32_t *stay_ids;
    arti_lex_space *stay_spaces;
    arti_lex_stay *stays;
} arti_lex_trie;

typedef struct arti_lex {
    arti_mem mem;
    arti_arena arena;
    arti_lex_trie out; /* from outside a string and a number; the root's entries are whitespace */
    arti_lex_trie num; /* from within a number, beginning with a byte of it */

    /* From behind a closing quote. The ids number what stands there: below u8[ARTI_U8_0].n_suffix the vocabulary's suffix, then what
     * only tokens with an opening quote have. */
    arti_lex_trie tail;
    uint32_t n_tails, n_twice;
    const uint8_t *plain; /* per tail: 1 nothing or whitespace, 2 a colon and perhaps whitespace, else 0 */
    /* Bits over the vocabulary's suffixes: a string or a key begins in it, whose opening quote is the last byte; any other value or key does. */
    const uint64_t *opens_at_end, *begins_value;
    const uint32_t *twice; /* suffixes of a key that hold another one: it may be the same */

    /* What stands before a closing quote in tokens that begin in a string, without escapes, as far as `tail` knows what follows. */
    arti_lex_trie heads;
    const uint32_t *head_tails; /* per entry */

    /* Where a value or a key may begin and whitespace is not limited: whitespace; 1: and tokens that open a string without bounds and stay in
     * it; + ARTI_LEX_NATURALS: and digits; + ARTI_LEX_NUMBERS: and those after a minus sign, and this. */
    const uint32_t *start_rows[6];
    bool has_number_rows;            /* those with numbers are of use: all that begins like one is digits */
    const uint32_t *digit_space_row; /* digits only, and whitespace */
    uint32_t digits_max;             /* .. with which a token goes on with a number */

    /* The vocabulary's free_row, and tokens that leave with no more than a colon and whitespace behind the quote. */
    const uint32_t *key_row;
    const uint32_t *text_row; /* the same without colons */
    /* Per escape of the vocabulary that leaves: what follows its quote; UINT32_MAX: no tail is the same. */
    const uint32_t *escape_tails;
    /* Per escape of the vocabulary: the first byte of its text; ARTI_LEX_NO_TEXT: it has none. */
    const uint16_t *escape_first;
    uint64_t escape_bytes[4]; /* those bytes */
    uint32_t n_bare;
    const uint32_t *bare_escapes; /* the escapes without text */
    uint32_t head_len_max;        /* bytes of the vocabulary's longest head */
    uint32_t n_head_nodes;
    const arti_lex_head *head_nodes; /* the root first, which is the empty text; a sentinel behind the last */

    /* Nodes of the vocabulary's trie that follow any run of whitespace (an empty one too), grouped by their byte. */
    const uint32_t *space_nodes;
    uint32_t space_first[257];
} arti_lex;

arti_lex *arti_lex_new(const art_vocab *v, const art_alloc *alloc);
void arti_lex_free(arti_lex *lex);
size_t arti_lex_memory(const arti_lex *lex);

/* The head of the vocabulary with these bytes; UINT32_MAX: none. */
uint32_t arti_lex_find_head(const art_vocab *v, const uint8_t *bytes, size_t len);

/* Which list of children is the node's? UINT32_MAX: it has few, see arti_node. */
static inline uint32_t arti_lex_kids(const art_vocab *v, uint32_t node) {
    const uint64_t mark = v->kid_mark[node / 64] >> (node % 64);
    if (!(mark & 1u)) return UINT32_MAX;
    return v->kid_rank[node / 64] + arti_bits_count64(v->kid_mark[node / 64] & (((uint64_t)1 << (node % 64)) - 1));
}

typedef struct arti_lex_kids_at { /* children of a node of the vocabulary's trie, one after the other */
    uint32_t at, end;             /* of the lists, or nodes */
    bool in_list;                 /* then no node is looked at before it is wanted */
} arti_lex_kids_at;

static inline arti_lex_kids_at arti_lex_kids_of(const art_vocab *v, uint32_t node) {
    const uint32_t list = arti_lex_kids(v, node);
    if (list == UINT32_MAX) return (arti_lex_kids_at){node + 1, node ? v->node[node].next : v->n_nodes, false};
    return (arti_lex_kids_at){v->kid_first[list], v->kid_first[list + 1], true};
}

static inline bool arti_lex_next_kid(const art_vocab *v, arti_lex_kids_at *kids, uint32_t *node, uint8_t *byte) {
    if (kids->at >= kids->end) return false;
    *node = kids->in_list ? v->kid_node[kids->at] : kids->at;
    *byte = kids->in_list ? v->kid_byte[kids->at] : v->node[kids->at].byte;
    kids->at = kids->in_list ? kids->at + 1 : v->node[kids->at].next;
    return true;
}

/* Child of a node of the vocabulary's trie; 0: none. */
static inline uint32_t arti_lex_child(const art_vocab *v, uint32_t node, uint8_t byte) {
    if (node == 0) return v->root_child[byte];
    const uint32_t list = arti_lex_kids(v, node);
    if (list != UINT32_MAX) {
        const uint32_t first = v->kid_first[list], n = v->kid_first[list + 1] - first;
        const uint8_t *p = memchr(v->kid_byte + first, byte, n);
        return p ? v->kid_node[p - v->kid_byte] : 0;
    }
    for (uint32_t k = node + 1; k < v->node[node].next; k = v->node[k].next)
        if (v->node[k].byte == byte) return k;
    return 0;
}

#endif
