/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_row.h: one row of logits, a tile at a time: what a warp does without the others.
 *
 * Purpose   reads a tile of ART_CUDA_TILE logits with penalties and biases, and tells its largest and its weights, what comes before a
 *           place in the ranking, which of its tokens a random number means. The weight of a token is 2^((x - m) * scale), m being the
 *           tile's own largest logit, so that no tile's sum vanishes.
 * Order     a tile is cut by token ids, its logits are dealt to the lanes by their types' size alone, and sums are taken in one fixed
 *           order: the same row gives the same bits wherever it lies and whoever reads it. */
#ifndef ART_CUDA_ROW_H
#define ART_CUDA_ROW_H

#include "art_cuda_warp.h"

#define ART_INF as_float(0x7F800000u)
#define ART_NO_ID 0xFFFFFFFFu

/* ------------------------------------------------------------------ types of logits */

struct type_f32 {
    typedef uint32_t bits;
    static constexpr uint32_t n_vec = 4;                                  /* of a 16-byte load */
    static constexpr uint32_t least = 0xFF800000u, nothing = 0xFF800000u; /* -infinity */
};

struct type_f16 {
    typedef unsigned short bits;
    static constexpr uint32_t n_vec = 8;
    static constexpr uint32_t least = 0xFC00u, nothing = 0xFC00FC00u;
};

struct type_bf16 {
    typedef unsigned short bits;
    static constexpr uint32_t n_vec = 8;
    static constexpr uint32_t least = 0xFF80u, nothing = 0xFF80FF80u;
};

ART_DEV float to_float(type_f32, uint32_t v) {
    return as_float(v);
}

ART_DEV float to_float(type_bf16, uint32_t v) {
    return as_float(v << 16);
}

ART_DEV float to_float(type_f16, uint32_t v) {
#if ART_GPU
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(static_cast<unsigned short>(v)));
    return x;
#else
    uint32_t sign = (v & 0x8000u) << 16, exponent = v >> 10 & 31u, fraction = v & 0x3FFu;
    if (exponent == 31) return as_float(sign | 0x7F800000u | fraction << 13);
    if (exponent) return as_float(sign | (exponent + 112u) << 23 | fraction << 13);
    float x = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -x : x;
#endif
}

/* Element e of a vector. */
ART_DEV uint32_t element(type_f32, const vec16 &v, uint32_t e) {
    return v.w[e];
}

ART_DEV uint32_t element(type_f16, const vec16 &v, uint32_t e) {
    return v.w[e / 2] >> (e % 2 * 16) & 0xFFFFu;
}

ART_DEV uint32_t element(type_bf16, const vec16 &v, uint32_t e) {
    return v.w[e / 2] >> (e % 2 * 16) & 0xFFFFu;
}

/* ------------------------------------------------------------------ rows */

/* Sorted by key, then by value. */
struct keyed {
    uint32_t value, key;
};

/* A token whose logit is not what the engine gave. Sorted by token, a penalty before biases.
 * value: of a penalty, how often the token was there lately, 0: said already; of a bias, its bits
 * key:   token * 2 + (is a bias); ART_NO_ID: none */
typedef keyed patch;

struct penalties {
    float repetition, frequency, presence;
};

template <class D> struct row_view {
    const typename D::bits *logits;
    const uint32_t *mask; /* NULL: everything is allowed */
    uint32_t n_vocab;
    uint32_t shift;       /* bytes from a multiple of 16 to the first logit */
    const patch *patches; /* in shared memory */
    uint32_t n_patches;   /* 0: they are not in force */
    penalties pen;
};

/* A place in the ranking: between two tokens. */
struct place {
    float x;
    uint32_t id;
};

ART_DEV bool is_before(float x, uint32_t id, const place &p) {
    return x > p.x || (x == p.x && id < p.id);
}

ART_DEV uint32_t tile_count(uint32_t n_vocab) {
    return (n_vocab + ART_CUDA_TILE - 1u) / ART_CUDA_TILE;
}

/* A tile is read in groups: one vector of 16 bytes a lane, the lanes' vectors side by side. */
template <class D> ART_DEV uint32_t group_size() {
    return ART_CUDA_LANES * D::n_vec;
}

