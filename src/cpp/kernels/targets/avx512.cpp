// Built with the AVX-512 F, BW, DQ and VL instructions, FMA included.
#include "avx512.hpp"

#include "../targets.hpp"

namespace {

// 28 of 32 registers accumulate; two hold the columns, one the broadcast. 14 + 2 loads feed 28
// multiply-adds, so two loads a cycle keep two multipliers busy.
inline constexpr int tile_rows = 14;
inline constexpr int tile_vectors = 2;

}  // namespace

#include "../bfloat16/emulated.hpp"
#include "../bfloat16/target_table.hpp"
#include "../target_table.hpp"

namespace twolayer {

const Target target_avx512 = {
    "avx512",
    [] {
      return static_cast<bool>(
          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
    },
    kernels_of_this_target<float>(),
    kernels_of_this_target<double>(),
    bfloat16_kernels_of_this_target(),
    &native_bfloat16_avx512,
};

}  // namespace twolayer
