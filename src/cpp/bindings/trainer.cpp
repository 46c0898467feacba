#include "../core/trainer.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <variant>

#include "network.hpp"
#include "optimizer.hpp"
#include "register.hpp"

namespace twolayer {

namespace {

template <class P>
using TrainerPointer = std::unique_ptr<Trainer<P>>;
using AnyTrainer = std::variant<TrainerPointer<Exact<float>>, TrainerPointer<Exact<double>>,
                                TrainerPointer<Bfloat16>>;

// Calls visit(name, rows, columns, buffer) for all that training with batch normalisation keeps
// besides the optimizer's state.
template <class SomeTrainer, class Visit>
void for_each_unfolded(SomeTrainer& trainer, const Visit& visit) {
  if (trainer.unfolded() == nullptr) return;
  auto& layers = trainer.unfolded()->layers;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::string number = std::to_string(l + 1);
    visit("W" + number, layers[l].inputs, layers[l].outputs, layers[l].weights);
    visit("b" + number, std::int64_t{1}, layers[l].outputs, layers[l].bias);
    if (l >= trainer.norms().size()) continue;
    auto& norm = trainer.norms()[l];
    visit("gamma" + number, std::int64_t{1}, layers[l].outputs, norm.gamma);
    visit("running_mean" + number, std::int64_t{1}, layers[l].outputs, norm.running_mean);
    visit("running_variance" + number, std::int64_t{1}, layers[l].outputs, norm.running_variance);
  }
}

class BoundTrainer {
  template <class T>
  Network<T>& of_type() const {
    return *std::get<NetworkPointer<T>>(network_);
  }

  template <class Body>
  auto visit(const Body& body) const {
    return std::visit(
        [&](const auto& trainer) {
          using T = typename std::decay_t<decltype(*trainer)>::T;
          return body(*trainer, of_type<T>());
        },
        trainer_);
  }

  Data data_of(const View& view, const Rows& rows, const py::object& targets,
               const std::optional<Array<double>>& weights, std::int64_t outputs) const {
    Data data{view.source};
    put_targets(data, targets, view, rows, options_.loss, outputs);
    data.weights = weights_view(weights, view.count);
    require(!data.sparse() || !options_.techniques.augment, "augment: not of CSR rows");
    require(!data.sparse() || !std::holds_alternative<TrainerPointer<Bfloat16>>(trainer_),
            "compute_dtype: 'bfloat16' not with CSR rows");
    return data;
  }

  Rows batch_of(const View& view, const Indices& rows) const {
    const Rows batch = select(view, rows);
    require(0 < batch.count && batch.count <= options_.batch_size,
            "rows: between one and batch_size of them");
    return batch;
  }

  AnyNetwork network_;
  TrainerOptions options_{};
  AnyTrainer trainer_;

 public:
  BoundTrainer(const BoundNetwork& network, const std::string& optimizer,
               const py::dict& hyperparameters, double reg, const LossOptions& loss,
               std::int64_t batch_size, int threads,
               const std::optional<std::string>& compute_dtype, const std::vector<double>& dropout,
               bool batch_norm, double clip_norm, const std::optional<AugmentOptions>& augment,
               std::uint64_t seed, bool reg_over_weights)
      : network_(network.any()) {
    require(batch_size >= 1, "batch_size: must be positive");
    require(threads >= 1, "threads: must be positive");
    require_fits(loss, network.outputs());
    options_ = {optimizer_options(optimizer, hyperparameters),
                reg,
                loss,
                techniques(dropout, batch_norm, clip_norm, augment, seed, network.sizes()),
                batch_size,
                threads,
                reg_over_weights};
    const bool bfloat16 = compute_dtype == "bfloat16";
    require(!compute_dtype || compute_dtype == network.dtype() ||
                (bfloat16 && network.dtype() == "float32"),
            "compute_dtype: must be the network's dtype, or 'bfloat16' with float32");
    if (const auto* pointer = std::get_if<NetworkPointer<double>>(&network_)) {
      trainer_ = std::make_unique<Trainer<Exact<double>>>(**pointer, options_);
    } else if (bfloat16) {
      trainer_ = std::make_unique<Trainer<Bfloat16>>(of_type<float>(), options_);
    } else {
      trainer_ = std::make_unique<Trainer<Exact<float>>>(of_type<float>(), options_);
    }
  }

  py::tuple run(const py::object& x, const py::object& targets, const Indices& rows,
                const Array<double>& learning_rates, Array<double>& losses,
                const std::optional<Array<double>>& weights, std::optional<Array<double>>& scores) {
    return visit([&](auto& trainer, auto& network) {
      const View view = rows_view(x, network.sizes.front(), "x");
      const Rows chosen = select(view, rows);
      const Data data = data_of(view, chosen, targets, weights, network.sizes.back());
      const std::int64_t steps = (chosen.count + options_.batch_size - 1) / options_.batch_size;
      require(!targets.is_none(), "targets: needed");
      require(losses.ndim() == 1 && losses.shape(0) >= steps,
              "losses: one element a step is needed");
      require(learning_rates.ndim() == 1 && learning_rates.shape(0) >= steps,
              "learning_rates: one element a step is needed");
      require(!scores || (scores->ndim() == 1 && scores->shape(0) >= steps),
              "scores: one element a step is needed");
      double* to = losses.mutable_data();
      double* scores_to = scores ? scores->mutable_data() : nullptr;
      SignalCheck check;
      StepsDone done;
      {
        const GilReleased released;
        done = trainer.run(network, data, chosen, learning_rates.data(), to, std::ref(check),
                           scores_to);
      }
      check.raise();
      return py::make_tuple(done.steps, done.scores);
    });
  }

