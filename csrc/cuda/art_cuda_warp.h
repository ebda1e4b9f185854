/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_warp.h: one way to write a kernel for a GPU and for the CPU.
 *
 * Purpose   kernels are written for a warp: lane_each() runs a function of the lane, wide<T> holds a value a lane, and values cross lanes
 *           by shuffles and reductions only. A block is a sequence of phases: phase() has every warp run a function, phase_first()
 *           warp 0 between two barriers; a barrier follows both. Warps speak to each other through shared memory, from one phase to a later one.
 *           On a GPU a wide<T> is one register and lane_each() a plain call; on the CPU it is an array and a loop, and the warps of a
 *           phase follow each other in any order, or are threads, in which the thread sanitizer finds races.
 * Rules     inside a phase control flow around shuffles and reductions is the same for all lanes; between phases it is the same for all
 *           warps, so what decides it is written by phase_first() only, or by a phase whose result is read before any later one.
 * Cost      nothing on a GPU. */
#ifndef ART_CUDA_WARP_H
#define ART_CUDA_WARP_H

#include "art_cuda_abi.h"

#define ART_FULL 0xFFFFFFFFu

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define ART_GPU 1
#define ART_DEV static __device__ __forceinline__
#define ART_DEV_COLD static __device__ __noinline__
#define ART_UNROLL _Pragma("unroll")
#define ART_ROLLED _Pragma("unroll 1")
#else
#define ART_GPU 0
#include <math.h>
#include <string.h>
#define ART_DEV static inline
#define ART_DEV_COLD static inline
#define ART_UNROLL
#define ART_ROLLED
#endif

struct vec16 { /* what one load moves at most */
    uint32_t w[4];
};

#if ART_GPU /* ------------------------------------------------------------------ on a GPU */

template <class T> using wide = T;

struct warp_id {
    uint32_t index; /* in its block */
};

template <class T> ART_DEV T &at(T &value, uint32_t) {
    return value;
}

ART_DEV uint32_t lane_id() {
    return threadIdx.x % ART_CUDA_LANES;
}

template <class F> ART_DEV void lane_each(warp_id, F f) {
    f(lane_id());
}

/* To write what is the same for all lanes. */
ART_DEV bool one_lane(warp_id) {
    return lane_id() == 0;
}

/* What a lane wrote to shared memory is there for the others of its warp. */
ART_DEV void sync_lanes(warp_id) {
    __syncwarp();
}

template <class T> ART_DEV T from_lane(warp_id, T value, uint32_t lane) {
    return __shfl_sync(ART_FULL, value, static_cast<int>(lane));
}

ART_DEV uint32_t ballot(warp_id, bool value) {
    return __ballot_sync(ART_FULL, value);
}

/* The order of the additions is the same everywhere: a butterfly. */
ART_DEV float max_of_lanes(warp_id, float value) {
    ART_UNROLL
    for (int d = 16; d; d /= 2) value = fmaxf(value, __shfl_xor_sync(ART_FULL, value, d));
    return value;
}

template <class T> ART_DEV T sum_of_lanes(warp_id, T value) {
    ART_UNROLL
    for (int d = 16; d; d /= 2) value += __shfl_xor_sync(ART_FULL, value, d);
    return value;
}

/* The sum of the values of this lane and those before it. */
template <class T> ART_DEV_COLD T scan_sum(warp_id, T value) {
    ART_UNROLL
    for (int d = 1; d < 32; d *= 2) {
        T other = __shfl_up_sync(ART_FULL, value, d);
        if (lane_id() >= static_cast<uint32_t>(d)) value += other;
    }
    return value;
}

ART_DEV uint32_t count_bits(uint32_t v) {
    return static_cast<uint32_t>(__popc(static_cast<int>(v)));
}

ART_DEV uint32_t lowest_bit(uint32_t v) { /* v is not 0 */
    return static_cast<uint32_t>(__ffs(static_cast<int>(v))) - 1u;
}

ART_DEV uint32_t highest_bit(uint32_t v) { /* v is not 0 */
    return 31u - static_cast<uint32_t>(__clz(static_cast<int>(v)));
}

/* The low word of high:low >> n; n < 32 */
ART_DEV uint32_t shift_right(uint32_t low, uint32_t high, uint32_t n) {
    return __funnelshift_r(low, high, n);
}

ART_DEV float as_float(uint32_t bits) {
    return __uint_as_float(bits);
}

