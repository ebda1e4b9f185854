/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that every continuation begins with. */
#include "art_json_close.h"

#include "art_utf8.h"

#define FEW_STRINGS 32u

static void add_byte(uint64_t set[4], uint8_t b) {
    set[b / 64] |= UINT64_C(1) << (b % 64);
}

/* Adds the bytes that listed strings go on with in state q; false: too many to look at. */
static bool add_next_of_set(uint64_t set[4], const arti_key *strings, uint64_t q) {
    if (q == 0) return true;
    if (arti_set_hi(q) - arti_set_lo(q) > FEW_STRINGS) return false;
    for (uint32_t i = arti_set_lo(q); i < arti_set_hi(q); i++)
        if (strings[i].len > arti_set_depth(q)) add_byte(set, (uint8_t)strings[i].ptr[arti_set_depth(q)]);
    return true;
}

/* Of a text between characters: only listed strings may go on, with the bytes in *set or a quote. */
static bool is_listed(const arti_state *st, uint64_t set[4]) {
    if (st->text.escape != ARTI_ESC_NONE) return false;
    const uint64_t *q = arti_text_q(st);
    if (st->mode == ARTI_M_KEY_TEXT)
        return !st->text.offer_other &&
               add_next_of_set(set, ((const arti_object_machine *)st->text.machine)->names, q[0]);
    const arti_text_machine *m = st->text.machine;
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (q[i] && (m->parts[i].kind != ARTI_PART_SET || !add_next_of_set(set, m->parts[i].set, q[i]))) return false;
    return true;
}

/* Bytes that may come next, and perhaps some that may not; without optional whitespace and escapes. */
static void next_bytes(const arti_jctx *x, const arti_state *st, uint64_t set[4]) {
    static const char elsewhere[] = "\"{}[],:0123456789-.eE+truefalsn";
    memset(set, 0, 4 * sizeof *set);
    if (st->mode != ARTI_M_TEXT && st->mode != ARTI_M_KEY_TEXT) {
        for (const char *b = elsewhere; *b; b++) add_byte(set, (uint8_t)*b);
        if (x->spaced) add_byte(set, ' ');
    } else if (is_listed(st, set)) {
        add_byte(set, '"');
    } else {
        memset(set, 0xFF, 4 * sizeof *set);
        if (st->text.escape == ARTI_ESC_NONE) set['\\' / 64] &= ~(UINT64_C(1) << ('\\' % 64));
    }
}

static bool is_between_chars(const arti_state *st) {
    return (st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT) && st->text.escape == ARTI_ESC_NONE &&
           st->text.u8 == ARTI_U8_0;
}

size_t arti_forced(arti_jctx *x, const arti_state *from, uint8_t *buf, size_t cap) {
    arti_state st = *from;
    size_t n = 0;
    while (n < cap && st.mode != ARTI_M_DONE && !arti_state_is_complete(&st)) {
        arti_state only;
        uint64_t set[4];
        uint32_t found = 0;
        uint8_t byte = 0;
        next_bytes(x, &st, set);
        for (uint32_t k = 0; k < 4 && found < 2; k++) { /* letters first: where anything goes, two are found at once */
            const uint32_t w = k < 2 ? 1 - k : k;
            for (uint64_t bits = set[w]; bits && found < 2; bits &= bits - 1) {
                arti_state next = st;
                const uint8_t b = (uint8_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
                if (!arti_state_step(x, &next, b)) continue;
                found++;
                byte = b;
                only = next;
            }
        }
        if (found != 1 || arti_faulted(x->s)) break;
        if (is_between_chars(&st) && byte != '\\' && arti_text_may_escape(x, &st)) break;
        buf[n++] = byte;
        st = only;
    }
    return n;
}
