/* SPDX-License-Identifier: Apache-2.0
 *
 * Strings: values and keys, in any spelling. A character reaches the machines as its UTF-8 bytes, whether it was written plainly or
 * as an escape. An escaped surrogate must have its partner: a lone one is no character, and no text contains it. */
#include "art_json_text.h"

#include "art_bits.h"
#include "art_utf8.h"

/* ------------------------------------------------------------------ parts */

static bool is_key(const arti_state *st) {
    return st->mode == ARTI_M_KEY_TEXT;
}

/* Part i of the machine that reads the string; *names for part 0 of a key. */
static arti_part part_of(const arti_state *st, uint32_t i) {
    if (!is_key(st)) return ((const arti_text_machine *)st->text.machine)->parts[i];
    const arti_object_machine *m = st->text.machine;
    if (i) return m->parts[i - 1];
    return (arti_part){.kind = ARTI_PART_SET, .hi = UINT32_MAX, .set = m->names, .n_set = m->n_names};
}

static bool step_part(arti_jctx *x, const arti_state *st, uint32_t i, uint64_t *q, uint8_t byte) {
    if (*q == 0) return true;
    if (is_key(st) && i == 0) {
        *q = arti_set_step(((const arti_object_machine *)st->text.machine)->names, *q, byte);
        return true;
    }
    const arti_part *p = is_key(st) ? &((const arti_object_machine *)st->text.machine)->parts[i - 1]
                                    : &((const arti_text_machine *)st->text.machine)->parts[i];
    return arti_part_step(x->s, p, q, byte);
}

static uint64_t *new_q(arti_jctx *x, uint32_t n) {
    uint64_t *q = arti_region_get(x->region, n * sizeof *q);
    if (!q) arti_fault_mem(x->s);
    return q;
}

/* One more beginning of the key that is read. */
static bool add_head(arti_jctx *x, arti_text_state *t) {
    if (arti_hset_has(t->heads, t->hash)) return true;
    t->heads = arti_hset_add(x->region, t->heads, t->hash);
    return t->heads || arti_fault_mem(x->s);
}

/* Feeds decoded bytes to the parts. */
static bool feed(arti_jctx *x, arti_state *st, const uint8_t *bytes, uint32_t len) {
    const uint32_t n = arti_text_parts(st);
    arti_text_state *t = &st->text;
    const bool tracked = is_key(st) && ((const arti_object_machine *)t->machine)->n_parts;
    for (uint32_t k = 0; k < len; k++) {
        t->hash = arti_hash_mix(t->hash, bytes[k]);
        if (tracked && !add_head(x, t)) return false;
    }
    if (n == 1) {
        if (!is_key(st)) { /* the usual case, without indirection */
            const arti_part *p = ((const arti_text_machine *)t->machine)->parts;
            if (p->kind == ARTI_PART_FREE) return true;
            for (uint32_t k = 0; k < len; k++)
                if (!arti_part_step(x->s, p, &t->q.one, bytes[k])) return false;
            return true;
        }
        for (uint32_t k = 0; k < len; k++)
            if (!step_part(x, st, 0, &t->q.one, bytes[k])) return false;
        return true;
    }
    uint64_t *q = new_q(x, n);
    if (!q) return false;
    memcpy(q, t->q.many, n * sizeof *q);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < len; k++)
            if (!step_part(x, st, i, &q[i], bytes[k])) return false;
    t->q.many = q;
    return true;
}

/* Is some language alive in parts q, with n_cp characters begun? */
static bool parts_alive(arti_jctx *x, const arti_state *st, const uint64_t *q, bool inside) {
    if (is_key(st)) return arti_key_alive_at(x, st, q, st->text.hash);
    const arti_text_machine *m = st->text.machine;
    for (uint32_t i = 0; i < m->n_parts; i++)
        if (arti_part_alive(x->s, &m->parts[i], q[i], st->text.n_cp, inside)) return true;
    return false;
}

/* ------------------------------------------------------------------ starting and ending */

