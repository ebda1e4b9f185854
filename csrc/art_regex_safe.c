/* SPDX-License-Identifier: Apache-2.0
 *
 * What whole ranges of characters do: where each leads, and from which of them texts can be made that keep a language alive.
 *
 * A text "of" some ranges is one that has no other characters. find_safe() looks for ranges of which any text, up to some length,
 * is alive. It starts with all that are alive as first characters and goes through the vertices that texts of them lead to, nearest
 * first. Where a vertex has no use for some of them there are three ways out: leave these ranges away; leave those away that led to
 * the vertex; or look at shorter texts only. Ranges have weights (how much is lost without them), and the best of the three is
 * taken. Every choice is right; they differ in how much is known afterwards. */
#include "art_regex_impl.h"

#include <assert.h>

#define SAFE_ROOM_MAX 128u   /* characters that are looked ahead */
#define SAFE_ROOM_ENOUGH 20u /* .. beyond which no more than this part of the work is spent */
#define SAFE_WORK_ENOUGH (ARTI_RE_SAFE_WORK_MAX / 16)
#define SAFE_VERTICES_MAX 256u                /* vertices that are looked at */
#define FARTHEST_WORK_MAX ((uint32_t)1 << 12) /* of one search in re_farthest(), */
#define UNSETTLED_MAX 4u                      /* .. and how many that are too much work, until none is begun */
#define SAFE_LOSS 64u                         /* .. and no more than such a part of its ranges is left away */
#define OPTION_WIDTH 4u                       /* alternatives that are few */
#define BLOCKS_MANY 16u      /* blocks that are not looked at one by one where most are known from another vertex */
#define SAFE_ROOM_SHARED 16u /* a vertex on the way is worth the same answer when so much room is left from there */

void arti_re_set_ranges(arti_re_ctx *c, const arti_re_range *ranges, const uint16_t *weights, uint32_t n) {
    c->n_ranges = n < ARTI_RE_RANGES_MAX ? n : ARTI_RE_RANGES_MAX;
    memcpy(c->ranges, ranges, c->n_ranges * sizeof *ranges);
    memcpy(c->range_weights, weights, c->n_ranges * sizeof *weights);
}

bool arti_re_has_ranges(const arti_re_ctx *c) {
    return c->n_ranges > 0;
}

/* By block: the ranges it has characters of. NULL on failure. */
static const uint64_t *touched(arti_re_ctx *c, uint32_t part) {
    re_part *p = &c->parts[part];
    if (p->touch) return p->touch;
    uint64_t *touch = arti_arena_zero(&c->arena, p->n_blocks * sizeof *touch);
    if (!touch) return re_refuse_memory(c), NULL;
    uint32_t cut = 0;
    for (uint32_t i = 0; i < c->n_ranges; i++) {
        while (cut + 1 < p->n_cuts && p->cut[cut + 1] <= c->ranges[i].lo) cut++;
        for (uint32_t k = cut; k < p->n_cuts && p->cut[k] <= c->ranges[i].hi; k++)
            if (p->cut_block[k] != RE_NIL) touch[p->cut_block[k]] |= UINT64_C(1) << i;
    }
    return p->touch = touch;
}

/* Of a term that is `rest` behind something small that may be left away, *head: rest. RE_NIL: of any other. A state that has read the
 * beginning of one of many things, with most of them still to come, is such a term. */
static arti_re behind_option(const arti_re_ctx *c, arti_re t, arti_re *head) {
    const re_node *x = &c->nodes[t];
    if (x->kind != RE_CONCAT || x->flags & RE_LOOKS) return RE_NIL;
    const re_node *a = &c->nodes[x->a];
    const bool is_small = (a->kind == RE_OR && a->b <= OPTION_WIDTH) || (a->kind == RE_LOOP && a->max == 1);
    *head = x->a;
    return is_small && (a->flags & (RE_NULLABLE | RE_EXACT)) == (RE_NULLABLE | RE_EXACT) ? x->b : RE_NIL;
}

