/* SPDX-License-Identifier: Apache-2.0
 *
 * Strings in arrays whose items must differ. Most texts that may be written nothing equals, and they all leave the same to follow: what is
 * asked once of such a text holds of all of them. Tokens need a look where texts are few: listed, short of characters, or of a language that
 * ends soon. */
#include "art_mask_text.h"

#include "art_bits.h"
#include "art_digest.h"
#include "art_values.h"

#define LISTED_MAX 4096u  /* listed texts of a part, most of them alike */
#define LOOKED_AT_MAX 64u /* .. and of which each is another matter */

/* Is a text with this digest an item of the array that it would be an item of, too, and must not? */
static bool is_item_again(const arti_state *st, uint64_t hash) {
    const arti_frame *f = st->top;
    const arti_array_machine *m = f->machine;
    if (f->is_object || !m->unique || !arti_hset_has(f->set, hash)) return false;
    for (uint32_t a = 0; a < m->n_alts; a++) /* some may ask for items that are equal */
        if (arti_live(f, a) && !m->alts[a].shape->unique) return false;
    return true;
}

/* Of the texts that are left of part i, an enumeration, those that do not end in a repetition, as bits
 * from the first one on. Texts that nothing equals end alike, and of the others most are an item again. NULL, also without a fault: too many. */
static const uint64_t *find_different(const arti_leaver *l, uint32_t i) {
    arti_jctx *x = l->w->x;
    const uint64_t q = arti_text_q(l->st)[i];
    const uint32_t lo = arti_set_lo(q), n = q ? arti_set_hi(q) - lo : 0;
    if (n > (l->clash.each ? LOOKED_AT_MAX : LISTED_MAX)) return NULL;
    uint64_t *bits = arti_region_get(x->region, (n / 64 + 1u) * sizeof *bits);
    if (!bits) {
        arti_fault_mem(x->s);
        return NULL;
    }
    memset(bits, 0, (n / 64 + 1u) * sizeof *bits);
    arti_known others = ARTI_NOT_ASKED;
    for (uint32_t k = 0; k < n; k++) {
        const uint64_t hash = arti_text_part(l->st, i)->set[lo + k].digest;
        const bool is_other = !arti_repeats_clash(l, hash);
        bool can = is_other && others == ARTI_YES;
        if (is_other ? others == ARTI_NOT_ASKED : !is_item_again(l->st, hash))
            can = arti_unique_admits(x, l->st, i, &hash);
        if (arti_faulted(x->s)) return NULL;
        if (is_other) others = can ? ARTI_YES : ARTI_NO;
        bits[k / 64] |= (uint64_t)can << (k % 64);
    }
    return bits;
}

bool arti_repeats_list(arti_leaver *l) {
    const uint64_t *q = arti_text_q(l->st), **different = NULL;
    for (uint32_t i = 0; i < l->n_parts; i++)
        if (q[i] && arti_text_part(l->st, i)->kind != ARTI_PART_SET) return true;
    different = arti_region_get(l->w->x->region, l->n_parts * sizeof *different);
    if (!different) return arti_fault_mem(l->w->x->s);
    for (uint32_t i = 0; i < l->n_parts; i++) {
        different[i] = find_different(l, i);
        if (!different[i]) return !arti_faulted(l->w->x->s);
    }
    l->different = different;
    return true;
}

/* Does one of these texts go on with some character? */
static bool any_goes_on(const arti_leaver *l) {
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const uint64_t q = arti_text_q(l->st)[i];
        if (!q) continue;
        const uint32_t lo = arti_set_lo(q), n_whole = arti_text_part(l->st, i)->set[lo].len == arti_set_depth(q);
        if (arti_bits_any_in64(l->different[i], n_whole, arti_set_hi(q) - lo)) return true;
    }
    return false;
}

bool arti_repeats_settle_escapes(arti_leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const bool goes_on = any_goes_on(l);
    for (uint32_t i = 0; i < v->n_escapes_stay; i++) {
        const arti_escaped *e = &v->escapes[i];
        if (!arti_bits_test(w->words, e->token)) continue;
        const bool is_bare = arti_escape_is_bare(v, e);
        if (!is_bare || !goes_on) arti_walk_clear(w, e->token);
        if (!is_bare && !arti_text_leave_alone(l, e->token)) return false;
    }
    return true;
}

