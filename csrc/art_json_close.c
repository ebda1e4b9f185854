/* SPDX-License-Identifier: Apache-2.0 */
#include "art_json_close.h"

#include "art_json_keys.h"
#include "art_json_parts.h"
#include "art_utf8.h"

#define WITNESS_STACK 512u
#define WITNESS_MAX ((size_t)1 << 20)

/* ------------------------------------------------------------------ output */

void arti_out_put(arti_out *o, const void *bytes, size_t len) {
    if (o->len < o->cap) {
        const size_t n = len < o->cap - o->len ? len : o->cap - o->len;
        memcpy(o->buf + o->len, bytes, n);
    }
    o->len += len;
}

void arti_out_byte(arti_out *o, uint8_t b) {
    arti_out_put(o, &b, 1);
}

static void put_filler(arti_out *o, size_t n) { /* n plain characters */
    for (size_t i = 0; i < n && o->len + i < o->cap; i++) o->buf[o->len + i] = 'a';
    o->len += n;
}

void arti_out_text(arti_out *o, const uint8_t *text, size_t len) {
    char few[WITNESS_STACK * 6 + 2];
    while (len) { /* in pieces that fit the buffer, whole characters each */
        size_t n = len < WITNESS_STACK ? len : WITNESS_STACK;
        while (n < len && (text[n] & 0xC0u) == 0x80u) n--;
        const size_t q = arti_json_quote(few, sizeof few, (const char *)text, n);
        arti_out_put(o, few + 1, q - 2);
        text += n;
        len -= n;
    }
}

void arti_out_quoted(arti_out *o, const uint8_t *text, size_t len) {
    arti_out_byte(o, '"');
    arti_out_text(o, text, len);
    arti_out_byte(o, '"');
}

/* ------------------------------------------------------------------ shortest instances */

typedef enum task_kind { TASK_BYTE, TASK_KEY, TASK_CONJ } task_kind;

typedef struct task {
    task_kind kind;
    uint8_t byte;
    arti_key key;
    arti_conj conj;
    uint32_t count; /* of items in a row, commas between them */
} task;

typedef struct writer {
    arti_jctx *x;
    arti_out *out;
    task *tasks;
    size_t n, cap;
} writer;

static bool push(writer *w, task t) {
    if (!arti_vec_reserve(w->x->region->mem, (void **)&w->tasks, &w->cap, w->n + 1, sizeof *w->tasks))
        return arti_fault_mem(w->x->s);
    w->tasks[w->n++] = t;
    return true;
}

/* Pushes a plan's steps so that they are written in order, each but the first after a comma (the first too when `comma`). */
static bool push_plan(writer *w, const arti_plan *p, bool comma) {
    for (size_t i = p->n; i-- > 0;) {
        const arti_step *st = &p->steps[i];
        if (!push(w, (task){.kind = TASK_CONJ, .conj = st->conj, .count = st->count})) return false;
        if (st->key.ptr && !push(w, (task){.kind = TASK_KEY, .key = st->key})) return false;
        if ((i > 0 || comma) && !push(w, (task){.kind = TASK_BYTE, .byte = ','})) return false;
    }
    return true;
}

arti_shape *arti_close_shape(art_schema *s, arti_conj c) {
    const arti_conj_info *info = arti_conj_get(s, c);
    arti_shape *best = NULL;
    for (int t = 0; t < ARTI_N_TYPES; t++)
        for (uint32_t i = 0; i < info->facet[t].n_shapes; i++)
            if (info->facet[t].is_decided && (!best || info->facet[t].shapes[i]->len < best->len))
                best = info->facet[t].shapes[i];
    return best;
}

static size_t shortest_number(const arti_jctx *x, const arti_shape *sh, const arti_num *n, const uint8_t *text,
                              uint8_t *buf, size_t cap) {
    if (sh->plain && n->lex > ARTI_NUM_INT) return SIZE_MAX; /* it has a fraction or an exponent */
    return arti_num_shortest(&sh->number, n, text, sh->plain ? ARTI_NUM_PLAIN : x->style, buf, cap);
}

static bool write_number(arti_jctx *x, arti_out *o, const arti_shape *sh, const arti_num *n, const uint8_t *text) {
    uint8_t buf[2048];
    const size_t len = shortest_number(x, sh, n, text, buf, sizeof buf);
    if (len == SIZE_MAX) return false;
    if (len > sizeof buf)
        return arti_fault(x->s, ART_E_LIMIT, NULL, 0, "", "a shortest number of more than %zu bytes", sizeof buf);
    arti_out_put(o, buf, len);
    return true;
}

