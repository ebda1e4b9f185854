/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a model file: it is refused, or its metadata can be read to the end, arrays of strings included, in memory that is
 * no larger than the file. */
#include "art_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void read_all(const char *path, const arti_gguf_info *info, size_t size) {
    arti_mem mem;
    arti_mem_init(&mem, NULL, size + 1);
    arti_gguf_meta meta;
    CHECK(arti_gguf_load(path, info, &mem, &meta, NULL) == ART_OK);
    CHECK(meta.size <= size);
    static const char *const keys[] = {"general.architecture", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
                                       "a", ""};
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        arti_gguf_value v;
        if (!arti_gguf_find(&meta, keys[i], &v)) continue;
        const uint8_t *end = meta.bytes + meta.size, *at = v.data;
        CHECK(v.data <= end);
        for (uint64_t k = 0; v.type == ARTI_GGUF_STRING && k < v.n; k++) {
            size_t len;
            const uint8_t *s = arti_gguf_next_string(&at, &len);
            CHECK(at <= end);
            for (size_t j = 0; j < len; j++) sum += s[j];
        }
    }
    CHECK(sum != 1u << 31);
    arti_gguf_unload(&mem, &meta);
    CHECK(mem.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = memfd_create("gguf", 0);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    arti_gguf_info info;
    art_error err = {0};
    art_status st = arti_gguf_check(path, &info, &err);
    CHECK(st == ART_OK || (st == ART_E_FORMAT && err.code == st && err.msg[0]));
    if (st == ART_OK) read_all(path, &info, size);
    close(fd);
    return 0;
}
