/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks against the byte matcher, token by token, on random walks through many schemas. */
#include "art_mask.h"
#include "harness.h"

#include "json_walk.h"

#define S(...) #__VA_ARGS__

static const char *const schemas[] = {
    "true",
    S({"type" : "string"}),
    S({"type" : "string", "maxLength" : 3}),
    S({"type" : "string", "minLength" : 2, "maxLength" : 70}),
    S({"type" : "string", "pattern" : "^[a-c]*$"}),
    S({"type" : "string", "pattern" : "foo"}),
    S({"type" : "string", "pattern" : "^(ab)*$", "minLength" : 3, "maxLength" : 9}),
    S({"type" : "string", "pattern" : "^\\u00e9?a+$", "maxLength" : 4}),
    S({"type" : "string", "format" : "date"}),
    S({"enum" : [ "a", "ab", "abc", "b", 1, 12, true, null, [1], {"a" : 2} ]}),
    S({"anyOf" : [ {"type" : "string", "maxLength" : 2}, {"type" : "string", "pattern" : "^x"} ]}),
    S({"not" : {"type" : "string", "pattern" : "a"}}),
    S({"type" : "integer"}),
    S({"type" : "integer", "minimum" : 3, "maximum" : 120}),
    S({"type" : "number", "multipleOf" : 0.5, "exclusiveMinimum" : 0, "maximum" : 12}),
    S({"type" : "array", "items" : {"type" : "boolean"}, "minItems" : 1, "maxItems" : 3}),
    S({"type" : "array", "prefixItems" : [ {"type" : "null"}, {"type" : "integer"} ], "items" : false}),
    S({"type" : "array", "contains" : {"const" : 1}, "minContains" : 2, "maxContains" : 3, "maxItems" : 5}),
    S({"type" : "array", "items" : {"type" : "integer"}, "contains" : {"const" : 12}}),
    S({"type" : "object"}),
    S({"type" : "object", "properties" : {"a" : {"type" : "string"}, "ab" : {"type" : "integer"}}}),
    S({"type" : "object", "properties" : {"a" : true, "b" : false, "abc" : {"type" : "null"}}, "maxProperties" : 3}),
    S({"type" : "object", "additionalProperties" : {"type" : "integer", "minimum" : 7, "maximum" : 1234}}),
    S({
        "type" : "object",
        "properties" : {"a" : {"type" : "string"}, "name" : {"type" : "integer"}},
        "required" : ["name"],
        "additionalProperties" : false
    }),
    S({"type" : "object", "patternProperties" : {"^x-" : {"type" : "integer"}, "a$" : {"minimum" : 5}}}),
    S({"type" : "object", "patternProperties" : {"^x-[ab]$" : {"type" : "null"}}, "additionalProperties" : false}),
    S({
        "type" : "object",
        "patternProperties" : {"^.{1}$" : {"type" : "null"}},
        "additionalProperties" : false,
        "minProperties" : 2
    }),
    S({"type" : "object", "propertyNames" : {"pattern" : "^[ab]+$"}, "minProperties" : 1, "maxProperties" : 3}),
    S({
        "type" : "object",
        "properties" : {"a" : true, "b" : true},
        "dependentRequired" : {"a" : ["b"]},
        "maxProperties" : 2
    }),
    S({
        "type" : "object",
        "properties" : {"a" : {"type" : "integer"}, "ab" : {"type" : "string"}, "foo" : false},
        "patternProperties" : {"^[ab]{1,2}$" : {"minimum" : 3}, "^\\u00e9" : true},
        "additionalProperties" : false
    }),
    S({
        "type" : "object",
        "properties" : {"name" : true},
        "patternProperties" : {"^a|\"$" : {"type" : "null"}, "^\\\\" : true},
        "additionalProperties" : false
    }),
    S({
        "type" : "object",
        "propertyNames" : {"anyOf" : [ {"enum" : [ "a", "b", "ab" ]}, {"pattern" : "^foo"} ]},
        "patternProperties" : {"o$" : {"type" : "integer"}}
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {
            "anyOf" : [
                {"type" : "object", "properties" : {"a" : {"enum" : [ 1, {}, [] ]}}, "required" : ["a"]},
                {"type" : "object", "properties" : {"a" : {"const" : "b"}}, "maxProperties" : 1}
            ]
        }
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "maxItems" : 3,
        "items" : {
            "type" : "object",
            "patternProperties" : {"^[ab]$" : {"enum" : [ null, {} ]}},
            "additionalProperties" : false
        }
    }),
    S({"oneOf" : [ {"required" : ["foo"]}, {"required" : ["bar"]} ], "type" : "object"}),
    S({"not" : {"properties" : {"foo" : {"type" : "string"}}, "additionalProperties" : false}, "type" : "object"}),
    S({
        "if" : {"properties" : {"kind" : {"const" : "a"}}, "required" : ["kind"]},
        "then" : {"required" : ["foo"]},
        "else" : {"properties" : {"bar" : {"type" : "integer"}}},
        "type" : "object"
    }),
    S({
        "oneOf" : [
            {"properties" : {"kind" : {"const" : "a"}, "foo" : {"type" : "string"}}, "required" : [ "kind", "foo" ]},
            {"properties" : {"kind" : {"const" : "b"}, "bar" : {"type" : "integer"}}, "required" : [ "kind", "bar" ]}
        ],
        "type" : "object",
        "unevaluatedProperties" : false
    }),
    S({"type" : "string", "minLength" : 2}),
    S({"type" : "string", "pattern" : "^[ab]*$", "minLength" : 1}),
    S({"anyOf" : [ {"pattern" : "^(foo|[ab]*)$", "minLength" : 1}, {"enum" : [ "x", "" ]}, {"pattern" : "^x+$"} ]}),
    S({"anyOf" : [ {"type" : "string", "maxLength" : 3}, {"type" : "string", "minLength" : 2, "maxLength" : 5} ]}),
    S({
        "anyOf" :
            [ {"enum" : [ "a", "abc", "bar\n" ]}, {"type" : "string", "maxLength" : 2}, {"pattern" : "^(foo)+$"} ]
    }),
    S({
        "enum" : [
            "a",   "ab",      "abc", "aa",  "aaaa",   "b",       "ba",     "bar",
            "foo", "foo\"",   "\\",  "\n",  "\u00e9", "\u00e9x", "\u20ac", "\ud83d\ude00",
            "x",   "xx",      "x-",  "x-a", "kind",   "name",    "12",     "true",
            "A",   "a@b.com", "0",   "1",   "2",      "3",       "4",      "5",
            "6",   "7",       "8",   "9",   "C",      "D",       "E",      "F"
        ]
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {
            "type" : "object",
            "properties" : {"name" : {"enum" : [ "a", "ab", "foo" ]}, "kind" : {"type" : "string", "maxLength" : 1}},
            "required" : [ "name", "kind" ],
            "additionalProperties" : false
        }
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {
            "type" : "object",
            "properties" : {"a" : {"type" : "string"}, "ab" : {"enum" : [ "a", "ab" ]}},
            "required" : ["a"],
            "additionalProperties" : false
        }
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {"type" : "array", "uniqueItems" : true, "items" : {"enum" : [ "a", "b", "ab" ]}, "maxItems" : 2}
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {"anyOf" : [ {"enum" : [ "a", "b", 1 ]}, {"type" : "string", "pattern" : "^x", "maxLength" : 3} ]}
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {
            "oneOf" : [
                {"properties" : {"kind" : {"const" : "a"}, "x" : {"type" : "boolean"}}},
                {"properties" : {"kind" : {"const" : "ab"}}},
                {"properties" : {"kind" : {"enum" : [ "foo", "foo\"", "b", "\\" ]}, "a" : {"const" : "ab"}}}
            ],
            "type" : "object",
            "required" : ["kind"],
            "unevaluatedProperties" : false
        }
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "minItems" : 3,
        "items" : {"anyOf" : [ {"enum" : [ "a", "ab", "foo" ]}, {"const" : "ab"}, {"enum" : [ "b", "ba", 1 ]} ]}
    }),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {"type" : "string", "pattern" : "^[abfo]+(@([ab]+(\\.[ab]+)*|\\[[12]?\\]))?$"}
    }),
    S({"type" : "array", "items" : {"type" : "string", "minLength" : 1}, "uniqueItems" : true}),
    S({
        "type" : "array",
        "uniqueItems" : true,
        "items" : {
            "patternProperties" : {"^(a|(ab)+)$" : {"enum" : [ null, 1 ]}},
            "additionalProperties" : false,
            "maxProperties" : 1
        }
    }),
    S({"type" : "array", "items" : {"type" : "array", "items" : {"type" : "string"}}, "uniqueItems" : true}),
    S({"type" : "array", "items" : {"enum" : [ 1, 2, 3 ]}, "uniqueItems" : true}),
    S({"type" : "array", "items" : {"type" : "string"}, "uniqueItems" : true, "maxItems" : 4}),
    S({
        "$defs" :
            {"t" : {"type" : "object", "properties" : {"a" : {"$ref" : "#/$defs/t"}}, "additionalProperties" : false}},
        "$ref" : "#/$defs/t"
    }),
    S({"type" : [ "object", "array" ], "items" : {"$ref" : "#"}, "additionalProperties" : {"$ref" : "#"}}),
    S({
        "allOf" : [
            {"properties" : {"a" : {"minimum" : 3}}}, {"properties" : {"a" : {"maximum" : 12}}},
            {"additionalProperties" : {"type" : "integer"}}
        ],
        "type" : "object"
    }),
};

