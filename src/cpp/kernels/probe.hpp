// How many multiply-adds a core can do when nothing else is in their way: the mark that every
// product is measured against.
#pragma once

#include <cstdint>

#include "tile.hpp"

namespace {

// Two multipliers with a latency of four or five cycles need ten chains to stay busy; with the two
// constants twelve still fit into sixteen registers.
inline constexpr int probe_chains = 12;

// Every chain stays a normal number, however long it runs: x = x / 2 + 1 where a chain can be a
// factor, else x = x + 2^-8 * 2^-8 + 2^-8 * 2^-8, of pairs of bfloat16.
template <class P>
double multiply_add_peak(std::int64_t iterations, typename P::Scalar* result) {
  using T = typename P::Scalar;
  using S = Vec<T>;
  S chain[probe_chains];
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) chain[i] = S::broadcast(static_cast<T>(i));
  for (std::int64_t n = 0; n < iterations; ++n) {
    TWOLAYER_UNROLL
    for (int i = 0; i < probe_chains; ++i) {
      if constexpr (P::depth == 1) {
        chain[i] = fma(chain[i], S::broadcast(T(0.5)), S::broadcast(T(1)));
      } else {
        const auto factors = Simd<P>::broadcast(0x3b803b80);
        chain[i] = Simd<P>::multiply_add(factors, factors, chain[i]);
      }
    }
  }
  S sum = S::zero();
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) sum = sum + chain[i];
  sum.store_first(result, 1);
  return 2.0 * P::depth * S::width * probe_chains * static_cast<double>(iterations);
}

}  // namespace
