/* SPDX-License-Identifier: Apache-2.0
 *
 * art_dialog.h: one assistant turn as a run (private to csrc; art_constraint_dialog() is public, see art.h).
 *
 * Purpose   free text, reasoning, calls and values of a chat model's turn. One state machine is both grammar and event parser: what
 *           it accepts and how it cuts that into spans can not differ.
 * Owns      copies of all strings, references to the tools' and the value's constraints; a run owns one sub-run for each call.
 * Threads   the constraint is immutable, a run belongs to one thread at a time.
 * Errors    ART_E_ARG for specifications that are ambiguous or refer to another vocabulary; those of the sub-runs.
 * Limits    ART_DIALOG_*; ART_ROLLBACK_MAX steps can be undone.
 * Cost      text: a few nanoseconds a byte; a mask in text is a copy of one row and a check of the few tokens that complete a
 *           marker. Elsewhere the trie is walked along what is allowed. */
#ifndef ART_DIALOG_H
#define ART_DIALOG_H

#include "art_run.h"

/* Is the token one that has a meaning of its own in the dialogue (begin_token, end_token)? For tests. */
typedef struct arti_dialog arti_dialog;

#endif
