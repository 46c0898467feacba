// Rounded operands on a target, in pairs; included after emulated.hpp or native.hpp, which say how
// a pair is multiplied. Sums, weights and optimizer are float32; the rounded copies are made while
// what they are copies of is in cache.
#pragma once

#include "../update.hpp"

namespace {

inline constexpr std::int64_t along_width = panel_width / 2;  // pairs in a row along the columns

template <>
struct Simd<Bfloat16> {
  using Row = Pairs;
  static Row load(const Pair* p) { return Pairs::load(p); }
  static Row broadcast(Pair pair) { return Pairs::broadcast(pair); }
  static Vec<float> multiply_add(Row a, Row b, Vec<float> sum) { return dot(a, b, sum); }
  template <Left left>
  static constexpr std::int64_t step = left == Left::plain ? along_width : 4;
};

template <>
inline void round_rows_of_panel<Bfloat16>(const float* from, std::int64_t samples,
                                          std::int64_t panel, std::int64_t row, std::int64_t rows,
                                          std::int64_t columns, const Operand<Bfloat16>& to) {
  using S = Vec<float>;
  Pair* along = to.along + panel * samples * along_width + row * along_width;
  Pair* across = to.across + (panel * group_count<Bfloat16>(samples) + row / 2) * panel_width;
  for (std::int64_t r = 0; r < rows; r += 2) {
    for (std::int64_t c = 0; c < columns; c += S::width) {
      const S first = S::load(from + r * panel_width + c);
      S second = S::zero();
      store_rounded(along + r * along_width + c / 2, first);
      if (r + 1 < rows) {
        second = S::load(from + (r + 1) * panel_width + c);
        store_rounded(along + (r + 1) * along_width + c / 2, second);
      }
      store_paired(across + r / 2 * panel_width + c, first, second);
    }
  }
}

inline void round_rows(const twolayer::RoundedRows& m, Range samples) {
  for (std::int64_t p = 0; p < twolayer::panel_count(m.columns); ++p) {
    const float* from = m.from + (p * m.rows + samples.begin) * panel_width;
    round_rows_of_panel<Bfloat16>(from, m.rows, p, samples.begin, samples.end - samples.begin,
                                  columns_in_panel(m.columns, p), m.to);
  }
}

template <bool folded>
void round_rows_of_block(const RoundedWeights& m, std::int64_t block, std::int64_t panel) {
  using S = Vec<float>;
  const std::int64_t first = block * twolayer::block_rows;
  const std::int64_t rows = columns_in_panel(m.inputs, block);
  const std::int64_t columns = columns_in_panel(m.outputs, panel);
  const float* from = m.weights + (panel * m.inputs + first) * panel_width;
  Pair* to = m.rounded + (panel * group_count<Bfloat16>(m.inputs) + first / 2) * panel_width;
  for (std::int64_t c = 0; c < columns; c += S::width) {
    S correction = S::zero();
    const auto weight = [&](std::int64_t r) {
      const S w = S::load(from + r * panel_width + c);
      if constexpr (!folded) return w;
      const S scaled = w * S::broadcast(m.fold->factor[first + r]);
      correction = fma(S::broadcast(m.fold->rest[first + r]), scaled, correction);
      return scaled;
    };
    for (std::int64_t r = 0; r < rows; r += 2) {
      const S upper = weight(r);
      store_paired(to + r / 2 * panel_width + c, upper, r + 1 < rows ? weight(r + 1) : S::zero());
    }
    if constexpr (folded) {
      correction.store(m.corrections + block * twolayer::padded(m.outputs) + panel * panel_width +
                       c);
    }
  }
}

template <>
inline void round_block<Bfloat16>(const RoundedWeights& m, std::int64_t block, std::int64_t panel) {
  if (m.fold != nullptr) {
    round_rows_of_block<true>(m, block, panel);
  } else {
    round_rows_of_block<false>(m, block, panel);
  }
}

inline void round_weights(const RoundedWeights& m, Range blocks) {
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    for (std::int64_t p = 0; p < twolayer::panel_count(m.outputs); ++p) {
      round_block<Bfloat16>(m, block, p);
    }
  }
}

// Pair k of column r holds outputs 2k and 2k + 1 of input r. In a rounded row these two are
// neighbours, so the pairs are transposed like 32-bit numbers.
template <>
inline void transpose_weights<Bfloat16>(const float* weights, std::int64_t inputs,
                                        std::int64_t outputs, std::int64_t p, float* to) {
  using S = Vec<float>;
  const std::int64_t rows = columns_in_panel(inputs, p);
  alignas(64) float block[panel_width * along_width] = {};  // pairs
  static_assert(sizeof(float) == sizeof(Pair));
  for (std::int64_t q = 0; q < twolayer::panel_count(outputs); ++q) {
    const float* from = weights + (q * inputs + p * panel_width) * panel_width;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < panel_width; c += S::width) {
        store_rounded(reinterpret_cast<Pair*>(block + r * along_width + c / 2),
                      S::load(from + r * panel_width + c));
      }
    }
    for (std::int64_t r = 0; r < panel_width; r += S::width) {
      for (std::int64_t c = 0; c < along_width; c += S::width) {
        S::transpose(block + r * along_width + c, along_width,
                     to + (q * along_width + c) * panel_width + r, panel_width);
      }
    }
  }
}

// From sums over x - whole to the gradient: (x - whole - rest) * factor. The sums over the samples
// of the rounded doutput that this takes are a product with a row of ones.
template <>
struct Unfolding<Bfloat16> {
  const twolayer::Fold* fold;
  const float* sums;

  Unfolding(const Update<Bfloat16>& u, float* scratch) : fold(u.rounded.fold), sums(scratch) {
    if (fold == nullptr) return;
    constexpr Pair ones = 0x3f803f80;
    using S = Vec<float>;
    const std::int64_t pairs = group_count<Bfloat16>(u.samples);
    for (std::int64_t c = 0; c < twolayer::padded(u.outputs); c += S::width) {
      const Pair* from = u.doutput + c / panel_width * pairs * panel_width + c % panel_width;
      S sum = S::zero();
      for (std::int64_t n = 0; n < pairs; ++n) {
        sum = dot(Pairs::broadcast(ones), Pairs::load(from + n * panel_width), sum);
      }
      sum.store(scratch + c);
    }
  }

  // Rows `first` ... of a panel of the gradient.
  __attribute__((always_inline)) void operator()(std::int64_t first, std::int64_t rows,
                                                 std::int64_t panel, std::int64_t columns,
                                                 float* gradient) const {
    using S = Vec<float>;
    if (fold == nullptr) return;
    for (std::int64_t c = 0; c < columns; c += S::width) {
      const S sum = S::load(sums + panel * panel_width + c);
      for (std::int64_t r = 0; r < rows; ++r) {
        float* at = gradient + r * panel_width + c;
        const S centred = fma(S::broadcast(-fold->rest[first + r]), sum, S::load(at));
        (centred * S::broadcast(fold->factor[first + r])).store(at);
      }
    }
  }
};

}  // namespace
