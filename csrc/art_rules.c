/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the tableau: what a literal says about values of one type. */
#include "art_branch.h"

#define RULE_SCAN 256u /* entries compared that count as one more step */

/* ------------------------------------------------------------------ building entries */

static void *get(arti_expansion *x, size_t size) {
    void *p = arti_arena_get(&x->arena, size ? size : 1);
    if (!p) arti_fault_mem(x->s);
    return p;
}

typedef struct builder { /* collects the alternatives of one clause */
    arti_expansion *x;
    struct arti_alt *alts;
    uint32_t n, cap;
    bool holds; /* an alternative without entries: nothing is asked */
    bool failed;
} builder;

/* Begins an alternative with room for n entries. */
static struct arti_alt *alt_new(builder *b, uint32_t n) {
    if (b->failed) return NULL;
    if (b->n == b->cap) {
        const uint32_t cap = b->cap ? b->cap * 2 : 8;
        struct arti_alt *p = get(b->x, cap * sizeof *p);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        if (b->n) memcpy(p, b->alts, b->n * sizeof *p);
        b->alts = p;
        b->cap = cap;
    }
    struct arti_alt *a = &b->alts[b->n];
    a->n = 0;
    a->entries = get(b->x, n * sizeof *a->entries);
    if (!a->entries) {
        b->failed = true;
        return NULL;
    }
    b->n++;
    return a;
}

static void alt_add(struct arti_alt *a, arti_entry e) {
    if (a) a->entries[a->n++] = e;
}

static void alt_one(builder *b, arti_entry e) {
    alt_add(alt_new(b, 1), e);
}

static arti_entry lit_entry(arti_lit lit, uint32_t scope) {
    return (arti_entry){.kind = ARTI_E_LIT, .lit = lit, .scope = scope};
}

static arti_entry key_entry(arti_entry_kind kind, const arti_key *key) {
    return (arti_entry){.kind = (uint8_t)kind, .p = key};
}

static arti_entry has_entry(const arti_key *key, arti_lit lit) {
    return (arti_entry){.kind = ARTI_E_HAS, .p = key, .lit = lit};
}

static arti_entry if_has_entry(const arti_key *key, arti_lit lit) {
    return (arti_entry){.kind = ARTI_E_IF_HAS, .p = key, .lit = lit};
}

static arti_entry range_entry(arti_entry_kind kind, uint32_t a, uint32_t b) {
    return (arti_entry){.kind = (uint8_t)kind, .a = a, .b = b};
}

static arti_entry json_entry(arti_entry_kind kind, const arti_json *json, bool exclusive) {
    return (arti_entry){.kind = (uint8_t)kind, .p = json, .a = exclusive};
}

/* Adds a finished clause to a branch. */
static arti_verdict finish(builder *c, arti_branch *b) {
    if (c->failed) return ARTI_ERROR;
    if (c->holds) return ARTI_OPEN;
    if (c->n == 0) return ARTI_DEAD;
    if (c->n == 1) {
        for (uint32_t i = 0; i < c->alts[0].n; i++)
            if (!arti_branch_add(c->x, b, &c->alts[0].entries[i])) return ARTI_ERROR;
        return ARTI_OPEN;
    }
    arti_clause *clause = get(c->x, sizeof *clause);
    if (!clause) return ARTI_ERROR;
    *clause = (arti_clause){c->n, c->alts};
    const arti_entry e = {.kind = ARTI_E_CLAUSE, .p = clause};
    return arti_branch_add(c->x, b, &e) ? ARTI_OPEN : ARTI_ERROR;
}

#define ADD(entry)                                                                                                     \
    do {                                                                                                               \
        const arti_entry add_e = (entry);                                                                              \
        if (!arti_branch_add(x, b, &add_e)) return ARTI_ERROR;                                                         \
    } while (0)

/* ------------------------------------------------------------------ cheap tests */

static arti_type type_of(const arti_json *v) {
    static const uint8_t types[] = {ARTI_T_NULL,   ARTI_T_BOOL,  ARTI_T_NUMBER,
                                    ARTI_T_STRING, ARTI_T_ARRAY, ARTI_T_OBJECT};
    return (arti_type)types[v->type];
}

static bool kw_admits(const arti_kw *k, arti_type t) {
    const bool listed = (k->types >> t & 1u) || (t == ARTI_T_NUMBER && (k->types & ARTI_TYPE_INTEGER));
    if (!listed) return false;
    if (k->const_ && type_of(k->const_) != t) return false;
    if (!k->enum_) return true;
    for (uint32_t i = 0; i < k->enum_->n; i++)
        if (type_of(&k->enum_->items[i]) == t) return true;
    return false;
}

bool arti_lit_admits(art_schema *s, arti_lit lit, arti_type t) {
    for (;;) {
        const arti_pos_info *p = &s->pos[ARTI_LIT_POS(lit)];
        if (p->kind == ARTI_POS_ANY) return !ARTI_LIT_IS_NEG(lit);
        if (p->kind == ARTI_POS_CONST) {
            if (ARTI_LIT_IS_NEG(lit)) return t != ARTI_T_NULL || p->json->type != ARTI_JSON_NULL;
            return type_of(p->json) == t;
        }
        if (ARTI_LIT_IS_NEG(lit) || p->kind != ARTI_POS_SCHEMA) return true;
        const arti_kw *k = arti_pos_kw(s, ARTI_LIT_POS(lit));
        if (!k || !kw_admits(k, t)) return false;
        if (!k->only_ref) return true;
        lit = k->ref;
    }
}

static bool listed_in(const arti_json *list, const arti_json *v) {
    for (uint32_t i = 0; i < list->n; i++)
        if (list->items[i].hash == v->hash && arti_json_equal(&list->items[i], v)) return true;
    return false;
}

static const arti_kw *positive_kw(art_schema *s, arti_lit lit) {
    for (;;) {
        if (ARTI_LIT_IS_NEG(lit) || s->pos[ARTI_LIT_POS(lit)].kind != ARTI_POS_SCHEMA) return NULL;
        const arti_kw *k = arti_pos_kw(s, ARTI_LIT_POS(lit));
        if (!k || !k->only_ref) return k;
        lit = k->ref;
    }
}

/* Do two schemas list values (enum, const) of which none is in both? */
static bool lists_disjoint(const arti_kw *a, const arti_kw *b) {
    if ((!a->enum_ && !a->const_) || (!b->enum_ && !b->const_)) return false;
    if (a->const_ && b->const_) return a->const_->hash != b->const_->hash || !arti_json_equal(a->const_, b->const_);
    if (a->const_) return !listed_in(b->enum_, a->const_);
    if (b->const_) return !listed_in(a->enum_, b->const_);
    if ((uint64_t)a->enum_->n * b->enum_->n > 4096) return false;
    for (uint32_t i = 0; i < a->enum_->n; i++)
        if (listed_in(b->enum_, &a->enum_->items[i])) return false;
    return true;
}

