/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_gen.h: schemas and instances decoded from bytes, so that whatever a fuzzer does to its input gives a well-formed schema.
 *
 * Every choice takes one byte (0 when there are none left): which keywords a schema has, what stands in them, how deep it goes. Alphabets
 * are small, so that keys, patterns, values and bounds meet. References lead to four definitions; a definition refers without going
 * into a value only to later ones, so no reference is circular. Instances come from the same keys and values. */
#ifndef SCHEMA_GEN_H
#define SCHEMA_GEN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { GEN_TEXT_MAX = 1 << 15, GEN_DEFS = 4, GEN_DEPTH = 4 };

typedef struct gen {
    const uint8_t *data;
    size_t len;
    char text[GEN_TEXT_MAX];
    size_t n;
    int level;   /* the first definition that may be referred to from where a schema applies to the value itself */
    bool commas; /* a member was written since the last brace */
} gen;

static unsigned gen_pick(gen *g, unsigned n) {
    if (g->len == 0) return 0;
    g->len--;
    return *g->data++ % n;
}

static bool gen_some(gen *g, unsigned of) { /* once in `of` times; never when the bytes have run out */
    return g->len > 0 && gen_pick(g, of) == of - 1;
}

static void gen_put(gen *g, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(g->text + g->n, GEN_TEXT_MAX - g->n, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < GEN_TEXT_MAX - g->n) g->n += (size_t)n;
}

#define GEN_ONE(g, list) list[gen_pick(g, sizeof list / sizeof *list)]

static const char *const gen_keys[] = {"a", "b", "ab", "foo", "x-a", "", "\\u00e9", "name"};
static const char *const gen_strings[] = {"",         "a", "b",  "ab",  "ba",  "aab",         "foo",           "x-a",
                                          "\xc3\xa9", "1", "12", "a b", "\\n", "\\u0061\\/b", "\\ud83d\\ude00"};
static const char *const gen_numbers[] = {"0",  "1",   "2",   "3",     "5",   "10",          "12",  "123", "-1",
                                          "-7", "1.5", "0.5", "-0.25", "100", "12345678901", "1.0", "1e2", "3.0"};
static const char *const gen_steps[] = {"1", "2", "3", "0.5", "0.25", "1.5", "4", "10"};
static const char *const gen_patterns[] = {
    "a",   "^a",     "b$",       "^ab?$",   "^[ab]*$",    "^[a-c]{1,2}$", "^(a|fo)+$",
    "^.$", "^x-",    "[0-9]",    "^[^a]*$", "^(?!a)",     "^(?=.*b)a",    "^$",
    "a|b", "\\\\d+", "^\\\\w+$", "^(aa)*$", "^\\u00e9?$", "^.{2,3}$",     "^(a|b|ab){1,3}$"};
static const char *const gen_formats[] = {"date", "ipv4", "uuid", "time", "email", "regex", "unknown"};
static const char *const gen_types[] = {"null", "boolean", "integer", "number", "string", "array", "object"};

/* ------------------------------------------------------------------ values */

static void gen_scalar(gen *g) {
    static const char *const words[] = {"null", "true", "false"};
    switch (gen_pick(g, 4)) {
    case 0: gen_put(g, "%s", GEN_ONE(g, words)); break;
    case 1: gen_put(g, "%s", GEN_ONE(g, gen_numbers)); break;
    default: gen_put(g, "\"%s\"", GEN_ONE(g, gen_strings)); break;
    }
}

static void gen_value(gen *g, int depth) {
    const unsigned kind = depth > 0 ? gen_pick(g, 4) : 0;
    if (kind < 2) {
        gen_scalar(g);
        return;
    }
    const unsigned n = gen_pick(g, 4), first = gen_pick(g, 8);
    gen_put(g, kind == 2 ? "[" : "{");
    for (unsigned i = 0; i < n; i++) {
        if (i) gen_put(g, ",");
        if (kind == 3) gen_put(g, "\"%s\":", gen_keys[(first + i) % 8]);
        gen_value(g, depth - 1);
    }
    gen_put(g, kind == 2 ? "]" : "}");
}

/* ------------------------------------------------------------------ schemas */

static void gen_schema(gen *g, int depth, bool inside);

static void gen_member(gen *g, const char *keyword) {
    gen_put(g, "%s\"%s\":", g->commas ? "," : "", keyword);
    g->commas = true;
}

