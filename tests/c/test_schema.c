/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema documents: what is refused and where, references, drafts, the registry, and contradictions. */
#include "harness.h"

#include "art_metaschema.h"
#include "art_schema.h"
#include "art_uri.h"

#define S(...) #__VA_ARGS__

typedef struct bad_schema {
    const char *json;
    art_status code;
    const char *path, *keyword;
} bad_schema;

static const bad_schema bad[] = {
    {"", ART_E_SYNTAX, "", ""},
    {"{\"a\":1,\"a\":2}", ART_E_SYNTAX, "", ""},
    {"3", ART_E_SCHEMA, "", ""},
    {S({"type" : "strin"}), ART_E_SCHEMA, "/type", "type"},
    {S({"properties" : {"a" : {"minLength" : -1}}}), ART_E_SCHEMA, "/properties/a/minLength", "minLength"},
    {S({"multipleOf" : 0}), ART_E_SCHEMA, "/multipleOf", "multipleOf"},
    {S({"required" : [ "a", 1 ]}), ART_E_SCHEMA, "/required/1", "required"},
    {S({"anyOf" : []}), ART_E_SCHEMA, "/anyOf", "anyOf"},
    {S({"items" : [ {"type" : "null"} ]}), ART_E_SCHEMA, "/items", "items"},
    {S({"properties" : {"a" : 3}}), ART_E_SCHEMA, "/properties/a", ""},
    {S({"$ref" : "#/$defs/nowhere"}), ART_E_REF, "/$ref", "$ref"},
    {S({"$ref" : "http://example.com/unknown"}), ART_E_REF, "/$ref", "$ref"},
    {S({"$ref" : "#"}), ART_E_REF, "", "$ref"},
    {S({"$defs" : {"a" : {"$ref" : "#/$defs/b"}, "b" : {"$ref" : "#/$defs/a"}}, "$ref" : "#/$defs/a"}), ART_E_REF, NULL,
     "$ref"},
    {S({"pattern" : "("}), ART_E_PATTERN, "/pattern", "pattern"},
    {S({"pattern" : "(a)\\1"}), ART_E_UNSUPPORTED, "/pattern", "pattern"},
    {S({"patternProperties" : {"[" : true}}), ART_E_PATTERN, "/patternProperties/[", "patternProperties"},
    {S({"$schema" : "http://json-schema.org/draft-03/schema#"}), ART_E_UNSUPPORTED, "/$schema", "$schema"},
};

static void test_refused(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        harness h;
        const art_alloc alloc = harness_alloc(&h);
        art_schema *s = (art_schema *)&h;
        art_error err;
        const art_status st = art_schema_compile(bad[i].json, strlen(bad[i].json), NULL, &alloc, &s, &err);
        if (st != bad[i].code || (bad[i].path && strcmp(err.path, bad[i].path) != 0) ||
            strcmp(err.keyword, bad[i].keyword) != 0)
            fprintf(stderr, "%s: %d at '%s' keyword '%s': %s\n", bad[i].json, (int)st, err.path, err.keyword, err.msg);
        assert(st == bad[i].code && s == NULL && err.code == st && err.msg[0]);
        assert(!bad[i].path || strcmp(err.path, bad[i].path) == 0);
        assert(strcmp(err.keyword, bad[i].keyword) == 0);
        assert(h.live == 0);
    }
}

static bool fits(const char *schema, const art_schema_opts *opts, const char *value) {
    art_schema *s;
    art_error err;
    const art_status compiled = art_schema_compile(schema, strlen(schema), opts, NULL, &s, &err);
    if (compiled != ART_OK) fprintf(stderr, "%s: %s\n", schema, err.msg);
    assert(compiled == ART_OK);
    const art_status st = art_schema_validate(s, (const uint8_t *)value, strlen(value), &err);
    assert(st == ART_OK || st == ART_REJECTED);
    art_schema_free(s);
    return st == ART_OK;
}

