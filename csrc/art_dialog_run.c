/* SPDX-License-Identifier: Apache-2.0
 *
 * One turn being written: phases, spans, masks, ends. The machine is described in art_dialog.h. */
#include "art_bits.h"
#include "art_dialog_impl.h"
#include "art_undo.h"
#include "art_vocab.h"

typedef enum phase { PH_TEXT, PH_REASON, PH_GAP, PH_HEAD, PH_LIT, PH_NAME, PH_ARGS, PH_VALUE, PH_DONE } phase;

#define OPEN_DEAD UINT32_MAX

typedef struct state {
    uint8_t phase;
    uint8_t cands; /* PH_LIT, PH_HEAD: literals still possible */
    uint8_t n_gap; /* PH_GAP */
    uint8_t reserved;
    uint32_t kmp;     /* PH_TEXT, PH_REASON: bytes of the marker at the end of what was written */
    uint32_t open;    /* PH_TEXT: all of the turn so far is this many bytes of reasoning_open; or OPEN_DEAD */
    uint32_t pos;     /* bytes of the literal, or of name and args_prefix */
    uint32_t lo, hi;  /* PH_NAME: tools still possible */
    uint32_t tool;    /* PH_ARGS: sorted index */
    uint32_t n_calls; /* begun */
    uint32_t run;     /* active sub-run: index + 1; 0: none */
    uint32_t held;    /* bytes not yet covered by spans */
} state;

typedef struct sub_run {
    arti_run *run;
    uint32_t n_steps;
} sub_run;

typedef struct record { /* what undoing a step restores */
    state st;
    uint32_t n_subs, sub_steps;
} record;

typedef struct dialog_run {
    arti_run base;
    dialog *d;
    arti_mem mem;
    state st;
    sub_run *subs;
    size_t n_subs, cap_subs;
    arti_undo past; /* records */
    art_span *spans;
    size_t n_spans, cap_spans;
    uint32_t at, covered; /* within held bytes + this accept: next byte, end of the last span */
    uint32_t last_held;
    bool is_quiet;    /* no spans: a look ahead */
    arti_run *failed; /* sub-run that had the last error */
} dialog_run;

static void start_step(dialog_run *r) {
    r->n_spans = 0;
    r->last_held = r->st.held;
    r->at = r->st.held;
    r->covered = 0;
}

static bool push_span(dialog_run *r, art_span_kind kind, uint32_t tool, uint32_t start, uint32_t len) {
    if (r->is_quiet) return true;
    art_span *last = r->n_spans ? &r->spans[r->n_spans - 1] : NULL;
    if (last && len && last->kind == (uint32_t)kind && last->tool == tool && last->start + last->len == start) {
        last->len += len;
        return true;
    }
    if (!arti_vec_reserve(&r->mem, (void **)&r->spans, &r->cap_spans, r->n_spans + 1, sizeof *r->spans)) return false;
    r->spans[r->n_spans++] = (art_span){(uint32_t)kind, tool, start, len};
    return true;
}

/* Covers everything up to `end` that no span covers yet. */
static bool cover(dialog_run *r, art_span_kind kind, uint32_t tool, uint32_t end) {
    uint32_t start = r->covered;
    if (end <= start) return true;
    r->covered = end;
    return push_span(r, kind, tool, start, end - start);
}

static bool mark(dialog_run *r, art_span_kind kind, uint32_t tool) {
    return push_span(r, kind, tool, r->covered, 0);
}

/* --- sub-runs */

static arti_run *active(const dialog_run *r) {
    return r->st.run ? r->subs[r->st.run - 1].run : NULL;
}

static art_status open_sub(dialog_run *r, art_constraint *c) {
    if (!arti_vec_reserve(&r->mem, (void **)&r->subs, &r->cap_subs, r->n_subs + 1, sizeof *r->subs)) return ART_E_NOMEM;
    sub_run *sub = &r->subs[r->n_subs];
    sub->n_steps = 0;
    art_status s = c->ops->run_new(c, true, &sub->run, NULL);
    if (s == ART_OK) r->st.run = (uint32_t)++r->n_subs;
    return s;
}

static void drop_subs(dialog_run *r, size_t keep) {
    while (r->n_subs > keep) {
        arti_run *run = r->subs[--r->n_subs].run;
        if (r->failed == run) r->failed = NULL;
        run->ops->free(run);
    }
}

static art_status step_sub(dialog_run *r, const uint8_t *bytes, size_t len, size_t *taken) {
    sub_run *sub = &r->subs[r->st.run - 1];
    const arti_run_ops *ops = sub->run->ops;
    *taken = 0;
    art_status s = ops->step(sub->run, bytes, len, taken);
    /* A trial is held to what the constraint wants written, as its masks are (ART_WS_SPACED); what is accepted is not. */
    if (r->is_quiet && *taken && s < ART_E_ARG) {
        size_t n = *taken;
        art_status undone = ops->undo(sub->run, 1);
        if (undone == ART_OK && !ops->allows(sub->run, bytes, n)) {
            *taken = 0;
            return ART_REJECTED;
        }
        if (undone == ART_OK) undone = ops->step(sub->run, bytes, n, taken);
        if (undone != ART_OK) s = undone;
    }
    if (*taken) sub->n_steps++;
    if (s >= ART_E_ARG) r->failed = sub->run;
    return s;
}

