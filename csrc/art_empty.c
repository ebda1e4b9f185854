/* SPDX-License-Identifier: Apache-2.0 */
#include "art_empty.h"

#include "art_values.h"

#define DEPTH_MAX 6u /* nested questions from within an expansion */
#define SEARCH_STEPS_MAX 20000u
#define WITNESS_BYTES_MAX 65536u

/* ------------------------------------------------------------------ plans */

void arti_plan_free(arti_plan *p) {
    arti_free(p->mem, p->steps, p->cap * sizeof *p->steps);
    p->steps = NULL;
    p->n = p->cap = 0;
}

static bool plan_add(art_schema *s, arti_plan *p, arti_step step) {
    if (!p) return true;
    if (!arti_vec_reserve(p->mem, (void **)&p->steps, &p->cap, p->n + 1, sizeof *p->steps)) return arti_fault_mem(s);
    p->steps[p->n++] = step;
    return true;
}

static uint32_t len_now(const art_schema *s, arti_conj c) {
    return s->norm->conj[c]->len;
}

uint32_t arti_key_quoted_len(const char *key, uint32_t len) {
    return (uint32_t)arti_json_quote(NULL, 0, key, len);
}

static uint32_t member_len(const art_schema *s, const arti_key *key, arti_conj c) {
    return arti_len_add(len_now(s, c), arti_key_quoted_len(key->ptr, key->len) + 1);
}

/* ------------------------------------------------------------------ objects */

static arti_name_state nothing_seen(const void *ud, uint32_t name) {
    (void)ud;
    (void)name;
    return ARTI_NAME_FREE;
}

static bool no_extra(const void *ud, const char *key, uint32_t len) {
    (void)ud;
    (void)key;
    (void)len;
    return false;
}

const arti_object_at arti_object_start = {0, 0, 0, UINT32_MAX, nothing_seen, no_extra, NULL};

arti_conj arti_some_conj(art_schema *s, const arti_object_shape *o, arti_conj c, uint32_t bits) {
    for (uint32_t i = 0; i < o->n_some && c != ARTI_CONJ_FAIL; i++)
        if (bits >> i & 1u) c = arti_conj_and(s, c, o->some[i].lit);
    return c;
}

const arti_key *arti_class_word(art_schema *s, const arti_object_shape *o, arti_extra_class *c, uint32_t i) {
    while (c->n_words <= i) {
        if (c->exhausted) return NULL;
        if (c->n_words == ARTI_EXTRA_WORDS_MAX) {
            arti_fault(s, ART_E_LIMIT, NULL, 0, "minProperties",
                       "more than %u invented member names (ARTI_EXTRA_WORDS_MAX)", ARTI_EXTRA_WORDS_MAX);
            return NULL;
        }
        if (!c->words) {
            c->words = arti_schema_get(s, ARTI_EXTRA_WORDS_MAX * sizeof *c->words);
            if (!c->words) return NULL;
            c->left = c->names;
        }
        uint8_t buf[1024];
        size_t len;
        const arti_re_state q = arti_re_start(s->re, c->left);
        const art_status st =
            q == ARTI_RE_FAIL ? ART_E_LIMIT : arti_re_witness(s->re, q, 0, ARTI_RE_UNBOUNDED, buf, sizeof buf, &len);
        if (st == ART_REJECTED) {
            c->exhausted = true;
            return NULL;
        }
        if (st != ART_OK) {
            arti_fault_re(s, NULL, 0, "patternProperties");
            return NULL;
        }
        const arti_re without =
            arti_re_and2(s->re, c->left, arti_re_not(s->re, arti_re_literal(s->re, (char *)buf, len)));
        if (without == ARTI_RE_FAIL) {
            arti_fault_re(s, NULL, 0, "patternProperties");
            return NULL;
        }
        if (arti_object_find(o, (char *)buf, (uint32_t)len) == UINT32_MAX) {
            char *copy = arti_schema_get(s, len);
            if (!copy) return NULL;
            memcpy(copy, buf, len);
            c->words[c->n_words++] = (arti_key){.ptr = copy, .len = (uint32_t)len};
        }
        c->left = without;
    }
    return &c->words[i];
}

bool arti_class_is_endless(art_schema *s, const arti_extra_class *c, bool *endless) {
    arti_re_lengths l;
    const arti_re_state q = arti_re_start(s->re, c->names);
    const art_status st = q == ARTI_RE_FAIL ? ART_E_LIMIT : arti_re_get_lengths(s->re, q, &l);
    *endless = st == ART_OK && l.longest == ARTI_RE_UNBOUNDED;
    return st == ART_OK || st == ART_REJECTED || arti_fault_re(s, NULL, 0, "patternProperties");
}

const arti_class_list *arti_object_open_classes(art_schema *s, arti_object_shape *o) {
    static const arti_class_list none = {NULL, 0};
    return o->extra_known && o->extra == ARTI_RE_NONE ? &none : arti_object_classes(s, o);
}

typedef struct pick { /* a member that will be added */
    uint32_t name;    /* index, or UINT32_MAX: invented */
    arti_extra_class *extra;
    const arti_key *key;
    arti_conj base;     /* without existential conditions */
    uint32_t may, some; /* conditions it may meet, and is to meet */
} pick;

typedef struct search {
    art_schema *s;
    arti_object_shape *o;
    const arti_object_at *at;
    pick *picks;
    uint32_t n, cap; /* picks in use */
    uint32_t n_steps;
    uint32_t best; /* cost of the best assignment of conditions */
    uint32_t best_n;
    pick best_extra[ARTI_SOME_MAX];    /* picks beyond the required ones */
    uint32_t best_some[ARTI_SOME_MAX]; /* per condition: index of its pick */
    uint32_t n_required;
} search;

