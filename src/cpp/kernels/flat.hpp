// Parameters whose gradient exists in memory, as flat arrays: those of batch normalisation, and all
// of them where gradients are stored.
#pragma once

#include "update.hpp"

namespace {

using twolayer::FlatUpdate;

template <class T>
void update_flat(const FlatUpdate<T>& u, Range elements) {
  using S = Vec<T>;
  const S scale = S::broadcast(u.scale);
  with_optimizer(u.to, u.step, [&]<class Kind>() {
    for (std::int64_t i = elements.begin; i < elements.end; i += S::width) {
      send_off<Kind>(u.to, u.step, S::load(u.gradient + i) * scale, S::load(u.to.parameters + i),
                     i);
    }
  });
}

template <class T>
void sum_squares(const T* values, std::int64_t count, Range chunks, T* sums) {
  using S = Vec<T>;
  for (std::int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk) {
    const std::int64_t begin = chunk * twolayer::chunk;
    const std::int64_t end = begin + twolayer::chunk < count ? begin + twolayer::chunk : count;
    alignas(64) T lanes[panel_width];
    for (std::int64_t c = 0; c < panel_width; c += S::width) {
      S sum = S::zero();
      for (std::int64_t i = begin + c; i < end; i += panel_width) {
        const S value = S::load(values + i);
        sum = fma(value, value, sum);
      }
      sum.store(lanes + c);
    }
    sums[chunk] = sum_of_lanes(lanes);
  }
}

}  // namespace
