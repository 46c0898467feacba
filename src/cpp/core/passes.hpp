// The phases that training and inference are made of: rows, forward, loss, backward, each shared
// among the members of a team.
#pragma once

#include "workspace.hpp"

namespace twolayer {

// How a batch gets into work.activations[0].
template <class P>
Gather<typename P::Scalar> gathering(const Network<typename P::Scalar>& network, const Data& data,
                                     const Rows& rows, Workspace<P>& work);

// From the rows to the outputs, in work.activations.back().
template <class P>
void forward_pass(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
                  Workspace<P>& work, Team& team);

// Fills work.losses and work.scores where the data say what is right, and `predictions`, row-major,
// unless null. The gradient is that of the mean loss.
template <class P>
void loss_pass(const Network<typename P::Scalar>& network, const Data& data, const Rows& rows,
               Leave leave, typename P::Scalar* predictions, Workspace<P>& work, Team& team);

// The outputs of a batch in the user's units, row-major (N, K).
template <class P>
void copy_outputs(const Network<typename P::Scalar>& network, std::int64_t samples,
                  typename P::Scalar* to, Workspace<P>& work, Team& team);

// From the gradient at the outputs, in their place, to all others'.
template <class P>
void backward_pass(const Network<typename P::Scalar>& network, const Rows& rows, Workspace<P>& work,
                   Team& team);

double weight_of(const Data& data, const Rows& rows, std::int64_t n);

// Of the rows, in ascending order, as all sums here; with class weights, each times its label's.
double sum_of_weights(const LossOptions& loss, const Data& data, const Rows& rows);
template <class P>
double sum_of_losses(const Workspace<P>& work, const Data& data, const Rows& rows);
template <class P>
double sum_of_scores(const Workspace<P>& work, std::int64_t samples);

// The batch's loss: weighted, and 0 where no sample has weight.
template <class P>
double mean_loss(const Workspace<P>& work, const Data& data, const Rows& rows);

// Threads worth asking for one batch: by the multiply-adds of a pass.
template <class T>
int useful_threads(const Network<T>& network, std::int64_t samples, int threads);

}  // namespace twolayer
