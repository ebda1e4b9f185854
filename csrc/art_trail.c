/* SPDX-License-Identifier: Apache-2.0 */
#include "art_trail.h"

#include "art_json_keys.h"
#include "art_json_parts.h"
#include "art_unique.h"
#include "art_utf8.h"

#define NONE UINT32_MAX
#define ENDED 256         /* a number ends where it is */
#define LENGTH_MAX 65536u /* texts that are longer wait side by side */
#define MEMBER_LEN 6u     /* of an item or a member of which no length is known: "a":0 */
#define CHARS_FEW 2u
#define STARTS_FEW 3u
#define ENDS_MAX 64u /* of containers, in a cheapest rest, that are looked at */
#define REST_MAX 64u /* bytes of what lacks in a container that are looked at */
#define ALTS_MAX 64u /* of containers that are told to be of one kind */
/* By which a container within one of its kind is taken to be longer, where that is to be avoided. */
#define NESTED_LEN 1024u
#define SEPARATE_LEN 2u /* by which a value gets longer at least, to be another one: a guess */

struct arti_trail_node { /* a text that was tried and is alive */
    arti_state st;       /* behind it, in search `round` */
    uint32_t round;
    uint32_t parent; /* one byte less; NONE: the place itself */
    uint32_t next;   /* that waits for the same length */
    uint32_t down;   /* revive(): one byte more, on the way to the node that is asked for */
    uint32_t n_tried;
    uint32_t len;
    uint32_t put_off; /* the search in which its container turned out not to end the cheapest way */
    uint16_t byte;    /* or ENDED */
    uint8_t n_chars;  /* characters and digits that led on from it */
    uint32_t starts;  /* best_starts(); 0: not asked for */
    bool is_dead;
};

typedef struct queue {
    uint32_t first, last;
} queue;

/* What is tried. FEW: of characters and digits the first two that lead on from a text, and of beginnings of values the three best; WIDE: also characters beyond ASCII,
 * escapes, and exponents that are not needed, which have few values that are dear to list. */
typedef enum breadth { FEW, USUAL, WIDE } breadth;

struct arti_trail {
    queue *waits; /* nodes by the least length of what they become */
    size_t n, cap;
    uint32_t shortest; /* nothing waits below */
    uint32_t n_given;
    breadth breadth;
    bool is_begun, is_whole;
    uint32_t depth; /* is_whole: of the container that the value is in */
    uint32_t outer; /* .. what its end costs, up to the end of the text */
    bool is_spent;  /* there is nothing anew: it was all found, and goes on as long as it is alive */
};

void arti_trails_init(arti_trails *t, arti_jctx *x, bool whole, bool detour) {
    *t = (arti_trails){.x = x, .left = ARTI_TRAIL_TOTAL_MAX, .way_node = NONE, .whole = whole, .detour = detour};
}

void arti_trails_free(arti_trails *t) {
    arti_mem *mem = t->x->region->mem;
    for (size_t i = 0; i < t->n_trails; i++)
        arti_free(mem, t->trails[i].waits, t->trails[i].cap * sizeof *t->trails[i].waits);
    arti_free(mem, t->trails, t->trails_cap * sizeof *t->trails);
    arti_free(mem, t->nodes, t->nodes_cap * sizeof *t->nodes);
    arti_free(mem, t->places, t->places_cap * sizeof *t->places);
}

/* ------------------------------------------------------------------ places */

static bool is_unique_array(const arti_frame *f) {
    return !f->is_object && ((const arti_array_machine *)f->machine)->unique;
}

/* Two items that are equal still lack. */
static bool lacks_equals(const arti_frame *f) {
    const arti_array_machine *m = f->is_object ? NULL : f->machine;
    if (!m || !m->unique || f->has_equal) return false;
    for (uint32_t alt = 0; alt < m->n_alts; alt++)
        if (arti_live(f, alt) && m->alts[alt].shape->not_unique) return true;
    return false;
}

/* What is around a state that asks for values which differ. Items of the array that they must differ in are left out: of the nearest such
 * array, or of the outermost. */
