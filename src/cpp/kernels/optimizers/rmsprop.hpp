// RMSprop (Hinton 2012), as torch.optim.RMSprop:
//     g += weight_decay w;  v = alpha v + (1 - alpha) g g
//     centred:   a = a + (1 - alpha) (g - a);  r = sqrt(max(v - a a, 0)) + epsilon,
//     else       r = sqrt(v) + epsilon
//     momentum:  b = momentum b + g / r;  w -= lr b, else w -= lr g / r
#pragma once

#include "constants.hpp"

namespace {

template <bool centred, bool with_momentum>
struct RmsProp {
  static constexpr const char* name =
      centred         ? with_momentum ? "centred_rmsprop_with_momentum" : "centred_rmsprop"
      : with_momentum ? "rmsprop_with_momentum"
                      : "rmsprop";
  static constexpr twolayer::Names hyperparameters = {"weight_decay", "alpha", "epsilon",
                                                      "momentum"};
  static constexpr twolayer::Names states =
      centred ? with_momentum ? twolayer::Names{"square_average", "gradient_average", "momentum"}
                              : twolayer::Names{"square_average", "gradient_average"}
      : with_momentum ? twolayer::Names{"square_average", "momentum"}
                      : twolayer::Names{"square_average"};
  enum { minus_rate, decay, alpha, one_minus_alpha, epsilon, momentum };

  template <class T>
  static void begin_step(const double* h, double rate, double*, T* c) {
    c[minus_rate] = static_cast<T>(-rate);
    c[decay] = static_cast<T>(h[0]);
    c[alpha] = static_cast<T>(h[1]);
    c[one_minus_alpha] = static_cast<T>(1 - h[1]);
    c[epsilon] = static_cast<T>(h[2]);
    c[momentum] = static_cast<T>(h[3]);
  }

  template <class V, class T>
  static V step(const T* c, V g, V w, T* const* state, std::int64_t at) {
    g = fma(V::broadcast(c[decay]), w, g);
    const V v = fma(V::broadcast(c[alpha]), V::load(state[0] + at),
                    (V::broadcast(c[one_minus_alpha]) * g) * g);
    v.store(state[0] + at);
    V square = v;
    if constexpr (centred) {
      V average = V::load(state[1] + at);
      average = fma(V::broadcast(c[one_minus_alpha]), g - average, average);
      average.store(state[1] + at);
      // A variance: only rounding can make it negative. A NaN stays one.
      square = max(V::zero(), fma(V::zero() - average, average, v));
    }
    V direction = g / (sqrt(square) + V::broadcast(c[epsilon]));
    if constexpr (with_momentum) {
      T* const buffer = state[centred ? 2 : 1] + at;
      direction = fma(V::broadcast(c[momentum]), V::load(buffer), direction);
      direction.store(buffer);
    }
    return fma(V::broadcast(c[minus_rate]), direction, w);
  }
};

}  // namespace