/* Which of its languages a checked format has for the string that begins here; false: fault. */
static bool world_of(arti_jctx *x, const arti_state *st, arti_world *world) {
    *world = ARTI_WORLD_BOTH;
    if (!x->ahead || is_key(st) || !((const arti_text_machine *)st->text.machine)->is_checked) return true;
    *world = ARTI_WORLD_NO;
    size_t n = 1;
    while (n < x->n_ahead && x->ahead[n] != '"') n += x->ahead[n] == '\\' ? 2 : 1;
    if (n >= x->n_ahead) return true; /* no string after all */
    arti_arena arena;
    arti_arena_init(&arena, x->region->mem);
    const arti_json *json;
    art_error e;
    int yes = 0;
    const art_status parsed = arti_json_parse(&arena, x->region->mem, (const char *)x->ahead, n + 1, 1, &json, &e);
    if (parsed == ART_E_NOMEM)
        yes = arti_fault_mem(x->s) - 1;
    else if (parsed == ART_OK && !json->has_surrogate)
        yes = arti_schema_check(x->s, (const uint8_t *)json->str, json->n);
    arti_arena_free(&arena);
    if (yes > 0) *world = ARTI_WORLD_YES;
    return yes >= 0;
}

static bool start_parts(arti_jctx *x, arti_state *st) {
    const uint32_t n = arti_text_parts(st);
    arti_world world;
    if (!world_of(x, st, &world)) return false;
    if (n == 1) {
        const arti_part p = part_of(st, 0);
        return arti_part_start(x->s, &p, world, &st->text.q.one);
    }
    uint64_t *q = new_q(x, n);
    if (!q) return false;
    for (uint32_t i = 0; i < n; i++) {
        const arti_part p = part_of(st, i);
        if (!arti_part_start(x->s, &p, world, &q[i])) return false;
    }
    st->text.q.many = q;
    return true;
}

bool arti_text_begin(arti_jctx *x, arti_state *st) {
    const arti_text_machine *m = arti_goals_text(x->s, st->goals);
    if (!m) return false;
    arti_state next = *st;
    next.mode = ARTI_M_TEXT;
    next.text = (arti_text_state){.machine = m, .hash = ARTI_TEXT_HASH};
    if (!start_parts(x, &next)) return false;
    *st = next;
    return true;
}

bool arti_key_begin(arti_jctx *x, arti_state *st) {
    arti_state next = *st;
    next.mode = ARTI_M_KEY_TEXT;
    next.text = (arti_text_state){.machine = st->top->machine,
                                  .hash = ARTI_TEXT_HASH,
                                  .offer = st->text.offer,
                                  .others = st->text.others,
                                  .heads = st->top->heads,
                                  .offer_other = st->text.offer_other};
    if (arti_text_parts(&next) > 1 && !add_head(x, &next.text)) return false;
    if (!start_parts(x, &next) || !arti_key_alive(x, &next)) return false;
    *st = next;
    return true;
}

bool arti_text_accepts(arti_jctx *x, const arti_state *st, arti_accept *acc) {
    const arti_text_machine *m = st->text.machine;
    const uint64_t *q = arti_text_q(st);
    const arti_goal_type *gt = &st->goals->type[ARTI_T_STRING];
    bool any = false;
    memset(acc, 0, sizeof *acc);
    if (st->text.u8 != ARTI_U8_0 || st->text.escape != ARTI_ESC_NONE) return false;
    if (m->n_parts == 1) {
        if (!arti_part_accepts(x->s, &m->parts[0], q[0], st->text.n_cp)) return false;
        for (uint32_t a = 0; a < m->n_alts; a++)
            acc->w[gt->alts[a].goal / 64] |= UINT64_C(1) << (gt->alts[a].goal % 64);
        return m->n_alts > 0;
    }
    for (uint32_t a = 0; a < m->n_alts; a++) {
        const uint32_t i = m->part_of[a];
        if (!arti_part_accepts(x->s, &m->parts[i], q[i], st->text.n_cp)) continue;
        acc->w[gt->alts[a].goal / 64] |= UINT64_C(1) << (gt->alts[a].goal % 64);
        any = true;
    }
    return any;
}

/* ------------------------------------------------------------------ keys */

#define FEW_LEVELS 32u

typedef struct word_level {
    arti_re_state q;
    uint64_t name, hash; /* state among the declared names */
    arti_re_bytes left;  /* bytes to try */
} word_level;

typedef struct word_search {
    arti_jctx *x;
    const arti_frame *f;
    bool by_beginning; /* a beginning that no name and no key has will do */
    word_level *stack, few[FEW_LEVELS];
    size_t n, cap;
    uint64_t found; /* digest of a word, where beginnings do not do */
} word_search;

