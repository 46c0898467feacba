// The identity: a layer that is linear.
#pragma once

namespace {

struct Identity {
  static constexpr const char* name = "identity";
  static constexpr bool from_z = false;

  template <class V>
  static V value(V z) {
    return z;
  }

  template <class V>
  static V through(V gradient, V) {
    return gradient;
  }
};

}  // namespace
