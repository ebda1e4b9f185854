/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_cuda.h: how tests steer the stand-in for the driver (fake_cuda.c), and what it needs of the kernels' CPU build. */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *fake_violations(void); /* one a line; "" when all rules were kept */
/* The (after + 1)th call of a function from now on fails with this CUresult. */
void fake_fail(const char *function, int result, int after);
int fake_count(const char *function); /* calls so far */
int fake_is_live(uint64_t address);
void fake_flush(void); /* runs what is queued */
/* Takes memory of the caller's for the device's, or for pinned memory when device is negative. */
void fake_adopt(uint64_t address, uint64_t n_bytes, int device);
void fake_capture_begin(void *stream);
int fake_capture_end(void); /* the graph's number */
int fake_graph_size(int graph);
void fake_graph_launch(int graph);
void *fake_context_new(int device);
int fake_depth(void); /* contexts on the calling thread's stack */

/* Runs a kernel on the processor; 0, or non-zero when there is no such kernel or its shape is not one it takes. */
int art_cuda_cpu_launch(const char *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, const void *args);

#ifdef __cplusplus
}
#endif
#endif
