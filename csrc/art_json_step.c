/* SPDX-License-Identifier: Apache-2.0
 *
 * Values, containers, numbers and the dispatch of bytes. */
#include "art_bits.h"
#include "art_json_text.h"
#include "art_unique.h"

/* ------------------------------------------------------------------ frames */

static arti_frame *frame_new(arti_jctx *x, size_t size) {
    arti_frame *f = arti_region_get(x->region, size);
    if (!f) arti_fault_mem(x->s);
    return f;
}

arti_frame *arti_frame_copy(arti_jctx *x, const arti_frame *f) {
    const size_t size = arti_frame_size(f);
    arti_frame *c = frame_new(x, size);
    if (!c) return NULL;
    memcpy(c, f, size);
    c->moved = NULL;
    c->costs = NULL;
    c->id = 0;
    c->unique = (arti_unique_known){0};
    return c;
}

static void accept_goal(arti_accept *acc, uint32_t goal) {
    acc->w[goal / 64] |= UINT64_C(1) << (goal % 64);
}

static bool accepted(const arti_accept *acc, const arti_goals *g, arti_conj c) {
    const uint32_t i = arti_goals_find(g, c);
    return i != UINT32_MAX && (acc->w[i / 64] >> (i % 64) & 1u);
}

static bool any_bit(const uint64_t *w, uint32_t n_words) {
    for (uint32_t i = 0; i < n_words; i++)
        if (w[i]) return true;
    return false;
}

/* Goals of conjunctions gathered in a growing list. */
typedef struct gather {
    arti_jctx *x;
    arti_conj few[16], *conj;
    uint32_t n, cap;
    bool ok;
} gather;

static void gather_init(gather *g, arti_jctx *x) {
    *g = (gather){.x = x, .n = 0, .cap = 16, .ok = true}, g->conj = g->few;
}

static void gather_add(gather *g, arti_conj c) {
    if (c == ARTI_CONJ_FAIL) g->ok = false;
    if (!g->ok || (g->n && g->conj[g->n - 1] == c)) return;
    if (g->n == g->cap) {
        arti_conj *p = arti_region_get(g->x->region, (size_t)g->cap * 2 * sizeof *p);
        if (!p) {
            g->ok = arti_fault_mem(g->x->s);
            return;
        }
        memcpy(p, g->conj, g->n * sizeof *p);
        g->conj = p;
        g->cap *= 2;
    }
    g->conj[g->n++] = c;
}

static const arti_goals *gather_goals(gather *g) {
    return g->ok && g->n ? arti_goals_of(g->x->s, g->conj, g->n) : NULL;
}

/* ------------------------------------------------------------------ objects */

static arti_name_state view_name(const void *ud, uint32_t name) {
    const arti_object_view *v = ud;
    const arti_object_machine *m = v->frame->machine;
    const uint32_t i = m->alts[v->alt].to_set[name];
    if (arti_seen(v->frame, i)) return ARTI_NAME_SEEN;
    return v->in_order && m->rank[i] < v->frame->next_rank ? ARTI_NAME_BARRED : ARTI_NAME_FREE;
}

static bool view_extra(const void *ud, const char *key, uint32_t len) {
    const arti_object_view *v = ud;
    const arti_object_machine *m = v->frame->machine;
    const uint32_t i = arti_object_machine_find(m, key, len);
    if (i != UINT32_MAX)
        return i == v->member.name || arti_seen(v->frame, i) || (v->in_order && m->rank[i] < v->frame->next_rank);
    const uint64_t h = arti_digest_text(ARTI_TEXT_HASH, key, len);
    /* What is barred leads nowhere, wherever it comes, but in order: there it may come after others. */
    const arti_frame *f = v->frame;
    return h == v->member.hash || arti_hset_has(f->has_bars && v->in_order ? f->own_set : f->set, h);
}

void arti_object_view_init(arti_object_view *v, arti_object_at *at, const arti_jctx *x, const arti_frame *f,
                           uint32_t alt) {
    const arti_object_machine *m = f->machine;
    *v = (arti_object_view){f, alt, {f->key, f->key_hash}, x->in_order};
    *at = (arti_object_at){f->n, m->has_some ? arti_frame_met(f)[alt] : 0, 0, UINT32_MAX, view_name, view_extra, v};
}

void arti_object_view_take(const arti_object_view *v, arti_object_at *at, uint32_t met) {
    const arti_object_machine *m = v->frame->machine;
    const uint32_t name = v->member.name;
    at->n++;
    at->met |= met;
    if (name != UINT32_MAX) at->taken = arti_object_find(m->alts[v->alt].shape, m->names[name].ptr, m->names[name].len);
}

static bool settle(arti_jctx *x, arti_object_machine *m, const arti_goals *g, uint32_t alt) {
    if (m->alts[alt].is_settled) return true;
    if (!arti_shape_settle(x->s, g->type[ARTI_T_OBJECT].alts[alt].shape)) return false;
    m->alts[alt].is_settled = true;
    return true;
}

