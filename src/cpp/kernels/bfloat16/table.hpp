// The kernels of bfloat16 compute: the operands of every product are rounded to bfloat16, sums,
// parameters, optimizer state, softmax and loss stay float32. One table of functions per
// instruction set, the rules those of ../table.hpp.
//
// The dot product takes two neighbouring k at once,
//     acc = fma(a[k], b[k], fma(a[k + 1], b[k + 1], acc)),
// so operands are stored as pairs along k, in panels of 32 columns (../panels.hpp):
//   plain   (rows, columns) as usual, 16 pairs a row: pairs along the columns;
//   paired  rows 2i and 2i + 1 interleaved, 32 pairs: pairs along the rows; an odd last row is
//           paired with zeros.
// Batch and gradients are wanted both ways: with pairs along the layer's width as the left operand
// of forward and backward, with pairs along the samples where the samples are summed over.
#pragma once

#include "../table.hpp"

namespace twolayer {

using Pair = std::uint32_t;  // two bfloat16, the first in the low half

constexpr std::int64_t pair_count(std::int64_t rows) { return (rows + 1) / 2; }
constexpr std::int64_t plain_size(std::int64_t rows, std::int64_t columns) {
  return rows * padded(columns) / 2;
}
constexpr std::int64_t paired_size(std::int64_t rows, std::int64_t columns) {
  return pair_count(rows) * padded(columns);
}

// One matrix (N, columns) in both layouts.
struct TwoWays {
  Pair* plain;
  Pair* paired;
};

// Bytes are exact in bfloat16, and so is their difference from a whole number of 0...255; a
// normalised byte is not. So for bytes the batch holds x - whole, and the rest of the normalisation
// (x - whole - rest) * factor is folded into the first layer: its weights are multiplied by factor,
// and rest is taken from sums in float32.
struct Fold {
  const float* factor;  // padded(D)
  const float* rest;    // padded(D)
};

// (N, D) = (x[rows] - shift) * inverse_scale, rounded.
struct Bfloat16Gather {
  Gather<float> from;  // `batch` is not used
  TwoWays to;
};

// The weights (D, H) as the right operand of forward: paired, rounded, multiplied by fold->factor.
// corrections: block_count(D) x padded(H) sums over a block's rows of rest * factor * weights.
struct Bfloat16Weights {
  const float* weights;
  std::int64_t inputs;
  std::int64_t outputs;
  Pair* rounded;
  const Fold* fold;    // or null
  float* corrections;  // with a fold
};

// layer.output (N, H) = activation(input (N, D) weights (D, H) + bias (H)), and a rounded copy.
struct Bfloat16Forward {
  Forward<float> layer;  // `input` and `weights` are not used
  const Pair* input;     // plain
  const Pair* weights;
  const float* corrections;  // or null
  TwoWays rounded;           // or nulls
};

// Rows of a float32 matrix in panels, rounded.
struct Bfloat16Round {
  const float* from;
  std::int64_t rows;
  std::int64_t columns;
  TwoWays to;
};

// layer.dinput (N, D) = (doutput (N, H) weightsᵀ (H, D)) * activation'(z), and a rounded copy.
struct Bfloat16Backward {
  Backward<float> layer;  // `doutput` is not used
  const Pair* doutput;    // plain
  TwoWays rounded;        // or nulls
};

// As Update<float>, whose `input` and `doutput` are not used; the rounded weights follow.
struct Bfloat16Update {
  Update<float> layer;
  const Pair* input;    // paired
  const Pair* doutput;  // paired
  Bfloat16Weights weights;
};

// Ranges of samples begin at even numbers.
struct Bfloat16Kernels {
  void (*gather)(const Bfloat16Gather&, Range panels);
  void (*round_weights)(const Bfloat16Weights&, Range blocks);
  void (*forward)(const Bfloat16Forward&, Range samples, Range panels);
  void (*round_rows)(const Bfloat16Round&, Range samples);
  // scratch of both: padded(H) * panel_width elements of the calling thread's own
  void (*backward)(const Bfloat16Backward&, Range samples, Range panels, float* scratch);
  void (*update_weights)(const Bfloat16Update&, Range blocks, float* scratch);
  double (*multiply_add_peak)(std::int64_t iterations, float* kept);
};

}  // namespace twolayer