static void test_drafts(void) {
    const art_schema_opts draft4 = {.default_draft = 4}, draft7 = {.default_draft = 7};
    assert(fits(S({"type" : "integer"}), NULL, "1.0"));
    assert(!fits(S({"type" : "integer"}), &draft4, "1.0"));
    assert(!fits(S({"maximum" : 3, "exclusiveMaximum" : true}), &draft4, "3"));
    assert(fits(S({"const" : 1}), &draft4, "2")); /* not a keyword of draft 4 */
    assert(!fits(S({"items" : [ {"type" : "null"} ], "additionalItems" : false}), &draft7, "[null, null]"));
    assert(fits(S({"$ref" : "#/definitions/a", "maximum" : 1, "definitions" : {"a" : {}}}), &draft7,
                "5")); /* siblings are ignored */
    assert(!fits(S({"$ref" : "#/$defs/a", "maximum" : 1, "$defs" : {"a" : {}}}), NULL, "5"));
    assert(!fits(S({
                     "$schema" : "http://json-schema.org/draft-04/schema#",
                     "id" : "http://x/",
                     "definitions" : {"a" : {"id" : "b", "type" : "null"}},
                     "$ref" : "b"
                 }),
                 NULL, "1"));
}

static void test_references(void) {
    static const char text[] = S({
        "$id" : "http://x/tree",
        "$dynamicAnchor" : "node",
        "type" : "object",
        "properties" : {"data" : true, "children" : {"type" : "array", "items" : {"$dynamicRef" : "#node"}}}
    });
    const art_resource registry[] = {{"http://x/tree", 13, text, sizeof text - 1}};
    const art_schema_opts opts = {.registry = registry, .n_registry = 1};
    static const char strict[] =
        S({"$id" : "http://x/strict", "$dynamicAnchor" : "node", "$ref" : "tree", "unevaluatedProperties" : false});
    assert(fits(strict, &opts, S({"children" : [ {"data" : 1} ]})));
    assert(!fits(strict, &opts, S({"children" : [ {"daat" : 1} ]})));
    assert(fits("{\"$ref\":\"http://x/tree\"}", &opts, S({"children" : [ {"daat" : 1} ]})));
    assert(!fits(S({"$defs" : {"a b/c~" : {"type" : "null"}}, "$ref" : "#/$defs/a%20b~1c~0"}), NULL, "1"));
}

static void test_metaschemas(void) {
    static const char *const all[] = {
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema",
        "https://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/meta/validation",
        "https://json-schema.org/draft/2020-12/meta/validation",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char schema[128];
        snprintf(schema, sizeof schema, "{\"$ref\":\"%s\"}", all[i]);
        assert(fits(schema, NULL, S({"type" : "array", "minItems" : 1})));
        assert(!fits(schema, NULL, S({"type" : "arr"})) && !fits(schema, NULL, S({"minItems" : -1})));
        size_t len;
        const size_t n = strcspn(all[i], "#");
        const char *text = arti_metaschema_find(all[i], n, &len);
        assert(text && fits(schema, NULL, text)); /* a meta-schema fits itself */
        assert(!arti_metaschema_find(all[i], n - 1, &len));
    }
    assert(fits(S({"$ref" : "http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger"}), NULL, "3"));
    /* The caller's registry comes first. */
    const art_resource registry[] = {{"http://json-schema.org/draft-07/schema#", 39, "{\"type\":\"null\"}", 15}};
    const art_schema_opts opts = {.registry = registry, .n_registry = 1};
    assert(!fits(S({"$ref" : "http://json-schema.org/draft-07/schema#"}), &opts, "true"));
    size_t len;
    assert(!arti_metaschema_find("https://json-schema.org/draft-03/schema", 39, &len));
    assert(!arti_metaschema_find("", 0, &len));
}