static uint64_t place_of(const arti_state *st, bool nearest) {
    uint64_t h = arti_hash_mix(st->mode, st->goals ? st->goals->id + 1 : 0);
    bool found = false;
    const arti_frame *f = st->top;
    for (bool inside = true; f && inside; f = f->parent) {
        inside = f->hashing;
        h = arti_hash_mix(h, (uint64_t)(uintptr_t)f->machine);
        h = arti_hash_mix(h, f->key_hash);
        if (lacks_equals(f)) h = arti_hash_mix(h, f->n);
        if (!found && is_unique_array(f) && (nearest || !f->hashing))
            found = true;
        else
            h = arti_hash_mix(h, f->hash);
        if (nearest && found && f->hashing) h = arti_hash_mix(h, f->parent->n);
    }
    for (; f; f = f->parent) h = arti_hash_mix(h, f->n); /* which of several such arrays it is */
    return h;
}

static struct arti_trail_place *slot_of(const arti_trails *t, uint64_t place) {
    size_t i = (size_t)(place >> 32) & (t->places_cap - 1);
    while (t->places[i].trail && t->places[i].place != place) i = (i + 1) & (t->places_cap - 1);
    return &t->places[i];
}

static bool grow_places(arti_trails *t) {
    arti_trails bigger = *t;
    bigger.places_cap = t->places_cap ? t->places_cap * 2 : 64;
    bigger.places = arti_calloc(t->x->region->mem, bigger.places_cap * sizeof *t->places);
    if (!bigger.places) return arti_fault_mem(t->x->s);
    for (size_t i = 0; i < t->places_cap; i++)
        if (t->places[i].trail) *slot_of(&bigger, t->places[i].place) = t->places[i];
    arti_free(t->x->region->mem, t->places, t->places_cap * sizeof *t->places);
    *t = bigger;
    return true;
}

/* The trail of a state, made if there is none; NULL: fault. Of two, the one that got further saves more. */
static arti_trail *trail_of(arti_trails *t, const arti_state *st) {
    const uint64_t places[2] = {place_of(st, true), place_of(st, false)};
    uint32_t found = 0;
    if (t->n_places + 2 > t->places_cap / 2 && !grow_places(t)) return NULL;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t trail = slot_of(t, places[i])->trail;
        if (trail && (!found || t->trails[trail - 1].n_given > t->trails[found - 1].n_given)) found = trail;
    }
    if (!found) {
        if (!arti_vec_reserve(t->x->region->mem, (void **)&t->trails, &t->trails_cap, t->n_trails + 1,
                              sizeof *t->trails)) {
            arti_fault_mem(t->x->s);
            return NULL;
        }
        t->trails[t->n_trails] = (arti_trail){0};
        found = (uint32_t)++t->n_trails;
    }
    for (uint32_t i = 0; i < 2; i++) {
        struct arti_trail_place *slot = slot_of(t, places[i]);
        if (slot->trail) continue;
        *slot = (struct arti_trail_place){places[i], found};
        t->n_places++;
    }
    return &t->trails[found - 1];
}

/* ------------------------------------------------------------------ texts that wait */

static bool is_inside(const arti_state *st) { /* of a string, number or word */
    return st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT || st->mode == ARTI_M_NUMBER ||
           st->mode == ARTI_M_WORD;
}

static bool is_opened(const arti_state *st) { /* just now */
    return st->mode == ARTI_M_FIRST_VALUE || st->mode == ARTI_M_FIRST_KEY;
}

static uint32_t part_lacks(arti_jctx *x, const arti_state *st, uint32_t part) {
    const arti_text_machine *m = st->text.machine;
    const arti_part *p = &m->parts[part];
    const uint64_t q = arti_text_q(st)[part];
    if (q == 0 || st->text.n_cp > p->hi) return NONE;
    uint32_t n = p->lo > st->text.n_cp ? p->lo - st->text.n_cp : 0;
    arti_re_lengths l;
    if (p->kind == ARTI_PART_SET) {
        n = NONE;
        for (uint32_t k = arti_set_lo(q); k < arti_set_hi(q); k++)
            if (p->set[k].len - arti_set_depth(q) < n) n = p->set[k].len - arti_set_depth(q);
    } else if (p->kind == ARTI_PART_TERM && arti_re_get_lengths(x->s->re, (arti_re_state)q, &l) == ART_OK) {
        if (l.shortest > n) n = l.shortest;
    }
    return n;
}

static uint32_t text_lacks(arti_jctx *x, const arti_state *st) {
    const arti_text_machine *m = st->text.machine;
    uint32_t least = NONE;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const uint32_t n = part_lacks(x, st, i);
        if (n < least) least = n;
    }
    return least;
}

