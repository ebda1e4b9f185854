/* SPDX-License-Identifier: Apache-2.0
 *
 * Context, character classes and terms. The constructors bring terms into a normal form that keeps the number of
 * derivatives small; every rewriting here is an equality of languages that also holds of relations inside a larger
 * term. */
#include "art_regex_impl.h"

#include <stdarg.h>
#include <stdio.h>

/* ------------------------------------------------------------------ errors, vectors, interning */

uint32_t re_refuse(arti_re_ctx *c, art_status code, size_t pos, const char *fmt, ...) {
    char msg[sizeof c->err.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    arti_fail(&c->err, code, pos, "%s", msg);
    return ARTI_RE_FAIL;
}

uint32_t re_refuse_memory(arti_re_ctx *c) {
    arti_mem_fail(c->mem, &c->err);
    return ARTI_RE_FAIL;
}

bool re_spend_slow(arti_re_ctx *c) {
    c->work = 0;
    re_refuse(c, ART_E_LIMIT, 0, "regular expression is too much work (ARTI_RE_WORK_MAX)");
    return false;
}

art_status arti_re_error(const arti_re_ctx *c, art_error *err) {
    if (err) *err = c->err;
    return c->err.code;
}

static bool vec_reserve(arti_re_ctx *c, void **ptr, size_t *cap, size_t need, size_t item) {
    if (arti_vec_reserve(c->mem, ptr, cap, need, item)) return true;
    re_refuse_memory(c);
    return false;
}

bool re_push(arti_re_ctx *c, re_vec *v, uint32_t x) {
    if (v->n == v->cap) {
        void *p = v->at;
        if (!vec_reserve(c, &p, &v->cap, v->n + 1, sizeof *v->at)) return false;
        v->at = p;
    }
    v->at[v->n++] = x;
    return true;
}

bool re_push64(arti_re_ctx *c, re_vec64 *v, uint64_t x) {
    if (v->n == v->cap) {
        void *p = v->at;
        if (!vec_reserve(c, &p, &v->cap, v->n + 1, sizeof *v->at)) return false;
        v->at = p;
    }
    v->at[v->n++] = x;
    return true;
}

bool re_index_add(arti_re_ctx *c, re_index *ix, uint32_t hash, uint32_t id) {
    if (ix->used >= ix->size / 4 * 3) {
        const uint32_t size = ix->size ? ix->size * 2 : 32;
        re_slot *slots = arti_realloc(c->mem, NULL, 0, size * sizeof *slots);
        if (!slots) {
            re_refuse_memory(c);
            return false;
        }
        for (uint32_t i = 0; i < size; i++) slots[i].id = RE_NIL;
        for (uint32_t i = 0; i < ix->size; i++) {
            if (ix->slots[i].id == RE_NIL) continue;
            uint32_t at = ix->slots[i].hash & (size - 1);
            while (slots[at].id != RE_NIL) at = (at + 1) & (size - 1);
            slots[at] = ix->slots[i];
        }
        arti_free(c->mem, ix->slots, ix->size * sizeof *ix->slots);
        ix->slots = slots;
        ix->size = size;
    }
    uint32_t at = hash & (ix->size - 1);
    while (ix->slots[at].id != RE_NIL) at = (at + 1) & (ix->size - 1);
    ix->slots[at] = (re_slot){hash, id};
    ix->used++;
    return true;
}

void re_sort64(uint64_t *a, size_t n) {
    static const size_t gaps[] = {40423, 14000, 4861, 1750, 701, 301, 132, 57, 23, 10, 4, 1}; /* M. Ciura, 2001 */
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        const size_t gap = gaps[g];
        for (size_t i = gap; i < n; i++) {
            const uint64_t x = a[i];
            size_t j = i;
            for (; j >= gap && a[j - gap] > x; j -= gap) a[j] = a[j - gap];
            a[j] = x;
        }
    }
}

void re_sort(uint32_t *a, size_t n) {
    static const size_t gaps[] = {40423, 14000, 4861, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    enum { N_GAPS = sizeof gaps / sizeof *gaps };
    size_t descents = 0; /* two sorted runs after each other are usual */
    for (size_t i = 1; i < n; i++) descents += a[i - 1] > a[i];
    for (size_t g = descents == 0 ? N_GAPS : descents == 1 ? N_GAPS - 1 : 0; g < N_GAPS; g++) {
        const size_t gap = gaps[g];
        for (size_t i = gap; i < n; i++) {
            const uint32_t x = a[i];
            size_t j = i;
            for (; j >= gap && a[j - gap] > x; j -= gap) a[j] = a[j - gap];
            a[j] = x;
        }
    }
}

/* In place, of a sorted array; returns the new length. */
static size_t unique(uint32_t *a, size_t n) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (k == 0 || a[k - 1] != a[i]) a[k++] = a[i];
    return k;
}

static bool contains(const uint32_t *sorted, size_t n, uint32_t x) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (sorted[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && sorted[lo] == x;
}

uint32_t re_next_epoch(arti_re_ctx *c) {
    if (++c->epoch == 0) { /* wrapped: old marks would look fresh */
        for (uint32_t i = 0; i < c->n_nodes; i++) c->nodes[i].mark_first = c->nodes[i].mark_behind = 0;
        for (uint32_t i = 0; i < c->n_vertices; i++) c->vertices[i].mark = c->vertices[i].mark_path = 0;
        for (uint32_t i = 0; i < c->n_sets; i++) c->sets[i].mark = 0;
        c->epoch = 1;
    }
    return c->epoch;
}

/* ------------------------------------------------------------------ classes */

static bool add_scalars(arti_re_ctx *c, uint32_t lo, uint32_t hi) {
    if (lo > hi) return true;
    if (c->range_n == c->range_cap) {
        void *p = c->range_buf;
        if (!vec_reserve(c, &p, &c->range_cap, c->range_n + 1, sizeof *c->range_buf)) return false;
        c->range_buf = p;
    }
    c->range_buf[c->range_n++] = (arti_re_range){lo, hi};
    return true;
}

bool re_ranges_add(arti_re_ctx *c, uint32_t lo, uint32_t hi) {
    if (hi > RE_CODE_POINT_MAX) hi = RE_CODE_POINT_MAX;
    return add_scalars(c, lo, hi < 0xD800u ? hi : 0xD7FFu) && add_scalars(c, lo > 0xDFFFu ? lo : 0xE000u, hi);
}

bool re_ranges_add_class(arti_re_ctx *c, uint32_t cls) {
    for (uint32_t i = 0; i < c->classes[cls].n; i++) {
        const arti_re_range r = c->classes[cls].ranges[i];
        if (!add_scalars(c, r.lo, r.hi)) return false;
    }
    return true;
}

bool re_ranges_normalise(arti_re_ctx *c) {
    size_t n = c->range_n;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) sorted = c->range_buf[i - 1].lo <= c->range_buf[i].lo;
    if (!sorted) {
        c->sort.n = 0;
        for (size_t i = 0; i < n; i++)
            if (!re_push64(c, &c->sort, (uint64_t)c->range_buf[i].lo << 32 | c->range_buf[i].hi)) return false;
        re_sort64(c->sort.at, n);
        for (size_t i = 0; i < n; i++)
            c->range_buf[i] = (arti_re_range){(uint32_t)(c->sort.at[i] >> 32), (uint32_t)c->sort.at[i]};
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const arti_re_range r = c->range_buf[i];
        if (k && r.lo <= c->range_buf[k - 1].hi + 1) {
            if (r.hi > c->range_buf[k - 1].hi) c->range_buf[k - 1].hi = r.hi;
        } else {
            c->range_buf[k++] = r;
        }
    }
    c->range_n = k;
    return true;
}

