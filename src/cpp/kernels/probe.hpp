// How many multiply-adds a core can do when nothing else is in their way: the mark that every
// product is measured against.
#pragma once

#include <cstdint>

#include "tile.hpp"

namespace {

// Two multipliers with a latency of four or five cycles need ten chains to stay busy; with the two
// constants twelve still fit into sixteen registers.
inline constexpr int probe_chains = 12;

// Every chain x = x / 2 + 1 stays a normal number, however long it runs.
template <class T>
double multiply_add_peak(std::int64_t iterations, T* kept) {
  using S = Vec<T>;
  const S factor = S::broadcast(T(0.5));
  const S addend = S::broadcast(T(1));
  S chain[probe_chains];
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) chain[i] = S::broadcast(T(i));
  for (std::int64_t n = 0; n < iterations; ++n) {
    TWOLAYER_UNROLL
    for (int i = 0; i < probe_chains; ++i) chain[i] = fma(chain[i], factor, addend);
  }
  S sum = S::zero();
  TWOLAYER_UNROLL
  for (int i = 0; i < probe_chains; ++i) sum = sum + chain[i];
  sum.store_first(kept, 1);
  return 2.0 * S::width * probe_chains * static_cast<double>(iterations);
}

}  // namespace
