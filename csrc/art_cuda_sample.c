/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of sampling parameters on a device, and the calls that choose tokens or apply masks there. The kernels are in csrc/cuda. */
#include "art_cuda.h"
#include "art_sample.h"

/* Twins of art.h's: ORDER */
_Static_assert((int)ART_CUDA_FLOAT32 == ART_CUDA_F32 && (int)ART_CUDA_FLOAT16 == ART_CUDA_F16 &&
                   (int)ART_CUDA_BFLOAT16 == ART_CUDA_BF16 && (int)ART_CUDA_EMPTY == ART_CUDA_ROW_EMPTY &&
                   (int)ART_CUDA_NAN == ART_CUDA_ROW_NAN && (int)ART_CUDA_INVALID == ART_CUDA_ROW_PARAM &&
                   (int)ART_CUDA_FOR_SAMPLE == ART_CUDA_PART_SAMPLE && (int)ART_CUDA_FOR_MASKS == ART_CUDA_PART_MASKS &&
                   (int)ART_CUDA_FOR_ROWS == ART_CUDA_PART_ROWS && sizeof(art_bias) == sizeof(art_cuda_bias),
               "art.h and the kernels' header agree");

struct art_cuda_batch {
    art_cuda *cuda; /* one reference */
    uint32_t device, n_rows, n_vocab, bias_max, history_max;
    pthread_mutex_t lock;  /* from the first to the last launch of a call, and `staged` */
    uint64_t memory;       /* one block on the device, of which the others are parts */
    uint64_t rows;         /* art_cuda_row */
    art_cuda_array *steps; /* uint64_t: counters, in memory of their own, as they are lent out */
    uint64_t bias;         /* art_cuda_bias [n_rows][bias_max] */
    uint64_t history;      /* int32_t [n_rows][history_max], rings; 0: none */
    uint64_t history_n;    /* uint32_t */
    uint64_t workspace;    /* all zero between launches */
    uint64_t staged;       /* masks copied from the host: n_rows rows; 0 until they are needed */
};

static size_t n_words(uint32_t n_vocab) {
    return (n_vocab + 31u) / 32u;
}

/* ------------------------------------------------------------------ addresses */

typedef struct place {
    int type; /* 0: not the driver's, CU_MEMORY_* */
    int device;
    uint64_t on_device; /* the address for kernels */
    uint64_t on_host;   /* the address for this process; 0: none */
} place;

static art_status find(const art_cuda *c, uint64_t address, place *out, art_error *err) {
    static const int what[4] = {CU_POINTER_MEMORY_TYPE, CU_POINTER_DEVICE_ORDINAL, CU_POINTER_DEVICE_POINTER,
                                CU_POINTER_HOST_POINTER};
    *out = (place){.device = -1};
    void *into[4] = {&out->type, &out->device, &out->on_device, &out->on_host};
    int r = c->f.pointer_attributes(4, what, into, address);
    return r == CU_OK ? ART_OK : arti_cuda_fail(c, err, r, "an address can not be looked up");
}

/* Is [address, address + n_bytes) the device's memory, or, where that will do, pinned memory of the host? */
static art_status check_range(const arti_cuda_scope *scope, const char *name, uint64_t address, uint64_t n_bytes,
                              uint32_t align, bool host_too, place *first, art_error *err) {
    const art_cuda *c = scope->cuda;
    uint32_t device = (uint32_t)(scope->dev - c->dev);
    place last;
    art_status st = find(c, address, first, err);
    if (st == ART_OK) st = find(c, address + (n_bytes ? n_bytes - 1 : 0), &last, err);
    if (st != ART_OK) return st;
    if (first->type == 0)
        return arti_fail(err, ART_E_ARG, 0,
                         "%s: no memory of CUDA's is there: it was freed, or it is ordinary host memory", name);
    if (first->type == CU_MEMORY_HOST && !host_too)
        return arti_fail(err, ART_E_ARG, 0, "%s: in host memory; it has to be on device %u", name, device);
    if (first->type != CU_MEMORY_HOST && first->device != (int)device)
        return arti_fail(err, ART_E_ARG, 0, "%s: on device %d, not on device %u", name, first->device, device);
    if (last.type != first->type || last.device != first->device)
        return arti_fail(err, ART_E_ARG, 0, "%s: the memory ends before the last row does", name);
    if (address % align) return arti_fail(err, ART_E_ARG, 0, "%s: not aligned to %u bytes", name, align);
    return ART_OK;
}

