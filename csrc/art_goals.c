/* SPDX-License-Identifier: Apache-2.0 */
#include "art_goals.h"

#include "art_bits.h"

#define ASKS_ALTS_MIN 4u /* alternatives that are worth looking at together */

/* ------------------------------------------------------------------ texts */

/* The first of strings a .. hi - 1, all longer than d bytes, whose byte d is greater than `byte`. */
static uint32_t set_behind(const arti_key *set, uint32_t a, uint32_t hi, uint32_t d, uint8_t byte) {
    while (a < hi) {
        const uint32_t mid = a + (hi - a) / 2;
        if ((uint8_t)set[mid].ptr[d] <= byte)
            a = mid + 1;
        else
            hi = mid;
    }
    return a;
}

uint64_t arti_set_step(const arti_key *set, uint64_t q, uint8_t byte) {
    uint32_t lo = arti_set_lo(q), hi = arti_set_hi(q);
    const uint32_t d = arti_set_depth(q);
    if (lo < hi && set[lo].len == d) lo++; /* the shortest comes first and can not go on */
    const uint32_t first = byte ? set_behind(set, lo, hi, d, (uint8_t)(byte - 1u)) : lo;
    if (first >= hi || (uint8_t)set[first].ptr[d] != byte) return 0;
    return arti_set_state(first, set_behind(set, first + 1, hi, d, byte), d + 1);
}

#define NEXT_FEW 32u /* strings that are looked at one by one */

void arti_set_next_bytes(const arti_key *set, uint64_t q, uint64_t bits[4], bool *ends) {
    memset(bits, 0, 4 * sizeof *bits);
    *ends = false;
    if (!q) return;
    const uint32_t d = arti_set_depth(q), hi = arti_set_hi(q);
    uint32_t i = arti_set_lo(q);
    if (i < hi && set[i].len == d) {
        *ends = true;
        i++;
    }
    const bool few = hi - i <= NEXT_FEW;
    while (i < hi) {
        const uint8_t byte = (uint8_t)set[i].ptr[d];
        bits[byte / 64] |= UINT64_C(1) << (byte % 64);
        i = few ? i + 1 : set_behind(set, i + 1, hi, d, byte);
    }
}

bool arti_fault_unchecked(art_schema *s) {
    return arti_fault(s, ART_E_UNSUPPORTED, NULL, 0, "format",
                      "only A-labels (\"xn--\") fit, which can be checked but not generated");
}

bool arti_part_start(art_schema *s, const arti_part *p, arti_world world, uint64_t *q) {
    *q = 1;
    if (p->kind == ARTI_PART_SET) *q = arti_set_state(0, p->n_set, 0);
    if (p->kind != ARTI_PART_TERM) return true;
    if (world == ARTI_WORLD_BOTH && p->only_checked) return arti_fault_unchecked(s);
    const arti_re terms[] = {p->term, p->worlds.yes, p->worlds.no};
    const arti_re_state st = arti_re_start(s->re, terms[world]);
    *q = st;
    return st != ARTI_RE_FAIL || arti_fault_re(s, NULL, 0, "pattern");
}

bool arti_part_step(art_schema *s, const arti_part *p, uint64_t *q, uint8_t byte) {
    if (*q == 0 || p->kind == ARTI_PART_FREE) return true;
    if (p->kind == ARTI_PART_SET) {
        *q = arti_set_step(p->set, *q, byte);
        return true;
    }
    const arti_re_state st = arti_re_step(s->re, (arti_re_state)*q, byte);
    *q = st;
    return st != ARTI_RE_FAIL || arti_fault_re(s, NULL, 0, "pattern");
}

