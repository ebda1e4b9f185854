/* SPDX-License-Identifier: Apache-2.0
 *
 * art_regex.h: regular languages over Unicode strings (private to csrc).
 *
 * Purpose   builds languages from patterns, literals, classes and Boolean combinations of them, and runs them over the
 *           UTF-8 bytes of a decoded text. A language is a *term*; hash-consing makes equal terms equal numbers. Running a
 *           term is a lazy DFA whose states are Brzozowski derivatives, so intersection, complement and lookarounds
 *           cost a state and not a product construction, and nothing is built before the text reaches it.
 * Owns      a context owns its terms and states until arti_re_ctx_free(); memory comes from the arti_mem given at
 *           creation, which must outlive it. Terms and states are plain numbers, valid for the context that made them,
 *           and never expire.
 * Threads   not synchronised: one caller at a time, under the owner's lock. Excepted are the `peek` functions and
 *           arti_re_accepts(), which any thread may call at any time with a state that it learnt from a synchronised
 *           call or a peek.
 * Errors    a function that returns a term or a state returns ARTI_RE_FAIL when it can not; an operand ARTI_RE_FAIL
 *           gives ARTI_RE_FAIL, so calls can be nested and checked once. arti_re_error() tells what happened. Nothing is half
 *           done after a failure: the same call may be repeated, for instance with more memory.
 * Limits    the ARTI_RE_*_MAX below; beyond one is ART_E_LIMIT with its name in the message. Every call does bounded
 *           work (ARTI_RE_WORK_MAX), so no pattern hangs.
 * Cost      step: three dependent loads once the transition is known; otherwise a derivative, linear in the size of the
 *           term.
 *
 * A text is a sequence of Unicode scalar values: surrogates belong to no text, and bytes that are not UTF-8 lead to
 * ARTI_RE_DEAD. Lengths are in code points; a character of which some bytes are there counts one among what remains.
 *
 * Sources: J. Brzozowski, "Derivatives of regular expressions", JACM 1964; S. Owens, J. Reppy, A. Turon,
 * "Regular-expression derivatives re-examined", JFP 2009; lookarounds after the idea of location-based derivatives in
 * I. Varatalu, M. Veanes, J. Ernits, "RE#", POPL 2025. docs/regex.md explains the whole. */
#ifndef ART_REGEX_H
#define ART_REGEX_H

#include "art_mem.h"
#include <stdatomic.h>

#define ARTI_RE_PATTERN_BYTES_MAX 65536u             /* of one pattern */
#define ARTI_RE_NESTING_MAX 250u                     /* groups and lookarounds within each other */
#define ARTI_RE_REPEAT_MAX 1000000u                  /* a bound in {m,n} */
#define ARTI_RE_LENGTH_MAX ((uint32_t)1 << 30)       /* finite lengths, and so the product of nested repetitions */
#define ARTI_RE_WIDTH_MAX 8192u                      /* alternatives in a union, operands in an intersection */
#define ARTI_RE_TERMS_MAX ((uint32_t)1 << 21)        /* per context */
#define ARTI_RE_STATES_MAX ((uint32_t)1 << 16)       /* per context */
#define ARTI_RE_CLASSES_MAX ((uint32_t)1 << 16)      /* different character classes per context */
#define ARTI_RE_WORK_MAX ((uint32_t)1 << 20)         /* terms visited or built by one call: about 0.1 s */
#define ARTI_RE_LENGTHS_WORK_MAX ((uint32_t)1 << 12) /* of it, for the longest length and its gaps */
#define ARTI_RE_SAFE_WORK_MAX ((uint32_t)1 << 13)    /* of arti_re_get_safe() */
#define ARTI_RE_REACH_MIN 24u                        /* of arti_re_get_near(), */
#define ARTI_RE_REACH_MAX 128u                       /* .. at most */
#define ARTI_RE_PROBE_MAX 16u                        /* states that arti_re_is_universal and _is_closed look at */

typedef struct arti_re_ctx arti_re_ctx;
typedef uint32_t arti_re;       /* a term: a language */
typedef uint32_t arti_re_state; /* a state of the lazy DFA: the language of what may follow */

#define ARTI_RE_FAIL UINT32_MAX           /* no term, no state */
#define ARTI_RE_NONE 0u                   /* term: no text at all */
#define ARTI_RE_EMPTY 1u                  /* term: the empty text */
#define ARTI_RE_ANY 2u                    /* term: every text */
#define ARTI_RE_DEAD 0u                   /* state: nothing can follow */
#define ARTI_RE_UNKNOWN (UINT32_MAX - 1u) /* peek: not computed so far */
#define ARTI_RE_UNBOUNDED UINT32_MAX      /* length: no longest text; repeat: no maximum */

