/* SPDX-License-Identifier: Apache-2.0 */
#include "art_keywords.h"

#include "art_conflict.h"

#define COUNT_NONE UINT32_MAX

typedef enum keyword {
    K_UNKNOWN,
    K_REF,
    K_DYNAMIC_REF,
    K_RECURSIVE_REF,
    K_TYPE,
    K_ENUM,
    K_CONST,
    K_MULTIPLE_OF,
    K_MAXIMUM,
    K_EXCLUSIVE_MAXIMUM,
    K_MINIMUM,
    K_EXCLUSIVE_MINIMUM,
    K_MAX_LENGTH,
    K_MIN_LENGTH,
    K_PATTERN,
    K_FORMAT,
    K_ITEMS,
    K_PREFIX_ITEMS,
    K_ADDITIONAL_ITEMS,
    K_MAX_ITEMS,
    K_MIN_ITEMS,
    K_UNIQUE_ITEMS,
    K_CONTAINS,
    K_MAX_CONTAINS,
    K_MIN_CONTAINS,
    K_MAX_PROPERTIES,
    K_MIN_PROPERTIES,
    K_REQUIRED,
    K_PROPERTIES,
    K_PATTERN_PROPERTIES,
    K_ADDITIONAL_PROPERTIES,
    K_PROPERTY_NAMES,
    K_DEPENDENCIES,
    K_DEPENDENT_SCHEMAS,
    K_DEPENDENT_REQUIRED,
    K_ALL_OF,
    K_ANY_OF,
    K_ONE_OF,
    K_NOT,
    K_IF,
    K_THEN,
    K_ELSE,
    K_UNEVALUATED_ITEMS,
    K_UNEVALUATED_PROPERTIES,
    K_DEFINITIONS
} keyword;

