// z, or 0.01 z below zero.
#pragma once

namespace {

struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return max(z * slope<V>(), z);  // in this order a NaN stays a NaN
  }

  template <class V>
  static V through(V gradient, V a) {
    return select(greater(a, V::zero()), gradient, gradient * slope<V>());
  }

 private:
  template <class V>
  static V slope() {
    return V::broadcast(typename V::Scalar(0.01));
  }
};

}  // namespace
