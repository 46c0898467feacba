// A reduction of stored gradients: what stands between them and the update. This one bounds their
// norm (Pascanu, Mikolov and Bengio 2013).
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "update.hpp"

namespace twolayer {

template <class T>
class Clipping {
 public:
  // largest_norm 0: any. sizes: of the gradients.
  Clipping(double largest_norm, const std::vector<std::int64_t>& sizes)
      : largest_norm_(largest_norm) {
    if (largest_norm == 0) return;
    std::int64_t chunks = 0;
    for (const std::int64_t size : sizes) chunks += chunk_count(size);
    squares_ = Buffer<T>(chunks);
  }

  // How much of the gradients is to be used. Sums of sums over chunks of fixed size: the order does
  // not depend on the number of threads.
  T operator()(const std::vector<Flat<T>>& gradients, Team& team) {
    if (largest_norm_ == 0) return T(1);
    T* sums = squares_.data();
    for (const Flat<T>& of : gradients) {
      const std::int64_t chunks = chunk_count(of.size);
      team.share(chunks, of_an_element * chunk, [&](Range part, int) {
        kernels<T>().sum_squares(of.update.gradient, of.size, part, sums);
      });
      sums += chunks;
    }
    const double norm = std::sqrt(sum(squares_));
    return static_cast<T>(std::min(1.0, largest_norm_ / (norm + 1e-6)));  // as PyTorch
  }

 private:
  static std::int64_t chunk_count(std::int64_t values) { return (values + chunk - 1) / chunk; }

  double largest_norm_;
  Buffer<T> squares_;
};

}  // namespace twolayer