static const struct entry {
    const char *name;
    uint8_t len, id, holds;
    bool validation;      /* belongs to the validation vocabulary (or format) */
    uint16_t first, last; /* drafts */
} table[] = {
#define E(name, id, holds, validation, first, last) {name, sizeof name - 1, id, holds, validation, first, last}
    E("$ref", K_REF, ARTI_HOLDS_NONE, false, 4, 2020),
    E("$dynamicRef", K_DYNAMIC_REF, ARTI_HOLDS_NONE, false, 2020, 2020),
    E("$recursiveRef", K_RECURSIVE_REF, ARTI_HOLDS_NONE, false, 2019, 2019),
    E("type", K_TYPE, ARTI_HOLDS_NONE, true, 4, 2020),
    E("enum", K_ENUM, ARTI_HOLDS_NONE, true, 4, 2020),
    E("const", K_CONST, ARTI_HOLDS_NONE, true, 6, 2020),
    E("multipleOf", K_MULTIPLE_OF, ARTI_HOLDS_NONE, true, 4, 2020),
    E("maximum", K_MAXIMUM, ARTI_HOLDS_NONE, true, 4, 2020),
    E("exclusiveMaximum", K_EXCLUSIVE_MAXIMUM, ARTI_HOLDS_NONE, true, 4, 2020),
    E("minimum", K_MINIMUM, ARTI_HOLDS_NONE, true, 4, 2020),
    E("exclusiveMinimum", K_EXCLUSIVE_MINIMUM, ARTI_HOLDS_NONE, true, 4, 2020),
    E("maxLength", K_MAX_LENGTH, ARTI_HOLDS_NONE, true, 4, 2020),
    E("minLength", K_MIN_LENGTH, ARTI_HOLDS_NONE, true, 4, 2020),
    E("pattern", K_PATTERN, ARTI_HOLDS_NONE, true, 4, 2020),
    E("format", K_FORMAT, ARTI_HOLDS_NONE, false, 4, 2020),
    E("items", K_ITEMS, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("prefixItems", K_PREFIX_ITEMS, ARTI_HOLDS_SCHEMA, false, 2020, 2020),
    E("additionalItems", K_ADDITIONAL_ITEMS, ARTI_HOLDS_SCHEMA, false, 4, 2019),
    E("maxItems", K_MAX_ITEMS, ARTI_HOLDS_NONE, true, 4, 2020),
    E("minItems", K_MIN_ITEMS, ARTI_HOLDS_NONE, true, 4, 2020),
    E("uniqueItems", K_UNIQUE_ITEMS, ARTI_HOLDS_NONE, true, 4, 2020),
    E("contains", K_CONTAINS, ARTI_HOLDS_SCHEMA, false, 6, 2020),
    E("maxContains", K_MAX_CONTAINS, ARTI_HOLDS_NONE, true, 2019, 2020),
    E("minContains", K_MIN_CONTAINS, ARTI_HOLDS_NONE, true, 2019, 2020),
    E("maxProperties", K_MAX_PROPERTIES, ARTI_HOLDS_NONE, true, 4, 2020),
    E("minProperties", K_MIN_PROPERTIES, ARTI_HOLDS_NONE, true, 4, 2020),
    E("required", K_REQUIRED, ARTI_HOLDS_NONE, true, 4, 2020),
    E("properties", K_PROPERTIES, ARTI_HOLDS_MAP, false, 4, 2020),
    E("patternProperties", K_PATTERN_PROPERTIES, ARTI_HOLDS_MAP, false, 4, 2020),
    E("additionalProperties", K_ADDITIONAL_PROPERTIES, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("propertyNames", K_PROPERTY_NAMES, ARTI_HOLDS_SCHEMA, false, 6, 2020),
    E("dependencies", K_DEPENDENCIES, ARTI_HOLDS_MAP, false, 4, 2020),
    E("dependentSchemas", K_DEPENDENT_SCHEMAS, ARTI_HOLDS_MAP, false, 2019, 2020),
    E("dependentRequired", K_DEPENDENT_REQUIRED, ARTI_HOLDS_NONE, true, 2019, 2020),
    E("allOf", K_ALL_OF, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("anyOf", K_ANY_OF, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("oneOf", K_ONE_OF, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("not", K_NOT, ARTI_HOLDS_SCHEMA, false, 4, 2020),
    E("if", K_IF, ARTI_HOLDS_SCHEMA, false, 7, 2020),
    E("then", K_THEN, ARTI_HOLDS_SCHEMA, false, 7, 2020),
    E("else", K_ELSE, ARTI_HOLDS_SCHEMA, false, 7, 2020),
    E("unevaluatedItems", K_UNEVALUATED_ITEMS, ARTI_HOLDS_SCHEMA, false, 2019, 2020),
    E("unevaluatedProperties", K_UNEVALUATED_PROPERTIES, ARTI_HOLDS_SCHEMA, false, 2019, 2020),
    E("definitions", K_DEFINITIONS, ARTI_HOLDS_MAP, false, 4, 2020),
    E("$defs", K_DEFINITIONS, ARTI_HOLDS_MAP, false, 4, 2020),
#undef E
};

static const struct entry *find(const char *key, uint32_t len) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].len == len && table[i].name[len - 1] == key[len - 1] && memcmp(table[i].name, key, len) == 0)
            return &table[i];
    return NULL;
}

arti_holds arti_keyword_holds(const char *key, uint32_t len) {
    const struct entry *e = len ? find(key, len) : NULL;
    return e ? (arti_holds)e->holds : ARTI_HOLDS_NONE;
}

static bool counts(const struct entry *e, uint32_t draft, bool validates) {
    return e && e->first <= draft && e->last >= draft && (!e->validation || validates) && e->id != K_DEFINITIONS;
}

const char *arti_keyword_of(const art_schema *s, const arti_pos_info *p, const arti_json_member *m) {
    const uint32_t draft = s->res[p->res].draft;
    const struct entry *e = m->key_len ? find(m->key, m->key_len) : NULL;
    if (!counts(e, draft, !s->res[p->res].no_validation)) return NULL;
    return e->id != K_REF && draft <= 7 && arti_json_get(p->json, "$ref", 4) ? NULL : e->name;
}

/* ------------------------------------------------------------------ one object */

typedef struct reader { /* one schema object being read */
    art_schema *s;
    arti_pos_info at; /* a copy: positions move */
    uint32_t draft;
    const char *keyword;
    arti_kw *kw;
    /* keywords whose meaning depends on their neighbours */
    const arti_json *props, *patterns, *rest_props;
    const arti_json *items, *prefix, *more_items;
    const arti_json *required, *required_by, *schemas_by, *depend;
    const arti_json *excl_min, *excl_max;
} reader;

static bool bad(reader *r, const arti_json *v, const char *must) {
    return arti_fault(r->s, ART_E_SCHEMA, v, r->at.res, r->keyword, "\"%s\" must be %s", r->keyword, must);
}

static bool read_count(reader *r, const arti_json *v, uint32_t *out) {
    return (v->type == ARTI_JSON_NUMBER && arti_json_to_count(v, out)) || bad(r, v, "a whole number of at least 0");
}

static bool read_number(reader *r, const arti_json *v, const arti_json **out) {
    *out = v;
    return v->type == ARTI_JSON_NUMBER || bad(r, v, "a number");
}

static bool read_sub(reader *r, const arti_json *v, arti_lit *out) {
    *out = arti_lit_sub(r->s, v, &r->at);
    return *out != ARTI_LIT_FAIL;
}

static bool read_subs(reader *r, const arti_json *v, const arti_lit **out, uint32_t *n, bool may_be_empty) {
    if (v->type != ARTI_JSON_ARRAY || (v->n == 0 && !may_be_empty)) return bad(r, v, "an array of schemas");
    arti_lit *lits = arti_schema_get(r->s, v->n * sizeof *lits);
    if (!lits) return false;
    for (uint32_t i = 0; i < v->n; i++)
        if (!read_sub(r, &v->items[i], &lits[i])) return false;
    *out = lits;
    *n = v->n;
    return true;
}

static bool read_ref(reader *r, const arti_json *v, arti_ref_kind kind, arti_lit *out) {
    *out = arti_lit_ref(r->s, v, &r->at, kind);
    return *out != ARTI_LIT_FAIL;
}

static bool read_type_name(reader *r, const arti_json *v, uint8_t *types) {
    static const struct {
        const char *name;
        uint8_t bit;
    } names[] = {{"null", 1u << ARTI_T_NULL},    {"boolean", 1u << ARTI_T_BOOL},  {"number", 1u << ARTI_T_NUMBER},
                 {"integer", ARTI_TYPE_INTEGER}, {"string", 1u << ARTI_T_STRING}, {"array", 1u << ARTI_T_ARRAY},
                 {"object", 1u << ARTI_T_OBJECT}};
    if (v->type == ARTI_JSON_STRING)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strlen(names[i].name) == v->n && memcmp(names[i].name, v->str, v->n) == 0) {
                *types |= names[i].bit;
                return true;
            }
    return bad(r, v, "the name of a type, or an array of such names");
}

static bool read_types(reader *r, const arti_json *v) {
    r->kw->types = 0;
    if (v->type != ARTI_JSON_ARRAY) return read_type_name(r, v, &r->kw->types);
    for (uint32_t i = 0; i < v->n; i++)
        if (!read_type_name(r, &v->items[i], &r->kw->types)) return false;
    return true;
}

static arti_re pattern_term(reader *r, const char *text, uint32_t len, const arti_json *at) {
    const arti_re t = arti_re_pattern(r->s->re, text, len);
    if (t == ARTI_RE_FAIL) arti_fault_re(r->s, at, r->at.res, r->keyword);
    return t;
}

static bool read_names(reader *r, const arti_json *v, const arti_key **out, uint32_t *n) {
    if (v->type != ARTI_JSON_ARRAY) return bad(r, v, "an array of strings");
    arti_key *keys = arti_schema_get(r->s, v->n * sizeof *keys);
    if (!keys) return false;
    *n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        if (v->items[i].type != ARTI_JSON_STRING) return bad(r, &v->items[i], "an array of strings");
        if (!arti_is_left_out(r->s, r->at.res, &v->items[i]))
            keys[(*n)++] = (arti_key){.ptr = v->items[i].str, .len = v->items[i].n};
    }
    *out = keys;
    return true;
}

