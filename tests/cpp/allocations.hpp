// Counts what the whole program allocates on the heap with operator new.
#pragma once

#include <cstdint>

// Calls of operator new since the program started; zero in a build with a sanitizer.
std::int64_t allocations();
