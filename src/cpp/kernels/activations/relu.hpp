// max(0, z).
#pragma once

namespace {

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return max(V::zero(), z);  // in this order a NaN stays a NaN
  }

  template <class V>
  static V through(V gradient, V a) {
    return select(greater(a, V::zero()), gradient, V::zero());
  }
};

}  // namespace
