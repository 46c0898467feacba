#include "caches.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#if defined(__linux__)
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace twolayer {

namespace {

constexpr Caches usual = {32 << 10, 1 << 20, 8 << 20};

#if defined(__linux__)
// The data or unified cache of a level, of the first CPU: "1024K".
std::int64_t from_sys(int level) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int its_level = 0;
    std::string type;
    std::int64_t size = 0;
    char unit = ' ';
    std::ifstream(folder + "level") >> its_level;
    std::ifstream(folder + "type") >> type;
    std::ifstream(folder + "size") >> size >> unit;
    if (its_level != level || type == "Instruction") continue;
    return unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : size;
  }
  return 0;
}

std::int64_t of_level(int level) {
  // A virtual machine's CPUID may tell of the whole host's last level; /sys tells of this CPU's.
  if (const std::int64_t size = from_sys(level); size > 0) return size;
#ifdef _SC_LEVEL1_DCACHE_SIZE
  const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  return sysconf(names[level - 1]);
#else
  return 0;
#endif
}
#elif defined(__APPLE__)
std::int64_t of_level(int level) {
  const char* names[] = {"hw.perflevel0.l1dcachesize", "hw.perflevel0.l2cachesize",
                         "hw.l3cachesize"};
  std::int64_t size = 0;
  std::size_t length = sizeof size;
  return sysctlbyname(names[level - 1], &size, &length, nullptr, 0) == 0 ? size : 0;
}
#else
std::int64_t of_level(int) { return 0; }
#endif

Caches found() {
  Caches sizes = {of_level(1), of_level(2), of_level(3)};
  if (const char* text = std::getenv("TWOLAYER_CACHES")) {
    for (std::int64_t* size : {&sizes.level1, &sizes.level2, &sizes.level3}) {
      char* end = nullptr;
      if (const std::int64_t given = std::strtoll(text, &end, 10); given > 0) *size = given;
      if (*end != ',') break;
      text = end + 1;
    }
  }
  if (sizes.level1 <= 0) sizes.level1 = usual.level1;
  if (sizes.level2 <= 0) sizes.level2 = usual.level2;
  if (sizes.level3 <= 0) sizes.level3 = usual.level3;
  return sizes;
}

}  // namespace

const Caches& caches() {
  static const Caches sizes = found();
  return sizes;
}

}  // namespace twolayer
