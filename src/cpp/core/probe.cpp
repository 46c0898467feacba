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

// The highest rate of work(rank, size), which returns how much this member did. All members work at
// the same time, again and again until `seconds` have passed; the first time is a warm-up.
template <class Work>
double best_rate(int threads, double seconds, const Work& work) {
  double best = 0;
  double started = now();  // and the three below: written by rank 0, between two barriers
  const double begin = started;
  bool warm = false;
  bool more = true;
  std::atomic<double> done{0};
  parallel(threads, [&](const Member& member) {
    while (more) {
      const double mine = work(member);
      double expected = done.load();
      while (!done.compare_exchange_weak(expected, expected + mine)) {
      }
      member.wait();
      if (member.rank() == 0) {
        const double stopped = now();
        if (warm) {
          best = std::max(best, done.load() / (stopped - started));
          more = stopped - begin < seconds;
        }
        warm = true;
        done = 0;
        started = now();  // nobody starts before this, even where there are too few CPUs
      }
      member.wait();
    }
  });
  return best;
}

template <class T>
double best_multiply_add_rate(double (*kernel)(std::int64_t, T*), int threads, double seconds) {
  // A millisecond a run with vectors: long beside a barrier, short beside other programs' turns.
  constexpr std::int64_t iterations = 1 << 18;
  return best_rate(threads, seconds, [&](const Member&) {
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
  return best_rate(threads, seconds, [&](const Member& member) {
    const Range part = member.share(static_cast<std::int64_t>(array.size()));
    std::uint64_t sum = 0;
    for (std::int64_t i = part.begin; i < part.end; ++i) sum += array[static_cast<std::size_t>(i)];
    // The sum is the number of elements; using it keeps the loop.
    return static_cast<double>(sum) * sizeof(std::uint64_t);
  });
}

}  // namespace twolayer