/* Arrays whose counted items stand behind others, and what `unevaluatedItems` leaves when it is denied. */
static void test_counted_items(void) {
    assert(fits(S({"prefixItems" : [ {"type" : "array"} ], "contains" : {"type" : "null"}}), NULL, "[[], null]"));
    assert(!fits(S({"prefixItems" : [ {"type" : "array"} ], "contains" : {"type" : "null"}}), NULL, "[[], 1]"));
    assert(fits(S({"prefixItems" : [ {}, {"type" : "object"} ], "contains" : {"type" : "string", "pattern" : "^.$"}}),
                NULL, S([ "1c", {}, "1" ])));
    static const char one[] =
        S({"type" : "array", "minItems" : 2, "uniqueItems" : true, "contains" : {"const" : 1}, "maxContains" : 1});
    assert(fits(one, NULL, "[\"\", 1]"));
    assert(!fits(one, NULL, "[1, 1]"));
    static const char denied[] = S({"type" : "array", "not" : {"items" : {}, "unevaluatedItems" : false}});
    assert(!fits(denied, NULL, "[]") && !fits(denied, NULL, "[1]"));
    static const char some[] = S({"type" : "array", "not" : {"prefixItems" : [ {} ], "unevaluatedItems" : false}});
    assert(!fits(some, NULL, "[1]") && fits(some, NULL, "[1, 2]"));
}

/* Conditions on some member whose name fits a pattern, beside a bound on the number of members. */
static void test_some_member(void) {
    static const char single[] = S({
        "type" : "object",
        "allOf" : [
            {"not" : {"patternProperties" : {"a1" : {"not" : {"type" : "string", "pattern" : "A"}}}}},
            {"not" : {"propertyNames" : {"not" : {"pattern" : "b2"}}}}
        ],
        "propertyNames" : {"pattern" : "^....$"},
        "maxProperties" : 1
    });
    assert(fits(single, NULL, S({"a1b2" : "xA"})) && fits(single, NULL, S({"b2a1" : "A"})));
    assert(!fits(single, NULL, S({"a1b2" : "x"})) && !fits(single, NULL, S({"a1b3" : "A"})));
    assert(!fits(single, NULL, "{}") && !fits(single, NULL, S({"a1bx" : "A", "b2xx" : 1})));
    static const char few[] = S({
        "type" : "object",
        "patternProperties" : {"^[0-9]$" : {"type" : "integer"}},
        "additionalProperties" : false,
        "not" : {
            "anyOf" : [
                {"propertyNames" : {"not" : {"enum" : [ "1", "3" ]}}},
                {"propertyNames" : {"not" : {"enum" : [ "2", "4", "11" ]}}}
            ]
        },
        "maxProperties" : 2
    });
    assert(fits(few, NULL, S({"3" : 1, "4" : 2})) && fits(few, NULL, S({"2" : 1, "1" : 2})));
    assert(!fits(few, NULL, S({"3" : 1, "5" : 2})) && !fits(few, NULL, S({"3" : 1, "11" : 2})));
    /* five patterns of which two have to meet in one name: found, and refused as what can not be held */
    static const char five[] = S({
        "type" : "object",
        "allOf" : [
            {"not" : {"propertyNames" : {"not" : {"pattern" : "a"}}}},
            {"not" : {"propertyNames" : {"not" : {"pattern" : "b"}}}},
            {"not" : {"propertyNames" : {"not" : {"pattern" : "c"}}}},
            {"not" : {"propertyNames" : {"not" : {"pattern" : "d"}}}}
        ],
        "patternProperties" : {"[bc]{2}" : false},
        "propertyNames" : {"pattern" : "^..$"},
        "maxProperties" : 2
    });
    art_schema *s;
    art_constraint *c;
    art_error err;
    assert(art_schema_compile(five, sizeof five - 1, NULL, NULL, &s, &err) == ART_OK);
    assert(art_constraint_new(s, NULL, NULL, NULL, &c, &err) == ART_E_UNSUPPORTED);
    assert(strcmp(err.keyword, "maxProperties") == 0);
    art_schema_free(s);
    /* without the bound it is held; twenty patterns that contradict each other are told apart */
    static const char open[] = S({
        "type" : "object",
        "allOf" : [
            {"not" : {"propertyNames" : {"not" : {"pattern" : "a"}}}},
            {"not" : {"propertyNames" : {"not" : {"pattern" : "b"}}}}
        ],
        "patternProperties" : {"^a" : {"type" : "string"}, "b$" : {"type" : "null"}}
    });
    assert(fits(open, NULL, S({"a" : "", "b" : null})) && fits(open, NULL, S({"ba" : 1})) &&
           !fits(open, NULL, S({"ab" : null})));
    char many[4000];
    size_t n = (size_t)snprintf(many, sizeof many, "{\"type\":\"object\",\"patternProperties\":{");
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "%s\"^%c.*%c$\":{\"type\":\"%s\"}", i ? "," : "", 'a' + i % 5,
                              'k' + i / 5, i % 2 ? "string" : "null");
    snprintf(many + n, sizeof many - n, "},\"additionalProperties\":false}");
    assert(fits(many, NULL, S({"a-k" : null, "bk" : ""})) && !fits(many, NULL, S({"a-k" : ""})) &&
           !fits(many, NULL, S({"x" : 1})));
}