/* Can the alternative still become whole when one more member comes that meets `met`? */
static bool object_feasible(arti_jctx *x, const arti_frame *f, uint32_t alt, arti_member member, uint32_t met) {
    arti_object_machine *m = f->machine;
    const uint32_t name = member.name;
    struct arti_object_alt *a = &m->alts[alt];
    if (x->in_order) { /* what is required before this name can not come any more */
        const uint32_t before = name == UINT32_MAX ? ARTI_RANK_OTHERS : m->rank[name];
        for (uint32_t i = 0; i < a->shape->n_names; i++) {
            const uint32_t k = a->to_set[i];
            if (a->shape->names[i].required && !arti_seen(f, k) && m->rank[k] < before) return false;
        }
    }
    if (a->shape->is_simple) return true;
    if (!settle(x, m, f->goals, alt)) return false;
    arti_object_view v;
    arti_object_at at;
    arti_object_view_init(&v, &at, x, f, alt);
    arti_frame *probe = NULL;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    if (x->in_order) { /* names before it are barred as well */
        probe = arti_frame_copy(x, f);
        if (!probe) return false;
        const uint32_t rank = name == UINT32_MAX ? ARTI_RANK_OTHERS : m->rank[name] + 1;
        if (rank > probe->next_rank) probe->next_rank = rank;
        v.frame = probe;
    }
    v.member = member;
    arti_object_view_take(&v, &at, met);
    const uint32_t best = arti_object_best(x->s, a->shape, &at, NULL);
    arti_region_reset(x->region, mark);
    return best != ARTI_LEN_NONE && !arti_faulted(x->s);
}

/* Would the alternative take this member, with some of the conditions that it may meet? */
static bool member_possible(arti_jctx *x, const arti_frame *f, uint32_t alt, arti_member member, arti_conj conj,
                            uint32_t may) {
    const arti_object_machine *m = f->machine;
    const arti_object_shape *o = m->alts[alt].shape;
    const uint32_t pending = m->has_some ? may & ~arti_frame_met(f)[alt] : 0;
    for (uint32_t sub = pending;; sub = (sub - 1) & pending) {
        const arti_conj c = sub ? arti_some_conj(x->s, o, conj, sub) : conj;
        if (c == ARTI_CONJ_FAIL) return false;
        if (arti_conj_len(x->s, c) != ARTI_LEN_NONE && object_feasible(x, f, alt, member, sub)) return true;
        if (!sub || arti_faulted(x->s)) return false;
    }
}

/* A name of this language that may come as another one: not there, and not among those that other alternatives declare. */
static bool find_other_name(arti_jctx *x, const arti_frame *f, arti_re names, arti_member *out) {
    const arti_object_machine *m = f->machine;
    const arti_re_state q = arti_re_start(x->s->re, names);
    if (q == ARTI_RE_FAIL) return arti_fault_re(x->s, NULL, 0, "patternProperties");
    const uint64_t declared = m->n_names ? arti_set_state(0, m->n_names, 0) : 0;
    *out = (arti_member){UINT32_MAX, 0};
    return arti_has_fresh_word(x, f, q, declared, ARTI_TEXT_HASH, &out->hash);
}

static bool other_possible(arti_jctx *x, const arti_frame *f, uint32_t alt) {
    const arti_object_machine *m = f->machine;
    arti_object_shape *o = m->alts[alt].shape;
    if (m->alts[alt].extra_part == ARTI_EXTRA_NONE) return false;
    if (o->is_simple && !x->in_order) return true;
    /* Which one comes matters to conditions, and where names that are declared can not make up for it behind it. */
    if (o->n_some == 0 && (o->is_simple || !x->in_order))
        return object_feasible(x, f, alt, (arti_member){UINT32_MAX, 0}, 0);
    const arti_class_list *all = arti_object_classes(x->s, o);
    for (uint32_t i = 0; all && i < all->n; i++) {
        arti_member other;
        if (find_other_name(x, f, all->at[i]->names, &other) &&
            member_possible(x, f, alt, other, all->at[i]->conj, all->at[i]->some))
            return true;
        if (arti_faulted(x->s)) return false;
    }
    return false;
}

/* Alternative alt takes no other name now; *others are those that do, NULL while all do. */
static bool bar_others(arti_jctx *x, const arti_object_machine *m, uint64_t **others, uint32_t alt) {
    if (!*others) {
        *others = arti_region_get(x->region, m->n_live_words * sizeof **others);
        if (!*others) return arti_fault_mem(x->s);
        memset(*others, 0xFF, m->n_live_words * sizeof **others);
    }
    (*others)[alt / 64] &= ~(UINT64_C(1) << (alt % 64));
    return true;
}

