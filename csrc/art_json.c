/* SPDX-License-Identifier: Apache-2.0 */
#include "art_json.h"
#include "art_utf8.h"

/* ------------------------------------------------------------------ hashes
 *
 * A value's hash is a function of its meaning alone: numbers by value, objects without order. */

static inline uint64_t mix(uint64_t h, uint64_t w) {
    h = (h ^ w) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

enum { SEED_NULL = 1, SEED_FALSE, SEED_TRUE, SEED_NUMBER, SEED_STRING, SEED_ARRAY, SEED_OBJECT };

uint64_t arti_json_hash_string(const char *str, size_t len) {
    uint64_t h = mix(SEED_STRING, len);
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, str + i, 8);
        h = mix(h, w);
    }
    uint64_t tail = 0;
    if (i < len) memcpy(&tail, str + i, len - i);
    return mix(mix(h, tail), UINT64_C(0x51ED270B));
}

/* A number's text as sign, digits from the first to the last that is not 0, and the power of ten of the last one. */
typedef struct norm {
    const char *first, *last; /* both NULL for zero; the point may lie between them */
    int64_t exp;
    bool neg;
} norm;

#define EXP_SATURATED INT64_C(4000000000000000000)

static norm normalize(const char *t, size_t len) {
    norm r = {0};
    const char *end = t + len, *point = NULL;
    if (t < end && *t == '-') r.neg = true, t++;
    const char *p = t;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            point = p;
        else if (*p != '0') {
            if (!r.first) r.first = p;
            r.last = p;
        }
    }
    if (!r.first) {
        r.neg = false;
        return r;
    }
    const char *units = point ? point : p; /* just behind the digit of weight 1 */
    r.exp = r.last < units ? units - r.last - 1 : units - r.last;
    if (p < end) {
        p++;
        bool neg = *p == '-';
        if (*p == '-' || *p == '+') p++;
        int64_t e = 0;
        for (; p < end; p++) e = e < EXP_SATURATED / 10 ? e * 10 + (*p - '0') : EXP_SATURATED;
        r.exp += neg ? -e : e;
    }
    return r;
}

uint64_t arti_json_hash_number(const char *text, size_t len) {
    norm r = normalize(text, len);
    uint64_t h = mix(SEED_NUMBER, (uint64_t)r.exp * 2 + r.neg);
    if (!r.first) return h;
    for (const char *p = r.first; p <= r.last; p++)
        if (*p != '.') h = mix(h, (uint64_t)*p);
    return h;
}

static bool numbers_equal(const arti_json *a, const arti_json *b) {
    norm x = normalize(a->str, a->n), y = normalize(b->str, b->n);
    if (x.neg != y.neg || x.exp != y.exp || !x.first != !y.first) return false;
    if (!x.first) return true;
    const char *p = x.first, *q = y.first;
    for (;;) {
        if (*p == '.') p++;
        if (*q == '.') q++;
        if (*p != *q) return false;
        if (p == x.last || q == y.last) return p == x.last && q == y.last;
        p++, q++;
    }
}

static uint64_t hash_members(const arti_json_member *m, uint32_t n) {
    uint64_t sum = n;
    for (uint32_t i = 0; i < n; i++)
        sum += mix(mix(SEED_OBJECT, arti_json_hash_string(m[i].key, m[i].key_len)), m[i].value.hash);
    return mix(SEED_OBJECT, sum);
}

/* ------------------------------------------------------------------ members by key */

static int key_cmp(const char *a, uint32_t a_len, const char *b, uint32_t b_len) {
    if (a_len != b_len) return a_len < b_len ? -1 : 1;
    return a_len ? memcmp(a, b, a_len) : 0;
}

static int member_cmp(const arti_json_member *a, const arti_json_member *b) {
    return key_cmp(a->key, a->key_len, b->key, b->key_len);
}

