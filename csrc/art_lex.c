/* SPDX-License-Identifier: Apache-2.0
 *
 * Each trie is built as linked nodes by one pass over the vocabulary's trie with a small lexer beside it, then laid out depth first. */
#include "art_lex.h"

#include "art_bits.h"
#include "art_digest.h"

/* ------------------------------------------------------------------ the lexer */

typedef enum lex_mode {
    OUT_START, /* nothing but whitespace so far, at a place that is not known */
    OUT_VALUE, /* after a colon or a comma */
    OUT_ARRAY, /* after '[' */
    OUT_OBJECT,
    OUT_AFTER, /* after a value or a key */
    NUMBER,
    WORD,
    TEXT,
    ESCAPE,
    HEX
} lex_mode;

typedef struct lexer {
    uint8_t mode;
    uint8_t prev;     /* NUMBER: the byte before, 0 at the beginning of the token */
    uint8_t word, at; /* WORD; HEX: digits read */
    uint8_t u8;
    bool has_escape; /* in the first string */
    bool closed;     /* the first string */
    bool wants_space;
    uint8_t run;
    arti_lex_space space;
    uint32_t node;        /* of the trie that is built */
    uint32_t open;        /* node of the first opening quote, 0: none */
    uint32_t text;        /* offset of what follows it, within the token */
    uint32_t close, tail; /* node of its closing quote, 0: none; offset of what follows that */
} lexer;

static bool is_space(uint8_t b) {
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}
static bool is_digit(uint8_t b) {
    return b >= '0' && b <= '9';
}
static bool is_outside(uint8_t mode) {
    return mode <= OUT_AFTER;
}

/* Takes a byte within a number; false: the number can not go on with it. */
static bool number_byte(lexer *l, uint8_t b) {
    const uint8_t p = l->prev;
    bool ok;
    if (is_digit(b))
        ok = true;
    else if (b == '.' || b == 'e' || b == 'E')
        ok = p == 0 || is_digit(p);
    else
        ok = (b == '+' || b == '-') && (p == 0 || p == 'e' || p == 'E');
    if (ok) l->prev = b;
    return ok;
}

static const char *const words[] = {"false", "true", "null"};

/* A byte outside strings that is no whitespace. */
static bool outside_byte(lexer *l, uint8_t b) {
    const uint8_t from = l->mode;
    switch (b) {
    case '"': l->mode = TEXT, l->u8 = ARTI_U8_0; return from != OUT_AFTER;
    case '{': l->mode = OUT_OBJECT; return from != OUT_AFTER && from != OUT_OBJECT;
    case '[': l->mode = OUT_ARRAY; return from != OUT_AFTER && from != OUT_OBJECT;
    case '}': l->mode = OUT_AFTER; return from == OUT_START || from == OUT_AFTER || from == OUT_OBJECT;
    case ']': l->mode = OUT_AFTER; return from == OUT_START || from == OUT_AFTER || from == OUT_ARRAY;
    case ',':
    case ':': l->mode = OUT_VALUE; return from == OUT_START || from == OUT_AFTER;
    case 't':
    case 'f':
    case 'n':
        l->mode = WORD, l->word = b == 'f' ? 0 : b == 't' ? 1 : 2, l->at = 1;
        return from != OUT_AFTER && from != OUT_OBJECT;
    default: l->mode = NUMBER, l->prev = b; return (b == '-' || is_digit(b)) && from != OUT_AFTER && from != OUT_OBJECT;
    }
}

/* Takes a byte: false when no JSON text has it there. *folded: it is whitespace that the trie leaves out. */
static bool lex_step(lexer *l, uint8_t b, bool *folded) {
    *folded = false;
    switch (l->mode) {
    case ESCAPE:
        if (b == 'u') {
            l->mode = HEX, l->at = 0;
            return true;
        }
        l->mode = TEXT;
        return memchr("\"\\/bfnrt", b, 8) != NULL;
    case HEX:
        if (++l->at == 4) l->mode = TEXT;
        return is_digit(b) || ((b | 0x20u) >= 'a' && (b | 0x20u) <= 'f');
    case TEXT:
        if (l->u8 == ARTI_U8_0 && b == '"') {
            l->mode = OUT_AFTER;
            l->closed = true;
            return true;
        }
        if (l->u8 == ARTI_U8_0 && b == '\\') {
            l->mode = ESCAPE;
            l->has_escape |= !l->closed;
            return true;
        }
        l->u8 = b < 0x20 ? (uint8_t)ARTI_U8_BAD : arti_u8_next(l->u8, b);
        return l->u8 != ARTI_U8_BAD;
    case WORD:
        if ((uint8_t)words[l->word][l->at] != b) return false;
        if (!words[l->word][++l->at]) l->mode = OUT_AFTER;
        return true;
    case NUMBER:
        if (number_byte(l, b)) return true;
        if (!is_digit(l->prev)) return false;
        l->mode = OUT_AFTER;
        break;
    default: break;
    }
    if (is_space(b)) {
        *folded = true;
        if (l->mode == OUT_START) {
            if (l->space.lead < UINT8_MAX) l->space.lead++;
            l->space.is_spaced &= b == ' ';
        } else {
            if (l->run < UINT8_MAX) l->run++;
            if (l->run > l->space.run) l->space.run = l->run;
            l->space.is_spaced &= b == ' ' && l->wants_space;
            l->wants_space = false;
        }
        return true;
    }
    l->run = 0;
    l->space.is_spaced &= !l->wants_space;
    l->wants_space = b == ',' || b == ':';
    return outside_byte(l, b);
}

