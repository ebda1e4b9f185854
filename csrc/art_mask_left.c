/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens lie anywhere in memory, so they are run in batches that are fetched ahead. Tokens of a first atom that is left as a whole are
 * walked down the trie below its bytes, past subtrees whose atoms are harmless in the state that was reached. */
#include "art_mask_groups.h"

#include "art_bits.h"

#define NEAR 16u         /* characters before the longest length allowed */
#define HARMLESS 32u     /* states whose harmless atoms are at hand in a walk */
#define SEARCHES_MAX 12u /* .. and searches for them, */
#define SEARCH_WORTH 128u /* .. which take longer than the walk of a smaller subtree */
#define QUEUE 64u        /* tokens that are run together */

typedef struct harmless { /* any text of `in` of at most `room` characters is alive */
    arti_re_state q;
    uint32_t room;
    uint64_t in;
} harmless;

typedef struct left {
    arti_lang *l;
    harmless harmless[HARMLESS];
    uint32_t n_searches;
    uint32_t n_nodes; /* of the trie, looked at so far */
    uint32_t n_queued;
    struct {
        uint32_t id;
        arti_re_state q; /* before byte `at` */
        uint16_t at, n_cp;
        bool cut;
    } queue[QUEUE]; /* tokens to be run */
} left;

/* ------------------------------------------------------------------ token by token */

/* Is the text alive in state q with n more characters, the last of them cut? */
static bool is_alive(const arti_lang *l, arti_re_state q, uint32_t n, bool cut) {
    if (q == ARTI_RE_DEAD || q == ARTI_RE_FAIL) return false;
    return !l->has_bounds || arti_part_alive(l->w->x->s, l->part, q, l->n_cp + n, cut);
}

static bool fault_if(const arti_lang *l, arti_re_state q) {
    return q != ARTI_RE_FAIL || arti_fault_re(l->w->x->s, NULL, 0, "pattern");
}

/* Runs the tokens of the queue. They lie anywhere in memory, so what is needed next is fetched ahead. */
static bool run_queue(left *x) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    const uint32_t n = x->n_queued;
    x->n_queued = 0;
    for (uint32_t i = 0; i < n; i++) arti_prefetch(&v->offsets[x->queue[i].id]);
    for (uint32_t i = 0; i < n; i++) arti_prefetch(v->bytes + v->offsets[x->queue[i].id]);
    for (uint32_t i = 0; i < n; i++) {
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, x->queue[i].id, &len);
        const uint32_t at = x->queue[i].at;
        const arti_re_state q = arti_re_run(l->w->x->s->re, x->queue[i].q, bytes + at, len - at);
        if (is_alive(l, q, x->queue[i].n_cp, x->queue[i].cut)) arti_bits_set(l->row, x->queue[i].id);
        if (!fault_if(l, q)) return false;
    }
    return true;
}

static bool run_token(left *x, const arti_atom_plan *p, const arti_group *g, uint32_t k) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    const bool skips = p->after != ARTI_RE_DEAD && arti_atoms[g->atom].hi < 0x80;
    if (x->n_queued == QUEUE && !run_queue(x)) return false;
    x->queue[x->n_queued].id = v->group_ids[k];
    x->queue[x->n_queued].q = skips ? p->after : l->q;
    x->queue[x->n_queued].at = skips;
    x->queue[x->n_queued].n_cp = v->group_cps[k];
    x->queue[x->n_queued].cut = g->atom == ARTI_N_ATOMS || g->rest & ARTI_ATOM_PARTIAL;
    x->n_queued++;
    return true;
}

/* Tokens from the k-th on, of at most `last` characters, of a group whose tokens are one character again and again behind the first one:
 * their texts need not be read. */
static bool run_repeats(arti_lang *l, const arti_atom_plan *p, const arti_group *g, uint32_t k, uint32_t last) {
    const art_vocab *v = l->w->v;
    const uint8_t byte = (uint8_t)arti_atoms[arti_bits_lowest64(g->rest)].lo;
    arti_re_state q = p->after;
    for (uint32_t n = 1; k < g->first + g->n && v->group_cps[k] <= last; k++) {
        while (n < v->group_cps[k] && q != ARTI_RE_DEAD) {
            const arti_re_state next = arti_re_step(l->w->x->s->re, q, byte);
            if (next == ARTI_RE_FAIL) return fault_if(l, next);
            n = next == q ? v->group_cps[k] : n + 1;
            q = next;
        }
        if (is_alive(l, q, v->group_cps[k], false)) arti_bits_set(l->row, v->group_ids[k]);
    }
    return !arti_faulted(l->w->x->s);
}

