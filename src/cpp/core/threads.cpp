#include "threads.hpp"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#define TWOLAYER_HAS_PTHREADS
#endif

namespace twolayer {

namespace {

int cpus_by_affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// CPUs' worth of time that the control group grants, rounded up; very many where it sets no limit.
int read_quota() {
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

// As it was at the first call: to read files takes longer than a small prediction.
int cpus_by_quota() {
  static const int cpus = read_quota();
  return cpus;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;

constexpr int long_spin = 4000;  // some tens of microseconds, more than a balanced phase waits
constexpr int short_spin = 100;  // a microsecond or less

template <class Done>
bool soon(const Done& done, int spins = long_spin) {
  for (int i = 0; i < spins; ++i) {
    if (done()) return true;
    relax();
  }
  return done();
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
  int limit = 1 << 20;
#ifdef _OPENMP
  limit = omp_get_max_threads();
#endif
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int wanted = std::atoi(text);  // of a list for nested regions, the outermost
    if (wanted >= 1) return std::min(wanted, limit);
  }
  return std::max(1, std::min({cpus_by_affinity(), cpus_by_quota(), limit}));
}

// One phase after another. Each member has a part of a phase's pieces, takes from the front of its
// own first, half of what is left at a time, and then from the back of the others'. A part's phase
// stands beside its pieces, so that nothing can be taken of a phase that has passed; and the caller
// goes on to the next, and changes what is said here of this one, only when all pieces are done.
struct Team::Work {
  static constexpr std::uint32_t closed = 0;  // the phase after the last

  struct alignas(64) Part {
    std::atomic<std::uint64_t> rest{0};  // phase, first piece, end: 32, 16 and 16 bits
  };

  explicit Work(int size) : parts(static_cast<std::size_t>(size)) {}

  alignas(64) std::atomic<std::uint32_t> phase{1};
  std::atomic<Call> call{nullptr};
  std::atomic<const void*> context{nullptr};
  alignas(64) std::atomic<std::int32_t> left{0};  // pieces not yet done
  std::vector<Part> parts;

  void open(std::int64_t pieces, double nanoseconds, Call c, const void* with) {
    std::uint32_t next = phase.load(std::memory_order_relaxed) + 1;
    if (next == closed) ++next;
    call.store(c, std::memory_order_relaxed);
    context.store(with, std::memory_order_relaxed);
    left.store(static_cast<std::int32_t>(pieces), std::memory_order_relaxed);
    const auto size = static_cast<std::int64_t>(parts.size());
    for (std::int64_t r = 0; r < size; ++r) {
      const auto begin = static_cast<std::uint64_t>(pieces * r / size);
      const auto end = static_cast<std::uint64_t>(pieces * (r + 1) / size);
      parts[static_cast<std::size_t>(r)].rest.store(std::uint64_t{next} << 32 | begin << 16 | end,
                                                    std::memory_order_release);
    }
    phase.store(next, std::memory_order_release);
    // To wake a thread takes as long as a short phase, which is for those that are awake.
    constexpr double worth_waking = 30'000;
    if (nanoseconds >= worth_waking) phase.notify_all();
  }

  void report(std::int64_t pieces) {
    const auto done = static_cast<std::int32_t>(pieces);
    if (left.fetch_sub(done, std::memory_order_acq_rel) == done) left.notify_one();
  }

  // Takes part in a phase until nothing is left to take; returns how many pieces it has done. Those
  // of its own part it reports together: with many members the counter is what they meet at most.
  std::int64_t take_part(std::uint32_t in_phase, std::size_t rank) {
    std::int64_t sum = 0;
    const Call run = call.load(std::memory_order_relaxed);
    const void* with = context.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::atomic<std::uint64_t>& rest = parts[(rank + i) % parts.size()].rest;
      std::uint64_t seen = rest.load(std::memory_order_acquire);
      for (;;) {
        if (seen >> 32 != in_phase) return sum;
        std::uint64_t begin = seen >> 16 & 0xffff;
        std::uint64_t end = seen & 0xffff;
        if (begin == end) break;
        const std::uint64_t count = end - begin <= 2 ? end - begin : (end - begin + 1) / 2;
        const std::uint64_t mine = i == 0 ? begin : end - count;
        (i == 0 ? begin : end) = i == 0 ? begin + count : end - count;
        if (!rest.compare_exchange_weak(seen, std::uint64_t{in_phase} << 32 | begin << 16 | end,
                                        std::memory_order_acq_rel)) {
          continue;
        }
        const auto first = static_cast<std::int64_t>(mine);
        run(with, {first, first + static_cast<std::int64_t>(count)}, static_cast<int>(rank));
        sum += static_cast<std::int64_t>(count);
        if (i > 0) report(static_cast<std::int64_t>(count));
        seen = rest.load(std::memory_order_acquire);
      }
      if (i == 0 && sum > 0) report(sum);
    }
    return sum;
  }

  // A helper's life in the team.
  void help(std::size_t rank) {
    for (std::uint32_t seen = 1;;) {
      const auto moved = [&] { return phase.load(std::memory_order_acquire) != seen; };
      if (!soon(moved)) phase.wait(seen, std::memory_order_acquire);
      seen = phase.load(std::memory_order_acquire);
      if (seen == closed) return;
      take_part(seen, rank);
    }
  }
};

// A thread of the process's own, in one team after another.
struct Team::Helper {
  std::atomic<std::uint32_t> engagements{0};
  std::mutex mutex;
  std::shared_ptr<Work> work;  // of the last engagement, until the helper has come to it
  std::size_t rank = 0;

