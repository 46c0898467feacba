#include "passes.hpp"

#include <algorithm>
#include <cmath>

#include "../kernels/activations/all.hpp"
#include "../kernels/losses/all.hpp"
#include "../kernels/random.hpp"

namespace twolayer {

namespace {

// Shares a product's result (samples, panels), of which each number takes `depth` multiply-adds:
// body(samples, panels, rank). Its cells are some rows of one panel, and follow each other panel by
// panel, so that large parts are whole panels, which read the fewest weights.
template <class P, class Body>
void share_product(Team& team, std::int64_t samples, std::int64_t panels, std::int64_t depth,
                   const Body& body) {
  constexpr std::int64_t rows_of_a_tile = 14;  // near enough for every target
  const double of_a_row = static_cast<double>(depth * panel_width) * of_a_multiply_add<P>;
  const double of_a_tile = rows_of_a_tile * of_a_row;
  const std::int64_t rows = rows_of_a_tile * grain_of(of_a_tile);
  const std::int64_t groups = (samples + rows - 1) / rows;
  team.share(panels * groups, static_cast<double>(rows) * of_a_row, [&](Range cells, int rank) {
    while (cells.begin < cells.end) {
      const std::int64_t panel = cells.begin / groups;
      const std::int64_t first = cells.begin % groups;
      const std::int64_t left = cells.end - cells.begin;
      const std::int64_t whole = first == 0 ? left / groups : 0;
      const std::int64_t last = whole > 0 ? groups : std::min(first + left, groups);
      const Range part{samples * first / groups, samples * last / groups};
      body(whole_groups<P>(part, samples), Range{panel, panel + std::max<std::int64_t>(whole, 1)},
           rank);
      cells.begin += whole > 0 ? whole * groups : last - first;
    }
  });
}

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
                    Workspace<P>& work, Team& team) {
  Gather<T> g{};
  g.x = data.targets;
  g.rows = rows.numbers;
  g.first_row = rows.first;
  g.samples = rows.count;
  g.inputs = network.sizes.back() / work.loss.levels;
  g.shift = work.target_shift.data();
  g.inverse_scale = work.target_scale.data();
  g.batch = work.targets.data();
  share_gather(team, g, [&](Range panels) { kernels<T>().gather(g, panels); });
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
                  Workspace<P>& work, Team& team) {
  using T = typename P::Scalar;
  const Gather<T> batch = gathering(network, data, rows, work);
  if (!data.sparse()) work.operands.gather(batch, team);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool sparse = l == 0 && data.sparse();
    const std::int64_t panels = panel_count(layer.outputs);
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
    if constexpr (std::is_same_v<P, Exact<T>>) {
      // Each row is read once, by the member that does all of its outputs.
      if (sparse) {
        team.share(rows.count, of_an_element * static_cast<double>(panels * panel_width),
                   [&](Range samples, int) {
                     kernels<T>().forward_sparse(batch, f, samples, {0, panels});
                   });
      }
    }
    if (!sparse) {
      share_product<P>(team, rows.count, panels, layer.inputs,
                       [&](Range samples, Range of_panels, int) {
                         products<P>().forward(f, samples, of_panels);
                       });
    }
    if (!between) continue;
    const Between<T> b = between_layers(network, rows, l, work);
    team.share(panels, of_a_panel(rows.count),
               [&](Range part, int) { kernels<T>().between_forward(b, part); });
    work.operands.round_input(l + 1, f.output, rows.count, team);
  }
}

template <class P>
void loss_pass(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
               Leave leave, typename P::Scalar* predictions, Workspace<P>& work, Team& team) {
  using T = typename P::Scalar;
  const bool real = data.targets.values != nullptr;
  if (real) gather_targets(network, data, rows, work, team);
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
  args.sum_of_weights = sum_of_weights(work.loss, data, rows);
  args.leave = leave;
  args.predictions = predictions;
  args.losses = work.losses.data();
  args.scores = work.scores.data();
  team.share(rows.count, of_an_element * static_cast<double>(panel_width + args.output_count),
             [&](Range samples, int) { kernels<T>().loss(args, samples); });
}

