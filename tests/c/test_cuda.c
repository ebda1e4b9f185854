/* SPDX-License-Identifier: Apache-2.0
 *
 * The CUDA modules over the stand-in for the driver: lifetimes, refused allocations, limits. What calls give, and what they say of wrong
 * arguments, is in tests/unit/test_cuda.py. */
#include "harness.h"

#include "../fake_cuda/fake_cuda.h"
#include "art_cuda.h"
#include <math.h>

/* Of the driver's own interface. */
int cuMemAlloc_v2(uint64_t *, size_t);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxPushCurrent_v2(void *);
int cuCtxPopCurrent_v2(void **);

enum { ROWS = 40, VOCAB = 100, WORDS = 4 };

static harness heap;
static art_alloc alloc;
static const char code[] = "FAKECUBIN sm_90\n";

static art_cuda *open_loaded(const art_alloc *a) {
    art_cuda *c;
    art_error err;
    if (art_cuda_open(FAKE_CUDA_PATH, a, &c, &err) != ART_OK) return NULL;
    for (uint32_t part = 0; part < ART_CUDA_N_PARTS; part++)
        if (art_cuda_load(c, 0, part, (const uint8_t *)code, sizeof code, &err) != ART_OK) {
            art_cuda_free(c);
            return NULL;
        }
    return c;
}

static uint64_t device_memory(size_t n) {
    uint64_t at = 0;
    void *ctx;
    assert(cuDevicePrimaryCtxRetain(&ctx, 0) == 0 && cuCtxPushCurrent_v2(ctx) == 0);
    assert(cuMemAlloc_v2(&at, n) == 0 && cuCtxPopCurrent_v2(&ctx) == 0);
    return at;
}

static void flush(void) {
    fake_flush();
    assert(fake_violations()[0] == 0);
}

/* --- opening and loading */

static void test_open(void) {
    art_cuda *c = (art_cuda *)1;
    art_error err;
    assert(art_cuda_open("/nowhere/libcuda.so.1", &alloc, &c, &err) == ART_E_DEVICE && !c);
    assert(strstr(err.msg, "no CUDA driver"));
    assert(art_cuda_open(FAKE_CUDA_PATH, &alloc, &c, &err) == ART_OK);
    assert(art_cuda_driver_version(c) == 12080 && art_cuda_device_count(c) == 2);
    art_cuda_device info;
    assert(art_cuda_device_info(c, 1, &info, &err) == ART_OK && info.major == 9 && info.n_sm == 4);
    assert(art_cuda_device_info(c, 2, &info, &err) == ART_E_DEVICE);
    art_cuda_free(c);
    art_cuda_free(NULL);
}

