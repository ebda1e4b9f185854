/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks inside keys. As for values (art_mask_text.c), a key is wide where any characters may follow, else narrow. Its part 0 is the set
 * of declared names, the others are the languages of other keys. */
#include "art_bits.h"
#include "art_digest.h"
#include "art_mask_lang.h"
#include "art_unique.h"

/* Which digests a set may have, to ask few of them: all, where the set is large. */
typedef struct filter {
    uint64_t bits[16];
} filter;

#define FILTER_KEYS_MAX 256u
#define FILTER_DEPTH 64u

static void filter_init(filter *f, const arti_hset *set) {
    const arti_hset *stack[FILTER_DEPTH];
    uint32_t n = 0, n_keys = 0;
    memset(f, 0, sizeof *f);
    if (set) stack[n++] = set;
    while (n) {
        const arti_hset *at = stack[--n];
        if (n + 2 > FILTER_DEPTH || n_keys++ == FILTER_KEYS_MAX) {
            memset(f, 0xFF, sizeof *f);
            return;
        }
        f->bits[at->hash / 64 % 16] |= UINT64_C(1) << (at->hash % 64);
        if (at->left) stack[n++] = at->left;
        if (at->right) stack[n++] = at->right;
    }
}

static bool set_has(const filter *f, const arti_hset *set, uint64_t hash) {
    return f->bits[hash / 64 % 16] >> (hash % 64) & 1u && arti_hset_has(set, hash);
}

typedef struct leaver {
    arti_walk *w;
    const arti_state *st;   /* where the walk begins */
    const arti_hset *taken; /* keys with these digests are there already */
    filter taken_filter;
    bool exact_tail; /* what comes behind the quote may depend on the digest too, where it ends a container */
    uint32_t n_parts, n;
    arti_quote *sigs;
    /* Languages only: the ways to leave the key after which some part accepts, and after which each of those alive does (arti_lang_ends()). */
    uint32_t *ends, *ends_of[ARTI_KEY_PARTS_MAX];
    uint32_t n_live, live[ARTI_KEY_PARTS_MAX];
} leaver;

static bool is_taken(const leaver *l, uint64_t hash) {
    return l->taken && set_has(&l->taken_filter, l->taken, hash);
}

#define OTHER_HASH UINT64_C(0x6f7468657220)

uint64_t arti_key_other_hash(const arti_state *st) {
    uint64_t hash = OTHER_HASH;
    while (st->text.offer_other && arti_hset_has(st->top->set, hash)) hash = arti_hash_mix(hash, 1);
    return hash;
}

/* Part i > 0 of the machine that reads the key. */
static const arti_part *other_part(const arti_state *st, uint32_t i) {
    return &((const arti_object_machine *)st->text.machine)->parts[i - 1];
}

static bool step_part(arti_jctx *x, const arti_state *st, uint32_t i, uint64_t *q, uint8_t byte) {
    if (*q == 0) return true;
    if (i == 0) {
        *q = arti_set_step(((const arti_object_machine *)st->text.machine)->names, *q, byte);
        return true;
    }
    return arti_part_step(x->s, other_part(st, i), q, byte);
}

/* Bit i: part i accepts; bit 0: the key is a declared name. */
static uint64_t accepting(const leaver *l, const uint64_t *q, uint32_t n_cp) {
    uint64_t bits = 0;
    art_schema *s = l->w->x->s;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (q[i] == 0) continue;
        bool in;
        if (i == 0)
            in = arti_set_whole(((const arti_object_machine *)l->st->text.machine)->names, q[0]) != UINT32_MAX;
        else
            in = arti_part_accepts(s, other_part(l->st, i), q[i], n_cp);
        bits |= (uint64_t)in << i;
    }
    return bits;
}

/* The text state that a walk has reached, as a whole state. */
static arti_state whole(const leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, uint8_t u8) {
    arti_state st = *l->st;
    if (l->n_parts == 1)
        st.text.q.one = q[0];
    else
        st.text.q.many = q;
    st.text.n_cp = n_cp;
    st.text.hash = hash;
    st.text.u8 = u8;
    st.text.escape = ARTI_ESC_NONE;
    return st;
}

/* One more quote, behind a text; NULL on a fault, or when there are too many. */
static arti_quote *add_quote(leaver *l, uint64_t accepts, const uint64_t *q, uint32_t n_cp, uint64_t hash) {
    if (l->n == ARTI_QUOTES) return NULL;
    arti_jctx *x = l->w->x;
    arti_quote *sig = &l->sigs[l->n];
    sig->accepts = accepts;
    sig->has_suffixes = false;
    sig->after = whole(l, q, n_cp, hash, ARTI_U8_0);
    arti_region *region = x->region; /* these frames must outlive the walk's marks */
    x->region = &l->w->m->closing;
    sig->closes = arti_state_step(x, &sig->after, '"');
    x->region = region;
    sig->is_scarce = l->exact_tail && sig->closes && !arti_unique_has_many(x, &sig->after);
    if (arti_faulted(x->s)) return NULL;
    l->n++;
    return sig;
}

static arti_quote *known_quote(const leaver *l, uint64_t accepts) {
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sigs[i].accepts == accepts) return &l->sigs[i];
    return NULL;
}

/* The signature of a text; NULL when the quote leads to something of its own (a name, an exact text): see arti_walk_tail. */
static arti_quote *signature_of(leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, bool *failed) {
    *failed = false;
    const uint64_t bits = accepting(l, q, n_cp);
    if (bits & 1u) return NULL;
    if (is_taken(l, hash)) return NULL;
    arti_quote *sig = known_quote(l, bits);
    /* Where the digest may matter behind the quote: what goes on after no text may go on after some. */
    if (!sig) sig = add_quote(l, bits, q, n_cp, l->exact_tail ? arti_key_other_hash(l->st) : hash);
    *failed = arti_faulted(l->w->x->s);
    return sig;
}

