// A dense layer forward in bfloat16: ../forward.hpp with pairs.
#pragma once

#include "../forward.hpp"
#include "round.hpp"

namespace {

using twolayer::Bfloat16Forward;

// Pairs in a block of k: as many bytes as in float32.
inline constexpr std::int64_t forward_pairs = forward_depth;

// What is added to the product of one panel: the bias, less what the fold took from the input.
inline void effective_bias(const Bfloat16Forward& f, std::int64_t panel, float* bias) {
  using S = Vec<float>;
  const std::int64_t blocks = f.corrections != nullptr ? twolayer::block_count(f.layer.inputs) : 0;
  const std::int64_t stride = twolayer::padded(f.layer.outputs);
  for (std::int64_t c = 0; c < panel_width; c += S::width) {
    S taken = S::zero();
    for (std::int64_t i = 0; i < blocks; ++i) {
      taken = taken + S::load(f.corrections + i * stride + panel * panel_width + c);
    }
    (S::load(f.layer.bias + panel * panel_width + c) - taken).store(bias + c);
  }
}

inline void forward(const Bfloat16Forward& f, Range samples, Range panels) {
  const PairedRowTiles tiles(samples);
  const std::int64_t a_panel = f.layer.samples * plain_width;
  const std::int64_t depth = twolayer::pair_count(f.layer.inputs);
  alignas(64) float bias[panel_width];
  for (std::int64_t k = 0; k < depth; k += forward_pairs) {
    const bool last = k + forward_pairs >= depth;
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const std::int64_t columns = columns_in_panel(f.layer.outputs, p);
      const std::int64_t pairs = last ? depth - k : forward_pairs;
      const Pair* weights = f.weights + (p * depth + k) * panel_width;
      if (last) effective_bias(f, p, bias);
      Ahead ahead;  // the next panel, in two halves
      if (p + 1 < panels.end) {
        const Pair* next = weights + depth * panel_width;
        const std::int64_t half = pairs * panel_width / 2;
        ahead.want(next, half * std::int64_t{sizeof(Pair)});
        ahead.want(next + half, half * std::int64_t{sizeof(Pair)});
      }
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        const std::int64_t rows = tiles.begin(i + 1) - row;
        float* z = f.layer.output + (p * f.layer.samples + row) * panel_width;
        product<Left::plain>({f.input + k / plain_width * a_panel + row * plain_width, a_panel,
                              weights, z, pairs, k > 0, &ahead},
                             rows, columns);
        if (!last) continue;
        with_activation(f.layer.activation, [&]<Activation kind>() {
          finish_forward<float, kind>(z, bias, rows, columns);
        });
        if (f.rounded.plain != nullptr) {
          round_rows_of_panel(z, f.layer.samples, p, row, rows, columns, f.rounded);
        }
      }
    }
  }
}

}  // namespace
