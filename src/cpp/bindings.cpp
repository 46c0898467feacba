// The compiled module _core: checks shapes and types, releases the GIL, calls the core. The only
// file that includes pybind11. Values (labels in range, finite inputs, positive sizes) are checked
// by the Python layer, which can say it in the user's words.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/bfloat16.hpp"
#include "core/dispatch.hpp"
#include "core/inference.hpp"
#include "core/network.hpp"
#include "core/probe.hpp"
#include "core/threads.hpp"
#include "core/trainer.hpp"

namespace py = pybind11;

namespace twolayer {
namespace {

// No conversions: what does not fit is an error, never a silent copy.
template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Indices = Array<std::int64_t>;

template <class T>
using NetworkPointer = std::shared_ptr<Network<T>>;
using AnyNetwork = std::variant<NetworkPointer<float>, NetworkPointer<double>>;
using Bfloat16Trainer = Trainer<float, Bfloat16Workspace>;
using AnyTrainer = std::variant<std::unique_ptr<Trainer<float>>, std::unique_ptr<Trainer<double>>,
                                std::unique_ptr<Bfloat16Trainer>>;

void require(bool condition, const char* message) {
  if (!condition) throw py::value_error(message);
}

template <class Names, class Value = typename Names::value_type::second_type>
Value by_name(const Names& names, const std::string& name, const char* argument) {
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  throw py::value_error(std::string(argument) + ": unknown name '" + name + "'");
}

const std::vector<std::pair<std::string, Activation>> activations = {
    {"identity", Activation::identity},
    {"relu", Activation::relu},
    {"tanh", Activation::tanh},
    {"logistic", Activation::logistic},
};

OptimizerKind optimizer_kind(const std::string& name, double momentum, bool nesterov) {
  const std::vector<std::pair<std::string, OptimizerKind>> optimizers = {
      {"sgd", momentum == 0 ? OptimizerKind::sgd
              : nesterov    ? OptimizerKind::nesterov
                            : OptimizerKind::momentum},
      {"adam", OptimizerKind::adam},
      {"adamw", OptimizerKind::adamw},
  };
  return by_name(optimizers, name, "optimizer");
}

ElementType element_type(const py::array& x) {
  if (py::isinstance<py::array_t<std::uint8_t>>(x)) return ElementType::uint8;
  if (py::isinstance<py::array_t<float>>(x)) return ElementType::float32;
  if (py::isinstance<py::array_t<double>>(x)) return ElementType::float64;
  throw py::type_error("x: element type must be uint8, float32 or float64");
}

// The arrays outlive the call that these views are made for, since the caller holds them; so their
// memory may be read with the GIL released.
Data view(const py::array& x, const Indices* y, std::int64_t inputs) {
  require(x.ndim() == 2 && x.shape(1) == inputs, "x: shape must be (N, inputs of the network)");
  require(x.shape(1) <= 1 || x.strides(1) == x.itemsize(), "x: rows must be contiguous");
  if (y != nullptr) {
    require(y->ndim() == 1 && y->shape(0) == x.shape(0), "y: shape must be (N,)");
  }
  return {x.data(), element_type(x), x.strides(0), y != nullptr ? y->data() : nullptr};
}

Rows select(const py::array& x, const std::optional<Indices>& rows) {
  if (!rows) return {nullptr, 0, x.shape(0)};
  require(rows->ndim() == 1, "rows: shape must be (n,)");
  for (py::ssize_t i = 0; i < rows->shape(0); ++i) {
    require(rows->data()[i] >= 0 && rows->data()[i] < x.shape(0),
            "rows: numbers must be in [0, N)");
  }
  return {rows->data(), 0, rows->shape(0)};
}

void require_labels(const Indices& y, std::int64_t classes) {
  for (py::ssize_t i = 0; i < y.shape(0); ++i) {
    require(y.data()[i] >= 0 && y.data()[i] < classes, "y: labels must be in [0, classes)");
  }
}

// One finite number a row of x, not negative.
const double* weights_of(const py::array& x, const std::optional<Array<double>>& weights) {
  if (!weights) return nullptr;
  require(weights->ndim() == 1 && weights->shape(0) == x.shape(0), "weights: shape must be (N,)");
  return weights->data();
}

Augmentation augmentation(const std::array<std::int64_t, 3>& image_shape, Augmentation::Flip flip,
                          std::int64_t shift, std::int64_t cutout, std::int64_t inputs) {
  const auto [channels, height, width] = image_shape;
  require(channels >= 1 && height >= 1 && width >= 1 && channels <= inputs && height <= inputs &&
              width <= inputs && channels * height * width == inputs,
          "image_shape: must be (channels, height, width) of the network's inputs");
  require(0 <= shift && shift < std::min(height, width), "shift: must be less than the image");
  require(0 <= cutout && cutout <= std::max(height, width), "cutout: must be within the image");
  require(height <= 4096 && width <= 4096, "image_shape: at most 4096 pixels a side");
  return {channels, height, width, flip, shift, cutout, 0};
}

// image_shape, whether to mirror at random, pixels to shift, side of the cutout
using AugmentOptions = std::tuple<std::array<std::int64_t, 3>, bool, std::int64_t, std::int64_t>;

Techniques techniques(const std::vector<double>& dropout, bool batch_norm, double label_smoothing,
                      double clip_norm, const std::optional<AugmentOptions>& augment,
                      std::uint64_t seed, const std::vector<std::int64_t>& layer_sizes) {
  require(dropout.empty() || dropout.size() + 2 == layer_sizes.size(),
          "dropout: one number a hidden layer, or none");
  for (const double share : dropout) {
    require(share >= 0 && share <= 0.999, "dropout: must be in [0, 0.999]");
  }
  require(label_smoothing >= 0 && label_smoothing < 1, "label_smoothing: must be in [0, 1)");
  require(clip_norm >= 0, "clip_norm: must not be negative");
  Techniques result{dropout, batch_norm, label_smoothing, clip_norm, augment.has_value(), {}, seed};
  if (augment) {
    const auto& [image_shape, flip, shift, cutout] = *augment;
    result.augmentation =
        augmentation(image_shape, flip ? Augmentation::Flip::at_random : Augmentation::Flip::never,
                     shift, cutout, layer_sizes.front());
  }
  return result;
}

// Lets Ctrl-C through in a long step. What the handler raised is kept, to be raised again by the
// caller once no thread is at work.
class SignalCheck {
 public:
  bool operator()() {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() == 0) return false;
    error_.emplace();
    return true;
  }
  void raise() {
    if (error_) throw py::error_already_set(std::move(*error_));
  }

