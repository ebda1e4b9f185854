/* SPDX-License-Identifier: Apache-2.0 */
#include "art_unique.h"

#include "art_bits.h"
#include "art_json_text.h"
#include "art_utf8.h"
#include "art_values.h"

/* ------------------------------------------------------------------ questions */

typedef struct question {
    arti_jctx *x;
    arti_count k;
} question;

typedef struct pending {     /* the value that comes next in a frame */
    const arti_goals *goals; /* NULL: whatever is asked of it */
    arti_values *of_goal;    /* what it may become, for each goal that it would meet; NULL: it has not begun */
} pending;

static bool is_unique_array(const arti_frame *f) {
    return !f->is_object && ((const arti_array_machine *)f->machine)->unique;
}

/* Frames are immutable but for what is remembered on them. */
static arti_unique_known *known_of(const arti_frame *f) {
    return &((arti_frame *)f)->unique;
}

static uint8_t known(bool yes) {
    return yes ? ARTI_YES : ARTI_NO;
}

/* So many values differ from all that are there and from all that must come, whatever those are. */
static uint32_t count_wanted(const arti_frame *f) {
    uint64_t n = 1;
    for (; f && (f->hashing || is_unique_array(f)); f = f->parent) {
        if (!is_unique_array(f)) continue;
        const arti_array_machine *m = f->machine;
        uint64_t most = 0;
        for (uint32_t a = 0; a < m->n_alts; a++) {
            const arti_array_shape *sh = m->alts[a].shape;
            uint64_t lack = sh->min > f->n ? sh->min - f->n : 0;
            for (uint32_t i = 0; i < sh->n_contains; i++) lack += sh->contains[i].min;
            if (lack > most) most = lack;
        }
        n += f->n + most + 1;
    }
    return n < UINT32_MAX - 1 ? (uint32_t)n : UINT32_MAX - 1;
}

static uint32_t wanted(const arti_frame *f) {
    arti_unique_known *u = known_of(f);
    if (!u->want) u->want = count_wanted(f);
    return u->want;
}

static bool find_first(const arti_frame *f) {
    for (; f && (f->hashing || is_unique_array(f)); f = f->parent) {
        if (!is_unique_array(f)) continue;
        const arti_array_machine *m = f->machine;
        if (f->set || m->n_counts) return false;
        for (uint32_t a = 0; a < m->n_alts; a++)
            if (m->alts[a].shape->min > 1) return false;
    }
    return true;
}

bool arti_unique_is_first(const arti_frame *f) {
    arti_unique_known *u = known_of(f);
    if (!u->first) u->first = known(find_first(f));
    return u->first == ARTI_YES;
}

static question ask(arti_jctx *x, const arti_frame *f) {
    return (question){x, arti_count_of(x->s, wanted(f))};
}

static const arti_values *values_of(question *q, const pending *p, arti_conj c) {
    static const arti_values none;
    if (c == ARTI_CONJ_FAIL) return &none;
    const uint32_t i = p->goals ? arti_goals_find(p->goals, c) : 0;
    if (i == UINT32_MAX) return &none;
    return p->of_goal ? &p->of_goal[i] : arti_conj_values(&q->k, c);
}

static arti_values *new_lists(question *q, const arti_goals *g, uint32_t enough) {
    arti_values *lists = arti_region_get(q->x->region, g->n * sizeof *lists);
    if (!lists) {
        arti_fault_mem(q->x->s);
        return NULL;
    }
    for (uint32_t i = 0; i < g->n; i++) lists[i] = (arti_values){.enough = enough};
    return lists;
}

static void free_lists(question *q, const arti_goals *g, arti_values *lists) {
    for (uint32_t i = 0; lists && i < g->n; i++) arti_values_free(q->x->s, &lists[i]);
}

static void add_many(question *q, arti_values *out) {
    if (out->at_least < q->k.want) out->at_least = q->k.want;
}

/* ------------------------------------------------------------------ outwards */

#define ENDLESS_CELLS_MAX 4096u /* alternatives times names: more are not looked at */

/* Do all alternatives take any other name, with values without end? */
static bool others_endless(question *q, const arti_object_machine *m) {
    bool endless = true;
    for (uint32_t a = 0; a < m->n_alts && endless; a++) {
        arti_object_shape *o = m->alts[a].shape;
        endless = m->alts[a].extra_part == ARTI_EXTRA_FREE && o->n_pats == 0;
        const arti_extra_class *c = endless ? arti_object_extra_class(q->x->s, o, 0) : NULL;
        endless = c && arti_conj_values(&q->k, c->conj)->at_least == UINT32_MAX;
    }
    return endless;
}

/* Names that have values without end in every alternative; behind the last: others. NULL: fault. */
static const uint64_t *endless_names(question *q, arti_object_machine *m) {
    art_schema *s = q->x->s;
    if (m->endless) return m->endless;
    uint64_t *bits = arti_schema_zero(s, (m->n_seen_words + 1u) * sizeof *bits);
    if (!bits) return NULL;
    for (uint32_t i = 0; i < m->n_names && (uint64_t)m->n_names * m->n_alts <= ENDLESS_CELLS_MAX; i++) {
        bool endless = true;
        for (uint32_t a = 0; a < m->n_alts && endless; a++) {
            const arti_cell *c = arti_object_cell(s, m, a, i);
            if (!c) return NULL;
            endless = arti_conj_values(&q->k, c->conj)->at_least == UINT32_MAX;
        }
        bits[i / 64] |= (uint64_t)endless << (i % 64);
    }
    bits[m->n_names / 64] |= (uint64_t)others_endless(q, m) << (m->n_names % 64);
    if (arti_faulted(s)) return NULL;
    return m->endless = bits;
}

