/* SPDX-License-Identifier: Apache-2.0
 *
 * Words without which a state is not left for the dead one.
 *
 * What is refused by what it contains, as `not: {"pattern": "foo"}` is, ends up as complements in an intersection. A text that such a state
 * does not accept belongs to one of the complements' bodies, and so has whatever literal text all of that body's texts have. One thing that must
 * be found in a text as well, as `oneOf` of two patterns makes it, can still come behind any text that has no such word. */
#include "art_find.h"
#include "art_regex_impl.h"

#define ALTERNATIVES_DEEP 3u /* alternatives within each other */
#define WANTED_MAX 64u       /* characters of what must still be found */

typedef struct word_list {
    arti_re_word *out;
    uint32_t n;
} word_list;

/* The only character of a class of one; RE_NIL: it is no such class. */
static uint32_t only_char(const arti_re_ctx *c, arti_re t) {
    const re_node *x = &c->nodes[t];
    if (x->kind != RE_CLASS || c->classes[x->a].n != 1) return RE_NIL;
    const arti_re_range *r = c->classes[x->a].ranges;
    return r->lo == r->hi ? r->lo : RE_NIL;
}

/* An element of a concatenation that is one character `turns` times; RE_NIL: it is something else. */
static uint32_t repeated_char(const arti_re_ctx *c, arti_re t, uint32_t *turns) {
    const re_node *x = &c->nodes[t];
    *turns = 1;
    if (x->kind != RE_LOOP || x->min != x->max) return only_char(c, t);
    *turns = x->min;
    return only_char(c, x->a);
}

static void take_longer(arti_re_word *best, const arti_re_word *w) {
    if (w->len > best->len) *best = *w;
}

/* The longest literal text that stands in a row in all texts of a concatenation, as far as its elements show it. */
static arti_re_word longest_word(const arti_re_ctx *c, arti_re t, bool at_start) {
    arti_re_word best = {.len = 0}, now = {.at_start = at_start};
    for (bool more = true; more;) {
        const bool chain = c->nodes[t].kind == RE_CONCAT;
        uint32_t turns;
        const uint32_t cp = repeated_char(c, chain ? c->nodes[t].a : t, &turns);
        if (cp == RE_NIL || now.len + 4 * turns > sizeof now.bytes) {
            take_longer(&best, &now);
            now = (arti_re_word){.at_start = false};
        }
        for (; cp != RE_NIL && turns && now.len + 4 * turns <= sizeof now.bytes; turns--)
            now.len += (uint8_t)arti_u8_put(now.bytes + now.len, cp);
        more = chain;
        if (chain) t = c->nodes[t].b;
    }
    take_longer(&best, &now);
    return best;
}

/* Words of which all texts of a term have one: a word of the term, or of each of the alternatives in one of its elements. */
static bool add_words(const arti_re_ctx *c, arti_re t, bool at_start, uint32_t depth, word_list *words) {
    const arti_re_word word = longest_word(c, t, at_start);
    if (c->nodes[t].flags & RE_LOOKS) return false;
    if (word.len >= (word.at_start ? 1 : 2)) {
        if (words->n == ARTI_RE_FORBIDDEN_MAX) return false;
        words->out[words->n++] = word;
        return true;
    }
    for (bool more = depth > 0; more;) {
        const bool chain = c->nodes[t].kind == RE_CONCAT;
        const re_node *x = &c->nodes[chain ? c->nodes[t].a : t];
        const uint32_t n = words->n;
        bool ok = x->kind == RE_OR;
        for (uint32_t i = 0; ok && i < x->b; i++) ok = add_words(c, x->kids[i], at_start, depth - 1, words);
        if (ok) return true;
        words->n = n;
        at_start = false;
        more = chain;
        if (chain) t = c->nodes[t].b;
    }
    return false;
}

static bool add_forbidden(const arti_re_ctx *c, arti_re t, word_list *words) {
    return c->nodes[t].kind == RE_NOT && add_words(c, c->nodes[t].a, true, ALTERNATIVES_DEEP, words);
}

static bool has_word(const uint8_t *text, size_t len, const word_list *words) {
    for (uint32_t i = 0; i < words->n; i++)
        if (!words->out[i].at_start && arti_find(text, len, 0, words->out[i].bytes, words->out[i].len) != SIZE_MAX)
            return true;
    return false;
}

/* Does something without the words end a text of `wanted`, whatever text without them stands before it? Behind a character that no word has, it is
 * enough that it is one of `wanted` and has none. */
static bool can_end(arti_re_ctx *c, arti_re wanted, const word_list *words) {
    uint8_t text[4 * WANTED_MAX];
    size_t len;
    if (c->nodes[wanted].shortest > WANTED_MAX) return false;
    const art_error before = c->err;
    re_begin(c);
    const arti_re_state s = re_whole_state(c, wanted);
    const bool found =
        s != ARTI_RE_FAIL && arti_re_witness(c, s, 0, ARTI_RE_UNBOUNDED, text, sizeof text, &len) == ART_OK;
    c->err = before; /* what is too much work is not known */
    return found && !has_word(text, len, words);
}

uint32_t arti_re_forbidden(arti_re_ctx *c, arti_re_state s, arti_re_word out[ARTI_RE_FORBIDDEN_MAX]) {
    if (s == ARTI_RE_DEAD || s == ARTI_RE_FAIL || c->splits[re_info_of(c, s)->split]->u8 != ARTI_U8_0) return 0;
    const arti_re t = re_info_of(c, s)->term;
    word_list words = {out, 0};
    if (c->nodes[t].kind != RE_AND) return add_forbidden(c, t, &words) ? words.n : 0;
    const uint32_t *kids = c->nodes[t].kids, n = c->nodes[t].b;
    arti_re wanted = RE_NIL;
    for (uint32_t i = 0; i < n; i++) {
        const arti_re open = wanted == RE_NIL ? re_open_part(c, kids[i]) : RE_NIL; /* of two, no text is at hand */
        if (open != RE_NIL)
            wanted = open;
        else if (!add_forbidden(c, kids[i], &words))
            return 0;
    }
    return wanted == RE_NIL || can_end(c, wanted, &words) ? words.n : 0;
}
