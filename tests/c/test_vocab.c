/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_bits.h"
#include "art_vocab.h"

#include <unistd.h>

enum { N_RANDOM = 3000 };

static harness heap;
static art_alloc alloc;
static uint64_t seed = 0x2545F4914F6CDD1Du;

typedef struct tokens {
    uint8_t bytes[1 << 16];
    uint32_t offsets[N_RANDOM + 1];
    uint32_t n;
} tokens;

static void add(tokens *t, const char *p, size_t len) {
    if (t->n == 0) t->offsets[0] = 0;
    memcpy(t->bytes + t->offsets[t->n], p, len);
    t->offsets[t->n + 1] = t->offsets[t->n] + (uint32_t)len;
    t->n++;
}

/* Tokens that reach every class: quotes, backslashes, controls, all cuts of multi-byte characters, duplicates, empty ones. */
static void random_tokens(tokens *t, uint32_t n) {
    static const char *const pieces[] = {
        "a",        "b",    "Z",    "0",    "7",        " ",    "\"",   "\\",       "\n",           "\t",
        ",",        ":",    "}",    "]",    "-",        ".",    "_",    "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80",
        "\xe4",     "\xb8", "\xad", "\xf0", "\x9f",     "\xed", "\xa0", "\xc0",     "\xff",         "\x80",
        "abcdefgh", "\"}",  "\\n",  "\x7f", "\xd0\x96", "\xf4", "\x8f", "\xe0",     "\xa4",         "\x01",
        "the ",     ""};
    t->n = 0;
    while (t->n < n) {
        char buf[64];
        size_t len = 0, k = harness_random(&seed) % 5;
        for (size_t i = 0; i < k; i++) {
            const char *p = pieces[harness_random(&seed) % (sizeof pieces / sizeof *pieces)];
            memcpy(buf + len, p, strlen(p));
            len += strlen(p);
        }
        if (harness_random(&seed) % 64 == 0) buf[len++] = 0;
        add(t, buf, len);
    }
}

/* Expected class of a token in a string state, byte by byte. 's'tay, 'l'eave, 'e'scape, 'o'ther. */
static char expected(const uint8_t *p, size_t len, uint8_t state, uint32_t *n_cp, uint8_t *end, size_t *at) {
    *n_cp = 0;
    for (size_t i = 0; i < len; i++) {
        *at = i;
        if (state == ARTI_U8_0 && p[i] == '"') return 'l';
        if (state == ARTI_U8_0 && p[i] == '\\') return 'e';
        if (state == ARTI_U8_0 && p[i] < 0x20) return 'o';
        if ((p[i] & 0xC0) != 0x80) (*n_cp)++;
        state = arti_u8_next(state, p[i]);
        if (state == ARTI_U8_BAD) return 'o';
    }
    *end = state;
    return 's';
}

static bool is_eos(const art_vocab *v, uint32_t id) {
    for (uint32_t i = 0; i < v->n_eos; i++)
        if (v->eos[i] == id) return true;
    return false;
}

/* Heights, and lists of children: those that are there hold all children of their node. exact: no height is more than it has to be. */
static bool trie_tables_good(const art_vocab *v, uint64_t n_lists, uint64_t n_kids, bool exact) {
    uint64_t list = 0, at = 0;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        uint32_t height = 0, n = 0;
        for (uint32_t k = i + 1; k < v->node[i].next; k = v->node[k].next, n++) {
            const uint8_t byte = v->node[k].byte;
            if (byte < 0x20 || byte == '"' || byte == '\\') continue;
            const uint32_t here = v->node[k].height < 255 ? v->node[k].height + 1u : 255;
            if (here > height) height = here;
        }
        if (v->node[i].height < height || (exact && v->node[i].height > height)) return false;
        if (i % 64 == 0 && v->kid_rank[i / 64] != list) return false;
        const bool is_marked = v->kid_mark[i / 64] >> (i % 64) & 1u;
        if (exact) assert(is_marked == (n >= ARTI_KIDS_MIN && v->node[i].next - i > ARTI_KIDS_NEAR));
        if (!is_marked) continue;
        if (list >= n_lists || v->kid_first[list++] != at || n == 0) return false;
        for (uint32_t k = i + 1; k < v->node[i].next; k = v->node[k].next, at++)
            if (at >= n_kids || v->kid_node[at] != k || v->kid_byte[at] != v->node[k].byte) return false;
    }
    if (v->n_nodes % 64 == 0 && v->kid_rank[v->n_nodes / 64] != list) return false;
    return !(v->kid_mark[v->n_nodes / 64] >> (v->n_nodes % 64)) && list == n_lists && at == n_kids &&
           v->kid_first[list] == at;
}

