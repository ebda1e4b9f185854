/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON trees: what parses is written and parsed again to an equal value with an equal hash, and every place in it can be pointed to. */
#undef NDEBUG
#include "art_json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arti_mem mem;
    arti_arena arena;
    arti_mem_init(&mem, NULL, 64u << 20);
    arti_arena_init(&arena, &mem);
    const arti_json *v, *again;
    art_error err;
    art_status s = arti_json_parse(&arena, &mem, (const char *)data, size, 64, &v, &err);
    if (s == ART_OK) {
        size_t n = arti_json_write(NULL, 0, v);
        char *text = malloc(n + 1);
        assert(text && arti_json_write(text, n, v) == n);
        assert(arti_json_parse(&arena, &mem, text, n, 64, &again, &err) == ART_OK);
        assert(arti_json_equal(v, again) && arti_json_equal(again, v) && v->hash == again->hash);
        arti_ptr p = {.mem = &mem};
        for (uint32_t pos = v->pos; pos < v->end && pos < v->pos + 200; pos++) {
            p.len = 0;
            assert(arti_ptr_locate(v, pos, &p));
            const arti_json *at = arti_ptr_get(v, p.text, p.len);
            assert(at && at->end > pos);
        }
        arti_ptr_free(&p);
        free(text);
    } else {
        assert(s == ART_E_SYNTAX || s == ART_E_LIMIT);
        assert(err.pos <= size && err.msg[0]);
    }
    arti_arena_free(&arena);
    assert(mem.used == 0);
    return 0;
}