static void test_uris(void) {
    static const struct {
        const char *base, *ref, *target;
    } cases[] = {{"http://a/b/c/d?q", "g", "http://a/b/c/g"},
                 {"http://a/b/c/d?q", "./g/../h", "http://a/b/c/h"},
                 {"http://a/b/c/d?q", "../../../g", "http://a/g"},
                 {"http://a/b/c/d?q", "//g/h", "http://g/h"},
                 {"http://a/b/c/d?q", "?y", "http://a/b/c/d?y"},
                 {"http://a/b/c/d?q", "", "http://a/b/c/d?q"},
                 {"http://a", "g", "http://a/g"},
                 {"", "item.json", "item.json"},
                 {"urn:x:y", "#z", "urn:x:y"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        size_t fragment;
        const size_t n =
            arti_uri_resolve(out, cases[i].base, strlen(cases[i].base), cases[i].ref, strlen(cases[i].ref), &fragment);
        assert(n == strlen(cases[i].target) && memcmp(out, cases[i].target, n) == 0);
    }
}

/* Schemas that no value fits, with the pointers of the keywords that can not hold together. */
static const struct {
    const char *json, *pointers;
} none[] = {
    {"false", ""},
    {S({"enum" : []}), "/enum"},
    {S({"title" : "x", "type" : "integer", "minimum" : 3, "maximum" : 2}), "/minimum /maximum /type"},
    {S({"type" : "number", "multipleOf" : 3, "exclusiveMinimum" : 0, "maximum" : 2, "minimum" : -9}),
     "/multipleOf /exclusiveMinimum /maximum /type"},
    {S({
         "$schema" : "http://json-schema.org/draft-04/schema#",
         "type" : "integer",
         "minimum" : 3,
         "maximum" : 3,
         "exclusiveMaximum" : true
     }),
     "/minimum /maximum /exclusiveMaximum /type"},
    {S({"type" : "string", "enum" : [ 1, 2 ]}), "/enum /type"},
    {S({"const" : 1, "type" : [ "string", "null" ]}), "/const /type"},
    {S({"allOf" : [ {"enum" : [ "a", "b" ]}, {"enum" : ["c"]}, {"minLength" : 1} ]}), "/allOf/0/enum /allOf/1/enum"},
    {S({"allOf" : [ {"type" : "string"}, {"not" : {"type" : "string"}} ]}), "/allOf/1/not /allOf/0/type"},
    {S({"type" : "string", "pattern" : "^a$", "minLength" : 2}), "/pattern /minLength /type"},
    {S({"type" : "string", "pattern" : "^a", "allOf" : [ {"pattern" : "^b"} ]}), "/pattern /allOf/0/pattern /type"},
    {S({"type" : "string", "format" : "date", "pattern" : "^x", "maxLength" : 50}), "/format /pattern /type"},
    {S({"type" : "string", "minLength" : 3, "maxLength" : 2}), "/minLength /maxLength /type"},
    {S({"required" : [ "b", "a" ], "properties" : {"a" : false, "b" : true}, "type" : "object"}),
     "/properties/a /required/1 /type"},
    {S({
         "type" : "object",
         "required" : ["a"],
         "properties" : {"a" : {"minimum" : 5, "maximum" : 9}},
         "allOf" : [ {"properties" : {"a" : {"type" : "integer", "maximum" : 3}}} ]
     }),
     "/properties/a/minimum /allOf/0/properties/a/maximum /allOf/0/properties/a/type /type /required/0"},
    {S({"type" : "object", "additionalProperties" : false, "required" : ["a"], "properties" : {"b" : true}}),
     "/additionalProperties /type /required/0"},
    {S({
         "type" : "object",
         "patternProperties" : {"^a" : {"type" : "string"}},
         "properties" : {"ab" : {"type" : "integer"}},
         "required" : ["ab"]
     }),
     "/patternProperties/^a/type /properties/ab/type /type /required/0"},
    {S({"type" : "object", "minProperties" : 2, "propertyNames" : {"enum" : ["a"]}}),
     "/propertyNames/enum /minProperties /type"},
    {S({"type" : "object", "minProperties" : 3, "maxProperties" : 2}), "/minProperties /maxProperties /type"},
    {S({"type" : "object", "required" : [ "a", "b" ], "maxProperties" : 1}),
     "/maxProperties /type /required/0 /required/1"},
    {S({"type" : "object", "dependentRequired" : {"a" : ["b"]}, "required" : ["a"], "properties" : {"b" : false}}),
     "/properties/b /dependentRequired /type /required/0"},
    {S({
         "type" : "object",
         "required" : ["a"],
         "allOf" : [ {"properties" : {"b" : true}} ],
         "unevaluatedProperties" : false
     }),
     "/unevaluatedProperties /type /required/0"},
    {S({"type" : "array", "items" : {"type" : "boolean"}, "minItems" : 3, "uniqueItems" : true}),
     "/items/type /minItems /uniqueItems /type"},
    {S({"type" : "array", "contains" : {"type" : "string"}, "items" : {"type" : "integer"}}),
     "/contains/type /items/type /type"},
    {S({"type" : "array", "contains" : true, "minContains" : 3, "maxContains" : 2}),
     "/contains /minContains /maxContains /type"},
    {S({"type" : "array", "prefixItems" : [ true, {"type" : "null", "enum" : [1]} ], "minItems" : 2}),
     "/prefixItems/1/enum /prefixItems/1/type /minItems /type"},
    {S({"type" : "array", "minItems" : 3, "maxItems" : 2, "items" : {"type" : "null"}}), "/minItems /maxItems /type"},
    /* recursion that never ends */
    {S({"type" : "array", "items" : {"$ref" : "#"}, "minItems" : 1}), "/items/$ref /minItems /type"},
    {S({
         "$ref" : "#/$defs/x",
         "$defs" : {"x" : {"type" : "object", "required" : ["y"], "properties" : {"y" : {"$ref" : "#/$defs/x"}}}}
     }),
     "/$defs/x/properties/y/$ref /$ref /$defs/x/type /$defs/x/required/0"},
    /* combinators */
    {S({"type" : "integer", "anyOf" : [ {"minimum" : 5}, {"const" : "x"} ], "maximum" : 3}),
     "/anyOf/0/minimum /anyOf/1/const /maximum /type"},
    {S({"oneOf" : [ {"type" : "null"}, {"type" : "null"} ]}), "/oneOf"},
    {S({"oneOf" : [ {"type" : "null", "const" : 1}, {"type" : "string", "enum" : []} ], "minimum" : 3}),
     "/oneOf/0/const /oneOf/1/enum /oneOf/0/type"},
    {S({"if" : {"type" : "string"}, "then" : {"minLength" : 3}, "type" : "string", "maxLength" : 2}),
     "/if /then/minLength /maxLength /type"},
    {S({
         "type" : "array",
         "contains" : {"const" : 1},
         "maxContains" : 1,
         "prefixItems" : [ {"const" : 1}, {"const" : 1} ],
         "minItems" : 2
     }),
     "/prefixItems/0/const /prefixItems/1/const /contains /maxContains /minItems /type"},
};

static void test_contradictions(void) {
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        art_schema *s;
        art_constraint *c;
        art_error err;
        char text[1024];
        size_t len;
        assert(art_schema_compile(none[i].json, strlen(none[i].json), NULL, NULL, &s, &err) == ART_OK);
        const art_status st = art_constraint_new(s, NULL, NULL, NULL, &c, &err);
        assert(st == ART_E_UNSATISFIABLE && c == NULL && err.draft);
        assert(art_schema_conflict(s, text, sizeof text, &len, &err) == ART_OK && len > 0 && len < sizeof text);
        for (size_t j = 0; j + 1 < len; j++)
            if (!text[j]) text[j] = ' ';
        if (strcmp(text, none[i].pointers) != 0) fprintf(stderr, "%s: %s\n", none[i].json, text);
        assert(strcmp(text, none[i].pointers) == 0);
        assert(art_schema_conflict(s, text, len - 1, &len, &err) == ART_E_LIMIT && len == strlen(none[i].pointers) + 1);
        assert(art_schema_validate(s, (const uint8_t *)"1", 1, &err) == ART_REJECTED); /* the schema is as it was */
        art_schema_free(s);
    }
    art_schema *s;
    art_error err;
    size_t len = 1;
    assert(art_schema_compile("{}", 2, NULL, NULL, &s, &err) == ART_OK);
    assert(art_schema_conflict(s, NULL, 0, &len, &err) == ART_REJECTED && len == 0);
    art_schema_free(s);
}