template <class D> ART_DEV uint32_t groups_of_tile() {
    return ART_CUDA_ITEMS / D::n_vec;
}

/* The first patch whose key is at least `key`. */
ART_DEV uint32_t find_patch(const patch *patches, uint32_t n, uint32_t key) {
    uint32_t first = 0;
    while (n) {
        uint32_t half = n / 2;
        bool right = patches[first + half].key < key;
        first = right ? first + half + 1 : first;
        n = right ? n - half - 1 : half;
    }
    return first;
}

template <class D> ART_DEV bool has_patches(const row_view<D> &r, uint32_t begin, uint32_t end) {
    uint32_t i = find_patch(r.patches, r.n_patches, begin * 2u);
    return i < r.n_patches && r.patches[i].key < end * 2u;
}

/* Steps 1 and 2 of docs/sampling.md for one token; rounded as the CPU's sampler does it. */
ART_DEV float patched(float x, const patch &p, const penalties &pen) {
    if (p.key % 2u) return add_rn(x, as_float(p.value));
    if (!p.value) return x;
    x = x > 0.0f ? x / pen.repetition : mul_rn(x, pen.repetition);
    return add_rn(x, -add_rn(mul_rn(static_cast<float>(p.value), pen.frequency), pen.presence));
}

/* Applies the patches that there are for the lanes' x: one group after the other from token `begin` on. */
template <class D, uint32_t n>
ART_DEV void apply_patches(warp_id w, const row_view<D> &r, uint32_t begin, wide<float> (&x)[n]) {
    uint32_t end = (begin + n * ART_CUDA_LANES) * 2u;
    ART_ROLLED
    for (uint32_t i = find_patch(r.patches, r.n_patches, begin * 2u); i < r.n_patches && r.patches[i].key < end; i++) {
        patch p = r.patches[i];
        uint32_t offset = p.key / 2u - begin, vector = offset / D::n_vec;
        uint32_t owner = vector % ART_CUDA_LANES;
        uint32_t bit = 1u << (vector / ART_CUDA_LANES * D::n_vec + offset % D::n_vec);
        lane_each(w, [&](uint32_t lane) {
            uint32_t bits = 0; /* of x[j], which is found by a bit and not by its index: that would put x into memory */
            ART_UNROLL
            for (uint32_t k = 0; k < n; k++) bits |= bit >> k & 1u ? as_bits(at(x[k], lane)) : 0u;
            float v = patched(as_float(bits), p, r.pen);
            uint32_t here = lane == owner ? bit : 0u;
            ART_UNROLL
            for (uint32_t k = 0; k < n; k++) at(x[k], lane) = here >> k & 1u ? v : at(x[k], lane);
        });
    }
}

/* Bytes n .. n + 16 of two vectors that lie side by side; n < 16, a multiple of a logit's size. */
template <class D> ART_DEV vec16 joined(const vec16 &a, const vec16 &b, uint32_t n) {
    uint32_t by_two[6], by_one[5];
    ART_UNROLL
    for (uint32_t i = 0; i < 6; i++)
        by_two[i] = n & 8u ? (i < 2 ? a.w[i + 2] : b.w[i - 2]) : i < 4 ? a.w[i] : b.w[i - 4];
    ART_UNROLL
    for (uint32_t i = 0; i < 5; i++) by_one[i] = n & 4u ? by_two[i + 1] : by_two[i];
    vec16 v;
    ART_UNROLL
    for (uint32_t i = 0; i < 4; i++)
        v.w[i] = D::n_vec == 8 ? shift_right(by_one[i], by_one[i + 1], n % 4u * 8u) : by_one[i];
    return v;
}

/* n groups of a row, the lanes' tokens from `begin` on, as loads bring them; all loads begin before anything is looked at, but for the second
 * ones of load_any(). */
template <uint32_t n> struct raw_tokens {
    wide<vec16> v[n];       /* -infinity past the end of the row */
    wide<uint32_t> allowed; /* lowest bit first: past the end of the row that may be any, without a mask none */
};

