/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "art_bits.h"
#include "art_dialog.h"
#include "digits_run.h"

static harness heap;
static art_alloc alloc;
static uint64_t seed = 0x9E3779B97F4A7C15u;

enum { TOKEN_EOS, TOKEN_BEGIN, TOKEN_END, FIRST_TEXT };

/* Control tokens, every printable byte, and tokens that straddle all that a dialogue is made of. */
static art_vocab *make_vocab(void) {
    static const char *const words[] = {"<tool",
                                        "_call>",
                                        "<tool_call>",
                                        "</tool_call>",
                                        "<think>",
                                        "</think>",
                                        "x<tool_call>",
                                        "call>\n{\"name\": \"",
                                        "{\"name\": \"",
                                        "add",
                                        "add_all",
                                        "\", \"arguments\": ",
                                        "\"arg",
                                        "{1",
                                        "{12}",
                                        "}}",
                                        "}}\n",
                                        "}}\n</tool",
                                        "}, ",
                                        "}},\n",
                                        "}\n]</tool_call>",
                                        ">[\n",
                                        "<tool_call>[\n{",
                                        "12",
                                        "34}",
                                        "hello ",
                                        "<t",
                                        "<<",
                                        "</",
                                        "k>",
                                        "k>12",
                                        ">\n\n<tool_call>",
                                        "\n\n",
                                        "}\n</tool_call>\n<tool_call>\n{\"name\": \"sub"};
    static uint8_t bytes[4096];
    static uint32_t offsets[256];
    uint32_t n = 0, at = 0;
    for (; n < FIRST_TEXT; n++) offsets[n] = 0;
    for (int c = 9; c < 127; c++) {
        if (c > 10 && c < 32) continue;
        offsets[n++] = at;
        bytes[at++] = (uint8_t)c;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        offsets[n++] = at;
        memcpy(bytes + at, words[i], strlen(words[i]));
        at += (uint32_t)strlen(words[i]);
    }
    offsets[n] = at;
    art_vocab *v;
    uint32_t eos = TOKEN_EOS;
    assert(art_vocab_new(bytes, offsets, n, &eos, 1, &alloc, &v, NULL) == ART_OK);
    return v;
}

static art_str str(const char *s) {
    return (art_str){s, strlen(s)};
}

typedef enum form { HERMES, HERMES_TOKENS, SMOLLM2, BARE } form;

static art_dialog_spec make_spec(form f, const art_dialog_tool *tools, size_t n_tools, bool reasoning) {
    art_dialog_spec s = {.name_prefix = str("{\"name\": \""),
                         .args_prefix = str("\", \"arguments\": "),
                         .call_suffix = str("}"),
                         .tools = tools,
                         .n_tools = n_tools,
                         .calls_max = 3};
    if (f == SMOLLM2) {
        s.begin = str("<tool_call>[\n"), s.separator = str(",\n"), s.end = str("\n]</tool_call>");
    } else if (f == BARE) { /* a call ends where its arguments do */
        s.begin = str("[CALLS]"), s.name_prefix = str(""), s.args_prefix = str("[ARGS]"), s.call_suffix = str("");
    } else {
        s.begin = str("<tool_call>"), s.name_prefix = str("\n{\"name\": \""), s.call_suffix = str("}\n"),
        s.between = str("\n"), s.end = str("</tool_call>");
        if (f == HERMES_TOKENS) s.begin_token = TOKEN_BEGIN, s.end_token = TOKEN_END;
    }
    if (reasoning) s.reasoning_open = str("<think>"), s.reasoning_close = str("</think>");
    return s;
}

typedef struct world {
    art_vocab *v;
    art_constraint *braces, *digits;
    art_dialog_tool tools[4];
} world;

static world make_world(void) {
    world w = {.v = make_vocab()};
    w.braces = digits_new(true, w.v, &alloc);
    w.digits = digits_new(false, w.v, &alloc);
    w.tools[0] = (art_dialog_tool){str("sub"), w.braces};
    w.tools[1] = (art_dialog_tool){str("add"), w.braces};
    w.tools[2] = (art_dialog_tool){str("add_all"), w.digits};
    w.tools[3] = (art_dialog_tool){str("a"), w.braces};
    return w;
}

static void free_world(world *w) {
    art_constraint_free(w->braces);
    art_constraint_free(w->digits);
    art_vocab_free(w->v);
}

