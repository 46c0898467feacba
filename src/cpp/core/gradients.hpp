// Gradients that exist in memory: for whoever has to see all of them before the update.
#pragma once

#include <optional>
#include <vector>

#include "interruption.hpp"
#include "passes.hpp"
#include "update.hpp"

namespace twolayer {

// Of one layer, in panels.
template <class T>
struct GradientsOfLayer {
  Buffer<T> weights;
  Buffer<T> bias;
  Buffer<T> gamma;    // with batch normalisation
  Buffer<T> squares;  // sums of the weights' squares, block by block
};

template <class T>
struct Gradients {
  std::vector<GradientsOfLayer<T>> layers;

  Gradients(const Network<T>& network, bool batch_norm);

  double squares_of_weights() const;
};

// All gradients of a batch whose passes are done, regularisation included.
template <class P>
void store_gradients(const Network<typename P::Scalar>& network, Workspace<P>& work,
                     const Data& data, const Rows& rows, double reg,
                     Gradients<typename P::Scalar>& to, Team& team);

// The loss of a whole batch, and its gradients; no update. gammas: of each hidden layer, with batch
// normalisation. Nothing when interrupted.
template <class T>
struct LossAndGradients {
  double loss;
  Gradients<T> gradients;
};
template <class T>
std::optional<LossAndGradients<T>> loss_and_gradients(const Network<T>& network, const Data& data,
                                                      const Rows& rows, const LossOptions& loss,
                                                      double reg, int threads,
                                                      const Techniques& techniques,
                                                      const std::vector<std::vector<T>>& gammas,
                                                      const Interrupted& interrupted);

// The gradients of sum_nk doutputs[n, k] * outputs[n, k]; doutputs (N, K) is row-major, outputs are
// those in the user's units.
template <class T>
std::optional<Gradients<T>> gradients_of_outputs(const Network<T>& network, const Data& data,
                                                 const Rows& rows, const T* doutputs, int threads,
                                                 const Interrupted& interrupted);

// From a gradient at the outputs in the user's units, row-major, to that of z in its place in the
// workspace; weighted like a loss's if `weighted`, else as it is.
template <class P>
void put_gradient(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
                  const typename P::Scalar* doutputs, bool weighted, Workspace<P>& work);

}  // namespace twolayer