template <class P>
void copy_outputs(const Network<typename P::Scalar>& network, std::int64_t samples,
                  typename P::Scalar* to, Workspace<P>& work, Team& team) {
  const std::int64_t outputs = network.sizes.back();
  const auto* scale = network.output_scale.data();
  const auto* shift = network.output_shift.data();
  team.share(samples, of_an_element * static_cast<double>(outputs), [&](Range part, int) {
    for (std::int64_t n = part.begin; n < part.end; ++n) {
      for (std::int64_t k = 0; k < outputs; ++k) {
        const std::int64_t at = (k / panel_width * samples + n) * panel_width + k % panel_width;
        const auto z = work.activations.back().data()[at];
        to[n * outputs + k] = scale == nullptr ? z : std::fma(scale[k], z, shift[k]);
      }
    }
  });
}

template <class P>
void backward_pass(const Network<typename P::Scalar>& network, const Rows& rows, Workspace<P>& work,
                   Team& team) {
  using T = typename P::Scalar;
  const std::int64_t samples = rows.count;
  const std::size_t top = network.layers.size() - 1;
  work.operands.round_doutput(top, work.gradient(top), samples, team);
  for (std::size_t l = top; l > 0; --l) {
    const Layer<T>& layer = network.layers[l];
    const std::int64_t panels = panel_count(layer.inputs);
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
    share_product<P>(team, samples, panels, layer.outputs,
                     [&](Range part, Range of_panels, int rank) {
                       products<P>().backward(b, part, of_panels,
                                              work.scratch[static_cast<std::size_t>(rank)].data());
                     });
    if (!between) continue;
    const Between<T> gradient = between_layers(network, rows, l - 1, work);
    team.share(panels, of_a_panel(samples),
               [&](Range part, int) { kernels<T>().between_backward(gradient, part); });
    work.operands.round_doutput(l - 1, b.dinput, samples, team);
  }
}

double weight_of(const Data& data, const Rows& rows, std::int64_t n) {
  if (data.weights == nullptr) return 1;
  return data.weights[rows.number(n)];
}

double sum_of_weights(const LossOptions& loss, const Data& data, const Rows& rows) {
  const bool by_class = loss.kind == Losses::index_of<CrossEntropy>() && data.labels != nullptr &&
                        !loss.parameters.empty();
  if (data.weights == nullptr && !by_class) return static_cast<double>(rows.count);
  double sum = 0;
  for (std::int64_t n = 0; n < rows.count; ++n) {
    const auto label = static_cast<std::size_t>(by_class ? data.labels[rows.number(n)] : 0);
    sum += weight_of(data, rows, n) * (by_class ? loss.parameters[label] : 1);
  }
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
  const double weights = sum_of_weights(work.loss, data, rows);
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
  template void forward_pass(const Network<T>&, const Data&, const Rows&, Workspace<P>&, Team&); \
  template void loss_pass(const Network<T>&, const Data&, const Rows&, Leave, T*, Workspace<P>&, \
                          Team&);                                                                \
  template void copy_outputs(const Network<T>&, std::int64_t, T*, Workspace<P>&, Team&);         \
  template void backward_pass(const Network<T>&, const Rows&, Workspace<P>&, Team&);             \
  template double sum_of_losses(const Workspace<P>&, const Data&, const Rows&);                  \
  template double sum_of_scores(const Workspace<P>&, std::int64_t);                              \
  template double mean_loss(const Workspace<P>&, const Data&, const Rows&);
TWOLAYER_INSTANTIATE(Exact<float>, float)
TWOLAYER_INSTANTIATE(Exact<double>, double)
TWOLAYER_INSTANTIATE(Bfloat16, float)
template int useful_threads(const Network<float>&, std::int64_t, int);
template int useful_threads(const Network<double>&, std::int64_t, int);

}  // namespace twolayer