static art_matcher *start(const world *w, const art_dialog_spec *spec) {
    art_constraint *c;
    art_error err;
    art_status s = art_constraint_dialog(spec, w->v, &alloc, &c, &err);
    if (s != ART_OK) fprintf(stderr, "%s\n", err.msg);
    assert(s == ART_OK && art_constraint_memory(c) > 0);
    art_matcher *m;
    assert(art_matcher_new(c, &m, NULL) == ART_OK);
    art_constraint_free(c); /* the matcher keeps it */
    return m;
}

/* --- events as a readable string: T(text) R(reasoning) M(markup) N(name) A2(args) V(value) [S2] [E2] */

typedef struct trace {
    char bytes[4096]; /* everything fed so far */
    size_t n_bytes;
    char text[8192];
    size_t len;
    uint32_t open_kind, open_tool;
} trace;

static void trace_spans(trace *t, art_matcher *m, size_t own) {
    static const char letters[] = "TRMNAV";
    size_t n, held = art_matcher_held(m);
    const art_span *s = art_matcher_spans(m, &n);
    assert(held <= t->n_bytes);
    const char *first = t->bytes + t->n_bytes - held;
    uint32_t end = 0;
    t->n_bytes += own;
    for (size_t i = 0; i < n; i++) {
        assert(s[i].start == end && s[i].start + s[i].len <= held + own);
        end = s[i].start + s[i].len;
        if (s[i].kind >= ART_SPAN_CALL_START) {
            assert(s[i].len == 0);
            t->len += (size_t)sprintf(t->text + t->len, "%s[%c%u]", t->open_kind != UINT32_MAX ? ")" : "",
                                      s[i].kind == ART_SPAN_CALL_START ? 'S' : 'E', s[i].tool);
            t->open_kind = UINT32_MAX;
            continue;
        }
        assert(s[i].len > 0);
        if (t->open_kind != s[i].kind || t->open_tool != s[i].tool) {
            if (t->open_kind != UINT32_MAX) t->text[t->len++] = ')';
            t->text[t->len++] = letters[s[i].kind];
            if (s[i].kind == ART_SPAN_ARGS) t->len += (size_t)sprintf(t->text + t->len, "%u", s[i].tool);
            t->text[t->len++] = '(';
            t->open_kind = s[i].kind, t->open_tool = s[i].tool;
        }
        memcpy(t->text + t->len, first + s[i].start, s[i].len);
        t->len += s[i].len;
    }
}

static void feed_bytes(trace *t, art_matcher *m, const char *p, size_t len) {
    size_t taken;
    memcpy(t->bytes + t->n_bytes, p, len);
    art_status s = art_matcher_accept_bytes(m, (const uint8_t *)p, len, &taken);
    if (s != ART_OK || taken != len)
        fprintf(stderr, "refused at %zu of \"%.*s\" after \"%.*s\"\n", taken, (int)len, p, (int)t->n_bytes, t->bytes);
    assert(s == ART_OK && taken == len);
    trace_spans(t, m, len);
}

static void finish(trace *t, art_matcher *m) {
    assert(art_matcher_is_complete(m) == 1);
    assert(art_matcher_accept(m, TOKEN_EOS) == ART_OK && art_matcher_is_ended(m));
    trace_spans(t, m, 0);
    if (t->open_kind != UINT32_MAX) t->text[t->len++] = ')';
    t->text[t->len] = 0;
}

/* Whatever the chunks, the events are the same. */
static void expect_events(const world *w, const art_dialog_spec *spec, const char *turn, const char *events) {
    art_matcher *m = start(w, spec);
    for (int round = 0; round < 40; round++) {
        static trace t;
        t.n_bytes = t.len = 0;
        t.open_kind = UINT32_MAX;
        assert(art_matcher_reset(m) == ART_OK);
        for (size_t i = 0, len = strlen(turn), n; i < len; i += n) {
            n = round == 0 ? len : round == 1 ? 1 : 1 + harness_random(&seed) % (round % 2 ? 3 : 20);
            if (n > len - i) n = len - i;
            feed_bytes(&t, m, turn + i, n);
        }
        finish(&t, m);
        if (strcmp(t.text, events) != 0) {
            fprintf(stderr, "want %s\ngot  %s\n", events, t.text);
            assert(0);
        }
    }
    art_matcher_free(m);
}

