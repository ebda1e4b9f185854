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

static void test_contradictions(void) {
    static const char *const none[] = {
        "false",
        S({"type" : "integer", "minimum" : 3, "maximum" : 2}),
        S({"type" : "string", "pattern" : "^a$", "minLength" : 2}),
        S({"required" : ["a"], "properties" : {"a" : false}, "type" : "object"}),
        S({"type" : "array", "items" : {"$ref" : "#"}, "minItems" : 1}),
        S({"allOf" : [ {"type" : "string"}, {"not" : {"type" : "string"}} ]}),
        S({"type" : "array", "items" : {"type" : "boolean"}, "minItems" : 3, "uniqueItems" : true}),
        S({"type" : "object", "minProperties" : 2, "propertyNames" : {"enum" : ["a"]}}),
        S({"oneOf" : [ {"type" : "null"}, {"type" : "null"} ]}),
        S({"enum" : []}),
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        art_schema *s;
        art_constraint *c;
        art_error err;
        assert(art_schema_compile(none[i], strlen(none[i]), NULL, NULL, &s, &err) == ART_OK);
        const art_status st = art_constraint_new(s, NULL, NULL, NULL, &c, &err);
        if (st != ART_E_UNSATISFIABLE) fprintf(stderr, "%s: %d\n", none[i], (int)st);
        assert(st == ART_E_UNSATISFIABLE && c == NULL);
        art_schema_free(s);
    }
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

int main(void) {
    test_refused();
    test_drafts();
    test_references();
    test_metaschemas();
    test_uris();
    test_contradictions();
    test_limits();
    return 0;
}
