/* SPDX-License-Identifier: Apache-2.0
 *
 * Constraints of every kind, used as programs use them, under two difficulties:
 *   threads      many at once on one constraint: each gets the masks that it gets alone (run under -DART_SANITIZE=thread as well)
 *   allocations  any one of them refused: the call says so and nothing has changed, the same call then gives what it would have given;
 *                all from some point on: everything is freed
 * The kinds: each group of keywords that has code of its own (keys beside patterns, arrays whose items differ, counters, alternatives,
 * formats, numbers), both property orders, all whitespace modes, dialogues. */
#include "harness.h"

#include "art_bits.h"
#include "json_walk.h"

#include <pthread.h>

#define S(...) #__VA_ARGS__

typedef struct kind {
    const char *schema;
    art_order order;
    uint32_t whitespace;
} kind;

static const kind kinds[] = {
    {S({
         "type" : "object",
         "properties" : {
             "name" : {"type" : "string", "pattern" : "^[a-z]{2,9}$"},
             "n" : {"type" : "number", "minimum" : 0, "maximum" : 10, "multipleOf" : 0.5},
             "kind" : {"enum" : [ "foo", "foobar", 12, {"a" : [1]} ]}
         },
         "required" : [ "name", "kind" ],
         "additionalProperties" : false
     }),
     ART_ORDER_ANY, ART_WS_ANY},
    {S({
         "type" : "object",
         "patternProperties" : {"^x-" : {"type" : "integer"}, "a$" : {"minimum" : 5}},
         "propertyNames" : {"maxLength" : 6},
         "minProperties" : 2,
         "maxProperties" : 3
     }),
     ART_ORDER_ANY, ART_WS_COMPACT},
    {S({
         "type" : "object",
         "patternProperties" : {"^[ab]+$" : {"type" : "boolean"}},
         "additionalProperties" : {"type" : "string", "format" : "date"},
         "dependentRequired" : {"a" : ["b"]}
     }),
     ART_ORDER_SCHEMA, 2},
    {S({
         "type" : "array",
         "uniqueItems" : true,
         "items" : {"enum" : [ 1, 12, 123, "a", "ab", [], [1], { "a" : 1 } ]},
         "minItems" : 2,
         "maxItems" : 6
     }),
     ART_ORDER_ANY, 2},
    {S({
         "type" : "array",
         "uniqueItems" : true,
         "items" : {"type" : [ "string", "array" ], "maxLength" : 3, "items" : {"type" : "boolean"}, "maxItems" : 2}
     }),
     ART_ORDER_ANY, ART_WS_COMPACT},
    {S({
         "type" : "array",
         "prefixItems" : [ {"type" : "string", "format" : "ipv4"}, {"type" : "integer"} ],
         "contains" : {"const" : 12},
         "minContains" : 1,
         "maxContains" : 2,
         "maxItems" : 6
     }),
     ART_ORDER_ANY, ART_WS_ANY},
    {S({
         "oneOf" : [
             {"properties" : {"kind" : {"const" : "a"}, "foo" : {"type" : "string"}}, "required" : [ "kind", "foo" ]},
             {"properties" : {"kind" : {"const" : "b"}, "bar" : {"type" : "integer"}},
              "required" : [ "kind", "bar" ]}
         ],
         "type" : "object",
         "unevaluatedProperties" : false
     }),
     ART_ORDER_SCHEMA, ART_WS_SPACED},
    {S({
         "$defs" : {
             "t" : {
                 "type" : "object",
                 "properties" : {"a" : {"$ref" : "#/$defs/t"}, "name" : {"type" : "string"}},
                 "if" : {"required" : ["a"]},
                 "then" : {"required" : ["name"]},
                 "not" : {"required" : ["foo"]}
             }
         },
         "anyOf" : [ {"$ref" : "#/$defs/t"}, {"type" : "array", "items" : {"$ref" : "#/$defs/t"}, "maxItems" : 2} ]
     }),
     ART_ORDER_ANY, ART_WS_SPACED},
    {"true", ART_ORDER_ANY, ART_WS_ANY},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_CONSTRAINTS = N_KINDS + 1 };