bool arti_part_alive(art_schema *s, const arti_part *p, uint64_t q, uint32_t n_cp, bool inside) {
    if (q == 0) return false;
    if (p->kind == ARTI_PART_SET || (p->lo == 0 && p->hi == UINT32_MAX)) return true;
    if (n_cp > p->hi) return false;
    if (p->kind == ARTI_PART_FREE) return true;
    const uint32_t done = n_cp - (inside ? 1u : 0u); /* a character that is partly there counts among what remains */
    const uint32_t lo = p->lo > done ? p->lo - done : 0, hi = p->hi == UINT32_MAX ? ARTI_RE_UNBOUNDED : p->hi - done;
    uint32_t len;
    arti_re_lengths l;
    art_status known = arti_re_peek_lengths(s->re, (arti_re_state)q, &l) ? ART_OK : ART_REJECTED;
    if (known != ART_OK && lo == 0) known = arti_re_get_lengths(s->re, (arti_re_state)q, &l);
    if (known == ART_OK && (lo == 0 || l.contiguous || l.shortest > hi || l.longest < lo))
        return l.shortest <= hi && l.longest >= lo;
    const art_status st = arti_re_length_in(s->re, (arti_re_state)q, lo, hi, &len);
    if (st != ART_OK && st != ART_REJECTED) arti_fault_re(s, NULL, 0, "pattern");
    return st == ART_OK;
}

bool arti_part_accepts(art_schema *s, const arti_part *p, uint64_t q, uint32_t n_cp) {
    if (q == 0) return false;
    if (p->kind == ARTI_PART_SET) return arti_set_whole(p->set, q) != UINT32_MAX;
    if (n_cp < p->lo || n_cp > p->hi) return false;
    return p->kind == ARTI_PART_FREE || arti_re_accepts(s->re, (arti_re_state)q);
}

/* ------------------------------------------------------------------ interned goals */

static uint64_t hash_conj(const arti_conj *c, uint32_t n) {
    uint64_t h = n;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ c[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 31;
    }
    return h;
}

static bool map_grow(art_schema *s) {
    arti_norm *m = s->norm;
    const size_t size = m->goals_map_size ? m->goals_map_size * 2 : 128;
    uint32_t *map = arti_calloc(&s->mem, size * sizeof *map);
    if (!map) return arti_fault_mem(s);
    for (size_t i = 0; i < m->n_goals; i++) {
        size_t j = (size_t)hash_conj(m->goals[i]->conj, m->goals[i]->n) & (size - 1);
        while (map[j]) j = (j + 1) & (size - 1);
        map[j] = (uint32_t)i + 1;
    }
    arti_free(&s->mem, m->goals_map, m->goals_map_size * sizeof *map);
    m->goals_map = map;
    m->goals_map_size = size;
    return true;
}

const arti_goals *arti_goals_of(art_schema *s, arti_conj *conj, uint32_t n) {
    arti_norm *m = s->norm;
    uint32_t w = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t len = arti_conj_len(s, conj[i]);
        if (arti_faulted(s)) return NULL;
        if (len == ARTI_LEN_NONE) continue;
        uint32_t j = w; /* insertion: few, nearly sorted */
        while (j > 0 && conj[j - 1] > conj[i]) j--;
        if (j > 0 && conj[j - 1] == conj[i]) continue;
        const arti_conj c = conj[i];
        memmove(conj + j + 1, conj + j, (w - j) * sizeof *conj);
        conj[j] = c;
        w++;
    }
    n = w;
    if (n == 0) return NULL;
    if (n > ARTI_JSON_GOALS_MAX) {
        arti_fault(s, ART_E_LIMIT, NULL, 0, "", "more than %u sub-schemas for one value (ARTI_JSON_GOALS_MAX)",
                   ARTI_JSON_GOALS_MAX);
        return NULL;
    }
    if (m->n_goals * 2 >= m->goals_map_size && !map_grow(s)) return NULL;
    size_t j = (size_t)hash_conj(conj, n) & (m->goals_map_size - 1);
    for (; m->goals_map[j]; j = (j + 1) & (m->goals_map_size - 1)) {
        const arti_goals *g = m->goals[m->goals_map[j] - 1];
        if (g->n == n && memcmp(g->conj, conj, n * sizeof *conj) == 0) return g;
    }
    if (!arti_vec_reserve(&s->mem, (void **)&m->goals, &m->goals_cap, m->n_goals + 1, sizeof *m->goals)) {
        arti_fault_mem(s);
        return NULL;
    }
    arti_goals *g = arti_schema_zero(s, sizeof *g);
    arti_conj *copy = arti_schema_get(s, n * sizeof *copy);
    if (!g || !copy) return NULL;
    memcpy(copy, conj, n * sizeof *copy);
    g->id = (uint32_t)m->n_goals;
    g->n = n;
    g->conj = copy;
    m->goals[m->n_goals++] = g;
    m->goals_map[j] = (uint32_t)m->n_goals;
    return g;
}

