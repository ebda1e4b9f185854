/* SPDX-License-Identifier: Apache-2.0
 *
 * art_unique.h: arrays whose items must differ (private to the art_json_* and art_mask* modules).
 *
 * Purpose   decides, after every byte, whether what is partly written can still end so that no item of an array with "uniqueItems"
 *           repeats another: the values that the innermost value may become are carried outwards as digests, through what each open
 *           container may still become, to the outermost array whose items must differ. One definition for steps, masks and completions.
 * Threads   under the schema's lock.
 * Errors    false with the schema's fault set.
 * Limits    those of art_values.h: where a list is cut short there, fewer values are known than there are, and what needs the others is
 *           refused before it is begun.
 * Cost      nothing outside such arrays; within, a few look-ups where values have no end, else in proportion to the items that are there. */
#ifndef ART_UNIQUE_H
#define ART_UNIQUE_H

#include "art_json_close.h"

/* May what is written here have to differ from something? */
static inline bool arti_is_distinct(const arti_state *st) {
    const arti_frame *f = st->top;
    return f && (f->hashing || (!f->is_object && ((const arti_array_machine *)f->machine)->unique));
}

/* Is nothing there that what comes next in f could repeat, and nothing lacking that could repeat it? */
bool arti_unique_is_first(const arti_frame *f);
/* Can *st end in items that differ? Of keys and their texts, arti_unique_offer() has said so. */
bool arti_unique_alive(arti_jctx *x, const arti_state *st);
/* *st, for which arti_is_distinct(), may offer the names of *offer, and others if st->text.offer_other: takes out those that leave only
 * repetitions. Single other names are barred in a new version of the frame as if they were there. */
bool arti_unique_offer(arti_jctx *x, arti_state *st, uint64_t *offer);
/* Notes in *f->heads that a key has this digest and belongs to these languages of the frame's machine. */
bool arti_unique_note_key(arti_jctx *x, arti_frame *f, uint64_t key, uint64_t matches);
/* Adds what *ended->heads tells to a new version of the frame around it. */
bool arti_unique_keep_keys(arti_jctx *x, arti_frame *f, const arti_frame *ended);
/* Whatever text follows in a language's state that keeps it alive, texts without end remain. false: not known. */
bool arti_unique_is_endless(art_schema *s, arti_re_state q);
/* Would the items differ if the text of *st were one of its part `part`, with this digest or (NULL) like no other? */
bool arti_unique_admits(arti_jctx *x, const arti_state *st, uint32_t part, const uint64_t *digest);

#define ARTI_CLASH_TARGETS 32u

/* Behind a key: are there more values for one of the goals than need be told apart? Then no key leaves only repetitions. */
bool arti_unique_has_many(arti_jctx *x, const arti_state *st);

/* Values that come next in *st (mode TEXT): do they all leave the same to follow, but for those with a clash? */
typedef struct arti_clash {
    const arti_frame *top;
    bool each;  /* no: each value is to be looked at alone */
    bool any;   /* a value may leave nothing but repetitions */
    bool opens; /* if the text of *st is like no other, a string that begins behind it can be so, too */
    bool is_listed;
    uint32_t n_targets; /* is_listed: digests of values that clash are these */
    uint64_t targets[ARTI_CLASH_TARGETS], filter;
} arti_clash;
bool arti_clash_init(arti_jctx *x, const arti_state *st, arti_clash *c);
/* Does a value with this digest, or what is around it when nothing more is added, repeat another? */
bool arti_clash_has(const arti_clash *c, uint64_t digest);

#endif
