// Activations and their derivatives, each from the activation's own value.
#pragma once

#include "math.hpp"
#include "table.hpp"

namespace {

using twolayer::Activation;

template <Activation kind, class V>
V activate(V z) {
  if constexpr (kind == Activation::relu) {
    return max(V::zero(), z);  // in this order a NaN stays a NaN
  } else if constexpr (kind == Activation::tanh) {
    return tanh(z);
  } else if constexpr (kind == Activation::logistic) {
    return logistic(z);
  } else {
    return z;
  }
}

// gradient * activation'(z), given a = activation(z).
template <Activation kind, class V>
V through_activation(V gradient, V a) {
  const V one = V::broadcast(1);
  if constexpr (kind == Activation::relu) {
    return select(greater(a, V::zero()), gradient, V::zero());
  } else if constexpr (kind == Activation::tanh) {
    return gradient * (one - a * a);
  } else if constexpr (kind == Activation::logistic) {
    return gradient * (a * (one - a));
  } else {
    return gradient;
  }
}

// Calls body.template operator()<kind>() for the activation at hand.
template <class Body>
void with_activation(Activation kind, const Body& body) {
  switch (kind) {
    case Activation::identity:
      return body.template operator()<Activation::identity>();
    case Activation::relu:
      return body.template operator()<Activation::relu>();
    case Activation::tanh:
      return body.template operator()<Activation::tanh>();
    case Activation::logistic:
      return body.template operator()<Activation::logistic>();
  }
}

}  // namespace