/* Could a value be of alternative a, as far as is written of it? Then the bytes that lack of it at least; else NONE. */
static uint32_t alt_lacks(arti_jctx *x, const arti_state *st, const arti_goal_type *gt, uint32_t a) {
    static const uint8_t word_lens[] = {5, 4, 4};
    const arti_shape *sh = gt->alts[a].shape;
    if (st->mode == ARTI_M_TEXT)
        return arti_len_add(part_lacks(x, st, ((const arti_text_machine *)st->text.machine)->part_of[a]), 1);
    if (st->mode == ARTI_M_WORD)
        return st->word < 2 && !(sh->bools >> st->word & 1u) ? NONE : (uint32_t)(word_lens[st->word] - st->word_len);
    const size_t n = arti_num_shortest(&sh->number, &st->number.num, st->number.text,
                                       sh->plain ? ARTI_NUM_PLAIN : x->style, NULL, 0);
    return n < NONE ? (uint32_t)n : NONE;
}

static arti_type type_of(const arti_state *st) {
    if (st->mode == ARTI_M_TEXT) return ARTI_T_STRING;
    if (st->mode == ARTI_M_NUMBER) return ARTI_T_NUMBER;
    return st->word < 2 ? ARTI_T_BOOL : ARTI_T_NULL;
}

/* Bytes that lack at least until *st is behind the string, number or word that it is in; costs: and until the text is at its end. What can not
 * meet the goal behind which the least lacks is not to look as if it could: it would be tried in all its forms before anything else. */
static uint32_t scalar_lacks(arti_jctx *x, const arti_state *st, const uint32_t *costs) {
    const arti_goal_type *gt = &st->goals->type[type_of(st)];
    uint32_t least = NONE;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const uint32_t after = costs ? costs[gt->alts[a].goal] : 0;
        if (after >= least) continue;
        const uint32_t n = arti_len_add(alt_lacks(x, st, gt, a), after);
        if (n < least) least = n;
    }
    return least;
}

static bool is_in_scalar(const arti_state *st) {
    return is_inside(st) && st->mode != ARTI_M_KEY_TEXT;
}

/* Bytes that lack at least until *st is behind what it is in. */
static uint32_t lacks(arti_jctx *x, const arti_state *st) {
    const uint32_t n = is_in_scalar(st) ? scalar_lacks(x, st, NULL) : is_opened(st) ? arti_close_begun_len(x, st) : 1;
    return n < LENGTH_MAX ? n : LENGTH_MAX;
}

/* Bytes to the end of the text from within a key: what the least member that it may become takes is among them. */
static uint32_t key_lacks(arti_jctx *x, const arti_state *st) {
    const uint32_t rest = arti_close_least(x, st);
    uint8_t buf[ARTI_KEY_MAX];
    arti_out quoted = {buf, sizeof buf, 0};
    arti_keys keys;
    arti_state after;
    uint32_t member;
    if (st->text.escape != ARTI_ESC_NONE || st->text.u8 != ARTI_U8_0 || !arti_keys_init(&keys, x, st) ||
        !arti_keys_next(&keys, &after, &quoted, &member))
        return rest;
    return arti_len_add(rest, member);
}

/* .. until the end of the text. */
static uint32_t lacks_to_end(arti_jctx *x, const arti_state *st) {
    if (st->mode == ARTI_M_KEY_TEXT) return key_lacks(x, st);
    if (!is_in_scalar(st)) return arti_close_least(x, st);
    const uint32_t *costs = arti_close_costs(x, st->top, st->goals);
    return costs ? scalar_lacks(x, st, costs) : NONE;
}

/* Is *st at the end of what the trail looks for? */
static bool is_end(const arti_trail *tr, const arti_state *st) {
    if (tr->is_whole) return st->mode == ARTI_M_DONE || (st->mode == ARTI_M_AFTER && st->top->depth <= tr->depth);
    return !is_inside(st) && !is_opened(st);
}

/* .. and how many bytes lack at least until there. */
static uint32_t lacks_in(const arti_trail *tr, arti_jctx *x, const arti_state *st) {
    if (!tr->is_whole) return is_inside(st) || is_opened(st) ? lacks(x, st) : st->mode != ARTI_M_AFTER;
    const uint32_t least = lacks_to_end(x, st);
    return least > tr->outer ? least - tr->outer : 0;
}

