/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks inside strings that are values (art_mask_key.c: keys). Two ways:
 *   wide    some language goes on whatever characters come: a precomputed row, plus the tokens that leave the string, which are
 *           grouped by what follows the quote;
 *   narrow  a walk over the trie that steps only the languages, and falls back to whole states behind quotes and in escapes. */
#include "art_bits.h"
#include "art_mask_walk.h"

#define CLOSED_STATES 24u
typedef struct closed_entry {
    arti_re_state q;
    bool is_closed;
} closed_entry;

typedef struct leaver {
    arti_walk *w;
    const arti_state *st;   /* where the walk begins */
    const arti_hset *taken; /* texts with these digests do not end like others: items that must differ */
    bool exact_tail;        /* what comes behind the quote may depend on the digest too, where it ends a container */
    uint32_t n_parts, n;
    arti_quote *sigs;
    bool needs_hash;
    const arti_part *part; /* the only one, of a value */
    bool is_unbounded;     /* `part` has no lengths that a token could reach */
    arti_loop_entry loops[ARTI_LOOPS];
    closed_entry closed[ARTI_LOOPS];
    uint64_t ascii; /* atoms of plain ASCII characters */
} leaver;

static const arti_part *text_part(const arti_state *st, uint32_t i) {
    return &((const arti_text_machine *)st->text.machine)->parts[i];
}

static bool step_part(arti_jctx *x, const arti_state *st, uint32_t i, uint64_t *q, uint8_t byte) {
    if (*q == 0) return true;
    return arti_part_step(x->s, text_part(st, i), q, byte);
}

/* Bit i: part i accepts. */
static uint64_t accepting(const leaver *l, const uint64_t *q, uint32_t n_cp) {
    uint64_t bits = 0;
    art_schema *s = l->w->x->s;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (q[i] == 0) continue;
        const bool in = arti_part_accepts(s, text_part(l->st, i), q[i], n_cp);
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

/* The signature of a text; NULL when the quote leads to something of its own (an exact text): see arti_walk_tail. */
static arti_quote *signature_of(leaver *l, const uint64_t *q, uint32_t n_cp, uint64_t hash, bool *failed) {
    *failed = false;
    const uint64_t bits = accepting(l, q, n_cp);
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
    sig->closes = bits != 0 && arti_state_step(x, &sig->after, '"');
    x->region = region;
    if (arti_faulted(x->s)) {
        *failed = true;
        return NULL;
    }
    l->n++;
    return sig;
}

/* ------------------------------------------------------------------ wide strings */

/* How many characters may come whatever they are; 0: the string is not wide. */
static uint32_t wide_room(arti_jctx *x, const arti_state *st) {
    const uint64_t *q = arti_text_q(st);
    const arti_text_machine *m = st->text.machine;
    uint32_t room = 0;
    bool others = false;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const arti_part *p = &m->parts[i];
        if (q[i] == 0 || st->text.n_cp > p->hi) continue;
        if (p->kind == ARTI_PART_FREE) {
            const uint32_t left = p->hi == UINT32_MAX ? UINT32_MAX : p->hi - st->text.n_cp;
            if (left > room) room = left;
        } else if (p->kind == ARTI_PART_TERM && p->lo == 0 && p->hi == UINT32_MAX &&
                   arti_re_is_closed(x->s->re, (arti_re_state)q[i])) {
            room = UINT32_MAX;
        } else {
            others = true;
        }
    }
    return others && room != UINT32_MAX ? 0 : room;
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

/* All tokens leave in the same way, if their length allows: then only the suffixes that may follow need a look. lo, hi: characters
 * that may come before the quote. */
static bool leave_alike(leaver *l, uint32_t lo, uint32_t hi) {
    arti_walk *w = l->w;
    const art_vocab *v = w->v;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    uint64_t *q = arti_region_get(w->x->region, l->n_parts * sizeof *q);
    if (!q) return arti_fault_mem(w->x->s);
    memcpy(q, arti_text_q(l->st), l->n_parts * sizeof *q);
    bool failed;
    uint64_t hash = l->st->text.hash; /* of some text that is not taken */
    while (l->taken && arti_hset_has(l->taken, hash)) hash = arti_hash_mix(hash, 1);
    arti_quote *sig = signature_of(l, q, l->st->text.n_cp + lo, hash, &failed);
    if (failed || !sig) return false;
    if (sig->closes) {
        if (!arti_walk_suffixes(w, sig)) return false;
        for (uint32_t k = 0; k < set->n_suffix; k++) {
            if (!(sig->suffixes[k / 64] >> (k % 64) & 1u)) continue;
            const arti_suffix *sf = &v->suffixes[set->suffix + k];
            const bool alone = l->exact_tail && arti_suffix_ends_container(v, sf);
            for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
                const arti_leave *leave = &v->leave[t];
                if (leave->n_cp < lo || leave->n_cp > hi) continue;
                if (alone || (l->taken && arti_hset_has(l->taken, head_hash(l, leave)))) {
                    if (!leave_alone(l, leave->token)) return false;
                } else {
                    arti_bits_set(w->words, leave->token);
                }
            }
        }
    }
    for (uint32_t k = 0; k < w->v->lex->n_escape_out; k++) {
        const arti_lex_escape_out *e = &w->v->lex->escape_out[k];
        if (l->taken || l->exact_tail) {
            if (!leave_alone(l, e->token)) return false;
        } else if (sig->closes && e->n_cp >= lo && e->n_cp <= hi) {
            size_t len;
            const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
            if (arti_walk_tail(w, &sig->after, bytes + e->tail, len - e->tail)) arti_bits_set(w->words, e->token);
            if (arti_faulted(w->x->s)) return false;
        }
    }
    return true;
}

