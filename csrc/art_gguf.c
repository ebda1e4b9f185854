/* SPDX-License-Identifier: Apache-2.0 */
#include "art_gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct reader {
    const char *path;
    art_error *err;
    int fd;
    uint64_t size; /* of the file */
    uint64_t pos;  /* of the next byte that is read */
    uint64_t from; /* file offset of buf[0] */
    size_t n;      /* bytes in buf */
    uint8_t buf[1 << 15];
} reader;

static art_status damaged(reader *r, const char *what) {
    return arti_fail(r->err, ART_E_FORMAT, (size_t)r->pos, "%s: damaged or cut off GGUF file: %s at byte %llu of %llu",
                     r->path, what, (unsigned long long)r->pos, (unsigned long long)r->size);
}

/* Makes the next n <= 32 KiB bytes available and steps over them; NULL after an error was set. */
static const uint8_t *take(reader *r, size_t n, const char *what, art_status *st) {
    if (n > r->size - r->pos) {
        *st = damaged(r, what);
        return NULL;
    }
    if (r->pos < r->from || r->pos + n > r->from + r->n) {
        r->from = r->pos;
        r->n = 0;
        while (r->n < n) {
            ssize_t got = pread(r->fd, r->buf + r->n, sizeof r->buf - r->n, (off_t)(r->from + r->n));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) {
                *st = arti_fail(r->err, ART_E_IO, (size_t)r->pos, "%s: can not be read: %s", r->path,
                                got < 0 ? strerror(errno) : "it became shorter");
                return NULL;
            }
            r->n += (size_t)got;
        }
    }
    const uint8_t *p = r->buf + (r->pos - r->from);
    r->pos += n;
    return p;
}

static art_status read_u32(reader *r, uint32_t *v, const char *what) {
    art_status st = ART_OK;
    const uint8_t *p = take(r, 4, what, &st);
    if (p) *v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return st;
}

static art_status read_u64(reader *r, uint64_t *v, const char *what) {
    uint32_t lo = 0, hi = 0;
    art_status st = read_u32(r, &lo, what);
    if (st == ART_OK) st = read_u32(r, &hi, what);
    *v = (uint64_t)hi << 32 | lo;
    return st;
}

static art_status skip(reader *r, uint64_t n, const char *what) {
    if (n > r->size - r->pos) return damaged(r, what);
    r->pos += n;
    return ART_OK;
}

/* A length and that many bytes; the first cap - 1 of them go to out. */
static art_status read_string(reader *r, char *out, size_t cap, const char *what) {
    uint64_t len = 0;
    art_status st = read_u64(r, &len, what);
    if (st != ART_OK) return st;
    if (len > r->size - r->pos) return damaged(r, what);
    if (cap) {
        size_t keep = len < cap - 1 ? (size_t)len : cap - 1;
        const uint8_t *p = take(r, keep, what, &st);
        if (!p) return st;
        memcpy(out, p, keep);
        out[keep] = 0;
        len -= keep;
    }
    return skip(r, len, what);
}

enum { N_TYPES = 13 };
static const uint8_t scalar_size[N_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}; /* by GGUF value type */

static art_status skip_value(reader *r, uint32_t type) {
    if (type < N_TYPES && scalar_size[type]) return skip(r, scalar_size[type], "a metadata value");
    if (type == ARTI_GGUF_STRING) return read_string(r, NULL, 0, "a metadata string");
    if (type != ARTI_GGUF_ARRAY) return damaged(r, "an unknown metadata type");
    uint32_t item = 0;
    uint64_t n = 0;
    art_status st = read_u32(r, &item, "a metadata array");
    if (st == ART_OK) st = read_u64(r, &n, "a metadata array");
    if (st != ART_OK) return st;
    if (item < N_TYPES && scalar_size[item]) {
        if (n > (r->size - r->pos) / scalar_size[item]) return damaged(r, "a metadata array");
        return skip(r, n * scalar_size[item], "a metadata array");
    }
    if (item != ARTI_GGUF_STRING) return damaged(r, "an unknown array type");
    if (n > (r->size - r->pos) / 8) return damaged(r, "a metadata array");
    for (uint64_t i = 0; i < n && st == ART_OK; i++) st = read_string(r, NULL, 0, "a metadata string");
    return st;
}