static void gen_sub(gen *g, const char *keyword, int depth, bool inside) {
    gen_member(g, keyword);
    gen_schema(g, depth - 1, inside);
    g->commas = true;
}

static void gen_count(gen *g, const char *keyword, unsigned n) {
    gen_member(g, keyword);
    gen_put(g, "%u", gen_pick(g, n));
}

static void gen_list(gen *g, const char *keyword, int depth, bool inside) {
    gen_member(g, keyword);
    gen_put(g, "[");
    for (unsigned i = 0, n = 1 + gen_pick(g, 3); i < n; i++) {
        if (i) gen_put(g, ",");
        gen_schema(g, depth - 1, inside);
    }
    gen_put(g, "]");
    g->commas = true;
}

static void gen_names(gen *g, unsigned n_max) {
    const unsigned n = 1 + gen_pick(g, n_max), first = gen_pick(g, 8);
    gen_put(g, "[");
    for (unsigned i = 0; i < n; i++) gen_put(g, "%s\"%s\"", i ? "," : "", gen_keys[(first + i) % 8]);
    gen_put(g, "]");
}

static void gen_string_keywords(gen *g) {
    if (gen_some(g, 3)) gen_count(g, "minLength", 4);
    if (gen_some(g, 3)) gen_count(g, "maxLength", 6);
    if (gen_some(g, 2)) {
        gen_member(g, "pattern");
        gen_put(g, "\"%s\"", GEN_ONE(g, gen_patterns));
    }
    if (gen_some(g, 8)) {
        gen_member(g, "format");
        gen_put(g, "\"%s\"", GEN_ONE(g, gen_formats));
    }
}