/* ------------------------------------------------------------------ wide keys */

bool arti_key_is_wide(const arti_state *st) {
    return arti_takes_any_name(st);
}

void arti_key_name_bytes(const arti_state *st, uint64_t bits[4], bool *ends) {
    arti_set_next_bytes(((const arti_object_machine *)st->text.machine)->names, arti_text_q(st)[0], bits, ends);
}

/* A token that leaves by itself: steps the whole of it. */
static bool leave_alone(leaver *l, uint32_t id) {
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, id, &len);
    if (arti_walk_tail(l->w, l->st, bytes, len)) arti_walk_set(l->w, id);
    return !arti_faulted(l->w->x->s);
}

/* ------------------------------------------------------------------ names */

/* The state of the declared names after a text; 0: none goes on like that. */
static uint64_t names_after(const leaver *l, const uint8_t *text, uint32_t len) {
    const arti_object_machine *m = l->st->text.machine;
    uint64_t q = arti_text_q(l->st)[0];
    for (uint32_t i = 0; i < len && q; i++) q = arti_set_step(m->names, q, text[i]);
    return q;
}

static bool is_offered(const arti_state *st, uint32_t name) {
    return st->text.offer && (st->text.offer[name / 64] >> (name % 64) & 1u);
}

/* Is one of the names lo .. hi - 1 offered? */
static bool any_offered(const arti_state *st, uint32_t lo, uint32_t hi) {
    return st->text.offer && arti_bits_any_in64(st->text.offer, lo, hi);
}

static bool is_space(uint8_t b) {
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}
static bool begins_value(uint8_t b) {
    return (b >= '0' && b <= '9') || memchr("\"{[-tfn", b, 7);
}

/* The quote behind the text that is there, which is a declared name; *own gets what may follow it. */
static bool close_here(leaver *l, arti_quote *own) {
    arti_jctx *x = l->w->x;
    own->after = *l->st;
    own->has_suffixes = false;
    own->closes = arti_state_step(x, &own->after, '"');
    if (arti_faulted(x->s)) return false;
    if (own->closes) return arti_walk_suffixes(l->w, own);
    memset(own->suffixes, 0, sizeof own->suffixes);
    return true;
}

/* Are the suffixes numbered, and tails known for them? */
static bool has_tails(const leaver *l) {
    return !l->w->x->embedded && l->w->v->lex->n_tails <= ARTI_SUFFIX_WORDS_MAX * 32;
}

/* Tokens that begin with the quote that closes the text which is there: sets those whose suffixes differ from `others`, which are set (NULL:
 * none are), as *own has it. */
static void set_closing(leaver *l, const arti_quote *own, const uint64_t *others) {
    const art_vocab *v = l->w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    for (uint32_t at = 0; at < set->n_suffix; at += 64) {
        const uint64_t now = own->suffixes[at / 64];
        for (uint64_t bits = others ? now ^ others[at / 64] : now; bits; bits &= bits - 1) {
            const uint32_t k = at + arti_bits_lowest64(bits);
            if (k >= set->n_suffix) break;
            const arti_suffix *sf = &v->suffixes[set->suffix + k];
            for (uint32_t t = sf->first; t < sf->first + sf->n && v->leave[t].n_byte == 0; t++) {
                if (now >> (k % 64) & 1u)
                    arti_walk_set(l->w, v->leave[t].token);
                else
                    arti_walk_clear(l->w, v->leave[t].token);
            }
        }
    }
}

/* The tokens that end at a node of the vocabulary's trie. */
static void set_node(arti_walk *w, uint32_t node) {
    const art_vocab *v = w->v;
    arti_walk_set_ids(w, v->order + v->node[node].tok, v->node[node + 1].tok - v->node[node].tok);
}

/* Tokens at and below `node` of the vocabulary's trie, which closes name `name`: what else they hold is the name's own. */
static bool close_name(leaver *l, uint32_t node, uint32_t name) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_node *n = &v->node[node];
    if (!is_offered(l->st, name)) return true;
    if (n->depth == 1 && has_tails(l)) {
        arti_quote *own = arti_region_get(w->x->region, sizeof *own);
        if (!own) return arti_fault_mem(w->x->s);
        if (!close_here(l, own)) return false;
        set_closing(l, own, NULL);
        return true;
    }
    set_node(w, node);
    const uint32_t colon = arti_lex_child(v, node, ':');
    bool more = n->next > node + 1; /* besides a colon, which always may, something that JSON admits follows */
    if (colon) {
        set_node(w, colon);
        more = false;
        for (uint32_t k = node + 1; k < n->next && !more; k = v->node[k].next) more = is_space(v->node[k].byte);
        for (uint32_t k = colon + 1; k < v->node[colon].next && !more; k = v->node[k].next)
            more = is_space(v->node[k].byte) || begins_value(v->node[k].byte);
    }
    if (!more) return true;
    arti_jctx *x = w->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const arti_object_machine *m = l->st->text.machine;
    const arti_key *key = &m->names[name];
    arti_state at = *l->st;
    uint32_t i = arti_set_depth(arti_text_q(l->st)[0]);
    while (i < key->len && arti_state_step(x, &at, (uint8_t)key->ptr[i])) i++;
    bool ok = true;
    if (i == key->len && arti_state_step(x, &at, '"'))
        for (uint32_t k = node + 1; k < n->next && ok; k = v->node[k].next) ok = arti_walk_subtree(w, k, &at);
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

/* One step down the vocabulary's trie along the names lo .. hi - 1, of which `depth` bytes are read there. */
typedef struct name_level {
    uint32_t node, lo, hi, depth;
} name_level;

/* Follows the names that go on from where the key is down the vocabulary's trie, all of them at once, byte by byte: its nodes lie anywhere
 * in memory, and are fetched while the others are found. */
