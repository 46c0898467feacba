// A data set as it lies in memory: nobody copies it.
#pragma once

#include <cstdint>

#include "../kernels/table.hpp"

namespace twolayer {

struct Data {
  const void* x;  // rows of `type`, contiguous within a row
  ElementType type;
  std::int64_t row_stride;          // bytes
  const std::int64_t* labels;       // one a row of x, in [0, classes); null where none are needed
  const double* weights = nullptr;  // one a row of x, finite and not negative; null: 1 each
};

// Which rows of the data, in which order.
struct Rows {
  const std::int64_t* numbers;  // null: first, first + 1, ...
  std::int64_t first;
  std::int64_t count;
  std::uint64_t step = 0;  // of training, which random numbers depend on

  Rows slice(std::int64_t begin, std::int64_t length) const {
    return {numbers != nullptr ? numbers + begin : nullptr, first + begin, length, step};
  }
};

}  // namespace twolayer
