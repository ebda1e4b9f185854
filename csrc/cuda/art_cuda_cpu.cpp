/* SPDX-License-Identifier: Apache-2.0 */
#include "art_cuda_cpu.h"

#include "art_cuda_choose.h"
#include <stdlib.h>

namespace {

typedef void kernel_fn(block &b, const void *args);

template <class D> void sample(block &b, const void *args) {
    sample_row<D>(b, *static_cast<const art_cuda_sample_args *>(args));
}

template <class D, unsigned refused> void masks(block &b, const void *args) {
    mask_row<D>(b, *static_cast<const art_cuda_mask_args *>(args), static_cast<typename D::bits>(refused));
}

void set(block &b, const void *args) {
    set_row(b, *static_cast<const art_cuda_set_args *>(args));
}

/* In the order of art_cuda_kernel_name(). */
kernel_fn *const kernels[ART_CUDA_N_KERNELS] = {sample<type_f32>,
                                                sample<type_f16>,
                                                sample<type_bf16>,
                                                masks<type_f32, 0xFF800000u>,
                                                masks<type_f16, 0xFC00u>,
                                                masks<type_bf16, 0xFF80u>,
                                                set};

uint32_t most_threads(uint32_t kernel) {
    return kernel < ART_CUDA_MASKS ? ART_CUDA_BLOCK : kernel < ART_CUDA_SET ? ART_CUDA_MASK_BLOCK : ART_CUDA_LANES;
}

} // namespace

int art_cuda_cpu_launch_shuffled(const art_cuda_launch *l, uint64_t shuffle, const void *args) {
    if (l->kernel >= ART_CUDA_N_KERNELS) return ART_CUDA_CPU_UNKNOWN;
    if (!l->grid_x || !l->grid_y || l->grid_y > 65535u || !l->block_x || l->block_x % ART_CUDA_LANES ||
        l->block_x > most_threads(l->kernel) || l->shared_bytes > 227u * 1024u)
        return ART_CUDA_CPU_SHAPE;
    uint32_t n_warps = l->block_x / ART_CUDA_LANES;
    if (n_warps & (n_warps - 1u)) return ART_CUDA_CPU_SHAPE;
    unsigned char *shared = static_cast<unsigned char *>(malloc(l->shared_bytes ? l->shared_bytes : 1u));
    if (!shared) return ART_CUDA_CPU_NOMEM;
    uint64_t n = static_cast<uint64_t>(l->grid_x) * l->grid_y, start = shuffle % n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = (start + (shuffle & 1u ? n - 1u - i : i)) % n;
        memset(shared, 0xCD, l->shared_bytes);
        block b = {static_cast<uint32_t>(at % l->grid_x),
                   static_cast<uint32_t>(at / l->grid_x),
                   l->grid_y,
                   n_warps,
                   l->shared_bytes,
                   shared,
                   shuffle};
        kernels[l->kernel](b, args);
    }
    free(shared);
    return 0;
}

int art_cuda_cpu_launch(const char *kernel, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,
                        uint32_t block_y, uint32_t block_z, uint32_t shared_bytes, const void *args) {
    for (uint32_t i = 0; i < ART_CUDA_N_KERNELS; i++) {
        if (strcmp(kernel, art_cuda_kernel_name(i)) != 0) continue;
        if (grid_z != 1 || block_y != 1 || block_z != 1) return ART_CUDA_CPU_SHAPE;
        art_cuda_launch l = {i, grid_x, grid_y, block_x, shared_bytes};
        return art_cuda_cpu_launch_shuffled(&l, 0, args);
    }
    return ART_CUDA_CPU_UNKNOWN;
}
