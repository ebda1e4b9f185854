/* SPDX-License-Identifier: Apache-2.0
 *
 * art_dec.h: exact decimals, and numbers that are still being written (private to csrc).
 *
 * Purpose   1. decimals of any size: parse, compare, is-multiple-of, least common multiple;
 *           2. a *rule* (bounds, multiples, excluded values) over numbers, with the questions that a matcher and an emptiness check
 *              ask: does this number fit, can this prefix still become one that fits, which is a shortest one.
 * Owns      an arti_dec is a value in an arena; a rule borrows its decimals. arti_num is plain data.
 * Threads   everything is immutable after creation; the question functions use only their stack.
 * Errors    ART_E_LIMIT past the caps, ART_E_NOMEM; the question functions can not fail.
 * Limits    ARTI_DEC_DIGITS_MAX significant digits and ARTI_DEC_EXP_MAX for schema numbers. Numbers being written may be longer: past
 *           ARTI_NUM_DIGITS_MAX significant digits a prefix under a rule is dead (a rule-less number has no limit).
 * Cost      tens of nanoseconds when everything fits 64 bits, else O(digits^2).
 *
 * Needs from the caller: keep the text of the number so far (at most ARTI_NUM_TEXT_MAX bytes under a rule) and give it with
 * each question; arti_num alone is enough while it has at most 18 significant digits. */
#ifndef ART_DEC_H
#define ART_DEC_H

#include "art_mem.h"

#define ARTI_DEC_DIGITS_MAX 1024u
#define ARTI_DEC_STEP_DIGITS_MAX                                                                                       \
    60u /* of a multipleOf, or a common multiple: the time that questions take grows with their cube */
#define ARTI_DEC_EXP_MAX 1100 /* decimal places on either side of the point */
#define ARTI_NUM_DIGITS_MAX 1400u
#define ARTI_NUM_TEXT_MAX 4096u

/* ------------------------------------------------------------------ decimals */

/* (-1)^neg * coef * 10^exp. Normal form: coef does not end in 0; zero is n = 0, exp = 0, neg = false. */
typedef struct arti_dec {
    bool neg;
    uint32_t n; /* limbs in use, least significant first, base 10^9 */
    int64_t exp;
    int64_t small; /* the value when is_small: integers of at most 18 digits */
    bool is_small;
    const uint32_t *limb;
} arti_dec;

/* From JSON number text. ART_E_SYNTAX when it is none. */
art_status arti_dec_parse(arti_arena *arena, const char *text, size_t len, arti_dec *out, art_error *err);
arti_dec arti_dec_int(int64_t v, uint32_t limbs[3]); /* limbs: storage that the result borrows; |v| < 10^18 */
int arti_dec_cmp(const arti_dec *a, const arti_dec *b);
bool arti_dec_is_integer(const arti_dec *a);
/* a is k * m for a whole k. m > 0. */
bool arti_dec_is_multiple(const arti_dec *a, const arti_dec *m);
/* Least common multiple of two positive decimals. ART_E_LIMIT when it has too many digits. */
uint32_t arti_dec_digits(const arti_dec *a); /* significant ones */
art_status arti_dec_lcm(arti_arena *arena, const arti_dec *a, const arti_dec *b, arti_dec *out, art_error *err);
arti_dec arti_dec_negate(const arti_dec *a); /* shares the limbs */
/* Shortest JSON text of the value (plain or with exponent). Returns its length, writes at most cap bytes. */
size_t arti_dec_write(const arti_dec *a, char *buf, size_t cap);

/* ------------------------------------------------------------------ rules */

typedef struct arti_num_rule { /* zero-initialise; then fill and call arti_num_rule_finish() */
    const arti_dec *lo, *hi;   /* NULL: none */
    bool lo_open, hi_open;     /* exclusive */
    const arti_dec *step; /* the value is a multiple of this ("integer" is step 1; join by arti_dec_lcm); NULL: none */
    const arti_dec *not_step;         /* array: the value is a multiple of none of these */
    const arti_dec *not_value;        /* array: the value is none of these */
    uint32_t n_not_step, n_not_value; /* at most ARTI_NUM_NOT_STEP_MAX, ARTI_NUM_NOT_VALUE_MAX */
    bool is_long; /* written with a fraction or an exponent, whatever the value: what is no integer of draft 4 */
    /* set by arti_num_rule_finish() */
    bool is_any;   /* no condition at all */
    bool is_wide;  /* a side without end (or an open one at zero), and nothing that demands values of extreme size */
    bool is_whole; /* every value that fits is an integer */
    bool has_integers; /* every integer is a multiple of the step */
    /* 64-bit arithmetic is enough for integers: has_integers, whole bounds of at most 17 digits with an integer between them, nothing excluded */
    bool has_small_bounds;
    bool is_small;              /* the same (or no integer between them), and the step is 1 */
    int64_t small_lo, small_hi; /* least and greatest integer that fit; INT64_MIN, INT64_MAX: no bound */
    /* 64-bit arithmetic is enough for multiples: they are those of grid_step / 10^grid between grid_lo and grid_hi / 10^grid (INT64_MIN,
     * INT64_MAX: no bound), nothing else excluded. grid_step 0: it is not */
    uint32_t grid;
    int64_t grid_step, grid_lo, grid_hi;
    bool is_decimal; /* enough zeros behind any integer make it a multiple */
} arti_num_rule;