/* Adds to `offer` the names that the alternative takes now. false: fault. */
static bool offer_names(arti_jctx *x, const arti_frame *f, uint32_t alt, uint64_t *offer) {
    arti_object_machine *m = f->machine;
    const uint64_t *seen = f->bits + m->n_live_words;
    for (uint32_t w = 0; w < m->n_seen_words; w++) {
        const uint32_t left = m->n_names - w * 64;
        uint64_t rest = ~(offer[w] | seen[w]) & (left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX);
        if (m->alts[alt].never) rest &= ~m->alts[alt].never[w];
        for (; rest; rest &= rest - 1) {
            const uint32_t i = w * 64 + arti_bits_lowest64(rest);
            if (x->in_order && m->rank[i] < f->next_rank) continue;
            const arti_cell *c = arti_object_cell(x->s, m, alt, i);
            if (!c) return false;
            if (c->conj == ARTI_CONJ_NEVER) continue;
            if ((m->all_simple && !x->in_order) || member_possible(x, f, alt, (arti_member){i, 0}, c->conj, c->some))
                offer[w] |= UINT64_C(1) << (i % 64);
            if (arti_faulted(x->s)) return false;
        }
    }
    return true;
}

/* Prepares the state for a key: which names, and whether others. false: none at all. */
static bool offer_keys(arti_jctx *x, arti_state *st) {
    const arti_frame *f = st->top;
    arti_object_machine *m = f->machine;
    uint64_t *offer = NULL, *others = NULL;
    bool other = false;
    if (m->n_names) {
        offer = arti_region_get(x->region, m->n_seen_words * sizeof *offer);
        if (!offer) return arti_fault_mem(x->s);
        memset(offer, 0, m->n_seen_words * sizeof *offer);
    }
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_live(f, a)) continue;
        if (!offer_names(x, f, a, offer)) return false;
        if (other_possible(x, f, a))
            other = true;
        else if (m->alts[a].extra_part != ARTI_EXTRA_NONE && !bar_others(x, m, &others, a))
            return false;
        if (arti_faulted(x->s)) return false;
    }
    st->text.offer = offer;
    st->text.others = others;
    st->text.offer_other = other;
    bool any = any_bit(offer, m->n_seen_words);
    if ((any || other) && f->hashing) {
        if (!arti_unique_offer(x, st, offer)) return false;
        f = st->top;
        any = any_bit(offer, m->n_seen_words);
        other = st->text.offer_other;
    }
    if (any) return true;
    if (!other) return false;
    if (arti_takes_any_name(st) || (!f->set && !m->n_names)) return true;
    arti_state probe = *st; /* the other names may be used up */
    const arti_region_mark mark = arti_region_mark_now(x->region);
    const bool ok = arti_key_begin(x, &probe);
    arti_region_reset(x->region, mark);
    return ok;
}

bool arti_frame_cell(arti_jctx *x, const arti_frame *f, uint32_t alt, arti_conj *conj, uint32_t *pending) {
    arti_object_machine *m = f->machine;
    arti_object_shape *o = m->alts[alt].shape;
    *pending = 0;
    uint32_t some;
    if (f->key != UINT32_MAX) {
        const arti_cell *c = arti_object_cell(x->s, m, alt, f->key);
        if (!c) return false;
        *conj = c->conj;
        some = c->some;
    } else {
        const uint32_t p = m->alts[alt].extra_part;
        *conj = ARTI_CONJ_NEVER;
        if (p == ARTI_EXTRA_NONE || (p != ARTI_EXTRA_FREE && !(f->matches >> p & 1u))) return true;
        uint64_t own = 0;
        for (uint32_t k = 0; k < o->n_pats; k++)
            if (f->matches >> m->alts[alt].pat_part[k] & 1u) own |= UINT64_C(1) << k;
        const arti_extra_class *c = arti_object_extra_class(x->s, o, own);
        if (!c) return false;
        *conj = c->conj;
        some = c->some;
    }
    if (m->has_some) *pending = some & ~arti_frame_met(f)[alt];
    return true;
}

