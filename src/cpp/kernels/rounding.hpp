// Where operands are rounded, products leave rounded copies of what they have just computed; where
// they are exact, there is nothing to do. bfloat16/operands.hpp specialises these templates; so
// they are always called with P named, which finds the specialisations in whatever order files
// come.
#pragma once

#include "table.hpp"
#include "tile.hpp"

namespace {

using twolayer::Bfloat16;
using twolayer::Exact;
using twolayer::Operand;
using twolayer::RoundedWeights;

// Rows of one panel of a matrix with `samples` rows: `from` points to the first of them, number
// `row`. Lanes beyond `columns` are left alone in whole vectors.
template <class P>
void round_rows_of_panel(const typename P::Scalar*, std::int64_t, std::int64_t, std::int64_t,
                         std::int64_t, std::int64_t, const Operand<P>&) {}

// The rows of one block of one panel of the weights.
template <class P>
void round_block(const RoundedWeights&, std::int64_t, std::int64_t) {}

// What brings the copy near that round_block() will write: `rows` rows from row `first` on.
template <class P>
void want_rounded(const RoundedWeights& m, std::int64_t panel, std::int64_t first,
                  std::int64_t rows, Ahead& ahead) {
  if constexpr (P::depth > 1) {
    const std::int64_t groups = group_count<P>(m.inputs);
    ahead.want(m.rounded + (panel * groups + first / P::depth) * panel_width,
               rows / P::depth * panel_width * std::int64_t{sizeof(typename P::Element)});
  }
}

// One panel (H, 32) of weightsᵀ as the right operand: the rows of `weights` (D, H) that belong to
// input panel p, transposed.
template <class P, class T = typename P::Scalar>
void transpose_weights(const T* weights, std::int64_t inputs, std::int64_t outputs, std::int64_t p,
                       T* to) {
  using S = Vec<T>;
  const std::int64_t rows = columns_in_panel(inputs, p);
  for (std::int64_t q = 0; q < twolayer::panel_count(outputs); ++q) {
    const T* from = weights + (q * inputs + p * panel_width) * panel_width;
    T* block = to + q * panel_width * panel_width;
    const std::int64_t whole = rows - rows % S::width;
    for (std::int64_t r = 0; r < whole; r += S::width) {
      for (std::int64_t c = 0; c < panel_width; c += S::width) {
        S::transpose(from + r * panel_width + c, panel_width, block + c * panel_width + r,
                     panel_width);
      }
    }
    for (std::int64_t r = whole; r < panel_width; ++r) {
      for (std::int64_t c = 0; c < panel_width; ++c) {
        block[c * panel_width + r] = r < rows ? from[r * panel_width + c] : T(0);
      }
    }
  }
}

// What a fold took from the input is put back into a block of the gradient.
template <class P>
struct Unfolding {
  Unfolding(const twolayer::Update<P>&, typename P::Scalar*) {}
  void operator()(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                  typename P::Scalar*) const {}
};

}  // namespace