static void sift_down(uint32_t *ix, uint32_t i, uint32_t n, const arti_json_member *m) {
    for (;;) {
        uint32_t kid = 2 * i + 1;
        if (kid >= n) return;
        if (kid + 1 < n && member_cmp(&m[ix[kid]], &m[ix[kid + 1]]) < 0) kid++;
        if (member_cmp(&m[ix[i]], &m[ix[kid]]) >= 0) return;
        uint32_t t = ix[i];
        ix[i] = ix[kid], ix[kid] = t;
        i = kid;
    }
}

/* Heap sort: no worst case for hostile keys, no memory. */
static void sort_members(uint32_t *ix, uint32_t n, const arti_json_member *m) {
    for (uint32_t i = 0; i < n; i++) ix[i] = i;
    for (uint32_t i = n / 2; i-- > 0;) sift_down(ix, i, n, m);
    for (uint32_t last = n; last-- > 1;) {
        uint32_t t = ix[0];
        ix[0] = ix[last], ix[last] = t;
        sift_down(ix, 0, last, m);
    }
}

const arti_json_member *arti_json_member_get(const arti_json *obj, const char *key, size_t key_len) {
    if (obj->type != ARTI_JSON_OBJECT || key_len > UINT32_MAX) return NULL;
    uint32_t len = (uint32_t)key_len;
    if (!obj->sorted) {
        for (uint32_t i = 0; i < obj->n; i++)
            if (key_cmp(obj->members[i].key, obj->members[i].key_len, key, len) == 0) return &obj->members[i];
        return NULL;
    }
    uint32_t lo = 0, hi = obj->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const arti_json_member *m = &obj->members[obj->sorted[mid]];
        int c = key_cmp(m->key, m->key_len, key, len);
        if (c == 0) return m;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const arti_json *arti_json_get(const arti_json *obj, const char *key, size_t key_len) {
    const arti_json_member *m = arti_json_member_get(obj, key, key_len);
    return m ? &m->value : NULL;
}

/* ------------------------------------------------------------------ parser
 *
 * A goto-free state machine over two stacks in scratch memory: `slot` holds every value that is not yet part of a finished
 * container (with its key), `open` the slot indexes of the containers that are being read. A container's children lie behind its
 * own slot; closing it moves them into the arena as one exact array. */

typedef struct parser {
    arti_arena *arena;
    arti_mem *scratch;
    const char *text;
    uint32_t pos, len;
    arti_json_member *slot;
    size_t n_slot, cap_slot;
    uint32_t *open;
    size_t n_open, cap_open;
    uint32_t depth_max;
    art_error *err;
} parser;

static art_status syntax(parser *p, uint32_t pos, const char *what) {
    return arti_fail(p->err, ART_E_SYNTAX, pos, "%s at byte %u", what, pos);
}

static void skip_space(parser *p) {
    while (p->pos < p->len) {
        char c = p->text[p->pos];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
        p->pos++;
    }
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static art_status read_number(parser *p, arti_json *v) {
    const char *t = p->text;
    uint32_t i = p->pos, n = p->len;
    if (t[i] == '-') i++;
    if (i >= n || !is_digit(t[i])) return syntax(p, i, "a digit is missing");
    if (t[i] == '0') {
        i++;
        if (i < n && is_digit(t[i])) return syntax(p, i, "a number must not begin with 0");
    } else {
        while (i < n && is_digit(t[i])) i++;
    }
    if (i < n && t[i] == '.') {
        i++;
        if (i >= n || !is_digit(t[i])) return syntax(p, i, "a digit is missing after the decimal point");
        while (i < n && is_digit(t[i])) i++;
    }
    if (i < n && (t[i] == 'e' || t[i] == 'E')) {
        i++;
        if (i < n && (t[i] == '+' || t[i] == '-')) i++;
        if (i >= n || !is_digit(t[i])) return syntax(p, i, "a digit is missing in the exponent");
        uint32_t significant = i;
        while (significant < n && t[significant] == '0') significant++;
        while (i < n && is_digit(t[i])) i++;
        if (i > significant && i - significant > 18)
            return arti_fail(p->err, ART_E_LIMIT, p->pos, "exponent of more than 18 digits at byte %u", p->pos);
    }
    v->type = ARTI_JSON_NUMBER;
    v->str = t + p->pos;
    v->n = i - p->pos;
    v->hash = arti_json_hash_number(v->str, v->n);
    p->pos = i;
    return ART_OK;
}

/* Four hex digits at pos, or UINT32_MAX. */
static uint32_t read_hex4(const parser *p, uint32_t pos) {
    if (p->len - pos < 4) return UINT32_MAX;
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4; i++) {
        char c = p->text[pos + i];
        uint32_t d;
        if (is_digit(c))
            d = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            d = (uint32_t)(c - 'A') + 10;
        else
            return UINT32_MAX;
        v = v << 4 | d;
    }
    return v;
}

/* Finds the closing quote of the string whose first byte (after the quote) is at pos, checking UTF-8 and control characters. */
static art_status scan_string(parser *p, uint32_t *end, bool *escaped) {
    uint32_t i = p->pos;
    uint8_t u8 = ARTI_U8_0;
    *escaped = false;
    for (; i < p->len; i++) {
        uint8_t c = (uint8_t)p->text[i];
        if (u8 == ARTI_U8_0 && c < 0x80u) {
            if (c == '"') {
                *end = i;
                return ART_OK;
            }
            if (c == '\\') {
                *escaped = true;
                i++;
            } else if (c < 0x20u) {
                return syntax(p, i, "a control character must be escaped");
            }
            continue;
        }
        u8 = arti_u8_next(u8, c);
        if (u8 == ARTI_U8_BAD) return syntax(p, i, "invalid UTF-8");
    }
    return syntax(p, p->len, "the string is not closed");
}

/* Decodes the escapes of text[p->pos .. end) into out (never longer than the text). */
static art_status unescape(parser *p, uint32_t end, char *out, uint32_t *out_len, bool *surrogate) {
    uint8_t *o = (uint8_t *)out;
    for (uint32_t i = p->pos; i < end;) {
        char c = p->text[i++];
        if (c != '\\') {
            *o++ = (uint8_t)c;
            continue;
        }
        c = p->text[i++];
        switch (c) {
        case '"':
        case '\\':
        case '/': *o++ = (uint8_t)c; break;
        case 'b': *o++ = '\b'; break;
        case 'f': *o++ = '\f'; break;
        case 'n': *o++ = '\n'; break;
        case 'r': *o++ = '\r'; break;
        case 't': *o++ = '\t'; break;
        case 'u': {
            uint32_t cp = read_hex4(p, i);
            if (cp == UINT32_MAX) return syntax(p, i, "four hexadecimal digits are missing");
            i += 4;
            if (cp >= 0xD800u && cp < 0xDC00u && end - i >= 6 && p->text[i] == '\\' && p->text[i + 1] == 'u') {
                uint32_t low = read_hex4(p, i + 2);
                if (low >= 0xDC00u && low < 0xE000u) {
                    cp = 0x10000u + ((cp - 0xD800u) << 10) + (low - 0xDC00u);
                    i += 6;
                }
            }
            if (cp >= 0xD800u && cp < 0xE000u) *surrogate = true;
            o += arti_u8_put(o, cp);
            break;
        }
        default: return syntax(p, i - 1, "unknown escape");
        }
    }
    *out_len = (uint32_t)(o - (uint8_t *)out);
    return ART_OK;
}

/* Reads the string whose opening quote is at p->pos. */
static art_status read_string(parser *p, const char **str, uint32_t *len, bool *surrogate) {
    p->pos++;
    uint32_t end = 0;
    bool escaped;
    art_status s = scan_string(p, &end, &escaped);
    if (s != ART_OK) return s;
    *surrogate = false;
    *str = p->text + p->pos;
    *len = end - p->pos;
    if (escaped) {
        char *buf = arti_arena_get(p->arena, *len);
        if (!buf) return arti_mem_fail(p->arena->mem, p->err);
        s = unescape(p, end, buf, len, surrogate);
        if (s != ART_OK) return s;
        *str = buf;
    }
    p->pos = end + 1;
    return ART_OK;
}

static art_status push_slot(parser *p, arti_json_member **m) {
    if (!arti_vec_reserve(p->scratch, (void **)&p->slot, &p->cap_slot, p->n_slot + 1, sizeof *p->slot))
        return arti_mem_fail(p->scratch, p->err);
    *m = &p->slot[p->n_slot++];
    memset(*m, 0, sizeof **m);
    return ART_OK;
}

static art_status open_container(parser *p, arti_json_member *m, arti_json_type type) {
    if (p->n_open == p->depth_max)
        return arti_fail(p->err, ART_E_LIMIT, p->pos, "nesting deeper than %u at byte %u", p->depth_max, p->pos);
    if (!arti_vec_reserve(p->scratch, (void **)&p->open, &p->cap_open, p->n_open + 1, sizeof *p->open))
        return arti_mem_fail(p->scratch, p->err);
    m->value.type = (uint8_t)type;
    p->open[p->n_open++] = (uint32_t)(m - p->slot);
    p->pos++;
    return ART_OK;
}

static art_status duplicate(parser *p, const arti_json_member *a, const arti_json_member *b) {
    const arti_json_member *second = a->key_pos < b->key_pos ? b : a;
    return arti_fail(p->err, ART_E_SYNTAX, second->key_pos, "duplicate key \"%.*s\" at byte %u",
                     second->key_len < 80 ? (int)second->key_len : 80, second->key, second->key_pos);
}

static art_status finish_object(parser *p, arti_json *v, const arti_json_member *kids) {
    if (v->n <= ARTI_JSON_INDEX_MIN) {
        for (uint32_t i = 1; i < v->n; i++)
            for (uint32_t j = 0; j < i; j++)
                if (member_cmp(&kids[i], &kids[j]) == 0) return duplicate(p, &kids[i], &kids[j]);
    } else {
        uint32_t *ix = arti_arena_get(p->arena, v->n * sizeof *ix);
        if (!ix) return arti_mem_fail(p->arena->mem, p->err);
        sort_members(ix, v->n, kids);
        for (uint32_t i = 1; i < v->n; i++)
            if (member_cmp(&kids[ix[i - 1]], &kids[ix[i]]) == 0) return duplicate(p, &kids[ix[i - 1]], &kids[ix[i]]);
        v->sorted = ix;
    }
    v->hash = hash_members(kids, v->n);
    if (v->n == 0) return ART_OK;
    arti_json_member *copy = arti_arena_get(p->arena, v->n * sizeof *copy);
    if (!copy) return arti_mem_fail(p->arena->mem, p->err);
    memcpy(copy, kids, v->n * sizeof *copy);
    v->members = copy;
    return ART_OK;
}

static art_status finish_array(parser *p, arti_json *v, const arti_json_member *kids) {
    uint64_t h = mix(SEED_ARRAY, v->n);
    for (uint32_t i = 0; i < v->n; i++) h = mix(h, kids[i].value.hash);
    v->hash = h;
    if (v->n == 0) return ART_OK;
    arti_json *copy = arti_arena_get(p->arena, v->n * sizeof *copy);
    if (!copy) return arti_mem_fail(p->arena->mem, p->err);
    for (uint32_t i = 0; i < v->n; i++) copy[i] = kids[i].value;
    v->items = copy;
    return ART_OK;
}

static art_status close_container(parser *p) {
    uint32_t at = p->open[--p->n_open];
    arti_json *v = &p->slot[at].value;
    const arti_json_member *kids = &p->slot[at + 1];
    v->n = (uint32_t)(p->n_slot - at - 1);
    v->end = ++p->pos;
    p->n_slot = (size_t)at + 1;
    return v->type == ARTI_JSON_OBJECT ? finish_object(p, v, kids) : finish_array(p, v, kids);
}

static art_status read_word(parser *p, arti_json *v, const char *word, uint32_t len, arti_json_type type,
                            uint64_t seed) {
    for (uint32_t i = 0; i < len; i++)
        if (p->pos + i >= p->len || p->text[p->pos + i] != word[i]) return syntax(p, p->pos + i, "not a JSON value");
    v->type = (uint8_t)type;
    v->boolean = seed == SEED_TRUE;
    v->hash = mix(seed, 0);
    p->pos += len;
    return ART_OK;
}

/* Reads a scalar, or opens a container, into a slot that was pushed for it. */
static art_status read_value(parser *p, arti_json_member *m) {
    arti_json *v = &m->value;
    if (p->pos >= p->len) return syntax(p, p->pos, "a value is missing");
    v->pos = p->pos;
    art_status s;
    switch (p->text[p->pos]) {
    case '{': return open_container(p, m, ARTI_JSON_OBJECT);
    case '[': return open_container(p, m, ARTI_JSON_ARRAY);
    case '"':
        v->type = ARTI_JSON_STRING;
        s = read_string(p, &v->str, &v->n, &v->has_surrogate);
        if (s == ART_OK) v->hash = arti_json_hash_string(v->str, v->n);
        break;
    case 't': s = read_word(p, v, "true", 4, ARTI_JSON_BOOL, SEED_TRUE); break;
    case 'f': s = read_word(p, v, "false", 5, ARTI_JSON_BOOL, SEED_FALSE); break;
    case 'n': s = read_word(p, v, "null", 4, ARTI_JSON_NULL, SEED_NULL); break;
    default:
        if (p->text[p->pos] != '-' && !is_digit(p->text[p->pos])) return syntax(p, p->pos, "not a JSON value");
        s = read_number(p, v);
        break;
    }
    v->end = p->pos;
    return s;
}

/* One member (key, colon, value) or item; the innermost open container stands before it. */
static art_status read_child(parser *p) {
    bool in_object = p->slot[p->open[p->n_open - 1]].value.type == ARTI_JSON_OBJECT;
    arti_json_member *m = NULL;
    art_status s = push_slot(p, &m);
    if (s != ART_OK) return s;
    if (in_object) {
        if (p->pos >= p->len || p->text[p->pos] != '"') return syntax(p, p->pos, "a key is missing");
        m->key_pos = p->pos;
        s = read_string(p, &m->key, &m->key_len, &m->key_has_surrogate);
        if (s != ART_OK) return s;
        skip_space(p);
        if (p->pos >= p->len || p->text[p->pos] != ':') return syntax(p, p->pos, "':' is missing");
        p->pos++;
        skip_space(p);
    }
    return read_value(p, m);
}

static art_status read_document(parser *p) {
    arti_json_member *root = NULL;
    art_status s = push_slot(p, &root);
    if (s != ART_OK) return s;
    skip_space(p);
    s = read_value(p, root);
    bool fresh = true; /* the innermost container has just been opened */
    while (s == ART_OK && p->n_open) {
        const arti_json *top = &p->slot[p->open[p->n_open - 1]].value;
        char closer = top->type == ARTI_JSON_OBJECT ? '}' : ']';
        skip_space(p);
        size_t depth = p->n_open;
        if (p->pos < p->len && p->text[p->pos] == closer) {
            s = close_container(p);
            fresh = false;
            continue;
        }
        if (!fresh) {
            if (p->pos >= p->len || p->text[p->pos] != ',') return syntax(p, p->pos, "',' or the end is missing");
            p->pos++;
            skip_space(p);
        }
        s = read_child(p);
        fresh = p->n_open > depth;
    }
    if (s != ART_OK) return s;
    skip_space(p);
    if (p->pos < p->len) return syntax(p, p->pos, "text after the value");
    return ART_OK;
}

art_status arti_json_parse(arti_arena *arena, arti_mem *scratch, const char *text, size_t len, uint32_t depth_max,
                           const arti_json **out, art_error *err) {
    *out = NULL;
    if (len >= UINT32_MAX) return arti_fail(err, ART_E_LIMIT, 0, "document of more than 4 GiB");
    parser p = {.arena = arena, .scratch = scratch, .text = text, .len = (uint32_t)len, .err = err};
    p.depth_max = depth_max < ARTI_JSON_DEPTH_MAX ? depth_max : ARTI_JSON_DEPTH_MAX;
    art_status s = read_document(&p);
    if (s == ART_OK) {
        arti_json *root = arti_arena_get(arena, sizeof *root);
        if (root) {
            *root = p.slot[0].value;
            *out = root;
        } else {
            s = arti_mem_fail(arena->mem, err);
        }
    }
    arti_free(scratch, p.slot, p.cap_slot * sizeof *p.slot);
    arti_free(scratch, p.open, p.cap_open * sizeof *p.open);
    return s;
}

/* ------------------------------------------------------------------ comparing */

/* Equal apart from children. */
static bool shallow_equal(const arti_json *a, const arti_json *b) {
    if (a->type != b->type || a->hash != b->hash) return false;
    switch (a->type) {
    case ARTI_JSON_BOOL: return a->boolean == b->boolean;
    case ARTI_JSON_NUMBER: return numbers_equal(a, b);
    case ARTI_JSON_STRING: return a->n == b->n && memcmp(a->str, b->str, a->n) == 0;
    case ARTI_JSON_ARRAY:
    case ARTI_JSON_OBJECT: return a->n == b->n;
    default: return true;
    }
}

bool arti_json_equal(const arti_json *a, const arti_json *b) {
    struct {
        const arti_json *a, *b;
        uint32_t next;
    } stack[ARTI_JSON_DEPTH_MAX];
    size_t n = 0;
    for (;;) {
        if (!shallow_equal(a, b)) return false;
        if (a->type >= ARTI_JSON_ARRAY && a->n) {
            stack[n].a = a, stack[n].b = b, stack[n].next = 0;
            n++;
        }
        while (n && stack[n - 1].next == stack[n - 1].a->n) n--;
        if (n == 0) return true;
        uint32_t i = stack[n - 1].next++;
        const arti_json *pa = stack[n - 1].a, *pb = stack[n - 1].b;
        if (pa->type == ARTI_JSON_ARRAY) {
            a = &pa->items[i], b = &pb->items[i];
        } else {
            a = &pa->members[i].value;
            b = arti_json_get(pb, pa->members[i].key, pa->members[i].key_len);
            if (!b) return false;
        }
    }
}

bool arti_json_is_integer(const arti_json *v) {
    return v->type == ARTI_JSON_NUMBER && normalize(v->str, v->n).exp >= 0;
}

bool arti_json_to_count(const arti_json *v, uint32_t *out) {
    if (v->type != ARTI_JSON_NUMBER) return false;
    norm r = normalize(v->str, v->n);
    if (r.exp < 0 || r.neg) return false;
    uint64_t x = 0;
    if (r.first) {
        for (const char *p = r.first; p <= r.last && x <= UINT32_MAX; p++)
            if (*p != '.') x = x * 10 + (uint64_t)(*p - '0');
        for (int64_t e = 0; e < r.exp && x <= UINT32_MAX; e++) x *= 10;
    }
    *out = x < UINT32_MAX ? (uint32_t)x : UINT32_MAX;
    return true;
}

/* ------------------------------------------------------------------ writing */

typedef struct sink {
    char *buf;
    size_t cap, len;
} sink;

static void put(sink *s, const char *p, size_t n) {
    if (s->len < s->cap && n) memcpy(s->buf + s->len, p, n < s->cap - s->len ? n : s->cap - s->len);
    s->len += n;
}

static void put_u(sink *s, uint32_t v) {
    static const char hex[] = "0123456789abcdef";
    char e[6] = {'\\', 'u', hex[v >> 12 & 15u], hex[v >> 8 & 15u], hex[v >> 4 & 15u], hex[v & 15u]};
    put(s, e, 6);
}

static void put_string(sink *s, const char *str, size_t len) {
    static const char short_escape[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    put(s, "\"", 1);
    size_t from = 0, i = 0;
    while (i < len) {
        uint8_t c = (uint8_t)str[i];
        bool surrogate = c == 0xEDu && i + 2 < len && (uint8_t)str[i + 1] >= 0xA0u;
        if (c >= 0x20u && c != '"' && c != '\\' && !surrogate) {
            i++;
            continue;
        }
        put(s, str + from, i - from);
        if (surrogate) {
            size_t n;
            put_u(s, arti_u8_get((const uint8_t *)str + i, &n));
            i += n;
        } else if (c >= 0x20u) {
            put(s, (char[2]){'\\', (char)c}, 2);
            i++;
        } else {
            if (short_escape[c])
                put(s, (char[2]){'\\', short_escape[c]}, 2);
            else
                put_u(s, c);
            i++;
        }
        from = i;
    }
    put(s, str + from, len - from);
    put(s, "\"", 1);
}

size_t arti_json_quote(char *buf, size_t cap, const char *str, size_t len) {
    sink s = {buf, cap, 0};
    put_string(&s, str, len);
    return s.len;
}

size_t arti_json_write(char *buf, size_t cap, const arti_json *v) {
    struct {
        const arti_json *v;
        uint32_t next;
    } stack[ARTI_JSON_DEPTH_MAX];
    size_t n = 0;
    sink s = {buf, cap, 0};
    for (;;) {
        switch (v->type) {
        case ARTI_JSON_NULL: put(&s, "null", 4); break;
        case ARTI_JSON_BOOL: put(&s, v->boolean ? "true" : "false", v->boolean ? 4 : 5); break;
        case ARTI_JSON_NUMBER: put(&s, v->str, v->n); break;
        case ARTI_JSON_STRING: put_string(&s, v->str, v->n); break;
        default:
            put(&s, v->type == ARTI_JSON_ARRAY ? "[" : "{", 1);
            stack[n].v = v, stack[n].next = 0;
            n++;
            break;
        }
        while (n && stack[n - 1].next == stack[n - 1].v->n) {
            put(&s, stack[n - 1].v->type == ARTI_JSON_ARRAY ? "]" : "}", 1);
            n--;
        }
        if (n == 0) return s.len;
        const arti_json *top = stack[n - 1].v;
        uint32_t i = stack[n - 1].next++;
        if (i) put(&s, ",", 1);
        if (top->type == ARTI_JSON_OBJECT) {
            put_string(&s, top->members[i].key, top->members[i].key_len);
            put(&s, ":", 1);
            v = &top->members[i].value;
        } else {
            v = &top->items[i];
        }
    }
}

/* ------------------------------------------------------------------ JSON Pointer */

bool arti_ptr_push(arti_ptr *p, const char *key, size_t key_len) {
    if (key_len > (SIZE_MAX - p->len) / 2 - 1) return false;
    size_t need = p->len + 1 + 2 * key_len;
    if (!arti_vec_reserve(p->mem, (void **)&p->text, &p->cap, need, 1)) return false;
    char *o = p->text + p->len;
    *o++ = '/';
    for (size_t i = 0; i < key_len; i++) {
        if (key[i] == '~' || key[i] == '/') {
            *o++ = '~';
            *o++ = key[i] == '~' ? '0' : '1';
        } else {
            *o++ = key[i];
        }
    }
    p->len = (size_t)(o - p->text);
    return true;
}

static size_t write_index(char out[10], uint32_t index) {
    char rev[10];
    size_t n = 0;
    do {
        rev[n++] = (char)('0' + index % 10);
        index /= 10;
    } while (index);
    for (size_t i = 0; i < n; i++) out[i] = rev[n - 1 - i];
    return n;
}

bool arti_ptr_push_index(arti_ptr *p, uint32_t index) {
    char digits[10];
    return arti_ptr_push(p, digits, write_index(digits, index));
}

void arti_ptr_free(arti_ptr *p) {
    arti_free(p->mem, p->text, p->cap);
    *p = (arti_ptr){.mem = p->mem};
}

size_t arti_ptr_token(const char *ptr, size_t len, size_t *pos, char *buf) {
    size_t i = *pos, n = 0;
    if (i >= len || ptr[i] != '/') return SIZE_MAX;
    for (i++; i < len && ptr[i] != '/'; i++) {
        char c = ptr[i];
        if (c == '~') {
            if (++i >= len || (ptr[i] != '0' && ptr[i] != '1')) return SIZE_MAX;
            c = ptr[i] == '0' ? '~' : '/';
        }
        buf[n++] = c;
    }
    *pos = i;
    return n;
}

/* An array index without sign or leading zeros; UINT32_MAX for anything else. */
static uint32_t read_index(const char *t, size_t len) {
    if (len == 0 || len > 9 || (t[0] == '0' && len > 1)) return UINT32_MAX;
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(t[i])) return UINT32_MAX;
        v = v * 10 + (uint32_t)(t[i] - '0');
    }
    return v;
}