/* Does one of the listed texts that are left clash? */
static bool some_listed_clash(const arti_leaver *l) {
    const uint64_t at = arti_text_q(l->st)[0];
    for (uint32_t i = arti_set_lo(at); i < arti_set_hi(at); i++)
        if (arti_repeats_clash(l, l->part->set[i].digest)) return true;
    return false;
}

/* Does some token write a text that clashes, from where the mask begins? */
static bool some_clash(const arti_leaver *l) {
    const art_vocab *v = l->w->v;
    const uint64_t hash = l->st->text.hash;
    for (uint32_t h = 0; h < v->n_heads; h++)
        if (arti_repeats_clash(l, arti_digest_text(hash, (const char *)v->bytes + v->heads[h].bytes, v->heads[h].len)))
            return true;
    for (uint32_t i = v->n_escapes_stay; i < v->n_escapes; i++)
        if (arti_repeats_clash(
                l, arti_digest_text(hash, (const char *)v->escape_text + v->escapes[i].text, v->escapes[i].len)))
            return true;
    return false;
}

bool arti_repeats_begin(arti_leaver *l, bool between) {
    const arti_state *st = l->st;
    const arti_part *p = l->part;
    l->is_distinct = arti_is_distinct(st);
    if (l->is_distinct && !arti_clash_init(l->w->x, st, &l->clash)) return false;
    l->opens_freely = l->clash.opens && (st->top->is_object || (p && p->kind == ARTI_PART_FREE && p->hi == UINT32_MAX));
    const bool listed = p && p->kind == ARTI_PART_SET && arti_text_q(st)[0];
    if (l->clash.any && listed && !l->clash.each) l->clash.any = some_listed_clash(l);
    if (between)
        l->is_careful = l->clash.each || (l->clash.any && (listed || some_clash(l)));
    else
        l->is_careful = l->is_distinct;
    return !arti_faulted(l->w->x->s);
}

/* Are there texts without end, like no other and all taken, whatever token comes next? Each part that the token may leave alive has to have
 * them, or one that any token leaves alive. */
static bool never_runs_out(const arti_leaver *l) {
    arti_jctx *x = l->w->x;
    bool all = true;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = arti_text_part(l->st, i);
        const uint64_t q = arti_text_q(l->st)[i];
        if (q == 0) continue;
        bool endless = p->hi == UINT32_MAX && p->kind != ARTI_PART_SET;
        if (endless && p->kind == ARTI_PART_TERM) endless = arti_unique_is_endless(x->s, (arti_re_state)q);
        if (endless && l->n_parts > 1) endless = arti_unique_admits(x, l->st, i, NULL);
        if (endless && p->kind == ARTI_PART_FREE) return true;
        all = all && endless;
    }
    return all;
}

/* Does the only part, a language, go on without end after the token? false: not known. */
static bool is_endless_after(const arti_leaver *l, uint32_t id) {
    art_schema *s = l->w->x->s;
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, id, &len);
    if (!l->part || l->part->kind != ARTI_PART_TERM || l->part->hi != UINT32_MAX || memchr(bytes, '"', len) ||
        memchr(bytes, '\\', len) || l->st->text.escape != ARTI_ESC_NONE)
        return false;
    arti_re_lengths lengths;
    const arti_re_state q = arti_re_run(s->re, (arti_re_state)arti_text_q(l->st)[0], bytes, len);
    return q != ARTI_RE_FAIL && q != ARTI_RE_DEAD && arti_re_get_lengths(s->re, q, &lengths) == ART_OK &&
           lengths.longest == ARTI_RE_UNBOUNDED;
}

