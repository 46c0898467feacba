// Zeroed, cache-line-aligned memory of fixed size.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

namespace twolayer {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t size) : size_(size) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max() / std::int64_t{sizeof(T)};
    if (size < 0 || size > most) throw std::bad_alloc();
    const auto bytes = static_cast<std::size_t>(size) * sizeof(T);
    data_.reset(static_cast<T*>(::operator new(bytes, alignment)));
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(static_cast<void*>(p), alignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace twolayer
