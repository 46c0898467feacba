// A dense layer forward: product, bias and activation.
#pragma once

#include "activation.hpp"
#include "tile.hpp"

namespace {

using twolayer::Forward;

// k is cut into blocks so that a block of the batch stays in the second-level cache while all
// panels of the weights pass by, and a tile's part of it in the first. The accumulators resume from
// memory, so the cut does not change a bit.
inline constexpr std::int64_t forward_depth = 512;
static_assert(forward_depth % panel_width == 0);

template <class T, Activation kind>
void finish_forward(T* z, const T* bias, std::int64_t rows, std::int64_t columns) {
  using S = Vec<T>;
  for (std::int64_t c = 0; c < columns; c += S::width) {
    const S b = S::load(bias + c);
    for (std::int64_t r = 0; r < rows; ++r) {
      T* at = z + r * panel_width + c;
      activate<kind>(S::load(at) + b).store(at);
    }
  }
}

template <class T>
void forward(const Forward<T>& f, Range samples, Range panels) {
  const RowTiles tiles(samples);
  const std::int64_t a_panel = f.samples * panel_width;
  for (std::int64_t k = 0; k < f.inputs; k += forward_depth) {
    const bool last = k + forward_depth >= f.inputs;
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const std::int64_t columns = columns_in_panel(f.outputs, p);
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        const std::int64_t row = tiles.begin(i);
        const std::int64_t rows = tiles.begin(i + 1) - row;
        T* z = f.output + p * a_panel + row * panel_width;
        product<T, Left::plain>({f.input + (k / panel_width) * a_panel + row * panel_width, a_panel,
                                 f.weights + (p * f.inputs + k) * panel_width, z,
                                 last ? f.inputs - k : forward_depth, k > 0},
                                rows, columns);
        if (last) {
          with_activation(f.activation, [&]<Activation kind>() {
            finish_forward<T, kind>(z, f.bias + p * panel_width, rows, columns);
          });
        }
      }
    }
  }
}

}  // namespace