static arti_name_state state_of(const arti_object_at *at, uint32_t name) {
    return name == at->taken ? ARTI_NAME_SEEN : at->name(at->ud, name);
}

static uint32_t pick_len(art_schema *s, const arti_object_shape *o, const pick *p, uint32_t some) {
    const arti_conj c = arti_some_conj(s, o, p->base, some);
    return c == ARTI_CONJ_FAIL ? ARTI_LEN_NONE : member_len(s, p->key, c);
}

/* An invented name of a class that is not in the object and not picked yet. */
static const arti_key *fresh_word(search *x, arti_extra_class *c) {
    for (uint32_t i = 0;; i++) {
        const arti_key *k = arti_class_word(x->s, x->o, c, i);
        if (!k || !x->at->has_extra(x->at->ud, k->ptr, k->len)) {
            bool used = false;
            for (uint32_t j = 0; k && j < x->n; j++) used |= x->picks[j].key == k;
            if (!used) return k;
        }
    }
}

/* Assigns the conditions from e on; depth is bounded by ARTI_SOME_MAX. */
static void assign(search *x, uint32_t pending, uint32_t cost, uint32_t *where) {
    if (++x->n_steps > SEARCH_STEPS_MAX) {
        arti_fault(x->s, ART_E_LIMIT, NULL, 0, "not",
                   "the conditions on \"some member\" take too many steps to combine");
        return;
    }
    if (arti_faulted(x->s) || (x->best != ARTI_LEN_NONE && cost >= x->best)) return;
    if (!pending) {
        if (x->at->n + x->n > x->o->max) return;
        x->best = cost;
        x->best_n = x->n - x->n_required;
        memcpy(x->best_extra, x->picks + x->n_required, x->best_n * sizeof *x->picks);
        memcpy(x->best_some, where, ARTI_SOME_MAX * sizeof *where);
        return;
    }
    uint32_t e = 0;
    while (!(pending >> e & 1u)) e++;
    for (uint32_t i = 0; i < x->n; i++) { /* a member that comes anyway */
        pick *p = &x->picks[i];
        if (!(p->may >> e & 1u)) continue;
        const uint32_t before = pick_len(x->s, x->o, p, p->some), after = pick_len(x->s, x->o, p, p->some | 1u << e);
        if (after == ARTI_LEN_NONE) continue;
        p->some |= 1u << e;
        where[e] = i;
        assign(x, pending & ~(1u << e), after > before ? arti_len_add(cost, after - before) : cost, where);
        p->some &= ~(1u << e);
    }
    const arti_class_list *classes = arti_object_open_classes(x->s, x->o);
    for (uint32_t i = 0; classes && i < x->o->n_names + classes->n; i++) { /* one more member */
        pick p = {.some = 1u << e};
        if (i < x->o->n_names) {
            const arti_name *name = &x->o->names[i];
            bool used = false;
            for (uint32_t j = 0; j < x->n; j++) used |= x->picks[j].name == i;
            if (used || name->conj == ARTI_CONJ_UNSET || !(name->some >> e & 1u) ||
                state_of(x->at, i) != ARTI_NAME_FREE)
                continue;
            p.name = i;
            p.key = &name->key;
            p.base = name->conj;
            p.may = name->some;
        } else {
            p.extra = classes->at[i - x->o->n_names];
            if (!(p.extra->some >> e & 1u) || len_now(x->s, p.extra->conj) == ARTI_LEN_NONE) continue;
            p.name = UINT32_MAX;
            p.key = fresh_word(x, p.extra);
            p.base = p.extra->conj;
            p.may = p.extra->some;
            if (!p.key) continue;
        }
        const uint32_t len = pick_len(x->s, x->o, &p, p.some);
        if (len == ARTI_LEN_NONE || x->n == x->cap) continue;
        where[e] = x->n;
        x->picks[x->n++] = p;
        assign(x, pending & ~(1u << e), arti_len_add(cost, len + 1), where);
        x->n--;
    }
}

/* Fills up to the least number of members with the cheapest that are left. false: not enough of them. */
static bool fill_up(search *x, uint32_t min, uint32_t *cost) {
    art_schema *s = x->s;
    arti_object_shape *o = x->o;
    if (x->at->n + x->n >= min) return true;
    const arti_class_list *classes = arti_object_open_classes(s, o);
    if (!classes) return false;
    while (x->at->n + x->n < min) {
        pick best = {0};
        uint32_t best_len = ARTI_LEN_NONE;
        for (uint32_t i = 0; i < o->n_names; i++) {
            const arti_name *name = &o->names[i];
            if (name->conj == ARTI_CONJ_UNSET || state_of(x->at, i) != ARTI_NAME_FREE) continue;
            const uint32_t len = member_len(s, &name->key, name->conj);
            if (len >= best_len) continue;
            bool used = false;
            for (uint32_t j = 0; j < x->n; j++) used |= x->picks[j].name == i;
            if (used) continue;
            best_len = len;
            best = (pick){.name = i, .key = &name->key, .base = name->conj};
        }
        for (uint32_t i = 0; i < classes->n; i++) {
            arti_extra_class *c = classes->at[i];
            if (len_now(s, c->conj) == ARTI_LEN_NONE) continue;
            const arti_key *k = fresh_word(x, c);
            if (!k) continue;
            const uint32_t len = member_len(s, k, c->conj);
            if (len >= best_len) continue;
            best_len = len;
            best = (pick){.name = UINT32_MAX, .extra = c, .key = k, .base = c->conj};
        }
        if (best_len == ARTI_LEN_NONE || arti_faulted(s) || x->n == x->cap) return false;
        x->picks[x->n++] = best;
        *cost = arti_len_add(*cost, best_len + 1);
    }
    return true;
}