bool re_ranges_invert(arti_re_ctx *c) {
    if (!re_ranges_normalise(c)) return false;
    const size_t n = c->range_n;
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) { /* the gaps go behind the ranges, then to the front */
        const arti_re_range r = c->range_buf[i];
        if (r.lo > from && !re_ranges_add(c, from, r.lo - 1)) return false;
        from = r.hi + 1;
    }
    if (from <= RE_CODE_POINT_MAX && !re_ranges_add(c, from, RE_CODE_POINT_MAX)) return false;
    c->range_n -= n;
    if (c->range_n) memmove(c->range_buf, c->range_buf + n, c->range_n * sizeof *c->range_buf);
    return true;
}

bool re_class_has(const re_class *k, uint32_t cp) {
    if (cp < 128) return k->ascii[cp / 64] >> (cp % 64) & 1;
    uint32_t lo = 0, hi = k->n;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (k->ranges[mid].hi < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < k->n && k->ranges[lo].lo <= cp;
}

/* The class in range_buf (normalised, not empty) by number. */
static uint32_t class_of_ranges(arti_re_ctx *c) {
    const arti_re_range *r = c->range_buf;
    const uint32_t n = (uint32_t)c->range_n;
    uint32_t hash = n;
    for (uint32_t i = 0; i < n; i++) hash = re_mix(re_mix(hash, r[i].lo), r[i].hi);
    uint32_t at = hash, id;
    while ((id = re_index_next(&c->class_index, hash, &at)) != RE_NIL)
        if (c->classes[id].n == n && memcmp(c->classes[id].ranges, r, n * sizeof *r) == 0) return id;
    if (!re_spend(c, 1 + n / 8)) return ARTI_RE_FAIL;
    if (c->n_classes == ARTI_RE_CLASSES_MAX)
        return re_refuse(c, ART_E_LIMIT, 0, "too many character classes (ARTI_RE_CLASSES_MAX)");
    void *p = c->classes;
    if (!vec_reserve(c, &p, &c->classes_cap, c->n_classes + 1u, sizeof *c->classes)) return ARTI_RE_FAIL;
    c->classes = p;
    arti_re_range *copy = arti_arena_get(&c->arena, n * sizeof *copy);
    if (!copy) return re_refuse_memory(c);
    memcpy(copy, r, n * sizeof *r);
    re_class *k = &c->classes[c->n_classes];
    *k = (re_class){.ranges = copy, .n = n, .hash = hash};
    for (uint32_t i = 0; i < n && r[i].lo < 128; i++)
        for (uint32_t b = r[i].lo; b <= r[i].hi && b < 128; b++) k->ascii[b / 64] |= (uint64_t)1 << (b % 64);
    if (!re_index_add(c, &c->class_index, hash, c->n_classes)) return ARTI_RE_FAIL;
    return c->n_classes++;
}

/* ------------------------------------------------------------------ nodes */

static uint32_t hash_node(const re_node *x) {
    uint32_t h = re_mix(x->kind, x->a);
    h = re_mix(h, x->b);
    if (x->kind == RE_LOOP) h = re_mix(re_mix(h, x->min), x->max);
    if (x->kids)
        for (uint32_t i = 0; i < x->b; i++) h = re_mix(h, x->kids[i]);
    return h;
}

static bool same_node(const re_node *x, const re_node *y) {
    return x->kind == y->kind && x->a == y->a && x->b == y->b && x->min == y->min && x->max == y->max &&
           (!x->kids || memcmp(x->kids, y->kids, x->b * sizeof *x->kids) == 0);
}

static uint32_t add_length(uint32_t a, uint32_t b) {
    if (a == ARTI_RE_UNBOUNDED || b == ARTI_RE_UNBOUNDED) return ARTI_RE_UNBOUNDED;
    return a + b; /* both at most ARTI_RE_LENGTH_MAX */
}

static uint64_t mul_length(uint32_t a, uint32_t b) {
    if (a == 0 || b == 0) return 0;
    if (a == ARTI_RE_UNBOUNDED || b == ARTI_RE_UNBOUNDED) return ARTI_RE_UNBOUNDED;
    const uint64_t r = (uint64_t)a * b;
    return r < ARTI_RE_UNBOUNDED ? r : ARTI_RE_UNBOUNDED - 1;
}

static bool or_is_contiguous(const arti_re_ctx *c, const re_node *x) {
    /* Sorted by kids' ids, not by lengths: grow one interval until nothing more touches it. */
    uint32_t lo = c->nodes[x->kids[0]].shortest, hi = c->nodes[x->kids[0]].longest;
    for (int pass = 0; pass < 2; pass++) {
        bool all = true;
        for (uint32_t i = 0; i < x->b; i++) {
            const re_node *k = &c->nodes[x->kids[i]];
            if (!(k->flags & RE_CONTIGUOUS)) return false;
            if (k->shortest > add_length(hi, 1) || add_length(k->longest, 1) < lo) {
                all = false;
                continue;
            }
            if (k->shortest < lo) lo = k->shortest;
            if (k->longest > hi) hi = k->longest;
        }
        if (all) return true;
    }
    return false;
}

/* How far re_near() looks. */
static const uint8_t reaches[RE_REACHES] = {ARTI_RE_REACH_MIN + 4, 2 * (ARTI_RE_REACH_MIN + 4), ARTI_RE_REACH_MAX};

/* The bounds of a loop over texts of `shortest` characters or more, where no text has more than reach[level]: a maximum that is not got to
 * is none, and so many turns that the loop can not be left are like any such number. */
static void near_bounds(uint32_t shortest, uint32_t level, uint32_t *min, uint32_t *max) {
    const uint32_t reach = reaches[level], turns = shortest > 1 ? reach / shortest + 1 : reach; /* that may be begun */
    if (*max >= turns) *max = ARTI_RE_UNBOUNDED;
    if (*min > turns) *min = turns + 1;
}

/* re_node.counters: bit i, reaches[i] would change some loop's bounds; bit 4 + i, those of all loops that any would. */
static uint8_t counters_of_loop(const re_node *x, uint32_t shortest) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < RE_REACHES; i++) {
        uint32_t min = x->min, max = x->max;
        near_bounds(shortest, i, &min, &max);
        if (min != x->min || max != x->max) bits |= 0x11u << i;
    }
    return (uint8_t)bits;
}

static uint8_t join_counters(uint8_t a, uint8_t b) {
    return !a || !b ? a | b : (uint8_t)(((a | b) & 0x0Fu) | (a & b & 0xF0u));
}