/* Each part is loaded by itself, and what needs it says so. */
static void test_parts(void) {
    static const char masks[] = "FAKECUBIN sm_90 part 3\n", bf16[] = "FAKECUBIN sm_90 part 2\n";
    art_cuda *c;
    art_error err;
    assert(art_cuda_open(FAKE_CUDA_PATH, &alloc, &c, &err) == ART_OK);
    assert(!art_cuda_is_loaded(c, 0, ART_CUDA_FOR_ROWS) && !art_cuda_is_loaded(c, 9, ART_CUDA_FOR_ROWS));
    assert(!art_cuda_is_loaded(c, 0, ART_CUDA_N_PARTS));
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_ROWS, (const uint8_t *)"nothing", 7, &err) == ART_E_FORMAT);
    assert(err.code == ART_E_FORMAT && !art_cuda_is_loaded(c, 0, ART_CUDA_FOR_ROWS));
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_ROWS, (const uint8_t *)masks, sizeof masks, &err) == ART_E_FORMAT);
    assert(art_cuda_load(c, 0, ART_CUDA_N_PARTS, (const uint8_t *)code, sizeof code, &err) == ART_E_ARG);
    assert(art_cuda_load(c, 7, ART_CUDA_FOR_ROWS, (const uint8_t *)code, sizeof code, &err) == ART_E_DEVICE);
    art_cuda_batch *b;
    assert(art_cuda_batch_new(c, 0, 1, VOCAB, 0, 0, &b, &err) == ART_E_STATE && !b);
    assert(strstr(err.msg, "kernels for batches are not loaded for this device"));
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_ROWS, (const uint8_t *)code, sizeof code, &err) == ART_OK);
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_ROWS, (const uint8_t *)"nothing", 7, &err) == ART_OK); /* it has them */
    assert(art_cuda_is_loaded(c, 0, ART_CUDA_FOR_ROWS) && !art_cuda_is_loaded(c, 0, ART_CUDA_FOR_MASKS));
    assert(art_cuda_batch_new(c, 0, 1, VOCAB, 0, 0, &b, &err) == ART_OK);
    uint64_t logits = device_memory(VOCAB * 4), out = device_memory(16), mask = device_memory(WORDS * 4);
    art_cuda_call call = {.logits = logits, .ids = out, .logprobs = out + 8, .n_rows = 1, .n_vocab = VOCAB};
    call.dtype = ART_CUDA_BFLOAT16;
    assert(art_cuda_sample(b, &call, &err) == ART_E_STATE && strstr(err.msg, "bfloat16"));
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_SAMPLE + ART_CUDA_BFLOAT16, (const uint8_t *)bf16, sizeof bf16, &err) ==
           ART_OK);
    memset((void *)(uintptr_t)logits, 0, VOCAB * 2);
    assert(art_cuda_sample(b, &call, &err) == ART_OK);
    call.masks = mask;
    call.masks_stride = WORDS;
    call.n_masks = 1;
    assert(art_cuda_apply_masks(c, &call, &err) == ART_E_STATE && strstr(err.msg, "for masks"));
    assert(art_cuda_load(c, 0, ART_CUDA_FOR_MASKS, (const uint8_t *)masks, sizeof masks, &err) == ART_OK);
    assert(art_cuda_apply_masks(c, &call, &err) == ART_OK);
    flush();
    assert(art_cuda_is_capturing(c, 0, 5) == 0 && art_cuda_is_capturing(c, 9, 5) == -1);
    art_cuda_batch_free(b);
    art_cuda_free(c);
}

static void test_contexts(void) {
    art_cuda *c = open_loaded(&alloc);
    art_error err;
    art_status st = ART_OK;
    uint32_t n = 0;
    while (st == ART_OK) { /* a module for each, up to the cap; the first is the primary context's */
        void *ctx = fake_context_new(0), *popped;
        if (!ctx) break;
        assert(cuCtxPushCurrent_v2(ctx) == 0);
        art_cuda_batch *b;
        st = art_cuda_batch_new(c, 0, 1, 10, 0, 0, &b, &err);
        art_cuda_batch_free(b);
        assert(cuCtxPopCurrent_v2(&popped) == 0 && popped == ctx);
        n++;
    }
    assert(st == ART_E_LIMIT ? n == ARTI_CUDA_CONTEXTS_MAX && strstr(err.msg, "ARTI_CUDA_CONTEXTS_MAX") : n > 32);
    flush();
    art_cuda_free(c);
}

/* --- arrays and DLPack */

static void test_arrays(void) {
    art_cuda *c = open_loaded(&alloc);
    art_error err;
    art_cuda_array *a, *b, *many[ARTI_CUDA_KEPT_MAX + 20];
    assert(art_cuda_array_new(c, 0, 7, 100, &a, &err) == ART_OK);
    uint64_t at = art_cuda_array_address(a);
    art_cuda_array_free(art_cuda_array_ref(a));
    art_cuda_array_free(a);
    assert(art_cuda_array_new(c, 0, 8, 100, &a, &err) == ART_OK &&
           art_cuda_array_address(a) != at); /* another stream */
    assert(art_cuda_array_new(c, 0, 7, 200, &b, &err) == ART_OK &&
           art_cuda_array_address(b) == at); /* of equal size, rounded */
    art_cuda_array_free(a);
    art_cuda_array_free(b);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        assert(art_cuda_array_new(c, 0, 7, 1000 + 256 * i, &many[i], &err) == ART_OK);
    at = art_cuda_array_address(many[0]);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) art_cuda_array_free(many[i]);
    for (size_t i = 0; i < 30; i++) { /* each new one gives an old one back to the driver */
        assert(art_cuda_array_new(c, 0, 9, 500000 + 256 * i, &many[i], &err) == ART_OK);
    }
    assert(c->n_kept <= ARTI_CUDA_KEPT_MAX && !fake_is_live(at));
    for (size_t i = 0; i < 30; i++) art_cuda_array_free(many[i]);
    assert(art_cuda_array_new(c, 0, 7, 100, &a, &err) == ART_OK);
    art_cuda_free(c); /* the array holds it */
    art_cuda_array_free(a);
    art_cuda_array_free(NULL);
}

