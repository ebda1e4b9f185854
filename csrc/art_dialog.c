/* SPDX-License-Identifier: Apache-2.0
 *
 * A dialogue's constraint: the specification is checked, copied, and put into the form that runs read. */
#include "art_bits.h"
#include "art_dialog_impl.h"
#include "art_vocab.h"

static void dialog_free(art_constraint *c) {
    dialog *d = (dialog *)c;
    for (uint32_t i = 0; i < d->n_tools; i++) art_constraint_free(d->tools[i].args);
    art_constraint_free(d->value);
    art_vocab_free(d->base.vocab);
    arti_mem mem = d->mem;
    d->arena.mem = &mem;
    arti_arena_free(&d->arena);
    arti_free(&mem, d, sizeof *d);
}

static size_t dialog_memory(const art_constraint *c) {
    return ((const dialog *)c)->mem.used;
}

static const arti_constraint_ops dialog_ops = {arti_dialog_run_new, dialog_memory, dialog_free};

bool arti_constraint_is_dialog(const art_constraint *c) {
    return c->ops == &dialog_ops;
}

/* Joins up to three strings into the arena. */
static const uint8_t *join(dialog *d, const art_str *a, const art_str *b, const art_str *c, uint32_t *len) {
    const art_str *part[3] = {a, b, c};
    size_t n = 0;
    for (int i = 0; i < 3; i++) n += part[i] ? part[i]->len : 0;
    uint8_t *p = arti_arena_get(&d->arena, n + 1), *at = p;
    if (!p) return NULL;
    for (int i = 0; i < 3; i++) {
        if (!part[i] || !part[i]->len) continue;
        memcpy(at, part[i]->ptr, part[i]->len);
        at += part[i]->len;
    }
    *len = (uint32_t)n;
    return p;
}

static bool contains(const uint8_t *p, size_t len, const uint8_t *q, size_t n) {
    for (size_t i = 0; i + n <= len; i++)
        if (p[i] == q[0] && memcmp(p + i, q, n) == 0) return true;
    return false;
}

static bool make_marker(dialog *d, const art_str *text, marker *m) {
    m->p = join(d, text, NULL, NULL, &m->len);
    m->fail = arti_arena_zero(&d->arena, ((size_t)m->len + 1) * sizeof *m->fail);
    if (!m->p || !m->fail) return false;
    for (uint32_t i = 1, k = 0; i < m->len; i++) {
        while (k && m->p[k] != m->p[i]) k = m->fail[k];
        if (m->p[k] == m->p[i]) k++;
        m->fail[i + 1] = k;
    }
    const art_vocab *v = d->base.vocab;
    if (!v || m->len == 0) return true;
    for (int pass = 0; pass < 2; pass++) { /* count, then list */
        uint32_t n = 0;
        for (uint32_t i = 0; i < v->n_order; i++) {
            size_t len;
            const uint8_t *bytes = arti_vocab_bytes(v, v->order[i], &len);
            if (len < m->len || !contains(bytes, len, m->p, m->len)) continue;
            if (pass) m->inside[n] = v->order[i];
            n++;
        }
        if (pass == 0) {
            m->inside = arti_arena_get(&d->arena, ((size_t)n + 1) * sizeof *m->inside);
            if (!m->inside) return false;
        }
        m->n_inside = n;
    }
    return true;
}

static bool prefix_of(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len) {
    return a_len <= b_len && memcmp(a, b, a_len) == 0;
}

static bool ambiguous(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len) {
    return prefix_of(a, a_len, b, b_len) || prefix_of(b, b_len, a, a_len);
}

static uint64_t hash_bytes(uint64_t h, const void *p, size_t len) {
    for (size_t i = 0; i < len; i++) h = (h ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001B3);
    return h;
}