/* Is there a name that may still come behind the pending member, with values without end in every alternative? false: not known. Then the object
 * may become as many as one likes, whatever is pending. */
static bool goes_on_endlessly(question *q, const arti_frame *f) {
    arti_object_machine *m = f->machine;
    if (!f->is_object || !m->all_simple) return false;
    const uint64_t *endless = endless_names(q, m), *seen = f->bits + m->n_live_words;
    if (!endless) return false;
    if (endless[m->n_names / 64] >> (m->n_names % 64) & 1u) return true;
    for (uint32_t w = 0; w < m->n_seen_words && !f->has_bars && !q->x->in_order; w++) {
        const uint64_t key = f->key / 64 == w ? UINT64_C(1) << (f->key % 64) : 0;
        if (endless[w] & ~seen[w] & ~key) return true;
    }
    return false;
}

/* The objects that alternative alt of frame f may become when its pending value is p, or without one. */
static bool object_becomes(question *q, const arti_frame *f, uint32_t alt, const pending *p, arti_values *out) {
    arti_jctx *x = q->x;
    const arti_object_machine *m = f->machine;
    arti_object_shape *o = m->alts[alt].shape;
    arti_object_view v;
    arti_object_at at;
    const bool endless = goes_on_endlessly(q, f);
    if (!p) {
        if (endless) {
            add_many(q, out);
        } else {
            arti_object_view_init(&v, &at, x, f, alt);
            arti_object_values(&q->k, o, &at, f->hash, out);
        }
        return !arti_faulted(x->s);
    }
    arti_conj conj;
    uint32_t may;
    if (!arti_frame_cell(x, f, alt, &conj, &may)) return false;
    if (endless) { /* its alternatives have no conditions */
        if (arti_values_any(values_of(q, p, conj))) add_many(q, out);
        return !arti_faulted(x->s);
    }
    const arti_frame *after = f;
    if (x->in_order) { /* names before this one can not come any more */
        arti_frame *copy = arti_frame_copy(x, f);
        if (!copy) return false;
        const uint32_t rank = f->key == UINT32_MAX ? ARTI_RANK_OTHERS : m->rank[f->key] + 1;
        if (rank > copy->next_rank) copy->next_rank = rank;
        after = copy;
    }
    for (uint32_t sub = may;; sub = (sub - 1) & may) {
        const arti_values *values = values_of(q, p, sub ? arti_some_conj(x->s, o, conj, sub) : conj);
        if (arti_values_any(values)) {
            arti_object_view_init(&v, &at, x, after, alt);
            arti_object_view_take(&v, &at, sub);
            arti_values rest = {.enough = f->hashing ? 0 : 1};
            arti_object_values(&q->k, o, &at, 0, &rest);
            if (arti_values_any(&rest) && (arti_values_many(&q->k, &rest) || arti_values_many(&q->k, values)))
                add_many(q, out);
            for (uint32_t i = 0; i < values->n; i++)
                for (uint32_t j = 0; j < rest.n && !arti_values_enough(&q->k, out); j++)
                    arti_values_add(&q->k, out, f->hash + arti_digest_member(f->key_hash, values->at[i]) + rest.at[j]);
            arti_values_free(x->s, &rest);
        }
        if (arti_faulted(x->s)) return false;
        if (!sub || arti_values_enough(&q->k, out)) return true;
    }
}

static bool has_item(const void *ud, uint64_t digest) {
    return arti_hset_has(((const arti_frame *)ud)->set, digest);
}

/* Likewise for arrays. */
static bool array_becomes(question *q, const arti_frame *f, uint32_t alt, const pending *p, arti_values *out) {
    arti_jctx *x = q->x;
    arti_array_machine *m = f->machine;
    arti_array_shape *a = m->alts[alt].shape;
    const uint32_t *counts = arti_frame_counts(f) + m->count_at[alt];
    arti_array_at at = {.n = f->n, .has_equal = f->has_equal, .base = f->hash, .has = m->unique ? has_item : NULL};
    at.ud = f;
    at.last = ARTI_DIGEST_OTHER;
    if (!m->alts[alt].is_settled) {
        if (!arti_shape_settle(x->s, f->goals->type[ARTI_T_ARRAY].alts[alt].shape)) return false;
        m->alts[alt].is_settled = true;
    }
    if (!p) {
        memcpy(at.counts, counts, a->n_contains * sizeof *counts);
        arti_array_values(&q->k, a, &at, out);
        return !arti_faulted(x->s);
    }
    if (f->n >= a->max) return true;
    const uint32_t watched = arti_item_watched(a, f->n, counts);
    at.n++;
    for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
        bool fits = true;
        for (uint32_t k = 0; k < a->n_contains; k++) {
            at.counts[k] = counts[k] + (sub >> k & 1u);
            fits &= at.counts[k] <= arti_contains_cap(&a->contains[k]);
        }
        const arti_values *values = values_of(q, p, fits ? arti_item_counted(x->s, a, f->n, sub) : ARTI_CONJ_NEVER);
        if (arti_values_many(&q->k, values)) {
            arti_values rest = {.enough = 1};
            arti_array_values(&q->k, a, &at, &rest);
            if (arti_values_any(&rest)) add_many(q, out);
            arti_values_free(x->s, &rest);
        } else {
            for (uint32_t i = 0; i < values->n && !arti_values_enough(&q->k, out); i++) {
                arti_array_at then = at;
                const bool again = m->unique && arti_hset_has(f->set, values->at[i]);
                if (again && a->unique) continue;
                then.has_equal |= again;
                then.last = values->at[i];
                then.base = arti_digest_item(f->hash, then.last);
                arti_array_values(&q->k, a, &then, out);
            }
        }
        if (arti_faulted(x->s)) return false;
        if (!sub || arti_values_enough(&q->k, out)) return true;
    }
}