static bool write_conj(writer *w, arti_conj c) {
    static const uint32_t none[ARTI_CONTAINS_MAX];
    arti_jctx *x = w->x;
    arti_shape *sh = arti_close_shape(x->s, c);
    if (!sh) return false;
    const arti_num start = {0};
    switch ((arti_type)sh->type) {
    case ARTI_T_NULL: arti_out_put(w->out, "null", 4); return true;
    case ARTI_T_BOOL: arti_out_put(w->out, sh->bools & 2u ? "true" : "false", sh->bools & 2u ? 4 : 5); return true;
    case ARTI_T_NUMBER: return write_number(x, w->out, sh, &start, NULL);
    case ARTI_T_STRING:
        if (sh->text.only_checked) return arti_fault_unchecked(x->s);
        if (sh->text.witness) {
            arti_out_quoted(w->out, sh->text.witness, sh->text.witness_len);
        } else {
            arti_out_byte(w->out, '"');
            put_filler(w->out, sh->text.lo);
            arti_out_byte(w->out, '"');
        }
        return true;
    default: break;
    }
    const bool is_object = sh->type == ARTI_T_OBJECT;
    arti_plan p = {.mem = &x->s->mem};
    const uint32_t len = is_object ? arti_object_best(x->s, &sh->object, &arti_object_start, &p)
                                   : arti_array_best(x->s, &sh->array, 0, none, false, &p);
    arti_out_byte(w->out, is_object ? '{' : '[');
    const bool ok = len != ARTI_LEN_NONE && push(w, (task){.kind = TASK_BYTE, .byte = is_object ? '}' : ']'}) &&
                    push_plan(w, &p, false);
    arti_plan_free(&p);
    return ok;
}

static bool write_tasks(writer *w) {
    bool ok = true;
    while (ok && w->n) {
        task t = w->tasks[--w->n];
        if (t.kind == TASK_BYTE) {
            arti_out_byte(w->out, t.byte);
        } else if (t.kind == TASK_KEY) {
            arti_out_quoted(w->out, (const uint8_t *)t.key.ptr, t.key.len);
            arti_out_byte(w->out, ':');
        } else if (arti_out_counts(w->out)) {
            w->out->len += (size_t)arti_conj_len(w->x->s, t.conj) * t.count + (t.count - 1);
        } else {
            if (t.count > 1)
                ok = push(w, (task){.kind = TASK_CONJ, .conj = t.conj, .count = t.count - 1}) &&
                     push(w, (task){.kind = TASK_BYTE, .byte = ','});
            ok = ok && write_conj(w, t.conj);
        }
    }
    arti_free(w->x->region->mem, w->tasks, w->cap * sizeof *w->tasks);
    return ok && !arti_faulted(w->x->s);
}

bool arti_close_conj(arti_jctx *x, arti_conj c, arti_out *out) {
    writer w = {.x = x, .out = out};
    const bool ok = write_conj(&w, c);
    return write_tasks(&w) && ok;
}

/* ------------------------------------------------------------------ what comes after the pending value */

static const uint32_t *pending_costs(arti_jctx *x, const arti_frame *f);

/* Everything that plans of an alternative may look at is decided. at_least: members beyond the required ones may be needed. */
static bool prepare(arti_jctx *x, const arti_frame *f, uint32_t alt, bool at_least) {
    art_schema *s = x->s;
    if (!f->is_object) {
        arti_array_machine *m = f->machine;
        if (m->alts[alt].is_settled) return true;
        if (!arti_shape_settle(s, f->goals->type[ARTI_T_ARRAY].alts[alt].shape)) return false;
        m->alts[alt].is_settled = true;
        return true;
    }
    arti_object_machine *m = f->machine;
    arti_object_shape *o = m->alts[alt].shape;
    if (!m->alts[alt].is_settled) {
        if (!arti_shape_settle(s, f->goals->type[ARTI_T_OBJECT].alts[alt].shape)) return false;
        m->alts[alt].is_settled = true;
    }
    if (!at_least) return true;
    for (uint32_t i = 0; i < o->n_names; i++) {
        const arti_conj c = arti_object_name_conj(s, o, i);
        if (c == ARTI_CONJ_FAIL) return false;
        arti_conj_len(s, c);
    }
    const arti_class_list *all = arti_object_classes(s, o);
    for (uint32_t i = 0; all && i < all->n; i++) arti_conj_len(s, all->at[i]->conj);
    return !arti_faulted(s);
}

