// A data set as it lies in memory: nobody copies it.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/table.hpp"

namespace twolayer {

struct Data {
  Source x;
  const std::int64_t* labels = nullptr;  // one a row of x, in [0, K), for losses that take classes;
  Source targets{};  // for the others, (N, K / levels); neither where no loss is wanted
  const double* weights = nullptr;  // one a row of x, finite and not negative; null: 1 each

  bool sparse() const { return x.starts != nullptr; }
};

// Which rows of the data, in which order.
struct Rows {
  const std::int64_t* numbers;  // null: first, first + 1, ...
  std::int64_t first;
  std::int64_t count;
  std::uint64_t step = 0;  // of training, which random numbers depend on

  std::int64_t number(std::int64_t i) const { return numbers != nullptr ? numbers[i] : first + i; }
  Rows slice(std::int64_t begin, std::int64_t length) const {
    return {numbers != nullptr ? numbers + begin : nullptr, first + begin, length, step};
  }
};

// What is to be computed of the outputs, as the kernels take it (losses/loss.hpp), but in double.
struct LossOptions {
  int kind;
  std::int64_t levels = 1;
  double smoothing = 0;
  std::vector<double> parameters{};   // one an output, or none; cross_entropy's: class weights
  std::vector<double> score_scale{};  // likewise
  // Of losses that are means over the outputs, what to divide the sums by instead; 0: their number.
  double value_divisor = 0;
  double gradient_divisor = 0;
  // Of cross_entropy and logistic: logarithms are those of probabilities clipped to
  // [floor, 1 - floor], as scikit-learn computes them; the gradient is not clipped. 0: from logits.
  double probability_floor = 0;

  bool operator==(const LossOptions&) const = default;
};

}  // namespace twolayer
