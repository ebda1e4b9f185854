/* SPDX-License-Identifier: Apache-2.0 */
#include "art_bases.h"

#include "art_bits.h"

/* ------------------------------------------------------------------ which atoms a base is made of */

static bool is_digit(uint32_t lo) {
    return lo >= '0' && lo <= '9';
}

static bool is_lower(uint32_t lo) {
    return lo >= 'a' && lo <= 'z';
}

static bool is_alnum(uint32_t lo) {
    return is_digit(lo) || is_lower(lo) || (lo >= 'A' && lo <= 'Z');
}

/* Atoms begin at lo. What patterns have most often: anything, \S, visible ASCII, names with punctuation, words, \w, [a-z]; parts of words
 * with hyphens, of domains, of identifiers; digits of numbers. Of 3,488 rows that the schemas of MaskBench need, all but 570 or so differ from
 * one of these, or from nothing, in 512 words or less, and all but 370 in 1024. */
static bool has_atom(uint32_t base, uint32_t lo) {
    switch (base) {
    case 0: return true;
    case 1: return lo != ' ' && lo != 0x80 && lo != 0x2000;
    case 2: return lo > ' ' && lo < 0x7F;
    case 3: return is_alnum(lo) || (lo < 0x80 && lo && strchr("_-./:@", (int)lo));
    case 4: return is_alnum(lo) || lo == '_' || lo == '-' || lo == ' ';
    case 5: return is_alnum(lo) || lo == '_';
    case 6: return is_lower(lo);
    case 7: return is_digit(lo);
    case 8: return is_digit(lo) || (lo >= 'a' && lo <= 'f') || (lo >= 'A' && lo <= 'F');
    case 9: return is_alnum(lo);
    case 10: return is_lower(lo) || is_digit(lo) || lo == '-';
    case 11: return is_alnum(lo) || lo == '-' || lo == '.';
    default: return is_alnum(lo) || lo == '-' || lo == '_';
    }
}

/* Pieces of characters are in the bases that leave nothing beyond ASCII out, spaces aside. */
static uint64_t atoms_of(uint32_t base) {
    uint64_t atoms = base <= 1 ? ARTI_ATOM_PARTIAL : 0;
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++)
        if (has_atom(base, arti_atoms[i].lo)) atoms |= (uint64_t)1 << i;
    return atoms;
}

static uint32_t bases_of(const arti_group *g, const uint64_t atoms[ARTI_BASES]) {
    const uint64_t used = g->rest | (g->atom == ARTI_N_ATOMS ? ARTI_ATOM_PARTIAL : (uint64_t)1 << g->atom);
    uint32_t bits = 0;
    for (uint32_t k = 0; k < ARTI_BASES; k++)
        if (!(used & ~atoms[k])) bits |= 1u << k;
    return bits;
}

/* ------------------------------------------------------------------ building */

static void *get(arti_bases *b, size_t n, size_t item) {
    return arti_arena_zero(&b->arena, (n + 1) * item);
}

/* Numbers the different sets. */
static bool number_sets(arti_bases *b, const art_vocab *v) {
    size_t slots = 16;
    while (slots < 2 * (size_t)v->n_groups) slots *= 2;
    uint32_t *table = arti_calloc(&b->mem, slots * sizeof *table); /* set + 1 */
    uint64_t *sets = get(b, v->n_groups, sizeof *sets);
    uint32_t *set_of = get(b, v->n_groups, sizeof *set_of);
    for (uint32_t i = 0; i < v->n_groups && table && sets && set_of; i++) {
        const uint64_t rest = v->groups[i].rest;
        size_t at = (size_t)(rest * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (slots - 1);
        while (table[at] && sets[table[at] - 1] != rest) at = (at + 1) & (slots - 1);
        if (!table[at]) {
            sets[b->n_sets] = rest;
            table[at] = ++b->n_sets;
        }
        set_of[i] = table[at] - 1;
    }
    const bool ok = table && sets && set_of;
    arti_free(&b->mem, table, slots * sizeof *table);
    b->sets = sets;
    b->set_of = set_of;
    return ok;
}

static bool lay_out_groups(arti_bases *b, const art_vocab *v) {
    uint16_t *n = get(b, v->n_groups, sizeof *n), *cost = get(b, v->n_groups, sizeof *cost);
    uint8_t *max_cp = get(b, v->n_groups, 1);
    uint64_t atoms[ARTI_BASES], *groups[ARTI_BASES];
    uint32_t *rows[ARTI_BASES];
    if (!n || !cost || !max_cp) return false;
    for (uint32_t k = 0; k < ARTI_BASES; k++) {
        atoms[k] = atoms_of(k);
        b->groups[k] = groups[k] = get(b, v->n_groups / 64, sizeof *groups[k]);
        b->rows[k] = rows[k] = get(b, v->n_words, sizeof *rows[k]);
        if (!groups[k] || !rows[k]) return false;
    }
    for (uint32_t i = 0; i < v->n_groups; i++) {
        const arti_group *g = &v->groups[i];
        const uint32_t in = bases_of(g, atoms);
        n[i] = (uint16_t)(g->n < UINT16_MAX ? g->n : UINT16_MAX);
        cost[i] = g->row >= 0 ? ARTI_BASE_ROW_COST : n[i];
        max_cp[i] = (uint8_t)(g->max_cp < UINT8_MAX ? g->max_cp : UINT8_MAX);
        for (uint32_t k = 0; k < ARTI_BASES; k++) {
            if (!(in >> k & 1u)) continue;
            groups[k][i / 64] |= (uint64_t)1 << (i % 64);
            if (g->row >= 0)
                arti_bits_or(rows[k], v->dense_rows + (size_t)g->row * v->n_words, v->n_words);
            else
                arti_bits_set_ids(rows[k], v->group_ids + g->first, g->n);
        }
    }
    b->n = n;
    b->cost = cost;
    b->max_cp = max_cp;
    return true;
}

/* Of a token that stays in a string. */
static uint32_t count_characters(const uint8_t *bytes, size_t len) {
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) n += (bytes[i] & 0xC0u) != 0x80u;
    return n;
}