static bool read_keyword(reader *r, keyword id, const arti_json *v) {
    arti_kw *k = r->kw;
    switch (id) {
    case K_REF: return read_ref(r, v, ARTI_REF_STATIC, &k->ref);
    case K_DYNAMIC_REF: return read_ref(r, v, ARTI_REF_DYNAMIC, &k->dynamic_ref);
    case K_RECURSIVE_REF: return read_ref(r, v, ARTI_REF_RECURSIVE, &k->dynamic_ref);
    case K_TYPE: return read_types(r, v);
    case K_ENUM: k->enum_ = v; return v->type == ARTI_JSON_ARRAY || bad(r, v, "an array");
    case K_CONST: k->const_ = v; return true;
    case K_MULTIPLE_OF:
        if (!read_number(r, v, &k->multiple)) return false;
        for (uint32_t i = 0; i < v->n && v->str[i] != 'e' && v->str[i] != 'E'; i++)
            if (v->str[i] >= '1' && v->str[i] <= '9' && v->str[0] != '-') return true;
        return bad(r, v, "greater than 0");
    case K_MAXIMUM: return read_number(r, v, &k->maximum);
    case K_MINIMUM: return read_number(r, v, &k->minimum);
    case K_EXCLUSIVE_MAXIMUM:
        if (r->draft != 4 && v->type == ARTI_JSON_NUMBER) return read_number(r, v, &k->below);
        r->excl_max = v;
        return (r->draft == 4 && v->type == ARTI_JSON_BOOL) || bad(r, v, r->draft == 4 ? "a boolean" : "a number");
    case K_EXCLUSIVE_MINIMUM:
        if (r->draft != 4 && v->type == ARTI_JSON_NUMBER) return read_number(r, v, &k->above);
        r->excl_min = v;
        return (r->draft == 4 && v->type == ARTI_JSON_BOOL) || bad(r, v, r->draft == 4 ? "a boolean" : "a number");
    case K_MAX_LENGTH: return read_count(r, v, &k->max_len);
    case K_MIN_LENGTH: return read_count(r, v, &k->min_len);
    case K_PATTERN:
        if (v->type != ARTI_JSON_STRING) return bad(r, v, "a string");
        k->pattern = pattern_term(r, v->str, v->n, v);
        return k->pattern != ARTI_RE_FAIL;
    case K_FORMAT: k->format = v; return v->type == ARTI_JSON_STRING || bad(r, v, "a string");
    case K_ITEMS: r->items = v; return true;
    case K_PREFIX_ITEMS: r->prefix = v; return true;
    case K_ADDITIONAL_ITEMS: r->more_items = v; return true;
    case K_MAX_ITEMS: return read_count(r, v, &k->max_items);
    case K_MIN_ITEMS: return read_count(r, v, &k->min_items);
    case K_UNIQUE_ITEMS: k->unique = v->boolean; return v->type == ARTI_JSON_BOOL || bad(r, v, "a boolean");
    case K_CONTAINS: return read_sub(r, v, &k->contains);
    case K_MAX_CONTAINS: return read_count(r, v, &k->max_contains);
    case K_MIN_CONTAINS: return read_count(r, v, &k->min_contains);
    case K_MAX_PROPERTIES: return read_count(r, v, &k->max_props);
    case K_MIN_PROPERTIES: return read_count(r, v, &k->min_props);
    case K_REQUIRED: return read_names(r, v, &k->required, &k->n_required);
    case K_PROPERTIES: r->props = v; return v->type == ARTI_JSON_OBJECT || bad(r, v, "an object");
    case K_PATTERN_PROPERTIES: r->patterns = v; return v->type == ARTI_JSON_OBJECT || bad(r, v, "an object");
    case K_ADDITIONAL_PROPERTIES: r->rest_props = v; return true;
    case K_PROPERTY_NAMES: return read_sub(r, v, &k->names);
    case K_DEPENDENCIES: r->depend = v; return v->type == ARTI_JSON_OBJECT || bad(r, v, "an object");
    case K_DEPENDENT_SCHEMAS: r->schemas_by = v; return v->type == ARTI_JSON_OBJECT || bad(r, v, "an object");
    case K_DEPENDENT_REQUIRED: r->required_by = v; return v->type == ARTI_JSON_OBJECT || bad(r, v, "an object");
    case K_ALL_OF: return read_subs(r, v, &k->all, &k->n_all, false);
    case K_ANY_OF: return read_subs(r, v, &k->any, &k->n_any, false);
    case K_ONE_OF: k->one_or_more = arti_is_loose(r->s); return read_subs(r, v, &k->one, &k->n_one, false);
    case K_NOT: return read_sub(r, v, &k->not_);
    case K_IF: return read_sub(r, v, &k->if_);
    case K_THEN: return read_sub(r, v, &k->then_);
    case K_ELSE: return read_sub(r, v, &k->else_);
    case K_UNEVALUATED_ITEMS: return read_sub(r, v, &k->uneval_items);
    case K_UNEVALUATED_PROPERTIES: return read_sub(r, v, &k->uneval_props);
    case K_DEFINITIONS:
    case K_UNKNOWN: return true;
    }
    return true;
}

