/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks inside strings under patterns, formats, lengths and enumerations, over a vocabulary that is large enough for rows and groups of
 * every kind: against the byte matcher, token by token, on random walks. */
#include "harness.h"

#include "art_bits.h"
#include "art_json_run.h"
#include "art_mask_lang.h"
#include "art_rows.h"
#include "art_vocab.h"

enum { TOKENS_MAX = 6000, BYTES_MAX = 1 << 17 };

static uint64_t seed = 0x9E3779B97F4A7C15u;

typedef struct tokens {
    uint8_t bytes[BYTES_MAX];
    uint32_t offsets[TOKENS_MAX + 2];
    uint32_t n;
} tokens;

static void add(tokens *t, const void *bytes, size_t len) {
    const uint32_t at = t->offsets[t->n];
    assert(t->n < TOKENS_MAX && at + len <= BYTES_MAX);
    memcpy(t->bytes + at, bytes, len);
    t->offsets[++t->n] = at + (uint32_t)len;
}

static uint32_t pick(uint32_t n) {
    return (uint32_t)(harness_random(&seed) % n);
}

static size_t add_letters(char *buf, const char *letters, size_t n) {
    for (size_t i = 0; i < n; i++) buf[i] = letters[pick((uint32_t)strlen(letters))];
    return n;
}

/* Words of one kind of letters (many: they get rows of their own), words of mixed kinds, runs longer than any row, single bytes, pieces of
 * characters, escapes, and ways out of a string. */
static void make_tokens(tokens *t) {
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz", upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                      digits[] = "0123456789";
    static const char *const pieces[] = {
        "a",   "be",  "Xy",  "Q",    "7",        "01",           "-",        "--",   "_",        ".",
        "@",   "/",   "://", "%",    "%2",       "%41",          ":",        ",",    " ",        "  ",
        "é",   "ü",   "中",  "文字", "\xc3",     "\xa9",         "\xe4\xb8", "\xad", "\xf0\x9f", "😀",
        "\"",  "\",", "\"}", "\\n",  "\\\"",     "\\u00",        "\\",       "\\u",  "\\ud83d",  "\\\\",
        "gov", "uk",  "T",   "Z",    "\xc2\xa0", "\xe3\x80\x80", "\x7f",     "\t"};
    char buf[256];
    t->n = 0;
    t->offsets[0] = 0;
    for (uint32_t b = 0; b < 256; b++) add(t, &(uint8_t){(uint8_t)b}, 1);
    for (int i = 0; i < 1500; i++) add(t, buf, add_letters(buf, lower, 2 + pick(9)));
    for (int i = 0; i < 700; i++) {
        buf[0] = ' ';
        add(t, buf, 1 + add_letters(buf + 1, lower, 1 + pick(9)));
    }
    for (int i = 0; i < 300; i++) add(t, buf, add_letters(buf, upper, 1 + pick(6)));
    for (int i = 0; i < 300; i++) {
        size_t len = add_letters(buf, upper, 1);
        len += add_letters(buf + len, lower, 1 + pick(7));
        add(t, buf, len);
    }
    for (int i = 0; i < 200; i++) add(t, buf, add_letters(buf, digits, 1 + pick(3)));
    for (size_t n = 20; n < 200; n += 9) {
        static const char *const ends[] = {"", "\"", "\",\"x", "\\n", "\\nx", "\\u00", "\xe4\xb8", "é\"]"};
        memset(buf, n % 2 ? ' ' : 'x', n);
        for (uint32_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            memcpy(buf + n, ends[i], strlen(ends[i]));
            add(t, buf, n + strlen(ends[i]));
        }
    }
    while (t->n < TOKENS_MAX) {
        size_t len = 0;
        for (uint32_t k = 1 + pick(5); k > 0; k--) {
            const char *p = pieces[pick(sizeof pieces / sizeof *pieces)];
            memcpy(buf + len, p, strlen(p));
            len += strlen(p);
        }
        add(t, buf, len);
    }
    t->offsets[t->n + 1] = t->offsets[t->n]; /* end of sequence */
}

