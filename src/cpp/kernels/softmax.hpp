// Softmax and cross-entropy in one stable pass over the logits:
//     e_c = exp(z_c - max z),  s = sum e_c (ascending c),  a_c = e_c / s,
//     loss = log s - (z_y - max z),  gradient_c = (a_c - [c = y]) / N.
// The row's maximum is subtracted, so nothing overflows and the loss is exact for a_y near 0.
#pragma once

#include "math.hpp"
#include "table.hpp"

namespace {

using twolayer::Softmax;

template <class T>
void softmax(const Softmax<T>& s, Range samples) {
  using S = Vec<T>;
  const std::int64_t panels = twolayer::panel_count(s.classes);
  const std::int64_t stride = s.samples * panel_width;
  for (std::int64_t n = samples.begin; n < samples.end; ++n) {
    const T* z = s.logits + n * panel_width;
    std::int64_t best = 0;
    T largest = z[0];
    for (std::int64_t c = 1; c < s.classes; ++c) {
      const T at = z[c / panel_width * stride + c % panel_width];
      if (at > largest) {
        largest = at;
        best = c;
      }
    }
    std::int64_t label = -1;
    T label_logit = 0;
    if (s.labels != nullptr) {
      label = s.labels[s.rows != nullptr ? s.rows[n] : s.first_row + n];
      label_logit = z[label / panel_width * stride + label % panel_width];
    }
    if (s.correct != nullptr) s.correct[n] = best == label ? 1 : 0;

    T sum = 0;
    T label_exponential = 0;
    for (std::int64_t p = 0; p < panels; ++p) {
      const T* logits = z + p * stride;
      T exponentials[panel_width];
      const S shift = S::broadcast(largest);
      for (std::int64_t i = 0; i < panel_width; i += S::width) {
        exp(S::load(logits + i) - shift).store(exponentials + i);
      }
      const std::int64_t first = p * panel_width;
      const std::int64_t count = s.classes - first < panel_width ? s.classes - first : panel_width;
      for (std::int64_t i = 0; i < count; ++i) sum += exponentials[i];
      for (std::int64_t i = count; i < panel_width; ++i) exponentials[i] = 0;
      if (label >= first && label < first + count) label_exponential = exponentials[label - first];
      if (s.gradient != nullptr) {
        T* to = s.gradient + p * stride + n * panel_width;
        for (std::int64_t i = 0; i < panel_width; ++i) to[i] = exponentials[i];
      }
      if (s.probabilities != nullptr) {
        T* to = s.probabilities + n * s.classes + first;
        for (std::int64_t i = 0; i < count; ++i) to[i] = exponentials[i];
      }
    }
    const T inverse = T(1) / sum;
    if (s.losses != nullptr) s.losses[n] = log_scalar(sum) - (label_logit - largest);
    if (s.probabilities != nullptr) {
      T* to = s.probabilities + n * s.classes;
      for (std::int64_t c = 0; c < s.classes; ++c) to[c] *= inverse;
    }
    if (s.gradient != nullptr) {
      T* to = s.gradient + n * panel_width;
      for (std::int64_t p = 0; p < panels; ++p) {
        for (std::int64_t i = 0; i < panel_width; i += S::width) {
          T* at = to + p * stride + i;
          ((S::load(at) * S::broadcast(inverse)) * S::broadcast(s.gradient_scale)).store(at);
        }
      }
      to[label / panel_width * stride + label % panel_width] =
          (label_exponential * inverse - T(1)) * s.gradient_scale;
    }
  }
}

}  // namespace