  void engage(std::shared_ptr<Work> with, std::size_t as) {
    {
      const std::lock_guard lock(mutex);
      work = std::move(with);
      rank = as;
    }
    engagements.fetch_add(1, std::memory_order_release);
    engagements.notify_one();
  }

  void live() {
    const FloatingPointMode mode;
    for (std::uint32_t seen = 0;;) {
      const auto engaged = [&] { return engagements.load(std::memory_order_acquire) != seen; };
      if (!soon(engaged)) engagements.wait(seen, std::memory_order_acquire);
      seen = engagements.load(std::memory_order_acquire);
      std::shared_ptr<Work> with;
      std::size_t as;
      {
        const std::lock_guard lock(mutex);
        with = std::move(work);
        as = rank;
      }
      if (with) with->help(as);
    }
  }
};

namespace {

// What a team did in a while.
struct Record {
  Clock::duration elapsed{};
  Clock::duration stalled{};
  std::int64_t pieces = 0;
  std::int64_t own = 0;  // the caller's
};

// The helpers of this process that are in no team. Calls from several Python threads share them:
// together they start no more than the largest of them, or the CPUs, want.
class Pool {
 public:
  // Whether the machine was found busy, and is not to be tried again yet.
  bool busy(Clock::time_point now) const {
    return now.time_since_epoch().count() < until_.load(std::memory_order_relaxed);
  }

  // Told by every team now and then. Helpers that do little, or that are mostly waited for, do more
  // harm than good: the machine is busy, and until the time returned callers work alone. Each time
  // that this is found again the time doubles.
  Clock::time_point judge(Clock::time_point now, const Record& record) {
    using namespace std::chrono_literals;
    const std::lock_guard lock(mutex_);
    sum_.elapsed += record.elapsed;
    sum_.stalled += record.stalled;
    sum_.pieces += record.pieces;
    sum_.own += record.own;
    if (sum_.elapsed >= 10ms && sum_.pieces > 0) {
      const bool too_busy =
          sum_.stalled * 3 > sum_.elapsed || (sum_.pieces - sum_.own) * 5 < sum_.pieces;
      rest_ = too_busy ? std::min<Clock::duration>(rest_ * 2 + 20ms, 1s) : Clock::duration{};
      until_ = (now + rest_).time_since_epoch().count();
      sum_ = {};
    }
    return Clock::time_point(Clock::duration(until_.load(std::memory_order_relaxed)));
  }