/* Shortest value of a constraint, in the arena. */
static art_status shortest_of(dialog *d, art_constraint *c, const uint8_t **out, size_t *len, art_error *err) {
    arti_run *run;
    art_status s = c->ops->run_new(c, true, &run, err);
    if (s != ART_OK) return s;
    *len = run->ops->shortest_len(run);
    uint8_t *p = arti_arena_get(&d->arena, *len + 1);
    s = p ? run->ops->shortest(run, p, *len, len) : ART_E_NOMEM;
    run->ops->free(run);
    *out = p;
    return s == ART_OK ? ART_OK : arti_fail(err, s, 0, "no shortest value: %s", art_status_name(s));
}

static art_status check_sub(const dialog *d, const art_constraint *c, const char *what, art_error *err) {
    if (!c) return arti_fail(err, ART_E_ARG, 0, "%s has no constraint", what);
    if (arti_constraint_is_dialog(c)) return arti_fail(err, ART_E_ARG, 0, "%s can not be a dialogue", what);
    if (c->vocab != d->base.vocab) return arti_fail(err, ART_E_ARG, 0, "%s is of another vocabulary", what);
    return ART_OK;
}

static void sift_down(dialog_tool *t, uint32_t i, uint32_t n) {
    for (;;) {
        uint32_t kid = 2 * i + 1;
        if (kid >= n) return;
        for (uint32_t k = kid; k < kid + 2 && k < n; k++) {
            const dialog_tool *a = &t[kid], *b = &t[k];
            int c = memcmp(a->p, b->p, a->len < b->len ? a->len : b->len);
            if (c < 0 || (c == 0 && a->len < b->len)) kid = k;
        }
        int c = memcmp(t[i].p, t[kid].p, t[i].len < t[kid].len ? t[i].len : t[kid].len);
        if (c > 0 || (c == 0 && t[i].len >= t[kid].len)) return;
        dialog_tool x = t[i];
        t[i] = t[kid], t[kid] = x;
        i = kid;
    }
}

static void sort_tools(dialog_tool *t, uint32_t n) { /* heap sort by bytes */
    for (uint32_t i = n / 2; i-- > 0;) sift_down(t, i, n);
    for (uint32_t last = n; last-- > 1;) {
        dialog_tool x = t[0];
        t[0] = t[last], t[last] = x;
        sift_down(t, 0, last);
    }
}

static art_status make_tools(dialog *d, const art_dialog_spec *spec, art_error *err) {
    if (spec->n_tools > ART_DIALOG_TOOLS_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "more than %u tools", ART_DIALOG_TOOLS_MAX);
    d->tools = arti_arena_zero(&d->arena, spec->n_tools * sizeof *d->tools);
    if (!d->tools) return arti_mem_fail(&d->mem, err);
    for (uint32_t i = 0; i < spec->n_tools; i++) {
        const art_dialog_tool *from = &spec->tools[i];
        if (from->name.len == 0 || from->name.len > ART_DIALOG_STR_MAX)
            return arti_fail(err, ART_E_ARG, 0, "the name of tool %u is empty or longer than %u bytes", i,
                             ART_DIALOG_STR_MAX);
        art_status s = check_sub(d, from->args, "a tool", err);
        if (s != ART_OK) return s;
        dialog_tool *t = &d->tools[d->n_tools++];
        t->args = arti_constraint_ref(from->args);
        t->index = i;
        t->name_len = (uint32_t)from->name.len;
        t->p = join(d, &from->name, &spec->args_prefix, NULL, &t->len);
        if (!t->p) return arti_mem_fail(&d->mem, err);
        s = shortest_of(d, t->args, &t->shortest, &t->shortest_len, err);
        if (s != ART_OK) return s;
    }
    sort_tools(d->tools, d->n_tools);
    for (uint32_t i = 1; i < d->n_tools; i++) {
        const dialog_tool *a = &d->tools[i - 1], *b = &d->tools[i];
        if (prefix_of(a->p, a->len, b->p, b->len))
            return arti_fail(err, ART_E_ARG, 0, "the tools \"%.*s\" and \"%.*s\" can not be told apart",
                             (int)a->name_len, (const char *)a->p, (int)b->name_len, (const char *)b->p);
    }
    return ART_OK;
}

