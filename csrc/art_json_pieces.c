/* SPDX-License-Identifier: Apache-2.0
 *
 * Completions piece by piece.
 *
 * Where the order of members is given, what the machines of all alternatives together rank first comes first; and items of unique arrays
 * depend on the items before them. So a completion is made of pieces there, and each is stepped before the next one is chosen. Where the
 * cheapest ones lead to no end, detours are made. */
#include "art_json_keys.h"
#include "art_json_parts.h"
#include "art_trail.h"
#include "art_unique.h"

/* The next key of a plan, or the end of the container. */
static bool write_next_member(arti_jctx *x, const arti_state *st, arti_out *out) {
    const arti_frame *f = st->top;
    const bool one_more = st->mode == ARTI_M_KEY;
    const arti_ending e = arti_close_frame(x, f, one_more);
    if (e.cost == ARTI_LEN_NONE) return false;
    if (arti_out_counts(out)) { /* as above; of one more member, the comma is there already */
        out->len += e.cost - (one_more && f->n > 0);
        return true;
    }
    const arti_object_machine *m = f->machine;
    arti_plan p = {.mem = &x->s->mem};
    arti_object_view v;
    arti_object_at at;
    arti_object_view_init(&v, &at, x, f, e.alt);
    if (one_more) at.at_least = f->n + 1;
    const bool ok = arti_object_best(x->s, m->alts[e.alt].shape, &at, &p) != ARTI_LEN_NONE;
    const arti_key *first = NULL;
    uint32_t first_rank = UINT32_MAX;
    for (size_t i = 0; ok && i < p.n; i++) {
        const uint32_t name = arti_object_machine_find(m, p.steps[i].key.ptr, p.steps[i].key.len);
        const uint32_t rank = name == UINT32_MAX ? ARTI_RANK_OTHERS : m->rank[name];
        if (first && rank >= first_rank) continue;
        first = &p.steps[i].key;
        first_rank = rank;
    }
    if (!first) {
        arti_out_byte(out, '}');
    } else {
        if (st->mode == ARTI_M_AFTER) arti_out_byte(out, ',');
        arti_out_quoted(out, (const uint8_t *)first->ptr, first->len);
        arti_out_byte(out, ':');
    }
    arti_plan_free(&p);
    return ok;
}

static bool write_next_item(arti_jctx *x, const arti_state *st, arti_out *out, bool *comma) {
    const arti_frame *f = st->top;
    const arti_ending e = arti_close_frame(x, f, false);
    if (e.cost == ARTI_LEN_NONE) return false;
    const arti_array_machine *m = f->machine;
    arti_plan p = {.mem = &x->s->mem};
    const bool ok = arti_array_best(x->s, m->alts[e.alt].shape, f->n, arti_frame_counts(f) + m->count_at[e.alt],
                                    f->has_equal, &p) != ARTI_LEN_NONE;
    *comma = p.n > 0;
    if (p.n == 0)
        arti_out_byte(out, ']');
    else if (st->mode == ARTI_M_AFTER)
        arti_out_byte(out, ',');
    arti_plan_free(&p);
    return ok;
}

/* A value: all of it, or of a container that is not to be whole its opening bracket. */
static bool write_begun(arti_jctx *x, const arti_state *st, bool whole, arti_out *out) {
    const uint32_t goal = arti_close_goal(x, st);
    const arti_shape *sh = goal == UINT32_MAX ? NULL : arti_close_shape(x->s, st->goals->conj[goal]);
    if (!sh) return false;
    if (!whole && (sh->type == ARTI_T_OBJECT || sh->type == ARTI_T_ARRAY)) {
        arti_out_byte(out, sh->type == ARTI_T_OBJECT ? '{' : '[');
        return true;
    }
    return arti_close_conj(x, st->goals->conj[goal], out);
}

/* whole: containers that begin here are written to their end. */
static bool write_piece(arti_jctx *x, arti_state *st, bool whole, arti_out *out) {
    uint32_t goal;
    bool more = false;
    switch ((arti_mode)st->mode) {
    case ARTI_M_COLON: arti_out_byte(out, ':'); return true;
    case ARTI_M_VALUE: return write_begun(x, st, whole, out);
    case ARTI_M_FIRST_VALUE: return write_next_item(x, st, out, &more) && (!more || write_begun(x, st, whole, out));
    case ARTI_M_FIRST_KEY:
    case ARTI_M_KEY: return write_next_member(x, st, out);
    case ARTI_M_AFTER: return st->top->is_object ? write_next_member(x, st, out) : write_next_item(x, st, out, &more);
    case ARTI_M_TEXT:
    case ARTI_M_WORD: return arti_close_scalar(x, st, out, &goal);
    case ARTI_M_NUMBER: {
        const size_t before = out->len;
        if (!arti_close_scalar(x, st, out, &goal)) return false;
        if (out->len > before) return true;
        if (st->top) return arti_number_end(x, st) && arti_unique_alive(x, st);
        *st = (arti_state){.mode = ARTI_M_DONE};
        return true;
    }
    default: return false;
    }
}

