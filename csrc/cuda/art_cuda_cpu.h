/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_cpu.h: the kernels on the CPU, for tests.
 *
 * Purpose   runs a kernel's own source for every block of a grid: the same arguments, with addresses of this process.
 * Threads   any number of launches at once, if they write to different memory.
 * Errors    0, or one of ART_CUDA_CPU_*; what a launch may not do (access outside its arrays) is for the sanitizers to find. */
#ifndef ART_CUDA_CPU_H
#define ART_CUDA_CPU_H

#include "art_cuda_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ART_CUDA_CPU_UNKNOWN = 1, /* no kernel has this name */
    ART_CUDA_CPU_SHAPE = 2,   /* a shape that a device refuses, or that the kernel is not made for */
    ART_CUDA_CPU_NOMEM = 3
};

int art_cuda_cpu_launch(const char *kernel, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,
                        uint32_t block_y, uint32_t block_z, uint32_t shared_bytes, const void *args);

/* The same with blocks, warps and lanes in an order that `shuffle` decides; 0: ascending. */
int art_cuda_cpu_launch_shuffled(const art_cuda_launch *launch, uint64_t shuffle, const void *args);

/* The same with a thread for each warp of the blocks that share a row: slow, and for the thread sanitizer. */
int art_cuda_cpu_launch_threaded(const art_cuda_launch *launch, const void *args);

#ifdef __cplusplus
}
#endif

#endif
