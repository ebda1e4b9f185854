/* SPDX-License-Identifier: Apache-2.0 */
#include "art_prepare.h"

#include "art_goals.h"
#include "art_mask_lang.h"
#include "art_unique.h"

#define ITEMS_MAX 64u                   /* positions of one array */
#define MEMORY_MAX ((size_t)8 << 20)    /* .. and a quarter of what the schema has left */
#define LANGUAGES_MAX 16u               /* whose first rows are made */
#define LANGUAGE_STEPS 400u             /* for one of them: 5 to 100 us */
#define PATHS_MAX 2u                    /* texts that rows are made along, */
#define PATH_ROWS_MAX 40u               /* .. for each of them, */
#define PATH_STEPS 100u                 /* .. for a row, */
#define PATH_BYTES_MAX 64u              /* .. and the text */
#define LANGUAGE_WORK_MAX 4000u         /* for its states */
#define NODES_MAX 300000u               /* of the trie, for all rows together: one to three milliseconds */
#define RE_WORK_A_STEP 4u               /* of a regular language, about as long as a step */
#define RE_WORK_MAX ((uint32_t)1 << 15) /* of one question to a regular language */
#define HEAVY_STEPS 5000u               /* of one part .. */
#define HEAVY_MEMORY ((size_t)1 << 20)  /* .. which more is granted to, to find out whether it is refused: */
#define REFUSAL_STEPS_MAX 30000u
#define REFUSAL_MEMORY_MAX ((size_t)16 << 20)

typedef struct encounter { /* goals, and how they were met */
    const arti_goals *goals;
    size_t from; /* index of the encounter whose values these are part of; 0: the root */
    arti_object_shape
        *shape; /* those of names that are in no pattern or in one only, if there are any; NULL: surely reached */
    uint64_t matches;
} encounter;

typedef struct preparation {
    art_schema *s;
    uint64_t re_work; /* that was counted as steps */
    encounter *queue;
    size_t n, cap;
    encounter now;   /* what is met next, but for its goals */
    arti_conj *conj; /* of one member or item, over the alternatives and what it may be counted by */
    size_t n_conj, conj_cap;
    uint64_t languages[LANGUAGES_MAX]; /* where they start */
    uint32_t n_languages;
} preparation;

/* One step more; false when they are used up, or on a fault. */
static bool go_on(preparation *p) {
    arti_norm *m = p->s->norm;
    const uint64_t work = arti_re_work_done(p->s->re);
    m->n_steps += 1 + (work - p->re_work) / RE_WORK_A_STEP;
    p->re_work = work;
    return m->n_steps < m->steps_end && !arti_faulted(p->s);
}

static bool meet(preparation *p, const arti_goals *g) {
    art_schema *s = p->s;
    if (!g || g->is_met) return !arti_faulted(s);
    if (!arti_vec_reserve(&s->mem, (void **)&p->queue, &p->cap, p->n + 1, sizeof *p->queue)) return arti_fault_mem(s);
    ((arti_goals *)g)->is_met = true;
    p->queue[p->n] = p->now;
    p->queue[p->n++].goals = g;
    return true;
}

/* One more thing that may be asked of the member or item. */
static bool add_conj(preparation *p, arti_conj c) {
    if (c == ARTI_CONJ_FAIL) return false;
    if (c == ARTI_CONJ_NEVER) return true;
    if (!arti_vec_reserve(&p->s->mem, (void **)&p->conj, &p->conj_cap, p->n_conj + 1, sizeof *p->conj))
        return arti_fault_mem(p->s);
    p->conj[p->n_conj++] = c;
    return true;
}

/* Of a member that may meet some conditions of its object: whichever it meets. */
static bool add_member(preparation *p, const arti_object_shape *o, arti_conj c, uint32_t some) {
    bool ok = add_conj(p, c);
    for (uint32_t sub = some; sub && ok && c != ARTI_CONJ_NEVER; sub = (sub - 1) & some)
        ok = go_on(p) && add_conj(p, arti_some_conj(p->s, o, c, sub));
    return ok;
}

