// Gradients of the weights in bfloat16: ../update.hpp with pairs. Weights and optimizer are
// float32; the rounded copy of the weights is renewed while they are in cache.
#pragma once

#include "../update.hpp"
#include "round.hpp"

namespace {

using twolayer::Bfloat16Update;

// Sums over the samples of the rounded doutput, as a product with a row of ones.
inline void sum_columns(const Bfloat16Update& u, float* sums) {
  constexpr Pair ones = 0x3f803f80;
  using S = Vec<float>;
  const std::int64_t pairs = twolayer::pair_count(u.layer.samples);
  for (std::int64_t c = 0; c < twolayer::padded(u.layer.outputs); c += S::width) {
    const Pair* from = u.doutput + c / panel_width * pairs * panel_width + c % panel_width;
    S sum = S::zero();
    for (std::int64_t n = 0; n < pairs; ++n) {
      sum = dot(Pairs::broadcast(ones), Pairs::load(from + n * panel_width), sum);
    }
    sum.store(sums + c);
  }
}

// From sums over x - whole to the gradient: (x - whole - rest) * factor.
inline void unfold(const twolayer::Fold& fold, std::int64_t first, std::int64_t rows,
                   std::int64_t columns, const float* sums, float* gradient) {
  using S = Vec<float>;
  for (std::int64_t c = 0; c < columns; c += S::width) {
    const S sum = S::load(sums + c);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* at = gradient + r * panel_width + c;
      const S centred = fma(S::broadcast(-fold.rest[first + r]), sum, S::load(at));
      (centred * S::broadcast(fold.factor[first + r])).store(at);
    }
  }
}

inline void update_weights(const Bfloat16Update& update, Range blocks, float* scratch) {
  const Update<float>& u = update.layer;
  const twolayer::Fold* fold = update.weights.fold;
  alignas(64) float gradient[tile_rows * panel_width];
  const std::int64_t panels = twolayer::panel_count(u.outputs);
  const std::int64_t stride = twolayer::pair_count(u.samples) * panel_width;
  const std::int64_t rounded_panel = twolayer::pair_count(u.inputs) * panel_width;
  constexpr std::int64_t row_bytes = panel_width * sizeof(float);
  RowPrefetch<float> next(u.next, u.next_panels, (blocks.end - blocks.begin) * panels);
  if (fold != nullptr && blocks.begin < blocks.end) sum_columns(update, scratch);
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::int64_t first = block * block_rows;
    const RowTiles tiles({0, columns_in_panel(u.inputs, block)});
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t columns = columns_in_panel(u.outputs, p);
      float squares[panel_width] = {};
      next.advance();
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        const std::int64_t rows = tiles.begin(i + 1) - row;
        const std::int64_t offset = (p * u.inputs + first + row) * panel_width;
        Ahead ahead;
        const auto want = [&](const float* matrix) {
          if (matrix != nullptr) ahead.want(matrix + offset, rows * row_bytes);
        };
        want(u.weights);
        want(u.weights_state1);
        want(u.weights_state2);
        ahead.want(update.weights.rounded + p * rounded_panel + (first + row) / 2 * panel_width,
                   rows * row_bytes / 2);
        if (block + 1 < blocks.end) {
          ahead.want_part(update.input + (block + 1) * stride,
                          stride * static_cast<std::int64_t>(sizeof(Pair)), p * tiles.count + i,
                          panels * tiles.count);
        }
        product<Left::transposed>(
            {update.input + block * stride + row, 0, update.doutput + p * stride, gradient,
             stride / panel_width, false, &ahead},
            rows, columns);
        if (fold != nullptr) {
          unfold(*fold, first + row, rows, columns, scratch + p * panel_width, gradient);
        }
        with_optimizer(u.step.kind, [&]<OptimizerKind kind>() {
          update_rows<float, kind>(u, gradient, offset, rows, columns,
                                   u.squares != nullptr ? squares : nullptr);
        });
      }
      if (u.squares != nullptr) u.squares[block * panels + p] = sum_of_lanes(squares);
      round_block(update.weights, block, p);
    }
  }
}

}  // namespace
