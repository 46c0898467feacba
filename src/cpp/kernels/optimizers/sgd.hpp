// Stochastic gradient descent, as torch.optim.SGD:
//     SGD       g += weight_decay w;  w -= lr g
//     momentum  g += weight_decay w;  m = momentum m + g;  w -= lr m
//     Nesterov  as momentum, but w -= lr (g + momentum m)
#pragma once

#include "constants.hpp"

namespace {

struct Sgd {
  static constexpr const char* name = "sgd";
  static constexpr twolayer::Names hyperparameters = {"weight_decay"};
  static constexpr twolayer::Names states = {};
  enum { minus_rate, decay };

  template <class T>
  static void begin_step(const double* h, double rate, double*, T* c) {
    c[minus_rate] = static_cast<T>(-rate);
    c[decay] = static_cast<T>(h[0]);
  }

  template <class V, class T>
  static V step(const T* c, V g, V w, T* const*, std::int64_t) {
    g = fma(V::broadcast(c[decay]), w, g);
    return fma(V::broadcast(c[minus_rate]), g, w);
  }
};

template <bool nesterov>
struct SgdWithMomentum {
  static constexpr const char* name = nesterov ? "nesterov" : "momentum";
  static constexpr twolayer::Names hyperparameters = {"weight_decay", "momentum"};
  static constexpr twolayer::Names states = {"momentum"};
  enum { minus_rate, decay, momentum };

  template <class T>
  static void begin_step(const double* h, double rate, double*, T* c) {
    c[minus_rate] = static_cast<T>(-rate);
    c[decay] = static_cast<T>(h[0]);
    c[momentum] = static_cast<T>(h[1]);
  }

  template <class V, class T>
  static V step(const T* c, V g, V w, T* const* state, std::int64_t at) {
    const V factor = V::broadcast(c[momentum]);
    g = fma(V::broadcast(c[decay]), w, g);
    const V m = fma(factor, V::load(state[0] + at), g);
    m.store(state[0] + at);
    return fma(V::broadcast(c[minus_rate]), nesterov ? fma(factor, m, g) : m, w);
  }
};

}  // namespace
