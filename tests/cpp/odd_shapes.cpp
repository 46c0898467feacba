// Everything the core does, on many odd shapes.
#include "odd_shapes.hpp"

#include <cmath>
#include <cstdio>

#include "core/inference.hpp"
#include "core/trainer.hpp"
#include "problems.hpp"

namespace {

using namespace problems;

// Everything the core does, once, on one shape: three batches of training, the last one short.
template <class Type>
void add_shape(Hash& hash, Generator& generator, const std::vector<std::int64_t>& sizes,
               std::int64_t batch_size, ElementType type, std::int64_t turn) {
  using T = Number<Type>;
  constexpr int activations[] = {relu, tanh_, logistic, identity};
  constexpr const char* optimizers[] = {"sgd", "momentum", "nesterov", "adam", "adamw"};
  const char* const optimizer = optimizers[turn % 5];
  const double reg = turn % 2 == 0 ? 0x1p-8 : 0;
  const int threads = 1 + static_cast<int>(turn % 3);
  const std::int64_t count = 2 * batch_size + (batch_size + 1) / 2;
  const Samples samples(generator, count, sizes.front(), sizes.back(), type);
  auto network = make_network<T>(generator, sizes, activations[turn % 4], samples);
  const auto numbers = shuffled_rows(generator, count, count);
  const twolayer::Rows rows{turn % 7 == 0 ? nullptr : numbers.data(), 0, count};
  const twolayer::Data data = samples.data();

  const std::vector<double> rates(3, rate_of(optimizer));
  std::vector<double> losses(3);
  Trainer<Type> trainer(
      network, {optimizer_of(optimizer, 0x1p-8), reg, cross_entropy(), {}, batch_size, threads});
  trainer.run(network, data, rows, rates.data(), losses.data(), never);
  hash.add(losses.data(), losses.size());
  add_parameters(hash, network);

  std::vector<T> probabilities(index(count * sizes.back()));
  twolayer::Spare<twolayer::Exact<T>> spare;
  const twolayer::Data unlabelled = samples.without_labels();
  const twolayer::LossOptions of_loss = cross_entropy();
  twolayer::predictions<twolayer::Exact<T>>({network, unlabelled, rows, of_loss, threads}, spare,
                                            never, probabilities.data());
  hash.add(probabilities.data(), probabilities.size());
  const auto score = *twolayer::evaluate<twolayer::Exact<T>>(
      {network, data, rows, of_loss, threads}, spare, never);
  const std::int64_t correct = std::llround(score.score * static_cast<double>(count));
  hash.add(&score.loss, 1);
  hash.add(&correct, 1);
  const auto [loss, gradients] = *twolayer::loss_and_gradients<T>(
      network, data, rows, cross_entropy(), reg, threads, {}, {}, never);
  hash.add(&loss, 1);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    add_layer(hash, gradients.layers[l].weights.data(), gradients.layers[l].bias.data(), sizes[l],
              sizes[l + 1]);
  }
}