static bool meet_added(preparation *p, const arti_goals **met) {
    const arti_goals *g = p->n_conj ? arti_goals_of(p->s, p->conj, (uint32_t)p->n_conj) : NULL;
    p->n_conj = 0;
    if (met) *met = g;
    return meet(p, g);
}

/* The value of name i, as long as all alternatives live. */
static bool prepare_name(preparation *p, arti_object_machine *m, uint32_t i) {
    p->n_conj = 0;
    for (uint32_t a = 0; a < m->n_alts; a++) {
        const arti_cell *c = go_on(p) ? arti_object_cell(p->s, m, a, i) : NULL;
        if (!c || !add_member(p, m->alts[a].shape, c->conj, c->some)) return false;
    }
    return meet_added(p, NULL);
}

/* Is there a name, among those that a shape does not mention, that matches just these patterns? */
static bool has_name(art_schema *s, arti_object_shape *o, uint64_t matches) {
    const arti_class_list *classes = arti_object_classes(s, o);
    bool found = false;
    for (uint32_t i = 0; classes && i < classes->n; i++) found |= classes->at[i]->matches == matches;
    return found;
}

/* Values of other keys: those that are in no pattern, or in one only. */
static bool prepare_others(preparation *p, arti_object_machine *m) {
    for (uint32_t a = 0; a < m->n_alts; a++) {
        if (m->alts[a].extra_part == ARTI_EXTRA_NONE) continue;
        arti_object_shape *o = m->alts[a].shape;
        for (uint32_t k = 0; k <= o->n_pats; k++) {
            const uint64_t matches = k ? UINT64_C(1) << (k - 1) : 0;
            const arti_extra_class *c = go_on(p) ? arti_object_extra_class(p->s, o, matches) : NULL;
            if (!c) return false;
            p->now.shape = o;
            p->now.matches = matches;
            p->n_conj = 0;
            if (add_member(p, o, c->conj, c->some) && meet_added(p, NULL)) continue;
            art_error e;
            arti_fault_take(p->s, &e);
            if (has_name(p->s, o, matches) && !arti_faulted(p->s)) p->s->fault = e;
            if (arti_faulted(p->s)) return false;
        }
    }
    return true;
}

static bool prepare_object(preparation *p, const arti_goals *g) {
    arti_object_machine *m = arti_goals_object(p->s, g);
    if (!m) return !arti_faulted(p->s);
    for (uint32_t i = 0; i < m->n_names; i++)
        if (!prepare_name(p, m, i)) return false;
    return prepare_others(p, m);
}

static bool prepare_array(preparation *p, const arti_goals *g) {
    static const uint32_t none[ARTI_CONTAINS_MAX];
    const arti_array_machine *m = arti_goals_array(p->s, g);
    if (!m) return !arti_faulted(p->s);
    uint32_t n_items = 0;
    for (uint32_t a = 0; a < m->n_alts; a++) { /* those further on are all alike */
        const arti_array_shape *shape = m->alts[a].shape;
        if (shape->n_prefix > n_items) n_items = shape->n_prefix;
        for (uint32_t k = 0; k < shape->n_contains; k++)
            if (shape->contains[k].start > n_items) n_items = shape->contains[k].start;
    }
    bool any = true;
    for (uint32_t i = 0; i <= n_items && i < ITEMS_MAX && any; i++) {
        const arti_goals *item;
        any = false;
        p->n_conj = 0;
        for (uint32_t a = 0; a < m->n_alts; a++) {
            arti_array_shape *shape = m->alts[a].shape;
            if (i >= shape->max) continue;
            const uint32_t watched = arti_item_watched(shape, i, none);
            for (uint32_t sub = watched;; sub = (sub - 1) & watched) {
                const arti_conj c = go_on(p) ? arti_item_counted(p->s, shape, i, sub) : ARTI_CONJ_FAIL;
                if (!add_conj(p, c)) return false;
                any |= arti_conj_len(p->s, c) != ARTI_LEN_NONE;
                if (!sub) break;
            }
        }
        if (!meet_added(p, &item)) return false;
        if (item && m->unique) ((arti_goals *)item)->must_differ = true;
    }
    return true;
}