/* What frame f's container may become, by the goals that it would meet; NULL: nothing, or a fault. */
static arti_values *frame_becomes(question *q, const arti_frame *f, const pending *p) {
    const arti_goals *g = f->goals;
    arti_values *lists = new_lists(q, g, f->hashing ? 0 : 1);
    if (!lists) return NULL;
    const arti_goal_type *gt = &g->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY];
    bool any = false, ok = true, is_brief = gt->n_alts > 1;
    for (bool again = true; again && ok && !(any && !f->hashing); is_brief = false) {
        again = false;
        for (uint32_t alt = 0; alt < gt->n_alts && ok && !(any && !f->hashing); alt++) {
            if (!arti_live(f, alt)) continue;
            arti_values *out = &lists[gt->alts[alt].goal];
            if (arti_values_enough(&q->k, out)) continue;
            arti_turn turn;
            arti_turn_begin(&q->k, &turn, is_brief);
            ok = f->is_object ? object_becomes(q, f, alt, p, out) : array_becomes(q, f, alt, p, out);
            again |= arti_turn_end(&q->k, &turn);
            any |= arti_values_any(out);
        }
    }
    if (any && ok) return lists;
    free_lists(q, g, lists);
    return NULL;
}

/* From frame f outwards, as far as values must differ. */
static bool leads_out(question *q, const arti_frame *f, const pending *p) {
    pending own = {0};
    bool alive;
    for (;;) {
        q->k.steps = ARTI_VALUES_STEPS_MAX;
        arti_values *lists = frame_becomes(q, f, p);
        if (own.of_goal) free_lists(q, own.goals, own.of_goal);
        alive = lists != NULL;
        if (!alive) break;
        own = (pending){f->goals, lists};
        p = &own;
        if (!f->hashing) {
            free_lists(q, own.goals, own.of_goal);
            break;
        }
        f = f->parent;
    }
    return alive && !arti_faulted(q->x->s);
}

/* ------------------------------------------------------------------ what a value may become */

static void add_texts(question *q, const arti_state *st, arti_values *lists) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    const arti_text_state *t = &st->text;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_part *p = &m->parts[m->part_of[a]];
        const uint64_t state = arti_text_q(st)[m->part_of[a]];
        arti_values *out = &lists[gt->alts[a].goal];
        if (state == 0 || t->n_cp > p->hi || arti_values_enough(&q->k, out)) continue;
        const uint32_t lo = p->lo > t->n_cp ? p->lo - t->n_cp : 0, hi = p->hi == UINT32_MAX ? p->hi : p->hi - t->n_cp;
        if (p->kind == ARTI_PART_SET)
            arti_set_values(&q->k, p->set, state, out);
        else if (p->kind == ARTI_PART_FREE)
            arti_free_values(&q->k, lo, hi, t->hash, out);
        else
            arti_language_values(&q->k, (arti_re_state)state, lo, hi, t->hash, out);
    }
}

/* Is there a goal that the text may still meet, of which not enough values are known? */
static bool lacks_texts(question *q, const arti_state *st, const arti_values *lists) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const uint32_t i = m->part_of[a];
        if (arti_text_q(st)[i] && st->text.n_cp <= m->parts[i].hi &&
            !arti_values_enough(&q->k, &lists[gt->alts[a].goal]))
            return true;
    }
    return false;
}

/* Within a character or an escape: after all ways to end it. */
static void add_texts_within(question *q, const arti_state *st, arti_values *lists) {
    static const uint8_t escapes[] = "nrtbf\"\\/u0123456789abcdef";
    struct {
        arti_state st;
        uint32_t next;
    } stack[16];
    uint32_t n = 0;
    stack[n].st = *st;
    stack[n++].next = 0;
    while (n && lacks_texts(q, st, lists)) {
        const arti_text_state *t = &stack[n - 1].st.text;
        const uint32_t i = stack[n - 1].next++;
        const bool is_escape = t->escape != ARTI_ESC_NONE;
        if (i == (is_escape ? sizeof escapes - 1 : 64)) {
            n--;
            continue;
        }
        if (q->k.steps < 2) return;
        q->k.steps--;
        arti_state next = stack[n - 1].st;
        if (!arti_text_step(q->x, &next, is_escape ? escapes[i] : (uint8_t)(0x80 + i))) {
            if (arti_faulted(q->x->s)) return;
            continue;
        }
        if (next.text.escape == ARTI_ESC_NONE && next.text.u8 == ARTI_U8_0) {
            add_texts(q, &next, lists);
        } else if (n < sizeof stack / sizeof *stack) {
            stack[n].st = next;
            stack[n++].next = 0;
        }
    }
}

static void add_values(question *q, const arti_state *st, arti_values *lists) {
    if (st->mode == ARTI_M_TEXT) {
        if (st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0)
            add_texts(q, st, lists);
        else
            add_texts_within(q, st, lists);
        return;
    }
    const arti_goal_type *gt = &st->goals->type[st->mode == ARTI_M_NUMBER ? ARTI_T_NUMBER
                                                : st->word < 2            ? ARTI_T_BOOL
                                                                          : ARTI_T_NULL];
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_shape *sh = gt->alts[a].shape;
        arti_values *out = &lists[gt->alts[a].goal];
        if (st->mode == ARTI_M_NUMBER)
            arti_number_values(&q->k, &sh->number, sh->plain || (q->x->spaced && sh->number.is_whole), &st->number.num,
                               st->number.text, out);
        else if (st->word == 2 || (sh->bools >> st->word & 1u))
            arti_values_add(&q->k, out, arti_digest_word(st->word));
    }
}

