/* SPDX-License-Identifier: Apache-2.0
 *
 * art_prepare.h: what outputs of a schema begin with, expanded before the first of them (private to csrc).
 *
 * Purpose   expands what is asked of the root, of its members and items, of theirs, and so on, breadth first, and makes the rows that
 *           texts of patterns and formats begin with, so that masks need not do it in the middle of an output; and finds parts that
 *           would be refused there. What is not prepared is expanded when an output gets there.
 * Owns      nothing; what it finds belongs to the schema.
 * Threads   under the schema's lock.
 * Errors    the schema's fault, with is_refused: outputs can get to a part that can not be expanded, whatever is spent on it. That is told only
 *           after it was tried without the limits below, with 30,000 steps and 16 MiB more; a part that takes more than these
 *           limits ends the preparation, and so does lack of memory.
 * Limits    `steps_max` steps: rule applications of expansions, what is gathered from them, and work on regular languages. They count work,
 *           not time, so the same schema is always prepared alike. A quarter of the memory that the schema has left, 8 MiB at most.
 * Cost      about 100 ns a step. */
#ifndef ART_PREPARE_H
#define ART_PREPARE_H

#include "art_norm.h"

struct arti_walk;

#define ARTI_PREPARE_STEPS_MAX 40000u /* when a constraint is made */

typedef struct arti_prepared {
    uint64_t n_steps; /* may exceed steps_max by those of one expansion */
    uint32_t n_goals; /* different sets of goals that were expanded */
    bool is_complete; /* there is nothing left to expand */
    bool is_refused;  /* the schema's fault says what */
} arti_prepared;

/* w: with what the first rows of languages are made, for strings and for keys; NULL: none are. */
arti_prepared arti_prepare(art_schema *s, arti_conj root, uint64_t steps_max, struct arti_walk *w);

#endif
