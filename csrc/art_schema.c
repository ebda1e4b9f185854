/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents, identifiers, references and the public art_schema_* life cycle. What the keywords of one object mean is read in
 * art_keywords.c. */
#include "art_schema.h"

#include "art_conflict.h"
#include "art_keywords.h"
#include "art_metaschema.h"
#include "art_norm.h"
#include "art_uri.h"

#include <stdarg.h>
#include <stdio.h>

#define FRAGMENT_BYTES_MAX 4096u
#define RESOURCES_MAX 4096u
#define SCOPES_MAX 8192u /* different sequences of resources with dynamic anchors that lead to a place */
#define NO_RES UINT32_MAX

/* ------------------------------------------------------------------ faults and memory */

bool arti_fault(art_schema *s, art_status code, const arti_json *json, uint32_t res, const char *keyword,
                const char *fmt, ...) {
    if (s->fault.code != ART_OK) return false;
    char msg[sizeof s->fault.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    arti_fail(&s->fault, code, 0, "%s", msg);
    if (!json || res >= s->n_res) {
        arti_fail_at(&s->fault, "", 0, keyword);
        if (s->n_res) s->fault.draft = s->res[s->root_res].draft;
        return false;
    }
    s->fault.draft = s->res[res].draft;
    arti_mem spare; /* the message must not depend on the budget */
    arti_mem_init(&spare, &s->mem.alloc, 0);
    arti_ptr ptr = {.mem = &spare};
    if (arti_ptr_locate(s->docs[s->res[res].doc].root, json->pos, &ptr))
        arti_fail_at(&s->fault, ptr.text ? ptr.text : "", ptr.len, keyword);
    else
        arti_fail_at(&s->fault, "", 0, keyword);
    arti_ptr_free(&ptr);
    return false;
}

bool arti_fault_mem(art_schema *s) {
    if (s->fault.code == ART_OK) {
        art_error e;
        arti_mem_fail(&s->mem, &e);
        s->fault = e;
    }
    return false;
}

bool arti_fault_re(art_schema *s, const arti_json *json, uint32_t res, const char *keyword) {
    art_error e = {0};
    const art_status code = arti_re_error(s->re, &e);
    if (s->fault.code != ART_OK) return false;
    arti_fault(s, code, json, res, keyword, "%s", e.msg);
    s->fault.pos = e.pos;
    return false;
}

art_status arti_fault_take(art_schema *s, art_error *err) {
    const art_status code = s->fault.code;
    if (err && code != ART_OK) *err = s->fault;
    s->fault.code = ART_OK;
    return code;
}

void *arti_schema_get(art_schema *s, size_t size) {
    void *p = arti_arena_get(&s->arena, size ? size : 1);
    if (!p) arti_fault_mem(s);
    return p;
}

void *arti_schema_zero(art_schema *s, size_t size) {
    void *p = arti_schema_get(s, size);
    if (p) memset(p, 0, size);
    return p;
}

static bool reserve(art_schema *s, void *vec, size_t *cap, size_t need, size_t item) {
    return arti_vec_reserve(&s->mem, vec, cap, need, item) || arti_fault_mem(s);
}

/* ------------------------------------------------------------------ positions */

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

static uint64_t pos_hash(const arti_pos_info *p) {
    uint64_t h = mix(p->kind, ((uint64_t)p->res << 32) | p->scope);
    h = mix(h, p->json ? p->json->hash : 0);
    for (uint32_t i = 0; i < p->n_lits; i++) h = mix(h, p->lits[i]);
    return h;
}

/* Schemas that are spelled alike in one resource mean the same, and so do equal constants. */
static bool same_json(const art_schema *s, const arti_pos_info *a, const arti_pos_info *b) {
    if (a->json == b->json) return true;
    if (!a->json || !b->json || a->json->hash != b->json->hash) return false;
    if (a->kind == ARTI_POS_CONST) return arti_json_equal(a->json, b->json);
    const arti_doc *d = &s->docs[s->res[a->res].doc];
    if (s->without) return false; /* what is left out is a matter of one place */
    const uint32_t len = a->json->end - a->json->pos;
    return len == b->json->end - b->json->pos && memcmp(d->text + a->json->pos, d->text + b->json->pos, len) == 0;
}

static bool pos_equal(const art_schema *s, const arti_pos_info *a, const arti_pos_info *b) {
    return a->kind == b->kind && a->res == b->res && a->scope == b->scope && same_json(s, a, b) &&
           a->n_lits == b->n_lits && (a->n_lits == 0 || memcmp(a->lits, b->lits, a->n_lits * sizeof *a->lits) == 0);
}

static bool pos_map_grow(art_schema *s) {
    const size_t size = s->pos_map_size ? s->pos_map_size * 2 : 256;
    uint32_t *map = arti_calloc(&s->mem, size * sizeof *map);
    if (!map) return arti_fault_mem(s);
    for (size_t i = 1; i < s->n_pos; i++) {
        size_t j = (size_t)pos_hash(&s->pos[i]) & (size - 1);
        while (map[j]) j = (j + 1) & (size - 1);
        map[j] = (uint32_t)i;
    }
    arti_free(&s->mem, s->pos_map, s->pos_map_size * sizeof *map);
    s->pos_map = map;
    s->pos_map_size = size;
    return true;
}

/* The position equal to *key, added when new (its lits are copied then). 0 on a fault. */
static arti_pos pos_intern(art_schema *s, const arti_pos_info *key) {
    if (s->n_pos * 2 >= s->pos_map_size && !pos_map_grow(s)) return 0;
    size_t j = (size_t)pos_hash(key) & (s->pos_map_size - 1);
    for (; s->pos_map[j]; j = (j + 1) & (s->pos_map_size - 1))
        if (pos_equal(s, &s->pos[s->pos_map[j]], key)) return s->pos_map[j];
    if (!reserve(s, (void **)&s->pos, &s->pos_cap, s->n_pos + 1, sizeof *s->pos)) return 0;
    arti_pos_info p = *key;
    if (p.n_lits) {
        arti_lit *lits = arti_schema_get(s, p.n_lits * sizeof *lits);
        if (!lits) return 0;
        memcpy(lits, p.lits, p.n_lits * sizeof *lits);
        p.lits = lits;
    }
    s->pos[s->n_pos] = p;
    s->pos_map[j] = (uint32_t)s->n_pos;
    return (arti_pos)s->n_pos++;
}

arti_lit arti_lit_const(art_schema *s, const arti_json *json, uint32_t res) {
    const arti_pos_info key = {.kind = ARTI_POS_CONST, .json = json, .res = res};
    const arti_pos p = pos_intern(s, &key);
    return p ? p * 2 : ARTI_LIT_FAIL;
}

/* Sorts, removes duplicates and the neutral literal; *absorbed when the whole is the absorbing one. */
static uint32_t simplify(arti_lit *lits, uint32_t n, arti_lit neutral, bool *absorbed) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0 && lits[j - 1] > lits[j]; j--) {
            const arti_lit t = lits[j];
            lits[j] = lits[j - 1];
            lits[j - 1] = t;
        }
    uint32_t w = 0;
    *absorbed = false;
    for (uint32_t i = 0; i < n; i++) {
        if (lits[i] == neutral || (w && lits[w - 1] == lits[i])) continue;
        if (lits[i] == ARTI_LIT_NOT(neutral) || (w && lits[w - 1] == ARTI_LIT_NOT(lits[i]))) *absorbed = true;
        lits[w++] = lits[i];
    }
    return w;
}