#define S(...) #__VA_ARGS__
static const char *const schemas[] = {
    S({"pattern" : "^[a-z0-9-]*$"}),
    S({"pattern" : "^[a-z]+$"}),
    S({"pattern" : "^[A-Z][a-z]{1,5}( [A-Z][a-z]{1,5})*$"}),
    S({"pattern" : "^[a-m]+$"}),
    S({"pattern" : "^[A-Za-z_][A-Za-z0-9_]*$"}),
    S({"pattern" : "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-f]{3}$"}),
    S({"pattern" : "^[a-z]{3,40}[0-9]{0,50}$"}),
    S({"pattern" : "^[a-z]+(?:-+[a-z]+)*-v\\d+$"}),
    S({"pattern" : "^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)*\\.gov\\.uk$"}),
    S({"pattern" : "^$|(^(?:\\S+\\s+){0,9}\\S+$)"}),
    S({"pattern" : "^(?:\\S+\\s+){0,3}\\S+$", "maxLength" : 40}),
    S({"pattern" : "^(?:\\S+\\s+){0,9}\\S+$", "maxLength" : 100}),
    S({"pattern" : "^[^y]*$", "maxLength" : 29}),
    S({"pattern" : "^x*[^x]{2,9}$", "minLength" : 3, "maxLength" : 90}),
    S({"pattern" : "^x*(zz)?$", "minLength" : 1, "maxLength" : 60}),
    S({"pattern" : "^(?:\\S+\\s+){0,45}\\S+$"}),
    S({"pattern" : "^[a-z]{0,90}([0-9 ]|-a?){60,99}$"}),
    S({"pattern" : "^[^/]+/[^/]+$"}),
    S({"pattern" : "^.{0,30}$"}),
    S({"pattern" : "^\\w{2,6}$"}),
    S({"pattern" : "[a-z]{3}", "minLength" : 3, "maxLength" : 5}),
    S({"pattern" : "[a-z]{3}", "maxLength" : 30}),
    S({"pattern" : "^(ab)*$", "minLength" : 7, "maxLength" : 19}),
    S({"pattern" : "^(a*|a*b{60})$", "maxLength" : 90}),
    S({"pattern" : "^[\\u00e0-\\u00ff]*x?$"}),
    S({"pattern" : "^\\p{L}+$"}),
    S({"pattern" : "^[^\\u4e00-\\u9fff]*$"}),
    S({"pattern" : "^[\\u{10000}-\\u{10ffff} ]*$"}),
    S({"pattern" : "^(?!.*--)[a-z-]*$"}),
    S({"pattern" : "^[\\x00-\\x1f\"\\\\]*$"}),
    S({"pattern" : "\"$"}),
    S({"pattern" : "^\\u00a0*[ -~]*$"}),
    S({"not" : {"pattern" : "[a-z]x"}}),
    S({"not" : {"pattern" : "xyz|gov|aa"}}),
    S({"oneOf" : [ {"pattern" : "ab"}, {"pattern" : "gov"}, {"pattern" : "be"}, {"pattern" : "--"} ]}),
    S({"pattern" : "^(?!xx?-)(?!.*中)(?!gov[a-f])(?!.*\\.uk)(?!.*@[0-9]+é)"}),
    S({"not" : {"anyOf" : [ {"pattern" : "^ü"}, {"pattern" : "0{3}1"}, {"pattern" : "T.Z-"} ]}}),
    S({"not" : {"pattern" : "^(a|be|😀)"}}),
    S({"format" : "email"}),
    S({"format" : "uri"}),
    S({"format" : "date-time"}),
    S({"format" : "hostname", "minLength" : 4}),
    S({"format" : "hostname", "minLength" : 2, "maxLength" : 100}),
    S({"pattern" : "^(?!.*--)(?!.*x$)([a-z-]{1,70}\\.?)*$", "minLength" : 30, "maxLength" : 90}),
    S({"pattern" : "^(?=[^x]*x)[a-z ]{0,60}$", "maxLength" : 45}),
    S({"pattern" : "[0-9]", "minLength" : 12, "maxLength" : 12}),
    S({"pattern" : "[0-9]x*y", "maxLength" : 40}),
    S({"format" : "ipv6"}),
    S({"anyOf" : [ {"format" : "uri"}, {"not" : {"format" : "uri"}} ]}),
    S({"anyOf" : [ {"pattern" : "^[a-f]*$", "minLength" : 3}, {"not" : {"pattern" : "^[a-f]*$"}, "minLength" : 9} ]}),
    S({"anyOf" : [ {"pattern" : "^[a-f]*$", "maxLength" : 9}, {"not" : {"pattern" : "^[a-f]*$"}} ]}),
    S({"oneOf" : [ {"pattern" : "gov"}, {"pattern" : "be"} ]}),
    S({"pattern" : "^(?=[^]*gov)(?!.*be)(?!.*(--|x-))"}),
    S({"pattern" : "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$"}),
    S({"pattern" : "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"}),
    S({"pattern" : "^(([a-f]|-)[a-z-][a-z]*|[g-z]-?([a-z][a-z])*)$"}),
    S({"pattern" : "[0-9]{10,10}", "minLength" : 10, "maxLength" : 10}),
    S({"minLength" : 3, "maxLength" : 70}),
    S({"anyOf" : [ {"pattern" : "^[a-z]*$", "maxLength" : 9}, {"pattern" : "^x\\W+$"}, {"const" : "é\\\"中"} ]}),
    S({"enum" : [ "a", "ab", "abc", "be gov", "😀", "中文字", "\"", "\n\\", "x-01", "7", "\u0007" ]}),
};

