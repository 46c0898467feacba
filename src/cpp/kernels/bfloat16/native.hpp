// Pairs of bfloat16 by the instructions of AVX512-BF16; the names are those of emulated.hpp. The
// dot product takes subnormal numbers for zero, and gives zero for them.
#pragma once

#include "../operands.hpp"
#include "../targets/avx512.hpp"

namespace {

using twolayer::Pair;

struct Pairs {
  __m512bh v;

  static Pairs load(const Pair* p) { return {(__m512bh)_mm512_loadu_si512(p)}; }
  static Pairs broadcast(Pair pair) {
    return {(__m512bh)_mm512_set1_epi32(static_cast<int>(pair))};
  }
};

inline Vec<float> dot(Pairs a, Pairs b, Vec<float> sum) {
  return {_mm512_dpbf16_ps(sum.v, a.v, b.v)};
}

inline void store_rounded(Pair* to, Vec<float> v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(v.v));
}

inline void store_paired(Pair* to, Vec<float> first, Vec<float> second) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first.v));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second.v));
  _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

}  // namespace
