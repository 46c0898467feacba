// The gelu's approximation by tanh (Hendrycks and Gimpel 2016): z s(v), with s the logistic
// function and v = 2 sqrt(2 / pi) (z + 0.044715 z^3), as s(v) = (1 + tanh(v / 2)) / 2.
//
// At y = |z|, with q = s(-v) = 1 - s(v), the value is max(0, z) - y q and the derivative
// q (1 - (1 - q) y v'), or 1 less that above zero.
#pragma once

namespace {

struct GeluTanh {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool from_z = true;

  template <class V>
  static V value(V z) {
    const V y = min(limit<V>(), abs(z));
    const V v = y * fma(y * y, cubic<V>(1), linear<V>());
    return fma(V::zero() - y, logistic(V::zero() - v), max(V::zero(), z));
  }

  template <class V>
  static V through(V gradient, V z) {
    const V one = V::broadcast(1);
    const V y = min(limit<V>(), abs(z));
    const V square = y * y;
    const V v = y * fma(square, cubic<V>(1), linear<V>());
    const V y_dv = y * fma(square, cubic<V>(3), linear<V>());
    const V q = logistic(V::zero() - v);
    const V below = q * fma(q - one, y_dv, one);
    const V slope = select(greater(z, V::zero()), one - below, below);
    return gradient * slope;
  }

 private:
  // Beyond it q is 0 in float and double, and an infinite z times it would be a NaN.
  template <class V>
  static V limit() {
    return V::broadcast(40);
  }
  template <class V>
  static V linear() {  // 2 sqrt(2 / pi)
    return V::broadcast(typename V::Scalar(1.5957691216057307117597842397376));
  }
  template <class V>
  static V cubic(int times) {  // times 0.044715
    return V::broadcast(typename V::Scalar(times * 0.07135481627260024877));
  }
};

}  // namespace
