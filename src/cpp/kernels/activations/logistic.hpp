// 1 / (1 + exp(-z)); its derivative is a (1 - a).
#pragma once

namespace {

struct Logistic {
  static constexpr const char* name = "logistic";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return logistic(z);
  }

  template <class V>
  static V through(V gradient, V a) {
    const V one = V::broadcast(1);
    return gradient * (a * (one - a));
  }
};

}  // namespace