ART_DEV uint32_t as_bits(float x) {
    return __float_as_uint(x);
}

/* 2^x, relative error below 2^-22; 0 where the result is below the normal numbers. */
ART_DEV float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Rounded one by one, never fused: on the CPU the build forbids it (-ffp-contract=off). */
ART_DEV float mul_rn(float a, float b) {
    return __fmul_rn(a, b);
}

ART_DEV float add_rn(float a, float b) {
    return __fadd_rn(a, b);
}

ART_DEV float float_up(double x) {
    return __double2float_ru(x);
}

/* Loads of what no one writes during the launch. */
ART_DEV vec16 load_vec16(const void *p) {
    vec16 v;
    asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
        : "l"(p));
    return v;
}

/* Has a value computed here and once: compilers put that off behind branches, and keep in registers what it is computed from. */
ART_DEV void settle(float &x) {
    asm("" : "+f"(x));
}

ART_DEV void settle(uint32_t &x) {
    asm("" : "+r"(x));
}

template <class T> ART_DEV T load_const(const T *p) {
    return __ldg(p);
}

/* Brings what is there into the nearest cache, and waits for nothing. */
ART_DEV void touch(const void *p) {
    asm volatile("{\n\t.reg .u16 unused;\n\tld.global.nc.u16 unused, [%0];\n\t}" ::"l"(p));
}

ART_DEV void store_vec16(void *p, const vec16 &v) {
    *static_cast<uint4 *>(p) = make_uint4(v.w[0], v.w[1], v.w[2], v.w[3]);
}

/* What other blocks of the launch write: past the first cache. */
ART_DEV float load_shared_by_blocks(const float *p) {
    return __ldcg(p);
}

ART_DEV void store_shared_by_blocks(float *p, float v) {
    __stcg(p, v);
}

ART_DEV void fence_device() {
    __threadfence();
}

ART_DEV uint32_t atomic_add(uint32_t *p, uint32_t n) { /* in shared or in global memory */
    return atomicAdd(p, n);
}

struct block {
    uint32_t x, y, n_y, n_warps, shared_bytes;
    unsigned char *shared;
};

extern __shared__ __align__(16) unsigned char art_dynamic_shared[];

ART_DEV block this_block() {
    block b;
    b.x = blockIdx.x;
    b.y = blockIdx.y;
    b.n_y = gridDim.y;
    b.n_warps = blockDim.x / ART_CUDA_LANES;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(b.shared_bytes));
    b.shared = art_dynamic_shared;
    return b;
}

template <class F> ART_DEV void phase(const block &, F f) {
    warp_id w = {threadIdx.x / ART_CUDA_LANES};
    f(w);
    __syncthreads();
}

template <class F> ART_DEV void phase_first(const block &, F f) {
    warp_id w = {threadIdx.x / ART_CUDA_LANES};
    __syncthreads();
    if (w.index == 0) f(w);
    __syncthreads();
}

#else /* ------------------------------------------------------------------ on the CPU */

template <class T> struct wide {
    T v[ART_CUDA_LANES];
};

struct warp_id {
    uint32_t index;
    uint32_t flip; /* lanes run in the order 0 ^ flip, 1 ^ flip, ... */
};

template <class T> ART_DEV T &at(wide<T> &value, uint32_t lane) {
    return value.v[lane];
}

template <class T> ART_DEV const T &at(const wide<T> &value, uint32_t lane) {
    return value.v[lane];
}

template <class F> ART_DEV void lane_each(warp_id w, F f) {
    for (uint32_t i = 0; i < ART_CUDA_LANES; i++) f(i ^ w.flip);
}

ART_DEV bool one_lane(warp_id) {
    return true;
}

ART_DEV void sync_lanes(warp_id) {}

template <class T> ART_DEV T from_lane(warp_id, const wide<T> &value, uint32_t lane) {
    return value.v[lane % ART_CUDA_LANES];
}

ART_DEV uint32_t ballot(warp_id, const wide<bool> &value) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < ART_CUDA_LANES; i++) bits |= static_cast<uint32_t>(value.v[i]) << i;
    return bits;
}

ART_DEV float max_of_lanes(warp_id, const wide<float> &value) {
    float m = value.v[0];
    for (uint32_t i = 1; i < ART_CUDA_LANES; i++) m = fmaxf(m, value.v[i]);
    return m;
}