static record remember(const dialog_run *r) {
    return (record){r->st, (uint32_t)r->n_subs, r->st.run ? r->subs[r->st.run - 1].n_steps : 0};
}

static art_status restore(dialog_run *r, const record *was) {
    art_status s = ART_OK;
    drop_subs(r, was->n_subs);
    r->st = was->st;
    if (was->st.run) {
        sub_run *sub = &r->subs[was->st.run - 1];
        if (sub->n_steps > was->sub_steps) s = sub->run->ops->undo(sub->run, sub->n_steps - was->sub_steps);
        sub->n_steps = was->sub_steps;
    }
    return s;
}

/* --- transitions */

static uint32_t kmp_next(const marker *m, uint32_t k, uint8_t byte) {
    if (m->len == 0) return 0;
    while (k && (k == m->len || m->p[k] != byte)) k = m->fail[k];
    return m->p[k] == byte ? k + 1 : 0;
}

static void enter_literals(dialog_run *r, uint32_t cands, uint32_t pos);

/* Where a turn is decided that is not text: reasoning, calls or a value. */
static art_status enter_head(dialog_run *r, bool may_reason) {
    const dialog *d = r->d;
    uint32_t cands = (may_reason && d->lit[LIT_OPEN].len ? BIT(LIT_OPEN) : 0) | (d->has_calls ? BIT(LIT_BEGIN) : 0);
    if (!d->value) {
        enter_literals(r, cands, 0);
        return ART_OK;
    }
    r->st.phase = cands ? PH_HEAD : PH_VALUE;
    r->st.cands = (uint8_t)cands;
    r->st.pos = 0;
    return open_sub(r, d->value);
}

static void enter_text(dialog_run *r, bool may_reason) {
    r->st.phase = PH_TEXT;
    r->st.kmp = 0;
    r->st.open = may_reason && r->d->lit[LIT_OPEN].len ? 0 : OPEN_DEAD;
}

/* A literal was written whole. */
static void finish_literal(dialog_run *r, unsigned lit) {
    state *st = &r->st;
    switch (lit) {
    case LIT_OPEN:
        st->phase = PH_REASON;
        st->kmp = 0;
        break;
    case LIT_END:
        if (r->d->is_list || st->n_calls >= r->d->calls_max)
            st->phase = PH_DONE;
        else
            enter_literals(r, BIT(LIT_MORE), 0);
        break;
    default: /* LIT_BEGIN, LIT_SEP, LIT_MORE: a call begins */
        st->phase = PH_NAME;
        st->n_calls++;
        st->pos = 0;
        st->lo = 0;
        st->hi = r->d->n_tools;
        break;
    }
}

static void enter_literals(dialog_run *r, uint32_t cands, uint32_t pos) {
    state *st = &r->st;
    st->phase = PH_LIT;
    st->cands = (uint8_t)cands;
    st->pos = pos;
    for (unsigned lit = 0; lit < LIT_COUNT; lit++)
        if (cands & BIT(lit) && pos == r->d->lit[lit].len) { /* prefix-free: the only one */
            finish_literal(r, lit);
            return;
        }
}

static uint32_t after_args(const dialog_run *r) {
    return BIT(LIT_END) | (r->d->is_list && r->st.n_calls < r->d->calls_max ? BIT(LIT_SEP) : 0);
}

/* Arguments are complete: what follows is a literal. */
static bool leave_args(dialog_run *r) {
    if (!mark(r, ART_SPAN_CALL_END, r->d->tools[r->st.tool].index)) return false;
    r->st.run = 0;
    enter_literals(r, after_args(r), 0);
    return true;
}

static uint32_t narrow_literals(const dialog *d, uint32_t cands, uint32_t pos, uint8_t byte) {
    uint32_t left = 0;
    for (unsigned lit = 0; lit < LIT_COUNT; lit++)
        if (cands & BIT(lit) && pos < d->lit[lit].len && d->lit[lit].p[pos] == byte) left |= BIT(lit);
    return left;
}

/* Keeps the tools of [lo, hi) whose byte at pos is `byte`: all have the same pos bytes before. */
static void narrow_tools(const dialog *d, uint32_t pos, uint8_t byte, uint32_t *lo, uint32_t *hi) {
    uint32_t ends[2];
    for (int side = 0; side < 2; side++) { /* first with a byte >= `byte`, first with a byte > `byte` */
        uint32_t a = *lo, b = *hi;
        while (a < b) {
            uint32_t mid = a + (b - a) / 2;
            uint8_t at = d->tools[mid].p[pos];
            if (at < byte || (side && at == byte))
                a = mid + 1;
            else
                b = mid;
        }
        ends[side] = a;
    }
    *lo = ends[0], *hi = ends[1];
}