/* Cost after f's pending value, when it met `sub` for the alternative; without the parents'. */
static uint32_t rest_after_value(arti_jctx *x, const arti_frame *f, uint32_t alt, uint32_t sub, arti_plan *plan) {
    if (!prepare(x, f, alt, false)) return ARTI_LEN_NONE;
    if (f->is_object) {
        const arti_object_machine *m = f->machine;
        arti_object_view v;
        arti_object_at at;
        arti_object_view_init(&v, &at, x, f, alt);
        arti_object_view_take(&v, &at, sub);
        return arti_len_add(arti_object_best(x->s, m->alts[alt].shape, &at, plan), 1);
    }
    const arti_array_machine *m = f->machine;
    arti_array_shape *a = m->alts[alt].shape;
    uint32_t counts[ARTI_CONTAINS_MAX];
    for (uint32_t k = 0; k < a->n_contains; k++) {
        counts[k] = arti_frame_counts(f)[m->count_at[alt] + k] + (sub >> k & 1u);
        if (counts[k] > arti_contains_cap(&a->contains[k])) return ARTI_LEN_NONE;
    }
    return arti_len_add(arti_array_best(x->s, a, f->n + 1, counts, f->has_equal, plan), 1);
}

static const arti_goals *frame_goals_of_child(const arti_frame *child) {
    return child->goals;
}

static bool add_costs(arti_jctx *x, const arti_frame *f, const arti_goals *g, const uint32_t *outer, uint32_t *costs) {
    for (uint32_t i = 0; i < g->n; i++) costs[i] = ARTI_LEN_NONE;
    const uint32_t n_alts =
        f->is_object ? ((arti_object_machine *)f->machine)->n_alts : ((arti_array_machine *)f->machine)->n_alts;
    for (uint32_t alt = 0; alt < n_alts; alt++) {
        if (!arti_live(f, alt)) continue;
        const uint32_t goal = f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY].alts[alt].goal;
        arti_conj conj = ARTI_CONJ_NEVER;
        uint32_t pending;
        if (f->is_object) {
            if (!arti_frame_cell(x, f, alt, &conj, &pending)) return false;
        } else {
            const arti_array_machine *m = f->machine;
            pending = arti_item_watched(m->alts[alt].shape, f->n, arti_frame_counts(f) + m->count_at[alt]);
        }
        for (uint32_t sub = pending;; sub = (sub - 1) & pending) {
            arti_conj c = conj;
            if (!f->is_object)
                c = arti_item_counted(x->s, ((arti_array_machine *)f->machine)->alts[alt].shape, f->n, sub);
            else if (sub)
                c = arti_some_conj(x->s, ((arti_object_machine *)f->machine)->alts[alt].shape, conj, sub);
            const uint32_t i = c == ARTI_CONJ_FAIL ? UINT32_MAX : arti_goals_find(g, c);
            if (i != UINT32_MAX) {
                const uint32_t cost = arti_len_add(rest_after_value(x, f, alt, sub, NULL), outer[goal]);
                if (cost < costs[i]) costs[i] = cost;
            }
            if (arti_faulted(x->s)) return false;
            if (!sub) break;
        }
    }
    return true;
}

static const uint32_t no_cost = 0;

/* Costs after the value that is pending in f, whose goals are g; the parents' first. NULL: fault. */
const uint32_t *arti_close_costs(arti_jctx *x, const arti_frame *f, const arti_goals *g) {
    if (!f) return &no_cost;
    for (;;) { /* the outermost frame that lacks them, until f itself has them */
        const arti_frame *at = f;
        const arti_goals *goals = g;
        while (at->parent && !at->parent->costs) {
            goals = frame_goals_of_child(at);
            at = at->parent;
        }
        if (f->costs) return f->costs;
        uint32_t *costs = arti_region_get(x->keep, goals->n * sizeof *costs);
        if (!costs) {
            arti_fault_mem(x->s);
            return NULL;
        }
        if (!add_costs(x, at, goals, at->parent ? at->parent->costs : &no_cost, costs)) return NULL;
        ((arti_frame *)at)->costs = costs;
    }
}

static const uint32_t *pending_costs(arti_jctx *x, const arti_frame *child) {
    return arti_close_costs(x, child->parent, child->goals);
}

/* Cost of an item in the alternative, and of what then lacks in the array; without the parents' and the bracket. */
static uint32_t item_and_rest(arti_jctx *x, const arti_frame *f, uint32_t alt) {
    const arti_array_machine *m = f->machine;
    arti_array_shape *a = m->alts[alt].shape;
    uint32_t best = ARTI_LEN_NONE;
    if (f->n >= a->max) return best;
    const uint32_t watched = arti_item_watched(a, f->n, arti_frame_counts(f) + m->count_at[alt]);
    for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
        const arti_conj c = arti_item_counted(x->s, a, f->n, sub);
        if (c == ARTI_CONJ_FAIL) return ARTI_LEN_NONE;
        const uint32_t cost = arti_len_add(arti_conj_len(x->s, c), rest_after_value(x, f, alt, sub, NULL));
        if (arti_faulted(x->s)) return ARTI_LEN_NONE;
        if (cost != ARTI_LEN_NONE && cost - 1 + (f->n > 0) < best) best = cost - 1 + (f->n > 0);
        if (!sub) return best;
    }
}

