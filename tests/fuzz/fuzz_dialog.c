/* SPDX-License-Identifier: Apache-2.0
 *
 * Dialogues: however the bytes of a turn are cut into accepts, the same of them are taken and the events are the same; and from
 * every state the shortest completion ends the turn. Input: one byte of specification, one of cutting, then the turn. */
#undef NDEBUG
#include "../c/digits_run.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STR(s) ((art_str){s, sizeof(s) - 1})

static art_constraint *make(uint8_t kind) {
    art_constraint *braces = digits_new(true, NULL, NULL), *digits = digits_new(false, NULL, NULL), *c;
    art_dialog_tool tools[] = {{STR("add"), braces}, {STR("add_all"), digits}, {STR("sub"), braces}};
    art_dialog_spec s = {.begin = STR("<call>"),
                         .name_prefix = STR("{\"name\":\""),
                         .args_prefix = STR("\",\"a\":"),
                         .call_suffix = STR("}"),
                         .end = STR("</call>"),
                         .tools = tools,
                         .n_tools = 3,
                         .calls_max = 2};
    if (kind & 1)
        s.separator = STR(",");
    else
        s.between = STR("\n");
    if (kind & 2) s.reasoning_open = STR("<t>"), s.reasoning_close = STR("</t>");
    if (kind & 4) s.value = kind & 8 ? braces : digits;
    if (kind & 16) s.name_prefix = STR(""), s.call_suffix = STR(""), s.end = STR("");
    s.choice = (art_choice)((kind >> 5) % 3);
    art_status st = art_constraint_dialog(&s, NULL, NULL, &c, NULL);
    assert(st == ART_OK || st == ART_E_ARG); /* a list whose end is empty can not be told from one that goes on */
    art_constraint_free(braces);
    art_constraint_free(digits);
    return c;
}

typedef struct log {
    uint8_t bytes[8192]; /* kind, tool, then text for each byte of text; joins equal neighbours by construction */
    size_t n;
    size_t taken;
} log;

/* Feeds the turn in pieces; cut 0: whole, 1: single bytes, else of varying sizes. */
static void run(art_constraint *c, const uint8_t *turn, size_t len, uint8_t cut, log *out) {
    art_matcher *m;
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    out->n = out->taken = 0;
    uint32_t state = cut;
    while (out->taken < len) {
        state = state * 1103515245u + 12345u;
        size_t n = cut == 0 ? len : cut == 1 ? 1 : 1 + (state >> 16) % 7, taken;
        if (n > len - out->taken) n = len - out->taken;
        size_t held_before = out->taken;
        art_status s = art_matcher_accept_bytes(m, turn + out->taken, n, &taken);
        assert(s == ART_OK || (s == ART_REJECTED && taken < n));
        if (taken) {
            size_t n_spans, held = art_matcher_held(m);
            const art_span *span = art_matcher_spans(m, &n_spans);
            assert(held <= held_before);
            for (size_t i = 0; i < n_spans; i++) {
                assert(span[i].start + span[i].len <= held + taken);
                if (span[i].kind >= ART_SPAN_CALL_START)
                    out->bytes[out->n++] = (uint8_t)span[i].kind, out->bytes[out->n++] = (uint8_t)span[i].tool;
                for (uint32_t k = 0; k < span[i].len; k++) {
                    out->bytes[out->n++] = (uint8_t)span[i].kind;
                    out->bytes[out->n++] = turn[held_before - held + span[i].start + k];
                }
            }
        }
        out->taken += taken;
        if (cut == 1) {
            uint8_t end[256];
            size_t end_len, end_taken;
            art_matcher *copy;
            assert(art_matcher_copy(m, &copy, NULL) == ART_OK &&
                   art_matcher_shortest(copy, end, sizeof end, &end_len) == ART_OK);
            assert(end_len == art_matcher_shortest_len(m) &&
                   art_matcher_accept_bytes(copy, end, end_len, &end_taken) == ART_OK);
            assert(art_matcher_is_complete(copy) == 1);
            art_matcher_free(copy);
        }
        if (s == ART_REJECTED) break;
    }
    art_matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1000) return 0;
    art_constraint *c = make(data[0]);
    if (!c) return 0;
    static log single, other;
    run(c, data + 2, size - 2, 1, &single);
    for (int i = 0; i < 2; i++) {
        run(c, data + 2, size - 2, i ? data[1] : 0, &other);
        assert(other.taken == single.taken && other.n == single.n && memcmp(other.bytes, single.bytes, single.n) == 0);
    }
    art_constraint_free(c);
    return 0;
}
