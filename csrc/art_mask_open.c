/* SPDX-License-Identifier: Apache-2.0 */
#include "art_mask_open.h"

#include "art_mask_lang.h"
#include "art_unique.h"
#include "art_utf8.h"
#include "art_values.h"

/* Part i of the machine that reads a string; NULL: the declared names. */
static const arti_part *string_part(const arti_state *st, uint32_t i) {
    if (st->mode == ARTI_M_TEXT) return &((const arti_text_machine *)st->text.machine)->parts[i];
    return i ? &((const arti_object_machine *)st->text.machine)->parts[i - 1] : NULL;
}

bool arti_open_is_free(const arti_walk *w, const arti_state *st) {
    if (st->mode == ARTI_M_KEY_TEXT) return arti_key_is_wide(st);
    if (st->mode != ARTI_M_TEXT) return false;
    const arti_text_machine *m = st->text.machine;
    const arti_part *p = m->parts;
    const uint32_t room =
        w->v->token_len_max + (arti_is_distinct(st) ? 2u : 0u); /* with two characters, they never run out */
    return m->n_parts == 1 && p->kind == ARTI_PART_FREE && p->hi >= room;
}

bool arti_open_is_language(const arti_walk *w, const arti_state *st) {
    if ((st->mode != ARTI_M_TEXT && st->mode != ARTI_M_KEY_TEXT) || arti_text_parts(st) > 64 || arti_is_distinct(st) ||
        w->v->lex->n_tails > ARTI_SUFFIX_WORDS_MAX * 32)
        return false;
    if (st->mode == ARTI_M_KEY_TEXT) return arti_key_has_language(st, arti_text_q(st));
    return arti_text_parts(st) > 1 || string_part(st, 0)->kind != ARTI_PART_SET;
}

/* ------------------------------------------------------------------ strings that are closed again */

/* A string that is closed by itself: what goes on behind its quote. */
static bool walk_close(const arti_fold *f, const arti_lex_close *c, const arti_state *after) {
    const arti_lex_node *node = &f->t->node[c->node];
    arti_fold_set(f, node->tok, f->t->node[c->node + 1].tok);
    return arti_fold_walk(f, c->node + 1, node->next, after);
}

/* A way in which strings end that were opened within the token: they share the state behind the quote. */
typedef struct closing {
    uint64_t accepts; /* the parts that have them */
    bool closes;
    bool is_scarce; /* a key that may leave no more than repetitions: each is looked at alone */
    arti_state after;
    uint64_t *tails; /* that may follow; NULL where no tails of tails are asked for */
} closing;

/* Which parts have the text as a whole, from where the string begins; names apart. */
static uint64_t accepted_by(const arti_walk *w, const arti_state *st, const uint8_t *text, uint32_t len) {
    art_schema *s = w->x->s;
    uint64_t bits = 0;
    uint32_t n_cp = 0;
    for (uint32_t b = 0; b < len; b++) n_cp += (text[b] & 0xC0u) != 0x80u;
    for (uint32_t i = 0; i < arti_text_parts(st); i++) {
        const arti_part *p = string_part(st, i);
        uint64_t q = arti_text_q(st)[i];
        if (!p) continue;
        for (uint32_t b = 0; b < len && q && p->kind != ARTI_PART_FREE; b++)
            if (!arti_part_step(s, p, &q, text[b])) return 0;
        if (q && arti_part_accepts(s, p, q, n_cp)) bits |= UINT64_C(1) << (i % 64);
    }
    return bits;
}

