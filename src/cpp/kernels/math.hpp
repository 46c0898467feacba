// exp, expm1, tanh, logistic, log1p, the tail of the normal distribution over Vec<T> and log of a
// scalar, for float and double. Included after a target header. Each is one fixed chain of
// operations that round alike on every target, so the bits are the same everywhere; a C library's
// are not.
//
// Largest errors seen, in units in the last place: exp 0.9, log 0.92, logistic 1.5, expm1 1.6,
// tanh 2.0 (against the C library's double, or 80-bit long double: 2^28 floats and 6 * 10^7 doubles
// of all magnitudes, and as many on each of two ranges around zero); log1p 0.84, normal_tail 4.7
// (against long double: 2 * 10^7 floats and as many doubles).
#pragma once

#include <cstdint>

namespace {  // every target has its own copy: nothing here may be shared by the linker

// The polynomials are minimax fits by the Remez exchange at 50 digits, each coefficient then
// rounded to T, lowest power first:
//   exponential  s(r), |r| <= ln2 / 2, with expm1(r) = r + r^2 s(r), for the least relative error
//   logarithm    P(z), z = t^2 <= (3 - 2 sqrt2)^2, with 2 atanh(t) = 2 t + t z P(z), likewise
//   tail         P(t), t = (y - c) / (y + c), y from 0 to where exp(-y^2 / 2) rounds to 0, with
//                Q(y) = exp(-y^2 / 2) P(t) / (y + c), Q the normal distribution's upper tail: its
//                largest relative error 8.7e-9 (float), 1.3e-17 (double); c = tail_centre by trial
template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr float log2_e = 0x1.715476p+0f;
  // ln2 = high + low. x - n * high is exact under fma: both are multiples of 2^-25 below 1/2.
  static constexpr float ln2_high = 0x1.62e43p-1f;
  static constexpr float ln2_low = -0x1.05c61p-29f;
  // At and beyond these exp(x) is infinite, exp(x) rounds to 0, expm1(x) rounds to -1.
  static constexpr float exp_infinite = 89.0f;
  static constexpr float exp_zero = -104.0f;
  static constexpr float expm1_minus_one = -18.0f;
  static constexpr float exponential[] = {0x1p-1f,        0x1.555554p-3f,  0x1.5554b2p-5f,
                                          0x1.11118ap-7f, 0x1.6d71f8p-10f, 0x1.a032cp-13f};

  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr Bits infinity = 0x7f800000;
  static constexpr Bits sqrt_half = 0x3f3504f3;
  // ln2 again, high part short enough for e * high to be exact for every exponent e.
  static constexpr float ln2_short = 0x1.62e4p-1f;
  static constexpr float ln2_rest = 0x1.7f7d1cp-20f;
  static constexpr float logarithm[] = {0x1.555554p-1f, 0x1.999a7ap-2f, 0x1.2438d2p-2f,
                                        0x1.e2f722p-3f};

  static constexpr float tail_centre = 4.0f;
  static constexpr float tail[] = {
      0x1.82b4bcp-1f,  -0x1.373e38p-1f, 0x1.8c6d9ep-2f,  -0x1.7ep-3f,     0x1.eed404p-5f,
      -0x1.ed2d1ap-8f, -0x1.cc65c2p-9f, 0x1.9b8bc6p-10f, 0x1.78222ap-13f, -0x1.14c3cp-13f};
};

template <>
struct MathConstants<double> {
  static constexpr double log2_e = 0x1.71547652b82fep+0;
  static constexpr double ln2_high = 0x1.62e42fefa39efp-1;
  static constexpr double ln2_low = 0x1.abc9e3b39803fp-56;
  static constexpr double exp_infinite = 710.0;
  static constexpr double exp_zero = -746.0;
  static constexpr double expm1_minus_one = -38.0;
  static constexpr double exponential[] = {0x1p-1,
                                           0x1.5555555555559p-3,
                                           0x1.555555555553fp-5,
                                           0x1.111111110f6dap-7,
                                           0x1.6c16c16c1f076p-10,
                                           0x1.a01a01afd3e64p-13,
                                           0x1.a01a017bc714fp-16,
                                           0x1.71ddf87eadd65p-19,
                                           0x1.27e5362ae25c3p-22,
                                           0x1.af5e751a1da8ep-26,
                                           0x1.1ee889ba2e2bfp-29};

