/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON text byte by byte: spelling, forced bytes, completions, embedded values, undo, threads, and refused allocations. */
#include "harness.h"

#include "json_walk.h"

#include <pthread.h>

#define S(...) #__VA_ARGS__

typedef struct fixture {
    art_schema *s;
    arti_json_constraint *c;
    arti_run *r;
} fixture;

static fixture make(const char *schema, const art_constraint_opts *opts, bool embedded) {
    fixture f;
    art_error err;
    const art_status st = art_schema_compile(schema, strlen(schema), NULL, NULL, &f.s, &err);
    if (st != ART_OK) fprintf(stderr, "%s: %s\n", schema, err.msg);
    assert(st == ART_OK);
    assert(arti_json_constraint_new(f.s, NULL, opts, NULL, &f.c, &err) == ART_OK);
    assert(arti_json_run_new(f.c, embedded, &f.r, &err) == ART_OK);
    return f;
}

static void drop(fixture *f) {
    f->r->ops->free(f->r);
    arti_json_constraint_free(f->c);
    art_schema_free(f->s);
}

static size_t feed(arti_run *r, const char *text) {
    size_t taken;
    const art_status st = r->ops->step(r, (const uint8_t *)text, strlen(text), &taken);
    assert((st == ART_OK) == (taken == strlen(text)));
    return taken;
}

static void expect_shortest(arti_run *r, const char *text) {
    uint8_t buf[4096];
    size_t len;
    assert(r->ops->shortest(r, buf, sizeof buf, &len) == ART_OK);
    if (len != strlen(text) || memcmp(buf, text, len) != 0)
        fprintf(stderr, "%.*s instead of %s\n", (int)len, (char *)buf, text);
    assert(len == strlen(text) && memcmp(buf, text, len) == 0);
    assert(r->ops->shortest_len(r) == len);
    assert(len == 0 || r->ops->shortest(r, buf, len - 1, &len) == ART_E_LIMIT);
}

static void expect_forced(arti_run *r, const char *text) {
    uint8_t buf[256];
    size_t len;
    assert(r->ops->forced(r, buf, sizeof buf, &len) == ART_OK);
    if (len != strlen(text) || memcmp(buf, text, len) != 0)
        fprintf(stderr, "%.*s instead of %s\n", (int)len, (char *)buf, text);
    assert(len == strlen(text) && memcmp(buf, text, len) == 0);
}

static void test_forced_and_shortest(void) {
    fixture f =
        make(S({
                 "type" : "object",
                 "properties" : {"name" : {"enum" : [ "left", "lever" ]}, "n" : {"type" : "integer", "minimum" : 7}},
                 "required" : ["name"],
                 "additionalProperties" : false
             }),
             NULL, false);
    expect_forced(f.r, "{\"n");
    expect_shortest(f.r, "{\"name\":\"left\"}");
    assert(feed(f.r, "{\"na") == 4);
    expect_forced(f.r, "me\":\"le");
    expect_shortest(f.r, "me\":\"left\"}");
    assert(feed(f.r, "me\" : \"lev") == 10);
    expect_forced(f.r, "er\"");
    assert(feed(f.r, "er\",") == 4);
    expect_forced(f.r, "\"n\":");
    expect_shortest(f.r, "\"n\":7}");
    assert(feed(f.r, "\"n\":1") == 5);
    expect_shortest(f.r, "0}");
    assert(!f.r->ops->is_complete(f.r));
    assert(f.r->ops->undo(f.r, 2) == ART_OK);
    expect_forced(f.r, "er\"");
    assert(f.r->ops->undo(f.r, 9) == ART_E_ARG);
    drop(&f);
}

static void test_spelling(void) {
    fixture f = make(S({"type" : "string", "pattern" : "^\\u00e9a$"}), NULL, false);
    assert(feed(f.r, "\"\\u00E9\\u0061\"") == 14);
    assert(f.r->ops->is_complete(f.r));
    assert(f.r->ops->reset(f.r) == ART_OK);
    assert(feed(f.r, "\"\\u00e8") == 6); /* the last digit is wrong */
    drop(&f);
    f = make(S({"type" : "string", "maxLength" : 1}), NULL, false);
    assert(feed(f.r, "\"\\ud83d\\ude00\"") == 14); /* one character */
    assert(f.r->ops->reset(f.r) == ART_OK);
    assert(feed(f.r, "\"\\ud83d\"") == 7); /* a lone surrogate is no character */
    assert(f.r->ops->reset(f.r) == ART_OK);
    assert(feed(f.r, "\"\\udc00") == 4);
    drop(&f);
    f = make(S({"type" : "object", "additionalProperties" : {"type" : "null"}}), NULL, false);
    assert(feed(f.r, "{\"a\":null,\"\\u0061\":") == 17); /* the same key, spelled otherwise */
    drop(&f);
}