static art_status feed_text(dialog_run *r, uint8_t byte) {
    const dialog *d = r->d;
    state *st = &r->st;
    const literal *open = &d->lit[LIT_OPEN];
    uint32_t k = kmp_next(&d->begin, st->kmp, byte);
    if (d->begin.len && k == d->begin.len) {
        if (!d->has_calls) return ART_REJECTED;
        bool ok =
            cover(r, ART_SPAN_TEXT, UINT32_MAX, r->at + 1 - k) && cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1);
        st->held = 0;
        enter_literals(r, BIT(LIT_BEGIN), d->begin.len);
        return ok ? ART_OK : ART_E_NOMEM;
    }
    st->kmp = k;
    st->held = k;
    if (st->open != OPEN_DEAD) {
        st->open = open->p[st->open] == byte ? st->open + 1 : OPEN_DEAD;
        if (st->open == open->len) {
            bool ok = cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1);
            st->held = 0;
            finish_literal(r, LIT_OPEN);
            return ok ? ART_OK : ART_E_NOMEM;
        }
        if (st->open != OPEN_DEAD) st->held = st->open;
    }
    return cover(r, ART_SPAN_TEXT, UINT32_MAX, r->at + 1 - st->held) ? ART_OK : ART_E_NOMEM;
}

static art_status feed_reason(dialog_run *r, uint8_t byte) {
    const marker *close = &r->d->close;
    state *st = &r->st;
    uint32_t k = kmp_next(close, st->kmp, byte);
    st->kmp = k;
    st->held = k == close->len ? 0 : k;
    if (!cover(r, ART_SPAN_REASONING, UINT32_MAX, r->at + 1 - k)) return ART_E_NOMEM;
    if (k < close->len) return ART_OK;
    if (!cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1)) return ART_E_NOMEM;
    if (r->d->has_text) {
        enter_text(r, false);
    } else {
        st->phase = PH_GAP;
        st->n_gap = 0;
    }
    return ART_OK;
}

/* A value or a literal, one byte at a time until only one of them is left. */
static art_status feed_head(dialog_run *r, uint8_t byte) {
    state *st = &r->st;
    size_t taken;
    uint32_t left = narrow_literals(r->d, st->cands, st->pos, byte);
    art_status s = step_sub(r, &byte, 1, &taken);
    if (s != ART_OK && s != ART_REJECTED) return s;
    if (!left && !taken) return ART_REJECTED;
    bool ok = true;
    st->pos++;
    st->held++;
    if (!taken) {
        st->run = 0;
        st->held = 0;
        ok = cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1);
        enter_literals(r, left, st->pos);
    } else if (!left) {
        st->phase = PH_VALUE;
        st->held = 0;
        ok = cover(r, ART_SPAN_VALUE, UINT32_MAX, r->at + 1);
    } else {
        st->cands = (uint8_t)left;
        for (unsigned lit = 0; lit < LIT_COUNT; lit++)
            if (left & BIT(lit) &&
                st->pos == r->d->lit[lit].len) { /* a whole literal wins over a value that begins like it */
                st->run = 0;
                st->held = 0;
                ok = cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1);
                finish_literal(r, lit);
                break;
            }
    }
    return ok ? ART_OK : ART_E_NOMEM;
}

static art_status feed_name(dialog_run *r, uint8_t byte) {
    const dialog *d = r->d;
    state *st = &r->st;
    uint32_t lo = st->lo, hi = st->hi;
    narrow_tools(d, st->pos, byte, &lo, &hi);
    if (lo == hi) return ART_REJECTED;
    const dialog_tool *t = &d->tools[lo];
    bool in_name = st->pos < t->name_len;
    st->lo = lo, st->hi = hi;
    st->pos++;
    if (!cover(r, in_name ? ART_SPAN_NAME : ART_SPAN_MARKUP, UINT32_MAX, r->at + 1)) return ART_E_NOMEM;
    if (st->pos < t->len) return ART_OK;
    st->phase = PH_ARGS; /* prefix-free: the only one */
    st->tool = lo;
    if (!mark(r, ART_SPAN_CALL_START, t->index)) return ART_E_NOMEM;
    return open_sub(r, t->args);
}

/* Leaves arguments that may be complete because of a byte that is not theirs; nothing changes when it is refused. */
static art_status leave_args_by(dialog_run *r, uint8_t byte) {
    arti_run *sub = active(r);
    if (!sub->ops->is_complete(sub)) return ART_REJECTED;
    state was = r->st;
    size_t n_spans = r->n_spans;
    if (!leave_args(r)) return ART_E_NOMEM;
    if (r->st.phase == PH_LIT && narrow_literals(r->d, r->st.cands, r->st.pos, byte)) return ART_OK;
    r->st = was;
    r->n_spans = n_spans;
    return ART_REJECTED;
}

static art_status feed(dialog_run *r, const uint8_t *bytes, size_t len, size_t *taken);

