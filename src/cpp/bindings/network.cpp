#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <type_traits>

#include "../core/floating_point.hpp"
#include "../core/inference.hpp"
#include "../kernels/activations/all.hpp"
#include "register.hpp"

namespace twolayer {

namespace {

template <class Net>
using ScalarOf =
    std::remove_const_t<std::remove_reference_t<decltype(std::declval<Net&>().shift.data()[0])>>;

template <class T>
py::list gradient_arrays(const Network<T>& network, const Gradients<T>& gradients) {
  py::list layers;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const auto& of_layer = gradients.layers[l];
    const std::int64_t outputs = network.layers[l].outputs;
    py::tuple arrays = layer_arrays(network.layers[l].inputs, outputs, of_layer.weights.data(),
                                    of_layer.bias.data());
    if (of_layer.gamma.size() > 0) {
      arrays = py::make_tuple(arrays[0], arrays[1], Array<T>(outputs, of_layer.gamma.data()));
    }
    layers.append(std::move(arrays));
  }
  return layers;
}

// Whether the array is (rows, columns), or (columns,) of one row, and holds what the panels do.
template <class T>
bool same(const py::handle& array, std::int64_t rows, std::int64_t columns, const T* panels) {
  if (!py::isinstance<Array<T>>(array)) return false;
  const auto from = py::reinterpret_borrow<Array<T>>(array);
  const bool matrix = from.ndim() == 2 && from.shape(0) == rows && from.shape(1) == columns;
  const bool vector = rows == 1 && from.ndim() == 1 && from.shape(0) == columns;
  if (!matrix && !vector) return false;
  const T* values = from.data();
  for (std::int64_t begin = 0; begin < columns; begin += panel_width) {
    const auto bytes = static_cast<std::size_t>(std::min(panel_width, columns - begin)) * sizeof(T);
    for (std::int64_t r = 0; r < rows; ++r, panels += panel_width) {
      if (std::memcmp(values + r * columns + begin, panels, bytes) != 0) return false;
    }
  }
  return true;
}

}  // namespace

BoundNetwork::BoundNetwork(std::vector<std::int64_t> sizes, const std::string& activation,
                           const std::string& dtype) {
  require(sizes.size() >= 2, "layer_sizes: at least inputs and outputs");
  for (const std::int64_t size : sizes) require(size >= 1, "layer_sizes: must be positive");
  int kind = 0;
  while (kind < Activations::size && activation != Activations::names[kind]) ++kind;
  if (kind == Activations::size) {
    throw py::value_error("activation: unknown name '" + activation + "'");
  }
  if (dtype == "float32") {
    network_ = std::make_shared<Network<float>>(std::move(sizes), kind);
  } else if (dtype == "float64") {
    network_ = std::make_shared<Network<double>>(std::move(sizes), kind);
  } else {
    throw py::value_error("dtype: must be 'float32' or 'float64'");
  }
}

const std::vector<std::int64_t>& BoundNetwork::sizes() const {
  return std::visit(
      [](const auto& network) -> const std::vector<std::int64_t>& { return network->sizes; },
      network_);
}

std::string BoundNetwork::activation() const {
  return Activations::names[visit([](const auto& network) { return network.activation; })];
}

void BoundNetwork::set_normalization(const Array<double>& shift, const Array<double>& scale) {
  require(shift.ndim() == 1 && shift.shape(0) == inputs(), "shift: shape must be (inputs,)");
  require(scale.ndim() == 1 && scale.shape(0) == inputs(), "scale: shape must be (inputs,)");
  const FloatingPointMode mode;
  visit([&](auto& network) {
    for (std::int64_t i = 0; i < inputs(); ++i) network.normalize(i, shift.at(i), 1 / scale.at(i));
    ++network.version;
  });
}