static bool walk_names(leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_object_machine *m = l->st->text.machine;
    const uint64_t q = arti_text_q(l->st)[0];
    if (!q) return true;
    const arti_region_mark mark = arti_region_mark_now(w->x->region);
    const size_t cap = (size_t)(arti_set_hi(q) - arti_set_lo(q)) + 1; /* no more than names, as they share none */
    name_level *levels = arti_region_get(w->x->region, 2 * cap * sizeof *levels);
    if (!levels) return arti_fault_mem(w->x->s);
    name_level *now = levels, *next = levels + cap;
    size_t n = 1;
    now[0] = (name_level){0, arti_set_lo(q), arti_set_hi(q), arti_set_depth(q)};
    bool ok = true;
    while (n && ok) {
        size_t n_next = 0;
        for (size_t i = 0; i < n; i++) arti_prefetch(&v->order[v->node[now[i].node].tok]);
        for (size_t i = 0; i < n && ok; i++) {
            name_level at = now[i];
            if (at.node) set_node(w, at.node);
            if (m->names[at.lo].len == at.depth) { /* the shortest comes first */
                const uint32_t quote = arti_lex_child(v, at.node, '"');
                if (quote) ok = close_name(l, quote, at.lo);
                at.lo++;
            }
            while (at.lo < at.hi && ok) {
                const uint8_t byte = (uint8_t)m->names[at.lo].ptr[at.depth];
                uint32_t end = at.lo + 1;
                while (end < at.hi && (uint8_t)m->names[end].ptr[at.depth] == byte) end++;
                const uint32_t node = byte == '"' || byte == '\\' || byte < 0x20 || !any_offered(l->st, at.lo, end)
                                          ? 0
                                          : arti_lex_child(v, at.node, byte);
                if (node) {
                    arti_prefetch(&v->node[node]);
                    next[n_next++] = (name_level){node, at.lo, end, at.depth + 1};
                }
                at.lo = end;
            }
        }
        name_level *t = now;
        now = next, next = t;
        n = n_next;
    }
    arti_region_reset(w->x->region, mark);
    return ok;
}

/* May an escape that is cut off become a character of these first bytes? As far as that is plain to see. */
static bool may_escape(const art_vocab *v, const arti_escaped *e, const uint64_t next[4]) {
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
    if (next[2] | next[3]) return true;
    if (len - e->tail <= 2) return next[0] | next[1];
    return bytes[e->tail + 2] == '0'; /* ASCII */
}

/* May a name that is offered go on with some character, whichever? */
static bool goes_on(const arti_state *st) {
    const uint64_t q = arti_text_q(st)[0];
    const arti_key *names = ((const arti_object_machine *)st->text.machine)->names;
    if (!q) return false;
    const uint32_t lo = arti_set_lo(q);
    return any_offered(st, lo + (names[lo].len == arti_set_depth(q)), arti_set_hi(q));
}

/* Only declared names may come, and the key stands between two characters. */
static bool walk_names_only(leaver *l) {
    const art_vocab *v = l->w->v;
    l->w->tracks = true;
    arti_walk_copy(l->w, NULL);
    uint64_t next[4];
    bool ends;
    arti_key_name_bytes(l->st, next, &ends);
    const bool any = goes_on(l->st);
    for (uint32_t k = 0; k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        if (arti_escape_is_bare(v, e)) {
            if (any) arti_walk_set(l->w, e->token);
            continue;
        }
        const uint8_t first = v->escape_text[e->text]; /* without text, an escape may become any character */
        if (e->len ? !(next[first / 64] >> (first % 64) & 1u) : !may_escape(v, e, next)) continue;
        if (!leave_alone(l, e->token)) return false;
    }
    return walk_names(l);
}

/* ------------------------------------------------------------------ other keys */

static bool is_twice(const arti_lex *lex, uint32_t suffix) {
    for (uint32_t i = 0; i < lex->n_twice; i++)
        if (lex->twice[i] == suffix) return true;
    return false;
}

/* Tokens that end a declared name with what stands at a node of the vocabulary's heads. */
static bool leave_name(leaver *l, uint32_t node, uint32_t name, uint64_t q, uint64_t hash) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const arti_lex *lex = v->lex;
    const arti_lex_trie *t = &lex->heads;
    const bool offered = is_offered(l->st, name), free_space = x->space_max == UINT8_MAX;
    bool has_after = false, closes = false;
    arti_state after = *l->st;
    for (uint32_t e = t->node[node].tok; e < t->node[node + 1].tok; e++) {
        const uint32_t tail = lex->head_tails[e];
        if (!offered) {
            arti_walk_clear(w, t->ids[e]);
            continue;
        }
        if (lex->plain[tail] && free_space) { /* a colon always may */
            arti_walk_set(w, t->ids[e]);
            continue;
        }
        if (!has_after) {
            uint64_t *many = arti_region_get(x->region, l->n_parts * sizeof *many);
            if (!many) return arti_fault_mem(x->s);
            memcpy(many, arti_text_q(l->st), l->n_parts * sizeof *many);
            many[0] = q;
            after = whole(l, many, l->st->text.n_cp, hash, ARTI_U8_0);
            closes = arti_state_step(x, &after, '"');
            has_after = true;
        }
        const arti_suffix *sf = &v->suffixes[v->u8[ARTI_U8_0].suffix + tail];
        if (closes && arti_walk_tail(w, &after, v->bytes + sf->bytes, sf->len))
            arti_walk_set(w, t->ids[e]);
        else
            arti_walk_clear(w, t->ids[e]);
        if (arti_faulted(x->s)) return false;
    }
    return true;
}

/* Corrects the tokens that end a declared name or a key that is there already: follows the names, and the digests if there are such
 * keys, through what tokens have before a closing quote. */