const arti_goal_type *arti_goals_type(art_schema *s, const arti_goals *goals, arti_type t) {
    arti_goal_type *gt = (arti_goal_type *)&goals->type[t];
    if (gt->built) return gt;
    uint32_t n = 0;
    for (uint32_t i = 0; i < goals->n; i++) {
        if (!arti_facet_decide(s, goals->conj[i], t)) return NULL;
        n += arti_conj_get(s, goals->conj[i])->facet[t].n_shapes;
    }
    arti_alt_ref *alts = arti_schema_get(s, n * sizeof *alts);
    if (!alts) return NULL;
    n = 0;
    for (uint32_t i = 0; i < goals->n; i++) {
        const arti_facet *f = &arti_conj_get(s, goals->conj[i])->facet[t];
        for (uint32_t k = 0; k < f->n_shapes; k++) alts[n++] = (arti_alt_ref){i, f->shapes[k]};
    }
    gt->alts = alts;
    gt->n_alts = n;
    gt->built = true;
    return gt;
}

/* ------------------------------------------------------------------ text machine */

static bool part_equal(const arti_part *a, const arti_part *b) {
    if (a->kind != b->kind || a->lo != b->lo || a->hi != b->hi || a->term != b->term || a->n_set != b->n_set ||
        a->worlds.yes != b->worlds.yes || a->worlds.no != b->worlds.no || a->only_checked != b->only_checked)
        return false;
    for (uint32_t i = 0; i < a->n_set; i++)
        if (a->set[i].len != b->set[i].len || memcmp(a->set[i].ptr, b->set[i].ptr, a->set[i].len) != 0) return false;
    return true;
}

static bool part_of_shape(art_schema *s, const arti_text_shape *t, arti_part *p) {
    *p = (arti_part){.kind = ARTI_PART_FREE, .hi = UINT32_MAX};
    if (t->set) {
        *p = (arti_part){.kind = ARTI_PART_SET, .hi = UINT32_MAX, .set = t->set, .n_set = t->n_set};
        if (t->n_set > ARTI_SET_MAX)
            return arti_fault(s, ART_E_LIMIT, NULL, 0, "enum", "more than %u strings", ARTI_SET_MAX);
        for (uint32_t i = 0; i < t->n_set; i++)
            if (t->set[i].len >= ARTI_SET_DEPTH_MAX)
                return arti_fault(s, ART_E_LIMIT, NULL, 0, "enum", "a string of more than %u bytes",
                                  ARTI_SET_DEPTH_MAX);
        return true;
    }
    p->lo = t->lo;
    p->hi = t->hi;
    if (t->term != ARTI_RE_ANY) {
        p->kind = ARTI_PART_TERM;
        p->term = t->term;
        p->worlds = t->worlds;
        p->only_checked = t->only_checked;
    }
    return true;
}

