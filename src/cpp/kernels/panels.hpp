// The one layout of every matrix: weights, activations and their gradients.
//
// A matrix (rows, columns) is cut into panels of 32 columns. A panel holds its rows one after the
// other, 32 elements each, so element (r, c) stands at
//     (c / 32) * rows * 32 + r * 32 + c % 32.
// The last panel is padded with zeros to 32 columns. What this buys:
//   - As the right operand of a product a panel is read from front to back.
//   - As the left operand single elements are broadcast, so any layout would do; here the rows of a
//     tile lie within a few neighbouring cache lines, and never on the same cache set as they would
//     with a leading dimension of 512 or 3072.
//   - A tile of the result is contiguous, so the optimizer runs over weights, state and gradient as
//     flat arrays.
// 32 is two vectors of 16 floats, the widest in use, and does not depend on the instruction set or
// the element type: neither layout nor order of summation ever changes with either.
#pragma once

#include <cstdint>

namespace twolayer {

inline constexpr std::int64_t panel_width = 32;

constexpr std::int64_t panel_count(std::int64_t columns) {
  return (columns + panel_width - 1) / panel_width;
}
constexpr std::int64_t padded(std::int64_t columns) { return panel_count(columns) * panel_width; }

// Half-open range of rows, columns or panels: a thread's share of the work.
struct Range {
  std::int64_t begin;
  std::int64_t end;
};

}  // namespace twolayer
