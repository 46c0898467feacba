// log(1 + exp(z)); its derivative is the logistic function, 1 - exp(-a). So for every z, where
// PyTorch returns z itself beyond a threshold, 20 by default.
#pragma once

namespace {

struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return max(V::zero(), z) + log1p(exp(V::zero() - abs(z)));
  }

  template <class V>
  static V through(V gradient, V a) {
    return gradient * (V::zero() - expm1(V::zero() - a));
  }
};

}  // namespace
