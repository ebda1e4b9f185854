/* SPDX-License-Identifier: Apache-2.0
 *
 * art_find.h: words in a long text (private to csrc).
 *
 * Purpose   memmem() for short words in a megabyte of text, which C has not and some C libraries do slowly.
 * Threads   pure functions.
 * Cost      25 us a megabyte, where the word's first and last byte are not met often at its distance. AVX2 is chosen at run time; without it, the
 *           byte that is met least is looked for. */
#ifndef ART_FIND_H
#define ART_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Place of the first occurrence of the word (len >= 1 bytes) in text[from .. n), SIZE_MAX: none. */
size_t arti_find(const uint8_t *text, size_t n, size_t from, const uint8_t *word, size_t len);
/* Does that take the time of the AVX2 code? The portable code takes some ten times as long for a word of usual letters. */
bool arti_find_is_fast(void);
/* The portable twin, for tests. */
size_t arti_find_portable(const uint8_t *text, size_t n, size_t from, const uint8_t *word, size_t len);

#endif
