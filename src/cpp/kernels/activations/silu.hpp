// z s(z), s the logistic function (Elfwing et al. 2017; also called swish).
//
// With y = |z| and q = s(-y) = 1 - s(y), the value is max(0, z) - y q and the derivative
// q (1 - (1 - q) y), or 1 less that above zero: nothing cancels in the tail.
#pragma once

namespace {

struct Silu {
  static constexpr const char* name = "silu";
  static constexpr bool from_z = true;

  template <class V>
  static V value(V z) {
    const V y = min(limit<V>(), abs(z));
    return fma(V::zero() - y, logistic(V::zero() - y), max(V::zero(), z));
  }

  template <class V>
  static V through(V gradient, V z) {
    const V one = V::broadcast(1);
    const V y = min(limit<V>(), abs(z));
    const V q = logistic(V::zero() - y);
    const V below = q * fma(q - one, y, one);
    const V slope = select(greater(z, V::zero()), one - below, below);
    return gradient * slope;
  }

 private:
  // Beyond it q is 0 in float and double, and an infinite z times it would be a NaN.
  template <class V>
  static V limit() {
    return V::broadcast(750);
  }
};

}  // namespace
