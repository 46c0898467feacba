// Outputs, predictions and scores of any number of rows, in blocks: the memory does not grow with
// them.
#pragma once

#include <cstdint>
#include <optional>

#include "network.hpp"
#include "passes.hpp"

namespace twolayer {

// outputs: (rows.count, K), row-major, in the user's units: before the loss makes predictions of
// them.
template <class T>
void predict_outputs(const Network<T>& network, const Data& data, const Rows& rows, int threads,
                     const std::optional<Augmentation>& change, T* outputs);

// predictions: (rows.count, K), row-major: probabilities, means, values.
template <class T>
void predict(const Network<T>& network, const Data& data, const Rows& rows, const LossOptions& loss,
             int threads, const std::optional<Augmentation>& change, T* predictions);

struct Score {
  double loss;   // means over the rows
  double score;  // see losses/loss.hpp
};

template <class T>
Score evaluate(const Network<T>& network, const Data& data, const Rows& rows,
               const LossOptions& loss, int threads);

}  // namespace twolayer
