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
#include <vector>

#include "core/dispatch.hpp"
#include "core/optimizer.hpp"
#include "core/passes.hpp"
#include "core/probe.hpp"
#include "kernels/activations/all.hpp"
#include "kernels/losses/all.hpp"

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

template <class T>
void measure(const char* type, const std::vector<std::int64_t>& sizes, std::int64_t samples,
             OptimizerKind kind, int repetitions) {
  std::mt19937 generator(1);
  std::normal_distribution<double> normal(0, 0.03);
  Network<T> network(sizes, Activation::relu);
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
  const Data data{x.data(), ElementType::uint8, sizes.front(), labels.data()};
  const Techniques none;
  Workspace<T> work(network, samples, 1, &none);
  const Kernels<T>& kernel = kernels<T>();

  std::printf("%s", type);
  for (const std::int64_t size : sizes) std::printf(" %lld", static_cast<long long>(size));
  std::printf(", batch %lld\n", static_cast<long long>(samples));
  Phases phases{multiply_add_peak<T>(1, 0.5)};
  std::int64_t first = 0;
  const auto product = [&](const Layer<T>& layer) {
    return 2.0 * static_cast<double>(samples * layer.inputs * layer.outputs);
  };
  const double gathering_seconds = best_seconds(repetitions, [&] {
    first = (first + samples) % (rows - samples);  // never rows that are still in a cache
    kernel.gather(gathering(network, data, {order.data() + first, 0, samples}, work),
                  {0, panel_count(sizes.front())});
  });
  phases.add("gather", 0, gathering_seconds, 0);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const double taken = best_seconds(repetitions, [&] {
      kernel.forward({work.activations[l].data(), layer.weights.data(), layer.bias.data(),
                      work.activations[l + 1].data(), samples, layer.inputs, layer.outputs,
                      network.activation_of(l)},
                     {0, samples}, {0, panel_count(layer.outputs)});
    });
    phases.add("forward", l, taken, product(layer));
  }
  Softmax<T> softmax{};
  softmax.logits = work.activations.back().data();
  softmax.labels = labels.data();
  softmax.rows = order.data();
  softmax.samples = samples;
  softmax.classes = sizes.back();
  softmax.leave_gradient = true;
  softmax.sum_of_weights = static_cast<double>(samples);
  softmax.losses = work.losses.data();
  softmax.correct = work.correct.data();
  phases.add("softmax", sizes.size() - 2,
             best_seconds(repetitions, [&] { kernel.softmax(softmax, {0, samples}); }), 0);
  for (std::size_t l = network.layers.size() - 1; l > 0; --l) {
    const Layer<T>& layer = network.layers[l];
    const double taken = best_seconds(repetitions, [&] {
      kernel.backward(
          {work.gradient(l), layer.weights.data(), work.activations[l].data(), work.gradient(l - 1),
           samples, layer.inputs, layer.outputs, network.activation},
          {0, samples}, {0, panel_count(layer.inputs)}, work.scratch[0].data());
    });
    phases.add("backward", l, taken, product(layer));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Layer<T>& layer = network.layers[l];
    Buffer<T> weights1(layer.weights.size());
    Buffer<T> weights2(layer.weights.size());
    Buffer<T> bias1(layer.bias.size());
    Buffer<T> bias2(layer.bias.size());
    Update<T> update{};
    update.input = work.activations[l].data();
    update.doutput = work.gradient(l);
    update.samples = samples;
    update.inputs = layer.inputs;
    update.outputs = layer.outputs;
    update.weights = layer.weights.data();
    update.weights_state1 = kind == OptimizerKind::adam ? weights1.data() : nullptr;
    update.weights_state2 = kind == OptimizerKind::adam ? weights2.data() : nullptr;
    update.bias = layer.bias.data();
    update.bias_state1 = bias1.data();
    update.bias_state2 = bias2.data();
    update.step.kind = kind;
    update.step.learning_rate = update.step.step_size = T(1e-6);
    update.step.one_minus_beta1 = T(0.1);
    update.step.beta2 = T(0.999);
    update.step.one_minus_beta2 = T(0.001);
    update.step.epsilon = T(1e-8);
    update.step.inverse_sqrt_correction2 = T(1);
    const double taken = best_seconds(repetitions, [&] {
      kernel.update_weights(update, {0, block_count(layer.inputs)});
      kernel.update_bias(update, {0, panel_count(layer.outputs)});
    });
    phases.add("update", l, taken, product(layer));
  }
  phases.add("all", sizes.size() - 2, phases.seconds, phases.operations);
}

}  // namespace

int main() {
  std::printf("%s, one thread\n", chosen_target().target->name);
  measure<float>("float32", {3072, 512, 10}, 350, OptimizerKind::sgd, 20);
  measure<float>("float32", {3072, 50, 10}, 200, OptimizerKind::sgd, 100);
  measure<float>("float32", {3072, 128, 256, 10}, 200, OptimizerKind::adam, 60);
  measure<float>("float32", {3072, 2048, 2048, 10}, 512, OptimizerKind::adam, 4);
  measure<float>("float32", {64, 32, 10}, 32, OptimizerKind::sgd, 2000);
  measure<double>("float64", {3072, 512, 10}, 350, OptimizerKind::sgd, 10);
}