static uint64_t span(uint32_t n_rows, int64_t stride, uint64_t row,
                     uint32_t item) { /* bytes from the first to past the last element */
    return n_rows ? ((uint64_t)(n_rows - 1) * (uint64_t)stride + row) * item : 0;
}

static uint32_t item_of(uint32_t dtype) {
    return dtype == ART_CUDA_FLOAT32 ? 4 : 2;
}

static art_status check_shapes(const art_cuda_call *call, art_error *err) {
    if (call->dtype > ART_CUDA_BFLOAT16) return arti_fail(err, ART_E_ARG, 0, "logits: unknown type %u", call->dtype);
    if (!call->n_vocab || call->n_vocab > ART_CUDA_VOCAB_MAX)
        return arti_fail(err, ART_E_ARG, 0, "logits: %u columns; there must be 1 .. %u", call->n_vocab,
                         ART_CUDA_VOCAB_MAX);
    if (call->n_rows > ART_CUDA_ROWS_MAX)
        return arti_fail(err, ART_E_ARG, 0, "logits: %u rows; at most ART_CUDA_ROWS_MAX", call->n_rows);
    if (call->n_rows > 1 && call->logits_stride < (int64_t)call->n_vocab)
        return arti_fail(err, ART_E_ARG, 0, "logits: rows overlap, as their stride is %lld",
                         (long long)call->logits_stride);
    if (!call->masks) return ART_OK;
    if (call->n_masks > 1 && call->masks_stride < (int64_t)n_words(call->n_vocab))
        return arti_fail(err, ART_E_ARG, 0, "masks: rows overlap, as their stride is %lld",
                         (long long)call->masks_stride);
    if (!call->mask_rows && call->n_masks != call->n_rows)
        return arti_fail(err, ART_E_ARG, 0, "masks: %u rows for %u rows of logits", call->n_masks, call->n_rows);
    return ART_OK;
}

typedef struct inputs { /* of a call, looked up */
    place logits, masks, mask_rows;
} inputs;

static art_status check_inputs(const arti_cuda_scope *scope, const art_cuda_call *call, inputs *in, art_error *err) {
    uint32_t item = item_of(call->dtype);
    art_status st =
        check_range(scope, "logits", call->logits, span(call->n_rows, call->logits_stride, call->n_vocab, item), item,
                    false, &in->logits, err);
    if (st == ART_OK && call->masks)
        st = check_range(scope, "masks", call->masks,
                         span(call->n_masks, call->masks_stride, n_words(call->n_vocab), 4), 4, true, &in->masks, err);
    if (st == ART_OK && call->masks && call->mask_rows)
        st = check_range(scope, "mask_rows", call->mask_rows, (uint64_t)call->n_rows * 4, 4, true, &in->mask_rows, err);
    return st;
}

static art_status ask_capturing(const arti_cuda_scope *scope, uint64_t stream, bool *capturing, art_error *err) {
    int status = 0, r = scope->cuda->f.stream_is_capturing((void *)(uintptr_t)stream, &status);
    *capturing = status != 0;
    if (r == CU_STREAM_CAPTURE_IMPLICIT)
        return arti_fail(err, ART_E_STATE, 0,
                         "another stream is being captured, and the default stream would join it: give the stream");
    return r == CU_OK ? ART_OK : arti_cuda_fail(scope->cuda, err, r, "the stream can not be used");
}

/* ------------------------------------------------------------------ batches */

typedef struct layout { /* offsets into art_cuda_batch.memory */
    uint64_t bias, history, history_n, workspace, end;
} layout;

static uint64_t put(uint64_t *at, uint64_t n_bytes) {
    uint64_t begin = *at;
    *at += (n_bytes + 255u) / 256u * 256u;
    return begin;
}

static layout lay_out(const art_cuda_batch *b, uint32_t n_sm) {
    layout l = {0};
    uint64_t n = b->n_rows;
    put(&l.end, n * sizeof(art_cuda_row));
    l.bias = put(&l.end, n * b->bias_max * sizeof(art_cuda_bias));
    l.history = put(&l.end, n * b->history_max * 4);
    l.history_n = put(&l.end, n * 4);
    l.workspace = put(&l.end, art_cuda_workspace_bytes(b->n_rows, b->n_vocab, n_sm));
    return l;
}

