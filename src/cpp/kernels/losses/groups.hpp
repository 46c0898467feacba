// Samples go through a loss in groups, one a lane of a vector: no lane is idle for want of outputs,
// and a sum over outputs keeps its order.
//
// A loss is known by name where no SIMD type is, so all here and in the losses is a template over
// the type of vector, V. That is what keeps it apart, too: each target's V is its own, so the
// linker shares none of it.
#pragma once

#include <cstdint>

#include "../panels.hpp"
#include "loss.hpp"

namespace twolayer {

// Samples first ... first + count - 1; count is at most the lanes of a vector.
struct SampleGroup {
  std::int64_t first;
  std::int64_t count;
};

template <class V, class Body>
void for_each_group(Range samples, const Body& body) {
  for (std::int64_t n = samples.begin; n < samples.end; n += V::width) {
    const std::int64_t rest = samples.end - n;
    body(SampleGroup{n, rest < V::width ? rest : V::width});
  }
}

// Where element (row, column) of a matrix in panels stands.
template <class V, class T>
T* element(T* matrix, std::int64_t rows, std::int64_t row, std::int64_t column) {
  return matrix + (column / panel_width * rows + row) * panel_width + column % panel_width;
}

template <class V, class T>
T* output(const Loss<T>& s, std::int64_t sample, std::int64_t k) {
  return element<V>(s.outputs, s.samples, sample, k);
}

template <class V, class T>
std::int64_t row_number(const Loss<T>& s, std::int64_t sample) {
  return s.rows != nullptr ? s.rows[sample] : s.first_row + sample;
}

// Of a sample's weight in the sum of weights.
template <class V, class T>
T share(const Loss<T>& s, std::int64_t sample) {
  const double weight = s.weights != nullptr ? s.weights[row_number<V>(s, sample)] : 1;
  return static_cast<T>(s.sum_of_weights > 0 ? weight / s.sum_of_weights : 0);
}

// A square of a group's values, as many columns as samples: column i stands at i * lanes, a sample
// a lane.
template <class V>
struct Square {
  using T = typename V::Scalar;
  static constexpr std::int64_t lanes = V::width;
  alignas(64) T values[lanes * lanes];

  V column(std::int64_t i) const { return V::load(values + i * lanes); }
  void set_column(std::int64_t i, V column) { column.store(values + i * lanes); }

  // Columns c ... c + lanes - 1 of a matrix in panels. Lanes beyond the last sample hold that one.
  void load(const T* matrix, std::int64_t rows, SampleGroup group, std::int64_t c) {
    alignas(64) T samples[lanes * lanes];
    for (std::int64_t n = 0; n < lanes; ++n) {
      const std::int64_t sample = group.first + (n < group.count ? n : group.count - 1);
      V::load(element<V>(matrix, rows, sample, c)).store(samples + n * lanes);
    }
    V::transpose(samples, lanes, values, lanes);
  }

  // The way back.
  void store(T* matrix, std::int64_t rows, SampleGroup group, std::int64_t c) const {
    alignas(64) T samples[lanes * lanes];
    V::transpose(values, lanes, samples, lanes);
    for (std::int64_t n = 0; n < group.count; ++n) {
      V::load(samples + n * lanes).store(element<V>(matrix, rows, group.first + n, c));
    }
  }

  // Likewise to a row-major matrix of so many columns.
  void store_rows(T* matrix, std::int64_t columns, SampleGroup group, std::int64_t c) const {
    alignas(64) T samples[lanes * lanes];
    V::transpose(values, lanes, samples, lanes);
    const std::int64_t rest = columns - c;
    for (std::int64_t n = 0; n < group.count; ++n) {
      V::load(samples + n * lanes)
          .store_first(matrix + (group.first + n) * columns + c,
                       static_cast<int>(rest < lanes ? rest : lanes));
    }
  }
};

// Calls body(k, z) with the outputs z number k, a sample a lane, for all k in ascending order. With
// `replace`, what it returns replaces them; padding among the last lanes becomes zero.
template <class V, bool replace, class Body>
void for_each_output(const Loss<typename V::Scalar>& s, SampleGroup group, const Body& body) {
  constexpr std::int64_t lanes = V::width;
  Square<V> square;
  for (std::int64_t k = 0; k < s.output_count; k += lanes) {
    square.load(s.outputs, s.samples, group, k);
    for (std::int64_t i = 0; i < lanes; ++i) {
      const V z = square.column(i);
      square.set_column(i, k + i < s.output_count ? body(k + i, z) : V::zero());
    }
    if constexpr (replace) square.store(s.outputs, s.samples, group, k);
  }
}

// Likewise, and what body returns becomes the samples' predictions.
template <class V, class Body>
void write_predictions(const Loss<typename V::Scalar>& s, SampleGroup group, const Body& body) {
  constexpr std::int64_t lanes = V::width;
  Square<V> square;
  for (std::int64_t k = 0; k < s.output_count; k += lanes) {
    square.load(s.outputs, s.samples, group, k);
    for (std::int64_t i = 0; i < lanes && k + i < s.output_count; ++i) {
      square.set_column(i, body(square.column(i)));
    }
    square.store_rows(s.predictions, s.output_count, group, k);
  }
}

// Zeros in the padding beyond the vectors that hold outputs.
template <class V>
void clear_padding(const Loss<typename V::Scalar>& s, SampleGroup group) {
  constexpr std::int64_t lanes = V::width;
  for (std::int64_t k = (s.output_count + lanes - 1) / lanes * lanes; k < padded(s.output_count);
       k += lanes) {
    for (std::int64_t n = 0; n < group.count; ++n)
      V::zero().store(output<V>(s, group.first + n, k));
  }
}

}  // namespace twolayer
