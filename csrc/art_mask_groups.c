/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans (arti_re_get_fan, arti_re_get_safe) and what they decide. The row begins with the base (art_bases.h) that differs least from the
 * groups that are accepted. Not decided are groups with an atom that is neither safe nor useless and tokens longer than is known to be
 * safe; and all tokens of a first atom that leads to too many states, behind which few characters can follow, or of which too many tokens
 * would be left: those are walked down the trie. */
#include "art_mask_groups.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_mask_lang.h"

#define LEFT_SOME 400u    /* tokens with one first atom that are run one by one; more than these, and .. */
#define LEFT_PART 8u      /* .. than such a part of all with that atom, are left to the trie, */
#define ALIVE_ATOMS 40u   /* of ARTI_N_ATOMS that do no harm: then most tokens are alive */
#define SEARCH_WORK 2048u /* on what does no harm: a millisecond's part. What is not known then is left to the trie */
#define LEFT_FEW 32u      /* .. and more than a few where it is narrow */

#define BIT(i) (UINT64_C(1) << (i))

/* ------------------------------------------------------------------ plans */

/* Atoms that begin at `from` or later. */
static uint64_t atoms_from(uint32_t from) {
    uint32_t i = ARTI_N_ATOMS;
    while (i > 0 && arti_atoms[i - 1].lo >= from) i--;
    return ARTI_ALL_ATOMS & ~(BIT(i) - 1);
}

bool arti_lang_may_search(const arti_lang *l) {
    return l->search_work < SEARCH_WORK;
}

bool arti_lang_search(arti_lang *l, arti_re_state q, arti_re_safe *out) {
    art_schema *s = l->w->x->s;
    const uint64_t before = arti_re_work_done(s->re);
    if (arti_re_get_safe(s->re, q, l->has_bounds, out) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
    if (out->room <= 1 && out->near <= 1) l->search_work += arti_re_work_done(s->re) - before;
    return true;
}

/* Do lengths leave no room for any text that begins with a character that leads to one of these? */
static bool is_too_long(const arti_lang *l, const arti_re_state to[ARTI_RE_FAN]) {
    if (to[ARTI_RE_FAN - 1] == ARTI_RE_UNKNOWN) return false;
    for (uint32_t i = 0; i < ARTI_RE_FAN && to[i] != ARTI_RE_DEAD; i++)
        if (arti_part_alive(l->w->x->s, l->part, to[i], l->n_cp + 1, false)) return false;
    return true;
}

/* Takes state `to` into account, which some characters of the atom lead to. */
static bool plan_state(arti_lang *l, arti_atom_plan *p, arti_re_state to) {
    arti_re_safe safe;
    if (!arti_lang_search(l, to, &safe)) return false;
    uint32_t top = safe.room == UINT32_MAX ? UINT32_MAX : safe.room + 1;
    if (l->has_bounds) {
        if (l->room != UINT32_MAX && !(safe.span < l->room)) { /* the atom's own character comes first */
            const uint32_t most = safe.need <= l->room ? l->room - safe.need : 0;
            if (most < top) top = most;
        }
        if (!safe.stretches) p->low = l->owed;
    }
    p->in &= safe.in;
    p->out |= safe.in | safe.out;
    p->ends = p->ends && safe.ends && safe.room == (p->room == UINT32_MAX ? safe.room : p->room);
    if (safe.room < p->room) p->room = safe.room;
    if (top < p->top) p->top = top;
    return true;
}

static bool plan_atom(arti_lang *l, arti_atom_plan *p, const arti_re_state to[ARTI_RE_FAN], bool is_partly_dead,
                      uint64_t wide) {
    *p = (arti_atom_plan){.is = ARTI_REJECTED};
    if (l->room == 0 || (to[0] == ARTI_RE_DEAD && to[ARTI_RE_FAN - 1] == ARTI_RE_DEAD)) return true;
    if (l->has_bounds && is_too_long(l, to)) return !arti_faulted(l->w->x->s);
    p->is = ARTI_LEFT;
    if (!arti_lang_may_search(l) || to[0] == ARTI_RE_DEAD || to[0] == ARTI_RE_UNKNOWN) return true;
    const bool is_left = to[ARTI_RE_FAN - 1] == ARTI_RE_UNKNOWN || (is_partly_dead && to[2] != ARTI_RE_DEAD);
    *p = (arti_atom_plan){.is = is_left ? ARTI_LEFT : ARTI_ACCEPTED,
                          .is_partly_dead = is_partly_dead,
                          .ends = true,
                          .room = UINT32_MAX,
                          .top = UINT32_MAX,
                          .in = UINT64_MAX};
    if (!is_partly_dead && to[1] == ARTI_RE_DEAD) p->after = to[0];
    for (uint32_t i = 0; i < (is_left ? 1 : ARTI_RE_FAN) && to[i] != ARTI_RE_DEAD; i++)
        if (!plan_state(l, p, to[i])) return false; /* of what is left: so that it is known whether most is alive */
    p->in &= ARTI_ALL_ATOMS;
    if ((p->in & wide) == wide) p->in |= ARTI_ATOM_PARTIAL;
    if (p->out & wide) p->out |= ARTI_ATOM_PARTIAL;
    return true;
}

/* Of the tokens that are a piece of one character. */
static void plan_pieces(arti_lang *l, uint64_t wide) {
    bool all = !l->has_bounds, none = true;
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) {
        if (!(wide >> i & 1u)) continue;
        all = all && l->plans[i].is == ARTI_ACCEPTED && !l->plans[i].is_partly_dead;
        none = none && l->plans[i].is == ARTI_REJECTED;
    }
    l->plans[ARTI_N_ATOMS] = (arti_atom_plan){.is = none  ? ARTI_REJECTED
                                                    : all ? ARTI_ACCEPTED
                                                          : ARTI_LEFT,
                                              .top = UINT32_MAX,
                                              .room = UINT32_MAX};
}

