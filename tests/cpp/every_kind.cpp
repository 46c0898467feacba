#include "every_kind.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "allocations.hpp"
#include "core/inference.hpp"
#include "kernels/losses/all.hpp"
#include "kernels/optimizers/all.hpp"
#include "problems.hpp"

namespace {

using namespace problems;
using twolayer::Losses;

constexpr std::int64_t batch_size = 100;
constexpr std::int64_t count = 250;  // the last batch is short
const std::vector<std::int64_t> sizes = {97, 65, 33, 6};

// A matrix in the memory of one type of element, row-major without gaps.
struct Plain {
  std::int64_t rows;
  std::int64_t columns;
  ElementType type;
  std::vector<unsigned char> bytes;

  Plain(std::int64_t rows, std::int64_t columns, ElementType type)
      : rows(rows), columns(columns), type(type) {
    bytes.resize(index(rows * columns * twolayer::element_size(type)));
  }
  template <class Element>
  void set(std::int64_t i, Element value) {
    std::memcpy(bytes.data() + i * std::int64_t{sizeof value}, &value, sizeof value);
  }
};

// Of the type's whole range, or in (-2, 2); most are zeros.
Plain random_inputs(Generator& generator, ElementType type) {
  Plain plain(count, sizes.front(), type);
  twolayer::with_element(type, [&]<class Element>() {
    for (std::int64_t i = 0; i < plain.rows * plain.columns; ++i) {
      const bool zero = generator.below(4) != 0;
      const std::uint64_t bits = generator.bits();
      if (zero) continue;
      if constexpr (std::is_same_v<Element, twolayer::Half>) {
        plain.set(i, twolayer::Half{static_cast<std::uint16_t>(bits & 0xbfffu)});
      } else if constexpr (std::is_integral_v<Element>) {
        plain.set(i, static_cast<Element>(bits));
      } else {
        plain.set(i, static_cast<Element>(static_cast<double>(bits >> 43) * 0x1p-20 - 1));
      }
    }
  });
  return plain;
}

// These numbers, which are 0, 1, 2 or 3.
Plain of_small_numbers(const std::vector<std::int64_t>& numbers, std::int64_t columns,
                       ElementType type) {
  Plain plain(static_cast<std::int64_t>(numbers.size()) / columns, columns, type);
  twolayer::with_element(type, [&]<class Element>() {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if constexpr (std::is_same_v<Element, twolayer::Half>) {
        constexpr std::uint16_t halves[] = {0, 0x3c00, 0x4000, 0x4200};
        plain.set(static_cast<std::int64_t>(i), twolayer::Half{halves[numbers[i]]});
      } else {
        plain.set(static_cast<std::int64_t>(i), static_cast<Element>(numbers[i]));
      }
    }
  });
  return plain;
}

enum class Order { rows, columns, backwards, sparse };

// The same matrix in another order. Its memory ends with its last element.
struct Matrix {
  std::vector<unsigned char> bytes;
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> columns;
  twolayer::Source source;

  Matrix(const Plain& from, Order order) {
    const std::int64_t size = twolayer::element_size(from.type);
    if (order == Order::sparse) {
      take_what_is_not_zero(from, size);
      source = {bytes.data(), from.type, 0, size, starts.data(), columns.data()};
      return;
    }
    std::int64_t row = (from.columns + 3) * size;
    std::int64_t column = size;
    std::int64_t first = 0;
    if (order == Order::columns) {
      row = size;
      column = (from.rows + 1) * size;
    } else if (order == Order::backwards) {
      row = -from.columns * size;
      column = -size;
      first = (from.rows * from.columns - 1) * size;
    }
    const std::int64_t last = first + (from.rows - 1) * row + (from.columns - 1) * column;
    bytes.resize(index(std::max(first, last) + size));
    for (std::int64_t r = 0; r < from.rows; ++r) {
      for (std::int64_t c = 0; c < from.columns; ++c) {
        std::memcpy(bytes.data() + first + r * row + c * column,
                    from.bytes.data() + (r * from.columns + c) * size, index(size));
      }
    }
    source = {bytes.data() + first, from.type, row, column};
  }
  Matrix(const Matrix&) = delete;