static void test_conflict_messages(void) {
    static const char many[] = S({"type" : "object", "required" : [ "a", "b", "c", "d", "e" ], "maxProperties" : 4});
    art_schema *s;
    art_constraint *c;
    art_error err;
    assert(art_schema_compile(many, sizeof many - 1, NULL, NULL, &s, &err) == ART_OK);
    assert(art_constraint_new(s, NULL, NULL, NULL, &c, &err) == ART_E_UNSATISFIABLE);
    assert(strcmp(err.path, "/maxProperties") == 0 && strcmp(err.keyword, "maxProperties") == 0 && err.draft == 2020);
    assert(strcmp(err.msg,
                  "no value fits: /maxProperties, /type, /required/0, /required/1, /required/2 and 2 more can not "
                  "hold together") == 0);
    art_schema_free(s);
    /* a keyword in another document */
    static const char other[] = S({"$schema" : "http://json-schema.org/draft-07/schema#", "maximum" : 3});
    static const char from[] = S({"$ref" : "http://x/other", "type" : "integer", "minimum" : 4});
    const art_resource registry[] = {{"http://x/other", 14, other, sizeof other - 1}};
    const art_schema_opts opts = {.registry = registry, .n_registry = 1};
    assert(art_schema_compile(from, sizeof from - 1, &opts, NULL, &s, &err) == ART_OK);
    assert(art_constraint_new(s, NULL, NULL, NULL, &c, &err) == ART_E_UNSATISFIABLE);
    assert(strcmp(err.msg, "no value fits: /minimum, http://x/other#/maximum, /$ref and /type can not hold together") ==
           0);
    art_schema_free(s);
}

