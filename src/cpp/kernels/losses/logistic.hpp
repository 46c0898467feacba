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
