// Trains with the core alone, without Python or any framework: tests/test_reproducibility.py builds
// and runs it. Data, weights and batches come from integer arithmetic, so that no library has a say
// in the bits of the result. TWOLAYER_ISA names the target.
//
//     train_hash targets              the targets that this CPU supports, best first
//     train_hash hashes THREADS...    hashes of parameters and losses after 200 steps
//     train_hash allocations THREADS...
//                                     heap allocations while a trainer is made, and while it runs
//                                     1 step and 50 steps
//     train_hash shapes               many odd shapes, for sanitizers; hashes of all results
//
// Exit status: 0 done, 1 an error, said on stderr.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "core/dispatch.hpp"
#include "core/inference.hpp"
#include "core/trainer.hpp"
#include "kernels/activations/all.hpp"

namespace {

// splitmix64 (Steele, Lea and Flood, 2014).
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(end));
  }
  // In [-1, 1): a multiple of 2^-20, which every type holds exactly.
  double uniform() { return static_cast<double>(below(1 << 21) - (1 << 20)) * 0x1p-20; }

 private:
  std::uint64_t state_;
};

// FNV-1a, 64 bits.
class Hash {
 public:
  template <class T>
  void add(const T* values, std::size_t count) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values);
    for (std::size_t i = 0; i < count * sizeof(T); ++i) {
      state_ = (state_ ^ bytes[i]) * 0x100000001b3u;
    }
  }
  unsigned long long value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

// A type that computes: what its products are made of, and how it is called here.
struct Float32 {
  using Operands = twolayer::Exact<float>;
  static constexpr const char* name = "float32";
};
struct Float64 {
  using Operands = twolayer::Exact<double>;
  static constexpr const char* name = "float64";
};
struct Bfloat16 {
  using Operands = twolayer::Bfloat16;
  static constexpr const char* name = "bfloat16";
};

template <class Type>
using Number = typename Type::Operands::Scalar;
template <class Type>
using Trainer = twolayer::Trainer<typename Type::Operands>;

bool never() { return false; }

constexpr std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Rows with a gap between them; the memory ends with the last row, not with its gap.
struct Samples {
  std::vector<unsigned char> x;
  std::vector<std::int64_t> labels;
  twolayer::ElementType type;
  std::int64_t row_stride;

  Samples(Generator& generator, std::int64_t count, std::int64_t inputs, std::int64_t classes,
          twolayer::ElementType type)
      : type(type), row_stride((inputs + 3) * twolayer::size_of(type)) {
    x.resize(index((count - 1) * row_stride + inputs * twolayer::size_of(type)));
    for (std::int64_t n = 0; n < count; ++n) {
      for (std::int64_t d = 0; d < inputs; ++d) {
        unsigned char* to = x.data() + n * row_stride + d * twolayer::size_of(type);
        if (type == twolayer::ElementType::uint8) {
          *to = static_cast<unsigned char>(generator.below(256));
        } else if (type == twolayer::ElementType::float32) {
          const float value = static_cast<float>(generator.uniform());
          std::memcpy(to, &value, sizeof value);
        } else {
          const double value = generator.uniform();
          std::memcpy(to, &value, sizeof value);
        }
      }
      labels.push_back(generator.below(classes));
    }
  }

  twolayer::Data data() const {
    return {{x.data(), type, row_stride, twolayer::size_of(type)}, labels.data()};
  }
  twolayer::Data without_labels() const { return {data().x}; }
};

template <class T>
twolayer::Network<T> make_network(Generator& generator, const std::vector<std::int64_t>& sizes,
                                  int activation, const Samples& samples) {
  twolayer::Network<T> network(sizes, activation);
  for (auto& layer : network.layers) {
    double bound = 1;  // near 1 / sqrt(inputs), and a power of two: the product is exact
    while (bound * bound * static_cast<double>(layer.inputs) > 1) bound /= 2;
    std::vector<T> weights(index(layer.inputs * layer.outputs));
    for (T& w : weights) w = static_cast<T>(bound * generator.uniform());
    twolayer::to_panels(weights.data(), layer.inputs, layer.outputs, layer.weights.data());
    for (std::int64_t h = 0; h < layer.outputs; ++h) {
      layer.bias.data()[h] = static_cast<T>(0x1p-4 * generator.uniform());
    }
  }
  if (samples.type == twolayer::ElementType::uint8) {
    for (std::int64_t d = 0; d < sizes.front(); ++d) {
      network.shift.data()[d] = T(127.5);
      network.inverse_scale.data()[d] = T(0x1p-7);
    }
  }
  return network;
}

