// The register tile: where nearly all the time goes.
//
// A tile of R rows and V vectors of columns stays in registers while k runs in ascending order:
//     acc[r][v] = multiply_add(a(r, k), b(k, v), acc[r][v]).
// Each k takes V loads of b, R broadcasts of a and R * V multiply-adds; k counts elements, which
// are single numbers or pairs (operands.hpp).
#pragma once

#include "ahead.hpp"
#include "exact.hpp"
#include "panels.hpp"

namespace {

using twolayer::group_count;
using twolayer::panel_width;
using twolayer::Range;

#if defined(__clang__)
#define TWOLAYER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TWOLAYER_UNROLL _Pragma("GCC unroll 16")
#endif

template <class P>
struct Product {
  using Element = typename P::Element;
  const Element* a;
  std::int64_t a_panel;   // elements from one panel of A to the next
  const Element* b;       // row k of the panel at b + k * panel_width
  typename P::Scalar* c;  // row r of the result at c + r * panel_width
  std::int64_t depth;     // number of k
  bool resume;            // start from what c holds instead of zero
  Ahead* ahead;           // what to fetch meanwhile
};

// Of the columns from `first` on. Handed over beside p, not in a changed copy: to read a struct
// that has just been written field by field makes the CPU wait.
template <class P, Left left, int R, int V>
__attribute__((noinline)) void tile(const Product<P>& p, std::int64_t first) {
  using O = Simd<P>;
  using S = Vec<typename P::Scalar>;
  typename P::Scalar* const c = p.c + first;
  S acc[R][V];
  TWOLAYER_UNROLL
  for (int r = 0; r < R; ++r) {
    TWOLAYER_UNROLL
    for (int v = 0; v < V; ++v) {
      acc[r][v] = p.resume ? S::load(c + r * panel_width + v * S::width) : S::zero();
    }
  }
  const typename P::Element* a = p.a;
  const typename P::Element* b = p.b + first;
  constexpr std::int64_t row_elements = panel_width / P::depth;
  constexpr std::int64_t row_stride = left == Left::plain ? row_elements : 1;
  constexpr std::int64_t k_stride = left == Left::plain ? 1 : panel_width;
  const auto multiply_add = [&](std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) {
      typename O::Row row[V];
      TWOLAYER_UNROLL
      for (int v = 0; v < V; ++v) row[v] = O::load(b + v * S::width);
      TWOLAYER_UNROLL
      for (int r = 0; r < R; ++r) {
        const typename O::Row x = O::broadcast(a[r * row_stride + k * k_stride]);
        TWOLAYER_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = O::multiply_add(x, row[v], acc[r][v]);
      }
      b += panel_width;
    }
  };
  // A few k at a time, and then a few lines of what comes next. Where k will cross into the next
  // panel of A, its rows are fetched now: no hardware follows a jump of that size.
  constexpr std::int64_t step = O::template step<left>;
  static_assert(row_elements % step == 0);
  std::int64_t depth = p.depth;
  std::int64_t left_in_panel = row_elements;
  for (; depth > step; depth -= step) {
    if constexpr (left == Left::plain) {
      TWOLAYER_UNROLL
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + p.a_panel + r * row_stride);
    }
    multiply_add(step);
    p.ahead->fetch();
    a += step * k_stride;
    if constexpr (left == Left::plain) {
      left_in_panel -= step;
      if (left_in_panel == 0) {
        left_in_panel = row_elements;
        a += p.a_panel - row_elements;
      }
    }
  }
  multiply_add(depth);
  TWOLAYER_UNROLL
  for (int r = 0; r < R; ++r) {
    TWOLAYER_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v].store(c + r * panel_width + v * S::width);
  }
}

template <class P, Left left, int V, int R = tile_rows>
void tile_of_rows(const Product<P>& p, std::int64_t first, std::int64_t rows) {
  if constexpr (R > 1) {
    if (rows < R) return tile_of_rows<P, left, V, R - 1>(p, first, rows);
  }
  tile<P, left, R, V>(p, first);
}

template <class P, Left left, int V = tile_vectors>
void tile_of_vectors(const Product<P>& p, std::int64_t first, std::int64_t rows,
                     std::int64_t vectors) {
  if constexpr (V > 1) {
    if (vectors < V) return tile_of_vectors<P, left, V - 1>(p, first, rows, vectors);
  }
  tile_of_rows<P, left, V>(p, first, rows);
}

// Rows x columns of one panel, rows <= tile_rows, columns <= panel_width: as many tiles side by
// side as the columns take. Columns are rounded up to whole vectors; padding is computed along.
template <class P, Left left>
void product(const Product<P>& p, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t width = Vec<typename P::Scalar>::width;
  constexpr std::int64_t step = tile_vectors * width;
  for (std::int64_t c = 0; c < columns; c += step) {
    const std::int64_t rest = (columns - c + width - 1) / width;
    tile_of_vectors<P, left>(p, c, rows, rest < tile_vectors ? rest : tile_vectors);
  }
}

// Cuts a range of rows into tiles of nearly equal height: 200 rows become 13s and 14s, not 14s and
// one tile of 4 that would starve the multipliers. Tiles begin at multiples of `multiple`, as the
// range must.
template <std::int64_t multiple>
struct RowTiles {
  static_assert(tile_rows % multiple == 0);
  Range rows;
  std::int64_t count;

  explicit RowTiles(Range r) : rows(r), count((r.end - r.begin + tile_rows - 1) / tile_rows) {}
  std::int64_t begin(std::int64_t i) const {
    const std::int64_t groups = (rows.end - rows.begin + multiple - 1) / multiple;
    const std::int64_t row = rows.begin + multiple * (groups * i / count);
    return row < rows.end ? row : rows.end;
  }
};

inline std::int64_t columns_in_panel(std::int64_t columns, std::int64_t panel) {
  const std::int64_t rest = columns - panel * panel_width;
  return rest < panel_width ? rest : panel_width;
}

}  // namespace
