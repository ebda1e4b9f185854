/* SPDX-License-Identifier: Apache-2.0 */
#include "art_values.h"

#include "art_digest.h"
#include "art_goals.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_STEPS_MAX 65536u /* transitions that are followed to count the texts of a language */
#define FRACTION_MORE 4u       /* digits behind a point that are tried beyond those that bounds and steps have */

/* ------------------------------------------------------------------ lists */

arti_count arti_count_of(art_schema *s, uint32_t want) {
    return (arti_count){s, want, ARTI_VALUES_STEPS_MAX, UINT32_MAX};
}

void arti_values_free(art_schema *s, arti_values *v) {
    if (v->slots) {
        arti_free(&s->mem, v->at, v->cap * sizeof *v->at);
        arti_free(&s->mem, v->slots, 2 * (size_t)v->cap * sizeof *v->slots);
    }
    v->at = NULL;
    v->slots = NULL;
    v->n = v->cap = 0;
}

static uint32_t *slot_of(const arti_values *v, uint64_t digest) {
    const uint32_t mask = 2 * v->cap - 1;
    uint32_t i = (uint32_t)(digest >> 32) & mask;
    while (v->slots[i] && v->at[v->slots[i] - 1] != digest) i = (i + 1) & mask;
    return &v->slots[i];
}

static bool grow(art_schema *s, arti_values *v) {
    arti_values bigger = *v;
    bigger.cap = v->cap * 2;
    const size_t size = bigger.cap * sizeof *v->at, slots_size = 2 * (size_t)bigger.cap * sizeof *v->slots;
    bigger.at = v->is_kept ? arti_schema_get(s, size) : arti_realloc(&s->mem, NULL, 0, size);
    bigger.slots = !bigger.at ? NULL : v->is_kept ? arti_schema_zero(s, slots_size) : arti_calloc(&s->mem, slots_size);
    if (!bigger.slots) {
        if (!v->is_kept) arti_free(&s->mem, bigger.at, size);
        return arti_fault_mem(s);
    }
    for (uint32_t i = 0; i < v->n; i++) {
        bigger.at[i] = v->at[i];
        *slot_of(&bigger, v->at[i]) = i + 1;
    }
    if (!v->is_kept) arti_values_free(s, v);
    *v = bigger;
    return true;
}

/* Leaves something out that is not known to be there already. */
static void leave_out(arti_count *k) {
    k->cut = 0;
}

void arti_values_add(arti_count *k, arti_values *v, uint64_t digest) {
    if (v->n == ARTI_VALUES_MAX) {
        leave_out(k);
        return;
    }
    if (!v->slots) {
        for (uint32_t i = 0; i < v->n; i++)
            if (v->at[i] == digest) return;
        v->at = v->few;
        v->cap = sizeof v->few / sizeof *v->few;
    }
    if (v->n == v->cap && !grow(k->s, v)) return;
    if (v->slots) {
        uint32_t *slot = slot_of(v, digest);
        if (*slot) return;
        *slot = v->n + 1;
    }
    v->at[v->n++] = digest;
    if (v->is_kept) k->s->norm->n_found++;
}

static void add_count(arti_count *k, arti_values *v, uint64_t n) {
    if (n <= v->at_least) return;
    v->at_least = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    if (v->is_kept && n > v->known) k->s->norm->n_found++;
}

static void add_endless(arti_count *k, arti_values *v) {
    add_count(k, v, UINT32_MAX);
}

static bool takes_step(arti_count *k) {
    if (k->steps == 0) return false;
    if (--k->steps == 0) leave_out(k);
    return k->steps > 0;
}

/* Is there a value? false also where that can not be told yet, and then something may be left out. */
static bool has_some(arti_count *k, arti_conj c) {
    if (arti_conj_len(k->s, c) != ARTI_LEN_NONE) return true;
    if (!arti_conj_get(k->s, c)->is_decided) leave_out(k); /* an expansion further up is in the way */
    return false;
}

#define TURN_STEPS 100u

void arti_turn_begin(arti_count *k, arti_turn *t, bool is_brief) {
    const uint32_t given = is_brief && k->steps > TURN_STEPS + k->want ? TURN_STEPS + k->want : k->steps;
    *t = (arti_turn){k->steps, given, k->cut};
    k->steps = given;
}

bool arti_turn_end(arti_count *k, const arti_turn *t) {
    const bool too_brief = k->steps == 0 && t->given < t->steps;
    if (too_brief) k->cut = t->cut; /* nothing is left out yet */
    k->steps = t->steps - (t->given - k->steps);
    return too_brief;
}

/* ------------------------------------------------------------------ texts */

void arti_set_values(arti_count *k, const arti_key *set, uint64_t q, arti_values *out) {
    if (!q) return;
    const uint32_t lo = arti_set_lo(q), hi = arti_set_hi(q);
    if (hi - lo >= k->want) {
        add_count(k, out, hi - lo);
        return;
    }
    for (uint32_t i = lo; i < hi && !arti_values_enough(k, out); i++) arti_values_add(k, out, set[i].digest);
}

void arti_free_values(arti_count *k, uint32_t lo, uint32_t hi, uint64_t hash, arti_values *out) {
    if (lo > hi) return;
    if (hi > 1)
        add_endless(k, out);
    else if (hi == 1)
        add_count(k, out, 0x110000 - 0x800);
    else
        arti_values_add(k, out, hash);
}