/* Ranges all of whose characters are alive at a vertex, and those of which one is. It is known that those of `all` are. */
static bool look_at_blocks(arti_re_ctx *c, uint32_t v, uint64_t all) {
    const uint32_t part = c->vertices[v].part;
    const uint64_t *touch = touched(c, part);
    if (!touch) return false;
    uint64_t some = all, not_all = 0;
    for (uint32_t b = 0; b < c->parts[part].n_blocks; b++) {
        if (!(touch[b] & ~all)) continue;
        const arti_re next = re_next(c, v, b);
        if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return false;
        const uint8_t live = re_is_live(c, next);
        if (live == RE_MAYBE) return false;
        *(live == RE_YES ? &some : &not_all) |= touch[b];
    }
    re_vertex *x = &c->vertices[v];
    x->alive_some = some;
    x->alive_all = some & ~not_all;
    x->has_alive = true;
    return true;
}

static bool find_alive(arti_re_ctx *c, uint32_t v) {
    if (c->vertices[v].has_alive) return true;
    uint64_t all = 0;
    arti_re head;
    const arti_re rest = behind_option(c, c->vertices[v].term, &head);
    if (rest != RE_NIL && c->parts[c->vertices[v].part].n_blocks > BLOCKS_MANY) {
        const uint32_t w = re_vertex_of(c, rest);
        if (w == RE_NIL || (!c->vertices[w].has_alive && !look_at_blocks(c, w, 0))) return false;
        all = c->vertices[w].alive_all;
    }
    return look_at_blocks(c, v, all);
}

/* ------------------------------------------------------------------ after one character */

static bool find_fan(arti_re_ctx *c, arti_re t, arti_re_fan *out) {
    const uint32_t v = re_vertex_of(c, t);
    if (v == RE_NIL) return false;
    const uint32_t part = c->vertices[v].part;
    const uint64_t *touch = touched(c, part);
    if (!touch) return false;
    uint64_t dead = 0;
    for (uint32_t b = 0; b < c->parts[part].n_blocks; b++) {
        if (!touch[b]) continue;
        const arti_re_state next = re_whole_state(c, re_next(c, v, b));
        if (next == ARTI_RE_FAIL) return false;
        if (next == ARTI_RE_DEAD) dead |= touch[b];
        for (uint32_t i = 0; i < c->n_ranges && next != ARTI_RE_DEAD; i++) {
            if (!(touch[b] >> i & 1u)) continue;
            arti_re_state *to = out->to[i];
            uint32_t k = 0;
            while (k < ARTI_RE_FAN && to[k] != ARTI_RE_DEAD && to[k] != next) k++;
            if (k < ARTI_RE_FAN)
                to[k] = next;
            else
                to[k - 1] = ARTI_RE_UNKNOWN;
        }
    }
    for (uint32_t i = 0; i < c->n_ranges; i++)
        if (dead >> i & 1u && out->to[i][0] != ARTI_RE_DEAD) out->partly |= UINT64_C(1) << i;
    return true;
}

art_status arti_re_get_fan(arti_re_ctx *c, arti_re_state s, arti_re_fan *out) {
    *out = (arti_re_fan){.partly = 0};
    _Static_assert(ARTI_RE_DEAD == 0, "cleared");
    assert(c->n_ranges > 0);
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    if (s == ARTI_RE_DEAD || c->splits[info->split]->u8 != ARTI_U8_0) return ART_OK;
    const art_error before = c->err;
    re_begin(c);
    if (find_fan(c, info->term, out)) return ART_OK;
    if (c->err.code == ART_E_NOMEM) return ART_E_NOMEM;
    c->err = before; /* too much work for all of them: one by one then */
    for (uint32_t i = 0; i < c->n_ranges; i++) out->to[i][ARTI_RE_FAN - 1] = ARTI_RE_UNKNOWN;
    return ART_OK;
}

bool arti_re_alive_between(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi) {
    if (s == ARTI_RE_DEAD || s == ARTI_RE_FAIL) return false;
    const re_info *info = re_info_of(c, s);
    if (c->splits[info->split]->u8 != ARTI_U8_0) return false;
    re_begin(c);
    return re_is_live_between(c, info->term, lo, hi) == RE_YES;
}

/* ------------------------------------------------------------------ after any text of some ranges */

