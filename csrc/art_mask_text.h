/* SPDX-License-Identifier: Apache-2.0
 *
 * art_mask_text.h: masks inside strings that are values (private to art_mask_text.c and art_mask_repeats.c).
 *
 * Purpose   what is known of the place while its mask is made, and the questions of arrays whose items must differ: which texts leave nothing but
 *           repetitions, and so which tokens may not come.
 * Owns      nothing: an arti_leaver lies on its caller's stack, its arrays in the walk's region.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set. */
#ifndef ART_MASK_TEXT_H
#define ART_MASK_TEXT_H

#include "art_mask_lang.h"
#include "art_unique.h"

typedef struct arti_leaver {
    arti_walk *w;
    const arti_state *st; /* where the walk begins */
    bool is_distinct;     /* within an array whose items must differ */
    arti_clash clash;     /* .. the texts that do not end like others */
    bool is_careful;      /* .. a token may write one of them */
    bool opens_freely;    /* .. a string that begins behind this one is not short of texts */
    uint32_t n_parts, n;
    arti_quote *sigs;
    const arti_quote *own;            /* of the text as it stands, where that clashes; known exactly */
    const arti_part *part;            /* the only one; else NULL */
    bool is_unbounded;                /* it is a pattern, and its lengths do not matter within a token, */
    arti_re_state lang;               /* .. in this state, see arti_lang_nearly() */
    uint32_t reach;                   /* .. but of tokens with more characters than this one */
    uint64_t next[4];                 /* bytes that some part may go on with; all, if that is not known */
    uint64_t covered;                 /* parts whose tokens with escapes that stay are set */
    const uint64_t *const *different; /* by part: see arti_repeats_list() */
    uint64_t search_work;             /* done so far in stays_below() */
    uint32_t *ends;                   /* where is_unbounded: see arti_lang_ends() */
} arti_leaver;

static inline const arti_part *arti_text_part(const arti_state *st, uint32_t i) {
    return &((const arti_text_machine *)st->text.machine)->parts[i];
}

/* Does this text leave something else to follow than texts that nothing equals? */
static inline bool arti_repeats_clash(const arti_leaver *l, uint64_t hash) {
    return l->clash.each || arti_clash_has(&l->clash, hash);
}

/* A token that leaves by itself: steps the whole of it, and sets it if it is alive. */
bool arti_text_leave_alone(arti_leaver *l, uint32_t id);

/* Finds out what has to differ. between: the place is between two characters. */
bool arti_repeats_begin(arti_leaver *l, bool between);
/* Of the texts that are left, where all parts are enumerations: those that do not end in a repetition. l->different stays NULL where it is not so, or not
 * known. */
bool arti_repeats_list(arti_leaver *l);
/* With such a list: of the tokens with escapes that stay in the string, takes out those that lead to repetitions only. */
bool arti_repeats_settle_escapes(arti_leaver *l);
/* Without: of all that stay. They are those that leave little room, and any where texts are listed. */
bool arti_repeats_take_out(arti_leaver *l);

#endif