static bool push_word(word_search *l, word_level at) {
    art_schema *s = l->x->s;
    if (l->n == l->cap) {
        word_level *more = arti_realloc(&s->mem, NULL, 0, 2 * l->cap * sizeof *more);
        if (!more) return arti_fault_mem(s);
        memcpy(more, l->stack, l->n * sizeof *more);
        if (l->stack != l->few) arti_free(&s->mem, l->stack, l->cap * sizeof *more);
        l->stack = more;
        l->cap *= 2;
    }
    if (arti_re_live_bytes(s->re, at.q, &at.left) != ART_OK) return arti_fault_re(s, NULL, 0, "patternProperties");
    l->stack[l->n++] = at;
    return true;
}

/* The next byte that a word goes on with; 256: none. */
static uint32_t next_byte(arti_re_bytes *left) {
    uint32_t w = 0;
    while (w < 4 && !left->bits[w]) w++;
    if (w == 4) return 256;
    const uint32_t byte = w * 64 + arti_bits_lowest64(left->bits[w]);
    left->bits[w] &= left->bits[w] - 1;
    return byte;
}

/* Is what was read a word, and neither a name nor a key? */
static bool is_fresh(word_search *l, const word_level *at) {
    const arti_object_machine *m = l->f->machine;
    if (!arti_re_accepts(l->x->s->re, at->q) || arti_set_whole(m->names, at->name) != UINT32_MAX ||
        arti_hset_has(l->f->set, at->hash))
        return false;
    l->found = at->hash;
    return true;
}

/* Does a byte lead away from all names and keys? Whatever follows is fresh then. */
static bool leads_away(const word_search *l, const word_level *at) {
    const arti_object_machine *m = l->f->machine;
    arti_re_bytes left = at->left;
    for (uint32_t byte; (byte = next_byte(&left)) != 256;)
        if (!(at->name && arti_set_step(m->names, at->name, (uint8_t)byte)) &&
            !arti_hset_has(l->f->heads, arti_hash_mix(at->hash, (uint8_t)byte)))
            return true;
    return false;
}

static bool find_fresh(word_search *l, word_level from) {
    art_schema *s = l->x->s;
    const arti_object_machine *m = l->f->machine;
    if (is_fresh(l, &from)) return true;
    if (!push_word(l, from)) return false;
    if (l->by_beginning && leads_away(l, &l->stack[0])) return true;
    while (l->n) {
        word_level *top = &l->stack[l->n - 1];
        const uint32_t byte = next_byte(&top->left);
        if (byte == 256) {
            l->n--;
            continue;
        }
        word_level to = {.q = arti_re_step(s->re, top->q, (uint8_t)byte),
                         .name = top->name ? arti_set_step(m->names, top->name, (uint8_t)byte) : 0,
                         .hash = arti_hash_mix(top->hash, (uint8_t)byte)};
        if (to.q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "patternProperties");
        if (is_fresh(l, &to)) return true;
        if (!push_word(l, to)) return false;
        if (l->by_beginning && leads_away(l, &l->stack[l->n - 1])) return true;
    }
    return false;
}

/* The way to the word that was found last, kept as it is asked for again from further on. */
struct arti_fresh_way {
    const void *names; /* with which declared names, and keys that were there */
    uint64_t set_sum;
    uint32_t n;
    arti_re_state q[FEW_LEVELS];
    uint64_t hash[FEW_LEVELS]; /* digests of its beginnings */
};

static bool is_on_way(const arti_frame *f, const struct arti_fresh_way *way, arti_re_state q, uint64_t hash) {
    if (!way || way->names != f->machine || way->set_sum != f->set_sum) return false;
    for (uint32_t i = 0; i < way->n; i++)
        if (way->hash[i] == hash) return way->q[i] == q;
    return false;
}

static bool keep_way(const word_search *l) {
    art_schema *s = l->x->s;
    if (!s->norm->fresh_way && !(s->norm->fresh_way = arti_schema_zero(s, sizeof *s->norm->fresh_way))) return false;
    struct arti_fresh_way *way = s->norm->fresh_way;
    way->names = l->f->machine;
    way->set_sum = l->f->set_sum;
    way->n = l->n < FEW_LEVELS ? (uint32_t)l->n : FEW_LEVELS;
    for (uint32_t i = 0; i < way->n; i++) way->q[i] = l->stack[i].q, way->hash[i] = l->stack[i].hash;
    return true;
}

