/* SPDX-License-Identifier: Apache-2.0
 *
 * Conjunctions, and the walk over the branches of an expansion. */
#include "art_norm.h"

#include "art_branch.h"

#define CLAUSE_TERM_MAX 16u       /* alternatives, and entries of one, of a clause that becomes a language */
#define VERDICT_ENTRIES_MAX 4096u /* entries of a branch that a clause is compared with */

/* ------------------------------------------------------------------ conjunctions */

static uint64_t lits_hash(const arti_lit *lits, uint32_t n) {
    uint64_t h = n;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ lits[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 31;
    }
    return h;
}

static bool map_grow(art_schema *s) {
    arti_norm *m = s->norm;
    const size_t size = m->map_size ? m->map_size * 2 : 256;
    uint32_t *map = arti_calloc(&s->mem, size * sizeof *map);
    if (!map) return arti_fault_mem(s);
    for (size_t i = 2; i < m->n_conj; i++) {
        size_t j = (size_t)lits_hash(m->conj[i]->lits, m->conj[i]->n_lits) & (size - 1);
        while (map[j]) j = (j + 1) & (size - 1);
        map[j] = (uint32_t)i;
    }
    arti_free(&s->mem, m->map, m->map_size * sizeof *map);
    m->map = map;
    m->map_size = size;
    return true;
}

static arti_conj conj_add(art_schema *s, const arti_lit *lits, uint32_t n) {
    arti_norm *m = s->norm;
    if (!arti_vec_reserve(&s->mem, (void **)&m->conj, &m->conj_cap, m->n_conj + 1, sizeof *m->conj)) {
        arti_fault_mem(s);
        return ARTI_CONJ_FAIL;
    }
    arti_conj_info *c = arti_schema_zero(s, sizeof *c);
    arti_lit *copy = arti_schema_get(s, n * sizeof *copy);
    if (!c || !copy) return ARTI_CONJ_FAIL;
    if (n) memcpy(copy, lits, n * sizeof *copy);
    c->lits = copy;
    c->n_lits = n;
    c->len = ARTI_LEN_NONE;
    for (int t = 0; t < ARTI_N_TYPES; t++) c->facet[t].len = ARTI_LEN_NONE;
    m->conj[m->n_conj] = c;
    return (arti_conj)m->n_conj++;
}

static void sort_lits(arti_lit *lits, uint32_t n) { /* heap sort: n may come from the schema */
    for (uint32_t start = n / 2, end = n; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            const arti_lit t = lits[end];
            lits[end] = lits[0];
            lits[0] = t;
        }
        uint32_t root = start;
        for (uint32_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && lits[child] < lits[child + 1]) child++;
            if (lits[root] >= lits[child]) break;
            const arti_lit t = lits[root];
            lits[root] = lits[child];
            lits[child] = t;
        }
    }
}

arti_lit arti_lit_target(art_schema *s, arti_lit lit) {
    for (;;) {
        const arti_pos_info *p = &s->pos[ARTI_LIT_POS(lit)];
        if (p->kind != ARTI_POS_SCHEMA) return lit;
        const arti_kw *k = arti_pos_kw(s, ARTI_LIT_POS(lit));
        if (!k) return ARTI_LIT_FAIL;
        if (k->is_nothing) return ARTI_LIT_TRUE ^ ARTI_LIT_IS_NEG(lit);
        if (!k->only_ref && !k->only_not) return lit;
        lit = (k->only_ref ? k->ref : ARTI_LIT_NOT(k->not_)) ^ ARTI_LIT_IS_NEG(lit);
    }
}

arti_conj arti_conj_of(art_schema *s, arti_lit *lits, uint32_t n) {
    arti_norm *m = s->norm;
    uint32_t w = 0;
    for (uint32_t i = 0; i < n; i++) {
        const arti_lit l = arti_lit_target(s, lits[i]);
        if (l == ARTI_LIT_FAIL) return ARTI_CONJ_FAIL;
        if (l == ARTI_LIT_FALSE) return ARTI_CONJ_NEVER;
        if (l != ARTI_LIT_TRUE) lits[w++] = l;
    }
    sort_lits(lits, w);
    n = w;
    w = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (w && lits[w - 1] == lits[i]) continue;
        if (w && lits[w - 1] == ARTI_LIT_NOT(lits[i])) return ARTI_CONJ_NEVER;
        lits[w++] = lits[i];
    }
    n = w;
    if (n == 0) return ARTI_CONJ_ANY;
    if (m->n_conj * 2 >= m->map_size && !map_grow(s)) return ARTI_CONJ_FAIL;
    size_t j = (size_t)lits_hash(lits, n) & (m->map_size - 1);
    for (; m->map[j]; j = (j + 1) & (m->map_size - 1)) {
        const arti_conj_info *c = m->conj[m->map[j]];
        if (c->n_lits == n && memcmp(c->lits, lits, n * sizeof *lits) == 0) return m->map[j];
    }
    const arti_conj c = conj_add(s, lits, n);
    if (c != ARTI_CONJ_FAIL) m->map[j] = c;
    return c;
}

