// The targets that may be built in, best first, each defined in targets/<name>.cpp.
#pragma once

#include "bfloat16/table.hpp"
#include "table.hpp"

namespace twolayer {

// bfloat16 kernels that need instructions beyond their target's own.
struct NativeBfloat16 {
  bool (*supported)();
  Bfloat16Kernels kernels;
};

struct Target {
  const char* name;
  bool (*supported)();  // by this CPU and operating system
  Kernels<float> float32;
  Kernels<double> float64;
  Bfloat16Kernels emulated_bfloat16;
  const NativeBfloat16* native_bfloat16;  // or null
};

extern const Target target_avx512;
extern const Target target_avx2;
extern const Target target_neon;
extern const Target target_portable;

extern const NativeBfloat16 native_bfloat16_avx512;

}  // namespace twolayer