template <class T> ART_DEV T sum_of_lanes(warp_id, wide<T> value) {
    for (uint32_t d = 16; d; d /= 2)
        for (uint32_t i = 0; i < d; i++) value.v[i] += value.v[i + d];
    return value.v[0];
}

template <class T> ART_DEV wide<T> scan_sum(warp_id, wide<T> value) {
    for (uint32_t d = 1; d < ART_CUDA_LANES; d *= 2)
        for (uint32_t i = ART_CUDA_LANES; i-- > d;) value.v[i] += value.v[i - d];
    return value;
}

ART_DEV uint32_t count_bits(uint32_t v) {
    return static_cast<uint32_t>(__builtin_popcount(v));
}

ART_DEV uint32_t lowest_bit(uint32_t v) {
    return static_cast<uint32_t>(__builtin_ctz(v));
}

ART_DEV uint32_t highest_bit(uint32_t v) {
    return 31u - static_cast<uint32_t>(__builtin_clz(v));
}

ART_DEV uint32_t shift_right(uint32_t low, uint32_t high, uint32_t n) {
    return n ? low >> n | high << (32u - n) : low;
}

ART_DEV float as_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

ART_DEV uint32_t as_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

ART_DEV float exp2_fast(float x) {
    return x < -126.0f ? 0.0f : exp2f(x);
}

ART_DEV float mul_rn(float a, float b) {
    return a * b;
}

ART_DEV float add_rn(float a, float b) {
    return a + b;
}

ART_DEV float float_up(double x) {
    float r = static_cast<float>(x);
    return static_cast<double>(r) < x ? nextafterf(r, INFINITY) : r;
}

ART_DEV vec16 load_vec16(const void *p) {
    vec16 v;
    memcpy(&v, __builtin_assume_aligned(p, 16), sizeof v);
    return v;
}

ART_DEV void settle(float &) {}

ART_DEV void settle(uint32_t &) {}

template <class T> ART_DEV T load_const(const T *p) {
    return *p;
}

ART_DEV void touch(const void *) {}

ART_DEV void store_vec16(void *p, const vec16 &v) {
    memcpy(__builtin_assume_aligned(p, 16), &v, sizeof v);
}

ART_DEV float load_shared_by_blocks(const float *p) {
    return *p;
}

ART_DEV void store_shared_by_blocks(float *p, float v) {
    *p = v;
}

ART_DEV void fence_device() {}

ART_DEV uint32_t atomic_add(uint32_t *p, uint32_t n) {
    return __atomic_fetch_add(p, n, __ATOMIC_ACQ_REL);
}

struct block {
    uint32_t x, y, n_y, n_warps, shared_bytes;
    unsigned char *shared;
    uint64_t shuffle; /* 0: warps and lanes run in ascending order */
    uint32_t warp;    /* with a barrier: which warp this thread is */
    void *barrier;    /* NULL: one thread is all warps, in turn */
};

void art_cuda_cpu_wait(void *barrier); /* until all warps of the block are here */

/* Another odd stride and start for every phase: each a permutation, as n_warps is a power of two. */
template <class F> ART_DEV void phase(block &b, F f) {
    if (b.barrier) {
        warp_id w = {b.warp, 0u};
        f(w);
        art_cuda_cpu_wait(b.barrier);
        return;
    }
    if (b.shuffle) b.shuffle = b.shuffle * 6364136223846793005u + 1442695040888963407u;
    uint32_t random = static_cast<uint32_t>(b.shuffle >> 32), stride = (random >> 8) * 2u + 1u;
    for (uint32_t i = 0; i < b.n_warps; i++) {
        warp_id w = {(random + i * stride) % b.n_warps, random >> 27};
        f(w);
    }
}

template <class F> ART_DEV void phase_first(block &b, F f) {
    if (b.barrier) art_cuda_cpu_wait(b.barrier);
    warp_id w = {0u, static_cast<uint32_t>(b.shuffle >> 59)};
    if (!b.barrier || b.warp == 0) f(w);
    if (b.barrier) art_cuda_cpu_wait(b.barrier);
}

#endif

/* The same by a call, for what is no part of the first reading: a shuffle is a dozen instructions where the compiler does not see that a warp
 * is together. */
ART_DEV_COLD float reduce_max(warp_id w, wide<float> value) {
    return max_of_lanes(w, value);
}

template <class T> ART_DEV_COLD T reduce_sum(warp_id w, wide<T> value) {
    return sum_of_lanes(w, value);
}

#endif