static bool make_plans(arti_lang *l) {
    arti_re_fan fan;
    art_schema *s = l->w->x->s;
    if (arti_re_get_fan(s->re, l->q, &fan) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
    const uint64_t wide = l->wide = atoms_from(0x80);
    l->many = wide | (atoms_from('g') & ~atoms_from('g' + 1)) | (atoms_from('G') & ~atoms_from('G' + 1));
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) {
        const bool partly = fan.partly >> i & 1u;
        if (i > 0 && memcmp(fan.to[i], fan.to[i - 1], sizeof *fan.to) == 0 && partly == (fan.partly >> (i - 1) & 1u))
            l->plans[i] = l->plans[i - 1];
        else if (!plan_atom(l, &l->plans[i], fan.to[i], partly, wide))
            return false;
    }
    plan_pieces(l, wide);
    return true;
}

/* ------------------------------------------------------------------ groups */

uint32_t arti_group_longer(const art_vocab *v, const arti_group *g, uint32_t n) {
    uint32_t lo = g->first, hi = g->first + g->n;
    if (g->max_cp <= n) return hi;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (v->group_cps[mid] > n)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* What is to be done with groups, by the atoms of their rests. First atoms whose plans are alike take turns, so a few answers are kept. */
static const uint8_t *judge_sets(arti_lang *l, const arti_atom_plan *p) {
    const arti_bases *b = l->w->v->bases;
    for (uint32_t i = 0; i < l->n_judged && i < ARTI_JUDGED; i++)
        if (l->judged[i]->in == p->in && l->judged[i]->out == p->out &&
            l->judged[i]->is_partly_dead == p->is_partly_dead)
            return l->by_set + (size_t)i * b->n_sets;
    const uint8_t safe = p->is_partly_dead ? ARTI_LEFT : ARTI_ACCEPTED;
    const uint32_t at = l->n_judged++ % ARTI_JUDGED;
    uint8_t *by_set = l->by_set + (size_t)at * b->n_sets;
    for (uint32_t i = 0; i < b->n_sets; i++) {
        const uint64_t outside = b->sets[i] & ~p->in;
        by_set[i] = (uint8_t)(!outside ? safe : outside & p->out ? ARTI_LEFT : ARTI_REJECTED);
    }
    l->judged[at] = p;
    return by_set;
}

/* How many tokens of a group have to be run for their length. */
static uint32_t count_odd(const arti_lang *l, const arti_atom_plan *p, const arti_group *g, arti_verdict is) {
    const art_vocab *v = l->w->v;
    uint32_t n = 0;
    if (is == ARTI_REJECTED)
        return p->ends || p->room == UINT32_MAX ? 0 : g->first + g->n - arti_group_longer(v, g, p->room + 1);
    const uint32_t last = arti_plan_most(l, p);
    if (g->max_cp > p->top && last > p->top) n = arti_group_longer(v, g, last) - arti_group_longer(v, g, p->top);
    if (p->low > 1) n += arti_group_longer(v, g, p->low - 1) - g->first;
    return n;
}

static void set_groups(uint64_t *bits, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) bits[i / 64] |= BIT(i % 64);
}

