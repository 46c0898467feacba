// One function a subject, each in the file of its name.
#pragma once

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace twolayer {

void register_machine(py::module_& m);
void register_loss(py::module_& m);
void register_network(py::module_& m);
void register_optimizer(py::module_& m);
void register_trainer(py::module_& m);

}  // namespace twolayer
