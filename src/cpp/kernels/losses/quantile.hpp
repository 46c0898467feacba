// The pinball loss of level q, the parameter: with e = t - z, q e above the output and (q - 1) e
// below. Its mean is least where z is the q-quantile (Koenker and Bassett 1978). The slope at 0 is
// 0.
#pragma once

#include "elementwise.hpp"

namespace twolayer {

struct Quantile : Elementwise<Quantile> {
  static constexpr const char* name = "quantile";

  template <class V>
  static V value(V z, V t, V level) {
    const V e = t - z;
    return max((level - V::broadcast(1)) * e, level * e);
  }
  template <class V>
  static V slope(V z, V t, V level) {
    const V e = t - z;
    const V otherwise = e - e;  // 0, or NaN
    const V below = select(greater(V::zero(), e), V::broadcast(1) - level, otherwise);
    return select(greater(e, V::zero()), V::zero() - level, below);
  }
};

}  // namespace twolayer
