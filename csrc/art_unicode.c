/* SPDX-License-Identifier: Apache-2.0 */
#include "art_unicode.h"

#include <string.h>

typedef struct set_place {
    uint32_t first;
    uint32_t n_ranges;
} set_place;

typedef struct set_name {
    const char *name;
    uint16_t set;
} set_name;

typedef struct composition {
    uint32_t first, second, whole;
} composition;

typedef struct class_range {
    uint32_t first;
    uint8_t n, class;
} class_range;

#include "art_unicode_data.h"

#define N_COMPOSITIONS (sizeof compositions / sizeof *compositions)
#define N_CLASS_RANGES (sizeof class_ranges / sizeof *class_ranges)

bool arti_unicode_find(arti_unicode_kind kind, const char *name, size_t len, arti_unicode_set *out) {
    static const struct {
        const set_name *names;
        size_t n;
    } tables[] = {
#define TABLE(t) {t, sizeof t / sizeof *t}
        [ARTI_UNICODE_CATEGORY] = TABLE(categories),
        [ARTI_UNICODE_SCRIPT] = TABLE(scripts),
        [ARTI_UNICODE_SCRIPT_EXTENSIONS] = TABLE(script_extensions),
        [ARTI_UNICODE_BINARY] = TABLE(binary),
        [ARTI_UNICODE_IDNA] = TABLE(idna),
#undef TABLE
    };
    size_t lo = 0, hi = tables[kind].n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const set_name *entry = &tables[kind].names[mid];
        const size_t entry_len = strlen(entry->name);
        int order = memcmp(entry->name, name, entry_len < len ? entry_len : len);
        if (order == 0) order = (entry_len > len) - (entry_len < len);
        if (order == 0) {
            const set_place place = set_places[entry->set];
            *out = (arti_unicode_set){.at = set_bytes + place.first, .n_left = place.n_ranges};
            return true;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* LEB128; the data are ours. */
static uint32_t take_number(const uint8_t **at) {
    uint32_t v = 0, shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        v |= (uint32_t)(byte & 0x7Fu) << shift;
        shift += 7;
    } while (byte & 0x80u);
    return v;
}

bool arti_unicode_next(arti_unicode_set *s, uint32_t *lo, uint32_t *hi) {
    if (s->n_left == 0) return false;
    s->n_left--;
    *lo = s->cp + take_number(&s->at);
    *hi = *lo + take_number(&s->at);
    s->cp = *hi + 1;
    return true;
}

uint32_t arti_unicode_class(uint32_t cp) {
    size_t lo = 0, hi = N_CLASS_RANGES; /* the first range behind cp */
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (class_ranges[mid].first <= cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && cp - class_ranges[lo - 1].first < class_ranges[lo - 1].n ? class_ranges[lo - 1].class : 0;
}

bool arti_unicode_class_range(size_t i, uint32_t *lo, uint32_t *hi, uint32_t *class) {
    if (i >= N_CLASS_RANGES) return false;
    *lo = class_ranges[i].first;
    *hi = *lo + class_ranges[i].n - 1u;
    *class = class_ranges[i].class;
    return true;
}

bool arti_unicode_parts(uint32_t cp, uint32_t *first, uint32_t *second) {
    size_t lo = 0, hi = N_COMPOSITIONS;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const composition *c = &compositions[by_whole[mid]];
        if (c->whole == cp) {
            *first = c->first;
            *second = c->second;
            return true;
        }
        if (c->whole < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

uint32_t arti_unicode_whole(uint32_t first, uint32_t second) {
    size_t lo = 0, hi = N_COMPOSITIONS;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const composition *c = &compositions[mid];
        if (c->first == first && c->second == second) return c->whole;
        if (c->first < first || (c->first == first && c->second < second))
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}
