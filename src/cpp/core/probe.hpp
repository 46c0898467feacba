// What this machine can do at best: multiply-adds a second, and bytes read from memory a second.
#pragma once

namespace twolayer {

// Floating-point operations a second (a multiply-add is two) of the target in use in element type
// T, all threads at once: the best of the short runs that fit into `seconds`.
template <class T>
double multiply_add_peak(int threads, double seconds);

// The same with operands in bfloat16.
double bfloat16_multiply_add_peak(int threads, double seconds);

// Bytes a second that the threads together read from an array larger than any cache: the best of
// the passes that fit into `seconds`. Throws std::bad_alloc.
double read_bandwidth(int threads, double seconds);

}  // namespace twolayer
