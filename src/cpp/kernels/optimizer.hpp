// The optimizer at hand, as a type, and what it does to a vector of parameters.
#pragma once

#include "optimizers/all.hpp"
#include "table.hpp"

namespace {

using twolayer::Destination;
using twolayer::OptimizerStep;

// In the place of an optimizer: the gradient goes to memory.
struct Store {};

// Calls body.template operator()<Kind>() for the optimizer at hand, or Store.
template <class T, class Body>
__attribute__((always_inline)) inline void with_optimizer(const Destination<T>& to,
                                                          const OptimizerStep<T>& step,
                                                          const Body& body) {
  if (to.gradient != nullptr) return body.template operator()<Store>();
  Optimizers::with(step.kind, body);
}

// Sends off the gradient g of the parameters w that stand `at` so many elements from the first.
template <class Kind, class V, class T>
__attribute__((always_inline)) inline void send_off(const Destination<T>& to,
                                                    const OptimizerStep<T>& step, V g, V w,
                                                    std::int64_t at) {
  if constexpr (__is_same(Kind, Store)) {
    g.store(to.gradient + at);
  } else {
    Kind::step(step.constants, g, w, to.state, at).store(to.updated + at);
  }
}

}  // namespace
