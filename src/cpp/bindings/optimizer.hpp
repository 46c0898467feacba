// An optimizer's state, by name, to Python and back.
#pragma once

#include "../core/optimizer.hpp"
#include "network.hpp"

namespace twolayer {

// A copy in rows and columns; (columns,) for a vector.
template <class T>
py::object array_from_panels(const Buffer<T>& values, std::int64_t rows, std::int64_t columns,
                             bool vector) {
  Array<T> array({rows, columns});
  from_panels(values.data(), rows, columns, array.mutable_data());
  return vector ? py::object(array[py::int_(0)]) : py::object(array);
}

// {"steps": int, "powers": (float, float), "W1.momentum": array, "b1.momentum": ...}: one array
// for each state of each parameter; gamma1, ... with batch normalisation.
template <class T>
py::dict optimizer_state(const Network<T>& network, const Optimizer<T>& optimizer);

// Replaces all of it, or, on an error, nothing.
template <class T>
void set_optimizer_state(const Network<T>& network, const py::dict& state, Optimizer<T>& optimizer);

}  // namespace twolayer