const arti_text_machine *arti_goals_text(art_schema *s, const arti_goals *g) {
    const arti_goal_type *gt = arti_goals_type(s, g, ARTI_T_STRING);
    if (!gt || gt->n_alts == 0) return NULL;
    if (gt->machine) return gt->machine;
    arti_text_machine *m = arti_schema_zero(s, sizeof *m);
    arti_part *parts = arti_schema_get(s, gt->n_alts * sizeof *parts);
    uint32_t *part_of = arti_schema_get(s, gt->n_alts * sizeof *part_of);
    if (!m || !parts || !part_of) return NULL;
    m->all_free = true;
    for (uint32_t i = 0; i < gt->n_alts; i++) {
        arti_part p;
        if (!part_of_shape(s, &gt->alts[i].shape->text, &p)) return NULL;
        uint32_t k = 0;
        while (k < m->n_parts && !part_equal(&parts[k], &p)) k++;
        if (k == m->n_parts) parts[m->n_parts++] = p;
        part_of[i] = k;
        m->all_free &= p.kind == ARTI_PART_FREE;
        m->bounded |= p.lo != 0 || p.hi != UINT32_MAX;
        m->is_checked |= p.kind == ARTI_PART_TERM && p.worlds.yes != p.worlds.no;
    }
    m->parts = parts;
    m->part_of = part_of;
    m->n_alts = gt->n_alts;
    ((arti_goal_type *)gt)->machine = m;
    return m;
}

/* ------------------------------------------------------------------ object machine */

typedef struct ranked {
    arti_key key;
    uint32_t rank;
} ranked;

static bool ranked_less(const ranked *a, const ranked *b) {
    const int c = arti_key_cmp(a->key.ptr, a->key.len, b->key.ptr, b->key.len);
    return c ? c < 0 : a->rank < b->rank;
}

static void sort_ranked(ranked *p, uint32_t n) {
    for (uint32_t start = n / 2, end = n; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            const ranked t = p[end];
            p[end] = p[0];
            p[0] = t;
        }
        uint32_t root = start;
        for (uint32_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && ranked_less(&p[child], &p[child + 1])) child++;
            if (!ranked_less(&p[root], &p[child])) break;
            const ranked t = p[root];
            p[root] = p[child];
            p[child] = t;
        }
    }
}

/* Names over all alternatives in byte order, with their declared order: first come, first ranked. */
static bool gather_names(art_schema *s, arti_object_machine *m) {
    size_t total = 0;
    for (uint32_t a = 0; a < m->n_alts; a++) total += m->alts[a].shape->n_names;
    const size_t size = (total + 1) * sizeof(ranked);
    ranked *all = arti_realloc(&s->mem, NULL, 0, size);
    if (!all) return arti_fault_mem(s);
    uint32_t n = 0, base = 0, w = 0;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        const arti_object_shape *o = m->alts[a].shape;
        uint32_t last = 0;
        for (uint32_t i = 0; i < o->n_names; i++) {
            all[n++] = (ranked){o->names[i].key, base + o->names[i].rank};
            if (o->names[i].rank >= last) last = o->names[i].rank + 1;
        }
        base += last;
    }
    sort_ranked(all, n);
    for (uint32_t i = 0; i < n; i++)
        if (!w || all[w - 1].key.len != all[i].key.len ||
            memcmp(all[w - 1].key.ptr, all[i].key.ptr, all[i].key.len) != 0)
            all[w++] = all[i];
    arti_key *names = arti_schema_get(s, w * sizeof *names);
    uint32_t *rank = arti_schema_get(s, w * sizeof *rank), *by_rank = arti_schema_get(s, w * sizeof *by_rank);
    uint32_t *slot = arti_realloc(&s->mem, NULL, 0, (base + 1) * sizeof *slot);
    bool ok = names && rank && by_rank && slot;
    if (ok) {
        memset(slot, 0xFF, (base + 1) * sizeof *slot);
        for (uint32_t i = 0; i < w; i++) {
            names[i] = all[i].key;
            slot[all[i].rank] = i;
        }
        uint32_t r = 0;
        for (uint32_t i = 0; i < base; i++) {
            if (slot[i] == UINT32_MAX) continue;
            by_rank[r] = slot[i];
            rank[slot[i]] = r++;
        }
        m->names = names;
        m->rank = rank;
        m->by_rank = by_rank;
        m->n_names = w;
    } else {
        arti_fault_mem(s);
    }
    arti_free(&s->mem, slot, (base + 1) * sizeof *slot);
    arti_free(&s->mem, all, size);
    for (uint32_t i = 0; ok && i < w; i++)
        if (m->names[i].len >= ARTI_SET_DEPTH_MAX)
            ok = arti_fault(s, ART_E_LIMIT, NULL, 0, "properties", "a member name of more than %u bytes",
                            ARTI_SET_DEPTH_MAX);
    if (ok && w > ARTI_SET_MAX)
        ok = arti_fault(s, ART_E_LIMIT, NULL, 0, "properties", "more than %u member names", ARTI_SET_MAX);
    return ok;
}