 private:
  std::optional<py::error_already_set> error_;
};

template <class T>
py::tuple layer_arrays(std::int64_t inputs, std::int64_t outputs, const T* weights, const T* bias) {
  Array<T> w({inputs, outputs});
  Array<T> b(outputs);
  from_panels(weights, inputs, outputs, w.mutable_data());
  from_panels(bias, 1, outputs, b.mutable_data());
  return py::make_tuple(std::move(w), std::move(b));
}

class BoundNetwork {
 public:
  BoundNetwork(std::vector<std::int64_t> sizes, const std::string& activation,
               const std::string& dtype) {
    require(sizes.size() >= 2, "layer_sizes: at least inputs and classes");
    for (const std::int64_t size : sizes) require(size >= 1, "layer_sizes: must be positive");
    const Activation kind = by_name(activations, activation, "activation");
    if (dtype == "float32") {
      network_ = std::make_shared<Network<float>>(std::move(sizes), kind);
    } else if (dtype == "float64") {
      network_ = std::make_shared<Network<double>>(std::move(sizes), kind);
    } else {
      throw py::value_error("dtype: must be 'float32' or 'float64'");
    }
  }

  const AnyNetwork& any() const { return network_; }

  template <class Body>
  auto visit(const Body& body) const {
    return std::visit([&](const auto& network) { return body(*network); }, network_);
  }

  std::int64_t inputs() const {
    return visit([](const auto& network) { return network.sizes.front(); });
  }

  py::tuple layer_sizes() const {
    return visit([](const auto& network) { return py::tuple(py::cast(network.sizes)); });
  }

  std::string activation() const {
    const Activation kind = visit([](const auto& network) { return network.activation; });
    for (const auto& [name, value] : activations) {
      if (value == kind) return name;
    }
    return {};
  }

  std::string dtype() const { return network_.index() == 0 ? "float32" : "float64"; }

  void set_normalization(const Array<double>& shift, const Array<double>& scale) {
    require(shift.ndim() == 1 && shift.shape(0) == inputs(), "shift: shape must be (inputs,)");
    require(scale.ndim() == 1 && scale.shape(0) == inputs(), "scale: shape must be (inputs,)");
    visit([&](auto& network) {
      using T = std::remove_reference_t<decltype(network.shift.data()[0])>;
      for (std::int64_t i = 0; i < inputs(); ++i) {
        network.shift.data()[i] = static_cast<T>(shift.at(i));
        network.inverse_scale.data()[i] = static_cast<T>(1 / scale.at(i));
      }
      ++network.version;
    });
  }