#define PIECES_MAX 100000u

static bool is_value(const arti_state *st) { /* that begins */
    return st->mode == ARTI_M_VALUE || st->mode == ARTI_M_FIRST_VALUE;
}

/* Of an item that meets conjunction c: how many conditions of `contains` that still lack items is it counted by? */
static uint32_t lacking_met(arti_jctx *x, const arti_frame *f, arti_conj c) {
    uint32_t most = 0;
    if (!f || f->is_object) return 0;
    const arti_array_machine *m = f->machine;
    for (uint32_t alt = 0; alt < m->n_alts; alt++) {
        if (!arti_live(f, alt)) continue;
        arti_array_shape *a = m->alts[alt].shape;
        const uint32_t *counts = arti_frame_counts(f) + m->count_at[alt];
        const uint32_t watched = arti_item_watched(a, f->n, counts);
        uint32_t lacking = 0;
        for (uint32_t k = 0; k < a->n_contains; k++) lacking |= (uint32_t)(counts[k] < a->contains[k].min) << k;
        for (uint32_t sub = watched; sub; sub = (sub - 1) & watched) {
            const uint32_t n = (uint32_t)__builtin_popcount(sub & lacking);
            if (n > most && arti_item_counted(x->s, a, f->n, sub) == c) most = n;
        }
    }
    return most;
}

/* A state like *st in which the next value has to meet conjunction c. false: fault. */
static bool aim_at(arti_jctx *x, const arti_state *st, arti_conj c, arti_state *at) {
    const arti_goals *one = arti_goals_of(x->s, &c, 1);
    arti_frame *top =
        one ? arti_frame_copy(x, st->top) : NULL; /* of which nothing is remembered for all goals together */
    *at = (arti_state){.top = top, .goals = one, .mode = ARTI_M_VALUE};
    return top != NULL;
}

/* Bytes of a shortest value for conjunction c. That its numbers, strings and containers may be repetitions is left out of account, as others of
 * them are little longer; but not that words are. */
static uint32_t value_len(arti_jctx *x, const arti_state *st, arti_conj c) {
    static const char starts[] = "ftn";
    static const uint8_t lens[] = {5, 4, 4};
    const arti_shape *cheapest = arti_close_shape(x->s, c);
    arti_state at;
    if (!cheapest || cheapest->type > ARTI_T_BOOL || !arti_is_distinct(st) || !aim_at(x, st, c, &at))
        return arti_conj_len(x->s, c);
    const arti_conj_info *info = arti_conj_get(x->s, c);
    uint32_t least = ARTI_LEN_NONE;
    for (uint32_t w = 0; w < 3; w++) {
        arti_state after = at;
        if (lens[w] < least && arti_state_step(x, &after, (uint8_t)starts[w])) least = lens[w];
    }
    for (int t = ARTI_T_BOOL + 1; t < ARTI_N_TYPES; t++)
        for (uint32_t i = 0; i < info->facet[t].n_shapes; i++)
            if (info->facet[t].is_decided && info->facet[t].shapes[i]->len < least)
                least = info->facet[t].shapes[i]->len;
    return least;
}

typedef struct prospect { /* one of the goals of the next value */
    uint32_t cost;        /* of the value and all that follows, as if little were a repetition */
    uint32_t lacking;     /* lacking_met */
} prospect;

/* Cheapest first, and of those what is counted most. Where the cheapest turned out to be a repetition, what is counted comes before what is
 * not: items that bring no end nearer would look cheap again and again. */
static bool comes_before(const prospect *a, const prospect *b, bool counted_first) {
    if (counted_first && !a->lacking != !b->lacking) return a->lacking > 0;
    return a->cost != b->cost ? a->cost < b->cost : a->lacking > b->lacking;
}

