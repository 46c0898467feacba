#include "passes.hpp"

#include <algorithm>
#include <cmath>

#include "../kernels/activations/all.hpp"
#include "../kernels/random.hpp"

namespace twolayer {

Share share(std::int64_t samples, std::int64_t panels, const Member& member) {
  constexpr std::int64_t rows_of_a_tile = 14;  // near enough for every target
  const std::int64_t tiles = (samples + rows_of_a_tile - 1) / rows_of_a_tile;
  const auto part = [](std::int64_t total, std::int64_t parts) {
    return (total + parts - 1) / parts;
  };
  const int size = member.size();
  int columns = 1;
  std::int64_t smallest = tiles * panels + 1;
  for (int c = size; c >= 1; --c) {
    if (size % c != 0) continue;
    const std::int64_t largest = part(panels, c) * part(tiles, size / c);
    if (largest < smallest) {
      smallest = largest;
      columns = c;
    }
  }
  const int rows = size / columns;
  const int row = member.rank() / columns;
  const int column = member.rank() % columns;
  return {{samples * row / rows, samples * (row + 1) / rows},
          {panels * column / columns, panels * (column + 1) / columns}};
}

namespace {

constexpr int identity = Activations::index_of<Identity>();

// What stands between layer l and the next; the ranges of panels are the layer's outputs.
template <class P, class T = typename P::Scalar>
Between<T> between_layers(const Network<T>& network, const Rows& rows, std::size_t l,
                          Workspace<P>& work) {
  Between<T> b{};
  b.values = work.activations[l + 1].data();
  b.preactivation = work.preactivation(l);
  b.gradient = l < work.gradients.size() ? work.gradients[l].data() : nullptr;
  b.samples = rows.count;
  b.outputs = network.layers[l].outputs;
  b.activation = network.activation;
  const std::vector<double>& dropout = work.techniques.dropout;
  b.remaining =
      static_cast<std::int64_t>(std::nearbyint(65536 * (1 - (dropout.empty() ? 0.0 : dropout[l]))));
  b.key = random_bits(key_of(work.techniques.seed, Chance::dropout, rows.step), l);
  if (work.norms.empty()) return b;
  BatchNorm<T>& norm = work.norms[l];
  b.gamma = norm.gamma.data();
  b.beta = network.layers[l].bias.data();
  b.normalized = norm.normalized.data();
  b.inverse_deviation = norm.inverse_deviation.data();
  b.dgamma = norm.dgamma.data();
  b.dbeta = norm.dbeta.data();
  b.mean = norm.mean.data();
  b.variance = norm.variance.data();
  return b;
}

// The activation that layer l's product ends with: none where something comes before it.
template <class P, class T = typename P::Scalar>
int activation_of_product(const Network<T>& network, std::size_t l, const Workspace<P>& work) {
  const bool last = l + 1 == network.layers.size();
  return last || work.between(l) ? identity : network.activation;
}

// The targets of a batch, converted, into work.targets.
template <class P, class T = typename P::Scalar>
void gather_targets(const Network<T>& network, const Data& data, const Rows& rows,
                    Workspace<P>& work, const Member& member) {
  Gather<T> g{};
  g.x = data.targets;
  g.rows = rows.numbers;
  g.first_row = rows.first;
  g.samples = rows.count;
  g.inputs = network.sizes.back() / work.loss.levels;
  g.shift = work.target_shift.data();
  g.inverse_scale = work.target_scale.data();
  g.batch = work.targets.data();
  kernels<T>().gather(g, member.share(panel_count(g.inputs)));
  member.wait();
}

}  // namespace

template <class P>
Gather<typename P::Scalar> gathering(const Network<typename P::Scalar>& network, const Data& data,
                                     const Rows& rows, Workspace<P>& work) {
  Augmentation augmentation = work.techniques.augmentation;
  augmentation.key = key_of(work.techniques.seed, Chance::augmentation, rows.step);
  return {data.x,
          rows.numbers,
          rows.first,
          rows.count,
          network.sizes.front(),
          network.shift.data(),
          network.inverse_scale.data(),
          network.exact_shift.data(),
          network.exact_inverse_scale.data(),
          work.activations[0].data(),
          work.techniques.augment,
          augmentation};
}

template <class P>
void forward_pass(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
                  Workspace<P>& work, const Member& member) {
  using T = typename P::Scalar;
  const Gather<T> batch = gathering(network, data, rows, work);
  if (!data.sparse()) work.operands.gather(batch, member);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool sparse = l == 0 && data.sparse();
    const std::int64_t panels = panel_count(layer.outputs);
    // Of sparse rows each is read once, by the member that does all of its outputs.
    const Share mine =
        sparse ? Share{member.share(rows.count), {0, panels}} : share(rows.count, panels, member);
    const bool last = l + 1 == network.layers.size();
    const bool between = work.between(l);
    Forward<P> f{};
    f.input = work.operands.input(l, work.activations[l].data()).along;
    f.weights = work.operands.weights(l, layer);
    f.bias = between && !work.norms.empty() ? work.zeros.data() : layer.bias.data();
    f.corrections = work.operands.corrections(l);
    f.output = work.activations[l + 1].data();
    f.preactivation = between ? nullptr : work.preactivation(l);
    if (!last && !between) f.rounded = work.operands.rounded_input(l + 1);
    f.samples = rows.count;
    f.inputs = layer.inputs;
    f.outputs = layer.outputs;
    f.activation = activation_of_product(network, l, work);
    const Range samples = whole_groups<P>(mine.samples, rows.count);
    if constexpr (std::is_same_v<P, Exact<T>>) {
      if (sparse) kernels<T>().forward_sparse(batch, f, samples, mine.panels);
    }
    if (!sparse) products<P>().forward(f, samples, mine.panels);
    member.wait();
    if (!between) continue;
    kernels<T>().between_forward(between_layers(network, rows, l, work), member.share(panels));
    member.wait();
    work.operands.round_input(l + 1, f.output, rows.count, member);
  }
}

