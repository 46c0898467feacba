// What the kernels do, as plain structs and one table of functions per instruction set and element
// type. Every function computes the part of its result given by the ranges it is called with, so
// that threads own disjoint parts; none allocates, throws or synchronises.
//
// Symbols in shapes: N samples of the batch, D inputs and H outputs of a layer, K outputs of the
// network. Matrices are in panels (panels.hpp). Activations, losses and optimizers go by their
// numbers in the lists of activations/all.hpp, losses/all.hpp and optimizers/all.hpp.
#pragma once

#include <cstdint>

#include "losses/loss.hpp"
#include "operands.hpp"
#include "optimizers/constants.hpp"
#include "panels.hpp"
#include "source.hpp"

namespace twolayer {

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

// batch (N, D) = (x[rows] - shift) * inverse_scale, converted to T: float64 rows after that, all
// others before it. Where the mean is large against the spread, digits that only double has are
// what is left of such a row.
template <class T>
struct Gather {
  Source x;
  const std::int64_t* rows;  // N row numbers, or null: rows first_row, first_row + 1, ...
  std::int64_t first_row;
  std::int64_t samples;
  std::int64_t inputs;
  const T* shift;          // padded(D), zero beyond D
  const T* inverse_scale;  // padded(D), zero beyond D
  // The same for float64 rows where T is not double; or nulls: those above do.
  const double* exact_shift;
  const double* exact_inverse_scale;
  T* batch;        // not of CSR rows, which are never laid out
  bool augmented;  // with what follows
  Augmentation augmentation;
};

// The same rounded to bfloat16, both ways.
struct Bfloat16Gather {
  Gather<float> from;  // `batch` is not used
  Operand<Bfloat16> to;
};

// output (N, H) = activation(input (N, D) weights (D, H) + bias (H)).
template <class P>
struct Forward {
  using T = typename P::Scalar;
  const typename P::Element* input;    // along; null for CSR rows
  const typename P::Element* weights;  // across
  const T* bias;
  const T* corrections;  // RoundedWeights'; or null
  T* output;
  T* preactivation;    // (N, H), kept for activations that want it on the way back; or null
  Operand<P> rounded;  // the output as products read it, where that is another; or nulls
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  int activation;
};

// Added to the variance before the root: as PyTorch's BatchNorm1d has it by default.
inline constexpr double batch_norm_epsilon = 1e-5;

// Between a hidden layer's product and the next layer: batch normalisation, activation, dropout;
// see between.hpp.
template <class T>
struct Between {
  T* values;         // (N, H): forward turns pre-activations into what the next layer reads
  T* preactivation;  // (N, H), as in Forward
  T* gradient;       // (N, H): backward turns that of the values into that of the pre-activations
  std::int64_t samples;
  std::int64_t outputs;
  int activation;
  std::uint64_t key;       // of the dropout's random numbers
  std::int64_t remaining;  // of 65536 values; all: no dropout
  const T* gamma;          // padded(H), as all below; null: no batch normalisation
  const T* beta;
  T* normalized;  // (N, H)
  T* inverse_deviation;
  T* mean;      // of the batch
  T* variance;  // of the batch, unbiased
  T* dgamma;
  T* dbeta;
};

// dinput (N, D) = (doutput (N, H) weightsᵀ (H, D)) * activation'(z), z the input's pre-activation.
template <class P>
struct Backward {
  using T = typename P::Scalar;
  const typename P::Element* doutput;  // along
  const T* weights;
  const T* slope_from;  // (N, D) activation(z), or z for activations whose slope needs it
  T* dinput;
  Operand<P> rounded;  // as in Forward
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  int activation;
};

// One step of an optimizer: its number, and what it made of its hyper-parameters.
template <class T>
struct OptimizerStep {
  int kind;
  T constants[most_constants];
};

// Where the gradient of some parameters goes: to the optimizer, or to memory.
template <class T>
struct Destination {
  const T* parameters;  // before the step
  T* updated;           // the same memory, for the optimizer to write; null: store the gradient
  T* state[most_states];
  T* gradient;  // where it is stored
};

// gradient (D, H) = inputᵀ (D, N) doutput (N, H) + two_reg * weights, sent off tile by tile.
template <class P>
struct Update {
  using T = typename P::Scalar;
  const typename P::Element* input;  // across, as the next; null for CSR rows
  const typename P::Element* doutput;
  std::int64_t samples;
  std::int64_t inputs;
  std::int64_t outputs;
  T two_reg;
  Destination<T> weights;
  T* squares;  // block_count(D) x panel_count(H) sums of the old weights' squares, or null
  OptimizerStep<T> step;
  RoundedWeights rounded;  // follows the weights, where operands are rounded and `rounded` is there
  const Gather<T>* next;   // a batch whose rows are brought near meanwhile, or null
  Range next_panels;       // those of its columns that the calling thread will gather
};

// bias gradient (H) = column sums of doutput (N, H), sent off.
template <class T>
struct BiasUpdate {
  const T* doutput;
  std::int64_t samples;
  std::int64_t outputs;
  Destination<T> bias;
  OptimizerStep<T> step;
};

// Parameters whose gradient exists in memory, `scale` times it handed to the optimizer.
template <class T>
struct FlatUpdate {
  Destination<T> to;
  const T* gradient;
  T scale;
  OptimizerStep<T> step;
};

// Squares are summed by chunks of this many neighbours.
inline constexpr std::int64_t chunk = panel_width * panel_width;

// Weights are updated in blocks of this many rows; a thread owns whole blocks.
inline constexpr std::int64_t block_rows = panel_width;
constexpr std::int64_t block_count(std::int64_t rows) { return panel_count(rows); }

// What reads operands. Ranges of samples begin at multiples of P::depth.
template <class P>
struct Products {
  using T = typename P::Scalar;
  void (*forward)(const Forward<P>&, Range samples, Range panels);
  // scratch: padded(H) * panel_width elements of the calling thread's own
  void (*backward)(const Backward<P>&, Range samples, Range panels, T* scratch);
  // scratch: padded(H) elements
  void (*update_weights)(const Update<P>&, Range blocks, T* scratch);
  // `iterations` of independent multiply-adds in registers; returns how many floating-point
  // operations that was. What is written to `result` only keeps the compiler from removing them.
  double (*multiply_add_peak)(std::int64_t iterations, T* result);
};

template <class T>
struct Kernels {
  Products<Exact<T>> products;
  void (*gather)(const Gather<T>&, Range panels);
  // The product of CSR rows, read where they lie.
  void (*forward_sparse)(const Gather<T>&, const Forward<Exact<T>>&, Range samples, Range panels);
  // cursors: N numbers of the calling thread's own
  void (*update_sparse)(const Gather<T>&, const Update<Exact<T>>&, Range blocks,
                        std::int64_t* cursors);
  void (*loss)(const Loss<T>&, Range samples);
  void (*update_bias)(const BiasUpdate<T>&, Range panels);
  void (*between_forward)(const Between<T>&, Range panels);
  void (*between_backward)(const Between<T>&, Range panels);
  void (*update_flat)(const FlatUpdate<T>&, Range elements);  // cut at multiples of panel_width
  // sums[i] of the squares of chunk i of `count` values, a multiple of panel_width
  void (*sum_squares)(const T* values, std::int64_t count, Range chunks, T* sums);
};

struct Bfloat16Kernels {
  Products<Bfloat16> products;
  void (*gather)(const Bfloat16Gather&, Range panels);
  void (*round_weights)(const RoundedWeights&, Range blocks);
  void (*round_rows)(const RoundedRows&, Range samples);
};

}  // namespace twolayer