static arti_lit lit_nary(art_schema *s, arti_lit *lits, uint32_t n, arti_pos_kind kind, arti_lit neutral) {
    for (uint32_t i = 0; i < n; i++)
        if (lits[i] == ARTI_LIT_FAIL) return ARTI_LIT_FAIL;
    bool absorbed;
    n = simplify(lits, n, neutral, &absorbed);
    if (absorbed) return ARTI_LIT_NOT(neutral);
    if (n == 0) return neutral;
    if (n == 1) return lits[0];
    const arti_pos_info key = {.kind = (uint8_t)kind, .lits = lits, .n_lits = n};
    const arti_pos p = pos_intern(s, &key);
    return p ? p * 2 : ARTI_LIT_FAIL;
}

arti_lit arti_lit_or(art_schema *s, arti_lit *lits, uint32_t n) {
    return lit_nary(s, lits, n, ARTI_POS_OR, ARTI_LIT_FALSE);
}

arti_lit arti_lit_and(art_schema *s, arti_lit *lits, uint32_t n) {
    return lit_nary(s, lits, n, ARTI_POS_AND, ARTI_LIT_TRUE);
}

uint32_t arti_members_find(const arti_members *g, const char *key, uint32_t len) {
    uint32_t lo = 0, hi = g->n_props;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2, i = g->sorted[mid];
        const int c = arti_key_cmp(g->props[i].key.ptr, g->props[i].key.len, key, len);
        if (c == 0) return i;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

bool arti_members_sort(art_schema *s, arti_members *g) {
    uint32_t *sorted = arti_schema_get(s, (size_t)g->n_props * 2 * sizeof *sorted);
    if (!sorted) return false;
    uint32_t *from = sorted, *to = sorted + g->n_props;
    for (uint32_t i = 0; i < g->n_props; i++) from[i] = i;
    for (uint32_t run = 1; run < g->n_props; run *= 2) { /* merge sort, bottom up */
        for (uint32_t lo = 0; lo < g->n_props; lo += 2 * run) {
            const uint32_t mid = lo + run < g->n_props ? lo + run : g->n_props;
            const uint32_t hi = mid + run < g->n_props ? mid + run : g->n_props;
            uint32_t a = lo, b = mid;
            for (uint32_t w = lo; w < hi; w++) {
                bool left = b >= hi;
                if (!left && a < mid) {
                    const arti_key *x = &g->props[from[a]].key, *y = &g->props[from[b]].key;
                    left = arti_key_cmp(x->ptr, x->len, y->ptr, y->len) <= 0;
                }
                to[w] = left ? from[a++] : from[b++];
            }
        }
        uint32_t *t = from;
        from = to;
        to = t;
    }
    g->sorted = from;
    return true;
}

const arti_members *arti_pos_const_group(art_schema *s, arti_pos p) {
    if (s->pos[p].group) return s->pos[p].group;
    const arti_json *json = s->pos[p].json;
    const uint32_t res = s->pos[p].res;
    arti_members *g = arti_schema_zero(s, sizeof *g);
    arti_prop *props = arti_schema_get(s, json->n * sizeof *props);
    if (!g || !props) return NULL;
    for (uint32_t i = 0; i < json->n; i++) {
        const arti_json_member *m = &json->members[i];
        props[i] = (arti_prop){{.ptr = m->key, .len = m->key_len}, arti_lit_const(s, &m->value, res)};
        if (props[i].lit == ARTI_LIT_FAIL) return NULL;
    }
    g->props = props;
    g->n_props = json->n;
    g->rest = ARTI_LIT_FALSE;
    g->has_rest = true;
    if (!arti_members_sort(s, g)) return NULL;
    s->pos[p].group = g;
    return g;
}

/* ------------------------------------------------------------------ dynamic scope */

static uint32_t scope_push(art_schema *s, uint32_t scope, uint32_t res) {
    if (!s->res[res].has_dynamic) return scope;
    for (uint32_t i = scope; i; i = s->scopes[i][0])
        if (s->scopes[i][1] == res) return scope;
    for (size_t i = 1; i < s->n_scopes; i++)
        if (s->scopes[i][0] == scope && s->scopes[i][1] == res) return (uint32_t)i;
    if (s->n_scopes == SCOPES_MAX) {
        arti_fault(s, ART_E_LIMIT, s->res[res].root, res, "$dynamicAnchor", "more than %u dynamic scopes", SCOPES_MAX);
        return UINT32_MAX;
    }
    if (!reserve(s, (void **)&s->scopes, &s->scopes_cap, s->n_scopes + 1, sizeof *s->scopes)) return UINT32_MAX;
    s->scopes[s->n_scopes][0] = scope;
    s->scopes[s->n_scopes][1] = res;
    return (uint32_t)s->n_scopes++;
}

/* ------------------------------------------------------------------ resources */

static bool key_is(const arti_json_member *m, const char *name) {
    const size_t n = strlen(name);
    return m->key_len == n && memcmp(m->key, name, n) == 0;
}

static uint32_t res_find(const art_schema *s, const char *uri, size_t len) {
    for (size_t i = 0; i < s->n_res; i++)
        if (s->res[i].uri_len == len && memcmp(s->res[i].uri, uri, len) == 0) return (uint32_t)i;
    return NO_RES;
}

static uint32_t id_find(const art_schema *s, const arti_json *json) {
    for (size_t i = 0; i < s->n_ids; i++)
        if (s->ids[i].json == json) return s->ids[i].res;
    return NO_RES;
}

/* The resource that begins at an object below a root; only an object with an identifier can begin one. */
static uint32_t id_find_below(const art_schema *s, const arti_json *json) {
    if (json->type != ARTI_JSON_OBJECT || s->n_ids <= s->n_docs) return NO_RES;
    if (!arti_json_get(json, "$id", 3) && !arti_json_get(json, "id", 2)) return NO_RES;
    return id_find(s, json);
}

static uint32_t res_add(art_schema *s, const char *uri, size_t len, uint32_t doc, const arti_json *root,
                        uint32_t draft) {
    if (s->n_res >= RESOURCES_MAX) {
        arti_fault(s, ART_E_LIMIT, root, 0, "$id", "more than %u schema resources", RESOURCES_MAX);
        return NO_RES;
    }
    if (!reserve(s, (void **)&s->res, &s->res_cap, s->n_res + 1, sizeof *s->res) ||
        !reserve(s, (void **)&s->ids, &s->ids_cap, s->n_ids + 1, sizeof *s->ids))
        return NO_RES;
    char *copy = arti_schema_get(s, len);
    if (!copy) return NO_RES;
    memcpy(copy, uri, len);
    s->res[s->n_res] = (arti_res){.uri = copy, .uri_len = (uint32_t)len, .doc = doc, .root = root, .draft = draft};
    s->ids[s->n_ids++] = (struct arti_id_map){root, (uint32_t)s->n_res};
    return (uint32_t)s->n_res++;
}

static bool anchor_add(art_schema *s, uint32_t res, const char *name, uint32_t len, bool dynamic,
                       const arti_json *json) {
    arti_res *r = &s->res[res];
    if (!reserve(s, (void **)&r->anchors, &r->anchors_cap, r->n_anchors + 1, sizeof *r->anchors)) return false;
    r->anchors[r->n_anchors++] = (arti_anchor){name, len, dynamic, json};
    r->has_dynamic |= dynamic;
    return true;
}

static uint32_t registry_find(const art_schema *s, const char *uri, size_t len) {
    for (size_t i = 0; i < s->n_registry; i++) {
        size_t n = s->registry[i].uri_len;
        if (n && s->registry[i].uri[n - 1] == '#') n--;
        if (n == len && memcmp(s->registry[i].uri, uri, len) == 0) return (uint32_t)i;
    }
    return UINT32_MAX;
}

static bool contains(const char *text, size_t len, const char *what) {
    const size_t n = strlen(what);
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, what, n) == 0) return true;
    return false;
}

