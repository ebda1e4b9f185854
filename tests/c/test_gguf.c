/* SPDX-License-Identifier: Apache-2.0
 *
 * GGUF check: a whole file passes, the same file cut at any byte does not, and damage is an error, never a crash. */
#include "harness.h"

#include "art_gguf.h"

static char path[] = "/tmp/agentrt-test-XXXXXX";
static uint8_t file[4096];
static size_t len;

static void put(const void *p, size_t n) {
    assert(len + n <= sizeof file);
    memcpy(file + len, p, n);
    len += n;
}
static void put32(uint32_t v) {
    for (int i = 0; i < 4; i++) put(&(uint8_t){(uint8_t)(v >> (8 * i))}, 1);
}
static void put64(uint64_t v) {
    put32((uint32_t)v);
    put32((uint32_t)(v >> 32));
}
static void put_str(const char *s) {
    put64(strlen(s));
    put(s, strlen(s));
}

static void build(void) {
    len = 0;
    put("GGUF", 4);
    put32(3);
    put64(2); /* tensors */
    put64(6); /* entries */
    put_str("general.architecture");
    put32(ARTI_GGUF_STRING);
    put_str("llama");
    put_str("general.alignment");
    put32(ARTI_GGUF_U32);
    put32(64);
    put_str("tokens");
    put32(ARTI_GGUF_ARRAY);
    put32(ARTI_GGUF_STRING);
    put64(3);
    put_str("a");
    put_str("");
    put_str("ccc");
    put_str("types");
    put32(ARTI_GGUF_ARRAY);
    put32(ARTI_GGUF_I32);
    put64(2);
    put32(1);
    put32(3);
    put_str("flag");
    put32(ARTI_GGUF_BOOL);
    put(&(uint8_t){1}, 1);
    put_str("big");
    put32(ARTI_GGUF_U64);
    put64(1u << 20);
    put_str("token_embd.weight");
    put32(2);
    put64(32);
    put64(2);
    put32(2); /* Q4_0: 18 bytes for 32 elements */
    put64(0);
    put_str("output.weight");
    put32(1);
    put64(5);
    put32(0); /* F32 */
    put64(64);
    while (len % 64) put("", 1);
    uint8_t zero[64 + 20] = {0};
    put(zero, sizeof zero);
}

static void write_file(size_t n) {
    FILE *f = fopen(path, "wb");
    assert(f && fwrite(file, 1, n, f) == n);
    assert(fclose(f) == 0);
}

static art_status check(arti_gguf_info *info, art_error *err) {
    *err = (art_error){0};
    art_status st = arti_gguf_check(path, info, err);
    assert(st == ART_OK || (err->code == st && strstr(err->msg, path)));
    return st;
}

static void test_whole(void) {
    arti_gguf_info info;
    art_error err;
    build();
    write_file(len);
    assert(check(&info, &err) == ART_OK);
    assert(info.version == 3 && info.n_kv == 6 && info.n_tensors == 2 && info.has_output);
    assert(strcmp(info.architecture, "llama") == 0 && info.file_size == len);

    harness h;
    art_alloc alloc = harness_alloc(&h);
    arti_mem mem;
    arti_mem_init(&mem, &alloc, 0);
    arti_gguf_meta meta;
    assert(arti_gguf_load(path, &info, &mem, &meta, &err) == ART_OK);
    arti_gguf_value v;
    assert(arti_gguf_find(&meta, "tokens", &v) && v.is_array && v.type == ARTI_GGUF_STRING && v.n == 3);
    static const char *const wanted[] = {"a", "", "ccc"};
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        const uint8_t *s = arti_gguf_next_string(&v.data, &n);
        assert(n == strlen(wanted[i]) && memcmp(s, wanted[i], n) == 0);
    }
    assert(arti_gguf_find(&meta, "types", &v) && v.is_array && v.type == ARTI_GGUF_I32 && v.n == 2 && v.data[4] == 3);
    assert(arti_gguf_find(&meta, "flag", &v) && !v.is_array && v.type == ARTI_GGUF_BOOL && v.data[0] == 1);
    assert(arti_gguf_find(&meta, "big", &v) && v.type == ARTI_GGUF_U64 && v.data[2] == 16);
    assert(!arti_gguf_find(&meta, "absent", &v) && !arti_gguf_find(&meta, "token", &v));
    arti_gguf_unload(&mem, &meta);
    assert(h.live == 0);
    h.budget = 0;
    assert(arti_gguf_load(path, &info, &mem, &meta, &err) == ART_E_NOMEM && h.live == 0);
}

static void test_cut_off(void) {
    arti_gguf_info info;
    art_error err;
    build();
    for (size_t n = 0; n < len; n++) {
        write_file(n);
        assert(check(&info, &err) == ART_E_FORMAT);
        assert(strstr(err.msg, n < 4 ? "not a GGUF" : "cut off"));
    }
}

static void test_not_one(void) {
    arti_gguf_info info;
    art_error err;
    build();
    memcpy(file, "GGML", 4);
    write_file(len);
    assert(check(&info, &err) == ART_E_FORMAT && strstr(err.msg, "not a GGUF"));
    build();
    file[4] = 1;
    write_file(len);
    assert(check(&info, &err) == ART_E_FORMAT && err.pos == 4 && strstr(err.msg, "version 1"));
    assert(arti_gguf_check("/nonexistent/model.gguf", &info, &err) == ART_E_IO &&
           strstr(err.msg, "/nonexistent/model.gguf"));
    assert(arti_gguf_check("/tmp", &info, &err) == ART_E_IO && strstr(err.msg, "not a regular file"));
    assert(arti_gguf_check("/tmp", &info, NULL) == ART_E_IO);
}

/* Any byte with any value: it either still passes or is refused, in bounded time and memory. */
static void test_damaged(void) {
    arti_gguf_info info;
    art_error err;
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    build();
    size_t n_refused = 0, data = len - 84;
    for (size_t i = 0; i < data; i++) {
        for (size_t k = 0; k < sizeof values; k++) {
            build();
            if (file[i] == values[k]) continue;
            file[i] = values[k];
            write_file(len);
            art_status st = check(&info, &err);
            assert(st == ART_OK || st == ART_E_FORMAT);
            n_refused += st != ART_OK;
        }
    }
    assert(n_refused > data); /* lengths, counts, types, offsets: most of a header matters */
}

int main(void) {
    int fd = mkstemp(path);
    assert(fd >= 0);
    test_whole();
    test_cut_off();
    test_not_one();
    test_damaged();
    remove(path);
    return 0;
}