/* The token as it is used: tokens that have bytes are ordinary spellings and need no rule of their own. */
static art_status control_token(const dialog *d, int32_t id, const char *what, uint32_t *out, art_error *err) {
    *out = NO_TOKEN;
    const art_vocab *v = d->base.vocab;
    if (id <= 0 || !v) return ART_OK;
    if ((uint32_t)id >= v->n_tokens || arti_bits_test(v->eos_row, (uint32_t)id))
        return arti_fail(err, ART_E_ARG, 0, "%s is no token, or ends the sequence", what);
    if (v->offsets[id + 1] == v->offsets[id]) *out = (uint32_t)id;
    return ART_OK;
}

static art_status make_literals(dialog *d, const art_dialog_spec *spec, art_error *err) {
    uint32_t begin_token, end_token;
    art_status s = control_token(d, spec->begin_token, "begin_token", &begin_token, err);
    if (s == ART_OK) s = control_token(d, spec->end_token, "end_token", &end_token, err);
    if (s != ART_OK) return s;
    const art_str *part[LIT_COUNT][3] = {
        [LIT_OPEN] = {&spec->reasoning_open},
        [LIT_BEGIN] = {&spec->begin, &spec->name_prefix},
        [LIT_SEP] = {&spec->call_suffix, &spec->separator, &spec->name_prefix},
        [LIT_END] = {&spec->call_suffix, &spec->end},
        [LIT_MORE] = {&spec->between, &spec->begin, &spec->name_prefix},
    };
    for (unsigned i = 0; i < LIT_COUNT; i++) {
        literal *l = &d->lit[i];
        l->token = NO_TOKEN;
        l->p = join(d, part[i][0], part[i][1], part[i][2], &l->len);
        if (!l->p) return arti_mem_fail(&d->mem, err);
    }
    d->lit[LIT_BEGIN].token = begin_token;
    d->lit[LIT_BEGIN].token_len = (uint32_t)spec->begin.len;
    d->lit[LIT_MORE].token = begin_token;
    d->lit[LIT_MORE].token_at = (uint32_t)spec->between.len;
    d->lit[LIT_MORE].token_len = (uint32_t)spec->begin.len;
    d->lit[LIT_END].token = end_token;
    d->lit[LIT_END].token_at = (uint32_t)spec->call_suffix.len;
    d->lit[LIT_END].token_len = (uint32_t)spec->end.len;
    if (!make_marker(d, &spec->begin, &d->begin) || !make_marker(d, &spec->reasoning_close, &d->close))
        return arti_mem_fail(&d->mem, err);
    return ART_OK;
}

static art_status check_spec(const dialog *d, const art_dialog_spec *spec, art_error *err) {
    const art_str *all[] = {&spec->begin,       &spec->name_prefix,    &spec->args_prefix,
                            &spec->call_suffix, &spec->separator,      &spec->between,
                            &spec->end,         &spec->reasoning_open, &spec->reasoning_close};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->len > ART_DIALOG_STR_MAX || (all[i]->len && !all[i]->ptr))
            return arti_fail(err, ART_E_ARG, 0, "a string of the dialogue is longer than %u bytes", ART_DIALOG_STR_MAX);
    if (spec->choice != ART_CHOICE_AUTO && spec->choice != ART_CHOICE_REQUIRED && spec->choice != ART_CHOICE_NONE)
        return arti_fail(err, ART_E_ARG, 0, "choice %d", (int)spec->choice);
    if (spec->calls_max > ART_DIALOG_CALLS_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "calls_max of more than %u", ART_DIALOG_CALLS_MAX);
    if (!spec->reasoning_open.len != !spec->reasoning_close.len)
        return arti_fail(err, ART_E_ARG, 0, "reasoning_open and reasoning_close belong together");
    if (spec->choice == ART_CHOICE_REQUIRED && !spec->n_tools)
        return arti_fail(err, ART_E_ARG, 0, "calls are required, but there are no tools");
    if (d->has_calls && !spec->begin.len) return arti_fail(err, ART_E_ARG, 0, "tools need a begin marker");
    return ART_OK;
}

