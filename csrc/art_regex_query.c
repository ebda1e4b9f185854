/* SPDX-License-Identifier: Apache-2.0
 *
 * What may follow a state: whether anything can, how long it is, and examples.
 *
 * Terms without complement and intersection carry the answers in their nodes (RE_EXACT). The others are searched:
 * vertices are explored until one is reached whose answer is known, and what was found out stays in the vertices
 * passed on the way. */
#include "art_regex_impl.h"

/* ------------------------------------------------------------------ liveness */

static bool is_exact(const arti_re_ctx *c, arti_re t) {
    return c->nodes[t].flags & RE_EXACT;
}
static uint32_t n_blocks(const arti_re_ctx *c, uint32_t v) {
    return c->parts[c->vertices[v].part].n_blocks;
}

/* Without a search: RE_MAYBE when one is needed. */
static uint8_t known_live(const arti_re_ctx *c, arti_re t) {
    if (t == ARTI_RE_NONE) return RE_NO;
    const re_node *x = &c->nodes[t];
    if (x->flags & (RE_EXACT | RE_NULLABLE)) return RE_YES;
    return x->vertex == RE_NIL ? RE_MAYBE : c->vertices[x->vertex].live;
}

/* Length of a shortest text of t, if that needs no search. */
static bool known_shortest(const arti_re_ctx *c, arti_re t, uint32_t *out) {
    const re_node *x = &c->nodes[t];
    if (x->flags & RE_NULLABLE) return *out = 0, true;
    if (x->flags & RE_EXACT) return *out = x->shortest, true;
    if (x->vertex == RE_NIL || !c->vertices[x->vertex].has_shortest) return false;
    return *out = c->vertices[x->vertex].shortest, true;
}

/* A guess at how far t is from acceptance: of an intersection, what all its parts still want, added up. */
static uint32_t distance(const arti_re_ctx *c, arti_re t) {
    const re_node *x = &c->nodes[t];
    if (x->kind != RE_AND) return x->shortest;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < x->b; i++) {
        const uint32_t more = c->nodes[x->kids[i]].shortest;
        sum = more < UINT32_MAX / 2 - sum ? sum + more : UINT32_MAX / 2;
    }
    return sum;
}

/* A heap of distance << 32 | ~vertex: the nearest first, and among equals the newest. */
static bool heap_push(arti_re_ctx *c, uint32_t v) {
    re_vec64 *h = &c->heap;
    if (!re_push64(c, h, (uint64_t)distance(c, c->vertices[v].term) << 32 | (uint32_t)~v)) return false;
    for (size_t i = h->n - 1; i > 0 && h->at[(i - 1) / 2] > h->at[i]; i = (i - 1) / 2) {
        const uint64_t x = h->at[i];
        h->at[i] = h->at[(i - 1) / 2];
        h->at[(i - 1) / 2] = x;
    }
    return true;
}

static uint32_t heap_top(const arti_re_ctx *c) {
    return ~(uint32_t)c->heap.at[0];
}

static void heap_pop(arti_re_ctx *c) {
    re_vec64 *h = &c->heap;
    const uint64_t x = h->at[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->at[child + 1] < h->at[child]) child++;
        if (h->at[child] >= x) break;
        h->at[i] = h->at[child];
    }
    h->at[i] = x;
}

/* Looks for something live, or with `length` for something whose shortest length is known, nearest vertices first.
 * RE_YES: then all on the way there is live, and *length is the length of that way. RE_NO: all that was visited
 * (queue) is dead. by_taste: a vertex stays in the heap until all its blocks are tried, one at a time and the most readable first: alphabets of
 * hundreds of blocks are not gone through on the way to an end that is near. */
static uint8_t look_for_end(arti_re_ctx *c, uint32_t root, uint32_t *length, bool by_taste) {
    const uint32_t epoch = re_next_epoch(c);
    c->vertices[root].mark = epoch;
    c->vertices[root].parent = RE_NIL;
    c->vertices[root].n_tried = 0;
    c->queue.n = c->heap.n = 0;
    if (!re_push(c, &c->queue, root) || !heap_push(c, root)) return RE_MAYBE;
    while (c->heap.n > 0) {
        const uint32_t v = heap_top(c), n = n_blocks(c, v);
        uint32_t k = c->vertices[v].n_tried;
        const uint32_t end = by_taste && k + 1 < n ? k + 1 : n;
        c->vertices[v].n_tried = end;
        if (end == n) heap_pop(c);
        for (; k < end; k++) {
            const arti_re next = re_next(c, v, by_taste ? c->parts[c->vertices[v].part].by_taste[k] : k);
            if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return RE_MAYBE;
            const uint8_t live = known_live(c, next);
            if (live == RE_NO) continue;
            uint32_t rest = 0;
            if (length ? known_shortest(c, next, &rest) : live == RE_YES) {
                for (uint32_t u = v; u != RE_NIL; u = c->vertices[u].parent) {
                    c->vertices[u].live = RE_YES;
                    rest++;
                }
                if (length) *length = rest;
                return RE_YES;
            }
            const uint32_t w = re_vertex_of(c, next);
            if (w == RE_NIL) return RE_MAYBE;
            if (c->vertices[w].mark == epoch) continue;
            c->vertices[w].mark = epoch;
            c->vertices[w].parent = v;
            c->vertices[w].n_tried = 0;
            if (!re_push(c, &c->queue, w) || !heap_push(c, w)) return RE_MAYBE;
        }
    }
    for (size_t at = 0; at < c->queue.n; at++) c->vertices[c->queue.at[at]].live = RE_NO;
    return RE_NO;
}