static art_status allocate(art_cuda_batch *b, art_error *err) {
    art_cuda *c = b->cuda;
    arti_cuda_scope scope;
    const arti_cuda_kernels *kernels;
    art_status st = arti_cuda_enter(c, b->device, &scope, err);
    if (st != ART_OK) return st;
    st = arti_cuda_need(&scope, ART_CUDA_PART_ROWS, false, &kernels, err);
    if (st == ART_OK) st = art_cuda_array_new(c, b->device, CU_LEGACY_STREAM, (size_t)b->n_rows * 8, &b->steps, err);
    if (st == ART_OK) {
        layout l = lay_out(b, scope.dev->info.n_sm);
        int r = c->f.mem_alloc(&b->memory, l.end);
        if (r == CU_OK) r = c->f.set_bytes(b->memory, 0, l.end);
        if (r != CU_OK) st = arti_cuda_fail(c, err, r, "memory for a batch");
        b->rows = b->memory;
        b->bias = b->bias_max ? b->memory + l.bias : 0;
        b->history = b->history_max ? b->memory + l.history : 0;
        b->history_n = b->history_max ? b->memory + l.history_n : 0;
        b->workspace = b->memory + l.workspace;
    }
    arti_cuda_leave(&scope);
    return st;
}

static art_status set_defaults(art_cuda_batch *b, art_error *err) {
    art_cuda_row_params rows[ART_CUDA_SET_ROWS_MAX] = {0};
    for (uint32_t i = 0; i < ART_CUDA_SET_ROWS_MAX; i++) art_sample_defaults(&rows[i].sample);
    art_status st = ART_OK;
    for (uint32_t i = 0; i < b->n_rows && st == ART_OK; i += ART_CUDA_SET_ROWS_MAX) {
        uint32_t n = b->n_rows - i < ART_CUDA_SET_ROWS_MAX ? b->n_rows - i : ART_CUDA_SET_ROWS_MAX;
        st = art_cuda_batch_set(b, i, n, rows, CU_LEGACY_STREAM, err);
    }
    return st;
}

art_status art_cuda_batch_new(art_cuda *c, uint32_t device, uint32_t n_rows, uint32_t n_vocab, uint32_t bias_max,
                              uint32_t history_max, art_cuda_batch **out, art_error *err) {
    *out = NULL;
    if (!n_rows || n_rows > ART_CUDA_ROWS_MAX)
        return arti_fail(err, ART_E_ARG, 0, "a batch of %u rows; there must be 1 .. ART_CUDA_ROWS_MAX", n_rows);
    if (!n_vocab || n_vocab > ART_CUDA_VOCAB_MAX)
        return arti_fail(err, ART_E_ARG, 0, "a vocabulary of %u tokens; there must be 1 .. %u", n_vocab,
                         ART_CUDA_VOCAB_MAX);
    if (bias_max > ART_CUDA_PATCHES_MAX || history_max > ART_CUDA_PATCHES_MAX - bias_max)
        return arti_fail(err, ART_E_LIMIT, 0,
                         "%u biases and %u tokens of history in a row; together there may be %u (ART_CUDA_PATCHES_MAX)",
                         bias_max, history_max, ART_CUDA_PATCHES_MAX);
    pthread_mutex_lock(&c->lock);
    art_cuda_batch *b = arti_calloc(&c->mem, sizeof *b);
    art_status st = b ? ART_OK : arti_mem_fail(&c->mem, err);
    pthread_mutex_unlock(&c->lock);
    if (st != ART_OK) return st;
    b->cuda = arti_cuda_ref(c);
    b->device = device;
    b->n_rows = n_rows;
    b->n_vocab = n_vocab;
    b->bias_max = bias_max;
    b->history_max = history_max;
    pthread_mutex_init(&b->lock, NULL);
    st = allocate(b, err);
    if (st == ART_OK) st = set_defaults(b, err);
    if (st == ART_OK) st = art_cuda_synchronize(c, device, err); /* so that any stream finds the defaults */
    if (st != ART_OK) {
        art_cuda_batch_free(b);
        return st;
    }
    *out = b;
    return ART_OK;
}

void art_cuda_batch_free(art_cuda_batch *b) {
    if (!b) return;
    art_cuda *c = b->cuda;
    arti_cuda_scope scope;
    if (arti_cuda_enter(c, b->device, &scope, NULL) == ART_OK) {
        if (b->memory) c->f.mem_free(b->memory);
        if (b->staged) c->f.mem_free(b->staged);
        arti_cuda_leave(&scope);
    }
    art_cuda_array_free(b->steps);
    pthread_mutex_destroy(&b->lock);
    pthread_mutex_lock(&c->lock);
    arti_free(&c->mem, b, sizeof *b);
    pthread_mutex_unlock(&c->lock);
    art_cuda_free(c);
}

