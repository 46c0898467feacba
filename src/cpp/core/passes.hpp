// The phases that training and inference are made of. All threads of a team call each function
// together; on return its results may be read by all of them.
#pragma once

#include <vector>

#include "../kernels/table.hpp"
#include "buffer.hpp"
#include "data.hpp"
#include "network.hpp"
#include "techniques.hpp"
#include "threads.hpp"

namespace twolayer {

// Splits a result (samples, panels) over a grid of threads such that the largest part is smallest;
// among equals the one with the most columns of threads, whose parts read the fewest weights.
struct Share {
  Range samples;
  Range panels;
};
Share share(std::int64_t samples, std::int64_t panels, const Member& member);

// Batch normalisation of one hidden layer; the layer's bias is added after it.
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

// Everything between input and loss for batches of up to `capacity` samples, allocated once.
template <class T>
struct Workspace {
  std::int64_t capacity;
  std::vector<Buffer<T>> activations;  // (N, sizes[l]) in panels; the last one holds the logits
  std::vector<Buffer<T>> gradients;    // of the hidden layers' pre-activations; none for inference
  std::vector<Buffer<T>> scratch;      // one a thread, for Kernels::backward
  Buffer<T> losses;                    // N
  Buffer<std::uint8_t> correct;        // N
  Techniques techniques;
  std::vector<BatchNorm<T>> norms;  // of the hidden layers, or empty
  Buffer<T> no_bias;                // zeros, in place of a bias that comes after normalisation

  // With techniques for training, without for inference.
  Workspace(const Network<T>& network, std::int64_t capacity, int threads,
            const Techniques* techniques);

  // Whether more stands between layer l and the next than a bias and an activation.
  bool between(std::size_t l) const {
    return l + 1 < activations.size() - 1 &&
           (techniques.batch_norm || (!techniques.dropout.empty() && techniques.dropout[l] > 0));
  }

  // The gradient of layer l's pre-activations; the last layer's takes the place of the logits.
  T* gradient(std::size_t l) {
    return l < gradients.size() ? gradients[l].data() : activations.back().data();
  }
};

// Before the first of some steps on this data, and after the last of them.
template <class T>
void prepare(const Network<T>&, const Data&, Workspace<T>&, const Member&) {}
template <class T>
void conclude(const Network<T>&, Workspace<T>&) {}

// After the weights have been changed by other means than update_weights().
template <class T>
void follow_weights(const Network<T>&, Workspace<T>&, const Member&) {}

// What stands between layer l and the next; the ranges of panels are the layer's outputs.
template <class T>
Between<T> between_layers(const Network<T>& network, const Rows& rows, std::size_t l,
                          Workspace<T>& work);

// How layer l's product is finished: as it stands in the network, unless more comes after it.
template <class T>
const T* bias_of_product(const Network<T>& network, std::size_t l, const Workspace<T>& work) {
  return work.norms.empty() || !work.between(l) ? network.layers[l].bias.data()
                                                : work.no_bias.data();
}
template <class T>
Activation activation_of_product(const Network<T>& network, std::size_t l,
                                 const Workspace<T>& work) {
  return work.between(l) ? Activation::identity : network.activation_of(l);
}

// How a batch gets into work.activations[0].
template <class T>
Gather<T> gathering(const Network<T>& network, const Data& data, const Rows& rows,
                    Workspace<T>& work);

template <class T>
void forward_pass(const Network<T>& network, const Data& data, const Rows& rows, Workspace<T>& work,
                  const Member& member);

// What the loss pass leaves in place of the logits.
enum class Leave { probabilities, gradient };

// Fills work.losses and work.correct. The gradient is that of the mean loss.
template <class T>
void loss_pass(const Network<T>& network, const Data& data, const Rows& rows, Leave leave,
               Workspace<T>& work, const Member& member);

// From the last layer's gradient to all others'.
template <class T>
void backward_pass(const Network<T>& network, const Rows& rows, Workspace<T>& work,
                   const Member& member);

// The weights of one layer, in blocks of rows; no member waits for another.
template <class T>
void update_weights(const Update<T>& update, std::size_t layer, Range blocks, Workspace<T>& work,
                    const Member& member);

// Of the rows, in ascending order.
double sum_of_weights(const Data& data, const Rows& rows);

// In ascending order.
template <class T>
double sum_of_losses(const Workspace<T>& work, const Data& data, const Rows& rows);
template <class T>
std::int64_t count_of_correct(const Workspace<T>& work, std::int64_t samples);

// Threads worth waking for one batch: the multiply-adds of a pass against the cost of its barriers.
template <class T>
int useful_threads(const Network<T>& network, std::int64_t samples, int threads);

}  // namespace twolayer