uint32_t arti_object_best(art_schema *s, arti_object_shape *o, const arti_object_at *at, arti_plan *plan) {
    const uint32_t pending = ~at->met & ((1u << o->n_some) - 1u);
    const uint32_t min = at->at_least > o->min ? at->at_least : o->min;
    uint32_t cost = 0, n = 0, n_required = 0;
    for (uint32_t i = 0; i < o->n_names; i++) { /* the usual case: required members only */
        if (!o->names[i].required) continue;
        const arti_name_state st = state_of(at, i);
        if (st == ARTI_NAME_BARRED) return ARTI_LEN_NONE;
        if (st == ARTI_NAME_SEEN) continue;
        if (o->names[i].conj == ARTI_CONJ_UNSET && arti_object_name_conj(s, o, i) == ARTI_CONJ_FAIL)
            return ARTI_LEN_NONE;
        cost = arti_len_add(cost, arti_len_add(member_len(s, &o->names[i].key, o->names[i].conj), 1));
        if (cost == ARTI_LEN_NONE) return cost;
        n_required++;
    }
    n = n_required;
    if (at->n + n > o->max) return ARTI_LEN_NONE;
    if (!pending && at->n + n >= min && !plan) return n && at->n == 0 ? cost - 1 : cost;
    const uint32_t lack = min > at->n + n ? min - at->n - n : 0;
    if (lack > o->n_names + ARTI_EXTRA_WORDS_MAX) {
        if (lack > o->n_names)
            arti_fault(s, ART_E_LIMIT, NULL, 0, "minProperties", "more than %u members to invent",
                       ARTI_EXTRA_WORDS_MAX);
        return ARTI_LEN_NONE;
    }
    search x = {.s = s, .o = o, .at = at, .cap = n + lack + ARTI_SOME_MAX, .best = ARTI_LEN_NONE, .n_required = n};
    x.picks = arti_realloc(&s->mem, NULL, 0, (x.cap + 1) * sizeof *x.picks);
    if (!x.picks) {
        arti_fault_mem(s);
        return ARTI_LEN_NONE;
    }
    for (uint32_t i = 0; i < o->n_names; i++)
        if (o->names[i].required && state_of(at, i) == ARTI_NAME_FREE)
            x.picks[x.n++] =
                (pick){.name = i, .key = &o->names[i].key, .base = o->names[i].conj, .may = o->names[i].some};
    bool ok = true;
    if (pending) {
        uint32_t where[ARTI_SOME_MAX] = {0};
        assign(&x, pending, cost, where);
        ok = x.best != ARTI_LEN_NONE;
        if (ok) {
            memcpy(x.picks + n, x.best_extra, x.best_n * sizeof *x.picks);
            x.n = n + x.best_n;
            for (uint32_t i = 0; i < x.n; i++) x.picks[i].some = 0;
            for (uint32_t e = 0; e < o->n_some; e++)
                if (pending >> e & 1u) x.picks[x.best_some[e]].some |= 1u << e;
            cost = x.best;
        }
    }
    ok = ok && fill_up(&x, min, &cost) && at->n + x.n <= o->max && !arti_faulted(s);
    for (uint32_t i = 0; ok && i < x.n; i++) {
        const arti_conj c = arti_some_conj(s, o, x.picks[i].base, x.picks[i].some);
        ok = c != ARTI_CONJ_FAIL && plan_add(s, plan, (arti_step){*x.picks[i].key, c, 1});
    }
    const uint32_t result = !ok ? ARTI_LEN_NONE : x.n && at->n == 0 ? cost - 1 : cost;
    arti_free(&s->mem, x.picks, (x.cap + 1) * sizeof *x.picks);
    return result;
}

/* ------------------------------------------------------------------ arrays */

uint32_t arti_item_watched(const arti_array_shape *a, uint32_t i, const uint32_t *counts) {
    uint32_t bits = 0;
    for (uint32_t k = 0; k < a->n_contains; k++) {
        const arti_contains *c = &a->contains[k];
        if (i >= c->start && (c->max != UINT32_MAX || counts[k] < c->min)) bits |= 1u << k;
    }
    return bits;
}

arti_conj arti_item_counted(art_schema *s, arti_array_shape *a, uint32_t i, uint32_t counted) {
    arti_conj c = arti_array_item_conj(s, a, i);
    for (uint32_t k = 0; k < a->n_contains && c != ARTI_CONJ_FAIL; k++) {
        const arti_contains *w = &a->contains[k];
        if (i < w->start) continue;
        if (counted >> k & 1u)
            c = arti_conj_and(s, c, w->lit);
        else if (w->max != UINT32_MAX)
            c = arti_conj_and(s, c, ARTI_LIT_NOT(w->lit));
    }
    return c;
}

typedef struct layer_cell {
    uint32_t cost;
    uint32_t from;    /* state in the layer before */
    uint32_t counted; /* conditions the item meets */
} layer_cell;