  using Bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr Bits infinity = 0x7ff0000000000000;
  static constexpr Bits sqrt_half = 0x3fe6a09e667f3bcd;
  static constexpr double ln2_short = 0x1.62e42fefa38p-1;
  static constexpr double ln2_rest = 0x1.ef35793c7673p-45;
  static constexpr double logarithm[] = {
      0x1.5555555555592p-1, 0x1.999999997fd77p-2, 0x1.24924941f4fb8p-2, 0x1.c71c520607a3bp-3,
      0x1.74663fa2411bep-3, 0x1.39a1a6f3d3d07p-3, 0x1.2f0634acda6ep-3};

  static constexpr double tail_centre = 5.0;
  static constexpr double tail[] = {
      0x1.89d3abe1f95aep-1,   -0x1.54ad03f27ca16p-1, 0x1.fb31653876f98p-2,   -0x1.410ed5f875b36p-2,
      0x1.51f6329f015b4p-3,   -0x1.1b1c254c94475p-4, 0x1.54b4d4f4cace1p-6,   -0x1.88590eb5b9b1fp-9,
      -0x1.a25037dc7a90dp-11, 0x1.1daf1ea47c78ep-11, -0x1.f214610c80381p-15, -0x1.a1713b9c3bd5fp-15,
      0x1.17dd0cddd42a2p-16,  0x1.0b312cbc71a4cp-18, -0x1.73a990781b5b8p-19, -0x1.6aa02dcd1f928p-22,
      0x1.d0aa954326942p-22,  0x1.7694be023dec3p-25, -0x1.18ca2b5506e4bp-24, -0x1.5f420a5746153p-27,
      0x1.eeec7d359086dp-28,  0x1.15f992b00f7b4p-29};
};

// c[0] + c[1] x + c[2] x^2 + ..., by Horner's scheme.
template <class T, int n>
inline Vec<T> polynomial(Vec<T> x, const T (&c)[n]) {
  Vec<T> sum = Vec<T>::broadcast(c[n - 1]);
#pragma GCC unroll 32
  for (int i = n - 2; i >= 0; --i) sum = fma(sum, x, Vec<T>::broadcast(c[i]));
  return sum;
}

// x = n ln2 + r + rest: n whole, |r| <= ln2 / 2 (and a little), `rest` what rounding took from r.
// A NaN in x stays, because it is the second operand of max and min.
template <class T>
struct Reduced {
  Vec<T> n, r, rest;
};

template <class T>
inline Reduced<T> reduce(Vec<T> x, T lowest, T highest) {
  using C = MathConstants<T>;
  x = min(Vec<T>::broadcast(highest), max(Vec<T>::broadcast(lowest), x));
  const Vec<T> n = round(x * Vec<T>::broadcast(C::log2_e));
  const Vec<T> minus_low = Vec<T>::broadcast(-C::ln2_low);
  const Vec<T> exact = fma(n, Vec<T>::broadcast(-C::ln2_high), x);
  const Vec<T> r = fma(n, minus_low, exact);
  return {n, r, fma(n, minus_low, exact - r)};
}

// a 2^n rounded once, for whole n and an a near 1 (or any a where n = 0). In two halves, because
// 2^n may be no normal number; a target with an instruction for it has an overload that goes
// before.
template <class T>
inline Vec<T> scale(Vec<T> a, Vec<T> n) {
  const Vec<T> half = round(n * Vec<T>::broadcast(T(0.5)));
  return a * exp2_of_whole(half) * exp2_of_whole(n - half);
}

template <class T>
inline Vec<T> exp(Vec<T> x) {
  using C = MathConstants<T>;
  const Vec<T> one = Vec<T>::broadcast(T(1));
  const Reduced<T> reduced = reduce(x, C::exp_zero, C::exp_infinite);
  const Vec<T> r = reduced.r;
  const Vec<T> slope = fma(polynomial(r, C::exponential), r, one);
  return scale(fma(slope, r, one), reduced.n);
}

// exp(x) = 2^n (1 + q) with |q| < 1/2, and power = 2^-n, at most 2^64: enough where x is negative
// and the caller wants expm1, of which then -1 remains.
template <class T>
struct SplitExp {
  Vec<T> n, q, power;
};

