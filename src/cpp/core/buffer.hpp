// Zeroed, aligned memory of fixed size.
#pragma once

#ifdef __linux__
#include <sys/mman.h>
#endif

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
    if (size == 0) return;  // data() is null, as it is by default
    const std::size_t bytes = Buffer::bytes(size);
    const bool large = bytes >= 2 * huge_page;
    const std::align_val_t alignment{large ? huge_page : cache_line};
    data_ = {static_cast<T*>(::operator new(bytes, alignment)), Free{alignment}};
#ifdef __linux__
    // Tiles are visited with strides of many pages; huge pages save most of the table walks.
    if (large) madvise(data_.get(), bytes - bytes % huge_page, MADV_HUGEPAGE);
#endif
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }

  Buffer copy() const {
    Buffer result(size_);
    if (size_ > 0) std::memcpy(static_cast<void*>(result.data()), data(), bytes(size_));
    return result;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  static std::size_t bytes(std::int64_t size) { return static_cast<std::size_t>(size) * sizeof(T); }

  static constexpr std::size_t cache_line = 64;
  static constexpr std::size_t huge_page = std::size_t{2} << 20;
  struct Free {
    std::align_val_t alignment{cache_line};
    void operator()(T* p) const { ::operator delete(static_cast<void*>(p), alignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace twolayer
