#include "workspace.hpp"

#include <algorithm>
#include <type_traits>

#include "../kernels/activations/all.hpp"

namespace twolayer {

namespace {

bool wants_preactivation(int activation) {
  bool wanted = false;
  Activations::with(activation, [&]<class Kind>() { wanted = Kind::from_z; });
  return wanted;
}

template <class T>
Buffer<T> converted(const std::vector<double>& values) {
  if (values.empty()) return {};
  Buffer<T> result(padded(static_cast<std::int64_t>(values.size())));
  std::transform(values.begin(), values.end(), result.data(),
                 [](double value) { return static_cast<T>(value); });
  return result;
}

}  // namespace

template <class P>
Workspace<P>::Workspace(const Network<T>& network, std::int64_t capacity, int threads,
                        const LossOptions& loss, const Techniques* for_training)
    : capacity(capacity),
      loss(loss),
      loss_parameters(converted<T>(loss.parameters)),
      score_scale(converted<T>(loss.score_scale)),
      losses(capacity),
      scores(capacity),
      operands(network, capacity, for_training != nullptr) {
  activations.emplace_back();  // see make_room_for()
  for (std::size_t l = 1; l < network.sizes.size(); ++l) {
    activations.emplace_back(capacity * padded(network.sizes[l]));
  }
  if (for_training == nullptr) return;
  techniques = *for_training;
  if (techniques.batch_norm) {
    for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
      norms.emplace_back(capacity, network.layers[l].outputs);
    }
    zeros = Buffer<T>(padded(*std::max_element(network.sizes.begin(), network.sizes.end())));
  }
  const bool preactivation = wants_preactivation(network.activation);
  std::int64_t widest = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::int64_t outputs = network.layers[l].outputs;
    widest = std::max(widest, outputs);
    if (l + 1 == network.layers.size()) break;
    gradients.emplace_back(capacity * padded(outputs));
    if (preactivation) preactivations.emplace_back(capacity * padded(outputs));
  }
  for (int t = 0; t < threads; ++t) scratch.emplace_back(padded(widest) * panel_width);
}

template <class P>
void Workspace<P>::make_room_for(const Network<T>& network, const Data& data) {
  if (data.sparse()) {
    while (cursors.size() < scratch.size()) cursors.emplace_back(capacity);
  } else if (std::is_same_v<P, Exact<T>> && activations[0].size() == 0) {
    activations[0] = Buffer<T>(capacity * padded(network.sizes.front()));
  }
  if (data.targets.values != nullptr && targets.size() == 0) {
    const std::int64_t columns = padded(network.sizes.back() / loss.levels);
    targets = Buffer<T>(capacity * columns);
    target_shift = Buffer<T>(columns);
    target_scale = Buffer<T>(columns);
    std::fill_n(target_scale.data(), columns, T(1));
  }
}

template struct Workspace<Exact<float>>;
template struct Workspace<Exact<double>>;
template struct Workspace<Bfloat16>;

}  // namespace twolayer