bool arti_has_fresh_word(arti_jctx *x, const arti_frame *f, arti_re_state q, uint64_t name, uint64_t hash,
                         uint64_t *word) {
    art_schema *s = x->s;
    arti_re_lengths lengths;
    const art_status st = arti_re_get_lengths(s->re, q, &lengths);
    if (st == ART_REJECTED) return false;
    if (st != ART_OK) return arti_fault_re(s, NULL, 0, "patternProperties");
    if (lengths.longest == ARTI_RE_UNBOUNDED || (!word && is_on_way(f, s->norm->fresh_way, q, hash))) return true;
    word_search l = {.x = x, .f = f, .by_beginning = !word, .cap = sizeof l.few / sizeof *l.few};
    l.stack = l.few;
    bool found = find_fresh(&l, (word_level){.q = q, .name = name, .hash = hash});
    if (found && word) *word = l.found;
    if (found && !word) found = keep_way(&l);
    if (l.stack != l.few) arti_free(&s->mem, l.stack, l.cap * sizeof *l.stack);
    return found;
}

bool arti_key_alive_at(arti_jctx *x, const arti_state *st, const uint64_t *q, uint64_t hash) {
    const arti_frame *f = st->top;
    const arti_object_machine *m = f->machine;
    if (q[0] && st->text.offer && arti_bits_any_in64(st->text.offer, arti_set_lo(q[0]), arti_set_hi(q[0]))) return true;
    if (!st->text.offer_other) return false;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (!arti_takes_other(st, a)) continue;
        const uint32_t p = m->alts[a].extra_part;
        if (p == ARTI_EXTRA_FREE) return true;
        if (p == ARTI_EXTRA_NONE || q[1 + p] == 0) continue;
        /* Only beginnings of names, and of keys that are there, may lead nowhere else. */
        if ((!q[0] && !arti_hset_has(f->heads, hash)) ||
            arti_has_fresh_word(x, f, (arti_re_state)q[1 + p], q[0], hash, NULL))
            return true;
    }
    return false;
}

bool arti_key_alive(arti_jctx *x, const arti_state *st) {
    return arti_key_alive_at(x, st, arti_text_q(st), st->text.hash);
}

/* Ends a key: the frame gets it as pending, *st waits for the colon. */
static bool key_end(arti_jctx *x, arti_state *st) {
    const arti_frame *f = st->top;
    const arti_object_machine *m = f->machine;
    const uint64_t *q = arti_text_q(st);
    const uint32_t name = q[0] ? arti_set_whole(m->names, q[0]) : UINT32_MAX;
    uint64_t matches = 0;
    if (name != UINT32_MAX) {
        if (!st->text.offer || !(st->text.offer[name / 64] >> (name % 64) & 1u)) return false;
    } else {
        if (!st->text.offer_other || arti_hset_has(f->set, st->text.hash)) return false;
        for (uint32_t i = 0; i < m->n_parts; i++)
            if (q[1 + i] && arti_re_accepts(x->s->re, (arti_re_state)q[1 + i])) matches |= UINT64_C(1) << i;
    }
    return arti_object_key(x, st, name, matches, st->text.hash);
}

/* ------------------------------------------------------------------ characters */

static uint32_t encode(uint32_t cp, uint8_t out[4]) {
    return (uint32_t)arti_u8_put(out, cp);
}

typedef enum answer { NO, YES, UNKNOWN } answer;

/* The character of string i behind the `depth` bytes that are read. */
static uint32_t set_char(const arti_key *set, uint32_t i, uint32_t depth) {
    size_t n;
    return arti_u8_get((const uint8_t *)set[i].ptr + depth, &n);
}

/* Does a string lo .. hi - 1 of a set, of which `depth` bytes are read, go on with a character of first .. last? offer: bits of those that
 * count, NULL: all. */
static bool set_goes_on(const arti_key *set, uint64_t q, const uint64_t *offer, uint32_t first, uint32_t last) {
    const uint32_t depth = arti_set_depth(q), end = arti_set_hi(q);
    uint32_t lo = arti_set_lo(q), hi = end;
    if (lo < hi && set[lo].len == depth) lo++; /* the shortest comes first */
    while (lo < hi) {                          /* UTF-8 sorts like the characters */
        const uint32_t mid = lo + (hi - lo) / 2;
        if (set_char(set, mid, depth) < first)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < end && set_char(set, lo, depth) <= last; lo++)
        if (!offer || offer[lo / 64] >> (lo % 64) & 1u) return true;
    return false;
}

