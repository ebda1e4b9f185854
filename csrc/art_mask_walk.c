/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_walk.h"

#include "art_bits.h"
#include "art_unique.h"

static bool is_space(uint8_t b) {
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}

/* ------------------------------------------------------------------ working memory */

static void *work_get(arti_walk *w, size_t size) {
    void *p = arti_realloc(&w->m->work_mem, NULL, 0, size);
    if (!p) arti_fault_mem(w->x->s);
    return p;
}

void arti_walk_tables_free(arti_mask_memo *m) {
    arti_mem *mem = &m->work_mem;
    arti_free(mem, m->states, m->depth_cap * sizeof *m->states);
    arti_free(mem, m->marks, m->depth_cap * sizeof *m->marks);
    arti_free(mem, m->levels, m->depth_cap * sizeof *m->levels);
    arti_free(mem, m->space_nodes, m->space_cap * sizeof *m->space_nodes);
    arti_free(mem, m->escape_in, m->escape_cap * sizeof *m->escape_in);
    arti_free(mem, m->escape_cps, m->escape_cap * sizeof *m->escape_cps);
    arti_free(mem, m->escape_out, m->escape_cap * sizeof *m->escape_out);
    if (m->closing.mem) arti_region_free(&m->closing);
}

bool arti_walk_begin(arti_walk *w) {
    arti_mask_memo *m = w->m;
    if (!m->depth_cap) {
        arti_mem_init(&m->work_mem, &m->mem.alloc, 0);
        const size_t depth = (size_t)w->v->token_len_max + 2;
        arti_state *states = work_get(w, depth * sizeof *states);
        arti_region_mark *marks = states ? work_get(w, depth * sizeof *marks) : NULL;
        arti_text_level *levels = marks ? work_get(w, depth * sizeof *levels) : NULL;
        if (!levels) {
            arti_free(&m->work_mem, states, depth * sizeof *states);
            arti_free(&m->work_mem, marks, depth * sizeof *marks);
            return false;
        }
        m->states = states;
        m->marks = marks;
        m->levels = levels;
        m->depth_cap = depth;
        arti_region_init(&m->closing, &m->work_mem);
    }
    arti_region_reset(&m->closing, (arti_region_mark){0});
    return true;
}

/* ------------------------------------------------------------------ any state, node by node */

/* Tokens below node i that end the value after `depth` bytes and go on with something the surroundings allow. */
static void walk_exit(arti_walk *w, uint32_t i, uint32_t depth) {
    const art_vocab *v = w->v;
    const uint32_t from = v->node[i].tok, to = v->node[v->node[i].next].tok;
    for (uint32_t k = from; k < to; k++) {
        const uint32_t id = v->order[k];
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
        if (len <= depth || w->exit->allows(w->exit->ud, bytes + depth, len - depth)) arti_bits_set(w->words, id);
    }
}