static void test_events(const world *w) {
    art_dialog_spec hermes = make_spec(HERMES, w->tools, 4, true), smol = make_spec(SMOLLM2, w->tools, 4, false),
                    bare = make_spec(BARE, w->tools, 4, false);
    expect_events(w, &hermes, "", "");
    expect_events(w, &hermes, "just < text <tool_cal", "T(just < text <tool_cal)");
    expect_events(w, &hermes, "<thin ice", "T(<thin ice)");
    expect_events(w, &hermes, "<think>a</thin</think>b", "M(<think>)R(a</thin)M(</think>)T(b)");
    expect_events(w, &hermes, "hi <<tool_call>\n{\"name\": \"add\", \"arguments\": {12}}\n</tool_call>",
                  "T(hi <)M(<tool_call>\n{\"name\": \")N(add)M(\", \"arguments\": )[S1]A1({12})[E1]M(}\n</tool_call>)");
    expect_events(w, &hermes,
                  "<think></think><tool_call>\n{\"name\": \"a\", \"arguments\": "
                  "{1}}\n</tool_call>\n<tool_call>\n{\"name\": \"add_all\", \"arguments\": 7}\n</tool_call>",
                  "M(<think></think><tool_call>\n{\"name\": \")N(a)M(\", \"arguments\": "
                  ")[S3]A3({1})[E3]M(}\n</tool_call>\n<tool_call>\n{\"name\": \")N(add_all)M(\", "
                  "\"arguments\": )[S2]A2(7)[E2]M(}\n</tool_call>)");
    expect_events(w, &smol,
                  "<tool_call>[\n{\"name\": \"sub\", \"arguments\": {1}},\n{\"name\": \"add\", \"arguments\": "
                  "{22}}\n]</tool_call>",
                  "M(<tool_call>[\n{\"name\": \")N(sub)M(\", \"arguments\": )[S0]A0({1})[E0]M(},\n{\"name\": "
                  "\")N(add)M(\", \"arguments\": )[S1]A1({22})[E1]M(}\n]</tool_call>)");
    expect_events(w, &smol, "<tool_call> is text", "T(<tool_call> is text)");
    expect_events(w, &bare, "t[CALLS]a[ARGS]{1}[CALLS]sub[ARGS]{2}",
                  "T(t)M([CALLS])N(a)M([ARGS])[S3]A3({1})[E3]M([CALLS])N(sub)M([ARGS])[S0]A0({2})[E0]");
    hermes.choice = ART_CHOICE_REQUIRED;
    expect_events(w, &hermes, "<think>x</think>\n <tool_call>\n{\"name\": \"a\", \"arguments\": {1}}\n</tool_call>",
                  "M(<think>)R(x)M(</think>\n <tool_call>\n{\"name\": \")N(a)M(\", \"arguments\": "
                  ")[S3]A3({1})[E3]M(}\n</tool_call>)");
    hermes.choice = ART_CHOICE_AUTO;
    hermes.value = w->digits;
    expect_events(w, &hermes, "123", "V(123)");
    expect_events(w, &hermes, "<think></think>\n\n123", "M(<think></think>\n\n)V(123)");
    hermes.choice = ART_CHOICE_NONE;
    expect_events(w, &hermes, "9", "V(9)");
    hermes.value = NULL;
    expect_events(w, &hermes, "no call", "T(no call)");
}

static void expect_refusal(const world *w, const art_dialog_spec *spec, const char *turn, size_t at) {
    art_matcher *m = start(w, spec);
    size_t taken = 0;
    art_status s = art_matcher_accept_bytes(m, (const uint8_t *)turn, strlen(turn), &taken);
    if (s != ART_REJECTED || taken != at) fprintf(stderr, "%s: %d at %zu, not %zu\n", turn, s, taken, at);
    assert(s == ART_REJECTED && taken == at);
    art_matcher_free(m);
}