/* The first byte after the whitespace behind reasoning; nothing changes when it is refused. */
static art_status leave_gap(dialog_run *r, uint8_t byte) {
    record was = remember(r);
    size_t taken;
    art_status s = enter_head(r, false);
    if (s == ART_OK) s = feed(r, &byte, 1, &taken); /* not in PH_GAP any more: no further nesting */
    if (s == ART_OK) return s;
    art_status undone = restore(r, &was);
    return undone != ART_OK ? undone : s;
}

/* Takes bytes from the current state; ART_OK when all were taken. */
static art_status feed(dialog_run *r, const uint8_t *bytes, size_t len, size_t *taken) {
    state *st = &r->st;
    art_status s = ART_OK;
    size_t i = 0, n;
    while (i < len && s == ART_OK) {
        n = 1; /* bytes that this round takes */
        switch (st->phase) {
        case PH_TEXT: s = feed_text(r, bytes[i]); break;
        case PH_REASON: s = feed_reason(r, bytes[i]); break;
        case PH_GAP:
            if (arti_dialog_is_space(bytes[i]) && st->n_gap < ART_DIALOG_GAP_MAX) {
                st->n_gap++;
                s = cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1) ? ART_OK : ART_E_NOMEM;
            } else {
                s = leave_gap(r, bytes[i]);
                n = 0;
                i += s == ART_OK; /* r->at has moved already */
            }
            break;
        case PH_HEAD: s = feed_head(r, bytes[i]); break;
        case PH_LIT: {
            uint32_t left = narrow_literals(r->d, st->cands, st->pos, bytes[i]);
            if (!left) {
                s = ART_REJECTED;
                break;
            }
            if (!cover(r, ART_SPAN_MARKUP, UINT32_MAX, r->at + 1)) s = ART_E_NOMEM;
            enter_literals(r, left, st->pos + 1);
            break;
        }
        case PH_NAME: s = feed_name(r, bytes[i]); break;
        case PH_ARGS:
        case PH_VALUE: {
            bool is_args = st->phase == PH_ARGS;
            art_status stepped = step_sub(r, bytes + i, len - i, &n);
            if (stepped >= ART_E_ARG) {
                s = stepped;
                break;
            }
            if (n && !cover(r, is_args ? ART_SPAN_ARGS : ART_SPAN_VALUE,
                            is_args ? r->d->tools[st->tool].index : UINT32_MAX, r->at + (uint32_t)n)) {
                s = ART_E_NOMEM;
                break;
            }
            i += n; /* taken even when the byte behind them is refused */
            r->at += (uint32_t)n;
            n = 0;
            if (is_args && active(r)->ops->is_closed(active(r)))
                s = leave_args(r) ? ART_OK : ART_E_NOMEM;
            else if (i < len)
                s = is_args ? leave_args_by(r, bytes[i]) : ART_REJECTED;
            break;
        }
        default: s = ART_REJECTED; break;
        }
        if (s == ART_OK) i += n, r->at += (uint32_t)n;
    }
    *taken = i;
    return s;
}

/* --- operations */

static dialog_run *self(arti_run *r) {
    return (dialog_run *)r;
}

static art_status run_step(arti_run *base, const uint8_t *bytes, size_t len, size_t *taken) {
    dialog_run *r = self(base);
    record was = remember(r);
    start_step(r);
    art_status s = feed(r, bytes, len, taken);
    if (*taken && s <= ART_REJECTED && arti_undo_push(&r->mem, &r->past, &was)) return s;
    if (*taken && s <= ART_REJECTED) s = ART_E_NOMEM;
    *taken = 0;
    art_status undone = restore(r, &was);
    start_step(r);
    return undone != ART_OK ? undone : s;
}

static art_status run_step_token(arti_run *base, uint32_t token) {
    dialog_run *r = self(base);
    const dialog *d = r->d;
    record was = remember(r);
    state *st = &r->st;
    start_step(r);
    bool is_begin = token == d->lit[LIT_BEGIN].token && d->has_calls;
    art_status s = ART_REJECTED;
    if (st->phase == PH_ARGS && active(r)->ops->is_complete(active(r))) s = leave_args(r) ? ART_REJECTED : ART_E_NOMEM;
    if (st->phase == PH_TEXT && is_begin) {
        s = cover(r, ART_SPAN_TEXT, UINT32_MAX, st->held) ? ART_OK : ART_E_NOMEM;
        enter_literals(r, BIT(LIT_BEGIN), d->begin.len);
    } else if ((st->phase == PH_GAP || (st->phase == PH_HEAD && st->pos == 0)) && is_begin) {
        s = ART_OK;
        st->run = 0;
        enter_literals(r, BIT(LIT_BEGIN), d->begin.len);
    } else if (st->phase == PH_LIT) {
        for (unsigned lit = 0; lit < LIT_COUNT; lit++)
            if (st->cands & BIT(lit) && d->lit[lit].token == token && d->lit[lit].token_at == st->pos) {
                enter_literals(r, BIT(lit), st->pos + d->lit[lit].token_len);
                s = ART_OK;
                break;
            }
    }
    if (s == ART_OK) st->held = 0;
    if (s == ART_OK && !arti_undo_push(&r->mem, &r->past, &was)) s = ART_E_NOMEM;
    if (s == ART_OK) return ART_OK;
    art_status undone = restore(r, &was);
    start_step(r);
    return undone != ART_OK ? undone : s;
}