/* Goals of the pending key's value; alternatives that do not take it die. */
static const arti_goals *member_goals(arti_jctx *x, arti_frame *f) {
    arti_object_machine *m = f->machine;
    const bool cached = m->name_goals && m->all_simple && !x->in_order;
    const arti_goals **slot = NULL;
    if (cached && f->key != UINT32_MAX)
        slot = &m->name_goals[f->key];
    else if (cached && m->n_parts == 0)
        slot = &m->class_goals[0];
    if (slot && *slot) return *slot;
    gather g;
    gather_init(&g, x);
    const arti_asks *asks = m->all_simple && !x->in_order ? arti_object_asks(x->s, m, f->key, f->bits) : NULL;
    if (asks) {
        for (uint32_t i = 0; i < asks->n; i++) {
            const bool never = asks->conj[i] == ARTI_CONJ_NEVER;
            bool any = false;
            for (uint32_t w = 0; w < m->n_live_words; w++) {
                any |= (f->bits[w] & asks->alts[i][w]) != 0;
                if (never) f->bits[w] &= ~asks->alts[i][w];
            }
            if (any && !never) gather_add(&g, asks->conj[i]);
        }
        return gather_goals(&g);
    }
    if (arti_faulted(x->s)) return NULL;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_live(f, a)) continue;
        arti_conj conj;
        uint32_t pending;
        bool alive = false;
        if (!arti_frame_cell(x, f, a, &conj, &pending)) return NULL;
        for (uint32_t sub = pending;; sub = (sub - 1) & pending) {
            const arti_conj c = sub ? arti_some_conj(x->s, m->alts[a].shape, conj, sub) : conj;
            if (c == ARTI_CONJ_FAIL) return NULL;
            if (arti_conj_len(x->s, c) != ARTI_LEN_NONE &&
                object_feasible(x, f, a, (arti_member){f->key, f->key_hash}, sub)) {
                gather_add(&g, c);
                alive = true;
            }
            if (arti_faulted(x->s)) return NULL;
            if (!sub) break;
        }
        if (!alive) f->bits[a / 64] &= ~(UINT64_C(1) << (a % 64));
    }
    const arti_goals *goals = gather_goals(&g);
    if (slot && goals) *slot = goals;
    return goals;
}

bool arti_object_key(arti_jctx *x, arti_state *st, uint32_t name, uint64_t matches, uint64_t hash) {
    arti_frame *f = arti_frame_copy(x, st->top);
    if (!f) return false;
    f->key = name;
    f->matches = matches;
    f->key_hash = hash;
    if (name == UINT32_MAX) f->heads = st->text.heads;
    if (f->has_bars) { /* what must not come first may come later */
        f->set = f->own_set;
        f->set_sum = f->own_sum;
        f->own_set = NULL;
        f->has_bars = false;
    }
    const arti_goals *goals = member_goals(x, f);
    if (!goals || arti_faulted(x->s)) return false;
    *st = (arti_state){.top = f, .goals = goals, .mode = ARTI_M_COLON};
    return true;
}

/* st->goals may be fewer than the alternatives ask for: a completion aims at one of them (art_json_pieces.c). */
static bool object_value(arti_jctx *x, arti_state *st, const arti_accept *acc, uint64_t hash) {
    const arti_frame *f = st->top;
    arti_object_machine *m = f->machine;
    arti_frame *nf = arti_frame_copy(x, f);
    if (!nf) return false;
    nf->n++;
    if (f->key != UINT32_MAX) {
        nf->bits[m->n_live_words + f->key / 64] |= UINT64_C(1) << (f->key % 64);
        nf->next_rank = m->rank[f->key] + 1;
    } else {
        nf->set = arti_hset_add(x->region, f->set, f->key_hash);
        if (!nf->set) return arti_fault_mem(x->s);
        nf->set_sum += arti_hash_mix(f->key_hash, 7);
        nf->next_rank = ARTI_RANK_OTHERS;
        if (f->hashing && m->n_parts && !arti_unique_note_key(x, nf, f->key_hash, f->matches)) return false;
    }
    if (f->hashing) nf->hash += arti_digest_member(f->key_hash, hash);
    nf->key_hash = nf->matches = 0;
    nf->key = UINT32_MAX;
    if (!m->has_some && m->n_alts == 1) { /* the value's only goal was met */
        *st = (arti_state){.top = nf, .mode = ARTI_M_AFTER};
        return true;
    }
    const arti_asks *asks = arti_object_asks(x->s, m, f->key, f->bits);
    if (asks) {
        for (uint32_t i = 0; i < asks->n; i++) {
            if (accepted(acc, st->goals, asks->conj[i])) continue;
            for (uint32_t w = 0; w < m->n_live_words; w++) nf->bits[w] &= ~asks->alts[i][w];
        }
        if (!any_bit(nf->bits, m->n_live_words)) return false;
        *st = (arti_state){.top = nf, .mode = ARTI_M_AFTER};
        return true;
    }
    arti_conj last = ARTI_CONJ_NEVER; /* alternatives often ask the same of the value */
    bool last_ok = false;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_live(f, a)) continue;
        arti_conj conj;
        uint32_t pending, met = 0;
        bool ok = false;
        if (!arti_frame_cell(x, f, a, &conj, &pending)) return false;
        for (uint32_t sub = pending;; sub = (sub - 1) & pending) {
            const arti_conj c = sub ? arti_some_conj(x->s, m->alts[a].shape, conj, sub) : conj;
            if (c == ARTI_CONJ_FAIL) return false;
            if (c != last) last_ok = accepted(acc, st->goals, last = c);
            /* Without conditions the alternative was asked with the key already, and nothing has changed since. */
            if (last_ok && (!m->has_some || object_feasible(x, f, a, (arti_member){f->key, f->key_hash}, sub))) {
                met |= sub;
                ok = true;
            }
            if (!sub) break;
        }
        if (!ok)
            nf->bits[a / 64] &= ~(UINT64_C(1) << (a % 64));
        else if (m->has_some)
            ((uint32_t *)arti_frame_met(nf))[a] |= met;
    }
    if (!any_bit(nf->bits, m->n_live_words) || arti_faulted(x->s)) return false;
    *st = (arti_state){.top = nf, .mode = ARTI_M_AFTER};
    return true;
}

