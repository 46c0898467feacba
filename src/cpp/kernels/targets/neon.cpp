// AArch64, where NEON is always there.
#include "neon.hpp"

#include "../targets.hpp"

namespace {

// 24 of 32 registers accumulate; four hold the columns, one the broadcast.
inline constexpr int tile_rows = 6;
inline constexpr int tile_vectors = 4;

}  // namespace

#include "../bfloat16/emulated.hpp"
#include "../bfloat16/target_table.hpp"
#include "../target_table.hpp"

namespace twolayer {

const Target target_neon = {
    "neon",
    [] { return static_cast<bool>(true); },
    kernels_of_this_target<float>(),
    kernels_of_this_target<double>(),
    bfloat16_kernels_of_this_target(),
    nullptr,
};

}  // namespace twolayer