/* Has the language so many texts, as far as their lengths and first bytes tell? */
static bool has_many_texts(arti_re_ctx *re, arti_re_state q, uint32_t n) {
    arti_re_lengths l;
    arti_re_bytes first;
    if (arti_re_get_lengths(re, q, &l) != ART_OK) return false;
    if (l.longest == ARTI_RE_UNBOUNDED) return true;
    if (arti_re_live_bytes(re, q, &first) != ART_OK) return false;
    uint32_t sum = 0;
    for (uint32_t w = 0; w < 4; w++) sum += arti_bits_count64(first.bits[w]);
    return sum >= n;
}

/* Of a text, the goals that it may meet in as many ways as are wanted: as bits. false: of some goal that is not so easily said. */
static bool find_many(arti_jctx *x, const arti_state *st, uint64_t *many) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    const arti_text_state *t = &st->text;
    const bool between = t->escape == ARTI_ESC_NONE && t->u8 == ARTI_U8_0;
    /* Any character can be written that the text, or what the character begins with, goes on with. */
    const bool is_any = t->escape == ARTI_ESC_NONE || t->escape == ARTI_ESC_BACKSLASH || t->escape == ARTI_ESC_HEX0;
    uint64_t doubted = 0;
    *many = 0;
    if (st->goals->n > 64) return false;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_part *p = &m->parts[m->part_of[a]];
        const uint64_t q = arti_text_q(st)[m->part_of[a]], goal = UINT64_C(1) << gt->alts[a].goal;
        if (q == 0 || t->n_cp > p->hi || *many & goal) continue;
        bool is_many = false;
        if (p->kind == ARTI_PART_FREE)
            is_many = p->hi == UINT32_MAX || p->hi - t->n_cp >= 3; /* an escape may be one of them */
        else if (p->kind == ARTI_PART_SET)
            is_many = between && arti_set_hi(q) - arti_set_lo(q) >= wanted(st->top);
        else if (is_any && p->hi == UINT32_MAX && !p->only_checked) {
            is_many = has_many_texts(x->s->re, (arti_re_state)q, wanted(st->top));
        }
        *(is_many ? many : &doubted) |= goal;
    }
    return !(doubted & ~*many);
}

/* Can what is written end, if the value in frame f becomes many different ones that meet these goals? */
static bool ends_with_many(question *q, const arti_frame *f, const arti_goals *g, uint64_t many) {
    arti_unique_known *u = known_of(f);
    if (!many) return false;
    if (u->many && u->many_of == many) return u->many == ARTI_YES;
    pending p = {g, new_lists(q, g, 0)};
    if (!p.of_goal) return false;
    for (uint64_t bits = many; bits; bits &= bits - 1) add_many(q, &p.of_goal[arti_bits_lowest64(bits)]);
    const bool alive = leads_out(q, f, &p);
    free_lists(q, g, p.of_goal);
    if (arti_faulted(q->x->s)) return false;
    u->many = known(alive);
    u->many_of = many;
    return alive;
}

/* Is there, in some alternative, something that may follow in f after the pending value, but only so much of it? */
static bool goes_on_scarcely(question *q, const arti_frame *f) {
    arti_jctx *x = q->x;
    const uint32_t n_alts =
        f->is_object ? ((arti_object_machine *)f->machine)->n_alts : ((arti_array_machine *)f->machine)->n_alts;
    bool scarce = false;
    if (goes_on_endlessly(q, f)) return false;
    for (uint32_t alt = 0; alt < n_alts && !scarce; alt++) {
        if (!arti_live(f, alt)) continue;
        if (f->is_object) {
            const arti_object_machine *m = f->machine;
            arti_object_view v;
            arti_object_at at;
            arti_object_view_init(&v, &at, x, f, alt);
            arti_object_view_take(&v, &at, 0);
            at.at_least = at.n + 1;
            arti_values rest = {0};
            arti_object_values(&q->k, m->alts[alt].shape, &at, 0, &rest);
            scarce = arti_values_any(&rest) && !arti_values_many(&q->k, &rest);
            arti_values_free(x->s, &rest);
        } else {
            const arti_array_machine *m = f->machine;
            arti_array_shape *a = m->alts[alt].shape;
            if (f->n + 1 >= a->max) continue;
            const uint32_t watched = arti_item_watched(a, f->n + 1, arti_frame_counts(f) + m->count_at[alt]);
            for (uint32_t sub = watched; !scarce; sub = (sub - 1) & watched) {
                const arti_conj c = arti_item_counted(x->s, a, f->n + 1, sub);
                if (c == ARTI_CONJ_FAIL) return true;
                const arti_values *next = arti_conj_values(&q->k, c);
                scarce = arti_values_any(next) && !arti_values_many(&q->k, next);
                if (!sub) break;
            }
        }
    }
    return scarce;
}

/* Does what may follow in f or around it, after the pending value, depend on which value it is, even if that is like no other? */
static bool is_scarce(question *q, const arti_frame *f) {
    arti_unique_known *u = known_of(f);
    bool scarce = false;
    if (u->scarce) return u->scarce == ARTI_YES;
    for (const arti_frame *at = f; at && !scarce; at = at->hashing ? at->parent : NULL)
        scarce = goes_on_scarcely(q, at);
    if (!arti_faulted(q->x->s)) u->scarce = known(scarce);
    return scarce;
}

/* Of a text that is one of a list: goals that one meets which is no item yet, as bits. *digest: of such a text. */
static uint64_t find_other(const arti_state *st, uint64_t *digest) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    uint64_t goals = 0;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_part *p = &m->parts[m->part_of[a]];
        const uint64_t q = arti_text_q(st)[m->part_of[a]], goal = UINT64_C(1) << gt->alts[a].goal;
        if (p->kind != ARTI_PART_SET || q == 0 || goals & goal) continue;
        for (uint32_t i = arti_set_lo(q), d = arti_set_depth(q); i < arti_set_hi(q) && !(goals & goal); i++) {
            if (st->text.escape != ARTI_ESC_NONE && p->set[i].len == d) continue; /* a character is begun */
            if (!arti_hset_has(st->top->set, p->set[i].digest)) goals |= goal, *digest = p->set[i].digest;
        }
    }
    return goals;
}

