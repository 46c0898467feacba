#include "arguments.hpp"

#include <algorithm>
#include <type_traits>

#include "../kernels/losses/all.hpp"
#include "register.hpp"

namespace twolayer {

void require(bool condition, const char* message) {
  if (!condition) throw py::value_error(message);
}

namespace {

template <class Element>
constexpr char kind_of() {
  if constexpr (std::is_same_v<Element, Half> || std::is_floating_point_v<Element>) return 'f';
  return std::is_unsigned_v<Element> ? 'u' : 'i';
}

ElementType element_type(const py::array& x, const char* name) {
  const py::dtype type = x.dtype();
  const auto size = static_cast<std::size_t>(type.itemsize());
  if (type.byteorder() != '>') {
#define TWOLAYER_NAME(type_name, element) \
  if (type.kind() == kind_of<element>() && size == sizeof(element)) return ElementType::type_name;
    TWOLAYER_ELEMENT_TYPES(TWOLAYER_NAME)
#undef TWOLAYER_NAME
  }
  throw py::type_error(std::string(name) + ": rows of type " + type.kind() + std::to_string(size) +
                       " cannot be read");
}

View dense_view(const py::array& x, std::int64_t inputs, const char* name) {
  if (x.ndim() != 2 || x.shape(1) != inputs) {
    throw py::value_error(std::string(name) + ": shape must be (N, " + std::to_string(inputs) +
                          ")");
  }
  const py::ssize_t size = x.itemsize();
  const py::ssize_t columns = x.shape(1) > 1 ? x.strides(1) : size;
  if (x.strides(0) % size != 0 || columns % size != 0 ||
      reinterpret_cast<std::uintptr_t>(x.data()) % static_cast<std::uintptr_t>(size) != 0) {
    throw py::value_error(std::string(name) + ": elements must be aligned");
  }
  return {{x.data(), element_type(x, name), x.strides(0), columns}, x.shape(0)};
}

// Row n holds values[starts[n]] ... values[starts[n + 1] - 1]; not all values need belong to a row.
View sparse_view(const py::object& x, std::int64_t inputs, const char* name) {
  const std::string text(name);
  const py::object parts[] = {x.attr("values"), x.attr("columns"), x.attr("starts")};
  if (!py::isinstance<py::array>(parts[0]) || !py::isinstance<Array<std::int32_t>>(parts[1]) ||
      !py::isinstance<Indices>(parts[2])) {
    throw py::type_error(text + ": CSR rows are values, columns of int32 and starts of int64");
  }
  const auto values = py::reinterpret_borrow<py::array>(parts[0]);
  const auto columns = py::reinterpret_borrow<Array<std::int32_t>>(parts[1]);
  const auto starts = py::reinterpret_borrow<Indices>(parts[2]);
  const bool flat = values.ndim() == 1 && columns.ndim() == 1 && starts.ndim() == 1 &&
                    (values.size() < 2 || values.strides(0) == values.itemsize());
  if (!flat || columns.shape(0) != values.size() || starts.shape(0) < 1) {
    throw py::value_error(text + ": CSR rows whose lengths do not agree");
  }
  View view{{values.data(), element_type(values, name), 0, 0, starts.data(), columns.data()},
            starts.shape(0) - 1};
  view.stored = values.size();
  view.inputs = inputs;
  return view;
}

}  // namespace

View rows_view(const py::object& x, std::int64_t inputs, const char* name) {
  if (py::isinstance<py::array>(x)) {
    return dense_view(py::reinterpret_borrow<py::array>(x), inputs, name);
  }
  if (py::hasattr(x, "starts")) return sparse_view(x, inputs, name);
  throw py::type_error(std::string(name) + ": must be an array");
}

Rows select(const View& view, const std::optional<Indices>& numbers) {
  Rows rows{nullptr, 0, view.count};
  if (numbers) {
    require(numbers->ndim() == 1, "rows: shape must be (n,)");
    rows = {numbers->data(), 0, numbers->shape(0)};
  }
  for (std::int64_t i = 0; numbers && i < rows.count; ++i) {
    require(0 <= rows.numbers[i] && rows.numbers[i] < view.count,
            "rows: numbers must be in [0, N)");
  }
  for (std::int64_t i = 0; view.source.starts != nullptr && i < rows.count; ++i) {
    const std::int64_t* ends = view.source.starts + rows.number(i);
    require(0 <= ends[0] && ends[0] <= ends[1] && ends[1] <= view.stored,
            "x: CSR rows must lie within the values");
    std::int64_t least = 0;
    for (std::int64_t entry = ends[0]; entry < ends[1]; ++entry) {
      const std::int64_t column = view.source.columns[entry];
      require(least <= column && column < view.inputs, "x: CSR columns must ascend within a row");
      least = column + 1;
    }
  }
  return rows;
}

void put_targets(Data& data, const py::object& targets, const View& view, const Rows& rows,
                 const LossOptions& loss, std::int64_t outputs) {
  require_fits(loss, outputs);
  if (targets.is_none()) return;
  if (loss.kind != Losses::index_of<CrossEntropy>()) {
    const View values = rows_view(targets, outputs / loss.levels, "targets");
    require(values.count == view.count && values.source.starts == nullptr,
            "targets: must be dense, one row a row of x");
    data.targets = values.source;
    return;
  }
  if (!py::isinstance<Indices>(targets)) throw py::type_error("targets: labels must be int64");
  const auto labels = py::reinterpret_borrow<Indices>(targets);
  require(labels.ndim() == 1 && labels.shape(0) == view.count, "targets: shape must be (N,)");
  data.labels = labels.data();
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::int64_t label = data.labels[rows.number(i)];
    require(0 <= label && label < outputs, "targets: labels must be in [0, outputs)");
  }
}

