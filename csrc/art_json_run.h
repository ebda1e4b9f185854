/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json_run.h: JSON text under a schema, byte by byte (private to csrc).
 *
 * Purpose   the object behind a schema constraint, and the runs (art_run.h) that read one JSON text each: which byte, and which
 *           token, may come next; what is forced; how to finish.
 * Owns      a constraint holds a reference to its schema and vocabulary; a run borrows its constraint, which must outlive it.
 * Threads   a constraint may be used by any number of threads, a run by one at a time. Every operation of a run holds the
 *           schema's lock while it works (an uncontended lock costs about 20 ns), because what is known of a schema grows while
 *           it is used.
 * Errors    what a schema turns out to need in the middle of an output (past the checks done when it was compiled) can be refused
 *           there: ART_E_NOMEM, ART_E_LIMIT or ART_E_UNSUPPORTED from step and fill; arti_json_run_error() has the message. The run is
 *           unchanged then.
 * Limits    ARTI_JSON_GOALS_MAX different sub-schemas asked of one value at once; ART_SCHEMA_DEPTH_MAX open containers.
 * Cost      step: tens of nanoseconds a byte. fill: about a microsecond inside strings, more at structural places; masks of
 *           configurations that were met before are copied from a memo of at most cache_memory_max bytes. */
#ifndef ART_JSON_RUN_H
#define ART_JSON_RUN_H

#include "art_run.h"

#define ARTI_JSON_GOALS_MAX 1024u

typedef struct arti_json_constraint arti_json_constraint;

/* As art_constraint_new(): vocab may be NULL, ART_E_UNSATISFIABLE when no value fits. */
art_status arti_json_constraint_new(art_schema *schema, art_vocab *vocab, const art_constraint_opts *opts,
                                    const art_alloc *alloc, arti_json_constraint **out, art_error *err);
void arti_json_constraint_free(arti_json_constraint *c);
size_t arti_json_constraint_memory(arti_json_constraint *c);
/* Lends the schema and the vocabulary (NULL: none). */
art_schema *arti_json_constraint_schema(arti_json_constraint *c);
art_vocab *arti_json_constraint_vocab(arti_json_constraint *c);

/* embedded: the value stands inside something else (see arti_exit): no whitespace after it, and step stops at its end. */
art_status arti_json_run_new(arti_json_constraint *c, bool embedded, arti_run **out, art_error *err);
/* Why the last operation of a JSON run failed with an error (not ART_REJECTED). */
art_status arti_json_run_error(const arti_run *r, art_error *err);

#endif