/* Of a vocabulary that nobody has changed: what its lists come to. */
static void count_kids(const art_vocab *v, uint64_t *n_lists, uint64_t *n_kids) {
    *n_lists = 0;
    for (uint32_t w = 0; w <= v->n_nodes / 64; w++) *n_lists += arti_bits_count64(v->kid_mark[w]);
    *n_kids = v->kid_first[*n_lists];
}

static void check_trie(const art_vocab *v, const tokens *t) {
    uint64_t n_lists, n_kids;
    count_kids(v, &n_lists, &n_kids);
    assert(trie_tables_good(v, n_lists, n_kids, true));
    uint32_t seen = 0;
    static uint8_t path[ART_TOKEN_LEN_MAX + 1];
    assert(v->node[0].depth == 0 && v->node[0].next == v->n_nodes && v->node[v->n_nodes].tok == v->n_order);
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        const arti_node *n = &v->node[i];
        if (i) path[n->depth - 1] = n->byte;
        if (n->depth == 1) assert(v->root_child[n->byte] == i);
        for (uint32_t k = n->tok; k < v->node[i + 1].tok; k++, seen++) {
            size_t len;
            const uint8_t *p = arti_vocab_bytes(v, v->order[k], &len);
            assert(len == n->depth && memcmp(p, path, len) == 0);
        }
        for (uint32_t j = i + 1; j < n->next; j++) assert(v->node[j].depth > n->depth);
        if (n->next < v->n_nodes) assert(v->node[n->next].depth <= n->depth);
    }
    uint32_t want = 0;
    for (uint32_t id = 0; id < t->n; id++) want += t->offsets[id + 1] > t->offsets[id] && !is_eos(v, id);
    assert(seen == want && v->n_order == want);
}

/* below[i] is the union over the subtree of what each character adds, for nodes between characters. */
static void check_below(const art_vocab *v) {
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        uint64_t want = 0;
        bool between = true;
        for (uint32_t k = v->node[i].tok; k < v->node[v->node[i].next].tok; k++) {
            size_t len, depth = v->node[i].depth;
            const uint8_t *p = arti_vocab_bytes(v, v->order[k], &len);
            uint8_t state = ARTI_U8_0;
            for (size_t b = 0; b < depth; b++) state = arti_u8_next(state, p[b]);
            between = state == ARTI_U8_0;
            if (!between) break;
            for (size_t b = depth, start = depth; b < len; b++) {
                if (state == ARTI_U8_0) start = b;
                state = arti_u8_next(state, p[b]);
                if (state == ARTI_U8_BAD) {
                    want |= ARTI_ATOM_PARTIAL;
                    continue;
                }
                if (state != ARTI_U8_0) continue;
                size_t n;
                uint32_t cp = arti_u8_get(p + start, &n);
                want |= cp < 0x20    ? ARTI_ATOM_CONTROL
                        : cp == '"'  ? ARTI_ATOM_QUOTE
                        : cp == '\\' ? ARTI_ATOM_BACKSLASH
                                     : UINT64_C(1) << arti_atom_of(cp);
            }
            if (state != ARTI_U8_0) want |= ARTI_ATOM_PARTIAL;
        }
        if (between) assert(v->below[i] == want);
    }
}