/* Elements and bytes of a block, by ggml's tensor type; 0 for types that are unknown here, whose data is not measured. */
static const struct {
    uint16_t n, bytes;
} blocks[] = {
    [0] = {1, 4},      [1] = {1, 2},      [2] = {32, 18},   [3] = {32, 20},    [6] = {32, 22},    [7] = {32, 24},
    [8] = {32, 34},    [9] = {32, 36},    [10] = {256, 84}, [11] = {256, 110}, [12] = {256, 144}, [13] = {256, 176},
    [14] = {256, 210}, [15] = {256, 292}, [16] = {256, 66}, [17] = {256, 74},  [18] = {256, 98},  [19] = {256, 50},
    [20] = {32, 18},   [21] = {256, 110}, [22] = {256, 82}, [23] = {256, 136}, [24] = {1, 1},     [25] = {1, 2},
    [26] = {1, 4},     [27] = {1, 8},     [28] = {1, 8},    [29] = {256, 56},  [30] = {1, 2},     [34] = {256, 54},
    [35] = {256, 66},  [39] = {32, 17},
};

typedef struct extent { /* where the tensor data must reach to */
    uint64_t end;       /* relative to the data section */
    bool misaligned, has_output;
} extent;

static art_status read_tensor(reader *r, uint64_t alignment, extent *data) {
    static const char what[] = "the tensor table";
    uint32_t n_dims = 0, type = 0;
    uint64_t offset = 0, dims[4] = {1, 1, 1, 1};
    char name[64];
    art_status st = read_string(r, name, sizeof name, what);
    if (st == ART_OK) st = read_u32(r, &n_dims, what);
    if (st != ART_OK) return st;
    if (n_dims > 4) return damaged(r, "a tensor of more than four dimensions");
    for (uint32_t i = 0; i < n_dims && st == ART_OK; i++) st = read_u64(r, &dims[i], what);
    if (st == ART_OK) st = read_u32(r, &type, what);
    if (st == ART_OK) st = read_u64(r, &offset, what);
    if (st != ART_OK) return st;
    uint64_t n = 1;
    for (uint32_t i = 0; i < n_dims; i++) {
        if (dims[i] == 0 || dims[i] > (UINT64_C(1) << 48) / n) return damaged(r, "a tensor of impossible size");
        n *= dims[i];
    }
    if (offset % alignment) data->misaligned = true;
    uint64_t bytes = 0;
    if (type < sizeof blocks / sizeof *blocks && blocks[type].n) {
        if (dims[0] % blocks[type].n) return damaged(r, "a tensor of impossible size");
        bytes = n / blocks[type].n * blocks[type].bytes;
    }
    if (offset > UINT64_MAX / 2) return damaged(r, "a tensor of impossible offset");
    if (offset + bytes > data->end) data->end = offset + bytes;
    if (strcmp(name, "output.weight") == 0) data->has_output = true;
    return ART_OK;
}

static art_status walk(reader *r, arti_gguf_info *info) {
    art_status st = ART_OK;
    if (r->size < 4)
        return arti_fail(r->err, ART_E_FORMAT, 0, "%s: not a GGUF model file (%llu bytes)", r->path,
                         (unsigned long long)r->size);
    const uint8_t *magic = take(r, 4, "the header", &st);
    if (!magic) return st;
    if (memcmp(magic, "GGUF", 4) != 0) return arti_fail(r->err, ART_E_FORMAT, 0, "%s: not a GGUF model file", r->path);
    st = read_u32(r, &info->version, "the header");
    if (st == ART_OK && (info->version < 2 || info->version > 3))
        return arti_fail(r->err, ART_E_FORMAT, 4, "%s: GGUF version %u is not supported (2 and 3 are)", r->path,
                         info->version);
    if (st == ART_OK) st = read_u64(r, &info->n_tensors, "the header");
    if (st == ART_OK) st = read_u64(r, &info->n_kv, "the header");
    if (st != ART_OK) return st;
    /* The smallest entries: key length, one-byte key, type, one-byte value; name length, one-byte name, counts, type, offset. */
    if (info->n_kv > r->size / 14 || info->n_tensors > r->size / 25) return damaged(r, "an impossible count");

    uint64_t alignment = 32;
    info->kv_start = r->pos;
    for (uint64_t i = 0; i < info->n_kv; i++) {
        char key[128];
        uint32_t type = 0;
        st = read_string(r, key, sizeof key, "a metadata key");
        if (st == ART_OK) st = read_u32(r, &type, "a metadata value");
        if (st != ART_OK) return st;
        if (strcmp(key, "general.architecture") == 0 && type == ARTI_GGUF_STRING) {
            st = read_string(r, info->architecture, sizeof info->architecture, "general.architecture");
        } else if (strcmp(key, "general.alignment") == 0 && type == ARTI_GGUF_U32) {
            uint32_t a = 0;
            st = read_u32(r, &a, "general.alignment");
            if (st == ART_OK && (a == 0 || (a & (a - 1)) != 0)) return damaged(r, "an impossible alignment");
            alignment = a;
        } else {
            st = skip_value(r, type);
        }
        if (st != ART_OK) return st;
    }
    info->kv_end = r->pos;
    extent data = {0};
    for (uint64_t i = 0; i < info->n_tensors; i++) {
        st = read_tensor(r, alignment, &data);
        if (st != ART_OK) return st;
    }
    info->has_output = data.has_output;
    if (data.misaligned) return damaged(r, "a tensor that is not aligned");
    uint64_t start = (r->pos + alignment - 1) / alignment * alignment;
    if (info->n_tensors && (start > r->size || data.end > r->size - start))
        return arti_fail(r->err, ART_E_FORMAT, (size_t)r->size,
                         "%s: cut off: %llu bytes of tensor data are missing at the end (the file has %llu bytes)",
                         r->path, (unsigned long long)(start + data.end - r->size), (unsigned long long)r->size);
    return ART_OK;
}

