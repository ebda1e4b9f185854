/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens lie anywhere in memory, so they are run in batches that are fetched ahead. Tokens of a first atom that is left as a whole are
 * walked down the trie below its bytes, past subtrees whose atoms are harmless in the state that was reached. Most nodes lie in small
 * subtrees: where lengths do not matter these are gone through from the first node to the last, with a table of the states that were
 * met, which takes a quarter of the time. */
#include "art_mask_groups.h"

#include "art_bits.h"
#include "art_mask_lang.h"

#define NEAR 16u          /* characters before the longest length allowed */
#define LEAF_NODES 2u     /* a subtree of no more is not worth any question */
#define SEARCH_WORTH 256u /* searches for harmless atoms take longer than to walk so many nodes, */
#define SEARCH_WORK 4096u /* .. and only so much work is done on them in a walk */
#define ADD_MAX 2000u     /* tokens that are run to complete a row */
#define QUEUE 64u         /* tokens that are run together */
#define SMALL_NODES 2048u /* of a subtree that is gone through node by node, */
#define SMALL_LEVELS 100u /* .. and its levels */
#define TABLE_STATES 250u /* more than levels */
#define TABLE_SLOTS 512u
#define LOOPLESS_MAX 8u /* states that are found to be so, until no others are asked */
#define HARMLESS 3u     /* sets of atoms */
#define NOWHERE 0u      /* in the table: no text goes on like this */
#define NOT_KNOWN 255u

typedef struct table_state { /* a state that was met */
    arti_re_state q;
    uint32_t met;            /* nodes of subtrees that were reached in it before it was searched; UINT32_MAX: it was */
    uint32_t room[HARMLESS]; /* any text of in[i] of at most room[i] characters is alive: two searches, and loops */
    uint64_t in[HARMLESS];
    uint8_t any;       /* any text of so many characters is alive */
    uint8_t next[256]; /* by byte: place in the table */
} table_state;

typedef struct table {
    table_state at[TABLE_STATES]; /* the first one is no state */
    uint8_t slots[TABLE_SLOTS];   /* by a hash of the state: place; 0: free */
    uint32_t n;
} table;

typedef uint8_t small_path[SMALL_LEVELS + 1]; /* from the root of a small subtree: places in the table */

typedef struct left {
    arti_lang *l;
    table *table; /* where lengths do not matter */
    uint64_t search_work;
    uint32_t n_loopless; /* states that no atom leads back to */
    uint32_t n_nodes;    /* of the trie, looked at so far */
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
        *node = v->kid_node[at->kid];
        *byte = v->kid_byte[at->kid++];
    } else {
        *node = at->kid;
        *byte = v->node[at->kid].byte;
        at->kid = v->node[at->kid].next;
    }
    return true;
}

static void enter(const art_vocab *v, level *at, uint32_t node) {
    const uint32_t list = arti_lex_kids(v, node);
    at->is_list = list != UINT32_MAX;
    at->kid = at->is_list ? v->kid_first[list] : node + 1;
    at->end = at->is_list ? v->kid_first[list + 1] : v->node[node].next;
}

/* ------------------------------------------------------------------ states that a walk has met */

static void table_clear(table *t) {
    t->n = 1;
    memset(t->slots, 0, sizeof t->slots);
}

/* Place of a live state; the table may not be full. */
static uint32_t table_place(table *t, arti_re_state q) {
    uint32_t slot = (q * 0x9E3779B1u >> 16) % TABLE_SLOTS;
    while (t->slots[slot] && t->at[t->slots[slot]].q != q) slot = (slot + 1) % TABLE_SLOTS;
    if (t->slots[slot]) return t->slots[slot];
    table_state *to = &t->at[t->n];
    to->q = q;
    to->met = to->any = 0;
    for (uint32_t i = 0; i < HARMLESS; i++) to->in[i] = 0;
    memset(to->next, NOT_KNOWN, sizeof to->next);
    memset(to->next, NOWHERE, 0x20);
    to->next['"'] = to->next['\\'] = NOWHERE;
    t->slots[slot] = (uint8_t)t->n;
    return t->n++;
}

/* Makes room for another state: those on the path up to `depth` stay. */
static void table_make_room(table *t, uint8_t *path, uint32_t depth) {
    arti_re_state states[SMALL_LEVELS + 1];
    if (t->n < TABLE_STATES) return;
    for (uint32_t d = 0; d <= depth; d++) states[d] = t->at[path[d]].q;
    table_clear(t);
    for (uint32_t d = 0; d <= depth; d++) path[d] = (uint8_t)table_place(t, states[d]);
}