/* What encounter i is about. */
static bool prepare_goals(preparation *p, size_t i) {
    art_schema *s = p->s;
    const arti_goals *g = p->queue[i].goals;
    p->now = (encounter){.from = i};
    for (int t = 0; t < ARTI_N_TYPES; t++) {
        const arti_goal_type *gt = go_on(p) ? arti_goals_type(s, g, (arti_type)t) : NULL;
        if (!gt) return false;
        if (gt->n_alts == 0) continue;
        bool ok = true;
        switch ((arti_type)t) {
        case ARTI_T_STRING: ok = arti_goals_text(s, g) != NULL; break;
        case ARTI_T_ARRAY: ok = prepare_array(p, g); break;
        case ARTI_T_OBJECT: ok = prepare_object(p, g); break;
        default: break;
        }
        if (!ok) return false;
    }
    return true;
}

/* Texts as they are written under formats, and so under many patterns. */
static const char *const usual_texts[] = {
    "^[a-z]",
    "2024-01-31T12:30:45.123Z",
    "2024-01-01T00:00:00+00:00",
    "https://www.example.com/path/to/page?query=1#part",
    "john.doe@example.com",
    "123e4567-e89b-12d3-a456-426614174000",
    "2024-01-31",
    "www.example.com",
    "12:30:45Z",
    "192.168.100.12",
    "2001:db8::1",
    "/path/to/0",
    "P1Y2M3DT4H5M6S",
    "1.10.2",
};

/* Does the language have the text? */
static bool has_text(art_schema *s, const arti_part *part, arti_re_state q, const char *text, bool *has) {
    const size_t len = strlen(text);
    const arti_re_state end = arti_re_run(s->re, q, (const uint8_t *)text, len);
    if (end == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "pattern");
    *has = arti_part_accepts(s, part, end, (uint32_t)len);
    return true;
}

/* The rows of the states along a text. */
static bool prepare_path(preparation *p, arti_walk *w, const arti_part *part, arti_re_state q, const uint8_t *text,
                         size_t len, uint32_t *row) {
    art_schema *s = p->s;
    uint32_t n_cp = 0;
    const uint32_t n_made = w->n_made;
    for (size_t i = 0; i < len && w->n_made - n_made < PATH_ROWS_MAX; i++) {
        const arti_re_state from = q;
        arti_re_state lang;
        q = arti_re_step(s->re, q, text[i]);
        if (q == ARTI_RE_FAIL) return arti_fault_re(s, NULL, 0, "pattern");
        n_cp += (text[i] & 0xC0u) != 0x80u;
        if (q == from || (text[i] & 0x80u)) continue;
        if (!arti_lang_unbounded(w, part, q, n_cp, &lang)) return false;
        if (lang == ARTI_RE_DEAD) continue;
        if (arti_re_is_open(s->re, lang)) return true;
        s->norm->n_steps += PATH_STEPS;
        if (!go_on(p) || (!arti_lang_row(w, lang, row) && arti_faulted(s))) return false;
    }
    return true;
}

/* Along texts that the language is likely to have been made for: usual ones, else a shortest. */
static bool prepare_paths(preparation *p, arti_walk *w, const arti_part *part, arti_re_state q, uint32_t *row) {
    art_schema *s = p->s;
    uint8_t text[PATH_BYTES_MAX];
    size_t len;
    uint32_t n_usual = 0;
    for (size_t i = 0; i < sizeof usual_texts / sizeof *usual_texts && n_usual < PATHS_MAX; i++) {
        bool has = false;
        if (!has_text(s, part, q, usual_texts[i], &has)) return false;
        if (!has) continue;
        n_usual++;
        if (!prepare_path(p, w, part, q, (const uint8_t *)usual_texts[i], strlen(usual_texts[i]), row)) return false;
    }
    if (n_usual) return true;
    const art_status st = arti_re_witness(s->re, q, part->lo, part->hi, text, sizeof text, &len);
    if (st == ART_OK) return prepare_path(p, w, part, q, text, len, row);
    return st == ART_E_LIMIT || st == ART_REJECTED || arti_fault_re(s, NULL, 0, "pattern");
}

