/* SPDX-License-Identifier: Apache-2.0
 *
 * Random walks over masks (see tests/c/json_walk.h for what is checked at every state). Input: options (one byte), a schema, a zero byte,
 * choices. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const uint8_t options = data[0];
    const uint8_t *zero = memchr(data + 1, 0, size - 1);
    if (!zero) return 0;
    art_error err;
    art_schema *s;
    arti_json_constraint *c;
    const art_schema_opts opts = {.memory_max = 8u << 20};
    if (art_schema_compile((const char *)data + 1, (size_t)(zero - data - 1), &opts, NULL, &s, &err) != ART_OK)
        return 0;
    art_vocab *v = walk_vocab(NULL, &err);
    WALK_CHECK(v);
    const art_constraint_opts copts = {.property_order = options & 1u ? ART_ORDER_SCHEMA : ART_ORDER_ANY,
                                       .whitespace = options >> 1 & 3u,
                                       .cache_memory_max = 1u << 20};
    if (arti_json_constraint_new(s, v, &copts, NULL, &c, &err) == ART_OK) {
        walk_source random = {zero + 1, (size_t)(data + size - zero - 1), 1};
        walk(s, c, v, &random, 12);
        arti_json_constraint_free(c);
    }
    art_vocab_free(v);
    art_schema_free(s);
    return 0;
}
