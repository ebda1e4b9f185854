/* SPDX-License-Identifier: Apache-2.0
 *
 * Finished branches become shapes; and what shapes say of one member or item. */
#include "art_branch.h"
#include "art_digest.h"

#include <stddef.h>

#define NAMES_FEW 32u /* names of an object that are listed rather than told apart by patterns */
#define CLASSES_WORK_MAX (4u * ARTI_RE_WORK_MAX) /* on regular languages, to tell the classes of one shape apart */

static void *keep(arti_expansion *x, size_t size) {
    return arti_schema_get(x->s, size);
}

/* ------------------------------------------------------------------ numbers */

static arti_dec *decimal(arti_expansion *x, const arti_json *v) {
    static const char one[] = "1";
    arti_dec *d = keep(x, sizeof *d);
    art_error e;
    if (!d) return NULL;
    const art_status st = arti_dec_parse(&x->s->arena, v ? v->str : one, v ? v->n : 1, d, &e);
    if (st == ART_OK) return d;
    arti_fault(x->s, st, v, 0, "", "%s", e.msg);
    return NULL;
}

/* Narrows a bound. */
static void bound(const arti_dec **at, bool *open, const arti_dec *v, bool v_open, int sign) {
    const int c = *at ? arti_dec_cmp(v, *at) * sign : 1;
    if (c > 0) {
        *at = v;
        *open = v_open;
    } else if (c == 0) {
        *open |= v_open;
    }
}

static bool number_shape(arti_expansion *x, const arti_branch *b, arti_num_rule *r) {
    arti_dec *not_step = NULL, *not_value = NULL;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t n_step = 0, n_value = 0;
        for (size_t i = 0; i < b->n; i++) {
            const arti_entry *e = &b->entries[i];
            if (e->kind != ARTI_E_NOT_STEP && e->kind != ARTI_E_NOT_VALUE) continue;
            const bool step = e->kind == ARTI_E_NOT_STEP;
            const uint32_t at = step ? n_step++ : n_value++;
            if (pass == 0) continue;
            const arti_dec *d = decimal(x, e->p);
            if (!d) return false;
            (step ? not_step : not_value)[at] = *d;
        }
        if (pass == 1) break;
        if (n_step > ARTI_NUM_NOT_STEP_MAX || n_value > ARTI_NUM_NOT_VALUE_MAX)
            return arti_fault(x->s, ART_E_LIMIT, NULL, 0, "not",
                              "more than %u excluded multiples or %u excluded numbers in one place",
                              ARTI_NUM_NOT_STEP_MAX, ARTI_NUM_NOT_VALUE_MAX);
        not_step = keep(x, n_step * sizeof *not_step);
        not_value = keep(x, n_value * sizeof *not_value);
        if (!not_step || !not_value) return false;
        r->n_not_step = n_step;
        r->n_not_value = n_value;
    }
    r->not_step = not_step;
    r->not_value = not_value;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        const bool narrows =
            e->kind == ARTI_E_LOW || e->kind == ARTI_E_HIGH || e->kind == ARTI_E_STEP || e->kind == ARTI_E_VALUE;
        if (!narrows) continue;
        const arti_dec *d = decimal(x, e->p);
        if (!d) return false;
        if (e->kind == ARTI_E_LOW || e->kind == ARTI_E_VALUE)
            bound(&r->lo, &r->lo_open, d, e->kind == ARTI_E_LOW && e->a, 1);
        if (e->kind == ARTI_E_HIGH || e->kind == ARTI_E_VALUE)
            bound(&r->hi, &r->hi_open, d, e->kind == ARTI_E_HIGH && e->a, -1);
        if (e->kind != ARTI_E_STEP) continue;
        if (r->step && arti_dec_cmp(r->step, d) != 0) {
            arti_dec *lcm = keep(x, sizeof *lcm);
            art_error err;
            if (!lcm) return false;
            const art_status st = arti_dec_lcm(&x->s->arena, r->step, d, lcm, &err);
            if (st != ART_OK) return arti_fault(x->s, st, e->p, 0, "multipleOf", "%s", err.msg);
            d = lcm;
        }
        if (arti_dec_digits(d) > ARTI_DEC_STEP_DIGITS_MAX)
            return arti_fault(x->s, ART_E_LIMIT, e->p, 0, "multipleOf",
                              "a multipleOf, or a common multiple, of more than %u significant digits "
                              "(ARTI_DEC_STEP_DIGITS_MAX)",
                              ARTI_DEC_STEP_DIGITS_MAX);
        r->step = d;
    }
    for (size_t i = 0; i < b->n; i++) r->is_long |= b->entries[i].kind == ARTI_E_LONG;
    arti_num_rule_finish(r);
    return true;
}

/* ------------------------------------------------------------------ strings */

static uint32_t code_points(const char *p, uint32_t len) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < len; i++) n += ((uint8_t)p[i] & 0xC0u) != 0x80u;
    return n;
}

static const arti_json *strings_of(const arti_entry *e, uint32_t *n) {
    const arti_json *v = e->p;
    *n = v->type == ARTI_JSON_ARRAY ? v->n : 1;
    return v->type == ARTI_JSON_ARRAY ? v->items : v;
}

/* Lists of strings that values are compared with: small ones as they are, large ones through a hash table. */
typedef struct string_list {
    const arti_json *items;
    uint32_t n;
    uint32_t *table; /* of 1 + index, by hash; NULL: none */
    uint32_t mask;
    bool excluded; /* the values are not to be in it */
} string_list;

#define LIST_SCAN_MAX 8u

static bool list_open(arti_expansion *x, const arti_entry *e, string_list *l) {
    *l = (string_list){.excluded = e->kind == ARTI_E_NOT_STRINGS};
    l->items = strings_of(e, &l->n);
    if (l->n <= LIST_SCAN_MAX) return true;
    uint32_t size = 16;
    while (size < l->n * 2) size *= 2;
    l->mask = size - 1;
    l->table = arti_arena_zero(&x->arena, size * sizeof *l->table);
    if (!l->table) return arti_fault_mem(x->s);
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t j = (uint32_t)l->items[i].hash & l->mask;
        while (l->table[j]) j = (j + 1) & l->mask;
        l->table[j] = i + 1;
    }
    return true;
}

static bool list_has(const string_list *l, const arti_json *v) {
    if (!l->table) {
        for (uint32_t i = 0; i < l->n; i++)
            if (l->items[i].hash == v->hash && arti_json_equal(&l->items[i], v)) return true;
        return false;
    }
    for (uint32_t j = (uint32_t)v->hash & l->mask; l->table[j]; j = (j + 1) & l->mask) {
        const arti_json *item = &l->items[l->table[j] - 1];
        if (item->hash == v->hash && arti_json_equal(item, v)) return true;
    }
    return false;
}