/* What leads back to the state does no harm, however much of it comes: that takes no search. */
static bool find_loops(left *x, table_state *at) {
    if (x->n_loopless > LOOPLESS_MAX) return true;
    if (!arti_lang_loops(x->l->w->x->s, at->q, &at->in[2])) return false;
    at->room[2] = ARTI_RE_UNBOUNDED;
    x->n_loopless += at->in[2] == 0;
    return true;
}

/* Finds out what does no harm in a state that a subtree of so many nodes was reached in, where that is worth it and as long as it is not
 * too much work: usually few states are met again and again. */
static bool search(left *x, table_state *at, uint32_t size) {
    if (at->met == UINT32_MAX) return true;
    at->met += size;
    if (at->met < SEARCH_WORTH) return true;
    at->met = UINT32_MAX;
    if (!find_loops(x, at)) return false;
    arti_re_safe safe;
    const uint64_t before = arti_re_work_done(x->l->w->x->s->re);
    if (x->search_work > SEARCH_WORK || !arti_lang_may_search(x->l)) return true;
    if (!arti_lang_search(x->l, at->q, &safe)) return false;
    x->search_work += arti_re_work_done(x->l->w->x->s->re) - before;
    at->in[0] = safe.in & ARTI_ALL_ATOMS;
    at->room[0] = safe.room;
    at->in[1] = safe.near_in & ARTI_ALL_ATOMS;
    at->room[1] = safe.near;
    for (uint32_t i = 0; i < 2; i++) {
        if ((at->in[i] & x->l->wide) == x->l->wide) at->in[i] |= ARTI_ATOM_PARTIAL;
        if (at->in[i] != (ARTI_ALL_ATOMS | ARTI_ATOM_PARTIAL)) continue;
        at->any = (uint8_t)(at->room[i] < UINT8_MAX ? at->room[i] : UINT8_MAX - 1);
    }
    return true;
}

/* Are all tokens below the node alive that stay in the string? */
static bool is_safe_below(const art_vocab *v, const table_state *at, uint32_t node) {
    const uint64_t below = v->below[node] & ~(ARTI_ATOM_SPECIAL & ~ARTI_ATOM_PARTIAL);
    for (uint32_t i = 0; i < HARMLESS; i++)
        if (!(below & ~at->in[i]) && v->node[node].height <= at->room[i] &&
            (v->node[node].height < UINT8_MAX || at->room[i] == UINT32_MAX))
            return true;
    return false;
}

/* No token below the node is alive, nor its own. */
static void reject_below(arti_lang *l, uint32_t node) {
    const art_vocab *v = l->w->v;
    const uint32_t end = l->clears ? v->node[v->node[node].next].tok : 0;
    for (uint32_t k = v->node[node].tok; k < end; k++) arti_bits_clear(l->row, v->order[k]);
}

