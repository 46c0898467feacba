// The targets that are built in, each defined in targets/<name>.cpp: CMakeLists.txt lists them,
// best first, in TWOLAYER_TARGETS.
#pragma once

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

#define TWOLAYER_TARGET(name) extern const Target target_##name;
TWOLAYER_TARGETS
#undef TWOLAYER_TARGET

extern const NativeBfloat16 native_bfloat16_avx512;  // where avx512 is

}  // namespace twolayer
