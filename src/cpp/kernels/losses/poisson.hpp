// Counts t with mean exp(z): the negative log-likelihood but for log t!, exp(z) - t z. PyTorch's
// PoissonNLLLoss. Infinite where exp(z) is.
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct Poisson : Elementwise<Poisson> {
  static constexpr const char* name = "poisson";

  template <class V>
  static V value(V z, V t, V) {
    return exp(z) - t * z;
  }
  template <class V>
  static V slope(V z, V t, V) {
    return exp(z) - t;
  }
  template <class V>
  static V prediction(V z) {
    return exp(z);
  }
};

}  // namespace twolayer
