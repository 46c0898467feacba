// A network's parameters, kept in the layout the products want.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/table.hpp"
#include "buffer.hpp"

namespace twolayer {

template <class T>
struct Layer {
  std::int64_t inputs;
  std::int64_t outputs;
  Buffer<T> weights;  // (inputs, outputs) in panels
  Buffer<T> bias;     // padded(outputs)

  Layer(std::int64_t inputs, std::int64_t outputs)
      : inputs(inputs),
        outputs(outputs),
        weights(inputs * padded(outputs)),
        bias(padded(outputs)) {}
};

template <class T>
struct Network {
  std::vector<std::int64_t> sizes;
  int activation;  // of the hidden layers; the last layer has none
  std::vector<Layer<T>> layers;
  Buffer<T> shift;  // padded(sizes.front()): the input is (x - shift) * inverse_scale
  Buffer<T> inverse_scale;
  Buffer<double> exact_shift;  // the same, for float64 rows
  Buffer<double> exact_inverse_scale;
  // padded(sizes.back()), or both empty: the last layer's z in the user's units is
  // output_scale * z + output_shift.
  Buffer<T> output_shift;
  Buffer<T> output_scale;
  std::int64_t version = 0;  // counted up whenever a number above may have changed

  // sizes: inputs, hidden sizes, outputs; at least two, all positive.
  Network(std::vector<std::int64_t> sizes, int activation);
  Network(const Network&);

  // Lets input number `d` be (x - shift) * inverse_scale.
  void normalize(std::int64_t d, double its_shift, double its_inverse_scale);
  Network(Network&&) = default;
};

// Between panels and row-major (rows, columns); padding is left alone.
template <class T>
void to_panels(const T* from, std::int64_t rows, std::int64_t columns, T* to);
template <class T>
void from_panels(const T* from, std::int64_t rows, std::int64_t columns, T* to);

}  // namespace twolayer