 private:
  void take_what_is_not_zero(const Plain& from, std::int64_t size) {
    for (std::int64_t r = 0; r < from.rows; ++r) {
      for (std::int64_t c = 0; c < from.columns; ++c) {
        const auto element = from.bytes.begin() + (r * from.columns + c) * size;
        if (std::all_of(element, element + size, [](unsigned char byte) { return byte == 0; })) {
          continue;
        }
        bytes.insert(bytes.end(), element, element + size);
        columns.push_back(static_cast<std::int32_t>(c));
      }
      starts.push_back(static_cast<std::int64_t>(columns.size()));
    }
  }
};

template <class T>
twolayer::Buffer<T> row_of(const std::vector<double>& values) {
  twolayer::Buffer<T> row(twolayer::padded(static_cast<std::int64_t>(values.size())));
  std::transform(values.begin(), values.end(), row.data(),
                 [](double value) { return static_cast<T>(value); });
  return row;
}

// One problem: over the turns each kind occurs, with many others.
template <class Type>
class Kind {
 public:
  using T = Number<Type>;

  Kind(Generator& generator, std::int64_t turn, int threads)
      : turn_(turn),
        threads_(threads),
        outputs_(sizes.back()),
        loss_(loss_of(turn)),
        optimizer_(Optimizers::names[turn % Optimizers::size]),
        inputs_(random_inputs(generator, type_of(3 * turn + turn / 7))),
        start_(network_of(generator, inputs_.type, turn)),
        weights_(weights_of(generator, count)),
        order_(shuffled_rows(generator, count, count)) {
    const bool classes = loss_.kind == Losses::index_of<twolayer::Logistic>();
    for (std::int64_t i = 0; i < count * outputs_ / loss_.levels; ++i) {
      numbers_.push_back(generator.below(classes ? 2 : 4));
    }
    for (std::int64_t n = 0; n < count; ++n) labels_.push_back(generator.below(outputs_));
    for (std::int64_t i = 0; i < count * outputs_; ++i) {
      doutputs_.push_back(static_cast<T>(generator.uniform()));
    }
    techniques_.batch_norm = turn % 4 == 3;
    if (turn % 5 == 2) techniques_.dropout = {0.25, 0.5};
    if (turn % 6 == 5) techniques_.clip_norm = 0x1p-1;
    techniques_.seed = generator.bits();
  }

  void add_to(Hash& hash) const {
    const Matrix targets(of_small_numbers(numbers_, outputs_ / loss_.levels, type_of(turn_ / 2)),
                         Order{static_cast<int>(turn_ % 3)});
    constexpr bool exact = !std::is_same_v<Type, problems::Bfloat16>;
    const bool sparse = exact && !centred(turn_);
    std::vector<unsigned long long> trained;
    for (const Order order : {Order::rows, Order::columns, Order::backwards, Order::sparse}) {
      if (order == Order::sparse && !sparse) continue;
      const Matrix x(inputs_, order);
      trained.push_back(train(data_of(x, targets)));
    }
    hash.add(trained.data(), 1);
    for (const auto other : trained) require(other == trained.front(), "rows in another order");

    const Matrix x(inputs_, Order{static_cast<int>(turn_ % (sparse ? 4 : 3))});
    const twolayer::Data data = data_of(x, targets);
    const unsigned long long halves = train_in_halves(data);
    hash.add(&halves, 1);
    if (loss_.kind == Losses::index_of<twolayer::SquaredError>()) {
      require(halves == parameters_after_training_, "a step in two halves");
    }
    if constexpr (exact) {
      add_inference(hash, data);
      add_gradients(hash, data);
    }
  }

 private:
  static ElementType type_of(std::int64_t i) { return ElementType{static_cast<int>(i % 7)}; }

  // Sparse rows are not.
  static bool centred(std::int64_t turn) { return turn % 3 == 2; }

