// Python's lock, released and taken again.
//
// When the interpreter ends, CPython before 3.14 ends a thread that asks for the lock by
// pthread_exit. glibc unwinds the stack then, over destructors that touch Python's objects without
// the lock, and over functions that let nothing through: the process would abort. Such a thread
// sleeps instead until the process has ended, as it does in CPython 3.14.
#pragma once

#include <pybind11/pybind11.h>

#if defined(__GLIBCXX__)
#include <cxxabi.h>

#include <chrono>
#include <thread>
#endif

namespace twolayer {

template <class Take>
auto take_gil(const Take& take) noexcept {
#if defined(__GLIBCXX__)
  try {
    return take();
  } catch (const abi::__forced_unwind&) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
#else
  return take();
#endif
}

class GilReleased {
 public:
  GilReleased() : state_(PyEval_SaveThread()) {}
  ~GilReleased() {
    take_gil([this] { PyEval_RestoreThread(state_); });
  }
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  PyThreadState* state_;
};

class GilHeld {
 public:
  GilHeld() : state_(take_gil([] { return PyGILState_Ensure(); })) {}
  ~GilHeld() { PyGILState_Release(state_); }
  GilHeld(const GilHeld&) = delete;
  GilHeld& operator=(const GilHeld&) = delete;

 private:
  PyGILState_STATE state_;
};

}  // namespace twolayer
