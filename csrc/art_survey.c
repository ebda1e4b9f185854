/* SPDX-License-Identifier: Apache-2.0
 *
 * art_schema_survey(): everything that a schema can lead to, looked at ahead.
 *
 * Purpose   for people who write schemas: which parts would be refused when an output gets there, which have no value, and what all of it
 *           costs. Outputs never need this: they expand what they meet.
 * Threads   takes the schema's lock.
 * Limits    ART_SURVEY_PARTS_MAX parts, ITEMS_MAX items of one array, and the schema's memory_max. */
#include "art_conflict.h"
#include "art_norm.h"

#define ITEMS_MAX 1024u

typedef struct survey {
    art_schema *s;
    art_survey *out;
    art_error *findings;
    size_t cap, n;
    arti_conj *todo;
    size_t n_todo, todo_cap, next;
    uint8_t *seen; /* by conjunction */
    size_t seen_cap;
} survey;

/* Takes the fault up as a finding, unless the same was found before. false: out of memory, which stays a fault. */
static bool found(survey *v) {
    art_schema *s = v->s;
    if (s->fault.code == ART_OK) return true;
    if (s->fault.code == ART_E_NOMEM) return false;
    art_error e;
    arti_fault_take(s, &e);
    for (size_t i = 0; i < v->n && i < v->cap; i++)
        if (strcmp(v->findings[i].path, e.path) == 0 && strcmp(v->findings[i].msg, e.msg) == 0) return true;
    if (v->n < v->cap) v->findings[v->n] = e;
    v->n++;
    return true;
}

/* One more part to look at; a fault, if that is what c stands for, is taken up. */
static bool meet(survey *v, arti_conj c) {
    art_schema *s = v->s;
    if (c == ARTI_CONJ_FAIL || arti_faulted(s)) return found(v);
    const size_t known = v->seen_cap;
    if (!arti_vec_reserve(&s->mem, (void **)&v->seen, &v->seen_cap, s->norm->n_conj, 1)) return arti_fault_mem(s);
    memset(v->seen + known, 0, v->seen_cap - known);
    if (c == ARTI_CONJ_NEVER || v->seen[c]) return true;
    if (v->n_todo == ART_SURVEY_PARTS_MAX) {
        v->out->is_complete = 0;
        return true;
    }
    v->seen[c] = 1;
    if (!arti_vec_reserve(&s->mem, (void **)&v->todo, &v->todo_cap, v->n_todo + 1, sizeof *v->todo))
        return arti_fault_mem(s);
    v->todo[v->n_todo++] = c;
    return true;
}

static bool look_into(survey *v, arti_shape *sh) {
    art_schema *s = v->s;
    v->out->n_alternatives++;
    if (sh->type == ARTI_T_STRING && sh->text.term != ARTI_RE_ANY && !sh->text.set) {
        if (arti_re_start(s->re, sh->text.term) == ARTI_RE_FAIL) arti_fault_re(s, NULL, 0, "pattern");
        return found(v);
    }
    if (sh->type == ARTI_T_ARRAY) {
        const uint32_t n = sh->array.n_prefix < ITEMS_MAX ? sh->array.n_prefix : ITEMS_MAX;
        if (n < sh->array.n_prefix) v->out->is_complete = 0;
        for (uint32_t i = 0; i <= n; i++)
            if (!meet(v, arti_array_item_conj(s, &sh->array, i))) return false;
        return true;
    }
    if (sh->type != ARTI_T_OBJECT) return true;
    arti_object_shape *o = &sh->object;
    for (uint32_t i = 0; i < o->n_names; i++)
        if (!meet(v, arti_object_name_conj(s, o, i))) return false;
    if (!arti_object_know_extra(s, o)) return found(v);
    if (o->extra == ARTI_RE_NONE) return true;
    const arti_class_list *classes = arti_object_classes(s, o);
    if (!classes) return found(v);
    for (uint32_t i = 0; i < classes->n; i++)
        if (!meet(v, classes->at[i]->conj)) return false;
    return true;
}

/* Everything that values of the schema are made of. */
static bool walk(survey *v) {
    art_schema *s = v->s;
    arti_lit root = s->root;
    bool ok = meet(v, arti_conj_of(s, &root, 1));
    while (ok && v->next < v->n_todo) {
        const arti_conj c = v->todo[v->next++];
        for (int t = 0; ok && t < ARTI_N_TYPES; t++) {
            if (!arti_facet_decide(s, c, (arti_type)t)) {
                ok = found(v);
                continue;
            }
            const arti_facet *f = &arti_conj_get(s, c)->facet[t];
            for (uint32_t k = 0; ok && k < f->n_shapes; k++) ok = look_into(v, f->shapes[k]);
        }
    }
    v->out->n_parts = v->n_todo;
    return ok;
}

/* Schema objects that no value fits, each with the keywords that can not hold together. */
static bool find_empty(survey *v) {
    art_schema *s = v->s;
    const arti_lit root = s->root;
    const arti_json *root_json = s->root_json;
    const uint32_t root_res = s->root_res;
    const arti_conflict *conflict = s->conflict;
    const size_t n_pos = s->n_pos;
    bool ok = true;
    for (arti_pos p = 1; ok && p < n_pos; p++) {
        if (s->pos[p].kind != ARTI_POS_SCHEMA) continue;
        v->out->n_places++;
        arti_lit lit = p * 2;
        const arti_conj c = arti_conj_of(s, &lit, 1);
        if (c == ARTI_CONJ_FAIL || arti_conj_len(s, c) != ARTI_LEN_NONE || arti_faulted(s) || lit == root) {
            ok = found(v);
            continue;
        }
        s->root = lit;
        s->root_json = s->pos[p].json;
        s->root_res = s->pos[p].res;
        s->conflict = NULL;
        arti_conflict_fault(s);
        s->root = root;
        s->root_json = root_json;
        s->root_res = root_res;
        s->conflict = conflict;
        ok = found(v);
    }
    return ok;
}

art_status art_schema_survey(art_schema *s, art_survey *out, art_error *findings, size_t cap, size_t *n_findings,
                             art_error *err) {
    *out = (art_survey){.draft = s->res[s->root_res].draft, .is_complete = 1};
    pthread_mutex_lock(&s->lock);
    survey v = {.s = s, .out = out, .findings = findings, .cap = cap};
    if (walk(&v)) find_empty(&v);
    arti_re_stats stats;
    arti_re_get_stats(s->re, &stats);
    out->n_states = stats.n_states;
    arti_free(&s->mem, v.todo, v.todo_cap * sizeof *v.todo);
    arti_free(&s->mem, v.seen, v.seen_cap);
    out->memory = s->mem.used;
    const art_status st = arti_fault_take(s, err);
    pthread_mutex_unlock(&s->lock);
    *n_findings = v.n;
    return st;
}
