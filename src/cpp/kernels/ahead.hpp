// Memory that will be wanted after a product, fetched while it runs: a line now and then, since a
// core can have only some twenty misses under way, and the product has its own. Fetched all at
// once, the same lines hold it up for as long as they would have later.
#pragma once

#include <cstdint>

namespace {

class Ahead {
 public:
  // Stretches of memory, at most `most`, side by side.
  void want(const void* begin, std::int64_t bytes) {
    next_[count_] = static_cast<const char*>(begin);
    end_[count_] = next_[count_] + bytes;
    ++count_;
  }

  // Part i of n of a stretch.
  void want_part(const void* begin, std::int64_t bytes, std::int64_t i, std::int64_t n) {
    const std::int64_t lines = (bytes + line - 1) / line;
    const std::int64_t first = lines * i / n;
    want(static_cast<const char*>(begin) + first * line, (lines * (i + 1) / n - first) * line);
  }

  // The next line of each.
  void fetch() {
#pragma GCC unroll 5
    for (int i = 0; i < most; ++i) {
      if (next_[i] >= end_[i]) continue;
      __builtin_prefetch(next_[i]);
      next_[i] += line;
    }
  }

 private:
  static constexpr int most = 5;
  static constexpr std::int64_t line = 64;
  int count_ = 0;
  const char* next_[most] = {};
  const char* end_[most] = {};
};

}  // namespace