static bool walk_wide(leaver *l, uint32_t room) {
    arti_walk *w = l->w;
    arti_jctx *x = w->x;
    const art_vocab *v = w->v;
    const arti_state *st = l->st;
    const arti_u8_sets *set = &v->u8[ARTI_U8_0];
    arti_walk_stay(w, room);
    const uint64_t *q0 = arti_text_q(st);
    /* The languages that may change their mind on the way to the quote. */
    uint32_t moving[ARTI_KEY_PARTS_MAX + 1], n_moving = 0;
    bool lengths = false;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = text_part(st, i);
        if (q0[i] == 0) continue;
        lengths |= p->lo != 0 || p->hi != UINT32_MAX;
        if (p->kind == ARTI_PART_FREE) continue;
        if (p->kind == ARTI_PART_TERM && arti_re_is_universal(x->s->re, (arti_re_state)q0[i])) continue;
        if (n_moving == ARTI_KEY_PARTS_MAX) return arti_walk_subtree(w, 0, st); /* never: parts are capped below */
        moving[n_moving++] = i;
    }
    if (!n_moving && set->n_suffix <= ARTI_SUFFIX_WORDS_MAX * 32 && (!lengths || l->part)) {
        const uint32_t n = st->text.n_cp, lo = !lengths || n >= l->part->lo ? 0 : l->part->lo - n;
        return leave_alike(l, lo, lengths && l->part->hi != UINT32_MAX ? l->part->hi - n : UINT32_MAX);
    }
    for (uint32_t k = 0; k < w->v->lex->n_escape_out; k++)
        if (!leave_alone(l, w->v->lex->escape_out[k].token)) return false;
    uint64_t *q = arti_region_get(x->region, (l->n_parts + 1) * sizeof *q);
    if (!q) return arti_fault_mem(x->s);
    for (uint32_t k = 0; k < set->n_suffix; k++) {
        const arti_suffix *sf = &v->suffixes[set->suffix + k];
        const bool alone = l->exact_tail && arti_suffix_ends_container(v, sf);
        for (uint32_t t = sf->first; t < sf->first + sf->n; t++) {
            const arti_leave *leave = &v->leave[t];
            size_t len;
            const uint8_t *bytes = arti_vocab_bytes(v, leave->token, &len);
            if (alone || k >= ARTI_SUFFIX_WORDS_MAX * 32) {
                if (!leave_alone(l, leave->token)) return false;
                continue;
            }
            memcpy(q, q0, l->n_parts * sizeof *q);
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
                if (n_moving || lengths) continue;
                return true; /* no token leaves */
            }
            if (!arti_walk_suffixes(w, sig)) return false;
            if (sig->suffixes[k / 64] >> (k % 64) & 1u)
                arti_bits_set(w->words, leave->token);
            else if (!n_moving && !lengths)
                break; /* the whole group fails alike */
        }
    }
    return true;
}

