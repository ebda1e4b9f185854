/* SPDX-License-Identifier: Apache-2.0 */
#include "art_cuda_cpu.h"

#include "art_cuda_choose.h"
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <stdlib.h>
#include <thread>
#include <vector>

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

int check(const art_cuda_launch *l) {
    if (l->kernel >= ART_CUDA_N_KERNELS) return ART_CUDA_CPU_UNKNOWN;
    uint32_t n_warps = l->block_x / ART_CUDA_LANES;
    bool ok = l->grid_x && l->grid_y && l->grid_y <= 65535u && l->block_x && l->block_x % ART_CUDA_LANES == 0 &&
              l->block_x <= most_threads(l->kernel) && !(n_warps & (n_warps - 1u)) && l->shared_bytes <= 227u * 1024u;
    return ok ? 0 : ART_CUDA_CPU_SHAPE;
}

/* What is in shared memory when a block begins is not known. */
unsigned char *shared_memory(uint32_t n_bytes) {
    unsigned char *p = static_cast<unsigned char *>(malloc(n_bytes ? n_bytes : 1u));
    if (p) memset(p, 0xCD, n_bytes);
    return p;
}

class barrier {
  public:
    explicit barrier(uint32_t n) : n_(n) {}

    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        uint64_t round = round_;
        if (++n_here_ == n_) {
            n_here_ = 0;
            round_++;
            all_.notify_all();
        } else {
            all_.wait(lock, [&] { return round_ != round; });
        }
    }

  private:
    std::mutex mutex_;
    std::condition_variable all_;
    uint32_t n_, n_here_ = 0;
    uint64_t round_ = 0;
};

/* The blocks of row x, a thread a warp. */
void run_row(const art_cuda_launch *l, uint32_t x, const std::vector<unsigned char *> &shared, const void *args) {
    uint32_t n_warps = l->block_x / ART_CUDA_LANES;
    std::vector<std::unique_ptr<barrier>> barriers;
    std::vector<std::thread> threads;
    for (uint32_t y = 0; y < l->grid_y; y++) {
        memset(shared[y], 0xCD, l->shared_bytes);
        barriers.emplace_back(new barrier(n_warps));
    }
    for (uint32_t i = 0; i < l->grid_y * n_warps; i++)
        threads.emplace_back([&, i] {
            uint32_t y = i / n_warps;
            block b = {x, y, l->grid_y, n_warps, l->shared_bytes, shared[y], 0, i % n_warps, barriers[y].get()};
            kernels[l->kernel](b, args);
        });
    for (std::thread &t : threads) t.join();
}

} // namespace

void art_cuda_cpu_wait(void *b) {
    static_cast<barrier *>(b)->wait();
}

int art_cuda_cpu_launch_shuffled(const art_cuda_launch *l, uint64_t shuffle, const void *args) {
    int error = check(l);
    if (error) return error;
    unsigned char *shared = shared_memory(l->shared_bytes);
    if (!shared) return ART_CUDA_CPU_NOMEM;
    uint64_t n = static_cast<uint64_t>(l->grid_x) * l->grid_y, start = shuffle % n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = (start + (shuffle & 1u ? n - 1u - i : i)) % n;
        memset(shared, 0xCD, l->shared_bytes);
        block b = {static_cast<uint32_t>(at % l->grid_x),
                   static_cast<uint32_t>(at / l->grid_x),
                   l->grid_y,
                   l->block_x / ART_CUDA_LANES,
                   l->shared_bytes,
                   shared,
                   shuffle,
                   0,
                   nullptr};
        kernels[l->kernel](b, args);
    }
    free(shared);
    return 0;
}

int art_cuda_cpu_launch_threaded(const art_cuda_launch *l, const void *args) {
    int error = check(l);
    if (error) return error;
    std::vector<unsigned char *> shared;
    try {
        for (uint32_t y = 0; y < l->grid_y && !error; y++) {
            shared.push_back(shared_memory(l->shared_bytes));
            if (!shared.back()) error = ART_CUDA_CPU_NOMEM;
        }
        for (uint32_t x = 0; x < l->grid_x && !error; x++) run_row(l, x, shared, args);
    } catch (const std::bad_alloc &) {
        error = ART_CUDA_CPU_NOMEM;
    }
    for (unsigned char *p : shared) free(p);
    return error;
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