/* Fills in what follows from the parts; false when a length is too big. */
static bool describe(const arti_re_ctx *c, re_node *x) {
    const re_node *a = x->kind == RE_CONCAT || x->kind >= RE_NOT || x->kind == RE_LOOP ? &c->nodes[x->a] : NULL;
    const re_node *b = x->kind == RE_CONCAT ? &c->nodes[x->b] : NULL;
    uint32_t flags = 0;
    uint64_t longest = 0;
    switch ((re_kind)x->kind) {
    case RE_NONE: flags = 0; break;
    case RE_EMPTY: flags = RE_NULLABLE | RE_EXACT | RE_CONTIGUOUS; break;
    case RE_ANY:
        flags = RE_NULLABLE | RE_EXACT | RE_CONTIGUOUS | RE_STRETCHES;
        longest = ARTI_RE_UNBOUNDED;
        break;
    case RE_CLASS:
        flags = RE_EXACT | RE_CONTIGUOUS;
        x->shortest = 1;
        longest = 1;
        break;
    case RE_MACHINE: {
        const re_machine *m = c->machines[x->a];
        uint32_t most;
        m->lengths(x->b, &x->shortest, &most);
        longest = most;
        flags = RE_EXACT | RE_HAS_MACHINE | (m->accepts(x->b) ? RE_NULLABLE : 0u);
        break;
    }
    case RE_CONCAT:
        flags =
            (a->flags & b->flags & (RE_NULLABLE | RE_EXACT)) | ((a->flags | b->flags) & (RE_LOOKS | RE_HAS_MACHINE));
        if (flags & RE_EXACT) {
            const bool ca = a->flags & RE_CONTIGUOUS, cb = b->flags & RE_CONTIGUOUS;
            if ((ca && cb) || (ca && a->longest == ARTI_RE_UNBOUNDED) || (cb && b->longest == ARTI_RE_UNBOUNDED))
                flags |= RE_CONTIGUOUS;
            flags |= b->flags & RE_STRETCHES;
        }
        x->shortest = add_length(a->shortest, b->shortest);
        longest = add_length(a->longest, b->longest);
        x->counters = join_counters(a->counters, b->counters);
        break;
    case RE_LOOP:
        flags = a->flags & (RE_NULLABLE | RE_EXACT | RE_LOOKS | RE_HAS_MACHINE);
        if (x->min == 0) flags |= RE_NULLABLE;
        /* k and k + 1 texts leave no gap between them when (k+1)*shortest <= k*longest + 1; the smallest k decides. */
        if ((flags & RE_EXACT) && (a->flags & RE_CONTIGUOUS) &&
            (x->min == x->max || ((uint64_t)x->min + 1) * a->shortest <= mul_length(a->longest, x->min) + 1))
            flags |= RE_CONTIGUOUS;
        if (a->kind == RE_CLASS && x->max == ARTI_RE_UNBOUNDED) flags |= RE_STRETCHES;
        longest = mul_length(a->longest, x->max);
        x->counters = join_counters(a->counters, counters_of_loop(x, a->shortest));
        {
            const uint64_t shortest = mul_length(a->shortest, x->min);
            if (shortest > ARTI_RE_LENGTH_MAX) return false;
            x->shortest = (uint32_t)shortest;
        }
        break;
    case RE_OR:
    case RE_AND: {
        const bool is_or = x->kind == RE_OR;
        uint32_t all = RE_NULLABLE | RE_EXACT | RE_STRETCHES, any = 0;
        x->shortest = is_or ? ARTI_RE_UNBOUNDED : 0;
        longest = is_or ? 0 : ARTI_RE_UNBOUNDED;
        for (uint32_t i = 0; i < x->b; i++) {
            const re_node *k = &c->nodes[x->kids[i]];
            all &= k->flags;
            any |= k->flags;
            x->counters = join_counters(x->counters, k->counters);
            if (is_or ? k->shortest < x->shortest : k->shortest > x->shortest) x->shortest = k->shortest;
            if (is_or ? k->longest > longest : k->longest < longest) longest = k->longest;
        }
        if (is_or) {
            flags = (any & (RE_NULLABLE | RE_LOOKS | RE_HAS_MACHINE)) | (all & (RE_EXACT | RE_STRETCHES));
            if ((flags & RE_EXACT) && or_is_contiguous(c, x)) flags |= RE_CONTIGUOUS;
        } else {
            flags = (all & RE_NULLABLE) | (any & (RE_HAS_BEHIND | RE_HAS_MACHINE));
        }
        break;
    }
    case RE_NOT:
        flags = (~a->flags & RE_NULLABLE) | (a->flags & RE_HAS_BEHIND);
        x->shortest = flags & RE_NULLABLE || flags & RE_HAS_BEHIND ? 0 : 1;
        longest = ARTI_RE_UNBOUNDED;
        break;
    case RE_AHEAD:
    case RE_BEHIND:
        flags = (a->flags & (RE_NULLABLE | RE_HAS_BEHIND)) | (x->kind == RE_AHEAD ? RE_HAS_AHEAD : RE_HAS_BEHIND);
        if (x->kind == RE_AHEAD) x->counters = a->counters;
        break;
    }
    x->flags = (uint8_t)flags;
    if (longest != ARTI_RE_UNBOUNDED && longest > ARTI_RE_LENGTH_MAX) return false;
    x->longest = (uint32_t)longest;
    return x->shortest == ARTI_RE_UNBOUNDED || x->shortest <= ARTI_RE_LENGTH_MAX;
}

static arti_re intern(arti_re_ctx *c, re_node x) {
    const uint32_t hash = hash_node(&x);
    uint32_t at = hash, id;
    if (!re_spend(c, 1 + x.b * (x.kids != NULL) / 8)) return ARTI_RE_FAIL;
    while ((id = re_index_next(&c->node_index, hash, &at)) != RE_NIL)
        if (same_node(&c->nodes[id], &x)) return id;
    if (c->n_nodes == ARTI_RE_TERMS_MAX)
        return re_refuse(c, ART_E_LIMIT, 0, "regular expression is too big (ARTI_RE_TERMS_MAX)");
    if (!describe(c, &x))
        return re_refuse(c, ART_E_LIMIT, 0,
                         "repetitions multiply to texts of more than %u characters (ARTI_RE_LENGTH_MAX)",
                         ARTI_RE_LENGTH_MAX);
    void *p = c->nodes;
    if (!vec_reserve(c, &p, &c->nodes_cap, c->n_nodes + 1u, sizeof *c->nodes)) return ARTI_RE_FAIL;
    c->nodes = p;
    if (x.kids) {
        uint32_t *copy = arti_arena_get(&c->arena, x.b * sizeof *copy);
        if (!copy) return re_refuse_memory(c);
        memcpy(copy, x.kids, x.b * sizeof *copy);
        x.kids = copy;
    }
    x.vertex = x.shape = x.cover = x.farthest = RE_NIL;
    for (uint32_t i = 0; i < RE_REACHES; i++) x.near[i] = RE_NIL;
    c->nodes[c->n_nodes] = x;
    if (!re_index_add(c, &c->node_index, hash, c->n_nodes)) return ARTI_RE_FAIL;
    return c->n_nodes++;
}

arti_re re_class_term(arti_re_ctx *c, uint32_t cls) {
    return intern(c, (re_node){.kind = RE_CLASS, .a = cls});
}

arti_re re_machine_term(arti_re_ctx *c, const re_machine *m, uint32_t state) {
    uint32_t i = 0;
    while (i < c->n_machines && c->machines[i] != m) i++;
    if (i == c->n_machines) {
        if (i == sizeof c->machines / sizeof *c->machines) return re_refuse(c, ART_E_LIMIT, 0, "too many machines");
        c->machines[c->n_machines++] = m;
    }
    return intern(c, (re_node){.kind = RE_MACHINE, .a = i, .b = state});
}

