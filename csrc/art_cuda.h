/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda.h: NVIDIA's driver and compiler behind function pointers (private to csrc; art_cuda_* and art_nvrtc_* are public, see art.h).
 *
 * Purpose   what runs kernels: contexts, modules, memory, launches. Built without CUDA's headers, opened at run time.
 * Owns      art_cuda: the driver's function table; the code of each part of the kernels (art_cuda_part) a device, and its module a
 *           context; arrays that were freed. It is counted: arrays and batches hold references, so it may be freed in any order.
 * Threads   all functions from any thread. Nothing here waits for a device, but for what makes or releases memory: the first arrays
 *           of a stream, art_cuda_load(), batches, and freeing what is not kept for reuse.
 * Errors    ART_E_DEVICE with the driver's own name for the failure; ART_E_STATE for what is not possible while a stream is captured;
 *           ART_E_FORKED in a child process, where CUDA does not work.
 * Limits    ARTI_CUDA_CONTEXTS_MAX contexts with modules; ARTI_CUDA_KEPT_MAX freed arrays are kept.
 *
 * Contexts. Work for a device is done in the calling thread's current context when that is one of this device (the one that made
 * the tensor, then), else in the device's primary context, which is what the runtime API uses. It is current only within a call. */
#ifndef ART_CUDA_H
#define ART_CUDA_H

#include "art_mem.h"
#include "cuda/art_cuda_abi.h"
#include <pthread.h>
#include <stdatomic.h>

#define ARTI_CUDA_CONTEXTS_MAX 64u
#define ARTI_CUDA_KEPT_MAX 256u
#define ARTI_CUDA_DEVICES_MAX 64u
#define ARTI_CUDA_DRIVER_MIN 11020 /* CUDA 11.2 */

#define CU_LEGACY_STREAM 1u
#define CU_PER_THREAD_STREAM 2u

/* Values of CUDA's ABI. */
enum {
    CU_OK = 0,
    CU_OUT_OF_MEMORY = 2,
    CU_NO_DEVICE = 100,
    CU_STREAM_CAPTURE_FIRST = 900, /* what can not be done while a stream is captured */
    CU_STREAM_CAPTURE_IMPLICIT = 906,
    CU_STREAM_CAPTURE_LAST = 908
};
enum {
    CU_POINTER_MEMORY_TYPE = 2,
    CU_POINTER_DEVICE_POINTER = 3,
    CU_POINTER_HOST_POINTER = 4,
    CU_POINTER_DEVICE_ORDINAL = 9
};
enum { CU_MEMORY_HOST = 1, CU_MEMORY_DEVICE = 2, CU_MEMORY_UNIFIED = 4 };

/* name in the library, field, arguments; all return a CUresult */
#define ARTI_CUDA_REQUIRED(X)                                                                                          \
    X(cuInit, init, (unsigned))                                                                                        \
    X(cuDriverGetVersion, driver_version, (int *))                                                                     \
    X(cuGetErrorName, error_name, (int, const char **))                                                                \
    X(cuGetErrorString, error_string, (int, const char **))                                                            \
    X(cuDeviceGetCount, device_count, (int *))                                                                         \
    X(cuDeviceGet, device_get, (int *, int))                                                                           \
    X(cuDeviceGetName, device_name, (char *, int, int))                                                                \
    X(cuDeviceGetAttribute, device_attribute, (int *, int, int))                                                       \
    X(cuDeviceTotalMem_v2, device_memory, (size_t *, int))                                                             \
    X(cuDevicePrimaryCtxRetain, primary_retain, (void **, int))                                                        \
    X(cuDevicePrimaryCtxRelease_v2, primary_release, (int))                                                            \
    X(cuCtxGetCurrent, ctx_current, (void **))                                                                         \
    X(cuCtxGetDevice, ctx_device, (int *))                                                                             \
    X(cuCtxPushCurrent_v2, ctx_push, (void *))                                                                         \
    X(cuCtxPopCurrent_v2, ctx_pop, (void **))                                                                          \
    X(cuCtxSynchronize, ctx_synchronize, (void))                                                                       \
    X(cuModuleLoadData, module_load, (void **, const void *))                                                          \
    X(cuModuleUnload, module_unload, (void *))                                                                         \
    X(cuModuleGetFunction, module_function, (void **, void *, const char *))                                           \
    X(cuFuncSetAttribute, function_set, (void *, int, int))                                                            \
    X(cuLaunchKernel, launch,                                                                                          \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **))        \
    X(cuMemAlloc_v2, mem_alloc, (uint64_t *, size_t))                                                                  \
    X(cuMemFree_v2, mem_free, (uint64_t))                                                                              \
    X(cuMemcpyHtoD_v2, copy_to_device, (uint64_t, const void *, size_t))                                               \
    X(cuMemcpyAsync, copy_async, (uint64_t, uint64_t, size_t, void *))                                                 \
    X(cuMemsetD8_v2, set_bytes, (uint64_t, unsigned char, size_t))                                                     \
    X(cuPointerGetAttributes, pointer_attributes, (unsigned, const int *, void **, uint64_t))                          \
    X(cuStreamIsCapturing, stream_is_capturing, (void *, int *))                                                       \
    X(cuEventCreate, event_create, (void **, unsigned))                                                                \
    X(cuEventRecord, event_record, (void *, void *))                                                                   \
    X(cuStreamWaitEvent, stream_wait, (void *, void *, unsigned))                                                      \
    X(cuEventDestroy_v2, event_destroy, (void *))                                                                      \
    X(cuLinkCreate_v2, link_create, (unsigned, int *, void **, void **))                                               \
    X(cuLinkAddData_v2, link_add, (void *, int, void *, size_t, const char *, unsigned, int *, void **))               \
    X(cuLinkComplete, link_complete, (void *, void **, size_t *))                                                      \
    X(cuLinkDestroy, link_destroy, (void *))

