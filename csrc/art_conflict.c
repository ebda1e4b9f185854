/* SPDX-License-Identifier: Apache-2.0 */
#include "art_conflict.h"

#include "art_keywords.h"
#include "art_norm.h"

#include <stdio.h>

typedef struct search {
    art_schema *s;
    arti_conflict c;
    arti_conflict fresh; /* candidates being gathered */
    uint8_t *reached;    /* by position, while one reading is walked: LOOSELY, STRICTLY */
    size_t reached_cap;
    arti_lit *todo; /* of that walk: positions, odd where they are reached strictly */
    size_t n_todo, todo_cap;
    uint32_t n_trials;
    uint64_t work;
    bool out_of_work;
} search;

enum { LOOSELY = 1, STRICTLY = 2 };

/* ------------------------------------------------------------------ candidates */

static bool is_any(const char *name, const char *const *names) {
    while (*names && strcmp(*names, name) != 0) names++;
    return *names != NULL;
}

static bool by_place(const arti_candidate *a, const arti_candidate *b) {
    return a->doc != b->doc ? a->doc < b->doc : a->json->pos < b->json->pos;
}

/* These say which values are meant rather than what is asked of them. */
static bool is_framing(const arti_candidate *e) {
    static const char *const names[] = {"type", "required", "$ref", "$dynamicRef", "$recursiveRef", NULL};
    return is_any(e->keyword, names);
}

static bool by_depth(const arti_candidate *a, const arti_candidate *b) {
    if (a->depth != b->depth) return a->depth > b->depth;
    return is_framing(a) != is_framing(b) ? is_framing(b) : by_place(a, b);
}

static void sort(arti_candidate *p, size_t n, bool (*less)(const arti_candidate *, const arti_candidate *)) {
    for (size_t start = n / 2, end = n; end > 1;) { /* heap sort: n may come from the schema */
        if (start > 0) {
            start--;
        } else {
            end--;
            const arti_candidate t = p[end];
            p[end] = p[0];
            p[0] = t;
        }
        size_t root = start;
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && less(&p[child], &p[child + 1])) child++;
            if (!less(&p[root], &p[child])) break;
            const arti_candidate t = p[root];
            p[root] = p[child];
            p[child] = t;
        }
    }
}

