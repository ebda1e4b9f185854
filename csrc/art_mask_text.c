/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks inside strings that are values (art_mask_key.c: keys).
 *
 * Between two characters: tokens that stay in the string are art_mask_lang.c's; those with escapes are run over what they say; those that leave
 * are known by what stands before the quote and what follows it, and each of the two is looked at once. Within a character or an
 * escape few tokens are possible: the trie is walked, by languages as long as the string lasts and by whole states behind it. */
#include "art_mask_text.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_digest.h"
#include "art_utf8.h"
#include "art_values.h"

static bool step_part(arti_jctx *x, const arti_state *st, uint32_t i, uint64_t *q, uint8_t byte) {
    if (*q == 0) return true;
    return arti_part_step(x->s, arti_text_part(st, i), q, byte);
}

/* Bit i: part i accepts. */
static uint64_t accepting(const arti_leaver *l, const uint64_t *q, uint32_t n_cp) {
    uint64_t bits = 0;
    art_schema *s = l->w->x->s;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (q[i] == 0) continue;
        const bool in = arti_part_accepts(s, arti_text_part(l->st, i), q[i], n_cp);
        bits |= (uint64_t)in << i;
    }
    return bits;
}

/* The text state that a walk has reached, as a whole state. */
static arti_state whole(const arti_leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, uint8_t u8) {
    arti_state st = *l->st;
    if (l->n_parts == 1)
        st.text.q.one = q[0];
    else
        st.text.q.many = q;
    st.text.n_cp = n_cp;
    st.text.hash = hash;
    st.text.u8 = u8;
    st.text.escape = ARTI_ESC_NONE;
    return st;
}

/* The signature of texts after which these parts accept; NULL: not met so far. */
static arti_quote *known_signature(arti_leaver *l, uint64_t accepts) {
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sigs[i].accepts == accepts && &l->sigs[i] != l->own) return &l->sigs[i];
    return NULL;
}

/* One more, behind a text; NULL on a fault, or when there are too many. */
static arti_quote *add_quote(arti_leaver *l, uint64_t accepts, const uint64_t *q, uint32_t n_cp, uint64_t hash) {
    if (l->n == ARTI_QUOTES) return NULL;
    arti_jctx *x = l->w->x;
    arti_quote *sig = &l->sigs[l->n];
    sig->accepts = accepts;
    sig->has_suffixes = false;
    sig->after = whole(l, q, n_cp, hash, ARTI_U8_0);
    arti_region *region = x->region; /* these frames must outlive the walk's marks */
    x->region = &l->w->m->closing;
    sig->closes = accepts != 0 && arti_state_step(x, &sig->after, '"');
    x->region = region;
    if (arti_faulted(x->s)) return NULL;
    l->n++;
    return sig;
}

/* The signature of a text; NULL when the quote leads to something of its own (an exact text): see arti_walk_tail. */
static arti_quote *signature_of(arti_leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, bool *failed) {
    *failed = false;
    const uint64_t bits = accepting(l, q, n_cp);
    if (l->is_careful && arti_repeats_clash(l, hash)) return NULL;
    arti_quote *sig = known_signature(l, bits);
    if (!sig) sig = add_quote(l, bits, q, n_cp, l->is_distinct ? ARTI_DIGEST_OTHER : hash);
    *failed = arti_faulted(l->w->x->s);
    return sig;
}

/* A token that leaves by itself: steps the whole of it. */
bool arti_text_leave_alone(arti_leaver *l, uint32_t id) {
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, id, &len);
    if (arti_walk_tail(l->w, l->st, bytes, len)) arti_walk_set(l->w, id);
    return !arti_faulted(l->w->x->s);
}

/* ------------------------------------------------------------------ between characters */

/* The parts after decoded text, but for those of `skipped`; q holds n_parts states. */
static bool run_parts(arti_leaver *l, uint64_t *q, const uint8_t *text, size_t len, uint64_t skipped) {
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    if (l->is_unbounded) q[0] = l->lang;
    if (l->part && l->part->kind == ARTI_PART_TERM) { /* the usual case */
        q[0] = arti_re_run(l->w->x->s->re, (arti_re_state)q[0], text, len);
        return q[0] != ARTI_RE_FAIL || arti_fault_re(l->w->x->s, NULL, 0, "pattern");
    }
    if (len && !(l->next[text[0] / 64] >> (text[0] % 64) & 1u)) {
        memset(q, 0, l->n_parts * sizeof *q);
        return true;
    }
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (skipped >> i & 1u) q[i] = 0;
        for (size_t b = 0; b < len && q[i]; b++)
            if (!arti_part_step(l->w->x->s, arti_text_part(l->st, i), &q[i], text[b])) return false;
    }
    return true;
}