/* In a string, between characters, where any characters may follow. */
static bool is_free_text(const arti_state *st) {
    if (st->mode != ARTI_M_TEXT && st->mode != ARTI_M_KEY_TEXT) return false;
    if (st->text.u8 != ARTI_U8_0 || st->text.escape != ARTI_ESC_NONE) return false;
    if (st->mode == ARTI_M_TEXT) {
        const arti_text_machine *m = st->text.machine;
        return m->n_parts == 1 && m->parts[0].kind == ARTI_PART_FREE && m->parts[0].hi == UINT32_MAX &&
               !arti_unique_frame(st);
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
        arti_region_reset(x->region, marks[d - 1]);
        states[d] = states[d - 1];
        if (!arti_state_step(x, &states[d], node->byte)) {
            if (arti_faulted(x->s)) return false;
            if (w->exit && arti_state_is_complete(&states[d - 1])) walk_exit(w, i, d - 1);
            i = node->next;
            continue;
        }
        marks[d] = arti_region_mark_now(x->region);
        if (!(v->below[i] & ARTI_ATOM_SPECIAL) && is_free_text(&states[d])) { /* plain characters only: all of them */
            arti_bits_set_ids(w->words, v->order + node->tok, v->node[node->next].tok - node->tok);
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_bits_set(w->words, v->order[k]);
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

/* Groups the nodes that follow any run of whitespace (an empty one too) by their byte. */
static bool build_space_nodes(arti_walk *w) {
    arti_mask_memo *m = w->m;
    const art_vocab *v = w->v;
    if (m->has_space_nodes) return true;
    uint32_t count[257] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 1; i < v->n_nodes;) { /* only whitespace nodes are entered */
            const arti_node *node = &v->node[i];
            if (is_space(node->byte)) {
                i++;
                continue;
            }
            if (pass == 0)
                count[node->byte + 1]++;
            else
                m->space_nodes[count[node->byte]++] = i;
            i = node->next;
        }
        if (pass == 1) break;
        for (uint32_t b = 0; b < 256; b++) count[b + 1] += count[b];
        m->space_nodes = work_get(w, ((size_t)count[256] + 1) * sizeof *m->space_nodes);
        if (!m->space_nodes) return false;
        m->space_cap = (size_t)count[256] + 1;
        memcpy(m->space_first, count, sizeof count);
    }
    m->has_space_nodes = true;
    return true;
}

static bool walk_structure(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    static const uint8_t bytes[] = "\"{}[]:,-0123456789tfn";
    if (x->space_max != UINT8_MAX && x->space_max != 0) return walk_all(w, st);
    if (st->mode == ARTI_M_DONE && x->embedded) return true;
    const bool spaces = x->space_max == UINT8_MAX;
    if (spaces) {
        if (!build_space_nodes(w)) return false;
        arti_bits_or(w->words, w->v->space_row, w->v->n_words);
    }
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
        for (uint32_t k = w->m->space_first[*b]; k < w->m->space_first[*b + 1u]; k++)
            if (!arti_walk_subtree(w, w->m->space_nodes[k], st)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ numbers */

bool arti_number_is_open(const art_vocab *v, const arti_state *st) {
    const arti_num *n = &st->number.num;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    if (gt->n_alts != 1) return false;
    const arti_num_rule *r = &gt->alts[0].shape->number;
    if (n->lex >= ARTI_NUM_E || n->n_int + n->n_frac + v->token_len_max > ARTI_NUM_MAGNITUDE_MAX) return false;
    if (r->is_any) return true;
    const bool whole = r->step && r->step->is_small && r->step->small == 1;
    return whole && !r->lo && !r->hi && r->n_not_step == 0 && r->n_not_value == 0 && n->n_frac == 0 &&
           n->lex >= ARTI_NUM_MINUS && n->lex <= ARTI_NUM_INT;
}

/* Below a digit of a number that any digits may follow: only tokens that are not digits throughout need a look. */
static bool walk_digits(arti_walk *w, const arti_state *st) {
    arti_bits_or(w->words, w->v->digit_row, w->v->n_words);
    uint64_t digits = 0;
    for (uint32_t b = '0'; b <= '9'; b++) digits |= UINT64_C(1) << arti_atom_of(b);
    for (uint32_t b = '0'; b <= '9'; b++) {
        const uint32_t i = w->v->root_child[b];
        if (i && (w->v->below[i] & ~digits) && !arti_walk_subtree(w, i, st)) return false;
    }
    return true;
}

static bool walk_number(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    static const uint8_t rest[] = ".eE+-";
    const arti_num *n = &st->number.num;
    const bool digits = arti_number_is_open(w->v, st) && (n->lex == ARTI_NUM_INT || n->lex == ARTI_NUM_FRAC);
    if (digits) {
        if (!walk_digits(w, st)) return false;
    } else {
        for (uint8_t b = '0'; b <= '9'; b++)
            if (!walk_byte(w, st, b)) return false;
    }
    for (const uint8_t *b = rest; *b; b++)
        if (!walk_byte(w, st, *b)) return false;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    bool ok = true;
    arti_state after = *st;
    if (!st->top) {
        if (arti_state_is_complete(st)) {
            if (w->exit)
                ok = walk_all(w, st);
            else if (!x->embedded)
                ok = walk_structure(w, &(arti_state){.mode = ARTI_M_DONE});
        }
    } else if (arti_number_end(x, &after)) {
        ok = walk_structure(w, &after);
    }
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

/* ------------------------------------------------------------------ strings: what values and keys have in common */

/* The suffixes are sorted, so each common beginning is walked once. */
bool arti_walk_suffixes(arti_walk *w, arti_quote *quote) {
    if (quote->has_suffixes) return true;
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    memset(quote->suffixes, 0, sizeof quote->suffixes);
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
    quote->has_suffixes = true;
    return true;
}

/* The first decoded byte of a text with escapes. */
static uint8_t first_byte(const uint8_t *bytes, size_t len) {
    if (len < 2 || bytes[0] != '\\') return len ? bytes[0] : 0;
    switch (bytes[1]) {
    case 'b': return 8;
    case 'f': return 12;
    case 'n': return 10;
    case 'r': return 13;
    case 't': return 9;
    case 'u': break;
    default: return bytes[1];
    }
    uint32_t cp = 0;
    for (size_t i = 2; i < 6 && i < len; i++) {
        const uint8_t c = bytes[i];
        cp = cp << 4 | (c <= '9' ? (uint32_t)c - '0' : (c | 0x20u) - 'a' + 10u);
    }
    uint8_t out[4];
    if (cp >= 0xD800 && cp <= 0xDBFF) return 0xF0; /* a pair: any of the longest sequences */
    arti_u8_put(out, cp);
    return out[0];
}

/* Sorts the tokens with escapes by what they do in a string that admits everything. */
bool arti_walk_escapes(arti_walk *w) {
    arti_mask_memo *m = w->m;
    const art_vocab *v = w->v;
    if (m->has_escapes) return true;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    const size_t cap = (size_t)set->n_escape + 1;
    if (!m->escape_cap) {
        uint32_t *in = arti_realloc(&m->work_mem, NULL, 0, cap * sizeof *in);
        uint32_t *cps = in ? arti_realloc(&m->work_mem, NULL, 0, cap * sizeof *cps) : NULL;
        arti_escape_out *out = cps ? arti_realloc(&m->work_mem, NULL, 0, cap * sizeof *out) : NULL;
        if (!out) {
            arti_free(&m->work_mem, in, cap * sizeof *in);
            arti_free(&m->work_mem, cps, cap * sizeof *cps);
            return arti_fault_mem(w->x->s);
        }
        m->escape_in = in;
        m->escape_cps = cps;
        m->escape_out = out;
        m->escape_cap = cap;
    }
    arti_part free_part = {.kind = ARTI_PART_FREE, .hi = UINT32_MAX};
    arti_text_machine machine = {.parts = &free_part, .n_parts = 1, .all_free = true};
    m->n_escape_in = m->n_escape_out = 0;
    for (uint32_t k = 0; k < set->n_escape; k++) {
        const uint32_t id = v->escape_ids[set->escape + k];
        size_t len, n = 0;
        const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
        arti_state st = {.mode = ARTI_M_TEXT, .text = {.machine = &machine, .q = {.one = 1}}};
        while (n < len && !(bytes[n] == '"' && st.text.escape == ARTI_ESC_NONE) && arti_state_step(w->x, &st, bytes[n]))
            n++;
        if (n == len) {
            m->escape_in[m->n_escape_in] = id;
            m->escape_cps[m->n_escape_in++] = st.text.n_cp + (st.text.escape != ARTI_ESC_NONE);
        } else if (bytes[n] == '"' && st.text.escape == ARTI_ESC_NONE) {
            m->escape_out[m->n_escape_out++] =
                (arti_escape_out){id, st.text.n_cp, (uint16_t)(n + 1), first_byte(bytes, len)};
        }
    }
    m->has_escapes = true;
    return true;
}

void arti_walk_stay(arti_walk *w, uint32_t room) {
    arti_vocab_copy_stay(w->v, room, w->words); /* nothing is set so far */
    for (uint32_t k = 0; k < w->m->n_escape_in; k++)
        if (w->m->escape_cps[k] <= room) arti_bits_set(w->words, w->m->escape_in[k]);
}

bool arti_suffix_ends_container(const art_vocab *v, const arti_suffix *sf) {
    for (uint32_t i = 0; i < sf->len; i++)
        if (v->bytes[sf->bytes + i] == '}' || v->bytes[sf->bytes + i] == ']') return true;
    return false;
}

uint64_t arti_walk_loop_atoms(arti_walk *w, arti_loop_entry *loops, arti_re_state q) {
    arti_loop_entry *e = &loops[q % ARTI_LOOPS];
    if (e->q == q) return e->atoms;
    arti_re_bytes bytes;
    uint64_t atoms = 0;
    if (arti_re_loop_bytes(w->x->s->re, q, &bytes) == ART_OK) {
        for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) {
            uint8_t first[4], last[4];
            arti_u8_put(first, arti_atoms[i].lo);
            arti_u8_put(last, arti_atoms[i].hi);
            bool all = true;
            for (uint32_t b = first[0]; b <= last[0] && all; b++) all = bytes.bits[b / 64] >> (b % 64) & 1u;
            atoms |= (uint64_t)all << i;
        }
    }
    *e = (arti_loop_entry){q, atoms};
    return atoms;
}

/* ------------------------------------------------------------------ dispatch */

bool arti_walk_state(arti_walk *w, const arti_state *st) {
    static const char *const words[] = {"false", "true", "null"};
    switch ((arti_mode)st->mode) {
    case ARTI_M_TEXT: return arti_walk_text(w, st);
    case ARTI_M_KEY_TEXT: return arti_walk_key(w, st);
    case ARTI_M_NUMBER: return walk_number(w, st);
    case ARTI_M_WORD: return walk_byte(w, st, (uint8_t)words[st->word][st->word_len]);
    default: return walk_structure(w, st);
    }
}