/* Which of a lane's tokens the words of the mask allow that their vectors lie in. */
template <class D, uint32_t n> ART_DEV uint32_t allowed_of(uint32_t lane, const uint32_t (&word)[n]) {
    uint32_t allowed = 0;
    ART_UNROLL
    for (uint32_t q = 0; q < n; q++)
        allowed |= (word[q] >> (lane * D::n_vec % 32u) & ((1u << D::n_vec) - 1u)) << (q * D::n_vec);
    return allowed;
}

/* Of a row that begins at a multiple of 16, which does not end among them. */
template <class D, uint32_t n>
ART_DEV void load_whole(warp_id w, const row_view<D> &r, uint32_t begin, raw_tokens<n> &t) {
    lane_each(w, [&](uint32_t lane) {
        const typename D::bits *from = r.logits + (begin + lane * D::n_vec);
        const uint32_t first = (begin + lane * D::n_vec) / 32u;
        ART_UNROLL
        for (uint32_t q = 0; q < n; q++) at(t.v[q], lane) = load_vec16(from + q * group_size<D>());
        uint32_t word[n];
        ART_UNROLL
        for (uint32_t q = 0; q < n; q++) word[q] = r.mask ? load_const(r.mask + (first + q * D::n_vec)) : 0u;
        at(t.allowed, lane) = allowed_of<D, n>(lane, word);
    });
}

/* Of any row. Where it does not begin at a multiple of 16, a vector is put together of two loads, the second of which finds what a
 * neighbour's first one has brought. Vectors whose loads would leave the row, three of a row at most, are read by elements. */
template <class D, uint32_t n>
ART_DEV void load_any(warp_id w, const row_view<D> &r, uint32_t begin, raw_tokens<n> &t) {
    const typename D::bits *const logits = r.logits;
    const uint32_t *const mask = r.mask;
    const uint32_t n_vocab = r.n_vocab, shift = r.shift;
    const int32_t back = static_cast<int32_t>(shift * D::n_vec / 16u), n_vec = static_cast<int32_t>(D::n_vec);
    const int32_t end = static_cast<int32_t>(n_vocab) - (back ? 2 * n_vec : n_vec); /* where the last loads begin */
    lane_each(w, [&](uint32_t lane) {
        const uint32_t mine = begin + lane * D::n_vec;
        const int32_t first = static_cast<int32_t>(mine) - back;
        ART_UNROLL
        for (uint32_t q = 0; q < n; q++) {
            int32_t from = first + static_cast<int32_t>(q * group_size<D>());
            vec16 v = {{D::nothing, D::nothing, D::nothing, D::nothing}};
            if (from >= 0 && from <= end) v = load_vec16(logits + from);
            at(t.v[q], lane) = v;
        }
        uint32_t word[n];
        ART_UNROLL
        for (uint32_t q = 0; q < n; q++) {
            uint32_t token = mine + q * group_size<D>();
            word[q] = mask && token < n_vocab ? load_const(mask + token / 32u) : 0u;
        }
        at(t.allowed, lane) = allowed_of<D, n>(lane, word);
        settle(at(t.allowed, lane)); /* the words' registers are free for what comes next */
        if (back) {
            ART_UNROLL
            for (uint32_t q = 0; q < n; q++) {
                int32_t from = first + static_cast<int32_t>(q * group_size<D>());
                vec16 next = {{D::nothing, D::nothing, D::nothing, D::nothing}};
                if (from >= 0 && from <= end) next = load_vec16(logits + (from + n_vec));
                at(t.v[q], lane) = joined<D>(at(t.v[q], lane), next, shift);
            }
        }
        if (first >= 0 && first + static_cast<int32_t>((n - 1u) * group_size<D>()) <= end) return;
        ART_UNROLL
        for (uint32_t q = 0; q < n; q++) {
            int32_t from = first + static_cast<int32_t>(q * group_size<D>());
            if ((from >= 0 && from <= end) || from + back >= static_cast<int32_t>(n_vocab)) continue;
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                uint32_t token = mine + q * group_size<D>() + e, one = D::least;
                if (token < n_vocab) one = load_const(logits + token);
                uint32_t &into = at(t.v[q], lane).w[e / (D::n_vec / 4u)];
                if (D::n_vec == 4)
                    into = one;
                else
                    into = e % 2u ? (into & 0xFFFFu) | one << 16u : one;
            }
        }
    });
}