/* Reads "$schema" at a resource's root: *draft and *no_validation are changed when it says so. */
static bool read_dialect(art_schema *s, const arti_json *root, uint32_t res, uint32_t *draft, bool *no_validation) {
    const arti_json *v = arti_json_get(root, "$schema", 7);
    if (!v || v->type != ARTI_JSON_STRING) return true;
    static const struct {
        const char *mark;
        uint32_t draft;
    } marks[] = {{"draft-04/", 4}, {"draft-06/", 6}, {"draft-07/", 7}, {"2019-09/", 2019}, {"2020-12/", 2020}};
    if (contains(v->str, v->n, "json-schema.org/")) {
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
            if (contains(v->str, v->n, marks[i].mark)) {
                *draft = marks[i].draft;
                return true;
            }
        for (int old = '1'; old <= '3'; old++) {
            const char mark[] = {'d', 'r', 'a', 'f', 't', '-', '0', (char)old, 0};
            if (contains(v->str, v->n, mark))
                return arti_fault(s, ART_E_UNSUPPORTED, v, res, "$schema", "draft %c is not supported", old);
        }
    }
    size_t len = v->n;
    if (len && v->str[len - 1] == '#') len--;
    const uint32_t meta = registry_find(s, v->str, len);
    if (meta == UINT32_MAX) return true;
    const arti_json *doc;
    if (arti_json_parse(&s->arena, &s->mem, s->registry[meta].json, s->registry[meta].json_len, ART_SCHEMA_DEPTH_MAX,
                        &doc, NULL) != ART_OK)
        return arti_fault(s, ART_E_SYNTAX, v, res, "$schema", "the meta-schema in the registry is not JSON");
    const arti_json *vocabs = arti_json_get(doc, "$vocabulary", 11);
    if (vocabs && vocabs->type == ARTI_JSON_OBJECT) {
        bool has = false;
        for (uint32_t i = 0; i < vocabs->n; i++)
            has |= contains(vocabs->members[i].key, vocabs->members[i].key_len, "/vocab/validation");
        *no_validation = !has;
        *draft = 2020;
        const arti_json *base = arti_json_get(doc, "$schema", 7);
        if (base && base->type == ARTI_JSON_STRING && contains(base->str, base->n, "2019-09/")) *draft = 2019;
    }
    return true;
}

