// Every activation. A new one is a file beside these and a name in the list, at its end: its place
// there is its number. Each struct gives
//
//   name                   as users write it
//   value(z)               a = f(z)
//   through(gradient, x)   gradient * f'(z), where x is z if from_z, else a
//   from_z                 whether a is not enough for that, so that z has to be kept
//
// over any Vec<T>, whose operations and mathematics (math.hpp) argument-dependent lookup finds when
// a kernel uses them; for the names alone nothing else need be included. The definitions are
// PyTorch's. NaN stays NaN; infinities and what is as good as infinite give the limits.
#pragma once

#include "../list.hpp"
#include "elu.hpp"
#include "gelu.hpp"
#include "gelu_tanh.hpp"
#include "identity.hpp"
#include "leaky_relu.hpp"
#include "logistic.hpp"
#include "mish.hpp"
#include "relu.hpp"
#include "selu.hpp"
#include "silu.hpp"
#include "softplus.hpp"
#include "tanh.hpp"

namespace {

using Activations = twolayer::List<Identity, Relu, Tanh, Logistic, LeakyRelu, Elu, Selu, Softplus,
                                   Gelu, GeluTanh, Silu, Mish>;

}  // namespace
