/* SPDX-License-Identifier: Apache-2.0
 *
 * A vocabulary's groups hold tokens with the same atom in front and the same set of atoms behind it. So a language is asked, for
 * each atom, where it is after one such character (arti_re_get_fan), and from there which atoms can do no harm and which are no use
 * (arti_re_get_safe). That decides nearly all groups as a whole; the row begins with the base (art_bases.h) that differs least. What is
 * left - groups with an atom that is neither, and tokens longer than is known to be safe - is run token by token; where even the first
 * character's atom is undecided, where few characters can follow, and where too many tokens are left, the trie below those bytes is
 * walked instead. */
#include "art_mask_lang.h"

#include "art_bases.h"
#include "art_bits.h"
#include "art_rows.h"

#define BOUND_MAX 8u     /* characters that may still come: then lengths become part of the language */
#define NEAR 16u         /* characters before the longest length allowed */
#define LEFT_SOME 400u   /* tokens with one first atom that are run one by one; more than these, and .. */
#define LEFT_PART 8u     /* .. than such a part of all with that atom, are left to the trie, */
#define LEFT_FEW 32u     /* .. and more than a few where it is narrow */
#define JUDGED 4u        /* plans whose verdicts on sets of atoms are at hand */
#define HARMLESS 32u     /* states whose harmless atoms are at hand in a walk */
#define SEARCHES_MAX 12u /* .. and searches for them */
#define QUEUE 64u        /* tokens that are run together */

/* Roughly how many tokens use characters of an atom, for arti_re_get_safe(): only the order matters. */
static const uint16_t weights[ARTI_N_ATOMS] = {
    600, 4,  6, 8,  4,   4,   10, 15, 15, 15, 8, 10,  40,  50, 30, 40, 60, 15, 8,  10,
    20,  10, 4, 6,  300, 500, 8,  10, 3,  60, 4, 900, 900, 8,  4,  8,  4,  1,  4,  4,
    40,  8,  4, 20, 60,  60,  4,  20, 1,  20, 1, 10,  4,   20, 40, 60, 40, 4,  20, 10,
};

#define BIT(i) (UINT64_C(1) << (i))
#define ALL_ATOMS (BIT(ARTI_N_ATOMS) - 1)

/* ------------------------------------------------------------------ what is known of the tokens with one first atom */

typedef enum verdict { REJECTED, ACCEPTED, SINGLY, LEFT } verdict; /* SINGLY: accepted, but not by rows */

typedef struct plan {
    uint8_t is;          /* REJECTED: no character of the atom is alive; LEFT: the trie is walked */
    bool ends;           /* no token of `in` with more than room + 1 characters is alive */
    bool is_partly_dead; /* so are some characters of the atom: nothing is accepted as a whole */
    uint32_t room;       /* behind the first character; UINT32_MAX: any */
    uint32_t low, top;   /* tokens of `in` with so many characters are alive */
    uint64_t in, out;    /* as arti_re_safe's, with ARTI_ATOM_PARTIAL */
    arti_re_state after; /* the only state behind a character of the atom; ARTI_RE_DEAD: there are several */
} plan;

typedef struct harmless { /* any text of `in` of at most `room` characters is alive */
    arti_re_state q;
    uint32_t room;
    uint64_t in;
} harmless;

typedef struct lang {
    arti_walk *w;
    const arti_part *part;
    uint32_t *row;
    arti_re_state q;
    uint32_t n_cp;
    bool has_bounds;
    uint32_t room; /* characters that may still come; UINT32_MAX: any number */
    uint32_t owed; /* characters that must still come, where the language does not see to that by itself; else 0 */
    plan plans[ARTI_GROUP_ATOMS];
    uint8_t *verdicts;          /* by group */
    uint64_t *accepted;         /* groups that rows set, as bits; */
    uint64_t *todo;             /* .. and those with tokens that have to be looked at */
    const plan *judged[JUDGED]; /* whose verdicts on sets of atoms by_set holds */
    uint32_t n_judged;
    uint8_t *by_set;
    uint64_t wide; /* atoms beyond ASCII; */
    uint64_t many; /* .. and those that many tokens go on with */
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
} lang;

/* Atoms that begin at `from` or later. */
static uint64_t atoms_from(uint32_t from) {
    uint32_t i = ARTI_N_ATOMS;
    while (i > 0 && arti_atoms[i - 1].lo >= from) i--;
    return ALL_ATOMS & ~(BIT(i) - 1);
}