static void check_strings(const art_vocab *v, const tokens *t) {
    uint32_t *row = calloc(v->n_words, 4);
    uint8_t *seen = calloc(t->n, 1);
    for (uint8_t state = 0; state < ARTI_U8_STATES; state++) {
        const arti_u8_sets *s = &v->u8[state];
        memset(seen, 0, t->n);
        for (uint32_t i = s->stay; i < s->stay + s->n_stay; i++) {
            assert(i == s->stay || v->stay_cps[i - 1] <= v->stay_cps[i]);
            seen[v->stay_ids[i]] = 's';
        }
        for (uint32_t i = s->escape; i < s->escape + s->n_escape; i++) seen[v->escape_ids[i]] = 'e';
        for (uint32_t i = s->suffix; i < s->suffix + s->n_suffix; i++) {
            const arti_suffix *x = &v->suffixes[i];
            for (uint32_t k = x->first; k < x->first + x->n; k++) {
                const arti_leave *l = &v->leave[k];
                size_t len;
                const uint8_t *p = arti_vocab_bytes(v, l->token, &len);
                uint32_t cps;
                uint8_t end;
                size_t at = 0;
                assert(expected(p, len, state, &cps, &end, &at) == 'l' && cps == l->n_cp && at == l->n_byte);
                assert(len - at - 1 == x->len && memcmp(p + at + 1, v->bytes + x->bytes, x->len) == 0);
                assert(k == x->first || v->leave[k - 1].n_cp <= l->n_cp);
                if (state == ARTI_U8_0) {
                    assert(l->head < v->n_heads);
                    const arti_head *head = &v->heads[l->head];
                    assert(head->len == l->n_byte && head->n_cp == l->n_cp);
                    assert(memcmp(v->bytes + head->bytes, p, at) == 0);
                }
                seen[l->token] = 'l';
            }
        }
        for (uint32_t id = 0; id < t->n; id++) {
            size_t len;
            const uint8_t *p = arti_vocab_bytes(v, id, &len);
            uint32_t cps;
            uint8_t end;
            size_t at = 0;
            char want = len == 0 || is_eos(v, id) ? 'o' : expected(p, len, state, &cps, &end, &at);
            if (state == ARTI_U8_0 && want == 's') {
                for (uint32_t room = 0; room < 100; room++) {
                    const uint32_t *exact = arti_vocab_stay(v, room);
                    if (exact) assert(arti_bits_test(exact, id) == (cps <= room));
                    if (exact && room < 90) continue;
                    arti_vocab_copy_stay(v, room, row);
                    assert(arti_bits_test(row, id) == (cps <= room));
                }
                assert((seen[id] == 's') == (cps > ARTI_STAY_ROWS - 2));
            } else {
                assert(seen[id] == (want == 'o' ? 0 : want));
                if (state == ARTI_U8_0)
                    assert(!arti_bits_test(v->stay_rows + (size_t)(ARTI_STAY_ROWS - 1) * v->n_words, id));
            }
        }
    }
    free(row);
    free(seen);
}

static void check_groups(const art_vocab *v) {
    uint32_t total = 0;
    for (uint32_t g = 0; g < v->n_groups; g++) {
        const arti_group *x = &v->groups[g];
        for (uint32_t h = 0; h < g; h++) assert(v->groups[h].rest != x->rest || v->groups[h].atom != x->atom);
        assert(g >= v->group_of[x->atom] && g < v->group_of[x->atom + 1]);
        for (uint32_t i = x->first; i < x->first + x->n; i++) {
            size_t len, n;
            const uint8_t *p = arti_vocab_bytes(v, v->group_ids[i], &len);
            uint64_t rest = 0;
            uint32_t cps = 0;
            for (size_t b = 0; b < len; b += n, cps++) {
                uint8_t u8 = ARTI_U8_0;
                for (n = 0; b + n < len && (n == 0 || u8 != ARTI_U8_0); n++) u8 = arti_u8_next(u8, p[b + n]);
                const bool cut = u8 != ARTI_U8_0;
                const uint32_t atom = cut ? ARTI_N_ATOMS : arti_atom_of(arti_u8_get(p + b, &n));
                if (b == 0)
                    assert(atom == x->atom);
                else
                    rest |= cut ? ARTI_ATOM_PARTIAL : UINT64_C(1) << atom;
                if (cut) n = len - b;
            }
            assert(rest == x->rest && cps == v->group_cps[i] && cps <= x->max_cp);
            assert(i == x->first || v->group_cps[i - 1] <= cps);
            if (x->row >= 0) assert(arti_bits_test(v->dense_rows + (size_t)x->row * v->n_words, v->group_ids[i]));
        }
        if (x->row >= 0) assert(arti_bits_count(v->dense_rows + (size_t)x->row * v->n_words, v->n_words) == x->n);
        total += x->n;
    }
    assert(total == arti_bits_count(v->stay_rows + (size_t)(ARTI_STAY_ROWS - 1) * v->n_words, v->n_words));
}