static void clear_groups(uint64_t *bits, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) bits[i / 64] &= ~BIT(i % 64);
}

/* Do tokens with this first atom go on with few characters only? Then the trie below it is soon walked. */
static bool is_narrow(const arti_lang *l, const arti_atom_plan *p, uint32_t a) {
    return arti_atoms[a].lo < 0x80 && !(p->in & l->many);
}

/* Judges groups first .. end - 1; returns how many of their tokens have to be run. *n_accepted: tokens of groups that are accepted. */
static uint32_t judge_groups(arti_lang *l, const arti_atom_plan *p, uint32_t first, uint32_t end,
                             uint32_t *n_accepted) {
    const art_vocab *v = l->w->v;
    const arti_bases *b = v->bases;
    const uint8_t *by_set = judge_sets(l, p), *max_cp = b->max_cp;
    const uint32_t *set_of = b->set_of;
    const uint16_t *n = b->n;
    uint8_t *verdicts = l->verdicts;
    uint32_t n_run = 0, sum = 0;
    const uint32_t roomy = p->ends || p->room == UINT32_MAX ? UINT32_MAX : p->room + 1;
    uint32_t usual = p->low > 1 ? 0 : p->top < roomy ? p->top : roomy; /* longer tokens need a second look */
    if (usual >= v->stay_cp_max)
        usual = UINT32_MAX;
    else if (usual > UINT8_MAX - 1)
        usual = UINT8_MAX - 1;
    for (uint32_t i = first; i < end;) {
        const uint32_t word = i / 64, stop = end < word * 64 + 64 ? end : word * 64 + 64;
        uint64_t accepted = 0, todo = 0;
        for (; i < stop; i++) {
            const uint8_t is = by_set[set_of[i]];
            const uint32_t fits = is == ARTI_ACCEPTED;
            uint32_t odd = is == ARTI_LEFT ? n[i] : 0;
            if (max_cp[i] > usual && is != ARTI_LEFT) odd = count_odd(l, p, &v->groups[i], (arti_verdict)is);
            verdicts[i] = is;
            n_run += odd;
            accepted |= (uint64_t)fits << (i % 64);
            todo |= (uint64_t)(odd > 0) << (i % 64);
            sum += fits * n[i];
        }
        l->accepted[word] |= accepted;
        l->todo[word] |= todo;
    }
    *n_accepted = sum;
    return n_run;
}

static void judge_atom(arti_lang *l, uint32_t a, uint32_t *n_accepted) {
    const art_vocab *v = l->w->v;
    arti_atom_plan *p = &l->plans[a];
    const uint32_t first = v->group_of[a], end = v->group_of[a + 1];
    *n_accepted = 0;
    if (p->is == ARTI_ACCEPTED) {
        const uint32_t n_run = judge_groups(l, p, first, end, n_accepted);
        if (a == ARTI_N_ATOMS || n_run <= LEFT_FEW) return;
        const uint32_t n = end > first ? v->groups[end - 1].first - v->groups[first].first : 0;
        if (!is_narrow(l, p, a) && n_run <= LEFT_SOME + n / LEFT_PART) return;
        p->is = ARTI_LEFT;
        *n_accepted = 0;
        clear_groups(l->accepted, first, end);
        clear_groups(l->todo, first, end);
    }
    memset(l->verdicts + first, p->is, end - first);
    for (uint32_t i = first; i < end && p->is == ARTI_LEFT && a == ARTI_N_ATOMS; i++) l->todo[i / 64] |= BIT(i % 64);
}

/* Roughly which part of n tokens has more characters, in 256ths. */
static uint32_t share_longer(uint32_t n_cp) {
    static const uint8_t share[] = {255, 248, 232, 206, 174, 140, 111, 86, 66, 50, 37, 27, 19, 13, 9, 6, 4, 3, 2, 2};
    return n_cp < sizeof share ? share[n_cp] : 1;
}

