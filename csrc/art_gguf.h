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

#include "art.h"

typedef struct arti_gguf_info {
    uint32_t version;
    uint64_t n_kv, n_tensors;
    uint64_t file_size;
    char architecture[64]; /* general.architecture, cut to fit; "" when absent */
} arti_gguf_info;

art_status arti_gguf_check(const char *path, arti_gguf_info *info, art_error *err);

#endif
