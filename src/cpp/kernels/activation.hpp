// The activation at hand, as a type.
#pragma once

#include "activations/all.hpp"
#include "math.hpp"

namespace {

// Calls body.template operator()<Kind>() for an activation by its number.
template <class Body>
__attribute__((always_inline)) inline void with_activation(int kind, const Body& body) {
  Activations::with(kind, body);
}

}  // namespace
