// An optimizer: its hyper-parameters, what it keeps of every parameter, and how far it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.hpp"
#include "network.hpp"

namespace twolayer {

struct OptimizerOptions {
  int kind;                             // its number in the list of optimizers
  std::vector<double> hyperparameters;  // in the order of its names
};

// By name: kernels/optimizers/all.hpp lists them.
int optimizer_by_name(const std::string& name);  // -1: there is none
std::vector<std::string> hyperparameters_of(int kind);
std::vector<std::string> states_of(int kind);

template <class T>
class Optimizer {
 public:
  // Running products of whatever the optimizer multiplies up from step to step.
  struct Powers {
    double of[2] = {1, 1};
  };
  struct State {  // of one layer; as many of each as the optimizer has states
    std::vector<Buffer<T>> weights;
    std::vector<Buffer<T>> bias;
    std::vector<Buffer<T>> gamma;  // with batch normalisation
  };

  Optimizer(const Network<T>& network, OptimizerOptions options, bool batch_norm);

  // The next step's constants, and how far `powers` then are.
  OptimizerStep<T> begin_step(double learning_rate, Powers& powers) const;

  // Where a gradient goes, with the parameters' state.
  static Destination<T> update(Buffer<T>& parameters, std::vector<Buffer<T>>& state);

  const OptimizerOptions& options() const { return options_; }

  std::vector<State> layers;
  Powers powers;
  std::uint64_t steps = 0;

 private:
  OptimizerOptions options_;
};

}  // namespace twolayer