static bool tell_conflict(const art_alloc *alloc) {
    static const char text[] = S({
        "type" : "object",
        "required" : ["a"],
        "oneOf" : [ {"properties" : {"a" : {"type" : "string", "enum" : [1]}}}, {"type" : "array"} ]
    });
    art_schema *s = NULL;
    art_constraint *c;
    art_error err;
    art_status st = art_schema_compile(text, sizeof text - 1, NULL, alloc, &s, &err);
    if (st == ART_OK) st = art_constraint_new(s, NULL, NULL, alloc, &c, &err);
    assert(st == ART_E_UNSATISFIABLE || st == ART_E_NOMEM);
    if (st == ART_E_UNSATISFIABLE)
        assert(strcmp(err.msg,
                      "no value fits: /oneOf/0/properties/a/enum, /oneOf/0/properties/a/type, /type, /required/0 "
                      "and /oneOf/1/type can not hold together") == 0);
    art_schema_free(s);
    return st == ART_E_UNSATISFIABLE;
}

/* Several disjunctions of patterns are one language: their combinations are not written out. */
static void test_text_clauses(void) {
    static char text[20000];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"type\":\"string\",\"maxLength\":12,\"allOf\":[");
    for (int i = 0; i < 5; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n,
            "{\"anyOf\":[{\"pattern\":\"%c\"},{\"pattern\":\"^x\"},{\"not\":{\"pattern\":\"%c|y\"}}]},", 'a' + i,
            'A' + i);
    n += (size_t)snprintf(
        text + n, sizeof text - n,
        "{\"oneOf\":[{\"pattern\":\"1\"},{\"pattern\":\"2\"},{\"type\":\"null\"}]},"
        "{\"if\":{\"pattern\":\"z\"},\"then\":{\"pattern\":\"zz\"},\"else\":{\"$ref\":\"#/$defs/q\"}}],"
        "\"$defs\":{\"q\":{\"anyOf\":[{\"pattern\":\"q$\"},{\"pattern\":\"^q\"}]}}}");
    assert(n < sizeof text);
    assert(fits(text, NULL, "\"x1q\"") && fits(text, NULL, "\"q2\"") && fits(text, NULL, "\"1zz\""));
    assert(!fits(text, NULL, "\"x12q\"") && !fits(text, NULL, "\"x1\"") && !fits(text, NULL, "\"1z\""));
    assert(!fits(text, NULL, "\"q2A\"") && fits(text, NULL, "\"q2Aa\"") && !fits(text, NULL, "\"q1y\""));
    assert(!fits(text, NULL, "\"x1qqqqqqqqqqq\""));
}

