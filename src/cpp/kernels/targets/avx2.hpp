// The SIMD type of the AVX2 target (AVX2 and FMA): the same interface as every target, explained
// in avx512.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {  // every target has its own copy: nothing here may be shared by the linker

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using Scalar = float;
  using Mask = __m256;  // all bits of a lane set, or none
  static constexpr int width = 8;
  __m256 v;

  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  // The first n lanes, 0 <= n <= width; the others read as zero and are not written.
  static Vec load_first(const float* p, int n) {
    return {_mm256_maskload_ps(p, _mm256_castps_si256(first(n)))};
  }
  void store_first(float* p, int n) const {
    _mm256_maskstore_ps(p, _mm256_castps_si256(first(n)), v);
  }

  // Conversions of `width` consecutive elements, rounded to nearest even.
  static Vec convert(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))};
  }
  static Vec convert(const float* p) { return load(p); }
  static Vec convert(const double* p) {
    const __m128 low = _mm256_cvtpd_ps(_mm256_loadu_pd(p));
    const __m128 high = _mm256_cvtpd_ps(_mm256_loadu_pd(p + 4));
    return {_mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1)};
  }

  // to[j * to_stride + i] = from[i * from_stride + j] for i, j < width; the blocks do not overlap.
  static void transpose(const float* from, std::ptrdiff_t from_stride, float* to,
                        std::ptrdiff_t to_stride) {
#pragma GCC unroll 2
    for (int column = 0; column < width; column += 4) {
      __m256 rows[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const float* p = from + i * from_stride + column;
        const __m256 row = _mm256_castps128_ps256(_mm_loadu_ps(p));
        rows[i] = _mm256_insertf128_ps(row, _mm_loadu_ps(p + 4 * from_stride), 1);
      }
      const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(rows[0], rows[1]));
      const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(rows[0], rows[1]));
      const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(rows[2], rows[3]));
      const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(rows[2], rows[3]));
      float* q = to + column * to_stride;
      _mm256_storeu_ps(q, _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23)));
      _mm256_storeu_ps(q + to_stride, _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23)));
      _mm256_storeu_ps(q + 2 * to_stride, _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23)));
      _mm256_storeu_ps(q + 3 * to_stride, _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23)));
    }
  }

  static Mask first(int n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lanes));
  }
};

inline Vec<float> operator+(Vec<float> a, Vec<float> b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec<float> operator-(Vec<float> a, Vec<float> b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec<float> operator*(Vec<float> a, Vec<float> b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec<float> operator/(Vec<float> a, Vec<float> b) { return {_mm256_div_ps(a.v, b.v)}; }
// a * b + c, rounded once.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec<float> sqrt(Vec<float> a) { return {_mm256_sqrt_ps(a.v)}; }
// a > b ? a : b (min: a < b ? a : b), so that a NaN in `a` gives b, on every target.
inline Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm256_min_ps(a.v, b.v)}; }
// |a|, and |a| with the sign of b: of the bits, so zeros and NaN too.
inline Vec<float> abs(Vec<float> a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
inline Vec<float> copysign(Vec<float> a, Vec<float> b) {
  return {_mm256_or_ps(abs(a).v, _mm256_and_ps(_mm256_set1_ps(-0.0f), b.v))};
}
// Ordered comparison: false where either is NaN.
inline Vec<float>::Mask greater(Vec<float> a, Vec<float> b) {
  return _mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ);
}
inline Vec<float> select(Vec<float>::Mask m, Vec<float> yes, Vec<float> no) {
  return {_mm256_blendv_ps(no.v, yes.v, m)};
}
// To the nearest integer, ties to even.
inline Vec<float> round(Vec<float> a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for whole n in the exponent range of normal numbers.
inline Vec<float> exp2_of_whole(Vec<float> n) {
  const __m256 biased = _mm256_add_ps(n.v, _mm256_set1_ps(0x1.8p23f + 127.0f));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased), 23))};
}

template <>
struct Vec<double> {
  using Scalar = double;
  using Mask = __m256d;
  static constexpr int width = 4;
  __m256d v;

  static Vec zero() { return {_mm256_setzero_pd()}; }
  static Vec broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  void store(double* p) const { _mm256_storeu_pd(p, v); }
  static Vec load_first(const double* p, int n) {
    return {_mm256_maskload_pd(p, _mm256_castpd_si256(first(n)))};
  }
  void store_first(double* p, int n) const {
    _mm256_maskstore_pd(p, _mm256_castpd_si256(first(n)), v);
  }

  static Vec convert(const std::uint8_t* p) {
    int bytes;  // no load instruction of 4 bytes takes an unaligned vector type
    __builtin_memcpy(&bytes, p, sizeof bytes);
    return {_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)))};
  }
  static Vec convert(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
  static Vec convert(const double* p) { return load(p); }

  static void transpose(const double* from, std::ptrdiff_t from_stride, double* to,
                        std::ptrdiff_t to_stride) {
#pragma GCC unroll 2
    for (int column = 0; column < width; column += 2) {
      __m256d rows[2];
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const double* p = from + i * from_stride + column;
        const __m256d row = _mm256_castpd128_pd256(_mm_loadu_pd(p));
        rows[i] = _mm256_insertf128_pd(row, _mm_loadu_pd(p + 2 * from_stride), 1);
      }
      double* q = to + column * to_stride;
      _mm256_storeu_pd(q, _mm256_unpacklo_pd(rows[0], rows[1]));
      _mm256_storeu_pd(q + to_stride, _mm256_unpackhi_pd(rows[0], rows[1]));
    }
  }

  static Mask first(int n) {
    const __m256i lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lanes));
  }
};

inline Vec<double> operator+(Vec<double> a, Vec<double> b) { return {_mm256_add_pd(a.v, b.v)}; }
inline Vec<double> operator-(Vec<double> a, Vec<double> b) { return {_mm256_sub_pd(a.v, b.v)}; }
inline Vec<double> operator*(Vec<double> a, Vec<double> b) { return {_mm256_mul_pd(a.v, b.v)}; }
inline Vec<double> operator/(Vec<double> a, Vec<double> b) { return {_mm256_div_pd(a.v, b.v)}; }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fmadd_pd(a.v, b.v, c.v)};
}
inline Vec<double> sqrt(Vec<double> a) { return {_mm256_sqrt_pd(a.v)}; }
inline Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm256_max_pd(a.v, b.v)}; }
inline Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm256_min_pd(a.v, b.v)}; }
inline Vec<double> abs(Vec<double> a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
inline Vec<double> copysign(Vec<double> a, Vec<double> b) {
  return {_mm256_or_pd(abs(a).v, _mm256_and_pd(_mm256_set1_pd(-0.0), b.v))};
}
inline Vec<double>::Mask greater(Vec<double> a, Vec<double> b) {
  return _mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ);
}
inline Vec<double> select(Vec<double>::Mask m, Vec<double> yes, Vec<double> no) {
  return {_mm256_blendv_pd(no.v, yes.v, m)};
}
inline Vec<double> round(Vec<double> a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec<double> exp2_of_whole(Vec<double> n) {
  const __m256d biased = _mm256_add_pd(n.v, _mm256_set1_pd(0x1.8p52 + 1023.0));
  return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased), 52))};
}

}  // namespace