typedef struct count_level {
    arti_re_state q;
    arti_re_bytes next;
    uint32_t n;
} count_level;

static uint32_t add_capped(uint32_t a, uint32_t b) {
    return a < UINT32_MAX - b ? a + b : UINT32_MAX;
}

/* How many texts a state of a finite language accepts. 0: not known. */
static uint32_t count_texts(art_schema *s, arti_re_state q) {
    arti_norm *m = s->norm;
    if (!m->n_texts) m->n_texts = arti_schema_zero(s, ARTI_RE_STATES_MAX * sizeof *m->n_texts);
    if (!m->n_texts || m->n_texts[q]) return m->n_texts ? m->n_texts[q] : 0;
    count_level *stack = NULL;
    size_t n = 0, cap = 0;
    uint32_t steps = COUNT_STEPS_MAX;
    arti_re_state to = q;
    bool ok = true;
    while (ok) {
        if (to != ARTI_RE_DEAD) { /* one level down */
            ok = arti_vec_reserve(&s->mem, (void **)&stack, &cap, n + 1, sizeof *stack) || arti_fault_mem(s);
            if (!ok) break;
            stack[n] = (count_level){.q = to, .n = arti_re_accepts(s->re, to)};
            if (arti_re_live_bytes(s->re, to, &stack[n].next) != ART_OK) ok = arti_fault_re(s, NULL, 0, "pattern");
            n++;
            to = ARTI_RE_DEAD;
            continue;
        }
        count_level *top = &stack[n - 1];
        uint32_t w = 0;
        while (w < 4 && !top->next.bits[w]) w++;
        if (w == 4) { /* and up again */
            const uint32_t all = m->n_texts[top->q] = top->n;
            if (--n == 0) break;
            stack[n - 1].n = add_capped(stack[n - 1].n, all);
            continue;
        }
        if (steps-- == 0) break;
        const uint8_t byte = (uint8_t)(w * 64 + (uint32_t)__builtin_ctzll(top->next.bits[w]));
        top->next.bits[w] &= top->next.bits[w] - 1;
        to = arti_re_step(s->re, top->q, byte);
        if (to == ARTI_RE_FAIL) {
            ok = arti_fault_re(s, NULL, 0, "pattern");
        } else if (m->n_texts[to]) {
            top->n = add_capped(top->n, m->n_texts[to]);
            to = ARTI_RE_DEAD;
        }
    }
    arti_free(&s->mem, stack, cap * sizeof *stack);
    return m->n_texts[q];
}

typedef struct text_level {
    arti_re_state q;
    uint64_t hash;
    arti_re_bytes next;
} text_level;

