// What stands between a hidden layer's product and the next layer, when it is more than a bias and
// an activation:
//   batch normalisation (Ioffe and Szegedy 2015), over the N samples of the batch,
//     mean = sum z / N,  variance = sum (z - mean)^2 / N,  n = (z - mean) / sqrt(variance +
//     epsilon), y = gamma n + beta;  back:  dbeta = sum dy,  dgamma = sum dy n, dz = gamma /
//     sqrt(variance + epsilon) / N (N dy - dbeta - n dgamma);
//   activation;
//   dropout (Srivastava et al. 2014): each value is kept with probability k and divided by k, or 0.
// Panels are independent, and sums run in ascending order of the samples.
#pragma once

#include "activation.hpp"
#include "random.hpp"
#include "table.hpp"
#include "tile.hpp"

namespace {

using twolayer::Between;

using twolayer::batch_norm_epsilon;

inline constexpr std::int64_t all_remain = 65536;

// For each column of sample n's part of a panel: the factor of what is kept, or 0.
template <class T>
void draw_mask(const Between<T>& b, std::int64_t n, std::int64_t panel, T* mask) {
  constexpr std::int64_t draws = panel_width / 4;  // four numbers of 16 bits each
  const T factor = static_cast<T>(double{all_remain} / static_cast<double>(b.remaining));
  const std::int64_t first = (n * twolayer::panel_count(b.outputs) + panel) * draws;
  for (std::int64_t i = 0; i < draws; ++i) {
    const std::uint64_t bits = twolayer::random_bits(b.key, static_cast<std::uint64_t>(first + i));
    for (std::int64_t j = 0; j < 4; ++j) {
      const auto number = static_cast<std::int64_t>(bits >> (16 * j) & 0xffff);
      mask[4 * i + j] = number < b.remaining ? factor : T(0);
    }
  }
}

// Calls body(values, mask) for all samples and vectors of a panel.
template <class T, class Body>
void for_each_vector(const Between<T>& b, std::int64_t panel, const Body& body) {
  using S = Vec<T>;
  const std::int64_t columns = columns_in_panel(b.outputs, panel);
  alignas(64) T mask[panel_width];
  for (T& factor : mask) factor = 1;
  for (std::int64_t n = 0; n < b.samples; ++n) {
    if (b.remaining != all_remain) draw_mask(b, n, panel, mask);
    const std::int64_t at = (panel * b.samples + n) * panel_width;
    for (std::int64_t c = 0; c < columns; c += S::width) body(at + c, S::load(mask + c));
  }
}

template <class T>
void normalize(const Between<T>& b, std::int64_t panel) {
  using S = Vec<T>;
  const T* z = b.values + panel * b.samples * panel_width;
  T* normalized = b.normalized + panel * b.samples * panel_width;
  const auto count = static_cast<T>(b.samples);
  const std::int64_t columns = columns_in_panel(b.outputs, panel);
  for (std::int64_t i = 0; i < columns; i += S::width) {
    const std::int64_t column = panel * panel_width + i;
    S sum = S::zero();
    for (std::int64_t n = 0; n < b.samples; ++n) sum = sum + S::load(z + n * panel_width + i);
    const S mean = sum / S::broadcast(count);
    S squares = S::zero();
    for (std::int64_t n = 0; n < b.samples; ++n) {
      const S centred = S::load(z + n * panel_width + i) - mean;
      squares = fma(centred, centred, squares);
    }
    const S variance = squares / S::broadcast(count);
    const S inverse =
        S::broadcast(1) / sqrt(variance + S::broadcast(static_cast<T>(batch_norm_epsilon)));
    inverse.store(b.inverse_deviation + column);
    for (std::int64_t n = 0; n < b.samples; ++n) {
      ((S::load(z + n * panel_width + i) - mean) * inverse).store(normalized + n * panel_width + i);
    }
    mean.store(b.mean + column);
    (squares / S::broadcast(b.samples > 1 ? count - 1 : T(1))).store(b.variance + column);
  }
}

template <class T>
void between_forward(const Between<T>& b, Range panels) {
  using S = Vec<T>;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    if (b.gamma != nullptr) normalize(b, p);
    with_activation(b.activation, [&]<class Kind>() {
      for_each_vector(b, p, [&](std::int64_t at, S mask) {
        S y = S::load(b.values + at);
        if (b.gamma != nullptr) {
          const std::int64_t column = p * panel_width + at % panel_width;
          y = fma(S::load(b.gamma + column), S::load(b.normalized + at), S::load(b.beta + column));
        }
        if constexpr (Kind::from_z) {
          if (b.preactivation != nullptr) y.store(b.preactivation + at);
        }
        (Kind::value(y) * mask).store(b.values + at);
      });
    });
  }
}

template <class T>
void through_normalization(const Between<T>& b, std::int64_t panel) {
  using S = Vec<T>;
  T* gradient = b.gradient + panel * b.samples * panel_width;
  const T* normalized = b.normalized + panel * b.samples * panel_width;
  const S count = S::broadcast(static_cast<T>(b.samples));
  const std::int64_t columns = columns_in_panel(b.outputs, panel);
  for (std::int64_t i = 0; i < columns; i += S::width) {
    const std::int64_t column = panel * panel_width + i;
    S dbeta = S::zero();
    S dgamma = S::zero();
    for (std::int64_t n = 0; n < b.samples; ++n) {
      const S g = S::load(gradient + n * panel_width + i);
      dbeta = dbeta + g;
      dgamma = fma(g, S::load(normalized + n * panel_width + i), dgamma);
    }
    dbeta.store(b.dbeta + column);
    dgamma.store(b.dgamma + column);
    const S factor = S::load(b.gamma + column) * S::load(b.inverse_deviation + column) / count;
    for (std::int64_t n = 0; n < b.samples; ++n) {
      T* at = gradient + n * panel_width + i;
      const S centred = fma(count, S::load(at), S::zero() - dbeta);
      const S along = S::load(normalized + n * panel_width + i) * dgamma;
      (factor * (centred - along)).store(at);
    }
  }
}

template <class T>
void between_backward(const Between<T>& b, Range panels) {
  using S = Vec<T>;
  // From what the next layer read back to the activation: where it was dropped, nothing comes back.
  const S unscale =
      S::broadcast(static_cast<T>(static_cast<double>(b.remaining) / double{all_remain}));
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    with_activation(b.activation, [&]<class Kind>() {
      for_each_vector(b, p, [&](std::int64_t at, S mask) {
        const S gradient = S::load(b.gradient + at) * mask;
        S slope_from;
        if constexpr (Kind::from_z) {
          slope_from = S::load(b.preactivation + at);
        } else {
          slope_from = S::load(b.values + at) * unscale;
        }
        Kind::through(gradient, slope_from).store(b.gradient + at);
      });
    });
    if (b.gamma != nullptr) through_normalization(b, p);
  }
}

}  // namespace