static void test_order_and_space(void) {
    const art_constraint_opts ordered = {.property_order = ART_ORDER_SCHEMA, .whitespace = ART_WS_COMPACT};
    fixture f = make(S({"type" : "object", "properties" : {"b" : true, "a" : true, "c" : true}, "required" : ["a"]}),
                     &ordered, false);
    assert(feed(f.r, "{\"c\"") == 2); /* "a" could not come any more, neither could it after another key */
    assert(f.r->ops->reset(f.r) == ART_OK);
    assert(feed(f.r, "{\"b\":1,\"a\":2,\"b\"") == 15); /* "b" again */
    expect_shortest(f.r, "a\":0}");                    /* another key begins like that */
    drop(&f);
    const art_constraint_opts two = {.whitespace = 3};
    f = make("true", &two, false);
    assert(feed(f.r, "  [") == 3);
    assert(feed(f.r, "   ") == 2);
    drop(&f);
}

static void test_embedded(void) {
    fixture f = make(S({"type" : "integer"}), NULL, true);
    size_t taken;
    assert(f.r->ops->step(f.r, (const uint8_t *)"12}", 3, &taken) == ART_OK && taken == 2);
    assert(f.r->ops->is_complete(f.r) && !f.r->ops->is_closed(f.r));
    drop(&f);
    f = make(S({"type" : "object"}), NULL, true);
    assert(f.r->ops->step(f.r, (const uint8_t *)"{} ", 3, &taken) == ART_OK && taken == 2);
    assert(f.r->ops->is_closed(f.r));
    drop(&f);
}

/* Long output does not make the run's memory grow without bound, and long undo works. */
static void test_long(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_schema *s;
    arti_json_constraint *c;
    arti_run *r;
    art_error err;
    static const char schema[] =
        S({"type" : "array", "items" : {"type" : "object", "properties" : {"a" : {"type" : "integer"}}}});
    assert(art_schema_compile(schema, strlen(schema), NULL, &alloc, &s, &err) == ART_OK);
    assert(arti_json_constraint_new(s, NULL, NULL, &alloc, &c, &err) == ART_OK);
    assert(arti_json_run_new(c, false, &r, &err) == ART_OK);
    assert(feed(r, "[{\"a\":1}") == 8);
    size_t early = 0;
    for (int i = 0; i < 30000; i++) {
        assert(feed(r, ",{\"a\":1}") == 8);
        if (i == 6000) early = h.bytes;
    }
    assert(h.bytes < early * 2 + (1u << 20));
    assert(r->ops->undo(r, ART_ROLLBACK_MAX + 1) == ART_E_ARG);
    assert(r->ops->undo(r, ART_ROLLBACK_MAX) == ART_OK);
    assert(feed(r, "]") == 1 && r->ops->is_complete(r));
    r->ops->free(r);
    arti_json_constraint_free(c);
    art_schema_free(s);
    assert(h.live == 0);
}

/* ------------------------------------------------------------------ refused allocations */

static bool whole_life(const art_alloc *alloc, const char *schema, const char *text) {
    art_schema *s = NULL;
    arti_json_constraint *c = NULL;
    arti_run *r = NULL, *copy = NULL;
    art_error err;
    bool done = false;
    art_vocab *v = walk_vocab(alloc, &err);
    size_t taken, len;
    uint32_t words[WALK_WORDS];
    uint8_t buf[512];
    if (v && art_schema_compile(schema, strlen(schema), NULL, alloc, &s, &err) == ART_OK &&
        arti_json_constraint_new(s, v, NULL, alloc, &c, &err) == ART_OK &&
        arti_json_run_new(c, false, &r, &err) == ART_OK) {
        done = true;
        for (const char *p = text; *p && done; p++) {
            done = r->ops->fill(r, words, NULL, &err) == ART_OK &&
                   r->ops->step(r, (const uint8_t *)p, 1, &taken) == ART_OK &&
                   r->ops->shortest(r, buf, sizeof buf, &len) == ART_OK;
        }
        done = done && r->ops->copy(r, &copy) == ART_OK;
        if (copy) copy->ops->free(copy);
    }
    if (r) r->ops->free(r);
    arti_json_constraint_free(c);
    art_schema_free(s);
    art_vocab_free(v);
    return done;
}