/* Takes up the identifiers of one schema object; *res becomes its own resource when it begins one. */
static bool index_object(art_schema *s, const arti_json *obj, uint32_t *res) {
    const uint32_t draft = s->res[*res].draft;
    const char *id_name = draft == 4 ? "id" : "$id";
    const arti_json *id = arti_json_get(obj, id_name, strlen(id_name));
    const bool has_ref = draft <= 7 && arti_json_get(obj, "$ref", 4);
    if (id && id->type == ARTI_JSON_STRING && id->n && !has_ref) {
        const arti_res base = s->res[*res];
        if (id->str[0] == '#') {
            if (draft <= 7 && !anchor_add(s, *res, id->str + 1, id->n - 1, false, obj)) return false;
        } else {
            size_t fragment;
            char *uri = arti_schema_get(s, (size_t)base.uri_len + id->n + 2);
            if (!uri) return false;
            const size_t len = arti_uri_resolve(uri, base.uri, base.uri_len, id->str, id->n, &fragment);
            uint32_t d = draft;
            bool no_validation = base.no_validation;
            if (obj != base.root) {
                if (!read_dialect(s, obj, *res, &d, &no_validation)) return false;
                *res = res_add(s, uri, len, base.doc, obj, d);
                if (*res == NO_RES) return false;
                s->res[*res].no_validation = no_validation;
            } else if (len != base.uri_len || memcmp(uri, base.uri, len) != 0) {
                /* The root keeps answering to the address it was found at, and to the name it gives itself. */
                const uint32_t own = res_add(s, uri, len, base.doc, obj, draft);
                if (own == NO_RES) return false;
                s->res[own].no_validation = no_validation;
                *res = own;
                for (size_t i = 0; i < s->n_ids; i++)
                    if (s->ids[i].json == obj) s->ids[i].res = own;
            }
            if (draft <= 7 && fragment < id->n &&
                !anchor_add(s, *res, id->str + fragment, id->n - (uint32_t)fragment, false, obj))
                return false;
        }
    }
    if (draft >= 2019) {
        for (uint32_t i = 0; i < obj->n; i++) {
            const arti_json_member *m = &obj->members[i];
            if (m->key_len < 7 || m->key[0] != '$') continue;
            if (m->value.type == ARTI_JSON_STRING &&
                (key_is(m, "$anchor") || (draft == 2020 && key_is(m, "$dynamicAnchor")))) {
                if (!anchor_add(s, *res, m->value.str, m->value.n, m->key[1] == 'd', obj)) return false;
            } else if (draft == 2019 && key_is(m, "$recursiveAnchor") && m->value.type == ARTI_JSON_BOOL &&
                       m->value.boolean && obj == s->res[*res].root) {
                s->res[*res].recursive = s->res[*res].has_dynamic = true;
            }
        }
    }
    return true;
}

static bool anchor_less(const arti_anchor *a, const arti_anchor *b) {
    const int c = arti_key_cmp(a->name, a->len, b->name, b->len);
    return c ? c < 0 : a->json->pos < b->json->pos;
}

static void sort_anchors(arti_anchor *p, size_t n) { /* heap sort: n may come from the schema */
    for (size_t start = n / 2, end = n; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            const arti_anchor t = p[end];
            p[end] = p[0];
            p[0] = t;
        }
        size_t root = start;
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && anchor_less(&p[child], &p[child + 1])) child++;
            if (!anchor_less(&p[root], &p[child])) break;
            const arti_anchor t = p[root];
            p[root] = p[child];
            p[child] = t;
        }
    }
}