static art_status check_ambiguity(const dialog *d, const art_dialog_spec *spec, art_error *err) {
    const literal *open = &d->lit[LIT_OPEN], *sep = &d->lit[LIT_SEP], *end = &d->lit[LIT_END];
    if (open->len && d->begin.len && ambiguous(open->p, open->len, d->begin.p, d->begin.len))
        return arti_fail(err, ART_E_ARG, 0, "begin and reasoning_open can not be told apart");
    if (d->has_calls && d->is_list && ambiguous(sep->p, sep->len, end->p, end->len))
        return arti_fail(err, ART_E_ARG, 0, "separator and end can not be told apart");
    if (d->has_calls && open->len && arti_dialog_is_space((uint8_t)spec->begin.ptr[0]))
        return arti_fail(err, ART_E_ARG, 0, "begin must not start with whitespace when there is reasoning before it");
    return ART_OK;
}

static art_status make_dialog(dialog *d, const art_dialog_spec *spec, art_error *err) {
    art_status s = check_spec(d, spec, err);
    if (s == ART_OK && spec->value && spec->choice != ART_CHOICE_REQUIRED) {
        s = check_sub(d, spec->value, "the value", err);
        if (s != ART_OK) return s;
        d->value = arti_constraint_ref(spec->value);
        s = shortest_of(d, d->value, &d->value_shortest, &d->value_shortest_len, err);
    }
    if (s == ART_OK) s = make_literals(d, spec, err);
    if (s == ART_OK && d->has_calls) s = make_tools(d, spec, err);
    if (s == ART_OK) s = check_ambiguity(d, spec, err);
    if (s != ART_OK) return s;
    d->has_text = !d->value && spec->choice != ART_CHOICE_REQUIRED;
    d->key = UINT64_C(0xCBF29CE484222325);
    for (unsigned i = 0; i < LIT_COUNT; i++) d->key = hash_bytes(hash_bytes(d->key, d->lit[i].p, d->lit[i].len), &i, 1);
    for (uint32_t i = 0; i < d->n_tools; i++) {
        d->key = hash_bytes(d->key, d->tools[i].p, d->tools[i].len);
        d->key = hash_bytes(d->key, &d->tools[i].args, sizeof d->tools[i].args);
    }
    d->key = hash_bytes(d->key, &d->calls_max, sizeof d->calls_max);
    return ART_OK;
}

art_status art_constraint_dialog(const art_dialog_spec *spec, art_vocab *vocab, const art_alloc *alloc,
                                 art_constraint **out, art_error *err) {
    *out = NULL;
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    dialog *d = arti_calloc(&mem, sizeof *d);
    if (!d) return arti_mem_fail(&mem, err);
    d->base.ops = &dialog_ops;
    atomic_init(&d->base.refs, 1u);
    d->base.vocab = vocab ? arti_vocab_ref(vocab) : NULL;
    d->base.alloc = mem.alloc;
    d->mem = mem;
    arti_arena_init(&d->arena, &d->mem);
    d->is_list = spec->separator.len > 0;
    d->has_calls = spec->n_tools > 0 && spec->choice != ART_CHOICE_NONE;
    d->calls_max = spec->calls_max ? spec->calls_max : ART_DIALOG_CALLS_DEFAULT;
    art_status s = make_dialog(d, spec, err);
    if (s != ART_OK) {
        dialog_free(&d->base);
        return s;
    }
    *out = &d->base;
    return ART_OK;
}
