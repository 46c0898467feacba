// An elu scaled so that mean 0 and variance 1 go through a layer unchanged (Klambauer et al. 2017):
// scale z, or scale alpha (exp(z) - 1) below zero, where the derivative is a + scale alpha.
#pragma once

namespace {

struct Selu {
  static constexpr const char* name = "selu";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return select(greater(z, V::zero()), scale<V>() * z, scale_alpha<V>() * expm1(z));
  }

  template <class V>
  static V through(V gradient, V a) {
    const V slope = select(greater(a, V::zero()), scale<V>(), a + scale_alpha<V>());
    return gradient * slope;
  }

 private:
  template <class V>
  static V scale() {
    return V::broadcast(typename V::Scalar(1.0507009873554804934193349852946));
  }
  template <class V>
  static V scale_alpha() {
    return V::broadcast(typename V::Scalar(1.7580993408473768599402175208123));
  }
};

}  // namespace