static uint32_t counted_best(art_schema *s, arti_array_shape *a, uint32_t n, const uint32_t *counts, arti_plan *plan) {
    uint32_t dims = 1, stride[ARTI_CONTAINS_MAX], start = 0;
    uint64_t lack = 0;
    uint64_t last = a->min > n ? a->min : n;
    uint64_t need =
        n > a->n_prefix ? n : a->n_prefix; /* any item may count from there on, and one is enough for each that lacks */
    for (uint32_t k = 0; k < a->n_contains; k++) {
        const arti_contains *c = &a->contains[k];
        const uint32_t cap = arti_contains_cap(c);
        if (c->min > c->max) return ARTI_LEN_NONE;
        stride[k] = dims;
        if ((uint64_t)dims * ((uint64_t)cap + 1) > ARTI_ARRAY_STATES_MAX) {
            arti_fault(s, ART_E_LIMIT, NULL, 0, "contains",
                       "counts of \"contains\" with more than %u states (ARTI_ARRAY_STATES_MAX)",
                       ARTI_ARRAY_STATES_MAX);
            return ARTI_LEN_NONE;
        }
        dims *= cap + 1;
        start += stride[k] * counts[k];
        if (counts[k] >= c->min) continue;
        lack += c->min - counts[k];
        if (c->start > need) need = c->start;
    }
    if (lack && need + lack > last) last = need + lack;
    if (last > a->max) last = a->max;
    if (last < n || last < a->min) return ARTI_LEN_NONE;
    uint64_t first = last; /* before it no item counts, and none is the last one */
    for (uint32_t k = 0; k < a->n_contains; k++)
        if (a->contains[k].start < first) first = a->contains[k].start;
    if (!lack && first > a->min) first = a->min;
    if (first < n) first = n;
    uint32_t before = 0; /* what the items up to there cost */
    for (uint64_t i = n; i < first && before != ARTI_LEN_NONE;) {
        const arti_conj c = arti_array_item_conj(s, a, (uint32_t)i);
        const uint64_t count = i < a->n_prefix ? 1 : first - i;
        if (c == ARTI_CONJ_FAIL || !plan_add(s, plan, (arti_step){.conj = c, .count = (uint32_t)count}))
            return ARTI_LEN_NONE;
        const uint32_t len = len_now(s, c);
        const uint64_t all = len == ARTI_LEN_NONE ? ARTI_LEN_NONE : (uint64_t)(len + 1) * count;
        before = arti_len_add(before, all < ARTI_LEN_MAX || all == ARTI_LEN_NONE ? (uint32_t)all : ARTI_LEN_MAX);
        i += count;
    }
    if (before == ARTI_LEN_NONE) return before;
    const bool is_empty = n == 0;
    n = (uint32_t)first;
    const uint64_t layers = last - n + 1;
    if (layers * dims > ARTI_ARRAY_STATES_MAX * 4u) {
        arti_fault(s, ART_E_LIMIT, NULL, 0, "contains", "an array of more than %u counted items",
                   ARTI_ARRAY_STATES_MAX);
        return ARTI_LEN_NONE;
    }
    const size_t size = (size_t)layers * dims * sizeof(layer_cell);
    layer_cell *cells = arti_realloc(&s->mem, NULL, 0, size);
    if (!cells) {
        arti_fault_mem(s);
        return ARTI_LEN_NONE;
    }
    for (size_t i = 0; i < (size_t)layers * dims; i++) cells[i].cost = ARTI_LEN_NONE;
    cells[start].cost = before;
    uint32_t best = ARTI_LEN_NONE, best_layer = 0, best_state = 0;
    for (uint32_t l = 0; l < layers; l++) {
        layer_cell *row = cells + (size_t)l * dims, *next = row + dims;
        for (uint32_t st = 0; st < dims; st++) {
            if (row[st].cost == ARTI_LEN_NONE) continue;
            uint32_t at[ARTI_CONTAINS_MAX];
            bool enough = n + l >= a->min;
            for (uint32_t k = 0; k < a->n_contains; k++) {
                at[k] = st / stride[k] % (arti_contains_cap(&a->contains[k]) + 1);
                enough &= at[k] >= a->contains[k].min;
            }
            if (enough && row[st].cost < best) best = row[st].cost, best_layer = l, best_state = st;
            if (l + 1 == layers) continue;
            const uint32_t watched = arti_item_watched(a, n + l, at);
            for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
                bool fits = true;
                uint32_t to = st;
                for (uint32_t k = 0; k < a->n_contains; k++)
                    if (sub >> k & 1u) {
                        fits &= at[k] < arti_contains_cap(&a->contains[k]);
                        to += stride[k];
                    }
                const arti_conj c = fits ? arti_item_counted(s, a, n + l, sub) : ARTI_CONJ_NEVER;
                const uint32_t cost =
                    c == ARTI_CONJ_FAIL ? ARTI_LEN_NONE : arti_len_add(row[st].cost, arti_len_add(len_now(s, c), 1));
                if (fits && cost < next[to].cost) next[to] = (layer_cell){cost, st, sub};
                if (!sub) break;
            }
        }
    }
    if (best != ARTI_LEN_NONE && plan) {
        const size_t from = plan->n;
        bool ok = true;
        for (uint32_t l = best_layer, st = best_state; l > 0 && ok; l--) {
            const layer_cell *c = &cells[(size_t)l * dims + st];
            ok = plan_add(s, plan, (arti_step){.conj = arti_item_counted(s, a, n + l - 1, c->counted), .count = 1});
            st = c->from;
        }
        for (size_t i = from, j = plan->n; i + 1 < j; i++) { /* found backwards */
            j--;
            const arti_step t = plan->steps[i];
            plan->steps[i] = plan->steps[j];
            plan->steps[j] = t;
        }
        if (!ok) best = ARTI_LEN_NONE;
    }
    arti_free(&s->mem, cells, size);
    return best != ARTI_LEN_NONE && best && is_empty ? best - 1 : best;
}

