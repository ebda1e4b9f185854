/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_walk.h"

#include "art_bits.h"
#include "art_mask_open.h"
#include "art_unique.h"

/* ------------------------------------------------------------------ working memory */

void *arti_walk_work(arti_walk *w, size_t size) {
    void *p = arti_realloc(&w->m->work_mem, NULL, 0, size);
    if (!p) arti_fault_mem(w->x->s);
    return p;
}

void arti_walk_tables_free(arti_mask_memo *m) {
    arti_mem *mem = &m->work_mem;
    arti_free(mem, m->states, m->depth_cap * sizeof *m->states);
    arti_free(mem, m->marks, m->depth_cap * sizeof *m->marks);
    arti_free(mem, m->levels, m->depth_cap * sizeof *m->levels);
    arti_free(mem, m->next, m->depth_cap * sizeof *m->next);
    arti_free(mem, m->tails, m->tails_size);
    if (m->closing.mem) arti_region_free(&m->closing);
}

bool arti_walk_begin(arti_walk *w) {
    arti_mask_memo *m = w->m;
    if (!m->depth_cap) {
        arti_mem_init(&m->work_mem, &m->mem.alloc, 0);
        const size_t depth = 2 * ((size_t)w->v->token_len_max + 2);
        arti_state *states = arti_walk_work(w, depth * sizeof *states);
        arti_region_mark *marks = states ? arti_walk_work(w, depth * sizeof *marks) : NULL;
        arti_text_level *levels = marks ? arti_walk_work(w, depth * sizeof *levels) : NULL;
        arti_next_bytes *next = levels ? arti_walk_work(w, depth * sizeof *next) : NULL;
        if (!next) {
            arti_free(&m->work_mem, levels, depth * sizeof *levels);
            arti_free(&m->work_mem, states, depth * sizeof *states);
            arti_free(&m->work_mem, marks, depth * sizeof *marks);
            return false;
        }
        m->states = states;
        m->marks = marks;
        m->levels = levels;
        m->next = next;
        m->depth_cap = depth;
        arti_region_init(&m->closing, &m->work_mem);
    }
    arti_region_reset(&m->closing, (arti_region_mark){0});
    return true;
}

/* ------------------------------------------------------------------ any state, node by node */

void arti_walk_exit(arti_walk *w, uint32_t i, uint32_t depth) {
    const art_vocab *v = w->v;
    const uint32_t from = v->node[i].tok, to = v->node[v->node[i].next].tok;
    for (uint32_t k = from; k < to; k++) {
        const uint32_t id = v->order[k];
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
        if (len <= depth || w->exit->allows(w->exit->ud, bytes + depth, len - depth)) arti_walk_set(w, id);
    }
}

/* In a string, between characters, where any characters may follow. */
static bool is_free_text(const arti_state *st) {
    if (st->mode != ARTI_M_TEXT && st->mode != ARTI_M_KEY_TEXT) return false;
    if (st->text.u8 != ARTI_U8_0 || st->text.escape != ARTI_ESC_NONE) return false;
    if (st->mode == ARTI_M_TEXT) {
        const arti_text_machine *m = st->text.machine;
        return m->n_parts == 1 && m->parts[0].kind == ARTI_PART_FREE && m->parts[0].hi == UINT32_MAX;
    }
    const arti_object_machine *m = st->text.machine;
    return m->n_alts == 1 && m->any_free && st->text.offer_other;
}