typedef struct search {
    uint64_t in, out;
    uint32_t room;    /* texts up to so long are alive; RE_NIL: of any length */
    uint64_t near_in; /* what `in` began with, */
    uint32_t near;    /* .. and the longest texts of it that are known to be alive */
    bool is_layered;  /* what n characters lead to is not reached by fewer */
} search;

static uint32_t weigh(const arti_re_ctx *c, uint64_t ranges) {
    uint32_t sum = 0;
    for (uint32_t i = 0; ranges >> i; i++)
        if (ranges >> i & 1u) sum += c->range_weights[i];
    return sum;
}

/* The share of texts that are not longer, in 256ths: what a vocabulary typically has. */
static uint32_t share_of(uint32_t room) {
    static const uint8_t share[] = {0, 8, 24, 50, 82, 116, 145, 170, 190, 206, 219, 229, 237, 243, 247, 250};
    return room < sizeof share ? share[room] : 253;
}

/* queue[at ..] holds (vertex, characters that lead there). Vertex w, `depth` characters away, has no use for some of the ranges; they
 * lead there by those of `edge`. Returns whether it is to be gone to. */
static bool settle(const arti_re_ctx *c, search *s, uint32_t w, uint64_t edge, uint32_t depth) {
    const uint64_t without = s->in & c->vertices[w].alive_all, around = s->in & ~edge;
    const uint64_t shrink = (uint64_t)weigh(c, without) << 8, avoid = (uint64_t)weigh(c, around) << 8;
    const uint64_t stop = (uint64_t)weigh(c, s->in) * share_of(depth);
    if (stop > shrink && stop > avoid) {
        s->room = depth;
        return true;
    }
    s->in = shrink >= avoid ? without : around;
    return shrink >= avoid;
}

static bool visit(arti_re_ctx *c, uint32_t v, uint32_t depth, uint32_t epoch) {
    c->vertices[v].mark_reach = epoch;
    c->vertices[v].distance = depth;
    return re_push(c, &c->reach, v);
}

/* Goes on from vertex v, `depth` characters away. */
static bool expand(arti_re_ctx *c, search *s, uint32_t v, uint32_t depth, uint32_t epoch) {
    const uint32_t part = c->vertices[v].part;
    const uint64_t *touch = touched(c, part);
    if (!touch) return false;
    for (uint32_t b = 0; b < c->parts[part].n_blocks; b++) {
        if (!(touch[b] & s->in)) continue;
        const uint32_t w = re_vertex_of(c, re_next(c, v, b));
        if (w == RE_NIL || !re_spend(c, 1)) return false;
        if (c->vertices[w].mark_reach == epoch) {
            if (c->vertices[w].distance != depth + 1) s->is_layered = false;
            continue;
        }
        if (!find_alive(c, w)) return false;
        const bool fits = !(s->in & ~c->vertices[w].alive_all);
        if (!fits && s->near == RE_NIL) s->near = depth + 1;
        if (!fits && depth + 1 < s->room && !settle(c, s, w, touch[b], depth + 1)) continue;
        s->out |= c->vertices[w].alive_some;
        if (!visit(c, w, depth + 1, epoch)) return false;
    }
    return true;
}

/* Does vertex v do as another one with texts of the ranges? *to: that one, else v. */
static bool skip_option(arti_re_ctx *c, const search *s, uint32_t v, uint32_t *to) {
    arti_re head;
    const arti_re rest = behind_option(c, c->vertices[v].term, &head);
    *to = v;
    if (rest == RE_NIL) return true;
    const uint32_t a = re_vertex_of(c, head);
    if (a == RE_NIL || !find_alive(c, a)) return false;
    if (c->vertices[a].alive_some & s->in) return true;
    *to = re_vertex_of(c, rest);
    return *to != RE_NIL && find_alive(c, *to);
}

/* Goes to the vertex that v, `depth` characters away, does as, or on from v. */
static bool go_on(arti_re_ctx *c, search *s, uint32_t v, uint32_t depth, uint32_t epoch) {
    uint32_t to;
    if (!skip_option(c, s, v, &to)) return false;
    if (to == v) return expand(c, s, v, depth, epoch);
    if (c->vertices[to].mark_reach != epoch) return visit(c, to, depth, epoch);
    if (c->vertices[to].distance != depth) s->is_layered = false;
    return true;
}

