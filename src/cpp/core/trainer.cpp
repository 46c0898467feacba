#include "trainer.hpp"

#include <algorithm>
#include <cmath>

#include "bfloat16.hpp"
#include "dispatch.hpp"

namespace twolayer {

namespace {

// All updates of a step, their work laid end to end and cut into equal parts: no barrier stands
// between the layers. `of_layer` fills in where gradients go.
template <class T, class Work, class OfLayer>
void update_pass(const Network<T>& network, Work& work, std::int64_t samples, const Member& member,
                 const OfLayer& of_layer) {
  std::int64_t total = 0;
  for (const Layer<T>& layer : network.layers) {
    total += block_count(layer.inputs) * panel_count(layer.outputs);
  }
  const Range mine = member.share(total);
  std::int64_t before = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const std::int64_t blocks = block_count(layer.inputs);
    const std::int64_t panels = panel_count(layer.outputs);
    const auto block_at = [&](std::int64_t cut) {
      return std::clamp<std::int64_t>((cut - before + panels - 1) / panels, 0, blocks);
    };
    Update<T> update = of_layer(l);
    update.input = work.activations[l].data();
    update.doutput = work.gradient(l);
    update.samples = samples;
    update.inputs = layer.inputs;
    update.outputs = layer.outputs;
    update_weights(update, l, {block_at(mine.begin), block_at(mine.end)}, work, member);
    kernels<T>().update_bias(update, member.share(panels));
    before += blocks * panels;
  }
}

template <class T>
double sum(const Buffer<T>& values) {
  double total = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) total += static_cast<double>(values.data()[i]);
  return total;
}

template <class T>
Buffer<T> squares_of(const Layer<T>& layer) {
  return Buffer<T>(block_count(layer.inputs) * panel_count(layer.outputs));
}

}  // namespace

template <class T, class Work>
Trainer<T, Work>::Trainer(const Network<T>& network, const OptimizerOptions& options,
                          std::int64_t batch_size, int threads)
    : options_(options),
      batch_size_(batch_size),
      threads_(useful_threads(network, batch_size, threads)),
      work_(network, batch_size, threads_, true) {
  const bool first = options.kind != OptimizerKind::sgd;
  const bool second = options.kind == OptimizerKind::adam || options.kind == OptimizerKind::adamw;
  for (const Layer<T>& layer : network.layers) {
    State state;
    if (first) state.weights1 = Buffer<T>(layer.weights.size());
    if (first) state.bias1 = Buffer<T>(layer.bias.size());
    if (second) state.weights2 = Buffer<T>(layer.weights.size());
    if (second) state.bias2 = Buffer<T>(layer.bias.size());
    if (options.reg != 0) state.squares = squares_of(layer);
    state_.push_back(std::move(state));
  }
}

template <class T, class Work>
OptimizerStep<T> Trainer<T, Work>::next_step(double learning_rate, Powers& powers) const {
  powers.beta1 *= options_.beta1;
  powers.beta2 *= options_.beta2;
  OptimizerStep<T> step;
  step.kind = options_.kind;
  step.learning_rate = static_cast<T>(learning_rate);
  step.weight_decay = static_cast<T>(options_.weight_decay);
  step.momentum = static_cast<T>(options_.momentum);
  step.decayed = static_cast<T>(1 - learning_rate * options_.weight_decay);
  step.one_minus_beta1 = static_cast<T>(1 - options_.beta1);
  step.beta2 = static_cast<T>(options_.beta2);
  step.one_minus_beta2 = static_cast<T>(1 - options_.beta2);
  step.epsilon = static_cast<T>(options_.epsilon);
  step.step_size = static_cast<T>(learning_rate / (1 - powers.beta1));
  step.inverse_sqrt_correction2 = static_cast<T>(1 / std::sqrt(1 - powers.beta2));
  return step;
}

template <class T, class Work>
double Trainer<T, Work>::penalty() const {
  if (options_.reg == 0) return 0;
  double squares = 0;
  for (const State& state : state_) squares += sum(state.squares);
  return options_.reg * squares;
}

