/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_lex.h"
#include "json_walk.h"

static art_vocab *vocab(const art_alloc *alloc) {
    art_error err;
    art_vocab *v = walk_vocab(alloc, &err);
    assert(v);
    return v;
}

/* A child by byte is the one that the chain of siblings has. */
static void test_children(const art_vocab *v) {
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        uint32_t child[256] = {0};
        const uint32_t end = i ? v->node[i].next : v->n_nodes;
        for (uint32_t k = i + 1; k < end; k = v->node[k].next) child[v->node[k].byte] = k;
        for (uint32_t b = 0; b < 256; b++) assert(arti_lex_child(v, i, (uint8_t)b) == child[b]);
    }
}

/* The bytes of a token without whitespace outside strings. */
static size_t fold(const uint8_t *bytes, size_t len, uint8_t *out, arti_lex_space *space) {
    bool inside = false;
    size_t n = 0;
    uint8_t run = 0;
    *space = (arti_lex_space){0};
    for (size_t i = 0; i < len; i++) {
        const uint8_t b = bytes[i];
        if (!inside && (b == ' ' || b == '\n' || b == '\t' || b == '\r')) {
            run++;
            if (n == 0)
                space->lead = run;
            else if (run > space->run)
                space->run = run;
            continue;
        }
        run = 0;
        out[n++] = b;
        if (inside && b == '\\' && i + 1 < len)
            out[n++] = bytes[++i];
        else if (b == '"')
            inside = !inside;
    }
    return n;
}

/* Heads stand at the nodes that their bytes lead to, and a node knows which ones are below it. */
static void test_heads(const art_vocab *v) {
    const arti_lex *lex = v->lex;
    uint8_t path[ART_TOKEN_LEN_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < lex->n_head_nodes; i++) {
        const arti_lex_head *node = &lex->head_nodes[i];
        assert(node->next > i && node->next <= lex->n_head_nodes && node->depth <= lex->head_len_max);
        if (node->depth) path[node->depth - 1] = node->byte;
        for (uint32_t h = node->first; h < lex->head_nodes[node->next].first; h++)
            assert(v->heads[h].len >= node->depth && memcmp(v->bytes + v->heads[h].bytes, path, node->depth) == 0);
        assert(lex->head_nodes[node->next].first > node->first);
        assert(node->is_head == (v->heads[node->first].len == node->depth));
        if (node->is_head) assert(node->first == n++);
    }
    assert(n == v->n_heads && lex->head_nodes[lex->n_head_nodes].first == n);
    for (uint32_t h = 0; h < n; h++) assert(arti_lex_find_head(v, v->bytes + v->heads[h].bytes, v->heads[h].len) == h);
    assert(arti_lex_find_head(v, (const uint8_t *)"no head is this", 15) == UINT32_MAX);
}

/* A token with just these bytes, UINT32_MAX: none. */
static uint32_t find_token(const art_vocab *v, const uint8_t *bytes, size_t len) {
    for (uint32_t k = 0; k < v->n_order; k++) {
        size_t n;
        const uint8_t *p = arti_vocab_bytes(v, v->order[k], &n);
        if (n == len && memcmp(p, bytes, n) == 0) return v->order[k];
    }
    return UINT32_MAX;
}

/* Does a twin have the bytes of what stands in the string, if any token has? */
static bool is_twin(const art_vocab *v, uint32_t twin, uint32_t text, uint32_t len) {
    size_t n = 0;
    if (twin == UINT32_MAX) return find_token(v, v->bytes + text, len) == UINT32_MAX;
    const uint8_t *p = arti_vocab_bytes(v, twin, &n);
    return n == len && memcmp(p, v->bytes + text, n) == 0;
}