typedef struct arti_re_range { /* code points lo..hi, both included */
    uint32_t lo, hi;
} arti_re_range;

art_status arti_re_ctx_new(arti_mem *mem, arti_re_ctx **out, art_error *err);
void arti_re_ctx_free(arti_re_ctx *c);
/* Why the last call that failed did so; *err (may be NULL) receives the message. */
art_status arti_re_error(const arti_re_ctx *c, art_error *err);

/* ------------------------------------------------------------------ terms */

/* All texts that contain a match of an ECMA 262 pattern with flag `u` (search semantics), with the leniencies of
 * Annex B where they can not change a meaning: escapes of punctuation, lone `]`, `{` and `}`. What does not parse is
 * ART_E_PATTERN; what is no regular language (back-references) or is not held exactly (a lookahead, `$` or `\b`
 * inside a lookbehind) is ART_E_UNSUPPORTED. The error's position is the byte offset in the pattern. */
arti_re arti_re_pattern(arti_re_ctx *c, const char *pattern, size_t len);

/* Exactly this text; ART_E_ARG when it is not UTF-8. */
arti_re arti_re_literal(arti_re_ctx *c, const char *text, size_t len);
/* Texts that begin or end with this one. */
arti_re arti_re_prefix(arti_re_ctx *c, const char *text, size_t len);
arti_re arti_re_suffix(arti_re_ctx *c, const char *text, size_t len);
/* One character out of n ranges, in any order, overlaps allowed; surrogates are dropped. */
arti_re arti_re_class(arti_re_ctx *c, const arti_re_range *ranges, size_t n);
/* n operands; none of them gives ANY (and) or NONE (or). */
arti_re arti_re_and(arti_re_ctx *c, const arti_re *t, size_t n);
arti_re arti_re_or(arti_re_ctx *c, const arti_re *t, size_t n);
arti_re arti_re_not(arti_re_ctx *c, arti_re t);
/* A text of a followed by one of b. */
arti_re arti_re_concat(arti_re_ctx *c, arti_re a, arti_re b);
/* min to max texts of t in a row; max may be ARTI_RE_UNBOUNDED. */
arti_re arti_re_repeat(arti_re_ctx *c, arti_re t, uint32_t min, uint32_t max);

static inline arti_re arti_re_and2(arti_re_ctx *c, arti_re a, arti_re b) {
    const arti_re t[2] = {a, b};
    return arti_re_and(c, t, 2);
}

static inline arti_re arti_re_or2(arti_re_ctx *c, arti_re a, arti_re b) {
    const arti_re t[2] = {a, b};
    return arti_re_or(c, t, 2);
}

/* ------------------------------------------------------------------ states
 *
 * The functions inline take no ARTI_RE_FAIL; the others answer it with the status of the last failure, or false. */

/* What a state keeps for the functions inline below; the rest lies behind it. All but `next` is written before the
 * state's number is given away and never changes. */
typedef struct arti_re_row {
    const uint8_t *byte_class;   /* 256 entries: equal numbers, equal transitions */
    _Atomic arti_re_state *next; /* by byte class; ARTI_RE_UNKNOWN until computed */
    uint32_t n_classes;
    uint32_t accepts;
} arti_re_row;

#define ARTI_RE_PAGE 128u /* rows per page; pages never move */

typedef struct arti_re_head { /* first member of arti_re_ctx */
    arti_re_row *pages[ARTI_RE_STATES_MAX / ARTI_RE_PAGE];
} arti_re_head;

static inline const arti_re_row *arti_re_row_of(const arti_re_ctx *c, arti_re_state s) {
    return &((const arti_re_head *)(const void *)c)->pages[s / ARTI_RE_PAGE][s % ARTI_RE_PAGE];
}

/* The state before the first byte. ARTI_RE_DEAD exactly when the language is empty. */
arti_re_state arti_re_start(arti_re_ctx *c, arti_re t);

/* The state after one more byte if that is known, else ARTI_RE_UNKNOWN. Any thread. */
static inline arti_re_state arti_re_peek(const arti_re_ctx *c, arti_re_state s, uint8_t byte) {
    const arti_re_row *r = arti_re_row_of(c, s);
    return atomic_load_explicit(&r->next[r->byte_class[byte]], memory_order_acquire);
}

arti_re_state arti_re_step_slow(arti_re_ctx *c, arti_re_state s, uint8_t byte);

/* The state after one more byte. ARTI_RE_DEAD exactly when no accepted text goes on like this. ARTI_RE_FAIL on
 * ART_E_NOMEM and ART_E_LIMIT only. A step from ARTI_RE_DEAD is ARTI_RE_DEAD. */
