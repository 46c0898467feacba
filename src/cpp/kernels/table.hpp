// What the kernels do, as plain structs and one table of functions per instruction set and element
// type. Every function computes the part of its result given by the ranges it is called with, so
// that threads own disjoint parts; none allocates, throws or synchronises.
//
// Symbols in shapes: N samples of the batch, D inputs and H outputs of a layer, C classes.
// Matrices are in panels (panels.hpp).
#pragma once

#include <cstdint>

#include "panels.hpp"

namespace twolayer {

enum class Activation { identity, relu, tanh, logistic };
enum class ElementType { uint8, float32, float64 };
enum class OptimizerKind { store, sgd, momentum, nesterov, adam, adamw };

// What happens to an image on its way into the batch: see augment.hpp. A row of the data is
// `channels` planes of height x width.
struct Augmentation {
  enum class Flip { never, at_random, always };
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
  Flip flip;            // left and right
  std::int64_t shift;   // pixels at most, in each direction
  std::int64_t cutout;  // side of the square that is blotted out; 0: none
  std::uint64_t key;    // of the random numbers
};

// batch (N, D) = (x[rows] - shift) * inverse_scale, converted to T.
template <class T>
struct Gather {
  const void* x;
  ElementType type;
  std::int64_t row_stride;   // bytes from one row of x to the next
  const std::int64_t* rows;  // N row numbers, or null: rows first_row, first_row + 1, ...
  std::int64_t first_row;
  std::int64_t samples;
  std::int64_t inputs;
  const T* shift;          // padded(D), zero beyond D
  const T* inverse_scale;  // padded(D), zero beyond D
  T* batch;
  bool augmented;  // with what follows
  Augmentation augmentation;
};

// output (N, H) = activation(input (N, D) weights (D, H) + bias (H)).
template <class T>
struct Forward {
  const T* input;
  const T* weights;
  const T* bias;
  T* output;
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  Activation activation;
};

// The logits (N, C), overwritten by the probabilities or by the loss's gradient; see softmax.hpp.
template <class T>
struct Softmax {
  T* logits;
  const std::int64_t* labels;  // of all of x; null when no loss is wanted
  const std::int64_t* rows;    // as in Gather
  std::int64_t first_row;
  std::int64_t samples;
  std::int64_t classes;
  const double* weights;  // of all of x, or null: every sample weighs 1
  T smoothing;            // share of the label that is spread evenly over the classes
  bool leave_gradient;    // instead of a
  double sum_of_weights;  // of the samples'
  T* probabilities;       // (N, C) row-major, a copy of a, or null
  T* losses;              // N, with labels; not weighted
  std::uint8_t* correct;  // N, with labels: 1 where the largest logit is the label's
};

// Added to the variance before the root: as PyTorch's BatchNorm1d has it by default.
inline constexpr double batch_norm_epsilon = 1e-5;

// Between a hidden layer's product and the next layer: batch normalisation, activation, dropout;
// see between.hpp.
template <class T>
struct Between {
  T* values;    // (N, H): forward turns pre-activations into what the next layer reads
  T* gradient;  // (N, H): backward turns that of the values into that of the pre-activations
  std::int64_t samples;
  std::int64_t outputs;
  Activation activation;
  std::uint64_t key;  // of the dropout's random numbers
  std::int64_t kept;  // of 65536 values; all: no dropout
  const T* gamma;     // padded(H), as all below; null: no batch normalisation
  const T* beta;
  T* normalized;  // (N, H)
  T* inverse_deviation;
  T* mean;      // of the batch
  T* variance;  // of the batch, unbiased
  T* dgamma;
  T* dbeta;
};

// dinput (N, D) = (doutput (N, H) weightsᵀ (H, D)) * activation'(z), z the input's pre-activation.
template <class T>
struct Backward {
  const T* doutput;
  const T* weights;
  const T* input;  // activation(z), from which the derivative is computed
  T* dinput;
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  Activation activation;
};

// One step of an optimizer, all scalars already in T; see optimizer.hpp for the formulas.
template <class T>
struct OptimizerStep {
  OptimizerKind kind;
  T learning_rate;
  T weight_decay;
  T decayed;  // 1 - learning_rate * weight_decay
  T momentum;
  T one_minus_beta1;
  T beta2;
  T one_minus_beta2;
  T epsilon;
  T step_size;                 // learning_rate / (1 - beta1^t)
  T inverse_sqrt_correction2;  // 1 / sqrt(1 - beta2^t)
};

// gradient (D, H) = inputᵀ (D, N) doutput (N, H) + two_reg * weights, handed to the optimizer tile
// by tile; bias gradient (H) = column sums of doutput.
template <class T>
struct Update {
  const T* input;
  const T* doutput;
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  T two_reg;
  T* weights;
  T* weights_state1;  // momentum, or Adam's first moment; the gradient itself for `store`
  T* weights_state2;  // Adam's second moment
  T* bias;
  T* bias_state1;
  T* bias_state2;
  T* squares;  // block_count(D) x panel_count(H) sums of the old weights' squares, or null
  OptimizerStep<T> step;
  const Gather<T>* next;  // a batch whose rows are brought near meanwhile, or null
  Range next_panels;      // those of its columns that the calling thread will gather
};

// Parameters whose gradient exists in memory, `scale` times it handed to the optimizer.
template <class T>
struct FlatUpdate {
  T* parameters;
  T* state1;  // as in Update
  T* state2;
  const T* gradient;
  T scale;
  OptimizerStep<T> step;
};

// Squares are summed by chunks of this many neighbours.
inline constexpr std::int64_t chunk = panel_width * panel_width;

// Weights are updated in blocks of this many rows; a thread owns whole blocks.
inline constexpr std::int64_t block_rows = panel_width;
constexpr std::int64_t block_count(std::int64_t rows) { return panel_count(rows); }

template <class T>
struct Kernels {
  void (*gather)(const Gather<T>&, Range panels);
  void (*forward)(const Forward<T>&, Range samples, Range panels);
  void (*softmax)(const Softmax<T>&, Range samples);
  // scratch: padded(H) * panel_width elements of the calling thread's own
  void (*backward)(const Backward<T>&, Range samples, Range panels, T* scratch);
  void (*update_weights)(const Update<T>&, Range blocks);
  void (*update_bias)(const Update<T>&, Range panels);
  void (*between_forward)(const Between<T>&, Range panels);
  void (*between_backward)(const Between<T>&, Range panels);
  void (*update_flat)(const FlatUpdate<T>&, Range elements);  // cut at multiples of panel_width
  // sums[i] of the squares of chunk i of `count` values, a multiple of panel_width
  void (*sum_squares)(const T* values, std::int64_t count, Range chunks, T* sums);
  // `iterations` of independent multiply-adds in registers; returns how many floating-point
  // operations that was. What is written to `kept` only keeps the compiler from removing them.
  double (*multiply_add_peak)(std::int64_t iterations, T* kept);
};

}  // namespace twolayer
