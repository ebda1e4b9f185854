/* SPDX-License-Identifier: Apache-2.0
 *
 * Built in arrays of scratch memory (struct build), one per section, which are then laid out behind each other in the image. The
 * image is position independent, so a file is the image and opening one is mapping and checking it. */
#include "art_vocab.h"
#include "art_bases.h"
#include "art_bits.h"
#include "art_lex.h"
#include "art_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ atoms */

const arti_atom arti_atoms[ARTI_N_ATOMS] = {
    {' ', ' '},       {'!', '!'},       {'#', '#'},       {'$', '$'},       {'%', '%'},       {'&', '&'},
    {'\'', '\''},     {'(', '('},       {')', ')'},       {'*', '*'},       {'+', '+'},       {',', ','},
    {'-', '-'},       {'.', '.'},       {'/', '/'},       {'0', '0'},       {'1', '9'},       {':', ':'},
    {';', ';'},       {'<', '<'},       {'=', '='},       {'>', '>'},       {'?', '?'},       {'@', '@'},
    {'A', 'F'},       {'G', 'Z'},       {'[', '['},       {']', ']'},       {'^', '^'},       {'_', '_'},
    {'`', '`'},       {'a', 'f'},       {'g', 'z'},       {'{', '{'},       {'|', '|'},       {'}', '}'},
    {'~', '~'},       {0x7F, 0x7F},     {0x80, 0xA0},     {0xA1, 0xBF},     {0xC0, 0xFF},     {0x100, 0x17F},
    {0x180, 0x36F},   {0x370, 0x3FF},   {0x400, 0x4FF},   {0x500, 0xFFF},   {0x1000, 0x1DFF}, {0x1E00, 0x1FFF},
    {0x2000, 0x200A}, {0x200B, 0x2027}, {0x2028, 0x206F}, {0x2070, 0x2FFF}, {0x3000, 0x3000}, {0x3001, 0x303F},
    {0x3040, 0x33FF}, {0x3400, 0xABFF}, {0xAC00, 0xD7FF}, {0xE000, 0xFEFF}, {0xFF00, 0xFFFF}, {0x10000, 0x10FFFF},
};

