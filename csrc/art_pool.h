/* SPDX-License-Identifier: Apache-2.0
 *
 * art_pool.h: masks of many matchers at once (private to csrc; art_mask_pool_* is public, see art.h).
 *
 * Purpose   fills one row of a batch's mask buffer for each matcher, on the caller's thread and on threads of its own.
 * Owns      its threads, which sleep between calls; art_mask_pool_free() ends them.
 * Threads   one call at a time; others get ART_E_BUSY. The matchers of a call are used by no one else meanwhile.
 * Errors    the first matcher's, by number, that failed; the other rows are filled all the same. ART_E_NOMEM, ART_E_LIMIT.
 * Limits    ART_MASK_THREADS_MAX threads.
 * Cost      waking a thread takes some 5 to 50 us; a call with one thread or one matcher wakes none. */
#ifndef ART_POOL_H
#define ART_POOL_H

#include "art.h"

#endif
