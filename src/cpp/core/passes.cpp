#include "passes.hpp"

#include <algorithm>
#include <cmath>

#include "../kernels/random.hpp"
#include "dispatch.hpp"

namespace twolayer {

template <class T>
BatchNorm<T>::BatchNorm(std::int64_t capacity, std::int64_t outputs)
    : gamma(padded(outputs)),
      running_mean(padded(outputs)),
      running_variance(padded(outputs)),
      mean(padded(outputs)),
      variance(padded(outputs)),
      normalized(capacity * padded(outputs)),
      inverse_deviation(padded(outputs)),
      dgamma(padded(outputs)),
      dbeta(padded(outputs)) {
  std::fill_n(gamma.data(), outputs, T(1));
  std::fill_n(running_variance.data(), outputs, T(1));
}

template <class T>
Workspace<T>::Workspace(const Network<T>& network, std::int64_t capacity, int threads,
                        const Techniques* for_training)
    : capacity(capacity), losses(capacity), correct(capacity) {
  for (const std::int64_t size : network.sizes) activations.emplace_back(capacity * padded(size));
  if (for_training == nullptr) return;
  techniques = *for_training;
  if (techniques.batch_norm) {
    for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
      norms.emplace_back(capacity, network.layers[l].outputs);
    }
    no_bias = Buffer<T>(padded(*std::max_element(network.sizes.begin(), network.sizes.end())));
  }
  std::int64_t widest = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::int64_t outputs = network.layers[l].outputs;
    if (l + 1 < network.layers.size()) gradients.emplace_back(capacity * padded(outputs));
    widest = std::max(widest, outputs);
  }
  if (network.layers.size() > 1) {
    for (int t = 0; t < threads; ++t) scratch.emplace_back(padded(widest) * panel_width);
  }
}

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

template <class T>
Gather<T> gathering(const Network<T>& network, const Data& data, const Rows& rows,
                    Workspace<T>& work) {
  Augmentation augmentation = work.techniques.augmentation;
  augmentation.key = key_of(work.techniques.seed, Chance::augmentation, rows.step);
  return {data.x,
          data.type,
          data.row_stride,
          rows.numbers,
          rows.first,
          rows.count,
          network.sizes.front(),
          network.shift.data(),
          network.inverse_scale.data(),
          work.activations[0].data(),
          work.techniques.augment,
          augmentation};
}

template <class T>
Between<T> between_layers(const Network<T>& network, const Rows& rows, std::size_t l,
                          Workspace<T>& work) {
  Between<T> b{};
  b.values = work.activations[l + 1].data();
  b.gradient = l < work.gradients.size() ? work.gradients[l].data() : nullptr;
  b.samples = rows.count;
  b.outputs = network.layers[l].outputs;
  b.activation = network.activation_of(l);
  const std::vector<double>& dropout = work.techniques.dropout;
  b.kept =
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

template <class T>
void forward_pass(const Network<T>& network, const Data& data, const Rows& rows, Workspace<T>& work,
                  const Member& member) {
  const Kernels<T>& kernel = kernels<T>();
  kernel.gather(gathering(network, data, rows, work),
                member.share(panel_count(network.sizes.front())));
  member.wait();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const Share mine = share(rows.count, panel_count(layer.outputs), member);
    kernel.forward({work.activations[l].data(), layer.weights.data(),
                    bias_of_product(network, l, work), work.activations[l + 1].data(), rows.count,
                    layer.inputs, layer.outputs, activation_of_product(network, l, work)},
                   mine.samples, mine.panels);
    member.wait();
    if (!work.between(l)) continue;
    kernel.between_forward(between_layers(network, rows, l, work),
                           member.share(panel_count(layer.outputs)));
    member.wait();
  }
}

