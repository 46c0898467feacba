// The losses that are the mean over a sample's outputs of a function of one output and its target:
//     loss = (sum over k of value_k) / K,  gradient_k = slope_k / K * scale_k * share,
// the factors from left to right and each rounded, `scale_k` only where outputs are scaled, share =
// w / sum w; divisors other than K can be asked for. A loss of this kind is a struct derived from
// Elementwise<itself>, with
//     name                its name
//     value(z, t, p)      of an output z in the user's units, its target t and its parameter p
//     slope(z, t, p)      d value / d z
// and where they differ from those of Elementwise
//     prediction(z)       what the output says
//     classifies          whether targets are 0 or 1, and so are smoothed and scored.
// They are called with vectors; a NaN among the outputs must reach the value.
#pragma once

#include "groups.hpp"

namespace twolayer {

// The sum of `count` vectors, in the order in which NumPy sums a contiguous row of up to 128
// numbers: eight running sums, each of every eighth, over whole eights; these in pairs; then the
// rest. So a loss written in NumPy has the same bits.
template <class V>
class RowSum {
 public:
  explicit RowSum(std::int64_t count) : whole_(count - count % 8) {}

  // Number k: to be called for 0, 1, ... count - 1.
  void add(std::int64_t k, V x) {
    if (k >= whole_) {
      sum_ = k == 0 ? x : sum_ + x;
      return;
    }
    V& r = running_[k % 8];
    r = k < 8 ? x : r + x;
    if (k + 1 < whole_) return;
    sum_ = ((running_[0] + running_[1]) + (running_[2] + running_[3])) +
           ((running_[4] + running_[5]) + (running_[6] + running_[7]));
  }

  V sum() const { return sum_; }

 private:
  std::int64_t whole_;
  V running_[8];
  V sum_ = V::zero();
};

// Columns of a matrix in panels, a sample a lane, asked for in ascending order.
template <class V>
class Columns {
 public:
  Columns(const typename V::Scalar* matrix, std::int64_t rows, SampleGroup group)
      : matrix_(matrix), rows_(rows), group_(group) {}

  V at(std::int64_t c) {
    if (c >= end_) {
      square_.load(matrix_, rows_, group_, end_);
      end_ += V::width;
    }
    return square_.column(c - (end_ - V::width));
  }

 private:
  const typename V::Scalar* matrix_;
  std::int64_t rows_;
  SampleGroup group_;
  std::int64_t end_ = 0;  // of the columns in the square
  Square<V> square_;
};

template <class Kind, class V>
void elementwise_of_group(const Loss<typename V::Scalar>& s, SampleGroup group) {
  using T = typename V::Scalar;
  constexpr std::int64_t lanes = V::width;
  const std::int64_t count = s.output_count;
  const bool compared = s.targets != nullptr;
  const V one = V::broadcast(T(1));
  const V half = V::broadcast(T(0.5));
  const auto divisor_of = [&](T asked) {
    return V::broadcast(asked > 0 ? asked : static_cast<T>(count));
  };
  const V divisor = divisor_of(s.value_divisor);
  const V divisor_of_gradient = divisor_of(s.gradient_divisor);

  alignas(64) T shares[lanes] = {};
  const std::int64_t shared = s.leave == Leave::gradient ? group.count : 0;
  for (std::int64_t i = 0; i < shared; ++i) shares[i] = share<V>(s, group.first + i);
  const V share_of_lane = V::load(shares);
  Columns<V> targets(s.targets, s.samples, group);
  RowSum<V> losses(count);
  RowSum<V> squares(count);
  V wrong = V::zero();  // how many outputs are on the other side than their targets
  Square<V> left;       // outputs, then what is left of them
  Square<V> predictions;
  for (std::int64_t c = 0; c < count; c += lanes) {
    left.load(s.outputs, s.samples, group, c);
    for (std::int64_t i = 0; i < lanes; ++i) {
      const std::int64_t k = c + i;
      if (k >= count) {
        left.set_column(i, V::zero());
        predictions.set_column(i, V::zero());
        continue;
      }
      V z = left.column(i);
      if (s.scale != nullptr) z = fma(V::broadcast(s.scale[k]), z, V::broadcast(s.shift[k]));
      const V prediction = Kind::prediction(z);
      predictions.set_column(i, prediction);
      left.set_column(i, prediction);
      if (!compared) continue;

      V t = targets.at(k / s.levels);
      if constexpr (Kind::classifies) {
        const V said = select(greater(z, V::zero()), one, V::zero());
        wrong = wrong + abs(said - select(greater(t, half), one, V::zero()));
        t = t * V::broadcast(1 - s.smoothing) + V::broadcast(s.smoothing / 2);
      } else {
        const V difference = t - prediction;
        const T scale = s.score_scale != nullptr ? s.score_scale[k] : 1 / static_cast<T>(count);
        squares.add(k, V::broadcast(scale) * (difference * difference));
      }
      const V p = s.parameters != nullptr ? V::broadcast(s.parameters[k]) : V::zero();
      V value = Kind::value(z, t, p);
      if constexpr (Kind::classifies) {
        if (s.probability_floor > 0) value = Kind::clipped(z, t, V::broadcast(s.probability_floor));
      }
      losses.add(k, value);
      if (s.leave != Leave::gradient) continue;
      V gradient = Kind::slope(z, t, p) / divisor_of_gradient;
      if (s.scale != nullptr) gradient = gradient * V::broadcast(s.scale[k]);
      left.set_column(i, gradient * share_of_lane);
    }
    if (s.leave != Leave::outputs) left.store(s.outputs, s.samples, group, c);
    if (s.predictions != nullptr) predictions.store_rows(s.predictions, count, group, c);
  }
  if (s.leave != Leave::outputs) clear_padding<V>(s, group);
  if (!compared) return;
  const int used = static_cast<int>(group.count);
  (losses.sum() / divisor).store_first(s.losses + group.first, used);
  const V right = select(greater(wrong, V::zero()), V::zero(), one);
  (Kind::classifies ? right : squares.sum()).store_first(s.scores + group.first, used);
}

template <class Kind>
struct Elementwise {
  static constexpr bool classifies = false;

  template <class V>
  static V prediction(V z) {
    return z;
  }

  template <class V>
  static void apply(const Loss<typename V::Scalar>& s, Range samples) {
    for_each_group<V>(samples, [&](SampleGroup group) { elementwise_of_group<Kind, V>(s, group); });
  }
};

}  // namespace twolayer