arti_conj arti_conj_and(art_schema *s, arti_conj c, arti_lit lit) {
    const arti_conj_info *info = s->norm->conj[c];
    arti_lit few[64], *lits = few;
    const uint32_t n = info->n_lits + 1;
    if (c == ARTI_CONJ_NEVER) return c;
    if (n > 64 && !(lits = arti_realloc(&s->mem, NULL, 0, n * sizeof *lits))) {
        arti_fault_mem(s);
        return ARTI_CONJ_FAIL;
    }
    memcpy(lits, info->lits, info->n_lits * sizeof *lits);
    lits[n - 1] = lit;
    const arti_conj r = arti_conj_of(s, lits, n);
    if (lits != few) arti_free(&s->mem, lits, n * sizeof *lits);
    return r;
}

bool arti_norm_new(art_schema *s) {
    s->norm = arti_calloc(&s->mem, sizeof *s->norm);
    if (!s->norm) return arti_fault_mem(s);
    s->norm->steps_end = UINT64_MAX;
    const arti_lit never = ARTI_LIT_FALSE;
    return conj_add(s, NULL, 0) != ARTI_CONJ_FAIL && conj_add(s, &never, 1) != ARTI_CONJ_FAIL;
}

void arti_norm_free(art_schema *s) {
    arti_norm *m = s->norm;
    if (!m) return;
    arti_free(&s->mem, m->conj, m->conj_cap * sizeof *m->conj);
    arti_free(&s->mem, m->map, m->map_size * sizeof *m->map);
    arti_free(&s->mem, m->text_of, m->text_of_cap * sizeof *m->text_of);
    arti_free(&s->mem, m->goals, m->goals_cap * sizeof *m->goals);
    arti_free(&s->mem, m->goals_map, m->goals_map_size * sizeof *m->goals_map);
    arti_free(&s->mem, m, sizeof *m);
    s->norm = NULL;
}

/* ------------------------------------------------------------------ branches */

static void *get(arti_expansion *x, size_t size) {
    void *p = arti_arena_get(&x->arena, size ? size : 1);
    if (!p) arti_fault_mem(x->s);
    return p;
}

bool arti_branch_add(arti_expansion *x, arti_branch *b, const arti_entry *e) {
    if (b->n == b->cap) {
        const size_t cap = b->cap ? b->cap * 2 : 16;
        arti_entry *p = get(x, cap * sizeof *p);
        if (!p) return false;
        if (b->n) memcpy(p, b->entries, b->n * sizeof *p);
        b->entries = p;
        b->cap = cap;
    }
    b->entries[b->n++] = *e;
    return true;
}

/* Adds that a single entry does not hold, where that can be said simply. */
static bool add_denial(arti_expansion *x, arti_branch *b, const struct arti_alt *alt) {
    if (alt->n != 1) return true;
    arti_entry e = alt->entries[0];
    switch (e.kind) {
    case ARTI_E_LACKS: e.kind = ARTI_E_REQUIRED; break;
    case ARTI_E_REQUIRED: e.kind = ARTI_E_LACKS; break;
    case ARTI_E_HAS:
    case ARTI_E_IF_HAS:
        e.kind = e.kind == ARTI_E_HAS ? ARTI_E_IF_HAS : ARTI_E_HAS;
        e.lit = ARTI_LIT_NOT(e.lit);
        break;
    default: return true;
    }
    return arti_branch_add(x, b, &e);
}

/* Pushes the branch with alternative k of a clause. apart: the earlier alternatives do not hold there, so that the same values are not
 * described again and again when several clauses are open. */
static bool push_copy(arti_expansion *x, const arti_branch *b, size_t at, const arti_clause *clause, uint32_t k,
                      bool apart) {
    if (!arti_vec_reserve(&x->s->mem, (void **)&x->stack, &x->stack_cap, x->n_stack + 1, sizeof *x->stack))
        return arti_fault_mem(x->s);
    const struct arti_alt *alt = &clause->alts[k];
    arti_branch c = {.n = b->n, .next = b->next, .cap = b->n + alt->n + 8};
    c.entries = get(x, c.cap * sizeof *c.entries);
    if (!c.entries) return false;
    memcpy(c.entries, b->entries, b->n * sizeof *c.entries);
    c.entries[at].resolved = true;
    for (uint32_t i = 0; i < alt->n; i++) c.entries[c.n++] = alt->entries[i];
    for (uint32_t i = 0; apart && i < k; i++)
        if (!add_denial(x, &c, &clause->alts[i])) return false;
    x->stack[x->n_stack++] = c;
    return true;
}

