// z, or exp(z) - 1 below zero, where the derivative is a + 1 (Clevert et al. 2015, alpha = 1).
#pragma once

namespace {

struct Elu {
  static constexpr const char* name = "elu";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return select(greater(z, V::zero()), z, expm1(z));
  }

  template <class V>
  static V through(V gradient, V a) {
    const V below = gradient * (a + V::broadcast(1));
    return select(greater(a, V::zero()), gradient, below);
  }
};

}  // namespace