/* Does a listed string fit everything else? -1 on a fault. */
static int string_fits(arti_expansion *x, const arti_branch *b, const string_list *lists, size_t n_lists,
                       const arti_json *v) {
    if (v->has_surrogate) return 0;
    for (size_t i = 0; i < n_lists; i++)
        if (list_has(&lists[i], v) == lists[i].excluded) return 0;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (e->kind == ARTI_E_LENGTH) {
            const uint32_t n = code_points(v->str, v->n);
            if (n < e->a || n > e->b) return 0;
        } else if (e->kind == ARTI_E_TERM) {
            const arti_worlds worlds = arti_schema_worlds(x->s, e->a);
            arti_re term = worlds.yes;
            if (worlds.no != worlds.yes) {
                const int yes = arti_schema_check(x->s, (const uint8_t *)v->str, v->n);
                if (yes < 0) return -1;
                if (!yes) term = worlds.no;
            }
            const arti_re_state q = arti_re_run(x->s->re, arti_re_start(x->s->re, term), (const uint8_t *)v->str, v->n);
            if (q == ARTI_RE_FAIL) {
                arti_fault_re(x->s, NULL, 0, "pattern");
                return -1;
            }
            if (!arti_re_accepts(x->s->re, q)) return 0;
        }
    }
    return 1;
}

static bool key_less(const void *a, const void *b) {
    const arti_key *x = a, *y = b;
    return arti_key_cmp(x->ptr, x->len, y->ptr, y->len) < 0;
}

/* Heap sort of n items of a size, so that no input is slow. */
static void sort_items(void *base, size_t n, size_t size, bool (*less)(const void *, const void *), void *tmp) {
    uint8_t *p = base;
    for (size_t start = n / 2, end = n; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            memcpy(tmp, p + end * size, size);
            memcpy(p + end * size, p, size);
            memcpy(p, tmp, size);
        }
        size_t root = start;
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && less(p + child * size, p + (child + 1) * size)) child++;
            if (!less(p + root * size, p + child * size)) break;
            memcpy(tmp, p + root * size, size);
            memcpy(p + root * size, p + child * size, size);
            memcpy(p + child * size, tmp, size);
        }
    }
}

/* The listed strings that fit. *dead when there are none. */
static bool string_set(arti_expansion *x, const arti_branch *b, const arti_entry *list, arti_text_shape *t,
                       bool *dead) {
    uint32_t n, w = 0;
    const arti_json *items = strings_of(list, &n);
    arti_key *set = keep(x, n * sizeof *set), tmp;
    string_list *lists = arti_arena_get(&x->arena, (b->n + 1) * sizeof *lists);
    size_t n_lists = 0;
    if (!set) return false;
    if (!lists) return arti_fault_mem(x->s);
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (e != list && (e->kind == ARTI_E_STRINGS || e->kind == ARTI_E_NOT_STRINGS) &&
            !list_open(x, e, &lists[n_lists++]))
            return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].type != ARTI_JSON_STRING) continue;
        const int fits = string_fits(x, b, lists, n_lists, &items[i]);
        if (fits < 0) return false;
        if (!fits) continue;
        const uint64_t digest = arti_digest_text(ARTI_TEXT_HASH, items[i].str, items[i].n);
        set[w++] = (arti_key){.ptr = items[i].str, .len = items[i].n, .digest = digest};
    }
    sort_items(set, w, sizeof *set, key_less, &tmp);
    n = w;
    w = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!w || set[w - 1].len != set[i].len || memcmp(set[w - 1].ptr, set[i].ptr, set[i].len) != 0)
            set[w++] = set[i];
    t->set = set;
    t->n_set = w;
    *dead = w == 0;
    return true;
}

static bool text_shape(arti_expansion *x, const arti_branch *b, arti_text_shape *t, bool *dead) {
    art_schema *s = x->s;
    *t = (arti_text_shape){.hi = UINT32_MAX, .term = ARTI_RE_ANY};
    const arti_entry *list = NULL;
    size_t n_terms = 0, n_not = 0;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        uint32_t n;
        if (e->kind == ARTI_E_LENGTH) {
            if (e->a > t->lo) t->lo = e->a;
            if (e->b < t->hi) t->hi = e->b;
        } else if (e->kind == ARTI_E_STRINGS) {
            uint32_t most = UINT32_MAX; /* the shortest list, compared with the others */
            if (list) strings_of(list, &most);
            strings_of(e, &n);
            if (n < most) list = e;
        } else if (e->kind == ARTI_E_TERM) {
            n_terms++;
        } else if (e->kind == ARTI_E_NOT_STRINGS) {
            strings_of(e, &n);
            n_not += n;
        }
    }
    if (list) return string_set(x, b, list, t, dead);
    if (t->lo > t->hi) {
        *dead = true;
        return true;
    }
    if (n_terms + n_not == 0) return true;
    arti_re *terms = arti_arena_get(&x->arena, (n_terms + 1) * sizeof *terms),
            *no = arti_arena_get(&x->arena, (n_not + n_terms + 1) * sizeof *no);
    if (!terms || !no) return arti_fault_mem(s);
    n_terms = n_not = 0;
    bool is_checked = false;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        uint32_t n;
        if (e->kind == ARTI_E_TERM) {
            const arti_worlds worlds = arti_schema_worlds(s, e->a);
            is_checked |= worlds.no != worlds.yes;
            terms[n_terms++] = e->a;
        }
        if (e->kind != ARTI_E_NOT_STRINGS) continue;
        const arti_json *items = strings_of(e, &n);
        for (uint32_t j = 0; j < n; j++)
            if (items[j].type == ARTI_JSON_STRING && !items[j].has_surrogate)
                no[n_not++] = arti_re_literal(s->re, items[j].str, items[j].n);
    }
    if (n_not) terms[n_terms++] = arti_re_not(s->re, arti_re_or(s->re, no, n_not));
    const arti_re yes = arti_re_and(s->re, terms, n_terms);
    t->worlds = (arti_worlds){yes, yes, yes};
    if (is_checked) {
        for (size_t i = 0; i < n_terms; i++) no[i] = arti_schema_worlds(s, terms[i]).no;
        t->worlds.no = arti_re_and(s->re, no, n_terms);
        for (size_t i = 0; i < n_terms; i++) no[i] = arti_schema_worlds(s, terms[i]).both;
        t->worlds.both = arti_re_and(s->re, no, n_terms);
    }
    if (yes == ARTI_RE_FAIL || t->worlds.no == ARTI_RE_FAIL || t->worlds.both == ARTI_RE_FAIL)
        return arti_fault_re(s, NULL, 0, "pattern");
    t->term = t->worlds.both;
    *dead = yes == ARTI_RE_NONE && t->worlds.no == ARTI_RE_NONE;
    return true;
}

