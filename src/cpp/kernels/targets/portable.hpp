// The SIMD type of the portable target, on plain arrays, for a CPU that none of the others fits:
// the same interface as every target, explained in avx512.hpp. Where the CPU has no fused
// multiply-add, float gets it from double arithmetic and double from the C library: slow, and the
// same bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {  // every target has its own copy: nothing here may be shared by the linker

// a * b + c, rounded once.
inline float fused(float a, float b, float c) {
#ifdef __FP_FAST_FMAF
  return __builtin_fmaf(a, b, c);
#else
  // The product is exact in double, the sum is rounded there to odd: truncated, and the last bit
  // set where anything was cut off. So the second rounding, to float, never sees a tie that is
  // none.
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const double taken = sum - product;
  const double lost =
      (product - (sum - taken)) + (addend - taken);  // exact; NaN if sum is infinite
  const std::uint64_t inexact = (lost < 0.0) | (lost > 0.0);
  const std::uint64_t too_far = (lost < 0.0) != (sum < 0.0);
  std::uint64_t bits;
  __builtin_memcpy(&bits, &sum, sizeof bits);
  bits = (bits - (inexact & too_far)) | inexact;
  double odd;
  __builtin_memcpy(&odd, &bits, sizeof odd);
  return static_cast<float>(odd);
#endif
}
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }

// What differs by type: the C library's names, and the integer of the same size.
template <class T>
struct Lane;

template <>
struct Lane<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float bias = 127.0f;
  static constexpr float integers = 0x1p23f;  // from here on every number is whole
  static float sqrt(float a) { return __builtin_sqrtf(a); }
  static float abs(float a) { return __builtin_fabsf(a); }
  static float copysign(float a, float b) { return __builtin_copysignf(a, b); }
};

template <>
struct Lane<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double bias = 1023.0;
  static constexpr double integers = 0x1p52;
  static double sqrt(double a) { return __builtin_sqrt(a); }
  static double abs(double a) { return __builtin_fabs(a); }
  static double copysign(double a, double b) { return __builtin_copysign(a, b); }
};

template <class T>
struct Vec {
  using Scalar = T;
  static constexpr int width = 16 / sizeof(T);
  struct Mask {
    bool lanes[width];
  };
  T v[width];

  // The lanes f(0), f(1), ...
  template <class F>
  static Vec each(F f) {
    Vec result;
#pragma GCC unroll 4
    for (int i = 0; i < width; ++i) result.v[i] = f(i);
    return result;
  }

  static Vec zero() { return broadcast(T(0)); }
  static Vec broadcast(T x) {
    return each([=](int) { return x; });
  }
  static Vec load(const T* p) { return convert(p); }
  void store(T* p) const { store_first(p, width); }
  // The first n lanes, 0 <= n <= width; the others read as zero and are not written.
  static Vec load_first(const T* p, int n) {
    return each([=](int i) { return i < n ? p[i] : T(0); });
  }
  void store_first(T* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }

  // Conversion of `width` consecutive elements (uint8, float or double), rounded to nearest even.
  template <class From>
  static Vec convert(const From* p) {
    return each([=](int i) { return static_cast<T>(p[i]); });
  }

  // to[j * to_stride + i] = from[i * from_stride + j] for i, j < width; the blocks do not overlap.
  static void transpose(const T* from, std::ptrdiff_t from_stride, T* to,
                        std::ptrdiff_t to_stride) {
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < width; ++j) to[j * to_stride + i] = from[i * from_stride + j];
    }
  }

  static Mask first(int n) {
    Mask m;
    for (int i = 0; i < width; ++i) m.lanes[i] = i < n;
    return m;
  }
};

template <class T>
inline Vec<T> operator+(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] + b.v[i]; });
}
template <class T>
inline Vec<T> operator-(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] - b.v[i]; });
}
template <class T>
inline Vec<T> operator*(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] * b.v[i]; });
}
template <class T>
inline Vec<T> operator/(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] / b.v[i]; });
}
// a * b + c, rounded once.
template <class T>
inline Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return Vec<T>::each([&](int i) { return fused(a.v[i], b.v[i], c.v[i]); });
}
template <class T>
inline Vec<T> sqrt(Vec<T> a) {
  return Vec<T>::each([&](int i) { return Lane<T>::sqrt(a.v[i]); });
}
// So that a NaN in `a` gives b, on every target.
template <class T>
inline Vec<T> max(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
template <class T>
inline Vec<T> min(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
// |a|, and |a| with the sign of b: of the bits, so zeros and NaN too.
template <class T>
inline Vec<T> abs(Vec<T> a) {
  return Vec<T>::each([&](int i) { return Lane<T>::abs(a.v[i]); });
}
template <class T>
inline Vec<T> copysign(Vec<T> a, Vec<T> b) {
  return Vec<T>::each([&](int i) { return Lane<T>::copysign(a.v[i], b.v[i]); });
}
// Ordered comparison: false where either is NaN.
template <class T>
inline typename Vec<T>::Mask greater(Vec<T> a, Vec<T> b) {
  typename Vec<T>::Mask m;
  for (int i = 0; i < Vec<T>::width; ++i) m.lanes[i] = a.v[i] > b.v[i];
  return m;
}
template <class T>
inline Vec<T> select(typename Vec<T>::Mask m, Vec<T> yes, Vec<T> no) {
  return Vec<T>::each([&](int i) { return m.lanes[i] ? yes.v[i] : no.v[i]; });
}
// To the nearest integer, ties to even: a sum with `integers` has no room for a fraction.
template <class T>
inline Vec<T> round(Vec<T> a) {
  constexpr T integers = Lane<T>::integers;
  return Vec<T>::each([&](int i) {
    const T magnitude = Lane<T>::abs(a.v[i]);
    const T whole = (magnitude + integers) - integers;
    return magnitude < integers ? Lane<T>::copysign(whole, a.v[i]) : a.v[i];
  });
}
// 2^n for whole n in the exponent range of normal numbers.
template <class T>
inline Vec<T> exp2_of_whole(Vec<T> n) {
  return Vec<T>::each([&](int i) {
    const T biased = n.v[i] + (T(1.5) * Lane<T>::integers + Lane<T>::bias);
    typename Lane<T>::Bits bits;
    __builtin_memcpy(&bits, &biased, sizeof bits);
    bits <<= Lane<T>::mantissa_bits;
    T power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return power;
  });
}

}  // namespace
