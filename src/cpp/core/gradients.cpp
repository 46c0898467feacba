#include "gradients.hpp"

#include <algorithm>

namespace twolayer {

template <class T>
Gradients<T>::Gradients(const Network<T>& network, bool batch_norm) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer<T>& layer = network.layers[l];
    const bool normalized = batch_norm && l + 1 < network.layers.size();
    layers.push_back({Buffer<T>(layer.weights.size()), Buffer<T>(layer.bias.size()),
                      Buffer<T>(normalized ? layer.bias.size() : 0), squares_of(layer)});
  }
}

template <class T>
double Gradients<T>::squares_of_weights() const {
  double squares = 0;
  for (const auto& layer : layers) squares += sum(layer.squares);
  return squares;
}

template <class P>
void store_gradients(const Network<typename P::Scalar>& network, Workspace<P>& work,
                     const Data& data, const Rows& rows, double reg,
                     Gradients<typename P::Scalar>& to, Team& team) {
  using T = typename P::Scalar;
  update_pass(network, work, data, rows, reg, team, [&](std::size_t l) {
    LayerUpdate<T> update{};
    update.weights.parameters = network.layers[l].weights.data();
    update.weights.gradient = to.layers[l].weights.data();
    update.bias.parameters = network.layers[l].bias.data();
    update.bias.gradient = to.layers[l].bias.data();
    update.squares = to.layers[l].squares.data();
    return update;
  });
  for (std::size_t l = 0; l < work.norms.size(); ++l) {
    const auto copy = [&](const Buffer<T>& from, Buffer<T>& into) {
      std::copy_n(from.data(), from.size(), into.data());
    };
    copy(work.norms[l].dbeta, to.layers[l].bias);
    copy(work.norms[l].dgamma, to.layers[l].gamma);
  }
}

template <class P>
void put_gradient(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
                  const typename P::Scalar* doutputs, bool weighted, Workspace<P>& work) {
  using T = typename P::Scalar;
  const std::int64_t outputs = network.sizes.back();
  const double sum = weighted ? sum_of_weights(work.loss, data, rows) : 0;
  const T* scale = network.output_scale.data();
  T* to = work.gradient(network.layers.size() - 1);
  for (std::int64_t n = 0; n < rows.count; ++n) {
    const T share = static_cast<T>(!weighted ? 1 : sum > 0 ? weight_of(data, rows, n) / sum : 0);
    for (std::int64_t p = 0; p < panel_count(outputs); ++p) {
      T* row = to + (p * rows.count + n) * panel_width;
      for (std::int64_t c = 0; c < panel_width; ++c) {
        const std::int64_t k = p * panel_width + c;
        T gradient = k < outputs ? doutputs[n * outputs + k] : T(0);
        if (scale != nullptr && k < outputs) gradient *= scale[k];
        row[c] = gradient * share;
      }
    }
  }
}

namespace {

template <class T>
std::optional<Gradients<T>> gradients_of(const Network<T>& network, const Data& data,
                                         const Rows& rows, double reg, int threads,
                                         Workspace<Exact<T>>& work, const Interrupted& interrupted,
                                         const std::function<void(Team&)>& at_outputs) {
  work.make_room_for(network, data);
  Gradients<T> result(network, work.techniques.batch_norm);
  Interruption interruption(network, rows.count, interrupted);
  Team team(threads);
  forward_pass(network, data, rows, work, team);
  if (interruption()) return std::nullopt;
  at_outputs(team);
  backward_pass(network, rows, work, team);
  store_gradients(network, work, data, rows, reg, result, team);
  return result;
}

}  // namespace

template <class T>
std::optional<LossAndGradients<T>> loss_and_gradients(const Network<T>& network, const Data& data,
                                                      const Rows& rows, const LossOptions& loss,
                                                      double reg, int threads,
                                                      const Techniques& techniques,
                                                      const std::vector<std::vector<T>>& gammas,
                                                      const Interrupted& interrupted) {
  const FloatingPointMode mode;
  threads = useful_threads(network, rows.count, threads);
  Workspace<Exact<T>> work(network, rows.count, threads, loss, &techniques);
  for (std::size_t l = 0; l < work.norms.size(); ++l) {
    std::copy(gammas[l].begin(), gammas[l].end(), work.norms[l].gamma.data());
  }
  auto gradients =
      gradients_of<T>(network, data, rows, reg, threads, work, interrupted, [&](Team& team) {
        loss_pass(network, data, rows, Leave::gradient, static_cast<T*>(nullptr), work, team);
      });
  if (!gradients) return std::nullopt;
  double value = mean_loss(work, data, rows);
  if (reg != 0) value += reg * gradients->squares_of_weights();
  return LossAndGradients<T>{value, std::move(*gradients)};
}

template <class T>
std::optional<Gradients<T>> gradients_of_outputs(const Network<T>& network, const Data& data,
                                                 const Rows& rows, const T* doutputs, int threads,
                                                 const Interrupted& interrupted) {
  threads = useful_threads(network, rows.count, threads);
  const Techniques none;
  Workspace<Exact<T>> work(network, rows.count, threads, {0}, &none);
  return gradients_of<T>(network, data, rows, 0, threads, work, interrupted,
                         [&](Team&) { put_gradient(network, data, rows, doutputs, false, work); });
}

#define TWOLAYER_INSTANTIATE_PASSES(P, T)                                                   \
  template void store_gradients(const Network<T>&, Workspace<P>&, const Data&, const Rows&, \
                                double, Gradients<T>&, Team&);                              \
  template void put_gradient(const Network<T>&, const Data&, const Rows&, const T*, bool,   \
                             Workspace<P>&);
TWOLAYER_INSTANTIATE_PASSES(Exact<float>, float)
TWOLAYER_INSTANTIATE_PASSES(Exact<double>, double)
TWOLAYER_INSTANTIATE_PASSES(Bfloat16, float)

#define TWOLAYER_INSTANTIATE(T)                                                     \
  template struct Gradients<T>;                                                     \
  template std::optional<LossAndGradients<T>> loss_and_gradients(                   \
      const Network<T>&, const Data&, const Rows&, const LossOptions&, double, int, \
      const Techniques&, const std::vector<std::vector<T>>&, const Interrupted&);   \
  template std::optional<Gradients<T>> gradients_of_outputs(                        \
      const Network<T>&, const Data&, const Rows&, const T*, int, const Interrupted&);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

}  // namespace twolayer
