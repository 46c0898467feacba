// Rows of the data set on their way into a batch: gathered, converted, normalised and laid out in
// panels in one pass. The data set itself stays as it came.
#pragma once

#include "table.hpp"

namespace {

using twolayer::ElementType;
using twolayer::Gather;

template <class T, class Element>
void gather_as(const Gather<T>& g, Range panels) {
  using S = Vec<T>;
  constexpr std::int64_t prefetched = 64;  // bytes in a cache line
  const auto row_at = [&](std::int64_t n) {
    const std::int64_t row = g.rows != nullptr ? g.rows[n] : g.first_row + n;
    return reinterpret_cast<const Element*>(static_cast<const char*>(g.x) + row * g.row_stride);
  };
  const std::int64_t first = panels.begin * panel_width;
  const std::int64_t last =
      panels.end * panel_width < g.inputs ? panels.end * panel_width : g.inputs;
  for (std::int64_t n = 0; n < g.samples; ++n) {
    const Element* from = row_at(n);
    if (n + 1 < g.samples) {  // rows are drawn at random, so only we know which comes next
      const char* next = reinterpret_cast<const char*>(row_at(n + 1) + first);
      const std::int64_t bytes = (last - first) * static_cast<std::int64_t>(sizeof(Element));
      for (std::int64_t i = 0; i < bytes; i += prefetched) __builtin_prefetch(next + i);
    }
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const std::int64_t column = p * panel_width;
      const Element* source = from + column;
      Element tail[panel_width];
      if (column + panel_width > g.inputs) {  // never read beyond the end of a row
        for (std::int64_t i = 0; i < panel_width; ++i) {
          tail[i] = column + i < g.inputs ? source[i] : Element(0);
        }
        source = tail;
      }
      T* to = g.batch + p * g.samples * panel_width + n * panel_width;
      for (std::int64_t i = 0; i < panel_width; i += S::width) {
        const S centred = S::convert(source + i) - S::load(g.shift + column + i);
        (centred * S::load(g.inverse_scale + column + i)).store(to + i);
      }
    }
  }
}

template <class T>
void gather(const Gather<T>& g, Range panels) {
  switch (g.type) {
    case ElementType::uint8:
      return gather_as<T, std::uint8_t>(g, panels);
    case ElementType::float32:
      return gather_as<T, float>(g, panels);
    case ElementType::float64:
      return gather_as<T, double>(g, panels);
  }
}

}  // namespace
