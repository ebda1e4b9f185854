/* SPDX-License-Identifier: Apache-2.0
 *
 * The decode loop under a constraint, on a fake engine: whatever the model wants, what comes out is one of the strings allowed,
 * also when tokens run out; masks are computed only after a refusal; forced text is not sampled. */
#include "fake_engine.h"
#include "list_run.h"

#include "art_session.h"

static harness h;
static art_alloc alloc;
static fake_model fm;
static art_model *m;
static art_session *s;
static art_vocab *v;

static void open_all(const char *script, uint32_t n_ctx) {
    art_context_params cp = {.n_ctx = n_ctx, .n_batch = 16, .n_threads = 1};
    fm = fake_model_init(&alloc, script);
    assert(art_model_new(&fake_engine, &fm, &alloc, &m, NULL) == ART_OK);
    assert(art_session_new(m, &cp, &alloc, &s, NULL) == ART_OK);
    assert(art_model_vocab(m, &v, NULL) == ART_OK);
}

static void close_all(void) {
    art_vocab_free(v);
    art_session_free(s);
    art_model_free(m);
    assert(fm.freed && h.live == 0);
}

#define LIST(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static art_status begin(const char *const *list, size_t n, art_generate_params *p, const char *prompt, art_error *err) {
    art_constraint *c = list_constraint_new(list, n, v, &alloc);
    assert(c && art_matcher_new(c, &p->matcher, NULL) == ART_OK);
    art_constraint_free(c);
    int32_t ids[256];
    size_t len = fake_prompt(&fm, prompt, ids, 256);
    return art_session_start(s, ids, len, p, err);
}

static art_usage run(const char *const *list, size_t n, art_generate_params *p, fake_result *r) {
    assert(begin(list, n, p, "question", NULL) == ART_OK);
    fake_run(s, r);
    assert(r->status == ART_DONE);
    art_usage u;
    art_session_usage(s, &u);
    assert(r->n_tokens == u.completion_tokens && u.forced_tokens <= u.completion_tokens);
    return u;
}

static bool is_in(const char *const *list, size_t n, const char *text) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0) return true;
    return false;
}

static void test_refused_and_taken(void) {
    open_all("true", 128);
    fake_result r;
    art_generate_params p;
    art_generate_defaults(&p);
    art_usage u = run(LIST("true", "false"), &p, &r); /* what the model wants is allowed: no mask */
    assert(strcmp(r.text, "true") == 0 && r.stop == ART_STOP_COMPLETE && u.masks_computed == 0 &&
           u.completion_tokens == 1);
    close_all();
    open_all("maybe", 128);
    u = run(LIST("true", "false"), &p, &r);
    assert(is_in(LIST("true", "false"), r.text) && r.stop == ART_STOP_COMPLETE && u.masks_computed == 1);
    u = run(LIST("ma", "mayb", "maybeeeee"), &p, &r); /* goes the model's way as far as it leads */
    assert(strcmp(r.text, "maybeeeee") == 0);
    close_all();
    open_all("a", 128);
    u = run(LIST("a", "ab"), &p, &r); /* the end of turn where it is allowed */
    assert(strcmp(r.text, "a") == 0 && r.stop == ART_STOP_EOS && u.masks_computed == 0);
    u = run(LIST("ab", "ac"), &p, &r); /* and where it is not */
    assert(is_in(LIST("ab", "ac"), r.text) && r.stop == ART_STOP_COMPLETE && u.masks_computed == 1);
    close_all();
}