typedef struct pieces_how {
    uint8_t turns;  /* so many values begin in another way */
    bool rest;      /* begins with all of the arrays whose items differ */
    bool whole;     /* values that begin are written to their end */
    bool all_ranks; /* what ranks the members of objects within arrays is kept */
    bool by_least;  /* kinds of values are ranked by their shortest, though it be a word that is there already */
} pieces_how;

/* Of what the value that comes next may be, keeps what makes the text shortest and can still differ where it must: the items of an array that
 * are lacking come first then, whatever they have to look like. Writes the bracket of an object that is kept in the order of the schema.
 * skipped: so many that look better are passed over. false: there are not so many (or a fault). */
static bool aim(arti_jctx *x, arti_state *st, pieces_how how, uint32_t skipped, arti_out *out) {
    const arti_goals *all = st->goals;
    if (!is_value(st) || !x->s->norm->has_unique || !all || all->n == 1) return !skipped;
    const uint32_t *costs = arti_close_costs(x, st->top, all);
    if (!costs) return false;
    prospect *prospects = arti_region_get(x->region, all->n * sizeof *prospects);
    if (!prospects) return arti_fault_mem(x->s);
    for (uint32_t i = 0; i < all->n; i++)
        prospects[i] = (prospect){
            arti_len_add(how.by_least ? arti_conj_len(x->s, all->conj[i]) : value_len(x, st, all->conj[i]), costs[i]),
            lacking_met(x, st->top, all->conj[i])};
    for (uint32_t tried = 0; tried < all->n; tried++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < all->n; i++)
            if (prospects[i].cost != ARTI_LEN_NONE &&
                (best == UINT32_MAX || comes_before(&prospects[i], &prospects[best], tried > 0)))
                best = i;
        if (best == UINT32_MAX) return !skipped;
        prospects[best].cost = ARTI_LEN_NONE;
        if (tried < skipped) continue;
        const arti_shape *sh = arti_close_shape(x->s, all->conj[best]);
        if (x->in_order && sh && sh->type == ARTI_T_OBJECT) { /* the order of members is that of all goals together */
            if (st->mode == ARTI_M_FIRST_VALUE) break;
            arti_state object = *st;
            if (arti_state_step(x, &object, '{') && arti_object_aim(x, &object, best) &&
                arti_unique_alive(x, &object)) {
                *st = object;
                arti_out_byte(out, '{');
                break;
            }
            if (arti_faulted(x->s)) return false;
            if (how.all_ranks) continue;
        }
        if (how.all_ranks && sh && sh->type == ARTI_T_ARRAY) break;
        arti_state at;
        if (!aim_at(x, st, all->conj[best], &at)) return !arti_faulted(x->s);
        if (!arti_unique_alive(x, &at)) continue;
        st->top = at.top;
        st->goals = at.goals;
        break;
    }
    return !arti_faulted(x->s);
}

typedef struct pieces { /* one that is made: up to cap of its len bytes */
    uint8_t *buf;
    size_t cap, len;
} pieces;

static bool make_room(arti_jctx *x, pieces *p, size_t len) {
    if (len <= p->cap) return true;
    uint8_t *bigger = arti_realloc(x->region->mem, p->buf, p->cap, len);
    if (!bigger) return arti_fault_mem(x->s);
    p->buf = bigger;
    p->cap = len;
    return true;
}

/* Adds the cheapest piece from *st to what p holds, and steps *st over it. false: it does not go on from here (or a fault). */
static bool add_piece(arti_jctx *x, arti_state *st, bool whole, pieces *p) {
    const arti_state from = *st;
    arti_out out;
    do {
        out = (arti_out){p->buf + p->len, p->cap - p->len, 0};
        *st = from;
        if (!write_piece(x, st, whole, &out)) return false;
    } while (out.len > out.cap && make_room(x, p, p->len + out.len));
    if (arti_faulted(x->s)) return false;
    for (size_t i = 0; i < out.len; i++)
        if (!arti_state_step(x, st, out.buf[i])) return false;
    p->len += out.len;
    return true;
}

static uint32_t depth_of(const arti_state *st) {
    return st->top ? st->top->depth : 0;
}

