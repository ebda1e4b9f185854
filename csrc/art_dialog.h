/* SPDX-License-Identifier: Apache-2.0
 *
 * art_dialog.h: one assistant turn of a chat model as a run (private to csrc; art_constraint_dialog() is public, see art.h).
 *
 * Purpose   free text, reasoning, calls and values. One state machine is both grammar and event parser: what it accepts and how it
 *           cuts that into spans can not differ, and how the bytes are cut into accepts makes no difference to either.
 * Owns      the constraint copies all strings and holds references to the tools' and the value's constraints; a run owns one sub-run
 *           (art_run.h) for the value and for each call that was begun.
 * Threads   the constraint is immutable, a run belongs to one thread at a time.
 * Errors    ART_E_ARG for specifications that are ambiguous or refer to another vocabulary, ART_E_LIMIT, ART_E_NOMEM; those of
 *           the sub-runs.
 * Limits    ART_DIALOG_*; ART_ROLLBACK_MAX steps can be undone.
 * Cost      text: a few nanoseconds a byte; a mask in text is a copy of one row and a look at the few tokens that complete a marker.
 *           Elsewhere the trie is walked along what is allowed.
 *
 * The machine. A turn is a path through phases; every fixed string is a literal of the constraint:
 *
 *     TEXT --begin--> name_prefix --> NAME --> ARGS --> suffix+separator+name_prefix --> NAME ...      (list)
 *      | reasoning_open                              \-> suffix+end --> DONE
 *      v                                              \-> suffix+end --> between+begin+name_prefix --> NAME ...   (repeated)
 *     REASON --reasoning_close--> TEXT, or GAP --> value or begin
 *
 * In TEXT and REASON the bytes that may be the beginning of a marker are held back (Knuth-Morris-Pratt state); while both a value
 * and a marker are possible (HEAD) everything is. A name is written together with args_prefix: these strings, sorted, are
 * prefix-free, so that a range of them is all the state a name needs. */
#ifndef ART_DIALOG_H
#define ART_DIALOG_H

#include "art_run.h"

/* True for a constraint that art_constraint_dialog() made. */
bool arti_constraint_is_dialog(const art_constraint *c);

#endif
