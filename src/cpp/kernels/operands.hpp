// What the operands of products are made of. Sums, parameters, optimizer state and losses are
// Scalars; operands are Elements, each holding `depth` neighbours along k:
//   Exact<T>  the numbers themselves; an element of a product is the chain
//                 acc = fma(a[k], b[k], acc)
//   Bfloat16  pairs of rounded numbers, which a dot instruction takes at once,
//                 acc = fma(a[k], b[k], fma(a[k + 1], b[k + 1], acc)).
// Every product is written once, for any of them (forward.hpp, backward.hpp, update.hpp); how a
// target loads and multiplies elements is in exact.hpp and bfloat16/operands.hpp.
//
// A matrix (rows, columns) in panels (panels.hpp) is an operand
//   along   with elements along its columns: 32 / depth elements a row;
//   across  with elements along its rows: those of `depth` neighbouring rows interleaved, 32
//           elements; missing last rows are zeros.
// Batch and gradients are wanted both ways: along the layer's width as the left operand of forward
// and backward, across where the samples are summed over.
#pragma once

#include <cstdint>

#include "panels.hpp"

namespace twolayer {

template <class T>
struct Exact {
  using Scalar = T;
  using Element = T;
  static constexpr std::int64_t depth = 1;
};

using Pair = std::uint32_t;  // two bfloat16, the first in the low half

struct Bfloat16 {
  using Scalar = float;
  using Element = Pair;
  static constexpr std::int64_t depth = 2;
};

template <class P>
constexpr std::int64_t group_count(std::int64_t rows) {
  return (rows + P::depth - 1) / P::depth;
}
template <class P>
constexpr std::int64_t along_size(std::int64_t rows, std::int64_t columns) {
  return rows * padded(columns) / P::depth;
}
template <class P>
constexpr std::int64_t across_size(std::int64_t rows, std::int64_t columns) {
  return group_count<P>(rows) * padded(columns);
}

// One matrix both ways; of exact numbers both are the same.
template <class P>
struct Operand {
  typename P::Element* along;
  typename P::Element* across;
};

// Bytes are exact in bfloat16, and so is their difference from a whole number of 0...255; a
// normalised byte is not. So for bytes the batch holds x - whole, and the rest of the normalisation
// (x - whole - rest) * factor is folded into the first layer: its weights are multiplied by factor,
// and rest is taken from sums in float32.
struct Fold {
  const float* factor;  // padded(D)
  const float* rest;    // padded(D)
};

// The weights (D, H) as the right operand of forward. Where operands are rounded, that is a copy:
// across, multiplied by fold->factor.
// corrections: block_count(D) x padded(H) sums over a block's rows of rest * factor * weights.
struct RoundedWeights {
  const float* weights;
  std::int64_t inputs;
  std::int64_t outputs;
  Pair* rounded;
  const Fold* fold;    // or null
  float* corrections;  // with a fold
};

// Rows of a float32 matrix in panels, rounded.
struct RoundedRows {
  const float* from;
  std::int64_t rows;
  std::int64_t columns;
  Operand<Bfloat16> to;
};

}  // namespace twolayer
