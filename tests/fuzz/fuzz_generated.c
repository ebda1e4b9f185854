/* SPDX-License-Identifier: Apache-2.0
 *
 * Well-formed schemas with deep combinations of keywords (schema_gen.h), and three ways to go through their instances:
 *   walk       over masks, checked at every state (tests/c/json_walk.h), ending in a text that validates
 *   instance   made from the same keys and values, in some tokenisation: mask bit, allows and accept say the same of every token; the
 *              matcher takes the text exactly when the validator does, and stops where the validator does; rollback and copies lead
 *              to the same masks; what is forced is how every token that is allowed goes on; the shortest completion validates
 * Input: options (one byte), then choices. With FUZZ_PRINT in the environment the schema and the instance are printed. */
#include <stdio.h>
#include <stdlib.h>

#define WALK_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#include "../c/json_walk.h"

#include "schema_gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct text {
    uint8_t bytes[GEN_TEXT_MAX];
    size_t n;
} text;

/* A part of the schema that is refused late, or a text that is too long for the buffer. */
static bool is_refusal(art_status status) {
    return status == ART_E_LIMIT || status == ART_E_UNSUPPORTED;
}

/* The shortest completion ends the text so far in one that validates. */
static void check_completion(art_schema *s, art_matcher *m, const text *t) {
    static uint8_t whole[2 * GEN_TEXT_MAX];
    size_t len, taken = 0;
    art_matcher *copy;
    const art_status status = art_matcher_shortest(m, whole + t->n, sizeof whole - t->n, &len);
    if (is_refusal(status)) return;
    WALK_CHECK(status == ART_OK && art_matcher_shortest_len(m) == len);
    memcpy(whole, t->bytes, t->n);
    WALK_CHECK(art_matcher_copy(m, &copy, NULL) == ART_OK);
    const art_status ended = len ? art_matcher_accept_bytes(copy, whole + t->n, len, &taken) : ART_OK;
    if (!is_refusal(ended)) {
        WALK_CHECK(ended == ART_OK && taken == len && art_matcher_is_complete(copy) == 1);
        WALK_CHECK(art_schema_validate(s, whole, t->n + len, NULL) == ART_OK);
    }
    art_matcher_free(copy);
}

/* Every token that is allowed begins as what is forced does, or is the beginning of it. Escapes are other spellings of the same. */
static void check_forced(art_matcher *m, const art_vocab *v, const uint32_t *words) {
    uint8_t forced[64];
    size_t n_forced;
    if (art_matcher_forced(m, forced, sizeof forced, &n_forced) != ART_OK || n_forced == 0) return;
    for (uint32_t id = 0; id < WALK_N_TOKENS; id++) {
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        if (!arti_bits_test(words, id) || memchr(bytes, '\\', len)) continue;
        WALK_CHECK(memcmp(bytes, forced, len < n_forced ? len : n_forced) == 0);
    }
}

/* A token that spells the beginning of the rest; the vocabulary has every byte. */
static uint32_t cut(const art_vocab *v, const uint8_t *rest, size_t n, gen *g) {
    uint32_t fitting[32], n_fitting = 0;
    for (uint32_t id = 256; id < WALK_N_TOKENS && n_fitting < 32; id++) {
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        if (len <= n && memcmp(bytes, rest, len) == 0) fitting[n_fitting++] = id;
    }
    const unsigned choice = gen_pick(g, n_fitting + 1);
    return choice ? fitting[choice - 1] : *rest;
}

static void check_instance(art_schema *s, art_constraint *c, const art_vocab *v, const art_constraint_opts *opts,
                           gen *g) {
    static text taken;
    const uint8_t *whole = (const uint8_t *)g->text;
    const size_t n = g->n;
    const bool any = opts->property_order == ART_ORDER_ANY && opts->whitespace == ART_WS_ANY;
    art_matcher *m;
    art_error err;
    uint32_t before[WALK_WORDS], words[WALK_WORDS], count;
    const art_status valid = art_schema_validate(s, whole, n, &err);
    const size_t stop = err.pos;
    WALK_CHECK(art_matcher_new(c, &m, &err) == ART_OK);
    taken.n = 0;
    size_t n_tokens = 0;
    while (taken.n < n) {
        const uint32_t id = cut(v, whole + taken.n, n - taken.n, g);
        size_t len, part;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        if (art_matcher_fill_mask(m, words, WALK_WORDS, &count, &err) != ART_OK) break;
        WALK_CHECK((count == 0) == (arti_bits_count(words, WALK_WORDS) == 0));
        WALK_CHECK(count > 0);
        if (opts->whitespace == ART_WS_COMPACT) check_forced(m, v, words);
        if (taken.n % 4 == 0) check_completion(s, m, &taken);
        const art_status allowed = art_matcher_allows(m, id);
        if (allowed >= ART_E_ARG) break;
        if ((allowed == ART_OK) != arti_bits_test(words, id))
            fprintf(stderr, "token %u '%.*s'\n", id, (int)len, (const char *)bytes);
        WALK_CHECK((allowed == ART_OK) == arti_bits_test(words, id));
        const art_status status = art_matcher_accept(m, id);
        if (status >= ART_E_ARG) break;
        WALK_CHECK(status == allowed);
        if (status == ART_REJECTED) {
            const art_status by_byte = art_matcher_accept_bytes(m, bytes, len, &part);
            if (by_byte >= ART_E_ARG) break;
            WALK_CHECK(by_byte == ART_REJECTED && part < len);
            if (any && valid < ART_E_ARG) /* the validator waits longer: it takes more spellings of numbers */
                WALK_CHECK(valid == ART_REJECTED && stop >= taken.n + part);
            break;
        }
        memcpy(taken.bytes + taken.n, bytes, len);
        taken.n += len;
        n_tokens++;
        if (n_tokens % 5 == 4) { /* back and forth, on a copy */
            art_matcher *copy;
            WALK_CHECK(art_matcher_copy(m, &copy, NULL) == ART_OK && art_matcher_rollback(copy, 1) == ART_OK);
            WALK_CHECK(art_matcher_fill_mask(copy, before, WALK_WORDS, NULL, &err) == ART_OK);
            WALK_CHECK(memcmp(before, words, sizeof words) == 0);
            WALK_CHECK(art_matcher_accept(copy, id) == ART_OK);
            WALK_CHECK(art_matcher_fill_mask(copy, before, WALK_WORDS, NULL, &err) ==
                       art_matcher_fill_mask(m, words, WALK_WORDS, NULL, &err));
            WALK_CHECK(memcmp(before, words, sizeof words) == 0);
            art_matcher_free(copy);
        }
    }
    if (taken.n == n && valid < ART_E_ARG) {
        const bool complete = art_matcher_is_complete(m) == 1;
        if (complete) WALK_CHECK(valid == ART_OK);
        if (any && valid == ART_OK) WALK_CHECK(complete);
    }
    art_matcher_free(m);
}