/* Makes a node wait: before all that become as long, or behind them. */
static bool put_back(arti_trails *t, arti_trail *tr, uint32_t node, uint32_t length, bool before) {
    if (length > LENGTH_MAX) length = LENGTH_MAX;
    if (!arti_vec_reserve(t->x->region->mem, (void **)&tr->waits, &tr->cap, length + 1, sizeof *tr->waits))
        return arti_fault_mem(t->x->s);
    while (tr->n <= length) tr->waits[tr->n++] = (queue){NONE, NONE};
    queue *q = &tr->waits[length];
    t->nodes[node].next = before ? q->first : NONE;
    if (q->first == NONE)
        q->first = q->last = node;
    else if (before)
        q->first = node;
    else {
        t->nodes[q->last].next = node;
        q->last = node;
    }
    if (length < tr->shortest) tr->shortest = length;
    return true;
}

static uint32_t take_shortest(arti_trails *t, arti_trail *tr) {
    while (tr->shortest < tr->n && tr->waits[tr->shortest].first == NONE) tr->shortest++;
    if (tr->shortest >= tr->n) return NONE;
    queue *q = &tr->waits[tr->shortest];
    const uint32_t node = q->first;
    q->first = t->nodes[node].next;
    return node;
}

static uint32_t add_node(arti_trails *t, const arti_state *st, uint32_t parent, int byte) {
    if (!arti_vec_reserve(t->x->region->mem, (void **)&t->nodes, &t->nodes_cap, t->n_nodes + 1, sizeof *t->nodes)) {
        arti_fault_mem(t->x->s);
        return NONE;
    }
    t->nodes[t->n_nodes] = (arti_trail_node){.st = *st,
                                             .round = t->round,
                                             .parent = parent,
                                             .next = NONE,
                                             .len = parent == NONE ? 0 : t->nodes[parent].len + (byte != ENDED),
                                             .byte = (uint16_t)byte};
    return (uint32_t)t->n_nodes++;
}

static bool end_number(arti_jctx *x, arti_state *st) {
    arti_state after = *st;
    if (!st->top || !arti_number_end(x, &after) || !arti_unique_alive(x, &after)) return false;
    *st = after;
    return true;
}

static bool step_over(arti_jctx *x, arti_state *st, int byte) {
    return byte == ENDED ? end_number(x, st) : arti_state_step(x, st, (uint8_t)byte);
}

/* Reads a node's text once more, from *st on, where that was done in another search. false: it is dead now (or a fault). */
static bool revive(arti_trails *t, uint32_t node, const arti_state *st) {
    arti_trail_node *nodes = t->nodes;
    uint32_t at = node;
    while (nodes[at].round != t->round && nodes[at].parent != NONE) {
        nodes[nodes[at].parent].down = at;
        at = nodes[at].parent;
    }
    if (nodes[at].round != t->round) {
        nodes[at].st = *st;
        nodes[at].round = t->round;
    }
    while (at != node) {
        const uint32_t below = nodes[at].down;
        arti_state after = nodes[at].st;
        if (nodes[below].is_dead) return false;
        if (!step_over(t->x, &after, nodes[below].byte)) {
            nodes[below].is_dead = !arti_faulted(t->x->s);
            return false;
        }
        nodes[below].st = after;
        nodes[below].round = t->round;
        at = below;
    }
    return true;
}

/* ------------------------------------------------------------------ what is tried */

/* Is there a value that the number only becomes with an exponent? */
static bool needs_exponent(const arti_state *st) {
    const arti_num *n = &st->number.num;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    for (uint32_t a = 0; a < gt->n_alts && n->lex < ARTI_NUM_E; a++) {
        const arti_shape *sh = gt->alts[a].shape;
        if (!sh->plain && !arti_num_alive(&sh->number, n, st->number.text, ARTI_NUM_PLAIN) &&
            arti_num_alive(&sh->number, n, st->number.text, ARTI_NUM_USUAL))
            return true;
    }
    return false;
}