static bool run_is_complete(arti_run *base) {
    const dialog_run *r = self(base);
    switch (r->st.phase) {
    case PH_TEXT:
    case PH_DONE: return true;
    case PH_LIT: return r->st.cands == BIT(LIT_MORE) && r->st.pos == 0;
    case PH_ARGS: return r->d->lit[LIT_END].len == 0 && active(r)->ops->is_complete(active(r));
    case PH_VALUE: return active(r)->ops->is_complete(active(r));
    default: return false;
    }
}

static art_status run_end(arti_run *base) {
    dialog_run *r = self(base);
    record was = remember(r);
    start_step(r);
    if (!arti_undo_push(&r->mem, &r->past, &was)) return ART_E_NOMEM;
    if (!cover(r, ART_SPAN_TEXT, UINT32_MAX, r->st.held))
        return ART_E_NOMEM; /* only text is held where a turn may end */
    r->st.held = 0;
    return r->st.phase == PH_ARGS && !leave_args(r) ? ART_E_NOMEM : ART_OK;
}

static bool run_allows(arti_run *base, const uint8_t *bytes, size_t len) {
    dialog_run *r = self(base);
    record was = remember(r);
    uint32_t at = r->at, covered = r->covered;
    size_t taken;
    r->is_quiet = true;
    r->failed = NULL; /* what is refused without an error is to be told from what fails */
    art_status s = feed(r, bytes, len, &taken);
    restore(r, &was);
    r->is_quiet = false;
    r->at = at, r->covered = covered;
    return s == ART_OK;
}

static art_status run_undo(arti_run *base, size_t n) {
    dialog_run *r = self(base);
    if (n > r->past.n) return ART_E_ARG;
    if (n == 0) return ART_OK;
    /* Sub-runs are undone step by step so that each one that was active on the way gets its own steps back. */
    art_status s = ART_OK;
    for (; n && s == ART_OK; n--) s = restore(r, arti_undo_pop(&r->past));
    start_step(r);
    return s;
}

static bool run_is_closed(arti_run *base) {
    dialog_run *r = self(base);
    return r->st.phase == PH_DONE || (r->st.phase == PH_VALUE && active(r)->ops->is_closed(active(r)));
}

/* ------------------------------------------------------------------ masks */

/* Node that the bytes lead to from the root; 0 when no token begins with them. */
static uint32_t descend(const art_vocab *v, const uint8_t *p, uint32_t len) {
    if (len == 0) return 0;
    uint32_t node = v->root_child[p[0]];
    for (uint32_t i = 1; i < len && node; i++) {
        uint32_t kid = node + 1, end = v->node[node].next;
        while (kid < end && v->node[kid].byte != p[i]) kid = v->node[kid].next;
        node = kid < end ? kid : 0;
    }
    return node;
}

static void check_tokens(dialog_run *r, uint32_t *words, const uint32_t *ids, uint32_t n) {
    const art_vocab *v = r->d->base.vocab;
    for (uint32_t i = 0; i < n; i++) {
        size_t len;
        const uint8_t *bytes = arti_vocab_bytes(v, ids[i], &len);
        if (!run_allows(&r->base, bytes, len)) arti_bits_clear(words, ids[i]);
    }
}

static void check_prefixed(dialog_run *r, uint32_t *words, const uint8_t *p, uint32_t len) {
    const art_vocab *v = r->d->base.vocab;
    uint32_t node = descend(v, p, len);
    if (!node) return;
    uint32_t first = v->node[node].tok;
    check_tokens(r, words, v->order + first, v->node[v->node[node].next].tok - first);
}

/* Running text: every token but those that complete the marker and then go wrong. */
static void fill_running(dialog_run *r, uint32_t *words, const marker *m) {
    const art_vocab *v = r->d->base.vocab;
    arti_bits_copy(words, v->text_row, v->n_words);
    if (m->len == 0) return;
    for (uint32_t k = r->st.kmp;; k = m->fail[k]) {
        check_prefixed(r, words, m->p + k, m->len - k);
        if (k == 0) break;
    }
    check_tokens(r, words, m->inside, m->n_inside);
}

