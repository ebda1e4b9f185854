/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks inside keys. As for values (art_mask_text.c), a key is wide where any characters may follow, else narrow. Its part 0 is the set
 * of declared names, the others are the languages of other keys. */
#include "art_bits.h"
#include "art_mask_walk.h"

typedef struct leaver {
    arti_walk *w;
    const arti_state *st;   /* where the walk begins */
    const arti_hset *taken; /* keys with these digests are there already */
    bool exact_tail;        /* what comes behind the quote may depend on the digest too, where it ends a container */
    uint32_t n_parts, n;
    arti_quote *sigs;
    arti_loop_entry loops[ARTI_LOOPS];
} leaver;

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

/* The signature of a text; NULL when the quote leads to something of its own (a name, an exact text): see arti_walk_tail. */
static arti_quote *signature_of(leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, bool *failed) {
    *failed = false;
    const uint64_t bits = accepting(l, q, n_cp);
    if (bits & 1u) return NULL;
    if (l->taken && arti_hset_has(l->taken, hash)) return NULL;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sigs[i].accepts == bits) return &l->sigs[i];
    if (l->n == ARTI_QUOTES) return NULL;
    arti_jctx *x = l->w->x;
    arti_quote *sig = &l->sigs[l->n];
    sig->accepts = bits;
    sig->has_suffixes = false;
    sig->after = whole(l, q, n_cp, hash, ARTI_U8_0);
    arti_region *region = x->region; /* these frames must outlive the walk's marks */
    x->region = &l->w->m->closing;
    sig->closes = arti_state_step(x, &sig->after, '"');
    x->region = region;
    if (arti_faulted(x->s)) {
        *failed = true;
        return NULL;
    }
    l->n++;
    return sig;
}

/* ------------------------------------------------------------------ wide keys */

bool arti_key_is_wide(const arti_state *st) {
    const arti_object_machine *m = st->text.machine;
    for (uint32_t a = 0; st->text.offer_other && m->any_free && a < m->n_alts; a++)
        if (arti_live(st->top, a) && m->alts[a].extra_part == ARTI_EXTRA_FREE) return true;
    return false;
}

/* Bytes that a name may go on with, as bits; *ends: a name ends here. */
static void name_bytes(const arti_state *st, uint64_t bits[4], bool *ends) {
    const arti_object_machine *m = st->text.machine;
    const uint64_t q = arti_text_q(st)[0];
    memset(bits, 0, 4 * sizeof *bits);
    *ends = false;
    if (!q) return;
    const uint32_t d = arti_set_depth(q);
    for (uint32_t i = arti_set_lo(q); i < arti_set_hi(q); i++) {
        if (m->names[i].len == d)
            *ends = true;
        else
            bits[(uint8_t)m->names[i].ptr[d] / 64] |= UINT64_C(1) << ((uint8_t)m->names[i].ptr[d] % 64);
    }
}

/* A token that leaves by itself: steps the whole of it. */
static bool leave_alone(leaver *l, uint32_t id) {
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(l->w->v, id, &len);
    if (arti_walk_tail(l->w, l->st, bytes, len)) arti_bits_set(l->w->words, id);
    return !arti_faulted(l->w->x->s);
}

static uint64_t head_hash(const leaver *l, const arti_leave *leave) {
    const art_vocab *v = l->w->v;
    const uint8_t *bytes = v->bytes + v->offsets[leave->token];
    uint64_t h = l->st->text.hash;
    for (uint32_t i = 0; i < leave->n_byte; i++) h = arti_hash_mix(h, bytes[i]);
    return h;
}

/* ------------------------------------------------------------------ names */

static bool is_offered(const arti_state *st, uint32_t name) {
    return st->text.offer && (st->text.offer[name / 64] >> (name % 64) & 1u);
}

/* Is one of the names lo .. hi - 1 offered? */
static bool any_offered(const arti_state *st, uint32_t lo, uint32_t hi) {
    for (uint32_t i = lo; i < hi; i++)
        if (is_offered(st, i)) return true;
    return false;
}