/* Logits, -infinity past the end of the row. */
template <class D, uint32_t n> ART_DEV void convert(warp_id w, const raw_tokens<n> &t, wide<float> (&x)[n * D::n_vec]) {
    lane_each(w, [&](uint32_t lane) {
        ART_UNROLL
        for (uint32_t j = 0; j < n * D::n_vec; j++)
            at(x[j], lane) = to_float(D(), element(D(), at(t.v[j / D::n_vec], lane), j % D::n_vec));
    });
}

template <class D> struct group {
    uint32_t begin;          /* its first token; a lane's begin at begin + lane * n_vec */
    wide<float> x[D::n_vec]; /* -infinity past the end of the row */
    wide<uint32_t> allowed;  /* bit e: the lane's e-th token is */
};

template <class D> ART_DEV uint32_t token_of(const group<D> &g, uint32_t lane, uint32_t e) {
    return g.begin + lane * D::n_vec + e;
}

template <class D> ART_DEV_COLD group<D> load_group(warp_id w, const row_view<D> &r, uint32_t begin) {
    group<D> g;
    g.begin = begin;
    raw_tokens<1u> t;
    load_any<D, 1u>(w, r, begin, t);
    convert<D, 1u>(w, t, g.x);
    g.allowed = t.allowed;
    if (r.n_patches) apply_patches(w, r, begin, g.x);
    if (!r.mask) lane_each(w, [&](uint32_t lane) { at(g.allowed, lane) = ART_FULL; });
    return g;
}

/* So that the groups of a tile, which are read one after the other, come all at once. */
template <class D> ART_DEV void touch_tile(warp_id w, const row_view<D> &r, uint32_t index) {
    lane_each(w, [&](uint32_t lane) {
        ART_UNROLL
        for (uint32_t q = 0; q < groups_of_tile<D>(); q++) {
            uint32_t token = index * ART_CUDA_TILE + q * group_size<D>() + lane * D::n_vec;
            if (token < r.n_vocab) touch(r.logits + token);
        }
    });
}

/* ------------------------------------------------------------------ what a tile holds */

struct tile_summary {
    float max_all, max_ok; /* -infinity: none */
    float sum_all,
        sum_ok; /* of weights; relative to max_all and to max_ok. NaN: a NaN or +infinity is among the logits */
};

ART_DEV float finite_or_zero(float x) {
    return x == -ART_INF ? 0.0f : x;
}

ART_DEV float weight(float x, float max, float scale) {
    return exp2_fast((x - max) * scale);
}

/* Exponents of two that a float's range leaves room for: an allowed weight is taken from all weights if it is not smaller by more. */
#define ART_SAME_SCALE 32.0f

template <class D>
ART_DEV_COLD float sum_allowed(warp_id w, const row_view<D> &r, uint32_t index, float scale, float max_ok) {
    wide<float> sum;
    lane_each(w, [&](uint32_t lane) { at(sum, lane) = 0.0f; });
    ART_ROLLED
    for (uint32_t q = 0; q < groups_of_tile<D>(); q++) {
        group<D> g = load_group(w, r, index * ART_CUDA_TILE + q * group_size<D>());
        lane_each(w, [&](uint32_t lane) {
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++)
                at(sum, lane) += at(g.allowed, lane) >> e & 1u ? weight(at(g.x[e], lane), max_ok, scale) : 0.0f;
        });
    }
    return reduce_sum(w, sum);
}

