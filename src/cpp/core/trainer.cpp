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
    if (l >= work.norms.size()) kernels<T>().update_bias(update, member.share(panels));
    before += blocks * panels;
  }
}

Range elements_of(Range panels) { return {panels.begin * panel_width, panels.end * panel_width}; }

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

template <class T>
std::vector<GradientsOfLayer<T>> gradients_like(const Network<T>& network, bool batch_norm) {
  std::vector<GradientsOfLayer<T>> result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool normalized = batch_norm && l + 1 < network.layers.size();
    result.push_back({Buffer<T>(layer.weights.size()), Buffer<T>(layer.bias.size()),
                      Buffer<T>(normalized ? layer.bias.size() : 0), squares_of(layer)});
  }
  return result;
}

// All gradients of a batch whose passes are done, written to memory.
template <class T, class Work>
void store_pass(const Network<T>& network, Work& work, std::int64_t samples, double reg,
                std::vector<GradientsOfLayer<T>>& to, const Member& member) {
  update_pass(network, work, samples, member, [&](std::size_t l) {
    Update<T> update{};
    update.two_reg = static_cast<T>(2 * reg);
    update.weights = const_cast<T*>(network.layers[l].weights.data());
    update.weights_state1 = to[l].weights.data();
    update.bias_state1 = to[l].bias.data();
    update.squares = to[l].squares.data();
    update.step.kind = OptimizerKind::store;
    return update;
  });
  for (std::size_t l = 0; l < work.norms.size(); ++l) {
    const Range mine = elements_of(member.share(panel_count(network.layers[l].outputs)));
    const auto copy = [&](const Buffer<T>& from, Buffer<T>& into) {
      std::copy(from.data() + mine.begin, from.data() + mine.end, into.data() + mine.begin);
    };
    copy(work.norms[l].dbeta, to[l].bias);
    copy(work.norms[l].dgamma, to[l].gamma);
  }
}

template <class T>
Network<T> copy_of(const Network<T>& network) {
  Network<T> copy(network.sizes, network.activation);
  const auto fill = [](const Buffer<T>& from, Buffer<T>& to) {
    std::copy(from.data(), from.data() + from.size(), to.data());
  };
  fill(network.shift, copy.shift);
  fill(network.inverse_scale, copy.inverse_scale);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    fill(network.layers[l].weights, copy.layers[l].weights);
    fill(network.layers[l].bias, copy.layers[l].bias);
  }
  return copy;
}

std::int64_t chunk_count(std::int64_t values) { return (values + chunk - 1) / chunk; }

// 0 where no sample has weight.
template <class T>
double mean_loss(const Data& data, const Rows& rows, const Workspace<T>& work) {
  const double weights = sum_of_weights(data, rows);
  return weights > 0 ? sum_of_losses(work, data, rows) / weights : 0;
}

// Moves the running statistics towards a batch's; of the variance, one sample says nothing.
template <class T>
void follow_statistics(std::vector<BatchNorm<T>>& norms, std::int64_t samples,
                       const Member& member) {
  constexpr T momentum = static_cast<T>(0.1);  // as PyTorch's BatchNorm1d has it by default
  if (samples == 1) return;
  for (BatchNorm<T>& norm : norms) {
    const Range mine = elements_of(member.share(norm.mean.size() / panel_width));
    const auto follow = [&](const Buffer<T>& of_batch, Buffer<T>& running) {
      for (std::int64_t i = mine.begin; i < mine.end; ++i) {
        T& value = running.data()[i];
        value += momentum * (of_batch.data()[i] - value);
      }
    };
    follow(norm.mean, norm.running_mean);
    follow(norm.variance, norm.running_variance);
  }
}

template <class T>
double squares_of_weights(const std::vector<GradientsOfLayer<T>>& layers) {
  double squares = 0;
  for (const auto& layer : layers) squares += sum(layer.squares);
  return squares;
}

// Whether to stop, asked by the first member for all of them. Only long steps are worth the
// question.
class Interruption {
 public:
  template <class T>
  Interruption(const Network<T>& network, std::int64_t samples, const Interrupted& interrupted)
      : interrupted_(interrupted) {
    constexpr std::int64_t many_multiply_adds = 300'000'000;  // about 10 ms
    std::int64_t weights = 0;
    for (const Layer<T>& layer : network.layers) weights += layer.inputs * layer.outputs;
    worth_asking_ = weights > many_multiply_adds / samples;
  }

  bool operator()(const Member& member) {
    if (!worth_asking_) return false;
    if (member.rank() == 0) stop_ = interrupted_();
    member.wait();
    return stop_;
  }

 private:
  const Interrupted& interrupted_;
  bool worth_asking_;
  bool stop_ = false;
};

}  // namespace