/* Goes through texts of `in` and leaves what was visited in c->reach. Where that is too much, the search ends at the depth that it is complete to. */
static bool explore_in(arti_re_ctx *c, uint32_t root, uint64_t in, search *s) {
    const uint32_t epoch = re_next_epoch(c);
    c->reach.n = 0;
    *s = (search){.in = in, .out = c->vertices[root].alive_some, .room = RE_NIL, .is_layered = true};
    s->near_in = s->in;
    s->near = RE_NIL;
    if (!visit(c, root, 0, epoch)) return false;
    for (size_t at = 0; at < c->reach.n && s->in; at++) {
        const uint32_t v = c->reach.at[at], depth = c->vertices[v].distance;
        if (depth >= s->room) break;
        const bool enough = (depth >= SAFE_ROOM_ENOUGH && c->work < ARTI_RE_SAFE_WORK_MAX - SAFE_WORK_ENOUGH) ||
                            (depth >= SAFE_ROOM_ENOUGH / 2 && c->work < ARTI_RE_SAFE_WORK_MAX / 2);
        if (enough || depth == SAFE_ROOM_MAX || c->reach.n > SAFE_VERTICES_MAX) {
            s->room = depth;
            break;
        }
        const art_error before = c->err;
        if (go_on(c, s, v, depth, epoch)) continue;
        if (c->err.code == ART_E_NOMEM) return false;
        c->err = before;
        s->room = depth;
        s->is_layered = false;
        break;
    }
    if (!s->in) s->room = 0;
    if (s->near > s->room && s->near_in == s->in) s->near = s->room;
    return true;
}

/* The same with all ranges that are alive, then with what is left of them: what only the others led to says nothing about texts of these. */
static bool explore(arti_re_ctx *c, uint32_t root, search *s) {
    if (!find_alive(c, root) || !explore_in(c, root, c->vertices[root].alive_all, s)) return false;
    const search first = *s;
    if (!s->in || s->in == s->near_in || s->room == RE_NIL) return true;
    if (!explore_in(c, root, first.in, s)) return false;
    s->near_in = first.near_in;
    s->near = first.near;
    return true;
}

/* Is none of the ranges alive after s->room characters? */
static bool is_end(const arti_re_ctx *c, const search *s) {
    if (s->room == RE_NIL || !s->is_layered) return false;
    for (size_t i = 0; i < c->reach.n; i++) {
        const re_vertex *v = &c->vertices[c->reach.at[i]];
        if (v->distance == s->room && v->alive_some & s->in) return false;
    }
    return true;
}

static bool add_lengths(arti_re_ctx *c, const search *s, arti_re_safe *out) {
    out->has_lengths = true;
    out->need = 0;
    out->span = s->is_layered ? 0 : ARTI_RE_UNBOUNDED;
    out->stretches = true;
    for (size_t i = 0; i < c->reach.n; i++) {
        arti_re_lengths l;
        if (!re_term_lengths(c, c->vertices[c->reach.at[i]].term, &l)) return false;
        if (l.shortest > out->need) out->need = l.shortest;
        const uint32_t span = c->vertices[c->reach.at[i]].distance + l.shortest;
        if (span > out->span) out->span = span;
        out->stretches &= l.contiguous && l.longest == ARTI_RE_UNBOUNDED;
    }
    return true;
}

static bool keep(arti_re_ctx *c, uint32_t v, const arti_re_safe *safe) {
    arti_re_safe *copy = arti_arena_get(&c->arena, sizeof *copy);
    if (!copy) return re_refuse_memory(c), false;
    *copy = *safe;
    c->vertices[v].safe = copy;
    return true;
}

