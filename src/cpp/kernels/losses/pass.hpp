// The loss pass over a share of the samples, whichever loss it is. Included after a target header.
#pragma once

#include "../math.hpp"
#include "all.hpp"

namespace {

// Each lane's log, of numbers that are positive and normal, or NaN.
template <class T>
inline Vec<T> log_of_normals(Vec<T> x) {
  alignas(64) T from[Vec<T>::width], to[Vec<T>::width];
  x.store(from);
  log_of_normals(from, to);
  return Vec<T>::load(to);
}

template <class T>
void loss(const twolayer::Loss<T>& s, twolayer::Range samples) {
  twolayer::Losses::with(s.kind, [&]<class Kind>() { Kind::template apply<Vec<T>>(s, samples); });
}

}  // namespace
