// What a loss pass works on: the last layer's outputs, and what they are compared with.
//
// Symbols in shapes: N samples of the batch, K outputs of the last layer.
#pragma once

#include <cstdint>

#include "../panels.hpp"

namespace twolayer {

// What a loss pass leaves in place of the outputs: the outputs, what the loss takes for a
// prediction, or the gradient of the batch's loss at the outputs.
enum class Leave { outputs, predictions, gradient };

// A sample's loss and score count once; `weights` are only in the gradient, which is that of
//     sum of weight * loss / sum_of_weights.
template <class T>
struct Loss {
  int kind;                    // its number in the list, all.hpp
  T* outputs;                  // (N, K) in panels; overwritten as `leave` says, padding with zeros
  const std::int64_t* labels;  // of all of x (cross_entropy), or null where no loss is wanted
  const T* targets;  // (N, K / levels) of this batch in panels (all other losses), or null likewise
  const std::int64_t* rows;  // as in Gather
  std::int64_t first_row;
  std::int64_t samples;       // N
  std::int64_t output_count;  // K
  std::int64_t levels;        // output k belongs to target k / levels
  // padded(K), one an output: huber's delta, quantile's level, cross_entropy's class weight; or
  // null
  const T* parameters;
  const T* shift;  // padded(K), with `scale`
  const T* scale;  // padded(K): an output in the user's units is fma(scale, z, shift); or null
  const T* score_scale;   // padded(K), or null: 1 / K each; see `scores`
  T smoothing;            // of labels (cross_entropy, logistic)
  T value_divisor;        // of elementwise losses' sums over the outputs; 0: K
  T gradient_divisor;     // likewise, of their gradients
  T probability_floor;    // 0, or where values are clipped (likewise), of smoothing 0
  T largest;              // -log of it
  const double* weights;  // of all of x, or null: every sample weighs 1
  double sum_of_weights;  // of the samples'
  Leave leave;            // `gradient` only with labels or targets
  T* predictions;         // (N, K) row-major, in the user's units: probabilities, means; or null
  T* losses;              // N, with labels or targets
  // N, likewise: 1 where all of a sample is classified right, else 0; or for real targets the sum
  // over k of score_scale[k] * (target - prediction)^2.
  T* scores;
};

}  // namespace twolayer
