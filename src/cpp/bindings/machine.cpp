// What this machine is and can do.
#include "../core/caches.hpp"
#include "../core/dispatch.hpp"
#include "../core/probe.hpp"
#include "../core/threads.hpp"
#include "arguments.hpp"
#include "register.hpp"

namespace twolayer {

namespace {

void require_probe(int threads, double seconds) {
  require(threads >= 1, "threads: must be positive");
  require(seconds > 0 && seconds <= 60, "seconds: must be above 0 and at most 60");
}

double peak(const std::string& dtype, int threads, double seconds) {
  require_probe(threads, seconds);
  const GilReleased released;
  if (dtype == "float32") return multiply_add_peak<float>(threads, seconds) / 1e9;
  if (dtype == "float64") return multiply_add_peak<double>(threads, seconds) / 1e9;
  if (dtype == "bfloat16") return bfloat16_multiply_add_peak(threads, seconds) / 1e9;
  throw py::value_error("dtype: must be 'float32', 'float64' or 'bfloat16'");
}

double bandwidth(int threads, double seconds) {
  require_probe(threads, seconds);
  const GilReleased released;
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
  info["caches"] = py::make_tuple(caches().level1, caches().level2, caches().level3);
  return info;
}

}  // namespace

void register_machine(py::module_& m) {
  using py::arg;
  m.def("build_info", &build_info);
  m.def("default_threads", &default_threads);
  m.def("multiply_add_peak", &peak, arg("dtype"), arg("threads"), arg("seconds"));
  m.def("read_bandwidth", &bandwidth, arg("threads"), arg("seconds"));
}

}  // namespace twolayer