art_cuda_array *art_cuda_batch_steps(const art_cuda_batch *b) {
    return art_cuda_array_ref(b->steps);
}

static art_status check_row(const art_cuda_batch *b, const art_cuda_row_params *row, art_error *err) {
    const art_sample_params *p = &row->sample;
    art_status st = arti_sample_check(p, b->n_vocab, err);
    if (st != ART_OK) return st;
    if (p->n_bias > b->bias_max)
        return arti_fail(err, ART_E_ARG, 0, "%zu logit biases in a row; the batch was made for %u", p->n_bias,
                         b->bias_max);
    bool penalties = p->penalty_last_n &&
                     (p->repetition_penalty != 1.0f || p->frequency_penalty != 0.0f || p->presence_penalty != 0.0f);
    if (penalties && !b->history_max)
        return arti_fail(err, ART_E_ARG, 0, "a row with penalties; the batch was made without a history");
    for (size_t i = 0; i < row->n_history; i++)
        if (row->history[i] < 0 || (uint32_t)row->history[i] >= b->n_vocab)
            return arti_fail(err, ART_E_ARG, i, "token %d of a history is not in the vocabulary", row->history[i]);
    return ART_OK;
}

/* Copies what does not fit into the kernel's argument. */
static int copy_lists(art_cuda_batch *b, uint32_t at, const art_cuda_row_params *row, uint32_t n_kept,
                      uint64_t stream) {
    const arti_cuda_api *f = &b->cuda->f;
    void *s = (void *)(uintptr_t)stream;
    int r = CU_OK;
    if (row->sample.n_bias)
        r = f->copy_async(b->bias + (uint64_t)at * b->bias_max * sizeof(art_cuda_bias),
                          (uint64_t)(uintptr_t)row->sample.bias, row->sample.n_bias * sizeof(art_cuda_bias), s);
    if (r == CU_OK && n_kept)
        r = f->copy_async(b->history + (uint64_t)at * b->history_max * 4,
                          (uint64_t)(uintptr_t)(row->history + row->n_history - n_kept), (uint64_t)n_kept * 4, s);
    return r;
}

static art_status set_some(art_cuda_batch *b, const arti_cuda_scope *scope, uint32_t first, uint32_t n,
                           const art_cuda_row_params *rows, uint64_t stream, bool capturing, art_error *err) {
    const arti_cuda_kernels *kernels;
    art_status st = arti_cuda_need(scope, ART_CUDA_PART_ROWS, capturing, &kernels, err);
    if (st != ART_OK) return st;
    art_cuda_set_args args = {
        .rows = b->rows, .steps = b->steps->address, .history_n = b->history_n, .first = first, .n = n};
    for (uint32_t i = 0; i < n; i++) {
        const art_sample_params *p = &rows[i].sample;
        uint32_t kept = rows[i].n_history < b->history_max ? (uint32_t)rows[i].n_history : b->history_max;
        if ((p->n_bias || kept) && capturing)
            return arti_fail(err, ART_E_STATE, 0,
                             "rows with biases or a history can not be set while a graph is captured");
        int r = copy_lists(b, first + i, &rows[i], kept, stream);
        if (r != CU_OK) return arti_cuda_fail(scope->cuda, err, r, "the parameters can not be copied");
        args.row[i] =
            (art_cuda_row){.temperature = p->temperature,
                           .top_p = p->top_p,
                           .min_p = p->min_p,
                           .repetition_penalty = p->repetition_penalty,
                           .frequency_penalty = p->frequency_penalty,
                           .presence_penalty = p->presence_penalty,
                           .top_k = p->top_k,
                           .penalty_last_n = p->penalty_last_n < b->history_max ? p->penalty_last_n : b->history_max,
                           .bias_begin = (first + i) * b->bias_max,
                           .bias_end = (first + i) * b->bias_max + (uint32_t)p->n_bias,
                           .seed = p->seed};
        args.step[i] = rows[i].step;
        args.n_history[i] = kept;
    }
    art_cuda_launch launch = art_cuda_plan_set(n);
    return arti_cuda_launch(scope, kernels, &launch, &args, stream, err);
}