arti_re re_ranges_finish(arti_re_ctx *c) {
    if (!re_ranges_normalise(c)) return ARTI_RE_FAIL;
    if (c->range_n == 0) return ARTI_RE_NONE;
    const uint32_t cls = class_of_ranges(c);
    return cls == ARTI_RE_FAIL ? ARTI_RE_FAIL : re_class_term(c, cls);
}

/* ------------------------------------------------------------------ constructors */

static bool looks(const arti_re_ctx *c, arti_re t) {
    return c->nodes[t].flags & RE_LOOKS;
}

static bool is_plain_nullable(const arti_re_ctx *c, arti_re t) {
    return (c->nodes[t].flags & (RE_LOOKS | RE_NULLABLE)) == RE_NULLABLE;
}

/* A term as a loop: ANY is a loop over all characters, and everything else is one turn of itself. */
typedef struct loop_view {
    arti_re body;
    uint32_t min, max;
} loop_view;

static loop_view view_loop(const arti_re_ctx *c, arti_re t) {
    const re_node *x = &c->nodes[t];
    if (x->kind == RE_ANY) return (loop_view){RE_ANY_CHAR, 0, ARTI_RE_UNBOUNDED};
    if (x->kind == RE_LOOP) return (loop_view){x->a, x->min, x->max};
    return (loop_view){t, 1, 1};
}

arti_re re_loop(arti_re_ctx *c, arti_re a, uint32_t min, uint32_t max) {
    for (;;) {
        if (a == ARTI_RE_FAIL) return a;
        if (max == 0 || a == ARTI_RE_EMPTY) return ARTI_RE_EMPTY;
        if (a == ARTI_RE_NONE) return min ? ARTI_RE_NONE : ARTI_RE_EMPTY;
        if ((min == 1 && max == 1) || a == ARTI_RE_ANY) return a;
        if (looks(c, a)) break;
        const re_node *x = &c->nodes[a];
        if (x->flags & RE_NULLABLE) min = 0;
        if (x->kind != RE_LOOP) break;
        /* k turns of p..q are kp..kq; all k together are one stretch when no two neighbours leave a gap. */
        const bool gapless = min == max || ((uint64_t)min + 1) * x->min <= mul_length(x->max, min) + 1;
        const uint64_t lo = mul_length(x->min, min), hi = mul_length(x->max, max);
        if (!gapless || lo > ARTI_RE_LENGTH_MAX || (hi != ARTI_RE_UNBOUNDED && hi > ARTI_RE_LENGTH_MAX)) break;
        a = x->a;
        min = (uint32_t)lo;
        max = (uint32_t)hi;
    }
    if (a == RE_ANY_CHAR && min == 0 && max == ARTI_RE_UNBOUNDED) return ARTI_RE_ANY;
    return intern(c, (re_node){.kind = RE_LOOP, .a = a, .min = min, .max = max});
}

/* a is no CONCAT. Calls itself (through re_concat) once at most for each loop that loops are nested in. */
static arti_re concat_one(arti_re_ctx *c, arti_re a, arti_re b) {
    for (;;) { /* until no rule applies */
        if (a == ARTI_RE_NONE || b == ARTI_RE_NONE) return ARTI_RE_NONE;
        if (a == ARTI_RE_EMPTY) return b;
        if (b == ARTI_RE_EMPTY) return a;
        const re_node *x = &c->nodes[a];
        const bool chain = c->nodes[b].kind == RE_CONCAT;
        const arti_re head = chain ? c->nodes[b].a : b;
        const arti_re tail = chain ? c->nodes[b].b : ARTI_RE_EMPTY;
        const re_node *y = &c->nodes[head];
        if (head == ARTI_RE_ANY) {
            if (is_plain_nullable(c, a)) return b; /* x ANY where x may be empty: ANY holds it */
            if (x->kind == RE_LOOP && x->min != x->max && !looks(c, a)) {
                a = re_loop(c, x->a, x->min, x->min); /* further turns are within ANY */
                if (a == ARTI_RE_FAIL) return a;
                if (c->nodes[a].kind == RE_CONCAT) return re_concat(c, a, b);
                continue;
            }
            if (x->kind == RE_AHEAD && x->a == ARTI_RE_EMPTY) {
                b = tail; /* at the end of the text ANY is empty */
                continue;
            }
        }
        if (a == ARTI_RE_ANY) {
            if (is_plain_nullable(c, head)) {
                if (head == ARTI_RE_ANY) return b;
                b = tail;
                continue;
            }
            if (y->kind == RE_BEHIND && y->a == ARTI_RE_EMPTY) return b; /* at the beginning ANY is empty */
            if (y->kind == RE_LOOP && y->min != y->max && !looks(c, head)) {
                const arti_re least = re_loop(c, y->a, y->min, y->min);
                b = re_concat(c, least, tail);
                if (b == ARTI_RE_FAIL) return b;
                continue;
            }
        }
        if (x->kind == RE_LOOP || y->kind == RE_LOOP) {
            const loop_view u = view_loop(c, a), v = view_loop(c, head);
            if (u.body == v.body) {
                const uint32_t min = add_length(u.min, v.min), max = add_length(u.max, v.max);
                if (min <= ARTI_RE_LENGTH_MAX && (max == ARTI_RE_UNBOUNDED || max <= ARTI_RE_LENGTH_MAX)) {
                    a = re_loop(c, u.body, min, max);
                    if (a == ARTI_RE_FAIL) return a;
                    b = tail;
                    continue;
                }
            }
        }
        return intern(c, (re_node){.kind = RE_CONCAT, .a = a, .b = b});
    }
}

