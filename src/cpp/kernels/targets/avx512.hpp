// The SIMD type of the AVX-512 target (F, DQ, BW, VL). Each target header defines the same
// template, Vec<T>, for T = float and double; the kernels are written once over it. Whatever the
// target, an operation gives the same bits in a lane for the same inputs (only the payload of a NaN
// may differ).
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
// GCC's own header draws these warnings about the lanes it leaves undefined on purpose.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>

namespace {  // every target has its own copy: nothing here may be shared by the linker

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using Scalar = float;
  using Mask = __mmask16;
  static constexpr int width = 16;
  __m512 v;

  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  // The first n lanes, 0 <= n <= width; the others read as zero and are not written.
  static Vec load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  void store_first(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  // Conversions of `width` consecutive elements, rounded to nearest even.
  static Vec convert(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
  }
  static Vec convert(const float* p) { return load(p); }
  static Vec convert(const double* p) {
    const __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(p));
    const __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(p + 8));
    return {_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1)};
  }

  // to[j * to_stride + i] = from[i * from_stride + j] for i, j < width; the blocks do not overlap.
  // Gathering rows i, i + 4, i + 8, i + 12 while loading leaves only 4 x 4 transposes inside the
  // 128-bit lanes: half the shuffles of a transpose of whole rows.
  static void transpose(const float* from, std::ptrdiff_t from_stride, float* to,
                        std::ptrdiff_t to_stride) {
#pragma GCC unroll 4
    for (int column = 0; column < width; column += 4) {
      __m512 rows[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const float* p = from + i * from_stride + column;
        __m512 row = _mm512_castps128_ps512(_mm_loadu_ps(p));
        row = _mm512_insertf32x4(row, _mm_loadu_ps(p + 4 * from_stride), 1);
        row = _mm512_insertf32x4(row, _mm_loadu_ps(p + 8 * from_stride), 2);
        rows[i] = _mm512_insertf32x4(row, _mm_loadu_ps(p + 12 * from_stride), 3);
      }
      const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(rows[0], rows[1]));
      const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(rows[0], rows[1]));
      const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(rows[2], rows[3]));
      const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(rows[2], rows[3]));
      float* q = to + column * to_stride;
      _mm512_storeu_ps(q, _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23)));
      _mm512_storeu_ps(q + to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23)));
      _mm512_storeu_ps(q + 2 * to_stride, _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23)));
      _mm512_storeu_ps(q + 3 * to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23)));
    }
  }

  static Mask first(int n) { return static_cast<Mask>((1u << n) - 1u); }
};

inline Vec<float> operator+(Vec<float> a, Vec<float> b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec<float> operator-(Vec<float> a, Vec<float> b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec<float> operator*(Vec<float> a, Vec<float> b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec<float> operator/(Vec<float> a, Vec<float> b) { return {_mm512_div_ps(a.v, b.v)}; }
// a * b + c, rounded once.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec<float> sqrt(Vec<float> a) { return {_mm512_sqrt_ps(a.v)}; }
// a > b ? a : b (min: a < b ? a : b), so that a NaN in `a` gives b, on every target.
inline Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm512_min_ps(a.v, b.v)}; }
// |a|, and |a| with the sign of b: of the bits, so zeros and NaN too.
inline Vec<float> abs(Vec<float> a) { return {_mm512_abs_ps(a.v)}; }
inline Vec<float> copysign(Vec<float> a, Vec<float> b) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  return {_mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(b.v), _mm512_castps_si512(a.v), 0xCA))};
}
// Ordered comparison: false where either is NaN.
inline Vec<float>::Mask greater(Vec<float> a, Vec<float> b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
}
inline Vec<float> select(Vec<float>::Mask m, Vec<float> yes, Vec<float> no) {
  return {_mm512_mask_blend_ps(m, no.v, yes.v)};
}
// To the nearest integer, ties to even.
inline Vec<float> round(Vec<float> a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for whole n in the exponent range of normal numbers. Adding 1.5 * 2^23 leaves n + 127 in the
// low bits of the sum; the shift drops everything else.
inline Vec<float> exp2_of_whole(Vec<float> n) {
  const __m512 biased = _mm512_add_ps(n.v, _mm512_set1_ps(0x1.8p23f + 127.0f));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(biased), 23))};
}