#define ARTI_CUDA_OPTIONAL(X) X(cuCtxGetId, ctx_id, (void *, unsigned long long *))

typedef struct arti_cuda_api {
#define FIELD(name, field, args) int(*field) args;
    ARTI_CUDA_REQUIRED(FIELD)
    ARTI_CUDA_OPTIONAL(FIELD)
#undef FIELD
} arti_cuda_api;

typedef struct arti_cuda_dev {
    int handle;
    void *primary; /* retained when first needed; else NULL */
    art_cuda_device info;
    struct {
        uint8_t *code; /* NULL until art_cuda_load() */
        size_t len;
    } part[ART_CUDA_N_PARTS];
} arti_cuda_dev;

typedef struct arti_cuda_kernels { /* in one context */
    void *ctx;
    unsigned long long ctx_id; /* tells a context from an older one at the same address; 0 when the driver has no ids */
    void *module[ART_CUDA_N_PARTS]; /* NULL until the part is needed */
    void *kernel[ART_CUDA_N_KERNELS];
} arti_cuda_kernels;

struct art_cuda_array {
    atomic_uint refs;
    art_cuda *cuda; /* one reference; NULL while kept for reuse */
    uint64_t address;
    uint64_t stream; /* or what stands for it when memory is used again */
    size_t n_bytes;
    uint32_t device;
    art_cuda_array *next; /* of those that are kept */
};

struct art_cuda {
    atomic_uint refs;
    arti_mem mem;         /* under lock */
    pthread_mutex_t lock; /* everything below */
    pthread_mutex_t load_lock;
    int64_t pid;
    uint32_t driver_version;
    uint32_t n_devices;
    arti_cuda_api f;
    arti_cuda_dev dev[ARTI_CUDA_DEVICES_MAX];
    arti_cuda_kernels kernels[ARTI_CUDA_CONTEXTS_MAX];
    uint32_t n_contexts;
    art_cuda_array *kept;
    uint32_t n_kept;
};

typedef struct arti_cuda_scope { /* a context that is current from enter to leave */
    art_cuda *cuda;
    arti_cuda_dev *dev;
    void *ctx;
    bool pushed;
} arti_cuda_scope;

/* For a failed driver call: what was tried, and the driver's words for why. ART_E_STATE when a capture forbids it, ART_E_NOMEM, else
 * ART_E_DEVICE. */
art_status arti_cuda_fail(const art_cuda *c, art_error *err, int result, const char *what);
art_status arti_cuda_enter(art_cuda *c, uint32_t device, arti_cuda_scope *scope, art_error *err);
void arti_cuda_leave(arti_cuda_scope *scope);
/* The current context's kernels, of which those of `part` are loaded if they are not yet; lent until art_cuda_free(). */
art_status arti_cuda_need(const arti_cuda_scope *scope, uint32_t part, bool capturing, const arti_cuda_kernels **out,
                          art_error *err);
/* Queues a kernel; args is its one argument. */
art_status arti_cuda_launch(const arti_cuda_scope *scope, const arti_cuda_kernels *k, const art_cuda_launch *l,
                            void *args, uint64_t stream, art_error *err);
art_cuda *arti_cuda_ref(art_cuda *c);

#endif