  static twolayer::LossOptions loss_of(std::int64_t turn) {
    twolayer::LossOptions loss{static_cast<int>(turn % Losses::size)};
    if (loss.kind == Losses::index_of<twolayer::CrossEntropy>()) {
      loss.smoothing = turn % 2 == 0 ? 0 : 0x1p-4;
      return loss;
    }
    loss.levels = 1 + turn / 7 % 3;
    if (loss.kind == Losses::index_of<twolayer::Logistic>()) {
      loss.smoothing = turn % 2 == 0 ? 0 : 0x1p-4;
      return loss;
    }
    loss.parameters = {0.125, 0.25, 0.375, 0.5, 0.625, 0.875};
    if (turn % 3 == 0) loss.score_scale = {0.5, 0.25, 0.125, 0.0625, 1, 2};
    return loss;
  }

  static twolayer::Network<T> network_of(Generator& generator, ElementType type,
                                         std::int64_t turn) {
    auto network = make_network<T>(generator, sizes, static_cast<int>(turn % Activations::size));
    double shift = 0.25;
    double scale = 1;
    twolayer::with_element(type, [&]<class Element>() {
      if constexpr (std::is_integral_v<Element>) {
        scale = sizeof(Element) == 1 ? 0x1p-7 : 0x1p-15;
        shift = std::is_signed_v<Element> ? 1 : 1 / scale;
      }
    });
    if (!centred(turn)) shift = 0;
    for (std::int64_t d = 0; d < sizes.front(); ++d) {
      network.normalize(d, shift, scale);
    }
    const std::int64_t loss = turn % Losses::size;
    if (turn % 2 == 1 && loss != Losses::index_of<twolayer::CrossEntropy>() &&
        loss != Losses::index_of<twolayer::Logistic>()) {
      network.output_scale = row_of<T>({0.75, 0.5, 1.5, 1.25, 0.875, 1});
      network.output_shift = row_of<T>({0.5, 0, 1, -0.25, 0.125, 0.75});
    }
    return network;
  }

  void require(bool same, const char* what) const {
    if (same) return;
    throw std::runtime_error(std::string("turn ") + std::to_string(turn_) + ", " + Type::name +
                             ": other bits with " + what);
  }

  twolayer::Data data_of(const Matrix& x, const Matrix& targets) const {
    twolayer::Data data{x.source};
    if (loss_.kind == Losses::index_of<twolayer::CrossEntropy>()) {
      data.labels = labels_.data();
    } else {
      data.targets = targets.source;
    }
    if (turn_ % 3 == 1) data.weights = weights_.data();
    return data;
  }

  twolayer::Rows rows() const { return {turn_ % 7 == 0 ? nullptr : order_.data(), 0, count}; }
  double reg() const { return turn_ % 2 == 0 ? 0x1p-8 : 0; }
  double rate() const {
    return optimizer_ == "sgd" || optimizer_ == "momentum" || optimizer_ == "nesterov" ? 0x1p-7
                                                                                       : 0x1p-10;
  }
  Trainer<Type> trainer(const twolayer::Network<T>& network) const {
    return {network,
            {optimizer_of(optimizer_, 0x1p-8), reg(), loss_, techniques_, batch_size, threads_}};
  }

  unsigned long long train(const twolayer::Data& data) const {
    twolayer::Network<T> network(start_);
    auto trainer = this->trainer(network);
    const std::vector<double> rates(3, rate());
    std::vector<double> losses(3);
    const auto done = trainer.run(network, data, rows(), rates.data(), losses.data(), never);
    if (done.steps != 3) throw std::runtime_error("training stopped early");
    trainer.publish(network);
    Hash parameters;
    add_parameters(parameters, network);
    parameters_after_training_ = parameters.value();
    Hash hash;
    hash.add(losses.data(), losses.size());
    hash.add(&done.scores, 1);
    hash.add(&parameters_after_training_, 1);

    const auto allocated = [&](std::int64_t length) {
      const std::int64_t before = allocations();
      trainer.run(network, data, rows().slice(0, length), rates.data(), losses.data(), never);
      return allocations() - before;
    };
    // A larger team may find helpers in one call and, on a busy machine, none in the other.
    if (threads_ == 1 && allocated(batch_size) != allocated(count)) {
      throw std::runtime_error("a step allocated");
    }
    return hash.value();
  }