static void check_heads(const art_vocab *v) {
    for (uint32_t i = 1; i < v->n_heads; i++) {
        const arti_head *a = &v->heads[i - 1], *b = &v->heads[i];
        const int c = memcmp(v->bytes + a->bytes, v->bytes + b->bytes, a->len < b->len ? a->len : b->len);
        assert(c < 0 || (c == 0 && a->len < b->len));
    }
}

static void check_rows(const art_vocab *v, const tokens *t) {
    for (uint32_t id = 0; id < t->n; id++) {
        size_t len;
        const uint8_t *p = arti_vocab_bytes(v, id, &len);
        bool space = len > 0, digit = len > 0, text = len > 0 && !is_eos(v, id);
        for (size_t i = 0; i < len; i++) {
            space &= p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r';
            digit &= p[i] >= '0' && p[i] <= '9';
        }
        assert(arti_bits_test(v->space_row, id) == (text && space) &&
               arti_bits_test(v->digit_row, id) == (text && digit));
        bool is_free = arti_bits_test(v->stay_rows + (size_t)(ARTI_STAY_ROWS - 1) * v->n_words, id);
        for (uint32_t i = 0; i < v->n_escapes_stay; i++) is_free |= v->escapes[i].token == id;
        assert(arti_bits_test(v->free_row, id) == is_free);
        assert(arti_bits_test(v->text_row, id) == text && arti_bits_test(v->eos_row, id) == is_eos(v, id));
    }
}

static void check_all(const art_vocab *v, const tokens *t) {
    assert(art_vocab_size(v) == t->n && art_vocab_memory(v) > 0);
    for (uint32_t id = 0; id < t->n; id++) {
        size_t len;
        const uint8_t *p = art_vocab_token(v, id, &len);
        assert(len == t->offsets[id + 1] - t->offsets[id] && memcmp(p, t->bytes + t->offsets[id], len) == 0);
    }
    check_trie(v, t);
    check_below(v);
    check_strings(v, t);
    check_groups(v);
    check_heads(v);
    check_rows(v, t);
}

static art_vocab *make(const tokens *t, const uint32_t *eos, uint32_t n_eos) {
    art_vocab *v;
    art_error err;
    art_status s = art_vocab_new(t->bytes, t->offsets, t->n, eos, n_eos, &alloc, &v, &err);
    assert(s == ART_OK);
    return v;
}

static void test_random(void) {
    static tokens t;
    for (int round = 0; round < 6; round++) {
        random_tokens(&t, round == 0 ? 1 : round * 500 + 7);
        uint32_t eos[] = {t.n - 1, t.n / 2};
        art_vocab *v = make(&t, eos, round % 3);
        check_all(v, &t);
        assert(arti_vocab_ref(v) == v);
        art_vocab_free(v);
        art_vocab_free(v);
    }
}

static void test_long_tokens(void) {
    static tokens t;
    t.n = 0;
    char spaces[200];
    memset(spaces, ' ', sizeof spaces);
    for (size_t n = 1; n < sizeof spaces; n++) add(&t, spaces, n);
    art_vocab *v = make(&t, NULL, 0);
    check_all(v, &t);
    assert(v->stay_cp_max == 199 && !arti_vocab_stay(v, 100) && arti_vocab_stay(v, 199));
    art_vocab_free(v);
}