/* The cheapest piece from *st, and *st behind it. false: it does not go on from here (or a fault). */
static bool step_piece(arti_jctx *x, arti_state *st, bool whole, pieces *p) {
    const bool in_number = st->mode == ARTI_M_NUMBER;
    const uint32_t depth = depth_of(st);
    p->len = 0;
    if (!add_piece(x, st, whole && !x->in_order, p)) return false;
    if (whole && x->in_order) /* members are ranked by where they are */
        for (uint32_t n = 0; depth_of(st) > depth; n++)
            if (n == PIECES_MAX || !add_piece(x, st, false, p)) return false;
    /* A number that is a repetition may still become another one; that is left to trails. */
    if (in_number || st->mode != ARTI_M_NUMBER || !arti_is_distinct(st)) return true;
    return arti_number_end(x, st) && arti_unique_alive(x, st);
}

static bool is_key(const arti_state *st) {
    return st->mode == ARTI_M_FIRST_KEY || st->mode == ARTI_M_KEY || st->mode == ARTI_M_KEY_TEXT;
}

#define KEYS_MAX 64u /* that are looked at, for one behind which nothing is repeated */

/* The piece is `opening`, which it begins with, and `rest`. */
static bool put_key(arti_jctx *x, pieces *p, const arti_out *opening, const arti_out *rest) {
    if (!make_room(x, p, opening->len + rest->len)) return false;
    memcpy(p->buf + opening->len, rest->buf, rest->len);
    p->len = opening->len + rest->len;
    return true;
}

/* Writes a key, or the rest of one. What can not end the cheapest way without repeating an item is taken to become longer, as in trails.
 * false: there is none that takes up to len_max bytes with its value (or a fault). */
static bool step_key(arti_trails *trails, arti_state *st, uint32_t len_max, pieces *p) {
    arti_jctx *x = trails->x;
    uint8_t buf[ARTI_KEY_MAX];
    arti_out opening = {p->buf, p->cap, 0}, quoted = {buf, sizeof buf, 0};
    arti_state key = *st, after;
    arti_keys keys;
    if (st->mode != ARTI_M_KEY_TEXT) {
        if (!arti_state_step(x, &key, '"')) return false;
        arti_out_byte(&opening, '"');
    }
    if (!arti_close_char(x, &key, &opening) || !arti_keys_init(&keys, x, &key)) return false;
    uint32_t least = ARTI_LEN_NONE, cost;
    bool strays = false;
    for (uint32_t n = 0; n < KEYS_MAX && arti_keys_next(&keys, &after, &quoted, &cost) && cost < least; n++) {
        const uint32_t penalty = arti_trail_penalty(trails, &after);
        cost = arti_len_add(cost, penalty);
        if (cost >= least) continue;
        if (!put_key(x, p, &opening, &quoted)) return false;
        least = cost;
        strays = penalty > 0;
        *st = after;
    }
    if (least == ARTI_LEN_NONE && len_max == UINT32_MAX && !arti_faulted(x->s))
        return arti_close_key(x, &key, st, &quoted) && put_key(x, p, &opening, &quoted);
    if (least == ARTI_LEN_NONE || least > len_max || arti_faulted(x->s)) return false;
    if (strays) arti_trail_stray(trails, st->top);
    return true;
}

/* Another piece, where that one would repeat an item; anew: or the end behind it would, and then one of up to len_max bytes. */
static bool step_instead(arti_trails *trails, arti_state *st, bool anew, uint32_t len_max, pieces *p) {
    arti_jctx *x = trails->x;
    if (is_key(st)) {
        if (step_key(trails, st, len_max, p)) return true;
        if (anew) return false;
    }
    if (arti_faulted(x->s) || !arti_trail_go(trails, st, anew, len_max)) return false;
    p->len = arti_trail_len(trails);
    if (!make_room(x, p, p->len)) return false;
    arti_trail_text(trails, p->buf);
    return true;
}

static bool begins_nested(const arti_trails *trails, const arti_state *st) {
    return (st->mode == ARTI_M_FIRST_VALUE || st->mode == ARTI_M_FIRST_KEY) && arti_trail_nests(trails, st->top);
}

#define SPARE_LEN 1u /* bytes that another value may take where one behind it might make the difference, too */

/* A piece from *st, and *st behind it: the cheapest, or where it repeats an item a short one that does not. Alive is not enough: an item would
 * grow and grow where any further member or item makes it another one, and where the cheapest container is there already, another would begin
 * within it, and so on. */