void BoundNetwork::set_output_scaling(const Array<double>& shift, const Array<double>& scale) {
  require(shift.ndim() == 1 && shift.shape(0) == outputs(), "shift: shape must be (outputs,)");
  require(scale.ndim() == 1 && scale.shape(0) == outputs(), "scale: shape must be (outputs,)");
  const FloatingPointMode mode;
  visit([&](auto& network) {
    using T = ScalarOf<decltype(network)>;
    network.output_shift = Buffer<T>(padded(outputs()));
    network.output_scale = Buffer<T>(padded(outputs()));
    for (std::int64_t k = 0; k < outputs(); ++k) {
      network.output_shift.data()[k] = static_cast<T>(shift.at(k));
      network.output_scale.data()[k] = static_cast<T>(scale.at(k));
    }
    ++network.version;
  });
}

py::tuple BoundNetwork::layer(std::size_t index) const {
  return visit([&](const auto& network) {
    const auto& layer = network.layers.at(index);
    return layer_arrays(layer.inputs, layer.outputs, layer.weights.data(), layer.bias.data());
  });
}

void BoundNetwork::set_layer(std::size_t index, const py::array& weights, const py::array& bias) {
  visit([&](auto& network) {
    auto& layer = network.layers.at(index);
    using T = ScalarOf<decltype(network)>;
    require(py::isinstance<Array<T>>(bias) && bias.ndim() == 1 && bias.shape(0) == layer.outputs,
            "bias: must be C-contiguous, of the layer's shape and the network's dtype");
    array_to_panels(weights, layer.inputs, layer.outputs, layer.weights,
                    "weights: must be C-contiguous, of the layer's shape and the network's dtype");
    array_to_panels(bias, 1, layer.outputs, layer.bias,
                    "bias: must be C-contiguous, of the layer's shape and the network's dtype");
    ++network.version;
  });
}

bool BoundNetwork::holds(const py::list& weights, const py::list& biases) const {
  return visit([&](const auto& network) {
    const std::size_t count = network.layers.size();
    if (weights.size() != count || biases.size() != count) return false;
    for (std::size_t l = 0; l < count; ++l) {
      const auto& layer = network.layers[l];
      if (!same(weights[l], layer.inputs, layer.outputs, layer.weights.data()) ||
          !same(biases[l], 1, layer.outputs, layer.bias.data())) {
        return false;
      }
    }
    return true;
  });
}

std::optional<Augmentation> BoundNetwork::mirroring(
    const std::optional<ImageShape>& mirrored_as) const {
  if (!mirrored_as) return std::nullopt;
  return augmentation(*mirrored_as, Augmentation::Flip::always, 0, 0, inputs());
}

py::object BoundNetwork::answer(const View& view, const Rows& rows, const LossOptions* loss,
                                bool largest, int threads,
                                const std::optional<Augmentation>& change, bool checked,
                                const std::optional<std::string>& compute_dtype) const {
  static const LossOptions none{0};
  const Data data{view.source};
  SignalCheck check;
  const auto ask = [&]<class P>(const auto& network) -> py::object {
    using T = typename P::Scalar;
    const Question<T> question{network, data,   rows,   loss != nullptr ? *loss : none,
                               threads, change, checked};
    Spare<P>& spare = std::get<Spare<P>>(spares_);
    const auto put = [&](auto result, const auto& ask_for) -> py::object {
      auto* to = result.mutable_data();
      Answer answer;
      {
        const GilReleased released;
        answer = ask_for(to);
      }
      check.raise();
      if (answer == Answer::not_finite) return py::none();
      return result;
    };
    const Interrupted interrupted = std::ref(check);
    if (largest) {
      return put(Array<std::int64_t>(rows.count), [&](std::int64_t* to) {
        return twolayer::largest<P>(question, spare, interrupted, to);
      });
    }
    return put(Array<T>({rows.count, outputs()}), [&](T* to) {
      return loss != nullptr ? twolayer::predictions<P>(question, spare, interrupted, to)
                             : twolayer::outputs<P>(question, spare, interrupted, to);
    });
  };
  return visit([&](const auto& network) {
    using T = ScalarOf<decltype(network)>;
    if (!compute_dtype) return ask.template operator()<Exact<T>>(network);
    if constexpr (std::is_same_v<T, float>) {
      require(*compute_dtype == "bfloat16" && view.source.starts == nullptr,
              "compute_dtype: must be None or 'bfloat16', which takes dense rows");
      return ask.template operator()<Bfloat16>(network);
    }
    throw py::value_error("compute_dtype: with a network of float64; must be None");
  });
}