/* What tokens with escapes say, and which of them no string admits. */
static void test_escapes(void) {
    static const struct {
        const char *token, *text;
        int kind; /* arti_escaped_kind, or -1: not listed */
        uint32_t tail, n_cp;
    } cases[] = {
        {"\\n", "\n", ARTI_ESCAPED_STAYS, 2, 1},
        {"a\\t\\/b", "a\t/b", ARTI_ESCAPED_STAYS, 6, 4},
        {"\\", "", ARTI_ESCAPED_CUT, 0, 0},
        {"x\\u", "x", ARTI_ESCAPED_CUT, 1, 1},
        {"\\u00", "", ARTI_ESCAPED_CUT, 0, 0},
        {"\\u0041\\u00e9", "A\xc3\xa9", ARTI_ESCAPED_STAYS, 12, 2},
        {"\\u004Gx", "", -1, 0, 0},
        {"\\x", "", -1, 0, 0},
        {"\\\"", "\"", ARTI_ESCAPED_STAYS, 2, 1},
        {"\\\"\"", "\"", ARTI_ESCAPED_LEAVES, 3, 1},
        {"a\\\\\",\"", "a\\", ARTI_ESCAPED_LEAVES, 4, 2},
        {"\\ud83d", "", ARTI_ESCAPED_CUT, 0, 0},
        {"\\ud83d\\", "", ARTI_ESCAPED_CUT, 0, 0},
        {"\\n\\ud83d\\ude", "\n", ARTI_ESCAPED_CUT, 2, 1},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", ARTI_ESCAPED_STAYS, 12, 1},
        {"\\ud83d\\u00", "", -1, 0, 0},
        {"\\ud83d\\n", "", -1, 0, 0},
        {"\\ud83dx", "", -1, 0, 0},
        {"\\udc", "", -1, 0, 0},
        {"\\ud", "", ARTI_ESCAPED_CUT, 0, 0},
        {"\\n\xc3", "\n\xc3", ARTI_ESCAPED_STAYS, 3, 2},
        {"\\n\xc3\"", "", -1, 0, 0},
        {"\\n\n", "", -1, 0, 0},
        {"\xc3\\n", "", -1, 0, 0},
    };
    enum { N = sizeof cases / sizeof *cases };
    static tokens t;
    t.n = 0;
    for (size_t i = 0; i < N; i++) add(&t, cases[i].token, strlen(cases[i].token));
    art_vocab *v = make(&t, NULL, 0);
    for (uint32_t i = 0; i < N; i++) {
        const arti_escaped *e = NULL;
        for (uint32_t k = 0; k < v->n_escapes; k++)
            if (v->escapes[k].token == i) e = &v->escapes[k];
        assert(!e == (cases[i].kind < 0));
        if (!e) continue;
        assert((int)e->kind == cases[i].kind && e->tail == cases[i].tail && e->n_cp == cases[i].n_cp);
        assert(e->len == strlen(cases[i].text) && memcmp(v->escape_text + e->text, cases[i].text, e->len) == 0);
    }
    art_vocab_free(v);
}

static void test_arguments(void) {
    static const uint8_t bytes[] = "abc";
    static const uint32_t good[] = {0, 1, 3}, down[] = {0, 2, 1}, eos[] = {2};
    art_vocab *v;
    art_error err;
    assert(art_vocab_new(bytes, good, 0, NULL, 0, NULL, &v, &err) == ART_E_ARG && !v);
    assert(art_vocab_new(bytes, down, 2, NULL, 0, NULL, &v, &err) == ART_E_ARG);
    assert(art_vocab_new(bytes, good, 2, eos, 1, NULL, &v, &err) == ART_E_ARG);
    assert(art_vocab_new(NULL, good, 2, NULL, 0, NULL, &v, &err) == ART_E_ARG);
    assert(art_vocab_new(bytes, good, ART_VOCAB_TOKENS_MAX + 1, NULL, 0, NULL, &v, &err) == ART_E_LIMIT);
    const uint32_t wide[] = {0, ART_TOKEN_LEN_MAX + 1};
    uint8_t *big = calloc(1, ART_TOKEN_LEN_MAX + 1);
    assert(art_vocab_new(big, wide, 1, NULL, 0, NULL, &v, &err) == ART_E_LIMIT);
    const uint32_t fits[] = {0, ART_TOKEN_LEN_MAX};
    memset(big, 'x', ART_TOKEN_LEN_MAX);
    assert(art_vocab_new(big, fits, 1, NULL, 0, NULL, &v, &err) == ART_OK && v->n_nodes == ART_TOKEN_LEN_MAX + 1);
    art_vocab_free(v);
    free(big);
    art_vocab_free(NULL);
}