/* Where the usual way is too much work for a part of what is granted, so much is spent on the other one. What was derived is kept. */
static uint8_t dive(arti_re_ctx *c, uint32_t root, uint32_t *length) {
    uint8_t live = RE_MAYBE;
    for (uint32_t turn = 0; turn < 3; turn++) {
        const art_error before = c->err;
        const uint32_t kept = turn < 2 ? c->work - c->work / (4 - turn) : 0; /* a quarter of all */
        c->work -= kept;
        live = look_for_end(c, root, length, turn == 1);
        c->work += kept;
        if (live != RE_MAYBE || c->err.code != ART_E_LIMIT || turn == 2) break;
        c->err = before;
    }
    return live;
}

/* The term without the large counters of t, which many terms have in common, and how long texts of both are that agree; t itself where that is of no
 * use. */
static arti_re widen(arti_re_ctx *c, arti_re t, uint32_t *reach) {
    if (!c->nodes[t].counters || is_exact(c, t)) return t;
    const arti_re wide = re_widen(c, t, reach);
    return wide == ARTI_RE_FAIL || c->nodes[wide].shortest <= *reach ? wide : t;
}

/* Is t live, as a text of the widened term tells that is short enough? RE_MAYBE: not known, or a failure (false). */
static bool widened_live(arti_re_ctx *c, arti_re t, uint8_t *live) {
    uint32_t reach, n;
    const arti_re wide = widen(c, t, &reach);
    *live = RE_MAYBE;
    if (wide == ARTI_RE_FAIL || wide == t) return wide == t;
    const uint8_t known = re_is_live(c, wide); /* fewer counters: this does not go deep */
    if (known != RE_YES) return *live = known, known == RE_NO;
    if (!known_shortest(c, wide, &n)) {
        const uint32_t root = re_vertex_of(c, wide);
        if (root == RE_NIL || dive(c, root, &n) != RE_YES) return false;
    }
    if (n <= reach) *live = RE_YES;
    return true;
}

uint8_t re_is_live(arti_re_ctx *c, arti_re t) {
    uint8_t known = known_live(c, t);
    if (known != RE_MAYBE) return known;
    t = re_shape(c, t);
    if (t == ARTI_RE_FAIL) return RE_MAYBE;
    known = known_live(c, t);
    if (known == RE_MAYBE && !widened_live(c, t, &known)) return RE_MAYBE;
    if (known != RE_MAYBE) return known;
    const uint32_t root = re_vertex_of(c, t);
    if (root == RE_NIL) return RE_MAYBE;
    const arti_re cover = re_cover(c, t);
    if (cover == ARTI_RE_FAIL) return RE_MAYBE;
    if (cover != t) {
        known = known_live(c, cover);
        const uint32_t v = known == RE_MAYBE ? re_vertex_of(c, cover) : RE_NIL;
        if (known == RE_MAYBE) known = v == RE_NIL ? RE_MAYBE : dive(c, v, NULL);
        if (known == RE_NO) c->vertices[root].live = RE_NO;
        if (known != RE_YES) return known;
    }
    return dive(c, root, NULL);
}

/* ------------------------------------------------------------------ shortest and longest */

/* t is live. A dive gives an upper bound; breadth first, layer by layer, finds whatever is shorter. */
bool re_shortest(arti_re_ctx *c, arti_re t, uint32_t *out) {
    if (known_shortest(c, t, out)) return true;
    t = re_shape(c, t);
    if (t == ARTI_RE_FAIL) return false;
    if (known_shortest(c, t, out)) return true;
    uint32_t reach;
    const arti_re wide = widen(c, t, &reach);
    if (wide == ARTI_RE_FAIL) return false;
    if (wide != t && re_is_live(c, wide) == RE_YES && re_shortest(c, wide, out) && *out <= reach) return true;
    const uint32_t root = re_vertex_of(c, t);
    uint32_t best, depth = 0;
    if (root == RE_NIL || dive(c, root, &best) != RE_YES) return false;
    const uint32_t epoch = re_next_epoch(c);
    c->vertices[root].mark = epoch;
    c->queue.n = 0;
    if (best > c->nodes[t].shortest && !re_push(c, &c->queue, root)) return false;
    for (size_t at = 0, layer_end = 1; at < c->queue.n && depth + 1 < best; at++) {
        const uint32_t v = c->queue.at[at];
        for (uint32_t b = 0; b < n_blocks(c, v); b++) {
            const arti_re next = re_next(c, v, b);
            uint32_t n;
            if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return false;
            if (known_live(c, next) == RE_NO) continue;
            if (known_shortest(c, next, &n)) {
                if (depth + 1 + n < best) best = depth + 1 + n;
                continue;
            }
            if (depth + 1 + c->nodes[next].shortest >= best) continue;
            const uint32_t w = re_vertex_of(c, next);
            if (w == RE_NIL) return false;
            if (c->vertices[w].mark == epoch) continue;
            c->vertices[w].mark = epoch;
            if (!re_push(c, &c->queue, w)) return false;
        }
        if (at + 1 == layer_end) {
            layer_end = c->queue.n;
            depth++;
        }
    }
    c->vertices[root].shortest = best;
    c->vertices[root].has_shortest = true;
    return *out = best, true;
}

/* t is live. Depth first over live vertices: a way back to one that is still on the path is a loop, and everything on
 * the path reaches it. The path holds three numbers a vertex: itself, the next block, the longest found so far. */
