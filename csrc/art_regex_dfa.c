/* SPDX-License-Identifier: Apache-2.0
 *
 * Derivatives, partitions of the alphabet and the lazy automaton over bytes.
 *
 * A vertex is a term as a state over characters: its partition says which characters it does not tell apart, its
 * successors are derivatives, one for each block. A byte state is a pair (term, split): the split says what is known
 * of the character whose bytes are coming in. Splits belong to partitions, which few terms do not share, so a new
 * state is a row of a few entries. */
#include "art_regex_impl.h"

/* ------------------------------------------------------------------ derivatives */

#define GLANCE_MAX 8u          /* operands that are looked at before work is counted */
#define WIDE 16u               /* alternatives that are many */
#define WAIT (UINT32_MAX - 1u) /* results of other operations are missing; they are on the stack now */

_Static_assert(ARTI_RE_TERMS_MAX <= (uint32_t)1 << 30, "keys of the memo hold two terms and an operation");

/* The four operations, all for the character c->cp at the present place of the text:
 *   DERIVE  x     what may follow the character when the whole rest of the text belongs to x
 *   SHIFT   x     x, to be matched later: its BEHIND atoms have one more character behind them
 *   CONSUME x, k  what may follow when x matches, taking the character, and k follows x
 *   ASSUME  x     what the rest of the text must be for x to match the empty text here (does not look at the character)
 * CONSUME and ASSUME are needed for x with lookaheads only: these see what follows x. */
static uint64_t memo_key(uint32_t op, arti_re x, arti_re k) {
    return (uint64_t)op << 62 | (uint64_t)x << 31 | k;
}