template <class T, class Work>
Progress Trainer<T, Work>::run(Network<T>& network, const Data& data, const Rows& rows,
                               const double* learning_rates, double* losses) {
  Progress progress{0, 0};
  const std::int64_t steps = (rows.count + batch_size_ - 1) / batch_size_;
  const auto batch_at = [&](std::int64_t i) {
    const std::int64_t begin = i * batch_size_;
    return rows.slice(begin, std::min(batch_size_, rows.count - begin));
  };
  parallel(threads_, [&](const Member& member) {
    Powers powers = powers_;
    prepare(network, data, work_, member);
    for (std::int64_t i = 0; i < steps; ++i) {
      const Rows batch = batch_at(i);
      forward_pass(network, data, batch, work_, member);
      loss_pass(network, data, batch, Leave::gradient, work_, member);
      // Every member adds up the losses, so that all agree on whether to go on.
      const double loss = sum_of_losses(work_, batch.count) / static_cast<double>(batch.count);
      if (member.rank() == 0) {
        losses[i] = loss;
        progress.correct += count_of_correct(work_, batch.count);
        progress.steps = i + 1;
      }
      if (!std::isfinite(loss)) break;
      backward_pass(network, batch.count, work_, member);
      const OptimizerStep<T> step = next_step(learning_rates[i], powers);
      const bool more = i + 1 < steps;
      const Gather<T> next = gathering(network, data, batch_at(more ? i + 1 : i), work_);
      update_pass(network, work_, batch.count, member, [&](std::size_t l) {
        Update<T> update{};
        update.next = more && l == 0 ? &next : nullptr;
        update.next_panels = member.share(panel_count(next.inputs));
        update.two_reg = static_cast<T>(2 * options_.reg);
        update.weights = network.layers[l].weights.data();
        update.bias = network.layers[l].bias.data();
        update.weights_state1 = state_[l].weights1.data();
        update.weights_state2 = state_[l].weights2.data();
        update.bias_state1 = state_[l].bias1.data();
        update.bias_state2 = state_[l].bias2.data();
        update.squares = state_[l].squares.data();
        update.step = step;
        return update;
      });
      member.wait();
      if (member.rank() != 0) continue;
      losses[i] += penalty();
      powers_ = powers;
    }
  });
  ++network.version;
  conclude(network, work_);
  return progress;
}

template <class T>
Gradients<T> loss_and_gradients(Network<T>& network, const Data& data, const Rows& rows, double reg,
                                int threads) {
  threads = useful_threads(network, rows.count, threads);
  Workspace<T> work(network, rows.count, threads, true);
  Gradients<T> result;
  for (const Layer<T>& layer : network.layers) {
    result.layers.push_back(
        {Buffer<T>(layer.weights.size()), Buffer<T>(layer.bias.size()), squares_of(layer)});
  }
  parallel(threads, [&](const Member& member) {
    forward_pass(network, data, rows, work, member);
    loss_pass(network, data, rows, Leave::gradient, work, member);
    backward_pass(network, rows.count, work, member);
    update_pass(network, work, rows.count, member, [&](std::size_t l) {
      Update<T> update{};
      update.two_reg = static_cast<T>(2 * reg);
      update.weights = network.layers[l].weights.data();
      update.bias = network.layers[l].bias.data();
      update.weights_state1 = result.layers[l].weights.data();
      update.bias_state1 = result.layers[l].bias.data();
      update.squares = result.layers[l].squares.data();
      update.step.kind = OptimizerKind::store;
      return update;
    });
  });
  double squares = 0;
  for (const auto& layer : result.layers) squares += sum(layer.squares);
  result.loss = sum_of_losses(work, rows.count) / static_cast<double>(rows.count);
  if (reg != 0) result.loss += reg * squares;
  return result;
}

#define TWOLAYER_INSTANTIATE(T) \
  template class Trainer<T>;    \
  template Gradients<T> loss_and_gradients(Network<T>&, const Data&, const Rows&, double, int);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)
template class Trainer<float, Bfloat16Workspace>;

}  // namespace twolayer