/* What is tried k-th from a state: a byte, ENDED, or -1 when that was all. What ends something comes first. */
static int candidate(const arti_state *st, uint32_t k, bool is_wide) {
    static const uint8_t escapes[] = "nu0123456789dcabef\\\"/rtbf";
    static const uint8_t starts[] = "0123456789\"[{tfn-", digits[] = "0123456789.-", exponents[] = "e+";
    static const uint8_t plain[] =
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ .:/@,;!?#$%&'()*+<=>[]^`{|}~";
    static const char *const words[] = {"false", "true", "null"};
    switch ((arti_mode)st->mode) {
    case ARTI_M_TEXT:
    case ARTI_M_KEY_TEXT:
        if (st->text.escape != ARTI_ESC_NONE) return k < sizeof escapes - 1 ? escapes[k] : -1;
        if (st->text.u8 != ARTI_U8_0) return k < 64 ? 0x80 + (int)k : -1;
        if (k-- == 0) return '"';
        if (k < sizeof plain - 1) return plain[k];
        k -= (uint32_t)sizeof plain - 1;
        if (!is_wide) return -1;
        return k < 0x80 ? 0x7F + (int)k : k == 0x80 ? '\\' : -1;
    case ARTI_M_NUMBER:
        if (k-- == 0) return ENDED;
        if (k < sizeof digits - 1) return digits[k];
        k -= (uint32_t)sizeof digits - 1;
        return k < sizeof exponents - 1 && (is_wide || needs_exponent(st)) ? exponents[k] : -1;
    case ARTI_M_WORD: return k == 0 ? words[st->word][st->word_len] : -1;
    case ARTI_M_FIRST_VALUE:
        if (k-- == 0) return ']';
        return k < sizeof starts - 1 ? starts[k] : -1;
    case ARTI_M_VALUE: return k < sizeof starts - 1 ? starts[k] : -1;
    case ARTI_M_AFTER: return k == 0 ? (st->top->is_object ? '}' : ']') : k == 1 ? ',' : -1;
    case ARTI_M_FIRST_KEY: return k == 0 ? '}' : k == 1 ? '"' : -1;
    case ARTI_M_KEY: return k == 0 ? '"' : -1;
    case ARTI_M_COLON: return k == 0 ? ':' : -1;
    default: return -1;
    }
}

arti_end arti_end_around(const arti_trails *t, const arti_state *st) {
    arti_jctx *x = t->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state at = *st;
    arti_end end = ARTI_END_ANEW;
    bool lacked = false;
    while (end == ARTI_END_ANEW && at.mode == ARTI_M_AFTER && at.top->hashing) {
        uint8_t buf[REST_MAX];
        arti_out rest = {buf, sizeof buf, 0};
        if (!arti_close_container(x, at.top, &rest)) break;
        lacked |= rest.len > 1;
        const arti_frame *f = at.top;
        bool may_repeat_itself = rest.len > 1 && is_unique_array(f);
        size_t n = 0;
        while (n < rest.len && arti_state_step(x, &at, buf[n]))
            may_repeat_itself |= ++n < rest.len && is_unique_array(at.top);
        if (n == rest.len) continue;
        if (n + 1 < rest.len || may_repeat_itself) break; /* it will be another */
        /* As it is it may be no repetition, but not what has to be there either: more will follow. */
        if (t->detour && rest.len == 1 && is_unique_array(f->parent) && !arti_hset_has(f->parent->set, f->hash)) break;
        end = lacked ? ARTI_END_MAY_REPEAT : ARTI_END_REPEATS;
    }
    arti_region_reset(x->region, mark);
    return end;
}

/* Of a number that may end: does it only become another spelling of itself with this byte? */
static bool only_respells(const arti_state *st, int byte) {
    const arti_num *n = &st->number.num;
    const arti_goal_type *gt = &st->goals->type[ARTI_T_NUMBER];
    if (byte == ENDED || !arti_num_may_end(n)) return false;
    for (uint32_t a = 0; a < gt->n_alts; a++) {
        const arti_num_rule *r = &gt->alts[a].shape->number;
        if (r->is_any || !arti_num_fits(r, n, st->number.text)) {
            if (!arti_num_alive(r, n, st->number.text, ARTI_NUM_USUAL)) continue;
            return false;
        }
        if (r->lo && r->hi && arti_dec_cmp(r->lo, r->hi) == 0) continue;
        const uint32_t places = r->step && r->step->exp < 0 ? (uint32_t)-r->step->exp : 0; /* behind the point */
        if (!r->step || n->n_frac < places || (byte != '.' && n->lex != ARTI_NUM_FRAC)) return false;
    }
    return true;
}