arti_re arti_conj_text_term(art_schema *s, arti_conj c) {
    if (c == ARTI_CONJ_ANY) return ARTI_RE_ANY;
    if (c == ARTI_CONJ_NEVER) return ARTI_RE_NONE;
    if (!arti_facet_expand(s, c, ARTI_T_STRING)) return ARTI_RE_FAIL;
    const arti_facet *f = &arti_conj_get(s, c)->facet[ARTI_T_STRING];
    const arti_re_range any[] = {{0, 0x10FFFF}};
    size_t n = 0, room = 1;
    for (uint32_t i = 0; i < f->n_shapes; i++) room += f->shapes[i]->text.set ? f->shapes[i]->text.n_set : 1u;
    arti_re *parts = arti_realloc(&s->mem, NULL, 0, room * sizeof *parts);
    if (!parts) {
        arti_fault_mem(s);
        return ARTI_RE_FAIL;
    }
    for (uint32_t i = 0; i < f->n_shapes; i++) {
        const arti_text_shape *t = &f->shapes[i]->text;
        const arti_re term = t->term == ARTI_RE_ANY ? t->term : t->worlds.yes;
        if (t->set) {
            for (uint32_t j = 0; j < t->n_set; j++) parts[n++] = arti_re_literal(s->re, t->set[j].ptr, t->set[j].len);
        } else if (t->lo || t->hi != UINT32_MAX) {
            const arti_re length = arti_re_repeat(s->re, arti_re_class(s->re, any, 1), t->lo,
                                                  t->hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : t->hi);
            parts[n++] = arti_re_and2(s->re, term, length);
        } else {
            parts[n++] = term;
        }
    }
    const arti_re all = arti_re_or(s->re, parts, n); /* of checked formats, `yes`: names are not checked */
    arti_free(&s->mem, parts, room * sizeof *parts);
    if (all == ARTI_RE_FAIL) arti_fault_re(s, NULL, 0, "propertyNames");
    return all;
}

/* ------------------------------------------------------------------ arrays */

static bool scope_within(const arti_expansion *x, uint32_t scope, uint32_t outer) {
    while (scope && scope != outer) scope = x->scopes[scope].parent;
    return scope != 0 && scope == outer;
}

static bool add_contains(arti_expansion *x, arti_array_shape *a, arti_contains c) {
    if (c.min == 0 && c.max == UINT32_MAX) return true;
    for (uint32_t i = 0; i < a->n_contains; i++) {
        arti_contains *d = &a->contains[i];
        if (d->lit != c.lit || d->start != c.start) continue;
        if (c.min > d->min) d->min = c.min;
        if (c.max < d->max) d->max = c.max;
        return true;
    }
    if (a->n_contains == ARTI_CONTAINS_MAX)
        return arti_fault(x->s, ART_E_LIMIT, NULL, 0, "contains",
                          "more than %u \"contains\" conditions in one place (ARTI_CONTAINS_MAX)", ARTI_CONTAINS_MAX);
    a->contains[a->n_contains++] = c;
    return true;
}

/* Items that a scope leaves unevaluated. */
static bool unevaluated_items(arti_expansion *x, const arti_branch *b, uint32_t scope, arti_array_shape *a) {
    art_schema *s = x->s;
    uint32_t evaluated = 0, n_contains = 0;
    bool all = false;
    arti_lit lits[ARTI_CONTAINS_MAX + 1];
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (e->kind == ARTI_E_UNEVALUATED && e->a != scope && scope_within(x, x->scopes[e->a].parent, scope))
            all = true; /* it has evaluated the rest */
        if (!scope_within(x, e->scope, scope)) continue;
        if (e->kind == ARTI_E_ITEMS) {
            const arti_items_group *g = e->p;
            all |= e->flag;
            if (g->n_prefix > evaluated) evaluated = g->n_prefix;
        } else if (e->kind == ARTI_E_CONTAINS && e->flag) {
            if (n_contains == ARTI_CONTAINS_MAX)
                return arti_fault(s, ART_E_LIMIT, NULL, 0, "contains",
                                  "more than %u \"contains\" conditions in one place", ARTI_CONTAINS_MAX);
            lits[n_contains++] = ((const arti_contains *)e->p)->lit;
        }
    }
    const bool negated = x->scopes[scope].negated;
    if (all) return !negated || add_contains(x, a, (arti_contains){ARTI_LIT_FALSE, 0, 1, UINT32_MAX});
    lits[n_contains++] = x->scopes[scope].lit;
    const arti_lit fits = arti_lit_or(s, lits, n_contains);
    if (fits == ARTI_LIT_FAIL) return false;
    if (negated) return add_contains(x, a, (arti_contains){ARTI_LIT_NOT(fits), evaluated, 1, UINT32_MAX});
    arti_lit *prefix = keep(x, evaluated * sizeof *prefix);
    if (!prefix) return false;
    for (uint32_t i = 0; i < evaluated; i++) prefix[i] = ARTI_LIT_TRUE;
    a->groups[a->n_groups++] = (arti_items_group){prefix, evaluated, fits};
    return true;
}

static bool fault_not_unique(art_schema *s) {
    return arti_fault(
        s, ART_E_UNSUPPORTED, NULL, 0, "uniqueItems",
        "the negation of \"uniqueItems\" together with a largest length or \"contains\" is not supported");
}

static bool array_shape(arti_expansion *x, const arti_branch *b, arti_array_shape *a, bool *dead) {
    a->max = UINT32_MAX;
    size_t n_groups = 0;
    for (size_t i = 0; i < b->n; i++) {
        const uint8_t k = b->entries[i].kind;
        n_groups += k == ARTI_E_ITEMS || k == ARTI_E_AT || k == ARTI_E_UNEVALUATED;
    }
    a->groups = keep(x, n_groups * sizeof *a->groups);
    if (!a->groups) return false;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        switch (e->kind) {
        case ARTI_E_ITEMS: a->groups[a->n_groups++] = *(const arti_items_group *)e->p; break;
        case ARTI_E_AT: {
            arti_lit *prefix = keep(x, ((size_t)e->a + 1) * sizeof *prefix);
            if (!prefix) return false;
            for (uint32_t j = 0; j < e->a; j++) prefix[j] = ARTI_LIT_TRUE;
            prefix[e->a] = e->lit;
            a->groups[a->n_groups++] = (arti_items_group){prefix, e->a + 1, ARTI_LIT_TRUE};
            if (a->min <= e->a) a->min = e->a + 1;
            break;
        }
        case ARTI_E_COUNT:
            if (e->a > a->min) a->min = e->a;
            if (e->b < a->max) a->max = e->b;
            break;
        case ARTI_E_CONTAINS:
            if (!add_contains(x, a, *(const arti_contains *)e->p)) return false;
            break;
        case ARTI_E_UNIQUE:
            a->unique = true;
            x->s->norm->has_unique = true;
            break;
        case ARTI_E_NOT_UNIQUE: a->not_unique = true; break;
        case ARTI_E_UNEVALUATED:
            if (!unevaluated_items(x, b, e->a, a)) return false;
            break;
        default: break;
        }
    }
    if (a->not_unique && a->min < 2) a->min = 2;
    if (a->min > a->max || (a->unique && a->not_unique)) {
        *dead = true;
        return true;
    }
    if (a->not_unique && (a->max != UINT32_MAX || a->n_contains)) return fault_not_unique(x->s);
    for (uint32_t i = 0; i < a->n_groups; i++)
        if (a->groups[i].n_prefix > a->n_prefix) a->n_prefix = a->groups[i].n_prefix;
    a->items = keep(x, ((size_t)a->n_prefix + 1) * sizeof *a->items);
    if (!a->items) return false;
    for (uint32_t i = 0; i <= a->n_prefix; i++) a->items[i] = ARTI_CONJ_UNSET;
    if (!a->not_unique || a->n_prefix < 2) return true;
    const arti_conj tail = arti_array_item_conj(x->s, a, a->n_prefix);
    if (tail == ARTI_CONJ_FAIL) return false;
    for (int t = 0; t < ARTI_N_TYPES; t++)
        if (!arti_conj_is_surely_empty(x->s, tail, (arti_type)t)) return !arti_faulted(x->s);
    return fault_not_unique(x->s); /* a largest length, too */
}

