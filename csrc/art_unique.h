/* SPDX-License-Identifier: Apache-2.0
 *
 * art_unique.h: arrays whose items must differ (private to the art_json_* modules).
 *
 * Purpose   finds out whether an array of unique items that is partly written can still be ended, and how: items that must differ run out
 *           when there are only so many of them. Two items are equal when their canonical digests of 64 bits are.
 * Threads   under the schema's lock.
 * Limits    ARTI_UNIQUE_STEPS_MAX bytes are tried; a search that needs more counts as successful. That can only happen when a great many
 *           values are left, of which as many are taken. Items that are containers are looked into where there are only so many of
 *           them; where there are many, one that is nearly written can still turn out to be a repetition.
 * Cost      nothing for items of which there are infinitely many; else a search that tries to end every value as soon as it can. */
#ifndef ART_UNIQUE_H
#define ART_UNIQUE_H

#include "art_json_close.h"

#define ARTI_UNIQUE_STEPS_MAX 20000u
#define ARTI_UNIQUE_ROOM 4u /* characters with which there are more texts than an array has items */

/* The innermost container if it is an array of unique items (for every live alternative), else NULL. */
const arti_frame *arti_unique_frame(const arti_state *st);
/* Are there so many values like the one that *st writes, or begins, that some are always left? */
bool arti_unique_is_plentiful(arti_jctx *x, const arti_state *st);
/* Can that array still be ended from *st? */
bool arti_unique_alive(arti_jctx *x, const arti_state *st, const arti_frame *f);
/* *st lies within an item, itself a container, of such an array, and there are only so many values like that item. */
bool arti_unique_is_scarce(arti_jctx *x, const arti_state *st);
/* If so: does an item that is not there already still lie ahead? */
bool arti_unique_inside(arti_jctx *x, const arti_state *st);
/* Writes a way to end it and steps *st over it. false: there is none (or a fault). */
bool arti_unique_close(arti_jctx *x, arti_state *st, const arti_frame *f, arti_out *out);

#endif
