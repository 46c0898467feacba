#include "network.hpp"

#include <algorithm>
#include <utility>

namespace twolayer {

template <class T>
Network<T>::Network(std::vector<std::int64_t> layer_sizes, int hidden_activation)
    : sizes(std::move(layer_sizes)),
      activation(hidden_activation),
      shift(padded(sizes.front())),
      inverse_scale(padded(sizes.front())),
      exact_shift(padded(sizes.front())),
      exact_inverse_scale(padded(sizes.front())) {
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) layers.emplace_back(sizes[l], sizes[l + 1]);
  for (std::int64_t d = 0; d < sizes.front(); ++d) normalize(d, 0, 1);
}

template <class T>
Network<T>::Network(const Network& other)
    : sizes(other.sizes),
      activation(other.activation),
      shift(other.shift.copy()),
      inverse_scale(other.inverse_scale.copy()),
      exact_shift(other.exact_shift.copy()),
      exact_inverse_scale(other.exact_inverse_scale.copy()),
      output_shift(other.output_shift.copy()),
      output_scale(other.output_scale.copy()) {
  for (const Layer<T>& from : other.layers) {
    Layer<T>& to = layers.emplace_back(from.inputs, from.outputs);
    to.weights = from.weights.copy();
    to.bias = from.bias.copy();
  }
}

template <class T>
void Network<T>::normalize(std::int64_t d, double its_shift, double its_inverse_scale) {
  exact_shift.data()[d] = its_shift;
  exact_inverse_scale.data()[d] = its_inverse_scale;
  shift.data()[d] = static_cast<T>(its_shift);
  inverse_scale.data()[d] = static_cast<T>(its_inverse_scale);
}

namespace {

// Calls visit(offset in row-major order, offset in panels, length) for every run of a row that is
// contiguous in both.
template <class Visit>
void for_each_run(std::int64_t rows, std::int64_t columns, const Visit& visit) {
  for (std::int64_t p = 0; p < panel_count(columns); ++p) {
    const std::int64_t first = p * panel_width;
    const std::int64_t length = std::min(panel_width, columns - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      visit(r * columns + first, (p * rows + r) * panel_width, length);
    }
  }
}

}  // namespace

template <class T>
void to_panels(const T* from, std::int64_t rows, std::int64_t columns, T* to) {
  for_each_run(rows, columns, [&](std::int64_t plain, std::int64_t panel, std::int64_t length) {
    std::copy_n(from + plain, length, to + panel);
  });
}

template <class T>
void from_panels(const T* from, std::int64_t rows, std::int64_t columns, T* to) {
  for_each_run(rows, columns, [&](std::int64_t plain, std::int64_t panel, std::int64_t length) {
    std::copy_n(from + panel, length, to + plain);
  });
}

template struct Network<float>;
template struct Network<double>;
template void to_panels(const float*, std::int64_t, std::int64_t, float*);
template void to_panels(const double*, std::int64_t, std::int64_t, double*);
template void from_panels(const float*, std::int64_t, std::int64_t, float*);
template void from_panels(const double*, std::int64_t, std::int64_t, double*);

}  // namespace twolayer