static uint8_t text[1 << 12];

/* Walks at random from a string's beginning; at each step the mask says of every token what the matcher says. */
static void walk(const char *schema, arti_json_constraint *c, const art_vocab *v, uint32_t *words) {
    arti_run *r;
    art_error err;
    assert(arti_json_run_new(c, false, &r, &err) == ART_OK);
    size_t taken, n_text = 0;
    static const char *const starts[] = {"[\"", "[\"\\u00", "[\"\\", "[\"\xc3"};
    const char *start = starts[pick(sizeof starts / sizeof *starts)];
    if (r->ops->step(r, (const uint8_t *)start, strlen(start), &taken) != ART_OK) {
        r->ops->free(r);
        return;
    }
    uint32_t *ids = malloc(TOKENS_MAX * sizeof *ids);
    for (int step = 0; step < 9; step++) {
        assert(r->ops->fill(r, words, NULL, &err) == ART_OK);
        uint32_t n = 0, n_plain = 0;
        for (uint32_t id = 0; id < TOKENS_MAX; id++) {
            size_t len;
            const uint8_t *bytes = art_vocab_token(v, id, &len);
            const bool in = arti_bits_test(words, id), allowed = r->ops->allows(r, bytes, len);
            if (in != allowed)
                fprintf(stderr, "%s after %.*s: token %u '%.*s': mask %d, matcher %d\n", schema, (int)n_text,
                        (const char *)text, id, (int)len, (const char *)bytes, in, allowed);
            assert(in == allowed);
            if (in && !memchr(bytes, '"', len)) ids[n_plain++] = id;
            n += in;
        }
        assert(n > 0 && arti_bits_count(words, v->n_words) == n);
        if (!n_plain) break;
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, ids[pick(n_plain)], &len);
        assert(r->ops->step(r, bytes, len, &taken) == ART_OK && taken == len);
        memcpy(text + n_text, bytes, len);
        n_text += len;
    }
    free(ids);
    r->ops->free(r);
}

/* A row that would take more of the trie than it may is not made, and not missing later. */
static void test_limit(const art_vocab *v, const art_alloc *alloc) {
    static const char pattern[] = "^[^aq]*$";
    static uint32_t row[(TOKENS_MAX + 1 + 31) / 32];
    art_schema *s;
    art_error err;
    assert(art_schema_compile("true", 4, NULL, alloc, &s, &err) == ART_OK);
    arti_mask_memo memo;
    arti_mask_memo_init(&memo, alloc, 1 << 20);
    arti_region region;
    arti_region_init(&region, &memo.mem);
    arti_jctx x = {.s = s, .region = &region, .keep = &region, .space_max = UINT8_MAX};
    arti_walk w = {.x = &x, .m = &memo, .v = v, .nodes_max = 10};
    assert(arti_walk_begin(&w));
    const arti_re_state q = arti_re_start(s->re, arti_re_pattern(s->re, pattern, strlen(pattern)));
    assert(!arti_lang_row(&w, q, row) && !arti_faulted(s));
    w.nodes_max = 0;
    assert(arti_lang_row(&w, q, row));
    for (uint32_t id = 0; id < TOKENS_MAX; id++) {
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        if (len == 1 && bytes[0] >= 'a' && bytes[0] <= 'z')
            assert(arti_bits_test(row, id) == (bytes[0] != 'a' && bytes[0] != 'q'));
        else if (len > 1 && bytes[0] >= 'a' && bytes[0] <= 'z' && (memchr(bytes, 'a', len) || memchr(bytes, 'q', len)))
            assert(!arti_bits_test(row, id));
    }
    arti_region_free(&region);
    arti_mask_memo_free(&memo);
    art_schema_free(s);
}

