#include <algorithm>
#include <cmath>

#include "operands.hpp"

namespace twolayer {

Operands<Bfloat16>::Operands(const Network<float>& network, std::int64_t capacity,
                             bool for_training)
    : corrections_(block_count(network.sizes[0]) * padded(network.sizes[1])),
      whole_(padded(network.sizes[0])),
      rest_(padded(network.sizes[0])),
      ones_(padded(network.sizes[0])) {
  for (const Layer<float>& layer : network.layers) {
    inputs_.emplace_back(capacity, layer.inputs);
    if (for_training) doutputs_.emplace_back(capacity, layer.outputs);
    weights_.emplace_back(across_size<P>(layer.inputs, layer.outputs));
  }
  std::fill_n(ones_.data(), ones_.size(), 1.0f);
}

void Operands<Bfloat16>::prepare(const Network<float>& network, const Data& data, Team& team) {
  const bool folded = data.x.type == ElementType::uint8;
  if (version_ == network.version && folded_ == folded) return;
  folded_ = folded;
  version_ = network.version;
  fold_ = {network.inverse_scale.data(), rest_.data()};
  for (std::int64_t i = 0; i < network.sizes[0]; ++i) {
    const float shift = network.shift.data()[i];
    whole_.data()[i] = std::floor(std::clamp(shift, 0.0f, 255.0f) + 0.5f);
    rest_.data()[i] = shift - whole_.data()[i];
  }
  follow_weights(network, team);
}

void Operands<Bfloat16>::follow_weights(const Network<float>& network, Team& team) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<float>& layer = network.layers[l];
    const RoundedWeights rounded = rounding(l, layer);
    team.share(block_count(layer.inputs), of_a_panel(layer.outputs),
               [&](Range blocks, int) { bfloat16_kernels().round_weights(rounded, blocks); });
  }
}

void Operands<Bfloat16>::gather(Gather<float> from, Team& team) {
  if (folded_) {
    from.shift = whole_.data();
    from.inverse_scale = ones_.data();
  }
  share_gather(team, from,
               [&](Range panels) { bfloat16_kernels().gather({from, inputs_[0].both()}, panels); });
}

void Operands<Bfloat16>::round_input(std::size_t l, const float* values, std::int64_t samples,
                                     Team& team) {
  round(values, samples, inputs_[l], team);
}

void Operands<Bfloat16>::round_doutput(std::size_t l, const float* values, std::int64_t samples,
                                       Team& team) {
  round(values, samples, doutputs_[l], team);
}

void Operands<Bfloat16>::round(const float* values, std::int64_t samples, Rounded& to, Team& team) {
  const RoundedRows rounded{values, samples, to.columns, to.both()};
  team.share(samples, of_an_element * static_cast<double>(to.columns), [&](Range part, int) {
    bfloat16_kernels().round_rows(rounded, whole_groups<P>(part, samples));
  });
}

RoundedWeights Operands<Bfloat16>::rounding(std::size_t l, const Layer<float>& layer) {
  const bool folded = l == 0 && folded_;
  return {layer.weights.data(),      layer.inputs,       layer.outputs, weights_[l].data(),
          folded ? &fold_ : nullptr, corrections_.data()};
}

}  // namespace twolayer