static void test_masks(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_error err;
    art_vocab *v = walk_vocab(&alloc, &err);
    assert(v);
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        for (uint32_t mode = 0; mode < 4; mode++) {
            art_schema *s;
            arti_json_constraint *c;
            assert(art_schema_compile(schemas[i], strlen(schemas[i]), NULL, &alloc, &s, &err) == ART_OK);
            const art_constraint_opts opts = {.property_order = mode == 1 ? ART_ORDER_SCHEMA : ART_ORDER_ANY,
                                              .whitespace = mode == 2   ? ART_WS_COMPACT
                                                            : mode == 3 ? 2
                                                                        : ART_WS_ANY};
            assert(arti_json_constraint_new(s, v, &opts, &alloc, &c, &err) == ART_OK);
            for (uint64_t seed = 0; seed < 2; seed++) {
                walk_source random = {NULL, 0, seed * 977 + i * 31 + mode};
                walk(s, c, v, &random, 24);
            }
            arti_json_constraint_free(c);
            art_schema_free(s);
        }
    }
    art_vocab_free(v);
    assert(h.live == 0);
}

/* The same where the spelling of whitespace is fixed: completions are not spelled that way, so only masks are looked at. */
static void test_spaced(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_error err;
    art_vocab *v = walk_vocab(&alloc, &err);
    const art_constraint_opts opts = {.whitespace = ART_WS_SPACED};
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        art_schema *s;
        arti_json_constraint *c;
        arti_run *r;
        uint32_t words[WALK_WORDS];
        assert(art_schema_compile(schemas[i], strlen(schemas[i]), NULL, &alloc, &s, &err) == ART_OK);
        assert(arti_json_constraint_new(s, v, &opts, &alloc, &c, &err) == ART_OK);
        walk_source random = {NULL, 0, i * 131 + 7};
        assert(arti_json_run_new(c, false, &r, &err) == ART_OK);
        for (uint32_t step = 0; step < 40; step++) {
            walk_check_state(r, v, words);
            uint32_t ids[WALK_N_TOKENS], n_ids = 0;
            for (uint32_t id = 0; id < WALK_N_TOKENS; id++)
                if (arti_bits_test(words, id)) ids[n_ids++] = id;
            if (n_ids == 0) break;
            size_t len, taken;
            const uint8_t *bytes = art_vocab_token(v, ids[walk_random(&random) % n_ids], &len);
            assert(r->ops->step(r, bytes, len, &taken) == ART_OK && taken == len);
        }
        r->ops->free(r);
        arti_json_constraint_free(c);
        art_schema_free(s);
    }
    art_vocab_free(v);
    assert(h.live == 0);
}