  // The same steps with the mean of squared errors computed here; returns a hash of the parameters.
  unsigned long long train_in_halves(const twolayer::Data& data) const {
    twolayer::Network<T> network(start_);
    auto trainer = this->trainer(network);
    std::vector<T> outputs(index(batch_size * outputs_));
    std::vector<T> losses(index(batch_size));
    for (std::int64_t begin = 0; begin < count; begin += batch_size) {
      const auto batch = rows().slice(begin, std::min(batch_size, count - begin));
      trainer.begin(network, data, batch, outputs.data());
      for (std::int64_t n = 0; n < batch.count; ++n) {
        const std::int64_t row = batch.numbers != nullptr ? batch.numbers[n] : batch.first + n;
        T sum = 0;
        for (std::int64_t k = 0; k < outputs_; ++k) {
          T& z = outputs[index(n * outputs_ + k)];
          const T d = z - static_cast<T>(numbers_[index((row * outputs_ + k) / loss_.levels)]);
          sum += d * d;
          z = (d + d) / static_cast<T>(outputs_);
        }
        losses[index(n)] = sum / static_cast<T>(outputs_);
      }
      trainer.finish(network, data, batch, losses.data(), outputs.data(), rate());
    }
    trainer.publish(network);
    Hash hash;
    add_parameters(hash, network);
    return hash.value();
  }

  void add_inference(Hash& hash, const twolayer::Data& data) const {
    std::vector<T> values(index(count * outputs_));
    const twolayer::Data inputs{data.x};
    const twolayer::Rows all = rows();
    twolayer::Spare<twolayer::Exact<T>> spare;
    twolayer::outputs<twolayer::Exact<T>>({start_, inputs, all, loss_, threads_}, spare, never,
                                          values.data());
    hash.add(values.data(), values.size());
    twolayer::predictions<twolayer::Exact<T>>({start_, inputs, all, loss_, threads_}, spare, never,
                                              values.data());
    hash.add(values.data(), values.size());
    const auto score =
        *twolayer::evaluate<twolayer::Exact<T>>({start_, data, all, loss_, threads_}, spare, never);
    hash.add(&score.loss, 1);
    hash.add(&score.score, 1);
  }

  void add_gradients(Hash& hash, const twolayer::Data& data) const {
    const auto add = [&](const twolayer::Gradients<T>& gradients) {
      for (std::size_t l = 0; l < gradients.layers.size(); ++l) {
        const auto& of_layer = gradients.layers[l];
        add_layer(hash, of_layer.weights.data(), of_layer.bias.data(), sizes[l], sizes[l + 1]);
      }
    };
    std::vector<std::vector<T>> gammas;
    if (techniques_.batch_norm) gammas = {std::vector<T>(65, T(0.75)), std::vector<T>(33, T(1.25))};
    const auto [loss, gradients] = *twolayer::loss_and_gradients<T>(
        start_, data, rows(), loss_, reg(), threads_, techniques_, gammas, never);
    hash.add(&loss, 1);
    add(gradients);
    add(*twolayer::gradients_of_outputs<T>(start_, data, rows(), doutputs_.data(), threads_,
                                           never));
  }

  std::int64_t turn_;
  int threads_;
  std::int64_t outputs_;
  twolayer::LossOptions loss_;
  std::string optimizer_;
  twolayer::Techniques techniques_;
  Plain inputs_;
  twolayer::Network<T> start_;
  std::vector<double> weights_;
  std::vector<std::int64_t> order_;
  std::vector<std::int64_t> numbers_;  // the targets, (count, outputs / levels)
  std::vector<std::int64_t> labels_;
  std::vector<T> doutputs_;
  mutable unsigned long long parameters_after_training_ = 0;
};

}  // namespace

void print_kinds(int threads) {
  constexpr std::int64_t turns = 42;
  Generator generator(4);
  Hash exact;
  Hash bfloat16;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    if ((turn + turn / Activations::size) % 2 == 0) {
      Kind<Float32>(generator, turn, threads).add_to(exact);
    } else {
      Kind<Float64>(generator, turn, threads).add_to(exact);
    }
    if (turn % 3 == 0) Kind<problems::Bfloat16>(generator, turn, threads).add_to(bfloat16);
  }
  std::printf("exact threads %d %016llx\n", threads, exact.value());
  std::printf("bfloat16 threads %d %016llx\n", threads, bfloat16.value());
}