static void test_files(void) {
    static tokens t;
    random_tokens(&t, 700);
    uint32_t eos[] = {5};
    art_vocab *v = make(&t, eos, 1), *back;
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_vocab.%ld", (long)getpid());
    art_error err;
    assert(art_vocab_save(v, "/nonexistent/x", &err) == ART_E_IO);
    assert(art_vocab_open("/nonexistent/x", &alloc, &back, &err) == ART_E_IO && !back);
    assert(art_vocab_save(v, path, &err) == ART_OK);
    assert(art_vocab_open(path, &alloc, &back, &err) == ART_OK);
    check_all(back, &t);
    size_t size = back->image_size;
    uint8_t *image = malloc(size), *copy = malloc(size);
    memcpy(image, back->image, size);
    art_vocab_free(back);
    for (int round = 0; round < 200; round++) { /* cut, or one byte changed anywhere */
        memcpy(copy, image, size);
        size_t n = size, at = harness_random(&seed) % size;
        if (round % 4 == 0)
            n = at;
        else
            copy[at] ^= (uint8_t)(1u << harness_random(&seed) % 8);
        FILE *f = fopen(path, "wb");
        assert(f && fwrite(copy, 1, n, f) == n && fclose(f) == 0);
        art_status s = art_vocab_open(path, &alloc, &back, &err);
        assert(s == ART_E_FORMAT && !back);
    }

    unlink(path);
    free(image);
    free(copy);
    art_vocab_free(v);
}

/* The trie by its definition: what a file has to say of it, which may say what it likes. */
static bool trie_good(const art_vocab *v, uint64_t n_lists, uint64_t n_kids) {
    const arti_node *node = v->node;
    const uint32_t n = v->n_nodes;
    if (node[0].depth != 0 || node[0].tok != 0 || node[n].tok != v->n_order) return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = i + 1;
        while (next < n && node[next].depth > node[i].depth) next++;
        if (node[i].next != next || node[i + 1].tok < node[i].tok) return false;
        if (i > 0 && (node[i].depth == 0 || node[i].depth > node[i - 1].depth + 1u || node[i].depth > v->token_len_max))
            return false;
    }
    for (uint32_t b = 0; b < 256; b++) {
        const uint32_t child = v->root_child[b];
        if (child >= n || (child && (node[child].depth != 1 || node[child].byte != b))) return false;
    }
    return trie_tables_good(v, n_lists, n_kids, false);
}

static bool tokens_good(const art_vocab *v, uint32_t n_bytes) {
    for (uint32_t i = 0; i < v->n_tokens; i++)
        if (v->offsets[i + 1] < v->offsets[i] || v->offsets[i + 1] - v->offsets[i] > v->token_len_max) return false;
    for (uint32_t i = 0; i < v->n_order; i++)
        if (v->order[i] >= v->n_tokens) return false;
    return v->offsets[0] == 0 && v->offsets[v->n_tokens] == n_bytes;
}

static uint32_t nearby(uint32_t x) {
    const uint64_t r = harness_random(&seed);
    switch (r % 4) {
    case 0: return x + 1 + (uint32_t)(r >> 8) % 3;
    case 1: return x - 1 - (uint32_t)(r >> 8) % 3;
    case 2: return x ^ UINT32_C(1) << (r >> 8) % 32;
    default: return (uint32_t)(r >> 8) % 400;
    }
}

/* Any place of n, the first and the last one often. */
static size_t some(uint64_t n) {
    const uint64_t r = harness_random(&seed);
    return (size_t)(r % 8 == 0 ? 0 : r % 8 == 1 ? n - 1 : (r >> 8) % n);
}

/* Lets a list of children begin with a node below the first child, behind which the second one comes. */
static void begin_below(const art_vocab *v, uint64_t n_lists) {
    for (uint64_t list = 0; list < n_lists; list++) {
        uint32_t *kid = (uint32_t *)(uintptr_t)&v->kid_node[v->kid_first[list]];
        if (kid[1] == kid[0] + 1) continue;
        kid[0] = kid[1] - 1;
        ((uint8_t *)(uintptr_t)v->kid_byte)[v->kid_first[list]] = v->node[kid[0]].byte;
        return;
    }
}

static void forget_last_list(const art_vocab *v, uint64_t *kid_mark) {
    uint32_t i = v->n_nodes - 1;
    while (!(kid_mark[i / 64] >> (i % 64) & 1u)) i--;
    kid_mark[i / 64] ^= UINT64_C(1) << (i % 64);
    for (uint32_t w = i / 64 + 1; w <= v->n_nodes / 64; w++) ((uint32_t *)(uintptr_t)v->kid_rank)[w]--;
}

enum { FORGED_KINDS = 18, FORGED_OFFSETS = FORGED_KINDS - 1 };

