/* SPDX-License-Identifier: Apache-2.0 */
#include "art_dec.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ natural numbers in base 10^9
 *
 * BIG_MAX limbs hold every intermediate result that the caps of the header allow: a bound of 1100 decimal places on either side
 * of the point, brought to the exponent of a prefix of ARTI_NUM_TEXT_MAX bytes. Operations report overflow all the same. */

#define BASE 1000000000u
#define BIG_MAX 800u

typedef struct big {
    uint32_t n; /* limbs in use; 0 is zero */
    uint32_t d[BIG_MAX];
} big;

/* A non-negative decimal d * 10^exp; borrows its limbs. */
typedef struct view {
    const uint32_t *d;
    uint32_t n;
    int64_t exp;
} view;

static const uint32_t pow10_small[10] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static view view_dec(const arti_dec *a) {
    return (view){a->limb, a->n, a->exp};
}
static view view_big(const big *b, int64_t exp) {
    return (view){b->d, b->n, b->n ? exp : 0};
}

static void big_copy(big *o, const uint32_t *d, uint32_t n) {
    o->n = n;
    if (n) memcpy(o->d, d, n * sizeof *d);
}

static void big_set(big *o, uint64_t v) {
    for (o->n = 0; v; v /= BASE) o->d[o->n++] = (uint32_t)(v % BASE);
}

static bool big_mul_add(big *b, uint32_t m, uint32_t add) {
    uint64_t carry = add;
    for (uint32_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->d[i] * m;
        b->d[i] = (uint32_t)(carry % BASE);
        carry /= BASE;
    }
    for (; carry; carry /= BASE) {
        if (b->n == BIG_MAX) return false;
        b->d[b->n++] = (uint32_t)(carry % BASE);
    }
    return true;
}

/* b * 10^k */
static bool big_scale(big *b, int64_t k) {
    if (b->n == 0 || k == 0) return true;
    if (k < 0 || k / 9 > BIG_MAX - b->n) return false;
    uint32_t limbs = (uint32_t)(k / 9);
    if (limbs) {
        memmove(b->d + limbs, b->d, b->n * sizeof *b->d);
        memset(b->d, 0, limbs * sizeof *b->d);
        b->n += limbs;
    }
    return big_mul_add(b, pow10_small[k % 9], 0);
}

/* b / m, returns the remainder */
static uint32_t big_div_small(big *b, uint32_t m) {
    uint64_t rem = 0;
    for (uint32_t i = b->n; i-- > 0;) {
        rem = rem * BASE + b->d[i];
        b->d[i] = (uint32_t)(rem / m);
        rem %= m;
    }
    while (b->n && b->d[b->n - 1] == 0) b->n--;
    return (uint32_t)rem;
}

static uint32_t big_mod_small(const big *b, uint32_t m) {
    uint64_t rem = 0;
    for (uint32_t i = b->n; i-- > 0;) rem = (rem * BASE + b->d[i]) % m;
    return (uint32_t)rem;
}

static int big_cmp(const big *a, const big *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->d[i] != b->d[i]) return a->d[i] < b->d[i] ? -1 : 1;
    return 0;
}

static bool big_add(big *a, const big *b) {
    uint32_t carry = 0, n = a->n > b->n ? a->n : b->n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = (i < a->n ? a->d[i] : 0) + (i < b->n ? b->d[i] : 0) + carry;
        carry = s >= BASE;
        a->d[i] = carry ? s - BASE : s;
    }
    a->n = n;
    if (!carry) return true;
    if (n == BIG_MAX) return false;
    a->d[a->n++] = 1;
    return true;
}

/* r = a mod b, and q = a / b when q is given (neither may be a or b). Knuth, TAOCP volume 2, 4.3.1, algorithm D. */
static bool big_divmod(const big *a, const big *b, big *q, big *r) {
    if (b->n == 1) {
        big whole;
        big_copy(&whole, a->d, a->n);
        big_set(r, big_div_small(&whole, b->d[0]));
        if (q) big_copy(q, whole.d, whole.n);
        return true;
    }
    big_copy(r, a->d, a->n);
    if (q) q->n = 0;
    if (big_cmp(a, b) < 0) return true;
    if (a->n >= BIG_MAX) return false;
    uint32_t norm = BASE / (b->d[b->n - 1] + 1);
    big v;
    big_copy(&v, b->d, b->n);
    big_mul_add(&v, norm, 0);
    big_mul_add(r, norm, 0);
    if (r->n == a->n) r->d[r->n++] = 0;
    uint32_t n = v.n, m = r->n - n;
    if (q) q->n = m;
    for (uint32_t j = m; j-- > 0;) {
        uint64_t top = (uint64_t)r->d[j + n] * BASE + r->d[j + n - 1];
        uint64_t guess = top / v.d[n - 1], rest = top % v.d[n - 1];
        while (guess >= BASE || guess * v.d[n - 2] > rest * BASE + r->d[j + n - 2]) {
            guess--;
            rest += v.d[n - 1];
            if (rest >= BASE) break;
        }
        int64_t borrow = 0;
        uint64_t carry = 0;
        for (uint32_t i = 0; i < n; i++) {
            carry += guess * v.d[i];
            int64_t t = (int64_t)r->d[i + j] - borrow - (int64_t)(carry % BASE);
            carry /= BASE;
            borrow = t < 0;
            r->d[i + j] = (uint32_t)(borrow ? t + (int64_t)BASE : t);
        }
        int64_t t = (int64_t)r->d[j + n] - borrow - (int64_t)carry;
        r->d[j + n] = (uint32_t)(t < 0 ? t + (int64_t)BASE : t);
        if (t < 0) {
            guess--;
            uint32_t c = 0;
            for (uint32_t i = 0; i < n; i++) {
                uint32_t s = r->d[i + j] + v.d[i] + c;
                c = s >= BASE;
                r->d[i + j] = c ? s - BASE : s;
            }
            r->d[j + n] = (r->d[j + n] + c) % BASE;
        }
        if (q) q->d[j] = (uint32_t)guess;
    }
    r->n = n;
    while (r->n && r->d[r->n - 1] == 0) r->n--;
    big_div_small(r, norm);
    if (q)
        while (q->n && q->d[q->n - 1] == 0) q->n--;
    return true;
}

static int64_t count_digits(view v) {
    if (v.n == 0) return 0;
    int64_t k = ((int64_t)v.n - 1) * 9;
    for (uint32_t top = v.d[v.n - 1]; top; top /= 10) k++;
    return k;
}

/* Power of ten just above the value: 10^(magnitude - 1) <= value < 10^magnitude. */
static int64_t magnitude(view v) {
    return count_digits(v) + v.exp;
}

static uint32_t digit_at(view v, int64_t i) { /* i-th from the least significant; 0 outside */
    if (i < 0) return 0;
    return v.d[i / 9] / pow10_small[i % 9] % 10;
}

/* Nine digits, from the i-th on upwards; zeros outside. */
static uint32_t nine_digits_at(view v, int64_t i) {
    if (i <= -9) return 0;
    if (i < 0) return v.d[0] % pow10_small[9 + i] * pow10_small[-i];
    const int64_t at = i / 9, off = i % 9;
    const uint32_t low = at < v.n ? v.d[at] / pow10_small[off] : 0;
    const uint32_t high = at + 1 < v.n ? v.d[at + 1] % pow10_small[off] : 0;
    return low + high * pow10_small[9 - off];
}