/* All tokens below the node are alive that stay in the string, and its own. */
static void accept_below(arti_lang *l, uint32_t node) {
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

/* The same in a state between characters, which may be searched for that. */
static bool is_safe_at(left *x, uint32_t node, arti_re_state q, bool *is_safe) {
    table *t = x->table;
    if (t->n == TABLE_STATES) table_clear(t);
    table_state *at = &t->at[table_place(t, q)];
    if (!search(x, at, x->l->w->v->node[node].next - node)) return false;
    *is_safe = is_safe_below(x->l->w->v, at, node);
    return true;
}

/* What the byte leads to from the state at `depth` of the path; *to: place in the table. */
static bool learn(left *x, uint8_t *path, uint32_t depth, uint8_t byte, uint32_t *to) {
    table *t = x->table;
    const arti_re_state q = arti_re_step(x->l->w->x->s->re, t->at[path[depth]].q, byte);
    if (q == ARTI_RE_FAIL) return fault_if(x->l, q);
    *to = NOWHERE;
    if (q != ARTI_RE_DEAD) {
        table_make_room(t, path, depth);
        *to = table_place(t, q);
    }
    t->at[path[depth]].next[byte] = (uint8_t)*to;
    return true;
}

/* The nodes below one that is reached in state q. */
static bool walk_small(left *x, uint32_t root, arti_re_state q) {
    arti_lang *l = x->l;
    const art_vocab *v = l->w->v;
    const arti_node *const nodes = v->node;
    table *const t = x->table;
    small_path path;
    const uint32_t end = nodes[root].next, top = nodes[root].depth;
    const uint32_t n_max = l->w->nodes_max ? l->w->nodes_max - x->n_nodes : UINT32_MAX;
    const bool clears = l->clears;
    uint32_t n = 0; /* nodes looked at */
    if (t->n == TABLE_STATES) table_clear(t);
    path[0] = (uint8_t)table_place(t, q);
    for (uint32_t i = root + 1; i < end;) {
        const arti_node *node = &nodes[i];
        const uint32_t depth = node->depth - top, size = node->next - i;
        const table_state *from = &t->at[path[depth - 1]];
        uint32_t to = from->next[node->byte];
        if (n++ == n_max) {
            x->n_nodes += n;
            return false;
        }
        if (clears && node->height < from->any) {
            i += size;
            continue;
        }
        if (to == NOT_KNOWN && !learn(x, path, depth - 1, node->byte, &to)) return false;
        if (to == NOWHERE) {
            reject_below(l, i);
            i += size;
            continue;
        }
        path[depth] = (uint8_t)to;
        if (size > LEAF_NODES) {
            table_state *at = &t->at[to];
            if (at->met != UINT32_MAX && !search(x, at, size)) return false;
            if (is_safe_below(v, at, i)) {
                if (!clears) accept_below(l, i);
                i += size;
                continue;
            }
        }
        const uint32_t tok_end = clears ? 0 : nodes[i + 1].tok;
        for (uint32_t k = node->tok; k < tok_end; k++) arti_bits_set(l->row, v->order[k]);
        i++;
    }
    x->n_nodes += n;
    return true;
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
            bool is_safe = false;
            if (!l->has_bounds && to->tail == 0 && end - node > SMALL_NODES && !is_safe_at(x, node, to->q, &is_safe))
                return false;
            if (is_safe) {
                if (!l->clears) accept_below(l, node);
            } else {
                const uint32_t tok = v->node[node].tok, tok_end = v->node[node + 1].tok;
                const bool near =
                    l->has_bounds && l->room - to->n_cp < NEAR; /* then it is worth asking before the token ends */
                const bool alive = !(near || tok_end > tok) || is_alive(l, to->q, to->n_cp, to->tail > 0);
                for (uint32_t k = tok; k < tok_end && alive && !l->clears; k++) arti_bits_set(l->row, v->order[k]);
                if (!l->has_bounds && end - node <= SMALL_NODES && v->node[node].height <= SMALL_LEVELS) {
                    if (!walk_small(x, node, to->q)) return false;
                } else if (end > node + 1 && (alive || !near)) {
                    enter(v, to, node);
                    at = to;
                }
            }
        } else {
            reject_below(l, node);
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
    bool done = false;
    if (l->clears && !arti_words_clear(l, &done)) return false;
    if (done) return true;
    level *levels = arti_region_get(l->w->x->region, l->w->m->depth_cap * sizeof *levels);
    if (!levels) return arti_fault_mem(l->w->x->s);
    if (!l->has_bounds) {
        x->table = arti_region_get(l->w->x->region, sizeof *x->table);
        if (!x->table) return arti_fault_mem(l->w->x->s);
        table_clear(x->table);
    }
    for (uint32_t b = 0; b < 256; b++)
        if (bytes[b] && v->root_child[b] && !walk_trie(x, levels, (uint8_t)b)) return false;
    return true;
}

bool arti_left_add(arti_lang *l, bool *done) {
    const art_vocab *v = l->w->v;
    art_schema *s = l->w->x->s;
    const uint32_t *stay = arti_vocab_stay(v, UINT32_MAX);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n_words && n <= ADD_MAX; i++) n += arti_bits_count64(stay[i] & ~l->row[i]);
    *done = n <= ADD_MAX;
    for (uint32_t i = 0; i < v->n_words && *done; i++) {
        for (uint32_t bits = stay[i] & ~l->row[i]; bits; bits &= bits - 1) {
            const uint32_t id = i * 32 + arti_bits_lowest(bits);
            size_t len;
            const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
            const arti_re_state q = arti_re_run(s->re, l->q, bytes, len);
            if (!fault_if(l, q)) return false;
            if (q != ARTI_RE_DEAD) arti_bits_set(l->row, id);
        }
    }
    return true;
}

bool arti_left_run(arti_lang *l) {
    left x = {.l = l};
    const bool ok = run_groups(&x) && walk_left(&x) && !arti_faulted(l->w->x->s);
    if (l->w->nodes_max) l->w->nodes_max -= x.n_nodes < l->w->nodes_max ? x.n_nodes : l->w->nodes_max - 1;
    return ok;
}