uint32_t arti_object_machine_find(const arti_object_machine *m, const char *key, uint32_t len) {
    uint32_t lo = 0, hi = m->n_names;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const int c = arti_key_cmp(m->names[mid].ptr, m->names[mid].len, key, len);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

static uint32_t add_part(art_schema *s, arti_object_machine *m, arti_re term) {
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (m->parts[i].term == term) return i;
    if (m->n_parts == ARTI_KEY_PARTS_MAX) {
        arti_fault(s, ART_E_LIMIT, NULL, 0, "patternProperties",
                   "more than %u languages for the keys of one object (ARTI_KEY_PARTS_MAX)", ARTI_KEY_PARTS_MAX);
        return UINT32_MAX;
    }
    m->parts[m->n_parts] =
        (arti_part){.kind = ARTI_PART_TERM, .hi = UINT32_MAX, .term = term, .worlds = {term, term, term}};
    return m->n_parts++;
}

static bool fill_alt(art_schema *s, arti_object_machine *m, struct arti_object_alt *alt) {
    arti_object_shape *o = alt->shape;
    if (!arti_object_know_extra(s, o)) return false;
    uint32_t *to_set = arti_schema_get(s, o->n_names * sizeof *to_set);
    uint64_t *required = arti_schema_zero(s, m->n_seen_words * sizeof *required);
    uint8_t *pat_part = arti_schema_get(s, o->n_pats);
    if (!to_set || !required || !pat_part) return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < o->n_names; i++) { /* both are sorted */
        while (m->names[at].len != o->names[i].key.len ||
               memcmp(m->names[at].ptr, o->names[i].key.ptr, m->names[at].len) != 0)
            at++;
        to_set[i] = at;
        if (o->names[i].required) required[at / 64] |= UINT64_C(1) << (at % 64);
    }
    alt->extra_part = o->extra_is_free ? ARTI_EXTRA_FREE : ARTI_EXTRA_NONE;
    if (!o->extra_is_free && o->extra != ARTI_RE_NONE) {
        alt->extra_part = add_part(s, m, o->extra);
        if (alt->extra_part == UINT32_MAX) return false;
    }
    for (uint32_t k = 0; k < o->n_pats; k++) {
        const uint32_t p = add_part(s, m, o->pats[k]);
        if (p == UINT32_MAX) return false;
        pat_part[k] = (uint8_t)p;
    }
    alt->to_set = to_set;
    alt->required = required;
    alt->pat_part = pat_part;
    m->has_some |= o->n_some != 0;
    m->all_simple &= o->is_simple;
    m->any_free |= o->extra_is_free;
    if (o->max != UINT32_MAX || o->min > o->n_required) {
        m->counts_matter = true;
        const uint32_t cap = o->max != UINT32_MAX ? o->max + 1 : o->min;
        if (cap > m->count_cap) m->count_cap = cap;
    }
    return true;
}