static art_constraint *make_json(const kind *k, art_vocab *v, const art_alloc *alloc) {
    art_schema *s;
    art_constraint *c;
    art_error err;
    if (art_schema_compile(k->schema, strlen(k->schema), NULL, alloc, &s, &err) != ART_OK) {
        assert(err.code == ART_E_NOMEM);
        return NULL;
    }
    const art_constraint_opts opts = {.property_order = k->order, .whitespace = k->whitespace};
    const art_status status = art_constraint_new(s, v, &opts, alloc, &c, &err);
    assert(status == ART_OK || status == ART_E_NOMEM);
    art_schema_free(s);
    return c;
}

static art_constraint *make_dialog(art_vocab *v, const art_alloc *alloc) {
    art_constraint *args[2] = {make_json(&kinds[0], v, alloc), NULL}, *c = NULL;
    if (args[0]) args[1] = make_json(&kinds[3], v, alloc);
    if (args[1]) {
        const art_dialog_tool tools[] = {{{"foo", 3}, args[0]}, {{"foobar", 6}, args[1]}};
        const art_dialog_spec spec = {.begin = {"<call>", 6},
                                      .name_prefix = {"{\"name\": \"", 10},
                                      .args_prefix = {"\", \"arguments\": ", 16},
                                      .call_suffix = {"}", 1},
                                      .end = {"</call>", 7},
                                      .reasoning_open = {"<t>", 3},
                                      .reasoning_close = {"</t>", 4},
                                      .begin_token = -1,
                                      .end_token = -1,
                                      .tools = tools,
                                      .n_tools = 2,
                                      .choice = ART_CHOICE_REQUIRED};
        art_error err;
        const art_status status = art_constraint_dialog(&spec, v, alloc, &c, &err);
        assert(status == ART_OK || status == ART_E_NOMEM);
    }
    art_constraint_free(args[0]);
    art_constraint_free(args[1]);
    return c;
}

static art_constraint *make(size_t which, art_vocab *v, const art_alloc *alloc) {
    return which < N_KINDS ? make_json(&kinds[which], v, alloc) : make_dialog(v, alloc);
}

/* ------------------------------------------------------------------ walks */

typedef struct walker {
    art_constraint *c;
    uint64_t seed, digest;
    harness *heap; /* NULL, or where a refused allocation is granted when it is asked for again */
} walker;

/* Does it once more when it failed for want of memory. */
#define AGAIN(w, call)                                                                                                 \
    do {                                                                                                               \
        art_status status_ = (call);                                                                                   \
        if (status_ == ART_E_NOMEM && (w)->heap) {                                                                     \
            (w)->heap->budget = -1;                                                                                    \
            status_ = (call);                                                                                          \
        }                                                                                                              \
        if (status_ != ART_OK) fprintf(stderr, "%s\n", art_status_name(status_));                                      \
        assert(status_ == ART_OK);                                                                                     \
    } while (0)

static void mix(walker *w, uint64_t value) {
    w->digest = (w->digest ^ value) * UINT64_C(1099511628211);
}

static void look(walker *w, art_matcher *m) {
    uint8_t buf[256];
    size_t len;
    AGAIN(w, art_matcher_forced(m, buf, sizeof buf, &len));
    for (size_t i = 0; i < len; i++) mix(w, buf[i]);
    art_status status = art_matcher_shortest(m, buf, sizeof buf, &len);
    if (status == ART_E_NOMEM && w->heap) {
        w->heap->budget = -1;
        status = art_matcher_shortest(m, buf, sizeof buf, &len);
    }
    assert(status == ART_OK || status == ART_E_LIMIT);
    mix(w, len);
    mix(w, (uint64_t)art_matcher_is_complete(m));
}

static void walk_once(walker *w, art_matcher *m, int n_steps) {
    uint32_t words[WALK_WORDS], n;
    AGAIN(w, art_matcher_reset(m));
    for (int step = 0; step < n_steps; step++) {
        AGAIN(w, art_matcher_fill_mask(m, words, WALK_WORDS, &n, NULL));
        assert(n > 0);
        for (size_t i = 0; i < WALK_WORDS; i++) mix(w, words[i]);
        uint32_t id = (uint32_t)(harness_random(&w->seed) % (WALK_N_TOKENS + 1));
        while (!arti_bits_test(words, id)) id = (id + 1) % (WALK_N_TOKENS + 1);
        AGAIN(w, art_matcher_allows(m, id));
        AGAIN(w, art_matcher_accept(m, id));
        if (art_matcher_is_ended(m)) return;
        if (step % 4 == 1) look(w, m);
        if (step % 7 == 3) {
            art_matcher *copy;
            AGAIN(w, art_matcher_copy(m, &copy, NULL));
            AGAIN(w, art_matcher_rollback(copy, 2));
            AGAIN(w, art_matcher_fill_mask(copy, words, WALK_WORDS, &n, NULL));
            for (size_t i = 0; i < WALK_WORDS; i++) mix(w, words[i]);
            art_matcher_free(copy);
        }
    }
}