static void test_refusals(const world *w) {
    art_dialog_spec hermes = make_spec(HERMES, w->tools, 4, true);
    expect_refusal(w, &hermes, "<tool_call>\n{\"name\": \"add\", \"arguments\": {x", 42);
    expect_refusal(w, &hermes, "<tool_call>\n{\"name\": \"adx", 24);
    expect_refusal(w, &hermes, "<tool_call>x", 11);
    expect_refusal(w, &hermes, "<tool_call>\n{\"name\": \"a\", \"arguments\": {1}}\n</tool_call>text", 56);
    hermes.calls_max = 1;
    expect_refusal(w, &hermes, "<tool_call>\n{\"name\": \"a\", \"arguments\": {1}}\n</tool_call>\n", 56);
    hermes.choice = ART_CHOICE_NONE;
    expect_refusal(w, &hermes, "text <tool_call>", 15);
    hermes.choice = ART_CHOICE_REQUIRED;
    expect_refusal(w, &hermes, "text", 0);
    expect_refusal(w, &hermes, "<think></think>         <", 15 + ART_DIALOG_GAP_MAX);
    art_dialog_spec smol = make_spec(SMOLLM2, w->tools, 4, false);
    smol.calls_max = 1;
    expect_refusal(w, &smol, "<tool_call>[\n{\"name\": \"a\", \"arguments\": {1}},", 44);
    /* After a refused byte the arguments may still go on. */
    hermes.calls_max = 2;
    art_matcher *m = start(w, &hermes);
    size_t taken;
    const char *turn = "<tool_call>\n{\"name\": \"add_all\", \"arguments\": 1x";
    assert(art_matcher_accept_bytes(m, (const uint8_t *)turn, strlen(turn), &taken) == ART_REJECTED &&
           taken == strlen(turn) - 1);
    assert(art_matcher_accept_bytes(m, (const uint8_t *)"2}", 2, &taken) == ART_OK);
    art_matcher_free(m);
}

/* --- masks, forced bytes, shortest ends, undo: on random walks */

static void check_state(art_matcher *m, const art_vocab *v, uint32_t *words) {
    uint32_t n_allowed, n = 0;
    uint8_t forced[256];
    size_t n_forced;
    assert(art_matcher_fill_mask(m, words, v->n_words, &n_allowed, NULL) == ART_OK);
    assert(art_matcher_forced(m, forced, sizeof forced, &n_forced) == ART_OK);
    if (n_forced) assert(!art_matcher_is_complete(m));
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        bool bit = arti_bits_test(words, id), allowed = art_matcher_allows(m, id) == ART_OK;
        if (bit != allowed) {
            size_t len;
            const uint8_t *p = arti_vocab_bytes(v, id, &len);
            fprintf(stderr, "token %u \"%.*s\": mask %d, allows %d\n", id, (int)len, p, bit, allowed);
            assert(0);
        }
        n += allowed;
        size_t len;
        const uint8_t *p = arti_vocab_bytes(v, id, &len);
        if (allowed && n_forced && len) assert(memcmp(p, forced, len < n_forced ? len : n_forced) == 0);
        if (allowed && n_forced) assert(id >= FIRST_TEXT);
    }
    assert(n_allowed == (n < 2 ? n : 2));
    assert(n > 0 || art_matcher_is_ended(m)); /* no dead ends */
    if (art_matcher_is_closed(m) == 1 && !art_matcher_is_ended(m)) assert(n == 1 && art_matcher_is_complete(m) == 1);
    if (art_matcher_is_ended(m)) return;
    uint8_t end[512];
    size_t len, taken;
    assert(art_matcher_shortest(m, end, sizeof end, &len) == ART_OK && len == art_matcher_shortest_len(m));
    if (n_forced) assert(len >= n_forced && memcmp(end, forced, n_forced) == 0);
    assert((len == 0) == (art_matcher_is_complete(m) == 1));
    if (len > 1) assert(art_matcher_shortest(m, end, len - 1, &taken) == ART_E_LIMIT && taken == len);
    art_matcher *copy;
    assert(art_matcher_copy(m, &copy, NULL) == ART_OK);
    assert(art_matcher_accept_bytes(copy, end, len, &taken) == ART_OK && art_matcher_is_complete(copy) == 1);
    art_matcher_free(copy);
}

static uint32_t pick(const art_vocab *v, const uint32_t *words, bool prefer_marked) {
    for (int tries = 0;; tries++) {
        uint32_t id = (uint32_t)(harness_random(&seed) % v->n_tokens);
        if (!arti_bits_test(words, id)) continue;
        if (prefer_marked && tries < 300) { /* the interesting ones are few among the letters */
            size_t len;
            const uint8_t *p = arti_vocab_bytes(v, id, &len);
            if (len && p[0] != '<' && p[0] != '{' && len < 3) continue;
        }
        return id;
    }
}