static inline arti_re_state arti_re_step(arti_re_ctx *c, arti_re_state s, uint8_t byte) {
    const arti_re_state n = arti_re_peek(c, s, byte);
    return n != ARTI_RE_UNKNOWN ? n : arti_re_step_slow(c, s, byte);
}

/* The text so far belongs to the language. Any thread. */
static inline bool arti_re_accepts(const arti_re_ctx *c, arti_re_state s) {
    return arti_re_row_of(c, s)->accepts;
}

/* Steps over len bytes; stops early at ARTI_RE_DEAD. */
arti_re_state arti_re_run(arti_re_ctx *c, arti_re_state s, const uint8_t *bytes, size_t len);

/* A state that does as s does with texts of at most *reach characters: the same are alive, the same are accepted; it may take more of the
 * longer ones. Counters that so few characters do not exhaust are left away, so that states which differ in them only have the same
 * one. s itself, and ARTI_RE_UNBOUNDED, where there is none. */
art_status arti_re_get_near(arti_re_ctx *c, arti_re_state s, arti_re_state *out, uint32_t *reach);

/* The state of what may follow s and has lo to hi characters. Between characters only (else ART_E_ARG). */
art_status arti_re_bind(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_state *out);

/* ------------------------------------------------------------------ what may follow */

/* Lengths of the texts that may follow a live state. `contiguous` promises that every length between the two occurs.
 * Without it there may be gaps, and `longest` may be too big where the exact one would be too much work
 * (ARTI_RE_LENGTHS_WORK_MAX); in either case arti_re_length_in() tells. */
typedef struct arti_re_lengths {
    uint32_t shortest; /* exact; 0 exactly when the state accepts */
    uint32_t longest;  /* or ARTI_RE_UNBOUNDED */
    bool contiguous;
} arti_re_lengths;

/* ART_REJECTED for ARTI_RE_DEAD. O(1) for a state asked before. */
art_status arti_re_get_lengths(arti_re_ctx *c, arti_re_state s, arti_re_lengths *out);
/* The same without a lock: false when nobody has asked for this state so far. Any thread. */
bool arti_re_peek_lengths(const arti_re_ctx *c, arti_re_state s, arti_re_lengths *out);

/* Wherever a text leads that keeps the language alive, no more than *n characters are needed from there. ARTI_RE_UNBOUNDED where that is not
 * known: inside a character, and with complement, intersection or lookarounds. */
art_status arti_re_get_farthest(arti_re_ctx *c, arti_re_state s, uint32_t *n);

/* Can whatever keeps the language alive be made longer by any number of characters, before it ends? As terms show it that end in any
 * number of characters of one class; false: not known. */
bool arti_re_stretches(const arti_re_ctx *c, arti_re_state s);

/* The smallest length in [lo, hi] that some accepted continuation has; hi may be ARTI_RE_UNBOUNDED. ART_REJECTED when
 * there is none. O(1) when the lengths are contiguous; else the automaton of lengths is walked, a step for each. */
art_status arti_re_length_in(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, uint32_t *len);

/* Every text may follow. Cached. false also where more than ARTI_RE_PROBE_MAX states would have to be looked at. */
bool arti_re_is_universal(arti_re_ctx *c, arti_re_state s);
/* Whatever text follows, no prefix of it is dead: the state needs no attention while characters go by, only at the
 * end. Same proviso. */
bool arti_re_is_closed(arti_re_ctx *c, arti_re_state s);

/* Closed, and the term shows it: an alternative that begins with any text, as in patterns that search. No search here. */
bool arti_re_is_open(const arti_re_ctx *c, arti_re_state s);
/* Is one the complement of the other, as their terms show? Then every text is alive in one of them. No search here. */
bool arti_re_are_complements(const arti_re_ctx *c, arti_re_state a, arti_re_state b);

typedef struct arti_re_bytes { /* bit (b % 64) of bits[b / 64] */
    uint64_t bits[4];
} arti_re_bytes;

/* Bytes that do not lead to ARTI_RE_DEAD. O(1) for a state asked before. */
art_status arti_re_live_bytes(arti_re_ctx *c, arti_re_state s, arti_re_bytes *out);
/* Characters that lead back to s: ASCII bytes, and lead bytes of which every character does. Inside one: none. */
art_status arti_re_loop_bytes(arti_re_ctx *c, arti_re_state s, arti_re_bytes *out);

/* ------------------------------------------------------------------ ranges of characters
 *
 * A caller that deals with many texts at a time (a vocabulary's tokens) sorts characters into ranges, and asks about ranges. Sets of
 * ranges are bits. */

#define ARTI_RE_RANGES_MAX 64u

/* n ranges, ascending and disjoint, that every call below speaks of: once for a context, before these. weights: how often characters of
 * each range are met. */