/* Can an array end whose next item is a text that is partly written, as one that is no item yet is left of a list? false: not known. */
static bool ends_with_other(question *q, const arti_state *st) {
    const arti_frame *f = st->top;
    const uint8_t escape = st->text.escape;
    uint64_t digest = 0;
    if (!is_unique_array(f) || f->hashing || st->goals->n > 64 || st->text.u8 != ARTI_U8_0) return false;
    if (escape != ARTI_ESC_NONE && escape != ARTI_ESC_BACKSLASH && escape != ARTI_ESC_HEX0) return false;
    const uint64_t goals = find_other(st, &digest);
    arti_unique_known *u = known_of(f);
    if (!goals || is_scarce(q, f)) return false;
    if (u->other && u->other_of == goals) return u->other == ARTI_YES;
    pending p = {st->goals, new_lists(q, st->goals, 0)};
    if (!p.of_goal) return false;
    for (uint64_t bits = goals; bits; bits &= bits - 1)
        arti_values_add(&q->k, &p.of_goal[arti_bits_lowest64(bits)], digest);
    const bool alive = leads_out(q, f, &p);
    free_lists(q, p.goals, p.of_goal);
    if (arti_faulted(q->x->s)) return false;
    u->other = known(alive);
    u->other_of = goals;
    return alive;
}

/* The same with whatever value the container asks for next, or (NULL) without one. */
static bool ends_with(question *q, const arti_frame *f, const pending *p) {
    uint8_t *is_known = p ? &known_of(f)->with : &known_of(f)->without;
    if (*is_known) return *is_known == ARTI_YES;
    const bool alive = leads_out(q, f, p);
    if (!arti_faulted(q->x->s)) *is_known = known(alive);
    return alive;
}

/* The goals that these lists have as many values for as are wanted, as bits; 0 where there are others with some. */
static uint64_t only_many(const question *q, const arti_goals *g, const arti_values *lists) {
    uint64_t many = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        if (!arti_values_any(&lists[i])) continue;
        if (i >= 64 || !arti_values_many(&q->k, &lists[i])) return 0;
        many |= UINT64_C(1) << i;
    }
    return many;
}

/* The same with what the value that is partly written may become. */
static bool ends_with_this(question *q, const arti_state *st) {
    uint64_t many;
    if (st->mode == ARTI_M_TEXT && find_many(q->x, st, &many)) return ends_with_many(q, st->top, st->goals, many);
    if (st->mode == ARTI_M_TEXT && ends_with_other(q, st)) return true;
    if (arti_faulted(q->x->s)) return false;
    pending p = {st->goals, new_lists(q, st->goals, 0)};
    if (p.of_goal) add_values(q, st, p.of_goal);
    bool alive = p.of_goal && !arti_faulted(q->x->s);
    if (alive) {
        many = only_many(q, st->goals, p.of_goal);
        alive = many ? ends_with_many(q, st->top, st->goals, many) : leads_out(q, st->top, &p);
    }
    free_lists(q, p.goals, p.of_goal);
    return alive;
}

/* The goals of f's alternatives that are alive, as bits. */
static uint64_t live_goals(const arti_frame *f) {
    const arti_goal_type *gt = &f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY];
    uint64_t goals = 0;
    for (uint32_t alt = 0; alt < gt->n_alts; alt++)
        if (arti_live(f, alt)) goals |= UINT64_C(1) << gt->alts[alt].goal;
    return goals;
}

/* Of an object that goes on endlessly it only matters whether many different ones can end. false: that does not tell. */
static bool ends_endlessly(question *q, const arti_state *st, bool *alive) {
    const arti_frame *f = st->top;
    if (!f->hashing || (st->goals && st->goals->n > 1) || f->goals->n > 64 || !goes_on_endlessly(q, f)) return false;
    *alive = ends_with_many(q, f->parent, f->goals, live_goals(f));
    return true;
}

bool arti_unique_alive(arti_jctx *x, const arti_state *st) {
    const arti_frame *f = st->top;
    if (!arti_is_distinct(st) || x->style == ARTI_NUM_ANY_STYLE) return true; /* a validator need not avoid dead ends */
    if (arti_unique_is_first(f)) return true;
    question q = ask(x, f);
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const pending any = {st->goals, NULL};
    bool alive;
    if (ends_endlessly(&q, st, &alive)) {
        arti_region_reset(x->region, mark);
        return alive;
    }
    switch ((arti_mode)st->mode) {
    case ARTI_M_KEY:
    case ARTI_M_KEY_TEXT: return true;
    case ARTI_M_FIRST_VALUE:
    case ARTI_M_FIRST_KEY:
    case ARTI_M_AFTER: alive = ends_with(&q, f, NULL); break;
    case ARTI_M_COLON:
    case ARTI_M_VALUE: alive = ends_with(&q, f, &any); break;
    default: alive = ends_with_this(&q, st);
    }
    arti_region_reset(x->region, mark);
    return alive;
}

bool arti_unique_admits(arti_jctx *x, const arti_state *st, uint32_t part, const uint64_t *digest) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    question q = ask(x, st->top);
    pending p = {st->goals, new_lists(&q, st->goals, 0)};
    if (!p.of_goal) return false;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        arti_values *out = &p.of_goal[gt->alts[a].goal];
        if (m->part_of[a] != part) continue;
        if (!digest)
            add_many(&q, out);
        else if (!arti_values_enough(&q.k, out))
            arti_values_add(&q.k, out, *digest);
    }
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const bool ok = leads_out(&q, st->top, &p);
    arti_region_reset(x->region, mark);
    free_lists(&q, p.goals, p.of_goal);
    return ok;
}