art_status art_cuda_batch_set(art_cuda_batch *b, uint32_t first, uint32_t n, const art_cuda_row_params *rows,
                              uint64_t stream, art_error *err) {
    if (first > b->n_rows || n > b->n_rows - first)
        return arti_fail(err, ART_E_ARG, 0, "rows %u .. %u of a batch of %u", first, first + n, b->n_rows);
    for (uint32_t i = 0; i < n; i++) {
        art_status st = check_row(b, &rows[i], err);
        if (st != ART_OK) return st;
    }
    arti_cuda_scope scope;
    art_status st = arti_cuda_enter(b->cuda, b->device, &scope, err);
    if (st != ART_OK) return st;
    bool capturing = false;
    st = ask_capturing(&scope, stream, &capturing, err);
    pthread_mutex_lock(&b->lock);
    for (uint32_t i = 0; i < n && st == ART_OK; i += ART_CUDA_SET_ROWS_MAX) {
        uint32_t some = n - i < ART_CUDA_SET_ROWS_MAX ? n - i : ART_CUDA_SET_ROWS_MAX;
        st = set_some(b, &scope, first + i, some, rows + i, stream, capturing, err);
    }
    pthread_mutex_unlock(&b->lock);
    arti_cuda_leave(&scope);
    return st;
}

/* ------------------------------------------------------------------ masks from the host */

/* Copies masks from pinned memory to b->staged, runs of neighbouring rows at once. wanted: which rows a call can name, NULL: all. */
static int copy_masks(art_cuda_batch *b, const art_cuda_call *call, const bool *wanted) {
    const arti_cuda_api *f = &b->cuda->f;
    size_t row = n_words(call->n_vocab) * 4, stride = (size_t)call->masks_stride * 4;
    bool joined = stride == row;
    for (uint32_t i = 0; i < call->n_masks;) {
        uint32_t n = 0;
        while (i + n < call->n_masks && (!wanted || wanted[i + n]) && (joined || n == 0)) n++;
        if (n) {
            int r =
                f->copy_async(b->staged + i * row, call->masks + i * stride, n * row, (void *)(uintptr_t)call->stream);
            if (r != CU_OK) return r;
        }
        i += n ? n : 1;
    }
    return CU_OK;
}

static art_status stage_masks(art_cuda_batch *b, const arti_cuda_scope *scope, const art_cuda_call *call,
                              const inputs *in, bool capturing, art_error *err) {
    art_cuda *c = b->cuda;
    if (call->n_masks > b->n_rows)
        return arti_fail(err, ART_E_ARG, 0,
                         "masks: %u rows in host memory; at most as many as the batch's %u can be copied",
                         call->n_masks, b->n_rows);
    if (!b->staged) {
        if (capturing)
            return arti_fail(err, ART_E_STATE, 0,
                             "masks: in host memory, and the batch has no room for a copy yet, which can not be made "
                             "while a graph is captured: call once before");
        int r = c->f.mem_alloc(&b->staged, (uint64_t)b->n_rows * n_words(b->n_vocab) * 4);
        if (r != CU_OK) return arti_cuda_fail(c, err, r, "memory for masks");
    }
    bool wanted[ART_CUDA_ROWS_MAX], *which = NULL;
    const int32_t *rows = (const int32_t *)(uintptr_t)in->mask_rows.on_host;
    if (call->mask_rows && rows && in->mask_rows.type == CU_MEMORY_HOST && !capturing) {
        memset(wanted, 0, call->n_masks * sizeof *wanted);
        for (uint32_t i = 0; i < call->n_rows; i++)
            if (rows[i] >= 0 && (uint32_t)rows[i] < call->n_masks) wanted[rows[i]] = true;
        which = wanted;
    }
    (void)scope;
    int r = copy_masks(b, call, which);
    return r == CU_OK ? ART_OK : arti_cuda_fail(c, err, r, "masks can not be copied to the device");
}

/* ------------------------------------------------------------------ calls */

