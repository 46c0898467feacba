// Minibatch training: many steps in one parallel region, nothing allocated in a step.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "network.hpp"
#include "passes.hpp"

namespace twolayer {

struct OptimizerOptions {
  OptimizerKind kind;  // not `store`
  double momentum;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;  // the optimizer's own, on biases too
  double reg;           // loss + reg * sum of the weights' squares, no biases
};

struct Progress {
  std::int64_t steps;    // done, the one with a loss that is not finite included
  std::int64_t correct;  // samples classified rightly before their step's update
};

// Asked between the phases of long steps, on the calling thread: whether to stop.
using Interrupted = std::function<bool()>;

// In panels.
template <class T>
struct GradientsOfLayer {
  Buffer<T> weights;
  Buffer<T> bias;
  Buffer<T> gamma;    // with batch normalisation
  Buffer<T> squares;  // sums of the weights' squares, block by block
};

// Work: Workspace<T>, or the workspace of another way to compute the same passes.
template <class T, class Work = Workspace<T>>
class Trainer {
 public:
  Trainer(const Network<T>& network, const OptimizerOptions& options, const Techniques& techniques,
          std::int64_t batch_size, int threads);

  // Trains on consecutive batches of `rows`, the last of which may be short; learning_rates[i] is
  // step i's, losses[i] its loss before its update, reg's part included. Stops at a loss that is
  // not finite, before the update, so that the network stays as it was; likewise when interrupted,
  // and then without counting the step. With batch normalisation the network follows at publish().
  Progress run(Network<T>& network, const Data& data, const Rows& rows,
               const double* learning_rates, double* losses, const Interrupted& interrupted);

  // Batch normalisation by the running statistics folded into the network's weights and biases;
  // without it nothing is to be done.
  void publish(Network<T>& network) const;

 private:
  struct State {  // of one layer, as the optimizer wants it
    Buffer<T> weights1;
    Buffer<T> weights2;
    Buffer<T> bias1;
    Buffer<T> bias2;
    Buffer<T> gamma1;
    Buffer<T> gamma2;
    Buffer<T> squares;
  };

  struct Powers {  // beta^t after t steps
    double beta1 = 1;
    double beta2 = 1;
  };

  struct Flat {  // the parameters of one kind in one layer, with their gradient
    FlatUpdate<T> update;
    std::int64_t size;
  };

  OptimizerStep<T> next_step(double learning_rate, Powers& powers) const;
  double penalty() const;  // reg's part of the loss, from the weights before the last update
  std::vector<Flat> flat_updates(Network<T>& network);
  void update_fused(Network<T>& network, const OptimizerStep<T>& step, const Rows& batch,
                    const Gather<T>* next, const std::vector<Flat>& flat, const Member& member);
  void update_clipped(Network<T>& network, const OptimizerStep<T>& step, const Rows& batch,
                      const std::vector<Flat>& flat, const Member& member);
  void apply(const std::vector<Flat>& flat, T scale, const OptimizerStep<T>& step,
             const Member& member);
  void count(Progress& progress, double loss, const Rows& batch, double* losses) const;

  OptimizerOptions options_;
  std::int64_t batch_size_;
  int threads_;
  std::vector<State> state_;
  Work work_;
  Powers powers_;
  std::uint64_t steps_ = 0;
  std::optional<Network<T>> unfolded_;     // what is trained, with batch normalisation
  std::vector<GradientsOfLayer<T>> kept_;  // with clipping
  Buffer<T> gradient_squares_;             // sums over chunks, with clipping
};

template <class T>
struct Gradients {
  double loss;
  std::vector<GradientsOfLayer<T>> layers;
};

// Of a whole batch, without an update. gammas: of each hidden layer, with batch normalisation.
// Empty when interrupted.
template <class T>
std::optional<Gradients<T>> loss_and_gradients(Network<T>& network, const Data& data,
                                               const Rows& rows, double reg, int threads,
                                               const Techniques& techniques,
                                               const std::vector<std::vector<T>>& gammas,
                                               const Interrupted& interrupted);

}  // namespace twolayer