const double* weights_view(const std::optional<Array<double>>& weights, std::int64_t count) {
  if (!weights) return nullptr;
  require(weights->ndim() == 1 && weights->shape(0) == count, "weights: shape must be (N,)");
  return weights->data();
}

void require_fits(const LossOptions& loss, std::int64_t outputs) {
  const auto one_each = [&](const std::vector<double>& values) {
    return values.empty() || static_cast<std::int64_t>(values.size()) == outputs;
  };
  require(outputs % loss.levels == 0, "loss: levels must divide the outputs");
  require(one_each(loss.parameters) && one_each(loss.score_scale),
          "loss: its numbers must be one an output");
}

Augmentation augmentation(const ImageShape& image_shape, Augmentation::Flip flip,
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

Techniques techniques(const std::vector<double>& dropout, bool batch_norm, double clip_norm,
                      const std::optional<AugmentOptions>& augment, std::uint64_t seed,
                      const std::vector<std::int64_t>& layer_sizes) {
  require(dropout.empty() || dropout.size() + 2 == layer_sizes.size(),
          "dropout: one number a hidden layer, or none");
  for (const double share : dropout) {
    require(share >= 0 && share <= 0.999, "dropout: must be in [0, 0.999]");
  }
  require(clip_norm >= 0, "clip_norm: must not be negative");
  Techniques result{dropout, batch_norm, clip_norm, augment.has_value(), {}, seed};
  if (augment) {
    const auto& [image_shape, flip, shift, cutout] = *augment;
    result.augmentation =
        augmentation(image_shape, flip ? Augmentation::Flip::at_random : Augmentation::Flip::never,
                     shift, cutout, layer_sizes.front());
  }
  return result;
}

OptimizerOptions optimizer_options(const std::string& name, const py::dict& hyperparameters) {
  const int kind = optimizer_by_name(name);
  if (kind < 0) throw py::value_error("optimizer: unknown name '" + name + "'");
  OptimizerOptions options{kind, {}};
  for (const std::string& wanted : hyperparameters_of(kind)) {
    if (!hyperparameters.contains(wanted.c_str())) {
      throw py::value_error("optimizer: " + name + " needs " + wanted);
    }
    options.hyperparameters.push_back(hyperparameters[wanted.c_str()].cast<double>());
  }
  require(hyperparameters.size() == options.hyperparameters.size(),
          "optimizer: a hyper-parameter that it does not have");
  return options;
}

void register_loss(py::module_& m) {
  py::class_<LossOptions>(m, "Loss")
      .def(py::init([](const std::string& name, std::int64_t levels, double smoothing,
                       std::vector<double> parameters, std::vector<double> score_scale,
                       double value_divisor, double gradient_divisor, double probability_floor) {
             for (int kind = 0; kind < Losses::size; ++kind) {
               if (name != Losses::names[kind]) continue;
               require(levels >= 1, "levels: must be positive");
               require(smoothing >= 0 && smoothing < 1, "smoothing: must be in [0, 1)");
               require(value_divisor >= 0 && gradient_divisor >= 0 && 0 <= probability_floor &&
                           probability_floor < 0.5,
                       "divisors: must not be negative; probability_floor: must be in [0, 0.5)");
               return LossOptions{kind,
                                  levels,
                                  smoothing,
                                  std::move(parameters),
                                  std::move(score_scale),
                                  value_divisor,
                                  gradient_divisor,
                                  probability_floor};
             }
             throw py::value_error("loss: unknown name '" + name + "'");
           }),
           py::arg("name"), py::kw_only(), py::arg("levels") = 1, py::arg("smoothing") = 0.0,
           py::arg("parameters") = std::vector<double>{},
           py::arg("score_scale") = std::vector<double>{}, py::arg("value_divisor") = 0.0,
           py::arg("gradient_divisor") = 0.0, py::arg("probability_floor") = 0.0)
      .def_property_readonly("name",
                             [](const LossOptions& loss) { return Losses::names[loss.kind]; });
}

}  // namespace twolayer