// a * 2^n, rounded once: one instruction for the template in math.hpp.
inline Vec<float> scale(Vec<float> a, Vec<float> n) { return {_mm512_scalef_ps(a.v, n.v)}; }

template <>
struct Vec<double> {
  using Scalar = double;
  using Mask = __mmask8;
  static constexpr int width = 8;
  __m512d v;

  static Vec zero() { return {_mm512_setzero_pd()}; }
  static Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  static Vec load_first(const double* p, int n) { return {_mm512_maskz_loadu_pd(first(n), p)}; }
  void store_first(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }

  static Vec convert(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes))};
  }
  static Vec convert(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
  static Vec convert(const double* p) { return load(p); }

  static void transpose(const double* from, std::ptrdiff_t from_stride, double* to,
                        std::ptrdiff_t to_stride) {
#pragma GCC unroll 4
    for (int column = 0; column < width; column += 2) {
      __m512d rows[2];
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const double* p = from + i * from_stride + column;
        __m512d row = _mm512_castpd128_pd512(_mm_loadu_pd(p));
        row = _mm512_insertf64x2(row, _mm_loadu_pd(p + 2 * from_stride), 1);
        row = _mm512_insertf64x2(row, _mm_loadu_pd(p + 4 * from_stride), 2);
        rows[i] = _mm512_insertf64x2(row, _mm_loadu_pd(p + 6 * from_stride), 3);
      }
      double* q = to + column * to_stride;
      _mm512_storeu_pd(q, _mm512_unpacklo_pd(rows[0], rows[1]));
      _mm512_storeu_pd(q + to_stride, _mm512_unpackhi_pd(rows[0], rows[1]));
    }
  }

  static Mask first(int n) { return static_cast<Mask>((1u << n) - 1u); }
};

inline Vec<double> operator+(Vec<double> a, Vec<double> b) { return {_mm512_add_pd(a.v, b.v)}; }
inline Vec<double> operator-(Vec<double> a, Vec<double> b) { return {_mm512_sub_pd(a.v, b.v)}; }
inline Vec<double> operator*(Vec<double> a, Vec<double> b) { return {_mm512_mul_pd(a.v, b.v)}; }
inline Vec<double> operator/(Vec<double> a, Vec<double> b) { return {_mm512_div_pd(a.v, b.v)}; }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fmadd_pd(a.v, b.v, c.v)};
}
inline Vec<double> sqrt(Vec<double> a) { return {_mm512_sqrt_pd(a.v)}; }
inline Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm512_max_pd(a.v, b.v)}; }
inline Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm512_min_pd(a.v, b.v)}; }
inline Vec<double> abs(Vec<double> a) { return {_mm512_abs_pd(a.v)}; }
inline Vec<double> copysign(Vec<double> a, Vec<double> b) {
  const __m512i sign = _mm512_set1_epi64(INT64_MIN);
  return {_mm512_castsi512_pd(
      _mm512_ternarylogic_epi64(sign, _mm512_castpd_si512(b.v), _mm512_castpd_si512(a.v), 0xCA))};
}
inline Vec<double>::Mask greater(Vec<double> a, Vec<double> b) {
  return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ);
}
inline Vec<double> select(Vec<double>::Mask m, Vec<double> yes, Vec<double> no) {
  return {_mm512_mask_blend_pd(m, no.v, yes.v)};
}
inline Vec<double> round(Vec<double> a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec<double> exp2_of_whole(Vec<double> n) {
  const __m512d biased = _mm512_add_pd(n.v, _mm512_set1_pd(0x1.8p52 + 1023.0));
  return {_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(biased), 52))};
}

inline Vec<double> scale(Vec<double> a, Vec<double> n) { return {_mm512_scalef_pd(a.v, n.v)}; }

}  // namespace
