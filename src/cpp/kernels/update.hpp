// Gradients of a layer's weights and biases, handed to the optimizer tile by tile while they are in
// cache: during training no gradient matrix exists.
#pragma once

#include "optimizer.hpp"
#include "tile.hpp"

namespace {

using twolayer::block_rows;
using twolayer::Update;

// rows x columns of a panel. Only the first `columns` lanes hold anything.
template <class T, OptimizerKind kind>
void update_tile(const Update<T>& u, const T* gradient, std::int64_t offset, std::int64_t rows,
                 std::int64_t columns, T* squares) {
  using S = Vec<T>;
  T* weights = u.weights + offset;
  const S two_reg = S::broadcast(u.two_reg);
  for (std::int64_t c = 0; c < columns; c += S::width) {
    S sum = squares != nullptr ? S::load(squares + c) : S::zero();
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * panel_width + c;
      const S w = S::load(weights + at);
      const S g = fma(two_reg, w, S::load(gradient + at));
      sum = fma(w, w, sum);
      if constexpr (kind == OptimizerKind::store) {
        g.store(u.weights_state1 + offset + at);
      } else {
        stepped<kind>(u.step, g, w, u.weights_state1 + offset + at, u.weights_state2 + offset + at)
            .store(weights + at);
      }
    }
    if (squares != nullptr) sum.store(squares + c);
  }
}

// Pairwise by halves: the same order for every vector width.
template <class T>
T sum_of_lanes(T* lanes) {
  for (std::int64_t half = panel_width / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// What the optimizer will want arrives while the product runs.
template <class T>
void prefetch_tile(const T* matrix, std::int64_t offset, std::int64_t rows) {
  constexpr std::int64_t line = 64 / sizeof(T);
  if (matrix == nullptr) return;
  for (std::int64_t i = 0; i < rows * panel_width; i += line)
    __builtin_prefetch(matrix + offset + i);
}

template <class T>
void update_weights(const Update<T>& u, Range blocks) {
  alignas(64) T gradient[tile_rows * panel_width];
  const std::int64_t panels = twolayer::panel_count(u.outputs);
  const std::int64_t stride = u.samples * panel_width;
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::int64_t first = block * block_rows;
    const RowTiles tiles({0, columns_in_panel(u.inputs, block)});
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t columns = columns_in_panel(u.outputs, p);
      T squares[panel_width] = {};
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        const std::int64_t rows = tiles.begin(i + 1) - row;
        const std::int64_t offset = (p * u.inputs + first + row) * panel_width;
        prefetch_tile(u.weights, offset, rows);
        prefetch_tile(u.weights_state1, offset, rows);
        prefetch_tile(u.weights_state2, offset, rows);
        product<T, Left::transposed>(
            {u.input + block * stride + row, 0, u.doutput + p * stride, gradient, u.samples, false},
            rows, columns);
        with_optimizer(u.step.kind, [&]<OptimizerKind kind>() {
          update_tile<T, kind>(u, gradient, offset, rows, columns,
                               u.squares != nullptr ? squares : nullptr);
        });
      }
      if (u.squares != nullptr) u.squares[block * panels + p] = sum_of_lanes(squares);
    }
  }
}

template <class T>
void update_bias(const Update<T>& u, Range panels) {
  using S = Vec<T>;
  for (std::int64_t c = panels.begin * panel_width; c < panels.end * panel_width; c += S::width) {
    const T* from = u.doutput + c / panel_width * u.samples * panel_width + c % panel_width;
    S g = S::zero();
    for (std::int64_t n = 0; n < u.samples; ++n) g = g + S::load(from + n * panel_width);
    with_optimizer(u.step.kind, [&]<OptimizerKind kind>() {
      if constexpr (kind == OptimizerKind::store) {
        g.store(u.bias_state1 + c);
      } else {
        stepped<kind>(u.step, g, S::load(u.bias + c), u.bias_state1 + c, u.bias_state2 + c)
            .store(u.bias + c);
      }
    });
  }
}

}  // namespace
