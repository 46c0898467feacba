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

// log(1 + e) for 0 <= e <= 1, or NaN. What rounding took from 1 + e is added by the log's slope.
template <class T>
inline Vec<T> log1p_up_to_one(Vec<T> e) {
  const Vec<T> one = Vec<T>::broadcast(T(1));
  const Vec<T> sum = one + e;
  return log_of_normals(sum) + (e - (sum - one)) / sum;
}

template <class T>
void loss(const twolayer::Loss<T>& s, twolayer::Range samples) {
  twolayer::Losses::with(s.kind, [&]<class Kind>() { Kind::template apply<Vec<T>>(s, samples); });
}

}  // namespace