typedef struct index_item {
    const arti_json *json;
    uint32_t res;
} index_item;

static bool index_push(art_schema *s, index_item **stack, size_t *n, size_t *cap, const arti_json *json, uint32_t res) {
    if (json->type != ARTI_JSON_OBJECT && json->type != ARTI_JSON_ARRAY) return true;
    if (!reserve(s, (void **)stack, cap, *n + 1, sizeof **stack)) return false;
    (*stack)[(*n)++] = (index_item){json, res};
    return true;
}

/* Walks all places of a document where a schema can stand. */
static bool index_document(art_schema *s, const arti_json *root, uint32_t res) {
    index_item *stack = NULL;
    size_t n = 0, cap = 0;
    bool ok = index_push(s, &stack, &n, &cap, root, res);
    while (ok && n) {
        index_item it = stack[--n];
        if (it.json->type == ARTI_JSON_ARRAY) {
            for (uint32_t i = 0; ok && i < it.json->n; i++)
                ok = index_push(s, &stack, &n, &cap, &it.json->items[i], it.res);
            continue;
        }
        ok = index_object(s, it.json, &it.res);
        for (uint32_t i = 0; ok && i < it.json->n; i++) {
            const arti_json_member *m = &it.json->members[i];
            switch (arti_keyword_holds(m->key, m->key_len)) {
            case ARTI_HOLDS_SCHEMA: ok = index_push(s, &stack, &n, &cap, &m->value, it.res); break;
            case ARTI_HOLDS_MAP:
                if (m->value.type == ARTI_JSON_OBJECT)
                    for (uint32_t j = 0; ok && j < m->value.n; j++)
                        if (m->value.members[j].value.type == ARTI_JSON_OBJECT)
                            ok = index_push(s, &stack, &n, &cap, &m->value.members[j].value, it.res);
                break;
            default: break;
            }
        }
    }
    arti_free(&s->mem, stack, cap * sizeof *stack);
    return ok;
}

/* Parses a document and makes its resources. Returns the root's resource or NO_RES (fault set). */
static uint32_t load(art_schema *s, const char *uri, size_t uri_len, const char *json, size_t len) {
    const arti_json *root;
    art_error e;
    if (arti_json_parse(&s->arena, &s->mem, json, len, ART_SCHEMA_DEPTH_MAX, &root, &e) != ART_OK) {
        if (s->fault.code == ART_OK) s->fault = e;
        return NO_RES;
    }
    if (!reserve(s, (void **)&s->docs, &s->docs_cap, s->n_docs + 1, sizeof *s->docs)) return NO_RES;
    s->docs[s->n_docs] = (arti_doc){root, json};
    const uint32_t res = res_add(s, uri, uri_len, (uint32_t)s->n_docs++, root, s->default_draft);
    if (res == NO_RES) return NO_RES;
    uint32_t draft = s->default_draft;
    bool no_validation = false;
    if (root->type == ARTI_JSON_OBJECT && !read_dialect(s, root, res, &draft, &no_validation)) return NO_RES;
    s->res[res].draft = draft;
    s->res[res].no_validation = no_validation;
    if (!index_document(s, root, res)) return NO_RES;
    for (size_t i = res; i < s->n_res; i++) sort_anchors(s->res[i].anchors, s->res[i].n_anchors);
    const uint32_t own = id_find(s, root);
    if (own != res) { /* anchors and dynamic flags were put on the name it gives itself */
        s->res[res].has_dynamic = s->res[own].has_dynamic;
        s->res[res].recursive = s->res[own].recursive;
    }
    return own;
}

/* ------------------------------------------------------------------ literals of sub-schemas and references */

static arti_lit lit_at(art_schema *s, const arti_json *json, uint32_t res, uint32_t scope) {
    if (json->type == ARTI_JSON_BOOL)
        return json->boolean || arti_is_left_out(s, res, json) ? ARTI_LIT_TRUE : ARTI_LIT_FALSE;
    if (json->type != ARTI_JSON_OBJECT) {
        arti_fault(s, ART_E_SCHEMA, json, res, "", "a schema must be an object or a boolean");
        return ARTI_LIT_FAIL;
    }
    if (json->n == 0) return ARTI_LIT_TRUE;
    scope = scope_push(s, scope, res);
    if (scope == UINT32_MAX) return ARTI_LIT_FAIL;
    const arti_pos_info key = {.kind = ARTI_POS_SCHEMA, .json = json, .res = res, .scope = scope};
    const arti_pos p = pos_intern(s, &key);
    return p ? p * 2 : ARTI_LIT_FAIL;
}

arti_lit arti_lit_sub(art_schema *s, const arti_json *json, const arti_pos_info *parent) {
    const uint32_t own = id_find_below(s, json);
    return lit_at(s, json, own == NO_RES ? parent->res : own, parent->scope);
}

typedef struct target {
    const arti_json *json;
    uint32_t res;
    const arti_anchor *anchor;
} target;