/* ------------------------------------------------------------------ arrays */

static bool settle_array(arti_jctx *x, arti_array_machine *m, const arti_goals *g, uint32_t alt) {
    if (m->alts[alt].is_settled) return true;
    if (!arti_shape_settle(x->s, g->type[ARTI_T_ARRAY].alts[alt].shape)) return false;
    m->alts[alt].is_settled = true;
    return true;
}

/* May the next item be counted by exactly `sub` (of the watched conditions), and the array still become whole? */
static bool item_feasible(arti_jctx *x, const arti_frame *f, uint32_t alt, uint32_t sub) {
    arti_array_machine *m = f->machine;
    arti_array_shape *a = m->alts[alt].shape;
    if (f->n >= a->max) return false;
    if (a->n_contains == 0) return true;
    uint32_t counts[ARTI_CONTAINS_MAX];
    for (uint32_t k = 0; k < a->n_contains; k++) {
        counts[k] = arti_frame_counts(f)[m->count_at[alt] + k];
        if (!(sub >> k & 1u)) continue;
        if (counts[k] >= arti_contains_cap(&a->contains[k])) return false;
        counts[k]++;
    }
    return settle_array(x, m, f->goals, alt) &&
           arti_array_best(x->s, a, f->n + 1, counts, f->has_equal, NULL) != ARTI_LEN_NONE;
}

/* Goals of the next item; NULL when there can be none. */
static const arti_goals *item_goals(arti_jctx *x, const arti_frame *f) {
    arti_array_machine *m = f->machine;
    const arti_goals **slot = NULL;
    if (m->item_goals) {
        arti_array_shape *a = m->alts[0].shape;
        if (f->n >= a->max) return NULL;
        slot = &m->item_goals[f->n < a->n_prefix ? f->n : a->n_prefix];
        if (*slot) return *slot;
    }
    gather g;
    gather_init(&g, x);
    for (uint32_t alt = 0; alt < m->n_alts; alt++) {
        if (!arti_live(f, alt)) continue;
        arti_array_shape *a = m->alts[alt].shape;
        const uint32_t watched = arti_item_watched(a, f->n, arti_frame_counts(f) + m->count_at[alt]);
        for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
            if (item_feasible(x, f, alt, sub)) gather_add(&g, arti_item_counted(x->s, a, f->n, sub));
            if (arti_faulted(x->s)) return NULL;
            if (!sub) break;
        }
    }
    const arti_goals *goals = gather_goals(&g);
    if (slot && goals) *slot = goals;
    return goals;
}

static bool array_value(arti_jctx *x, arti_state *st, const arti_accept *acc, uint64_t hash) {
    const arti_frame *f = st->top;
    arti_array_machine *m = f->machine;
    arti_frame *nf = arti_frame_copy(x, f);
    if (!nf) return false;
    nf->n++;
    if (f->hashing) nf->hash = arti_digest_item(f->hash, hash);
    bool again = false;
    if (m->unique) {
        again = arti_hset_has(f->set, hash);
        nf->has_equal |= again;
        if (!again) {
            nf->set = arti_hset_add(x->region, f->set, hash);
            if (!nf->set) return arti_fault_mem(x->s);
            nf->set_sum += arti_hash_mix(hash, 7);
        }
    }
    for (uint32_t alt = 0; alt < m->n_alts; alt++) {
        if (!arti_live(f, alt)) continue;
        arti_array_shape *a = m->alts[alt].shape;
        const uint32_t *counts = arti_frame_counts(f) + m->count_at[alt];
        const uint32_t watched = arti_item_watched(a, f->n, counts);
        uint32_t counted = 0;
        bool ok = false;
        for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
            const arti_conj c = arti_item_counted(x->s, a, f->n, sub);
            if (c == ARTI_CONJ_FAIL) return false;
            if (accepted(acc, st->goals, c) && item_feasible(x, f, alt, sub)) {
                counted |= sub;
                ok = true;
            }
            if (!sub) break;
        }
        if (!ok || (again && a->unique)) {
            nf->bits[alt / 64] &= ~(UINT64_C(1) << (alt % 64));
            continue;
        }
        uint32_t *to = (uint32_t *)arti_frame_counts(nf) + m->count_at[alt];
        for (uint32_t k = 0; k < a->n_contains; k++)
            if (counted >> k & 1u) to[k]++;
    }
    if (!any_bit(nf->bits, m->n_live_words) || arti_faulted(x->s)) return false;
    *st = (arti_state){.top = nf, .mode = ARTI_M_AFTER};
    return true;
}