static bool leave_apart(leaver *l, const arti_quote *others) {
    const arti_lex_trie *t = &l->w->v->lex->heads;
    const arti_object_machine *m = l->st->text.machine;
    arti_text_level *levels = l->w->m->levels;
    uint64_t q0 = arti_text_q(l->st)[0], next[4];
    bool ends;
    if (!q0 && !l->taken) return true;
    arti_key_name_bytes(l->st, next, &ends);
    levels[0].n_cp = 0;
    levels[0].hash = l->st->text.hash;
    uint64_t *q = arti_region_get(l->w->x->region, l->w->m->depth_cap * sizeof *q);
    if (!q) return arti_fault_mem(l->w->x->s);
    q[0] = q0;
    for (uint32_t i = 0; i < t->n_nodes;) {
        const arti_lex_node *node = &t->node[i];
        const uint32_t d = node->depth;
        if (d) {
            const bool goes_on = q[d - 1] && (d > 1 || next[node->byte / 64] >> (node->byte % 64) & 1u);
            q[d] = goes_on ? arti_set_step(m->names, q[d - 1], node->byte) : 0;
            if (!q[d] && !l->taken) {
                i = node->next;
                continue;
            }
            if (l->taken) levels[d].hash = arti_hash_mix(levels[d - 1].hash, node->byte);
        }
        const uint32_t end = t->node[i + 1].tok;
        if (end > node->tok) {
            const uint32_t name = q[d] ? arti_set_whole(m->names, q[d]) : UINT32_MAX;
            if (name != UINT32_MAX && d == 0) {
                arti_quote *own = arti_region_get(l->w->x->region, sizeof *own);
                if (!own) return arti_fault_mem(l->w->x->s);
                if (!close_here(l, own)) return false;
                set_closing(l, own, others->suffixes);
            } else if (name != UINT32_MAX) {
                if (!leave_name(l, i, name, q[d], levels[d].hash)) return false;
            } else if (is_taken(l, levels[d].hash)) {
                for (uint32_t e = node->tok; e < end; e++) arti_walk_clear(l->w, t->ids[e]);
            }
        }
        i++;
    }
    return true;
}

