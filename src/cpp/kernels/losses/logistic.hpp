// Binary cross-entropy of the logistic function of each output, from the logits (PyTorch's
// BCEWithLogitsLoss): -t log p - (1 - t) log(1 - p) with p = 1 / (1 + exp(-z)).
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct Logistic : Elementwise<Logistic> {
  static constexpr const char* name = "logistic";
  static constexpr bool classifies = true;

  template <class V>
  static V value(V z, V t, V) {
    const V e = exp(V::zero() - abs(z));
    return max(V::zero(), z) - z * t + log1p(e);
  }
  // -log of the probability of t, 0 or 1, between the floor and what remains to 1: from the rounded
  // probability, where `value` is exact.
  template <class V>
  static V clipped(V z, V t, V floor) {
    using T = typename V::Scalar;
    const V one = V::broadcast(T(1));
    const V ceiling = one - floor;
    V p = one / (one + exp(V::zero() - z));
    p = select(greater(floor, p), floor, p);  // a NaN stays
    p = select(greater(p, ceiling), ceiling, p);
    const V of_target = select(greater(t, V::broadcast(T(0.5))), p, one - p);
    return V::zero() - log_of_normals(of_target);
  }
  template <class V>
  static V slope(V z, V t, V) {
    return logistic(z) - t;
  }
  template <class V>
  static V prediction(V z) {
    return logistic(z);
  }
};

}  // namespace twolayer