/* ------------------------------------------------------------------ opening and ending */

static bool open_container(arti_jctx *x, arti_state *st, bool is_object) {
    const uint32_t depth = st->top ? st->top->depth + 1 : 1;
    if (depth > ART_SCHEMA_DEPTH_MAX) return false;
    void *machine = is_object ? (void *)arti_goals_object(x->s, st->goals) : (void *)arti_goals_array(x->s, st->goals);
    if (!machine) return false;
    const arti_frame head = {.parent = st->top,
                             .goals = st->goals,
                             .machine = machine,
                             .key = UINT32_MAX,
                             .depth = depth,
                             .is_object = is_object,
                             .hash = is_object ? ARTI_OBJECT_HASH : ARTI_ARRAY_HASH};
    const size_t size = arti_frame_size(&head);
    arti_frame *f = frame_new(x, size);
    if (!f) return false;
    memset(f, 0, size);
    memcpy(f, &head, sizeof head);
    const uint32_t n_alts =
        is_object ? ((arti_object_machine *)machine)->n_alts : ((arti_array_machine *)machine)->n_alts;
    for (uint32_t a = 0; a < n_alts; a++) f->bits[a / 64] |= UINT64_C(1) << (a % 64);
    f->hashing = arti_is_distinct(st);
    arti_state next = {.top = f};
    if (is_object) {
        next.mode = ARTI_M_FIRST_KEY;
        offer_keys(x, &next); /* none is fine: the object is empty then */
    } else {
        next.mode = ARTI_M_FIRST_VALUE;
        next.goals = item_goals(x, f);
    }
    if (arti_faulted(x->s)) return false;
    *st = next;
    return true;
}

bool arti_object_aim(arti_jctx *x, arti_state *st, uint32_t goal) {
    arti_frame *f = arti_frame_copy(x, st->top);
    if (!f) return false;
    const arti_object_machine *m = f->machine;
    for (uint32_t a = 0; a < m->n_alts; a++)
        if (f->goals->type[ARTI_T_OBJECT].alts[a].goal != goal) f->bits[a / 64] &= ~(UINT64_C(1) << (a % 64));
    *st = (arti_state){.top = f, .mode = ARTI_M_FIRST_KEY};
    offer_keys(x, st);
    return any_bit(f->bits, m->n_live_words) && !arti_faulted(x->s);
}

bool arti_frame_accepts(arti_jctx *x, const arti_frame *f, arti_accept *acc) {
    bool any = false;
    memset(acc, 0, sizeof *acc);
    if (f->is_object) {
        const arti_object_machine *m = f->machine;
        const uint64_t *seen = f->bits + m->n_live_words;
        for (uint32_t a = 0; a < m->n_alts; a++) {
            if (!arti_live(f, a)) continue;
            const arti_object_shape *o = m->alts[a].shape;
            bool ok = f->n >= o->min && f->n <= o->max;
            for (uint32_t w = 0; w < m->n_seen_words && ok; w++) ok = !(m->alts[a].required[w] & ~seen[w]);
            if (ok && o->n_some) ok = (arti_frame_met(f)[a] & ((1u << o->n_some) - 1)) == (1u << o->n_some) - 1;
            if (!ok) continue;
            accept_goal(acc, f->goals->type[ARTI_T_OBJECT].alts[a].goal);
            any = true;
        }
    } else {
        const arti_array_machine *m = f->machine;
        for (uint32_t alt = 0; alt < m->n_alts; alt++) {
            if (!arti_live(f, alt)) continue;
            const arti_array_shape *a = m->alts[alt].shape;
            bool ok = f->n >= a->min && f->n <= a->max && (f->has_equal || !a->not_unique);
            for (uint32_t k = 0; k < a->n_contains; k++)
                ok &= arti_frame_counts(f)[m->count_at[alt] + k] >= a->contains[k].min;
            if (!ok) continue;
            accept_goal(acc, f->goals->type[ARTI_T_ARRAY].alts[alt].goal);
            any = true;
        }
    }
    (void)x;
    return any;
}

static bool close_container(arti_jctx *x, arti_state *st) {
    const arti_frame *f = st->top;
    arti_accept acc;
    if (!arti_frame_accepts(x, f, &acc)) return false;
    arti_state next = {.top = f->parent, .goals = f->goals};
    if (!arti_value_end(x, &next, &acc, f->hash)) return false;
    if (f->hashing && f->heads && !arti_unique_keep_keys(x, (arti_frame *)next.top, f)) return false;
    *st = next;
    return true;
}

