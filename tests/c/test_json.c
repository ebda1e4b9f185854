/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_digest.h"

static harness heap;
static art_alloc alloc;

typedef struct doc {
    arti_mem mem;
    arti_arena arena;
    const arti_json *v;
    art_error err;
    art_status status;
} doc;

static void parse_depth(doc *d, const char *text, size_t len, uint32_t depth) {
    arti_mem_init(&d->mem, &alloc, 0);
    arti_arena_init(&d->arena, &d->mem);
    memset(&d->err, 0, sizeof d->err);
    d->status = arti_json_parse(&d->arena, &d->mem, text, len, depth, &d->v, &d->err);
}

static void parse(doc *d, const char *text) {
    parse_depth(d, text, strlen(text), 64);
}
static void release(doc *d) {
    arti_arena_free(&d->arena);
}

static void expect_error(const char *text, art_status code, size_t pos) {
    doc d;
    parse(&d, text);
    if (d.status != code || d.err.pos != pos || d.v) {
        fprintf(stderr, "%s\n%*s expected code %d at %zu, got %d at %zu: %s\n", text, (int)pos + 1, "^", code, pos,
                d.status, d.err.pos, d.err.msg);
        assert(0);
    }
    release(&d);
}

static void test_errors(void) {
    static const struct {
        const char *text;
        size_t pos;
    } bad[] = {
        {"", 0},
        {" ", 1},
        {"nul", 3},
        {"tru e", 3},
        {"[1,]", 3},
        {"[1 2]", 3},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{a:1}", 1},
        {"{\"a\":1,}", 7},
        {"[", 1},
        {"]", 0},
        {"01", 1},
        {"-", 1},
        {"1.", 2},
        {"1.e2", 2},
        {"1e", 2},
        {"1e+", 3},
        {"+1", 0},
        {".5", 0},
        {"1 1", 2},
        {"\"a", 2},
        {"\"\\x\"", 2},
        {"\"\\u12g4\"", 3},
        {"\"\n\"", 1},
        {"\"\xff\"", 1},
        {"\"\xc0\x80\"", 1},
        {"\"\xed\xa0\x80\"", 2},
        {"\"\xe2\x82\"", 3},
        {"\"\\", 2},
        {"{\"a\":1,\"\\u0061\":2}", 7},
        {"{\"k\":{\"b\":1,\"b\":1}}", 12},
        {"\xef\xbb\xbf"
         "1",
         0},
        {"[1}", 2},
        {"{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"3\":0}", 55},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_error(bad[i].text, ART_E_SYNTAX, bad[i].pos);
    expect_error("[1e1234567890123456789]", ART_E_LIMIT, 1);
    doc d;
    parse(&d, "1e0000000000000000000000000000001");
    assert(d.status == ART_OK);
    release(&d);
}

static void test_depth(void) {
    char text[64];
    for (uint32_t depth = 1; depth <= 8; depth++) {
        memset(text, '[', depth), memset(text + depth, ']', depth);
        doc d;
        parse_depth(&d, text, 2 * (size_t)depth, depth);
        assert(d.status == ART_OK);
        release(&d);
        parse_depth(&d, text, 2 * (size_t)depth, depth - 1);
        assert(d.status == ART_E_LIMIT && d.err.pos == depth - 1);
        release(&d);
    }
}

static void test_tree(void) {
    const char *text = " {\"b\":[1,2.50,{\"x\":null}],\"a\":\"q\\u00e9\\ud83d\\ude00\\n\",\"\\ud800\":true} ";
    doc d;
    parse(&d, text);
    assert(d.status == ART_OK && d.v->type == ARTI_JSON_OBJECT && d.v->n == 3);
    assert(d.v->pos == 1 && d.v->end == strlen(text) - 1);
    assert(d.v->members[0].key[0] == 'b' && d.v->members[0].key_pos == 2);
    const arti_json *b = arti_json_get(d.v, "b", 1);
    assert(b->n == 3 && b->items[1].n == 4 && memcmp(b->items[1].str, "2.50", 4) == 0);
    assert(b->items[2].members[0].value.type == ARTI_JSON_NULL);
    const arti_json *a = arti_json_get(d.v, "a", 1);
    assert(a->n == 8 && memcmp(a->str, "q\xc3\xa9\xf0\x9f\x98\x80\n", 8) == 0 && !a->has_surrogate);
    assert(d.v->members[2].key_has_surrogate && d.v->members[2].key_len == 3);
    assert(arti_json_get(d.v, "\xed\xa0\x80", 3)->boolean);
    assert(!arti_json_get(d.v, "c", 1) && !arti_json_get(b, "b", 1));
    char out[128];
    size_t n = arti_json_write(out, sizeof out, d.v);
    const char *want = "{\"b\":[1,2.50,{\"x\":null}],\"a\":\"q\xc3\xa9\xf0\x9f\x98\x80\\n\",\"\\ud800\":true}";
    assert(n == strlen(want) && memcmp(out, want, n) == 0);
    assert(arti_json_write(out, 3, d.v) == n);
    n = arti_json_quote(out, sizeof out, "a\"\\\x01\x7f", 5);
    assert(n == 14 && memcmp(out, "\"a\\\"\\\\\\u0001\x7f\"", n) == 0);
    release(&d);
}

static void test_many_keys(void) {
    char text[4000];
    size_t len = 0;
    text[len++] = '{';
    for (int i = 0; i < 200; i++) len += (size_t)sprintf(text + len, "%s\"k%d\":%d", i ? "," : "", i * 7919 % 200, i);
    text[len++] = '}';
    doc d;
    parse_depth(&d, text, len, 4);
    assert(d.status == ART_OK && d.v->sorted);
    for (int i = 0; i < 200; i++) {
        char key[8];
        size_t n = (size_t)sprintf(key, "k%d", i * 7919 % 200);
        const arti_json_member *m = arti_json_member_get(d.v, key, n);
        assert(m == &d.v->members[i]);
    }
    assert(!arti_json_get(d.v, "k200", 4) && !arti_json_get(d.v, "", 0));
    release(&d);
}

static void test_equality(void) {
    static const char *const classes[][4] = {
        {"1", "1.0", "10e-1", "0.1E+1"},
        {"0", "-0", "0.000", "0e999999999999999999"},
        {"120", "1.2e2", "12e1", "0.00120e+5"},
        {"-120", "-1.2e2", "-12e1", "-120.0"},
        {"12", "12.0", "1.2e1", "0.12e2"},
        {"\"a\\u0062\"", "\"ab\"", "\"\\u0061b\"", "\"\\u0061\\u0062\""},
        {"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1e0}", "{\"b\" : [ 2 ], \"a\":1.0}",
         "{\"\\u0062\":[20e-1],\"a\":1}"},
        {"[1,[],{}]", "[1.0,[],{}]", "[1, [ ], { } ]", "[1e0,[],{}]"},
        {"[1,{},[]]", "[1,{},[]]", "[1,{},[]]", "[1,{},[]]"},
        {"true", "true", "true", "true"},
        {"false", "false", "false", "false"},
        {"null", "null", "null", "null"},
        {"\"\"", "\"\"", "\"\"", "\"\""},
        {"{}", "{}", "{ }", "{}"},
        {"\"1\"", "\"1\"", "\"\\u0031\"", "\"1\""},
        {"1.00000000000000000000000000000001", "1.000000000000000000000000000000010",
         "100000000000000000000000000000001e-32", "0.100000000000000000000000000000001e1"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1.0}}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
        {"{\"a\":{\"c\":1}}", "{\"a\":{\"c\":1}}", "{\"a\":{\"c\":1}}", "{\"a\":{\"c\":1}}"},
    };
    enum { N = sizeof classes / sizeof *classes };
    static doc docs[N][4];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 4; j++) {
            parse(&docs[i][j], classes[i][j]);
            assert(docs[i][j].status == ART_OK);
        }
    for (size_t i = 0; i < N * 4; i++)
        for (size_t j = 0; j < N * 4; j++) {
            const arti_json *a = docs[i / 4][i % 4].v, *b = docs[j / 4][j % 4].v;
            bool same = i / 4 == j / 4;
            if (arti_json_equal(a, b) != same || (a->hash == b->hash) != same) {
                fprintf(stderr, "%s %s\n", classes[i / 4][i % 4], classes[j / 4][j % 4]);
                assert(0);
            }
        }
    for (size_t i = 0; i < N * 4; i++) release(&docs[i / 4][i % 4]);
    assert(arti_json_hash_number("1.50", 4) == arti_json_hash_number("15e-1", 5));
}

