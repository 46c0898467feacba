// Python's arguments as the core takes them. No conversions: what does not fit is an error, never a
// silent copy. The caller holds the arrays that views are made of, so their memory may be read with
// the GIL released.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/data.hpp"
#include "../core/optimizer.hpp"
#include "../core/techniques.hpp"
#include "gil.hpp"

namespace py = pybind11;

namespace twolayer {

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Indices = Array<std::int64_t>;
using ImageShape = std::array<std::int64_t, 3>;
// image_shape, whether to mirror at random, pixels to shift, side of the cutout
using AugmentOptions = std::tuple<ImageShape, bool, std::int64_t, std::int64_t>;

void require(bool condition, const char* message);

// Rows: an array (N, inputs) of any memory order, or an object with CSR's values, columns, starts.
struct View {
  Source source;
  std::int64_t count;
  std::int64_t stored = 0;  // CSR: values there are
  std::int64_t inputs = 0;  // CSR: columns there may be
};
View rows_view(const py::object& x, std::int64_t inputs, const char* name);

// `numbers` of the rows, or all of them; those of CSR are looked through.
Rows select(const View& view, const std::optional<Indices>& numbers);

// What the loss compares the rows' outputs with: labels int64 (N,), or values (N, outputs /
// levels); none where `targets` is None.
void put_targets(Data& data, const py::object& targets, const View& view, const Rows& rows,
                 const LossOptions& loss, std::int64_t outputs);

// One finite number a row, not negative.
const double* weights_view(const std::optional<Array<double>>& weights, std::int64_t count);

// That the loss's numbers are for so many outputs.
void require_fits(const LossOptions& loss, std::int64_t outputs);

Augmentation augmentation(const ImageShape& image_shape, Augmentation::Flip flip,
                          std::int64_t shift, std::int64_t cutout, std::int64_t inputs);

Techniques techniques(const std::vector<double>& dropout, bool batch_norm, double clip_norm,
                      const std::optional<AugmentOptions>& augment, std::uint64_t seed,
                      const std::vector<std::int64_t>& layer_sizes);

// An optimizer by its name, with its hyper-parameters by theirs.
OptimizerOptions optimizer_options(const std::string& name, const py::dict& hyperparameters);

// Lets Ctrl-C through in a long step. What the handler raised is kept, to be raised again by the
// caller once no thread is at work.
class SignalCheck {
 public:
  bool operator()() {
    const GilHeld held;
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

}  // namespace twolayer