bool arti_value_end(arti_jctx *x, arti_state *st, const arti_accept *acc, uint64_t hash) {
    if (!st->top) {
        *st = (arti_state){.mode = ARTI_M_DONE};
        return true;
    }
    return st->top->is_object ? object_value(x, st, acc, hash) : array_value(x, st, acc, hash);
}

/* ------------------------------------------------------------------ words */

static const char *const words[] = {"false", "true", "null"};

static int word_index(uint8_t first) {
    return first == 'f' ? 0 : first == 't' ? 1 : first == 'n' ? 2 : -1;
}

static bool word_accepts(const arti_goal_type *gt, int word, arti_accept *acc) {
    bool any = false;
    memset(acc, 0, sizeof *acc);
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        if (word < 2 && !(gt->alts[a].shape->bools >> word & 1u)) continue;
        accept_goal(acc, gt->alts[a].goal);
        any = true;
    }
    return any;
}

static bool word_begin(arti_jctx *x, arti_state *st, int word) {
    const arti_goal_type *gt = arti_goals_type(x->s, st->goals, word < 2 ? ARTI_T_BOOL : ARTI_T_NULL);
    arti_accept acc;
    if (!gt || !word_accepts(gt, word, &acc)) return false;
    *st = (arti_state){.top = st->top, .goals = st->goals, .mode = ARTI_M_WORD, .word = (uint8_t)word, .word_len = 1};
    return true;
}

static bool word_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    const char *w = words[st->word];
    if ((uint8_t)w[st->word_len] != byte) return false;
    if (w[st->word_len + 1]) {
        st->word_len++;
        return true;
    }
    arti_accept acc;
    return word_accepts(&st->goals->type[st->word < 2 ? ARTI_T_BOOL : ARTI_T_NULL], st->word, &acc) &&
           arti_value_end(x, st, &acc, arti_digest_word(st->word));
}

/* ------------------------------------------------------------------ numbers */

static bool is_plain(const arti_num *n) {
    return n->lex <= ARTI_NUM_INT;
}

/* Is only a plain integer wanted of this alternative? */
static bool wants_plain(const arti_jctx *x, const arti_shape *shape) {
    return shape->plain || (x->spaced && shape->number.is_whole);
}

static bool number_alive(const arti_jctx *x, const arti_state *st, bool finite) {
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_num_rule *r = &gt->alts[a].shape->number;
        const bool plain = wants_plain(x, gt->alts[a].shape);
        const arti_num_style style = plain ? ARTI_NUM_PLAIN : x->style;
        if (plain && !is_plain(&st->number.num)) continue;
        if (!r->is_any && !arti_num_alive(r, &st->number.num, st->number.text, style)) continue;
        if (!finite || arti_num_stays_finite(r, &st->number.num, st->number.text, style)) return true;
    }
    return false;
}

/* Is the text of the number needed, besides what arti_num knows? */
static bool number_needs_text(const arti_state *st) {
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    for (uint32_t a = 0; a < gt->n_alts; a++)
        if (!gt->alts[a].shape->number.is_any) return true;
    return arti_is_distinct(st);
}

static bool number_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    arti_state next = *st;
    if (!arti_num_step(&next.number.num, byte)) return false;
    if (number_needs_text(st)) {
        const uint32_t len = next.number.num.len;
        if (len > ARTI_NUM_TEXT_MAX) return false;
        uint8_t *text = arti_region_get(x->region, len);
        if (!text) return arti_fault_mem(x->s);
        if (len > 1) memcpy(text, st->number.text, len - 1);
        text[len - 1] = byte;
        next.number.text = text;
    }
    if (!number_alive(x, &next, x->finite)) {
        /* A number that has already become too large goes on as it likes. */
        if (!x->finite || !number_alive(x, &next, false) || number_alive(x, st, true)) return false;
    }
    *st = next;
    return true;
}

static bool number_begin(arti_jctx *x, arti_state *st, uint8_t byte) {
    const arti_goal_type *gt = arti_goals_type(x->s, st->goals, ARTI_T_NUMBER);
    if (!gt || gt->n_alts == 0) return false;
    arti_state next = {.top = st->top, .goals = st->goals, .mode = ARTI_M_NUMBER};
    if (!number_step(x, &next, byte)) return false;
    *st = next;
    return true;
}

static bool number_accepts(const arti_state *st, arti_accept *acc) {
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    bool any = false;
    memset(acc, 0, sizeof *acc);
    if (!arti_num_may_end(&st->number.num)) return false;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_num_rule *r = &gt->alts[a].shape->number;
        if (gt->alts[a].shape->plain && !is_plain(&st->number.num)) continue;
        if (!r->is_any && !arti_num_fits(r, &st->number.num, st->number.text)) continue;
        accept_goal(acc, gt->alts[a].goal);
        any = true;
    }
    return any;
}