static void test_counts(void) {
    static const struct {
        const char *text;
        bool ok;
        uint32_t v;
    } c[] = {{"0", true, 0},
             {"3.0", true, 3},
             {"1e2", true, 100},
             {"-1", false, 0},
             {"1.5", false, 0},
             {"\"1\"", false, 0},
             {"4294967295", true, UINT32_MAX},
             {"1e30", true, UINT32_MAX},
             {"12.50e1", true, 125},
             {"-0.0", true, 0}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        doc d;
        parse(&d, c[i].text);
        uint32_t v = 0;
        assert(arti_json_to_count(d.v, &v) == c[i].ok && v == c[i].v);
        release(&d);
    }
}

static void test_pointers(void) {
    doc d;
    const char *text = "{\"a/b\":{\"m~n\":[10,20,{\"\":7}]},\"\":1,\"c%d\":2,\"01\":[5]}";
    parse(&d, text);
    static const struct {
        const char *ptr, *value; /* NULL: leads nowhere */
    } c[] = {{"", NULL},
             {"/a~1b/m~0n/1", "20"},
             {"/a~1b/m~0n/2/", "7"},
             {"/", "1"},
             {"/c%d", "2"},
             {"/01/0", "5"},
             {"/01/00", NULL},
             {"/01/1", NULL},
             {"/01/-", NULL},
             {"/a~1b/m~2", NULL},
             {"x", NULL},
             {"/a~1b/m~", NULL},
             {"/c%d/x", NULL},
             {"/01/4294967296", NULL}};
    assert(arti_ptr_get(d.v, "", 0) == d.v);
    for (size_t i = 1; i < sizeof c / sizeof *c; i++) {
        const arti_json *v = arti_ptr_get(d.v, c[i].ptr, strlen(c[i].ptr));
        assert(!v == !c[i].value);
        if (v) assert(v->n == strlen(c[i].value) && memcmp(v->str, c[i].value, v->n) == 0);
    }
    arti_ptr p = {.mem = &d.mem};
    uint32_t seven = (uint32_t)(strchr(text, '7') - text);
    assert(arti_ptr_locate(d.v, seven, &p) && p.len == 13 && memcmp(p.text, "/a~1b/m~0n/2/", 13) == 0);
    p.len = 0;
    assert(arti_ptr_locate(d.v, (uint32_t)(strchr(text, 'm') - text), &p) && p.len == 10);
    p.len = 0;
    assert(arti_ptr_locate(d.v, 0, &p) && p.len == 0);
    size_t pos = 0;
    char buf[16];
    assert(arti_ptr_token("/a~1b/x", 7, &pos, buf) == 3 && memcmp(buf, "a/b", 3) == 0 && pos == 5);
    assert(arti_ptr_token("/a~1b/x", 7, &pos, buf) == 1 && pos == 7);
    assert(arti_ptr_token("/a~1b/x", 7, &pos, buf) == SIZE_MAX);
    arti_ptr_free(&p);
    release(&d);
}

static bool parse_once(void) {
    doc d;
    parse(&d, "{\"a\":[1,2,{\"b\\n\":[[[]]]}],\"c\":{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,"
              "\"8\":0}}");
    bool ok = d.status == ART_OK;
    assert(ok || (d.status == ART_E_NOMEM && !d.v));
    release(&d);
    return ok;
}

/* A digest tells what was mixed in last. */
static void test_unmix(void) {
    uint64_t seed = 5;
    for (int i = 0; i < 1000; i++) {
        const uint64_t a = harness_random(&seed), b = harness_random(&seed);
        assert(arti_hash_unmix(a, arti_hash_mix(a, b)) == b);
        assert(arti_digest_member_value(a, arti_digest_member(a, b)) == b);
        assert(arti_digest_item_value(a, arti_digest_item(a, b)) == b);
    }
}

int main(void) {
    alloc = harness_alloc(&heap);
    test_errors();
    test_unmix();
    test_depth();
    test_tree();
    test_many_keys();
    test_equality();
    test_counts();
    test_pointers();
    FAIL_EVERY_ALLOCATION(&heap, parse_once());
    assert(heap.live == 0);
    return 0;
}