/* Rows are cut to one number of characters, `common`. Accepted tokens that are longer, or begin with an atom of which fewer characters
 * are known to be safe, are set singly: chooses the number that leaves the fewest of these. */
static uint32_t choose_common(const arti_lang *l, const uint32_t *n_accepted) {
    uint32_t n = 0, best = UINT32_MAX, best_cost = UINT32_MAX;
    struct {
        uint32_t top, rows, singly; /* accepted tokens whose plans say so, and those that are no part of rows anyway */
    } kinds[ARTI_GROUP_ATOMS];
    for (uint32_t a = 0, k = 0; a < ARTI_GROUP_ATOMS; a++) {
        if (!n_accepted[a]) continue;
        for (k = 0; k < n && kinds[k].top != l->plans[a].top;) k++;
        if (k == n) {
            kinds[n].top = l->plans[a].top;
            kinds[n].rows = kinds[n].singly = 0;
            n++;
        }
        *(l->plans[a].low <= 1 ? &kinds[k].rows : &kinds[k].singly) += n_accepted[a];
    }
    for (uint32_t k = 0; k < n; k++) {
        uint64_t rows = 0, singly = 0;
        for (uint32_t i = 0; i < n; i++) {
            *(kinds[i].top >= kinds[k].top ? &rows : &singly) += kinds[i].rows;
            singly += kinds[i].singly;
        }
        const uint32_t top = kinds[k].top;
        const uint64_t cost = singly + (top < l->w->v->stay_cp_max ? rows * share_longer(top) / 256 : 0);
        if (cost >= best_cost) continue;
        best_cost = (uint32_t)cost;
        best = top;
    }
    return best;
}

/* What it costs to turn a base (ARTI_BASES: an empty row) into the accepted groups; no more than `limit` is counted. */
static uint32_t cost_from(const arti_lang *l, uint32_t base, uint32_t limit) {
    const arti_bases *b = l->w->v->bases;
    uint32_t sum = base < ARTI_BASES ? ARTI_BASE_ROW_COST / 2 : 0;
    for (uint32_t i = 0; i * 64 < l->w->v->n_groups && sum < limit; i++) {
        uint64_t differs = l->accepted[i] ^ (base < ARTI_BASES ? b->groups[base][i] : 0);
        for (; differs; differs &= differs - 1) sum += b->cost[i * 64 + arti_bits_lowest64(differs)];
    }
    return sum;
}

/* The base that the accepted groups differ least from. */
static uint32_t choose_base(const arti_lang *l) {
    uint32_t n = 0, best = ARTI_BASES;
    for (uint32_t i = 0; i * 64 < l->w->v->n_groups; i++) n += arti_bits_count64(l->accepted[i]);
    if (n > l->w->v->n_groups / 2) best = 0; /* only so that the costs of others are known to be too high early */
    uint32_t best_cost = cost_from(l, best, UINT32_MAX);
    for (uint32_t k = 0; k <= ARTI_BASES && best_cost > ARTI_BASE_ROW_COST; k++) {
        const uint32_t cost = cost_from(l, k, best_cost);
        if (cost >= best_cost) continue;
        best_cost = cost;
        best = k;
    }
    return best;
}

/* Are most tokens alive that are left to the trie? */
static bool is_mostly_alive(const arti_lang *l) {
    const art_vocab *v = l->w->v;
    uint32_t alive = 0, other = 0;
    for (uint32_t a = 0; a < ARTI_N_ATOMS; a++) {
        const uint32_t first = v->group_of[a], end = v->group_of[a + 1];
        const arti_atom_plan *p = &l->plans[a];
        if (p->is != ARTI_LEFT || end == first || !p->out) continue; /* without `out`, nothing is known */
        *(p->is_partly_dead || arti_bits_count64(p->in) < ALIVE_ATOMS ? &other : &alive) +=
            v->groups[end - 1].first - v->groups[first].first;
    }
    return alive / 2 > other;
}

