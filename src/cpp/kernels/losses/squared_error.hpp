// (z - t)^2: PyTorch's MSELoss.
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct SquaredError : Elementwise<SquaredError> {
  static constexpr const char* name = "squared_error";

  template <class V>
  static V value(V z, V t, V) {
    const V d = z - t;
    return d * d;
  }
  template <class V>
  static V slope(V z, V t, V) {
    const V d = z - t;
    return d + d;
  }
};

}  // namespace twolayer
