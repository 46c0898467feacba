#include "allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> calls{0};

}  // namespace

std::int64_t allocations() { return calls; }

// AddressSanitizer finds mistakes with the operators that it brings along.
#ifndef __SANITIZE_ADDRESS__

namespace {

constexpr std::align_val_t usual{__STDCPP_DEFAULT_NEW_ALIGNMENT__};

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
  ++calls;
  const auto unit = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
}

void* allocate_or_throw(std::size_t size, std::align_val_t alignment) {
  void* p = allocate(size, alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

// The standard's forms for arrays call these.
void* operator new(std::size_t size) { return allocate_or_throw(size, usual); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate_or_throw(size, a); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, usual);
}
void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, a);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#endif
