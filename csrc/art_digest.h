/* SPDX-License-Identifier: Apache-2.0
 *
 * art_digest.h: digests of JSON values as they are written (private to csrc).
 *
 * Purpose   64 bits that stand for a value, however it is spelled: equal values have equal ones. They are built up while a text is read
 *           (art_json_step.c), and from parts where values are only thought of (art_values.c). */
#ifndef ART_DIGEST_H
#define ART_DIGEST_H

#include "art_json.h"

static inline uint64_t arti_hash_mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ (h >> 29);
}

/* The value that arti_hash_mix(h, v) is the digest of: it loses nothing. */
static inline uint64_t arti_hash_unmix(uint64_t h, uint64_t digest) {
    digest ^= digest >> 29 ^ digest >> 58;
    digest *= UINT64_C(0xCFEE444D8B59A89B); /* inverses modulo 2^64 of the factors above, in turn */
    digest ^= digest >> 32;
    digest *= UINT64_C(0xF1DE83E19937733D);
    return digest ^ h;
}

#define ARTI_TEXT_HASH                                                                                                 \
    UINT64_C(0x2545F4914F6CDD1D)     /* digest of the empty text; no byte or small number, for those cancel it out */
#define ARTI_OBJECT_HASH UINT64_C(5) /* of {} */
#define ARTI_ARRAY_HASH UINT64_C(6)  /* of [] */

static inline uint64_t arti_digest_text(uint64_t h, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) h = arti_hash_mix(h, (uint8_t)text[i]);
    return h;
}
static inline uint64_t arti_digest_number(const uint8_t *text, size_t len) {
    return arti_hash_mix(3, arti_json_hash_number((const char *)text, len));
}
static inline uint64_t arti_digest_word(uint32_t word) { /* 0 false, 1 true, 2 null */
    return UINT64_C(0x51) + word;
}
/* What a member adds to its object, in whatever order. A key may equal its value. */
static inline uint64_t arti_digest_member(uint64_t key, uint64_t value) {
    return arti_hash_mix(arti_hash_mix(key, 11), value);
}
/* The value whose member adds this. */
static inline uint64_t arti_digest_member_value(uint64_t key, uint64_t member) {
    return arti_hash_unmix(arti_hash_mix(key, 11), member);
}
/* What an array is with one item more. That item may equal what was there before. */
static inline uint64_t arti_digest_item(uint64_t array, uint64_t value) {
    return arti_hash_mix(arti_hash_mix(array, 13), value);
}
/* That item, of what the array is then. */
static inline uint64_t arti_digest_item_value(uint64_t array, uint64_t then) {
    return arti_hash_unmix(arti_hash_mix(array, 13), then);
}

#endif
