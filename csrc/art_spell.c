/* SPDX-License-Identifier: Apache-2.0 */
#include "art_spell.h"

#include "art_vocab.h"

void arti_ids_free(arti_mem *mem, arti_ids *ids) {
    arti_free(mem, ids->ids, ids->cap * sizeof *ids->ids);
    *ids = (arti_ids){0};
}

static bool reserve(arti_mem *mem, arti_ids *ids, size_t need) {
    void *p = ids->ids;
    bool ok = arti_vec_reserve(mem, &p, &ids->cap, need, sizeof *ids->ids);
    ids->ids = p;
    return ok;
}

/* The trie node of a byte string's last byte; 0: no token begins with it. */
static uint32_t node_after(const art_vocab *v, uint32_t parent, uint8_t byte) {
    if (!parent) return v->root_child[byte];
    uint32_t end = v->node[parent].next;
    for (uint32_t i = parent + 1; i < end; i = v->node[i].next) {
        if (v->node[i].byte == byte) return i;
    }
    return 0;
}

static bool is_spelling(const art_vocab *v, const arti_ids *ids, const uint8_t *bytes, size_t len) {
    size_t at = 0;
    for (size_t i = 0; i < ids->n; i++) {
        size_t n;
        const uint8_t *b = art_vocab_token(v, (uint32_t)ids->ids[i], &n);
        if (n == 0 || n > len - at || memcmp(bytes + at, b, n) != 0) return false;
        at += n;
    }
    return at == len;
}

/* Room for len ids is there. */
static art_status take_longest(const art_vocab *v, const uint8_t *bytes, size_t len, arti_ids *ids, art_error *err) {
    ids->n = 0;
    for (size_t at = 0; at < len;) {
        size_t longest = 0;
        uint32_t node = 0;
        for (size_t i = at; i < len && (node = node_after(v, node, bytes[i])) != 0; i++) {
            if (v->node[node].tok == v->node[node + 1].tok) continue;
            longest = i + 1 - at;
            ids->ids[ids->n] = (int32_t)v->order[v->node[node].tok];
        }
        if (!longest) return arti_fail(err, ART_E_ENGINE, at, "the vocabulary has no token for byte 0x%02X", bytes[at]);
        ids->n++;
        at += longest;
    }
    return ART_OK;
}

/* Room for len + 1 ids is there. */
static art_status spell(art_model *m, const art_vocab *v, const uint8_t *bytes, size_t len, arti_ids *ids,
                        art_error *err) {
    art_status st = m->engine->tokenize(m->handle, (const char *)bytes, len, 0, ids->ids, ids->cap, &ids->n, NULL);
    if (st == ART_OK && ids->n <= ids->cap && is_spelling(v, ids, bytes, len)) return ART_OK;
    return take_longest(v, bytes, len, ids, err);
}

static uint32_t slot_of(const uint8_t *bytes, size_t len) { /* FNV-1a */
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) h = (h ^ bytes[i]) * 16777619u;
    return (h ^ (h >> 16)) % ARTI_SPELL_SLOTS;
}

art_status arti_spell(art_model *m, const art_vocab *v, arti_mem *mem, arti_spell_memo *memo, const uint8_t *bytes,
                      size_t len, arti_ids *ids, art_error *err) {
    ids->n = 0;
    if (!reserve(mem, ids, len + 1)) return arti_mem_fail(mem, err);
    if (len == 0 || len > ARTI_SPELL_LEN_MAX) return spell(m, v, bytes, len, ids, err);
    const uint32_t k = slot_of(bytes, len);
    if (memo->slot[k].len == len && memcmp(memo->slot[k].bytes, bytes, len) == 0) {
        ids->n = memo->slot[k].n;
        memcpy(ids->ids, memo->slot[k].ids, ids->n * sizeof *ids->ids);
        return ART_OK;
    }
    const art_status st = spell(m, v, bytes, len, ids, err);
    if (st != ART_OK || ids->n > ARTI_SPELL_IDS_MAX) return st;
    memo->slot[k].len = (uint8_t)len;
    memo->slot[k].n = (uint8_t)ids->n;
    memcpy(memo->slot[k].bytes, bytes, len);
    memcpy(memo->slot[k].ids, ids->ids, ids->n * sizeof *ids->ids);
    return ART_OK;
}

art_status arti_spell_longest(const art_vocab *v, arti_mem *mem, const uint8_t *bytes, size_t len, arti_ids *ids,
                              art_error *err) {
    ids->n = 0;
    return reserve(mem, ids, len + 1) ? take_longest(v, bytes, len, ids, err) : arti_mem_fail(mem, err);
}

bool arti_spell_may_grow(const art_vocab *v, const uint8_t *bytes, size_t len) {
    uint32_t node = 0;
    for (size_t i = 0; i < len; i++) {
        node = node_after(v, node, bytes[i]);
        if (!node) return false;
    }
    return v->node[node].next > node + 1;
}