#define ENDLESS_STATES_MAX 512u

bool arti_unique_is_endless(art_schema *s, arti_re_state q) {
    arti_norm *m = s->norm;
    if (!m->endless) m->endless = arti_schema_zero(s, ARTI_RE_STATES_MAX);
    if (!m->endless || m->endless[q]) return m->endless && m->endless[q] == 1;
    arti_re_state met[ENDLESS_STATES_MAX];
    uint32_t n = 0;
    bool yes = true;
    met[n++] = q;
    for (uint32_t i = 0; i < n && yes; i++) {
        arti_re_lengths l;
        arti_re_bytes next;
        arti_re_state last = ARTI_RE_DEAD; /* neighbouring bytes mostly lead to the same state */
        if (arti_re_get_lengths(s->re, met[i], &l) != ART_OK || arti_re_live_bytes(s->re, met[i], &next) != ART_OK)
            return false; /* with more work to spend, it may be found another time */
        yes = l.longest == ARTI_RE_UNBOUNDED;
        for (uint32_t w = 0; w < 4 && yes; w++) {
            for (uint64_t bits = next.bits[w]; bits && yes; bits &= bits - 1) {
                const arti_re_state to = arti_re_step(s->re, met[i], (uint8_t)(w * 64 + arti_bits_lowest64(bits)));
                if (to == last) continue;
                if (to == ARTI_RE_FAIL) return false;
                last = to;
                uint32_t k = 0;
                while (k < n && met[k] != to) k++;
                yes = m->endless[to] != 2 && (k < n || n < ENDLESS_STATES_MAX);
                if (yes && k == n && m->endless[to] != 1) met[n++] = to;
            }
        }
    }
    for (uint32_t i = 0; i < (yes ? n : 1); i++) m->endless[met[i]] = yes ? 1 : 2;
    return yes;
}

/* ------------------------------------------------------------------ keys */

/* Does a member that may still come make as many objects as one likes, whichever other comes next? */
static bool is_open_object(question *q, const arti_frame *f) {
    arti_jctx *x = q->x;
    const arti_object_machine *m = f->machine;
    if (!m->all_simple || x->in_order) return false;
    bool open = true;
    if (goes_on_endlessly(q, f)) return true;
    if (arti_faulted(x->s)) return false;
    for (uint32_t alt = 0; alt < m->n_alts && open; alt++) {
        if (!arti_live(f, alt)) continue;
        arti_object_view v;
        arti_object_at at;
        arti_object_view_init(&v, &at, x, f, alt);
        at.at_least = at.n + 1;
        arti_values more = {.enough = 1};
        arti_object_values(&q->k, m->alts[alt].shape, &at, 0, &more);
        arti_values_free(x->s, &more);
        open = more.at_least == UINT32_MAX;
    }
    return open;
}

/* Does any key leave more than repetitions? Of an object that is open it does where each of its goals leads out. false: not known. */
static bool any_key_leads_out(arti_jctx *x, const arti_frame *f) {
    question q = ask(x, f);
    if (f->goals->n > 64 || !is_open_object(&q, f)) return false;
    for (uint64_t goals = live_goals(f); goals; goals &= goals - 1)
        if (!ends_with_many(&q, f->parent, f->goals, goals & -goals)) return false;
    return true;
}

/* Does a pending key leave more than repetitions? */
static bool key_leads_out(arti_jctx *x, const arti_frame *f, uint32_t name, uint64_t matches, uint64_t hash) {
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_frame *probe = arti_frame_copy(x, f);
    if (!probe) return false;
    probe->key = name;
    probe->matches = matches;
    probe->key_hash = hash;
    question q = ask(x, f);
    const pending any = {0};
    const bool ok = leads_out(&q, probe, &any);
    arti_region_reset(x->region, mark);
    return ok;
}

/* The languages of other keys that a word belongs to. */
static bool word_matches(arti_jctx *x, const arti_object_machine *m, const arti_key *word, uint64_t *matches) {
    *matches = 0;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const arti_re_state q =
            arti_re_run(x->s->re, arti_re_start(x->s->re, m->parts[i].term), (const uint8_t *)word->ptr, word->len);
        if (q == ARTI_RE_FAIL) return arti_fault_re(x->s, NULL, 0, "patternProperties");
        *matches |= (uint64_t)arti_re_accepts(x->s->re, q) << i;
    }
    return true;
}

/* Makes *st's frame a new version that has what is barred apart. */
static arti_frame *barring(arti_jctx *x, arti_state *st) {
    arti_frame *f = arti_frame_copy(x, st->top);
    if (!f) return NULL;
    if (!f->has_bars) {
        f->own_set = f->set;
        f->own_sum = f->set_sum;
        f->has_bars = true;
    }
    st->top = f;
    return f;
}

/* Makes a key count as one that is there. Its beginnings are among the frame's heads. */
static bool bar_key(arti_jctx *x, arti_frame *f, uint64_t hash) {
    f->set = arti_hset_add(x->region, f->set, hash);
    if (!f->set) return arti_fault_mem(x->s);
    f->set_sum += arti_hash_mix(hash, 13);
    return true;
}

static bool add_head(arti_jctx *x, arti_frame *f, uint64_t hash) {
    if (arti_hset_has(f->heads, hash)) return true;
    f->heads = arti_hset_add(x->region, f->heads, hash);
    return f->heads || arti_fault_mem(x->s);
}