/* So many values a shape has at most; UINT32_MAX: not known. */
static uint32_t supply(const arti_shape *sh) {
    switch ((arti_type)sh->type) {
    case ARTI_T_NULL: return 1;
    case ARTI_T_BOOL: return sh->bools == 3 ? 2 : 1;
    case ARTI_T_NUMBER:
        return sh->number.lo && sh->number.hi && arti_dec_cmp(sh->number.lo, sh->number.hi) == 0 ? 1 : UINT32_MAX;
    case ARTI_T_STRING: return sh->text.set ? sh->text.n_set : UINT32_MAX;
    case ARTI_T_ARRAY: return sh->array.max == 0 ? 1 : UINT32_MAX;
    case ARTI_T_OBJECT: return sh->object.max == 0 ? 1 : UINT32_MAX;
    default: return UINT32_MAX;
    }
}

#define SUPPLIES_MAX 8u
#define SUPPLY_SHAPES_MAX 64u

/* Bytes of `count` values of a conjunction that differ, a comma each: at least. An array that is filled with others of its own kind must be
 * longer than what it is filled with, or completions would begin one within the other. */
static uint64_t different_len(const art_schema *s, arti_conj c, uint32_t count) {
    const arti_conj_info *info = s->norm->conj[c];
    const arti_shape *used[SUPPLIES_MAX];
    uint64_t all = 0, each = (uint64_t)info->len + 1;
    for (uint32_t n = 0; n < SUPPLIES_MAX && count; n++) {
        const arti_shape *best = NULL;
        for (int t = 0; t < ARTI_N_TYPES; t++) {
            const arti_facet *f = &info->facet[t];
            if (f->n_shapes > SUPPLY_SHAPES_MAX) return all + each * count;
            for (uint32_t k = 0; k < f->n_shapes; k++) {
                const arti_shape *sh = f->shapes[k];
                bool is_used = sh->len == ARTI_LEN_NONE || (best && sh->len >= best->len);
                for (uint32_t i = 0; i < n && !is_used; i++) is_used = used[i] == sh;
                if (!is_used) best = sh;
            }
        }
        if (!best) break;
        const uint32_t some = supply(best) < count ? supply(best) : count;
        each = (uint64_t)best->len + 1;
        all += each * some;
        count -= some;
        used[n] = best;
    }
    return all + each * count;
}

uint32_t arti_array_best(art_schema *s, arti_array_shape *a, uint32_t n, const uint32_t *counts, bool has_equal,
                         arti_plan *plan) {
    if (n > a->max) return ARTI_LEN_NONE;
    if (a->n_contains) return counted_best(s, a, n, counts, plan);
    uint32_t cost = 0;
    uint32_t i = n, min = a->min;
    if (a->not_unique && !has_equal) { /* two like items at the end */
        const uint32_t twice = (n > a->n_prefix ? n : a->n_prefix) + 2;
        if (min < twice) min = twice;
    }
    for (; i < min && i < a->n_prefix; i++) {
        const arti_conj c = arti_array_item_conj(s, a, i);
        if (c == ARTI_CONJ_FAIL || !plan_add(s, plan, (arti_step){.conj = c, .count = 1})) return ARTI_LEN_NONE;
        cost = arti_len_add(cost, arti_len_add(len_now(s, c), 1));
        if (cost == ARTI_LEN_NONE) return cost;
    }
    if (i < min) {
        const arti_conj c = arti_array_item_conj(s, a, i);
        if (c == ARTI_CONJ_FAIL || len_now(s, c) == ARTI_LEN_NONE) return ARTI_LEN_NONE;
        if (!plan_add(s, plan, (arti_step){.conj = c, .count = min - i})) return ARTI_LEN_NONE;
        const uint64_t all =
            a->unique && min - i > 1 ? different_len(s, c, min - i) : (uint64_t)(len_now(s, c) + 1) * (min - i);
        cost = arti_len_add(cost, all < ARTI_LEN_MAX ? (uint32_t)all : ARTI_LEN_MAX);
    }
    return cost && n == 0 ? cost - 1 : cost;
}

/* ------------------------------------------------------------------ what a length depends on */

typedef struct conj_list {
    art_schema *s;
    arti_conj *items;
    size_t n, cap;
    bool ok;
} conj_list;

static void list_add(conj_list *l, arti_conj c) {
    if (c == ARTI_CONJ_FAIL) l->ok = false;
    if (!l->ok || c == ARTI_CONJ_NEVER || l->s->norm->conj[c]->is_decided) return;
    for (size_t i = 0; i < l->n && i < 32; i++)
        if (l->items[i] == c) return;
    if (!arti_vec_reserve(&l->s->mem, (void **)&l->items, &l->cap, l->n + 1, sizeof *l->items))
        l->ok = arti_fault_mem(l->s);
    else
        l->items[l->n++] = c;
}

static void list_some(conj_list *l, const arti_object_shape *o, arti_conj c, uint32_t bits) {
    list_add(l, c);
    for (uint32_t sub = bits; sub && l->ok; sub = (sub - 1) & bits) list_add(l, arti_some_conj(l->s, o, c, sub));
}

static void object_deps(conj_list *l, arti_object_shape *o) {
    const bool all = o->n_some || o->min > o->n_required;
    for (uint32_t i = 0; i < o->n_names && l->ok; i++) {
        if (!all && !o->names[i].required) continue;
        const arti_conj c = arti_object_name_conj(l->s, o, i);
        list_some(l, o, c, o->names[i].some);
    }
    const arti_class_list *classes = all && l->ok ? arti_object_open_classes(l->s, o) : NULL;
    if (all && !classes) l->ok = false;
    for (uint32_t i = 0; classes && l->ok && i < classes->n; i++)
        list_some(l, o, classes->at[i]->conj, classes->at[i]->some);
}

