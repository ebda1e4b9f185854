/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of terms: equal languages of different contexts, if they are built alike, have equal digests. A node's digest is SipHash-2-4
 * with 128 bits (J.-P. Aumasson, D. Bernstein, 2012) of its kind, its numbers and the digests of its operands. The key is secret, so
 * that nobody who writes patterns can make two of them meet. */
#include "art_regex_impl.h"

#define DIGEST_TERMS_MAX 65536u /* in larger contexts there are none: they would take too much of the schema's memory */

typedef struct sip {
    uint64_t v[4];
    uint64_t n; /* words so far */
} sip;

static inline uint64_t rotate(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

static void sip_rounds(sip *s, int n) {
    uint64_t *v = s->v;
    while (n-- > 0) {
        v[0] += v[1], v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static sip sip_begin(const uint64_t key[2]) {
    return (sip){{key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xEE,
                  key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)},
                 0};
}

static void sip_add(sip *s, uint64_t word) {
    s->v[3] ^= word;
    sip_rounds(s, 2);
    s->v[0] ^= word;
    s->n++;
}

static void sip_end(sip *s, uint64_t out[2]) {
    sip_add(s, s->n * 8 << 56);
    s->v[2] ^= 0xEE;
    sip_rounds(s, 4);
    out[0] = s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
    s->v[1] ^= 0xDD;
    sip_rounds(s, 4);
    out[1] = s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

static bool is_known(const arti_re_ctx *c, arti_re t) {
    return c->digests[t].word[0] || c->digests[t].word[1];
}

/* Of a term whose operands are known. */
static void digest_node(const arti_re_ctx *c, const uint64_t key[2], const re_node *x, uint64_t out[2]) {
    sip s = sip_begin(key);
    uint64_t sum[2] = {0, 0};
    sip_add(&s, x->kind);
    switch ((re_kind)x->kind) {
    case RE_NONE:
    case RE_EMPTY:
    case RE_ANY: break;
    case RE_CLASS:
        for (uint32_t i = 0; i < c->classes[x->a].n; i++)
            sip_add(&s, (uint64_t)c->classes[x->a].ranges[i].lo << 32 | c->classes[x->a].ranges[i].hi);
        break;
    case RE_MACHINE:
        sip_add(&s, (uint64_t)(uintptr_t)c->machines[x->a]);
        sip_add(&s, x->b);
        break;
    case RE_OR:
    case RE_AND: /* the operands are in the order of their numbers, which is the context's own */
        for (uint32_t i = 0; i < x->b; i++)
            for (int k = 0; k < 2; k++) sum[k] += c->digests[x->kids[i]].word[k];
        sip_add(&s, x->b);
        sip_add(&s, sum[0]);
        sip_add(&s, sum[1]);
        break;
    case RE_LOOP: sip_add(&s, (uint64_t)x->min << 32 | x->max); /* fall through */
    default:
        for (int k = 0; k < 2; k++) sip_add(&s, c->digests[x->a].word[k]);
        for (int k = 0; k < 2 && x->kind == RE_CONCAT; k++) sip_add(&s, c->digests[x->b].word[k]);
    }
    sip_end(&s, out);
    if (!out[0] && !out[1]) out[0] = 1;
}

static bool ask(arti_re_ctx *c, arti_re t) {
    return is_known(c, t) || re_push(c, &c->reach, t);
}

static bool ask_operands(arti_re_ctx *c, const re_node *x) {
    switch ((re_kind)x->kind) {
    case RE_OR:
    case RE_AND:
        for (uint32_t i = 0; i < x->b; i++)
            if (!ask(c, x->kids[i])) return false;
        return true;
    case RE_CONCAT: return ask(c, x->a) && ask(c, x->b);
    case RE_LOOP:
    case RE_NOT:
    case RE_AHEAD:
    case RE_BEHIND: return ask(c, x->a);
    default: return true;
    }
}

static bool digest_term(arti_re_ctx *c, const uint64_t key[2], arti_re t) {
    c->reach.n = 0;
    if (!ask(c, t)) return false;
    while (c->reach.n > 0) { /* operands first */
        const size_t n = c->reach.n;
        const arti_re at = c->reach.at[n - 1];
        if (!re_spend(c, 1) || !ask_operands(c, &c->nodes[at])) return false;
        if (c->reach.n > n) continue;
        digest_node(c, key, &c->nodes[at], c->digests[at].word);
        c->reach.n--;
    }
    return true;
}

bool arti_re_digest(arti_re_ctx *c, arti_re_state s, const uint64_t key[2], uint64_t out[2]) {
    if (s == ARTI_RE_FAIL || s == ARTI_RE_DEAD || c->n_nodes > DIGEST_TERMS_MAX) return false;
    const re_info *info = re_info_of(c, s);
    if (c->splits[info->split]->u8 != ARTI_U8_0) return false;
    if (c->n_digests < c->n_nodes || memcmp(c->digest_key, key, sizeof c->digest_key) != 0) {
        const uint32_t n = c->n_nodes + c->n_nodes / 2;
        re_digest *p = c->n_digests < c->n_nodes
                           ? arti_realloc(c->mem, c->digests, c->n_digests * sizeof *p, n * sizeof *p)
                           : c->digests;
        if (!p) return c->mem->over_limit = false;
        const bool same = memcmp(c->digest_key, key, sizeof c->digest_key) == 0;
        const uint32_t from = same ? c->n_digests : 0;
        if (c->n_digests < c->n_nodes) c->n_digests = n;
        c->digests = p;
        memset(p + from, 0, (c->n_digests - from) * sizeof *p);
        memcpy(c->digest_key, key, sizeof c->digest_key);
    }
    const art_error before = c->err;
    re_begin(c);
    if (!digest_term(c, key, info->term)) {
        c->err = before;
        return false;
    }
    memcpy(out, c->digests[info->term].word, sizeof c->digests[info->term].word);
    return true;
}