/* The cheapest way to end the innermost container; one_more: with another member or item. */
arti_ending arti_close_frame(arti_jctx *x, const arti_frame *f, bool one_more) {
    arti_ending best = {ARTI_LEN_NONE, 0};
    const uint32_t *outer = pending_costs(x, f);
    if (!outer) return best;
    const uint32_t n_alts =
        f->is_object ? ((arti_object_machine *)f->machine)->n_alts : ((arti_array_machine *)f->machine)->n_alts;
    for (uint32_t alt = 0; alt < n_alts; alt++) {
        if (!arti_live(f, alt) || !prepare(x, f, alt, one_more)) continue;
        uint32_t cost;
        if (f->is_object) {
            arti_object_view v;
            arti_object_at at;
            arti_object_view_init(&v, &at, x, f, alt);
            if (one_more) at.at_least = f->n + 1;
            cost = arti_object_best(x->s, ((arti_object_machine *)f->machine)->alts[alt].shape, &at, NULL);
        } else if (one_more) {
            cost = item_and_rest(x, f, alt);
        } else {
            const arti_array_machine *m = f->machine;
            cost = arti_array_best(x->s, m->alts[alt].shape, f->n, arti_frame_counts(f) + m->count_at[alt],
                                   f->has_equal, NULL);
        }
        const uint32_t goal = f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY].alts[alt].goal;
        cost = arti_len_add(arti_len_add(cost, 1), outer[goal]);
        if (cost < best.cost) best = (arti_ending){cost, alt};
    }
    return best;
}

/* ------------------------------------------------------------------ writing outwards */

/* Ends the container of f by its cheapest alternative and goes on with the frames around it. */
static bool write_frames(arti_jctx *x, const arti_frame *f, bool one_more, arti_out *out);

/* After a value in f that met the goal `goal` of g: ends f and all around it. */
static bool write_after(arti_jctx *x, const arti_frame *f, const arti_goals *g, uint32_t goal, arti_out *out) {
    while (f) {
        if (arti_out_counts(out)) { /* the cost reaches to the end of the text */
            const uint32_t *costs = arti_close_costs(x, f, g);
            if (!costs || costs[goal] == ARTI_LEN_NONE) return false;
            out->len += costs[goal];
            return true;
        }
        const uint32_t *costs = arti_close_costs(x, f, g), *outer = costs ? pending_costs(x, f) : NULL;
        if (!outer) return false;
        const uint32_t n_alts =
            f->is_object ? ((arti_object_machine *)f->machine)->n_alts : ((arti_array_machine *)f->machine)->n_alts;
        uint32_t next_goal = UINT32_MAX;
        for (uint32_t alt = 0; alt < n_alts && next_goal == UINT32_MAX; alt++) { /* the one that gave the cost */
            if (!arti_live(f, alt)) continue;
            arti_conj conj = ARTI_CONJ_NEVER;
            uint32_t pending;
            if (f->is_object) {
                if (!arti_frame_cell(x, f, alt, &conj, &pending)) return false;
            } else {
                const arti_array_machine *m = f->machine;
                pending = arti_item_watched(m->alts[alt].shape, f->n, arti_frame_counts(f) + m->count_at[alt]);
            }
            const uint32_t own = f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY].alts[alt].goal;
            for (uint32_t sub = pending;; sub = (sub - 1) & pending) {
                arti_conj c = conj;
                if (!f->is_object)
                    c = arti_item_counted(x->s, ((arti_array_machine *)f->machine)->alts[alt].shape, f->n, sub);
                else if (sub)
                    c = arti_some_conj(x->s, ((arti_object_machine *)f->machine)->alts[alt].shape, conj, sub);
                if (c != ARTI_CONJ_FAIL && arti_goals_find(g, c) == goal &&
                    arti_len_add(rest_after_value(x, f, alt, sub, NULL), outer[own]) == costs[goal]) {
                    writer w = {.x = x, .out = out};
                    arti_plan p = {.mem = &x->s->mem};
                    const bool ok = rest_after_value(x, f, alt, sub, &p) != ARTI_LEN_NONE &&
                                    push(&w, (task){.kind = TASK_BYTE, .byte = f->is_object ? '}' : ']'}) &&
                                    push_plan(&w, &p, true);
                    arti_plan_free(&p);
                    if (!write_tasks(&w) || !ok) return false;
                    next_goal = own;
                    break;
                }
                if (!sub) break;
            }
        }
        if (next_goal == UINT32_MAX) return false;
        goal = next_goal;
        g = f->goals;
        f = f->parent;
    }
    return true;
}

