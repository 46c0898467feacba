// Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2):
//     w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w);  m = beta2 m + (1 - beta2) g
#pragma once

#include "constants.hpp"

namespace {

struct Lion {
  static constexpr const char* name = "lion";
  static constexpr twolayer::Names hyperparameters = {"weight_decay", "beta1", "beta2"};
  static constexpr twolayer::Names states = {"momentum"};
  enum { minus_rate, decayed, beta1, one_minus_beta1, beta2, one_minus_beta2 };

  template <class T>
  static void begin_step(const double* h, double rate, double*, T* c) {
    c[minus_rate] = static_cast<T>(-rate);
    c[decayed] = static_cast<T>(1 - rate * h[0]);
    c[beta1] = static_cast<T>(h[1]);
    c[one_minus_beta1] = static_cast<T>(1 - h[1]);
    c[beta2] = static_cast<T>(h[2]);
    c[one_minus_beta2] = static_cast<T>(1 - h[2]);
  }

  template <class V, class T>
  static V step(const T* c, V g, V w, T* const* state, std::int64_t at) {
    const V m = V::load(state[0] + at);
    const V direction = fma(V::broadcast(c[beta1]), m, V::broadcast(c[one_minus_beta1]) * g);
    fma(V::broadcast(c[beta2]), m, V::broadcast(c[one_minus_beta2]) * g).store(state[0] + at);
    // A NaN has no sign and stays one.
    const V sign =
        select(greater(abs(direction), V::zero()), copysign(V::broadcast(1), direction), direction);
    return fma(V::broadcast(c[minus_rate]), sign, w * V::broadcast(c[decayed]));
  }
};

}  // namespace