enum { ROW_WORDS = 1500 };

static void check_row(const arti_mask_memo *m, uint64_t k, const uint32_t *want) {
    uint32_t row[ROW_WORDS];
    memset(row, 0x77, sizeof row);
    assert(arti_mask_memo_get(m, (const uint64_t[]){k, k * 3}, row, ROW_WORDS));
    assert(memcmp(row, want, sizeof row) == 0);
}

static const arti_mask_row *put(arti_mask_memo *m, uint64_t k, const uint32_t *words) {
    return arti_mask_memo_put(m, (const uint64_t[]){k, k * 3}, words, ROW_WORDS);
}

/* As changes of a basis; returns how many. */
static uint32_t put_from(arti_mask_memo *m, uint64_t k, const uint32_t *words, arti_basis basis) {
    arti_bits_patch patches[ARTI_ROW_PATCHES_MAX];
    const arti_row row = arti_row_from(words, ROW_WORDS, basis, patches);
    const arti_mask_row *kept = arti_mask_memo_put_row(m, (const uint64_t[]){k, k * 3}, words, ROW_WORDS, &row);
    assert(kept && !kept->under && (row.n_patches == UINT32_MAX) == !kept->row.patches);
    return row.n_patches;
}

/* Rows come back as they were put: as they are, and as changes of other ones. */
static void test_memo(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    static uint32_t base[ROW_WORDS], within[ROW_WORDS], row[ROW_WORDS], many[ROW_WORDS], masked[ROW_WORDS];
    uint64_t seed = 77;
    for (uint32_t i = 0; i < ROW_WORDS; i++) {
        base[i] = row[i] = many[i] = (uint32_t)harness_random(&seed);
        within[i] = (uint32_t)harness_random(&seed);
        masked[i] = base[i] & within[i];
    }
    for (uint32_t i = 0; i < ARTI_MASK_PATCHES_MAX; i++) many[i] ^= 1;
    const uint32_t changed[] = {3, 3, 1499, 0, 3};
    row[3] = 0, row[0] ^= 8;
    const arti_basis whole = {base, NULL}, part = {base, within};
    arti_mask_memo m;
    arti_mask_memo_init(&m, &alloc, 0);
    assert(!arti_mask_memo_get(&m, (const uint64_t[]){1, 3}, many, ROW_WORDS));
    assert(put(&m, 1, row) && put_from(&m, 2, row, whole) == 2);
    arti_mask_memo_put_changed(&m, (const uint64_t[]){3, 9}, row, NULL, whole, changed, 5);
    assert(put_from(&m, 4, base, whole) == 0);
    assert(put_from(&m, 5, many, whole) == ARTI_ROW_PATCHES_MAX);
    many[ROW_WORDS - 1] ^= 1; /* one too many: a row of its own */
    assert(put_from(&m, 6, many, whole) == UINT32_MAX);
    check_row(&m, 6, many);
    many[ROW_WORDS - 1] ^= 1;
    masked[7] ^= 2;
    assert(put_from(&m, 7, masked, part) == 1);
    for (uint64_t k = 1; k <= 7; k++) { /* changes of rows that are kept in these ways */
        static uint32_t under[ROW_WORDS], over[ROW_WORDS];
        const arti_mask_row *r = arti_mask_memo_get(&m, (const uint64_t[]){k, k * 3}, under, ROW_WORDS);
        memcpy(over, under, sizeof over);
        for (uint32_t i = 0; i < 5; i++) over[changed[i]] ^= 16;
        arti_mask_memo_put_changed(&m, (const uint64_t[]){100 + k, 300 + 3 * k}, over, r, whole, changed, 5);
        check_row(&m, 100 + k, over);
    }
    check_row(&m, 1, row);
    check_row(&m, 2, row);
    check_row(&m, 3, row);
    check_row(&m, 4, base);
    check_row(&m, 5, many);
    check_row(&m, 7, masked);
    static uint32_t few[ROW_WORDS];
    for (uint32_t k = 0; k < 3000; k++) { /* keys that share their lower half */
        few[k % ROW_WORDS] = k + 1;
        const uint64_t key = 1000 + k / 2 + (uint64_t)(k % 2) * 0x100000000u;
        assert(put(&m, key, few));
        check_row(&m, key, few);
        few[k % ROW_WORDS] = 0;
    }
    check_row(&m, 3, row);
    few[10] = 11;
    check_row(&m, 1005, few);
    assert(m.n_clears == 0);
    arti_mask_memo_free(&m);
    arti_mask_memo_init(&m, &alloc, 20000); /* a few rows at a time */
    for (uint32_t k = 0; k < 50; k++) {
        assert(put(&m, k, row));
        check_row(&m, k, row);
        arti_mask_memo_put_changed(&m, (const uint64_t[]){100 + k, 300 + k * 3}, row, NULL, whole, changed, 5);
        assert(put_from(&m, 200 + k, row, whole) == 2);
        check_row(&m, 200 + k, row);
    }
    assert(m.n_clears > 10 && m.mem.used <= 20000);
    arti_mask_memo_free(&m);
    arti_mask_memo_init(&m, &alloc, 100); /* none */
    assert(!put(&m, 1, row));
    arti_mask_memo_put_changed(&m, (const uint64_t[]){3, 9}, row, NULL, whole, changed, 5);
    assert(!arti_mask_memo_get(&m, (const uint64_t[]){1, 3}, many, ROW_WORDS));
    assert(!arti_mask_memo_get(&m, (const uint64_t[]){3, 9}, many, ROW_WORDS));
    arti_mask_memo_free(&m);
    assert(h.live == 0);
}