static void test_dlpack(void) {
    art_cuda *c = open_loaded(&alloc);
    art_error err;
    art_cuda_array *a;
    art_tensor t;
    assert(art_cuda_array_new(c, 1, 7, 100, &a, &err) == ART_OK);
    uint64_t at = art_cuda_array_address(a);
    for (int is_versioned = 0; is_versioned < 2; is_versioned++) {
        void *m;
        assert(art_dlpack_new(a, 8, 1, 2, 32, 5, is_versioned, &m, &err) == ART_OK);
        assert(art_dlpack_read(m, is_versioned, &t, &err) == ART_OK);
        assert(t.address == at + 8 && t.device_type == 2 && t.device_id == 1 && t.code == 2 && t.bits == 32);
        assert(t.lanes == 1 && t.ndim == 1 && t.shape[0] == 5 && t.strides[0] == 1 && !t.is_read_only);
        art_dlpack_free(m, is_versioned);
    }
    void *m;
    assert(art_dlpack_new(a, 0, 1, 0, 64, 5, 1, &m, &err) == ART_OK);
    art_cuda_array_free(a);
    art_cuda_free(c); /* in any order */
    *(uint32_t *)m = 2;
    assert(art_dlpack_read(m, 1, &t, &err) == ART_E_UNSUPPORTED && strstr(err.msg, "DLPack 2."));
    art_dlpack_free(m, 1);
    art_dlpack_free(NULL, 0);
    art_dlpack_free(NULL, 1);
}

/* --- batches */

static art_cuda_call make_call(uint64_t logits, uint64_t out) {
    return (art_cuda_call){.logits = logits,
                           .logits_stride = VOCAB,
                           .ids = out,
                           .logprobs = out + ROWS * 8,
                           .stream = 5,
                           .dtype = ART_CUDA_FLOAT32,
                           .n_rows = ROWS,
                           .n_vocab = VOCAB,
                           .ids_64 = 1};
}

static void test_batch(void) {
    art_cuda *c = open_loaded(&alloc);
    art_error err;
    art_cuda_batch *b;
    uint64_t logits = device_memory(ROWS * VOCAB * 4), out = device_memory(ROWS * 12);
    float *x = (float *)(uintptr_t)logits;
    for (size_t i = 0; i < ROWS * VOCAB; i++) x[i] = sinf((float)(i * i % 1009));
    assert(art_cuda_batch_new(c, 0, ROWS, VOCAB, 2, 8, &b, &err) == ART_OK);
    art_cuda_call call = make_call(logits, out);
    assert(art_cuda_sample(b, &call, &err) == ART_OK);
    flush();
    const int64_t *ids = (const int64_t *)(uintptr_t)out;
    for (uint32_t r = 0; r < ROWS; r++) assert(ids[r] == art_argmax(x + r * VOCAB, VOCAB, NULL));
    art_bias ban = {(uint32_t)ids[39], -INFINITY};
    art_cuda_row_params row = {.step = 3};
    art_sample_defaults(&row.sample);
    row.sample.bias = &ban;
    row.sample.n_bias = 1;
    assert(art_cuda_batch_set(b, 39, 1, &row, 5, &err) == ART_OK);
    ban.token = 0; /* it was copied */
    int64_t before = ids[39];
    assert(art_cuda_sample(b, &call, &err) == ART_OK);
    flush();
    assert(ids[39] != before && ids[39] >= 0);
    art_cuda_array *steps = art_cuda_batch_steps(b);
    const uint64_t *n = (const uint64_t *)(uintptr_t)art_cuda_array_address(steps);
    assert(n[0] == 2 && n[39] == 4);
    art_cuda_free(c);
    art_cuda_batch_free(b);
    art_cuda_array_free(steps); /* outlives its batch */
    art_cuda_batch_free(NULL);
}

