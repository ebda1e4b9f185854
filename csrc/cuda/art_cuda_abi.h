/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_abi.h: what the host and the kernels agree on: arguments, results, names, shapes of launches.
 *
 * Purpose   included by the host (C11), by the kernels (CUDA C++ through nvcc or NVRTC) and by their build for the CPU (C++).
 * Calls     every kernel takes one argument, a struct by value. Addresses are integers, so that the structs are alike everywhere.
 * Memory    kernels allocate nothing and keep nothing: what outlives a launch is the caller's. The workspace must be all zeros in its
 *           first ART_CUDA_TICKET_BYTES before the first launch, and a launch leaves these zero again. Launches that share a
 *           workspace, or rows, must follow each other on one stream.
 * Errors    a row that has no token gets a negative number in its place (ART_CUDA_ROW_*) and NaN as log-probability; its counters
 *           and its history stay as they were, and other rows are not affected.
 * Limits    ART_CUDA_VOCAB_MAX tokens; ART_CUDA_PATCHES_MAX tokens of a row that penalties and biases look at.
 * Cost      docs/gpu.md. */
#ifndef ART_CUDA_ABI_H
#define ART_CUDA_ABI_H

#ifdef __CUDACC_RTC__ /* has no standard headers */
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

#define ART_CUDA_VOCAB_MAX (1u << 20)
#define ART_CUDA_PATCHES_MAX 2048u /* min(penalty_last_n, history_cap) + biases of a row */
#define ART_CUDA_SET_ROWS_MAX 32u  /* rows that one launch of art_set writes */
#define ART_CUDA_LAUNCHES_MAX 4u

enum { ART_CUDA_F32 = 0, ART_CUDA_F16 = 1, ART_CUDA_BF16 = 2 };

/* Instead of a token. */
enum {
    ART_CUDA_ROW_EMPTY = -1, /* nothing can be chosen: everything is refused, or -infinity */
    ART_CUDA_ROW_NAN = -2,   /* a NaN or +infinity among the logits, allowed or not */
    ART_CUDA_ROW_PARAM = -3  /* a parameter is out of its range; too many patches; a bias or a mask that is not there */
};

typedef struct art_cuda_bias {
    uint32_t token;
    float bias; /* finite up to 1e6 either way, or -infinity */
} art_cuda_bias;

/* Sampling parameters of one row, with the meanings and ranges of art_sample_params. */
typedef struct art_cuda_row {
    float temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
    int32_t top_k;
    uint32_t penalty_last_n;
    uint32_t bias_begin, bias_end; /* its part of art_cuda_sample_args.bias */
    uint64_t seed;
} art_cuda_row;

typedef struct art_cuda_sample_args {
    uint64_t logits;       /* of `dtype`, aligned to one element */
    int64_t logits_stride; /* elements from row to row */
    uint64_t masks;        /* int32 rows, bit i % 32 of word i / 32; 0: everything is allowed */
    int64_t masks_stride;  /* words from mask to mask */
    uint64_t mask_rows;    /* int32 a row: its mask; negative: everything is allowed. 0: row i has mask i */
    uint64_t rows;         /* art_cuda_row a row */
    uint64_t steps;        /* uint64 a row: tokens chosen so far; one more after each */
    uint64_t bias;         /* art_cuda_bias of all rows; 0: there are none */
    uint64_t history; /* int32 [n_rows][history_cap]: token k at k % history_cap; the chosen one is appended; 0: none */
    uint64_t history_n; /* uint32 a row: tokens ever appended; 0 when history is */
    uint64_t ids;       /* out: int32 a row, or int64 */
    uint64_t logprobs;  /* out: float a row; 0: not wanted */
    uint64_t workspace; /* art_cuda_workspace_bytes() */
    uint64_t step;      /* added to steps[row] for this draw */
    uint32_t n_rows, n_vocab, n_masks, dtype, history_cap, ids_64;
    uint32_t keep_steps; /* 1: steps, history and history_n stay as they are */
    uint32_t reserved;
} art_cuda_sample_args;