static void random_walks(const world *w, const art_dialog_spec *spec, int rounds) {
    art_matcher *m = start(w, spec);
    uint32_t words[16], again[16], stack[16][16];
    for (int round = 0; round < rounds; round++) {
        assert(art_matcher_reset(m) == ART_OK);
        int depth = 0;
        for (int step = 0; step < 40; step++) {
            check_state(m, w->v, words);
            memcpy(stack[depth % 16], words, sizeof words);
            uint32_t id = pick(w->v, words, harness_random(&seed) % 4 != 0);
            if (id == TOKEN_EOS && step < 30) id = pick(w->v, words, true);
            assert(art_matcher_accept(m, id) == ART_OK);
            depth++;
            if (art_matcher_is_ended(m)) {
                check_state(m, w->v, words);
                assert(art_matcher_rollback(m, 1) == ART_OK);
                depth--;
                break;
            }
            if (harness_random(&seed) % 8 == 0) { /* back a few steps: the masks of then */
                int back = 1 + (int)(harness_random(&seed) % 5);
                if (back > depth) back = depth;
                assert(art_matcher_rollback(m, (size_t)back) == ART_OK);
                depth -= back;
                assert(art_matcher_fill_mask(m, again, w->v->n_words, NULL, NULL) == ART_OK);
                assert(memcmp(again, stack[depth % 16], w->v->n_words * 4) == 0);
            }
        }
        assert(art_matcher_rollback(m, (size_t)depth + 1) == ART_E_ARG);
    }
    art_matcher_free(m);
}

static void test_walks(const world *w) {
    for (int f = HERMES; f <= BARE; f++)
        for (int choice = ART_CHOICE_AUTO; choice <= ART_CHOICE_NONE; choice++)
            for (int extra = 0; extra < 6; extra++) {
                art_dialog_spec s = make_spec((form)f, w->tools, extra == 5 ? 1 : 4, extra & 1);
                s.choice = (art_choice)choice;
                if (extra & 2) s.value = extra & 1 ? w->braces : w->digits;
                random_walks(w, &s, 5);
            }
}

static void test_control_tokens(const world *w) {
    art_dialog_spec s = make_spec(HERMES_TOKENS, w->tools, 4, false);
    art_matcher *m = start(w, &s);
    static trace t;
    t.open_kind = UINT32_MAX;
    feed_bytes(&t, m, "a <tool", 7);
    assert(art_matcher_accept(m, TOKEN_END) == ART_REJECTED);
    assert(art_matcher_accept(m, TOKEN_BEGIN) == ART_OK);
    trace_spans(&t, m, 0);
    feed_bytes(&t, m, "\n{\"name\": \"add\", \"arguments\": {5}}\n", 35);
    uint8_t forced[32];
    size_t n;
    assert(art_matcher_forced(m, forced, sizeof forced, &n) == ART_OK && n == 0);
    assert(art_matcher_accept(m, TOKEN_BEGIN) == ART_REJECTED);
    assert(art_matcher_accept(m, TOKEN_END) == ART_OK);
    trace_spans(&t, m, 0);
    finish(&t, m);
    assert(strcmp(t.text, "T(a <tool)M(\n{\"name\": \")N(add)M(\", \"arguments\": )[S1]A1({5})[E1]M(}\n)") == 0);
    assert(art_matcher_rollback(m, 5) == ART_OK && art_matcher_is_complete(m) == 1 && !art_matcher_is_ended(m));
    art_matcher_free(m);
    s.choice = ART_CHOICE_NONE;
    m = start(w, &s);
    assert(art_matcher_accept(m, TOKEN_BEGIN) == ART_REJECTED);
    art_matcher_free(m);
}

static void test_long_turn(const world *w) {
    art_dialog_spec s = make_spec(HERMES, w->tools, 4, false);
    art_matcher *m = start(w, &s);
    size_t taken;
    for (unsigned i = 0; i < ART_ROLLBACK_MAX + 100; i++)
        assert(art_matcher_accept_bytes(m, (const uint8_t *)"t", 1, &taken) == ART_OK);
    assert(art_matcher_rollback(m, ART_ROLLBACK_MAX + 1) == ART_E_ARG);
    assert(art_matcher_rollback(m, 50) == ART_OK);
    for (unsigned i = 0; i < 60; i++)
        assert(art_matcher_accept_bytes(m, (const uint8_t *)"<tool_ca", 8, &taken) == ART_OK);
    art_matcher *copy;
    assert(art_matcher_copy(m, &copy, NULL) == ART_OK);
    assert(art_matcher_rollback(copy, 1) == ART_OK && art_matcher_rollback(copy, ART_ROLLBACK_MAX - 1) == ART_OK);
    assert(art_matcher_accept_bytes(copy, (const uint8_t *)"<tool_call>\n", 12, &taken) == ART_OK);
    art_matcher_free(copy);
    art_matcher_free(m);
}