static bool requires_key(const arti_kw *k, const arti_key *key) {
    for (uint32_t i = 0; i < k->n_required; i++)
        if (k->required[i].len == key->len && memcmp(k->required[i].ptr, key->ptr, key->len) == 0) return true;
    return false;
}

/* Two schemas that no value of type t satisfies both, told by a discriminating member or by listed values. */
static bool quickly_disjoint(art_schema *s, arti_lit la, arti_lit lb, arti_type t) {
    if (!arti_lit_admits(s, la, t) || !arti_lit_admits(s, lb, t)) return true;
    const arti_kw *a = positive_kw(s, la), *b = positive_kw(s, lb);
    if (!a || !b) return false;
    if (lists_disjoint(a, b)) return true;
    if (t != ARTI_T_OBJECT || !a->group || !b->group) return false;
    for (uint32_t i = 0; i < a->group->n_props; i++) {
        const arti_prop *p = &a->group->props[i];
        const uint32_t j = arti_members_find(b->group, p->key.ptr, p->key.len);
        if (j == UINT32_MAX || (!requires_key(a, &p->key) && !requires_key(b, &p->key))) continue;
        const arti_kw *pa = positive_kw(s, p->lit), *pb = positive_kw(s, b->group->props[j].lit);
        if (!pa || !pb) continue;
        if (lists_disjoint(pa, pb)) return true;
        bool common = false;
        for (int u = 0; u < ARTI_N_TYPES && !common; u++)
            common = kw_admits(pa, (arti_type)u) && kw_admits(pb, (arti_type)u);
        if (!common) return true;
    }
    return false;
}

/* No value of the expansion's type satisfies both. */
static bool disjoint(arti_expansion *x, arti_lit a, arti_lit b) {
    if (quickly_disjoint(x->s, a, b, x->type)) return true;
    arti_lit two[2] = {a, b};
    const arti_conj c = arti_conj_of(x->s, two, 2);
    return c != ARTI_CONJ_FAIL && arti_conj_is_surely_empty(x->s, c, x->type);
}

static bool key_equal(const arti_key *a, const arti_key *b) {
    return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
}

static bool surely_empty(art_schema *s, arti_conj c) {
    for (int t = 0; t < ARTI_N_TYPES; t++)
        if (!arti_conj_is_surely_empty(s, c, (arti_type)t)) return false;
    return true;
}

/* Literals that the branch puts on the value of a key. Returns their number, UINT32_MAX on a fault or when there are too many. */
static uint32_t child_lits(arti_expansion *x, const arti_branch *b, const arti_key *key, arti_lit *lits, uint32_t cap) {
    art_schema *s = x->s;
    uint32_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *e = &b->entries[i];
        if (n + 2 > cap) return UINT32_MAX;
        if ((e->kind == ARTI_E_HAS || e->kind == ARTI_E_IF_HAS) && key_equal(e->p, key)) lits[n++] = e->lit;
        if (e->kind != ARTI_E_GROUP) continue;
        const arti_members *g = e->p;
        const uint32_t j = arti_members_find(g, key->ptr, key->len);
        bool matched = j != UINT32_MAX;
        if (matched) lits[n++] = g->props[j].lit;
        for (uint32_t k = 0; k < g->n_patterns; k++) {
            const arti_re_state q =
                arti_re_run(s->re, arti_re_start(s->re, g->patterns[k].term), (const uint8_t *)key->ptr, key->len);
            if (q == ARTI_RE_FAIL) {
                arti_fault_re(s, NULL, 0, "patternProperties");
                return UINT32_MAX;
            }
            if (!arti_re_accepts(s->re, q)) continue;
            matched = true;
            if (n + 2 > cap) return UINT32_MAX;
            lits[n++] = g->patterns[k].lit;
        }
        if (!matched) lits[n++] = g->rest;
    }
    return n;
}

/* Can no value satisfy n literals and one more? */
static arti_verdict together_empty(arti_expansion *x, const arti_lit *lits, uint32_t n, arti_lit lit) {
    arti_lit copy[64];
    memcpy(copy, lits, n * sizeof *lits);
    copy[n] = lit;
    const arti_conj c = arti_conj_of(x->s, copy, n + 1);
    if (c == ARTI_CONJ_FAIL) return ARTI_ERROR;
    const bool empty = surely_empty(x->s, c);
    return arti_faulted(x->s) ? ARTI_ERROR : empty ? ARTI_HOLDS : ARTI_OPEN;
}

/* What the branch says about a member: that it is there (HAS) or not (LACKS), and its value. */
static arti_verdict key_verdict(arti_expansion *x, const arti_branch *b, const arti_entry *e) {
    bool required = false, lacking = false;
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *f = &b->entries[i];
        if ((f->kind == ARTI_E_REQUIRED || f->kind == ARTI_E_HAS) && key_equal(f->p, e->p)) required = true;
        if (f->kind == ARTI_E_LACKS && key_equal(f->p, e->p)) lacking = true;
    }
    if (e->kind == ARTI_E_LACKS) return required ? ARTI_DEAD : lacking ? ARTI_HOLDS : ARTI_OPEN;
    const bool optional = e->kind == ARTI_E_IF_HAS;
    if (lacking) return optional ? ARTI_HOLDS : ARTI_DEAD;
    if (e->kind == ARTI_E_REQUIRED) return required ? ARTI_HOLDS : ARTI_OPEN;
    arti_lit lits[63] = {0};
    const uint32_t n = child_lits(x, b, e->p, lits, 63);
    if (n == UINT32_MAX) return arti_faulted(x->s) ? ARTI_ERROR : ARTI_OPEN;
    if (required || optional) { /* what is known of the value may imply it */
        for (uint32_t i = 0; i < n; i++)
            if (lits[i] == e->lit) return ARTI_HOLDS;
        const arti_verdict implied = together_empty(x, lits, n, ARTI_LIT_NOT(e->lit));
        if (implied != ARTI_OPEN) return implied;
    }
    if (optional && !required) return ARTI_OPEN;
    const arti_verdict never = together_empty(x, lits, n, e->lit);
    return never == ARTI_HOLDS ? ARTI_DEAD : never;
}

/* What a value that is known to be listed says about another listed value. */
static arti_verdict const_verdict(const arti_json *known, const arti_json *asked, bool neg) {
    const bool equal = known->hash == asked->hash && arti_json_equal(known, asked);
    return equal != neg ? ARTI_HOLDS : ARTI_DEAD;
}

