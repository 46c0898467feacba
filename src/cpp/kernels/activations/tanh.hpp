// The hyperbolic tangent; its derivative is 1 - a^2.
#pragma once

namespace {

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return tanh(z);
  }

  template <class V>
  static V through(V gradient, V a) {
    const V one = V::broadcast(1);
    return gradient * (one - a * a);
  }
};

}  // namespace