/* Any other key, and all end alike: then only the suffixes that may follow need a look. */
static bool walk_others(leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_lex *lex = v->lex;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint64_t *q = arti_region_get(w->x->region, l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(w->x->s);
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    q[0] = 0;
    bool failed;
    arti_quote *sig = signature_of(l, q, l->st->text.n_cp, arti_key_other_hash(l->st), &failed);
    if (failed || !sig) return false;
    if (!sig->closes)
        memset(sig->suffixes, 0, sizeof sig->suffixes);
    else if (!arti_walk_suffixes(w, sig))
        return false;
    w->tracks = true;
    arti_walk_alike(w, sig, lex->key_row);
    if (!leave_apart(l, sig)) return false;
    for (uint32_t k = v->n_escapes_stay; k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        const uint32_t tail = lex->escape_tails[k - v->n_escapes_stay];
        const char *text = (const char *)v->escape_text + e->text;
        if (tail == UINT32_MAX || names_after(l, v->escape_text + e->text, e->len) ||
            (l->taken && is_taken(l, arti_digest_text(l->st->text.hash, text, e->len))) || is_twice(lex, tail)) {
            if (!leave_alone(l, e->token)) return false;
        } else if (sig->closes && (sig->suffixes[tail / 64] >> (tail % 64) & 1u)) {
            arti_walk_set(w, e->token);
        }
    }
    for (uint32_t i = 0; i < lex->n_twice; i++) {
        const arti_suffix *sf = &v->suffixes[set->suffix + lex->twice[i]];
        for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
            arti_walk_clear(w, v->leave[t].token);
            if (!leave_alone(l, v->leave[t].token)) return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ keys in languages */

#define NO_QUOTE 0xFFu  /* the quote is not allowed, or walk_names() knows */
#define OWN_QUOTE 0xFEu /* tokens with this head are stepped one by one */
#define NAME_ACCEPTS 1u /* a declared name that is complete, which many tokens leave at once */

/* A node of the trie over heads that is reached. */
typedef struct head_level {
    uint64_t hash;
    uint64_t *q; /* n_parts states, or that of the declared names alone */
} head_level;

/* n: states of a level. NULL on a fault. */
static head_level *begin_heads(leaver *l, size_t n) {
    arti_region *region = l->w->x->region;
    const size_t depth = l->w->v->lex->head_len_max + 1u;
    head_level *levels = arti_region_get(region, depth * sizeof *levels);
    uint64_t *q = arti_region_get(region, depth * n * sizeof *q);
    if (!q || !levels) {
        arti_fault_mem(l->w->x->s);
        return NULL;
    }
    for (size_t d = 0; d < depth; d++) levels[d].q = q + d * n;
    memcpy(q, arti_text_q(l->st), n * sizeof *q);
    levels[0].hash = l->st->text.hash;
    return levels;
}

/* How a key that may be anything ends after each head: index of its quote, or one of the above. */
static bool judge_heads(leaver *l, uint8_t *quotes) {
    const art_vocab *v = l->w->v;
    arti_jctx *x = l->w->x;
    const arti_object_machine *m = l->st->text.machine;
    head_level *levels = begin_heads(l, l->n_parts);
    if (!levels) return false;
    for (uint32_t n = 0; n < v->lex->n_head_nodes; n++) {
        const arti_lex_head *node = &v->lex->head_nodes[n];
        head_level *at = &levels[node->depth];
        if (node->depth) {
            memcpy(at->q, at[-1].q, l->n_parts * sizeof *at->q);
            for (uint32_t i = 0; i < l->n_parts; i++)
                if (!step_part(x, l->st, i, &at->q[i], node->byte)) return false;
            at->hash = arti_hash_mix(at[-1].hash, node->byte);
        }
        if (!node->is_head) continue;
        uint8_t *quote = &quotes[node->first];
        const uint32_t n_cp = l->st->text.n_cp + v->heads[node->first].n_cp;
        bool failed = false;
        if (at->q[0] && arti_set_whole(m->names, at->q[0]) != UINT32_MAX) {
            *quote = OWN_QUOTE;
            if (node->depth) continue;
            const arti_quote *own = add_quote(l, NAME_ACCEPTS, at->q, n_cp, at->hash);
            if (arti_faulted(x->s)) return false;
            if (own) *quote = own->closes ? (uint8_t)(own - l->sigs) : NO_QUOTE;
            continue;
        }
        const arti_quote *sig = signature_of(l, at->q, n_cp, at->hash, &failed);
        if (failed) return false;
        *quote = !sig ? OWN_QUOTE : sig->closes ? (uint8_t)(sig - l->sigs) : NO_QUOTE;
    }
    return true;
}

/* Which languages accept after way i to leave the key (arti_vocab_end_words()), as accepting() has it. */
static uint64_t ends_of(const leaver *l, uint32_t i) {
    uint64_t bits = 0;
    if (!arti_bits_test(l->ends, i)) return 0;
    for (uint32_t k = 0; k < l->n_live; k++) bits |= (uint64_t)arti_bits_test(l->ends_of[k], i) << l->live[k];
    return bits;
}

/* One more quote, behind head h. */
static arti_quote *add_head(leaver *l, uint32_t h, uint64_t accepts, uint64_t hash) {
    arti_jctx *x = l->w->x;
    const arti_head *head = &l->w->v->heads[h];
    uint64_t *q = arti_region_get(x->region, l->n_parts * sizeof *q);
    if (!q) {
        arti_fault_mem(x->s);
        return NULL;
    }
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    for (uint32_t b = 0; b < head->len; b++)
        for (uint32_t i = 0; i < l->n_parts; i++)
            if (!step_part(x, l->st, i, &q[i], l->w->v->bytes[head->bytes + b])) return NULL;
    return add_quote(l, accepts, q, l->st->text.n_cp + head->n_cp, l->exact_tail ? arti_key_other_hash(l->st) : hash);
}

/* The same as judge_heads() where only declared names and languages are possible, whose ends are known. */
static bool judge_ends(leaver *l, uint8_t *quotes) {
    const art_vocab *v = l->w->v;
    const arti_object_machine *m = l->st->text.machine;
    head_level *levels = begin_heads(l, 1);
    if (!levels) return false;
    for (uint32_t n = 0; n < v->lex->n_head_nodes; n++) {
        const arti_lex_head *node = &v->lex->head_nodes[n];
        head_level *at = &levels[node->depth];
        if (node->depth) {
            *at->q = *at[-1].q ? arti_set_step(m->names, *at[-1].q, node->byte) : 0;
            at->hash = arti_hash_mix(at[-1].hash, node->byte);
        }
        if (!node->is_head) continue;
        const uint64_t bits = ends_of(l, node->first);
        uint8_t *quote = &quotes[node->first];
        *quote = NO_QUOTE;
        if (!bits || (*at->q && arti_set_whole(m->names, *at->q) != UINT32_MAX) || is_taken(l, at->hash)) continue;
        const arti_quote *sig = known_quote(l, bits);
        if (!sig) sig = add_head(l, node->first, bits, at->hash);
        if (arti_faulted(l->w->x->s)) return false;
        *quote = !sig ? OWN_QUOTE : sig->closes ? (uint8_t)(sig - l->sigs) : NO_QUOTE;
    }
    return true;
}

/* Tokens that go on with suffix k behind the quote. */
static bool set_suffix(leaver *l, const uint8_t *quotes, uint32_t k) {
    const art_vocab *v = l->w->v;
    const arti_suffix *sf = &v->suffixes[v->u8[ARTI_U8_0].suffix + k];
    const bool own = k >= ARTI_SUFFIX_WORDS_MAX * 32 || is_twice(v->lex, k);
    const bool ends = l->exact_tail && arti_suffix_ends_container(v, sf);
    for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
        const uint8_t quote = quotes[v->leave[t].head];
        if (quote == NO_QUOTE) continue;
        const bool alone = own || quote == OWN_QUOTE;
        const bool exact = ends || (!alone && l->sigs[quote].is_scarce);
        if (!alone && !(l->sigs[quote].suffixes[k / 64] >> (k % 64) & 1u)) continue;
        if (!alone && (!exact || l->sigs[quote].accepts == NAME_ACCEPTS))
            arti_walk_set(l->w, v->leave[t].token);
        else if (!leave_alone(l, v->leave[t].token))
            return false;
    }
    return true;
}

/* Tokens that leave, without escapes. */
static bool leave_by_heads(leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint8_t *quotes = arti_region_get(w->x->region, v->n_heads + 1u);
    if (!quotes) return arti_fault_mem(w->x->s);
    if (!(l->ends ? judge_ends(l, quotes) : judge_heads(l, quotes))) return false;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sigs[i].closes && !arti_walk_suffixes(w, &l->sigs[i])) return false;
    const bool all =
        v->lex->n_twice || set->n_suffix > ARTI_SUFFIX_WORDS_MAX * 32 || memchr(quotes, OWN_QUOTE, v->n_heads);
    for (uint32_t word = 0; word * 64 < set->n_suffix; word++) {
        uint64_t some = all ? UINT64_MAX : 0; /* suffixes that have to be looked at */
        for (uint32_t i = 0; i < l->n && !all; i++) some |= l->sigs[i].closes ? l->sigs[i].suffixes[word] : 0;
        for (uint32_t k = word * 64; some && k < set->n_suffix; k++, some >>= 1)
            if (some & 1u && !set_suffix(l, quotes, k)) return false;
    }
    return true;
}

/* Which parts accept what the token adds to the key, as accepting() has it. false: fault. */
static bool ends_escaped(const leaver *l, const arti_escaped *e, uint64_t *bits) {
    const uint8_t *text = l->w->v->escape_text + e->text;
    *bits = 0;
    for (uint32_t i = 1; i < l->n_parts; i++) {
        uint64_t q = arti_text_q(l->st)[i];
        for (uint32_t b = 0; b < e->len && q; b++)
            if (!step_part(l->w->x, l->st, i, &q, text[b])) return false;
        if (q && arti_part_accepts(l->w->x->s, other_part(l->st, i), q, l->st->text.n_cp + e->n_cp))
            *bits |= UINT64_C(1) << i;
    }
    return true;
}

/* Tokens with escapes that leave. What may follow the quotes is known. */
static bool leave_with_escapes(leaver *l) {
    const art_vocab *v = l->w->v;
    const arti_object_machine *m = l->st->text.machine;
    const uint32_t n_suffix = v->u8[ARTI_U8_0].n_suffix;
    uint64_t next[4];
    bool ends;
    arti_key_name_bytes(l->st, next, &ends);
    for (uint32_t k = v->n_escapes_stay; k < v->n_escapes; k++) {
        const arti_escaped *e = &v->escapes[k];
        const uint8_t *text = v->escape_text + e->text;
        const uint32_t tail = v->lex->escape_tails[k - v->n_escapes_stay];
        const bool is_name = (e->len ? next[*text / 64] >> (*text % 64) & 1u : ends) &&
                             arti_set_whole(m->names, names_after(l, text, e->len)) != UINT32_MAX;
        uint64_t bits;
        if (l->ends) {
            bits = ends_of(l, v->n_heads + k - v->n_escapes_stay);
            if (!bits && !is_name) continue;
        } else if (!ends_escaped(l, e, &bits)) {
            return false;
        }
        const bool own = is_name || tail >= n_suffix || tail >= ARTI_SUFFIX_WORDS_MAX * 32 || is_twice(v->lex, tail) ||
                         (l->taken && is_taken(l, arti_digest_text(l->st->text.hash, (const char *)text, e->len)));
        const arti_quote *sig = own ? NULL : known_quote(l, bits);
        if (sig && (!sig->closes || !(sig->suffixes[tail / 64] >> (tail % 64) & 1u))) continue;
        const bool exact =
            l->exact_tail &&
            (!sig || sig->is_scarce || arti_suffix_ends_container(v, &v->suffixes[v->u8[ARTI_U8_0].suffix + tail]));
        if (sig && !exact)
            arti_walk_set(l->w, e->token);
        else if (!leave_alone(l, e->token))
            return false;
    }
    return true;
}

/* *any: some key is possible that goes on with one more character at least, whatever keys are there already. */
static bool goes_on_freely(const leaver *l, bool *any) {
    art_schema *s = l->w->x->s;
    *any = goes_on(l->st);
    for (uint64_t parts = arti_key_live_parts(l->st); parts && !*any; parts &= parts - 1) {
        arti_re_lengths lengths;
        const arti_re_state q = (arti_re_state)arti_text_q(l->st)[1 + arti_bits_lowest64(parts)];
        if (arti_re_get_lengths(s->re, q, &lengths) != ART_OK) return arti_fault_re(s, NULL, 0, "patternProperties");
        *any = lengths.longest == ARTI_RE_UNBOUNDED && lengths.contiguous; /* then that is exact */
    }
    return true;
}

/* What languages say of tokens that begin like a declared name, or a key that is there, is not the last word: those may not come, or come
 * whatever the languages say. This is about tokens with escapes that stay in the key. */
static bool correct_escapes(leaver *l) {
    const art_vocab *v = l->w->v;
    const arti_object_machine *m = l->st->text.machine;
    const arti_hset *heads = l->st->top->heads;
    const uint64_t q0 = arti_text_q(l->st)[0];
    if (!q0 && !arti_hset_has(heads, l->st->text.hash)) return true;
    bool any;
    uint64_t first[4] = {0}; /* bytes that such a name or key goes on with */
    if (!goes_on_freely(l, &any)) return false;
    for (uint32_t w = 0; w < 4; w++)
        for (uint64_t bits = v->lex->escape_bytes[w]; bits; bits &= bits - 1) {
            const uint8_t byte = (uint8_t)(w * 64 + arti_bits_lowest64(bits));
            if ((q0 && arti_set_step(m->names, q0, byte)) ||
                arti_hset_has(heads, arti_hash_mix(l->st->text.hash, byte)))
                first[w] |= bits & -bits;
        }
    for (uint32_t k = 0; k < v->n_escapes_stay; k++) {
        const arti_escaped *e = &v->escapes[k];
        const uint32_t byte = v->lex->escape_first[k];
        if (byte != ARTI_LEX_NO_TEXT && !(first[byte / 64] >> (byte % 64) & 1u)) continue;
        if (any && arti_escape_is_bare(v, e)) {
            arti_walk_set(l->w, e->token);
            continue;
        }
        uint64_t name = q0, hash = l->st->text.hash;
        for (uint32_t b = 0; b < e->len && (name || heads); b++) {
            const uint8_t c = v->escape_text[e->text + b];
            if (name) name = arti_set_step(m->names, name, c);
            hash = arti_hash_mix(hash, c);
        }
        if (!name && !arti_hset_has(heads, hash)) continue;
        arti_walk_clear(l->w, e->token);
        if (!leave_alone(l, e->token)) return false;
    }
    return true;
}

typedef struct used_level { /* of the walk below */
    arti_lex_kids_at kids;  /* still to be looked at */
    uint64_t hash, next[4]; /* bytes that declared names go on with */
    bool is_head;           /* keys that are there begin like this */
} used_level;

static void used_begin(const leaver *l, used_level *at, uint32_t node, uint64_t name, uint64_t hash) {
    bool ends;
    *at = (used_level){.kids = arti_lex_kids_of(l->w->v, node), .hash = hash};
    at->is_head = arti_hset_has(l->st->top->heads, hash);
    arti_set_next_bytes(((const arti_object_machine *)l->st->text.machine)->names, name, at->next, &ends);
}

/* The same for tokens without escapes: takes back those after which a language has only keys that are there, and names that may not
 * come. */
static bool drop_used_up(leaver *l) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const arti_hset *heads = l->st->top->heads;
    const uint64_t q0 = arti_text_q(l->st)[0];
    if (!q0 && !arti_hset_has(heads, l->st->text.hash)) return true;
    used_level *levels = arti_region_get(x->region, w->m->depth_cap * sizeof *levels);
    uint64_t *q = arti_region_get(x->region, w->m->depth_cap * l->n_parts * sizeof *q);
    if (!q || !levels) return arti_fault_mem(x->s);
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    filter heads_filter;
    filter_init(&heads_filter, heads);
    used_begin(l, &levels[0], 0, q0, l->st->text.hash);
    for (uint32_t d = 0;;) {
        used_level *at = &levels[d];
        uint32_t node;
        uint8_t byte;
        if (!arti_lex_next_kid(v, &at->kids, &node, &byte)) {
            if (d-- == 0) return true;
            continue;
        }
        const bool is_name = at->next[byte / 64] >> (byte % 64) & 1u;
        if ((!is_name && !at->is_head) || byte == '"' || byte == '\\' || byte < 0x20) continue;
        const uint64_t hash = arti_hash_mix(at->hash, byte);
        if (!is_name && !set_has(&heads_filter, heads, hash)) continue;
        uint64_t *to = q + (d + 1) * l->n_parts;
        memcpy(to, to - l->n_parts, l->n_parts * sizeof *to);
        for (uint32_t i = 0; i < l->n_parts; i++)
            if (!step_part(x, l->st, i, &to[i], byte)) return false;
        if (!arti_key_alive_at(x, l->st, to, hash)) {
            if (arti_faulted(x->s)) return false;
            for (uint32_t k = v->node[node].tok; k < v->node[v->node[node].next].tok; k++)
                arti_walk_clear(w, v->order[k]);
            continue;
        }
        used_begin(l, &levels[++d], node, to[0], hash);
    }
}