static bool push_text(arti_count *k, text_level **stack, size_t *n, size_t *cap, arti_re_state q, uint64_t hash) {
    art_schema *s = k->s;
    if (!arti_vec_reserve(&s->mem, (void **)stack, cap, *n + 1, sizeof **stack)) return arti_fault_mem(s);
    text_level *top = &(*stack)[*n];
    *top = (text_level){.q = q, .hash = hash};
    if (arti_re_live_bytes(s->re, q, &top->next) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
    ++*n;
    return true;
}

void arti_language_values(arti_count *k, arti_re_state q, uint32_t lo, uint32_t hi, uint64_t hash, arti_values *out) {
    art_schema *s = k->s;
    arti_re_lengths l;
    const art_status known = arti_re_get_lengths(s->re, q, &l);
    if (known == ART_REJECTED) return;
    if (known == ART_OK && (lo > 0 || hi != UINT32_MAX))
        if (arti_re_bind(s->re, q, lo, hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : hi, &q) != ART_OK) q = ARTI_RE_FAIL;
    if (known != ART_OK || q == ARTI_RE_FAIL) {
        arti_fault_re(s, NULL, 0, "pattern");
        return;
    }
    if (hi == UINT32_MAX && l.longest == ARTI_RE_UNBOUNDED) {
        add_endless(k, out);
        return;
    }
    if (q == ARTI_RE_DEAD) return;
    const uint32_t all = count_texts(s, q);
    if (arti_faulted(s)) return;
    add_count(k, out, all);
    if (all >= k->want) return;
    text_level *stack = NULL;
    size_t n = 0, cap = 0;
    if (arti_re_accepts(s->re, q)) arti_values_add(k, out, hash);
    bool ok = push_text(k, &stack, &n, &cap, q, hash);
    while (ok && n && !arti_values_enough(k, out)) {
        text_level *top = &stack[n - 1];
        uint32_t w = 0;
        while (w < 4 && !top->next.bits[w]) w++;
        if (w == 4) {
            n--;
            continue;
        }
        const uint8_t byte = (uint8_t)(w * 64 + (uint32_t)__builtin_ctzll(top->next.bits[w]));
        top->next.bits[w] &= top->next.bits[w] - 1;
        takes_step(k);
        const arti_re_state to = arti_re_step(s->re, top->q, byte);
        if (to == ARTI_RE_FAIL) {
            arti_fault_re(s, NULL, 0, "pattern");
            break;
        }
        const uint64_t h = arti_hash_mix(top->hash, byte);
        if (arti_re_accepts(s->re, to)) arti_values_add(k, out, h);
        ok = push_text(k, &stack, &n, &cap, to, h);
    }
    arti_free(&s->mem, stack, cap * sizeof *stack);
}

static void text_values(arti_count *k, const arti_text_shape *t, arti_values *out) {
    if (t->set) {
        arti_set_values(k, t->set, arti_set_state(0, t->n_set, 0), out);
    } else if (t->term == ARTI_RE_ANY) {
        arti_free_values(k, t->lo, t->hi, ARTI_TEXT_HASH, out);
    } else if (t->only_checked) { /* nothing is generated here; what is read may well differ */
        add_endless(k, out);
    } else {
        const arti_re_state q = arti_re_start(k->s->re, t->term);
        if (q == ARTI_RE_FAIL)
            arti_fault_re(k->s, NULL, 0, "pattern");
        else
            arti_language_values(k, q, t->lo, t->hi, ARTI_TEXT_HASH, out);
    }
}

/* ------------------------------------------------------------------ numbers */

static uint32_t places(const arti_dec *d) { /* behind the point */
    return d && d->exp < 0 ? (uint32_t)-d->exp : 0;
}

/* Is there no end of numbers that begin like this? Of a prefix that is alive; false: perhaps there is. */
static bool is_endless(const arti_num_rule *r, bool plain, const arti_num *n) {
    if (n->lex == ARTI_NUM_START) {
        if (!r->lo || !r->hi) return true;
        return !r->step && !plain && arti_dec_cmp(r->lo, r->hi) < 0;
    }
    if (n->lex >= ARTI_NUM_E || n->n_int + n->n_frac > ARTI_NUM_NEAR) return false;
    if (n->lex <= ARTI_NUM_INT && n->lex != ARTI_NUM_ZERO && !(n->neg ? r->lo : r->hi)) return true;
    return r->is_any && !plain;
}

/* Adds the integers from `from` to `to`; is_neg: their negatives. */
static void add_integers(arti_count *k, uint64_t from, uint64_t to, bool is_neg, arti_values *out) {
    for (uint64_t v = from; v <= to && !arti_values_enough(k, out) && takes_step(k); v++) {
        char text[24];
        const int len = snprintf(text, sizeof text, "%s%" PRIu64, is_neg && v ? "-" : "", v);
        arti_values_add(k, out, arti_digest_number((const uint8_t *)text, (size_t)len));
    }
}

/* Of a rule that is_small and has bounds where the prefix has no end: integers that begin like this. */
static void small_values(arti_count *k, const arti_num_rule *r, const arti_num *n, arti_values *out) {
    const int64_t lo = r->small_lo, hi = r->small_hi;
    if (n->lex == ARTI_NUM_START) {
        if (lo > hi) return;
        if ((uint64_t)hi - (uint64_t)lo >= k->want) {
            add_count(k, out, (uint64_t)hi - (uint64_t)lo + 1);
            return;
        }
        if (lo < 0) add_integers(k, hi < 0 ? (uint64_t)-hi : 1, (uint64_t)-lo, true, out);
        if (hi >= 0) add_integers(k, lo > 0 ? (uint64_t)lo : 0, (uint64_t)hi, false, out);
        return;
    }
    /* Magnitudes: those that are left when n digits more are written, for every n. */
    const int64_t least = !n->neg ? lo : hi == INT64_MAX ? INT64_MIN : -hi;
    const int64_t most = !n->neg ? hi : lo == INT64_MIN ? INT64_MAX : -lo;
    const bool is_bare = n->lex == ARTI_NUM_MINUS;
    for (int list = 0; list < 2; list++) {
        uint64_t all = 0, first = is_bare ? 1 : n->sig, width = is_bare ? 9 : 1;
        if (is_bare && least <= 0 && most >= 0) { /* -0 */
            all = 1;
            if (list) add_integers(k, 0, 0, true, out);
        }
        while (first < UINT64_C(1000000000000000000) && (int64_t)first <= most) {
            const uint64_t from = least > (int64_t)first ? (uint64_t)least : first, last = first + width - 1;
            const uint64_t to = (int64_t)last < most ? last : (uint64_t)most;
            if (from <= to) {
                all += to - from + 1;
                if (list) add_integers(k, from, to, n->neg, out);
            }
            if (first == 0) break; /* no more digits behind a zero */
            first *= 10;
            width *= 10;
        }
        if (!list && all >= k->want) {
            add_count(k, out, all);
            return;
        }
    }
}

typedef struct number_level {
    arti_num num;
    uint32_t next;
} number_level;

void arti_number_values(arti_count *k, const arti_num_rule *r, bool plain, const arti_num *n, const uint8_t *text,
                        arti_values *out) {
    static const uint8_t bytes[] = "0123456789-+.";
    const arti_num_style style = plain ? ARTI_NUM_PLAIN : ARTI_NUM_USUAL;
    const arti_num_style listed = n->lex < ARTI_NUM_E ? ARTI_NUM_PLAIN : style; /* exponents only where there is one */
    art_schema *s = k->s;
    uint8_t buf[ARTI_NUM_TEXT_MAX + 1];
    const size_t room = sizeof buf - n->len;
    if (plain && n->lex > ARTI_NUM_INT) return;
    if (n->len) memcpy(buf, text, n->len);
    const size_t rest = arti_num_shortest(r, n, buf, style, buf + n->len, room);
    if (rest == SIZE_MAX) return;
    if (is_endless(r, plain, n)) {
        add_endless(k, out);
        return;
    }
    if (r->is_small && n->lex <= ARTI_NUM_INT && n->n_sig <= 18) {
        small_values(k, r, n, out);
        return;
    }
    if (rest <= room) arti_values_add(k, out, arti_digest_number(buf, n->len + rest));
    const bool is_zero = n->lex >= ARTI_NUM_E && n->n_sig == 0;
    if (is_zero || (r->lo && r->hi && arti_dec_cmp(r->lo, r->hi) == 0)) return; /* it is the only one */
    uint32_t n_frac = places(r->lo) > places(r->hi) ? places(r->lo) : places(r->hi);
    if (places(r->step) > n_frac) n_frac = places(r->step);
    if (n->n_frac > n_frac) n_frac = n->n_frac;
    n_frac += FRACTION_MORE;
    const bool finite = arti_num_stays_finite(r, n, buf, style);
    number_level *stack = NULL;
    size_t depth = 0, cap = 0;
    if (!arti_vec_reserve(&s->mem, (void **)&stack, &cap, 16, sizeof *stack)) {
        arti_fault_mem(s);
        return;
    }
    stack[depth++] = (number_level){*n, 0};
    while (depth && !arti_values_enough(k, out)) {
        number_level *top = &stack[depth - 1];
        if (top->next == sizeof bytes - 1) {
            depth--;
            continue;
        }
        arti_num num = top->num;
        const uint8_t byte = bytes[top->next++];
        if (!arti_num_step(&num, byte) || num.n_frac > n_frac || num.len >= sizeof buf) continue;
        if ((plain && num.lex > ARTI_NUM_INT) || num.n_exp > ARTI_NUM_USUAL_EXP) continue;
        if (!takes_step(k)) break;
        buf[num.len - 1] = byte;
        if (!arti_num_alive(r, &num, buf, listed) || (finite && !arti_num_stays_finite(r, &num, buf, listed))) continue;
        if (arti_num_may_end(&num) && arti_num_fits(r, &num, buf))
            arti_values_add(k, out, arti_digest_number(buf, num.len));
        if (!arti_vec_reserve(&s->mem, (void **)&stack, &cap, depth + 1, sizeof *stack)) {
            arti_fault_mem(s);
            break;
        }
        stack[depth++] = (number_level){num, 0};
    }
    arti_free(&s->mem, stack, cap * sizeof *stack);
}

/* ------------------------------------------------------------------ objects */

typedef struct partial { /* some of the members that are to come are chosen */
    uint64_t sum;
    uint32_t n, met;
    bool many; /* one of them has more values than need be told apart */
} partial;

typedef struct choosing {
    arti_count *k;
    arti_object_shape *o;
    const arti_object_at *at;
    arti_values *out;
    uint32_t min, all_met;
    uint32_t n_cap; /* more members than this make no difference */
    partial *list;  /* all different in what counts, a bounded number of each kind */
    size_t n, cap;
    uint32_t *of_kind; /* partials by number of members and conditions met; the last bit: one of them is `many` */
    size_t n_kinds;
} choosing;

#define KIND_HAS_MANY (UINT32_C(1) << 31)

static size_t kind_of(const choosing *c, const partial *p) {
    const uint32_t n = p->n - c->at->n;
    return ((size_t)(n < c->n_cap ? n : c->n_cap) << c->o->n_some) + p->met;
}

static bool is_whole(const choosing *c, const partial *p) {
    return p->n >= c->min && (p->met & c->all_met) == c->all_met;
}

static bool add_partial(choosing *c, partial p) {
    if (p.n > c->o->max) return true;
    uint32_t *kind = &c->of_kind[kind_of(c, &p)];
    if (*kind & KIND_HAS_MANY) return true; /* that one stands for all */
    if (!p.many && *kind >= c->k->want) return true;
    if (!takes_step(c->k)) return false;
    if (!arti_vec_reserve(&c->k->s->mem, (void **)&c->list, &c->cap, c->n + 1, sizeof *c->list))
        return arti_fault_mem(c->k->s);
    *kind = p.many ? *kind | KIND_HAS_MANY : *kind + 1;
    c->list[c->n++] = p;
    return true;
}

/* Combines what is chosen with a member: key is the digest of its name; any_key: of any name of an endless class. */
static bool choose_member(choosing *c, uint64_t key, bool any_key, arti_conj base, uint32_t some, bool required) {
    art_schema *s = c->k->s;
    const size_t n_old = c->n;
    size_t first = 0;
    if (required) { /* without it nothing counts */
        memset(c->of_kind, 0, c->n_kinds * sizeof *c->of_kind);
        first = n_old;
    }
    for (uint32_t sub = some;; sub = (sub - 1) & some) {
        const arti_conj conj = sub ? arti_some_conj(s, c->o, base, sub) : base;
        if (conj == ARTI_CONJ_FAIL) return false;
        const arti_values *v = arti_conj_values(c->k, conj);
        if (arti_faulted(s)) return false;
        const bool many = any_key ? arti_values_any(v) : arti_values_many(c->k, v);
        for (size_t i = 0; i < n_old; i++) {
            partial p = c->list[i];
            if (p.met & sub) continue;
            p.n++;
            p.met |= sub;
            if (many) {
                p.many = true;
                if (!add_partial(c, p)) return false;
                continue;
            }
            const uint64_t sum = p.sum;
            for (uint32_t j = 0; j < v->n; j++) { /* the list may grow meanwhile */
                p.sum = sum + arti_digest_member(key, v->at[j]);
                if (!add_partial(c, p)) return false;
            }
        }
        if (!sub) break;
    }
    if (first) {
        memmove(c->list, c->list + first, (c->n - first) * sizeof *c->list);
        c->n -= first;
    }
    return true;
}

/* Takes what is whole from partial `from` on; true: that is enough. */
static bool take_whole(choosing *c, size_t from) {
    for (size_t i = from; i < c->n && !arti_values_enough(c->k, c->out); i++) {
        if (!is_whole(c, &c->list[i])) continue;
        if (c->list[i].many)
            add_count(c->k, c->out, c->k->want);
        else
            arti_values_add(c->k, c->out, c->list[i].sum);
    }
    return arti_values_enough(c->k, c->out);
}

static bool is_open(const choosing *c, uint32_t name) {
    return name != c->at->taken && c->at->name(c->at->ud, name) == ARTI_NAME_FREE;
}

static bool choose_required(choosing *c) {
    for (uint32_t i = 0; i < c->o->n_names; i++) {
        const arti_name *name = &c->o->names[i];
        if (!name->required || i == c->at->taken) continue;
        const arti_name_state st = c->at->name(c->at->ud, i);
        if (st == ARTI_NAME_BARRED) return false;
        if (st == ARTI_NAME_SEEN) continue;
        const arti_conj conj = arti_object_name_conj(c->k->s, c->o, i);
        if (conj == ARTI_CONJ_FAIL || !choose_member(c, arti_digest_text(ARTI_TEXT_HASH, name->key.ptr, name->key.len),
                                                     false, conj, name->some, true))
            return false;
    }
    return true;
}

static bool choose_names(choosing *c) {
    for (uint32_t i = 0; i < c->o->n_names; i++) {
        const arti_name *name = &c->o->names[i];
        if (name->required || !is_open(c, i)) continue;
        const arti_conj conj = arti_object_name_conj(c->k->s, c->o, i);
        const size_t before = c->n;
        if (conj == ARTI_CONJ_FAIL ||
            !choose_member(c, arti_digest_text(ARTI_TEXT_HASH, name->key.ptr, name->key.len), false, conj, name->some,
                           false) ||
            take_whole(c, before))
            return false;
    }
    return true;
}

static void choose_others(choosing *c) {
    art_schema *s = c->k->s;
    const arti_class_list *classes = arti_object_open_classes(s, c->o);
    for (uint32_t i = 0; classes && i < classes->n; i++) {
        arti_extra_class *class = classes->at[i];
        if (!has_some(c->k, class->conj)) continue;
        bool endless;
        if (!arti_class_is_endless(s, class, &endless)) return;
        for (uint32_t w = 0; endless ? w <= c->n_cap + c->o->n_some : w < ARTI_EXTRA_WORDS_MAX; w++) {
            const size_t before = c->n;
            uint64_t key = 0;
            if (!endless) {
                const arti_key *word = arti_class_word(s, c->o, class, w);
                if (!word) break;
                if (c->at->has_extra(c->at->ud, word->ptr, word->len)) continue;
                key = arti_digest_text(ARTI_TEXT_HASH, word->ptr, word->len);
                if (w + 1 == ARTI_EXTRA_WORDS_MAX) leave_out(c->k);
            }
            if (!choose_member(c, key, endless, class->conj, class->some, false) || take_whole(c, before)) return;
            if (c->n == before) break;
        }
    }
}

/* Where members do not depend on each other: is one possible, among those that are not there, of whose values there is no end? Then the
 * rest need no look, but for *none: one that is required can not come. */
static bool has_endless_member(arti_count *k, arti_object_shape *o, const arti_object_at *at, bool *none) {
    art_schema *s = k->s;
    bool found = false;
    *none = false;
    for (uint32_t i = 0; i < o->n_names; i++) {
        const bool required = o->names[i].required;
        if ((found && !required) || i == at->taken) continue;
        const arti_name_state st = at->name(at->ud, i);
        if (required && st == ARTI_NAME_BARRED) *none = true;
        if (st != ARTI_NAME_FREE) continue;
        const arti_conj conj = arti_object_name_conj(s, o, i);
        const arti_values *v = conj == ARTI_CONJ_FAIL ? NULL : arti_conj_values(k, conj);
        if (!v || *none) return false;
        if (required && !arti_values_any(v)) *none = true;
        found |= v->at_least == UINT32_MAX;
    }
    if (found || *none) return found && !*none;
    const arti_class_list *classes = arti_object_open_classes(s, o);
    for (uint32_t i = 0; classes && i < classes->n && !found; i++)
        found = arti_class_is_endless(s, classes->at[i], &found) && found && has_some(k, classes->at[i]->conj);
    return found;
}

void arti_object_values(arti_count *k, arti_object_shape *o, const arti_object_at *at, uint64_t base,
                        arti_values *out) {
    art_schema *s = k->s;
    if (o->is_simple && at->at_least <= at->n + 1) {
        bool none;
        if (has_endless_member(k, o, at, &none)) add_endless(k, out);
        if (none || out->at_least == UINT32_MAX || arti_faulted(s)) return;
    }
    choosing c = {.k = k, .o = o, .at = at, .out = out};
    c.min = at->at_least > o->min ? at->at_least : o->min;
    c.all_met = (1u << o->n_some) - 1u;
    if (at->n > o->max) return;
    const uint32_t most = o->max != UINT32_MAX ? o->max - at->n : c.min > at->n ? c.min - at->n : 0;
    c.n_cap = most < ARTI_EXTRA_WORDS_MAX ? most : ARTI_EXTRA_WORDS_MAX;
    c.n_kinds = ((size_t)c.n_cap + 1) << o->n_some;
    c.of_kind = arti_calloc(&s->mem, c.n_kinds * sizeof *c.of_kind);
    if (!c.of_kind) {
        arti_fault_mem(s);
        return;
    }
    if (add_partial(&c, (partial){base, at->n, at->met & c.all_met, false}) && choose_required(&c) &&
        !take_whole(&c, 0) && choose_names(&c))
        choose_others(&c);
    arti_free(&s->mem, c.list, c.cap * sizeof *c.list);
    arti_free(&s->mem, c.of_kind, c.n_kinds * sizeof *c.of_kind);
}

/* ------------------------------------------------------------------ arrays */

typedef struct item_level { /* an array with some of the items that are to come */
    uint64_t hash, item;    /* its digest; of its last item */
    uint32_t counts[ARTI_CONTAINS_MAX];
    bool has_equal;
    bool is_any;           /* its last item has more values than need be told apart: one that is like no other */
    bool many;             /* it, or an item before it, has */
    uint32_t watched, sub; /* conditions that the next item may be counted by; those that are tried now */
    bool is_open;          /* some are still to be tried */
    const arti_values *v;  /* values of the next item, from `next` on; NULL: none yet */
    uint32_t next;
} item_level;

typedef struct lining { /* items up one after the other */
    arti_count *k;
    arti_array_shape *a;
    const arti_array_at *at;
    arti_values *out;
    item_level *stack;
    size_t n, cap;
} lining;

static uint32_t index_of(const lining *l) { /* of the next item */
    return l->at->n + (uint32_t)l->n - 1;
}

/* Is there an item with this digest, or chosen to be there? */
static bool is_used(const lining *l, uint64_t digest) {
    const uint32_t cost = (uint32_t)(l->n / 16);
    if (cost >= l->k->steps) leave_out(l->k);
    l->k->steps = cost < l->k->steps ? l->k->steps - cost : 0;
    if (l->at->has && (digest == l->at->last || l->at->has(l->at->ud, digest))) return true;
    for (size_t i = 1; i < l->n; i++)
        if (!l->stack[i].is_any && l->stack[i].item == digest) return true;
    return false;
}

static bool may_end(const lining *l) {
    const arti_array_shape *a = l->a;
    const item_level *top = &l->stack[l->n - 1];
    if (index_of(l) < a->min || (a->not_unique && !top->has_equal)) return false;
    for (uint32_t k = 0; k < a->n_contains; k++)
        if (top->counts[k] < a->contains[k].min) return false;
    return true;
}

/* Are `lack` different values of a conjunction left? */
static bool has_left(lining *l, arti_conj c, uint32_t lack) {
    if (lack == 0 || c == ARTI_CONJ_FAIL) return c != ARTI_CONJ_FAIL;
    const arti_values *v = arti_conj_values(l->k, c);
    if (arti_values_many(l->k, v) || v->n >= (uint64_t)lack + index_of(l) ||
        v->at_least >= (uint64_t)lack + index_of(l))
        return true;
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n && n < lack; i++) n += !is_used(l, v->at[i]);
    return n == lack;
}

