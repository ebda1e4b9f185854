/* SPDX-License-Identifier: Apache-2.0
 *
 * What is expanded ahead of the first output: how much work it is, where it ends, and that nothing depends on it. */
#include "art_prepare.h"

#include "art_json_run.h"
#include "harness.h"

#define S(...) #__VA_ARGS__

static art_schema *compile(const char *text, size_t memory_max) {
    art_schema_opts opts = {.memory_max = memory_max};
    art_error err;
    art_schema *s;
    const art_status st = art_schema_compile(text, strlen(text), &opts, NULL, &s, &err);
    if (st != ART_OK) fprintf(stderr, "%s: %s\n", text, err.msg);
    assert(st == ART_OK);
    return s;
}

static arti_conj root_of(art_schema *s) {
    arti_lit root = s->root;
    const arti_conj c = arti_conj_of(s, &root, 1);
    assert(c != ARTI_CONJ_FAIL && arti_conj_len(s, c) != ARTI_LEN_NONE);
    return c;
}

static arti_prepared prepare(const char *text, uint64_t steps_max) {
    art_schema *s = compile(text, 0);
    const size_t memory_max = s->mem.max;
    const arti_prepared p = arti_prepare(s, root_of(s), steps_max, NULL);
    assert(!arti_faulted(s) && s->mem.max == memory_max && s->norm->steps_end == UINT64_MAX);
    art_schema_free(s);
    return p;
}

static const char plain[] = S({
    "type" : "object",
    "properties" : {
        "a" : {"type" : "string"},
        "b" : {"type" : "integer"},
        "c" : {"type" : "number", "minimum" : 0},
        "d" : {"type" : "boolean"},
        "e" : {"enum" : [ "x", "y" ]},
        "f" : {"type" : "array", "items" : {"type" : "string"}},
        "g" : {"const" : 1},
        "h" : {"type" : "null"},
        "i" : {"type" : "string", "maxLength" : 9},
        "j" : {"type" : "object", "properties" : {"k" : {"type" : "string"}}}
    },
    "required" : ["a"],
    "additionalProperties" : false
});

/* What a schema costs is a matter of counting: these change only when expansion does. */
static void test_cost(void) {
    const arti_prepared p = prepare(plain, ARTI_PREPARE_STEPS_MAX);
    assert(p.is_complete && p.n_goals == 12 && p.n_steps <= 160);
    const arti_prepared list = prepare(S({"items" : {"$ref" : "#"}, "type" : "array"}), 1000);
    assert(list.is_complete && list.n_goals == 1); /* recursion is met once */
}

static void test_budget(void) {
    const uint64_t all = prepare(plain, ARTI_PREPARE_STEPS_MAX).n_steps;
    assert(prepare(plain, all + 1).is_complete && !prepare(plain, all).is_complete);
    for (uint64_t n = 0; n < all; n++) {
        const arti_prepared p = prepare(plain, n);
        assert(!p.is_complete && p.n_steps <= n + 16);
    }
    /* One expansion that is more work than all of it. */
    static const char wide[] = S({
        "properties" : {
            "a" : {
                "allOf" : [
                    {
                        "anyOf" :
                            [ {"required" : ["a"]}, {"required" : ["b"]}, {"required" : ["c"]}, {"required" : ["d"]} ]
                    },
                    {
                        "anyOf" :
                            [ {"required" : ["e"]}, {"required" : ["f"]}, {"required" : ["g"]}, {"required" : ["h"]} ]
                    },
                    {
                        "anyOf" :
                            [ {"required" : ["i"]}, {"required" : ["j"]}, {"required" : ["k"]}, {"required" : ["l"]} ]
                    }
                ]
            }
        }
    });
    const arti_prepared p = prepare(wide, 200);
    assert(!p.is_complete && p.n_steps < 300);
    assert(prepare(wide, ARTI_PREPARE_STEPS_MAX).is_complete);
}

static art_status write_text(arti_run *r, const char *text) {
    size_t taken;
    return r->ops->step(r, (const uint8_t *)text, strlen(text), &taken);
}

/* Whatever was expanded ahead, an output is the same. */
static void test_later(void) {
    for (uint64_t n = 0; n < 200; n += 7) {
        art_schema *s = compile(plain, 0);
        arti_prepare(s, root_of(s), n, NULL);
        arti_json_constraint *c;
        arti_run *r;
        assert(arti_json_constraint_new(s, NULL, NULL, NULL, &c, NULL) == ART_OK);
        assert(arti_json_run_new(c, false, &r, NULL) == ART_OK);
        assert(write_text(r, "{\"j\":{\"k\":\"v\"},\"c\":1.5,\"f\":[\"x\"],\"a\":\"\"}") == ART_OK &&
               r->ops->is_complete(r));
        assert(r->ops->reset(r) == ART_OK && write_text(r, "{\"j\":{\"k\":1") == ART_REJECTED);
        r->ops->free(r);
        arti_json_constraint_free(c);
        art_schema_free(s);
    }
}