static bool find_longest(arti_re_ctx *c, arti_re t, uint32_t *out) {
    if (is_exact(c, t)) return *out = c->nodes[t].longest, true;
    const uint32_t root = re_vertex_of(c, t);
    if (root == RE_NIL) return false;
    if (c->vertices[root].has_longest) return *out = c->vertices[root].longest, true;
    const uint32_t epoch = re_next_epoch(c);
    re_vec *path = &c->path;
    path->n = 0;
    c->vertices[root].mark_path = epoch;
    if (!re_push(c, path, root) || !re_push(c, path, 0) || !re_push(c, path, 0)) return false;
    while (path->n > 0) {
        uint32_t *frame = path->at + path->n - 3;
        const uint32_t v = frame[0];
        uint32_t after; /* longest way on after the character */
        if (frame[1] == n_blocks(c, v)) {
            after = frame[2];
            c->vertices[v].longest = after;
            c->vertices[v].has_longest = true;
            path->n -= 3;
            if (path->n == 0) break;
            frame -= 3;
        } else {
            const arti_re next = re_next(c, v, frame[1]++);
            if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return false;
            const uint8_t live = re_is_live(c, next);
            if (live == RE_MAYBE) return false;
            if (live == RE_NO) continue;
            if (is_exact(c, next)) {
                after = c->nodes[next].longest;
            } else {
                const uint32_t w = re_vertex_of(c, next);
                if (w == RE_NIL) return false;
                if (c->vertices[w].has_longest) {
                    after = c->vertices[w].longest;
                } else if (c->vertices[w].mark_path == epoch) {
                    after = ARTI_RE_UNBOUNDED;
                } else {
                    c->vertices[w].mark_path = epoch;
                    if (!re_push(c, path, w) || !re_push(c, path, 0) || !re_push(c, path, 0)) return false;
                    continue;
                }
            }
        }
        if (after == ARTI_RE_UNBOUNDED) {
            for (size_t i = 0; i < path->n; i += 3) {
                c->vertices[path->at[i]].longest = ARTI_RE_UNBOUNDED;
                c->vertices[path->at[i]].has_longest = true;
            }
            break;
        }
        if (after + 1 > frame[2]) frame[2] = after + 1;
    }
    return *out = c->vertices[root].longest, true;
}

/* ------------------------------------------------------------------ the automaton over lengths */

/* The set of the vertices in path (any order), RE_NIL on failure. */
static uint32_t set_of_path(arti_re_ctx *c) {
    uint32_t *v = c->path.at;
    uint32_t n = 0, hash = 5;
    if (c->path.n) re_sort(v, c->path.n);
    for (size_t i = 0; i < c->path.n; i++)
        if (n == 0 || v[n - 1] != v[i]) v[n++] = v[i];
    for (uint32_t i = 0; i < n; i++) hash = re_mix(hash, v[i]);
    uint32_t at = hash, id;
    while ((id = re_index_next(&c->set_index, hash, &at)) != RE_NIL)
        if (c->sets[id].n == n && (n == 0 || memcmp(c->sets[id].vertices, v, n * sizeof *v) == 0)) return id;
    if (!re_spend(c, 1 + n / 4)) return RE_NIL;
    void *p = c->sets;
    if (!arti_vec_reserve(c->mem, &p, &c->sets_cap, c->n_sets + 1u, sizeof *c->sets)) return re_refuse_memory(c);
    c->sets = p;
    uint32_t *copy = arti_arena_get(&c->arena, n * sizeof *copy);
    if (!copy) return re_refuse_memory(c);
    if (n) memcpy(copy, v, n * sizeof *copy);
    re_set *s = &c->sets[c->n_sets];
    *s = (re_set){.vertices = copy, .n = n, .next = RE_NIL};
    for (uint32_t i = 0; i < n; i++)
        if (c->nodes[c->vertices[v[i]].term].flags & RE_NULLABLE) s->accepts = true;
    if (!re_index_add(c, &c->set_index, hash, c->n_sets)) return RE_NIL;
    return c->n_sets++;
}

/* Adds a term's vertex to path if it is live; only lengths matter, so its shape will do. */
static bool add_live(arti_re_ctx *c, arti_re t) {
    if (t == ARTI_RE_FAIL) return false;
    const uint8_t live = re_is_live(c, t);
    if (live != RE_YES) return live == RE_NO;
    t = re_shape(c, t);
    const uint32_t v = t == ARTI_RE_FAIL ? RE_NIL : re_vertex_of(c, t);
    return v != RE_NIL && re_push(c, &c->path, v);
}

static uint32_t set_next(arti_re_ctx *c, uint32_t set) {
    if (c->sets[set].next != RE_NIL) return c->sets[set].next;
    c->path.n = 0;
    for (uint32_t i = 0; i < c->sets[set].n; i++) {
        const uint32_t v = c->sets[set].vertices[i];
        for (uint32_t b = 0; b < n_blocks(c, v); b++)
            if (!re_spend(c, 1) || !add_live(c, re_next(c, v, b))) return RE_NIL;
    }
    const uint32_t next = set_of_path(c);
    if (next != RE_NIL) c->sets[set].next = next;
    return next;
}

static uint32_t set_of_term(arti_re_ctx *c, arti_re t) {
    const uint32_t v = re_vertex_of(c, t);
    if (v == RE_NIL) return RE_NIL;
    if (c->vertices[v].set == RE_NIL) {
        c->path.n = 0;
        if (!add_live(c, t)) return RE_NIL;
        c->vertices[v].set = set_of_path(c);
    }
    return c->vertices[v].set;
}

/* The smallest accepted length in [lo, hi] of what begins in `set`. */
static art_status walk_lengths(arti_re_ctx *c, uint32_t set, uint32_t lo, uint32_t hi, uint32_t *len) {
    uint32_t at = 0, hare_at = 0, hare = set, turn = 1;
    while (at < lo) { /* Brent's cycle search: sets repeat, and then whole rounds can be skipped */
        set = set_next(c, set);
        if (set == RE_NIL || !re_spend(c, 1)) return c->err.code;
        if (c->sets[set].n == 0) return ART_REJECTED;
        at++;
        if (set == hare) {
            const uint32_t round = at - hare_at;
            at += (lo - at) / round * round;
        } else if (at - hare_at == turn) {
            hare = set;
            hare_at = at;
            turn = turn > (UINT32_MAX >> 1) ? turn : turn * 2;
        }
    }
    const uint32_t epoch = re_next_epoch(c);
    for (; at <= hi && c->sets[set].n > 0 && c->sets[set].mark != epoch; at++) {
        if (c->sets[set].accepts) return *len = at, ART_OK;
        if (at == hi) break;
        c->sets[set].mark = epoch;
        set = set_next(c, set);
        if (set == RE_NIL || !re_spend(c, 1)) return c->err.code;
    }
    return ART_REJECTED;
}

