// Which target's kernels this process uses: chosen once, the best one that the CPU supports, or the
// one that the environment variable TWOLAYER_ISA names.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "../kernels/targets.hpp"

namespace twolayer {

struct Choice {
  const Target* target;
  std::string reason;
};

// All targets built in, best first.
const std::vector<const Target*>& built_targets();

// Throws std::runtime_error if TWOLAYER_ISA names an unknown target or one this CPU lacks.
const Choice& chosen_target();

// Whether this process multiplies bfloat16 by instructions of the CPU.
bool has_native_bfloat16();

const Bfloat16Kernels& bfloat16_kernels();

template <class T>
const Kernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) {
    return chosen_target().target->float32;
  } else {
    return chosen_target().target->float64;
  }
}

template <class P>
const Products<P>& products() {
  if constexpr (std::is_same_v<P, Bfloat16>) {
    return bfloat16_kernels().products;
  } else {
    return kernels<typename P::Scalar>().products;
  }
}

}  // namespace twolayer
