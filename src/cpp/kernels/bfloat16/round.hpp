// Rounding of float32 matrices to bfloat16, in the layouts that products want.
#pragma once

#include "tile.hpp"

namespace {

using twolayer::TwoWays;

// Rows of one panel of a matrix with `samples` rows: `from` points to the first of them, number
// `row`, which is even. Lanes beyond `columns` are left alone in whole vectors.
inline void round_rows_of_panel(const float* from, std::int64_t samples, std::int64_t panel,
                                std::int64_t row, std::int64_t rows, std::int64_t columns,
                                const TwoWays& to) {
  using S = Vec<float>;
  Pair* plain = to.plain + panel * samples * plain_width + row * plain_width;
  Pair* paired = to.paired + (panel * twolayer::pair_count(samples) + row / 2) * panel_width;
  for (std::int64_t r = 0; r < rows; r += 2) {
    for (std::int64_t c = 0; c < columns; c += S::width) {
      const S first = S::load(from + r * panel_width + c);
      S second = S::zero();
      store_rounded(plain + r * plain_width + c / 2, first);
      if (r + 1 < rows) {
        second = S::load(from + (r + 1) * panel_width + c);
        store_rounded(plain + (r + 1) * plain_width + c / 2, second);
      }
      store_paired(paired + r / 2 * panel_width + c, first, second);
    }
  }
}

inline void round_rows(const twolayer::Bfloat16Round& m, Range samples) {
  for (std::int64_t p = 0; p < twolayer::panel_count(m.columns); ++p) {
    const float* from = m.from + (p * m.rows + samples.begin) * panel_width;
    round_rows_of_panel(from, m.rows, p, samples.begin, samples.end - samples.begin,
                        columns_in_panel(m.columns, p), m.to);
  }
}

// The rows `first` ... of one panel, `rows` of them at most block_rows, `first` even.
template <bool folded>
void round_block(const twolayer::Bfloat16Weights& m, std::int64_t block, std::int64_t panel) {
  using S = Vec<float>;
  const std::int64_t first = block * twolayer::block_rows;
  const std::int64_t rows = columns_in_panel(m.inputs, block);
  const std::int64_t columns = columns_in_panel(m.outputs, panel);
  const float* from = m.weights + (panel * m.inputs + first) * panel_width;
  Pair* to = m.rounded + (panel * twolayer::pair_count(m.inputs) + first / 2) * panel_width;
  for (std::int64_t c = 0; c < columns; c += S::width) {
    S correction = S::zero();
    const auto weight = [&](std::int64_t r) {
      const S w = S::load(from + r * panel_width + c);
      if constexpr (!folded) return w;
      const S scaled = w * S::broadcast(m.fold->factor[first + r]);
      correction = fma(S::broadcast(m.fold->rest[first + r]), scaled, correction);
      return scaled;
    };
    for (std::int64_t r = 0; r < rows; r += 2) {
      const S upper = weight(r);
      store_paired(to + r / 2 * panel_width + c, upper, r + 1 < rows ? weight(r + 1) : S::zero());
    }
    if constexpr (folded) {
      correction.store(m.corrections + block * twolayer::padded(m.outputs) + panel * panel_width +
                       c);
    }
  }
}

inline void round_block(const twolayer::Bfloat16Weights& m, std::int64_t block,
                        std::int64_t panel) {
  if (m.fold != nullptr) {
    round_block<true>(m, block, panel);
  } else {
    round_block<false>(m, block, panel);
  }
}

inline void round_weights(const twolayer::Bfloat16Weights& m, Range blocks) {
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    for (std::int64_t p = 0; p < twolayer::panel_count(m.outputs); ++p) round_block(m, block, p);
  }
}

}  // namespace