arti_conj arti_array_item_conj(art_schema *s, arti_array_shape *a, uint32_t i) {
    if (i > a->n_prefix) i = a->n_prefix;
    if (a->items[i] != ARTI_CONJ_UNSET) return a->items[i];
    arti_lit *lits = arti_realloc(&s->mem, NULL, 0, (a->n_groups + 1) * sizeof *lits);
    if (!lits) {
        arti_fault_mem(s);
        return ARTI_CONJ_FAIL;
    }
    for (uint32_t j = 0; j < a->n_groups; j++) {
        const arti_items_group *g = &a->groups[j];
        lits[j] = i < g->n_prefix ? g->prefix[i] : g->rest;
    }
    const arti_conj c = arti_conj_of(s, lits, a->n_groups);
    arti_free(&s->mem, lits, (a->n_groups + 1) * sizeof *lits);
    if (c != ARTI_CONJ_FAIL) a->items[i] = c;
    return c;
}

/* ------------------------------------------------------------------ objects */

static const uint32_t first_index = 0;

static arti_members *single_group(arti_expansion *x, const arti_key *key, arti_lit lit) {
    arti_members *g = arti_schema_zero(x->s, sizeof *g);
    arti_prop *p = keep(x, sizeof *p);
    if (!g || !p) return NULL;
    *p = (arti_prop){*key, lit};
    *g = (arti_members){.props = p, .sorted = &first_index, .n_props = 1, .rest = ARTI_LIT_TRUE};
    return g;
}

/* The group of a scope: evaluated names and patterns are free, the rest satisfies the scope's literal. *out NULL when all
 * members are evaluated. */
static bool unevaluated_group(arti_expansion *x, const arti_branch *b, uint32_t scope, arti_members **out) {
    *out = NULL;
    size_t n_props = 0, n_patterns = 0;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (e->kind == ARTI_E_UNEVALUATED && e->a != scope && scope_within(x, x->scopes[e->a].parent, scope))
            return true;
        if (e->kind != ARTI_E_GROUP || !scope_within(x, e->scope, scope)) continue;
        const arti_members *g = e->p;
        if (g->has_rest) return true;
        n_props += g->n_props;
        n_patterns += g->n_patterns;
    }
    arti_members *u = arti_schema_zero(x->s, sizeof *u);
    arti_prop *props = keep(x, n_props * sizeof *props), tmp;
    uint32_t *sorted = keep(x, n_props * sizeof *sorted);
    arti_pattern_prop *pats = keep(x, n_patterns * sizeof *pats);
    if (!u || !props || !sorted || !pats) return false;
    n_props = n_patterns = 0;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (e->kind != ARTI_E_GROUP || !scope_within(x, e->scope, scope)) continue;
        const arti_members *g = e->p;
        for (uint32_t j = 0; j < g->n_props; j++) props[n_props++] = (arti_prop){g->props[j].key, ARTI_LIT_TRUE};
        for (uint32_t j = 0; j < g->n_patterns; j++)
            pats[n_patterns++] = (arti_pattern_prop){g->patterns[j].term, ARTI_LIT_TRUE};
    }
    sort_items(props, n_props, sizeof *props, key_less, &tmp); /* a prop begins with its key */
    for (uint32_t i = 0; i < n_props; i++) sorted[i] = i;
    *u = (arti_members){props, sorted, pats, (uint32_t)n_props, (uint32_t)n_patterns, x->scopes[scope].lit, true};
    *out = u;
    return true;
}

static bool has_pattern(const arti_object_shape *o, arti_re t) {
    for (uint32_t i = 0; i < o->n_pats; i++)
        if (o->pats[i] == t) return true;
    return false;
}

static bool add_pattern(arti_expansion *x, arti_object_shape *o, arti_re t) {
    if (has_pattern(o, t)) return true;
    if (o->n_pats == ARTI_EXTRA_PATTERNS_MAX)
        return arti_fault(x->s, ART_E_LIMIT, NULL, 0, "patternProperties",
                          "more than %u patterns for the members of one object", ARTI_EXTRA_PATTERNS_MAX);
    o->pats[o->n_pats++] = t;
    return true;
}

static bool is_text(const arti_key *key) { /* no surrogate in it */
    for (uint32_t i = 0; i + 1 < key->len; i++)
        if ((uint8_t)key->ptr[i] == 0xEDu && (uint8_t)key->ptr[i + 1] >= 0xA0u) return false;
    return true;
}

static bool add_some(arti_expansion *x, arti_object_shape *o, arti_some some) {
    if (o->n_some == ARTI_SOME_MAX)
        return arti_fault(x->s, ART_E_LIMIT, NULL, 0, "not",
                          "more than %u conditions on \"some member\" in one place (ARTI_SOME_MAX)", ARTI_SOME_MAX);
    o->some[o->n_some++] = some;
    return true;
}

/* Names of the members that a condition may be met by. */
static arti_re some_names(art_schema *s, const arti_some *some) {
    if (some->kind != ARTI_SOME_REST) return some->term;
    const arti_members *g = some->group;
    const size_t room = (size_t)g->n_props + g->n_patterns + 1;
    arti_re *no = arti_realloc(&s->mem, NULL, 0, room * sizeof *no);
    if (!no) {
        arti_fault_mem(s);
        return ARTI_RE_FAIL;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_props; i++)
        if (is_text(&g->props[i].key)) no[n++] = arti_re_literal(s->re, g->props[i].key.ptr, g->props[i].key.len);
    for (uint32_t i = 0; i < g->n_patterns; i++) no[n++] = g->patterns[i].term;
    const arti_re t = arti_re_not(s->re, arti_re_or(s->re, no, n));
    arti_free(&s->mem, no, room * sizeof *no);
    return t;
}

