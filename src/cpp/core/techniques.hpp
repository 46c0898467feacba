// Techniques of training beside the optimizer: each is left out by default.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/table.hpp"

namespace twolayer {

struct Techniques {
  std::vector<double> dropout;  // of each hidden layer's outputs, a share in [0, 1); empty: none
  bool batch_norm = false;      // of each hidden layer's pre-activations
  double clip_norm = 0;         // largest norm of all gradients together; 0: any
  bool augment = false;
  Augmentation augmentation{};
  std::uint64_t seed = 0;  // of the random numbers of dropout and augmentation
};

}  // namespace twolayer