  py::tuple layer(std::size_t index) const {
    return visit([&](const auto& network) {
      const auto& layer = network.layers.at(index);
      return layer_arrays(layer.inputs, layer.outputs, layer.weights.data(), layer.bias.data());
    });
  }

  void set_layer(std::size_t index, const py::array& weights, const py::array& bias) {
    visit([&](auto& network) {
      using T = std::remove_reference_t<decltype(network.shift.data()[0])>;
      auto& layer = network.layers.at(index);
      require(py::isinstance<Array<T>>(weights) && weights.ndim() == 2 &&
                  weights.shape(0) == layer.inputs && weights.shape(1) == layer.outputs,
              "weights: must be C-contiguous, of the layer's shape and the network's dtype");
      require(py::isinstance<Array<T>>(bias) && bias.ndim() == 1 && bias.shape(0) == layer.outputs,
              "bias: must be C-contiguous, of the layer's shape and the network's dtype");
      to_panels(static_cast<const T*>(weights.data()), layer.inputs, layer.outputs,
                layer.weights.data());
      to_panels(static_cast<const T*>(bias.data()), 1, layer.outputs, layer.bias.data());
      ++network.version;
    });
  }

  py::array probabilities(const py::array& x, const std::optional<Indices>& rows, int threads,
                          const std::optional<std::array<std::int64_t, 3>>& mirrored_as) const {
    const Data data = view(x, nullptr, inputs());
    const Rows chosen = select(x, rows);
    std::optional<Augmentation> change;
    if (mirrored_as)
      change = augmentation(*mirrored_as, Augmentation::Flip::always, 0, 0, inputs());
    return visit([&](const auto& network) -> py::array {
      using T = std::remove_const_t<std::remove_reference_t<decltype(network.shift.data()[0])>>;
      Array<T> result({chosen.count, network.sizes.back()});
      T* to = result.mutable_data();
      {
        py::gil_scoped_release release;
        predict_probabilities(network, data, chosen, threads, change, to);
      }
      return result;
    });
  }

  py::tuple evaluate(const py::array& x, const Indices& y, const std::optional<Indices>& rows,
                     int threads) const {
    const Data data = view(x, &y, inputs());
    const Rows chosen = select(x, rows);
    require(chosen.count > 0, "rows: at least one is needed");
    return visit([&](const auto& network) {
      require_labels(y, network.sizes.back());
      Score score;
      {
        py::gil_scoped_release release;
        score = twolayer::evaluate(network, data, chosen, threads);
      }
      return py::make_tuple(score.loss, score.correct);
    });
  }

  py::tuple gradients(const py::array& x, const Indices& y, double reg, int threads,
                      const std::vector<double>& dropout,
                      const std::optional<std::vector<py::array>>& gammas, double label_smoothing,
                      const std::optional<Array<double>>& weights, std::uint64_t seed) {
    Data data = view(x, &y, inputs());
    data.weights = weights_of(x, weights);
    const Rows rows{nullptr, 0, x.shape(0)};
    require(rows.count > 0, "x: at least one row is needed");
    return visit([&](auto& network) {
      using T = std::remove_reference_t<decltype(network.shift.data()[0])>;
      require_labels(y, network.sizes.back());
      const Techniques chosen = techniques(dropout, gammas.has_value(), label_smoothing, 0,
                                           std::nullopt, seed, network.sizes);
      std::vector<std::vector<T>> factors;
      if (gammas) {
        require(gammas->size() + 1 == network.layers.size(), "gammas: one a hidden layer");
        for (std::size_t l = 0; l < gammas->size(); ++l) {
          const py::array& gamma = (*gammas)[l];
          require(py::isinstance<Array<T>>(gamma) && gamma.ndim() == 1 &&
                      gamma.shape(0) == network.layers[l].outputs,
                  "gammas: must be of the hidden layers' sizes and the network's dtype");
          const T* from = static_cast<const T*>(gamma.data());
          factors.emplace_back(from, from + gamma.shape(0));
        }
      }
      SignalCheck check;
      auto result = [&] {
        py::gil_scoped_release release;
        return loss_and_gradients(network, data, rows, reg, threads, chosen, factors,
                                  std::ref(check));
      }();
      check.raise();
      py::list layers;
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        const auto& gradients = result->layers[l];
        const std::int64_t outputs = network.layers[l].outputs;
        py::tuple arrays = layer_arrays(network.layers[l].inputs, outputs, gradients.weights.data(),
                                        gradients.bias.data());
        if (gradients.gamma.size() > 0) {
          arrays = py::make_tuple(arrays[0], arrays[1], Array<T>(outputs, gradients.gamma.data()));
        }
        layers.append(std::move(arrays));
      }
      return py::make_tuple(result->loss, std::move(layers));
    });
  }