py::array BoundNetwork::forward(const py::object& x, const std::optional<Indices>& rows,
                                int threads, const std::optional<ImageShape>& mirrored_as,
                                const std::optional<std::string>& compute_dtype) const {
  const View view = rows_view(x, inputs(), "x");
  return answer(view, select(view, rows), nullptr, false, threads, mirroring(mirrored_as), false,
                compute_dtype);
}

py::array BoundNetwork::predictions(const py::object& x, const std::optional<Indices>& rows,
                                    const LossOptions& loss, int threads,
                                    const std::optional<ImageShape>& mirrored_as,
                                    const std::optional<std::string>& compute_dtype) const {
  const View view = rows_view(x, inputs(), "x");
  require_fits(loss, outputs());
  return answer(view, select(view, rows), &loss, false, threads, mirroring(mirrored_as), false,
                compute_dtype);
}

// The quick way for arrays that can be read as they are, which looks at their values on the way:
// None where there is more to say about x.
py::object BoundNetwork::infer(const py::object& x, const LossOptions* loss, bool largest,
                               int threads, const std::optional<std::string>& compute_dtype) const {
  if (!py::isinstance<py::array>(x)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (array.ndim() != 2 || array.shape(0) < 1 || array.shape(1) != inputs()) return py::none();
  View view;
  try {
    view = rows_view(x, inputs(), "x");
  } catch (const py::builtin_exception&) {
    return py::none();
  }
  if (array.dtype().kind() == 'f' &&
      (array.itemsize() == 2 || view.source.column_stride != array.itemsize())) {
    return py::none();
  }
  if (loss != nullptr) require_fits(*loss, outputs());
  const Rows all{nullptr, 0, view.count};
  if (threads == 0) {
    const bool small =
        visit([&](const auto& network) { return useful_threads(network, view.count, 2) == 1; });
    threads = small ? 1 : default_threads();
  }
  return answer(view, all, loss, largest, threads, std::nullopt, true, compute_dtype);
}

py::tuple BoundNetwork::evaluate(const py::object& x, const py::object& targets,
                                 const std::optional<Indices>& rows, const LossOptions& loss,
                                 int threads) const {
  const View view = rows_view(x, inputs(), "x");
  const Rows chosen = select(view, rows);
  Data data{view.source};
  put_targets(data, targets, view, chosen, loss, outputs());
  require(chosen.count > 0, "rows: at least one is needed");
  require(!targets.is_none(), "targets: needed");
  return visit([&](const auto& network) {
    using T = ScalarOf<decltype(network)>;
    SignalCheck check;
    std::optional<Score> score;
    {
      const GilReleased released;
      score = twolayer::evaluate<Exact<T>>({network, data, chosen, loss, threads},
                                           std::get<Spare<Exact<T>>>(spares_), std::ref(check));
    }
    check.raise();
    return py::make_tuple(score->loss, score->score);
  });
}

py::tuple BoundNetwork::loss_and_gradients(const py::object& x, const py::object& targets,
                                           const LossOptions& loss, double reg, int threads,
                                           const std::vector<double>& dropout,
                                           const std::optional<std::vector<py::array>>& gammas,
                                           const std::optional<Array<double>>& weights,
                                           std::uint64_t seed) const {
  const View view = rows_view(x, inputs(), "x");
  const Rows all = select(view, std::nullopt);
  Data data{view.source};
  put_targets(data, targets, view, all, loss, outputs());
  data.weights = weights_view(weights, view.count);
  require(view.count > 0, "x: at least one row is needed");
  require(!targets.is_none(), "targets: needed");
  const Techniques chosen = techniques(dropout, gammas.has_value(), 0, std::nullopt, seed, sizes());
  return visit([&](const auto& network) {
    using T = ScalarOf<decltype(network)>;
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
      const GilReleased released;
      return twolayer::loss_and_gradients<T>(network, data, all, loss, reg, threads, chosen,
                                             factors, std::ref(check));
    }();
    check.raise();
    return py::make_tuple(result->loss, gradient_arrays(network, result->gradients));
  });
}

