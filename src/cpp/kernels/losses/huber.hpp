// With d = z - t and the parameter delta: d^2 / 2 where |d| < delta, else delta (|d| - delta / 2).
// PyTorch's HuberLoss.
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct Huber : Elementwise<Huber> {
  static constexpr const char* name = "huber";

  template <class V>
  static V value(V z, V t, V delta) {
    const V half = V::broadcast(0.5);
    const V a = abs(z - t);
    return select(greater(delta, a), half * a * a, delta * (a - half * delta));
  }
  template <class V>
  static V slope(V z, V t, V delta) {
    return min(delta, max(V::zero() - delta, z - t));  // in this order a NaN stays
  }
};

}  // namespace twolayer
