/* SPDX-License-Identifier: Apache-2.0 */
#include "art_unique.h"

#include "art_utf8.h"

#define NUMBER_END 256   /* instead of a byte: the number ends here */
#define SKIPPED 257      /* nothing is tried */
#define FRACTION_MAX 12u /* digits tried behind a point */
#define EXPONENT_MAX 3u  /* and in an exponent */
#define LONG_TEXT 8u     /* a language with texts of so many characters is taken to have many of them */

const arti_frame *arti_unique_frame(const arti_state *st) {
    const arti_frame *f = st->top;
    if (!f || f->is_object) return NULL;
    const arti_array_machine *m = f->machine;
    if (!m->unique) return NULL;
    for (uint32_t a = 0; a < m->n_alts; a++)
        if (arti_live(f, a) && !m->alts[a].shape->unique) return NULL;
    return f;
}

static bool number_fits(const arti_state *st) {
    arti_state alone = *st;
    alone.top = NULL;
    return arti_state_is_complete(&alone);
}

/* What is tried k-th from a state: a byte, NUMBER_END, or -1 when that was all. What ends something comes first. */
static int candidate(const arti_state *st, uint32_t k) {
    static const uint8_t escapes[] = "nu0123456789dcabef\\\"/rtbf";
    static const uint8_t starts[] = "0123456789\"tfn[{-";
    static const char *const words[] = {"false", "true", "null"};
    switch ((arti_mode)st->mode) {
    case ARTI_M_TEXT:
    case ARTI_M_KEY_TEXT:
        if (st->text.escape != ARTI_ESC_NONE) return k < sizeof escapes - 1 ? escapes[k] : -1;
        if (st->text.u8 != ARTI_U8_0) return k < 64 ? 0x80 + (int)k : -1;
        if (k == 256 - 0x20) return '\\';
        if (0x20 + k == '\\' || 0x20 + k == '"') return SKIPPED;
        return k == 0 ? '"' : k < 256 - 0x20 ? 0x20 + (int)k : -1;
    case ARTI_M_NUMBER: { /* an exponent only where the number does not fit without */
        const arti_num *n = &st->number.num;
        const bool is_exp = n->lex >= ARTI_NUM_E;
        if (k == 0) return number_fits(st) ? NUMBER_END : is_exp ? '-' : 'e';
        if (k <= 10) return (is_exp ? n->n_exp < EXPONENT_MAX : n->n_frac < FRACTION_MAX) ? '0' + (int)k - 1 : SKIPPED;
        return k == 11 ? '.' : -1;
    }
    case ARTI_M_WORD: return k == 0 ? words[st->word][st->word_len] : -1;
    case ARTI_M_FIRST_VALUE:
        if (k == 0) return ']';
        k--;
        return k < sizeof starts - 1 ? starts[k] : -1;
    case ARTI_M_VALUE: return k < sizeof starts - 1 ? starts[k] : -1;
    case ARTI_M_AFTER: return k == 0 ? (st->top->is_object ? '}' : ']') : k == 1 ? ',' : -1;
    case ARTI_M_FIRST_KEY: return k == 0 ? '}' : k == 1 ? '"' : -1;
    case ARTI_M_KEY: return k == 0 ? '"' : -1;
    case ARTI_M_COLON: return k == 0 ? ':' : -1;
    default: return -1;
    }
}

/* Is one of the listed strings that the text may still become, or that may come, not taken? */
static bool has_fresh_string(arti_jctx *x, const arti_state *st, const arti_hset *taken, uint32_t n_taken) {
    const bool value = st->mode == ARTI_M_VALUE;
    if (!value && (st->mode != ARTI_M_TEXT || st->text.escape != ARTI_ESC_NONE)) return false;
    const arti_text_machine *m = value ? arti_goals_text(x->s, st->goals) : st->text.machine;
    for (uint32_t k = 0; m && k < m->n_parts; k++) {
        const arti_part *p = &m->parts[k];
        if (p->kind != ARTI_PART_SET) continue;
        const uint64_t q = value ? arti_set_state(0, p->n_set, 0) : arti_text_q(st)[k];
        if (q && arti_set_hi(q) - arti_set_lo(q) > n_taken) return true;
        for (uint32_t i = arti_set_lo(q); q && i < arti_set_hi(q); i++) {
            uint64_t h = value ? ARTI_TEXT_HASH : st->text.hash;
            for (uint32_t b = arti_set_depth(q); b < p->set[i].len; b++)
                h = arti_hash_mix(h, (uint8_t)p->set[i].ptr[b]);
            if (!arti_hset_has(taken, h)) return true;
        }
    }
    return false;
}

