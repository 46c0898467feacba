#include "optimizer.hpp"

#include <utility>

#include "../kernels/optimizers/all.hpp"

namespace twolayer {

namespace {

std::vector<std::string> names_in(const Names& names) {
  return {names.all, names.all + names.count()};
}

}  // namespace

int optimizer_by_name(const std::string& name) {
  for (int kind = 0; kind < Optimizers::size; ++kind) {
    if (name == Optimizers::names[kind]) return kind;
  }
  return -1;
}

std::vector<std::string> hyperparameters_of(int kind) {
  std::vector<std::string> names;
  Optimizers::with(kind, [&]<class Kind>() { names = names_in(Kind::hyperparameters); });
  return names;
}

std::vector<std::string> states_of(int kind) {
  std::vector<std::string> names;
  Optimizers::with(kind, [&]<class Kind>() { names = names_in(Kind::states); });
  return names;
}

template <class T>
Optimizer<T>::Optimizer(const Network<T>& network, OptimizerOptions options, bool batch_norm)
    : options_(std::move(options)) {
  const std::size_t states = states_of(options_.kind).size();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    State& state = layers.emplace_back();
    for (std::size_t s = 0; s < states; ++s) {
      state.weights.emplace_back(layer.weights.size());
      state.bias.emplace_back(layer.bias.size());
      if (batch_norm && l + 1 < network.layers.size()) state.gamma.emplace_back(layer.bias.size());
    }
  }
}

template <class T>
OptimizerStep<T> Optimizer<T>::begin_step(double learning_rate, Powers& reached) const {
  OptimizerStep<T> step{};
  step.kind = options_.kind;
  Optimizers::with(step.kind, [&]<class Kind>() {
    Kind::begin_step(options_.hyperparameters.data(), learning_rate, reached.of, step.constants);
  });
  return step;
}

template <class T>
Destination<T> Optimizer<T>::update(Buffer<T>& parameters, std::vector<Buffer<T>>& state) {
  Destination<T> to{};
  to.parameters = parameters.data();
  to.updated = parameters.data();
  for (std::size_t s = 0; s < state.size(); ++s) to.state[s] = state[s].data();
  return to;
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace twolayer