arti_object_machine *arti_goals_object(art_schema *s, const arti_goals *g) {
    const arti_goal_type *gt = arti_goals_type(s, g, ARTI_T_OBJECT);
    if (!gt || gt->n_alts == 0) return NULL;
    if (gt->machine) return gt->machine;
    arti_object_machine *m = arti_schema_zero(s, sizeof *m);
    if (!m) return NULL;
    m->n_alts = gt->n_alts;
    m->alts = arti_schema_zero(s, gt->n_alts * sizeof *m->alts);
    if (!m->alts) return NULL;
    m->all_simple = true;
    size_t n_parts = m->n_alts; /* at most: one language of other names an alternative, and its patterns */
    for (uint32_t a = 0; a < m->n_alts; a++) {
        m->alts[a].shape = &gt->alts[a].shape->object;
        n_parts += m->alts[a].shape->n_pats;
    }
    if (n_parts > ARTI_KEY_PARTS_MAX) n_parts = ARTI_KEY_PARTS_MAX;
    m->parts = arti_schema_get(s, n_parts * sizeof *m->parts);
    if (!m->parts) return NULL;
    if (!gather_names(s, m)) return NULL;
    m->n_live_words = (m->n_alts + 63) / 64;
    m->n_seen_words = (m->n_names + 63) / 64;
    if ((size_t)m->n_alts * m->n_names > ARTI_CELLS_MAX) {
        arti_fault(s, ART_E_LIMIT, NULL, 0, "properties",
                   "%u alternatives with %u member names between them (ARTI_CELLS_MAX)", m->n_alts, m->n_names);
        return NULL;
    }
    for (uint32_t a = 0; a < m->n_alts; a++)
        if (!fill_alt(s, m, &m->alts[a])) return NULL;
    if (m->n_alts >= ASKS_ALTS_MIN && !m->has_some) {
        m->asks = arti_schema_zero(s, (m->n_names + 1u) * sizeof *m->asks);
        if (!m->asks) return NULL;
    }
    if (m->n_alts == 1 && !m->has_some) {
        m->name_goals = arti_schema_zero(s, m->n_names * sizeof *m->name_goals);
        m->class_goals = arti_schema_zero(s, sizeof *m->class_goals);
        if (!m->name_goals || !m->class_goals) return NULL;
    }
    ((arti_goal_type *)gt)->machine = m;
    return m;
}

const arti_cell *arti_object_cell_make(art_schema *s, arti_object_machine *m, uint32_t a, uint32_t i) {
    struct arti_object_alt *alt = &m->alts[a];
    if (!alt->cells) {
        arti_cell *cells = arti_schema_get(s, m->n_names * sizeof *cells);
        alt->never = arti_schema_zero(s, m->n_seen_words * sizeof *alt->never);
        if (!cells || !alt->never) return NULL;
        for (uint32_t k = 0; k < m->n_names; k++) cells[k].conj = ARTI_CONJ_UNSET;
        alt->cells = cells;
    }
    arti_object_shape *o = alt->shape;
    const arti_key *key = &m->names[i];
    const uint32_t own = arti_object_find(o, key->ptr, key->len);
    arti_cell v = {ARTI_CONJ_NEVER, 0};
    if (own != UINT32_MAX) {
        v.conj = arti_object_name_conj(s, o, own);
        if (v.conj == ARTI_CONJ_FAIL) return NULL;
        v.some = o->names[own].some;
    } else { /* mentioned by another alternative only */
        uint64_t matches = 0;
        bool named = o->names_term == ARTI_RE_ANY;
        for (uint32_t k = 0; k <= o->n_pats; k++) {
            const arti_re t = k < o->n_pats ? o->pats[k] : o->names_term;
            if (t == ARTI_RE_ANY && k == o->n_pats) break;
            const arti_re_state q = arti_re_run(s->re, arti_re_start(s->re, t), (const uint8_t *)key->ptr, key->len);
            if (q == ARTI_RE_FAIL) {
                arti_fault_re(s, NULL, 0, "patternProperties");
                return NULL;
            }
            if (!arti_re_accepts(s->re, q)) continue;
            if (k < o->n_pats)
                matches |= UINT64_C(1) << k;
            else
                named = true;
        }
        if (named) {
            const arti_extra_class *x = arti_object_extra_class(s, o, matches);
            if (!x) return NULL;
            v = (arti_cell){x->conj, x->some};
        }
    }
    if (arti_conj_len(s, v.conj) == ARTI_LEN_NONE) v.conj = ARTI_CONJ_NEVER;
    if (arti_faulted(s)) return NULL;
    if (v.conj == ARTI_CONJ_NEVER) alt->never[i / 64] |= UINT64_C(1) << (i % 64);
    alt->cells[i] = v;
    return &alt->cells[i];
}

