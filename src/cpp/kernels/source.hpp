// Rows of a data set as they lie in memory, where nobody copies them, and what their elements
// become: floats or doubles, exactly, on every target alike.
#pragma once

#include <cstdint>

namespace twolayer {

// An IEEE 754 number of 16 bits, which C++20 has no type for.
struct Half {
  std::uint16_t bits;
};

// The one place that lists what rows may be made of: name (NumPy's), type. Targets convert uint8,
// float32 and float64 with instructions of their own (Vec::convert), all others are converted
// below.
#define TWOLAYER_ELEMENT_TYPES(X) \
  X(uint8, std::uint8_t)          \
  X(int8, std::int8_t)            \
  X(int16, std::int16_t)          \
  X(uint16, std::uint16_t)        \
  X(float16, twolayer::Half)      \
  X(float32, float)               \
  X(float64, double)

enum class ElementType {
#define TWOLAYER_NAME(name, type) name,
  TWOLAYER_ELEMENT_TYPES(TWOLAYER_NAME)
#undef TWOLAYER_NAME
};

// Calls body.template operator()<Element>() for the type at hand.
template <class Body>
__attribute__((always_inline)) inline void with_element(ElementType type, const Body& body) {
  switch (type) {
#define TWOLAYER_CASE(name, type) \
  case ElementType::name:         \
    return body.template operator()<type>();
    TWOLAYER_ELEMENT_TYPES(TWOLAYER_CASE)
#undef TWOLAYER_CASE
  }
}

static inline std::int64_t element_size(ElementType type) {
  std::int64_t size = 0;
  with_element(type, [&]<class Element>() { size = sizeof(Element); });
  return size;
}

// Dense: element (r, c) at values + r * row_stride + c * column_stride, whatever the memory order.
// Compressed sparse rows (CSR): row r holds values[i] in column columns[i] for
// starts[r] <= i < starts[r + 1], and zeros elsewhere.
struct Source {
  const void* values;
  ElementType type;
  std::int64_t row_stride;                // bytes; of either sign, a multiple of the element's size
  std::int64_t column_stride;             // the same; the element's size where rows are contiguous
  const std::int64_t* starts = nullptr;   // CSR: N + 1 numbers; null: dense
  const std::int32_t* columns = nullptr;  // CSR: ascending within a row, none twice
};

}  // namespace twolayer

namespace {  // every target has its own copy: nothing here may be shared by the linker

using twolayer::ElementType;
using twolayer::Half;

template <class Element, int count>
struct LanesOf {
  typedef Element type __attribute__((vector_size(count * sizeof(Element))));
};
template <class Element, int count>
using Lanes = typename LanesOf<Element, count>::type;

// The types that targets convert with an instruction of their own.
template <class Element>
inline constexpr bool has_instruction =
    __is_same(Element, std::uint8_t) || __is_same(Element, float) || __is_same(Element, double);

// By operations on bits and one exact subtraction: a CPU that is told to flush subnormal floats
// still reads the subnormal halves right, which are normal as floats.
template <int count>
Lanes<float, count> floats_of_halves(const Half* from) {
  using Bits = Lanes<std::uint32_t, count>;
  Lanes<std::uint16_t, count> halves;
  __builtin_memcpy(&halves, from, sizeof halves);
  const Bits half = __builtin_convertvector(halves, Bits);
  const Bits size = half & 0x7fffu;
  constexpr std::uint32_t one = 1u << 23;             // in the exponent of a float
  constexpr std::uint32_t rebias = (127 - 15) * one;  // from the exponent of a half
  const Bits normal = (size << 13) + rebias;
  const Bits infinite = normal + rebias;  // infinity and NaN keep the largest exponent
  // m * 2^-24 = (1 + m * 2^-10) * 2^-14 - 2^-14
  const Bits shifted = normal + one;
  const Bits offset = Bits{} + (rebias + one);
  Lanes<float, count> minuend, subtrahend;
  __builtin_memcpy(&minuend, &shifted, sizeof minuend);
  __builtin_memcpy(&subtrahend, &offset, sizeof subtrahend);
  const Lanes<float, count> difference = minuend - subtrahend;
  Bits subnormal;
  __builtin_memcpy(&subnormal, &difference, sizeof subnormal);
  const Bits chosen = size < 0x400u ? subnormal : (size < 0x7c00u ? normal : infinite);
  const Bits bits = chosen | (half & 0x8000u) << 16;
  Lanes<float, count> floats;
  __builtin_memcpy(&floats, &bits, sizeof floats);
  return floats;
}

// The same count of consecutive elements as vectors of T.
template <class T, class Element, int count>
Lanes<T, count> converted_lanes(const Element* from) {
  if constexpr (__is_same(Element, Half)) {
    return __builtin_convertvector(floats_of_halves<count>(from), Lanes<T, count>);
  } else {
    Lanes<Element, count> elements;
    __builtin_memcpy(&elements, from, sizeof elements);
    // In steps that have an instruction: in one, some compilers go element by element.
    const auto words = [&] {
      if constexpr (sizeof(Element) > 1)
        return elements;
      else
        return __builtin_convertvector(elements, Lanes<std::int16_t, count>);
    }();
    const auto whole = __builtin_convertvector(words, Lanes<std::int32_t, count>);
    return __builtin_convertvector(whole, Lanes<T, count>);
  }
}

// One element.
template <class T, class Element>
T converted_one(Element from) {
  if constexpr (__is_same(Element, Half)) {
    const Half halves[4] = {from, {}, {}, {}};
    return static_cast<T>(floats_of_halves<4>(halves)[0]);
  } else {
    return static_cast<T>(from);
  }
}

// What comes nearest to x among the values of a type: a whole number within its range, or a half.
template <class Element, class T>
Element nearest(T x) {
  if constexpr (__is_same(Element, Half)) {
    const float size = static_cast<float>(x < 0 ? -x : x);
    const std::uint32_t sign = x < 0 ? 0x8000 : 0;
    std::uint32_t bits;
    __builtin_memcpy(&bits, &size, sizeof bits);
    if (size >= 65504.0f) {
      bits = 0x7bff;
    } else if (size < 0x1p-14f) {
      bits = static_cast<std::uint32_t>(size * 0x1p24f + 0.5f);
    } else {
      bits = ((bits + 0x1000) >> 13) - ((127 - 15) << 10);
    }
    return {static_cast<std::uint16_t>(sign | bits)};
  } else if constexpr (Element(0.5) != 0) {
    return static_cast<Element>(x);
  } else {
    constexpr bool is_signed = Element(-1) < 0;
    constexpr int bits = 8 * sizeof(Element);
    constexpr T low = is_signed ? -T(1 << (bits - 1)) : T(0);
    constexpr T high = T((1 << (is_signed ? bits - 1 : bits)) - 1);
    const T bounded = x < low ? low : x > high ? high : x;
    return static_cast<Element>(bounded + (bounded < 0 ? T(-0.5) : T(0.5)));
  }
}

}  // namespace