arti_re re_concat(arti_re_ctx *c, arti_re a, arti_re b) {
    if (a == ARTI_RE_FAIL || b == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    /* The spine of a, last element first. */
    const size_t base = c->tmp.n;
    while (c->nodes[a].kind == RE_CONCAT) {
        if (!re_push(c, &c->tmp, c->nodes[a].a)) return ARTI_RE_FAIL;
        a = c->nodes[a].b;
    }
    b = concat_one(c, a, b);
    while (b != ARTI_RE_FAIL && c->tmp.n > base) b = concat_one(c, c->tmp.at[--c->tmp.n], b);
    c->tmp.n = base;
    return b;
}

/* Flattens tmp[base ..], drops `unit` and repetitions, sorts. true with *done ARTI_RE_FAIL or `zero` when that is the
 * answer. */
static bool gather(arti_re_ctx *c, size_t base, re_kind kind, arti_re unit, arti_re zero, arti_re *done) {
    for (size_t i = base; i < c->tmp.n;) {
        const arti_re t = c->tmp.at[i];
        if (t == ARTI_RE_FAIL || t == zero) {
            *done = t;
            return true;
        }
        const re_node *x = &c->nodes[t];
        if (t == unit) {
            c->tmp.at[i] = c->tmp.at[--c->tmp.n];
        } else if (x->kind == kind) {
            const uint32_t *kids = x->kids;
            const uint32_t n = x->b;
            c->tmp.at[i] = kids[0];
            for (uint32_t k = 1; k < n; k++) {
                if (!re_push(c, &c->tmp, kids[k])) {
                    *done = ARTI_RE_FAIL;
                    return true;
                }
            }
        } else {
            i++;
        }
    }
    const size_t n = c->tmp.n - base;
    if (n > 1) {
        re_sort(c->tmp.at + base, n);
        c->tmp.n = base + unique(c->tmp.at + base, n);
    }
    if (!re_spend(c, (uint32_t)(n < ARTI_RE_WORK_MAX ? n / 4 : ARTI_RE_WORK_MAX))) {
        *done = ARTI_RE_FAIL;
        return true;
    }
    for (size_t i = base; i < c->tmp.n; i++) {
        const re_node *x = &c->nodes[c->tmp.at[i]];
        if (x->kind == RE_NOT && contains(c->tmp.at + base, c->tmp.n - base, x->a)) {
            *done = zero;
            return true;
        }
    }
    if (c->tmp.n - base > ARTI_RE_WIDTH_MAX) {
        *done = re_refuse(c, ART_E_LIMIT, 0, "too many alternatives (ARTI_RE_WIDTH_MAX)");
        return true;
    }
    return false;
}

static arti_re finish_nary(arti_re_ctx *c, size_t base, re_kind kind, arti_re none) {
    const size_t n = c->tmp.n - base;
    arti_re t;
    if (n == 0)
        t = none;
    else if (n == 1)
        t = c->tmp.at[base];
    else
        t = intern(c, (re_node){.kind = (uint8_t)kind, .b = (uint32_t)n, .kids = c->tmp.at + base});
    return t;
}

static arti_re head_of(uint64_t key) {
    return (arti_re)key;
}
static arti_re tail_of(uint64_t key) {
    return (arti_re)(key >> 32);
}
static uint64_t with_head(uint64_t key, arti_re head) {
    return (key & ~(uint64_t)UINT32_MAX) | head;
}

#define MERGE_MAX 64u /* alternatives with the same tail that are compared in pairs */

/* keys[0..n) are alternatives with the same tail. Classes become one class, loops over the same body whose counts
 * touch become one loop; what is merged into another gets the head NONE. */
static bool merge_heads(arti_re_ctx *c, uint64_t *keys, size_t n) {
    const re_node *tail = &c->nodes[tail_of(keys[0])];
    /* Before ANY fewer turns are more texts: x{3} ANY is within x{2} ANY. */
    const bool before_any = tail->kind == RE_ANY || (tail->kind == RE_CONCAT && tail->a == ARTI_RE_ANY);
    for (size_t i = 0; n <= MERGE_MAX && i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (i == j || head_of(keys[i]) == ARTI_RE_NONE || head_of(keys[j]) == ARTI_RE_NONE) continue;
            const loop_view u = view_loop(c, head_of(keys[i])), v = view_loop(c, head_of(keys[j]));
            if (u.body != v.body || looks(c, u.body)) continue;
            if (!before_any && (v.min > add_length(u.max, 1) || u.min > add_length(v.max, 1))) continue;
            const uint32_t min = u.min < v.min ? u.min : v.min, max = u.max > v.max ? u.max : v.max;
            const arti_re loop = re_loop(c, u.body, min, before_any ? min : max);
            if (loop == ARTI_RE_FAIL) return false;
            keys[i] = with_head(keys[i], loop);
            keys[j] = with_head(keys[j], ARTI_RE_NONE);
            j = SIZE_MAX; /* start over: the longer loop may touch one that was passed */
        }
    }
    size_t n_classes = 0, first = 0;
    re_ranges_reset(c);
    for (size_t i = 0; i < n; i++) {
        const re_node *x = &c->nodes[head_of(keys[i])];
        if (x->kind != RE_CLASS) continue;
        if (n_classes++ == 0) first = i;
        if (!re_ranges_add_class(c, x->a)) return false;
    }
    if (n_classes < 2) return true;
    const arti_re all = re_ranges_finish(c);
    if (all == ARTI_RE_FAIL) return false;
    for (size_t i = first; i < n; i++)
        if (c->nodes[head_of(keys[i])].kind == RE_CLASS) keys[i] = with_head(keys[i], i == first ? all : ARTI_RE_NONE);
    return true;
}

/* Merges among the alternatives tmp[base ..] (sorted). */
static bool merge_alternatives(arti_re_ctx *c, size_t base) {
    const size_t key_base = c->keys.n, n = c->tmp.n - base;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        const arti_re t = c->tmp.at[base + i];
        const re_node *x = &c->nodes[t];
        const uint64_t tail = x->kind == RE_CONCAT ? x->b : ARTI_RE_EMPTY;
        ok = re_push64(c, &c->keys, tail << 32 | (x->kind == RE_CONCAT ? x->a : t));
    }
    if (!ok) goto out;
    uint64_t *keys = c->keys.at + key_base;
    re_sort64(keys, n);
    /* K | x{0 or 1,n} K is x{0,n} K, and K | ANY K is ANY K. */
    for (size_t i = 0; i < n; i++) {
        const arti_re head = head_of(keys[i]), tail = tail_of(keys[i]);
        const loop_view v = view_loop(c, head);
        const bool is_loop = c->nodes[head].kind == RE_LOOP || head == ARTI_RE_ANY;
        if (!is_loop || v.min > 1 || looks(c, v.body) || !contains(c->tmp.at + base, n, tail)) continue;
        ok = re_spend(c, (uint32_t)n / 8);
        const re_node *t = &c->nodes[tail];
        const uint64_t whole =
            t->kind == RE_CONCAT ? (uint64_t)t->b << 32 | t->a : (uint64_t)ARTI_RE_EMPTY << 32 | tail;
        for (size_t k = 0; k < n && ok; k++) {
            if (keys[k] != whole) continue;
            keys[k] = with_head(keys[k], ARTI_RE_NONE);
            const arti_re loop = re_loop(c, v.body, 0, v.max);
            if (loop == ARTI_RE_FAIL)
                ok = false;
            else
                keys[i] = with_head(keys[i], loop);
            break;
        }
        if (!ok) goto out;
    }
    for (size_t i = 0, end; i < n && ok; i = end) {
        for (end = i + 1; end < n && tail_of(keys[end]) == tail_of(keys[i]);) end++;
        if (end - i > 1) ok = merge_heads(c, keys + i, end - i);
    }
    c->tmp.n = base;
    for (size_t i = 0; i < n && ok; i++) {
        const uint64_t key = c->keys.at[key_base + i];
        if (head_of(key) == ARTI_RE_NONE) continue;
        const arti_re t = re_concat(c, head_of(key), tail_of(key));
        ok = t != ARTI_RE_FAIL && re_push(c, &c->tmp, t);
    }
out:
    c->keys.n = key_base;
    return ok;
}

arti_re re_or(arti_re_ctx *c, size_t base) {
    arti_re t;
    if (!gather(c, base, RE_OR, ARTI_RE_NONE, ARTI_RE_ANY, &t)) {
        if (c->tmp.n - base > 1) {
            if (c->tmp.at[base] == ARTI_RE_EMPTY) { /* the smallest id but NONE */
                bool dropped = false;
                for (size_t i = base + 1; i < c->tmp.n && !dropped; i++) dropped = is_plain_nullable(c, c->tmp.at[i]);
                if (dropped) c->tmp.at[base] = c->tmp.at[--c->tmp.n];
            }
            if (!merge_alternatives(c, base))
                t = ARTI_RE_FAIL;
            else if (!gather(c, base, RE_OR, ARTI_RE_NONE, ARTI_RE_ANY, &t))
                t = finish_nary(c, base, RE_OR, ARTI_RE_NONE);
        } else {
            t = finish_nary(c, base, RE_OR, ARTI_RE_NONE);
        }
    }
    c->tmp.n = base;
    return t;
}