static void test_refused_allocations(void) {
    static const struct {
        const char *schema, *text;
    } lives[] = {
        {S({
             "type" : "object",
             "properties" : {"a" : {"type" : "string", "pattern" : "^a+$", "maxLength" : 5}},
             "required" : ["a"]
         }),
         "{\"x\":[1],\"a\":\"a\"}"},
        {S({"oneOf" : [ {"required" : ["a"]}, {"required" : ["b"]} ], "type" : "object", "minProperties" : 2}),
         "{\"a\":1,\"c\":\"d\"}"},
        {S({"type" : "array", "uniqueItems" : true, "items" : {"enum" : [ 1, 2, "x" ]}, "contains" : {"const" : 2}}),
         "[1,2]"},
        {S({"type" : "array", "uniqueItems" : true, "minItems" : 12}), "[0"},
        {S({"type" : "array", "uniqueItems" : true, "minItems" : 3, "items" : {"maxLength" : 1, "pattern" : "[ab]?"}}),
         "[\""},
    };
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        harness h;
        const art_alloc alloc = harness_alloc(&h);
        assert(whole_life(&alloc, lives[i].schema, lives[i].text));
        /* Every allocation is one of a few hundred; the vocabulary's come first and have a test of their own. */
        FAIL_EVERY_ALLOCATION(&h, whole_life(&alloc, lives[i].schema, lives[i].text));
    }
}

/* ------------------------------------------------------------------ items that differ */

/* Completions go on where they were with the item before: their time is in proportion to their length. */
static void test_many_items(void) {
    static const char *const schemas[] = {
        S({"type" : "array", "minItems" : 2100, "uniqueItems" : true}),
        S({"type" : "array", "minItems" : 2100, "uniqueItems" : true, "items" : {"type" : "string"}}),
        S({"type" : "array", "minItems" : 2100, "uniqueItems" : true, "items" : {"type" : "integer", "minimum" : 0}}),
        S({"type" : "array", "minItems" : 2100, "uniqueItems" : true, "items" : {"type" : "object"}}),
        S({"type" : "array", "minItems" : 2100, "uniqueItems" : true, "items" : {"type" : "array"}}),
    };
    static uint8_t buf[1 << 16];
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        fixture f = make(schemas[i], NULL, false);
        size_t len;
        assert(f.r->ops->shortest(f.r, buf, sizeof buf, &len) == ART_OK);
        assert(f.r->ops->shortest_len(f.r) == len && len < 2100 * 11);
        assert(art_schema_validate(f.s, buf, len, NULL) == ART_OK);
        drop(&f);
    }
}

/* Strings that are longer than any buffer at first; and than what is tried for one text, which makes the completion longer. */
static void test_long_items(void) {
    static uint8_t buf[1 << 17];
    static const char *const schemas[] = {
        S({"type" : "array", "minItems" : 3, "uniqueItems" : true, "items" : {"type" : "string", "minLength" : 7000}}),
        S({"type" : "array", "minItems" : 3, "uniqueItems" : true, "items" : {"type" : "string", "minLength" : 20000}}),
    };
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        fixture f = make(schemas[i], NULL, false);
        size_t len;
        assert(f.r->ops->shortest(f.r, buf, sizeof buf, &len) == ART_OK);
        assert(i == 0 ? len == 2 + 3 * 7002 + 2 : len >= 2 + 3 * 20002 + 2);
        assert(art_schema_validate(f.s, buf, len, NULL) == ART_OK);
        drop(&f);
    }
}

/* ------------------------------------------------------------------ threads */

typedef struct shared {
    art_schema *s;
    arti_json_constraint *c;
    art_vocab *v;
} shared;

static void *use(void *arg) {
    shared *sh = arg;
    for (uint64_t seed = 0; seed < 3; seed++) {
        arti_run *r;
        art_error err;
        uint32_t words[WALK_WORDS];
        assert(arti_json_run_new(sh->c, false, &r, &err) == ART_OK);
        for (const char *p = "{\"name\":\"foo bar\",\"n\":12,\"list\":[true,null]}"; *p; p++) {
            assert(r->ops->fill(r, words, NULL, &err) == ART_OK);
            assert(arti_bits_test(words, (uint8_t)*p));
            size_t taken;
            assert(r->ops->step(r, (const uint8_t *)p, 1, &taken) == ART_OK);
            assert(r->ops->shortest_len(r) < 100);
        }
        assert(r->ops->is_complete(r));
        r->ops->free(r);
    }
    return NULL;
}

static void test_threads(void) {
    shared sh;
    art_error err;
    static const char schema[] =
        S({"type" : "object", "properties" : {"name" : {"type" : "string", "pattern" : "o b"}}});
    sh.v = walk_vocab(NULL, &err);
    assert(art_schema_compile(schema, strlen(schema), NULL, NULL, &sh.s, &err) == ART_OK);
    assert(arti_json_constraint_new(sh.s, sh.v, NULL, NULL, &sh.c, &err) == ART_OK);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert(pthread_create(&threads[i], NULL, use, &sh) == 0);
    for (int i = 0; i < 4; i++) assert(pthread_join(threads[i], NULL) == 0);
    arti_json_constraint_free(sh.c);
    art_schema_free(sh.s);
    art_vocab_free(sh.v);
}

int main(void) {
    test_forced_and_shortest();
    test_spelling();
    test_order_and_space();
    test_embedded();
    test_long();
    test_refused_allocations();
    test_many_items();
    test_long_items();
    test_threads();
    return 0;
}
