#include "bfloat16.hpp"

#include <algorithm>
#include <cmath>

#include "dispatch.hpp"

namespace twolayer {

namespace {

// A member's part of the samples, cut at even ones.
Range whole_pairs(Range samples, std::int64_t count) {
  const auto even = [&](std::int64_t n) { return std::min(pair_count(n) * 2, count); };
  return {even(samples.begin), even(samples.end)};
}

Bfloat16Weights rounding(const float* weights, std::int64_t inputs, std::int64_t outputs,
                         std::size_t layer, Bfloat16Workspace& work) {
  const bool folded = layer == 0 && work.folded;
  return {weights,
          inputs,
          outputs,
          work.weights[layer].data(),
          folded ? &work.fold : nullptr,
          work.corrections.data()};
}

void round(const float* from, std::int64_t samples, std::int64_t columns,
           Bfloat16Workspace::Rounded& to, const Member& member) {
  bfloat16_kernels().round_rows({from, samples, columns, to.both()},
                                whole_pairs(member.share(samples), samples));
  member.wait();
}

}  // namespace

Bfloat16Workspace::Bfloat16Workspace(const Network<float>& network, std::int64_t capacity,
                                     int threads, const Techniques* techniques)
    : Workspace<float>(network, capacity, threads, techniques),
      corrections(block_count(network.sizes[0]) * padded(network.sizes[1])),
      whole(padded(network.sizes[0])),
      rest(padded(network.sizes[0])),
      ones(padded(network.sizes[0])) {
  activations[0] = Buffer<float>();  // the batch exists rounded only
  for (const Layer<float>& layer : network.layers) {
    inputs.emplace_back(capacity, layer.inputs);
    doutputs.emplace_back(capacity, layer.outputs);
    weights.emplace_back(paired_size(layer.inputs, layer.outputs));
  }
  scratch.resize(static_cast<std::size_t>(threads));
  for (Buffer<float>& buffer : scratch) {
    if (buffer.size() == 0) buffer = Buffer<float>(padded(network.sizes[1]) * panel_width);
  }
  std::fill_n(ones.data(), ones.size(), 1.0f);
}

void prepare(const Network<float>& network, const Data& data, Bfloat16Workspace& work,
             const Member& member) {
  const bool folded = data.type == ElementType::uint8;
  if (work.version == network.version && work.folded == folded) return;
  member.wait();
  if (member.rank() == 0) {
    work.folded = folded;
    work.version = network.version;
    work.fold = {network.inverse_scale.data(), work.rest.data()};
    for (std::int64_t i = 0; i < network.sizes[0]; ++i) {
      const float shift = network.shift.data()[i];
      work.whole.data()[i] = std::floor(std::clamp(shift, 0.0f, 255.0f) + 0.5f);
      work.rest.data()[i] = shift - work.whole.data()[i];
    }
  }
  member.wait();
  follow_weights(network, work, member);
}

void follow_weights(const Network<float>& network, Bfloat16Workspace& work, const Member& member) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<float>& layer = network.layers[l];
    bfloat16_kernels().round_weights(
        rounding(layer.weights.data(), layer.inputs, layer.outputs, l, work),
        member.share(block_count(layer.inputs)));
  }
  member.wait();
}

// The rounded weights have followed every update.
void conclude(const Network<float>& network, Bfloat16Workspace& work) {
  work.version = network.version;
}

void forward_pass(const Network<float>& network, const Data& data, const Rows& rows,
                  Bfloat16Workspace& work, const Member& member) {
  const Bfloat16Kernels& kernel = bfloat16_kernels();
  Gather<float> from = gathering(network, data, rows, work);
  if (work.folded) {
    from.shift = work.whole.data();
    from.inverse_scale = work.ones.data();
  }
  kernel.gather({from, work.inputs[0].both()}, member.share(panel_count(from.inputs)));
  member.wait();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<float>& layer = network.layers[l];
    const Share mine = share(rows.count, panel_count(layer.outputs), member);
    const bool last = l + 1 == network.layers.size();
    const bool between = work.between(l);
    kernel.forward(
        {{nullptr, nullptr, bias_of_product(network, l, work), work.activations[l + 1].data(),
          rows.count, layer.inputs, layer.outputs, activation_of_product(network, l, work)},
         work.inputs[l].plain.data(),
         work.weights[l].data(),
         l == 0 && work.folded ? work.corrections.data() : nullptr,
         last || between ? TwoWays{} : work.inputs[l + 1].both()},
        whole_pairs(mine.samples, rows.count), mine.panels);
    member.wait();
    if (!between) continue;
    kernels<float>().between_forward(between_layers(network, rows, l, work),
                                     member.share(panel_count(layer.outputs)));
    member.wait();
    round(work.activations[l + 1].data(), rows.count, layer.outputs, work.inputs[l + 1], member);
  }
}

void backward_pass(const Network<float>& network, const Rows& rows, Bfloat16Workspace& work,
                   const Member& member) {
  const Bfloat16Kernels& kernel = bfloat16_kernels();
  const std::int64_t samples = rows.count;
  round(work.gradient(network.layers.size() - 1), samples, network.sizes.back(),
        work.doutputs.back(), member);
  for (std::size_t l = network.layers.size() - 1; l > 0; --l) {
    const Layer<float>& layer = network.layers[l];
    const Share mine = share(samples, panel_count(layer.inputs), member);
    const bool between = work.between(l - 1);
    kernel.backward(
        {{nullptr, layer.weights.data(), work.activations[l].data(), work.gradient(l - 1), samples,
          layer.inputs, layer.outputs, activation_of_product(network, l - 1, work)},
         work.doutputs[l].plain.data(),
         between ? TwoWays{} : work.doutputs[l - 1].both()},
        whole_pairs(mine.samples, samples), mine.panels,
        work.scratch[static_cast<std::size_t>(member.rank())].data());
    member.wait();
    if (!between) continue;
    kernels<float>().between_backward(between_layers(network, rows, l - 1, work),
                                      member.share(panel_count(layer.inputs)));
    member.wait();
    round(work.gradient(l - 1), samples, layer.inputs, work.doutputs[l - 1], member);
  }
}

void update_weights(const Update<float>& update, std::size_t layer, Range blocks,
                    Bfloat16Workspace& work, const Member& member) {
  bfloat16_kernels().update_weights(
      {update, work.inputs[layer].paired.data(), work.doutputs[layer].paired.data(),
       rounding(update.weights, update.inputs, update.outputs, layer, work)},
      blocks, work.scratch[static_cast<std::size_t>(member.rank())].data());
}

}  // namespace twolayer
