// Exact operands on a target: the numbers themselves.
#pragma once

#include "operands.hpp"

namespace {

// How the left operand of a product is read from its panels.
enum class Left {
  plain,       // a(r, k) = A[row r, column k]; k crosses a panel's edge every 32 columns
  transposed,  // a(r, k) = A[row k, column r]; the tile's rows lie within one panel
};

// What a product needs to know of its operands.
template <class P>
struct Simd;

template <class T>
struct Simd<twolayer::Exact<T>> {
  using Row = Vec<T>;
  static Row load(const T* p) { return Row::load(p); }
  static Row broadcast(T x) { return Row::broadcast(x); }
  static Vec<T> multiply_add(Row a, Row b, Vec<T> sum) { return fma(a, b, sum); }
  // Elements along k between two looks at what to fetch.
  template <Left left>
  static constexpr std::int64_t step = 8;
};

}  // namespace
