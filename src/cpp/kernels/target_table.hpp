// Included last in each target's translation unit: the table filled with this target's kernels.
#pragma once

#include "backward.hpp"
#include "between.hpp"
#include "flat.hpp"
#include "forward.hpp"
#include "gather.hpp"
#include "probe.hpp"
#include "softmax.hpp"
#include "update.hpp"

namespace {

template <class T>
constexpr twolayer::Kernels<T> kernels_of_this_target() {
  return {gather<T>,         forward<T>,     softmax<T>,          backward<T>,
          update_weights<T>, update_bias<T>, between_forward<T>,  between_backward<T>,
          update_flat<T>,    sum_squares<T>, multiply_add_peak<T>};
}

}  // namespace