/* ------------------------------------------------------------------ narrow strings */

static bool alive(const leaver *l, const arti_text_level *at) {
    arti_jctx *x = l->w->x;
    if (l->is_unbounded) return at->q[0] != 0;
    for (uint32_t i = 0; i < l->n_parts; i++)
        if (arti_part_alive(x->s, text_part(l->st, i), at->q[i], at->n_cp, at->u8 != ARTI_U8_0)) return true;
    return false;
}

/* Do all characters below a node lead every live language back to where it is? */
static bool stays_below(leaver *l, const arti_text_level *at, uint64_t below) {
    if (below & ARTI_ATOM_SPECIAL) return false;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        if (at->q[i] == 0) continue;
        const arti_part *p = l->part ? l->part : text_part(l->st, i);
        if (p->kind == ARTI_PART_FREE) continue;
        if (p->kind == ARTI_PART_SET || (below & ~arti_walk_loop_atoms(l->w, l->loops, (arti_re_state)at->q[i])))
            return false;
    }
    return true;
}

/* Characters that may still come while the languages stay where they are; UINT32_MAX: any number. */
static uint32_t room_at(leaver *l, const arti_text_level *at) {
    uint32_t room = 0;
    for (uint32_t i = 0; i < l->n_parts; i++) {
        const arti_part *p = l->part ? l->part : text_part(l->st, i);
        if (at->q[i] == 0 || at->n_cp > p->hi) continue;
        if (p->hi == UINT32_MAX) return UINT32_MAX;
        arti_re_lengths need = {.shortest = 0};
        if (p->kind == ARTI_PART_TERM && arti_re_get_lengths(l->w->x->s->re, (arti_re_state)at->q[i], &need) != ART_OK)
            continue;
        const uint32_t left = p->hi - at->n_cp;
        if (left >= need.shortest && left - need.shortest > room) room = left - need.shortest;
    }
    return room;
}

/* Sets the tokens of a subtree below which the languages stay where they are: those that are short enough. */
static bool set_below(leaver *l, const arti_text_level *at, uint32_t i) {
    const art_vocab *v = l->w->v;
    const uint32_t from = v->node[i].tok, to = v->node[v->node[i].next].tok, depth = v->node[i].depth;
    const uint32_t room = room_at(l, at);
    if (room >= v->token_len_max) {
        arti_bits_set_ids(l->w->words, v->order + from, to - from);
        return !arti_faulted(l->w->x->s);
    }
    for (uint32_t k = from; k < to; k++) {
        const uint32_t id = v->order[k];
        uint32_t n = 0;
        const uint32_t len = v->offsets[id + 1] - v->offsets[id];
        if (len - depth <= room) { /* bytes are no fewer than characters */
            arti_bits_set(l->w->words, id);
            continue;
        }
        const uint8_t *bytes = v->bytes + v->offsets[id];
        for (size_t b = depth; b < len; b++) n += (bytes[b] & 0xC0u) != 0x80u;
        if (n <= room) arti_bits_set(l->w->words, id);
    }
    return !arti_faulted(l->w->x->s);
}

static bool knows_loop(const leaver *l, const arti_text_level *at) {
    return l->part && l->part->kind == ARTI_PART_TERM && l->loops[at->q[0] % ARTI_LOOPS].q == (arti_re_state)at->q[0];
}