#define CONTIGUOUS_MAX 256u /* lengths looked at to find out whether there are gaps */

/* t is live and its shortest and longest are known. Sets the vertex's `contiguous`. */
static bool find_contiguous(arti_re_ctx *c, arti_re t, uint32_t shortest, uint32_t longest, bool *out) {
    if (is_exact(c, t)) return *out = c->nodes[t].flags & RE_CONTIGUOUS, true;
    const uint32_t v = c->nodes[t].vertex;
    if (c->vertices[v].contiguous == RE_MAYBE) {
        uint32_t set = set_of_term(c, t), at = 0;
        bool gap = false, round = false;
        const uint32_t epoch = re_next_epoch(c);
        for (; at < longest && at - (at < shortest ? at : shortest) < CONTIGUOUS_MAX && !gap && !round; at++) {
            if (set == RE_NIL || !re_spend(c, 1)) return false;
            if (at >= shortest) {
                gap = !c->sets[set].accepts;
                round = c->sets[set].mark == epoch;
                c->sets[set].mark = epoch;
            }
            set = set_next(c, set);
        }
        c->vertices[v].contiguous = !gap && (round || at == longest) ? RE_YES : RE_NO;
    }
    return *out = c->vertices[v].contiguous == RE_YES, true;
}

/* ------------------------------------------------------------------ lengths */

/* Runs a search on a part of the work that is left. RE_NO: that was not enough (no error is left behind). */
static uint8_t within(arti_re_ctx *c, bool (*search)(arti_re_ctx *, arti_re, arti_re_lengths *), arti_re t,
                      arti_re_lengths *l) {
    const uint32_t spare = c->work > ARTI_RE_LENGTHS_WORK_MAX ? c->work - ARTI_RE_LENGTHS_WORK_MAX : 0;
    const art_error before = c->err;
    c->work -= spare;
    const bool done = search(c, t, l);
    const bool too_much = !done && c->work == 0;
    c->work += spare;
    if (too_much && spare > 0) {
        c->err = before;
        return RE_NO;
    }
    return done ? RE_YES : RE_MAYBE;
}

static bool find_rest(arti_re_ctx *c, arti_re t, arti_re_lengths *l) {
    return find_longest(c, t, &l->longest) && find_contiguous(c, t, l->shortest, l->longest, &l->contiguous);
}

bool re_term_lengths(arti_re_ctx *c, arti_re t, arti_re_lengths *out) {
    if (!re_shortest(c, t, &out->shortest)) return false;
    if (is_exact(c, t)) return find_rest(c, t, out);
    t = re_shape(c, t);
    const uint32_t v = t == ARTI_RE_FAIL ? RE_NIL : re_vertex_of(c, t);
    if (v == RE_NIL) return false;
    if (!c->vertices[v].has_longest) {
        /* One character that ANY may follow makes every length possible; it would be a rare one. */
        const re_part *p = &c->parts[c->vertices[v].part];
        const arti_re next = re_next(c, v, p->cut_block[re_cut_of(p, RE_CODE_POINT_MAX)]);
        if (next == ARTI_RE_FAIL) return false;
        if (next == ARTI_RE_ANY) {
            c->vertices[v].longest = ARTI_RE_UNBOUNDED;
            c->vertices[v].has_longest = true;
            c->vertices[v].contiguous = RE_YES;
        }
    }
    if (!c->vertices[v].is_hard) {
        const uint8_t found = within(c, find_rest, t, out);
        if (found != RE_NO) return found == RE_YES;
        c->vertices[v].is_hard = true;
        /* So are those on the way to where find_longest() gave up: later states need not try again. */
        for (size_t i = 0; !c->vertices[v].has_longest && i < c->path.n; i += 3)
            c->vertices[c->path.at[i]].is_hard = true;
    }
    out->longest = c->nodes[t].longest;
    out->contiguous = false;
    return true;
}

/* What a state is waiting for: its own term, or one of several terms after the character whose bytes are coming in. */
typedef struct outcomes {
    arti_re own;     /* ARTI_RE_FAIL: several */
    uint32_t ahead;  /* 1 inside a character */
    uint32_t vertex; /* several: the successors of this vertex .. */
    uint32_t lo, hi; /* .. by characters lo..hi */
} outcomes;

static outcomes outcomes_of(const arti_re_ctx *c, arti_re_state s) {
    const re_info *info = re_info_of(c, s);
    const re_split *split = c->splits[info->split];
    outcomes o = {
        .own = info->term, .ahead = split->u8 != ARTI_U8_0, .vertex = RE_NIL, .lo = split->lo, .hi = split->hi};
    if (o.ahead && split->part != RE_NIL) {
        o.own = ARTI_RE_FAIL;
        o.vertex = c->nodes[info->term].vertex;
    }
    return o;
}

/* The next outcome at or after stretch *cut (0 at first): its term, ARTI_RE_NONE at the end, ARTI_RE_FAIL on failure.
 * Dead ones are left out; *block (may be NULL) is its block. */