static arti_verdict value_verdict(arti_expansion *x, const arti_branch *b, const arti_entry *e) {
    const arti_json *asked = e->p;
    bool neg = e->kind == ARTI_E_NOT_VALUE;
    if (e->kind == ARTI_E_LIT) {
        asked = x->s->pos[ARTI_LIT_POS(e->lit)].json;
        neg = ARTI_LIT_IS_NEG(e->lit);
    }
    for (size_t i = 0; i < b->n; i++) {
        const arti_entry *f = &b->entries[i];
        if (f->kind == ARTI_E_VALUE) return const_verdict(f->p, asked, neg);
        if (f->kind != ARTI_E_LIT || ARTI_LIT_IS_NEG(f->lit)) continue;
        const arti_pos_info *p = &x->s->pos[ARTI_LIT_POS(f->lit)];
        if (p->kind == ARTI_POS_CONST) return const_verdict(p->json, asked, neg);
    }
    return ARTI_OPEN;
}

arti_verdict arti_entry_verdict(arti_expansion *x, const arti_branch *b, const arti_entry *e) {
    switch (e->kind) {
    case ARTI_E_LIT:
        for (size_t i = 0; i < b->n; i++) {
            const arti_entry *f = &b->entries[i];
            if (f->kind != ARTI_E_LIT) continue;
            if (f->flag || e->flag) continue;
            if (f->lit == e->lit && f->scope == e->scope) return ARTI_HOLDS;
            if (f->lit == ARTI_LIT_NOT(e->lit)) return ARTI_DEAD;
        }
        if (e->flag) return ARTI_OPEN;
        switch (arti_lit_target(x->s, e->lit)) {
        case ARTI_LIT_TRUE: return ARTI_HOLDS;
        case ARTI_LIT_FALSE: return ARTI_DEAD;
        case ARTI_LIT_FAIL: return ARTI_ERROR;
        default: break;
        }
        if (ARTI_LIT_IS_NEG(e->lit))
            return arti_lit_admits(x->s, ARTI_LIT_NOT(e->lit), x->type) ? ARTI_OPEN : ARTI_HOLDS;
        return arti_lit_admits(x->s, e->lit, x->type) ? ARTI_OPEN : ARTI_DEAD;
    case ARTI_E_VALUE:
    case ARTI_E_NOT_VALUE: return value_verdict(x, b, e);
    case ARTI_E_REQUIRED:
    case ARTI_E_LACKS:
    case ARTI_E_HAS:
    case ARTI_E_IF_HAS: return key_verdict(x, b, e);
    default: return ARTI_OPEN;
    }
}

/* ------------------------------------------------------------------ strings as languages */

enum { TEXT_UNKNOWN, TEXT_UNDER_WAY, TEXT_TERM, TEXT_OTHER };

#define TEXT_PARTS_MAX 16u /* sub-schemas of one kind in one object */

/* Sub-schemas whose strings make up those of k. UINT32_MAX: k says more of strings than patterns and formats. */
static uint32_t text_parts(const arti_kw *k, arti_lit *parts) {
    if (k->enum_ || k->const_ || k->min_len || k->max_len != UINT32_MAX || k->n_all > TEXT_PARTS_MAX ||
        k->n_any > TEXT_PARTS_MAX || k->n_one > TEXT_PARTS_MAX)
        return UINT32_MAX;
    uint32_t n = 0;
    const arti_lit single[] = {k->not_, k->if_, k->then_, k->else_, k->ref, k->dynamic_ref};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (single[i] != ARTI_LIT_NONE) parts[n++] = single[i];
    for (uint32_t i = 0; i < k->n_all; i++) parts[n++] = k->all[i];
    for (uint32_t i = 0; i < k->n_any; i++) parts[n++] = k->any[i];
    for (uint32_t i = 0; i < k->n_one; i++) parts[n++] = k->one[i];
    return n;
}

static arti_re known_text(const art_schema *s, arti_lit lit) {
    if (lit == ARTI_LIT_NONE) return ARTI_RE_ANY;
    const arti_re t = lit <= ARTI_LIT_FALSE ? ARTI_RE_ANY : s->norm->text_of[ARTI_LIT_POS(lit)].term;
    return ARTI_LIT_IS_NEG(lit) ? arti_re_not(s->re, t) : t;
}

/* The language of a schema object, once those of its parts are known. */
static arti_re text_of_kw(art_schema *s, const arti_kw *k, uint32_t res) {
    arti_re_ctx *re = s->re;
    arti_re all[TEXT_PARTS_MAX + 8], some[TEXT_PARTS_MAX];
    uint32_t n = 0;
    bool asserted = false;
    if (!kw_admits(k, ARTI_T_STRING)) return ARTI_RE_NONE;
    all[n++] = k->pattern;
    if (k->format && !arti_schema_format(s, k->format, res, &all[n], &asserted)) return ARTI_RE_FAIL;
    if (asserted && arti_schema_worlds(s, all[n]).no != all[n]) return ARTI_RE_FAIL; /* two languages */
    n += asserted;
    all[n++] = known_text(s, k->ref);
    all[n++] = known_text(s, k->dynamic_ref);
    if (k->not_ != ARTI_LIT_NONE) all[n++] = arti_re_not(re, known_text(s, k->not_));
    if (k->if_ != ARTI_LIT_NONE) {
        const arti_re cond = known_text(s, k->if_);
        all[n++] = arti_re_or2(re, arti_re_and2(re, cond, known_text(s, k->then_)),
                               arti_re_and2(re, arti_re_not(re, cond), known_text(s, k->else_)));
    }
    for (uint32_t i = 0; i < k->n_all; i++) all[n++] = known_text(s, k->all[i]);
    if (k->n_any) {
        for (uint32_t i = 0; i < k->n_any; i++) some[i] = known_text(s, k->any[i]);
        all[n] = arti_re_or(re, some, k->n_any);
        n++;
    }
    arti_re one = k->n_one ? ARTI_RE_NONE : ARTI_RE_ANY;
    for (uint32_t i = 0; i < k->n_one; i++) { /* this one and none of the others */
        for (uint32_t j = 0; j < k->n_one; j++)
            some[j] = j == i ? known_text(s, k->one[j]) : arti_re_not(re, known_text(s, k->one[j]));
        one = arti_re_or2(re, one, k->one_or_more ? some[i] : arti_re_and(re, some, k->n_one));
    }
    const arti_re rest = arti_re_and(re, all, n);
    return arti_re_and2(re, rest, one);
}