static void judge_all(arti_lang *l) {
    const art_vocab *v = l->w->v;
    const arti_bases *b = v->bases;
    uint32_t n_accepted[ARTI_GROUP_ATOMS];
    for (uint32_t a = 0; a < ARTI_GROUP_ATOMS; a++) judge_atom(l, a, &n_accepted[a]);
    l->common = choose_common(l, n_accepted);
    for (uint32_t a = 0; a < ARTI_GROUP_ATOMS; a++) {
        const uint32_t first = v->group_of[a], end = v->group_of[a + 1];
        if (!n_accepted[a]) continue;
        const bool singly = l->plans[a].low > 1 || l->plans[a].top < l->common;
        for (uint32_t i = first; i < end && (singly || l->common < v->stay_cp_max); i++) {
            const bool is_long = b->max_cp[i] > l->common || b->max_cp[i] == UINT8_MAX;
            if (!(singly || is_long) || l->verdicts[i] != ARTI_ACCEPTED) continue;
            if (singly) l->verdicts[i] = ARTI_SINGLY;
            l->todo[i / 64] |= BIT(i % 64);
        }
        if (singly) clear_groups(l->accepted, first, end);
    }
    l->clears = !l->has_bounds && l->common >= v->stay_cp_max && is_mostly_alive(l);
    for (uint32_t a = 0; a < ARTI_N_ATOMS && l->clears; a++)
        if (l->plans[a].is == ARTI_LEFT) set_groups(l->accepted, v->group_of[a], v->group_of[a + 1]);
}

/* Sets or clears all tokens of a group. */
static void combine(arti_lang *l, const arti_group *g, bool is_set) {
    const art_vocab *v = l->w->v;
    if (g->row >= 0) {
        const uint32_t *dense = v->dense_rows + (size_t)g->row * v->n_words;
        if (is_set)
            arti_bits_or(l->row, dense, v->n_words);
        else
            arti_bits_andnot(l->row, dense, v->n_words);
    } else if (is_set) {
        arti_bits_set_ids(l->row, v->group_ids + g->first, g->n);
    } else {
        for (uint32_t k = g->first; k < g->first + g->n; k++) arti_bits_clear(l->row, v->group_ids[k]);
    }
}

/* Sets the accepted tokens of at most l->common characters. */
static void set_accepted(arti_lang *l) {
    const art_vocab *v = l->w->v;
    const uint32_t base = choose_base(l);
    const bool is_based = base < ARTI_BASES;
    uint32_t *row = l->row;
    l->basis = (arti_basis){is_based ? v->bases->rows[base] : NULL, NULL};
    arti_basis_copy(l->basis, row, v->n_words);
    for (uint32_t i = 0; i * 64 < v->n_groups; i++) {
        uint64_t bits = l->accepted[i] ^ (is_based ? v->bases->groups[base][i] : 0);
        for (; bits; bits &= bits - 1) {
            const uint32_t bit = arti_bits_lowest64(bits);
            combine(l, &v->groups[i * 64 + bit], l->accepted[i] >> bit & 1u);
        }
    }
    if (l->common >= v->stay_cp_max) return;
    const uint32_t *shorter = arti_vocab_stay(v, l->common);
    if (shorter) {
        arti_bits_and(row, shorter, v->n_words);
        l->basis.within = shorter;
        return;
    }
    const arti_u8_sets *set = &v->u8[ARTI_U8_0]; /* those with many characters are listed */
    for (uint32_t i = set->stay; i < set->stay + set->n_stay; i++)
        if (v->stay_cps[i] > l->common) arti_bits_clear(row, v->stay_ids[i]);
}

bool arti_groups_set(arti_lang *l) {
    const art_vocab *v = l->w->v;
    arti_lang_begin(l->w->x->s->re);
    const size_t n_words = v->n_groups / 64 + 1u, n_bytes = 2 * n_words * sizeof(uint64_t);
    l->accepted = arti_region_get(l->w->x->region, n_bytes + v->n_groups + (size_t)ARTI_JUDGED * v->bases->n_sets);
    if (!l->accepted) return arti_fault_mem(l->w->x->s);
    memset(l->accepted, 0, n_bytes);
    l->todo = l->accepted + n_words;
    l->verdicts = (uint8_t *)(l->todo + n_words);
    l->by_set = l->verdicts + v->n_groups;
    if (!make_plans(l)) return false;
    judge_all(l);
    set_accepted(l);
    return true;
}