static arti_re next_outcome(arti_re_ctx *c, const outcomes *o, uint32_t *cut, uint32_t *block) {
    if (o->own != ARTI_RE_FAIL) return (*cut)++ == 0 ? o->own : ARTI_RE_NONE;
    const uint32_t part = c->vertices[o->vertex].part;
    if (*cut == 0) *cut = re_cut_of(&c->parts[part], o->lo) + 1; /* one more than the stretch to look at */
    for (;;) {
        const uint32_t i = (*cut)++ - 1;
        if (i >= c->parts[part].n_cuts || c->parts[part].cut[i] > o->hi) return ARTI_RE_NONE;
        const uint32_t b = c->parts[part].cut_block[i];
        if (b == RE_NIL) continue;
        const arti_re t = re_next(c, o->vertex, b);
        const uint8_t live = t == ARTI_RE_FAIL || !re_spend(c, 1) ? RE_MAYBE : re_is_live(c, t);
        if (live == RE_MAYBE) return ARTI_RE_FAIL;
        if (live == RE_NO) continue;
        if (block) *block = b;
        return t;
    }
}

bool arti_re_peek_lengths(const arti_re_ctx *c, arti_re_state s, arti_re_lengths *out) {
    if (s == ARTI_RE_DEAD || s == ARTI_RE_FAIL) return false;
    const re_info *info = re_info_of(c, s);
    if (!atomic_load_explicit(&info->has_lengths, memory_order_acquire)) return false;
    *out = info->lengths;
    return true;
}

static uint32_t plus(uint32_t length, uint32_t n) {
    return length == ARTI_RE_UNBOUNDED ? length : length + n;
}

static art_status lengths_of(arti_re_ctx *c, arti_re_state s, arti_re_lengths *out) {
    if (s == ARTI_RE_FAIL) return c->err.code;
    if (s == ARTI_RE_DEAD) return ART_REJECTED;
    if (arti_re_peek_lengths(c, s, out)) return ART_OK;
    const outcomes o = outcomes_of(c, s);
    arti_re_lengths all = {0};
    uint32_t cut = 0;
    bool first = true;
    for (;;) {
        const arti_re t = next_outcome(c, &o, &cut, NULL);
        arti_re_lengths one;
        if (t == ARTI_RE_NONE) break;
        if (t == ARTI_RE_FAIL || !re_term_lengths(c, t, &one)) return c->err.code;
        if (first) {
            all = one;
        } else {
            all.contiguous = all.contiguous && one.contiguous && one.shortest <= plus(all.longest, 1) &&
                             all.shortest <= plus(one.longest, 1);
            if (one.shortest < all.shortest) all.shortest = one.shortest;
            if (one.longest > all.longest) all.longest = one.longest;
        }
        first = false;
    }
    all.shortest += o.ahead;
    all.longest = plus(all.longest, o.ahead);
    re_info *info = re_info_of(c, s);
    info->lengths = all;
    atomic_store_explicit(&info->has_lengths, 1, memory_order_release);
    *out = all;
    return ART_OK;
}

art_status arti_re_get_lengths(arti_re_ctx *c, arti_re_state s, arti_re_lengths *out) {
    if (arti_re_peek_lengths(c, s, out)) return ART_OK;
    re_begin(c);
    return lengths_of(c, s, out);
}

/* What the lengths alone say of the smallest one in [lo, hi]: ART_MORE when they do not decide. */
static art_status from_lengths(const arti_re_lengths *l, uint32_t lo, uint32_t hi, uint32_t *len) {
    if (lo > hi || hi < l->shortest || lo > l->longest) return ART_REJECTED;
    if (lo <= l->shortest) return *len = l->shortest, ART_OK;
    if (l->contiguous) return *len = lo, ART_OK;
    return ART_MORE;
}

/* The same as term_length_in(), as the automaton of lengths tells it. */
static art_status walked_length_in(arti_re_ctx *c, arti_re t, uint32_t lo, uint32_t hi, uint32_t *len) {
    const uint32_t set = set_of_term(c, t);
    return set == RE_NIL ? c->err.code : walk_lengths(c, set, lo, hi, len);
}

/* The same, as the intersection with all texts of such lengths tells it: there a text that is near is found without a look at the whole
 * alphabet. */
static art_status bound_length_in(arti_re_ctx *c, arti_re t, uint32_t lo, uint32_t hi, uint32_t *len) {
    const arti_re any = re_loop(c, RE_ANY_CHAR, lo, hi), bound = any == ARTI_RE_FAIL ? any : re_and2(c, t, any);
    const uint8_t live = bound == ARTI_RE_FAIL ? RE_MAYBE : re_is_live(c, bound);
    if (live == RE_NO) return ART_REJECTED;
    return live == RE_YES && re_shortest(c, bound, len) ? ART_OK : c->err.code;
}

/* Of a term, live or not. */
static art_status term_length_in(arti_re_ctx *c, arti_re t, uint32_t lo, uint32_t hi, uint32_t *len) {
    const uint8_t live = re_is_live(c, t);
    arti_re_lengths l;
    if (live == RE_NO) return ART_REJECTED;
    if (live == RE_MAYBE || !re_shortest(c, t, &l.shortest)) return c->err.code;
    if (lo <= l.shortest) return *len = l.shortest, l.shortest <= hi ? ART_OK : ART_REJECTED;
    if (!re_term_lengths(c, t, &l)) return c->err.code;
    art_status status = from_lengths(&l, lo, hi, len);
    if (status != ART_MORE) return status;
    const art_error before = c->err;
    const uint32_t kept = c->work / 4; /* for the second way, where the first one is too much work */
    c->work -= kept;
    status = walked_length_in(c, t, lo, hi, len);
    c->work += kept;
    if (status != ART_E_LIMIT) return status;
    c->err = before;
    return bound_length_in(c, t, lo, hi, len);
}

static uint32_t minus(uint32_t length, uint32_t n) {
    return length == ARTI_RE_UNBOUNDED ? length : length > n ? length - n : 0;
}

