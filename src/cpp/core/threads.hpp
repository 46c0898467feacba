// Teams of threads that share work by need: a program runs on the calling thread, and its phases
// are cut into pieces that all members take from one another.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "../kernels/panels.hpp"
#include "floating_point.hpp"

namespace twolayer {

// OMP_NUM_THREADS if set, else the CPUs this process may use: affinity and cgroup quota. No more
// than the calling thread's limit in the OpenMP runtime, where there is one, so that threadpoolctl
// has its say.
int default_threads();

bool has_openmp();

// How many of what takes this long on one thread make a piece that is worth the few hundred
// nanoseconds until another member learns of it.
inline std::int64_t grain_of(double nanoseconds) {
  constexpr double worth_sharing = 2000;
  return nanoseconds >= worth_sharing ? 1
                                      : static_cast<std::int64_t>(worth_sharing / nanoseconds) + 1;
}

// The members of one call, the caller among them. A phase is over when its pieces are done, not
// when all members have come by: one that lost its CPU to another program, or never got one, costs
// its share of the work and no more. Which member computes a number never changes it.
class Team {
 public:
  explicit Team(int threads) : wanted_(threads) {}
  ~Team() { let_go(); }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Calls body(part, rank) for ranges that make up [0, total), of which each takes about so many
  // nanoseconds on one thread, and returns when all are done. Ranges are multiples of `neighbours`
  // but for the last. No two calls at a time have the same rank, 0 <= rank < threads, and rank 0 is
  // the caller. Little work is done by the caller alone. The body must not throw.
  template <class Body>
  void share(std::int64_t total, double nanoseconds_each, const Body& body,
             std::int64_t neighbours = 1) {
    const std::int64_t grain =
        std::max({neighbours, grain_of(nanoseconds_each), total / most_pieces + 1});
    const std::int64_t pieces = (total + grain - 1) / grain;
    if (wanted_ == 1 || pieces < 2 || !staffed()) {
      if (total > 0) body(Range{0, total}, 0);
      return;
    }
    const auto call = [&](Range p, int rank) {
      body(Range{p.begin * grain, std::min(p.end * grain, total)}, rank);
    };
    run(
        pieces, static_cast<double>(total) * nanoseconds_each,
        [](const void* context, Range p, int rank) {
          (*static_cast<const decltype(call)*>(context))(p, rank);
        },
        &call);
  }

  // What the members share, and one of them beside the caller.
  struct Work;
  struct Helper;

 private:
  using Clock = std::chrono::steady_clock;
  using Call = void (*)(const void* context, Range pieces, int rank);
  static constexpr std::int64_t most_pieces = 60'000;

  bool staffed() { return work_ != nullptr ? !resting_ || rested() : hire(); }
  bool rested();
  bool hire();
  void let_go();
  void run(std::int64_t pieces, double nanoseconds, Call call, const void* context);
  void wait_for_the_others();
  void judge();

  const FloatingPointMode mode_;  // of the caller; helpers have their own
  const int wanted_;
  std::shared_ptr<Work> work_;  // where there are helpers
  std::vector<Helper*> helpers_;
  bool resting_ = false;       // the helpers are left alone
  Clock::time_point until_{};  // as long as this
  Clock::time_point since_{};  // helpers are judged by what they did from here on
  Clock::duration stalled_{};  // the caller's waits for members without a CPU
  std::int64_t pieces_ = 0;    // of all phases
  std::int64_t own_ = 0;       // of them the caller's
  int phases_ = 0;
};

}  // namespace twolayer
