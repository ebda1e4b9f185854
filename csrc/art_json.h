/* SPDX-License-Identifier: Apache-2.0
 *
 * art_json.h: JSON documents as trees (private to csrc).
 *
 * Purpose   parse RFC 8259 text strictly into a tree that keeps the order of members, the byte offset of everything
 *           and the text of numbers; compare values as JSON Schema does; read and write JSON Pointers.
 * Owns      nothing: values live in the caller's arena and borrow `text` (strings without escapes and numbers point into
 *           it), so the text must live as long as the values.
 * Threads   values are immutable once parsed.
 * Errors    ART_E_SYNTAX with pos at the offending byte (duplicate keys: at the second one), ART_E_LIMIT, ART_E_NOMEM.
 * Limits    len <= UINT32_MAX - 1; nesting up to `depth_max`, itself at most ARTI_JSON_DEPTH_MAX; exponents of numbers up to
 *           18 digits.
 * Cost      O(len), plus O(m log m) key comparisons for an object of m > ARTI_JSON_INDEX_MIN members. No recursion.
 *
 * Strings are decoded UTF-8. An escaped surrogate without its partner (legal JSON, no Unicode character) is kept as the three
 * bytes that UTF-8 would give it and the value is flagged; raw surrogates in the text are a syntax error. */
#ifndef ART_JSON_H
#define ART_JSON_H

#include "art_mem.h"

#define ARTI_JSON_DEPTH_MAX 1024u
#define ARTI_JSON_INDEX_MIN 8u

typedef enum arti_json_type {
    ARTI_JSON_NULL,
    ARTI_JSON_BOOL,
    ARTI_JSON_NUMBER,
    ARTI_JSON_STRING,
    ARTI_JSON_ARRAY,
    ARTI_JSON_OBJECT
} arti_json_type;

typedef struct arti_json arti_json;
typedef struct arti_json_member arti_json_member;

struct arti_json {
    uint8_t type; /* arti_json_type */
    bool boolean;
    bool has_surrogate; /* a string with an unpaired surrogate */
    uint32_t n;         /* items or members; bytes of a string; bytes of a number's text */
    uint32_t pos, end;  /* byte range of the value in the text */
    uint64_t hash;      /* equal for values that are equal in JSON Schema's sense; stable across documents */
    union {
        const char *str; /* decoded string (not NUL-terminated), or a number's text */
        const arti_json *items;
        const arti_json_member *members; /* in document order, keys unique */
    };
    const uint32_t *sorted; /* objects with n > ARTI_JSON_INDEX_MIN: member indexes ordered by key; else NULL */
};

struct arti_json_member {
    const char *key; /* decoded */
    uint32_t key_len;
    uint32_t key_pos; /* offset of its opening quote */
    bool key_has_surrogate;
    arti_json value;
};

/* Parses the whole text (whitespace around the value is allowed). `scratch` serves for temporary memory only. *out is in
 * the arena. On failure what the arena already got stays there until the arena is freed. */
art_status arti_json_parse(arti_arena *arena, arti_mem *scratch, const char *text, size_t len, uint32_t depth_max,
                           const arti_json **out, art_error *err);

/* Member of an object, NULL when absent or not an object. */
const arti_json_member *arti_json_member_get(const arti_json *obj, const char *key, size_t key_len);
const arti_json *arti_json_get(const arti_json *obj, const char *key, size_t key_len);

/* JSON Schema's equality: numbers by value (1 and 1.0), objects without order. */
bool arti_json_equal(const arti_json *a, const arti_json *b);

/* Hash of what a finished string, or a number's text, would have as arti_json (a.hash of equal values is equal to it). */
uint64_t arti_json_hash_string(const char *str, size_t len);
uint64_t arti_json_hash_number(const char *text, size_t len);

/* True for a number whose value is whole: 1, 1.0, 1e2. */
bool arti_json_is_integer(const arti_json *v);
/* Whole number between 0 and UINT32_MAX (keyword counts; 2.0 too); larger ones give UINT32_MAX. false when it is none. */
bool arti_json_to_count(const arti_json *v, uint32_t *out);

/* Appends the shortest JSON spelling of a string, quotes included, to a buffer: returns its length, writes at most cap bytes.
 * Only what must be escaped is; unpaired surrogates come as \uXXXX. */
size_t arti_json_quote(char *buf, size_t cap, const char *str, size_t len);
/* Compact JSON text of a value (members in their order, numbers as they were spelled): returns its length, writes at most
 * cap bytes. No recursion. */
size_t arti_json_write(char *buf, size_t cap, const arti_json *v);

/* ------------------------------------------------------------------ JSON Pointer (RFC 6901) */

typedef struct arti_ptr { /* a pointer being written; zero-initialise except for mem, truncate by setting len */
    arti_mem *mem;
    char *text;
    size_t len, cap;
} arti_ptr;

bool arti_ptr_push(arti_ptr *p, const char *key, size_t key_len); /* false: out of memory, unchanged */
bool arti_ptr_push_index(arti_ptr *p, uint32_t index);
void arti_ptr_free(arti_ptr *p);

/* The value that an (unescaped, not percent-encoded) pointer leads to from `root`; NULL when there is none. */
const arti_json *arti_ptr_get(const arti_json *root, const char *ptr, size_t len);
/* The next reference token of a pointer at *pos (which stands on '/'): decodes it into buf (at least len bytes), returns its
 * length and moves *pos behind it; SIZE_MAX for a malformed pointer. For walks that look at each step, as $ref needs. */
size_t arti_ptr_token(const char *ptr, size_t len, size_t *pos, char *buf);
/* Writes the pointer of the value (or of the member key) at byte offset `pos` below `root`: the innermost one that contains it. */
bool arti_ptr_locate(const arti_json *root, uint32_t pos, arti_ptr *out);

#endif
