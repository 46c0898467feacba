// Pairs of bfloat16 on a target without instructions for them: products in float32. Included after
// a target header; native.hpp defines the same names.
#pragma once

#include "../operands.hpp"

namespace {

using twolayer::Pair;

// Lanes of 32 bits, as many as Vec<float> has.
typedef std::uint32_t Bits __attribute__((vector_size(Vec<float>::width * sizeof(float))));
static_assert(sizeof(Bits) == sizeof(Vec<float>));

inline Vec<float> as_floats(Bits bits) {
  Vec<float> v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

// Rounded to the nearest bfloat16, ties to even, in the upper half of each lane.
inline Bits rounded_bits(Vec<float> v) {
  Bits bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  const Bits nearest = bits + 0x7fffu + ((bits >> 16) & 1u);
  const Bits quiet = bits | 0x400000u;  // a NaN stays one
  return (bits << 1) > 0xff000000u ? quiet : nearest;
}

struct Pairs {
  Vec<float> first, second;

  static Pairs of(Bits bits) { return {as_floats(bits << 16), as_floats(bits & 0xffff0000u)}; }
  static Pairs load(const Pair* p) {
    Bits bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return of(bits);
  }
  static Pairs broadcast(Pair pair) { return of(Bits{} + pair); }
};

inline Vec<float> dot(Pairs a, Pairs b, Vec<float> sum) {
  return fma(a.first, b.first, fma(a.second, b.second, sum));
}

// `width` neighbours of a row: width / 2 pairs.
inline void store_rounded(Pair* to, Vec<float> v) {
  typedef std::uint16_t Halves
      __attribute__((vector_size(Vec<float>::width * sizeof(std::uint16_t))));
  const Halves halves = __builtin_convertvector(rounded_bits(v) >> 16, Halves);
  __builtin_memcpy(to, &halves, sizeof halves);
}

// `width` elements of two rows: width pairs.
inline void store_paired(Pair* to, Vec<float> first, Vec<float> second) {
  const Bits pairs = (rounded_bits(first) >> 16) | (rounded_bits(second) & 0xffff0000u);
  __builtin_memcpy(to, &pairs, sizeof pairs);
}

}  // namespace