/* Of an array whose items differ: may there be enough for what is still lacking? Only a bound. */
static bool is_hopeful(lining *l) {
    arti_array_shape *a = l->a;
    const item_level *top = &l->stack[l->n - 1];
    const uint32_t i = index_of(l), tail = i > a->n_prefix ? i : a->n_prefix;
    if (a->min > tail && !has_left(l, arti_array_item_conj(l->k->s, a, tail), a->min - tail)) return false;
    for (uint32_t k = 0; k < a->n_contains; k++) {
        const arti_contains *c = &a->contains[k];
        const uint32_t lack = c->min > top->counts[k] ? c->min - top->counts[k] : 0;
        const uint32_t first = tail > c->start ? tail : c->start;
        if (lack <= first - i) continue;
        const arti_conj item = arti_array_item_conj(l->k->s, a, first);
        if (item == ARTI_CONJ_FAIL || !has_left(l, arti_conj_and(l->k->s, item, c->lit), lack - (first - i)))
            return false;
    }
    return true;
}

/* Of an array whose items differ: are those that are lacking all alike, so that counting their values is enough? */
static bool lacks_like_items(const lining *l) {
    const arti_array_shape *a = l->a;
    return l->out->enough == 1 && a->unique && !a->n_contains && index_of(l) >= a->n_prefix && a->min <= a->max;
}

