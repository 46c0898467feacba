// The compiled module _core. What stands in bindings/ checks shapes and types, releases the GIL and
// calls the core: the only files that include pybind11. Values (finite inputs, positive sizes) are
// checked by the Python layer, which can say it in the user's words; what could write out of bounds
// (labels, row numbers, the structure of CSR rows) is checked here as well.
#include "bindings/register.hpp"
#include "core/dispatch.hpp"

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace twolayer;
  chosen_target();  // a wrong TWOLAYER_ISA fails the import, not the first call
  register_machine(m);
  register_loss(m);
  register_network(m);
  register_optimizer(m);
  register_trainer(m);
}