static art_status length_in(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, uint32_t *len) {
    if (s == ARTI_RE_FAIL) return c->err.code;
    if (s == ARTI_RE_DEAD || lo > hi) return ART_REJECTED;
    const outcomes o = outcomes_of(c, s);
    if (hi < o.ahead) return ART_REJECTED;
    const uint32_t lo_after = minus(lo, o.ahead), hi_after = minus(hi, o.ahead);
    art_status status;
    if (o.own != ARTI_RE_FAIL) {
        status = term_length_in(c, o.own, lo_after, hi_after, len);
    } else {
        arti_re_lengths l;
        status = lengths_of(c, s, &l);
        if (status != ART_OK) return status;
        status = from_lengths(&l, lo, hi, len);
        if (status != ART_MORE) return status;
        uint32_t cut = 0;
        c->path.n = 0; /* next_outcome() searches too, but not there */
        for (arti_re t; (t = next_outcome(c, &o, &cut, NULL)) != ARTI_RE_NONE;)
            if (t == ARTI_RE_FAIL || !add_live(c, t)) return c->err.code;
        const uint32_t set = set_of_path(c);
        status = set == RE_NIL ? c->err.code : walk_lengths(c, set, lo_after, hi_after, len);
    }
    if (status == ART_OK) *len += o.ahead;
    return status;
}

art_status arti_re_length_in(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, uint32_t *len) {
    re_begin(c);
    return length_in(c, s, lo, hi, len);
}

/* ------------------------------------------------------------------ universal and closed */

arti_re re_open_part(const arti_re_ctx *c, arti_re t) {
    const re_node *x = &c->nodes[t];
    const bool is_or = x->kind == RE_OR;
    for (uint32_t i = 0; i < (is_or ? x->b : 1); i++) {
        const arti_re part = is_or ? x->kids[i] : t;
        const re_node *k = &c->nodes[part];
        if (k->kind == RE_CONCAT && k->a == ARTI_RE_ANY && is_exact(c, k->b)) return part;
    }
    return RE_NIL;
}

/* Any text can be continued to one of t, and the term shows it: it has an alternative ANY k, or lacks but short texts. */
static bool is_open(const arti_re_ctx *c, arti_re t) {
    const re_node *x = &c->nodes[t];
    switch ((re_kind)x->kind) {
    case RE_ANY: return true;
    case RE_CONCAT:
    case RE_OR: return re_open_part(c, t) != RE_NIL;
    case RE_NOT: return c->nodes[x->a].longest != ARTI_RE_UNBOUNDED;
    case RE_AND:
        for (uint32_t i = 0; i < x->b; i++) {
            const re_node *k = &c->nodes[x->kids[i]];
            if (k->kind != RE_NOT || c->nodes[k->a].longest == ARTI_RE_UNBOUNDED) return false;
        }
        return true;
    default: return false;
    }
}

/* RE_YES when no vertex that t leads to is dead (and, if asked, all accept); RE_NO also when there are too many to
 * look at. */
static uint8_t probe(arti_re_ctx *c, arti_re t, bool accepting) {
    if (t == ARTI_RE_ANY) return RE_YES;
    if (accepting && !(c->nodes[t].flags & RE_NULLABLE)) return RE_NO;
    if (!accepting && is_open(c, t)) return RE_YES;
    const uint32_t root = re_vertex_of(c, t);
    if (root == RE_NIL) return RE_MAYBE;
    const uint8_t known = accepting ? c->vertices[root].universal : c->vertices[root].closed;
    if (known != RE_MAYBE) return known;
    const uint32_t epoch = re_next_epoch(c);
    uint8_t answer = RE_YES;
    c->path.n = 0;
    c->vertices[root].mark_path = epoch;
    if (!re_push(c, &c->path, root)) return RE_MAYBE;
    for (size_t at = 0; at < c->path.n && answer == RE_YES; at++) {
        const uint32_t v = c->path.at[at];
        for (uint32_t b = 0; b < n_blocks(c, v) && answer == RE_YES; b++) {
            const arti_re next = re_next(c, v, b);
            if (next == ARTI_RE_FAIL || !re_spend(c, 1)) return RE_MAYBE;
            if (next == ARTI_RE_ANY || (!accepting && is_open(c, next))) continue;
            if (accepting && !(c->nodes[next].flags & RE_NULLABLE)) {
                answer = RE_NO;
                break;
            }
            const uint8_t live = re_is_live(c, next);
            if (live != RE_YES) {
                if (live == RE_MAYBE) return RE_MAYBE;
                answer = RE_NO;
                break;
            }
            const uint32_t w = re_vertex_of(c, next);
            if (w == RE_NIL) return RE_MAYBE;
            if (c->vertices[w].mark_path == epoch) continue;
            const uint8_t its = accepting ? c->vertices[w].universal : c->vertices[w].closed;
            if (its == RE_YES) continue;
            if (its == RE_NO || c->path.n == ARTI_RE_PROBE_MAX) answer = RE_NO;
            c->vertices[w].mark_path = epoch;
            if (!re_push(c, &c->path, w)) return RE_MAYBE;
        }
    }
    for (size_t i = 0; i < (answer == RE_YES ? c->path.n : 1); i++) {
        re_vertex *v = &c->vertices[c->path.at[i]];
        if (accepting)
            v->universal = answer;
        else
            v->closed = answer;
    }
    return answer;
}

static bool probe_state(arti_re_ctx *c, arti_re_state s, bool accepting) {
    if (s == ARTI_RE_DEAD || s == ARTI_RE_FAIL) return false;
    re_begin(c);
    const outcomes o = outcomes_of(c, s);
    if (o.own != ARTI_RE_FAIL) return probe(c, o.own, accepting) == RE_YES;
    const uint32_t part = c->vertices[o.vertex].part;
    for (uint32_t i = re_cut_of(&c->parts[part], o.lo); i < c->parts[part].n_cuts && c->parts[part].cut[i] <= o.hi;
         i++) {
        const uint32_t b = c->parts[part].cut_block[i];
        if (b == RE_NIL) continue;
        const arti_re t = re_next(c, o.vertex, b);
        if (t == ARTI_RE_FAIL || re_is_live(c, t) != RE_YES || probe(c, t, accepting) != RE_YES) return false;
    }
    return true;
}

