/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels that apply masks and that set rows, on the CPU: every bit, every alignment, no byte beside the rows; what the CPU's build
 * refuses to launch; the plans' shapes. */
#include "harness.h"

#include "art_cuda_cpu.h"

static uint64_t seed_ = 31;

static uint32_t below(uint32_t n) {
    return (uint32_t)(harness_random(&seed_) >> 11) % n;
}

static void test_masks(void) {
    static const uint32_t refused[] = {0xFF800000u, 0xFC00u, 0xFF80u};
    for (int round = 0; round < 1500; round++) {
        uint32_t dtype = below(3), size = dtype == ART_CUDA_F32 ? 4 : 2, n = 1 + below(round % 50 ? 200 : 9000);
        uint32_t n_rows = 1 + below(4), words = (n + 31) / 32, n_masks = 1 + below(4);
        size_t stride = n + below(9), masks_stride = words + below(3), before = below(16);
        size_t bytes = (before + (n_rows - 1) * stride + n) * size;
        unsigned char *block = malloc(bytes), *old = malloc(bytes);
        uint32_t *masks = malloc(((n_masks - 1) * masks_stride + words) * 4);
        int32_t rows[4];
        assert(block && old && masks);
        for (size_t i = 0; i < bytes; i++) block[i] = old[i] = (unsigned char)below(256);
        for (size_t i = 0; i < (n_masks - 1) * masks_stride + words; i++) {
            uint32_t kind = below(4);
            masks[i] = kind == 0 ? 0 : kind == 1 ? UINT32_MAX : (uint32_t)(harness_random(&seed_) >> 9);
        }
        for (uint32_t i = 0; i < 4; i++)
            rows[i] = (int32_t)below(n_masks + 2) - 1; /* also none, and one that is not there */
        bool by_rows = below(2);
        art_cuda_mask_args a = {.logits = (uint64_t)(uintptr_t)(block + before * size),
                                .logits_stride = (int64_t)stride,
                                .masks = (uint64_t)(uintptr_t)masks,
                                .masks_stride = (int64_t)masks_stride,
                                .mask_rows = by_rows ? (uint64_t)(uintptr_t)rows : 0,
                                .n_rows = n_rows,
                                .n_vocab = n,
                                .n_masks = n_masks,
                                .dtype = dtype};
        art_cuda_launch l = art_cuda_plan_masks(n_rows, n, dtype);
        assert(art_cuda_cpu_launch_shuffled(&l, harness_random(&seed_), &a) == 0);
        for (uint32_t i = 0; i < n_rows; i++) {
            int64_t m = by_rows ? rows[i] : (int64_t)i;
            if (m < 0 || m >= (int64_t)n_masks) continue;
            for (uint32_t k = 0; k < n; k++)
                if (!(masks[(size_t)m * masks_stride + k / 32] >> (k % 32) & 1u))
                    memcpy(old + (before + i * stride + k) * size, &refused[dtype], size);
        }
        assert(memcmp(block, old, bytes) == 0);
        free(block);
        free(old);
        free(masks);
    }
}

static void test_set(void) {
    enum { N = 50 };
    static art_cuda_row rows[N], none;
    uint64_t steps[N] = {0};
    uint32_t history_n[N] = {0};
    for (int with_history = 0; with_history < 2; with_history++) {
        art_cuda_set_args a = {.rows = (uint64_t)(uintptr_t)rows,
                               .steps = (uint64_t)(uintptr_t)steps,
                               .history_n = with_history ? (uint64_t)(uintptr_t)history_n : 0,
                               .first = 7,
                               .n = ART_CUDA_SET_ROWS_MAX};
        for (uint32_t i = 0; i < ART_CUDA_SET_ROWS_MAX; i++) {
            a.row[i] = (art_cuda_row){.temperature = (float)i, .top_k = (int32_t)i, .seed = ~(uint64_t)i};
            a.step[i] = UINT64_C(1) << 40 | i;
            a.n_history[i] = 100 + i;
        }
        art_cuda_launch l = art_cuda_plan_set(a.n);
        assert(art_cuda_cpu_launch_shuffled(&l, 5, &a) == 0);
        for (uint32_t i = 0; i < N; i++) {
            bool in = i >= 7 && i < 7 + ART_CUDA_SET_ROWS_MAX;
            assert(memcmp(&rows[i], in ? &a.row[i - 7] : &none, sizeof none) == 0);
            assert(steps[i] == (in ? a.step[i - 7] : 0));
            assert(history_n[i] == (in && with_history ? a.n_history[i - 7] : 0));
        }
    }
}

static void test_launches(void) {
    art_cuda_mask_args a = {0};
    assert(art_cuda_cpu_launch("art_sort", 1, 1, 1, 256, 1, 1, 0, &a) == ART_CUDA_CPU_UNKNOWN);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 2, 256, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 1, 100, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 1, 96, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 1, 512, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 0, 1, 1, 256, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 70000, 1, 256, 1, 1, 0, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 1, 256, 1, 1, 240 * 1024, &a) == ART_CUDA_CPU_SHAPE);
    assert(art_cuda_cpu_launch("art_masks_f16", 1, 1, 1, 256, 1, 1, 0, &a) == 0);
    for (uint32_t i = 0; i < ART_CUDA_N_KERNELS; i++) {
        assert(art_cuda_kernel_name(i)[0]);
        if (ART_CUDA_ITEMS == 32)
            assert(art_cuda_kernel_shared_max(i) <= 64 * 1024); /* what the smallest devices have */
    }
    assert(!art_cuda_kernel_name(ART_CUDA_N_KERNELS)[0]);
}

/* Any number of rows up to those that the workspace is for fits into it. */
static void test_plans(void) {
    static const uint32_t vocabs[] = {1, 1000, 32000, 128256, 262144, ART_CUDA_VOCAB_MAX};
    for (uint32_t n_sm = 1; n_sm < 600; n_sm = n_sm * 3 / 2 + 1)
        for (size_t v = 0; v < sizeof vocabs / sizeof *vocabs; v++)
            for (uint32_t n_rows = 1; n_rows < 700; n_rows = n_rows * 3 / 2 + 1) {
                art_cuda_launch l[ART_CUDA_LAUNCHES_MAX];
                uint64_t bytes = art_cuda_workspace_bytes(700, vocabs[v], n_sm);
                assert(art_cuda_plan_sample(n_rows, vocabs[v], ART_CUDA_F16, 100, n_sm, l) == 1);
                assert(l[0].kernel == ART_CUDA_SAMPLE + ART_CUDA_F16 && l[0].grid_x == n_rows && l[0].grid_y >= 1);
                assert(l[0].shared_bytes <= art_cuda_kernel_shared_max(l[0].kernel));
                if (l[0].grid_y > 1) {
                    uint64_t row = (uint64_t)art_cuda_n_tiles(vocabs[v]) * ART_CUDA_TILE_RESULTS * 4;
                    assert(n_rows <= ART_CUDA_SPLIT_ROWS_MAX && ART_CUDA_TICKET_BYTES + n_rows * row <= bytes);
                    assert((l[0].grid_y - 1) * (ART_CUDA_BLOCK / ART_CUDA_LANES) < art_cuda_n_tiles(vocabs[v]));
                }
            }
}

int main(void) {
    test_masks();
    test_set();
    test_launches();
    test_plans();
    return 0;
}