/* Pushes what ends f's container by an alternative. */
static bool push_ending(writer *w, const arti_frame *f, uint32_t alt, bool one_more) {
    arti_jctx *x = w->x;
    arti_plan p = {.mem = &x->s->mem};
    uint32_t cost;
    if (f->is_object) {
        arti_object_view v;
        arti_object_at at;
        arti_object_view_init(&v, &at, x, f, alt);
        if (one_more) at.at_least = f->n + 1;
        cost = arti_object_best(x->s, ((arti_object_machine *)f->machine)->alts[alt].shape, &at, &p);
    } else {
        const arti_array_machine *m = f->machine;
        cost =
            arti_array_best(x->s, m->alts[alt].shape, f->n, arti_frame_counts(f) + m->count_at[alt], f->has_equal, &p);
    }
    const bool ok = cost != ARTI_LEN_NONE && push(w, (task){.kind = TASK_BYTE, .byte = f->is_object ? '}' : ']'}) &&
                    push_plan(w, &p, f->n > 0 && !one_more);
    arti_plan_free(&p);
    return ok;
}

static uint32_t goal_of(const arti_frame *f, uint32_t alt) {
    return f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY].alts[alt].goal;
}

static bool write_frames(arti_jctx *x, const arti_frame *f, bool one_more, arti_out *out) {
    const arti_ending e = arti_close_frame(x, f, one_more);
    if (e.cost == ARTI_LEN_NONE) return false;
    if (arti_out_counts(out)) { /* as above; of one more member, the comma is there already */
        out->len += e.cost - (one_more && f->n > 0);
        return true;
    }
    writer w = {.x = x, .out = out};
    bool ok = push_ending(&w, f, e.alt, one_more);
    ok = write_tasks(&w) && ok;
    return ok && write_after(x, f->parent, f->goals, goal_of(f, e.alt), out);
}

bool arti_close_container(arti_jctx *x, const arti_frame *f, arti_out *out) {
    const arti_ending e = arti_close_frame(x, f, false);
    if (e.cost == ARTI_LEN_NONE || e.cost - pending_costs(x, f)[goal_of(f, e.alt)] > out->cap) return false;
    writer w = {.x = x, .out = out};
    const bool ok = push_ending(&w, f, e.alt, false);
    return write_tasks(&w) && ok;
}

/* The goal that a value which is still to come meets at the least cost; UINT32_MAX: fault. */
uint32_t arti_close_goal(arti_jctx *x, const arti_state *st) {
    const arti_goals *g = st->goals;
    const uint32_t *costs = g ? arti_close_costs(x, st->top, g) : NULL;
    if (!costs) return UINT32_MAX;
    uint32_t best = ARTI_LEN_NONE, goal = UINT32_MAX;
    for (uint32_t i = 0; i < g->n; i++) {
        const uint32_t cost = arti_len_add(arti_conj_len(x->s, g->conj[i]), costs[i]);
        if (cost < best) best = cost, goal = i;
    }
    return goal;
}

static bool write_value(arti_jctx *x, const arti_state *st, arti_out *out) {
    const uint32_t goal = arti_close_goal(x, st);
    if (goal == UINT32_MAX) return false;
    writer w = {.x = x, .out = out};
    return push(&w, (task){.kind = TASK_CONJ, .conj = st->goals->conj[goal], .count = 1}) && write_tasks(&w) &&
           write_after(x, st->top, st->goals, goal, out);
}

uint32_t arti_close_least_after(arti_jctx *x, const arti_state *st) {
    const uint32_t *costs = arti_close_costs(x, st->top, st->goals);
    uint32_t least = ARTI_LEN_NONE;
    for (uint32_t i = 0; costs && i < st->goals->n; i++)
        if (costs[i] < least) least = costs[i];
    return least;
}