/* From registers alone; bit j of `allowed` is x[j]'s. sum_ok is relative to max_all: see rescale(). */
template <bool calls>
ART_DEV tile_summary summarise(warp_id w, wide<float> (&x)[ART_CUDA_ITEMS], wide<uint32_t> &allowed, bool masked,
                               float scale) {
    tile_summary s;
    wide<float> most, sum, ok;
    lane_each(w, [&](uint32_t lane) {
        float m = -ART_INF; /* a NaN is passed over */
        ART_UNROLL
        for (uint32_t j = 0; j < ART_CUDA_ITEMS; j++) m = fmaxf(m, at(x[j], lane));
        at(most, lane) = m;
    });
    s.max_all = s.max_ok = (calls ? reduce_max(w, most) : max_of_lanes(w, most));
    float max = finite_or_zero(s.max_all);
    wide<bool> some;
    lane_each(w, [&](uint32_t lane) { at(some, lane) = at(allowed, lane) != 0u; });
    if (!ballot(w, some)) { /* no mask, or nothing of this tile is allowed */
        lane_each(w, [&](uint32_t lane) {
            float a = 0.0f, b = 0.0f;
            ART_UNROLL
            for (uint32_t j = 0; j < ART_CUDA_ITEMS; j += 2) {
                a += weight(at(x[j], lane), max, scale);
                b += weight(at(x[j + 1], lane), max, scale);
            }
            at(sum, lane) = a + b;
        });
        s.sum_all = s.sum_ok = (calls ? reduce_sum(w, sum) : sum_of_lanes(w, sum));
        if (masked) {
            s.max_ok = -ART_INF;
            s.sum_ok = 0.0f;
        }
        return s;
    }
    lane_each(w, [&](uint32_t lane) {
        float m = -ART_INF, a = 0.0f, b = 0.0f, c = 0.0f;
        ART_UNROLL
        for (uint32_t j = 0; j < ART_CUDA_ITEMS; j++) {
            bool in = at(allowed, lane) >> j & 1u;
            float v = weight(at(x[j], lane), max, scale);
            m = in ? fmaxf(m, at(x[j], lane)) : m;
            c += in ? v : 0.0f;
            (j % 2 ? b : a) += v;
        }
        at(most, lane) = m;
        at(sum, lane) = a + b;
        at(ok, lane) = c;
    });
    s.max_ok = (calls ? reduce_max(w, most) : max_of_lanes(w, most));
    s.sum_all = (calls ? reduce_sum(w, sum) : sum_of_lanes(w, sum));
    s.sum_ok = (calls ? reduce_sum(w, ok) : sum_of_lanes(w, ok));
    return s;
}

/* Makes sum_ok relative to max_ok; false: it is lost in what the tile holds besides, and has to be taken anew. */
ART_DEV bool rescale(float scale, tile_summary *s) {
    float distance = (finite_or_zero(s->max_all) - s->max_ok) * scale;
    if (s->max_ok == -ART_INF) {
        s->sum_ok = 0.0f;
        return true;
    }
    s->sum_ok *= exp2_fast(distance);
    return distance < ART_SAME_SCALE;
}

template <class D>
ART_DEV_COLD tile_summary summarise_any(warp_id w, const row_view<D> &r, uint32_t index, float scale) {
    raw_tokens<ART_CUDA_ITEMS / D::n_vec> t;
    wide<float> x[ART_CUDA_ITEMS];
    load_any<D, ART_CUDA_ITEMS / D::n_vec>(w, r, index * ART_CUDA_TILE, t);
    convert<D, ART_CUDA_ITEMS / D::n_vec>(w, t, x);
    if (D::n_vec == 8) { /* else a vector stays as long as the two logits of each of its words */
        lane_each(w, [&](uint32_t lane) {
            ART_UNROLL
            for (uint32_t j = 0; j < ART_CUDA_ITEMS; j++) settle(at(x[j], lane));
        });
    }
    if (r.n_patches) apply_patches(w, r, index * ART_CUDA_TILE, x);
    return summarise<true>(w, x, t.allowed, r.mask != nullptr, scale);
}