static void array_deps(conj_list *l, arti_array_shape *a) {
    if (a->n_contains == 0) {
        for (uint32_t i = 0; (i < a->min || a->not_unique) && i <= a->n_prefix && l->ok; i++)
            list_add(l, arti_array_item_conj(l->s, a, i));
        return;
    }
    uint32_t distinct = a->n_prefix;
    for (uint32_t k = 0; k < a->n_contains; k++)
        if (a->contains[k].start > distinct) distinct = a->contains[k].start;
    for (uint32_t i = 0; i <= distinct && i < a->max && l->ok; i++)
        for (uint32_t sub = 0; sub < 1u << a->n_contains && l->ok; sub++)
            list_add(l, arti_item_counted(l->s, a, i, sub));
}

static bool shape_deps(art_schema *s, arti_shape *sh, conj_list *l) {
    *l = (conj_list){.s = s, .ok = true};
    if (sh->type == ARTI_T_OBJECT)
        object_deps(l, &sh->object);
    else if (sh->type == ARTI_T_ARRAY)
        array_deps(l, &sh->array);
    return l->ok;
}

static void list_free(conj_list *l) {
    arti_free(&l->s->mem, l->items, l->cap * sizeof *l->items);
}

bool arti_shape_settle(art_schema *s, arti_shape *sh) {
    conj_list l;
    bool ok = shape_deps(s, sh, &l);
    for (size_t i = 0; ok && i < l.n; i++) ok = arti_conj_decide(s, l.items[i]);
    list_free(&l);
    return ok;
}

/* ------------------------------------------------------------------ lengths of shapes */

static uint32_t quoted_len(const uint8_t *text, size_t len) {
    const size_t n = arti_json_quote(NULL, 0, (const char *)text, len);
    return n < ARTI_LEN_MAX ? (uint32_t)n : ARTI_LEN_MAX;
}

static uint32_t text_len(art_schema *s, arti_text_shape *t) {
    if (t->set) {
        uint32_t best = ARTI_LEN_NONE;
        for (uint32_t i = 0; i < t->n_set; i++) {
            const uint32_t n = arti_key_quoted_len(t->set[i].ptr, t->set[i].len);
            if (n < best) {
                best = n;
                t->witness = (uint8_t *)(uintptr_t)t->set[i].ptr;
                t->witness_len = t->set[i].len;
            }
        }
        return best;
    }
    if (t->term == ARTI_RE_ANY) return t->lo < ARTI_LEN_MAX - 2 ? t->lo + 2 : ARTI_LEN_MAX;
    if (t->witness) return quoted_len(t->witness, t->witness_len);
    const arti_re terms[] = {t->worlds.both, t->worlds.yes, t->worlds.no};
    const uint32_t hi = t->hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : t->hi;
    size_t len = 0;
    uint8_t few[256];
    arti_re_state q = ARTI_RE_DEAD;
    art_status st = ART_REJECTED;
    for (int i = 0; i < 3 && st == ART_REJECTED; i++) {
        if (i && terms[i] == terms[i - 1]) continue;
        q = arti_re_start(s->re, terms[i]);
        if (q == ARTI_RE_FAIL) {
            arti_fault_re(s, NULL, 0, "pattern");
            return ARTI_LEN_NONE;
        }
        st = q == ARTI_RE_DEAD ? ART_REJECTED : arti_re_witness(s->re, q, t->lo, hi, few, sizeof few, &len);
        t->only_checked = i > 0;
    }
    if (st == ART_REJECTED) return ARTI_LEN_NONE;
    if (st == ART_E_LIMIT && len > WITNESS_BYTES_MAX) {
        arti_fault(s, ART_E_LIMIT, NULL, 0, "pattern", "a shortest string of more than %u bytes", WITNESS_BYTES_MAX);
        return ARTI_LEN_NONE;
    }
    uint8_t *w = arti_schema_get(s, len);
    if (!w) return ARTI_LEN_NONE;
    if (st == ART_OK)
        memcpy(w, few, len);
    else if (st == ART_E_LIMIT && len > sizeof few)
        st = arti_re_witness(s->re, q, t->lo, hi, w, len, &len);
    if (st != ART_OK) {
        arti_fault_re(s, NULL, 0, "pattern");
        return ARTI_LEN_NONE;
    }
    t->witness_len = (uint32_t)len;
    t->witness = w;
    return quoted_len(w, len);
}

/* Items that there are in the end at least, of an array whose items differ. */
static uint64_t least_items(const arti_array_shape *a) {
    uint64_t least = a->min;
    for (uint32_t k = 0; k < a->n_contains; k++)
        if (a->contains[k].min) least += (uint64_t)a->contains[k].start + a->contains[k].min;
    return least;
}

/* One item differs from all others. */
static bool needs_two(const arti_array_shape *a) {
    return a->unique && least_items(a) + (a->n_contains && a->n_prefix) >= 2;
}