arti_re arti_lit_text_term(art_schema *s, arti_lit lit) {
    arti_norm *m = s->norm;
    arti_pos *stack = NULL;
    size_t n = 0, cap = 0;
    if (lit > ARTI_LIT_FALSE) {
        if (!arti_vec_reserve(&s->mem, (void **)&stack, &cap, 1, sizeof *stack))
            arti_fault_mem(s);
        else
            stack[n++] = ARTI_LIT_POS(lit);
    }
    while (n && !arti_faulted(s)) {
        const arti_pos p = stack[n - 1];
        const size_t known = m->text_of_cap;
        if (!arti_vec_reserve(&s->mem, (void **)&m->text_of, &m->text_of_cap, s->n_pos, sizeof *m->text_of)) {
            arti_fault_mem(s);
            break;
        }
        memset(m->text_of + known, 0, (m->text_of_cap - known) * sizeof *m->text_of);
        if (m->text_of[p].state >= TEXT_TERM) { /* it was a part of two things */
            n--;
            continue;
        }
        const arti_kw *k = s->pos[p].kind == ARTI_POS_SCHEMA ? arti_pos_kw(s, p) : NULL;
        arti_lit parts[3 * TEXT_PARTS_MAX + 6];
        const uint32_t n_parts = k ? text_parts(k, parts) : UINT32_MAX;
        bool other = n_parts == UINT32_MAX, ready = true;
        for (uint32_t i = 0; !other && i < n_parts; i++) {
            const arti_pos q = ARTI_LIT_POS(parts[i]);
            if (parts[i] <= ARTI_LIT_FALSE) continue;
            const uint8_t state = q < m->text_of_cap ? m->text_of[q].state : (uint8_t)TEXT_UNKNOWN;
            other |= state == TEXT_OTHER || state == TEXT_UNDER_WAY; /* it would ask for itself */
            if (state != TEXT_UNKNOWN || other) continue;
            ready = false;
            if (!arti_vec_reserve(&s->mem, (void **)&stack, &cap, n + 1, sizeof *stack)) {
                arti_fault_mem(s);
                break;
            }
            stack[n++] = q;
        }
        if (!other && !ready) {
            m->text_of[p].state = TEXT_UNDER_WAY;
            continue;
        }
        while (stack[n - 1] != p) n--; /* parts that were added before one spoilt it */
        n--;
        const arti_re t = other ? ARTI_RE_FAIL : text_of_kw(s, k, s->pos[p].res);
        m->text_of[p] = (struct arti_text_of){t, t == ARTI_RE_FAIL ? TEXT_OTHER : TEXT_TERM};
    }
    arti_free(&s->mem, stack, cap * sizeof *stack);
    if (arti_faulted(s)) return ARTI_RE_FAIL;
    if (lit > ARTI_LIT_FALSE && m->text_of[ARTI_LIT_POS(lit)].state == TEXT_OTHER) return ARTI_RE_FAIL;
    return known_text(s, lit);
}

/* ------------------------------------------------------------------ constants */

static arti_verdict rule_const(arti_expansion *x, arti_branch *b, const arti_entry *e) {
    art_schema *s = x->s;
    const arti_pos p = ARTI_LIT_POS(e->lit);
    const arti_json *v = s->pos[p].json;
    const uint32_t res = s->pos[p].res;
    const bool neg = ARTI_LIT_IS_NEG(e->lit);
    if (type_of(v) != x->type) return neg ? ARTI_OPEN : ARTI_DEAD;
    switch (v->type) {
    case ARTI_JSON_NULL: return neg ? ARTI_DEAD : ARTI_OPEN;
    case ARTI_JSON_BOOL: ADD(range_entry(ARTI_E_BOOLS, v->boolean == neg ? 1u : 2u, 0)); return ARTI_OPEN;
    case ARTI_JSON_NUMBER: ADD(json_entry(neg ? ARTI_E_NOT_VALUE : ARTI_E_VALUE, v, false)); return ARTI_OPEN;
    case ARTI_JSON_STRING: ADD(json_entry(neg ? ARTI_E_NOT_STRINGS : ARTI_E_STRINGS, v, false)); return ARTI_OPEN;
    default: break;
    }
    builder c = {.x = x};
    if (v->type == ARTI_JSON_ARRAY) {
        arti_lit *lits = arti_schema_get(s, v->n * sizeof *lits);
        if (!lits) return ARTI_ERROR;
        for (uint32_t i = 0; i < v->n; i++)
            if ((lits[i] = arti_lit_const(s, &v->items[i], res)) == ARTI_LIT_FAIL) return ARTI_ERROR;
        if (!neg) {
            arti_items_group *g = arti_schema_get(s, sizeof *g);
            if (!g) return ARTI_ERROR;
            *g = (arti_items_group){lits, v->n, ARTI_LIT_TRUE};
            ADD(((arti_entry){.kind = ARTI_E_ITEMS, .p = g}));
            ADD(range_entry(ARTI_E_COUNT, v->n, v->n));
            return ARTI_OPEN;
        }
        if (v->n) alt_one(&c, range_entry(ARTI_E_COUNT, 0, v->n - 1));
        alt_one(&c, range_entry(ARTI_E_COUNT, v->n + 1, UINT32_MAX));
        for (uint32_t i = 0; i < v->n; i++)
            alt_one(&c, (arti_entry){.kind = ARTI_E_AT, .a = i, .lit = ARTI_LIT_NOT(lits[i])});
        return finish(&c, b);
    }
    const arti_members *g = arti_pos_const_group(s, p);
    if (!g) return ARTI_ERROR;
    if (!neg) {
        ADD(((arti_entry){.kind = ARTI_E_GROUP, .p = g}));
        for (uint32_t i = 0; i < g->n_props; i++) ADD(key_entry(ARTI_E_REQUIRED, &g->props[i].key));
        return ARTI_OPEN;
    }
    for (uint32_t i = 0; i < g->n_props; i++)
        alt_one(&c, if_has_entry(&g->props[i].key, ARTI_LIT_NOT(g->props[i].lit)));
    alt_one(&c, (arti_entry){.kind = ARTI_E_SOME, .p = g, .a = UINT32_MAX, .lit = ARTI_LIT_TRUE});
    return finish(&c, b);
}

