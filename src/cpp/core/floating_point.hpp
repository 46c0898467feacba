// How this thread's floating-point instructions round.
#pragma once

#include <cstdint>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <cfenv>
#endif

namespace twolayer {

// While it lives, its thread rounds to nearest, keeps subnormal numbers, and traps nothing: what
// the bits of a result are promised for. Others in the process may have it otherwise, as
// torch.set_flush_denormal does; they find it as it was.
class FloatingPointMode {
 public:
  FloatingPointMode(const FloatingPointMode&) = delete;
  FloatingPointMode& operator=(const FloatingPointMode&) = delete;

#if defined(__x86_64__)
  FloatingPointMode() {
    if (((before_ ^ ours) & ~flags) != 0) __builtin_ia32_ldmxcsr(ours);
  }
  ~FloatingPointMode() {
    if (((before_ ^ ours) & ~flags) != 0) __builtin_ia32_ldmxcsr(before_);
  }

 private:
  static constexpr unsigned flags = 0x3f;   // of what has happened
  static constexpr unsigned ours = 0x1f80;  // as a process begins: all exceptions masked, no more
  const unsigned before_ = __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
  FloatingPointMode() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    if (before_ != 0) set(0);
  }
  ~FloatingPointMode() {
    if (before_ != 0) set(before_);
  }

 private:
  static void set(std::uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
  std::uint64_t before_;
#else
  FloatingPointMode() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FloatingPointMode() { std::fesetenv(&before_); }

 private:
  std::fenv_t before_;
#endif
};

}  // namespace twolayer
