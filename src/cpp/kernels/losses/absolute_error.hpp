// |z - t|: PyTorch's L1Loss. The slope at 0 is 0.
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct AbsoluteError : Elementwise<AbsoluteError> {
  static constexpr const char* name = "absolute_error";

  template <class V>
  static V value(V z, V t, V) {
    return abs(z - t);
  }
  template <class V>
  static V slope(V z, V t, V) {
    const V d = z - t;
    const V otherwise = d - d;  // 0, or NaN
    const V below = select(greater(V::zero(), d), V::broadcast(-1), otherwise);
    return select(greater(d, V::zero()), V::broadcast(1), below);
  }
};

}  // namespace twolayer