/* The member whose key is the escaped reference token t. Only tokens with '~' need the slow comparison. */
static const arti_json *get_escaped(const arti_json *obj, const char *t, size_t len) {
    if (!memchr(t, '~', len)) return arti_json_get(obj, t, len);
    for (uint32_t k = 0; k < obj->n; k++) {
        const arti_json_member *m = &obj->members[k];
        size_t i = 0, j = 0;
        while (i < len && j < m->key_len) {
            char c = t[i++];
            if (c == '~') {
                if (i >= len || (t[i] != '0' && t[i] != '1')) return NULL;
                c = t[i++] == '0' ? '~' : '/';
            }
            if (c != m->key[j++]) {
                j = SIZE_MAX;
                break;
            }
        }
        if (i == len && j == m->key_len) return &m->value;
    }
    return NULL;
}

const arti_json *arti_ptr_get(const arti_json *root, const char *ptr, size_t len) {
    const arti_json *v = root;
    size_t i = 0;
    while (v && i < len) {
        if (ptr[i] != '/') return NULL;
        const char *t = ptr + ++i;
        while (i < len && ptr[i] != '/') i++;
        size_t n = (size_t)(ptr + i - t);
        if (v->type == ARTI_JSON_OBJECT) {
            v = get_escaped(v, t, n);
        } else if (v->type == ARTI_JSON_ARRAY) {
            uint32_t k = read_index(t, n);
            v = k < v->n ? &v->items[k] : NULL;
        } else {
            v = NULL;
        }
    }
    return v;
}

static uint32_t child_pos(const arti_json *v, uint32_t i) {
    return v->type == ARTI_JSON_OBJECT ? v->members[i].key_pos : v->items[i].pos;
}

bool arti_ptr_locate(const arti_json *root, uint32_t pos, arti_ptr *out) {
    const arti_json *v = root;
    while (v->type >= ARTI_JSON_ARRAY && v->n && pos > v->pos) {
        uint32_t lo = 0, hi = v->n; /* the last child that begins at or before pos */
        while (hi - lo > 1) {
            uint32_t mid = lo + (hi - lo) / 2;
            if (child_pos(v, mid) <= pos)
                lo = mid;
            else
                hi = mid;
        }
        const arti_json *kid = v->type == ARTI_JSON_OBJECT ? &v->members[lo].value : &v->items[lo];
        if (pos < child_pos(v, lo) || pos >= kid->end) break;
        bool ok = v->type == ARTI_JSON_OBJECT ? arti_ptr_push(out, v->members[lo].key, v->members[lo].key_len)
                                              : arti_ptr_push_index(out, lo);
        if (!ok) return false;
        v = kid;
    }
    return true;
}
