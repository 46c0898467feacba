// Random numbers by counter: number i of a stream is a function of the stream's key and of i alone,
// so that it does not matter who draws it. SplitMix64 (Steele, Lea and Flood 2014), whose state is
// a counter, read at any place.
#pragma once

#include <cstdint>

namespace twolayer {

constexpr std::uint64_t random_bits(std::uint64_t key, std::uint64_t i) {
  std::uint64_t z = key + (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// What the numbers of a training run's seed are for.
enum class Chance : std::uint64_t { dropout = 1, augmentation = 2 };

constexpr std::uint64_t key_of(std::uint64_t seed, Chance purpose, std::uint64_t step) {
  return random_bits(random_bits(seed, static_cast<std::uint64_t>(purpose)), step);
}

}  // namespace twolayer
