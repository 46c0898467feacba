// The gradient on its way back through a dense layer and the activation below it.
#pragma once

#include "activation.hpp"
#include "rounding.hpp"

namespace {

using twolayer::Backward;

template <class T, class Kind>
void finish_backward(T* gradient, const T* slope_from, std::int64_t rows, std::int64_t columns) {
  using S = Vec<T>;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; c += S::width) {
      const std::int64_t at = r * panel_width + c;
      Kind::through(S::load(gradient + at), S::load(slope_from + at)).store(gradient + at);
    }
  }
}

template <class P>
void backward(const Backward<P>& b, Range samples, Range panels, typename P::Scalar* scratch) {
  using T = typename P::Scalar;
  constexpr std::int64_t row_elements = panel_width / P::depth;
  const RowTiles<P::depth> tiles(samples);
  const auto* weights = reinterpret_cast<const typename P::Element*>(scratch);
  static_assert(sizeof(typename P::Element) == sizeof(T));
  Ahead nothing;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    transpose_weights<P>(b.weights, b.inputs, b.outputs, p, scratch);
    const std::int64_t columns = columns_in_panel(b.inputs, p);
    for (std::int64_t i = 0; i < tiles.count; ++i) {
      const std::int64_t row = tiles.begin(i);
      const std::int64_t rows = tiles.begin(i + 1) - row;
      const std::int64_t at = (p * b.samples + row) * panel_width;
      T* gradient = b.dinput + at;
      product<P, Left::plain>({b.doutput + row * row_elements, b.samples * row_elements, weights,
                               gradient, group_count<P>(b.outputs), false, &nothing},
                              rows, columns);
      with_activation(b.activation, [&]<class Kind>() {
        finish_backward<T, Kind>(gradient, b.slope_from + at, rows, columns);
      });
      if (b.rounded.along != nullptr) {
        round_rows_of_panel<P>(gradient, b.samples, p, row, rows, columns, b.rounded);
      }
    }
  }
}

}  // namespace
