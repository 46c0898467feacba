#include "batch_norm.hpp"

#include <algorithm>
#include <cmath>

namespace twolayer {

template <class T>
BatchNorm<T>::BatchNorm(std::int64_t capacity, std::int64_t outputs)
    : gamma(padded(outputs)),
      running_mean(padded(outputs)),
      running_variance(padded(outputs)),
      mean(padded(outputs)),
      variance(padded(outputs)),
      normalized(capacity * padded(outputs)),
      inverse_deviation(padded(outputs)),
      dgamma(padded(outputs)),
      dbeta(padded(outputs)) {
  std::fill_n(gamma.data(), outputs, T(1));
  std::fill_n(running_variance.data(), outputs, T(1));
}

template <class T>
void follow_statistics(std::vector<BatchNorm<T>>& norms, std::int64_t samples) {
  constexpr T momentum = static_cast<T>(0.1);  // as PyTorch's BatchNorm1d has it by default
  if (samples == 1) return;
  for (BatchNorm<T>& norm : norms) {
    const auto follow = [&](const Buffer<T>& of_batch, Buffer<T>& running) {
      for (std::int64_t i = 0; i < running.size(); ++i) {
        T& value = running.data()[i];
        value += momentum * (of_batch.data()[i] - value);
      }
    };
    follow(norm.mean, norm.running_mean);
    follow(norm.variance, norm.running_variance);
  }
}

template <class T>
void fold_statistics(const Network<T>& trained, const std::vector<BatchNorm<T>>& norms,
                     Network<T>& to) {
  for (std::size_t l = 0; l < to.layers.size(); ++l) {
    const Layer<T>& from = trained.layers[l];
    Layer<T>& folded = to.layers[l];
    const BatchNorm<T>* norm = l < norms.size() ? &norms[l] : nullptr;
    for (std::int64_t column = 0; column < from.outputs; ++column) {
      T factor = 1;
      T bias = from.bias.data()[column];
      if (norm != nullptr) {
        factor = norm->gamma.data()[column] / std::sqrt(norm->running_variance.data()[column] +
                                                        static_cast<T>(batch_norm_epsilon));
        bias -= norm->running_mean.data()[column] * factor;
      }
      folded.bias.data()[column] = bias;
      const std::int64_t first =
          column / panel_width * from.inputs * panel_width + column % panel_width;
      for (std::int64_t row = 0; row < from.inputs; ++row) {
        const std::int64_t at = first + row * panel_width;
        folded.weights.data()[at] = from.weights.data()[at] * factor;
      }
    }
  }
  ++to.version;
}

#define TWOLAYER_INSTANTIATE(T)                                              \
  template struct BatchNorm<T>;                                              \
  template void follow_statistics(std::vector<BatchNorm<T>>&, std::int64_t); \
  template void fold_statistics(const Network<T>&, const std::vector<BatchNorm<T>>&, Network<T>&);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

}  // namespace twolayer
