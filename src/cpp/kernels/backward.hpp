// The gradient on its way back through a dense layer and the activation below it.
#pragma once

#include "activation.hpp"
#include "tile.hpp"

namespace {

using twolayer::Backward;

// One panel (H, 32) of weightsᵀ: the rows of `weights` that belong to input panel p, transposed.
template <class T>
void transpose_weights(const Backward<T>& b, std::int64_t p, T* to) {
  using S = Vec<T>;
  const std::int64_t rows = columns_in_panel(b.inputs, p);
  const std::int64_t output_panels = twolayer::panel_count(b.outputs);
  for (std::int64_t q = 0; q < output_panels; ++q) {
    const T* from = b.weights + (q * b.inputs + p * panel_width) * panel_width;
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

template <class T, Activation kind>
void finish_backward(T* gradient, const T* a, std::int64_t rows, std::int64_t columns) {
  using S = Vec<T>;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; c += S::width) {
      const std::int64_t at = r * panel_width + c;
      through_activation<kind>(S::load(gradient + at), S::load(a + at)).store(gradient + at);
    }
  }
}

template <class T>
void backward(const Backward<T>& b, Range samples, Range panels, T* scratch) {
  const RowTiles tiles(samples);
  const std::int64_t stride = b.samples * panel_width;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    transpose_weights(b, p, scratch);
    const std::int64_t columns = columns_in_panel(b.inputs, p);
    Ahead nothing;
    for (std::int64_t i = 0; i < tiles.count; ++i) {
      const std::int64_t row = tiles.begin(i);
      const std::int64_t rows = tiles.begin(i + 1) - row;
      const std::int64_t at = p * stride + row * panel_width;
      product<T, Left::plain>({b.doutput + row * panel_width, stride, scratch, b.dinput + at,
                               b.outputs, false, &nothing},
                              rows, columns);
      with_activation(b.activation, [&]<Activation kind>() {
        finish_backward<T, kind>(b.dinput + at, b.input + at, rows, columns);
      });
    }
  }
}

}  // namespace
