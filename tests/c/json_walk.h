/* SPDX-License-Identifier: Apache-2.0
 *
 * json_walk.h: a random walk over masks that checks, at every state, what a run promises:
 *   the mask is what `allows` says of each token; it is empty only at the end
 *   the shortest completion has the length that is claimed, is accepted and completes the text
 *   what is forced is the beginning of every completion
 *   undo and copies lead back to the same masks
 * and that the finished text validates. The vocabulary has every byte, pieces of UTF-8 characters, and tokens that cross the borders of
 * strings, keys, numbers and containers. */
#ifndef JSON_WALK_H
#define JSON_WALK_H

#include "art_bits.h"
#include "art_json_run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef WALK_CHECK
#define WALK_CHECK(condition) assert(condition)
#endif

static const char *const walk_tokens[] = {
    "ab",
    "abc",
    "aaaa",
    "foo",
    "bar",
    "name",
    "\"a\"",
    "\"a\":",
    "\":",
    "\": ",
    "\":\"",
    "\",",
    "\", \"",
    "\",\"",
    "\"}",
    "\"]",
    "\"}}",
    "\"a\":1,\"a\":",
    "\":1,\"ab\":",
    "\"\",\"",
    "{\"",
    "[\"",
    "[[",
    "]]",
    "],",
    "},",
    "}, {",
    " {",
    "  ",
    " \n ",
    "\n\n",
    " \"",
    ", ",
    ",\"",
    ": ",
    ":1",
    ":[",
    ":{\"",
    "12",
    "123",
    "1.5",
    "0.0",
    ".5",
    "e1",
    "E+",
    "-1",
    "10,",
    "1]",
    "2}",
    "true",
    "false",
    "null",
    "tru",
    "lse,",
    "true}",
    "\\n",
    "\\\"",
    "\\u",
    "\\u00",
    "\\u0061",
    "\\ud83d",
    "\\ude00",
    "a\\u",
    "\\\\",
    "\\u0022",
    "\xc3\xa9",
    "\xc3",
    "\xa9",
    "\xf0\x9f",
    "\x98\x80",
    "\xe2\x82",
    "\xe2\x82\xac",
    "\xac\"",
    "a\xc3",
    " a",
    "a b",
    "A",
    "xx",
    "foo\":",
    "bar\"",
    "b\",",
    "1\"",
    "2020-",
    "-01-",
    "a@b",
    ".com",
    "x-",
    "x-a\"",
    "kind",
    "kind\":\"",
    "\"kind\":",
    "ab\"",
    "ba",
    "0a",
    "00",
    "000",
    /* two keys in one token, which may be the same; escapes behind an opening quote; whitespace that limits forbid */
    "a\":1,\"a\"",
    "\"a\":0,\"a\":",
    "\"\\n",
    "\"\\u0061\"",
    "\"\\u",
    "\\u00e9x\"",
    "\\udc00\\udc00",
    ":  1",
    "1 ,",
    "\t\"",
    " ]",
    ",  \"",
    "\":\"a\",",
    "\", \"a\": ",
    "1, 2",
    "[1, ",
    "}\n",
    "\"\n",
    ":\"a\"}",
};
enum { WALK_N_TOKENS = 256 + sizeof walk_tokens / sizeof *walk_tokens };

static art_vocab *walk_vocab(const art_alloc *alloc, art_error *err) {
    static uint8_t bytes[4096];
    static uint32_t offsets[WALK_N_TOKENS + 2];
    uint32_t n = 0, at = 0;
    for (uint32_t b = 0; b < 256; b++) {
        offsets[n++] = at;
        bytes[at++] = (uint8_t)b;
    }
    for (size_t i = 0; i < sizeof walk_tokens / sizeof *walk_tokens; i++) {
        offsets[n++] = at;
        const size_t len = strlen(walk_tokens[i]);
        memcpy(bytes + at, walk_tokens[i], len);
        at += (uint32_t)len;
    }
    offsets[n] = at;
    const uint32_t eos = n; /* one more token, without bytes */
    offsets[n + 1] = at;
    art_vocab *v;
    return art_vocab_new(bytes, offsets, n + 1, &eos, 1, alloc, &v, err) == ART_OK ? v : NULL;
}

typedef struct walk_source { /* random choices: from bytes while there are some, then from a generator */
    const uint8_t *data;
    size_t len;
    uint64_t state;
} walk_source;