template <class P>
void loss_pass(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
               Leave leave, typename P::Scalar* predictions, Workspace<P>& work,
               const Member& member) {
  using T = typename P::Scalar;
  const bool real = data.targets.values != nullptr;
  if (real) gather_targets(network, data, rows, work, member);
  Loss<T> args{};
  args.kind = work.loss.kind;
  args.outputs = work.activations.back().data();
  args.labels = data.labels;
  args.targets = real ? work.targets.data() : nullptr;
  args.rows = rows.numbers;
  args.first_row = rows.first;
  args.samples = rows.count;
  args.output_count = network.sizes.back();
  args.levels = work.loss.levels;
  args.parameters = work.loss_parameters.data();
  args.shift = network.output_shift.data();
  args.scale = network.output_scale.data();
  args.score_scale = work.score_scale.data();
  args.smoothing = static_cast<T>(work.loss.smoothing);
  args.value_divisor = static_cast<T>(work.loss.value_divisor);
  args.gradient_divisor = static_cast<T>(work.loss.gradient_divisor);
  const double floor = work.loss.probability_floor;
  args.probability_floor = static_cast<T>(floor);
  args.largest = static_cast<T>(floor > 0 ? -std::log(floor) : 0);
  args.weights = data.weights;
  args.sum_of_weights = sum_of_weights(data, rows);
  args.leave = leave;
  args.predictions = predictions;
  args.losses = work.losses.data();
  args.scores = work.scores.data();
  kernels<T>().loss(args, member.share(rows.count));
  member.wait();
}

template <class P>
void copy_outputs(const Network<typename P::Scalar>& network, std::int64_t samples,
                  typename P::Scalar* to, Workspace<P>& work, const Member& member) {
  const std::int64_t outputs = network.sizes.back();
  const auto* scale = network.output_scale.data();
  const auto* shift = network.output_shift.data();
  const Range mine = member.share(samples);
  for (std::int64_t n = mine.begin; n < mine.end; ++n) {
    for (std::int64_t k = 0; k < outputs; ++k) {
      const std::int64_t at = (k / panel_width * samples + n) * panel_width + k % panel_width;
      const auto z = work.activations.back().data()[at];
      to[n * outputs + k] = scale == nullptr ? z : std::fma(scale[k], z, shift[k]);
    }
  }
  member.wait();
}