/* An object of one member at most: all conditions on some member are conditions on that one. */
static bool meet_at_once(arti_expansion *x, arti_object_shape *o, arti_re *names) {
    for (uint32_t i = 0; i < o->n_some; i++) {
        *names = arti_re_and2(x->s->re, *names, some_names(x->s, &o->some[i]));
        if (*names == ARTI_RE_FAIL) return arti_fault_re(x->s, NULL, 0, "patternProperties");
        if (o->some[i].lit == ARTI_LIT_TRUE) continue;
        arti_members *g = arti_schema_zero(x->s, sizeof *g);
        if (!g) return false;
        g->rest = o->some[i].lit;
        o->groups[o->n_groups++] = g;
    }
    o->n_some = 0;
    if (o->min == 0) o->min = 1;
    return true;
}

static bool gather_patterns(arti_expansion *x, arti_object_shape *o) {
    for (uint32_t i = 0; i < o->n_groups; i++)
        for (uint32_t j = 0; j < o->groups[i]->n_patterns; j++)
            if (!add_pattern(x, o, o->groups[i]->patterns[j].term)) return false;
    for (uint32_t i = 0; i < o->n_some; i++) {
        const arti_some *some = &o->some[i];
        if (some->kind != ARTI_SOME_REST && !add_pattern(x, o, some->term)) return false;
        for (uint32_t j = 0; some->kind == ARTI_SOME_REST && j < some->group->n_patterns; j++)
            if (!add_pattern(x, o, some->group->patterns[j].term)) return false;
    }
    return true;
}

/* All names that the object may have, if they are few: *words in the schema's arena. *n UINT32_MAX: they are not. */
static bool few_names(arti_expansion *x, const arti_object_shape *o, arti_key **words, uint32_t *n) {
    art_schema *s = x->s;
    arti_re left = o->names_term;
    *n = UINT32_MAX;
    for (uint32_t i = 0; i < o->n_groups; i++) {
        const arti_members *g = o->groups[i];
        if (g->rest != ARTI_LIT_FALSE) continue;
        const arti_some other = {.kind = ARTI_SOME_REST, .group = g};
        left = arti_re_and2(s->re, left, arti_re_not(s->re, some_names(s, &other)));
    }
    *words = keep(x, NAMES_FEW * sizeof **words);
    if (!*words) return false;
    for (uint32_t i = 0;; i++) {
        char buf[256];
        size_t len;
        const arti_re_state q = arti_re_start(s->re, left);
        if (q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "patternProperties");
        const art_status st = arti_re_witness(s->re, q, 0, ARTI_RE_UNBOUNDED, (uint8_t *)buf, sizeof buf, &len);
        if (st == ART_REJECTED) {
            *n = i;
            return true;
        }
        if (i == NAMES_FEW || (st == ART_E_LIMIT && len > sizeof buf)) return true;
        if (st != ART_OK) return arti_fault_re(s, NULL, 0, "patternProperties");
        char *copy = keep(x, len);
        if (!copy) return false;
        memcpy(copy, buf, len);
        (*words)[i] = (arti_key){.ptr = copy, .len = (uint32_t)len};
        left = arti_re_and2(s->re, left, arti_re_not(s->re, arti_re_literal(s->re, buf, len)));
    }
}

static bool name_less(const void *a, const void *b) {
    const arti_name *x = a, *y = b;
    const int c = arti_key_cmp(x->key.ptr, x->key.len, y->key.ptr, y->key.len);
    return c ? c < 0 : x->rank < y->rank;
}

static void put_name(arti_object_shape *o, const arti_key *key, bool required) {
    o->names[o->n_names] = (arti_name){.key = *key, .required = required, .rank = o->n_names, .conj = ARTI_CONJ_UNSET};
    o->n_names++;
}

static void put_group_names(arti_object_shape *o, const arti_members *g) {
    for (uint32_t i = 0; i < g->n_props; i++) put_name(o, &g->props[i].key, false);
}

/* Sorts the names and joins those that are mentioned more than once. */
static void join_names(arti_object_shape *o) {
    arti_name tmp;
    sort_items(o->names, o->n_names, sizeof *o->names, name_less, &tmp);
    uint32_t w = 0;
    for (uint32_t i = 0; i < o->n_names; i++) {
        arti_name *last = w ? &o->names[w - 1] : NULL;
        if (last && last->key.len == o->names[i].key.len &&
            memcmp(last->key.ptr, o->names[i].key.ptr, last->key.len) == 0)
            last->required |= o->names[i].required;
        else
            o->names[w++] = o->names[i];
    }
    o->n_names = w;
    for (uint32_t i = 0; i < w; i++) o->n_required += o->names[i].required;
}

static bool object_groups(arti_expansion *x, const arti_branch *b, arti_object_shape *o, arti_lit *names,
                          uint32_t *n_names) {
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        arti_members *g = NULL;
        switch (e->kind) {
        case ARTI_E_GROUP: o->groups[o->n_groups++] = e->p; break;
        case ARTI_E_LACKS:
        case ARTI_E_HAS:
        case ARTI_E_IF_HAS:
            g = single_group(x, e->p, e->kind == ARTI_E_LACKS ? ARTI_LIT_FALSE : e->lit);
            if (!g) return false;
            o->groups[o->n_groups++] = g;
            break;
        case ARTI_E_UNEVALUATED:
            if (!unevaluated_group(x, b, e->a, &g)) return false;
            if (!g) {
                if (x->scopes[e->a].negated)
                    return add_some(x, o, (arti_some){ARTI_SOME_PATTERN, NULL, ARTI_RE_NONE, ARTI_LIT_FALSE});
                break;
            }
            if (x->scopes[e->a].negated) {
                if (!add_some(x, o, (arti_some){ARTI_SOME_REST, g, 0, ARTI_LIT_NOT(g->rest)})) return false;
            } else {
                o->groups[o->n_groups++] = g;
            }
            break;
        case ARTI_E_NAMES: names[(*n_names)++] = e->lit; break;
        case ARTI_E_SOME: {
            const arti_members *from = e->p;
            const arti_some some = e->a == UINT32_MAX
                                       ? (arti_some){ARTI_SOME_REST, from, 0, e->lit}
                                       : (arti_some){ARTI_SOME_PATTERN, NULL, from->patterns[e->a].term, e->lit};
            if (!add_some(x, o, some)) return false;
            break;
        }
        case ARTI_E_SOME_NAME: {
            arti_lit lit = e->lit;
            const arti_conj c = arti_conj_of(x->s, &lit, 1);
            const arti_re t = c == ARTI_CONJ_FAIL ? ARTI_RE_FAIL : arti_conj_text_term(x->s, c);
            if (t == ARTI_RE_FAIL || !add_some(x, o, (arti_some){ARTI_SOME_NAME, NULL, t, ARTI_LIT_TRUE})) return false;
            break;
        }
        case ARTI_E_MEMBERS:
            if (e->a > o->min) o->min = e->a;
            if (e->b < o->max) o->max = e->b;
            break;
        default: break;
        }
    }
    return true;
}