static uint32_t walk_random(walk_source *r) {
    if (r->len > 0) {
        r->len--;
        return *r->data++;
    }
    r->state = r->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(r->state >> 33);
}

enum { WALK_WORDS = (WALK_N_TOKENS + 1 + 31) / 32 };

static inline void walk_check_state(arti_run *r, const art_vocab *v, uint32_t *words) {
    art_error err;
    WALK_CHECK(r->ops->fill(r, words, NULL, &err) == ART_OK);
    uint32_t n = 0;
    for (uint32_t id = 0; id < WALK_N_TOKENS; id++) {
        size_t len;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        const bool in = arti_bits_test(words, id);
        const bool allowed = r->ops->allows(r, bytes, len);
        if (in != allowed)
            fprintf(stderr, "token %u '%.*s': mask %d, matcher %d\n", id, (int)len, (const char *)bytes, in, allowed);
        WALK_CHECK(in == allowed);
        n += in;
    }
    WALK_CHECK(n > 0 || r->ops->is_complete(r));
}

/* The shortest completion: taken, complete, and undone. */
static inline void walk_check_end(arti_run *r) {
    static uint8_t buf[1 << 16];
    uint8_t forced[64];
    size_t len, n_forced, taken;
    WALK_CHECK(r->ops->shortest(r, buf, sizeof buf, &len) == ART_OK);
    WALK_CHECK(r->ops->shortest_len(r) == len);
    WALK_CHECK(r->ops->forced(r, forced, sizeof forced, &n_forced) == ART_OK);
    WALK_CHECK(n_forced <= len && memcmp(forced, buf, n_forced) == 0);
    if (len == 0) {
        WALK_CHECK(r->ops->is_complete(r));
        return;
    }
    WALK_CHECK(r->ops->step(r, buf, len, &taken) == ART_OK && taken == len);
    WALK_CHECK(r->ops->is_complete(r));
    WALK_CHECK(r->ops->shortest_len(r) == 0);
    WALK_CHECK(r->ops->undo(r, 1) == ART_OK);
}

/* Walks up to `steps` tokens, then closes; checks the text by validation. */
static inline void walk(art_schema *s, arti_json_constraint *c, const art_vocab *v, walk_source *random,
                        uint32_t steps) {
    static uint8_t text[1 << 17];
    size_t n = 0;
    arti_run *r;
    art_error err;
    uint32_t words[WALK_WORDS], again[WALK_WORDS];
    WALK_CHECK(arti_json_run_new(c, false, &r, &err) == ART_OK);
    for (uint32_t step = 0; step < steps; step++) {
        walk_check_state(r, v, words);
        walk_check_end(r);
        uint32_t ids[WALK_N_TOKENS], n_ids = 0;
        for (uint32_t id = 0; id < WALK_N_TOKENS; id++)
            if (arti_bits_test(words, id)) ids[n_ids++] = id;
        if (n_ids == 0) break;
        /* Longer tokens and bytes that end something are what gets anywhere. */
        uint32_t id = ids[walk_random(random) % n_ids];
        for (int tries = 0; tries < 2 && id < 0x20; tries++) id = ids[walk_random(random) % n_ids];
        size_t len, taken;
        const uint8_t *bytes = art_vocab_token(v, id, &len);
        if (n + len > sizeof text / 2) break;
        WALK_CHECK(r->ops->step(r, bytes, len, &taken) == ART_OK && taken == len);
        memcpy(text + n, bytes, len);
        n += len;
        if (step % 5 == 3) { /* back and forth, on a copy */
            arti_run *copy;
            WALK_CHECK(r->ops->copy(r, &copy) == ART_OK);
            WALK_CHECK(copy->ops->undo(copy, 1) == ART_OK);
            WALK_CHECK(copy->ops->fill(copy, again, NULL, &err) == ART_OK);
            WALK_CHECK(memcmp(words, again, sizeof words) == 0);
            WALK_CHECK(copy->ops->step(copy, bytes, len, &taken) == ART_OK);
            WALK_CHECK(copy->ops->shortest_len(copy) == r->ops->shortest_len(r));
            copy->ops->free(copy);
        }
    }
    size_t rest;
    WALK_CHECK(r->ops->shortest(r, text + n, sizeof text - n, &rest) == ART_OK);
    n += rest;
    WALK_CHECK(art_schema_validate(s, text, n, &err) == ART_OK);
    r->ops->free(r);
}

#endif
