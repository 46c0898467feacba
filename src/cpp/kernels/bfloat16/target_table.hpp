// The table filled with this target's bfloat16 kernels; included after emulated.hpp or native.hpp.
#pragma once

#include "../math.hpp"
#include "../target_table.hpp"
#include "gather.hpp"
#include "operands.hpp"

namespace {

constexpr twolayer::Bfloat16Kernels bfloat16_kernels_of_this_target() {
  return {products_of_this_target<Bfloat16>(), gather, round_weights, round_rows};
}

}  // namespace