/* ------------------------------------------------------------------ keywords that belong together */

static bool join_bounds(reader *r) {
    arti_kw *k = r->kw;
    if (r->excl_max && r->excl_max->boolean) {
        k->below = k->maximum;
        k->maximum = NULL;
    }
    if (r->excl_min && r->excl_min->boolean) {
        k->above = k->minimum;
        k->minimum = NULL;
    }
    return true;
}

static bool join_members(reader *r) {
    if (!r->props && !r->patterns && !r->rest_props) return true;
    arti_members *g = arti_schema_zero(r->s, sizeof *g);
    if (!g) return false;
    g->rest = ARTI_LIT_TRUE;
    r->keyword = "properties";
    if (r->props) {
        arti_prop *props = arti_schema_get(r->s, r->props->n * sizeof *props);
        if (!props) return false;
        for (uint32_t i = 0; i < r->props->n; i++) {
            const arti_json_member *m = &r->props->members[i];
            props[i].key = (arti_key){.ptr = m->key, .len = m->key_len};
            if (!read_sub(r, &m->value, &props[i].lit)) return false;
        }
        g->props = props;
        g->n_props = r->props->n;
    }
    if (!arti_members_sort(r->s, g)) return false;
    r->keyword = "patternProperties";
    if (r->patterns) {
        arti_pattern_prop *pats = arti_schema_get(r->s, r->patterns->n * sizeof *pats);
        if (!pats) return false;
        for (uint32_t i = 0; i < r->patterns->n; i++) {
            const arti_json_member *m = &r->patterns->members[i];
            pats[i].term = pattern_term(r, m->key, m->key_len, &m->value);
            if (pats[i].term == ARTI_RE_FAIL || !read_sub(r, &m->value, &pats[i].lit)) return false;
        }
        g->patterns = pats;
        g->n_patterns = r->patterns->n;
    }
    r->keyword = "additionalProperties";
    if (r->rest_props) {
        g->has_rest = true;
        if (!read_sub(r, r->rest_props, &g->rest)) return false;
    }
    r->kw->group = g;
    return true;
}