/* The row of tokens that begin a text of the language, and how it ends, and if that was known nowhere, rows further on; else the states that texts before a closing quote lead to. */
static bool prepare_language(preparation *p, arti_walk *w, const arti_part *part, uint32_t *row) {
    art_schema *s = p->s;
    const art_vocab *v = w->v;
    uint64_t q;
    arti_re_state lang;
    if (part->kind != ARTI_PART_TERM || part->only_checked) return true;
    if (!arti_part_start(s, part, ARTI_WORLD_BOTH, &q)) return false;
    for (uint32_t i = 0; i < p->n_languages; i++)
        if (p->languages[i] == q) return true;
    if (p->n_languages == LANGUAGES_MAX || q == ARTI_RE_DEAD) return true;
    p->languages[p->n_languages++] = q;
    s->norm->n_steps += LANGUAGE_STEPS;
    if (!go_on(p) || !arti_lang_unbounded(w, part, q, 0, &lang)) return false;
    if (lang != ARTI_RE_DEAD && !arti_re_is_open(s->re, lang)) {
        const uint32_t n_made = w->n_made;
        if (!arti_lang_row(w, lang, row)) return !arti_faulted(s);
        return w->n_made == n_made || prepare_paths(p, w, part, (arti_re_state)q, row);
    }
    const uint64_t enough = arti_re_work_done(s->re) + LANGUAGE_WORK_MAX;
    for (uint32_t h = 0; h < v->n_heads && arti_re_work_done(s->re) < enough; h++)
        if (arti_re_run(s->re, (arti_re_state)q, v->bytes + v->heads[h].bytes, v->heads[h].len) == ARTI_RE_FAIL)
            return arti_fault_re(s, NULL, 0, "pattern");
    return true;
}

/* Of strings that must differ: do they ever run out? Masks within them ask for that. */
static bool prepare_endless(preparation *p, const arti_text_machine *texts) {
    for (uint32_t i = 0; i < texts->n_parts; i++) {
        const arti_part *part = &texts->parts[i];
        uint64_t q;
        if (part->kind != ARTI_PART_TERM || part->only_checked || part->hi != UINT32_MAX) continue;
        if (!go_on(p) || !arti_part_start(p->s, part, ARTI_WORLD_BOTH, &q)) return false;
        if (q != ARTI_RE_DEAD) arti_unique_is_endless(p->s, (arti_re_state)q);
    }
    return !arti_faulted(p->s);
}

/* Languages of the strings and of the keys that were met. */
static bool prepare_languages(preparation *p, arti_walk *w) {
    uint32_t *row = arti_walk_begin(w) ? arti_region_get(w->x->region, w->v->n_words * sizeof *row) : NULL;
    bool ok = row != NULL;
    w->nodes_max = NODES_MAX;
    for (size_t i = 0; ok && i < p->n; i++) {
        const arti_text_machine *texts = p->queue[i].goals->type[ARTI_T_STRING].machine;
        const arti_object_machine *keys = p->queue[i].goals->type[ARTI_T_OBJECT].machine;
        for (uint32_t k = 0; ok && texts && k < texts->n_parts; k++) ok = prepare_language(p, w, &texts->parts[k], row);
        if (texts && p->queue[i].goals->must_differ) ok = ok && prepare_endless(p, texts);
        for (uint32_t k = 0; ok && keys && k < keys->n_parts; k++) ok = prepare_language(p, w, &keys->parts[k], row);
    }
    return ok;
}

