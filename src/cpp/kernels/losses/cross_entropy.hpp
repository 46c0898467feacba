// Softmax and cross-entropy in one stable pass over the logits:
//     e_k = exp(z_k - max z),  s = sum e_k (see ClassSum),  a_k = e_k / s,
//     loss = -sum q_k log a_k = log s - sum q_k (z_k - max z),  gradient_k = w (a_k - q_k) / sum w,
// with the target q_k = [k = y], or smoothed, (1 - e) [k = y] + e / K (Szegedy et al. 2016), and
// the samples' weights w. The row's maximum is subtracted, so nothing overflows and the loss is
// exact for a_y near 0. The prediction is a; the score is 1 where the first of the largest logits
// is the label's. With class weights v, which only matter to smoothed labels, each term -q_k log
// a_k counts v_k times, as in PyTorch:
//     loss = c log s - sum q_k v_k (z_k - max z),  gradient_k = w (c a_k - q_k v_k) / sum w,
// with c = sum q_k v_k, and sum w that of w v_y.
#pragma once

#include "groups.hpp"

namespace twolayer {

// A sum over the classes in ascending order. Of few it is one chain. Of more than that many each
// step's rounding error, which is exact in the type itself (TwoSum: Knuth, The Art of Computer
// Programming, volume 2, 4.2.2), is summed beside it and added at the end: then the error does not
// grow with the number of classes.
template <class V>
class ClassSum {
 public:
  explicit ClassSum(std::int64_t classes) : corrected_(classes > most_in_a_chain) {}

  __attribute__((always_inline)) void add(V x) {
    const V sum = sum_ + x;
    if (corrected_) {
      const V added = sum - sum_;
      error_ = error_ + ((sum_ - (sum - added)) + (x - added));
    }
    sum_ = sum;
  }

  V sum() const { return corrected_ ? sum_ + error_ : sum_; }

 private:
  static constexpr std::int64_t most_in_a_chain = 4 * panel_width;
  bool corrected_;
  V sum_ = V::zero();
  V error_ = V::zero();
};

template <class V>
void cross_entropy_of_group(const Loss<typename V::Scalar>& s, SampleGroup group) {
  using T = typename V::Scalar;
  alignas(64) T lane[V::width];
  std::int64_t labels[V::width];
  T label_logits[V::width];
  const bool labelled = s.labels != nullptr;

  V largest = V::zero();
  V predicted = V::zero();  // the first class with the largest logit
  for_each_output<V, false>(s, group, [&](std::int64_t k, V z) {
    const auto larger = greater(z, largest);
    predicted = k == 0 ? predicted : select(larger, V::broadcast(static_cast<T>(k)), predicted);
    largest = k == 0 ? z : select(larger, z, largest);
    return z;
  });
  if (labelled) {
    predicted.store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) {
      const std::int64_t n = group.first + i;
      labels[i] = s.labels[row_number<V>(s, n)];
      label_logits[i] = *output<V>(s, n, labels[i]);
      s.scores[n] = static_cast<std::int64_t>(lane[i]) == labels[i] ? T(1) : T(0);
    }
    largest.store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) label_logits[i] -= lane[i];
  }

  const bool smoothed = labelled && s.smoothing != 0;
  const T* const weights = labelled ? s.parameters : nullptr;  // of the classes
  ClassSum<V> exponentials(s.output_count);
  ClassSum<V> logits(s.output_count);  // less the largest
  const auto exponential = [&](std::int64_t k, V z) {
    const V e = exp(z - largest);
    exponentials.add(e);
    if (weights != nullptr) {
      logits.add(V::broadcast(weights[k]) * (z - largest));
    } else if (smoothed) {
      logits.add(z - largest);
    }
    return e;
  };
  if (s.leave == Leave::outputs) {
    for_each_output<V, false>(s, group, exponential);
  } else {
    for_each_output<V, true>(s, group, exponential);
  }
  const V sum = exponentials.sum();
  const T spread = s.smoothing / static_cast<T>(s.output_count);
  double all_weights = 0;
  for (std::int64_t k = 0; weights != nullptr && k < s.output_count; ++k) {
    all_weights += static_cast<double>(weights[k]);
  }
  const auto label_weight = [&](std::int64_t i) { return (1 - s.smoothing) * weights[labels[i]]; };
  const auto sum_of_target = [&](std::int64_t i) {  // c
    return label_weight(i) + spread * static_cast<T>(all_weights);
  };
  if (labelled) {
    alignas(64) T logs[V::width];
    log_of_normals(sum).store(logs);  // a sum is at least 1, the largest one's exponential
    logits.sum().store(lane);
    for (std::int64_t i = 0; i < group.count; ++i) {
      T target = label_logits[i];
      if (weights != nullptr) {
        logs[i] *= sum_of_target(i);
        target = label_weight(i) * target + spread * lane[i];
      } else if (smoothed) {
        target = (1 - s.smoothing) * target + spread * lane[i];
      }
      const T value = logs[i] - target;
      s.losses[group.first + i] = s.probability_floor > 0 && value > s.largest ? s.largest : value;
    }
  }

  const V inverses = V::broadcast(1) / sum;
  if (s.leave == Leave::outputs) {
    if (s.predictions == nullptr) return;
    write_predictions<V>(s, group, [&](V z) { return exp(z - largest) * inverses; });
    return;
  }
  inverses.store(lane);
  for (std::int64_t i = 0; i < group.count; ++i) {
    const std::int64_t n = group.first + i;
    const V inverse = V::broadcast(lane[i]);
    for (std::int64_t k = 0; k < s.output_count; k += V::width) {
      const V a = V::load(output<V>(s, n, k)) * inverse;
      if (s.predictions != nullptr) {
        const std::int64_t rest = s.output_count - k;
        a.store_first(s.predictions + n * s.output_count + k,
                      static_cast<int>(rest < V::width ? rest : V::width));
      }
      a.store(output<V>(s, n, k));
    }
    if (s.leave == Leave::predictions) continue;
    if (weights != nullptr) {
      const T sum_of_its_target = sum_of_target(i);
      for (std::int64_t k = 0; k < s.output_count; ++k) {
        T* gradient = output<V>(s, n, k);
        *gradient = sum_of_its_target * *gradient - spread * weights[k];
      }
    }
    *output<V>(s, n, labels[i]) -= weights != nullptr ? label_weight(i) : 1 - s.smoothing;
    if (smoothed && weights == nullptr) {  // not of the padding
      for (std::int64_t k = 0; k < s.output_count; ++k) *output<V>(s, n, k) -= spread;
    }
    const V scale = V::broadcast(share<V>(s, n));
    for (std::int64_t k = 0; k < s.output_count; k += V::width) {
      (V::load(output<V>(s, n, k)) * scale).store(output<V>(s, n, k));
    }
  }
  clear_padding<V>(s, group);
}

struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";

  template <class V>
  static void apply(const Loss<typename V::Scalar>& s, Range samples) {
    for_each_group<V>(samples, [&](SampleGroup group) { cross_entropy_of_group<V>(s, group); });
  }
};

}  // namespace twolayer