template <class T>
void add_layer(Hash& hash, const T* weights, const T* bias, std::int64_t inputs,
               std::int64_t outputs) {
  std::vector<T> plain(index(inputs * outputs));
  twolayer::from_panels(weights, inputs, outputs, plain.data());
  hash.add(plain.data(), plain.size());
  hash.add(bias, index(outputs));
}

template <class T>
void add_parameters(Hash& hash, const twolayer::Network<T>& network) {
  for (const auto& layer : network.layers) {
    add_layer(hash, layer.weights.data(), layer.bias.data(), layer.inputs, layer.outputs);
  }
}

// In [0, 2), some of them 0.
std::vector<double> weights_of(Generator& generator, std::int64_t count) {
  std::vector<double> weights;
  for (std::int64_t n = 0; n < count; ++n) {
    weights.push_back(generator.below(8) == 0 ? 0 : 1 + generator.uniform());
  }
  return weights;
}

// A few permutations of all rows, one after the other, cut to `length`.
std::vector<std::int64_t> shuffled_rows(Generator& generator, std::int64_t count,
                                        std::int64_t length) {
  std::vector<std::int64_t> rows;
  while (static_cast<std::int64_t>(rows.size()) < length) {
    std::vector<std::int64_t> order(index(count));
    for (std::int64_t n = 0; n < count; ++n) {  // Fisher and Yates, from the inside out
      const std::int64_t other = generator.below(n + 1);
      order[index(n)] = order[index(other)];
      order[index(other)] = n;
    }
    rows.insert(rows.end(), order.begin(), order.end());
  }
  rows.resize(index(length));
  return rows;
}

using twolayer::ElementType;

constexpr int relu = Activations::index_of<Relu>();
constexpr int tanh_ = Activations::index_of<Tanh>();
constexpr int logistic = Activations::index_of<Logistic>();
constexpr int identity = Activations::index_of<Identity>();

twolayer::OptimizerOptions optimizer_of(const std::string& name, double weight_decay) {
  twolayer::OptimizerOptions options{twolayer::optimizer_by_name(name), {}};
  for (const std::string& of : twolayer::hyperparameters_of(options.kind)) {
    options.hyperparameters.push_back(of == "weight_decay" ? weight_decay
                                      : of == "beta2"      ? 0.999
                                      : of == "epsilon"    ? 1e-8
                                                           : 0.9);
  }
  return options;
}

double rate_of(const std::string& optimizer) {
  return optimizer == "adam" || optimizer == "adamw" ? 0x1p-9 : 0x1p-5;
}

twolayer::LossOptions cross_entropy(double smoothing = 0) { return {0, 1, smoothing}; }

// Of images of one channel.
twolayer::Augmentation augmentation_of(std::int64_t height, std::int64_t width, std::int64_t shift,
                                       std::int64_t cutout) {
  return {1, height, width, twolayer::Augmentation::Flip::at_random, shift, cutout, 0};
}

twolayer::Techniques all_techniques() {
  twolayer::Techniques all;
  all.dropout = {0.25, 0.5};
  all.batch_norm = true;
  all.clip_norm = 0x1p-1;
  all.augment = true;
  all.augmentation = augmentation_of(7, 43, 3, 4);
  all.seed = 7;
  return all;
}

struct Recipe {
  const char* name;
  int activation;
  ElementType type;
  const char* optimizer;
  double weight_decay;
  double reg;
  twolayer::Techniques techniques{};
  double smoothing = 0;
  bool weighted = false;
};

const Recipe recipes[] = {
    {"sgd", relu, ElementType::uint8, "sgd", 0, 0x1p-10},
    {"adam", tanh_, ElementType::float64, "adam", 0, 0},
    {"techniques", relu, ElementType::uint8, "adamw", 0x1p-8, 0x1p-10, all_techniques(), 0x1p-4,
     true},
};

// A problem of odd sizes in which seven threads have enough to do.
template <class Type>
struct Problem {
  using T = Number<Type>;
  static constexpr std::int64_t count = 500;
  static constexpr std::int64_t batch_size = 48;
  Generator generator{1};
  Samples samples;
  twolayer::Network<T> network;
  std::vector<double> weights;

  explicit Problem(const Recipe& recipe)
      : samples(generator, count, 301, 10, recipe.type),
        network(make_network<T>(generator, {301, 100, 37, 10}, recipe.activation, samples)) {
    if (recipe.weighted) weights = weights_of(generator, count);
  }

