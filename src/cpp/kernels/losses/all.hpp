// The list of losses. A loss is its file, which says what it computes, and its place here, which is
// its number; the twin in Python is the third and last. pass.hpp runs them.
#pragma once

#include "../list.hpp"
#include "absolute_error.hpp"
#include "cross_entropy.hpp"
#include "huber.hpp"
#include "logistic.hpp"
#include "poisson.hpp"
#include "quantile.hpp"
#include "squared_error.hpp"

namespace twolayer {

using Losses = List<CrossEntropy, Logistic, SquaredError, AbsoluteError, Huber, Poisson, Quantile>;

}  // namespace twolayer
