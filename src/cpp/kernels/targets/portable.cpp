// Any processor, without vector instructions of its own; the last resort, and exact.
#include "portable.hpp"

#include "../targets.hpp"

namespace {

// 8 vectors of 4 floats fill the 16 registers of SSE2 half; fma is a function call here.
inline constexpr int tile_rows = 4;
inline constexpr int tile_vectors = 2;

}  // namespace

#include "../bfloat16/emulated.hpp"
#include "../bfloat16/target_table.hpp"
#include "../target_table.hpp"

namespace twolayer {

const Target target_portable = {
    "portable",
    [] { return static_cast<bool>(true); },
    kernels_of_this_target<float>(),
    kernels_of_this_target<double>(),
    bfloat16_kernels_of_this_target(),
    nullptr,
};

}  // namespace twolayer