/* ------------------------------------------------------------------ refusals */

/* Is there a name that leads to encounter i? */
static bool is_reached(preparation *p, size_t i) {
    for (; i > 0; i = p->queue[i].from) {
        const encounter *e = &p->queue[i];
        if (e->shape && !has_name(p->s, e->shape, e->matches)) return false;
    }
    return true;
}

/* Encounter i met a fault. *refused: outputs will meet it too, whatever they spend. Else the fault is gone, and i is prepared or, which false
 * stands for, can not be. */
static bool try_with_more(preparation *p, size_t i, size_t memory_max, bool *refused) {
    art_schema *s = p->s;
    arti_norm *m = s->norm;
    const uint64_t steps_end = m->steps_end;
    const size_t memory_end = s->mem.max, spare = memory_max ? (memory_max - s->mem.used) / 2 : REFUSAL_MEMORY_MAX;
    const uint32_t n_refused = s->mem.n_refused;
    arti_fault_take(s, NULL);
    arti_re_limit_work(s->re, ARTI_RE_WORK_MAX);
    m->steps_end = m->n_steps + REFUSAL_STEPS_MAX;
    s->mem.max = s->mem.used + (spare < REFUSAL_MEMORY_MAX ? spare : REFUSAL_MEMORY_MAX);
    bool ok = is_reached(p, i);
    if (ok) {
        ok = prepare_goals(p, i);
        *refused = arti_faulted(s) && s->mem.n_refused == n_refused && m->n_steps < m->steps_end;
    }
    if (!*refused) arti_fault_take(s, NULL);
    m->steps_end = steps_end;
    s->mem.max = memory_end;
    arti_re_limit_work(s->re, RE_WORK_MAX);
    return ok && s->mem.used < memory_end && m->n_steps < steps_end;
}

arti_prepared arti_prepare(art_schema *s, arti_conj root, uint64_t steps_max, arti_walk *w) {
    arti_norm *m = s->norm;
    const uint64_t first = m->n_steps;
    const size_t memory_max = s->mem.max, spare = memory_max ? (memory_max - s->mem.used) / 4 : MEMORY_MAX;
    s->mem.max = s->mem.used + (spare < MEMORY_MAX ? spare : MEMORY_MAX);
    m->steps_end = first + steps_max;
    arti_re_limit_work(s->re, RE_WORK_MAX);
    preparation p = {.s = s, .re_work = arti_re_work_done(s->re)};
    arti_prepared out = {0};
    bool ok = meet(&p, arti_goals_of(s, &root, 1));
    for (; ok && out.n_goals < p.n; out.n_goals++) {
        const uint64_t n_steps = m->n_steps;
        const size_t used = s->mem.used;
        const uint32_t n_refused = s->mem.n_refused;
        ok = prepare_goals(&p, out.n_goals);
        if (ok || !arti_faulted(s)) continue;
        const bool in_budget = s->mem.n_refused == n_refused && m->n_steps < m->steps_end;
        if (in_budget || m->n_steps - n_steps >= HEAVY_STEPS || s->mem.used - used >= HEAVY_MEMORY)
            ok = try_with_more(&p, out.n_goals, memory_max, &out.is_refused);
    }
    if (ok && w) ok = prepare_languages(&p, w);
    for (size_t i = 0; i < p.n; i++) ((arti_goals *)p.queue[i].goals)->is_met = false;
    arti_free(&s->mem, p.queue, p.cap * sizeof *p.queue);
    arti_free(&s->mem, p.conj, p.conj_cap * sizeof *p.conj);
    arti_re_limit_work(s->re, ARTI_RE_WORK_MAX);
    m->steps_end = UINT64_MAX;
    s->mem.max = memory_max;
    s->mem.over_limit = false;
    if (!out.is_refused) arti_fault_take(s, NULL);
    out.n_steps = m->n_steps - first;
    out.is_complete = ok;
    return out;
}