template <class T>
void loss_pass(const Network<T>& network, const Data& data, const Rows& rows, Leave leave,
               Workspace<T>& work, const Member& member) {
  Softmax<T> args{};
  args.logits = work.activations.back().data();
  args.labels = data.labels;
  args.rows = rows.numbers;
  args.first_row = rows.first;
  args.samples = rows.count;
  args.classes = network.sizes.back();
  args.weights = data.weights;
  args.sum_of_weights = sum_of_weights(data, rows);
  args.smoothing = static_cast<T>(work.techniques.label_smoothing);
  args.leave_gradient = leave == Leave::gradient;
  args.losses = work.losses.data();
  args.correct = work.correct.data();
  kernels<T>().softmax(args, member.share(rows.count));
  member.wait();
}

template <class T>
void backward_pass(const Network<T>& network, const Rows& rows, Workspace<T>& work,
                   const Member& member) {
  const std::int64_t samples = rows.count;
  for (std::size_t l = network.layers.size() - 1; l > 0; --l) {
    const Layer<T>& layer = network.layers[l];
    const Share mine = share(samples, panel_count(layer.inputs), member);
    kernels<T>().backward(
        {work.gradient(l), layer.weights.data(), work.activations[l].data(), work.gradient(l - 1),
         samples, layer.inputs, layer.outputs, activation_of_product(network, l - 1, work)},
        mine.samples, mine.panels, work.scratch[static_cast<std::size_t>(member.rank())].data());
    member.wait();
    if (!work.between(l - 1)) continue;
    kernels<T>().between_backward(between_layers(network, rows, l - 1, work),
                                  member.share(panel_count(layer.inputs)));
    member.wait();
  }
}

template <class T>
void update_weights(const Update<T>& update, std::size_t, Range blocks, Workspace<T>&,
                    const Member&) {
  kernels<T>().update_weights(update, blocks);
}

static double weight_of(const Data& data, const Rows& rows, std::int64_t n) {
  if (data.weights == nullptr) return 1;
  return data.weights[rows.numbers != nullptr ? rows.numbers[n] : rows.first + n];
}

double sum_of_weights(const Data& data, const Rows& rows) {
  if (data.weights == nullptr) return static_cast<double>(rows.count);
  double sum = 0;
  for (std::int64_t n = 0; n < rows.count; ++n) sum += weight_of(data, rows, n);
  return sum;
}

template <class T>
double sum_of_losses(const Workspace<T>& work, const Data& data, const Rows& rows) {
  double sum = 0;
  for (std::int64_t n = 0; n < rows.count; ++n) {
    sum += weight_of(data, rows, n) * static_cast<double>(work.losses.data()[n]);
  }
  return sum;
}

template <class T>
std::int64_t count_of_correct(const Workspace<T>& work, std::int64_t samples) {
  std::int64_t count = 0;
  for (std::int64_t n = 0; n < samples; ++n) count += work.correct.data()[n];
  return count;
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

#define TWOLAYER_INSTANTIATE(T)                                                                   \
  template struct BatchNorm<T>;                                                                   \
  template struct Workspace<T>;                                                                   \
  template Between<T> between_layers(const Network<T>&, const Rows&, std::size_t, Workspace<T>&); \
  template Gather<T> gathering(const Network<T>&, const Data&, const Rows&, Workspace<T>&);       \
  template void forward_pass(const Network<T>&, const Data&, const Rows&, Workspace<T>&,          \
                             const Member&);                                                      \
  template void loss_pass(const Network<T>&, const Data&, const Rows&, Leave, Workspace<T>&,      \
                          const Member&);                                                         \
  template void backward_pass(const Network<T>&, const Rows&, Workspace<T>&, const Member&);      \
  template void update_weights(const Update<T>&, std::size_t, Range, Workspace<T>&,               \
                               const Member&);                                                    \
  template double sum_of_losses(const Workspace<T>&, const Data&, const Rows&);                   \
  template std::int64_t count_of_correct(const Workspace<T>&, std::int64_t);                      \
  template int useful_threads(const Network<T>&, std::int64_t, int);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

}  // namespace twolayer
