/* SPDX-License-Identifier: Apache-2.0
 *
 * art_trail.h: texts that go on from a place, the shortest first, each of them once (private to the art_json_* modules).
 *
 * Purpose   where a completion must not repeat an item, the cheapest text of a value or a key may be taken. Others are searched for by their
 *           length, led by what they lack at least. Where the search ended is kept as a *trail*: the next item at the same place goes on from
 *           there, since what was used up before stays so. A completion with many items takes time in proportion to its length.
 * Owns      the trails of one completion, until arti_trails_free().
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set, or without one when no text was found.
 * Limits    ARTI_TRAIL_TRIES_MAX bytes are tried for one text (beyond, a beginning of one is taken as it is), ARTI_TRAIL_REST_MAX for one
 *           that ends all arrays whose items differ, ARTI_TRAIL_TOTAL_MAX for a completion, of which ARTI_TRAIL_NODES_MAX lead on. ARTI_TRAIL_STRAYS_MAX containers within each other are told to hold more than
 *           the cheapest way asks. */
#ifndef ART_TRAIL_H
#define ART_TRAIL_H

#include "art_json_close.h"

#define ARTI_TRAIL_TRIES_MAX 16384u
#define ARTI_TRAIL_REST_MAX 65536u
#define ARTI_TRAIL_TOTAL_MAX (1u << 20)
#define ARTI_TRAIL_NODES_MAX (1u << 18)
#define ARTI_TRAIL_STRAYS_MAX 16u

typedef struct arti_trail_node arti_trail_node;
typedef struct arti_trail arti_trail;

typedef struct arti_trails {
    arti_jctx *x;
    arti_trail_node *nodes;
    arti_trail *trails;
    struct arti_trail_place { /* a table: the trail of a place */
        uint64_t place;
        uint32_t trail; /* index + 1; 0: free */
    } *places;
    size_t n_nodes, nodes_cap, n_trails, trails_cap, n_places, places_cap; /* places_cap: a power of two */
    uint32_t round;                                                        /* searches so far */
    uint32_t left;                                                         /* of ARTI_TRAIL_TOTAL_MAX */
    /* Depths of open containers that hold more than the cheapest way asks, the outermost first. */
    uint32_t strays[ARTI_TRAIL_STRAYS_MAX], n_strays;
    bool whole; /* values are searched for to their end, else at most to the first value that they hold */
    /* No container begins within one of its kind where there is another way, and what may be no repetition is not taken for one. */
    bool detour;
    arti_state after; /* what was found last: a node's text and a byte */
    uint32_t way_node;
    int way_byte;
} arti_trails;

void arti_trails_init(arti_trails *t, arti_jctx *x, bool whole, bool detour);
void arti_trails_free(arti_trails *t);

/* Finds a short way from *st to the end of a value or a key, or past one structural character, and steps *st over it. anew: no value behind
 * which arti_end_around() is another, and no way that is longer than len_max. false: none was found (or a fault). */
bool arti_trail_go(arti_trails *t, arti_state *st, bool anew, uint32_t len_max);
/* Likewise to the end of the outermost of the arrays whose items differ that *st is in. */
bool arti_trail_rest(arti_trails *t, arti_state *st);
/* How much longer f's container becomes by one item or member more: a guess. It doubles with each container around it that already has one
 * more than the cheapest way asks: in recursive schemas there would be no end of them. */
uint32_t arti_trail_stray_len(arti_trails *t, const arti_frame *f);
/* f's container gets one more. */
void arti_trail_stray(arti_trails *t, const arti_frame *f);
/* Is f's container in one of its kind, where that is to be avoided? */
bool arti_trail_nests(const arti_trails *t, const arti_frame *f);
/* f is the innermost container now; NULL: there is none. */
void arti_trails_leave(arti_trails *t, const arti_frame *f);

typedef enum arti_end {
    ARTI_END_ANEW,
    ARTI_END_REPEATS,
    ARTI_END_MAY_REPEAT /* the cheapest of what lacks before it makes a repetition; something else might not */
} arti_end;
/* How what is around *st ends, behind a value. What lacks there is taken to be as cheap as can be; where that is long, to make a difference. */
arti_end arti_end_around(const arti_trails *t, const arti_state *st);
/* 0 where what arti_close_begun() ends, ended so, repeats nothing; else how much longer it becomes to differ. */
uint32_t arti_trail_penalty(arti_trails *t, const arti_state *begun);
/* Its bytes. */
size_t arti_trail_len(const arti_trails *t);
void arti_trail_text(const arti_trails *t, uint8_t *buf);

#endif
