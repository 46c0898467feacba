// How a training step spends its time: each kernel of a step by itself, on one thread, on uint8
// rows in random order, with the best time of several repetitions, and what share of this core's
// multiply-add peak that is.
//
//     cmake -S . -B build -DTWOLAYER_PHASES=ON -DCMAKE_BUILD_TYPE=Release
//         -Dpybind11_DIR="$(python -m pybind11 --cmakedir)"
//     cmake --build build --target phases && build/phases
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "core/dispatch.hpp"
#include "core/optimizer.hpp"
#include "core/passes.hpp"
#include "core/probe.hpp"
#include "kernels/activations/all.hpp"

namespace {

using namespace twolayer;

// Processor time of this thread: other programs' turns do not count.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Body>
double best_seconds(int repetitions, const Body& body) {
  double best = 1e9;
  for (int i = 0; i < repetitions; ++i) {
    const double begin = now();
    body();
    best = std::min(best, now() - begin);
  }
  return best;
}

struct Phases {
  double peak;  // operations a second
  double seconds = 0;
  double operations = 0;

  void add(const char* name, std::size_t layer, double taken, double done) {
    seconds += taken;
    operations += done;
    std::printf("  %-10s %zu %9.1f us", name, layer + 1, 1e6 * taken);
    if (done > 0)
      std::printf("  %5.1f GFLOP/s  %5.1f%% of peak", 1e-9 * done / taken,
                  100 * done / taken / peak);
    std::printf("\n");
  }
};

template <class P>
double peak() {
  if constexpr (std::is_same_v<P, Bfloat16>) return bfloat16_multiply_add_peak(1, 0.5);
  return multiply_add_peak<typename P::Scalar>(1, 0.5);
}

// Hyper-parameters as PyTorch has them by default.
OptimizerOptions options_of(const std::string& optimizer) {
  std::vector<double> all = {0};
  if (optimizer == "adam") all = {0, 0.9, 0.999, 1e-8};
  return {optimizer_by_name(optimizer), all};
}

// P: of the products' operands.
template <class P>
void measure(const char* type, const std::vector<std::int64_t>& sizes, std::int64_t samples,
             const std::string& optimizer_name, int repetitions) {
  using T = typename P::Scalar;
  std::mt19937 generator(1);
  std::normal_distribution<double> normal(0, 0.03);
  Network<T> network(sizes, Activations::index_of<Relu>());
  for (Layer<T>& layer : network.layers) {
    std::vector<T> weights(static_cast<std::size_t>(layer.inputs * layer.outputs));
    for (T& w : weights) w = static_cast<T>(normal(generator));
    to_panels(weights.data(), layer.inputs, layer.outputs, layer.weights.data());
  }
  for (std::int64_t i = 0; i < sizes.front(); ++i) {
    network.shift.data()[i] = T(127.5);
    network.inverse_scale.data()[i] = T(1 / 127.5);
  }
  const std::int64_t rows = 20'000;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(rows * sizes.front()));
  for (auto& value : x) value = static_cast<std::uint8_t>(generator());
  std::vector<std::int64_t> labels(static_cast<std::size_t>(rows));
  std::vector<std::int64_t> order(labels.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(generator() % static_cast<unsigned>(sizes.back()));
    order[i] = static_cast<std::int64_t>(i);
  }
  std::shuffle(order.begin(), order.end(), generator);
  const Data data{{x.data(), ElementType::uint8, sizes.front(), 1}, labels.data()};
  const Techniques none;
  const LossOptions cross_entropy{0};
  Workspace<P> work(network, samples, 1, cross_entropy, &none);
  work.make_room_for(network, data);
  Optimizer<T> optimizer(network, options_of(optimizer_name), false);
  const OptimizerStep<T> step = optimizer.begin_step(1e-6, optimizer.powers);
  const Kernels<T>& kernel = kernels<T>();
  const Products<P>& product = products<P>();
  Team alone(1);
  work.operands.prepare(network, data, alone);

  std::printf("%s", type);
  for (const std::int64_t size : sizes) std::printf(" %lld", static_cast<long long>(size));
  std::printf(", batch %lld\n", static_cast<long long>(samples));
  Phases phases{peak<P>()};
  std::int64_t first = 0;
  const auto operations = [&](const Layer<T>& layer) {
    return 2.0 * static_cast<double>(samples * layer.inputs * layer.outputs);
  };
  const auto batch = [&] { return Rows{order.data() + first, 0, samples}; };
  const double gathering_seconds = best_seconds(repetitions, [&] {
    first = (first + samples) % (rows - samples);  // never rows that are still in a cache
    work.operands.gather(gathering(network, data, batch(), work), alone);
  });
  phases.add("gather", 0, gathering_seconds, 0);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool last = l + 1 == network.layers.size();
    Forward<P> f{};
    f.input = work.operands.input(l, work.activations[l].data()).along;
    f.weights = work.operands.weights(l, layer);
    f.bias = layer.bias.data();
    f.corrections = work.operands.corrections(l);
    f.output = work.activations[l + 1].data();
    if (!last) f.rounded = work.operands.rounded_input(l + 1);
    f.samples = samples;
    f.inputs = layer.inputs;
    f.outputs = layer.outputs;
    f.activation = last ? Activations::index_of<Identity>() : network.activation;
    const double taken = best_seconds(
        repetitions, [&] { product.forward(f, {0, samples}, {0, panel_count(layer.outputs)}); });
    phases.add("forward", l, taken, operations(layer));
  }
  phases.add("loss", sizes.size() - 2,
             best_seconds(repetitions,
                          [&] {
                            loss_pass(network, data, batch(), Leave::gradient,
                                      static_cast<T*>(nullptr), work, alone);
                          }),
             0);
  const std::size_t top = network.layers.size() - 1;
  work.operands.round_doutput(top, work.gradient(top), samples, alone);
  for (std::size_t l = top; l > 0; --l) {
    const Layer<T>& layer = network.layers[l];
    Backward<P> b{};
    b.doutput = work.operands.doutput(l, work.gradient(l)).along;
    b.weights = layer.weights.data();
    b.slope_from = work.activations[l].data();
    b.dinput = work.gradient(l - 1);
    b.rounded = work.operands.rounded_doutput(l - 1);
    b.samples = samples;
    b.inputs = layer.inputs;
    b.outputs = layer.outputs;
    b.activation = network.activation;
    const double taken = best_seconds(repetitions, [&] {
      product.backward(b, {0, samples}, {0, panel_count(layer.inputs)}, work.scratch[0].data());
    });
    phases.add("backward", l, taken, operations(layer));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Layer<T>& layer = network.layers[l];
    Update<P> u{};
    u.input = work.operands.input(l, work.activations[l].data()).across;
    u.doutput = work.operands.doutput(l, work.gradient(l)).across;
    u.samples = samples;
    u.inputs = layer.inputs;
    u.outputs = layer.outputs;
    u.weights = optimizer.update(layer.weights, optimizer.layers[l].weights);
    u.step = step;
    u.rounded = work.operands.rounding(l, layer);
    const BiasUpdate<T> of_bias{work.gradient(l), samples, layer.outputs,
                                optimizer.update(layer.bias, optimizer.layers[l].bias), step};
    const double taken = best_seconds(repetitions, [&] {
      product.update_weights(u, {0, block_count(layer.inputs)}, work.scratch[0].data());
      kernel.update_bias(of_bias, {0, panel_count(layer.outputs)});
    });
    phases.add("update", l, taken, operations(layer));
  }
  phases.add("all", sizes.size() - 2, phases.seconds, phases.operations);
}

}  // namespace

int main() {
  std::printf("%s, one thread\n", chosen_target().target->name);
  measure<Exact<float>>("float32", {3072, 512, 10}, 350, "sgd", 20);
  measure<Exact<float>>("float32", {3072, 50, 10}, 200, "sgd", 100);
  measure<Exact<float>>("float32", {3072, 128, 256, 10}, 200, "adam", 60);
  measure<Exact<float>>("float32", {3072, 2048, 2048, 10}, 512, "adam", 4);
  measure<Exact<float>>("float32", {64, 32, 10}, 32, "sgd", 2000);
  measure<Exact<float>>("float32", {30, 100, 2}, 200, "adam", 2000);
  measure<Exact<float>>("float32", {8, 64, 64, 4}, 64, "adam", 2000);
  measure<Exact<float>>("float32", {100, 256, 128, 10}, 256, "adam", 500);
  measure<Exact<double>>("float64", {3072, 512, 10}, 350, "sgd", 10);
  measure<Bfloat16>("bfloat16", {3072, 512, 10}, 350, "sgd", 20);
  measure<Bfloat16>("bfloat16", {3072, 2048, 2048, 10}, 512, "adam", 4);
}
