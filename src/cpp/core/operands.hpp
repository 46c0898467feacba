// What the products of a network read: the numbers as they stand in workspace and network, or
// rounded copies of them.
#pragma once

#include <algorithm>
#include <vector>

#include "../kernels/operands.hpp"
#include "buffer.hpp"
#include "data.hpp"
#include "dispatch.hpp"
#include "network.hpp"
#include "threads.hpp"

namespace twolayer {

// A member's part of the samples, cut where no element is.
template <class P>
Range whole_groups(Range samples, std::int64_t count) {
  const auto whole = [&](std::int64_t n) {
    const std::int64_t cut = group_count<P>(n) * P::depth;
    return cut < count ? cut : count;
  };
  return {whole(samples.begin), whole(samples.end)};
}

// What work takes on one thread, in nanoseconds: about, on a machine of today, to see whether it is
// worth sharing.
inline constexpr double of_an_element = 1;
template <class P>
inline constexpr double of_a_multiply_add = sizeof(typename P::Scalar) * 0.004 / P::depth;

inline double of_a_panel(std::int64_t rows) {
  return of_an_element * static_cast<double>(rows * panel_width);
}

// Some panels at a time, so that whole cache lines of a row are read together.
template <class T, class Body>
void share_gather(Team& team, const Gather<T>& from, const Body& body) {
  constexpr std::int64_t neighbours = 8;
  team.share(
      panel_count(from.inputs), of_a_panel(from.samples) / 4,
      [&](Range panels, int) { body(panels); }, neighbours);
}

template <class P>
class Operands;

// Exact operands are the numbers themselves, so nothing is kept and nothing has to follow.
template <class T>
class Operands<Exact<T>> {
 public:
  using P = Exact<T>;

  Operands(const Network<T>&, std::int64_t, bool) {}

  void prepare(const Network<T>&, const Data&, Team&) {}
  void conclude(const Network<T>&) {}
  void follow_weights(const Network<T>&, Team&) {}

  void gather(const Gather<T>& from, Team& team) {
    share_gather(team, from, [&](Range panels) { kernels<T>().gather(from, panels); });
  }
  void round_input(std::size_t, const T*, std::int64_t, Team&) {}
  void round_doutput(std::size_t, const T*, std::int64_t, Team&) {}

  // Of layer l, whose input and gradient of the output stand in `values`.
  Operand<P> input(std::size_t, T* values) { return {values, values}; }
  Operand<P> doutput(std::size_t, T* values) { return {values, values}; }
  const T* weights(std::size_t, const Layer<T>& layer) { return layer.weights.data(); }
  const T* corrections(std::size_t) const { return nullptr; }
  RoundedWeights rounding(std::size_t, const Layer<T>&) { return {}; }
  // Where products leave rounded copies of what layer l reads, and of its gradient.
  Operand<P> rounded_input(std::size_t) { return {}; }
  Operand<P> rounded_doutput(std::size_t) { return {}; }
};

// Each layer's input and gradient both ways, and the weights. Bytes are folded (see Fold).
template <>
class Operands<Bfloat16> {
 public:
  using P = Bfloat16;

  Operands(const Network<float>& network, std::int64_t capacity, bool for_training);

  // Before the first of some steps on this data, and after the last of them.
  void prepare(const Network<float>& network, const Data& data, Team& team);
  void conclude(const Network<float>& network) { version_ = network.version; }
  // After the weights have been changed by other means than update_weights().
  void follow_weights(const Network<float>& network, Team& team);

  void gather(Gather<float> from, Team& team);
  void round_input(std::size_t l, const float* values, std::int64_t samples, Team& team);
  void round_doutput(std::size_t l, const float* values, std::int64_t samples, Team& team);

  Operand<P> input(std::size_t l, float*) { return inputs_[l].both(); }
  Operand<P> doutput(std::size_t l, float*) { return doutputs_[l].both(); }
  const Pair* weights(std::size_t l, const Layer<float>&) { return weights_[l].data(); }
  const float* corrections(std::size_t l) const {
    return l == 0 && folded_ ? corrections_.data() : nullptr;
  }
  RoundedWeights rounding(std::size_t l, const Layer<float>& layer);
  Operand<P> rounded_input(std::size_t l) { return inputs_[l].both(); }
  Operand<P> rounded_doutput(std::size_t l) { return doutputs_[l].both(); }

 private:
  struct Rounded {  // a matrix (N, columns) both ways
    std::int64_t columns;
    Buffer<Pair> along;
    Buffer<Pair> across;

    Rounded(std::int64_t samples, std::int64_t columns)
        : columns(columns),
          along(along_size<P>(samples, columns)),
          across(across_size<P>(samples, columns)) {}
    Operand<P> both() { return {along.data(), across.data()}; }
  };
  static void round(const float* values, std::int64_t samples, Rounded& to, Team& team);

  std::vector<Rounded> inputs_;
  std::vector<Rounded> doutputs_;
  std::vector<Buffer<Pair>> weights_;
  Buffer<float> corrections_;  // of the first layer
  std::int64_t version_ = -1;  // of the network that the above were computed from
  bool folded_ = false;        // whether the batch holds bytes less `whole_`
  Fold fold_{};
  Buffer<float> whole_;  // padded(D), as the next two
  Buffer<float> rest_;
  Buffer<float> ones_;
};

}  // namespace twolayer