// Training techniques on one shape, each with each over the turns: three batches of training, the
// last one short; gradients; prediction of mirrored images.
template <class Type>
void add_techniques(Hash& hash, Generator& generator, const std::vector<std::int64_t>& sizes,
                    std::int64_t batch_size, ElementType type, std::int64_t turn) {
  using T = Number<Type>;
  constexpr int activations[] = {relu, tanh_, logistic};
  constexpr const char* optimizers[] = {"sgd", "momentum", "adam"};
  const char* const optimizer = optimizers[turn / 3 % 3];
  const int threads = 1 + static_cast<int>(turn % 3);
  const std::int64_t count = 2 * batch_size + (batch_size + 1) / 2;
  const std::int64_t inputs = sizes.front();
  std::int64_t height = 1;
  for (std::int64_t h = 1; h * h <= inputs; ++h) height = inputs % h == 0 ? h : height;
  const std::int64_t width = inputs / height;
  const Samples samples(generator, count, inputs, sizes.back(), type);
  auto network = make_network<T>(generator, sizes, activations[turn % 3], samples);
  const std::vector<double> weights = weights_of(generator, count);
  const auto numbers = shuffled_rows(generator, count, count);
  const twolayer::Rows rows{turn % 7 == 0 ? nullptr : numbers.data(), 0, count};

  twolayer::Techniques techniques;
  techniques.seed = generator.bits();
  techniques.batch_norm = (turn & 1) != 0;
  if ((turn & 2) != 0) {
    for (std::size_t l = 1; l + 1 < sizes.size(); ++l) {
      techniques.dropout.push_back(static_cast<double>(generator.below(4)) * 0x1p-2);
    }
  }
  if ((turn & 4) != 0) techniques.clip_norm = 0x1p-3;
  const twolayer::LossOptions loss = cross_entropy((turn & 8) != 0 ? 0x1p-3 : 0);
  const std::int64_t shift = generator.below(height);  // drawn in this order by every compiler
  const std::int64_t cutout = generator.below(width + 1);
  techniques.augmentation = augmentation_of(height, width, shift, cutout);
  techniques.augment = (turn & 16) != 0;
  twolayer::Data data = samples.data();
  if ((turn & 32) != 0) data.weights = weights.data();

  const std::vector<double> rates(3, rate_of(optimizer));
  std::vector<double> losses(3);
  Trainer<Type> trainer(
      network, {optimizer_of(optimizer, 0), 0x1p-8, loss, techniques, batch_size, threads});
  trainer.run(network, data, rows, rates.data(), losses.data(), never);
  trainer.publish(network);
  hash.add(losses.data(), losses.size());
  add_parameters(hash, network);

  std::vector<T> probabilities(index(count * sizes.back()));
  twolayer::Augmentation mirrored = augmentation_of(height, width, 0, 0);
  mirrored.flip = twolayer::Augmentation::Flip::always;
  twolayer::Spare<twolayer::Exact<T>> spare;
  const twolayer::Data unlabelled = samples.without_labels();
  twolayer::predictions<twolayer::Exact<T>>({network, unlabelled, rows, loss, threads, mirrored},
                                            spare, never, probabilities.data());
  hash.add(probabilities.data(), probabilities.size());
  std::vector<std::vector<T>> gammas;
  for (std::size_t l = 1; techniques.batch_norm && l + 1 < sizes.size(); ++l) {
    gammas.emplace_back(index(sizes[l]), T(0.75));
  }
  const auto [value, gradients] = *twolayer::loss_and_gradients<T>(
      network, data, rows, loss, 0x1p-8, threads, techniques, gammas, never);
  hash.add(&value, 1);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const auto& of_layer = gradients.layers[l];
    add_layer(hash, of_layer.weights.data(), of_layer.bias.data(), sizes[l], sizes[l + 1]);
    if (of_layer.gamma.size() > 0) hash.add(of_layer.gamma.data(), index(sizes[l + 1]));
  }
}

}  // namespace

void print_shapes() {
  constexpr std::int64_t odd[] = {1, 2, 3, 15, 16, 17, 31, 33, 65, 100};
  constexpr ElementType types[] = {ElementType::uint8, ElementType::float32, ElementType::float64};
  Generator generator(2);
  Hash exact;
  Hash bfloat16;
  Generator generator_of_techniques(3);
  Hash exact_techniques;
  Hash bfloat16_techniques;
  std::int64_t turn = 0;
  const auto add = [&](const std::vector<std::int64_t>& sizes, std::int64_t batch_size,
                       ElementType type) {
    add_shape<Float32>(exact, generator, sizes, batch_size, type, turn++);
    add_shape<Float64>(exact, generator, sizes, batch_size, type, turn++);
    add_shape<Bfloat16>(bfloat16, generator, sizes, batch_size, type, turn++);
    const auto add_more = [&]<class Type>(Hash& hash, std::int64_t its_turn) {
      add_techniques<Type>(hash, generator_of_techniques, sizes, batch_size, type, its_turn);
    };
    add_more.template operator()<Float32>(exact_techniques, turn - 3);
    add_more.template operator()<Float64>(exact_techniques, turn - 2);
    add_more.template operator()<Bfloat16>(bfloat16_techniques, turn - 1);
  };
  for (std::int64_t i = 0; i < 10; ++i) {
    for (std::int64_t h = 0; h < 10; ++h) {
      for (const ElementType type : types) {
        // Every pair of inputs or hidden with classes or batch occurs.
        add({odd[i], odd[h], odd[(i + h) % 10]}, odd[(i + 3 * h + turn) % 10], type);
      }
    }
  }
  for (const ElementType type : types) {  // no hidden layer; several; more rows than a block
    add({17, 5}, 31, type);
    add({33, 65, 3, 17, 2}, 16, type);
    add({600, 33, 10}, 601, type);
  }
  std::printf("exact %016llx\n", exact.value());
  std::printf("bfloat16 %016llx\n", bfloat16.value());
  std::printf("techniques exact %016llx\n", exact_techniques.value());
  std::printf("techniques bfloat16 %016llx\n", bfloat16_techniques.value());
}
