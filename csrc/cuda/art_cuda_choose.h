/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cuda_choose.h: the token of one row, by one block or by several that share it.
 *
 * Purpose   docs/sampling.md on a GPU. Every tile is read once for its largest logits and its weights. That decides a greedy row, and with
 *           one more tile a random one without filters. Filters are tested afterwards: a token is drawn among the allowed as if there were
 *           none, and kept when the filters keep it, for which only tiles that reach as high in the ranking are read again, and only
 *           until the answer is certain. One that they drop marks a place behind which nothing is drawn any more; the next is drawn
 *           before it. (Rejection with a falling bound, as in FlashInfer's sampling kernels: Ye et al., "FlashInfer: Efficient and
 *           Customizable Attention Engine for LLM Inference Serving", 2025, and the project's notes on sampling without sorting.)
 *           With top_k the few tokens that can be among the k are gathered and sorted. What neither settles, a bisection over the
 *           ranking does, in less than 60 readings.
 * Exact     K is what the definition says; weights are floats, so a filter's edge is sharp to about 1e-6 of the weight.
 * Order     all sums and draws run in a fixed order, in one block: the same row, seed and step give the same token in every batch.
 * Several   blocks that share a row write what they found of their tiles to the workspace; the last to arrive has the row's ticket and
 *           goes on alone. */
#ifndef ART_CUDA_CHOOSE_H
#define ART_CUDA_CHOOSE_H

#include "art_cuda_row.h"

#define ART_DRAWS_MAX 8u   /* of one choice, before the bisection */
#define ART_GATHERS_MAX 4u /* tries to gather the tokens that top_k keeps */
#define ART_LOG2_E 1.44269504088896341
#define ART_SORT_LEAST 32u

/* What the warps of a block share, besides arrays. */
struct shared_state {
    art_cuda_row p;
    uint64_t step;
    uint32_t status;    /* not 0: the row has this error, negated */
    uint32_t n_patches; /* slots in use, a power of two; 0: none */
    uint32_t n_wrong;   /* patches out of range */
    uint32_t is_last;   /* this block goes on with the row */
    /* of all tiles */
    float max_all, max_ok;
    double total_all, total_ok; /* weights, relative to these */
    /* the draw */
    float drawn_x;
    uint32_t drawn_id; /* ART_NO_ID: nothing is left */
    /* the last weighing */
    uint32_t n_reach;
    uint32_t n_before;
    double before, after; /* weights, relative to the largest of all, or of the allowed when only these count */
    double left_ok;       /* of the allowed before the place, relative to max_ok */
    /* top_k */
    uint32_t n_found;
    float guess;
    place edge; /* what the filters keep is before it */
};

static_assert(sizeof(shared_state) <= ART_CUDA_STATE_BYTES, "see art_cuda_sample_shared_bytes");

/* A block's shared memory: the state, then arrays as art_cuda_sample_shared_bytes() counts them. */
struct workbench {
    shared_state *s;
    candidate *list; /* [ART_CUDA_CANDIDATES_MAX] */
    patch *patches;  /* [n_slots] */
    uint32_t n_slots;
    uint32_t n_tiles;
    float *max_all, *max_ok, *sum_all, *sum_ok; /* of a tile: tile_summary */
    float *before, *before_ok, *after;          /* tile_part, of the last weighing; 0 where the tile does not reach */
    uint32_t *n_before;
    uint32_t *reach; /* the tiles that hold tokens before the place, ascending */
};

/* Whether the launch gave enough shared memory. */
ART_DEV bool lay_out(const block &b, uint32_t n_vocab, workbench *k) {
    k->s = reinterpret_cast<shared_state *>(b.shared);
    k->n_tiles = tile_count(n_vocab);
    uint32_t fixed = ART_CUDA_STATE_BYTES + ART_CUDA_CANDIDATES_MAX * 8u + k->n_tiles * ART_CUDA_TILE_WORDS * 4u;
    if (n_vocab > ART_CUDA_VOCAB_MAX || b.shared_bytes < fixed) return false;
    k->list = reinterpret_cast<candidate *>(b.shared + ART_CUDA_STATE_BYTES);
    k->patches = reinterpret_cast<patch *>(k->list + ART_CUDA_CANDIDATES_MAX);
    k->n_slots = (b.shared_bytes - fixed) / 8u;
    k->max_all = reinterpret_cast<float *>(k->patches + k->n_slots);
    k->max_ok = k->max_all + k->n_tiles;
    k->sum_all = k->max_ok + k->n_tiles;
    k->sum_ok = k->sum_all + k->n_tiles;
    k->before = k->sum_ok + k->n_tiles;
    k->before_ok = k->before + k->n_tiles;
    k->after = k->before_ok + k->n_tiles;
    k->n_before = reinterpret_cast<uint32_t *>(k->after + k->n_tiles);
    k->reach = k->n_before + k->n_tiles;
    return true;
}

/* ------------------------------------------------------------------ random numbers */

/* The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). */
ART_DEV uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* Draw `number` of a step: in [0, 1), from seed, step and number alone. */
ART_DEV_COLD double uniform(uint64_t seed, uint64_t step, uint32_t number) {
    const uint64_t gamma = 0x9E3779B97F4A7C15ull;
    uint64_t z = mix(mix(seed + gamma) + (step + 1u) * gamma);
    if (number) z = mix(z + number * gamma);
    return static_cast<double>(z >> 11) * 0x1p-53;
}

/* ------------------------------------------------------------------ sorting in shared memory */

ART_DEV bool is_after(const keyed &a, const keyed &b) {
    return a.key > b.key || (a.key == b.key && a.value > b.value);
}

/* Ascending; n is a power of two. A bitonic network (Batcher, 1968). */
ART_DEV_COLD void sort_shared(block &b, keyed *items, uint32_t n) {
    ART_ROLLED
    for (uint32_t run = 2; run <= n; run *= 2) {
        ART_ROLLED
        for (uint32_t gap = run / 2; gap; gap /= 2) {
            phase(b, [&](warp_id w) {
                lane_each(w, [&](uint32_t lane) {
                    ART_ROLLED
                    for (uint32_t i = w.index * ART_CUDA_LANES + lane; i < n / 2; i += b.n_warps * ART_CUDA_LANES) {
                        uint32_t low = i / gap * gap * 2u + i % gap;
                        keyed first = items[low], second = items[low + gap];
                        bool down = (low & run) != 0;
                        if (is_after(first, second) == down) continue;
                        items[low] = second;
                        items[low + gap] = first;
                    }
                });
            });
        }
    }
}

/* ------------------------------------------------------------------ the beginning of a row */

ART_DEV bool has_penalties(const art_cuda_row &p) {
    return p.penalty_last_n > 0 &&
           (p.repetition_penalty != 1.0f || p.frequency_penalty != 0.0f || p.presence_penalty != 0.0f);
}

ART_DEV bool is_valid(const art_cuda_row &p) {
    return p.temperature >= 0.0f && p.temperature <= 100.0f && p.top_k >= 0 && p.top_p > 0.0f && p.top_p <= 1.0f &&
           p.min_p >= 0.0f && p.min_p <= 1.0f && p.repetition_penalty > 0.0f && p.repetition_penalty <= 100.0f &&
           fabsf(p.frequency_penalty) <= 100.0f && fabsf(p.presence_penalty) <= 100.0f && p.bias_begin <= p.bias_end;
}

/* Logits to exponents of two: 1 / T, and T = 1 for greedy rows, whose weights only tell the log-probability. */
ART_DEV float scale_of(float temperature) {
    double s = ART_LOG2_E / (temperature > 0.0f ? static_cast<double>(temperature) : 1.0);
    return s < 1e38 ? static_cast<float>(s) : 1e38f;
}

/* Penalties and biases as patches, sorted; k.s->n_patches tells how many slots they take. */
ART_DEV_COLD void prepare_patches(block &b, const art_cuda_sample_args &a, const workbench &k, uint32_t row) {
    const art_cuda_row p = k.s->p;
    const int32_t *history = reinterpret_cast<const int32_t *>(a.history) + static_cast<uint64_t>(row) * a.history_cap;
    const art_cuda_bias *bias = reinterpret_cast<const art_cuda_bias *>(a.bias) + p.bias_begin;
    uint32_t told = a.history ? reinterpret_cast<const uint32_t *>(a.history_n)[row] : 0u;
    uint32_t n_told = has_penalties(p) && a.history_cap ? p.penalty_last_n : 0u;
    if (n_told > told) n_told = told;
    if (n_told > a.history_cap) n_told = a.history_cap;
    uint32_t n_bias = p.bias_end - p.bias_begin;
    if (!n_told && !n_bias) return; /* the same for all warps */
    if (n_bias > ART_CUDA_PATCHES_MAX || n_told > ART_CUDA_PATCHES_MAX || n_told + n_bias > k.n_slots ||
        (n_bias && !a.bias)) {
        phase_first(b, [&](warp_id w) {
            if (one_lane(w)) k.s->status = -ART_CUDA_ROW_PARAM;
        });
        return;
    }
    uint32_t slots = ART_SORT_LEAST;
    while (slots < n_told + n_bias) slots *= 2u;
    if (slots > k.n_slots) slots = k.n_slots;
    phase(b, [&](warp_id w) {
        lane_each(w, [&](uint32_t lane) {
            ART_ROLLED
            for (uint32_t i = w.index * ART_CUDA_LANES + lane; i < slots; i += b.n_warps * ART_CUDA_LANES) {
                patch q = {0u, ART_NO_ID};
                if (i < n_told) {
                    int32_t id = history[(told - n_told + i) % a.history_cap];
                    if (id >= 0 && static_cast<uint32_t>(id) < a.n_vocab) q.key = static_cast<uint32_t>(id) * 2u;
                } else if (i < n_told + n_bias) {
                    art_cuda_bias one = bias[i - n_told];
                    if (one.token < a.n_vocab && (fabsf(one.bias) <= 1e6f || one.bias == -ART_INF)) {
                        q.key = one.token * 2u + 1u;
                        q.value = i - n_told; /* biases of one token keep their order */
                    } else {
                        atomic_add(&k.s->n_wrong, 1u);
                    }
                }
                k.patches[i] = q;
            }
        });
    });
    sort_shared(b, k.patches, slots);
    phase(b, [&](warp_id w) { /* here the keys are only read */
                              lane_each(w, [&](uint32_t lane) {
                                  ART_ROLLED
                                  for (uint32_t i = w.index * ART_CUDA_LANES + lane; i < slots;
                                       i += b.n_warps * ART_CUDA_LANES) {
                                      uint32_t key = k.patches[i].key;
                                      if (key == ART_NO_ID) continue;
                                      if (key % 2u)
                                          k.patches[i].value = as_bits(bias[k.patches[i].value].bias);
                                      else if (i == 0 || k.patches[i - 1].key != key)
                                          k.patches[i].value = find_patch(k.patches, slots, key + 1u) - i;
                                  }
                              });
    });
    phase_first(b, [&](warp_id w) {
        if (!one_lane(w)) return;
        k.s->n_patches = slots;
        if (k.s->n_wrong) k.s->status = -ART_CUDA_ROW_PARAM;
    });
}

/* ------------------------------------------------------------------ over all tiles */

/* A tile's weight relative to the row's largest. */
ART_DEV double raised(float weight, float max, float row_max, float scale) {
    return weight > 0.0f ? static_cast<double>(weight) * static_cast<double>(exp2_fast((max - row_max) * scale)) : 0.0;
}

template <class D>
ART_DEV void summarise_tiles(block &b, const row_view<D> &r, const workbench &k, float scale, uint32_t first,
                             uint32_t step) {
    phase(b, [&](warp_id w) {
        bool lost = false;
        ART_ROLLED
        for (uint32_t i = first + w.index * step; i < k.n_tiles; i += b.n_warps * step) {
            tile_summary t = summarise_tile(w, r, i, scale);
            if (r.mask && !rescale(scale, &t)) {
                t.sum_ok = -1.0f;
                lost = true;
            }
            if (!one_lane(w)) continue;
            k.max_all[i] = t.max_all;
            k.max_ok[i] = t.max_ok;
            k.sum_all[i] = t.sum_all;
            k.sum_ok[i] = t.sum_ok;
        }
        if (!lost) return;
        sync_lanes(w);
        ART_ROLLED
        for (uint32_t i = first + w.index * step; i < k.n_tiles; i += b.n_warps * step) {
            if (!(k.sum_ok[i] < 0.0f)) continue;
            float sum = sum_allowed(w, r, i, scale, k.max_ok[i]);
            if (one_lane(w)) k.sum_ok[i] = sum;
        }
    });
}

/* Sums over tiles: by the first warp, 32 tiles at a time, in one order. */
ART_DEV_COLD void total_tiles(block &b, const workbench &k, float scale) {
    phase_first(b, [&](warp_id w) {
        wide<float> all, ok;
        wide<double> sum_all, sum_ok;
        lane_each(w, [&](uint32_t lane) {
            at(all, lane) = at(ok, lane) = -ART_INF;
            ART_ROLLED
            for (uint32_t i = lane; i < k.n_tiles; i += ART_CUDA_LANES) {
                at(all, lane) = fmaxf(at(all, lane), k.max_all[i]);
                at(ok, lane) = fmaxf(at(ok, lane), k.max_ok[i]);
            }
        });
        float max_all = reduce_max(w, all), max_ok = reduce_max(w, ok);
        wide<bool> nan;
        lane_each(w, [&](uint32_t lane) {
            double s = 0.0, t = 0.0;
            at(nan, lane) = false;
            ART_ROLLED
            for (uint32_t i = lane; i < k.n_tiles; i += ART_CUDA_LANES) {
                s += raised(k.sum_all[i], k.max_all[i], max_all, scale);
                t += raised(k.sum_ok[i], k.max_ok[i], max_ok, scale);
                at(nan, lane) = at(nan, lane) || !(k.sum_all[i] >= 0.0f);
            }
            at(sum_all, lane) = s;
            at(sum_ok, lane) = t;
        });
        bool is_nan = ballot(w, nan) != 0;
        double total_all = reduce_sum(w, sum_all), total_ok = reduce_sum(w, sum_ok);
        if (!one_lane(w)) return;
        k.s->max_all = max_all;
        k.s->max_ok = max_ok;
        k.s->total_all = total_all;
        k.s->total_ok = total_ok;
        if (is_nan) k.s->status = -ART_CUDA_ROW_NAN;
    });
}

/* Draws among the allowed tokens before p, whose weights a tile are in `weights`, relative to max_ok. */
template <class D>
ART_DEV_COLD void draw(block &b, const row_view<D> &r, const workbench &k, float scale, const float *weights,
                       const place &p, double u) {
    phase_first(b, [&](warp_id w) {
        float max_ok = k.s->max_ok;
        double total = 0.0;
        wide<double> part;
        ART_ROLLED
        for (uint32_t first = 0; first < k.n_tiles; first += ART_CUDA_LANES) {
            lane_each(w, [&](uint32_t lane) {
                uint32_t i = first + lane;
                at(part, lane) = i < k.n_tiles ? raised(weights[i], k.max_ok[i], max_ok, scale) : 0.0;
            });
            total += from_lane(w, scan_sum(w, part), ART_CUDA_LANES - 1u);
        }
        /* The first tile at which the running sum exceeds the goal; or the last one with weight. */
        double goal = u * total, running = 0.0, fraction = 0.0;
        uint32_t tile = ART_NO_ID;
        ART_ROLLED
        for (uint32_t first = 0; first < k.n_tiles && !(running > goal); first += ART_CUDA_LANES) {
            wide<double> own, upto;
            wide<bool> past, weighty;
            lane_each(w, [&](uint32_t lane) {
                uint32_t i = first + lane;
                at(own, lane) = i < k.n_tiles ? raised(weights[i], k.max_ok[i], max_ok, scale) : 0.0;
            });
            upto = scan_sum(w, own);
            lane_each(w, [&](uint32_t lane) {
                at(weighty, lane) = at(own, lane) > 0.0;
                at(past, lane) = at(own, lane) > 0.0 && running + at(upto, lane) > goal;
            });
            uint32_t over = ballot(w, past), some = ballot(w, weighty);
            if (some) {
                uint32_t lane = over ? lowest_bit(over) : highest_bit(some);
                double mine = from_lane(w, own, lane), below = running + (from_lane(w, upto, lane) - mine);
                tile = first + lane;
                fraction = (goal - below) / mine;
            }
            running += from_lane(w, upto, ART_CUDA_LANES - 1u);
        }
        token t = {-ART_INF, ART_NO_ID};
        if (tile != ART_NO_ID) {
            fraction = fraction < 0.0 ? 0.0 : fraction;
            t = find_drawn(w, r, tile, scale, p, k.max_ok[tile], static_cast<float>(fraction < 1.0 ? fraction : 1.0));
        }
        if (!one_lane(w)) return;
        k.s->drawn_x = t.x;
        k.s->drawn_id = t.id;
    });
}

/* ------------------------------------------------------------------ weighing what comes before a place */

/* Lists the tiles that have tokens before p; the others are weighed with that. */
ART_DEV_COLD void list_reaching(block &b, const workbench &k, float scale, const place &p, bool ok_only) {
    phase_first(b, [&](warp_id w) {
        const float *max = ok_only ? k.max_ok : k.max_all, *sum = ok_only ? k.sum_ok : k.sum_all;
        float row_max = ok_only ? k.s->max_ok : k.s->max_all;
        uint32_t n = 0;
        wide<double> rest;
        wide<bool> reaches;
        lane_each(w, [&](uint32_t lane) { at(rest, lane) = 0.0; });
        ART_ROLLED
        for (uint32_t first = 0; first < k.n_tiles; first += ART_CUDA_LANES) {
            lane_each(w, [&](uint32_t lane) {
                uint32_t i = first + lane;
                at(reaches, lane) = i < k.n_tiles && max[i] > -ART_INF && is_before(max[i], i * ART_CUDA_TILE, p);
            });
            uint32_t which = ballot(w, reaches);
            lane_each(w, [&](uint32_t lane) {
                uint32_t i = first + lane;
                if (i >= k.n_tiles) return;
                if (at(reaches, lane)) {
                    k.reach[n + count_bits(which & ((1u << lane) - 1u))] = i;
                } else {
                    k.before[i] = k.before_ok[i] = 0.0f;
                    k.n_before[i] = 0;
                    at(rest, lane) += raised(sum[i], max[i], row_max, scale);
                }
            });
            n += count_bits(which);
        }
        double after = reduce_sum(w, rest);
        if (!one_lane(w)) return;
        k.s->n_reach = n;
        k.s->n_found = 0;
        k.s->n_before = 0;
        k.s->before = k.s->left_ok = 0.0;
        k.s->after = after;
    });
}

/* Weighs the reaching tiles first .. last, and adds them to the state's sums. */
template <class D>
ART_DEV_COLD void weigh_some(block &b, const row_view<D> &r, const workbench &k, float scale, const place &p,
                             bool ok_only, uint32_t first, uint32_t last) {
    phase(b, [&](warp_id w) {
        ART_ROLLED
        for (uint32_t n = first + w.index; n < last; n += b.n_warps) {
            uint32_t i = k.reach[n];
            tile_part t = weigh(w, r, i, scale, p, ok_only, k.max_all[i], k.max_ok[i]);
            if (!one_lane(w)) continue;
            k.before[i] = t.before;
            k.before_ok[i] = t.before_ok;
            k.after[i] = t.after;
            k.n_before[i] = t.n_before;
        }
    });
    phase_first(b, [&](warp_id w) {
        const float *max = ok_only ? k.max_ok : k.max_all;
        float max_ok = k.s->max_ok, row_max = ok_only ? max_ok : k.s->max_all;
        wide<double> before, after, left;
        wide<uint32_t> count;
        lane_each(w, [&](uint32_t lane) {
            double s = 0.0, t = 0.0, u = 0.0;
            uint32_t c = 0;
            ART_ROLLED
            for (uint32_t n = first + lane; n < last; n += ART_CUDA_LANES) {
                uint32_t i = k.reach[n];
                s += raised(k.before[i], max[i], row_max, scale);
                t += raised(k.after[i], max[i], row_max, scale);
                u += raised(k.before_ok[i], k.max_ok[i], max_ok, scale);
                c += k.n_before[i];
            }
            at(before, lane) = s;
            at(after, lane) = t;
            at(left, lane) = u;
            at(count, lane) = c;
        });
        double s = reduce_sum(w, before), t = reduce_sum(w, after), u = reduce_sum(w, left);
        uint32_t c = reduce_sum(w, count);
        if (!one_lane(w)) return;
        k.s->before += s;
        k.s->after += t;
        k.s->left_ok += u;
        k.s->n_before += c;
    });
}

template <class D>
ART_DEV_COLD void weigh_all(block &b, const row_view<D> &r, const workbench &k, float scale, const place &p,
                            bool ok_only) {
    list_reaching(b, k, scale, p, ok_only);
    weigh_some(b, r, k, scale, p, ok_only, 0u, k.s->n_reach);
}

/* Whether less than `limit` weight comes before p. Stops as soon as the weight that does not proves it; otherwise all has been weighed. */
template <class D>
ART_DEV_COLD bool weighs_less(block &b, const row_view<D> &r, const workbench &k, float scale, const place &p,
                              bool ok_only, double limit, double total) {
    list_reaching(b, k, scale, p, ok_only);
    uint32_t n_reach = k.s->n_reach;
    ART_ROLLED
    for (uint32_t first = 0; first < n_reach; first += b.n_warps) {
        if (k.s->after > total - limit) return true;
        uint32_t last = first + b.n_warps;
        weigh_some(b, r, k, scale, p, ok_only, first, last < n_reach ? last : n_reach);
    }
    return k.s->before < limit;
}

/* ------------------------------------------------------------------ where the filters end */

/* The filters of a row, over all tokens or over the allowed ones. Tokens before the edge are kept. */
struct filters {
    bool ok_only;
    uint32_t top_k; /* ART_NO_ID: none */
    float top_p;    /* 1: none */
    place min_edge; /* min_p keeps what is before it */
    float max;      /* of the tokens they are over */
    double total;
};

ART_DEV place everything() { /* but what is -infinity */
    place p = {-ART_INF, 0u};
    return p;
}

/* Smallest logit that min_p keeps. In doubles, as the CPU's sampler tests it. */
ART_DEV_COLD float least_kept(float max, float temperature, float min_p) {
    return float_up(static_cast<double>(max) + static_cast<double>(temperature) * log(static_cast<double>(min_p)));
}

ART_DEV filters filters_of(const workbench &k, bool ok_only) {
    const art_cuda_row &p = k.s->p;
    filters f;
    f.ok_only = ok_only;
    f.top_k = p.top_k > 0 ? static_cast<uint32_t>(p.top_k) : ART_NO_ID;
    f.top_p = p.top_p;
    f.max = ok_only ? k.s->max_ok : k.s->max_all;
    f.total = ok_only ? k.s->total_ok : k.s->total_all;
    f.min_edge = everything();
    if (p.min_p > 0.0f) {
        f.min_edge.x = least_kept(f.max, p.temperature, p.min_p);
        f.min_edge.id = ART_NO_ID;
    }
    return f;
}

/* Ranks as numbers, the larger, the earlier. */
ART_DEV uint64_t rank_of(const place &p) {
    return static_cast<uint64_t>(order_of(p.x)) * ART_CUDA_VOCAB_MAX + (ART_CUDA_VOCAB_MAX - 1u - p.id);
}

ART_DEV place place_of(uint64_t rank) {
    uint32_t key = static_cast<uint32_t>(rank / ART_CUDA_VOCAB_MAX);
    place p = {from_order(key), ART_CUDA_VOCAB_MAX - 1u - static_cast<uint32_t>(rank % ART_CUDA_VOCAB_MAX)};
    if (key == 0x7FFFFFFFu) p.id = ART_NO_ID; /* -0 has no tokens, as they are counted with 0: after all of these */
    return p;
}

/* By bisection: the edge such that a token is before it when fewer than top_k tokens and less than `limit` weight come before
 * the token. Everything is weighed at the edge then. At most one reading for each bit of a rank. */
template <class D>
ART_DEV_COLD place bisect(block &b, const row_view<D> &r, const workbench &k, float scale, const filters &f,
                          double limit) {
    place first = {f.max, 0u};
    uint64_t good = rank_of(first), bad = rank_of(everything()), weighed;
    if (f.min_edge.id == ART_NO_ID) { /* before it is what has at least its logit: after the last such token */
        uint64_t least = static_cast<uint64_t>(order_of(f.min_edge.x)) * ART_CUDA_VOCAB_MAX - 1u;
        if (least > bad) bad = least;
    }
    weigh_all(b, r, k, scale, place_of(bad), f.ok_only);
    uint32_t n_good = 0, n_bad = k.s->n_before;
    weighed = bad;
    while (good - bad > 1 && n_bad - n_good > 1) {
        weighed = bad + (good - bad) / 2;
        weigh_all(b, r, k, scale, place_of(weighed), f.ok_only);
        uint32_t n = k.s->n_before;
        if (n < f.top_k && k.s->before < limit) {
            good = weighed;
            n_good = n;
        } else {
            bad = weighed;
            n_bad = n;
        }
    }
    place edge = place_of(bad);
    if (weighed != bad) weigh_all(b, r, k, scale, edge, f.ok_only);
    return edge;
}

/* The n-th largest of the tiles' largest logits: at least n tokens are as large. */
ART_DEV void guess_least(block &b, const workbench &k, const filters &f) {
    phase_first(b, [&](warp_id w) {
        const float *max = f.ok_only ? k.max_ok : k.max_all;
        uint32_t wanted = f.top_k < k.n_tiles ? f.top_k : k.n_tiles, key = 0;
        ART_ROLLED
        for (uint32_t bit = 1u << 31; bit; bit /= 2) {
            wide<uint32_t> n;
            lane_each(w, [&](uint32_t lane) {
                uint32_t c = 0;
                ART_ROLLED
                for (uint32_t i = lane; i < k.n_tiles; i += ART_CUDA_LANES) c += order_of(max[i]) >= (key | bit);
                at(n, lane) = c;
            });
            if (reduce_sum(w, n) >= wanted) key |= bit;
        }
        if (one_lane(w)) k.s->guess = from_order(key);
    });
}

/* Of the n sorted candidates: where the filters end. */
ART_DEV void cut_sorted(block &b, const workbench &k, float scale, const filters &f, uint32_t n) {
    phase_first(b, [&](warp_id w) {
        uint32_t kept = n < f.top_k ? n : f.top_k;
        wide<double> own, upto;
        double limit = 0.0;
        ART_ROLLED
        for (int pass = f.top_p < 1.0f ? 0 : 1; pass < 2; pass++) { /* the weight of what top_k leaves, then the cut */
            double running = 0.0;
            ART_ROLLED
            for (uint32_t first = 0; first < kept; first += ART_CUDA_LANES) {
                wide<bool> out;
                lane_each(w, [&](uint32_t lane) {
                    uint32_t i = first + lane;
                    at(own, lane) = 0.0;
                    if (i < kept) at(own, lane) = exp2_fast((from_order(~k.list[i].key) - f.max) * scale);
                });
                upto = scan_sum(w, own);
                lane_each(w, [&](uint32_t lane) {
                    uint32_t i = first + lane;
                    place c = {0.0f, 0u};
                    if (i < kept) {
                        c.x = from_order(~k.list[i].key);
                        c.id = k.list[i].value;
                    }
                    bool past = f.top_p < 1.0f && running + (at(upto, lane) - at(own, lane)) >= limit;
                    at(out, lane) = pass == 1 && i < kept && i > 0 && (past || !is_before(c.x, c.id, f.min_edge));
                });
                running += from_lane(w, upto, ART_CUDA_LANES - 1u);
                uint32_t which = ballot(w, out);
                if (which) kept = first + lowest_bit(which);
            }
            limit = static_cast<double>(f.top_p) * running;
        }
        if (!one_lane(w)) return;
        candidate last = k.list[kept - 1u];
        k.s->edge.x = from_order(~last.key);
        k.s->edge.id = last.value + 1u;
    });
}

/* With top_k: gathers a little more than k tokens and sorts them. false: they are too many, or could not be told from the rest. */
template <class D>
ART_DEV_COLD bool gather_edge(block &b, const row_view<D> &r, const workbench &k, float scale, const filters &f) {
    if (f.top_k > ART_CUDA_CANDIDATES_MAX) return false;
    bool all = r.n_vocab <= ART_CUDA_CANDIDATES_MAX;
    place p = everything();
    if (!all) {
        guess_least(b, k, f);
        p.x = k.s->guess;
        p.id = ART_NO_ID;
    }
    uint32_t n = 0;
    ART_ROLLED
    for (uint32_t t = 0; t < ART_GATHERS_MAX; t++) {
        if (p.x == -ART_INF) p = everything();
        list_reaching(b, k, scale, p, f.ok_only);
        phase(b, [&](warp_id w) {
            ART_ROLLED
            for (uint32_t i = w.index; i < k.s->n_reach; i += b.n_warps)
                collect(w, r, k.reach[i], p, f.ok_only, k.list, &k.s->n_found);
        });
        n = k.s->n_found;
        if (n > ART_CUDA_CANDIDATES_MAX) return false;
        if (n >= f.top_k || p.x == -ART_INF) break;
        p.x -= 0.5f * (f.max - p.x) + 1.0f / scale;
        if (t + 1 == ART_GATHERS_MAX) return false;
    }
    uint32_t slots = ART_SORT_LEAST;
    while (slots < n) slots *= 2u;
    phase(b, [&](warp_id w) {
        lane_each(w, [&](uint32_t lane) {
            candidate none = {ART_NO_ID, ART_NO_ID};
            ART_ROLLED
            for (uint32_t i = n + w.index * ART_CUDA_LANES + lane; i < slots; i += b.n_warps * ART_CUDA_LANES)
                k.list[i] = none;
        });
    });
    sort_shared(b, k.list, slots);
    cut_sorted(b, k, scale, f, n);
    return true;
}

/* With top_k: the edge, at which everything is weighed then. */
template <class D>
ART_DEV place top_k_edge(block &b, const row_view<D> &r, const workbench &k, float scale, const filters &f) {
    if (gather_edge(b, r, k, scale, f)) {
        place edge = k.s->edge;
        weigh_all(b, r, k, scale, edge, f.ok_only);
        return edge;
    }
    const double no_limit = static_cast<double>(ART_INF);
    if (f.top_p >= 1.0f) return bisect(b, r, k, scale, f, no_limit);
    filters only_k = f;
    only_k.min_edge = everything();
    bisect(b, r, k, scale, only_k, no_limit);
    return bisect(b, r, k, scale, f, static_cast<double>(f.top_p) * k.s->before);
}

/* ------------------------------------------------------------------ the choice */

/* Draws from what the filters keep and the mask allows: k.s->drawn_id, ART_NO_ID when there is nothing. Takes the step's random numbers from *number on. */
template <class D>
ART_DEV_COLD void draw_filtered(block &b, const row_view<D> &r, const workbench &k, float scale, bool ok_only,
                                uint32_t *number) {
    const uint64_t seed = k.s->p.seed, step = k.s->step;
    filters f = filters_of(k, ok_only);
    if (f.top_k != ART_NO_ID) {
        place edge = top_k_edge(b, r, k, scale, f);
        draw(b, r, k, scale, k.before_ok, edge, uniform(seed, step, (*number)++));
        return;
    }
    double limit = static_cast<double>(f.top_p) * f.total;
    place edge = everything();
    const float *weights = k.sum_ok;
    ART_ROLLED
    for (uint32_t n = 0; n < ART_DRAWS_MAX; n++) {
        draw(b, r, k, scale, weights, edge, uniform(seed, step, (*number)++));
        place drawn = {k.s->drawn_x, k.s->drawn_id};
        if (drawn.id == ART_NO_ID) return;
        if (!is_before(drawn.x, drawn.id, f.min_edge)) {
            edge = f.min_edge;
            weigh_all(b, r, k, scale, edge, ok_only);
        } else {
            if (f.top_p >= 1.0f || weighs_less(b, r, k, scale, drawn, ok_only, limit, f.total)) return;
            edge = drawn;
        }
        weights = k.before_ok;
    }
    edge = bisect(b, r, k, scale, f, limit);
    draw(b, r, k, scale, k.before_ok, edge, uniform(seed, step, (*number)++));
}

/* The first by rank of the allowed. */
template <class D> ART_DEV void draw_greedy(block &b, const row_view<D> &r, const workbench &k) {
    phase_first(b, [&](warp_id w) {
        float best = k.s->max_ok;
        uint32_t tile = ART_NO_ID;
        ART_ROLLED
        for (uint32_t first = 0; first < k.n_tiles && tile == ART_NO_ID; first += ART_CUDA_LANES) {
            wide<bool> has;
            lane_each(
                w, [&](uint32_t lane) { at(has, lane) = first + lane < k.n_tiles && k.max_ok[first + lane] == best; });
            uint32_t which = ballot(w, has);
            if (which) tile = first + lowest_bit(which);
        }
        uint32_t id = find_allowed(w, r, tile, best);
        if (!one_lane(w)) return;
        k.s->drawn_x = best;
        k.s->drawn_id = id;
    });
}

template <class D> ART_DEV void choose_token(block &b, const row_view<D> &r, const workbench &k, float scale) {
    const art_cuda_row &p = k.s->p;
    if (p.temperature == 0.0f) {
        draw_greedy(b, r, k);
        return;
    }
    uint32_t number = 0;
    if (p.top_k == 0 && p.top_p >= 1.0f && p.min_p == 0.0f) {
        draw(b, r, k, scale, k.sum_ok, everything(), uniform(p.seed, k.s->step, number));
        return;
    }
    draw_filtered(b, r, k, scale, false, &number);
    if (k.s->drawn_id == ART_NO_ID && r.mask) draw_filtered(b, r, k, scale, true, &number);
}

/* ------------------------------------------------------------------ blocks that share a row */

/* Writes what this block found; whether it was the last to do so, and then has what all found. */
ART_DEV bool join_blocks(block &b, const art_cuda_sample_args &a, const workbench &k) {
    uint32_t *ticket = reinterpret_cast<uint32_t *>(a.workspace) + b.x;
    float *results = reinterpret_cast<float *>(a.workspace + ART_CUDA_TICKET_BYTES) +
                     static_cast<uint64_t>(b.x) * k.n_tiles * ART_CUDA_TILE_RESULTS;
    uint32_t n =
        k.n_tiles * ART_CUDA_TILE_RESULTS; /* max_all, max_ok, sum_all, sum_ok: neighbours in shared memory, too */
    phase(b, [&](warp_id w) {
        lane_each(w, [&](uint32_t lane) {
            ART_ROLLED
            for (uint32_t i = w.index * ART_CUDA_LANES + lane; i < n; i += b.n_warps * ART_CUDA_LANES)
                if (i % k.n_tiles % b.n_y == b.y) store_shared_by_blocks(results + i, k.max_all[i]);
            fence_device();
        });
    });
    phase_first(b, [&](warp_id w) {
        if (!one_lane(w)) return;
        k.s->is_last = atomic_add(ticket, 1u) == b.n_y - 1u;
        if (k.s->is_last) *ticket = 0;
        fence_device();
    });
    if (!k.s->is_last) return false;
    phase(b, [&](warp_id w) {
        lane_each(w, [&](uint32_t lane) {
            ART_ROLLED
            for (uint32_t i = w.index * ART_CUDA_LANES + lane; i < n; i += b.n_warps * ART_CUDA_LANES)
                k.max_all[i] = load_shared_by_blocks(results + i);
        });
    });
    return true;
}

/* ------------------------------------------------------------------ the row */

ART_DEV void begin_row(block &b, const art_cuda_sample_args &a, const workbench &k) {
    phase_first(b, [&](warp_id w) {
        if (!one_lane(w)) return;
        k.s->p = reinterpret_cast<const art_cuda_row *>(a.rows)[b.x];
        k.s->step = reinterpret_cast<const uint64_t *>(a.steps)[b.x] + a.step;
        k.s->status = is_valid(k.s->p) ? 0u : static_cast<uint32_t>(-ART_CUDA_ROW_PARAM);
        k.s->n_patches = k.s->n_wrong = 0;
        k.s->drawn_id = ART_NO_ID;
    });
}

/* The mask of a row; false: it is not there. *mask is NULL when everything is allowed. */
ART_DEV bool find_mask(uint64_t masks, int64_t stride, uint64_t mask_rows, uint32_t n_masks, uint32_t row,
                       const uint32_t **mask) {
    *mask = nullptr;
    if (!masks) return true;
    int64_t index = mask_rows ? reinterpret_cast<const int32_t *>(mask_rows)[row] : static_cast<int64_t>(row);
    if (index < 0) return true;
    if (index >= static_cast<int64_t>(n_masks)) return false;
    *mask = reinterpret_cast<const uint32_t *>(masks) + index * stride;
    return true;
}

/* id: a token, or an ART_CUDA_ROW_* */
ART_DEV_COLD void write_result(const art_cuda_sample_args &a, uint32_t row, int32_t id, float logprob) {
    if (a.ids_64)
        reinterpret_cast<int64_t *>(a.ids)[row] = id;
    else
        reinterpret_cast<int32_t *>(a.ids)[row] = id;
    if (a.logprobs) reinterpret_cast<float *>(a.logprobs)[row] = logprob;
    if (id < 0 || a.keep_steps) return;
    reinterpret_cast<uint64_t *>(a.steps)[row] += 1u;
    if (!a.history || !a.history_cap) return;
    uint32_t *n = reinterpret_cast<uint32_t *>(a.history_n) + row;
    reinterpret_cast<int32_t *>(a.history)[static_cast<uint64_t>(row) * a.history_cap + *n % a.history_cap] = id;
    *n += 1u;
}

ART_DEV void write_error(block &b, const art_cuda_sample_args &a, uint32_t status) {
    phase_first(b, [&](warp_id w) {
        if (one_lane(w)) write_result(a, b.x, -static_cast<int32_t>(status), as_float(0x7FC00000u));
    });
}

/* The kernel art_sample_*. */
template <class D> ART_DEV void sample_row(block &b, const art_cuda_sample_args &a) {
    workbench k;
    row_view<D> r;
    if (!lay_out(b, a.n_vocab, &k) || !find_mask(a.masks, a.masks_stride, a.mask_rows, a.n_masks, b.x, &r.mask)) {
        if (b.y == 0) write_error(b, a, static_cast<uint32_t>(-ART_CUDA_ROW_PARAM));
        return;
    }
    begin_row(b, a, k);
    if (!k.s->status) prepare_patches(b, a, k, b.x);
    if (k.s->status) { /* all blocks of the row find it */
        if (b.y == 0) write_error(b, a, static_cast<uint32_t>(-ART_CUDA_ROW_PARAM));
        return;
    }
    r.logits = reinterpret_cast<const typename D::bits *>(a.logits) + static_cast<int64_t>(b.x) * a.logits_stride;
    r.shift = static_cast<uint32_t>(reinterpret_cast<uint64_t>(r.logits) & 15u);
    r.n_vocab = a.n_vocab;
    r.patches = k.patches;
    r.n_patches = k.s->n_patches;
    r.pen.repetition = k.s->p.repetition_penalty;
    r.pen.frequency = k.s->p.frequency_penalty;
    r.pen.presence = k.s->p.presence_penalty;
    const float scale = scale_of(k.s->p.temperature);
    ART_ROLLED
    for (bool again = false;; again = true) {
        summarise_tiles(b, r, k, scale, again ? 0u : b.y, again ? 1u : b.n_y);
        if (!again && b.n_y > 1 && !join_blocks(b, a, k)) return;
        total_tiles(b, k, scale);
        if (k.s->status || k.s->max_ok > -ART_INF || !r.n_patches) break;
        r.n_patches = 0; /* biases ban all that is allowed: they are undone */
    }
    uint32_t status = k.s->status;
    if (!status && k.s->max_ok == -ART_INF) status = static_cast<uint32_t>(-ART_CUDA_ROW_EMPTY);
    if (status) {
        write_error(b, a, status);
        return;
    }
    choose_token(b, r, k, scale);
    phase_first(b, [&](warp_id w) {
        if (!one_lane(w)) return;
        const shared_state &s = *k.s;
        float logprob =
            static_cast<float>(static_cast<double>(s.drawn_x - s.max_all) * static_cast<double>(scale) / ART_LOG2_E) -
            logf(static_cast<float>(s.total_all));
        write_result(a, b.x, s.drawn_id == ART_NO_ID ? ART_CUDA_ROW_EMPTY : static_cast<int32_t>(s.drawn_id), logprob);
    });
}

/* ------------------------------------------------------------------ the other kernels */

/* art_masks_*: 16 tokens a lane. Nothing is read but the mask, nothing written but what it refuses. Vectors lie at multiples of 16 bytes, so
 * the first one may begin before the row. */
template <class D> ART_DEV void mask_row(block &b, const art_cuda_mask_args &a, typename D::bits refused) {
    const uint32_t *mask;
    if (!find_mask(a.masks, a.masks_stride, a.mask_rows, a.n_masks, b.x, &mask) || !mask) return;
    typename D::bits *logits =
        reinterpret_cast<typename D::bits *>(a.logits) + static_cast<int64_t>(b.x) * a.logits_stride;
    const uint32_t back = static_cast<uint32_t>(reinterpret_cast<uint64_t>(logits) & 15u) * D::n_vec / 16u;
    const vec16 none = {{D::nothing, D::nothing, D::nothing, D::nothing}};
    phase(b, [&](warp_id w) {
        lane_each(w, [&](uint32_t lane) {
            uint32_t thread = (b.y * b.n_warps + w.index) * ART_CUDA_LANES + lane;
            for (uint32_t half = 0; half < 16u / D::n_vec; half++) {
                /* A warp's vectors are neighbours. */
                uint32_t vector = (thread / ART_CUDA_LANES * (16u / D::n_vec) + half) * ART_CUDA_LANES + lane;
                uint32_t begin = vector * D::n_vec, first = begin > back ? begin - back : 0u;
                uint32_t end = begin + D::n_vec - back;
                if (first >= a.n_vocab) return;
                if (end > a.n_vocab) end = a.n_vocab;
                uint32_t low = load_const(mask + first / 32u), high = 0u;
                if (back && (end - 1u) / 32u != first / 32u) high = load_const(mask + first / 32u + 1u);
                uint32_t bits = shift_right(low, high, first % 32u);
                if (end - first == D::n_vec && !(bits & ((1u << D::n_vec) - 1u))) {
                    store_vec16(logits + first, none);
                    continue;
                }
                for (uint32_t i = first; i < end; i++)
                    if (!(bits >> (i - first) & 1u)) logits[i] = refused;
            }
        });
    });
}

/* art_set: one row a block. */
ART_DEV void set_row(block &b, const art_cuda_set_args &a) {
    phase_first(b, [&](warp_id w) {
        if (b.x >= a.n || b.x >= ART_CUDA_SET_ROWS_MAX || !one_lane(w)) return;
        uint32_t row = a.first + b.x;
        reinterpret_cast<art_cuda_row *>(a.rows)[row] = a.row[b.x];
        reinterpret_cast<uint64_t *>(a.steps)[row] = a.step[b.x];
        if (a.history_n) reinterpret_cast<uint32_t *>(a.history_n)[row] = a.n_history[b.x];
    });
}

#endif