/* Takes the tokens of groups out whose first atom is `atom` and whose others are among `rest`. */
static void drop_groups(const art_vocab *v, uint32_t atom, uint64_t rest, uint32_t *row) {
    for (uint32_t i = v->group_of[atom]; i < v->group_of[atom + 1]; i++) {
        const arti_group *g = &v->groups[i];
        if (g->rest & ~rest) continue;
        if (g->row >= 0)
            arti_bits_andnot(row, v->dense_rows + (size_t)g->row * v->n_words, v->n_words);
        else
            for (uint32_t k = g->first; k < g->first + g->n; k++) arti_bits_clear(row, v->group_ids[k]);
    }
}

/* Where the only part is a language: tokens need no look whose first character leads to a state with texts without end, and whose others
 * leave it there. */
static bool drop_endless(const arti_leaver *l, uint32_t *doubted) {
    art_schema *s = l->w->x->s;
    arti_re_fan fan;
    arti_re_state to = ARTI_RE_DEAD; /* .. that was looked at last */
    uint64_t loops = 0;
    bool is_endless = false;
    if (!l->part || l->part->kind != ARTI_PART_TERM || l->part->hi != UINT32_MAX) return true;
    arti_lang_begin(s->re);
    if (arti_re_get_fan(s->re, (arti_re_state)arti_text_q(l->st)[0], &fan) != ART_OK)
        return arti_fault_re(s, NULL, 0, "pattern");
    for (uint32_t a = 0; a < ARTI_N_ATOMS; a++) {
        const arti_re_state *after = fan.to[a];
        if (after[0] == ARTI_RE_DEAD || after[1] != ARTI_RE_DEAD || after[ARTI_RE_FAN - 1] != ARTI_RE_DEAD) continue;
        if (after[0] != to) {
            arti_re_lengths lengths;
            to = after[0];
            if (arti_re_get_lengths(s->re, to, &lengths) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
            is_endless = lengths.longest == ARTI_RE_UNBOUNDED;
            if (is_endless && !arti_lang_loops(s, to, &loops)) return false;
        }
        if (is_endless) drop_groups(l->w->v, a, loops, doubted);
    }
    return true;
}

/* Of the tokens that are set, those that may leave few texts. Of a language whose lengths do not matter they are kept: there is such a mask
 * at each character of a text. */
static bool find_doubted(const arti_leaver *l, uint32_t *doubted) {
    const arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_part *p = l->part;
    const bool keeps = l->is_unbounded && l->reach == UINT32_MAX && p->hi == UINT32_MAX;
    const uint64_t key[2] = {arti_hash_mix(UINT64_C(0x656e646c), l->lang), l->lang};
    if (keeps && arti_mask_memo_get(w->m, key, doubted, v->n_words)) return true;
    arti_bits_copy(doubted, w->words, v->n_words);
    if (p && p->kind == ARTI_PART_FREE && p->hi - l->st->text.n_cp >= 2) {
        const uint32_t *safe = arti_vocab_stay(v, p->hi - l->st->text.n_cp - 2);
        if (safe) arti_bits_andnot(doubted, safe, v->n_words);
    }
    if (!drop_endless(l, doubted)) return false;
    for (uint32_t i = 0; i < v->n_words; i++) {
        for (uint32_t bits = doubted[i]; bits; bits &= bits - 1) {
            const uint32_t id = i * 32 + arti_bits_lowest(bits);
            if (is_endless_after(l, id)) arti_bits_clear(doubted, id);
        }
    }
    if (keeps) arti_mask_memo_put(w->m, key, doubted, v->n_words);
    return !arti_faulted(w->x->s);
}

bool arti_repeats_take_out(arti_leaver *l) {
    arti_walk *w = l->w;
    if (never_runs_out(l)) return !arti_faulted(w->x->s);
    uint32_t *doubted = arti_region_get(w->x->region, w->v->n_words * sizeof *doubted);
    if (!doubted) return arti_fault_mem(w->x->s);
    if (!find_doubted(l, doubted)) return false;
    for (uint32_t i = 0; i < w->v->n_words; i++) {
        for (uint32_t bits = doubted[i] & w->words[i]; bits; bits &= bits - 1) {
            const uint32_t id = i * 32 + arti_bits_lowest(bits);
            arti_walk_clear(w, id);
            if (!arti_text_leave_alone(l, id)) return false;
        }
    }
    return true;
}
