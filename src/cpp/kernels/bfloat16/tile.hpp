// The register tile of ../tile.hpp with pairs for operands: each k is two.
#pragma once

#include "../ahead.hpp"
#include "../tile.hpp"

namespace {

inline constexpr std::int64_t plain_width = panel_width / 2;  // pairs in a row

struct PairProduct {
  const Pair* a;
  std::int64_t a_panel;  // pairs from one panel of A to the next
  const Pair* b;         // paired; pair k at b + k * panel_width
  float* c;              // row r of the result at c + r * panel_width
  std::int64_t depth;    // number of pairs
  bool resume;           // start from what c holds instead of zero
  Ahead* ahead;
};

template <Left left, int R, int V>
__attribute__((noinline)) void pair_tile(const PairProduct& p) {
  using S = Vec<float>;
  S acc[R][V];
  TWOLAYER_UNROLL
  for (int r = 0; r < R; ++r) {
    TWOLAYER_UNROLL
    for (int v = 0; v < V; ++v) {
      acc[r][v] = p.resume ? S::load(p.c + r * panel_width + v * S::width) : S::zero();
    }
  }
  const Pair* a = p.a;
  const Pair* b = p.b;
  constexpr std::int64_t row_stride = left == Left::plain ? plain_width : 1;
  constexpr std::int64_t k_stride = left == Left::plain ? 1 : panel_width;
  const auto multiply_add = [&](std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) {
      Pairs row[V];
      TWOLAYER_UNROLL
      for (int v = 0; v < V; ++v) row[v] = Pairs::load(b + v * S::width);
      TWOLAYER_UNROLL
      for (int r = 0; r < R; ++r) {
        const Pairs x = Pairs::broadcast(a[r * row_stride + k * k_stride]);
        TWOLAYER_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = dot(x, row[v], acc[r][v]);
      }
      b += panel_width;
    }
  };
  // Plain, k crosses a panel's edge after plain_width pairs, and the next panel's rows, a line
  // each, are fetched before; both ways, some lines are fetched after every few pairs.
  constexpr bool plain = left == Left::plain;
  constexpr std::int64_t pairs = plain ? plain_width : 4;
  const std::int64_t next = plain ? p.a_panel : pairs * panel_width;
  std::int64_t depth = p.depth;
  for (; depth > pairs; depth -= pairs, a += next) {
    if constexpr (plain) {
      TWOLAYER_UNROLL
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + next + r * row_stride);
    }
    multiply_add(pairs);
    p.ahead->fetch();
  }
  multiply_add(depth);
  TWOLAYER_UNROLL
  for (int r = 0; r < R; ++r) {
    TWOLAYER_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v].store(p.c + r * panel_width + v * S::width);
  }
}

template <Left left, int V, int R = tile_rows>
void pair_tile_of_rows(const PairProduct& p, std::int64_t rows) {
  if constexpr (R > 1) {
    if (rows < R) return pair_tile_of_rows<left, V, R - 1>(p, rows);
  }
  pair_tile<left, R, V>(p);
}

template <Left left, int V = tile_vectors>
void pair_tile_of_vectors(const PairProduct& p, std::int64_t rows, std::int64_t vectors) {
  if constexpr (V > 1) {
    if (vectors < V) return pair_tile_of_vectors<left, V - 1>(p, rows, vectors);
  }
  pair_tile_of_rows<left, V>(p, rows);
}

template <Left left>
void product(const PairProduct& p, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t width = Vec<float>::width;
  constexpr std::int64_t step = tile_vectors * width;
  for (std::int64_t c = 0; c < columns; c += step) {
    const std::int64_t rest = (columns - c + width - 1) / width;
    PairProduct part = p;
    part.b += c;
    part.c += c;
    pair_tile_of_vectors<left>(part, rows, rest < tile_vectors ? rest : tile_vectors);
  }
}

// Rows cut into tiles of nearly equal height that begin at even rows, so that no pair of rows is
// cut.
struct PairedRowTiles {
  static_assert(tile_rows % 2 == 0);
  Range rows;  // begins at an even row
  std::int64_t count;

  explicit PairedRowTiles(Range r)
      : rows(r), count((r.end - r.begin + tile_rows - 1) / tile_rows) {}
  std::int64_t begin(std::int64_t i) const {
    const std::int64_t pairs = twolayer::pair_count(rows.end - rows.begin);
    const std::int64_t row = rows.begin + 2 * (pairs * i / count);
    return row < rows.end ? row : rows.end;
  }
};

}  // namespace