static uint32_t shape_len(art_schema *s, arti_shape *sh) {
    static const uint32_t none[ARTI_CONTAINS_MAX];
    switch ((arti_type)sh->type) {
    case ARTI_T_NULL: return 4;
    case ARTI_T_BOOL: return sh->bools & 2u ? 4 : 5;
    case ARTI_T_NUMBER: {
        const arti_num start = {0};
        const size_t n = arti_num_shortest(&sh->number, &start, (const uint8_t *)"",
                                           sh->plain ? ARTI_NUM_PLAIN : ARTI_NUM_USUAL, NULL, 0);
        return n == SIZE_MAX ? ARTI_LEN_NONE : (uint32_t)n;
    }
    case ARTI_T_STRING: return text_len(s, &sh->text);
    case ARTI_T_ARRAY:
        if (needs_two(&sh->array) && !sh->array.is_filled) return ARTI_LEN_NONE;
        return arti_len_add(arti_array_best(s, &sh->array, 0, none, false, NULL), 2);
    case ARTI_T_OBJECT: return arti_len_add(arti_object_best(s, &sh->object, &arti_object_start, NULL), 2);
    default: return ARTI_LEN_NONE;
    }
}

/* ------------------------------------------------------------------ the fixpoint */

typedef struct facet_ref {
    arti_conj conj;
    arti_type type;
} facet_ref;

typedef struct decision {
    art_schema *s;
    facet_ref *items;
    size_t n, cap;
    bool is_blocked; /* an expansion further up is in the way */
} decision;

static bool decision_add(decision *d, arti_conj c, arti_type t) {
    art_schema *s = d->s;
    arti_facet *f = &s->norm->conj[c]->facet[t];
    if (f->is_decided) return true;
    if (f->queued) { /* by a decision further up: it has to be waited for */
        d->is_blocked |= f->queued != s->norm->depth + 1;
        return true;
    }
    if (!arti_vec_reserve(&s->mem, (void **)&d->items, &d->cap, d->n + 1, sizeof *d->items)) return arti_fault_mem(s);
    f->queued = (uint8_t)(s->norm->depth + 1);
    d->items[d->n++] = (facet_ref){c, t};
    return true;
}

static bool decision_add_all(decision *d, arti_conj c) {
    for (int t = 0; t < ARTI_N_TYPES; t++)
        if (!decision_add(d, c, (arti_type)t)) return false;
    return true;
}

/* Finds everything the queued facets depend on. */
static bool close_over(decision *d) {
    art_schema *s = d->s;
    for (size_t i = 0; i < d->n && !d->is_blocked; i++) {
        const facet_ref r = d->items[i];
        arti_facet *f = &s->norm->conj[r.conj]->facet[r.type];
        if (f->is_busy) {
            d->is_blocked = true;
            return true;
        }
        if (!arti_facet_expand(s, r.conj, r.type)) return false;
        for (uint32_t k = 0; k < f->n_shapes; k++) {
            conj_list l;
            bool ok = shape_deps(s, f->shapes[k], &l);
            for (size_t j = 0; ok && j < l.n; j++) ok = decision_add_all(d, l.items[j]);
            list_free(&l);
            if (!ok) return false;
        }
    }
    return true;
}

static void update_conj(arti_conj_info *c) {
    uint32_t len = ARTI_LEN_NONE;
    bool decided = true;
    for (int t = 0; t < ARTI_N_TYPES; t++) {
        if (c->facet[t].len < len) len = c->facet[t].len;
        decided &= c->facet[t].is_decided;
    }
    c->len = len;
    c->is_decided = decided;
}

static bool iterate(decision *d) {
    art_schema *s = d->s;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = d->n; i-- > 0;) {
            arti_conj_info *c = s->norm->conj[d->items[i].conj];
            arti_facet *f = &c->facet[d->items[i].type];
            for (uint32_t k = 0; k < f->n_shapes; k++) {
                arti_shape *sh = f->shapes[k];
                if (sh->type < ARTI_T_ARRAY && sh->len != ARTI_LEN_NONE) continue; /* these depend on nothing */
                const uint32_t len = shape_len(s, sh);
                if (arti_faulted(s)) {
                    arti_conj_locate_fault(s, c);
                    return false;
                }
                if (len >= sh->len) continue;
                sh->len = len;
                changed = true;
                if (len < f->len) f->len = len;
                if (len < c->len) c->len = len;
            }
        }
    }
    return true;
}

/* Refuses what has instances but is not held to. */
static bool is_held(const decision *d) {
    art_schema *s = d->s;
    for (size_t i = 0; i < d->n; i++) {
        const arti_facet *f = &s->norm->conj[d->items[i].conj]->facet[d->items[i].type];
        for (uint32_t k = 0; k < f->n_shapes; k++) {
            const arti_shape *sh = f->shapes[k];
            if (sh->type != ARTI_T_OBJECT || sh->len == ARTI_LEN_NONE || !sh->object.depends_on_class) continue;
            arti_fault(s, ART_E_UNSUPPORTED, NULL, 0, "maxProperties",
                       "conditions on some member whose name fits a pattern, together with \"maxProperties\"");
            arti_conj_locate_fault(s, s->norm->conj[d->items[i].conj]);
            return false;
        }
    }
    return true;
}

static void finish(decision *d) {
    const uint64_t number = ++d->s->norm->n_decided;
    for (size_t i = 0; i < d->n; i++) {
        arti_conj_info *c = d->s->norm->conj[d->items[i].conj];
        arti_facet *f = &c->facet[d->items[i].type];
        uint32_t w = 0;
        for (uint32_t k = 0; k < f->n_shapes; k++) {
            arti_shape *sh = f->shapes[k];
            if (sh->len == ARTI_LEN_NONE) continue;
            f->shapes[k] = f->shapes[w];
            f->shapes[w++] = sh;
        }
        f->n_shapes = w;
        f->is_decided = true;
        f->decided_at = number;
    }
    for (size_t i = 0; i < d->n; i++) update_conj(d->s->norm->conj[d->items[i].conj]);
}

