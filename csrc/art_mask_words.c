/* SPDX-License-Identifier: Apache-2.0
 *
 * Of a language that is refused by words it contains, nearly all tokens are alive. Its row is begun with all of them, and the few that die
 * are looked for by these words: in all bytes of the vocabulary at once, and down the trie where a word has to come first. That is tried first where few
 * tokens have the words; of a language with more, groups and the trie are asked before it. */
#include "art_find.h"
#include "art_mask_groups.h"

#include "art_bases.h"
#include "art_bits.h"

#define RUN_MAX 20000u /* tokens that are looked at one by one: then the trie is as good, */
#define RUN_FEW 3000u  /* .. or what groups decide */
#define SEARCHED 2048u /* bytes that are searched in the time of a token */

typedef struct doubt {
    arti_lang *l;
    uint32_t n_run, run_max; /* tokens looked at */
} doubt;

/* Clears the token if it is dead. */
static bool look_at(doubt *d, uint32_t id) {
    arti_lang *l = d->l;
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, id, &len);
    const arti_re_state to = arti_re_run(l->w->x->s->re, l->q, bytes, len);
    if (to == ARTI_RE_FAIL) return arti_fault_re(l->w->x->s, NULL, 0, "pattern");
    if (to == ARTI_RE_DEAD) arti_bits_clear(l->row, id);
    d->n_run++;
    return true;
}

/* Tokens that begin with the word. */
static bool look_below(doubt *d, const arti_re_word *word) {
    const arti_lang *l = d->l;
    const art_vocab *v = l->w->v;
    uint32_t node = 0;
    for (uint32_t i = 0; i < word->len; i++)
        if (!(node = arti_lex_child(v, node, word->bytes[i]))) return true;
    const uint32_t first = v->node[node].tok, end = v->node[v->node[node].next].tok;
    const arti_re_state to = arti_re_run(l->w->x->s->re, l->q, word->bytes, word->len);
    if (to == ARTI_RE_FAIL) return arti_fault_re(l->w->x->s, NULL, 0, "pattern");
    for (uint32_t k = first; k < end && to == ARTI_RE_DEAD; k++) arti_bits_clear(l->row, v->order[k]);
    for (uint32_t k = first; k < end && to != ARTI_RE_DEAD && d->n_run <= d->run_max; k++)
        if (!look_at(d, v->order[k])) return false;
    return true;
}

/* The token that byte `at` of all bytes belongs to. */
static uint32_t token_at(const art_vocab *v, size_t at) {
    uint32_t lo = 0, hi = v->n_tokens;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (v->offsets[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Tokens with the word anywhere. */
static bool look_within(doubt *d, const arti_re_word *word) {
    const art_vocab *v = d->l->w->v;
    const size_t n = v->offsets[v->n_tokens];
    d->n_run += (uint32_t)(n / SEARCHED);
    for (size_t at = 0;
         d->n_run <= d->run_max && (at = arti_find(v->bytes, n, at, word->bytes, word->len)) != SIZE_MAX;) {
        const uint32_t id = token_at(v, at);
        const bool is_inside = at + word->len <= v->offsets[id + 1];
        if (is_inside && !look_at(d, id)) return false;
        at = is_inside ? v->offsets[id + 1] : at + 1;
    }
    return true;
}

typedef struct word_list {
    arti_re_word at[ARTI_RE_FORBIDDEN_MAX];
    uint32_t n;
} word_list;

/* Takes dead tokens out of the row, as long as not more than run_max are looked at. *done: so it was. */
static bool clear_dead(arti_lang *l, const word_list *words, uint32_t run_max, bool *done) {
    doubt d = {.l = l, .run_max = run_max};
    for (uint32_t i = 0; i < words->n && d.n_run <= run_max; i++)
        if (!(words->at[i].at_start ? look_below : look_within)(&d, &words->at[i])) return false;
    *done = words->n > 0 && d.n_run <= run_max;
    return true;
}

bool arti_words_set(arti_lang *l, bool *done) {
    word_list words;
    *done = false;
    if (!arti_find_is_fast()) return true;
    words.n = arti_re_forbidden(l->w->x->s->re, l->q, words.at);
    if (words.n == 0) return true;
    l->basis = (arti_basis){l->w->v->bases->rows[0], NULL};
    arti_basis_copy(l->basis, l->row, l->w->v->n_words);
    return clear_dead(l, &words, RUN_FEW, done);
}

bool arti_words_clear(arti_lang *l, bool *done) {
    word_list words;
    words.n = arti_re_forbidden(l->w->x->s->re, l->q, words.at);
    return clear_dead(l, &words, RUN_MAX, done);
}