/* Finds out, and keeps, what holds of vertex v and of those on the way that it is good enough for. */
static bool find_safe(arti_re_ctx *c, uint32_t v, bool with_lengths) {
    search s;
    if (!explore(c, v, &s)) return false;
    arti_re_safe all = {
        .in = s.in, .out = s.out, .room = s.room, .near_in = s.near_in, .near = s.near, .ends = is_end(c, &s)};
    re_begin(c);
    if (with_lengths && !add_lengths(c, &s, &all)) return false;
    for (size_t i = 0; i < c->reach.n; i++) {
        const uint32_t w = c->reach.at[i], distance = c->vertices[w].distance;
        const arti_re_safe *old = c->vertices[w].safe;
        if (w != v && old && (old->has_lengths || !with_lengths)) continue;
        if (w != v && weigh(c, c->vertices[w].alive_all & ~s.in) > weigh(c, s.in) / SAFE_LOSS) continue;
        arti_re_safe its = all;
        if (its.has_lengths && its.span != ARTI_RE_UNBOUNDED) its.span -= distance;
        if (s.room != RE_NIL) {
            if (distance > s.room) continue;
            its.room -= distance;
            if (w != v && !its.ends && its.room < SAFE_ROOM_SHARED) continue;
        }
        if (w != v) { /* which v may do as with texts of `in` alone */
            its.near_in = its.in;
            its.near = its.room;
        }
        if (!keep(c, w, &its)) return false;
    }
    return true;
}

art_status arti_re_get_safe(arti_re_ctx *c, arti_re_state s, bool with_lengths, arti_re_safe *out) {
    assert(c->n_ranges > 0);
    *out = (arti_re_safe){.out = UINT64_MAX};
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    if (s == ARTI_RE_DEAD) return ART_REJECTED;
    if (!with_lengths && arti_re_is_open(c, s)) {
        out->in = out->near_in = UINT64_MAX >> (64 - c->n_ranges);
        out->room = out->near = ARTI_RE_UNBOUNDED;
        return ART_OK;
    }
    re_begin(c);
    const uint32_t v = c->splits[info->split]->u8 == ARTI_U8_0 ? re_vertex_of(c, info->term) : RE_NIL;
    if (v == RE_NIL) return c->splits[info->split]->u8 == ARTI_U8_0 ? c->err.code : ART_OK;
    const arti_re_safe *safe = c->vertices[v].safe;
    if (!safe || (with_lengths && !safe->has_lengths)) {
        const art_error before = c->err;
        c->work_before -= c->work_max - ARTI_RE_SAFE_WORK_MAX; /* what is not granted is not done */
        c->work = ARTI_RE_SAFE_WORK_MAX;
        if (!find_safe(c, v, with_lengths)) {
            if (c->err.code == ART_E_NOMEM) return ART_E_NOMEM;
            c->err = before; /* too much work: nothing is known, which is no error */
            const arti_re_safe nothing = {
                .out = UINT64_MAX, .need = ARTI_RE_UNBOUNDED, .span = ARTI_RE_UNBOUNDED, .has_lengths = true};
            re_begin(c);
            if (!keep(c, v, &nothing)) return c->err.code;
        }
        safe = c->vertices[v].safe;
    }
    *out = *safe;
    return ART_OK;
}

/* ------------------------------------------------------------------ how far from an end */

#define NO_FARTHEST (RE_NIL - 1u) /* re_node.farthest: not known for this kind of term */

static uint32_t plus(uint32_t a, uint32_t b) {
    return a >= NO_FARTHEST || b >= NO_FARTHEST || a > ARTI_RE_LENGTH_MAX - b ? NO_FARTHEST : a + b;
}

/* Of a term whose operands are known. */
static uint32_t farthest_of(const arti_re_ctx *c, const re_node *x) {
    uint32_t most = 0;
    switch ((re_kind)x->kind) {
    case RE_EMPTY:
    case RE_ANY: return 0;
    case RE_CLASS: return 1;
    case RE_CONCAT:
        most = plus(c->nodes[x->a].farthest, c->nodes[x->b].shortest);
        return c->nodes[x->b].farthest > most ? c->nodes[x->b].farthest : most;
    case RE_LOOP: {
        const uint64_t others = (uint64_t)(x->min ? x->min - 1 : 0) * c->nodes[x->a].shortest;
        return others > ARTI_RE_LENGTH_MAX ? NO_FARTHEST : plus(c->nodes[x->a].farthest, (uint32_t)others);
    }
    case RE_OR:
        for (uint32_t i = 0; i < x->b; i++)
            if (c->nodes[x->kids[i]].farthest > most) most = c->nodes[x->kids[i]].farthest;
        return most;
    default: return NO_FARTHEST;
    }
}

