// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), as torch.optim has them, in
// step t from 1:
//     Adam   g += weight_decay w
//     AdamW  w -= lr weight_decay w
//     both   m = m + (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g g;
//            w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// adam_epsilon_hat is Adam in the form that ends its section 2, scikit-learn's: epsilon stands
// beside the root that is not corrected, which is as if it were epsilon / sqrt(1 - beta2^t) above.
#pragma once

#include "constants.hpp"

namespace {

template <bool decoupled, bool epsilon_hat = false>
struct AdamOf {
  static constexpr const char* name = decoupled     ? "adamw"
                                      : epsilon_hat ? "adam_epsilon_hat"
                                                    : "adam";
  static constexpr twolayer::Names hyperparameters = {"weight_decay", "beta1", "beta2", "epsilon"};
  static constexpr twolayer::Names states = {"first_moment", "second_moment"};
  enum {
    decay,  // or 1 - lr weight_decay
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    epsilon,
    minus_step_size,
    inverse_root_of_correction
  };

  // powers: beta1^t and beta2^t
  template <class T>
  static void begin_step(const double* h, double rate, double* powers, T* c) {
    powers[0] *= h[1];
    powers[1] *= h[2];
    c[decay] = static_cast<T>(decoupled ? 1 - rate * h[0] : h[0]);
    c[one_minus_beta1] = static_cast<T>(1 - h[1]);
    c[beta2] = static_cast<T>(h[2]);
    c[one_minus_beta2] = static_cast<T>(1 - h[2]);
    const double inverse = 1 / twolayer::square_root(1 - powers[1]);
    c[epsilon] = static_cast<T>(epsilon_hat ? h[3] * inverse : h[3]);
    c[minus_step_size] = static_cast<T>(-(rate / (1 - powers[0])));
    c[inverse_root_of_correction] = static_cast<T>(inverse);
  }

  template <class V, class T>
  static V step(const T* c, V g, V w, T* const* state, std::int64_t at) {
    if constexpr (decoupled) {
      w = w * V::broadcast(c[decay]);
    } else {
      g = fma(V::broadcast(c[decay]), w, g);
    }
    V m = V::load(state[0] + at);
    m = fma(V::broadcast(c[one_minus_beta1]), g - m, m);
    m.store(state[0] + at);
    const V v = fma(V::broadcast(c[beta2]), V::load(state[1] + at),
                    (V::broadcast(c[one_minus_beta2]) * g) * g);
    v.store(state[1] + at);
    const V root =
        fma(sqrt(v), V::broadcast(c[inverse_root_of_correction]), V::broadcast(c[epsilon]));
    return fma(V::broadcast(c[minus_step_size]), m / root, w);
  }
};

using Adam = AdamOf<false>;
using AdamW = AdamOf<true>;
using AdamEpsilonHat = AdamOf<false, true>;

}  // namespace