/* Does some language have a key that begins like this, whatever comes next? */
static bool has_open_part(const leaver *l, uint64_t parts) {
    for (; parts; parts &= parts - 1)
        if (arti_re_is_open(l->w->x->s->re, (arti_re_state)arti_text_q(l->st)[1 + arti_bits_lowest64(parts)]))
            return true;
    return false;
}

static bool find_ends(leaver *l) {
    arti_walk *w = l->w;
    const uint32_t n_words = arti_vocab_end_words(w->v);
    for (uint32_t i = 1; i < l->n_parts; i++)
        if (arti_text_q(l->st)[i]) l->live[l->n_live++] = i;
    l->ends = arti_region_get(w->x->region, ((l->n_live + 1) * n_words + 1u) * sizeof *l->ends);
    if (!l->ends) return arti_fault_mem(w->x->s);
    arti_bits_zero(l->ends, n_words);
    for (uint32_t k = 0; k < l->n_live; k++) {
        l->ends_of[k] = l->ends + (k + 1) * n_words;
        if (!arti_lang_ends(w, (arti_re_state)arti_text_q(l->st)[l->live[k]], l->ends_of[k])) return false;
        arti_bits_or(l->ends, l->ends_of[k], n_words);
    }
    return true;
}

/* Names, and other keys in languages. */
static bool walk_languages(leaver *l) {
    arti_walk *w = l->w;
    uint64_t parts = arti_key_live_parts(l->st);
    w->tracks = true;
    if (has_open_part(l, parts)) {
        arti_walk_copy(w, w->v->free_row);
        parts = 0;
    }
    uint32_t *row = w->words;
    for (bool is_first = true; parts; parts &= parts - 1, is_first = false) {
        const arti_re_state q = (arti_re_state)arti_text_q(l->st)[1 + arti_bits_lowest64(parts)];
        if (!is_first && arti_lang_add_kept(w, q)) continue;
        if (!is_first && row == w->words) row = arti_region_get(w->x->region, w->v->n_words * sizeof *row);
        if (!row) return arti_fault_mem(w->x->s);
        if (!arti_lang_row(w, q, row)) return false;
        if (!is_first) arti_walk_or(w, row);
    }
    if (!find_ends(l)) return false;
    return correct_escapes(l) && drop_used_up(l) && walk_names(l) && leave_by_heads(l) && leave_with_escapes(l);
}