static bool ask_farthest(arti_re_ctx *c, arti_re t) {
    return c->nodes[t].farthest != RE_NIL || re_push(c, &c->reach, t);
}

/* Operands first. */
static bool find_farthest(arti_re_ctx *c, arti_re t) {
    c->reach.n = 0;
    if (!ask_farthest(c, t)) return false;
    while (c->reach.n > 0) {
        const size_t n = c->reach.n;
        const arti_re at = c->reach.at[n - 1];
        const re_node *x = &c->nodes[at];
        if (!re_spend(c, 1)) return false;
        if (x->flags & RE_EXACT && x->kind == RE_OR) {
            for (uint32_t i = 0; i < x->b; i++)
                if (!ask_farthest(c, x->kids[i])) return false;
        } else if (x->flags & RE_EXACT && (x->kind == RE_CONCAT || x->kind == RE_LOOP)) {
            if (!ask_farthest(c, x->a) || (x->kind == RE_CONCAT && !ask_farthest(c, x->b))) return false;
        }
        if (c->reach.n > n) continue;
        c->nodes[at].farthest = x->flags & RE_EXACT ? farthest_of(c, x) : NO_FARTHEST;
        c->reach.n--;
    }
    return true;
}

/* Of a term that is not exact: goes to all vertices that texts lead to. False where that is too much work. What is found holds of all of
 * them. */
static bool search_farthest(arti_re_ctx *c, arti_re t) {
    const uint32_t epoch = re_next_epoch(c), root = re_vertex_of(c, t);
    uint32_t most = 0;
    c->reach.n = 0;
    if (root == RE_NIL || !visit(c, root, 0, epoch)) return false;
    for (size_t at = 0; at < c->reach.n; at++) {
        const uint32_t v = c->reach.at[at];
        uint32_t n;
        if (!re_shortest(c, c->vertices[v].term, &n)) return false;
        if (n > most) most = n;
        for (uint32_t b = 0; b < c->parts[c->vertices[v].part].n_blocks; b++) {
            const arti_re next = re_next(c, v, b);
            if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return false;
            const uint8_t live = re_is_live(c, next);
            const uint32_t w = live == RE_YES ? re_vertex_of(c, next) : RE_NIL;
            if (live == RE_MAYBE || (live == RE_YES && w == RE_NIL)) return false;
            if (w == RE_NIL || c->vertices[w].mark_reach == epoch) continue;
            if (!visit(c, w, 0, epoch)) return false;
        }
    }
    for (size_t at = 0; at < c->reach.n; at++) c->nodes[c->vertices[c->reach.at[at]].term].farthest = most;
    return true;
}

bool re_farthest(arti_re_ctx *c, arti_re t, uint32_t *n) {
    *n = ARTI_RE_UNBOUNDED;
    if (c->nodes[t].farthest == RE_NIL) {
        const bool exact = c->nodes[t].flags & RE_EXACT;
        if (!exact && (c->nodes[t].counters || c->n_unsettled == UNSETTLED_MAX)) return true; /* too many vertices */
        const art_error before = c->err;
        const uint32_t kept = exact || c->work < FARTHEST_WORK_MAX ? 0 : c->work - FARTHEST_WORK_MAX;
        c->work -= kept;
        const bool found = exact ? find_farthest(c, t) : search_farthest(c, t);
        c->work += kept;
        if (!found) {
            if (c->err.code == ART_E_NOMEM) return false;
            c->err = before;
            if (!exact) c->nodes[t].farthest = NO_FARTHEST, c->n_unsettled++;
            return true;
        }
    }
    if (c->nodes[t].farthest < NO_FARTHEST) *n = c->nodes[t].farthest;
    return true;
}

art_status arti_re_get_farthest(arti_re_ctx *c, arti_re_state s, uint32_t *n) {
    *n = ARTI_RE_UNBOUNDED;
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    if (s == ARTI_RE_DEAD || c->splits[info->split]->u8 != ARTI_U8_0) return ART_OK;
    re_begin(c);
    return re_farthest(c, info->term, n) ? ART_OK : ART_E_NOMEM;
}
