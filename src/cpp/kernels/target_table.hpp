// Included last in each target's translation unit: the tables filled with this target's kernels.
#pragma once

#include "backward.hpp"
#include "between.hpp"
#include "flat.hpp"
#include "forward.hpp"
#include "gather.hpp"
#include "losses/pass.hpp"
#include "probe.hpp"
#include "sparse.hpp"
#include "update.hpp"

namespace {

template <class P>
constexpr twolayer::Products<P> products_of_this_target() {
  return {forward<P>, backward<P>, update_weights<P>, multiply_add_peak<P>};
}

template <class T>
constexpr twolayer::Kernels<T> kernels_of_this_target() {
  return {products_of_this_target<Exact<T>>(),
          gather<T>,
          forward_sparse<T>,
          update_sparse<T>,
          loss<T>,
          update_bias<T>,
          between_forward<T>,
          between_backward<T>,
          update_flat<T>,
          sum_squares<T>};
}

}  // namespace