uint32_t arti_close_least(arti_jctx *x, const arti_state *st) {
    switch ((arti_mode)st->mode) {
    case ARTI_M_DONE: return 0;
    case ARTI_M_VALUE:
    case ARTI_M_COLON: {
        const uint32_t goal = arti_close_goal(x, st);
        if (goal == UINT32_MAX) return ARTI_LEN_NONE;
        const uint32_t value = arti_conj_len(x->s, st->goals->conj[goal]) + (st->mode == ARTI_M_COLON);
        return arti_len_add(value, arti_close_costs(x, st->top, st->goals)[goal]);
    }
    case ARTI_M_KEY: {
        const uint32_t cost = arti_close_frame(x, st->top, true).cost;
        return cost == ARTI_LEN_NONE ? cost : cost - (st->top->n > 0); /* the comma is there already */
    }
    case ARTI_M_KEY_TEXT: return arti_len_add(arti_close_frame(x, st->top, false).cost, 1);
    case ARTI_M_FIRST_VALUE:
    case ARTI_M_FIRST_KEY:
    case ARTI_M_AFTER: return arti_close_frame(x, st->top, false).cost;
    default: return ARTI_LEN_NONE; /* in a string, number or word */
    }
}

/* The cheapest end of f's container, just opened: its length, and in plan how. */
static uint32_t end_opened(arti_jctx *x, const arti_frame *f, arti_plan *plan) {
    static const uint32_t none[ARTI_CONTAINS_MAX];
    const arti_goal_type *gt = &f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY];
    arti_shape *best = NULL;
    for (uint32_t alt = 0; alt < gt->n_alts; alt++)
        if (arti_live(f, alt) && prepare(x, f, alt, false) && (!best || gt->alts[alt].shape->len < best->len))
            best = gt->alts[alt].shape;
    if (!best) return ARTI_LEN_NONE;
    const uint32_t len = f->is_object ? arti_object_best(x->s, &best->object, &arti_object_start, plan)
                                      : arti_array_best(x->s, &best->array, 0, none, false, plan);
    return arti_len_add(len, 1);
}

/* The cheapest conjunction of a member's value, behind its key, and the length of that with the colon. */
static uint32_t cheapest_value(arti_jctx *x, const arti_state *st, arti_conj *c) {
    uint32_t best = ARTI_LEN_NONE;
    for (uint32_t i = 0; i < st->goals->n; i++) {
        const uint32_t len = arti_conj_len(x->s, st->goals->conj[i]);
        if (len >= best) continue;
        best = len;
        *c = st->goals->conj[i];
    }
    return arti_len_add(best, 1);
}

uint32_t arti_close_begun_len(arti_jctx *x, const arti_state *st) {
    arti_conj c;
    return st->mode == ARTI_M_COLON ? cheapest_value(x, st, &c) : end_opened(x, st->top, NULL);
}

static uint32_t push_begun(writer *w, const arti_state *st) {
    arti_jctx *x = w->x;
    if (st->mode == ARTI_M_COLON) {
        arti_conj c = ARTI_CONJ_NEVER;
        const uint32_t len = cheapest_value(x, st, &c);
        return push(w, (task){.kind = TASK_CONJ, .conj = c, .count = 1}) &&
                       push(w, (task){.kind = TASK_BYTE, .byte = ':'})
                   ? len
                   : ARTI_LEN_NONE;
    }
    arti_plan p = {.mem = &x->s->mem};
    const uint32_t len = end_opened(x, st->top, &p);
    const bool ok =
        push(w, (task){.kind = TASK_BYTE, .byte = st->top->is_object ? '}' : ']'}) && push_plan(w, &p, false);
    arti_plan_free(&p);
    return ok ? len : ARTI_LEN_NONE;
}

const uint8_t *arti_close_begun(arti_jctx *x, const arti_state *st, size_t *len) {
    writer w = {.x = x};
    const uint32_t most = push_begun(&w, st);
    uint8_t *buf = most == ARTI_LEN_NONE ? NULL : arti_region_get(x->region, most);
    if (most != ARTI_LEN_NONE && !buf) arti_fault_mem(x->s);
    arti_out out = {buf, buf ? most : 0, 0};
    w.out = &out;
    const bool ok = write_tasks(&w) && buf && out.len <= most;
    *len = out.len;
    return ok ? buf : NULL;
}

/* ------------------------------------------------------------------ within strings, numbers and words */