/* The text can only become one of listed strings, and those are all taken. */
static bool is_spent(arti_jctx *x, const arti_state *st, const arti_frame *f) {
    if (st->top != f || st->mode != ARTI_M_TEXT || st->text.escape != ARTI_ESC_NONE || st->text.u8 != ARTI_U8_0)
        return false;
    const arti_text_machine *m = st->text.machine;
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (m->parts[i].kind != ARTI_PART_SET && arti_text_q(st)[i]) return false;
    return !has_fresh_string(x, st, f->set, f->n);
}

typedef struct level {
    arti_state st;
    uint32_t next; /* candidate */
    int byte;      /* that led here */
} level;

typedef enum found { FOUND, NOT_FOUND, GAVE_UP } found;

/* Depth first to the end of array f. On FOUND the way stands in levels 1 .. *n - 1, the last state behind the bracket. */
static found search(arti_jctx *x, const arti_state *st, const arti_frame *f, level **levels, size_t *n, size_t *cap) {
    arti_mem *mem = x->region->mem;
    const bool was_searching = x->searching, was_spaced = x->spaced;
    *n = *cap = 0;
    *levels = NULL;
    if (!arti_vec_reserve(mem, (void **)levels, cap, 32, sizeof **levels)) return arti_fault_mem(x->s), NOT_FOUND;
    (*levels)[(*n)++] = (level){*st, 0, 0};
    x->searching = true;
    x->spaced = false; /* spaces change nothing about what can be written */
    found result = NOT_FOUND;
    for (uint32_t steps = 0; *n && result == NOT_FOUND; steps++) {
        if (steps == ARTI_UNIQUE_STEPS_MAX) {
            result = GAVE_UP;
            break;
        }
        level *top = &(*levels)[*n - 1];
        const int c = candidate(&top->st, top->next++);
        if (c < 0) {
            (*n)--;
            continue;
        }
        if (c == SKIPPED) continue;
        arti_state next = top->st;
        const bool ok = c == NUMBER_END ? next.top && arti_number_end(x, &next) : arti_state_step(x, &next, (uint8_t)c);
        if (arti_faulted(x->s)) break;
        if (!ok || (f->set && is_spent(x, &next, f))) continue;
        if (!arti_vec_reserve(mem, (void **)levels, cap, *n + 1, sizeof **levels)) {
            arti_fault_mem(x->s);
            break;
        }
        (*levels)[(*n)++] = (level){next, 0, c};
        const uint32_t depth = next.top ? next.top->depth : 0;
        if (depth < f->depth) result = FOUND;
    }
    x->searching = was_searching;
    x->spaced = was_spaced;
    return result;
}

/* So many that an array will not have them all; of a language, that is only guessed from its lengths. */
static bool texts_are_plentiful(art_schema *s, const arti_text_shape *t) {
    arti_re_lengths l;
    if (t->set) return false;
    if (t->term == ARTI_RE_ANY) return t->hi >= ARTI_UNIQUE_ROOM;
    return arti_re_get_lengths(s->re, arti_re_start(s->re, t->term), &l) == ART_OK && l.longest >= LONG_TEXT &&
           t->hi >= LONG_TEXT;
}

typedef enum plenty_of {
    ALL_VALUES = 0,
    OBJECTS = 2,
    ARRAYS = 4
} plenty_of; /* place of the answer in arti_conj_info */