/* The same as range_alive(), as far as it can be told without trying characters. */
static answer range_known(arti_jctx *x, const arti_state *st, uint32_t lo, uint32_t hi) {
    const uint64_t *q = arti_text_q(st);
    if (is_key(st)) {
        const arti_object_machine *m = st->text.machine;
        if (q[0] && st->text.offer && set_goes_on(m->names, q[0], st->text.offer, lo, hi)) return YES;
        if (!st->text.offer_other) return NO;
        if (arti_takes_any_name(st)) return YES;
        for (uint32_t a = 0; a < m->n_alts; a++) {
            const uint32_t p = m->alts[a].extra_part;
            if (p < ARTI_KEY_PARTS_MAX && q[1 + p] && arti_takes_other(st, a) &&
                arti_re_alive_between(x->s->re, (arti_re_state)q[1 + p], lo, hi))
                return UNKNOWN; /* keys that are there may be all that goes on like this */
        }
        return NO;
    }
    const arti_text_machine *m = st->text.machine;
    answer known = NO;
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const arti_part *p = &m->parts[i];
        if (q[i] == 0 || st->text.n_cp >= p->hi) continue;
        if (p->kind == ARTI_PART_FREE) return YES;
        if (p->kind != ARTI_PART_SET || p->lo || p->hi != UINT32_MAX)
            known = UNKNOWN;
        else if (set_goes_on(p->set, q[i], NULL, lo, hi))
            return YES;
    }
    return known;
}

/* A key after the first `len` bytes of one more character. */
static bool key_alive_after(arti_jctx *x, const arti_state *st, const uint8_t *bytes, uint32_t len) {
    uint64_t q[1 + ARTI_KEY_PARTS_MAX], hash = st->text.hash;
    const uint32_t n = arti_text_parts(st);
    memcpy(q, arti_text_q(st), n * sizeof *q);
    for (uint32_t k = 0; k < len; k++) {
        hash = arti_hash_mix(hash, bytes[k]);
        for (uint32_t i = 0; i < n; i++)
            if (!step_part(x, st, i, &q[i], bytes[k])) return false;
    }
    return arti_key_alive_at(x, st, q, hash);
}

static bool add_first_bytes(art_schema *s, const arti_part *p, uint64_t q, const char *keyword, arti_re_bytes *first) {
    arti_re_bytes next = {{0}};
    bool ends;
    if (p->kind == ARTI_PART_FREE)
        memset(&next, 0xFF, sizeof next);
    else if (p->kind == ARTI_PART_SET)
        arti_set_next_bytes(p->set, q, next.bits, &ends);
    else if (arti_re_live_bytes(s->re, (arti_re_state)q, &next) != ART_OK)
        return arti_fault_re(s, NULL, 0, keyword);
    for (uint32_t w = 0; w < 4; w++) first->bits[w] |= next.bits[w];
    return true;
}

/* First bytes of characters that the string may go on with. */
static bool find_first_bytes(arti_jctx *x, const arti_state *st, arti_re_bytes *first) {
    const uint64_t *q = arti_text_q(st);
    bool ok = true, ends;
    memset(first, 0, sizeof *first);
    if (is_key(st)) {
        const arti_object_machine *m = st->text.machine;
        if (q[0]) arti_set_next_bytes(m->names, q[0], first->bits, &ends);
        for (uint64_t parts = arti_key_live_parts(st); parts && ok; parts &= parts - 1) {
            const uint32_t i = arti_bits_lowest64(parts);
            ok = add_first_bytes(x->s, &m->parts[i], q[1 + i], "patternProperties", first);
        }
    } else {
        const arti_text_machine *m = st->text.machine;
        for (uint32_t i = 0; i < m->n_parts && ok; i++)
            if (q[i] && st->text.n_cp < m->parts[i].hi)
                ok = add_first_bytes(x->s, &m->parts[i], q[i], "pattern", first);
    }
    return ok;
}

