/* SPDX-License-Identifier: Apache-2.0 */
#include "art_uri.h"

#include <stdbool.h>
#include <string.h>

typedef struct parts {                     /* offsets into one text; scheme includes ':', authority includes "//" */
    size_t scheme, authority, path, query; /* ends; the path begins at the end of the authority */
} parts;

static bool scheme_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
}

static parts split(const char *s, size_t len) {
    parts p = {0};
    size_t i = 0;
    while (i < len && scheme_char(s[i])) i++;
    if (i > 0 && i < len && s[i] == ':') p.scheme = i + 1;
    p.authority = p.scheme;
    if (len - p.scheme >= 2 && s[p.scheme] == '/' && s[p.scheme + 1] == '/') {
        p.authority += 2;
        while (p.authority < len && s[p.authority] != '/' && s[p.authority] != '?') p.authority++;
    }
    p.path = p.authority;
    while (p.path < len && s[p.path] != '?') p.path++;
    p.query = len;
    return p;
}

/* Removes "." and ".." segments of out[from .. len) in place. */
static size_t remove_dots(char *out, size_t from, size_t len) {
    size_t w = from, r = from;
    while (r < len) {
        size_t e = r; /* segment with its leading '/' */
        if (out[e] == '/') e++;
        while (e < len && out[e] != '/') e++;
        const size_t name = out[r] == '/' ? r + 1 : r, n = e - name;
        const bool last = e == len;
        if (n == 1 && out[name] == '.') {
            if (last && (w == from || out[w - 1] != '/')) out[w++] = '/';
        } else if (n == 2 && out[name] == '.' && out[name + 1] == '.') {
            while (w > from && out[w - 1] != '/') w--;
            if (w > from) w--;
            if (last) out[w++] = '/';
        } else {
            memmove(out + w, out + r, e - r);
            w += e - r;
        }
        r = e;
    }
    return w;
}

size_t arti_uri_resolve(char *out, const char *base, size_t base_len, const char *ref, size_t ref_len,
                        size_t *fragment) {
    size_t n = 0;
    while (n < ref_len && ref[n] != '#') n++;
    *fragment = n < ref_len ? n + 1 : ref_len;
    if (n == 0) {
        memcpy(out, base, base_len);
        return base_len;
    }
    const parts r = split(ref, n), b = split(base, base_len);
    if (r.scheme) {
        memcpy(out, ref, n);
        /* Opaque identifiers (urn:...) have no segments to remove. */
        return r.path > r.authority && ref[r.authority] == '/' && r.path == n ? remove_dots(out, r.authority, n) : n;
    }
    size_t w = b.scheme;
    memcpy(out, base, w);
    if (r.authority > 0) {
        memcpy(out + w, ref, n);
        return w + n;
    }
    memcpy(out + w, base + b.scheme, b.authority - b.scheme);
    w = b.authority;
    const size_t from = w;
    if (r.path == 0) { /* only a query */
        memcpy(out + w, base + b.authority, b.path - b.authority);
        w += b.path - b.authority;
    } else {
        if (ref[0] != '/') {
            size_t dir = b.path;
            while (dir > b.authority && base[dir - 1] != '/') dir--;
            memcpy(out + w, base + b.authority, dir - b.authority);
            w += dir - b.authority;
            if (w == from && b.authority > b.scheme) out[w++] = '/';
        }
        memcpy(out + w, ref, r.path);
        w += r.path;
        if (from > 0 || ref[0] == '/') w = remove_dots(out, from, w);
    }
    memcpy(out + w, ref + r.path, n - r.path);
    return w + n - r.path;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

size_t arti_uri_unescape(char *out, const char *text, size_t len) {
    size_t w = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            out[w++] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            out[w++] = text[i];
        }
    }
    return w;
}