static bool any_alive(const arti_leaver *l, const uint64_t *q, uint32_t n_cp, bool inside) {
    if (l->is_unbounded) return q[0] != 0;
    for (uint32_t i = 0; i < l->n_parts; i++)
        if (arti_part_alive(l->w->x->s, arti_text_part(l->st, i), q[i], n_cp, inside)) return true;
    return false;
}

/* Can some part go on with one more character at least, whichever? */
static bool goes_on(const arti_leaver *l, const uint64_t *q, uint32_t n_cp) {
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = arti_text_part(l->st, i);
        if (q[i] == 0 || n_cp >= p->hi) continue;
        if (p->kind == ARTI_PART_FREE) return true;
        if (p->kind == ARTI_PART_SET) {
            const uint64_t lo = arti_set_lo(q[i]);
            if (arti_set_hi(q[i]) - lo > 1 || p->set[lo].len > arti_set_depth(q[i])) return true;
            continue;
        }
        const uint32_t owed = p->lo > n_cp ? p->lo - n_cp : 0;
        uint32_t len;
        const art_status st = arti_re_length_in(l->w->x->s->re, (arti_re_state)q[i], owed ? owed : 1,
                                                p->hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : p->hi - n_cp, &len);
        if (st == ART_OK) return true;
        if (st != ART_REJECTED) {
            arti_fault_re(l->w->x->s, NULL, 0, "pattern");
            return false;
        }
    }
    return false;
}

/* Characters that may still come in a free string. */
static uint32_t room_of(const arti_leaver *l, const arti_part *p) {
    return p->hi == UINT32_MAX ? UINT32_MAX : p->hi - l->st->text.n_cp;
}

/* Is the part free, with room for any token and `more` characters? */
static bool has_room(const arti_leaver *l, const arti_part *p, uint32_t more) {
    if (p->kind != ARTI_PART_FREE || l->st->text.n_cp > p->hi) return false;
    return room_of(l, p) >= l->w->v->token_len_max + more;
}

/* Do all tokens stay that stay in any string, as a look at part i tells? */
static bool is_free(const arti_leaver *l, uint32_t i) {
    const arti_part *p = arti_text_part(l->st, i);
    const uint64_t q = arti_text_q(l->st)[i];
    if (q == 0 || p->kind != ARTI_PART_TERM) return q != 0 && has_room(l, p, 0);
    return p->hi == UINT32_MAX && arti_re_is_open(l->w->x->s->re, (arti_re_state)q);
}

/* The same, as parts i and j tell together. */
static bool are_free(const arti_leaver *l, uint32_t i, uint32_t j) {
    const arti_part *a = arti_text_part(l->st, i), *b = arti_text_part(l->st, j);
    const uint64_t *q = arti_text_q(l->st);
    if (a->kind != ARTI_PART_TERM || b->kind != ARTI_PART_TERM || !q[i] || !q[j]) return false;
    return a->hi == UINT32_MAX && b->hi == UINT32_MAX &&
           arti_re_are_complements(l->w->x->s->re, (arti_re_state)q[i], (arti_re_state)q[j]);
}

/* Do all tokens stay that stay in any string, as a look at one part or at two tells? */
static bool all_stay(const arti_leaver *l) {
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (is_free(l, i)) return true;
        for (uint32_t j = 0; j < i; j++)
            if (are_free(l, i, j)) return true;
    }
    return false;
}

/* Tokens of the first part that has any. Of a pattern whose lengths make no difference, the row is kept, and has tokens with escapes. */
static bool begin_stay(arti_leaver *l, uint32_t i, arti_re_state lang) {
    arti_walk *w = l->w;
    if (lang == ARTI_RE_DEAD)
        return arti_lang_stay(w, arti_text_part(l->st, i), arti_text_q(l->st)[i], l->st->text.n_cp, w->words);
    l->covered |= UINT64_C(1) << i;
    return arti_lang_row(w, lang, w->words);
}

/* Those that another part has more. */
static bool add_stay(arti_leaver *l, uint32_t i, arti_re_state lang) {
    arti_walk *w = l->w;
    const arti_part *p = arti_text_part(l->st, i);
    const uint64_t q = arti_text_q(l->st)[i];
    bool is_added = lang != ARTI_RE_DEAD && arti_lang_add_kept(w, lang);
    if (is_added) l->covered |= UINT64_C(1) << i;
    if (!is_added && lang != ARTI_RE_DEAD && !arti_lang_add_few(w, lang, &is_added)) return false;
    if (!is_added && !arti_lang_add(w, p, q, l->st->text.n_cp, w->words, &is_added)) return false;
    if (is_added) return true;
    uint32_t *row = arti_region_get(w->x->region, w->v->n_words * sizeof *row);
    if (!row) return arti_fault_mem(w->x->s);
    if (lang == ARTI_RE_DEAD) {
        if (!arti_lang_stay(w, p, q, l->st->text.n_cp, row)) return false;
    } else {
        if (!arti_lang_row(w, lang, row)) return false;
        l->covered |= UINT64_C(1) << i;
    }
    arti_walk_or(w, row);
    return true;
}