static bool join_items(reader *r) {
    arti_kw *k = r->kw;
    r->keyword = "prefixItems";
    if (r->prefix && !read_subs(r, r->prefix, &k->prefix, &k->n_prefix, true)) return false;
    r->keyword = "items";
    if (!r->items) return true;
    if (r->items->type != ARTI_JSON_ARRAY) return read_sub(r, r->items, &k->rest);
    if (r->draft == 2020) return bad(r, r->items, "a schema (draft 2020-12 calls the list \"prefixItems\")");
    if (!read_subs(r, r->items, &k->prefix, &k->n_prefix, true)) return false;
    r->keyword = "additionalItems";
    return !r->more_items || read_sub(r, r->more_items, &k->rest);
}

static bool join_dependencies(reader *r) {
    const arti_json *from[] = {r->depend, r->schemas_by, r->required_by};
    static const char *const names[] = {"dependencies", "dependentSchemas", "dependentRequired"};
    size_t n = 0;
    for (int i = 0; i < 3; i++) n += from[i] ? from[i]->n : 0;
    if (!n) return true;
    arti_dependency *deps = arti_schema_zero(r->s, n * sizeof *deps), *d = deps;
    if (!deps) return false;
    for (int i = 0; i < 3; i++) {
        r->keyword = names[i];
        for (uint32_t j = 0; from[i] && j < from[i]->n; j++, d++) {
            const arti_json_member *m = &from[i]->members[j];
            d->key = (arti_key){.ptr = m->key, .len = m->key_len};
            d->schema = ARTI_LIT_NONE;
            const bool list = i == 2 || (i == 0 && m->value.type == ARTI_JSON_ARRAY);
            if (list ? !read_names(r, &m->value, &d->names, &d->n_names) : !read_sub(r, &m->value, &d->schema))
                return false;
        }
    }
    r->kw->deps = deps;
    r->kw->n_deps = (uint32_t)n;
    return true;
}