/* art_masks: -infinity where the mask says no. */
typedef struct art_cuda_mask_args {
    uint64_t logits;
    int64_t logits_stride;
    uint64_t masks;
    int64_t masks_stride;
    uint64_t mask_rows;
    uint32_t n_rows, n_vocab, n_masks, dtype; /* a mask_rows entry at or past n_masks leaves its row alone */
} art_cuda_mask_args;

/* art_set: writes rows[first .. first + n), steps and history_n likewise. */
typedef struct art_cuda_set_args {
    uint64_t rows, steps, history_n; /* history_n 0: there is none */
    uint32_t first, n;
    art_cuda_row row[ART_CUDA_SET_ROWS_MAX];
    uint64_t step[ART_CUDA_SET_ROWS_MAX];
    uint32_t n_history[ART_CUDA_SET_ROWS_MAX];
} art_cuda_set_args;

/* ------------------------------------------------------------------ kernels and their launches */

enum {
    ART_CUDA_SAMPLE = 0, /* + dtype */
    ART_CUDA_MASKS = 3,  /* + dtype */
    ART_CUDA_SET = 6,
    ART_CUDA_N_KERNELS = 7
};

/* Kernels are compiled, kept and loaded in parts, each when it is first needed. ART_CUDA_PART, when the compiler is given it, is the one
 * to compile; without it, all are. */
#define ART_CUDA_PART_SAMPLE 0 /* + dtype: art_sample_* */
#define ART_CUDA_PART_MASKS 3  /* art_masks_* */
#define ART_CUDA_PART_ROWS 4   /* art_set */
#define ART_CUDA_N_PARTS 5

typedef struct art_cuda_launch {
    uint32_t kernel, grid_x, grid_y, block_x, shared_bytes;
} art_cuda_launch;

#define ART_CUDA_LANES 32u
#ifndef ART_CUDA_ITEMS
#define ART_CUDA_ITEMS 32u /* logits a lane has of a tile; the tests build with fewer as well */
#endif
#define ART_CUDA_TILE (ART_CUDA_LANES * ART_CUDA_ITEMS) /* logits that one warp reads at once; counted from token 0 */
#define ART_CUDA_BLOCK 512u                             /* threads of art_sample */
#define ART_CUDA_MASK_BLOCK 256u
#ifndef ART_CUDA_CANDIDATES_MAX
#define ART_CUDA_CANDIDATES_MAX 1024u /* tokens that top_k sorts at once; a power of two */
#endif

/* Rows that may be shared among blocks: fewer than these many, each has a ticket at the workspace's beginning. */
#define ART_CUDA_SPLIT_ROWS_MAX 256u
#define ART_CUDA_TICKET_BYTES (ART_CUDA_SPLIT_ROWS_MAX * 4u)

/* What art_sample keeps of a tile, in shared memory and, when blocks share a row, in the workspace. */
#define ART_CUDA_TILE_RESULTS 4u /* floats: largest logit, largest allowed, sums of weights of all and of the allowed */
#define ART_CUDA_TILE_WORDS (ART_CUDA_TILE_RESULTS + 5u)
#define ART_CUDA_STATE_BYTES 256u

#ifndef __CUDACC_RTC__

static inline const char *art_cuda_kernel_name(uint32_t kernel) {
    static const char *const names[ART_CUDA_N_KERNELS] = {"art_sample_f32", "art_sample_f16", "art_sample_bf16",
                                                          "art_masks_f32",  "art_masks_f16",  "art_masks_bf16",
                                                          "art_set"};
    return kernel < ART_CUDA_N_KERNELS ? names[kernel] : "";
}

static inline uint32_t art_cuda_part_of(uint32_t kernel) {
    if (kernel < ART_CUDA_MASKS) return ART_CUDA_PART_SAMPLE + kernel;
    return kernel < ART_CUDA_SET ? ART_CUDA_PART_MASKS : ART_CUDA_PART_ROWS;
}

static inline uint32_t art_cuda_n_tiles(uint32_t n_vocab) {
    return (n_vocab + ART_CUDA_TILE - 1u) / ART_CUDA_TILE;
}

