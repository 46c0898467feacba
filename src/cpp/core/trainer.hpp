// Minibatch training: many steps in one parallel region, nothing allocated in a step.
#pragma once

#include <cstdint>
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

// Work: Workspace<T>, or the workspace of another way to compute the same passes.
template <class T, class Work = Workspace<T>>
class Trainer {
 public:
  Trainer(const Network<T>& network, const OptimizerOptions& options, std::int64_t batch_size,
          int threads);

  // Trains on consecutive batches of `rows`, the last of which may be short; learning_rates[i] is
  // step i's, losses[i] its loss before its update, reg's part included. Stops at a loss that is
  // not finite, before the update, so that the network stays as it was.
  Progress run(Network<T>& network, const Data& data, const Rows& rows,
               const double* learning_rates, double* losses);

 private:
  struct State {  // of one layer, as the optimizer wants it
    Buffer<T> weights1;
    Buffer<T> weights2;
    Buffer<T> bias1;
    Buffer<T> bias2;
    Buffer<T> squares;
  };

  struct Powers {  // beta^t after t steps
    double beta1 = 1;
    double beta2 = 1;
  };

  OptimizerStep<T> next_step(double learning_rate, Powers& powers) const;
  double penalty() const;  // reg's part of the loss, from the weights before the last update

  OptimizerOptions options_;
  std::int64_t batch_size_;
  int threads_;
  std::vector<State> state_;
  Work work_;
  Powers powers_;
};

// Of a whole batch, without an update, in panels.
template <class T>
struct Gradients {
  struct OfLayer {
    Buffer<T> weights;
    Buffer<T> bias;
    Buffer<T> squares;  // sums of the weights' squares, block by block
  };
  double loss;
  std::vector<OfLayer> layers;
};

template <class T>
Gradients<T> loss_and_gradients(Network<T>& network, const Data& data, const Rows& rows, double reg,
                                int threads);

}  // namespace twolayer
