/* SPDX-License-Identifier: Apache-2.0
 *
 * A budget that schemas, constraints and matchers share: what does not fit is refused by name, and everything comes back. */
#include "harness.h"

static const char text[] =
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}},\"required\":[\"a\"]}";

static art_status make(const art_alloc *alloc, art_schema **s, art_constraint **c, art_error *err) {
    *c = NULL;
    const art_status st = art_schema_compile(text, sizeof text - 1, NULL, alloc, s, err);
    return st == ART_OK ? art_constraint_new(*s, NULL, NULL, alloc, c, err) : st;
}

static void test_shared(void) {
    harness h;
    const art_alloc outer = harness_alloc(&h);
    art_budget *b;
    art_error err;
    assert(art_budget_new(1u << 20, &outer, &b, &err) == ART_OK);
    enum { MANY = 200 };
    art_schema *s[MANY] = {0};
    art_constraint *c[MANY] = {0};
    size_t n = 0;
    art_status st = ART_OK;
    while (n < MANY && (st = make(art_budget_alloc(b), &s[n], &c[n], &err)) == ART_OK) n++;
    assert(n > 5 && n < MANY && st == ART_E_LIMIT && strstr(err.msg, "art_budget"));
    assert(art_budget_used(b) <= 1u << 20 && art_budget_used(b) + sizeof(void *) * 64 >= h.bytes);
    /* what was made is as good as before */
    art_matcher *m;
    size_t taken;
    art_constraint_free(c[--n]);
    art_schema_free(s[n]);
    assert(art_matcher_new(c[0], &m, &err) == ART_OK);
    assert(art_matcher_accept_bytes(m, (const uint8_t *)"{\"a\":\"x\"}", 9, &taken) == ART_OK && taken == 9);
    art_matcher_free(m);
    art_schema_free(s[n + 1]); /* of the one that was refused as a constraint, if it was that */
    while (n-- > 1) {
        art_constraint_free(c[n]);
        art_schema_free(s[n]);
    }
    art_budget_free(b); /* lives on in what is left */
    art_constraint_free(c[0]);
    assert(h.live > 0);
    art_schema_free(s[0]);
    assert(h.live == 0);
}

static void test_arguments(void) {
    art_budget *b;
    art_error err;
    assert(art_budget_new(0, NULL, &b, &err) == ART_E_ARG && b == NULL);
    assert(art_budget_new(SIZE_MAX, NULL, &b, &err) == ART_E_ARG && b == NULL);
    art_budget_free(NULL);
    assert(art_budget_new(1, NULL, &b, &err) == ART_OK);
    art_schema *s;
    assert(art_schema_compile("{}", 2, NULL, art_budget_alloc(b), &s, &err) == ART_E_LIMIT && s == NULL);
    assert(art_budget_used(b) == 0);
    art_budget_free(b);
}

static bool life(const art_alloc *outer) {
    art_budget *b;
    art_schema *s = NULL;
    art_constraint *c = NULL;
    art_error err;
    if (art_budget_new(1u << 20, outer, &b, &err) != ART_OK) return false;
    const art_status st = make(art_budget_alloc(b), &s, &c, &err);
    art_budget_free(b);
    art_constraint_free(c);
    art_schema_free(s);
    return st == ART_OK;
}

int main(void) {
    test_shared();
    test_arguments();
    harness h;
    const art_alloc outer = harness_alloc(&h);
    FAIL_EVERY_ALLOCATION(&h, life(&outer));
    return 0;
}