/* One reading of a tile. */
template <class D> ART_DEV tile_summary summarise_tile(warp_id w, const row_view<D> &r, uint32_t index, float scale) {
    uint32_t begin = index * ART_CUDA_TILE, end = begin + ART_CUDA_TILE;
    if (r.shift || end > r.n_vocab || (r.n_patches && has_patches(r, begin, end)))
        return summarise_any(w, r, index, scale);
    raw_tokens<ART_CUDA_ITEMS / D::n_vec> t;
    wide<float> x[ART_CUDA_ITEMS];
    load_whole<D, ART_CUDA_ITEMS / D::n_vec>(w, r, begin, t);
    convert<D, ART_CUDA_ITEMS / D::n_vec>(w, t, x);
    return summarise<false>(w, x, t.allowed, r.mask != nullptr, scale);
}

/* ------------------------------------------------------------------ what comes before a place */

struct tile_part {
    float before,
        after; /* weights of the tokens before the place, and of the rest; of the allowed ones when only these count */
    float before_ok; /* of the allowed ones before the place; relative to max_ok */
    uint32_t n_before;
};

template <class D>
ART_DEV_COLD tile_part weigh(warp_id w, const row_view<D> &r, uint32_t index, float scale, const place &p, bool ok_only,
                             float max_all, float max_ok) {
    float max = finite_or_zero(ok_only ? max_ok : max_all), other = finite_or_zero(max_ok);
    wide<float> before, after, ok;
    wide<uint32_t> n;
    lane_each(w, [&](uint32_t lane) {
        at(before, lane) = at(after, lane) = at(ok, lane) = 0.0f;
        at(n, lane) = 0u;
    });
    touch_tile(w, r, index);
    ART_ROLLED
    for (uint32_t q = 0; q < groups_of_tile<D>(); q++) {
        group<D> g = load_group(w, r, index * ART_CUDA_TILE + q * group_size<D>());
        lane_each(w, [&](uint32_t lane) {
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                float x = at(g.x[e], lane);
                bool allowed = at(g.allowed, lane) >> e & 1u, counts = allowed || !ok_only;
                bool first = is_before(x, token_of(g, lane, e), p);
                float v = counts ? weight(x, max, scale) : 0.0f;
                at(before, lane) += first ? v : 0.0f;
                at(after, lane) += first ? 0.0f : v;
                at(ok, lane) += first && allowed ? weight(x, other, scale) : 0.0f;
                at(n, lane) += first && counts;
            }
        });
    }
    tile_part part;
    part.before = reduce_sum(w, before);
    part.after = reduce_sum(w, after);
    part.before_ok = reduce_sum(w, ok);
    part.n_before = reduce_sum(w, n);
    return part;
}

/* ------------------------------------------------------------------ single tokens */

/* The smallest allowed token whose logit is x; ART_NO_ID: none. */
template <class D> ART_DEV_COLD uint32_t find_allowed(warp_id w, const row_view<D> &r, uint32_t index, float x) {
    touch_tile(w, r, index);
    ART_ROLLED
    for (uint32_t q = 0; q < groups_of_tile<D>(); q++) {
        group<D> g = load_group(w, r, index * ART_CUDA_TILE + q * group_size<D>());
        wide<uint32_t> first;
        wide<bool> has;
        lane_each(w, [&](uint32_t lane) {
            uint32_t id = ART_NO_ID;
            ART_UNROLL
            for (uint32_t e = D::n_vec; e-- > 0;)
                if (at(g.x[e], lane) == x && at(g.allowed, lane) >> e & 1u) id = token_of(g, lane, e);
            at(first, lane) = id;
            at(has, lane) = id != ART_NO_ID;
        });
        uint32_t lanes = ballot(w, has);
        if (lanes) return from_lane(w, first, lowest_bit(lanes));
    }
    return ART_NO_ID;
}

struct token {
    float x;
    uint32_t id;
};

/* The first allowed token before place p, in ascending order of ids, at which the running sum of weights exceeds `fraction` of their
 * total. There must be one. */
