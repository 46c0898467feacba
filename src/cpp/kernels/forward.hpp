// A dense layer forward: product, bias and activation.
#pragma once

#include "activation.hpp"
#include "rounding.hpp"

namespace {

using twolayer::Forward;

// k is cut into blocks so that a block of the batch stays in the second-level cache while all
// panels of the weights pass by, and a tile's part of it in the first. The accumulators resume from
// memory, so the cut does not change a bit. In elements.
inline constexpr std::int64_t forward_depth = 512;
static_assert(forward_depth % panel_width == 0);

// The bias, and the activation of what stands in z; `kept` is z's place where it is wanted later.
template <class T, class Kind>
void finish_forward(T* z, T* kept, const T* bias, std::int64_t rows, std::int64_t columns) {
  using S = Vec<T>;
  for (std::int64_t c = 0; c < columns; c += S::width) {
    const S b = S::load(bias + c);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * panel_width + c;
      const S sum = S::load(z + at) + b;
      if constexpr (Kind::from_z) {
        if (kept != nullptr) sum.store(kept + at);
      }
      Kind::value(sum).store(z + at);
    }
  }
}

// What is added to the product of one panel: the bias, less what a fold took from the input.
template <class P, class T = typename P::Scalar>
const T* effective_bias(const Forward<P>& f, std::int64_t panel, T* place) {
  using S = Vec<T>;
  const T* bias = f.bias + panel * panel_width;
  if (f.corrections == nullptr) return bias;
  const std::int64_t stride = twolayer::padded(f.outputs);
  for (std::int64_t c = 0; c < panel_width; c += S::width) {
    S taken = S::zero();
    for (std::int64_t i = 0; i < twolayer::block_count(f.inputs); ++i) {
      taken = taken + S::load(f.corrections + i * stride + panel * panel_width + c);
    }
    (S::load(bias + c) - taken).store(place + c);
  }
  return place;
}

template <class P>
void forward(const Forward<P>& f, Range samples, Range panels) {
  using T = typename P::Scalar;
  using Element = typename P::Element;
  constexpr std::int64_t row_elements = panel_width / P::depth;
  const RowTiles<P::depth> tiles(samples);
  const std::int64_t inputs = group_count<P>(f.inputs);  // elements
  const std::int64_t stride = f.samples * row_elements;  // of the input's panels
  const std::int64_t width = panels.end - panels.begin;
  // Part by part: a block of k and a panel of the weights, all panels before the next block.
  const std::int64_t parts = (inputs + forward_depth - 1) / forward_depth * width;
  const auto first_k = [&](std::int64_t part) { return part / width * forward_depth; };
  const auto panel = [&](std::int64_t part) { return panels.begin + part % width; };
  const auto depth = [&](std::int64_t part) {
    const std::int64_t rest = inputs - first_k(part);
    return rest < forward_depth ? rest : forward_depth;
  };
  const auto weights = [&](std::int64_t part) {
    return f.weights + (panel(part) * inputs + first_k(part)) * panel_width;
  };
  alignas(64) T place[panel_width];
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t k = first_k(part);
    const std::int64_t p = panel(part);
    const std::int64_t columns = columns_in_panel(f.outputs, p);
    const bool last = k + depth(part) == inputs;
    const T* bias = last ? effective_bias(f, p, place) : nullptr;
    for (std::int64_t i = 0; i < tiles.count; ++i) {
      Ahead ahead;
      if (part + 1 < parts) {
        const auto bytes = depth(part + 1) * panel_width * std::int64_t{sizeof(Element)};
        ahead.want_part(weights(part + 1), bytes, i, tiles.count);
      }
      const std::int64_t row = tiles.begin(i);
      const std::int64_t rows = tiles.begin(i + 1) - row;
      const std::int64_t at = (p * f.samples + row) * panel_width;
      T* z = f.output + at;
      product<P, Left::plain>({f.input + k / row_elements * stride + row * row_elements, stride,
                               weights(part), z, depth(part), k > 0, &ahead},
                              rows, columns);
      if (!last) continue;
      T* kept = f.preactivation != nullptr ? f.preactivation + at : nullptr;
      with_activation(f.activation,
                      [&]<class Kind>() { finish_forward<T, Kind>(z, kept, bias, rows, columns); });
      if (f.rounded.along != nullptr) {
        round_rows_of_panel<P>(z, f.samples, p, row, rows, columns, f.rounded);
      }
    }
  }
}

}  // namespace