#define SET_MANY 256u /* strings whose row is worth being kept */

/* Tokens of an enumeration that stay, where that is all there is and nothing has to differ. */
static bool only_set_stay(arti_leaver *l) {
    arti_walk *w = l->w;
    const uint64_t q = arti_text_q(l->st)[0];
    const uint64_t key[2] = {arti_hash_mix((uint64_t)(uintptr_t)l->part->set, q), q};
    const bool keep = arti_set_hi(q) - arti_set_lo(q) >= SET_MANY;
    w->tracks = true;
    const arti_mask_row *row = keep ? arti_mask_memo_get(w->m, key, w->words, w->v->n_words) : NULL;
    if (row) {
        arti_walk_begun(w, row);
        return true;
    }
    arti_walk_copy(w, NULL);
    if (!arti_lang_add_set(w, l->part, q, NULL)) return false;
    if (keep) arti_walk_begun(w, arti_mask_memo_put(w->m, key, w->words, w->v->n_words));
    return true;
}

/* Tokens that stay, without escapes but for parts that are covered. */
static bool set_stay(arti_leaver *l) {
    arti_walk *w = l->w;
    const uint64_t *q = arti_text_q(l->st);
    bool is_first = true;
    if (l->clash.any && !arti_repeats_list(l)) return false;
    if (l->part && l->part->kind == ARTI_PART_SET && q[0] && !l->different) return only_set_stay(l);
    if (all_stay(l)) {
        arti_walk_copy(w, w->v->free_row); /* nothing can be added */
        l->covered = UINT64_MAX;
        return true;
    }
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = arti_text_part(l->st, i);
        arti_re_state lang = ARTI_RE_DEAD;
        if (q[i] == 0 || p->kind == ARTI_PART_SET) continue;
        if (p->kind == ARTI_PART_TERM && !l->part && !arti_lang_unbounded(w, p, q[i], l->st->text.n_cp, &lang))
            return false;
        if (is_first ? !begin_stay(l, i, lang) : !add_stay(l, i, lang)) return false;
        is_first = false;
    }
    if (is_first) {
        w->tracks = true;
        arti_walk_copy(w, NULL);
    }
    bool all = true;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (!q[i]) continue;
        all = all && l->covered >> i & 1u;
        if (arti_text_part(l->st, i)->kind == ARTI_PART_SET &&
            !arti_lang_add_set(w, arti_text_part(l->st, i), q[i], l->different ? l->different[i] : NULL))
            return false;
    }
    if (all) l->covered = UINT64_MAX;
    return true;
}

/* A token that ends within an escape, after whose text the parts are q. */
static bool is_cut_alive(arti_leaver *l, const arti_escaped *e, const uint64_t *q, uint32_t n_cp) {
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, e->token, &len);
    if (!goes_on(l, q, n_cp)) return false;
    if (len - e->tail <= 2) return true; /* \\ or \\u: any character can be written like that */
    const uint8_t *digits = bytes + e->tail + 2;
    const size_t n = len - e->tail - 2;
    arti_state st = whole(l, q, n_cp, 0, ARTI_U8_0);
    st.text.escape = ARTI_ESC_HEX0;
    st.text.unit = 0;
    return arti_walk_tail(l->w, &st, digits, n);
}

/* May what stands behind the quote, suffixes 64 * word and so on, begin a value or a key that the text before the quote decides about? */
static uint64_t leading(const arti_leaver *l, uint32_t word) {
    const arti_lex *lex = l->w->v->lex;
    if (!l->is_distinct) return 0;
    return lex->begins_value[word] | (l->opens_freely ? 0 : lex->opens_at_end[word]);
}

static bool leads_on(const arti_leaver *l, uint32_t suffix) {
    return leading(l, suffix / 64) >> (suffix % 64) & 1u;
}

/* Must the i-th token with escapes, which leaves a text with this digest, be stepped by itself? */
static bool is_escape_alone(const arti_leaver *l, uint32_t i, uint64_t hash) {
    const uint32_t tail = l->w->v->lex->escape_tails[i - l->w->v->n_escapes_stay];
    if (l->is_careful && arti_repeats_clash(l, hash)) return true;
    return l->is_distinct && (tail == UINT32_MAX || leads_on(l, tail));
}

/* Does some part go on with the first byte of the i-th escape's text? */
static bool may_begin(const arti_leaver *l, uint32_t i) {
    const uint32_t first = l->w->v->lex->escape_first[i];
    return first == ARTI_LEX_NO_TEXT || (l->next[first / 64] >> (first % 64) & 1u);
}

