// How many multiply-adds a core can do in bfloat16; see ../probe.hpp.
#pragma once

#include "../probe.hpp"
#include "tile.hpp"

namespace {

// Every chain x = x + 2^-8 * 2^-8 + 2^-8 * 2^-8 stays a normal number, however long it runs.
inline double pair_multiply_add_peak(std::int64_t iterations, float* kept) {
  using S = Vec<float>;
  const Pairs factors = Pairs::broadcast(0x3b803b80);
  S chain[probe_chains];
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) chain[i] = S::broadcast(static_cast<float>(i));
  for (std::int64_t n = 0; n < iterations; ++n) {
    TWOLAYER_UNROLL
    for (int i = 0; i < probe_chains; ++i) chain[i] = dot(factors, factors, chain[i]);
  }
  S sum = S::zero();
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) sum = sum + chain[i];
  sum.store_first(kept, 1);
  return 4.0 * S::width * probe_chains * static_cast<double>(iterations);
}

}  // namespace