static void test_forced(void) {
    open_all("{\"name\": \"Hello\"}", 128);
    fake_result r;
    art_generate_params p;
    art_generate_defaults(&p);
    art_usage u = run(LIST("{\"name\": \"Hello\"}", "{\"name\": \" world\"}"), &p, &r);
    assert(strcmp(r.text, "{\"name\": \"Hello\"}") == 0 && r.stop == ART_STOP_COMPLETE && u.masks_computed == 0);
    /* {" name ": " | Hello | "}: only Hello is the model's choice, and what comes before it is evaluated with the prompt */
    assert(u.forced_tokens == 4 && u.completion_tokens == 5 && fm.n_evals == 1);
    p.fast_forward = 0;
    assert(art_session_reset(s, NULL) == ART_OK);
    u = run(LIST("{\"name\": \"Hello\"}", "{\"name\": \" world\"}"), &p, &r);
    assert(strcmp(r.text, "{\"name\": \"Hello\"}") == 0 && u.forced_tokens == 0 && u.completion_tokens == 5);
    assert(fm.n_evals == 1 + 5);
    close_all();

    /* "na" and "me\"" are tokens too: the spelling of forced text is the tokenizer's, and its end stays open. */
    open_all("name\"", 128);
    art_generate_defaults(&p);
    u = run(LIST("na", "name\""), &p, &r);
    assert(strcmp(r.text, "name\"") == 0 && u.forced_tokens == 0);
    close_all();

    /* A tokenizer that puts a space before everything is not asked twice. */
    open_all("x", 128);
    fm.prefix_space = true;
    u = run(LIST("Hello world12", "Hello world13"), &p, &r);
    assert(is_in(LIST("Hello world12", "Hello world13"), r.text) && u.forced_tokens == 2);
    close_all();
}

/* The first text is there before anything is evaluated, when it is forced. */
static void test_forced_before_prefill(void) {
    open_all("Hello", 128);
    art_generate_params p;
    art_generate_defaults(&p);
    art_event ev;
    assert(begin(LIST("Hello world, END", "Hello world, 12"), &p, "question", NULL) == ART_OK);
    assert(art_session_next(s, &ev, NULL) == ART_OK && fm.n_evals == 0 && ev.n_tokens == 3);
    assert(ev.len == 12 && memcmp(ev.data, "Hello world,", 12) == 0);
    fake_result r;
    fake_run(s, &r);
    assert(r.stop == ART_STOP_COMPLETE && is_in(LIST(" END", " 12"), r.text));
    close_all();
}