/* Are there infinitely many values of a conjunction, as far as a short look tells? Kept on the conjunction; depth is bounded. */
static bool conj_is_plentiful(art_schema *s, arti_conj c, plenty_of of, uint32_t depth) {
    arti_conj_info *info = s->norm->conj[c];
    const uint32_t known = info->plenty >> of & 3u;
    if (known) return known == 1;
    if (arti_conj_len(s, c) == ARTI_LEN_NONE) return false;
    bool yes = false;
    for (int t = 0; t < ARTI_N_TYPES && !yes; t++) {
        if ((of == OBJECTS && t != ARTI_T_OBJECT) || (of == ARRAYS && t != ARTI_T_ARRAY)) continue;
        for (uint32_t i = 0; i < info->facet[t].n_shapes && !yes; i++) {
            arti_shape *sh = info->facet[t].shapes[i];
            if (t == ARTI_T_STRING) {
                yes = texts_are_plentiful(s, &sh->text);
            } else if (t == ARTI_T_NUMBER) {
                yes = !sh->number.lo || !sh->number.hi;
            } else if (t == ARTI_T_ARRAY) {
                yes = sh->array.max == UINT32_MAX && !sh->array.unique &&
                      arti_conj_len(s, arti_array_item_conj(s, &sh->array, UINT32_MAX)) != ARTI_LEN_NONE;
            } else if (t == ARTI_T_OBJECT) {
                arti_object_shape *o = &sh->object;
                if (o->max < o->n_required + 1) continue;
                if (!arti_object_know_extra(s, o)) return false;
                yes = o->extra_is_free;
                for (uint32_t k = 0; k < o->n_names && k < 64 && depth > 0 && !yes; k++) {
                    const arti_conj v = arti_object_name_conj(s, o, k);
                    yes = v != ARTI_CONJ_FAIL && conj_is_plentiful(s, v, ALL_VALUES, depth - 1);
                }
            }
            if (arti_faulted(s)) return false;
        }
    }
    if (depth == 2 || yes) info->plenty |= (uint8_t)((yes ? 1u : 2u) << of);
    return yes;
}

bool arti_unique_is_plentiful(arti_jctx *x, const arti_state *st) {
    const bool value = st->mode == ARTI_M_VALUE;
    for (uint32_t i = 0; value && i < st->goals->n; i++)
        if (conj_is_plentiful(x->s, st->goals->conj[i], ALL_VALUES, 2)) return true;
    if (st->mode == ARTI_M_TEXT || value) {
        const arti_text_machine *m = value ? arti_goals_text(x->s, st->goals) : st->text.machine;
        for (uint32_t i = 0; m && i < m->n_parts; i++) {
            const arti_part *p = &m->parts[i];
            const uint64_t q = value ? 1 : arti_text_q(st)[i];
            if (q != 0 && p->kind == ARTI_PART_FREE && p->hi - (value ? 0 : st->text.n_cp) >= ARTI_UNIQUE_ROOM)
                return true;
            if (q == 0 || p->hi != UINT32_MAX) continue;
            arti_re_lengths l;
            const arti_re_state at = value ? arti_re_start(x->s->re, p->term) : (arti_re_state)q;
            if (p->kind == ARTI_PART_TERM && arti_re_get_lengths(x->s->re, at, &l) == ART_OK &&
                l.longest == ARTI_RE_UNBOUNDED)
                return true;
        }
    }
    if (st->mode == ARTI_M_NUMBER || value) {
        const arti_goal_type *gt = arti_goals_type(x->s, st->goals, ARTI_T_NUMBER);
        for (uint32_t a = 0; gt && a < gt->n_alts; a++) {
            const arti_num_rule *r = &gt->alts[a].shape->number;
            if (value && (!r->lo || !r->hi)) return true;
            const arti_num *n = &st->number.num;
            if (value || n->lex >= ARTI_NUM_E || n->n_int + n->n_frac > ARTI_NUM_NEAR) continue;
            if (r->is_any && !gt->alts[a].shape->plain) return true;
            if (n->lex == ARTI_NUM_INT && (n->neg ? !r->lo : !r->hi)) return true;
        }
    }
    return false;
}