  // Takes at most `count` helpers.
  void take(int count, std::vector<Team::Helper*>& to) {
    const std::lock_guard lock(mutex_);
    const int most = std::max(count, cpus_by_affinity() - 1);
    while (static_cast<int>(to.size()) < count) {
      if (!idle_.empty()) {
        to.push_back(idle_.back());
        idle_.pop_back();
      } else if (helpers_ < most && start()) {
        ++helpers_;
      } else {
        return;
      }
    }
  }

  void give_back(const std::vector<Team::Helper*>& helpers) {
    const std::lock_guard lock(mutex_);
    idle_.insert(idle_.end(), helpers.rbegin(), helpers.rend());
  }

 private:
  // Threads that end with the process, as what they use: it is never freed.
  bool start() {
    idle_.reserve(static_cast<std::size_t>(helpers_) + 1);
    auto helper = std::make_unique<Team::Helper>();
#ifdef TWOLAYER_HAS_PTHREADS
    sigset_t all, before;  // signals are for the program's own threads
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    bool started = true;
    try {
      std::thread([own = helper.get()] { own->live(); }).detach();
    } catch (const std::exception&) {  // no more threads to be had: the team stays smaller
      started = false;
    }
#ifdef TWOLAYER_HAS_PTHREADS
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    if (started) idle_.push_back(helper.release());
    return started;
  }

  std::mutex mutex_;
  std::vector<Team::Helper*> idle_;
  int helpers_ = 0;
  Record sum_;
  Clock::duration rest_{};
  std::atomic<Clock::rep> until_{0};
};

// A fork copies no helpers, and perhaps a locked mutex: the child begins anew.
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static const bool once = [] {
    the_pool = new Pool;
#ifdef TWOLAYER_HAS_PTHREADS
    pthread_atfork(nullptr, nullptr, [] { the_pool = new Pool; });
#endif
    return true;
  }();
  static_cast<void>(once);
  return *the_pool;
}

}  // namespace

bool Team::rested() {
  since_ = Clock::now();
  resting_ = since_ < until_;
  return !resting_;
}

bool Team::hire() {
  using namespace std::chrono_literals;
  since_ = Clock::now();
  if (since_ < until_ || pool().busy(since_)) return false;
  pool().take(wanted_ - 1, helpers_);
  if (helpers_.empty()) {  // all are in other teams: ask again later
    until_ = since_ + 10ms;
    return false;
  }
  try {
    work_ = std::make_shared<Work>(static_cast<int>(helpers_.size()) + 1);
  } catch (...) {
    pool().give_back(helpers_);
    helpers_.clear();
    throw;
  }
  for (std::size_t i = 0; i < helpers_.size(); ++i) helpers_[i]->engage(work_, i + 1);
  return true;
}

void Team::let_go() {
  if (work_ == nullptr) return;
  if (!resting_) judge();
  work_->phase.store(Work::closed, std::memory_order_release);
  work_->phase.notify_all();
  work_.reset();
  pool().give_back(helpers_);
  helpers_.clear();
}

void Team::run(std::int64_t pieces, double nanoseconds, Call call, const void* context) {
  constexpr int often = 64;
  work_->open(pieces, nanoseconds, call, context);
  own_ += work_->take_part(work_->phase.load(std::memory_order_relaxed), 0);
  pieces_ += pieces;
  const auto done = [&] { return work_->left.load(std::memory_order_acquire) == 0; };
  if (!soon(done, short_spin)) wait_for_the_others();
  if (++phases_ % often == 0) judge();
}

// Somebody works on a long piece, or has lost the CPU in the middle of one, to this thread perhaps.
void Team::wait_for_the_others() {
  const auto begin = Clock::now();
  const bool awake = soon([&] { return work_->left.load(std::memory_order_acquire) == 0; });
  for (std::int32_t left; (left = work_->left.load(std::memory_order_acquire)) != 0;) {
    work_->left.wait(left, std::memory_order_acquire);
  }
  stalled_ += Clock::now() - begin;
  if (!awake) judge();
}

void Team::judge() {
  const auto now = Clock::now();
  until_ = pool().judge(now, {now - since_, stalled_, pieces_, own_});
  resting_ = now < until_;
  since_ = now;
  stalled_ = {};
  pieces_ = own_ = 0;
}

}  // namespace twolayer