static bool object_shape(arti_expansion *x, const arti_branch *b, arti_object_shape *o, bool *dead) {
    art_schema *s = x->s;
    o->max = UINT32_MAX;
    o->pats = keep(x, ARTI_EXTRA_PATTERNS_MAX * sizeof *o->pats);
    o->groups = keep(x, b->n * sizeof *o->groups);
    arti_lit *names = arti_arena_get(&x->arena, (b->n + 1) * sizeof *names);
    if (!o->pats || !o->groups) return false;
    if (!names) return arti_fault_mem(s);
    uint32_t n_names = 0;
    if (!object_groups(x, b, o, names, &n_names)) return false;
    const arti_conj names_conj = arti_conj_of(s, names, n_names);
    if (names_conj == ARTI_CONJ_FAIL) return false;
    o->names_term = arti_conj_text_term(s, names_conj);
    if (o->names_term == ARTI_RE_FAIL) return false;
    if (o->n_some && o->max == 1 && !meet_at_once(x, o, &o->names_term)) return false;
    if (!gather_patterns(x, o)) return false;
    size_t n = NAMES_FEW;
    for (uint32_t i = 0; i < o->n_groups; i++) n += o->groups[i]->n_props;
    for (uint32_t i = 0; i < o->n_some; i++) n += o->some[i].kind == ARTI_SOME_REST ? o->some[i].group->n_props : 0;
    for (size_t i = 0; i < b->n; i++) n += b->entries[i].kind == ARTI_E_REQUIRED || b->entries[i].kind == ARTI_E_HAS;
    o->names = keep(x, n * sizeof *o->names);
    if (!o->names) return false;
    for (uint32_t i = 0; i < o->n_groups; i++) put_group_names(o, o->groups[i]);
    for (uint32_t i = 0; i < o->n_some; i++)
        if (o->some[i].kind == ARTI_SOME_REST) put_group_names(o, o->some[i].group);
    for (size_t i = 0; i < b->n; i++)
        if (b->entries[i].kind == ARTI_E_REQUIRED || b->entries[i].kind == ARTI_E_HAS)
            put_name(o, b->entries[i].p, true);
    o->depends_on_class = o->n_some && o->n_pats && o->max != UINT32_MAX;
    if (o->depends_on_class) {
        arti_key *words;
        uint32_t n_words;
        if (!few_names(x, o, &words, &n_words)) return false;
        for (uint32_t i = 0; n_words != UINT32_MAX && i < n_words; i++) put_name(o, &words[i], false);
        if (n_words != UINT32_MAX) { /* then there are no others */
            o->depends_on_class = false;
            o->extra = ARTI_RE_NONE;
            o->extra_known = true;
        }
    }
    join_names(o);
    if (o->min > o->max || o->n_required > o->max) {
        *dead = true;
        return true;
    }
    o->is_simple = o->max == UINT32_MAX && o->min <= o->n_required && o->n_some == 0;
    return true;
}

uint32_t arti_object_find(const arti_object_shape *o, const char *key, uint32_t len) {
    uint32_t lo = 0, hi = o->n_names;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const int c = arti_key_cmp(o->names[mid].key.ptr, o->names[mid].key.len, key, len);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

/* Does a key belong to a language? -1 on a fault. */
static int key_in(art_schema *s, arti_re t, const arti_key *key) {
    if (t == ARTI_RE_ANY) return 1;
    const arti_re_state q = arti_re_run(s->re, arti_re_start(s->re, t), (const uint8_t *)key->ptr, key->len);
    if (q == ARTI_RE_FAIL) {
        arti_fault_re(s, NULL, 0, "patternProperties");
        return -1;
    }
    return arti_re_accepts(s->re, q);
}

/* Literals on the value of a key from all groups. Room for one a name and one a pattern of every group is needed. */
static bool key_lits(art_schema *s, arti_object_shape *o, const arti_key *key, const uint64_t *matches, arti_lit *lits,
                     uint32_t *n) {
    for (uint32_t i = 0; i < o->n_groups; i++) {
        const arti_members *g = o->groups[i];
        const uint32_t j = key ? arti_members_find(g, key->ptr, key->len) : UINT32_MAX;
        bool matched = j != UINT32_MAX;
        if (matched) lits[(*n)++] = g->props[j].lit;
        for (uint32_t k = 0; k < g->n_patterns; k++) {
            uint32_t at = 0;
            while (o->pats[at] != g->patterns[k].term) at++;
            if (!(*matches >> at & 1u)) continue;
            matched = true;
            lits[(*n)++] = g->patterns[k].lit;
        }
        if (!matched) lits[(*n)++] = g->rest;
    }
    (void)s;
    return true;
}

static uint32_t lits_room(const arti_object_shape *o) {
    uint32_t n = 1;
    for (uint32_t i = 0; i < o->n_groups; i++) n += 1 + o->groups[i]->n_patterns;
    return n;
}

/* Which existential conditions may a member with this name (NULL: one not mentioned) meet? */
static uint32_t some_bits(const arti_object_shape *o, const arti_key *key, uint64_t matches) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < o->n_some; i++) {
        const arti_some *m = &o->some[i];
        bool may;
        if (m->kind == ARTI_SOME_REST) {
            may = !key || arti_members_find(m->group, key->ptr, key->len) == UINT32_MAX;
            for (uint32_t j = 0; may && j < m->group->n_patterns; j++)
                for (uint32_t k = 0; k < o->n_pats; k++)
                    if (o->pats[k] == m->group->patterns[j].term && (matches >> k & 1u)) may = false;
        } else {
            may = false;
            for (uint32_t k = 0; k < o->n_pats; k++) may |= o->pats[k] == m->term && (matches >> k & 1u);
        }
        if (may) bits |= 1u << i;
    }
    return bits;
}

static arti_conj conj_of_key(art_schema *s, arti_object_shape *o, const arti_key *key, uint64_t matches) {
    const uint32_t room = lits_room(o);
    arti_lit few[48], *lits = few;
    if (room > 48 && !(lits = arti_realloc(&s->mem, NULL, 0, room * sizeof *lits))) {
        arti_fault_mem(s);
        return ARTI_CONJ_FAIL;
    }
    uint32_t n = 0;
    key_lits(s, o, key, &matches, lits, &n);
    const arti_conj c = arti_conj_of(s, lits, n);
    if (lits != few) arti_free(&s->mem, lits, room * sizeof *lits);
    return c;
}