/* "enum", positive or negative. */
static arti_verdict rule_enum(arti_expansion *x, arti_branch *b, const arti_json *list, uint32_t res, bool neg) {
    art_schema *s = x->s;
    if (x->type == ARTI_T_STRING) {
        ADD(json_entry(neg ? ARTI_E_NOT_STRINGS : ARTI_E_STRINGS, list, false));
        return ARTI_OPEN;
    }
    builder c = {.x = x};
    uint32_t bools = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        const arti_json *v = &list->items[i];
        if (type_of(v) != x->type) continue;
        if (v->type == ARTI_JSON_NULL) return neg ? ARTI_DEAD : ARTI_OPEN;
        if (v->type == ARTI_JSON_BOOL) {
            bools |= v->boolean ? 2u : 1u;
            continue;
        }
        arti_entry e;
        if (v->type == ARTI_JSON_NUMBER) {
            e = json_entry(neg ? ARTI_E_NOT_VALUE : ARTI_E_VALUE, v, false);
        } else {
            const arti_lit lit = arti_lit_const(s, v, res);
            if (lit == ARTI_LIT_FAIL) return ARTI_ERROR;
            e = lit_entry(lit ^ (uint32_t)neg, 0);
        }
        if (neg)
            ADD(e);
        else
            alt_one(&c, e);
    }
    if (x->type == ARTI_T_BOOL) {
        ADD(range_entry(ARTI_E_BOOLS, neg ? ~bools & 3u : bools, 0));
        return ARTI_OPEN;
    }
    return neg ? ARTI_OPEN : finish(&c, b);
}

/* ------------------------------------------------------------------ combinators, positive */

static arti_verdict rule_any(arti_expansion *x, arti_branch *b, const arti_lit *lits, uint32_t n, uint32_t scope) {
    builder c = {.x = x};
    for (uint32_t i = 0; i < n; i++) {
        if (lits[i] == ARTI_LIT_TRUE && !scope) return ARTI_OPEN;
        alt_one(&c, lit_entry(lits[i], scope));
    }
    /* What each of them evaluates counts: decide every one. */
    for (uint32_t i = 0; scope && n > 1 && i < n; i++) {
        builder d = {.x = x};
        alt_one(&d, lit_entry(lits[i], scope));
        alt_one(&d, lit_entry(ARTI_LIT_NOT(lits[i]), 0));
        const arti_verdict v = finish(&d, b);
        if (v != ARTI_OPEN) return v;
    }
    return finish(&c, b);
}

static arti_verdict rule_one(arti_expansion *x, arti_branch *b, const arti_lit *lits, uint32_t n, uint32_t scope) {
    builder c = {.x = x};
    uint8_t *overlap = get(x, (size_t)n * n);
    if (!overlap) return ARTI_ERROR;
    x->n_steps += n * n / 8;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = i + 1; j < n; j++) {
            overlap[(size_t)i * n + j] = overlap[(size_t)j * n + i] = !disjoint(x, lits[i], lits[j]);
            if (arti_faulted(x->s)) return ARTI_ERROR;
        }
    for (uint32_t i = 0; i < n; i++) {
        if (!arti_lit_admits(x->s, lits[i], x->type)) continue;
        uint32_t n_others = 0;
        for (uint32_t j = 0; j < n; j++) n_others += j != i && overlap[(size_t)i * n + j];
        struct arti_alt *a = alt_new(&c, 1 + n_others);
        alt_add(a, lit_entry(lits[i], scope));
        for (uint32_t j = 0; j < n; j++)
            if (j != i && overlap[(size_t)i * n + j]) alt_add(a, lit_entry(ARTI_LIT_NOT(lits[j]), 0));
    }
    return arti_faulted(x->s) ? ARTI_ERROR : finish(&c, b);
}

/* A schema that says nothing of objects but what one member's value is: that member, NULL otherwise. *demanded: it is required too. */
static const arti_prop *only_member(art_schema *s, arti_lit lit, bool *demanded) {
    const arti_kw *k = positive_kw(s, lit);
    const arti_members *g = k ? k->group : NULL;
    if (!g || g->n_props != 1 || g->n_patterns || g->has_rest || k->n_required > 1 || k->n_deps || k->min_props ||
        k->max_props != UINT32_MAX || k->names != ARTI_LIT_NONE || k->enum_ || k->const_ || k->n_all || k->n_any ||
        k->n_one || k->not_ != ARTI_LIT_NONE || k->if_ != ARTI_LIT_NONE || k->ref != ARTI_LIT_NONE ||
        k->dynamic_ref != ARTI_LIT_NONE || k->uneval_props != ARTI_LIT_NONE)
        return NULL;
    *demanded = k->n_required == 1;
    return !*demanded || key_equal(&k->required[0], &g->props[0].key) ? &g->props[0] : NULL;
}

static arti_verdict rule_if(arti_expansion *x, arti_branch *b, const arti_kw *k, uint32_t scope) {
    const bool has_then = k->then_ != ARTI_LIT_NONE, has_else = k->else_ != ARTI_LIT_NONE;
    if (!has_then && !has_else && !scope) return ARTI_OPEN;
    builder c = {.x = x};
    struct arti_alt *yes = alt_new(&c, 2), *no;
    bool demanded;
    const arti_prop *p = x->type == ARTI_T_OBJECT && !scope && arti_lit_admits(x->s, k->if_, ARTI_T_OBJECT)
                             ? only_member(x->s, k->if_, &demanded)
                             : NULL;
    if (p) { /* two cases that exclude each other, so that many of them about one member do not multiply */
        const arti_lit not_it = ARTI_LIT_NOT(p->lit);
        alt_add(yes, demanded ? has_entry(&p->key, p->lit) : if_has_entry(&p->key, p->lit));
        if (has_then) alt_add(yes, lit_entry(k->then_, 0));
        no = alt_new(&c, 2);
        alt_add(no, demanded ? if_has_entry(&p->key, not_it) : has_entry(&p->key, not_it));
        if (has_else) alt_add(no, lit_entry(k->else_, 0));
        return finish(&c, b);
    }
    if (has_else || scope || !has_then) alt_add(yes, lit_entry(k->if_, scope));
    if (has_then) alt_add(yes, lit_entry(k->then_, scope));
    no = alt_new(&c, 2);
    alt_add(no, lit_entry(ARTI_LIT_NOT(k->if_), 0));
    if (has_else) alt_add(no, lit_entry(k->else_, scope));
    return finish(&c, b);
}

static arti_verdict rule_dependencies(arti_expansion *x, arti_branch *b, const arti_kw *k, uint32_t scope) {
    for (uint32_t i = 0; i < k->n_deps; i++) {
        const arti_dependency *d = &k->deps[i];
        builder c = {.x = x};
        alt_one(&c, key_entry(ARTI_E_LACKS, &d->key));
        struct arti_alt *a = alt_new(&c, d->n_names + 2);
        alt_add(a, key_entry(ARTI_E_REQUIRED, &d->key));
        for (uint32_t j = 0; j < d->n_names; j++) alt_add(a, key_entry(ARTI_E_REQUIRED, &d->names[j]));
        if (d->schema != ARTI_LIT_NONE) alt_add(a, lit_entry(d->schema, scope));
        const arti_verdict v = finish(&c, b);
        if (v != ARTI_OPEN) return v;
    }
    return ARTI_OPEN;
}

