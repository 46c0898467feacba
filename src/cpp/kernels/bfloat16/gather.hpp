// Rows of the data set on their way into a batch of bfloat16: ../gather.hpp, two rows at a time.
#pragma once

#include "../gather.hpp"
#include "operands.hpp"

namespace {

using twolayer::Bfloat16Gather;

// One panel of rows n and n + 1, n even; without `two` the second is none.
template <class Element>
__attribute__((always_inline)) inline void normalize_pair(const Bfloat16Gather& b, std::int64_t n,
                                                          std::int64_t panel, const Element* upper,
                                                          const Element* lower, bool two) {
  using S = Vec<float>;
  const Gather<float>& g = b.from;
  const std::int64_t pairs = group_count<Bfloat16>(g.samples);
  const std::int64_t column = panel * panel_width;
  Pair* along = b.to.along + (panel * g.samples + n) * along_width;
  Pair* across = b.to.across + (panel * pairs + n / 2) * panel_width;
  for (std::int64_t i = 0; i < panel_width; i += S::width) {
    const S one = normalized(g, column + i, upper + i);
    const S other = two ? normalized(g, column + i, lower + i) : S::zero();
    store_rounded(along + i / 2, one);
    if (two) store_rounded(along + along_width + i / 2, other);
    store_paired(across + i, one, other);
  }
}

template <class Element>
__attribute__((noinline)) void gather_pairs_by_blocks(const Bfloat16Gather& b, Range panels) {
  const Gather<float>& g = b.from;
  static_assert(rows_of_block % 2 == 0);
  for (std::int64_t n = 0; n < g.samples; n += rows_of_block) {
    const std::int64_t rest = g.samples - n;
    const std::int64_t count = rest < rows_of_block ? rest : rows_of_block;
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      Element block[rows_of_block][panel_width];
      make_block(g, n, count, p, block);
      for (std::int64_t r = 0; r < count; r += 2) {
        const bool two = r + 1 < count;
        normalize_pair(b, n + r, p, block[r], block[two ? r + 1 : r], two);
      }
    }
  }
}

template <class Element>
__attribute__((noinline)) void gather_pairs_as(const Bfloat16Gather& b, Range panels) {
  const Gather<float>& g = b.from;
  if (g.x.column_stride != sizeof(Element)) return gather_pairs_by_blocks<Element>(b, panels);
  const auto row_at = [&](std::int64_t n) {
    return reinterpret_cast<const Element*>(row_of(g, n));
  };
  for (std::int64_t n = 0; n < g.samples; n += 2) {
    const bool two = n + 1 < g.samples;
    const Element* upper = row_at(n);
    const Element* lower = two ? row_at(n + 1) : upper;
    const Element* later[2] = {row_at(n + 2 < g.samples ? n + 2 : n),
                               row_at(n + 3 < g.samples ? n + 3 : n)};
    const Change changes[2] = {change_of_sample(g, n), change_of_sample(g, n + 1)};
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      __builtin_prefetch(later[0] + p * panel_width);
      __builtin_prefetch(later[1] + p * panel_width);
      Element parts[2][panel_width];
      normalize_pair(b, n, p, columns_of_panel(g, changes[0], upper, p, parts[0]),
                     columns_of_panel(g, changes[1], lower, p, parts[1]), two);
    }
  }
}

inline void gather(const Bfloat16Gather& b, Range panels) {
  twolayer::with_element(b.from.x.type,
                         [&]<class Element>() { gather_pairs_as<Element>(b, panels); });
}

}  // namespace
