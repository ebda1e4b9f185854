/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_kernels.cu: the kernels by name, for nvcc and NVRTC, all or one part of them. art_cuda_cpu.cpp has the same list for the CPU. */
#include "art_cuda_choose.h"

#ifndef ART_CUDA_BLOCKS_A_SM
#define ART_CUDA_BLOCKS_A_SM 2 /* what registers are limited for */
#endif

/* The argument lies in constant memory; compilers before 11.7 copy it. */
#if __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1107
#define ARGUMENT const __grid_constant__
#else
#define ARGUMENT const
#endif

#define SAMPLE(name, type)                                                                                             \
    extern "C" __global__ void __launch_bounds__(ART_CUDA_BLOCK, ART_CUDA_BLOCKS_A_SM)                                 \
        name(ARGUMENT art_cuda_sample_args a) {                                                                        \
        block b = this_block();                                                                                        \
        sample_row<type>(b, a);                                                                                        \
    }
#define MASKS(name, type, refused)                                                                                     \
    extern "C" __global__ void __launch_bounds__(ART_CUDA_MASK_BLOCK) name(ARGUMENT art_cuda_mask_args a) {            \
        block b = this_block();                                                                                        \
        mask_row<type>(b, a, refused);                                                                                 \
    }

#ifdef ART_CUDA_PART
#define HAS(part) (ART_CUDA_PART == (part))
#else
#define HAS(part) 1
#endif

#if HAS(ART_CUDA_PART_SAMPLE + 0)
SAMPLE(art_sample_f32, type_f32)
#endif
#if HAS(ART_CUDA_PART_SAMPLE + 1)
SAMPLE(art_sample_f16, type_f16)
#endif
#if HAS(ART_CUDA_PART_SAMPLE + 2)
SAMPLE(art_sample_bf16, type_bf16)
#endif
#if HAS(ART_CUDA_PART_MASKS)
MASKS(art_masks_f32, type_f32, 0xFF800000u)
MASKS(art_masks_f16, type_f16, 0xFC00u)
MASKS(art_masks_bf16, type_bf16, 0xFF80u)
#endif
#if HAS(ART_CUDA_PART_ROWS)
extern "C" __global__ void __launch_bounds__(ART_CUDA_LANES) art_set(ARGUMENT art_cuda_set_args a) {
    block b = this_block();
    set_row(b, a);
}
#endif
