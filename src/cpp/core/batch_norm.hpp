// Batch normalisation of hidden layers, beside the kernels in between.hpp.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "network.hpp"

namespace twolayer {

// Of one hidden layer; the layer's bias is added after it.
template <class T>
struct BatchNorm {
  Buffer<T> gamma;  // padded(H), ones at first, as all but `normalized`
  Buffer<T> running_mean;
  Buffer<T> running_variance;
  Buffer<T> mean;  // of the batch
  Buffer<T> variance;
  Buffer<T> normalized;  // (N, H)
  Buffer<T> inverse_deviation;
  Buffer<T> dgamma;
  Buffer<T> dbeta;

  BatchNorm(std::int64_t capacity, std::int64_t outputs);
};

// Moves the running statistics towards a batch's; of the variance, one sample says nothing.
template <class T>
void follow_statistics(std::vector<BatchNorm<T>>& norms, std::int64_t samples);

// The trained network with normalisation by the running statistics folded into weights and biases.
template <class T>
void fold_statistics(const Network<T>& trained, const std::vector<BatchNorm<T>>& norms,
                     Network<T>& to);

}  // namespace twolayer
