// The SIMD type of the AArch64 target (Advanced SIMD, part of every such CPU): the same interface
// as every target, explained in avx512.hpp.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace {  // every target has its own copy: nothing here may be shared by the linker

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using Scalar = float;
  using Mask = uint32x4_t;  // all bits of a lane set, or none
  static constexpr int width = 4;
  float32x4_t v;

  static Vec zero() { return {vdupq_n_f32(0.0f)}; }
  static Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
  static Vec load(const float* p) { return {vld1q_f32(p)}; }
  void store(float* p) const { vst1q_f32(p, v); }
  // The first n lanes, 0 <= n <= width; the others read as zero and are not written.
  static Vec load_first(const float* p, int n) {
    float lanes[width] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store_first(float* p, int n) const {
    float lanes[width];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }

  // Conversions of `width` consecutive elements, rounded to nearest even.
  static Vec convert(const std::uint8_t* p) {
    std::uint32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof bytes);
    const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)))};
  }
  static Vec convert(const float* p) { return load(p); }
  static Vec convert(const double* p) {
    return {vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(p)), vld1q_f64(p + 2))};
  }

  // to[j * to_stride + i] = from[i * from_stride + j] for i, j < width; the blocks do not overlap.
  static void transpose(const float* from, std::ptrdiff_t from_stride, float* to,
                        std::ptrdiff_t to_stride) {
    const float32x4_t row0 = vld1q_f32(from);
    const float32x4_t row1 = vld1q_f32(from + from_stride);
    const float32x4_t row2 = vld1q_f32(from + 2 * from_stride);
    const float32x4_t row3 = vld1q_f32(from + 3 * from_stride);
    const float64x2_t low01 = vreinterpretq_f64_f32(vzip1q_f32(row0, row1));
    const float64x2_t high01 = vreinterpretq_f64_f32(vzip2q_f32(row0, row1));
    const float64x2_t low23 = vreinterpretq_f64_f32(vzip1q_f32(row2, row3));
    const float64x2_t high23 = vreinterpretq_f64_f32(vzip2q_f32(row2, row3));
    vst1q_f32(to, vreinterpretq_f32_f64(vzip1q_f64(low01, low23)));
    vst1q_f32(to + to_stride, vreinterpretq_f32_f64(vzip2q_f64(low01, low23)));
    vst1q_f32(to + 2 * to_stride, vreinterpretq_f32_f64(vzip1q_f64(high01, high23)));
    vst1q_f32(to + 3 * to_stride, vreinterpretq_f32_f64(vzip2q_f64(high01, high23)));
  }

  static Mask first(int n) {
    const std::int32_t lanes[width] = {0, 1, 2, 3};
    return vcgtq_s32(vdupq_n_s32(n), vld1q_s32(lanes));
  }
};

inline Vec<float> operator+(Vec<float> a, Vec<float> b) { return {vaddq_f32(a.v, b.v)}; }
inline Vec<float> operator-(Vec<float> a, Vec<float> b) { return {vsubq_f32(a.v, b.v)}; }
inline Vec<float> operator*(Vec<float> a, Vec<float> b) { return {vmulq_f32(a.v, b.v)}; }
inline Vec<float> operator/(Vec<float> a, Vec<float> b) { return {vdivq_f32(a.v, b.v)}; }
// a * b + c, rounded once.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {vfmaq_f32(c.v, a.v, b.v)};
}
inline Vec<float> sqrt(Vec<float> a) { return {vsqrtq_f32(a.v)}; }
// a > b ? a : b (min: a < b ? a : b), so that a NaN in `a` gives b, on every target: the
// instructions of that name here would give the NaN, and tell the zeros apart.
inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)};
}
inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)};
}
// |a|, and |a| with the sign of b: of the bits, so zeros and NaN too.
inline Vec<float> abs(Vec<float> a) { return {vabsq_f32(a.v)}; }
inline Vec<float> copysign(Vec<float> a, Vec<float> b) {
  return {vbslq_f32(vdupq_n_u32(UINT32_C(1) << 31), b.v, a.v)};
}
// Ordered comparison: false where either is NaN.
inline Vec<float>::Mask greater(Vec<float> a, Vec<float> b) { return vcgtq_f32(a.v, b.v); }
inline Vec<float> select(Vec<float>::Mask m, Vec<float> yes, Vec<float> no) {
  return {vbslq_f32(m, yes.v, no.v)};
}
// To the nearest integer, ties to even.
inline Vec<float> round(Vec<float> a) { return {vrndnq_f32(a.v)}; }
// 2^n for whole n in the exponent range of normal numbers.
inline Vec<float> exp2_of_whole(Vec<float> n) {
  const float32x4_t biased = vaddq_f32(n.v, vdupq_n_f32(0x1.8p23f + 127.0f));
  return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(biased), 23))};
}