/* Of an array whose items differ: can it be ended the cheapest way, since there are more values for each item that is lacking than items in the
 * end? false: perhaps in another way. */
static bool ends_easily(lining *l) {
    art_schema *s = l->k->s;
    arti_count *k = l->k;
    const arti_array_at *at = l->at;
    if (l->out->enough != 1 || !l->a->unique) return false;
    arti_plan plan = {.mem = &s->mem};
    bool easy = arti_array_best(s, l->a, at->n, at->counts, at->has_equal, &plan) != ARTI_LEN_NONE && plan.n > 0;
    uint64_t n = at->n;
    for (size_t i = 0; i < plan.n; i++) n += plan.steps[i].count;
    const uint32_t want = k->want, cut = k->cut;
    easy = easy && n < ARTI_VALUES_MAX;
    if (easy && want < n) k->want = (uint32_t)n;
    for (size_t i = 0; i < plan.n && easy; i++) {
        const arti_values *v = arti_conj_values(k, plan.steps[i].conj);
        easy = v->at_least >= n || v->n >= n;
    }
    k->want = want;
    if (!easy) k->cut = cut; /* what was asked for here need not be known */
    arti_plan_free(&plan);
    return easy && !arti_faulted(s);
}

/* Takes the array as it is, if it may end, and prepares what may come next. */
static void look_at_top(lining *l) {
    arti_array_shape *a = l->a;
    item_level *top = &l->stack[l->n - 1];
    const bool ends = may_end(l);
    if (ends && top->many)
        add_count(l->k, l->out, l->k->want);
    else if (ends)
        arti_values_add(l->k, l->out, top->hash);
    top->watched = arti_item_watched(a, index_of(l), top->counts);
    top->sub = top->watched;
    top->is_open = index_of(l) < a->max && (ends || !a->unique || is_hopeful(l));
    if (!ends && lacks_like_items(l)) {
        if (top->is_open) add_count(l->k, l->out, 1);
        top->is_open = false;
    }
    top->v = NULL;
}