arti_conj arti_object_name_conj(art_schema *s, arti_object_shape *o, uint32_t i) {
    arti_name *name = &o->names[i];
    if (name->conj != ARTI_CONJ_UNSET) return name->conj;
    uint64_t matches = 0;
    for (uint32_t k = 0; k < o->n_pats; k++) {
        const int in = key_in(s, o->pats[k], &name->key);
        if (in < 0) return ARTI_CONJ_FAIL;
        if (in) matches |= UINT64_C(1) << k;
    }
    const int named = key_in(s, o->names_term, &name->key);
    if (named < 0) return ARTI_CONJ_FAIL;
    const arti_conj c = named && is_text(&name->key) ? conj_of_key(s, o, &name->key, matches) : ARTI_CONJ_NEVER;
    if (c == ARTI_CONJ_FAIL) return c;
    name->some = some_bits(o, &name->key, matches);
    name->conj = c;
    return c;
}

arti_extra_class *arti_object_extra_class(art_schema *s, arti_object_shape *o, uint64_t matches) {
    for (arti_extra_class *c = o->classes; c; c = c->next)
        if (c->matches == matches) return c;
    arti_extra_class *c = arti_schema_zero(s, sizeof *c);
    if (!c) return NULL;
    c->matches = matches;
    c->conj = conj_of_key(s, o, NULL, matches);
    if (c->conj == ARTI_CONJ_FAIL) return NULL;
    c->some = some_bits(o, NULL, matches);
    c->next = o->classes;
    o->classes = c;
    return c;
}

/* Splits a list of classes by one more pattern; those without names go. */
static bool split_classes(art_schema *s, arti_re pattern, uint32_t bit, uint64_t *matches, arti_re *names,
                          uint32_t *n) {
    const uint32_t before = *n;
    const arti_re other = arti_re_not(s->re, pattern);
    uint32_t w = 0, more = before;
    for (uint32_t i = 0; i < before; i++) {
        const arti_re in = arti_re_and2(s->re, names[i], pattern), out = arti_re_and2(s->re, names[i], other);
        const arti_re_state q = arti_re_start(s->re, in), r = arti_re_start(s->re, out);
        if (q == ARTI_RE_FAIL || r == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "patternProperties");
        const uint64_t m = matches[i];
        if (r != ARTI_RE_DEAD) {
            matches[w] = m;
            names[w++] = out;
        }
        if (q == ARTI_RE_DEAD) continue;
        if (more == 2 * ARTI_EXTRA_CLASSES_MAX)
            return arti_fault(s, ART_E_LIMIT, NULL, 0, "patternProperties",
                              "patterns that meet in more than %u ways (ARTI_EXTRA_CLASSES_MAX)",
                              ARTI_EXTRA_CLASSES_MAX);
        matches[more] = m | UINT64_C(1) << bit;
        names[more++] = in;
    }
    memmove(matches + w, matches + before, (more - before) * sizeof *matches);
    memmove(names + w, names + before, (more - before) * sizeof *names);
    *n = w + more - before;
    return *n <= ARTI_EXTRA_CLASSES_MAX ||
           arti_fault(s, ART_E_LIMIT, NULL, 0, "patternProperties",
                      "patterns that meet in more than %u ways (ARTI_EXTRA_CLASSES_MAX)", ARTI_EXTRA_CLASSES_MAX);
}

/* Takes the names that are mentioned out of a class, where that may leave none. */
static bool leave_unmentioned(art_schema *s, const arti_object_shape *o, arti_re *names) {
    arti_re_lengths lengths;
    const arti_re_state q = arti_re_start(s->re, *names);
    if (q == ARTI_RE_DEAD) return true; /* there is none as it is */
    if (q == ARTI_RE_FAIL || arti_re_get_lengths(s->re, q, &lengths) != ART_OK)
        return arti_fault_re(s, NULL, 0, "patternProperties");
    if (lengths.longest == ARTI_RE_UNBOUNDED || o->n_names == 0) return true;
    arti_re *mentioned = arti_realloc(&s->mem, NULL, 0, o->n_names * sizeof *mentioned);
    if (!mentioned) return arti_fault_mem(s);
    uint32_t n = 0;
    int in = 0;
    for (uint32_t i = 0; i < o->n_names && in >= 0; i++) {
        in = is_text(&o->names[i].key) ? key_in(s, *names, &o->names[i].key) : 0;
        if (in > 0) mentioned[n++] = arti_re_literal(s->re, o->names[i].key.ptr, o->names[i].key.len);
    }
    if (n) *names = arti_re_and2(s->re, *names, arti_re_not(s->re, arti_re_or(s->re, mentioned, n)));
    arti_free(&s->mem, mentioned, o->n_names * sizeof *mentioned);
    return in >= 0 && (*names != ARTI_RE_FAIL || arti_fault_re(s, NULL, 0, "patternProperties"));
}

const arti_class_list *arti_object_classes(art_schema *s, arti_object_shape *o) {
    if (o->all_classes) return o->all_classes;
    uint64_t matches[2 * ARTI_EXTRA_CLASSES_MAX];
    arti_re names[2 * ARTI_EXTRA_CLASSES_MAX];
    uint32_t n = o->names_term != ARTI_RE_NONE;
    matches[0] = 0;
    names[0] = o->names_term;
    const uint64_t work = arti_re_work_done(s->re);
    for (uint32_t k = 0; k < o->n_pats; k++) {
        if (!split_classes(s, o->pats[k], k, matches, names, &n)) return NULL;
        if (arti_re_work_done(s->re) - work > CLASSES_WORK_MAX) {
            arti_fault(s, ART_E_LIMIT, NULL, 0, "patternProperties",
                       "it is too much work to find out how the patterns meet (ARTI_RE_WORK_MAX)");
            return NULL;
        }
    }
    uint32_t w = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!leave_unmentioned(s, o, &names[i])) return NULL;
        const arti_re_state q = arti_re_start(s->re, names[i]);
        if (q == ARTI_RE_FAIL) {
            arti_fault_re(s, NULL, 0, "patternProperties");
            return NULL;
        }
        matches[w] = matches[i];
        names[w] = names[i];
        w += q != ARTI_RE_DEAD;
    }
    n = w;
    arti_class_list *all = arti_schema_get(s, sizeof *all);
    arti_extra_class **at = arti_schema_get(s, n * sizeof *at);
    if (!all || !at) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!(at[i] = arti_object_extra_class(s, o, matches[i]))) return NULL;
        at[i]->names = names[i];
    }
    *all = (arti_class_list){at, n};
    o->all_classes = all;
    return all;
}

/* Is the value of a class of names impossible? -1 on a fault. */
static int class_empty(art_schema *s, arti_object_shape *o, uint64_t matches) {
    const arti_extra_class *c = arti_object_extra_class(s, o, matches);
    if (!c) return -1;
    const uint32_t len = arti_conj_len(s, c->conj);
    return arti_faulted(s) ? -1 : len == ARTI_LEN_NONE;
}