#define ARTI_NUM_NOT_STEP_MAX 8u
#define ARTI_NUM_NOT_VALUE_MAX 64u

void arti_num_rule_finish(arti_num_rule *r);
bool arti_num_rule_has(const arti_num_rule *r, const arti_dec *v); /* does the value fit? */
bool arti_num_rule_is_empty(const arti_num_rule *r);               /* does no number fit? Exact. */

/* ------------------------------------------------------------------ numbers being written */

typedef enum arti_num_lex {                 /* where in the grammar of a number */
                            ARTI_NUM_START, /* nothing yet */
                            ARTI_NUM_MINUS,
                            ARTI_NUM_ZERO,    /* "0" : may end; no more digits before the point */
                            ARTI_NUM_INT,     /* may end */
                            ARTI_NUM_POINT,   /* "1." */
                            ARTI_NUM_FRAC,    /* may end */
                            ARTI_NUM_E,       /* "1e" */
                            ARTI_NUM_E_SIGN,  /* "1e+" */
                            ARTI_NUM_E_DIGITS /* may end */
} arti_num_lex;

typedef struct arti_num { /* zero-initialised: nothing written yet */
    uint8_t lex;          /* arti_num_lex */
    bool neg, exp_neg;
    uint8_t pad;
    uint32_t len;    /* bytes of text */
    uint32_t n_int;  /* digits before the point */
    uint32_t n_frac; /* digits after the point */
    uint32_t n_sig;  /* significant digits: from the first non-zero one on */
    uint32_t n_exp;  /* digits of the exponent */
    uint32_t exp;    /* magnitude of the exponent so far, saturating */
    uint64_t sig;    /* the significant digits as an integer while n_sig <= 18 */
} arti_num;

typedef enum arti_num_style {
    ARTI_NUM_ANY_STYLE, /* every spelling of JSON: 500e-2 is 5 (validation) */
    ARTI_NUM_PLAIN,     /* as the next one, but a prefix without an exponent does not get one */
    ARTI_NUM_USUAL /* what serialisers write (generation): an exponent only after one non-zero digit before the point,
                           of at most ARTI_NUM_USUAL_EXP digits; so that under "maximum": 10 the prefix 50 is dead. Without a
                           rule (is_any) every prefix is alive. */
} arti_num_style;

#define ARTI_NUM_USUAL_EXP 3u

/* What most parsers hold: IEEE doubles. A number that is generated stays below 10^308, and where zero is excluded or an exponent is
 * written, above 10^-300, unless the rule demands more (is_wide is false then, and is_any too). */
#define ARTI_NUM_MAGNITUDE_MAX 308
#define ARTI_NUM_MAGNITUDE_MIN (-300)
#define ARTI_NUM_NEAR                                                                                                  \
    100u /* digits, in all; shorter prefixes without an exponent can always stay within these bounds */

/* Takes one byte by the grammar alone; false (unchanged) when it does not go on with the number. */
bool arti_num_step(arti_num *n, uint8_t byte);
static inline bool arti_num_may_end(const arti_num *n) {
    return n->lex == ARTI_NUM_ZERO || n->lex == ARTI_NUM_INT || n->lex == ARTI_NUM_FRAC || n->lex == ARTI_NUM_E_DIGITS;
}

/* The number may end here and fits. text: its n->len bytes. */
bool arti_num_fits(const arti_num_rule *r, const arti_num *n, const uint8_t *text);
/* Some continuation (none included) fits. Exact for the style. */
bool arti_num_alive(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style);
/* Is a prefix that has a digit alive in every style whatever up to `levels` more digits follow at once, and can it stay finite? False: not
 * known. */
bool arti_num_is_settled(const arti_num_rule *r, const arti_num *n, uint32_t levels);
/* Of a whole number of at most 16 digits: does one more digit take it past the bound that lies away from zero, so that larger digits and more of
 * them do as well? */
bool arti_num_is_beyond(const arti_num_rule *r, const arti_num *n, uint8_t digit);
/* As arti_num_is_settled(), and the number may also end after each of them: how it goes on does not depend on which digits were written. */
bool arti_num_is_covered(const arti_num_rule *r, const arti_num *n, uint32_t levels);
/* Of a prefix that is alive: does some continuation stay within what parsers hold? */
bool arti_num_stays_finite(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style);
/* A shortest continuation that fits: returns its length (0: fits already), writes at most cap bytes; SIZE_MAX when there is none
 * (exactly when the prefix is dead). It stays finite if that is possible, in all styles but ARTI_NUM_ANY_STYLE. Plain
 * spellings of more than ARTI_NUM_PLAIN_MAX further bytes are not looked at. From ARTI_NUM_START it is a shortest witness of the rule. */
size_t arti_num_shortest(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style,
                         uint8_t *buf, size_t cap);

#define ARTI_NUM_PLAIN_MAX 400u

#endif
