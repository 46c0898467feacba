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
  const std::int64_t stride = f.samples * panel_width;
  const std::int64_t width = panels.end - panels.begin;
  // Part by part: a block of k and a panel of the weights, all panels before the next block.
  const std::int64_t parts = (f.inputs + forward_depth - 1) / forward_depth * width;
  const auto first_k = [&](std::int64_t part) { return part / width * forward_depth; };
  const auto panel = [&](std::int64_t part) { return panels.begin + part % width; };
  const auto depth = [&](std::int64_t part) {
    const std::int64_t rest = f.inputs - first_k(part);
    return rest < forward_depth ? rest : forward_depth;
  };
  const auto weights = [&](std::int64_t part) {
    return f.weights + (panel(part) * f.inputs + first_k(part)) * panel_width;
  };
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t k = first_k(part);
    const std::int64_t p = panel(part);
    const std::int64_t columns = columns_in_panel(f.outputs, p);
    for (std::int64_t i = 0; i < tiles.count; ++i) {
      Ahead ahead;
      if (part + 1 < parts) {
        const auto bytes = depth(part + 1) * panel_width * static_cast<std::int64_t>(sizeof(T));
        ahead.want_part(weights(part + 1), bytes, i, tiles.count);
      }
      const std::int64_t row = tiles.begin(i);
      const std::int64_t rows = tiles.begin(i + 1) - row;
      T* z = f.output + p * stride + row * panel_width;
      product<T, Left::plain>({f.input + k / panel_width * stride + row * panel_width, stride,
                               weights(part), z, depth(part), k > 0, &ahead},
                              rows, columns);
      if (k + depth(part) < f.inputs) continue;
      with_activation(f.activation, [&]<Activation kind>() {
        finish_forward<T, kind>(z, f.bias + p * panel_width, rows, columns);
      });
    }
  }
}

}  // namespace