bool arti_re_stretches(const arti_re_ctx *c, arti_re_state s) {
    return c->nodes[re_info_of(c, s)->term].flags & RE_STRETCHES;
}

bool arti_re_is_universal(arti_re_ctx *c, arti_re_state s) {
    return probe_state(c, s, true);
}
bool arti_re_is_closed(arti_re_ctx *c, arti_re_state s) {
    return probe_state(c, s, false);
}

bool arti_re_is_open(const arti_re_ctx *c, arti_re_state s) {
    if (s == ARTI_RE_DEAD || s == ARTI_RE_FAIL) return false;
    const re_info *info = re_info_of(c, s);
    return c->splits[info->split]->u8 == ARTI_U8_0 && is_open(c, info->term);
}

bool arti_re_are_complements(const arti_re_ctx *c, arti_re_state a, arti_re_state b) {
    if (a == ARTI_RE_FAIL || b == ARTI_RE_FAIL) return false;
    const re_info *x = re_info_of(c, a), *y = re_info_of(c, b);
    if (c->splits[x->split]->u8 != ARTI_U8_0 || c->splits[y->split]->u8 != ARTI_U8_0) return false;
    const re_node *s = &c->nodes[x->term], *t = &c->nodes[y->term];
    return (s->kind == RE_NOT && s->a == y->term) || (t->kind == RE_NOT && t->a == x->term);
}

/* ------------------------------------------------------------------ bytes */

/* Adds the bytes of class k, of which `first` is the first one, eight at a time. */
static void add_class(const uint8_t *byte_class, uint8_t k, uint32_t first, arti_re_bytes *out) {
    const uint64_t ones = UINT64_C(0x0101010101010101), low = ones * 0x7F;
    for (uint32_t b = first & ~7u; b < 256; b += 8) {
        uint64_t x = 0;
        for (uint32_t i = 0; i < 8; i++) x |= (uint64_t)byte_class[b + i] << (8 * i);
        x ^= ones * k;
        const uint64_t equal = ~(((x & low) + low) | x | low) >> 7; /* lowest bits of bytes that are zero */
        out->bits[b / 64] |= (equal * UINT64_C(0x0102040810204080) >> 56) << (b % 64);
    }
}

/* They are kept with the state. */
art_status arti_re_live_bytes(arti_re_ctx *c, arti_re_state s, arti_re_bytes *out) {
    *out = (arti_re_bytes){{0}};
    if (s == ARTI_RE_FAIL) return c->err.code;
    re_info *info = re_info_of(c, s);
    const arti_re_row *row = arti_re_row_of(c, s);
    if (info->live_bytes) {
        *out = *info->live_bytes;
        return ART_OK;
    }
    for (uint32_t k = 0; k < row->n_classes; k++) {
        const uint8_t *first = memchr(row->byte_class, (int)k, 256);
        const arti_re_state to = first ? arti_re_step(c, s, (uint8_t)(first - row->byte_class)) : ARTI_RE_DEAD;
        if (to == ARTI_RE_FAIL) return c->err.code;
        if (to != ARTI_RE_DEAD) add_class(row->byte_class, (uint8_t)k, (uint32_t)(first - row->byte_class), out);
    }
    arti_re_bytes *kept = arti_arena_get(&c->arena, sizeof *kept);
    if (!kept) return re_refuse_memory(c), ART_E_NOMEM;
    *kept = *out;
    info->live_bytes = kept;
    return ART_OK;
}

art_status arti_re_loop_bytes(arti_re_ctx *c, arti_re_state s, arti_re_bytes *out) {
    *out = (arti_re_bytes){{0}};
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    const re_split *split = c->splits[info->split];
    if (s == ARTI_RE_DEAD || split->u8 != ARTI_U8_0) return ART_OK;
    re_begin(c);
    const uint32_t v = c->nodes[info->term].vertex;
    const re_part *part = &c->parts[c->vertices[v].part];
    for (uint32_t b = 0; b < 256; b++) {
        const re_move m = split->moves[split->byte_class[b]];
        bool back = m.kind != RE_MOVE_DEAD;
        if (m.kind == RE_MOVE_CHAR || m.kind == RE_MOVE_BLOCK) {
            const arti_re t = re_next(c, v, m.value);
            if (t == ARTI_RE_FAIL) return c->err.code;
            back = t == info->term;
        } else if (m.kind == RE_MOVE_MIXED) {
            uint32_t lo, hi;
            re_span(m.value, m.u8, &lo, &hi);
            for (uint32_t i = re_cut_of(part, lo); i < part->n_cuts && part->cut[i] <= hi && back; i++) {
                const arti_re t = part->cut_block[i] == RE_NIL ? info->term : re_next(c, v, part->cut_block[i]);
                if (t == ARTI_RE_FAIL) return c->err.code;
                part = &c->parts[c->vertices[v].part];
                back = t == info->term;
            }
        }
        if (back) out->bits[b / 64] |= (uint64_t)1 << (b % 64);
    }
    return ART_OK;
}

/* ------------------------------------------------------------------ witnesses */

typedef struct sink { /* counts what does not fit */
    uint8_t *buf;
    size_t cap, len;
} sink;

/* The last n bytes of a character, or all of them (n 0). */
static void emit(sink *out, uint32_t cp, size_t n) {
    uint8_t bytes[4];
    const size_t len = arti_u8_put(bytes, cp);
    for (size_t i = n ? len - n : 0; i < len; i++, out->len++)
        if (out->len < out->cap) out->buf[out->len] = bytes[i];
}