/* Tokens at and below `node` of the vocabulary's trie, which closes name `name`: what else they hold is the name's own. */
static bool close_name(leaver *l, uint32_t node, uint32_t name) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_node *n = &v->node[node];
    for (uint32_t k = n->tok; k < v->node[n->next].tok; k++) arti_bits_clear(w->words, v->order[k]);
    if (!is_offered(l->st, name)) return true;
    for (uint32_t k = n->tok; k < v->node[node + 1].tok; k++) arti_bits_set(w->words, v->order[k]);
    const uint32_t colon = arti_lex_child(v->lex, node, ':');
    if (colon && n->next == colon + 1 && colon == node + 1 && !w->exit) { /* nothing but the colon: it always may */
        for (uint32_t k = v->node[colon].tok; k < v->node[n->next].tok; k++) arti_bits_set(w->words, v->order[k]);
        return true;
    }
    if (n->next == node + 1) return true;
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

/* Follows the names that go on from where the key is down the vocabulary's trie. is_all: the names are all that may come, and tokens
 * that stay within them are set; otherwise those are set already. */
static bool walk_names(leaver *l, bool is_all) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_object_machine *m = l->st->text.machine;
    const uint64_t q = arti_text_q(l->st)[0];
    if (!q) return true;
    const arti_region_mark mark = arti_region_mark_now(w->x->region);
    /* Every level leaves at most one level a distinct byte behind, of which there are no more than names. */
    const size_t cap = (size_t)(arti_set_hi(q) - arti_set_lo(q)) + 1;
    name_level *stack = arti_region_get(w->x->region, cap * sizeof *stack);
    if (!stack) return arti_fault_mem(w->x->s);
    size_t n = 0;
    stack[n++] = (name_level){0, arti_set_lo(q), arti_set_hi(q), arti_set_depth(q)};
    bool ok = true;
    while (n && ok) {
        name_level at = stack[--n];
        if (m->names[at.lo].len == at.depth) { /* the shortest comes first */
            const uint32_t quote = arti_lex_child(v->lex, at.node, '"');
            if (quote) ok = close_name(l, quote, at.lo);
            at.lo++;
        }
        while (at.lo < at.hi && ok) {
            const uint8_t byte = (uint8_t)m->names[at.lo].ptr[at.depth];
            uint32_t end = at.lo + 1;
            while (end < at.hi && (uint8_t)m->names[end].ptr[at.depth] == byte) end++;
            const uint32_t node =
                byte == '"' || byte == '\\' || byte < 0x20 ? 0 : arti_lex_child(v->lex, at.node, byte);
            if (node && (!is_all || any_offered(l->st, at.lo, end))) {
                if (is_all)
                    for (uint32_t k = v->node[node].tok; k < v->node[node + 1].tok; k++)
                        arti_bits_set(w->words, v->order[k]);
                stack[n++] = (name_level){node, at.lo, end, at.depth + 1};
            }
            at.lo = end;
        }
    }
    arti_region_reset(w->x->region, mark);
    return ok;
}

/* Can a token that holds an escape spell the beginning of a name? By its first character, as far as that is plain to see. */
static bool may_spell(const art_vocab *v, uint32_t id, const uint64_t next[4]) {
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t len;
    const uint8_t *bytes = arti_vocab_bytes(v, id, &len);
    uint8_t first = bytes[0];
    if (first == '\\') {
        if (len < 2 || bytes[1] == 'u') return true;
        const char *p = memchr(plain, bytes[1], sizeof plain - 1);
        if (!p) return false;
        first = (uint8_t)meant[p - plain];
    }
    return next[first / 64] >> (first % 64) & 1u;
}

/* Only declared names may come, and the key stands between two characters. */
static bool walk_names_only(leaver *l) {
    const art_vocab *v = l->w->v;
    const arti_lex *lex = v->lex;
    uint64_t next[4];
    bool ends;
    name_bytes(l->st, next, &ends);
    for (uint32_t k = 0; k < lex->n_escape_in; k++)
        if (may_spell(v, lex->escape_in[k], next) && !leave_alone(l, lex->escape_in[k])) return false;
    for (uint32_t k = 0; k < lex->n_escape_out; k++)
        if (may_spell(v, lex->escape_out[k].token, next) && !leave_alone(l, lex->escape_out[k].token)) return false;
    return walk_names(l, true);
}

/* ------------------------------------------------------------------ other keys */

static bool is_twice(const arti_lex *lex, uint32_t suffix) {
    for (uint32_t i = 0; i < lex->n_twice; i++)
        if (lex->twice[i] == suffix) return true;
    return false;
}