static void expect_bad(const world *w, const art_dialog_spec *s, art_status want) {
    art_constraint *c;
    art_error err;
    assert(art_constraint_dialog(s, w->v, &alloc, &c, &err) == want && !c && err.code == want);
}

static void test_bad_specs(const world *w) {
    art_dialog_spec ok = make_spec(HERMES, w->tools, 4, true), s;
    art_dialog_tool twice[2] = {w->tools[0], w->tools[0]}, empty[1] = {{str(""), w->braces}},
                    none[1] = {{str("x"), NULL}};
    s = ok, s.tools = twice, s.n_tools = 2, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.tools = empty, s.n_tools = 1, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.tools = none, s.n_tools = 1, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.n_tools = 0, s.choice = ART_CHOICE_REQUIRED, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.begin = str(""), expect_bad(w, &s, ART_E_ARG);
    s = ok, s.reasoning_close = str(""), expect_bad(w, &s, ART_E_ARG);
    s = ok, s.reasoning_open = str("<tool_call>x"), expect_bad(w, &s, ART_E_ARG);
    s = ok, s.choice = (art_choice)7, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.calls_max = ART_DIALOG_CALLS_MAX + 1, expect_bad(w, &s, ART_E_LIMIT);
    s = ok, s.begin_token = (int32_t)w->v->n_tokens, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.end.len = ART_DIALOG_STR_MAX + 1, expect_bad(w, &s, ART_E_ARG);
    s = ok, s.separator = str("</tool_call>"), expect_bad(w, &s, ART_E_ARG);
    s = ok, s.n_tools = ART_DIALOG_TOOLS_MAX + 1, expect_bad(w, &s, ART_E_LIMIT);
    art_constraint *other = digits_new(true, NULL, &alloc);
    s = ok, s.value = other, expect_bad(w, &s, ART_E_ARG);
    art_constraint_free(other);
}

static bool whole_life(const world *w) {
    art_dialog_spec s = make_spec(SMOLLM2, w->tools, 4, false);
    art_constraint *c = NULL;
    art_matcher *m = NULL, *copy = NULL;
    art_error err;
    static const char turn[] =
        "hi <tool_call>[\n{\"name\": \"add\", \"arguments\": {5}},\n{\"name\": \"a\", \"arguments\": {1";
    size_t taken;
    uint32_t words[16];
    uint8_t buf[64];
    bool ok = art_constraint_dialog(&s, w->v, &alloc, &c, &err) == ART_OK && art_matcher_new(c, &m, &err) == ART_OK &&
              art_matcher_accept_bytes(m, (const uint8_t *)turn, 5, &taken) == ART_OK &&
              art_matcher_accept_bytes(m, (const uint8_t *)turn + 5, sizeof turn - 6, &taken) == ART_OK &&
              art_matcher_fill_mask(m, words, 16, NULL, &err) == ART_OK &&
              art_matcher_forced(m, buf, sizeof buf, &taken) == ART_OK && art_matcher_copy(m, &copy, &err) == ART_OK &&
              art_matcher_rollback(m, 2) == ART_OK;
    art_matcher_free(copy);
    art_matcher_free(m);
    art_constraint_free(c);
    return ok;
}

static bool fails_cleanly(void) { /* with a world of its own, so that nothing else is live */
    long budget = heap.budget;
    heap.budget = -1;
    world w = make_world();
    heap.budget = budget;
    bool ok = whole_life(&w);
    budget = heap.budget;
    free_world(&w);
    heap.budget = budget;
    return ok;
}

int main(void) {
    alloc = harness_alloc(&heap);
    world w = make_world();
    assert(arti_constraint_is_dialog(w.braces) == false);
    test_events(&w);
    test_refusals(&w);
    test_control_tokens(&w);
    test_walks(&w);
    test_long_turn(&w);
    test_bad_specs(&w);
    free_world(&w);
    assert(heap.live == 0);
    FAIL_EVERY_ALLOCATION(&heap, fails_cleanly());
    return 0;
}