static art_status sample(art_cuda_batch *b, const arti_cuda_scope *scope, const art_cuda_call *call, art_error *err) {
    inputs in = {0};
    place out;
    bool capturing;
    const arti_cuda_kernels *kernels;
    art_status st = check_inputs(scope, call, &in, err);
    if (st == ART_OK)
        st = check_range(scope, "ids", call->ids, (uint64_t)call->n_rows * (call->ids_64 ? 8 : 4), call->ids_64 ? 8 : 4,
                         false, &out, err);
    if (st == ART_OK)
        st = check_range(scope, "logprobs", call->logprobs, (uint64_t)call->n_rows * 4, 4, false, &out, err);
    if (st == ART_OK) st = ask_capturing(scope, call->stream, &capturing, err);
    if (st == ART_OK) st = arti_cuda_need(scope, ART_CUDA_PART_SAMPLE + call->dtype, capturing, &kernels, err);
    if (st != ART_OK) return st;
    art_cuda_sample_args args = {.logits = call->logits,
                                 .logits_stride = call->logits_stride,
                                 .masks = call->masks,
                                 .masks_stride = call->masks_stride,
                                 .mask_rows = call->mask_rows ? in.mask_rows.on_device : 0,
                                 .rows = b->rows,
                                 .steps = b->steps->address,
                                 .bias = b->bias,
                                 .history = b->history,
                                 .history_n = b->history_n,
                                 .ids = call->ids,
                                 .logprobs = call->logprobs,
                                 .workspace = b->workspace,
                                 .n_rows = call->n_rows,
                                 .n_vocab = call->n_vocab,
                                 .n_masks = call->n_masks,
                                 .dtype = call->dtype,
                                 .history_cap = b->history_max,
                                 .ids_64 = call->ids_64,
                                 .keep_steps = call->keep_steps,
                                 .step = call->step};
    if (call->masks && in.masks.type == CU_MEMORY_HOST) {
        st = stage_masks(b, scope, call, &in, capturing, err);
        args.masks = b->staged;
        args.masks_stride = (int64_t)n_words(call->n_vocab);
    }
    art_cuda_launch launches[ART_CUDA_LAUNCHES_MAX];
    uint32_t n = art_cuda_plan_sample(call->n_rows, call->n_vocab, call->dtype, b->bias_max + b->history_max,
                                      scope->dev->info.n_sm, launches);
    for (uint32_t i = 0; i < n && st == ART_OK; i++)
        st = arti_cuda_launch(scope, kernels, &launches[i], &args, call->stream, err);
    return st;
}

art_status art_cuda_sample(art_cuda_batch *b, const art_cuda_call *call, art_error *err) {
    art_status st = check_shapes(call, err);
    if (st != ART_OK) return st;
    if (call->device != b->device)
        return arti_fail(err, ART_E_ARG, 0, "logits: on device %u; the batch is on device %u", call->device, b->device);
    if (call->n_rows > b->n_rows)
        return arti_fail(err, ART_E_ARG, 0, "logits: %u rows; the batch was made for %u", call->n_rows, b->n_rows);
    if (call->n_vocab != b->n_vocab)
        return arti_fail(err, ART_E_ARG, 0, "logits: %u columns; the batch was made for a vocabulary of %u",
                         call->n_vocab, b->n_vocab);
    if (!call->n_rows) return ART_OK;
    arti_cuda_scope scope;
    st = arti_cuda_enter(b->cuda, b->device, &scope, err);
    if (st != ART_OK) return st;
    pthread_mutex_lock(&b->lock);
    st = sample(b, &scope, call, err);
    pthread_mutex_unlock(&b->lock);
    arti_cuda_leave(&scope);
    return st;
}

static art_status apply(const arti_cuda_scope *scope, const art_cuda_call *call, art_error *err) {
    inputs in = {0};
    bool capturing;
    const arti_cuda_kernels *kernels;
    art_status st = check_inputs(scope, call, &in, err);
    if (st == ART_OK) st = ask_capturing(scope, call->stream, &capturing, err);
    if (st == ART_OK) st = arti_cuda_need(scope, ART_CUDA_PART_MASKS, capturing, &kernels, err);
    if (st != ART_OK) return st;
    art_cuda_mask_args args = {.logits = call->logits,
                               .logits_stride = call->logits_stride,
                               .masks = in.masks.on_device,
                               .masks_stride = call->masks_stride,
                               .mask_rows = call->mask_rows ? in.mask_rows.on_device : 0,
                               .n_rows = call->n_rows,
                               .n_vocab = call->n_vocab,
                               .n_masks = call->n_masks,
                               .dtype = call->dtype};
    art_cuda_launch launch = art_cuda_plan_masks(call->n_rows, call->n_vocab, call->dtype);
    return arti_cuda_launch(scope, kernels, &launch, &args, call->stream, err);
}

art_status art_cuda_apply_masks(art_cuda *c, const art_cuda_call *call, art_error *err) {
    art_status st = check_shapes(call, err);
    if (st != ART_OK) return st;
    if (!call->masks) return arti_fail(err, ART_E_ARG, 0, "masks: there are none");
    if (!call->n_rows) return ART_OK;
    arti_cuda_scope scope;
    st = arti_cuda_enter(c, call->device, &scope, err);
    if (st != ART_OK) return st;
    st = apply(&scope, call, err);
    arti_cuda_leave(&scope);
    return st;
}
