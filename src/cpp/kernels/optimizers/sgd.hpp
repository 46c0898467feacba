// Stochastic gradient descent, as torch.optim.SGD:
//     SGD       g += weight_decay w;  w -= lr g
//     momentum  g += weight_decay w;  m = momentum m + g;  w -= lr m
//     Nesterov  as momentum, but w -= lr (g + momentum m)
// and with the rate within the momentum (Sutskever et al. 2013), as scikit-learn's:
//     velocity           g += weight_decay w;  u = momentum u - lr g;  w += u
//     nesterov_velocity  as velocity, but w += momentum u - lr g
// The two forms are the same until the rate changes.
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

template <bool nesterov>
struct SgdWithVelocity {
  static constexpr const char* name = nesterov ? "nesterov_velocity" : "velocity";
  static constexpr twolayer::Names hyperparameters = {"weight_decay", "momentum"};
  static constexpr twolayer::Names states = {"velocity"};
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
    const V move = V::broadcast(c[minus_rate]) * g;
    const V u = fma(factor, V::load(state[0] + at), move);
    u.store(state[0] + at);
    return w + (nesterov ? fma(factor, u, move) : u);
  }
};

}  // namespace