/* Changes something of a vocabulary's trie, its lists of children or its tokens. */
static void forge(art_vocab *v, uint64_t n_lists, uint64_t n_kids, int kind) {
    arti_node *node = (arti_node *)(uintptr_t)v->node, *a = &node[some(v->n_nodes)], *b = &node[some(v->n_nodes)];
    uint64_t *kid_mark = (uint64_t *)(uintptr_t)v->kid_mark;
    uint32_t *kid_rank = (uint32_t *)(uintptr_t)v->kid_rank, *kid_first = (uint32_t *)(uintptr_t)v->kid_first,
             *kid_node = (uint32_t *)(uintptr_t)v->kid_node, *offsets = (uint32_t *)(uintptr_t)v->offsets,
             *order = (uint32_t *)(uintptr_t)v->order, *p;
    const uint32_t by = 1 + (uint32_t)(harness_random(&seed) % 5), n_words = v->n_nodes / 64 + 1;
    const size_t k = some(n_kids);
    switch (kind) {
    case 0: a->next = nearby(a->next); break;
    case 1: a->next += by, b->next -= by; break;
    case 2: a->next = b->next; break;
    case 3: a->depth = (uint16_t)nearby(a->depth); break;
    case 4: a->depth++, b->depth--; break;
    case 5: a->tok = nearby(a->tok); break;
    case 6: a->height = (uint8_t)nearby(a->height); break;
    case 7: a->byte = (uint8_t)nearby(a->byte); break;
    case 8: kid_mark[some(n_words)] ^= UINT64_C(1) << harness_random(&seed) % 64; break;
    case 9: forget_last_list(v, kid_mark); break;
    case 10: p = &kid_rank[some(n_words)], *p = nearby(*p); break;
    case 11: p = &kid_first[some(n_lists + 1)], *p = nearby(*p); break;
    case 12: kid_node[k] = nearby(kid_node[k]); break;
    case 13: ((uint8_t *)(uintptr_t)v->kid_byte)[k] ^= (uint8_t)by; break;
    case 14: begin_below(v, n_lists); break;
    case 15: v->token_len_max = ((uint32_t *)(void *)v->image)[9] -= by; break;
    case 16: p = &order[some(v->n_order)], *p = nearby(*p); break;
    default: p = &offsets[some(v->n_tokens + 1)], *p = nearby(*p); break;
    }
}

/* A file with a good checksum opens if what it says is sound, and only then. Saving repairs the checksum. */
static void test_forged_files(void) {
    static tokens t;
    random_tokens(&t, 700);
    art_vocab *v = make(&t, NULL, 0), *back;
    const uint32_t n_bytes = t.offsets[t.n];
    uint64_t n_lists, n_kids;
    count_kids(v, &n_lists, &n_kids);
    assert(n_lists > 1 && trie_good(v, n_lists, n_kids) && tokens_good(v, n_bytes));
    uint8_t *image = malloc(v->image_size);
    memcpy(image, v->image, v->image_size);
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_vocab.%ld", (long)getpid());
    art_error err;
    uint32_t n_good = 0, n_bad = 0;
    const uint32_t len_max = v->token_len_max;
    for (int round = 0; round < 3600; round++) {
        const int kind = round % FORGED_KINDS;
        forge(v, n_lists, n_kids, kind);
        if (round % 5 == 0) forge(v, n_lists, n_kids, (int)(harness_random(&seed) % FORGED_OFFSETS));
        const bool good = tokens_good(v, n_bytes) && trie_good(v, n_lists, n_kids);
        assert(art_vocab_save(v, path, &err) == ART_OK);
        const art_status s = art_vocab_open(path, &alloc, &back, &err);
        assert((s == ART_OK || s == ART_E_FORMAT) && !back == (s != ART_OK));
        assert(good || s != ART_OK);
        if (kind != FORGED_OFFSETS) assert(!good || s == ART_OK); /* strings may not fit tokens of other lengths */
        art_vocab_free(back);
        n_good += good, n_bad += !good;
        memcpy(v->image, image, v->image_size);
        v->token_len_max = len_max;
    }
    assert(n_good > 100 && n_bad > 1000);
    ((uint32_t *)(void *)v->image)[2]--; /* the version before */
    assert(art_vocab_save(v, path, &err) == ART_OK);
    assert(art_vocab_open(path, &alloc, &back, &err) == ART_E_FORMAT && strstr(err.msg, "version"));
    unlink(path);
    free(image);
    art_vocab_free(v);
}

