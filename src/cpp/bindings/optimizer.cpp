#include "optimizer.hpp"

#include <memory>
#include <variant>

#include "../core/gradients.hpp"
#include "register.hpp"

namespace twolayer {

namespace {

// Calls visit(name, rows, columns, buffer) for every array of the state.
template <class T, class SomeOptimizer, class Visit>
void for_each_state(const Network<T>& network, SomeOptimizer& optimizer, const Visit& visit) {
  const std::vector<std::string> states = states_of(optimizer.options().kind);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::string number = std::to_string(l + 1);
    const std::int64_t inputs = network.layers[l].inputs;
    const std::int64_t outputs = network.layers[l].outputs;
    auto& of_layer = optimizer.layers[l];
    for (std::size_t s = 0; s < states.size(); ++s) {
      visit("W" + number + "." + states[s], inputs, outputs, of_layer.weights[s]);
      visit("b" + number + "." + states[s], 1, outputs, of_layer.bias[s]);
      if (s >= of_layer.gamma.size()) continue;
      visit("gamma" + number + "." + states[s], 1, outputs, of_layer.gamma[s]);
    }
  }
}

}  // namespace

template <class T>
py::dict optimizer_state(const Network<T>& network, const Optimizer<T>& optimizer) {
  py::dict state;
  state["steps"] = optimizer.steps;
  state["powers"] = py::make_tuple(optimizer.powers.of[0], optimizer.powers.of[1]);
  for_each_state(network, optimizer,
                 [&](const std::string& name, std::int64_t rows, std::int64_t columns,
                     const Buffer<T>& values) {
                   state[name.c_str()] = array_from_panels(values, rows, columns, name[0] != 'W');
                 });
  return state;
}

template <class T>
void set_optimizer_state(const Network<T>& network, const py::dict& state,
                         Optimizer<T>& optimizer) {
  std::size_t expected = 2;
  const auto item = [&](const std::string& name) {
    if (!state.contains(name.c_str())) throw py::value_error("state: " + name + " is missing");
    return state[name.c_str()];
  };
  const auto steps = item("steps").template cast<std::uint64_t>();
  const auto powers = item("powers").template cast<std::pair<double, double>>();
  Optimizer<T> replaced(network, optimizer.options(),
                        !optimizer.layers.empty() && !optimizer.layers[0].gamma.empty());
  for_each_state(
      network, replaced,
      [&](const std::string& name, std::int64_t rows, std::int64_t columns, Buffer<T>& values) {
        const std::string message =
            "state: " + name + " must be of its parameter's shape and dtype";
        array_to_panels(item(name), rows, columns, values, message.c_str());
        ++expected;
      });
  require(state.size() == expected, "state: holds what this optimizer does not have");
  optimizer.layers = std::move(replaced.layers);
  optimizer.steps = steps;
  optimizer.powers.of[0] = powers.first;
  optimizer.powers.of[1] = powers.second;
}

#define TWOLAYER_INSTANTIATE(T)                                              \
  template py::dict optimizer_state(const Network<T>&, const Optimizer<T>&); \
  template void set_optimizer_state(const Network<T>&, const py::dict&, Optimizer<T>&);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

namespace {

// An optimizer for gradients that Python brings.
class BoundOptimizer {
  template <class T>
  struct Own {
    Optimizer<T> optimizer;
    Gradients<T> gradients;
    Own(const Network<T>& network, const OptimizerOptions& options)
        : optimizer(network, options, false), gradients(network, false) {}
  };

  template <class Body>
  auto visit(const Body& body) const {
    if (const auto* network = std::get_if<NetworkPointer<float>>(&network_)) {
      return body(*std::get<std::unique_ptr<Own<float>>>(optimizer_), **network);
    }
    return body(*std::get<std::unique_ptr<Own<double>>>(optimizer_),
                *std::get<NetworkPointer<double>>(network_));
  }

  AnyNetwork network_;
  std::variant<std::unique_ptr<Own<float>>, std::unique_ptr<Own<double>>> optimizer_;

 public:
  BoundOptimizer(const BoundNetwork& network, const std::string& name,
                 const py::dict& hyperparameters)
      : network_(network.any()) {
    const OptimizerOptions options = optimizer_options(name, hyperparameters);
    std::visit(
        [&](const auto& pointer) {
          using T = std::remove_reference_t<decltype(pointer->shift.data()[0])>;
          optimizer_ = std::make_unique<Own<T>>(*pointer, options);
        },
        network_);
  }

  void step(const py::list& gradients, double learning_rate) {
    visit([&](auto& own, auto& network) {
      using T = std::remove_reference_t<decltype(network.shift.data()[0])>;
      constexpr const char* message =
          "gradients: must be (dW, db) a layer, of the parameters' shapes and dtype";
      require(gradients.size() == network.layers.size(), message);
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        require(py::isinstance<py::sequence>(gradients[l]), message);
        const auto pair = py::reinterpret_borrow<py::sequence>(gradients[l]);
        require(pair.size() == 2, message);
        auto& to = own.gradients.layers[l];
        const std::int64_t outputs = network.layers[l].outputs;
        array_to_panels<T>(pair[0], network.layers[l].inputs, outputs, to.weights, message);
        array_to_panels<T>(pair[1], 1, outputs, to.bias, message);
      }
      std::vector<Flat<T>> flat;
      const auto add = [&](Buffer<T>& parameters, std::vector<Buffer<T>>& state,
                           const Buffer<T>& gradient) {
        flat.push_back({{Optimizer<T>::update(parameters, state), gradient.data(), T(1), {}},
                        parameters.size()});
      };
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        auto& state = own.optimizer.layers[l];
        add(network.layers[l].weights, state.weights, own.gradients.layers[l].weights);
        add(network.layers[l].bias, state.bias, own.gradients.layers[l].bias);
      }
      Team alone(1);
      const OptimizerStep<T> step = own.optimizer.begin_step(learning_rate, own.optimizer.powers);
      ++own.optimizer.steps;
      const GilReleased released;
      apply(flat, T(1), step, alone);
      ++network.version;
    });
  }

  py::dict state() const {
    return visit([](const auto& own, const auto& network) {
      return optimizer_state(network, own.optimizer);
    });
  }
  void set_state(const py::dict& state) {
    visit([&](auto& own, const auto& network) {
      set_optimizer_state(network, state, own.optimizer);
    });
  }
};

}  // namespace

void register_optimizer(py::module_& m) {
  using py::arg;
  py::class_<BoundOptimizer>(m, "Optimizer")
      .def(py::init<const BoundNetwork&, const std::string&, const py::dict&>(), arg("network"),
           arg("name"), arg("hyperparameters"))
      .def("step", &BoundOptimizer::step, arg("gradients"), arg("learning_rate"))
      .def("state", &BoundOptimizer::state)
      .def("set_state", &BoundOptimizer::set_state, arg("state"));
}

}  // namespace twolayer
