// Ctrl-C within a long step.
#pragma once

#include <cstdint>
#include <functional>

#include "network.hpp"

namespace twolayer {

// Asked between the phases of long steps, on the calling thread: whether to stop.
using Interrupted = std::function<bool()>;

// Whether to stop. Only long steps are worth the question.
class Interruption {
 public:
  template <class T>
  Interruption(const Network<T>& network, std::int64_t samples, const Interrupted& interrupted)
      : interrupted_(interrupted) {
    constexpr std::int64_t many_multiply_adds = 300'000'000;  // about 10 ms
    std::int64_t weights = 0;
    for (const Layer<T>& layer : network.layers) weights += layer.inputs * layer.outputs;
    worth_asking_ = weights > many_multiply_adds / samples;
  }

  bool operator()() const { return worth_asking_ && interrupted_(); }

 private:
  const Interrupted& interrupted_;
  bool worth_asking_;
};

}  // namespace twolayer