static void gen_number_keywords(gen *g) {
    static const char *const bounds[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    for (int i = 0; i < 4; i++)
        if (gen_some(g, 3)) {
            gen_member(g, bounds[i]);
            gen_put(g, "%s", GEN_ONE(g, gen_numbers));
        }
    if (gen_some(g, 3)) {
        gen_member(g, "multipleOf");
        gen_put(g, "%s", GEN_ONE(g, gen_steps));
    }
}

static void gen_members(gen *g, const char *keyword, int depth, const char *const *names, unsigned n_names) {
    const unsigned n = 1 + gen_pick(g, 3), first = gen_pick(g, n_names);
    gen_member(g, keyword);
    gen_put(g, "{");
    for (unsigned i = 0; i < n; i++) {
        gen_put(g, "%s\"%s\":", i ? "," : "", names[(first + i * 3) % n_names]);
        gen_schema(g, depth - 1, true);
    }
    gen_put(g, "}");
    g->commas = true;
}

static void gen_object_keywords(gen *g, int depth) {
    const unsigned n_patterns = sizeof gen_patterns / sizeof *gen_patterns;
    if (!gen_some(g, 3)) gen_members(g, "properties", depth, gen_keys, 8);
    if (gen_some(g, 2)) {
        gen_member(g, "required");
        gen_names(g, 2);
    }
    if (gen_some(g, 4)) gen_members(g, "patternProperties", depth, gen_patterns, n_patterns);
    if (gen_some(g, 3)) gen_sub(g, "additionalProperties", depth, true);
    if (gen_some(g, 6)) gen_sub(g, "propertyNames", 1, true);
    if (gen_some(g, 4)) gen_count(g, "minProperties", 4);
    if (gen_some(g, 4)) gen_count(g, "maxProperties", 4);
    if (gen_some(g, 6)) {
        gen_member(g, "dependentRequired");
        gen_put(g, "{\"%s\":", GEN_ONE(g, gen_keys));
        gen_names(g, 2);
        gen_put(g, "}");
    }
    if (gen_some(g, 8)) gen_members(g, "dependentSchemas", depth < 2 ? depth : 2, gen_keys, 8);
    if (gen_some(g, 6)) gen_sub(g, "unevaluatedProperties", depth, true);
}

static void gen_array_keywords(gen *g, int depth) {
    if (gen_some(g, 4)) gen_list(g, "prefixItems", depth, true);
    if (!gen_some(g, 3)) gen_sub(g, "items", depth, true);
    if (gen_some(g, 4)) gen_count(g, "minItems", 3);
    if (gen_some(g, 3)) gen_count(g, "maxItems", 4);
    if (gen_some(g, 3)) {
        gen_member(g, "uniqueItems");
        gen_put(g, "true");
    }
    if (gen_some(g, 3)) {
        gen_sub(g, "contains", depth, true);
        if (gen_some(g, 2)) gen_count(g, "minContains", 3);
        if (gen_some(g, 2)) gen_count(g, "maxContains", 3);
    }
    if (gen_some(g, 6)) gen_sub(g, "unevaluatedItems", depth, true);
}

/* One of the six, and not one that *used has already. */
static void gen_combinator(gen *g, int depth, bool inside, unsigned *used) {
    const unsigned kind = gen_pick(g, 6);
    const int first = inside ? 0 : g->level;
    if (*used >> kind & 1u) return;
    *used |= 1u << kind;
    switch (kind) {
    case 0: gen_list(g, "allOf", depth, inside); break;
    case 1: gen_list(g, "anyOf", depth, inside); break;
    case 2: gen_list(g, "oneOf", depth, inside); break;
    case 3: gen_sub(g, "not", depth, inside); break;
    case 4:
        gen_sub(g, "if", depth, inside);
        if (!gen_some(g, 3)) gen_sub(g, "then", depth, inside);
        if (!gen_some(g, 3)) gen_sub(g, "else", depth, inside);
        break;
    default:
        if (first >= GEN_DEFS) break;
        gen_member(g, "$ref");
        gen_put(g, "\"#/$defs/%d\"", first + (int)gen_pick(g, (unsigned)(GEN_DEFS - first)));
        break;
    }
}

/* inside: the schema is for a part of the value, so that any reference may stand here. */
static void gen_schema(gen *g, int depth, bool inside) {
    if (depth <= 0 || g->n > GEN_TEXT_MAX / 2) {
        static const char *const leaves[] = {"true",
                                             "false",
                                             "{\"type\":\"integer\"}",
                                             "{\"type\":\"string\"}",
                                             "{\"const\":1}",
                                             "{\"type\":\"null\"}",
                                             "{\"maxLength\":1}",
                                             "{\"type\":\"object\"}"};
        gen_put(g, "%s", GEN_ONE(g, leaves));
        return;
    }
    gen_put(g, "{");
    g->commas = false;
    const unsigned kind = gen_pick(g, 8);
    if (!gen_some(g, 3)) {
        static const uint8_t type[] = {4, 2, 3, 6, 6, 5, 5, 1};
        gen_member(g, "type");
        if (gen_some(g, 4))
            gen_put(g, "[\"%s\",\"%s\"]", gen_types[type[kind]], gen_types[(type[kind] + 1 + gen_pick(g, 6)) % 7]);
        else
            gen_put(g, "\"%s\"", gen_types[type[kind]]);
    }
    switch (kind) {
    case 0: gen_string_keywords(g); break;
    case 1:
    case 2: gen_number_keywords(g); break;
    case 3:
    case 4: gen_object_keywords(g, depth); break;
    case 5:
    case 6: gen_array_keywords(g, depth); break;
    default:
        if (gen_some(g, 2)) {
            gen_member(g, "const");
            gen_value(g, 2);
        } else {
            gen_member(g, "enum");
            gen_put(g, "[");
            gen_value(g, 2);
            if (gen_some(g, 2)) gen_put(g, ",{\"a\":[0,\"zz\"]},[null]"); /* not among the values above */
            gen_put(g, "]");
        }
    }
    g->commas = g->text[g->n - 1] != '{';
    unsigned used = 0;
    for (int i = 0; i < 2 && gen_some(g, 3); i++) gen_combinator(g, depth, inside, &used);
    gen_put(g, "}");
}

/* A whole schema; false when it did not fit into the buffer. */
static bool gen_document(gen *g) {
    g->n = 0;
    g->level = 0;
    gen_put(g, "{\"$defs\":{");
    for (int i = 0; i < GEN_DEFS; i++) {
        g->level = i + 1;
        gen_put(g, "%s\"%d\":", i ? "," : "", i);
        if (gen_some(g, 2))
            gen_schema(g, 2, false);
        else
            gen_put(g, "true");
    }
    g->level = 0;
    gen_put(g, "},\"allOf\":[");
    gen_schema(g, GEN_DEPTH, false);
    gen_put(g, "]}");
    return g->n < GEN_TEXT_MAX - 256;
}

#endif
