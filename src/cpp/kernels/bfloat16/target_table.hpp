// The table filled with this target's bfloat16 kernels; included after emulated.hpp or native.hpp.
#pragma once

#include "../math.hpp"
#include "backward.hpp"
#include "forward.hpp"
#include "gather.hpp"
#include "probe.hpp"
#include "update.hpp"

namespace {

constexpr twolayer::Bfloat16Kernels bfloat16_kernels_of_this_target() {
  return {gather,         round_weights,         forward, round_rows, backward,
          update_weights, pair_multiply_add_peak};
}

}  // namespace
