// Built with the AVX2 and FMA instructions.
#include "avx2.hpp"

#include "../targets.hpp"

namespace {

// 12 of 16 registers accumulate; two hold the columns, one the broadcast.
inline constexpr int tile_rows = 6;
inline constexpr int tile_vectors = 2;

}  // namespace

#include "../bfloat16/emulated.hpp"
#include "../bfloat16/target_table.hpp"
#include "../target_table.hpp"

namespace twolayer {

const Target target_avx2 = {
    "avx2",
    [] {
      return static_cast<bool>(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    },
    kernels_of_this_target<float>(),
    kernels_of_this_target<double>(),
    bfloat16_kernels_of_this_target(),
    nullptr,
};

}  // namespace twolayer
