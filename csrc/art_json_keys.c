/* SPDX-License-Identifier: Apache-2.0 */
#include "art_json_keys.h"

#include "art_json_parts.h"

#define NONE ARTI_LEN_NONE
#define WORDS_MAX 4096u   /* other keys that are tried, for one that is not there already */
#define UNKNOWN_LEN 1024u /* of a value that was not looked at: that may be much work, and refuse what need not come */

/* Tries a rest of a key on a copy of the state; true when it leads to the colon. */
static bool try_key(arti_jctx *x, const arti_state *st, const uint8_t *text, size_t len, arti_state *after,
                    arti_out *quoted) {
    *after = *st;
    quoted->len = 0;
    arti_out_text(quoted, text, len);
    arti_out_byte(quoted, '"');
    if (quoted->len > quoted->cap) return false;
    for (size_t i = 0; i < quoted->len; i++)
        if (!arti_state_step(x, after, quoted->buf[i])) return false;
    return after->mode == ARTI_M_COLON;
}

/* A rest of a key that is not declared. */
static bool try_other(arti_jctx *x, const arti_state *st, arti_state *after, arti_out *quoted) {
    const arti_object_machine *m = st->top->machine;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_takes_other(st, a) || m->alts[a].extra_part == ARTI_EXTRA_NONE) continue;
        if (m->alts[a].extra_part == ARTI_EXTRA_FREE) {
            for (uint32_t i = 0; i < WORDS_MAX; i++) { /* "", "a", ..., "z", "aa", ...: one of them is new */
                uint8_t word[8];
                size_t len = 0;
                for (uint32_t v = i; v; v = (v - 1) / 26) word[len++] = (uint8_t)('a' + (v - 1) % 26);
                if (try_key(x, st, word, len, after, quoted)) return true;
                if (arti_faulted(x->s)) return false;
            }
            continue;
        }
        const arti_part *p = &m->parts[m->alts[a].extra_part];
        for (uint32_t lo = 0; lo < WORDS_MAX;) {
            arti_part longer = *p;
            longer.lo = lo;
            size_t len;
            const uint8_t *rest = arti_close_part(x, &longer, arti_text_q(st)[1 + m->alts[a].extra_part], 0, &len);
            if (!rest) break;
            if (try_key(x, st, rest, len, after, quoted)) return true;
            uint32_t n_cp = 0;
            for (size_t i = 0; i < len; i++) n_cp += (rest[i] & 0xC0u) != 0x80u;
            lo = n_cp + 1;
        }
    }
    return false;
}

/* Bytes by which a declared member makes the text longer: none that is required. NONE: it has no value. */
static uint32_t name_cost(arti_jctx *x, const arti_state *st, uint32_t name) {
    arti_object_machine *m = st->top->machine;
    const uint32_t rest = m->names[name].len - arti_set_depth(arti_text_q(st)[0]) + 2; /* with quote and colon */
    uint32_t least = NONE;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_live(st->top, a)) continue;
        const arti_cell *c = arti_object_cell(x->s, m, a, name);
        if (!c) return NONE;
        const arti_conj_info *value = arti_conj_get(x->s, c->conj);
        const uint32_t len = value->is_decided ? value->len : UNKNOWN_LEN;
        if (len == NONE) continue;
        if (m->alts[a].required[name / 64] >> (name % 64) & 1u) return 0;
        if (arti_len_add(rest, len) < least) least = arti_len_add(rest, len);
    }
    return least;
}

bool arti_keys_init(arti_keys *k, arti_jctx *x, const arti_state *st) {
    const uint64_t q = arti_text_q(st)[0];
    k->x = x;
    k->st = *st;
    k->first = k->n = 0;
    k->other_cost = NONE;
    if (q && st->text.offer) {
        k->first = arti_set_lo(q);
        k->n = arti_set_hi(q) - k->first;
        k->costs = arti_region_get(x->region, k->n * sizeof *k->costs);
        if (!k->costs) return arti_fault_mem(x->s);
    }
    for (uint32_t i = 0; i < k->n; i++) {
        const uint32_t name = k->first + i;
        k->costs[i] = st->text.offer[name / 64] >> (name % 64) & 1u ? name_cost(x, st, name) : NONE;
        if (arti_faulted(x->s)) return false;
    }
    arti_out quoted = {k->other, sizeof k->other, 0};
    if (st->text.offer_other && try_other(x, st, &k->after_other, &quoted)) {
        k->other_len = quoted.len;
        k->other_cost = arti_len_add((uint32_t)quoted.len, arti_close_begun_len(x, &k->after_other));
    }
    return !arti_faulted(x->s);
}

bool arti_keys_next(arti_keys *k, arti_state *after, arti_out *quoted, uint32_t *cost) {
    const arti_object_machine *m = k->st.top->machine;
    while (!arti_faulted(k->x->s)) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < k->n; i++)
            if (k->costs[i] < k->costs[best]) best = i;
        const uint32_t name_cost = k->n ? k->costs[best] : NONE;
        if (name_cost == NONE && k->other_cost == NONE) break;
        if (k->other_cost < name_cost) {
            *cost = k->other_cost;
            *after = k->after_other;
            quoted->len = 0;
            arti_out_put(quoted, k->other, k->other_len);
            k->other_cost = NONE;
            return quoted->len <= quoted->cap;
        }
        const arti_key *name = &m->names[k->first + best];
        const uint32_t read = arti_set_depth(arti_text_q(&k->st)[0]);
        *cost = name_cost;
        k->costs[best] = NONE;
        if (try_key(k->x, &k->st, (const uint8_t *)name->ptr + read, name->len - read, after, quoted)) return true;
    }
    return false;
}

bool arti_close_key(arti_jctx *x, const arti_state *st, arti_state *after, arti_out *quoted) {
    arti_keys keys;
    uint32_t cost;
    if (!arti_keys_init(&keys, x, st)) return false;
    if (arti_keys_next(&keys, after, quoted, &cost)) return true;
    /* A finite language of which many words are taken: go byte by byte, every live prefix leads somewhere. */
    *after = *st;
    quoted->len = 0;
    while (after->mode == ARTI_M_KEY_TEXT && quoted->len < quoted->cap) {
        int b = '"';
        arti_state next = *after;
        if (!arti_state_step(x, &next, (uint8_t)b))
            for (b = 0x20; b < 256; b++) {
                next = *after;
                if (b != '\\' && arti_state_step(x, &next, (uint8_t)b)) break;
            }
        if (b == 256) {
            b = '\\';
            next = *after;
            if (!arti_state_step(x, &next, (uint8_t)b)) return false;
        }
        *after = next;
        arti_out_byte(quoted, (uint8_t)b);
    }
    return after->mode == ARTI_M_COLON;
}
