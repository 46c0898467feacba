// The last stage of a step: gradients of all layers, sent off to the optimizer or to memory.
#pragma once

#include <algorithm>
#include <vector>

#include "optimizer.hpp"
#include "passes.hpp"

namespace twolayer {

inline Range elements_of(Range panels) {
  return {panels.begin * panel_width, panels.end * panel_width};
}

template <class T>
double sum(const Buffer<T>& values) {
  double total = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) total += static_cast<double>(values.data()[i]);
  return total;
}

// Room for sums of a layer's weights' squares.
template <class T>
Buffer<T> squares_of(const Layer<T>& layer) {
  return Buffer<T>(block_count(layer.inputs) * panel_count(layer.outputs));
}

// Where one layer's gradients go.
template <class T>
struct LayerUpdate {
  Destination<T> weights;
  Destination<T> bias;
  T* squares = nullptr;
  OptimizerStep<T> step{};
  const Gather<T>* next = nullptr;  // as in Update
  bool rounded_follow = false;      // whether the weights change, and rounded copies with them
};

// Blocks of weights, counted panel by panel through all layers: those that begin in `part`, and
// with them a like part of the biases.
template <class P, class OfLayer>
void update_part(const Network<typename P::Scalar>& network, Workspace<P>& work, const Data& data,
                 const Rows& rows, double reg, Range part, std::size_t rank,
                 const OfLayer& of_layer) {
  using T = typename P::Scalar;
  std::int64_t before = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const std::int64_t blocks = block_count(layer.inputs);
    const std::int64_t panels = panel_count(layer.outputs);
    const auto block_at = [&](std::int64_t cut) {
      return std::clamp<std::int64_t>((cut - before + panels - 1) / panels, 0, blocks);
    };
    const Range own{block_at(part.begin), block_at(part.end)};
    const LayerUpdate<T> to = of_layer(l);
    Update<P> u{};
    u.input = work.operands.input(l, work.activations[l].data()).across;
    u.doutput = work.operands.doutput(l, work.gradient(l)).across;
    u.samples = rows.count;
    u.inputs = layer.inputs;
    u.outputs = layer.outputs;
    u.two_reg = static_cast<T>(2 * reg);
    u.weights = to.weights;
    u.squares = to.squares;
    u.step = to.step;
    u.rounded = work.operands.rounding(l, layer);
    if (!to.rounded_follow) u.rounded.rounded = nullptr;
    u.next = to.next;
    u.next_panels = own;  // the first layer's blocks are the batch's panels
    bool sparse = false;
    if constexpr (std::is_same_v<P, Exact<T>>) {
      sparse = l == 0 && data.sparse();
      if (sparse) {
        kernels<T>().update_sparse(gathering(network, data, rows, work), u, own,
                                   work.cursors[rank].data());
      }
    }
    if (!sparse) products<P>().update_weights(u, own, work.scratch[rank].data());
    if (l >= work.norms.size()) {
      const Range of_bias{panels * own.begin / blocks, panels * own.end / blocks};
      kernels<T>().update_bias({work.gradient(l), rows.count, layer.outputs, to.bias, to.step},
                               of_bias);
    }
    before += blocks * panels;
  }
}

// All updates of a step, their work laid end to end: one phase. of_layer(l) says where gradients
// go; those of a normalised layer's bias are not computed here, but with the normalisation.
template <class P, class OfLayer>
void update_pass(const Network<typename P::Scalar>& network, Workspace<P>& work, const Data& data,
                 const Rows& rows, double reg, Team& team, const OfLayer& of_layer) {
  using T = typename P::Scalar;
  std::int64_t total = 0;  // blocks of a panel, which take equally long
  std::int64_t most_panels = 1;
  for (const Layer<T>& layer : network.layers) {
    const std::int64_t panels = panel_count(layer.outputs);
    total += block_count(layer.inputs) * panels;
    most_panels = std::max(most_panels, panels);
  }
  const double of_each = static_cast<double>(block_rows * panel_width) *
                         (static_cast<double>(rows.count) * of_a_multiply_add<P> + of_an_element);
  const auto update = [&](Range part, int rank) {
    update_part(network, work, data, rows, reg, part, static_cast<std::size_t>(rank), of_layer);
  };
  team.share(total, of_each, update, most_panels);
}

// The parameters of one kind in one layer, with their gradient in memory.
template <class T>
struct Flat {
  FlatUpdate<T> update;
  std::int64_t size;
};

template <class T>
void apply(const std::vector<Flat<T>>& flat, T scale, const OptimizerStep<T>& step, Team& team) {
  for (const Flat<T>& of : flat) {
    FlatUpdate<T> update = of.update;
    update.scale = scale;
    update.step = step;
    team.share(of.size / panel_width, of_an_element * panel_width,
               [&](Range panels, int) { kernels<T>().update_flat(update, elements_of(panels)); });
  }
}

}  // namespace twolayer