/* The masks that outputs begin with are there when the constraint is: they take no memory any more. */
static void test_first_masks(void) {
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]}";
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_error err;
    art_vocab *v = walk_vocab(&alloc, &err);
    art_schema *s;
    arti_json_constraint *c;
    arti_run *r;
    uint32_t words[WALK_WORDS];
    size_t taken;
    assert(art_schema_compile(schema, sizeof schema - 1, NULL, &alloc, &s, &err) == ART_OK);
    assert(arti_json_constraint_new(s, v, NULL, &alloc, &c, &err) == ART_OK);
    assert(arti_json_run_new(c, false, &r, &err) == ART_OK);
    h.budget = 0;
    assert(r->ops->fill(r, words, NULL, &err) == ART_OK && arti_bits_count(words, v->n_words) > 0);
    h.budget = -1;
    assert(r->ops->step(r, (const uint8_t *)"{\"", 2, &taken) == ART_OK && taken == 2);
    h.budget = 0;
    assert(r->ops->fill(r, words, NULL, &err) == ART_OK && arti_bits_count(words, v->n_words) > 0);
    h.budget = -1;
    r->ops->free(r);
    arti_json_constraint_free(c);
    art_schema_free(s);
    art_vocab_free(v);
    assert(h.live == 0);
}

/* A memo that can hold next to nothing gives the same masks. */
static void test_small_memo(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_error err;
    art_vocab *v = walk_vocab(&alloc, &err);
    art_schema *s;
    arti_json_constraint *c;
    assert(art_schema_compile("{\"type\":\"object\"}", 17, NULL, &alloc, &s, &err) == ART_OK);
    const art_constraint_opts opts = {.cache_memory_max = 4000};
    assert(arti_json_constraint_new(s, v, &opts, &alloc, &c, &err) == ART_OK);
    walk_source random = {NULL, 0, 5};
    walk(s, c, v, &random, 60);
    assert(arti_json_constraint_memory(c) < 100000);
    arti_json_constraint_free(c);
    art_schema_free(s);
    art_vocab_free(v);
    assert(h.live == 0);
}

int main(void) {
    test_masks();
    test_spaced();
    test_memo();
    test_first_masks();
    test_small_memo();
    return 0;
}