/* ORs the tokens that can be taken whole from the current state: the trie is walked as far as bytes are taken. */
static art_status walk(dialog_run *r, uint32_t *words) {
    const art_vocab *v = r->d->base.vocab;
    size_t size = ((size_t)v->token_len_max + 1) * sizeof(record);
    record *path = arti_realloc(&r->mem, NULL, 0, size);
    if (!path) return ART_E_NOMEM;
    art_status s = ART_OK;
    uint32_t depth = 0; /* path[k] is the state after k bytes; r stands at path[depth] */
    path[0] = remember(r);
    r->is_quiet = true;
    for (uint32_t i = 1; i < v->n_nodes && s <= ART_REJECTED;) {
        const arti_node *node = &v->node[i];
        uint32_t parent = node->depth - 1u;
        if (depth > parent) {
            s = restore(r, &path[parent]);
            depth = parent;
            if (s != ART_OK) break;
        }
        size_t taken;
        s = feed(r, &node->byte, 1, &taken);
        if (s != ART_OK) { /* what a refused byte changed is undone before the next one */
            art_status undone = restore(r, &path[depth]);
            if (undone != ART_OK) s = undone;
            i = node->next;
            continue;
        }
        path[++depth] = remember(r);
        arti_bits_set_ids(words, v->order + node->tok, v->node[i + 1].tok - node->tok);
        i++;
    }
    art_status undone = restore(r, &path[0]);
    r->is_quiet = false;
    arti_free(&r->mem, path, size);
    return s > ART_REJECTED ? s : undone;
}

static bool exit_allows(void *ud, const uint8_t *rest, size_t len) {
    dialog_run *r = ud;
    record was = remember(r);
    size_t taken;
    r->is_quiet = true;
    bool ok = leave_args(r) && feed(r, rest, len, &taken) == ART_OK;
    r->st = was.st; /* the active sub-run was not touched: it is being asked */
    drop_subs(r, was.n_subs);
    r->is_quiet = false;
    return ok;
}

static void set_token(const literal *lit, uint32_t *words) {
    if (lit->token != NO_TOKEN) arti_bits_set(words, lit->token);
}

static art_status fill_phase(dialog_run *r, uint32_t *words, art_error *err) {
    const dialog *d = r->d;
    state *st = &r->st;
    const art_vocab *v = d->base.vocab;
    switch (st->phase) {
    case PH_TEXT:
        fill_running(r, words, &d->begin);
        if (st->open != OPEN_DEAD)
            check_prefixed(r, words, d->lit[LIT_OPEN].p + st->open, d->lit[LIT_OPEN].len - st->open);
        if (d->has_calls) set_token(&d->lit[LIT_BEGIN], words);
        return ART_OK;
    case PH_REASON: fill_running(r, words, &d->close); return ART_OK;
    case PH_VALUE: return active(r)->ops->fill(active(r), words, NULL, err);
    case PH_ARGS: {
        arti_exit exit = {exit_allows, r, d->key ^ (r->st.n_calls * UINT64_C(0x9E3779B97F4A7C15))};
        exit.key |= 1;
        art_status s = active(r)->ops->fill(active(r), words, &exit, err);
        if (s == ART_OK && d->lit[LIT_END].token_at == 0 && active(r)->ops->is_complete(active(r)))
            set_token(&d->lit[LIT_END], words);
        return s;
    }
    case PH_HEAD: {
        art_status s = active(r)->ops->fill(active(r), words, NULL, err);
        if (s != ART_OK) return s;
        record was = remember(r);
        st->phase = PH_LIT; /* the value has been counted: now the literals alone */
        s = walk(r, words);
        st->phase = was.st.phase;
        if (st->pos == 0 && st->cands & BIT(LIT_BEGIN)) set_token(&d->lit[LIT_BEGIN], words);
        return s;
    }
    default: break;
    }
    arti_bits_zero(words, v->n_words);
    if (st->phase == PH_DONE) return ART_OK;
    if (st->phase == PH_GAP && d->has_calls) set_token(&d->lit[LIT_BEGIN], words);
    for (unsigned lit = 0; st->phase == PH_LIT && lit < LIT_COUNT; lit++)
        if (st->cands & BIT(lit) && d->lit[lit].token_at == st->pos) set_token(&d->lit[lit], words);
    return walk(r, words);
}

static art_status run_fill(arti_run *base, uint32_t *words, const arti_exit *exit, art_error *err) {
    (void)exit; /* a dialogue is never embedded */
    dialog_run *r = self(base);
    uint32_t at = r->at, covered = r->covered;
    art_status s = fill_phase(r, words, err);
    r->at = at, r->covered = covered;
    if (s == ART_E_NOMEM) arti_fail(err, s, 0, "out of memory");
    return s;
}

/* ------------------------------------------------------------------ forced bytes, shortest end */

static uint32_t common_prefix(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len, uint32_t from) {
    while (from < a_len && from < b_len && a[from] == b[from]) from++;
    return from;
}