/* Would the string be alive after some character of lo .. hi? Looks at whole blocks of characters with a common UTF-8 prefix. */
static bool range_alive(arti_jctx *x, const arti_state *st, uint32_t lo, uint32_t hi) {
    const answer known = range_known(x, st, lo, hi);
    arti_re_bytes first;
    if (known != UNKNOWN) return known == YES;
    if (!find_first_bytes(x, st, &first)) return false;
    for (uint32_t cp = lo; cp <= hi;) {
        uint8_t b[4];
        const uint32_t len = encode(cp, b);
        uint32_t size = 1, used = len;
        if (len > 1 && cp % 0x40 == 0 && cp + 0x3F <= hi) size = 0x40, used = len - 1;
        if (len > 2 && cp % 0x1000 == 0 && cp + 0xFFF <= hi) size = 0x1000, used = len - 2;
        if (cp == 0x800 && hi >= 0xFFF) size = 0x800, used = 1;
        if (!(first.bits[b[0] / 64] >> (b[0] % 64) & 1u)) {
            cp += size;
            continue;
        }
        if (is_key(st)) {
            if (key_alive_after(x, st, b, used)) return true;
        } else {
            arti_state probe = *st;
            probe.text.n_cp++;
            if (feed(x, &probe, b, used) && parts_alive(x, &probe, arti_text_q(&probe), used < len)) return true;
        }
        if (arti_faulted(x->s)) return false;
        cp += size;
    }
    return false;
}

bool arti_text_may_escape(arti_jctx *x, const arti_state *st) {
    return range_alive(x, st, 0, 0x1F) || range_alive(x, st, '"', '"') || range_alive(x, st, '\\', '\\');
}

bool arti_text_alive(arti_jctx *x, const arti_state *st) {
    const arti_text_state *t = &st->text;
    if (t->escape == ARTI_ESC_NONE) return parts_alive(x, st, arti_text_q(st), t->u8 != ARTI_U8_0);
    if (t->escape == ARTI_ESC_BACKSLASH || t->escape == ARTI_ESC_HEX0)
        return range_alive(x, st, 0, 0xD7FF) || range_alive(x, st, 0xE000, 0x10FFFF);
    if (t->escape <= ARTI_ESC_HEX3) {
        const uint32_t rest = 4 * (4 - (t->escape - ARTI_ESC_HEX0)), lo = (uint32_t)t->unit << rest,
                       hi = lo + (1u << rest) - 1;
        const uint32_t first = lo > 0xD800 ? lo : 0xD800, last = hi < 0xDBFF ? hi : 0xDBFF; /* high surrogates within */
        if (lo <= 0xD7FF && range_alive(x, st, lo, hi < 0xD7FF ? hi : 0xD7FF)) return true;
        if (hi >= 0xE000 && range_alive(x, st, lo > 0xE000 ? lo : 0xE000, hi)) return true;
        return first <= last &&
               range_alive(x, st, 0x10000 + ((first - 0xD800) << 10), 0x10000 + ((last - 0xD800) << 10) + 0x3FF);
    }
    /* The low surrogate is coming: DC00 .. DFFF. */
    const uint32_t base = 0x10000 + ((uint32_t)(t->high - 0xD800) << 10);
    if (t->escape <= ARTI_ESC_LOW_HEX0) return range_alive(x, st, base, base + 0x3FF);
    const uint32_t rest = 4 * (4 - (t->escape - ARTI_ESC_LOW_HEX0));
    uint32_t lo = (uint32_t)t->unit << rest, hi = lo + (1u << rest) - 1;
    if (hi < 0xDC00 || lo > 0xDFFF) return false;
    if (lo < 0xDC00) lo = 0xDC00;
    if (hi > 0xDFFF) hi = 0xDFFF;
    return range_alive(x, st, base + lo - 0xDC00, base + hi - 0xDC00);
}

/* Takes a whole character that was written as an escape. */
static bool take_char(arti_jctx *x, arti_state *st, uint32_t cp) {
    uint8_t b[4];
    const uint32_t len = encode(cp, b);
    st->text.escape = ARTI_ESC_NONE;
    st->text.n_cp++;
    return feed(x, st, b, len) && arti_text_alive(x, st);
}

