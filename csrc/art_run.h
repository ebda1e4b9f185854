/* SPDX-License-Identifier: Apache-2.0
 *
 * art_run.h: what a surface implements (private to csrc).
 *
 * Purpose   art_matcher (art_matcher.c) deals with tokens, end of sequence and the caller's errors; a *run* deals with the bytes of
 *           one output. Two kinds exist: JSON under a schema (art_json_run.c) and a dialogue (art_dialog.c), which holds runs of the first kind.
 * Threads   one caller at a time for each run; runs of one constraint may be used by several threads at once.
 * Errors    as stated per operation; ART_REJECTED always leaves the run as it was. */
#ifndef ART_RUN_H
#define ART_RUN_H

#include "art.h"
#include <stdatomic.h>
#include <stdbool.h>

typedef struct arti_run arti_run;

/* What follows a value that is embedded in something else. A run that is given an exit has no trailing whitespace of its own:
 * it is over as soon as its value can not go on, and a token may end it in its middle and go on with `rest`. */
typedef struct arti_exit {
    bool (*allows)(void *ud, const uint8_t *rest, size_t len); /* may `rest` follow the end of the value? len > 0 */
    void *ud;
    uint64_t key; /* equal keys promise equal answers, for memoised masks; 0: do not memoise */
} arti_exit;

typedef struct arti_run_ops {
    void (*free)(arti_run *r);
    art_status (*copy)(const arti_run *r, arti_run **out);
    art_status (*reset)(arti_run *r);
    /* Takes bytes while they are allowed. *taken of them were; ART_REJECTED when fewer than len. One step for undo when *taken > 0.
     * An embedded run refuses the first byte that is not part of its value: its owner goes on with that one. */
    art_status (*step)(arti_run *r, const uint8_t *bytes, size_t len, size_t *taken);
    /* True when all len bytes would be taken; the run does not change. */
    bool (*allows)(arti_run *r, const uint8_t *bytes, size_t len);
    art_status (*undo)(arti_run *r, size_t n_steps);
    /* ORs nothing: writes all ceil(n_tokens / 32) words. End-of-sequence tokens are left clear. */
    art_status (*fill)(arti_run *r, uint32_t *words, const arti_exit *exit, art_error *err);
    art_status (*forced)(arti_run *r, uint8_t *buf, size_t cap, size_t *len);
    bool (*is_complete)(arti_run *r); /* the bytes so far are a whole output */
    bool (*is_closed)(arti_run *r);   /* complete, and no further byte but whitespace is possible */
    art_status (*shortest)(arti_run *r, uint8_t *buf, size_t cap, size_t *len);
    size_t (*shortest_len)(arti_run *r);
    const art_span *(*spans)(const arti_run *r, size_t *n, size_t *held); /* NULL: one span of kind VALUE */
    /* The rest may be NULL. A token without bytes: ART_OK (one step), or ART_REJECTED. */
    art_status (*step_token)(arti_run *r, uint32_t token);
    art_status (*end)(arti_run *r); /* the output ends here (is_complete holds): releases held bytes; one step */
    art_status (*error)(const arti_run *r,
                        art_error *err); /* why the last operation failed; ART_OK: no more is known */
} arti_run_ops;

struct arti_run { /* first member of every run */
    const arti_run_ops *ops;
};

/* ------------------------------------------------------------------ what an art_constraint is made of */

typedef struct arti_constraint_ops {
    /* A fresh run. embedded: no leading or trailing whitespace of its own around the value, as inside a dialogue; the run does not hold a
     * reference to c, its owner does. */
    art_status (*run_new)(art_constraint *c, bool embedded, arti_run **out, art_error *err);
    size_t (*memory)(const art_constraint *c);
    void (*free)(
        art_constraint *c); /* frees what the kind owns and the object itself; called when the last reference goes */
} arti_constraint_ops;

struct art_constraint { /* first member of every kind */
    const arti_constraint_ops *ops;
    atomic_uint refs; /* starts at 1 */
    art_vocab *vocab; /* NULL: bytes only. The kind's free drops it. */
    art_alloc alloc;  /* for matchers */
};

art_constraint *arti_constraint_ref(art_constraint *c); /* one more reference; art_constraint_free() drops it */

#endif