template <class T, class Work>
Trainer<T, Work>::Trainer(const Network<T>& network, const OptimizerOptions& options,
                          const Techniques& techniques, std::int64_t batch_size, int threads)
    : options_(options),
      batch_size_(batch_size),
      threads_(useful_threads(network, batch_size, threads)),
      work_(network, batch_size, threads_, &techniques) {
  const bool first = options.kind != OptimizerKind::sgd;
  const bool second = options.kind == OptimizerKind::adam || options.kind == OptimizerKind::adamw;
  const bool clipped = techniques.clip_norm > 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool normalized = l < work_.norms.size();
    State state;
    if (first) state.weights1 = Buffer<T>(layer.weights.size());
    if (first) state.bias1 = Buffer<T>(layer.bias.size());
    if (first && normalized) state.gamma1 = Buffer<T>(layer.bias.size());
    if (second) state.weights2 = Buffer<T>(layer.weights.size());
    if (second) state.bias2 = Buffer<T>(layer.bias.size());
    if (second && normalized) state.gamma2 = Buffer<T>(layer.bias.size());
    if (options.reg != 0 && !clipped) state.squares = squares_of(layer);
    state_.push_back(std::move(state));
  }
  if (techniques.batch_norm) unfolded_ = copy_of(network);
  if (!clipped) return;
  kept_ = gradients_like(network, techniques.batch_norm);
  std::int64_t chunks = 0;
  for (const auto& layer : kept_) {
    for (const auto* gradient : {&layer.weights, &layer.bias, &layer.gamma}) {
      chunks += chunk_count(gradient->size());
    }
  }
  gradient_squares_ = Buffer<T>(chunks);
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
  if (!kept_.empty()) return options_.reg * squares_of_weights(kept_);
  double squares = 0;
  for (const State& state : state_) squares += sum(state.squares);
  return options_.reg * squares;
}

// Those whose gradients exist in memory: with clipping all, else those of batch normalisation.
template <class T, class Work>
std::vector<typename Trainer<T, Work>::Flat> Trainer<T, Work>::flat_updates(Network<T>& network) {
  std::vector<Flat> all;
  const auto add = [&](Buffer<T>& parameters, Buffer<T>& state1, Buffer<T>& state2,
                       const Buffer<T>& gradient) {
    all.push_back({{parameters.data(), state1.data(), state2.data(), gradient.data(), T(1), {}},
                   parameters.size()});
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Layer<T>& layer = network.layers[l];
    State& state = state_[l];
    const bool clipped = !kept_.empty();
    const bool normalized = l < work_.norms.size();
    if (clipped) add(layer.weights, state.weights1, state.weights2, kept_[l].weights);
    if (clipped || normalized) {
      add(layer.bias, state.bias1, state.bias2, clipped ? kept_[l].bias : work_.norms[l].dbeta);
    }
    if (normalized) {
      BatchNorm<T>& norm = work_.norms[l];
      add(norm.gamma, state.gamma1, state.gamma2, clipped ? kept_[l].gamma : norm.dgamma);
    }
  }
  return all;
}