static void *walk_many(void *arg) {
    walker *w = arg;
    art_matcher *m;
    w->digest = 1469598103934665603u;
    AGAIN(w, art_matcher_new(w->c, &m, NULL));
    for (int round = 0; round < (w->heap ? 1 : 4); round++) walk_once(w, m, w->heap ? 12 : 25);
    art_matcher_free(m);
    return NULL;
}

/* ------------------------------------------------------------------ threads */

static void test_threads(art_vocab *v) {
    enum { N = 4 };
    for (size_t which = 0; which < N_CONSTRAINTS; which++) {
        walker alone[N], shared[N];
        pthread_t thread[N];
        for (uint64_t i = 0; i < N; i++) {
            alone[i] = (walker){.c = make(which, v, NULL), .seed = 77 + i};
            walk_many(&alone[i]);
            art_constraint_free(alone[i].c);
        }
        art_constraint *c = make(which, v, NULL);
        for (uint64_t i = 0; i < N; i++) {
            shared[i] = (walker){.c = c, .seed = 77 + i};
            assert(pthread_create(&thread[i], NULL, walk_many, &shared[i]) == 0);
        }
        for (int i = 0; i < N; i++) {
            assert(pthread_join(thread[i], NULL) == 0);
            assert(shared[i].digest == alone[i].digest);
        }
        art_constraint_free(c);
    }
}

/* ------------------------------------------------------------------ refused allocations */

/* Every allocation after the first n is refused: whatever was made so far is freed. */
static bool whole_life(size_t which, art_vocab *v, const art_alloc *alloc) {
    art_constraint *c = make(which, v, alloc);
    art_matcher *m = NULL;
    uint32_t words[WALK_WORDS], n;
    uint64_t seed = 5;
    bool ok = c && art_matcher_new(c, &m, NULL) == ART_OK;
    for (int step = 0; ok && step < 6; step++) {
        ok = art_matcher_fill_mask(m, words, WALK_WORDS, &n, NULL) == ART_OK;
        if (!ok) break;
        uint32_t id = (uint32_t)(harness_random(&seed) % WALK_N_TOKENS);
        while (!arti_bits_test(words, id)) id = (id + 1) % (WALK_N_TOKENS + 1);
        ok = art_matcher_accept(m, id) == ART_OK;
        if (art_matcher_is_ended(m)) break;
    }
    art_matcher_free(m);
    art_constraint_free(c);
    return ok;
}

/* The n-th allocation of a walk is refused, and granted when the call is made again: the walk is what it was. */
static void test_one_refused(size_t which, art_vocab *v) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    walker reference = {.c = make(which, v, &alloc), .seed = 9, .heap = &h};
    walk_many(&reference);
    art_constraint_free(reference.c);
    bool refused = true;
    for (long n = 0; refused; n += 1 + n / 8) {
        walker w = {.c = make(which, v, &alloc), .seed = 9, .heap = &h};
        h.budget = n;
        walk_many(&w);
        refused = h.budget == -1;
        h.budget = -1;
        assert(w.digest == reference.digest);
        art_constraint_free(w.c);
        assert(h.live == 0);
    }
}

int main(void) {
    art_error err;
    art_vocab *v = walk_vocab(NULL, &err);
    assert(v);
    test_threads(v);
    for (size_t which = 0; which < N_CONSTRAINTS; which++) {
        harness h;
        const art_alloc alloc = harness_alloc(&h);
        FAIL_EVERY_ALLOCATION(&h, whole_life(which, v, &alloc));
        test_one_refused(which, v);
    }
    art_vocab_free(v);
    return 0;
}