/* Along texts as a language usually has them, masks find their rows made with the constraint, also where a second constraint asks. */
static void test_ahead(const art_vocab *v, const art_alloc *alloc) {
    static const struct {
        const char *rule, *example;
    } cases[] = {
        {"\"format\":\"date\"", "2024-01-30"},
        {"\"format\":\"uuid\"", "00112233-4455-6677-8899-aabbccddeeff"},
        {"\"pattern\":\"^ab(cd|ef){1,3}x$\"", "abcdx"},
        {"\"pattern\":\"^[a-f]+_[a-f]+$\",\"minLength\":5,\"maxLength\":900", "fabcde_f"},
        {"\"pattern\":\"[a-z]{3}\",\"maxLength\":3", "abc"},
    };
    static uint32_t words[(TOKENS_MAX + 1 + 31) / 32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int second = 0; second < 2; second++) {
            char schema[256];
            size_t taken;
            art_schema *s;
            art_constraint *c;
            art_matcher *m;
            art_error err;
            const int len = snprintf(schema, sizeof schema, "{\"type\":\"string\",%s}", cases[i].rule);
            const size_t before = arti_rows_memory(v->rows);
            assert(art_schema_compile(schema, (size_t)len, NULL, alloc, &s, &err) == ART_OK);
            assert(art_constraint_new(s, (art_vocab *)v, NULL, alloc, &c, &err) == ART_OK);
            assert(art_matcher_new(c, &m, &err) == ART_OK);
            const size_t n_rows = arti_rows_memory(v->rows);
            assert(second ? n_rows == before : n_rows > before);
            assert(art_matcher_accept_bytes(m, (const uint8_t *)"\"", 1, &taken) == ART_OK);
            for (const char *p = cases[i].example;; p++) {
                assert(art_matcher_fill_mask(m, words, v->n_words, NULL, &err) == ART_OK);
                if (!*p) break;
                assert(art_matcher_accept_bytes(m, (const uint8_t *)p, 1, &taken) == ART_OK && taken == 1);
            }
            if (arti_rows_memory(v->rows) != n_rows) fprintf(stderr, "%s\n", cases[i].rule);
            assert(arti_rows_memory(v->rows) == n_rows);
            art_matcher_free(m);
            art_constraint_free(c);
            art_schema_free(s);
        }
    }
}

int main(void) {
    static tokens t;
    static uint32_t words[(TOKENS_MAX + 1 + 31) / 32];
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_error err;
    art_vocab *v;
    make_tokens(&t);
    assert(art_vocab_new(t.bytes, t.offsets, t.n + 1, &t.n, 1, &alloc, &v, &err) == ART_OK);
    assert(v->n_dense > 4 && v->stay_cp_max > ARTI_STAY_ROWS && v->n_heads > 20 && v->n_escapes_stay < v->n_escapes);
    test_ahead(v, &alloc); /* while nothing is known of languages */
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        for (int unique = 0; unique < 2; unique++) {
            char schema[1024];
            snprintf(schema, sizeof schema,
                     "{\"type\":\"array\",\"uniqueItems\":%s,\"items\":{\"type\":\"string\",\"allOf\":[%s]}}",
                     unique ? "true" : "false", schemas[i]);
            art_schema *s;
            arti_json_constraint *c;
            assert(art_schema_compile(schema, strlen(schema), NULL, &alloc, &s, &err) == ART_OK);
            assert(arti_json_constraint_new(s, v, NULL, &alloc, &c, &err) == ART_OK);
            for (int round = 0; round < 5; round++) walk(schema, c, v, words);
            arti_json_constraint_free(c);
            art_schema_free(s);
        }
    }
    test_limit(v, &alloc);
    art_vocab_free(v);
    assert(h.live == 0);
    return 0;
}