art_status arti_gguf_check(const char *path, arti_gguf_info *info, art_error *err) {
    *info = (arti_gguf_info){0};
    reader r = {.path = path, .err = err, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (r.fd < 0) return arti_fail(err, ART_E_IO, 0, "%s: can not be opened: %s", path, strerror(errno));
    struct stat sb;
    art_status st;
    if (fstat(r.fd, &sb) != 0) {
        st = arti_fail(err, ART_E_IO, 0, "%s: can not be read: %s", path, strerror(errno));
    } else if (!S_ISREG(sb.st_mode)) {
        st = arti_fail(err, ART_E_IO, 0, "%s: not a regular file", path);
    } else {
        r.size = info->file_size = (uint64_t)sb.st_size;
        st = walk(&r, info);
    }
    close(r.fd);
    return st;
}

/* ------------------------------------------------------------------ metadata in memory */

art_status arti_gguf_load(const char *path, const arti_gguf_info *info, arti_mem *mem, arti_gguf_meta *out,
                          art_error *err) {
    *out = (arti_gguf_meta){.n_kv = info->n_kv};
    size_t size = (size_t)(info->kv_end - info->kv_start);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return arti_fail(err, ART_E_IO, 0, "%s: can not be opened: %s", path, strerror(errno));
    uint8_t *bytes = arti_realloc(mem, NULL, 0, size ? size : 1);
    art_status st = bytes ? ART_OK : arti_mem_fail(mem, err);
    for (size_t n = 0; st == ART_OK && n < size;) {
        ssize_t got = pread(fd, bytes + n, size - n, (off_t)(info->kv_start + n));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            st = arti_fail(err, ART_E_IO, 0, "%s: can not be read: %s", path,
                           got < 0 ? strerror(errno) : "it became shorter");
            arti_free(mem, bytes, size ? size : 1);
        } else {
            n += (size_t)got;
        }
    }
    close(fd);
    if (st != ART_OK) return st;
    out->bytes = bytes;
    out->size = size;
    return ART_OK;
}

void arti_gguf_unload(arti_mem *mem, arti_gguf_meta *meta) {
    arti_free(mem, meta->bytes, meta->size ? meta->size : 1);
    *meta = (arti_gguf_meta){0};
}

static uint64_t get_le(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

const uint8_t *arti_gguf_next_string(const uint8_t **at, size_t *len) {
    const uint8_t *s = *at + 8;
    *len = (size_t)get_le(*at, 8);
    *at = s + *len;
    return s;
}

/* The bytes were walked by arti_gguf_check(): lengths are believed here. */
bool arti_gguf_find(const arti_gguf_meta *meta, const char *key, arti_gguf_value *out) {
    const uint8_t *p = meta->bytes;
    size_t key_len = strlen(key);
    for (uint64_t i = 0; i < meta->n_kv; i++) {
        size_t len;
        const uint8_t *name = arti_gguf_next_string(&p, &len);
        arti_gguf_value v = {.type = (uint32_t)get_le(p, 4), .n = 1};
        p += 4;
        if (v.type == ARTI_GGUF_ARRAY) {
            v.is_array = true;
            v.type = (uint32_t)get_le(p, 4);
            v.n = get_le(p + 4, 8);
            p += 12;
        }
        v.data = p;
        if (len == key_len && memcmp(name, key, len) == 0) {
            *out = v;
            return true;
        }
        if (v.type == ARTI_GGUF_STRING) {
            for (uint64_t k = 0; k < v.n; k++) arti_gguf_next_string(&p, &len);
        } else {
            p += v.n * scalar_size[v.type];
        }
    }
    return false;
}