template <class T>
inline SplitExp<T> split_exp(Vec<T> x) {
  using C = MathConstants<T>;
  const Reduced<T> reduced = reduce(x, C::expm1_minus_one, C::exp_infinite);
  const Vec<T> r = reduced.r;
  const Vec<T> q = r + fma(r * r, polynomial(r, C::exponential), reduced.rest);
  // 2^-n must stay a normal number, and 1 - 2^-64 is 1 already.
  const Vec<T> minus_n = max(Vec<T>::broadcast(T(-64)), Vec<T>::zero() - reduced.n);
  return {reduced.n, q, exp2_of_whole(minus_n)};
}

// 2^n (q + (1 - 2^-n)): nothing is lost where x is small (n = 0) or near -infinity.
template <class T>
inline Vec<T> expm1(Vec<T> x) {
  const SplitExp<T> e = split_exp(x);
  const Vec<T> sum = e.q + (Vec<T>::broadcast(T(1)) - e.power);
  return copysign(scale(sum, e.n), x);  // for the sign of zero
}

// tanh|x| = (1 - e) / (1 + e) with e = exp(-2|x|); numerator and denominator times 2^-n.
template <class T>
inline Vec<T> tanh(Vec<T> x) {
  const Vec<T> one = Vec<T>::broadcast(T(1));
  const SplitExp<T> e = split_exp(abs(x) * Vec<T>::broadcast(T(-2)));
  return copysign((e.q + (one - e.power)) / (e.q + (one + e.power)), x);
}

// 1 / (1 + e) or e / (1 + e) with e = exp(-|x|). The quotient is corrected for what rounding took
// from 1 + e and from the quotient itself; the correction is so small that a line through the
// reciprocal, right to 5%, will do for it.
template <class T>
inline Vec<T> logistic(Vec<T> x) {
  const Vec<T> one = Vec<T>::broadcast(T(1));
  const Vec<T> e = exp(Vec<T>::zero() - abs(x));
  const Vec<T> numerator = select(greater(Vec<T>::zero(), x), e, one);
  const Vec<T> sum = one + e;
  const Vec<T> lost = e - (sum - one);
  const Vec<T> quotient = numerator / sum;
  const Vec<T> minus_quotient = Vec<T>::zero() - quotient;
  const Vec<T> residue = fma(minus_quotient, lost, fma(minus_quotient, sum, numerator));
  const Vec<T> reciprocal = fma(sum, Vec<T>::broadcast(T(-0.5)), Vec<T>::broadcast(T(1.46)));
  return fma(residue, reciprocal, quotient);
}

// log(1 + x) for 0 <= x <= 1, as log_of_normal below: 1 + x = 2^k (1 + f), k = 0 or 1, so that
// nothing of a small x is lost.
template <class T>
inline Vec<T> log1p(Vec<T> x) {
  using C = MathConstants<T>;
  const Vec<T> one = Vec<T>::broadcast(T(1)), half = Vec<T>::broadcast(T(0.5));
  const auto upper = greater(x, Vec<T>::broadcast(T(0.41421356)));
  const Vec<T> k = select(upper, one, Vec<T>::zero());
  const Vec<T> difference = x - k;
  const Vec<T> lost_there = x - (difference + k);  // exact, and 0 but for k = 1, x < 1/2
  const Vec<T> f = difference * select(upper, half, one);
  const Vec<T> t = f / (f + Vec<T>::broadcast(T(2)));
  const Vec<T> z = t * t;
  const Vec<T> h = half * f * f;
  const Vec<T> whole = k * Vec<T>::broadcast(C::ln2_short);
  const Vec<T> leading = whole + f;
  const Vec<T> lost = f - (leading - whole);
  const Vec<T> correction = h - t * fma(z, polynomial(z, C::logarithm), h);
  // What x - 1 lost counts half, over 1 + f, which lies between 0.7 and 0.75.
  const Vec<T> rest = fma(lost_there, Vec<T>::broadcast(T(0.69)), lost);
  return leading + (rest + fma(k, Vec<T>::broadcast(C::ln2_rest), Vec<T>::zero() - correction));
}

// The chance that a standard normal number exceeds y, for 0 <= y <= 40: Q(y) = exponential *
// ratio, the first of which is exp(-y^2 / 2). In two factors, because Q runs out of normal numbers
// before the products of which it is a factor do; and ratio falls but slowly, never below 0.01.
template <class T>
struct NormalTail {
  Vec<T> exponential, ratio;
};