/* Is it such a group, and is it known where the first character leads? */
static bool has_repeats(const arti_atom_plan *p, const arti_group *g) {
    if (p->after == ARTI_RE_DEAD || !g->rest || g->rest & (g->rest - 1) || g->rest & ARTI_ATOM_PARTIAL) return false;
    const arti_atom *a = &arti_atoms[arti_bits_lowest64(g->rest)];
    return a->lo == a->hi && a->hi < 0x80;
}

/* The tokens of a group that rows do not decide. */
static bool run_group(left *x, const arti_atom_plan *p, const arti_group *g, arti_verdict is) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    const bool fits = is == ARTI_ACCEPTED || is == ARTI_SINGLY;
    uint32_t k = g->first, last = l->room;
    if (is == ARTI_ACCEPTED) {
        if (g->max_cp <= l->common) return true;
        k = arti_group_longer(v, g, l->common);
    } else if (is == ARTI_REJECTED) {
        if (p->ends || p->room == UINT32_MAX || g->max_cp <= p->room + 1) return true;
        k = arti_group_longer(v, g, p->room + 1);
    }
    if (fits) last = arti_plan_most(l, p) > p->top ? arti_plan_most(l, p) : p->top;
    while (fits && k < g->first + g->n && v->group_cps[k] >= p->low && v->group_cps[k] <= p->top)
        arti_bits_set(l->row, v->group_ids[k++]);
    if (k == g->first + g->n) return true;
    if (has_repeats(p, g)) return run_repeats(l, p, g, k, last);
    for (; k < g->first + g->n && v->group_cps[k] <= last; k++) {
        if (fits && v->group_cps[k] >= p->low && v->group_cps[k] <= p->top)
            arti_bits_set(l->row, v->group_ids[k]);
        else if (!run_token(x, p, g, k))
            return false;
    }
    return true;
}

static bool run_groups(left *x) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    for (uint32_t i = 0; i * 64 < v->n_groups; i++) {
        for (uint64_t bits = l->todo[i]; bits; bits &= bits - 1) {
            const uint32_t g = i * 64 + arti_bits_lowest64(bits);
            if (!run_group(x, &l->plans[v->groups[g].atom], &v->groups[g], (arti_verdict)l->verdicts[g])) return false;
        }
    }
    return run_queue(x);
}

/* ------------------------------------------------------------------ the trie */

typedef struct level { /* a node whose children are looked at */
    arti_re_state q;
    uint32_t kid, end; /* what is left of its list of children, or of its subtree */
    uint16_t n_cp;
    uint8_t tail; /* bytes that the character still lacks */
    bool is_list;
} level;

/* The next child of the node; false: there is none. */
static inline bool next_kid(const art_vocab *v, level *at, uint32_t *node, uint8_t *byte) {
    if (at->kid == at->end) return false;
    if (at->is_list) {
        *node = v->lex->kid_node[at->kid];
        *byte = v->lex->kid_byte[at->kid++];
    } else {
        *node = at->kid;
        *byte = v->node[at->kid].byte;
        at->kid = v->node[at->kid].next;
    }
    return true;
}

static void enter(const art_vocab *v, level *at, uint32_t node) {
    const uint32_t list = arti_lex_kids(v->lex, node);
    at->is_list = list != UINT32_MAX;
    at->kid = at->is_list ? v->lex->kid_first[list] : node + 1;
    at->end = at->is_list ? v->lex->kid_first[list + 1] : v->node[node].next;
}

/* What is known to do no harm in state q, which lies between characters. Only so many states are searched in one walk: usually few are met
 * again and again. */
static bool look_up_safe(left *x, arti_re_state q, const harmless **out) {
    arti_lang *l = x->l;
    harmless *h = &x->harmless[q % HARMLESS];
    *out = h;
    if (h->q == q) return true;
    arti_re_safe safe = {.in = 0};
    if (x->n_searches < SEARCHES_MAX) {
        x->n_searches++;
        if (arti_re_get_safe(l->w->x->s->re, q, false, &safe) != ART_OK)
            return arti_fault_re(l->w->x->s, NULL, 0, "pattern");
    }
    *h = (harmless){.q = q, .room = safe.room, .in = safe.in & ARTI_ALL_ATOMS};
    if ((h->in & l->wide) == l->wide) h->in |= ARTI_ATOM_PARTIAL;
    return true;
}