/* Ends the number before a byte that does not belong to it. */
bool arti_number_end(arti_jctx *x, arti_state *st) {
    arti_accept acc;
    if (!number_accepts(st, &acc)) return false;
    const uint64_t hash = arti_is_distinct(st) ? arti_digest_number(st->number.text, st->number.num.len) : 0;
    return arti_value_end(x, st, &acc, hash);
}

/* ------------------------------------------------------------------ dispatch */

static bool is_space(uint8_t b) {
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}

/* Where json.dumps writes a space: after a comma or a colon. */
static bool is_spaced_place(const arti_state *st) {
    return st->mode == ARTI_M_KEY || (st->mode == ARTI_M_VALUE && st->top);
}

static bool space_step(const arti_jctx *x, arti_state *st, uint8_t byte) {
    if (x->spaced && (byte != ' ' || !is_spaced_place(st))) return false;
    if (x->space_max == 0 || (st->mode == ARTI_M_DONE && x->embedded)) return false;
    if (x->space_max == UINT8_MAX) return true;
    if (st->n_space >= x->space_max) return false;
    st->n_space++;
    return true;
}

static bool value_begin(arti_jctx *x, arti_state *st, uint8_t byte) {
    if (!st->goals) return false;
    switch (byte) {
    case '"': return arti_text_begin(x, st);
    case '{': return open_container(x, st, true);
    case '[': return open_container(x, st, false);
    case 't':
    case 'f':
    case 'n': return word_begin(x, st, word_index(byte));
    default: return (byte == '-' || (byte >= '0' && byte <= '9')) && number_begin(x, st, byte);
    }
}

static bool after_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    const arti_frame *f = st->top;
    if (byte == (f->is_object ? '}' : ']')) return close_container(x, st);
    if (byte != ',') return false;
    arti_state next = {.top = f};
    if (f->is_object) {
        next.mode = ARTI_M_KEY;
        if (!offer_keys(x, &next)) return false;
    } else {
        next.mode = ARTI_M_VALUE;
        next.goals = item_goals(x, f);
        if (!next.goals) return false;
    }
    if (arti_faulted(x->s)) return false;
    *st = next;
    return true;
}

static bool step(arti_jctx *x, arti_state *st, uint8_t byte) {
    if (st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT) return arti_text_step(x, st, byte);
    if (st->mode == ARTI_M_WORD) return word_step(x, st, byte);
    if (st->mode == ARTI_M_NUMBER) {
        if (number_step(x, st, byte)) return true;
        if (!is_space(byte) && byte != ',' && byte != ']' && byte != '}') return false;
        if (arti_faulted(x->s) || (!st->top && x->embedded) || !arti_number_end(x, st)) return false;
    }
    if (is_space(byte)) return space_step(x, st, byte);
    if (x->spaced && is_spaced_place(st) && st->n_space == 0) return false;
    switch ((arti_mode)st->mode) {
    case ARTI_M_VALUE: return value_begin(x, st, byte);
    case ARTI_M_FIRST_VALUE: return byte == ']' ? close_container(x, st) : value_begin(x, st, byte);
    case ARTI_M_FIRST_KEY:
        if (byte == '}') return close_container(x, st);
        return byte == '"' && arti_key_begin(x, st);
    case ARTI_M_KEY: return byte == '"' && arti_key_begin(x, st);
    case ARTI_M_COLON:
        if (byte != ':') return false;
        *st = (arti_state){.top = st->top, .goals = st->goals, .mode = ARTI_M_VALUE};
        return true;
    case ARTI_M_AFTER: return after_step(x, st, byte);
    default: return false;
    }
}

bool arti_state_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    bool alive;
    if ((st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT) && !arti_is_distinct(st) &&
        arti_text_step_plain(x, st, byte, &alive))
        return alive && !arti_faulted(x->s);
    arti_state next = *st;
    if (!step(x, &next, byte) || arti_faulted(x->s)) return false;
    const bool is_same = is_space(byte) && next.mode == st->mode && next.mode != ARTI_M_TEXT;
    if (!is_same && arti_is_distinct(&next) && !arti_unique_alive(x, &next)) return false;
    *st = next;
    return true;
}

bool arti_state_start(arti_jctx *x, arti_conj root, arti_state *out) {
    arti_conj c = root;
    const arti_goals *g = arti_goals_of(x->s, &c, 1);
    if (!g) return false;
    *out = (arti_state){.goals = g, .mode = ARTI_M_VALUE};
    return true;
}

bool arti_state_is_complete(const arti_state *st) {
    if (st->mode == ARTI_M_DONE) return true;
    arti_accept acc;
    return st->mode == ARTI_M_NUMBER && !st->top && number_accepts(st, &acc);
}