/* Fills in what follows text `c`, which stands for others. */
static bool begin_closing(const arti_fold *f, closing *way, const arti_lex_close *c, const arti_state *st) {
    arti_walk *w = f->w;
    arti_jctx *x = w->x;
    way->after = *st;
    uint32_t b = 0;
    if (st->mode == ARTI_M_KEY_TEXT && arti_text_parts(st) == 1) { /* any key will do: always the same one */
        way->after.text.q.one = 0;
        way->after.text.hash = arti_key_other_hash(st);
        b = c->len;
    }
    while (b < c->len && arti_state_step(x, &way->after, w->v->bytes[c->text + b])) b++;
    const bool is_key = st->mode == ARTI_M_KEY_TEXT, is_distinct = arti_is_distinct(st);
    if (is_distinct) way->after.text.hash = is_key ? arti_key_other_hash(st) : ARTI_DIGEST_OTHER;
    way->closes = b == c->len && arti_state_step(x, &way->after, '"');
    way->is_scarce =
        is_distinct && is_key && way->closes && !arti_unique_is_first(st->top) && !arti_unique_has_many(x, &way->after);
    if (arti_faulted(x->s)) return false;
    way->tails = NULL;
    if (f->tails) return true;
    const size_t n_words = (w->v->lex->n_tails + 63u) / 64u;
    way->tails = arti_region_get(x->region, n_words * sizeof *way->tails);
    if (!way->tails) return arti_fault_mem(x->s);
    if (way->closes) return arti_fold_tails(w, &way->after, way->tails);
    memset(way->tails, 0, n_words * sizeof *way->tails);
    return true;
}

/* The string is a declared name, a key that is there, or holds another key behind it: it ends like no other. */
static bool ends_alone(const arti_state *st, const arti_lex_close *c, const uint8_t *bytes, const uint64_t next[4],
                       bool ends) {
    const arti_object_machine *keys = st->text.machine;
    if (c->may_repeat || arti_hset_has(st->top->set, c->hash)) return true;
    if (!(c->len ? next[bytes[c->text] / 64] >> (bytes[c->text] % 64) & 1u : ends)) return false;
    uint64_t q = arti_text_q(st)[0];
    for (uint32_t b = 0; b < c->len && q; b++) q = arti_set_step(keys->names, q, bytes[c->text + b]);
    return q && arti_set_whole(keys->names, q) != UINT32_MAX;
}