static uint32_t scope_new(arti_expansion *x, uint32_t parent, arti_lit owner, arti_lit lit, bool negated) {
    if (!arti_vec_reserve(&x->s->mem, (void **)&x->scopes, &x->scopes_cap, x->n_scopes + 1, sizeof *x->scopes)) {
        arti_fault_mem(x->s);
        return UINT32_MAX;
    }
    x->scopes[x->n_scopes] = (arti_scope){parent, owner, lit, negated};
    return (uint32_t)x->n_scopes++;
}

/* ------------------------------------------------------------------ schema objects, positive */

static arti_verdict add_text(arti_expansion *x, arti_branch *b, const arti_kw *k, uint32_t res) {
    if (k->min_len || k->max_len != UINT32_MAX) ADD(range_entry(ARTI_E_LENGTH, k->min_len, k->max_len));
    if (k->pattern != ARTI_RE_ANY) ADD(range_entry(ARTI_E_TERM, k->pattern, 0));
    if (k->format) {
        arti_re term;
        bool asserted;
        if (!arti_schema_format(x->s, k->format, res, &term, &asserted)) return ARTI_ERROR;
        if (asserted) ADD(range_entry(ARTI_E_TERM, term, 0));
    }
    return ARTI_OPEN;
}

static arti_verdict add_number(arti_expansion *x, arti_branch *b, const arti_kw *k) {
    if (!(k->types >> ARTI_T_NUMBER & 1u)) {
        ADD(json_entry(ARTI_E_STEP, NULL, false));
        if (k->plain_integer) ADD(range_entry(ARTI_E_PLAIN, 0, 0));
    }
    if (k->minimum) ADD(json_entry(ARTI_E_LOW, k->minimum, false));
    if (k->above) ADD(json_entry(ARTI_E_LOW, k->above, true));
    if (k->maximum) ADD(json_entry(ARTI_E_HIGH, k->maximum, false));
    if (k->below) ADD(json_entry(ARTI_E_HIGH, k->below, true));
    if (k->multiple) ADD(json_entry(ARTI_E_STEP, k->multiple, false));
    return ARTI_OPEN;
}

static arti_verdict add_array(arti_expansion *x, arti_branch *b, const arti_kw *k, uint32_t scope) {
    if (k->n_prefix || k->rest != ARTI_LIT_NONE) {
        arti_items_group *g = arti_schema_get(x->s, sizeof *g);
        if (!g) return ARTI_ERROR;
        *g = (arti_items_group){k->prefix, k->n_prefix, k->rest == ARTI_LIT_NONE ? ARTI_LIT_TRUE : k->rest};
        ADD(((arti_entry){.kind = ARTI_E_ITEMS, .p = g, .scope = scope, .flag = k->rest != ARTI_LIT_NONE}));
    }
    if (k->min_items || k->max_items != UINT32_MAX) ADD(range_entry(ARTI_E_COUNT, k->min_items, k->max_items));
    if (k->unique) ADD(range_entry(ARTI_E_UNIQUE, 0, 0));
    if (k->contains != ARTI_LIT_NONE) {
        arti_contains *c = arti_schema_get(x->s, sizeof *c);
        if (!c) return ARTI_ERROR;
        *c = (arti_contains){k->contains, 0, k->min_contains, k->max_contains};
        ADD(((arti_entry){.kind = ARTI_E_CONTAINS, .p = c, .scope = scope, .flag = k->contains_evaluates}));
    }
    return ARTI_OPEN;
}

static arti_verdict add_object(arti_expansion *x, arti_branch *b, const arti_kw *k, uint32_t scope) {
    if (k->group) ADD(((arti_entry){.kind = ARTI_E_GROUP, .p = k->group, .scope = scope}));
    if (k->names != ARTI_LIT_NONE && k->names != ARTI_LIT_TRUE)
        ADD(((arti_entry){.kind = ARTI_E_NAMES, .lit = k->names}));
    for (uint32_t i = 0; i < k->n_required; i++) ADD(key_entry(ARTI_E_REQUIRED, &k->required[i]));
    if (k->min_props || k->max_props != UINT32_MAX) ADD(range_entry(ARTI_E_MEMBERS, k->min_props, k->max_props));
    return rule_dependencies(x, b, k, scope);
}

static arti_verdict rule_positive(arti_expansion *x, arti_branch *b, const arti_entry *e) {
    art_schema *s = x->s;
    const arti_pos p = ARTI_LIT_POS(e->lit);
    const uint32_t res = s->pos[p].res;
    const arti_kw *k = arti_pos_kw(s, p);
    if (!k) return ARTI_ERROR;
    if (!kw_admits(k, x->type)) return ARTI_DEAD;
    uint32_t scope = e->scope;
    const arti_lit uneval = x->type == ARTI_T_OBJECT  ? k->uneval_props
                            : x->type == ARTI_T_ARRAY ? k->uneval_items
                                                      : ARTI_LIT_NONE;
    if (uneval != ARTI_LIT_NONE) {
        scope = scope_new(x, scope, e->lit, uneval, e->flag);
        if (scope == UINT32_MAX) return ARTI_ERROR;
        ADD(range_entry(ARTI_E_UNEVALUATED, scope, 0));
    }
    arti_verdict v = ARTI_OPEN;
    if (k->enum_) v = rule_enum(x, b, k->enum_, res, false);
    if (v != ARTI_OPEN) return v;
    if (k->const_) {
        const arti_lit c = arti_lit_const(s, k->const_, res);
        if (c == ARTI_LIT_FAIL) return ARTI_ERROR;
        ADD(lit_entry(c, 0));
    }
    switch (x->type) {
    case ARTI_T_NUMBER: v = add_number(x, b, k); break;
    case ARTI_T_STRING: v = add_text(x, b, k, res); break;
    case ARTI_T_ARRAY: v = add_array(x, b, k, scope); break;
    case ARTI_T_OBJECT: v = add_object(x, b, k, scope); break;
    default: break;
    }
    if (v != ARTI_OPEN) return v;
    if (k->ref != ARTI_LIT_NONE) ADD(lit_entry(k->ref, scope));
    if (k->dynamic_ref != ARTI_LIT_NONE) ADD(lit_entry(k->dynamic_ref, scope));
    for (uint32_t i = 0; i < k->n_all; i++) ADD(lit_entry(k->all[i], scope));
    if (k->not_ != ARTI_LIT_NONE) ADD(lit_entry(ARTI_LIT_NOT(k->not_), 0));
    if (k->n_any && (v = rule_any(x, b, k->any, k->n_any, scope)) != ARTI_OPEN) return v;
    if (k->n_one) {
        v = k->one_or_more ? rule_any(x, b, k->one, k->n_one, scope) : rule_one(x, b, k->one, k->n_one, scope);
        if (v != ARTI_OPEN) return v;
    }
    if (k->if_ != ARTI_LIT_NONE && (v = rule_if(x, b, k, scope)) != ARTI_OPEN) return v;
    return ARTI_OPEN;
}