/* Several CLASS operands of an intersection become one. */
static bool intersect_classes(arti_re_ctx *c, size_t base) {
    size_t first = RE_NIL;
    for (size_t i = base; i < c->tmp.n;) {
        const re_node *x = &c->nodes[c->tmp.at[i]];
        if (x->kind != RE_CLASS) {
            i++;
        } else if (first == RE_NIL) {
            first = i++;
        } else {
            const uint32_t other = c->nodes[c->tmp.at[first]].a;
            re_ranges_reset(c);
            const re_class *k = &c->classes[x->a], *l = &c->classes[other];
            for (uint32_t u = 0, v = 0; u < k->n && v < l->n;) {
                const arti_re_range p = k->ranges[u], q = l->ranges[v];
                const uint32_t lo = p.lo > q.lo ? p.lo : q.lo, hi = p.hi < q.hi ? p.hi : q.hi;
                if (lo <= hi && !re_ranges_add(c, lo, hi)) return false;
                if (p.hi < q.hi)
                    u++;
                else
                    v++;
            }
            const arti_re t = re_ranges_finish(c);
            if (t == ARTI_RE_FAIL) return false;
            c->tmp.at[first] = t;
            c->tmp.at[i] = c->tmp.at[--c->tmp.n];
            if (t == ARTI_RE_NONE) return true;
        }
    }
    return true;
}

arti_re re_and(arti_re_ctx *c, size_t base) {
    arti_re t;
    if (!gather(c, base, RE_AND, ARTI_RE_ANY, ARTI_RE_NONE, &t)) {
        t = intersect_classes(c, base) ? ARTI_RE_ANY : ARTI_RE_FAIL;
        if (t != ARTI_RE_FAIL && !gather(c, base, RE_AND, ARTI_RE_ANY, ARTI_RE_NONE, &t)) {
            uint32_t lo = 0, hi = ARTI_RE_UNBOUNDED;
            bool nullable = true, plain = true;
            for (size_t i = base; i < c->tmp.n; i++) {
                const re_node *x = &c->nodes[c->tmp.at[i]];
                if (x->shortest > lo) lo = x->shortest;
                if (x->longest < hi) hi = x->longest;
                if (x->flags & RE_HAS_BEHIND) plain = false;
                if (!(x->flags & RE_NULLABLE)) nullable = false;
            }
            if (lo > hi)
                t = ARTI_RE_NONE;
            else if (hi == 0 && plain)
                t = nullable ? ARTI_RE_EMPTY : ARTI_RE_NONE;
            else
                t = finish_nary(c, base, RE_AND, ARTI_RE_ANY);
        }
    }
    c->tmp.n = base;
    return t;
}

arti_re re_or2(arti_re_ctx *c, arti_re a, arti_re b) {
    if (a == ARTI_RE_FAIL || b == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    if (a == ARTI_RE_NONE || a == b) return b;
    if (b == ARTI_RE_NONE) return a;
    const size_t base = c->tmp.n;
    return re_push(c, &c->tmp, a) && re_push(c, &c->tmp, b) ? re_or(c, base) : ARTI_RE_FAIL;
}

arti_re re_and2(arti_re_ctx *c, arti_re a, arti_re b) {
    if (a == ARTI_RE_FAIL || b == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    if (a == ARTI_RE_ANY || a == b) return b;
    if (b == ARTI_RE_ANY) return a;
    if (a == ARTI_RE_NONE || b == ARTI_RE_NONE) return ARTI_RE_NONE;
    const size_t base = c->tmp.n;
    return re_push(c, &c->tmp, a) && re_push(c, &c->tmp, b) ? re_and(c, base) : ARTI_RE_FAIL;
}

arti_re re_not(arti_re_ctx *c, arti_re a) {
    if (a == ARTI_RE_FAIL) return a;
    if (a == ARTI_RE_NONE) return ARTI_RE_ANY;
    if (a == ARTI_RE_ANY) return ARTI_RE_NONE;
    if (a == ARTI_RE_EMPTY) return re_loop(c, RE_ANY_CHAR, 1, ARTI_RE_UNBOUNDED);
    if (c->nodes[a].kind == RE_NOT) return c->nodes[a].a;
    return intern(c, (re_node){.kind = RE_NOT, .a = a});
}

arti_re re_ahead(arti_re_ctx *c, arti_re p) {
    if (p == ARTI_RE_ANY) return ARTI_RE_EMPTY;
    if (p == ARTI_RE_NONE || p == ARTI_RE_FAIL) return p;
    return intern(c, (re_node){.kind = RE_AHEAD, .a = p});
}

arti_re re_behind(arti_re_ctx *c, arti_re q) {
    if (q == ARTI_RE_ANY) return ARTI_RE_EMPTY;
    if (q == ARTI_RE_NONE || q == ARTI_RE_FAIL) return q;
    return intern(c, (re_node){.kind = RE_BEHIND, .a = q});
}

typedef enum rewriting { TO_SHAPE, TO_COVER, TO_NEAR /* + level */ } rewriting;

/* RE_NIL: not computed so far. */
static arti_re rewritten(const re_node *x, rewriting how) {
    if (how == TO_SHAPE) return x->shape;
    if (how == TO_COVER) return x->cover;
    return x->near[how - TO_NEAR];
}

static void set_rewritten(re_node *x, rewriting how, arti_re now) {
    if (how == TO_SHAPE) {
        x->shape = now;
    } else if (how == TO_COVER) {
        x->cover = now;
    } else {
        x->near[how - TO_NEAR] = now;
    }
}

/* What a term without parts becomes; of the others, those that stay as they are. */
static arti_re rewrite_leaf(arti_re_ctx *c, arti_re t, rewriting how) {
    const re_node *x = &c->nodes[t];
    if (how >= TO_NEAR) return t;
    if (x->kind == RE_MACHINE) {
        const re_machine *m = c->machines[x->a];
        return how == TO_SHAPE ? m->shape(c, x->b) : m->cover(c, x->b);
    }
    return how == TO_SHAPE && x->kind == RE_CLASS ? RE_ANY_CHAR : t;
}

/* For TO_SHAPE, t is RE_EXACT. */
static arti_re rewrite(arti_re_ctx *c, arti_re t, rewriting how) {
    const size_t base = c->todo.n;
    if (!re_push64(c, &c->todo, t)) return ARTI_RE_FAIL;
    while (c->todo.n > base) { /* a term again and again, until all its parts are rewritten */
        const arti_re x = (arti_re)c->todo.at[c->todo.n - 1];
        re_node n = c->nodes[x];
        const arti_re parts[2] = {n.a, n.b};
        uint32_t n_parts = n.kids ? n.b : n.kind == RE_CONCAT ? 2 : n.kind == RE_LOOP || n.kind == RE_AHEAD ? 1 : 0;
        if (how == TO_COVER && !(n.flags & RE_HAS_MACHINE)) n_parts = 0;
        if (how >= TO_NEAR && !n.counters) n_parts = 0;
        bool ready = true;
        if (rewritten(&n, how) == RE_NIL) {
            for (uint32_t i = 0; i < n_parts; i++) {
                const arti_re part = n.kids ? n.kids[i] : parts[i];
                if (rewritten(&c->nodes[part], how) != RE_NIL) continue;
                ready = false;
                if (!re_push64(c, &c->todo, part)) return ARTI_RE_FAIL;
            }
            if (!re_spend(c, 1 + n_parts / 8)) return ARTI_RE_FAIL;
        }
        if (!ready) continue;
        c->todo.n--;
        if (rewritten(&n, how) != RE_NIL) continue;
        arti_re now;
        if (n_parts == 0) {
            now = rewrite_leaf(c, x, how);
        } else if (n.kind == RE_LOOP) {
            if (how >= TO_NEAR) near_bounds(c->nodes[n.a].shortest, how - TO_NEAR, &n.min, &n.max);
            now = re_loop(c, rewritten(&c->nodes[n.a], how), n.min, n.max);
        } else if (n.kind == RE_CONCAT) {
            now = re_concat(c, rewritten(&c->nodes[n.a], how), rewritten(&c->nodes[n.b], how));
        } else if (n.kind == RE_AHEAD) {
            now = re_ahead(c, rewritten(&c->nodes[n.a], how));
        } else {
            const size_t first = c->tmp.n;
            for (uint32_t i = 0; i < n_parts; i++)
                if (!re_push(c, &c->tmp, rewritten(&c->nodes[n.kids[i]], how))) return ARTI_RE_FAIL;
            now = n.kind == RE_OR ? re_or(c, first) : re_and(c, first);
        }
        if (now == ARTI_RE_FAIL) return now;
        set_rewritten(&c->nodes[x], how, now);
    }
    return rewritten(&c->nodes[t], how);
}

arti_re re_cover(arti_re_ctx *c, arti_re t) {
    if (!(c->nodes[t].flags & RE_HAS_MACHINE)) return t;
    c->todo.n = c->tmp.n = c->keys.n = 0;
    return rewrite(c, t, TO_COVER);
}

arti_re re_shape(arti_re_ctx *c, arti_re t) {
    c->todo.n = c->tmp.n = c->keys.n = 0;
    if (c->nodes[t].flags & RE_EXACT) return rewrite(c, t, TO_SHAPE);
    if (c->nodes[t].kind != RE_AND) return t;
    const uint32_t *kids = c->nodes[t].kids, n = c->nodes[t].b;
    uint32_t n_others = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(c->nodes[kids[i]].flags & RE_EXACT)) return t;
        const arti_re shape = rewrite(c, kids[i], TO_SHAPE);
        if (shape == ARTI_RE_FAIL) return shape;
        n_others += shape != kids[i];
    }
    if (n_others > 1) return t;
    for (uint32_t i = 0; i < n; i++)
        if (!re_push(c, &c->tmp, c->nodes[kids[i]].shape)) return ARTI_RE_FAIL;
    return re_and(c, 0);
}