template <>
struct Vec<double> {
  using Scalar = double;
  using Mask = uint64x2_t;
  static constexpr int width = 2;
  float64x2_t v;

  static Vec zero() { return {vdupq_n_f64(0.0)}; }
  static Vec broadcast(double x) { return {vdupq_n_f64(x)}; }
  static Vec load(const double* p) { return {vld1q_f64(p)}; }
  void store(double* p) const { vst1q_f64(p, v); }
  static Vec load_first(const double* p, int n) {
    double lanes[width] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store_first(double* p, int n) const {
    double lanes[width];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }

  static Vec convert(const std::uint8_t* p) {
    const std::uint64_t lanes[width] = {p[0], p[1]};
    return {vcvtq_f64_u64(vld1q_u64(lanes))};
  }
  static Vec convert(const float* p) { return {vcvt_f64_f32(vld1_f32(p))}; }
  static Vec convert(const double* p) { return load(p); }

  static void transpose(const double* from, std::ptrdiff_t from_stride, double* to,
                        std::ptrdiff_t to_stride) {
    const float64x2_t row0 = vld1q_f64(from);
    const float64x2_t row1 = vld1q_f64(from + from_stride);
    vst1q_f64(to, vzip1q_f64(row0, row1));
    vst1q_f64(to + to_stride, vzip2q_f64(row0, row1));
  }

  static Mask first(int n) {
    const std::int64_t lanes[width] = {0, 1};
    return vcgtq_s64(vdupq_n_s64(n), vld1q_s64(lanes));
  }
};

inline Vec<double> operator+(Vec<double> a, Vec<double> b) { return {vaddq_f64(a.v, b.v)}; }
inline Vec<double> operator-(Vec<double> a, Vec<double> b) { return {vsubq_f64(a.v, b.v)}; }
inline Vec<double> operator*(Vec<double> a, Vec<double> b) { return {vmulq_f64(a.v, b.v)}; }
inline Vec<double> operator/(Vec<double> a, Vec<double> b) { return {vdivq_f64(a.v, b.v)}; }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {vfmaq_f64(c.v, a.v, b.v)};
}
inline Vec<double> sqrt(Vec<double> a) { return {vsqrtq_f64(a.v)}; }
inline Vec<double> max(Vec<double> a, Vec<double> b) {
  return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)};
}
inline Vec<double> min(Vec<double> a, Vec<double> b) {
  return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)};
}
inline Vec<double> abs(Vec<double> a) { return {vabsq_f64(a.v)}; }
inline Vec<double> copysign(Vec<double> a, Vec<double> b) {
  return {vbslq_f64(vdupq_n_u64(UINT64_C(1) << 63), b.v, a.v)};
}
inline Vec<double>::Mask greater(Vec<double> a, Vec<double> b) { return vcgtq_f64(a.v, b.v); }
inline Vec<double> select(Vec<double>::Mask m, Vec<double> yes, Vec<double> no) {
  return {vbslq_f64(m, yes.v, no.v)};
}
inline Vec<double> round(Vec<double> a) { return {vrndnq_f64(a.v)}; }
inline Vec<double> exp2_of_whole(Vec<double> n) {
  const float64x2_t biased = vaddq_f64(n.v, vdupq_n_f64(0x1.8p52 + 1023.0));
  return {vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(biased), 52))};
}

}  // namespace