py::list BoundNetwork::gradients(const py::object& x, const py::array& doutputs,
                                 int threads) const {
  const View view = rows_view(x, inputs(), "x");
  const Rows all = select(view, std::nullopt);
  require(view.count > 0, "x: at least one row is needed");
  return visit([&](const auto& network) {
    using T = ScalarOf<decltype(network)>;
    require(py::isinstance<Array<T>>(doutputs) && doutputs.ndim() == 2 &&
                doutputs.shape(0) == view.count && doutputs.shape(1) == outputs(),
            "doutputs: must be (N, outputs), C-contiguous and of the network's dtype");
    SignalCheck check;
    auto result = [&] {
      const auto* from = static_cast<const T*>(doutputs.data());
      const GilReleased released;
      return gradients_of_outputs<T>(network, Data{view.source}, all, from, threads,
                                     std::ref(check));
    }();
    check.raise();
    return gradient_arrays(network, *result);
  });
}

void register_network(py::module_& m) {
  using py::arg;
  py::class_<BoundNetwork>(m, "Network")
      .def(py::init<std::vector<std::int64_t>, const std::string&, const std::string&>(),
           arg("layer_sizes"), arg("activation"), arg("dtype"))
      .def_property_readonly(
          "layer_sizes",
          [](const BoundNetwork& network) { return py::tuple(py::cast(network.sizes())); })
      .def_property_readonly("activation", &BoundNetwork::activation)
      .def_property_readonly("dtype", &BoundNetwork::dtype)
      .def("set_normalization", &BoundNetwork::set_normalization, arg("shift").noconvert(),
           arg("scale").noconvert())
      .def("set_output_scaling", &BoundNetwork::set_output_scaling, arg("shift").noconvert(),
           arg("scale").noconvert())
      .def("layer", &BoundNetwork::layer, arg("index"))
      .def("set_layer", &BoundNetwork::set_layer, arg("index"), arg("weights"), arg("bias"))
      .def("holds", &BoundNetwork::holds, arg("weights"), arg("biases"))
      .def("forward", &BoundNetwork::forward, arg("x"), arg("rows").noconvert(), arg("threads"),
           arg("mirrored_as") = py::none(), arg("compute_dtype") = py::none())
      .def("predictions", &BoundNetwork::predictions, arg("x"), arg("rows").noconvert(),
           arg("loss"), arg("threads"), arg("mirrored_as") = py::none(),
           arg("compute_dtype") = py::none())
      .def("infer", &BoundNetwork::infer, arg("x"), arg("loss").none(true), arg("largest"),
           arg("threads"), arg("compute_dtype") = py::none())
      .def("evaluate", &BoundNetwork::evaluate, arg("x"), arg("targets"), arg("rows").noconvert(),
           arg("loss"), arg("threads"))
      .def("loss_and_gradients", &BoundNetwork::loss_and_gradients, arg("x"), arg("targets"),
           arg("loss"), arg("reg"), arg("threads"), py::kw_only(),
           arg("dropout") = std::vector<double>{}, arg("gammas") = py::none(),
           arg("weights").noconvert() = py::none(), arg("seed") = 0)
      .def("gradients", &BoundNetwork::gradients, arg("x"), arg("doutputs"), arg("threads"));
}

}  // namespace twolayer