/* Is the byte one of many that are alike: a character of a string, or a digit of a number? */
static bool is_char(const arti_state *st, int byte) {
    if (st->mode == ARTI_M_TEXT || st->mode == ARTI_M_KEY_TEXT) return byte != '"';
    return st->mode == ARTI_M_NUMBER && byte != ENDED;
}

/* Of the bytes that a value may begin with, those that leave the least to write: as bits over what candidate() tries. */
static uint32_t best_starts(arti_trails *t, const arti_trail *tr, const arti_state *from) {
    arti_jctx *x = t->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    uint32_t lacking[32], taken = 0, n = 0;
    for (int c; (c = candidate(from, n, false)) >= 0; n++) {
        arti_state after = *from;
        lacking[n] = step_over(x, &after, c) ? lacks_in(tr, x, &after) : NONE;
        arti_region_reset(x->region, mark);
    }
    for (uint32_t i = 0; i < STARTS_FEW; i++) {
        uint32_t best = n;
        for (uint32_t k = 0; k < n; k++)
            if (!(taken >> k & 1u) && lacking[k] != NONE && (best == n || lacking[k] < lacking[best])) best = k;
        if (best == n) break;
        taken |= 1u << best;
    }
    return taken;
}

static void found(arti_trails *t, const arti_state *after, uint32_t node, int byte) {
    t->after = *after;
    t->way_node = node;
    t->way_byte = byte;
}

/* Could the string or the number have ended before its last character? */
static bool is_long_enough(arti_jctx *x, const arti_state *st) {
    if (st->mode == ARTI_M_NUMBER) return st->number.num.len > 1 && arti_num_may_end(&st->number.num);
    return st->mode == ARTI_M_TEXT && st->text.n_cp > 0 && text_lacks(x, st) == 0;
}

/* Is what candidate() gave last one of the few? */
static bool is_among_few(arti_trails *t, const arti_trail *tr, uint32_t node, const arti_state *from, int byte) {
    arti_trail_node *n = &t->nodes[node];
    if (is_char(from, byte)) return n->n_chars < CHARS_FEW && !is_long_enough(t->x, from);
    if (from->mode != ARTI_M_VALUE && from->mode != ARTI_M_FIRST_VALUE) return true;
    if (!n->starts) n->starts = best_starts(t, tr, from);
    return n->starts >> (n->n_tried - 1) & 1u;
}

/* Tries what may follow a node's text until something leads on as briefly as is hoped. 1: found; 0: not yet; -1: fault. */
static int try_node(arti_trails *t, arti_trail *tr, uint32_t node, uint32_t *tries) {
    arti_jctx *x = t->x;
    for (;;) {
        const arti_state from = t->nodes[node].st;
        const int c = candidate(&from, t->nodes[node].n_tried, tr->breadth == WIDE);
        if (c < 0) return 0;
        if (*tries == 0) return put_back(t, tr, node, tr->shortest, true) ? 0 : -1;
        t->nodes[node].n_tried++;
        if (from.mode == ARTI_M_NUMBER && only_respells(&from, c)) continue;
        if (tr->breadth == FEW && !is_among_few(t, tr, node, &from, c)) {
            if (arti_faulted(x->s)) return -1;
            continue;
        }
        --*tries;
        arti_state after = from;
        const arti_region_mark mark = arti_region_mark_now(x->region);
        if (!step_over(x, &after, c)) {
            arti_region_reset(x->region, mark);
            if (arti_faulted(x->s)) return -1;
            continue;
        }
        if (is_char(&from, c) && t->nodes[node].n_chars < CHARS_FEW) t->nodes[node].n_chars++;
        if (is_end(tr, &after)) {
            if (!tr->is_spent && arti_end_around(t, &after) != ARTI_END_ANEW) {
                arti_region_reset(x->region, mark);
                if (arti_faulted(x->s)) return -1;
                continue;
            }
            found(t, &after, node, c);
            return put_back(t, tr, node, tr->shortest, true) ? 1 : -1;
        }
        if (t->n_nodes >= ARTI_TRAIL_NODES_MAX) {
            *tries = 0;
            continue;
        }
        const uint32_t child = add_node(t, &after, node, c);
        if (child == NONE) return -1;
        const uint32_t lack = lacks_in(tr, x, &after),
                       length = lack < LENGTH_MAX ? t->nodes[child].len + lack : LENGTH_MAX;
        if (arti_faulted(x->s)) return -1;
        const bool at_once = length <= tr->shortest; /* then it goes first, and its other characters wait */
        if (at_once && !put_back(t, tr, node, tr->shortest, true)) return -1;
        if (!put_back(t, tr, child, at_once ? tr->shortest : length, at_once)) return -1;
        if (at_once) return 0;
    }
}