/* The first anchor of a name in a resource. */
static const arti_anchor *anchor_find(const art_schema *s, uint32_t res, const char *name, size_t len) {
    const arti_res *r = &s->res[res];
    size_t lo = 0, hi = r->n_anchors;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (arti_key_cmp(r->anchors[mid].name, r->anchors[mid].len, name, (uint32_t)len) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == r->n_anchors) return NULL;
    const arti_anchor *a = &r->anchors[lo];
    return a->len == len && memcmp(a->name, name, len) == 0 ? a : NULL;
}

/* Walks a pointer from the root of a resource, taking up the resources that begin on the way. */
static bool walk_pointer(art_schema *s, const char *ptr, size_t len, target *t) {
    char buf[FRAGMENT_BYTES_MAX];
    const arti_json *v = t->json;
    for (size_t pos = 0; pos < len;) {
        const size_t n = arti_ptr_token(ptr, len, &pos, buf);
        if (n == SIZE_MAX) return false;
        if (v->type == ARTI_JSON_OBJECT) {
            v = arti_json_get(v, buf, n);
        } else if (v->type == ARTI_JSON_ARRAY) {
            uint32_t index = 0;
            if (n == 0 || n > 9 || (n > 1 && buf[0] == '0')) return false;
            for (size_t i = 0; i < n; i++) {
                if (buf[i] < '0' || buf[i] > '9') return false;
                index = index * 10 + (uint32_t)(buf[i] - '0');
            }
            v = index < v->n ? &v->items[index] : NULL;
        } else {
            return false;
        }
        if (!v) return false;
        const uint32_t own = id_find_below(s, v);
        if (own != NO_RES) t->res = own;
    }
    t->json = v;
    return true;
}

/* The resource a URI names, loaded from the registry or the meta-schemas when it is not known yet. NO_RES without a fault: nothing
 * there. */
static uint32_t res_by_uri(art_schema *s, const char *uri, size_t len) {
    uint32_t res = res_find(s, uri, len);
    if (res == NO_RES) {
        const uint32_t i = registry_find(s, uri, len);
        if (i == UINT32_MAX) {
            size_t json_len;
            const char *json = arti_metaschema_find(uri, len, &json_len);
            return json ? load(s, uri, len, json, json_len) : NO_RES;
        }
        if (s->registry_res[i] == NO_RES) {
            /* Keep the address it was found at, without an empty fragment. */
            s->registry_res[i] = load(s, uri, len, s->registry[i].json, s->registry[i].json_len);
            if (s->registry_res[i] == NO_RES) return NO_RES;
        }
        return s->registry_res[i];
    }
    const uint32_t own = id_find(s, s->res[res].root);
    return own == NO_RES ? res : own;
}

static bool resolve(art_schema *s, const arti_json *ref, const arti_pos_info *from, const char *keyword, target *t) {
    const uint32_t base_len = s->res[from->res].uri_len;
    if (ref->n > FRAGMENT_BYTES_MAX / 2)
        return arti_fault(s, ART_E_LIMIT, ref, from->res, keyword, "reference longer than %u bytes",
                          FRAGMENT_BYTES_MAX / 2);
    char *uri = arti_schema_get(s, (size_t)base_len + ref->n + 2);
    if (!uri) return false;
    size_t fragment;
    const size_t len = arti_uri_resolve(uri, s->res[from->res].uri, base_len, ref->str, ref->n, &fragment);
    *t = (target){.res = from->res};
    if (fragment != 1 || ref->n == 0 || ref->str[0] != '#') {
        t->res = res_by_uri(s, uri, len);
        if (t->res == NO_RES)
            return arti_fault(s, ART_E_REF, ref, from->res, keyword,
                              "nothing is known at \"%.*s\"; add it to the registry", (int)len, uri);
    }
    t->json = s->res[t->res].root;
    char buf[FRAGMENT_BYTES_MAX];
    const size_t n = arti_uri_unescape(buf, ref->str + fragment, ref->n - fragment);
    bool found = true;
    if (n && buf[0] == '/') {
        found = walk_pointer(s, buf, n, t);
        if (!found && !arti_faulted(s)) { /* an embedded resource's pointer may be meant from its document's root */
            t->json = s->docs[s->res[t->res].doc].root;
            if (t->json != s->res[t->res].root && s->res[t->res].draft <= 7) found = walk_pointer(s, buf, n, t);
        }
    } else if (n) {
        t->anchor = anchor_find(s, t->res, buf, n);
        found = t->anchor != NULL;
        if (found) t->json = t->anchor->json;
    }
    return found || arti_fault(s, ART_E_REF, ref, from->res, keyword, "\"%.*s\" leads nowhere", (int)ref->n, ref->str);
}

arti_lit arti_lit_ref(art_schema *s, const arti_json *ref, const arti_pos_info *from, arti_ref_kind kind) {
    static const char *const names[] = {"$ref", "$dynamicRef", "$recursiveRef"};
    target t;
    if (ref->type != ARTI_JSON_STRING) {
        arti_fault(s, ART_E_SCHEMA, ref, from->res, names[kind], "%s must be a string", names[kind]);
        return ARTI_LIT_FAIL;
    }
    if (!resolve(s, ref, from, names[kind], &t)) return ARTI_LIT_FAIL;
    const bool bend = kind == ARTI_REF_DYNAMIC ? t.anchor && t.anchor->dynamic
                                               : kind == ARTI_REF_RECURSIVE && s->res[t.res].recursive;
    if (bend) { /* the outermost resource in scope that has such an anchor */
        const arti_anchor *name = t.anchor;
        for (uint32_t i = from->scope; i; i = s->scopes[i][0]) {
            const uint32_t r = s->scopes[i][1];
            if (kind == ARTI_REF_RECURSIVE) {
                if (s->res[r].recursive) t.json = s->res[r].root, t.res = r;
            } else {
                const arti_anchor *a = anchor_find(s, r, name->name, name->len);
                if (a && a->dynamic) t.json = a->json, t.res = r;
            }
        }
    }
    return lit_at(s, t.json, t.res, from->scope);
}