/* ------------------------------------------------------------------ escapes */

typedef struct unescaped {
    uint32_t n_cp, len; /* characters; bytes decoded */
    uint32_t used;      /* bytes of the token, up to the quote (with it) or its end */
    bool is_out, is_dead;
} unescaped;

static int hex_value(uint8_t c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20u;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at bytes[at ..]; *whole: all are there. -1: not hexadecimal. */
static int32_t hex_unit(const uint8_t *bytes, size_t len, size_t at, size_t *n_digits) {
    int32_t unit = 0;
    *n_digits = 0;
    while (*n_digits < 4 && at + *n_digits < len) {
        const int d = hex_value(bytes[at + *n_digits]);
        if (d < 0) return -1;
        unit = unit << 4 | d;
        ++*n_digits;
    }
    return unit;
}

/* May the digits of a low surrogate begin like that? */
static bool is_low_prefix(int32_t unit, size_t n_digits) {
    if (n_digits == 0) return true;
    if (n_digits == 1) return unit == 0xD;
    return unit >> (4 * (n_digits - 2)) >= 0xDC && unit >> (4 * (n_digits - 2)) <= 0xDF;
}

/* Decodes a token from between two characters of a string on. out: room for its length. */
static unescaped unescape(const uint8_t *bytes, size_t len, uint8_t *out) {
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    unescaped r = {0};
    uint8_t u8 = ARTI_U8_0;
    size_t i = 0;
    while (i < len) {
        const uint8_t b = bytes[i];
        if (u8 == ARTI_U8_0 && b == '"') {
            r.is_out = true;
            r.used = (uint32_t)i + 1;
            return r;
        }
        if (u8 != ARTI_U8_0 || b != '\\') {
            if (b < 0x20) break;
            r.n_cp += u8 == ARTI_U8_0;
            u8 = arti_u8_next(u8, b);
            if (u8 == ARTI_U8_BAD) break;
            out[r.len++] = b;
            i++;
            continue;
        }
        r.n_cp++;
        if (i + 1 == len) return r;
        const uint8_t c = bytes[i + 1];
        if (c != 'u') {
            const char *p = memchr(plain, c, sizeof plain - 1);
            if (!p) break;
            out[r.len++] = (uint8_t)meant[p - plain];
            i += 2;
            continue;
        }
        size_t n;
        int32_t unit = hex_unit(bytes, len, i + 2, &n);
        if (unit < 0 || (n >= 2 && unit >> (4 * (n - 2)) >= 0xDC && unit >> (4 * (n - 2)) <= 0xDF)) break;
        i += 2 + n;
        if (n < 4) return r;
        uint32_t cp = (uint32_t)unit;
        if (unit >= 0xD800 && unit <= 0xDBFF) { /* the other half must follow */
            if (i == len) return r;
            if (bytes[i] != '\\') break;
            if (i + 1 == len) return r;
            if (bytes[i + 1] != 'u') break;
            const int32_t low = hex_unit(bytes, len, i + 2, &n);
            if (low < 0 || !is_low_prefix(low, n)) break;
            i += 2 + n;
            if (n < 4) return r;
            cp = 0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
        }
        r.len += (uint32_t)arti_u8_put(out + r.len, cp);
    }
    r.is_dead = i < len;
    return r;
}

/* The suffix of those bytes; UINT32_MAX: none. They are sorted. */
static uint32_t find_suffix(const art_vocab *v, const uint8_t *bytes, uint32_t len) {
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint32_t lo = 0, hi = set->n_suffix;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const arti_suffix *sf = &v->suffixes[set->suffix + mid];
        const uint32_t n = sf->len < len ? sf->len : len;
        const int order = memcmp(v->bytes + sf->bytes, bytes, n);
        if (order == 0 && sf->len == len) return mid;
        if (order < 0 || (order == 0 && sf->len < len))
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

uint32_t arti_lex_find_head(const art_vocab *v, const uint8_t *bytes, size_t len) {
    uint32_t lo = 0, hi = v->n_heads;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const arti_head *head = &v->heads[mid];
        int order = memcmp(v->bytes + head->bytes, bytes, head->len < len ? head->len : len);
        if (order == 0) order = (head->len > len) - (head->len < len);
        if (order == 0) return mid;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

/* ------------------------------------------------------------------ building a trie */

typedef struct build_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t entry;          /* the last of a list, 0: none */
    uint32_t text, len;      /* closes the first string: what stands in it; len UINT32_MAX: does not */
    uint8_t byte;
    bool is_open;
} build_node;

typedef enum entry_kind { PLAIN, STAY, ODD, LEAVE } entry_kind;

typedef struct build_entry {
    uint32_t before; /* the one before in the node's list */
    uint32_t id;
    arti_lex_space space;
    uint8_t kind;
    bool stays;               /* ODD */
    uint32_t open, rest, len; /* STAY, ODD */
    uint32_t close, tail;     /* LEAVE: node of the quote */
} build_entry;

typedef struct piece { /* of token bytes */
    uint32_t bytes, len;
} piece;

typedef struct builder {
    arti_mem *mem;
    const art_vocab *v;
    build_node *nodes;
    build_entry *entries; /* from 1 on */
    lexer *stack;
    uint8_t *scratch; /* as long as a token may be decoded */
    piece *pieces;    /* tails that are no suffixes of the vocabulary */
    size_t n_pieces, piece_cap;
    size_t n_nodes, node_cap, n_entries, entry_cap, stack_cap;
    bool ok;
} builder;

/* The child with that byte, made if need be; 0 when out of memory. */
static uint32_t child_of(builder *b, uint32_t parent, uint8_t byte) {
    uint32_t last = 0, at = b->nodes[parent].child;
    while (at && b->nodes[at].byte < byte) last = at, at = b->nodes[at].sibling;
    if (at && b->nodes[at].byte == byte) return at;
    if (!arti_vec_reserve(b->mem, (void **)&b->nodes, &b->node_cap, b->n_nodes + 1, sizeof *b->nodes)) {
        b->ok = false;
        return 0;
    }
    const uint32_t i = (uint32_t)b->n_nodes++;
    b->nodes[i] = (build_node){.byte = byte, .sibling = at, .len = UINT32_MAX};
    if (last)
        b->nodes[last].sibling = i;
    else
        b->nodes[parent].child = i;
    return i;
}

/* Takes one more byte of a token (token bytes from `bytes` on, this one at `at`) in *l; false: JSON rules it out. */
static bool take(builder *b, lexer *l, uint32_t bytes, uint32_t at) {
    const uint8_t byte = b->v->bytes[bytes + at];
    const bool was_outside = is_outside(l->mode) || l->mode == NUMBER, was_closed = l->closed;
    bool folded;
    if (!lex_step(l, byte, &folded)) return false;
    if (folded) return true;
    const uint32_t node = child_of(b, l->node, byte);
    if (!node) return false;
    l->node = node;
    if (was_outside && l->mode == TEXT && !l->open) {
        b->nodes[node].is_open = true;
        l->open = node;
        l->text = at + 1;
    }
    if (l->closed && !was_closed && !l->has_escape && l->open) {
        b->nodes[node].text = bytes + l->text;
        b->nodes[node].len = at - l->text;
        l->close = node;
        l->tail = at + 1;
    }
    return true;
}

/* Number of what a token ends with; the tails of a trie's tokens are counted from n_suffix on. */
static uint32_t tail_of(builder *b, uint32_t bytes, uint32_t len) {
    const uint32_t n_suffix = b->v->u8[ARTI_U8_0].n_suffix, known = find_suffix(b->v, b->v->bytes + bytes, len);
    if (known != UINT32_MAX) return known;
    for (size_t i = 0; i < b->n_pieces; i++)
        if (b->pieces[i].len == len && memcmp(b->v->bytes + b->pieces[i].bytes, b->v->bytes + bytes, len) == 0)
            return n_suffix + (uint32_t)i;
    if (!arti_vec_reserve(b->mem, (void **)&b->pieces, &b->piece_cap, b->n_pieces + 1, sizeof *b->pieces)) {
        b->ok = false;
        return 0;
    }
    b->pieces[b->n_pieces] = (piece){bytes, len};
    return n_suffix + (uint32_t)b->n_pieces++;
}

static build_entry *new_entry(builder *b, uint32_t node, uint32_t id) {
    if (!arti_vec_reserve(b->mem, (void **)&b->entries, &b->entry_cap, b->n_entries + 2, sizeof *b->entries)) {
        b->ok = false;
        return NULL;
    }
    build_entry *e = &b->entries[++b->n_entries];
    *e = (build_entry){.before = b->nodes[node].entry, .id = id};
    b->nodes[node].entry = (uint32_t)b->n_entries;
    return e;
}

static void add_entry(builder *b, const lexer *l, uint32_t id, uint32_t bytes, uint32_t len) {
    bool stays = false;
    if (l->open && l->has_escape) {
        const unescaped u = unescape(b->v->bytes + bytes + l->text, len - l->text, b->scratch);
        if (u.is_dead) return;
        stays = !u.is_out;
    }
    const uint32_t tail = l->close ? tail_of(b, bytes + l->tail, len - l->tail) : 0;
    build_entry *e = new_entry(b, l->node, id);
    if (!e) return;
    e->space = l->space;
    if (!l->open) return;
    e->kind = l->has_escape ? ODD : l->closed ? LEAVE : STAY;
    e->stays = stays;
    e->open = l->open;
    e->rest = bytes + l->text;
    e->len = len - l->text;
    e->close = l->close;
    e->tail = tail;
}

static bool begin(builder *b, arti_mem *mem, const art_vocab *v) {
    *b = (builder){.mem = mem, .v = v, .ok = true};
    b->scratch = arti_realloc(mem, NULL, 0, (size_t)v->token_len_max + 4);
    if (!b->scratch || !arti_vec_reserve(mem, (void **)&b->nodes, &b->node_cap, 1, sizeof *b->nodes))
        return b->ok = false;
    b->nodes[b->n_nodes++] = (build_node){.len = UINT32_MAX};
    return true;
}

/* Tokens from lexer state `mode` on. */
static void add_tokens(builder *b, lex_mode mode) {
    const art_vocab *v = b->v;
    b->stack_cap = (size_t)v->token_len_max + 2;
    b->stack = arti_realloc(b->mem, NULL, 0, b->stack_cap * sizeof *b->stack);
    if (!b->stack) {
        b->ok = false;
        return;
    }
    b->stack[0] = (lexer){.mode = (uint8_t)mode, .space = {.is_spaced = true}};
    for (uint32_t i = 1; i < v->n_nodes && b->ok;) {
        const arti_node *node = &v->node[i];
        const uint32_t d = node->depth;
        lexer *l = &b->stack[d];
        *l = b->stack[d - 1];
        const uint32_t below = v->order[node->tok]; /* some token of the subtree: its first d bytes are the path */
        if ((d == 1 && mode == NUMBER && !number_byte(&(lexer){.prev = 0}, node->byte)) ||
            !take(b, l, v->offsets[below], d - 1)) {
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) {
            const uint32_t id = v->order[k];
            add_entry(b, l, id, v->offsets[id], d);
        }
        i++;
    }
    arti_free(b->mem, b->stack, b->stack_cap * sizeof *b->stack);
}

/* What stands behind a closing quote: suffixes of the vocabulary and `pieces`. */
static void add_tails(builder *b, const piece *pieces, uint32_t n_pieces) {
    const arti_u8_sets *set = &b->v->u8[ARTI_U8_0];
    for (uint32_t k = 0; k < set->n_suffix + n_pieces && b->ok; k++) {
        const arti_suffix *sf = &b->v->suffixes[set->suffix + k];
        const piece p = k < set->n_suffix ? (piece){sf->bytes, sf->len} : pieces[k - set->n_suffix];
        lexer l = {.mode = OUT_AFTER, .space = {.is_spaced = true}};
        uint32_t n = 0;
        while (n < p.len && take(b, &l, p.bytes, n)) n++;
        if (n == p.len && b->ok) add_entry(b, &l, k, p.bytes, p.len);
    }
}

/* What stands before the closing quote, for the suffixes that are entries of a trie. */
static void add_heads(builder *b, const arti_lex_trie *tail) {
    const art_vocab *v = b->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    for (uint32_t i = 0; i < tail->n_entries && b->ok; i++) {
        const uint32_t k = tail->ids[i];
        if (k >= set->n_suffix) continue;
        const arti_suffix *sf = &v->suffixes[set->suffix + k];
        for (uint32_t t = sf->first; t < sf->first + sf->n && b->ok; t++) {
            const uint8_t *bytes = v->bytes + v->offsets[v->leave[t].token];
            uint32_t node = 0;
            for (uint32_t n = 0; n < v->leave[t].n_byte && b->ok; n++) node = child_of(b, node, bytes[n]);
            build_entry *e = b->ok ? new_entry(b, node, v->leave[t].token) : NULL;
            if (e) e->tail = k;
        }
    }
}

/* ------------------------------------------------------------------ laying it out */

static void *keep(arti_lex *lex, size_t n, size_t item) {
    return arti_arena_zero(&lex->arena, (n + 1) * item);
}

typedef struct layout {
    arti_lex_trie *t;
    uint32_t *open_of, *close_of; /* per built node: index of its open, its close */
} layout;

static uint32_t count_list(const builder *b, uint32_t entry) {
    uint32_t n = 0;
    for (; entry; entry = b->entries[entry].before) n++;
    return n;
}

/* Pass 0 counts what lies below each first quote, pass 1 writes it. */
static void fill_opens(const builder *b, layout *l, const uint32_t *place, int pass) {
    arti_lex_trie *t = l->t;
    for (uint32_t e = 1; e <= b->n_entries; e++) {
        const build_entry *entry = &b->entries[e];
        if (entry->kind == PLAIN) continue;
        if (entry->kind == LEAVE) {
            arti_lex_close *c = &t->closes[l->close_of[entry->close]];
            if (pass) t->leaves[c->leave + c->n_leave] = (arti_lex_leave){entry->id, entry->tail, entry->space};
            c->n_leave++;
            continue;
        }
        arti_lex_open *o = &t->opens[l->open_of[entry->open]];
        if (entry->kind == STAY) {
            if (pass) {
                t->stay_ids[o->stay + o->n_stay] = entry->id;
                t->stay_spaces[o->stay + o->n_stay] = entry->space;
                t->stays[o->stay + o->n_stay] = (arti_lex_stay){
                    .text = entry->rest,
                    .twin = UINT32_MAX,
                    .len = (uint16_t)entry->len,
                    .first = entry->len ? b->v->bytes[entry->rest] : 0,
                };
            }
            o->n_stay++;
        } else {
            if (pass)
                t->odds[o->odd + o->n_odd] =
                    (arti_lex_odd){place[e], entry->rest, entry->len, entry->stays, UINT32_MAX};
            o->n_odd++;
        }
    }
}

static void set_digits(arti_lex_trie *t) {
    for (uint32_t i = t->n_nodes; i-- > 1;) { /* children come behind their parents */
        arti_lex_node *node = &t->node[i];
        uint8_t levels = 0;
        bool ok = is_digit(node->byte);
        for (uint32_t k = i + 1; k < node->next && ok; k = t->node[k].next) {
            ok = t->node[k].digits != 0 && t->node[k].digits < UINT8_MAX;
            if (ok && t->node[k].digits > levels) levels = t->node[k].digits;
        }
        node->digits = ok ? (uint8_t)(levels + 1) : 0;
    }
}

/* Does a path below the node hold a comma and two quotes behind it? stages: scratch, per depth how much of that was met. */
static bool has_key_behind(const arti_lex_trie *t, uint32_t node, uint32_t *stages) {
    stages[t->node[node].depth] = 0;
    for (uint32_t k = node + 1; k < t->node[node].next; k++) {
        uint32_t *stage = &stages[t->node[k].depth];
        *stage = stage[-1];
        *stage += t->node[k].byte == (*stage ? '"' : ',');
        if (*stage == 3) return true;
    }
    return false;
}

/* head_tails: gets the tails of the entries; NULL: not wanted. */
static bool lay_out(arti_lex *lex, builder *b, arti_lex_trie *t, uint32_t **head_tails) {
    if (!b->ok) return false;
    t->n_nodes = (uint32_t)b->n_nodes;
    t->n_entries = (uint32_t)b->n_entries;
    uint32_t n_opens = 0, n_closes = 0, n_stay = 0, n_odd = 0, n_leave = 0;
    for (size_t i = 0; i < b->n_nodes; i++) n_opens += b->nodes[i].is_open, n_closes += b->nodes[i].len != UINT32_MAX;
    for (size_t e = 1; e <= b->n_entries; e++) {
        n_stay += b->entries[e].kind == STAY;
        n_odd += b->entries[e].kind == ODD;
        n_leave += b->entries[e].kind == LEAVE;
    }
    t->node = keep(lex, b->n_nodes + 1, sizeof *t->node);
    t->ids = keep(lex, b->n_entries, sizeof *t->ids);
    t->spaces = keep(lex, b->n_entries, sizeof *t->spaces);
    t->opens = keep(lex, n_opens, sizeof *t->opens);
    t->closes = keep(lex, n_closes, sizeof *t->closes);
    t->odds = keep(lex, n_odd, sizeof *t->odds);
    t->leaves = keep(lex, n_leave, sizeof *t->leaves);
    if (head_tails) *head_tails = keep(lex, b->n_entries, sizeof **head_tails);
    t->stay_ids = keep(lex, n_stay, sizeof *t->stay_ids);
    t->stay_spaces = keep(lex, n_stay, sizeof *t->stay_spaces);
    t->stays = keep(lex, n_stay, sizeof *t->stays);
    const size_t stack_cap = (size_t)b->v->token_len_max + 2;
    /* Per built node the index of its open; per entry its place; the path, as built nodes, and where each was laid out. */
    uint32_t *open_of = arti_calloc(b->mem, b->n_nodes * sizeof *open_of);
    uint32_t *close_of = arti_calloc(b->mem, b->n_nodes * sizeof *close_of);
    uint32_t *place = arti_calloc(b->mem, (b->n_entries + 1) * sizeof *place);
    uint32_t *path = arti_calloc(b->mem, stack_cap * sizeof *path);
    uint32_t *laid = arti_calloc(b->mem, stack_cap * sizeof *laid);
    bool ok = t->node && t->ids && t->spaces && t->opens && t->closes && t->odds && t->leaves && t->stay_ids &&
              t->stay_spaces && t->stays && (!head_tails || *head_tails) && close_of && open_of && place && path &&
              laid;
    uint32_t n = 0, n_tok = 0, at_open = 0, at_close = 0;
    uint32_t d = 0;
    for (bool down = true; ok;) { /* depth first: path[d] is the node at hand */
        const build_node *from = &b->nodes[path[d]];
        if (down) {
            arti_lex_node *to = &t->node[n];
            laid[d] = n;
            *to = (arti_lex_node){.tok = n_tok, .open = UINT32_MAX, .depth = (uint16_t)d, .byte = from->byte};
            if (d == 1) t->child[from->byte] = n;
            uint32_t k = n_tok += count_list(b, from->entry);
            for (uint32_t e = from->entry; e; e = b->entries[e].before) {
                place[e] = --k;
                t->ids[k] = b->entries[e].id;
                t->spaces[k] = b->entries[e].space;
                if (head_tails) (*head_tails)[k] = b->entries[e].tail;
            }
            if (from->is_open) {
                to->open = open_of[path[d]] = at_open++;
                t->opens[to->open].close = at_close;
            }
            if (from->len != UINT32_MAX) { /* its quote lies above it, and is the last that was opened */
                close_of[path[d]] = at_close;
                const uint64_t hash =
                    arti_digest_text(ARTI_TEXT_HASH, (const char *)b->v->bytes + from->text, from->len);
                t->closes[at_close++] = (arti_lex_close){
                    .node = n,
                    .text = from->text,
                    .len = from->len,
                    .hash = hash,
                    .head = arti_lex_find_head(b->v, b->v->bytes + from->text, from->len),
                };
                t->opens[at_open - 1].n_close++;
            }
            n++;
            if (from->child) {
                path[++d] = from->child;
                continue;
            }
        }
        t->node[laid[d]].next = n;
        if (d == 0) break;
        down = from->sibling != 0;
        if (down)
            path[d] = from->sibling;
        else
            d--;
    }
    if (ok) {
        t->node[n] = (arti_lex_node){.next = n, .tok = n_tok, .open = UINT32_MAX};
        layout l = {t, open_of, close_of};
        fill_opens(b, &l, place, 0);
        uint32_t stay = 0, odd = 0;
        for (uint32_t i = 0; i < n_opens; i++) {
            arti_lex_open *o = &t->opens[i];
            o->stay = stay, o->odd = odd;
            stay += o->n_stay, odd += o->n_odd;
            o->n_stay = o->n_odd = 0;
        }
        for (uint32_t i = 0, leave = 0; i < n_closes; i++) {
            t->closes[i].leave = leave;
            leave += t->closes[i].n_leave;
            t->closes[i].n_leave = 0;
        }
        fill_opens(b, &l, place, 1);
        for (uint32_t i = 0; i < n_closes; i++) t->closes[i].may_repeat = has_key_behind(t, t->closes[i].node, path);
        set_digits(t);
    }
    arti_free(b->mem, open_of, b->n_nodes * sizeof *open_of);
    arti_free(b->mem, close_of, b->n_nodes * sizeof *close_of);
    arti_free(b->mem, place, (b->n_entries + 1) * sizeof *place);
    arti_free(b->mem, path, stack_cap * sizeof *path);
    arti_free(b->mem, laid, stack_cap * sizeof *laid);
    return ok;
}

static void end(builder *b) {
    arti_free(b->mem, b->nodes, b->node_cap * sizeof *b->nodes);
    arti_free(b->mem, b->entries, b->entry_cap * sizeof *b->entries);
    arti_free(b->mem, b->pieces, b->piece_cap * sizeof *b->pieces);
    arti_free(b->mem, b->scratch, (size_t)b->v->token_len_max + 4);
}

static bool build_tries(arti_lex *lex, const art_vocab *v) {
    builder out, num, tail, heads;
    arti_mem mem;
    arti_mem_init(&mem, &lex->mem.alloc, 0);
    if (begin(&out, &mem, v)) add_tokens(&out, OUT_START);
    if (begin(&num, &mem, v)) add_tokens(&num, NUMBER);
    if (begin(&tail, &mem, v)) add_tails(&tail, out.pieces, (uint32_t)out.n_pieces);
    lex->n_tails = v->u8[ARTI_U8_0].n_suffix + (uint32_t)out.n_pieces;
    uint32_t *head_tails = NULL;
    bool ok = lay_out(lex, &out, &lex->out, NULL) && lay_out(lex, &num, &lex->num, NULL) &&
              lay_out(lex, &tail, &lex->tail, NULL);
    if (begin(&heads, &mem, v) && ok) add_heads(&heads, &lex->tail);
    ok = ok && lay_out(lex, &heads, &lex->heads, &head_tails);
    lex->head_tails = head_tails;
    end(&out), end(&num), end(&tail), end(&heads);
    return ok;
}

/* ------------------------------------------------------------------ suffixes and tokens with escapes */

/* What is to be known of tails. */
static bool build_tails(arti_lex *lex, const art_vocab *v) {
    const arti_lex_trie *t = &lex->tail;
    uint32_t *ids = keep(lex, t->n_entries, sizeof *ids);
    uint8_t *plain = keep(lex, lex->n_tails, 1);
    lex->twice = ids, lex->plain = plain;
    if (!ids || !plain) return false;
    for (uint32_t i = 0; i < t->n_nodes; i++)
        for (uint32_t e = t->node[i].tok; e < t->node[i + 1].tok; e++)
            if (i == 0 || (t->node[i].depth == 1 && t->node[i].byte == ':')) plain[t->ids[e]] = i ? 2 : 1;
    for (uint32_t k = 0; k < v->u8[ARTI_U8_0].n_suffix; k++) {
        const arti_suffix *sf = &v->suffixes[v->u8[ARTI_U8_0].suffix + k];
        uint32_t at = 0, n_quotes = 0;
        while (at < sf->len && v->bytes[sf->bytes + at] != ',') at++;
        for (; at < sf->len; at++) n_quotes += v->bytes[sf->bytes + at] == '"';
        bool is_entry = false;
        for (uint32_t e = 0; e < t->n_entries && n_quotes > 1; e++) is_entry |= t->ids[e] == k;
        if (is_entry && v->bytes[sf->bytes] == ':') ids[lex->n_twice++] = k;
    }
    return true;
}

/* In which suffixes does a value or a key begin? */
static bool build_begins(arti_lex *lex, const art_vocab *v) {
    static const char begins[] = "\"{[-0123456789tfn";
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    const size_t n_words = set->n_suffix / 64 + 1u;
    uint64_t *at_end = keep(lex, n_words, sizeof *at_end), *some = keep(lex, n_words, sizeof *some);
    lex->opens_at_end = at_end, lex->begins_value = some;
    if (!at_end || !some) return false;
    for (uint32_t k = 0; k < set->n_suffix; k++) {
        const arti_suffix *sf = &v->suffixes[set->suffix + k];
        const uint8_t *bytes = v->bytes + sf->bytes;
        uint32_t i = 0;
        while (i < sf->len && !memchr(begins, bytes[i], sizeof begins - 1)) i++;
        if (i == sf->len) continue;
        uint64_t *bits = bytes[i] == '"' && i + 1 == sf->len ? at_end : some;
        bits[k / 64] |= (uint64_t)1 << (k % 64);
    }
    return true;
}

static bool build_escapes(arti_lex *lex, const art_vocab *v) {
    uint32_t *tails = keep(lex, v->n_escapes - v->n_escapes_stay, sizeof *tails);
    uint16_t *first = keep(lex, v->n_escapes, sizeof *first);
    uint32_t *bare = keep(lex, v->n_escapes, sizeof *bare);
    lex->escape_tails = tails, lex->escape_first = first, lex->bare_escapes = bare;
    if (!tails || !first || !bare) return false;
    for (uint32_t k = 0; k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        first[k] = e->len ? v->escape_text[e->text] : ARTI_LEX_NO_TEXT;
        if (e->len)
            lex->escape_bytes[first[k] / 64] |= (uint64_t)1 << (first[k] % 64);
        else
            bare[lex->n_bare++] = k;
    }
    for (uint32_t h = 0; h < v->n_heads; h++)
        if (v->heads[h].len > lex->head_len_max) lex->head_len_max = v->heads[h].len;
    for (uint32_t k = v->n_escapes_stay; k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        tails[k - v->n_escapes_stay] = find_suffix(v, bytes + e->tail, (uint32_t)len - e->tail);
    }
    return true;
}

/* Heads stand in the order of their bytes, so what one shares with the one before it is there already. */
static bool build_head_nodes(arti_lex *lex, const art_vocab *v) {
    size_t n = 1, most = 1;
    for (uint32_t h = 0; h < v->n_heads; h++) most += v->heads[h].len;
    arti_lex_head *node = keep(lex, most, sizeof *node);
    uint32_t *path = arti_calloc(&lex->mem, (lex->head_len_max + 1u) * sizeof *path); /* by depth, to the node before */
    uint32_t depth = 0;
    for (uint32_t h = 0; h < v->n_heads && node && path; h++) {
        const uint8_t *bytes = v->bytes + v->heads[h].bytes;
        const uint32_t len = v->heads[h].len;
        uint32_t shared = 0;
        while (shared < depth && shared < len && node[path[shared + 1]].byte == bytes[shared]) shared++;
        for (; depth > shared; depth--) node[path[depth]].next = (uint32_t)n;
        while (depth < len) {
            node[n] = (arti_lex_head){.first = h, .byte = bytes[depth]};
            node[n].depth = (uint16_t)++depth;
            path[depth] = (uint32_t)n++;
        }
        node[path[len]].is_head = true;
    }
    const bool ok = node && path;
    if (ok) {
        for (; depth; depth--) node[path[depth]].next = (uint32_t)n;
        node[0].next = (uint32_t)n;
        node[n] = (arti_lex_head){.next = (uint32_t)n, .first = v->n_heads};
    }
    arti_free(&lex->mem, path, (lex->head_len_max + 1u) * sizeof *path);
    lex->n_head_nodes = (uint32_t)n;
    lex->head_nodes = node;
    return ok;
}

/* most: of `plain`. */
static const uint32_t *leaving_row(arti_lex *lex, const art_vocab *v, uint8_t most) {
    uint32_t *row = keep(lex, v->n_words, sizeof *row);
    if (!row) return NULL;
    arti_bits_copy(row, v->free_row, v->n_words);
    for (uint32_t e = 0; e < lex->heads.n_entries; e++) {
        const uint8_t plain = lex->plain[lex->head_tails[e]];
        if (plain && plain <= most) arti_bits_set(row, lex->heads.ids[e]);
    }
    return row;
}

static bool build_leaving_rows(arti_lex *lex, const art_vocab *v) {
    lex->text_row = leaving_row(lex, v, 1);
    lex->key_row = leaving_row(lex, v, 2);
    return lex->text_row && lex->key_row;
}

/* Sets the tokens of a subtree of digits. */
static void set_digit_tokens(uint32_t *row, const arti_lex_trie *t, uint32_t i) {
    arti_bits_set_ids(row, t->ids + t->node[i].tok, t->node[t->node[i].next].tok - t->node[i].tok);
}

/* Tokens that begin like a number, which are digits throughout. */
static void set_naturals(arti_lex *lex, uint32_t *row) {
    const arti_lex_trie *t = &lex->out;
    for (uint8_t b = '0'; b <= '9'; b++) {
        const uint32_t i = t->child[b];
        if (!i) continue;
        lex->has_number_rows &= t->node[i].digits != 0;
        if (b == '0') /* no more digits */
            arti_bits_set_ids(row, t->ids + t->node[i].tok, t->node[i + 1].tok - t->node[i].tok);
        else
            set_digit_tokens(row, t, i);
    }
}

static void set_negatives(arti_lex *lex, uint32_t *row) {
    const arti_lex_trie *t = &lex->out;
    const uint32_t minus = t->child['-'];
    if (!minus) return;
    arti_bits_set_ids(row, t->ids + t->node[minus].tok, t->node[minus + 1].tok - t->node[minus].tok);
    for (uint32_t i = minus + 1; i < t->node[minus].next; i = t->node[i].next) {
        lex->has_number_rows &= t->node[i].digits != 0 && t->node[i].byte != '0';
        set_digit_tokens(row, t, i);
    }
}

static bool build_start_rows(arti_lex *lex, const art_vocab *v) {
    const arti_lex_trie *t = &lex->out;
    lex->has_number_rows = true;
    for (uint32_t r = 0; r < sizeof lex->start_rows / sizeof *lex->start_rows; r++) {
        uint32_t *row = keep(lex, v->n_words, sizeof *row);
        if (!row) return false;
        arti_bits_copy(row, v->space_row, v->n_words);
        lex->start_rows[r] = row;
        const uint32_t quote = t->child['"'];
        if (r & 1u && quote) {
            const arti_lex_open *o = &t->opens[t->node[quote].open];
            arti_bits_set_ids(row, t->ids + t->node[quote].tok, t->node[quote + 1].tok - t->node[quote].tok);
            arti_bits_set_ids(row, t->stay_ids + o->stay, o->n_stay);
            for (uint32_t k = o->odd; k < o->odd + o->n_odd; k++)
                if (t->odds[k].stays) arti_bits_set(row, t->ids[t->odds[k].entry]);
        }
        if (r >= ARTI_LEX_NATURALS) set_naturals(lex, row);
        if (r >= ARTI_LEX_NUMBERS) set_negatives(lex, row);
    }
    uint32_t *row = keep(lex, v->n_words, sizeof *row);
    if (!row) return false;
    arti_bits_copy(row, v->space_row, v->n_words);
    arti_bits_or(row, v->digit_row, v->n_words);
    lex->digit_space_row = row;
    return true;
}

/* Digits that the tokens of a number begin with. */
static void count_digits(arti_lex *lex) {
    const arti_lex_trie *t = &lex->num;
    uint32_t digits = 0; /* of the path to the node before */
    for (uint32_t i = 1; i < t->n_nodes; i++) {
        const uint32_t above = t->node[i].depth - 1u;
        if (digits > above) digits = above;
        if (digits == above && t->node[i].byte >= '0' && t->node[i].byte <= '9') digits++;
        if (digits > lex->digits_max) lex->digits_max = digits;
    }
}

/* ------------------------------------------------------------------ strings that are opened */

/* Sorts entries k .. end - 1 by their twins. */
static void sort_stays(arti_lex_trie *t, uint32_t first, uint32_t end) {
    for (uint32_t k = first + 1; k < end; k++) { /* a few hundred */
        const uint32_t id = t->stay_ids[k];
        const arti_lex_space space = t->stay_spaces[k];
        const arti_lex_stay stay = t->stays[k];
        uint32_t to = k;
        for (; to > first && t->stays[to - 1].twin > stay.twin; to--) {
            t->stay_ids[to] = t->stay_ids[to - 1];
            t->stay_spaces[to] = t->stay_spaces[to - 1];
            t->stays[to] = t->stays[to - 1];
        }
        t->stay_ids[to] = id;
        t->stay_spaces[to] = space;
        t->stays[to] = stay;
    }
}

/* The token with these bytes; UINT32_MAX: none. */
static uint32_t find_token(const art_vocab *v, uint32_t bytes, uint32_t len) {
    uint32_t node = 0, n = 0;
    while (n < len && (n == 0 || node)) node = arti_lex_child(v, node, v->bytes[bytes + n++]);
    return node && v->node[node + 1].tok > v->node[node].tok ? v->order[v->node[node].tok] : UINT32_MAX;
}

/* The tokens that are what others leave in a string that they open. */
static void find_twins(const art_vocab *v, arti_lex_trie *t) {
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        if (t->node[i].open == UINT32_MAX) continue;
        const arti_lex_open *o = &t->opens[t->node[i].open];
        for (uint32_t k = o->stay; k < o->stay + o->n_stay; k++)
            t->stays[k].twin = find_token(v, t->stays[k].text, t->stays[k].len);
        for (uint32_t k = o->odd; k < o->odd + o->n_odd; k++)
            if (t->odds[k].stays) t->odds[k].twin = find_token(v, t->odds[k].rest, t->odds[k].len);
        sort_stays(t, o->stay, o->stay + o->n_stay);
    }
}

/* ------------------------------------------------------------------ behind whitespace */

static bool build_space_nodes(arti_lex *lex, const art_vocab *v) {
    uint32_t at[257] = {0}, *nodes = NULL;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 1; i < v->n_nodes;) { /* only whitespace nodes are entered */
            const arti_node *node = &v->node[i];
            if (is_space(node->byte)) {
                i++;
                continue;
            }
            if (pass == 0)
                at[node->byte + 1]++;
            else
                nodes[at[node->byte]++] = i;
            i = node->next;
        }
        if (pass == 1) break;
        for (uint32_t b = 0; b < 256; b++) at[b + 1] += at[b];
        memcpy(lex->space_first, at, sizeof at);
        nodes = keep(lex, at[256], sizeof *nodes);
        lex->space_nodes = nodes;
        if (!nodes) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ handles */

void arti_lex_free(arti_lex *lex) {
    if (!lex) return;
    arti_arena_free(&lex->arena);
    arti_mem mem = lex->mem;
    arti_free(&mem, lex, sizeof *lex);
}

size_t arti_lex_memory(const arti_lex *lex) {
    return lex->mem.used;
}

arti_lex *arti_lex_new(const art_vocab *v, const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    arti_lex *lex = arti_calloc(&mem, sizeof *lex);
    if (!lex) return NULL;
    lex->mem = mem;
    arti_arena_init(&lex->arena, &lex->mem);
    if (build_tries(lex, v) && build_tails(lex, v) && build_begins(lex, v) && build_escapes(lex, v) &&
        build_head_nodes(lex, v) && build_leaving_rows(lex, v) && build_start_rows(lex, v) &&
        build_space_nodes(lex, v)) {
        count_digits(lex);
        find_twins(v, &lex->out);
        find_twins(v, &lex->tail);
        return lex;
    }
    arti_lex_free(lex);
    return NULL;
}
