/* SPDX-License-Identifier: Apache-2.0
 *
 * art_utf8.h: UTF-8 one byte at a time (private to csrc).
 *
 * Purpose   the automaton of well-formed UTF-8 (Unicode 15, table 3-7), and encoding of one code point.
 * Threads   pure functions. */
#ifndef ART_UTF8_H
#define ART_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {             /* what the next byte must be */
       ARTI_U8_0,  /* any first byte: between characters */
       ARTI_U8_1,  /* 80..BF, then done */
       ARTI_U8_2,  /* 80..BF, then U8_1 */
       ARTI_U8_3,  /* 80..BF, then U8_2 */
       ARTI_U8_E0, /* A0..BF, then U8_1 */
       ARTI_U8_ED, /* 80..9F, then U8_1 */
       ARTI_U8_F0, /* 90..BF, then U8_2 */
       ARTI_U8_F4, /* 80..8F, then U8_2 */
       ARTI_U8_STATES,
       ARTI_U8_BAD = 0xFF
};

/* State after a byte at ARTI_U8_0. */
static inline uint8_t arti_u8_lead(uint8_t byte) {
    if (byte < 0x80u) return ARTI_U8_0;
    if (byte < 0xC2u) return ARTI_U8_BAD;
    if (byte < 0xE0u) return ARTI_U8_1;
    if (byte < 0xF0u) return byte == 0xE0u ? ARTI_U8_E0 : byte == 0xEDu ? ARTI_U8_ED : ARTI_U8_2;
    if (byte > 0xF4u) return ARTI_U8_BAD;
    return byte == 0xF0u ? ARTI_U8_F0 : byte == 0xF4u ? ARTI_U8_F4 : ARTI_U8_3;
}

static inline uint8_t arti_u8_next(uint8_t state, uint8_t byte) {
    uint8_t lo = 0x80u, hi = 0xBFu, then;
    switch (state) {
    case ARTI_U8_0: return arti_u8_lead(byte);
    case ARTI_U8_1: then = ARTI_U8_0; break;
    case ARTI_U8_2: then = ARTI_U8_1; break;
    case ARTI_U8_3: then = ARTI_U8_2; break;
    case ARTI_U8_E0: then = ARTI_U8_1, lo = 0xA0u; break;
    case ARTI_U8_ED: then = ARTI_U8_1, hi = 0x9Fu; break;
    case ARTI_U8_F0: then = ARTI_U8_2, lo = 0x90u; break;
    case ARTI_U8_F4: then = ARTI_U8_2, hi = 0x8Fu; break;
    default: return ARTI_U8_BAD;
    }
    return byte >= lo && byte <= hi ? then : (uint8_t)ARTI_U8_BAD;
}

/* Of a text that begins between characters: does it end within one? */
static inline bool arti_u8_ends_inside(const uint8_t *text, size_t len) {
    uint8_t u8 = ARTI_U8_0;
    for (size_t i = 0; i < len; i++) u8 = arti_u8_next(u8, text[i]);
    return u8 != ARTI_U8_0;
}

/* Writes 1 to 4 bytes and returns how many. Surrogates give the three bytes of the same scheme. */
static inline size_t arti_u8_put(uint8_t *out, uint32_t cp) {
    if (cp < 0x80u) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800u) {
        out[0] = (uint8_t)(0xC0u | (cp >> 6));
        out[1] = (uint8_t)(0x80u | (cp & 0x3Fu));
        return 2;
    }
    if (cp < 0x10000u) {
        out[0] = (uint8_t)(0xE0u | (cp >> 12));
        out[1] = (uint8_t)(0x80u | ((cp >> 6) & 0x3Fu));
        out[2] = (uint8_t)(0x80u | (cp & 0x3Fu));
        return 3;
    }
    out[0] = (uint8_t)(0xF0u | (cp >> 18));
    out[1] = (uint8_t)(0x80u | ((cp >> 12) & 0x3Fu));
    out[2] = (uint8_t)(0x80u | ((cp >> 6) & 0x3Fu));
    out[3] = (uint8_t)(0x80u | (cp & 0x3Fu));
    return 4;
}

/* Decodes the character at s, which is well formed (surrogates in the three-byte scheme included); *n is its length. */
static inline uint32_t arti_u8_get(const uint8_t *s, size_t *n) {
    if (s[0] < 0x80u) {
        *n = 1;
        return s[0];
    }
    if (s[0] < 0xE0u) {
        *n = 2;
        return (uint32_t)(s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    }
    if (s[0] < 0xF0u) {
        *n = 3;
        return (uint32_t)(s[0] & 0x0Fu) << 12 | (uint32_t)(s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    }
    *n = 4;
    return (uint32_t)(s[0] & 0x07u) << 18 | (uint32_t)(s[1] & 0x3Fu) << 12 | (uint32_t)(s[2] & 0x3Fu) << 6 |
           (s[3] & 0x3Fu);
}

#endif
