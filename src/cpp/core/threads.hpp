// Teams of threads: one parallel region for many steps, with cheap barriers between their phases.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "../kernels/panels.hpp"

namespace twolayer {

// OMP_NUM_THREADS if set, else the CPUs this process may use: affinity and cgroup quota.
int default_threads();

bool has_openmp();

// Spins, since phases are short; sleeps when a member must be waiting for a CPU.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  void wait();

 private:
  const int size_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> phase_{0};
};

// One thread's place in its team.
class Member {
 public:
  Member(int rank, int size, Barrier& barrier) : rank_(rank), size_(size), barrier_(barrier) {}
  int rank() const { return rank_; }
  int size() const { return size_; }
  void wait() const {
    if (size_ > 1) barrier_.wait();
  }
  // This member's part of [0, total).
  Range share(std::int64_t total) const {
    return {total * rank_ / size_, total * (rank_ + 1) / size_};
  }

 private:
  int rank_;
  int size_;
  Barrier& barrier_;
};

// Runs body on a team of at most `threads` threads, the caller among them. The body must not throw.
// In a process forked after a parallel region the team is the caller alone: the runtime's threads
// did not survive the fork, and waiting for them would never end.
void parallel(int threads, const std::function<void(const Member&)>& body);

}  // namespace twolayer
