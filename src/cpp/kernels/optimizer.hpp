// Optimizer steps over a run of consecutive parameters, as PyTorch's documentation of torch.optim
// defines SGD, Adam and AdamW. g is the gradient, w the parameter, lr the learning rate:
//     SGD       g += weight_decay w;  w -= lr g
//     momentum  g += weight_decay w;  m = momentum m + g;  w -= lr m
//     Nesterov  as momentum, but w -= lr (g + momentum m)
//     Adam      g += weight_decay w;  m = m + (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g g;
//               w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//     AdamW     w -= lr weight_decay w instead of the first term, then as Adam
// Every multiply-add is a fused one, so that all instruction sets round alike.
#pragma once

#include "table.hpp"

namespace {

using twolayer::OptimizerKind;
using twolayer::OptimizerStep;

template <OptimizerKind kind, class V>
V stepped(const OptimizerStep<typename V::Scalar>& o, V g, V w, typename V::Scalar* state1,
          typename V::Scalar* state2) {
  const auto constant = [](auto x) { return V::broadcast(x); };
  if constexpr (kind != OptimizerKind::adamw) g = fma(constant(o.weight_decay), w, g);
  if constexpr (kind == OptimizerKind::sgd) {
    return fma(constant(-o.learning_rate), g, w);
  } else if constexpr (kind == OptimizerKind::momentum || kind == OptimizerKind::nesterov) {
    const V momentum = constant(o.momentum);
    const V m = fma(momentum, V::load(state1), g);
    m.store(state1);
    if constexpr (kind == OptimizerKind::nesterov) g = fma(momentum, m, g);
    return fma(constant(-o.learning_rate), kind == OptimizerKind::nesterov ? g : m, w);
  } else {
    if constexpr (kind == OptimizerKind::adamw) w = w * constant(o.decayed);
    V m = V::load(state1);
    m = fma(constant(o.one_minus_beta1), g - m, m);
    m.store(state1);
    const V v = fma(constant(o.beta2), V::load(state2), (constant(o.one_minus_beta2) * g) * g);
    v.store(state2);
    const V root = fma(sqrt(v), constant(o.inverse_sqrt_correction2), constant(o.epsilon));
    return fma(constant(-o.step_size), m / root, w);
  }
}

// The optimizer is fixed for a whole tile: calls body.template operator()<kind>().
template <class Body>
void with_optimizer(OptimizerKind kind, const Body& body) {
  switch (kind) {
    case OptimizerKind::store:
      return body.template operator()<OptimizerKind::store>();
    case OptimizerKind::sgd:
      return body.template operator()<OptimizerKind::sgd>();
    case OptimizerKind::momentum:
      return body.template operator()<OptimizerKind::momentum>();
    case OptimizerKind::nesterov:
      return body.template operator()<OptimizerKind::nesterov>();
    case OptimizerKind::adam:
      return body.template operator()<OptimizerKind::adam>();
    case OptimizerKind::adamw:
      return body.template operator()<OptimizerKind::adamw>();
  }
}

}  // namespace