  py::array begin(const py::object& x, const Indices& rows) {
    return visit([&](auto& trainer, auto& network) -> py::array {
      using T = typename std::decay_t<decltype(trainer)>::T;
      const View view = rows_view(x, network.sizes.front(), "x");
      const Rows batch = batch_of(view, rows);
      const Data data = data_of(view, batch, py::none(), std::nullopt, network.sizes.back());
      Array<T> outputs({batch.count, network.sizes.back()});
      T* to = outputs.mutable_data();
      {
        const GilReleased released;
        trainer.begin(network, data, batch, to);
      }
      return outputs;
    });
  }

  double finish(const py::object& x, const Indices& rows, const py::array& losses,
                const py::array& doutputs, double learning_rate,
                const std::optional<Array<double>>& weights) {
    return visit([&](auto& trainer, auto& network) {
      using T = typename std::decay_t<decltype(trainer)>::T;
      const std::int64_t outputs = network.sizes.back();
      const View view = rows_view(x, network.sizes.front(), "x");
      const Rows batch = batch_of(view, rows);
      const Data data = data_of(view, batch, py::none(), weights, outputs);
      require(
          py::isinstance<Array<T>>(losses) && losses.ndim() == 1 && losses.shape(0) == batch.count,
          "losses: must be (n,), contiguous and of the network's dtype");
      require(py::isinstance<Array<T>>(doutputs) && doutputs.ndim() == 2 &&
                  doutputs.shape(0) == batch.count && doutputs.shape(1) == outputs,
              "doutputs: must be (n, outputs), C-contiguous and of the network's dtype");
      const T* values = static_cast<const T*>(losses.data());
      const T* gradient = static_cast<const T*>(doutputs.data());
      const GilReleased released;
      return trainer.finish(network, data, batch, values, gradient, learning_rate);
    });
  }

  void publish() const {
    visit([](auto& trainer, auto& network) {
      const GilReleased released;
      trainer.publish(network);
    });
  }

  py::dict state() const {
    return visit([](auto& trainer, const auto& network) {
      py::dict state = optimizer_state(network, trainer.optimizer());
      for_each_unfolded(trainer, [&](const std::string& name, std::int64_t rows,
                                     std::int64_t columns, const auto& values) {
        state[name.c_str()] = array_from_panels(values, rows, columns, name[0] != 'W');
      });
      return state;
    });
  }

  // Replaces all of it, or, on an error, nothing.
  void set_state(const py::dict& state) {
    visit([&](auto& trainer, const auto& network) {
      const auto read = [&](const std::string& name, std::int64_t rows, std::int64_t columns,
                            auto& to) {
        const std::string message = "state: " + name + " must be of the layer's shape and dtype";
        require(state.contains(name.c_str()), message.c_str());
        array_to_panels(state[name.c_str()], rows, columns, to, message.c_str());
      };
      const auto rest = py::reinterpret_steal<py::dict>(PyDict_Copy(state.ptr()));
      for_each_unfolded(trainer, [&](const std::string& name, std::int64_t rows,
                                     std::int64_t columns, const auto& values) {
        std::decay_t<decltype(values)> tried(values.size());
        read(name, rows, columns, tried);
        rest.attr("pop")(name);
      });
      set_optimizer_state(network, rest, trainer.optimizer());
      for_each_unfolded(trainer, read);
      if (trainer.unfolded() != nullptr) ++trainer.unfolded()->version;
    });
  }
};

}  // namespace

void register_trainer(py::module_& m) {
  using py::arg;
  py::class_<BoundTrainer>(m, "Trainer")
      .def(py::init<const BoundNetwork&, const std::string&, const py::dict&, double,
                    const LossOptions&, std::int64_t, int, const std::optional<std::string>&,
                    const std::vector<double>&, bool, double, const std::optional<AugmentOptions>&,
                    std::uint64_t, bool>(),
           arg("network"), py::kw_only(), arg("optimizer"), arg("hyperparameters"), arg("reg"),
           arg("loss"), arg("batch_size"), arg("threads"), arg("compute_dtype") = py::none(),
           arg("dropout") = std::vector<double>{}, arg("batch_norm") = false,
           arg("clip_norm") = 0.0, arg("augment") = py::none(), arg("seed") = 0,
           arg("reg_over_weights") = false)
      .def("run", &BoundTrainer::run, arg("x"), arg("targets"), arg("rows").noconvert(),
           arg("learning_rates").noconvert(), arg("losses").noconvert(),
           arg("weights").noconvert() = py::none(), arg("scores").noconvert() = py::none())
      .def("begin", &BoundTrainer::begin, arg("x"), arg("rows").noconvert())
      .def("finish", &BoundTrainer::finish, arg("x"), arg("rows").noconvert(), arg("losses"),
           arg("doutputs"), arg("learning_rate"), arg("weights").noconvert() = py::none())
      .def("publish", &BoundTrainer::publish)
      .def("state", &BoundTrainer::state)
      .def("set_state", &BoundTrainer::set_state, arg("state"));
}

}  // namespace twolayer