void arti_re_set_ranges(arti_re_ctx *c, const arti_re_range *ranges, const uint16_t *weights, uint32_t n);
bool arti_re_has_ranges(const arti_re_ctx *c);

#define ARTI_RE_FAN 8u /* states that the characters of one range may lead to */

typedef struct arti_re_fan { /* what one character of each range leads to */
    arti_re_state to[ARTI_RE_RANGES_MAX]
                    [ARTI_RE_FAN]; /* the live states, then ARTI_RE_DEAD. ARTI_RE_UNKNOWN at the end: more */
    uint64_t partly;               /* ranges with a live state of which some characters are dead */
} arti_re_fan;

/* Inside a character everything is ARTI_RE_DEAD. Where a range is too much work to say, the last is ARTI_RE_UNKNOWN. */
art_status arti_re_get_fan(arti_re_ctx *c, arti_re_state s, arti_re_fan *out);
/* Is some character of lo .. hi alive? False inside a character, and on failure. */
bool arti_re_alive_between(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi);

typedef struct arti_re_safe {
    uint64_t in; /* any text of these ranges, of at most `room` characters, is alive */
    uint64_t
        out; /* after a text of `in` of at most `room` characters no character is alive but, perhaps, some of these ranges */
    uint32_t room;    /* ARTI_RE_UNBOUNDED: of any length */
    uint64_t near_in; /* so is any text of these, which are more, */
    uint32_t near;    /* .. of at most so many characters, which may be fewer */
    uint32_t need;    /* with lengths: after such a text at most so many characters are needed, */
    uint32_t span;    /* .. so many, the text included (ARTI_RE_UNBOUNDED: not known), */
    bool stretches;   /* and any greater number of them is possible */
    bool ends;        /* no text of `in` of more than `room` characters is alive */
    bool has_lengths;
} arti_re_safe;

/* A search of bounded work (ARTI_RE_SAFE_WORK_MAX) whose answer is kept; where that is not enough `in` is empty. Inside a character
 * nothing is known. with_lengths: need and stretches are asked for too. */
art_status arti_re_get_safe(arti_re_ctx *c, arti_re_state s, bool with_lengths, arti_re_safe *out);

#define ARTI_RE_FORBIDDEN_MAX 32u /* words of one state */

typedef struct arti_re_word {
    uint8_t bytes[32];
    uint8_t len;
    bool at_start; /* a text begins with it; else: a text has it anywhere */
} arti_re_word;

/* Words of which each text that leads from the state to ARTI_RE_DEAD has one. Returns how many, at most ARTI_RE_FORBIDDEN_MAX; 0: it is not
 * known, as the state wants something else as well, or there are more. */
uint32_t arti_re_forbidden(arti_re_ctx *c, arti_re_state s, arti_re_word words[ARTI_RE_FORBIDDEN_MAX]);

/* Writes a continuation of the smallest possible length in [lo, hi] that leads to acceptance, in readable characters
 * where there is a choice. *len is its length in bytes even when that is more than cap (then ART_E_LIMIT, and what is
 * in buf is of no use). ART_REJECTED when there is none. Deterministic. */
art_status arti_re_witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, uint8_t *buf, size_t cap,
                           size_t *len);

/* Any 32 bits, each value about equally likely. */
typedef uint32_t arti_re_random_fn(void *ud);

/* The same at random: a length out of the first 64 or so possible ones, and any character that fits at each place. */
art_status arti_re_random_witness(arti_re_ctx *c, arti_re_state s, uint32_t lo, uint32_t hi, arti_re_random_fn *random,
                                  void *ud, uint8_t *buf, size_t cap, size_t *len);

/* ------------------------------------------------------------------ digests */

/* 128 bits that stand for the language of what may follow s, in any context: languages that are built alike have the same. false: between
 * characters only, and not where it would take much memory. key: secret, so that digests can not be made to meet. */
bool arti_re_digest(arti_re_ctx *c, arti_re_state s, const uint64_t key[2], uint64_t out[2]);

/* ------------------------------------------------------------------ figures */

typedef struct arti_re_stats {
    uint32_t n_terms, n_states, n_classes;
} arti_re_stats;

/* Terms visited or built by all calls so far, for callers that bound what many calls take together. */
uint64_t arti_re_work_done(const arti_re_ctx *c);
/* From now on a call that takes more than this is refused (ART_E_LIMIT); it may be made again with more, up to ARTI_RE_WORK_MAX. At least
 * ARTI_RE_LENGTHS_WORK_MAX, so that answers are the same. */
void arti_re_limit_work(arti_re_ctx *c, uint32_t work_max);
void arti_re_get_stats(const arti_re_ctx *c, arti_re_stats *out);

#endif