/* Bytes that end a character of which only the state is known: any will do. */
static void emit_rest(sink *out, uint8_t u8) {
    for (; u8 != ARTI_U8_0; out->len++) {
        uint8_t byte = u8 == ARTI_U8_1 ? 0xA9u : 0x80u;
        while (arti_u8_next(u8, byte) == ARTI_U8_BAD) byte++;
        u8 = arti_u8_next(u8, byte);
        if (out->len < out->cap) out->buf[out->len] = byte;
    }
}

/* Some character of the block between lo and hi: the sample if it lies there, else the first, or any when random. */
static uint32_t pick_character(const re_part *p, uint32_t block, uint32_t lo, uint32_t hi, arti_re_random_fn *random,
                               void *ud) {
    uint32_t cp = RE_NIL, seen = 0;
    if (random) {
        for (uint32_t tries = random(ud) % 4 ? 8 : 0; tries > 0; tries--) { /* mostly ASCII if there is any */
            const uint32_t c = ' ' + random(ud) % 95;
            if (c >= lo && c <= hi && p->cut_block[re_cut_of(p, c)] == block) return c;
        }
    } else if (p->sample[block] >= lo && p->sample[block] <= hi) {
        return p->sample[block];
    }
    for (uint32_t i = re_cut_of(p, lo); i < p->n_cuts && p->cut[i] <= hi; i++) {
        if (p->cut_block[i] != block) continue;
        const uint32_t end = i + 1 < p->n_cuts ? p->cut[i + 1] - 1 : RE_CODE_POINT_MAX;
        const uint32_t first = p->cut[i] > lo ? p->cut[i] : lo, last = end < hi ? end : hi;
        if (!random) return first;
        if (random(ud) % ++seen == 0) cp = first + random(ud) % (last - first + 1);
    }
    return cp;
}

/* A block by whose characters between lo and hi vertex v goes on to a text of exactly n more, RE_NIL when there is
 * none or on failure (*status then tells). */
static uint32_t pick_block(arti_re_ctx *c, uint32_t v, uint32_t lo, uint32_t hi, uint32_t n, arti_re_random_fn *random,
                           void *ud, art_status *status) {
    const uint32_t part = c->vertices[v].part, blocks = c->parts[part].n_blocks;
    const uint32_t from = random ? random(ud) % blocks : 0;
    *status = ART_REJECTED;
    for (uint32_t i = 0; i < blocks; i++) {
        const uint32_t b = c->parts[part].by_taste[(from + i) % blocks];
        uint32_t len;
        if ((lo > 0 || hi < RE_CODE_POINT_MAX) && pick_character(&c->parts[part], b, lo, hi, NULL, NULL) == RE_NIL)
            continue;
        const arti_re t = re_next(c, v, b);
        *status = t == ARTI_RE_FAIL || !re_spend(c, 1) ? c->err.code : term_length_in(c, t, n, n, &len);
        if (*status == ART_OK) return b;
        if (*status != ART_REJECTED) return RE_NIL;
    }
    return RE_NIL;
}

static art_status witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_random_fn *random,
                          void *ud, sink *out) {
    uint32_t len, farther;
    re_begin(c);
    art_status status = length_in(c, s, lo, hi, &len);
    if (status != ART_OK) return status;
    if (random && len < hi) {
        const uint32_t room = hi - len < 63 ? hi - len : 63;
        status = length_in(c, s, len + random(ud) % (room + 1), hi, &farther);
        if (status == ART_OK)
            len = farther;
        else if (status != ART_REJECTED)
            return status;
    }
    const re_info *info = re_info_of(c, s);
    const re_split *split = c->splits[info->split];
    arti_re t = info->term;
    bool inside = split->u8 != ARTI_U8_0;
    uint32_t from = 0, to = RE_CODE_POINT_MAX;
    if (inside && split->part == RE_NIL) {
        emit_rest(out, split->u8);
        inside = false;
        len--;
    } else if (inside) {
        from = split->lo;
        to = split->hi;
    }
    for (; len > 0; len--) {
        const uint32_t v = re_vertex_of(c, t);
        if (v == RE_NIL) return c->err.code;
        const uint32_t b = pick_block(c, v, from, to, len - 1, random, ud, &status);
        if (b == RE_NIL) return status;
        const uint32_t cp = pick_character(&c->parts[c->vertices[v].part], b, from, to, random, ud);
        emit(out, cp, inside ? re_tail(split->u8) : 0);
        inside = false;
        from = 0;
        to = RE_CODE_POINT_MAX;
        t = re_next(c, v, b);
    }
    return ART_OK;
}

/* The lengths of a language that is not exact may be too much work where those of its texts of these lengths are not. */
static art_status write_witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_random_fn *random,
                                void *ud, uint8_t *buf, size_t cap, size_t *len) {
    sink out = {buf, cap, 0};
    art_status status = witness(c, s, lo, hi, random, ud, &out);
    arti_re_state bound;
    if (status == ART_E_LIMIT && s != ARTI_RE_FAIL && arti_re_bind(c, s, lo, hi, &bound) == ART_OK && bound != s) {
        out.len = 0;
        status = witness(c, bound, 0, ARTI_RE_UNBOUNDED, NULL, NULL, &out);
    }
    *len = status == ART_OK ? out.len : 0;
    if (status != ART_OK || out.len <= cap) return status;
    re_refuse(c, ART_E_LIMIT, 0, "buffer of %zu bytes is too small for a text of %zu", cap, out.len);
    return ART_E_LIMIT;
}

art_status arti_re_witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, uint8_t *buf, size_t cap,
                           size_t *len) {
    return write_witness(c, s, lo, hi, NULL, NULL, buf, cap, len);
}

art_status arti_re_random_witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_random_fn *random,
                                  void *ud, uint8_t *buf, size_t cap, size_t *len) {
    return write_witness(c, s, lo, hi, random, ud, buf, cap, len);
}