/* Tokens with suffixes that go on to another key are looked at one by one: it may be the same key. Their bits are cleared. */
static bool leave_twice(leaver *l, arti_quote *sig) {
    const art_vocab *v = l->w->v;
    for (uint32_t i = 0; i < v->lex->n_twice; i++) {
        const uint32_t k = v->lex->twice[i];
        if (k < ARTI_SUFFIX_WORDS_MAX * 32) sig->suffixes[k / 64] &= ~(UINT64_C(1) << (k % 64));
        const arti_suffix *sf = &v->suffixes[v->u8[ARTI_U8_0].suffix + k];
        for (uint32_t t = sf->first; t < sf->first + sf->n; t++)
            if (!leave_alone(l, v->leave[t].token)) return false;
    }
    return true;
}

/* All tokens leave in the same way: then only the suffixes that may follow need a look. */
static bool leave_alike(leaver *l) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_lex *lex = v->lex;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint64_t *q = arti_region_get(w->x->region, l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(w->x->s);
    const uint64_t q0 = arti_text_q(l->st)[0];
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    q[0] = 0;
    bool failed;
    uint64_t hash = l->st->text.hash; /* of some text that is not taken */
    while (l->taken && arti_hset_has(l->taken, hash)) hash = arti_hash_mix(hash, 1);
    arti_quote *sig = signature_of(l, q, l->st->text.n_cp, hash, &failed);
    if (failed || !sig) return false;
    if (sig->closes && (!arti_walk_suffixes(w, sig) || !leave_twice(l, sig))) return false;
    for (uint32_t k = 0; sig->closes && k < set->n_suffix; k++) {
        if (!(sig->suffixes[k / 64] >> (k % 64) & 1u)) continue;
        const arti_suffix *sf = &v->suffixes[set->suffix + k];
        const bool alone = l->exact_tail && arti_suffix_ends_container(v, sf);
        for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
            const arti_leave *leave = &v->leave[t];
            if (alone || (l->taken && arti_hset_has(l->taken, head_hash(l, leave)))) {
                if (!leave_alone(l, leave->token)) return false;
            } else {
                arti_bits_set(w->words, leave->token);
            }
        }
    }
    for (uint32_t k = 0; k < lex->n_escape_out; k++) {
        const arti_lex_escape_out *e = &lex->escape_out[k];
        uint64_t name = q0, h = l->st->text.hash;
        for (uint32_t i = 0; i < e->n_head; i++) {
            const uint8_t byte = lex->escape_heads[e->head + i];
            if (name) name = arti_set_step(((const arti_object_machine *)l->st->text.machine)->names, name, byte);
            h = arti_hash_mix(h, byte);
        }
        const bool own = name || e->suffix == UINT32_MAX || l->exact_tail || (l->taken && arti_hset_has(l->taken, h)) ||
                         is_twice(v->lex, e->suffix);
        if (own) {
            if (!leave_alone(l, e->token)) return false;
        } else if (sig->closes && (sig->suffixes[e->suffix / 64] >> (e->suffix % 64) & 1u)) {
            arti_bits_set(w->words, e->token);
        }
    }
    return walk_names(l, false);
}

static bool walk_wide(leaver *l) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const arti_state *st = l->st;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    arti_walk_stay(w, UINT32_MAX);
    const uint64_t *q0 = arti_text_q(st);
    /* The languages that may change their mind on the way to the quote. */
    uint32_t moving[ARTI_KEY_PARTS_MAX + 1], n_moving = 0;
    for (uint32_t i = 1; i < l->n_parts; i++) {
        const arti_part *p = other_part(st, i);
        if (q0[i] == 0) continue;
        if (p->kind == ARTI_PART_FREE) continue;
        if (p->kind == ARTI_PART_TERM && arti_re_is_universal(x->s->re, (arti_re_state)q0[i])) continue;
        if (n_moving == ARTI_KEY_PARTS_MAX) return arti_walk_subtree(w, 0, st); /* never: parts are capped below */
        moving[n_moving++] = i;
    }
    if (!n_moving && set->n_suffix <= ARTI_SUFFIX_WORDS_MAX * 32) return leave_alike(l);
    uint64_t next[4];
    bool ends;
    name_bytes(st, next, &ends);
    w->work += ARTI_WORK_DEAR;
    for (uint32_t k = 0; k < v->lex->n_escape_out; k++)
        if (!leave_alone(l, v->lex->escape_out[k].token)) return false;
    uint64_t *q = arti_region_get(x->region, (l->n_parts + 1) * sizeof *q);
    if (!q) return arti_fault_mem(x->s);
    for (uint32_t k = 0; k < set->n_suffix; k++) {
        const arti_suffix *sf = &v->suffixes[set->suffix + k];
        const bool alone = l->exact_tail && arti_suffix_ends_container(v, sf);
        for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
            const arti_leave *leave = &v->leave[t];
            size_t len;
            const uint8_t *bytes = arti_vocab_bytes(v, leave->token, &len);
            const bool maybe_name = leave->n_byte ? next[bytes[0] / 64] >> (bytes[0] % 64) & 1u : ends;
            if (maybe_name || alone || k >= ARTI_SUFFIX_WORDS_MAX * 32 || is_twice(v->lex, k)) {
                if (!leave_alone(l, leave->token)) return false;
                continue;
            }
            memcpy(q, q0, l->n_parts * sizeof *q);
            q[0] = 0; /* no name: the first byte tells, or there is none */
            for (uint32_t i = 0; i < n_moving; i++)
                for (uint32_t b = 0; b < leave->n_byte; b++)
                    if (!step_part(x, st, moving[i], &q[moving[i]], bytes[b])) return false;
            bool failed;
            arti_quote *sig = signature_of(l, q, st->text.n_cp + leave->n_cp,
                                           l->taken ? head_hash(l, leave) : st->text.hash, &failed);
            if (failed) return false;
            if (!sig) {
                if (!leave_alone(l, leave->token)) return false;
                continue;
            }
            if (!sig->closes) {
                if (n_moving) continue;
                return true; /* no token leaves */
            }
            if (!arti_walk_suffixes(w, sig)) return false;
            if (sig->suffixes[k / 64] >> (k % 64) & 1u) arti_bits_set(w->words, leave->token);
        }
    }
    return true;
}