template <class P>
void backward_pass(const Network<typename P::Scalar>& network, const Rows& rows, Workspace<P>& work,
                   const Member& member) {
  using T = typename P::Scalar;
  const std::int64_t samples = rows.count;
  const std::size_t top = network.layers.size() - 1;
  work.operands.round_doutput(top, work.gradient(top), samples, member);
  for (std::size_t l = top; l > 0; --l) {
    const Layer<T>& layer = network.layers[l];
    const Share mine = share(samples, panel_count(layer.inputs), member);
    const bool between = work.between(l - 1);
    const T* z = work.preactivation(l - 1);
    Backward<P> b{};
    b.doutput = work.operands.doutput(l, work.gradient(l)).along;
    b.weights = layer.weights.data();
    b.slope_from = z != nullptr && !between ? z : work.activations[l].data();
    b.dinput = work.gradient(l - 1);
    if (!between) b.rounded = work.operands.rounded_doutput(l - 1);
    b.samples = samples;
    b.inputs = layer.inputs;
    b.outputs = layer.outputs;
    b.activation = activation_of_product(network, l - 1, work);
    products<P>().backward(b, whole_groups<P>(mine.samples, samples), mine.panels,
                           work.scratch[static_cast<std::size_t>(member.rank())].data());
    member.wait();
    if (!between) continue;
    kernels<T>().between_backward(between_layers(network, rows, l - 1, work),
                                  member.share(panel_count(layer.inputs)));
    member.wait();
    work.operands.round_doutput(l - 1, b.dinput, samples, member);
  }
}

double weight_of(const Data& data, const Rows& rows, std::int64_t n) {
  if (data.weights == nullptr) return 1;
  return data.weights[rows.number(n)];
}

double sum_of_weights(const Data& data, const Rows& rows) {
  if (data.weights == nullptr) return static_cast<double>(rows.count);
  double sum = 0;
  for (std::int64_t n = 0; n < rows.count; ++n) sum += weight_of(data, rows, n);
  return sum;
}

template <class P>
double sum_of_losses(const Workspace<P>& work, const Data& data, const Rows& rows) {
  double sum = 0;
  for (std::int64_t n = 0; n < rows.count; ++n) {
    sum += weight_of(data, rows, n) * static_cast<double>(work.losses.data()[n]);
  }
  return sum;
}

template <class P>
double sum_of_scores(const Workspace<P>& work, std::int64_t samples) {
  double sum = 0;
  for (std::int64_t n = 0; n < samples; ++n) sum += static_cast<double>(work.scores.data()[n]);
  return sum;
}

template <class P>
double mean_loss(const Workspace<P>& work, const Data& data, const Rows& rows) {
  const double weights = sum_of_weights(data, rows);
  return weights > 0 ? sum_of_losses(work, data, rows) / weights : 0;
}

template <class T>
int useful_threads(const Network<T>& network, std::int64_t samples, int threads) {
  constexpr std::int64_t worth_a_thread = 200'000;
  std::int64_t multiply_adds = 0;
  for (const Layer<T>& layer : network.layers) multiply_adds += layer.inputs * layer.outputs;
  multiply_adds *= samples;
  return static_cast<int>(
      std::clamp<std::int64_t>(multiply_adds / worth_a_thread, 1, std::max(threads, 1)));
}

#define TWOLAYER_INSTANTIATE(P, T)                                                               \
  template Gather<T> gathering(const Network<T>&, const Data&, const Rows&, Workspace<P>&);      \
  template void forward_pass(const Network<T>&, const Data&, const Rows&, Workspace<P>&,         \
                             const Member&);                                                     \
  template void loss_pass(const Network<T>&, const Data&, const Rows&, Leave, T*, Workspace<P>&, \
                          const Member&);                                                        \
  template void copy_outputs(const Network<T>&, std::int64_t, T*, Workspace<P>&, const Member&); \
  template void backward_pass(const Network<T>&, const Rows&, Workspace<P>&, const Member&);     \
  template double sum_of_losses(const Workspace<P>&, const Data&, const Rows&);                  \
  template double sum_of_scores(const Workspace<P>&, std::int64_t);                              \
  template double mean_loss(const Workspace<P>&, const Data&, const Rows&);
TWOLAYER_INSTANTIATE(Exact<float>, float)
TWOLAYER_INSTANTIATE(Exact<double>, double)
TWOLAYER_INSTANTIATE(Bfloat16, float)
template int useful_threads(const Network<float>&, std::int64_t, int);
template int useful_threads(const Network<double>&, std::int64_t, int);

}  // namespace twolayer