/* Every budget: the output is whole, and never longer than allowed. */
static void test_closing(void) {
    static char text[50][64];
    static const char *list[50];
    for (int i = 0; i < 50; i++) { /* b, ab, aab, ... */
        memset(text[i], 'a', (size_t)i);
        strcpy(text[i] + i, "END");
        list[i] = text[i];
    }
    open_all("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64);
    fake_result r;
    art_generate_params p;
    art_error err;
    for (int forced = 0; forced < 2; forced++) {
        for (uint32_t max = 1; max < 60; max++) {
            art_generate_defaults(&p);
            p.max_tokens = max;
            p.fast_forward = forced & 1u;
            art_usage u = run(list, 50, &p, &r);
            assert(is_in(list, 50, r.text) && u.completion_tokens <= max);
            if (max < 50) assert(r.len == max - 1 + 3 && u.completion_tokens == max); /* not closed too early either */
            assert(r.stop == (max < 50 ? ART_STOP_LENGTH : ART_STOP_COMPLETE));
        }
    }
    /* The context is a budget as well. */
    art_generate_defaults(&p);
    for (int n = 20; n < 63; n++) {
        char prompt[64];
        memset(prompt, 'q', (size_t)n);
        prompt[n] = 0;
        p.max_tokens = 0;
        assert(begin(list, 50, &p, prompt, NULL) == ART_OK);
        fake_run(s, &r);
        assert(is_in(list, 50, r.text) && r.stop == ART_STOP_CONTEXT && r.n_tokens == (uint32_t)(64 - n));
    }
    /* Not enough for any. */
    p.max_tokens = 2;
    size_t before, after;
    art_session_tokens(s, &before);
    assert(begin(LIST("abc", "abd"), &p, "question", &err) == ART_E_LIMIT && strstr(err.msg, "3 tokens") &&
           strstr(err.msg, "2"));
    art_session_tokens(s, &after);
    assert(before == after);
    /* The shortest one fits, but only as it is spelled as a whole: what is forced must not be spelled apart from the rest. */
    fm.split_below = 10;
    p.max_tokens = 5;
    run(LIST("{\"name\": \"Hello\"}", "{\"nax 12 12 12 12\"}"), &p, &r);
    assert(strcmp(r.text, "{\"name\": \"Hello\"}") == 0 && r.n_tokens == 5);
    p.max_tokens = 2;
    p.close_early = 0;
    assert(begin(LIST("abc", "abd"), &p, "question", &err) == ART_OK);
    fake_run(s, &r);
    assert(strcmp(r.text, "ab") == 0 && r.stop == ART_STOP_LENGTH);
    close_all();
}

/* Random choices, random lists, random budgets. */
static void test_random(void) {
    uint64_t seed = 2026;
    static char text[12][40];
    const char *list[12];
    static const char *const parts[] = {"{\"", "na",    "me\"",   "\":", " \"",      "true",
                                        "12",  "Hello", " world", "}",   "\xC3\xA9", "x"};
    open_all("Hello world", 64);
    unsigned n_masks = 0, n_closed = 0;
    for (int round = 0; round < 1500; round++) {
        size_t n = 1 + harness_random(&seed) % 12;
        for (size_t i = 0; i < n; i++) {
            size_t k = 1 + harness_random(&seed) % 6, len = 0;
            for (size_t j = 0; j < k; j++) {
                const char *part = parts[harness_random(&seed) % 12];
                memcpy(text[i] + len, part, strlen(part));
                len += strlen(part);
            }
            text[i][len] = 0;
            list[i] = text[i];
        }
        art_generate_params p;
        art_generate_defaults(&p);
        p.sample.temperature = (float)(harness_random(&seed) % 3);
        p.sample.seed = (uint64_t)round;
        p.sample.top_k = (int32_t)(harness_random(&seed) % 5);
        p.max_tokens = 1 + (uint32_t)(harness_random(&seed) % 12);
        p.fast_forward = harness_random(&seed) & 1u;
        fm.split_below = round % 2 ? 10 : 0;
        art_error err;
        art_status st = begin(list, n, &p, "x", &err);
        if (st == ART_E_LIMIT) continue;
        assert(st == ART_OK);
        fake_result r;
        fake_run(s, &r);
        assert(r.status == ART_DONE && is_in(list, n, r.text) && r.n_tokens <= p.max_tokens);
        art_usage u;
        art_session_usage(s, &u);
        n_masks += u.masks_computed;
        n_closed += r.stop == ART_STOP_LENGTH;
    }
    assert(n_masks > 500 && n_closed > 50); /* the test reaches what it is about */
    close_all();
}

/* ---- a dialogue: text and calls, by the real matcher */

#define STR(s) {s, sizeof(s) - 1}

static art_constraint *dialog_new(void) {
    static const char schema_text[] =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
        "\"boolean\"}},\"required\":[\"a\",\"b\"],\"additionalProperties\":false}";
    art_schema *schema;
    art_constraint *args, *c;
    art_constraint_opts opts = {.property_order = ART_ORDER_SCHEMA, .whitespace = ART_WS_COMPACT};
    assert(art_schema_compile(schema_text, sizeof schema_text - 1, NULL, &alloc, &schema, NULL) == ART_OK);
    assert(art_constraint_new(schema, v, &opts, &alloc, &args, NULL) == ART_OK);
    art_schema_free(schema);
    art_dialog_tool tools[] = {{STR("add"), args}, {STR("name"), args}};
    art_dialog_spec spec = {.begin = STR("<tool_call>"),
                            .name_prefix = STR("{\"name\": \""),
                            .args_prefix = STR("\", \"arguments\": "),
                            .call_suffix = STR("}"),
                            .between = STR("\n"),
                            .end = STR("</tool_call>"),
                            .begin_token = -1,
                            .end_token = -1,
                            .tools = tools,
                            .n_tools = 2};
    art_error err;
    if (art_constraint_dialog(&spec, v, &alloc, &c, &err) != ART_OK) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    art_constraint_free(args);
    return c;
}

static void run_dialog(art_constraint *c, art_generate_params *p, fake_result *r) {
    int32_t ids[64];
    size_t n = fake_prompt(&fm, "question", ids, 64);
    assert(art_matcher_new(c, &p->matcher, NULL) == ART_OK);
    assert(art_session_start(s, ids, n, p, NULL) == ART_OK);
    fake_run(s, r);
    assert(r->status == ART_DONE);
}

static void test_dialogue(void) {
    static const char said[] =
        "Hello <tool_x <tool_call>{\"name\": \"add\", \"arguments\": {\"a\":12,\"b\":true}}</tool_call>";
    static const char wanted[] = "Hello <tool_x <3:0>add<4:0>{\"a\":12,\"b\":true}<5:0>";
    open_all(said, 256);
    art_constraint *c = dialog_new();
    fake_result r;
    art_generate_params p;
    for (int forced = 0; forced < 2; forced++) {
        art_generate_defaults(&p);
        p.fast_forward = forced & 1u;
        run_dialog(c, &p, &r);
        assert(strcmp(r.text, wanted) == 0 && r.stop == ART_STOP_EOS);
        art_usage u;
        art_session_usage(s, &u);
        assert(u.masks_computed == 0 && (u.forced_tokens > 10) == (forced == 1));
    }
    /* Cut off anywhere: a call that was begun is whole, and text that looked like a marker is text. */
    uint32_t n_calls = 0, n_held = 0;
    for (uint32_t max = 1; max < 120; max++) {
        art_generate_defaults(&p);
        p.max_tokens = max;
        run_dialog(c, &p, &r);
        assert(r.n_tokens <= max);
        const char *call = strstr(r.text, "<3:");
        if (call) {
            assert(strncmp(r.text, "Hello <tool_x <3:", 17) == 0);
            assert(strstr(call, "\"a\":") && strstr(call, "\"b\":") && strstr(call, "}<5:"));
            n_calls++;
        } else {
            assert(strncmp(r.text, said, r.len) == 0 && r.len > 0);
            n_held += r.text[r.len - 1] != ' ';
        }
    }
    assert(n_calls > 50 && n_held >= 3);
    /* Stop strings are for text, not for arguments. */
    art_generate_defaults(&p);
    art_str stop = STR("12");
    p.stops = &stop;
    p.n_stops = 1;
    run_dialog(c, &p, &r);
    assert(strcmp(r.text, wanted) == 0);
    stop = (art_str)STR("tool_x");
    run_dialog(c, &p, &r);
    assert(strcmp(r.text, "Hello <") == 0 && r.stop == ART_STOP_STRING);
    art_constraint_free(c);
    close_all();
}

static void test_cancel_and_reset(void) {
    open_all("true", 128);
    art_generate_params p;
    art_generate_defaults(&p);
    fake_result r;
    assert(begin(LIST("trueaaaa", "falseaaaa"), &p, "question", NULL) == ART_OK);
    art_session_cancel(s);
    fake_run(s, &r);
    assert(r.stop == ART_STOP_CANCELLED);
    assert(begin(LIST("true", "false"), &p, "question", NULL) ==
           ART_OK); /* matchers of unfinished requests are freed */
    assert(begin(LIST("true", "false"), &p, "question", NULL) == ART_OK);
    assert(art_session_reset(s, NULL) == ART_OK);
    assert(begin(LIST("true", "false"), &p, "", NULL) == ART_E_ARG); /* also when the start fails */
    close_all();
}

static bool try_all(void) {
    fake_model fake = fake_model_init(&alloc, "maybe");
    art_model *model = NULL;
    art_session *session = NULL;
    art_vocab *vocab = NULL;
    art_constraint *c = NULL;
    bool ok = false;
    art_context_params cp = {.n_ctx = 64, .n_threads = 1};
    art_generate_params p;
    art_generate_defaults(&p);
    p.max_tokens = 6;
    fm = fake;
    if (art_model_new(&fake_engine, &fm, &alloc, &model, NULL) == ART_OK &&
        art_session_new(model, &cp, &alloc, &session, NULL) == ART_OK &&
        art_model_vocab(model, &vocab, NULL) == ART_OK &&
        (c = list_constraint_new(LIST("Hello world, END", "Hello 12 aaaaaaaaaaaaaaaa"), vocab, &alloc)) != NULL &&
        art_matcher_new(c, &p.matcher, NULL) == ART_OK) {
        int32_t ids[8];
        size_t n = fake_prompt(&fm, "abc", ids, 8);
        if (art_session_start(session, ids, n, &p, NULL) == ART_OK) {
            fake_result r;
            fake_run(session, &r);
            ok = r.status == ART_DONE;
            assert(!ok || strcmp(r.text, "Hello world, END") == 0);
        }
    }
    art_constraint_free(c);
    art_vocab_free(vocab);
    art_session_free(session);
    art_model_free(model);
    return ok;
}

int main(void) {
    alloc = harness_alloc(&h);
    test_refused_and_taken();
    test_forced();
    test_forced_before_prefill();
    test_closing();
    test_random();
    test_dialogue();
    test_cancel_and_reset();
    FAIL_EVERY_ALLOCATION(&h, try_all());
    return 0;
}
