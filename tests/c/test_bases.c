/* SPDX-License-Identifier: Apache-2.0
 *
 * What masks of languages are put together from: each group's set of atoms, sizes and costs; bases hold the groups, and the tokens, that are
 * made of their characters only, by a definition written down a second time. Lists of children agree with the trie. */
#include "harness.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_lex.h"

#include <ctype.h>

enum { N = 4000, BYTES_MAX = 1 << 18 };

static uint8_t bytes[BYTES_MAX];
static uint32_t offsets[N + 1];

static void make_tokens(void) {
    static const char *const pieces[] = {"a", "b",    "Zq",   "g",    "word", " ",        "-",  "_",
                                         ".", "/",    "@",    "7",    "42",   "!",        "\"", "\\n",
                                         ",", "\xc3", "\xa9", "\xe4", "\xbd", "\xe2\x80", "中"};
    const uint32_t n_pieces = sizeof pieces / sizeof *pieces;
    uint64_t seed = 7;
    for (uint32_t i = 0; i < N; i++) {
        uint32_t at = offsets[i];
        for (uint64_t k = 1 + harness_random(&seed) % (i % 9 ? 4 : 60); k;
             k--) { /* some are long, and stay in a string */
            const char *piece = pieces[harness_random(&seed) % (i % 9 ? n_pieces : 12)];
            memcpy(bytes + at, piece, strlen(piece));
            at += (uint32_t)strlen(piece);
        }
        offsets[i + 1] = at;
    }
}

/* May the token's plain characters be in the base? What is not ASCII is told from spaces by the caller's pieces, which have none. */
static bool fits(uint32_t base, uint8_t c) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    switch (base) {
    case 0: return true;
    case 1: return c != ' ';
    case 2: return c > ' ' && c < 0x7F;
    case 3: return word || c == '-' || c == '.' || c == '/' || c == ':' || c == '@';
    case 4: return word || c == '-' || c == ' ';
    case 5: return word;
    case 6: return c >= 'a' && c <= 'z';
    case 7: return c >= '0' && c <= '9';
    case 8: return isxdigit(c);
    case 9: return isalnum(c);
    case 10: return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    case 11: return isalnum(c) || c == '-' || c == '.';
    default: return word || c == '-';
    }
}

static void check_rows(const art_vocab *v) {
    const uint32_t *stay = arti_vocab_stay(v, UINT32_MAX);
    for (uint32_t k = 0; k < ARTI_BASES; k++) {
        for (uint32_t id = 0; id < v->n_tokens; id++) {
            size_t len;
            const uint8_t *p = arti_vocab_bytes(v, id, &len);
            bool in = arti_bits_test(stay, id);
            for (size_t i = 0; i < len && in; i++) in = fits(k, p[i]);
            assert(arti_bits_test(v->bases->rows[k], id) == in);
        }
    }
}

static void check_groups(const art_vocab *v) {
    const arti_bases *b = v->bases;
    assert(b->n_sets > 0 && b->n_sets <= v->n_groups);
    for (uint32_t i = 0; i < v->n_groups; i++) {
        const arti_group *g = &v->groups[i];
        assert(b->set_of[i] < b->n_sets && b->sets[b->set_of[i]] == g->rest);
        assert(b->n[i] == g->n && b->max_cp[i] == g->max_cp);
        assert(b->cost[i] == (g->row >= 0 ? ARTI_BASE_ROW_COST : g->n));
        for (uint32_t k = 0; k < ARTI_BASES; k++) {
            const bool in = b->groups[k][i / 64] >> (i % 64) & 1u;
            for (uint32_t t = g->first; t < g->first + g->n; t++)
                assert(arti_bits_test(b->rows[k], v->group_ids[t]) == in);
        }
    }
}

static uint32_t n_characters(const uint8_t *p, size_t len) {
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) n += p[i] < 0x80 || p[i] > 0xBF;
    return n;
}

static void check_long(const art_vocab *v) {
    const arti_bases *b = v->bases;
    const uint32_t *stay = arti_vocab_stay(v, UINT32_MAX);
    uint32_t n = 0;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        size_t len;
        const uint8_t *p = arti_vocab_bytes(v, id, &len);
        n += arti_bits_test(stay, id) && n_characters(p, len) > ARTI_LONG_MIN;
    }
    assert(n > 50 && n == b->n_long);
    for (uint32_t i = 0; i < n; i++) {
        size_t len, before = 0;
        const uint8_t *p = arti_vocab_bytes(v, b->longs[i].id, &len);
        const uint8_t *q = i ? arti_vocab_bytes(v, b->longs[i - 1].id, &before) : p;
        const uint32_t shared = b->longs[i].shared;
        assert(arti_bits_test(stay, b->longs[i].id) && b->longs[i].n_cp == n_characters(p, len));
        assert(shared <= before && shared <= len && memcmp(p, q, shared) == 0);
        assert(i == 0 || shared == before || (shared < len && p[shared] > q[shared]));
    }
}

static void check_children(const art_vocab *v) {
    uint32_t n_lists = 0;
    for (uint32_t i = 1; i < v->n_nodes; i++) {
        n_lists += arti_lex_kids(v, i) != UINT32_MAX;
        uint32_t n = 0, height = 0;
        for (uint32_t k = i + 1; k < v->node[i].next; k = v->node[k].next, n++) {
            const uint8_t byte = v->node[k].byte;
            assert(arti_lex_child(v, i, byte) == k);
            if (byte >= 0x20 && byte != '"' && byte != '\\' && v->node[k].height >= height)
                height = v->node[k].height + 1u;
        }
        assert(v->node[i].height == (height < UINT8_MAX ? height : UINT8_MAX));
        for (uint32_t byte = 0; byte < 256; byte++) n -= arti_lex_child(v, i, (uint8_t)byte) != 0;
        assert(n == 0);
    }
    assert(n_lists > 0);
}

static bool can_make(const art_vocab *v, const art_alloc *alloc) {
    arti_bases *b = arti_bases_new(v, alloc);
    if (b) assert(arti_bases_memory(b) > 0);
    arti_bases_free(b);
    return b != NULL;
}

int main(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_vocab *v;
    make_tokens();
    assert(art_vocab_new(bytes, offsets, N, &(uint32_t){0}, 1, NULL, &v, NULL) == ART_OK);
    check_rows(v);
    check_groups(v);
    check_long(v);
    check_children(v);
    FAIL_EVERY_ALLOCATION(&h, can_make(v, &alloc));
    art_vocab_free(v);
    return 0;
}