  twolayer::Data data() const {
    twolayer::Data all = samples.data();
    if (!weights.empty()) all.weights = weights.data();
    return all;
  }

  Trainer<Type> trainer(const Recipe& recipe, int threads) const {
    if (twolayer::useful_threads(network, batch_size, threads) != threads) {
      throw std::runtime_error("the problem is too small for " + std::to_string(threads) +
                               " threads: make it larger");
    }
    return {network,
            {optimizer_of(recipe.optimizer, recipe.weight_decay), recipe.reg,
             cross_entropy(recipe.smoothing), recipe.techniques, batch_size, threads}};
  }
};

template <class Type>
void print_hash(const Recipe& recipe, int threads) {
  constexpr std::int64_t calls = 4;
  constexpr std::int64_t steps = 50;  // a call; the last batch of each is short
  Problem<Type> problem(recipe);
  auto trainer = problem.trainer(recipe, threads);
  Hash hash;
  for (std::int64_t call = 0; call < calls; ++call) {
    const std::int64_t length = (steps - 1) * problem.batch_size + 20;
    const auto rows = shuffled_rows(problem.generator, problem.count, length);
    const std::vector<double> rates(index(steps), rate_of(recipe.optimizer));
    std::vector<double> losses(index(steps));
    const auto done = trainer.run(problem.network, problem.data(), {rows.data(), 0, length},
                                  rates.data(), losses.data(), never);
    if (done.steps != steps) throw std::runtime_error("training stopped early");
    hash.add(losses.data(), losses.size());
    const auto correct = static_cast<std::int64_t>(done.scores);
    hash.add(&correct, 1);
  }
  trainer.publish(problem.network);
  add_parameters(hash, problem.network);
  std::printf("%s %s threads %d %016llx\n", Type::name, recipe.name, threads, hash.value());
}

template <class Type>
void print_allocations(const Recipe& recipe, int threads) {
  Problem<Type> problem(recipe);
  const auto rows = shuffled_rows(problem.generator, problem.count, 50 * problem.batch_size);
  const std::vector<double> rates(50, rate_of(recipe.optimizer));
  std::vector<double> losses(50);
  const std::int64_t before = allocations();
  auto trainer = problem.trainer(recipe, threads);
  const std::int64_t made = allocations() - before;
  const auto during = [&](std::int64_t steps) {
    const std::int64_t before_run = allocations();
    trainer.run(problem.network, problem.data(), {rows.data(), 0, steps * problem.batch_size},
                rates.data(), losses.data(), never);
    return allocations() - before_run;
  };
  during(1);  // the first parallel region starts the threads
  const std::int64_t one = during(1);
  const std::int64_t fifty = during(50);
  std::printf("%s %s threads %d %lld %lld %lld\n", Type::name, recipe.name, threads,
              static_cast<long long>(made), static_cast<long long>(one),
              static_cast<long long>(fifty));
}

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
  twolayer::predict(network, samples.without_labels(), rows, cross_entropy(), threads, std::nullopt,
                    probabilities.data());
  hash.add(probabilities.data(), probabilities.size());
  const auto score = twolayer::evaluate(network, data, rows, cross_entropy(), threads);
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
  twolayer::predict(network, samples.without_labels(), rows, loss, threads, mirrored,
                    probabilities.data());
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

void print_targets() {
  for (const twolayer::Target* target : twolayer::built_targets()) {
    if (target->supported()) std::puts(target->name);
  }
}

template <class Print>
void for_each_case(int count, char** teams, const Print& print) {
  for (int i = 0; i < count; ++i) {
    for (const Recipe& recipe : recipes) {
      print.template operator()<Float32>(recipe, std::atoi(teams[i]));
      print.template operator()<Float64>(recipe, std::atoi(teams[i]));
      print.template operator()<Bfloat16>(recipe, std::atoi(teams[i]));
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string task = count > 1 ? arguments[1] : "";
  try {
    if (task == "targets") {
      print_targets();
    } else if (task == "hashes") {
      for_each_case(count - 2, arguments + 2,
                    []<class Type>(const Recipe& r, int threads) { print_hash<Type>(r, threads); });
    } else if (task == "allocations") {
      for_each_case(count - 2, arguments + 2, []<class Type>(const Recipe& r, int threads) {
        print_allocations<Type>(r, threads);
      });
    } else if (task == "shapes") {
      print_shapes();
    } else {
      throw std::runtime_error("expected targets, hashes, allocations or shapes, not \"" + task +
                               "\"");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_hash: %s\n", error.what());
    return 1;
  }
  return 0;
}