uint32_t arti_trail_stray_len(arti_trails *t, const arti_frame *f) {
    arti_jctx *x = t->x;
    const uint32_t less = arti_close_frame(x, f, false).cost, more = arti_close_frame(x, f, true).cost;
    uint32_t len = MEMBER_LEN;
    if (less != ARTI_LEN_NONE && more != ARTI_LEN_NONE) len = more > less + SEPARATE_LEN ? more - less : SEPARATE_LEN;
    return len < LENGTH_MAX >> t->n_strays ? len << t->n_strays : LENGTH_MAX;
}

static uint32_t n_alts_of(const arti_frame *f) {
    return f->is_object ? ((const arti_object_machine *)f->machine)->n_alts
                        : ((const arti_array_machine *)f->machine)->n_alts;
}

static const arti_shape *alt_shape(const arti_frame *f, uint32_t alt) {
    return f->goals->type[f->is_object ? ARTI_T_OBJECT : ARTI_T_ARRAY].alts[alt].shape;
}

bool arti_trail_nests(const arti_trails *t, const arti_frame *f) {
    if (!t->detour) return false;
    for (const arti_frame *outer = f->parent; outer; outer = outer->parent) {
        if (outer->is_object != f->is_object || n_alts_of(f) > ALTS_MAX || n_alts_of(outer) > ALTS_MAX) continue;
        for (uint32_t i = 0; i < n_alts_of(f); i++)
            for (uint32_t k = 0; k < n_alts_of(outer); k++)
                if (arti_live(f, i) && arti_live(outer, k) && alt_shape(f, i) == alt_shape(outer, k)) return true;
    }
    return false;
}

uint32_t arti_trail_penalty(arti_trails *t, const arti_state *begun) {
    arti_jctx *x = t->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state st = *begun;
    size_t len;
    const uint8_t *rest = arti_close_begun(x, begun, &len);
    bool alive = rest != NULL, nests = alive && is_opened(begun) && arti_trail_nests(t, begun->top);
    uint32_t least = NONE, looked_at = 0;
    for (size_t i = 0; alive && i < len; i++) { /* each container that ends may have one more instead */
        if ((st.mode == ARTI_M_AFTER || is_opened(&st)) && (rest[i] == ']' || rest[i] == '}') &&
            looked_at++ < ENDS_MAX) {
            const uint32_t longer = arti_trail_stray_len(t, st.top);
            if (longer < least) least = longer;
        }
        alive = arti_state_step(x, &st, rest[i]);
        nests |= alive && is_opened(&st) && arti_trail_nests(t, st.top);
    }
    if (alive && arti_end_around(t, &st) == ARTI_END_ANEW)
        least = 0;
    else if (least == NONE)
        least = arti_trail_stray_len(t, begun->top);
    arti_region_reset(x->region, mark);
    return nests ? least + NESTED_LEN : least;
}

void arti_trails_leave(arti_trails *t, const arti_frame *f) {
    while (t->n_strays && (!f || t->strays[t->n_strays - 1] > f->depth)) t->n_strays--;
}

void arti_trail_stray(arti_trails *t, const arti_frame *f) {
    if (t->n_strays < ARTI_TRAIL_STRAYS_MAX) t->strays[t->n_strays++] = f->depth;
}