bool arti_conflict_leaves_out(const art_schema *s, uint32_t res, const arti_json *json) {
    const arti_conflict *c = s->without;
    const arti_candidate key = {.json = json, .doc = s->res[res].doc};
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (c->items[mid].json == json) return c->items[mid].is_left_out;
        if (by_place(&c->items[mid], &key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static bool add(search *x, arti_candidate e) {
    arti_conflict *c = &x->fresh;
    if (!arti_vec_reserve(&x->s->mem, (void **)&c->items, &c->cap, c->n + 1, sizeof *c->items))
        return arti_fault_mem(x->s);
    c->items[c->n++] = e;
    return true;
}

/* A sub-schema that is `false` is one thing, like a keyword. */
static bool add_false(search *x, const arti_json *v, uint32_t doc, bool keep) {
    if (v->type != ARTI_JSON_BOOL || v->boolean) return true;
    return add(x, (arti_candidate){.json = v, .keyword = "", .doc = doc, .is_kept = keep});
}

/* Left out, these would let `additionalProperties`, `items` or a larger count ask more than before. */
static bool is_exempting(const char *name, const arti_json *v) {
    static const char *const names[] = {"properties", "patternProperties", "prefixItems", NULL};
    uint32_t count;
    return is_any(name, names) || (strcmp(name, "minContains") == 0 && arti_json_to_count(v, &count) && count == 0);
}

/* Left out, these would let `unevaluatedProperties` and `unevaluatedItems` ask more than before. */
static bool is_evaluating(const char *name) {
    static const char *const names[] = {"$ref",
                                        "$dynamicRef",
                                        "$recursiveRef",
                                        "allOf",
                                        "anyOf",
                                        "oneOf",
                                        "if",
                                        "then",
                                        "else",
                                        "dependencies",
                                        "dependentSchemas",
                                        "items",
                                        "additionalItems",
                                        "contains",
                                        "additionalProperties",
                                        "unevaluatedProperties",
                                        "unevaluatedItems",
                                        NULL};
    return is_any(name, names);
}

static bool is_unevaluated(const arti_candidate *e) {
    return strncmp(e->keyword, "unevaluated", 11) == 0;
}

/* The candidates of one schema object. */
static bool add_members(search *x, const arti_pos_info *p, bool keep) {
    const uint32_t doc = x->s->res[p->res].doc;
    for (uint32_t i = 0; i < p->json->n; i++) {
        const arti_json_member *m = &p->json->members[i];
        const arti_json *v = &m->value;
        const char *name = arti_keyword_of(x->s, p, m);
        if (!name || arti_conflict_leaves_out(x->s, p->res, v)) continue;
        if (strcmp(name, "required") == 0) {
            for (uint32_t j = 0; j < v->n; j++)
                if (!add(x, (arti_candidate){.json = &v->items[j], .keyword = name, .doc = doc, .is_kept = keep}))
                    return false;
            continue;
        }
        if (!is_exempting(name, v) &&
            !add(x, (arti_candidate){.json = v, .keyword = name, .doc = doc, .is_kept = keep}))
            return false;
        const bool exact = keep || (strcmp(name, "oneOf") == 0 && !x->c.loose);
        const arti_holds holds = arti_keyword_holds(m->key, m->key_len);
        for (uint32_t j = 0; holds == ARTI_HOLDS_SCHEMA && v->type == ARTI_JSON_ARRAY && j < v->n; j++)
            if (!add_false(x, &v->items[j], doc, exact)) return false;
        for (uint32_t j = 0; holds == ARTI_HOLDS_MAP && v->type == ARTI_JSON_OBJECT && j < v->n; j++)
            if (!add_false(x, &v->members[j].value, doc, keep)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ the places that count */

static bool reach(search *x, arti_lit lit, bool strictly) {
    art_schema *s = x->s;
    const arti_pos p = ARTI_LIT_POS(lit);
    if (lit == ARTI_LIT_NONE || s->pos[p].kind != ARTI_POS_SCHEMA) return true;
    const size_t known = x->reached_cap;
    if (!arti_vec_reserve(&s->mem, (void **)&x->reached, &x->reached_cap, s->n_pos, 1)) return arti_fault_mem(s);
    memset(x->reached + known, 0, x->reached_cap - known);
    const uint8_t bit = strictly ? STRICTLY : LOOSELY;
    if (x->reached[p] & bit) return true;
    x->reached[p] |= bit;
    if (!arti_vec_reserve(&s->mem, (void **)&x->todo, &x->todo_cap, x->n_todo + 1, sizeof *x->todo))
        return arti_fault_mem(s);
    x->todo[x->n_todo++] = p * 2 + strictly;
    return true;
}

static bool reach_all(search *x, const arti_lit *lits, uint32_t n, bool strictly) {
    for (uint32_t i = 0; i < n; i++)
        if (!reach(x, lits[i], strictly)) return false;
    return true;
}

static bool reach_below(search *x, const arti_kw *k, bool strictly) {
    const arti_members *g = k->group;
    for (uint32_t i = 0; g && i < g->n_props; i++)
        if (!reach(x, g->props[i].lit, strictly)) return false;
    for (uint32_t i = 0; g && i < g->n_patterns; i++)
        if (!reach(x, g->patterns[i].lit, strictly)) return false;
    for (uint32_t i = 0; i < k->n_deps; i++)
        if (!reach(x, k->deps[i].schema, strictly)) return false;
    const bool fewer = k->max_contains != UINT32_MAX || k->min_contains == 0;
    const struct {
        arti_lit lit;
        bool strictly;
    } single[] = {{g ? g->rest : ARTI_LIT_NONE, strictly},
                  {k->names, strictly},
                  {k->rest, strictly},
                  {k->contains, strictly || fewer},
                  {k->not_, true},
                  {k->if_, true},
                  {k->then_, strictly},
                  {k->else_, strictly},
                  {k->ref, strictly},
                  {k->dynamic_ref, strictly},
                  {k->uneval_props, strictly},
                  {k->uneval_items, strictly}};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (!reach(x, single[i].lit, single[i].strictly)) return false;
    return reach_all(x, k->prefix, k->n_prefix, strictly) && reach_all(x, k->all, k->n_all, strictly) &&
           reach_all(x, k->any, k->n_any, strictly) && reach_all(x, k->one, k->n_one, strictly || !k->one_or_more);
}

static bool walk(search *x) {
    art_schema *s = x->s;
    if (x->reached) memset(x->reached, 0, x->reached_cap);
    x->n_todo = 0;
    bool ok = reach(x, s->root, false);
    while (ok && x->n_todo) {
        const arti_lit at = x->todo[--x->n_todo];
        const arti_kw *k = arti_pos_kw(s, ARTI_LIT_POS(at));
        ok = k && reach_below(x, k, ARTI_LIT_IS_NEG(at));
    }
    for (arti_pos p = 1; ok && p < s->n_pos && p < x->reached_cap; p++)
        if (x->reached[p]) ok = add_members(x, &s->pos[p], (x->reached[p] & STRICTLY) != 0);
    return ok;
}

/* Finds the candidates in what counts now. What was left out stays so. */
static bool gather(search *x) {
    arti_conflict *c = &x->c, *f = &x->fresh;
    arti_reading before;
    f->n = 0;
    bool ok = arti_reading_begin(x->s, &before) && walk(x);
    arti_reading_end(x->s, &before);
    for (size_t i = 0; ok && i < c->n; i++)
        if (c->items[i].is_left_out) ok = add(x, c->items[i]);
    if (!ok) return false;
    sort(f->items, f->n, by_place);
    size_t w = 0;
    for (size_t i = 0; i < f->n; i++) { /* one a place, kept if one of the ways that lead there says so */
        arti_candidate *last = w ? &f->items[w - 1] : NULL;
        if (last && last->json == f->items[i].json)
            last->is_kept |= f->items[i].is_kept;
        else
            f->items[w++] = f->items[i];
    }
    const arti_conflict old = *c;
    c->items = f->items;
    c->cap = f->cap;
    c->n = w;
    f->items = old.items;
    f->cap = old.cap;
    return true;
}

/* ------------------------------------------------------------------ the search */

/* Does no value fit what counts now? What can not be decided may have one. */
static bool is_unsatisfiable(search *x) {
    art_schema *s = x->s;
    if (x->n_trials == ARTI_CONFLICT_TRIALS_MAX || x->work > ARTI_CONFLICT_WORK_MAX) x->out_of_work = true;
    if (x->out_of_work || arti_faulted(s)) return false;
    x->n_trials++;
    arti_reading before;
    bool none = false;
    if (arti_reading_begin(s, &before)) {
        arti_lit root = s->root;
        const arti_conj c = arti_conj_of(s, &root, 1);
        none = c != ARTI_CONJ_FAIL && arti_conj_len(s, c) == ARTI_LEN_NONE && !arti_faulted(s);
        x->work += s->norm->n_steps;
    }
    arti_reading_end(s, &before);
    if (s->fault.code != ART_E_NOMEM) s->fault.code = ART_OK;
    return none;
}

static void leave_out(arti_candidate **p, size_t n, bool out) {
    for (size_t i = 0; i < n; i++) p[i]->is_left_out = out;
}

/* Leaves out what can be, in stretches of the documents that become shorter. */
static bool minimise(search *x) {
    art_schema *s = x->s;
    const size_t size = (x->c.n + 1) * sizeof(arti_candidate *);
    arti_candidate **open = arti_realloc(&s->mem, NULL, 0, size);
    if (!open) return arti_fault_mem(s);
    size_t n = 0, step = 1;
    for (size_t i = 0; i < x->c.n; i++)
        if (!x->c.items[i].is_left_out && !x->c.items[i].is_kept) open[n++] = &x->c.items[i];
    while (step < n) step *= 2;
    for (; step > 0; step /= 2)
        for (size_t i = 0; i < n;) {
            const size_t m = step < n - i ? step : n - i;
            leave_out(open + i, m, true);
            if (is_unsatisfiable(x)) {
                memmove(open + i, open + i + m, (n - i - m) * sizeof *open);
                n -= m;
            } else {
                leave_out(open + i, m, false);
                i += m;
            }
        }
    arti_free(&s->mem, open, size);
    return true;
}

/* Drops `unevaluated*` altogether, or else keeps what they look at. */
static void settle_unevaluated(search *x) {
    arti_conflict *c = &x->c;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (is_unevaluated(&c->items[i]) && !c->items[i].is_kept) n++, c->items[i].is_left_out = true;
    if (n == 0 || is_unsatisfiable(x)) return;
    for (size_t i = 0; i < c->n; i++) {
        arti_candidate *e = &c->items[i];
        if (is_unevaluated(e)) e->is_left_out = false;
        if (is_evaluating(e->keyword) && !(is_unevaluated(e) && n == 1)) e->is_kept = true;
    }
}

/* Reads every `oneOf` that is left as an `anyOf`, if no value fits even then, and looks into it. */
static bool loosen(search *x) {
    bool any = false;
    for (size_t i = 0; i < x->c.n; i++)
        any |= !x->c.items[i].is_left_out && strcmp(x->c.items[i].keyword, "oneOf") == 0;
    if (!any) return true;
    x->c.loose = true;
    if (is_unsatisfiable(x)) {
        if (!gather(x)) return false;
        settle_unevaluated(x);
        return minimise(x);
    }
    x->c.loose = false;
    return true;
}

/* ------------------------------------------------------------------ the set */

/* How deep in the value what a keyword speaks of lies, as far as its pointer tells. */
static uint32_t value_depth(const arti_ptr *p) {
    static const char *const steps[] = {"properties",      "patternProperties", "items",
                                        "prefixItems",     "contains",          "additionalProperties",
                                        "additionalItems", "propertyNames",     NULL};
    uint32_t depth = 0;
    for (size_t at = 0; at < p->len;) {
        size_t end = at + 1;
        while (end < p->len && p->text[end] != '/') end++;
        for (const char *const *step = steps; *step && end < p->len; step++)
            depth += strlen(*step) == end - at - 1 && memcmp(*step, p->text + at + 1, end - at - 1) == 0;
        at = end;
    }
    return depth;
}

/* Is another member of the set inside of this one? Then that one says more. The items lie by place. */
static bool holds_next(const arti_conflict *c, size_t i) {
    const arti_candidate *e = &c->items[i];
    return i + 1 < c->n && c->items[i + 1].doc == e->doc && c->items[i + 1].json->pos < e->json->end;
}

static bool collect(search *x, arti_conflict *out) {
    art_schema *s = x->s;
    arti_conflict *c = &x->c;
    size_t w = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!c->items[i].is_left_out && !c->items[i].is_kept) c->items[w++] = c->items[i];
    c->n = w;
    w = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!holds_next(c, i)) c->items[w++] = c->items[i];
    c->n = w;
    out->items = arti_schema_get(s, w * sizeof *out->items);
    if (!out->items) return false;
    for (size_t i = 0; i < w; i++) {
        arti_ptr p = {.mem = &s->mem};
        if (!arti_ptr_locate(s->docs[c->items[i].doc].root, c->items[i].json->pos, &p)) {
            arti_ptr_free(&p);
            return arti_fault_mem(s);
        }
        c->items[i].depth = value_depth(&p);
        arti_ptr_free(&p);
        out->items[i] = c->items[i];
    }
    sort(out->items, w, by_depth);
    out->n = out->cap = w;
    out->is_minimal = !x->out_of_work;
    return true;
}

const arti_conflict *arti_conflict_find(art_schema *s) {
    if (s->conflict) return s->conflict;
    arti_conflict *out = arti_schema_zero(s, sizeof *out);
    if (!out) return NULL;
    search x = {.s = s};
    s->without = &x.c;
    bool ok = true;
    if (s->root == ARTI_LIT_FALSE) {
        ok = add_false(&x, s->root_json, s->res[s->root_res].doc, false);
        x.c = x.fresh;
        x.fresh = (arti_conflict){0};
    } else {
        ok = gather(&x);
        if (ok && is_unsatisfiable(&x)) {
            settle_unevaluated(&x);
            ok = minimise(&x) && loosen(&x);
        } else {
            x.out_of_work = true;
        }
    }
    s->without = NULL;
    ok = ok && !arti_faulted(s) && collect(&x, out);
    arti_free(&s->mem, x.c.items, x.c.cap * sizeof *x.c.items);
    arti_free(&s->mem, x.fresh.items, x.fresh.cap * sizeof *x.fresh.items);
    arti_free(&s->mem, x.reached, x.reached_cap);
    arti_free(&s->mem, x.todo, x.todo_cap * sizeof *x.todo);
    if (!ok) return NULL;
    s->conflict = out;
    return out;
}

/* ------------------------------------------------------------------ telling */

/* Pointer of a member of the set; with the document's URI when it is not the schema itself. */
static bool locate(art_schema *s, const arti_candidate *e, arti_ptr *p) {
    if (e->doc != s->res[s->root_res].doc) {
        for (size_t i = 0; i < s->n_res; i++)
            if (s->res[i].doc == e->doc) { /* the first one is where it was found */
                if (!arti_vec_reserve(p->mem, (void **)&p->text, &p->cap, s->res[i].uri_len + 1, 1)) return false;
                memcpy(p->text, s->res[i].uri, s->res[i].uri_len);
                p->text[s->res[i].uri_len] = '#';
                p->len = s->res[i].uri_len + 1;
                break;
            }
    }
    return arti_ptr_locate(s->docs[e->doc].root, e->json->pos, p);
}

/* Appends as much of a pointer as is fit for a message: its end. */
static size_t tell(char *msg, size_t cap, size_t at, const char *before, const arti_ptr *p) {
    const size_t most = 100;
    size_t from = p->len > most ? p->len - most : 0;
    while (from < p->len && ((uint8_t)p->text[from] & 0xC0u) == 0x80u) from++; /* not inside a character */
    const int n = snprintf(msg + at, cap - at, "%s%s%.*s", before, from ? "..." : "", (int)(p->len - from),
                           p->len ? p->text + from : "");
    return n > 0 && (size_t)n < cap - at ? at + (size_t)n : at;
}

bool arti_conflict_fault(art_schema *s) {
    const arti_conflict *c = arti_conflict_find(s);
    if (!c) return false;
    if (c->n == 0) return arti_fault(s, ART_E_UNSATISFIABLE, NULL, 0, "", "no value fits the schema");
    if (s->root == ARTI_LIT_FALSE)
        return arti_fault(s, ART_E_UNSATISFIABLE, NULL, 0, "", "no value fits: the schema is false");
    enum { TOLD = 5 };
    char msg[sizeof s->fault.msg - 100];
    size_t at = 0;
    for (size_t i = 0; i < c->n && i < TOLD; i++) {
        arti_ptr p = {.mem = &s->mem};
        const bool ok = locate(s, &c->items[i], &p);
        if (ok) at = tell(msg, sizeof msg, at, i == 0 ? "" : i + 1 == c->n && i + 1 <= TOLD ? " and " : ", ", &p);
        arti_ptr_free(&p);
        if (!ok) return arti_fault_mem(s);
    }
    char more[32] = "";
    if (c->n > TOLD) snprintf(more, sizeof more, " and %zu more", c->n - TOLD);
    const arti_candidate *e = &c->items[0];
    uint32_t res = 0;
    while (s->res[res].doc != e->doc) res++;
    return arti_fault(s, ART_E_UNSATISFIABLE, e->json, res, e->keyword, "no value fits: %.*s%s %s%s", (int)at, msg,
                      more, c->n == 1 ? "can not hold" : "can not hold together",
                      c->is_minimal ? "" : " (not narrowed down further)");
}

art_status art_schema_conflict(art_schema *s, char *buf, size_t cap, size_t *len, art_error *err) {
    *len = 0;
    pthread_mutex_lock(&s->lock);
    arti_lit root = s->root;
    const arti_conj conj = arti_conj_of(s, &root, 1);
    const bool fits = conj != ARTI_CONJ_FAIL && arti_conj_len(s, conj) != ARTI_LEN_NONE;
    const arti_conflict *c = fits || arti_faulted(s) ? NULL : arti_conflict_find(s);
    for (size_t i = 0; c && i < c->n; i++) {
        arti_ptr p = {.mem = &s->mem};
        if (locate(s, &c->items[i], &p)) {
            if (*len < cap && p.len < cap - *len) {
                memcpy(buf + *len, p.len ? p.text : "", p.len);
                buf[*len + p.len] = 0;
            }
            *len += p.len + 1;
        } else {
            arti_fault_mem(s);
        }
        arti_ptr_free(&p);
    }
    const art_status st = arti_faulted(s) ? arti_fault_take(s, err) : fits ? ART_REJECTED : ART_OK;
    pthread_mutex_unlock(&s->lock);
    if (st == ART_OK && *len > cap) return arti_fail(err, ART_E_LIMIT, 0, "the pointers need %zu bytes", *len);
    return st;
}
