// z tanh(log(1 + exp(z))) (Misra 2019). The tanh is n / d in terms of e = exp(-|z|), without a
// logarithm:
//
//   z <= 0    n = e^2 + 2 e    d = n + 2
//   z > 0     n = 1 + 2 e      d = n + 2 e^2
//
// and the derivative n / d + 4 z k (1 + e) / d^2 with k = e, or e^2 above zero.
#pragma once

namespace {

struct Mish {
  static constexpr const char* name = "mish";
  static constexpr bool from_z = true;

  template <class V>
  static V value(V z) {
    const Parts<V> p(z);
    return max(V::zero() - limit<V>(), z) * (p.n / p.d);
  }

  template <class V>
  static V through(V gradient, V z) {
    const Parts<V> p(z);
    const V y = max(V::zero() - limit<V>(), min(limit<V>(), z));
    const V rise = V::broadcast(4) * y * (p.k * (V::broadcast(1) + p.e) / p.d);
    return gradient * ((p.n + rise) / p.d);
  }

 private:
  template <class V>
  struct Parts {
    V e, k, n, d;
    explicit Parts(V z) : e(exp(V::zero() - abs(z))) {
      const V two = V::broadcast(2);
      const auto above = greater(z, V::zero());
      const V square = e * e;
      k = select(above, square, e);
      n = select(above, fma(two, e, V::broadcast(1)), fma(two, e, square));
      d = n + select(above, two * square, two);
    }
  };

  // Beyond it exp(-|z|) is 0 in float and double, and an infinite z times it would be a NaN.
  template <class V>
  static V limit() {
    return V::broadcast(750);
  }
};

}  // namespace
