// Gradients of a layer's weights and biases, sent off tile by tile while they are in cache: to the
// optimizer, so that no gradient matrix exists, or to memory.
#pragma once

#include "gather.hpp"
#include "optimizer.hpp"
#include "rounding.hpp"

namespace {

using twolayer::BiasUpdate;
using twolayer::block_rows;
using twolayer::Update;

// rows x columns of a panel. Only the first `columns` lanes hold anything.
template <class Kind, class T>
void update_rows(const Destination<T>& to, const OptimizerStep<T>& step, T two_reg,
                 const T* gradient, std::int64_t offset, std::int64_t rows, std::int64_t columns,
                 T* squares) {
  using S = Vec<T>;
  const S reg = S::broadcast(two_reg);
  for (std::int64_t c = 0; c < columns; c += S::width) {
    S sum = squares != nullptr ? S::load(squares + c) : S::zero();
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * panel_width + c;
      const S w = S::load(to.parameters + offset + at);
      const S g = fma(reg, w, S::load(gradient + at));
      sum = fma(w, w, sum);
      send_off<Kind>(to, step, g, w, offset + at);
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

// What the optimizer will want of some rows of the weights; of a third state it will have to wait.
template <class T>
void want_rows(const Destination<T>& to, std::int64_t offset, std::int64_t rows, Ahead& ahead) {
  const auto bytes = rows * panel_width * static_cast<std::int64_t>(sizeof(T));
  const T* const matrices[] = {to.parameters, to.gradient != nullptr ? to.gradient : to.state[0],
                               to.state[1]};
  for (const T* matrix : matrices) {
    if (matrix != nullptr) ahead.want(matrix + offset, bytes);
  }
}

// A block of the gradient may be computed as it lies, (D, H) with vectors along H, or transposed,
// with vectors along D. The products are the same to the bit; a panel of few columns fills the
// vectors better the other way round, which is worth it if it saves more than transposing the block
// costs. `depth` is that of the product, in elements.
template <class T>
bool better_transposed(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  constexpr std::int64_t cost_of_transposing = 500;  // in multiply-adds of vectors
  const auto vectors = [](std::int64_t n) { return (n + Vec<T>::width - 1) / Vec<T>::width; };
  const std::int64_t saved = rows * vectors(columns) - columns * vectors(rows);
  return saved * depth > cost_of_transposing;
}

// gradient (rows, columns) of a block by way of its transpose; lanes beyond `columns` become zero.
template <class P, class T = typename P::Scalar>
void transposed_gradient(const Update<P>& u, std::int64_t block, std::int64_t panel,
                         std::int64_t rows, std::int64_t columns, T* gradient, Ahead& ahead) {
  using S = Vec<T>;
  alignas(64) T transposed[panel_width * panel_width] = {};
  const std::int64_t groups = group_count<P>(u.samples);
  const std::int64_t stride = groups * panel_width;
  const RowTiles<1> tiles({0, columns});
  for (std::int64_t i = 0; i < tiles.count; ++i) {
    const std::int64_t first = tiles.begin(i);
    product<P, Left::transposed>({u.doutput + panel * stride + first, 0, u.input + block * stride,
                                  transposed + first * panel_width, groups, false, &ahead},
                                 tiles.begin(i + 1) - first, rows);
  }
  for (std::int64_t c = 0; c < columns; c += S::width) {
    for (std::int64_t r = 0; r < rows; r += S::width) {
      S::transpose(transposed + c * panel_width + r, panel_width, gradient + r * panel_width + c,
                   panel_width);
    }
  }
}

template <class P>
void update_weights(const Update<P>& u, Range blocks, typename P::Scalar* scratch) {
  using T = typename P::Scalar;
  alignas(64) T gradient[panel_width * panel_width];
  const std::int64_t panels = twolayer::panel_count(u.outputs);
  const std::int64_t groups = group_count<P>(u.samples);
  const std::int64_t stride = groups * panel_width;
  RowPrefetch<T> next(u.next, u.next_panels, (blocks.end - blocks.begin) * panels);
  if (blocks.begin >= blocks.end) return;
  const Unfolding<P> unfold(u, scratch);
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::int64_t rows = columns_in_panel(u.inputs, block);
    const std::int64_t block_begin = block * block_rows;
    const RowTiles<1> tiles({0, rows});
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t columns = columns_in_panel(u.outputs, p);
      const std::int64_t offset = (p * u.inputs + block_begin) * panel_width;
      T squares[panel_width] = {};
      T* const wanted_squares = u.squares != nullptr ? squares : nullptr;
      next.advance();
      with_optimizer(u.weights, u.step, [&]<class Kind>() {
        const auto send = [&](std::int64_t first, std::int64_t count) {
          unfold(block_begin + first, count, p, columns, gradient);
          update_rows<Kind>(u.weights, u.step, u.two_reg, gradient, offset + first * panel_width,
                            count, columns, wanted_squares);
        };
        if (better_transposed<T>(rows, columns, groups)) {
          Ahead ahead;
          want_rows(u.weights, offset, rows, ahead);
          want_rounded<P>(u.rounded, p, block_begin, rows, ahead);
          transposed_gradient(u, block, p, rows, columns, gradient, ahead);
          send(0, rows);
          return;
        }
        for (std::int64_t i = 0; i < tiles.count; ++i) {
          const std::int64_t first = tiles.begin(i);
          const std::int64_t count = tiles.begin(i + 1) - first;
          Ahead ahead;
          want_rows(u.weights, offset + first * panel_width, count, ahead);
          want_rounded<P>(u.rounded, p, block_begin + first, count, ahead);
          if (block + 1 < blocks.end) {
            ahead.want_part(u.input + (block + 1) * stride,
                            stride * std::int64_t{sizeof(typename P::Element)}, p * tiles.count + i,
                            panels * tiles.count);
          }
          product<P, Left::transposed>({u.input + block * stride + first, 0, u.doutput + p * stride,
                                        gradient, groups, false, &ahead},
                                       count, columns);
          send(first, count);
        }
      });
      if (u.squares != nullptr) u.squares[block * panels + p] = sum_of_lanes(squares);
      if (u.rounded.rounded != nullptr) round_block<P>(u.rounded, block, p);
    }
  }
}

template <class T>
void update_bias(const BiasUpdate<T>& u, Range panels) {
  using S = Vec<T>;
  const std::int64_t last = panels.end * panel_width;
  const std::int64_t end = u.outputs < last ? u.outputs : last;  // beyond, doutput holds anything
  for (std::int64_t c = panels.begin * panel_width; c < end; c += S::width) {
    const T* from = u.doutput + c / panel_width * u.samples * panel_width + c % panel_width;
    S g = S::zero();
    for (std::int64_t n = 0; n < u.samples; ++n) g = g + S::load(from + n * panel_width);
    with_optimizer(u.bias, u.step, [&]<class Kind>() {
      send_off<Kind>(u.bias, u.step, g, S::load(u.bias.parameters + c), c);
    });
  }
}

}  // namespace
