// A network as Python holds it.
#pragma once

#include <memory>
#include <tuple>
#include <variant>

#include "../core/gradients.hpp"
#include "../core/inference.hpp"
#include "../core/network.hpp"
#include "arguments.hpp"

namespace twolayer {

template <class T>
using NetworkPointer = std::shared_ptr<Network<T>>;
using AnyNetwork = std::variant<NetworkPointer<float>, NetworkPointer<double>>;

template <class T>
py::tuple layer_arrays(std::int64_t inputs, std::int64_t outputs, const T* weights, const T* bias) {
  Array<T> w({inputs, outputs});
  Array<T> b(outputs);
  from_panels(weights, inputs, outputs, w.mutable_data());
  from_panels(bias, 1, outputs, b.mutable_data());
  return py::make_tuple(std::move(w), std::move(b));
}

// An array (rows, columns), or (columns,) for one row, of exactly this type into panels.
template <class T>
void array_to_panels(const py::handle& array, std::int64_t rows, std::int64_t columns,
                     Buffer<T>& to, const char* message) {
  require(py::isinstance<Array<T>>(array), message);
  const auto from = py::reinterpret_borrow<Array<T>>(array);
  const bool matrix = from.ndim() == 2 && from.shape(0) == rows && from.shape(1) == columns;
  const bool vector = rows == 1 && from.ndim() == 1 && from.shape(0) == columns;
  require(matrix || vector, message);
  to_panels(from.data(), rows, columns, to.data());
}

class BoundNetwork {
 public:
  BoundNetwork(std::vector<std::int64_t> sizes, const std::string& activation,
               const std::string& dtype);

  const AnyNetwork& any() const { return network_; }

  template <class Body>
  auto visit(const Body& body) const {
    return std::visit([&](const auto& network) { return body(*network); }, network_);
  }

  const std::vector<std::int64_t>& sizes() const;
  std::int64_t inputs() const { return sizes().front(); }
  std::int64_t outputs() const { return sizes().back(); }
  std::string activation() const;
  std::string dtype() const { return network_.index() == 0 ? "float32" : "float64"; }

  void set_normalization(const Array<double>& shift, const Array<double>& scale);
  void set_output_scaling(const Array<double>& shift, const Array<double>& scale);
  py::tuple layer(std::size_t index) const;
  void set_layer(std::size_t index, const py::array& weights, const py::array& bias);

  // Whether these are the network's, to the bit: lists of C-contiguous arrays of its dtype.
  bool holds(const py::list& weights, const py::list& biases) const;

  py::array forward(const py::object& x, const std::optional<Indices>& rows, int threads,
                    const std::optional<ImageShape>& mirrored_as,
                    const std::optional<std::string>& compute_dtype) const;
  py::array predictions(const py::object& x, const std::optional<Indices>& rows,
                        const LossOptions& loss, int threads,
                        const std::optional<ImageShape>& mirrored_as,
                        const std::optional<std::string>& compute_dtype) const;
  py::object infer(const py::object& x, const LossOptions* loss, bool largest, int threads,
                   const std::optional<std::string>& compute_dtype) const;
  py::tuple evaluate(const py::object& x, const py::object& targets,
                     const std::optional<Indices>& rows, const LossOptions& loss,
                     int threads) const;
  py::tuple loss_and_gradients(const py::object& x, const py::object& targets,
                               const LossOptions& loss, double reg, int threads,
                               const std::vector<double>& dropout,
                               const std::optional<std::vector<py::array>>& gammas,
                               const std::optional<Array<double>>& weights,
                               std::uint64_t seed) const;
  py::list gradients(const py::object& x, const py::array& doutputs, int threads) const;

 private:
  // Asks with the GIL released: ask(question, spare, interrupted, array's memory), where the array
  // is (N, K) of the network's dtype, or (N,) row numbers with `largest`. None: not finite.
  py::object answer(const View& view, const Rows& rows, const LossOptions* loss, bool largest,
                    int threads, const std::optional<Augmentation>& change, bool checked,
                    const std::optional<std::string>& compute_dtype) const;
  std::optional<Augmentation> mirroring(const std::optional<ImageShape>& mirrored_as) const;

  AnyNetwork network_;
  mutable std::tuple<Spare<Exact<float>>, Spare<Exact<double>>, Spare<Bfloat16>> spares_;
};

}  // namespace twolayer