/* ------------------------------------------------------------------ schema objects, negative */

static void deny_text(builder *c, const arti_kw *k, uint32_t res) {
    art_schema *s = c->x->s;
    if (k->min_len) alt_one(c, range_entry(ARTI_E_LENGTH, 0, k->min_len - 1));
    if (k->max_len != UINT32_MAX) alt_one(c, range_entry(ARTI_E_LENGTH, k->max_len + 1, UINT32_MAX));
    arti_re terms[2] = {k->pattern, ARTI_RE_ANY};
    if (k->format) {
        bool asserted;
        if (!arti_schema_format(s, k->format, res, &terms[1], &asserted)) c->failed = true;
    }
    for (int i = 0; i < 2 && !c->failed; i++) {
        if (terms[i] == ARTI_RE_ANY) continue;
        const arti_re t = arti_re_not(s->re, terms[i]);
        if (t == ARTI_RE_FAIL) {
            arti_fault_re(s, NULL, 0, i ? "format" : "pattern");
            c->failed = true;
        }
        alt_one(c, range_entry(ARTI_E_TERM, t, 0));
    }
}

static void deny_number(builder *c, const arti_kw *k) {
    if (!(k->types >> ARTI_T_NUMBER & 1u))
        alt_one(c, k->plain_integer ? range_entry(ARTI_E_LONG, 0, 0) : json_entry(ARTI_E_NOT_STEP, NULL, false));
    if (k->minimum) alt_one(c, json_entry(ARTI_E_HIGH, k->minimum, true));
    if (k->above) alt_one(c, json_entry(ARTI_E_HIGH, k->above, false));
    if (k->maximum) alt_one(c, json_entry(ARTI_E_LOW, k->maximum, true));
    if (k->below) alt_one(c, json_entry(ARTI_E_LOW, k->below, false));
    if (k->multiple) alt_one(c, json_entry(ARTI_E_NOT_STEP, k->multiple, false));
}

