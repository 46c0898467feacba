// How large the caches are that a core has to itself, and that it shares.
#pragma once

#include <cstdint>

namespace twolayer {

struct Caches {
  std::int64_t level1;  // bytes, of data
  std::int64_t level2;
  std::int64_t level3;
};

// What the system says, or what TWOLAYER_CACHES says in its place, for experiments: three numbers
// of bytes with commas between. Where neither says anything, what most CPUs have at least.
const Caches& caches();

}  // namespace twolayer