static const char refused[] = S({"type" : "array", "not" : {"uniqueItems" : true}, "maxItems" : 3});

/* A constraint of a schema that has `refused` at %s somewhere. */
static art_status constrain(const char *format, art_error *err) {
    char text[20000];
    snprintf(text, sizeof text, format, refused);
    art_schema *s = compile(text, 0);
    arti_json_constraint *c = NULL;
    const art_status st = arti_json_constraint_new(s, NULL, NULL, NULL, &c, err);
    assert((st == ART_OK) == (c != NULL) && !arti_faulted(s) && s->norm->steps_end == UINT64_MAX);
    assert(s->mem.max == ART_SCHEMA_MEMORY_DEFAULT || s->mem.max == 0);
    arti_json_constraint_free(c);
    art_schema_free(s);
    return st;
}

/* What outputs can get to and what can not be expanded is refused when the constraint is made. */
static void test_refusal(void) {
    art_error err;
    assert(constrain("{\"properties\":{\"a\":{\"properties\":{\"b\":%s}}}}", &err) == ART_E_UNSUPPORTED);
    assert(strcmp(err.keyword, "uniqueItems") == 0 && strcmp(err.path, "/properties/a/properties/b") == 0);
    assert(constrain("{\"items\":%s}", &err) == ART_E_UNSUPPORTED);
    assert(constrain("{\"patternProperties\":{\"^a\":%s}}", &err) == ART_E_UNSUPPORTED);
    assert(constrain("{\"additionalProperties\":{\"additionalProperties\":%s}}", &err) == ART_E_UNSUPPORTED);
}

/* Parts that no output gets to refuse nothing: names that may not come, or that there are none of, and items behind one that has no value. */
static void test_unreachable(void) {
    art_error err;
    assert(constrain("{\"properties\":{\"a\":%s},\"propertyNames\":{\"maxLength\":0}}", &err) == ART_OK);
    assert(
        constrain("{\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":false,\"$defs\":{\"d\":%s}}",
                  &err) == ART_OK);
    assert(constrain("{\"prefixItems\":[{\"minimum\":1},{\"$ref\":\"#/$defs/none\"}],\"items\":%s,"
                     "\"$defs\":{\"none\":{\"allOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}}}",
                     &err) == ART_OK);
    assert(constrain("{\"patternProperties\":{\"^a\":%s,\"\":{\"type\":\"string\"}}}", &err) == ART_OK);
}

/* Beyond what is expanded ahead a part is refused when an output gets there, and only there. */
static void test_refused_late(void) {
    char text[20000];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"$defs\":{");
    for (int i = 0; i < 150; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"d%d\":{\"properties\":{\"p\":{\"$ref\":\"#/$defs/d%d\"}}},",
                              i, i + 1);
    snprintf(text + n, sizeof text - n, "\"d150\":%s},\"$ref\":\"#/$defs/d0\"}", refused);
    art_schema *s = compile(text, 0);
    assert(!arti_prepare(s, root_of(s), 500, NULL).is_refused && !arti_faulted(s));
    assert(arti_prepare(s, root_of(s), 1000000, NULL).is_refused && arti_faulted(s));
    art_schema_free(s);
}

/* Most of the memory is left for what is written. */
static void test_memory(void) {
    static char text[40000];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"properties\":{");
    for (int i = 0; i < 400; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%s\"n%d\":{\"items\":{\"properties\":{\"m%d\":{\"maxLength\":%d}}}}", i ? "," : "", i, i,
                              i);
    snprintf(text + n, sizeof text - n, "}}");
    art_schema *s = compile(text, 0);
    const arti_conj root = root_of(s);
    s->mem.max = s->mem.used + 200000;
    const size_t before = s->mem.used;
    const arti_prepared p = arti_prepare(s, root, 1000000, NULL);
    assert(!p.is_complete && !p.is_refused && !arti_faulted(s) && !s->mem.over_limit);
    assert(s->mem.used - before <= 50000 && s->mem.max == before + 200000);
    s->mem.max = 0;
    assert(arti_prepare(s, root, 1000000, NULL).is_complete);
    art_schema_free(s);
}

int main(void) {
    test_cost();
    test_budget();
    test_later();
    test_refusal();
    test_unreachable();
    test_refused_late();
    test_memory();
    return 0;
}
