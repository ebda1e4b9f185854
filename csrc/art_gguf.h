/* SPDX-License-Identifier: Apache-2.0
 *
 * art_gguf.h: is this model file whole? (private to csrc)
 *
 * Purpose   walk a GGUF file's header, metadata and tensor table before an engine is allowed near it, because engines answer a
 *           damaged file with anything from a vague message to the end of the process. Format: GGUF versions 2 and 3,
 *           little-endian (ggml's docs/gguf.md).
 * Owns      nothing; the file is closed on return.
 * Threads   pure.
 * Errors    ART_E_IO (can not be opened or read), ART_E_FORMAT (no GGUF, or damaged: err->pos is the byte offset), both naming the file.
 * Limits    counts and lengths are checked against the file's size before they are believed; arrays are not nested.
 * Cost      one pass over the metadata (a few megabytes); tensor data is not read. */
#ifndef ART_GGUF_H
#define ART_GGUF_H

#include "art_mem.h"

typedef struct arti_gguf_info {
    uint32_t version;
    uint64_t n_kv, n_tensors;
    uint64_t file_size;
    uint64_t kv_start, kv_end; /* file offsets of the metadata */
    bool has_output;           /* a tensor "output.weight" */
    char architecture[64];     /* general.architecture, cut to fit; "" when absent */
} arti_gguf_info;

art_status arti_gguf_check(const char *path, arti_gguf_info *info, art_error *err);

enum { /* value types */
       ARTI_GGUF_U32 = 4,
       ARTI_GGUF_I32 = 5,
       ARTI_GGUF_F32 = 6,
       ARTI_GGUF_BOOL = 7,
       ARTI_GGUF_STRING = 8,
       ARTI_GGUF_ARRAY = 9,
       ARTI_GGUF_U64 = 10
};

/* The metadata of a checked file, in memory. */
typedef struct arti_gguf_meta {
    uint8_t *bytes;
    size_t size;
    uint64_t n_kv;
} arti_gguf_meta;

typedef struct arti_gguf_value {
    uint32_t type; /* of an array's items when is_array */
    bool is_array;
    uint64_t n;          /* items; 1 when it is no array */
    const uint8_t *data; /* the first item: little-endian; a string is its length in 8 bytes and its bytes */
} arti_gguf_value;

art_status arti_gguf_load(const char *path, const arti_gguf_info *info, arti_mem *mem, arti_gguf_meta *out,
                          art_error *err);
void arti_gguf_unload(arti_mem *mem, arti_gguf_meta *meta);
bool arti_gguf_find(const arti_gguf_meta *meta, const char *key, arti_gguf_value *out);
/* Steps through an array of strings: lends the present one and moves on to the next. */
const uint8_t *arti_gguf_next_string(const uint8_t **at, size_t *len);

#endif