const uint8_t *arti_close_part(arti_jctx *x, const arti_part *p, uint64_t q, uint32_t n_cp, size_t *len) {
    if (q == 0 || n_cp > p->hi) return NULL;
    if (p->kind == ARTI_PART_SET) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = arti_set_lo(q); i < arti_set_hi(q); i++)
            if (best == UINT32_MAX || p->set[i].len < p->set[best].len) best = i;
        *len = p->set[best].len - arti_set_depth(q);
        return (const uint8_t *)p->set[best].ptr + arti_set_depth(q);
    }
    const uint32_t lo = p->lo > n_cp ? p->lo - n_cp : 0, hi = p->hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : p->hi - n_cp;
    size_t size = WITNESS_STACK;
    for (;;) {
        uint8_t *buf = arti_region_get(x->region, size);
        if (!buf) {
            arti_fault_mem(x->s);
            return NULL;
        }
        if (p->kind == ARTI_PART_FREE) {
            *len = lo;
            if (lo > WITNESS_MAX) {
                arti_fault(x->s, ART_E_LIMIT, NULL, 0, "minLength", "a shortest string of more than %zu bytes",
                           WITNESS_MAX);
                return NULL;
            }
            if (lo <= size) {
                memset(buf, 'a', lo);
                return buf;
            }
            size = lo;
            continue;
        }
        const art_status st = arti_re_witness(x->s->re, (arti_re_state)q, lo, hi, buf, size, len);
        if (st == ART_OK) return buf;
        if (st == ART_E_LIMIT && *len > size && *len <= WITNESS_MAX) {
            size = *len;
            continue;
        }
        if (st != ART_REJECTED) arti_fault_re(x->s, NULL, 0, "pattern");
        return NULL;
    }
}

static size_t quoted_rest(const uint8_t *text, size_t len) {
    return arti_json_quote(NULL, 0, (const char *)text, len) - 1;
}

static bool write_text_rest(arti_jctx *x, const arti_state *st, arti_out *out, uint32_t *met) {
    const arti_text_machine *m = st->text.machine;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    const uint64_t *q = arti_text_q(st);
    const uint32_t *costs = arti_close_costs(x, st->top, st->goals);
    if (!costs) return false;
    uint32_t best = ARTI_LEN_NONE, goal = 0;
    const uint8_t *text = NULL;
    size_t len = 0;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        size_t n = 0;
        const uint8_t *rest = arti_close_part(x, &m->parts[i], q[i], st->text.n_cp, &n);
        if (arti_faulted(x->s)) return false;
        if (!rest) continue;
        const size_t bytes = quoted_rest(rest, n);
        for (uint32_t a = 0; a < m->n_alts; a++) {
            if (m->part_of[a] != i) continue;
            const uint32_t cost = arti_len_add((uint32_t)bytes, costs[gt->alts[a].goal]);
            if (cost < best) best = cost, goal = gt->alts[a].goal, text = rest, len = n;
        }
    }
    if (!text) return false;
    arti_out_text(out, text, len);
    arti_out_byte(out, '"');
    *met = goal;
    return true;
}

/* Ends an unfinished character or escape by the first byte that lives, until the string is between characters. */
bool arti_close_char(arti_jctx *x, arti_state *st, arti_out *out) {
    while (st->text.escape != ARTI_ESC_NONE || st->text.u8 != ARTI_U8_0) {
        static const uint8_t tries[] = "nrtu0123456789abcdefABCDEF\\\"/b";
        bool found = false;
        for (uint32_t i = 0; i < 128 && !found; i++) {
            uint8_t b = 0;
            if (st->text.escape != ARTI_ESC_NONE) {
                if (i >= sizeof tries - 1) break;
                b = tries[i];
            } else {
                if (i >= 64) break;
                b = (uint8_t)(0x80 + i);
            }
            if (arti_state_step(x, st, b)) {
                arti_out_byte(out, b);
                found = true;
            }
        }
        if (!found) return false;
    }
    return true;
}

static bool write_number_rest(arti_jctx *x, const arti_state *st, arti_out *out, uint32_t *met) {
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    const uint32_t *costs = arti_close_costs(x, st->top, st->goals);
    if (!costs) return false;
    size_t best = SIZE_MAX;
    uint32_t alt = 0;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const size_t n = shortest_number(x, gt->alts[a].shape, &st->number.num, st->number.text, NULL, 0);
        if (n == SIZE_MAX || costs[gt->alts[a].goal] == ARTI_LEN_NONE) continue;
        if (n + costs[gt->alts[a].goal] < best) best = n + costs[gt->alts[a].goal], alt = a;
    }
    if (best == SIZE_MAX) return false;
    *met = gt->alts[alt].goal;
    return write_number(x, out, gt->alts[alt].shape, &st->number.num, st->number.text);
}

