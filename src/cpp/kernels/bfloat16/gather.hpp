// Rows of the data set on their way into a batch of bfloat16: ../gather.hpp, two rows at a time.
#pragma once

#include "../gather.hpp"
#include "tile.hpp"

namespace {

using twolayer::Bfloat16Gather;

template <class Element>
void gather_pairs_as(const Bfloat16Gather& b, Range panels) {
  using S = Vec<float>;
  const Gather<float>& g = b.from;
  const auto row_at = [&](std::int64_t n) {
    return reinterpret_cast<const Element*>(row_of(g, n));
  };
  const std::int64_t pairs = twolayer::pair_count(g.samples);
  for (std::int64_t n = 0; n < g.samples; n += 2) {
    const bool two = n + 1 < g.samples;
    const Element* upper = row_at(n);
    const Element* lower = two ? row_at(n + 1) : upper;
    const Element* later[2] = {row_at(n + 2 < g.samples ? n + 2 : n),
                               row_at(n + 3 < g.samples ? n + 3 : n)};
    const Change changes[2] = {change_of_sample(g, n), change_of_sample(g, n + 1)};
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const std::int64_t column = p * panel_width;
      __builtin_prefetch(later[0] + column);
      __builtin_prefetch(later[1] + column);
      Element parts[2][panel_width];
      const Element* sources[2] = {columns_of_panel(g, changes[0], upper, p, parts[0]),
                                   columns_of_panel(g, changes[1], lower, p, parts[1])};
      Pair* plain = b.to.plain + (p * g.samples + n) * plain_width;
      Pair* paired = b.to.paired + (p * pairs + n / 2) * panel_width;
      for (std::int64_t i = 0; i < panel_width; i += S::width) {
        const auto normalized = [&](const Element* source) {
          const S centred = S::convert(source + i) - S::load(g.shift + column + i);
          return centred * S::load(g.inverse_scale + column + i);
        };
        const S one = normalized(sources[0]);
        const S other = two ? normalized(sources[1]) : S::zero();
        store_rounded(plain + i / 2, one);
        if (two) store_rounded(plain + plain_width + i / 2, other);
        store_paired(paired + i, one, other);
      }
    }
  }
}

inline void gather(const Bfloat16Gather& b, Range panels) {
  switch (b.from.type) {
    case ElementType::uint8:
      return gather_pairs_as<std::uint8_t>(b, panels);
    case ElementType::float32:
      return gather_pairs_as<float>(b, panels);
    case ElementType::float64:
      return gather_pairs_as<double>(b, panels);
  }
}

}  // namespace