/* Values of the next item when it is counted by exactly top->sub; NULL: there can be none. */
static const arti_values *item_values(lining *l, uint32_t counts[ARTI_CONTAINS_MAX]) {
    arti_array_shape *a = l->a;
    art_schema *s = l->k->s;
    const item_level *top = &l->stack[l->n - 1];
    memcpy(counts, top->counts, sizeof top->counts);
    for (uint32_t k = 0; k < a->n_contains; k++)
        if (top->sub >> k & 1u && counts[k]++ >= arti_contains_cap(&a->contains[k])) return NULL;
    /* Whether another two are equal is not looked at: all that asks for it is the end. */
    if (arti_array_best(s, a, index_of(l) + 1, counts, top->has_equal, NULL) == ARTI_LEN_NONE) return NULL;
    const arti_conj c = arti_item_counted(s, a, index_of(l), top->sub);
    return c == ARTI_CONJ_FAIL ? NULL : arti_conj_values(l->k, c);
}

/* One more item, or back to the item before. */
static bool go_on(lining *l) {
    item_level *top = &l->stack[l->n - 1];
    item_level next = {0};
    if (!top->v) {
        if (!top->is_open) {
            l->n--;
            return true;
        }
        top->v = item_values(l, next.counts);
        top->next = 0;
        if (!top->v) goto next_sub;
    }
    const bool many = arti_values_many(l->k, top->v);
    if (many ? top->next > 0 : top->next >= top->v->n) goto next_sub;
    next.item = many ? 0 : top->v->at[top->next];
    top->next++;
    const bool used = !many && is_used(l, next.item);
    if (used && l->a->unique) return true;
    if (!takes_step(l->k)) return false;
    memcpy(next.counts, top->counts, sizeof next.counts);
    for (uint32_t k = 0; k < l->a->n_contains; k++) next.counts[k] += top->sub >> k & 1u;
    next.has_equal = top->has_equal || used;
    next.is_any = many;
    next.hash = arti_digest_item(top->hash, next.item);
    if (!arti_vec_reserve(&l->k->s->mem, (void **)&l->stack, &l->cap, l->n + 1, sizeof *l->stack))
        return arti_fault_mem(l->k->s);
    next.many = many || l->stack[l->n - 1].many;
    l->stack[l->n++] = next;
    look_at_top(l);
    return true;
next_sub:
    top->v = NULL;
    top->is_open = top->sub != 0;
    top->sub = (top->sub - 1) & top->watched;
    return true;
}

