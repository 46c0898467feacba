// Predictions and scores of any number of rows, in blocks: the memory does not grow with them.
#pragma once

#include <cstdint>
#include <optional>

#include "network.hpp"
#include "passes.hpp"

namespace twolayer {

// probabilities: (rows.count, classes), row-major.
template <class T>
void predict_probabilities(const Network<T>& network, const Data& data, const Rows& rows,
                           int threads, const std::optional<Augmentation>& change,
                           T* probabilities);

struct Score {
  double loss;  // mean over the rows
  std::int64_t correct;
};

template <class T>
Score evaluate(const Network<T>& network, const Data& data, const Rows& rows, int threads);

}  // namespace twolayer