static bool step_shortly(arti_trails *trails, arti_state *st, pieces *p) {
    arti_jctx *x = trails->x;
    const arti_state from = *st;
    const bool whole =
        x->s->norm->has_unique && is_value(&from) && arti_is_distinct(&from) && !arti_unique_is_first(from.top);
    const bool stepped = step_piece(x, st, whole, p) && !begins_nested(trails, st);
    const arti_end end = stepped && st->mode == ARTI_M_AFTER ? arti_end_around(trails, st) : ARTI_END_ANEW;
    if (stepped && end == ARTI_END_ANEW) return !arti_faulted(x->s);
    if (arti_faulted(x->s) || !x->s->norm->has_unique) return false;
    if (stepped || whole) {
        const bool strays = stepped && end == ARTI_END_REPEATS;
        const size_t grown =
            stepped ? p->len + (strays ? arti_trail_stray_len(trails, st->top) : SPARE_LEN) : UINT32_MAX;
        *st = from;
        if (step_instead(trails, st, true, grown < UINT32_MAX ? (uint32_t)grown : UINT32_MAX, p)) return true;
        *st = from;
        if (arti_faulted(x->s)) return false;
        if (step_piece(x, st, whole && stepped, p)) {
            if (strays) arti_trail_stray(trails, st->top);
            return true;
        }
        if (arti_faulted(x->s)) return false;
    }
    *st = from;
    return step_instead(trails, st, false, UINT32_MAX, p);
}

#define DEEPER_MAX 256u        /* containers within each other that a completion begins */
#define DETOUR_VALUES_MAX 32u  /* values that may begin in another way */
#define DETOUR_STEPS_MAX 4096u /* pieces, and bytes that are tried for them, on one detour */
#define DETOURS_MAX (1u << 17) /* .. on all with one turn; eight times as many with two */
#define TURNS_MAX 2u           /* values that begin in another way at once */

#define KEPT UINT8_MAX

typedef struct value_how { /* begins */
    uint8_t start;         /* with this byte; 0: as usual; KEPT: it is the cheapest, though it repeats an item */
    uint8_t skipped;       /* as aim has it */
} value_how;

typedef struct detour {
    struct detour_turn {
        uint32_t value; /* how many values begin before the one that begins in another way */
        value_how how;  /* it does */
    } turns[TURNS_MAX];
    uint32_t n, n_reached, n_made; /* turns; those that were come to, and those that were possible */
    uint32_t left;                 /* of DETOURS_MAX */
} detour;

/* A piece; a value begins as `how` has it. */
static bool step_as(arti_trails *trails, arti_state *st, value_how how, pieces *p) {
    arti_jctx *x = trails->x;
    if (how.start == 0) return step_shortly(trails, st, p);
    if (how.start != KEPT) {
        p->buf[0] = how.start;
        p->len = 1;
        return arti_state_step(x, st, how.start);
    }
    if (!step_piece(x, st, true, p) || st->mode != ARTI_M_AFTER || arti_end_around(trails, st) == ARTI_END_ANEW)
        return false;
    arti_trail_stray(trails, st->top);
    return !arti_faulted(x->s);
}

/* What ends the arrays whose items differ, all of it searched for. */
static bool step_rest(arti_trails *trails, arti_state *st, pieces *p) {
    if (!st->top || !arti_is_distinct(st) || !arti_trail_rest(trails, st)) return false;
    p->len = arti_trail_len(trails);
    if (!make_room(trails->x, p, p->len)) return false;
    arti_trail_text(trails, p->buf);
    return true;
}

/* Of a value that begins: the turn that is to be made there, or NULL. */
static const struct detour_turn *next_turn(detour *d, const arti_state *st, uint32_t *n_values) {
    if (!d || !is_value(st)) return NULL;
    const uint32_t value = (*n_values)++;
    if (d->n_reached == d->n || d->turns[d->n_reached].value != value) return NULL;
    return &d->turns[d->n_reached++];
}

/* Piece by piece, each the cheapest. One that would repeat an item is replaced by a short one that does not: by the beginning of one, or a whole
 * value. What is aimed at may rank members in another way than all goals together: so those are stepped, too. d: NULL, or the detour that is made. */