/* Cases that are told apart by one member do not multiply. */
static void test_cases_by_a_member(void) {
    static char text[40000];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"type\":\"object\",\"allOf\":[");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n,
            "%s{\"if\":{\"properties\":{\"k\":{\"const\":\"c%d\"}}%s},\"then\":{\"required\":[\"r%d\"]}%s}",
            i ? "," : "", i, i % 3 ? ",\"required\":[\"k\"]" : "", i,
            i % 20 ? "" : ",\"else\":{\"properties\":{\"x\":{\"type\":\"null\"}}}");
    snprintf(text + n, sizeof text - n, "]}");
    assert(fits(text, NULL, S({"k" : "c1", "r1" : 0, "x" : null})) && !fits(text, NULL, S({"k" : "c1", "x" : null})));
    assert(!fits(text, NULL, S({"k" : "c1", "r1" : 0, "x" : 1})) && !fits(text, NULL, "{}"));
    assert(fits(text, NULL, S({"k" : "else"})) && !fits(text, NULL, S({"k" : "else", "x" : 1})));
    n = (size_t)snprintf(text, sizeof text, "{\"type\":\"object\",\"oneOf\":[");
    for (int i = 0; i < 9; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n,
            "%s{\"properties\":{\"a\":{\"type\":\"string\"},\"k%d\":{\"type\":\"string\"},\"l%d\":{\"type\":\"null\"}},"
            "\"required\":[\"k%d\"]}",
            i ? "," : "", i, i % 2, i);
    snprintf(text + n, sizeof text - n, "]}");
    assert(fits(text, NULL, S({"k1" : ""})) && fits(text, NULL, S({"k1" : "", "k2" : 3})) &&
           !fits(text, NULL, S({"a" : ""})));
    assert(!fits(text, NULL, S({"k1" : "", "k2" : ""})) && fits(text, NULL, S({"k1" : "", "k2" : "", "l0" : 1})));
}