/* A clause's alternative: dead when one of its entries is, holding when all do. */
static arti_verdict alt_verdict(arti_expansion *x, const arti_branch *b, const struct arti_alt *alt) {
    arti_verdict all = ARTI_HOLDS;
    for (uint32_t i = 0; i < alt->n; i++) {
        const arti_verdict v = arti_entry_verdict(x, b, &alt->entries[i]);
        if (v == ARTI_DEAD || v == ARTI_ERROR) return v;
        if (v != ARTI_HOLDS) all = ARTI_OPEN;
    }
    return all;
}

/* Filters a clause against the branch. *left: alternatives that stay open; ARTI_HOLDS when one holds already. */
static arti_verdict clause_verdict(arti_expansion *x, const arti_branch *b, arti_entry *entry) {
    const arti_clause *c = entry->p;
    if (b->n > VERDICT_ENTRIES_MAX) return ARTI_OPEN;
    arti_clause *kept = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const arti_verdict v = alt_verdict(x, b, &c->alts[i]);
        if (v == ARTI_HOLDS || v == ARTI_ERROR) return v;
        if (v == ARTI_DEAD) {
            if (!kept) {
                kept = get(x, sizeof *kept);
                if (!kept || !(kept->alts = get(x, c->n * sizeof *kept->alts))) return ARTI_ERROR;
                memcpy(kept->alts, c->alts, i * sizeof *kept->alts);
                n = i;
            }
        } else {
            if (kept) kept->alts[n] = c->alts[i];
            n++;
        }
    }
    if (kept) {
        kept->n = n;
        entry->p = kept;
    }
    return n ? ARTI_OPEN : ARTI_DEAD;
}

/* A clause about strings as one language; ARTI_RE_FAIL where that is not possible. */
static arti_re clause_term(art_schema *s, const arti_clause *c) {
    arti_re any[CLAUSE_TERM_MAX], all[CLAUSE_TERM_MAX];
    if (c->n > CLAUSE_TERM_MAX) return ARTI_RE_FAIL;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct arti_alt *alt = &c->alts[i];
        if (alt->n > CLAUSE_TERM_MAX) return ARTI_RE_FAIL;
        for (uint32_t j = 0; j < alt->n; j++) {
            const arti_entry *e = &alt->entries[j];
            all[j] = e->kind == ARTI_E_TERM  ? e->a
                     : e->kind == ARTI_E_LIT ? arti_lit_text_term(s, e->lit)
                                             : ARTI_RE_FAIL;
            if (all[j] == ARTI_RE_FAIL) return ARTI_RE_FAIL;
        }
        any[i] = arti_re_and(s->re, all, alt->n);
    }
    return arti_re_or(s->re, any, c->n);
}

/* Several clauses about strings multiply when they are split; languages are joined instead. *joined: some were. */
static bool join_text_clauses(arti_expansion *x, arti_branch *b, bool *joined) {
    *joined = false;
    for (size_t i = 0, n = b->n; i < n; i++) {
        if (b->entries[i].kind != ARTI_E_CLAUSE || b->entries[i].resolved) continue;
        const arti_re t = clause_term(x->s, b->entries[i].p);
        if (arti_faulted(x->s)) return false;
        if (t == ARTI_RE_FAIL) continue;
        const arti_entry e = {.kind = ARTI_E_TERM, .a = t};
        b->entries[i].resolved = *joined = true;
        if (!arti_branch_add(x, b, &e)) return false;
    }
    return true;
}

