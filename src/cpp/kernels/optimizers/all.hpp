// The optimizers there are.
#pragma once

#include "../list.hpp"
#include "adam.hpp"
#include "lion.hpp"
#include "rmsprop.hpp"
#include "sgd.hpp"

namespace {

using Optimizers = twolayer::List<Sgd, SgdWithMomentum<false>, SgdWithMomentum<true>, Adam, AdamW,
                                  Lion, RmsProp<false, false>, RmsProp<false, true>,
                                  RmsProp<true, false>, RmsProp<true, true>, AdamEpsilonHat,
                                  SgdWithVelocity<false>, SgdWithVelocity<true>>;

}  // namespace