static void deny_array(builder *c, const arti_kw *k) {
    for (uint32_t i = 0; i < k->n_prefix; i++)
        if (k->prefix[i] != ARTI_LIT_TRUE)
            alt_one(c, (arti_entry){.kind = ARTI_E_AT, .a = i, .lit = ARTI_LIT_NOT(k->prefix[i])});
    const struct {
        arti_lit lit;
        uint32_t start, min, max;
        bool wanted;
    } counts[] = {
        {k->rest == ARTI_LIT_NONE ? ARTI_LIT_FALSE : ARTI_LIT_NOT(k->rest), k->n_prefix, 1, UINT32_MAX,
         k->rest != ARTI_LIT_NONE && k->rest != ARTI_LIT_TRUE},
        {k->contains, 0, 0, k->min_contains - 1, k->contains != ARTI_LIT_NONE && k->min_contains > 0},
        {k->contains, 0, k->max_contains + 1, UINT32_MAX,
         k->contains != ARTI_LIT_NONE && k->max_contains != UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (!counts[i].wanted) continue;
        arti_contains *n = arti_schema_get(c->x->s, sizeof *n);
        if (!n) {
            c->failed = true;
            return;
        }
        *n = (arti_contains){counts[i].lit, counts[i].start, counts[i].min, counts[i].max};
        alt_one(c, (arti_entry){.kind = ARTI_E_CONTAINS, .p = n});
    }
    if (k->min_items) alt_one(c, range_entry(ARTI_E_COUNT, 0, k->min_items - 1));
    if (k->max_items != UINT32_MAX) alt_one(c, range_entry(ARTI_E_COUNT, k->max_items + 1, UINT32_MAX));
    if (k->unique) alt_one(c, range_entry(ARTI_E_NOT_UNIQUE, 0, 0));
}

static void deny_object(builder *c, const arti_kw *k) {
    const arti_members *g = k->group;
    for (uint32_t i = 0; g && i < g->n_props; i++) {
        const arti_prop *p = &g->props[i];
        if (p->lit == ARTI_LIT_TRUE) continue;
        const bool demanded = requires_key(k, &p->key); /* then its absence will do as well */
        alt_one(c, demanded ? if_has_entry(&p->key, ARTI_LIT_NOT(p->lit)) : has_entry(&p->key, ARTI_LIT_NOT(p->lit)));
    }
    for (uint32_t i = 0; g && i < g->n_patterns; i++)
        if (g->patterns[i].lit != ARTI_LIT_TRUE)
            alt_one(c, (arti_entry){.kind = ARTI_E_SOME, .p = g, .a = i, .lit = ARTI_LIT_NOT(g->patterns[i].lit)});
    if (g && g->rest != ARTI_LIT_TRUE)
        alt_one(c, (arti_entry){.kind = ARTI_E_SOME, .p = g, .a = UINT32_MAX, .lit = ARTI_LIT_NOT(g->rest)});
    if (k->names != ARTI_LIT_NONE && k->names != ARTI_LIT_TRUE)
        alt_one(c, (arti_entry){.kind = ARTI_E_SOME_NAME, .lit = ARTI_LIT_NOT(k->names)});
    for (uint32_t i = 0; i < k->n_required; i++) {
        const arti_key *key = &k->required[i];
        const uint32_t j = g ? arti_members_find(g, key->ptr, key->len) : UINT32_MAX;
        if (j == UINT32_MAX || g->props[j].lit == ARTI_LIT_TRUE) alt_one(c, key_entry(ARTI_E_LACKS, key));
    }
    if (k->min_props) alt_one(c, range_entry(ARTI_E_MEMBERS, 0, k->min_props - 1));
    if (k->max_props != UINT32_MAX) alt_one(c, range_entry(ARTI_E_MEMBERS, k->max_props + 1, UINT32_MAX));
    for (uint32_t i = 0; i < k->n_deps; i++) {
        const arti_dependency *d = &k->deps[i];
        for (uint32_t j = 0; j < d->n_names; j++) {
            struct arti_alt *a = alt_new(c, 2);
            alt_add(a, key_entry(ARTI_E_REQUIRED, &d->key));
            alt_add(a, key_entry(ARTI_E_LACKS, &d->names[j]));
        }
        if (d->schema == ARTI_LIT_NONE) continue;
        struct arti_alt *a = alt_new(c, 2);
        alt_add(a, key_entry(ARTI_E_REQUIRED, &d->key));
        alt_add(a, lit_entry(ARTI_LIT_NOT(d->schema), 0));
    }
}

static void deny_one(builder *c, const arti_kw *k) {
    struct arti_alt *none = alt_new(c, k->n_one);
    for (uint32_t i = 0; i < k->n_one; i++) alt_add(none, lit_entry(ARTI_LIT_NOT(k->one[i]), 0));
    for (uint32_t i = 0; i < k->n_one; i++)
        for (uint32_t j = i + 1; j < k->n_one && !c->failed; j++) {
            if (disjoint(c->x, k->one[i], k->one[j])) continue;
            struct arti_alt *two = alt_new(c, 2);
            alt_add(two, lit_entry(k->one[i], 0));
            alt_add(two, lit_entry(k->one[j], 0));
        }
}

static arti_verdict rule_negative(arti_expansion *x, arti_branch *b, const arti_entry *e) {
    art_schema *s = x->s;
    const arti_pos p = ARTI_LIT_POS(e->lit);
    const uint32_t res = s->pos[p].res;
    const arti_kw *k = arti_pos_kw(s, p);
    if (!k) return ARTI_ERROR;
    if (!kw_admits(k, x->type)) return ARTI_OPEN;
    builder c = {.x = x};
    if (k->enum_) { /* every listed value is excluded, together one alternative */
        arti_branch list = {0};
        const arti_verdict v = rule_enum(x, &list, k->enum_, res, true);
        if (v == ARTI_ERROR) return v;
        if (v != ARTI_DEAD) {
            struct arti_alt *a = alt_new(&c, (uint32_t)list.n);
            for (size_t i = 0; i < list.n; i++) alt_add(a, list.entries[i]);
        }
    }
    if (k->const_) {
        const arti_lit l = arti_lit_const(s, k->const_, res);
        if (l == ARTI_LIT_FAIL) return ARTI_ERROR;
        alt_one(&c, lit_entry(ARTI_LIT_NOT(l), 0));
    }
    switch (x->type) {
    case ARTI_T_NUMBER: deny_number(&c, k); break;
    case ARTI_T_STRING: deny_text(&c, k, res); break;
    case ARTI_T_ARRAY: deny_array(&c, k); break;
    case ARTI_T_OBJECT: deny_object(&c, k); break;
    default: break;
    }
    if (k->ref != ARTI_LIT_NONE) alt_one(&c, lit_entry(ARTI_LIT_NOT(k->ref), 0));
    if (k->dynamic_ref != ARTI_LIT_NONE) alt_one(&c, lit_entry(ARTI_LIT_NOT(k->dynamic_ref), 0));
    for (uint32_t i = 0; i < k->n_all; i++) alt_one(&c, lit_entry(ARTI_LIT_NOT(k->all[i]), 0));
    if (k->not_ != ARTI_LIT_NONE) alt_one(&c, lit_entry(k->not_, 0));
    if (k->n_any) {
        struct arti_alt *none = alt_new(&c, k->n_any);
        for (uint32_t i = 0; i < k->n_any; i++) alt_add(none, lit_entry(ARTI_LIT_NOT(k->any[i]), 0));
    }
    if (k->n_one) deny_one(&c, k);
    if (k->if_ != ARTI_LIT_NONE) {
        if (k->then_ != ARTI_LIT_NONE) {
            struct arti_alt *a = alt_new(&c, 2);
            alt_add(a, lit_entry(k->if_, 0));
            alt_add(a, lit_entry(ARTI_LIT_NOT(k->then_), 0));
        }
        if (k->else_ != ARTI_LIT_NONE) {
            struct arti_alt *a = alt_new(&c, 2);
            alt_add(a, lit_entry(ARTI_LIT_NOT(k->if_), 0));
            alt_add(a, lit_entry(ARTI_LIT_NOT(k->else_), 0));
        }
    }
    const arti_lit uneval = x->type == ARTI_T_OBJECT  ? k->uneval_props
                            : x->type == ARTI_T_ARRAY ? k->uneval_items
                                                      : ARTI_LIT_NONE;
    if (uneval != ARTI_LIT_NONE)
        alt_one(&c, (arti_entry){.kind = ARTI_E_LIT, .lit = ARTI_LIT_NOT(e->lit), .flag = true});
    return arti_faulted(s) ? ARTI_ERROR : finish(&c, b);
}

/* ------------------------------------------------------------------ the rule of a literal */

arti_verdict arti_rule(arti_expansion *x, arti_branch *b, const arti_entry *e) {
    art_schema *s = x->s;
    const bool neg = ARTI_LIT_IS_NEG(e->lit);
    for (uint32_t i = e->flag ? 0 : e->scope; i; i = x->scopes[i].parent) /* within itself it asks nothing new */
        if (x->scopes[i].owner == e->lit) return ARTI_OPEN;
    x->n_steps += (uint32_t)(b->next / RULE_SCAN);
    for (size_t i = 0; i + 1 < b->next; i++) { /* the entry itself stands at b->next - 1 */
        const arti_entry *f = &b->entries[i];
        if (f->kind != ARTI_E_LIT || f->flag || e->flag) continue;
        if (f->lit == e->lit && f->scope == e->scope) return ARTI_OPEN;
        if (f->lit == ARTI_LIT_NOT(e->lit)) return ARTI_DEAD;
    }
    const arti_pos_info *p = &s->pos[ARTI_LIT_POS(e->lit)];
    switch ((arti_pos_kind)p->kind) {
    case ARTI_POS_ANY: return neg ? ARTI_DEAD : ARTI_OPEN;
    case ARTI_POS_CONST: return rule_const(x, b, e);
    case ARTI_POS_OR:
    case ARTI_POS_AND: {
        const arti_lit *lits = p->lits;
        const uint32_t n = p->n_lits;
        if ((p->kind == ARTI_POS_AND) != neg) {
            for (uint32_t i = 0; i < n; i++) ADD(lit_entry(lits[i] ^ (uint32_t)neg, 0));
            return ARTI_OPEN;
        }
        builder c = {.x = x};
        for (uint32_t i = 0; i < n; i++) alt_one(&c, lit_entry(lits[i] ^ (uint32_t)neg, 0));
        return finish(&c, b);
    }
    case ARTI_POS_SCHEMA: return neg ? rule_negative(x, b, e) : rule_positive(x, b, e);
    }
    return ARTI_OPEN;
}