/* --- refused allocations */

static bool whole_life(void) {
    art_cuda *c = open_loaded(&alloc);
    if (!c) return false;
    art_cuda_array *a = NULL;
    art_cuda_batch *b = NULL;
    void *m = NULL;
    bool ok = art_cuda_array_new(c, 0, 7, 100, &a, NULL) == ART_OK &&
              art_dlpack_new(a, 0, 0, 0, 32, 5, 1, &m, NULL) == ART_OK &&
              art_cuda_batch_new(c, 0, 3, 50, 1, 4, &b, NULL) == ART_OK;
    art_cuda_batch_free(b);
    art_dlpack_free(m, 1);
    art_cuda_array_free(a);
    art_cuda_free(c);
    return ok;
}

static bool compile(void) {
    static const art_cuda_file files[] = {{"kernels.cu", "kernels"}, {"header.h", "header"}};
    static const char *const options[] = {"--gpu-architecture=sm_90"};
    art_cuda_code *made;
    char log[64] = "?";
    size_t n;
    if (art_nvrtc_compile(FAKE_NVRTC_PATH, files, 2, options, 1, 0, &alloc, log, sizeof log, &made, NULL) != ART_OK)
        return false;
    assert(log[0] == 0 && memcmp(art_cuda_code_bytes(made, &n), code, 15) == 0 && n > 15);
    art_cuda_code_free(made);
    return true;
}

static void test_compile_errors(void) {
    static const art_cuda_file bad = {"kernels.cu", "\n#error no"};
    static const char *const options[] = {"--gpu-architecture=sm_90"};
    art_cuda_code *made = (art_cuda_code *)1;
    art_error err;
    char log[24];
    uint32_t version, newest;
    assert(art_nvrtc_compile(FAKE_NVRTC_PATH, &bad, 1, options, 1, 0, &alloc, log, sizeof log, &made, &err) ==
           ART_E_DEVICE);
    assert(!made && strstr(err.msg, "do not compile") && strlen(log) == sizeof log - 1);
    assert(art_nvrtc_compile(FAKE_NVRTC_PATH, &bad, 0, options, 1, 0, &alloc, NULL, 0, &made, &err) == ART_E_ARG);
    assert(art_nvrtc_compile("/nowhere", &bad, 1, options, 1, 0, &alloc, NULL, 0, &made, &err) == ART_E_DEVICE);
    assert(art_nvrtc_version(FAKE_NVRTC_PATH, &version, &newest, &err) == ART_OK && version == 12080 && newest == 90);
    assert(art_nvrtc_version(FAKE_CUDA_PATH, &version, &newest, &err) == ART_E_DEVICE &&
           strstr(err.msg, "nvrtcVersion"));
    art_cuda_code_free(NULL);
    art_cuda *c = open_loaded(&alloc);
    assert(art_cuda_assemble(c, 0, (const uint8_t *)"// PTX\n.version", 15, NULL, 0, &made, &err) == ART_OK);
    art_cuda_code_free(made);
    assert(art_cuda_assemble(c, 0, (const uint8_t *)"nothing at all", 14, log, sizeof log, &made, &err) ==
               ART_E_DEVICE &&
           !made);
    assert(strncmp(log, "ptxas", 5) == 0);
    art_cuda_free(c);
}

int main(void) {
    alloc = harness_alloc(&heap);
    test_open();
    test_parts();
    test_arrays();
    test_dlpack();
    test_batch();
    test_compile_errors();
    assert(heap.live == 0);
    FAIL_EVERY_ALLOCATION(&heap, whole_life());
    FAIL_EVERY_ALLOCATION(&heap, compile());
    test_contexts();
    assert(heap.live == 0);
    flush();
    return 0;
}