/* Are all tokens below the node alive that stay in the string? It has no more characters below it than nodes. */
static bool is_safe_below(left *x, uint32_t node, arti_re_state q, bool *safe) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    const uint64_t below = v->below[node] & ~(ARTI_ATOM_SPECIAL & ~ARTI_ATOM_PARTIAL);
    const uint32_t size = v->node[node].next - node - 1, longest = size < v->token_len_max ? size : v->token_len_max;
    const harmless *h;
    *safe = false;
    if (!look_up_safe(x, q, &h)) return false;
    *safe = !(below & ~h->in) && h->room >= longest;
    return true;
}

/* All tokens below the node that stay in the string, and its own. */
static void set_below(arti_lang *l, uint32_t node) {
    const art_vocab *v = l->w->v;
    const uint32_t first = v->node[node].tok, end = v->node[v->node[node].next].tok;
    const uint32_t *stay = arti_vocab_stay(v, UINT32_MAX);
    if (!(v->below[node] & ARTI_ATOM_SPECIAL)) {
        arti_bits_set_ids(l->row, v->order + first, end - first);
        return;
    }
    for (uint32_t k = first; k < end; k++)
        if (arti_bits_test(stay, v->order[k])) arti_bits_set(l->row, v->order[k]);
}

/* The tokens that begin with the byte. */
static bool walk_trie(left *x, level *levels, uint8_t first) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    arti_re_ctx *re = l->w->x->s->re;
    level *at = levels;
    *at = (level){.q = l->q};
    uint32_t node = v->root_child[first];
    uint8_t byte = first;
    for (;;) { /* steps into `node` */
        if (++x->n_nodes > l->w->nodes_max && l->w->nodes_max) return false;
        level *to = at + 1;
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        to->q = plain ? arti_re_step(re, at->q, byte) : ARTI_RE_DEAD;
        to->n_cp = (uint16_t)(at->n_cp + ((byte & 0xC0u) != 0x80u));
        if (to->q == ARTI_RE_FAIL) return fault_if(l, to->q);
        if (to->q != ARTI_RE_DEAD && to->n_cp <= l->room) {
            const uint32_t end = v->node[node].next;
            to->tail = (byte & 0xC0u) == 0x80u ? (uint8_t)(at->tail - 1u)
                       : byte < 0x80u          ? 0
                       : byte < 0xE0u          ? 1
                       : byte < 0xF0u          ? 2
                                               : 3;
            bool safe = false;
            if (!l->has_bounds && to->tail == 0 && end - node > SEARCH_WORTH && !is_safe_below(x, node, to->q, &safe))
                return false;
            if (safe) {
                set_below(l, node);
            } else {
                const uint32_t tok = v->node[node].tok, tok_end = v->node[node + 1].tok;
                const bool near =
                    l->has_bounds && l->room - to->n_cp < NEAR; /* then it is worth asking before the token ends */
                const bool alive = !(near || tok_end > tok) || is_alive(l, to->q, to->n_cp, to->tail > 0);
                for (uint32_t k = tok; k < tok_end && alive; k++) arti_bits_set(l->row, v->order[k]);
                if (end > node + 1 && (alive || !near)) {
                    enter(v, to, node);
                    at = to;
                }
            }
        }
        while (at > levels && !next_kid(v, at, &node, &byte)) at--;
        if (at == levels) return !arti_faulted(l->w->x->s);
    }
}

static bool walk_left(left *x) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    bool bytes[256] = {false}, any = false;
    for (uint32_t a = 0; a < ARTI_N_ATOMS; a++) {
        if (l->plans[a].is != ARTI_LEFT) continue;
        uint8_t lo[4], hi[4];
        arti_u8_put(lo, arti_atoms[a].lo);
        arti_u8_put(hi, arti_atoms[a].hi);
        memset(bytes + lo[0], true, hi[0] - lo[0] + 1u);
        any = true;
    }
    if (!any) return true;
    level *levels = arti_region_get(l->w->x->region, l->w->m->depth_cap * sizeof *levels);
    if (!levels) return arti_fault_mem(l->w->x->s);
    for (uint32_t b = 0; b < 256; b++)
        if (bytes[b] && v->root_child[b] && !walk_trie(x, levels, (uint8_t)b)) return false;
    return true;
}

bool arti_left_run(arti_lang *l) {
    left x = {.l = l};
    return run_groups(&x) && walk_left(&x) && !arti_faulted(l->w->x->s);
}