/* A string that ends alone: byte by byte. */
static bool close_alone(const arti_fold *f, const arti_lex_close *c, const arti_state *st) {
    arti_jctx *x = f->w->x;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state at = *st;
    uint32_t b = 0;
    bool ok = true;
    while (b <= c->len && arti_state_step(x, &at, f->w->v->bytes[c->text + b])) b++;
    if (b > c->len) ok = walk_close(f, c, &at);
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

typedef struct closings { /* of one string that is opened */
    uint32_t n;
    closing ways[ARTI_QUOTES];
    /* In an array whose items must differ, texts are alike that do not clash, as far as nothing begins behind them but (opens_freely) a string that is not
     * short of texts; and keys, as far as nothing ends behind them. */
    bool is_distinct, opens_freely;
    arti_clash clash; /* of texts */
} closings;

/* May what stands behind the quote depend on the text before it? */
static bool leads_on(const arti_fold *f, const closings *l, bool is_key, uint32_t tail) {
    const art_vocab *v = f->w->v;
    const arti_lex *lex = v->lex;
    if (tail >= v->u8[ARTI_U8_0].n_suffix) return true;
    if (is_key) return arti_suffix_ends_container(v, &v->suffixes[v->u8[ARTI_U8_0].suffix + tail]);
    const uint64_t begins = lex->begins_value[tail / 64] | (l->opens_freely ? 0 : lex->opens_at_end[tail / 64]);
    return begins >> (tail % 64) & 1u;
}

/* Of a string in such an array. */
static bool closes_alone(const arti_fold *f, const closings *l, bool is_key, const arti_lex_close *c) {
    if (!is_key && arti_clash_has(&l->clash, c->hash)) return true;
    for (uint32_t e = c->leave; e < c->leave + c->n_leave; e++)
        if (leads_on(f, l, is_key, f->t->leaves[e].tail)) return true;
    return false;
}

/* Tokens that end the string with text `c`, which these parts have. */
static bool walk_closing(const arti_fold *f, closings *l, const arti_lex_close *c, const arti_state *st,
                         uint64_t accepts) {
    closing *way = l->ways;
    while (way < l->ways + l->n && way->accepts != accepts) way++;
    if (way == l->ways + ARTI_QUOTES) return close_alone(f, c, st);
    if (way == l->ways + l->n) {
        way->accepts = accepts;
        if (!begin_closing(f, way, c, st)) return false;
        l->n++;
    }
    if (way->is_scarce) return close_alone(f, c, st);
    if (f->tails) return !way->closes || walk_close(f, c, &way->after); /* no tails of tails */
    for (uint32_t e = c->leave; e < c->leave + c->n_leave; e++) {
        const arti_lex_leave *leave = &f->t->leaves[e];
        if (way->tails[leave->tail / 64] >> (leave->tail % 64) & 1u && arti_fold_is_spelled(f, leave->space))
            arti_fold_set_one(f, leave->id);
    }
    return true;
}

static bool closings_begin(arti_jctx *x, closings *l, const arti_state *st) {
    l->n = 0;
    l->is_distinct = arti_is_distinct(st);
    if (!l->is_distinct) return true;
    if (st->mode == ARTI_M_KEY_TEXT) { /* as long as there is nothing to repeat */
        l->is_distinct = !arti_unique_is_first(st->top);
        l->clash.each = false;
        return true;
    }
    if (!arti_clash_init(x, st, &l->clash)) return false;
    l->opens_freely = l->clash.opens && (st->top->is_object || string_part(st, 0)->hi == UINT32_MAX);
    return true;
}

/* ------------------------------------------------------------------ open strings */

bool arti_open_free(const arti_fold *f, uint32_t i, const arti_state *st, bool has_stay) {
    arti_walk *w = f->w;
    arti_jctx *x = w->x;
    const arti_lex_trie *t = f->t;
    const arti_lex_open *o = &t->opens[t->node[i].open];
    const uint8_t *bytes = w->v->bytes;
    if (!has_stay) {
        arti_fold_set(f, t->node[i].tok, t->node[i + 1].tok);
        arti_fold_set_entries(f, t->stay_ids + o->stay, t->stay_spaces + o->stay, o->n_stay);
    }
    for (uint32_t k = 0; k < o->n_odd; k++) {
        const arti_lex_odd *odd = &t->odds[o->odd + k];
        if (has_stay && odd->stays) continue;
        if (arti_fold_is_spelled(f, t->spaces[odd->entry]) &&
            (odd->stays || arti_walk_tail(w, st, bytes + odd->rest, odd->len)))
            arti_fold_set_one(f, t->ids[odd->entry]);
        if (arti_faulted(x->s)) return false;
    }
    const bool is_key = st->mode == ARTI_M_KEY_TEXT;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    closings ways;
    if (!closings_begin(x, &ways, st)) return false;
    const bool alike =
        w->v->lex->n_tails <= ARTI_SUFFIX_WORDS_MAX * 32 && (!ways.is_distinct || (!f->tails && !ways.clash.each));
    uint64_t next[4] = {0};
    bool ends = false, ok = true;
    if (alike && is_key) arti_key_name_bytes(st, next, &ends);
    for (uint32_t k = 0; k < o->n_close && ok; k++) {
        const arti_lex_close *c = &t->closes[o->close + k];
        if (!alike || (is_key && ends_alone(st, c, bytes, next, ends)) ||
            (ways.is_distinct && closes_alone(f, &ways, is_key, c))) {
            ok = close_alone(f, c, st);
            continue;
        }
        const uint64_t accepts = accepted_by(w, st, bytes + c->text, c->len);
        ok = !arti_faulted(x->s) && walk_closing(f, &ways, c, st, accepts);
    }
    arti_region_reset(x->region, mark);
    return ok;
}

/* ------------------------------------------------------------------ by languages, byte by byte */

typedef struct stay_level { /* of walk_language() */
    uint32_t n_cp;
    uint8_t u8, byte; /* byte: the last one */
    uint64_t hash;
    uint64_t *q;
} stay_level;

/* One byte of a string. false: no language has it, or a fault. */
static bool stay_step(arti_jctx *x, const arti_state *st, const stay_level *from, stay_level *to, uint8_t byte) {
    to->byte = byte;
    to->u8 = arti_u8_next(from->u8, byte);
    if (to->u8 == ARTI_U8_BAD || byte < 0x20) return false;
    to->n_cp = from->n_cp + (from->u8 == ARTI_U8_0);
    to->hash = arti_hash_mix(from->hash, byte);
    const bool is_key = st->mode == ARTI_M_KEY_TEXT;
    bool alive = false;
    for (uint32_t i = 0; i < arti_text_parts(st); i++) {
        const arti_part *p = string_part(st, i);
        uint64_t q = from->q[i];
        if (q && !p) q = arti_set_step(((const arti_object_machine *)st->text.machine)->names, q, byte);
        if (q && p && !arti_part_step(x->s, p, &q, byte)) return false;
        to->q[i] = q;
        if (!is_key && q && !alive) alive = arti_part_alive(x->s, p, q, to->n_cp, to->u8 != ARTI_U8_0);
    }
    return is_key ? arti_key_alive_at(x, st, to->q, to->hash) : alive;
}

/* The quote behind a text that closes the string; `at`: behind the text. */
static bool close_text(const arti_fold *f, closings *ways, const arti_lex_close *c, const arti_state *st,
                       const stay_level *at) {
    if (at->u8 != ARTI_U8_0) return true;
    uint64_t accepts = 0;
    bool is_name = false;
    for (uint32_t i = 0; i < arti_text_parts(st); i++) {
        const arti_part *p = string_part(st, i);
        if (!at->q[i]) continue;
        if (!p)
            is_name = arti_set_whole(((const arti_object_machine *)st->text.machine)->names, at->q[i]) != UINT32_MAX;
        else if (arti_part_accepts(f->w->x->s, p, at->q[i], at->n_cp))
            accepts |= UINT64_C(1) << i;
    }
    if (st->mode == ARTI_M_KEY_TEXT && (is_name || c->may_repeat || arti_hset_has(st->top->set, at->hash)))
        return close_alone(f, c, st);
    return !accepts || walk_closing(f, ways, c, st, accepts);
}

/* Node i, a backslash behind n bytes of the string, and all below it: by whole states. */
static bool walk_escape(const arti_fold *f, uint32_t i, const arti_state *st, const stay_level *levels, uint32_t n) {
    arti_jctx *x = f->w->x;
    if (levels[n].u8 != ARTI_U8_0) return true;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    arti_state at = *st;
    uint32_t b = 0;
    while (b < n && arti_state_step(x, &at, levels[b + 1].byte)) b++;
    const bool ok = b < n || arti_fold_walk(f, i, f->t->node[i].next, &at);
    arti_region_reset(x->region, mark);
    return ok && !arti_faulted(x->s);
}

/* Below node i, the opening quote of a string that languages limit; st: behind the quote. */
static bool walk_language(const arti_fold *f, uint32_t i, const arti_state *st) {
    arti_jctx *x = f->w->x;
    const arti_lex_trie *t = f->t;
    const arti_lex_open *o = &t->opens[t->node[i].open];
    const uint32_t top = t->node[i].depth, end = t->node[i].next, n = arti_text_parts(st);
    const size_t depth = f->w->m->depth_cap / 2;
    const arti_region_mark mark = arti_region_mark_now(x->region);
    stay_level *levels = arti_region_get(x->region, depth * sizeof *levels);
    uint64_t *q = levels ? arti_region_get(x->region, depth * n * sizeof *q) : NULL;
    if (!q) return arti_fault_mem(x->s);
    for (size_t d = 0; d < depth; d++) levels[d].q = q + d * n;
    levels[0].n_cp = 0;
    levels[0].u8 = ARTI_U8_0;
    levels[0].hash = st->text.hash;
    memcpy(q, arti_text_q(st), n * sizeof *q);
    closings ways;
    ways.n = 0;
    uint32_t close = o->close;
    arti_fold_set(f, t->node[i].tok, t->node[i + 1].tok);
    bool ok = true;
    for (i++; i < end && ok;) {
        const arti_lex_node *node = &t->node[i];
        const uint32_t n_read = node->depth - top - 1;
        const stay_level *from = &levels[n_read];
        f->w->work++;
        if (node->byte == '"') {
            while (t->closes[close].node < i) close++;
            ok = close_text(f, &ways, &t->closes[close], st, from);
            i = node->next;
        } else if (node->byte == '\\') {
            ok = walk_escape(f, i, st, levels, n_read);
            i = node->next;
        } else if (!stay_step(x, st, from, &levels[n_read + 1], node->byte)) {
            i = node->next;
        } else {
            arti_fold_set(f, node->tok, t->node[i + 1].tok);
            i++;
        }
        ok = ok && !arti_faulted(x->s);
    }
    arti_region_reset(x->region, mark);
    return ok;
}

/* ------------------------------------------------------------------ by rows */

#define ROWS_MAX 4u

/* What rows say of a string that languages limit, where it begins. */
typedef struct opening {
    uint32_t n_rows;
    arti_row_reader rows[ROWS_MAX]; /* tokens in one of them stay in the string, names and keys that are there aside */
    arti_row free;                  /* one that has all that stay */
    uint32_t *ends;                 /* for each part, see arti_lang_ends() */
    size_t n_ends;
    uint64_t special[4],
        known[4]; /* of keys: bytes that declared names, or keys that are there, begin with, as far as known */
} opening;

/* The ends of all parts; *found: all are languages, in states that know what tokens do: langs. */
static bool find_opening_ends(arti_walk *w, const arti_state *st, opening *o, arti_re_state *langs, bool *found) {
    const uint32_t n = arti_text_parts(st);
    const bool is_key = st->mode == ARTI_M_KEY_TEXT;
    o->n_ends = arti_vocab_end_words(w->v);
    o->ends = arti_region_get(w->x->region, (n * o->n_ends + 1u) * sizeof *o->ends);
    if (!o->ends) return arti_fault_mem(w->x->s);
    arti_bits_zero(o->ends, n * o->n_ends);
    *found = false;
    for (uint32_t i = 0; i < n; i++) {
        const arti_part *p = string_part(st, i);
        const uint64_t q = arti_text_q(st)[i];
        langs[i] = ARTI_RE_DEAD;
        if (!p || !q) continue;
        if (p->kind != ARTI_PART_TERM) return true;
        langs[i] = (arti_re_state)q;
        if (!is_key && !arti_lang_unbounded(w, p, q, 0, &langs[i])) return false;
        if (langs[i] == ARTI_RE_DEAD) return true;
        if (!arti_lang_ends(w, langs[i], o->ends + i * o->n_ends)) return false;
    }
    *found = true;
    return true;
}

/* Fills *o in; *found: all that is needed is kept. */
static bool find_opening(arti_walk *w, const arti_state *st, opening *o, bool *found) {
    const bool is_key = st->mode == ARTI_M_KEY_TEXT;
    const uint32_t n = arti_text_parts(st);
    const uint64_t in_row = is_key ? arti_key_live_parts(st) << 1 : UINT64_MAX;
    arti_re_state langs[ROWS_MAX];
    *found = false;
    if (n > ROWS_MAX) return true;
    if (!find_opening_ends(w, st, o, langs, found)) return false;
    const uint32_t n_clears = w->m->n_clears;
    o->free = (arti_row){.basis = {w->v->free_row, NULL}};
    o->n_rows = 0;
    for (uint32_t i = 0; i < n && *found; i++) {
        if (langs[i] == ARTI_RE_DEAD || !(in_row >> i & 1u)) continue;
        const arti_mask_row *kept = NULL;
        const bool is_open = arti_re_is_open(w->x->s->re, langs[i]);
        if (!is_open) kept = arti_lang_kept(w, langs[i]);
        *found = is_open || kept;
        o->rows[o->n_rows++] = (arti_row_reader){kept ? &kept->row : &o->free, 0};
    }
    *found = *found && o->n_rows && w->m->n_clears == n_clears;
    memset(o->special, 0, sizeof o->special);
    bool ends;
    if (is_key) arti_key_name_bytes(st, o->special, &ends);
    memcpy(o->known, o->special, sizeof o->known);
    return true;
}

/* Does a declared name, or a key that is there, begin with this byte? Then rows do not know what may come of it. */
static bool is_special(opening *o, const arti_state *st, uint8_t byte) {
    const uint64_t bit = UINT64_C(1) << (byte % 64);
    if (!(o->known[byte / 64] & bit)) {
        o->known[byte / 64] |= bit;
        if (arti_hset_has(st->top->heads, arti_hash_mix(st->text.hash, byte))) o->special[byte / 64] |= bit;
    }
    return o->special[byte / 64] & bit;
}

static bool is_in_rows(opening *o, uint32_t id) {
    bool in = false;
    for (uint32_t r = 0; r < o->n_rows && !in; r++) in = arti_row_test(&o->rows[r], id);
    return in;
}

/* The parts that have the text of a string that is closed within the token. */
static uint64_t accepted_in(const arti_walk *w, const opening *o, const arti_lex_close *c, const arti_state *st) {
    if (c->head == UINT32_MAX) return accepted_by(w, st, w->v->bytes + c->text, c->len);
    const uint32_t n_cp = w->v->heads[c->head].n_cp;
    uint64_t accepts = 0;
    for (uint32_t i = 0; i < arti_text_parts(st); i++) {
        const arti_part *p = string_part(st, i);
        const bool fits = p && n_cp >= p->lo && n_cp <= p->hi && arti_bits_test(o->ends + i * o->n_ends, c->head);
        accepts |= (uint64_t)fits << i;
    }
    return accepts;
}

/* Below node i, the opening quote of a string that languages limit, whose rows are there; st: behind the quote. */
static bool open_by_rows(const arti_fold *f, uint32_t i, const arti_state *st, opening *rows) {
    arti_walk *w = f->w;
    arti_jctx *x = w->x;
    const arti_lex_trie *t = f->t;
    const arti_lex_open *o = &t->opens[t->node[i].open];
    const uint8_t *bytes = w->v->bytes;
    const bool is_key = st->mode == ARTI_M_KEY_TEXT;
    arti_fold_set(f, t->node[i].tok, t->node[i + 1].tok);
    for (uint32_t k = o->stay; k < o->stay + o->n_stay; k++) {
        const arti_lex_stay *stay = &t->stays[k];
        if (!arti_fold_is_spelled(f, t->stay_spaces[k])) continue;
        const bool in_row = stay->twin != UINT32_MAX && !(is_key && is_special(rows, st, stay->first));
        if (in_row ? is_in_rows(rows, stay->twin) : arti_walk_tail(w, st, bytes + stay->text, stay->len))
            arti_fold_set_one(f, t->stay_ids[k]);
    }
    for (uint32_t k = o->odd; k < o->odd + o->n_odd; k++) {
        const arti_lex_odd *odd = &t->odds[k];
        const bool in_row = odd->twin != UINT32_MAX && !is_key;
        if (!arti_fold_is_spelled(f, t->spaces[odd->entry])) continue;
        if (in_row ? is_in_rows(rows, odd->twin) : arti_walk_tail(w, st, bytes + odd->rest, odd->len))
            arti_fold_set_one(f, t->ids[odd->entry]);
    }
    uint64_t next[4] = {0};
    bool ends = false, ok = !arti_faulted(x->s);
    if (is_key) arti_key_name_bytes(st, next, &ends);
    closings ways;
    ways.n = 0;
    for (uint32_t k = o->close; k < o->close + o->n_close && ok; k++) {
        const arti_lex_close *c = &t->closes[k];
        const bool alone = is_key && ends_alone(st, c, bytes, next, ends);
        const uint64_t accepts = alone ? 0 : accepted_in(w, rows, c, st);
        ok = alone ? close_alone(f, c, st) : !accepts || walk_closing(f, &ways, c, st, accepts);
        ok = ok && !arti_faulted(x->s);
    }
    return ok;
}

/* ------------------------------------------------------------------ by whichever is there */

bool arti_open_language(const arti_fold *f, uint32_t i, const arti_state *st) {
    const arti_region_mark mark = arti_region_mark_now(f->w->x->region);
    opening rows;
    bool found;
    if (!find_opening(f->w, st, &rows, &found)) return false;
    const bool ok = found ? open_by_rows(f, i, st, &rows) : walk_language(f, i, st);
    arti_region_reset(f->w->x->region, mark);
    return ok;
}