/* Dynamic shared memory of art_sample. n_patches: the most that a row of the launch may have. */
static inline uint32_t art_cuda_sample_shared_bytes(uint32_t n_vocab, uint32_t n_patches) {
    uint32_t slots = n_patches ? 32u : 0u;
    while (slots < n_patches) slots *= 2u;
    return ART_CUDA_STATE_BYTES + 8u * (ART_CUDA_CANDIDATES_MAX + slots) +
           4u * ART_CUDA_TILE_WORDS * art_cuda_n_tiles(n_vocab);
}

/* Dynamic shared memory that a kernel may ask for at most: to be set as its attribute when the module is loaded. */
static inline uint32_t art_cuda_kernel_shared_max(uint32_t kernel) {
    return kernel < ART_CUDA_MASKS ? art_cuda_sample_shared_bytes(ART_CUDA_VOCAB_MAX, ART_CUDA_PATCHES_MAX) : 0u;
}

/* Blocks that share a row: one while there are enough rows to fill the device. */
static inline uint32_t art_cuda_row_blocks(uint32_t n_rows, uint32_t n_vocab, uint32_t n_sm) {
    uint32_t warps = ART_CUDA_BLOCK / ART_CUDA_LANES, most = (art_cuda_n_tiles(n_vocab) + warps - 1u) / warps;
    if (!n_rows || n_rows > ART_CUDA_SPLIT_ROWS_MAX || n_rows * 2u > n_sm) return 1u;
    uint32_t wanted = 2u * n_sm / n_rows;
    return wanted < most ? wanted : most;
}

/* The launches of one call, in order; returns how many. n_patches: the most that a row has, at most ART_CUDA_PATCHES_MAX (a row that
 * has more gets ART_CUDA_ROW_PARAM). Depends on the shape only, never on what rows hold, so a captured graph stays valid. */
static inline uint32_t art_cuda_plan_sample(uint32_t n_rows, uint32_t n_vocab, uint32_t dtype, uint32_t n_patches,
                                            uint32_t n_sm, art_cuda_launch launches[ART_CUDA_LAUNCHES_MAX]) {
    art_cuda_launch l;
    l.kernel = ART_CUDA_SAMPLE + dtype;
    l.grid_x = n_rows;
    l.grid_y = art_cuda_row_blocks(n_rows, n_vocab, n_sm);
    l.block_x = ART_CUDA_BLOCK;
    l.shared_bytes = art_cuda_sample_shared_bytes(n_vocab, n_patches);
    launches[0] = l;
    return 1u;
}

/* Enough for every launch of at most n_rows rows. */
static inline uint64_t art_cuda_workspace_bytes(uint32_t n_rows, uint32_t n_vocab, uint32_t n_sm) {
    uint32_t shared_rows = n_sm / 2u < n_rows ? n_sm / 2u : n_rows;
    if (shared_rows > ART_CUDA_SPLIT_ROWS_MAX) shared_rows = ART_CUDA_SPLIT_ROWS_MAX;
    return ART_CUDA_TICKET_BYTES + (uint64_t)shared_rows * art_cuda_n_tiles(n_vocab) * ART_CUDA_TILE_RESULTS * 4u;
}

static inline art_cuda_launch art_cuda_plan_masks(uint32_t n_rows, uint32_t n_vocab, uint32_t dtype) {
    art_cuda_launch l;
    l.kernel = ART_CUDA_MASKS + dtype;
    l.grid_x = n_rows;
    l.grid_y = (n_vocab + 7u + 16u * ART_CUDA_MASK_BLOCK - 1u) / (16u * ART_CUDA_MASK_BLOCK); /* 7: see mask_row() */
    l.block_x = ART_CUDA_MASK_BLOCK;
    l.shared_bytes = 0u;
    return l;
}

static inline art_cuda_launch art_cuda_plan_set(uint32_t n) {
    art_cuda_launch l;
    l.kernel = ART_CUDA_SET;
    l.grid_x = n;
    l.grid_y = 1u;
    l.block_x = ART_CUDA_LANES;
    l.shared_bytes = 0u;
    return l;
}

#endif
#endif
