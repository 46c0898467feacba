// What the optimizers' files share. Each has a struct a kind:
//     name              how the core is asked for it
//     hyperparameters   their names, in the order in which begin_step gets them
//     states            names of what it keeps for each parameter: at most `most_states`
//     begin_step        once a step, in double: the hyper-parameters h, the learning rate and two
//                       running powers, 1 before the first step, become constants of the kernel
//     step              a vector of parameters w with gradient g: returns the new w; state[i] + at
//                       is where its state stands
// Every multiply-add is a fused one, so that all instruction sets round alike. These headers are
// read outside the kernels, too, where there is no vector type.
#pragma once

#include <cstdint>

namespace twolayer {

inline constexpr int most_states = 3;
inline constexpr int most_constants = 8;

// At most four names.
struct Names {
  const char* all[4];

  constexpr int count() const {
    int n = 0;
    while (n < 4 && all[n] != nullptr) ++n;
    return n;
  }
};

// Correctly rounded, without a call into a library.
inline double square_root(double x) { return __builtin_sqrt(x); }

}  // namespace twolayer
