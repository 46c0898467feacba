#include "probe.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dispatch.hpp"
#include "threads.hpp"

namespace twolayer {

namespace {

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

// The highest rate of work(part) over equal parts, one a thread, of what is done in a round; rounds
// until `seconds` have passed, the first of them a warm-up.
template <class Work>
double best_rate(int threads, double seconds, const Work& work) {
  double best = 0;
  bool warm = false;
  Team team(threads);
  for (const double begin = now(); best == 0 || now() - begin < seconds; warm = true) {
    std::atomic<double> done{0};
    const double started = now();
    team.share(threads, seconds * 1e9, [&](Range parts, int) {
      for (std::int64_t part = parts.begin; part < parts.end; ++part) {
        const double mine = work(part);
        double expected = done.load();
        while (!done.compare_exchange_weak(expected, expected + mine)) {
        }
      }
    });
    if (warm) best = std::max(best, done.load() / (now() - started));
  }
  return best;
}

template <class T>
double best_multiply_add_rate(double (*kernel)(std::int64_t, T*), int threads, double seconds) {
  // A millisecond a run with vectors: long beside a barrier, short beside other programs' turns.
  constexpr std::int64_t iterations = 1 << 18;
  return best_rate(threads, seconds, [&](std::int64_t) {
    T result;
    const double operations = kernel(iterations, &result);
    // Never true; a compiler that cannot know so has to compute.
    return result < T(0) ? 0.0 : operations;
  });
}

}  // namespace

template <class T>
double multiply_add_peak(int threads, double seconds) {
  return best_multiply_add_rate(kernels<T>().products.multiply_add_peak, threads, seconds);
}

double bfloat16_multiply_add_peak(int threads, double seconds) {
  return best_multiply_add_rate(bfloat16_kernels().products.multiply_add_peak, threads, seconds);
}

template double multiply_add_peak<float>(int, double);
template double multiply_add_peak<double>(int, double);

double read_bandwidth(int threads, double seconds) {
  constexpr std::int64_t bytes = std::int64_t{256} << 20;
  const std::vector<std::uint64_t> array(static_cast<std::size_t>(bytes) / sizeof(std::uint64_t),
                                         1);
  return best_rate(threads, seconds, [&](std::int64_t part_of) {
    const auto size = static_cast<std::int64_t>(array.size());
    const Range part{size * part_of / threads, size * (part_of + 1) / threads};
    std::uint64_t sum = 0;
    for (std::int64_t i = part.begin; i < part.end; ++i) sum += array[static_cast<std::size_t>(i)];
    // The sum is the number of elements; using it keeps the loop.
    return static_cast<double>(sum) * sizeof(std::uint64_t);
  });
}

}  // namespace twolayer