void arti_lang_begin(arti_re_ctx *re) {
    if (arti_re_has_ranges(re)) return;
    arti_re_range ranges[ARTI_N_ATOMS];
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) ranges[i] = (arti_re_range){arti_atoms[i].lo, arti_atoms[i].hi};
    arti_re_set_ranges(re, ranges, weights, ARTI_N_ATOMS);
}

/* Takes state `to` into account, which some characters of the atom lead to. */
static bool plan_state(lang *l, plan *p, arti_re_state to) {
    arti_re_safe safe;
    art_schema *s = l->w->x->s;
    if (arti_re_get_safe(s->re, to, l->has_bounds, &safe) != ART_OK) return arti_fault_re(s, NULL, 0, "pattern");
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

static bool plan_atom(lang *l, plan *p, const arti_re_state to[ARTI_RE_FAN], bool is_partly_dead, uint64_t wide) {
    *p = (plan){.is = REJECTED};
    if (l->room == 0 || (to[0] == ARTI_RE_DEAD && to[ARTI_RE_FAN - 1] == ARTI_RE_DEAD)) return true;
    p->is = LEFT;
    if (to[ARTI_RE_FAN - 1] == ARTI_RE_UNKNOWN || (is_partly_dead && to[2] != ARTI_RE_DEAD)) return true;
    *p = (plan){.is = ACCEPTED,
                .is_partly_dead = is_partly_dead,
                .ends = true,
                .room = UINT32_MAX,
                .top = UINT32_MAX,
                .in = UINT64_MAX};
    if (!is_partly_dead && to[1] == ARTI_RE_DEAD) p->after = to[0];
    for (uint32_t i = 0; i < ARTI_RE_FAN && to[i] != ARTI_RE_DEAD; i++)
        if (!plan_state(l, p, to[i])) return false;
    p->in &= ALL_ATOMS;
    if ((p->in & wide) == wide) p->in |= ARTI_ATOM_PARTIAL;
    if (p->out & wide) p->out |= ARTI_ATOM_PARTIAL;
    return true;
}

/* Of the tokens that are a piece of one character. */
static void plan_pieces(lang *l, uint64_t wide) {
    bool all = !l->has_bounds, none = true;
    for (uint32_t i = 0; i < ARTI_N_ATOMS; i++) {
        if (!(wide >> i & 1u)) continue;
        all = all && l->plans[i].is == ACCEPTED && !l->plans[i].is_partly_dead;
        none = none && l->plans[i].is == REJECTED;
    }
    l->plans[ARTI_N_ATOMS] = (plan){.is = none  ? REJECTED
                                          : all ? ACCEPTED
                                                : LEFT,
                                    .top = UINT32_MAX,
                                    .room = UINT32_MAX};
}

static bool make_plans(lang *l) {
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

/* Place in the group's tokens of the first one with more than n characters. */
static uint32_t longer_than(const art_vocab *v, const arti_group *g, uint32_t n) {
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

/* Most characters of a token that may be alive though it is longer than what is known to be. */
static uint32_t most(const lang *l, const plan *p) {
    return p->ends && p->room < l->room ? p->room + 1 : l->room;
}

/* What is to be done with groups, by the atoms of their rests. First atoms whose plans are alike take turns, so a few answers are kept. */
static const uint8_t *judge_sets(lang *l, const plan *p) {
    const arti_bases *b = l->w->v->bases;
    for (uint32_t i = 0; i < l->n_judged && i < JUDGED; i++)
        if (l->judged[i]->in == p->in && l->judged[i]->out == p->out &&
            l->judged[i]->is_partly_dead == p->is_partly_dead)
            return l->by_set + (size_t)i * b->n_sets;
    const uint8_t safe = p->is_partly_dead ? LEFT : ACCEPTED;
    const uint32_t at = l->n_judged++ % JUDGED;
    uint8_t *by_set = l->by_set + (size_t)at * b->n_sets;
    for (uint32_t i = 0; i < b->n_sets; i++) {
        const uint64_t outside = b->sets[i] & ~p->in;
        by_set[i] = (uint8_t)(!outside ? safe : outside & p->out ? LEFT : REJECTED);
    }
    l->judged[at] = p;
    return by_set;
}

/* How many tokens of a group have to be run for their length. */
static uint32_t count_odd(const lang *l, const plan *p, const arti_group *g, verdict is) {
    const art_vocab *v = l->w->v;
    uint32_t n = 0;
    if (is == REJECTED) return p->ends || p->room == UINT32_MAX ? 0 : g->first + g->n - longer_than(v, g, p->room + 1);
    const uint32_t last = most(l, p);
    if (g->max_cp > p->top && last > p->top) n = longer_than(v, g, last) - longer_than(v, g, p->top);
    if (p->low > 1) n += longer_than(v, g, p->low - 1) - g->first;
    return n;
}

static void clear_groups(uint64_t *bits, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) bits[i / 64] &= ~BIT(i % 64);
}

/* Do tokens with this first atom go on with few characters only? Then the trie below it is soon walked. */
static bool is_narrow(const lang *l, const plan *p, uint32_t a) {
    return arti_atoms[a].lo < 0x80 && !(p->in & l->many);
}

/* Judges groups first .. end - 1; returns how many of their tokens have to be run. *n_accepted: tokens of groups that are accepted. */
static uint32_t judge_groups(lang *l, const plan *p, uint32_t first, uint32_t end, uint32_t *n_accepted) {
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
            const uint32_t fits = is == ACCEPTED;
            uint32_t odd = is == LEFT ? n[i] : 0;
            if (max_cp[i] > usual && is != LEFT) odd = count_odd(l, p, &v->groups[i], (verdict)is);
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

static void judge_atom(lang *l, uint32_t a, uint32_t *n_accepted) {
    const art_vocab *v = l->w->v;
    plan *p = &l->plans[a];
    const uint32_t first = v->group_of[a], end = v->group_of[a + 1];
    *n_accepted = 0;
    if (p->is == ACCEPTED) {
        const uint32_t n_run = judge_groups(l, p, first, end, n_accepted);
        if (a == ARTI_N_ATOMS || n_run <= LEFT_FEW) return;
        const uint32_t n = end > first ? v->groups[end - 1].first - v->groups[first].first : 0;
        if (!is_narrow(l, p, a) && n_run <= LEFT_SOME + n / LEFT_PART) return;
        p->is = LEFT;
        *n_accepted = 0;
        clear_groups(l->accepted, first, end);
        clear_groups(l->todo, first, end);
    }
    memset(l->verdicts + first, p->is, end - first);
    for (uint32_t i = first; i < end && p->is == LEFT && a == ARTI_N_ATOMS; i++) l->todo[i / 64] |= BIT(i % 64);
}

/* Roughly which part of n tokens has more characters, in 256ths. */
static uint32_t share_longer(uint32_t n_cp) {
    static const uint8_t share[] = {255, 248, 232, 206, 174, 140, 111, 86, 66, 50, 37, 27, 19, 13, 9, 6, 4, 3, 2, 2};
    return n_cp < sizeof share ? share[n_cp] : 1;
}

/* Rows are cut to one number of characters, `common`. Accepted tokens that are longer, or begin with an atom of which fewer characters
 * are known to be safe, are set singly: chooses the number that leaves the fewest of these. */
static uint32_t choose_common(const lang *l, const uint32_t *n_accepted) {
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
static uint32_t cost_from(const lang *l, uint32_t base, uint32_t limit) {
    const arti_bases *b = l->w->v->bases;
    uint32_t sum = base < ARTI_BASES ? ARTI_BASE_ROW_COST / 2 : 0;
    for (uint32_t i = 0; i * 64 < l->w->v->n_groups && sum < limit; i++) {
        uint64_t differs = l->accepted[i] ^ (base < ARTI_BASES ? b->groups[base][i] : 0);
        for (; differs; differs &= differs - 1) sum += b->cost[i * 64 + arti_bits_lowest64(differs)];
    }
    return sum;
}

/* The base that the accepted groups differ least from. */
static uint32_t choose_base(const lang *l) {
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

typedef struct tally {
    uint32_t base;   /* ARTI_BASES: an empty row */
    uint32_t common; /* accepted tokens of up to so many characters are set by rows */
} tally;

static tally judge_all(lang *l) {
    const art_vocab *v = l->w->v;
    const arti_bases *b = v->bases;
    uint32_t n_accepted[ARTI_GROUP_ATOMS];
    for (uint32_t a = 0; a < ARTI_GROUP_ATOMS; a++) judge_atom(l, a, &n_accepted[a]);
    tally t = {.common = choose_common(l, n_accepted)};
    for (uint32_t a = 0; a < ARTI_GROUP_ATOMS; a++) {
        const uint32_t first = v->group_of[a], end = v->group_of[a + 1];
        if (!n_accepted[a]) continue;
        const bool singly = l->plans[a].low > 1 || l->plans[a].top < t.common;
        for (uint32_t i = first; i < end && (singly || t.common < v->stay_cp_max); i++) {
            const bool is_long = b->max_cp[i] > t.common || b->max_cp[i] == UINT8_MAX;
            if (!(singly || is_long) || l->verdicts[i] != ACCEPTED) continue;
            if (singly) l->verdicts[i] = SINGLY;
            l->todo[i / 64] |= BIT(i % 64);
        }
        if (singly) clear_groups(l->accepted, first, end);
    }
    t.base = choose_base(l);
    return t;
}

/* Sets or clears all tokens of a group. */
static void combine(lang *l, const arti_group *g, bool is_set) {
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

/* Sets the accepted tokens of at most `common` characters. */
static void set_accepted(lang *l, const tally *t) {
    const art_vocab *v = l->w->v;
    const bool is_based = t->base < ARTI_BASES;
    uint32_t *row = l->row;
    if (is_based)
        arti_bits_copy(row, v->bases->rows[t->base], v->n_words);
    else
        arti_bits_zero(row, v->n_words);
    for (uint32_t i = 0; i * 64 < v->n_groups; i++) {
        uint64_t bits = l->accepted[i] ^ (is_based ? v->bases->groups[t->base][i] : 0);
        for (; bits; bits &= bits - 1) {
            const uint32_t bit = arti_bits_lowest64(bits);
            combine(l, &v->groups[i * 64 + bit], l->accepted[i] >> bit & 1u);
        }
    }
    if (t->common >= v->stay_cp_max) return;
    const uint32_t *shorter = arti_vocab_stay(v, t->common);
    if (shorter) {
        arti_bits_and(row, shorter, v->n_words);
        return;
    }
    const arti_u8_sets *set = &v->u8[ARTI_U8_0]; /* those with many characters are listed */
    for (uint32_t i = set->stay; i < set->stay + set->n_stay; i++)
        if (v->stay_cps[i] > t->common) arti_bits_clear(row, v->stay_ids[i]);
}

/* ------------------------------------------------------------------ token by token */

/* Is the text alive in state q with n more characters, the last of them cut? */
static bool is_alive(const lang *l, arti_re_state q, uint32_t n, bool cut) {
    if (q == ARTI_RE_DEAD || q == ARTI_RE_FAIL) return false;
    return !l->has_bounds || arti_part_alive(l->w->x->s, l->part, q, l->n_cp + n, cut);
}

static bool fault_if(const arti_walk *w, arti_re_state q) {
    return q != ARTI_RE_FAIL || arti_fault_re(w->x->s, NULL, 0, "pattern");
}

/* Runs the tokens of the queue. They lie anywhere in memory, so what is needed next is fetched ahead. */
static bool run_queue(lang *l) {
    const art_vocab *v = l->w->v;
    const uint32_t n = l->n_queued;
    l->n_queued = 0;
    for (uint32_t i = 0; i < n; i++) arti_prefetch(&v->offsets[l->queue[i].id]);
    for (uint32_t i = 0; i < n; i++) arti_prefetch(v->bytes + v->offsets[l->queue[i].id]);
    for (uint32_t i = 0; i < n; i++) {
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, l->queue[i].id, &len);
        const uint32_t at = l->queue[i].at;
        const arti_re_state q = arti_re_run(l->w->x->s->re, l->queue[i].q, bytes + at, len - at);
        if (is_alive(l, q, l->queue[i].n_cp, l->queue[i].cut)) arti_bits_set(l->row, l->queue[i].id);
        if (!fault_if(l->w, q)) return false;
    }
    return true;
}

static bool run_token(lang *l, const plan *p, const arti_group *g, uint32_t k) {
    const art_vocab *v = l->w->v;
    const bool skips = p->after != ARTI_RE_DEAD && arti_atoms[g->atom].hi < 0x80;
    if (l->n_queued == QUEUE && !run_queue(l)) return false;
    l->queue[l->n_queued].id = v->group_ids[k];
    l->queue[l->n_queued].q = skips ? p->after : l->q;
    l->queue[l->n_queued].at = skips;
    l->queue[l->n_queued].n_cp = v->group_cps[k];
    l->queue[l->n_queued].cut = g->atom == ARTI_N_ATOMS || g->rest & ARTI_ATOM_PARTIAL;
    l->n_queued++;
    return true;
}

/* Tokens from the k-th on, of at most `last` characters, of a group whose tokens are one character again and again behind the first one:
 * their texts need not be read. */
static bool run_repeats(lang *l, const plan *p, const arti_group *g, uint32_t k, uint32_t last) {
    const art_vocab *v = l->w->v;
    const uint8_t byte = (uint8_t)arti_atoms[arti_bits_lowest64(g->rest)].lo;
    arti_re_state q = p->after;
    for (uint32_t n = 1; k < g->first + g->n && v->group_cps[k] <= last; k++) {
        while (n < v->group_cps[k] && q != ARTI_RE_DEAD) {
            const arti_re_state next = arti_re_step(l->w->x->s->re, q, byte);
            if (next == ARTI_RE_FAIL) return fault_if(l->w, next);
            n = next == q ? v->group_cps[k] : n + 1;
            q = next;
        }
        if (is_alive(l, q, v->group_cps[k], false)) arti_bits_set(l->row, v->group_ids[k]);
    }
    return !arti_faulted(l->w->x->s);
}

/* Is it such a group, and is it known where the first character leads? */
static bool has_repeats(const plan *p, const arti_group *g) {
    if (p->after == ARTI_RE_DEAD || !g->rest || g->rest & (g->rest - 1) || g->rest & ARTI_ATOM_PARTIAL) return false;
    const arti_atom *a = &arti_atoms[arti_bits_lowest64(g->rest)];
    return a->lo == a->hi && a->hi < 0x80;
}

/* The tokens of a group that rows do not decide. */
static bool run_group(lang *l, const plan *p, const arti_group *g, verdict is, uint32_t common) {
    const art_vocab *v = l->w->v;
    const bool fits = is == ACCEPTED || is == SINGLY;
    uint32_t k = g->first, last = l->room;
    if (is == ACCEPTED) {
        if (g->max_cp <= common) return true;
        k = longer_than(v, g, common);
    } else if (is == REJECTED) {
        if (p->ends || p->room == UINT32_MAX || g->max_cp <= p->room + 1) return true;
        k = longer_than(v, g, p->room + 1);
    }
    if (fits) last = most(l, p) > p->top ? most(l, p) : p->top;
    while (fits && k < g->first + g->n && v->group_cps[k] >= p->low && v->group_cps[k] <= p->top)
        arti_bits_set(l->row, v->group_ids[k++]);
    if (k == g->first + g->n) return true;
    if (has_repeats(p, g)) return run_repeats(l, p, g, k, last);
    for (; k < g->first + g->n && v->group_cps[k] <= last; k++) {
        if (fits && v->group_cps[k] >= p->low && v->group_cps[k] <= p->top)
            arti_bits_set(l->row, v->group_ids[k]);
        else if (!run_token(l, p, g, k))
            return false;
    }
    return true;
}

static bool run_groups(lang *l, uint32_t common) {
    const art_vocab *v = l->w->v;
    for (uint32_t i = 0; i * 64 < v->n_groups; i++) {
        for (uint64_t bits = l->todo[i]; bits; bits &= bits - 1) {
            const uint32_t g = i * 64 + arti_bits_lowest64(bits);
            if (!run_group(l, &l->plans[v->groups[g].atom], &v->groups[g], (verdict)l->verdicts[g], common))
                return false;
        }
    }
    return run_queue(l);
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
static bool look_up_safe(lang *l, arti_re_state q, const harmless **out) {
    harmless *h = &l->harmless[q % HARMLESS];
    *out = h;
    if (h->q == q) return true;
    arti_re_safe safe = {.in = 0};
    if (l->n_searches < SEARCHES_MAX) {
        l->n_searches++;
        if (arti_re_get_safe(l->w->x->s->re, q, false, &safe) != ART_OK)
            return arti_fault_re(l->w->x->s, NULL, 0, "pattern");
    }
    *h = (harmless){.q = q, .room = safe.room, .in = safe.in & ALL_ATOMS};
    if ((h->in & l->wide) == l->wide) h->in |= ARTI_ATOM_PARTIAL;
    return true;
}

/* Are all tokens below the node alive that stay in the string? It has no more characters below it than nodes. */
static bool is_safe_below(lang *l, uint32_t node, arti_re_state q, bool *safe) {
    const art_vocab *v = l->w->v;
    const uint64_t below = v->below[node] & ~(ARTI_ATOM_SPECIAL & ~ARTI_ATOM_PARTIAL);
    const uint32_t size = v->node[node].next - node - 1, longest = size < v->token_len_max ? size : v->token_len_max;
    const harmless *h;
    *safe = false;
    if (!look_up_safe(l, q, &h)) return false;
    *safe = !(below & ~h->in) && h->room >= longest;
    return true;
}

/* All tokens below the node that stay in the string, and its own. */
static void set_below(lang *l, uint32_t node) {
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
static bool walk_trie(lang *l, level *levels, uint8_t first) {
    const art_vocab *v = l->w->v;
    arti_re_ctx *re = l->w->x->s->re;
    level *at = levels;
    *at = (level){.q = l->q};
    uint32_t node = v->root_child[first];
    uint8_t byte = first;
    for (;;) { /* steps into `node` */
        if (++l->n_nodes > l->w->nodes_max && l->w->nodes_max) return false;
        level *to = at + 1;
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        to->q = plain ? arti_re_step(re, at->q, byte) : ARTI_RE_DEAD;
        to->n_cp = (uint16_t)(at->n_cp + ((byte & 0xC0u) != 0x80u));
        if (to->q == ARTI_RE_FAIL) return fault_if(l->w, to->q);
        if (to->q != ARTI_RE_DEAD && to->n_cp <= l->room) {
            const uint32_t end = v->node[node].next;
            to->tail = (byte & 0xC0u) == 0x80u ? (uint8_t)(at->tail - 1u)
                       : byte < 0x80u          ? 0
                       : byte < 0xE0u          ? 1
                       : byte < 0xF0u          ? 2
                                               : 3;
            bool safe = false;
            if (!l->has_bounds && to->tail == 0 && end > node + 1 && !is_safe_below(l, node, to->q, &safe))
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

static bool walk_left(lang *l) {
    const art_vocab *v = l->w->v;
    bool bytes[256] = {false}, any = false;
    for (uint32_t a = 0; a < ARTI_N_ATOMS; a++) {
        if (l->plans[a].is != LEFT) continue;
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
        if (bytes[b] && v->root_child[b] && !walk_trie(l, levels, (uint8_t)b)) return false;
    return true;
}

/* ------------------------------------------------------------------ languages */

static bool term_stay(lang *l) {
    const art_vocab *v = l->w->v;
    arti_lang_begin(l->w->x->s->re);
    const size_t n_words = v->n_groups / 64 + 1u, n_bytes = 2 * n_words * sizeof(uint64_t);
    l->accepted = arti_region_get(l->w->x->region, n_bytes + v->n_groups + (size_t)JUDGED * v->bases->n_sets);
    if (!l->accepted) return arti_fault_mem(l->w->x->s);
    memset(l->accepted, 0, n_bytes);
    l->todo = l->accepted + n_words;
    l->verdicts = (uint8_t *)(l->todo + n_words);
    l->by_set = l->verdicts + v->n_groups;
    if (!make_plans(l)) return false;
    const tally t = judge_all(l);
    set_accepted(l, &t);
    return run_groups(l, t.common) && walk_left(l) && !arti_faulted(l->w->x->s);
}

/* ------------------------------------------------------------------ sets of strings */

#define SCAN_MAX 256u /* strings whose next bytes are gathered */

void arti_lang_next_bytes(const arti_part *part, uint64_t q, uint64_t bits[4]) {
    const uint32_t lo = arti_set_lo(q), hi = arti_set_hi(q), d = arti_set_depth(q);
    memset(bits, hi - lo > SCAN_MAX ? 0xFF : 0, 4 * sizeof *bits);
    for (uint32_t i = lo; i < hi && hi - lo <= SCAN_MAX; i++) {
        const arti_key *k = &part->set[i];
        if (k->len > d) bits[(uint8_t)k->ptr[d] / 64] |= BIT((uint8_t)k->ptr[d] % 64);
    }
}

typedef struct set_level { /* a node that strings of q lead to */
    uint64_t q;
    uint32_t node;
    uint32_t i; /* strings before it have been followed */
} set_level;

/* Follows the strings down the trie, those with the same next byte together. */
static bool set_stay(arti_walk *w, const arti_part *part, uint64_t q, uint32_t *row) {
    const art_vocab *v = w->v;
    set_level *levels = arti_region_get(w->x->region, w->m->depth_cap * sizeof *levels), *at = levels;
    if (!levels) return arti_fault_mem(w->x->s);
    arti_bits_zero(row, v->n_words);
    *at = (set_level){q, 0, arti_set_lo(q)};
    for (;;) {
        if (at->i == arti_set_hi(at->q)) {
            if (at == levels) return true;
            at--;
            continue;
        }
        const arti_key *k = &part->set[at->i];
        const uint32_t d = arti_set_depth(at->q);
        if (k->len == d) {
            at->i++;
            continue;
        }
        const uint8_t byte = (uint8_t)k->ptr[d];
        const uint64_t next = arti_set_step(part->set, at->q, byte);
        at->i = arti_set_hi(next);
        const uint32_t node = byte < 0x20 || byte == '"' || byte == '\\' ? 0 : arti_lex_child(v, at->node, byte);
        if (!node) continue;
        for (uint32_t t = v->node[node].tok; t < v->node[node + 1].tok; t++) arti_bits_set(row, v->order[t]);
        *++at = (set_level){next, node, arti_set_lo(next)};
    }
}

/* ------------------------------------------------------------------ entry */

/* Which of the part's bounds a token can meet. */
static bool find_bounds(lang *l) {
    art_schema *s = l->w->x->s;
    const arti_part *p = l->part;
    if (p->lo <= l->n_cp && p->hi == UINT32_MAX) return true;
    arti_re_lengths len;
    uint32_t farthest;
    if (arti_re_get_lengths(s->re, l->q, &len) != ART_OK || arti_re_get_farthest(s->re, l->q, &farthest) != ART_OK)
        return arti_fault_re(s, NULL, 0, "pattern");
    const uint32_t room = p->hi == UINT32_MAX ? UINT32_MAX : l->n_cp < p->hi ? p->hi - l->n_cp : 0;
    const uint32_t reach = l->w->v->token_len_max; /* characters of a token */
    if (p->lo > l->n_cp + 1 && p->lo - l->n_cp > len.shortest) l->owed = p->lo - l->n_cp;
    if (len.longest > room && !(farthest <= room && room - farthest >= reach)) l->room = room;
    l->has_bounds = l->owed || l->room != UINT32_MAX;
    return true;
}

/* Where few characters may still come, lengths and pattern are better looked at as one language: then it is known which characters are of
 * use at all. Not done where that is too much work. */
static bool bind_bounds(lang *l) {
    art_schema *s = l->w->x->s;
    if (!l->has_bounds || l->room > BOUND_MAX) return true;
    arti_re_state q;
    const art_status st = arti_re_bind(s->re, l->q, l->owed, l->room, &q);
    if (st == ART_E_NOMEM) return arti_fault_re(s, NULL, 0, "pattern");
    if (st != ART_OK) return true;
    l->q = q;
    l->room = UINT32_MAX;
    l->owed = 0;
    l->has_bounds = false;
    return true;
}

bool arti_lang_is_unbounded(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, bool *out) {
    lang l = {.w = w, .part = part, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    if (!find_bounds(&l)) return false;
    *out = !l.has_bounds;
    return true;
}

bool arti_lang_stay(arti_walk *w, const arti_part *part, uint64_t q, uint32_t n_cp, uint32_t *row) {
    if (part->kind == ARTI_PART_FREE) {
        arti_vocab_copy_stay(w->v, part->hi == UINT32_MAX ? UINT32_MAX : n_cp < part->hi ? part->hi - n_cp : 0, row);
        return true;
    }
    if (part->kind == ARTI_PART_SET) return set_stay(w, part, q, row);
    lang l = {.w = w, .part = part, .row = row, .q = (arti_re_state)q, .n_cp = n_cp, .room = UINT32_MAX};
    return find_bounds(&l) && bind_bounds(&l) && term_stay(&l);
}

/* ------------------------------------------------------------------ escapes, and rows that are kept */

static uint32_t hex_digit(uint8_t c) {
    return c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - 'a' + 10;
}

/* The code units that n hexadecimal digits begin. */
static void unit_range(const uint8_t *digits, size_t n, uint32_t *lo, uint32_t *hi) {
    *lo = *hi = 0;
    for (size_t i = 0; i < 4; i++) {
        *lo = *lo << 4 | (i < n ? hex_digit(digits[i]) : 0);
        *hi = *hi << 4 | (i < n ? hex_digit(digits[i]) : 15);
    }
}

/* Is some character of lo .. hi alive, each of these code units being one of its own? */
static bool is_unit_alive(arti_re_ctx *re, arti_re_state q, uint32_t lo, uint32_t hi) {
    return lo <= hi && arti_re_alive_between(re, q, lo, hi);
}

/* The same for a pair of a high surrogate of first .. last with a low one of lo .. hi; either first is last, or any low one will do. */
static bool is_pair_alive(arti_re_ctx *re, arti_re_state q, uint32_t first, uint32_t last, uint32_t lo, uint32_t hi) {
    if (first < 0xD800) first = 0xD800;
    if (last > 0xDBFF) last = 0xDBFF;
    if (lo < 0xDC00) lo = 0xDC00;
    if (hi > 0xDFFF) hi = 0xDFFF;
    return first <= last && is_unit_alive(re, q, 0x10000 + ((first - 0xD800) << 10) + (lo - 0xDC00),
                                          0x10000 + ((last - 0xD800) << 10) + (hi - 0xDC00));
}

/* Is some character alive in state q whose escape begins with these bytes, but is longer? */
static bool is_cut_alive(arti_re_ctx *re, arti_re_state q, const uint8_t *cut, size_t len) {
    uint32_t lo, hi, first, last;
    if (len <= 2)
        return arti_re_alive_between(re, q, 0, 0x10FFFF); /* \\ or \\u: any character can be written like that */
    unit_range(cut + 2, len - 2, &first, &last);
    if (len <= 6) { /* high surrogates stand for what lies beyond U+FFFF; low ones can not come first */
        return is_unit_alive(re, q, first, last < 0xD7FF ? last : 0xD7FF) ||
               is_unit_alive(re, q, first > 0xE000 ? first : 0xE000, last) ||
               is_pair_alive(re, q, first, last, 0xDC00, 0xDFFF);
    }
    unit_range(cut + 8, len > 8 ? len - 8 : 0, &lo, &hi);
    return is_pair_alive(re, q, first, last, lo, hi);
}

/* Tokens with escapes that stay in the string, or end within an escape. */
static bool set_escapes(arti_walk *w, arti_re_state first, uint32_t *row) {
    const art_vocab *v = w->v;
    art_schema *s = w->x->s;
    for (uint32_t i = 0; i < v->n_escapes_stay; i++) {
        const arti_escaped *e = &v->escapes[i];
        const arti_re_state q = arti_re_run(s->re, first, v->escape_text + e->text, e->len);
        if (q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "pattern");
        if (q == ARTI_RE_DEAD) continue;
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, e->token, &len);
        if (e->kind == ARTI_ESCAPED_STAYS || is_cut_alive(s->re, q, bytes + e->tail, len - e->tail))
            arti_bits_set(row, e->token);
    }
    return true;
}

static void set_if_accepted(const arti_walk *w, arti_re_state q, uint32_t *ends, uint32_t i) {
    if (q != ARTI_RE_FAIL && arti_re_accepts(w->x->s->re, q)) arti_bits_set(ends, i);
}

/* After which heads, and which escapes before a quote, is the text complete? */
static bool find_ends(arti_walk *w, arti_re_state first, uint32_t *ends) {
    const art_vocab *v = w->v;
    art_schema *s = w->x->s;
    arti_re_state q = first;
    arti_bits_zero(ends, arti_vocab_end_words(v));
    for (uint32_t i = 0; i < v->n_heads && q != ARTI_RE_FAIL; i++)
        set_if_accepted(w, q = arti_re_run(s->re, first, v->bytes + v->heads[i].bytes, v->heads[i].len), ends, i);
    for (uint32_t i = v->n_escapes_stay; i < v->n_escapes && q != ARTI_RE_FAIL; i++)
        set_if_accepted(w, q = arti_re_run(s->re, first, v->escape_text + v->escapes[i].text, v->escapes[i].len), ends,
                        v->n_heads + i - v->n_escapes_stay);
    return fault_if(w, q);
}

static void keys_of(arti_re_state q, uint64_t row[2], uint64_t ends[2]) {
    row[0] = arti_hash_mix(UINT64_C(0x6c616e67), q);
    ends[0] = arti_hash_mix(UINT64_C(0x656e6473), q);
    row[1] = ends[1] = q;
}

bool arti_lang_row(arti_walk *w, arti_re_state q, uint32_t *row) {
    const art_vocab *v = w->v;
    art_schema *s = w->x->s;
    const uint32_t n_ends = arti_vocab_end_words(v);
    const uint64_t *secret = arti_rows_key(v->rows);
    uint64_t digest[2], key[2], ends_key[2];
    const uint32_t **base = row == w->words ? &w->base : NULL;
    keys_of(q, key, ends_key);
    if (arti_mask_memo_get(w->m, key, row, v->n_words, base)) return true;
    uint32_t *ends = arti_region_get(w->x->region, (n_ends + 1u) * sizeof *ends);
    if (!ends) return arti_fault_mem(s);
    const bool shared = secret && arti_re_digest(s->re, q, secret, digest);
    if (!shared || !arti_rows_get(v->rows, digest, row, ends)) {
        lang l = {.w = w, .row = row, .q = q, .room = UINT32_MAX};
        if (!term_stay(&l) || !set_escapes(w, q, row) || !find_ends(w, q, ends)) return false;
        if (shared) arti_rows_put(v->rows, digest, row, ends);
    }
    arti_mask_memo_put(w->m, key, row, v->n_words);
    arti_mask_memo_put(w->m, ends_key, ends, n_ends);
    return true;
}

bool arti_lang_ends(arti_walk *w, arti_re_state q, uint32_t *ends) {
    const uint32_t n_ends = arti_vocab_end_words(w->v);
    uint64_t row_key[2], key[2];
    keys_of(q, row_key, key);
    if (arti_mask_memo_get(w->m, key, ends, n_ends, NULL)) return true;
    if (!find_ends(w, q, ends)) return false;
    arti_mask_memo_put(w->m, key, ends, n_ends);
    return true;
}
