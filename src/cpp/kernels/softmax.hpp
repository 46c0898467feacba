// Softmax and cross-entropy in one stable pass over the logits:
//     e_c = exp(z_c - max z),  s = sum e_c (ascending c),  a_c = e_c / s,
//     loss = -sum q_c log a_c = log s - sum q_c (z_c - max z),  gradient_c = w (a_c - q_c) / sum w,
// with the target q_c = [c = y], or smoothed, (1 - e) [c = y] + e / C (Szegedy et al. 2016), and
// the samples' weights w. The row's maximum is subtracted, so nothing overflows and the loss is
// exact for a_y near 0.
//
// Samples go through in groups, one a lane of a vector: no lane is idle for want of classes, and
// the sum over classes keeps its order.
#pragma once

#include "math.hpp"
#include "table.hpp"

namespace {

using twolayer::panel_width;
using twolayer::Range;
using twolayer::Softmax;

// Samples first ... first + count - 1; count is at most the lanes of a vector.
struct SampleGroup {
  std::int64_t first;
  std::int64_t count;
};

template <class T>
T* logit(const Softmax<T>& s, std::int64_t sample, std::int64_t c) {
  return s.logits + (c / panel_width * s.samples + sample) * panel_width + c % panel_width;
}

// Calls body(c, z) with the logits z of class c, a sample a lane, for all classes in ascending
// order. With `replace`, what it returns replaces them; padding becomes zero.
template <bool replace, class T, class Body>
void for_each_class(const Softmax<T>& s, SampleGroup group, const Body& body) {
  using S = Vec<T>;
  constexpr std::int64_t lanes = S::width;
  alignas(64) T samples[lanes * lanes];
  alignas(64) T classes[lanes * lanes];
  for (std::int64_t c = 0; c < s.classes; c += lanes) {
    for (std::int64_t n = 0; n < lanes; ++n) {  // beyond the last sample: that one again
      const std::int64_t sample = group.first + (n < group.count ? n : group.count - 1);
      S::load(logit(s, sample, c)).store(samples + n * lanes);
    }
    S::transpose(samples, lanes, classes, lanes);
    for (std::int64_t i = 0; i < lanes; ++i) {
      const S z = S::load(classes + i * lanes);
      (c + i < s.classes ? body(c + i, z) : S::zero()).store(classes + i * lanes);
    }
    if constexpr (!replace) continue;
    S::transpose(classes, lanes, samples, lanes);
    for (std::int64_t n = 0; n < group.count; ++n) {
      S::load(samples + n * lanes).store(logit(s, group.first + n, c));
    }
  }
}

template <class T>
void softmax_of_group(const Softmax<T>& s, SampleGroup group) {
  using S = Vec<T>;
  alignas(64) T lane[S::width];
  std::int64_t labels[S::width];
  T label_logits[S::width];
  T shares[S::width];  // of the samples' weights in their sum
  const bool labelled = s.labels != nullptr;

  S largest = S::zero();
  S predicted = S::zero();  // the first class with the largest logit
  for_each_class<false>(s, group, [&](std::int64_t c, S z) {
    const auto larger = greater(z, largest);
    predicted = c == 0 ? predicted : select(larger, S::broadcast(static_cast<T>(c)), predicted);
    largest = c == 0 ? z : select(larger, z, largest);
    return z;
  });
  if (labelled) {
    predicted.store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) {
      const std::int64_t n = group.first + i;
      const std::int64_t row = s.rows != nullptr ? s.rows[n] : s.first_row + n;
      labels[i] = s.labels[row];
      const double weight = s.weights != nullptr ? s.weights[row] : 1;
      shares[i] = static_cast<T>(s.sum_of_weights > 0 ? weight / s.sum_of_weights : 0);
      label_logits[i] = *logit(s, n, labels[i]);
      s.correct[n] = static_cast<std::int64_t>(lane[i]) == labels[i] ? 1 : 0;
    }
    largest.store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) label_logits[i] -= lane[i];
  }

  const bool smoothed = labelled && s.smoothing != 0;
  S sum = S::zero();
  S sum_of_logits = S::zero();  // less the largest
  for_each_class<true>(s, group, [&](std::int64_t, S z) {
    const S e = exp(z - largest);
    sum = sum + e;
    if (smoothed) sum_of_logits = sum_of_logits + (z - largest);
    return e;
  });
  const T spread = s.smoothing / static_cast<T>(s.classes);
  if (labelled) {
    alignas(64) T logs[S::width];
    sum.store(lane);
    log_of_normals(lane, logs);  // a sum is at least 1, the largest one's exponential
    sum_of_logits.store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) {
      T target = label_logits[i];
      if (smoothed) target = (1 - s.smoothing) * target + spread * lane[i];
      s.losses[group.first + i] = logs[i] - target;
    }
  }

  (S::broadcast(1) / sum).store(lane);
  for (std::int64_t i = 0; i < group.count; ++i) {
    const std::int64_t n = group.first + i;
    const S inverse = S::broadcast(lane[i]);
    for (std::int64_t c = 0; c < s.classes; c += S::width) {
      const S a = S::load(logit(s, n, c)) * inverse;
      if (s.probabilities != nullptr) {
        const std::int64_t rest = s.classes - c;
        a.store_first(s.probabilities + n * s.classes + c,
                      static_cast<int>(rest < S::width ? rest : S::width));
      }
      a.store(logit(s, n, c));
    }
    if (!s.leave_gradient) continue;
    *logit(s, n, labels[i]) -= 1 - s.smoothing;
    if (smoothed) {  // not of the padding
      for (std::int64_t c = 0; c < s.classes; ++c) *logit(s, n, c) -= spread;
    }
    const S scale = S::broadcast(shares[i]);
    for (std::int64_t c = 0; c < s.classes; c += S::width) {
      (S::load(logit(s, n, c)) * scale).store(logit(s, n, c));
    }
  }
}

template <class T>
void softmax(const Softmax<T>& s, Range samples) {
  for (std::int64_t n = samples.begin; n < samples.end; n += Vec<T>::width) {
    const std::int64_t rest = samples.end - n;
    softmax_of_group(s, {n, rest < Vec<T>::width ? rest : Vec<T>::width});
  }
}

}  // namespace
