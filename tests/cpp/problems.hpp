// What the programs here train on: data, weights and batches from integer arithmetic, so that no
// library has a say in the bits of a result; and the hash of those.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/trainer.hpp"
#include "kernels/activations/all.hpp"

namespace problems {

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

inline bool never() { return false; }

constexpr std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Rows with a gap between them; the memory ends with the last row, not with its gap.
struct Samples {
  std::vector<unsigned char> x;
  std::vector<std::int64_t> labels;
  twolayer::ElementType type;
  std::int64_t row_stride;

  Samples(Generator& generator, std::int64_t count, std::int64_t inputs, std::int64_t classes,
          twolayer::ElementType type)
      : type(type), row_stride((inputs + 3) * twolayer::element_size(type)) {
    x.resize(index((count - 1) * row_stride + inputs * twolayer::element_size(type)));
    for (std::int64_t n = 0; n < count; ++n) {
      for (std::int64_t d = 0; d < inputs; ++d) {
        unsigned char* to = x.data() + n * row_stride + d * twolayer::element_size(type);
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
    return {{x.data(), type, row_stride, twolayer::element_size(type)}, labels.data()};
  }
  twolayer::Data without_labels() const { return {data().x}; }
};

template <class T>
twolayer::Network<T> make_network(Generator& generator, const std::vector<std::int64_t>& sizes,
                                  int activation) {
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
  return network;
}

template <class T>
twolayer::Network<T> make_network(Generator& generator, const std::vector<std::int64_t>& sizes,
                                  int activation, const Samples& samples) {
  auto network = make_network<T>(generator, sizes, activation);
  if (samples.type == twolayer::ElementType::uint8) {
    for (std::int64_t d = 0; d < sizes.front(); ++d) {
      network.normalize(d, 127.5, 0x1p-7);
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
inline std::vector<double> weights_of(Generator& generator, std::int64_t count) {
  std::vector<double> weights;
  for (std::int64_t n = 0; n < count; ++n) {
    weights.push_back(generator.below(8) == 0 ? 0 : 1 + generator.uniform());
  }
  return weights;
}

// A few permutations of all rows, one after the other, cut to `length`.
inline std::vector<std::int64_t> shuffled_rows(Generator& generator, std::int64_t count,
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

inline twolayer::OptimizerOptions optimizer_of(const std::string& name, double weight_decay) {
  twolayer::OptimizerOptions options{twolayer::optimizer_by_name(name), {}};
  for (const std::string& of : twolayer::hyperparameters_of(options.kind)) {
    options.hyperparameters.push_back(of == "weight_decay" ? weight_decay
                                      : of == "beta2"      ? 0.999
                                      : of == "epsilon"    ? 1e-8
                                                           : 0.9);
  }
  return options;
}

inline double rate_of(const std::string& optimizer) {
  return optimizer == "adam" || optimizer == "adamw" ? 0x1p-9 : 0x1p-5;
}

inline twolayer::LossOptions cross_entropy(double smoothing = 0) { return {0, 1, smoothing}; }

// Of images of one channel.
inline twolayer::Augmentation augmentation_of(std::int64_t height, std::int64_t width,
                                              std::int64_t shift, std::int64_t cutout) {
  return {1, height, width, twolayer::Augmentation::Flip::at_random, shift, cutout, 0};
}

}  // namespace problems