template <class D>
ART_DEV_COLD token find_drawn(warp_id w, const row_view<D> &r, uint32_t index, float scale, const place &p,
                              float max_ok, float fraction) {
    token drawn = {-ART_INF, ART_NO_ID};
    float goal = ART_INF, running = 0.0f;
    touch_tile(w, r, index);
    ART_ROLLED
    for (uint32_t n = 0; n < 2u * groups_of_tile<D>(); n++) { /* twice: for the total, and to the goal */
        if (n == groups_of_tile<D>()) {
            goal = fraction * running;
            if (!(goal < running)) goal = as_float(as_bits(running) - 1u);
            running = 0.0f;
        }
        group<D> g = load_group(w, r, index * ART_CUDA_TILE + n % groups_of_tile<D>() * group_size<D>());
        wide<float> v[D::n_vec], own; /* weights, 0 of what can not be drawn */
        lane_each(w, [&](uint32_t lane) {
            float s = 0.0f;
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                bool in = at(g.allowed, lane) >> e & 1u && is_before(at(g.x[e], lane), token_of(g, lane, e), p);
                at(v[e], lane) = in ? weight(at(g.x[e], lane), max_ok, scale) : 0.0f;
                s += at(v[e], lane);
            }
            at(own, lane) = s;
        });
        wide<float> upto = scan_sum(w, own);
        float sum = from_lane(w, upto, ART_CUDA_LANES - 1u);
        if (!(running + sum > goal)) {
            running += sum;
            continue;
        }
        /* Rounding may put the goal behind all that have weight: then it is the last of them. */
        wide<bool> past, weighty;
        wide<float> x;
        wide<uint32_t> id;
        lane_each(w, [&](uint32_t lane) {
            float below = running + (at(upto, lane) - at(own, lane));
            at(weighty, lane) = at(own, lane) > 0.0f;
            at(past, lane) = at(own, lane) > 0.0f && running + at(upto, lane) > goal;
            at(x, lane) = -ART_INF;
            at(id, lane) = ART_NO_ID;
            bool done = false;
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                bool next = !done && at(v[e], lane) > 0.0f;
                at(x, lane) = next ? at(g.x[e], lane) : at(x, lane);
                at(id, lane) = next ? token_of(g, lane, e) : at(id, lane);
                below += at(v[e], lane);
                done = done || (next && below > goal);
            }
        });
        uint32_t lanes = ballot(w, past), owner = lanes ? lowest_bit(lanes) : highest_bit(ballot(w, weighty));
        drawn.x = from_lane(w, x, owner);
        drawn.id = from_lane(w, id, owner);
        break;
    }
    return drawn;
}

/* ------------------------------------------------------------------ ranks as integers */

/* Larger logits have larger numbers; -0 and 0 the same. */
ART_DEV uint32_t order_of(float x) {
    uint32_t b = as_bits(x + 0.0f);
    return b ^ (b >> 31 ? 0xFFFFFFFFu : 0x80000000u);
}

ART_DEV float from_order(uint32_t k) {
    return as_float(k ^ (k >> 31 ? 0x80000000u : 0xFFFFFFFFu));
}

/* A token as a number: the smaller, the earlier in the ranking. value: its id; key: ~order_of(x) */
typedef keyed candidate;

/* Appends the tokens before place p, or as many as there is room for; *n counts them all. Their order is any. */
template <class D>
ART_DEV_COLD void collect(warp_id w, const row_view<D> &r, uint32_t index, const place &p, bool ok_only,
                          candidate *list, uint32_t *n) {
    touch_tile(w, r, index);
    ART_ROLLED
    for (uint32_t q = 0; q < groups_of_tile<D>(); q++) {
        group<D> g = load_group(w, r, index * ART_CUDA_TILE + q * group_size<D>());
        lane_each(w, [&](uint32_t lane) {
            uint32_t which = 0;
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                bool in = is_before(at(g.x[e], lane), token_of(g, lane, e), p);
                if (in && (!ok_only || at(g.allowed, lane) >> e & 1u)) which |= 1u << e;
            }
            if (!which) return;
            uint32_t i = atomic_add(n, count_bits(which));
            ART_UNROLL
            for (uint32_t e = 0; e < D::n_vec; e++) {
                if (!(which >> e & 1u)) continue;
                if (i < ART_CUDA_CANDIDATES_MAX) {
                    list[i].value = token_of(g, lane, e);
                    list[i].key = ~order_of(at(g.x[e], lane));
                }
                i++;
            }
        });
    }
}

#endif