static bool write_word_rest(arti_jctx *x, const arti_state *st, arti_out *out, uint32_t *met) {
    static const char *const words[] = {"false", "true", "null"};
    const arti_goal_type *gt = &st->goals->type[st->word < 2 ? ARTI_T_BOOL : ARTI_T_NULL];
    const uint32_t *costs = arti_close_costs(x, st->top, st->goals);
    if (!costs) return false;
    uint32_t best = ARTI_LEN_NONE, goal = 0;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        if (st->word < 2 && !(gt->alts[a].shape->bools >> st->word & 1u)) continue;
        if (costs[gt->alts[a].goal] < best) best = costs[gt->alts[a].goal], goal = gt->alts[a].goal;
    }
    if (best == ARTI_LEN_NONE) return false;
    arti_out_put(out, words[st->word] + st->word_len, strlen(words[st->word]) - st->word_len);
    *met = goal;
    return true;
}

/* The rest of a string, number or word, and the goal that it meets. */
bool arti_close_scalar(arti_jctx *x, const arti_state *st, arti_out *out, uint32_t *met) {
    if (st->mode == ARTI_M_TEXT) return write_text_rest(x, st, out, met);
    return st->mode == ARTI_M_NUMBER ? write_number_rest(x, st, out, met) : write_word_rest(x, st, out, met);
}

/* ------------------------------------------------------------------ the whole */

/* What ends the text from *st, which is in no character and no key, as plans have it. */
static bool write_plans(arti_jctx *x, const arti_state *st, arti_out *out) {
    uint32_t goal;
    switch ((arti_mode)st->mode) {
    case ARTI_M_DONE: return true;
    case ARTI_M_VALUE: return write_value(x, st, out);
    case ARTI_M_COLON: arti_out_byte(out, ':'); return write_value(x, st, out);
    case ARTI_M_FIRST_VALUE:
    case ARTI_M_FIRST_KEY:
    case ARTI_M_AFTER: return write_frames(x, st->top, false, out);
    case ARTI_M_KEY: return write_frames(x, st->top, true, out);
    default: return arti_close_scalar(x, st, out, &goal) && write_after(x, st->top, st->goals, goal, out);
    }
}

/* The same where the order of members is given: false also where plans have another one. */
static bool write_plans_in_order(arti_jctx *x, const arti_state *st, arti_out *out) {
    arti_out text = {NULL, 0, 0};
    if (!write_plans(x, st, &text)) return false;
    text = (arti_out){arti_region_get(x->region, text.len), text.len, 0};
    if (!text.buf) return arti_fault_mem(x->s);
    arti_state at = *st;
    bool ok = write_plans(x, st, &text) && text.len <= text.cap;
    for (size_t i = 0; ok && i < text.len; i++) ok = arti_state_step(x, &at, text.buf[i]);
    if (ok && at.mode == ARTI_M_DONE) arti_out_put(out, text.buf, text.len);
    return ok && at.mode == ARTI_M_DONE;
}

static bool write_rest(arti_jctx *x, const arti_state *from, arti_out *out) {
    arti_state st = *from;
    if (st.mode == ARTI_M_TEXT || st.mode == ARTI_M_KEY_TEXT) {
        if (!arti_close_char(x, &st, out)) return false;
    }
    if (st.mode == ARTI_M_KEY_TEXT) {
        uint8_t buf[ARTI_KEY_MAX];
        arti_out quoted = {buf, sizeof buf, 0};
        arti_state after;
        if (!arti_close_key(x, &st, &after, &quoted)) return false;
        arti_out_put(out, buf, quoted.len);
        st = after;
    }
    if (!x->in_order && !x->s->norm->has_unique) return write_plans(x, &st, out);
    const arti_state before = st;
    const size_t len = out->len;
    if (arti_close_pieces(x, &st, out)) return true;
    if (arti_faulted(x->s) || x->s->norm->has_unique) return false;
    out->len = len;
    return write_plans_in_order(x, &before, out);
}

bool arti_close_write(arti_jctx *x, const arti_state *from, arti_out *out) {
    arti_frame *top = (arti_frame *)from->top;
    arti_region *keep = x->keep;
    const bool pending = from->mode == ARTI_M_VALUE || from->mode == ARTI_M_COLON || from->mode == ARTI_M_TEXT ||
                         from->mode == ARTI_M_NUMBER || from->mode == ARTI_M_WORD;
    if (top && !(pending ? arti_close_costs(x, top, from->goals) : pending_costs(x, top))) return false;
    uint32_t *own = top ? top->costs : NULL;
    arti_region_reset(x->brief, (arti_region_mark){0});
    x->keep = x->brief;
    const bool ok = write_rest(x, from, out);
    x->keep = keep;
    if (top) top->costs = own;
    return ok;
}

size_t arti_close_len(arti_jctx *x, const arti_state *st) {
    arti_out out = {NULL, 0, 0};
    return arti_close_write(x, st, &out) ? out.len : SIZE_MAX;
}