/* Deals with one branch: applies rules, splits the smallest clause, or finishes a shape. false: fault. */
static bool step_branch(arti_expansion *x, arti_branch *b) {
    art_schema *s = x->s;
    for (;;) {
        while (b->next < b->n) {
            if (++x->n_steps > ARTI_STEPS_MAX)
                return arti_fault(s, ART_E_LIMIT, NULL, 0, "",
                                  "the schema's alternatives take more than %u steps to expand (ARTI_STEPS_MAX)",
                                  ARTI_STEPS_MAX);
            if (s->norm->steps_end != UINT64_MAX && s->norm->n_steps + x->n_steps > s->norm->steps_end)
                return arti_fault(s, ART_E_LIMIT, NULL, 0, "", "not expanded ahead");
            const arti_entry e = b->entries[b->next++];
            if (e.kind != ARTI_E_LIT) continue;
            const arti_verdict v = arti_rule(x, b, &e);
            if (v == ARTI_ERROR) return false;
            if (v == ARTI_DEAD) return true;
        }
        size_t best = SIZE_MAX;
        uint32_t best_n = UINT32_MAX, n_open = 0;
        for (size_t i = 0; i < b->n && best_n > 1; i++) {
            arti_entry *e = &b->entries[i];
            if (e->kind != ARTI_E_CLAUSE || e->resolved) continue;
            x->n_steps += ((const arti_clause *)e->p)->n;
            const arti_verdict v = clause_verdict(x, b, e);
            if (v == ARTI_ERROR) return false;
            if (v == ARTI_DEAD) return true;
            if (v == ARTI_HOLDS) {
                e->resolved = true;
                continue;
            }
            const uint32_t n = ((const arti_clause *)e->p)->n;
            n_open++;
            if (n < best_n) best = i, best_n = n;
        }
        if (best == SIZE_MAX) break;
        if (x->type == ARTI_T_STRING && n_open > 1) {
            bool joined;
            if (!join_text_clauses(x, b, &joined)) return false;
            if (joined) continue;
        }
        const arti_clause *c = b->entries[best].p;
        if (c->n == 1) {
            b->entries[best].resolved = true;
            for (uint32_t i = 0; i < c->alts[0].n; i++)
                if (!arti_branch_add(x, b, &c->alts[0].entries[i])) return false;
            continue;
        }
        for (uint32_t i = c->n; i-- > 0;)
            if (!push_copy(x, b, best, c, i, n_open > 1)) return false;
        return true;
    }
    arti_shape *shape;
    if (!arti_shape_of(x, b, &shape)) return false;
    if (!shape) return true;
    if (x->n_shapes >= ARTI_BRANCHES_MAX)
        return arti_fault(s, ART_E_LIMIT, NULL, 0, "", "more than %u alternatives for one value (ARTI_BRANCHES_MAX)",
                          ARTI_BRANCHES_MAX);
    if (!arti_vec_reserve(&s->mem, (void **)&x->shapes, &x->shapes_cap, x->n_shapes + 1, sizeof *x->shapes))
        return arti_fault_mem(s);
    x->shapes[x->n_shapes++] = shape;
    return true;
}

static bool expand(arti_expansion *x, const arti_conj_info *c) {
    arti_branch first = {0};
    for (uint32_t i = 0; i < c->n_lits; i++) {
        const arti_entry e = {.kind = ARTI_E_LIT, .lit = c->lits[i]};
        if (!arti_branch_add(x, &first, &e)) return false;
    }
    bool ok = step_branch(x, &first);
    while (ok && x->n_stack) {
        arti_branch b = x->stack[--x->n_stack];
        ok = step_branch(x, &b);
    }
    return ok;
}

/* A fault in the middle of a tableau has no place of its own: give it that of the first schema in the conjunction. */
void arti_conj_locate_fault(art_schema *s, const arti_conj_info *c) {
    if (s->fault.path[0] || s->fault.code == ART_E_NOMEM) return;
    for (uint32_t i = 0; i < c->n_lits; i++) {
        const arti_pos_info *p = &s->pos[ARTI_LIT_POS(c->lits[i])];
        if (!p->json) continue;
        art_error e = s->fault;
        s->fault.code = ART_OK;
        arti_fault(s, e.code, p->json, p->res, e.keyword, "%s", e.msg);
        return;
    }
}

bool arti_facet_expand(art_schema *s, arti_conj c, arti_type t) {
    arti_conj_info *info = s->norm->conj[c];
    arti_facet *f = &info->facet[t];
    if (f->is_expanded) return true;
    for (uint32_t i = 0; i < info->n_lits; i++)
        if (!arti_lit_admits(s, info->lits[i], t)) {
            if (arti_faulted(s)) return false;
            f->is_expanded = f->is_decided = true;
            return true;
        }
    arti_expansion x = {.s = s, .type = t, .n_scopes = 1};
    arti_arena_init(&x.arena, &s->mem);
    f->is_busy = true;
    bool ok = expand(&x, info) && !arti_faulted(s);
    f->is_busy = false;
    s->norm->n_steps += x.n_steps + 1;
    if (ok) {
        f->shapes = arti_schema_get(s, x.n_shapes * sizeof *f->shapes);
        ok = f->shapes != NULL;
        if (ok) {
            if (x.n_shapes) memcpy(f->shapes, x.shapes, x.n_shapes * sizeof *f->shapes);
            f->n_shapes = f->n_all = (uint32_t)x.n_shapes;
            f->is_expanded = true;
        }
    }
    if (!ok) arti_conj_locate_fault(s, info);
    arti_arena_free(&x.arena);
    arti_free(&s->mem, x.scopes, x.scopes_cap * sizeof *x.scopes);
    arti_free(&s->mem, x.stack, x.stack_cap * sizeof *x.stack);
    arti_free(&s->mem, x.shapes, x.shapes_cap * sizeof *x.shapes);
    return ok;
}