/* Nests that would multiply end in an answer or in a clear error, soon. */
static void test_limits(void) {
    char text[60000];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"allOf\":[");
    for (int i = 0; i < 40; i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n,
                             "%s{\"anyOf\":[{\"required\":[\"a%d\"]},{\"minProperties\":%d}]}", i ? "," : "", i, i + 1);
    n += (size_t)snprintf(text + n, sizeof text - n, "]}");
    art_schema *s;
    art_constraint *c;
    art_error err;
    assert(art_schema_compile(text, n, NULL, NULL, &s, &err) == ART_OK);
    const art_status st = art_constraint_new(s, NULL, NULL, NULL, &c, &err);
    assert(st == ART_OK || (st == ART_E_LIMIT && err.msg[0]));
    art_constraint_free(c);
    art_schema_free(s);
    for (size_t depth = 0; depth < 600; depth++) memcpy(text + depth * 7, "{\"not\":", 7);
    assert(art_schema_compile(text, 4200, NULL, NULL, &s, &err) == ART_E_LIMIT);
    const art_schema_opts small = {.memory_max = 20000};
    assert(art_schema_compile("{}", 2, &small, NULL, &s, &err) == ART_OK || err.code == ART_E_LIMIT);
    art_schema_free(s);
    const art_schema_opts wrong = {.default_draft = 3};
    assert(art_schema_compile("{}", 2, &wrong, NULL, &s, &err) == ART_E_ARG);
}

static bool look_ahead(const art_alloc *alloc, bool closely) {
    static const char text[] = S({
        "properties" : {
            "fine" : {"type" : "array", "items" : {"pattern" : "^a+$"}},
            "empty" : {"type" : "string", "minLength" : 3, "maxLength" : 2},
            "late" : {"type" : "array", "contains" : true, "minContains" : 100000}
        },
        "patternProperties" : {"^x" : {"enum" : []}, "y$" : {"type" : "array", "minItems" : 3, "maxItems" : 1}}
    });
    art_schema *s = NULL;
    art_survey v;
    art_error err, found[8];
    size_t n = 0;
    art_status st = art_schema_compile(text, sizeof text - 1, NULL, alloc, &s, &err);
    if (st == ART_OK) st = art_schema_survey(s, &v, found, 8, &n, &err);
    assert(st == ART_OK || st == ART_E_NOMEM);
    if (st == ART_OK && closely) {
        static const char *const expected[][2] = {{"/properties/late", "contains"},
                                                  {"/properties/empty/minLength", "minLength"},
                                                  {"/patternProperties/^x/enum", "enum"},
                                                  {"/patternProperties/y$/minItems", "minItems"}};
        for (size_t i = 0; i < 4; i++) {
            size_t j = 0;
            while (j < n && strcmp(found[j].path, expected[i][0]) != 0) j++;
            assert(j < n && strcmp(found[j].keyword, expected[i][1]) == 0);
            assert((found[j].code == ART_E_UNSATISFIABLE) == (i > 0));
        }
        assert(n == 4 && v.is_complete && v.draft == 2020 && v.n_places >= 7 && v.n_parts >= 5 && v.n_states > 2);
        assert(v.memory == art_schema_memory(s));
        assert(art_schema_survey(s, &v, NULL, 0, &n, &err) == ART_OK && n >= 4);
        assert(art_schema_validate(s, (const uint8_t *)"3", 1, &err) != ART_REJECTED);
    }
    art_schema_free(s);
    return st == ART_OK;
}

int main(void) {
    test_refused();
    test_drafts();
    test_references();
    test_metaschemas();
    test_counted_items();
    test_some_member();
    test_uris();
    test_contradictions();
    test_conflict_messages();
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    FAIL_EVERY_ALLOCATION(&h, tell_conflict(&alloc));
    FAIL_EVERY_ALLOCATION(&h, look_ahead(&alloc, false));
    assert(look_ahead(NULL, true));
    test_text_clauses();
    test_cases_by_a_member();
    test_limits();
    return 0;
}