/* The forced bytes of the present phase: lends them, or writes them to buf. */
static art_status forced_piece(dialog_run *r, uint8_t *buf, size_t cap, const uint8_t **piece, size_t *len) {
    const dialog *d = r->d;
    const state *st = &r->st;
    *len = 0;
    *piece = buf;
    if (st->phase == PH_ARGS || st->phase == PH_VALUE) return active(r)->ops->forced(active(r), buf, cap, len);
    if (st->phase == PH_NAME) {
        const dialog_tool *a = &d->tools[st->lo], *b = &d->tools[st->hi - 1];
        *piece = a->p + st->pos;
        *len = common_prefix(a->p, a->len, b->p, b->len, st->pos) - st->pos;
    } else if (st->phase == PH_LIT && !run_is_complete(&r->base)) {
        const literal *first = NULL;
        uint32_t end = 0;
        for (unsigned lit = 0; lit < LIT_COUNT; lit++) {
            if (!(st->cands & BIT(lit))) continue;
            const literal *l = &d->lit[lit];
            /* A control token and its spelling are two ways to go on: nothing is forced where both are open. */
            uint32_t stop = l->token != NO_TOKEN && st->pos <= l->token_at ? l->token_at : l->len;
            end = first ? common_prefix(first->p, end, l->p, stop, st->pos) : stop;
            if (!first) first = l;
        }
        *piece = first->p + st->pos;
        *len = end - st->pos;
    }
    if (*len > cap) *len = cap;
    return ART_OK;
}

static art_status run_forced(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    dialog_run *r = self(base);
    record was = remember(r);
    uint32_t at = r->at, covered = r->covered;
    art_status s = ART_OK;
    *len = 0;
    r->is_quiet = true;
    while (*len < cap) {
        const uint8_t *piece;
        size_t n, taken;
        s = forced_piece(r, buf + *len, cap - *len, &piece, &n);
        if (s != ART_OK || n == 0) break;
        if (piece != buf + *len) memcpy(buf + *len, piece, n);
        s = feed(r, buf + *len, n, &taken);
        if (s != ART_OK) break;
        *len += n;
    }
    art_status undone = restore(r, &was);
    r->is_quiet = false;
    r->at = at, r->covered = covered;
    return s != ART_OK ? s : undone;
}

typedef struct sink {
    uint8_t *buf;
    size_t cap, len;
} sink;

static void put(sink *s, const uint8_t *p, size_t n) {
    if (n && s->len < s->cap) memcpy(s->buf + s->len, p, n < s->cap - s->len ? n : s->cap - s->len);
    s->len += n;
}

static const dialog_tool *shortest_tool(const dialog *d, uint32_t lo, uint32_t hi) {
    const dialog_tool *best = &d->tools[lo];
    for (uint32_t i = lo + 1; i < hi; i++)
        if (d->tools[i].len + d->tools[i].shortest_len < best->len + best->shortest_len) best = &d->tools[i];
    return best;
}

/* A name, of which pos bytes are there, its arguments and the end. */
static void put_call(const dialog *d, uint32_t lo, uint32_t hi, uint32_t pos, sink *out) {
    const dialog_tool *t = shortest_tool(d, lo, hi);
    put(out, t->p + pos, t->len - pos);
    put(out, t->shortest, t->shortest_len);
    put(out, d->lit[LIT_END].p, d->lit[LIT_END].len);
}

/* From where reasoning has ended, in a turn that is not text. */
static void put_head(const dialog *d, sink *out) {
    if (d->value) {
        put(out, d->value_shortest, d->value_shortest_len);
        return;
    }
    put(out, d->lit[LIT_BEGIN].p, d->lit[LIT_BEGIN].len);
    put_call(d, 0, d->n_tools, 0, out);
}

static void put_reason(const dialog *d, uint32_t kmp, sink *out) {
    put(out, d->close.p + kmp, d->close.len - kmp);
    if (!d->has_text) put_head(d, out);
}

static void put_literal(const dialog *d, unsigned lit, uint32_t pos, sink *out) {
    put(out, d->lit[lit].p + pos, d->lit[lit].len - pos);
    if (lit == LIT_OPEN)
        put_reason(d, 0, out);
    else if (lit != LIT_END)
        put_call(d, 0, d->n_tools, 0, out);
}

static void put_shortest_literal(const dialog *d, uint32_t cands, uint32_t pos, sink *out) {
    size_t best_len = SIZE_MAX;
    unsigned best = 0;
    for (unsigned lit = 0; lit < LIT_COUNT; lit++) {
        if (!(cands & BIT(lit))) continue;
        sink count = {0};
        put_literal(d, lit, pos, &count);
        if (count.len < best_len) best_len = count.len, best = lit;
    }
    put_literal(d, best, pos, out);
}

static art_status put_sub(arti_run *sub, sink *out) {
    size_t need = sub->ops->shortest_len(sub), n = 0, room = out->len < out->cap ? out->cap - out->len : 0;
    if (need && need <= room) {
        art_status s = sub->ops->shortest(sub, out->buf + out->len, room, &n);
        if (s != ART_OK) return s;
    }
    out->len += need;
    return ART_OK;
}