bool arti_unique_alive(arti_jctx *x, const arti_state *st, const arti_frame *f) {
    const arti_array_machine *m = f->machine;
    if (x->searching || st->mode == ARTI_M_FIRST_VALUE) return true;
    if (x->style == ARTI_NUM_ANY_STYLE) return true; /* a validator need not avoid dead ends */
    uint32_t min = 0;
    for (uint32_t a = 0; a < m->n_alts; a++)
        if (arti_live(f, a) && m->alts[a].shape->min > min) min = m->alts[a].shape->min;
    if (!f->set && min < 2) return true;
    arti_accept acc;
    if (st->mode == ARTI_M_AFTER && arti_frame_accepts(x, f, &acc)) return true;
    if (arti_unique_is_plentiful(x, st)) return !arti_faulted(x->s);
    if (min <= f->n + 1 && has_fresh_string(x, st, f->set, f->n)) return !arti_faulted(x->s);
    level *levels;
    size_t n, cap;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const found r = search(x, st, f, &levels, &n, &cap);
    arti_free(x->region->mem, levels, cap * sizeof *levels);
    arti_region_reset(x->region, mark);
    return r != NOT_FOUND && !arti_faulted(x->s);
}

/* Around *st: the next array, from `item` on outwards, whose items must differ and run out; *item is what is open of its item. NULL: none. */
static const arti_frame *scarce_around(arti_jctx *x, const arti_frame **item) {
    if (x->searching || x->style == ARTI_NUM_ANY_STYLE) return NULL;
    for (const arti_frame *at = *item; at && at->parent; at = at->parent) {
        const arti_state around = {.top = at->parent};
        const arti_frame *f = arti_unique_frame(&around);
        bool plentiful = !f || !f->set;
        for (uint32_t i = 0; i < at->goals->n && !plentiful; i++)
            plentiful = conj_is_plentiful(x->s, at->goals->conj[i], at->is_object ? OBJECTS : ARRAYS, 2);
        *item = at;
        if (!plentiful || arti_faulted(x->s)) return f;
    }
    return NULL;
}

bool arti_unique_is_scarce(arti_jctx *x, const arti_state *st) {
    const arti_frame *item = st->top;
    return scarce_around(x, &item) != NULL;
}

bool arti_unique_inside(arti_jctx *x, const arti_state *st) {
    const arti_frame *item = st->top, *f;
    bool ok = true;
    while (ok && (f = scarce_around(x, &item)) != NULL) {
        if (arti_faulted(x->s)) return false;
        level *levels;
        size_t n, cap;
        const arti_region_mark mark = arti_region_mark_now(x->region);
        ok = search(x, st, f, &levels, &n, &cap) != NOT_FOUND;
        arti_free(x->region->mem, levels, cap * sizeof *levels);
        arti_region_reset(x->region, mark);
        item = f;
    }
    return ok && !arti_faulted(x->s);
}

bool arti_unique_close(arti_jctx *x, arti_state *st, const arti_frame *f, arti_out *out) {
    level *levels;
    size_t n, cap;
    const found r = search(x, st, f, &levels, &n, &cap);
    if (r == FOUND) {
        for (size_t i = 1; i < n; i++) {
            if (levels[i].byte == NUMBER_END) continue;
            const uint8_t b = (uint8_t)levels[i].byte;
            if (out->len < out->cap) out->buf[out->len] = b;
            out->len++;
        }
        *st = levels[n - 1].st;
    } else if (r == GAVE_UP) {
        arti_fault(x->s, ART_E_LIMIT, NULL, 0, "uniqueItems",
                   "no end of the array found in %u steps (ARTI_UNIQUE_STEPS_MAX)", ARTI_UNIQUE_STEPS_MAX);
    }
    arti_free(x->region->mem, levels, cap * sizeof *levels);
    return r == FOUND;
}