static bool bar_word(arti_jctx *x, arti_state *st, const arti_key *word) {
    arti_frame *f = barring(x, st);
    if (!f) return false;
    uint64_t h = ARTI_TEXT_HASH;
    for (uint32_t i = 0; i <= word->len; i++) {
        if (!add_head(x, f, h)) return false;
        if (i < word->len) h = arti_hash_mix(h, (uint8_t)word->ptr[i]);
    }
    return bar_key(x, f, h);
}

/* Words of a class that are few: those that leave only repetitions are barred. */
static bool bar_words(arti_jctx *x, arti_state *st, const arti_object_shape *o, arti_extra_class *class) {
    const arti_object_machine *m = st->top->machine;
    bool endless;
    if (!arti_class_is_endless(x->s, class, &endless)) return false;
    for (uint32_t w = 0; !endless && w < ARTI_EXTRA_WORDS_MAX; w++) {
        const arti_key *word = arti_class_word(x->s, o, class, w);
        if (!word) return !arti_faulted(x->s);
        const uint64_t hash = arti_digest_text(ARTI_TEXT_HASH, word->ptr, word->len);
        uint64_t matches;
        if (arti_object_machine_find(m, word->ptr, word->len) != UINT32_MAX || arti_hset_has(st->top->set, hash))
            continue;
        if (!word_matches(x, m, word, &matches)) return false;
        const bool ok = key_leads_out(x, st->top, UINT32_MAX, matches, hash);
        if (arti_faulted(x->s) || (!ok && !bar_word(x, st, word))) return false;
    }
    return true;
}

/* Keys of finished items are kept with their beginnings, and with marks: that a digest is one of a whole key, and each of its languages. */
#define KEY_MARK UINT64_C(64)

static uint64_t mark_of(const void *machine, uint64_t key, uint64_t what) {
    return arti_hash_mix(arti_hash_mix(key, (uint64_t)(uintptr_t)machine), what);
}

bool arti_unique_note_key(arti_jctx *x, arti_frame *f, uint64_t key, uint64_t matches) {
    if (x->style == ARTI_NUM_ANY_STYLE) return true;
    for (uint64_t bits = matches; bits; bits &= bits - 1)
        if (!add_head(x, f, mark_of(f->machine, key, arti_bits_lowest64(bits)))) return false;
    return add_head(x, f, mark_of(f->machine, key, KEY_MARK));
}

typedef struct hset_walk { /* over a set, as far as it is no deeper than a tree of digests gets */
    const arti_hset *stack[128];
    uint32_t n;
} hset_walk;

static void push_set(hset_walk *w, const arti_hset *t) {
    if (t && w->n < sizeof w->stack / sizeof *w->stack) w->stack[w->n++] = t;
}

static const arti_hset *next_of_set(hset_walk *w) {
    if (!w->n) return NULL;
    const arti_hset *t = w->stack[--w->n];
    push_set(w, t->left);
    push_set(w, t->right);
    return t;
}

static bool add_heads(arti_jctx *x, arti_frame *f, const arti_hset *heads) {
    if (!f->heads || f->heads == heads) {
        f->heads = heads;
        return true;
    }
    hset_walk w = {.n = 0};
    push_set(&w, heads);
    for (const arti_hset *t; (t = next_of_set(&w));)
        if (!add_head(x, f, t->hash)) return false;
    return true;
}

bool arti_unique_keep_keys(arti_jctx *x, arti_frame *f, const arti_frame *ended) {
    return x->style == ARTI_NUM_ANY_STYLE || add_heads(x, f, ended->heads);
}

/* Bars those of the keys in finished items, as `heads` tells them, that leave only repetitions. */
static bool bar_known(arti_jctx *x, arti_state *st, const arti_hset *heads) {
    const arti_object_machine *m = st->top->machine;
    hset_walk w = {.n = 0};
    push_set(&w, heads);
    for (const arti_hset *t; (t = next_of_set(&w));) {
        const uint64_t key = t->hash;
        if (!arti_hset_has(heads, mark_of(m, key, KEY_MARK)) || arti_hset_has(st->top->set, key)) continue;
        uint64_t matches = 0;
        for (uint32_t i = 0; i < m->n_parts; i++) matches |= (uint64_t)arti_hset_has(heads, mark_of(m, key, i)) << i;
        if (key_leads_out(x, st->top, UINT32_MAX, matches, key)) continue;
        arti_frame *f = arti_faulted(x->s) ? NULL : barring(x, st);
        if (!f || !add_heads(x, f, heads) || !bar_key(x, f, key)) return false;
    }
    return true;
}

/* The same for a word like no other of an endless class; of classes that have few, words are barred one by one. */
static bool class_leads_out(arti_jctx *x, const arti_frame *f, const arti_object_shape *o, arti_extra_class *class) {
    bool endless;
    uint64_t matches;
    if (!arti_class_is_endless(x->s, class, &endless)) return false;
    const arti_key *word = endless ? arti_class_word(x->s, o, class, 0) : NULL;
    if (!word) return !arti_faulted(x->s);
    return word_matches(x, f->machine, word, &matches) && key_leads_out(x, f, UINT32_MAX, matches, ARTI_DIGEST_OTHER);
}