// Every gradient tile goes straight to the optimizer.
template <class T, class Work>
void Trainer<T, Work>::update_fused(Network<T>& network, const OptimizerStep<T>& step,
                                    const Rows& batch, const Gather<T>* next,
                                    const std::vector<Flat>& flat, const Member& member) {
  update_pass(network, work_, batch.count, member, [&](std::size_t l) {
    Update<T> update{};
    update.next = l == 0 ? next : nullptr;
    update.next_panels = member.share(panel_count(network.sizes.front()));
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
  apply(flat, T(1), step, member);
}

// Gradients are written to memory, since their norm decides how much of them is used
// (Pascanu, Mikolov and Bengio 2013).
template <class T, class Work>
void Trainer<T, Work>::update_clipped(Network<T>& network, const OptimizerStep<T>& step,
                                      const Rows& batch, const std::vector<Flat>& flat,
                                      const Member& member) {
  store_pass(network, work_, batch.count, options_.reg, kept_, member);
  member.wait();
  T* sums = gradient_squares_.data();
  for (const Flat& of : flat) {
    const std::int64_t chunks = chunk_count(of.size);
    kernels<T>().sum_squares(of.update.gradient, of.size, member.share(chunks), sums);
    sums += chunks;
  }
  member.wait();
  const double norm = std::sqrt(sum(gradient_squares_));
  const double scale = std::min(1.0, work_.techniques.clip_norm / (norm + 1e-6));  // as PyTorch
  apply(flat, static_cast<T>(scale), step, member);
  member.wait();
  follow_weights(network, work_, member);
}

template <class T, class Work>
void Trainer<T, Work>::apply(const std::vector<Flat>& flat, T scale, const OptimizerStep<T>& step,
                             const Member& member) {
  for (const Flat& of : flat) {
    FlatUpdate<T> update = of.update;
    update.scale = scale;
    update.step = step;
    kernels<T>().update_flat(update, elements_of(member.share(of.size / panel_width)));
  }
}

template <class T, class Work>
Progress Trainer<T, Work>::run(Network<T>& published, const Data& data, const Rows& rows,
                               const double* learning_rates, double* losses,
                               const Interrupted& interrupted) {
  Network<T>& network = unfolded_ ? *unfolded_ : published;
  Progress progress{0, 0};
  const std::int64_t steps = (rows.count + batch_size_ - 1) / batch_size_;
  const auto batch_at = [&](std::int64_t i) {
    const std::int64_t begin = i * batch_size_;
    Rows batch = rows.slice(begin, std::min(batch_size_, rows.count - begin));
    batch.step = steps_ + static_cast<std::uint64_t>(i);
    return batch;
  };
  const std::vector<Flat> flat = flat_updates(network);
  Interruption interruption(network, batch_size_, interrupted);
  parallel(threads_, [&](const Member& member) {
    Powers powers = powers_;
    prepare(network, data, work_, member);
    for (std::int64_t i = 0; i < steps; ++i) {
      const Rows batch = batch_at(i);
      forward_pass(network, data, batch, work_, member);
      if (interruption(member)) break;
      loss_pass(network, data, batch, Leave::gradient, work_, member);
      // Every member adds up the losses, so that all agree on whether to go on.
      const double loss = mean_loss(data, batch, work_);
      if (!std::isfinite(loss)) {
        if (member.rank() == 0) count(progress, loss, batch, losses);
        break;
      }
      backward_pass(network, batch, work_, member);
      if (interruption(member)) break;
      follow_statistics(work_.norms, batch.count, member);
      const OptimizerStep<T> step = next_step(learning_rates[i], powers);
      if (kept_.empty()) {
        const bool more = i + 1 < steps;
        const Gather<T> next = gathering(network, data, batch_at(more ? i + 1 : i), work_);
        update_fused(network, step, batch, more ? &next : nullptr, flat, member);
      } else {
        update_clipped(network, step, batch, flat, member);
      }
      member.wait();
      if (member.rank() != 0) continue;
      count(progress, loss + penalty(), batch, losses);
      powers_ = powers;
    }
  });
  steps_ += static_cast<std::uint64_t>(progress.steps);
  ++network.version;
  conclude(network, work_);
  return progress;
}

template <class T, class Work>
void Trainer<T, Work>::count(Progress& progress, double loss, const Rows& batch,
                             double* losses) const {
  losses[progress.steps] = loss;
  progress.correct += count_of_correct(work_, batch.count);
  ++progress.steps;
}

template <class T, class Work>
void Trainer<T, Work>::publish(Network<T>& network) const {
  if (!unfolded_) return;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& from = unfolded_->layers[l];
    Layer<T>& to = network.layers[l];
    const BatchNorm<T>* norm = l < work_.norms.size() ? &work_.norms[l] : nullptr;
    for (std::int64_t column = 0; column < from.outputs; ++column) {
      T factor = 1;
      T bias = from.bias.data()[column];
      if (norm != nullptr) {
        factor = norm->gamma.data()[column] / std::sqrt(norm->running_variance.data()[column] +
                                                        static_cast<T>(batch_norm_epsilon));
        bias -= norm->running_mean.data()[column] * factor;
      }
      to.bias.data()[column] = bias;
      const std::int64_t first =
          column / panel_width * from.inputs * panel_width + column % panel_width;
      for (std::int64_t row = 0; row < from.inputs; ++row) {
        const std::int64_t at = first + row * panel_width;
        to.weights.data()[at] = from.weights.data()[at] * factor;
      }
    }
  }
  ++network.version;
}

template <class T>
std::optional<Gradients<T>> loss_and_gradients(Network<T>& network, const Data& data,
                                               const Rows& rows, double reg, int threads,
                                               const Techniques& techniques,
                                               const std::vector<std::vector<T>>& gammas,
                                               const Interrupted& interrupted) {
  threads = useful_threads(network, rows.count, threads);
  Workspace<T> work(network, rows.count, threads, &techniques);
  for (std::size_t l = 0; l < work.norms.size(); ++l) {
    std::copy(gammas[l].begin(), gammas[l].end(), work.norms[l].gamma.data());
  }
  Gradients<T> result;
  result.layers = gradients_like(network, techniques.batch_norm);
  Interruption interruption(network, rows.count, interrupted);
  bool stopped = false;
  parallel(threads, [&](const Member& member) {
    forward_pass(network, data, rows, work, member);
    const bool stop = interruption(member);
    if (member.rank() == 0) stopped = stop;
    if (stop) return;
    loss_pass(network, data, rows, Leave::gradient, work, member);
    backward_pass(network, rows, work, member);
    store_pass(network, work, rows.count, reg, result.layers, member);
  });
  if (stopped) return std::nullopt;
  result.loss = mean_loss(data, rows, work);
  if (reg != 0) result.loss += reg * squares_of_weights(result.layers);
  return result;
}

#define TWOLAYER_INSTANTIATE(T)                                              \
  template class Trainer<T>;                                                 \
  template std::optional<Gradients<T>> loss_and_gradients(                   \
      Network<T>&, const Data&, const Rows&, double, int, const Techniques&, \
      const std::vector<std::vector<T>>&, const Interrupted&);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)
template class Trainer<float, Bfloat16Workspace>;

}  // namespace twolayer
