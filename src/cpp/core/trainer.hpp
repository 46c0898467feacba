// Minibatch training: many steps by one team, nothing allocated in a step. A step is
//     rows -> forward -> loss -> backward -> gradients -> [reduce -> clip -> update].
// It ends fused, each tile of a gradient going straight to the optimizer, or by way of stored
// gradients, where something has to see all of them before the update.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gradients.hpp"
#include "interruption.hpp"
#include "optimizer.hpp"
#include "passes.hpp"
#include "reductions.hpp"

namespace twolayer {

struct TrainerOptions {
  OptimizerOptions optimizer;
  double reg;  // loss + reg * sum of the weights' squares, no biases
  LossOptions loss;
  Techniques techniques;
  std::int64_t batch_size;
  int threads;
  bool reg_over_weights = false;  // reg / sum of the batch's weights stands for reg
};

struct StepsDone {
  std::int64_t steps;  // the one with a loss that is not finite included
  double scores;       // sum over the samples, each before its step's update
};

// P: of the products' operands (kernels/operands.hpp).
template <class P>
class Trainer {
 public:
  using T = typename P::Scalar;

  Trainer(const Network<T>& network, const TrainerOptions& options);

  // Trains on consecutive batches of `rows`, the last of which may be short; learning_rates[i] is
  // step i's, losses[i] its loss before its update, reg's part included. Stops at a loss that is
  // not finite, before the update, so that the network stays as it was; likewise when interrupted,
  // and then without counting the step. With batch normalisation the network follows at publish().
  // scores, unless null: the steps' sums of scores, one by one.
  StepsDone run(Network<T>& network, const Data& data, const Rows& rows,
                const double* learning_rates, double* losses, const Interrupted& interrupted,
                double* scores = nullptr);

  // A step in two halves, for a loss that is computed elsewhere: the outputs (N, K) of a batch of
  // at most batch_size rows, row-major and in the user's units; then the rest of the step on the
  // same rows, with each sample's loss and its gradient at these outputs. Returns the step's loss;
  // where it is not finite nothing is updated.
  void begin(Network<T>& network, const Data& data, const Rows& rows, T* outputs);
  double finish(Network<T>& network, const Data& data, const Rows& rows, const T* losses,
                const T* doutputs, double learning_rate);

  // Batch normalisation by the running statistics folded into the network's weights and biases;
  // without it nothing is to be done.
  void publish(Network<T>& network) const;

  Optimizer<T>& optimizer() { return optimizer_; }
  // What training with batch normalisation keeps besides: the network it changes, which is not the
  // published one, and factors and running statistics of the hidden layers. Else null and empty.
  Network<T>* unfolded() { return unfolded_ ? &*unfolded_ : nullptr; }
  std::vector<BatchNorm<T>>& norms() { return work_.norms; }

 private:
  Network<T>& trained(Network<T>& published) { return unfolded_ ? *unfolded_ : published; }
  double reg_of(const Data& data, const Rows& batch) const;
  // reg's part of the loss, from the weights before the last update
  double penalty(double reg) const;
  std::vector<Flat<T>> flat_updates(Network<T>& network);
  void update_fused(Network<T>& network, const Data& data, const OptimizerStep<T>& step,
                    const Rows& batch, const Gather<T>* next, const std::vector<Flat<T>>& flat,
                    Team& team);
  void update_stored(Network<T>& network, const Data& data, const OptimizerStep<T>& step,
                     const Rows& batch, const std::vector<Flat<T>>& flat, Team& team);
  void end_step(Network<T>& network, const Data& data, const Rows& batch, const Gather<T>* next,
                const OptimizerStep<T>& step, const std::vector<Flat<T>>& flat, Team& team);

  TrainerOptions options_;
  int threads_;
  Workspace<P> work_;
  Optimizer<T> optimizer_;
  std::optional<Network<T>> unfolded_;  // what is trained, with batch normalisation
  std::vector<Buffer<T>> squares_;      // of each layer's weights, with reg and fused steps
  std::optional<Gradients<T>> stored_;  // where steps do not end fused
  std::optional<Reductions<T>> reductions_;
};

}  // namespace twolayer
