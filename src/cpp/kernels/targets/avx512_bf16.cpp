// Built with the instructions of avx512.cpp and AVX512-BF16.
#include "../bfloat16/native.hpp"
#include "../targets.hpp"

namespace {

// As in avx512.cpp: a tile of the same registers, each multiply-add being two.
inline constexpr int tile_rows = 14;
inline constexpr int tile_vectors = 2;

}  // namespace

#include "../bfloat16/target_table.hpp"

namespace twolayer {

const NativeBfloat16 native_bfloat16_avx512 = {
    [] { return static_cast<bool>(__builtin_cpu_supports("avx512bf16")); },
    bfloat16_kernels_of_this_target(),
};

}  // namespace twolayer
