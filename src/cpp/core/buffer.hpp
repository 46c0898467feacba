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
    if (bytes >= 2 * huge_page && map(bytes)) return;
    data_ = {static_cast<T*>(::operator new(bytes, std::align_val_t{cache_line})), Free{0}};
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }

  // Of an empty one: an empty one, whose data() is null as well.
  Buffer copy() const {
    if (size_ == 0) return {};
    Buffer result(size_);
    std::memcpy(static_cast<void*>(result.data()), data(), bytes(size_));
    return result;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  static std::size_t bytes(std::int64_t size) { return static_cast<std::size_t>(size) * sizeof(T); }

  // Much memory comes from the system, zeroed, and is touched by nobody here: of several memory
  // nodes each page gets the one of the thread that first uses it. Tiles are visited with strides
  // of many pages; huge pages save most of the table walks.
  bool map(std::size_t bytes) {
#ifdef __linux__
    const std::size_t whole = (bytes + huge_page - 1) / huge_page * huge_page;
    void* found = mmap(nullptr, whole + huge_page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) throw std::bad_alloc();
    char* begin = static_cast<char*>(found);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % huge_page;
    if (before > 0) munmap(begin, before);
    if (before < huge_page) munmap(begin + before + whole, huge_page - before);
    madvise(begin + before, bytes - bytes % huge_page, MADV_HUGEPAGE);
    data_ = {reinterpret_cast<T*>(begin + before), Free{whole}};
    return true;
#else
    static_cast<void>(bytes);
    return false;
#endif
  }

  static constexpr std::size_t cache_line = 64;
  static constexpr std::size_t huge_page = std::size_t{2} << 20;
  struct Free {
    std::size_t mapped = 0;  // bytes from the system, or none
    void operator()(T* p) const {
#ifdef __linux__
      if (mapped > 0) {
        munmap(static_cast<void*>(p), mapped);
        return;
      }
#endif
      ::operator delete(static_cast<void*>(p), std::align_val_t{cache_line});
    }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace twolayer
