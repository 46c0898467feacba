// Everything between input and loss for batches of up to `capacity` samples, allocated once.
#pragma once

#include <cstdint>
#include <vector>

#include "batch_norm.hpp"
#include "buffer.hpp"
#include "data.hpp"
#include "network.hpp"
#include "operands.hpp"
#include "techniques.hpp"

namespace twolayer {

// P: of the products' operands (kernels/operands.hpp).
template <class P>
struct Workspace {
  using T = typename P::Scalar;

  std::int64_t capacity;
  std::vector<Buffer<T>> activations;     // (N, sizes[l]) in panels; the last one holds the outputs
  std::vector<Buffer<T>> preactivations;  // of hidden layers, for activations that want them
  std::vector<Buffer<T>> gradients;       // of the hidden layers' pre-activations; for training
  std::vector<Buffer<T>> scratch;         // one a thread, for products
  std::vector<Buffer<std::int64_t>> cursors;  // one a thread, for CSR rows
  LossOptions loss;
  Buffer<T> loss_parameters;  // padded(K), as the next
  Buffer<T> score_scale;
  Buffer<T> targets;       // (N, K / levels) in panels, read as they are:
  Buffer<T> target_shift;  // zeros,
  Buffer<T> target_scale;  // and ones
  Buffer<T> losses;        // N
  Buffer<T> scores;        // N
  Techniques techniques;
  std::vector<BatchNorm<T>> norms;  // of the hidden layers, or empty
  Buffer<T> zeros;                  // in place of a bias that comes after normalisation
  Operands<P> operands;

  // With techniques for training, without for inference.
  Workspace(const Network<T>& network, std::int64_t capacity, int threads, const LossOptions& loss,
            const Techniques* techniques);

  // What depends on the data: before the first pass over it, by one thread.
  void make_room_for(const Network<T>& network, const Data& data);

  // Whether more stands between layer l and the next than a bias and an activation.
  bool between(std::size_t l) const {
    return l + 1 < activations.size() - 1 &&
           (techniques.batch_norm || (!techniques.dropout.empty() && techniques.dropout[l] > 0));
  }

  // The gradient of layer l's pre-activations; the last layer's takes the place of the outputs.
  T* gradient(std::size_t l) {
    return l < gradients.size() ? gradients[l].data() : activations.back().data();
  }

  T* preactivation(std::size_t l) {
    return l < preactivations.size() ? preactivations[l].data() : nullptr;
  }
};

}  // namespace twolayer