/* The i-th token with escapes, if it is one that the string admits. */
static bool set_escape(arti_leaver *l, uint64_t *q, uint32_t i) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const bool leaving = i >= v->n_escapes_stay;
    const arti_escaped *e = &v->escapes[i];
    const uint8_t *text = v->escape_text + e->text;
    const uint32_t n_cp = l->st->text.n_cp + e->n_cp;
    bool ok = false;
    if (l->ends && leaving && !arti_bits_test(l->ends, v->n_heads + i - v->n_escapes_stay)) return true;
    const uint64_t hash =
        leaving && l->is_careful ? arti_digest_text(l->st->text.hash, (const char *)text, e->len) : ARTI_DIGEST_OTHER;
    if (leaving && is_escape_alone(l, i, hash)) return arti_text_leave_alone(l, e->token);
    if (!run_parts(l, q, text, e->len, leaving ? 0 : l->covered)) return false;
    if (e->kind == ARTI_ESCAPED_STAYS) {
        ok = any_alive(l, q, n_cp, arti_u8_ends_inside(text, e->len));
    } else if (e->kind == ARTI_ESCAPED_CUT) {
        ok = is_cut_alive(l, e, q, n_cp);
    } else if (accepting(l, q, n_cp)) {
        bool failed;
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        const arti_quote *sig = signature_of(l, q, n_cp, hash, &failed);
        ok = sig && sig->closes && arti_walk_tail(w, &sig->after, bytes + e->tail, len - e->tail);
        if (!sig && !failed) return arti_text_leave_alone(l, e->token);
    }
    if (ok) arti_walk_set(w, e->token);
    return !arti_faulted(w->x->s);
}

/* Tokens with escapes: those that stay, or those that leave. They stand in this order. */
static bool set_escapes(arti_leaver *l, uint64_t *q, bool leaving) {
    const art_vocab *v = l->w->v;
    const arti_lex *lex = v->lex;
    const uint32_t first = leaving ? v->n_escapes_stay : 0, end = leaving ? v->n_escapes : v->n_escapes_stay;
    uint64_t some = 0;
    for (uint32_t k = 0; k < 4; k++) some |= lex->escape_bytes[k] & l->next[k];
    for (uint32_t k = 0; !some && k < lex->n_bare; k++)
        if (lex->bare_escapes[k] >= first && lex->bare_escapes[k] < end && !set_escape(l, q, lex->bare_escapes[k]))
            return false;
    for (uint32_t i = first; some && i < end; i++)
        if (may_begin(l, i) && !set_escape(l, q, i)) return false;
    return true;
}

#define NO_QUOTE 0xFFu  /* no part accepts, or the quote is not allowed */
#define OWN_QUOTE 0xFEu /* tokens with this head are stepped one by one */

static uint8_t quote_of(const arti_leaver *l, const arti_quote *sig) {
    return sig->closes ? (uint8_t)(sig - l->sigs) : NO_QUOTE;
}

/* The text as it stands clashes: what leaves there and then does so in many tokens. */
static bool judge_own(arti_leaver *l, uint64_t *q, uint64_t accepts, uint8_t *quote) {
    if (!run_parts(l, q, (const uint8_t *)"", 0, 0)) return false;
    l->own = add_quote(l, accepts, q, l->st->text.n_cp, l->st->text.hash);
    if (l->own) *quote = quote_of(l, l->own);
    return !arti_faulted(l->w->x->s);
}

/* How the string ends after head h, where these parts accept: index of its quote, or one of the above. */
static bool judge_head(arti_leaver *l, uint64_t *q, uint32_t h, uint64_t accepts, uint8_t *quote) {
    const arti_head *head = &l->w->v->heads[h];
    const uint8_t *bytes = l->w->v->bytes + head->bytes;
    *quote = NO_QUOTE;
    if (!accepts) return true;
    uint64_t hash = l->st->text.hash;
    if (l->is_careful) {
        hash = arti_digest_text(hash, (const char *)bytes, head->len);
        *quote = OWN_QUOTE;
        if (arti_repeats_clash(l, hash)) return head->len || judge_own(l, q, accepts, quote);
    }
    bool failed = false;
    const arti_quote *sig = known_signature(l, accepts);
    if (!sig) {
        if (!run_parts(l, q, bytes, head->len, 0)) return false;
        sig = signature_of(l, q, l->st->text.n_cp + head->n_cp, hash, &failed);
    }
    *quote = sig ? quote_of(l, sig) : OWN_QUOTE;
    return !failed;
}

