#include "threads.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define TWOLAYER_HAS_FORK
#endif

namespace twolayer {

namespace {

int cpus_by_affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// CPUs' worth of time that the control group grants, rounded up; very many where it sets no limit.
int cpus_by_quota() {
  constexpr int unlimited = 1 << 20;
  double quota = -1;
  double period = -1;
  std::string first;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> first >> period) {
    if (first != "max") quota = std::atof(first.c_str());
  } else if (std::ifstream v1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"); v1 >> quota) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0 || quota / period > unlimited) return unlimited;
  return static_cast<int>(std::ceil(quota / period));
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

int default_threads() {
  if (!has_openmp()) return 1;
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int wanted = std::atoi(text);  // of a list for nested regions, the outermost
    if (wanted >= 1) return wanted;
  }
  return std::max(1, std::min(cpus_by_affinity(), cpus_by_quota()));
}

void Barrier::wait() {
  constexpr int spins = 10'000;  // some tens of microseconds, more than a balanced phase waits
  const int phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    phase_.notify_all();
    return;
  }
  for (int i = 0; i < spins; ++i) {
    if (phase_.load(std::memory_order_acquire) != phase) return;
    relax();
  }
  phase_.wait(phase, std::memory_order_acquire);
}

void parallel(int threads, const std::function<void(const Member&)>& body) {
#ifdef _OPENMP
#ifdef TWOLAYER_HAS_FORK
  static std::atomic<pid_t> owner{0};  // the process whose runtime has threads
  if (threads > 1) {
    pid_t nobody = 0;
    if (!owner.compare_exchange_strong(nobody, getpid()) && nobody != getpid()) threads = 1;
  }
#endif
  if (threads > 1) {
    Barrier* barrier = nullptr;
    alignas(Barrier) unsigned char place[sizeof(Barrier)];
#pragma omp parallel num_threads(threads)
    {
      // The runtime may grant fewer threads than asked for; all must know how many.
#pragma omp single
      barrier = new (place) Barrier(omp_get_num_threads());
      body(Member(omp_get_thread_num(), omp_get_num_threads(), *barrier));
    }
    return;
  }
#endif
  Barrier alone(1);
  body(Member(0, 1, alone));
}

}  // namespace twolayer
