// z P(Z <= z) for a standard normal Z (Hendrycks and Gimpel 2016), which is
// z (1 + erf(z / sqrt2)) / 2.
//
// With y = |z|, Q the distribution's upper tail and phi its density, the value is max(0, z) - y
// Q(y) and the derivative Q(y) - y phi(y), or 1 less that above zero: nothing cancels in the tail.
#pragma once

namespace {

struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool from_z = true;

  template <class V>
  static V value(V z) {
    const V y = min(limit<V>(), abs(z));
    const auto tail = normal_tail(y);
    return fma(V::zero() - y * tail.ratio, tail.exponential, max(V::zero(), z));
  }

  template <class V>
  static V through(V gradient, V z) {
    const V y = min(limit<V>(), abs(z));
    const auto tail = normal_tail(y);
    const V density = V::broadcast(typename V::Scalar(0.39894228040143267794));  // 1 / sqrt(2 pi)
    const V below = tail.exponential * fma(V::zero() - y, density, tail.ratio);
    const V slope = select(greater(z, V::zero()), V::broadcast(1) - below, below);
    return gradient * slope;
  }

 private:
  // Beyond it Q(|z|) is 0 in float and double, and an infinite z times it would be a NaN.
  template <class V>
  static V limit() {
    return V::broadcast(40);
  }
};

}  // namespace