/* Notes the heads after which part i accepts, one by one. */
static bool find_singly(arti_leaver *l, uint32_t i, uint64_t *accepts) {
    const art_vocab *v = l->w->v;
    const arti_part *p = arti_text_part(l->st, i);
    for (uint32_t h = 0; h < v->n_heads; h++) {
        const uint8_t *bytes = v->bytes + v->heads[h].bytes;
        const uint32_t n_cp = l->st->text.n_cp + v->heads[h].n_cp;
        uint64_t q = arti_text_q(l->st)[i];
        if (n_cp < p->lo || n_cp > p->hi) continue;
        for (uint32_t b = 0; b < v->heads[h].len && q && p->kind != ARTI_PART_FREE; b++)
            if (!arti_part_step(l->w->x->s, p, &q, bytes[b])) return false;
        if (arti_part_accepts(l->w->x->s, p, q, n_cp)) accepts[h] |= UINT64_C(1) << i;
    }
    return !arti_faulted(l->w->x->s);
}

/* The same of an enumeration: the heads that are the rest of one of its strings. */
static void find_rests(const arti_leaver *l, uint32_t i, uint64_t *accepts) {
    const uint64_t q = arti_text_q(l->st)[i];
    const uint32_t d = arti_set_depth(q);
    for (uint32_t k = arti_set_lo(q); k < arti_set_hi(q); k++) {
        const arti_key *key = &arti_text_part(l->st, i)->set[k];
        if (key->len - d > l->w->v->lex->head_len_max) continue;
        const uint32_t h = arti_lex_find_head(l->w->v, (const uint8_t *)key->ptr + d, key->len - d);
        if (h != UINT32_MAX) accepts[h] |= UINT64_C(1) << i;
    }
}

/* The parts that accept after each head, as bits. */
static bool find_accepts(arti_leaver *l, uint64_t *accepts) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const uint64_t *q = arti_text_q(l->st);
    memset(accepts, 0, v->n_heads * sizeof *accepts);
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = arti_text_part(l->st, i);
        if (q[i] == 0) continue;
        if (p->kind == ARTI_PART_SET && arti_set_hi(q[i]) - arti_set_lo(q[i]) < v->n_heads) {
            find_rests(l, i, accepts);
            continue;
        }
        if (p->kind != ARTI_PART_TERM) {
            if (!find_singly(l, i, accepts)) return false;
            continue;
        }
        const uint32_t *ends = l->ends;
        if (!ends) {
            uint32_t *own = arti_region_get(w->x->region, (arti_vocab_end_words(v) + 1u) * sizeof *own);
            if (!own) return arti_fault_mem(w->x->s);
            if (!arti_lang_ends(w, (arti_re_state)q[i], own)) return false;
            ends = own;
        }
        for (uint32_t h = 0; h < v->n_heads; h++) {
            const uint32_t n_cp = l->st->text.n_cp + v->heads[h].n_cp;
            const bool fits = n_cp >= p->lo && n_cp <= p->hi && arti_bits_test(ends, h);
            accepts[h] |= (uint64_t)fits << i;
        }
    }
    return true;
}

static bool judge_heads(arti_leaver *l, uint64_t *q, uint8_t *quotes) {
    const uint32_t n = l->w->v->n_heads;
    uint64_t *accepts = arti_region_get(l->w->x->region, (n + 1u) * sizeof *accepts);
    if (!accepts) return arti_fault_mem(l->w->x->s);
    if (!find_accepts(l, accepts)) return false;
    for (uint32_t h = 0; h < n; h++)
        if (!judge_head(l, q, h, accepts[h], &quotes[h])) return false;
    return true;
}

/* Tokens that go on with suffix k behind the quote. */
static bool set_suffix(arti_leaver *l, const uint8_t *quotes, uint32_t k) {
    const art_vocab *v = l->w->v;
    const arti_suffix *sf = &v->suffixes[v->u8[ARTI_U8_0].suffix + k];
    const bool known = k < ARTI_SUFFIX_WORDS_MAX * 32, leads = leads_on(l, k);
    for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
        const uint8_t quote = quotes[v->leave[t].head];
        if (quote == NO_QUOTE) continue;
        /* A text like no other leaves as much to follow as any. */
        const bool own = quote == OWN_QUOTE || !known;
        if (!own && !(l->sigs[quote].suffixes[k / 64] >> (k % 64) & 1u)) continue;
        if (!own && (!leads || &l->sigs[quote] == l->own))
            arti_walk_set(l->w, v->leave[t].token);
        else if (!arti_text_leave_alone(l, v->leave[t].token))
            return false;
    }
    return true;
}

