#include "trainer.hpp"

#include <algorithm>
#include <cmath>

namespace twolayer {

template <class P>
Trainer<P>::Trainer(const Network<T>& network, const TrainerOptions& options)
    : options_(options),
      threads_(useful_threads(network, options.batch_size, options.threads)),
      work_(network, options.batch_size, threads_, options.loss, &options.techniques),
      optimizer_(network, options.optimizer, options.techniques.batch_norm) {
  const bool batch_norm = options.techniques.batch_norm;
  if (batch_norm) unfolded_.emplace(network);
  if (!Reductions<T>::wanted(options.techniques)) {
    if (options.reg == 0) return;
    for (const Layer<T>& layer : network.layers) squares_.push_back(squares_of(layer));
    return;
  }
  stored_.emplace(network, batch_norm);
  std::vector<std::int64_t> sizes;
  for (const auto& layer : stored_->layers) {
    for (const auto* gradient : {&layer.weights, &layer.bias, &layer.gamma}) {
      sizes.push_back(gradient->size());
    }
  }
  reductions_.emplace(options.techniques, sizes);
}

template <class P>
double Trainer<P>::reg_of(const Data& data, const Rows& batch) const {
  if (!options_.reg_over_weights) return options_.reg;
  const double weights = sum_of_weights(work_.loss, data, batch);
  return weights > 0 ? options_.reg / weights : 0;
}

template <class P>
double Trainer<P>::penalty(double reg) const {
  if (reg == 0) return 0;
  if (stored_) return reg * stored_->squares_of_weights();
  double squares = 0;
  for (const Buffer<T>& of_layer : squares_) squares += sum(of_layer);
  return reg * squares;
}

// Those whose gradients exist in memory: all of them, or of fused steps only batch normalisation's.
template <class P>
std::vector<Flat<typename P::Scalar>> Trainer<P>::flat_updates(Network<T>& network) {
  std::vector<Flat<T>> all;
  const auto add = [&](Buffer<T>& parameters, std::vector<Buffer<T>>& state,
                       const Buffer<T>& gradient) {
    all.push_back(
        {{Optimizer<T>::update(parameters, state), gradient.data(), T(1), {}}, parameters.size()});
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Layer<T>& layer = network.layers[l];
    auto& state = optimizer_.layers[l];
    const bool normalized = l < work_.norms.size();
    const GradientsOfLayer<T>* stored = stored_ ? &stored_->layers[l] : nullptr;
    if (stored != nullptr) add(layer.weights, state.weights, stored->weights);
    if (stored != nullptr || normalized) {
      add(layer.bias, state.bias, stored != nullptr ? stored->bias : work_.norms[l].dbeta);
    }
    if (normalized) {
      BatchNorm<T>& norm = work_.norms[l];
      add(norm.gamma, state.gamma, stored != nullptr ? stored->gamma : norm.dgamma);
    }
  }
  return all;
}

// Every gradient tile goes straight to the optimizer.
template <class P>
void Trainer<P>::update_fused(Network<T>& network, const Data& data, const OptimizerStep<T>& step,
                              const Rows& batch, const Gather<T>* next,
                              const std::vector<Flat<T>>& flat, Team& team) {
  update_pass(network, work_, data, batch, reg_of(data, batch), team, [&](std::size_t l) {
    Layer<T>& layer = network.layers[l];
    auto& state = optimizer_.layers[l];
    LayerUpdate<T> update{};
    update.weights = Optimizer<T>::update(layer.weights, state.weights);
    update.bias = Optimizer<T>::update(layer.bias, state.bias);
    if (!squares_.empty()) update.squares = squares_[l].data();
    update.step = step;
    if (l == 0) update.next = next;
    update.rounded_follow = true;
    return update;
  });
  apply(flat, T(1), step, team);
}

template <class P>
void Trainer<P>::update_stored(Network<T>& network, const Data& data, const OptimizerStep<T>& step,
                               const Rows& batch, const std::vector<Flat<T>>& flat, Team& team) {
  store_gradients(network, work_, data, batch, reg_of(data, batch), *stored_, team);
  const T scale = (*reductions_)(flat, team);
  apply(flat, scale, step, team);
  work_.operands.follow_weights(network, team);
}

// From a batch's gradients at the outputs to the updated network.
template <class P>
void Trainer<P>::end_step(Network<T>& network, const Data& data, const Rows& batch,
                          const Gather<T>* next, const OptimizerStep<T>& step,
                          const std::vector<Flat<T>>& flat, Team& team) {
  follow_statistics(work_.norms, batch.count);
  if (stored_) {
    update_stored(network, data, step, batch, flat, team);
  } else {
    update_fused(network, data, step, batch, next, flat, team);
  }
}

template <class P>
StepsDone Trainer<P>::run(Network<T>& published, const Data& data, const Rows& rows,
                          const double* learning_rates, double* losses,
                          const Interrupted& interrupted, double* scores) {
  Network<T>& network = trained(published);
  work_.make_room_for(network, data);
  StepsDone done{0, 0};
  const std::int64_t batch_size = options_.batch_size;
  const std::int64_t steps = (rows.count + batch_size - 1) / batch_size;
  const std::uint64_t before = optimizer_.steps;
  const auto batch_at = [&](std::int64_t i) {
    const std::int64_t begin = i * batch_size;
    Rows batch = rows.slice(begin, std::min(batch_size, rows.count - begin));
    batch.step = before + static_cast<std::uint64_t>(i);
    return batch;
  };
  const auto count = [&](double loss, const Rows& batch) {
    losses[done.steps] = loss;
    const double score = sum_of_scores(work_, batch.count);
    if (scores != nullptr) scores[done.steps] = score;
    done.scores += score;
    ++done.steps;
  };
  const std::vector<Flat<T>> flat = flat_updates(network);
  const Interruption interruption(network, batch_size, interrupted);
  Team team(threads_);
  work_.operands.prepare(network, data, team);
  for (std::int64_t i = 0; i < steps; ++i) {
    const Rows batch = batch_at(i);
    forward_pass(network, data, batch, work_, team);
    if (interruption()) break;
    loss_pass(network, data, batch, Leave::gradient, static_cast<T*>(nullptr), work_, team);
    const double loss = mean_loss(work_, data, batch);
    if (!std::isfinite(loss)) {
      count(loss, batch);
      break;
    }
    backward_pass(network, batch, work_, team);
    if (interruption()) break;
    const OptimizerStep<T> step = optimizer_.begin_step(learning_rates[i], optimizer_.powers);
    const bool more = i + 1 < steps && !data.sparse();
    const Gather<T> next = gathering(network, data, batch_at(more ? i + 1 : i), work_);
    end_step(network, data, batch, more ? &next : nullptr, step, flat, team);
    count(loss + penalty(reg_of(data, batch)), batch);
  }
  optimizer_.steps += static_cast<std::uint64_t>(done.steps);
  ++network.version;
  work_.operands.conclude(network);
  return done;
}

template <class P>
void Trainer<P>::begin(Network<T>& published, const Data& data, const Rows& rows, T* outputs) {
  Network<T>& network = trained(published);
  work_.make_room_for(network, data);
  Rows batch = rows;
  batch.step = optimizer_.steps;
  Team team(threads_);
  work_.operands.prepare(network, data, team);
  forward_pass(network, data, batch, work_, team);
  copy_outputs(network, batch.count, outputs, work_, team);
}

template <class P>
double Trainer<P>::finish(Network<T>& published, const Data& data, const Rows& rows,
                          const T* losses, const T* doutputs, double learning_rate) {
  Network<T>& network = trained(published);
  Rows batch = rows;
  batch.step = optimizer_.steps;
  std::copy_n(losses, batch.count, work_.losses.data());
  Team team(threads_);
  const double loss = mean_loss(work_, data, batch);
  ++optimizer_.steps;
  if (!std::isfinite(loss)) return loss;
  const std::vector<Flat<T>> flat = flat_updates(network);
  const OptimizerStep<T> step = optimizer_.begin_step(learning_rate, optimizer_.powers);
  put_gradient(network, data, batch, doutputs, true, work_);
  backward_pass(network, batch, work_, team);
  end_step(network, data, batch, nullptr, step, flat, team);
  ++network.version;
  work_.operands.conclude(network);
  return loss + penalty(reg_of(data, batch));
}

template <class P>
void Trainer<P>::publish(Network<T>& network) const {
  const FloatingPointMode mode;
  if (unfolded_) fold_statistics(*unfolded_, work_.norms, network);
}

template class Trainer<Exact<float>>;
template class Trainer<Exact<double>>;
template class Trainer<Bfloat16>;

}  // namespace twolayer