bool arti_unique_offer(arti_jctx *x, arti_state *st, uint64_t *offer) {
    const arti_frame *f = st->top;
    const arti_object_machine *m = f->machine;
    if (x->style == ARTI_NUM_ANY_STYLE || arti_unique_is_first(f) || any_key_leads_out(x, f))
        return !arti_faulted(x->s);
    if (arti_faulted(x->s)) return false;
    for (uint32_t i = 0; i < m->n_names; i++) {
        if (!(offer[i / 64] >> (i % 64) & 1u)) continue;
        const uint64_t hash = arti_digest_text(ARTI_TEXT_HASH, m->names[i].ptr, m->names[i].len);
        if (!key_leads_out(x, f, i, 0, hash)) offer[i / 64] &= ~(UINT64_C(1) << (i % 64));
        if (arti_faulted(x->s)) return false;
    }
    bool other = false;
    for (uint32_t a = 0; st->text.offer_other && a < m->n_alts; a++) {
        if (m->alts[a].extra_part == ARTI_EXTRA_NONE || !arti_takes_other(st, a)) continue;
        const arti_class_list *classes = arti_object_open_classes(x->s, m->alts[a].shape);
        if (!classes) return false;
        for (uint32_t i = 0; i < classes->n; i++) {
            other = other || class_leads_out(x, f, m->alts[a].shape, classes->at[i]);
            if (arti_faulted(x->s) || !bar_words(x, st, m->alts[a].shape, classes->at[i])) return false;
        }
    }
    st->text.offer_other = other;
    for (const arti_frame *at = f; other && m->n_parts && at->hashing; at = at->parent)
        if (at->parent->heads && !bar_known(x, st, at->parent->heads)) return false;
    return true;
}

/* ------------------------------------------------------------------ values that are alike */

/* Is the same asked of the item after the next one, in every alternative? */
static bool goes_on_alike(arti_jctx *x, const arti_frame *f) {
    const arti_array_machine *m = f->machine;
    if (m->n_counts) return false;
    for (uint32_t alt = 0; alt < m->n_alts; alt++) {
        arti_array_shape *a = m->alts[alt].shape;
        if (!arti_live(f, alt) || f->n + 1 >= a->max) continue;
        if (arti_item_counted(x->s, a, f->n + 1, 0) != arti_item_counted(x->s, a, f->n, 0)) return false;
    }
    return true;
}

/* Could the container of a frame end behind its pending value? false: certainly not. */
static bool may_end_behind(const arti_frame *f) {
    if (!f->is_object) return true;
    const arti_object_machine *m = f->machine;
    const uint64_t *seen = f->bits + m->n_live_words;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_live(f, a)) continue;
        bool lacks = false;
        for (uint32_t w = 0; w < m->n_seen_words && !lacks; w++) {
            uint64_t lacking = m->alts[a].required[w] & ~seen[w];
            if (f->key / 64 == w) lacking &= ~(UINT64_C(1) << (f->key % 64));
            lacks = lacking != 0;
        }
        if (!lacks) return true;
    }
    return false;
}

#define CLASH_FRAMES 8u /* containers within each other, for values to be told from what is around them */

/* Takes in the values with which the containers of `path`, the innermost first, become one of the set. false: too many. */
static bool add_targets(arti_clash *c, const arti_hset *set, const arti_frame *const *path, uint32_t depth) {
    const arti_hset *stack[ARTI_CLASH_TARGETS + 1];
    uint32_t n = 0;
    stack[n++] = set;
    while (n) {
        const arti_hset *at = stack[--n];
        if (c->n_targets == ARTI_CLASH_TARGETS) return false;
        uint64_t digest = at->hash;
        for (uint32_t i = depth; i-- > 0;)
            digest = path[i]->is_object ? arti_digest_member_value(path[i]->key_hash, digest - path[i]->hash)
                                        : arti_digest_item_value(path[i]->hash, digest);
        c->targets[c->n_targets++] = digest;
        c->filter |= UINT64_C(1) << (digest % 64);
        if (n + 2 > sizeof stack / sizeof *stack) return false;
        if (at->left) stack[n++] = at->left;
        if (at->right) stack[n++] = at->right;
    }
    return true;
}

/* Lists the values that clash, where they are few. */
static void list_targets(arti_clash *c) {
    const arti_frame *path[CLASH_FRAMES], *f = c->top;
    uint32_t depth = 0;
    for (;; f = f->parent) {
        if (is_unique_array(f) && f->set && !add_targets(c, f->set, path, depth)) return;
        if (!f->hashing || !may_end_behind(f)) break;
        if (depth == CLASH_FRAMES) return;
        path[depth++] = f;
    }
    c->is_listed = true;
}

bool arti_clash_init(arti_jctx *x, const arti_state *st, arti_clash *c) {
    *c = (arti_clash){.top = st->top};
    arti_unique_known *u = known_of(st->top);
    question q = ask(x, st->top);
    if (!u->opens) {
        const bool opens = !is_scarce(&q, st->top) && (!is_unique_array(st->top) || goes_on_alike(x, st->top));
        if (arti_faulted(x->s)) return false;
        u->opens = known(opens);
    }
    c->each = u->scarce == ARTI_YES;
    c->opens = u->opens == ARTI_YES;
    if (arti_unique_is_first(st->top)) return !arti_faulted(x->s);
    list_targets(c);
    c->any = c->each || !c->is_listed || c->n_targets;
    return !arti_faulted(x->s);
}

bool arti_clash_has(const arti_clash *c, uint64_t digest) {
    if (c->is_listed) {
        if (!(c->filter >> (digest % 64) & 1u)) return false;
        for (uint32_t i = 0; i < c->n_targets; i++)
            if (c->targets[i] == digest) return true;
        return false;
    }
    for (const arti_frame *f = c->top;; f = f->parent) {
        if (is_unique_array(f) && arti_hset_has(f->set, digest)) return true;
        if (!f->hashing || !may_end_behind(f)) return false;
        digest = f->is_object ? f->hash + arti_digest_member(f->key_hash, digest) : arti_digest_item(f->hash, digest);
    }
}

bool arti_unique_has_many(arti_jctx *x, const arti_state *st) {
    question q = ask(x, st->top);
    bool many = false;
    for (uint32_t i = 0; !many && st->goals && i < st->goals->n; i++)
        many = arti_values_many(&q.k, arti_conj_values(&q.k, st->goals->conj[i]));
    return many && !arti_faulted(x->s);
}