static bool set_leaving(arti_leaver *l, uint64_t *q) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint8_t *quotes = arti_region_get(w->x->region, v->n_heads + 1u);
    if (!quotes) return arti_fault_mem(w->x->s);
    if (!judge_heads(l, q, quotes)) return false;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sigs[i].closes && !arti_walk_suffixes(w, &l->sigs[i])) return false;
    const bool all = memchr(quotes, OWN_QUOTE, v->n_heads) != NULL || set->n_suffix > ARTI_SUFFIX_WORDS_MAX * 32;
    for (uint32_t word = 0; word * 64 < set->n_suffix; word++) {
        uint64_t some = all ? UINT64_MAX : 0; /* suffixes that have to be looked at */
        for (uint32_t i = 0; i < l->n && !all; i++) some |= l->sigs[i].closes ? l->sigs[i].suffixes[word] : 0;
        for (uint32_t k = word * 64; some && k < set->n_suffix; k++, some >>= 1)
            if (some & 1u && !set_suffix(l, quotes, k)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ within a character or an escape */

/* One plain byte: false when the string dies by it (or on a fault). */
static bool plain_step(const arti_leaver *l, const arti_text_level *from, arti_text_level *to, uint8_t byte) {
    to->is_full = false;
    to->n_cp = from->n_cp;
    if (from->u8 == ARTI_U8_0) {
        if (byte < 0x20) return false;
        to->n_cp++;
    }
    to->u8 = arti_u8_next(from->u8, byte);
    if (to->u8 == ARTI_U8_BAD) return false;
    to->hash = l->is_distinct ? arti_hash_mix(from->hash, byte) : 0;
    if (l->part) {
        to->q[0] = from->q[0];
        if (!arti_part_step(l->w->x->s, l->part, &to->q[0], byte)) return false;
        return any_alive(l, to->q, to->n_cp, to->u8 != ARTI_U8_0);
    }
    for (uint32_t i = 0; i < l->n_parts; i++) {
        to->q[i] = from->q[i];
        if (!step_part(l->w->x, l->st, i, &to->q[i], byte)) return false;
    }
    return any_alive(l, to->q, to->n_cp, to->u8 != ARTI_U8_0);
}

/* Steps a whole state at depth d - 1 into depth d; back to languages alone once the escape is over. */
static bool full_step(arti_leaver *l, arti_text_level *levels, uint32_t d, uint8_t byte) {
    arti_walk *w = l->w;
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    arti_region_reset(w->x->region, marks[d - 1]);
    states[d] = states[d - 1];
    if (!arti_state_step(w->x, &states[d], byte)) return false;
    marks[d] = arti_region_mark_now(w->x->region);
    const arti_text_state *t = &states[d].text;
    levels[d].is_full = true;
    if (states[d].mode == l->st->mode && states[d].top == l->st->top && t->machine == l->st->text.machine &&
        t->escape == ARTI_ESC_NONE) {
        levels[d].is_full = false;
        levels[d].u8 = t->u8;
        levels[d].n_cp = t->n_cp;
        levels[d].hash = t->hash;
        memcpy(levels[d].q, arti_text_q(&states[d]), l->n_parts * sizeof(uint64_t));
    }
    return true;
}

#define SEARCH_WORK 2048u /* on what does no harm, in one walk */

/* Do all texts of these atoms keep a part alive, however long? false: not known. */
static bool stays_below(arti_leaver *l, const uint64_t *q, uint64_t below) {
    arti_re_ctx *re = l->w->x->s->re;
    if (below & ARTI_ATOM_SPECIAL) return false;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = arti_text_part(l->st, i);
        arti_re_safe safe;
        if (q[i] == 0 || p->hi != UINT32_MAX || p->lo > l->st->text.n_cp) continue;
        if (p->kind == ARTI_PART_FREE) return true;
        if (p->kind != ARTI_PART_TERM || l->search_work > SEARCH_WORK) continue;
        const uint64_t before = arti_re_work_done(re);
        const bool found = arti_re_get_safe(re, (arti_re_state)q[i], false, &safe) == ART_OK;
        l->search_work += arti_re_work_done(re) - before;
        if (found && safe.room == ARTI_RE_UNBOUNDED && !(below & ~safe.in)) return true;
    }
    return false;
}

static bool walk_narrow(arti_leaver *l) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    arti_text_level *levels = w->m->levels;
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    const size_t depth = w->m->depth_cap;
    uint64_t *q = arti_region_get(x->region, depth * l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(x->s);
    for (size_t d = 0; d < depth; d++) levels[d].q = q + d * l->n_parts;
    const arti_region_mark floor = arti_region_mark_now(x->region);
    arti_walk_copy(w, NULL);
    states[0] = *l->st;
    marks[0] = floor;
    levels[0].is_full = l->st->text.escape != ARTI_ESC_NONE;
    levels[0].u8 = l->st->text.u8;
    levels[0].n_cp = l->st->text.n_cp;
    levels[0].hash = l->st->text.hash;
    memcpy(levels[0].q, arti_text_q(l->st), l->n_parts * sizeof *q);
    for (uint32_t i = 1; i < v->n_nodes;) {
        const arti_node *node = &v->node[i];
        const uint32_t d = node->depth;
        arti_text_level *from = &levels[d - 1], *to = &levels[d];
        bool ok;
        if (from->is_full) {
            ok = full_step(l, levels, d, node->byte);
        } else if (from->u8 == ARTI_U8_0 && node->byte == '\\') {
            states[d - 1] = whole(l, from->q, from->n_cp, from->hash, from->u8);
            marks[d - 1] = floor;
            ok = full_step(l, levels, d, node->byte);
        } else if (from->u8 == ARTI_U8_0 && node->byte == '"') {
            bool failed = false;
            arti_quote *sig = l->is_careful ? NULL : signature_of(l, from->q, from->n_cp, from->hash, &failed);
            if (failed) return false;
            if (sig) {
                ok = sig->closes;
                states[d] = sig->after;
            } else {
                states[d - 1] = whole(l, from->q, from->n_cp, from->hash, from->u8);
                arti_region_reset(x->region, floor);
                states[d] = states[d - 1];
                ok = arti_state_step(x, &states[d], '"');
            }
            to->is_full = true;
            marks[d] = arti_region_mark_now(x->region);
        } else {
            ok = plain_step(l, from, to, node->byte);
        }
        if (!ok) {
            if (arti_faulted(x->s)) return false;
            if (from->is_full && w->exit && arti_state_is_complete(&states[d - 1])) arti_walk_exit(w, i, d - 1);
            i = node->next;
            continue;
        }
        if (!to->is_full && !from->is_full && to->u8 == ARTI_U8_0 && node->next > i + 1 &&
            memcmp(to->q, from->q, l->n_parts * sizeof *to->q) == 0 && stays_below(l, to->q, v->below[i])) {
            arti_bits_set_ids(w->words, v->order + node->tok, v->node[node->next].tok - node->tok);
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_bits_set(w->words, v->order[k]);
        i++;
    }
    return true;
}

/* ------------------------------------------------------------------ entry */

/* Do all texts that are long enough, and not too long, leave the string alike? */
static bool is_alike(const arti_leaver *l) {
    if (l->is_careful || l->w->x->embedded || l->w->v->lex->n_tails > ARTI_SUFFIX_WORDS_MAX * 32) return false;
    if (l->is_distinct) return l->part && has_room(l, l->part, 2); /* with two characters they never run out */
    return l->part && l->part->kind == ARTI_PART_FREE && l->st->text.n_cp <= l->part->hi;
}

static bool escape_fits(const arti_escaped *e, uint32_t room) {
    return e->n_cp <= room && !(e->kind == ARTI_ESCAPED_CUT && e->n_cp == room);
}

/* Begins the mask of a free string with what stays in it. *in_row: and with what leaves it and is plain (art_lex.h). */
static void begin_alike(arti_leaver *l, bool closes, bool *in_row) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const uint32_t room = room_of(l, l->part);
    w->tracks = true;
    *in_row = closes && w->x->space_max == UINT8_MAX && has_room(l, l->part, 0);
    if (has_room(l, l->part, 0)) {
        arti_walk_copy(w, *in_row ? v->lex->text_row : v->free_row);
        return;
    }
    const uint32_t *stay = arti_vocab_stay(v, room);
    arti_walk_copy(w, stay ? stay : arti_vocab_stay(v, UINT32_MAX));
    const arti_u8_sets *set = &v->u8[ARTI_U8_0]; /* tokens of many characters are listed */
    for (uint32_t i = set->stay; !stay && i < set->stay + set->n_stay; i++)
        if (v->stay_cps[i] > room) arti_walk_clear(w, v->stay_ids[i]);
    for (uint32_t i = 0; i < v->n_escapes_stay; i++)
        if (escape_fits(&v->escapes[i], room)) arti_walk_set(w, v->escapes[i].token);
}

/* Where is_alike(). */
static bool walk_alike(arti_leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_text_state *text = &l->st->text;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    const uint32_t need = l->part->lo > text->n_cp ? l->part->lo - text->n_cp : 0, room = room_of(l, l->part);
    bool failed, in_row;
    arti_quote *sig = signature_of(l, arti_text_q(l->st), text->n_cp + need, text->hash, &failed);
    if (!sig || (sig->closes && !arti_walk_suffixes(w, sig))) return false;
    begin_alike(l, sig->closes, &in_row);
    for (uint32_t at = 0; sig->closes && at < set->n_suffix; at += 64) {
        const uint64_t leads = leading(l, at / 64);
        for (uint64_t bits = sig->suffixes[at / 64]; bits; bits &= bits - 1) {
            const uint32_t bit = arti_bits_lowest64(bits), k = at + bit;
            if (k >= set->n_suffix) break;
            const arti_suffix *sf = &v->suffixes[set->suffix + k];
            const arti_leave *t = &v->leave[sf->first], *end = t + sf->n; /* ascending by characters */
            const bool is_set = in_row && v->lex->plain[k] == 1;
            for (; t < end && t->n_cp < need; t++)
                if (is_set) arti_walk_clear(w, t->token);
            for (; !is_set && t < end && t->n_cp <= room; t++) {
                if (!(leads >> bit & 1u))
                    arti_walk_set(w, t->token);
                else if (!arti_text_leave_alone(l, t->token))
                    return false;
            }
        }
    }
    for (uint32_t i = v->n_escapes_stay; sig->closes && i < v->n_escapes; i++) {
        const uint32_t tail = v->lex->escape_tails[i - v->n_escapes_stay];
        if (v->escapes[i].n_cp < need || v->escapes[i].n_cp > room) continue;
        if (tail == UINT32_MAX || leads_on(l, tail)) {
            if (!arti_text_leave_alone(l, v->escapes[i].token)) return false;
        } else if (sig->suffixes[tail / 64] >> (tail % 64) & 1u) {
            arti_walk_set(w, v->escapes[i].token);
        }
    }
    return true;
}

/* Tokens that stay, with escapes and without. */
static bool set_staying(arti_leaver *l, uint64_t *q) {
    arti_walk *w = l->w;
    const bool is_open = l->is_unbounded && arti_re_is_open(w->x->s->re, l->lang);
    if (is_open || (l->part && has_room(l, l->part, 0))) {
        w->tracks = l->reach == UINT32_MAX;
        arti_walk_copy(w, w->v->free_row);
        return true;
    }
    if (!l->is_unbounded) {
        if (!l->part || l->part->kind == ARTI_PART_TERM) w->work += ARTI_WORK_DEAR;
        if (!set_stay(l) || (l->covered != UINT64_MAX && !set_escapes(l, q, false))) return false;
        return !l->different || arti_repeats_settle_escapes(l);
    }
    w->tracks = l->reach == UINT32_MAX;
    return arti_lang_row(w, l->lang, w->words);
}

/* Bytes that some part goes on with, where all are enumerations. */
static void find_next_bytes(arti_leaver *l) {
    memset(l->next, 0, sizeof l->next);
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const uint64_t q = arti_text_q(l->st)[i];
        uint64_t bytes[4];
        bool ends;
        if (q == 0) continue;
        if (arti_text_part(l->st, i)->kind == ARTI_PART_SET)
            arti_set_next_bytes(arti_text_part(l->st, i)->set, q, bytes, &ends);
        else
            memset(bytes, 0xFF, sizeof bytes);
        for (uint32_t k = 0; k < 4; k++) l->next[k] |= bytes[k];
    }
}