/* ------------------------------------------------------------------ narrow keys */

/* Do all characters below a node lead every live language back to where it is? */
static bool stays_below(leaver *l, const arti_text_level *at, uint64_t below) {
    if (below & ARTI_ATOM_SPECIAL) return false;
    if (at->q[0]) return false;
    for (uint32_t i = 1; i < l->n_parts; i++) {
        if (at->q[i] == 0) continue;
        const arti_part *p = other_part(l->st, i);
        if (p->kind == ARTI_PART_FREE) continue;
        if (p->kind == ARTI_PART_SET || (below & ~arti_walk_loop_atoms(l->w, l->loops, (arti_re_state)at->q[i])))
            return false;
    }
    return true;
}

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
            if (from->is_full && w->exit && arti_state_is_complete(&states[d - 1])) {
                for (uint32_t k = node->tok; k < v->node[node->next].tok; k++) {
                    size_t len;
                    const uint8_t *bytes = arti_vocab_bytes(v, v->order[k], &len);
                    if (w->exit->allows(w->exit->ud, bytes + d - 1, len - d + 1)) arti_bits_set(w->words, v->order[k]);
                }
            }
            i = node->next;
            continue;
        }
        /* Worth asking where this very byte led back to where it came from. */
        if (!to->is_full && !from->is_full && to->u8 == ARTI_U8_0 && from->u8 == ARTI_U8_0 && node->next > i + 1 &&
            memcmp(to->q, from->q, l->n_parts * sizeof *to->q) == 0 && stays_below(l, to, v->below[i])) {
            arti_bits_set_ids(w->words, v->order + node->tok, v->node[node->next].tok - node->tok);
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_bits_set(w->words, v->order[k]);
        i++;
    }
    return true;
}

/* ------------------------------------------------------------------ entry */

bool arti_walk_key(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    const arti_frame *f = st->top;
    leaver l = {.w = w, .st = st, .n_parts = arti_text_parts(st)};
    for (uint32_t i = 0; i < ARTI_LOOPS; i++) l.loops[i].q = ARTI_RE_FAIL;
    if (st->text.offer_other) l.taken = f->set;
    for (const arti_frame *up = f; up && up->hashing; up = up->parent)
        if (up->parent && !up->parent->is_object && up->parent->set) l.exact_tail = true;
    l.sigs = arti_region_get(x->region, ARTI_QUOTES * sizeof *l.sigs);
    if (!l.sigs) return arti_fault_mem(x->s);
    const bool between = st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0;
    const arti_object_machine *m = st->text.machine;
    bool ok;
    if (between && l.n_parts <= ARTI_KEY_PARTS_MAX && arti_key_is_wide(st))
        ok = walk_wide(&l);
    else if (between && (!st->text.offer_other || m->n_parts == 0))
        ok = walk_names_only(&l);
    else
        ok = walk_narrow(&l);
    return ok && !arti_faulted(x->s);
}