static uint32_t shared_bytes(const art_vocab *v, uint32_t a, uint32_t b) {
    size_t n, m, i = 0;
    const uint8_t *x = arti_vocab_bytes(v, a, &n), *y = arti_vocab_bytes(v, b, &m);
    while (i < n && i < m && x[i] == y[i]) i++;
    return (uint32_t)i;
}

_Static_assert(ARTI_LONG_MIN < ARTI_STAY_ROWS - 1, "there is a row of the tokens that are not long");

static bool lay_out_long_others(arti_bases *b, const art_vocab *v) {
    const uint32_t *stays = arti_vocab_stay(v, UINT32_MAX);
    uint32_t *ids = NULL, n = 0;
    for (int pass = 0; pass < 2; pass++) { /* counts them, and notes them */
        n = 0;
        for (uint32_t id = 0; id < v->n_tokens; id++) {
            if (v->offsets[id + 1] - v->offsets[id] <= ARTI_LONG_MIN) continue;
            if (!arti_bits_test(v->text_row, id) || arti_bits_test(stays, id)) continue;
            if (pass) ids[n] = id;
            n++;
        }
        if (pass == 0 && !(ids = get(b, n, sizeof *ids))) return false;
    }
    b->long_others = ids;
    b->n_long_others = n;
    return true;
}

static bool lay_out_long(arti_bases *b, const art_vocab *v) {
    const size_t size = v->n_words * sizeof(uint32_t);
    uint32_t *row = arti_realloc(&b->mem, NULL, 0, size), n = 0;
    if (!row) return false;
    arti_bits_copy(row, arti_vocab_stay(v, UINT32_MAX), v->n_words);
    arti_bits_andnot(row, arti_vocab_stay(v, ARTI_LONG_MIN), v->n_words);
    const uint32_t n_max = (uint32_t)arti_bits_count(row, v->n_words);
    arti_long *longs = get(b, n_max, sizeof *longs);
    for (uint32_t i = 0; i < v->n_order && longs && n < n_max; i++) {
        const uint32_t id = v->order[i];
        if (!arti_bits_test(row, id)) continue;
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
        longs[n] = (arti_long){.id = id,
                               .n_cp = (uint16_t)count_characters(bytes, len),
                               .shared = (uint16_t)(n ? shared_bytes(v, longs[n - 1].id, id) : 0)};
        n++;
    }
    arti_free(&b->mem, row, size);
    b->longs = longs;
    b->n_long = n;
    return longs != NULL;
}

arti_bases *arti_bases_new(const art_vocab *v, const art_alloc *alloc) {
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    arti_bases *b = arti_calloc(&mem, sizeof *b);
    if (!b) return NULL;
    b->mem = mem;
    arti_arena_init(&b->arena, &b->mem);
    if (number_sets(b, v) && lay_out_groups(b, v) && lay_out_long(b, v) && lay_out_long_others(b, v)) return b;
    arti_bases_free(b);
    return NULL;
}

void arti_bases_free(arti_bases *b) {
    if (!b) return;
    arti_arena_free(&b->arena);
    arti_mem mem = b->mem;
    arti_free(&mem, b, sizeof *b);
}

size_t arti_bases_memory(const arti_bases *b) {
    return b->mem.used;
}
