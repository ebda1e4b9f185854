/* SPDX-License-Identifier: Apache-2.0
 *
 * Schemas and texts: no schema and no text breaks anything; what the matcher takes byte by byte is what the validator accepts; from
 * every prefix that was taken the shortest completion is accepted and fits. Input: a schema, a zero byte, a text. */
#undef NDEBUG
#include "art.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void finish(art_schema *schema, const art_matcher *m, const uint8_t *text, size_t taken) {
    art_matcher *copy;
    assert(art_matcher_copy(m, &copy, NULL) == ART_OK);
    size_t need = art_matcher_shortest_len(copy), len, end_taken;
    if (need < 1u << 16) {
        uint8_t *whole = malloc(taken + need + 1);
        assert(whole);
        memcpy(whole, text, taken);
        art_status s = art_matcher_shortest(copy, whole + taken, need, &len);
        assert(s == ART_OK && len == need);
        assert(art_matcher_accept_bytes(copy, whole + taken, len, &end_taken) == ART_OK &&
               art_matcher_is_complete(copy) == 1);
        s = art_schema_validate(schema, whole, taken + len, NULL);
        assert(s == ART_OK);
        free(whole);
    }
    art_matcher_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *zero = memchr(data, 0, size);
    if (!zero) return 0;
    size_t schema_len = (size_t)(zero - data), text_len = size - schema_len - 1;
    const uint8_t *text = zero + 1;
    art_schema *schema;
    art_constraint *c;
    art_matcher *m;
    art_error err;
    art_schema_opts opts = {.memory_max = 16u << 20};
    if (art_schema_compile((const char *)data, schema_len, &opts, NULL, &schema, &err) != ART_OK) {
        assert(err.msg[0]);
        return 0;
    }
    art_status valid = art_schema_validate(schema, text, text_len, &err);
    art_constraint_opts copts = {.cache_memory_max = 4u << 20};
    if (art_constraint_new(schema, NULL, &copts, NULL, &c, &err) == ART_OK) {
        assert(art_matcher_new(c, &m, &err) == ART_OK);
        size_t taken = 0, n;
        art_status s = ART_OK;
        while (taken < text_len && s == ART_OK) {
            s = art_matcher_accept_bytes(m, text + taken, 1, &n);
            taken += n;
            if (s == ART_OK && taken < 24) finish(schema, m, text, taken);
        }
        if (s <= ART_REJECTED) finish(schema, m, text, taken);
        bool whole = s == ART_OK && art_matcher_is_complete(m) == 1;
        if (whole) assert(valid == ART_OK || valid >= ART_E_ARG); /* the validator takes more spellings of numbers */
        art_matcher_free(m);
        art_constraint_free(c);
    }
    art_schema_free(schema);
    return 0;
}