const arti_asks *arti_object_asks(art_schema *s, arti_object_machine *m, uint32_t name, const uint64_t *live) {
    if (!m->asks || (name == UINT32_MAX && m->n_parts)) return NULL;
    arti_asks **slot = &m->asks[name == UINT32_MAX ? m->n_names : name];
    if (!*slot) {
        arti_asks *k = arti_schema_zero(s, sizeof *k);
        if (!k || !(k->known = arti_schema_zero(s, m->n_live_words * sizeof *k->known))) return NULL;
        *slot = k;
    }
    arti_asks *k = *slot;
    if (k->n > ARTI_ASKS_MAX) return NULL;
    for (uint32_t w = 0; w < m->n_live_words; w++) {
        for (uint64_t rest = live[w] & ~k->known[w]; rest; rest &= rest - 1) {
            const uint32_t a = w * 64 + arti_bits_lowest64(rest);
            arti_conj conj = ARTI_CONJ_NEVER;
            if (name != UINT32_MAX) {
                const arti_cell *c = arti_object_cell(s, m, a, name);
                if (!c) return NULL;
                conj = c->conj;
            } else if (m->alts[a].extra_part != ARTI_EXTRA_NONE) {
                const arti_extra_class *c = arti_object_extra_class(s, m->alts[a].shape, 0);
                if (!c) return NULL;
                if (arti_conj_len(s, c->conj) != ARTI_LEN_NONE) conj = c->conj;
                if (arti_faulted(s)) return NULL;
            }
            uint32_t i = 0;
            while (i < k->n && k->conj[i] != conj) i++;
            if (i == ARTI_ASKS_MAX) {
                k->n = ARTI_ASKS_MAX + 1;
                return NULL;
            }
            if (i == k->n) {
                if (!(k->alts[i] = arti_schema_zero(s, m->n_live_words * sizeof *k->known))) return NULL;
                k->conj[k->n++] = conj;
            }
            k->alts[i][w] |= UINT64_C(1) << (a % 64);
            k->known[w] |= UINT64_C(1) << (a % 64);
        }
    }
    return k;
}

/* ------------------------------------------------------------------ array machine */

arti_array_machine *arti_goals_array(art_schema *s, const arti_goals *g) {
    const arti_goal_type *gt = arti_goals_type(s, g, ARTI_T_ARRAY);
    if (!gt || gt->n_alts == 0) return NULL;
    if (gt->machine) return gt->machine;
    arti_array_machine *m = arti_schema_zero(s, sizeof *m);
    if (!m) return NULL;
    m->n_alts = gt->n_alts;
    m->n_live_words = (m->n_alts + 63) / 64;
    m->alts = arti_schema_zero(s, gt->n_alts * sizeof *m->alts);
    uint32_t *count_at = arti_schema_get(s, gt->n_alts * sizeof *count_at);
    if (!m->alts || !count_at) return NULL;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        arti_array_shape *sh = &gt->alts[a].shape->array;
        m->alts[a].shape = sh;
        count_at[a] = m->n_counts;
        m->n_counts += sh->n_contains;
        m->unique |= sh->unique | sh->not_unique;
        const uint32_t caps[] = {sh->n_prefix, sh->min, sh->max == UINT32_MAX ? 0 : sh->max};
        for (int i = 0; i < 3; i++)
            if (caps[i] > m->index_cap) m->index_cap = caps[i];
        for (uint32_t k = 0; k < sh->n_contains; k++)
            if (sh->contains[k].start > m->index_cap) m->index_cap = sh->contains[k].start;
    }
    m->count_at = count_at;
    if (m->n_alts == 1 && m->n_counts == 0) {
        m->item_goals = arti_schema_zero(s, ((size_t)m->alts[0].shape->n_prefix + 1) * sizeof *m->item_goals);
        if (!m->item_goals) return NULL;
    }
    ((arti_goal_type *)gt)->machine = m;
    return m;
}