/* Does no text of plain ASCII characters kill the language from here on? Looks at a few states; false when there are more. */
static bool is_ascii_closed(leaver *l, arti_re_state q) {
    closed_entry *e = &l->closed[q % ARTI_LOOPS];
    if (e->q == q) return e->is_closed;
    arti_re_ctx *re = l->w->x->s->re;
    arti_re_state seen[CLOSED_STATES];
    uint32_t n = 0;
    bool ok = q != ARTI_RE_DEAD;
    seen[n++] = q;
    for (uint32_t i = 0; i < n && ok; i++) {
        for (uint32_t b = 0x20; b < 0x7F && ok; b++) {
            if (b == '"' || b == '\\') continue;
            const arti_re_state to = arti_re_step(re, seen[i], (uint8_t)b);
            if (to == ARTI_RE_DEAD || to == ARTI_RE_FAIL) {
                ok = false;
                break;
            }
            uint32_t k = n; /* most likely the last one */
            while (k > 0 && seen[k - 1] != to) k--;
            if (k == 0) {
                ok = n < CLOSED_STATES;
                if (ok) seen[n++] = to;
            }
        }
    }
    for (uint32_t i = 0; i < (ok ? n : 1); i++) l->closed[seen[i] % ARTI_LOOPS] = (closed_entry){seen[i], ok};
    return ok;
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
    to->hash = l->needs_hash ? arti_hash_mix(from->hash, byte) : 0;
    if (l->part) {
        to->q[0] = from->q[0];
        if (!arti_part_step(l->w->x->s, l->part, &to->q[0], byte)) return false;
        return alive(l, to);
    }
    for (uint32_t i = 0; i < l->n_parts; i++) {
        to->q[i] = from->q[i];
        if (!step_part(l->w->x, l->st, i, &to->q[i], byte)) return false;
    }
    return alive(l, to);
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
            arti_quote *sig = l->exact_tail ? NULL : signature_of(l, from->q, from->n_cp, from->hash, &failed);
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
        if (l->part && l->part->kind == ARTI_PART_TERM && l->is_unbounded && !to->is_full && to->u8 == ARTI_U8_0 &&
            node->next > i + 1 && !(v->below[i] & ~l->ascii) && is_ascii_closed(l, (arti_re_state)to->q[0])) {
            arti_bits_set_ids(w->words, v->order + node->tok, v->node[node->next].tok - node->tok);
            i = node->next;
            continue;
        }
        /* Worth asking where this very byte led back to where it came from. */
        if (!to->is_full && !from->is_full && to->u8 == ARTI_U8_0 && from->u8 == ARTI_U8_0 && node->next > i + 1 &&
            (memcmp(to->q, from->q, l->n_parts * sizeof *to->q) == 0 || knows_loop(l, to)) &&
            stays_below(l, to, v->below[i])) {
            if (!set_below(l, to, i)) return false;
            i = node->next;
            continue;
        }
        for (uint32_t k = node->tok; k < v->node[i + 1].tok; k++) arti_bits_set(w->words, v->order[k]);
        i++;
    }
    return true;
}

/* ------------------------------------------------------------------ entry */

bool arti_walk_text(arti_walk *w, const arti_state *st) {
    arti_jctx *x = w->x;
    const arti_frame *f = st->top;
    leaver l = {.w = w, .st = st, .n_parts = arti_text_parts(st)};
    for (uint32_t i = 0; i < ARTI_LOOPS; i++) l.loops[i].q = l.closed[i].q = ARTI_RE_FAIL;
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++)
        if (arti_atoms[i].hi < 0x7F) l.ascii |= UINT64_C(1) << i;
    const bool unique = f && !f->is_object && ((const arti_array_machine *)f->machine)->unique;
    if (unique) l.taken = f->set;
    for (const arti_frame *up = f; up && up->hashing; up = up->parent)
        if (up->parent && !up->parent->is_object && up->parent->set) l.exact_tail = true;
    l.needs_hash = unique || (f && f->hashing);
    if (l.n_parts == 1) {
        l.part = text_part(st, 0);
        l.is_unbounded = l.part->lo == 0 && l.part->hi == UINT32_MAX;
    }
    l.sigs = arti_region_get(x->region, ARTI_QUOTES * sizeof *l.sigs);
    if (!l.sigs) return arti_fault_mem(x->s);
    uint32_t room = 0;
    if (st->text.escape == ARTI_ESC_NONE && st->text.u8 == ARTI_U8_0 && l.n_parts <= ARTI_KEY_PARTS_MAX)
        room = wide_room(x, st);
    if (arti_faulted(x->s)) return false;
    return (room ? walk_wide(&l, room) : walk_narrow(&l)) && !arti_faulted(x->s);
}