static bool try_pieces(arti_jctx *x, arti_state *st, pieces_how how, detour *d, arti_out *out) {
    pieces p = {0};
    arti_trails trails;
    arti_trails_init(&trails, x, how.whole, d != NULL);
    if (d) trails.left = d->left < DETOUR_STEPS_MAX ? d->left : DETOUR_STEPS_MAX;
    const uint32_t given = trails.left, depth_max = depth_of(st) + DEEPER_MAX;
    const bool ranked = x->in_order && x->s->norm->has_unique && !how.all_ranks;
    arti_state all = *st;
    bool ok = make_room(x, &p, 2 * ARTI_KEY_MAX);
    if (ok && how.rest) {
        ok = step_rest(&trails, st, &p);
        if (ok) arti_out_put(out, p.buf, p.len);
        all = *st;
    }
    uint32_t n_values = 0;
    for (uint32_t n = 0; ok && st->mode != ARTI_M_DONE; n++) {
        const size_t len = out->len;
        const struct detour_turn *turn = next_turn(d, st, &n_values);
        const value_how value = turn ? turn->how : (value_how){0};
        if (d && trails.left > 0) trails.left--;
        arti_trails_leave(&trails, st->top);
        ok = n < PIECES_MAX && (!d || trails.left > 0) && (how.whole || trails.n_strays < ARTI_TRAIL_STRAYS_MAX) &&
             aim(x, st, how, value.skipped, out) && (!ranked || out->len == len || arti_state_step(x, &all, '{'));
        if (!ok) break;
        ok = step_as(&trails, st, value, &p) && (!how.whole || depth_of(st) <= depth_max);
        if (ok && turn) d->n_made++;
        for (size_t i = 0; ok && ranked && i < p.len; i++) ok = arti_state_step(x, &all, p.buf[i]);
        if (ok) arti_out_put(out, p.buf, p.len);
    }
    if (d) d->left -= given - trails.left;
    arti_free(x->region->mem, p.buf, p.cap);
    arti_trails_free(&trails);
    return ok;
}

static bool try_detour(arti_jctx *x, arti_state *st, detour *d, arti_out *out) {
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const arti_state from = *st;
    const size_t len = out->len;
    d->n_reached = d->n_made = 0;
    if (try_pieces(x, st, (pieces_how){0}, d, out)) return true;
    arti_region_reset(x->region, mark);
    *st = from;
    out->len = len;
    return false;
}

/* Tries all that turn k may be, with those before it as they are. */
static bool try_turns(arti_jctx *x, arti_state *st, detour *d, uint32_t k, arti_out *out) {
    static const value_how ways[] = {{KEPT, 0}, {0, 1},   {0, 2},   {'[', 0}, {'{', 0},
                                     {'"', 0},  {'0', 0}, {'t', 0}, {'f', 0}, {'n', 0}};
    const uint32_t first = k ? d->turns[k - 1].value + 1 : 0;
    for (uint32_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (uint32_t value = first; value < DETOUR_VALUES_MAX; value++) {
            d->turns[k] = (struct detour_turn){value, ways[i]};
            if (k + 1 < d->n ? try_turns(x, st, d, k + 1, out) : try_detour(x, st, d, out)) return true;
            if (arti_faulted(x->s) || !d->left || d->n_made < k) return false;
            if (d->n_reached <= k) break; /* there are no more values */
        }
    return false;
}

/* Piece by piece, but no container begins within one of its kind where there is another way; and where that does not help, n values begin in another
 * way. Most choices of what is cheapest are right, so that those that are not are soon found (limited discrepancy search, Harvey and Ginsberg 1995). */
static bool try_detours(arti_jctx *x, arti_state *st, uint32_t n, arti_out *out) {
    detour d = {.left = n == 1 ? DETOURS_MAX : 8 * DETOURS_MAX};
    if (n == 1 && try_detour(x, st, &d, out)) return true;
    d.n = n;
    return !arti_faulted(x->s) && try_turns(x, st, &d, 0, out);
}

/* What begins a value may leave little but to begin another within it, and so on: then some values begin in another way, or whole values are searched
 * for. */
bool arti_close_pieces(arti_jctx *x, arti_state *st, arti_out *out) {
    static const pieces_how hows[] = {{0},
                                      {.turns = 1},
                                      {.by_least = true},
                                      {.whole = true},
                                      {.whole = true, .by_least = true},
                                      {.rest = true, .whole = true},
                                      {.all_ranks = true},
                                      {.whole = true, .all_ranks = true},
                                      {.turns = 2}};
    const size_t n_hows = x->s->norm->has_unique ? sizeof hows / sizeof *hows : 1;
    const arti_state from = *st;
    const size_t len = out->len;
    for (size_t i = 0; i < n_hows && !arti_faulted(x->s); i++) {
        if (hows[i].all_ranks && !x->in_order) continue;
        *st = from;
        out->len = len;
        if (hows[i].turns ? try_detours(x, st, hows[i].turns, out) : try_pieces(x, st, hows[i], NULL, out)) return true;
    }
    return false;
}