static int hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool escape_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    arti_text_state *t = &st->text;
    if (t->escape == ARTI_ESC_BACKSLASH) {
        switch (byte) {
        case '"':
        case '\\':
        case '/': return take_char(x, st, byte);
        case 'b': return take_char(x, st, 8);
        case 'f': return take_char(x, st, 12);
        case 'n': return take_char(x, st, 10);
        case 'r': return take_char(x, st, 13);
        case 't': return take_char(x, st, 9);
        case 'u':
            t->escape = ARTI_ESC_HEX0;
            t->unit = 0;
            return arti_text_alive(x, st);
        default: return false;
        }
    }
    if (t->escape == ARTI_ESC_LOW_BACKSLASH || t->escape == ARTI_ESC_LOW_U) {
        if (byte != (t->escape == ARTI_ESC_LOW_BACKSLASH ? '\\' : 'u')) return false;
        t->escape++;
        t->unit = 0;
        return true;
    }
    const int d = hex(byte);
    if (d < 0) return false;
    /* A low surrogate comes second and only there. */
    if (t->escape == ARTI_ESC_HEX0 + 1 && t->unit == 0xD && d >= 0xC) return false;
    if (t->escape == ARTI_ESC_LOW_HEX0 && d != 0xD) return false;
    if (t->escape == ARTI_ESC_LOW_HEX0 + 1 && d < 0xC) return false;
    t->unit = (uint16_t)(t->unit << 4 | d);
    if (t->escape != ARTI_ESC_HEX3 && t->escape != ARTI_ESC_LOW_HEX3) {
        t->escape++;
        return arti_text_alive(x, st);
    }
    if (t->escape == ARTI_ESC_LOW_HEX3) {
        if (t->unit < 0xDC00 || t->unit > 0xDFFF) return false;
        return take_char(x, st, 0x10000 + ((uint32_t)(t->high - 0xD800) << 10) + (t->unit - 0xDC00u));
    }
    if (t->unit >= 0xDC00 && t->unit <= 0xDFFF) return false;
    if (t->unit < 0xD800 || t->unit > 0xDBFF) return take_char(x, st, t->unit);
    t->high = t->unit;
    t->escape = ARTI_ESC_LOW_BACKSLASH;
    return arti_text_alive(x, st);
}

/* The same for a plain ASCII character in a string of one part: most of all steps. It needs no second state. */
static bool plain_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    arti_text_state *t = &st->text;
    uint64_t q = t->q.one;
    if (is_key(st)) {
        q = q ? arti_set_step(((const arti_object_machine *)t->machine)->names, q, byte) : 0;
        if (!(q && t->offer && arti_bits_any_in64(t->offer, arti_set_lo(q), arti_set_hi(q))) &&
            !arti_takes_any_name(st))
            return false;
    } else {
        const arti_part *p = ((const arti_text_machine *)t->machine)->parts;
        if (!arti_part_step(x->s, p, &q, byte) || !arti_part_alive(x->s, p, q, t->n_cp + 1, false)) return false;
    }
    t->q.one = q;
    t->n_cp++;
    t->hash = arti_hash_mix(t->hash, byte);
    return true;
}

bool arti_text_step_plain(arti_jctx *x, arti_state *st, uint8_t byte, bool *alive) {
    if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\' || st->text.escape != ARTI_ESC_NONE ||
        st->text.u8 != ARTI_U8_0 || arti_text_parts(st) != 1)
        return false;
    *alive = plain_step(x, st, byte);
    return true;
}

bool arti_text_step(arti_jctx *x, arti_state *st, uint8_t byte) {
    arti_state next = *st;
    arti_text_state *t = &next.text;
    if (t->escape != ARTI_ESC_NONE) {
        if (!escape_step(x, &next, byte)) return false;
        *st = next;
        return true;
    }
    if (t->u8 == ARTI_U8_0) {
        if (byte == '"') {
            if (is_key(st)) return key_end(x, st);
            arti_accept acc;
            return arti_text_accepts(x, st, &acc) && arti_value_end(x, st, &acc, t->hash);
        }
        if (byte == '\\') {
            t->escape = ARTI_ESC_BACKSLASH;
            if (!arti_text_alive(x, &next)) return false;
            *st = next;
            return true;
        }
        if (byte < 0x20) return false;
        t->u8 = arti_u8_lead(byte);
        if (t->u8 == ARTI_U8_BAD) return false;
        t->n_cp++;
    } else {
        t->u8 = arti_u8_next(t->u8, byte);
        if (t->u8 == ARTI_U8_BAD) return false;
    }
    if (!feed(x, &next, &byte, 1) || !parts_alive(x, &next, arti_text_q(&next), t->u8 != ARTI_U8_0)) return false;
    *st = next;
    return true;
}
