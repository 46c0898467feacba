// The targets that may be built in, best first, each defined in targets/<name>.cpp.
#pragma once

#include "table.hpp"

namespace twolayer {

extern const Target target_avx512;
extern const Target target_avx2;
extern const Target target_neon;
extern const Target target_portable;

}  // namespace twolayer
