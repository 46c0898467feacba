// The gradient on its way back through a dense layer in bfloat16: ../backward.hpp with pairs.
#pragma once

#include "../backward.hpp"
#include "round.hpp"

namespace {

using twolayer::Bfloat16Backward;

// One panel of weightsᵀ, paired: pair k of column r holds outputs 2k and 2k + 1 of input r. In a
// rounded row these two are neighbours, so the pairs are transposed like 32-bit numbers.
inline void transpose_rounded(const twolayer::Backward<float>& b, std::int64_t p, float* to) {
  using S = Vec<float>;
  const std::int64_t rows = columns_in_panel(b.inputs, p);
  alignas(64) float block[panel_width * plain_width] = {};  // pairs
  static_assert(sizeof(float) == sizeof(Pair));
  for (std::int64_t q = 0; q < twolayer::panel_count(b.outputs); ++q) {
    const float* from = b.weights + (q * b.inputs + p * panel_width) * panel_width;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < panel_width; c += S::width) {
        store_rounded(reinterpret_cast<Pair*>(block + r * plain_width + c / 2),
                      S::load(from + r * panel_width + c));
      }
    }
    for (std::int64_t r = 0; r < panel_width; r += S::width) {
      for (std::int64_t c = 0; c < plain_width; c += S::width) {
        S::transpose(block + r * plain_width + c, plain_width,
                     to + (q * plain_width + c) * panel_width + r, panel_width);
      }
    }
  }
}

inline void backward(const Bfloat16Backward& b, Range samples, Range panels, float* scratch) {
  const PairedRowTiles tiles(samples);
  const std::int64_t a_panel = b.layer.samples * plain_width;
  const std::int64_t depth = twolayer::pair_count(b.layer.outputs);
  Ahead nothing;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    transpose_rounded(b.layer, p, scratch);
    const std::int64_t columns = columns_in_panel(b.layer.inputs, p);
    for (std::int64_t i = 0; i < tiles.count; ++i) {
      const std::int64_t row = tiles.begin(i);
      const std::int64_t rows = tiles.begin(i + 1) - row;
      const std::int64_t at = (p * b.layer.samples + row) * panel_width;
      float* gradient = b.layer.dinput + at;
      product<Left::plain>(
          {b.doutput + row * plain_width, a_panel, reinterpret_cast<const Pair*>(scratch), gradient,
           depth, false, &nothing},
          rows, columns);
      with_activation(b.layer.activation, [&]<Activation kind>() {
        finish_backward<float, kind>(gradient, b.layer.input + at, rows, columns);
      });
      if (b.rounded.plain != nullptr) {
        round_rows_of_panel(gradient, b.layer.samples, p, row, rows, columns, b.rounded);
      }
    }
  }
}

}  // namespace