/* Any other key, but not all end alike. */
static bool walk_wide(leaver *l) {
    l->w->tracks = true;
    arti_walk_copy(l->w, l->w->v->free_row);
    return leave_by_heads(l) && leave_with_escapes(l);
}

/* Can the languages tell two keys apart that may come? */
static bool has_moving(const leaver *l) {
    const uint64_t *q = arti_text_q(l->st);
    for (uint32_t i = 1; i < l->n_parts; i++) {
        const arti_part *p = other_part(l->st, i);
        if (q[i] && p->kind != ARTI_PART_FREE &&
            !(p->kind == ARTI_PART_TERM && arti_re_is_universal(l->w->x->s->re, (arti_re_state)q[i])))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ narrow keys */

/* One plain byte: false when the string dies by it (or on a fault). */
static bool plain_step(const leaver *l, const arti_text_level *from, arti_text_level *to, uint8_t byte) {
    to->is_full = false;
    to->n_cp = from->n_cp;
    if (from->u8 == ARTI_U8_0) {
        if (byte < 0x20) return false;
        to->n_cp++;
    }
    to->u8 = arti_u8_next(from->u8, byte);
    if (to->u8 == ARTI_U8_BAD) return false;
    to->hash = arti_hash_mix(from->hash, byte);
    for (uint32_t i = 0; i < l->n_parts; i++) {
        to->q[i] = from->q[i];
        if (!step_part(l->w->x, l->st, i, &to->q[i], byte)) return false;
    }
    return arti_key_alive_at(l->w->x, l->st, to->q, to->hash);
}

/* Steps a whole state at depth d - 1 into depth d; back to languages alone once the escape is over. */
static bool full_step(leaver *l, arti_text_level *levels, uint32_t d, uint8_t byte) {
    arti_walk *w = l->w;
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    arti_region_reset(w->x->region, marks[d - 1]);
    states[d] = states[d - 1];
    if (!arti_state_step(w->x, &states[d], byte)) return false;
    marks[d] = arti_region_mark_now(w->x->region);
    const arti_text_state *t = &states[d].text;
    levels[d].is_full = true;
    if (states[d].mode == l->st->mode && states[d].top == l->st->top && t->machine == l->st->text.machine &&
        t->escape == ARTI_ESC_NONE) {
        levels[d].is_full = false;
        levels[d].u8 = t->u8;
        levels[d].n_cp = t->n_cp;
        levels[d].hash = t->hash;
        memcpy(levels[d].q, arti_text_q(&states[d]), l->n_parts * sizeof(uint64_t));
    }
    return true;
}

static bool walk_narrow(leaver *l) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    arti_bits_zero(w->words, v->n_words);
    arti_text_level *levels = w->m->levels;
    arti_state *states = w->m->states;
    arti_region_mark *marks = w->m->marks;
    const size_t depth = w->m->depth_cap;
    uint64_t *q = arti_region_get(x->region, depth * l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(x->s);
    for (size_t d = 0; d < depth; d++) levels[d].q = q + d * l->n_parts;
    const arti_region_mark floor = arti_region_mark_now(x->region);
    /* Where the bytes of another key follow within the token, that may be the same key. */
    const uint64_t twice = ARTI_ATOM_QUOTE | UINT64_C(1) << arti_atom_of(':') | UINT64_C(1) << arti_atom_of(',');
    states[0] = *l->st;
    marks[0] = floor;
    levels[0].is_full = l->st->text.escape != ARTI_ESC_NONE;
    levels[0].u8 = l->st->text.u8;
    levels[0].n_cp = l->st->text.n_cp;
    levels[0].hash = l->st->text.hash;
    memcpy(levels[0].q, arti_text_q(l->st), l->n_parts * sizeof *q);
    for (uint32_t i = 1; i < v->n_nodes;) {
        const arti_node *node = &v->node[i];
        const uint32_t d = node->depth;
        w->work++;
        arti_text_level *from = &levels[d - 1], *to = &levels[d];
        bool ok;
        if (from->is_full) {
            ok = full_step(l, levels, d, node->byte);
        } else if (from->u8 == ARTI_U8_0 && node->byte == '\\') {
            states[d - 1] = whole(l, from->q, from->n_cp, from->hash, from->u8);
            marks[d - 1] = floor;
            ok = full_step(l, levels, d, node->byte);
        } else if (from->u8 == ARTI_U8_0 && node->byte == '"') {
            bool failed = false;
            const bool exact = l->exact_tail || (twice & ~v->below[i]) == 0;
            arti_quote *sig = exact ? NULL : signature_of(l, from->q, from->n_cp, from->hash, &failed);
            if (failed) return false;
            if (sig) {
                ok = sig->closes;
                states[d] = sig->after;
            } else {
                states[d - 1] = whole(l, from->q, from->n_cp, from->hash, from->u8);
                arti_region_reset(x->region, floor);
                states[d] = states[d - 1];
                ok = arti_state_step(x, &states[d], '"');
            }
            to->is_full = true;
            marks[d] = arti_region_mark_now(x->region);
        } else {
            ok = plain_step(l, from, to, node->byte);
        }
        if (!ok) {
            if (arti_faulted(x->s)) return false;
            if (from->is_full && w->exit && arti_state_is_complete(&states[d - 1])) arti_walk_exit(w, i, d - 1);
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_walk_set(w, v->order[k]);
        i++;
    }
    return true;
}

/* ------------------------------------------------------------------ entry */

bool arti_walk_key(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const arti_frame *f = st->top;
    leaver l = {.w = w, .st = st, .n_parts = arti_text_parts(st)};
    if (st->text.offer_other) l.taken = f->set;
    filter_init(&l.taken_filter, l.taken);
    for (const arti_frame *up = f; up && up->hashing; up = up->parent)
        if (up->parent && !up->parent->is_object && up->parent->set) l.exact_tail = true;
    l.sigs = arti_region_get(x->region, ARTI_QUOTES * sizeof *l.sigs);
    if (!l.sigs) return arti_fault_mem(x->s);
    const bool between = st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0;
    const bool is_wide = arti_key_is_wide(st);
    bool ok;
    if (!between) {
        w->work += ARTI_WORK_DEAR;
        ok = walk_narrow(&l);
    } else if (is_wide && !l.exact_tail && !x->embedded && v->lex->n_tails <= ARTI_SUFFIX_WORDS_MAX * 32 &&
               !has_moving(&l)) {
        ok = walk_others(&l);
    } else if (!is_wide && !arti_key_has_language(st, arti_text_q(st))) {
        ok = walk_names_only(&l);
    } else if (is_wide) {
        w->work += ARTI_WORK_DEAR;
        ok = walk_wide(&l);
    } else {
        w->work += ARTI_WORK_DEAR;
        ok = walk_languages(&l);
    }
    return ok && !arti_faulted(x->s);
}