void arti_array_values(arti_count *k, arti_array_shape *a, const arti_array_at *at, arti_values *out) {
    art_schema *s = k->s;
    if (at->n > a->max) return;
    if (!a->unique && a->max == UINT32_MAX) { /* as many items as one likes */
        uint32_t far = at->n > a->n_prefix ? at->n : a->n_prefix;
        for (uint32_t i = 0; i < a->n_contains; i++)
            if (a->contains[i].start > far) far = a->contains[i].start;
        bool fits = arti_array_best(s, a, at->n, at->counts, at->has_equal, NULL) != ARTI_LEN_NONE;
        for (uint32_t i = at->n; fits && i <= far; i++) {
            const arti_conj c = arti_item_counted(s, a, i, 0);
            fits = c != ARTI_CONJ_FAIL && has_some(k, c);
        }
        if (arti_faulted(s)) return;
        if (fits) {
            add_endless(k, out);
            return;
        }
    }
    lining l = {.k = k, .a = a, .at = at, .out = out};
    if (!arti_vec_reserve(&s->mem, (void **)&l.stack, &l.cap, 8, sizeof *l.stack)) {
        arti_fault_mem(s);
        return;
    }
    l.stack[l.n++] = (item_level){.hash = at->base, .has_equal = at->has_equal};
    memcpy(l.stack[0].counts, at->counts, sizeof at->counts);
    if (ends_easily(&l))
        add_count(k, out, 1);
    else if (!arti_faulted(s)) /* else lists would be kept that lack values */
        look_at_top(&l);
    while (l.n && !arti_faulted(s) && !arti_values_enough(k, out) && go_on(&l)) {
    }
    arti_free(&s->mem, l.stack, l.cap * sizeof *l.stack);
}