static art_status put_shortest(dialog_run *r, sink *out) {
    const dialog *d = r->d;
    const state *st = &r->st;
    art_status s = ART_OK;
    if (run_is_complete(&r->base)) return ART_OK;
    switch (st->phase) {
    case PH_REASON: put_reason(d, st->kmp, out); break;
    case PH_GAP: put_head(d, out); break;
    case PH_NAME: put_call(d, st->lo, st->hi, st->pos, out); break;
    case PH_ARGS:
        s = put_sub(active(r), out);
        put(out, d->lit[LIT_END].p, d->lit[LIT_END].len);
        break;
    case PH_HEAD:
    case PH_VALUE: s = put_sub(active(r), out); break;
    default: put_shortest_literal(d, st->cands, st->pos, out); break;
    }
    return s;
}

static art_status run_shortest(arti_run *base, uint8_t *buf, size_t cap, size_t *len) {
    sink out = {buf, cap, 0};
    art_status s = put_shortest(self(base), &out);
    *len = out.len;
    return s != ART_OK ? s : out.len > cap ? ART_E_LIMIT : ART_OK;
}

static size_t run_shortest_len(arti_run *base) {
    sink out = {0};
    put_shortest(self(base), &out);
    return out.len;
}

/* ------------------------------------------------------------------ life of a run */

static void run_free(arti_run *base) {
    dialog_run *r = self(base);
    drop_subs(r, 0);
    arti_mem mem = r->mem;
    arti_free(&mem, r->subs, r->cap_subs * sizeof *r->subs);
    arti_undo_free(&mem, &r->past);
    arti_free(&mem, r->spans, r->cap_spans * sizeof *r->spans);
    arti_free(&mem, r, sizeof *r);
}

static art_status run_reset(arti_run *base) {
    dialog_run *r = self(base);
    drop_subs(r, 0);
    arti_undo_reset(&r->past);
    r->st = (state){0};
    art_status s = ART_OK;
    if (r->d->has_text)
        enter_text(r, true);
    else
        s = enter_head(r, true);
    start_step(r);
    return s;
}

static art_status run_copy(const arti_run *base, arti_run **out);

static const art_span *run_spans(const arti_run *base, size_t *n, size_t *held) {
    const dialog_run *r = (const dialog_run *)base;
    *n = r->n_spans;
    *held = r->last_held;
    return r->spans;
}

static art_status run_error(const arti_run *base, art_error *err) {
    const dialog_run *r = (const dialog_run *)base;
    return r->failed && r->failed->ops->error ? r->failed->ops->error(r->failed, err) : ART_OK;
}

static const arti_run_ops run_ops = {
    .free = run_free,
    .copy = run_copy,
    .reset = run_reset,
    .step = run_step,
    .allows = run_allows,
    .undo = run_undo,
    .fill = run_fill,
    .forced = run_forced,
    .is_complete = run_is_complete,
    .is_closed = run_is_closed,
    .shortest = run_shortest,
    .shortest_len = run_shortest_len,
    .spans = run_spans,
    .step_token = run_step_token,
    .end = run_end,
    .error = run_error,
};

static dialog_run *alloc_run(dialog *d) {
    arti_mem mem;
    arti_mem_init(&mem, &d->base.alloc, 0);
    dialog_run *r = arti_calloc(&mem, sizeof *r);
    if (!r) return NULL;
    r->mem = mem;
    r->base.ops = &run_ops;
    r->past.size = sizeof(record);
    r->d = d;
    return r;
}

static art_status run_copy(const arti_run *base, arti_run **out) {
    const dialog_run *from = (const dialog_run *)base;
    dialog_run *r = alloc_run(from->d);
    if (!r) return ART_E_NOMEM;
    art_status s = ART_OK;
    if ((from->n_subs && !arti_vec_reserve(&r->mem, (void **)&r->subs, &r->cap_subs, from->n_subs, sizeof *r->subs)) ||
        !arti_undo_copy(&r->mem, &r->past, &from->past))
        s = ART_E_NOMEM;
    for (; s == ART_OK && r->n_subs < from->n_subs; r->n_subs++) {
        sub_run *sub = &r->subs[r->n_subs];
        sub->n_steps = from->subs[r->n_subs].n_steps;
        s = from->subs[r->n_subs].run->ops->copy(from->subs[r->n_subs].run, &sub->run);
        if (s != ART_OK) break;
    }
    if (s != ART_OK) {
        run_free(&r->base);
        return s;
    }
    r->st = from->st;
    start_step(r);
    *out = &r->base;
    return ART_OK;
}

art_status arti_dialog_run_new(art_constraint *c, bool embedded, arti_run **out, art_error *err) {
    *out = NULL;
    if (embedded) return arti_fail(err, ART_E_ARG, 0, "a dialogue can not stand inside another one");
    dialog_run *r = alloc_run((dialog *)c);
    art_status s = r ? run_reset(&r->base) : ART_E_NOMEM;
    if (s != ART_OK) {
        if (r) run_free(&r->base);
        return arti_fail(err, s, 0, "a run can not be started: %s", art_status_name(s));
    }
    *out = &r->base;
    return ART_OK;
}