/* Can the value of every name that is not mentioned be anything that any of the groups asks of it, all at once? Then no class of
 * names is empty. -1 on a fault. */
static int never_empty(art_schema *s, arti_object_shape *o) {
    const uint32_t room = lits_room(o);
    arti_lit *lits = arti_realloc(&s->mem, NULL, 0, room * sizeof *lits);
    if (!lits) {
        arti_fault_mem(s);
        return -1;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n_groups; i++) {
        const arti_members *g = o->groups[i];
        lits[n++] = g->rest;
        for (uint32_t k = 0; k < g->n_patterns; k++) lits[n++] = g->patterns[k].lit;
    }
    const arti_conj c = arti_conj_of(s, lits, n);
    arti_free(&s->mem, lits, room * sizeof *lits);
    if (c == ARTI_CONJ_FAIL) return -1;
    const uint32_t len = arti_conj_len(s, c);
    return arti_faulted(s) ? -1 : len != ARTI_LEN_NONE;
}

/* Names not mentioned whose value can not fit. ARTI_RE_FAIL on a fault. */
static arti_re hopeless_names(art_schema *s, arti_object_shape *o) {
    if (o->n_pats == 0) {
        const int empty = class_empty(s, o, 0);
        return empty < 0 ? ARTI_RE_FAIL : empty ? ARTI_RE_ANY : ARTI_RE_NONE;
    }
    const int fine = never_empty(s, o);
    if (fine) return fine < 0 ? ARTI_RE_FAIL : ARTI_RE_NONE;
    const uint64_t all = o->n_pats == 64 ? UINT64_MAX : (UINT64_C(1) << o->n_pats) - 1;
    if (o->n_groups == 1 &&
        o->groups[0]->n_patterns >= o->n_pats) { /* more patterns ask more, none asks for the rest */
        const int none = class_empty(s, o, 0), full = class_empty(s, o, all);
        if (none < 0 || full < 0) return ARTI_RE_FAIL;
        if (!full) return none ? arti_re_not(s->re, arti_re_or(s->re, o->pats, o->n_pats)) : ARTI_RE_NONE;
    }
    const arti_class_list *all_classes = arti_object_classes(s, o);
    arti_re *bad = all_classes ? arti_realloc(&s->mem, NULL, 0, (all_classes->n + 1) * sizeof *bad) : NULL;
    if (!bad) {
        if (all_classes) arti_fault_mem(s);
        return ARTI_RE_FAIL;
    }
    uint32_t n_bad = 0;
    for (uint32_t i = 0; i < all_classes->n; i++)
        if (arti_conj_len(s, all_classes->at[i]->conj) == ARTI_LEN_NONE) bad[n_bad++] = all_classes->at[i]->names;
    const arti_re all_bad = arti_faulted(s) ? ARTI_RE_FAIL : arti_re_or(s->re, bad, n_bad);
    arti_free(&s->mem, bad, (all_classes->n + 1) * sizeof *bad);
    return all_bad;
}

bool arti_object_know_extra(art_schema *s, arti_object_shape *o) {
    if (o->extra_known) return true;
    arti_re t = o->names_term;
    if (t != ARTI_RE_NONE) {
        const arti_re bad = hopeless_names(s, o);
        if (arti_faulted(s)) return false;
        if (bad != ARTI_RE_NONE) t = arti_re_and2(s->re, t, arti_re_not(s->re, bad));
    }
    if (t == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "patternProperties");
    if (t != ARTI_RE_ANY && t != ARTI_RE_NONE) { /* names that are mentioned are not meant */
        arti_re *mentioned = arti_realloc(&s->mem, NULL, 0, (o->n_names + 1) * sizeof *mentioned);
        if (!mentioned) return arti_fault_mem(s);
        uint32_t n = 0;
        int in = 0;
        for (uint32_t i = 0; i < o->n_names && in >= 0; i++) {
            in = is_text(&o->names[i].key) ? key_in(s, t, &o->names[i].key) : 0;
            if (in > 0) mentioned[n++] = arti_re_literal(s->re, o->names[i].key.ptr, o->names[i].key.len);
        }
        if (in >= 0 && n) t = arti_re_and2(s->re, t, arti_re_not(s->re, arti_re_or(s->re, mentioned, n)));
        arti_free(&s->mem, mentioned, (o->n_names + 1) * sizeof *mentioned);
        if (in < 0) return false;
        const arti_re_state q = arti_re_start(s->re, t);
        if (t == ARTI_RE_FAIL || q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "patternProperties");
        if (q == ARTI_RE_DEAD) t = ARTI_RE_NONE;
    }
    o->extra = t;
    o->extra_is_free = t == ARTI_RE_ANY;
    o->extra_known = true;
    return true;
}

/* ------------------------------------------------------------------ the shape of a branch */

bool arti_shape_of(arti_expansion *x, const arti_branch *b, arti_shape **out) {
    static const size_t size_of[ARTI_N_TYPES] = {
        /* of what a type has in common with the others, and its own */
        [ARTI_T_NULL] = offsetof(arti_shape, number),
        [ARTI_T_BOOL] = offsetof(arti_shape, number),
        [ARTI_T_NUMBER] = offsetof(arti_shape, number) + sizeof(arti_num_rule),
        [ARTI_T_STRING] = offsetof(arti_shape, text) + sizeof(arti_text_shape),
        [ARTI_T_ARRAY] = offsetof(arti_shape, array) + sizeof(arti_array_shape),
        [ARTI_T_OBJECT] = offsetof(arti_shape, object) + sizeof(arti_object_shape)};
    *out = NULL;
    arti_shape *sh = arti_schema_zero(x->s, size_of[x->type]);
    if (!sh) return false;
    sh->type = (uint8_t)x->type;
    sh->len = ARTI_LEN_NONE;
    bool dead = false, ok = true;
    switch (x->type) {
    case ARTI_T_BOOL:
        sh->bools = 3;
        for (size_t i = 0; i < b->n; i++)
            if (b->entries[i].kind == ARTI_E_BOOLS) sh->bools &= (uint8_t)b->entries[i].a;
        dead = sh->bools == 0;
        break;
    case ARTI_T_NUMBER:
        ok = number_shape(x, b, &sh->number);
        for (size_t i = 0; i < b->n; i++) sh->plain |= b->entries[i].kind == ARTI_E_PLAIN;
        dead = sh->plain && sh->number.is_long;
        break;
    case ARTI_T_STRING: ok = text_shape(x, b, &sh->text, &dead); break;
    case ARTI_T_ARRAY: ok = array_shape(x, b, &sh->array, &dead); break;
    case ARTI_T_OBJECT: ok = object_shape(x, b, &sh->object, &dead); break;
    default: break;
    }
    if (ok && !dead) *out = sh;
    return ok;
}