/* With the spelling of json.dumps the masks are narrower than what is accepted: every state they lead to has a way on. */
static void walk_spaced(art_schema *s, art_constraint *c, const art_vocab *v, gen *g) {
    static text t;
    art_matcher *m;
    uint32_t words[WALK_WORDS], count;
    WALK_CHECK(art_matcher_new(c, &m, NULL) == ART_OK);
    t.n = 0;
    for (int step = 0; step < 40; step++) {
        if (art_matcher_fill_mask(m, words, WALK_WORDS, &count, NULL) != ART_OK) break;
        WALK_CHECK(count > 0);
        uint32_t id = gen_pick(g, 256) * 2 % (WALK_N_TOKENS + 1);
        while (!arti_bits_test(words, id)) id = (id + 1) % (WALK_N_TOKENS + 1);
        WALK_CHECK(art_matcher_allows(m, id) == ART_OK && art_matcher_accept(m, id) == ART_OK);
        if (art_matcher_is_ended(m)) break;
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        memcpy(t.bytes + t.n, bytes, len);
        t.n += len;
    }
    if (art_matcher_is_ended(m))
        WALK_CHECK(art_schema_validate(s, t.bytes, t.n, NULL) == ART_OK);
    else
        check_completion(s, m, &t);
    art_matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gen g;
    static art_vocab *v; /* the same for every input */
    if (size < 4) return 0;
    const uint8_t options = data[0];
    g.data = data + 1;
    g.len = size - 1;
    if (!gen_document(&g)) return 0;
    const bool print = getenv("FUZZ_PRINT") != NULL;
    if (print) fprintf(stderr, "%.*s\n", (int)g.n, g.text);
    art_error err;
    art_schema *s;
    art_constraint *c;
    arti_json_constraint *walked;
    const art_schema_opts opts = {.memory_max = 8u << 20};
    const art_status status = art_schema_compile(g.text, g.n, &opts, NULL, &s, &err);
    if (status != ART_OK) {
        if (print || status == ART_E_SYNTAX || status == ART_E_SCHEMA) fprintf(stderr, "%s at %s\n", err.msg, err.path);
        WALK_CHECK(status != ART_E_SYNTAX && status != ART_E_SCHEMA && status != ART_E_REF && status != ART_E_PATTERN);
        return 0;
    }
    if (!v) v = walk_vocab(NULL, &err);
    WALK_CHECK(v);
    static const uint32_t whitespace[] = {ART_WS_ANY, ART_WS_ANY, ART_WS_COMPACT, 2, ART_WS_SPACED};
    const art_constraint_opts copts = {.property_order = options & 1u ? ART_ORDER_SCHEMA : ART_ORDER_ANY,
                                       .whitespace = whitespace[options / 2 % 5],
                                       .cache_memory_max = 1u << 20};
    const bool spaced = copts.whitespace == ART_WS_SPACED;
    if (art_constraint_new(s, v, &copts, NULL, &c, &err) == ART_OK) {
        for (int i = 0; i < 3 && g.len > 0; i++) {
            g.n = 0;
            gen_value(&g, 3);
            if (print) fprintf(stderr, "%.*s\n", (int)g.n, g.text);
            if (!spaced) check_instance(s, c, v, &copts, &g);
        }
        if (spaced) walk_spaced(s, c, v, &g);
        art_constraint_free(c);
    } else if (print) {
        fprintf(stderr, "%s at %s\n", err.msg, err.path);
    }
    if (g.len > 0 && !spaced && arti_json_constraint_new(s, v, &copts, NULL, &walked, &err) == ART_OK) {
        walk_source random = {g.data, g.len, 1};
        walk(s, walked, v, &random, 10);
        arti_json_constraint_free(walked);
    }
    art_schema_free(s);
    return 0;
}
