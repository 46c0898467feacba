// What stands between stored gradients and the update: the reductions there are, in their order.
#pragma once

#include <vector>

#include "clipping.hpp"
#include "techniques.hpp"

namespace twolayer {

template <class T>
class Reductions {
 public:
  // Whether a step has to store its gradients for any of them.
  static bool wanted(const Techniques& techniques) { return techniques.clip_norm > 0; }

  // sizes: of the stored gradients, in the order in which they will come.
  Reductions(const Techniques& techniques, const std::vector<std::int64_t>& sizes)
      : clipping_(techniques.clip_norm, sizes) {}

  // How much of the gradients the update is to use.
  T operator()(const std::vector<Flat<T>>& gradients, Team& team) {
    return clipping_(gradients, team);
  }

 private:
  Clipping<T> clipping_;
};

}  // namespace twolayer