/* A sound trie that is deeper than any token may be: "abc" below "ab", where the tokens are "ab" and "ac". */
static void test_deep_trie(void) {
    static const uint32_t offsets[] = {0, 2, 4};
    art_vocab *v, *back;
    art_error err;
    assert(art_vocab_new((const uint8_t *)"abac", offsets, 2, NULL, 0, &alloc, &v, &err) == ART_OK && v->n_nodes == 4);
    arti_node *node = (arti_node *)(uintptr_t)v->node;
    node[3].depth = 3;
    node[2].next = 4;
    for (uint32_t i = 0; i < 3; i++) node[i].height = (uint8_t)(3 - i);
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_vocab.%ld", (long)getpid());
    assert(art_vocab_save(v, path, &err) == ART_OK && art_vocab_open(path, &alloc, &back, &err) == ART_E_FORMAT);
    ((uint32_t *)(void *)v->image)[9] = 3; /* token_len_max */
    assert(art_vocab_save(v, path, &err) == ART_OK && art_vocab_open(path, &alloc, &back, &err) == ART_OK);
    art_vocab_free(back);
    unlink(path);
    art_vocab_free(v);
}

/* Offsets that come back to 0 behind the largest number, all tokens being short enough. */
static void test_offsets_that_wrap(void) {
    enum { N = 70000 };
    uint8_t *bytes = malloc(N);
    uint32_t *offsets = malloc((N + 1) * sizeof *offsets);
    memset(bytes, 'a', N);
    for (uint32_t i = 0; i <= N; i++) offsets[i] = i;
    art_vocab *v, *back;
    art_error err;
    assert(art_vocab_new(bytes, offsets, N, NULL, 0, &alloc, &v, &err) == ART_OK);
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_vocab.%ld", (long)getpid());
    ((uint32_t *)(void *)v->image)[9] = ART_TOKEN_LEN_MAX;
    assert(art_vocab_save(v, path, &err) == ART_OK && art_vocab_open(path, &alloc, &back, &err) == ART_OK);
    assert(back->token_len_max == ART_TOKEN_LEN_MAX);
    art_vocab_free(back);
    for (uint64_t i = 0; i <= N; i++)
        ((uint32_t *)(uintptr_t)v->offsets)[i] = (uint32_t)(((UINT64_C(1) << 32) + N) * i / N);
    assert(v->offsets[N] == N);
    assert(art_vocab_save(v, path, &err) == ART_OK && art_vocab_open(path, &alloc, &back, &err) == ART_E_FORMAT);
    unlink(path);
    art_vocab_free(v);
    free(offsets);
    free(bytes);
}

static tokens few;

static bool build_once(void) {
    art_vocab *v;
    art_error err;
    uint32_t eos[] = {3};
    art_status s = art_vocab_new(few.bytes, few.offsets, few.n, eos, 1, &alloc, &v, &err);
    assert(s == ART_OK || (s == ART_E_NOMEM && !v));
    art_vocab_free(v);
    return s == ART_OK;
}

static char few_path[64];

static bool open_once(void) {
    art_vocab *v;
    art_error err;
    art_status s = art_vocab_open(few_path, &alloc, &v, &err);
    assert(s == ART_OK || (s == ART_E_NOMEM && !v));
    art_vocab_free(v);
    return s == ART_OK;
}

int main(void) {
    alloc = harness_alloc(&heap);
    test_random();
    test_long_tokens();
    test_escapes();
    test_arguments();
    test_files();
    test_forged_files();
    test_deep_trie();
    test_offsets_that_wrap();
    random_tokens(&few, 300);
    FAIL_EVERY_ALLOCATION(&heap, build_once());
    snprintf(few_path, sizeof few_path, "/tmp/test_vocab.%ld", (long)getpid());
    art_vocab *v = make(&few, NULL, 0);
    assert(art_vocab_save(v, few_path, NULL) == ART_OK);
    art_vocab_free(v);
    FAIL_EVERY_ALLOCATION(&heap, open_once());
    unlink(few_path);
    assert(heap.live == 0);
    return 0;
}