template <class T>
inline NormalTail<T> normal_tail(Vec<T> y) {
  using C = MathConstants<T>;
  const Vec<T> one = Vec<T>::broadcast(T(1)), minus_half = Vec<T>::broadcast(T(-0.5));
  const Vec<T> centre = Vec<T>::broadcast(C::tail_centre);
  const Vec<T> minus_diameter = Vec<T>::broadcast(-2 * C::tail_centre);
  // What rounding took from the square: exp of that is a line, for where e is not 0 it is below
  // 2^-18 (float), 2^-44 (double).
  const Vec<T> square = y * y;
  const Vec<T> square_lost = fma(y, y, Vec<T>::zero() - square);
  const Vec<T> e = exp(square * minus_half);
  // 1 / (y + c) = reciprocal (1 + lost), which t would feel three times over.
  const Vec<T> sum = y + centre;
  const Vec<T> sum_lost = y - (sum - centre);  // exact
  const Vec<T> reciprocal = one / sum;
  const Vec<T> minus_reciprocal = Vec<T>::zero() - reciprocal;
  const Vec<T> lost = fma(minus_reciprocal, sum_lost, fma(minus_reciprocal, sum, one));
  const Vec<T> t = fma(minus_diameter * reciprocal, lost, fma(minus_diameter, reciprocal, one));
  const Vec<T> ratio = reciprocal * polynomial(t, C::tail);
  return {fma(e, square_lost * minus_half, e), fma(ratio, lost, ratio)};
}

inline float fma_scalar(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma_scalar(double a, double b, double c) { return __builtin_fma(a, b, c); }

// log(x): -inf at zero, NaN below.
// x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt2; with t = f / (2 + f), log(1 + f) = 2 atanh(t), and
// as 2 t = f - f t, that is f - (h - t (h + t^2 P(t^2))), h = f^2 / 2: the leading term is exact.
// This is it for a positive normal x, given by its bits, times 2^exponent; without a branch, so
// that a loop over it becomes vectors.
template <class T>
inline T log_of_normal(typename MathConstants<T>::Bits bits, int exponent) {
  using C = MathConstants<T>;
  using Bits = typename C::Bits;
  constexpr Bits one_exponent = Bits(1) << C::mantissa_bits;
  // Counted from sqrt(1/2) instead of 1/2, the exponent field is e.
  constexpr Bits one = C::infinity / 2 / one_exponent * one_exponent;
  bits += one - C::sqrt_half;
  exponent += static_cast<int>(bits >> C::mantissa_bits) - static_cast<int>(one / one_exponent);
  bits = (bits & (one_exponent - 1)) + C::sqrt_half;
  T m;
  __builtin_memcpy(&m, &bits, sizeof m);

  const T f = m - T(1);
  const T t = f / (f + T(2));
  const T z = t * t;
  constexpr int terms = sizeof C::logarithm / sizeof C::logarithm[0];
  T sum = C::logarithm[terms - 1];
  for (int i = terms - 2; i >= 0; --i) sum = fma_scalar(sum, z, C::logarithm[i]);
  const T h = T(0.5) * f * f;
  const T e = static_cast<T>(exponent);
  const T whole = e * C::ln2_short;  // exact
  const T leading = whole + f;
  const T lost = f - (leading - whole);  // exact: `whole` is 0 or larger than f
  const T correction = h - t * fma_scalar(z, sum, h);
  return leading + (lost + fma_scalar(e, C::ln2_rest, -correction));
}

template <class T>
inline T log_scalar(T x) {
  using C = MathConstants<T>;
  using Bits = typename C::Bits;
  constexpr Bits one_exponent = Bits(1) << C::mantissa_bits;
  Bits bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  int exponent = 0;
  if (bits - one_exponent >= C::infinity - one_exponent) {  // not a positive normal number
    if (!(x > T(0))) return x == T(0) ? T(-__builtin_inff()) : T(__builtin_nanf(""));
    if (bits == C::infinity) return x;
    x *= T(one_exponent);
    exponent = -C::mantissa_bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
  }
  return log_of_normal<T>(bits, exponent);
}

// A vector's worth of logs, of numbers that are positive and normal, or NaN.
template <class T>
inline void log_of_normals(const T* x, T* result) {
  for (int i = 0; i < Vec<T>::width; ++i) {
    typename MathConstants<T>::Bits bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    result[i] = log_of_normal<T>(bits, 0) + (x[i] - x[i]);  // the difference is 0 but for NaN
  }
}

}  // namespace