 private:
  AnyNetwork network_;
};

class BoundTrainer {
 public:
  BoundTrainer(const BoundNetwork& network, const std::string& optimizer, double momentum,
               bool nesterov, double beta1, double beta2, double epsilon, double weight_decay,
               double reg, std::int64_t batch_size, int threads,
               const std::optional<std::string>& compute_dtype, const std::vector<double>& dropout,
               bool batch_norm, double label_smoothing, double clip_norm,
               const std::optional<AugmentOptions>& augment, std::uint64_t seed)
      : network_(network.any()), batch_size_(batch_size) {
    require(batch_size >= 1, "batch_size: must be positive");
    require(threads >= 1, "threads: must be positive");
    const OptimizerOptions options{optimizer_kind(optimizer, momentum, nesterov),
                                   momentum,
                                   beta1,
                                   beta2,
                                   epsilon,
                                   weight_decay,
                                   reg};
    const Techniques chosen = network.visit([&](const auto& of) {
      return techniques(dropout, batch_norm, label_smoothing, clip_norm, augment, seed, of.sizes);
    });
    if (compute_dtype == "bfloat16") {
      const auto* pointer = std::get_if<NetworkPointer<float>>(&network_);
      require(pointer != nullptr, "compute_dtype: 'bfloat16' needs a network in float32");
      trainer_ = std::make_unique<Bfloat16Trainer>(**pointer, options, chosen, batch_size, threads);
      return;
    }
    require(!compute_dtype || compute_dtype == network.dtype(),
            "compute_dtype: must be the network's dtype, or 'bfloat16'");
    std::visit(
        [&](const auto& pointer) {
          using T = std::remove_reference_t<decltype(pointer->shift.data()[0])>;
          trainer_ = std::make_unique<Trainer<T>>(*pointer, options, chosen, batch_size, threads);
        },
        network_);
  }

  py::tuple run(const py::array& x, const Indices& y, const Indices& rows,
                const Array<double>& learning_rates, Array<double>& losses,
                const std::optional<Array<double>>& weights) {
    return std::visit(
        [&](const auto& trainer, const auto& network) -> py::tuple {
          if constexpr (fit_together<decltype(*trainer), decltype(*network)>) {
            Data data = view(x, &y, network->sizes.front());
            data.weights = weights_of(x, weights);
            const Rows chosen = select(x, rows);
            require_labels(y, network->sizes.back());
            const std::int64_t steps = (chosen.count + batch_size_ - 1) / batch_size_;
            require(losses.ndim() == 1 && losses.shape(0) >= steps,
                    "losses: one element a step is needed");
            require(learning_rates.ndim() == 1 && learning_rates.shape(0) >= steps,
                    "learning_rates: one element a step is needed");
            double* to = losses.mutable_data();
            SignalCheck check;
            Progress progress;
            {
              py::gil_scoped_release release;
              progress =
                  trainer->run(*network, data, chosen, learning_rates.data(), to, std::ref(check));
            }
            check.raise();
            return py::make_tuple(progress.steps, progress.correct);
          } else {
            throw std::logic_error("trainer and network differ in dtype");
          }
        },
        trainer_, network_);
  }

  void publish() const {
    std::visit(
        [](const auto& trainer, const auto& network) {
          if constexpr (fit_together<decltype(*trainer), decltype(*network)>) {
            const py::gil_scoped_release release;
            trainer->publish(*network);
          }
        },
        trainer_, network_);
  }

 private:
  template <class SomeTrainer, class SomeNetwork>
  static constexpr bool fit_together =
      std::is_invocable_v<decltype(&std::decay_t<SomeTrainer>::publish), SomeTrainer, SomeNetwork>;

  AnyNetwork network_;
  AnyTrainer trainer_;
  std::int64_t batch_size_;
};

void require_probe(int threads, double seconds) {
  require(threads >= 1, "threads: must be positive");
  require(seconds > 0 && seconds <= 60, "seconds: must be above 0 and at most 60");
}