/* Can the array be filled with items that differ, of the values that are known to be there? *unsure: that can not be told. */
static bool can_be_filled(art_schema *s, arti_array_shape *a, bool *unsure) {
    static const uint32_t none[ARTI_CONTAINS_MAX];
    if (arti_array_best(s, a, 0, none, false, NULL) == ARTI_LEN_NONE) return false;
    if (s->norm->n_listing == ARTI_VALUES_DEPTH_MAX) return true;
    const uint64_t least = least_items(a) + a->n_prefix + 1u;
    arti_count k = arti_count_of(s, least < UINT32_MAX ? (uint32_t)least : UINT32_MAX - 1u);
    arti_values found = {.enough = 1};
    arti_array_values(&k, a, &(arti_array_at){0}, &found);
    const bool any = arti_values_any(&found);
    arti_values_free(s, &found);
    *unsure |= !any && k.cut != UINT32_MAX;
    return any && !arti_faulted(s);
}

/* Takes back what was decided from a decision on. */
static void take_back(art_schema *s, uint64_t number) {
    for (size_t i = 0; i < s->norm->n_conj; i++) {
        arti_conj_info *c = s->norm->conj[i];
        bool any = false;
        for (int t = 0; t < ARTI_N_TYPES; t++) {
            arti_facet *f = &c->facet[t];
            if (!f->is_decided || f->decided_at < number) continue;
            any = true;
            f->is_decided = false;
            f->len = ARTI_LEN_NONE;
            f->n_shapes = f->n_all;
            for (uint32_t k = 0; k < f->n_shapes; k++) f->shapes[k]->len = ARTI_LEN_NONE;
        }
        if (any) update_conj(c); /* other types may have been decided before */
        if (c->values && !c->values->busy_at) c->values = NULL;
    }
    s->norm->n_found++; /* what lists are made of is no longer the same */
}

/* Looks at the arrays that were decided as if they had no value, since their items have to differ. *again: some have one, and all is to be
 * decided with those. That ends with the least that is true: an array is not filled with items that need the array itself. */
static bool verify(decision *d, bool *again) {
    art_schema *s = d->s;
    const uint64_t number = s->norm->n_decided;
    const arti_conj_info *unsure_of = NULL;
    *again = false;
    if (!s->norm->has_unique) return true;
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].type != ARTI_T_ARRAY) continue;
        const arti_facet *f = &s->norm->conj[d->items[i].conj]->facet[ARTI_T_ARRAY];
        for (uint32_t k = 0; k < f->n_all; k++) {
            arti_array_shape *a = &f->shapes[k]->array;
            bool unsure = false;
            if (!needs_two(a) || a->is_filled) continue;
            a->is_filled = can_be_filled(s, a, &unsure);
            if (arti_faulted(s)) {
                take_back(s, number);
                return false;
            }
            *again |= a->is_filled;
            if (unsure) unsure_of = s->norm->conj[d->items[i].conj];
        }
    }
    if (!*again && !unsure_of) return true;
    take_back(s, number);
    if (*again) return true;
    if (s->norm->depth > 0) { /* what is under way further up may be all that it lacks */
        d->is_blocked = true;
        return true;
    }
    arti_fault(s, ART_E_LIMIT, NULL, 0, "uniqueItems",
               "too many values to tell whether enough items can differ (ARTI_VALUES_STEPS_MAX)");
    arti_conj_locate_fault(s, unsure_of);
    return false;
}

/* Decides what is queued, unless an expansion further up is in the way. */
static bool run(decision *d) {
    art_schema *s = d->s;
    const size_t n_asked = d->n;
    bool ok, again;
    do {
        ok = close_over(d);
        for (size_t i = 0; i < d->n; i++) s->norm->conj[d->items[i].conj]->facet[d->items[i].type].queued = 0;
        if (!ok || d->is_blocked) break;
        ok = iterate(d) && is_held(d);
        if (!ok) break;
        finish(d);
        ok = verify(d, &again);
        if (!ok || !again) break;
        for (d->n = 0; d->n < n_asked; d->n++)
            s->norm->conj[d->items[d->n].conj]->facet[d->items[d->n].type].queued = (uint8_t)(s->norm->depth + 1);
    } while (!d->is_blocked);
    arti_free(&s->mem, d->items, d->cap * sizeof *d->items);
    return ok;
}

bool arti_facet_decide(art_schema *s, arti_conj c, arti_type t) {
    if (s->norm->conj[c]->facet[t].is_decided) return true;
    decision d = {.s = s};
    if (!decision_add(&d, c, t)) return false;
    if (!run(&d)) return false;
    update_conj(s->norm->conj[c]);
    return !d.is_blocked;
}

bool arti_conj_decide(art_schema *s, arti_conj c) {
    if (s->norm->conj[c]->is_decided) return true;
    decision d = {.s = s};
    if (!decision_add_all(&d, c)) return false;
    return run(&d) && !d.is_blocked;
}

bool arti_conj_is_surely_empty(art_schema *s, arti_conj c, arti_type t) {
    arti_facet *f = &s->norm->conj[c]->facet[t];
    if (!f->is_decided) {
        if (c == ARTI_CONJ_NEVER) return true;
        if (s->norm->depth >= DEPTH_MAX || arti_faulted(s)) return false;
        s->norm->depth++;
        arti_facet_decide(s, c, t);
        s->norm->depth--;
    }
    return f->is_decided && f->len == ARTI_LEN_NONE;
}