/* Returns how many there are. */
static uint32_t check_twins(const art_vocab *v, const arti_lex_trie *t) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        if (t->node[i].open == UINT32_MAX) continue;
        const arti_lex_open *o = &t->opens[t->node[i].open];
        for (uint32_t k = o->stay; k < o->stay + o->n_stay; k++) {
            const arti_lex_stay *stay = &t->stays[k];
            assert(is_twin(v, stay->twin, stay->text, stay->len));
            assert(stay->first == (stay->len ? v->bytes[stay->text] : 0));
            assert(k == o->stay || t->stays[k - 1].twin <= stay->twin);
            n += stay->twin != UINT32_MAX;
        }
        for (uint32_t k = o->odd; k < o->odd + o->n_odd; k++)
            assert(t->odds[k].stays ? is_twin(v, t->odds[k].twin, t->odds[k].rest, t->odds[k].len)
                                    : t->odds[k].twin == UINT32_MAX);
        for (uint32_t k = o->close; k < o->close + o->n_close; k++)
            assert(t->closes[k].head == arti_lex_find_head(v, v->bytes + t->closes[k].text, t->closes[k].len));
    }
    return n;
}

/* Every entry stands at the node that its folded bytes lead to. Returns the number of entries. */
static uint32_t check_paths(const art_vocab *v, const arti_lex_trie *t) {
    uint8_t path[256], folded[256];
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const arti_lex_node *node = &t->node[i];
        if (i) path[node->depth - 1] = node->byte;
        for (uint32_t e = node->tok; e < t->node[i + 1].tok; e++) {
            size_t len;
            arti_lex_space space;
            const uint8_t *bytes = arti_vocab_bytes(v, t->ids[e], &len);
            assert(fold(bytes, len, folded, &space) == node->depth);
            assert(memcmp(path, folded, node->depth) == 0);
            assert(space.lead == t->spaces[e].lead && space.run == t->spaces[e].run);
        }
    }
    return t->n_entries;
}

static bool has(const art_vocab *v, const arti_lex_trie *t, const char *token) {
    for (uint32_t e = 0; e < t->n_entries; e++) {
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, t->ids[e], &len);
        if (len == strlen(token) && memcmp(bytes, token, len) == 0) return true;
    }
    return false;
}

static void test_tries(const art_vocab *v) {
    assert(check_paths(v, &v->lex->out) > 0);
    assert(check_paths(v, &v->lex->num) > 0);
    static const char *const outside[] = {"{\"", " \n ", "}, {", "lse,", ":{\"", "10,", "\"a\":", "true}", "-1"};
    static const char *const never[] = {"ab", "x-", "0a", "e1", "name"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert(has(v, &v->lex->out, outside[i]) == (strcmp(outside[i], "lse,") != 0));
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) assert(!has(v, &v->lex->out, never[i]));
    assert(has(v, &v->lex->num, "e1") && has(v, &v->lex->num, "10,") && has(v, &v->lex->num, "E+"));
    assert(!has(v, &v->lex->num, "  ") && !has(v, &v->lex->num, "2020-"));
}

/* What follows the quote of a token with an escape. */
static void test_escapes(const art_vocab *v) {
    uint32_t found = 0;
    for (uint32_t k = v->n_escapes_stay; k < v->n_escapes; k++) {
        const uint32_t tail = v->lex->escape_tails[k - v->n_escapes_stay];
        size_t len;
        arti_vocab_bytes(v, v->escapes[k].token, &len);
        if (tail == UINT32_MAX) continue;
        assert(v->suffixes[v->u8[ARTI_U8_0].suffix + tail].len == len - v->escapes[k].tail);
        found++;
    }
    assert(found > 0);
}

int main(void) {
    harness h;
    const art_alloc alloc = harness_alloc(&h);
    art_vocab *v = vocab(&alloc);
    test_children(v);
    test_heads(v);
    assert(check_twins(v, &v->lex->out) > 3);
    check_twins(v, &v->lex->tail);
    test_tries(v);
    test_escapes(v);
    art_vocab_free(v);
    assert(h.live == 0);
    return 0;
}