/* ------------------------------------------------------------------ conjunctions */

static void shape_values(arti_count *k, arti_shape *sh, arti_values *out) {
    if (sh->len == ARTI_LEN_NONE) return;
    const arti_num start = {0};
    switch ((arti_type)sh->type) {
    case ARTI_T_NULL: arti_values_add(k, out, arti_digest_word(2)); break;
    case ARTI_T_BOOL:
        for (uint32_t w = 0; w < 2; w++)
            if (sh->bools >> w & 1u) arti_values_add(k, out, arti_digest_word(w));
        break;
    case ARTI_T_NUMBER: arti_number_values(k, &sh->number, sh->plain, &start, NULL, out); break;
    case ARTI_T_STRING: text_values(k, &sh->text, out); break;
    case ARTI_T_ARRAY: arti_array_values(k, &sh->array, &(arti_array_at){.base = ARTI_ARRAY_HASH}, out); break;
    case ARTI_T_OBJECT: arti_object_values(k, &sh->object, &arti_object_start, ARTI_OBJECT_HASH, out); break;
    default: break;
    }
}

static void facet_values(arti_count *k, arti_conj_info *info, arti_values *out) {
    bool is_brief = false;
    for (int t = 0; t < ARTI_N_TYPES; t++) is_brief |= info->facet[t].n_shapes > 1;
    for (bool again = true; again; is_brief = false) {
        again = false;
        for (int t = 0; t < ARTI_N_TYPES; t++)
            for (uint32_t i = 0; i < info->facet[t].n_shapes && !arti_values_enough(k, out); i++) {
                arti_turn turn;
                arti_turn_begin(k, &turn, is_brief);
                shape_values(k, info->facet[t].shapes[i], out);
                again |= arti_turn_end(k, &turn);
            }
        again &= !arti_values_enough(k, out);
    }
}

_Static_assert(sizeof((arti_norm *)NULL)->listing / sizeof(uint64_t) == ARTI_VALUES_DEPTH_MAX + 1,
               "one for each depth");

const arti_values *arti_conj_values(arti_count *k, arti_conj c) {
    static const arti_values none = {.is_all = true};
    art_schema *s = k->s;
    arti_conj_info *info = s->norm->conj[c];
    if (!has_some(k, c)) return &none;
    if (!info->values) {
        info->values = arti_schema_zero(s, sizeof *info->values);
        if (!info->values) return &none;
        info->values->is_kept = true;
    }
    arti_values *v = info->values;
    if (v->is_all || arti_values_many(k, v)) return v;
    if (v->is_given_up) {
        leave_out(k);
        return v;
    }
    arti_norm *m = s->norm;
    if (v->found_at && v->found_at == m->n_found && v->want == k->want && v->cut_by == m->listing[v->cut]) {
        if (v->cut < k->cut) k->cut = v->cut;
        return v; /* nothing was found since then */
    }
    if (v->busy_at || s->norm->n_listing == ARTI_VALUES_DEPTH_MAX) {
        if (v->busy_at < k->cut) k->cut = v->busy_at;
        return v;
    }
    const uint32_t outer_cut = k->cut, outer_steps = k->steps;
    v->busy_at = ++m->n_listing;
    m->listing[v->busy_at] = ++m->n_listings;
    if (v->busy_at == 1) k->steps = ARTI_VALUES_STEPS_MAX;
    v->known = v->at_least;
    v->at_least = 0; /* so many would not be told apart, and are too few now */
    uint32_t before;
    do { /* a value may hold others of the same conjunction: until none is added */
        before = v->n;
        k->cut = UINT32_MAX;
        facet_values(k, info, v);
    } while (k->cut != UINT32_MAX && v->n > before && !arti_values_enough(k, v));
    if (v->known > v->at_least) v->at_least = v->known;
    v->is_all = k->cut >= v->busy_at && !arti_values_enough(k, v);
    v->is_given_up = v->busy_at == 1 && s->norm->depth == 0 && !v->is_all && !arti_values_many(k, v);
    v->found_at = k->cut && k->cut < v->busy_at ? m->n_found : 0;
    v->want = k->want;
    v->cut = v->found_at ? k->cut : 0;
    v->cut_by = m->listing[v->cut];
    if (v->busy_at == 1) k->steps = outer_steps;
    if (k->cut >= v->busy_at || outer_cut < k->cut) k->cut = outer_cut;
    m->listing[v->busy_at] = 0;
    v->busy_at = 0;
    m->n_listing--;
    return v;
}
