/* SPDX-License-Identifier: Apache-2.0 */
#include "art_metaschema.h"

#include <stdint.h>
#include <string.h>

typedef struct metaschema {
    const char *uri;
    uint32_t uri_len, len;
    const char *json;
} metaschema;

#include "art_metaschema_data.h"

#define N_METASCHEMAS (sizeof metaschemas / sizeof *metaschemas)

static const metaschema *find(const char *uri, size_t len) {
    size_t lo = 0, hi = N_METASCHEMAS;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const metaschema *m = &metaschemas[mid];
        int order = memcmp(m->uri, uri, m->uri_len < len ? m->uri_len : len);
        if (order == 0) order = (m->uri_len > len) - (m->uri_len < len);
        if (order == 0) return m;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const char *arti_metaschema_find(const char *uri, size_t uri_len, size_t *len) {
    static const char secure[] = "https://json-schema.org/draft-0";
    const metaschema *m = find(uri, uri_len);
    if (!m && uri_len > sizeof secure && uri_len < 64 && memcmp(uri, secure, sizeof secure - 1) == 0) {
        char plain[64] = "http";
        memcpy(plain + 4, uri + 5, uri_len - 5);
        m = find(plain, uri_len - 1);
    }
    if (!m) return NULL;
    *len = m->len;
    return m->json;
}
