// Gradients of a layer's weights and biases, handed to the optimizer tile by tile while they are in
// cache: during training no gradient matrix exists.
#pragma once

#include "gather.hpp"
#include "optimizer.hpp"
#include "tile.hpp"

namespace {

using twolayer::block_rows;
using twolayer::Update;

// rows x columns of a panel. Only the first `columns` lanes hold anything.
template <class T, OptimizerKind kind>
void update_rows(const Update<T>& u, const T* gradient, std::int64_t offset, std::int64_t rows,
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

// What the optimizer will want of some rows of the weights.
template <class T>
void want_rows(const Update<T>& u, std::int64_t offset, std::int64_t rows, Ahead& ahead) {
  const auto bytes = rows * panel_width * static_cast<std::int64_t>(sizeof(T));
  const T* const matrices[] = {u.weights, u.weights_state1, u.weights_state2};
  for (const T* matrix : matrices) {
    if (matrix != nullptr) ahead.want(matrix + offset, bytes);
  }
}

// A block of the gradient may be computed as it lies, (D, H) with vectors along H, or transposed,
// with vectors along D. The products are the same to the bit; a panel of few columns fills the
// vectors better the other way round, which is worth it if it saves more than transposing the block
// costs.
template <class T>
bool better_transposed(std::int64_t rows, std::int64_t columns, std::int64_t samples) {
  constexpr std::int64_t cost_of_transposing = 500;  // in multiply-adds of vectors
  const auto vectors = [](std::int64_t n) { return (n + Vec<T>::width - 1) / Vec<T>::width; };
  const std::int64_t saved = rows * vectors(columns) - columns * vectors(rows);
  return saved * samples > cost_of_transposing;
}

// gradient (rows, columns) of a block by way of its transpose; lanes beyond `columns` become zero.
template <class T>
void transposed_gradient(const Update<T>& u, std::int64_t block, std::int64_t panel,
                         std::int64_t rows, std::int64_t columns, T* gradient) {
  using S = Vec<T>;
  alignas(64) T transposed[panel_width * panel_width] = {};
  const std::int64_t stride = u.samples * panel_width;
  const RowTiles tiles({0, columns});
  Ahead ahead;
  want_rows(u, (panel * u.inputs + block * block_rows) * panel_width, rows, ahead);
  for (std::int64_t i = 0; i < tiles.count; ++i) {
    const std::int64_t first = tiles.begin(i);
    product<T, Left::transposed>({u.doutput + panel * stride + first, 0, u.input + block * stride,
                                  transposed + first * panel_width, u.samples, false, &ahead},
                                 tiles.begin(i + 1) - first, rows);
  }
  for (std::int64_t c = 0; c < columns; c += S::width) {
    for (std::int64_t r = 0; r < rows; r += S::width) {
      S::transpose(transposed + c * panel_width + r, panel_width, gradient + r * panel_width + c,
                   panel_width);
    }
  }
}

template <class T>
void update_weights(const Update<T>& u, Range blocks) {
  alignas(64) T gradient[panel_width * panel_width];
  const std::int64_t panels = twolayer::panel_count(u.outputs);
  const std::int64_t stride = u.samples * panel_width;
  RowPrefetch<T> next(u.next, u.next_panels, (blocks.end - blocks.begin) * panels);
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::int64_t rows = columns_in_panel(u.inputs, block);
    const RowTiles tiles({0, rows});
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t columns = columns_in_panel(u.outputs, p);
      const std::int64_t offset = (p * u.inputs + block * block_rows) * panel_width;
      T squares[panel_width] = {};
      T* const wanted_squares = u.squares != nullptr ? squares : nullptr;
      next.advance();
      with_optimizer(u.step.kind, [&]<OptimizerKind kind>() {
        if (better_transposed<T>(rows, columns, u.samples)) {
          transposed_gradient(u, block, p, rows, columns, gradient);
          update_rows<T, kind>(u, gradient, offset, rows, columns, wanted_squares);
          return;
        }
        for (std::int64_t i = 0; i < tiles.count; ++i) {
          const std::int64_t first = tiles.begin(i);
          const std::int64_t count = tiles.begin(i + 1) - first;
          const std::int64_t at = offset + first * panel_width;
          Ahead ahead;
          want_rows(u, at, count, ahead);
          if (block + 1 < blocks.end) {
            ahead.want_part(u.input + (block + 1) * stride,
                            stride * static_cast<std::int64_t>(sizeof(T)), p * tiles.count + i,
                            panels * tiles.count);
          }
          product<T, Left::transposed>({u.input + block * stride + first, 0, u.doutput + p * stride,
                                        gradient, u.samples, false, &ahead},
                                       count, columns);
          update_rows<T, kind>(u, gradient, at, count, columns, wanted_squares);
        }
      });
      if (u.squares != nullptr) u.squares[block * panels + p] = sum_of_lanes(squares);
    }
  }
}

template <class T>
void update_bias(const Update<T>& u, Range panels) {
  using S = Vec<T>;
  const std::int64_t last = panels.end * panel_width;
  const std::int64_t end = u.outputs < last ? u.outputs : last;  // beyond, doutput holds anything
  for (std::int64_t c = panels.begin * panel_width; c < end; c += S::width) {
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
