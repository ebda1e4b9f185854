/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors that other libraries lend, and arrays lent to them, by the DLPack ABI (https://dmlc.github.io/dlpack/latest/c_api.html). */
#include "art_cuda.h"

enum { DEVICE_CUDA = 2, FLAG_READ_ONLY = 1, VERSION_MAJOR = 1, VERSION_MINOR = 0 };

typedef struct dl_tensor { /* DLTensor */
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides; /* strides NULL: row by row, without gaps */
    uint64_t byte_offset;
} dl_tensor;

typedef struct managed { /* DLManagedTensor */
    dl_tensor tensor;
    void *owner;
    void (*deleter)(struct managed *);
} managed;

typedef struct managed_versioned { /* DLManagedTensorVersioned */
    uint32_t major, minor;
    void *owner;
    void (*deleter)(struct managed_versioned *);
    uint64_t flags;
    dl_tensor tensor;
} managed_versioned;

_Static_assert(sizeof(void *) != 8 ||
                   (sizeof(dl_tensor) == 48 && sizeof(managed) == 64 && sizeof(managed_versioned) == 80),
               "DLPack's structs on 64-bit machines");

art_status art_dlpack_read(const void *m, int is_versioned, art_tensor *out, art_error *err) {
    *out = (art_tensor){0};
    const dl_tensor *t = &((const managed *)m)->tensor;
    if (is_versioned) {
        const managed_versioned *v = m;
        if (v->major != VERSION_MAJOR)
            return arti_fail(err, ART_E_UNSUPPORTED, 0, "DLPack %u.%u; version 1 is what can be read", v->major,
                             v->minor);
        out->is_read_only = (v->flags & FLAG_READ_ONLY) != 0;
        t = &v->tensor;
    }
    if (t->ndim < 0 || t->ndim > 4) return arti_fail(err, ART_E_UNSUPPORTED, 0, "a tensor of %d dimensions", t->ndim);
    out->address = (uint64_t)(uintptr_t)t->data + t->byte_offset;
    out->device_type = t->device_type;
    out->device_id = t->device_id;
    out->code = t->code;
    out->bits = t->bits;
    out->lanes = t->lanes;
    out->ndim = t->ndim;
    int64_t stride = 1;
    for (int32_t i = t->ndim; i-- > 0;) {
        out->shape[i] = t->shape[i];
        out->strides[i] = t->strides ? t->strides[i] : stride;
        stride *= t->shape[i];
    }
    return ART_OK;
}

void art_dlpack_free(void *m, int is_versioned) {
    if (is_versioned) {
        managed_versioned *v = m;
        if (v && v->deleter) v->deleter(v);
    } else {
        managed *u = m;
        if (u && u->deleter) u->deleter(u);
    }
}

typedef struct lent { /* what `owner` of a tensor of ours points to */
    union {
        managed plain;
        managed_versioned versioned;
    } m;
    int64_t shape[1], strides[1];
    art_cuda_array *array; /* one reference */
    art_alloc alloc;
} lent;

static void lent_free(lent *l) {
    art_alloc alloc = l->alloc;
    art_cuda_array_free(l->array);
    alloc.fn(alloc.ud, l, sizeof *l, 0);
}

static void delete_plain(managed *m) {
    lent_free(m->owner);
}

static void delete_versioned(managed_versioned *m) {
    lent_free(m->owner);
}

art_status art_dlpack_new(art_cuda_array *a, size_t offset, uint32_t device, uint32_t code, uint32_t bits, int64_t n,
                          int is_versioned, void **out, art_error *err) {
    *out = NULL;
    art_alloc alloc = a->cuda->mem.alloc; /* not counted: the deleter may outlive every lock of ours */
    lent *l = alloc.fn(alloc.ud, NULL, 0, sizeof *l);
    if (!l) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    memset(l, 0, sizeof *l);
    l->alloc = alloc;
    l->array = art_cuda_array_ref(a);
    l->shape[0] = n;
    l->strides[0] = 1;
    dl_tensor t = {.data = (void *)(uintptr_t)(a->address + offset),
                   .device_type = DEVICE_CUDA,
                   .device_id = (int32_t)device,
                   .ndim = 1,
                   .code = (uint8_t)code,
                   .bits = (uint8_t)bits,
                   .lanes = 1,
                   .shape = l->shape,
                   .strides = l->strides};
    if (is_versioned) {
        l->m.versioned = (managed_versioned){
            .major = VERSION_MAJOR, .minor = VERSION_MINOR, .owner = l, .deleter = delete_versioned, .tensor = t};
    } else {
        l->m.plain = (managed){.tensor = t, .owner = l, .deleter = delete_plain};
    }
    *out = &l->m;
    return ART_OK;
}