arti_re re_widen(arti_re_ctx *c, arti_re t, uint32_t *reach) {
    const re_node *x = &c->nodes[t];
    *reach = ARTI_RE_UNBOUNDED;
    if (!x->counters) return t;
    uint32_t level = 0; /* the farthest that changes as many loops as the nearest */
    while (level + 1 < RE_REACHES && x->counters >> (5 + level) & 1u) level++;
    *reach = reaches[level];
    c->todo.n = c->tmp.n = c->keys.n = 0;
    return rewrite(c, t, (rewriting)(TO_NEAR + level));
}

arti_re re_near(arti_re_ctx *c, arti_re t, uint32_t *reach) {
    const arti_re near = re_widen(c, t, reach);
    if (near == ARTI_RE_FAIL || near == t || c->nodes[t].flags & RE_EXACT) return near;
    uint32_t farthest; /* what a text of the near language still needs must be within reach, too */
    if (!re_farthest(c, near, &farthest)) return ARTI_RE_FAIL;
    if (farthest > *reach - ARTI_RE_REACH_MIN) return *reach = ARTI_RE_UNBOUNDED, t;
    *reach -= farthest;
    return near;
}

static arti_re close_spine(arti_re_ctx *c, arti_re t, bool at_start) {
    if (t == ARTI_RE_FAIL || !looks(c, t)) return t;
    const size_t base = c->tmp.n;
    arti_re asked = ARTI_RE_ANY; /* by lookaheads at the start */
    for (bool more = true; more && t != ARTI_RE_FAIL && at_start;) {
        const re_node *x = &c->nodes[t];
        const re_node *h = x->kind == RE_CONCAT ? &c->nodes[x->a] : x;
        const arti_re tail = x->kind == RE_CONCAT ? x->b : ARTI_RE_EMPTY;
        if (h->kind == RE_BEHIND)
            t = h->flags & RE_NULLABLE ? tail : ARTI_RE_NONE;
        else if (h->kind == RE_AHEAD)
            asked = re_and2(c, asked, h->a), t = tail;
        else
            more = false;
    }
    if (asked == ARTI_RE_FAIL || t == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    while (c->nodes[t].kind == RE_CONCAT) {
        if (!re_push(c, &c->tmp, c->nodes[t].a)) return ARTI_RE_FAIL;
        t = c->nodes[t].b;
    }
    for (;;) { /* a lookahead at the end sees the empty text, wherever it began */
        const re_node *x = &c->nodes[t];
        if (x->kind != RE_AHEAD || x->flags & RE_HAS_BEHIND) break;
        if (!(x->flags & RE_NULLABLE)) {
            t = ARTI_RE_NONE;
        } else if (c->tmp.n > base) {
            t = c->tmp.at[--c->tmp.n];
        } else {
            t = ARTI_RE_EMPTY;
        }
    }
    while (t != ARTI_RE_FAIL && c->tmp.n > base) t = re_concat(c, c->tmp.at[--c->tmp.n], t);
    c->tmp.n = base;
    return re_and2(c, asked, t);
}

arti_re re_close(arti_re_ctx *c, arti_re t) {
    return close_spine(c, t, true);
}
arti_re re_close_end(arti_re_ctx *c, arti_re t) {
    return close_spine(c, t, false);
}

/* ------------------------------------------------------------------ public constructors */

static void begin_terms(arti_re_ctx *c) {
    re_begin(c);
    c->tmp.n = 0;
    c->keys.n = 0;
}

static arti_re nary(arti_re_ctx *c, const arti_re *t, size_t n, arti_re (*build)(arti_re_ctx *, size_t)) {
    begin_terms(c);
    for (size_t i = 0; i < n; i++) {
        if (t[i] == ARTI_RE_FAIL || !re_push(c, &c->tmp, t[i])) return ARTI_RE_FAIL;
    }
    return build(c, 0);
}

arti_re arti_re_and(arti_re_ctx *c, const arti_re *t, size_t n) {
    return nary(c, t, n, re_and);
}
arti_re arti_re_or(arti_re_ctx *c, const arti_re *t, size_t n) {
    return nary(c, t, n, re_or);
}

arti_re arti_re_not(arti_re_ctx *c, arti_re t) {
    begin_terms(c);
    return re_not(c, t);
}

arti_re arti_re_concat(arti_re_ctx *c, arti_re a, arti_re b) {
    begin_terms(c);
    if (a == ARTI_RE_FAIL || b == ARTI_RE_FAIL) return ARTI_RE_FAIL;
    if (c->nodes[a].flags & RE_HAS_AHEAD || c->nodes[b].flags & RE_HAS_BEHIND)
        return re_refuse(c, ART_E_UNSUPPORTED, 0, "a language with lookarounds can not be part of a longer one");
    return re_concat(c, a, b);
}

arti_re arti_re_repeat(arti_re_ctx *c, arti_re t, uint32_t min, uint32_t max) {
    begin_terms(c);
    if (t == ARTI_RE_FAIL) return t;
    if (min > max) return re_refuse(c, ART_E_ARG, 0, "repetition with its minimum above its maximum");
    if (min > ARTI_RE_REPEAT_MAX || (max > ARTI_RE_REPEAT_MAX && max != ARTI_RE_UNBOUNDED))
        return re_refuse(c, ART_E_LIMIT, 0, "repetition of more than %u (ARTI_RE_REPEAT_MAX)", ARTI_RE_REPEAT_MAX);
    if (looks(c, t))
        return re_refuse(c, ART_E_UNSUPPORTED, 0, "a language with lookarounds can not be part of a longer one");
    return re_loop(c, t, min, max);
}

arti_re arti_re_class(arti_re_ctx *c, const arti_re_range *ranges, size_t n) {
    begin_terms(c);
    re_ranges_reset(c);
    for (size_t i = 0; i < n; i++)
        if (!re_ranges_add(c, ranges[i].lo, ranges[i].hi)) return ARTI_RE_FAIL;
    return re_ranges_finish(c);
}

/* `text` followed by `end`; the characters of a text that is not UTF-8 can not be told. */
static arti_re spell(arti_re_ctx *c, const char *text, size_t len, arti_re end) {
    arti_re t = end;
    const uint8_t *s = (const uint8_t *)text;
    size_t start = 0;
    begin_terms(c);
    for (size_t at = 0; at < len; at = start) { /* left to right, onto the stack */
        uint32_t cp;
        const size_t n = re_decode(s + at, len - at, &cp);
        if (n == 0) return re_refuse(c, ART_E_ARG, at, "text is not UTF-8");
        re_ranges_reset(c);
        if (!re_ranges_add(c, cp, cp)) return ARTI_RE_FAIL;
        const arti_re one = re_ranges_finish(c);
        if (one == ARTI_RE_FAIL || !re_push(c, &c->tmp, one)) return ARTI_RE_FAIL;
        start = at + n;
    }
    while (c->tmp.n > 0 && t != ARTI_RE_FAIL) {
        const arti_re head = c->tmp.at[--c->tmp.n];
        t = re_concat(c, head, t);
    }
    return t;
}

arti_re arti_re_literal(arti_re_ctx *c, const char *text, size_t len) {
    return spell(c, text, len, ARTI_RE_EMPTY);
}
arti_re arti_re_prefix(arti_re_ctx *c, const char *text, size_t len) {
    return spell(c, text, len, ARTI_RE_ANY);
}

arti_re arti_re_suffix(arti_re_ctx *c, const char *text, size_t len) {
    const arti_re t = spell(c, text, len, ARTI_RE_EMPTY);
    return re_concat(c, ARTI_RE_ANY, t);
}

/* ------------------------------------------------------------------ context */

static bool make_constants(arti_re_ctx *c) {
    re_begin(c);
    re_ranges_reset(c);
    return re_ranges_add(c, 0, RE_CODE_POINT_MAX) && intern(c, (re_node){.kind = RE_NONE}) == ARTI_RE_NONE &&
           intern(c, (re_node){.kind = RE_EMPTY}) == ARTI_RE_EMPTY &&
           intern(c, (re_node){.kind = RE_ANY}) == ARTI_RE_ANY && re_ranges_finish(c) == RE_ANY_CHAR && re_dfa_init(c);
}

art_status arti_re_ctx_new(arti_mem *mem, arti_re_ctx **out, art_error *err) {
    *out = NULL;
    arti_re_ctx *c = arti_calloc(mem, sizeof *c);
    if (!c) return arti_mem_fail(mem, err);
    c->mem = mem;
    arti_arena_init(&c->arena, mem);
    c->work_max = ARTI_RE_WORK_MAX;
    if (!make_constants(c)) {
        const art_status s = arti_re_error(c, err);
        arti_re_ctx_free(c);
        return s;
    }
    c->work = c->work_max;
    c->work_before = 0;
    *out = c;
    return ART_OK;
}

static void free_index(arti_re_ctx *c, re_index *ix) {
    arti_free(c->mem, ix->slots, ix->size * sizeof *ix->slots);
}

void arti_re_ctx_free(arti_re_ctx *c) {
    if (!c) return;
    arti_mem *mem = c->mem;
    for (uint32_t i = 0; i < ARTI_RE_STATES_MAX / ARTI_RE_PAGE && c->info_pages[i]; i++) {
        arti_free(mem, c->head.pages[i], ARTI_RE_PAGE * sizeof(arti_re_row));
        arti_free(mem, c->info_pages[i], ARTI_RE_PAGE * sizeof(re_info));
    }
    free_index(c, &c->class_index);
    free_index(c, &c->node_index);
    free_index(c, &c->part_index);
    free_index(c, &c->split_index);
    free_index(c, &c->state_index);
    free_index(c, &c->set_index);
    arti_free(mem, c->classes, c->classes_cap * sizeof *c->classes);
    arti_free(mem, c->nodes, c->nodes_cap * sizeof *c->nodes);
    arti_free(mem, c->memo, c->memo_size * sizeof *c->memo);
    arti_free(mem, c->todo.at, c->todo.cap * sizeof *c->todo.at);
    arti_free(mem, c->parts, c->parts_cap * sizeof *c->parts);
    arti_free(mem, c->splits, c->splits_cap * sizeof *c->splits);
    arti_free(mem, c->vertices, c->vertices_cap * sizeof *c->vertices);
    arti_free(mem, c->sets, c->sets_cap * sizeof *c->sets);
    arti_free(mem, c->items.at, c->items.cap * sizeof *c->items.at);
    arti_free(mem, c->tmp.at, c->tmp.cap * sizeof *c->tmp.at);
    arti_free(mem, c->work_area.at, c->work_area.cap * sizeof *c->work_area.at);
    arti_free(mem, c->wide.at, c->wide.cap * sizeof *c->wide.at);
    arti_free(mem, c->queue.at, c->queue.cap * sizeof *c->queue.at);
    arti_free(mem, c->reach.at, c->reach.cap * sizeof *c->reach.at);
    arti_free(mem, c->digests, c->n_digests * sizeof *c->digests);
    arti_free(mem, c->heap.at, c->heap.cap * sizeof *c->heap.at);
    arti_free(mem, c->path.at, c->path.cap * sizeof *c->path.at);
    arti_free(mem, c->walk.at, c->walk.cap * sizeof *c->walk.at);
    arti_free(mem, c->sort.at, c->sort.cap * sizeof *c->sort.at);
    arti_free(mem, c->keys.at, c->keys.cap * sizeof *c->keys.at);
    arti_free(mem, c->range_buf, c->range_cap * sizeof *c->range_buf);
    arti_arena_free(&c->arena);
    arti_free(mem, c, sizeof *c);
}

uint64_t arti_re_work_done(const arti_re_ctx *c) {
    return c->work_before + (c->work_max - c->work);
}

void arti_re_limit_work(arti_re_ctx *c, uint32_t work_max) {
    re_begin(c);
    c->work = c->work_max = work_max;
}

void arti_re_get_stats(const arti_re_ctx *c, arti_re_stats *out) {
    *out = (arti_re_stats){c->n_nodes, c->n_states, c->n_classes};
}