bool arti_walk_subtree(arti_walk *w, uint32_t i, const arti_state *from) {
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const uint32_t end = v->node[i].next, top = v->node[i].depth - 1u;
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    states[top] = *from;
    marks[top] = arti_region_mark_now(x->region);
    while (i < end) {
        const arti_node *node = &v->node[i];
        const uint32_t d = node->depth;
        w->work++;
        arti_region_reset(x->region, marks[d - 1]);
        states[d] = states[d - 1];
        if (!arti_state_step(x, &states[d], node->byte)) {
            if (arti_faulted(x->s)) return false;
            if (w->exit && arti_state_is_complete(&states[d - 1])) arti_walk_exit(w, i, d - 1);
            i = node->next;
            continue;
        }
        marks[d] = arti_region_mark_now(x->region);
        if (!(v->below[i] & ARTI_ATOM_SPECIAL) && is_free_text(&states[d])) { /* plain characters only: all of them */
            arti_walk_set_ids(w, v->order + node->tok, v->node[node->next].tok - node->tok);
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_walk_set(w, v->order[k]);
        i++;
    }
    arti_region_reset(x->region, marks[top]);
    return !arti_faulted(x->s);
}

bool arti_walk_tail(arti_walk *w, const arti_state *st, const uint8_t *bytes, size_t len) {
    arti_jctx *x = w->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state at = *st;
    size_t n = 0;
    while (n < len && arti_state_step(x, &at, bytes[n])) n++;
    const bool ok =
        n == len || (w->exit && arti_state_is_complete(&at) && w->exit->allows(w->exit->ud, bytes + n, len - n));
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

static bool walk_byte(arti_walk *w, const arti_state *st, uint8_t byte) {
    const uint32_t i = w->v->root_child[byte];
    return !i || arti_walk_subtree(w, i, st);
}

static bool walk_all(arti_walk *w, const arti_state *st) {
    for (uint32_t b = 0; b < 256; b++)
        if (!walk_byte(w, st, (uint8_t)b)) return false;
    return true;
}

/* ------------------------------------------------------------------ structure */

/* Inside something else, where the text behind the value counts: by the vocabulary's own trie. */
static bool walk_embedded(arti_walk *w, const arti_state *st, const uint8_t *bytes) {
    arti_jctx *x = w->x;
    if (x->space_max != UINT8_MAX && x->space_max != 0) return walk_all(w, st);
    const bool spaces = x->space_max == UINT8_MAX;
    const arti_lex *lex = w->v->lex;
    if (spaces) arti_walk_or(w, w->v->space_row);
    for (const uint8_t *b = bytes; *b; b++) {
        const arti_region_mark mark = arti_region_mark_now(x->region);
        arti_state next = *st;
        const bool alive = arti_state_step(x, &next, *b);
        arti_region_reset(x->region, mark);
        if (arti_faulted(x->s)) return false;
        if (!alive) continue;
        if (!spaces) {
            if (!walk_byte(w, st, *b)) return false;
            continue;
        }
        for (uint32_t k = lex->space_first[*b]; k < lex->space_first[*b + 1u]; k++)
            if (!arti_walk_subtree(w, lex->space_nodes[k], st)) return false;
    }
    return true;
}

/* Bytes that may come but for whitespace, ended by 0: none that is missing may. */
static bool first_bytes(arti_jctx *x, const arti_state *st, uint8_t out[24]) {
    const char *bytes = "";
    size_t n = 0;
    switch ((arti_mode)st->mode) {
    case ARTI_M_FIRST_KEY: bytes = "\"}"; break;
    case ARTI_M_KEY: bytes = "\""; break;
    case ARTI_M_COLON: bytes = ":"; break;
    case ARTI_M_AFTER: bytes = st->top->is_object ? ",}" : ",]"; break;
    case ARTI_M_FIRST_VALUE: bytes = "]"; break;
    default: break;
    }
    for (; *bytes; bytes++) out[n++] = (uint8_t)*bytes;
    if ((st->mode == ARTI_M_VALUE || st->mode == ARTI_M_FIRST_VALUE) && st->goals) {
        static const char *const by_type[ARTI_N_TYPES] = {
            [ARTI_T_NULL] = "n",    [ARTI_T_BOOL] = "tf", [ARTI_T_NUMBER] = "1023456789-",
            [ARTI_T_STRING] = "\"", [ARTI_T_ARRAY] = "[", [ARTI_T_OBJECT] = "{"};
        for (uint32_t t = 0; t < ARTI_N_TYPES; t++) {
            const arti_goal_type *gt = arti_goals_type(x->s, st->goals, (arti_type)t);
            if (!gt) return false;
            for (const char *b = by_type[t]; gt->n_alts && *b; b++) out[n++] = (uint8_t)*b;
        }
    }
    out[n] = 0;
    return true;
}

/* Is every number alive that begins with another digit than 0, for as long as tokens go that are digits? */
static bool starts_any_natural(arti_walk *w, const arti_state *st) {
    const arti_lex_trie *t = &w->v->lex->out;
    for (uint8_t b = '1'; b <= '9'; b += '9' - '1') { /* what holds of both of one bound holds of those between */
        arti_state next = *st;
        if (!arti_state_step(w->x, &next, b) || next.goals->type[ARTI_T_NUMBER].n_alts != 1) return false;
        uint32_t levels = 1;
        for (uint8_t d = '1'; d <= '9'; d++)
            if (t->node[t->child[d]].digits > levels) levels = t->node[t->child[d]].digits;
        if (!arti_number_is_settled(w->v, &next, levels - 1)) return false;
    }
    return true;
}

/* Which row of numbers has what may begin one here, but for a 0 that may not? 0: none. */
static uint32_t number_row(arti_walk *w, const arti_state *st) {
    arti_state next = *st;
    if (!w->v->lex->has_number_rows || !arti_state_step(w->x, &next, '1') || arti_is_distinct(&next)) return 0;
    if (arti_number_is_open(w->v, &next)) return ARTI_LEX_NUMBERS;
    return starts_any_natural(w, st) ? ARTI_LEX_NATURALS : 0;
}

/* Takes the 0 back where it may not begin a number. */
static void drop_zero(arti_walk *w, const arti_state *st) {
    const arti_lex_trie *t = &w->v->lex->out;
    const uint32_t i = t->child['0'];
    arti_state next = *st;
    if (!i || arti_state_step(w->x, &next, '0')) return;
    for (uint32_t e = t->node[i].tok; e < t->node[i + 1].tok; e++) arti_walk_clear(w, t->ids[e]);
}

/* Writes the row of tokens that a place admits as a whole, and takes the bytes from the list for which nothing else is left. *opened: the
 * state behind an opening quote; mode TEXT or KEY_TEXT if what stays in that string is in the row. */
static void copy_start_row(const arti_fold *f, const arti_state *st, uint8_t *bytes, arti_state *opened) {
    arti_walk *w = f->w;
    const arti_lex *lex = w->v->lex;
    uint32_t row = 0, numbers = 0;
    uint8_t *end = bytes;
    opened->mode = ARTI_M_DONE;
    for (const uint8_t *b = bytes; *b; b++) {
        arti_state next = *st;
        if (*b == '"' && lex->out.child['"'] && arti_state_step(w->x, &next, '"') && arti_open_is_free(w, &next)) {
            row |= 1u; /* what it needs lies in the region until the walk ends */
            *opened = next;
        }
        if (*b == '1') numbers = number_row(w, st); /* the first of their bytes */
        const bool in_row = *b == '-' ? numbers == ARTI_LEX_NUMBERS : numbers && *b >= '0' && *b <= '9';
        if (!in_row) *end++ = *b;
    }
    *end = 0;
    arti_walk_copy(w, lex->start_rows[row | numbers]);
    if (numbers == ARTI_LEX_NATURALS) drop_zero(w, st);
}

/* May whitespace of any kind and length stand wherever JSON has it? */
static bool has_any_space(const arti_jctx *x) {
    return x->space_max == UINT8_MAX && !x->spaced && !x->embedded;
}

/* is_first: the words are not written yet; else they are added to, and have the whitespace where it is not limited. */
static bool walk_structure(arti_walk *w, const arti_state *st, bool is_first) {
    uint8_t bytes[24];
    const bool any_space = has_any_space(w->x);
    if (is_first) w->tracks = !w->x->embedded;
    if (is_first && !any_space) arti_walk_copy(w, NULL);
    if (st->mode == ARTI_M_DONE && w->x->embedded) return true;
    if (!first_bytes(w->x, st, bytes)) return false;
    if (w->x->embedded) return walk_embedded(w, st, bytes);
    const arti_fold f = arti_fold_from(w, &w->v->lex->out, st);
    arti_state opened = {.mode = ARTI_M_DONE};
    if (any_space && is_first)
        copy_start_row(&f, st, bytes, &opened);
    else if (f.lead && !any_space)
        arti_fold_set(&f, f.t->node[0].tok, f.t->node[1].tok);
    if (arti_faulted(w->x->s)) return false;
    for (const uint8_t *b = bytes; *b; b++) {
        const uint32_t i = f.t->child[*b];
        if (*b == '"' && opened.mode != ARTI_M_DONE) {
            if (!arti_open_free(&f, i, &opened, true)) return false;
        } else if (i && !arti_fold_walk(&f, i, f.t->node[i].next, st)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ numbers */

/* Is a number with this rule alive after any token that goes on with a number, but for what the number's own syntax forbids? */
static bool is_open_rule(const art_vocab *v, const arti_num *n, const arti_num_rule *r) {
    if (n->lex >= ARTI_NUM_E || n->n_int + n->n_frac + v->token_len_max > ARTI_NUM_MAGNITUDE_MAX) return false;
    if (r->is_any) return true;
    const bool whole = r->step && r->step->is_small && r->step->small == 1;
    return whole && !r->is_long && !r->lo && !r->hi && r->n_not_step == 0 && r->n_not_value == 0 && n->n_frac == 0 &&
           n->lex >= ARTI_NUM_MINUS && n->lex <= ARTI_NUM_INT;
}

bool arti_number_is_open(const art_vocab *v, const arti_state *st) {
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    return gt->n_alts == 1 && is_open_rule(v, &st->number.num, &gt->alts[0].shape->number);
}

bool arti_number_is_settled(const art_vocab *v, const arti_state *st, uint32_t levels) {
    const arti_num *n = &st->number.num;
    if (n->lex != ARTI_NUM_INT && n->lex != ARTI_NUM_FRAC) return false;
    if (arti_number_is_open(v, st)) return true;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    if (arti_is_distinct(st)) { /* numbers without end are left, as are now, whatever digits come */
        const arti_num_rule *r = &gt->alts[0].shape->number;
        const bool is_endless = gt->n_alts == 1 && n->lex == ARTI_NUM_INT && !(n->neg ? r->lo : r->hi);
        return is_endless && arti_num_is_settled(r, n, levels);
    }
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_num_rule *r = &gt->alts[a].shape->number;
        if (is_open_rule(v, n, r) || arti_num_is_settled(r, n, levels)) return true;
    }
    return false;
}

bool arti_number_is_covered(const art_vocab *v, const arti_state *st) {
    const arti_num *n = &st->number.num;
    if (n->n_int == 1 && n->n_sig == n->n_int + n->n_frac) return false; /* an exponent may follow */
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    for (uint32_t a = 0; a < gt->n_alts; a++)
        if (!arti_num_is_covered(&gt->alts[a].shape->number, n, v->lex->digits_max + 1)) return false;
    return true;
}

/* Behind the digits of *st, would this one take the number past its bounds for good? Then larger ones do as well. */
bool arti_number_is_beyond(const arti_state *st, uint8_t digit) {
    const arti_num *n = &st->number.num;
    if (st->mode != ARTI_M_NUMBER || n->lex != ARTI_NUM_INT || n->n_sig > 16) return false;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    for (uint32_t a = 0; a < gt->n_alts; a++)
        if (!arti_num_is_beyond(&gt->alts[a].shape->number, n, digit)) return false;
    return true;
}

static bool walk_number(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    static const uint8_t bytes[] = "0123456789.eE+-";
    const arti_lex *lex = w->v->lex;
    const arti_lex_trie *t = &lex->num;
    const arti_fold f = {.w = w, .t = t, .spaced = x->spaced, .run = x->space_max};
    uint32_t levels = 0; /* of tokens that are digits throughout, at most */
    for (uint8_t b = '0'; b <= '9'; b++) {
        if (!t->child[b]) continue;
        const uint8_t below = t->node[t->child[b]].digits;
        if (below == 0) levels = w->v->token_len_max;
        if (below > levels) levels = below;
    }
    const bool digits = arti_number_is_settled(w->v, st, levels);
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state after = {.mode = ARTI_M_DONE};
    bool ends = arti_state_is_complete(st);
    if (st->top) {
        after = *st;
        ends = arti_number_end(x, &after) && arti_unique_alive(x, &after);
        if (arti_faulted(x->s)) return false;
    }
    w->tracks = !x->embedded;
    if (ends && has_any_space(x))
        arti_walk_copy(w, digits ? lex->digit_space_row : w->v->space_row);
    else
        arti_walk_copy(w, digits ? w->v->digit_row : NULL);
    for (const uint8_t *b = bytes; *b; b++) {
        const uint32_t i = t->child[*b];
        if (!i || (digits && t->node[i].digits)) continue;
        if (x->embedded ? !walk_byte(w, st, *b) : !arti_fold_walk(&f, i, t->node[i].next, st)) return false;
    }
    bool ok = true;
    if (ends && !st->top && w->exit)
        ok = walk_all(w, st);
    else if (ends && (st->top || !x->embedded))
        ok = walk_structure(w, &after, false);
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

/* ------------------------------------------------------------------ strings: what values and keys have in common */

/* Inside something else, where any text may follow. The suffixes are sorted, so each common beginning is walked once. */
static bool embedded_suffixes(arti_walk *w, arti_quote *quote) {
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    states[0] = quote->after;
    marks[0] = arti_region_mark_now(w->x->region);
    const uint8_t *last = NULL;
    uint32_t alive = 0, dead_at = UINT32_MAX; /* bytes of `last` that are alive; where it died */
    for (uint32_t i = 0; i < set->n_suffix && i < ARTI_SUFFIX_WORDS_MAX * 32; i++) {
        const arti_suffix *sf = &v->suffixes[set->suffix + i];
        const uint8_t *bytes = v->bytes + sf->bytes;
        uint32_t common = 0;
        while (last && common < alive && common < sf->len && bytes[common] == last[common]) common++;
        if (last && dead_at != UINT32_MAX && common == alive && common < sf->len && bytes[common] == last[dead_at])
            continue;
        alive = common;
        dead_at = UINT32_MAX;
        last = bytes;
        bool ok = true;
        while (alive < sf->len) {
            arti_region_reset(w->x->region, marks[alive]);
            states[alive + 1] = states[alive];
            if (!arti_state_step(w->x, &states[alive + 1], bytes[alive])) {
                if (arti_faulted(w->x->s)) return false;
                dead_at = alive;
                ok = w->exit && arti_state_is_complete(&states[alive]) &&
                     w->exit->allows(w->exit->ud, bytes + alive, sf->len - alive);
                break;
            }
            alive++;
            marks[alive] = arti_region_mark_now(w->x->region);
        }
        if (w->exit && dead_at != UINT32_MAX && arti_state_is_complete(&states[alive]))
            dead_at = UINT32_MAX, last = NULL, alive = 0;
        if (ok) quote->suffixes[i / 64] |= UINT64_C(1) << (i % 64);
    }
    arti_region_reset(w->x->region, marks[0]);
    return true;
}

bool arti_walk_suffixes(arti_walk *w, arti_quote *quote) {
    if (quote->has_suffixes) return true;
    quote->has_suffixes = true;
    if (!w->x->embedded) return arti_fold_tails(w, &quote->after, quote->suffixes);
    memset(quote->suffixes, 0, sizeof quote->suffixes);
    return embedded_suffixes(w, quote);
}

void arti_walk_alike(arti_walk *w, const arti_quote *quote, const uint32_t *row) {
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    const bool in_row = w->x->space_max == UINT8_MAX;
    arti_walk_copy(w, quote->closes && in_row ? row : v->free_row);
    for (uint32_t at = 0; quote->closes && at < set->n_suffix; at += 64) {
        for (uint64_t bits = quote->suffixes[at / 64]; bits; bits &= bits - 1) {
            const uint32_t k = at + arti_bits_lowest64(bits);
            if (k >= set->n_suffix) break;
            if (in_row && v->lex->plain[k]) continue;
            const arti_suffix *sf = &v->suffixes[set->suffix + k];
            for (uint32_t t = sf->first; t < sf->first + sf->n; t++) arti_walk_set(w, v->leave[t].token);
        }
    }
}

/* A value's string without any bounds, between characters. */
static bool is_free_value(const arti_walk *w, const arti_state *st) {
    const arti_part *p = ((const arti_text_machine *)st->text.machine)->parts;
    return st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0 && p->lo <= st->text.n_cp &&
           (p->hi == UINT32_MAX || p->hi - st->text.n_cp >= w->v->token_len_max) && st->text.n_cp <= p->hi &&
           ((const arti_text_machine *)st->text.machine)->n_parts == 1 && p->kind == ARTI_PART_FREE &&
           !arti_is_distinct(st) && !w->x->embedded && w->v->lex->n_tails <= ARTI_SUFFIX_WORDS_MAX * 32;
}

static bool walk_free_value(arti_walk *w, const arti_state *st) {
    const art_vocab *v = w->v;
    arti_quote quote;
    quote.after = *st;
    quote.has_suffixes = false;
    quote.closes = arti_state_step(w->x, &quote.after, '"');
    if (arti_faulted(w->x->s) || (quote.closes && !arti_walk_suffixes(w, &quote))) return false;
    w->tracks = true;
    arti_walk_alike(w, &quote, v->lex->text_row);
    for (uint32_t k = v->n_escapes_stay; quote.closes && k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        const uint32_t tail = v->lex->escape_tails[k - v->n_escapes_stay];
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        if (tail == UINT32_MAX ? arti_walk_tail(w, &quote.after, bytes + e->tail, len - e->tail)
                               : (bool)(quote.suffixes[tail / 64] >> (tail % 64) & 1u))
            arti_walk_set(w, e->token);
    }
    return !arti_faulted(w->x->s);
}

bool arti_suffix_ends_container(const art_vocab *v, const arti_suffix *sf) {
    for (uint32_t i = 0; i < sf->len; i++)
        if (v->bytes[sf->bytes + i] == '}' || v->bytes[sf->bytes + i] == ']') return true;
    return false;
}

/* ------------------------------------------------------------------ dispatch */

bool arti_walk_state(arti_walk *w, const arti_state *st) {
    static const char *const words[] = {"false", "true", "null"};
    switch ((arti_mode)st->mode) {
    case ARTI_M_TEXT:
        if (is_free_value(w, st)) return walk_free_value(w, st);
        if (((const arti_text_machine *)st->text.machine)->parts[0].kind == ARTI_PART_SET) w->work += ARTI_WORK_DEAR;
        return arti_walk_text(w, st);
    case ARTI_M_KEY_TEXT: return arti_walk_key(w, st);
    case ARTI_M_NUMBER: return walk_number(w, st);
    case ARTI_M_WORD:
        w->tracks = true;
        arti_walk_copy(w, NULL);
        return walk_byte(w, st, (uint8_t)words[st->word][st->word_len]);
    default: return walk_structure(w, st, true);
    }
}