const arti_kw *arti_pos_kw(art_schema *s, arti_pos p) {
    if (s->pos[p].kw) return s->pos[p].kw;
    const arti_json *obj = s->pos[p].json;
    arti_kw *k = arti_schema_zero(s, sizeof *k);
    if (!k) return NULL;
    k->types = ARTI_TYPES_ALL;
    k->max_len = k->max_props = k->max_items = k->max_contains = COUNT_NONE;
    k->min_contains = 1;
    k->pattern = ARTI_RE_ANY;
    k->names = k->rest = k->contains = k->not_ = k->if_ = k->then_ = k->else_ = ARTI_LIT_NONE;
    k->ref = k->dynamic_ref = k->uneval_props = k->uneval_items = ARTI_LIT_NONE;
    reader r = {.s = s, .at = s->pos[p], .kw = k, .draft = s->res[s->pos[p].res].draft};
    const bool validates = !s->res[r.at.res].no_validation;
    const bool only_ref = r.draft <= 7 && arti_json_get(obj, "$ref", 4);
    uint32_t n_known = 0;
    for (uint32_t i = 0; i < obj->n; i++) {
        const arti_json_member *m = &obj->members[i];
        const struct entry *e = m->key_len ? find(m->key, m->key_len) : NULL;
        if (!counts(e, r.draft, validates) || (only_ref && e->id != K_REF)) continue;
        if (arti_is_left_out(s, r.at.res, &m->value)) continue;
        n_known++;
        r.keyword = e->name;
        if (!read_keyword(&r, (keyword)e->id, &m->value)) return NULL;
    }
    k->is_nothing = n_known == 0;
    k->only_ref = n_known == 1 && k->ref != ARTI_LIT_NONE;
    k->only_not = n_known == 1 && k->not_ != ARTI_LIT_NONE;
    k->contains_evaluates = r.draft == 2020;
    k->plain_integer = r.draft == 4;
    if (k->contains == ARTI_LIT_NONE) k->min_contains = 0, k->max_contains = COUNT_NONE;
    if (!join_bounds(&r) || !join_members(&r) || !join_items(&r) || !join_dependencies(&r)) return NULL;
    s->pos[p].kw = k;
    return k;
}

bool arti_schema_format(art_schema *s, const arti_json *format, uint32_t res, arti_re *term, bool *asserted) {
    *asserted = false;
    *term = ARTI_RE_ANY;
    if (s->formats == ART_FORMATS_ANNOTATE) return true;
    for (size_t i = 0; i < s->n_terms; i++)
        if (s->terms[i].json->n == format->n && memcmp(s->terms[i].json->str, format->str, format->n) == 0) {
            *term = s->terms[i].term;
            *asserted = *term != ARTI_RE_ANY;
            return true;
        }
    if (!arti_format_is_defined(format->str, format->n)) return true;
    if (!arti_vec_reserve(&s->mem, (void **)&s->terms, &s->terms_cap, s->n_terms + 1, sizeof *s->terms))
        return arti_fault_mem(s);
    art_error e = {0};
    arti_re plain;
    const art_status code = arti_format(s->re, format->str, format->n, term, &plain, &e);
    if (code == ART_REJECTED) return true;
    if (code != ART_OK) return arti_fault(s, code, format, res, "format", "%s", e.msg);
    if (plain != *term) {
        const arti_re other = arti_re_not(s->re, *term), other_plain = arti_re_not(s->re, plain);
        if (other == ARTI_RE_FAIL || other_plain == ARTI_RE_FAIL) return arti_fault_re(s, format, res, "format");
        s->worlds[s->n_worlds++] = (arti_worlds){*term, plain, plain};
        s->worlds[s->n_worlds++] = (arti_worlds){other, other_plain, other};
    }
    s->terms[s->n_terms++] = (struct arti_term_cache){format, *term};
    *asserted = true;
    return true;
}

arti_worlds arti_schema_worlds(const art_schema *s, arti_re term) {
    for (uint32_t i = 0; i < s->n_worlds; i++)
        if (s->worlds[i].yes == term) return s->worlds[i];
    return (arti_worlds){term, term, term};
}

int arti_schema_check(art_schema *s, const uint8_t *text, size_t len) {
    bool holds;
    art_error e = {0};
    const art_status st = arti_format_labels_hold(s->re, &s->mem, text, len, &holds, &e);
    if (st == ART_OK) return holds;
    arti_fault(s, st, NULL, 0, "format", "%s", e.msg);
    return -1;
}