uint32_t arti_atom_of(uint32_t code_point) {
    uint32_t lo = 0, hi = ARTI_N_ATOMS - 1;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (code_point > arti_atoms[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Bit number of each ASCII character: its atom, or what stands for quote, backslash and control characters. */
static const uint8_t ascii_bit[128] = {
    62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62,
    62, 62, 62, 62, 62, 62, 0,  1,  60, 2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 17, 18, 19, 20, 21, 22, 23, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25,
    25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 26, 61, 27, 28, 29, 30, 31, 31, 31, 31, 31, 31, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 33, 34, 35, 36, 37,
};

/* Number of the atom bit, or special bit, of a character. */
static inline uint32_t bit_of(uint32_t cp) {
    return cp < 0x80u ? ascii_bit[cp] : arti_atom_of(cp);
}
static inline uint64_t atom_bit(uint32_t cp) {
    return UINT64_C(1) << bit_of(cp);
}

/* ------------------------------------------------------------------ the image */

enum { /* sections, in their order in the image */
       SEC_BYTES,
       SEC_OFFSETS,
       SEC_EOS,
       SEC_NODE,
       SEC_BELOW,
       SEC_ORDER,
       SEC_ROOT_CHILD,
       SEC_KID_MARK,
       SEC_KID_RANK,
       SEC_KID_FIRST,
       SEC_KID_NODE,
       SEC_KID_BYTE,
       SEC_STAY_ROWS,
       SEC_U8,
       SEC_STAY_IDS,
       SEC_STAY_CPS,
       SEC_SUFFIXES,
       SEC_LEAVE,
       SEC_ESCAPE_IDS,
       SEC_HEADS,
       SEC_ESCAPES,
       SEC_ESCAPE_TEXT,
       SEC_GROUPS,
       SEC_GROUP_OF,
       SEC_GROUP_IDS,
       SEC_GROUP_CPS,
       SEC_DENSE_ROWS,
       SEC_SMALL_ROWS, /* space, digit, text, free, eos */
       SEC_COUNT
};
enum { ROW_SPACE, ROW_DIGIT, ROW_TEXT, ROW_FREE, ROW_EOS, SMALL_ROWS };

static const uint16_t item_size[SEC_COUNT] = {
    [SEC_BYTES] = 1,
    [SEC_OFFSETS] = sizeof(uint32_t),
    [SEC_EOS] = sizeof(uint32_t),
    [SEC_NODE] = sizeof(arti_node),
    [SEC_BELOW] = sizeof(uint64_t),
    [SEC_ORDER] = sizeof(uint32_t),
    [SEC_ROOT_CHILD] = sizeof(uint32_t),
    [SEC_KID_MARK] = sizeof(uint64_t),
    [SEC_KID_RANK] = sizeof(uint32_t),
    [SEC_KID_FIRST] = sizeof(uint32_t),
    [SEC_KID_NODE] = sizeof(uint32_t),
    [SEC_KID_BYTE] = 1,
    [SEC_STAY_ROWS] = sizeof(uint32_t),
    [SEC_U8] = sizeof(arti_u8_sets),
    [SEC_STAY_IDS] = sizeof(uint32_t),
    [SEC_STAY_CPS] = sizeof(uint16_t),
    [SEC_SUFFIXES] = sizeof(arti_suffix),
    [SEC_LEAVE] = sizeof(arti_leave),
    [SEC_ESCAPE_IDS] = sizeof(uint32_t),
    [SEC_HEADS] = sizeof(arti_head),
    [SEC_ESCAPES] = sizeof(arti_escaped),
    [SEC_ESCAPE_TEXT] = 1,
    [SEC_GROUPS] = sizeof(arti_group),
    [SEC_GROUP_OF] = sizeof(uint32_t),
    [SEC_GROUP_IDS] = sizeof(uint32_t),
    [SEC_GROUP_CPS] = sizeof(uint16_t),
    [SEC_DENSE_ROWS] = sizeof(uint32_t),
    [SEC_SMALL_ROWS] = sizeof(uint32_t),
};

static const char image_magic[8] = {'A', 'R', 'T', 'V', 'O', 'C', 'A', 'B'};
#define IMAGE_VERSION 5u
#define IMAGE_BYTE_ORDER 0x01020304u
#define IMAGE_ALIGN 64u

struct arti_vocab_header {
    char magic[8];
    uint32_t version, byte_order;
    uint64_t size;
    uint64_t checksum; /* of the whole image, this field taken as 0 */
    uint32_t n_tokens, token_len_max, stay_cp_max, reserved;
    struct {
        uint64_t at;
        uint64_t n; /* items */
    } sec[SEC_COUNT];
};
_Static_assert(ARTI_ATOM_QUOTE == UINT64_C(1) << 60 && ARTI_ATOM_BACKSLASH == UINT64_C(1) << 61 &&
                   ARTI_ATOM_CONTROL == UINT64_C(1) << 62,
               "ascii_bit");
_Static_assert(sizeof(arti_node) == 12 && sizeof(arti_leave) == 12 && sizeof(arti_suffix) == 16, "layout of the image");
_Static_assert(sizeof(arti_head) == 8 && sizeof(arti_escaped) == 16, "layout of the image");
_Static_assert(sizeof(arti_group) == 24 && sizeof(arti_u8_sets) == 24, "layout of the image");
_Static_assert(sizeof(arti_vocab_header) % 8 == 0, "the checksum reads whole words");

static size_t align_up(size_t n) {
    return (n + IMAGE_ALIGN - 1) & ~(size_t)(IMAGE_ALIGN - 1);
}

static inline uint64_t mix(uint64_t h, uint64_t w) {
    h = (h ^ w) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 32);
}

static uint64_t checksum(const arti_vocab_header *image, size_t size) {
    const uint8_t *p = (const uint8_t *)image;
    uint64_t lane[8] = {1, 2, 3, 4, 5, 6, 7, 8}, w;
    arti_vocab_header head = *image;
    head.checksum = 0;
    for (size_t i = 0; i < sizeof head; i += 8) {
        memcpy(&w, (const uint8_t *)&head + i, 8);
        lane[0] = mix(lane[0], w);
    }
    size_t i = sizeof head;
    for (; i + sizeof lane <= size; i += sizeof lane)
        for (size_t k = 0; k < 8; k++) {
            memcpy(&w, p + i + 8 * k, 8);
            lane[k] = mix(lane[k], w);
        }
    for (; i < size; i++) lane[0] = mix(lane[0], p[i]);
    for (size_t k = 1; k < 8; k++) lane[0] = mix(lane[0], lane[k]);
    return lane[0];
}

/* Points the fields of v into its image, whose header has been found good. */
static void bind_image(art_vocab *v) {
    const arti_vocab_header *h = v->image;
    const uint8_t *base = (const uint8_t *)h;
    const void *at[SEC_COUNT];
    for (int i = 0; i < SEC_COUNT; i++) at[i] = base + h->sec[i].at;
    v->n_tokens = h->n_tokens;
    v->n_words = (uint32_t)arti_bits_words(h->n_tokens);
    v->token_len_max = h->token_len_max;
    v->stay_cp_max = h->stay_cp_max;
    v->n_nodes = (uint32_t)(h->sec[SEC_NODE].n - 1);
    v->n_eos = (uint32_t)h->sec[SEC_EOS].n;
    v->n_order = (uint32_t)h->sec[SEC_ORDER].n;
    v->n_groups = (uint32_t)h->sec[SEC_GROUPS].n;
    v->n_suffixes = (uint32_t)h->sec[SEC_SUFFIXES].n;
    v->n_heads = (uint32_t)h->sec[SEC_HEADS].n;
    v->n_escapes = (uint32_t)h->sec[SEC_ESCAPES].n;
    v->n_dense = v->n_words ? (uint32_t)(h->sec[SEC_DENSE_ROWS].n / v->n_words) : 0;
    v->bytes = at[SEC_BYTES];
    v->offsets = at[SEC_OFFSETS];
    v->eos = at[SEC_EOS];
    v->node = at[SEC_NODE];
    v->below = at[SEC_BELOW];
    v->order = at[SEC_ORDER];
    v->root_child = at[SEC_ROOT_CHILD];
    v->kid_mark = at[SEC_KID_MARK];
    v->kid_rank = at[SEC_KID_RANK];
    v->kid_first = at[SEC_KID_FIRST];
    v->kid_node = at[SEC_KID_NODE];
    v->kid_byte = at[SEC_KID_BYTE];
    v->stay_rows = at[SEC_STAY_ROWS];
    v->u8 = at[SEC_U8];
    v->stay_ids = at[SEC_STAY_IDS];
    v->stay_cps = at[SEC_STAY_CPS];
    v->suffixes = at[SEC_SUFFIXES];
    v->leave = at[SEC_LEAVE];
    v->escape_ids = at[SEC_ESCAPE_IDS];
    v->heads = at[SEC_HEADS];
    v->escapes = at[SEC_ESCAPES];
    v->escape_text = at[SEC_ESCAPE_TEXT];
    while (v->n_escapes_stay < v->n_escapes && v->escapes[v->n_escapes_stay].kind != ARTI_ESCAPED_LEAVES)
        v->n_escapes_stay++;
    v->groups = at[SEC_GROUPS];
    v->group_of = at[SEC_GROUP_OF];
    v->group_ids = at[SEC_GROUP_IDS];
    v->group_cps = at[SEC_GROUP_CPS];
    v->dense_rows = at[SEC_DENSE_ROWS];
    const uint32_t *small = at[SEC_SMALL_ROWS];
    v->space_row = small + (size_t)ROW_SPACE * v->n_words;
    v->digit_row = small + (size_t)ROW_DIGIT * v->n_words;
    v->text_row = small + (size_t)ROW_TEXT * v->n_words;
    v->free_row = small + (size_t)ROW_FREE * v->n_words;
    v->eos_row = small + (size_t)ROW_EOS * v->n_words;
}

/* ------------------------------------------------------------------ building */

typedef struct leave_key { /* a leave token while suffixes are being collected */
    arti_leave leave;
    uint32_t suffix, len; /* bytes behind the quote */
} leave_key;

typedef struct vec {
    void *p;
    size_t n, cap; /* items */
} vec;

typedef struct build {
    arti_mem *mem;
    art_error *err;
    const uint8_t *bytes;
    const uint32_t *offsets;
    uint32_t n_tokens, n_words;
    uint32_t token_len_max, stay_cp_max;
    vec sec[SEC_COUNT];
    uint32_t *temp; /* n_tokens words, for sorting */
} build;

static void *vec_add(build *b, int section, size_t n) {
    vec *v = &b->sec[section];
    if (!arti_vec_reserve(b->mem, &v->p, &v->cap, v->n + n, item_size[section])) return NULL;
    void *at = (uint8_t *)v->p + v->n * item_size[section];
    v->n += n;
    return at;
}

/* A section of exactly n cleared items. */
static void *vec_zero(build *b, int section, size_t n) {
    vec *v = &b->sec[section];
    if (n == 0) return v;
    v->p = arti_calloc(b->mem, n * item_size[section]);
    if (v->p) v->n = v->cap = n;
    return v->p;
}

static inline const uint8_t *token(const build *b, uint32_t id, uint32_t *len) {
    *len = b->offsets[id + 1] - b->offsets[id];
    return b->bytes + b->offsets[id];
}

static int compare_tokens(const build *b, uint32_t x, uint32_t y) {
    uint32_t n, m;
    const uint8_t *p = token(b, x, &n), *q = token(b, y, &m);
    int c = memcmp(p, q, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

/* Stable merge sort of ids by bytes: for the rare tokens that agree in their first eight bytes. */
static void merge_sort(const build *b, uint32_t *ids, uint32_t n, uint32_t *temp) {
    for (uint32_t width = 1; width < n; width *= 2) {
        for (uint32_t from = 0; from < n; from += 2 * width) {
            uint32_t mid = n - from < width ? n : from + width, end = n - from < 2 * width ? n : from + 2 * width;
            uint32_t i = from, j = mid, k = from;
            while (i < mid && j < end) temp[k++] = compare_tokens(b, ids[i], ids[j]) <= 0 ? ids[i++] : ids[j++];
            while (i < mid) temp[k++] = ids[i++];
            while (j < end) temp[k++] = ids[j++];
        }
        memcpy(ids, temp, n * sizeof *ids);
    }
}

typedef struct sort_key {
    uint64_t head; /* the first eight bytes, most significant first */
    uint32_t id;
} sort_key;

/* Fills SEC_ORDER: radix sort by the first eight bytes, ties by merge sort. */
static bool sort_tokens(build *b, const uint32_t *eos_row) {
    uint32_t *order = vec_zero(b, SEC_ORDER, b->n_tokens), n = 0;
    size_t size = (size_t)b->n_tokens * sizeof(sort_key);
    sort_key *key = arti_realloc(b->mem, NULL, 0, size), *other = arti_realloc(b->mem, NULL, 0, size);
    bool ok = order && key && other;
    if (ok) {
        for (uint32_t id = 0; id < b->n_tokens; id++) {
            uint32_t len;
            const uint8_t *p = token(b, id, &len);
            if (len == 0 || arti_bits_test(eos_row, id)) continue;
            uint64_t head = 0;
            for (uint32_t i = 0; i < 8; i++) head = head << 8 | (i < len ? p[i] : 0);
            key[n++] = (sort_key){head, id};
        }
        for (unsigned shift = 0; shift < 64; shift += 8) {
            uint32_t count[257] = {0};
            for (uint32_t i = 0; i < n; i++) count[(key[i].head >> shift & 255u) + 1]++;
            for (int i = 0; i < 256; i++) count[i + 1] += count[i];
            for (uint32_t i = 0; i < n; i++) other[count[key[i].head >> shift & 255u]++] = key[i];
            sort_key *t = key;
            key = other, other = t;
        }
        for (uint32_t i = 0; i < n; i++) order[i] = key[i].id;
        for (uint32_t i = 0, j; i < n; i = j) {
            for (j = i + 1; j < n && key[j].head == key[i].head; j++) {
            }
            if (j - i > 1) merge_sort(b, order + i, j - i, b->temp);
        }
        b->sec[SEC_ORDER].n = n;
    }
    arti_free(b->mem, key, size);
    arti_free(b->mem, other, size);
    return ok;
}

static uint32_t common_prefix(const build *b, uint32_t x, uint32_t y) {
    uint32_t n, m, i = 0;
    const uint8_t *p = token(b, x, &n), *q = token(b, y, &m);
    while (i < n && i < m && p[i] == q[i]) i++;
    return i;
}

/* Fills SEC_NODE and SEC_ROOT_CHILD from the sorted tokens. */
static bool build_trie(build *b) {
    const uint32_t *order = b->sec[SEC_ORDER].p;
    uint32_t n_order = (uint32_t)b->sec[SEC_ORDER].n, len;
    size_t n_nodes = 1;
    for (uint32_t k = 0; k < n_order; k++) {
        token(b, order[k], &len);
        n_nodes += len - (k ? common_prefix(b, order[k - 1], order[k]) : 0);
    }
    arti_node *node = vec_zero(b, SEC_NODE, n_nodes + 1);
    uint32_t *root_child = vec_zero(b, SEC_ROOT_CHILD, 256);
    size_t stack_size = ((size_t)b->token_len_max + 1) * sizeof(uint32_t);
    uint32_t *open = arti_realloc(b->mem, NULL, 0, stack_size); /* node of each depth on the current path */
    if (!node || !root_child || !open) {
        arti_free(b->mem, open, stack_size);
        return false;
    }
    uint32_t n = 1, depth = 0;
    open[0] = 0;
    for (uint32_t k = 0; k < n_order; k++) {
        const uint8_t *p = token(b, order[k], &len);
        uint32_t keep = k ? common_prefix(b, order[k - 1], order[k]) : 0;
        for (; depth > keep; depth--) node[open[depth]].next = n;
        while (depth < len) {
            uint8_t byte = p[depth++];
            if (depth == 1) root_child[byte] = n;
            node[n] = (arti_node){.tok = k, .depth = (uint16_t)depth, .byte = byte};
            open[depth] = n++;
        }
    }
    for (; depth > 0; depth--) node[open[depth]].next = n;
    node[0].next = n;
    node[n] = (arti_node){.next = n, .tok = n_order};
    arti_free(b->mem, open, stack_size);
    return true;
}

static inline bool stays_in_string(uint8_t byte) {
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* below: by depth, of the nodes behind the one that is looked at whose parents are still to come. */
static bool build_heights(build *b) {
    arti_node *node = b->sec[SEC_NODE].p;
    const size_t depths = (size_t)b->token_len_max + 2;
    uint8_t *below = arti_calloc(b->mem, depths);
    if (!below) return false;
    for (size_t i = b->sec[SEC_NODE].n - 1; i-- > 0;) {
        const uint32_t d = node[i].depth;
        node[i].height = below[d + 1];
        below[d + 1] = 0;
        if (!stays_in_string(node[i].byte)) continue;
        const uint8_t here = (uint8_t)(node[i].height + (node[i].height < UINT8_MAX));
        if (below[d] < here) below[d] = here;
    }
    arti_free(b->mem, below, depths);
    return true;
}

static uint32_t count_kids(const arti_node *node, uint32_t parent) {
    uint32_t n = 0;
    for (uint32_t k = parent + 1; k < node[parent].next; k = node[k].next) n++;
    return n;
}

static bool build_kids(build *b) {
    const arti_node *node = b->sec[SEC_NODE].p;
    const uint32_t n_nodes = (uint32_t)b->sec[SEC_NODE].n - 1, n_words = n_nodes / 64 + 1;
    uint64_t *mark = vec_zero(b, SEC_KID_MARK, n_words);
    uint32_t *rank = vec_zero(b, SEC_KID_RANK, n_words), n_lists = 0, n_kids = 0, list = 0, at = 0;
    if (!mark || !rank) return false;
    for (uint32_t i = 0; i < n_nodes;) {
        if (node[i].next - i <= ARTI_KIDS_NEAR) {
            i = node[i].next;
            continue;
        }
        const uint32_t n = count_kids(node, i);
        if (n >= ARTI_KIDS_MIN) {
            mark[i / 64] |= (uint64_t)1 << (i % 64);
            n_kids += n;
        }
        i++;
    }
    for (uint32_t w = 0; w < n_words; w++) {
        rank[w] = n_lists;
        n_lists += arti_bits_count64(mark[w]);
    }
    uint32_t *first = vec_zero(b, SEC_KID_FIRST, n_lists + 1u), *kid = vec_zero(b, SEC_KID_NODE, n_kids);
    uint8_t *byte = vec_zero(b, SEC_KID_BYTE, n_kids);
    if (!first || !kid || !byte) return false;
    for (uint32_t w = 0; w < n_words; w++) {
        for (uint64_t bits = mark[w]; bits; bits &= bits - 1) {
            const uint32_t parent = w * 64 + arti_bits_lowest64(bits);
            first[list++] = at;
            for (uint32_t k = parent + 1; k < node[parent].next; k = node[k].next, at++)
                byte[at] = node[k].byte, kid[at] = k;
        }
    }
    first[n_lists] = at;
    return true;
}

/* Fills SEC_BELOW: first what each node itself adds, then the unions from the leaves up. */
static bool build_below(build *b) {
    const arti_node *node = b->sec[SEC_NODE].p;
    size_t n_nodes = b->sec[SEC_NODE].n - 1, depths = (size_t)b->token_len_max + 2;
    uint64_t *below = vec_zero(b, SEC_BELOW, n_nodes), *acc = arti_calloc(b->mem, depths * sizeof *acc);
    struct path { /* per depth */
        uint32_t cp;
        uint8_t u8;
    } *path = arti_calloc(b->mem, depths * sizeof *path);
    bool ok = below && acc && path;
    if (ok) {
        for (size_t i = 1; i < n_nodes; i++) {
            uint32_t d = node[i].depth;
            uint8_t byte = node[i].byte, from = path[d - 1].u8, u8 = arti_u8_next(from, byte);
            uint32_t cp = from == ARTI_U8_0 ? (byte < 0x80u   ? byte
                                               : byte < 0xE0u ? byte & 0x1Fu
                                               : byte < 0xF0u ? byte & 0x0Fu
                                                              : byte & 0x07u)
                                            : path[d - 1].cp << 6 | (byte & 0x3Fu);
            path[d].u8 = u8;
            path[d].cp = cp;
            bool ends = node[i + 1].tok > node[i].tok;
            below[i] = u8 == ARTI_U8_0 ? atom_bit(cp) : u8 == ARTI_U8_BAD || ends ? ARTI_ATOM_PARTIAL : 0;
        }
        for (size_t i = n_nodes; i-- > 1;) {
            uint32_t d = node[i].depth;
            uint64_t own = below[i];
            below[i] = acc[d + 1];
            acc[d] |= own | acc[d + 1];
            acc[d + 1] = 0;
        }
        below[0] = acc[1];
    }
    arti_free(b->mem, acc, depths * sizeof *acc);
    arti_free(b->mem, path, depths * sizeof *path);
    return ok;
}

typedef enum token_class { CLASS_STAY, CLASS_LEAVE, CLASS_ESCAPE, CLASS_OTHER } token_class;

typedef struct token_info {
    token_class is;
    uint8_t u8;            /* state at the end (stay) */
    uint32_t n_cp, n_byte; /* up to the end, quote or backslash */
    uint32_t first;        /* atom of the first character, */
    uint64_t rest;         /* set of those of the others */
} token_info;

/* What a token does in a string in the given state. */
static token_info classify(const uint8_t *p, uint32_t len, uint8_t u8) {
    token_info t = {.is = CLASS_STAY};
    uint32_t cp = 0, i = 0;
    for (; i < len; i++) {
        uint8_t c = p[i];
        if (u8 == ARTI_U8_0) {
            if (c == '"' || c == '\\') {
                t.is = c == '"' ? CLASS_LEAVE : CLASS_ESCAPE;
                break;
            }
            if (c < 0x20u) {
                t.is = CLASS_OTHER;
                break;
            }
            t.n_cp++;
            cp = c < 0x80u ? c : c < 0xE0u ? c & 0x1Fu : c < 0xF0u ? c & 0x0Fu : c & 0x07u;
        } else {
            cp = cp << 6 | (c & 0x3Fu);
        }
        u8 = arti_u8_next(u8, c);
        if (u8 == ARTI_U8_BAD) {
            t.is = CLASS_OTHER;
            break;
        }
        if (u8 != ARTI_U8_0) continue;
        if (t.n_cp > 1)
            t.rest |= atom_bit(cp);
        else
            t.first = bit_of(cp);
    }
    t.n_byte = i;
    t.u8 = u8;
    if (t.is == CLASS_STAY && u8 != ARTI_U8_0) {
        if (t.n_cp > 1)
            t.rest |= ARTI_ATOM_PARTIAL;
        else
            t.first = ARTI_N_ATOMS;
    }
    return t;
}

static int compare_leave(const build *b, const leave_key *x, const leave_key *y) {
    int c = memcmp(b->bytes + x->suffix, b->bytes + y->suffix, x->len < y->len ? x->len : y->len);
    if (c == 0) c = (x->len > y->len) - (x->len < y->len);
    return c ? c : (x->leave.n_cp > y->leave.n_cp) - (x->leave.n_cp < y->leave.n_cp);
}

static void sort_leave(const build *b, leave_key *k, leave_key *temp, size_t n) { /* stable merge sort */
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            size_t mid = n - from < width ? n : from + width, end = n - from < 2 * width ? n : from + 2 * width;
            size_t i = from, j = mid, o = from;
            while (i < mid && j < end) temp[o++] = compare_leave(b, &k[i], &k[j]) <= 0 ? k[i++] : k[j++];
            while (i < mid) temp[o++] = k[i++];
            while (j < end) temp[o++] = k[j++];
        }
        memcpy(k, temp, n * sizeof *k);
    }
}

/* Moves collected leave tokens of one state into SEC_LEAVE and SEC_SUFFIXES. */
static bool add_suffixes(build *b, leave_key *key, size_t n, arti_u8_sets *set) {
    set->suffix = (uint32_t)b->sec[SEC_SUFFIXES].n;
    set->n_suffix = 0;
    if (n == 0) return true;
    leave_key *temp = arti_realloc(b->mem, NULL, 0, n * sizeof *temp);
    if (!temp) return false;
    sort_leave(b, key, temp, n);
    arti_free(b->mem, temp, n * sizeof *temp);
    for (size_t i = 0; i < n; i++) {
        bool fresh = i == 0 || key[i].len != key[i - 1].len ||
                     memcmp(b->bytes + key[i].suffix, b->bytes + key[i - 1].suffix, key[i].len) != 0;
        if (fresh) {
            arti_suffix *s = vec_add(b, SEC_SUFFIXES, 1);
            if (!s) return false;
            *s = (arti_suffix){(uint32_t)b->sec[SEC_LEAVE].n, 0, key[i].suffix, key[i].len};
            set->n_suffix++;
        }
        arti_leave *l = vec_add(b, SEC_LEAVE, 1);
        if (!l) return false;
        *l = key[i].leave;
        ((arti_suffix *)b->sec[SEC_SUFFIXES].p)[b->sec[SEC_SUFFIXES].n - 1].n++;
    }
    return true;
}

/* Fills SEC_HEADS from the tokens that leave from ARTI_U8_0: leave[first .. first + n), in any order. */
static bool build_heads(build *b, size_t first, size_t n) {
    if (n == 0) return true;
    arti_leave *leave = (arti_leave *)b->sec[SEC_LEAVE].p + first;
    const size_t size = n * sizeof(leave_key);
    leave_key *key = arti_realloc(b->mem, NULL, 0, size), *temp = arti_realloc(b->mem, NULL, 0, size);
    bool ok = key && temp;
    if (ok) { /* sorted like suffixes: what is compared is the head, and token stands for the place in leave */
        for (size_t i = 0; i < n; i++) {
            key[i] = (leave_key){leave[i], b->offsets[leave[i].token], leave[i].n_byte};
            key[i].leave.token = (uint32_t)i;
        }
        sort_leave(b, key, temp, n);
    }
    for (size_t i = 0; ok && i < n; i++) {
        const bool fresh = i == 0 || key[i].len != key[i - 1].len ||
                           memcmp(b->bytes + key[i].suffix, b->bytes + key[i - 1].suffix, key[i].len) != 0;
        arti_head *h = fresh ? vec_add(b, SEC_HEADS, 1) : NULL;
        ok = h || !fresh;
        if (h) *h = (arti_head){key[i].suffix, (uint16_t)key[i].len, key[i].leave.n_cp};
        leave[key[i].leave.token].head = (uint32_t)b->sec[SEC_HEADS].n - 1;
    }
    arti_free(b->mem, key, size);
    arti_free(b->mem, temp, size);
    return ok;
}

typedef struct stay_key {
    uint32_t id;
    uint16_t cps, first; /* first: atom */
    uint64_t rest;
} stay_key;

/* Stable counting sort by code points. */
static bool sort_by_cps(build *b, stay_key **keys, size_t n, size_t size) {
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++)
        if ((*keys)[i].cps > max) max = (*keys)[i].cps;
    size_t count_size = ((size_t)max + 2) * sizeof(uint32_t);
    uint32_t *count = arti_calloc(b->mem, count_size);
    stay_key *out = arti_realloc(b->mem, NULL, 0, size);
    if (!count || !out) {
        arti_free(b->mem, count, count_size);
        arti_free(b->mem, out, size);
        return false;
    }
    for (size_t i = 0; i < n; i++) count[(*keys)[i].cps + 1]++;
    for (uint32_t i = 0; i <= max; i++) count[i + 1] += count[i];
    for (size_t i = 0; i < n; i++) out[count[(*keys)[i].cps]++] = (*keys)[i];
    arti_free(b->mem, count, count_size);
    arti_free(b->mem, *keys, size);
    *keys = out;
    return true;
}

static inline size_t hash_group(const stay_key *k, size_t mask) {
    return (size_t)(mix(0x5bd1e995u + k->first, k->rest) >> 20) & mask;
}

/* Finds the groups of the tokens: temp[i] is the one of token i, numbered as they are met. */
static bool find_groups(build *b, const stay_key *key, size_t n, uint32_t *table, size_t slots) {
    for (size_t i = 0; i < n; i++) {
        size_t h = hash_group(&key[i], slots - 1);
        const arti_group *g = b->sec[SEC_GROUPS].p;
        while (table[h] && (g[table[h] - 1].rest != key[i].rest || g[table[h] - 1].atom != key[i].first))
            h = (h + 1) & (slots - 1);
        if (!table[h]) {
            arti_group *fresh = vec_add(b, SEC_GROUPS, 1);
            if (!fresh) return false;
            *fresh = (arti_group){.rest = key[i].rest, .atom = key[i].first, .row = -1};
            table[h] = (uint32_t)b->sec[SEC_GROUPS].n;
        }
        arti_group *mine = (arti_group *)b->sec[SEC_GROUPS].p + (table[h] - 1);
        mine->n++;
        mine->max_cp = key[i].cps;
        b->temp[i] = table[h] - 1;
    }
    return true;
}

/* Puts the groups into the order of their first atoms; number[i] is where group i went. */
static bool order_groups(build *b, uint32_t *number) {
    const size_t n = b->sec[SEC_GROUPS].n, size = n * sizeof(arti_group);
    uint32_t *of = vec_zero(b, SEC_GROUP_OF, ARTI_GROUP_ATOMS + 1);
    if (!of || n == 0) return of != NULL;
    arti_group *g = b->sec[SEC_GROUPS].p, *old = arti_realloc(b->mem, NULL, 0, size);
    if (!old) return false;
    memcpy(old, g, size);
    uint32_t at[ARTI_GROUP_ATOMS];
    for (size_t i = 0; i < n; i++) of[old[i].atom + 1u]++;
    for (uint32_t a = 0; a < ARTI_GROUP_ATOMS; a++) {
        of[a + 1] += of[a];
        at[a] = of[a];
    }
    for (size_t i = 0; i < n; i++) {
        number[i] = at[old[i].atom]++;
        g[number[i]] = old[i];
    }
    arti_free(b->mem, old, size);
    return true;
}

/* Lays out the tokens of the groups, which have been counted. */
static bool fill_groups(build *b, const stay_key *key, size_t n, const uint32_t *number) {
    arti_group *g = b->sec[SEC_GROUPS].p;
    size_t n_groups = b->sec[SEC_GROUPS].n, n_dense = 0;
    uint32_t *ids = vec_zero(b, SEC_GROUP_IDS, n);
    uint16_t *cps = vec_zero(b, SEC_GROUP_CPS, n);
    if (!ids || !cps) return false;
    uint32_t at = 0;
    for (size_t k = 0; k < n_groups; k++) {
        g[k].first = at;
        at += g[k].n;
        if (g[k].n >= 64 && g[k].n >= b->n_words / 8) g[k].row = (int32_t)n_dense++;
        g[k].n = 0;
    }
    uint32_t *rows = vec_zero(b, SEC_DENSE_ROWS, n_dense * b->n_words);
    if (!rows) return false;
    for (size_t i = 0; i < n; i++) {
        arti_group *mine = &g[number[b->temp[i]]];
        ids[mine->first + mine->n] = key[i].id;
        cps[mine->first + mine->n] = key[i].cps;
        mine->n++;
        if (mine->row >= 0) arti_bits_set(rows + (size_t)mine->row * b->n_words, key[i].id);
    }
    return true;
}

/* Groups the stay tokens (ascending by code points) by their atoms. */
static bool build_groups(build *b, const stay_key *key, size_t n) {
    size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    const size_t table_size = slots * sizeof(uint32_t), number_size = (n + 1) * sizeof(uint32_t);
    uint32_t *table = arti_calloc(b->mem, table_size); /* group index + 1 */
    uint32_t *number = arti_realloc(b->mem, NULL, 0, number_size);
    const bool ok = table && number && find_groups(b, key, n, table, slots) && order_groups(b, number) &&
                    fill_groups(b, key, n, number);
    arti_free(b->mem, table, table_size);
    arti_free(b->mem, number, number_size);
    return ok;
}

/* Rows, long tokens and groups from the stay tokens of ARTI_U8_0. */
static bool build_stay(build *b, const stay_key *key, size_t n, arti_u8_sets *set) {
    uint32_t *rows = vec_zero(b, SEC_STAY_ROWS, (size_t)ARTI_STAY_ROWS * b->n_words);
    if (!rows) return false;
    size_t i = 0;
    for (uint32_t k = 0; k < ARTI_STAY_ROWS; k++) {
        uint32_t *row = rows + (size_t)k * b->n_words;
        if (k) arti_bits_copy(row, row - b->n_words, b->n_words);
        for (; i < n && (key[i].cps <= k || k == ARTI_STAY_ROWS - 1); i++) {
            arti_bits_set(row, key[i].id);
            if (k < ARTI_STAY_ROWS - 1) continue;
            uint32_t *id = vec_add(b, SEC_STAY_IDS, 1);
            uint16_t *cps = vec_add(b, SEC_STAY_CPS, 1);
            if (!id || !cps) return false;
            *id = key[i].id;
            *cps = (uint16_t)key[i].cps;
            set->n_stay++;
        }
    }
    b->stay_cp_max = n ? key[n - 1].cps : 0;
    return true;
}

typedef struct collected { /* of one string state */
    stay_key *stay;
    leave_key *leave;
    size_t n_stay, n_leave, cap_stay, cap_leave;
} collected;

static bool add_token(build *b, collected *c, uint32_t id, uint8_t state, arti_u8_sets *set) {
    uint32_t len;
    const uint8_t *p = token(b, id, &len);
    token_info t = classify(p, len, state);
    switch (t.is) {
    case CLASS_STAY:
        if (!arti_vec_reserve(b->mem, (void **)&c->stay, &c->cap_stay, c->n_stay + 1, sizeof *c->stay)) return false;
        c->stay[c->n_stay++] =
            (stay_key){.id = id, .cps = (uint16_t)t.n_cp, .first = (uint16_t)t.first, .rest = t.rest};
        return true;
    case CLASS_LEAVE:
        if (!arti_vec_reserve(b->mem, (void **)&c->leave, &c->cap_leave, c->n_leave + 1, sizeof *c->leave))
            return false;
        c->leave[c->n_leave++] = (leave_key){{.token = id, .n_cp = (uint16_t)t.n_cp, .n_byte = (uint16_t)t.n_byte},
                                             b->offsets[id] + t.n_byte + 1,
                                             len - t.n_byte - 1};
        return true;
    case CLASS_ESCAPE: {
        uint32_t *e = vec_add(b, SEC_ESCAPE_IDS, 1);
        if (!e) return false;
        *e = id;
        set->n_escape++;
        return true;
    }
    default: return true;
    }
}

static bool finish_state(build *b, collected *c, uint8_t state, arti_u8_sets *set) {
    if (!sort_by_cps(b, &c->stay, c->n_stay, c->cap_stay * sizeof *c->stay)) return false;
    set->stay = (uint32_t)b->sec[SEC_STAY_IDS].n;
    if (state == ARTI_U8_0) {
        if (!build_stay(b, c->stay, c->n_stay, set)) return false;
        if (!build_groups(b, c->stay, c->n_stay)) return false;
    } else {
        for (size_t i = 0; i < c->n_stay; i++) {
            uint32_t *id = vec_add(b, SEC_STAY_IDS, 1);
            uint16_t *cps = vec_add(b, SEC_STAY_CPS, 1);
            if (!id || !cps) return false;
            *id = c->stay[i].id;
            *cps = (uint16_t)c->stay[i].cps;
            set->n_stay++;
        }
    }
    const size_t n_leave = b->sec[SEC_LEAVE].n;
    return add_suffixes(b, c->leave, c->n_leave, set) &&
           (state != ARTI_U8_0 || build_heads(b, n_leave, b->sec[SEC_LEAVE].n - n_leave));
}

/* ------------------------------------------------------------------ escapes */

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

typedef enum escape_end { ESCAPE_DONE, ESCAPE_CUT, ESCAPE_BAD } escape_end;

/* Up to four digits of a code unit between lo and hi, from p[*at] on; past them when it is whole. */
static escape_end read_unit(const uint8_t *p, uint32_t len, uint32_t *at, uint32_t lo, uint32_t hi, uint32_t *unit) {
    *unit = 0;
    for (uint32_t k = 0; k < 4; k++, ++*at) {
        if (*at == len) return ESCAPE_CUT;
        const int d = hex_digit(p[*at]);
        if (d < 0) return ESCAPE_BAD;
        *unit = *unit << 4 | (uint32_t)d;
        const uint32_t shift = 4 * (3 - k), first = *unit << shift, last = first | ((1u << shift) - 1);
        if (last < lo || first > hi) return ESCAPE_BAD;
    }
    return ESCAPE_DONE;
}

/* The escape at p[*at], a backslash: its character, and past it. Surrogates come in pairs only. */
static escape_end read_escape(const uint8_t *p, uint32_t len, uint32_t *at, uint32_t *cp) {
    static const char letters[] = "\"\\/bfnrt";
    static const uint8_t meant[] = {'"', '\\', '/', 8, 12, 10, 13, 9};
    uint32_t i = *at + 1, low;
    if (i == len) return ESCAPE_CUT;
    const char *k = p[i] ? strchr(letters, p[i]) : NULL;
    if (k) {
        *cp = meant[k - letters];
        *at = i + 1;
        return ESCAPE_DONE;
    }
    if (p[i++] != 'u') return ESCAPE_BAD;
    escape_end end = read_unit(p, len, &i, 0, 0xFFFF, cp);
    const uint32_t digits = *at + 2;
    if (i > digits + 1 && hex_digit(p[digits]) == 0xD && hex_digit(p[digits + 1]) >= 0xC) return ESCAPE_BAD;
    if (end != ESCAPE_DONE) return end;
    if (*cp >= 0xD800 && *cp <= 0xDBFF) {
        if (i == len) return ESCAPE_CUT;
        if (p[i++] != '\\') return ESCAPE_BAD;
        if (i == len) return ESCAPE_CUT;
        if (p[i++] != 'u') return ESCAPE_BAD;
        end = read_unit(p, len, &i, 0xDC00, 0xDFFF, &low);
        if (end != ESCAPE_DONE) return end;
        *cp = 0x10000 + ((*cp - 0xD800) << 10) + (low - 0xDC00);
    }
    *at = i;
    return ESCAPE_DONE;
}

/* Adds what a token with an escape says, if it leaves or stays as asked; nothing when no string admits it. */
static bool add_escape(build *b, uint32_t id, bool leaving) {
    uint8_t text[ART_TOKEN_LEN_MAX], u8 = ARTI_U8_0;
    uint32_t len, n = 0, i = 0;
    const uint8_t *p = token(b, id, &len);
    arti_escaped e = {.token = id, .tail = (uint16_t)len, .kind = ARTI_ESCAPED_STAYS};
    while (i < len) {
        if (u8 != ARTI_U8_0 || (p[i] != '\\' && p[i] != '"')) {
            if (u8 == ARTI_U8_0 && p[i] < 0x20u) return true;
            if (u8 == ARTI_U8_0) e.n_cp++;
            u8 = arti_u8_next(u8, p[i]);
            if (u8 == ARTI_U8_BAD) return true;
            text[n++] = p[i++];
        } else if (p[i] == '"') {
            e.kind = ARTI_ESCAPED_LEAVES;
            e.tail = (uint16_t)(i + 1);
            break;
        } else {
            uint32_t cp;
            const escape_end end = read_escape(p, len, &i, &cp);
            if (end == ESCAPE_BAD) return true;
            if (end == ESCAPE_CUT) {
                e.kind = ARTI_ESCAPED_CUT;
                e.tail = (uint16_t)i;
                break;
            }
            n += (uint32_t)arti_u8_put(text + n, cp); /* no longer than the escape */
            e.n_cp++;
        }
    }
    if ((e.kind == ARTI_ESCAPED_LEAVES) != leaving) return true;
    e.text = (uint32_t)b->sec[SEC_ESCAPE_TEXT].n;
    e.len = (uint16_t)n;
    arti_escaped *at = vec_add(b, SEC_ESCAPES, 1);
    uint8_t *bytes = n ? vec_add(b, SEC_ESCAPE_TEXT, n) : text;
    if (!at || !bytes) return false;
    *at = e;
    if (n) memcpy(bytes, text, n);
    return true;
}

static bool build_escapes(build *b) {
    const arti_u8_sets *set = b->sec[SEC_U8].p;
    for (int leaving = 0; leaving < 2; leaving++)
        for (uint32_t i = 0; i < set->n_escape; i++)
            if (!add_escape(b, ((const uint32_t *)b->sec[SEC_ESCAPE_IDS].p)[set->escape + i], leaving)) return false;
    return true;
}

/* ------------------------------------------------------------------ the whole */

/* Fills everything that is about strings. */
static bool build_strings(build *b) {
    const uint32_t *order = b->sec[SEC_ORDER].p;
    size_t n_order = b->sec[SEC_ORDER].n;
    arti_u8_sets *sets = vec_zero(b, SEC_U8, ARTI_U8_STATES);
    if (!sets) return false;
    size_t from = 0, end = n_order; /* tokens that begin with 80..BF: all that another state than ARTI_U8_0 can take */
    while (from < n_order && b->bytes[b->offsets[order[from]]] < 0x80u) from++;
    for (end = from; end < n_order && b->bytes[b->offsets[order[end]]] < 0xC0u; end++) {
    }
    bool ok = true;
    for (uint8_t state = 0; state < ARTI_U8_STATES && ok; state++) {
        collected c = {0};
        arti_u8_sets *set = &sets[state];
        set->escape = (uint32_t)b->sec[SEC_ESCAPE_IDS].n;
        size_t i = state == ARTI_U8_0 ? 0 : from, stop = state == ARTI_U8_0 ? n_order : end;
        if (!arti_vec_reserve(b->mem, (void **)&c.stay, &c.cap_stay, stop - i + 1, sizeof *c.stay)) ok = false;
        for (; i < stop && ok; i++) ok = add_token(b, &c, order[i], state, set);
        ok = ok && finish_state(b, &c, state, set);
        arti_free(b->mem, c.stay, c.cap_stay * sizeof *c.stay);
        arti_free(b->mem, c.leave, c.cap_leave * sizeof *c.leave);
    }
    return ok && build_escapes(b);
}

static bool only_space(const uint8_t *p, uint32_t len) {
    for (uint32_t i = 0; i < len; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\n' && p[i] != '\r') return false;
    return true;
}

static bool only_digits(const uint8_t *p, uint32_t len) {
    for (uint32_t i = 0; i < len; i++)
        if (p[i] < '0' || p[i] > '9') return false;
    return true;
}

static void build_small_rows(build *b, uint32_t *rows) {
    const uint32_t *order = b->sec[SEC_ORDER].p;
    for (size_t i = 0; i < b->sec[SEC_ORDER].n; i++) {
        uint32_t len;
        const uint8_t *p = token(b, order[i], &len);
        arti_bits_set(rows + (size_t)ROW_TEXT * b->n_words, order[i]);
        if (only_space(p, len)) arti_bits_set(rows + (size_t)ROW_SPACE * b->n_words, order[i]);
        if (only_digits(p, len)) arti_bits_set(rows + (size_t)ROW_DIGIT * b->n_words, order[i]);
    }
    uint32_t *free_row = rows + (size_t)ROW_FREE * b->n_words;
    const uint32_t *stay = b->sec[SEC_STAY_ROWS].p;
    arti_bits_copy(free_row, stay + (size_t)(ARTI_STAY_ROWS - 1u) * b->n_words, b->n_words);
    for (size_t i = 0; i < b->sec[SEC_ESCAPES].n; i++) {
        const arti_escaped *e = (const arti_escaped *)b->sec[SEC_ESCAPES].p + i;
        if (e->kind != ARTI_ESCAPED_LEAVES) arti_bits_set(free_row, e->token);
    }
}

static bool build_all(build *b, const uint32_t *eos, uint32_t n_eos) {
    uint32_t *rows = vec_zero(b, SEC_SMALL_ROWS, (size_t)SMALL_ROWS * b->n_words);
    uint8_t *bytes = vec_zero(b, SEC_BYTES, b->offsets[b->n_tokens] - b->offsets[0]);
    uint32_t *offsets = vec_zero(b, SEC_OFFSETS, (size_t)b->n_tokens + 1);
    if (!rows || !bytes || !offsets) return false;
    if (b->sec[SEC_BYTES].n) memcpy(bytes, b->bytes + b->offsets[0], b->sec[SEC_BYTES].n);
    for (uint32_t i = 0; i <= b->n_tokens; i++) offsets[i] = b->offsets[i] - b->offsets[0];
    b->bytes = bytes;
    b->offsets = offsets;
    uint32_t *eos_row = rows + (size_t)ROW_EOS * b->n_words;
    arti_bits_set_ids(eos_row, eos, n_eos);
    for (uint32_t id = 0; id < b->n_tokens && n_eos; id++) {
        if (!arti_bits_test(eos_row, id)) continue;
        uint32_t *e = vec_add(b, SEC_EOS, 1);
        if (!e) return false;
        *e = id;
    }
    if (!sort_tokens(b, eos_row) || !build_trie(b) || !build_heights(b) || !build_kids(b) || !build_below(b) ||
        !build_strings(b))
        return false;
    build_small_rows(b, rows);
    return true;
}

/* Lays the sections out behind each other. */
static arti_vocab_header *make_image(build *b, size_t *size) {
    size_t total = align_up(sizeof(arti_vocab_header));
    for (int i = 0; i < SEC_COUNT; i++) total = align_up(total + b->sec[i].n * item_size[i]);
    arti_vocab_header *h = arti_calloc(b->mem, total);
    if (!h) return NULL;
    memcpy(h->magic, image_magic, sizeof h->magic);
    h->version = IMAGE_VERSION;
    h->byte_order = IMAGE_BYTE_ORDER;
    h->size = total;
    h->n_tokens = b->n_tokens;
    h->token_len_max = b->token_len_max;
    h->stay_cp_max = b->stay_cp_max;
    size_t at = align_up(sizeof *h);
    for (int i = 0; i < SEC_COUNT; i++) {
        h->sec[i].at = at;
        h->sec[i].n = b->sec[i].n;
        if (b->sec[i].n) memcpy((uint8_t *)h + at, b->sec[i].p, b->sec[i].n * item_size[i]);
        at = align_up(at + b->sec[i].n * item_size[i]);
    }
    *size = total;
    return h;
}

static art_status check_input(const uint8_t *bytes, const uint32_t *offsets, uint32_t n_tokens, const uint32_t *eos_ids,
                              uint32_t n_eos, uint32_t *len_max, art_error *err) {
    if (!offsets || n_tokens == 0) return arti_fail(err, ART_E_ARG, 0, "a vocabulary needs at least one token");
    if (n_tokens > ART_VOCAB_TOKENS_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "more than %u tokens", ART_VOCAB_TOKENS_MAX);
    *len_max = 0;
    for (uint32_t i = 0; i < n_tokens; i++) {
        if (offsets[i + 1] < offsets[i]) return arti_fail(err, ART_E_ARG, 0, "offsets go down at token %u", i);
        uint32_t len = offsets[i + 1] - offsets[i];
        if (len > ART_TOKEN_LEN_MAX)
            return arti_fail(err, ART_E_LIMIT, 0, "token %u is longer than %u bytes", i, ART_TOKEN_LEN_MAX);
        if (len > *len_max) *len_max = len;
    }
    if (offsets[n_tokens] - offsets[0] > ARTI_VOCAB_BYTES_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "tokens of more than %zu bytes in all", ARTI_VOCAB_BYTES_MAX);
    if (offsets[n_tokens] > offsets[0] && !bytes) return arti_fail(err, ART_E_ARG, 0, "bytes is NULL");
    for (uint32_t i = 0; i < n_eos; i++)
        if (!eos_ids || eos_ids[i] >= n_tokens)
            return arti_fail(err, ART_E_ARG, 0, "end-of-sequence id number %u is not a token", i);
    return ART_OK;
}

static art_vocab *new_handle(const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_vocab *v = arti_calloc(&mem, sizeof *v);
    if (!v) return NULL;
    v->mem = mem;
    atomic_init(&v->refs, 1u);
    return v;
}

static void free_handle(art_vocab *v) {
    arti_mem mem = v->mem;
    arti_lex_free(v->lex);
    arti_bases_free(v->bases);
    arti_rows_free(v->rows);
    if (v->is_mapped)
        munmap(v->image, v->image_size);
    else
        arti_free(&mem, v->image, v->image_size);
    arti_free(&mem, v, sizeof *v);
}

/* What is no part of the image. */
static bool add_tables(art_vocab *v, const art_alloc *alloc) {
    v->lex = arti_lex_new(v, alloc);
    v->bases = v->lex ? arti_bases_new(v, alloc) : NULL;
    v->rows = v->bases ? arti_rows_new(v->n_words, arti_vocab_end_words(v), alloc) : NULL;
    return v->rows != NULL;
}

art_status art_vocab_new(const uint8_t *bytes, const uint32_t *offsets, uint32_t n_tokens, const uint32_t *eos_ids,
                         uint32_t n_eos, const art_alloc *alloc, art_vocab **out, art_error *err) {
    *out = NULL;
    build b = {.err = err, .bytes = bytes, .offsets = offsets, .n_tokens = n_tokens};
    art_status s = check_input(bytes, offsets, n_tokens, eos_ids, n_eos, &b.token_len_max, err);
    if (s != ART_OK) return s;
    art_vocab *v = new_handle(alloc);
    if (!v) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    b.mem = &v->mem;
    b.n_words = (uint32_t)arti_bits_words(n_tokens);
    size_t temp_size = (size_t)n_tokens * sizeof *b.temp;
    b.temp = arti_realloc(b.mem, NULL, 0, temp_size);
    if (b.temp && build_all(&b, eos_ids, n_eos)) v->image = make_image(&b, &v->image_size);
    for (int i = 0; i < SEC_COUNT; i++) arti_free(b.mem, b.sec[i].p, b.sec[i].cap * item_size[i]);
    arti_free(b.mem, b.temp, temp_size);
    if (v->image) bind_image(v);
    if (!v->image || !add_tables(v, alloc)) {
        free_handle(v);
        return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    }
    *out = v;
    return ART_OK;
}

/* ------------------------------------------------------------------ files */

/* The top bit is set if x > max, which is below 2^31. Compilers turn loops over this into vector code on any processor. */
static inline uint32_t over(uint32_t x, uint32_t max) {
    return x | (max - x);
}

static bool ids_good(const uint32_t *ids, uint64_t n, uint32_t n_tokens) {
    uint32_t bad = 0;
    for (uint64_t i = 0; i < n; i++) bad |= over(ids[i], n_tokens - 1);
    return !(bad >> 31);
}

static bool rows_good(const uint32_t *rows, uint64_t n_rows, const art_vocab *v) {
    uint32_t tail = v->n_tokens % 32;
    for (uint64_t i = 0; i < n_rows && tail; i++)
        if (rows[i * v->n_words + v->n_words - 1] >> tail) return false;
    return true;
}

static bool header_good(const arti_vocab_header *h, size_t size) {
    if (memcmp(h->magic, image_magic, sizeof h->magic) != 0 || h->version != IMAGE_VERSION ||
        h->byte_order != IMAGE_BYTE_ORDER || h->size != size)
        return false;
    if (h->n_tokens == 0 || h->n_tokens > ART_VOCAB_TOKENS_MAX || h->token_len_max > ART_TOKEN_LEN_MAX) return false;
    uint64_t end = align_up(sizeof *h);
    for (int i = 0; i < SEC_COUNT; i++) {
        if (h->sec[i].at != end || h->sec[i].n > (size - end) / item_size[i]) return false;
        end = align_up(end + h->sec[i].n * item_size[i]);
        if (end > size) return false;
    }
    uint64_t words = arti_bits_words(h->n_tokens), n_nodes = h->sec[SEC_NODE].n;
    return end == size && n_nodes >= 2 && n_nodes <= UINT32_MAX && h->sec[SEC_BYTES].n <= ARTI_VOCAB_BYTES_MAX &&
           h->sec[SEC_OFFSETS].n == (uint64_t)h->n_tokens + 1 && h->sec[SEC_BELOW].n == n_nodes - 1 &&
           h->sec[SEC_ORDER].n <= h->n_tokens && h->sec[SEC_ROOT_CHILD].n == 256 &&
           h->sec[SEC_KID_MARK].n == (n_nodes - 1) / 64 + 1 && h->sec[SEC_KID_RANK].n == h->sec[SEC_KID_MARK].n &&
           h->sec[SEC_KID_FIRST].n >= 1 && h->sec[SEC_KID_NODE].n == h->sec[SEC_KID_BYTE].n &&
           h->sec[SEC_STAY_ROWS].n == ARTI_STAY_ROWS * words && h->sec[SEC_U8].n == ARTI_U8_STATES &&
           h->sec[SEC_STAY_IDS].n == h->sec[SEC_STAY_CPS].n && h->sec[SEC_GROUP_IDS].n == h->sec[SEC_GROUP_CPS].n &&
           h->sec[SEC_GROUP_OF].n == ARTI_GROUP_ATOMS + 1u && h->sec[SEC_HEADS].n <= UINT32_MAX &&
           h->sec[SEC_ESCAPES].n <= UINT32_MAX && h->sec[SEC_GROUPS].n <= UINT32_MAX &&
           h->sec[SEC_DENSE_ROWS].n % words == 0 && h->sec[SEC_SMALL_ROWS].n == SMALL_ROWS * words;
}

typedef struct open_node { /* on the path to the node that is looked at */
    uint32_t next;
    uint32_t room; /* what children lie below, if they stay in a string; 256 is no limit */
} open_node;

/* Depths grow by one, tokens are in order, no height is less than what is found below its node, and every node's `next` is the first
 * later node that is not deeper. That one may not lie behind a node's next sibling, nor behind its parent's `next`, hence nowhere too far
 * behind; and as a node is in the subtree of each node on its path, the sizes of all subtrees add up to all depths, hence nowhere too near. */
static bool nodes_good(const art_vocab *v, open_node *open) {
    const arti_node *node = v->node;
    const uint32_t n = v->n_nodes, depth_max = v->token_len_max;
    if (node[0].depth != 0 || node[0].tok != 0 || node[0].next != n || node[n].tok != v->n_order) return false;
    uint16_t leaves[256]; /* 256: the byte leaves a string */
    for (uint32_t b = 0; b < 256; b++) leaves[b] = stays_in_string((uint8_t)b) ? 0 : 256;
    uint64_t sizes = 0, depths = 0;
    uint32_t depth = 0, tok = 0;
    open[0] = (open_node){n, node[0].height + (node[0].height == UINT8_MAX)};
    open[1].next = 1;
    for (uint32_t i = 1; i < n; i++) {
        const arti_node x = node[i];
        const uint32_t d = x.depth;
        if (d - 1u > depth || d > depth_max || x.tok < tok) return false;
        if (open[d].next != i || x.next > open[d - 1].next || x.height >= (open[d - 1].room | leaves[x.byte]))
            return false;
        open[d] = (open_node){x.next, x.height + (x.height == UINT8_MAX)};
        open[d + 1].next = i + 1; /* of a first child nothing comes before */
        sizes += x.next - (uint64_t)i;
        depths += d;
        depth = d;
        tok = x.tok;
    }
    return sizes == depths && tok <= v->n_order;
}

/* A list has all children of its node, in their order. */
static bool kids_good(const art_vocab *v, const arti_vocab_header *h) {
    const arti_node *node = v->node;
    const uint32_t n_words = v->n_nodes / 64 + 1;
    const uint64_t n_lists = h->sec[SEC_KID_FIRST].n - 1, n_kids = h->sec[SEC_KID_NODE].n;
    uint32_t list = 0, at = 0;
    if (v->kid_mark[n_words - 1] >> (v->n_nodes % 64)) return false;
    for (uint32_t w = 0; w < n_words; w++) {
        if (v->kid_rank[w] != list) return false;
        for (uint64_t bits = v->kid_mark[w]; bits; bits &= bits - 1, list++) {
            const uint32_t parent = w * 64 + arti_bits_lowest64(bits), end = node[parent].next;
            if (list == n_lists || v->kid_first[list] != at || v->kid_first[list + 1] <= at ||
                v->kid_first[list + 1] > n_kids)
                return false;
            uint32_t kid = v->kid_node[at];
            if (kid != parent + 1) return false;
            for (const uint32_t stop = v->kid_first[list + 1]; at < stop; at++) {
                const uint32_t next = at + 1 < stop ? v->kid_node[at + 1] : end;
                if (kid >= end || node[kid].next != next || node[kid].byte != v->kid_byte[at]) return false;
                kid = next;
            }
        }
    }
    return list == n_lists && v->kid_first[list] == n_kids;
}

static bool tokens_good(const art_vocab *v, uint64_t n_bytes) {
    const uint32_t *offsets = v->offsets, len_max = v->token_len_max, end = (uint32_t)n_bytes;
    uint32_t bad = 0;
    if (offsets[0] != 0 || offsets[v->n_tokens] != n_bytes) return false;
    for (uint32_t i = 0; i < v->n_tokens; i++)
        bad |= over(offsets[i], end) | over(offsets[i + 1] - offsets[i], len_max);
    return !(bad >> 31);
}

static bool strings_good(const art_vocab *v, const arti_vocab_header *h) {
    uint64_t n_stay = h->sec[SEC_STAY_IDS].n, n_escape = h->sec[SEC_ESCAPE_IDS].n, n_leave = h->sec[SEC_LEAVE].n;
    for (int i = 0; i < ARTI_U8_STATES; i++) {
        const arti_u8_sets *s = &v->u8[i];
        if ((uint64_t)s->stay + s->n_stay > n_stay || (uint64_t)s->suffix + s->n_suffix > v->n_suffixes ||
            (uint64_t)s->escape + s->n_escape > n_escape)
            return false;
    }
    for (uint32_t i = 0; i < v->n_suffixes; i++) {
        const arti_suffix *s = &v->suffixes[i];
        if (s->n == 0 || (uint64_t)s->first + s->n > n_leave || (uint64_t)s->bytes + s->len > h->sec[SEC_BYTES].n)
            return false;
    }
    for (uint64_t i = 0; i < n_leave; i++) {
        const arti_leave *l = &v->leave[i];
        if (l->token >= v->n_tokens || l->n_byte >= v->offsets[l->token + 1] - v->offsets[l->token]) return false;
    }
    const arti_u8_sets *whole = &v->u8[ARTI_U8_0];
    for (uint32_t i = whole->suffix; i < whole->suffix + whole->n_suffix; i++)
        for (uint32_t k = v->suffixes[i].first; k < v->suffixes[i].first + v->suffixes[i].n; k++)
            if (v->leave[k].head >= v->n_heads) return false;
    for (uint32_t i = 0; i < v->n_heads; i++)
        if ((uint64_t)v->heads[i].bytes + v->heads[i].len > h->sec[SEC_BYTES].n) return false;
    for (uint32_t i = 0; i < v->n_escapes; i++) {
        const arti_escaped *e = &v->escapes[i];
        if (e->token >= v->n_tokens || (uint64_t)e->text + e->len > h->sec[SEC_ESCAPE_TEXT].n ||
            e->tail > v->offsets[e->token + 1] - v->offsets[e->token] || e->kind > ARTI_ESCAPED_LEAVES ||
            (e->kind == ARTI_ESCAPED_LEAVES) != (i >= v->n_escapes_stay))
            return false;
    }
    return true;
}

/* Groups lie in the order of their first atoms, and their tokens have a first character, which is skipped where they are run. */
static bool groups_good(const art_vocab *v, const arti_vocab_header *h) {
    const uint64_t known = ((UINT64_C(1) << ARTI_N_ATOMS) - 1) | ARTI_ATOM_PARTIAL;
    if (!ids_good(v->group_ids, h->sec[SEC_GROUP_IDS].n, v->n_tokens)) return false;
    if (v->group_of[0] != 0 || v->group_of[ARTI_GROUP_ATOMS] != v->n_groups) return false;
    for (uint32_t a = 0, i = 0; a < ARTI_GROUP_ATOMS; a++) {
        if (v->group_of[a + 1] < i || v->group_of[a + 1] > v->n_groups) return false;
        for (; i < v->group_of[a + 1]; i++) {
            const arti_group *g = &v->groups[i];
            if (g->atom != a || g->rest & ~known) return false;
            if ((uint64_t)g->first + g->n > h->sec[SEC_GROUP_IDS].n || g->row < -1 || g->row >= (int32_t)v->n_dense)
                return false;
            for (uint32_t k = g->first; k < g->first + g->n; k++)
                if (v->offsets[v->group_ids[k]] == v->offsets[v->group_ids[k] + 1u]) return false;
        }
    }
    return true;
}

static bool content_good(const art_vocab *v, open_node *open) {
    const arti_vocab_header *h = v->image;
    if (!tokens_good(v, h->sec[SEC_BYTES].n) || !nodes_good(v, open) || !kids_good(v, h) || !strings_good(v, h) ||
        !groups_good(v, h))
        return false;
    for (uint32_t i = 0; i < 256; i++) {
        const uint32_t child = v->root_child[i];
        if (child >= v->n_nodes || (child && (v->node[child].depth != 1 || v->node[child].byte != i))) return false;
    }
    for (uint32_t i = 1; i < v->n_eos; i++)
        if (v->eos[i] <= v->eos[i - 1]) return false;
    uint32_t n = v->n_tokens;
    return ids_good(v->eos, v->n_eos, n) && ids_good(v->order, v->n_order, n) &&
           ids_good(v->stay_ids, h->sec[SEC_STAY_IDS].n, n) && ids_good(v->escape_ids, h->sec[SEC_ESCAPE_IDS].n, n) &&
           rows_good(v->stay_rows, ARTI_STAY_ROWS, v) && rows_good(v->dense_rows, v->n_dense, v) &&
           rows_good(v->space_row, SMALL_ROWS, v);
}

/* Points the fields of v into its image, a file's, and verifies all of it. */
static art_status take_image(art_vocab *v) {
    if (!header_good(v->image, v->image_size) || checksum(v->image, v->image_size) != v->image->checksum)
        return ART_E_FORMAT;
    bind_image(v);
    const size_t size = ((size_t)v->token_len_max + 2) * sizeof(open_node);
    open_node *open = arti_realloc(&v->mem, NULL, 0, size);
    if (!open) return ART_E_NOMEM;
    const bool good = content_good(v, open);
    arti_free(&v->mem, open, size);
    return good ? ART_OK : ART_E_FORMAT;
}

art_status art_vocab_open(const char *path, const art_alloc *alloc, art_vocab **out, art_error *err) {
    *out = NULL;
    art_vocab *v = new_handle(alloc);
    if (!v) return arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    art_status s = ART_OK;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        s = arti_fail(err, ART_E_IO, 0, "can not read %s: %s", path, strerror(errno));
    } else if (st.st_size < (off_t)sizeof(arti_vocab_header)) {
        s = arti_fail(err, ART_E_FORMAT, 0, "%s is no vocabulary file: too short", path);
    } else {
        size_t size = (size_t)st.st_size;
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            s = arti_fail(err, ART_E_IO, 0, "can not map %s: %s", path, strerror(errno));
        } else {
            v->image = p;
            v->image_size = size;
            v->is_mapped = true;
        }
    }
    if (fd >= 0) close(fd);
    if (s == ART_OK) {
        s = take_image(v);
        if (s == ART_E_FORMAT)
            arti_fail(err, s, 0, "%s is no vocabulary file of this version and machine, or is damaged", path);
        else if (s != ART_OK || !add_tables(v, alloc))
            s = arti_fail(err, ART_E_NOMEM, 0, "out of memory");
    }
    if (s != ART_OK) {
        free_handle(v);
        return s;
    }
    *out = v;
    return ART_OK;
}

/* Writes a new file beside the old one and puts it into its place, so that readers see either. */
art_status art_vocab_save(const art_vocab *v, const char *path, art_error *err) {
    char temp[4096];
    int n = snprintf(temp, sizeof temp, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temp)
        return arti_fail(err, ART_E_ARG, 0, "path of more than %zu bytes", sizeof temp);
    arti_vocab_header head = *v->image;
    head.checksum = checksum(v->image, v->image_size);
    FILE *f = fopen(temp, "wb");
    if (!f) return arti_fail(err, ART_E_IO, 0, "can not write %s: %s", temp, strerror(errno));
    bool ok = fwrite(&head, sizeof head, 1, f) == 1 &&
              fwrite((const uint8_t *)v->image + sizeof head, v->image_size - sizeof head, 1, f) == 1;
    ok = fclose(f) == 0 && ok;
    if (ok && rename(temp, path) == 0) return ART_OK;
    art_status s = arti_fail(err, ART_E_IO, 0, "can not write %s: %s", path, strerror(errno));
    unlink(temp);
    return s;
}

/* ------------------------------------------------------------------ handles */

art_vocab *arti_vocab_ref(art_vocab *v) {
    atomic_fetch_add_explicit(&v->refs, 1u, memory_order_relaxed);
    return v;
}

void art_vocab_free(art_vocab *v) {
    if (v && atomic_fetch_sub_explicit(&v->refs, 1u, memory_order_acq_rel) == 1) free_handle(v);
}

uint32_t art_vocab_size(const art_vocab *v) {
    return v->n_tokens;
}

size_t art_vocab_memory(const art_vocab *v) {
    return v->image_size + sizeof *v + arti_lex_memory(v->lex) + arti_bases_memory(v->bases) +
           arti_rows_memory(v->rows);
}

const uint8_t *art_vocab_token(const art_vocab *v, uint32_t id, size_t *len) {
    *len = 0;
    return id < v->n_tokens ? arti_vocab_bytes(v, id, len) : v->bytes;
}

void arti_vocab_copy_stay(const art_vocab *v, uint32_t room, uint32_t *words) {
    const uint32_t *row = arti_vocab_stay(v, room);
    if (row) {
        arti_bits_copy(words, row, v->n_words);
        return;
    }
    arti_bits_copy(words, v->stay_rows + (size_t)(ARTI_STAY_ROWS - 2u) * v->n_words, v->n_words);
    const arti_u8_sets *s = &v->u8[ARTI_U8_0];
    for (uint32_t i = s->stay; i < s->stay + s->n_stay && v->stay_cps[i] <= room; i++)
        arti_bits_set(words, v->stay_ids[i]);
}