static size_t memo_place(const arti_re_ctx *c, uint64_t key) {
    return (size_t)((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 32) & (c->memo_size - 1);
}

static arti_re memo_get(const arti_re_ctx *c, uint64_t key) {
    if (!c->memo_size) return RE_NIL;
    for (size_t i = memo_place(c, key);; i = (i + 1) & (c->memo_size - 1)) {
        const re_memo *m = &c->memo[i];
        if (m->epoch != c->memo_epoch) return RE_NIL;
        if (m->key == key) return m->result;
    }
}

static bool memo_put(arti_re_ctx *c, uint64_t key, arti_re result) {
    if (c->memo_used >= c->memo_size / 2) {
        const size_t old_size = c->memo_size, size = old_size ? old_size * 2 : 64;
        re_memo *old = c->memo, *bigger = arti_calloc(c->mem, size * sizeof *bigger);
        if (!bigger) return re_refuse_memory(c), false;
        c->memo = bigger;
        c->memo_size = size;
        for (size_t i = 0; i < old_size; i++) {
            if (old[i].epoch != c->memo_epoch) continue;
            size_t at = memo_place(c, old[i].key);
            while (bigger[at].epoch == c->memo_epoch) at = (at + 1) & (size - 1);
            bigger[at] = old[i];
        }
        arti_free(c->mem, old, old_size * sizeof *old);
    }
    size_t at = memo_place(c, key);
    while (c->memo[at].epoch == c->memo_epoch) at = (at + 1) & (c->memo_size - 1);
    c->memo[at] = (re_memo){key, c->memo_epoch, result};
    c->memo_used++;
    return true;
}

static void memo_clear(arti_re_ctx *c) {
    c->memo_used = 0;
    if (++c->memo_epoch == 0) {
        if (c->memo) memset(c->memo, 0, c->memo_size * sizeof *c->memo);
        c->memo_epoch = 1;
    }
}

/* DERIVE x where that takes no more than a look at what x begins with. Else RE_NIL, with *x replaced by an operand that has the same
 * derivative, if there is one: most alternatives of a term have no use for a given character. */
static arti_re glance(const arti_re_ctx *c, arti_re *x) {
    for (uint32_t skipped = 0; skipped < GLANCE_MAX; skipped++) {
        const re_node *n = &c->nodes[*x];
        if (n->kind <= RE_EMPTY) return ARTI_RE_NONE;
        if (n->kind == RE_ANY) return ARTI_RE_ANY;
        if (n->kind == RE_CLASS) return re_class_has(&c->classes[n->a], c->cp) ? ARTI_RE_EMPTY : ARTI_RE_NONE;
        if (n->kind != RE_CONCAT && n->kind != RE_LOOP) return RE_NIL;
        const re_node *head = n->kind == RE_CONCAT ? &c->nodes[n->a] : n;
        const re_node *first = head->kind == RE_LOOP ? &c->nodes[head->a] : head;
        if (first->kind != RE_CLASS) return RE_NIL;
        if (re_class_has(&c->classes[first->a], c->cp))
            return head == first && !(c->nodes[n->b].flags & RE_HAS_BEHIND) ? n->b : RE_NIL;
        if (head == n || !(head->flags & RE_NULLABLE)) return ARTI_RE_NONE;
        *x = n->b;
    }
    return RE_NIL;
}

/* Block of the character at a vertex. */
static uint32_t block_of(const arti_re_ctx *c, uint32_t v, uint32_t cp) {
    const re_part *p = &c->parts[c->vertices[v].part];
    if (cp >= 0x80 || p->root == RE_NIL) return p->cut_block[re_cut_of(p, cp)];
    const re_split *s = c->splits[p->root];
    return s->moves[s->byte_class[cp]].value;
}

/* DERIVE x, where x has been met as a state of its own and been left by such a character; else RE_NIL. */
static arti_re derived_before(const arti_re_ctx *c, arti_re x) {
    const uint32_t v = c->nodes[x].vertex;
    return v == RE_NIL ? RE_NIL : c->vertices[v].next[block_of(c, v, c->cp)];
}

/* The result of an operation if it is known, else RE_NIL with the operation put on the stack and *state WAIT (or
 * ARTI_RE_FAIL). */
static arti_re ask(arti_re_ctx *c, uint32_t op, arti_re x, arti_re k, uint32_t *state) {
    const re_node *n = &c->nodes[x];
    if (op == RE_OP_SHIFT && !(n->flags & RE_HAS_BEHIND)) return x;
    if (op == RE_OP_ASSUME && !(n->flags & RE_HAS_AHEAD)) return n->flags & RE_NULLABLE ? ARTI_RE_ANY : ARTI_RE_NONE;
    if (op == RE_OP_DERIVE) {
        const arti_re quick = glance(c, &x), before = quick == RE_NIL ? derived_before(c, x) : quick;
        if (before != RE_NIL) return before;
    }
    const uint64_t key = memo_key(op, x, k);
    const arti_re r = memo_get(c, key);
    if (r != RE_NIL) return r;
    if (*state == 0) *state = WAIT;
    if (!re_push64(c, &c->todo, key)) *state = ARTI_RE_FAIL;
    return RE_NIL;
}

/* op of all kids, put together as x's kind says; k is passed on. */
static arti_re over_kids(arti_re_ctx *c, uint32_t op, const re_node *x, arti_re k) {
    const uint32_t *kids = x->kids;
    const uint32_t n = x->b, kind = x->kind;
    const size_t base = c->tmp.n;
    uint32_t state = 0;
    if (!re_spend(c, n / 8)) return ARTI_RE_FAIL;
    for (uint32_t i = 0; i < n; i++) {
        const arti_re r = ask(c, op, kids[i], k, &state);
        if (state == 0 && !re_push(c, &c->tmp, r)) state = ARTI_RE_FAIL;
    }
    if (state) {
        c->tmp.n = base;
        return state;
    }
    return kind == RE_OR ? re_or(c, base) : re_and(c, base);
}

static uint32_t less(uint32_t count, uint32_t by) {
    return count == ARTI_RE_UNBOUNDED ? count : count > by ? count - by : 0;
}

static arti_re derive(arti_re_ctx *c, arti_re t) {
    const re_node x = c->nodes[t];
    uint32_t state = 0;
    switch ((re_kind)x.kind) {
    case RE_NONE:
    case RE_EMPTY:
    case RE_AHEAD: /* alone it spans nothing */
    case RE_BEHIND: return ARTI_RE_NONE;
    case RE_ANY: return ARTI_RE_ANY;
    case RE_CLASS: return ask(c, RE_OP_DERIVE, t, 0, &state);
    case RE_MACHINE: {
        const re_machine *m = c->machines[x.a];
        if (c->cp == 0 || c->cp > 127 || !strchr(m->symbols, (char)c->cp)) return ARTI_RE_NONE;
        const uint32_t next = m->step(x.b, (char)c->cp);
        return next == RE_NIL ? ARTI_RE_NONE : re_machine_term(c, m, next);
    }
    case RE_OR:
    case RE_AND: return over_kids(c, RE_OP_DERIVE, &x, 0);
    case RE_NOT: {
        const arti_re d = ask(c, RE_OP_DERIVE, x.a, 0, &state);
        return state ? state : re_not(c, d);
    }
    case RE_LOOP: {
        if (x.flags & RE_HAS_AHEAD) {
            const arti_re r = ask(c, RE_OP_CONSUME, t, ARTI_RE_EMPTY, &state);
            return state ? state : r;
        }
        const bool nullable = c->nodes[x.a].flags & RE_NULLABLE;
        const arti_re d = ask(c, RE_OP_DERIVE, x.a, 0, &state);
        const arti_re body = ask(c, RE_OP_SHIFT, x.a, 0, &state);
        if (state) return state;
        if (d == ARTI_RE_NONE) return d;
        /* When the body may be empty here, any of the turns that are still owed may be. */
        return re_concat(c, d, re_loop(c, body, nullable ? 0 : less(x.min, 1), less(x.max, 1)));
    }
    case RE_CONCAT: {
        const re_node a = c->nodes[x.a];
        if (a.flags & RE_HAS_AHEAD) {
            const arti_re taken = ask(c, RE_OP_CONSUME, x.a, x.b, &state);
            const arti_re asked = ask(c, RE_OP_ASSUME, x.a, 0, &state);
            if (state) return state;
            if (asked == ARTI_RE_NONE) return taken;
            const arti_re condition = ask(c, RE_OP_DERIVE, asked, 0, &state);
            const arti_re after = ask(c, RE_OP_DERIVE, x.b, 0, &state);
            return state ? state : re_or2(c, taken, re_and2(c, condition, after));
        }
        const arti_re d = ask(c, RE_OP_DERIVE, x.a, 0, &state);
        const arti_re after = a.flags & RE_NULLABLE ? ask(c, RE_OP_DERIVE, x.b, 0, &state) : ARTI_RE_NONE;
        const arti_re rest = ask(c, RE_OP_SHIFT, x.b, 0, &state);
        return state ? state : re_or2(c, d == ARTI_RE_NONE ? d : re_concat(c, d, rest), after);
    }
    }
    return ARTI_RE_NONE;
}

static arti_re shift(arti_re_ctx *c, arti_re t) {
    const re_node x = c->nodes[t];
    uint32_t state = 0;
    switch ((re_kind)x.kind) {
    case RE_CONCAT: {
        const arti_re a = ask(c, RE_OP_SHIFT, x.a, 0, &state), b = ask(c, RE_OP_SHIFT, x.b, 0, &state);
        return state ? state : re_concat(c, a, b);
    }
    case RE_LOOP: {
        const arti_re a = ask(c, RE_OP_SHIFT, x.a, 0, &state);
        return state ? state : re_loop(c, a, x.min, x.max);
    }
    case RE_OR:
    case RE_AND: return over_kids(c, RE_OP_SHIFT, &x, 0);
    case RE_NOT: {
        const arti_re a = ask(c, RE_OP_SHIFT, x.a, 0, &state);
        return state ? state : re_not(c, a);
    }
    case RE_AHEAD: {
        const arti_re a = ask(c, RE_OP_SHIFT, x.a, 0, &state);
        return state ? state : re_ahead(c, a);
    }
    case RE_BEHIND: {
        const arti_re a = ask(c, RE_OP_DERIVE, x.a, 0, &state);
        return state ? state : re_behind(c, a);
    }
    default: return t;
    }
}

static arti_re consume(arti_re_ctx *c, arti_re t, arti_re k) {
    const re_node x = c->nodes[t];
    uint32_t state = 0;
    if (!(x.flags & RE_HAS_AHEAD)) {
        const arti_re d = ask(c, RE_OP_DERIVE, t, 0, &state), rest = ask(c, RE_OP_SHIFT, k, 0, &state);
        return state ? state : d == ARTI_RE_NONE ? d : re_concat(c, d, rest);
    }
    switch ((re_kind)x.kind) {
    case RE_OR: return over_kids(c, RE_OP_CONSUME, &x, k);
    case RE_CONCAT: {
        const arti_re later = re_concat(c, x.b, k);
        if (later == ARTI_RE_FAIL) return later;
        const arti_re first = ask(c, RE_OP_CONSUME, x.a, later, &state);
        const arti_re asked = ask(c, RE_OP_ASSUME, x.a, 0, &state);
        if (state) return state;
        if (asked == ARTI_RE_NONE) return first;
        const arti_re condition = ask(c, RE_OP_DERIVE, asked, 0, &state);
        const arti_re second = ask(c, RE_OP_CONSUME, x.b, k, &state);
        return state ? state : re_or2(c, first, re_and2(c, condition, second));
    }
    case RE_LOOP: {
        const arti_re loop = re_loop(c, x.a, less(x.min, 1), less(x.max, 1)), later = re_concat(c, loop, k);
        if (later == ARTI_RE_FAIL) return later;
        const arti_re first = ask(c, RE_OP_CONSUME, x.a, later, &state);
        const arti_re asked = x.min > 0 && x.max > 1 ? ask(c, RE_OP_ASSUME, x.a, 0, &state) : ARTI_RE_NONE;
        if (state) return state;
        if (asked == ARTI_RE_NONE) return first;
        /* One or more of the turns that are owed are empty here, then one takes the character; the rest may be empty
         * too. */
        const arti_re fewer = re_loop(c, x.a, 0, less(x.max, 2)), k2 = re_concat(c, fewer, k);
        if (k2 == ARTI_RE_FAIL) return k2;
        const arti_re condition = ask(c, RE_OP_DERIVE, asked, 0, &state);
        const arti_re second = ask(c, RE_OP_CONSUME, x.a, k2, &state);
        return state ? state : re_or2(c, first, re_and2(c, condition, second));
    }
    default: return ARTI_RE_NONE; /* AHEAD */
    }
}

static arti_re assume(arti_re_ctx *c, arti_re t) {
    const re_node x = c->nodes[t];
    uint32_t state = 0;
    switch ((re_kind)x.kind) {
    case RE_AHEAD: return x.a;
    case RE_OR: return over_kids(c, RE_OP_ASSUME, &x, 0);
    case RE_CONCAT: {
        const arti_re a = ask(c, RE_OP_ASSUME, x.a, 0, &state), b = ask(c, RE_OP_ASSUME, x.b, 0, &state);
        return state ? state : re_and2(c, a, b);
    }
    case RE_LOOP: {
        if (x.min == 0) return ARTI_RE_ANY;
        const arti_re a = ask(c, RE_OP_ASSUME, x.a, 0, &state);
        return state ? state : a;
    }
    default: return x.flags & RE_NULLABLE ? ARTI_RE_ANY : ARTI_RE_NONE;
    }
}

static arti_re derive_all(arti_re_ctx *c, arti_re t, uint32_t cp) {
    uint32_t state = 0;
    memo_clear(c);
    c->cp = cp;
    c->tmp.n = c->keys.n = c->todo.n = c->wide.n = 0;
    const arti_re quick = ask(c, RE_OP_DERIVE, t, 0, &state);
    if (state != WAIT) return quick;
    for (;;) {
        const uint64_t key = c->todo.at[c->todo.n - 1];
        const arti_re x = (arti_re)(key >> 31) & 0x7FFFFFFFu, k = (arti_re)key & 0x7FFFFFFFu;
        arti_re r = memo_get(c, key);
        if (r == RE_NIL) {
            if (!re_spend(c, 1)) return ARTI_RE_FAIL;
            switch (key >> 62) {
            case RE_OP_DERIVE: r = derive(c, x); break;
            case RE_OP_SHIFT: r = shift(c, x); break;
            case RE_OP_CONSUME: r = consume(c, x, k); break;
            default: r = assume(c, x); break;
            }
            if (r == WAIT) continue;
            if (r == ARTI_RE_FAIL || !memo_put(c, key, r)) return ARTI_RE_FAIL;
            if (key >> 62 == RE_OP_DERIVE) {
                const re_node *n = &c->nodes[x];
                if (n->vertex != RE_NIL)
                    c->vertices[n->vertex].next[block_of(c, n->vertex, cp)] = r;
                else if (n->kind == RE_OR && n->b >= WIDE && !re_push(c, &c->wide, x))
                    return ARTI_RE_FAIL;
            }
        }
        if (--c->todo.n == 0) return r;
    }
}

/* Of wide alternatives that were met within others the derivatives are kept, too: they are met again in front of something else. */
arti_re re_derive(arti_re_ctx *c, arti_re t, uint32_t cp) {
    const arti_re r = derive_all(c, t, cp);
    for (size_t i = 0; i < c->wide.n && r != ARTI_RE_FAIL; i++)
        if (re_vertex_of(c, c->wide.at[i]) == RE_NIL) return ARTI_RE_FAIL;
    return r;
}

/* ------------------------------------------------------------------ partitions */

enum { WALK_FIRST, WALK_BEHIND };

/* Pushes onto tmp the classes that the derivatives of t look at: those a first character may be of, and, since a
 * derivative shifts every BEHIND, those that their bodies look at. */
static bool collect_classes(arti_re_ctx *c, arti_re t) {
    const uint32_t epoch = re_next_epoch(c);
    c->walk.n = 0;
    if (!re_push(c, &c->walk, t << 1 | WALK_FIRST)) return false;
    while (c->walk.n > 0) {
        const uint32_t item = c->walk.at[--c->walk.n];
        re_node *x = &c->nodes[item >> 1];
        bool ok = true;
        if ((item & 1) == WALK_BEHIND) {
            if (!(x->flags & RE_HAS_BEHIND) || x->mark_behind == epoch) continue;
            x->mark_behind = epoch;
            switch ((re_kind)x->kind) {
            case RE_CONCAT:
                ok = re_push(c, &c->walk, x->a << 1 | WALK_BEHIND) && re_push(c, &c->walk, x->b << 1 | WALK_BEHIND);
                break;
            case RE_OR:
            case RE_AND:
                for (uint32_t i = 0; i < x->b && ok; i++) ok = re_push(c, &c->walk, x->kids[i] << 1 | WALK_BEHIND);
                break;
            case RE_BEHIND: ok = re_push(c, &c->walk, x->a << 1 | WALK_FIRST); break;
            default: ok = re_push(c, &c->walk, x->a << 1 | WALK_BEHIND); break;
            }
        } else {
            if (x->mark_first == epoch) continue;
            x->mark_first = epoch;
            if (x->vertex != RE_NIL) { /* it was collected before */
                const re_part *p = &c->parts[c->vertices[x->vertex].part];
                for (uint32_t i = 0; i < p->n_classes && ok; i++) ok = re_push(c, &c->tmp, p->classes[i]);
                if (!ok) return false;
                continue;
            }
            switch ((re_kind)x->kind) {
            case RE_NONE:
            case RE_EMPTY:
            case RE_ANY: break;
            case RE_CLASS: ok = re_push(c, &c->tmp, x->a); break;
            case RE_MACHINE: { /* symbols that lead nowhere are like all other characters */
                const re_machine *m = c->machines[x->a];
                const uint32_t state = x->b;
                for (const char *s = m->symbols; *s && ok; s++) {
                    if (m->step(state, *s) == RE_NIL) continue;
                    re_ranges_reset(c);
                    ok = re_ranges_add(c, (uint8_t)*s, (uint8_t)*s);
                    const arti_re one = ok ? re_ranges_finish(c) : ARTI_RE_FAIL; /* may move the nodes */
                    ok = one != ARTI_RE_FAIL && re_push(c, &c->tmp, c->nodes[one].a);
                }
                break;
            }
            case RE_CONCAT:
                ok = re_push(c, &c->walk, x->a << 1 | WALK_FIRST) && re_push(c, &c->walk, x->b << 1 | WALK_BEHIND);
                if (ok && c->nodes[x->a].flags & (RE_NULLABLE | RE_HAS_AHEAD))
                    ok = re_push(c, &c->walk, x->b << 1 | WALK_FIRST);
                break;
            case RE_OR:
            case RE_AND:
                for (uint32_t i = 0; i < x->b && ok; i++) ok = re_push(c, &c->walk, x->kids[i] << 1 | WALK_FIRST);
                break;
            default:
                ok = re_push(c, &c->walk, x->a << 1 | WALK_FIRST) && re_push(c, &c->walk, x->a << 1 | WALK_BEHIND);
                break;
            }
        }
        if (!ok || !re_spend(c, 1)) return false;
    }
    return true;
}

uint32_t re_cut_of(const re_part *p, uint32_t cp) {
    uint32_t lo = 0, hi = p->n_cuts;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (p->cut[mid] <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Cuts the alphabet at the borders of the classes and splits the blocks by one class after the other. Leaves, in
 * work_area, cut[n] and block[n]; the numbers of the blocks have holes. */
static bool refine(arti_re_ctx *c, const uint32_t *classes, uint32_t n_classes, uint32_t *n_cuts) {
    re_vec *w = &c->work_area;
    w->n = 0;
    bool ok = re_push(c, w, 0) && re_push(c, w, 0xD800u) && re_push(c, w, 0xE000u);
    for (uint32_t i = 0; i < n_classes && ok; i++) {
        const re_class *k = &c->classes[classes[i]];
        for (uint32_t r = 0; r < k->n && ok; r++) {
            ok = re_push(c, w, k->ranges[r].lo);
            if (ok && k->ranges[r].hi < RE_CODE_POINT_MAX) ok = re_push(c, w, k->ranges[r].hi + 1);
        }
    }
    if (!ok) return false;
    re_sort(w->at, w->n);
    uint32_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (n == 0 || w->at[n - 1] != w->at[i]) w->at[n++] = w->at[i];
    const size_t ids = 2 * (size_t)n; /* at most n blocks, and n that the present class empties */
    void *p = w->at;
    if (!arti_vec_reserve(c->mem, &p, &w->cap, 3 * (size_t)n + 3 * ids, sizeof *w->at))
        return re_refuse_memory(c), false;
    w->at = p;
    uint32_t *cut = w->at, *block = cut + n, *touched = block + n;
    uint32_t *moved = touched + n, *size = moved + ids, *spare = size + ids;
    uint32_t n_spare = 0, n_blocks = 1;
    for (size_t i = 0; i < ids; i++) moved[i] = RE_NIL, size[i] = 0;
    for (uint32_t i = 0; i < n; i++) {
        block[i] = cut[i] == 0xD800u ? RE_NIL : 0;
        if (block[i] == 0) size[0]++;
    }
    for (uint32_t k = 0; k < n_classes; k++) {
        const re_class *cls = &c->classes[classes[k]];
        uint32_t at = 0, visited = 0, n_touched = 0;
        for (uint32_t r = 0; r < cls->n; r++) {
            uint32_t lo = at, hi = n; /* first stretch of the range */
            while (lo < hi) {
                const uint32_t mid = lo + (hi - lo) / 2;
                if (cut[mid] < cls->ranges[r].lo)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            for (at = lo; at < n && cut[at] <= cls->ranges[r].hi; at++, visited++) {
                const uint32_t old = block[at];
                if (moved[old] == RE_NIL) {
                    moved[old] = n_spare ? spare[--n_spare] : n_blocks++;
                    touched[n_touched++] = old;
                }
                block[at] = moved[old];
                size[moved[old]]++;
                size[old]--;
            }
        }
        while (n_touched > 0) {
            const uint32_t old = touched[--n_touched];
            moved[old] = RE_NIL;
            if (size[old] == 0) spare[n_spare++] = old;
        }
        if (!re_spend(c, 1 + visited / 16)) return false;
    }
    *n_cuts = n;
    return true;
}

/* How much a reader likes to see a character: the first of these that a block has stands for it. */
static const char taste[] =
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_- .,:;!?+*/=@#$%&()[]{}<>'|~^`\"\\";

/* Chooses samples and the order of the blocks; block numbers are dense by now. */
static void choose_samples(re_part *p, uint32_t *sample, uint32_t *by_taste) {
    uint32_t n = 0;
    for (uint32_t b = 0; b < p->n_blocks; b++) sample[b] = RE_NIL;
    for (const char *s = taste; *s && n < p->n_blocks; s++) {
        const uint32_t b = p->cut_block[re_cut_of(p, (uint8_t)*s)];
        if (sample[b] == RE_NIL) sample[b] = (uint8_t)*s, by_taste[n++] = b;
    }
    for (int pass = 0; pass < 2; pass++) { /* visible ones if there are, then control characters */
        for (uint32_t i = 0; i < p->n_cuts && n < p->n_blocks; i++) {
            const uint32_t b = p->cut_block[i], end = i + 1 < p->n_cuts ? p->cut[i + 1] - 1 : RE_CODE_POINT_MAX;
            if (b == RE_NIL || sample[b] != RE_NIL) continue;
            uint32_t cp = p->cut[i];
            if (pass == 0 && cp < 0xA1u) cp = 0xA1u;
            if (cp <= end) sample[b] = cp, by_taste[n++] = b;
        }
    }
}

/* The partition of tmp[first ..] (classes in any order, repeated or not), RE_NIL on failure. Takes them off. */
static uint32_t part_of(arti_re_ctx *c, size_t first) {
    uint32_t *classes = c->tmp.at ? c->tmp.at + first : NULL;
    uint32_t n = (uint32_t)(c->tmp.n - first), hash = 1;
    c->tmp.n = first;
    if (n > 1) {
        re_sort(classes, n);
        uint32_t k = 0;
        for (uint32_t i = 0; i < n; i++)
            if (k == 0 || classes[k - 1] != classes[i]) classes[k++] = classes[i];
        n = k;
    }
    for (uint32_t i = 0; i < n; i++) hash = re_mix(hash, classes[i]);
    uint32_t at = hash, id;
    while ((id = re_index_next(&c->part_index, hash, &at)) != RE_NIL)
        if (c->parts[id].n_classes == n && (n == 0 || memcmp(c->parts[id].classes, classes, n * sizeof *classes) == 0))
            return id;

    uint32_t n_cuts;
    if (!refine(c, classes, n, &n_cuts)) return RE_NIL;
    uint32_t *cut = c->work_area.at, *block = cut + n_cuts, *number = block + n_cuts; /* old number to dense number */
    uint32_t n_blocks = 0;
    for (size_t i = 0; i < 2 * (size_t)n_cuts; i++) number[i] = RE_NIL;
    for (uint32_t i = 0; i < n_cuts; i++) {
        if (block[i] == RE_NIL) continue;
        if (number[block[i]] == RE_NIL) number[block[i]] = n_blocks++;
        block[i] = number[block[i]];
    }
    if (!re_spend(c, 8 + n_cuts / 4)) return RE_NIL;
    uint32_t *mem = arti_arena_get(&c->arena, (n + 2 * (size_t)n_cuts + 2 * (size_t)n_blocks) * sizeof *mem);
    void *p = c->parts;
    if (!mem || !arti_vec_reserve(c->mem, &p, &c->parts_cap, c->n_parts + 1u, sizeof *c->parts))
        return re_refuse_memory(c);
    c->parts = p;
    if (n) memcpy(mem, classes, n * sizeof *mem);
    memcpy(mem + n, cut, 2 * (size_t)n_cuts * sizeof *mem);
    uint32_t *sample = mem + n + 2 * (size_t)n_cuts;
    re_part *part = &c->parts[c->n_parts];
    *part = (re_part){.classes = mem,
                      .n_classes = n,
                      .n_blocks = n_blocks,
                      .n_cuts = n_cuts,
                      .cut = mem + n,
                      .cut_block = mem + n + n_cuts,
                      .sample = sample,
                      .by_taste = sample + n_blocks,
                      .root = RE_NIL};
    choose_samples(part, sample, sample + n_blocks);
    if (!re_index_add(c, &c->part_index, hash, c->n_parts)) return RE_NIL;
    return c->n_parts++;
}

/* ------------------------------------------------------------------ splits */

/* Smallest and largest character that begins with the bits of base and goes on in state u8. */
void re_span(uint32_t base, uint8_t u8, uint32_t *lo, uint32_t *hi) {
    *lo = base;
    *hi = base | (((uint32_t)1 << (6 * re_tail(u8))) - 1);
    if (u8 == ARTI_U8_E0) *lo = 0x800u;
    if (u8 == ARTI_U8_ED) *hi = 0xD7FFu;
    if (u8 == ARTI_U8_F0) *lo = 0x10000u;
    if (u8 == ARTI_U8_F4) *hi = RE_CODE_POINT_MAX;
}

/* Bits of the character that are known after a byte. */
static uint32_t base_after(const re_split *s, uint8_t byte, uint8_t u8) {
    if (s->u8 != ARTI_U8_0) return s->base | (uint32_t)(byte & 0x3Fu) << (6 * re_tail(u8));
    const uint32_t n = re_tail(u8);
    return n == 0 ? byte : (byte & (0x7Fu >> (n + 1))) << (6 * n);
}

static re_move move_of(const re_split *s, const re_part *p, uint8_t byte) {
    const uint8_t u8 = arti_u8_next(s->u8, byte);
    if (u8 == ARTI_U8_BAD) return (re_move){.kind = RE_MOVE_DEAD};
    if (!p) return (re_move){.kind = u8 == ARTI_U8_0 ? RE_MOVE_END : RE_MOVE_TAIL, .u8 = u8};
    const uint32_t base = base_after(s, byte, u8);
    uint32_t lo, hi;
    re_span(base, u8, &lo, &hi);
    const uint32_t cut = re_cut_of(p, lo);
    if (cut + 1 < p->n_cuts && p->cut[cut + 1] <= hi) return (re_move){.kind = RE_MOVE_MIXED, .u8 = u8, .value = base};
    return (re_move){.kind = u8 == ARTI_U8_0 ? RE_MOVE_CHAR : RE_MOVE_BLOCK, .u8 = u8, .value = p->cut_block[cut]};
}

/* The newest first: neighbours are often alike. */
static uint8_t number_of(re_move *moves, uint32_t *n, re_move m) {
    uint32_t i = *n;
    while (i > 0 && !(moves[i - 1].kind == m.kind && moves[i - 1].u8 == m.u8 && moves[i - 1].value == m.value)) i--;
    if (i > 0) return (uint8_t)(i - 1);
    moves[*n] = m;
    return (uint8_t)(*n)++;
}

/* RE_NIL on failure. */
static uint32_t new_split(arti_re_ctx *c, uint32_t part, uint32_t base, uint8_t u8) {
    const uint32_t hash = re_mix(re_mix(re_mix(7, part), base), u8);
    uint32_t at = hash, id;
    while ((id = re_index_next(&c->split_index, hash, &at)) != RE_NIL)
        if (c->splits[id]->part == part && c->splits[id]->base == base && c->splits[id]->u8 == u8) return id;
    if (!re_spend(c, 16)) return RE_NIL;
    re_split *s = arti_arena_zero(&c->arena, sizeof *s);
    void *p = c->splits;
    if (!s || !arti_vec_reserve(c->mem, &p, &c->splits_cap, c->n_splits + 1u, sizeof *c->splits))
        return re_refuse_memory(c);
    c->splits = p;
    *s = (re_split){.part = part, .base = base, .u8 = u8};
    re_span(base, u8, &s->lo, &s->hi);
    if (u8 == ARTI_U8_0) s->hi = RE_CODE_POINT_MAX;
    re_move moves[256];
    uint32_t n = 1;
    moves[0] = (re_move){.kind = RE_MOVE_DEAD}; /* of all bytes that are not looked at below */
    const re_part *in = part == RE_NIL ? NULL : &c->parts[part];
    if (u8 == ARTI_U8_0) {
        for (uint32_t b = 0, cut = 0; b < 0x80; cut++) {
            const uint32_t end = cut + 1 < in->n_cuts && in->cut[cut + 1] < 0x80 ? in->cut[cut + 1] : 0x80;
            memset(s->byte_class + b,
                   number_of(moves, &n, (re_move){.kind = RE_MOVE_CHAR, .value = in->cut_block[cut]}), end - b);
            b = end;
        }
    }
    const uint32_t first = u8 == ARTI_U8_0 ? 0xC2u : 0x80u, last = u8 == ARTI_U8_0 ? 0xF4u : 0xBFu;
    for (uint32_t b = first; b <= last; b++) s->byte_class[b] = number_of(moves, &n, move_of(s, in, (uint8_t)b));
    re_move *copy = arti_arena_get(&c->arena, n * sizeof *copy);
    if (!copy) return re_refuse_memory(c);
    memcpy(copy, moves, n * sizeof *copy);
    s->moves = copy;
    s->n_moves = n;
    c->splits[c->n_splits] = s;
    if (!re_index_add(c, &c->split_index, hash, c->n_splits)) return RE_NIL;
    return c->n_splits++;
}

/* The split at the beginning of a character. Partitions that only searches meet need none. */
static uint32_t root_split(arti_re_ctx *c, uint32_t part) {
    if (c->parts[part].root == RE_NIL) c->parts[part].root = new_split(c, part, 0, ARTI_U8_0);
    return c->parts[part].root;
}

/* The split that reads the rest of any character. */
static uint32_t rest_split(arti_re_ctx *c, uint8_t u8) {
    return new_split(c, RE_NIL, 0, u8);
}

/* ------------------------------------------------------------------ vertices */

uint32_t re_vertex_of(arti_re_ctx *c, arti_re t) {
    if (c->nodes[t].vertex != RE_NIL) return c->nodes[t].vertex;
    c->tmp.n = 0;
    if (!collect_classes(c, t)) return RE_NIL;
    const uint32_t part = part_of(c, 0);
    if (part == RE_NIL) return RE_NIL;
    void *p = c->vertices;
    if (!arti_vec_reserve(c->mem, &p, &c->vertices_cap, c->n_vertices + 1u, sizeof *c->vertices))
        return re_refuse_memory(c);
    c->vertices = p;
    const uint32_t n = c->parts[part].n_blocks;
    arti_re *next = arti_arena_get(&c->arena, n * sizeof *next);
    if (!next) return re_refuse_memory(c);
    for (uint32_t i = 0; i < n; i++) next[i] = RE_NIL;
    c->vertices[c->n_vertices] = (re_vertex){.term = t, .part = part, .next = next, .set = RE_NIL};
    c->nodes[t].vertex = c->n_vertices;
    return c->n_vertices++;
}

arti_re re_next(arti_re_ctx *c, uint32_t v, uint32_t block) {
    arti_re *next = c->vertices[v].next; /* stays where it is */
    if (next[block] == RE_NIL) {
        const arti_re t = re_derive(c, c->vertices[v].term, c->parts[c->vertices[v].part].sample[block]);
        if (t == ARTI_RE_FAIL) return t;
        next[block] = t;
    }
    return next[block];
}

/* ------------------------------------------------------------------ byte states */

uint8_t re_is_live_between(arti_re_ctx *c, arti_re t, uint32_t lo, uint32_t hi) {
    const uint32_t v = re_vertex_of(c, t);
    if (v == RE_NIL) return RE_MAYBE;
    const uint32_t part = c->vertices[v].part;
    for (uint32_t i = re_cut_of(&c->parts[part], lo); i < c->parts[part].n_cuts && c->parts[part].cut[i] <= hi; i++) {
        const uint32_t block = c->parts[part].cut_block[i];
        if (block == RE_NIL) continue;
        const arti_re next = re_next(c, v, block);
        const uint8_t live = next == ARTI_RE_FAIL ? RE_MAYBE : re_is_live(c, next);
        if (live != RE_NO) return live;
        if (!re_spend(c, 1)) return RE_MAYBE;
    }
    return RE_NO;
}

/* split RE_NIL (a failure) gives ARTI_RE_FAIL. */
static arti_re_state state_of(arti_re_ctx *c, arti_re t, uint32_t split) {
    if (split == RE_NIL) return ARTI_RE_FAIL;
    const re_split *s = c->splits[split];
    const uint32_t hash = re_mix(re_mix(3, t), split);
    uint32_t at = hash, id;
    while ((id = re_index_next(&c->state_index, hash, &at)) != RE_NIL)
        if (re_info_of(c, id)->term == t && re_info_of(c, id)->split == split) return id;
    const bool mixed = s->part != RE_NIL && s->u8 != ARTI_U8_0;
    const uint8_t live = mixed ? re_is_live_between(c, t, s->lo, s->hi) : re_is_live(c, t);
    if (live == RE_MAYBE) return ARTI_RE_FAIL;
    if (live == RE_NO) return ARTI_RE_DEAD;
    if (c->n_states == ARTI_RE_STATES_MAX)
        return re_refuse(c, ART_E_LIMIT, 0, "regular expressions with too many states (ARTI_RE_STATES_MAX)");
    if (!re_spend(c, 1)) return ARTI_RE_FAIL;
    const uint32_t page = c->n_states / ARTI_RE_PAGE;
    if (!c->info_pages[page] && !(c->info_pages[page] = arti_calloc(c->mem, ARTI_RE_PAGE * sizeof(re_info))))
        return re_refuse_memory(c);
    if (!c->head.pages[page] && !(c->head.pages[page] = arti_calloc(c->mem, ARTI_RE_PAGE * sizeof(arti_re_row))))
        return re_refuse_memory(c);
    _Atomic arti_re_state *next = arti_arena_get(&c->arena, s->n_moves * sizeof *next);
    if (!next) return re_refuse_memory(c);
    for (uint32_t i = 0; i < s->n_moves; i++)
        atomic_init(&next[i], s->moves[i].kind == RE_MOVE_DEAD ? ARTI_RE_DEAD : ARTI_RE_UNKNOWN);
    if (!re_index_add(c, &c->state_index, hash, c->n_states)) return ARTI_RE_FAIL;
    arti_re_row *row = &c->head.pages[page][c->n_states % ARTI_RE_PAGE];
    row->byte_class = s->byte_class;
    row->next = next;
    row->n_classes = s->n_moves;
    row->accepts = s->u8 == ARTI_U8_0 && c->nodes[t].flags & RE_NULLABLE;
    re_info *info = re_info_of(c, c->n_states);
    info->term = t;
    info->split = split;
    return c->n_states++;
}

arti_re_state re_whole_state(arti_re_ctx *c, arti_re t) {
    if (t == ARTI_RE_FAIL) return t;
    const uint8_t live = re_is_live(c, t);
    if (live == RE_MAYBE) return ARTI_RE_FAIL;
    if (live == RE_NO) return ARTI_RE_DEAD;
    const uint32_t v = re_vertex_of(c, t);
    return v == RE_NIL ? ARTI_RE_FAIL : state_of(c, t, root_split(c, c->vertices[v].part));
}

arti_re_state arti_re_start(arti_re_ctx *c, arti_re t) {
    re_begin(c);
    return re_whole_state(c, t);
}

art_status arti_re_get_near(arti_re_ctx *c, arti_re_state s, arti_re_state *out, uint32_t *reach) {
    *out = s;
    *reach = ARTI_RE_UNBOUNDED;
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    if (s == ARTI_RE_DEAD || c->splits[info->split]->u8 != ARTI_U8_0) return ART_OK;
    const art_error before = c->err;
    re_begin(c);
    uint32_t n;
    const arti_re t = re_near(c, info->term, &n);
    const arti_re_state near = t == info->term ? s : re_whole_state(c, t);
    if (near == ARTI_RE_FAIL) {
        if (c->err.code == ART_E_NOMEM) return ART_E_NOMEM;
        c->err = before; /* too much work: s itself will do */
        return ART_OK;
    }
    *out = near;
    *reach = n;
    return ART_OK;
}

art_status arti_re_bind(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_state *out) {
    *out = s;
    if (s == ARTI_RE_FAIL) return c->err.code;
    const re_info *info = re_info_of(c, s);
    if (s == ARTI_RE_DEAD) return ART_OK;
    if (c->splits[info->split]->u8 != ARTI_U8_0) return ART_E_ARG;
    re_begin(c);
    const arti_re length = re_loop(c, RE_ANY_CHAR, lo, hi),
                  t = length == ARTI_RE_FAIL ? length : re_and2(c, info->term, length);
    const arti_re_state bound = re_whole_state(c, t);
    if (bound == ARTI_RE_FAIL) return c->err.code;
    *out = bound;
    return ART_OK;
}

arti_re_state arti_re_step_slow(arti_re_ctx *c, arti_re_state s, uint8_t byte) {
    re_begin(c);
    const arti_re_row *row = arti_re_row_of(c, s);
    const re_info *info = re_info_of(c, s);
    const re_split *split = c->splits[info->split];
    const uint8_t cls = split->byte_class[byte];
    const re_move m = split->moves[cls];
    arti_re_state to = ARTI_RE_DEAD;
    switch ((re_move_kind)m.kind) {
    case RE_MOVE_DEAD: break;
    case RE_MOVE_TAIL: to = state_of(c, info->term, rest_split(c, m.u8)); break;
    case RE_MOVE_END: to = re_whole_state(c, info->term); break;
    case RE_MOVE_MIXED: to = state_of(c, info->term, new_split(c, split->part, m.value, m.u8)); break;
    case RE_MOVE_CHAR:
    case RE_MOVE_BLOCK: {
        const uint32_t v = re_vertex_of(c, info->term);
        const arti_re t = v == RE_NIL ? ARTI_RE_FAIL : re_next(c, v, m.value);
        if (t == ARTI_RE_FAIL) return ARTI_RE_FAIL;
        to = m.kind == RE_MOVE_CHAR ? re_whole_state(c, t) : state_of(c, t, rest_split(c, m.u8));
        break;
    }
    }
    if (to != ARTI_RE_FAIL) atomic_store_explicit(&row->next[cls], to, memory_order_release);
    return to;
}

arti_re_state arti_re_run(arti_re_ctx *c, arti_re_state s, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len && s != ARTI_RE_DEAD && s != ARTI_RE_FAIL; i++) {
        const arti_re_state from = s;
        s = arti_re_step(c, s, bytes[i]);
        while (s == from && i + 1 < len && bytes[i + 1] == bytes[i]) i++; /* runs of one character are common */
    }
    return s;
}

bool re_dfa_init(arti_re_ctx *c) {
    static const uint8_t all_alike[256] = {0};
    _Atomic arti_re_state *next = arti_arena_get(&c->arena, sizeof *next);
    c->info_pages[0] = arti_calloc(c->mem, ARTI_RE_PAGE * sizeof(re_info));
    if (c->info_pages[0]) c->head.pages[0] = arti_calloc(c->mem, ARTI_RE_PAGE * sizeof(arti_re_row));
    if (!next || !c->head.pages[0]) return re_refuse_memory(c), false;
    atomic_init(next, ARTI_RE_DEAD); /* every byte leads back to it */
    c->head.pages[0][0] = (arti_re_row){.byte_class = all_alike, .next = next, .n_classes = 1};
    c->n_states = 1;
    return true;
}