/* The next way of a trail. tries: that many bytes are tried. 1: found; 0: none; -1: fault; 2: none that is short enough. */
static int next_way(arti_trails *t, arti_trail *tr, const arti_state *st, uint32_t len_max, uint32_t *tries) {
    for (uint32_t node; (node = take_shortest(t, tr)) != NONE;) {
        if (tr->shortest > len_max) return put_back(t, tr, node, tr->shortest, true) ? 2 : -1;
        if (!revive(t, node, st)) {
            if (arti_faulted(t->x->s)) return -1;
            continue;
        }
        arti_trail_node *n = &t->nodes[node];
        if (*tries > 0 && (n->parent == NONE || tr->is_whole || !is_opened(&n->st))) {
            const int said = try_node(t, tr, node, tries);
            if (said) return said;
            continue;
        }
        if (n->parent == NONE) continue;
        if (*tries > 0) {
            const uint32_t rest = lacks(t->x, &n->st), cheapest = n->len + rest;
            *tries -= rest < *tries ? rest : *tries;
            const uint32_t penalty = n->put_off == t->round ? 0 : arti_trail_penalty(t, &n->st);
            if (arti_faulted(t->x->s)) return -1;
            if (penalty) {
                const uint32_t length = cheapest + penalty;
                n->put_off = t->round;
                if (!put_back(t, tr, node, length > tr->shortest ? length : tr->shortest, false)) return -1;
                continue;
            }
            if (n->put_off == t->round) arti_trail_stray(t, n->st.top);
            if (!put_back(t, tr, node, cheapest, false)) return -1; /* there may be others of the kind */
        } /* else far from any end: at least on */
        found(t, &n->st, n->parent, n->byte);
        return 1;
    }
    return 0;
}

/* Begins a trail anew, with more than was tried before. */
static bool begin(arti_trails *t, arti_trail *tr, const arti_state *st) {
    const breadth least = t->whole ? FEW : USUAL;
    tr->breadth = !tr->is_begun || tr->breadth == WIDE ? least : tr->breadth + 1;
    tr->n = 0;
    tr->shortest = 0;
    tr->is_begun = true;
    tr->is_whole = t->whole && (st->mode == ARTI_M_VALUE || st->mode == ARTI_M_FIRST_VALUE);
    tr->outer = tr->is_whole ? arti_close_least_after(t->x, st) : 0;
    const uint32_t root = add_node(t, st, NONE, ENDED);
    return root != NONE && put_back(t, tr, root, 0, false);
}

size_t arti_trail_len(const arti_trails *t) {
    return t->way_node == NONE ? 0 : t->nodes[t->way_node].len + (t->way_byte != ENDED);
}

void arti_trail_text(const arti_trails *t, uint8_t *buf) {
    uint8_t *at = buf + arti_trail_len(t);
    if (t->way_byte != ENDED) *--at = (uint8_t)t->way_byte;
    for (uint32_t i = t->way_node; t->nodes[i].parent != NONE; i = t->nodes[i].parent)
        if (t->nodes[i].byte != ENDED) *--at = (uint8_t)t->nodes[i].byte;
}

bool arti_trail_go(arti_trails *t, arti_state *st, bool anew, uint32_t len_max) {
    arti_trail *tr = trail_of(t, st);
    if (!tr) return false;
    uint32_t tries = t->left < ARTI_TRAIL_TRIES_MAX ? t->left : ARTI_TRAIL_TRIES_MAX;
    const uint32_t before = tries;
    int said = 0;
    t->round++;
    tr->depth = st->top ? st->top->depth : 0; /* the same place may lie deeper or less deep */
    /* A trail at its end begins anew, first with what is usual: something that was used up may be needed again by another array. */
    for (uint32_t begun = 0; said == 0 && tries; begun++) {
        if (begun == (t->whole ? 4 : 3)) { /* all of it was tried */
            if (tr->is_spent) break;
            tr->is_spent = true;
            begun = 1;
        }
        if (anew && tr->is_spent) break;
        if ((begun || !tr->is_begun) && !begin(t, tr, st)) return false;
        said = next_way(t, tr, st, len_max, &tries);
    }
    t->left -= before - tries;
    if (said != 1) return false;
    tr->n_given++;
    *st = t->after;
    return true;
}

bool arti_trail_rest(arti_trails *t, arti_state *st) {
    const arti_frame *f = st->top;
    while (f->hashing) f = f->parent;
    arti_trail tr = {.breadth = FEW, .is_begun = true, .is_whole = true, .depth = f->depth - 1};
    uint32_t tries = ARTI_TRAIL_REST_MAX;
    t->round++;
    const uint32_t root = add_node(t, st, NONE, ENDED);
    const bool ok = root != NONE && put_back(t, &tr, root, 0, false) && next_way(t, &tr, st, UINT32_MAX, &tries) == 1 &&
                    is_end(&tr, &t->after);
    arti_free(t->x->region->mem, tr.waits, tr.cap * sizeof *tr.waits);
    if (ok) *st = t->after;
    return ok;
}