/* Compares the digits of two values as if both had the same magnitude. */
static int cmp_digits(view a, view b) {
    int64_t i = count_digits(a), j = count_digits(b);
    while (i > 0 || j > 0) {
        const uint32_t x = nine_digits_at(a, i -= 9), y = nine_digits_at(b, j -= 9);
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static int cmp_view(view a, view b) {
    if (a.n == 0 || b.n == 0) return (a.n != 0) - (b.n != 0);
    int64_t x = magnitude(a), y = magnitude(b);
    if (x != y) return x < y ? -1 : 1;
    return cmp_digits(a, b);
}

static bool view_to_u64(view v, uint64_t *out) { /* the coefficient, when it has at most 18 digits */
    if (v.n > 2) return false;
    *out = (v.n > 1 ? (uint64_t)v.d[1] * BASE : 0) + (v.n ? v.d[0] : 0);
    return true;
}

/* a is a whole multiple of m (m not zero). 10^t * a / m is whole when what is left of m, after t factors 2 and 5 are taken out of
 * it, divides a. */
static bool is_multiple(view a, view m) {
    if (a.n == 0) return true;
    int64_t t = a.exp - m.exp;
    if (t < 0 && count_digits(m) - t > count_digits(a)) return false; /* |a| < |m|, as 10^-t * m has more digits */
    uint64_t x, y;
    if (view_to_u64(a, &x) && view_to_u64(m, &y) && t > -18) {
        for (int64_t i = 0; i < t && y % 2 == 0; i++) y /= 2;
        for (int64_t i = 0; i < t && y % 5 == 0; i++) y /= 5;
        for (int64_t i = 0; i < -t; i++) {
            if (y > UINT64_MAX / 10) return false;
            y *= 10;
        }
        return x % y == 0;
    }
    big c, whole, rem;
    if (a.n > BIG_MAX) return false;
    big_copy(&c, m.d, m.n);
    for (int64_t i = 0; i < t && big_mod_small(&c, 2) == 0; i++) big_div_small(&c, 2);
    for (int64_t i = 0; i < t && big_mod_small(&c, 5) == 0; i++) big_div_small(&c, 5);
    if (t < 0 && !big_scale(&c, -t)) return false;
    big_copy(&whole, a.d, a.n);
    return big_divmod(&whole, &c, NULL, &rem) && rem.n == 0;
}

/* ------------------------------------------------------------------ decimals */

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* The digits of a text, a point or sign apart, as an integer. False: too many. */
static bool big_read(big *b, const uint8_t *text, size_t len) {
    uint32_t k = 0; /* digits of the last limb */
    b->n = 0;
    while (len && !(is_digit(*text) && *text != '0')) text++, len--;
    for (size_t i = len; i-- > 0;) {
        if (!is_digit(text[i])) continue;
        if (k % 9 == 0) {
            if (b->n == BIG_MAX) return false;
            b->d[b->n++] = 0;
            k = 0;
        }
        b->d[b->n - 1] += (uint32_t)(text[i] - '0') * pow10_small[k++];
    }
    return true;
}

static bool finish_dec(arti_arena *arena, big *b, int64_t exp, bool neg, arti_dec *out) {
    uint32_t zeros = 0; /* limbs */
    while (zeros < b->n && b->d[zeros] == 0) zeros++;
    b->n -= zeros;
    memmove(b->d, b->d + zeros, b->n * sizeof *b->d);
    exp += (int64_t)zeros * 9;
    while (b->n && big_mod_small(b, 10) == 0) {
        big_div_small(b, 10);
        exp++;
    }
    *out = (arti_dec){.neg = neg && b->n, .n = b->n, .exp = b->n ? exp : 0};
    if (b->n) {
        uint32_t *limb = arti_arena_get(arena, b->n * sizeof *limb);
        if (!limb) return false;
        memcpy(limb, b->d, b->n * sizeof *limb);
        out->limb = limb;
    }
    uint64_t v;
    if (out->exp >= 0 && magnitude(view_dec(out)) <= 18 && view_to_u64(view_dec(out), &v)) {
        for (int64_t i = 0; i < out->exp; i++) v *= 10;
        out->is_small = true;
        out->small = neg ? -(int64_t)v : (int64_t)v;
    }
    return true;
}

art_status arti_dec_parse(arti_arena *arena, const char *text, size_t len, arti_dec *out, art_error *err) {
    arti_num n = {0};
    big b;
    uint32_t digits = 0; /* significant ones, trailing zeros of the fraction included */
    size_t n_read = 0;   /* bytes up to the exponent */
    int64_t exp = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (!arti_num_step(&n, c)) return arti_fail(err, ART_E_SYNTAX, i, "not a number at byte %zu", i);
        if (n.lex < ARTI_NUM_E) n_read = i + 1;
        if (!is_digit(c) || n.lex >= ARTI_NUM_E) continue;
        if (c != '0' || digits) digits++;
        if (digits > ARTI_DEC_DIGITS_MAX)
            return arti_fail(err, ART_E_LIMIT, i, "a number of more than %u significant digits", ARTI_DEC_DIGITS_MAX);
        if (n.lex == ARTI_NUM_FRAC) exp--;
    }
    if (!arti_num_may_end(&n)) return arti_fail(err, ART_E_SYNTAX, len, "a number that is not finished");
    exp += n.exp_neg ? -(int64_t)n.exp : (int64_t)n.exp;
    int64_t size = big_read(&b, (const uint8_t *)text, n_read) ? magnitude(view_big(&b, exp)) : ARTI_DEC_EXP_MAX + 1;
    if (b.n && (size > ARTI_DEC_EXP_MAX || exp < -ARTI_DEC_EXP_MAX))
        return arti_fail(err, ART_E_LIMIT, 0, "a number beyond 10^%d or with more decimal places than that",
                         ARTI_DEC_EXP_MAX);
    if (!finish_dec(arena, &b, exp, n.neg, out)) return arti_mem_fail(arena->mem, err);
    return ART_OK;
}

arti_dec arti_dec_int(int64_t v, uint32_t limbs[3]) {
    uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;
    arti_dec d = {.neg = v < 0, .is_small = true, .small = v, .limb = limbs};
    while (u && u % 10 == 0) u /= 10, d.exp++;
    for (; u; u /= BASE) limbs[d.n++] = (uint32_t)(u % BASE);
    return d;
}

int arti_dec_cmp(const arti_dec *a, const arti_dec *b) {
    if (a->is_small && b->is_small) return (a->small > b->small) - (a->small < b->small);
    if (a->neg != b->neg) return a->neg ? -1 : 1;
    int c = cmp_view(view_dec(a), view_dec(b));
    return a->neg ? -c : c;
}

bool arti_dec_is_integer(const arti_dec *a) {
    return a->exp >= 0;
}

bool arti_dec_is_multiple(const arti_dec *a, const arti_dec *m) {
    return is_multiple(view_dec(a), view_dec(m));
}

arti_dec arti_dec_negate(const arti_dec *a) {
    arti_dec d = *a;
    d.neg = !a->neg && a->n;
    d.small = -a->small;
    return d;
}

uint32_t arti_dec_digits(const arti_dec *a) {
    return (uint32_t)count_digits(view_dec(a));
}

art_status arti_dec_lcm(arti_arena *arena, const arti_dec *a, const arti_dec *b, arti_dec *out, art_error *err) {
    int64_t exp = a->exp < b->exp ? a->exp : b->exp;
    big x, y, g, r, q, product = {0};
    big_copy(&x, a->limb, a->n);
    big_copy(&y, b->limb, b->n);
    if (!big_scale(&x, a->exp - exp) || !big_scale(&y, b->exp - exp)) goto limit;
    big_copy(&g, x.d, x.n);
    big_copy(&q, y.d, y.n);
    while (q.n) { /* Euclid: (g, q) -> (q, g mod q) */
        if (!big_divmod(&g, &q, NULL, &r)) goto limit;
        big_copy(&g, q.d, q.n);
        big_copy(&q, r.d, r.n);
    }
    if (!big_divmod(&x, &g, &q, &r) || q.n + y.n > BIG_MAX) goto limit;
    for (uint32_t i = q.n; i-- > 0;) { /* product = q * y, limb by limb */
        big part;
        big_copy(&part, y.d, y.n);
        if (!big_scale(&product, 9) || !big_mul_add(&part, q.d[i], 0) || !big_add(&product, &part)) goto limit;
        while (part.n && part.d[part.n - 1] == 0) part.n--;
    }
    if (count_digits(view_big(&product, 0)) > ARTI_DEC_DIGITS_MAX ||
        magnitude(view_big(&product, exp)) > ARTI_DEC_EXP_MAX)
        goto limit;
    if (!finish_dec(arena, &product, exp, false, out)) return arti_mem_fail(arena->mem, err);
    return ART_OK;
limit:
    return arti_fail(err, ART_E_LIMIT, 0, "the least common multiple of two multipleOf has more than %u digits",
                     ARTI_DEC_DIGITS_MAX);
}

/* Decimal digits of a coefficient, most significant first; returns how many. buf holds BIG_MAX * 9. */
static size_t write_digits(view v, char *buf) {
    int64_t n = count_digits(v);
    for (int64_t i = 0; i < n; i++) buf[i] = (char)('0' + digit_at(v, n - 1 - i));
    return (size_t)n;
}

typedef struct sink {
    char *buf;
    size_t cap, len;
} sink;

static void put(sink *s, char c) {
    if (s->len < s->cap) s->buf[s->len] = c;
    s->len++;
}

static void put_int(sink *s, int64_t v) {
    char rev[20];
    size_t n = 0;
    if (v < 0) put(s, '-');
    uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;
    do rev[n++] = (char)('0' + u % 10);
    while (u /= 10);
    while (n) put(s, rev[--n]);
}

size_t arti_dec_write(const arti_dec *a, char *buf, size_t cap) {
    char digits[BIG_MAX * 9];
    sink s = {buf, cap, 0};
    if (a->neg) put(&s, '-');
    if (a->n == 0) {
        put(&s, '0');
        return s.len;
    }
    int64_t n = (int64_t)write_digits(view_dec(a), digits), exp = a->exp, size = n + exp;
    if (exp >= 0 && exp <= 4) {
        for (int64_t i = 0; i < n; i++) put(&s, digits[i]);
        for (int64_t i = 0; i < exp; i++) put(&s, '0');
    } else if (exp < 0 && size > 0) {
        for (int64_t i = 0; i < n; i++) {
            if (i == size) put(&s, '.');
            put(&s, digits[i]);
        }
    } else if (exp < 0 && size > -4) {
        put(&s, '0');
        put(&s, '.');
        for (int64_t i = size; i < 0; i++) put(&s, '0');
        for (int64_t i = 0; i < n; i++) put(&s, digits[i]);
    } else {
        put(&s, digits[0]);
        if (n > 1) put(&s, '.');
        for (int64_t i = 1; i < n; i++) put(&s, digits[i]);
        put(&s, 'e');
        put_int(&s, size - 1);
    }
    return s.len;
}

/* ------------------------------------------------------------------ rules
 *
 * Questions are asked of magnitudes: a *side* is what a rule means for the numbers of one sign. */

typedef struct side {
    const arti_num_rule *r;
    bool neg, empty, has_hi, lo_open, hi_open;
    view lo, hi; /* lo is 0 when there is no bound: a magnitude is never below */
    view step;   /* n = 0: none */
} side;

static side make_side(const arti_num_rule *r, bool neg) {
    side s = {.r = r, .neg = neg};
    const arti_dec *lo = neg ? r->hi : r->lo, *hi = neg ? r->lo : r->hi;
    bool lo_open = neg ? r->hi_open : r->lo_open, hi_open = neg ? r->lo_open : r->hi_open;
    if (lo && (lo->neg == neg || lo->n == 0)) s.lo = view_dec(lo), s.lo_open = lo_open;
    if (hi) {
        if (hi->n && hi->neg != neg) s.empty = true;
        s.has_hi = true;
        s.hi = view_dec(hi);
        s.hi_open = hi_open;
    }
    if (r->step) s.step = view_dec(r->step);
    return s;
}

static bool is_excluded(const side *s, view x) {
    const arti_num_rule *r = s->r;
    for (uint32_t i = 0; i < r->n_not_step; i++)
        if (is_multiple(x, view_dec(&r->not_step[i]))) return true;
    for (uint32_t i = 0; i < r->n_not_value; i++) {
        const arti_dec *v = &r->not_value[i];
        if ((v->n == 0 || v->neg == s->neg) && cmp_view(view_dec(v), x) == 0) return true;
    }
    return false;
}

static bool side_has(const side *s, view x) {
    if (s->empty) return false;
    int c = cmp_view(x, s->lo);
    if (c < 0 || (c == 0 && s->lo_open)) return false;
    if (s->has_hi) {
        c = cmp_view(x, s->hi);
        if (c > 0 || (c == 0 && s->hi_open)) return false;
    }
    if (s->step.n && !is_multiple(x, s->step)) return false;
    return !is_excluded(s, x);
}

bool arti_num_rule_has(const arti_num_rule *r, const arti_dec *v) {
    side s = make_side(r, v->neg);
    return side_has(&s, view_dec(v));
}

/* How many neighbouring multiples of a step have to be tried: of h(8) = 34 consecutive integers (Jacobsthal's function) one is
 * divisible by none of eight primes, and each excluded value may spoil one such run. */
#define TRIES_PER_EXCLUSION 34u

/* The least fitting x in [a, b) (b none: unbounded) that is a multiple of 10^grid too when has_grid. Without step and grid only
 * existence is answered (x stays unset). Exact. */
static bool find(const side *s, view a, const view *b, bool has_grid, int64_t grid, big *x, int64_t *x_exp) {
    if (s->empty) return false;
    view lo = a, hi = {0};
    bool lo_open = false, hi_open = false, has_hi = false;
    int c = cmp_view(s->lo, a);
    if (c >= 0) lo = s->lo, lo_open = s->lo_open;
    if (s->has_hi) has_hi = true, hi = s->hi, hi_open = s->hi_open;
    if (b && (!has_hi || cmp_view(*b, hi) <= 0)) has_hi = true, hi = *b, hi_open = true;
    if (has_hi) {
        c = cmp_view(lo, hi);
        if (c > 0 || (c == 0 && (lo_open || hi_open))) return false;
        if (!s->step.n && !has_grid) return c < 0 || !is_excluded(s, lo);
    } else if (!s->step.n && !has_grid) {
        return true;
    }
    big step;
    int64_t exp;
    if (s->step.n) {
        for (uint32_t i = 0; i < s->r->n_not_step; i++)
            if (is_multiple(s->step, view_dec(&s->r->not_step[i]))) return false;
        big_copy(&step, s->step.d, s->step.n);
        exp = s->step.exp;
        if (has_grid && exp < grid) { /* least common multiple of step and 10^grid */
            int64_t two = grid - exp, five = two;
            for (big t = step; two > 0 && big_div_small(&t, 2) == 0;) two--;
            for (big t = step; five > 0 && big_div_small(&t, 5) == 0;) five--;
            for (; two > 0; two--)
                if (!big_mul_add(&step, 2, 0)) return false;
            for (; five > 0; five--)
                if (!big_mul_add(&step, 5, 0)) return false;
        }
    } else {
        big_set(&step, 1);
        exp = grid;
    }
    int64_t e = exp;
    if (lo.n && lo.exp < e) e = lo.exp;
    if (has_hi && hi.n && hi.exp < e) e = hi.exp;
    big l, h = {0}, rem;
    big_copy(&l, lo.d, lo.n);
    if (!big_scale(&l, lo.n ? lo.exp - e : 0) || !big_scale(&step, exp - e)) return false;
    if (has_hi) {
        big_copy(&h, hi.d, hi.n);
        if (!big_scale(&h, hi.n ? hi.exp - e : 0)) return false;
    }
    if (!big_divmod(&l, &step, NULL, &rem)) return false;
    if (rem.n || lo_open) { /* up to the next multiple: l + step - rem */
        if (!big_add(&l, &step)) return false;
        uint32_t borrow = 0;
        for (uint32_t i = 0; i < l.n; i++) {
            uint32_t sub = (i < rem.n ? rem.d[i] : 0) + borrow;
            borrow = l.d[i] < sub;
            l.d[i] = borrow ? l.d[i] + BASE - sub : l.d[i] - sub;
        }
        while (l.n && l.d[l.n - 1] == 0) l.n--;
    }
    uint32_t tries = (s->r->n_not_value + 1) * (s->r->n_not_step ? TRIES_PER_EXCLUSION : 1);
    for (; tries; tries--) {
        if (has_hi) {
            c = big_cmp(&l, &h);
            if (c > 0 || (c == 0 && hi_open)) return false;
        }
        if (!is_excluded(s, view_big(&l, e))) {
            if (x) big_copy(x, l.d, l.n), *x_exp = e;
            return true;
        }
        if (!big_add(&l, &step)) return false;
    }
    return false;
}

static bool exists(const side *s, view a, const view *b) {
    return find(s, a, b, false, 0, NULL, NULL);
}

bool arti_num_rule_is_empty(const arti_num_rule *r) {
    if (r->is_any) return false;
    if (r->is_small) return r->small_lo > r->small_hi;
    for (int neg = 0; neg < 2; neg++) {
        side s = make_side(r, neg);
        if (exists(&s, (view){0}, NULL)) return false;
    }
    return true;
}

#define SMALL_MAX INT64_C(100000000000000000) /* 10^17: ten times it plus nine still fits */

/* 10^e, negated on request, as a bound. */
#define POWER(e, negative) {.neg = (negative), .n = 1, .exp = (e), .limb = one_limb}
static const uint32_t one_limb[1] = {1};
static const arti_dec huge_bound[2] = {POWER(ARTI_NUM_MAGNITUDE_MAX, false), POWER(ARTI_NUM_MAGNITUDE_MAX, true)};
static const arti_dec tiny_bound[2] = {POWER(ARTI_NUM_MAGNITUDE_MIN, false), POWER(ARTI_NUM_MAGNITUDE_MIN, true)};

static bool is_moderate(const arti_dec *a) { /* or zero, or none */
    if (!a || a->n == 0) return true;
    const int64_t m = magnitude(view_dec(a));
    return m <= (int64_t)ARTI_NUM_NEAR && m >= -(int64_t)ARTI_NUM_NEAR;
}

static bool is_open_zero(const arti_dec *bound, bool is_open) {
    return bound && bound->n == 0 && is_open;
}

/* Whole numbers of moderate size keep their usual arithmetic: steps of more digits could need larger numbers than doubles hold. */
static bool is_wide(const arti_num_rule *r) {
    const bool wide = !r->lo || !r->hi || is_open_zero(r->lo, r->lo_open) || is_open_zero(r->hi, r->hi_open);
    return wide && is_moderate(r->lo) && is_moderate(r->hi) &&
           (!r->step || (is_moderate(r->step) && magnitude(view_dec(r->step)) <= 18));
}

/* The part of a wide rule that doubles hold. */
static arti_num_rule finite_part(const arti_num_rule *r) {
    arti_num_rule part = *r;
    if (is_open_zero(r->lo, r->lo_open))
        part.lo = &tiny_bound[0], part.lo_open = false;
    else if (!r->lo)
        part.lo = &huge_bound[1], part.lo_open = true;
    if (is_open_zero(r->hi, r->hi_open))
        part.hi = &tiny_bound[1], part.hi_open = false;
    else if (!r->hi)
        part.hi = &huge_bound[0], part.hi_open = true;
    arti_num_rule_finish(&part);
    return part;
}

static bool is_small_bound(const arti_dec *a) { /* or none */
    return !a || (a->is_small && a->small < SMALL_MAX && a->small > -SMALL_MAX);
}

#define GRID_MAX 9u

/* The value times 10^grid, if it is an integer of at most 17 digits. */
static bool on_grid(const arti_dec *a, uint32_t grid, int64_t *out) {
    uint64_t v = 0;
    if (a->n > 2) return false;
    for (uint32_t i = a->n; i > 0; i--) v = v * BASE + a->limb[i - 1];
    for (int64_t e = a->exp + (int64_t)grid; e; e--) {
        if (e < 0 || v >= (uint64_t)SMALL_MAX / 10) return false;
        v *= 10;
    }
    *out = a->neg ? -(int64_t)v : (int64_t)v;
    return v < (uint64_t)SMALL_MAX;
}

static void find_grid(arti_num_rule *r) {
    const arti_dec *const all[3] = {r->step, r->lo, r->hi};
    int64_t grid = 0;
    r->grid_step = 0;
    if (!r->step || r->is_long || r->n_not_step || r->n_not_value) return;
    for (int i = 0; i < 3; i++)
        if (all[i] && all[i]->n && -all[i]->exp > grid) grid = -all[i]->exp;
    if (grid > (int64_t)GRID_MAX) return;
    r->grid = (uint32_t)grid;
    r->grid_lo = INT64_MIN, r->grid_hi = INT64_MAX;
    if ((r->lo && !on_grid(r->lo, r->grid, &r->grid_lo)) || (r->hi && !on_grid(r->hi, r->grid, &r->grid_hi))) return;
    if (r->lo) r->grid_lo += r->lo_open;
    if (r->hi) r->grid_hi -= r->hi_open;
    if (!on_grid(r->step, r->grid, &r->grid_step)) r->grid_step = 0;
    int64_t odd = r->grid_step;
    while (odd && odd % 2 == 0) odd /= 2;
    while (odd && odd % 5 == 0) odd /= 5;
    r->is_decimal = odd == 1;
}

void arti_num_rule_finish(arti_num_rule *r) {
    find_grid(r);
    r->is_whole = r->step && r->step->is_small && !r->is_long;
    r->is_any = !r->is_long && !r->lo && !r->hi && !r->step && !r->n_not_step && !r->n_not_value;
    r->is_wide = !r->is_any && is_wide(r);
    r->small_lo = INT64_MIN, r->small_hi = INT64_MAX;
    const bool unit_step = r->step && r->step->is_small && r->step->small == 1;
    r->has_integers = !r->step || is_multiple((view){one_limb, 1, 0}, view_dec(r->step));
    r->has_small_bounds = !r->is_long && r->has_integers && !r->n_not_step && !r->n_not_value &&
                          is_small_bound(r->lo) && is_small_bound(r->hi);
    if (r->has_small_bounds) {
        if (r->lo) r->small_lo = r->lo->small + r->lo_open;
        if (r->hi) r->small_hi = r->hi->small - r->hi_open;
    }
    r->is_small = r->has_small_bounds && unit_step;
    /* Between 0 and 1, both excluded, there are fractions only. */
    if (!unit_step && r->small_lo > r->small_hi) r->has_small_bounds = false;
}

/* ------------------------------------------------------------------ numbers being written */

bool arti_num_step(arti_num *n, uint8_t byte) {
    bool digit = is_digit(byte);
    uint8_t lex;
    switch (n->lex) {
    case ARTI_NUM_START:
        if (byte == '-') {
            lex = ARTI_NUM_MINUS;
            break;
        } /* fall through */
    case ARTI_NUM_MINUS:
        if (!digit) return false;
        lex = byte == '0' ? ARTI_NUM_ZERO : ARTI_NUM_INT;
        break;
    case ARTI_NUM_ZERO:
    case ARTI_NUM_INT:
        if (byte == '.')
            lex = ARTI_NUM_POINT;
        else if (byte == 'e' || byte == 'E')
            lex = ARTI_NUM_E;
        else if (digit && n->lex == ARTI_NUM_INT)
            lex = ARTI_NUM_INT;
        else
            return false;
        break;
    case ARTI_NUM_POINT:
        if (!digit) return false;
        lex = ARTI_NUM_FRAC;
        break;
    case ARTI_NUM_FRAC:
        if (byte == 'e' || byte == 'E')
            lex = ARTI_NUM_E;
        else if (digit)
            lex = ARTI_NUM_FRAC;
        else
            return false;
        break;
    case ARTI_NUM_E:
        if (byte == '+' || byte == '-') {
            lex = ARTI_NUM_E_SIGN;
            n->exp_neg = byte == '-';
            break;
        } /* fall through */
    default:
        if (!digit) return false;
        lex = ARTI_NUM_E_DIGITS;
        break;
    }
    if (lex == ARTI_NUM_MINUS) n->neg = true;
    if (digit && lex <= ARTI_NUM_FRAC) {
        if (byte != '0' || n->n_sig) {
            n->n_sig++;
            if (n->n_sig <= 18) n->sig = n->sig * 10 + (uint64_t)(byte - '0');
        }
        if (lex == ARTI_NUM_FRAC)
            n->n_frac++;
        else
            n->n_int++;
    } else if (digit) {
        n->n_exp++;
        n->exp = n->exp < 100000000u ? n->exp * 10 + (uint32_t)(byte - '0') : 1000000000u;
    }
    n->lex = lex;
    n->len++;
    return true;
}

/* The digits written so far as an integer; their exponent is -n_frac. False past the caps. */
static bool mantissa(const arti_num *n, const uint8_t *text, big *out) {
    if (n->len > ARTI_NUM_TEXT_MAX || n->n_sig > ARTI_NUM_DIGITS_MAX) return false;
    if (n->n_sig <= 18) {
        big_set(out, n->sig);
        return true;
    }
    size_t len = 0;
    while (len < n->len && text[len] != 'e' && text[len] != 'E') len++;
    return big_read(out, text, len);
}

static int64_t written_exp(const arti_num *n) {
    return (n->exp_neg ? -(int64_t)n->exp : (int64_t)n->exp) - (int64_t)n->n_frac;
}

/* The whole value fits into 64 bits and has no fraction or exponent. */
static bool small_value(const arti_num *n, int64_t *v) {
    if (n->n_sig > 18 || n->lex > ARTI_NUM_INT) return false;
    *v = n->neg ? -(int64_t)n->sig : (int64_t)n->sig;
    return true;
}

/* The first n digits of a value, at most 18; zeros behind its last one. */
static uint64_t leading_digits(view v, uint32_t n) {
    const int64_t size = count_digits(v);
    uint64_t x = (uint64_t)nine_digits_at(v, size - 9) * BASE + nine_digits_at(v, size - 18);
    for (; n < 18; n++) x /= 10;
    return x;
}

/* Are the digits written so far none that a value within the bounds begins with, wherever its point is? False: not known. */
static bool begins_outside(const side *s, const arti_num *n) {
    if (!n->n_sig || !s->lo.n || !s->has_hi || !s->hi.n || magnitude(s->lo) != magnitude(s->hi)) return false;
    const uint32_t n_digits = n->n_sig < 18 ? n->n_sig : 18; /* those that n->sig has */
    return n->sig < leading_digits(s->lo, n_digits) || n->sig > leading_digits(s->hi, n_digits);
}

static int64_t power_of_ten(uint32_t e) { /* at most 17 */
    return e < 9 ? (int64_t)pow10_small[e] : (int64_t)pow10_small[9] * pow10_small[e - 9];
}

/* Magnitudes first .. last - 1 on the grid that begin with the number, which has no exponent, and with no more digits before its point. false: not
 * known. */
static bool grid_range(const arti_num_rule *r, const arti_num *n, int64_t *first, int64_t *last) {
    if (!r->grid_step || n->lex < ARTI_NUM_ZERO || n->lex > ARTI_NUM_FRAC || n->n_sig > 17) return false;
    const int64_t p = (int64_t)n->sig;
    if (n->n_frac > r->grid) { /* finer than the grid */
        if (n->n_frac - r->grid > 17) return false;
        const int64_t unit = power_of_ten(n->n_frac - r->grid);
        *first = p / unit;
        *last = *first + (p % unit == 0);
        return true;
    }
    const int64_t unit = power_of_ten(r->grid - n->n_frac);
    if (p > SMALL_MAX / unit) return false;
    *first = p * unit;
    *last = *first + unit;
    return true;
}

/* Is there a multiple among these magnitudes? */
static bool grid_has(const arti_num_rule *r, bool neg, int64_t first, int64_t last) {
    int64_t lo = neg ? r->grid_hi == INT64_MAX ? INT64_MIN : -r->grid_hi : r->grid_lo;
    const int64_t hi = neg ? r->grid_lo == INT64_MIN ? INT64_MAX : -r->grid_lo : r->grid_hi;
    if (lo < first) lo = first;
    const int64_t rest = lo % r->grid_step, least = rest ? lo + r->grid_step - rest : lo;
    return least < last && least <= hi;
}

bool arti_num_fits(const arti_num_rule *r, const arti_num *n, const uint8_t *text) {
    if (!arti_num_may_end(n) || (r->is_long && n->lex <= ARTI_NUM_INT)) return false;
    if (r->is_any) return true;
    int64_t v;
    if (r->has_small_bounds && small_value(n, &v)) return v >= r->small_lo && v <= r->small_hi;
    int64_t first, last;
    if (grid_range(r, n, &first, &last)) return first < last && grid_has(r, n->neg, first, first + 1);
    big m;
    side s = make_side(r, n->neg);
    if (begins_outside(&s, n) || !mantissa(n, text, &m)) return false;
    return side_has(&s, view_big(&m, written_exp(n)));
}

/* --- exponents: values m * 10^e for the e that the written exponent can still become */

#define EXP_NONE INT64_C(2000000000)

typedef struct exp_range { /* e that fit, by bounds and multiples; excluded values apart */
    int64_t lo, hi;
} exp_range;

/* Least t with m * 10^t a multiple of c; EXP_NONE when there is none. */
static int64_t least_shift(view m, view c) {
    big x, y, rem;
    big_copy(&x, m.d, m.n);
    big_copy(&y, c.d, c.n);
    int64_t two = 0, five = 0;
    while (big_mod_small(&y, 2) == 0) big_div_small(&y, 2), two++;
    while (big_mod_small(&y, 5) == 0) big_div_small(&y, 5), five++;
    if (!big_divmod(&x, &y, NULL, &rem) || rem.n) return EXP_NONE;
    while (big_mod_small(&x, 2) == 0) big_div_small(&x, 2), two--;
    while (big_mod_small(&x, 5) == 0) big_div_small(&x, 5), five--;
    return (two > five ? two : five) + c.exp - m.exp;
}

static exp_range fitting_exponents(const side *s, view m) {
    exp_range e = {-EXP_NONE, EXP_NONE};
    if (s->empty) return (exp_range){1, 0};
    if (s->lo.n) {
        int c = cmp_digits(m, s->lo);
        e.lo = magnitude(s->lo) - magnitude(m) + (c < 0 || (c == 0 && s->lo_open));
    }
    if (s->has_hi) {
        if (s->hi.n == 0) return (exp_range){1, 0};
        int c = cmp_digits(m, s->hi);
        e.hi = magnitude(s->hi) - magnitude(m) - (c > 0 || (c == 0 && s->hi_open));
    }
    if (s->step.n) {
        int64_t t = least_shift(m, s->step);
        if (t > e.lo) e.lo = t;
    }
    for (uint32_t i = 0; i < s->r->n_not_step; i++) {
        int64_t t = least_shift(m, view_dec(&s->r->not_step[i]));
        if (t - 1 < e.hi) e.hi = t - 1;
    }
    return e;
}

/* The e nearest to zero in [lo, hi] (not crossing zero) that fits and is not excluded; EXP_NONE when there is none. */
static int64_t pick_exponent(const side *s, view m, exp_range fit, int64_t lo, int64_t hi) {
    if (fit.lo > lo) lo = fit.lo;
    if (fit.hi < hi) hi = fit.hi;
    bool down = hi <= 0;
    for (uint32_t tries = s->r->n_not_value + 1; tries && lo <= hi; tries--) {
        int64_t e = down ? hi-- : lo++;
        bool bad = false;
        for (uint32_t i = 0; i < s->r->n_not_value && !bad; i++) {
            const arti_dec *v = &s->r->not_value[i];
            bad = v->n && v->neg == s->neg && magnitude(view_dec(v)) == magnitude(m) + e &&
                  cmp_digits(view_dec(v), m) == 0;
        }
        if (!bad) return e;
    }
    return EXP_NONE;
}

/* The least number of further exponent digits with which m * 10^e fits, and that e; -1 when there is none. `neg` is the sign of
 * the exponent. */
static int exponent_digits(const side *s, const arti_num *n, view m, arti_num_style style, bool neg, int64_t *out) {
    bool zero = m.n == 0;
    if (zero && !side_has(s, m)) return -1;
    exp_range fit = zero ? (exp_range){-EXP_NONE, EXP_NONE} : fitting_exponents(s, m);
    int64_t first = n->n_exp ? n->exp : 0;
    for (int k = n->n_exp ? 0 : 1; k <= 9; k++) {
        if (style != ARTI_NUM_ANY_STYLE && n->n_exp + (uint32_t)k > ARTI_NUM_USUAL_EXP) return -1;
        int64_t a = first * pow10_small[k], b = a + pow10_small[k] - 1;
        if (a > EXP_NONE) return -1;
        if (b > EXP_NONE) b = EXP_NONE;
        int64_t e = zero ? (neg ? -a : a) : pick_exponent(s, m, fit, neg ? -b : a, neg ? -a : b);
        if (e != EXP_NONE) {
            *out = neg ? -e : e;
            return k;
        }
    }
    return -1;
}

/* --- digits: p is what was written as an integer, its values are those in [p, p + 1) * 10^k for some k */

/* An exponent may follow in this style. */
static bool exponent_allowed(const arti_num *n, arti_num_style style) {
    if (style == ARTI_NUM_PLAIN && n->lex < ARTI_NUM_E) return false;
    return style == ARTI_NUM_ANY_STYLE || (n->n_int == 1 && n->n_sig == n->n_int + n->n_frac && n->n_sig);
}

typedef struct k_range {
    int64_t lo, hi;
} k_range;

/* The k outside of which [p, p + 1) * 10^k holds nothing that fits, or nothing that smaller k do not hold too. */
static k_range useful_shifts(const side *s, view p) {
    int64_t size = count_digits(p), least = 0;
    bool has_least = false;
    if (s->lo.n) least = magnitude(s->lo), has_least = true;
    if (s->step.n && (!has_least || magnitude(s->step) > least)) least = magnitude(s->step), has_least = true;
    if (s->has_hi && s->hi.n == 0) return (k_range){-size, -size}; /* only zero is left */
    k_range k;
    k.lo = (has_least ? least - 1 : s->has_hi ? magnitude(s->hi) - 2 : 0) - size;
    k.hi = s->has_hi ? magnitude(s->hi) - size + 1 : k.lo + 10;
    /* Where p itself is excluded, ten thousand neighbours are more than find() has to try. */
    if (!s->has_hi && s->step.n && k.hi < magnitude(s->step) + 4) k.hi = magnitude(s->step) + 4;
    return k;
}

static bool increment(const big *p, big *out) {
    big_copy(out, p->d, p->n);
    if (out->n) return big_mul_add(out, 1, 1);
    big_set(out, 1);
    return true;
}

/* Bounds of the magnitude of a prefix, as small_lo and small_hi. */
static void small_bounds(const arti_num_rule *r, bool neg, int64_t *lo, int64_t *hi) {
    *lo = neg ? (r->small_hi == INT64_MAX ? INT64_MIN : -r->small_hi) : r->small_lo;
    *hi = neg ? (r->small_lo == INT64_MIN ? INT64_MAX : -r->small_lo) : r->small_hi;
}

/* Before a fraction, of a rule with has_small_bounds: does some integer fit? */
static bool small_alive(const arti_num_rule *r, const arti_num *n, arti_num_style style) {
    int64_t lo, hi;
    small_bounds(r, n->neg, &lo, &hi);
    const int64_t p = (int64_t)n->sig;
    if (n->lex == ARTI_NUM_ZERO) return hi >= 0 && lo <= (style == ARTI_NUM_ANY_STYLE ? hi : 0);
    for (int64_t a = p, b = p; a <= hi; a *= 10, b = b * 10 + 9)
        if (b >= lo) return true;
    if (exponent_allowed(n, style))
        for (int64_t t = p; t % 10 == 0;) {
            t /= 10;
            if (t >= lo && t <= hi) return true;
        }
    return false;
}

/* The same of values that need not be multiples of anything, and without exponents. */
static bool small_range_alive(const arti_num_rule *r, const arti_num *n) {
    int64_t lo, hi;
    small_bounds(r, n->neg, &lo, &hi);
    if (lo != INT64_MIN && (n->neg ? r->hi_open : r->lo_open)) lo--;
    if (n->lex == ARTI_NUM_ZERO) return hi >= 0 && lo < 1;
    for (int64_t a = (int64_t)n->sig, b = a + 1; a <= hi; a *= 10, b *= 10)
        if (b > lo) return true;
    return false;
}

bool arti_num_alive(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style) {
    if (r->is_any) return true;
    if (r->has_small_bounds && n->n_sig <= 17 && (n->lex == ARTI_NUM_INT || n->lex == ARTI_NUM_ZERO)) {
        if (small_alive(r, n, style)) return true;
        if (r->is_small) return false;
        const bool in_range = small_range_alive(r, n);
        if (in_range && !r->step) return true;
        if (!in_range && !exponent_allowed(n, style)) return false;
    }
    if (n->lex == ARTI_NUM_START) return !arti_num_rule_is_empty(r);
    if (r->is_long && n->lex <= ARTI_NUM_INT && n->len + 2 > ARTI_NUM_TEXT_MAX) return false; /* no room for ".0" */
    int64_t first, last;
    if (grid_range(r, n, &first, &last)) {
        if (grid_has(r, n->neg, first, last)) return true;
        const bool by_exp = exponent_allowed(n, style);
        if (n->lex > ARTI_NUM_INT && !by_exp) return false;
        if (n->lex > ARTI_NUM_INT && n->n_sig && r->is_decimal && n->n_frac <= GRID_MAX && (n->neg ? !r->lo : !r->hi))
            return true;
    }
    big p, q;
    side s = make_side(r, n->neg);
    if (s.empty || begins_outside(&s, n) || !mantissa(n, text, &p)) return false;
    if (n->lex == ARTI_NUM_MINUS) return exists(&s, (view){0}, NULL);
    int64_t frac = -(int64_t)n->n_frac, e;
    if (n->lex >= ARTI_NUM_E) {
        if (!exponent_allowed(n, style)) return false;
        view m = view_big(&p, frac);
        if (n->lex != ARTI_NUM_E) return exponent_digits(&s, n, m, style, n->exp_neg, &e) >= 0;
        return exponent_digits(&s, n, m, style, false, &e) >= 0 || exponent_digits(&s, n, m, style, true, &e) >= 0;
    }
    bool by_exp = exponent_allowed(n, style);
    if (p.n == 0 && by_exp) return exists(&s, (view){0}, NULL);
    if (!increment(&p, &q)) return false;
    view a = view_big(&p, frac), b = view_big(&q, frac);
    if (exists(&s, a, &b)) return true;
    if (n->lex != ARTI_NUM_INT && !by_exp) return false;
    k_range k = useful_shifts(&s, view_big(&p, 0));
    if (!by_exp && k.lo < 1) k.lo = 1;
    if (by_exp && style != ARTI_NUM_ANY_STYLE) { /* the written exponent k - frac has few digits */
        const int64_t top = pow10_small[ARTI_NUM_USUAL_EXP] - 1;
        if (k.lo < frac - top) k.lo = frac - top;
        if (k.hi > frac + top) k.hi = frac + top;
    }
    for (a.exp = b.exp = k.lo; a.exp <= k.hi; a.exp++, b.exp++)
        if (exists(&s, a, &b)) return true;
    return false;
}

/* Without a rule, digits before the point and the exponent decide. */
static bool any_stays_finite(const arti_num *n) {
    if (n->n_exp > ARTI_NUM_USUAL_EXP || n->n_frac > ARTI_NUM_DIGITS_MAX) return false;
    if (n->n_sig == 0) return true;
    const int64_t size = (int64_t)n->n_sig - (int64_t)n->n_frac;
    if (size > ARTI_NUM_MAGNITUDE_MAX) return false;
    if (n->lex < ARTI_NUM_E_SIGN) return true;
    return n->exp_neg ? size - (int64_t)n->exp > ARTI_NUM_MAGNITUDE_MIN
                      : size + (int64_t)n->exp <= ARTI_NUM_MAGNITUDE_MAX;
}

/* Short prefixes without an exponent: whatever is asked of them has moderate size. */
static bool is_near(const arti_num *n) {
    return n->lex <= ARTI_NUM_FRAC && n->n_int + n->n_frac <= ARTI_NUM_NEAR;
}

bool arti_num_stays_finite(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style) {
    if (r->is_any) return any_stays_finite(n);
    if (!r->is_wide || is_near(n)) return true;
    const arti_num_rule part = finite_part(r);
    return arti_num_alive(&part, n, text, style);
}

/* v * 10^-n_frac; limbs: storage that the result borrows. */
static arti_dec scaled(int64_t v, uint32_t n_frac, uint32_t limbs[3]) {
    arti_dec d = arti_dec_int(v, limbs);
    if (v) d.exp -= n_frac;
    d.is_small &= n_frac == 0;
    return d;
}

#define LEVELS_MAX 9u

bool arti_num_is_covered(const arti_num_rule *r, const arti_num *n, uint32_t levels) {
    const bool grows = n->lex == ARTI_NUM_INT;
    if (grows && r->is_long) return false;
    if ((!grows && n->lex != ARTI_NUM_FRAC) || r->is_any || levels > LEVELS_MAX || n->n_sig + levels > 17 ||
        n->n_int + n->n_frac + levels > ARTI_NUM_NEAR || r->n_not_step || r->n_not_value ||
        (r->step && !(grows && r->has_integers)))
        return false;
    /* A fraction's further digits stay below the next value of the last one; whole numbers grow. */
    int64_t least = (int64_t)n->sig * (grows ? pow10_small[levels] : 1);
    int64_t most = grows ? least + pow10_small[levels] - 1 : least + 1;
    if (grows) least = (int64_t)n->sig;
    if (n->neg) {
        const int64_t t = least;
        least = -most, most = -t;
    }
    if (r->has_small_bounds && grows) return least >= r->small_lo && most <= r->small_hi;
    uint32_t limbs[2][3];
    const arti_dec low = scaled(least, n->n_frac, limbs[0]), high = scaled(most, n->n_frac, limbs[1]);
    return arti_num_rule_has(r, &low) && arti_num_rule_has(r, &high);
}

bool arti_num_is_settled(const arti_num_rule *r, const arti_num *n, uint32_t levels) {
    if (arti_num_is_covered(r, n, levels)) return true;
    if (n->lex != ARTI_NUM_INT || levels > LEVELS_MAX || n->n_int + levels > ARTI_NUM_NEAR || r->n_not_step ||
        r->n_not_value || !r->has_integers)
        return false;
    if (!(n->neg ? r->lo : r->hi)) return true; /* with more digits it reaches the other bound */
    if (!r->has_small_bounds || n->n_sig + levels > 17) return false;
    int64_t lo, hi;
    small_bounds(r, n->neg, &lo, &hi);
    const int64_t p = (int64_t)n->sig, power = pow10_small[levels];
    if ((p + 1) * power - 1 > hi) return false;
    /* Bounds a power of ten apart: with digits that take it to the lower one it is still below the upper one. */
    return lo <= p * power || lo <= hi / 10;
}

bool arti_num_is_beyond(const arti_num_rule *r, const arti_num *n, uint8_t digit) {
    const int64_t v = (int64_t)n->sig * 10 + (digit - '0');
    if (r->has_small_bounds) {
        int64_t lo, hi;
        small_bounds(r, n->neg, &lo, &hi);
        return v > hi;
    }
    const arti_dec *bound = n->neg ? r->lo : r->hi;
    uint32_t limbs[3];
    const arti_dec at = arti_dec_int(n->neg ? -v : v, limbs);
    const int order = bound ? arti_dec_cmp(&at, bound) : 0;
    return n->neg ? order < 0 : order > 0;
}

/* --- shortest continuations */

typedef struct found {
    size_t len; /* bytes to add; SIZE_MAX: none yet */
    bool has_exp;
    int64_t more_int, more_frac, exp; /* digits to add before and after the point; exponent to write */
    big value;                        /* all digits, the added ones included, as an integer */
} found;

/* Brings x * 10^exp, which is a multiple of 10^grid, to that unit. */
static bool to_grid(big *x, int64_t exp, int64_t grid) {
    if (exp >= grid) return big_scale(x, exp - grid);
    for (int64_t i = exp; i < grid; i++) big_div_small(x, 10);
    return true;
}

static size_t exp_text_len(int64_t e) {
    size_t n = e < 0 ? 2 : 1;
    for (uint64_t u = e < 0 ? (uint64_t)-e : (uint64_t)e; u >= 10; u /= 10) n++;
    return n;
}

/* The greatest g for which some value within the bounds may be a multiple of 10^g: of the digits that all of them begin with, the last one that is
 * not zero. INT64_MAX: not known. */
static int64_t coarsest_grid(const side *s) {
    if (!s->lo.n || !s->has_hi || !s->hi.n || magnitude(s->lo) != magnitude(s->hi)) return INT64_MAX;
    int64_t i = count_digits(s->lo), j = count_digits(s->hi), at = magnitude(s->lo), grid = INT64_MAX;
    while (i > 0 || j > 0) {
        const uint32_t digit = digit_at(s->lo, --i);
        if (digit != digit_at(s->hi, --j)) break;
        at--;
        if (digit) grid = at;
    }
    return grid;
}

static void search_plain(const side *s, const arti_num *n, const big *p, const big *q, found *best) {
    bool in_frac = n->lex == ARTI_NUM_POINT || n->lex == ARTI_NUM_FRAC;
    k_range k = {0, 0};
    if (n->lex == ARTI_NUM_INT) {
        k = useful_shifts(s, view_big(p, 0));
        if (k.lo < 0) k.lo = 0;
        if (k.hi < k.lo) k.hi = k.lo;
    }
    const int64_t coarsest = coarsest_grid(s);
    for (int64_t more_int = k.lo; more_int <= k.hi; more_int++) {
        int64_t exp = more_int - (int64_t)n->n_frac;
        view a = {p->d, p->n, exp}, b = {q->d, q->n, exp};
        if (!exists(s, a, &b)) continue;
        for (int64_t more = in_frac || s->r->is_long ? 1 : 0;; more++) {
            size_t len = (size_t)(more_int + more + (!in_frac && more ? 1 : 0));
            if (len >= best->len || len > ARTI_NUM_PLAIN_MAX) break;
            int64_t grid = -(int64_t)n->n_frac - more, x_exp;
            if (grid > coarsest || !find(s, a, &b, true, grid, &best->value, &x_exp)) continue;
            if (!to_grid(&best->value, x_exp, grid)) continue;
            best->len = len;
            best->has_exp = false;
            best->more_int = more_int;
            best->more_frac = more;
            break;
        }
    }
}

static void search_exp(const side *s, const arti_num *n, const big *p, const big *q, arti_num_style style,
                       found *best) {
    /* Before the point, digits are added there when the style has exponents after any integer, else behind a point. */
    bool in_int = n->lex == ARTI_NUM_INT && style == ARTI_NUM_ANY_STYLE;
    bool needs_point = n->lex <= ARTI_NUM_INT && !in_int;
    k_range k = useful_shifts(s, view_big(p, 0));
    for (uint32_t i = 0; i < s->r->n_not_step; i++) { /* below them nothing is excluded */
        int64_t low = magnitude(view_dec(&s->r->not_step[i])) - count_digits(view_big(p, 0)) - 1;
        if (low < k.lo) k.lo = low;
    }
    const int64_t frac = n->n_frac, coarsest = coarsest_grid(s);
    for (int64_t more = n->lex == ARTI_NUM_POINT ? 1 : 0; more <= ARTI_NUM_DIGITS_MAX; more++) {
        size_t digits = (size_t)(more + (needs_point && more ? 1 : 0));
        if (best->len != SIZE_MAX && digits + 2 > best->len) return;
        for (int64_t shift = k.lo; shift <= k.hi; shift++) {
            int64_t e = shift + frac - (in_int ? more : 0);
            size_t len = digits + 1 + exp_text_len(e);
            bool nearer = best->has_exp && llabs(e) < llabs(best->exp); /* of equally short ones the plainest */
            if (len > best->len || (len == best->len && !nearer)) continue;
            if (style != ARTI_NUM_ANY_STYLE && exp_text_len(e) > ARTI_NUM_USUAL_EXP + (e < 0 ? 1u : 0u)) continue;
            view a = {p->d, p->n, p->n ? shift : 0}, b = {q->d, q->n, shift};
            int64_t x_exp;
            big x;
            if (shift - more > coarsest || !find(s, a, &b, true, shift - more, &x, &x_exp) ||
                !to_grid(&x, x_exp, shift - more))
                continue;
            best->len = len;
            best->has_exp = true;
            best->more_int = in_int ? more : 0;
            best->more_frac = in_int ? 0 : more;
            best->exp = e;
            big_copy(&best->value, x.d, x.n);
        }
    }
}

static void put_found(const found *f, const arti_num *n, sink *out) {
    int64_t before = (int64_t)n->n_int + n->n_frac, all = before + f->more_int + f->more_frac;
    for (int64_t i = 0; i < f->more_int + f->more_frac; i++) {
        int64_t at = all - before - 1 - i; /* place of the digit, counted from the last one */
        if (i == f->more_int && n->lex <= ARTI_NUM_INT) put(out, '.');
        view v = view_big(&f->value, 0);
        put(out, (char)('0' + (at < count_digits(v) ? digit_at(v, at) : 0)));
    }
    if (f->has_exp) {
        put(out, 'e');
        put_int(out, f->exp);
    }
}

static size_t shortest_exponent(const side *s, const arti_num *n, const big *p, arti_num_style style, sink *out) {
    view m = view_big(p, -(int64_t)n->n_frac);
    int64_t e = 0, e_neg = 0;
    int pos = n->lex == ARTI_NUM_E || !n->exp_neg ? exponent_digits(s, n, m, style, false, &e) : -1;
    int neg = n->lex == ARTI_NUM_E || n->exp_neg ? exponent_digits(s, n, m, style, true, &e_neg) : -1;
    if (pos < 0 && neg < 0) return SIZE_MAX;
    bool minus = n->lex == ARTI_NUM_E && (pos < 0 || (neg >= 0 && neg + 1 < pos));
    bool use_neg = pos < 0 || minus;
    if (minus) put(out, '-');
    view v;
    big b;
    big_set(&b, (uint64_t)(use_neg ? e_neg : e));
    v = view_big(&b, 0);
    for (int i = use_neg ? neg : pos; i-- > 0;) put(out, (char)('0' + (i < count_digits(v) ? digit_at(v, i) : 0)));
    return out->len;
}

/* For a number that has at least one digit. */
static size_t shortest_tail(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style,
                            uint8_t *buf, size_t cap) {
    sink out = {(char *)buf, cap, 0};
    big p, q;
    found best = {.len = SIZE_MAX};
    if (!mantissa(n, text, &p) || !increment(&p, &q)) return SIZE_MAX;
    side s = make_side(r, n->neg);
    bool by_exp = exponent_allowed(n, style);
    if (n->lex >= ARTI_NUM_E) return by_exp ? shortest_exponent(&s, n, &p, style, &out) : SIZE_MAX;
    search_plain(&s, n, &p, &q, &best);
    if (by_exp && best.len > 2) search_exp(&s, n, &p, &q, style, &best);
    if (best.len == SIZE_MAX) return SIZE_MAX;
    put_found(&best, n, &out);
    return out.len;
}

/* Tries every first byte of a number of which no digit is written. */
static size_t shortest_start(const arti_num_rule *r, const arti_num *n, arti_num_style style, uint8_t *buf,
                             size_t cap) {
    size_t best = SIZE_MAX;
    for (int neg = n->neg; neg < 2; neg++) {
        arti_num from = *n;
        size_t head = 0;
        if (neg && !n->neg) arti_num_step(&from, '-'), head = 1;
        for (uint8_t digit = '0'; digit <= '9'; digit++) {
            arti_num next = from;
            arti_num_step(&next, digit);
            uint8_t tail[ARTI_NUM_TEXT_MAX];
            if (!arti_num_alive(r, &next, NULL, style)) continue;
            size_t len = arti_num_fits(r, &next, NULL) ? 0 : shortest_tail(r, &next, NULL, style, tail, sizeof tail);
            if (len == SIZE_MAX || len > sizeof tail || head + 1 + len >= best) continue;
            best = head + 1 + len;
            sink out = {(char *)buf, cap, 0};
            if (head) put(&out, '-');
            put(&out, (char)digit);
            for (size_t i = 0; i < len; i++) put(&out, (char)tail[i]);
        }
    }
    return best;
}

size_t arti_num_shortest(const arti_num_rule *r, const arti_num *n, const uint8_t *text, arti_num_style style,
                         uint8_t *buf, size_t cap) {
    if (arti_num_fits(r, n, text)) return 0;
    if (r->is_any) {
        if (cap) buf[0] = '0';
        return 1;
    }
    if (!arti_num_alive(r, n, text, style)) return SIZE_MAX;
    if (style != ARTI_NUM_ANY_STYLE && r->is_wide && !is_near(n)) {
        const arti_num_rule part = finite_part(r);
        if (arti_num_alive(&part, n, text, style)) return shortest_tail(&part, n, text, style, buf, cap);
    }
    if (n->lex <= ARTI_NUM_MINUS) return shortest_start(r, n, style, buf, cap);
    return shortest_tail(r, n, text, style, buf, cap);
}