/* ------------------------------------------------------------------ life cycle */

static void drop_reading(art_schema *s) {
    arti_norm_free(s);
    arti_free(&s->mem, s->pos, s->pos_cap * sizeof *s->pos);
    arti_free(&s->mem, s->pos_map, s->pos_map_size * sizeof *s->pos_map);
    arti_arena_free(&s->arena);
}

void art_schema_free(art_schema *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) return;
    arti_re_ctx_free(s->re);
    for (size_t i = 0; i < s->n_res; i++)
        arti_free(&s->mem, s->res[i].anchors, s->res[i].anchors_cap * sizeof *s->res[i].anchors);
    arti_free(&s->mem, s->docs, s->docs_cap * sizeof *s->docs);
    arti_free(&s->mem, s->res, s->res_cap * sizeof *s->res);
    arti_free(&s->mem, s->scopes, s->scopes_cap * sizeof *s->scopes);
    arti_free(&s->mem, s->ids, s->ids_cap * sizeof *s->ids);
    arti_free(&s->mem, s->terms, s->terms_cap * sizeof *s->terms);
    drop_reading(s);
    if (s->lock_made) pthread_mutex_destroy(&s->lock);
    arti_free(&s->mem, s, sizeof *s);
}

art_schema *arti_schema_ref(art_schema *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static char *copy_text(art_schema *s, const char *text, size_t len) {
    char *p = arti_schema_get(s, len);
    if (p && len) memcpy(p, text, len);
    return p;
}

static bool copy_registry(art_schema *s, const art_resource *from, size_t n) {
    s->registry = arti_schema_zero(s, n * sizeof *s->registry);
    s->registry_res = arti_schema_get(s, n * sizeof *s->registry_res);
    if (!s->registry || !s->registry_res) return false;
    s->n_registry = n;
    for (size_t i = 0; i < n; i++) {
        s->registry_res[i] = NO_RES;
        s->registry[i].uri_len = from[i].uri_len;
        s->registry[i].json_len = from[i].json_len;
        s->registry[i].uri = copy_text(s, from[i].uri, from[i].uri_len);
        s->registry[i].json = copy_text(s, from[i].json, from[i].json_len);
        if (!s->registry[i].uri || !s->registry[i].json) return false;
    }
    return true;
}

/* The i-th schema that a schema object applies to the same value; *keyword: by which keyword. ARTI_LIT_NONE: none there; *end: nor further on. */
static arti_lit in_place(const arti_kw *k, uint32_t i, const char **keyword, bool *end) {
    const struct {
        const char *keyword;
        const arti_lit *lits;
        uint32_t n;
    } lists[] = {{"$ref", &k->ref, 1},        {"$dynamicRef", &k->dynamic_ref, 1},
                 {"not", &k->not_, 1},        {"if", &k->if_, 1},
                 {"then", &k->then_, 1},      {"else", &k->else_, 1},
                 {"allOf", k->all, k->n_all}, {"anyOf", k->any, k->n_any},
                 {"oneOf", k->one, k->n_one}};
    for (size_t at = 0; at < sizeof lists / sizeof *lists; i -= lists[at++].n) {
        *keyword = lists[at].keyword;
        if (i < lists[at].n) return lists[at].lits[i];
    }
    *keyword = "dependentSchemas";
    *end = i >= k->n_deps;
    return *end ? ARTI_LIT_NONE : k->deps[i].schema;
}

typedef struct visit { /* of a schema object whose in-place schemas are looked at */
    arti_pos p;
    uint32_t next;
} visit;

/* A schema that leads back to itself without looking at a part of the value can not be answered: validators would not end, and what it means is
 * undefined (JSON Schema 2020-12, Core, 9.4.1). */
static bool check_loops(art_schema *s) {
    enum { NEW, OPEN, DONE };
    const size_t n = s->n_pos;
    uint8_t *state = arti_calloc(&s->mem, n);
    visit *stack = arti_calloc(&s->mem, n * sizeof *stack);
    bool ok = state && stack;
    if (!ok) arti_fault_mem(s);
    for (arti_pos root = 1; ok && root < n; root++) {
        size_t depth = 0;
        if (state[root] == NEW) stack[depth++] = (visit){root, 0};
        while (ok && depth) {
            visit *at = &stack[depth - 1];
            const arti_pos_info *info = &s->pos[at->p];
            const char *keyword;
            bool end = info->kind != ARTI_POS_SCHEMA;
            const arti_lit lit = end ? ARTI_LIT_NONE : in_place(info->kw, at->next++, &keyword, &end);
            state[at->p] = end ? DONE : OPEN;
            if (end) {
                depth--;
            } else if (lit != ARTI_LIT_NONE && state[ARTI_LIT_POS(lit)] == OPEN) {
                ok = arti_fault(s, ART_E_REF, info->json, info->res, keyword,
                                "the schema leads back to itself without looking at a part of the value");
            } else if (lit != ARTI_LIT_NONE && state[ARTI_LIT_POS(lit)] == NEW) {
                stack[depth++] = (visit){ARTI_LIT_POS(lit), 0};
            }
        }
    }
    if (stack) arti_free(&s->mem, stack, n * sizeof *stack);
    if (state) arti_free(&s->mem, state, n);
    return ok;
}

/* Reads the keywords of every position that can be reached, so that what is refused is refused now. */
static bool check_reachable(art_schema *s) {
    for (arti_pos p = 1; p < s->n_pos; p++) {
        if (s->pos[p].kind != ARTI_POS_SCHEMA) continue;
        if (!arti_pos_kw(s, p)) return false;
    }
    return check_loops(s);
}

/* Position 0, the root's, and an empty normal form. */
static bool read_root(art_schema *s) {
    if (!reserve(s, (void **)&s->pos, &s->pos_cap, 1, sizeof *s->pos)) return false;
    s->pos[0] = (arti_pos_info){.kind = ARTI_POS_ANY};
    s->n_pos = 1;
    s->root = lit_at(s, s->root_json, s->root_res, 0);
    return s->root != ARTI_LIT_FAIL && arti_norm_new(s);
}

bool arti_reading_begin(art_schema *s, arti_reading *saved) {
    *saved = (arti_reading){s->arena, s->pos, s->n_pos, s->pos_cap, s->pos_map, s->pos_map_size, s->root, s->norm};
    arti_arena_init(&s->arena, &s->mem);
    s->pos = NULL;
    s->pos_map = NULL;
    s->n_pos = s->pos_cap = s->pos_map_size = 0;
    s->norm = NULL;
    return read_root(s);
}

void arti_reading_end(art_schema *s, const arti_reading *saved) {
    drop_reading(s);
    s->arena = saved->arena;
    s->pos = saved->pos;
    s->n_pos = saved->n_pos;
    s->pos_cap = saved->pos_cap;
    s->pos_map = saved->pos_map;
    s->pos_map_size = saved->pos_map_size;
    s->root = saved->root;
    s->norm = saved->norm;
}

static bool build(art_schema *s, const char *json, size_t len, const art_schema_opts *o) {
    if (pthread_mutex_init(&s->lock, NULL) != 0) return arti_fault(s, ART_E_NOMEM, NULL, 0, "", "no lock");
    s->lock_made = true;
    arti_arena_init(&s->arena, &s->mem);
    s->default_draft = o->default_draft ? o->default_draft : 2020;
    s->formats = o->formats;
    if (!copy_registry(s, o->registry, o->n_registry)) return false;
    char *text = copy_text(s, json, len);
    if (!text || !reserve(s, (void **)&s->scopes, &s->scopes_cap, 1, sizeof *s->scopes)) return false;
    s->scopes[0][0] = s->scopes[0][1] = 0;
    s->n_scopes = 1;
    if (arti_re_ctx_new(&s->mem, &s->re, &s->fault) != ART_OK) return false;
    s->root_res = load(s, "", 0, text, len);
    if (s->root_res == NO_RES) return false;
    s->root_json = s->res[s->root_res].root;
    return read_root(s) && check_reachable(s);
}

art_status art_schema_compile(const char *json, size_t json_len, const art_schema_opts *opts, const art_alloc *alloc,
                              art_schema **out, art_error *err) {
    static const art_schema_opts defaults;
    const art_schema_opts *o = opts ? opts : &defaults;
    *out = NULL;
    const uint32_t d = o->default_draft;
    if (d != 0 && d != 4 && d != 6 && d != 7 && d != 2019 && d != 2020)
        return arti_fail(err, ART_E_ARG, 0, "default_draft must be 4, 6, 7, 2019 or 2020, not %u", d);
    if (json_len > ART_SCHEMA_BYTES_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "schema of %zu bytes (ART_SCHEMA_BYTES_MAX is %u)", json_len,
                         ART_SCHEMA_BYTES_MAX);
    for (size_t i = 0; i < o->n_registry; i++)
        if (o->registry[i].json_len > ART_SCHEMA_BYTES_MAX)
            return arti_fail(err, ART_E_LIMIT, 0, "registry entry %zu has %zu bytes (ART_SCHEMA_BYTES_MAX is %u)", i,
                             o->registry[i].json_len, ART_SCHEMA_BYTES_MAX);
    arti_mem mem;
    arti_mem_init(&mem, alloc, o->memory_max ? o->memory_max : ART_SCHEMA_MEMORY_DEFAULT);
    art_schema *s = arti_calloc(&mem, sizeof *s);
    if (!s) return arti_mem_fail(&mem, err);
    s->mem = mem;
    atomic_init(&s->refs, 1);
    if (!build(s, json, json_len, o)) {
        const art_status code = arti_fault_take(s, err);
        art_schema_free(s);
        return code;
    }
    *out = s;
    return ART_OK;
}

size_t art_schema_memory(const art_schema *s) {
    pthread_mutex_lock((pthread_mutex_t *)&s->lock);
    const size_t used = s->mem.used;
    pthread_mutex_unlock((pthread_mutex_t *)&s->lock);
    return used;
}