double bound_multiply_add_peak(const std::string& dtype, int threads, double seconds) {
  require_probe(threads, seconds);
  const py::gil_scoped_release release;
  if (dtype == "float32") return multiply_add_peak<float>(threads, seconds) / 1e9;
  if (dtype == "float64") return multiply_add_peak<double>(threads, seconds) / 1e9;
  if (dtype == "bfloat16") return bfloat16_multiply_add_peak(threads, seconds) / 1e9;
  throw py::value_error("dtype: must be 'float32', 'float64' or 'bfloat16'");
}

double bound_read_bandwidth(int threads, double seconds) {
  require_probe(threads, seconds);
  const py::gil_scoped_release release;
  return read_bandwidth(threads, seconds) / 1e9;
}

py::dict build_info() {
  const Choice& choice = chosen_target();
  py::list targets;
  for (const Target* target : built_targets()) targets.append(target->name);
  py::dict info;
  info["compiler"] = TWOLAYER_COMPILER;
  info["flags"] = TWOLAYER_FLAGS;
  info["openmp"] = has_openmp();
  info["isa_built"] = py::tuple(targets);
  info["isa"] = choice.target->name;
  info["isa_reason"] = choice.reason;
  info["bfloat16"] = has_native_bfloat16() ? "native" : "emulated";
  return info;
}

}  // namespace
}  // namespace twolayer

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace twolayer;
  using py::arg;
  chosen_target();  // a wrong TWOLAYER_ISA fails the import, not the first call
  m.def("build_info", &build_info);
  m.def("default_threads", &default_threads);
  m.def("multiply_add_peak", &bound_multiply_add_peak, arg("dtype"), arg("threads"),
        arg("seconds"));
  m.def("read_bandwidth", &bound_read_bandwidth, arg("threads"), arg("seconds"));
  py::class_<BoundNetwork>(m, "Network")
      .def(py::init<std::vector<std::int64_t>, const std::string&, const std::string&>(),
           arg("layer_sizes"), arg("activation"), arg("dtype"))
      .def_property_readonly("layer_sizes", &BoundNetwork::layer_sizes)
      .def_property_readonly("activation", &BoundNetwork::activation)
      .def_property_readonly("dtype", &BoundNetwork::dtype)
      .def("set_normalization", &BoundNetwork::set_normalization, arg("shift").noconvert(),
           arg("scale").noconvert())
      .def("layer", &BoundNetwork::layer, arg("index"))
      .def("set_layer", &BoundNetwork::set_layer, arg("index"), arg("weights"), arg("bias"))
      .def("probabilities", &BoundNetwork::probabilities, arg("x"), arg("rows").noconvert(),
           arg("threads"), arg("mirrored_as") = py::none())
      .def("evaluate", &BoundNetwork::evaluate, arg("x"), arg("y").noconvert(),
           arg("rows").noconvert(), arg("threads"))
      .def("loss_and_gradients", &BoundNetwork::gradients, arg("x"), arg("y").noconvert(),
           arg("reg"), arg("threads"), py::kw_only(), arg("dropout") = std::vector<double>{},
           arg("gammas") = py::none(), arg("label_smoothing") = 0.0,
           arg("weights").noconvert() = py::none(), arg("seed") = 0);
  py::class_<BoundTrainer>(m, "Trainer")
      .def(py::init<const BoundNetwork&, const std::string&, double, bool, double, double, double,
                    double, double, std::int64_t, int, const std::optional<std::string>&,
                    const std::vector<double>&, bool, double, double,
                    const std::optional<AugmentOptions>&, std::uint64_t>(),
           arg("network"), py::kw_only(), arg("optimizer"), arg("momentum"), arg("nesterov"),
           arg("beta1"), arg("beta2"), arg("epsilon"), arg("weight_decay"), arg("reg"),
           arg("batch_size"), arg("threads"), arg("compute_dtype") = py::none(),
           arg("dropout") = std::vector<double>{}, arg("batch_norm") = false,
           arg("label_smoothing") = 0.0, arg("clip_norm") = 0.0, arg("augment") = py::none(),
           arg("seed") = 0)
      .def("run", &BoundTrainer::run, arg("x"), arg("y").noconvert(), arg("rows").noconvert(),
           arg("learning_rates").noconvert(), arg("losses").noconvert(),
           arg("weights").noconvert() = py::none())
      .def("publish", &BoundTrainer::publish);
}