/* Where lengths make a difference to tokens of more than l->reach characters: looks at those that may have so many. */
static bool mend_longer(arti_leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_bases *b = v->bases;
    if (l->reach >= v->token_len_max) return true;
    if (!arti_lang_drop_longer(w, l->lang, l->reach, l->part, l->st->text.n_cp, w->words)) return false;
    for (uint32_t i = 0; i < b->n_long_others; i++) {
        size_t len;
        arti_vocab_bytes(v, b->long_others[i], &len);
        if (len <= l->reach) continue;
        arti_walk_clear(w, b->long_others[i]);
        if (!arti_text_leave_alone(l, b->long_others[i])) return false;
    }
    return !arti_faulted(w->x->s);
}

/* Between two characters. */
static bool walk_whole(arti_leaver *l) {
    arti_walk *w = l->w;
    uint64_t *q = arti_region_get(w->x->region, l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(w->x->s);
    if (l->part && l->part->kind == ARTI_PART_TERM &&
        !arti_lang_nearly(w, l->part, arti_text_q(l->st)[0], l->st->text.n_cp, &l->lang, &l->reach))
        return false;
    l->is_unbounded = l->lang != ARTI_RE_DEAD;
    if (l->is_unbounded) {
        l->ends = arti_region_get(w->x->region, (arti_vocab_end_words(w->v) + 1u) * sizeof *l->ends);
        if (!l->ends) return arti_fault_mem(w->x->s);
    }
    find_next_bytes(l);
    if (!set_staying(l, q) || (l->ends && !arti_lang_ends(w, l->lang, l->ends))) return false;
    if (l->clash.any && !l->different && !arti_repeats_take_out(l)) return false;
    return set_escapes(l, q, true) && set_leaving(l, q) && mend_longer(l);
}

bool arti_walk_text(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    arti_leaver l = {.w = w, .st = st, .n_parts = arti_text_parts(st), .reach = UINT32_MAX};
    arti_lang_begin(x->s->re);
    if (l.n_parts == 1) l.part = arti_text_part(st, 0);
    l.sigs = arti_region_get(x->region, ARTI_QUOTES * sizeof *l.sigs);
    if (!l.sigs) return arti_fault_mem(x->s);
    const bool between = st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0;
    if (!arti_repeats_begin(&l, between)) return false;
    if (!between) w->work += ARTI_WORK_DEAR;
    if (between) return (is_alike(&l) ? walk_alike(&l) : walk_whole(&l)) && !arti_faulted(x->s);
    return walk_narrow(&l) && (!l.clash.any || arti_repeats_take_out(&l)) && !arti_faulted(x->s);
}
